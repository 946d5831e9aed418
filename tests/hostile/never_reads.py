"""Answers hello unread, and never reads a byte."""

import json
import signal

from hostile_kit import HELLO, write

write(json.dumps(HELLO))
signal.pause()
