"""The members of report.json: the one model that is written, read, validated and merged.

`from_run` makes a `Report` of a run, `file` reads and writes it, and `merge` makes one set of adapters of
several reports, of which every other module of this room is a view. Reading is lenient: members that this
version doesn't know are ignored, and those that an older file lacks have defaults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, AliasChoices, Field

from waitproof.errors import Mistake
from waitproof.judge import Status, Verdict
from waitproof.report.part import Duration, Index, Name, Number, Part, Positive, Time
from waitproof.report.plays import PlayEntry, ScheduleEntry
from waitproof.run import ExitCode, Problem
from waitproof.suite import Json, Level, Requirement
from waitproof.text import on_one_line, shorten

SCHEMA: Final = 2
ATTENTION = (Status.ERROR, Status.FAIL, Status.INCONCLUSIVE, Status.WARN)
MAX_SDK = 80  # characters: it appears in headings and columns


def _exit_code_of_a_run(code: ExitCode) -> ExitCode:
    if code is ExitCode.WRONG_USE:
        raise ValueError("wrong use leaves no report")
    return code


RunExitCode = Annotated[
    ExitCode,
    AfterValidator(_exit_code_of_a_run),
    Field(json_schema_extra={"enum": [int(code) for code in ExitCode if code is not ExitCode.WRONG_USE]}),
]


def topic_of(scenario_id: str) -> str:
    """Return the first folder of a scenario's id, "" where there is none."""
    return scenario_id.rpartition("/")[0].partition("/")[0]


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
    cancel: bool = False


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
    follows_from: str = ""
    """The requirement of the same scenario whose failure causes this one, empty where it is separate."""
    polls: Index = 0
    """How many polls the timeline shows, those included that it leaves out."""
    took_s: Duration | None = None
    """How long the wait in question took, or was waited for in vain; null where nobody knows."""

    @property
    def needs_attention(self) -> bool:
        """Whether it is neither good nor merely on record, and no baseline excuses it."""
        return self.status in ATTENTION and not self.excused

    @property
    def is_known_deviation(self) -> bool:
        """Whether a baseline excuses it for its own sake, and not because the SDK ships no helper."""
        return bool(self.excused) and self.status is not Status.UNSUPPORTED

    @property
    def behavior(self) -> str:
        """The behavior on record: the numbers after the colon differ from run to run."""
        return self.seen.partition(":")[0]

    @property
    def href(self) -> str:
        """The link if it leads to a page and can't run anything, else ""."""
        return self.link if self.link.casefold().startswith(("https://", "http://")) else ""


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
class DeathEntry(Part):
    """A process of the adapter that ended by itself, or by a signal that was not the harness's."""

    how: str
    """"exited with code 3" or "was killed by SIGSEGV"."""
    in_flight: bool = False
    """Calls of its scenarios were in flight."""
    scenarios: tuple[str, ...] = ()
    """Those with a call in flight, else the last one that it played; empty where there was none."""
    stderr_tail: tuple[str, ...] = ()


@dataclass(frozen=True)
class StderrEntry(Part):
    """How much all the adapter's processes wrote to stderr; blank lines are not counted."""

    lines: Index = 0
    first: str = ""
    """The first line."""
    first_warning: str = ""
    """The first line that looks like a warning, empty where none does."""


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
    """The last lines that one of its processes wrote to stderr."""
    stderr: StderrEntry | None = None
    """null where an older file doesn't say."""
    deaths: tuple[DeathEntry, ...] = ()
    """The processes that died; each rules out exit code 0."""
    causes: tuple[CauseEntry, ...] | None = None
    """What explains its failures, that which explains most first; null where nobody looked for it."""

    @property
    def named_sdk(self) -> str:
        """The SDK and its version on one short line, "" where the adapter never introduced itself."""
        text = "" if self.sdk is None else f"{self.sdk.name} {self.sdk.version}"
        return shorten(on_one_line(text), MAX_SDK)


@dataclass(frozen=True)
class DefaultsEntry(Part):
    """What is in effect where a call passes no option; null for a limit that there is not."""

    poll_interval_s: Positive
    """The first interval, if they grow."""
    timeout_s: Positive | None = None
    max_polls: Number | None = None
    """After how many polls a helper gives up."""
    schedule: ScheduleEntry | None = None


@dataclass(frozen=True)
class StrayEntry(Part):
    """A request that came outside of a scenario."""

    method: str
    target: str
    arrived_s: float  # since the run started
    nearest: str = ""  # the route most like it
    late_for: str = ""  # `adapter: scenario` whose task it asks for, after that scenario's end
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
    """What the user typed to name the suite, empty for the adapter's or the default one."""
    scenarios_arguments: tuple[str, ...] = ()
    """What the user typed to name further scenarios."""
    defaults: DefaultsEntry | None = None
    started: Time
    """When the run began, in UTC."""
    seconds: Duration
    interrupted: bool = False
    """The run was ended early: the report holds what was known by then."""
    error: str = ""
    """Why waitproof itself failed during the run, empty where it did not."""
    whole: bool | None = None
    """Every scenario of the suite was to be played: no -k. null where an older file doesn't say."""
    fail_on: Level = Level.MUST
    exit_code: RunExitCode
    requirements: tuple[RequirementEntry, ...]
    scenarios: tuple[ScenarioEntry, ...] = ()
    """The scenarios that were to be played."""
    adapters: tuple[AdapterEntry, ...]
    strays: tuple[StrayEntry, ...] = ()
    """Requests that came outside of a scenario."""
    strays_left_out: Index = 0
    """How many more of them there were."""

    @property
    def is_complete(self) -> bool:
        """Whether anything that isn't in it isn't in the suite either."""
        return self.whole is True and not self.interrupted
