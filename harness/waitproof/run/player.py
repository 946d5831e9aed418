"""Plays one scenario with one adapter process and one mock server, and returns what was seen.

The script decides which calls are made and how long each may take; this module sends them, waits for the
answers, and collects what the server has recorded.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass, replace

from waitproof.adapter import AdapterProcess, PendingCall
from waitproof.judge import (
    CallRecord,
    JournalEntry,
    NoAnswer,
    Observation,
    Poll,
    Seen,
    StillWaiting,
    TaskRecord,
)
from waitproof.limit import Limit
from waitproof.mock import ServerProcess, TaskPlan
from waitproof.protocol import AdapterFault, Capabilities, Hello, Unsupported
from waitproof.run.patience import SHORT_WARM_LIMIT_S, Patience, Wait
from waitproof.run.unanswered import LAST_POLL_SLACK_S, Ping, what_became
from waitproof.simulate import PlannedCall, Send, Watch, drive, needed_options, new_task, play_steps
from waitproof.suite import Contract, Scenario, StatusMeaning, Step, TaskIdFormat, WaitOptions

__all__ = ["Player", "new_task_id"]

PING_LIMIT_S = 2.0  # a ping is answered at once, and so is a cancel
WARM_LIMIT_S = 10.0


def new_task_id(contract: Contract) -> str | int:
    """Return a task id of the kind that the contract's API uses."""
    if contract.task_id is TaskIdFormat.INTEGER:
        return secrets.randbelow(2**31 - 1) + 1
    return str(uuid.uuid4())


@dataclass
class _Sent:
    """A call that was made, or, with `pending` None, that the SDK does not support."""

    planned: PlannedCall
    pending: PendingCall | None
    seen: Seen | None = None
    decided_ns: int = 0
    cancel: PendingCall | None = None  # what asked for it to be cancelled


