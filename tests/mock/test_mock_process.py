from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from waitproof.errors import HarnessError, InputError
from waitproof.journal import Ended, JournalEntry
from waitproof.mock import process as mock_process
from waitproof.mock.lag import LagMeter, worst_lag_s
from waitproof.mock.process import ServerProcess, TaskPlan
from waitproof.suite.contract import Contract
from waitproof.suite.document import Document
from waitproof.suite.model import build
from waitproof.suite.step import Step

LIMIT_S = 5.0  # for an event that comes at once: long enough for a machine whose cores are busy
ROOT = Path(mock_process.__file__).parents[2]

CONTRACT = """
format: 1
name: parcels
title: A parcel service that knows its jobs by number
source: the test
task_id: integer
endpoint: {method: POST, path: "/v1/jobs/{task_id}"}
credentials: {headers: [Authorization], query: [key]}
answer: {body: {job: "${task_id}", state: "${status}", parcel: "${result}", trouble: "${error}"}}
error: {reason: lost}
http_error: {headers: {X-Fault: "yes"}, body: {fault: "${http}", text: "${message}"}}
statuses: {queued: keep_polling, done: return_result, lost: raise_task}
unknown_status: raise_task
timeout: {kind: task, fields: {id: "${task_id}"}}
defaults: {poll_interval: 1500ms, timeout: 10m}
exception_fields: {reason: trouble.reason}
operations:
  send:
    path: /v1/parcels
    token: to
    arguments: {to: "${token}"}
    status: 202
    body: {job: "${task_id}"}
environment: [PARCELS_KEY]
requirements:
  - id: one
    level: MUST
    quote: It does.
    check: any
    with: {field: null}
    applies_to: {language: java}
"""

CONTRACT_MODEL = build(Contract, Document(CONTRACT, "contract.yaml"))


def step(text: str) -> Step:
    return Step.model_validate_json(text)


QUEUED = (step('{"status": "queued"}'),)
STALLED = (step('{"status": "queued", "delay": "60s"}'),)


@pytest.fixture(scope="module")
def shared() -> Iterator[ServerProcess]:
    """One server for the tests that leave it as it was, each with task ids of its own.

    Its stderr has the packages that it has imported and does not need.
    """
    needless = '{"asyncio", "jinja2", "pytest_httpserver", "werkzeug"}'
    report = f"print(sorted({needless} & sys.modules.keys()), file=sys.stderr, flush=True)"
    with pytest.MonkeyPatch.context() as patch:
        program = mock_process._PROGRAM.replace("import main; ", f"import main; {report}; ")
        patch.setattr(mock_process, "_PROGRAM", program)
        server = ServerProcess(CONTRACT_MODEL)
    with server:
        yield server


def connect(server: ServerProcess) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.base_url.removeprefix("http://"), timeout=LIMIT_S)


def poll(server: ServerProcess, task_id: object, path: str = "/v1/jobs/{}") -> tuple[int, Any]:
    connection = connect(server)
    with contextlib.closing(connection):
        connection.request("POST", path.format(task_id))
        response = connection.getresponse()
        return response.status, json.loads(response.read())


def has_ended(server: ServerProcess, task_id: int, polls: int = 1) -> bool:
    """Wait until so many requests of a task have ended: their clients know that a moment earlier."""
    return server.wait_for(
        lambda: [e.ended for e in server.entries(task_id)].count(Ended.ANSWERED) == polls, LIMIT_S
    )


# --- what crosses -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"status": "queued"}',
        '{"status": "queued", "times": 3, "delay": "150ms", "close_after": "1.5s"}',
        '{"status": "queued", "times": "forever"}',
        '{"status": "queued", "for": "0s"}',
        '{"status": "done", "result": null, "error": null, "body": {"a": [1, 2.5, "ü"]}, "omit": ["x", "y"]}',
        '{"status": "done", "result": {"text": "${text:2MiB}"}, "error": {}}',
        '{"fault": {"http": 503, "headers": {"Retry-After": "1"}, "body": {"a": null}}, "times": 1}',
        '{"fault": {"http": 503, "body": null}}',
        '{"fault": {"drop": "mid-body"}}',
        '{"fault": {"text": "<html>"}}',
    ],
)
def test_a_step_crosses_as_its_author_wrote_it(text: str) -> None:
    written = step(text)

    (crossed,) = mock_process._plan_to_json(TaskPlan(1, (written,)))["steps"]
    arrived = step(json.dumps(crossed))

    assert json.loads(text).keys() == crossed.keys()
    assert (arrived, arrived.model_fields_set) == (written, written.model_fields_set)
    if written.fault is not None and arrived.fault is not None:
        assert arrived.fault.model_fields_set == written.fault.model_fields_set


