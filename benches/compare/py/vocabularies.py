"""Lays out the vocabulary files of a directory as tiktoken's own cache: vocabularies.py FROM TO.

tiktoken names a file there by the SHA-1 of its address, and checks its content by SHA-256 when it reads it.
"""

import hashlib
import pathlib
import shutil
import sys

ADDRESS = "https://openaipublic.blob.core.windows.net/encodings/"

source, cache = (pathlib.Path(argument) for argument in sys.argv[1:])
for name in ("cl100k_base.tiktoken", "o200k_base.tiktoken"):
    shutil.copyfile(source / name, cache / hashlib.sha1((ADDRESS + name).encode()).hexdigest())
