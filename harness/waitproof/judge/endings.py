"""The check of what a wait leaves behind: how long its process lives on when there is nothing left to do.

A timer, a thread or a task that outlives its wait keeps a process alive in most languages, so a command line
tool hangs after its last line. Whatever ends by itself soon, such as an idle connection that is being closed,
harms nobody.
"""

from __future__ import annotations

import math

from waitproof.judge.check import Case, Finding, Mark, NoArguments, broken, kept, kind
from waitproof.judge.observation import StillWaiting
from waitproof.judge.words import describe, seconds

__all__ = ["ENDS_WITHIN_S", "END_LIMIT_S"]

ENDS_WITHIN_S = 3.0  # on a busy machine an interpreter takes a second or two to shut down
END_LIMIT_S = 5.0  # then the process is ended: what keeps it alive for so long lasts longer, as a rule


@kind(
    "process_ends",
    timed=True,
    ends=True,
    accuses=f"a process that lives longer than {ENDS_WITHIN_S:g} s after its stdin has ended",
    excuses="an adapter that does not say that it calls no exit (capability end): NOT_APPLICABLE",
)
def process_ends(case: Case, _arguments: NoArguments) -> Finding:
    """Once every call has its outcome and stdin has ended, nothing keeps the process alive."""
    expected = f"the process ends within {seconds(ENDS_WITHIN_S)} of the end of its stdin"
    if not case.capabilities.end:
        return Finding(Mark.NOT_APPLICABLE, seen="the adapter does not say that it calls no exit (end)")
    for call in case.observation.calls:
        if isinstance(call.seen, StillWaiting):
            return broken(expected, f"the call {describe(call.seen)}")
    ended_s = case.observation.ended_s
    if ended_s is None:
        return Finding(Mark.ERROR, seen="the process ended before its stdin did")
    if ended_s > ENDS_WITHIN_S:
        lived_s = min(ended_s, END_LIMIT_S)
        then = "it had to be ended" if ended_s == math.inf else "it ended"
        seen = f"{then} after {seconds(lived_s)}"
        return Finding(Mark.SUSPECT, expected, seen, excess_s=lived_s - ENDS_WITHIN_S)
    return kept(expected, f"it ended after {seconds(ended_s)}")
