"""Known deviations of an SDK: which verdicts a baseline file excuses, and which of its entries are stale.

A baseline excuses only FAIL and WARN: ERROR and INCONCLUSIVE say nothing about the SDK. It is a list of
debts: an entry that is paid, has expired or matches nothing is reported with its place in the file, and fails
the run. Pure, except for `load_baseline`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from waitproof.errors import Mistake, nearest
from waitproof.judge import Status, Verdict
from waitproof.suite import Document, Format, Model, Scenario, build, invalid, read_file
from waitproof.suite import Path as YamlPath

__all__ = ["Baseline", "Deviation", "Entry", "Problem", "Stale", "load_baseline", "parse_baseline"]


def _date(text: str) -> str:
    try:
        date.fromisoformat(text)
    except ValueError:
        raise invalid(f"{text} is not a date", expected="such as 2027-06-30") from None
    return text


class Deviation(Model):
    """One known deviation: a requirement everywhere, or in one scenario (`scenario:requirement`).

    Attributes:
        sometimes: It does not show in every run, so it is not stale when it does not.
    """

    noun: ClassVar[str] = "deviation"
    deviation: Annotated[str, Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1)]
    link: str = ""
    expires: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$"), AfterValidator(_date)] | None = None
    sometimes: bool = False

    @property
    def scenario(self) -> str:
        """The one scenario it is about, "" for all."""
        return self.deviation.rpartition(":")[0]

    @property
    def requirement(self) -> str:
        """The requirement it is about."""
        return self.deviation.rpartition(":")[2]

    def covers(self, scenario: str, requirement: str) -> bool:
        """Whether the deviation is about a requirement in a scenario."""
        return self.requirement == requirement and self.scenario in {"", scenario}


class _File(Model):
    noun: ClassVar[str] = "baseline"
    format: Format
    deviations: tuple[Deviation, ...]


class Problem(StrEnum):
    """Why an entry is stale."""

    PASSES = "passes"
    NO_MATCH = "no_match"
    EXPIRED = "expired"

    @classmethod
    def _missing_(cls, value: object) -> Problem | None:
        """Return what an older report.json calls `kept`."""
        return cls.PASSES if value == "kept" else None


@dataclass(frozen=True)
class Entry:
    """A deviation in its file.

    Attributes:
        place: `file:line:column` of its beginning.
        expiry: What to report about an entry past its last day, None until then.
        found: The line of the file at its beginning.
    """

    known: Deviation
    place: str = ""
    expiry: Mistake | None = None
    found: str = ""


@dataclass(frozen=True)
class Stale:
    """An entry that is no longer true, which fails the run.

    Attributes:
        mistake: What to report about it.
    """

    entry: Entry
    problem: Problem
    mistake: Mistake


@dataclass(frozen=True)
class Baseline:
    """The deviations of one file.

    Attributes:
        entries: In the file's order; an expired one excuses nothing.
        file: The file's name for people, "" where there is none.
    """

    entries: tuple[Entry, ...] = ()
    file: str = ""

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        """The deviations that have not expired."""
        return tuple(entry.known for entry in self.entries if entry.expiry is None)

    def excuse(self, verdicts: Sequence[Verdict], *, lacked: str = "") -> tuple[Verdict, ...]:
        """Return the verdicts, with reason and link where a deviation excuses one.

        A failure that is excused, or follows from one that is, is separate: it must not go unseen.

        Args:
            verdicts: What was judged.
            lacked: The requirement that the SDK ships a helper, where it ships none: whatever is UNSUPPORTED
                follows from that, and is excused with it.
        """
        found = [self._excused(verdict, lacked) for verdict in verdicts]
        excused = {(each.scenario, each.requirement) for each in found if each.excused}
        return tuple(
            replace(each, follows_from="")
            if each.excused or (each.scenario, each.follows_from) in excused
            else each
            for each in found
        )

    def known(self, scenario: Scenario) -> frozenset[str]:
        """Return the requirements that have a known deviation in a scenario."""
        deviations = self.deviations
        return frozenset(
            name for name in scenario.proves if any(each.covers(scenario.id, name) for each in deviations)
        )

    def stale(
        self,
        verdicts: Collection[Verdict],
        proves: Mapping[str, Collection[str]] | None,
        requirements: Collection[str],
        *,
        adapter: str,
    ) -> tuple[Stale, ...]:
        """Return the entries that are stale, as far as the verdicts show it.

        Args:
            verdicts: Every known verdict of the adapter, excused or not.
            proves: What each scenario of the whole suite proves, by its id; None where that is not known, and
                then only entries about a single scenario can be stale.
            requirements: Every requirement of the contract.
            adapter: What to write after `waitproof baseline update`.
        """
        played = {(verdict.scenario, verdict.requirement) for verdict in verdicts}
        suite = (
            None if proves is None else {(name, each) for name, listed in proves.items() for each in listed}
        )
        found = []
        for entry in self.entries:
            covered = [each for each in verdicts if entry.known.covers(each.scenario, each.requirement)]
            if not covered:
                # A selection says nothing about what it left out.
                if proves is not None and suite is not None and suite <= played:
                    mistake = _no_match(entry, proves, requirements, adapter)
                    found.append(Stale(entry, Problem.NO_MATCH, mistake))
            elif _passes(entry.known, covered, suite):
                found.append(Stale(entry, Problem.PASSES, _passed(entry, covered, adapter)))
            elif entry.expiry is not None:
                found.append(Stale(entry, Problem.EXPIRED, entry.expiry))
        return tuple(found)

    def _excused(self, verdict: Verdict, lacked: str) -> Verdict:
        deviates = verdict.status in {Status.FAIL, Status.WARN}
        follows = verdict.status is Status.UNSUPPORTED and lacked != ""
        for known in self.deviations:
            is_covered = deviates and known.covers(verdict.scenario, verdict.requirement)
            if is_covered or (follows and known.deviation == lacked):
                return replace(verdict, excused=known.reason, link=known.link)
        return verdict


def _passes(known: Deviation, covered: Sequence[Verdict], suite: Collection[tuple[str, str]] | None) -> bool:
    """Whether everything that an entry covers was played and passed.

    What was not judged (UNSUPPORTED, INCONCLUSIVE, ERROR and so on) may still deviate.
    """
    if known.sometimes or any(verdict.status not in {Status.PASS, Status.INFO} for verdict in covered):
        return False
    if known.scenario:
        return True
    played = {(verdict.scenario, verdict.requirement) for verdict in covered}
    return suite is not None and all(pair in played for pair in suite if known.covers(*pair))


def _passed(entry: Entry, covered: Sequence[Verdict], adapter: str) -> Mistake:
    where = "" if entry.known.scenario or len(covered) == 1 else f" in all {len(covered)} scenarios"
    fact = f"the deviation '{entry.known.deviation}' no longer occurs: the requirement passes{where}"
    if all(verdict.status is Status.INFO for verdict in covered):
        fact = f"the deviation '{entry.known.deviation}' excuses nothing: INFO is recorded, never judged"
    return Mistake(entry.place, fact, entry.found, fix=_removal(adapter))


def _no_match(
    entry: Entry, proves: Mapping[str, Collection[str]], requirements: Collection[str], adapter: str
) -> Mistake:
    known = entry.known
    fix = ""
    if known.requirement not in requirements:
        reason = f"no requirement is called '{known.requirement}'"
        fix = nearest(known.requirement, requirements)
    elif known.scenario and known.scenario not in proves:
        reason = f"no scenario is called '{known.scenario}'"
        fix = nearest(known.scenario, proves)
    elif known.scenario:
        reason = f"'{known.scenario}' does not prove '{known.requirement}'"
    else:
        reason = f"no scenario proves '{known.requirement}'"
    fact = f"the deviation matches nothing: {reason}"
    return Mistake(entry.place, fact, entry.found, fix=fix or _removal(adapter))


def _removal(adapter: str) -> str:
    return f"remove it, by hand or with: waitproof baseline update {adapter}"


def parse_baseline(text: str, place: str, today: date) -> Baseline:
    """Return the baseline in a file's text.

    Args:
        text: The text.
        place: The file's name in messages.
        today: Deviations whose last day is before it have expired.

    Raises:
        InputError: With every mistake.
    """
    document = Document(text, place)
    entries = []
    for number, known in enumerate(build(_File, document).deviations):
        path: YamlPath = ("deviations", number)
        here = document.mistake(path, "")
        expiry = None
        if known.expires is not None and date.fromisoformat(known.expires) < today:
            fact = f"the deviation '{known.deviation}' expired on {known.expires}"
            fix = "check whether the SDK has been fixed; if not, set a later date and say why"
            expiry = document.mistake((*path, "expires"), fact, fix=fix)
        entries.append(Entry(known, here.place, expiry, here.found))
    return Baseline(tuple(entries), place)


def load_baseline(file: Path | None) -> Baseline:
    """Return the known deviations in a file, those that have expired marked; none without a file.

    Raises:
        InputError: The file is wrong.
    """
    return Baseline() if file is None else parse_baseline(read_file(file), str(file), date.today())
