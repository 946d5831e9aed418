"""What is Go's alone about its kit; the laws of the protocol are in test_kit_conformance.py."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from kit_process import KITS, KitProcess
from kit_table import started


@pytest.fixture(scope="module")
def probe() -> Iterator[KitProcess]:
    with started("go") as process:
        yield process


def test_what_an_adapter_leaves_out_the_sdk_does_not_have() -> None:
    with started("go", "bare") as process:
        capabilities = process.greet()["capabilities"]

        assert capabilities == {
            "wait": False,
            "get_task": False,
            "operations": [],
            "max_concurrency": 0,
            "end": True,
            "timeout_resolution": 1,
        }
        unknown = {"outcome": "adapter_error", "message": "unknown op 'wait'"}
        assert process.ask(op="wait", task_id="x") == unknown


def test_an_option_that_the_kit_does_not_know_is_not_taken_for_absent(probe: KitProcess) -> None:
    answer = probe.ask(op="wait", task_id="x", options={"retries": 3})

    assert answer == {"outcome": "adapter_error", "message": "unknown option 'retries'"}


@pytest.mark.parametrize(
    ("task_id", "name", "message"),
    [("nil", "*main.nilError", "<nil>"), ("panic", "panic", "assignment to entry in nil map")],
)
def test_a_nil_error_and_a_panic_are_what_the_caller_saw(
    probe: KitProcess, task_id: str, name: str, message: str
) -> None:
    exception = {"kind": "other", "type": name, "message": message, "fields": {}, "cause": ""}

    assert probe.ask(op="wait", task_id=task_id) == {"outcome": "raised", "exception": exception}


def test_a_field_that_is_not_utf8_is_reported_as_go_writes_it(probe: KitProcess) -> None:
    answer = probe.ask(op="wait", task_id="fails-not-utf-8")

    assert answer["exception"]["fields"]["description"] == r'"\xff"'


@pytest.mark.parametrize(
    ("task_id", "result"),
    [
        ("exact", {"odd": 9007199254740993, "lone": "\ud800", "html": "<&>"}),
        ("digits", [10**40 - 1, 2**63 - 1]),
        ("time", ["2026-01-02T00:00:00Z"]),
    ],
)
def test_what_writes_itself_as_json_comes_through_exactly(
    probe: KitProcess, task_id: str, result: Any
) -> None:
    assert probe.ask(op="wait", task_id=task_id) == {"outcome": "returned", "result": result}


@pytest.mark.skipif(shutil.which("gofmt") is None, reason="not on PATH: gofmt")
def test_every_go_file_is_formatted() -> None:
    folders = [KITS / "go", KITS.parent / "getstream-go"]

    unformatted = subprocess.run(["gofmt", "-l", *folders], capture_output=True, text=True, check=True)

    assert unformatted.stdout == ""
