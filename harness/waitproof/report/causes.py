"""The causes of an adapter's failures: as entries of the report, and as lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from waitproof.defects import Causes, advice
from waitproof.judge import Status
from waitproof.report.model import AdapterEntry, CauseEntry, LikelyDefectEntry, VerdictEntry
from waitproof.text import plural

__all__ = [
    "ExplainedCause",
    "cause_entries",
    "explained_causes",
    "failures",
    "unexplained",
    "unexplained_sentence",
]

MAX_ALTERNATIVES = 3  # more of them help nobody
MAX_REQUIREMENTS = 4  # that are named as explained; the rest is counted


def cause_entries(causes: Causes | None) -> tuple[CauseEntry, ...] | None:
    """Return the causes as the report holds them, None where nobody looked for any."""
    if causes is None:
        return None
    return tuple(
        CauseEntry(
            tuple(LikelyDefectEntry(each.name, each.sentence, advice(each)) for each in cause.defects),
            tuple(map(":".join, cause.explains)),
            ":".join(cause.shown_by),
        )
        for cause in causes.causes
    )


def failures(adapter: AdapterEntry) -> list[VerdictEntry]:
    """Return what a cause could explain: each FAIL and WARN that is separate and not excused."""
    return [each for each in _failed(adapter) if not each.follows_from]


def _failed(adapter: AdapterEntry) -> Iterator[VerdictEntry]:
    return (each for each in adapter.verdicts if each.needs_attention and each.status in _FAILED)


_FAILED = {Status.FAIL, Status.WARN}


def unexplained(adapter: AdapterEntry) -> list[VerdictEntry]:
    """Return the failures that no cause explains: all where nobody looked for causes."""
    explained = {place for cause in adapter.causes or () for place in cause.explains}
    return [each for each in failures(adapter) if _place(each) not in explained]


def unexplained_sentence(name: str, adapter: AdapterEntry, *, was_sought: bool) -> str:
    """Return how many failures of the adapter of this name have no cause, "" where each has one.

    Args:
        name: The adapter's name.
        adapter: What the report holds about it.
        was_sought: The run looked for causes. One that was interrupted or is older than causes didn't.
    """
    without = len(unexplained(adapter))
    every = plural(len(failures(adapter)), "failure")
    if without and adapter.causes is None:
        busy = f"The machine was too busy to find the cause of {every} in time ({name})."
        return busy if was_sought else ""
    return f"No known defect explains {without} of {every} ({name}): see below." if without else ""


def _place(verdict: VerdictEntry) -> str:
    return f"{verdict.scenario}:{verdict.requirement}"


@dataclass(frozen=True)
class ExplainedCause:
    """A cause in words.

    Attributes:
        headline: "1. The interval grows from poll to poll (sdk, 15 of 15 failures)".
        facts: A label and a text for each further line.
        failures: Those that it explains.
        shown_by: The one that shows it best, None where the report lacks it.
    """

    headline: str
    facts: tuple[tuple[str, str], ...]
    failures: tuple[VerdictEntry, ...]
    shown_by: VerdictEntry | None


def explained_causes(name: str, adapter: AdapterEntry) -> Iterator[ExplainedCause]:
    """Yield the causes of the failures of the adapter of this name."""
    every = {_place(each): each for each in failures(adapter)}
    places = {_place(each): each for each in _failed(adapter)}
    for number, cause in enumerate(adapter.causes or (), 1):
        first, *others = cause.defects
        explained = tuple(every[place] for place in cause.explains if place in every)
        share = f"{len(explained)} of {plural(len(every), 'failure')}"
        facts = [("or", each.sentence) for each in others[: MAX_ALTERNATIVES - 1]]
        if len(others) >= MAX_ALTERNATIVES:
            facts.append(("or", f"{plural(len(others) - MAX_ALTERNATIVES + 1, 'other defect')} like these"))
        facts += [("look at", first.look_at), ("explains", _summary(explained))]
        yield ExplainedCause(
            f"{number}. {first.sentence.removesuffix('.')} ({name}, {share})",
            tuple(facts),
            explained,
            places.get(cause.shown_by),
        )


def _summary(verdicts: Sequence[VerdictEntry]) -> str:
    """Return how often each requirement failed, most often first."""
    counts = Counter(each.requirement for each in verdicts).most_common()
    texts = [f"{requirement} in {plural(count, 'scenario')}" for requirement, count in counts]
    if len(texts) > MAX_REQUIREMENTS:
        rest = plural(len(texts) - MAX_REQUIREMENTS + 1, "more requirement")
        texts = [*texts[: MAX_REQUIREMENTS - 1], f"{rest}"]
    return ", ".join(texts)
