"""The history of each SDK, made of the reports of its runs: what holds now, since when, what changed. Pure.

Only whole runs make history. A part of the suite, or a run that was ended early, is listed as what it is, and
neither its results nor what it lacks counts as a change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from waitproof.judge import Status
from waitproof.report.diff import AdapterDiff, Kind, compare
from waitproof.report.matrix import Cell, cells_of
from waitproof.report.merge import Adapter, Merged, merge_reports
from waitproof.report.model import Report, RequirementEntry
from waitproof.report.site.reading import SiteRun
from waitproof.run import exit_code
from waitproof.text import on_one_line, plural

__all__ = ["Event", "Run", "Sdk", "Span", "Suite", "suites_of"]


@dataclass(frozen=True)
class Run:
    """One SDK in one report.

    Attributes:
        id: The report's; see `SiteRun`.
        report: With this SDK alone, and with the exit code that it would have had alone.
        cells: Its result for each requirement that was judged.
        event: What changed since the whole run before, None where nothing did.
    """

    id: str
    report: Report
    cells: Mapping[str, Cell]
    event: Event | None = None

    @property
    def adapter(self) -> Adapter:
        """The SDK as other views show it."""
        entry = self.report.adapters[0]
        return Adapter(on_one_line(entry.name), self.report, entry)

    @property
    def day(self) -> str:
        """The day on which it began."""
        return self.report.started[:10]

    @property
    def minute(self) -> str:
        """When it began."""
        return self.report.started[:16].replace("T", " ")

    @property
    def version(self) -> str:
        """The SDK's version, "" where the adapter never introduced itself."""
        sdk = self.report.adapters[0].sdk
        return "" if sdk is None else on_one_line(sdk.version)

    @property
    def incomplete(self) -> str:
        """Why it isn't a whole run, "" if it is."""
        if self.report.interrupted or self.report.error:
            return "ended early"
        return "part of the suite" if self.report.whole is False else ""

    @property
    def failing(self) -> int:
        """How many requirements failed, MUST and SHOULD, without what is excused."""
        return sum(cell.needs_attention for cell in self.cells.values())


@dataclass(frozen=True)
class Event:
    """What changed for an SDK from one whole run to the next.

    Attributes:
        suite: What changed in the suite, in words, "" where nothing did.
        new_requirements: Requirements that were not judged before.
    """

    before: str
    diff: AdapterDiff
    suite: str
    new_requirements: frozenset[str]

    @property
    def has_news(self) -> bool:
        """Whether more than a version changed."""
        return bool(self.diff.changes or self.diff.error or self.diff.deaths)

    @property
    def tally(self) -> str:
        """How much got worse and better, in words; "no verdict changed" where only versions did."""
        worse, fixed = self.diff.regressions, len(self.diff.of(Kind.FIXED))
        other = len(self.diff.changes) - len(self.diff.of(Kind.REGRESSION)) - fixed
        texts = [plural(worse, "new failure")] if worse else []
        texts += [f"{fixed} fixed"] if fixed else []
        texts += [plural(other, "other change")] if other else []
        return ", ".join(texts) or "no verdict changed"


@dataclass(frozen=True)
class Span:
    """Whole runs one after the other in which a requirement's result was the same.

    Attributes:
        cell: The result in the last of them, None where it was not judged.
        first: The place of the first of them among the whole runs, from 0.
        count: How many they are.
    """

    cell: Cell | None
    begins: Run
    first: int
    count: int


@dataclass(frozen=True)
class Sdk:
    """One SDK in one suite, with all its runs, the oldest first."""

    suite: str
    name: str
    runs: tuple[Run, ...]

    @cached_property
    def wholes(self) -> tuple[Run, ...]:
        """The runs of the whole suite."""
        return tuple(run for run in self.runs if not run.incomplete)

    @property
    def newest(self) -> Run:
        """The newest whole run, else the newest."""
        return (self.wholes or self.runs)[-1]

    @property
    def events(self) -> list[Run]:
        """The runs in which something changed, the newest first."""
        return [run for run in reversed(self.wholes) if run.event]

    @cached_property
    def merged(self) -> Merged:
        """The newest run, as the other views take it."""
        return merge_reports([self.newest.report], [self.newest.id])

    def spans(self, requirement: str) -> list[Span]:
        """Return how a requirement's result went on, from the first whole run to the newest."""
        return list(_spans(self.wholes, lambda run: run.cells.get(requirement), _result))

    def overall(self) -> list[Span]:
        """Return how the worst result of any MUST or SHOULD went on."""
        return list(_spans(self.wholes, _worst, _result))

    def is_steady(self, requirement: str) -> bool:
        """Say whether a requirement's result was the same in every whole run, and needs no attention."""
        spans = self.spans(requirement)
        return len(spans) < 2 and not any(span.cell and span.cell.needs_attention for span in spans)


