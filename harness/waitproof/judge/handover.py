"""Whether a caller has the outcome of its wait as soon as the SDK knows it.

A helper can read the answer that ends the task, sleep once more, and look at it only then: its polls are
perfect, and each wait costs its caller an interval too much. The bound grows with the interval, so that such
a sleep exceeds it by far at a long one; what a parser, a garbage collection or the end of a helper's own
process takes does not. Only the time from the last answer counts: polls that should not have been made are
`no_poll_after_outcome`'s business.
"""

from __future__ import annotations

from waitproof.judge.check import Case, Finding, Mark, NoArguments, broken, kept, kind, suspect
from waitproof.judge.intervals import LATE_SLACK_S
from waitproof.judge.observation import CallRecord
from waitproof.judge.words import describe, seconds
from waitproof.protocol import Raised, Returned

__all__: list[str] = []

HANDOVER_RATIO = 0.25  # of an interval: a sleep of half of it, or of a second at an interval of 2 s, is seen


@kind(
    "outcome_not_late",
    timed=True,
    accuses=f"an outcome later than {HANDOVER_RATIO:g} of an interval after the answer that ends the task",
    excuses=f"{LATE_SLACK_S * 1000:.0f} ms for the machine, and the time it takes to write a large result",
)
def outcome_not_late(case: Case, _arguments: NoArguments) -> Finding:
    """A wait ends with the answer that ends its task, and not a sleep later."""
    finding = broken("an outcome as soon as the task has ended", case.none_made)
    for call in case.waits():
        finding = _handed_over(case, call)
        if finding.mark is not Mark.KEPT:
            return finding
    return finding


def _handed_over(case: Case, call: CallRecord) -> Finding:
    interval_s = call.intervals(case.contract).pause_s(max(1, len(case.polls(call))))
    bound_s = HANDOVER_RATIO * interval_s + LATE_SLACK_S
    expected = f"an outcome within {seconds(bound_s)} of the answer that ends the task"
    end = case.end_of(call)
    if not isinstance(call.seen, Raised | Returned) or call.took_s is None or call.received_s is None:
        return broken(expected, f"the call {describe(call.seen)}")
    if end is None:
        return kept(expected, f"no such answer came before the call {describe(call.seen)}")
    end_s = end.answered_s
    if end_s is None:  # the server notes an answer after it has sent it, and can be stopped in between
        return kept(expected, f"the end of that answer was not seen before the call {describe(call.seen)}")
    # The adapter's own measurement is without the time that it takes to write a large result down.
    outcome_s = min(call.sent_s + call.took_s, call.received_s)
    answered_s = (poll.answered_s for poll in case.observation.requests_of(call))
    last_s = max(each for each in (end_s, *answered_s) if each is not None and each <= max(end_s, outcome_s))
    late_s = max(0.0, outcome_s - last_s)
    seen = f"it came {seconds(late_s)} after that answer"
    if late_s > bound_s:
        return suspect(expected, seen, excess_s=late_s - bound_s)
    return kept(expected, seen)
