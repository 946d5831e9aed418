"""A call without an answer: does the SDK's helper go on forever, or is the adapter to blame?

A helper goes on if the server has its polls, or if its adapter still answers others. An adapter that prints
something else in the meantime may have spoiled the answer, and one that answers nothing has none.
"""

from __future__ import annotations

from collections.abc import Sequence

from waitproof.adapter import AdapterProcess, PendingCall
from waitproof.judge import JournalEntry, NoAnswer, Seen, StillWaiting
from waitproof.limit import Limit
from waitproof.protocol import as_row

__all__ = ["LAST_POLL_SLACK_S", "Ping", "what_became"]

LAST_POLL_SLACK_S = 0.1  # past the time that a wait may rightly take: a connection that had to be opened


class Ping:
    """A ping that is sent when it is first needed: one is enough for several calls."""

    def __init__(self, process: AdapterProcess, limit_s: float) -> None:
        self._process = process
        self._limit = Limit(limit_s)
        self._pending: PendingCall | None = None

    def send(self) -> None:
        """Send it, unless it has been sent."""
        if self._pending is None:
            self._pending = self._process.send("ping")

    def is_answered(self) -> bool:
        """Say whether an answer comes within the limit."""
        if self._pending is None:
            return False
        self._limit.wait(self._pending.wait)
        return self._pending.answer is not None


def what_became(
    process: AdapterProcess,
    call: PendingCall,
    waited: StillWaiting,
    polls: Sequence[JournalEntry],
    over_ns: int,
    ping: Ping,
) -> Seen:
    """Return what became of a call that has been given up.

    Args:
        process: The adapter.
        call: The call.
        waited: What it is if its helper goes on.
        polls: Its task's polls since it was sent.
        over_ns: After this, a helper that had ended would poll no more.
        ping: Has been sent to the adapter.
    """
    if any(poll.answered_ns is None or poll.arrived_ns > over_ns for poll in polls):
        return waited
    fact = f"no answer to call {call.id} within {waited.waited_s:.3g} s"
    if lines := process.logged_since(call.sent_ns or 0):
        return NoAnswer(f"{fact}, and a line on stdout is not an answer: {as_row(lines[-1])}")
    if ping.is_answered():
        return waited
    return NoAnswer(f"{fact}; the process is {'alive' if process.alive else 'gone'}")
