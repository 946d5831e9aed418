"""report.json as values, for the reports that are made from it: one or several files become one `Merged`.

Reading is lenient where `data` is not: members that this version does not know are ignored, and those that
an older one did not write have defaults. Every string is made fit to be shown on the way in, once and for
all: no control character, bidirectional override or lone surrogate is left in any of them.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from waitproof.errors import InputError, Mistake, nearest
from waitproof.judge import Status, Verdict
from waitproof.report import data
from waitproof.report.text import plain
from waitproof.run import ORDER, ExitCode, Problem, sentence, tally
from waitproof.suite.contract import Level
from waitproof.suite.yaml import Json

__all__ = [
    "ATTENTION",
    "Adapter",
    "AdapterEntry",
    "Merged",
    "Report",
    "ScenarioFile",
    "StaleEntry",
    "VerdictEntry",
    "load",
    "merge",
    "parse",
]

ATTENTION = (Status.ERROR, Status.FAIL, Status.INCONCLUSIVE, Status.WARN)
MAX_SDK = 80  # characters: it stands in headings and columns
MAX_TOLD = 5  # mistakes of one file that is no report: the first say enough
_EXIT_ORDER = (ExitCode.INTERRUPTED, ExitCode.NOT_KEPT, ExitCode.UNKNOWN, ExitCode.KEPT)

_NO_CLASS = {"model_type": "input should be an object", "tuple_type": "input should be a list"}
_Name = Annotated[str, Field(pattern=r"\S")]  # a baseline that is made of it must be able to name it


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Sdk(_Entry):
    """What an adapter said of its SDK."""

    name: str
    version: str
    language: str
    runtime: str


class RequirementEntry(_Entry):
    """One promise; `quoted` is None where the file does not say whose sentence it is."""

    id: str
    level: Level
    sentence: str
    quoted: bool | None = None


class ScenarioFile(_Entry):
    """One scenario, as its file says; `file` is "" where the report does not know it."""

    id: str
    topic: str
    file: str = ""
    summary: str = ""
    proves: dict[str, int] = {}


class VerdictEntry(_Entry):
    """One requirement, judged in one scenario."""

    scenario: _Name
    requirement: _Name
    level: Level
    status: Status
    expected: str = ""
    seen: str = ""
    explanation: str = ""
    timeline: str = ""
    excused: str = ""
    link: str = ""
    alone_runs: int = 0

    @property
    def needs_attention(self) -> bool:
        """Whether it is no PASS, no mere record, and nothing that a baseline excuses."""
        return self.status in ATTENTION and not self.excused

    @property
    def is_known_deviation(self) -> bool:
        """Whether a baseline excuses it for itself, and not for a helper that the SDK does not ship."""
        return bool(self.excused) and self.status is not Status.UNSUPPORTED

    @property
    def href(self) -> str:
        """The link, where it is one that leads to a page and runs nothing; else ""."""
        return self.link if self.link.casefold().startswith(("https://", "http://")) else ""


class CallEntry(_Entry):
    """One call on the SDK."""

    of_copy: int = Field(alias="copy")
    sent_s: float
    received_s: float | None = None
    elapsed_s: float | None = None
    interval_s: float | None = None
    timeout_s: float | None = None
    request: dict[str, Json] = {}
    answer: dict[str, Json] | None = None


class HeadEntry(_Entry):
    """What a poll's request was; it had the adapter's headers too."""

    method: str
    target: str
    headers: dict[str, str] = {}


class PollEntry(_Entry):
    """One poll; `step` and `head` are None where the file does not know them."""

    of_copy: int = Field(alias="copy")
    n: int
    arrived_s: float
    answered_s: float | None = None
    status: str = ""
    step: int | None = None
    head: int | None = None
    connection: int = 1
    repeat: bool = False
    ended: str = "answered"
    http: int | None = None


class AnswerEntry(_Entry):
    """What one step of the task answers."""

    step: int
    status: str = ""
    delay_s: float = 0.0
    drop: str | None = None
    http: int | None = None
    headers: dict[str, str] = {}
    body: Json = None


class RequestEntry(_Entry):
    """Another request of the scenario's client."""

    of_copy: int = Field(alias="copy")
    method: str
    target: str
    arrived_s: float
    connection: int = 1
    http: int | None = None


