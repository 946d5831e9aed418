"""The laws of the adapter protocol, held against the kit of every language that is on this machine.

What a probe's fake client does is in the id of its task (`tests/live/kits/probes/`). So that tests order
calls by events and not by sleeping, a task named `gate:…` waits until the operation `open` opens it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kit_process import HELLO, LIMIT_S, Json, Kit, KitProcess
from kit_table import ALL_KITS
from waitproof.protocol import MAX_DEPTH, Answer, Given, Returned, read_answer


@pytest.fixture(scope="module", params=ALL_KITS, ids=lambda kit: kit.name)
def kit(request: pytest.FixtureRequest) -> Kit:
    kit: Kit = request.param
    if kit.missing:
        pytest.skip(f"not on PATH: {', '.join(kit.missing)}")
    return kit


@pytest.fixture(scope="module")
def shared(kit: Kit) -> Iterator[KitProcess]:
    """One process for the tests that leave nothing behind; it has said hello."""
    process = kit.start()
    process.greet()
    yield process
    process.close()


@pytest.fixture
def fresh(kit: Kit) -> Iterator[KitProcess]:
    process = kit.start()
    yield process
    process.close()


@pytest.fixture
def concurrent(kit: Kit) -> None:
    if kit.is_serial:
        pytest.skip(f"{kit.name} makes one call at a time")


def wait(probe: KitProcess, task_id: Any, **members: Any) -> Json:
    return probe.ask(op="wait", task_id=task_id, **members)


def raised(probe: KitProcess, task_id: str) -> Json:
    """Wait for a task whose wait raises; return the exception without what has its own tests."""
    answer = wait(probe, task_id)
    assert answer.keys() == {"outcome", "exception"}
    assert answer["outcome"] == "raised"
    exception: Json = answer["exception"]
    for member in ("native_stack_frames", "cause", "copies"):
        exception.pop(member, None)
    return exception


def opening(call_id: str, gate: str) -> Json:
    """Return the call that opens a gate; a kit's arguments may be lists of texts alone."""
    arguments = {"gate": gate, "gates": [gate]}
    return {"id": call_id, "op": "begin", "operation": "open", "arguments": arguments}


def as_seen(kit: Kit, text: str) -> str:
    """Return a text as a language has it whose text is UTF-8 and cannot hold a lone surrogate."""
    return re.sub("[\ud800-\udfff]", "\ufffd", text) if kit.text_is_utf8 else text


def test_hello_names_the_protocol_the_sdk_and_the_runtime(kit: Kit, fresh: KitProcess) -> None:
    hello = fresh.greet()

    assert hello["sdk"].pop("runtime").startswith(kit.runtime)
    capabilities = {"max_concurrency": 0, "operations": ["open"], "end": True, **kit.capabilities}
    assert hello == {
        "op": "hello",
        "protocol": 1,
        "sdk": {"name": "fake", "version": "1.2.3", "language": kit.language},
        "helper": "Fake.wait",
        "result_path": "data.result",
        "capabilities": {name: value for name, value in capabilities.items() if value is not None},
    }
    assert fresh.end() == 0
    assert fresh.stderr == b""


def test_a_hello_that_lacks_a_text_is_reported_and_ends_nothing(fresh: KitProcess) -> None:
    without = {name: value for name, value in HELLO.items() if name != "base_url"}
    fresh.write(without, {**HELLO, "base_url": 17}, {**HELLO, "api_secret": None}, {"id": "1", "op": "ping"})

    assert fresh.read() == {"id": "1", "outcome": "returned"}
    assert wait(fresh, "x") == {"outcome": "adapter_error", "message": "a call before hello"}
    assert fresh.greet()["op"] == "hello"
    assert wait(fresh, "null") == {"outcome": "returned", "result": None}
    assert fresh.end() == 0
    assert fresh.stderr.count(b"waitproof kit: a hello without a text as its ") == 3


def test_without_a_line_the_adapter_ends_at_once(fresh: KitProcess) -> None:
    assert fresh.end() == 0
    assert fresh.lines.get(timeout=LIMIT_S) is None
    assert fresh.stderr == b""


@pytest.mark.parametrize(
    "options",
    [
        None,
        {},
        {"timeout": 2},
        {"poll_interval": 0.2},
        {"poll_interval": 1, "timeout": 2.5},
        {"poll_interval": 0.5, "max_polls": 7},
    ],
)
def test_exactly_the_options_that_were_given_reach_the_helper(
    shared: KitProcess, options: Json | None
) -> None:
    answer = wait(shared, "x", options=options)

    assert answer["result"]["options"] == (options or {})


