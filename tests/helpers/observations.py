"""Observations typed by hand: a scenario, when its polls arrived, and what became of its calls.

The builders fill in what a test does not care about: which step answers a poll, that an answer takes a
millisecond, that the caller has its outcome 5 ms after the last answer. No clock, socket or process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from waitproof.journal import Ended
from waitproof.judge import Status, Verdict, judge
from waitproof.judge.observation import (
    CallRecord,
    NoAnswer,
    Observation,
    Poll,
    Seen,
    StillWaiting,
    TaskRecord,
)
from waitproof.protocol import (
    Capabilities,
    ExceptionKind,
    Given,
    Hello,
    Raised,
    Returned,
)
from waitproof.suite.contract import Contract, Level, Requirement
from waitproof.suite.files import CONTRACT, bundled_suite, load_contract
from waitproof.suite.scenario import Scenario
from waitproof.suite.task import TaskState, answer

STREAM = load_contract(bundled_suite() / CONTRACT)
TASK_ID = "11111111-1111-4111-8111-111111111111"
CREDENTIALS = {"authorization": "eyJhbGciOiJIUzI1NiJ9.eyJzZXJ2ZXIiOnRydWV9.x", "stream-auth-type": "jwt"}
TARGET = f"/api/v2/tasks/{TASK_ID}?api_key=key"

CAPABILITIES = Capabilities(
    operations=("delete_channels", "export_channels", "export_users", "delete_users"), max_concurrency=0
)
HELLO = Hello("sdk", "1.0.0", "python", "CPython 3.11.7", "Stream.wait_for_task", "", CAPABILITIES)

PENDING: dict[str, Any] = {"status": "pending"}
RUNNING: dict[str, Any] = {"status": "running"}
FOREVER: dict[str, Any] = {"status": "running", "times": "forever"}
COMPLETED: dict[str, Any] = {"status": "completed", "result": {"channels": 2}}
FAILED: dict[str, Any] = {"status": "failed"}
TIMEOUT: dict[str, Any] = {"raises": {"kind": "transport", "fields": {"error_type": "timeout"}}}

GOT_RESULT = Returned(Given.RESULT, result={"channels": 2})
TIMED_OUT = Raised(ExceptionKind.TRANSPORT, "TransportError", "gave up", {"error_type": "timeout"})


def hello(language: str = "python", result_path: str = "", **capabilities: Any) -> Hello:
    """Return an introduction that differs from HELLO in what is given."""
    capable = replace(CAPABILITIES, **capabilities)
    return replace(HELLO, language=language, result_path=result_path, capabilities=capable)


def got(result: Any) -> Returned:
    """Return that a wait gave its caller `result`."""
    return Returned(Given.RESULT, result=result)


def got_task(task: Any) -> Returned:
    """Return that `get_task` gave its caller `task`."""
    return Returned(Given.TASK, task=task)


def got_task_id(task_id: Any) -> Returned:
    """Return that an operation gave its caller `task_id`."""
    return Returned(Given.TASK_ID, task_id=task_id)


def raised(kind: str = "task", *, frames: int | None = None, **fields: Any) -> Raised:
    """Return an exception of a kind, with the documented fields that it has."""
    name = {"task": "TaskError", "transport": "TransportError", "api": "ApiError", "other": "KeyError"}[kind]
    return Raised(ExceptionKind(kind), name, "it failed", fields, frames)


# The task exception as it must be where the contract's own error is answered.
TASK_FAILED = raised(
    task_id=TASK_ID,
    error_type="export_failed",
    description=f"The export of {TASK_ID} could not be written.",
    stack_trace="goroutine 17 [running]:\nexport.Write(0xc000)\n\t/srv/export.go:42\n",
    version="v3.142.0",
)


def contract(check: str, *, level: str = "MUST", applies_to: Any = None, **arguments: Any) -> Contract:
    """Return Stream's contract with one requirement, `it`, that names a check and its arguments."""
    told = {"id": "it", "level": level, "quote": "The promise.", "check": check, "with": arguments}
    requirement = Requirement.model_validate({**told, "applies_to": applies_to or {}}, strict=False)
    return STREAM.model_copy(update={"requirements": (requirement,)})


def scenario(
    *task: Mapping[str, Any],
    calls: Sequence[Mapping[str, Any]] = (),
    wait: Mapping[str, Any] | None = None,
    expect: Mapping[str, Any] | None = None,
    proves: Sequence[str] = ("it",),
) -> Scenario:
    """Return a scenario of these steps: one wait with a 1 s interval and a 60 s timeout, else `calls`."""
    made = calls or [{"wait": wait or {}, "expect": expect or {}}]
    told = {"summary": "A test.", "proves": list(proves), "task": list(task), "calls": list(made)}
    return Scenario.model_validate_json(json.dumps(told)).named("topic/name")


