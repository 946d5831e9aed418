"""The task server over real sockets: it says what `timeline` decides, and keeps the journal.

`TaskServer` is a pytest-httpserver `HTTPServer`. Polls and operations of the contract are answered ahead
of its matchers, by a request handler of our own on the same server (keep-alive, one write for each answer,
exact stamps); everything else falls through to its matchers, so `expect_request(...)` serves the rest of an
API beside the tasks. What a task answers is decided by `timeline`; faults are committed here.

One fact to know before reading on: each connection has a thread, and nothing but its socket wakes that
thread. A stall is a `recv` with a time limit, so a client that leaves ends it, and so does `stop()`, which
shuts every socket down: after that no byte can be sent on it any more, whatever its thread is about to do.
"""

from __future__ import annotations

import contextlib
import difflib
import errno
import io
import itertools
import json
import re
import socket
import socketserver
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPException, parse_headers, responses
from typing import Any, NoReturn, Protocol
from urllib.parse import unquote_to_bytes

from pytest_httpserver import METHOD_ALL, HTTPServer, HTTPServerError
from werkzeug import Request, Response
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from harness.contract import Contract, Operation
from harness.errors import InputError, Mistake
from harness.journal import Ended, JournalEntry
from harness.scenario import Drop, Step
from harness.source import Json
from harness.template import at_path, fill
from harness.timeline import Response as TaskResponse
from harness.timeline import TaskState, answer, respond

__all__ = ["TaskServer", "Unprepared"]

MAX_HEAD_BYTES = 64 * 1024
MAX_BODY_BYTES = 1024 * 1024
MAX_JOURNAL = 100_000
MAX_LOGGED = 200  # requests that pytest-httpserver keeps, whole, with their responses
BACKLOG = 1024  # the kernel drops connects beyond it, and a dropped one is tried again after a second
ACCEPT_POLL_S = 0.02  # how soon the accepting thread sees that it shall stop
JOIN_S = 0.6  # for threads whose sockets are shut; only a matcher's own handler can take longer
LINGER_S = 1.0  # for a client to read a last answer before an early close could destroy it
LINGER_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024
MAX_PORT = 65535
MAX_STENCIL_BYTES = 64 * 1024

_REQUEST_LINE = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/1\.([0-9])")
_ORIGIN = re.compile(r"https?://[^/?#]*", re.IGNORECASE)  # of a target as proxies are sent it
_PORT = re.compile(r":[0-9]*$")  # of a Host header
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;.*)?")
_RESET = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)  # SO_LINGER on, for no time
_STRAY = "waitproof.stray"  # in the environ of a request that no matcher handles
_BODILESS = {204, 304}
_OFF_RECORD = 0  # the serial of a request that is not remembered
_FREE_PORT = "--port 0 lets the system choose a free one"


class Unprepared(Protocol):
    """Makes tasks that nobody has prepared, at the moment they are asked for.

    Called by the thread of a connection, without a lock; it makes a task with `TaskServer.create`.
    """

    def task(self, task_id: str) -> str:
        """Make the task with this id if the id says what it is; return "", else why there is none."""

    def operation(self, name: str, headers: Mapping[str, str], body: bytes) -> str:
        """Return the id of the task that an operation without a prepared task begins, "" for none.

        Args:
            name: The operation's name in the contract.
            headers: The request's, names in lower case.
            body: As it came.
        """


