"""Plays one scenario with one adapter process and one mock server, and returns what was seen.

An edge: it waits. Everything it decides about time is how long to wait for an answer; what that answer
is worth is the judge's business.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from waitproof.adapter.process import AdapterProcess, PendingCall
from waitproof.judge.observation import (
    CallRecord,
    NoAnswer,
    Observation,
    Poll,
    Seen,
    StillWaiting,
    TaskRecord,
)
from waitproof.mock.process import ServerProcess, TaskPlan
from waitproof.protocol import Capabilities, Hello, Unsupported
from waitproof.simulate.forecast import lacking, watch_s
from waitproof.suite.contract import Contract, StatusMeaning, TaskIdFormat
from waitproof.suite.scenario import Call, Scenario, Step
from waitproof.suite.template import fill
from waitproof.suite.yaml import Json

__all__ = ["Player", "new_task_id"]

ANSWER_LIMIT_S = 10.0  # on top of all that a call may rightly take: a stopped machine, a slow start
PING_LIMIT_S = 2.0  # a ping is answered at once
WARM_LIMIT_S = 10.0


def new_task_id(contract: Contract) -> str | int:
    """Return a task id as the contract's API would draw it."""
    if contract.task_id is TaskIdFormat.INTEGER:
        return secrets.randbelow(2**31 - 1) + 1
    return str(uuid.uuid4())


@dataclass
class _Sent:
    """A call on its way: what was asked, or why it was not."""

    index: int
    copy: int
    call: Call
    pending: PendingCall | None
    seen: Seen | None = None
    decided_ns: int = 0


