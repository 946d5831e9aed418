"""How long a scenario takes, and which scenarios run one after another.

A run takes as long as its longest scenario: the longest starts first, and the others are spread over
as few lanes as fit into that time, so that as little as possible runs at once and times stay exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

from waitproof.judge import Check, checks
from waitproof.protocol import Capabilities
from waitproof.suite import (
    MAX_DURATION_S,
    NO_TIMEOUT_S,
    Contract,
    Intervals,
    Scenario,
    TaskState,
    WaitOptions,
    answer,
    watched_after_s,
)

__all__ = ["Forecast", "ends_its_process", "forecast", "is_timed", "pack", "scale_for", "scaled", "watch_s"]

MAX_SCALED_S = 60.0  # no scenario may make a run longer than the documented default timeout does
FINEST_S = 1e-6  # whatever takes steps of that takes every duration of a scenario
MAX_POLLS = 100_000  # of a forecast: an interval of a millisecond over minutes


@dataclass(frozen=True)
class Forecast:
    """What a scenario is like for a patient helper.

    Attributes:
        length_s: How long its calls and the watch after them take.
        polls: How many polls come, parallel copies included.
    """

    length_s: float
    polls: int


def forecast(contract: Contract, scenario: Scenario) -> Forecast:
    """Play a scenario in virtual time with a helper that keeps polling whatever the fault."""
    contract = contract.varied(scenario.variant)
    state = TaskState(scenario.task)
    now_s, polls, connection = 0.0, 0, 0
    for call in scenario.calls:
        if call.wait is None:
            now_s += max(step.delay for step in scenario.task) if call.get_task else 0.0
            continue
        intervals, limit = call.wait.intervals(contract.defaults), call.wait.polls_limit(contract.defaults)
        timeout_s = call.wait.timeout_s(contract.defaults)
        deadline_s = now_s + (timeout_s if call.cancel_after is None else call.cancel_after)
        own = 0  # polls of this wait
        while now_s < deadline_s and polls < MAX_POLLS:
            connection += 1
            own += 1
            state, said = answer(state, now_s, connection=connection)
            polls += 1
            now_s = min(now_s + said.step.delay, deadline_s)
            if contract.ends_the_wait(said.step.status) or own == limit:
                break
            now_s = min(now_s + intervals.pause_s(own), deadline_s)
    return Forecast(now_s + watch_s(contract, scenario), polls * scenario.parallel)


def watch_s(contract: Contract, scenario: Scenario) -> float:
    """Return how long to watch the journal after the last outcome, 0 where no check asks for it."""
    if not any(check.watches for check in _checks_of(contract, scenario)):
        return 0.0
    intervals = [call.wait.interval_s(contract.defaults) for call in scenario.calls if call.wait is not None]
    return watched_after_s(max(intervals, default=0.0))


def ends_its_process(contract: Contract, scenario: Scenario, capabilities: Capabilities) -> bool:
    """Return whether how its process ends matters, so that a scenario is not played beside others."""
    return capabilities.end and any(check.ends for check in _checks_of(contract, scenario))


def is_timed(contract: Contract, scenario: Scenario) -> bool:
    """Return whether a verdict depends on time: if so, no heavy scenario may share its process."""
    return scenario.parallel == 1 and any(check.timed for check in _checks_of(contract, scenario))


def _checks_of(contract: Contract, scenario: Scenario) -> list[Check]:
    known = checks()
    return [known[contract.requirement(name).check] for name in scenario.proves]


_T = TypeVar("_T")


def pack(items: Sequence[_T], length_s: Callable[[_T], float], horizon_s: float) -> list[list[_T]]:
    """Spread items over as few lanes as end within the horizon, the longest first in each.

    Args:
        items: What is to be done.
        length_s: How long one item takes, in seconds.
        horizon_s: When every lane should have ended; an item longer than that gets its own lane.
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


def scale_for(contract: Contract, scenario: Scenario, capabilities: Capabilities) -> int | None:
    """Return the factor for a scenario's durations that makes its options fit the SDK's resolution.

    None when no whole number does so within a minute, or when the multiplied task would outlast a default
    timeout that it ends well before: defaults cannot be multiplied.
    """
    options = [
        (value, resolution)
        for call in scenario.calls
        if call.wait is not None
        for value, resolution in (
            *((each, capabilities.poll_interval_resolution) for each in _lengths_s(call.wait)),
            (call.wait.timeout, capabilities.timeout_resolution),
        )
        if value is not None and value != NO_TIMEOUT_S and resolution >= FINEST_S
    ]
    factor = math.lcm(*((_exact(value) / _exact(step)).denominator for value, step in options))
    if factor == 1:
        return factor
    # A timeout of days holds up nobody where the task ends after seconds.
    length_s = forecast(contract, scenario).length_s
    lasting = [length_s if value > max(length_s, MAX_SCALED_S) else value for value, _ in options]
    if factor * Fraction(max(lasting)) > MAX_SCALED_S:
        return None
    durations = [each for step in scenario.task for each in (step.delay, step.for_, step.close_after)]
    if factor * Fraction(max(each or 0.0 for each in durations)) > MAX_DURATION_S:
        return None
    default_s = contract.defaults.timeout
    are_defaults = (call.wait is not None and call.wait.timeout is None for call in scenario.calls)
    if default_s is not None and any(are_defaults):
        as_written, multiplied = (
            forecast(contract, each).length_s for each in (scenario, scaled(scenario, factor))
        )
        if as_written < default_s <= multiplied:
            return None
    return factor


def _lengths_s(wait: WaitOptions) -> tuple[float | None, ...]:
    interval = wait.poll_interval
    return interval.lengths_s() if isinstance(interval, Intervals) else (interval,)


def scaled(scenario: Scenario, factor: int) -> Scenario:
    """Return the scenario with every duration multiplied."""
    if factor == 1:
        return scenario

    def times(value: float | None) -> float | None:
        return value if value in (None, NO_TIMEOUT_S) else value * factor

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
                        "poll_interval": (
                            call.wait.poll_interval.scaled(factor)
                            if isinstance(call.wait.poll_interval, Intervals)
                            else times(call.wait.poll_interval)
                        ),
                        "timeout": times(call.wait.timeout),
                    }
                ),
                "cancel_after": times(call.cancel_after),
            }
        )
        for call in scenario.calls
    )
    return scenario.model_copy(update={"task": steps, "calls": calls}).named(scenario.id)


def _exact(value_s: float) -> Fraction:
    return Fraction(value_s).limit_denominator(round(1 / FINEST_S))
