"""The model client: a correct wait helper that is driven by a contract alone, for any suite.

A call is a generator of steps (`Send`, `Sleep`, `Fork`, `Print`) that never waits or sends anything itself;
`sdk` has the two drivers that carry the steps out, one for threads and one for coroutines. At fixed places
the client calls its `Hooks`, which change nothing as they are: a defect is a hook or two that do.

The rule in time: the first poll is made at once; after each answer the client sleeps a whole interval,
except that the last sleep ends at the deadline, where one last poll is made. So a task that ends within the
last interval is still seen, and the timeout is never raised before the deadline.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, TypeAlias

from waitproof.defects.wire import Cause, ModelError, Task, TaskId, Wire
from waitproof.simulate import Answer, Request, SimulatedDropError, SimulatedTimeoutError
from waitproof.suite import NO_TIMEOUT_S, Contract, Intervals, Json, Returns, StatusMeaning

__all__ = [
    "Fork",
    "Hooks",
    "Instead",
    "ModelClient",
    "Options",
    "Print",
    "Reaction",
    "Send",
    "Sleep",
    "Steps",
    "Wait",
]

REQUEST_TIMEOUT_S = 60.0  # for requests that no wait's deadline bounds

# The poll at the deadline has no time left, yet needs some to be answered: a twentieth of the timeout,
# which nobody who chose that timeout will notice, and never over a second, within which a healthy server
# answers.
LAST_POLL_SHARE = 0.05
LAST_POLL_LIMIT_S = 1.0
LEAST_INTERVAL_S = 0.001  # where 0 is passed: time goes on, and defects can divide by it

Options: TypeAlias = Mapping[str, Any]
"""What the caller passed: numbers, and `Intervals` for a schedule."""


@dataclass(frozen=True)
class Send:
    """Send a request and send the answer back in; throw in what the machine raises."""

    request: Request
    timeout_s: float


@dataclass(frozen=True)
class Sleep:
    """Do nothing for so many seconds, then ask for the next step."""

    seconds: float


@dataclass(frozen=True)
class Fork:
    """Carry out other steps in the background, and ignore what they come to. Only for a blocking client."""

    steps: Steps


@dataclass(frozen=True)
class Print:
    """Write a line to stderr."""

    line: str


Steps: TypeAlias = Generator[Send | Sleep | Fork | Print, Any, Any]


class Reaction(StrEnum):
    """What a client does about a failed poll, other than to raise."""

    POLL_ON = "poll on"
    REPEAT = "repeat it at once"


@dataclass(frozen=True)
class Instead:
    """What a call returns in place of raising."""

    value: Any


class Wait:
    """One wait while it lasts; hooks may change what is public here.

    Attributes:
        options: What the caller passed, nothing else.
        variant: Which variant of the helper was called, None for the helper as it is.
        contract: The contract as it is for that variant.
        intervals: Its pauses.
        limit: After how many polls it is given up, infinite for no limit.
        deadline_s: When the wait is given up, on the client's clock.
        polled_s: When the latest poll was begun.
        polls: How many polls have been answered.
        failures: How many polls in a row have failed.
        sleeps: How many sleeps there were, the one being asked for included.
        memory: What a defect remembers during this wait.
        random: A source of chance that is the same each time.
    """

    def __init__(
        self, client: ModelClient, task_id: TaskId, options: Options, variant: str | None = None
    ) -> None:
        defaults = client.contract.defaults
        self.variant = variant
        self.contract = client.contract.varied(variant)
        self.client = client
        self.task_id = task_id
        self.options = options
        self.intervals = _intervals(options.get("poll_interval", defaults.intervals))
        self.limit: float = options.get("max_polls", defaults.max_polls) or math.inf
        passed_s = options.get("timeout", defaults.timeout)
        self.timeout_s = NO_TIMEOUT_S if passed_s is None else passed_s
        self.began_s = client.now()
        self.deadline_s = self.began_s + self.timeout_s
        self.polled_s = self.began_s
        self.polls = 0
        self.failures = 0
        self.sleeps = 0
        self.memory: dict[str, Any] = {}
        self.random = random.Random(7)

    @property
    def interval_s(self) -> float:
        """How long the sleep is that is being asked for, or else the next."""
        return self.intervals.pause_s(max(1, self.sleeps))

    @property
    def has_deadline(self) -> bool:
        """Whether its time is limited."""
        return self.timeout_s < NO_TIMEOUT_S

    def now(self) -> float:
        """Return the client's clock."""
        return self.client.now()

    def timed_out(self) -> ModelError:
        """Return the exception for the passed deadline."""
        return self._gave_up(f"{self.timeout_s:g} s")

    def polled_out(self) -> ModelError:
        """Return the exception for the limit of polls."""
        return self._gave_up(f"{self.sleeps + 1} polls")

    def _gave_up(self, spent: str) -> ModelError:
        message = f"task {self.task_id} had not ended after {spent}; it may still be running"
        return self.client.wire.timed_out(message)


