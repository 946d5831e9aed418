"""How long an adapter was ready to run and had to wait for a processor, where the system says so.

The server's lag meter sleeps most of the time, so a busy system wakes it sooner than a client that decodes
answers. Linux counts this wait for each thread, in /proc/PID/task/TID/schedstat. That an adapter alone is
stopped, by a signal or by its debugger, is seen by no meter but its own state, in /proc/PID/stat.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Starvation", "starvation"]

SAMPLE_S = 0.05  # a thread that has ended says nothing any more
# Threads of the JVM and .NET that compile and collect garbage beside those that wait. As bytes: Linux cuts a
# name off after 15 of them, in the middle of a character, too.
HELPERS = (b"C1 Compiler", b"C2 Compiler", b"GC ", b"G1 ", b".NET Tiered", b".NET SigHandler")


@dataclass(frozen=True)
class _Thread:
    ran_ns: int = 0
    waited_ns: int = 0

    def since(self, earlier: _Thread) -> _Thread:
        return _Thread(self.ran_ns - earlier.ran_ns, self.waited_ns - earlier.waited_ns)


class Starvation:
    """What one process's threads have waited since the first sample; only the process itself, no children.

    Attributes:
        stopped_s: How long the whole process was stopped, in seconds.
    """

    def __init__(self, pid: int) -> None:
        """Take the first sample."""
        self._folder = Path(f"/proc/{pid}")
        self.stopped_s = 0.0
        self._sampled_s = time.monotonic()
        self._is_helper: dict[str, bool] = {}
        self._before = self._read()
        self._latest = dict(self._before)

    @property
    def seconds(self) -> float:
        """The wait of the thread that ran longest, which made the polls; 0.0 where nothing is said of it."""
        threads = [latest.since(self._before.get(name, _Thread())) for name, latest in self._latest.items()]
        return max(threads, key=lambda each: each.ran_ns, default=_Thread()).waited_ns / 1e9

    def sample(self) -> None:
        """Note how long each thread has run and waited by now, and whether the process is stopped."""
        self._latest.update(self._read())
        now_s = time.monotonic()
        if self._is_stopped():
            self.stopped_s += now_s - self._sampled_s
        self._sampled_s = now_s

    def _is_stopped(self) -> bool:
        with contextlib.suppress(OSError):
            after_its_name = (self._folder / "stat").read_bytes().rpartition(b")")[2]
            return after_its_name.startswith((b" T", b" t"))  # T by a signal, t by a debugger
        return False

    def _read(self) -> dict[str, _Thread]:
        threads = {}
        with contextlib.suppress(OSError):  # another system, or the process has ended
            for folder in (self._folder / "task").iterdir():
                with contextlib.suppress(OSError, IndexError, ValueError):
                    if folder.name not in self._is_helper:
                        self._is_helper[folder.name] = (folder / "comm").read_bytes().startswith(HELPERS)
                    if not self._is_helper[folder.name]:
                        ran_ns, waited_ns = (folder / "schedstat").read_text().split()[:2]
                        threads[folder.name] = _Thread(int(ran_ns), int(waited_ns))
        return threads


@contextlib.contextmanager
def starvation(pid: int) -> Iterator[Starvation]:
    """Sample a process from another thread until the end of the block."""
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
