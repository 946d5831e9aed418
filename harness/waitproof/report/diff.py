"""What changed between two runs: two builds of an SDK, or two versions of the suite. Pure.

Verdicts are compared one by one and listed by requirement, so that forty scenarios of one cause are one
line. An excused deviation isn't a regression, and INCONCLUSIVE is neither better nor worse.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from waitproof.adapter import given_name
from waitproof.errors import InputError, Mistake
from waitproof.judge import Status
from waitproof.report.deaths import death_sentences
from waitproof.report.model import AdapterEntry, Report, VerdictEntry
from waitproof.text import markdown_code, markdown_text, on_one_line, plural, shorten

__all__ = ["AdapterDiff", "Change", "Diff", "Kind", "compare", "markdown_lines", "plain_lines"]

GOOD = {Status.PASS, Status.INFO}
BAD = {Status.FAIL, Status.WARN, Status.ERROR, Status.UNSUPPORTED}
MAX_NAMES = 3  # scenarios that a line names; the rest is counted
MAX_SEEN = 160  # characters

_Key = tuple[str, str]


class Kind(StrEnum):
    """What a change means to its reader, in the order in which they are listed."""

    REGRESSION = "regressions"
    FIXED = "fixed"
    EXCUSED = "worse, but excused"
    UNSURE = "inconclusive"
    OTHER = "other changes"
    RECORDED = "recorded behavior that changed"
    ADDED = "new"
    REMOVED = "no longer judged"


@dataclass(frozen=True)
class Change:
    """One change of one requirement, in all the scenarios where it is the same.

    Attributes:
        old: The verdict before, such as `PASS` or `FAIL (excused)`; "" where it is new.
        new: The verdict now; "" where it is no longer judged.
        scenarios: In the order of the newer run.
        seen: What was seen in the first of them.
    """

    kind: Kind
    requirement: str
    level: str
    old: str
    new: str
    scenarios: tuple[str, ...]
    seen: str = ""


@dataclass(frozen=True)
class AdapterDiff:
    """What changed for one adapter.

    Attributes:
        name: Its name in the newer run, or in the only one.
        old: Its SDK in the older run.
        new: Its SDK in the newer run.
        old_name: Its name in the older run where that is another: each run had one adapter.
        error: Why the newer run could not run it at all, "" if it could.
        deaths: A sentence about each of its processes that died, where none did in the older run.
        excused: How many verdicts were excused before, and how many are now.
    """

    name: str
    old: str
    new: str
    old_name: str = ""
    error: str = ""
    deaths: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    excused: tuple[int, int] = (0, 0)

    def of(self, kind: Kind) -> list[Change]:
        """Return the changes of one kind."""
        return [change for change in self.changes if change.kind is kind]

    @property
    def regressions(self) -> int:
        """How many requirements got worse; an adapter that cannot be run or died is one more."""
        return len(self.of(Kind.REGRESSION)) + bool(self.error or self.deaths)

    def by_kind(self) -> list[tuple[Kind, list[Change]]]:
        """Return each kind of change that occurs with its changes."""
        return [(kind, found) for kind in Kind if (found := self.of(kind))]


@dataclass(frozen=True)
class Diff:
    """What changed between two runs.

    Attributes:
        adapters: Those of both runs, as the newer one has them.
        only_old: Names of adapters that only the older run has.
        only_new: Names of adapters that only the newer run has.
    """

    adapters: tuple[AdapterDiff, ...]
    only_old: tuple[str, ...] = ()
    only_new: tuple[str, ...] = ()

    @property
    def has_regression(self) -> bool:
        """Whether anything is worse and no baseline excuses it."""
        return any(each.regressions for each in self.adapters)


def compare(old: Report, new: Report) -> Diff:
    """Return what changed.

    Adapters are matched by their names, and those of one name also by what their user typed; where each run
    has exactly one, these two are compared.

    Raises:
        InputError: The runs are of two suites, or have no adapter in common.
    """
    if old.suite != new.suite:
        fact = f"the reports are of two suites, '{old.suite}' and '{new.suite}'"
        raise InputError(Mistake("diff", fact, expected="two runs of one suite"))
    if len(old.adapters) == len(new.adapters) == 1:
        return Diff((_adapter(old, new, old.adapters[0], new.adapters[0]),))
    before, after = _by_identity(old, new), _by_identity(new, old)
    keys = [key for key in after if key in before]
    if not keys:
        found = "; ".join(", ".join(each.name for each in run.adapters) or "none" for run in (old, new))
        fix = "give them the same name in adapter.yaml"
        raise InputError(Mistake("diff", "no adapter is in both reports", found, fix=fix))
    return Diff(
        tuple(_adapter(old, new, before[key], after[key]) for key in keys),
        tuple(each.name for key, each in before.items() if key not in after),
        tuple(each.name for key, each in after.items() if key not in before),
    )


def _by_identity(report: Report, other: Report) -> dict[tuple[str, str, int], AdapterEntry]:
    """Return a run's adapters by what tells each from its namesakes in either run."""
    found: dict[tuple[str, str, int], AdapterEntry] = {}
    for adapter in report.adapters:
        name = given_name(adapter.name)
        counts = [sum(given_name(each.name) == name for each in run.adapters) for run in (report, other)]
        argument = adapter.argument if max(counts) > 1 else ""
        number = sum(key[:2] == (name, argument) for key in found)
        found[name, argument, number] = adapter
    return found


