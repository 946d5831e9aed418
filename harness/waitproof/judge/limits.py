"""Whether a wait without an end is given up after the documented number of polls.

No machine makes a helper poll more often than it wants to, or less often where no deadline ends the wait; so
all of it is final.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from waitproof.judge.check import Case, Finding, Mark, broken, kept, kind
from waitproof.judge.observation import CallRecord
from waitproof.judge.timing import SourceOfOption, hidden_default, lacks_option
from waitproof.judge.words import NOTHING_RAISED, describe
from waitproof.protocol import Raised
from waitproof.text import plural

__all__ = ["PollsLimit"]


class PollsLimit(SourceOfOption):
    """Also how many more polls are right: where a limit counts retries, the first poll may be none."""

    or_more: Annotated[int, Field(ge=0)] = 0


def _lacks_limit(case: Case, arguments: PollsLimit) -> str:
    return lacks_option(case, "max_polls") if arguments.option == "passed" else ""


@kind(
    "gives_up_after_polls",
    arguments=PollsLimit,
    reads=["raises"],
    lacks=_lacks_limit,
    accuses="a wait that raises after fewer polls than the limit, or after more, or that raises nothing",
    excuses="up to `or_more` polls more, where the first poll may not be counted",
)
def gives_up_after_polls(case: Case, arguments: PollsLimit) -> Finding:
    """A wait that never ends is given up after so many polls, and raises."""
    hidden = hidden_default(case, arguments, "max_polls")
    if hidden is not None:
        return hidden
    finding = broken("a wait that is given up", case.none_made)
    for call in case.waits():
        if call.call.expect.raises is not None:
            finding = _given_up(case, call, arguments)
            if finding.mark is not Mark.KEPT:
                return finding
    return finding


def _given_up(case: Case, call: CallRecord, arguments: PollsLimit) -> Finding:
    limit, made = call.polls_limit(case.contract), len(case.polls(call))
    if limit is None:
        return broken("a limit of polls", "neither the wait nor the contract has one")
    most = limit + arguments.or_more
    expected = f"the call raises after {plural(limit, 'poll')}" + (
        f", {most} at most" if most > limit else ""
    )
    seen = f"{plural(made, 'poll')}, then the call {describe(call.seen)}"
    if not isinstance(call.seen, Raised):
        return broken(expected, f"{NOTHING_RAISED}{seen}")
    return kept(expected, seen) if limit <= made <= most else broken(expected, seen)
