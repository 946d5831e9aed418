"""What is served under which id: the tasks, the routes to them, and the API's own errors.

`ServerState` is shared by all connections. What a task answers is decided by `suite.task`, a pure function;
here its state is kept, one lock per task, and its answers are written. Nothing here touches a socket.

One fact to know before reading on: most polls meet the step that the poll before them met, and only the
time of day in the answer has changed. So a task keeps its last answer in pieces, cut at the time of day.
"""

from __future__ import annotations

import difflib
import json
import re
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import unquote_to_bytes

from waitproof.errors import InputError
from waitproof.mock import http1
from waitproof.mock.http1 import MAX_SHOWN_CHARS, Head
from waitproof.mock.journal import Journal
from waitproof.suite import (
    BeginRequest,
    Catalog,
    Contract,
    Json,
    Operations,
    Response,
    Scenario,
    Step,
    TaskAnswer,
    TaskIdFormat,
    TaskState,
    answer,
    fill,
    one_line,
    respond,
)
from waitproof.text import shorten

__all__ = [
    "CatalogTaskFactory",
    "Route",
    "ServerState",
    "Task",
    "TaskFactory",
    "WrittenAnswer",
    "no_route",
    "why_not_written",
    "write_answer",
]

MAX_CACHED_BYTES = 64 * 1024
TIME_DIGITS = 19  # of nanoseconds since 1970, from 2001 to 2286

_PORT = re.compile(r":[0-9]*$")  # of a Host header


class Carrier(Protocol):
    """What brings polls: a connection."""

    @property
    def is_open(self) -> bool:
        """Whether its client can use it, as far as the server knows."""


