#!/usr/bin/env python3
"""A stand-in for the Claude Code CLI in tests: the same arguments, the same JSON, no network, no money.

    claude -p --output-format json --model M [--json-schema S] [--system-prompt-file F] [--tools ""] ... <prompt

Without instructions it gives the usual reply of the fault server (tests/fault_server/src/reply.rs): the same
text for the same system text, prompt and schema. Its environment is small, so instructions and the bill
are files in $HOME:

fake_claude.json         {"answers": [ANSWER, ...],          the first calls get these, in order
                          "always": ANSWER,                   the others get this, else
                          "faults": {"seed": 7, "rate": 0.3, "kinds": ["limit", ...]},
                          "latency": 0.05}                    seconds that each call takes
                         An ANSWER is {"kind": KIND, ...}; KINDS below says which there are. More keys: `text`
                         (what it says), `resets` (of a limit, "8pm (Europe/Berlin)" or seconds since 1970),
                         `code` (of an exit), `value` (the structured output), `seconds` (a hang's length).
fake_claude_bill.jsonl   one line when a call begins (argv, names of the environment, files of the working
                         directory, SHA-256 of stdin, process group) and one when it ends: `served`
                         with its tokens, or `killed` with the signal
fake_claude_state.json   how many calls there were
"""

import fcntl
import hashlib
import json
import os
import re
import signal
import sys
import time

# Flags that take a value, and those that take none.
VALUES = {
    "--output-format", "--model", "--json-schema", "--system-prompt-file", "--system-prompt", "--tools",
    "--setting-sources", "--max-turns", "--append-system-prompt", "--fallback-model", "--permission-mode",
    "--mcp-config", "--settings", "--session-id", "--max-budget-usd", "--effort", "--disallowedTools",
}
BARE = {
    "-p", "--print", "--strict-mcp-config", "--no-session-persistence", "--disable-slash-commands", "--verbose",
    "--safe-mode", "--bare",
}

LIMIT = "You've hit your limit - resets {}"
OLD_LIMIT = "Claude AI usage limit reached|{}"
ASKED_IN_WORDS = "Answer with a JSON value that fits this JSON Schema"
HOME = os.environ.get("HOME", "/")


# The logical request, and the usual reply to it: as in tests/fault_server/src/{request,reply}.rs.

def settled(system, schema):
    """Takes a schema that is spelled out in the system text out of it."""
    at = system.find(ASKED_IN_WORDS)
    if at < 0:
        return system, schema
    asked = system[at:]
    if schema is None and "{" in asked:
        schema = json.JSONDecoder().raw_decode(asked[asked.index("{"):])[0]
    return system[:at].rstrip(), schema


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def request_hash(system, messages, schema):
    fitted = None if schema is None else fit(schema)
    value = {"fit": fitted, "messages": messages, "system": system}
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def usual_text(system, messages, schema):
    if schema is not None:
        return compact(fit(schema))
    number = request_hash(system, messages, None)[:8]
    return f"This answers a prompt of {len(messages)} messages, number {number}."


def first(values, wanted):
    return next((value for value in values if wanted(value)), values[0])


def kind_of(schema):
    kind = schema.get("type")
    if isinstance(kind, list) and kind:
        kind = first(kind, lambda name: name != "null")
    return kind.lower() if isinstance(kind, str) else ""


def described(schema):
    """The schema with the keywords that stand in its description."""
    text = schema.get("description")
    at = text.find("Must fit {") if isinstance(text, str) else -1
    if at < 0:
        return schema
    try:
        more = json.JSONDecoder().raw_decode(text[at + len("Must fit "):])[0]
    except ValueError:
        return schema
    return {**more, **schema}


def fit(schema, root=None, depth=0):
    """The plainest value that fits a schema."""
    root = schema if root is None else root
    if depth > 12 or not isinstance(schema, dict):
        return None if depth > 12 else {}
    target = pointer(root, schema.get("$ref"))
    if target is not None:
        return fit(target, root, depth + 1)
    schema = described(schema)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return first(schema["enum"], lambda value: value is not None)
    for branches in (schema.get("anyOf"), schema.get("oneOf")):
        if branches:
            return fit(first(branches, lambda branch: kind_of(branch) != "null"), root, depth + 1)
    return fit_kind(schema, root, depth + 1)


