"""The task server: tasks of one contract on a port of their own.

`TaskServer` is a pytest-httpserver `HTTPServer`. Polls and operations of the contract are answered ahead of
its matchers; everything else falls through to them, so `expect_request(...)` serves the rest of an API
beside the tasks. Here is what users call, and how the server starts, stops and fails; `handler` answers the
requests, `loop` serves the connections.

One fact to know before reading on: one thread, the loop's, answers every poll. When it ends by a mistake of
ours, the server is no longer running, and every method that asks for tasks or requests raises that mistake.
"""

from __future__ import annotations

import itertools
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pytest_httpserver import METHOD_ALL, HTTPServer, HTTPServerError
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler

from waitproof.errors import HarnessError, InputError, Mistake
from waitproof.journal import Ended, JournalEntry
from waitproof.mock.handler import RequestHandler
from waitproof.mock.journal import MAX_BYTES, MAX_REQUESTS, Journal
from waitproof.mock.listen import listen_on_all
from waitproof.mock.loop import MAX_BODY_BYTES, REQUEST_LIMIT_S, SEND_LIMIT_S, Loop
from waitproof.mock.matchers import NEAREST, Matchers
from waitproof.mock.tasks import CatalogTaskFactory, ServerState, TaskFactory, no_route
from waitproof.suite import SEPARATOR, Catalog, Contract, Scenario, Step, TaskIdFormat, TaskState

__all__ = ["TaskServer"]

MAX_LOGGED = 200  # requests that pytest-httpserver keeps, whole, with their responses
JOIN_S = 0.6  # for threads whose sockets are shut; only a matcher's handler can take longer


