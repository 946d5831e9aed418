"""How long a helper pauses between two polls: the same each time, or longer from pause to pause.

Pauses are counted from 1: the first is the one after the first poll. A schedule grows by addition or by
multiplication, up to a longest pause; a plain interval is the schedule that does not grow.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from waitproof.errors import nearest
from waitproof.suite.document import shown
from waitproof.suite.model import (
    DURATION_SCHEMA,
    PASSED_INTERVAL_SCHEMA,
    invalid,
    passed_interval,
    positive_duration,
    written_duration,
)

__all__ = ["DefaultInterval", "Intervals", "PassedInterval"]


@dataclass(frozen=True)
class Intervals:
    """The pauses of one wait.

    Attributes:
        first_s: The first pause, above 0.
        add_s: By how much each pause is longer than the one before it.
        times: How many times as long each pause is as the one before it, 1 or more.
        most_s: The longest pause; `first_s` or more.
    """

    first_s: float
    add_s: float = 0.0
    times: float = 1.0
    most_s: float = math.inf

    @property
    def is_constant(self) -> bool:
        """Whether every pause is as long as the first."""
        return (self.add_s == 0 and self.times == 1) or self.most_s <= self.first_s

    def pause_s(self, number: int) -> float:
        """Return how long the pause of this number is, from 1."""
        if self.is_constant:
            return self.first_s
        if number > self.growing:
            return self.most_s
        return min(self.most_s, self.first_s * self.times ** (number - 1) + self.add_s * (number - 1))

    def sum_s(self, count: int) -> float:
        """Return how long the first so many pauses take together."""
        if self.is_constant:
            return count * self.first_s
        growing = min(count, self.growing)
        return sum(self.pause_s(number) for number in range(1, growing + 1)) + (count - growing) * self.most_s

    def fitting(self, duration_s: float) -> int:
        """Return how many pauses fit into a time, one after another."""
        if self.is_constant:
            return int(duration_s / self.first_s)
        count, left_s = 0, duration_s
        while count < self.growing and self.pause_s(count + 1) <= left_s:
            count += 1
            left_s -= self.pause_s(count)
        return count if count < self.growing else count + int(left_s / self.most_s)

    def scaled(self, factor: float) -> Intervals:
        """Return pauses that are so many times as long."""
        return replace(
            self,
            first_s=self.first_s * factor,
            add_s=self.add_s * factor,
            most_s=self.most_s * factor,
        )

    def after(self, count: int) -> Intervals:
        """Return the pauses that are left after the first so many."""
        return replace(self, first_s=self.pause_s(count + 1))

    def lengths_s(self) -> tuple[float, ...]:
        """Return the durations that it is made of, in seconds."""
        return (self.first_s,) if self.is_constant else (self.first_s, self.add_s, self.most_s)

    @functools.cached_property
    def growing(self) -> int:
        """How many pauses are shorter than the longest, 0 where all are equal."""
        if self.is_constant:
            return 0
        if self.times > 1:
            return max(1, math.ceil(math.log(self.most_s / self.first_s) / math.log(self.times)))
        return max(1, math.ceil((self.most_s - self.first_s) / self.add_s - 1e-9))


_KEYS = ("first", "add", "times", "most")
_SCHEDULE = "{first: 200ms, add: 200ms, most: 5s}, or 'times: 1.5' in place of 'add'"


def _schedule(value: dict[str, Any]) -> Intervals:
    for key in value:
        if key not in _KEYS:
            raise invalid(f"a schedule has no key '{key}'", expected=_SCHEDULE, fix=nearest(key, _KEYS))
    if not {"first", "most"} <= value.keys() or ("add" in value) == ("times" in value):
        raise invalid(f"{shown(value)} is not a schedule of pauses", expected=_SCHEDULE)
    first_s, most_s = positive_duration(value["first"]), positive_duration(value["most"])
    if most_s < first_s:
        raise invalid(
            f"'most' is {value['most']}, and 'first' is {value['first']}", expected="a longest pause"
        )
    if "add" in value:
        return Intervals(first_s, add_s=positive_duration(value["add"]), most_s=most_s)
    times = value["times"]
    if isinstance(times, bool) or not isinstance(times, int | float) or not 1 < times <= 100:
        raise invalid(f"'times' cannot be {shown(times)}", expected="a number above 1, such as 1.5")
    return Intervals(first_s, times=float(times), most_s=most_s)


def _default(value: object) -> float | Intervals:
    return _schedule(value) if isinstance(value, dict) else positive_duration(value)


def _passed(value: object) -> float | Intervals:
    return _schedule(value) if isinstance(value, dict) else passed_interval(value)


def _written(value: float | Intervals) -> object:
    if not isinstance(value, Intervals):
        return written_duration(value)
    grows = {"times": value.times} if value.times > 1 else {"add": written_duration(value.add_s)}
    return {"first": written_duration(value.first_s), **grows, "most": written_duration(value.most_s)}


def _either(interval: dict[str, Any]) -> WithJsonSchema:
    times = {"type": "number", "exclusiveMinimum": 1, "maximum": 100}
    schedule = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **dict.fromkeys(("first", "add", "most"), DURATION_SCHEMA),
            "times": times,
        },
        "required": ["first", "most"],
        "oneOf": [{"required": ["add"]}, {"required": ["times"]}],
    }
    return WithJsonSchema({"anyOf": [interval, schedule]})


DefaultInterval = Annotated[
    float | Intervals, PlainValidator(_default), PlainSerializer(_written), _either(DURATION_SCHEMA)
]
"""An interval above 0 in seconds, or a schedule."""

PassedInterval = Annotated[
    float | Intervals, PlainValidator(_passed), PlainSerializer(_written), _either(PASSED_INTERVAL_SCHEMA)
]
"""A poll interval as a caller passes it: 0 and less are possible, and show what an SDK makes of them."""