def test_a_contract_crosses_as_its_author_wrote_it() -> None:
    crossed = json.dumps(CONTRACT_MODEL.model_dump(mode="json", by_alias=True, exclude_unset=True))

    assert Contract.model_validate_json(crossed) == CONTRACT_MODEL


def test_a_task_answers_from_another_process_as_it_does_from_this_one(shared: ServerProcess) -> None:
    lost = step('{"status": "lost", "result": {"copy": "${n}", "of": "${token}"}}')
    shared.create([TaskPlan(10, (*QUEUED, lost), token="tok", n=3), TaskPlan(11, QUEUED)])

    answers = [poll(shared, 10), poll(shared, 10), poll(shared, 11)]

    assert answers == [
        (200, {"job": 10, "state": "queued", "parcel": None, "trouble": None}),
        (
            200,
            {"job": 10, "state": "lost", "parcel": {"copy": 3, "of": "tok"}, "trouble": {"reason": "lost"}},
        ),
        (200, {"job": 11, "state": "queued", "parcel": None, "trouble": None}),
    ]
    assert has_ended(shared, 10, polls=2)
    assert [(entry.n, entry.status, entry.ended) for entry in shared.entries("10")] == [
        (1, "queued", Ended.ANSWERED),
        (2, "lost", Ended.ANSWERED),
    ]


def test_steps_that_the_server_cannot_take_are_refused_and_it_serves_on(shared: ServerProcess) -> None:
    with pytest.raises(
        HarnessError, match=r"^the mock server refused 'create': a task needs at least one step$"
    ):
        shared.create([TaskPlan(15, ())])
    with pytest.raises(HarnessError, match="1200s is too long"):
        shared.create([TaskPlan(15, (QUEUED[0].model_copy(update={"delay": 1200.0}),))])

    shared.create([TaskPlan(15, QUEUED)])
    assert poll(shared, 15)[0] == 200


def test_stamps_of_both_processes_are_of_one_clock(shared: ServerProcess) -> None:
    shared.create([TaskPlan(20, QUEUED)])

    before_ns = time.monotonic_ns()
    poll(shared, 20)
    after_ns = time.monotonic_ns()

    assert has_ended(shared, 20)
    (entry,) = shared.entries(20)
    assert entry.answered_ns is not None
    assert before_ns <= entry.arrived_ns <= entry.answered_ns
    assert entry.arrived_ns <= after_ns


def test_a_poll_whose_answer_was_seen_is_on_record_once_the_server_has_settled(shared: ServerProcess) -> None:
    shared.create([TaskPlan(30, QUEUED)])

    for number in range(1, 21):
        poll(shared, 30)
        shared.settle()
        assert len(shared.entries(30)) == number


def test_a_poll_in_flight_is_seen_and_so_is_its_end(shared: ServerProcess) -> None:
    shared.create([TaskPlan(40, STALLED)])
    reported: list[JournalEntry] = []
    shared.subscribe(lambda entry: reported.append(entry) if entry.task_id == "40" else None)

    connection = connect(shared)
    with contextlib.closing(connection):
        connection.request("POST", "/v1/jobs/40?key=k")
        assert shared.wait_for(lambda: len(shared.entries(40)) == 1, LIMIT_S)
        (waiting,) = shared.entries(40)
    assert shared.wait_for(lambda: shared.entries(40)[0].ended is Ended.ABANDONED, LIMIT_S)
    shared.settle()  # a subscriber hears of it after those who wait

    (left,) = shared.entries(40)
    assert (waiting.ended, waiting.target, waiting.n) == (Ended.IN_FLIGHT, "/v1/jobs/40?key=k", 1)
    assert left == replace(waiting, ended=Ended.ABANDONED, answered_ns=left.answered_ns)
    assert reported == [waiting, left]


def test_waiting_ends_when_the_condition_holds_or_with_the_limit(shared: ServerProcess) -> None:
    shared.create([TaskPlan(50, QUEUED)])
    seen: list[bool] = []
    waiter = threading.Thread(
        target=lambda: seen.append(shared.wait_for(lambda: len(shared.entries(50)) == 2, LIMIT_S))
    )
    waiter.start()

    poll(shared, 50)
    assert waiter.is_alive()
    poll(shared, 50)
    waiter.join(LIMIT_S)

    assert seen == [True]
    assert not shared.wait_for(lambda: False, 0.02)


