"""Verdicts counted by status. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from waitproof.judge import Status, Verdict

__all__ = ["ORDER", "count", "sentence", "tally", "worst"]

ORDER = (  # what needs attention first
    Status.ERROR,
    Status.FAIL,
    Status.INCONCLUSIVE,
    Status.WARN,
    Status.PASS,
    Status.UNSUPPORTED,
    Status.INFO,
    Status.NOT_APPLICABLE,
)


def count(verdicts: Iterable[Verdict]) -> Counter[Status]:
    """Return how many verdicts there are of each status."""
    return Counter(verdict.status for verdict in verdicts)


def tally(verdicts: Sequence[Verdict]) -> list[tuple[Status, int, int]]:
    """Return each status that occurs, how often, and how many of these are excused; PASS comes first."""
    counts = count(verdicts)
    excused = count(verdict for verdict in verdicts if verdict.excused)
    order = dict.fromkeys((Status.PASS, *ORDER))
    return [(status, counts[status], excused[status]) for status in order if counts[status]]


def sentence(verdicts: Sequence[Verdict]) -> str:
    """Return the counts of every status that occurs as one line: "61 PASS, 2 WARN (1 excused), 13 INFO"."""
    parts = (
        f"{n} {status.value}" + (f" ({known} excused)" if known else "")
        for status, n, known in tally(verdicts)
    )
    return ", ".join(parts) or "no verdict"


def worst(verdicts: Iterable[Verdict]) -> Status | None:
    """Return the status that matters most, None when there is no verdict."""
    return min((verdict.status for verdict in verdicts), key=ORDER.index, default=None)
