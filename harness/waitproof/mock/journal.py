"""The mock server's journal: requests by serial, and by task.

A `JournalEntry` is the snapshot that others get of a request. An entry is made when somebody asks for one:
a `Request`, which changes when the request ends, costs half the time and memory.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable

from waitproof.journal import Ended, JournalEntry
from waitproof.mock.http1 import Head, Request

__all__ = ["Journal"]

MAX_REQUESTS = 100_000
MAX_BYTES = 64 * 1024 * 1024  # 100,000 polls of one client, or 20,000 whose heads all differ

# What Python takes beside the text itself, about, measured with 3.11; text takes one byte a character.
REQUEST_BYTES = 500  # a request, its numbers and its places in the journal
HEAD_BYTES = 250
HEADER_BYTES = 150  # two strings and their place in a dict


class Journal:
    """What a server remembers of its requests; for any thread.

    The loop's thread needs its lock for every request, so nobody may hold that for long.
    """

    def __init__(
        self,
        limit: int = MAX_REQUESTS,
        limit_bytes: int = MAX_BYTES,
        *,
        on_entry: Callable[[JournalEntry], None] | None = None,
    ) -> None:
        """Make an empty journal.

        Args:
            limit: How many requests are remembered; the oldest finished ones are dropped first.
            limit_bytes: How much memory they may take, about; a head that many share counts once.
            on_entry: Called without a lock for each request that was added or ended; must not raise.
        """
        self._limit = limit
        self._limit_bytes = limit_bytes
        self._on_entry = on_entry
        self._bytes = 0
        self._sharing: dict[Head, int] = {}  # how many requests have a head
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._waiting = 0  # waking nobody for each poll would cost as much as adding the poll
        self._serials = itertools.count(1)
        self._requests: dict[int, Request] = {}
        self._of_task: dict[str, dict[int, Request]] = {}
        self._finished: deque[Request] = deque()

    def add(self, request: Request) -> None:
        """Keep a request, under the next serial."""
        head, task_id = request.head, request.task_id
        with self._lock:
            serial = request.serial = next(self._serials)
            self._requests[serial] = request
            if task_id is not None:
                of_task = self._of_task.get(task_id)
                if of_task is None:
                    of_task = self._of_task[task_id] = {}
                of_task[serial] = request
            sharing = self._sharing.get(head, 0)
            self._sharing[head] = sharing + 1
            self._bytes += REQUEST_BYTES if sharing else REQUEST_BYTES + _size(head)
            while self._finished and (len(self._requests) > self._limit or self._bytes > self._limit_bytes):
                self._drop(self._finished.popleft())
            if self._waiting:
                self._changed.notify_all()
        if self._on_entry is not None:
            self._on_entry(_entry(request))

    def end(self, request: Request, ended: Ended, http: int | None = None) -> None:
        """Note how a request ended, now; one that was not added is not remembered."""
        if not request.serial:
            return
        request.body = b""
        with self._lock:
            request.http = http
            request.answered_ns = time.monotonic_ns()
            request.ended = ended  # the last, because `_entry` reads it first: no entry shows half an end
            self._finished.append(request)
            if self._waiting:
                self._changed.notify_all()
        if self._on_entry is not None:
            self._on_entry(_entry(request))

    def all(self, newest: int | None = None) -> tuple[JournalEntry, ...]:
        """Return the requests remembered, or the newest, in order of arrival, those in flight included."""
        return self._entries(self._requests, newest)

    def entries(self, task_id: str, newest: int | None = None) -> tuple[JournalEntry, ...]:
        """Return the requests of a task, or the newest of them, in order of arrival, polls included."""
        return self._entries(self._of_task.get(task_id, {}), newest)

    def wait_for_polls(
        self, task_id: str, count: int, within_s: float, gives_up: Callable[[], bool] = lambda: False
    ) -> bool:
        """Wait until that many polls of a task have arrived, repeats not counted; return whether they have.

        `gives_up` says whether to stop waiting; it is evaluated again after `wake`.
        """

        def have_come() -> bool:
            requests = self._of_task.get(task_id, {}).values()
            return sum(request.kind == "poll" and not request.repeat for request in requests) >= count

        with self._changed:
            self._waiting += 1
            try:
                self._changed.wait_for(lambda: have_come() or gives_up(), within_s)
                return have_come()
            finally:
                self._waiting -= 1

    def wake(self) -> None:
        """Let every `wait_for_polls` evaluate `gives_up` again."""
        with self._changed:
            self._changed.notify_all()

    def _entries(self, requests: dict[int, Request], newest: int | None) -> tuple[JournalEntry, ...]:
        # To make 20,000 entries takes 60 ms, to copy the references to their requests takes none.
        with self._lock:
            found = list(itertools.islice(reversed(requests.values()), newest))
        return tuple(_entry(request) for request in reversed(found))

    def _drop(self, request: Request) -> None:
        del self._requests[request.serial]
        self._bytes -= REQUEST_BYTES
        self._sharing[request.head] -= 1
        if not self._sharing[request.head]:
            del self._sharing[request.head]
            self._bytes -= _size(request.head)
        if request.task_id is not None:
            of_task = self._of_task[request.task_id]
            del of_task[request.serial]
            if not of_task:
                del self._of_task[request.task_id]


def _entry(request: Request) -> JournalEntry:
    """Return what is known of a request by now; for any thread, while another ends it."""
    ended = request.ended
    is_over = ended is not Ended.IN_FLIGHT
    return JournalEntry(
        serial=request.serial,
        task_id=request.task_id,
        kind=request.kind,
        method=request.head.method,
        target=request.head.target,
        headers=request.head.headers,
        arrived_ns=request.arrived_ns,
        connection=request.connection,
        fresh=request.fresh,
        answered_ns=request.answered_ns if is_over else None,
        ended=ended,
        http=request.http if is_over else None,
        n=request.n,
        step=request.step,
        status=request.status,
        repeat=request.repeat,
        nearest=request.nearest,
        by_path=request.by_path,
    )


def _size(head: Head) -> int:
    texts = sum(len(name) + len(value) for name, value in head.headers.items())
    # The path is a copy of the target where there is a query.
    return HEAD_BYTES + HEADER_BYTES * len(head.headers) + texts + len(head.target) + len(head.path)
