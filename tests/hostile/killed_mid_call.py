"""Is killed, as by a machine without memory."""

import os
import signal

from hostile_kit import greet, read

greet()
read()
os.kill(os.getpid(), signal.SIGKILL)
