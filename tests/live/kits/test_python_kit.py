"""What is Python's alone about its kit; the laws of the protocol are in test_kit_conformance.py."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from kit_process import Json, KitProcess
from kit_table import started


@pytest.fixture(scope="module", params=["sync", "async"])
def variant(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def probe(variant: str) -> Iterator[KitProcess]:
    with started(f"python-{variant}") as process:
        yield process


def test_a_ping_is_answered_while_a_wait_blocks_its_thread_or_loop(probe: KitProcess, tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    ours = os.open(fifo, os.O_RDWR)  # both ends, so that neither side waits for the other to open it
    try:
        probe.write({"id": "1", "op": "wait", "task_id": f"block:{fifo}"}, {"id": "2", "op": "ping"})
        pong = probe.read()
        os.write(ours, b"x")
        answer = probe.read()
    finally:
        os.close(ours)

    assert pong == {"id": "2", "outcome": "returned"}
    assert answer["id"] == "1"


@pytest.mark.parametrize(
    ("task_id", "name", "message"),
    [
        ("exit", "SystemExit", "3"),
        ("interrupt", "KeyboardInterrupt", ""),
        ("cancelled", "CancelledError", ""),
    ],
)
def test_an_exception_that_would_end_a_program_is_what_its_caller_saw(
    probe: KitProcess, task_id: str, name: str, message: str
) -> None:
    answer = probe.ask(op="wait", task_id=task_id)

    assert answer["exception"].pop("copies") == {"pickle": True, "copy": True}
    exception = {"kind": "other", "type": name, "message": message, "fields": {}, "cause": ""}
    assert answer == {"outcome": "raised", "exception": exception}


def test_an_exception_that_cannot_be_unpickled_says_why(probe: KitProcess) -> None:
    copies = probe.ask(op="wait", task_id="fails")["exception"]["copies"]

    why = "TypeError: TaskFailed.__init__() takes 1 positional argument but 2 were given"
    assert copies == {"pickle": why, "copy": why}


def test_a_copy_that_differs_is_reported_with_what_is_different(probe: KitProcess) -> None:
    copies = probe.ask(op="wait", task_id="fails-forgetfully")["exception"]["copies"]

    assert copies["pickle"] == copies["copy"]
    assert re.fullmatch(r"fields was \{.*'no disk'.*\}, and is \{.*''.*\} in the copy", copies["copy"])


def test_an_object_at_another_address_is_no_difference(probe: KitProcess) -> None:
    copies = probe.ask(op="wait", task_id="fails-with-an-object")["exception"]["copies"]

    assert copies == {"pickle": True, "copy": True}


def test_an_escaped_stop_iteration_is_reported_as_python_lets_it_out(probe: KitProcess, variant: str) -> None:
    answer = probe.ask(op="wait", task_id="stop-iteration")

    # A coroutine turns it into a RuntimeError: that is what an async caller sees.
    expected = {"sync": "StopIteration", "async": "RuntimeError"}[variant]
    assert answer["exception"]["type"] == expected


@pytest.mark.parametrize(
    ("task_id", "result"),
    [
        ("surrogate", {"text": "\ud800 and é"}),
        (
            "own-types",
            {
                "plain": {"type": "a"},
                "own": {"wire_type": "b"},
                "pair": [1, 2],
                "named": {"left": 1, "right": 2},
            },
        ),
    ],
)
def test_a_payload_of_pythons_own_types_is_a_result(probe: KitProcess, task_id: str, result: Json) -> None:
    assert probe.ask(op="wait", task_id=task_id) == {"outcome": "returned", "result": result}


def test_a_task_that_is_a_mapping_is_reported_as_it_is(probe: KitProcess) -> None:
    answer = probe.ask(op="get_task", task_id="mapping")

    assert answer == {"outcome": "returned", "task": {"task_id": "mapping", "status": "running"}}
