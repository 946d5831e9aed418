from __future__ import annotations

import contextlib
import errno
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
import requests
from waitproof.errors import HarnessError, InputError
from waitproof.journal import Ended, JournalEntry
from waitproof.mock import http1
from waitproof.mock.listen import raise_file_limit
from waitproof.mock.server import TaskServer
from waitproof.suite.contract import Contract
from waitproof.suite.document import Document
from waitproof.suite.model import build
from waitproof.suite.operation import BeginRequest
from waitproof.suite.step import Step
from waitproof.suite.task import TaskState, answer
from werkzeug import Request, Response
from werkzeug.serving import BaseWSGIServer

LIMIT_S = 5.0  # for an event that comes at once: long enough for a machine whose cores are busy

CONTRACT = """
format: 1
name: parcels
title: A parcel service that knows its jobs by number
source: the test
task_id: integer
endpoint: {method: GET, path: "/v1/jobs/{task_id}/state"}
answer:
  headers: {Content-Type: application/json; charset=utf-8}
  body: {job: "${task_id}", state: "${status}", parcel: "${result}", trouble: "${error}", seen: "${now_ns}"}
error: {reason: lost}
http_error: {body: {fault: "${http}", text: "${message}"}}
statuses: {queued: keep_polling, done: return_result, lost: raise_task}
timeout: {kind: transport}
defaults: {poll_interval: 1s, timeout: 60s}
exception_fields: {}
operations:
  send:
    path: /v1/parcels
    token: to.0.name
    arguments: {to: [{name: "${token}"}]}
    status: 202
    body: {accepted: true, job: "${task_id}"}
requirements: []
"""


@pytest.fixture(scope="session")
def contract() -> Contract:
    return build(Contract, Document(CONTRACT, "contract.yaml"))


@pytest.fixture
def server(contract: Contract) -> Iterator[TaskServer]:
    with TaskServer(contract) as server:
        yield server


def steps(*texts: str) -> list[Step]:
    return [Step.model_validate_json(text) for text in texts]


QUEUED = steps('{"status": "queued"}')
STALLED = steps('{"status": "queued", "delay": "60s"}')


class Client:
    """One raw connection, kept open between requests."""

    def __init__(self, server: TaskServer) -> None:
        self.sock = socket.create_connection(("127.0.0.1", server.port), LIMIT_S)
        self.sock.settimeout(LIMIT_S)
        self.rest = b""

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, text: str | bytes) -> None:
        data = text if isinstance(text, bytes) else text.encode()
        self.sock.sendall(data)

    def get(
        self, path: str, *lines: str, body: str = "", method: str = "GET"
    ) -> tuple[int, dict[str, str], Any]:
        host = () if any(line.startswith("Host:") for line in lines) else ("Host: here",)
        head = [f"{method} {path} HTTP/1.1", *host, *lines]
        self.send("\r\n".join(head) + "\r\n\r\n" + body)
        return self.answer(bodiless=method == "HEAD")

    def answer(self, *, bodiless: bool = False) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and body of the next answer; the body is read as JSON where it is JSON."""
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines)
        length = 0 if bodiless else int(headers.get("Content-Length", "0"))
        while len(self.rest) < length:
            self._more()
        body, self.rest = self.rest[:length], self.rest[length:]
        is_json = body and "json" in headers.get("Content-Type", "")
        return int(first.split(" ")[1]), headers, json.loads(body) if is_json else body.decode()

    def to_the_end(self) -> bytes:
        """Return everything until the server closes."""
        while data := self.sock.recv(65536):
            self.rest += data
        return self.rest

    def _more(self) -> None:
        data = self.sock.recv(65536)
        if not data:
            raise EOFError(f"the server closed after {self.rest!r}")
        self.rest += data


def ended(server: TaskServer, task_id: int) -> tuple[JournalEntry, ...]:
    """Return the task's polls as soon as the newest has ended: that is a moment after its client knows."""
    return once_ended(lambda: server.polls(task_id))


def once_ended(entries: Callable[[], tuple[JournalEntry, ...]]) -> tuple[JournalEntry, ...]:
    """Return entries as soon as the newest has ended."""
    deadline = time.monotonic() + LIMIT_S
    while True:
        found = entries()
        if found and found[-1].ended is not Ended.IN_FLIGHT:
            return found
        assert time.monotonic() < deadline, f"{found} did not end within {LIMIT_S:g} s"
        time.sleep(0.001)


def others(server: TaskServer) -> list[tuple[str | None, str, str, str]]:
    return [(entry.task_id, entry.kind, entry.target, entry.nearest) for entry in server.journal()]


def seen_of(answer: tuple[int, dict[str, str], Any]) -> tuple[int, Any]:
    """Return status and body, without the wall-clock time that the body names."""
    status, _, body = answer
    if isinstance(body, dict):
        body.pop("seen", None)
    return status, body


# --- polls --------------------------------------------------------------------------------------------


def test_polls_walk_through_the_steps_of_their_task(server: TaskServer) -> None:
    server.create(7, steps('{"status": "queued", "times": 2}', '{"status": "done", "result": {"kg": 2}}'))

    with Client(server) as client:
        answers = [seen_of(client.get("/v1/jobs/7/state")) for _ in range(4)]

    queued = (200, {"job": 7, "state": "queued", "parcel": None, "trouble": None})
    done = (200, {"job": 7, "state": "done", "parcel": {"kg": 2}, "trouble": None})
    assert answers == [queued, queued, done, done]


def test_each_answer_has_its_own_time_of_day_and_the_contracts_headers(server: TaskServer) -> None:
    server.create(7, QUEUED)

    with Client(server) as client:
        before_ns = time.time_ns()
        answers = [client.get("/v1/jobs/7/state") for _ in range(5)]
        after_ns = time.time_ns()

    stamps = [before_ns, *(body["seen"] for _, _, body in answers), after_ns]
    assert stamps == sorted(set(stamps))
    length = str(len(json.dumps(answers[0][2], separators=(",", ":"))))
    expected = {"Content-Type": "application/json; charset=utf-8", "Content-Length": length}
    assert [headers for _, headers, _ in answers] == [expected] * 5


def test_a_payload_that_looks_like_a_time_of_day_stays_as_it_is(server: TaskServer) -> None:
    payload = '{"status": "done", "result": [1111111111111111111, "2222222222222222222"]}'
    server.create(7, steps(payload))

    with Client(server) as client:
        results = [client.get("/v1/jobs/7/state")[2]["parcel"] for _ in range(4)]

    assert results == [[1111111111111111111, "2222222222222222222"]] * 4


def test_the_journal_has_a_poll_from_arrival_to_end(server: TaskServer) -> None:
    server.create(7, steps('{"status": "queued"}', '{"fault": {"http": 503}}'))

    with Client(server) as client:
        before_ns = time.monotonic_ns()
        client.get("/v1/jobs/7/state?key=k", "X-One: 1", "x-one: 2")
        between_ns = time.monotonic_ns()
        client.get("/v1/jobs/7/state")
        first, second = ended(server, 7)

    assert first.answered_ns is not None
    assert second.answered_ns is not None
    assert before_ns <= first.arrived_ns <= first.answered_ns
    assert between_ns <= second.arrived_ns <= second.answered_ns
    expected = JournalEntry(
        serial=1,
        task_id="7",
        kind="poll",
        method="GET",
        target="/v1/jobs/7/state?key=k",
        headers={"host": "here", "x-one": "1, 2"},
        arrived_ns=first.arrived_ns,
        connection=1,
        fresh=True,
        answered_ns=first.answered_ns,
        ended=Ended.ANSWERED,
        http=200,
        n=1,
        step=0,
        status="queued",
    )
    assert first == expected
    assert second == replace(
        expected,
        serial=2,
        target="/v1/jobs/7/state",
        headers={"host": "here"},
        arrived_ns=second.arrived_ns,
        fresh=False,
        answered_ns=second.answered_ns,
        http=503,
        n=2,
        step=1,
        status="503",
    )


