"""How long a scenario takes, and which scenarios run one after another. Pure: nothing here waits.

A run takes as long as its longest scenario: the longest starts first, and the others are spread over
as few lanes as fit into that time, so that as little as possible runs at once and stamps stay exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from waitproof.judge import checks
from waitproof.protocol import Capabilities
from waitproof.suite.contract import Contract
from waitproof.suite.model import MAX_DURATION_S
from waitproof.suite.scenario import Call, Scenario, watched_after_s
from waitproof.suite.task import TaskState, answer

__all__ = ["Forecast", "forecast", "is_timed", "lacking", "pack", "scale_for", "scaled", "watch_s"]

MAX_SCALED_S = 60.0  # no scenario may make a run longer than the documented default timeout does
MAX_POLLS = 100_000  # of a forecast: an interval of a millisecond over minutes


@dataclass(frozen=True)
class Forecast:
    """What a patient helper makes of a scenario.

    Attributes:
        length_s: How long its calls and the watch after them take.
        polls: How many polls come, parallel copies included.
    """

    length_s: float
    polls: int


def forecast(contract: Contract, scenario: Scenario) -> Forecast:
    """Play a scenario in virtual time with a helper that polls on over every fault."""
    state = TaskState(scenario.task)
    now_s, polls, connection = 0.0, 0, 0
    for call in scenario.calls:
        if call.wait is None:
            now_s += max(step.delay for step in scenario.task) if call.get_task else 0.0
            continue
        passed = call.wait
        interval_s = passed.interval_s(contract.defaults)
        timeout_s = passed.timeout_s(contract.defaults)
        deadline_s = now_s + timeout_s
        while now_s < deadline_s and polls < MAX_POLLS:
            connection += 1
            state, said = answer(state, now_s, connection=connection)
            polls += 1
            now_s = min(now_s + said.step.delay, deadline_s)
            if contract.ends_the_wait(said.step.status):
                break
            now_s = min(now_s + interval_s, deadline_s)
    return Forecast(now_s + watch_s(contract, scenario), polls * scenario.parallel)


def watch_s(contract: Contract, scenario: Scenario) -> float:
    """Return how long the journal must be watched after the last outcome, 0 where no check asks for it."""
    known = checks()
    if not any(known[contract.requirement(name).check].watches for name in scenario.proves):
        return 0.0
    intervals = [call.wait.interval_s(contract.defaults) for call in scenario.calls if call.wait is not None]
    return watched_after_s(max(intervals, default=0.0))


def is_timed(contract: Contract, scenario: Scenario) -> bool:
    """Say whether a verdict of this scenario depends on time: it must not share a process with heavy ones."""
    known = checks()
    return scenario.parallel == 1 and any(
        known[contract.requirement(name).check].timed for name in scenario.proves
    )


_T = TypeVar("_T")


def pack(items: Sequence[_T], length_s: Callable[[_T], float], horizon_s: float) -> list[list[_T]]:
    """Spread items over as few lanes as end within the horizon, the longest first in each.

    Args:
        items: What is to be done.
        length_s: How long one item takes, in seconds.
        horizon_s: When every lane should have ended; an item longer than that has a lane of its own.
    """
    lanes: list[list[_T]] = []
    ends: list[float] = []
    for item in sorted(items, key=length_s, reverse=True):
        fitting = [number for number, end_s in enumerate(ends) if end_s + length_s(item) <= horizon_s]
        if fitting:
            number = max(fitting, key=lambda candidate: ends[candidate])
        else:
            number = len(lanes)
            lanes.append([])
            ends.append(0.0)
        lanes[number].append(item)
        ends[number] += length_s(item)
    return lanes


def lacking(capabilities: Capabilities, call: Call) -> str:
    """Return why a call cannot be made on this SDK, "" when it can."""
    if call.wait is not None and not capabilities.wait:
        return "the SDK ships no wait helper"
    if call.get_task is not None and not capabilities.get_task:
        return "the SDK cannot fetch a task's status"
    if call.begin is not None and call.begin not in capabilities.operations:
        return f"the SDK has no operation {call.begin}"
    if call.parallel > 1 and 0 < capabilities.max_concurrency < call.parallel:
        return f"{call.parallel} calls at once, and it can have {capabilities.max_concurrency} in flight"
    if call.wait is not None:
        for name in ("poll_interval", "timeout"):
            if getattr(call.wait, name) is not None and name not in capabilities.options:
                return f"the helper takes no {name}"
    return ""


def scale_for(contract: Contract, scenario: Scenario, capabilities: Capabilities) -> int | None:
    """Return by what to multiply a scenario's durations so that its options fit the SDK's resolution.

    None when no whole number does so within a minute, or when the multiplied task would outlast a default
    timeout that it ends well before: defaults cannot be multiplied.
    """
    options = [
        (value, resolution)
        for call in scenario.calls
        if call.wait is not None
        for value, resolution in (
            (call.wait.poll_interval, capabilities.poll_interval_resolution),
            (call.wait.timeout, capabilities.timeout_resolution),
        )
        if value is not None
    ]
    factor = math.lcm(*((_exact(value) / _exact(step)).denominator for value, step in options))
    if factor == 1:
        return factor
    if factor * max(value for value, _ in options) > MAX_SCALED_S:
        return None
    durations = [each for step in scenario.task for each in (step.delay, step.for_, step.close_after)]
    if factor * max(each or 0.0 for each in durations) > MAX_DURATION_S:
        return None
    if any(call.wait is not None and call.wait.timeout is None for call in scenario.calls):
        default_s = contract.defaults.timeout
        as_written, multiplied = (
            forecast(contract, each).length_s for each in (scenario, scaled(scenario, factor))
        )
        if as_written < default_s <= multiplied:
            return None
    return factor


def scaled(scenario: Scenario, factor: int) -> Scenario:
    """Return the scenario with every duration multiplied."""
    if factor == 1:
        return scenario

    def times(value: float | None) -> float | None:
        return None if value is None else value * factor

    steps = tuple(
        step.model_copy(
            update={
                "delay": step.delay * factor,
                "for_": times(step.for_),
                "close_after": times(step.close_after),
            }
        )
        for step in scenario.task
    )
    calls = tuple(
        call
        if call.wait is None
        else call.model_copy(
            update={
                "wait": call.wait.model_copy(
                    update={
                        "poll_interval": times(call.wait.poll_interval),
                        "timeout": times(call.wait.timeout),
                    }
                )
            }
        )
        for call in scenario.calls
    )
    return scenario.model_copy(update={"task": steps, "calls": calls}).named(scenario.id)


def _exact(value_s: float) -> Fraction:
    return Fraction(value_s).limit_denominator(1_000_000)
