"""The matrix: what the verdicts on one requirement come to for one adapter, and the text of that cell.

Every view that has a matrix shows these cells: the terminal, the page, the results and the badge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from waitproof.judge import Status
from waitproof.report.merge import Adapter, Merged
from waitproof.report.model import RequirementEntry, VerdictEntry
from waitproof.run import worst

__all__ = ["Cell", "Row", "cell", "cells_of", "rows", "status_word"]

_UNCOUNTED = {Status.UNSUPPORTED, Status.NOT_APPLICABLE}  # how often says nothing


@dataclass(frozen=True)
class Cell:
    """One adapter's verdicts on one requirement.

    Attributes:
        verdicts: Never empty.
        status: The worst of them.
        deciding: Those that have it.
    """

    verdicts: tuple[VerdictEntry, ...]
    status: Status
    deciding: tuple[VerdictEntry, ...]

    @property
    def text(self) -> str:
        """The status and how many verdicts have it, else the behavior on record.

        "PASS", "PASS 16" where all of 16 passed, "FAIL 2 of 16".
        """
        if self.status is Status.INFO:
            return "; ".join(sorted({verdict.behavior for verdict in self.verdicts}))
        word, number, total = status_word(self.status), len(self.deciding), len(self.verdicts)
        if self.status in _UNCOUNTED or total == 1:
            return word
        return f"{word} {number}" if number == total else f"{word} {number} of {total}"

    @property
    def needs_attention(self) -> bool:
        """Whether any of its verdicts does."""
        return any(each.needs_attention for each in self.verdicts)

    @property
    def excused(self) -> str:
        """How many deciding verdicts a baseline excuses: "excused" if all, "2 excused" if some, else ""."""
        number = sum(bool(verdict.excused) for verdict in self.deciding)
        if number == 0:
            return ""
        return "excused" if number == len(self.deciding) else f"{number} excused"


@dataclass(frozen=True)
class Row:
    """One requirement that was judged.

    Attributes:
        number: Its place among the requirements, from 0.
        cells: One for each adapter, None where that one was not judged.
    """

    number: int
    requirement: RequirementEntry
    cells: tuple[Cell | None, ...]


def rows(report: Merged) -> list[Row]:
    """Return a row for each requirement on which there is a verdict."""
    found = [
        Row(number, requirement, tuple(cell(adapter, requirement.id) for adapter in report.adapters))
        for number, requirement in enumerate(report.requirements)
    ]
    return [row for row in found if any(row.cells)]


def cell(adapter: Adapter, requirement: str) -> Cell | None:
    """Return an adapter's cell for a requirement, None where it was not judged."""
    verdicts = tuple(each for each in adapter.entry.verdicts if each.requirement == requirement)
    return cells_of(verdicts).get(requirement)


def cells_of(
    verdicts: Sequence[VerdictEntry], key: Callable[[VerdictEntry], str] = lambda verdict: verdict.requirement
) -> dict[str, Cell]:
    """Return verdicts as cells, one for each requirement or for whatever else `key` returns."""
    groups: dict[str, list[VerdictEntry]] = {}
    for verdict in verdicts:
        groups.setdefault(key(verdict), []).append(verdict)
    cells = {}
    for name, found in groups.items():
        status = worst(found)
        if status is not None:
            cells[name] = Cell(tuple(found), status, tuple(each for each in found if each.status is status))
    return cells


def status_word(status: Status) -> str:
    """Return a status as people read it."""
    return "n/a" if status is Status.NOT_APPLICABLE else status.value
