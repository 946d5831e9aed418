"""All that was seen of one scenario: what the caller saw, what the server saw, and when.

Values only. `runner` fills an observation in from an adapter and a journal; the judge reads it and nothing
else. Times are seconds since the scenario's first call was written; both witnesses' clocks are one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias
from urllib.parse import parse_qs, urlsplit

from waitproof.journal import Ended, JournalEntry
from waitproof.protocol import AdapterFault, Cancelled, Hello, Raised, Returned, Unsupported
from waitproof.suite import Call, Contract, Intervals, Json, WaitOptions

__all__ = ["CallRecord", "NoAnswer", "Observation", "Poll", "Seen", "StillWaiting", "TaskRecord"]


@dataclass(frozen=True)
class StillWaiting:
    """The helper went on after its deadline until the harness gave up; a wrong outcome of the SDK.

    Attributes:
        as_in: Scenarios whose calls had hung in the same way until long after their deadlines, so that this
            one was given up early; empty where it was not.
    """

    waited_s: float
    as_in: tuple[str, ...] = ()


@dataclass(frozen=True)
class NoAnswer:
    """The adapter failed at this call: it died, was mute, or broke the protocol. Never a verdict."""

    message: str


Seen: TypeAlias = Returned | Raised | Cancelled | Unsupported | AdapterFault | StillWaiting | NoAnswer


@dataclass(frozen=True)
class Poll:
    """One request for a task's status, or another request of its client.

    Attributes:
        n: Number of the poll on its task, from 1; 0 for a request that is no poll. A request that follows a
            redirect has the number of the poll which was redirected.
        arrived_s: When its request line had been read.
        answered_s: When the last byte of the answer was written, or the exchange ended; None in flight.
        status: The step's label: a status, `503`, `drop:reset` or `text`.
        step: Index of the step that answered.
        connection: Which connection of the server it came on.
        repeat: The client's HTTP stack repeated a dropped poll by itself: no poll of its own, no period.
        open: How many connections that have carried polls of the task are open when it comes.
    """

    n: int
    arrived_s: float
    answered_s: float | None
    status: str = ""
    step: int = 0
    connection: int = 1
    repeat: bool = False
    ended: Ended = Ended.ANSWERED
    http: int | None = 200
    method: str = "GET"
    target: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    open: int = 1

    @cached_property
    def query(self) -> Mapping[str, list[str]]:
        """The values of each query parameter that is not empty."""
        return parse_qs(urlsplit(self.target).query)

    @classmethod
    def of(cls, entry: JournalEntry, origin_ns: int) -> Poll:
        """Return a journal's entry with its times in seconds since `origin_ns`."""
        answered_ns = entry.answered_ns
        return cls(
            n=entry.n,
            arrived_s=(entry.arrived_ns - origin_ns) / 1e9,
            answered_s=None if answered_ns is None else (answered_ns - origin_ns) / 1e9,
            status=entry.status,
            step=entry.step,
            connection=entry.connection,
            repeat=entry.repeat,
            ended=entry.ended,
            http=entry.http,
            method=entry.method,
            target=entry.target,
            headers=entry.headers,
            open=entry.open,
        )


@dataclass(frozen=True)
class CallRecord:
    """One call on the SDK, and what came of it.

    Attributes:
        index: Which of the scenario's calls, from 0.
        copy: Which of its parallel copies, from 1; also the number of its task.
        sent_s: When the harness had written the request.
        received_s: When the harness had read the answer, None when none came.
        elapsed_s: The adapter's own measurement, None when it made none.
        request: The line as written.
        answer: The line as read, None when none came.
        cancelled_s: When the harness had written that it is to be cancelled, None when it did not.
    """

    index: int
    copy: int
    call: Call
    sent_s: float
    received_s: float | None
    seen: Seen
    elapsed_s: float | None = None
    request: Mapping[str, Json] = field(default_factory=dict)
    answer: Mapping[str, Json] | None = None
    cancelled_s: float | None = None

    @property
    def took_s(self) -> float | None:
        """Seconds that the call took: the adapter's where given, else the harness's."""
        if self.elapsed_s is not None or self.received_s is None:
            return self.elapsed_s
        return self.received_s - self.sent_s

    @property
    def options(self) -> WaitOptions:
        """What was passed to the wait helper."""
        return self.call.wait or WaitOptions()

    def intervals(self, contract: Contract) -> Intervals:
        """Return the pauses that hold: those passed, else the documented default."""
        return self.options.intervals(contract.defaults)

    def interval_s(self, contract: Contract) -> float:
        """Return the interval that holds likewise; of a schedule, the longest that the wait comes to."""
        return self.options.interval_s(contract.defaults)

    def timeout_s(self, contract: Contract) -> float:
        """Return the timeout that holds: the one passed, else the documented default."""
        return self.options.timeout_s(contract.defaults)

    def polls_limit(self, contract: Contract) -> int | None:
        """Return after how many polls the helper gives up likewise, None for no limit."""
        return self.options.polls_limit(contract.defaults)


