"""How findings put things: values, outcomes, times and timelines in a line of text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import assert_never

from harness.observation import NoAnswer, Poll, Seen, StillWaiting
from harness.protocol import AdapterFault, Raised, Returned, Unsupported
from harness.source import Json

__all__ = ["describe", "differs_at", "is_outcome_named", "json_equal", "seconds", "shown", "timeline_line"]

MAX_SHOWN = 300  # characters of a value: a payload of 2 MB must not fill a terminal
MAX_POLLS_SHOWN = 12  # of a timeline: the first and the last tell the story


def shown(value: Json) -> str:
    """Return a value as JSON, cut in the middle when it is long."""
    text = json.dumps(value, ensure_ascii=False, default=repr)
    if len(text) <= MAX_SHOWN:
        return text
    return f"{text[: MAX_SHOWN // 2]} … {text[-MAX_SHOWN // 4 :]} ({len(text)} characters)"


def seconds(value_s: float) -> str:
    """Return a time with a precision that suits its size."""
    return f"{value_s:.2f} s" if value_s >= 0.1 else f"{value_s * 1000:.0f} ms"


def describe(seen: Seen) -> str:
    """Return what became of a call, as a clause that follows "the call"."""
    match seen:
        case Returned(unencodable=str() as what):
            return f"returned a value that JSON cannot carry: {what}"
        case Returned(task=task) if task is not None:
            return f"returned the task {shown(task)}"
        case Returned(task_id=task_id) if task_id is not None:
            return f"returned the task id {shown(task_id)}"
        case Returned():
            return f"returned {shown(seen.result)}"
        case Raised():
            message = f": {shown(seen.message)}" if seen.message else ""
            return f"raised {seen.type} (kind {seen.kind.value}){message}"
        case Unsupported():
            return f"is not supported: {seen.reason}"
        case StillWaiting():
            return f"was still waiting after {seconds(seen.waited_s)}, long past its deadline"
        case AdapterFault() | NoAnswer():
            return f"got no answer from the adapter: {seen.message}"
        case _:
            assert_never(seen)


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
    if isinstance(left, int | float) and isinstance(right, int | float):
        return left == right
    return type(left) is type(right) and bool(left == right)


def differs_at(expected: Json, seen: Json, path: str = "") -> str:
    """Return the dotted path of the first difference, "" when it is the whole value."""
    if isinstance(expected, dict) and isinstance(seen, dict):
        for key in sorted({*expected, *seen}, key=str):
            if key not in expected or key not in seen:
                return f"{path}.{key}".lstrip(".")
            if not json_equal(expected[key], seen[key]):
                return differs_at(expected[key], seen[key], f"{path}.{key}")
    if isinstance(expected, list) and isinstance(seen, list) and len(expected) == len(seen):
        for number, (left, right) in enumerate(zip(expected, seen, strict=True)):
            if not json_equal(left, right):
                return differs_at(left, right, f"{path}.{number}")
    return path.lstrip(".")


def timeline_line(polls: Sequence[Poll]) -> str:
    """Return polls as one line: seconds since the first arrival, and what was answered."""
    if not polls:
        return "no poll came"
    origin = polls[0].arrived_s
    parts = [f"{poll.arrived_s - origin:.2f} {poll.status or poll.method}{_suffix(poll)}" for poll in polls]
    if len(parts) > MAX_POLLS_SHOWN:
        left_out = len(parts) - MAX_POLLS_SHOWN + 1
        half = MAX_POLLS_SHOWN // 2
        parts = [*parts[:half], f"… {left_out} more …", *parts[-(MAX_POLLS_SHOWN - half - 1) :]]
    return "   ".join(parts) + "   (seconds since the first arrival)"


def _suffix(poll: Poll) -> str:
    if poll.repeat:
        return " (repeated)"
    if poll.answered_s is None:
        return " (in flight)"
    took_s = poll.answered_s - poll.arrived_s
    ended = "" if poll.ended.value in {"answered", "dropped"} else f" ({poll.ended.value})"
    return ended + (f" after {took_s:.2f}" if took_s >= 0.05 else "")
