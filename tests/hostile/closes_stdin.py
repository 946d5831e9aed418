"""Closes stdin and lives on."""

import json
import os
import signal

from hostile_kit import HELLO, read, write

read()
os.close(0)
write(json.dumps(HELLO))
signal.pause()
