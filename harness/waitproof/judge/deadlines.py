"""Which exception is the one for a deadline that has passed, by what the contract promises of it.

An adapter sorts exceptions into kinds, but not every SDK has a kind for its timeouts: a contract may tell
them by kind, by the type's name, by fields, or not at all. When a timeout may come is `timing`'s business.
"""

from __future__ import annotations

from waitproof.journal import Ended
from waitproof.judge.check import Case
from waitproof.judge.observation import CallRecord
from waitproof.judge.pauses import EARLY_SLACK_S
from waitproof.judge.words import MISSING, cut, json_equal, shown
from waitproof.protocol import Raised

__all__ = ["is_timeout", "promised_timeout", "wrong_field"]


def promised_timeout(case: Case) -> str:
    """Return what the contract promises of a timeout, as words that follow "the call raises"."""
    promise = case.contract.timeout
    fields = "".join(f", {name} {shown(value)}" for name, value in promise.fields.items())
    return promise.promised(case.observation.hello.language) + fields


def wrong_field(case: Case, seen: Raised) -> str:
    """Return which of the timeout's promised fields an exception lacks or has wrong, "" for none."""
    for name, value in case.contract.timeout.fields.items():
        if name not in seen.fields:
            return f"{cut(seen.type)} has no {name}"
        if not json_equal(seen.fields.get(name, MISSING), value):
            return f"{name} is {shown(seen.fields[name])}"
    return ""


def is_timeout(case: Case, call: CallRecord) -> bool:
    """Say whether a call raised because it gave up: by what is promised for that, else by time or polls.

    A type alone may also be that of a poll which was given up, before the deadline and without an answer.
    """
    promise = case.contract.timeout
    if not isinstance(call.seen, Raised) or not case.fits_timeout(call.seen):
        return False
    if promise.fields:
        return not wrong_field(case, call.seen)
    last = case.polls(call)[-1:]
    are_answered = all(poll.answered_s is not None and poll.ended is not Ended.ABANDONED for poll in last)
    if promise.pattern(case.observation.hello.language) is not None and are_answered:
        return True
    limit = call.polls_limit(case.contract)
    if limit is not None and len(case.observation.polls_of(call)) >= limit:
        return True
    return call.took_s is not None and call.took_s >= call.timeout_s(case.contract) - EARLY_SLACK_S
