"""What the control API understands and answers: one model per JSON object.

`openapi` makes the description of the API from them. They are imported at the first request of the control
API: building them would delay the first poll's answer by some 30 ms.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, StrictInt, field_validator
from pydantic_core import PydanticCustomError

from waitproof import errors
from waitproof.judge import Ended, JournalEntry, Progress
from waitproof.serve.steer import STALL_S
from waitproof.serve.task import Limits, TaskView
from waitproof.suite import NO_TIMEOUT_S, Entry, Level, StatusMeaning

MAX_POLLS_LISTED = 60  # of each task in a list: the page draws no more
MASK = "…"
_SECRET_HEADERS = {"authorization", "cookie", "proxy-authorization", "x-api-key"}
_POSITION = re.compile(r":([0-9]{1,9}):([0-9]{1,9})$")

Text = InstanceOf[str]  # any: JSON can hold half a surrogate pair, and its place in a text is worth reporting
Seconds = Annotated[float, Field(strict=True, ge=0.001, le=86_400, allow_inf_nan=False)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


# --- requests -----------------------------------------------------------------------------------------


class _Optional(_Model):
    """Members that may be absent; `None` is how we write that, and null is not a way to send it."""

    @field_validator("*", mode="before")
    @classmethod
    def _not_null(cls, value: Any) -> Any:
        if value is None:
            raise PydanticCustomError("null", "Input should not be null")
        return value


class EmptyRequest(_Model):
    """Nothing."""


class CompleteRequest(_Model):
    """What the task returns."""

    result: Annotated[Any, Field(description="Any JSON; default: the scenario's.")] = None


class FailRequest(_Model):
    """What the task fails with."""

    error: Annotated[Any, Field(description="Any JSON; default: the scenario's, or the contract's.")] = None


class StallRequest(_Model):
    """How long each poll waits for its answer."""

    seconds: Seconds = STALL_S


class CheckRequest(_Model):
    """A text to check."""

    yaml: Annotated[Text, Field(description="A whole scenario, or only its `task`.")]


class Wait(_Optional):
    """What a client passes to its wait helper, by which its wait is judged."""

    poll_interval_s: Seconds | None = None
    timeout_s: Seconds | None = None
    max_polls: Annotated[int, Field(strict=True, ge=1)] | None = None


class NewTask(_Optional):
    """A task to make: from a scenario, or from YAML."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": ["scenario"]}, {"required": ["yaml"]}]}
    )

    scenario: Annotated[Text, Field(description="A scenario's id, or the last part of it.")] | None = None
    yaml: Annotated[Text, Field(description="A whole scenario, or only its `task`.")] | None = None
    task_id: Annotated[
        Annotated[Text, Field(json_schema_extra={"minLength": 1})] | StrictInt | None,
        Field(description="Its id; default: a new one."),
    ] = None
    wait: Annotated[Wait | None, Field(description="Default: what the scenario's own wait passes.")] = None


# --- answers ------------------------------------------------------------------------------------------


class Mistake(_Model):
    """One mistake of a text or a request."""

    place: str
    line: int | None
    column: int | None
    fact: str
    found: str
    expected: str
    fix: str

    @classmethod
    def of(cls, mistake: errors.Mistake) -> Self:
        """Return a mistake as the API answers it."""
        position = _POSITION.search(mistake.place)
        return cls(
            **vars(mistake),
            line=int(position[1]) if position else None,
            column=int(position[2]) if position else None,
        )


class Mistakes(_Model):
    """Everything that is wrong with a text."""

    mistakes: list[Mistake]


class Refusal(Mistakes):
    """Why a request was refused."""

    message: Annotated[str, Field(description="The first mistake in one line.")]


class Count(_Model):
    """How many tasks were concerned."""

    count: int


class Scenario(_Model):
    """One scenario file."""

    id: str
    name: Annotated[str, Field(description="The last part of its id.")]
    summary: str
    proves: list[str]
    steps: Annotated[list[str], Field(description="Empty if the file has never been right.")]
    mistakes: Annotated[list[Mistake], Field(description="What is wrong with the file as it is now.")]

    @classmethod
    def of(cls, entry: Entry, **more: str) -> Self:
        """Return a scenario as the API answers it."""
        scenario = entry.scenario
        return cls(
            id=entry.id,
            name=entry.name,
            summary="" if scenario is None else scenario.summary,
            proves=[] if scenario is None else list(scenario.proves),
            steps=[] if scenario is None else [step.label for step in scenario.task],
            mistakes=[Mistake.of(each) for each in entry.mistakes],
            **more,
        )


class ScenarioText(Scenario):
    """One scenario file with its text."""

    yaml: str


class Scenarios(_Model):
    """All scenario files."""

    scenarios: list[Scenario]


class WaitDefaults(_Model):
    """An interval and a timeout, in seconds, and a limit of polls; of intervals that grow, the longest."""

    poll_interval_s: float
    timeout_s: float | None = Field(description="Null for none.")
    max_polls: int | None = Field(description="After how many polls a wait is given up; null for no limit.")

    @classmethod
    def of(cls, interval_s: float, timeout_s: float, max_polls: int | None) -> Self:
        """Return what a wait is judged by; `NO_TIMEOUT_S` is no timeout."""
        limit_s = timeout_s if timeout_s < NO_TIMEOUT_S else None
        return cls(poll_interval_s=interval_s, timeout_s=limit_s, max_polls=max_polls)


class Payloads(_Model):
    """What a task of this API may end with, to start from."""

    result: Annotated[Any, Field(description="Of the example's task; null where it has none.")]
    error: Annotated[Any, Field(description="The contract's; null where it has none.")]


