"""One served task: what it was made from, and what its requests have shown so far.

Four kinds of threads touch it: the one that answers polls, those that make tasks and serve the control API,
and the watcher's. Everything that changes is behind one lock, which is never held for longer than a few
assignments; readers get a frozen `TaskView`.

One fact to know before reading on: a task's journal and its state belong to the mock server and can't be read
in one go. Each wait therefore has a number, which a reset raises; a reader whose number is no longer the
same when it has read both starts over.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from waitproof.judge import Ended, JournalEntry, Progress
from waitproof.mock import TaskServer
from waitproof.suite import Contract, Intervals, Scenario, TaskState, WaitOptions, watched_after_s

if TYPE_CHECKING:
    from waitproof.judge import Status, Verdict

__all__ = ["Limits", "ServedTask", "TaskView"]


@dataclass(frozen=True)
class Limits:
    """What a server keeps that runs for days.

    Attributes:
        tasks: How many at most; the one whose last request is oldest goes first.
        finished_s: Seconds from a task's last request until it is forgotten, if its wait is over.
        idle_s: The same if its wait is not over.
    """

    tasks: int = 10_000
    finished_s: float = 600.0
    idle_s: float = 3600.0


@dataclass(frozen=True)
class TaskView:
    """A task at one moment: its journal and its state belong together.

    Attributes:
        number: Counts the tasks of a server, from 1.
        wait: Counts the waits on this task, from 1.
        intervals: The pauses that its client is expected to keep.
        interval_s: Their length, in seconds; of those that grow, the longest that it comes to.
        timeout_s: The same for its timeout, `NO_TIMEOUT_S` for none.
        max_polls: After how many polls it is expected to give up, None for no limit.
        requests: Those that belong to the wait, in order of arrival.
        count: How many polls have come; repeats by an HTTP stack are not counted.
        other_count: How many other requests have come.
        origin_ns: The first request's arrival, on the monotonic clock; the wait's times count from it.
        now_ns: When the view was made, on the same clock.
        version: Of the task: it rises with every change.
    """

    number: int
    wait: int
    task_id: str | int
    scenario: Scenario
    options: WaitOptions
    created: datetime
    progress: Progress
    state: TaskState
    intervals: Intervals
    interval_s: float
    timeout_s: float
    max_polls: int | None
    requests: tuple[JournalEntry, ...]
    count: int
    other_count: int
    origin_ns: int
    now_ns: int
    verdicts: tuple[Verdict, ...]
    version: int

    @property
    def polls(self) -> tuple[JournalEntry, ...]:
        """The requests that are polls."""
        return tuple(entry for entry in self.requests if entry.kind == "poll")

    @property
    def others(self) -> tuple[JournalEntry, ...]:
        """The requests that are not polls."""
        return tuple(entry for entry in self.requests if entry.kind != "poll")

    @property
    def counts(self) -> Counter[Status]:
        """How many verdicts have each status."""
        return Counter(verdict.status for verdict in self.verdicts)


class ServedTask:
    """One task; any thread may call it."""

    def __init__(
        self,
        number: int,
        task_id: str | int,
        scenario: Scenario,
        options: WaitOptions,
        server: TaskServer,
        contract: Contract,
    ) -> None:
        self.number = number
        self.task_id = task_id
        self.scenario = scenario
        self.found_by = f"{task_id}\n{scenario.id}".casefold()
        self.options = options
        self.intervals = options.intervals(contract.defaults)
        self.interval_s = options.interval_s(contract.defaults)
        self.timeout_s = options.timeout_s(contract.defaults)
        self.max_polls = options.polls_limit(contract.defaults)
        self.watch_ns = watched_after_s(self.interval_s) * 1e9  # from a wait's end, for a poll too many
        self._longest_ns = (self.timeout_s + self.interval_s) * 1e9  # from a wait's first poll to its last
        self._created = datetime.now(UTC)
        self._server = server
        self._contract = contract
        self._lock = threading.RLock()
        self.is_gone = False  # deleted or replaced: nobody gets a view of it any more
        self.version = 0  # rises with every change
        self._wait = 0
        self._clear(after_serial=0)

    def _clear(self, after_serial: int) -> None:
        """Start another wait; the caller holds the lock, or is the constructor."""
        self._wait += 1
        self._after_serial = after_serial  # earlier requests are not part of the wait
        self._began_ns = self.last_ns = time.monotonic_ns()  # last: when a request came or ended
        self._first_request_ns = 0  # when the first request came
        self._polls = 0
        self._others = 0  # requests that are not polls
        self._in_flight = 0  # polls without an answer
        self._first_ns = 0  # when the first poll came
        self._ended_ns = 0  # when the client was told that the task has ended
        self._has_news = False  # a request has come since the wait was last found to be over
        self.judged_ns = 0  # when the watcher judged it last, 0 for never
        self._judged = Progress.IDLE  # what it was then
        self._verdicts: tuple[Verdict, ...] = ()
        self._reported: tuple[object, ...] = ()

    # --- changes

    def restart(self, _state: TaskState | None = None) -> TaskState:
        """Start another wait from the scenario's first step; called with the mock server's task lock held."""
        newest = self._server.entries(self.task_id, newest=1)
        with self._lock:
            self._clear(newest[-1].serial if newest else 0)
        return TaskState(self.scenario.task)

    def note(self, entry: JournalEntry) -> None:
        """Note that a request has come, or that one has ended."""
        with self._lock:
            if entry.kind == "poll":
                self._note_poll(entry)
            if entry.ended is Ended.IN_FLIGHT and _belongs_to_wait(entry):
                self._first_request_ns = self._first_request_ns or entry.arrived_ns
                self._others += entry.kind != "poll"
            self.last_ns = max(self.last_ns, entry.answered_ns or entry.arrived_ns)
            self._has_news = True

    def _note_poll(self, entry: JournalEntry) -> None:
        if entry.ended is not Ended.IN_FLIGHT:
            self._in_flight = max(0, self._in_flight - 1)
            if entry.ended is Ended.ANSWERED and not self._ended_ns and self._ends_the_wait(entry):
                self._ended_ns = entry.answered_ns or entry.arrived_ns
            return
        if self._ended_ns and entry.arrived_ns - self.last_ns > self.watch_ns:
            self._clear(entry.serial - 1)  # somebody waits on the finished task again
        self._in_flight += 1
        if not entry.repeat:
            self._polls += 1
            self._first_ns = self._first_ns or entry.arrived_ns

    def _ends_the_wait(self, entry: JournalEntry) -> bool:
        state = self._server.state(self.task_id)
        status = state.steps[entry.step].status if state and entry.step < len(state.steps) else None
        return self._contract.ends_the_wait(status)

    # --- snapshots

    @property
    def progress(self) -> Progress:
        """How far its wait is."""
        with self._lock:
            if self._judged.is_over:
                return self._judged
            return Progress.POLLING if self._polls else Progress.IDLE

    def view(self, newest: int | None = None) -> TaskView | None:
        """Return the task as it is now; None if it has been deleted or replaced.

        Args:
            newest: How many of its requests, None for all: a task that is polled all day has many.
        """
        while True:
            with self._lock:
                wait, version, after_serial = self._wait, self.version, self._after_serial
            requests = tuple(
                entry
                for entry in self._server.entries(self.task_id, newest)
                if entry.serial > after_serial and _belongs_to_wait(entry)
            )
            state = self._server.state(self.task_id) or TaskState(self.scenario.task)
            with self._lock:
                if self.is_gone:
                    return None
                if self._wait != wait:
                    continue
                first_ns = min((entry.arrived_ns for entry in requests), default=self._began_ns)
                return TaskView(
                    number=self.number,
                    wait=wait,
                    task_id=self.task_id,
                    scenario=self.scenario,
                    options=self.options,
                    created=self._created,
                    progress=self.progress,
                    state=state,
                    intervals=self.intervals,
                    interval_s=self.interval_s,
                    timeout_s=self.timeout_s,
                    max_polls=self.max_polls,
                    requests=requests,
                    count=self._polls,
                    other_count=self._others,
                    origin_ns=first_ns if newest is None else self._first_request_ns or first_ns,
                    now_ns=time.monotonic_ns(),
                    verdicts=self._verdicts,
                    version=version,
                )

    # --- the watcher's questions

    def is_worth_judging(self, now_ns: int) -> bool:
        """Say whether the wait may be over by now, or should be.

        The longer that has been so, the less often: a stalled poll may be in flight for hours, and a client
        that never stops has thousands of polls.
        """
        with self._lock:
            if not self._has_news:
                return False
            since_ns: list[float] = [now_ns - self.last_ns]
            since_ns += [now_ns - self._ended_ns] if self._ended_ns else []
            since_ns += [now_ns - self._first_ns - self._longest_ns] if self._first_ns else []
            return max(since_ns) >= self.watch_ns and now_ns - self.judged_ns >= max(since_ns) / 4

    def begin_judging(self, now_ns: int) -> None:
        """Take note that the wait is about to be judged: what comes from now on is news."""
        with self._lock:
            self.judged_ns = now_ns
            self._has_news = False

    def set_verdicts(self, wait: int, progress: Progress, verdicts: tuple[Verdict, ...]) -> None:
        """Keep what was found out about a wait, unless another one has begun since."""
        with self._lock:
            if wait == self._wait:
                self._judged, self._verdicts = progress, verdicts

    def is_to_be_reported(self, wait: int, now_ns: int) -> bool:
        """Say whether the wait is over, or should be, and its verdicts are not those of the last report."""
        with self._lock:
            if wait != self._wait:
                return False
            if not self._judged.is_over:
                self._has_news = True  # it has to be judged again, when it is
                if not self._is_overdue(now_ns):
                    return False
            report = (self._judged, *((each.requirement, each.status) for each in self._verdicts))
            is_news, self._reported = report != self._reported, report
            return is_news

    def _is_overdue(self, now_ns: int) -> bool:
        """Say whether a client polls on, or has a poll in flight, although its wait should be over."""
        latest_ns = now_ns if self._in_flight else self.last_ns
        overdue_ns = latest_ns - (self._ended_ns or self._first_ns + self._longest_ns)
        return bool(self._first_ns) and overdue_ns > self.watch_ns

    def is_expired(self, now_ns: int, limits: Limits) -> bool:
        """Say whether it is time to forget the task."""
        with self._lock:
            limit_s = limits.finished_s if self._ended_ns or self._judged.is_over else limits.idle_s
            return now_ns - self.last_ns > limit_s * 1e9 and not self._in_flight


def _belongs_to_wait(entry: JournalEntry) -> bool:
    """Say whether a request of a task's journal is part of a client's wait.

    The operation that began the task is not, nor a browser's preflight, nor a request that only shares its
    connection with the task's polls: clients have other things to do.
    """
    return entry.by_path and entry.kind != "begin" and entry.method != "OPTIONS"
