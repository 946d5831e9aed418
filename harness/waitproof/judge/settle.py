"""What a first finding and its isolated re-runs come to.

A suspicion is a finding that a busy machine could have caused. `settle` says what the findings of all runs
amount to, and `RULES` what each settlement means for the verdict:

    first finding   re-runs                                      settlement     verdict
    certain         none                                         FINAL          the finding's
    suspicion       none: a baseline knows the deviation         KNOWN          the finding's
    suspicion       too few so far                               OPEN           INCONCLUSIVE
    suspicion       the first one passed                         PASSED         the re-run's
    suspicion       passed, but the wait had stood still long    STOOD_STILL    INCONCLUSIVE
    suspicion       suspicious again, then passed                SOMETIMES      INCONCLUSIVE
    suspicion       one found something certain                  OTHER          the re-run's
    suspicion       all suspicious, but of different mistakes    DIFFERENT      INCONCLUSIVE
    suspicion       all the same, and the machine was as late    MACHINE        INCONCLUSIVE
    suspicion       all the same                                 REPRODUCED     the last finding's

What the same suspicion came to in other scenarios can decide, too; `groups` then makes a `Ruling`:

    suspicion       too few, but reproduced in other scenarios   CONFIRMED      the finding's
    suspicion       reproduced only after other waits            STATE_KEPT     the finding's
    suspicion       passed, or others did; suspicious in several ONLY_TOGETHER  INCONCLUSIVE
    suspicion       too few, but what explains it has failed     FOLLOWS        the finding's
    suspicion       none: too long; the like of it is reproduced ALIKE          the finding's
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from waitproof.judge.check import Case, Finding, Mark

__all__ = ["MAX_RERUNS", "RERUNS", "RULES", "Rule", "Ruling", "Settlement", "is_decided", "settle"]

RERUNS = 2  # a bound missed once and twice more is a fact
MAX_RERUNS = 4  # where the amounts differ: an SDK's lateness is constant, a machine's isn't
SAME_SLACK_S = 0.020  # how much two runs of an SDK that does the same may differ
SAME_RATIO = 0.05  # of what they missed: 2.61 s and 2.64 s are the same, and no machine is late twice by that


class Settlement(StrEnum):
    """See the table in the module's docstring."""

    FINAL = "final"
    KNOWN = "known"
    OPEN = "open"
    PASSED = "passed"
    STOOD_STILL = "stood_still"
    SOMETIMES = "sometimes"
    OTHER = "other"
    DIFFERENT = "different"
    MACHINE = "machine"
    REPRODUCED = "reproduced"
    CONFIRMED = "confirmed"
    STATE_KEPT = "state_kept"
    ONLY_TOGETHER = "only_together"
    FOLLOWS = "follows"
    ALIKE = "alike"


@dataclass(frozen=True)
class Ruling:
    """What the same suspicion in other scenarios says about one.

    Attributes:
        settlement: CONFIRMED, STATE_KEPT, ONLY_TOGETHER, FOLLOWS or ALIKE.
        suspicious: In how many scenarios the requirement was suspicious.
        scenarios: The ids of those whose re-runs decided.
        cause: The requirement whose failure in the same scenario explains this one's, or which is judged by
            the same check.
    """

    settlement: Settlement
    suspicious: int
    scenarios: tuple[str, ...] = ()
    cause: str = ""


@dataclass(frozen=True)
class Rule:
    """What a settlement means for the verdict.

    Attributes:
        note: What the explanation adds; may name {number}, {times}, {first} and {delay}, and of a ruling
            {suspicious}, {scenarios} and {cause}.
        shows: Which run's finding and timeline are shown: 0 the first, -1 the last.
        is_inconclusive: The verdict is INCONCLUSIVE, whatever was found.
        last_passed: The last run passed, so it is not one of the runs that {delay} and the count are about.
    """

    note: str = ""
    shows: int = 0
    is_inconclusive: bool = False
    last_passed: bool = False

    def measured(self, cases: Sequence[Case]) -> Sequence[Case]:
        """Return the runs whose scheduling delay counts."""
        return cases[:-1] if self.last_passed else cases


