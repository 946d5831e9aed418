"""Where the adapter's account contradicts the harness's or the server's: an ERROR, never about the SDK."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from waitproof.journal import Ended
from waitproof.judge.check import Case, Finding, Mark
from waitproof.judge.observation import CallRecord, Poll
from waitproof.judge.words import describe, seconds
from waitproof.protocol import ExceptionKind, Raised, Returned

__all__ = ["contradiction"]

WITNESS_SLACK_S = 0.020  # two stamps of one moment, taken in two processes of a busy machine


def contradiction(case: Case, call: CallRecord) -> Finding | None:
    """Return the contradiction between the accounts of one call, None if there is none."""
    conflict = _overstated(call) or _guessed(case, call)
    return Finding(Mark.ERROR, seen=conflict) if conflict else _understated(case, call)


def _overstated(call: CallRecord) -> str:
    """Return by how much the adapter overstates how long a call took, "" if it doesn't."""
    if call.elapsed_s is None or call.received_s is None:
        return ""
    harness_s = call.received_s - call.sent_s
    if call.elapsed_s <= harness_s + WITNESS_SLACK_S:
        return ""
    return (
        f"the adapter reports that the call took {seconds(call.elapsed_s)}, "
        f"but the harness had its answer after {seconds(harness_s)}"
    )


def _understated(case: Case, call: CallRecord) -> Finding | None:
    """Return by how much the adapter understates how long a call took, None if it doesn't."""
    if call.elapsed_s is None or call.received_s is None:
        return None
    polls = [poll for poll in case.observation.requests_of(call) if poll.arrived_s <= call.received_s]
    if not polls:
        return None
    span_s = _span_s(case, call, polls)
    if call.elapsed_s >= span_s - WITNESS_SLACK_S:
        return None
    seen = (
        f"the adapter reports that the call took {seconds(call.elapsed_s)}, "
        f"but the server saw its polls over {seconds(span_s)}"
    )
    # A wait that gives up does not wait for a poll in flight, which a busy server can read long afterwards.
    awaited = [
        before
        for before, after in itertools.pairwise(polls)
        if before.answered_s is not None and before.answered_s <= after.arrived_s
    ]
    if awaited and call.elapsed_s < _span_s(case, call, awaited) - WITNESS_SLACK_S:
        return Finding(Mark.ERROR, seen=seen)
    return Finding(Mark.SUSPECT, seen=seen, settles=Mark.ERROR)


def _span_s(case: Case, call: CallRecord, polls: Sequence[Poll]) -> float:
    """Return how long the server saw polls for, in seconds.

    An arrival is stamped before its answer can be read, an answer's last byte perhaps only after that: by as
    much as the server's process was late, which its lag meter saw.
    """
    lasts = [poll.arrived_s for poll in polls]
    lasts += [
        poll.answered_s - case.observation.lag_s
        for poll in polls
        if poll.ended is Ended.ANSWERED
        and poll.answered_s is not None
        and call.received_s is not None
        and poll.answered_s <= call.received_s
    ]
    return max(lasts) - polls[0].arrived_s


def _guessed(case: Case, call: CallRecord) -> str:
    """Return what an adapter reports that it cannot know without having asked the server, "" if nothing.

    Any earlier request will do, by another call or for another copy's task: an SDK that answers from a cache,
    or that mixes its callers up, has a defect that other checks find.
    """
    until_s = float("inf") if call.received_s is None else call.received_s
    requests = (request for task in case.observation.tasks for request in (*task.polls, *task.others))
    asked = any(request.arrived_s <= until_s for request in requests)
    knows = isinstance(call.seen, Returned) or (
        isinstance(call.seen, Raised) and call.seen.kind is ExceptionKind.TASK
    )
    if call.call.begin is None and knows and not asked:
        return f"the call {describe(call.seen)}, but the server saw no request"
    return ""
