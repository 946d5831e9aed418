"""Checks of a wait that its caller cancels: that it ends, and what it leaves behind.

No correct client is in a hurry here by the microsecond: one that looks at its token whenever it wakes up is
as good as one that is woken by it, as long as a caller hardly notices the difference.
"""

from __future__ import annotations

from collections.abc import Sequence

from waitproof.judge.check import Case, Finding, Mark, NoArguments, broken, kept, kind, suspect
from waitproof.judge.intervals import EARLY_SLACK_S, LATE_SLACK_S
from waitproof.judge.observation import CallRecord, Poll
from waitproof.judge.returns import result_returned
from waitproof.judge.traffic import AFTER_SLACK_S
from waitproof.judge.words import describe, seconds
from waitproof.protocol import Returned

__all__: list[str] = []

SOON_S = 0.500  # nobody who cancels notices less, and a helper that looks at its token has done so by then


@kind(
    "cancelled_soon",
    reads=["cancelled"],
    timed=True,
    watches=True,
    accuses=f"a cancelled wait that returns, ends an interval (or {SOON_S:g} s) later, or polls again",
    excuses="a result that was on its way when the wait was cancelled, and a poll that was due anyway",
)
def cancelled_soon(case: Case, _arguments: NoArguments) -> Finding:
    """A cancelled wait ends soon, not by returning, and sends no poll for it or after it."""
    finding = broken("a wait that is cancelled", case.none_made)
    for call in _cancelled(case):
        finding = _ended(case, call)
        if finding.mark is not Mark.KEPT:
            return finding
    return finding


def _cancelled(case: Case) -> Sequence[CallRecord]:
    return [call for call in case.waits() if call.call.cancel_after is not None]


def _ended(case: Case, call: CallRecord) -> Finding:
    soon_s = min(call.intervals(case.contract).first_s, SOON_S)
    expected = f"the wait ends {seconds(soon_s + LATE_SLACK_S)} after it was cancelled, or sooner"
    seen = f"the call {describe(call.seen)}"
    if call.cancelled_s is None or call.took_s is None:
        return suspect(expected, seen if call.took_s is None else f"{seen} before it was cancelled")
    if isinstance(call.seen, Returned):
        says = broken if case.end_of(call) is None else suspect  # they may have crossed
        return says("a cancelled wait has no result", seen)
    after_s = call.sent_s + call.took_s - call.cancelled_s
    seen = f"{seen} {seconds(max(0.0, after_s))} after it was cancelled"
    late_s = after_s - soon_s - LATE_SLACK_S
    if late_s > 0:
        return suspect(expected, seen, excess_s=late_s)
    return _polled(case, call, soon_s) or kept(expected, seen)


def _polled(case: Case, call: CallRecord, soon_s: float) -> Finding | None:
    """Return a suspicion where a poll came that only the cancellation can have led to, or that is too late.

    A poll that was due anyway may be on its way when the client learns that it is cancelled.
    """
    assert call.cancelled_s is not None
    expected = "no poll once the wait is cancelled"
    before: Poll | None = None
    intervals = call.intervals(case.contract)
    for number, poll in enumerate(case.observation.polls_of(call)):
        after_s = poll.arrived_s - call.cancelled_s
        since_s = None if before is None else poll.arrived_s - before.arrived_s
        before = poll
        if after_s <= 0:
            continue
        seen = f"a poll came {seconds(after_s)} after that"
        if since_s is not None and since_s < intervals.pause_s(number) - EARLY_SLACK_S:
            return suspect(expected, f"{seen}, and {seconds(since_s)} after the one before it")
        is_over = call.received_s is not None and poll.arrived_s > call.received_s + AFTER_SLACK_S
        if is_over or after_s > soon_s + LATE_SLACK_S:
            return suspect(expected, seen)
    return None


@kind(
    "usable_after_cancel",
    reads=["returns"],
    accuses="a wait after a cancelled one that does not return the expected result",
    excuses="how the cancelled wait itself ended: that is for cancelled_soon",
)
def usable_after_cancel(case: Case, _arguments: NoArguments) -> Finding:
    """On a client whose wait was cancelled, the next wait is as any other."""
    finding = broken("a wait after one that was cancelled", case.none_made)
    cancelled = _cancelled(case)
    for call in case.waits():
        if call.call.expect.has("returns") and any(each.index < call.index for each in cancelled):
            finding = result_returned(case, call)
            if finding.mark is not Mark.KEPT:
                return finding
    return finding
