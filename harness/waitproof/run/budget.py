"""How much may go on at once, of all adapters together: first come, first served."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Iterator

__all__ = ["Budget"]

MAX_LIVE_WAITS = 80  # two cores answer a thousand pollers; the clients under test share them too
MAX_POLLS_PER_S = 400.0  # of all adapters together; their answers stay a few milliseconds late at most


class Budget:
    """A number of live waits and of polls a second; who asked first is served first.

    So a scenario that needs much of it is not overtaken by small ones for as long as there are any.
    """

    def __init__(
        self,
        stopping: threading.Event,
        *,
        max_live: int = MAX_LIVE_WAITS,
        max_polls_per_s: float = MAX_POLLS_PER_S,
    ) -> None:
        """Make a budget of which nothing is taken.

        Args:
            stopping: Once this is set and `wake` was called, nobody waits any more.
            max_live: How many waits may be live.
            max_polls_per_s: How many polls a second are expected at most.
        """
        self._stopping = stopping
        self._max_live = max_live
        self._max_polls_per_s = max_polls_per_s
        self._changed = threading.Condition()
        self._queue: deque[object] = deque()
        self._live = 0
        self._polls_per_s = 0.0

    def wake(self) -> None:
        """Make everyone who waits check whether the run is stopping."""
        with self._changed:
            self._changed.notify_all()

    @contextlib.contextmanager
    def taken(self, live: int, polls_per_s: float) -> Iterator[None]:
        """Wait for a turn and for room, then hold it; a scenario larger than the budget runs by itself."""
        ticket = object()
        with self._changed:
            self._queue.append(ticket)
            self._changed.wait_for(
                lambda: (
                    self._stopping.is_set() or (self._queue[0] is ticket and self._fits(live, polls_per_s))
                )
            )
            self._queue.remove(ticket)
            self._live += live
            self._polls_per_s += polls_per_s
            self._changed.notify_all()  # there may be room for the next one, too
        try:
            yield
        finally:
            with self._changed:
                self._live -= live
                self._polls_per_s -= polls_per_s
                self._changed.notify_all()

    def _fits(self, live: int, polls_per_s: float) -> bool:
        fits = (
            self._live + live <= self._max_live and self._polls_per_s + polls_per_s <= self._max_polls_per_s
        )
        return fits or self._live == 0
