"""Plays a scenario in virtual time: a double of server, network, machine and adapter, without a socket.

A play yields the `Observation` that a live run of the same client yields, in a thousandth of the time and
the same each time: latency, lateness and stops are parameters. What the server says is `timeline`'s, as it
is the live server's; whether a promise was kept is the judge's. It knows no SDK: whoever plays one hands in
an `Sdk`, whose clients do to their `Machine` what others do to clock and network.

One fact to know before reading on: clients are ordinary code that blocks, in threads (strands) that pass a
baton. Exactly one runs at a time; one that waits takes the next event from the schedule, which moves the
clock on, until one of them can go on. So a wait alone never changes threads, and all is deterministic.
"""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import random
import threading
import types
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Protocol, TypeAlias
from urllib.parse import unquote_to_bytes

from waitproof.errors import HarnessError
from waitproof.judge.journal import Ended
from waitproof.judge.observation import (
    CallRecord,
    NoAnswer,
    Observation,
    Poll,
    Seen,
    StillWaiting,
    TaskRecord,
)
from waitproof.protocol import Capabilities, Hello, JsonObject, LogLine, Unsupported, read_answer, read_hello
from waitproof.simulate.forecast import forecast, lacking, watch_s
from waitproof.suite.contract import Contract, Operation, TaskIdFormat
from waitproof.suite.scenario import Call, Drop, Scenario
from waitproof.suite.task import Answer as TaskAnswer
from waitproof.suite.task import TaskState, answer, respond
from waitproof.suite.template import at_path, fill
from waitproof.suite.yaml import Json

__all__ = [
    "Answer",
    "Conditions",
    "Machine",
    "Request",
    "Sdk",
    "SimulatedDropError",
    "SimulatedTimeoutError",
    "Simulator",
    "Stop",
]

ANSWER_LIMIT_S = 10.0  # the player's: how long a call may take on top of all that it rightly takes
CLOSE_S = 0.001  # the live server gives a connection that it is about to close this long at the least
WALL_NS = 1_700_000_000_000_000_000  # the time of day, which stands still
MAX_EVENTS = 2_000_000  # a client that goes round and round without a request would never come to an end


# --- what a client sees -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Stop:
    """A time in which the client's machine stands still; both in seconds, the first since the first call."""

    at_s: float
    for_s: float


@dataclass(frozen=True)
class Conditions:
    """What network and machine do to client and server; everything in seconds.

    Attributes:
        up_s: How long a request takes to arrive.
        down_s: How long an answer takes.
        jitter_s: Up to how much longer each of them may take.
        connect_s: How long it takes to open a connection, on top of `up_s`.
        late_s: Up to how late a sleep may end.
        server_late_s: Up to how late the server, which waits for a processor, reads what has arrived; its
            lag meter tells so.
        harness_late_s: The same of the harness, with an adapter's answer.
        stops: When the client stands still: what was due then happens at their end.
        seed: Of all that is random.
    """

    up_s: float = 0.000_5
    down_s: float = 0.000_5
    jitter_s: float = 0.0
    connect_s: float = 0.0
    late_s: float = 0.0
    server_late_s: float = 0.0
    harness_late_s: float = 0.0
    stops: tuple[Stop, ...] = ()
    seed: int = 0


@dataclass(frozen=True)
class Request:
    """A request: `target` is path and query as they stand in the request line."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None = None


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    http: int
    headers: Mapping[str, str]
    body: bytes


class SimulatedTimeoutError(Exception):
    """The answer was not there when its time was up."""


class SimulatedDropError(Exception):
    """The connection ended before the answer did."""


class Sdk(Protocol):
    """What an SDK and its adapter are to the simulation: each method is one that an adapter's kit has."""

    @property
    def non_blocking(self) -> bool:
        """Whether calls are coroutines, all on one event loop."""

    def hello(self) -> JsonObject:
        """Return the introduction as it stands on the wire."""

    def connect(self, machine: Machine) -> Any:
        """Return a client that does all that it does on this machine."""

    def call(self, client: Any, request: JsonObject) -> Any:
        """Carry out a request of the protocol, and return or raise what the SDK does."""

    def returned(self, request: JsonObject, value: Any) -> JsonObject:
        """Return the answer's members for what a call returned."""

    def raised(self, request: JsonObject, error: BaseException) -> JsonObject:
        """Return the answer's members for what a call raised."""

    def elapsed_s(self, seconds: float) -> float | None:
        """Return how long the adapter says that a wait took."""