class TaskServer(HTTPServer):
    """Tasks of one contract, served on a port of their own; also a context manager."""

    def __init__(
        self,
        contract: Contract,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        on_entry: Callable[[JournalEntry], None] | None = None,
        journal_limit: int = MAX_JOURNAL,
        unprepared: Unprepared | None = None,
        allowed_hosts: Collection[str] | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        off_record: re.Pattern[str] | None = None,
    ) -> None:
        """Make a server that does not listen yet.

        Args:
            contract: What the API looks like.
            host: Address to listen on.
            port: Port, 0 for one that the system chooses; a later start takes the same again.
            on_entry: Called for each request on its arrival and again when it ended, with the same
                serial, by the thread of its connection, which holds no lock.
            journal_limit: How many requests are remembered; the oldest finished ones go first.
            unprepared: Makes tasks that `create` has not made; None where such an id is unknown.
            allowed_hosts: Names, without a port and in lower case, that a request's Host may have, so that
                no page of another site reaches the server under a name of its own (DNS rebinding); None
                for any.
            max_body_bytes: Larger requests are refused.
            off_record: Paths, escaped as they come, of whoever watches the server: requests for them that
                fall through to the matchers are neither remembered nor told.
        """
        super().__init__(host=host, port=port, threaded=True)
        self._desk = _Desk(contract, on_entry, self._went_wrong, journal_limit)
        self._desk.unprepared = unprepared
        self._desk.allowed_hosts = None if allowed_hosts is None else frozenset(allowed_hosts)
        self._desk.max_body_bytes = max_body_bytes
        self._desk.off_record = off_record

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

    def entries(self, task_id: str | int) -> tuple[JournalEntry, ...]:
        """Return every request that concerns a task, in order of arrival, polls included."""
        return self._desk.journal.entries(str(task_id))

    def journal(self) -> tuple[JournalEntry, ...]:
        """Return every request remembered, in order of arrival, those in flight included."""
        return self._desk.journal.all()

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
        server = _Server(self.host, self.port, Request.application(self.application), self._desk)
        self.server = server
        self.port = server.port
        self.server_thread = threading.Thread(target=self.thread_target, name="mock server", daemon=True)
        self.server_thread.start()

    def stop(self) -> None:
        """Stop within a second whatever hangs; nothing is answered afterwards."""
        server = self.server
        if not isinstance(server, _Server):
            raise HTTPServerError("Server is not running")
        server.stopping.set()
        server.shut_connections()
        super().stop()  # nothing is accepted any more
        server.shut_connections()
        server.join_connections(JOIN_S)

    def thread_target(self) -> None:
        """Accept connections until the server is stopped."""
        assert self.server is not None
        self.server.serve_forever(poll_interval=ACCEPT_POLL_S)

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
        message = f"no route for {request.method} {_shown(path)}; the nearest is {nearest}"
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


def is_stray(entry: JournalEntry) -> bool:
    """Say whether a request concerns no task and found nobody to answer it."""
    return entry.task_id is None and entry.nearest != ""


def _shown(text: str) -> str:
    return text if len(text) <= 200 else text[:200] + "…"


# --- tasks and journal --------------------------------------------------------------------------------


class _Task:
    """One task: how far it is, under its lock, and what its present step says."""

    def __init__(self, task_id: str, token: str, values: Mapping[str, Json], state: TaskState) -> None:
        self.id = task_id
        self.token = token
        self.values = values
        self.state = state
        self.latest_s = 0.0
        self.lock = threading.Lock()
        self._rendered: int | None = None
        self._stencil: tuple[int, TaskResponse, list[bytes]] | None = None

    def change(self, change: Callable[[TaskState], TaskState]) -> None:
        """Change the state between two polls; other steps may say something else under the same index."""
        with self.lock:
            self.state = change(self.state)
            self._rendered = self._stencil = None

    def respond(self, contract: Contract, index: int, step: Step) -> TaskResponse:
        """Return what the step says now.

        Most polls meet the step that the poll before them met, and only the time of day in its answer has
        changed: from a step's third poll on that alone is filled in.
        """
        stencil = self._stencil
        if stencil is not None and stencil[0] == index:
            return replace(stencil[1], body=str(time.time_ns()).encode().join(stencil[2]))
        response = respond(contract, step, self.values, now_ns=time.time_ns())
        if self._rendered == index and len(response.body) <= MAX_STENCIL_BYTES:
            pieces = self._cut(contract, step)
            self._stencil = None if pieces is None else (index, response, pieces)
        self._rendered = index
        return response

    def _cut(self, contract: Contract, step: Step) -> list[bytes] | None:
        """Return the body in pieces, between which the time of day stands; None where it is not so plain."""
        first, second = 1_111_111_111_111_111_111, 2_222_222_222_222_222_222
        pieces = respond(contract, step, self.values, now_ns=first).body.split(str(first).encode())
        same = str(second).encode().join(pieces)
        return pieces if same == respond(contract, step, self.values, now_ns=second).body else None


