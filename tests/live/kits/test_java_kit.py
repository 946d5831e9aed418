"""What is Java's alone about its kit; the laws of the protocol are in test_kit_conformance.py."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from kit_process import LIMIT_S, KitProcess
from kit_table import started


@pytest.fixture(scope="module")
def probe() -> Iterator[KitProcess]:
    with started("java") as process:
        yield process


def test_durations_are_exact_to_the_nanosecond(probe: KitProcess) -> None:
    options = {"poll_interval": 1e-7, "timeout": 1e9}

    assert probe.ask(op="wait", task_id="x", options=options)["result"]["options"] == options


def test_an_option_that_the_kit_does_not_know_is_not_taken_for_absent(probe: KitProcess) -> None:
    answer = probe.ask(op="wait", task_id="x", options={"intervall": 1})

    assert answer == {"outcome": "adapter_error", "message": "unknown option 'intervall'"}


@pytest.mark.parametrize(
    ("task_id", "name", "message"),
    [
        ("without-message", "IllegalStateException", None),
        ("error", "StackOverflowError", "deep"),
        ("interrupt", "InterruptedException", "stop"),
        ("unprintable", "Unprintable", "<getMessage() failed>"),
    ],
)
def test_whatever_is_thrown_is_what_the_caller_saw_with_the_jvms_own_frames(
    probe: KitProcess, task_id: str, name: str, message: str | None
) -> None:
    answer = probe.ask(op="wait", task_id=task_id)

    assert answer["outcome"] == "raised"
    assert answer["exception"].pop("native_stack_frames") > 1
    assert answer["exception"] == {
        "kind": "other",
        "type": name,
        "message": message,
        "fields": {},
        "cause": "",
    }


@pytest.mark.parametrize(
    ("task_id", "result"),
    [("surrogate", {"text": "\ud800 and é"}), ("arrays", [[1, 2], ["a"], [True], "c"])],
)
def test_a_payload_of_javas_own_types_is_a_result(probe: KitProcess, task_id: str, result: object) -> None:
    assert probe.ask(op="wait", task_id=task_id) == {"outcome": "returned", "result": result}


def test_numbers_are_written_with_all_their_digits(probe: KitProcess) -> None:
    probe.write({"id": "1", "op": "wait", "task_id": "all-numbers"})
    line = probe.lines.get(timeout=LIMIT_S)

    assert line is not None
    assert b'"result":[1,2,3,4,9223372036854775808,0.1,1.0E300,-0.0,1E+300]' in line


@pytest.mark.parametrize(
    ("written", "value"),
    [
        (rb'"\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t"', 'é😀"\\/\b\f\n\r\t'),
        ('"é😀\u2028\x7f"'.encode(), "é😀\u2028\x7f"),
        (rb'"\ud800"', "\ud800"),
        (b"-0", 0),
        (b"[9223372036854775807, -9223372036854775808]", [2**63 - 1, -(2**63)]),
        (b"[9223372036854775808, 123456789012345678901234567890]", [2**63, 123456789012345678901234567890]),
        (b"[0.1, -1.5e-3, 1E2, 1e+2, 5e-324]", [0.1, -0.0015, 100.0, 100.0, 5e-324]),
        (b" [ ] ", []),
        (b'{"" : {}, "b":[null , true,false]}', {"": {}, "b": [None, True, False]}),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b"[" * 198 + b"]" * 198, json.loads("[" * 198 + "]" * 198)),
    ],
)
def test_json_is_read_and_written_to_the_letter(probe: KitProcess, written: bytes, value: object) -> None:
    probe.write(b'{"id":"1","op":"begin","operation":"echo","arguments":{"value":' + written + b"}}\r")

    assert probe.read() == {"id": "1", "outcome": "returned", "task_id": value}


def test_an_operation_has_its_arguments_and_one_left_out_is_an_adapter_error(probe: KitProcess) -> None:
    whole = probe.ask(op="begin", operation="strings", arguments={"ids": ["a", "b"], "hard": True})
    part = probe.ask(op="begin", operation="strings", arguments={"ids": ["a", "b"]})

    assert whole == {"outcome": "returned", "task_id": "[a, b] true"}
    assert part == {"outcome": "adapter_error", "message": "begin came without the argument 'hard'"}


def test_what_is_wrong_with_a_line_is_reported_with_its_place() -> None:
    broken = {
        b'{"id":"1",': "expected a name at character 11",
        b'{"id":"1"} x': "more text after the value at character 12",
        b'{"id":01}': "expected ',' at character 8",
        b'{"id":NaN}': "expected a value at character 7",
        b'{"id":1.}': "expected a digit at character 9",
        b'{"id":"\x01"}': "a control character in a string at character 8",
        rb'{"id":"\x"}': "an unknown escape at character 9",
        rb'{"id":"\u12g4"}': "expected a hexadecimal digit at character 12",
        b'{"id":"1': "the text ends too early at character 9",
        b'{"id":tru}': "expected a value at character 7",
        b"\xef\xbb\xbf{}": "expected a value at character 1",
        b"[" * 5000: "nested too deeply at character 201",
    }
    with started("java") as process:
        process.write(*broken)
        assert process.end() == 0
    reported = process.stderr.decode().splitlines()

    assert len(reported) == len(broken)
    for line, expected in zip(reported, broken.values(), strict=True):
        assert line.startswith(f"waitproof kit: a line that is not JSON ({expected}): ")


def test_what_java_prints_goes_to_stderr_where_the_command_moves_no_descriptors() -> None:
    with started("java", is_moved=False) as process:
        answer = process.ask(op="wait", task_id="says")
        assert process.end() == 0

    assert answer["outcome"] == "returned"
    assert process.lines.get(timeout=LIMIT_S) is None
    assert process.stderr == b"said\n"
