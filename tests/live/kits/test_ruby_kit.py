"""What is Ruby's alone about its kit; the laws of the protocol are in test_kit_conformance.py."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kit_process import KitProcess
from kit_table import started


@pytest.fixture(scope="module")
def probe() -> Iterator[KitProcess]:
    with started("ruby") as process:
        yield process


@pytest.mark.parametrize(
    ("task_id", "name", "message"),
    [
        ("not-utf-8", "RuntimeError", "not � UTF-8"),
        ("exit", "SystemExit", "exit"),
        ("throw", "UncaughtThrowError", "uncaught throw :nowhere"),
    ],
)
def test_whatever_leaves_the_helper_is_what_its_caller_saw(
    probe: KitProcess, task_id: str, name: str, message: str
) -> None:
    exception = {"kind": "other", "type": name, "message": message, "fields": {}, "cause": ""}

    assert probe.ask(op="wait", task_id=task_id) == {"outcome": "raised", "exception": exception}


@pytest.mark.parametrize(
    ("task_id", "result"),
    [
        ("empty", {"object": {}, "list": []}),
        ("all-numbers", [0.1, 1.0, 1e-7, 1.5e300, 10**30]),
        ("object", {"kind": "a", "inner": {"kind": "b", "inner": None}}),
        ("latin-1", {"a": "é"}),
        ("labelled-bytes", {"a": "é"}),
    ],
)
def test_a_payload_is_reported_as_the_caller_has_it(probe: KitProcess, task_id: str, result: object) -> None:
    assert probe.ask(op="wait", task_id=task_id) == {"outcome": "returned", "result": result}