class TaskServer(HTTPServer):
    """Tasks of one contract, served on a port of their own; also a context manager.

    `TaskServer()` knows the scenarios that come with waitproof: `add` creates a task of one by its name, and
    so does the poll of an id that names one.

    Methods that ask for tasks or requests raise HarnessError once the server has ended by a mistake of its
    own; `start` starts it again.
    """

    def __init__(
        self,
        contract: Contract | None = None,
        *,
        catalog: Catalog | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        more_hosts: Sequence[str] = (),
        on_entry: Callable[[JournalEntry], None] | None = None,
        journal_limit: int = MAX_REQUESTS,
        journal_bytes: int = MAX_BYTES,
        task_factory: TaskFactory | None = None,
        allowed_hosts: Collection[str] | None = None,
        max_body_bytes: int = MAX_BODY_BYTES,
        request_limit_s: float = REQUEST_LIMIT_S,
        send_limit_s: float = SEND_LIMIT_S,
        off_record: re.Pattern[str] | None = None,
    ) -> None:
        """Make a server that does not listen yet.

        Args:
            contract: What the API looks like; None for the catalog's contract.
            catalog: Scenarios by name; None for those that come with waitproof, or for none where there is a
                contract.
            host: Address to listen on.
            port: Port, 0 for one that the system chooses; a later start takes the same again.
            more_hosts: Further addresses to listen on, at the same port; those that this machine does not
                have are left out.
            on_entry: Called for each request on its arrival and again when it ended, with the same
                serial. It may ask the server anything, but must not wait: no other client is answered
                while it runs.
            journal_limit: How many requests are remembered; the oldest finished ones are dropped first.
            journal_bytes: How much memory they may take, about; the same are dropped first.
            task_factory: Creates tasks that `create` has not; None for the catalog's, and where there is
                none, such an id is unknown.
            allowed_hosts: Names, without a port and in lower case, that a request's Host may have, so that
                no page of another site reaches the server under a name of its own (DNS rebinding); None
                for any.
            max_body_bytes: Larger requests are refused.
            request_limit_s: How long a request may take from its first byte to its last.
            send_limit_s: How long a client may take nothing of its answer before it counts as gone.
            off_record: Paths, escaped as they come, that are used to watch the server: requests for them
                that fall through to the matchers are neither remembered nor reported.

        Raises:
            InputError: The suite that comes with waitproof cannot be read.
        """
        super().__init__(host=host, port=port, threaded=True)
        if contract is None:
            catalog = catalog or Catalog()
            contract = catalog.contract
        if catalog is not None and task_factory is None:
            task_factory = CatalogTaskFactory(self.add, catalog)
        self._catalog = catalog
        self._numbers = itertools.count(1)
        self._failure: Exception | None = None
        journal = Journal(journal_limit, journal_bytes, on_entry=on_entry and self._guarded(on_entry))
        self._state = ServerState(contract, journal, task_factory, allowed_hosts)
        self._off_record = off_record
        self._more_hosts = tuple(more_hosts)
        self._make_loop = partial(
            Loop, max_body_bytes=max_body_bytes, request_limit_s=request_limit_s, send_limit_s=send_limit_s
        )

    @property
    def base_url(self) -> str:
        """Where the server listens: `http://127.0.0.1:8080`, without a slash at the end."""
        return f"http://{self.format_host(self.host)}:{self.port}"

    @property
    def failure(self) -> Exception | None:
        """The mistake of ours by which the server has ended, None where there is none."""
        return self._failure

    # --- tasks and journal

    def create(
        self, task_id: str | int, steps: Sequence[Step], *, token: str = "", n: int = 1, begun_by: str = ""
    ) -> None:
        """Let a task begin with its next poll; one that has the same id is replaced.

        Args:
            task_id: Its id; a whole number stays one in bodies.
            steps: What it answers, at least one step; the last repeats.
            token: What an operation's body or path must contain to start this task; "" where none does.
            n: Number of the copy, for `${n}`.
            begun_by: The operation that starts it, which matters where nothing in a request says which task
                it starts: then only one task may wait for it. "" for none.
        """
        self._checked().create(task_id, steps, token=token, n=n, begun_by=begun_by)

    def add(
        self, scenario: str | Mapping[str, Any] | Scenario, task_id: str | int | None = None
    ) -> str | int:
        """Create a task of a scenario, and return its id.

        Args:
            scenario: A scenario, else the id of one of the catalog's, or the last part of it, else what would
                be in its file, of which `task` is enough: `{"task": [{"status": "running"}, …]}`.
            task_id: The task's id, None for a new one: `completes-after-3-polls~1`.

        Raises:
            InputError: There is no such scenario, it has mistakes, or this server was made with a contract
                alone.
        """
        state = self._checked()
        if not isinstance(scenario, Scenario):
            if self._catalog is None:
                fact = "this server has only a contract, so it knows no scenario by name"
                fix = "pass the scenario itself, or make it with a catalog"
                raise InputError(Mistake(str(scenario), fact, fix=fix))
            if isinstance(scenario, str):
                scenario = self._catalog.get(scenario)
            else:  # JSON is YAML, except that YAML has no pairs of surrogates
                text = json.dumps(scenario, ensure_ascii=False)
                text = re.sub("[^ -~]", lambda found: f"\\U{ord(found[0]):08x}", text)
                scenario = self._catalog.inline(text)
        if task_id is None:
            number = next(self._numbers)
            is_number = state.contract.task_id is TaskIdFormat.INTEGER
            task_id = number if is_number else f"{scenario.id.rpartition('/')[2]}{SEPARATOR}{number}"
        self.create(task_id, scenario.task)
        return task_id

    def forget(self, task_id: str | int) -> None:
        """Drop a task, whose id is unknown from now on; its requests stay in the journal."""
        self._checked().tasks.pop(str(task_id), None)

    def change(self, task_id: str | int, change: Callable[[TaskState], TaskState]) -> bool:
        """Change how far a task is, between two of its polls; return False when there is no such task.

        `change` returns the state after the change; called with the task's lock held, it must be quick.
        """
        task = self._checked().tasks.get(str(task_id))
        if task is None:
            return False
        with task.lock:
            task.state = change(task.state)
        return True

    def state(self, task_id: str | int) -> TaskState | None:
        """Return how far a task is, None when there is no such task."""
        task = self._checked().tasks.get(str(task_id))
        return None if task is None else task.state

    def entries(self, task_id: str | int, newest: int | None = None) -> tuple[JournalEntry, ...]:
        """Return the requests of a task, in order of arrival, polls included; `newest`: only the last."""
        return self._checked().journal.entries(str(task_id), newest)

    def journal(self, newest: int | None = None) -> tuple[JournalEntry, ...]:
        """Return the requests remembered, in order of arrival; `newest`: only the last."""
        return self._checked().journal.all(newest)

    def polls(self, task_id: str | int) -> tuple[JournalEntry, ...]:
        """Return the polls of one task, in order of arrival, repeats of an HTTP stack included."""
        return tuple(entry for entry in self.entries(task_id) if entry.kind == "poll")

    def strays(self) -> tuple[JournalEntry, ...]:
        """Return the requests that belong to no task and that nothing handled."""
        return tuple(entry for entry in self.journal() if entry.is_stray)

    def wait_for_polls(self, task_id: str | int, count: int, within_s: float) -> bool:
        """Wait until that many polls of a task have arrived, without repeats; return whether they have."""
        journal = self._checked().journal
        have_come = journal.wait_for_polls(str(task_id), count, within_s, lambda: self._failure is not None)
        self._checked()
        return have_come

    def _checked(self) -> ServerState:
        """Return what is shared with the connections.

        Raises:
            HarnessError: The loop has ended by a mistake, so nothing in it will change any more.
        """
        if self._failure is not None:
            raise HarnessError(f"the mock server's loop has ended: {self._failure!r}") from self._failure
        return self._state

    # --- what HTTPServer does, done differently

    def start(self) -> None:
        """Listen, and return at once.

        Raises:
            InputError: Nothing can listen on that host and port.
        """
        if self.is_running():
            raise HTTPServerError("Server is already running")
        server = _Listener((self.host, *self._more_hosts), self.port, Request.application(self.application))

        def how_lost() -> Ended:
            return server.loop.how_lost()

        matchers = Matchers(server, self._state, self._note_error, how_lost)
        handler = RequestHandler(
            self._state,
            how_lost=how_lost,
            on_error=self._note_error,
            answer_rest=matchers.answer,
            off_record=self._off_record,
        )
        server.loop = self._make_loop([server.socket, *server.more], handler)
        self._failure = None
        self.server = server
        self.port = server.port
        self.server_thread = threading.Thread(target=self.thread_target, name="mock server", daemon=True)
        self.server_thread.start()

    def stop(self) -> None:
        """Stop within a second, even if something hangs; nothing is answered afterwards."""
        server, thread = self.server, self.server_thread
        if not isinstance(server, _Listener) or thread is None:
            raise HTTPServerError("Server is not running")
        deadline = time.monotonic() + JOIN_S
        server.loop.stop()
        if thread is not threading.current_thread():  # `on_entry` may stop us
            thread.join(JOIN_S)
        server.server_close()
        server.loop.join_threads(deadline)
        self.server = self.server_thread = None

    def thread_target(self) -> None:
        """Serve until the server is stopped, or fails."""
        server = self.server
        assert server is not None
        try:
            server.serve_forever()
        except Exception as error:  # noqa: BLE001 - raised to everyone who asks for tasks or requests
            self._note_error(error)
            self._failure = error
            self.server = self.server_thread = None
            server.server_close()
            self._state.journal.wake()

    def application(self, request: Request) -> Response:
        """Answer what fell through, and keep only the newest of the log."""
        response = super().application(request)
        del self.log[:-MAX_LOGGED]
        return response

    def respond_nohandler(self, request: Request, extra_message: str = "") -> Response:
        """Answer 404 in the API's own words, besides the assertion that pytest-httpserver records."""
        super().respond_nohandler(request, extra_message)
        del self.assertions[:-MAX_LOGGED]
        path = str(request.environ.get("RAW_URI", request.path)).partition("?")[0]
        nearest = self._state.nearest(request.method, path, self._matched_routes(request.method))
        request.environ[NEAREST] = nearest
        error = self._state.error(404, no_route(request.method, path, nearest))
        return Response(error.body, error.http, dict(error.headers))

    def _matched_routes(self, method: str) -> Iterator[str]:
        """Yield the routes that `expect_request` was given as plain text."""
        for handler in itertools.chain(self.ordered_handlers, self.oneshot_handlers, self.handlers):
            matcher = handler.matcher
            if isinstance(matcher.uri, str):
                yield f"{method if matcher.method == METHOD_ALL else matcher.method} {matcher.uri}"

    def _note_error(self, error: Exception) -> None:
        self.handler_errors.append(error)
        del self.handler_errors[:-MAX_LOGGED]

    def _guarded(self, on_entry: Callable[[JournalEntry], None]) -> Callable[[JournalEntry], None]:
        """Return the callback, whose exceptions cost no client its answer."""

        def call(entry: JournalEntry) -> None:
            try:
                on_entry(entry)
            except Exception as error:  # noqa: BLE001 - a callback of somebody else's may raise anything
                self._note_error(error)

        return call


class _Listener(BaseWSGIServer):
    """The listening socket, as pytest-httpserver wants it, and the loop that serves it."""

    multithread = True
    loop: Loop
    more: tuple[socket.socket, ...] = ()

    def __init__(self, hosts: Sequence[str], port: int, app: Any) -> None:
        listener, *more = listen_on_all(hosts, port)
        with listener:  # werkzeug makes a second one of it, for the same port
            super().__init__(hosts[0], port, app, WSGIRequestHandler, fd=listener.fileno())
        self.more = tuple(more)  # not before: to make a server is to close its first socket

    def server_close(self) -> None:
        super().server_close()
        for each in self.more:
            each.close()

    def serve_forever(self, poll_interval: float = 0.5) -> None:  # noqa: ARG002 - socketserver's name
        self.loop.run()
