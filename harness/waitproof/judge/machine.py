"""What a busy machine can have done to a scenario, whatever its requirements are about.

A fact that looks like a broken promise is final only where no machine could have brought it about. The checks
of time know that for themselves; here is what a machine can do to what the others see: take a wait's time
away, so that too few of its polls are made, or hold a request up until the server has just closed its
connection. In a pool of connections that an SDK's clients share, that may be another scenario's connection.
"""

from __future__ import annotations

from dataclasses import dataclass

from waitproof.judge.check import Case
from waitproof.judge.deadlines import is_timeout
from waitproof.judge.intervals import EARLY_SLACK_S, LATE_SLACK_S
from waitproof.judge.observation import CallRecord
from waitproof.judge.pauses import are_seldom, usual_delay_s
from waitproof.protocol import ExceptionKind, Raised
from waitproof.suite import Intervals

__all__ = ["Interference", "interferences"]

SLIGHT_S = 0.200  # no wait goes wrong for want of so little time; a stop that matters takes longer
SLIGHT_RATIO = 0.05  # of a wait: what a busy machine adds to its pauses here and there
MAX_TAKEN_S = 2.0  # of a wait, by a machine that is merely busy; of a long wait it may be half


@dataclass(frozen=True)
class Interference:
    """A wait that may have gone other than it does on a machine that has time for it.

    Attributes:
        is_extreme: It stood still for so long that the SDK itself may have made it: by a lock, or by a pool
            of connections that others have used up, which a fresh process does not show.
        is_of_pauses: Its polls are too few because most of its pauses were too long.
    """

    call: CallRecord
    is_extreme: bool = False
    is_of_pauses: bool = False


def interferences(case: Case) -> list[Interference]:
    """Return the waits that the machine may have interfered with."""
    found = []
    for call in case.waits():
        taken_s = _taken_s(case, call)
        if taken_s:
            limit_s = max(MAX_TAKEN_S, call.timeout_s(case.contract) / 2)
            is_of_pauses = are_seldom(case.observation.polls_of(call), call.intervals(case.contract))
            found.append(Interference(call, taken_s > limit_s, is_of_pauses))
        elif _met_a_close(case, call) or _met_anothers_fault(case, call):
            found.append(Interference(call))
    return found


def _taken_s(case: Case, call: CallRecord) -> float:
    """Return how much of a wait's time was gone without the requests for which there was time, else 0.

    How many there was time for is counted with the wait's own period, a little longer than the interval.
    """
    timeout_s, intervals = call.timeout_s(case.contract), call.intervals(case.contract)
    if call.took_s is None or call.took_s < timeout_s - EARLY_SLACK_S:
        return 0.0
    polls = case.observation.polls_of(call)
    made = len(polls) + len(case.observation.others_of(call))
    delay_s = usual_delay_s(polls, intervals)
    fitting = max(1, _fitting(intervals, delay_s, timeout_s))
    used_s, needed_s = (intervals.sum_s(count) + count * delay_s for count in (made, fitting))
    is_slight = needed_s - used_s <= min(SLIGHT_S, SLIGHT_RATIO * timeout_s)
    return 0.0 if is_slight else timeout_s - used_s


def _fitting(intervals: Intervals, delay_s: float, timeout_s: float) -> int:
    """Return how many polls fit into a wait whose pauses are all longer than documented by a delay."""
    if intervals.is_constant:
        return int(timeout_s / (intervals.first_s + delay_s))
    count = intervals.fitting(timeout_s)
    while count and intervals.sum_s(count) + count * delay_s > timeout_s:
        count -= 1
    return count


def _met_a_close(case: Case, call: CallRecord) -> bool:
    """Say whether a wait failed when the server closed the connection: its next poll was on the way then."""
    polls = case.observation.requests_of(call)
    if not polls or not isinstance(call.seen, Raised) or call.received_s is None:
        return False
    closes_s, answered_s = case.scenario.task[polls[-1].step].close_after, polls[-1].answered_s
    if closes_s is None or answered_s is None or case.is_terminal(polls[-1]):
        return False
    next_due_s = call.sent_s + call.intervals(case.contract).sum_s(len(polls)) - EARLY_SLACK_S
    late_s = 2 * case.observation.lag_s  # it closes late, and then reads late what came before that
    return next_due_s <= call.received_s <= answered_s + closes_s + LATE_SLACK_S + late_s


def _met_anothers_fault(case: Case, call: CallRecord) -> bool:
    """Say whether a wait lost a connection that no step of its own scenario has closed or broken off."""
    observation, polls = case.observation, case.observation.requests_of(call)
    steps = [case.scenario.task[poll.step] for poll in polls]
    return (
        observation.shares_connections
        and not observation.alone
        and isinstance(call.seen, Raised)
        and call.seen.kind is ExceptionKind.TRANSPORT
        and all(step.fault is None or step.fault.drop is None for step in steps)
        and not is_timeout(case, call)
    )
