"""How long a run waits for calls that never come back, once it knows that they don't.

A call may go unanswered for ten seconds more than it should take. Where every call hangs, that adds up to a
quarter of an hour. So once calls of HUNG scenarios were awaited to the end, a later one is given up as soon
as it has hung in the same way: it stays silent after as many polls, or its own deadline has clearly passed.
No poll comes after that and no outcome, so its verdicts are those that the whole wait would give.

No clock lives here; used from several threads.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

__all__ = ["SHORT_WARM_LIMIT_S", "Patience", "Wait"]

HUNG = 3  # scenarios; a call or two may hang by a defect that only they meet
SILENT_INTERVALS = 2  # a helper that is at work polls once in each
SILENT_S = 1.0  # more than that: a stopped machine, a slow connection
OVERDUE_S = 2.0  # past the time that a call may rightly take
SHORT_WARM_LIMIT_S = 2.0  # of a first request, which an SDK answers within milliseconds


@dataclass(frozen=True)
class Wait:
    """A wait without an outcome.

    Attributes:
        polls: How many polls it has made.
        silent_s: For how long it has had its last answer, 0 while a poll is in flight.
        overdue_s: By how much it has exceeded the time that it may rightly take; negative before that.
        interval_s: Its poll interval.
    """

    polls: int
    silent_s: float
    overdue_s: float
    interval_s: float

    @property
    def is_silent(self) -> bool:
        """Whether it should have polled again long ago."""
        return self.silent_s > SILENT_INTERVALS * self.interval_s + SILENT_S


class Patience:
    """The scenarios of one adapter whose calls hung until the end of their time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hung: dict[str, None] = {}
        self._silent_after: dict[int, dict[str, None]] = {}

    def hung(self, scenario_id: str, wait: Wait) -> None:
        """Note a wait that was awaited to the end of its time, and had no outcome."""
        with self._lock:
            self._hung[scenario_id] = None
            if wait.is_silent:
                self._silent_after.setdefault(wait.polls, {})[scenario_id] = None

    @property
    def is_over(self) -> bool:
        """Whether calls are known to hang."""
        with self._lock:
            return len(self._hung) >= HUNG

    def same_as(self, wait: Wait) -> tuple[str, ...]:
        """Return the first scenarios that hung in the way in which this wait does; empty: wait on."""
        with self._lock:
            silent = tuple(self._silent_after.get(wait.polls, ())) if wait.is_silent else ()
            overdue = tuple(self._hung) if wait.overdue_s > OVERDUE_S else ()
        longest = max(silent, overdue, key=len)
        return longest[:HUNG] if len(longest) >= HUNG else ()
