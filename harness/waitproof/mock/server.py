"""The task server over real sockets: it says what `timeline` decides, and keeps the journal.

`TaskServer` is a pytest-httpserver `HTTPServer`. Polls and operations of the contract are answered ahead
of its matchers; everything else falls through to them, so `expect_request(...)` serves the rest of an API
beside the tasks. What a task answers is decided by `timeline`; faults are committed here. Connections are
`mock_loop`'s, the bytes of HTTP `http_wire`'s.

One fact to know before reading on: one thread, the loop's, answers every poll, so nothing that it calls may
wait. Delays, slow clients and farewells are deadlines of the loop; what may block (the matchers' handlers,
and the making of a task that nobody has prepared) is lent a thread for as long as it takes.
"""

from __future__ import annotations

import difflib
import errno
import io
import itertools
import json
import re
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from http.client import HTTPException, parse_headers
from typing import Any, Protocol, TypeVar
from urllib.parse import unquote_to_bytes

from pytest_httpserver import METHOD_ALL, HTTPServer, HTTPServerError
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler

from waitproof.errors import InputError, Mistake
from waitproof.judge.journal import Ended, JournalEntry
from waitproof.mock import http1 as http_wire
from waitproof.mock.connections import Connection, Loop
from waitproof.mock.http1 import Head, Refused, shortened
from waitproof.mock.journal import Journal, Record
from waitproof.suite.catalog import SEPARATOR, Catalog, told_in_a_line
from waitproof.suite.contract import Contract, Operation, TaskIdFormat
from waitproof.suite.scenario import Drop, Scenario, Step
from waitproof.suite.task import Response as TaskResponse
from waitproof.suite.task import TaskState, answer, respond
from waitproof.suite.template import at_path, fill
from waitproof.suite.yaml import Json

__all__ = ["TaskServer", "Unprepared", "raise_file_limit"]

MAX_BODY_BYTES = 1024 * 1024
MAX_JOURNAL = 100_000
MAX_JOURNAL_BYTES = 64 * 1024 * 1024  # 100,000 polls of one client, or 20,000 whose heads all differ
MAX_LOGGED = 200  # requests that pytest-httpserver keeps, whole, with their responses
BACKLOG = 4096  # the kernel drops connects beyond it, and a dropped one is tried again after a second
JOIN_S = 0.6  # for threads whose sockets are shut; only a handler of somebody else's can take longer
REQUEST_LIMIT_S = 30.0
SEND_LIMIT_S = 30.0
MAX_PORT = 65535
MAX_STENCIL_BYTES = 64 * 1024
TIME_DIGITS = 19  # of nanoseconds since 1970, from 2001 to 2286
MANY_FILES = 10_240  # what macOS lets a process have where its hard limit says "unlimited"

_Made = TypeVar("_Made")

OFF_RECORD = 0  # the serial of a request that is not remembered
_PORT = re.compile(r":[0-9]*$")  # of a Host header
_STRAY = "waitproof.stray"  # in the environ of a request that no matcher handles
_FREE_PORT = "--port 0 lets the system choose a free one"


def raise_file_limit() -> None:
    """Let this process have as many connections as the system allows: each is an open file.

    For a process that only serves: programs that it would start inherit the limit.
    """
    try:
        import resource  # noqa: PLC0415 - Windows has none, and no such limit
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for limit in (hard, MANY_FILES):
        if soft == resource.RLIM_INFINITY or soft >= limit != resource.RLIM_INFINITY:
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        except (OSError, ValueError):  # macOS, which names no limit and has one
            continue
        return


