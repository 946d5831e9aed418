"""What is PHP's alone about its kit; the laws of the protocol are in test_kit_conformance.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kit_process import KitProcess
from kit_table import started


@pytest.fixture(scope="module")
def probe() -> Iterator[KitProcess]:
    with started("php") as process:
        yield process


@pytest.mark.parametrize(
    ("task_id", "result"),
    [
        ("empty", {"object": {}, "list": []}),
        ("keys", {"0": 1, "": 2, "a.b": 3}),
        ("list-like", {"0": 1, "1": 2}),
        ("nul", {"\0a": 1, "b": 2}),
        ("all-numbers", [0.1, 1.0, 1e-7, 1.5e300, 2**63 - 1, -(2**63)]),
        ("own-json", {"a": {"b": 1}}),
    ],
)
def test_objects_lists_and_numbers_arrive_as_php_holds_them(
    probe: KitProcess, task_id: str, result: object
) -> None:
    assert probe.ask(op="wait", task_id=task_id) == {"outcome": "returned", "result": result}


def test_the_bytes_of_a_message_that_are_not_utf8_are_replaced(probe: KitProcess) -> None:
    exception = {"kind": "other", "type": "Exception", "message": "not � UTF-8", "fields": {}, "cause": ""}

    assert probe.ask(op="wait", task_id="not-utf-8") == {"outcome": "raised", "exception": exception}
