"""Verdicts counted, and the exit code that follows from them. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from enum import IntEnum

from waitproof.judge import Status, Verdict
from waitproof.suite.contract import Level

__all__ = ["ExitCode", "count", "exit_code", "sentence", "tally", "unproved", "worst"]

ORDER = (
    Status.ERROR,
    Status.FAIL,
    Status.INCONCLUSIVE,
    Status.WARN,
    Status.PASS,
    Status.UNSUPPORTED,
    Status.INFO,
    Status.NOT_APPLICABLE,
)


class ExitCode(IntEnum):
    """What the command line exits with."""

    KEPT = 0
    NOT_KEPT = 1
    WRONG_USE = 2
    UNKNOWN = 3
    INTERRUPTED = 130


def count(verdicts: Iterable[Verdict]) -> Counter[Status]:
    """Return how many verdicts there are of each status."""
    return Counter(verdict.status for verdict in verdicts)


def sentence(verdicts: Sequence[Verdict]) -> str:
    """Return the counts of every status that occurs as one line: "61 PASS, 2 WARN (1 excused), 13 INFO"."""
    parts = [
        f"{n} {status.value}" + (f" ({known} excused)" if known else "")
        for status, n, known in tally(verdicts)
    ]
    return ", ".join(parts) or "no verdict"


def tally(verdicts: Sequence[Verdict]) -> list[tuple[Status, int, int]]:
    """Return each status that occurs, how often, and how many of these are excused; PASS comes first."""
    counts = count(verdicts)
    excused = count(verdict for verdict in verdicts if verdict.excused)
    order = dict.fromkeys((Status.PASS, *ORDER))
    return [(status, counts[status], excused[status]) for status in order if counts[status]]


def worst(verdicts: Iterable[Verdict]) -> Status | None:
    """Return the status that matters most, None when there is no verdict."""
    return min((verdict.status for verdict in verdicts), key=ORDER.index, default=None)


def unproved(verdicts: Iterable[Verdict]) -> list[str]:
    """Return the MUST requirements that are UNSUPPORTED wherever they stand: nobody knows of them."""
    seen: dict[str, set[Status]] = {}
    for verdict in verdicts:
        if verdict.level is Level.MUST and not verdict.excused:
            seen.setdefault(verdict.requirement, set()).add(verdict.status)
    return sorted(name for name, statuses in seen.items() if statuses == {Status.UNSUPPORTED})


def exit_code(
    adapters: Iterable[Sequence[Verdict]],
    *,
    fail_on: Level = Level.MUST,
    interrupted: bool = False,
    stale: bool = False,
) -> ExitCode:
    """Return the exit code of a run.

    Args:
        adapters: The verdicts of each adapter.
        fail_on: MUST, or SHOULD where a WARN fails the run too.
        interrupted: The run was ended before its end.
        stale: A baseline has an entry that holds no more.
    """
    failing = {Status.FAIL} if fail_on is Level.MUST else {Status.FAIL, Status.WARN}
    groups = [list(verdicts) for verdicts in adapters]
    if interrupted:
        return ExitCode.INTERRUPTED
    if stale or any(
        verdict.status in failing and not verdict.excused for group in groups for verdict in group
    ):
        return ExitCode.NOT_KEPT
    unknown = {Status.INCONCLUSIVE, Status.ERROR}
    if any(verdict.status in unknown for group in groups for verdict in group):
        return ExitCode.UNKNOWN
    if any(unproved(group) for group in groups):
        return ExitCode.UNKNOWN
    return ExitCode.KEPT
