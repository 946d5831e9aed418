"""Says hello, and nothing more: no answer, no poll, no ping."""

import sys

from hostile_kit import greet, read

greet()
sys.stderr.write("deaf and mute from here\n")
sys.stderr.flush()
while True:
    read()