@pytest.mark.parametrize(
    "escaped",
    [quote("a/b ü%41", safe=""), "a%2fb%20ü%2541"],
    ids=["escaped", "raw where a request line allows it"],
)
def test_a_task_is_found_by_its_decoded_id(server: TaskServer, escaped: str) -> None:
    server.create("a/b ü%41", QUEUED)

    with Client(server) as client:
        status, _, body = client.get(f"/v1/jobs/{escaped}/state")

    assert (status, body["job"]) == (200, "a/b ü%41")


def test_a_target_with_its_origin_is_the_same_poll(server: TaskServer) -> None:
    server.create(7, QUEUED)

    with Client(server) as client:
        status, _, body = client.get(f"{server.base_url}/v1/jobs/7/state?a=/v1/jobs/8/state")

    assert (status, body["job"]) == (200, 7)


def test_tasks_polled_at_once_do_not_disturb_one_another(server: TaskServer) -> None:
    for number in range(20):
        server.create(
            number,
            steps('{"status": "queued", "times": 3}', '{"status": "done", "result": "${n}"}'),
            n=number,
        )
    results: dict[int, list[Any]] = {}

    def poll(number: int) -> None:
        with Client(server) as client:
            answers = [client.get(f"/v1/jobs/{number}/state")[2] for _ in range(4)]
        results[number] = [(answer["state"], answer["parcel"]) for answer in answers]

    threads = [threading.Thread(target=poll, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT_S)

    assert results == {number: [("queued", None)] * 3 + [("done", number)] for number in range(20)}
    assert [[poll.n for poll in server.polls(number)] for number in range(20)] == [[1, 2, 3, 4]] * 20


def test_a_forgotten_task_is_unknown_and_its_polls_stay(server: TaskServer) -> None:
    server.create(7, QUEUED)
    with Client(server) as client:
        client.get("/v1/jobs/7/state")
        server.forget(7)
        status, _, _ = client.get("/v1/jobs/7/state")

    assert (status, len(server.polls(7))) == (404, 1)


def test_a_task_without_a_step_is_refused(server: TaskServer) -> None:
    with pytest.raises(ValueError, match="a task needs at least one step"):
        server.create(7, [])


def test_a_placeholder_that_nothing_fills_in_is_reported_in_the_answer(server: TaskServer) -> None:
    server.create(7, steps('{"status": "done", "result": "${what}"}'))

    with Client(server) as client:
        status, _, body = client.get("/v1/jobs/7/state")

    message = "${what} is not a placeholder: use ${n}, ${task_id}, ${token} or ${text:2MiB}"
    assert (status, body) == (500, {"fault": 500, "text": message})


def nested(depth: int) -> Step:
    result: Any = 1
    for _ in range(depth):
        result = [result]
    return Step(status="done", result=result)


def test_an_answer_that_is_nested_too_deep_is_reported_in_the_answer(server: TaskServer) -> None:
    server.create(7, [nested(2000)])

    with Client(server) as client:
        answers = [seen_of(client.get("/v1/jobs/7/state")) for _ in range(4)]

    assert answers == [(500, {"fault": 500, "text": "the answer is nested too deep to be written"})] * 4
    assert [poll.ended for poll in ended(server, 7)] == [Ended.ANSWERED] * 4


def test_text_that_cannot_be_encoded_is_reported_in_the_answer(server: TaskServer) -> None:
    server.create(7, [Step(status="done", result="\ud800")])

    with Client(server) as client:
        status, _, body = client.get("/v1/jobs/7/state")

    assert (status, body["fault"]) == (500, 500)
    assert "surrogates not allowed" in body["text"]


def test_waiting_for_polls_ends_with_the_poll_or_with_the_limit(server: TaskServer) -> None:
    server.create(7, QUEUED)
    seen: list[bool] = []
    waiter = threading.Thread(target=lambda: seen.append(server.wait_for_polls(7, 2, LIMIT_S)))
    waiter.start()

    with Client(server) as client:
        client.get("/v1/jobs/7/state")
        client.get("/v1/jobs/7/state")
    waiter.join(LIMIT_S)

    assert seen == [True]
    assert server.wait_for_polls(7, 3, 0.01) is False
    assert server.wait_for_polls("unknown", 1, 0.01) is False


def test_the_journal_is_bounded_and_the_oldest_finished_go_first(contract: Contract) -> None:
    with TaskServer(contract, journal_limit=3) as server, Client(server) as client, Client(server) as stalled:
        server.create(1, STALLED)
        server.create(2, QUEUED)
        stalled.send("GET /v1/jobs/1/state HTTP/1.1\r\nHost: here\r\n\r\n")
        assert server.wait_for_polls(1, 1, LIMIT_S)
        for _ in range(5):
            client.get("/v1/jobs/2/state")

        serials = [entry.serial for entry in server.journal()]

        assert serials == [1, 5, 6]
        assert [poll.n for poll in server.polls(2)] == [4, 5]


def test_the_journal_is_bounded_in_memory_and_polls_that_are_alike_take_little(contract: Contract) -> None:
    with TaskServer(contract, journal_bytes=250_000) as server, Client(server) as client:
        server.create(1, QUEUED)
        for _ in range(300):
            client.get("/v1/jobs/1/state", f"X: {'x' * 1500}")
        alike = len(server.journal())
        for number in range(10):
            client.get("/v1/jobs/1/state", f"X: {number:060000}")
        kept = [entry.serial for entry in server.journal()]

        assert (alike, kept) == (300, [307, 308, 309, 310])
        assert [entry.serial for entry in server.journal(newest=2)] == [309, 310]
        assert [entry.n for entry in server.entries(1, newest=1)] == [310]


# --- operations ---------------------------------------------------------------------------------------


def test_an_operation_finds_its_task_by_the_token_in_its_body(server: TaskServer) -> None:
    server.create(7, QUEUED, token="tok-1")
    server.create(8, QUEUED, token="tok-12")
    body = '{"to": [{"name": "parcel:tok-12!"}]}'

    with Client(server) as client:
        status, _, said = client.get(
            "/v1/parcels?key=k", f"Content-Length: {len(body)}", body=body, method="POST"
        )
        client.get("/v1/jobs/8/state")

    assert (status, said) == (202, {"accepted": True, "job": 8})
    assert others(server) == [("8", "begin", "/v1/parcels?key=k", ""), ("8", "poll", "/v1/jobs/8/state", "")]


@pytest.mark.parametrize(
    "body", ['{"to": [{"name": "nobody"}]}', '{"to": "tok"}', "no JSON", "[" * 90_000, ""]
)
def test_an_operation_without_a_known_token_is_refused_and_a_stray(server: TaskServer, body: str) -> None:
    server.create(7, QUEUED, token="tok")
    server.create(8, QUEUED)

    with Client(server) as client:
        status, _, said = client.get("/v1/parcels", f"Content-Length: {len(body)}", body=body, method="POST")

    assert (status, said) == (404, {"fault": 404, "text": "the body has no scenario's token at 'to.0.name'"})
    assert [(stray.kind, stray.nearest) for stray in server.strays()] == [("other", "POST /v1/parcels")]


# --- strays -------------------------------------------------------------------------------------------


def test_an_unknown_task_is_refused_in_the_apis_words_and_a_stray(server: TaskServer) -> None:
    with Client(server) as client:
        status, _, body = client.get("/v1/jobs/99/state")

    assert (status, body) == (404, {"fault": 404, "text": "no task has the id 99"})
    assert others(server) == [(None, "other", "/v1/jobs/99/state", "GET /v1/jobs/{task_id}/state")]
    assert server.strays() == server.journal()


@pytest.mark.parametrize(
    ("method", "path", "nearest"),
    [
        ("GET", "/v2/jobs/7/state", "GET /v1/jobs/{task_id}/state"),
        ("HEAD", "/v1/jobs/8/state", "GET /v1/jobs/{task_id}/state"),
        ("POST", "/v1/parcel", "POST /v1/parcels"),
        ("POST", "/v1/depot", "POST /v1/depots"),
    ],
)
def test_a_request_that_nothing_handles_names_the_nearest_route(
    server: TaskServer, method: str, path: str, nearest: str
) -> None:
    server.create(7, QUEUED)
    server.expect_request("/v1/depots").respond_with_json({})

    with Client(server) as client:
        status, headers, body = client.get(f"{path}?a=1", method=method)
        again = client.get("/v1/jobs/7/state")

    text = {"fault": 404, "text": f"no route for {method} {path}; the nearest is {nearest}"}
    assert (status, headers["Content-Type"], body) == (
        404,
        "application/json",
        "" if method == "HEAD" else text,
    )
    assert others(server)[0] == (None, "other", f"{path}?a=1", nearest)
    assert again[0] == 200
    with pytest.raises(AssertionError, match="No handler found for request"):
        server.check_assertions()


@pytest.mark.parametrize(
    ("method", "path"),
    [("DELETE", "/v1/jobs/7/state"), ("DELETE", "/v1/jobs/7"), ("POST", "/v1/jobs/7/cancel")],
)
def test_a_request_below_a_tasks_path_that_is_no_poll_belongs_to_the_task(
    server: TaskServer, method: str, path: str
) -> None:
    server.create(7, QUEUED)

    with Client(server) as client:
        client.get(path, method=method)

    assert others(server) == [("7", "other", path, "")]
    assert server.strays() == ()


def test_a_connection_forgets_a_task_that_the_server_has_forgotten(server: TaskServer) -> None:
    server.create(7, QUEUED)
    with Client(server) as client:
        client.get("/v1/jobs/7/state")
        server.forget(7)
        client.get("/v1/app")

    assert [each[:3] for each in others(server)] == [
        ("7", "poll", "/v1/jobs/7/state"),
        (None, "other", "/v1/app"),
    ]


def test_a_request_on_a_connection_that_carried_polls_belongs_to_their_task(server: TaskServer) -> None:
    server.create(7, QUEUED)
    server.expect_request("/v1/me").respond_with_json({"name": "n"})

    with Client(server) as client:
        client.get("/v1/me")
        client.get("/v1/jobs/7/state")
        client.get("/v1/me")
        client.get("/v1/nowhere")

    assert others(server) == [
        (None, "other", "/v1/me", ""),
        ("7", "poll", "/v1/jobs/7/state", ""),
        ("7", "other", "/v1/me", ""),
        ("7", "other", "/v1/nowhere", ""),
    ]
    assert server.strays() == ()


def test_an_entry_shows_whether_its_path_or_only_its_connection_ties_it_to_its_task(
    server: TaskServer,
) -> None:
    server.create(7, QUEUED)

    with Client(server) as client:
        client.get("/v1/me")
        client.get("/v1/jobs/7/state")
        for method, path in (
            ("DELETE", "/v1/jobs/7/state"),
            ("POST", "/v1/jobs/7/cancel"),
            ("GET", "/v1/me"),
            ("GET", "/v1/jobs/8/state"),
            ("POST", "/v1/parcels"),
        ):
            client.get(path, method=method)
        client.send("GET /v1/me HTTP/1.1\r\nHost: here\r\nno colon\r\n\r\n")
        client.answer()
    with Client(server) as client:
        client.get("/v1/jobs/7/state")
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\nno colon\r\n\r\n")
        client.answer()

    assert [(entry.target, entry.task_id, entry.by_path) for entry in server.journal()] == [
        ("/v1/me", None, True),
        ("/v1/jobs/7/state", "7", True),
        ("/v1/jobs/7/state", "7", True),
        ("/v1/jobs/7/cancel", "7", True),
        ("/v1/me", "7", False),
        ("/v1/jobs/8/state", "7", False),
        ("/v1/parcels", "7", False),
        ("/v1/me", "7", False),
        ("/v1/jobs/7/state", "7", True),
        ("/v1/jobs/7/state", "7", True),
    ]


# --- what falls through -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["Content-Length: 8"], '{"a": 1}'),
        (["Transfer-Encoding: chunked"], '3\r\n{"a\r\n5;x=y\r\n": 1}\r\n0\r\nTrailer: t\r\n\r\n'),
    ],
    ids=["sized", "chunked"],
)
def test_matchers_serve_the_rest_of_an_api_beside_the_tasks(
    server: TaskServer, lines: list[str], body: str
) -> None:
    server.create(7, QUEUED)
    server.expect_request("/v1/other", method="POST", json={"a": 1}, query_string="q=1").respond_with_json(
        {"b": 2}
    )

    with Client(server) as client:
        lines = ["Content-Type: application/json", *lines]
        answers = [client.get("/v1/other?q=1", *lines, body=body, method="POST") for _ in range(2)]
        status, _, _ = client.get("/v1/jobs/7/state")

    assert [(answer[0], answer[2]) for answer in answers] == [(200, {"b": 2})] * 2
    assert status == 200
    assert {entry.connection for entry in server.journal()} == {1}
    server.check()


