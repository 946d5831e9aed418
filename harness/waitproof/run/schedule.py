"""Which scenarios share a process, and which run one after another. Pure.

A run takes as long as its longest scenario, so the longest start first, and those that a defective helper
can make long. Scenarios whose verdicts depend on time never share a process with those that make many polls
at once.
"""

from __future__ import annotations

import functools
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from waitproof.simulate import is_timed, pack
from waitproof.suite import Contract, Scenario

__all__ = ["ProcessPlan", "plan_processes"]

MIN_HORIZON_S = 1.0
# How much of the longest scenario's time a lane is planned to fill. Forecasts don't know slow helpers: one
# that ignores its interval takes twice as long. Untimed scenarios run well in many lanes.
TIMED_FILL = 0.4
UNTIMED_FILL = 0.25


@dataclass(frozen=True)
class ProcessPlan:
    """What one process plays.

    Attributes:
        lanes: Each lane plays its queue from left to right; several lanes may share one queue.
    """

    lanes: tuple[deque[Scenario], ...]

    @property
    def clients(self) -> list[str]:
        """The clients to warm, which are named after their scenarios."""
        queues = {id(queue): queue for queue in self.lanes}.values()
        return [scenario.id for queue in queues for scenario in queue if not scenario.cold]


def plan_processes(
    contract: Contract,
    scenarios: Sequence[Scenario],
    length_s: Callable[[Scenario], float],
    max_concurrency: int,
) -> Iterator[ProcessPlan]:
    """Yield the processes that an adapter needs.

    Args:
        contract: The documentation.
        scenarios: What to play, at least one.
        length_s: How long a scenario takes, in seconds.
        max_concurrency: How many calls one process can have in flight, 0 for any number.
    """
    horizon_s = max(MIN_HORIZON_S, *map(length_s, scenarios))
    for timed, fill in ((True, TIMED_FILL), (False, UNTIMED_FILL)):
        chosen = [each for each in scenarios if is_timed(contract, each) is timed]
        for lanes in _per_process(pack(chosen, length_s, horizon_s * fill), max_concurrency):
            if max_concurrency:
                yield ProcessPlan(tuple(map(deque, lanes)))
                continue
            # Each lane takes the next of all, so a helper slower than its forecast holds up one lane only.
            # Where calls hang, the untimed ones with a short timeout are the first to show it.
            first = functools.partial(_may_take_s, contract, length_s) if timed else length_s
            queue = deque(sorted(itertools.chain(*lanes), key=first, reverse=True))
            yield ProcessPlan((queue,) * len(lanes))


def _may_take_s(contract: Contract, length_s: Callable[[Scenario], float], scenario: Scenario) -> float:
    """Return how long a scenario takes, plus how long a helper that polls too seldom can make it.

    That is until its waits time out.
    """
    waits = [call.wait for call in scenario.calls if call.wait is not None]
    return length_s(scenario) + sum(wait.lasts_s(contract.defaults) for wait in waits)


def _per_process(lanes: Sequence[list[Scenario]], max_concurrency: int) -> Iterator[Sequence[list[Scenario]]]:
    """Yield the lanes that share a process with that many calls in flight; 0 is any number."""
    shared: list[list[Scenario]] = []
    calls = 0
    for lane in lanes:
        # A scenario with more calls than the adapter can take is UNSUPPORTED, and they are never sent.
        most = max((each.parallel for each in lane if each.parallel <= max_concurrency), default=1)
        if shared and 0 < max_concurrency < calls + most:
            yield shared
            shared, calls = [], 0
        shared.append(lane)
        calls += most
    if shared:
        yield shared