@dataclass(frozen=True)
class Play:
    """What was seen of one call; times are seconds since the first call was written.

    Attributes:
        at: When its polls arrived.
        took_s: How long each answer took, the same for all or one for each; None: it is still in flight.
        connections: On which connection each came, the first for all by default.
        others: Other requests of its client: (when, method and target).
        received_s: When the caller had its outcome; 5 ms after the last answer by default.
        poll: More about its polls, by number from 1.
    """

    seen: Seen
    at: Sequence[float] = ()
    took_s: float | Sequence[float | None] | None = 0.001
    connections: Sequence[int] = ()
    others: Sequence[tuple[float, str]] = ()
    sent_s: float = 0.0
    received_s: float | None = None
    elapsed_s: float | None = None
    call: int = 0
    copy: int = 1
    poll: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    cancelled_s: float | None = None


def observe(
    played: Scenario,
    *plays: Play,
    by: Hello = HELLO,
    task_id: str | int = TASK_ID,
    lag_s: float = 0.0,
    scale: int = 1,
    watched_s: float = 9.0,
    alone: bool = False,
) -> Observation:
    """Return the observation of a scenario whose calls went like that."""
    states: dict[int, TaskState] = {}
    connections: dict[int, set[int]] = {}
    calls, polls, others = [], dict[int, list[Poll]](), dict[int, list[Poll]]()
    for play in plays:
        state = states.get(play.copy, TaskState(played.task))
        used = connections.setdefault(play.copy, set())
        mine = polls.setdefault(play.copy, [])
        for index, arrived_s in enumerate(play.at):
            connection = play.connections[index] if play.connections else 1
            state, said = answer(state, arrived_s, connection=connection, fresh=connection not in used)
            used.add(connection)
            took_s = play.took_s[index] if isinstance(play.took_s, Sequence) else play.took_s
            fault = said.step.fault
            drops = fault is not None and fault.drop is not None
            poll = Poll(
                n=said.n,
                arrived_s=arrived_s,
                answered_s=None if took_s is None else arrived_s + took_s,
                status=said.step.label,
                step=said.index,
                connection=connection,
                repeat=said.repeat,
                ended=Ended.IN_FLIGHT if took_s is None else Ended.DROPPED if drops else Ended.ANSWERED,
                http=None if drops else fault.http if fault is not None and fault.http else 200,
                target=TARGET,
                headers=CREDENTIALS,
            )
            mine.append(replace(poll, **play.poll.get(index + 1, {})))
        others.setdefault(play.copy, []).extend(_others(play))
        states[play.copy] = state
        calls.append(_record(played, play, mine))
    copies = range(1, played.parallel + 1)
    return Observation(
        hello=by,
        calls=tuple(calls),
        tasks=tuple(
            TaskRecord(n, task_id, "token", tuple(polls.get(n, [])), tuple(others.get(n, []))) for n in copies
        ),
        watched_s=watched_s,
        lag_s=lag_s,
        alone=alone,
        scale=scale,
    )


def _others(play: Play) -> list[Poll]:
    requests = []
    for arrived_s, told in play.others:
        method, target = told.split(" ", 1)
        requests.append(Poll(0, arrived_s, arrived_s + 0.001, method=method, target=target))
    return requests


def _record(played: Scenario, play: Play, polls: Sequence[Poll]) -> CallRecord:
    received_s = play.received_s
    if received_s is None and not isinstance(play.seen, StillWaiting | NoAnswer):
        last = max((p.answered_s or p.arrived_s for p in polls[-1:]), default=play.sent_s)
        received_s = max(last, play.sent_s) + 0.005
    return CallRecord(
        index=play.call,
        copy=play.copy,
        call=played.calls[play.call],
        sent_s=play.sent_s,
        received_s=received_s,
        seen=play.seen,
        elapsed_s=play.elapsed_s,
        cancelled_s=play.cancelled_s,
    )


def judged(of: Contract, played: Scenario, *observations: Observation) -> Verdict:
    """Return the verdict about the one requirement that a scenario proves, without its timeline."""
    (verdict,) = judge(of, played, observations)
    return replace(verdict, timeline="", polls=0, took_s=None)


def verdict(
    status: Status,
    expected: str = "",
    seen: str = "",
    explanation: str = "",
    *,
    level: str = "MUST",
    alone_runs: int = 0,
) -> Verdict:
    """Return the whole verdict about `it` that a test expects."""
    return Verdict("topic/name", "it", Level(level), status, expected, seen, explanation, "", alone_runs)


def passes(expected: str = "", seen: str = "", **more: Any) -> Verdict:
    """Return that `it` is kept."""
    return verdict(Status.PASS, expected, seen, **more)


def fails(expected: str = "", seen: str = "", explanation: str = "", **more: Any) -> Verdict:
    """Return that `it`, a MUST, is not kept."""
    return verdict(Status.FAIL, expected, seen, explanation, **more)