def test_the_log_of_what_falls_through_is_bounded(server: TaskServer) -> None:
    server.expect_request("/v1/other").respond_with_data("x")

    with Client(server) as client:
        for _ in range(210):
            client.get("/v1/other")

    assert len(server.log) == 200


def test_a_matcher_can_stream_its_answer(server: TaskServer) -> None:
    server.expect_request("/v1/other").respond_with_handler(lambda _: Response(iter(["one", "", "two"])))

    with Client(server) as client:
        status, headers, _ = client.get("/v1/other")
        client.send("GET /v1/other HTTP/1.0\r\n\r\n")
        rest = client.to_the_end()

    assert (status, headers["Transfer-Encoding"]) == (200, "chunked")
    chunks, _, old = rest.partition(b"HTTP/1.1 200 OK\r\n")
    assert chunks == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"
    assert old.endswith(b"Connection: close\r\n\r\nonetwo")


def test_a_matcher_that_raises_is_reported_in_the_answer(server: TaskServer) -> None:
    def fail(_: Request) -> Response:
        raise ZeroDivisionError("by zero")

    server.expect_request("/v1/other").respond_with_handler(fail)

    with Client(server) as client:
        status, _, body = client.get("/v1/other")

    assert (status, body) == (500, {"fault": 500, "text": "ZeroDivisionError: by zero"})
    with pytest.raises(ZeroDivisionError):
        server.check_handler_errors()


def test_a_matcher_can_drop_its_connection(server: TaskServer) -> None:
    def drop(request: Request) -> Response:
        raise ConnectionAbortedError

    server.expect_request("/v1/other").respond_with_handler(drop)

    with Client(server) as client:
        client.send("GET /v1/other HTTP/1.1\r\nHost: here\r\n\r\n")
        assert client.to_the_end() == b""

    assert [entry.ended for entry in server.journal()] == [Ended.DROPPED]


def test_a_matcher_that_raises_an_os_error_is_reported_in_the_answer(server: TaskServer) -> None:
    def fail(_: Request) -> Response:
        raise FileNotFoundError(errno.ENOENT, "No such file", "page.html")

    server.expect_request("/v1/other").respond_with_handler(fail)

    with Client(server) as client:
        status, _, body = client.get("/v1/other")
        (entry,) = once_ended(server.journal)

    assert (status, body["text"]) == (500, "FileNotFoundError: [Errno 2] No such file: 'page.html'")
    assert (entry.ended, entry.http) == (Ended.ANSWERED, 500)


@pytest.mark.parametrize("target", ["//[", "//[::1", "http://[/v1"])
def test_a_target_that_is_not_a_url_is_refused_and_its_connection_kept(
    server: TaskServer, target: str
) -> None:
    server.create(7, QUEUED)

    with Client(server) as client:
        status, _, body = client.get(target)
        assert client.get("/v1/jobs/7/state")[0] == 200
        told = once_ended(server.journal)

    assert (status, body) == (
        400,
        {"fault": 400, "text": f"the target {target} is not a URL: Invalid IPv6 URL"},
    )
    assert [(entry.ended, entry.http) for entry in told] == [(Ended.ANSWERED, 400), (Ended.ANSWERED, 200)]


