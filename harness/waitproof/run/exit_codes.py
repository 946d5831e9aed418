"""The exit code that follows from a run's verdicts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

from waitproof.judge import Status, Verdict
from waitproof.suite import Level

__all__ = ["ExitCode", "exit_code", "partly_unsupported", "unproved"]


class ExitCode(IntEnum):
    """What the command line exits with."""

    KEPT = 0
    NOT_KEPT = 1
    WRONG_USE = 2
    UNKNOWN = 3
    INTERNAL_ERROR = 4
    INTERRUPTED = 130


def exit_code(
    adapters: Iterable[Sequence[Verdict]],
    *,
    fail_on: Level = Level.MUST,
    failed: bool = False,
    interrupted: bool = False,
    stale: bool = False,
    died: bool = False,
    allow_inconclusive: bool = False,
) -> ExitCode:
    """Return the exit code of a run.

    Args:
        adapters: The verdicts of each adapter.
        fail_on: MUST, or SHOULD where a WARN fails the run too.
        failed: The harness itself failed during the run.
        interrupted: The run was cancelled.
        stale: A baseline has an entry that is no longer true.
        died: A process of an adapter died.
        allow_inconclusive: What a busy machine left open doesn't keep the code from being KEPT.
    """
    failing = {Status.FAIL} if fail_on is Level.MUST else {Status.FAIL, Status.WARN}
    groups = [list(verdicts) for verdicts in adapters]
    verdicts = [verdict for group in groups for verdict in group]
    if failed:
        return ExitCode.INTERNAL_ERROR
    if interrupted:
        return ExitCode.INTERRUPTED
    if stale or any(verdict.status in failing and not verdict.excused for verdict in verdicts):
        return ExitCode.NOT_KEPT
    open_ = {Status.ERROR} if allow_inconclusive else {Status.ERROR, Status.INCONCLUSIVE}
    is_open = died or any(verdict.status in open_ for verdict in verdicts)
    return ExitCode.UNKNOWN if is_open or any(map(unproved, groups)) else ExitCode.KEPT


def unproved(verdicts: Iterable[Verdict]) -> list[str]:
    """Return the MUST requirements that are UNSUPPORTED wherever they occur: they are not verified."""
    return sorted(name for name, found in _musts(verdicts).items() if found == {Status.UNSUPPORTED})


def partly_unsupported(verdicts: Iterable[Verdict]) -> list[str]:
    """Return the MUST requirements that are UNSUPPORTED in some scenarios, and were judged in others."""
    others = _musts(verdicts).items()
    return sorted(name for name, found in others if Status.UNSUPPORTED in found and len(found) > 1)


def _musts(verdicts: Iterable[Verdict]) -> dict[str, set[Status]]:
    seen: dict[str, set[Status]] = {}
    for verdict in verdicts:
        if verdict.level is Level.MUST and not verdict.excused:
            seen.setdefault(verdict.requirement, set()).add(verdict.status)
    return seen