RULES = {
    Settlement.FINAL: Rule(),
    Settlement.KNOWN: Rule("a known deviation, it was not re-run in isolation"),
    Settlement.OPEN: Rule("could not be settled by isolated re-runs; {delay}", is_inconclusive=True),
    Settlement.PASSED: Rule("passed in isolation; at first {first} ({delay})", shows=-1, last_passed=True),
    Settlement.STOOD_STILL: Rule(
        "passed in isolation, but a busy machine alone does not stop a wait for that long; {delay}",
        is_inconclusive=True,
        last_passed=True,
    ),
    Settlement.SOMETIMES: Rule(
        "seen {times}, then not in an isolated re-run; {delay}", is_inconclusive=True, last_passed=True
    ),
    Settlement.OTHER: Rule("seen in an isolated re-run", shows=-1),
    Settlement.DIFFERENT: Rule(
        "different in each of {number} isolated re-runs; {delay}", shows=-1, is_inconclusive=True
    ),
    Settlement.MACHINE: Rule(
        "reproduced in {number} isolated re-runs, but a busy machine explains it as well; {delay}",
        shows=-1,
        is_inconclusive=True,
    ),
    Settlement.REPRODUCED: Rule("reproduced in {number} isolated re-runs", shows=-1),
    Settlement.CONFIRMED: Rule(
        "suspicious in {suspicious} scenarios, and reproduced in isolated re-runs of {scenarios}"
    ),
    Settlement.STATE_KEPT: Rule(
        "suspicious in {suspicious} scenarios; re-runs of {scenarios} passed in a fresh process, and "
        "reproduced it after other waits in one process: the SDK keeps state from wait to wait"
    ),
    Settlement.ONLY_TOGETHER: Rule(
        "suspicious in {suspicious} scenarios of one run, but isolated re-runs of {scenarios} passed: "
        "a busy machine explains that, and so does state that the SDK keeps from wait to wait; {delay}",
        is_inconclusive=True,
    ),
    Settlement.FOLLOWS: Rule("not re-run in isolation, because {cause} failed here and explains it"),
    Settlement.ALIKE: Rule(
        "not re-run in isolation, because {cause} is judged in the same way, and was reproduced in shorter "
        "re-runs of {scenarios}"
    ),
}


def settle(
    findings: Sequence[Finding],
    lags_s: Sequence[float],
    starved_s: Sequence[float],
    *,
    is_final: bool,
    is_known: bool,
) -> Settlement:
    """Return what the findings of one requirement come to.

    Args:
        findings: Of the first run, then of the isolated re-runs, up to the one that decides; never empty.
        lags_s: How late the server's own process woke at worst in each of these runs, in seconds.
        starved_s: How long the adapter was kept from a processor for each poll, and stopped, in each of
            these runs, in seconds; 0.0 where nobody looked, as in the first run.
        is_final: The first finding needs no re-run.
        is_known: The first finding needs no re-run, because a baseline knows the deviation, or `is_final`.
    """
    first, last = findings[0], findings[-1]
    if is_final:
        return Settlement.FINAL
    if is_known:
        return Settlement.KNOWN
    if not is_decided(findings):
        return Settlement.OPEN
    if last.mark is Mark.KEPT:
        if first.is_extreme:
            return Settlement.STOOD_STILL
        return Settlement.PASSED if len(findings) == 2 else Settlement.SOMETIMES
    if last.mark is not Mark.SUSPECT:
        return Settlement.OTHER
    if len({finding.settles for finding in findings}) > 1:
        return Settlement.DIFFERENT
    if all(finding.excess_s <= lag_s for finding, lag_s in zip(findings, lags_s, strict=True)):
        return Settlement.MACHINE
    if all(each.missed_s <= by_s for each, by_s in zip(findings[1:], starved_s[1:], strict=True)):
        return Settlement.MACHINE
    return Settlement.REPRODUCED


def is_decided(findings: Sequence[Finding]) -> bool:
    """Return True if more isolated re-runs cannot change what these findings come to."""
    return findings[-1].mark is not Mark.SUSPECT or len(findings) > _reruns_needed(findings)


def _reruns_needed(findings: Sequence[Finding]) -> int:
    """Return how many re-runs a suspicion needs to become a fact."""
    missed_s = [finding.missed_s for finding in findings]
    same_s = max(SAME_SLACK_S, SAME_RATIO * min(missed_s))
    if min(missed_s) == math.inf or max(missed_s) - min(missed_s) <= same_s:
        return RERUNS
    return MAX_RERUNS