@pytest.mark.parametrize("path", ["/v1/jobs/7/state", "//["], ids=["in the loop", "in a thread"])
def test_a_request_that_the_server_itself_fails_at_has_an_end(
    server: TaskServer, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    def fail(*_: object, **__: object) -> bytes:
        raise ZeroDivisionError

    server.create(7, QUEUED)
    server.create(8, STALLED)
    monkeypatch.setattr(http1, "whole", fail)

    with Client(server) as client, Client(server) as other:
        client.send(f"GET {path} HTTP/1.1\r\nHost: here\r\n\r\n")
        assert client.to_the_end() == b""
        (entry,) = once_ended(server.journal)
        other.send("GET /v1/jobs/8/state HTTP/1.1\r\nHost: here\r\n\r\n")
        assert server.wait_for_polls(8, 1, LIMIT_S), "one request's failure has ended the server"

    assert (entry.target, entry.ended, entry.http) == (path, Ended.DROPPED, None)
    with pytest.raises(ZeroDivisionError):
        server.check_handler_errors()


def test_a_matcher_sees_all_headers_of_its_request(server: TaskServer) -> None:
    server.expect_request("/v1/other").respond_with_handler(
        lambda request: Response(str(len(request.headers)))
    )

    with Client(server) as client:
        status, _, text = client.get("/v1/other", *[f"X-{number}: 1" for number in range(200)])

    assert (status, text) == (200, "201")


# --- faults -------------------------------------------------------------------------------------------


def test_an_http_fault_has_the_apis_body_or_its_own(server: TaskServer) -> None:
    fault = '{"fault": {"http": 429, "headers": {"Retry-After": "1"}, "body": {"wait": "${n}"}}}'
    server.create(7, steps('{"fault": {"http": 503}}', fault))

    with Client(server) as client:
        first = client.get("/v1/jobs/7/state")
        status, headers, body = client.get("/v1/jobs/7/state")

    assert seen_of(first) == (503, {"fault": 503, "text": "scenario: the server answers 503"})
    assert (status, headers["Retry-After"], body) == (429, "1", {"wait": 1})
    assert [(poll.ended, poll.http, poll.status) for poll in ended(server, 7)] == [
        (Ended.ANSWERED, 503, "503"),
        (Ended.ANSWERED, 429, "429"),
    ]


def test_a_text_fault_is_not_json(server: TaskServer) -> None:
    server.create(7, steps('{"fault": {"text": "<html>"}}'))

    with Client(server) as client:
        status, headers, body = client.get("/v1/jobs/7/state")

    assert (status, headers["Content-Type"], body) == (200, "text/html", "<html>")


def test_a_304_has_no_body(server: TaskServer) -> None:
    server.create(7, steps('{"fault": {"http": 304}}', '{"status": "queued"}'))

    with Client(server) as client:
        answers = [client.get("/v1/jobs/7/state")[0] for _ in range(2)]

    assert answers == [304, 200]


def test_a_fault_can_close_its_connection_by_a_header(server: TaskServer) -> None:
    server.create(7, steps('{"fault": {"http": 503, "headers": {"Connection": "close"}}}'))

    with Client(server) as client:
        _, headers, _ = client.get("/v1/jobs/7/state")
        assert client.to_the_end() == b""

    assert headers["Connection"] == "close"


def test_a_drop_before_the_response_ends_the_connection_without_a_byte(server: TaskServer) -> None:
    server.create(7, steps('{"fault": {"drop": "before-response"}}'))

    with Client(server) as client:
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
        assert client.to_the_end() == b""

    (poll,) = ended(server, 7)
    assert (poll.ended, poll.http, poll.status) == (Ended.DROPPED, None, "drop:before-response")


def test_a_reset_reaches_the_client_as_one(server: TaskServer) -> None:
    server.create(7, steps('{"fault": {"drop": "reset"}}'))

    with Client(server) as client:
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            client.to_the_end()

    (poll,) = ended(server, 7)
    assert (poll.ended, poll.http, poll.status) == (Ended.DROPPED, None, "drop:reset")


def test_a_drop_in_mid_body_promises_the_whole_and_sends_half(server: TaskServer) -> None:
    server.create(7, steps('{"fault": {"drop": "mid-body"}}'))

    with Client(server) as client:
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
        head, _, half = client.to_the_end().partition(b"\r\n\r\n")

    length = int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])
    assert half.startswith(b'{"job":7,"state":"queued","parcel":null')
    assert len(half) == length // 2
    (poll,) = ended(server, 7)
    assert (poll.ended, poll.http, poll.status) == (Ended.DROPPED, 200, "drop:mid-body")


def test_a_drop_lasts_until_it_has_hit_a_fresh_connection_and_its_repeats_are_no_polls(
    server: TaskServer,
) -> None:
    scenario = steps('{"status": "queued"}', '{"fault": {"drop": "before-response"}}', '{"status": "done"}')
    server.create(7, scenario)

    with Client(server) as reused:
        reused.get("/v1/jobs/7/state")
        reused.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
        assert reused.to_the_end() == b""
    said = b""
    while not said:  # at once, as an HTTP stack does by itself
        with Client(server) as fresh:
            fresh.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
            said = fresh.to_the_end()

    assert b'"state":"done"' in said
    polls = ended(server, 7)
    assert [(poll.connection, poll.fresh) for poll in polls[:3]] == [(1, True), (1, False), (2, True)]
    # A busy machine may repeat too late to be taken for an HTTP stack: what counts is when it did.
    state, expected = TaskState(tuple(scenario)), []
    for poll in polls:
        at_s = poll.arrived_ns / 1e9
        state, told = answer(state, at_s, connection=poll.connection, fresh=poll.fresh)
        expected.append((told.n, told.index, told.repeat, told.step.label))
    assert [(poll.n, poll.step, poll.repeat, poll.status) for poll in polls] == expected


# --- delays and idle connections ----------------------------------------------------------------------


def test_a_delayed_answer_comes_after_the_delay_and_is_in_flight_until_then(server: TaskServer) -> None:
    server.create(7, steps('{"status": "queued", "delay": "150ms"}'))

    with Client(server) as client:
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
        assert server.wait_for_polls(7, 1, LIMIT_S)
        (waiting,) = server.polls(7)
        status, _, _ = client.answer()

    assert (waiting.ended, waiting.answered_ns, waiting.http, waiting.n) == (Ended.IN_FLIGHT, None, None, 1)
    assert status == 200
    (poll,) = ended(server, 7)
    assert poll.answered_ns is not None
    assert poll.answered_ns - poll.arrived_ns >= 150_000_000
    assert poll == replace(waiting, ended=Ended.ANSWERED, answered_ns=poll.answered_ns, http=200)


@pytest.mark.parametrize("by_reset", [False, True])
def test_a_client_that_leaves_a_stalled_poll_has_abandoned_it_at_once(
    server: TaskServer, by_reset: bool
) -> None:
    server.create(7, STALLED)

    with Client(server) as client:
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
        assert server.wait_for_polls(7, 1, LIMIT_S)
        if by_reset:
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        left_ns = time.monotonic_ns()
    (poll,) = ended(server, 7)

    assert poll.ended is Ended.ABANDONED
    assert poll.answered_ns is not None
    assert left_ns <= poll.answered_ns <= time.monotonic_ns()


def test_requests_sent_ahead_are_answered_in_order_after_a_delay(server: TaskServer) -> None:
    server.create(7, steps('{"status": "queued", "delay": "20ms"}', '{"status": "done"}'))

    with Client(server) as client:
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
        client.send(
            "GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n\r\n"
            "GET /v1/jobs/8/state HTTP/1.1\nHost: here\n\n"
        )
        answers = [client.answer() for _ in range(3)]

    assert [(status, body.get("state")) for status, _, body in answers] == [
        (200, "queued"),
        (200, "done"),
        (404, None),
    ]


