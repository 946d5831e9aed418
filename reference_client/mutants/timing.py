"""Mutants of time: intervals, deadlines, and how many polls there are at once."""

# ruff: noqa: ARG002 - what a variant is given and does not use is what makes it one

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

from reference_client import wire
from reference_client.client import Client
from reference_client.exceptions import StreamTransportException
from reference_client.mutants.variant import Ending, Jittering, Rule, Steps, altered, in_background, kills
from reference_client.task import Task
from reference_client.waiting import DEFAULT_TIMEOUT_S, Poll, Sleep, wait_steps

__all__: list[str] = []

NEVER_S = 1e9


def _same(value: Any) -> Any:
    return value


# --- the interval -------------------------------------------------------------------------------------


@kills("default-poll-interval")
class Halved(Rule):
    """Sleeps half of the interval."""

    def on_sleep(self, seconds: float) -> float:
        return seconds / 2


@kills("default-poll-interval")
class Doubled(Client):
    """Polls every 2 seconds unless told otherwise."""

    def wait_for_task(
        self, task_id: str, *, poll_interval: float = 2.0, timeout: float = DEFAULT_TIMEOUT_S
    ) -> Any:
        return super().wait_for_task(task_id, poll_interval=poll_interval, timeout=timeout)


@kills("default-poll-interval")
class TenPercentShort(Rule):
    """Sleeps nine tenths of the interval."""

    def on_sleep(self, seconds: float) -> float:
        return seconds * 0.9


@kills("default-poll-interval")
class Jittered(Jittering):
    """Sleeps between a half and one and a half of the interval."""

    seed = 5
    shares = (0.5, 1.5)


@kills("default-poll-interval")
class JitteredLonger(Jittering):
    """Sleeps up to a third longer than the interval."""

    seed = 11
    shares = (1.0, 1.33)


@kills("default-poll-interval")
class Alternating(Rule):
    """Sleeps an interval and nearly two in turn."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._factors = itertools.cycle([1.0, 1.8])

    def on_sleep(self, seconds: float) -> float:
        return seconds * next(self._factors)


@kills("default-poll-interval")
class GrowsSlowly(Rule):
    """Sleeps a seventh longer after each poll."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._factor = 1.0

    def on_sleep(self, seconds: float) -> float:
        self._factor *= 1.15
        return seconds * self._factor / 1.15


@kills("default-poll-interval")
class BacksOff(Client):
    """Sleeps half as long again after each poll."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        factor = 1.0

        def longer(seconds: float) -> float:
            nonlocal factor
            factor *= 1.5
            return min(seconds * factor / 1.5, 10 * seconds)

        return altered(super()._steps(task_id, poll_interval, timeout), _same, _same, longer)


@kills("default-poll-interval")
class BusyLoop(Rule):
    """Never sleeps."""

    def on_sleep(self, seconds: float) -> float:
        return 0.0


@kills("default-poll-interval")
class PollsTwice(Client):
    """Polls twice on end each time."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        steps = super()._steps(task_id, poll_interval, timeout)
        try:
            step = next(steps)
            while True:
                if isinstance(step, Poll):
                    yield step
                    step = steps.send((yield step))
                else:
                    yield step
                    step = next(steps)
        except StopIteration as end:
            return end.value


@kills("default-poll-interval")
class SleepsInMilliseconds(Rule):
    """Takes the seconds of its interval for milliseconds."""

    def on_sleep(self, seconds: float) -> float:
        return seconds / 1000


@kills("override-poll-interval")
class Ignored(Client):
    """Polls once a second whatever it is told."""

    def wait_for_task(self, task_id: str, *, poll_interval: float = 1.0, **options: Any) -> Any:
        return super().wait_for_task(task_id, **options)


@kills("override-poll-interval")
class InMilliseconds(Client):
    """Takes an interval that is passed for milliseconds."""

    def wait_for_task(self, task_id: str, *, poll_interval: float = 1000.0, **options: Any) -> Any:
        return super().wait_for_task(task_id, poll_interval=poll_interval / 1000, **options)