class Machine:
    """Clock and network of one client. What ends in `_async` is awaited, by a client that does not block."""

    def __init__(self, world: _World) -> None:
        self._world = world

    def now(self) -> float:
        """Return the time of the monotonic clock."""
        return self._world.schedule.now

    def sleep(self, seconds: float) -> None:
        """Block for so long."""
        self._world.schedule.wait(lambda wake: self._world.after(seconds, lambda: wake(None)))

    def send(self, request: Request, timeout_s: float, *, blind: bool = False) -> Answer:
        """Exchange a request for its answer.

        Args:
            request: What to send.
            timeout_s: After how many seconds to give up.
            blind: Use the last connection again even when the server has closed it.

        Raises:
            SimulatedTimeoutError: No answer came in time.
            SimulatedDropError: The connection was dropped.
        """
        return _unpacked(
            self._world.schedule.wait(lambda wake: self._world.network.send(request, timeout_s, wake, blind))
        )

    def start(self, body: Callable[[], object]) -> None:
        """Run `body` in another thread of the client; what it raises is lost."""

        def thread() -> None:
            with contextlib.suppress(Exception):  # nobody hears of it
                body()

        self._world.schedule.spawn(thread)

    async def sleep_async(self, seconds: float) -> None:
        """Let others run for so long."""
        await _waiting(lambda wake: self._world.after(seconds, lambda: wake(None)))

    async def send_async(self, request: Request, timeout_s: float, *, blind: bool = False) -> Answer:
        """Exchange a request for its answer, and let others run meanwhile; the rest is as for `send`."""
        return _unpacked(
            await _waiting(lambda wake: self._world.network.send(request, timeout_s, wake, blind))
        )


_Wake: TypeAlias = Callable[[Any], None]
_Begin: TypeAlias = Callable[[_Wake], object]


@types.coroutine
def _waiting(begin: _Begin) -> Generator[_Begin, Any, Any]:
    """Hand to the loop what begins an operation; return what the operation wakes the loop with."""
    return (yield begin)


def _unpacked(result: Answer | Exception) -> Answer:
    if isinstance(result, Exception):
        raise result
    return result


# --- time ---------------------------------------------------------------------------------------------


class _Ended(BaseException):
    """Raised in a client's code where it waits, to end it; no SDK catches what is no Exception."""


def _closed_gate() -> threading.Lock:
    """Return a lock that one thread acquires and another releases: half the cost of a semaphore."""
    gate = threading.Lock()
    gate.acquire()
    return gate


class _Worker:
    """A thread that runs one body after another: to start one for each wait takes longer than most waits."""

    idle: ClassVar[list[_Worker]] = []

    def __init__(self) -> None:
        self.gate = _closed_gate()
        self.body: Callable[[], object] = lambda: None
        threading.Thread(target=self._run, daemon=True).start()

    @classmethod
    def taken(cls, body: Callable[[], object]) -> _Worker:
        """Return a worker that begins with `body` when its gate is opened."""
        try:
            worker = cls.idle.pop()
        except IndexError:
            worker = cls()
        worker.body = body
        return worker

    def _run(self) -> None:
        while True:
            self.gate.acquire()
            self.body()


class _Strand:
    """Something that takes its turn in a thread; `waits_for` is the operation that may wake it."""

    def __init__(self) -> None:
        self.gate = _closed_gate()
        self.worker: _Worker | None = None
        self.left = _closed_gate()  # opened when it has ended
        self.waits_for: object = None
        self.result: Any = None
        self.is_ended = False