class PlayEntry(_Entry):
    """One time that a scenario was played."""

    id: str
    summary: str = ""
    alone: bool = False
    scale: int = 1
    calls: tuple[CallEntry, ...] = ()
    heads: tuple[HeadEntry, ...] = ()
    polls: tuple[PollEntry, ...] = ()
    answers: tuple[AnswerEntry, ...] = ()
    requests: tuple[RequestEntry, ...] = ()
    lag_s: float = 0.0
    watched_s: float = 0.0

    @property
    def took_s(self) -> float:
        """Seconds until the last call had its answer, else until the last request came."""
        ends = [call.received_s for call in self.calls if call.received_s is not None]
        ends += [poll.arrived_s for poll in self.polls]
        return max(ends, default=0.0)


class StaleEntry(_Entry):
    """An entry of a baseline that holds no more; it fails the run."""

    deviation: str
    problem: Problem
    fact: str
    fix: str = ""
    place: str = ""

    @property
    def file(self) -> str:
        """The baseline's file, "" where the report does not know it."""
        return self._where[0]

    @property
    def line(self) -> int:
        """The line on which the entry begins, 1 where the report does not know it."""
        return int(self._where[1] or 1)

    @property
    def _where(self) -> tuple[str, str]:
        found = re.fullmatch(r"(.*):(\d{1,9}):\d+", self.place, re.DOTALL)
        return (found[1], found[2]) if found else (self.place, "")


class BaselineEntry(_Entry):
    """An adapter's file of known deviations."""

    file: str
    stale: tuple[StaleEntry, ...] = ()


class AdapterEntry(_Entry):
    """One SDK, as its adapter ran it."""

    name: str
    argument: str = ""
    sdk: Sdk | None = None
    helper: str = ""
    result_path: str = ""
    capabilities: dict[str, Json] = {}
    error: str = ""
    headers: dict[str, str] = {}
    baseline: BaselineEntry | None = None
    verdicts: tuple[VerdictEntry, ...]
    scenarios: tuple[PlayEntry, ...] = ()
    stderr_tail: tuple[str, ...] = ()

    @property
    def named_sdk(self) -> str:
        """The SDK and its version on one short line, "" where the adapter said nothing."""
        text = "" if self.sdk is None else " ".join(f"{self.sdk.name} {self.sdk.version}".split())
        return text if len(text) <= MAX_SDK else f"{text[: MAX_SDK - 1]}…"

    @property
    def judged(self) -> tuple[Verdict, ...]:
        """The verdicts as those who judge and count have them."""
        return tuple(Verdict(**verdict.model_dump()) for verdict in self.verdicts)


def _of_a_run(code: ExitCode) -> ExitCode:
    if code is ExitCode.WRONG_USE:
        raise ValueError("wrong use leaves no report")
    return code


class DefaultsEntry(_Entry):
    """What holds where a call passes no option."""

    poll_interval_s: float
    timeout_s: float


class StrayEntry(_Entry):
    """A request that belonged to no scenario."""

    method: str
    target: str
    arrived_s: float
    nearest: str = ""


