"""How the mock server's answers travel over a real socket: compressed, in chunks, unchanged, redirected."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from waitproof.mock.server import TaskServer
from waitproof.suite.contract import Contract
from waitproof.suite.files import CONTRACT, bundled_suite, load_contract
from waitproof.suite.step import Step

LIMIT_S = 5.0
PATH = "/api/v2/tasks/t"


@pytest.fixture(scope="session")
def contract() -> Contract:
    return load_contract(bundled_suite() / CONTRACT)


@pytest.fixture
def server(contract: Contract) -> Iterator[TaskServer]:
    with TaskServer(contract) as server:
        yield server


@pytest.fixture
def connection(server: TaskServer) -> Iterator[http.client.HTTPConnection]:
    made = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LIMIT_S)
    yield made
    made.close()


def serve(server: TaskServer, *steps: dict[str, Any]) -> None:
    server.create("t", [Step.model_validate_json(json.dumps(step)) for step in steps])


def get(
    connection: http.client.HTTPConnection, path: str = PATH, **headers: str
) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Send a GET without any header that nobody asked for."""
    connection.putrequest("GET", path, skip_accept_encoding=True)
    for name, value in headers.items():
        connection.putheader(name.replace("_", "-"), value)
    connection.endheaders()
    response = connection.getresponse()
    return response.status, response.headers, response.read()


def test_each_request_of_a_task_gets_what_it_accepts(
    server: TaskServer, connection: http.client.HTTPConnection
) -> None:
    serve(server, {"status": "running", "encoding": "gzip"})

    answers = [get(connection, **({"Accept_Encoding": "gzip"} if n % 2 else {})) for n in range(6)]

    assert [headers["Content-Encoding"] for _, headers, _ in answers] == [None, "gzip"] * 3
    bodies = [gzip.decompress(body) if n % 2 else body for n, (_, _, body) in enumerate(answers)]
    assert {json.loads(body)["status"] for body in bodies} == {"running"}


def test_chunked_answers_leave_the_connection_usable(
    server: TaskServer, connection: http.client.HTTPConnection
) -> None:
    serve(
        server,
        {"status": "running", "chunked": True},
        {"status": "completed", "result": "é" * 99, "chunked": True},
    )

    answers = [get(connection) for _ in range(3)]

    assert [headers["Transfer-Encoding"] for _, headers, _ in answers] == ["chunked"] * 3
    assert [headers["Content-Length"] for _, headers, _ in answers] == [None] * 3
    assert [json.loads(body)["result"] for _, _, body in answers] == [None, "é" * 99, "é" * 99]
    assert {poll.connection for poll in server.polls("t")} == {1}


def test_a_chunked_answer_comes_in_parts_that_a_client_can_read_apart(server: TaskServer) -> None:
    serve(server, {"status": "running", "chunked": True})

    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as sock:
        sock.sendall(f"GET {PATH} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        first = sock.recv(65536)
        rest = b""
        while not rest.endswith(b"0\r\n\r\n"):
            rest += sock.recv(65536)

    assert b"\r\n\r\n7\r\n" in first
    assert not first.endswith(b"0\r\n\r\n")


def test_a_client_of_http_10_gets_a_chunked_answer_whole(server: TaskServer) -> None:
    serve(server, {"status": "running", "chunked": True})

    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as sock:
        sock.sendall(f"GET {PATH} HTTP/1.0\r\n\r\n".encode())
        head, _, body = b"".join(iter(lambda: sock.recv(65536), b"")).partition(b"\r\n\r\n")

    assert b"chunked" not in head.lower()
    assert json.loads(body)["status"] == "running"


def test_a_client_that_leaves_between_the_parts_is_put_on_record(server: TaskServer) -> None:
    serve(server, {"status": "running", "chunked": True, "result": "x" * 99})

    with socket.create_connection(("127.0.0.1", server.port), LIMIT_S) as sock:
        sock.sendall(f"GET {PATH} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        sock.recv(1)
    deadline = time.monotonic() + LIMIT_S
    while server.polls("t")[0].ended.value == "in_flight":
        assert time.monotonic() < deadline, "the poll did not end"
        time.sleep(0.001)

    assert server.polls("t")[0].ended.value in {"abandoned", "answered"}


def test_a_version_that_the_client_names_is_answered_without_a_body(
    server: TaskServer, connection: http.client.HTTPConnection
) -> None:
    serve(
        server,
        {"status": "running", "times": 2, "headers": {"ETag": '"1"'}},
        {"status": "completed", "headers": {"ETag": '"2"'}},
    )

    answers = [get(connection), get(connection, If_None_Match='"1"'), get(connection, If_None_Match='"1"')]

    assert [(status, headers["ETag"]) for status, headers, _ in answers] == [
        (200, '"1"'),
        (304, '"1"'),
        (200, '"2"'),
    ]
    assert answers[1][2] == b""
    assert [(poll.status, poll.http) for poll in server.polls("t")[:2]] == [
        ("running", 200),
        ("running", 304),
    ]


def test_a_redirect_and_what_follows_it_are_one_poll(
    server: TaskServer, connection: http.client.HTTPConnection
) -> None:
    serve(
        server,
        {"fault": {"http": 302, "headers": {"Location": "/api/v2/tasks/${task_id}?moved=yes"}}},
        {"status": "completed"},
    )

    status, headers, _ = get(connection)
    followed = get(connection, headers["Location"])

    assert (status, headers["Location"], followed[0]) == (302, f"{PATH}?moved=yes", 200)
    assert [(poll.n, poll.status) for poll in server.polls("t")] == [(1, "302"), (1, "completed")]


# --- open connections ---------------------------------------------------------------------------------


def poll_on(server: TaskServer, number: int) -> list[socket.socket]:
    """Poll once on each of so many new connections, and leave them open."""
    left = []
    for _ in range(number):
        sock = socket.create_connection(("127.0.0.1", server.port), LIMIT_S)
        sock.sendall(f"GET {PATH} HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        sock.recv(65536)
        left.append(sock)
    return left


def test_a_poll_counts_the_connections_that_its_task_has_open(server: TaskServer) -> None:
    serve(server, {"status": "running"})

    left = poll_on(server, 4)
    for sock in left:
        sock.close()

    assert [poll.open for poll in server.polls("t")] == [1, 2, 3, 4]


def test_a_connection_that_was_closed_counts_no_more(server: TaskServer) -> None:
    serve(server, {"status": "running"})

    for _ in range(3):
        poll_on(server, 1)[0].close()
        time.sleep(0.05)  # for the server to see it

    assert [poll.open for poll in server.polls("t")] == [1, 1, 1]


def test_a_connection_that_is_used_again_counts_once(
    server: TaskServer, connection: http.client.HTTPConnection
) -> None:
    serve(server, {"status": "running"})

    for _ in range(3):
        get(connection)

    assert [poll.open for poll in server.polls("t")] == [1, 1, 1]