class Player:
    """Plays scenarios of one contract against one server; used from several threads at once.

    Attributes:
        claimed: Serials of strays that turned out to be a scenario's: they came on a connection that
            carried its polls, which no other scenario's client uses.
    """

    def __init__(
        self,
        contract: Contract,
        server: ServerProcess,
        cancelled: threading.Event,
        on_tasks: Callable[[str, Sequence[TaskRecord]], None] | None = None,
        fixed_ids: threading.Lock | None = None,
    ) -> None:
        """Make a player.

        Args:
            contract: The documentation.
            server: The mock server that its tasks are created on.
            cancelled: Set when everything is to end.
            on_tasks: Told the scenario and its tasks before the first of their polls can come.
            fixed_ids: Held while a task has an id that another player may give one on the same server.
        """
        self._fixed_ids = fixed_ids or threading.Lock()
        self._on_tasks = on_tasks
        self._contract = contract
        self._server = server
        self._cancelled = cancelled
        self.claimed: set[int] = set()
        self._warmed: dict[str, set[int]] = {}  # connections of each client's first request

    def warm(self, process: AdapterProcess, capabilities: Capabilities, client: str) -> bool:
        """Let a client make one request on a throw-away task, so that its first real one is not its first.

        Returns:
            Whether an answer came: whatever it was, the suite judges it where it is about it.
        """
        task_id = new_task_id(self._contract)
        done = self._contract.status_for(StatusMeaning.RETURN_RESULT)
        self._server.create([TaskPlan(task_id, (Step(status=done),))])
        if capabilities.get_task:
            pending = process.send("get_task", client=client, task_id=task_id)
        elif capabilities.wait:
            pending = process.send("wait", client=client, task_id=task_id, options={})
        else:
            return True
        answered = pending.wait(WARM_LIMIT_S) and pending.answer is not None
        self._warmed[client] = {entry.connection for entry in self._server.entries(str(task_id))}
        self._server.forget([task_id])
        return answered

    def play(
        self,
        process: AdapterProcess,
        hello: Hello,
        scenario: Scenario,
        *,
        client: str,
        scale: int = 1,
        alone: bool = False,
    ) -> Observation:
        """Play a scenario whose durations have been scaled, and return what was seen.

        Args:
            process: An adapter that has said hello.
            hello: What it said.
            scenario: What to play.
            client: Name of the SDK client to use.
            scale: By what the durations were multiplied; goes on record.
            alone: Whether nothing else runs; goes on record.
        """
        with self._fixed_ids if scenario.has_fixed_id else contextlib.nullcontext():
            return self._play(process, hello, scenario, client=client, scale=scale, alone=alone)

    def _play(
        self,
        process: AdapterProcess,
        hello: Hello,
        scenario: Scenario,
        *,
        client: str,
        scale: int,
        alone: bool,
    ) -> Observation:
        tasks = [self._new_task(scenario, n) for n in range(1, scenario.parallel + 1)]
        if self._on_tasks is not None:
            self._on_tasks(scenario.id, tasks)
        self._server.create([TaskPlan(t.task_id, scenario.task, t.token, t.n) for t in tasks])
        sent: list[_Sent] = []
        task_ids: dict[int, Json] = {}
        for index, call in enumerate(scenario.calls):
            batch = [
                self._send(process, hello.capabilities, client, index, call, tasks[copy], task_ids.get(copy))
                for copy in range(call.parallel)
            ]
            limit_s = self._limit_s(scenario, call)
            self._collect(process, batch, limit_s)
            sent += batch
            if any(_ends_the_play(each, hello.capabilities) for each in batch):
                break
            if (
                call.begin is not None
                and batch[0].pending is not None
                and batch[0].pending.answer is not None
            ):
                task_ids[0] = getattr(batch[0].pending.answer.outcome, "task_id", None)
        last_ns = max((_received_ns(each) for each in sent), default=0)
        self._watch(last_ns, watch_s(self._contract, scenario))
        observation = self._observation(hello, sent, tasks, client, alone=alone, scale=scale)
        self._server.forget([task.task_id for task in tasks])
        return observation

    # --- calls ---

    def _new_task(self, scenario: Scenario, n: int) -> TaskRecord:
        token = f"wp{secrets.token_hex(8)}"
        wanted = scenario.task_ids()
        values = {"token": token, "n": n, "task_id": ""}
        task_id = fill(wanted[0], values) if wanted else new_task_id(self._contract)
        return TaskRecord(n, task_id, token)

    def _send(
        self,
        process: AdapterProcess,
        capabilities: Capabilities,
        client: str,
        index: int,
        call: Call,
        task: TaskRecord,
        begun: Json,
    ) -> _Sent:
        missing = lacking(capabilities, call)
        if missing:
            now_ns = time.monotonic_ns()
            return _Sent(index, task.n, call, None, Unsupported(missing), now_ns)
        task_id = task.task_id if begun is None else begun
        if call.wait is not None:
            options = {
                name: _number(value)
                for name in ("poll_interval", "timeout")
                if (value := getattr(call.wait, name)) is not None
            }
            pending = process.send("wait", client=client, task_id=task_id, options=options)
        elif call.get_task is not None:
            pending = process.send("get_task", client=client, task_id=task_id)
        else:
            arguments = fill(call.arguments, task.values)
            pending = process.send("begin", client=client, operation=call.begin, arguments=arguments)
        return _Sent(index, task.n, call, pending)

    def _limit_s(self, scenario: Scenario, call: Call) -> float:
        """Return how long a call may go unanswered before it is given up."""
        longest_delay_s = max(step.delay for step in scenario.task)
        if call.wait is None:
            return longest_delay_s + ANSWER_LIMIT_S
        defaults = self._contract.defaults
        interval_s = call.wait.interval_s(defaults)
        timeout_s = call.wait.timeout_s(defaults)
        return timeout_s + interval_s + longest_delay_s + ANSWER_LIMIT_S

    def _collect(self, process: AdapterProcess, batch: Sequence[_Sent], limit_s: float) -> None:
        """Wait until every call has its answer or is given up."""
        until_s = time.monotonic() + limit_s
        ping: PendingCall | None = None  # one is enough for all the calls of a mute adapter
        ping_until_s = 0.0
        for each in batch:
            if each.pending is None:
                continue
            answered = _wait(each.pending, until_s, self._cancelled)
            each.decided_ns = time.monotonic_ns()
            if answered and each.pending.answer is not None:
                each.seen = each.pending.answer.outcome
            elif each.pending.error is not None:
                each.seen = NoAnswer(str(each.pending.error))
            elif self._cancelled.is_set():
                each.seen = NoAnswer("the run was interrupted")
            else:
                if ping is None:
                    ping = process.send("ping")
                    ping_until_s = time.monotonic() + PING_LIMIT_S
                each.seen = self._given_up(process, each, limit_s, ping, ping_until_s)

    def _given_up(
        self,
        process: AdapterProcess,
        sent: _Sent,
        limit_s: float,
        ping: PendingCall,
        ping_until_s: float,
    ) -> Seen:
        """Tell a helper that goes on for ever from an adapter that is mute."""
        assert sent.pending is not None
        task_id = str(sent.pending.request.get("task_id", ""))
        entries = [entry for entry in self._server.entries(task_id) if entry.kind == "poll"]
        sent_ns = sent.pending.sent_ns or 0
        if sent.call.wait is not None:
            timeout_s = sent.call.wait.timeout_s(self._contract.defaults)
            deadline_ns = sent_ns + int(timeout_s * 1e9)
            if any(entry.answered_ns is None or entry.arrived_ns > deadline_ns for entry in entries):
                return StillWaiting(limit_s)
        if _wait(ping, ping_until_s, self._cancelled) and ping.answer is not None:
            return StillWaiting(limit_s)
        fact = f"no answer to call {sent.pending.id} within {limit_s:g} s; the process is "
        return NoAnswer(fact + ("alive" if process.alive else "gone"))

    # --- what was seen ---

    def _watch(self, from_ns: int, watched_s: float) -> None:
        """Let the journal fill for that long after the last outcome."""
        self._cancelled.wait(max(0.0, from_ns / 1e9 + watched_s - time.monotonic()) if watched_s else 0.0)
        self._server.settle()

    def _observation(
        self,
        hello: Hello,
        sent: Sequence[_Sent],
        tasks: Sequence[TaskRecord],
        client: str,
        *,
        alone: bool,
        scale: int,
    ) -> Observation:
        origins = [each.pending.sent_ns for each in sent if each.pending is not None and each.pending.sent_ns]
        origin_ns = min(origins, default=time.monotonic_ns())
        now_ns = time.monotonic_ns()
        return Observation(
            hello=hello,
            calls=tuple(_record(each, origin_ns) for each in sent),
            tasks=tuple(self._task_record(task, client, origin_ns) for task in tasks),
            watched_s=(now_ns - origin_ns) / 1e9,
            lag_s=self._server.worst_lag_s(origin_ns, now_ns),
            alone=alone,
            scale=scale,
        )

    def _task_record(self, task: TaskRecord, client: str, origin_ns: int) -> TaskRecord:
        """Return all that was seen of a task, strays on its client's connections included."""
        entries = self._server.entries(str(task.task_id))
        polls = [entry for entry in entries if entry.kind == "poll"]
        connections = {entry.connection for entry in polls} | self._warmed.get(client, set())
        strays = [
            entry
            for entry in self._server.strays()
            if entry.connection in connections
            and entry.arrived_ns >= origin_ns
            and entry.serial not in self.claimed
        ]
        self.claimed.update(entry.serial for entry in strays)
        others = [entry for entry in entries if entry.kind == "other"] + strays
        others.sort(key=lambda entry: entry.serial)
        return TaskRecord(
            task.n,
            task.task_id,
            task.token,
            tuple(Poll.of(entry, origin_ns) for entry in polls),
            tuple(Poll.of(entry, origin_ns) for entry in others),
        )


