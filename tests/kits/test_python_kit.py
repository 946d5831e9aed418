"""The Python kit, driven as the harness drives it: a process, lines in, lines out."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit_process import LIMIT_S, Json, KitProcess

HERE = Path(__file__).parent
KIT = HERE.parents[1] / "adapters" / "kits" / "python"
HELLO = {"op": "hello", "protocol": 1, "base_url": "http://h:1", "api_key": "k", "api_secret": "s"}


class AdapterProcess(KitProcess):
    """A running fake adapter: writes lines, and reads answers in the order in which they came."""

    def __init__(self, variant: str) -> None:
        # -S: without site-packages, so a kit that needs more than the standard library does not start.
        super().__init__(
            sys.executable,
            "-S",
            str(HERE / "fake_sdk_adapter.py"),
            variant,
            env={**os.environ, "PYTHONPATH": str(KIT)},
        )


@pytest.fixture(scope="module", params=["sync", "async"])
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def shared(variant: str) -> Iterator[AdapterProcess]:
    """One process for the tests that leave nothing behind; it has said hello."""
    adapter = AdapterProcess(variant)
    adapter.write(HELLO)
    adapter.read()
    yield adapter
    adapter.close()


@pytest.fixture
def fresh(variant: str) -> Iterator[AdapterProcess]:
    adapter = AdapterProcess(variant)
    yield adapter
    adapter.close()


def test_hello_names_the_protocol_the_sdk_and_the_runtime(fresh: AdapterProcess) -> None:
    fresh.write(HELLO)

    assert fresh.read() == {
        "op": "hello",
        "protocol": 1,
        "sdk": {
            "name": "fake",
            "version": "1.2.3",
            "language": "python",
            "runtime": f"{platform.python_implementation()} {platform.python_version()}",
        },
        "helper": "Fake.wait",
        "result_path": "data.result",
        "capabilities": {"max_concurrency": 0, "operations": ["open"]},
    }


def test_a_call_before_hello_is_an_adapter_error(fresh: AdapterProcess) -> None:
    assert fresh.ask(op="wait", task_id="x") == {"outcome": "adapter_error", "message": "a call before hello"}


@pytest.mark.parametrize(
    "options", [{}, {"timeout": 2}, {"poll_interval": 0.2}, {"poll_interval": 1, "timeout": 2.5}]
)
def test_exactly_the_options_that_were_given_reach_the_helper(shared: AdapterProcess, options: Json) -> None:
    answer = shared.ask(op="wait", task_id="x", options=options)

    assert answer["result"]["options"] == options


@pytest.mark.parametrize("task_id", ["17", 17, "a/b ?#%é\ud800"])
def test_a_task_id_reaches_the_helper_as_it_is(shared: AdapterProcess, task_id: str | int) -> None:
    answer = shared.ask(op="wait", task_id=task_id, options={})

    assert answer["result"]["task_id"] == task_id


def test_two_waits_in_flight_are_answered_in_the_order_in_which_they_end(shared: AdapterProcess) -> None:
    shared.write(
        {"id": "1", "op": "wait", "task_id": "gate:one"}, {"id": "2", "op": "wait", "task_id": "gate:two"}
    )

    shared.write({"id": "3", "op": "begin", "operation": "open", "arguments": {"gate": "gate:two"}})
    first = {answer["id"]: answer for answer in (shared.read(), shared.read())}
    shared.write({"id": "4", "op": "begin", "operation": "open", "arguments": {"gate": "gate:one"}})
    second = {answer["id"]: answer for answer in (shared.read(), shared.read())}

    assert first.keys() == {"2", "3"}
    assert first["3"] == {"id": "3", "outcome": "returned", "task_id": "gate:two"}
    assert second.keys() == {"1", "4"}
    # Whichever began first: one may have begun only when its gate was open already.
    assert min(first["2"]["elapsed"], second["1"]["elapsed"]) >= 0


def test_a_ping_is_answered_while_a_wait_blocks_its_thread_or_loop(
    shared: AdapterProcess, tmp_path: Path
) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    ours = os.open(fifo, os.O_RDWR)  # both ends, so that neither side waits for the other to open it
    try:
        shared.write({"id": "1", "op": "wait", "task_id": f"block:{fifo}"}, {"id": "2", "op": "ping"})
        pong = shared.read()
        os.write(ours, b"x")
        answer = shared.read()
    finally:
        os.close(ours)

    assert pong == {"id": "2", "outcome": "returned"}
    assert answer["id"] == "1"


def test_calls_with_one_name_share_a_client_and_an_absent_name_is_default(fresh: AdapterProcess) -> None:
    fresh.write(HELLO)
    fresh.read()
    names = [{"client": "a"}, {"client": "b"}, {"client": "a"}, {}, {"client": "default"}]

    numbers = [fresh.ask(op="wait", task_id="x", **name)["result"]["client"]["number"] for name in names]

    assert numbers == [1, 2, 1, 3, 3]


def test_calls_at_once_build_one_client(fresh: AdapterProcess) -> None:
    fresh.write(HELLO)
    fresh.read()

    fresh.write(*({"id": str(n), "op": "wait", "task_id": "x"} for n in range(50)))

    answers = [fresh.read() for _ in range(50)]
    clients = {answer["id"]: answer["result"]["client"] for answer in answers}
    only = {"number": 1, "url": "http://h:1", "key": "k", "secret": "s"}
    assert clients == {str(n): only for n in range(50)}


def test_a_client_that_cannot_be_built_is_an_adapter_error(fresh: AdapterProcess) -> None:
    fresh.write({**HELLO, "api_key": "refused"})
    fresh.read()

    answer = fresh.ask(op="wait", task_id="x")

    assert answer == {"outcome": "adapter_error", "message": "PermissionError: this key builds no client"}


@pytest.mark.parametrize(
    ("task_id", "exception"),
    [
        (
            "fails",
            {
                "kind": "task",
                "type": "TaskFailed",
                "message": "the task failed",
                "fields": {"task_id": "1", "description": "", "stack_trace": None},
            },
        ),
        (
            "fails-without",
            {"kind": "task", "type": "TaskFailed", "message": "the task failed", "fields": {"task_id": "1"}},
        ),
        (
            "fails-oddly",
            {
                "kind": "task",
                "type": "TaskFailed",
                "message": "the task failed",
                "fields": {"task_id": "datetime.timedelta(seconds=2)", "description": "nan"},
            },
        ),
        (
            "language-error",
            {"kind": "other", "type": "ZeroDivisionError", "message": "no \udfff divisor", "fields": {}},
        ),
        ("exit", {"kind": "other", "type": "SystemExit", "message": "3", "fields": {}}),
        ("interrupt", {"kind": "other", "type": "KeyboardInterrupt", "message": "", "fields": {}}),
        ("cancelled", {"kind": "other", "type": "CancelledError", "message": "", "fields": {}}),
        (
            "unprintable",
            {"kind": "other", "type": "Unprintable", "message": "<exception str() failed>", "fields": {}},
        ),
    ],
)
def test_whatever_the_sdk_raises_is_what_its_caller_saw(
    shared: AdapterProcess, task_id: str, exception: Json
) -> None:
    assert shared.ask(op="wait", task_id=task_id) == {"outcome": "raised", "exception": exception}


def test_a_wait_that_raised_has_its_elapsed_time(shared: AdapterProcess) -> None:
    shared.write({"id": "1", "op": "wait", "task_id": "fails"})

    assert 0 <= shared.read()["elapsed"] < LIMIT_S


def test_an_escaped_stop_iteration_is_reported_as_python_lets_it_out(
    shared: AdapterProcess, variant: str
) -> None:
    answer = shared.ask(op="wait", task_id="stop-iteration")

    # A coroutine turns it into a RuntimeError: that is what an async caller sees.
    expected = {"sync": "StopIteration", "async": "RuntimeError"}[variant]
    assert answer["exception"]["type"] == expected


def test_what_a_signature_cannot_express_is_unsupported(shared: AdapterProcess) -> None:
    answer = shared.ask(op="wait", task_id="unsupported")

    assert answer == {"outcome": "unsupported", "reason": "no overload with the interval alone"}


@pytest.mark.parametrize(
    ("task_id", "reason"),
    [
        ("nan", "NaN at a.b[1]"),
        ("infinity", "-Infinity at the top"),
        ("datetime", "datetime at a[0]"),
        ("bytes", "bytes at a"),
        ("key", "int as a key at a"),
        ("loop", "nested too deeply, or within itself"),
        ("long-int", "an int too long to write at a"),
        ("nothing", "nothing at data.result: NoneType has no 'data'"),
    ],
)
def test_what_json_cannot_carry_is_named_with_its_place(
    shared: AdapterProcess, task_id: str, reason: str
) -> None:
    answer = shared.ask(op="wait", task_id=task_id)

    assert answer == {"outcome": "returned", "unencodable": reason}


def test_a_null_payload_is_a_result(shared: AdapterProcess) -> None:
    assert shared.ask(op="wait", task_id="null") == {"outcome": "returned", "result": None}


def test_a_lone_surrogate_comes_through(shared: AdapterProcess) -> None:
    answer = shared.ask(op="wait", task_id="surrogate")

    assert answer == {"outcome": "returned", "result": {"text": "\ud800 and é"}}


def test_a_dataclass_is_reported_by_its_own_to_dict_or_by_its_fields(shared: AdapterProcess) -> None:
    answer = shared.ask(op="wait", task_id="dataclasses")

    assert answer["result"] == {"plain": {"type": "a"}, "own": {"wire_type": "b"}, "pair": [1, 2]}


def test_a_task_has_its_four_fields(shared: AdapterProcess) -> None:
    answer = shared.ask(op="get_task", task_id="t")

    assert answer == {
        "outcome": "returned",
        "task": {"task_id": "t", "status": "failed", "result": None, "error": {"wire_type": "timeout"}},
    }


def test_a_task_that_is_a_mapping_is_reported_as_it_is(shared: AdapterProcess) -> None:
    answer = shared.ask(op="get_task", task_id="mapping")

    assert answer == {"outcome": "returned", "task": {"task_id": "mapping", "status": "running"}}


def test_a_task_that_json_cannot_carry_is_named_with_its_place(shared: AdapterProcess) -> None:
    answer = shared.ask(op="get_task", task_id="nan")

    assert answer == {"outcome": "returned", "unencodable": "NaN at result.a.b[1]"}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"op": "sing"}, "unknown op 'sing'"),
        ({"op": "begin", "operation": "fly", "arguments": {}}, "unknown operation 'fly'"),
        ({"op": "wait"}, "KeyError: 'task_id'"),
        ({"op": "wait", "task_id": "undescribable"}, "LookupError: describe is broken"),
    ],
)
def test_a_fault_outside_of_the_sdk_is_an_adapter_error(
    shared: AdapterProcess, call: Json, text: str
) -> None:
    assert shared.ask(**call) == {"outcome": "adapter_error", "message": text}


def test_the_sdk_has_an_empty_stdin(shared: AdapterProcess) -> None:
    assert shared.ask(op="wait", task_id="stdin")["result"] == ""


def test_what_the_sdk_prints_goes_to_stderr(fresh: AdapterProcess) -> None:
    fresh.write(HELLO)
    fresh.read()

    assert fresh.ask(op="wait", task_id="null") == {"outcome": "returned", "result": None}
    assert fresh.end() == 0
    assert fresh.lines.get(timeout=LIMIT_S) is None
    assert sorted(fresh.stderr.splitlines()) == [b"a client is built", b'{"id": "printed by C"}']


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b'{"id": "1",', "a line that is not JSON (Expecting property name"),
        (b'{"id": "\xff"}', "a line that is not JSON ('utf-8' codec"),
        (b"[1]", "a line that is not an object: b'[1]"),
        (b'{"op": "wait"}', "a call without an id: {'op': 'wait'}"),
    ],
)
def test_a_broken_line_is_told_on_stderr_and_the_next_is_served(
    fresh: AdapterProcess, line: bytes, text: str
) -> None:
    fresh.write(HELLO, line, b"", {"id": "2", "op": "ping"})

    assert fresh.read()["op"] == "hello"
    assert fresh.read() == {"id": "2", "outcome": "returned"}
    assert fresh.end() == 0
    assert fresh.stderr.decode().startswith(f"waitproof_kit: {text}")


def test_at_the_end_of_stdin_what_is_in_flight_is_finished_first(fresh: AdapterProcess) -> None:
    fresh.write(HELLO)
    fresh.read()
    fresh.write(
        {"id": "1", "op": "wait", "task_id": "gate:end"},
        {"id": "2", "op": "wait", "task_id": "gate:end"},
        {"id": "3", "op": "begin", "operation": "open", "arguments": {"gate": "gate:end"}},
    )

    code = fresh.end()

    assert code == 0
    assert sorted(fresh.read()["id"] for _ in range(3)) == ["1", "2", "3"]
    assert fresh.lines.get(timeout=LIMIT_S) is None


def test_without_a_line_the_adapter_ends_at_once(fresh: AdapterProcess) -> None:
    assert fresh.end() == 0
    assert fresh.stderr == b""
