"""What a busy machine can have done to a scenario, whatever its requirements are about.

A fact that looks like a broken promise is final only where no machine could have brought it about. The checks
of time know that for themselves; here is what a machine can do to what the others see: take a wait's time
away, so that too few of its polls are made, or hold a request up until the server has just closed its
connection.
"""

from __future__ import annotations

from harness.judge.case import Case
from harness.judge.timing import EARLY_SLACK_S, LATE_SLACK_S
from harness.observation import CallRecord
from harness.protocol import Raised

__all__ = ["may_have_interfered"]


def may_have_interfered(case: Case) -> bool:
    """Say whether what was seen can be other than what the SDK does on a machine that has time for it."""
    return any(_was_held_up(case, call) or _met_a_close(case, call) for call in case.waits())


def _was_held_up(case: Case, call: CallRecord) -> bool:
    """Say whether a wait's time was up before it had made the polls for which there was time."""
    timeout_s = call.timeout_s(case.contract)
    took_s = call.took_s
    if took_s is None or took_s < timeout_s - EARLY_SLACK_S:
        return False
    fitting = max(1, int(timeout_s / call.interval_s(case.contract)))
    return len(case.observation.polls_of(call)) < fitting


def _met_a_close(case: Case, call: CallRecord) -> bool:
    """Say whether a wait failed when the server closed the connection: its request was on the way then."""
    polls = case.observation.requests_of(call)
    if not polls or not isinstance(call.seen, Raised) or call.received_s is None:
        return False
    closes_s, answered_s = case.scenario.task[polls[-1].step].close_after, polls[-1].answered_s
    if closes_s is None or answered_s is None:
        return False
    return call.received_s - (answered_s + closes_s) <= LATE_SLACK_S
