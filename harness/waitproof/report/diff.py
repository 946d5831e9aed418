"""What changed between two runs: two builds of an SDK, or two versions of the suite. Pure.

Verdicts are compared one by one and told by requirement, so that forty scenarios of one cause are one
line. A deviation that a baseline excuses is no regression, and INCONCLUSIVE is neither better nor worse.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from waitproof.errors import InputError, Mistake
from waitproof.judge import Status
from waitproof.report.model import AdapterEntry, Report, VerdictEntry

__all__ = ["AdapterDiff", "Change", "Diff", "Kind", "compare", "markdown_lines", "plain_lines"]

GOOD = {Status.PASS, Status.INFO}
BAD = {Status.FAIL, Status.WARN, Status.ERROR, Status.UNSUPPORTED}
MAX_NAMED = 3  # scenarios of one line that are named; the rest is counted
MAX_SEEN = 160  # characters of what was seen

_Key = tuple[str, str]


class Kind(StrEnum):
    """What a change is to whoever reads it; in the order in which they are told."""

    REGRESSION = "regressions"
    MENDED = "fixed"
    EXCUSED = "worse, but excused"
    UNSURE = "inconclusive"
    OTHER = "other changes"
    RECORDED = "behaviour on record that changed"
    ADDED = "new"
    REMOVED = "no longer judged"


@dataclass(frozen=True)
class Change:
    """One change of one requirement, in all the scenarios where it is the same.

    Attributes:
        old: What it was, such as `PASS` or `FAIL (excused)`; "" where it is new.
        new: What it is now; "" where it is no more.
        scenarios: Where, in the order of the newer run.
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
        old: Its SDK in the older run; "" where it was not in it.
        new: Its SDK in the newer run; "" where it is not in it.
        error: Why the newer run could not run it at all, "" where it could.
        excused: How many verdicts were excused before and are now.
    """

    name: str
    old: str = ""
    new: str = ""
    error: str = ""
    changes: tuple[Change, ...] = ()
    excused: tuple[int, int] = (0, 0)

    def of(self, kind: Kind) -> list[Change]:
        """Return the changes of one kind."""
        return [change for change in self.changes if change.kind is kind]


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
        """Whether something is worse that no baseline excuses."""
        return any(each.error or each.of(Kind.REGRESSION) for each in self.adapters)


def compare(old: Report, new: Report) -> Diff:
    """Return what changed.

    Adapters are matched by their names; where each run has exactly one, these two are compared.

    Raises:
        InputError: The runs are of two suites, or have no adapter in common.
    """
    if old.suite != new.suite:
        fact = f"the reports are of two suites, '{old.suite}' and '{new.suite}'"
        raise InputError(Mistake("diff", fact, expected="two runs of one suite"))
    before = {each.name: each for each in old.adapters}
    after = {each.name: each for each in new.adapters}
    if len(before) == len(after) == 1:
        pairs = [(old.adapters[0], new.adapters[0])]
        return Diff((_adapter(old, new, *pairs[0]),))
    names = [name for name in after if name in before]
    if not names:
        found = f"{', '.join(before) or 'none'}; {', '.join(after) or 'none'}"
        fix = "name them alike in their adapter.yaml"
        raise InputError(Mistake("diff", "no adapter is in both reports", found, fix=fix))
    return Diff(
        tuple(_adapter(old, new, before[name], after[name]) for name in names),
        tuple(name for name in before if name not in after),
        tuple(name for name in after if name not in before),
    )


def _adapter(old: Report, new: Report, was: AdapterEntry, now: AdapterEntry) -> AdapterDiff:
    before = {(each.scenario, each.requirement): each for each in was.verdicts}
    after = {(each.scenario, each.requirement): each for each in now.verdicts}
    error = now.error if now.error and not was.error else ""
    return AdapterDiff(
        name=now.name,
        old=was.named_sdk or "an unknown SDK",
        new=now.named_sdk or "an unknown SDK",
        error=error,
        changes=() if error else tuple(_grouped(_changes(old, new, before, after))),
        excused=(_excused(was), _excused(now)),
    )


def _excused(adapter: AdapterEntry) -> int:
    return sum(bool(verdict.excused) for verdict in adapter.verdicts)


def _changes(
    old: Report, new: Report, before: Mapping[_Key, VerdictEntry], after: Mapping[_Key, VerdictEntry]
) -> Iterator[Change]:
    """Yield a change for each verdict that differs; what a selection did not play is none."""
    for key, now in after.items():
        was = before.get(key)
        if was is None:
            if _is_complete(old):
                yield _change(Kind.ADDED, None, now)
            continue
        kind = _kind(was, now)
        if kind is not None:
            yield _change(kind, was, now)
    if _is_complete(new):
        for key, was in before.items():
            if key not in after:
                yield _change(Kind.REMOVED, was, None)


def _is_complete(report: Report) -> bool:
    """Say whether a report has all that there is; one that does not say so is of an older waitproof."""
    return report.whole is not False and not report.interrupted


def _kind(was: VerdictEntry, now: VerdictEntry) -> Kind | None:
    if was.status is Status.INFO and now.status is Status.INFO:
        return Kind.RECORDED if _words(was) != _words(now) else None
    if _told(was) == _told(now):
        return None
    if Status.INCONCLUSIVE in {was.status, now.status}:
        return Kind.UNSURE
    if was.status in GOOD and now.status in BAD:
        return Kind.EXCUSED if now.excused else Kind.REGRESSION
    if was.status in BAD and now.status in GOOD:
        return Kind.MENDED
    return Kind.OTHER


def _words(verdict: VerdictEntry) -> str:
    """Return the behaviour on record; the numbers behind the colon differ from run to run."""
    return verdict.seen.partition(":")[0]


def _told(verdict: VerdictEntry) -> str:
    return f"{verdict.status.value} (excused)" if verdict.excused else verdict.status.value


def _change(kind: Kind, was: VerdictEntry | None, now: VerdictEntry | None) -> Change:
    verdict = now or was
    assert verdict is not None
    is_record = kind is Kind.RECORDED
    return Change(
        kind=kind,
        requirement=verdict.requirement,
        level=verdict.level.value,
        old="" if was is None else _words(was) if is_record else _told(was),
        new="" if now is None else _words(now) if is_record else _told(now),
        scenarios=(verdict.scenario,),
        seen="" if is_record or now is None or now.status is Status.PASS else now.seen,
    )


def _grouped(changes: Iterator[Change]) -> Iterator[Change]:
    """Yield one change for all those of a requirement that are alike, kind by kind."""
    groups: dict[tuple[Kind, str, str, str], list[Change]] = {}
    for each in changes:
        groups.setdefault((each.kind, each.requirement, each.old, each.new), []).append(each)
    for (kind, requirement, old, new), alike in sorted(groups.items(), key=lambda item: _order(item[0][0])):
        scenarios = tuple(name for each in alike for name in each.scenarios)
        yield Change(kind, requirement, alike[0].level, old, new, scenarios, alike[0].seen)


def _order(kind: Kind) -> int:
    return list(Kind).index(kind)


# --- for people ---------------------------------------------------------------------------------------


def plain_lines(diff: Diff) -> Iterator[str]:
    """Yield the changes as lines for a terminal; what an SDK said is in them as it is."""
    for adapter in diff.adapters:
        yield f"{adapter.name}: {adapter.old} -> {adapter.new}"
        if adapter.error:
            yield f"  could not be run: {_short(adapter.error)}"
        elif not adapter.changes:
            yield "  nothing changed"
        for kind in Kind:
            found = adapter.of(kind)
            if found:
                yield f"  {kind.value}:"
            for change in found:
                seen = f": {_short(change.seen)}" if change.seen else ""
                named = _named(change.scenarios, str)
                yield f"    {_difference(change)} {change.requirement} ({change.level}) in {named}{seen}"
        if adapter.excused[0] != adapter.excused[1]:
            yield f"  excused: {adapter.excused[0]} -> {adapter.excused[1]}"
    yield from (f"{name}: only in the older run" for name in diff.only_old)
    yield from (f"{name}: only in the newer run" for name in diff.only_new)
    yield _sum(diff)


def markdown_lines(diff: Diff) -> Iterator[str]:
    """Yield the changes as Markdown for a release's notes."""
    for adapter in diff.adapters:
        yield f"### {_escaped(adapter.name)}: {_escaped(adapter.old)} → {_escaped(adapter.new)}"
        yield ""
        if adapter.error:
            yield from (f"It could not be run: {_escaped(_short(adapter.error))}", "")
        elif not adapter.changes:
            yield from ("Nothing changed.", "")
        for kind in Kind:
            found = adapter.of(kind)
            if not found:
                continue
            yield from (f"**{kind.value.capitalize()}**", "")
            for change in found:
                seen = f": {_escaped(_short(change.seen))}" if change.seen else ""
                named = _named(change.scenarios, _code)
                difference = _escaped(_difference(change, "→"))
                yield f"- {_code(change.requirement)} ({change.level}): {difference} in {named}{seen}"
            yield ""
        if adapter.excused[0] != adapter.excused[1]:
            yield from (f"Excused: {adapter.excused[0]} → {adapter.excused[1]}", "")
    for names, where in ((diff.only_old, "older"), (diff.only_new, "newer")):
        if names:
            yield from (f"Only in the {where} run: {', '.join(_escaped(name) for name in names)}", "")
    yield _sum(diff)