def _adapter(old: Report, new: Report, was: AdapterEntry, now: AdapterEntry) -> AdapterDiff:
    before = {(each.scenario, each.requirement): each for each in was.verdicts}
    after = {(each.scenario, each.requirement): each for each in now.verdicts}
    error = now.error if now.error and not was.error else ""
    return AdapterDiff(
        name=now.name,
        old=was.named_sdk or "an unknown SDK",
        new=now.named_sdk or "an unknown SDK",
        old_name=was.name if was.name != now.name else "",
        error=error,
        deaths=() if was.deaths else tuple(death_sentences(now)),
        changes=() if error else tuple(_grouped(_changes(old, new, before, after))),
        excused=(
            sum(bool(each.excused) for each in was.verdicts),
            sum(bool(each.excused) for each in now.verdicts),
        ),
    )


def _changes(
    old: Report, new: Report, before: Mapping[_Key, VerdictEntry], after: Mapping[_Key, VerdictEntry]
) -> Iterator[Change]:
    """Yield a change for each verdict that differs; a scenario that one run left out is not a change."""
    for key in dict.fromkeys([*after, *before]):
        was, now = before.get(key), after.get(key)
        verdict = now or was
        kind = _kind(old, new, was, now)
        if verdict is None or kind is None:
            continue
        is_record = kind is Kind.RECORDED
        yield Change(
            kind=kind,
            requirement=verdict.requirement,
            level=verdict.level.value,
            old=_word(was, is_record=is_record),
            new=_word(now, is_record=is_record),
            scenarios=(verdict.scenario,),
            seen="" if is_record or now is None or now.status is Status.PASS else now.seen,
        )


def _is_complete(report: Report) -> bool:
    """Return whether a report has everything, as does one of an older waitproof that doesn't say."""
    return report.whole is not False and not report.interrupted


def _kind(old: Report, new: Report, was: VerdictEntry | None, now: VerdictEntry | None) -> Kind | None:
    if was is None or now is None:
        kind, without = (Kind.ADDED, old) if was is None else (Kind.REMOVED, new)
        return kind if _is_complete(without) else None
    if was.status is Status.INFO and now.status is Status.INFO:
        return Kind.RECORDED if was.behavior != now.behavior else None
    if _word(was) == _word(now):
        return None
    if Status.INCONCLUSIVE in {was.status, now.status}:
        return Kind.UNSURE
    if was.status in GOOD and now.status in BAD:
        return Kind.EXCUSED if now.excused else Kind.REGRESSION
    return Kind.FIXED if was.status in BAD and now.status in GOOD else Kind.OTHER


def _word(verdict: VerdictEntry | None, *, is_record: bool = False) -> str:
    if verdict is None or is_record:
        return "" if verdict is None else verdict.behavior
    return f"{verdict.status.value} (excused)" if verdict.excused else verdict.status.value