def test_an_idle_connection_is_closed_after_its_time_without_notice(server: TaskServer) -> None:
    server.create(7, steps('{"status": "queued", "close_after": "50ms"}'))

    with Client(server) as client:
        _, headers, _ = client.get("/v1/jobs/7/state")
        (poll,) = ended(server, 7)
        assert client.to_the_end() == b""
        closed_ns = time.monotonic_ns()

    assert "Connection" not in headers
    assert poll.answered_ns is not None
    assert closed_ns - poll.answered_ns >= 50_000_000


def test_a_late_server_closes_no_connection_on_which_a_request_has_come(contract: Contract) -> None:
    def stand_still(entry: JournalEntry) -> None:
        if entry.task_id == "8" and entry.answered_ns is None:
            is_late.set()
            time.sleep(0.6)  # in the thread of the loop, which is late for everything after that

    is_late = threading.Event()
    with TaskServer(contract, on_entry=stand_still) as server, Client(server) as one, Client(server) as other:
        server.create(7, steps('{"status": "queued", "close_after": "500ms"}'))
        server.create(8, QUEUED)
        one.get("/v1/jobs/7/state")
        other.send("GET /v1/jobs/8/state HTTP/1.1\r\nHost: here\r\n\r\n")
        assert is_late.wait(LIMIT_S)

        one.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")

        assert (one.answer()[0], other.answer()[0]) == (200, 200)


def test_a_connection_that_carries_another_request_in_time_is_not_closed(server: TaskServer) -> None:
    server.create(7, steps('{"status": "queued", "close_after": "10m"}', '{"status": "queued"}'))

    with Client(server) as client:
        answers = [client.get("/v1/jobs/7/state")[0] for _ in range(3)]

    assert answers == [200, 200, 200]


# --- HTTP ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("request_line", "lines", "connection"),
    [
        ("HTTP/1.1", [], None),
        ("HTTP/1.1", ["Connection: Close"], "close"),
        ("HTTP/1.1", ["Connection: keep-alive, TE"], None),
        ("HTTP/1.0", [], "close"),
        ("HTTP/1.0", ["Connection: Keep-Alive"], "keep-alive"),
    ],
)
def test_a_connection_lives_as_long_as_its_client_asked(
    server: TaskServer, request_line: str, lines: list[str], connection: str | None
) -> None:
    server.create(7, QUEUED)

    with Client(server) as client:
        text = "\r\n".join([f"GET /v1/jobs/7/state {request_line}", "Host: here", *lines]) + "\r\n\r\n"
        client.send(text)
        _, headers, _ = client.answer()
        if connection == "close":
            assert client.to_the_end() == b""
        else:
            client.send(text)
            assert client.answer()[0] == 200

    assert headers.get("Connection") == connection


def test_a_body_on_a_get_is_read_and_of_no_consequence(server: TaskServer) -> None:
    server.create(7, QUEUED)

    with Client(server) as client:
        sized = client.get("/v1/jobs/7/state", "Content-Length: 4", body="null")
        chunked = client.get("/v1/jobs/7/state", "Transfer-Encoding: Chunked", body="4\r\nnull\r\n0\r\n\r\n")
        plain = client.get("/v1/jobs/7/state")

    assert [sized[0], chunked[0], plain[0]] == [200, 200, 200]


