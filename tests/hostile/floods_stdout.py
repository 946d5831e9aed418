"""Writes one object of more than 16 MiB and never ends it."""

import sys

from hostile_kit import greet, read

greet()
read()
sys.stdout.write('{"id":"1","outcome":"returned","result":"')
while True:
    sys.stdout.write("x" * 1024 * 1024)