class _Desk:
    """What the connections share: the tasks, the routes, the words of an error, and the journal."""

    def __init__(
        self,
        contract: Contract,
        on_entry: Callable[[JournalEntry], None] | None,
        went_wrong: Callable[[Exception], None],
        journal_limit: int,
    ) -> None:
        self.contract = contract
        self.tasks: dict[str, _Task] = {}
        self.journal = _Journal(journal_limit)
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
        self.max_body_bytes = MAX_BODY_BYTES
        self.off_record: re.Pattern[str] | None = None
        self._on_entry = on_entry

    def error(self, http: int, message: str, task_id: Json = "") -> TaskResponse:
        """Return an error in the API's own words."""
        template = self.contract.http_error
        values = {"task_id": task_id, "token": "", "n": 0, "http": http, "message": message}
        try:
            body = fill(template.body, values)
        except ValueError as error:  # whoever wrote the contract reads both
            body = {"message": f"{message} ({error})"}
        return TaskResponse(http, template.headers, json.dumps(body, ensure_ascii=False).encode())

    def nearest(self, method: str, path: str, more: Iterable[str] = ()) -> str:
        """Return the route most like a request, however little it is like it."""
        routes = {f"{self.poll_method} {self.contract.endpoint.path}", *more}
        routes |= {f"{method} {path}" for method, path in self.operations}
        return difflib.get_close_matches(f"{method} {_shown(path)}", sorted(routes), n=1, cutoff=0.0)[0]

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

    def find(self, task_id: str) -> tuple[_Task | None, str]:
        """Return the task with an id, made now if need be, or why there is none."""
        task = self.tasks.get(task_id)
        if task is not None:
            return task, ""
        why = self.unprepared.task(task_id) if self.unprepared is not None else ""
        return self.tasks.get(task_id), why or f"no task has the id {_shown(task_id)}"

    def begin(self, operation: Operation, request: _Received) -> _Task | None:
        """Return the task that an operation begins, made now if need be; None where there is none."""
        task = self.begun_by(operation, request.body)
        if task is None and self.unprepared is not None:
            name = next(name for name, each in self.contract.operations.items() if each is operation)
            task = self.tasks.get(self.unprepared.operation(name, request.headers, request.body))
        return task

    def misdirected(self, request: _Received) -> str:
        """Return what is wrong with the name under which a request came, "" for nothing."""
        if self.allowed_hosts is None:
            return ""
        host = request.headers.get("host", "")
        name = _PORT.sub("", host).lower()
        if name in self.allowed_hosts:
            return ""
        return f"this server does not serve '{_shown(name)}', which the Host header names"

    def ended(self, entry: JournalEntry) -> None:
        """Put the end of a request on record."""
        if entry.serial == _OFF_RECORD:
            return
        self.journal.update(entry)
        self.tell(entry)

    def tell(self, entry: JournalEntry) -> None:
        """Call whoever wants to know of every request; the caller holds no lock."""
        if self._on_entry is not None:
            try:
                self._on_entry(entry)
            except Exception as error:  # noqa: BLE001 - it must cost no client its answer
                self.went_wrong(error)


