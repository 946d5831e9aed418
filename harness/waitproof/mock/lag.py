"""How late this machine wakes a thread that sleeps: the witness for every judgement about time.

A thread sleeps for 5 ms over and over and records by how much it overslept. Where a verdict about time is in
doubt, the worst sample shows whether the machine could have been the cause; the judge decides about that.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Self

__all__ = ["LagMeter", "worst_lag_s"]

SLEEP_S = 0.005
LATE_S = 0.005  # as late as a thread may be that waits once for another one's turn in the interpreter
MAX_SAMPLES = 10_000  # the newest; a machine that is late all the time fills them in a minute and a half


def worst_lag_s(samples: Iterable[tuple[int, float]], start_ns: int, end_ns: int) -> float:
    """Return the greatest lateness of the samples that touch a span of time, 0.0 where none does.

    Args:
        samples: Pairs (at_ns, late_s); such a sleeper should have woken late_s before at_ns.
        start_ns: Start of the span, in nanoseconds of the monotonic clock.
        end_ns: Its end.
    """
    touching = (late for at_ns, late in samples if at_ns >= start_ns and at_ns - int(late * 1e9) <= end_ns)
    return max(touching, default=0.0)


class LagMeter:
    """The sleeping thread and what it recorded; also a context manager that starts and stops it."""

    def __init__(self, on_sample: Callable[[int, float], None] | None = None) -> None:
        """Make a meter that is not running.

        Args:
            on_sample: Called with (at_ns, late_s) for each sample that is kept, by the meter's own thread,
                which measures nothing while it runs.
        """
        self._on_sample = on_sample
        self._samples: deque[tuple[int, float]] = deque(maxlen=MAX_SAMPLES)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start measuring; a running meter goes on."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._measure, name="lag meter", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Stop measuring; what was recorded stays."""
        if self._thread is not None:
            self._stop.set()
            self._thread.join()
            self._thread = None

    def samples(self) -> list[tuple[int, float]]:
        """Return (at_ns, late_s) of every sleep that ended more than 5 ms late, the newest 10,000."""
        with self._lock:
            return list(self._samples)

    def worst_between(self, start_ns: int, end_ns: int) -> float:
        """Return the greatest lateness in a span of the monotonic clock, in seconds; 0.0 for none."""
        return worst_lag_s(self.samples(), start_ns, end_ns)

    def _measure(self) -> None:
        due_ns = time.monotonic_ns() + int(SLEEP_S * 1e9)
        while not self._stop.wait(SLEEP_S):
            at_ns = time.monotonic_ns()
            late_s = (at_ns - due_ns) / 1e9
            if late_s > LATE_S:
                with self._lock:
                    self._samples.append((at_ns, late_s))
                if self._on_sample is not None:
                    self._on_sample(at_ns, late_s)
            due_ns = time.monotonic_ns() + int(SLEEP_S * 1e9)
