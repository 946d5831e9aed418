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

from waitproof.judge.journal import Ended, JournalEntry
from waitproof.mock.http1 import Head

__all__ = ["Journal", "Record"]

# What Python takes beside the text itself, about, measured with 3.11; text takes one byte a character.
RECORD_BYTES = 500  # a record, its numbers and its places in the journal
HEAD_BYTES = 250
HEADER_BYTES = 150  # two strings and their place in a dict


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

    def end(self, ended: Ended, http: int | None, nearest: str) -> None:
        """Note how the request ended, now."""
        if nearest:
            self.nearest = nearest
        self.http = http
        self.answered_ns = time.monotonic_ns()
        self.ended = ended  # the last, for `entry` looks at it first: no entry shows half an end

    def entry(self) -> JournalEntry:
        """Return what is known of the request by now; for any thread, while another ends it."""
        ended = self.ended
        is_over = ended is not Ended.IN_FLIGHT
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
            answered_ns=self.answered_ns if is_over else None,
            ended=ended,
            http=self.http if is_over else None,
            n=self.n,
            step=self.step,
            status=self.status,
            repeat=self.repeat,
            nearest=self.nearest,
            by_path=self.by_path,
        )


class Journal:
    """What a server remembers of its requests; for any thread.

    The loop's thread needs its lock for every request, so nobody may hold that for long.
    """

    def __init__(self, limit: int, limit_bytes: int) -> None:
        """Make an empty journal.

        Args:
            limit: How many requests are remembered; the oldest finished ones go first.
            limit_bytes: How much memory they may take, about; a head that many share counts once.
        """
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._bytes = 0
        self._sharing: dict[Head, int] = {}  # how many records have a head
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
            sharing = self._sharing.get(head, 0)
            self._sharing[head] = sharing + 1
            self._bytes += RECORD_BYTES if sharing else RECORD_BYTES + _size(head)
            while self._finished and self._is_full():
                self._drop(self._finished.popleft())
            if self._waiting:
                self._changed.notify_all()
        return record

    def end(self, record: Record, ended: Ended, http: int | None = None, nearest: str = "") -> None:
        """Put on record how a request ended, now."""
        with self._lock:
            record.end(ended, http, nearest)
            self._finished.append(record)
            if self._waiting:
                self._changed.notify_all()

    def entry(self, record: Record) -> JournalEntry:
        """Return what is known of a request by now."""
        return record.entry()

    def all(self, newest: int | None = None) -> tuple[JournalEntry, ...]:
        """Return the requests remembered, in order of arrival, those in flight included.

        Args:
            newest: How many of those that arrived last, None for all.
        """
        return self._entries(self._records, newest)

    def entries(self, task_id: str, newest: int | None = None) -> tuple[JournalEntry, ...]:
        """Return the requests that concern a task, in order of arrival, polls included.

        Args:
            task_id: The task.
            newest: How many of those that arrived last, None for all.
        """
        return self._entries(self._of_task.get(task_id, {}), newest)

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

    def _entries(self, records: dict[int, Record], newest: int | None) -> tuple[JournalEntry, ...]:
        # To make 20,000 entries takes 60 ms, to copy the references to their records takes none.
        with self._lock:
            found = list(itertools.islice(reversed(records.values()), newest))
        return tuple(record.entry() for record in reversed(found))

    def _is_full(self) -> bool:
        return len(self._records) > self._limit or self._bytes > self._limit_bytes

    def _drop(self, record: Record) -> None:
        del self._records[record.serial]
        self._bytes -= RECORD_BYTES
        self._sharing[record.head] -= 1
        if not self._sharing[record.head]:
            del self._sharing[record.head]
            self._bytes -= _size(record.head)
        if record.task_id is not None:
            of_task = self._of_task[record.task_id]
            del of_task[record.serial]
            if not of_task:
                del self._of_task[record.task_id]


def _size(head: Head) -> int:
    texts = sum(len(name) + len(value) for name, value in head.headers.items())
    # The path is a copy of the target where there is a query.
    return HEAD_BYTES + HEADER_BYTES * len(head.headers) + texts + len(head.target) + len(head.path)