def _difference(change: Change, arrow: str = "->") -> str:
    return f"{change.old} {arrow} {change.new}" if change.old and change.new else change.old or change.new


def _named(scenarios: Sequence[str], name: Callable[[str], str]) -> str:
    shown = ", ".join(name(each) for each in scenarios[:MAX_NAMED])
    if len(scenarios) == 1:
        return shown
    rest = f" and {len(scenarios) - MAX_NAMED} more" if len(scenarios) > MAX_NAMED else ""
    return f"{len(scenarios)} scenarios ({shown}{rest})"


def _sum(diff: Diff) -> str:
    """Return how many requirements got worse and better, as one line."""
    worse = sum(len(each.of(Kind.REGRESSION)) + bool(each.error) for each in diff.adapters)
    better = sum(len(each.of(Kind.MENDED)) for each in diff.adapters)
    return f"{worse} regression{'' if worse == 1 else 's'}, {better} fixed"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MAX_SEEN else f"{line[:MAX_SEEN]}…"


def _code(text: str) -> str:
    return f"`{' '.join(text.split()).replace('`', chr(39))}`"


def _escaped(text: str) -> str:
    """Return text in which Markdown and HTML find nothing of theirs."""
    return re.sub(r"([\\`*_\[\]<>|#~&])", r"\\\1", " ".join(text.split()))