def _grouped(changes: Iterator[Change]) -> Iterator[Change]:
    """Yield the changes kind by kind, those of a requirement that are alike as one."""
    order = list(Kind)
    groups: dict[tuple[Kind, str, str, str], list[Change]] = {}
    for each in changes:
        groups.setdefault((each.kind, each.requirement, each.old, each.new), []).append(each)
    for alike in sorted(groups.values(), key=lambda group: order.index(group[0].kind)):
        yield replace(alike[0], scenarios=tuple(name for each in alike for name in each.scenarios))


# --- for people ---------------------------------------------------------------------------------------


def plain_lines(diff: Diff) -> Iterator[str]:
    """Yield the changes as lines for a terminal."""
    for adapter in diff.adapters:
        yield f"{on_one_line(adapter.name)}: {adapter.old} -> {adapter.new}"
        if adapter.old_name:
            yield f"  compared with {on_one_line(adapter.old_name)}, the only adapter of the older run"
        if adapter.error:
            yield f"  could not be run: {_short(adapter.error)}"
        elif not (adapter.changes or adapter.deaths):
            yield "  nothing changed"
        yield from (f"  {_short(line)}" for line in adapter.deaths)
        for kind, found in adapter.by_kind():
            yield f"  {kind.value}:"
            for change in found:
                seen = f": {_short(change.seen)}" if change.seen else ""
                names = _names(change.scenarios, str)
                yield f"    {_difference(change)} {change.requirement} ({change.level}) in {names}{seen}"
        if adapter.excused[0] != adapter.excused[1]:
            yield f"  excused: {adapter.excused[0]} -> {adapter.excused[1]}"
    yield from (f"{on_one_line(name)}: only in the older run" for name in diff.only_old)
    yield from (f"{on_one_line(name)}: only in the newer run" for name in diff.only_new)
    yield _summary(diff)


def markdown_lines(diff: Diff) -> Iterator[str]:
    """Yield the changes as Markdown for release notes."""
    for adapter in diff.adapters:
        name, old, new = map(markdown_text, (adapter.name, adapter.old, adapter.new))
        yield from (f"### {name}: {old} → {new}", "")
        if adapter.old_name:
            old_name = markdown_text(on_one_line(adapter.old_name))
            yield from (f"Compared with {old_name}, the only adapter of the older run.", "")
        if adapter.error:
            yield from (f"It could not be run: {markdown_text(_short(adapter.error))}", "")
        elif not (adapter.changes or adapter.deaths):
            yield from ("Nothing changed.", "")
        for line in adapter.deaths:
            yield from (f"New: {markdown_text(_short(line))}", "")
        for kind, found in adapter.by_kind():
            yield from (f"**{kind.value.capitalize()}**", "")
            for change in found:
                seen = f": {markdown_text(_short(change.seen))}" if change.seen else ""
                names = _names(change.scenarios, markdown_code)
                difference = markdown_text(_difference(change, "→"))
                yield f"- {markdown_code(change.requirement)} ({change.level}): {difference} in {names}{seen}"
            yield ""
        if adapter.excused[0] != adapter.excused[1]:
            yield from (f"Excused: {adapter.excused[0]} → {adapter.excused[1]}", "")
    for only, run in ((diff.only_old, "older"), (diff.only_new, "newer")):
        if only:
            yield from (f"Only in the {run} run: {', '.join(map(markdown_text, only))}", "")
    yield _summary(diff)


def _difference(change: Change, arrow: str = "->") -> str:
    return f"{change.old} {arrow} {change.new}" if change.old and change.new else change.old or change.new


def _names(scenarios: Sequence[str], name: Callable[[str], str]) -> str:
    shown = ", ".join(name(each) for each in scenarios[:MAX_NAMES])
    if len(scenarios) == 1:
        return shown
    rest = f" and {len(scenarios) - MAX_NAMES} more" if len(scenarios) > MAX_NAMES else ""
    return f"{len(scenarios)} scenarios ({shown}{rest})"


def _summary(diff: Diff) -> str:
    """Return how many requirements got worse and better, as one line."""
    worse = sum(each.regressions for each in diff.adapters)
    better = sum(len(each.of(Kind.FIXED)) for each in diff.adapters)
    return f"{plural(worse, 'regression')}, {better} fixed"


def _short(text: str) -> str:
    return shorten(on_one_line(text), MAX_SEEN)