class _Schedule:
    """The virtual clock, what will happen when, and whose turn it is."""

    def __init__(self) -> None:
        self.now = 0.0
        self.main = self._current = _Strand()
        self._serials = itertools.count()
        self._events: list[tuple[float, int, Callable[[], object]]] = []
        self._ready: deque[_Strand] = deque()
        self._others: list[_Strand] = []
        self._is_closing = False
        self.trouble: Exception | None = None

    def at(self, when_s: float, body: Callable[[], object]) -> None:
        """Let `body` happen at a time, after what happens then already."""
        heapq.heappush(self._events, (when_s, next(self._serials), body))

    def wait(self, begin: _Begin) -> Any:
        """Block the running strand until the operation that `begin` begins wakes it; return the result."""
        me = self._current
        if me.is_ended:
            raise _Ended
        operation = me.waits_for = object()

        def wake(result: Any) -> None:
            if me.waits_for is operation:
                me.waits_for, me.result = None, result
                self._ready.append(me)

        begin(wake)
        then = self._next()
        if then is not me:
            self._current = then
            then.gate.release()
            me.gate.acquire()
        if me.is_ended:
            raise _Ended
        return me.result

    def interrupt_main(self) -> None:
        """End what the first strand does for a call; it stays ended until `is_ended` is taken back."""
        self.main.is_ended = True
        self.main.waits_for = None
        self._ready.append(self.main)

    def spawn(self, body: Callable[[], object]) -> None:
        """Begin another strand; its turn comes when the running one waits."""
        strand = _Strand()
        strand.worker = _Worker.taken(lambda: self._run(strand, body))
        strand.gate = strand.worker.gate
        self._others.append(strand)
        self._ready.append(strand)

    def close(self) -> None:
        """End every other strand, wherever it waits."""
        self._is_closing = True
        for strand in self._others:
            strand.is_ended = True
            self._current = strand
            strand.gate.release()
            strand.left.acquire()
        self._current = self.main

    def _run(self, strand: _Strand, body: Callable[[], object]) -> None:
        try:
            if not strand.is_ended:
                body()
        except _Ended:
            pass
        except Exception as error:  # noqa: BLE001 - no client's: raised where the play ends
            self.trouble = error
        then: _Strand | None = None
        if not self._is_closing:
            self._others.remove(strand)
            self._current = then = self._next()
        assert strand.worker is not None
        _Worker.idle.append(strand.worker)
        (strand.left if then is None else then.gate).release()

    def _next(self) -> _Strand:
        """Let things happen until a strand can go on, and return it."""
        while not self._ready:
            if not self._events or next(self._serials) > MAX_EVENTS:
                self.trouble = self.trouble or HarnessError("the simulation does not come to an end")
                self.main.is_ended = True
                return self.main
            when_s, _, body = heapq.heappop(self._events)
            self.now = max(self.now, when_s)
            body()
        return self._ready.popleft()


class _Loop:
    """An event loop on one strand: coroutines that take turns, and one that blocks blocks them all."""

    def __init__(self, schedule: _Schedule) -> None:
        self._schedule = schedule
        self._ready: deque[tuple[Coroutine[Any, Any, Any], Callable[..., None], Any]] = deque()
        self._wake: _Wake | None = None
        schedule.spawn(self._run)

    def start(self, call: Coroutine[Any, Any, Any], finished: Callable[..., None]) -> None:
        """Let a coroutine take its turns; `finished` is told what it returned and what it raised."""
        self._put(call, finished, None)

    def _put(self, coroutine: Coroutine[Any, Any, Any], finished: Callable[..., None], result: Any) -> None:
        self._ready.append((coroutine, finished, result))
        wake, self._wake = self._wake, None
        if wake is not None:
            wake(None)

    def _run(self) -> None:
        try:
            while True:
                while self._ready:
                    self._step(*self._ready.popleft())
                self._schedule.wait(self._sleep)
        finally:
            for coroutine, _, _ in self._ready:
                coroutine.close()

    def _sleep(self, wake: _Wake) -> None:
        self._wake = wake

    def _step(self, coroutine: Coroutine[Any, Any, Any], finished: Callable[..., None], result: Any) -> None:
        try:
            begin: _Begin = coroutine.send(result)
        except StopIteration as end:
            finished(end.value, None)
        except Exception as error:  # noqa: BLE001 - what the call raised is what the caller sees
            finished(None, error)
        else:
            begin(lambda result: self._put(coroutine, finished, result))


