"""Counts the tokens of texts, one a line as JSON: tokens.py FILE ENCODING THREADS. Tells tokens and seconds.

tiktoken gives up the interpreter's lock while it encodes, so threads do help it.
"""

import concurrent.futures
import json
import sys
import time

import tiktoken

path, name, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
encoding = tiktoken.get_encoding(name)
with open(path, encoding="utf-8") as file:
    texts = [json.loads(line) for line in file]


def count(part):
    encode = encoding.encode_ordinary
    return sum(len(encode(text)) for text in part)


def count_all():
    if threads == 1:
        return count(texts)
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(count, (texts[i::threads] for i in range(threads))))


count_all()
began = time.perf_counter()
tokens = count_all()
print(json.dumps({"tokens": tokens, "seconds": time.perf_counter() - began}))