def test_a_forgotten_task_is_unknown_and_its_entries_stay(shared: ServerProcess) -> None:
    shared.create([TaskPlan(60, QUEUED)])
    poll(shared, 60)
    shared.forget([60, "no such task"])

    assert poll(shared, 60) == (404, {"fault": 404, "text": "no task has the id 60"})
    assert len(shared.entries(60)) == 1


def test_a_flood_of_strays_is_kept_up_to_a_size_and_the_rest_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mock_process, "MAX_UNNAMED_BYTES", 10_000)
    with ServerProcess(CONTRACT_MODEL) as server:
        client = connect(server)
        for number in range(30):
            client.request("GET", f"/stray/{number}")
            client.getresponse().read()
        client.close()
        server.settle()

        kept = server.unnamed()

        assert 5 < len(kept) < 10
        assert [each.target for each in kept] == [f"/stray/{number}" for number in range(len(kept))]
        assert server.unnamed_left_out == 30 - len(kept)
        assert len({id(each.headers) for each in kept}) == 1


def test_strays_name_the_nearest_route() -> None:
    with ServerProcess(CONTRACT_MODEL) as server:
        poll(server, 1, "/v1/job/{}")
        assert server.wait_for(lambda: [each.ended for each in server.unnamed()] == [Ended.ANSWERED], LIMIT_S)

        (stray,) = server.unnamed()

    assert (stray.task_id, stray.kind, stray.target) == (None, "other", "/v1/job/1")
    assert (stray.http, stray.nearest) == (404, "POST /v1/jobs/{task_id}")


def test_an_entry_crosses_with_what_ties_it_to_its_task(shared: ServerProcess) -> None:
    shared.create([TaskPlan(70, QUEUED)])
    connection = connect(shared)
    with contextlib.closing(connection):
        for method, path in (("POST", "/v1/jobs/70"), ("DELETE", "/v1/jobs/70"), ("GET", "/v1/me")):
            connection.request(method, path)
            connection.getresponse().read()
    shared.settle()

    reported = [(entry.kind, entry.target, entry.by_path) for entry in shared.entries(70)]
    assert reported == [
        ("poll", "/v1/jobs/70", True),
        ("other", "/v1/jobs/70", True),
        ("other", "/v1/me", False),
    ]


def test_the_child_imports_nothing_that_only_matchers_need(shared: ServerProcess) -> None:
    assert shared.wait_for(lambda: bool(shared.stderr_tail()), LIMIT_S)

    assert shared.stderr_tail() == ("[]",)


# --- start and end ------------------------------------------------------------------------------------


def test_a_port_in_use_is_the_users_to_fix(shared: ServerProcess) -> None:
    port = int(shared.base_url.rpartition(":")[2])

    with pytest.raises(InputError) as caught:
        ServerProcess(CONTRACT_MODEL, port=port)

    assert str(caught.value) == (
        f"--port {port}: another program is already listening on port {port} of 127.0.0.1\n"
        "  fix:      stop that program; or --port 0 lets the system choose a free one"
    )


def test_files_of_the_users_folder_are_not_taken_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("json.py", "waitproof.py", "yaml.py"):
        (tmp_path / name).write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path)

    with ServerProcess(CONTRACT_MODEL) as server:
        assert server.alive


def test_a_child_that_dies_at_its_start_is_reported_with_its_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mock_process, "_PROGRAM", "import sys; sys.exit('no room\\nin here')")

    with pytest.raises(HarnessError) as caught:
        ServerProcess(CONTRACT_MODEL)

    assert str(caught.value) == (
        "the mock server exited with code 1\n  stderr:   no room\n  stderr:   in here"
    )


def test_a_child_that_does_not_start_in_time_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mock_process, "_PROGRAM", "import sys; sys.stdin.read()")

    with pytest.raises(HarnessError, match=r"^the mock server did not start within 0\.1 s$"):
        ServerProcess(CONTRACT_MODEL, start_limit_s=0.1)


def test_a_child_that_babbles_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mock_process, "_PROGRAM", "import sys; print('hi', flush=True); sys.stdin.read()")

    with pytest.raises(HarnessError, match=r"^a message of the mock server cannot be read: JSONDecodeError"):
        ServerProcess(CONTRACT_MODEL)