def _ends_the_play(sent: _Sent, capabilities: Capabilities) -> bool:
    """Say whether the calls after this one cannot be made: it got no answer, or its helper is stuck."""
    if isinstance(sent.seen, NoAnswer):
        return True
    return isinstance(sent.seen, StillWaiting) and capabilities.max_concurrency == 1


def _number(value_s: float) -> int | float:
    """Return whole seconds as 2, not as 2.0, which some decoders refuse."""
    value_s = round(value_s, 6)  # 0.07 times 100 is 7.000000000000001
    return int(value_s) if value_s == int(value_s) else value_s


def _wait(pending: PendingCall, until_s: float, cancelled: threading.Event) -> bool:
    """Wait for an answer until then; an interrupt closes the processes, which fails every call in flight."""
    return pending.wait(0.0 if cancelled.is_set() else max(0.0, until_s - time.monotonic()))


def _received_ns(sent: _Sent) -> int:
    if sent.pending is not None and sent.pending.received_ns is not None:
        return sent.pending.received_ns
    return sent.decided_ns


def _record(sent: _Sent, origin_ns: int) -> CallRecord:
    assert sent.seen is not None
    pending = sent.pending
    if pending is None:
        at_s = (sent.decided_ns - origin_ns) / 1e9
        return CallRecord(sent.index, sent.copy, sent.call, at_s, at_s, sent.seen)
    sent_ns = pending.sent_ns if pending.sent_ns is not None else sent.decided_ns
    received_ns = pending.received_ns
    return CallRecord(
        index=sent.index,
        copy=sent.copy,
        call=sent.call,
        sent_s=(sent_ns - origin_ns) / 1e9,
        received_s=None if received_ns is None else (received_ns - origin_ns) / 1e9,
        seen=sent.seen,
        elapsed_s=None if pending.answer is None else pending.answer.elapsed_s,
        request=pending.request,
        answer=None if pending.answer is None else pending.answer.raw,
    )
