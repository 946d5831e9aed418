"""The members of report.json: the one model that is written, read, validated and merged.

`from_run` makes a `Report` of a run, `file` reads and writes it, and `merge` makes one set of adapters of
several reports, of which every other module of this room is a view. Reading is lenient: members that this
version doesn't know are ignored, and those that an older file lacks have defaults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, AliasChoices, ConfigDict, Field

from waitproof.errors import Mistake
from waitproof.judge import Ended, Status, Verdict
from waitproof.run import ExitCode, Problem
from waitproof.suite import Drop, Json, Level, Requirement
from waitproof.text import on_one_line, shorten

SCHEMA: Final = 2
ATTENTION = (Status.ERROR, Status.FAIL, Status.INCONCLUSIVE, Status.WARN)
MAX_SDK = 80  # characters: it appears in headings and columns


def _describe(schema: dict[str, Any], entry: type) -> None:
    schema["description"] = (entry.__doc__ or "").partition("\n")[0]


def _exit_code_of_a_run(code: ExitCode) -> ExitCode:
    if code is ExitCode.WRONG_USE:
        raise ValueError("wrong use leaves no report")
    return code


Name = Annotated[str, Field(pattern=r"\S")]  # a baseline made from the report must be able to name it
Time = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\+00:00$")]
Duration = Annotated[float, Field(ge=0)]
Number = Annotated[int, Field(ge=1)]
Index = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
RunExitCode = Annotated[
    ExitCode,
    AfterValidator(_exit_code_of_a_run),
    Field(json_schema_extra={"enum": [int(code) for code in ExitCode if code is not ExitCode.WRONG_USE]}),
]


def topic_of(scenario_id: str) -> str:
    """Return the first folder of a scenario's id, "" where there is none."""
    return scenario_id.rpartition("/")[0].partition("/")[0]


@dataclass(frozen=True)
class Part:
    """What all parts of a report have in common: the texts below their members are the schema's."""

    __pydantic_config__ = ConfigDict(
        use_attribute_docstrings=True, allow_inf_nan=False, json_schema_extra=_describe
    )


@dataclass(frozen=True)
class SdkEntry(Part):
    """What an adapter said about its SDK."""

    name: str
    version: str
    language: str
    runtime: str


@dataclass(frozen=True)
class CapabilitiesEntry(Part):
    """What the SDK and its adapter can do; see the adapter protocol."""

    wait: bool
    get_task: bool
    operations: tuple[str, ...]
    max_concurrency: Index
    non_blocking: bool
    poll_interval_resolution: Positive
    timeout_resolution: Positive
    options: tuple[str, ...]


@dataclass(frozen=True)
class RequirementEntry(Part):
    """One promise of the documentation."""

    id: str
    level: Level
    sentence: str
    quoted: bool | None = None
    """The sentence is the documentation's own, not a reason; null where an older file doesn't say."""

    @classmethod
    def of(cls, requirement: Requirement) -> Self:
        """Return a requirement of a contract as an entry."""
        return cls(requirement.id, requirement.level, requirement.sentence, bool(requirement.quote))


@dataclass(frozen=True)
class ScenarioEntry(Part):
    """One scenario, as its file describes it."""

    id: str
    topic: str
    """The first folder below the contract, empty where there is none."""
    file: str = ""
    """Relative to where the run was started if it is below, else to the folder that holds the suite."""
    summary: str = ""
    proves: dict[str, Number] = field(default_factory=dict)
    """The requirements that it proves, each with its line in the file, from 1."""


@dataclass(frozen=True)
class VerdictEntry(Verdict, Part):
    """One requirement, judged in one scenario."""

    scenario: Name
    requirement: Name
    timeline: str = ""
    """The polls in question as one line."""
    alone_runs: Index = 0
    """How often the scenario was re-run in isolation to settle it."""
    excused: str = ""
    """The reason that a baseline gives, empty where there is none."""
    link: str = ""
    """Where the baseline gives more details, empty where it doesn't."""

    @property
    def needs_attention(self) -> bool:
        """Whether it is neither good nor merely on record, and no baseline excuses it."""
        return self.status in ATTENTION and not self.excused

    @property
    def is_known_deviation(self) -> bool:
        """Whether a baseline excuses it for its own sake, and not because the SDK ships no helper."""
        return bool(self.excused) and self.status is not Status.UNSUPPORTED

    @property
    def behaviour(self) -> str:
        """The behaviour on record: the numbers after the colon differ from run to run."""
        return self.seen.partition(":")[0]

    @property
    def href(self) -> str:
        """The link if it leads to a page and can't run anything, else ""."""
        return self.link if self.link.casefold().startswith(("https://", "http://")) else ""


@dataclass(frozen=True)
class CallEntry(Part):
    """One call of the SDK; long strings in its lines are shortened."""

    copy: Number
    sent_s: float
    received_s: float | None = None
    elapsed_s: float | None = None
    """The adapter's own measurement."""
    interval_s: float | None = None
    """The interval in effect: the one passed, else the default; null if the call isn't a wait."""
    timeout_s: float | None = None
    """The timeout in effect, likewise."""
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
    """Which of the scenario's heads its request had, from 0."""
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
    answers: tuple[AnswerEntry, ...] = ()
    """What each step of the task answers, rendered for the first copy's task and the start of the run."""
    requests: tuple[RequestEntry, ...] = ()
    lag_s: Duration = 0.0
    """The worst scheduling delay of the server's process."""
    watched_s: Duration = 0.0
    """Until when the journal was watched."""

    @property
    def waited_s(self) -> float:
        """Seconds that the run waited for its calls; one without an answer was waited for to the end."""
        ends = (self.watched_s if call.received_s is None else call.received_s for call in self.calls)
        return max(ends, default=0.0)