def test_a_child_whose_loop_ends_by_a_mistake_ends_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = (
        "import sys; sys.path.append(sys.argv[1]); from waitproof.mock import child, loop\n"
        "turns, turn = [], loop.Loop._turn\n"
        "def turn_or_fail(*args):\n"
        "    turns.append(1 / (3 - len(turns)))\n"
        "    turn(*args)\n"
        "loop.Loop._turn = turn_or_fail\n"
        "sys.exit(child.main())"
    )
    monkeypatch.setattr(mock_process, "_PROGRAM", broken)

    with ServerProcess(CONTRACT_MODEL) as server:
        server.create([TaskPlan(1, QUEUED)])
        with contextlib.suppress(OSError), contextlib.closing(connect(server)) as connection:
            for _ in range(4):
                connection.request("POST", "/v1/jobs/1")
                connection.getresponse().read()
        with pytest.raises(HarnessError) as caught:
            server.wait_for(lambda: False, LIMIT_S)

    first, *stderr = str(caught.value).splitlines()
    assert first == "the mock server exited with code 4"
    assert stderr[-1] == "  stderr:   ZeroDivisionError: division by zero"


def test_after_the_death_of_the_child_every_call_raises() -> None:
    with ServerProcess(CONTRACT_MODEL) as server:
        os.kill(server.pid, signal.SIGKILL)
        calls: list[Callable[[], object]] = [
            lambda: server.wait_for(lambda: False, LIMIT_S),
            lambda: server.create([TaskPlan(1, QUEUED)]),
            lambda: server.forget([1]),
            server.settle,
            lambda: server.entries(1),
            server.unnamed,
            lambda: server.worst_lag_s(0, 1),
        ]
        reported = []
        for call in calls:
            with pytest.raises(HarnessError) as caught:
                call()
            reported.append(str(caught.value))

        assert reported == ["the mock server was killed by SIGKILL"] * len(calls)
        assert (server.alive, str(server.failure)) == (False, reported[0])


def test_a_stopped_child_is_not_reported_as_dead_and_can_be_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mock_process, "ACKNOWLEDGE_LIMIT_S", 0.1)
    server = ServerProcess(CONTRACT_MODEL)
    os.kill(server.pid, signal.SIGSTOP)

    with pytest.raises(HarnessError) as caught:
        server.create([TaskPlan(1, QUEUED)])
    began = time.monotonic()
    server.close()

    assert (
        str(caught.value) == "the mock server did not acknowledge 'create' within 0.1 s; its process is alive"
    )
    assert time.monotonic() - began < 2
    assert not server.alive


def test_a_closed_server_keeps_what_it_saw_and_takes_no_more_tasks() -> None:
    with ServerProcess(CONTRACT_MODEL) as server:
        server.create([TaskPlan(1, STALLED)])
        connection = connect(server)
        connection.request("POST", "/v1/jobs/1")
        assert server.wait_for(lambda: len(server.entries(1)) == 1, LIMIT_S)
        began = time.monotonic()
        server.close()
        server.close()
        took_s = time.monotonic() - began
        connection.close()

    assert took_s < 2
    assert [entry.ended for entry in server.entries(1)] == [Ended.STOPPED]
    assert (server.alive, server.failure) == (False, None)
    assert server.wait_for(lambda: False, LIMIT_S) is False
    with pytest.raises(HarnessError, match=r"^the mock server was closed before this call$"):
        server.create([TaskPlan(2, QUEUED)])


def test_a_terminals_interrupt_does_not_reach_the_child(shared: ServerProcess) -> None:
    assert os.getpgid(shared.pid) != os.getpgid(0)

    os.kill(shared.pid, signal.SIGINT)

    shared.create([TaskPlan(70, QUEUED)])
    assert poll(shared, 70)[0] == 200


# --- the child by itself ------------------------------------------------------------------------------


