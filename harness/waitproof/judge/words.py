"""How findings put things: values, outcomes, times and timelines in a line of text."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final, assert_never

from waitproof.judge.observation import NoAnswer, Poll, Seen, StillWaiting
from waitproof.protocol import AdapterFault, Cancelled, Raised, Returned, Unsupported
from waitproof.suite import Json

__all__ = [
    "MISSING",
    "NOTHING_RAISED",
    "cut",
    "describe",
    "difference",
    "differs_at",
    "is_outcome_named",
    "json_equal",
    "listed",
    "seconds",
    "shown",
    "timeline_line",
]

MISSING: Final = object()  # what is not there at all: null and "" are other reports
NOTHING_RAISED: Final = "nothing was raised: "  # how a finding begins that has no exception to look at

MAX_SHOWN = 300  # characters of a value: a payload of 2 MB must not fill a terminal
MAX_CONTEXT = 40  # characters of two long texts from where they differ
MAX_POLLS_SHOWN = 12  # of a timeline: the first and the last tell the story
SLOW_START_S = 0.200  # from a call to its first poll: less is the machine's, or a new connection's


def shown(value: Json) -> str:
    """Return a value as JSON, cut in the middle when it is long; "nothing" for what is not there."""
    return "nothing" if value is MISSING else cut(_as_json(value))


def _as_json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, default=repr)


def _is_cut(value: Json) -> bool:
    return len(_as_json(value)) > MAX_SHOWN


def cut(text: str, most: int = MAX_SHOWN) -> str:
    """Return a text, cut in the middle when it has more characters than that: adapters may say anything."""
    if len(text) <= most:
        return text
    return f"{text[: most // 2]} … {text[-(most // 4) :]} ({len(text)} characters)"


def seconds(value_s: float, *, fine: bool = False) -> str:
    """Return a time with a precision that suits its size.

    Args:
        value_s: The time.
        fine: It stands beside another one from which it may differ by a few milliseconds.
    """
    in_ms = value_s < (1.0 if fine else 0.1)
    return f"{value_s * 1000:.0f} ms" if in_ms else f"{value_s:.2f} s"


def describe(seen: Seen) -> str:
    """Return what became of a call, as a clause that follows "the call"."""
    match seen:
        case Returned(unencodable=str() as what):
            return f"returned a value that JSON cannot carry: {cut(what)}"
        case Returned(task=task) if task is not None:
            return f"returned the task {shown(task)}"
        case Returned(task_id=task_id) if task_id is not None:
            return f"returned the task id {shown(task_id)}"
        case Returned():
            return f"returned {shown(seen.result)}"
        case Raised():
            message = f": {shown(seen.message)}" if seen.message else ""
            return f"raised {cut(seen.type)} (kind {seen.kind.value}){message}"
        case Cancelled():
            return "ended as cancelled"
        case Unsupported():
            return f"is not supported: {cut(seen.reason)}"
        case StillWaiting() if seen.as_in:
            others = listed(seen.as_in)
            return f"was given up after {seconds(seen.waited_s)}: it hung like the calls in {others}"
        case StillWaiting():
            return f"was still waiting after {seconds(seen.waited_s)}, long past its deadline"
        case AdapterFault() | NoAnswer():
            return f"got no answer from the adapter: {cut(seen.message)}"
        case _:
            assert_never(seen)


def listed(names: Sequence[str]) -> str:
    """Return names as "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def is_outcome_named(seen: Seen, kinds: Sequence[str]) -> bool:
    """Say whether an exception of one of these kinds was raised."""
    return isinstance(seen, Raised) and seen.kind.value in kinds


def json_equal(left: Json, right: Json) -> bool:
    """Compare exactly as JSON: 2 equals 2.0, true never equals 1, the order of keys is nothing."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(json_equal(left[key], right[key]) for key in left)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(json_equal, left, right))
    return bool(left == right)


def differs_at(expected: Json, seen: Json) -> tuple[str, Json, Json]:
    """Return the first difference of two values that differ.

    Returns:
        Its path, "" when it is the whole value, and what lies there in either; MISSING for a key that only
        the other one has. Keys that a dotted path could not tell apart stand in brackets: `a["b.c"].0`.
    """
    path, left, right = _differs_below("", expected, seen)
    return path.removeprefix("."), left, right


_PLAIN_KEY = re.compile(r"[\w-]{1,80}")


def _differs_below(path: str, expected: Json, seen: Json) -> tuple[str, Json, Json]:
    if isinstance(expected, dict) and isinstance(seen, dict):
        for key in sorted({*expected, *seen}, key=str):
            left, right = expected.get(key, MISSING), seen.get(key, MISSING)
            if not json_equal(left, right):
                step = f".{key}" if _PLAIN_KEY.fullmatch(key) else f"[{shown(key)}]"
                return _differs_below(path + step, left, right)
    if isinstance(expected, list) and isinstance(seen, list) and len(expected) == len(seen):
        for number, (left, right) in enumerate(zip(expected, seen, strict=True)):
            if not json_equal(left, right):
                return _differs_below(f"{path}.{number}", left, right)
    return path, expected, seen


def difference(expected: Json, seen: Json) -> str:
    """Return a sentence about the first difference of two values, "" where to see both says enough."""
    path, left, right = differs_at(expected, seen)
    if isinstance(left, str) and isinstance(right, str) and (_is_cut(left) or _is_cut(right)):
        at = next((n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), None)
        at = min(len(left), len(right)) if at is None else at
        path = f"character {at + 1}" + (f" of {path}" if path else "")
        left, right = left[at : at + MAX_CONTEXT], right[at : at + MAX_CONTEXT]
    return f"the first difference is at {path}: expected {shown(left)}, seen {shown(right)}" if path else ""


def timeline_line(polls: Sequence[Poll], called_s: float | None = None) -> str:
    """Return polls as one line: seconds since the first arrival, and what was answered.

    Args:
        polls: What arrived.
        called_s: When the call was made, None where nobody knows: where its first poll was a while in coming,
            the line begins with the call.
    """
    if not polls:
        return "no poll arrived"
    origin, since = polls[0].arrived_s, "first arrival"
    has_call = called_s is not None and origin - called_s >= SLOW_START_S
    if called_s is not None and has_call:
        origin, since = called_s, "call"
    parts = [f"{poll.arrived_s - origin:.2f} {poll.status or poll.method}{_suffix(poll)}" for poll in polls]
    if len(parts) > MAX_POLLS_SHOWN:
        left_out = len(parts) - MAX_POLLS_SHOWN + 1
        half = MAX_POLLS_SHOWN // 2
        parts = [*parts[:half], f"… {left_out} more …", *parts[-(MAX_POLLS_SHOWN - half - 1) :]]
    return "   ".join([*(["0.00 called"] if has_call else []), *parts]) + f"   (seconds since the {since})"


def _suffix(poll: Poll) -> str:
    if poll.repeat:
        return " (repeated)"
    if poll.answered_s is None:
        return " (in flight)"
    took_s = poll.answered_s - poll.arrived_s
    ended = "" if poll.ended.value in {"answered", "dropped"} else f" ({poll.ended.value})"
    return ended + (f" after {took_s:.2f}" if took_s >= 0.05 else "")
