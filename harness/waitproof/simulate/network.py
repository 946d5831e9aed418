"""A double of the mock server and of the network before it, in virtual time.

What a task says is decided by `suite.task`, as in the live server. This module carries requests there and
answers back, keeps connections, commits faults, and records what a journal would record.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from waitproof.judge import Ended, Poll, TaskRecord
from waitproof.simulate.clock import Wake
from waitproof.simulate.world import World
from waitproof.suite import (
    Contract,
    Drop,
    Json,
    Operations,
    TaskAnswer,
    TaskState,
    answer,
    fill,
    respond,
)

__all__ = [
    "WALL_NS",
    "Answer",
    "AnswerCache",
    "Network",
    "Request",
    "ServedTask",
    "SimulatedCancelError",
    "SimulatedDropError",
    "SimulatedTimeoutError",
]

CLOSE_S = 0.001  # the live server gives a connection that it is about to close at least this long
WALL_NS = 1_700_000_000_000_000_000  # the time of day at the start, and in every answer


@dataclass(frozen=True)
class Request:
    """A request: `target` is path and query as written in the request line.

    Attributes:
        leaves_open: It goes over a connection that its client neither uses again nor closes.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None
    leaves_open: bool = False


@dataclass(frozen=True)
class Answer:
    """A whole answer, as it came: its body may be compressed.

    Attributes:
        pieces: The chunks in which the body came; empty where it did not come in chunks.
    """

    http: int
    headers: Mapping[str, str]
    body: bytes
    pieces: tuple[bytes, ...] = ()


AnswerCache: TypeAlias = dict[tuple[int, TaskRecord], Answer]  # by the step's id() and the task


class SimulatedTimeoutError(Exception):
    """There was no answer when the time was up."""


class SimulatedCancelError(Exception):
    """The caller has cancelled the call that slept, or waited for an answer."""


class SimulatedDropError(Exception):
    """The connection ended before the answer did."""


@dataclass
class Connection:
    """A connection; the server closes it at `closes_at` unless a request comes before; None is never."""

    number: int
    is_fresh: bool = True
    closes_at: float | None = None
    is_left: bool = False  # by its client, which has closed it
    carried: ServedTask | None = None

    def is_closed(self, now_s: float) -> bool:
        return self.closes_at is not None and now_s >= self.closes_at


@dataclass(eq=False)
class Exchange:
    """A request in flight, and what the journal records of it."""

    request: Request
    connection: Connection
    wake: Wake
    written_s: float
    read_s: float
    cut_at_s: float | None = None
    is_over: bool = False
    answer_due_s: float | None = None
    arrived_s: float = 0.0
    open: int = 1
    said: TaskAnswer | None = None
    answered_s: float | None = None
    end: Ended = Ended.IN_FLIGHT
    http: int | None = None

    def ended(self, now_s: float, end: Ended, http: int | None = None) -> None:
        """Record its end, unless it has ended already."""
        if self.answered_s is None:
            self.answered_s, self.end, self.http = now_s, end, http

    def poll(self) -> Poll:
        """Return what has been recorded of it."""
        said = self.said
        return Poll(
            n=0 if said is None else said.n,
            arrived_s=self.arrived_s,
            answered_s=self.answered_s,
            status="" if said is None else said.step.label,
            step=0 if said is None else said.index,
            connection=self.connection.number,
            repeat=said is not None and said.repeat,
            ended=self.end,
            http=self.http,
            method=self.request.method,
            target=self.request.target,
            headers=_lower(self.request.headers),
            open=self.open,
        )


@dataclass
class ServedTask:
    """One task of the play; `begun_by` is the operation that begins it, "" for none."""

    record: TaskRecord
    state: TaskState
    begun_by: str = ""
    carriers: list[Connection] = field(default_factory=list)
    polls: list[Exchange] = field(default_factory=list)
    others: list[Exchange] = field(default_factory=list)

    @property
    def token(self) -> str:
        """What an operation's request has in it."""
        return self.record.token

    def seen(self) -> TaskRecord:
        """Return what has been recorded of it."""
        return replace(
            self.record,
            polls=tuple(exchange.poll() for exchange in self.polls),
            others=tuple(exchange.poll() for exchange in self.others),
        )