@pytest.mark.parametrize(
    "task_id", ["17", 17, 2**53 + 1, 2**63 - 1, 2**63, 10**30, "a/b ?#%é\u2028", "lone \ud800"]
)
def test_a_task_id_reaches_the_helper_with_every_character(
    kit: Kit, shared: KitProcess, task_id: str | int
) -> None:
    seen = as_seen(kit, task_id) if isinstance(task_id, str) else task_id
    if isinstance(task_id, int) and task_id >= kit.ids_are_text:
        seen = str(task_id)

    assert wait(shared, task_id)["result"]["task_id"] == seen


def test_a_line_may_hold_what_other_readers_take_for_its_end(shared: KitProcess) -> None:
    shared.write('{"id": "1", "op": "wait", "task_id": "a\u2028b\u0085cé"}\r'.encode())

    assert shared.read()["result"]["task_id"] == "a\u2028b\u0085cé"


@pytest.mark.parametrize("call_id", ["a\u2028 é", "lone \ud800"])
def test_an_answer_has_the_id_of_its_call(kit: Kit, shared: KitProcess, call_id: str) -> None:
    shared.write({"id": call_id, "op": "ping"})

    answer = shared.read()

    assert answer["id"] in (call_id, as_seen(kit, call_id))
    assert answer == {"id": answer["id"], "outcome": "returned"}


@pytest.mark.usefixtures("concurrent")
def test_two_waits_in_flight_are_answered_in_the_order_in_which_they_end(shared: KitProcess) -> None:
    shared.write(
        {"id": "1", "op": "wait", "task_id": "gate:one"},
        {"id": "2", "op": "wait", "task_id": "gate:two"},
        {"id": "ping", "op": "ping"},
    )
    pong = shared.read()

    shared.write(opening("3", "gate:two"))
    first = {answer["id"]: answer for answer in (shared.read(), shared.read())}
    shared.write(opening("4", "gate:one"))
    second = {answer["id"]: answer for answer in (shared.read(), shared.read())}

    assert pong == {"id": "ping", "outcome": "returned"}
    assert first.keys() == {"2", "3"}
    assert first["3"] == {"id": "3", "outcome": "returned", "task_id": "gate:two"}
    assert second.keys() == {"1", "4"}
    # Whichever began first: one may have begun only when its gate was open already.
    assert min(first["2"]["elapsed"], second["1"]["elapsed"]) >= 0


def test_a_task_id_and_a_ping_are_answered(shared: KitProcess) -> None:
    shared.write(opening("1", "gate:unused"))

    assert shared.read() == {"id": "1", "outcome": "returned", "task_id": "gate:unused"}
    assert shared.ask(op="ping") == {"outcome": "returned"}


def test_calls_with_one_name_share_a_client_built_once_even_when_they_come_at_once(fresh: KitProcess) -> None:
    fresh.greet()
    names = [{"client": "a"}, {"client": "b"}, {"client": "a"}, {}, {"client": "default"}]

    fresh.write(*({"id": str(n), "op": "wait", "task_id": "x"} for n in range(50)))
    answers = [fresh.read() for _ in range(50)]
    numbers = [wait(fresh, "x", **name)["result"]["client"]["number"] for name in names]

    only = {"number": 1, "url": "http://h:1", "key": "k", "secret": "s"}
    assert {answer["id"]: answer["result"]["client"] for answer in answers} == {
        str(n): only for n in range(50)
    }
    assert numbers == [2, 3, 2, 1, 1]


def test_a_client_that_cannot_be_built_is_an_adapter_error(kit: Kit, fresh: KitProcess) -> None:
    fresh.greet(api_key="refused")
    refused = wait(fresh, "x")
    fresh.greet(api_key="unprintable")
    unprintable = wait(fresh, "x", client="another") if kit.message_failed else refused

    assert refused.keys() == unprintable.keys() == {"outcome", "message"}
    assert refused["outcome"] == unprintable["outcome"] == "adapter_error"
    assert refused["message"].endswith("this key builds no client")
    assert fresh.end() == 0


