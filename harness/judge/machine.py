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

__all__ = ["interfered_with"]

MAX_TAKEN_S = 2.0  # of a wait, by a machine that is busy and not broken; of a long wait it may be half


def interfered_with(case: Case) -> list[CallRecord]:
    """Return the waits that may have gone other than they do on a machine that has time for them."""
    return [call for call in case.waits() if _was_held_up(case, call) or _met_a_close(case, call)]


def _was_held_up(case: Case, call: CallRecord) -> bool:
    """Say whether a wait's time was up before it had made the polls for which there was time."""
    timeout_s, interval_s = call.timeout_s(case.contract), call.interval_s(case.contract)
    if call.took_s is None or call.took_s < timeout_s - EARLY_SLACK_S:
        return False
    made = len(case.observation.polls_of(call))
    taken_s = timeout_s - made * interval_s
    return made < max(1, int(timeout_s / interval_s)) and taken_s <= max(MAX_TAKEN_S, timeout_s / 2)


def _met_a_close(case: Case, call: CallRecord) -> bool:
    """Say whether a wait failed when the server closed the connection: its next poll was on the way then."""
    polls = case.observation.requests_of(call)
    if not polls or not isinstance(call.seen, Raised) or call.received_s is None:
        return False
    closes_s, answered_s = case.scenario.task[polls[-1].step].close_after, polls[-1].answered_s
    if closes_s is None or answered_s is None or case.is_terminal(polls[-1]):
        return False
    next_due_s = call.sent_s + len(polls) * call.interval_s(case.contract) - EARLY_SLACK_S
    late_s = 2 * case.observation.lag_s  # it closes late, and then reads late what came before that
    return next_due_s <= call.received_s <= answered_s + closes_s + LATE_SLACK_S + late_s
