"""Known deviations of an SDK: which verdicts a baseline file excuses, and which of its entries hold no more.

A baseline excuses FAIL and WARN alone: ERROR and INCONCLUSIVE say nothing about the SDK. It is a list of
debts, so an entry that is paid, has run out or means nothing is told with its place in the file, and fails
the run. Pure: the file's text, today's date and what was played are handed in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from waitproof.errors import InputError, Mistake, nearest
from waitproof.judge import Status, Verdict
from waitproof.suite.files import read_file
from waitproof.suite.scenario import Scenario
from waitproof.suite.yaml import Format, Model, build, mistake_at, read

__all__ = ["Baseline", "Deviation", "Entry", "Problem", "Stale", "load_baseline", "parse_baseline"]


class Deviation(Model):
    """One known deviation: a requirement everywhere, or in one scenario (`scenario:requirement`).

    Attributes:
        sometimes: Chance decides whether it shows, so it excuses and is never called kept.
    """

    noun: ClassVar[str] = "deviation"
    deviation: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    link: str = ""
    expires: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")] | None = None
    sometimes: bool = False

    @property
    def scenario(self) -> str:
        """The one scenario it is about, "" for every one."""
        return self.deviation.rpartition(":")[0]

    @property
    def requirement(self) -> str:
        """The requirement it is about."""
        return self.deviation.rpartition(":")[2]

    def covers(self, scenario: str, requirement: str) -> bool:
        """Say whether a requirement in a scenario is what this deviation is about."""
        return self.requirement == requirement and self.scenario in {"", scenario}


class _File(Model):
    noun: ClassVar[str] = "baseline"
    format: Format
    deviations: tuple[Deviation, ...]


class Problem(StrEnum):
    """Why an entry must be looked at again."""

    KEPT = "kept"
    NO_MATCH = "no_match"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Entry:
    """A deviation where it stands in its file.

    Attributes:
        place: `file:line:column` of its beginning.
        expiry: The mistake of keeping it past its last day, None while it holds.
        found: The line of the file at its beginning.
    """

    known: Deviation
    place: str = ""
    expiry: Mistake | None = None
    found: str = ""


@dataclass(frozen=True)
class Stale:
    """An entry that holds no more; it fails the run.

    Attributes:
        mistake: Its place in the file, the fact and the fix.
    """

    entry: Entry
    problem: Problem
    mistake: Mistake


@dataclass(frozen=True)
class Baseline:
    """The deviations of one file.

    Attributes:
        entries: In the file's order; what has expired excuses nothing.
        file: The file's name for people, "" where there is none.
    """

    entries: tuple[Entry, ...] = ()
    file: str = ""

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """The deviations that hold today."""
        return tuple(entry.known for entry in self.entries if entry.expiry is None)

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

    def stale(
        self,
        verdicts: Collection[Verdict],
        proves: Mapping[str, Collection[str]] | None,
        requirements: Collection[str],
        *,
        adapter: str,
    ) -> tuple[Stale, ...]:
        """Return the entries that hold no more, as far as what was played tells.

        Args:
            verdicts: Every verdict that is known of the adapter, excused or not.
            proves: What each scenario of the whole suite proves, by its id; None where nobody knows, and
                then only entries about one scenario are judged by what became of it.
            requirements: Every requirement of the contract.
            adapter: What to write after `waitproof baseline update`.
        """
        return tuple(
            stale
            for entry in self.entries
            if (stale := _stale(entry, verdicts, proves, requirements, adapter)) is not None
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


def _stale(
    entry: Entry,
    verdicts: Collection[Verdict],
    proves: Mapping[str, Collection[str]] | None,
    requirements: Collection[str],
    adapter: str,
) -> Stale | None:
    known = entry.known
    mine = [verdict for verdict in verdicts if known.covers(verdict.scenario, verdict.requirement)]
    played = {(verdict.scenario, verdict.requirement) for verdict in verdicts}
    wanted = {(name, each) for name, listed in (proves or {}).items() for each in listed}
    if not mine:
        # A selection says nothing about what it left out.
        if proves is None or not wanted <= played:
            return None
        return Stale(entry, Problem.NO_MATCH, _no_match(entry, proves, requirements, adapter))
    if _is_kept(known, mine, wanted if proves is not None else None):
        return Stale(entry, Problem.KEPT, _kept(entry, mine, adapter))
    if entry.expiry is not None:
        return Stale(entry, Problem.EXPIRED, entry.expiry)
    return None


def _is_kept(known: Deviation, mine: Sequence[Verdict], wanted: Collection[tuple[str, str]] | None) -> bool:
    """Say whether an entry excuses nothing more: all that it covers was played, and nothing of it differs.

    What was not judged (UNSUPPORTED, INCONCLUSIVE, ERROR and so on) may still differ.
    """
    if known.sometimes or any(verdict.status not in {Status.PASS, Status.INFO} for verdict in mine):
        return False
    if known.scenario:
        return True
    played = {(verdict.scenario, verdict.requirement) for verdict in mine}
    return wanted is not None and all(pair in played for pair in wanted if known.covers(*pair))


def _kept(entry: Entry, mine: Sequence[Verdict], adapter: str) -> Mistake:
    where = "" if entry.known.scenario or len(mine) == 1 else f" in all {len(mine)} scenarios"
    fact = f"the deviation '{entry.known.deviation}' was not seen any more: it is kept{where}"
    if all(verdict.status is Status.INFO for verdict in mine):
        fact = f"the deviation '{entry.known.deviation}' excuses nothing: INFO goes on record, never judged"
    return Mistake(entry.place, fact, entry.found, fix=_take_it_out(adapter))


def _no_match(
    entry: Entry, proves: Mapping[str, Collection[str]], requirements: Collection[str], adapter: str
) -> Mistake:
    known = entry.known
    if known.requirement not in requirements:
        fact = f"the deviation matches nothing: no requirement is called '{known.requirement}'"
        fix = nearest(known.requirement, requirements)
    elif known.scenario and known.scenario not in proves:
        fact = f"the deviation matches nothing: no scenario is called '{known.scenario}'"
        fix = nearest(known.scenario, proves)
    elif known.scenario:
        fact = f"the deviation matches nothing: '{known.scenario}' does not prove '{known.requirement}'"
        fix = ""
    else:
        fact = f"the deviation matches nothing: no scenario proves '{known.requirement}'"
        fix = ""
    return Mistake(entry.place, fact, entry.found, fix=fix or _take_it_out(adapter))


def _take_it_out(adapter: str) -> str:
    return f"take it out, by hand or with: waitproof baseline update {adapter}"


def parse_baseline(text: str, place: str, today: date) -> Baseline:
    """Return what a baseline file says.

    Args:
        text: The file's text.
        place: Its name in messages.
        today: Deviations that expired before it excuse nothing.

    Raises:
        InputError: With every mistake.
    """
    node = read(text, place)
    file = build(_File, node, place)
    mistakes = []
    entries = []
    for number, known in enumerate(file.deviations):
        here = mistake_at(node, ("deviations", number), place, "")
        expiry = None
        if known.expires is not None:
            expiry_at = ("deviations", number, "expires")
            try:
                expires = date.fromisoformat(known.expires)
            except ValueError:
                fact = f"{known.expires} is no date"
                mistakes.append(mistake_at(node, expiry_at, place, fact, expected="such as 2027-06-30"))
                continue
            if expires < today:
                fact = f"the deviation '{known.deviation}' expired on {known.expires}"
                fix = "see whether the SDK has been fixed; else give it a later date, with the reason"
                expiry = mistake_at(node, expiry_at, place, fact, fix=fix)
        entries.append(Entry(known, here.place, expiry, here.found))
    if mistakes:
        raise InputError(mistakes)
    return Baseline(tuple(entries), place)


def load_baseline(file: Path | None) -> Baseline:
    """Return the known deviations in a file, those that have expired marked; none without a file.

    Raises:
        InputError: The file is wrong.
    """
    return Baseline() if file is None else parse_baseline(read_file(file), str(file), date.today())