def fit_kind(schema, root, depth):
    kind = kind_of(schema)
    if kind == "string":
        return "ok"
    if kind in ("integer", "number"):
        number = bounded(schema)
        return int(number) if kind == "integer" else float(number)
    if kind == "boolean":
        return True
    if kind == "array":
        count = int(min(max(schema.get("minItems", 1), 1), 50))
        return [fit(schema.get("items", {}), root, depth) for _ in range(count)]
    if kind == "null":
        return None
    value = {}
    for part in schema.get("allOf", []):
        more = fit(part, root, depth)
        value.update(more if isinstance(more, dict) else {})
    value.update({name: fit(part, root, depth) for name, part in schema.get("properties", {}).items()})
    return value


def bounded(schema):
    if "minimum" in schema:
        return schema["minimum"]
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    return min(1, schema.get("maximum", 1))


def pointer(root, reference):
    """What a local reference names."""
    if not isinstance(reference, str) or not reference.startswith("#"):
        return None
    for step in reference[1:].split("/")[1:]:
        if not isinstance(root, dict) or step not in root:
            return None
        root = root[step]
    return root


# The call.

def parse(argv):
    """The flags; ends as the real one does when it does not know one."""
    flags, rest = {}, list(argv)
    while rest:
        name, given, value = rest.pop(0).partition("=")
        if name in VALUES:
            flags[name] = value if given else (rest.pop(0) if rest else fail(f"{name} needs an argument"))
        elif name in BARE and not given:
            flags[name] = True
        else:
            fail(f"unknown option or argument '{name}'")
    if not ("-p" in flags or "--print" in flags):
        fail("this stand-in only prints: -p")
    if flags.get("--output-format") != "json":
        fail("this stand-in only speaks --output-format json")
    return flags


def fail(why, code=1):
    print(f"error: {why}", file=sys.stderr)
    sys.exit(code)


def path(name):
    return os.path.join(HOME, name)


