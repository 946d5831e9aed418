"""Known deviations of an SDK: which verdicts a baseline file excuses, and why.

A baseline excuses FAIL and WARN alone: ERROR and INCONCLUSIVE say nothing about the SDK. Pure but for
nothing: the file's text and today's date are handed in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Annotated, ClassVar

from pydantic import Field

from harness.errors import InputError
from harness.judge import Status, Verdict
from harness.scenario import Scenario
from harness.source import Format, Model, build, mistake_at, read

__all__ = ["Baseline", "Deviation", "parse_baseline"]


class Deviation(Model):
    """One known deviation: a requirement everywhere, or in one scenario (`scenario:requirement`)."""

    noun: ClassVar[str] = "deviation"
    deviation: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    link: str = ""
    expires: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    sometimes: bool = False

    def covers(self, scenario: str, requirement: str) -> bool:
        """Say whether a requirement in a scenario is what this deviation is about."""
        where, _, name = self.deviation.rpartition(":")
        return name == requirement and where in {"", scenario}


class _File(Model):
    noun: ClassVar[str] = "baseline"
    format: Format
    deviations: tuple[Deviation, ...]


@dataclass(frozen=True)
class Baseline:
    """The deviations of one file that hold today."""

    deviations: tuple[Deviation, ...] = ()

    def excuse(self, verdicts: Sequence[Verdict], *, lacked: str = "") -> tuple[Verdict, ...]:
        """Return the verdicts, those that a deviation excuses with its reason and link.

        Args:
            verdicts: What was judged.
            lacked: The requirement that the SDK ships a helper, where it ships none: what is UNSUPPORTED
                then follows from that, and is excused with it.
        """
        excused = []
        for verdict in verdicts:
            known = self._known(verdict, lacked)
            excused.append(
                verdict if known is None else replace(verdict, excused=known.reason, link=known.link)
            )
        return tuple(excused)

    def known(self, scenario: Scenario) -> frozenset[str]:
        """Return the requirements whose deviation is known in a scenario."""
        return frozenset(
            name
            for name in scenario.proves
            if any(each.covers(scenario.id, name) for each in self.deviations)
        )

    def _known(self, verdict: Verdict, lacked: str) -> Deviation | None:
        if verdict.status in {Status.FAIL, Status.WARN}:
            return next(
                (known for known in self.deviations if known.covers(verdict.scenario, verdict.requirement)),
                None,
            )
        if verdict.status is Status.UNSUPPORTED and lacked:
            return next((known for known in self.deviations if known.deviation == lacked), None)
        return None


def parse_baseline(text: str, place: str, today: date) -> Baseline:
    """Return what a baseline file says.

    Args:
        text: The file's text.
        place: Its name in messages.
        today: Deviations that expired before it are mistakes.

    Raises:
        InputError: With every mistake.
    """
    node = read(text, place)
    file = build(_File, node, place)
    mistakes = []
    for number, known in enumerate(file.deviations):
        if known.expires is None:
            continue
        at = ("deviations", number, "expires")
        try:
            expires = date.fromisoformat(known.expires)
        except ValueError:
            fact = f"{known.expires} is no date"
            mistakes.append(mistake_at(node, at, place, fact, expected="such as 2027-06-30"))
            continue
        if expires < today:
            fact = f"the deviation '{known.deviation}' expired on {known.expires}"
            mend = "see whether the SDK has been mended; else give it a later date, with the reason"
            mistakes.append(mistake_at(node, at, place, fact, mend=mend))
    if mistakes:
        raise InputError(mistakes)
    return Baseline(file.deviations)
