"""What report.json holds of one time that a scenario was played: its calls, polls, answers and requests."""

from __future__ import annotations

from dataclasses import dataclass, field

from waitproof.judge import Ended
from waitproof.report.part import Duration, Index, Number, Part, Positive
from waitproof.suite import Drop, Json


@dataclass(frozen=True)
class ScheduleEntry(Part):
    """Intervals that grow from poll to poll, by addition or by multiplication, up to the longest."""

    first_s: Positive
    most_s: Positive
    add_s: float = 0.0
    times: float = 1.0


@dataclass(frozen=True)
class CallEntry(Part):
    """One call of the SDK; long strings in its lines are shortened."""

    copy: Number
    sent_s: float
    received_s: float | None = None
    elapsed_s: float | None = None
    """The adapter's own measurement."""
    cancelled_s: float | None = None
    """When the harness had written that it is to be cancelled; null if it did not."""
    interval_s: float | None = None
    """The interval in effect: the one passed, else the default; the first, if they grow; null if the call
    isn't a wait."""
    schedule: ScheduleEntry | None = None
    """How the intervals grow, null if they don't."""
    timeout_s: float | None = None
    """The timeout in effect, likewise; null also for none."""
    max_polls: Number | None = None
    """After how many polls the helper gives up; null for no limit."""
    request: dict[str, Json] = field(default_factory=dict)
    answer: dict[str, Json] | None = None


@dataclass(frozen=True)
class HeadEntry(Part):
    """The head of a poll's request; the values of credentials are masked."""

    method: str
    target: str
    headers: dict[str, str] = field(default_factory=dict)
    """In addition to those of the adapter."""


@dataclass(frozen=True)
class PollEntry(Part):
    """One request for a task's status."""

    copy: Number
    n: Number
    arrived_s: float
    answered_s: float | None = None
    status: str = ""
    step: Index | None = None
    """Which step of the task answered, from 0."""
    head: Index | None = None
    """Which of the scenario's heads its request had, from 0; null where there are too many different ones."""
    connection: Number = 1
    repeat: bool = False
    ended: Ended = Ended.ANSWERED
    http: int | None = None


@dataclass(frozen=True)
class AnswerEntry(Part):
    """What one step of the task answers."""

    step: Index
    status: str = ""
    delay_s: Duration = 0.0
    drop: Drop | None = None
    http: int | None = None
    """null where the connection is dropped before an answer."""
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Json] | str | None = None
    """A JSON object, else the text; long ones are shortened."""


@dataclass(frozen=True)
class RequestEntry(Part):
    """Another request of the scenario's client."""

    copy: Number
    method: str
    target: str
    arrived_s: float
    connection: Number = 1
    http: int | None = None


@dataclass(frozen=True)
class PlayEntry(Part):
    """One time that a scenario was played."""

    id: str
    summary: str = ""
    alone: bool = False
    """It was re-run in isolation: nothing else ran at the same time."""
    scale: Number = 1
    """The factor by which the scenario's durations were multiplied for this SDK."""
    calls: tuple[CallEntry, ...] = ()
    heads: tuple[HeadEntry, ...] = ()
    """Each distinct head of a poll's request, once; polls refer to them."""
    polls: tuple[PollEntry, ...] = ()
    polls_left_out: Index = 0
    """How many polls, from the middle, were too many to be listed."""
    answers: tuple[AnswerEntry, ...] = ()
    """What each step of the task answers, rendered for the first copy's task and the start of the run."""
    requests: tuple[RequestEntry, ...] = ()
    requests_left_out: Index = 0
    """How many more requests there were."""
    lag_s: Duration = 0.0
    """The worst scheduling delay of the server's process."""
    watched_s: Duration = 0.0
    """Until when the journal was watched."""

    @property
    def waited_s(self) -> float:
        """Seconds that the run waited for its calls; one without an answer was waited for to the end."""
        ends = (self.watched_s if call.received_s is None else call.received_s for call in self.calls)
        return max(ends, default=0.0)
