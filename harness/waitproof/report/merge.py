"""One or several reports of one suite as one set of adapters, and the reason for their exit code. Pure."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeAlias

from waitproof.errors import InputError, Mistake, nearest
from waitproof.judge import Status
from waitproof.report.model import (
    AdapterEntry,
    Report,
    RequirementEntry,
    ScenarioEntry,
    StaleEntry,
    VerdictEntry,
    topic_of,
)
from waitproof.run import ORDER, ExitCode, partly_unsupported, tally, unproved
from waitproof.suite import Level
from waitproof.text import on_one_line, plural

__all__ = ["Adapter", "Merged", "merge_reports", "names_in_a_sentence", "outcome"]

MAX_NAMES = 3  # in a sentence; the rest is counted
_Placed: TypeAlias = tuple[Report, str, AdapterEntry]  # an adapter, its report and the report's file
_EXIT_ORDER = (
    ExitCode.INTERNAL_ERROR,
    ExitCode.INTERRUPTED,
    ExitCode.NOT_KEPT,
    ExitCode.UNKNOWN,
    ExitCode.KEPT,
)


@dataclass(frozen=True)
class Adapter:
    """One adapter of a merged report.

    Attributes:
        name: No other adapter has it.
        report: The run that it took part in.
        entry: What the report holds about it.
    """

    name: str
    report: Report
    entry: AdapterEntry

    @property
    def sdk(self) -> str:
        """The SDK and its version, "" where the adapter never introduced itself."""
        return self.entry.named_sdk

    @property
    def stale(self) -> tuple[StaleEntry, ...]:
        """The stale entries of its baseline."""
        return () if self.entry.baseline is None else self.entry.baseline.stale

    @property
    def command(self) -> str:
        """The command that runs the whole suite against it; `-k scenario:requirement` may follow."""
        argv = ["waitproof", "run", "--adapter", self.entry.argument or self.entry.name]
        argv += ["--suite", self.report.suite_argument] if self.report.suite_argument else []
        for each in self.report.scenarios_arguments:
            argv += ["--scenarios", each]
        return shlex.join(argv)

    def command_for(self, verdict: VerdictEntry) -> str:
        """Return the command that repeats one verdict."""
        return f"{self.command} -k {shlex.quote(f'{verdict.scenario}:{verdict.requirement}')}"

    def attention(self) -> list[VerdictEntry]:
        """Return the verdicts that need a person's attention, the worst first, without `following`."""
        verdicts = [each for each in self.entry.verdicts if each.needs_attention and not each.follows_from]
        return sorted(verdicts, key=lambda verdict: ORDER.index(verdict.status))

    def following(self) -> list[VerdictEntry]:
        """Return the failures that only follow from another one."""
        return [each for each in self.entry.verdicts if each.needs_attention and each.follows_from]

    def excused(self) -> list[VerdictEntry]:
        """Return the deviations that a baseline excuses."""
        return [verdict for verdict in self.entry.verdicts if verdict.is_known_deviation]

    def counts(self) -> list[tuple[Status, int, int]]:
        """Return what `tally` does."""
        return tally(self.entry.verdicts)

    def unverified(self) -> list[str]:
        """Return the MUST requirements that are UNSUPPORTED in every scenario."""
        return unproved(self.entry.verdicts)

    def partly_unsupported(self) -> list[str]:
        """Return the MUST requirements that are UNSUPPORTED in some scenarios only."""
        return partly_unsupported(self.entry.verdicts)