class _Journal:
    """Requests by serial, and which of them are one task's."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._serials = itertools.count(1)
        self._entries: dict[int, JournalEntry] = {}
        self._of_task: dict[str, dict[int, None]] = {}  # sets that keep their order
        self._finished: deque[int] = deque()

    def add(self, **fields: Any) -> JournalEntry:
        """Keep a new entry with these fields, under the next serial."""
        serial = next(self._serials)
        entry = JournalEntry(serial=serial, **fields)
        with self._changed:  # short, for every connection wants it
            self._entries[serial] = entry
            if entry.task_id is not None:
                self._of_task.setdefault(entry.task_id, {})[serial] = None
            while len(self._entries) > self._limit and self._finished:
                self._drop(self._finished.popleft())
            self._changed.notify_all()
        return entry

    def update(self, entry: JournalEntry) -> None:
        with self._changed:
            self._entries[entry.serial] = entry
            self._finished.append(entry.serial)
            self._changed.notify_all()

    def all(self) -> tuple[JournalEntry, ...]:
        with self._changed:
            return tuple(self._entries[serial] for serial in sorted(self._entries))

    def entries(self, task_id: str) -> tuple[JournalEntry, ...]:
        with self._changed:
            return tuple(self._entries[serial] for serial in sorted(self._of_task.get(task_id, ())))

    def polls(self, task_id: str) -> tuple[JournalEntry, ...]:
        return tuple(entry for entry in self.entries(task_id) if entry.kind == "poll")

    def wait_for_polls(self, task_id: str, count: int, within_s: float) -> bool:
        def have_come() -> bool:
            entries = (self._entries[serial] for serial in self._of_task.get(task_id, ()))
            return sum(entry.kind == "poll" and not entry.repeat for entry in entries) >= count

        with self._changed:
            return self._changed.wait_for(have_come, within_s)

    def _drop(self, serial: int) -> None:
        entry = self._entries.pop(serial)
        if entry.task_id is not None:
            serials = self._of_task[entry.task_id]
            del serials[serial]
            if not serials:
                del self._of_task[entry.task_id]


# --- bytes into requests ------------------------------------------------------------------------------


class _Refused(Exception):
    """A request that cannot be read: what it is told before its connection closes."""

    def __init__(self, http: int, message: str, line: str, arrived_ns: int) -> None:
        super().__init__(message)
        self.http = http
        self.message = message
        self.line = line
        self.arrived_ns = arrived_ns


@dataclass(slots=True)
class _Received:
    """One request, whole.

    Attributes:
        path: Raw path, without an origin and query.
        minor: 0 or 1, of its HTTP version.
        head: Its header lines as they came, for a parser that wants to see them itself.
        arrived_ns: When its first line had been read.
    """

    method: str
    target: str
    path: str
    minor: int
    headers: dict[str, str]
    head: str
    arrived_ns: int
    body: bytes = b""

    @property
    def keeps_alive(self) -> bool:
        options = self.headers.get("connection")
        if options is None:
            return self.minor >= 1
        words = {word.strip() for word in options.lower().split(",")}
        return "close" not in words if self.minor >= 1 else "keep-alive" in words


class _Wire:
    """One connection's bytes, read request by request."""

    def __init__(self, sock: socket.socket, max_body_bytes: int) -> None:
        self.sock = sock
        self.max_body_bytes = max_body_bytes
        self.buffer = bytearray()
        self._line = ""
        self._arrived_ns = 0

    def receive(self) -> bool:
        """Take in what has come; return False when the client has closed its side."""
        data = self.sock.recv(CHUNK_BYTES)
        self.buffer += data
        return bool(data)

    def next_request(self) -> _Received | None:
        """Return the next request, or None when the client leaves before it is whole.

        Raises:
            _Refused: It is no request, or too large; the connection is of no use afterwards.
            OSError: The connection broke.
        """
        if not self._await_line():
            return None
        line = _REQUEST_LINE.fullmatch(self._line)
        if line is None:
            self._refuse(400, "malformed request line: it must read 'GET /path HTTP/1.1'")
        while (end := _HEAD_END.search(self.buffer)) is None:
            self._check_head(len(self.buffer))
            if not self.receive():
                return None
        self._check_head(end.start())
        head = self.buffer[: end.start()].decode("latin-1")
        del self.buffer[: end.end()]
        method, target, minor = line.groups()
        path = _ORIGIN.sub("", target, count=1) if target[0] != "/" else target
        path = path.partition("?")[0] or "/"
        headers = self._headers(head)
        request = _Received(method, target, path, int(minor), headers, head, self._arrived_ns)
        return request if self._read_body(request) else None

    def _await_line(self) -> bool:
        """Wait for a line that is not blank; clients may send blank ones between requests."""
        buffer = self.buffer
        while True:
            newline = buffer.find(b"\n")
            if newline >= 0:
                self._line = buffer[:newline].rstrip(b"\r").decode("latin-1")
                if self._line:
                    self._arrived_ns = time.monotonic_ns()
                    return True
                del buffer[: newline + 1]
            else:
                self._line = ""
                self._arrived_ns = 0
                self._check_head(len(buffer))
                if not self.receive():
                    return False

    def _headers(self, head: str) -> dict[str, str]:
        headers: dict[str, str] = {}
        name = ""
        for line in head.replace("\r\n", "\n").split("\n")[1:]:
            if line[0] in " \t" and name:  # a value that goes on, as it was once allowed to
                headers[name] += " " + line.strip(" \t")
                continue
            name, colon, value = line.partition(":")
            if not colon or not name or name[-1] in " \t" or name[0] in " \t":
                self._refuse(400, f"malformed header line: {_shown(line)}")
            name, value = name.lower(), value.strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return headers

    def _read_body(self, request: _Received) -> bool:
        headers = request.headers
        if "transfer-encoding" in headers:
            if headers["transfer-encoding"].lower() != "chunked":
                self._refuse(400, "a body can be sent chunked or with a Content-Length, in no other way")
            self._continue(request)
            return self._read_chunks(request)
        length = headers.get("content-length", "0")
        if length == "0":
            return True
        if not (length.isascii() and length.isdigit() and len(length) <= 19):
            self._refuse(400, f"Content-Length cannot be {_shown(length)}")
        self._check_body(int(length))
        if len(self.buffer) < int(length):
            self._continue(request)
        body = self._take(int(length))
        request.body = body or b""
        return body is not None

    def _read_chunks(self, request: _Received) -> bool:
        body = bytearray()
        while (line := self._take_line()) is not None:
            size = _CHUNK_SIZE.fullmatch(line)
            if size is None:
                self._refuse(400, "malformed size of a chunk")
            length = int(size[1], 16)
            if length == 0:
                break
            self._check_body(len(body) + length)
            chunk = self._take(length + 2)
            if chunk is None:
                return False
            if not chunk.endswith(b"\r\n"):
                self._refuse(400, "a chunk is longer or shorter than its size")
            body += chunk[:-2]
        trailer = 0
        while line:  # the trailer ends with an empty line
            line = self._take_line()
            trailer += len(line or b"")
            self._check_head(trailer)
        request.body = bytes(body)
        return line is not None

    def _take_line(self) -> bytes | None:
        while (newline := self.buffer.find(b"\n")) < 0:
            self._check_head(len(self.buffer))
            if not self.receive():
                return None
        line = bytes(self.buffer[:newline]).rstrip(b"\r")
        del self.buffer[: newline + 1]
        return line

    def _take(self, length: int) -> bytes | None:
        while len(self.buffer) < length:
            if not self.receive():
                return None
        taken = bytes(self.buffer[:length])
        del self.buffer[:length]
        return taken

    def _continue(self, request: _Received) -> None:
        if request.minor >= 1 and request.headers.get("expect", "").lower() == "100-continue":
            self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _check_head(self, length: int) -> None:
        if length > MAX_HEAD_BYTES:
            self._refuse(431, f"the request's header is larger than {MAX_HEAD_BYTES} bytes")

    def _check_body(self, length: int) -> None:
        if length > self.max_body_bytes:
            self._refuse(413, f"the request's body is larger than {self.max_body_bytes} bytes")

    def _refuse(self, http: int, message: str) -> NoReturn:
        line = self._line or bytes(self.buffer[:200]).decode("latin-1")
        raise _Refused(http, message, line, self._arrived_ns or time.monotonic_ns())


