"""A limit on a clock of its own, where a look takes as long as the test says."""

from collections.abc import Callable

import pytest
from waitproof.limit import LOOK_S, Limit


class Machine:
    """A clock, and a wait that takes longer than it was asked to while the machine is away."""

    def __init__(self, comes_after_looks: float, away_s: dict[int, float] | None = None) -> None:
        self.now_s = 0.0
        self.looks = 0
        self._comes_after = comes_after_looks
        self._away_s = away_s or {}

    def clock(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> bool:
        self.looks += 1
        if self.looks > self._comes_after:
            return True
        self.now_s += seconds + self._away_s.get(self.looks, 0.0)
        return False


Limited = Callable[[float, Machine], bool]


@pytest.fixture
def limited() -> Limited:
    return lambda limit_s, machine: Limit(limit_s, clock=machine.clock).wait(machine.wait)


def test_what_comes_in_time_has_come_at_once(limited: Limited) -> None:
    machine = Machine(comes_after_looks=2)

    assert limited(10.0, machine)
    assert machine.now_s == 2 * LOOK_S


def test_what_never_comes_is_given_up_at_the_limit(limited: Limited) -> None:
    machine = Machine(comes_after_looks=float("inf"))

    assert not limited(10.0, machine)
    assert machine.now_s == pytest.approx(10.0)


@pytest.mark.parametrize("stopped_in", [1, 7, 20])
def test_time_in_which_this_process_was_stopped_is_not_waited(limited: Limited, stopped_in: int) -> None:
    machine = Machine(comes_after_looks=stopped_in, away_s={stopped_in: 60.0})

    assert limited(10.0, machine)


def test_a_process_that_hardly_runs_gives_up_at_last(limited: Limited) -> None:
    machine = Machine(comes_after_looks=float("inf"), away_s=dict.fromkeys(range(1000), 3.0))

    assert not limited(10.0, machine)
    assert machine.looks <= 10.0 / LOOK_S + 1


@pytest.mark.parametrize("limit_s", [0.0, -1.0])
def test_without_time_what_has_come_is_still_seen(limited: Limited, limit_s: float) -> None:
    assert limited(limit_s, Machine(comes_after_looks=0))
    assert not limited(limit_s, Machine(comes_after_looks=1))