class TaskFactory(Protocol):
    """Creates tasks that nobody has prepared, when they are asked for, by calling `TaskServer.create`.

    It is called by one thread at a time, which is not the loop's and may wait a while.
    """

    def task(self, task_id: str) -> str:
        """Create the task with this id if the id says what it is; return "", else why there is none."""

    def operation(self, begins: BeginRequest, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
        """Create the task that an operation without a prepared task starts.

        Args:
            begins: The operation, and what its path says.
            headers: The request's, names in lower case.
            body: As it came.

        Returns:
            The task's id and ""; where there is none, "" and the reason, "" if the request names no task.
        """


class CatalogTaskFactory:
    """Creates tasks of the scenarios that task ids and the requests of operations name."""

    def __init__(self, add: Callable[[Scenario, str | None], str | int], catalog: Catalog) -> None:
        """Make a factory that creates tasks by `TaskServer.add`."""
        self._add = add
        self._catalog = catalog

    def task(self, task_id: str) -> str:
        """See `TaskFactory`."""
        if self._catalog.contract.task_id is TaskIdFormat.INTEGER:
            return ""
        try:
            self._add(self._catalog.named_by(task_id), task_id)
        except InputError as error:
            return one_line(error)
        return ""

    def operation(self, begins: BeginRequest, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
        """See `TaskFactory`."""
        try:
            scenario = self._catalog.begun_by(begins, headers, body)
        except InputError as error:
            return "", one_line(error)
        return str(self._add(scenario, None)), ""


@dataclass(slots=True)
class WrittenAnswer:
    """An answer as bytes.

    Attributes:
        http: Its status code.
        keep: Whether its connection is kept.
        data: All its bytes, or the first of two parts that are sent apart.
        rest: The second part, b"" where there is none.
    """

    http: int
    keep: bool
    data: bytes
    rest: bytes = b""


def write_answer(response: Response, head: Head) -> WrittenAnswer:
    """Return the answer to a request as bytes."""
    closes = any(n.lower() == "connection" and v.lower() == "close" for n, v in response.headers.items())
    keep = head.keeps_alive and not closes
    bodiless = head.method == "HEAD"
    if response.pieces and head.minor:
        first = http1.head(response.http, response.headers.items(), keep=keep, minor=1, chunked=True)
        chunks = b"".join(map(http1.chunk, response.pieces)) + b"0\r\n\r\n"
        half = 0 if bodiless else len(chunks) // 2
        return WrittenAnswer(response.http, keep, first + chunks[:half], b"" if bodiless else chunks[half:])
    data = http1.whole(
        response.http, response.headers, response.body, keep=keep, minor=head.minor, bodiless=bodiless
    )
    return WrittenAnswer(response.http, keep, data)


class Task:
    """One task: its state, under its lock, and what its current step answers."""

    def __init__(self, task_id: str | int, token: str, n: int, state: TaskState, begun_by: str = "") -> None:
        """Make a task that has not been polled; see `TaskServer.create`."""
        self.id = str(task_id)
        self.token = token
        self.begun_by = begun_by
        self.values: dict[str, Json] = {"task_id": task_id, "token": token, "n": n}
        self.state = state
        self.lock = threading.Lock()
        self._carriers: list[Carrier] = []
        self._latest_s = 0.0
        self._last_step: Step | None = None
        self._cached: tuple[Step, int, list[bytes]] | None = None  # step, status code, pieces

    def poll(self, arrived_ns: int, *, connection: int, fresh: bool) -> TaskAnswer:
        """Return what the task answers to a poll; the caller holds the lock."""
        self._latest_s = max(self._latest_s, arrived_ns / 1e9)
        self.state, said = answer(self.state, self._latest_s, connection=connection, fresh=fresh)
        return said

    def opened_by(self, carrier: Carrier) -> int:
        """Return how many connections that carried polls are open, this poll's included."""
        carriers = self._carriers
        if len(carriers) != 1 or carriers[0] is not carrier:
            carriers = [each for each in carriers if each.is_open and each is not carrier]
            self._carriers = [*carriers, carrier]
        return len(self._carriers)

    def write(self, contract: Contract, step: Step, head: Head) -> WrittenAnswer:
        """Return what a step answers now.

        Raises:
            ValueError: There is a placeholder that nothing fills in, or text that cannot be encoded.
            RecursionError: It is nested too deep.
        """
        is_plain = step.is_plain and head.keeps_alive and head.minor == 1 and head.method != "HEAD"
        cached = self._cached
        if is_plain and cached is not None and cached[0] is step:
            now = b"%d" % time.time_ns()
            if len(now) == TIME_DIGITS:
                return WrittenAnswer(cached[1], keep=True, data=now.join(cached[2]))
        written = self._write_at(contract, step, head, time.time_ns())
        if is_plain and written.keep:
            if self._last_step is step and len(written.data) <= MAX_CACHED_BYTES:
                self._cached = self._cut(contract, step, head)
            self._last_step = step
        return written

    def _write_at(self, contract: Contract, step: Step, head: Head, now_ns: int) -> WrittenAnswer:
        return write_answer(respond(contract, step, self.values, now_ns=now_ns, request=head.headers), head)

    def _cut(self, contract: Contract, step: Step, head: Head) -> tuple[Step, int, list[bytes]] | None:
        """Return the answer in pieces, between which the time of day is; None if it is not that simple."""
        first_ns, second_ns = 1_111_111_111_111_111_111, 2_222_222_222_222_222_222
        first = self._write_at(contract, step, head, first_ns)
        second = self._write_at(contract, step, head, second_ns)
        pieces = first.data.split(b"%d" % first_ns)
        return (step, first.http, pieces) if (b"%d" % second_ns).join(pieces) == second.data else None


@dataclass(slots=True)
class Route:
    """What a request is about: a poll has a task's id; everything else has neither that nor an operation.

    Attributes:
        misdirected: What is wrong with its Host header, "" for nothing.
        task_id: The id that is polled, None where it is not a poll.
        begins: The operation, None where there is none.
    """

    misdirected: str
    task_id: str | None = None
    begins: BeginRequest | None = None


class ServerState:
    """What the connections share: the contract's routes and errors, the tasks, and the journal."""

    def __init__(
        self,
        contract: Contract,
        journal: Journal,
        factory: TaskFactory | None,
        allowed_hosts: Collection[str] | None,
    ) -> None:
        """Make a state without a task; see `TaskServer.__init__`."""
        self.contract = contract
        self.journal = journal
        self.factory = factory
        self.tasks: dict[str, Task] = {}
        self._allowed_hosts = None if allowed_hosts is None else frozenset(allowed_hosts)
        self._poll_path = contract.task_path_pattern()
        before, _, _ = contract.endpoint.path.partition("{task_id}")
        self._task_path = re.compile(re.escape(before) + "([^/?]+)")
        self._operations = Operations(contract.operations)
        self._creating = threading.Lock()  # so that two requests at once do not create a task twice

    def create(
        self, task_id: str | int, steps: Sequence[Step], *, token: str = "", n: int = 1, begun_by: str = ""
    ) -> None:
        """Let a task begin with its next poll; see `TaskServer.create`."""
        if not steps:
            raise ValueError("a task needs at least one step")
        self.tasks[str(task_id)] = Task(task_id, token, n, TaskState(tuple(steps)), begun_by)

    def route(self, head: Head) -> Route:
        """Return what a request is about."""
        route = Route(self._misdirected(head.headers.get("host", "")))
        is_poll = head.method == self.contract.endpoint.method
        found = self._poll_path.fullmatch(head.path) if is_poll else None
        if found is not None:
            route.task_id = _decode(found[1])
        else:
            route.begins = self._operations.find(head.method, head.path)
        return route

    def task_below(self, path: str) -> str | None:
        """Return the task to which a request belongs that is not a poll, but is on or below its path."""
        found = self._task_path.match(path)
        task_id = _decode(found[1]) if found is not None else ""
        return task_id if task_id in self.tasks else None

    def create_task(self, task_id: str) -> str:
        """Have the factory create a task, unless it exists by now; return "", else why there is none."""
        assert self.factory is not None
        with self._creating:
            return "" if task_id in self.tasks else self.factory.task(task_id)

    def create_task_for(
        self, begins: BeginRequest, headers: Mapping[str, str], body: bytes
    ) -> tuple[Task | None, str]:
        """Have the factory create the task that an operation starts; None and the reason if there is none."""
        assert self.factory is not None
        with self._creating:
            task_id, why = self.factory.operation(begins, headers, body)
        return self.tasks.get(task_id), why

    def error(self, http: int, message: str, task_id: Json = "") -> Response:
        """Return an error in the API's own words."""
        template = self.contract.http_error
        values = {"task_id": task_id, "token": "", "n": 0, "http": http, "message": message}
        try:
            body = json.dumps(fill(template.body, values), ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:  # the author of the contract reads both
            body = json.dumps({"message": f"{message} ({why_not_written(error)})"}).encode()
        return Response(http, template.headers, body)

    def nearest(self, method: str, path: str, more: Iterable[str] = ()) -> str:
        """Return the route that is most similar to a request, however little it is."""
        routes = {f"{self.contract.endpoint.method} {self.contract.endpoint.path}", *more}
        routes |= {f"{each.method} {each.path}" for each in self.contract.operations.values()}
        return difflib.get_close_matches(
            f"{method} {shorten(path, MAX_SHOWN_CHARS)}", sorted(routes), n=1, cutoff=0.0
        )[0]

    def _misdirected(self, host: str) -> str:
        name = _PORT.sub("", host).lower()
        if self._allowed_hosts is None or name in self._allowed_hosts:
            return ""
        if not name:
            return "this server does not serve requests with an empty Host header"
        name = shorten(name, MAX_SHOWN_CHARS)
        fact = f"this server does not serve '{name}', which the Host header names"
        return f"{fact}; --allow-host {name} allows it"


def no_route(method: str, path: str, nearest: str) -> str:
    """Return what is wrong with a request that nothing handles."""
    return f"no route for {method} {shorten(path, MAX_SHOWN_CHARS)}; the nearest is {nearest}"


def why_not_written(error: Exception) -> str:
    """Return why an answer cannot be written; a ValueError says it itself."""
    return "the answer is nested too deep to be written" if isinstance(error, RecursionError) else str(error)


def _decode(escaped: str) -> str:
    return unquote_to_bytes(escaped.encode("latin-1")).decode("utf-8", "replace")