def test_a_client_that_asks_before_it_sends_a_body_gets_100_continue(server: TaskServer) -> None:
    server.create(7, QUEUED, token="tok")
    body = '{"to": [{"name": "tok"}]}'

    with Client(server) as client:
        client.send(
            "POST /v1/parcels HTTP/1.1\r\nHost: here\r\nExpect: 100-continue\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        go_on = client.answer()
        client.send(body)
        status, _, _ = client.answer()

    assert (go_on, status) == ((100, {}, ""), 202)


LARGEST = 1024 * 1024


@pytest.mark.parametrize(
    ("request_text", "http", "message"),
    [
        ("GARBAGE\r\n", 400, "malformed request line: it must read 'GET /path HTTP/1.1'"),
        ("\x16\x03\x01\x02\n", 400, "malformed request line: it must read 'GET /path HTTP/1.1'"),
        ("GET /a b HTTP/1.1\r\n", 400, "malformed request line: it must read 'GET /path HTTP/1.1'"),
        ("GET / HTTP/2.0\r\n", 400, "malformed request line: it must read 'GET /path HTTP/1.1'"),
        (
            "GET / HTTP/1.1\r\nHost: here\r\nno colon\r\n\r\n",
            400,
            "malformed request: illegal header line: 'no colon'",
        ),
        (
            "GET / HTTP/1.1\r\nHost: here\r\nName : x\r\n\r\n",
            400,
            "malformed request: illegal header line: 'Name : x'",
        ),
        (
            "GET / HTTP/1.1\r\n folded: x\r\nHost: here\r\n\r\n",
            400,
            "malformed request: continuation line at start of headers",
        ),
        (
            "GET / HTTP/1.1\r\nHost: here\r\nContent-Length: -1\r\n\r\n",
            400,
            "malformed request: bad Content-Length",
        ),
        (
            "GET / HTTP/1.1\r\nHost: here\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            400,
            "malformed request: conflicting Content-Length headers",
        ),
        (
            "GET / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: gzip\r\n\r\n",
            501,
            "malformed request: Only Transfer-Encoding: chunked is supported",
        ),
        (
            "GET / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            400,
            "malformed request: illegal chunk header: 'x\\r\\n'",
        ),
        (
            "GET / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabcd\r\n",
            400,
            "malformed request: malformed chunk footer: 'cd' (expected b'\\r\\n')",
        ),
        ("GET / HTTP/1.1\r\n\r\n", 400, "malformed request: Missing mandatory Host: header"),
        (
            "GET / HTTP/1.1\r\nHost: here\r\nContent-Length: " + "1" * 5000 + "\r\n\r\n",
            400,
            "malformed request: bad Content-Length",
        ),
        (
            "GET / HTTP/1.1\r\nHost: here\r\nX: a\0b\r\n\r\n",
            400,
            "malformed request: illegal header line: 'X: a\\x00b'",
        ),
        ("GET /" + "a" * 65536, 431, "the request's header is larger than 65536 bytes"),
        (
            "GET / HTTP/1.1\r\nHost: here\r\nX: " + "a" * 70000 + "\r\n\r\n",
            431,
            "the request's header is larger than 65536 bytes",
        ),
        (
            "GET / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n"
            + "T: 1\r\n" * 20000,
            431,
            "the request's header is larger than 65536 bytes",
        ),
        (
            f"POST / HTTP/1.1\r\nHost: here\r\nContent-Length: {LARGEST + 1}\r\n\r\n" + "a" * (LARGEST + 1),
            413,
            "the request's body is larger than 1048576 bytes",
        ),
        (
            "POST / HTTP/1.1\r\nHost: here\r\nTransfer-Encoding: chunked\r\n\r\n"
            + ("10000\r\n" + "a" * 65536 + "\r\n") * 17,
            413,
            "the request's body is larger than 1048576 bytes",
        ),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else None,
)
def test_bytes_that_are_not_a_request_are_refused_and_the_connection_closed(
    server: TaskServer, request_text: str, http: int, message: str
) -> None:
    with Client(server) as client:
        client.send(request_text.encode("latin-1"))
        status, headers, body = client.answer()
        assert client.to_the_end() == b""

    assert (status, headers["Connection"], body) == (http, "close", {"fault": http, "text": message})
    assert [(stray.http, stray.fresh) for stray in server.strays()] == [(http, True)]
    assert len(server.strays()[0].target) <= 201


def test_a_body_of_the_largest_size_is_taken(server: TaskServer) -> None:
    server.expect_request("/v1/other").respond_with_handler(lambda request: Response(str(len(request.data))))

    with Client(server) as client:
        body = "a" * LARGEST
        _, _, text = client.get("/v1/other", f"Content-Length: {LARGEST}", body=body, method="POST")

    assert text == str(LARGEST)


@pytest.mark.parametrize("garbage", [b"", b"\0" * 100, b"\r\n" * 100, b"GET / HTT", bytes(range(256)) * 10])
def test_garbage_and_a_hasty_end_leave_the_server_well(
    server: TaskServer, garbage: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    server.create(7, QUEUED)
    with Client(server) as client, contextlib.suppress(ConnectionError):
        client.send(garbage)
    with Client(server) as client:
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n" * 50)
        client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with Client(server) as client:
        status, _, _ = client.get("/v1/jobs/7/state")

    assert status == 200
    server.stop()
    assert capfd.readouterr() == ("", "")
    assert server.handler_errors == []


# --- start and stop -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sent",
    [
        "GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n",
        "",
        "GET /v1/jobs/7/st",
        "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n",
    ],
    ids=["a stall", "an idle connection", "half a request", "half a body"],
)
def test_stop_takes_less_than_a_second_and_nothing_is_answered_afterwards(
    server: TaskServer, sent: str
) -> None:
    server.create(7, STALLED)
    server.create(8, QUEUED)
    threads = set(threading.enumerate())
    is_stall = sent.startswith("GET") and sent.endswith("\r\n\r\n")

    with Client(server) as client:
        client.get("/v1/jobs/8/state")
        client.send(sent)
        if is_stall:
            assert server.wait_for_polls(7, 1, LIMIT_S)
        began = time.monotonic()
        server.stop()
        took_s = time.monotonic() - began
        answered = b""
        with contextlib.suppress(ConnectionError):
            client.send("GET /v1/jobs/8/state HTTP/1.1\r\nHost: here\r\n\r\n")
            answered = client.to_the_end()

    assert took_s < 1
    assert answered == b""
    assert set(threading.enumerate()) < threads
    assert [poll.ended for poll in server.polls(7)] == ([Ended.STOPPED] if is_stall else [])
    assert len(server.polls(8)) == 1
    with pytest.raises(ConnectionRefusedError):
        Client(server)


def test_stop_does_not_wait_for_a_matcher_and_its_answer_is_lost(server: TaskServer) -> None:
    entered, leave = threading.Event(), threading.Event()

    def hang(_: Request) -> Response:
        entered.set()
        leave.wait(LIMIT_S)
        return Response("late")

    server.expect_request("/v1/other").respond_with_handler(hang)

    with Client(server) as client:
        client.send("GET /v1/other HTTP/1.1\r\nHost: here\r\n\r\n")
        assert entered.wait(LIMIT_S)
        began = time.monotonic()
        server.stop()
        took_s = time.monotonic() - began
        leave.set()
        answered = client.to_the_end()

    assert took_s < 1
    assert answered == b""


def test_a_server_that_was_stopped_starts_again_on_its_port(server: TaskServer) -> None:
    server.create(7, QUEUED)
    url = server.base_url
    server.stop()
    server.start()

    with Client(server) as client:
        status, _, _ = client.get("/v1/jobs/7/state")

    assert (status, server.base_url) == (200, url)


def test_a_server_whose_loop_has_ended_by_a_mistake_tells_every_caller(contract: Contract) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    with TaskServer(contract) as server, Client(server) as client:
        server.create(7, QUEUED)
        client.get("/v1/jobs/7/state")
        loop_thread = server.server_thread
        assert isinstance(server.server, BaseWSGIServer)
        server.server.loop.call(fail)  # type: ignore[attr-defined]
        assert loop_thread is not None
        loop_thread.join(LIMIT_S)
        assert client.to_the_end() == b""

        assert not server.is_running()
        calls: list[Callable[[], object]] = [
            lambda: server.create(8, QUEUED),
            lambda: server.add("any"),
            lambda: server.forget(7),
            lambda: server.change(7, lambda state: state),
            lambda: server.state(7),
            lambda: server.entries(7),
            server.journal,
            lambda: server.polls(7),
            server.strays,
            lambda: server.wait_for_polls(7, 1, LIMIT_S),
        ]
        for call in calls:
            with pytest.raises(
                HarnessError, match=r"^the mock server's loop has ended: ZeroDivisionError\(\)$"
            ):
                call()
        with pytest.raises(ConnectionRefusedError):
            Client(server)

        server.start()
        with Client(server) as again:
            assert again.get("/v1/jobs/7/state")[0] == 200


def test_a_wait_for_polls_raises_when_the_loop_ends(server: TaskServer) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    assert server.server is not None
    threading.Timer(0.1, lambda: server.server.loop.call(fail)).start()  # type: ignore[union-attr]

    with pytest.raises(HarnessError, match="ZeroDivisionError"):
        server.wait_for_polls(7, 1, LIMIT_S)


def test_a_port_in_use_is_reported_with_a_fix(server: TaskServer, contract: Contract) -> None:
    second = TaskServer(contract, port=server.port)

    with pytest.raises(InputError) as caught:
        second.start()

    assert str(caught.value) == (
        f"--port {server.port}: another program is already listening on port {server.port} of 127.0.0.1\n"
        "  fix:      stop that program; or --port 0 lets the system choose a free one"
    )
    assert not second.is_running()


@pytest.mark.parametrize(
    ("host", "port", "first_line"),
    [
        ("127.0.0.1", 70000, "--port 70000: there is no such port"),
        ("127.0.0.1", -1, "--port -1: there is no such port"),
        ("192.0.2.1", 0, f"--host 192.0.2.1: cannot listen on 192.0.2.1: [Errno {errno.EADDRNOTAVAIL}] "),
    ],
)
def test_an_address_that_cannot_be_used_is_reported(
    contract: Contract, host: str, port: int, first_line: str
) -> None:
    with pytest.raises(InputError) as caught:
        TaskServer(contract, host=host, port=port).start()

    assert str(caught.value).startswith(first_line)


# --- on_entry -----------------------------------------------------------------------------------------


def test_on_entry_is_called_twice_for_each_request_and_may_ask_the_server(contract: Contract) -> None:
    entries: list[JournalEntry] = []
    both = threading.Semaphore(0)

    def on_entry(entry: JournalEntry) -> None:
        assert watched.polls(7)[-1] == entry  # under a lock this would hang
        watched.create(8, QUEUED)
        entries.append(entry)
        both.release()

    watched = TaskServer(contract, on_entry=on_entry)
    with watched:
        watched.create(7, QUEUED)
        with Client(watched) as client:
            client.get("/v1/jobs/7/state")
            assert both.acquire(timeout=LIMIT_S), "no arrival was reported"
            assert both.acquire(timeout=LIMIT_S), "no end was reported"
        journal = watched.journal()

    arrived, end = entries
    assert (end,) == journal
    assert arrived == replace(end, ended=Ended.IN_FLIGHT, answered_ns=None, http=None)


def test_an_on_entry_that_raises_costs_no_client_its_answer(contract: Contract) -> None:
    def on_entry(_: JournalEntry) -> None:
        raise ZeroDivisionError

    with TaskServer(contract, on_entry=on_entry) as server, Client(server) as client:
        server.create(7, QUEUED)
        status, _, _ = client.get("/v1/jobs/7/state")

    assert status == 200
    with pytest.raises(ZeroDivisionError):
        server.check_handler_errors()


# --- tasks that nobody has prepared -------------------------------------------------------------------


class MakesOne:
    """Makes any task whose number begins with a 7: it is done at once."""

    def __init__(self) -> None:
        self.server: TaskServer | None = None

    def task(self, task_id: str) -> str:
        if not task_id.startswith("7"):
            return f"{task_id} does not begin with a 7"
        assert self.server is not None
        self.server.create(int(task_id), steps('{"status": "done"}'))
        return ""

    def operation(self, begins: BeginRequest, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
        number = headers.get("x-number", "")
        if begins.name != "send" or not number:
            return "", ""
        why = self.task(number)
        return "" if why else number, why


@pytest.fixture
def making(contract: Contract) -> Iterator[TaskServer]:
    factory = MakesOne()
    with TaskServer(contract, task_factory=factory, allowed_hosts={"127.0.0.1", "[::1]"}) as server:
        factory.server = server
        yield server


def test_a_task_is_made_when_its_id_is_asked_for(making: TaskServer) -> None:
    answer = requests.get(f"{making.base_url}/v1/jobs/78/state", timeout=5)

    assert answer.json()["state"] == "done"
    assert [poll.n for poll in making.polls(78)] == [1]


def test_an_id_that_says_nothing_is_answered_with_the_reason(making: TaskServer) -> None:
    answer = requests.get(f"{making.base_url}/v1/jobs/87/state", timeout=5)

    assert (answer.status_code, answer.json()["text"]) == (404, "87 does not begin with a 7")


def test_an_operation_without_a_prepared_task_begins_one_that_is_made_now(making: TaskServer) -> None:
    url = f"{making.base_url}/v1/parcels"

    answer = requests.post(url, json={"to": [{"name": "x"}]}, headers={"X-Number": "712"}, timeout=5)

    assert (answer.status_code, answer.json()["job"]) == (202, 712)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({"X-Number": "812"}, "812 does not begin with a 7"),
        ({}, "the body has no scenario's token at 'to.0.name'"),
    ],
    ids=["with a reason", "without"],
)
def test_an_operation_that_begins_no_task_is_answered_with_the_reason(
    making: TaskServer, headers: dict[str, str], message: str
) -> None:
    answer = requests.post(f"{making.base_url}/v1/parcels", json={}, headers=headers, timeout=5)

    assert (answer.status_code, answer.json()["text"]) == (404, message)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "127.0.0.1:80:80x"])