class Unprepared(Protocol):
    """Makes tasks that nobody has prepared, at the moment they are asked for.

    Called by one thread at a time, which is not the loop's and may wait a while; it makes a task with
    `TaskServer.create`.
    """

    def task(self, task_id: str) -> str:
        """Make the task with this id if the id says what it is; return "", else why there is none."""

    def operation(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
        """Make the task that an operation without a prepared task begins.

        Args:
            name: The operation's name in the contract.
            headers: The request's, names in lower case.
            body: As it came.

        Returns:
            The task's id and ""; where there is none, "" and why, which is "" where nothing more can be said
            than that the body names no task.
        """


class TaskServer(HTTPServer):
    """Tasks of one contract, served on a port of their own; also a context manager.

    `TaskServer()` knows the scenarios that come with waitproof: `add` makes a task of one by its name, and so
    does whoever polls an id that names one.
    """

    def __init__(
        self,
        contract: Contract | None = None,
        *,
        catalog: Catalog | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        on_entry: Callable[[JournalEntry], None] | None = None,
        journal_limit: int = MAX_JOURNAL,
        journal_bytes: int = MAX_JOURNAL_BYTES,
        unprepared: Unprepared | None = None,
        allowed_hosts: Collection[str] | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        request_limit_s: float = REQUEST_LIMIT_S,
        send_limit_s: float = SEND_LIMIT_S,
        off_record: re.Pattern[str] | None = None,
    ) -> None:
        """Make a server that does not listen yet.

        Args:
            contract: What the API looks like; None for what the catalog's contract says.
            catalog: Scenarios by name; None for those that come with waitproof, or for none where there is a
                contract.
            host: Address to listen on.
            port: Port, 0 for one that the system chooses; a later start takes the same again.
            on_entry: Called for each request on its arrival and again when it ended, with the same
                serial. It may ask the server anything, but must not wait: no other client is answered
                meanwhile.
            journal_limit: How many requests are remembered; the oldest finished ones go first.
            journal_bytes: How much memory they may take, about; the same goes first.
            unprepared: Makes tasks that `create` has not made; None for the catalog's, and where there is
                none, such an id is unknown.
            allowed_hosts: Names, without a port and in lower case, that a request's Host may have, so that
                no page of another site reaches the server under a name of its own (DNS rebinding); None
                for any.
            max_body_bytes: Larger requests are refused.
            request_limit_s: How long a request may take from its first byte to its last.
            send_limit_s: How long a client may take nothing of its answer before it counts as gone.
            off_record: Paths, escaped as they come, of whoever watches the server: requests for them that
                fall through to the matchers are neither remembered nor told.

        Raises:
            InputError: The suite that comes with waitproof cannot be read.
        """
        super().__init__(host=host, port=port, threaded=True)
        if contract is None:
            catalog = catalog or Catalog()
            contract = catalog.contract
        if catalog is not None and unprepared is None:
            unprepared = _Named(self, catalog)
        self._catalog = catalog
        self._numbers = itertools.count(1)
        self._desk = _Desk(contract, on_entry, self._went_wrong, Journal(journal_limit, journal_bytes))
        self._desk.unprepared = unprepared
        self._desk.allowed_hosts = None if allowed_hosts is None else frozenset(allowed_hosts)
        self._desk.off_record = off_record
        self._limits = _Limits(max_body_bytes, request_limit_s, send_limit_s)

    @property
    def base_url(self) -> str:
        """Where the server listens: `http://127.0.0.1:8080`, without a slash at the end."""
        return f"http://{self.format_host(self.host)}:{self.port}"

    # --- tasks and journal

    def create(self, task_id: str | int, steps: Sequence[Step], *, token: str = "", n: int = 1) -> None:
        """Let a task begin with its next poll; one that has the same id is replaced.

        Args:
            task_id: Its id; a whole number stays one in bodies.
            steps: What it answers, one step at least; the last repeats.
            token: What an operation's body must contain to be given this task; "" for a task that no
                operation begins.
            n: Number of the copy, for `${n}`.
        """
        if not steps:
            raise ValueError("a task needs one step at least")
        values: dict[str, Json] = {"task_id": task_id, "token": token, "n": n}
        self._desk.tasks[str(task_id)] = _Task(str(task_id), token, values, TaskState(tuple(steps)))

    def add(self, scenario: str | Scenario, task_id: str | int | None = None) -> str | int:
        """Make a task of a scenario, and return its id.

        Args:
            scenario: A scenario, else the id of one of the catalog's, or the last part of it.
            task_id: The task's id, None for a new one: `completes-after-3-polls~1`.

        Raises:
            InputError: There is no such scenario, or this server was made of a contract alone.
        """
        if isinstance(scenario, str):
            if self._catalog is None:
                fact = "this server was made of a contract alone, and knows no scenario by name"
                fix = "hand it the scenario itself, or make it with a catalog"
                raise InputError(Mistake(scenario, fact, fix=fix))
            scenario = self._catalog.get(scenario)
        if task_id is None:
            number = next(self._numbers)
            is_number = self._desk.contract.task_id is TaskIdFormat.INTEGER
            task_id = number if is_number else f"{scenario.id.rpartition('/')[2]}{SEPARATOR}{number}"
        self.create(task_id, scenario.task)
        return task_id

    def forget(self, task_id: str | int) -> None:
        """Drop a task, whose id is unknown from now on; its requests stay in the journal."""
        self._desk.tasks.pop(str(task_id), None)

    def change(self, task_id: str | int, change: Callable[[TaskState], TaskState]) -> bool:
        """Change how far a task is, between two of its polls; return False when there is no such task.

        Args:
            task_id: Its id.
            change: Returns the state after the change; called with the task's lock held, so it must be quick.
        """
        task = self._desk.tasks.get(str(task_id))
        if task is None:
            return False
        task.change(change)
        return True

    def state(self, task_id: str | int) -> TaskState | None:
        """Return how far a task is, None when there is no such task."""
        task = self._desk.tasks.get(str(task_id))
        return None if task is None else task.state

    def entries(self, task_id: str | int, newest: int | None = None) -> tuple[JournalEntry, ...]:
        """Return the requests that concern a task, in order of arrival, polls included.

        Args:
            task_id: Its id.
            newest: How many of those that arrived last, None for all.
        """
        return self._desk.journal.entries(str(task_id), newest)

    def journal(self, newest: int | None = None) -> tuple[JournalEntry, ...]:
        """Return the requests remembered, in order of arrival, those in flight included.

        Args:
            newest: How many of those that arrived last, None for all.
        """
        return self._desk.journal.all(newest)

    def polls(self, task_id: str | int) -> tuple[JournalEntry, ...]:
        """Return the polls of one task, in order of arrival, repeats of an HTTP stack included."""
        return self._desk.journal.polls(str(task_id))

    def strays(self) -> tuple[JournalEntry, ...]:
        """Return the requests that concern no task and that nothing was there to answer."""
        return tuple(entry for entry in self._desk.journal.all() if is_stray(entry))

    def wait_for_polls(self, task_id: str | int, count: int, within_s: float) -> bool:
        """Wait until that many polls of a task have arrived; repeats of an HTTP stack do not count.

        Returns:
            Whether they have, `within_s` seconds from now at the latest.
        """
        return self._desk.journal.wait_for_polls(str(task_id), count, within_s)

    # --- what HTTPServer does, done otherwise

    def start(self) -> None:
        """Listen, and return at once.

        Raises:
            InputError: Nothing can listen on that host and port.
        """
        if self.is_running():
            raise HTTPServerError("Server is already running")
        server = _Server(
            self.host, self.port, Request.application(self.application), self._desk, self._limits
        )
        self.server = server
        self.port = server.port
        self.server_thread = threading.Thread(target=self.thread_target, name="mock server", daemon=True)
        self.server_thread.start()

    def stop(self) -> None:
        """Stop within a second whatever hangs; nothing is answered afterwards."""
        server, thread = self.server, self.server_thread
        if not isinstance(server, _Server) or thread is None:
            raise HTTPServerError("Server is not running")
        deadline = time.monotonic() + JOIN_S
        server.loop.stop()
        if thread is not threading.current_thread():  # `on_entry` may stop us
            thread.join(JOIN_S)
        server.server_close()
        server.loop.join_threads(deadline)
        self.server = self.server_thread = None

    def thread_target(self) -> None:
        """Serve until the server is stopped."""
        assert self.server is not None
        self.server.serve_forever()

    def application(self, request: Request) -> Response:
        """Answer what fell through, and keep no more than the newest of the log."""
        response = super().application(request)
        del self.log[:-MAX_LOGGED]
        return response

    def respond_nohandler(self, request: Request, extra_message: str = "") -> Response:
        """Answer 404 in the API's own words, besides the assertion that pytest-httpserver records."""
        super().respond_nohandler(request, extra_message)
        del self.assertions[:-MAX_LOGGED]
        path = str(request.environ.get("RAW_URI", request.path)).partition("?")[0]
        nearest = self._desk.nearest(request.method, path, self._matched_routes(request.method))
        request.environ[_STRAY] = nearest
        message = f"no route for {request.method} {shortened(path)}; the nearest is {nearest}"
        said = self._desk.error(404, message)
        return Response(said.body, said.http, dict(said.headers))

    def _matched_routes(self, method: str) -> Iterator[str]:
        """Yield the routes that `expect_request` was given as plain text."""
        for handler in itertools.chain(self.ordered_handlers, self.oneshot_handlers, self.handlers):
            matcher = handler.matcher
            if isinstance(matcher.uri, str):
                yield f"{method if matcher.method == METHOD_ALL else matcher.method} {matcher.uri}"

    def _went_wrong(self, error: Exception) -> None:
        self.handler_errors.append(error)
        del self.handler_errors[:-MAX_LOGGED]


class _Named:
    """Makes tasks of the scenarios that ids, cids and user ids name."""

    def __init__(self, server: TaskServer, catalog: Catalog) -> None:
        self._server = server
        self._catalog = catalog

    def task(self, task_id: str) -> str:
        if self._catalog.contract.task_id is TaskIdFormat.INTEGER:
            return ""
        try:
            self._server.add(self._catalog.named_by(task_id), task_id)
        except InputError as error:
            return told_in_a_line(error)
        return ""

    def operation(self, name: str, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
        try:
            scenario = self._catalog.begun_by(name, headers, body)
        except InputError as error:
            return "", told_in_a_line(error)
        return str(self._server.add(scenario)), ""


@dataclass(frozen=True)
class _Limits:
    """What a client may ask of a connection."""

    max_body_bytes: int
    request_s: float
    send_s: float


def is_stray(entry: JournalEntry) -> bool:
    """Say whether a request concerns no task and found nobody to answer it."""
    return entry.task_id is None and entry.nearest != ""


# --- tasks --------------------------------------------------------------------------------------------

_Written = tuple[int, bool, bytes]  # an answer: status code, whether its connection is kept, all its bytes


class _Task:
    """One task: how far it is, under its lock, and what its present step says."""

    def __init__(self, task_id: str, token: str, values: Mapping[str, Json], state: TaskState) -> None:
        self.id = task_id
        self.token = token
        self.values = values
        self.state = state
        self.latest_s = 0.0
        self.lock = threading.Lock()
        self._rendered: Step | None = None
        self._stencil: _Stencil | None = None

    def change(self, change: Callable[[TaskState], TaskState]) -> None:
        """Change the state between two polls."""
        with self.lock:
            self.state = change(self.state)

    def written(self, contract: Contract, step: Step, head: Head) -> _Written:
        """Return what the step says now.

        Most polls meet the step that the poll before them met, and only the time of day in its answer has
        changed: from a step's third poll on that alone is filled in.

        Raises:
            ValueError: There is a placeholder that nothing fills in, or text that cannot be encoded.
            RecursionError: It is nested too deep.
        """
        is_plain = head.keeps_alive and head.minor == 1 and head.method != "HEAD"
        stencil = self._stencil
        if is_plain and stencil is not None and stencil.step is step:
            now = b"%d" % time.time_ns()
            if len(now) == TIME_DIGITS:
                return stencil.http, True, now.join(stencil.pieces)
        response = respond(contract, step, self.values, now_ns=time.time_ns())
        written = _written(response, head)
        if is_plain and written[1]:
            if self._rendered is step and len(response.body) <= MAX_STENCIL_BYTES:
                self._stencil = self._cut(contract, step, head)
            self._rendered = step
        return written

    def _cut(self, contract: Contract, step: Step, head: Head) -> _Stencil | None:
        """Return the answer in pieces, between which the time of day stands; None if it is not so plain."""
        first, second = 1_111_111_111_111_111_111, 2_222_222_222_222_222_222
        http, _, data = _written(respond(contract, step, self.values, now_ns=first), head)
        pieces = data.split(b"%d" % first)
        _, _, other = _written(respond(contract, step, self.values, now_ns=second), head)
        return _Stencil(step, http, pieces) if (b"%d" % second).join(pieces) == other else None


@dataclass(slots=True)
class _Stencil:
    """An answer in pieces, to HTTP/1.1 requests whose connections are kept; see `_Task.written`."""

    step: Step
    http: int
    pieces: list[bytes]


class _Desk:
    """What the connections share: the tasks, the routes, the words of an error, and the journal."""

    def __init__(
        self,
        contract: Contract,
        on_entry: Callable[[JournalEntry], None] | None,
        went_wrong: Callable[[Exception], None],
        journal: Journal,
    ) -> None:
        self.contract = contract
        self.tasks: dict[str, _Task] = {}
        self.journal = journal
        self.went_wrong = went_wrong
        self.poll_method = contract.endpoint.method
        self.poll_path = contract.task_path_pattern()
        before, _, _ = contract.endpoint.path.partition("{task_id}")
        self.task_path = re.compile(re.escape(before) + "([^/?]+)")
        self.operations: dict[tuple[str, str], Operation] = {
            (each.method, each.path): each for each in contract.operations.values()
        }
        self.unprepared: Unprepared | None = None
        self.allowed_hosts: frozenset[str] | None = None
        self.off_record: re.Pattern[str] | None = None
        self.on_entry = on_entry
        self._making = threading.Lock()  # so that two requests at once do not make a task twice

    def error(self, http: int, message: str, task_id: Json = "") -> TaskResponse:
        """Return an error in the API's own words."""
        template = self.contract.http_error
        values = {"task_id": task_id, "token": "", "n": 0, "http": http, "message": message}
        try:
            body = json.dumps(fill(template.body, values), ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:  # whoever wrote the contract reads both
            body = json.dumps({"message": f"{message} ({_why_unwritten(error)})"}).encode()
        return TaskResponse(http, template.headers, body)

    def nearest(self, method: str, path: str, more: Iterable[str] = ()) -> str:
        """Return the route most like a request, however little it is like it."""
        routes = {f"{self.poll_method} {self.contract.endpoint.path}", *more}
        routes |= {f"{method} {path}" for method, path in self.operations}
        return difflib.get_close_matches(f"{method} {shortened(path)}", sorted(routes), n=1, cutoff=0.0)[0]

    def begun_by(self, operation: Operation, body: bytes) -> _Task | None:
        """Return the task whose token stands where the operation says; the longest, should several fit."""
        try:
            text = at_path(json.loads(body), operation.token)
        except (ValueError, RecursionError):
            return None
        if not isinstance(text, str):
            return None
        fitting = [task for task in list(self.tasks.values()) if task.token and task.token in text]
        return max(fitting, key=lambda task: len(task.token), default=None)

    def make(self, task_id: str) -> str:
        """Make the task with an id if nobody has by now; return "", else why there is none."""
        assert self.unprepared is not None
        with self._making:
            return "" if task_id in self.tasks else self.unprepared.task(task_id)

    def make_for(self, operation: Operation, request: http_wire.Request) -> tuple[_Task | None, str]:
        """Make the task that an operation begins; None and why, or "", where there is none."""
        assert self.unprepared is not None
        name = next(name for name, each in self.contract.operations.items() if each is operation)
        with self._making:
            task_id, why = self.unprepared.operation(name, request.head.headers, request.body)
        return self.tasks.get(task_id), why

    def route(self, head: Head) -> _Route:
        """Return what a request is about."""
        route = _Route(self._misdirected(head.headers.get("host", "")))
        found = self.poll_path.fullmatch(head.path) if head.method == self.poll_method else None
        if found is not None:
            route.task_id = _decoded(found[1])
        else:
            route.operation = self.operations.get((head.method, head.path))
        return route

    def _misdirected(self, host: str) -> str:
        """Return what is wrong with the name under which a request came, "" for nothing."""
        name = _PORT.sub("", host).lower()
        if self.allowed_hosts is None or name in self.allowed_hosts:
            return ""
        if not name:
            return "this server does not serve requests whose Host header names nothing"
        name = shortened(name)
        fact = f"this server does not serve '{name}', which the Host header names"
        return f"{fact}; --allow-host {name} allows it"

    def end(self, record: Record, ended: Ended, http: int | None = None, nearest: str = "") -> None:
        """Put the end of a request on record."""
        if record.serial == OFF_RECORD:
            return
        self.journal.end(record, ended, http, nearest)
        if self.on_entry is not None:
            self.tell(record)

    def tell(self, record: Record) -> None:
        """Call whoever wants to know of every request; the caller holds no lock."""
        if self.on_entry is not None:
            try:
                self.on_entry(self.journal.entry(record))
            except Exception as error:  # noqa: BLE001 - it must cost no client its answer
                self.went_wrong(error)


@dataclass(slots=True)
class _Route:
    """What a request is about: a poll has a task's id; what has neither that nor an operation is the rest."""

    misdirected: str
    task_id: str | None = None
    operation: Operation | None = None


# --- the listening socket -----------------------------------------------------------------------------


class _Server(BaseWSGIServer):
    """The listening socket, as pytest-httpserver wants it, and the loop that serves it."""

    multithread = True
    request_queue_size = BACKLOG

    def __init__(self, host: str, port: int, app: Any, desk: _Desk, limits: _Limits) -> None:
        if not 0 <= port <= MAX_PORT:  # the resolver would take it modulo 65536
            raise InputError(_no_port(port))
        super().__init__(host, port, app, WSGIRequestHandler)
        self.loop = Loop(
            self.socket,
            _Service(desk, self),
            max_body_bytes=limits.max_body_bytes,
            request_limit_s=limits.request_s,
            send_limit_s=limits.send_s,
        )

    def server_bind(self) -> None:
        # werkzeug would print an OSError and exit, and http.server would ask a name server who we are.
        try:
            socketserver.TCPServer.server_bind(self)
        except OSError as error:
            raise InputError(_cannot_listen(self.host, self.port, error)) from error
        self.server_name, self.server_port = self.host, self.server_address[1]

    def serve_forever(self, poll_interval: float = 0.5) -> None:  # noqa: ARG002 - socketserver's name
        self.loop.run()


def _no_port(port: int) -> Mistake:
    return Mistake(f"--port {port}", "there is no such port", expected=f"0 to {MAX_PORT}", fix=_FREE_PORT)


def _cannot_listen(host: str, port: int, error: OSError) -> Mistake:
    if error.errno == errno.EADDRINUSE:
        fact = f"another program listens on port {port} of {host} already"
        return Mistake(f"--port {port}", fact, fix=f"stop that program; or {_FREE_PORT}")
    if error.errno == errno.EACCES:
        fact = f"this user may not listen on port {port} of {host}"
        return Mistake(f"--port {port}", fact, fix=f"take a port above 1023; or {_FREE_PORT}")
    fact = f"cannot listen on {host}: {error}"
    return Mistake(f"--host {host}", fact, expected="an address of this machine, such as 127.0.0.1")


# --- requests -----------------------------------------------------------------------------------------


class _Loan(Enum):
    """What becomes of a connection after the thread that it was lent to."""

    KEEP = 1
    TAKE_LEAVE = 2
    CLOSE = 3


class _Service:
    """Answers the requests of all connections."""

    def __init__(self, desk: _Desk, server: _Server) -> None:
        self.desk = desk
        self.server = server

    def gone(self, connection: Connection) -> None:
        self._end_latest(connection, self._left())

    def went_wrong(self, connection: Connection, error: Exception) -> None:
        self._end_latest(connection, Ended.DROPPED)
        self.desk.went_wrong(error)

    def _end_latest(self, connection: Connection, ended: Ended) -> None:
        """End what a connection carried when it failed: a request that never ends would be kept for ever."""
        record: Record | None = connection.latest
        if record is not None and record.ended is Ended.IN_FLIGHT:
            self.desk.end(record, ended)

    # Each of the following returns whether its connection can carry the next request at once.

    def serve(self, connection: Connection, request: http_wire.Request) -> bool:
        head, desk = request.head, self.desk
        route: _Route | None = head.note
        if route is None:
            route = head.note = desk.route(head)
        if route.misdirected:
            return self._serve_stray(connection, request, route.misdirected, http=421)
        if route.task_id is not None:
            task = desk.tasks.get(route.task_id)
            if task is not None:
                return self._serve_poll(connection, request, task)
            return self._serve_unknown(connection, request, route.task_id)
        if route.operation is not None:
            return self._serve_operation(connection, request, route.operation)
        return self._serve_rest(connection, request)

    def refuse(self, connection: Connection, refused: Refused) -> None:
        method, _, target = shortened(refused.line).partition(" ")
        head = Head(method, target.partition(" ")[0], "", 1, {}, keeps_alive=False)
        charged = self._charged_by_connection(connection)
        by_path = charged is None or charged == self._charged_by_path(head.target)
        nearest = "" if charged else self.desk.nearest(method, head.target)
        request = http_wire.Request(head, refused.arrived_ns)
        record = self._arrived(connection, request, charged, "other", nearest=nearest, by_path=by_path)
        self._answer(connection, record, head, self.desk.error(refused.http, refused.message))

    def _serve_poll(self, connection: Connection, request: http_wire.Request, task: _Task) -> bool:
        head, arrived_ns, desk = request.head, request.arrived_ns, self.desk
        connection.carried = task.id
        with task.lock:  # so that its polls have their serials in the order of their numbers
            task.latest_s = max(task.latest_s, arrived_ns / 1e9)
            task.state, said = answer(
                task.state, task.latest_s, connection=connection.number, fresh=connection.fresh
            )
            step = said.step
            record = desk.journal.add(
                task.id,
                "poll",
                head,
                arrived_ns,
                connection.number,
                connection.fresh,
                said.n,
                said.index,
                step.label,
                said.repeat,
            )
        connection.fresh = False
        connection.latest = record
        if desk.on_entry is not None:
            desk.tell(record)
        if not step.delay:
            return self._answer_poll(connection, record, task, step)

        def resume(kept: bool) -> None:
            if not kept:
                desk.end(record, self._left())
            elif self._answer_poll(connection, record, task, step):
                connection.go_on()

        connection.pause(step.delay, resume)
        return False

    def _answer_poll(self, connection: Connection, record: Record, task: _Task, step: Step) -> bool:
        drop = None if step.fault is None else step.fault.drop
        if drop is Drop.RESET or drop is Drop.BEFORE_RESPONSE:
            return self._drop(connection, record, by_reset=drop is Drop.RESET)
        head = record.head
        try:
            http, keep, data = task.written(self.desk.contract, step, head)
        except (ValueError, RecursionError) as error:
            told = self.desk.error(500, _why_unwritten(error), task.values["task_id"])
            return self._answer(connection, record, head, told)
        if drop is Drop.MID_BODY:
            body = len(data) - data.index(b"\r\n\r\n") - 4
            data = data[: len(data) - body + body // 2]
            return self._send(connection, record, data, lambda: self._drop(connection, record, http))
        if step.close_after is None:
            return self._send_answer(connection, record, data, http, keep)
        idle_s = step.close_after

        def close_when_idle() -> bool:
            may_go_on = self._ended(connection, record, http, keep)
            if may_go_on:
                connection.close_when_idle(idle_s)
            return may_go_on

        return self._send(connection, record, data, close_when_idle)

    def _serve_unknown(self, connection: Connection, request: http_wire.Request, task_id: str) -> bool:
        def serve(why: str) -> bool:
            task = self.desk.tasks.get(task_id)
            if task is not None:
                return self._serve_poll(connection, request, task)
            why = why or f"no task has the id {shortened(task_id)}"
            return self._serve_stray(connection, request, why, task_id)

        if self.desk.unprepared is None:
            return serve("")
        return self._lend_to_maker(connection, request, lambda: self.desk.make(task_id), serve)

    def _serve_operation(
        self, connection: Connection, request: http_wire.Request, operation: Operation
    ) -> bool:
        def serve(found: tuple[_Task | None, str]) -> bool:
            task, why = found
            if task is not None:
                return self._begin(connection, request, operation, task)
            why = why or f"the body has no scenario's token at '{operation.token}'"
            return self._serve_stray(connection, request, why)

        task = self.desk.begun_by(operation, request.body)
        if task is not None or self.desk.unprepared is None:
            return serve((task, ""))
        return self._lend_to_maker(connection, request, lambda: self.desk.make_for(operation, request), serve)

    def _lend_to_maker(
        self,
        connection: Connection,
        request: http_wire.Request,
        make: Callable[[], _Made],
        serve: Callable[[_Made], bool],
    ) -> bool:
        """Make a task in a thread, and go on with what came of it; the client is told where that fails."""

        def make_or_fail() -> Callable[[], bool]:
            try:
                made = make()
            except Exception as error:  # noqa: BLE001 - whoever makes tasks may raise anything
                self.desk.went_wrong(error)
                fact = _told(error)
                return lambda: self._serve_stray(connection, request, fact, http=500)
            return lambda: serve(made)

        try:
            connection.lend(make_or_fail, lambda serve_it: _go_on(connection, serve_it()))
        except RuntimeError as error:  # no thread can begin
            return self._serve_stray(connection, request, str(error), http=503)
        return False

    def _begin(
        self, connection: Connection, request: http_wire.Request, operation: Operation, task: _Task
    ) -> bool:
        connection.carried = task.id
        record = self._arrived(connection, request, task.id, "begin")
        try:
            body = json.dumps(fill(operation.body, task.values), ensure_ascii=False).encode()
            response = TaskResponse(operation.status, self.desk.contract.answer.headers, body)
        except (ValueError, RecursionError) as error:
            response = self.desk.error(500, _why_unwritten(error), task.values["task_id"])
        return self._answer(connection, record, request.head, response)

    def _serve_stray(
        self,
        connection: Connection,
        request: http_wire.Request,
        message: str,
        task_id: str = "",
        http: int = 404,
    ) -> bool:
        head = request.head
        charged = self._charged_by_connection(connection)
        nearest = "" if charged else self.desk.nearest(head.method, head.path)
        record = self._arrived(
            connection, request, charged, "other", nearest=nearest, by_path=charged is None
        )
        return self._answer(connection, record, head, self.desk.error(http, message, task_id))

    def _charged_by_path(self, path: str) -> str | None:
        """Return the task that a request is charged to for its path, or None.

        A request that is no poll is charged to the task on whose path it came, with another method, or below.
        """
        found = self.desk.task_path.match(path)
        task_id = _decoded(found[1]) if found is not None else ""
        return task_id if task_id in self.desk.tasks else None

    def _charged_by_connection(self, connection: Connection) -> str | None:
        """Return the task that a request is charged to for its connection alone, or None.

        It is the task whose poll or operation the connection carried last, unless it has been forgotten.
        """
        return connection.carried if connection.carried in self.desk.tasks else None

    # --- what falls through, in a thread that the connection is lent to

    def _serve_rest(self, connection: Connection, request: http_wire.Request) -> bool:
        head, off_record = request.head, self.desk.off_record
        if off_record is not None and off_record.fullmatch(head.path):
            record = Record(
                OFF_RECORD, None, "other", head, request.arrived_ns, connection.number, fresh=False
            )
        else:
            named = self._charged_by_path(head.path)
            charged = named or self._charged_by_connection(connection)
            record = self._arrived(connection, request, charged, "other", by_path=charged == named)

        def resume(loan: _Loan) -> None:
            if loan is _Loan.KEEP:
                connection.go_on()
            elif loan is _Loan.TAKE_LEAVE:
                connection.take_leave()
            else:
                connection.close()

        try:
            connection.lend(lambda: self._ask_matchers(connection, request, record), resume)
        except RuntimeError as error:  # thousands of streams, each with a thread
            return self._answer(connection, record, request.head, self.desk.error(503, str(error)))
        return False

    def _ask_matchers(self, connection: Connection, request: http_wire.Request, record: Record) -> _Loan:
        try:
            environ = _Environ(connection.sock, self.server, request).make_environ()
        except HTTPException as error:  # more header lines than the standard library reads
            return self._answer_lent(connection, record, self.desk.error(431, str(error)))
        except ValueError as error:  # such as a target that begins as an address does, and is none
            told = self.desk.error(400, f"the target {shortened(request.head.target)} is no URL: {error}")
            return self._answer_lent(connection, record, told)
        except OSError:
            return self._lost(record)
        http: int | None = None
        keep = False
        try:
            for http, keep, data in self._respond_by_matchers(environ, request.head):  # noqa: B007 - the last
                try:
                    connection.sock.sendall(data)
                except OSError:
                    return self._lost(record, http)
        except ConnectionError:  # a handler's way to drop the connection
            self.desk.end(record, Ended.DROPPED, http)
            return _Loan.CLOSE
        except Exception as error:  # noqa: BLE001 - a matcher's handler may raise anything
            if http is not None:
                self.desk.end(record, Ended.DROPPED, http)
                return _Loan.CLOSE
            self.desk.went_wrong(error)
            return self._answer_lent(connection, record, self.desk.error(500, _told(error)))
        nearest = str(environ.get(_STRAY, "")) if record.task_id is None else ""
        self.desk.end(record, Ended.ANSWERED, http, nearest)
        return _Loan.KEEP if keep else _Loan.TAKE_LEAVE

    def _respond_by_matchers(self, environ: dict[str, Any], head: Head) -> Iterator[tuple[int, bool, bytes]]:
        """Yield status, whether the connection lives on, and the next bytes: head and first piece are one."""
        started: list[tuple[str, list[tuple[str, str]]]] = []
        written: list[bytes] = []  # WSGI has two ways to hand over a body

        def start_response(
            status: str, headers: list[tuple[str, str]], _error: object = None, /
        ) -> Callable[[bytes], object]:
            started.append((status, headers))
            return written.append

        pieces = self.server.app(environ, start_response)
        try:
            status, headers = started[-1]
            http = int(status.split(None, 1)[0])
            given = {name.lower(): value for name, value in headers}
            sized = "content-length" in given or not http_wire.has_body(http) or head.method == "HEAD"
            chunked = not sized and head.minor >= 1
            keep = head.keeps_alive and not _closes(given) and (sized or chunked)
            out = http_wire.head(http, headers, keep=keep, minor=head.minor, chunked=chunked)
            for piece in itertools.chain(written, pieces):
                yield http, keep, out + (http_wire.chunk(piece) if chunked else piece)
                out = b""
            if out or chunked:
                yield http, keep, out + (b"0\r\n\r\n" if chunked else b"")
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def _answer_lent(self, connection: Connection, record: Record, response: TaskResponse) -> _Loan:
        http, keep, data = _written(response, record.head)
        try:
            connection.sock.sendall(data)
        except OSError:
            return self._lost(record)
        self.desk.end(record, Ended.ANSWERED, http)
        return _Loan.KEEP if keep else _Loan.TAKE_LEAVE

    def _lost(self, record: Record, http: int | None = None) -> _Loan:
        self.desk.end(record, self._left(), http)
        return _Loan.CLOSE

    # --- writing and ending

    def _answer(self, connection: Connection, record: Record, head: Head, response: TaskResponse) -> bool:
        http, keep, data = _written(response, head)
        return self._send_answer(connection, record, data, http, keep)

    def _send_answer(
        self, connection: Connection, record: Record, data: bytes, http: int, keep: bool
    ) -> bool:
        return self._send(connection, record, data, lambda: self._ended(connection, record, http, keep))

    def _send(self, connection: Connection, record: Record, data: bytes, then: Callable[[], bool]) -> bool:
        """Send all of an answer, then say how it ended."""
        try:
            sent = connection.send(data)
        except OSError:
            connection.close()
            self.desk.end(record, self._left())
            return False
        if sent == len(data):
            return then()

        def sent_rest(kept: bool) -> None:
            if kept:
                _go_on(connection, then())
            else:
                self.desk.end(record, self._left())

        connection.send_rest(data[sent:], sent_rest)
        return False

    def _ended(self, connection: Connection, record: Record, http: int, keep: bool) -> bool:
        self.desk.end(record, Ended.ANSWERED, http)
        if not keep:
            connection.take_leave()
        return keep

    def _drop(
        self, connection: Connection, record: Record, http: int | None = None, *, by_reset: bool = False
    ) -> bool:
        connection.break_off(by_reset=by_reset)
        self.desk.end(record, Ended.DROPPED, http)
        return False

    def _left(self) -> Ended:
        return Ended.STOPPED if self.server.loop.is_stopping else Ended.ABANDONED

    def _arrived(
        self,
        connection: Connection,
        request: http_wire.Request,
        task_id: str | None,
        kind: str,
        *,
        nearest: str = "",
        by_path: bool = True,
    ) -> Record:
        record = self.desk.journal.add(
            task_id,
            kind,
            request.head,
            request.arrived_ns,
            connection.number,
            connection.fresh,
            nearest=nearest,
            by_path=by_path,
        )
        connection.fresh = False
        connection.latest = record
        self.desk.tell(record)
        return record


def _go_on(connection: Connection, may: bool) -> None:
    if may:
        connection.go_on()


class _Environ(WSGIRequestHandler):
    """What werkzeug's own handler would know of a request, to say it in WSGI's words.

    Its input is the body that has been read already.
    """

    def __init__(self, sock: socket.socket, server: _Server, request: http_wire.Request) -> None:
        head = request.head
        _, _, lines = request.lines.partition(b"\n")
        self.headers = parse_headers(io.BytesIO(lines))
        del self.headers["Transfer-Encoding"]
        if request.body:
            del self.headers["Content-Length"]
            self.headers["Content-Length"] = str(len(request.body))
        self.connection = sock
        self.client_address = sock.getpeername()
        self.server = server
        self.command, self.path = head.method, head.target
        self.request_version = f"HTTP/1.{head.minor}"
        self.rfile = io.BytesIO(request.body)


def _written(response: TaskResponse, head: Head) -> _Written:
    """Return the answer to a request."""
    keep = head.keeps_alive and not _closes(response.headers)
    bodiless = head.method == "HEAD"
    data = http_wire.whole(
        response.http, response.headers, response.body, keep=keep, minor=head.minor, bodiless=bodiless
    )
    return response.http, keep, data


def _told(error: Exception) -> str:
    """Return what went wrong in code that is not ours, in the words of Python."""
    return f"{type(error).__name__}: {error}"


def _why_unwritten(error: Exception) -> str:
    """Return why an answer cannot be written; a ValueError says it itself."""
    return "the answer is nested too deep to be written" if isinstance(error, RecursionError) else str(error)


def _decoded(escaped: str) -> str:
    return unquote_to_bytes(escaped.encode("latin-1")).decode("utf-8", "replace")


def _closes(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "connection" and value.lower() == "close" for name, value in headers.items())