def _intervals(passed: float | Intervals) -> Intervals:
    intervals = passed if isinstance(passed, Intervals) else Intervals(passed)
    return replace(intervals, first_s=max(LEAST_INTERVAL_S, intervals.first_s))


def _read(options: Options) -> Options:
    """Return options of the protocol with its schedule as a value."""
    passed = options.get("poll_interval")
    if not isinstance(passed, Mapping):
        return options
    grows = {"times": passed["times"]} if "times" in passed else {"add_s": passed["add"]}
    return {**options, "poll_interval": Intervals(passed["first"], most_s=passed["most"], **grows)}


def _no_steps() -> Steps:
    yield from ()


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Where a defect can change the client. Each returns what goes on in place of its last argument.

    Attributes:
        on_options: The options as the caller passed them; may raise.
        on_wait: The steps of a whole wait, the handling of its exceptions excluded.
        before_poll: Steps before each poll of a wait.
        on_poll: How long a poll may take; may raise.
        on_request: Each request for a task's status; the wait is None for one that is made by hand.
        on_send: The steps that bring the answer to one of these: the HTTP stack below the helper.
        on_answer: Each answer to one of these, unread.
        on_task: What the rule of waiting is given; may raise.
        after_poll: Steps after each answered poll of a wait.
        on_poll_error: The exception of a failed poll, or a `Reaction`.
        on_sleep: How long to sleep; may raise.
        on_result: What a wait returns.
        on_failure: The exception for a failed task, or an `Instead`.
        at_timeout: Steps before the timeout is raised.
        on_timeout: The exception for the passed deadline, or an `Instead`.
        on_task_id: What beginning the named operation with these arguments returns.
        on_look: The steps of a look at a task by hand.
    """

    on_options: Callable[[Contract, Options], Options] = lambda _contract, options: options
    on_wait: Callable[[Wait, Steps], Steps] = lambda _wait, steps: steps
    before_poll: Callable[[Wait], Steps] = lambda _wait: _no_steps()
    on_poll: Callable[[Wait, float], float] = lambda _wait, timeout_s: timeout_s
    on_request: Callable[[Wait | None, Request], Request] = lambda _wait, request: request
    on_send: Callable[[ModelClient, Request, float, Steps], Steps] = lambda _client, _request, _s, steps: (
        steps
    )
    on_answer: Callable[[Answer], Answer] = lambda answer: answer
    on_task: Callable[[Wait, Task], Task] = lambda _wait, task: task
    after_poll: Callable[[Wait, Task], Steps] = lambda _wait, _task: _no_steps()
    on_poll_error: Callable[[Wait, ModelError], Exception | Reaction] = lambda _wait, error: error
    on_sleep: Callable[[Wait, float], float] = lambda _wait, seconds: seconds
    on_result: Callable[[Wait, Any], Any] = lambda _wait, result: result
    on_failure: Callable[[Wait, ModelError], Exception | Instead] = lambda _wait, error: error
    at_timeout: Callable[[Wait], Steps] = lambda _wait: _no_steps()
    on_timeout: Callable[[Wait, ModelError], Exception | Instead] = lambda _wait, error: error
    on_task_id: Callable[[str, Mapping[str, Any], TaskId], Any] = lambda _name, _arguments, task_id: task_id
    on_look: Callable[[ModelClient, TaskId, Steps], Steps] = lambda _client, _task_id, steps: steps


class ModelClient:
    """One client, for any number of waits at once.

    Args:
        wire: The contract on the wire.
        now: A monotonic clock, in seconds.
        hooks: What is different from a correct client.
        process: See below.
        unix_s: The time of day, in seconds since 1970.

    Attributes:
        memory: What a defect remembers from one call to the next.
        process: What a defect remembers from one client to the next.
    """

    def __init__(
        self,
        wire: Wire,
        now: Callable[[], float],
        hooks: Hooks | None = None,
        process: dict[str, Any] | None = None,
        unix_s: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.contract = wire.contract
        self.wire = wire
        self.now = now
        self.unix_s = unix_s
        self.memory: dict[str, Any] = {}
        self.process: dict[str, Any] = {} if process is None else process
        self._hooks = hooks or Hooks()

    def wait(self, task_id: TaskId, options: Options, variant: str | None = None) -> Steps:
        """Wait until the task ends and return its result payload.

        Raises:
            ModelError: The task failed, the deadline passed, or a poll brought no task.
        """
        hooks = self._hooks
        wait = Wait(self, task_id, hooks.on_options(self.contract, _read(options)), variant)
        try:
            result = yield from hooks.on_wait(wait, self._rule(wait))
        except ModelError as error:
            raised: Exception | Instead = error
            if error.cause is Cause.TASK_FAILED:
                raised = hooks.on_failure(wait, error)
            elif error.cause is Cause.DEADLINE:
                yield from hooks.at_timeout(wait)
                raised = hooks.on_timeout(wait, error)
            if isinstance(raised, Instead):
                return raised.value
            raise raised from error.__cause__
        return hooks.on_result(wait, result)

    def get_task(self, task_id: TaskId) -> Steps:
        """Ask for the task once and return it; a failed one is returned like any other."""
        return self._hooks.on_look(self, task_id, self.look(task_id, REQUEST_TIMEOUT_S))

    def begin(self, name: str, arguments: Mapping[str, Json]) -> Steps:
        """Begin an operation and return the id of its task."""
        operation = self.contract.operations[name]
        answer = yield from self.send(self.wire.begin(operation, arguments), REQUEST_TIMEOUT_S)
        return self._hooks.on_task_id(name, arguments, self.wire.read_task_id(operation, answer))

    def look(self, task_id: TaskId, timeout_s: float, wait: Wait | None = None) -> Steps:
        """Send one request for a task's status and return the task."""
        request = self._hooks.on_request(wait, self.wire.poll(task_id))
        sending = self.send(request, timeout_s)
        answer = yield from self._hooks.on_send(self, request, timeout_s, sending)
        contract = self.contract if wait is None else wait.contract
        return self.wire.read_task(task_id, self._hooks.on_answer(answer), contract)

    def send(self, request: Request, timeout_s: float) -> Steps:
        """Send a request once and return its answer, whatever its HTTP status."""
        try:
            return (yield Send(request, timeout_s))
        except SimulatedTimeoutError as error:
            raise self.wire.failure(Cause.NO_ANSWER, f"no answer within {timeout_s:.3g} s") from error
        except SimulatedDropError as error:
            raise self.wire.failure(Cause.DROPPED, str(error)) from error

    def outcome(self, task: Task) -> Json:
        """Return what a wait hands over of a task that has ended, or raise that it failed."""
        if task.meaning is StatusMeaning.RAISE_TASK:
            raise self.wire.task_failed(task)
        match self.contract.returns:
            case Returns.RESULT:
                return task.result
            case Returns.TASK:
                return self.wire.as_object(task)
            case Returns.NOTHING:
                return None

    def _rule(self, wait: Wait) -> Steps:
        is_last = False
        while True:
            task = yield from self._poll(wait)
            if task.ends_the_wait:
                return self.outcome(task)
            left_s = wait.deadline_s - self.now()
            if is_last or left_s <= 0:
                raise wait.timed_out()
            if wait.sleeps + 1 >= wait.limit:
                raise wait.polled_out()
            wait.sleeps += 1
            # Remembered rather than seen from the clock: a sleep that wakes a tick early must not lead to a
            # second last poll.
            is_last = left_s <= wait.interval_s
            yield Sleep(max(0.0, self._hooks.on_sleep(wait, min(wait.interval_s, left_s))))

    def _poll(self, wait: Wait) -> Steps:
        hooks = self._hooks
        yield from hooks.before_poll(wait)
        last_poll_s = LAST_POLL_LIMIT_S
        if wait.timeout_s > 0:
            last_poll_s = min(wait.timeout_s * LAST_POLL_SHARE, LAST_POLL_LIMIT_S)
        # A poll begun before the deadline is cut off there; only one begun just before it, or at it, is
        # given the little more that an answer needs.
        left_s = wait.deadline_s - self.now() if wait.has_deadline else REQUEST_TIMEOUT_S
        timeout_s = hooks.on_poll(wait, max(left_s, last_poll_s))
        wait.polled_s = self.now()
        task = yield from self._look_until_answered(wait, timeout_s)
        wait.polls += 1
        task = hooks.on_task(wait, task)
        yield from hooks.after_poll(wait, task)
        return task

    def _look_until_answered(self, wait: Wait, timeout_s: float) -> Steps:
        while True:
            try:
                task = yield from self.look(wait.task_id, timeout_s, wait)
            except ModelError as error:
                wait.failures += 1
                reaction = self._hooks.on_poll_error(wait, error)
                if reaction is Reaction.POLL_ON:
                    return Task(wait.task_id, "", StatusMeaning.KEEP_POLLING)
                if reaction is error and error.cause is Cause.NO_ANSWER and wait.has_deadline:
                    raise wait.timed_out() from error
                if isinstance(reaction, Exception):
                    raise reaction from error.__cause__
            else:
                wait.failures = 0
                return task