@dataclass(frozen=True)
class Merged:
    """One or several reports of one suite, as one set of adapters.

    Attributes:
        requirements: In the order of the newest report; then those that only others, or verdicts, name.
        scenarios: By id; anything that an older file doesn't say about one is "".
        notes: What the reader must know about the merging.
    """

    reports: tuple[Report, ...]
    requirements: tuple[RequirementEntry, ...]
    scenarios: Mapping[str, ScenarioEntry]
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
    def seconds(self) -> float:
        """How long all the runs took together."""
        return sum(report.seconds for report in self.reports)

    @property
    def exit_code(self) -> ExitCode:
        """The exit code that matters most."""
        return min((report.exit_code for report in self.reports), key=_EXIT_ORDER.index)

    @property
    def is_part(self) -> bool:
        """Whether one of the runs left out some of its suite's scenarios, as with -k."""
        return any(report.whole is False for report in self.reports)

    @property
    def topics(self) -> list[str]:
        """The topics of the scenarios."""
        return sorted({scenario.topic for scenario in self.scenarios.values()})

    def requirement(self, requirement_id: str) -> RequirementEntry:
        """Return the requirement of that id, which some verdict has."""
        return next(each for each in self.requirements if each.id == requirement_id)

    def only(self, names: Sequence[str]) -> Merged:
        """Return the same with only these adapters, or with all if no name is given.

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
        chosen = (adapter for adapter in self.adapters if not names or adapter.name in names)
        return replace(self, adapters=tuple(chosen))


def merge_reports(reports: Sequence[Report], places: Sequence[str]) -> Merged:
    """Return several reports as one set of adapters.

    Where several of them have an adapter of the same name, its SDK's version, else the file, else a number
    is added to the name, and a note says so.

    Args:
        reports: At least one.
        places: The file of each.

    Raises:
        InputError: They are of different suites.
    """
    first = reports[0]
    for report, place in zip(reports, places, strict=True):
        if report.suite != first.suite:
            fact = f"this is a report of the suite '{report.suite}'"
            expected = f"'{first.suite}', as in {places[0]}"
            raise InputError(Mistake(place, fact, expected=expected, fix="report each suite separately"))
    newest_first = sorted(reports, key=lambda report: report.started, reverse=True)
    requirements: dict[str, RequirementEntry] = {}
    scenarios: dict[str, ScenarioEntry] = {}
    for report in newest_first:
        for requirement in report.requirements:
            requirements.setdefault(requirement.id, requirement)
        for scenario in report.scenarios:
            scenarios.setdefault(scenario.id, scenario)
    for report in newest_first:
        for scenario in _undescribed(report):
            scenarios.setdefault(scenario.id, scenario)
        for verdict in (each for adapter in report.adapters for each in adapter.verdicts):
            name = verdict.requirement
            requirements.setdefault(name, RequirementEntry(name, verdict.level, sentence=""))
    placed = [
        (report, place, entry)
        for report, place in zip(reports, places, strict=True)
        for entry in report.adapters
    ]
    described = tuple(requirements.values()), dict(sorted(scenarios.items()))
    return Merged(tuple(reports), *described, *_distinct(placed))


def _undescribed(report: Report) -> Iterator[ScenarioEntry]:
    """Yield what the verdicts and plays of an older file say about its scenarios."""
    summaries = {play.id: play.summary for adapter in report.adapters for play in adapter.scenarios}
    ids = {verdict.scenario for adapter in report.adapters for verdict in adapter.verdicts} | set(summaries)
    for name in ids:
        yield ScenarioEntry(name, topic_of(name), summary=summaries.get(name, ""))


def _distinct(entries: Sequence[_Placed]) -> tuple[tuple[Adapter, ...], tuple[str, ...]]:
    """Return the adapters, each with its own name, and a note for each name that several had."""
    entries = [
        (report, place, replace(entry, name=on_one_line(entry.name))) for report, place, entry in entries
    ]
    namesakes: dict[str, list[_Placed]] = {}
    for each in entries:
        namesakes.setdefault(each[2].name, []).append(each)
    taken = {name for name, found in namesakes.items() if len(found) == 1}
    adapters: list[Adapter] = []
    renamed: dict[str, list[str]] = {}
    for report, place, entry in entries:
        name = entry.name
        if len(namesakes[entry.name]) > 1:
            candidates = _candidates(place, entry, namesakes[entry.name])
            name = next(each for each in candidates if each not in taken)
            renamed.setdefault(entry.name, []).append(f"'{name}' of {place}")
            taken.add(name)
        adapters.append(Adapter(name, report, entry))
    notes = (
        f"several adapters are called '{name}': they are shown as {', '.join(names)}"
        for name, names in renamed.items()
    )
    return tuple(adapters), tuple(notes)


def _candidates(place: str, entry: AdapterEntry, namesakes: Sequence[_Placed]) -> Iterator[str]:
    versions = [each.sdk.version if each.sdk else "" for _, _, each in namesakes]
    if entry.sdk is not None and len(set(versions)) == len(versions):
        yield f"{entry.name} ({entry.sdk.version})"
    file = place.rpartition("/")[2]
    if sum(known.rpartition("/")[2] == file for known in {known for _, known, _ in namesakes}) > 1:
        file = place
    yield f"{entry.name} ({file})"
    yield from (f"{entry.name} ({file}, {number})" for number in count(2))


# --- the reason for the exit code ---------------------------------------------------------------------


def outcome(report: Merged) -> str:
    """Return the reason for the exit code as one sentence, without a full stop.

    Names of adapters and requirements are in it as they are.
    """
    return _reason(report) + ("; only a part of the suite was run" if report.is_part else "")


def _reason(report: Merged) -> str:
    match report.exit_code:
        case ExitCode.KEPT:
            return _passed(report)
        case ExitCode.NOT_KEPT:
            # Older files don't mention stale deviations, and an adapter may have been left out.
            return "; ".join(_failures(report)) or "The run failed, for a reason that is not shown here"
        case ExitCode.UNKNOWN:
            return f"Nothing failed, but {'; '.join(_open(report)) or 'something could not be judged'}"
        case ExitCode.INTERNAL_ERROR:
            reasons = [each.error.partition("\n")[0] for each in report.reports if each.error]
            why = f", {reasons[0]}" if reasons else ""
            return f"waitproof itself failed{why}: this is what was known by then"
        case _:
            return "The run was interrupted: this is what was known by then"


def _passed(report: Merged) -> str:
    is_strict = all(each.fail_on is Level.SHOULD for each in report.reports)
    levels = {Level.MUST, Level.SHOULD} if is_strict else {Level.MUST}
    is_excused = any(verdict.excused and verdict.level in levels for verdict in _verdicts(report.adapters))
    passed = "Every MUST and every SHOULD passed" if is_strict else "Every MUST passed"
    partly = {name for adapter in report.adapters for name in adapter.partly_unsupported()}
    return (
        passed
        + (", or its deviation is known" if is_excused else "")
        + (f"; {len(partly)} {_are(partly)} UNSUPPORTED in some scenarios" if partly else "")
    )


def _failures(report: Merged) -> Iterator[str]:
    strict = [adapter for adapter in report.adapters if adapter.report.fail_on is Level.SHOULD]
    failed = {v.requirement for v in _verdicts(report.adapters) if v.status is Status.FAIL and not v.excused}
    if failed:
        yield f"{plural(len(failed), 'requirement')} failed"
    warned = {v.requirement for v in _verdicts(strict) if v.status is Status.WARN and not v.excused}
    if warned:
        yield f"{len(warned)} SHOULD failed (--fail-on should)"
    stale = [each for adapter in report.adapters for each in adapter.stale]
    if stale:
        yield f"{plural(len(stale), 'known deviation')} {_are(stale)} stale"


def _open(report: Merged) -> Iterator[str]:
    dead = [adapter for adapter in report.adapters if adapter.entry.error]
    alive = [adapter for adapter in report.adapters if not adapter.entry.error]
    if dead:
        yield f"{names_in_a_sentence([adapter.name for adapter in dead])} could not be run"
    died = [adapter.name for adapter in alive if adapter.entry.deaths]
    if died:
        yield f"a process of {names_in_a_sentence(died)} died"
    for status in (Status.ERROR, Status.INCONCLUSIVE):
        found = [verdict for verdict in _verdicts(alive) if verdict.status is status]
        if found:
            yield f"{plural(len(found), 'verdict')} {_are(found)} {status.value}"
    unverified = sorted({name for adapter in alive for name in adapter.unverified()})
    if unverified:
        yield f"{names_in_a_sentence(unverified)} {_are(unverified)} not verified"


def _verdicts(adapters: Iterable[Adapter]) -> Iterator[VerdictEntry]:
    return (verdict for adapter in adapters for verdict in adapter.entry.verdicts)


def _are(things: Collection[object]) -> str:
    return "is" if len(things) == 1 else "are"


def names_in_a_sentence(names: Sequence[str]) -> str:
    """Return names as a list in a sentence, only the first of many."""
    if len(names) > MAX_NAMES:
        return f"{', '.join(names[:MAX_NAMES])} and {len(names) - MAX_NAMES} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
