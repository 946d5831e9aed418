"""Verdicts counted by status. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from waitproof.judge import Status, Verdict
from waitproof.text import plural

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
    """Return each status that occurs, how often, and how many of these are excused; PASS comes first.

    Failures that follow from another one are left out.
    """
    verdicts = [verdict for verdict in verdicts if not verdict.follows_from]
    counts = count(verdicts)
    excused = count(verdict for verdict in verdicts if verdict.excused)
    order = dict.fromkeys((Status.PASS, *ORDER))
    return [(status, counts[status], excused[status]) for status in order if counts[status]]


def sentence(verdicts: Sequence[Verdict]) -> str:
    """Return the counts as one line: "61 PASS, 2 FAIL (1 excused); 4 more failures follow from these"."""
    parts = (
        f"{n} {status.value}" + (f" ({known} excused)" if known else "")
        for status, n, known in tally(verdicts)
    )
    following = sum(bool(verdict.follows_from) for verdict in verdicts)
    verb = "follows" if following == 1 else "follow"
    more = f"; {plural(following, 'more failure')} {verb} from these" if following else ""
    return (", ".join(parts) or "no verdict") + more


def worst(verdicts: Iterable[Verdict]) -> Status | None:
    """Return the status that matters most, None when there is no verdict."""
    return min((verdict.status for verdict in verdicts), key=ORDER.index, default=None)
