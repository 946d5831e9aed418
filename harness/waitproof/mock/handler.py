"""One request, and its answer: polls, operations, faults, and requests that nothing handles.

`RequestHandler` puts each request on record, has its task decide the answer, and sends it, or breaks the
connection off where the scenario wants that. It runs in the loop's thread and never waits: delays and slow
clients are left to the connection, and what may wait (the matchers, and the creation of tasks that nobody
has prepared) runs in a thread.

One fact to know before reading on: a request is on record before it is answered, and its end is put on
record after the last byte. So a caller that has seen an answer finds its request in the journal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from enum import Enum
from functools import partial
from socket import socket
from typing import TypeAlias, TypeVar

from waitproof.journal import Ended
from waitproof.mock.connections import Connection
from waitproof.mock.http1 import MAX_SHOWN_CHARS, Head, Refused, Request
from waitproof.mock.tasks import (
    Route,
    ServerState,
    Task,
    WrittenAnswer,
    no_route,
    why_not_written,
    write_answer,
)
from waitproof.suite import BeginRequest, Drop, Operation, Response, Step, fill
from waitproof.text import shorten

__all__ = ["After", "RequestHandler", "error_text"]

REST_AFTER_S = 0.010  # of an answer in two parts: long enough for a client to read the first alone

_T = TypeVar("_T")


class After(Enum):
    """What becomes of a connection after a thread has answered a request with its socket."""

    KEEP = 1
    LINGER = 2
    CLOSE = 3


AnswerRest: TypeAlias = Callable[[socket, Request], After]


class RequestHandler:
    """Answers the requests of all connections; see `loop.Handler` for its public methods."""

    def __init__(
        self,
        state: ServerState,
        *,
        how_lost: Callable[[], Ended],
        on_error: Callable[[Exception], None],
        answer_rest: AnswerRest | None = None,
        off_record: re.Pattern[str] | None = None,
    ) -> None:
        """Make the handler of a server.

        Args:
            state: The tasks, the routes and the journal.
            how_lost: Returns how a request ends whose client can no longer be reached.
            on_error: Called with what other people's code raised, and with mistakes of our own.
            answer_rest: Answers what is neither a poll nor an operation, in a thread; None where nothing
                does.
            off_record: See `TaskServer`.
        """
        self._on_error = on_error
        self._state = state
        self._journal = state.journal
        self._how_lost = how_lost
        self._answer_rest = answer_rest
        self._off_record = off_record

    def serve(self, connection: Connection, request: Request) -> None:
        """Answer a request, or see to it that it will be."""
        head = request.head
        route: Route | None = head.route
        if route is None:
            route = head.route = self._state.route(head)
        if route.misdirected:
            self._serve_stray(connection, request, 421, route.misdirected)
        elif route.task_id is not None:
            task = self._state.tasks.get(route.task_id)
            if task is not None:
                self._serve_poll(connection, request, task)
            else:
                self._serve_unknown(connection, request, route.task_id)
        elif route.begins is not None:
            self._serve_operation(connection, request, route.begins)
        elif self._answer_rest is not None:
            self._serve_rest(connection, request, self._answer_rest)
        else:
            nearest = self._state.nearest(request.head.method, request.head.path)
            message = no_route(request.head.method, request.head.path, nearest)
            self._serve_stray(connection, request, 404, message)

    def refuse(self, connection: Connection, refused: Refused) -> None:
        """Answer a client whose bytes are not a request."""
        method, _, target = shorten(refused.line, MAX_SHOWN_CHARS).partition(" ")
        target = target.partition(" ")[0]
        request = Request(Head(method, target, target, 1, {}, keeps_alive=False), refused.arrived_ns)
        self._record_other(connection, request)
        self._answer(connection, request, self._state.error(refused.http, refused.message))

    def on_gone(self, connection: Connection) -> None:
        """Note that a connection has been closed because its client has gone."""
        self._end_latest(connection, self._how_lost())

    def on_failure(self, connection: Connection, error: Exception) -> None:
        """Note a mistake of our own; the connection is closed."""
        self._end_latest(connection, Ended.DROPPED)
        self._on_error(error)

    def _end_latest(self, connection: Connection, ended: Ended) -> None:
        """End what a connection carried when it failed: a request that never ends would be kept forever."""
        request = connection.request
        if request is not None and request.ended is Ended.IN_FLIGHT:
            self._journal.end(request, ended)

    # --- polls

    def _serve_poll(self, connection: Connection, request: Request, task: Task) -> None:
        with task.lock:
            said = task.poll(request.arrived_ns, connection=connection.number, fresh=connection.fresh)
            request.open = task.opened_by(connection)
        step = said.step
        request.n, request.step, request.status, request.repeat = said.n, said.index, step.label, said.repeat
        connection.task_id = task.id
        self._record(connection, request, "poll", task.id)
        if not step.delay:
            self._answer_poll(connection, request, task, step)
            return
        connection.delay(
            step.delay,
            self._unless_gone(request, lambda: self._answer_poll(connection, request, task, step)),
        )

    def _answer_poll(self, connection: Connection, request: Request, task: Task, step: Step) -> None:
        drop = None if step.fault is None else step.fault.drop
        if drop is Drop.RESET or drop is Drop.BEFORE_RESPONSE:
            self._drop(connection, request, by_reset=drop is Drop.RESET)
            return
        try:
            written = task.write(self._state.contract, step, request.head)
        except (ValueError, RecursionError) as error:
            self._answer(connection, request, self._cannot_write(error, task))
            return
        if drop is Drop.MID_BODY:
            length = len(written.data) - written.data.index(b"\r\n\r\n") - 4
            half = written.data[: len(written.data) - length + length // 2]
            drop_now = partial(self._drop, connection, request, http=written.http)
            connection.send(half, self._unless_gone(request, drop_now))
            return
        self._send_answer(connection, request, written, step.close_after)

    def _drop(
        self, connection: Connection, request: Request, *, by_reset: bool = False, http: int | None = None
    ) -> None:
        connection.break_off(by_reset=by_reset)
        self._journal.end(request, Ended.DROPPED, http)

    # --- operations, and tasks that nobody has prepared

    def _serve_unknown(self, connection: Connection, request: Request, task_id: str) -> None:
        def serve(why: str) -> None:
            task = self._state.tasks.get(task_id)
            if task is not None:
                self._serve_poll(connection, request, task)
            else:
                why = why or f"no task has the id {shorten(task_id, MAX_SHOWN_CHARS)}"
                self._serve_stray(connection, request, 404, why, task_id)

        if self._state.factory is None:
            serve("")
        else:
            self._create(connection, request, lambda: self._state.create_task(task_id), serve)

    def _serve_operation(self, connection: Connection, request: Request, begins: BeginRequest) -> None:
        def serve(found: tuple[Task | None, str]) -> None:
            task, why = found
            if task is not None:
                self._start_task(connection, request, begins.operation, task)
            else:
                self._serve_stray(connection, request, 404, why or begins.operation.why_no_task)

        def create() -> tuple[Task | None, str]:
            return self._state.create_task_for(begins, request.head.headers, request.body)

        task = begins.begins(request.body, list(self._state.tasks.values()))
        if task is not None or self._state.factory is None:
            serve((task, ""))
        else:
            self._create(connection, request, create, serve)

    def _create(
        self, connection: Connection, request: Request, create: Callable[[], _T], serve: Callable[[_T], None]
    ) -> None:
        """Create a task in a thread, and go on with the result; a failure is answered."""

        def create_or_fail() -> Callable[[], None]:
            try:
                created = create()
            except Exception as error:  # noqa: BLE001 - a factory of somebody else's may raise anything
                self._on_error(error)
                fact = error_text(error)
                return lambda: self._serve_stray(connection, request, 500, fact)
            return lambda: serve(created)

        try:
            connection.run_in_thread(create_or_fail, lambda serve_result: serve_result())
        except RuntimeError as error:  # no thread can be started
            self._serve_stray(connection, request, 503, str(error))

    def _start_task(self, connection: Connection, request: Request, operation: Operation, task: Task) -> None:
        connection.task_id = task.id
        self._record(connection, request, "begin", task.id)
        try:
            body = json.dumps(fill(operation.body, task.values), ensure_ascii=False).encode()
            response = Response(operation.status, self._state.contract.answer.headers, body)
        except (ValueError, RecursionError) as error:
            response = self._cannot_write(error, task)
        self._answer(connection, request, response)

    # --- everything else

    def _serve_rest(self, connection: Connection, request: Request, answer: AnswerRest) -> None:
        if self._off_record is None or not self._off_record.fullmatch(request.head.path):
            self._record_other(connection, request, is_for_matchers=True)

        def finish(after: After) -> None:
            if after is After.CLOSE:
                connection.close()
            else:
                connection.finish(keep=after is After.KEEP)

        try:
            connection.run_in_thread(lambda: answer(connection.sock, request), finish)
        except RuntimeError as error:  # thousands of streams, each with a thread
            self._answer(connection, request, self._state.error(503, str(error)))

    def _serve_stray(
        self, connection: Connection, request: Request, http: int, message: str, task_id: str = ""
    ) -> None:
        self._record_other(connection, request)
        self._answer(connection, request, self._state.error(http, message, task_id))

    def _record_other(
        self, connection: Connection, request: Request, *, is_for_matchers: bool = False
    ) -> None:
        """Record a request that is neither a poll nor an operation, with the task it belongs to.

        That is the task on or below whose path it came, else the one of the connection's latest poll or
        operation, unless it has been forgotten. The matchers name the nearest route themselves: they know
        more routes.
        """
        head, tasks = request.head, self._state.tasks
        by_path = self._state.task_below(head.path)
        task_id = connection.task_id if connection.task_id in tasks else None
        task_id = by_path or task_id
        if task_id is None and not is_for_matchers:
            request.nearest = self._state.nearest(head.method, head.path)
        request.by_path = task_id is None or task_id == by_path
        self._record(connection, request, "other", task_id)

    def _record(self, connection: Connection, request: Request, kind: str, task_id: str | None) -> None:
        request.kind, request.task_id = kind, task_id
        request.connection, request.fresh = connection.number, connection.fresh
        connection.fresh = False
        connection.request = request
        self._journal.add(request)

    # --- sending

    def _cannot_write(self, error: Exception, task: Task) -> Response:
        return self._state.error(500, why_not_written(error), task.values["task_id"])

    def _answer(self, connection: Connection, request: Request, response: Response) -> None:
        self._send_answer(connection, request, write_answer(response, request.head), None)

    def _send_answer(
        self, connection: Connection, request: Request, written: WrittenAnswer, close_after_s: float | None
    ) -> None:
        def finish() -> None:
            self._journal.end(request, Ended.ANSWERED, written.http)
            connection.finish(keep=written.keep)
            if written.keep and close_after_s is not None:
                connection.close_when_idle(close_after_s)

        def send_rest() -> None:
            connection.send(written.rest, self._unless_gone(request, finish))

        if written.rest:
            pause = partial(connection.delay, REST_AFTER_S, self._unless_gone(request, send_rest))
            connection.send(written.data, self._unless_gone(request, pause))
        else:
            connection.send(written.data, self._unless_gone(request, finish))

    def _unless_gone(self, request: Request, go_on: Callable[[], None]) -> Callable[[bool], None]:
        """Return what goes on with a request after a wait, or ends it if the client has gone by then."""

        def go_on_or_end(is_there: bool) -> None:
            if is_there:
                go_on()
            else:
                self._journal.end(request, self._how_lost())

        return go_on_or_end


def error_text(error: Exception) -> str:
    """Return what went wrong in code that is not ours, in the words of Python."""
    return f"{type(error).__name__}: {error}"