def test_a_task_exception_has_its_fields_and_null_and_the_empty_text_among_them(
    kit: Kit, shared: KitProcess
) -> None:
    assert raised(shared, "fails") == {
        "kind": "task",
        "type": kit.task_error,
        "message": "the task failed",
        "fields": {"task_id": "1", "description": "", "stack_trace": None},
    }


def test_a_field_that_json_cannot_carry_is_reported_as_text(kit: Kit, shared: KitProcess) -> None:
    exception = raised(shared, "fails-oddly")

    assert exception["fields"].pop("description").lower() == "nan"
    assert exception == {
        "kind": "task",
        "type": kit.wrapped_error or kit.task_error,
        "message": kit.wrapped_message,
        "fields": {"task_id": "1", "stack_trace": None},
    }


def test_a_field_that_cannot_be_read_loses_no_other_field(shared: KitProcess) -> None:
    exception = raised(shared, "fails-brokenly")

    assert exception["kind"] == "task"
    assert exception["message"] == "the task failed"
    assert isinstance(exception["fields"].pop("description"), str)
    version = exception["fields"].pop("version", "<reading it raised LookupError>")
    assert re.fullmatch(r"<reading it raised \w+>", version)
    assert exception["fields"] == {"task_id": "1", "stack_trace": None}


def test_an_exception_of_the_language_is_reported_as_other(kit: Kit, shared: KitProcess) -> None:
    name, message = kit.language_error

    assert raised(shared, "language-error") == {
        "kind": "other",
        "type": name,
        "message": message,
        "fields": {},
    }


def test_an_exception_whose_message_cannot_be_read_is_still_what_the_caller_saw(
    kit: Kit, shared: KitProcess
) -> None:
    if kit.message_failed is None:
        pytest.skip(f"{kit.name}: the method that gives a message is final")
    exception = raised(shared, "unprintable")

    assert re.search("unprintable|^object$", exception.pop("type").lower())  # JavaScript may have no more
    assert exception == {"kind": "other", "message": kit.message_failed, "fields": {}}


def test_an_exception_is_reported_with_the_type_of_its_cause_if_it_has_one(
    kit: Kit, shared: KitProcess
) -> None:
    assert wait(shared, "caused")["exception"]["cause"] == kit.language_error[0]
    assert wait(shared, "fails")["exception"]["cause"] == ""


def test_the_elapsed_time_spans_the_helper_whether_it_returns_or_raises(shared: KitProcess) -> None:
    shared.write({"id": "1", "op": "wait", "task_id": "sleeps"})
    returned = shared.read()
    shared.write({"id": "2", "op": "wait", "task_id": "fails"})

    assert 0.03 <= returned["elapsed"] < LIMIT_S
    assert 0 <= shared.read()["elapsed"] < LIMIT_S


def test_what_a_signature_cannot_express_is_unsupported(shared: KitProcess) -> None:
    answer = wait(shared, "unsupported")

    assert answer == {"outcome": "unsupported", "reason": "no overload with the interval alone"}


def test_what_json_cannot_carry_is_named_with_its_place(kit: Kit, shared: KitProcess) -> None:
    reasons = {
        "nan": "NaN at a.b[1]",
        "infinity": "-Infinity at the top",
        "loop": "nested too deeply, or within itself",
        **kit.unencodable,
    }

    answers = {task_id: wait(shared, task_id) for task_id in reasons}

    assert answers == {
        name: {"outcome": "returned", "unencodable": reason} for name, reason in reasons.items()
    }


@pytest.mark.parametrize(
    ("task_id", "result"),
    [
        ("null", None),
        ("text", {"text": 'é\u2028\x7f\n"\\'}),
        ("numbers", [0.1, -0.5, 1.5e300, 9007199254740993]),
        ("stdin", ""),
    ],
)
def test_what_json_can_carry_is_reported_exactly(shared: KitProcess, task_id: str, result: Any) -> None:
    assert wait(shared, task_id) == {"outcome": "returned", "result": result}


