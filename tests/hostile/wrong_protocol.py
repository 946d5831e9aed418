"""Speaks a protocol of the future."""

import json

from hostile_kit import HELLO, read, write

read()
write(json.dumps({**HELLO, "protocol": 2}))
read()