class Network:
    """Carries requests to the tasks and answers back, in virtual time."""

    def __init__(
        self,
        contract: Contract,
        world: World,
        tasks: Sequence[ServedTask],
        cache: AnswerCache,
        max_requests: int,
    ) -> None:
        """Make a network that delivers at most `max_requests`; those after them are never answered."""
        self._contract = contract
        self._world = world
        self._schedule = world.schedule
        self._tasks = {str(task.record.task_id): task for task in tasks}
        self._cache = cache
        self._requests_left = max_requests
        self._numbers = itertools.count(1)
        self._idle: list[Connection] = []
        self._path = contract.task_path_pattern()
        self._operations = Operations(contract.operations)

    def warm(self) -> None:
        """Open a connection that has carried a request, as a client has that is not new."""
        self._idle.append(Connection(next(self._numbers), is_fresh=False))

    def send(self, request: Request, timeout_s: float, wake: Wake, *, blind: bool) -> Callable[[], None]:
        """Send a request; `wake` gets its answer, or the exception that it ended in.

        Returns:
            How to leave without an answer, and without `wake`.
        """
        self._requests_left -= 1
        if self._requests_left < 0:
            return lambda: None  # a client that polls without end waits without end; the call's limit ends it
        schedule, conditions = self._schedule, self._world.conditions
        connection = None if request.leaves_open else self._reusable(blind=blind)
        if connection is None:
            connection = Connection(next(self._numbers))
        connect_s = conditions.connect_s if connection.is_fresh else 0.0
        written_s = self._world.awake_s(schedule.now + connect_s)
        read_s = written_s + self._world.way_s(conditions.up_s) + self._world.up_to(conditions.server_late_s)
        exchange = Exchange(request, connection, wake, written_s, read_s)
        schedule.at(read_s, lambda: self._arrive(exchange))
        cut_s = schedule.now + max(0.0, timeout_s)
        schedule.at(self._world.awake_s(cut_s), lambda: self._cut(exchange, cut_s))
        return lambda: self._leave(exchange)

    def _reusable(self, *, blind: bool) -> Connection | None:
        known_s = self._schedule.now - self._world.conditions.down_s
        while self._idle:
            connection = self._idle.pop()
            if blind or not connection.is_closed(known_s):
                return connection
            connection.is_left = True
        return None

    def _arrive(self, exchange: Exchange) -> None:
        if exchange.cut_at_s is not None and exchange.cut_at_s < exchange.written_s:
            return
        now_s, connection, request = self._schedule.now, exchange.connection, exchange.request
        if connection.is_closed(now_s):
            self._deliver(exchange, SimulatedDropError("the connection was closed"))
            return
        connection.closes_at = None
        path = request.target.partition("?")[0]
        exchange.arrived_s = now_s
        found = self._path.fullmatch(path) if request.method == self._contract.endpoint.method else None
        task = None if found is None else self._tasks.get(_decoded(found[1]))
        begins = self._operations.find(request.method, path)
        started = None if begins is None else begins.begins(request.body, self._tasks.values())
        if task is not None:
            self._serve_poll(exchange, task)
        elif begins is not None and started is not None:
            connection.carried = started
            body = fill(begins.operation.body, started.record.values)
            headers = self._contract.answer.headers
            self._answer(exchange, Answer(begins.operation.status, headers, _encoded(body)))
        else:
            if connection.carried is not None:
                connection.carried.others.append(exchange)
            error = self._contract.http_error
            values = {"http": 404, "message": "no such route", "task_id": "", "token": "", "n": 0}
            self._answer(exchange, Answer(404, error.headers, _encoded(fill(error.body, values))))
        connection.is_fresh = False

    def _serve_poll(self, exchange: Exchange, task: ServedTask) -> None:
        connection = exchange.connection
        connection.carried = task
        task.state, said = answer(
            task.state, self._schedule.now, connection=connection.number, fresh=connection.is_fresh
        )
        exchange.said = said
        task.polls.append(exchange)
        if task.carriers != [connection]:
            now_s = self._schedule.now
            others = (each for each in task.carriers if not each.is_left and not each.is_closed(now_s))
            task.carriers = [*(each for each in others if each is not connection), connection]
        exchange.open = len(task.carriers)
        if said.step.delay:
            due_s = self._schedule.now + said.step.delay
            self._schedule.at(due_s, lambda: self._say(exchange, task, said.index))
        else:
            self._say(exchange, task, said.index)

    def _say(self, exchange: Exchange, task: ServedTask, index: int) -> None:
        if exchange.answered_s is not None:  # the client has left
            return
        now_s, step = self._schedule.now, task.state.steps[index]
        drop = None if step.fault is None else step.fault.drop
        if drop is Drop.BEFORE_RESPONSE or drop is Drop.RESET:
            exchange.connection.closes_at = now_s
            exchange.ended(now_s, Ended.DROPPED)
            self._deliver(exchange, SimulatedDropError("the connection was dropped without an answer"))
            return
        response = self._cache.get((id(step), task.record))
        if response is None:
            headers = _lower(exchange.request.headers)
            made = respond(self._contract, step, task.record.values, now_ns=WALL_NS, request=headers)
            response = Answer(made.http, made.headers, made.body, made.pieces)
            if step.is_plain:
                self._cache[id(step), task.record] = response
        if drop is Drop.MID_BODY:
            exchange.connection.closes_at = now_s
            exchange.ended(now_s, Ended.DROPPED, response.http)
            self._deliver(exchange, SimulatedDropError("the connection was dropped mid-answer"))
            return
        if step.close_after is not None:
            late_s = self._world.up_to(self._world.conditions.server_late_s)
            exchange.connection.closes_at = now_s + max(step.close_after, CLOSE_S) + late_s
        self._answer(exchange, response)

    def _answer(self, exchange: Exchange, answer: Answer) -> None:
        exchange.ended(self._schedule.now, Ended.ANSWERED, answer.http)
        self._deliver(exchange, answer)

    def _deliver(self, exchange: Exchange, result: Answer | Exception) -> None:
        due_s = self._schedule.now + self._world.way_s(self._world.conditions.down_s)
        exchange.answer_due_s = due_s
        self._schedule.at(self._world.awake_s(due_s), lambda: self._finish(exchange, result))

    def _finish(self, exchange: Exchange, result: Answer | Exception) -> None:
        if exchange.cut_at_s is not None:
            return
        exchange.is_over = True
        if not exchange.request.leaves_open:
            if isinstance(result, Answer) and not _closes(exchange.request.headers):
                self._idle.append(exchange.connection)
            else:
                exchange.connection.is_left = True
        exchange.wake(result)

    def _cut(self, exchange: Exchange, cut_s: float) -> None:
        came = exchange.answer_due_s is not None and exchange.answer_due_s <= cut_s
        if exchange.is_over or came:  # an answer that came while the machine stood still is read first
            return
        if exchange.cut_at_s is None:
            self._leave(exchange)
            exchange.wake(SimulatedTimeoutError("no answer in time"))

    def _leave(self, exchange: Exchange) -> None:
        exchange.cut_at_s = self._schedule.now
        exchange.connection.is_left = True
        left_s = max(self._schedule.now + self._world.conditions.up_s, exchange.read_s)
        self._schedule.at(left_s, lambda: exchange.ended(self._schedule.now, Ended.ABANDONED))


def _decoded(escaped: str) -> str:
    return unquote_to_bytes(escaped.encode("latin-1", "replace")).decode("utf-8", "replace")


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _closes(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "connection" and value.lower() == "close" for name, value in headers.items())


def _encoded(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
