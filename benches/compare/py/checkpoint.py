"""Reads the ids of a checkpoint, as a script that goes on does: checkpoint.py FILE. Prints how many there are."""

import json
import sys

ids = set()
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        ids.add(json.loads(line)["id"])
print(len(ids))
