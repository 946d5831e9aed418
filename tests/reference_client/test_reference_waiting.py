"""The rule of the wait helper in virtual time: no test here sleeps or opens a socket."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import pytest

from reference_client import StreamTaskException, StreamTransportException, Task, TaskError
from reference_client.waiting import Poll, Sleep, wait_steps


@dataclass
class World:
    """A server and a clock: each poll takes `answer_s` and gets the next status, the last one repeating."""

    statuses: list[str]
    answer_s: float = 0.0
    wakes_early_s: float = 0.0
    result: Any = None
    error: TaskError | None = None
    clock_s: float = 1000.0
    steps: list[tuple[float, Poll | Sleep]] = field(default_factory=list)

    def wait(self, **options: float) -> Any:
        """Drive one wait to its end; each step is recorded with its seconds since the start."""
        began_s = self.clock_s
        steps = wait_steps("t1", now=lambda: self.clock_s, **options)
        try:
            step = next(steps)
            while True:
                self.steps.append((self.clock_s - began_s, step))
                match step:
                    case Poll():
                        self.clock_s += self.answer_s
                        step = steps.send(Task("t1", self._next_status(), self.result, self.error))
                    case Sleep(seconds):
                        self.clock_s += seconds - self.wakes_early_s
                        step = next(steps)
        except StopIteration as finished:
            return finished.value

    def polls(self) -> list[tuple[float, float]]:
        """Return when each poll was asked for and how long it could take, in seconds."""
        return [(at_s, step.timeout_s) for at_s, step in self.steps if isinstance(step, Poll)]

    def _next_status(self) -> str:
        return self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]


def test_the_first_poll_is_made_at_once_and_a_completed_task_ends_the_wait() -> None:
    world = World(["completed"], result={"channels": 2})

    assert world.wait() == {"channels": 2}
    assert world.steps == [(0.0, Poll(timeout_s=60.0))]


@pytest.mark.parametrize("result", [None, {}, [], "", 0, False, {"a": [1, {"b": None}]}])
def test_any_result_is_returned_as_it_is(result: Any) -> None:
    assert World(["completed"], result=result).wait() is result


def test_a_whole_interval_is_slept_after_each_answer() -> None:
    world = World(["pending", "running", "completed"], answer_s=0.5)

    world.wait(poll_interval=2.0, timeout=16.0)

    assert world.steps == [
        (0.0, Poll(timeout_s=16.0)),
        (0.5, Sleep(2.0)),
        (2.5, Poll(timeout_s=13.5)),
        (3.0, Sleep(2.0)),
        (5.0, Poll(timeout_s=11.0)),
    ]


@pytest.mark.parametrize("status", ["waiting", "pending", "running", "queued", "Completed", "FAILED", ""])
def test_every_status_but_completed_and_failed_keeps_polling(status: str) -> None:
    world = World([status, "completed"], result=1)

    assert world.wait() == 1
    assert len(world.polls()) == 2


def test_the_defaults_are_a_poll_every_second_for_60_seconds() -> None:
    world = World(["running"])

    with pytest.raises(StreamTransportException) as raised:
        world.wait()
    assert raised.value.error_type == "timeout"
    assert str(raised.value) == (
        "timeout: task t1 was 'running' after 60 s; it may still be running on the server"
    )
    assert world.clock_s == 1060.0
    assert [at_s for at_s, _ in world.polls()] == [float(second) for second in range(61)]


@pytest.mark.parametrize(
    ("options", "polled_at_s"),
    [
        ({"poll_interval": 20.0}, [0.0, 20.0, 40.0, 60.0]),
        ({"timeout": 3.0}, [0.0, 1.0, 2.0, 3.0]),
        ({"poll_interval": 0.5, "timeout": 1.0}, [0.0, 0.5, 1.0]),
        ({"poll_interval": 5.0, "timeout": 2.0}, [0.0, 2.0]),
        ({"poll_interval": 2.0, "timeout": 5.0}, [0.0, 2.0, 4.0, 5.0]),
    ],
)
def test_either_option_can_be_overridden_and_the_last_sleep_ends_at_the_deadline(
    options: dict[str, float], polled_at_s: list[float]
) -> None:
    world = World(["running"])

    with pytest.raises(StreamTransportException):
        world.wait(**options)
    assert [at_s for at_s, _ in world.polls()] == polled_at_s


def test_a_task_that_ends_within_the_last_interval_is_seen_at_the_deadline() -> None:
    world = World(["running", "completed"], result="late")

    assert world.wait(poll_interval=10.0, timeout=4.0) == "late"
    assert world.clock_s == 1004.0


def test_a_poll_may_take_the_time_left_and_the_last_one_a_twentieth_of_the_timeout() -> None:
    world = World(["running"])

    with pytest.raises(StreamTransportException):
        world.wait(poll_interval=4.0, timeout=8.0)
    assert world.polls() == [(0.0, 8.0), (4.0, 4.0), (8.0, 0.4)]


def test_the_last_poll_may_never_take_longer_than_a_second() -> None:
    world = World(["running"])

    with pytest.raises(StreamTransportException):
        world.wait(poll_interval=600.0, timeout=600.0)
    assert world.polls() == [(0.0, 600.0), (600.0, 1.0)]


def test_an_answer_that_comes_after_the_deadline_is_the_last_one() -> None:
    world = World(["running"], answer_s=3.0)

    with pytest.raises(StreamTransportException):
        world.wait(poll_interval=1.0, timeout=6.0)
    assert world.polls() == [(0.0, 6.0), (4.0, 2.0)]
    assert world.clock_s == 1007.0


def test_a_sleep_that_wakes_a_tick_early_leads_to_no_second_last_poll() -> None:
    world = World(["running"], wakes_early_s=2**-6)

    with pytest.raises(StreamTransportException):
        world.wait(poll_interval=5.0, timeout=2.0)
    assert [at_s for at_s, _ in world.polls()] == [0.0, 2.0 - 2**-6]


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (None, ("t1", None, None, None, None)),
        (TaskError(), ("t1", None, None, None, None)),
        (TaskError("E", "why", "at line 1", "v1"), ("t1", "E", "why", "at line 1", "v1")),
        (TaskError("E", "", None, ""), ("t1", "E", "", None, "")),
    ],
)
def test_a_failed_task_raises_all_that_is_known_of_its_error(
    error: TaskError | None, fields: tuple[str | None, ...]
) -> None:
    world = World(["running", "failed"], error=error)

    with pytest.raises(StreamTaskException) as raised:
        world.wait()
    failure = raised.value
    assert fields == (
        failure.task_id,
        failure.error_type,
        failure.description,
        failure.stack_trace,
        failure.version,
    )
    assert len(world.polls()) == 2


@pytest.mark.parametrize("name", ["poll_interval", "timeout"])
@pytest.mark.parametrize("seconds", [0, -1, 0.0, -0.5, math.inf, math.nan])
def test_an_option_that_is_no_finite_number_over_0_is_refused_before_the_first_poll(
    name: str, seconds: float
) -> None:
    world = World(["completed"])

    with pytest.raises(
        ValueError, match=f"^{name} must be a finite number of seconds over 0, not {seconds!r}$"
    ):
        world.wait(**{name: seconds})
    assert world.steps == []
