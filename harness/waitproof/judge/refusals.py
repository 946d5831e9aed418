"""Calls that an adapter says its SDK cannot express, although it made others that are written alike.

What a signature cannot express does not depend on how a task goes, so two calls that a signature cannot tell
apart are both possible or both not. An adapter that refuses only one of them hides something, and so does one
whose SDK has polled.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from waitproof.judge.observation import CallRecord, NoAnswer, Observation
from waitproof.judge.words import cut
from waitproof.protocol import AdapterFault, Unsupported
from waitproof.suite import Json
from waitproof.text import plural

__all__ = ["disproved", "is_refused", "made_anyway"]

_Shape: TypeAlias = tuple[object, ...]

DAY_S = 86_400.0  # from here on a duration in milliseconds may not fit its type
MILLISECOND_S = 0.001  # many signatures take nothing smaller
MAX_REASON = 200  # characters of an adapter's own
MAX_INTEGER = 2**31 - 1  # ids up to this fit any type
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_refused(observation: Observation) -> bool:
    """Say whether the adapter itself answered that the SDK cannot make a call."""
    return any(_refused(call) for call in observation.calls)


def made_anyway(observation: Observation, call: CallRecord) -> str:
    """Return what shows that a refused call was made, "" if nothing does."""
    polls = observation.requests_of(call)
    if not _is_answer(call) or not polls or observation.follows_a_wait(call):
        return ""
    return (
        f"the adapter reports that it cannot make the call, but the server saw {plural(len(polls), 'poll')}"
    )


def disproved(played: Mapping[str, Sequence[Observation]]) -> dict[str, str]:
    """Return by scenario why a call that the adapter refused there is possible, where that is known.

    Args:
        played: What was seen of each scenario, every time it was played, by the same adapter.
    """
    made: dict[_Shape, str] = {}
    for scenario, observations in played.items():
        for call in _calls(observations):
            if not _refused(call) and not isinstance(call.seen, Unsupported | AdapterFault | NoAnswer):
                made.setdefault(_shape(call), scenario)
                if call.cancelled_s is not None:
                    made.setdefault(("cancel", *_shape(call)), scenario)
    found = {}
    for scenario, observations in played.items():
        for call in filter(_refused, _calls(observations)):
            shape = _shape(call) if _is_answer(call) else ("cancel", *_shape(call))
            if shape in made:
                what = _words(call) if _is_answer(call) else f"the cancelling of {_words(call)}"
                reason = cut(getattr(call.seen, "reason", ""), MAX_REASON)
                found[scenario] = (
                    f"the adapter reports {what} as unsupported ({reason}), but made it in {made[shape]}"
                )
    return found


def _calls(observations: Sequence[Observation]) -> Iterable[CallRecord]:
    return (call for observation in observations for call in observation.calls)


def _refused(call: CallRecord) -> bool:
    """Say whether the adapter itself refused a call or its cancelling."""
    return isinstance(call.seen, Unsupported) and bool(call.request)


def _is_answer(call: CallRecord) -> bool:
    return call.answer is not None and call.answer.get("outcome") == "unsupported"


def _shape(call: CallRecord) -> _Shape:
    """Return all that a signature may make something of: which options there are, and of which kind each is.

    Calls that are made at once are of a shape of their own.
    """
    request = call.request
    return (
        request.get("op"),
        request.get("operation"),
        request.get("variant"),
        call.call.parallel > 1,
        _kind_of_id(request.get("task_id")),
        _kind(request.get("options")),
        _kind(request.get("arguments")),
    )


def _kind_of_id(value: Json) -> object:
    if isinstance(value, str):
        return "uuid" if _UUID.fullmatch(value) else value
    is_small = isinstance(value, int) and 0 < value <= MAX_INTEGER
    return "integer" if is_small else value


def _kind(value: Json) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        is_ordinary = MILLISECOND_S <= value <= DAY_S
        return ("whole" if value == int(value) else "fraction") if is_ordinary else value
    if isinstance(value, str):
        return "text" if value else ""
    if isinstance(value, Mapping):
        return tuple(sorted((name, _kind(each)) for name, each in value.items()))
    return tuple(dict.fromkeys(map(_kind, value)))


def _words(call: CallRecord) -> str:
    """Return a call in a few words: "a wait with timeout"."""
    request = call.request
    options = request.get("options")
    names = " and ".join(options) if isinstance(options, Mapping) and options else "no option"
    what = str(request.get("operation") or request.get("op"))
    return f"a wait with {names}" if request.get("op") == "wait" else f"the call {what}"