@dataclass(frozen=True)
class Suite:
    """One suite and its SDKs, with the requirements of its newest run."""

    name: str
    title: str
    requirements: tuple[RequirementEntry, ...]
    sdks: tuple[Sdk, ...]


def suites_of(runs: Sequence[SiteRun]) -> list[Suite]:
    """Return the suites by name, each with its SDKs by name.

    Args:
        runs: In the order in which they began.
    """
    found: dict[str, dict[str, list[Run]]] = {}
    for each in runs:
        for entry in each.report.adapters:
            history = found.setdefault(each.report.suite, {}).setdefault(entry.name, [])
            report = replace(each.report, adapters=(entry,))
            code = exit_code(
                [entry.verdicts],
                fail_on=report.fail_on,
                failed=bool(report.error),
                interrupted=report.interrupted,
                stale=bool(entry.baseline and entry.baseline.stale),
                died=bool(entry.deaths or entry.error),
            )
            before = next((run for run in reversed(history) if not run.incomplete), None)
            history.append(_run(each.id, replace(report, exit_code=code), before))
    return [_suite(name, sdks) for name, sdks in sorted(found.items())]


def _suite(name: str, sdks: Mapping[str, list[Run]]) -> Suite:
    runs = sorted((run for each in sdks.values() for run in each), key=lambda run: run.report.started)
    requirements: dict[str, RequirementEntry] = {}
    for run in reversed(runs):
        for requirement in run.report.requirements:
            requirements.setdefault(requirement.id, requirement)
    for run in runs:
        for missing in run.cells.keys() - requirements.keys():
            level = run.cells[missing].verdicts[0].level
            requirements[missing] = RequirementEntry(missing, level, sentence="")
    judged = {requirement for run in runs for requirement in run.cells}
    kept = tuple(each for each in requirements.values() if each.id in judged)
    histories = tuple(Sdk(name, on_one_line(each), tuple(found)) for each, found in sorted(sdks.items()))
    return Suite(name, runs[-1].report.title or name, kept, histories)


def _run(run_id: str, report: Report, before: Run | None) -> Run:
    entry = report.adapters[0]
    is_same = before is not None and before.report.adapters[0].verdicts == entry.verdicts
    cells = before.cells if before is not None and is_same else cells_of(entry.verdicts)
    run = Run(run_id, report, cells)
    if before is None or run.incomplete:
        return run
    (diff,) = compare(before.report, report).adapters
    suite = _suite_change(before.report, report)
    if diff.old == diff.new and not (diff.changes or diff.error or diff.deaths or suite):
        return run
    new = frozenset(cells.keys() - before.cells.keys())
    return replace(run, event=Event(before.version, diff, suite, new))


def _suite_change(old: Report, new: Report) -> str:
    texts = [f"waitproof {old.waitproof} → {new.waitproof}"] if old.waitproof != new.waitproof else []
    for noun, before, after in (
        ("requirement", old.requirements, new.requirements),
        ("scenario", old.scenarios, new.scenarios),
    ):
        ids = [{each.id for each in found} for found in (before, after)]
        if before and after and ids[0] != ids[1]:
            added, removed = len(ids[1] - ids[0]), len(ids[0] - ids[1])
            texts += [f"{plural(added, f'new {noun}')}"] if added else []
            texts += [f"{plural(removed, noun)} removed"] if removed else []
    return ", ".join(texts)


def _result(cell: Cell | None) -> Any:
    """Return what must differ for two results to be different ones: not how many scenarios had it."""
    if cell is None:
        return None
    return cell.text if cell.status is Status.INFO else (cell.status, cell.excused == "excused")


def _worst(run: Run) -> Cell | None:
    every = run.report.adapters[0].verdicts
    verdicts = [each for each in every if each.needs_attention] or every
    return next(iter(cells_of(verdicts, key=lambda _: "").values()), None)


def _spans(
    runs: Iterable[Run], cell_of: Callable[[Run], Cell | None], result: Callable[[Cell | None], Any]
) -> Iterator[Span]:
    last: Span | None = None
    for place, run in enumerate(runs):
        cell = cell_of(run)
        if last is not None and result(last.cell) == result(cell):
            last = replace(last, cell=cell, count=last.count + 1)
            continue
        if last is not None:
            yield last
        last = Span(cell, run, place, 1)
    if last is not None:
        yield last
