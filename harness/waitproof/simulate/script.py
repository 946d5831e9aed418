"""How a scenario is played: which calls are made, with what, how long each may take, and when it ends.

A generator without I/O. It yields steps; `run.player` carries them out on a real adapter, `simulate.player`
in virtual time. Each `Send` is answered with what became of its calls, so that the script can decide what
comes next. What those outcomes are worth is the judge's business.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from waitproof.judge import NoAnswer, Seen, StillWaiting, TaskRecord
from waitproof.protocol import OPTIONS, Capabilities, JsonObject, Returned, Unsupported
from waitproof.simulate.forecasts import forecast, watch_s
from waitproof.simulate.options import as_passed
from waitproof.suite import (
    MAX_DURATION_S,
    NO_TIMEOUT_S,
    Call,
    Contract,
    Intervals,
    Json,
    Scenario,
    StatusMeaning,
    Step,
    WaitOptions,
    fill,
)

__all__ = [
    "PlannedCall",
    "Send",
    "Steps",
    "Watch",
    "drive",
    "lacking",
    "new_task",
    "play_steps",
    "waiting_once",
]

SLOWER = 1.5  # a helper that nothing but its task ends may take so much longer than expected
MORE_PER_POLL_S = 0.020  # of a coarse timer, and of an answer: it counts where pauses are short
ANSWER_LIMIT_S = 10.0  # on top of the time a call may rightly take: a stopped machine, a slow start


@dataclass(frozen=True)
class PlannedCall:
    """One call to make.

    Attributes:
        index: Which of the scenario's calls, from 0.
        copy: Which of its parallel copies, from 1; also the number of its task.
        request: The protocol's request without id and client; empty for an unsupported call.
        unsupported: Why this SDK cannot be asked, or None when the call is to be made.
    """

    index: int
    copy: int
    call: Call
    request: JsonObject
    unsupported: Unsupported | None = None

    @property
    def cancel_after_s(self) -> float | None:
        """How long after it was written the call is to be cancelled, None for never."""
        return self.call.cancel_after


@dataclass(frozen=True)
class Send:
    """Make these calls at the same time, and give each up after `limit_s`.

    A driver that knows how the adapter's calls hang may give one up once more than `due_s` have passed.

    The driver sends back one outcome per call, in this order; an unsupported call's is `unsupported`.
    """

    calls: tuple[PlannedCall, ...]
    due_s: float

    @property
    def limit_s(self) -> float:
        """How long a call may go unanswered before it is given up."""
        return self.due_s + ANSWER_LIMIT_S


@dataclass(frozen=True)
class Watch:
    """Keep the journal open for this long after the last outcome; always the last step."""

    seconds: float


Steps: TypeAlias = Generator[Send | Watch, Sequence[Seen], None]


def play_steps(
    contract: Contract, scenario: Scenario, capabilities: Capabilities, tasks: Sequence[TaskRecord]
) -> Steps:
    """Yield the steps of a scenario whose durations have been scaled.

    Args:
        contract: The documentation.
        scenario: What to play.
        capabilities: What the SDK and its adapter can do.
        tasks: One for each parallel copy.
    """
    started_id: Json = None  # the task that an operation started: later calls are about it
    for index, call in enumerate(scenario.calls):
        calls = tuple(
            _plan(contract, capabilities, index, call, task, started_id) for task in tasks[: call.parallel]
        )
        outcomes = yield Send(calls, _due_s(contract, scenario, call))
        if any(_ends_the_play(outcome, capabilities) for outcome in outcomes):
            break
        if call.cancel_after is not None and not capabilities.cancel:
            break  # the calls after it are about a client whose wait was cancelled
        if call.begin is not None:
            started_id = outcomes[0].task_id if isinstance(outcomes[0], Returned) else None
    yield Watch(watch_s(contract, scenario))


def drive(steps: Steps, carry_out: Callable[[Send | Watch], Sequence[Seen]]) -> None:
    """Carry out every step of a script; `carry_out` returns a `Send`'s outcomes, nothing for a `Watch`."""
    step = next(steps, None)
    while step is not None:
        outcomes = carry_out(step)
        try:
            step = steps.send(outcomes)
        except StopIteration:
            step = None


