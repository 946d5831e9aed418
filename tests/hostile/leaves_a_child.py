"""Leaves a child behind that holds its pipes, and the fifo it is given, open forever."""

import os
import signal
import sys

from hostile_kit import greet, read

own_session = sys.argv[2] == "in-own-session"
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    if own_session:
        os.setsid()
        signal.alarm(20)  # nobody else ends it
    held = os.open(sys.argv[1], os.O_WRONLY)
    os.write(held, str(os.getpid()).encode())
    while True:
        signal.pause()
greet()
read()