@kills("override-poll-interval")
class RoundedUp(Client):
    """Rounds the interval up to whole seconds."""

    def wait_for_task(self, task_id: str, *, poll_interval: float = 1.0, **options: Any) -> Any:
        return super().wait_for_task(task_id, poll_interval=math.ceil(poll_interval), **options)


@kills("override-poll-interval")
class CappedAtASecond(Client):
    """Takes no interval that is longer than the default."""

    def wait_for_task(self, task_id: str, *, poll_interval: float = 1.0, **options: Any) -> Any:
        return super().wait_for_task(task_id, poll_interval=min(poll_interval, 1.0), **options)


@kills("override-poll-interval")
class OnlyTheFirstTime(Client):
    """Sleeps the interval that is passed once, and then a second each time."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        sleeps = 0

        def usual(seconds: float) -> float:
            nonlocal sleeps
            sleeps += 1
            return seconds if sleeps == 1 or seconds < poll_interval else 1.0

        return altered(super()._steps(task_id, poll_interval, timeout), _same, _same, usual)


# --- the deadline -------------------------------------------------------------------------------------


@kills("default-timeout")
class HalfAMinute(Client):
    """Waits 30 seconds unless told otherwise."""

    def wait_for_task(self, task_id: str, *, timeout: float = 30.0, **options: Any) -> Any:
        return super().wait_for_task(task_id, timeout=timeout, **options)


@kills("default-timeout")
class SeventyFiveSeconds(Client):
    """Waits 75 seconds unless told otherwise."""

    def wait_for_task(self, task_id: str, *, timeout: float = 75.0, **options: Any) -> Any:
        return super().wait_for_task(task_id, timeout=timeout, **options)


@kills("default-timeout")
class WaitsForEver(Client):
    """Has no timeout unless it is told one."""

    def wait_for_task(self, task_id: str, *, timeout: float = NEVER_S, **options: Any) -> Any:
        return super().wait_for_task(task_id, timeout=timeout, **options)


@kills("override-timeout", "ignored")
class _TimeoutIgnored(Client):
    """Waits a minute whatever it is told."""

    def wait_for_task(self, task_id: str, *, timeout: float = 60.0, **options: Any) -> Any:
        return super().wait_for_task(task_id, **options)


@kills("override-timeout")
class CountedInPolls(Client):
    """Polls as many times as its timeout has seconds."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        polls = 0
        steps = super()._steps(task_id, poll_interval, NEVER_S)

        def counted(task: Task) -> Task:
            nonlocal polls
            polls += 1
            if polls > timeout and task.status not in ("completed", "failed"):
                raise StreamTransportException("timeout", f"{polls} polls")
            return task

        return altered(steps, _same, counted, _same)


@kills("override-timeout")
class RestartsAtEachPoll(Client):
    """Counts its timeout from the latest poll."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        return altered(
            super()._steps(task_id, poll_interval, NEVER_S),
            lambda _poll: Poll(timeout),
            _same,
            _same,
        )


@kills("override-timeout")
class RestartsWithEachStatus(Client):
    """Counts its timeout from the latest change of the status."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        status, until = "", self._transport.now() + timeout

        def watched(task: Task) -> Task:
            nonlocal status, until
            if task.status != status:
                status, until = task.status, self._transport.now() + timeout
            elif self._transport.now() >= until:
                raise StreamTransportException("timeout", f"nothing has changed for {timeout:g} s")
            return task

        def to_the_end(seconds: float) -> float:
            return max(0.0, min(seconds, until - self._transport.now()))

        return altered(super()._steps(task_id, poll_interval, NEVER_S), _same, watched, to_the_end)