def test_the_deepest_answer_that_the_harness_reads_is_the_deepest_that_a_kit_writes(
    shared: KitProcess,
) -> None:
    deepest = MAX_DEPTH - 1  # around the payload is the answer
    too_deep = {"outcome": "returned", "unencodable": "nested too deeply, or within itself"}

    shared.write({"id": "1", "op": "wait", "task_id": f"deep:{deepest}"})
    line = shared.lines.get(timeout=LIMIT_S)
    shared.write({"id": "2", "op": "get_task", "task_id": f"deep:{deepest - 1}"})
    task = shared.lines.get(timeout=LIMIT_S)

    assert line is not None
    assert task is not None
    answer, task_answer = read_answer(line), read_answer(task)
    assert isinstance(answer, Answer)
    assert answer.outcome == Returned(Given.RESULT, result=json.loads("[" * deepest + "]" * deepest))
    assert isinstance(task_answer, Answer)
    assert isinstance(task_answer.outcome, Returned)
    assert task_answer.outcome.task["result"] == json.loads("[" * (deepest - 1) + "]" * (deepest - 1))
    assert wait(shared, f"deep:{deepest + 1}") == too_deep
    assert shared.ask(op="get_task", task_id=f"deep:{deepest}") == too_deep


def test_a_task_has_its_four_fields(shared: KitProcess) -> None:
    answer = shared.ask(op="get_task", task_id="t")

    task = {"task_id": "t", "status": "failed", "result": None, "error": {"type": "timeout"}}
    assert answer == {"outcome": "returned", "task": task}


def test_a_task_that_json_cannot_carry_is_named_with_its_place(shared: KitProcess) -> None:
    answer = shared.ask(op="get_task", task_id="nan")

    assert answer == {"outcome": "returned", "unencodable": "NaN at result.a.b[1]"}


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ({"op": "sing"}, "unknown op 'sing'"),
        ({"op": 17}, ""),
        ({}, "unknown op"),
        ({"op": "begin", "operation": "fly", "arguments": {}}, "unknown operation 'fly'"),
        ({"op": "begin", "operation": "toString", "arguments": {}}, "unknown operation 'toString'"),
        ({"op": "begin", "operation": "open", "arguments": "text"}, ""),
        ({"op": "wait"}, "the call has no 'task_id'"),
        ({"op": "wait", "task_id": "x", "options": [1]}, ""),
        ({"op": "wait", "task_id": "undescribable"}, "describe is broken"),
    ],
)
def test_a_fault_outside_of_the_sdk_is_an_adapter_error(shared: KitProcess, call: Json, text: str) -> None:
    answer = shared.ask(**call)

    assert answer.keys() == {"outcome", "message"}
    assert answer["outcome"] == "adapter_error"
    assert text in answer["message"]


def test_a_fault_whose_message_cannot_be_read_is_an_adapter_error(kit: Kit, shared: KitProcess) -> None:
    if kit.message_failed is None:
        pytest.skip(f"{kit.name}: the method that gives a message is final")

    answer = wait(shared, "undescribable-unprintable")

    assert answer["outcome"] == "adapter_error"
    assert kit.message_failed in answer["message"]


def test_what_the_sdk_or_its_child_prints_goes_to_stderr_and_no_child_reads_a_call(fresh: KitProcess) -> None:
    forged = '{"id":"2","outcome":"returned","result":"forged"}'
    fresh.greet()

    fresh.write({"id": "1", "op": "wait", "task_id": f"prints:{forged}"}, {"id": "2", "op": "ping"})
    answers = {answer["id"]: answer for answer in (fresh.read(), fresh.read())}

    assert answers["1"]["outcome"] == "returned"
    assert answers["2"] == {"id": "2", "outcome": "returned"}
    assert fresh.end() == 0
    assert fresh.lines.get(timeout=LIMIT_S) is None
    assert fresh.stderr.decode().splitlines() in ([forged] * 3, [forged] * 4)


def test_a_broken_line_is_reported_on_stderr_and_the_next_is_served(fresh: KitProcess) -> None:
    broken = {
        b'{"id": "1",': r"a line that is not JSON \(.+\)",
        b'{"id": "\xff"}': r"a line that is not (JSON \(.+\)|UTF-8)",
        b"[" * 100_000: r"a line that is not JSON \(.+\)",
        b"[1]": r"a line that is not an object: .*\[1",
        b"17": "a line that is not an object: .*17",
        b'{"op": "wait"}': "a call without an id: .*wait",
    }
    fresh.greet()

    fresh.write(*broken, b"", b"  ", rb'{"\ud800": 1, "id": "2", "\udc00\ud800": [], "op": "ping"}')

    assert fresh.read() == {"id": "2", "outcome": "returned"}
    assert fresh.end() == 0
    lines = fresh.stderr.decode(errors="replace").splitlines()
    reported = [line for line in lines if line.startswith("waitproof kit: ")]
    assert len(reported) == len(broken)
    for line, expected in zip(reported, broken.values(), strict=True):
        assert re.match(f"waitproof kit: {expected}", line)


