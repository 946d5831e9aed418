"""What network and machine do to time: latency, lateness, and stops of the client's machine."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from dataclasses import dataclass

from waitproof.simulate.clock import Schedule

__all__ = ["API_SECRET", "Conditions", "Stop", "World"]

API_SECRET = "the-secret-of-a-client-in-virtual-time"  # noqa: S105 - known to everybody


@dataclass(frozen=True)
class Stop:
    """A pause of the client's machine; both times in seconds, `at_s` since the first call."""

    at_s: float
    for_s: float


@dataclass(frozen=True)
class Conditions:
    """What network and machine do to client and server; everything in seconds.

    Attributes:
        up_s: How long a request takes to arrive.
        down_s: How long an answer takes.
        jitter_s: Up to how much longer each of them may take.
        connect_s: How long it takes to open a connection, on top of `up_s`.
        late_s: Up to how late a sleep may end.
        server_late_s: Up to how late the server, which waits for a processor, reads a request; its lag
            meter reports this.
        harness_late_s: Up to how late the harness reads an adapter's answer.
        stops: When the client's machine is stopped: anything due then happens at the end of the stop.
        seed: Of everything random.
    """

    up_s: float = 0.000_5
    down_s: float = 0.000_5
    jitter_s: float = 0.0
    connect_s: float = 0.0
    late_s: float = 0.0
    server_late_s: float = 0.0
    harness_late_s: float = 0.0
    stops: tuple[Stop, ...] = ()
    seed: int = 0


class World:
    """The clock of one play, under its conditions."""

    def __init__(self, conditions: Conditions, seed: str) -> None:
        self.conditions = conditions
        self.schedule = Schedule()
        self.printed: list[str] = []
        self.threads = 0  # those of the client that have not ended
        self._seed = seed
        self._stops = sorted(conditions.stops, key=lambda stop: stop.at_s)

    @functools.cached_property
    def _random(self) -> random.Random:
        return random.Random(self._seed)  # only made where something is random: it takes as long as a poll

    def way_s(self, least_s: float) -> float:
        """Return how long one way takes this time."""
        return least_s + self.up_to(self.conditions.jitter_s)

    def up_to(self, late_s: float) -> float:
        """Return how late something is this time."""
        return self._random.uniform(0.0, late_s) if late_s else 0.0

    def after(self, seconds: float, body: Callable[[], object]) -> None:
        """Let `body` happen when a sleep of the client ends."""
        due_s = self.schedule.now + max(0.0, seconds)
        self.schedule.at(self.awake_s(due_s + self.up_to(self.conditions.late_s)), body)

    def stopped_s(self) -> float:
        """Return how long the client's machine has been stopped by now."""
        now_s = self.schedule.now
        return sum(max(0.0, min(stop.for_s, now_s - stop.at_s)) for stop in self._stops)

    def awake_s(self, when_s: float) -> float:
        """Return when something due at `when_s` happens to a client whose machine may be stopped then."""
        for stop in self._stops:
            if stop.at_s <= when_s < stop.at_s + stop.for_s:
                when_s = stop.at_s + stop.for_s
        return when_s