@dataclass(frozen=True)
class TaskRecord:
    """One task of the scenario, and all requests that concern it, in order of arrival.

    Attributes:
        n: Number of the copy, from 1.
        polls: Requests for its status, repeats included.
        others: Requests of its client that are no polls.
        doubtful: Requests that name no task, on connections that other scenarios' requests came on, too.
    """

    n: int
    task_id: str | int
    token: str = ""
    polls: tuple[Poll, ...] = ()
    others: tuple[Poll, ...] = ()
    doubtful: tuple[Poll, ...] = ()

    @property
    def values(self) -> dict[str, Json]:
        """The values of the task's placeholders."""
        return {"task_id": self.task_id, "token": self.token, "n": self.n}


@dataclass(frozen=True)
class Observation:
    """See the module.

    Attributes:
        hello: The adapter's introduction.
        calls: In the order in which they were sent.
        tasks: One for each parallel copy.
        watched_s: Until when the journal was watched.
        lag_s: By how much the server's lag meter overslept at worst.
        starved_s: How long the adapter was kept from a processor for each of its polls, on average, and how
            long it was stopped in all; 0 where nobody looked, or where the system doesn't say.
        alone: It was played in a fresh process, with hardly anything else at the same time.
        scale: By how much the scenario's durations were multiplied for this SDK.
        earlier_waits: The options of the first and of the latest wait that its process had made before.
        began_unix_s: The time of day at which the first call was written, in seconds since 1970; None where
            the adapter's is another one.
        ended_s: How long the process lived on after the end of its stdin; infinite if it had to be ended,
            None where nobody looked.
        leaks: Where a secret was seen, and in what; the secret itself is masked, in every outcome, too.
        shares_connections: Other scenarios' requests came on its connections, too, or it sent none at all.
    """

    hello: Hello
    calls: tuple[CallRecord, ...]
    tasks: tuple[TaskRecord, ...]
    watched_s: float = 0.0
    lag_s: float = 0.0
    starved_s: float = 0.0
    alone: bool = False
    scale: int = 1
    earlier_waits: tuple[WaitOptions, ...] = ()
    began_unix_s: float | None = 0.0
    ended_s: float | None = None
    leaks: tuple[str, ...] = ()
    shares_connections: bool = False

    def task(self, call: CallRecord) -> TaskRecord:
        """Return the task that a call was about."""
        return self.tasks[call.copy - 1]

    def requests_of(self, call: CallRecord) -> tuple[Poll, ...]:
        """Return the polls of a task from this call on until the next, repeats included."""
        until = self._next_call_s(call)
        return tuple(poll for poll in self.task(call).polls if call.sent_s <= poll.arrived_s < until)

    def polls_of(self, call: CallRecord) -> tuple[Poll, ...]:
        """Return the same without repeats by an HTTP stack; one that followed redirects is one poll."""
        polls: list[Poll] = []
        for poll in self.requests_of(call):
            if polls and 0 < polls[-1].n == poll.n and not poll.repeat:
                polls[-1] = replace(poll, arrived_s=polls[-1].arrived_s)
            elif not poll.repeat:
                polls.append(poll)
        return tuple(polls)

    def others_of(self, call: CallRecord) -> tuple[Poll, ...]:
        """Return the requests of a call that are no polls."""
        until = self._next_call_s(call)
        return tuple(other for other in self.task(call).others if call.sent_s <= other.arrived_s < until)

    def doubtful_of(self, call: CallRecord) -> tuple[Poll, ...]:
        """Return the requests during a call that may be its own or another scenario's."""
        until = self._next_call_s(call)
        return tuple(each for each in self.task(call).doubtful if call.sent_s <= each.arrived_s < until)

    def waits(self) -> Iterator[CallRecord]:
        """Yield the calls of the wait helper."""
        return (call for call in self.calls if call.call.wait is not None)

    def follows_a_wait(self, call: CallRecord) -> bool:
        """Say whether a task was waited for before this call.

        The last poll of a wait that gave up may still be under way when the next call is written, and then
        arrives as if it were that call's.
        """
        return any(wait.copy == call.copy and wait.index < call.index for wait in self.waits())

    def _next_call_s(self, call: CallRecord) -> float:
        later = (c.sent_s for c in self.calls if c.copy == call.copy and c.index > call.index)
        return min(later, default=float("inf"))
