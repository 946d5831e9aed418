"""What is Node's alone about its kit; the laws of the protocol are in test_kit_conformance.py."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from kit_process import KITS, LIMIT_S, KitProcess
from kit_table import started


@pytest.fixture(scope="module")
def probe() -> Iterator[KitProcess]:
    with started("node") as process:
        yield process


def test_what_an_adapter_leaves_out_the_sdk_does_not_have() -> None:
    with started("node", "bare") as process:
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


@pytest.mark.parametrize(
    ("task_id", "name", "message"),
    [
        ("thrown-text", "String", "just text"),
        ("undefined", "undefined", "undefined"),
        ("bare", "object", "<it has no text>"),
    ],
)
def test_what_is_thrown_and_is_not_an_error_is_what_the_caller_saw(
    probe: KitProcess, task_id: str, name: str, message: str
) -> None:
    exception = {"kind": "other", "type": name, "message": message, "fields": {}, "cause": ""}

    assert probe.ask(op="wait", task_id=task_id) == {"outcome": "raised", "exception": exception}


@pytest.mark.parametrize(
    ("task_id", "name"),
    [
        ("minified", "FakeTimeoutError"),
        ("minified-nameless", "qt"),
        ("unnamed", "FakeError"),
        ("named-by-base", "FakeLate"),
        ("minified-named-by-base", "FakeError"),
        ("renamed", "Renamed"),
        ("language-error", "RangeError"),
    ],
)
def test_an_error_has_the_type_that_it_names_itself_else_its_class(
    probe: KitProcess, task_id: str, name: str
) -> None:
    assert probe.ask(op="wait", task_id=task_id)["exception"]["type"] == name


@pytest.mark.parametrize(
    ("task_id", "result"),
    [
        ("model", {"type": "timeout"}),
        ("own-json", {"a": {"b": 1}}),
        ("digits", [10**40, 2**53 - 1, -0.5, 1e300]),
        ("surrogate", {"text": "\ud800 and é"}),
        ("proto", {"__proto__": 1}),
    ],
)
def test_a_payload_of_javascripts_own_types_is_a_result(probe: KitProcess, task_id: str, result: Any) -> None:
    assert probe.ask(op="wait", task_id=task_id) == {"outcome": "returned", "result": result}


@pytest.mark.parametrize("is_moved", [True, False])
def test_what_is_printed_while_the_sdk_is_loaded_goes_to_stderr(*, is_moved: bool) -> None:
    with started("node", "loud", is_moved=is_moved) as process:
        assert process.ask(op="ping") == {"outcome": "returned"}
        assert process.end() == 0

    assert process.lines.get(timeout=LIMIT_S) is None
    assert process.stderr == b"printed while the SDK is loaded\n"


@pytest.mark.skipif(shutil.which("node") is None, reason="not on PATH: node")
def test_every_file_is_a_module_that_node_can_read() -> None:
    for file in [*KITS.glob("node/*.mjs"), KITS.parent / "getstream-node" / "adapter.mjs"]:
        subprocess.run(["node", "--check", file], check=True)