@pytest.fixture
def child() -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The module run as a program, with a task 1 that never ends and a task 2 that stalls; and its port."""
    with subprocess.Popen(
        [sys.executable, "-m", "waitproof.mock.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            contract = CONTRACT_MODEL.model_dump(mode="json", by_alias=True, exclude_unset=True)
            tasks = [mock_process._plan_to_json(TaskPlan(1, QUEUED))]
            tasks += [mock_process._plan_to_json(TaskPlan(2, STALLED))]
            for line in (
                {"contract": contract, "host": "127.0.0.1", "port": 0},
                {"op": "create", "id": 1, "tasks": tasks},
            ):
                process.stdin.write(json.dumps(line).encode() + b"\n")
            process.stdin.flush()
            ready = json.loads(process.stdout.readline())
            while json.loads(process.stdout.readline()) != {"event": "done", "id": 1}:
                pass  # lag, on a busy machine
            yield process, ready["port"]
        finally:
            process.kill()


def test_the_end_of_its_stdin_ends_the_child_within_a_second_even_in_a_stall(
    child: tuple[subprocess.Popen[bytes], int],
) -> None:
    process, port = child
    assert process.stdin is not None
    assert process.stdout is not None
    with socket.create_connection(("127.0.0.1", port), LIMIT_S) as stalled:
        stalled.sendall(b"POST /v1/jobs/2 HTTP/1.1\r\nHost: here\r\n\r\n")
        while json.loads(process.stdout.readline())["event"] != "entry":
            pass
        began = time.monotonic()
        process.stdin.close()
        code = process.wait(LIMIT_S)
        took_s = time.monotonic() - began

    assert (code, took_s < 1) == (0, True), f"exit code {code} after {took_s:.2f} s"


def test_a_parent_that_does_not_read_delays_no_answer(child: tuple[subprocess.Popen[bytes], int]) -> None:
    _, port = child
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    with contextlib.closing(connection):
        for _ in range(300):  # several times what a pipe holds
            connection.request("POST", "/v1/jobs/1", headers={"X-Large": "x" * 1000})
            response = connection.getresponse()
            response.read()
            assert response.status == 200


def test_the_child_does_not_outlive_a_parent_that_is_killed() -> None:
    program = (
        "import sys; sys.path.append(sys.argv[1]); sys.path.append(sys.argv[2])\n"
        "from test_mock_process import CONTRACT_MODEL, ServerProcess\n"
        "server = ServerProcess(CONTRACT_MODEL)\n"
        "print(server.base_url.rpartition(':')[2], flush=True)\n"
        "sys.stdin.read()\n"
    )
    arguments = [sys.executable, "-P", "-c", program, str(ROOT), str(Path(__file__).parent)]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), LIMIT_S) as connection:
            parent.kill()
            connection.settimeout(LIMIT_S)

            with contextlib.suppress(ConnectionResetError):  # it ended before it had accepted
                assert connection.recv(1) == b"", "the child still holds the connection"


# --- lag ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start_ns", "end_ns", "worst_s"),
    [
        (0, 10**9, 0.0),
        (0, 1_950_000_000, 0.1),  # the sleeper was late from 1.9 s to 2 s
        (2_000_000_000, 2_100_000_000, 0.1),
        (2_000_000_001, 2_899_999_999, 0.0),
        (0, 10**10, 0.3),
    ],
)
def test_the_worst_lag_is_that_of_the_samples_that_touch_the_span(
    start_ns: int, end_ns: int, worst_s: float
) -> None:
    samples = [(2_000_000_000, 0.1), (3_200_000_000, 0.3)]

    assert worst_lag_s(samples, start_ns, end_ns) == worst_s


def test_a_thread_that_lets_no_other_run_is_seen_as_lag() -> None:
    reported: list[tuple[int, float]] = []
    with LagMeter(lambda at_ns, late_s: reported.append((at_ns, late_s))) as meter:
        start_ns = time.monotonic_ns()
        held_s = 0.0
        while held_s < 0.03:
            began = time.monotonic()
            sum(range(3_000_000))  # in C, and without letting go of the interpreter
            held_s = time.monotonic() - began
        end_ns = time.monotonic_ns()
        time.sleep(0.02)  # the sleeper wakes
        worst_s = meter.worst_between(start_ns, end_ns)
    meter.stop()

    assert worst_s > 0.01
    assert reported == meter.samples()
    assert all(late_s > 0.005 for _, late_s in reported)
    assert meter.worst_between(0, 1) == 0.0


def test_a_stopped_meter_records_nothing_and_can_start_again() -> None:
    meter = LagMeter()
    meter.start()
    meter.start()
    meter.stop()
    before = meter.samples()
    sum(range(3_000_000))
    assert meter.samples() == before

    with meter:
        assert [thread.name for thread in threading.enumerate()].count("lag meter") == 1