# --- server and network -------------------------------------------------------------------------------


@dataclass
class _Connection:
    """A connection; the server closes it at `closes_at` unless a request comes before, None is never."""

    number: int
    is_fresh: bool = True
    closes_at: float | None = None
    carried: _Task | None = None

    def is_closed(self, now_s: float) -> bool:
        return self.closes_at is not None and now_s >= self.closes_at


@dataclass(eq=False)
class _Exchange:
    """A request on its way, and the poll that it becomes on record."""

    request: Request
    connection: _Connection
    wake: _Wake
    written_s: float
    read_s: float
    cut_at_s: float | None = None
    is_over: bool = False
    answer_due_s: float | None = None
    arrived_s: float = 0.0
    said: TaskAnswer | None = None
    answered_s: float | None = None
    end: Ended = Ended.IN_FLIGHT
    http: int | None = None

    def ended(self, now_s: float, end: Ended, http: int | None = None) -> None:
        """Put its end on record, unless it has ended already."""
        if self.answered_s is None:
            self.answered_s, self.end, self.http = now_s, end, http

    def poll(self) -> Poll:
        """Return what is on record of it."""
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
            headers={name.lower(): value for name, value in self.request.headers.items()},
        )


@dataclass
class _Task:
    """One task of the play."""

    record: TaskRecord
    state: TaskState
    polls: list[_Exchange] = field(default_factory=list)
    others: list[_Exchange] = field(default_factory=list)

    def seen(self) -> TaskRecord:
        """Return what is on record of it."""
        return replace(
            self.record,
            polls=tuple(exchange.poll() for exchange in self.polls),
            others=tuple(exchange.poll() for exchange in self.others),
        )


