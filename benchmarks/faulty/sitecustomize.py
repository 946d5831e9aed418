"""Lets one system call of a Python process fail, as the variable WAITPROOF_FAULT says; imported at its start.

`main os.write 17 28 once` in that variable: in the harness, the 17th `os.write` fails with errno 28, and
every later one, too, if the last word is `lasting`. `count FILE` counts the calls instead, a line for each
kind when the process ends. `mock` in place of `main` is the process of the mock server. Adapters must be
started with `-S`.
"""

import atexit
import builtins
import collections
import io
import os
import selectors
import signal
import socket
import subprocess
import sys
import threading

FAULT = os.environ.get("WAITPROOF_FAULT", "")
PLACES = {  # what a call is named, and where it is found
    "open": (builtins, "open"),
    "io.open": (io, "open"),
    "os.open": (os, "open"),
    "os.read": (os, "read"),
    "os.write": (os, "write"),
    "os.pipe": (os, "pipe"),
    "os.replace": (os, "replace"),
    "os.unlink": (os, "unlink"),
    "os.stat": (os, "stat"),
    "os.waitid": (os, "waitid"),
    "os.set_blocking": (os, "set_blocking"),
    "os.killpg": (os, "killpg"),
    "os.posix_spawn": (os, "posix_spawn"),
    "fork_exec": (subprocess, "_fork_exec"),
    "thread": (threading, "_start_new_thread"),
    "poll": (selectors.PollSelector, "select"),
    "epoll": (selectors.EpollSelector, "select"),
    "register": (selectors.EpollSelector, "register"),
    "accept": (socket.socket, "accept"),
    "recv": (socket.socket, "recv"),
    "send": (socket.socket, "send"),
}
INTERRUPT = -1  # in place of an errno: the call is interrupted by a signal, and goes on
counts: collections.Counter[str] = collections.Counter()


def process() -> str:
    """Return which process this is."""
    return "mock" if any("waitproof.mock.child" in word for word in sys.orig_argv) else "main"


def _raise(name: str, number: int) -> None:
    if number == INTERRUPT:
        os.kill(os.getpid(), signal.SIGUSR1)
    elif name == "thread":
        raise RuntimeError("can't start new thread")
    elif name in {"poll", "epoll"} and number == 0:
        raise MemoryError
    else:
        raise OSError(number, os.strerror(number))


def inject(fault: str) -> None:
    """Replace the functions that the fault is about."""
    words = fault.split()
    if words[:1] == ["count"]:
        for name in PLACES:
            _replace(name, lambda _name, _count: None)
        atexit.register(write_counts, words[1])
        return
    if words[:1] != [process()]:
        return
    _, name, index, number, how = words
    if int(number) == INTERRUPT:
        signal.signal(signal.SIGUSR1, lambda *_: None)
    first = int(index)

    def check(name: str, count: int) -> None:
        if count == first or (how == "lasting" and count > first):
            _raise(name, int(number))

    _replace(name, check)


def write_counts(file: str) -> None:
    """Add a line for each kind of call."""
    seen = dict(counts)
    with open(file, "a", encoding="ascii") as out:
        out.writelines(f"{process()} {name} {count}\n" for name, count in seen.items())


def _replace(name: str, check: collections.abc.Callable[[str, int], None]) -> None:
    owner, attribute = PLACES[name]
    real = getattr(owner, attribute)

    def call(*args: object, **kwargs: object) -> object:
        counts[name] += 1
        check(name, counts[name])
        return real(*args, **kwargs)

    setattr(owner, attribute, call)


if FAULT:
    inject(FAULT)
