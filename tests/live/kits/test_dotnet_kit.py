"""What is .NET's alone about its kit; the laws of the protocol are in test_kit_conformance.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kit_process import KitProcess
from kit_table import started


@pytest.fixture(scope="module")
def probe() -> Iterator[KitProcess]:
    with started("dotnet") as process:
        yield process


@pytest.mark.parametrize(
    ("task_id", "result"),
    [
        ("comments", {"a": [1, 2]}),
        ("node", {"lone": "\ud800", "list": [1, None, "x"]}),
        ("expando", {"a": 1}),
        ("read-only", {"a": 1}),
    ],
)
def test_a_payload_of_dotnets_own_types_is_a_result(probe: KitProcess, task_id: str, result: object) -> None:
    assert probe.ask(op="wait", task_id=task_id) == {"outcome": "returned", "result": result}


def test_what_is_sent_to_the_loop_from_its_own_thread_is_called(probe: KitProcess) -> None:
    assert probe.ask(op="wait", task_id="send") == {"outcome": "returned", "result": "called"}


def test_a_callback_that_sets_another_context_loses_no_later_call() -> None:
    with started("dotnet") as process:
        for _ in range(20):
            changed = process.ask(op="begin", operation="context", arguments={})
            assert changed == {"outcome": "returned", "task_id": "changed"}
        assert process.ask(op="wait", task_id="send")["result"] == "called"
        assert process.end() == 0
