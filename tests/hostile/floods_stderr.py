"""Writes 32 MiB to stderr without a line feed, then a last line, and goes on as if nothing were."""

import sys

from hostile_kit import answer, greet, read

greet()
for _ in range(32):
    sys.stderr.write("x" * 1024 * 1024)
sys.stderr.write("\nlast words")
sys.stderr.flush()
answer(read())
read()
