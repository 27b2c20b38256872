"""Slices the passing transcripts of a project: slices.py HOW PROJECT OUTPUT ENCODING MAX_TOKENS LIMIT.

HOW is `plain` (every prefix is counted anew, on one core: the pipeline as its description has it) or `tuned` (every
message is counted and written as JSON once, on all cores). LIMIT is how many transcripts are sliced. Tells
how many examples there are, and the seconds of the slicing alone.
"""

import hashlib
import json
import multiprocessing
import os
import pathlib
import random
import sys
import time

import tiktoken

OVERHEAD = 4


def get_slice_points(total_turns, transcript_id, min_context=3, min_gap=2, max_gap=5):
    if total_turns < min_context:
        return []
    seed = int.from_bytes(hashlib.sha256(transcript_id.encode()).digest()[:4], "big")
    rng = random.Random(seed)
    points, current = [], min_context
    while current <= total_turns:
        points.append(current)
        current += rng.randint(min_gap, max_gap)
    if points[-1] != total_turns:
        points.append(total_turns)
    return points


def dumps(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def message_list(system, exchanges):
    messages = [{"role": "system", "content": system}]
    for exchange in exchanges:
        messages.append({"role": "user", "content": exchange["user"]})
        messages.append({"role": "assistant", "content": exchange["assistant"]})
    return messages


def plain(transcript, job):
    """The lines of a transcript: each prefix is built and counted."""
    exchanges, lines = transcript["exchanges"], []
    for point in get_slice_points(len(exchanges), transcript["id"]):
        messages = message_list(job.system, exchanges[:point])
        if sum(job.count(message["content"]) for message in messages) <= job.max_tokens:
            lines.append(dumps({"messages": messages}) + "\n")
    return lines


def tuned(transcript, job):
    """The same: each message is counted and written once, and a prefix is a sum and a join."""
    exchanges, lines = transcript["exchanges"], []
    messages = message_list(job.system, exchanges)
    parts, sums, total = [dumps(message) for message in messages], [], 0
    for message in messages:
        total += job.count(message["content"])
        sums.append(total)
    for point in get_slice_points(len(exchanges), transcript["id"]):
        end = 2 * point + 1
        if sums[end - 1] <= job.max_tokens:
            lines.append('{"messages":[' + ",".join(parts[:end]) + "]}\n")
    return lines


class Job:
    """What every transcript is sliced with."""

    def __init__(self, project, encoding, max_tokens):
        self.transcripts = project / "data/raw/transcripts"
        self.system = (project / "config/prompts/system.md").read_text(encoding="utf-8").strip()
        self.encode = tiktoken.get_encoding(encoding).encode_ordinary
        self.max_tokens = max_tokens

    def count(self, text):
        return len(self.encode(text)) + OVERHEAD

    def read(self, transcript_id):
        return load(self.transcripts / f"{transcript_id}.json")


def begin(*arguments):
    """In each process of the pool: a job of its own."""
    global job
    job = Job(*arguments)


def lines_of(transcript_id):
    lines = tuned(job.read(transcript_id), job)
    return len(lines), "".join(lines).encode()


def passing(project):
    with open(project / "data/assessments/checkpoint.jsonl", encoding="utf-8") as file:
        records = {record["id"]: record for record in map(json.loads, file)}
    return sorted(record["id"] for record in records.values() if record["pass"])


def main():
    how, project, output, encoding, max_tokens, limit = sys.argv[1:]
    project = pathlib.Path(project)
    arguments = (project, encoding, int(max_tokens))
    ids = passing(project)[: int(limit)]
    examples = 0
    with open(output, "wb") as file:
        if how == "plain":
            begin(*arguments)
            began = time.perf_counter()
            for transcript_id in ids:
                lines = plain(job.read(transcript_id), job)
                examples += len(lines)
                file.write("".join(lines).encode())
        else:
            began = time.perf_counter()
            with multiprocessing.Pool(os.cpu_count(), begin, arguments) as pool:
                for count, text in pool.imap(lines_of, ids, chunksize=16):
                    examples += count
                    file.write(text)
    print(json.dumps({"examples": examples, "seconds": time.perf_counter() - began}))


if __name__ == "__main__":
    main()