# --- connections --------------------------------------------------------------------------------------


class _Server(ThreadedWSGIServer):
    """The listening socket, and the connections that it has accepted."""

    request_queue_size = BACKLOG

    def __init__(self, host: str, port: int, app: Any, desk: _Desk) -> None:
        if not 0 <= port <= MAX_PORT:  # the resolver would take it modulo 65536
            raise InputError(_no_port(port))
        self.desk = desk
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._connections: dict[socket.socket, tuple[int, threading.Thread]] = {}
        super().__init__(host, port, app, _Handler)

    def server_bind(self) -> None:
        # werkzeug would print an OSError and exit, and http.server would ask a name server who we are.
        try:
            socketserver.TCPServer.server_bind(self)
        except OSError as error:
            raise InputError(_cannot_listen(self.host, self.port, error)) from error
        self.server_name, self.server_port = self.host, self.server_address[1]

    def process_request(self, request: Any, client_address: Any) -> None:
        number = next(self._numbers)
        thread = threading.Thread(
            target=self.process_request_thread,
            args=(request, client_address),
            name=f"mock server connection {number}",
            daemon=True,
        )
        with self._lock:
            self._connections[request] = number, thread
        thread.start()

    def number_of(self, connection: socket.socket) -> int:
        with self._lock:
            return self._connections[connection][0]

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._connections.pop(request, None)
        request.close()

    def shut_connections(self) -> None:
        """Wake every connection's thread, and let no further byte out."""
        with self._lock:
            for connection in self._connections:
                _shut(connection, socket.SHUT_RDWR)

    def join_connections(self, within_s: float) -> None:
        with self._lock:
            threads = {thread for _, thread in self._connections.values()} - {threading.current_thread()}
        deadline = time.monotonic() + within_s
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - socketserver's name
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, OSError):  # OSError: the client has gone
            self.desk.went_wrong(error)


def _no_port(port: int) -> Mistake:
    return Mistake(f"--port {port}", "there is no such port", expected=f"0 to {MAX_PORT}", mend=_FREE_PORT)