class Report(_Entry):
    """One file; `whole` is None where it does not say whether every scenario was to be played."""

    number: int = Field(alias="schema")
    waitproof: str
    suite: str
    title: str = ""
    source: str = ""
    suite_argument: str = ""
    defaults: DefaultsEntry | None = None
    started: str
    seconds: float
    interrupted: bool = False
    whole: bool | None = None
    fail_on: Level = Level.MUST
    exit_code: Annotated[ExitCode, AfterValidator(_of_a_run)]
    requirements: tuple[RequirementEntry, ...]
    scenarios: tuple[ScenarioFile, ...] = ()
    adapters: tuple[AdapterEntry, ...]
    strays: tuple[StrayEntry, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Whether what is not in it is not in the suite."""
        return self.whole is True and not self.interrupted


@dataclass(frozen=True)
class Adapter:
    """One adapter of a merged report.

    Attributes:
        name: No other adapter has it.
        report: The run that it took part in.
        entry: What became of it.
    """

    name: str
    report: Report
    entry: AdapterEntry

    @property
    def sdk(self) -> str:
        """The SDK and its version, "" where the adapter said nothing."""
        return self.entry.named_sdk

    @property
    def again(self) -> str:
        """The command that runs the whole suite against it again; `-k scenario:requirement` may follow."""
        argv = ["waitproof", "run", "--adapter", self.entry.argument or self.entry.name]
        argv += ["--suite", self.report.suite_argument] if self.report.suite_argument else []
        return shlex.join(argv)

    def repeat(self, verdict: VerdictEntry) -> str:
        """Return the command that repeats one verdict."""
        return f"{self.again} -k {shlex.quote(f'{verdict.scenario}:{verdict.requirement}')}"

    @property
    def stale(self) -> tuple[StaleEntry, ...]:
        """The entries of its baseline that hold no more."""
        return () if self.entry.baseline is None else self.entry.baseline.stale

    def of(self, requirement: str) -> list[VerdictEntry]:
        """Return the verdicts of one requirement."""
        return [verdict for verdict in self.entry.verdicts if verdict.requirement == requirement]

    def attention(self) -> list[VerdictEntry]:
        """Return the verdicts that need a person's attention, the worst first."""
        told = [verdict for verdict in self.entry.verdicts if verdict.needs_attention]
        return sorted(told, key=lambda verdict: ORDER.index(verdict.status))

    def excused(self) -> list[VerdictEntry]:
        """Return the deviations that a baseline excuses."""
        return [verdict for verdict in self.entry.verdicts if verdict.is_known_deviation]

    def counts(self) -> list[tuple[Status, int, int]]:
        """Return each status that occurs, how often, and how many of these are excused; PASS comes first."""
        return tally(self.entry.judged)

    def sentence(self) -> str:
        """Return the counts as one line, as the terminal has them."""
        return sentence(self.entry.judged)


@dataclass(frozen=True)
class Merged:
    """One or several reports of one suite, as one set of adapters.

    Attributes:
        requirements: In the order of the newest report; then those that others, or verdicts alone, name.
        scenarios: By id; what an older file does not say of one is "".
        notes: What the reader must know about the merging.
    """

    reports: tuple[Report, ...]
    requirements: tuple[RequirementEntry, ...]
    scenarios: Mapping[str, ScenarioFile]
    adapters: tuple[Adapter, ...]
    notes: tuple[str, ...] = ()

    @property
    def suite(self) -> str:
        """The suite's name."""
        return self.reports[0].suite

    @property
    def newest(self) -> Report:
        """The report of the run that started last."""
        return max(self.reports, key=lambda report: report.started)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that matters most."""
        return min((report.exit_code for report in self.reports), key=_EXIT_ORDER.index)

    @property
    def topics(self) -> list[str]:
        """The topics of the scenarios."""
        return sorted({scenario.topic for scenario in self.scenarios.values()})

    def requirement(self, requirement_id: str) -> RequirementEntry:
        """Return the requirement of that id, which some verdict has."""
        return next(each for each in self.requirements if each.id == requirement_id)

    def only(self, names: Sequence[str]) -> Merged:
        """Return the same with these adapters alone, all where no name is given.

        Raises:
            InputError: There is no adapter of such a name.
        """
        known = [adapter.name for adapter in self.adapters]
        mistakes = [
            Mistake(
                "--adapter",
                f"no adapter is called '{name}'",
                expected=", ".join(known),
                fix=nearest(name, known),
            )
            for name in names
            if name not in known
        ]
        if mistakes:
            raise InputError(mistakes)
        kept = tuple(adapter for adapter in self.adapters if not names or adapter.name in names)
        return Merged(self.reports, self.requirements, self.scenarios, kept, self.notes)


def load(path: Path) -> Report:
    """Return the report in a file.

    Raises:
        InputError: It cannot be read, or is no report.
    """
    return parse(data.read(path), str(path))


def parse(document: Mapping[str, Json], place: str) -> Report:
    """Return a document of `report.json` as values that are fit to be shown.

    Args:
        document: As `data.read` returns it.
        place: Its file, for messages.

    Raises:
        InputError: It is no report.
    """
    try:
        return Report.model_validate(_shown(document))
    except ValidationError as error:
        mistakes = [
            Mistake(place, f"{'.'.join(map(str, each['loc']))}: {_told(each)}")
            for each in error.errors(include_url=False, include_input=False)
        ]
        raise InputError(mistakes[:MAX_TOLD]) from None
    except RecursionError:
        raise InputError(Mistake(place, "the report is nested too deep to be read")) from None


def _told(error: ErrorDetails) -> str:
    """Return what is wrong in words that name nothing of ours."""
    return _NO_CLASS.get(error["type"], error["msg"].lower())


def _shown(value: Json) -> Any:
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, Mapping):
        return {plain(str(key)): _shown(child) for key, child in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(child) for child in value]
    return value


def merge(reports: Sequence[Report], places: Sequence[str]) -> Merged:
    """Return several reports as one set of adapters.

    An adapter's name that stands in several of them is made distinct by its SDK's version, else by the
    file, else by a number, and a note says so.

    Args:
        reports: One at least.
        places: The file of each.

    Raises:
        InputError: They are of different suites.
    """
    first = reports[0]
    for report, place in zip(reports, places, strict=True):
        if report.suite != first.suite:
            fact = f"this is a report of the suite '{report.suite}'"
            expected = f"'{first.suite}', as in {places[0]}"
            raise InputError(Mistake(place, fact, expected=expected, fix="make a page of each suite"))
    newest_first = sorted(reports, key=lambda report: report.started, reverse=True)
    requirements: dict[str, RequirementEntry] = {}
    scenarios: dict[str, ScenarioFile] = {}
    for report in newest_first:
        for requirement in report.requirements:
            requirements.setdefault(requirement.id, requirement)
        for scenario in report.scenarios:
            scenarios.setdefault(scenario.id, scenario)
    for report in newest_first:
        for known in _undescribed(report):
            scenarios.setdefault(known.id, known)
        for verdict in (verdict for adapter in report.adapters for verdict in adapter.verdicts):
            name = verdict.requirement
            requirements.setdefault(name, RequirementEntry(id=name, level=verdict.level, sentence=""))
    entries = [
        (report, place, entry)
        for report, place in zip(reports, places, strict=True)
        for entry in report.adapters
    ]
    adapters, notes = _distinct(entries)
    return Merged(
        tuple(reports),
        tuple(requirements.values()),
        dict(sorted(scenarios.items())),
        tuple(adapters),
        tuple(notes),
    )


def _undescribed(report: Report) -> Iterator[ScenarioFile]:
    """Yield what the verdicts and plays of an older file tell of its scenarios."""
    summaries = {play.id: play.summary for adapter in report.adapters for play in adapter.scenarios}
    ids = {verdict.scenario for adapter in report.adapters for verdict in adapter.verdicts} | set(summaries)
    for name in ids:
        topic = name.rpartition("/")[0].partition("/")[0]
        yield ScenarioFile(id=name, topic=topic, summary=summaries.get(name, ""))


def _distinct(entries: Sequence[tuple[Report, str, AdapterEntry]]) -> tuple[list[Adapter], list[str]]:
    count = Counter(entry.name for _, _, entry in entries)
    adapters: list[Adapter] = []
    notes: dict[str, list[str]] = {}
    taken: set[str] = {name for name, times in count.items() if times == 1}
    for report, place, entry in entries:
        name = entry.name
        if count[entry.name] > 1:
            name = _free(_candidates(entries, place, entry), taken)
            notes.setdefault(entry.name, []).append(f"'{name}' of {place}")
        taken.add(name)
        adapters.append(Adapter(name, report, entry))
    told = [
        f"several adapters are called '{name}': they are shown as {', '.join(of)}"
        for name, of in notes.items()
    ]
    return adapters, told


def _candidates(
    entries: Sequence[tuple[Report, str, AdapterEntry]], place: str, entry: AdapterEntry
) -> Iterator[str]:
    versions = [each.sdk.version if each.sdk else "" for _, _, each in entries if each.name == entry.name]
    if entry.sdk is not None and len(set(versions)) == len(versions):
        yield f"{entry.name} ({entry.sdk.version})"
    name = place.rpartition("/")[2]
    places = {known for _, known, each in entries if each.name == entry.name}
    file = name if sum(known.rpartition("/")[2] == name for known in places) == 1 else place
    yield f"{entry.name} ({file})"
    number = 2
    while True:
        yield f"{entry.name} ({file}, {number})"
        number += 1


def _free(candidates: Iterable[str], taken: set[str]) -> str:
    return next(name for name in candidates if name not in taken)