@kills("override-timeout")
class WholeSeconds(Client):
    """Rounds its timeout to whole seconds, one at least."""

    def wait_for_task(self, task_id: str, *, timeout: float = 60.0, **options: Any) -> Any:
        return super().wait_for_task(task_id, timeout=max(1, round(timeout)), **options)


@kills("override-timeout", "in-milliseconds")
class _TimeoutInMilliseconds(Client):
    """Takes a timeout that is passed for milliseconds."""

    def wait_for_task(self, task_id: str, *, timeout: float = 60_000.0, **options: Any) -> Any:
        return super().wait_for_task(task_id, timeout=timeout / 1000, **options)


@kills("timeout-not-early")
class OneIntervalEarly(Client):
    """Gives up when there is no time for another whole interval."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        def or_none(seconds: float) -> float:
            if seconds < poll_interval:
                raise StreamTransportException("timeout", "no time for another poll")
            return seconds

        return altered(super()._steps(task_id, poll_interval, timeout), _same, _same, or_none)


@kills("timeout-not-early")
class WholeIntervals(Client):
    """Rounds its timeout down to whole intervals."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        intervals = max(1, math.floor(timeout / poll_interval + 1e-6))
        return super()._steps(task_id, poll_interval, min(timeout, intervals * poll_interval))


@kills("timeout-not-late")
class CheckedAfterTheSleep(Client):
    """Looks at the deadline only after a whole interval's sleep."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        return altered(
            super()._steps(task_id, poll_interval, timeout), _same, _same, lambda _seconds: poll_interval
        )


@kills("timeout-not-late")
class OneIntervalLate(Client):
    """Waits an interval longer than its timeout."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        return super()._steps(task_id, poll_interval, timeout + poll_interval)


@kills("deadline-bounds-a-stalled-poll")
class NotCutOff(Rule):
    """Lets a poll take as long as any other request."""

    def on_poll(self, poll: Poll) -> Poll:
        return Poll(wire.REQUEST_TIMEOUT_S)


@kills("deadline-bounds-a-stalled-poll")
class EachPollTheWholeTimeout(Client):
    """Gives each poll as long as the whole wait."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        steps = super()._steps(task_id, poll_interval, timeout)
        return altered(steps, lambda _poll: Poll(timeout), _same, _same)


# --- polls at once, and after the end -----------------------------------------------------------------


@kills("one-poll-in-flight")
class Hedged(Client):
    """Sends each poll twice at once."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        def second(poll: Poll) -> Poll:
            in_background(self, lambda: self._get_task(task_id, poll.timeout_s))
            return poll

        return altered(super()._steps(task_id, poll_interval, timeout), second, _same, _same)


@kills("one-poll-in-flight")
class DoesNotWaitForAnswers(Client):
    """Polls every interval, whether the poll before has its answer or not."""

    def wait_for_task(
        self, task_id: str, *, poll_interval: float = 1.0, timeout: float = DEFAULT_TIMEOUT_S
    ) -> Any:
        told: list[Task | Exception] = []
        deadline = self._transport.now() + timeout

        def poll() -> None:
            try:
                told.append(self._get_task(task_id, timeout))
            except Exception as error:  # noqa: BLE001 - raised below, in the caller's thread
                told.append(error)

        def told_steps() -> Steps:
            steps = wait_steps(task_id, poll_interval=poll_interval, timeout=timeout, now=self._transport.now)
            next(steps)
            while True:
                if told:
                    latest = told.pop(0)
                    if isinstance(latest, Exception):
                        raise latest
                    try:
                        steps.send(latest)
                        next(steps)
                    except StopIteration as end:
                        return end.value
                if self._transport.now() >= deadline:
                    raise StreamTransportException("timeout", "the deadline passed")
                yield Sleep(0.01)

        due = self._transport.now()
        steps = told_steps()
        try:
            while True:
                if self._transport.now() >= due:
                    in_background(self, poll)
                    due += poll_interval
                step = next(steps)
                assert isinstance(step, Sleep)
                self._transport.sleep(step.seconds)
        except StopIteration as end:
            return end.value