def _cannot_listen(host: str, port: int, error: OSError) -> Mistake:
    if error.errno == errno.EADDRINUSE:
        fact = f"another program listens on port {port} of {host} already"
        return Mistake(f"--port {port}", fact, mend=f"stop that program; or {_FREE_PORT}")
    if error.errno == errno.EACCES:
        fact = f"this user may not listen on port {port} of {host}"
        return Mistake(f"--port {port}", fact, mend=f"take a port above 1023; or {_FREE_PORT}")
    fact = f"cannot listen on {host}: {error}"
    return Mistake(f"--host {host}", fact, expected="an address of this machine, such as 127.0.0.1")


def _shut(connection: socket.socket, how: int) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(how)


class _Handler(WSGIRequestHandler):
    """One connection: its requests, one after another, until either side closes it."""

    server: _Server

    def setup(self) -> None:
        self.connection = self.request
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        self.desk = self.server.desk
        self.wire = _Wire(self.connection, self.desk.max_body_bytes)
        self.number = self.server.number_of(self.connection)
        self.is_fresh = True
        self.carried: str | None = None  # the task of the latest poll or operation that came here
        self.close_after_s: float | None = None

    def handle(self) -> None:
        with contextlib.suppress(OSError):
            while self._await_request():
                try:
                    request = self.wire.next_request()
                except _Refused as refused:
                    self._refuse(refused)
                    return
                if request is None or self.server.stopping.is_set():
                    return
                keep = self._serve(request)
                self.is_fresh = False
                if not keep:
                    return

    def finish(self) -> None:
        pass

    def _await_request(self) -> bool:
        """Wait for the next request's first byte if the last answer limits that; say whether to go on."""
        limit_s, self.close_after_s = self.close_after_s, None
        if limit_s is None or self.wire.buffer:
            return True
        self.connection.settimeout(max(limit_s, 0.001))
        try:
            return self.wire.receive()
        except TimeoutError:
            return False
        finally:
            self.connection.settimeout(None)

    # Each of the following returns whether the connection can be used again.

    def _serve(self, request: _Received) -> bool:
        desk = self.desk
        misdirected = desk.misdirected(request)
        if misdirected:
            return self._serve_stray(request, misdirected, http=421)
        if request.method == desk.poll_method:
            found = desk.poll_path.fullmatch(request.path)
            if found is not None:
                task_id = _decoded(found[1])
                task, why = desk.find(task_id)
                if task is not None:
                    return self._serve_poll(task, request)
                return self._serve_stray(request, why, task_id)
        operation = desk.operations.get((request.method, request.path))
        if operation is not None:
            return self._serve_operation(operation, request)
        return self._serve_rest(request, self._concerned(request) or self._carried_task())

    def _concerned(self, request: _Received) -> str | None:
        """Return the task whose path a request has that is no poll: another method, or a path below it."""
        found = self.desk.task_path.match(request.path)
        task_id = _decoded(found[1]) if found is not None else ""
        return task_id if task_id in self.desk.tasks else None

    def _carried_task(self) -> str | None:
        """Return the task whose requests this connection carried, unless it has been forgotten."""
        return self.carried if self.carried in self.desk.tasks else None

    def _serve_poll(self, task: _Task, request: _Received) -> bool:
        self.carried = task.id
        with task.lock:  # so that its polls have their serials in the order of their numbers
            task.latest_s = max(task.latest_s, request.arrived_ns / 1e9)
            task.state, said = answer(task.state, task.latest_s, connection=self.number, fresh=self.is_fresh)
            step = said.step
            entry = self._arrived(
                request,
                task_id=task.id,
                kind="poll",
                n=said.n,
                step=said.index,
                status=step.label,
                repeat=said.repeat,
            )
        self.desk.tell(entry)
        if step.delay and not self._pause(step.delay):
            return self._end(entry, self._left())
        drop = None if step.fault is None else step.fault.drop
        if drop is Drop.RESET or drop is Drop.BEFORE_RESPONSE:
            if drop is Drop.RESET:
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            else:
                _shut(self.connection, socket.SHUT_RDWR)
            self.connection.close()
            return self._end(entry, Ended.DROPPED)
        try:
            response = task.respond(self.desk.contract, said.index, step)
        except ValueError as error:  # a placeholder that nothing fills in
            response = self.desk.error(500, str(error), task.values["task_id"])
        if drop is Drop.MID_BODY:
            return self._break_off(entry, request, response)
        self.close_after_s = step.close_after
        return self._answer(entry, request, response)

    def _serve_operation(self, operation: Operation, request: _Received) -> bool:
        task = self.desk.begin(operation, request)
        if task is None:
            fact = f"the body has no scenario's token at '{operation.token}'"
            return self._serve_stray(request, fact)
        self.carried = task.id
        entry = self._arrived(request, task_id=task.id, kind="begin")
        self.desk.tell(entry)
        try:
            body = json.dumps(fill(operation.body, task.values), ensure_ascii=False).encode()
            response = TaskResponse(operation.status, self.desk.contract.answer.headers, body)
        except ValueError as error:  # a placeholder that nothing fills in
            response = self.desk.error(500, str(error), task.values["task_id"])
        return self._answer(entry, request, response)

    def _serve_stray(self, request: _Received, message: str, task_id: str = "", http: int = 404) -> bool:
        owner = self._carried_task()
        nearest = "" if owner else self.desk.nearest(request.method, request.path)
        entry = self._arrived(request, task_id=owner, kind="other", nearest=nearest)
        self.desk.tell(entry)
        return self._answer(entry, request, self.desk.error(http, message, task_id))

    def _refuse(self, refused: _Refused) -> None:
        method, _, target = _shown(refused.line).partition(" ")
        request = _Received(method, target.partition(" ")[0], "", 1, {}, "", refused.arrived_ns)
        request.headers["connection"] = "close"
        owner = self._carried_task()
        nearest = "" if owner else self.desk.nearest(method, request.target)
        entry = self._arrived(replace(request, headers={}), task_id=owner, kind="other", nearest=nearest)
        self.desk.tell(entry)
        self._answer(entry, request, self.desk.error(refused.http, refused.message))

    # --- what falls through

    def _serve_rest(self, request: _Received, owner: str | None) -> bool:
        off_record = self.desk.off_record
        if off_record is not None and off_record.fullmatch(request.path):
            entry = JournalEntry(_OFF_RECORD, **self._fields(request, task_id=None, kind="other"))
        else:
            entry = self._arrived(request, task_id=owner, kind="other")
            self.desk.tell(entry)
        try:
            environ = self._environ(request)
        except HTTPException as error:  # more header lines than the standard library reads
            return self._answer(entry, request, self.desk.error(431, str(error)))
        http: int | None = None
        try:
            for http, keep, data in self._respond_by_matchers(environ, request):  # noqa: B007 - for the journal
                try:
                    self.connection.sendall(data)
                except OSError:
                    return self._end(entry, self._left(), http)
        except OSError:  # a handler's way to drop the connection
            return self._end(entry, Ended.DROPPED, http)
        except Exception as error:  # noqa: BLE001 - a matcher's handler may raise anything
            if http is not None:
                return self._end(entry, Ended.DROPPED, http)
            self.desk.went_wrong(error)
            return self._answer(entry, request, self.desk.error(500, f"{type(error).__name__}: {error}"))
        nearest = str(environ.get(_STRAY, "")) if owner is None else ""
        self._end(replace(entry, nearest=nearest), Ended.ANSWERED, http)
        return keep or self._say_farewell()

    def _respond_by_matchers(
        self, environ: dict[str, Any], request: _Received
    ) -> Iterator[tuple[int, bool, bytes]]:
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
            sized = "content-length" in given or http in _BODILESS or request.method == "HEAD"
            chunked = not sized and request.minor >= 1
            keep = request.keeps_alive and not _closes(given) and (sized or chunked)
            out = _head(http, headers, keep=keep, minor=request.minor, chunked=chunked)
            for piece in itertools.chain(written, pieces):
                yield http, keep, out + (_chunk(piece) if chunked else piece)
                out = b""
            if out or chunked:
                yield http, keep, out + (b"0\r\n\r\n" if chunked else b"")
        finally:
            if hasattr(pieces, "close"):
                pieces.close()

    def _environ(self, request: _Received) -> dict[str, Any]:
        """Return what WSGI wants to know; its input is the body that has been read already."""
        _, _, lines = request.head.partition("\n")
        self.headers = parse_headers(io.BytesIO(f"{lines}\r\n\r\n".encode("latin-1")))
        del self.headers["Transfer-Encoding"]
        if request.body:
            del self.headers["Content-Length"]
            self.headers["Content-Length"] = str(len(request.body))
        self.command, self.path = request.method, request.target
        self.request_version = f"HTTP/1.{request.minor}"
        self.rfile = io.BytesIO(request.body)
        return self.make_environ()

    # --- writing and ending

    def _answer(self, entry: JournalEntry, request: _Received, response: TaskResponse) -> bool:
        keep = request.keeps_alive and not _closes(response.headers)
        data = _whole(response, keep=keep, minor=request.minor, bodiless=request.method == "HEAD")
        try:
            self.connection.sendall(data)
        except OSError:
            return self._end(entry, self._left())
        self._end(entry, Ended.ANSWERED, response.http)
        return keep or self._say_farewell()

    def _break_off(self, entry: JournalEntry, request: _Received, response: TaskResponse) -> bool:
        data = _whole(response, keep=request.keeps_alive, minor=request.minor)
        try:
            self.connection.sendall(data[: len(data) - len(response.body) + len(response.body) // 2])
        except OSError:
            return self._end(entry, self._left())
        _shut(self.connection, socket.SHUT_RDWR)
        self.connection.close()
        return self._end(entry, Ended.DROPPED, response.http)

    def _pause(self, delay_s: float) -> bool:
        """Wait; return False at once when the client leaves or the server is stopped."""
        deadline = time.monotonic() + delay_s
        try:
            while (left_s := deadline - time.monotonic()) > 0:
                if len(self.wire.buffer) > MAX_HEAD_BYTES + MAX_BODY_BYTES:  # what else it sends can wait
                    return not self.server.stopping.wait(left_s)
                self.connection.settimeout(left_s)
                if not self.wire.receive():
                    return False
        except TimeoutError:
            pass
        except OSError:
            return False
        finally:
            with contextlib.suppress(OSError):
                self.connection.settimeout(None)
        return not self.server.stopping.is_set()

    def _left(self) -> Ended:
        return Ended.STOPPED if self.server.stopping.is_set() else Ended.ABANDONED

    def _say_farewell(self) -> bool:
        """End our side, and read on until the client ends its own.

        Closing a socket that has unread bytes resets the connection, which can destroy an answer that the
        client has not read yet.
        """
        _shut(self.connection, socket.SHUT_WR)
        deadline = time.monotonic() + LINGER_S
        rest = LINGER_BYTES
        with contextlib.suppress(OSError):
            while rest > 0 and (left_s := deadline - time.monotonic()) > 0:
                self.connection.settimeout(left_s)
                data = self.connection.recv(CHUNK_BYTES)
                if not data:
                    break
                rest -= len(data)
        return False

    def _arrived(self, request: _Received, *, task_id: str | None, kind: str, **more: Any) -> JournalEntry:
        return self.desk.journal.add(**self._fields(request, task_id=task_id, kind=kind), **more)

    def _fields(self, request: _Received, *, task_id: str | None, kind: str) -> dict[str, Any]:
        return {
            "task_id": task_id,
            "kind": kind,
            "method": request.method,
            "target": request.target,
            "headers": request.headers,
            "arrived_ns": request.arrived_ns,
            "connection": self.number,
            "fresh": self.is_fresh,
        }

    def _end(self, entry: JournalEntry, ended: Ended, http: int | None = None) -> bool:
        """Put the end on record; return False, which is right for every end but an answer."""
        # `replace` would do, and take twice as long; this is a part of every poll.
        end = {"answered_ns": time.monotonic_ns(), "ended": ended, "http": http}
        self.desk.ended(JournalEntry(**{**vars(entry), **end}))
        return False


def _decoded(escaped: str) -> str:
    return unquote_to_bytes(escaped.encode("latin-1")).decode("utf-8", "replace")


def _closes(headers: Mapping[str, str]) -> bool:
    return any(name.lower() == "connection" and value.lower() == "close" for name, value in headers.items())


def _whole(response: TaskResponse, *, keep: bool, minor: int, bodiless: bool = False) -> bytes:
    headers = [
        item for item in response.headers.items() if item[0].lower() not in ("content-length", "connection")
    ]
    if response.http in _BODILESS:
        return _head(response.http, headers, keep=keep, minor=minor)
    headers.append(("Content-Length", str(len(response.body))))
    head = _head(response.http, headers, keep=keep, minor=minor)
    return head if bodiless else head + response.body


def _head(
    http: int, headers: Iterable[tuple[str, str]], *, keep: bool, minor: int, chunked: bool = False
) -> bytes:
    lines = [f"HTTP/1.1 {http} {responses.get(http, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers if name.lower() != "connection"]
    if chunked:
        lines.append("Transfer-Encoding: chunked")
    if not keep:
        lines.append("Connection: close")
    elif minor == 0:
        lines.append("Connection: keep-alive")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