@dataclass(frozen=True)
class StaleEntry(Part):
    """An entry of a baseline that now passes, matches nothing or has expired; it fails the run."""

    deviation: str
    problem: Problem
    fact: str
    fix: Annotated[str, Field(validation_alias=AliasChoices("fix", "mend"))] = ""
    place: str = ""
    """file:line:column"""
    found: str = ""
    """The entry, as the file has it."""

    def __str__(self) -> str:
        """Return it as it is printed: place and fact, then what was found and how to fix it."""
        return str(Mistake(self.place, self.fact, self.found, fix=self.fix))

    @property
    def position(self) -> tuple[str, int]:
        """The baseline's file, "" where unknown, and the line on which the entry begins, 1 where unknown."""
        match = re.fullmatch(r"(.*):(\d{1,9}):\d+", self.place, re.DOTALL)
        return (match[1], int(match[2])) if match else (self.place, 1)


@dataclass(frozen=True)
class BaselineEntry(Part):
    """A file of known deviations, and its stale entries."""

    file: str
    stale: tuple[StaleEntry, ...] = ()


@dataclass(frozen=True)
class LikelyDefectEntry(Part):
    """A defect that would lead to these failures."""

    defect: Name
    """Its name in `waitproof prove`."""
    sentence: str
    look_at: str = ""
    """Where to look in the SDK's code."""


@dataclass(frozen=True)
class CauseEntry(Part):
    """What explains some of an adapter's failures."""

    defects: Annotated[tuple[LikelyDefectEntry, ...], Field(min_length=1)]
    """Those that the suite cannot tell apart, the likeliest first."""
    explains: tuple[str, ...] = ()
    """The failures, each as scenario:requirement."""
    shown_by: str = ""
    """The one that shows it best."""


@dataclass(frozen=True)
class AdapterEntry(Part):
    """One SDK, as its adapter ran it."""

    name: str
    argument: str = ""
    """What the user typed to name the adapter, empty where nobody did."""
    sdk: SdkEntry | None = None
    """null where the adapter never introduced itself."""
    helper: str = ""
    result_path: str = ""
    capabilities: CapabilitiesEntry | Annotated[dict[str, Json], Field(max_length=0)] = field(
        default_factory=dict
    )
    error: str = ""
    """Why the adapter could not be run at all, empty if it could."""
    headers: dict[str, str] = field(default_factory=dict)
    """Headers that every poll carried with the same value; the heads of its scenarios leave them out."""
    baseline: BaselineEntry | None = None
    """null where the adapter has no known deviations."""
    verdicts: tuple[VerdictEntry, ...] = field(kw_only=True)
    scenarios: tuple[PlayEntry, ...] = ()
    """Every time a scenario was played: once, and re-runs in isolation where it looked suspicious."""
    stderr_tail: tuple[str, ...] = ()
    causes: tuple[CauseEntry, ...] | None = None
    """What explains its failures, that which explains most first; null where nobody looked for it."""

    @property
    def named_sdk(self) -> str:
        """The SDK and its version on one short line, "" where the adapter never introduced itself."""
        text = "" if self.sdk is None else f"{self.sdk.name} {self.sdk.version}"
        return shorten(on_one_line(text), MAX_SDK)


@dataclass(frozen=True)
class DefaultsEntry(Part):
    """What is in effect where a call passes no option."""

    poll_interval_s: Positive
    timeout_s: Positive


@dataclass(frozen=True)
class StrayEntry(Part):
    """A request that belonged to no scenario, or nobody knows to which."""

    method: str
    target: str
    arrived_s: float  # since the run started
    nearest: str = ""  # the route most like it
    scenarios: tuple[str, ...] = ()  # `adapter: scenario`, of requests on the same connection


@dataclass(frozen=True, kw_only=True)
class Report(Part):
    """One run. Additions don't raise the number; a reader refuses a number that it doesn't know."""

    schema: Literal[2] = SCHEMA
    waitproof: str
    """The version that wrote the report."""
    suite: str
    """The contract's name."""
    title: str = ""
    """The contract's title."""
    source: str = ""
    """Where the documentation that the contract quotes can be found."""
    suite_argument: str = ""
    """What the user typed to name the suite, empty for the default one."""
    defaults: DefaultsEntry | None = None
    started: Time
    """When the run began, in UTC."""
    seconds: Duration
    interrupted: bool = False
    """The run was ended early: the report holds what was known by then."""
    whole: bool | None = None
    """Every scenario of the suite was to be played: no -k. null where an older file doesn't say."""
    fail_on: Level = Level.MUST
    exit_code: RunExitCode
    requirements: tuple[RequirementEntry, ...]
    scenarios: tuple[ScenarioEntry, ...] = ()
    """The scenarios that were to be played."""
    adapters: tuple[AdapterEntry, ...]
    strays: tuple[StrayEntry, ...] = ()
    """Requests that belonged to no scenario."""

    @property
    def is_complete(self) -> bool:
        """Whether anything that isn't in it isn't in the suite either."""
        return self.whole is True and not self.interrupted
