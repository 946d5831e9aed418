"""Both clients against real sockets: what they send, what they make of each answer, when they give up.

Every test runs once with `Client` and once with `AsyncClient`. pytest-httpserver plays the API; where the
connection itself is the subject, `Peer` does, whose answers are written byte by byte.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import hashlib
import hmac
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import requests
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from reference_client import (
    AsyncClient,
    Client,
    StreamApiException,
    StreamTaskException,
    StreamTransportException,
    Task,
    TaskError,
)

KEY, SECRET = "the key", "a secret of at least thirty-two bytes"
# How long a test waits for something that never should take so long.
PATIENCE_S = 5.0
# By how much a busy machine may delay an end; each defect that these tests are about takes far longer.
LATE_S = 2.0

Call = Callable[..., Any]


def sync_call(base_url: str, method: str, *args: Any, **options: Any) -> Any:
    with Client(KEY, SECRET, base_url) as client:
        return getattr(client, method)(*args, **options)


def async_call(base_url: str, method: str, *args: Any, **options: Any) -> Any:
    async def run() -> Any:
        async with AsyncClient(KEY, SECRET, base_url) as client:
            return await getattr(client, method)(*args, **options)

    return asyncio.run(run())


@pytest.fixture(params=[sync_call, async_call], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Call:
    """Make one call on a client of its own: call(base_url, method, *args, **options)."""
    chosen: Call = request.param
    return chosen


def url_of(server: HTTPServer) -> str:
    return str(server.url_for("")).rstrip("/")


def tasks(server: HTTPServer, *bodies: dict[str, Any]) -> None:
    """Answer the polls of task t1 with these bodies, one after another."""
    for body in bodies:
        server.expect_ordered_request("/api/v2/tasks/t1").respond_with_json(body)


def answer(body: bytes, head: bytes = b"") -> bytes:
    """Return a whole HTTP answer."""
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), head, body)


RUNNING = b'{"task_id":"t1","status":"running","result":null,"error":null}'
COMPLETED = b'{"task_id":"t1","status":"completed","result":{"n":1},"error":null}'


class Peer:
    """A server that does to each request what the test says, and counts connections and requests."""

    def __init__(self, serve: Callable[[socket.socket, int], bool]) -> None:
        self.connections = 0
        self.requests = 0
        self.stopped = threading.Event()
        self._serve = serve
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def stop(self) -> None:
        self.stopped.set()
        # Wakes the accept that a mere close would leave asleep.
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive(), "a thread of the peer did not end"
        self._listener.close()

    def _accept(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            if self.stopped.is_set():
                connection.close()
                return
            self.connections += 1
            self._threads.append(threading.Thread(target=self._talk, args=(connection,)))
            self._threads[-1].start()

    def _talk(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as received:
            try:
                while received.readline():
                    while received.readline() not in (b"\r\n", b""):
                        pass
                    self.requests += 1
                    if not self._serve(connection, self.requests):
                        return
            except OSError:
                return  # the client has cut off what it no longer waits for


@contextmanager
def peer(serve: Callable[[socket.socket, int], bool]) -> Iterator[Peer]:
    """Run a peer; `serve(connection, n)` answers the n-th request and says whether to keep the connection."""
    one = Peer(serve)
    try:
        yield one
    finally:
        one.stop()


# Outcomes and fields


def test_a_completed_task_returns_its_result_after_as_many_polls_as_it_takes(
    call: Call, httpserver: HTTPServer
) -> None:
    result = {"channels": 2, "names": ["日本語", "🦄"]}
    tasks(
        httpserver,
        {"task_id": "t1", "status": "waiting"},
        {"task_id": "t1", "status": "rebalancing"},
        {"task_id": "t1", "status": "completed", "result": result},
    )

    assert call(url_of(httpserver), "wait_for_task", "t1", poll_interval=0.01, timeout=5) == result
    httpserver.check()
    assert len(httpserver.log) == 3


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (
            {"type": "E", "description": "why", "stacktrace": "at 1", "version": "v1"},
            ("t1", "E", "why", "at 1", "v1"),
        ),
        ({"type": "E", "description": "why"}, ("t1", "E", "why", None, None)),
        ({"type": "E", "description": "", "stacktrace": None}, ("t1", "E", "", None, None)),
        ({}, ("t1", None, None, None, None)),
        (None, ("t1", None, None, None, None)),
    ],
)
def test_a_failed_task_raises_the_task_exception_with_the_fields_of_its_error(
    call: Call,
    httpserver: HTTPServer,
    error: dict[str, Any] | None,
    fields: tuple[str | None, ...],
) -> None:
    tasks(httpserver, {"task_id": "t1", "status": "failed", "error": error})

    with pytest.raises(StreamTaskException) as raised:
        call(url_of(httpserver), "wait_for_task", "t1")
    failure = raised.value
    assert fields == (
        failure.task_id,
        failure.error_type,
        failure.description,
        failure.stack_trace,
        failure.version,
    )


def test_a_failed_task_without_an_error_raises_the_task_exception(call: Call, httpserver: HTTPServer) -> None:
    tasks(httpserver, {"status": "failed"})

    with pytest.raises(StreamTaskException) as raised:
        call(url_of(httpserver), "wait_for_task", "t1")
    assert raised.value.args == ("t1", None, None, None, None)


@pytest.mark.parametrize(
    ("body", "task"),
    [
        ({"status": "running"}, Task("t1", "running")),
        ({"task_id": "t1", "status": "completed", "result": {"n": 2.5}}, Task("t1", "completed", {"n": 2.5})),
        (
            {"task_id": "t1", "status": "failed", "result": None, "error": {"type": "E", "stacktrace": "s"}},
            Task("t1", "failed", None, TaskError(error_type="E", stack_trace="s")),
        ),
    ],
)
def test_get_task_returns_the_task_as_it_stands_after_one_request(
    call: Call, httpserver: HTTPServer, body: dict[str, Any], task: Task
) -> None:
    tasks(httpserver, body)

    assert call(url_of(httpserver), "get_task", "t1") == task
    httpserver.check()
    assert len(httpserver.log) == 1


def test_a_timeout_comes_at_the_deadline(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v2/tasks/t1").respond_with_json({"task_id": "t1", "status": "running"})

    began_s = time.monotonic()
    with pytest.raises(StreamTransportException) as raised:
        call(url_of(httpserver), "wait_for_task", "t1", poll_interval=10, timeout=0.25)
    elapsed_s = time.monotonic() - began_s
    assert 0.25 <= elapsed_s < 0.25 + LATE_S
    if "no complete answer" not in str(raised.value):  # a busy machine may not answer the last poll in time
        assert str(raised.value) == (
            "timeout: task t1 was 'running' after 0.25 s; it may still be running on the server"
        )
        assert len(httpserver.log) == 2
    assert raised.value.error_type == "timeout"


@pytest.mark.parametrize("option", ["poll_interval", "timeout"])
def test_an_option_of_0_is_refused_without_a_request(call: Call, httpserver: HTTPServer, option: str) -> None:
    with pytest.raises(ValueError, match=f"^{option} must be"):
        call(url_of(httpserver), "wait_for_task", "t1", **{option: 0})
    assert httpserver.log == []


# The wire


def test_a_poll_carries_the_documented_query_and_headers(call: Call, httpserver: HTTPServer) -> None:
    tasks(httpserver, {"task_id": "t1", "status": "running"})

    call(url_of(httpserver) + "/", "get_task", "t1")
    request, _ = httpserver.log[0]
    assert (request.method, request.path, request.args.to_dict()) == (
        "GET",
        "/api/v2/tasks/t1",
        {"api_key": KEY},
    )
    assert request.data == b""
    assert request.headers["Stream-Auth-Type"] == "jwt"
    assert request.headers["X-Stream-Client"] == "waitproof-reference-client-0.1.0"
    assert request.headers["Accept-Encoding"] == "gzip"
    head, payload, signature = request.headers["Authorization"].split(".")
    assert json.loads(base64.urlsafe_b64decode(head + "==")) == {"alg": "HS256", "typ": "JWT"}
    assert json.loads(base64.urlsafe_b64decode(payload + "==")) == {"server": True}
    expected = hmac.digest(SECRET.encode(), f"{head}.{payload}".encode(), hashlib.sha256)
    assert base64.urlsafe_b64decode(signature + "==") == expected


@pytest.mark.parametrize(
    ("task_id", "escaped"),
    [
        ("a/b?c#d", "a%2Fb%3Fc%23d"),
        ("50%2F +;", "50%252F%20%2B%3B"),
        ("../é 🦄", "..%2F%C3%A9%20%F0%9F%A6%84"),
    ],
)
def test_a_task_id_is_escaped_into_one_part_of_the_path(
    call: Call, httpserver: HTTPServer, task_id: str, escaped: str
) -> None:
    httpserver.expect_request(f"/api/v2/tasks/{task_id}").respond_with_json({"status": "running"})

    assert call(url_of(httpserver), "get_task", task_id) == Task(task_id, "running")
    request, _ = httpserver.log[0]
    assert request.environ["REQUEST_URI"] == f"/api/v2/tasks/{escaped}?api_key=the+key"


@pytest.mark.parametrize("task_id", ["", ".", ".."])
def test_a_task_id_that_no_path_can_carry_is_refused_without_a_request(
    call: Call, httpserver: HTTPServer, task_id: str
) -> None:
    with pytest.raises(ValueError, match="is not a task id"):
        call(url_of(httpserver), "get_task", task_id)
    assert httpserver.log == []


@pytest.mark.parametrize(
    ("method", "arguments", "sent"),
    [
        (
            "delete_channels",
            {"cids": ["messaging:a", "messaging:b"], "hard_delete": True},
            ("/api/v2/chat/channels/delete", {"cids": ["messaging:a", "messaging:b"], "hard_delete": True}),
        ),
        (
            "delete_channels",
            {"cids": ["messaging:a"]},
            ("/api/v2/chat/channels/delete", {"cids": ["messaging:a"], "hard_delete": False}),
        ),
        (
            "export_channels",
            {"cids": ["messaging:a", "messaging:b"]},
            (
                "/api/v2/chat/export_channels",
                {"channels": [{"cid": "messaging:a"}, {"cid": "messaging:b"}]},
            ),
        ),
        ("export_users", {"user_ids": ["u1", "ü2"]}, ("/api/v2/export/users", {"user_ids": ["u1", "ü2"]})),
        (
            "delete_users",
            {"user_ids": ["u1"]},
            (
                "/api/v2/users/delete",
                {"user_ids": ["u1"], "user": "hard", "messages": "hard", "conversations": "hard"},
            ),
        ),
    ],
)
def test_a_batch_operation_returns_the_id_of_the_task_it_began(
    call: Call,
    httpserver: HTTPServer,
    method: str,
    arguments: dict[str, Any],
    sent: tuple[str, dict[str, Any]],
) -> None:
    httpserver.expect_request(re.compile("")).respond_with_json({"duration": "1.2ms", "task_id": "t7"}, 201)

    assert call(url_of(httpserver), method, **arguments) == "t7"
    assert len(httpserver.log) == 1
    request, _ = httpserver.log[0]
    assert (request.path, request.json) == sent
    assert (request.method, request.args.to_dict()) == ("POST", {"api_key": KEY})
    assert request.headers["Content-Type"] == "application/json"


def test_a_batch_operation_whose_answer_names_no_task_is_a_malformed_answer(
    call: Call, httpserver: HTTPServer
) -> None:
    httpserver.expect_request("/api/v2/export/users").respond_with_json({"duration": "1ms"}, 201)

    with pytest.raises(StreamTransportException) as raised:
        call(url_of(httpserver), "export_users", ["u1"])
    assert str(raised.value).startswith(
        "malformed_answer: POST /api/v2/export/users: HTTP 201, but it has no task_id: "
    )


def test_a_compressed_answer_is_read(call: Call, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/api/v2/tasks/t1").respond_with_data(
        gzip.compress(COMPLETED), headers={"Content-Encoding": "gzip"}
    )

    assert call(url_of(httpserver), "wait_for_task", "t1") == {"n": 1}


def test_all_polls_of_a_wait_share_one_connection(call: Call) -> None:
    def serve(connection: socket.socket, n: int) -> bool:
        connection.sendall(answer(RUNNING if n < 4 else COMPLETED))
        return True

    with peer(serve) as server:
        assert call(server.url, "wait_for_task", "t1", poll_interval=0.01) == {"n": 1}
    assert (server.requests, server.connections) == (4, 1)


def test_an_idle_connection_that_the_server_closed_is_replaced_unseen(call: Call) -> None:
    def serve(connection: socket.socket, n: int) -> bool:
        connection.sendall(answer(RUNNING if n == 1 else COMPLETED))
        return False

    with peer(serve) as server:
        assert call(server.url, "wait_for_task", "t1", poll_interval=0.1) == {"n": 1}
    assert (server.requests, server.connections) == (2, 2)


def test_the_machines_proxy_is_not_used(
    call: Call, httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Port 9 discards: a client that asked this proxy would get no task.
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    tasks(httpserver, {"status": "running"})

    assert call(url_of(httpserver), "get_task", "t1") == Task("t1", "running")


# Faults


@pytest.mark.parametrize(
    ("status", "body", "fields"),
    [
        (
            404,
            b'{"code":16,"message":"no such task","StatusCode":404,"more_info":"read on","details":[7]}',
            (404, 16, "no such task", "read on", [7]),
        ),
        (500, b"", (500, None, "(no body)", None, [])),
        (502, b"<html>bad gateway</html>", (502, None, "<html>bad gateway</html>", None, [])),
        (503, b'{"code":"many","message":5}', (503, None, '{"code":"many","message":5}', None, [])),
        (429, b'[{"code": 9}]', (429, None, '[{"code": 9}]', None, [])),
        (302, b"elsewhere", (302, None, "elsewhere", None, [])),
    ],
)
def test_a_status_that_is_not_2xx_raises_the_api_exception_at_that_poll(
    call: Call, httpserver: HTTPServer, status: int, body: bytes, fields: tuple[Any, ...]
) -> None:
    tasks(httpserver, {"task_id": "t1", "status": "running"})
    httpserver.expect_ordered_request("/api/v2/tasks/t1").respond_with_data(
        body, status, headers={"Location": "/api/v2/tasks/t2"}
    )

    with pytest.raises(StreamApiException) as raised:
        call(url_of(httpserver), "wait_for_task", "t1", poll_interval=0.01, timeout=5)
    assert raised.value.args == fields
    assert len(httpserver.log) == 2


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"<html>welcome</html>", "the body is not JSON (Expecting value: line 1 column 1 (char 0))"),
        (b"", "the body is not JSON (Expecting value: line 1 column 1 (char 0))"),
        (b'{"task_id":"t1","sta', "the body is not JSON (Unterminated string"),
        (b'{"status":"completed","result":NaN}', "the body is not JSON (NaN is not JSON)"),
        (b'{"status":"completed","result":-Infinity}', "the body is not JSON (-Infinity is not JSON)"),
        (b'{"status":"completed","result":"\xff"}', "the body is not JSON ('utf-8' codec can't decode"),
        ('{"status":"running"}'.encode("utf-16"), "the body is not JSON ('utf-8' codec can't decode"),
        (b"[" * 100_000, "the body is not JSON (maximum recursion depth exceeded"),
        (b'["completed"]', "the body is not an object"),
        (b'{"task_id":"t1"}', "it has no status"),
        (b'{"task_id":"t1","status":null}', "it has no status"),
        (b'{"task_id":"t1","status":1}', "its status is not a string"),
        (b'{"task_id":"t1","status":"failed","error":"oops"}', "its error is not an object"),
        (b'{"task_id":"t1","status":"failed","error":{"type":5}}', "its type is not a string"),
    ],
)
def test_an_answer_that_is_not_a_task_surfaces_at_that_poll(
    call: Call, httpserver: HTTPServer, body: bytes, why: str
) -> None:
    tasks(httpserver, {"task_id": "t1", "status": "running"})
    httpserver.expect_ordered_request("/api/v2/tasks/t1").respond_with_data(body)

    with pytest.raises(StreamTransportException) as raised:
        call(url_of(httpserver), "wait_for_task", "t1", poll_interval=0.01, timeout=5)
    assert raised.value.error_type == "malformed_answer"
    assert raised.value.message.startswith(f"GET /api/v2/tasks/t1: HTTP 200, but {why}")
    assert len(httpserver.log) == 2


@pytest.mark.parametrize(
    ("sent", "error_type"),
    [
        pytest.param(b"", "connection", id="nothing"),
        pytest.param(b"HTTP/1", "connection", id="half a first line"),
        pytest.param(answer(COMPLETED)[:-5], "connection", id="half a body"),
        pytest.param(b"220 mail.example ESMTP\r\n\r\n", "connection", id="no HTTP"),
        pytest.param(
            answer(b"no gzip at all", b"Content-Encoding: gzip\r\n"), "malformed_answer", id="broken gzip"
        ),
    ],
)
def test_a_broken_answer_surfaces_at_that_poll_and_is_not_asked_for_again(
    call: Call, sent: bytes, error_type: str
) -> None:
    def serve(connection: socket.socket, n: int) -> bool:
        connection.sendall(answer(RUNNING) if n == 1 else sent)
        return n == 1

    with peer(serve) as server, pytest.raises(StreamTransportException) as raised:
        call(server.url, "wait_for_task", "t1", poll_interval=0.01, timeout=5)
    assert raised.value.error_type == error_type
    assert raised.value.message.startswith("GET /api/v2/tasks/t1: ")
    assert server.requests == 2


def test_a_refused_connection_is_a_transport_failure(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

    with pytest.raises(StreamTransportException) as raised:
        call(url, "wait_for_task", "t1")
    assert raised.value.error_type == "connection"


@pytest.mark.parametrize("base_url", ["127.0.0.1:80", "gopher://127.0.0.1", "http://", "http://127.0.0.1:x"])
def test_an_address_that_cannot_be_used_is_a_transport_failure(call: Call, base_url: str) -> None:
    with pytest.raises(StreamTransportException) as raised:
        call(base_url, "get_task", "t1")
    assert raised.value.error_type == "connection"


# The deadline


@pytest.mark.parametrize(
    ("start", "dribbles"),
    [
        pytest.param(b"", False, id="no answer"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX-Long: ", True, id="a head that dribbles"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{", False, id="half a body"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{", True, id="a body that dribbles"),
    ],
)
def test_a_stalled_or_dribbling_answer_is_cut_off_at_the_deadline(
    call: Call, start: bytes, dribbles: bool
) -> None:
    def serve(connection: socket.socket, n: int) -> bool:
        connection.sendall(start)
        # Pauses far shorter than the timeout, which each byte might restart, and long enough in all.
        for _ in range(120):
            if server.stopped.wait(0.05):
                break
            if dribbles:
                connection.sendall(b" ")
        return False

    with peer(serve) as server:
        began_s = time.monotonic()
        with pytest.raises(StreamTransportException) as raised:
            call(server.url, "wait_for_task", "t1", poll_interval=0.1, timeout=0.2)
        elapsed_s = time.monotonic() - began_s
    assert str(raised.value) == (
        "timeout: GET /api/v2/tasks/t1: no complete answer within 0.2 s; "
        "the task may still be running on the server"
    )
    assert 0.2 <= elapsed_s < 0.2 + LATE_S
    assert server.requests == 1


def test_a_stalled_poll_at_the_deadline_is_cut_off_a_twentieth_of_the_timeout_later(call: Call) -> None:
    def serve(connection: socket.socket, n: int) -> bool:
        if n == 1:
            connection.sendall(answer(RUNNING))
            return True
        server.stopped.wait(PATIENCE_S)
        return False

    with peer(serve) as server:
        began_s = time.monotonic()
        with pytest.raises(StreamTransportException) as raised:
            call(server.url, "wait_for_task", "t1", poll_interval=1, timeout=0.2)
        elapsed_s = time.monotonic() - began_s
    assert raised.value.error_type == "timeout"
    assert 0.21 <= elapsed_s < 0.21 + LATE_S
    assert server.requests == 2


# Many at once, and sessions


def own_result(request: Request) -> Response:
    """Say of the first poll of each task that it runs, of the second that it is completed."""
    task_id = request.path.rpartition("/")[2]
    with _seen_lock:
        _seen[task_id] = _seen.get(task_id, 0) + 1
        status = "running" if _seen[task_id] == 1 else "completed"
    return Response(json.dumps({"task_id": task_id, "status": status, "result": {"of": task_id}}))


_seen: dict[str, int] = {}
_seen_lock = threading.Lock()


@pytest.fixture
def many_tasks(httpserver: HTTPServer) -> str:
    _seen.clear()
    httpserver.expect_request(re.compile("^/api/v2/tasks/")).respond_with_handler(own_result)
    return url_of(httpserver)


NAMES = [f"t{n}" for n in range(40)]


def test_threads_that_share_a_client_each_get_the_result_of_their_own_task(many_tasks: str) -> None:
    with Client(KEY, SECRET, many_tasks) as client, ThreadPoolExecutor(len(NAMES)) as threads:
        results = list(threads.map(lambda name: client.wait_for_task(name, poll_interval=0.05), NAMES))
    assert results == [{"of": name} for name in NAMES]


def test_coroutines_that_share_a_client_each_get_the_result_of_their_own_task(many_tasks: str) -> None:
    async def run() -> list[Any]:
        async with AsyncClient(KEY, SECRET, many_tasks) as client:
            waits = (client.wait_for_task(name, poll_interval=0.05) for name in NAMES)
            return await asyncio.gather(*waits)

    assert asyncio.run(run()) == [{"of": name} for name in NAMES]


def test_a_cancelled_wait_ends_at_once_and_polls_no_more() -> None:
    polled = threading.Event()

    def serve(connection: socket.socket, n: int) -> bool:
        polled.set()
        server.stopped.wait(PATIENCE_S)
        return False

    async def run(url: str) -> None:
        async with AsyncClient(KEY, SECRET, url) as client:
            wait = asyncio.create_task(client.wait_for_task("t1"))
            assert await asyncio.to_thread(polled.wait, PATIENCE_S), "the first poll did not arrive"
            wait.cancel()
            await wait

    with peer(serve) as server, pytest.raises(asyncio.CancelledError):
        asyncio.run(run(server.url))
    assert server.requests == 1


def test_a_session_of_the_callers_is_used_and_left_open(httpserver: HTTPServer) -> None:
    tasks(httpserver, {"status": "running"}, {"status": "running"})

    with requests.Session() as session:
        session.headers["X-Mine"] = "yes"
        for _ in range(2):
            with Client(KEY, SECRET, url_of(httpserver), session=session) as client:
                client.get_task("t1")
    assert [request.headers["X-Mine"] for request, _ in httpserver.log] == ["yes", "yes"]
