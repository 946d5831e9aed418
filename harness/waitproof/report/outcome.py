"""Why a run ended as it did: what stands behind its exit code, as one sentence. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from waitproof.judge import Status
from waitproof.report.model import Merged, VerdictEntry
from waitproof.run import ExitCode, unproved
from waitproof.suite.contract import Level

__all__ = ["counted", "outcome"]

MAX_NAMED = 3  # names in the sentence; the rest is counted


def outcome(report: Merged) -> str:
    """Return the sentence, without a full stop; names of adapters and requirements are in it as they are."""
    match report.exit_code:
        case ExitCode.KEPT:
            return _kept(report)
        case ExitCode.NOT_KEPT:
            # Older files do not tell of stale deviations, and an adapter may have been left out.
            return "; ".join(_failures(report)) or "The run failed, for a reason that is not shown here"
        case ExitCode.UNKNOWN:
            return f"Nothing failed, but {'; '.join(_open(report)) or 'something could not be judged'}"
        case _:
            return "The run was interrupted: this is what was known by then"


def counted(number: int, noun: str) -> str:
    """Return a number of things: "1 verdict", "2 verdicts"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _kept(report: Merged) -> str:
    is_strict = all(each.fail_on is Level.SHOULD for each in report.reports)
    levels = {Level.MUST, Level.SHOULD} if is_strict else {Level.MUST}
    is_excused = any(verdict.excused and verdict.level in levels for verdict in _verdicts(report))
    kept = "Every MUST and every SHOULD is kept" if is_strict else "Every MUST is kept"
    return kept + (", or its deviation is known" if is_excused else "")


def _failures(report: Merged) -> Iterator[str]:
    failed = {v.requirement for v in _verdicts(report) if v.status is Status.FAIL and not v.excused}
    if failed:
        yield f"{counted(len(failed), 'promise')} {_are(failed)} not kept"
    warned = {
        verdict.requirement
        for adapter in report.adapters
        if adapter.report.fail_on is Level.SHOULD
        for verdict in adapter.entry.verdicts
        if verdict.status is Status.WARN and not verdict.excused
    }
    if warned:
        yield f"{len(warned)} SHOULD {_are(warned)} not kept (--fail-on should)"
    stale = [each for adapter in report.adapters for each in adapter.stale]
    if stale:
        yield f"{counted(len(stale), 'known deviation')} {_are(stale)} stale"


def _open(report: Merged) -> Iterator[str]:
    dead = [adapter for adapter in report.adapters if adapter.entry.error]
    alive = [adapter for adapter in report.adapters if not adapter.entry.error]
    if dead:
        yield f"{_named([adapter.name for adapter in dead])} could not be run"
    for status in (Status.ERROR, Status.INCONCLUSIVE):
        found = [v for adapter in alive for v in adapter.entry.verdicts if v.status is status]
        if found:
            yield f"{counted(len(found), 'verdict')} {_are(found)} {status.value}"
    unknown = sorted({name for adapter in alive for name in unproved(adapter.entry.judged)})
    if unknown:
        yield f"nobody knows whether {_named(unknown)} {'holds' if len(unknown) == 1 else 'hold'}"


def _verdicts(report: Merged) -> Iterator[VerdictEntry]:
    return (verdict for adapter in report.adapters for verdict in adapter.entry.verdicts)


def _are(things: Sequence[object] | set[str]) -> str:
    return "is" if len(things) == 1 else "are"


def _named(names: Sequence[str]) -> str:
    """Return names as a reader lists them, the first of many."""
    if len(names) > MAX_NAMED:
        return f"{', '.join(names[:MAX_NAMED])} and {len(names) - MAX_NAMED} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