def new_task(scenario: Scenario, n: int, token: str, own_id: str | int) -> TaskRecord:
    """Return the task of copy `n`: with the id that the scenario asks for, else with `own_id`."""
    requested = scenario.task_ids()
    values: dict[str, Json] = {"token": token, "n": n, "task_id": ""}
    return TaskRecord(n, fill(requested[0], values) if requested else own_id, token)


def waiting_once(contract: Contract, options: WaitOptions) -> Scenario:
    """Return a scenario that proves nothing: a wait with these options, and two polls."""
    task = tuple(
        Step(status=contract.status_for(meaning))
        for meaning in (StatusMeaning.KEEP_POLLING, StatusMeaning.RETURN_RESULT)
    )
    return Scenario.model_construct(
        summary="An earlier wait.", proves=(), task=task, calls=(Call(wait=options),)
    ).named("an earlier wait")


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
    if call.cancel_after is not None and not capabilities.cancel:
        return "the helper's wait cannot be cancelled"
    return "" if call.wait is None else _lacking_for(capabilities, call.wait)


def _lacking_for(capabilities: Capabilities, wait: WaitOptions) -> str:
    for name in OPTIONS:
        is_passed = getattr(wait, name) is not None
        if is_passed and name not in capabilities.options:
            return f"the helper takes no {name}"
        if not is_passed and name in capabilities.required_options:
            return f"the helper cannot be called without {name}, and the contract has no default"
    if wait.variant is not None and wait.variant not in capabilities.variants:
        return f"the helper has no variant {wait.variant}"
    if isinstance(wait.poll_interval, Intervals) and not capabilities.schedules:
        return "the helper takes an interval, and no schedule of them"
    if wait.timeout == NO_TIMEOUT_S and not capabilities.no_timeout:
        return "the helper cannot wait without a timeout"
    return ""


def _plan(
    contract: Contract,
    capabilities: Capabilities,
    index: int,
    call: Call,
    task: TaskRecord,
    started_id: Json,
) -> PlannedCall:
    missing = lacking(capabilities, call)
    if missing:
        return PlannedCall(index, task.n, call, {}, Unsupported(missing))
    return PlannedCall(index, task.n, call, _request(contract, call, task, started_id))


def _request(contract: Contract, call: Call, task: TaskRecord, started_id: Json) -> JsonObject:
    task_id = task.task_id if started_id is None else started_id
    if call.wait is not None:
        options = as_passed(call.wait)
        if call.wait.variant is None:
            return {"op": "wait", "task_id": task_id, "options": options}
        options |= contract.variants[call.wait.variant].options
        return {"op": "wait", "task_id": task_id, "options": options, "variant": call.wait.variant}
    if call.get_task is not None:
        return {"op": "get_task", "task_id": task_id}
    return {"op": "begin", "operation": call.begin, "arguments": fill(call.arguments, task.values)}


def _due_s(contract: Contract, scenario: Scenario, call: Call) -> float:
    """Return how long a call may rightly take."""
    longest_delay_s = max(step.delay for step in scenario.task)
    if call.wait is None:
        return longest_delay_s
    interval_s = call.wait.interval_s(contract.defaults)
    timeout_s = call.wait.timeout_s(contract.defaults)
    if timeout_s > MAX_DURATION_S:  # the task, or the limit of polls, ends the wait long before
        expected = forecast(contract, scenario)
        timeout_s = SLOWER * expected.length_s + MORE_PER_POLL_S * expected.polls / scenario.parallel
    return timeout_s + interval_s + longest_delay_s


def _ends_the_play(outcome: Seen, capabilities: Capabilities) -> bool:
    """Return whether later calls cannot be made: there was no answer, or the only slot is still taken."""
    if isinstance(outcome, NoAnswer):
        return True
    return isinstance(outcome, StillWaiting) and capabilities.max_concurrency == 1