class _Network:
    """Carries requests to the tasks and answers back, in virtual time."""

    def __init__(
        self,
        contract: Contract,
        world: _World,
        tasks: Sequence[_Task],
        said: _Cache,
        max_requests: int,
    ) -> None:
        self._contract = contract
        self._world = world
        self._schedule = world.schedule
        self._tasks = {str(task.record.task_id): task for task in tasks}
        self._said = said
        self._requests_left = max_requests
        self._numbers = itertools.count(1)
        self._idle: list[_Connection] = []
        self._path = contract.task_path_pattern()
        self._operations: dict[tuple[str, str], Operation] = {
            (each.method, each.path): each for each in contract.operations.values()
        }

    def warm(self) -> None:
        """Have a connection open that has carried a request, as a client has that is not new."""
        self._idle.append(_Connection(next(self._numbers), is_fresh=False))

    def send(self, request: Request, timeout_s: float, wake: _Wake, blind: bool) -> None:
        """Send a request; `wake` is told its answer, or the exception that it ended in."""
        self._requests_left -= 1
        if self._requests_left < 0:
            return  # whoever asks without end waits without end; the play's limit ends it
        schedule, conditions = self._schedule, self._world.conditions
        connection = self._reusable(blind=blind)
        if connection is None:
            connection = _Connection(next(self._numbers))
        connect_s = conditions.connect_s if connection.is_fresh else 0.0
        written_s = self._world.awake(schedule.now + connect_s)
        read_s = written_s + self._world.way(conditions.up_s) + self._world.up_to(conditions.server_late_s)
        exchange = _Exchange(request, connection, wake, written_s, read_s)
        schedule.at(read_s, lambda: self._arrive(exchange))
        cut_s = schedule.now + max(0.0, timeout_s)
        schedule.at(self._world.awake(cut_s), lambda: self._cut(exchange, cut_s))

    def _reusable(self, *, blind: bool) -> _Connection | None:
        known_s = self._schedule.now - self._world.conditions.down_s
        while self._idle:
            connection = self._idle.pop()
            if blind or not connection.is_closed(known_s):
                return connection
        return None

    def _arrive(self, exchange: _Exchange) -> None:
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
        operation = self._operations.get((request.method, path))
        if task is not None:
            self._serve_poll(exchange, task)
        elif operation is not None and (begun := self._begun(operation.token, request.body)) is not None:
            connection.carried = begun
            body = fill(operation.body, begun.record.values)
            self._answer(exchange, operation.status, self._contract.answer.headers, _encoded(body))
        else:
            if connection.carried is not None:
                connection.carried.others.append(exchange)
            error = self._contract.http_error
            values = {"http": 404, "message": "no such route", "task_id": "", "token": "", "n": 0}
            self._answer(exchange, 404, error.headers, _encoded(fill(error.body, values)))
        connection.is_fresh = False

    def _serve_poll(self, exchange: _Exchange, task: _Task) -> None:
        connection = exchange.connection
        connection.carried = task
        task.state, said = answer(
            task.state, self._schedule.now, connection=connection.number, fresh=connection.is_fresh
        )
        exchange.said = said
        task.polls.append(exchange)
        if said.step.delay:
            due_s = self._schedule.now + said.step.delay
            self._schedule.at(due_s, lambda: self._say(exchange, task, said.index))
        else:
            self._say(exchange, task, said.index)

    def _say(self, exchange: _Exchange, task: _Task, index: int) -> None:
        if exchange.answered_s is not None:  # the client has left
            return
        now_s, step = self._schedule.now, task.state.steps[index]
        drop = None if step.fault is None else step.fault.drop
        if drop is Drop.BEFORE_RESPONSE or drop is Drop.RESET:
            exchange.connection.closes_at = now_s
            exchange.ended(now_s, Ended.DROPPED)
            self._deliver(exchange, SimulatedDropError("the connection was dropped without an answer"))
            return
        response = self._said.get((id(step), task.record))
        if response is None:
            said = respond(self._contract, step, task.record.values, now_ns=WALL_NS)
            response = self._said[id(step), task.record] = Answer(said.http, said.headers, said.body)
        if drop is Drop.MID_BODY:
            exchange.connection.closes_at = now_s
            exchange.ended(now_s, Ended.DROPPED, response.http)
            self._deliver(exchange, SimulatedDropError("the connection was dropped amid the answer"))
            return
        if step.close_after is not None:
            late_s = self._world.up_to(self._world.conditions.server_late_s)
            exchange.connection.closes_at = now_s + max(step.close_after, CLOSE_S) + late_s
        self._answer(exchange, response.http, response.headers, response.body)

    def _answer(self, exchange: _Exchange, http: int, headers: Mapping[str, str], body: bytes) -> None:
        exchange.ended(self._schedule.now, Ended.ANSWERED, http)
        self._deliver(exchange, Answer(http, headers, body))

    def _deliver(self, exchange: _Exchange, result: Answer | Exception) -> None:
        due_s = self._schedule.now + self._world.way(self._world.conditions.down_s)
        exchange.answer_due_s = due_s
        self._schedule.at(self._world.awake(due_s), lambda: self._finish(exchange, result))

    def _finish(self, exchange: _Exchange, result: Answer | Exception) -> None:
        if exchange.cut_at_s is not None:
            return
        exchange.is_over = True
        if isinstance(result, Answer) and not _closes(exchange.request.headers):
            self._idle.append(exchange.connection)
        exchange.wake(result)

    def _cut(self, exchange: _Exchange, cut_s: float) -> None:
        came = exchange.answer_due_s is not None and exchange.answer_due_s <= cut_s
        if exchange.is_over or came:  # what came while the machine stood still is read first
            return
        exchange.cut_at_s = self._schedule.now
        exchange.wake(SimulatedTimeoutError("no answer in time"))
        left_s = max(self._schedule.now + self._world.conditions.up_s, exchange.read_s)
        self._schedule.at(left_s, lambda: exchange.ended(self._schedule.now, Ended.ABANDONED))

    def _begun(self, token: str, body: bytes | None) -> _Task | None:
        text = at_path(json.loads(body or b"null"), token)
        tasks = (task for task in self._tasks.values() if isinstance(text, str) and task.record.token in text)
        return next(tasks, None)