class Player:
    """Plays scenarios of one contract against one server; used from several threads at once.

    Attributes:
        claimed: Serials of requests that name no task and belong to a scenario: its requests came on their
            connection, and nobody else's.
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
            on_tasks: Called with the scenario and its tasks before the first of their polls can come.
            fixed_ids: Held while a task has an id that another player may give one on the same server, or is
                begun by a request that any of them could make.
        """
        self._fixed_ids = fixed_ids or threading.Lock()
        self._on_tasks = on_tasks
        self._contract = contract
        self._server = server
        self._cancelled = cancelled
        self._patience = Patience()
        self.claimed: set[int] = set()
        self._warmed: dict[str, str] = {}  # the task of each client's first request
        self._owned: set[str] = set()  # the ids of all tasks so far

    @property
    def knows_hangs(self) -> bool:
        """Whether calls are known to hang, so that a process is of use for one more."""
        return self._patience.is_over

    def warm(self, process: AdapterProcess, capabilities: Capabilities, client: str) -> bool:
        """Let a client make one request about a throw-away task, so that its connection is open.

        Returns:
            Whether an answer came; what it was doesn't matter here.
        """
        task_id = new_task_id(self._contract)
        done = self._contract.status_for(StatusMeaning.RETURN_RESULT)
        self._server.create([TaskPlan(task_id, (Step(status=done),))])
        if capabilities.get_task:
            pending = process.send("get_task", client=client, task_id=task_id)
        elif capabilities.wait:
            options = needed_options(self._contract, capabilities)
            pending = process.send("wait", client=client, task_id=task_id, options=options)
        else:
            return True
        limit_s = SHORT_WARM_LIMIT_S if self._patience.is_over else WARM_LIMIT_S
        answered = pending.wait(limit_s) and pending.answer is not None
        self._server.forget([task_id])  # once acknowledged, everything the server has seen is known here
        self._warmed[client] = str(task_id)
        self._owned.add(str(task_id))
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
        earlier_waits: tuple[WaitOptions, ...] = (),
    ) -> Observation:
        """Play a scenario whose durations have been scaled, and return what was seen.

        Args:
            process: An adapter that has said hello.
            hello: What it said.
            scenario: What to play.
            client: Name of the SDK client to use.
            scale: The factor of the durations; recorded.
            alone: Whether hardly anything else runs; recorded.
            earlier_waits: Options of waits that the process has made before; recorded.
        """
        begun_by = self._contract.operations.get(scenario.begun_by)
        is_alone = scenario.has_fixed_id or (begun_by is not None and not begun_by.names_its_task)
        with self._fixed_ids if is_alone else contextlib.nullcontext():
            observation = self._play(process, hello, scenario, client)
        return replace(observation, scale=scale, alone=alone, earlier_waits=earlier_waits)

    def _play(self, process: AdapterProcess, hello: Hello, scenario: Scenario, client: str) -> Observation:
        tasks = [self._new_task(scenario, n) for n in range(1, scenario.parallel + 1)]
        self._owned.update(str(task.task_id) for task in tasks)
        if self._on_tasks is not None:
            self._on_tasks(scenario.id, tasks)
        self._server.create(
            [TaskPlan(t.task_id, scenario.task, t.token, t.n, scenario.begun_by) for t in tasks]
        )
        sent: list[_Sent] = []

        def carry_out(step: Send | Watch) -> Sequence[Seen]:
            if isinstance(step, Watch):
                self._watch(max((_received_ns(each) for each in sent), default=0), step.seconds)
                return ()
            batch = [_send(process, client, planned) for planned in step.calls]
            sent.extend(batch)
            self._collect(process, scenario, batch, step)
            return [each.seen for each in batch if each.seen is not None]

        drive(play_steps(self._contract, scenario, hello.capabilities, tasks), carry_out)
        observation = self._observation(hello, sent, tasks, client)
        self._server.forget([task.task_id for task in tasks])
        return observation

    # --- calls ---

    def _new_task(self, scenario: Scenario, n: int) -> TaskRecord:
        return new_task(scenario, n, f"wp{secrets.token_hex(8)}", new_task_id(self._contract))

    def _collect(
        self, process: AdapterProcess, scenario: Scenario, batch: Sequence[_Sent], step: Send
    ) -> None:
        """Wait until every call has its answer or is given up."""
        began_s = time.monotonic()
        ping = Ping(process, 0.0 if self._cancelled.is_set() else PING_LIMIT_S)
        self._cancel_when_due(process, batch)
        limit = Limit(began_s + step.limit_s - time.monotonic())
        for each in batch:
            if each.pending is None:
                continue
            as_in = self._wait(each, began_s, step, limit)
            each.decided_ns = time.monotonic_ns()
            if each.pending.answer is not None:
                each.seen = each.pending.answer.outcome
            elif each.pending.error is not None:
                each.seen = NoAnswer(str(each.pending.error))
            elif self._cancelled.is_set():
                each.seen = NoAnswer("the run was interrupted")
            else:
                if not as_in and each.planned.call.wait is not None:
                    self._patience.hung(scenario.id, self._so_far(each, began_s, step))
                ping.send()
                waited = StillWaiting((each.decided_ns / 1e9 - began_s) if as_in else step.limit_s, as_in)
                each.seen = self._given_up(process, each, waited, step.due_s, ping)
            each.seen = self._unless_not_cancelled(each, each.seen)

    def _cancel_when_due(self, process: AdapterProcess, batch: Sequence[_Sent]) -> None:
        """Cancel the calls that are to be, each so long after it was written, unless it has ended."""
        for each in batch:
            after_s = each.planned.cancel_after_s
            if each.pending is None or after_s is None:
                continue
            written_s = (each.pending.sent_ns or time.monotonic_ns()) / 1e9
            if not each.pending.wait(max(0.0, written_s + after_s - time.monotonic())):
                each.cancel = process.cancel(each.pending)

    def _unless_not_cancelled(self, sent: _Sent, seen: Seen) -> Seen:
        """Return what became of a call, or why its adapter did not cancel it."""
        if sent.cancel is None:
            return seen
        goes_on = isinstance(seen, StillWaiting)
        Limit(PING_LIMIT_S if goes_on and not self._cancelled.is_set() else 0.0).wait(sent.cancel.wait)
        if sent.cancel.answer is not None:
            outcome = sent.cancel.answer.outcome
            return outcome if isinstance(outcome, Unsupported | AdapterFault) else seen
        call = sent.cancel.request["call"]
        return NoAnswer(f"no answer to call {sent.cancel.id}, which cancels call {call}") if goes_on else seen

    def _wait(self, sent: _Sent, began_s: float, step: Send, limit: Limit) -> tuple[str, ...]:
        """Wait for an answer; return the scenarios that hung like this call, if that is why it is given up.

        An interrupt closes the processes, which fails every call in flight.
        """
        assert sent.pending is not None
        while not self._cancelled.is_set():
            if limit.look(sent.pending.wait) or limit.is_over:
                return ()
            if sent.planned.call.wait is not None and self._patience.is_over and not limit.was_late:
                as_in = self._patience.same_as(self._so_far(sent, began_s, step))
                if as_in:
                    return as_in
        sent.pending.wait(0.0)
        return ()

    def _so_far(self, sent: _Sent, began_s: float, step: Send) -> Wait:
        """Return how a wait without an outcome is going."""
        assert sent.planned.call.wait is not None
        polls = self._polls(sent)
        now_ns = time.monotonic_ns()
        ends_ns = [now_ns if poll.answered_ns is None else poll.answered_ns for poll in polls]
        return Wait(
            polls=len(polls),
            silent_s=(now_ns - max(ends_ns)) / 1e9 if ends_ns else now_ns / 1e9 - began_s,
            overdue_s=now_ns / 1e9 - began_s - step.due_s,
            interval_s=sent.planned.call.wait.interval_s(self._contract.defaults),
        )

    def _polls(self, sent: _Sent) -> list[JournalEntry]:
        """Return the polls of a call's task since the call was sent."""
        assert sent.pending is not None
        sent_ns = sent.pending.sent_ns or 0
        entries = self._server.entries(str(sent.pending.request.get("task_id", "")))
        return [entry for entry in entries if entry.kind == "poll" and entry.arrived_ns >= sent_ns]

    def _given_up(
        self, process: AdapterProcess, sent: _Sent, waited: StillWaiting, due_s: float, ping: Ping
    ) -> Seen:
        assert sent.pending is not None
        is_wait = sent.planned.call.wait is not None
        sent_ns = sent.pending.sent_ns or 0
        lag_s = self._server.worst_lag_s(sent_ns, time.monotonic_ns())
        over_ns = sent_ns + int((due_s + LAST_POLL_SLACK_S + lag_s) * 1e9)
        return what_became(process, sent.pending, waited, self._polls(sent) if is_wait else (), over_ns, ping)

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
    ) -> Observation:
        origins = [each.pending.sent_ns for each in sent if each.pending is not None and each.pending.sent_ns]
        origin_ns = min(origins, default=time.monotonic_ns())
        now_ns = time.monotonic_ns()
        mine = {self._warmed.get(client, ""), *(str(task.task_id) for task in tasks)}
        return Observation(
            hello=hello,
            calls=tuple(_record(each, origin_ns) for each in sent),
            tasks=tuple(self._task_record(task, mine, origin_ns) for task in tasks),
            watched_s=(now_ns - origin_ns) / 1e9,
            began_unix_s=time.time() - (time.monotonic_ns() - origin_ns) / 1e9,
            lag_s=self._server.worst_lag_s(origin_ns, now_ns),
            shares_connections=self._shares_connections(tasks, mine),
        )

    def _shares_connections(self, tasks: Sequence[TaskRecord], mine: Set[str]) -> bool:
        used = {entry.connection for task in tasks for entry in self._server.entries(str(task.task_id))}
        return not used or any(not self._server.tasks_on(connection) <= mine for connection in used)

    def _task_record(self, task: TaskRecord, mine: Set[str], origin_ns: int) -> TaskRecord:
        """Return everything seen of a task.

        A request that names no task belongs to a scenario whose requests, and nobody else's, came on the same
        connection. Where others' did, nobody knows whose it is.

        Args:
            task: As it was created.
            mine: The ids of the scenario's tasks, and of the one that its client was warmed with.
            origin_ns: When the scenario began.
        """
        named = [entry for entry in self._server.entries(str(task.task_id)) if not entry.names_no_task]
        connections = {entry.connection for entry in named}
        others = [entry for entry in named if entry.kind == "other"]
        doubtful = []
        for entry in self._server.unnamed():
            if entry.arrived_ns < origin_ns or entry.serial in self.claimed:
                continue
            on_it = self._server.tasks_on(entry.connection)
            is_near = entry.connection in connections or not on_it.isdisjoint(mine)
            if not is_near or self._polls_an_older_task(entry, mine):
                continue
            if on_it <= mine:
                self.claimed.add(entry.serial)
                others.append(entry)
            else:
                doubtful.append(entry)
        others.sort(key=lambda entry: entry.serial)

        def polls(entries: Sequence[JournalEntry]) -> tuple[Poll, ...]:
            return tuple(Poll.of(entry, origin_ns) for entry in entries)

        return replace(
            task,
            polls=polls([entry for entry in named if entry.kind == "poll"]),
            others=polls(others),
            doubtful=polls(doubtful),
        )

    def _polls_an_older_task(self, entry: JournalEntry, mine: Set[str]) -> bool:
        """Say whether a wait of another scenario goes on, on a task that the server has forgotten by now."""
        task_id = self._contract.task_id_in(entry.path)
        return task_id in self._owned and task_id not in mine


