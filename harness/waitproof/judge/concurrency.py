"""Checks of waits that go on at the same time: whether they share something, or hold each other up."""

from __future__ import annotations

import itertools
from collections import defaultdict

from waitproof.judge.check import Case, Finding, Mark, NoArguments, broken, kept, kind, suspect
from waitproof.judge.deadlines import is_timeout
from waitproof.judge.intervals import EARLY_SLACK_S
from waitproof.judge.observation import CallRecord
from waitproof.judge.outcomes import outcome_expected
from waitproof.judge.pauses import MIN_PERIODS, long_pauses
from waitproof.judge.words import describe, seconds
from waitproof.suite import Model

__all__: list[str] = []

LEAST_HELD_UP_RATIO = 2 / 3  # of an interval: from a poll that a busy machine made late to the other wait's
MOST_HELD_UP_RATIO = 1.5  # of a sleep that the other wait sits out, which a busy machine makes longer
HELD_UP_SHARE = 2 / 3  # of the polls: where waits do not block, that many do not come just then by chance


@kind(
    "waits_are_independent",
    timed=True,
    reads=["returns", "raises", "task", "polls"],
    accuses="what outcome_expected accuses, and waits at once of which no two are ever under way together",
    excuses="waits of one poll, and a machine that starts each so late that the one before has ended",
)
def waits_are_independent(case: Case, arguments: NoArguments) -> Finding:
    """Waits that are made at once end as the scenario says, and do not begin one after the other.

    The order alone is a suspicion: a machine can start the last wait as late as the others take.
    """
    finding = outcome_expected(case, arguments)
    if finding.mark is not Mark.KEPT:
        return finding
    copies: dict[int, list[CallRecord]] = defaultdict(list)
    for call in case.waits():
        copies[call.index].append(call)
    for waits in copies.values():
        polls = [case.polls(call) for call in waits]
        spans = sorted((each[0].arrived_s, each[-1].arrived_s) for each in polls if len(each) > 1)
        are_apart = all(end_s < start_s for (_, end_s), (start_s, _) in itertools.pairwise(spans))
        if are_apart and len(spans) == len(waits) > 1:
            seen = f"no two of {len(waits)} waits were under way at the same time"
            took_s = [end_s - start_s for start_s, end_s in spans]
            return suspect("waits that go on at the same time", seen, excess_s=sum(took_s) - max(took_s))
    return finding


@kind(
    "waits_interleave",
    timed=True,
    accuses="two waits of which one is held up by a sleep or a request of the other",
    excuses="polls that are few or far apart: that is for interval_kept",
)
def waits_interleave(case: Case, _arguments: Model) -> Finding:
    """Two waits that begin together poll in turn: neither blocks the other, asleep or in a request.

    What shows it is that one is held up by the other. Polls that are few or far apart show an interval.
    """
    expected = "both waits poll in turn"
    waits = list(case.waits())
    if len(waits) < 2:
        return broken("two waits at once", f"there was {'one' if waits else 'none'}")
    return (
        _one_after_the_other(case, waits, expected)
        or _held_up_by_a_sleep(case, waits, expected)
        or _held_up_by_a_request(case, waits, expected)
        or kept(expected, "they did")
    )


def _one_after_the_other(case: Case, waits: list[CallRecord], expected: str) -> Finding | None:
    """Return a suspicion where a wait began only after another one, or has too few polls to show its turns.

    One poll is enough of a wait that lasted until its timeout: its interval left room for no other.
    """
    spans = []
    for call in waits:
        polls = case.polls(call)
        is_long = is_timeout(case, call) and bool(polls)
        if len(polls) < 2 and not is_long:
            count = "no poll" if not polls else "one poll"
            return suspect(
                f"{expected}, two polls or more each",
                f"wait {call.copy} sent {count}, and {describe(call.seen)}",
            )
        end_s, end = polls[-1].arrived_s, "the last poll"
        if len(polls) < 2 and call.received_s is not None:
            end_s, end = call.received_s, "the end"
        spans.append((polls[0].arrived_s, end_s, f"{end} of wait {call.copy}", call.copy))
    spans.sort()
    for (_, end_s, end, _), (start_s, _, _, second) in itertools.pairwise(spans):
        if start_s >= end_s:
            seen = f"the first poll of wait {second} came {seconds(start_s - end_s)} after {end}: it blocked"
            return suspect(expected, seen)
    return None


def _held_up_by_a_sleep(case: Case, waits: list[CallRecord], expected: str) -> Finding | None:
    """Return a suspicion where a wait is slow because it sleeps only after the others have slept.

    Then no two sleeps overlap, so each poll comes an interval after one of another wait. The polls of waits
    that are slow by themselves come together, as the waits began, or at any distance.
    """
    every = sorted(
        (poll.arrived_s, call.copy, call.interval_s(case.contract))
        for call in waits
        for poll in case.polls(call)
        if poll.arrived_s < call.sent_s + call.timeout_s(case.contract) - EARLY_SLACK_S
    )
    answer_s = max(step.delay for step in case.scenario.task)
    gaps = list(itertools.pairwise(every[len(waits) - 1 :]))  # no sleep is between the first polls of all
    held_up = 0
    for (before_s, before, _), (after_s, after, interval_s) in gaps:
        most_s = MOST_HELD_UP_RATIO * max(interval_s, answer_s) + case.observation.lag_s
        is_a_sleep = LEAST_HELD_UP_RATIO * interval_s <= after_s - before_s <= most_s
        held_up += before != after and is_a_sleep
    if len(gaps) < MIN_PERIODS - 1 or held_up < HELD_UP_SHARE * len(gaps):
        return None
    for call in waits:
        slow = long_pauses(case.polls(call), call.intervals(case.contract), expected)
        if slow is not None:
            seen = (
                f"wait {call.copy} has {slow.seen}, and {held_up} of {len(gaps)} polls came an interval "
                "after one of the other wait: its sleep blocks"
            )
            return suspect(slow.expected, seen, missed_s=slow.missed_s)
    return None


def _held_up_by_a_request(case: Case, waits: list[CallRecord], expected: str) -> Finding | None:
    """Return a suspicion where slow answers are never awaited by two waits at the same time.

    A wait that awaited no answer at all, because its timeout is too short, holds up nobody.
    """
    delay_s = max(step.delay for step in case.scenario.task)
    have_answers = all(any(poll.answered_s is not None for poll in case.polls(call)) for call in waits)
    if not delay_s or not have_answers or _were_in_flight_together(case, waits):
        return None
    seen = f"answers took {seconds(delay_s)}, and no two polls were in flight at once: a request blocked"
    return suspect(expected, seen)


def _were_in_flight_together(case: Case, waits: list[CallRecord]) -> bool:
    """Say whether polls of different waits ever were."""
    first, *others = [case.polls(call) for call in waits]
    return any(
        mine.arrived_s < theirs.answered_s and theirs.arrived_s < mine.answered_s
        for other in others
        for mine in first
        for theirs in other
        if mine.answered_s is not None and theirs.answered_s is not None
    )
