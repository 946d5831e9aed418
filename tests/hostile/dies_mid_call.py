"""Dies with two calls in flight, while it writes an answer."""

import os
import sys

from hostile_kit import greet, read

greet()
read()
read()
sys.stderr.write("out of luck\n")
sys.stderr.flush()
sys.stdout.write('{"id":"1","outc')
sys.stdout.flush()
os._exit(3)
