"""What ends a program from outside: Ctrl-C, SIGTERM, and the end of its terminal."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TextIO

__all__ = ["discard_output", "on_termination"]

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")  # Windows has no SIGHUP


@contextlib.contextmanager
def on_termination(callback: Callable[[], object]) -> Iterator[None]:
    """Call a function at each such signal while the context lasts; outside the main thread none is noticed.

    Args:
        callback: Called in the main thread, between any two of its instructions: it must be quick, and take
            no lock that this thread may hold.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        callback()

    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        for number, handler in before.items():
            if handler is not signal.SIG_IGN:  # nohup, or a shell's background job
                signal.signal(number, on_signal)
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def discard_output(stream: TextIO) -> None:
    """Discard what is written to a stream: its reader has gone, and Python must not complain at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
