"""What the page lists before its matrix: the causes of all SDKs, and the failures by requirement. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from waitproof.judge import Status
from waitproof.report.causes import ExplainedCause, explained_causes
from waitproof.report.merge import Adapter, Merged, names_in_a_sentence
from waitproof.report.model import RequirementEntry, VerdictEntry
from waitproof.run import worst

__all__ = ["Failure", "causes_by_rank", "causes_by_verdict", "failures_by_requirement"]

_Part: TypeAlias = tuple[int, Adapter, tuple[VerdictEntry, ...]]


@dataclass(frozen=True)
class Failure:
    """A requirement for which something needs attention.

    Attributes:
        row: Its place among the requirements, from 0.
        parts: Each adapter concerned, with its number and its verdicts, the worst first.
    """

    row: int
    requirement: RequirementEntry
    parts: tuple[_Part, ...]

    @property
    def status(self) -> Status:
        """The worst of its verdicts."""
        status = worst([verdict for _, _, verdicts in self.parts for verdict in verdicts])
        assert status is not None
        return status

    def where(self, adapters: int) -> str:
        """Return in how many scenarios it failed, and of which of so many adapters."""
        counts = [(adapter.name, len(verdicts), self._judged(adapter)) for _, adapter, verdicts in self.parts]
        if adapters == 1:
            ((_, count, judged),) = counts
            return f"{count} of {judged} scenarios" if judged > 1 else ""
        return names_in_a_sentence([f"{name} {count} of {judged}" for name, count, judged in counts])

    def _judged(self, adapter: Adapter) -> int:
        return sum(each.requirement == self.requirement.id for each in adapter.entry.verdicts)


def failures_by_requirement(report: Merged) -> list[Failure]:
    """Return what needs attention; a requirement whose failures only follow from others comes last."""
    found: list[tuple[bool, int, tuple[_Part, ...]]] = []
    for row, requirement in enumerate(report.requirements):
        parts = tuple(
            (number, adapter, verdicts)
            for number, adapter in enumerate(report.adapters)
            if not adapter.entry.error
            and (
                verdicts := tuple(
                    each
                    for each in (*adapter.attention(), *adapter.following())
                    if each.requirement == requirement.id
                )
            )
        )
        if parts:
            follows = all(each.follows_from for _, _, verdicts in parts for each in verdicts)
            found.append((follows, row, parts))
    found.sort(key=lambda each: each[:2])
    return [Failure(row, report.requirements[row], parts) for _, row, parts in found]


def causes_by_rank(report: Merged) -> list[ExplainedCause]:
    """Return the causes of all adapters: the first cause of each, then the second of each, and so on."""
    by_adapter = (explained_causes(adapter.name, adapter.entry) for adapter in report.adapters)
    return [cause for rank in itertools.zip_longest(*by_adapter) for cause in rank if cause is not None]


def causes_by_verdict(report: Merged) -> Mapping[tuple[int, str, str], str]:
    """Return the headline of what explains a failure, by its adapter's number, scenario and requirement."""
    return dict(_explained(report))


def _explained(report: Merged) -> Iterator[tuple[tuple[int, str, str], str]]:
    for number, adapter in enumerate(report.adapters):
        for cause in explained_causes(adapter.name, adapter.entry):
            for verdict in cause.failures:
                yield (number, verdict.scenario, verdict.requirement), cause.headline
