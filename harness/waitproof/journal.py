"""What a server saw: polls and other requests, with the times of arrival and of the answer's last byte.

Values only; `mock_server` writes them, `runner` hands them to the judge. All times are nanoseconds of
one monotonic clock, which every process of a machine shares.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Ended", "JournalEntry", "Progress", "path_of"]

_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)  # of a target as proxies are sent it


class Ended(StrEnum):
    """How an exchange ended."""

    IN_FLIGHT = "in_flight"  # not yet
    ANSWERED = "answered"  # the last byte was written
    DROPPED = "dropped"  # the scenario's fault ended it
    ABANDONED = "abandoned"  # the client closed the connection first
    STOPPED = "stopped"  # the server was stopped


@dataclass(frozen=True)
class JournalEntry:
    """One request.

    Attributes:
        serial: Number of the request on this server, from 1, in order of arrival.
        task_id: The task it concerns, in the form the contract gives it; None for a stray.
        kind: `poll`, `begin` (an operation), or `other`.
        method: HTTP method.
        target: Path and query as they stood in the request line.
        headers: Names in lower case; a repeated header's values are joined by ", ".
        arrived_ns: When the request line had been read.
        connection: Number of the connection on this server, from 1.
        fresh: The connection had carried no request before.
        answered_ns: When the last byte was written, or the exchange ended otherwise; None while in flight.
        ended: How it ended.
        http: Status code answered, None where nothing was.
        n: For a poll: its number, from 1. A repeat has the number of the poll it repeats, and a request that
            follows a redirect that of the poll which was redirected.
        step: For a poll: index of the step that answered it.
        status: For a poll: the step's label: its status, `503`, `drop:reset` or `text`.
        repeat: The client's HTTP stack repeated a dropped poll by itself.
        nearest: For a stray: the nearest route that the server knows, "" otherwise.
        by_path: False where only its connection ties it to the task: one that carried the task's polls.
        open: For a poll: how many connections that have carried polls of the task are open when it comes.
    """

    serial: int
    task_id: str | None
    kind: str
    method: str
    target: str
    headers: Mapping[str, str]
    arrived_ns: int
    connection: int
    fresh: bool
    answered_ns: int | None = None
    ended: Ended = Ended.IN_FLIGHT
    http: int | None = None
    n: int = 0
    step: int = 0
    status: str = ""
    repeat: bool = False
    nearest: str = ""
    by_path: bool = True
    open: int = 1

    @property
    def path(self) -> str:
        """Its raw path, without an origin and query."""
        return path_of(self.target)

    @property
    def is_stray(self) -> bool:
        """Whether it belongs to no task, and nothing handled it."""
        return self.task_id is None and self.nearest != ""

    @property
    def names_no_task(self) -> bool:
        """Whether nothing in it says which task it concerns; its connection may have carried some."""
        return self.kind == "other" and (self.is_stray or not self.by_path)


def path_of(target: str) -> str:
    """Return the raw path in the target of a request line, without an origin and query."""
    path = target if target.startswith("/") else _ORIGIN.sub("", target, count=1)
    return path.partition("?")[0] or "/"


class Progress(StrEnum):
    """How far a wait is, as far as the server can know."""

    IDLE = "idle"  # no poll has come
    POLLING = "polling"
    DONE = "done"  # the task has ended, and the client knows
    STOPPED = "stopped"  # no poll comes any more, and the task has not ended

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected of the client."""
        return self in {Progress.DONE, Progress.STOPPED}
