"""How long an adapter's threads were ready to run and had to wait for a processor, where the system says so.

The server's lag meter sleeps most of the time, so a busy system wakes it sooner than a client that decodes
answers. Linux counts this wait for each thread, in /proc/PID/task/TID/schedstat.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Starvation", "starvation"]

SAMPLE_S = 0.05  # a thread that has ended says nothing any more


class Starvation:
    """What one process's threads have waited since the first sample; only the process itself, no children."""

    def __init__(self, pid: int) -> None:
        """Take the first sample."""
        self._tasks = Path(f"/proc/{pid}/task")
        self._before_ns = self._read()
        self._latest_ns = dict(self._before_ns)

    @property
    def seconds(self) -> float:
        """The wait of the thread that waited longest, 0.0 where the system does not say."""
        waits = (latest - self._before_ns.get(thread, 0) for thread, latest in self._latest_ns.items())
        return max(waits, default=0) / 1e9

    def sample(self) -> None:
        """Note how long each thread has waited by now."""
        self._latest_ns.update(self._read())

    def _read(self) -> dict[str, int]:
        waited_ns = {}
        with contextlib.suppress(OSError):  # another system, or the process has ended
            for thread in self._tasks.iterdir():
                with contextlib.suppress(OSError, IndexError, ValueError):
                    waited_ns[thread.name] = int((thread / "schedstat").read_text().split()[1])
        return waited_ns


@contextlib.contextmanager
def starvation(pid: int) -> Iterator[Starvation]:
    """Sample a process until the end of the block, by a thread of its own."""
    seen, over = Starvation(pid), threading.Event()

    def body() -> None:
        while not over.wait(SAMPLE_S):
            seen.sample()

    thread = threading.Thread(target=body, name="starvation", daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()
        seen.sample()
