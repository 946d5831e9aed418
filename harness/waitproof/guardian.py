"""Ends the process groups that we have started when we end, however that is: SIGKILL included.

The guardian is a shell that reads their numbers from a pipe of which we alone hold the other end. At its end
of file we are gone, and it kills what is left: a command of `prepare` never asks whether we are there, and a
process that is stopped cannot notice. It is protection and no more: without one, everything else works.
"""

from __future__ import annotations

import contextlib
import os
import threading

__all__ = ["guard", "release"]

_SHELL = "/bin/sh"
_PROGRAM = """
trap '' INT TERM HUP
groups=
while read -r sign group; do
  case $sign in
    +) groups="$groups $group" ;;
    -) rest=
       for each in $groups; do [ "$each" = "$group" ] || rest="$rest $each"; done
       groups=$rest ;;
  esac
done
for each in $groups; do kill -s KILL -- "-$each"; done
"""


class _Guardian:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0  # the process that started it: after a fork the pipe is not the child's
        self._pipe = -1

    def tell(self, line: str) -> None:
        with self._lock, contextlib.suppress(OSError):
            if self._owner != os.getpid():
                self._owner = os.getpid()
                self._pipe = _start()
            os.write(self._pipe, line.encode())


def _start() -> int:
    """Start the shell, and return our end of its pipe."""
    theirs, ours = os.pipe()
    try:
        discarded = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
        streams = [(os.POSIX_SPAWN_DUP2, theirs, 0), *discarded]
        os.posix_spawn(_SHELL, [_SHELL, "-c", _PROGRAM], {}, file_actions=streams, setsid=True)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    os.set_blocking(ours, False)  # a guardian that was stopped must not stop us
    return ours


_guardian = _Guardian()


def guard(group: int) -> None:
    """Let a process group, which must exist, be killed when this process ends."""
    _guardian.tell(f"+ {group}\n")


def release(group: int) -> None:
    """Forget a process group; call it before its leader is reaped, and its number is free."""
    _guardian.tell(f"- {group}\n")