class Status(_Model):
    """What is served, and what is kept."""

    waitproof: Annotated[str, Field(description="Its version.")]
    suite: str
    title: str
    base_url: str
    endpoint: str
    tasks: Annotated[int, Field(description="How many there are.")]
    limits: Limits
    defaults: WaitDefaults
    broken: Annotated[list[Scenario], Field(description="Scenario files that cannot be read.")]
    example: Annotated[str, Field(description="The scenario of an operation that names none.")]
    statuses: dict[str, StatusMeaning]
    has_numbers: Annotated[bool, Field(description="Task ids are whole numbers, and name no scenario.")]
    can_fail: Annotated[bool, Field(description="Whether a status says that a task has failed.")]
    payloads: Payloads
    snippets: Annotated[dict[str, str], Field(description="Calls to paste, by language.")]


class Poll(_Model):
    """One poll. Times are in seconds since the first request of the wait."""

    n: Annotated[int, Field(description="Its number, from 1; 0 if the request is not a poll.")]
    arrived_s: float
    answered_s: float | None
    status: str
    http: int | None
    ended: Ended
    repeat: Annotated[bool, Field(description="The client's HTTP library repeated a dropped poll by itself.")]

    @classmethod
    def of(cls, entry: JournalEntry, origin_ns: int) -> Self:
        """Return a request as the API answers it."""
        answered_ns = entry.answered_ns
        times = {
            "arrived_s": _seconds(entry.arrived_ns - origin_ns),
            "answered_s": None if answered_ns is None else _seconds(answered_ns - origin_ns),
        }
        return cls(**times, **{name: getattr(entry, name) for name in cls.model_fields.keys() - times.keys()})


class Exchange(Poll):
    """One request with everything that is known of it, except for secrets."""

    serial: int
    task_id: str | None
    kind: Literal["poll", "begin", "other"]
    method: str
    target: str
    headers: dict[str, str]
    connection: int
    step: Annotated[int, Field(description="Index of the step that answered it.")]

    @field_validator("headers")
    @classmethod
    def _masked(cls, headers: dict[str, str]) -> dict[str, str]:
        return {name: MASK if name in _SECRET_HEADERS else text for name, text in headers.items()}


class Answer(_Model):
    """What a step of a task answers, as it would be sent now."""

    step: int
    http: int | None
    headers: dict[str, str]
    body: str


class Journal(_Model):
    """The requests of a task."""

    count: Annotated[int, Field(description="How many there are.")]
    requests: list[Exchange]
    answers: list[Answer]


class WholeJournal(_Model):
    """The newest requests of all clients."""

    requests: list[Exchange]


class Task(_Model):
    """One task."""

    task_id: str | int
    number: Annotated[int, Field(description="Counts the tasks in the order in which they were made.")]
    scenario: str
    summary: str
    created: datetime
    progress: Annotated[
        Progress,
        Field(
            description="`done`: the task ended and its client knows; `stopped`: its client has stopped "
            "polling although the task has not ended."
        ),
    ]
    step: Annotated[int, Field(description="Index of the step that answered last, or that answers first.")]
    steps: list[str]
    wait: WaitDefaults
    now_s: Annotated[float, Field(description="The time now, in seconds since the wait's first request.")]
    count: Annotated[int, Field(description="How many polls have come.")]
    polls: Annotated[list[Poll], Field(description="The newest 60 in a list, all of a single task.")]
    others: Annotated[int, Field(description="How many other requests its client has sent.")]
    verdicts: Annotated[
        dict[str, int], Field(description="How many verdicts have each status, once the wait is over.")
    ]
    version: Annotated[int, Field(description="Rises with every change.")]

    @classmethod
    def of(cls, view: TaskView, *, max_polls: int | None = None) -> Self:
        """Return a task as the API answers it.

        Args:
            view: The task.
            max_polls: How many of its newest polls, None for all.
        """
        polls = view.polls if max_polls is None else view.polls[-max_polls:]
        return cls(
            task_id=view.task_id,
            number=view.number,
            scenario=view.scenario.id,
            summary=view.scenario.summary,
            created=view.created.replace(microsecond=0),
            progress=view.progress,
            step=view.state.step,
            steps=[step.label for step in view.state.steps],
            wait=WaitDefaults.of(view.interval_s, view.timeout_s, view.max_polls),
            now_s=_seconds(view.now_ns - view.origin_ns),
            count=view.count,
            polls=[Poll.of(entry, view.origin_ns) for entry in polls],
            others=view.other_count,
            verdicts={status.value: count for status, count in view.counts.items()},
            version=view.version,
        )


class Tasks(_Model):
    """The newest tasks."""

    tasks: list[Task]
    count: Annotated[int, Field(description="How many there are.")]


class Changes(_Model):
    """What has changed among the newest tasks: the event `tasks`."""

    tasks: Annotated[list[Task], Field(description="Those that are new or have changed.")]
    gone: Annotated[list[str | int], Field(description="Ids of those that are no longer among the newest.")]
    all: Annotated[bool, Field(description="These are all there are; the first event.")]
    count: Annotated[int, Field(description="How many tasks there are.")]
    progress: Annotated[dict[Progress, int], Field(description="How many have made which progress.")]
    forgotten: Annotated[
        int, Field(description="How many tasks have been dropped to stay within the limits.")
    ]


class Verdict(_Model):
    """What the journal shows about one requirement."""

    model_config = ConfigDict(from_attributes=True)

    requirement: str
    level: Level
    status: Literal["PASS", "FAIL", "WARN", "INCONCLUSIVE"]
    expected: str
    seen: str
    explanation: str


class Verdicts(_Model):
    """What the journal shows about the client that waits on a task."""

    progress: Progress
    verdicts: list[Verdict]


def _seconds(span_ns: int) -> float:
    return round(span_ns / 1e9, 6)