def _send(process: AdapterProcess, client: str, planned: PlannedCall) -> _Sent:
    if planned.unsupported is not None:
        return _Sent(planned, None, planned.unsupported, time.monotonic_ns())
    members = {name: value for name, value in planned.request.items() if name != "op"}
    return _Sent(planned, process.send(planned.request["op"], client=client, **members))


def _received_ns(sent: _Sent) -> int:
    if sent.pending is not None and sent.pending.received_ns is not None:
        return sent.pending.received_ns
    return sent.decided_ns


def _record(sent: _Sent, origin_ns: int) -> CallRecord:
    planned, pending = sent.planned, sent.pending
    assert sent.seen is not None
    sent_ns = pending.sent_ns if pending is not None and pending.sent_ns is not None else sent.decided_ns
    received_ns = sent.decided_ns if pending is None else pending.received_ns
    answer = None if pending is None else pending.answer
    return CallRecord(
        index=planned.index,
        copy=planned.copy,
        call=planned.call,
        sent_s=(sent_ns - origin_ns) / 1e9,
        received_s=None if received_ns is None else (received_ns - origin_ns) / 1e9,
        seen=sent.seen,
        elapsed_s=None if answer is None else answer.elapsed_s,
        request={} if pending is None else pending.request,
        answer=None if answer is None else answer.raw,
        cancelled_s=None
        if sent.cancel is None or sent.cancel.sent_ns is None
        else (sent.cancel.sent_ns - origin_ns) / 1e9,
    )