def test_a_thread_or_timer_that_the_sdk_left_behind_keeps_the_process_alive(
    kit: Kit, fresh: KitProcess
) -> None:
    if not kit.threads_outlive_main:
        pytest.skip(f"{kit.language}: every thread ends with the main one")
    fresh.greet()
    wait(fresh, "leaves-a-thread")
    began_s = time.monotonic()

    assert fresh.end() == 0
    assert time.monotonic() - began_s > 0.5


@pytest.fixture
def cancellable(kit: Kit) -> None:
    if not kit.capabilities.get("cancel"):
        pytest.skip(f"{kit.name} cannot cancel a call")


@pytest.mark.usefixtures("cancellable")
def test_a_wait_that_is_cancelled_says_so_and_its_client_is_used_again(shared: KitProcess) -> None:
    shared.write(
        {"id": "1", "op": "wait", "task_id": "until-cancelled"},
        {"id": "2", "op": "cancel", "call": "1"},
    )
    answers = {answer["id"]: answer for answer in (shared.read(), shared.read())}

    assert 0 <= answers["1"].pop("elapsed") < LIMIT_S / 2
    assert answers == {"1": {"id": "1", "outcome": "cancelled"}, "2": {"id": "2", "outcome": "returned"}}
    assert wait(shared, "null") == {"outcome": "returned", "result": None}


@pytest.mark.usefixtures("cancellable")
def test_an_exception_of_the_sdks_own_for_a_cancelled_wait_is_reported_as_such(
    kit: Kit, shared: KitProcess
) -> None:
    shared.write(
        {"id": "1", "op": "wait", "task_id": "until-cancelled-own"},
        {"id": "2", "op": "cancel", "call": "1"},
    )
    answers = {answer["id"]: answer for answer in (shared.read(), shared.read())}

    assert answers["1"]["outcome"] == "raised"
    assert answers["1"]["exception"]["type"] == kit.task_error


@pytest.mark.usefixtures("cancellable")
def test_to_cancel_a_call_that_has_ended_is_no_mistake(shared: KitProcess) -> None:
    shared.write({"id": "1", "op": "wait", "task_id": "null"})
    shared.read()

    assert shared.ask(op="cancel", call="1") == {"outcome": "returned"}
    assert shared.ask(op="cancel", call="never") == {"outcome": "returned"}
    assert wait(shared, "null") == {"outcome": "returned", "result": None}


@pytest.mark.usefixtures("cancellable")
def test_one_wait_is_cancelled_and_another_goes_on(shared: KitProcess) -> None:
    shared.write(
        {"id": "1", "op": "wait", "task_id": "gate:goes-on"},
        {"id": "2", "op": "wait", "task_id": "until-cancelled"},
        {"id": "3", "op": "cancel", "call": "2"},
    )
    first = {answer["id"]: answer["outcome"] for answer in (shared.read(), shared.read())}
    shared.write(opening("4", "gate:goes-on"))
    second = {answer["id"]: answer["outcome"] for answer in (shared.read(), shared.read())}

    assert first == {"2": "cancelled", "3": "returned"}
    assert second == {"1": "returned", "4": "returned"}


def test_a_kit_that_cannot_cancel_says_that_it_is_unsupported(kit: Kit, shared: KitProcess) -> None:
    if kit.capabilities.get("cancel"):
        pytest.skip(f"{kit.name} can cancel a call")

    answer = shared.ask(op="cancel", call="1")

    assert answer.pop("reason")
    assert answer == {"outcome": "unsupported"}


def test_at_the_end_of_stdin_what_is_in_flight_is_finished_first(kit: Kit, fresh: KitProcess) -> None:
    slow = "sleeps" if kit.is_serial else "gate:end"
    fresh.greet()
    fresh.write({"id": "1", "op": "wait", "task_id": slow}, {"id": "2", "op": "wait", "task_id": slow})

    code = fresh.end(last_words=json.dumps(opening("3", "gate:end")).encode())  # without its line feed

    assert code == 0
    assert sorted(fresh.read()["id"] for _ in range(3)) == ["1", "2", "3"]
    assert fresh.lines.get(timeout=LIMIT_S) is None