def load(name):
    try:
        with open(path(name), encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return {}


def note(event, **more):
    """A line of the bill: one write, so that lines of several processes do not mix."""
    line = compact({"event": event, "pid": os.getpid(), "time": time.time(), **more}) + "\n"
    bill = os.open(path("fake_claude_bill.jsonl"), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(bill, line.encode())
    os.close(bill)


def count_call(key):
    """How many calls there were before, of all and of this request."""
    with open(path("fake_claude_state.json"), "a+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        state = json.loads(file.read() or '{"calls": 0, "asked": {}}')
        before = state["calls"], state["asked"].get(key, 0)
        state["calls"], state["asked"][key] = before[0] + 1, before[1] + 1
        file.seek(0)
        file.truncate()
        json.dump(state, file)
    return before


def pick(faults, key, before):
    """As the fault server: the seed, the request and its occurrence decide."""
    digest = hashlib.sha256(f"{faults.get('seed', 0)} {key} {before}".encode()).digest()
    if int.from_bytes(digest[:4], "big") / 2**32 >= faults.get("rate", 0):
        return "usual"
    kinds = [kind for kind in KINDS if kind not in ("usual", "text") and kind in faults.get("kinds", KINDS)]
    return kinds[int.from_bytes(digest[4:8], "big") % len(kinds)]


def choose(orders, key):
    number, before = count_call(key)
    answers = orders.get("answers", [])
    if number < len(answers):
        return answers[number]
    return orders.get("always") or {"kind": pick(orders.get("faults", {}), key, before)}


def conversation(prompt):
    """The messages of a prompt: one, unless speakers are named as src/llm/claude.rs names them."""
    wish = "Write the next message of [assistant], "
    if wish not in prompt:
        return [{"content": prompt, "role": "user"}]
    turns = re.split(r"(?:^|\n\n)\[(user|assistant)\]\n", prompt[:prompt.rindex(wish)].removesuffix("\n\n"))
    return [{"content": text, "role": role} for role, text in zip(turns[1::2], turns[2::2])]


class Call:
    """One call: what was asked, and what it will cost."""

    def __init__(self, flags, prompt):
        system = flags.get("--system-prompt", "")
        if "--system-prompt-file" in flags:
            with open(flags["--system-prompt-file"], encoding="utf-8") as file:
                system = file.read()
        schema = json.loads(flags["--json-schema"]) if "--json-schema" in flags else None
        self.told = schema is not None
        self.model = flags.get("--model", "default")
        self.system, self.schema = settled(system, schema)
        self.messages = conversation(prompt)
        self.key = request_hash(self.system, self.messages, self.schema)
        self.usual = usual_text(self.system, self.messages, self.schema)
        self.input = -(-len("\n".join([self.system, prompt]).encode()) // 4) + 4
        self.output = 0

    def result(self, text, **more):
        """The JSON of a call that ended."""
        self.output = -(-len(text.encode()) // 4)
        usage = {"input_tokens": self.input - 1, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 1,
                 "output_tokens": self.output, "service_tier": "standard"}
        cost = round(self.input * 3e-6 + self.output * 15e-6, 9)
        value = {"type": "result", "subtype": "success", "is_error": False, "duration_ms": 5, "duration_api_ms": 4,
                 "num_turns": 1, "result": text, "stop_reason": "end_turn", "session_id": self.key[:32],
                 "total_cost_usd": cost, "usage": usage, "modelUsage": {self.model: {}}, "permission_denials": []}
        return {**value, **more}

    def free(self, text, **more):
        """One that cost nothing."""
        usage = {"input_tokens": 0, "output_tokens": 0, "cache_read_input_tokens": 0}
        value = self.result(text, is_error=True, usage=usage, total_cost_usd=0, modelUsage={}, **more)
        self.input = self.output = 0
        return value


def serve(call, value, code=0, billed=True):
    """Writes the bill, then the answer."""
    note("served" if billed else "failed", hash=call.key, model=call.model, kind=call.kind,
         input_tokens=call.input, output_tokens=call.output)
    sys.stdout.write(value if isinstance(value, str) else compact(value) + "\n")
    sys.stdout.flush()
    sys.exit(code)


def usual(call, answer):
    more = {"structured_output": json.loads(call.usual), "num_turns": 2} if call.told else {}
    serve(call, call.result(call.usual, **more))


def text(call, answer):
    more = {"structured_output": answer["value"]} if "value" in answer else {}
    serve(call, call.result(answer.get("text", "I think that it is fine."), **more))


def limit(call, answer):
    serve(call, call.free(answer.get("text") or LIMIT.format(answer.get("resets", "8pm (Europe/Berlin)"))), 1, False)


def old_limit(call, answer):
    resets = answer.get("resets", int(time.time()) + 1)
    serve(call, call.free(OLD_LIMIT.format(resets)), 1, False)


def hang(call, answer):
    time.sleep(answer.get("seconds", 3600))
    usual(call, answer)


def not_json(call, answer):
    serve(call, answer.get("text", "Welcome to Claude Code!\nPress enter to continue\n"), 0, False)


def exit_code(call, answer):
    print(answer.get("text", "TypeError: fetch failed"), file=sys.stderr)
    serve(call, "", answer.get("code", 1), False)


def error(call, answer):
    said = answer.get("text", 'API Error: 529 {"type":"error","error":{"type":"overloaded_error"}}')
    serve(call, call.free(said), answer.get("code", 1), False)


def login(call, answer):
    serve(call, call.free("Invalid API key \u00b7 Please run /login"), 1, False)


def max_turns(call, answer):
    value = call.result("", subtype="error_max_turns", is_error=True)
    del value["result"]
    serve(call, value, 1)


def refusal(call, answer):
    serve(call, call.result(answer.get("text", "I cannot help with that."), stop_reason="refusal"))


def token_limit(call, answer):
    serve(call, call.result(call.usual[: len(call.usual) // 2], stop_reason="max_tokens"))


def crash(call, answer):
    value = compact(call.result(call.usual))
    serve(call, value[: len(value) // 2], answer.get("code", 139))


def wrong_schema(call, answer):
    value = answer.get("value", ["not what was asked for"])
    serve(call, call.result(compact(value), structured_output=value) if call.told else call.result("[]"))


def empty(call, answer):
    serve(call, call.result(""))


KINDS = {
    "usual": usual, "text": text, "limit": limit, "old-limit": old_limit, "hang": hang, "not-json": not_json,
    "exit": exit_code, "error": error, "login": login, "max-turns": max_turns, "refusal": refusal,
    "token-limit": token_limit, "crash": crash, "wrong-schema": wrong_schema, "empty": empty,
}


def killed(number, _frame):
    note("killed", signal=signal.Signals(number).name)
    sys.stdout.flush()
    os._exit(128 + number)


def main():
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, killed)
    if sys.argv[1:] in (["--version"], ["-v"]):
        print("2.1.205 (Claude Code)")
        return
    prompt = sys.stdin.buffer.read().decode()
    note("begun", argv=sys.argv[1:], env=sorted(os.environ), cwd=os.getcwd(), files=sorted(os.listdir()),
         stdin=hashlib.sha256(prompt.encode()).hexdigest(), pgid=os.getpgrp())
    flags = parse(sys.argv[1:])
    if not prompt:
        fail("Input must be provided either through stdin or as a prompt argument when using --print")
    orders = load("fake_claude.json")
    call = Call(flags, prompt)
    answer = choose(orders, call.key)
    call.kind = answer["kind"]
    time.sleep(orders.get("latency", 0))
    KINDS[call.kind](call, answer)


if __name__ == "__main__":
    main()
