"""The mock server's journal while it is being written: requests by serial, and which are one task's.

`JournalEntry` is what others see of a request; here it is a `Record`, which changes once, when the request
ends, and costs half the time and memory. An entry is made of it when somebody asks.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass

from harness.http_wire import Head
from harness.journal import Ended, JournalEntry

__all__ = ["Journal", "Record"]


@dataclass(slots=True, eq=False)
class Record:
    """One request; the attributes are those of `JournalEntry`, and `head` is what it says of itself."""

    serial: int
    task_id: str | None
    kind: str
    head: Head
    arrived_ns: int
    connection: int
    fresh: bool
    n: int = 0
    step: int = 0
    status: str = ""
    repeat: bool = False
    nearest: str = ""
    by_path: bool = True
    answered_ns: int | None = None
    ended: Ended = Ended.IN_FLIGHT
    http: int | None = None

    def entry(self) -> JournalEntry:
        """Return what is known of the request by now."""
        return JournalEntry(
            serial=self.serial,
            task_id=self.task_id,
            kind=self.kind,
            method=self.head.method,
            target=self.head.target,
            headers=self.head.headers,
            arrived_ns=self.arrived_ns,
            connection=self.connection,
            fresh=self.fresh,
            answered_ns=self.answered_ns,
            ended=self.ended,
            http=self.http,
            n=self.n,
            step=self.step,
            status=self.status,
            repeat=self.repeat,
            nearest=self.nearest,
            by_path=self.by_path,
        )


class Journal:
    """What a server remembers of its requests; for any thread."""

    def __init__(self, limit: int) -> None:
        """Make an empty journal.

        Args:
            limit: How many requests are remembered; the oldest finished ones go first.
        """
        self._limit = limit
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0  # telling nobody of each poll would cost as much as the poll's own record
        self._serials = itertools.count(1)
        self._records: dict[int, Record] = {}
        self._of_task: dict[str, dict[int, Record]] = {}
        self._finished: deque[Record] = deque()

    def add(
        self,
        task_id: str | None,
        kind: str,
        head: Head,
        arrived_ns: int,
        connection: int,
        fresh: bool,
        n: int = 0,
        step: int = 0,
        status: str = "",
        repeat: bool = False,
        nearest: str = "",
        by_path: bool = True,
    ) -> Record:
        """Keep a new request, under the next serial; see `JournalEntry` for what the arguments mean."""
        with self._lock:
            serial = next(self._serials)
            record = Record(
                serial,
                task_id,
                kind,
                head,
                arrived_ns,
                connection,
                fresh,
                n,
                step,
                status,
                repeat,
                nearest,
                by_path,
            )
            self._records[serial] = record
            if task_id is not None:
                of_task = self._of_task.get(task_id)
                if of_task is None:
                    of_task = self._of_task[task_id] = {}
                of_task[serial] = record
            while len(self._records) > self._limit and self._finished:
                self._drop(self._finished.popleft())
            if self._waiting:
                self._changed.notify_all()
        return record

    def end(self, record: Record, ended: Ended, http: int | None = None, nearest: str = "") -> None:
        """Put on record how a request ended, now."""
        with self._lock:
            record.answered_ns = time.monotonic_ns()
            record.ended = ended
            record.http = http
            if nearest:
                record.nearest = nearest
            self._finished.append(record)
            if self._waiting:
                self._changed.notify_all()

    def entry(self, record: Record) -> JournalEntry:
        """Return what is known of a request by now."""
        with self._lock:
            return record.entry()

    def all(self) -> tuple[JournalEntry, ...]:
        """Return every request remembered, in order of arrival, those in flight included."""
        with self._lock:
            return tuple(record.entry() for record in self._records.values())

    def entries(self, task_id: str) -> tuple[JournalEntry, ...]:
        """Return every request that concerns a task, in order of arrival, polls included."""
        with self._lock:
            return tuple(record.entry() for record in self._of_task.get(task_id, {}).values())

    def polls(self, task_id: str) -> tuple[JournalEntry, ...]:
        """Return the polls of one task, in order of arrival, repeats of an HTTP stack included."""
        return tuple(entry for entry in self.entries(task_id) if entry.kind == "poll")

    def wait_for_polls(self, task_id: str, count: int, within_s: float) -> bool:
        """Wait until that many polls of a task have arrived, repeats not counted; return whether they have.

        Args:
            task_id: The task.
            count: How many polls.
            within_s: How long to wait at most.
        """

        def have_come() -> bool:
            records = self._of_task.get(task_id, {}).values()
            return sum(record.kind == "poll" and not record.repeat for record in records) >= count

        with self._changed:
            self._waiting += 1
            try:
                return self._changed.wait_for(have_come, within_s)
            finally:
                self._waiting -= 1

    def _drop(self, record: Record) -> None:
        del self._records[record.serial]
        if record.task_id is not None:
            of_task = self._of_task[record.task_id]
            del of_task[record.serial]
            if not of_task:
                del self._of_task[record.task_id]
