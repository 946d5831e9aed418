"""Closes stdout and lives on."""

import os
import signal

from hostile_kit import greet

greet()
os.close(1)
signal.pause()