@kills("no-poll-after-outcome")
class OnceMore(Client):
    """Polls once more when the task has ended."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        def again(task: Task) -> Task:
            if task.status in ("completed", "failed"):
                self._get_task(task_id, wire.REQUEST_TIMEOUT_S)
            return task

        return altered(super()._steps(task_id, poll_interval, timeout), _same, again, _same)


class _AfterTheOutcome(Client):
    polls_more = 1

    def wait_for_task(
        self, task_id: str, *, poll_interval: float = 1.0, timeout: float = DEFAULT_TIMEOUT_S
    ) -> Any:
        def go_on() -> None:
            for _ in range(self.polls_more):
                self._transport.sleep(poll_interval)
                self._get_task(task_id, wire.REQUEST_TIMEOUT_S)

        try:
            return super().wait_for_task(task_id, poll_interval=poll_interval, timeout=timeout)
        finally:
            in_background(self, go_on)


@kills("no-poll-after-outcome")
class ForEver(_AfterTheOutcome):
    """Goes on polling in the background when its caller has the outcome."""

    polls_more = 1_000_000


@kills("no-poll-after-outcome")
class AnIntervalLater(_AfterTheOutcome):
    """Polls once more an interval after its caller had the outcome."""


# --- on record ----------------------------------------------------------------------------------------

_RECORDED: Any = {"ending": Ending.RECORDED}


@kills("first-poll-is-immediate", **_RECORDED)
class AfterAnInterval(Client):
    """Sleeps an interval before the first poll."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        first = min(poll_interval, timeout)
        yield Sleep(first)
        return (yield from super()._steps(task_id, poll_interval, max(timeout - first, 0.001)))


@kills("interval-counted-from", **_RECORDED)
class TheRequest(Client):
    """Counts the interval from the request."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        asked = self._transport.now()

        def stamped(poll: Poll) -> Poll:
            nonlocal asked
            asked = self._transport.now()
            return poll

        def rest(seconds: float) -> float:
            return max(0.0, min(asked + poll_interval - self._transport.now(), seconds))

        return altered(super()._steps(task_id, poll_interval, timeout), stamped, _same, rest)


@kills("polls-at-the-deadline", **_RECORDED)
class SleepsItAway(Client):
    """Makes no poll at the deadline."""

    def _steps(self, task_id: str, poll_interval: float, timeout: float) -> Steps:
        deadline = self._transport.now() + timeout
        steps = super()._steps(task_id, poll_interval, timeout)
        return altered(steps, lambda poll: _before(deadline - 0.001, poll, self), _same, _same)


@kills("late-completion", **_RECORDED)
class NeverSeen(SleepsItAway):
    """Does not see what ends within the last interval."""


def _before(deadline: float, poll: Poll, client: Client) -> Poll:
    if client._transport.now() >= deadline:  # noqa: SLF001 - a part of the client
        raise StreamTransportException("timeout", "the deadline passed")
    return poll


@kills("own-request-timeout", **_RECORDED)
class ThirtySeconds(Rule):
    """Gives up any request after 30 seconds."""

    def on_poll(self, poll: Poll) -> Poll:
        return dataclasses.replace(poll, timeout_s=min(poll.timeout_s, 30.0))


@kills(
    "sub-second-options",
    ending=Ending.RECORDED,
    capabilities={"poll_interval_resolution": 1, "timeout_resolution": 1},
)
class OnlyWholeSeconds(Client):
    """Takes whole seconds alone."""

    def wait_for_task(self, task_id: str, *, poll_interval: float = 1, timeout: float = 60) -> Any:
        if poll_interval != int(poll_interval) or timeout != int(timeout):
            raise ValueError("whole seconds, please")
        return super().wait_for_task(task_id, poll_interval=poll_interval, timeout=timeout)
