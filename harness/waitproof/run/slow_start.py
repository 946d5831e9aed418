"""Says what a start that takes long is waiting for, so that nobody looks at a silent terminal."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

__all__ = ["announced"]

SLOW_START_S = 5.0  # most runtimes need less than one


@contextlib.contextmanager
def announced(say: Callable[[str], None], limit_s: float) -> Iterator[None]:
    """Call `say` once, from another thread, if an adapter takes long to say hello.

    Args:
        say: Prints or shows a line.
        limit_s: How long it may take, in seconds.
    """
    text = f"started; waiting for its answer to hello for {SLOW_START_S:g} s now, {limit_s:g} s at most"
    timer = threading.Timer(SLOW_START_S, say, [text])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
