"""Checks of what an exception is worth to its caller beyond its fields: its message, and copies of it.

What the documentation promises of exceptions is judged in `outcomes`; `records` has what it leaves open.
"""

from __future__ import annotations

from collections.abc import Iterator

from waitproof.judge.check import Case, Finding, Mark, NoArguments, broken, kept, kind
from waitproof.judge.observation import CallRecord
from waitproof.judge.words import NOTHING_RAISED, cut, describe, listed, shown
from waitproof.protocol import Raised

__all__: list[str] = []


def _raising(case: Case) -> Iterator[CallRecord]:
    return (call for call in case.observation.calls if call.call.expect.raises is not None)


def _nothing(call: CallRecord) -> str:
    return f"{NOTHING_RAISED}the call {describe(call.seen)}"


@kind(
    "exception_survives_copying",
    reads=["raises"],
    accuses="a copy, or what another process reads, that differs from the exception or can't be made",
    excuses="an adapter that reports no exception.copies: NOT_APPLICABLE",
)
def exception_survives_copying(case: Case, _arguments: NoArguments) -> Finding:
    """A copy of the exception, and the one that another process reads, are equal to it.

    Only an adapter whose language has such copies can try it, and it says what came of it.
    """
    expected = "an exception whose copies are equal to it"
    finding = broken(expected, case.none_made)
    for call in _raising(case):
        if not isinstance(call.seen, Raised):
            return broken(expected, _nothing(call))
        if not call.seen.copies:
            return Finding(Mark.NOT_APPLICABLE, seen="the adapter reports no exception.copies")
        for way, came_of_it in call.seen.copies.items():
            if came_of_it is not True:
                return broken(expected, f"{cut(way)} of {cut(call.seen.type)}: {cut(came_of_it)}")
        finding = kept(expected, listed([cut(way) for way in call.seen.copies]))
    return finding


@kind(
    "exception_has_a_message",
    reads=["raises"],
    accuses="an exception whose message is empty, or no exception",
    excuses="any wording",
)
def exception_has_a_message(case: Case, _arguments: NoArguments) -> Finding:
    """The exception says something to the person who reads the log."""
    expected = "an exception with a message"
    finding = broken(expected, case.none_made)
    for call in _raising(case):
        if not isinstance(call.seen, Raised):
            return broken(expected, _nothing(call))
        if not (call.seen.message or "").strip():
            return broken(expected, f"the message of {cut(call.seen.type)} is {shown(call.seen.message)}")
        finding = kept(expected, shown(call.seen.message))
    return finding