_Cache: TypeAlias = dict[tuple[int, TaskRecord], Answer]


def _decoded(escaped: str) -> str:
    return unquote_to_bytes(escaped.encode("latin-1", "replace")).decode("utf-8", "replace")


def _closes(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "connection" and value.lower() == "close" for name, value in headers.items())


def _encoded(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


class _World:
    """Clock, conditions and network of one play."""

    def __init__(self, conditions: Conditions, seed: str) -> None:
        self.conditions = conditions
        self.schedule = _Schedule()
        self.network: _Network
        self._random = random.Random(seed)
        self._stops = sorted(conditions.stops, key=lambda stop: stop.at_s)

    def way(self, least_s: float) -> float:
        """Return how long one way takes this time."""
        return least_s + self.up_to(self.conditions.jitter_s)

    def up_to(self, late_s: float) -> float:
        """Return how late something is this time."""
        return self._random.uniform(0.0, late_s) if late_s else 0.0

    def after(self, seconds: float, body: Callable[[], object]) -> None:
        """Let a sleep of the client end."""
        late_s = self.conditions.late_s
        due_s = self.schedule.now + max(0.0, seconds)
        self.schedule.at(self.awake(due_s + self.up_to(late_s)), body)

    def awake(self, when_s: float) -> float:
        """Return when something that is due happens to a client that may stand still then."""
        for stop in self._stops:
            if stop.at_s <= when_s < stop.at_s + stop.for_s:
                when_s = stop.at_s + stop.for_s
        return when_s


# --- plays --------------------------------------------------------------------------------------------


@dataclass
class _Sent:
    """A call that was made, or that the SDK lacks."""

    index: int
    copy: int
    call: Call
    sent_s: float
    request: JsonObject = field(default_factory=dict)
    seen: Seen | None = None
    received_s: float | None = None
    elapsed_s: float | None = None
    answer: Mapping[str, Json] | None = None


class Simulator:
    """Plays scenarios of one contract; each play is a world of its own."""

    def __init__(self, contract: Contract, conditions: Conditions | None = None) -> None:
        self._contract = contract
        self._conditions = conditions or Conditions()
        self._said: _Cache = {}
        self._kept: list[Scenario] = []  # so that no step's identity is used again
        self._sizes: dict[int, tuple[int, float]] = {}

    def hello(self, sdk: Sdk) -> Hello:
        """Return an SDK's introduction, read as an adapter's is."""
        hello = read_hello(json.dumps({"op": "hello", "protocol": 1, **sdk.hello()}).encode())
        assert not isinstance(hello, LogLine)
        return hello

    def play(
        self,
        sdk: Sdk,
        hello: Hello,
        scenario: Scenario,
        *,
        scale: int = 1,
        alone: bool = False,
        seed: int = 0,
    ) -> Observation:
        """Play a scenario whose durations have been scaled, and return what was seen.

        Args:
            sdk: What to play it with.
            hello: Its introduction.
            scenario: What to play.
            scale: By what the durations were multiplied; goes on record.
            alone: Goes on record.
            seed: Besides the conditions' own: another play, another chance.
        """
        if id(scenario) not in self._sizes:
            polls = forecast(self._contract, scenario).polls
            self._sizes[id(scenario)] = 4 * polls + 40 * scenario.parallel, watch_s(self._contract, scenario)
            self._kept.append(scenario)
        max_requests, watched_s = self._sizes[id(scenario)]
        world = _World(self._conditions, f"{self._conditions.seed}/{seed}/{scenario.id}")
        tasks = [self._new_task(scenario, n) for n in range(1, scenario.parallel + 1)]
        world.network = _Network(self._contract, world, tasks, self._said, max_requests)
        play = _Play(self._contract, world, sdk, hello.capabilities, scenario, tasks)
        try:
            with contextlib.suppress(_Ended):  # raised where there is trouble
                sent = play.calls()
                play.watch(watched_s)
            if world.schedule.trouble is not None:
                raise world.schedule.trouble
            return Observation(
                hello=hello,
                calls=tuple(_record(each) for each in sent),
                tasks=tuple(task.seen() for task in tasks),
                watched_s=world.schedule.now,
                lag_s=self._conditions.server_late_s,
                alone=alone,
                scale=scale,
            )
        finally:
            world.schedule.close()

    def _new_task(self, scenario: Scenario, n: int) -> _Task:
        wanted = scenario.task_ids()
        token = f"wp{n:016x}"
        task_id: str | int = f"c0ffee00-0000-4000-8000-{n:012x}"
        if self._contract.task_id is TaskIdFormat.INTEGER:
            task_id = n
        if wanted:
            task_id = fill(wanted[0], {"token": token, "n": n, "task_id": ""})
        return _Task(TaskRecord(n, task_id, token), TaskState(scenario.task))


class _Play:
    """One play's calls, made as the player makes them."""

    def __init__(
        self,
        contract: Contract,
        world: _World,
        sdk: Sdk,
        capabilities: Capabilities,
        scenario: Scenario,
        tasks: Sequence[_Task],
    ) -> None:
        self._contract = contract
        self._world = world
        self._schedule = world.schedule
        self._sdk = sdk
        self._capabilities = capabilities
        self._scenario = scenario
        self._tasks = tasks
        self._client = sdk.connect(Machine(world))
        self._loop = _Loop(world.schedule) if sdk.non_blocking else None
        self._begun: Json = None
        if not scenario.cold:
            world.network.warm()

    def calls(self) -> list[_Sent]:
        """Make the scenario's calls, one after another, and return what became of them."""
        made: list[_Sent] = []
        for index, call in enumerate(self._scenario.calls):
            batch = [self._new_call(index, call, self._tasks[copy].record) for copy in range(call.parallel)]
            self._make([each for each in batch if each.seen is None], self._limit_s(call))
            made += batch
            self._wait_until(max((each.received_s or 0.0 for each in batch), default=0.0))
            if any(isinstance(each.seen, NoAnswer) for each in batch):
                break
            stuck = any(isinstance(each.seen, StillWaiting) for each in batch)
            if stuck and self._capabilities.max_concurrency == 1:
                break
            if call.begin is not None:
                self._begun = getattr(batch[0].seen, "task_id", None)
        return made

    def watch(self, watched_s: float) -> None:
        """Let time go by after the last outcome."""
        self._wait_until(self._schedule.now + watched_s)

    def _wait_until(self, due_s: float) -> None:
        if due_s > self._schedule.now:
            self._schedule.wait(lambda wake: self._schedule.at(due_s, lambda: wake(None)))

    def _new_call(self, index: int, call: Call, task: TaskRecord) -> _Sent:
        sent = _Sent(index, task.n, call, self._schedule.now)
        missing = lacking(self._capabilities, call)
        if missing:
            return replace(sent, seen=Unsupported(missing), received_s=sent.sent_s)
        task_id = task.task_id if self._begun is None else self._begun
        if call.wait is not None:
            options = {
                name: round(value, 6)  # 0.07 times 100 is 7.000000000000001
                for name in ("poll_interval", "timeout")
                if (value := getattr(call.wait, name)) is not None
            }
            return replace(sent, request={"op": "wait", "task_id": task_id, "options": options})
        if call.get_task is not None:
            return replace(sent, request={"op": "get_task", "task_id": task_id})
        arguments = fill(call.arguments, task.values)
        return replace(sent, request={"op": "begin", "operation": call.begin, "arguments": arguments})

    def _limit_s(self, call: Call) -> float:
        """Return how long a call may go unanswered; the player's rule."""
        limit_s = max(step.delay for step in self._scenario.task) + ANSWER_LIMIT_S
        if call.wait is None:
            return limit_s
        for name in ("poll_interval", "timeout"):
            limit_s += getattr(call.wait, name) or getattr(self._contract.defaults, name)
        return limit_s

    def _make(self, batch: Sequence[_Sent], limit_s: float) -> None:
        """Make calls at once, until each has its answer or the limit is reached."""
        if not batch:
            return
        until_s = self._schedule.now + limit_s
        if self._loop is None and len(batch) == 1:
            self._make_here(batch[0], until_s)
        else:
            self._make_elsewhere(batch, until_s)
        for sent in batch:
            if sent.seen is None:
                sent.seen = StillWaiting(limit_s)

    def _make_here(self, sent: _Sent, until_s: float) -> None:
        """Make one call on the strand that plays: no thread has to be changed."""
        main = self._schedule.main

        def give_up() -> None:
            if sent.seen is None:
                self._schedule.interrupt_main()

        self._schedule.at(until_s, give_up)
        try:
            self._carry_out(sent)
        except _Ended:
            main.is_ended = False

    def _make_elsewhere(self, batch: Sequence[_Sent], until_s: float) -> None:
        left = len(batch)
        all_done: _Wake = lambda _result: None  # noqa: E731 - until the wait below begins

        def done() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                all_done(None)

        def begin(wake: _Wake) -> None:
            nonlocal all_done
            all_done = wake
            self._schedule.at(until_s, lambda: wake(None))

        for sent in batch:
            if self._loop is None:
                self._schedule.spawn(lambda sent=sent: self._carry_out(sent, done))  # type: ignore[misc]
            else:
                self._put_on_loop(self._loop, sent, done)
        self._schedule.wait(begin)

    def _carry_out(self, sent: _Sent, done: Callable[[], None] = lambda: None) -> None:
        try:
            value = self._sdk.call(self._client, sent.request)
        except Exception as error:  # noqa: BLE001 - what the call raised is what the caller sees
            self._answered(sent, self._sdk.raised(sent.request, error))
        else:
            self._answered(sent, self._sdk.returned(sent.request, value))
        done()

    def _put_on_loop(self, loop: _Loop, sent: _Sent, done: Callable[[], None]) -> None:
        def finished(value: Any, error: BaseException | None) -> None:
            if error is None:
                self._answered(sent, self._sdk.returned(sent.request, value))
            else:
                self._answered(sent, self._sdk.raised(sent.request, error))
            done()

        async def call() -> Any:
            return await self._sdk.call(self._client, sent.request)  # what raises at once raises in its turn

        loop.start(call(), finished)

    def _answered(self, sent: _Sent, members: JsonObject) -> None:
        if sent.seen is not None:  # too late: it was given up
            return
        sent.received_s = self._schedule.now + self._world.up_to(self._world.conditions.harness_late_s)
        message = {"id": f"{sent.index}.{sent.copy}", **members}
        elapsed_s = self._sdk.elapsed_s(self._schedule.now - sent.sent_s)
        if sent.call.wait is not None and elapsed_s is not None:
            message["elapsed"] = round(elapsed_s, 6)
        read = read_answer(json.dumps(message).encode())
        assert not isinstance(read, LogLine)
        sent.seen, sent.elapsed_s, sent.answer = read.outcome, read.elapsed_s, read.raw


def _record(sent: _Sent) -> CallRecord:
    assert sent.seen is not None
    return CallRecord(
        index=sent.index,
        copy=sent.copy,
        call=sent.call,
        sent_s=sent.sent_s,
        received_s=sent.received_s,
        seen=sent.seen,
        elapsed_s=sent.elapsed_s,
        request=sent.request,
        answer=sent.answer,
    )