def test_a_request_under_another_name_is_refused(making: TaskServer, host: str) -> None:
    answer = requests.get(f"{making.base_url}/v1/jobs/7/state", headers={"Host": host}, timeout=5)

    assert answer.status_code == 421
    assert "does not serve" in answer.json()["text"]
    assert making.polls(7) == ()


def test_the_refusal_of_a_name_says_how_to_allow_it(making: TaskServer) -> None:
    url = f"{making.base_url}/v1/jobs/7/state"

    answer = requests.get(url, headers={"Host": "Server.example:80"}, timeout=5)

    assert answer.json()["text"] == (
        "this server does not serve 'server.example', which the Host header names; "
        "--allow-host server.example allows it"
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8080", "[::1]:80"])
def test_a_request_under_a_known_name_is_served(making: TaskServer, host: str) -> None:
    answer = requests.get(f"{making.base_url}/v1/jobs/7/state", headers={"Host": host}, timeout=5)

    assert answer.status_code == 200


def test_a_task_can_be_changed_between_two_polls(server: TaskServer) -> None:
    server.create(3, QUEUED)
    url = f"{server.base_url}/v1/jobs/3/state"
    before = [requests.get(url, timeout=5).json()["state"] for _ in range(3)]

    done = tuple(steps('{"status": "done", "result": {"channels": 2}}'))
    assert server.change(3, lambda state: replace(state, steps=done, step=0, used=0, began_s=None))

    after = requests.get(url, timeout=5).json()
    assert (before, after["state"], after["parcel"]) == (["queued"] * 3, "done", {"channels": 2})
    assert [poll.n for poll in server.polls(3)] == [1, 2, 3, 4]
    assert not server.change(4, lambda state: state)


def test_a_request_that_is_no_poll_is_among_the_entries_of_its_task(server: TaskServer) -> None:
    server.create(3, steps('{"status": "done"}'))
    url = f"{server.base_url}/v1/jobs/3/state"
    requests.get(url, timeout=5)
    requests.delete(url, timeout=5)

    assert [entry.method for entry in server.entries(3)] == ["GET", "DELETE"]


def test_a_body_over_the_limit_is_refused(contract: Contract) -> None:
    with TaskServer(contract, max_body_bytes=100) as server:
        answer = requests.post(f"{server.base_url}/x", data=b"x" * 101, timeout=5)

    assert (answer.status_code, answer.json()["text"]) == (
        413,
        "the request's body is larger than 100 bytes",
    )


def test_tasks_are_made_beside_the_polls_and_each_once(contract: Contract) -> None:
    may_go_on = threading.Event()
    asked: list[str] = []

    class Slow:
        def task(self, task_id: str) -> str:
            asked.append(task_id)
            may_go_on.wait(LIMIT_S)
            slow.create(int(task_id), QUEUED)
            return ""

        def operation(self, begins: BeginRequest, headers: Mapping[str, str], body: bytes) -> tuple[str, str]:
            return "", ""

    slow = TaskServer(contract, task_factory=Slow())
    with slow, Client(slow) as first, Client(slow) as second, Client(slow) as other:
        slow.create(7, QUEUED)
        for client in (first, second):
            client.send("GET /v1/jobs/8/state HTTP/1.1\r\nHost: here\r\n\r\n")
        assert other.get("/v1/jobs/7/state")[0] == 200
        may_go_on.set()
        answers = [first.answer()[0], second.answer()[0], first.get("/v1/jobs/8/state")[0]]
        polls = ended(slow, 8)

    assert (answers, asked) == ([200, 200, 200], ["8"])
    assert [(poll.n, poll.connection, poll.fresh) for poll in polls[2:]] == [(3, polls[2].connection, False)]
    assert [poll.fresh for poll in polls[:2]] == [True, True]


def test_a_task_factory_that_raises_is_reported_in_the_answer(contract: Contract) -> None:
    class Broken(MakesOne):
        def task(self, task_id: str) -> str:
            raise ZeroDivisionError(f"{task_id} by zero")

    with TaskServer(contract, task_factory=Broken()) as server, Client(server) as client:
        server.create(7, QUEUED)
        answers = [
            client.get("/v1/jobs/8/state"),
            client.get("/v1/parcels", "X-Number: 9", method="POST"),
            client.get("/v1/jobs/7/state"),
        ]
        told = once_ended(server.journal)

    assert [(status, body.get("text")) for status, _, body in answers] == [
        (500, "ZeroDivisionError: 8 by zero"),
        (500, "ZeroDivisionError: 9 by zero"),
        (200, None),
    ]
    assert [entry.ended for entry in told] == [Ended.ANSWERED] * 3
    with pytest.raises(ZeroDivisionError):
        server.check_handler_errors()


# --- many clients, and slow ones ----------------------------------------------------------------------

MANY = 300  # connections, of which this process has both ends


def poll_at_once(server: TaskServer) -> int:
    """Return the status code of an answer that anybody gets at once."""
    with Client(server) as client:
        return client.get("/v1/jobs/8/state")[0]


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "GET /v1/jobs/8/state",
        "POST / HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\n",
        "GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n",
    ],
    ids=["idle", "half a head", "half a body", "stalled"],
)
def test_clients_that_wait_hold_no_thread_and_disturb_no_other(server: TaskServer, sent: str) -> None:
    server.create(7, STALLED)
    server.create(8, QUEUED)
    before = threading.active_count()

    with contextlib.ExitStack() as clients:
        for _ in range(MANY):
            clients.enter_context(Client(server)).send(sent)
        answered = poll_at_once(server)
        if "HTTP/1.1" in sent and sent.startswith("GET"):
            assert server.wait_for_polls(7, MANY, LIMIT_S)
        assert threading.active_count() == before
        began = time.monotonic()
        server.stop()
        took_s = time.monotonic() - began

    assert answered == 200
    assert took_s < 1


