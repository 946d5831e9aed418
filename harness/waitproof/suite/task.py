"""What the server answers to the next poll of one task.

The answer depends on the scenario's steps, on earlier answers, and on when and on which connection the poll
arrived. There is no clock, socket or counter here, so any number of tasks can run at once, and a whole wait
can be played in virtual time. Faults are only described here; the mock server carries them out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from waitproof.suite.contract import Contract
from waitproof.suite.sending import Response, merged, sent
from waitproof.suite.shape import StatusMeaning
from waitproof.suite.step import CONTROL, FOREVER, Step
from waitproof.suite.template import fill
from waitproof.suite.yaml import Json

__all__ = ["TaskAnswer", "TaskState", "answer", "render_body", "respond"]

REPEAT_WITHIN_S = 0.100  # an HTTP stack that repeats a request after a drop, or follows, does so at once
_NO_HEADERS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class _Dropped:
    """The last request that was dropped, while the one that repeats it may still come.

    Attributes:
        at_s: When it is dropped, after its step's delay.
    """

    at_s: float
    connection: int
    was_fresh: bool


@dataclass(frozen=True, slots=True)
class TaskState:
    """How far a task has come.

    Attributes:
        steps: The scenario's steps, at least one; the last repeats.
        step: Index of the step that gave the last answer, or will give the first.
        used: How many polls that step has used up.
        began_s: When the first poll arrived that this step answered, None if there was none.
        polls: How many polls have been answered; repeats by an HTTP stack don't count, nor does a request
            that follows a redirect.
        redirected_s: When the last answer was sent, if it led to another URL.
    """

    steps: tuple[Step, ...]
    step: int = 0
    used: int = 0
    began_s: float | None = None
    polls: int = 0
    dropped: _Dropped | None = None
    redirected_s: float | None = None


@dataclass(frozen=True, slots=True)
class TaskAnswer:
    """What to say to one request.

    Attributes:
        n: Number of the poll, from 1; a repeat has the number of the poll it repeats, and a request that
            follows a redirect that of the poll which was redirected.
        index: Index of the step that answers.
        step: That step.
        repeat: The client's HTTP stack repeated a dropped poll by itself.
    """

    n: int
    index: int
    step: Step
    repeat: bool = False


def answer(
    state: TaskState, arrived_s: float, *, connection: int = 0, fresh: bool = True
) -> tuple[TaskState, TaskAnswer]:
    """Return the state after a poll, and what to say to it.

    Args:
        state: The task before this poll.
        arrived_s: When the poll arrived, in seconds on any monotonic clock; never before an earlier one.
        connection: Which connection it came on.
        fresh: Whether that connection had carried no request before.
    """
    if _is_repeat(state, arrived_s, connection):
        assert state.dropped is not None
        hit = TaskAnswer(state.polls, state.step, state.steps[state.step], repeat=True)
        if state.dropped.was_fresh:
            return replace(state, dropped=None), hit
        dropped = _Dropped(arrived_s + state.steps[state.step].delay, connection, fresh)
        return replace(state, used=state.used + fresh, dropped=dropped), hit
    index, used, began_s = state.step, state.used, state.began_s
    if _is_used_up(state, arrived_s):
        index, used, began_s = index + 1, 0, None
    step = state.steps[index]
    drops = step.fault is not None and step.fault.drop is not None
    follows = state.redirected_s is not None and 0 <= arrived_s - state.redirected_s <= REPEAT_WITHIN_S
    due_s = arrived_s + step.delay
    # `replace` would do the same but take three times as long, for every poll.
    state = TaskState(
        steps=state.steps,
        step=index,
        # The HTTP stack may have hidden a drop on a reused connection, so the step goes on.
        used=used + (fresh if drops else 1),
        began_s=arrived_s if began_s is None else began_s,
        polls=state.polls + (not follows),
        dropped=_Dropped(due_s, connection, fresh) if drops else None,
        redirected_s=due_s if step.fault is not None and step.redirects else None,
    )
    return state, TaskAnswer(state.polls, index, step)


def _is_repeat(state: TaskState, arrived_s: float, connection: int) -> bool:
    dropped = state.dropped
    return (
        dropped is not None
        and connection != dropped.connection
        and 0 <= arrived_s - dropped.at_s <= REPEAT_WITHIN_S
    )


def _is_used_up(state: TaskState, arrived_s: float) -> bool:
    step = state.steps[state.step]
    if state.step == len(state.steps) - 1:
        return False
    if step.for_ is not None and state.began_s is not None and arrived_s - state.began_s >= step.for_:
        return True
    return step.most_polls != FOREVER and state.used >= step.most_polls


def respond(
    contract: Contract,
    step: Step,
    values: Mapping[str, Json],
    *,
    now_ns: int,
    request: Mapping[str, str] = _NO_HEADERS,
) -> Response:
    """Return what `step` says about the task with these values.

    Args:
        contract: Holds the templates.
        step: A step of the task's scenario.
        values: `task_id`, `token` and `n` of the task.
        now_ns: Wall-clock time in nanoseconds since 1970, for the body's own stamps.
        request: The headers of the request, names in lower case; they say what its client can read.
    """
    fault = step.fault
    timed = {**values, "date": now_ns}
    if fault is None or fault.drop is not None:
        # A connection that is dropped in mid-body breaks off a valid answer: the task is still running.
        shown = step if fault is None else Step(status=contract.status_for(StatusMeaning.KEEP_POLLING) or "")
        body = render_body(contract, shown, values, now_ns=now_ns)
        headers = merged(contract.answer.headers, _filled(shown.headers, timed))
        return sent(Response(200, headers, _encode(body)), shown, request)
    headers = _filled(fault.headers, timed)
    if fault.text is not None:
        http = 200 if fault.http is None else fault.http
        return Response(
            http, merged({"Content-Type": "text/html"}, headers), str(fill(fault.text, values)).encode()
        )
    assert fault.http is not None
    more = {**values, "http": fault.http, "message": f"scenario: the server answers {fault.http}"}
    template = contract.http_error.body if fault.body is None else fault.body
    return Response(fault.http, merged(contract.http_error.headers, headers), _encode(fill(template, more)))


def render_body(
    contract: Contract, step: Step, values: Mapping[str, Json], *, now_ns: int = 0
) -> dict[str, Json]:
    """Return the JSON object that a step with a status answers.

    The judge calls it too, without a time: an exception must carry what the server said, except its time
    stamps, which cannot be reproduced.
    """
    assert step.status is not None
    more = {
        **values,
        "status": step.status,
        "now_ns": now_ns,
        "result": fill(step.result, values),
        "error": fill(contract.error_of(step), values),
    }
    body: dict[str, Json] = {**fill(contract.answer.body, more), **fill(step.body, values)}
    return {key: value for key, value in body.items() if key not in step.omit}


def _filled(headers: Mapping[str, str], values: Mapping[str, Json]) -> dict[str, str]:
    """Return headers with their placeholders filled in; a line end in a task's id begins no other header."""
    return {
        name: CONTROL.sub(lambda found: f"%{ord(found[0]):02X}", str(fill(text, values)))
        for name, text in headers.items()
    }


def _encode(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
