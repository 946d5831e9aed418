from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest
from waitproof.run.budget import Budget

LIMIT_S = 5.0


class Users:
    """Threads that take of a budget and hold it until they are let go."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.budget = Budget(self.stopping, max_live=25, max_polls_per_s=100.0)
        self.order: list[str] = []
        self._let_go: dict[str, threading.Event] = {}
        self._threads: dict[str, threading.Thread] = {}

    def ask(self, name: str, live: int, polls_per_s: float = 1.0) -> None:
        """Ask for a part of the budget, and return when it is there or the request is in the queue."""
        let_go = self._let_go[name] = threading.Event()

        def body() -> None:
            with self.budget.taken(live, polls_per_s):
                self.order.append(name)
                let_go.wait(LIMIT_S)

        before = len(self.budget._queue)
        thread = self._threads[name] = threading.Thread(target=body, daemon=True)
        thread.start()
        self.wait_until(lambda: name in self.order or len(self.budget._queue) > before)

    def finish(self, name: str) -> None:
        self._let_go[name].set()
        self._threads[name].join(LIMIT_S)

    def wait_until(self, holds: Callable[[], bool]) -> None:
        until_s = time.monotonic() + LIMIT_S
        while not holds() and time.monotonic() < until_s:
            time.sleep(0.002)
        assert holds()

    def close(self) -> None:
        for name in self._threads:
            self.finish(name)


@pytest.fixture
def users() -> Iterator[Users]:
    made = Users()
    yield made
    made.stopping.set()
    made.budget.wake()
    made.close()


def test_a_large_scenario_is_not_overtaken_by_small_ones_that_came_later(users: Users) -> None:
    users.ask("first", 1)
    users.ask("large", 25)
    users.ask("small", 1)
    time.sleep(0.05)  # long enough for a small one that overtakes
    assert users.order == ["first"]

    users.finish("first")
    users.wait_until(lambda: len(users.order) == 2)
    users.finish("large")
    users.wait_until(lambda: len(users.order) == 3)

    assert users.order == ["first", "large", "small"]


def test_all_that_fits_goes_on_at_once(users: Users) -> None:
    users.ask("first", 20)
    users.ask("large", 25)
    for name in "abc":
        users.ask(name, 5)

    users.finish("first")
    users.wait_until(lambda: users.order[-1] == "large")
    users.finish("large")
    users.wait_until(lambda: len(users.order) == 5)

    assert users.order[:2] == ["first", "large"]


def test_polls_a_second_are_limited_like_waits(users: Users) -> None:
    users.ask("first", 1, 90.0)
    users.ask("second", 1, 20.0)
    time.sleep(0.05)

    assert users.order == ["first"]


def test_a_scenario_larger_than_the_budget_runs_alone(users: Users) -> None:
    users.ask("small", 1)
    users.ask("huge", 70, 1_000.0)
    assert users.order == ["small"]

    users.finish("small")
    users.wait_until(lambda: len(users.order) == 2)

    assert users.order == ["small", "huge"]


def test_nobody_waits_any_more_once_the_run_is_stopping(users: Users) -> None:
    users.ask("first", 25)
    users.ask("second", 25)

    users.stopping.set()
    users.budget.wake()

    users.wait_until(lambda: users.order == ["first", "second"])