def test_clients_that_connect_at_once_are_all_answered(server: TaskServer) -> None:
    server.create(7, QUEUED)

    with contextlib.ExitStack() as clients:
        socks = [clients.enter_context(socket.socket()) for _ in range(MANY)]
        for sock in socks:
            sock.setblocking(False)
            sock.connect_ex(("127.0.0.1", server.port))
        for sock in socks:
            sock.settimeout(LIMIT_S)
            sock.sendall(b"GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        answers = [sock.recv(17) for sock in socks]

    assert answers == [b"HTTP/1.1 200 OK\r\n"] * MANY
    assert sorted(poll.n for poll in server.polls(7)) == list(range(1, MANY + 1))


@pytest.mark.parametrize(
    ("sent", "target"),
    [
        ("GET /v1/jobs/7/st", "/v1/jobs/7/st"),
        ("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\nX: ", "/v1/jobs/7/state"),
        ("POST /a HTTP/1.1\r\nHost: here\r\nContent-Length: 9\r\n\r\nbody", "/a"),
    ],
    ids=["half a line", "half a head", "half a body"],
)
def test_a_request_that_is_not_whole_in_time_is_refused(contract: Contract, sent: str, target: str) -> None:
    with TaskServer(contract, request_limit_s=0.1) as server, Client(server) as client:
        server.create(7, QUEUED)
        client.get("/v1/jobs/7/state")
        began = time.monotonic()
        client.send(sent)
        status, headers, body = client.answer()
        took_s = time.monotonic() - began
        assert client.to_the_end() == b""
        refused = server.journal()[-1]

    assert (status, headers["Connection"]) == (408, "close")
    assert body == {"fault": 408, "text": "the request was not whole within 0.1 s"}
    assert took_s >= 0.1
    assert (refused.target, refused.http, refused.task_id) == (target, 408, "7")


def test_a_connection_that_is_idle_between_requests_has_no_limit(contract: Contract) -> None:
    with TaskServer(contract, request_limit_s=0.05) as server, Client(server) as client:
        server.create(7, QUEUED)
        client.get("/v1/jobs/7/state")
        with Client(server) as slow:
            slow.send("GET /")
            assert slow.answer()[0] == 408

        assert client.get("/v1/jobs/7/state")[0] == 200


def test_a_request_that_comes_byte_by_byte_has_arrived_with_its_line(server: TaskServer) -> None:
    server.create(7, QUEUED)
    text = b"GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\nX: y\r\n\r\n"

    with Client(server) as client:
        for number, byte in enumerate(text):
            if number == text.index(b"\n"):
                before_ns = time.monotonic_ns()
            client.send(bytes([byte]))
        last_ns = time.monotonic_ns()
        assert client.answer()[0] == 200
    (poll,) = ended(server, 7)

    assert before_ns <= poll.arrived_ns
    assert poll.answered_ns is not None
    assert poll.arrived_ns < poll.answered_ns
    assert poll.answered_ns >= last_ns - 1_000_000_000


LARGE = [Step(status="done", result="x" * (8 * 1024 * 1024))]  # a placeholder takes a second to fill in


def test_a_client_that_reads_slowly_gets_the_whole_answer(server: TaskServer) -> None:
    server.create(7, LARGE)
    server.create(8, QUEUED)
    length = 0

    with Client(server) as client:
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
        assert server.wait_for_polls(7, 1, LIMIT_S)
        assert poll_at_once(server) == 200
        assert len(server.polls(7)) == 1, "the first answer went out at once: this test needs a larger one"
        while data := client.sock.recv(65536):
            length += len(data)

    assert length >= 2 * 8 * 1024 * 1024
    assert [poll.ended for poll in ended(server, 7)] == [Ended.ANSWERED] * 2


def test_a_client_that_never_reads_its_answer_counts_as_gone(contract: Contract) -> None:
    with TaskServer(contract, send_limit_s=0.2) as server, Client(server) as client, Client(server) as other:
        server.create(7, LARGE)
        server.create(8, QUEUED)
        server.expect_request("/large").respond_with_data("x" * 8 * 1024 * 1024)
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
        other.send("GET /large HTTP/1.1\r\nHost: here\r\n\r\n")
        assert server.wait_for_polls(7, 1, LIMIT_S)
        assert poll_at_once(server) == 200
        (poll,) = ended(server, 7)
        with pytest.raises(EOFError):
            client.answer()
        with pytest.raises(EOFError):
            other.answer()
        rest = [entry for entry in server.journal() if entry.target == "/large"]

    assert (poll.ended, poll.http) == (Ended.ABANDONED, None)
    assert [entry.ended for entry in rest] == [Ended.ABANDONED]


def test_what_a_client_sends_ahead_of_a_delayed_answer_is_all_served(server: TaskServer) -> None:
    server.create(7, steps('{"status": "queued", "delay": "100ms"}', '{"status": "done"}'))
    ahead = "GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\nContent-Length: 900000\r\n\r\n" + "x" * 900_000

    with Client(server) as client:
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
        client.send(ahead * 4)
        states = [client.answer()[2]["state"] for _ in range(5)]

    assert states == ["queued", "done", "done", "done", "done"]


def test_a_matcher_may_stream_until_the_server_stops(server: TaskServer) -> None:
    server.create(8, QUEUED)
    tick = threading.Event()

    def stream(_: Request) -> Response:
        def events() -> Iterator[str]:
            while True:
                yield "data: tick\n\n"
                tick.wait(0.01)

        return Response(events(), mimetype="text/event-stream")

    server.expect_request("/events").respond_with_handler(stream)
    with Client(server) as client:
        client.send("GET /events HTTP/1.1\r\nHost: here\r\n\r\n")
        status, headers, _ = client.answer()
        while client.rest.count(b"tick") < 3:
            client._more()
        assert poll_at_once(server) == 200
        began = time.monotonic()
        server.stop()
        took_s = time.monotonic() - began
        client.to_the_end()

    assert (status, headers["Content-Type"]) == (200, "text/event-stream; charset=utf-8")
    assert took_s < 1
    events = once_ended(lambda: tuple(entry for entry in server.journal() if entry.target == "/events"))
    assert [entry.ended for entry in events] == [Ended.STOPPED]


def test_where_no_thread_can_begin_polls_are_answered_and_nothing_else(
    making: TaskServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    making.create(8, QUEUED)
    making.expect_request("/v1/other").respond_with_data("x")
    monkeypatch.setattr(threading.Thread, "start", start)

    with Client(making) as client:
        refused = [client.get(path, "Host: 127.0.0.1") for path in ("/v1/other", "/v1/jobs/7/state")]
        status, _, _ = client.get("/v1/jobs/8/state", "Host: 127.0.0.1")

    answers = [(http, body["text"]) for http, _, body in refused]
    assert (answers, status) == ([(503, "can't start new thread")] * 2, 200)
    assert [poll.http for poll in ended(making, 8)] == [200]
    assert [entry.http for entry in making.journal()] == [503, 503, 200]


def test_on_entry_may_stop_the_server(contract: Contract) -> None:
    watched = TaskServer(contract, on_entry=lambda _: watched.stop() if watched.is_running() else None)
    watched.create(7, QUEUED)
    watched.start()
    thread = watched.server_thread
    assert thread is not None

    with Client(watched) as client, contextlib.suppress(ConnectionError):
        client.send("GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
        assert client.to_the_end() == b""
    thread.join(LIMIT_S)

    assert not thread.is_alive()
    assert [poll.ended for poll in watched.polls(7)] == [Ended.STOPPED]


# --- open files ---------------------------------------------------------------------------------------

resource = pytest.importorskip("resource", reason="this system has no limit of open files")


def test_a_server_that_can_open_no_more_files_lets_new_clients_wait(server: TaskServer) -> None:
    server.create(7, QUEUED)
    server.create(8, QUEUED)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.ExitStack() as clients:
        known = clients.enter_context(Client(server))
        known.get("/v1/jobs/8/state")
        socks = [clients.enter_context(socket.socket()) for _ in range(20)]
        used = max(sock.fileno() for sock in socks) + 1
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (used, hard))
            for sock in socks:
                sock.connect(("127.0.0.1", server.port))
                sock.sendall(b"GET /v1/jobs/7/state HTTP/1.1\r\nHost: here\r\n\r\n")
            assert not server.wait_for_polls(7, 20, 0.2)
            assert known.get("/v1/jobs/8/state")[0] == 200
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

        assert server.wait_for_polls(7, 20, LIMIT_S)
        answers = [sock.recv(15) for sock in socks]

    assert answers == [b"HTTP/1.1 200 OK"] * 20


def test_a_process_that_only_serves_may_have_as_many_files_as_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        raise_file_limit()
        raised, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        raise_file_limit()
        again = resource.getrlimit(resource.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert raised == hard or raised >= 10_240
    assert again == (raised, hard)
