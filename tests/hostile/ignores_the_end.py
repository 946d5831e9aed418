"""Outlives the end of stdin and SIGTERM."""

import signal

from hostile_kit import greet

signal.signal(signal.SIGTERM, signal.SIG_IGN)
greet()
while True:
    signal.pause()
