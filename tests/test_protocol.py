import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waitproof.errors import AdapterError
from waitproof.protocol import (
    MAX_DEPTH,
    MAX_LINE_BYTES,
    AdapterFault,
    Answer,
    BrokenAdapterError,
    Cancelled,
    Capabilities,
    ExceptionKind,
    Given,
    Hello,
    LogLine,
    Raised,
    Returned,
    Unsupported,
    as_row,
    check_answer,
    check_log_line,
    read_answer,
    read_hello,
    write_hello,
    write_request,
)

HELLO: dict[str, Any] = {
    "op": "hello",
    "protocol": 1,
    "sdk": {"name": "getstream", "version": "7.0.0", "language": "python", "runtime": "CPython 3.11.7"},
    "helper": "Stream.wait_for_task",
    "result_path": "data.result",
}
EXCEPTION: dict[str, Any] = {"kind": "task", "type": "TaskError", "message": "m", "fields": {}}

texts = st.text(st.sampled_from('a0{"\\\ud800\x1b\n'), max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=8,
)


def answered(**members: Any) -> bytes:
    return json.dumps({"id": "17", **members}).encode()


def message_of(line: bytes) -> str:
    with pytest.raises(BrokenAdapterError) as caught:
        read_answer(line)
    return str(caught.value)


def fact_of(line: bytes) -> str:
    return message_of(line).splitlines()[0]


def hello_message(**members: Any) -> str:
    with pytest.raises(BrokenAdapterError) as caught:
        read_hello(json.dumps({**HELLO, **members}).encode())
    return str(caught.value)


@given(st.binary() | st.binary().map(lambda rest: b"{" + rest))
def test_any_bytes_are_an_answer_a_log_line_or_an_adapter_error(line: bytes) -> None:
    for read in (read_answer, read_hello):
        try:
            assert isinstance(read(line), Answer | Hello | LogLine)
        except AdapterError as error:
            str(error).encode()  # it can be printed


@given(
    st.dictionaries(
        st.sampled_from(
            [
                *("id", "op", "outcome", "result", "task", "exception", "reason", "message", "elapsed"),
                *("kind", "protocol", "sdk", "helper", "result_path", "capabilities", "options"),
            ]
        ),
        json_values
        | st.sampled_from(["17", "returned", "raised", "unsupported", "adapter_error", EXCEPTION]),
    )
)
def test_any_object_is_an_answer_or_an_adapter_error(message: dict[str, Any]) -> None:
    for line in (json.dumps(message), json.dumps({**HELLO, **message})):
        for read in (read_answer, read_hello):
            try:
                assert isinstance(read(line.encode()), Answer | Hello)
            except AdapterError as error:
                str(error).encode()


@pytest.mark.parametrize(
    ("members", "answer"),
    [
        ({"outcome": "returned"}, Answer("17", Returned())),
        (
            {"outcome": "returned", "result": {"a": [1, 2.5, None]}, "elapsed": 3},
            Answer("17", Returned(Given.RESULT, result={"a": [1, 2.5, None]}), elapsed_s=3.0),
        ),
        ({"outcome": "returned", "result": None}, Answer("17", Returned(Given.RESULT))),
        ({"outcome": "returned", "task": []}, Answer("17", Returned(Given.TASK, task=[]))),
        ({"outcome": "returned", "task_id": 7}, Answer("17", Returned(Given.TASK_ID, task_id=7))),
        (
            {"outcome": "returned", "unencodable": "NaN at a.b"},
            Answer("17", Returned(Given.UNENCODABLE, unencodable="NaN at a.b")),
        ),
        (
            {"outcome": "raised", "exception": {**EXCEPTION, "native_stack_frames": 12, "later": 1}},
            Answer("17", Raised(ExceptionKind.TASK, "TaskError", "m", {}, native_stack_frames=12)),
        ),
        (
            {
                "outcome": "raised",
                "exception": {**EXCEPTION, "cause": "", "copies": {"copy": True, "x": "y"}},
            },
            Answer(
                "17",
                Raised(ExceptionKind.TASK, "TaskError", "m", {}, cause="", copies={"copy": True, "x": "y"}),
            ),
        ),
        (
            {"outcome": "raised", "exception": {**EXCEPTION, "kind": "other", "message": None}},
            Answer("17", Raised(ExceptionKind.OTHER, "TaskError", None, {})),
        ),
        ({"outcome": "unsupported", "reason": "no overload"}, Answer("17", Unsupported("no overload"))),
        ({"outcome": "adapter_error", "message": "oops"}, Answer("17", AdapterFault("oops"))),
    ],
)
def test_an_answer_becomes_its_value(members: dict[str, Any], answer: Answer) -> None:
    assert read_answer(answered(**members) + b"\r\n") == answer


def test_an_answer_keeps_members_that_the_protocol_does_not_know() -> None:
    answer = read_answer(answered(outcome="returned", note="new"))

    assert isinstance(answer, Answer)
    assert answer.raw == {"id": "17", "outcome": "returned", "note": "new"}


@pytest.mark.parametrize("line", [b"", b"\n", b"DEBUG x\r\n", b' {"id":"17"}', b"[1]", b"\xff{"])
def test_a_line_that_does_not_begin_with_a_brace_is_log(line: bytes) -> None:
    assert read_answer(line) == LogLine(line.rstrip(b"\r\n").decode("utf-8", "replace"))


@pytest.mark.parametrize(
    "line",
    [
        b'.{"id":"3","outcome":"returned"}',
        b' {"id": "3", "outcome": "raised"}',
        b'\0\0{"outcome":"returned", "id" :\t"3"}',
        '{"id": "3", "outcome": "returned"}'.encode("utf-16-be"),
        b'\x1b[0m[{"id":"3","outcome":"cancelled"}]',
        b'{"id":"1"}{"id":"3","outcome"'[1:],
    ],
)
def test_a_log_line_that_holds_an_answer_is_refused_while_its_call_is_in_flight(line: bytes) -> None:
    check_log_line(line, ["4"])
    with pytest.raises(BrokenAdapterError) as caught:
        check_log_line(line, ["2", "3"])

    assert caught.value.mistake.fact == 'the answer to call "3" does not begin its line, or is not in UTF-8'
    assert caught.value.mistake.found == as_row(line)


@pytest.mark.parametrize(
    "line", [b'sent {"id":"3"}', b'"outcome" of id 3', b"", b'{"op":"hello"}', b"\xff\xfe"]
)
def test_a_log_line_without_an_answer_is_let_through(line: bytes) -> None:
    check_log_line(line, ["3"])


def test_a_hello_behind_other_text_is_refused_at_once() -> None:
    check_log_line(b"loading", None)
    with pytest.raises(BrokenAdapterError, match="the answer to hello does not begin its line"):
        check_log_line(b'loading...{"op": "hello", "protocol": 1}', None)


def test_a_lone_surrogate_is_data() -> None:
    assert read_answer(answered(outcome="returned", result="\ud800")) == Answer(
        "17", Returned(Given.RESULT, result="\ud800")
    )


@pytest.mark.parametrize(
    ("line", "fact"),
    [
        (b'{"id":"17\xff"}', "an answer is not UTF-8: byte 0xff at offset 9"),
        (b"\xef\xbb\xbf{}", "stdout begins with a byte order mark"),
        (b'{"id":"17" "outcome"}', "an answer is broken JSON: Expecting ',' delimiter at offset 11"),
        (b'{"id":"17"}{}', "an answer is broken JSON: Extra data at offset 11"),
        (b"{}", "an answer has no 'id'"),
        (b'{"op":"hello"}', "hello was answered twice"),
        (b'{"id":17}', "an answer has the id 17, which is not a string"),
        (b'{"id":"17"}', "the answer to call \"17\" has no 'outcome'"),
        (b'{"id":"17","outcome":NaN}', "an answer holds NaN, which JSON does not have"),
        (b'{"id":"17","result":[-Infinity]}', "an answer holds -Infinity, which JSON does not have"),
        (b'{"id":"17","result":1e999}', 'an answer holds the number "1e999", which no double can hold'),
        (b'{"id":' + b"1" * 5000 + b"}", "an answer holds a number with too many digits"),
        (b'{"id":' + b"[" * 100_000, f"an answer is nested deeper than {MAX_DEPTH} levels"),
        (
            b'{"id":' + b"[" * MAX_DEPTH + b"]" * MAX_DEPTH + b"}",
            f"an answer is nested deeper than {MAX_DEPTH} levels",
        ),
        (b"{" + b" " * MAX_LINE_BYTES + b"\n", "a line on stdout is longer than 16 MiB"),
        (answered(outcome=None), 'the answer to call "17" has the unknown outcome null'),
        (
            answered(outcome="returned", result=1, task=2),
            "the answer to call \"17\" has both 'result' and 'task'",
        ),
        (
            answered(outcome="returned", unencodable=1),
            "the answer to call \"17\" has 'unencodable': 1",
        ),
        (answered(outcome="raised"), "the answer to call \"17\" has no 'exception'"),
        (
            answered(outcome="raised", exception={**EXCEPTION, "kind": "tasks"}),
            'the exception in the answer to call "17" has the unknown kind "tasks"',
        ),
        (
            answered(outcome="raised", exception={"kind": "task", "message": "", "fields": {}}),
            "the exception in the answer to call \"17\" has no 'type'",
        ),
        (
            answered(outcome="raised", exception={**EXCEPTION, "fields": []}),
            "the exception in the answer to call \"17\" has 'fields': []",
        ),
        (
            answered(outcome="raised", exception={**EXCEPTION, "native_stack_frames": True}),
            "the exception in the answer to call \"17\" has 'native_stack_frames': true",
        ),
        (
            answered(outcome="raised", exception={**EXCEPTION, "copies": {"pickle": False}}),
            'the exception in the answer to call "17" has \'copies\': {"pickle": false}',
        ),
        (answered(outcome="unsupported"), "the answer to call \"17\" has no 'reason'"),
        (answered(outcome="adapter_error"), "the answer to call \"17\" has no 'message'"),
        (answered(outcome="returned", elapsed=-1), "the answer to call \"17\" has 'elapsed': -1"),
        (answered(outcome="returned", elapsed=1e300), "the answer to call \"17\" has 'elapsed': 1e+300"),
        (answered(outcome="returned", elapsed=True), "the answer to call \"17\" has 'elapsed': true"),
        (answered(outcome="returned", elapsed=None), "the answer to call \"17\" has 'elapsed': null"),
        (
            answered(outcome="returned", elapsed=10**400),
            f"the answer to call \"17\" has 'elapsed': 1{'0' * 59}…",
        ),
    ],
)
def test_a_broken_answer_is_named_in_the_first_line(line: bytes, fact: str) -> None:
    assert fact_of(line) == fact


def test_a_broken_answer_shows_the_line_what_was_expected_and_how_to_fix_it() -> None:
    assert message_of(answered(outcome="retuned")) == (
        'the answer to call "17" has the unknown outcome "retuned"\n'
        '  found:    {"id": "17", "outcome": "retuned"}\n'
        "  expected: returned, raised, cancelled, unsupported or adapter_error\n"
        "  fix:      did you mean 'returned'?"
    )


def test_only_a_call_that_was_cancelled_ends_as_cancelled() -> None:
    line = answered(outcome="cancelled", elapsed=0.61)
    answer = read_answer(line)
    assert answer == Answer("17", Cancelled(), 0.61)

    check_answer("wait", answer, line, was_cancelled=True)
    with pytest.raises(BrokenAdapterError) as caught:
        check_answer("wait", answer, line)

    assert str(caught.value) == (
        "the answer to call \"17\" (wait) is 'cancelled', but nobody cancelled it\n"
        '  found:    {"id": "17", "outcome": "cancelled", "elapsed": 0.61}\n'
        "  expected: 'cancelled' only after a 'cancel' that names the call\n"
        "  fix:      report any other exception as 'raised'"
    )


def test_a_deep_but_tolerable_answer_is_read() -> None:
    depth = MAX_DEPTH - 1
    line = b'{"id":"17","outcome":"returned","result":' + b"[" * depth + b"]" * depth + b"}"

    assert isinstance(read_answer(line), Answer)


@pytest.mark.parametrize(
    ("op", "members"),
    [
        ("wait", {"result": None}),
        ("get_task", {"task": None}),
        ("begin", {"task_id": None}),
        ("wait", {"unencodable": "NaN"}),
        ("ping", {}),
        ("cancel", {}),
    ],
)
def test_a_returned_answer_carries_what_its_call_is_there_for(op: str, members: dict[str, Any]) -> None:
    answer = read_answer(answered(outcome="returned", **members))
    assert isinstance(answer, Answer)

    check_answer(op, answer, b"")


def test_a_returned_answer_without_its_member_is_refused() -> None:
    line = b'{"id":"17","outcome":"returned","task":{}}'
    answer = read_answer(line)
    assert isinstance(answer, Answer)

    with pytest.raises(BrokenAdapterError) as caught:
        check_answer("wait", answer, line)

    assert str(caught.value) == (
        "the answer to call \"17\" (wait) returned 'task'\n"
        '  found:    {"id":"17","outcome":"returned","task":{}}\n'
        "  expected: 'result' (or 'unencodable')\n"
        "  fix:      send what the call returned as 'result', null included"
    )


def test_a_hello_without_capabilities_has_the_protocols_defaults() -> None:
    assert read_hello(json.dumps(HELLO).encode()) == Hello(
        sdk_name="getstream",
        sdk_version="7.0.0",
        language="python",
        runtime="CPython 3.11.7",
        helper="Stream.wait_for_task",
        result_path="data.result",
        capabilities=Capabilities(
            wait=True,
            get_task=True,
            operations=(),
            max_concurrency=1,
            non_blocking=False,
            poll_interval_resolution=0.001,
            timeout_resolution=0.001,
            options=("poll_interval", "timeout"),
            cancel=False,
        ),
    )


def test_a_hello_keeps_its_capabilities_and_ignores_unknown_ones() -> None:
    capabilities = {
        "wait": False,
        "get_task": False,
        "operations": ["export_users"],
        "max_concurrency": 0,
        "non_blocking": True,
        "poll_interval_resolution": 1,
        "timeout_resolution": 0.5,
        "options": ["timeout"],
        "cancel": True,
        "telepathy": True,
    }

    hello = read_hello(json.dumps({**HELLO, "capabilities": capabilities}).encode())

    assert isinstance(hello, Hello)
    assert hello.capabilities == Capabilities(
        wait=False,
        get_task=False,
        operations=("export_users",),
        max_concurrency=0,
        non_blocking=True,
        poll_interval_resolution=1.0,
        timeout_resolution=0.5,
        options=("timeout",),
        cancel=True,
    )


@pytest.mark.parametrize(
    ("member", "value", "expected"),
    [
        ("timeout_resolution", 1e308, "seconds, from 1e-09 to 3600"),
        ("poll_interval_resolution", -1, "seconds, from 1e-09 to 3600"),
        ("max_concurrency", 2**63, f"a whole number, from 0 to {2**63 - 1}"),
    ],
)
def test_a_number_out_of_its_range_is_refused_with_the_range(
    member: str, value: float, expected: str
) -> None:
    assert f"\n  expected: {expected}" in hello_message(capabilities={member: value})


def test_a_hello_of_another_protocol_says_what_to_do() -> None:
    with pytest.raises(BrokenAdapterError) as caught:
        read_hello(b'{"op":"hello","protocol":2}')

    assert str(caught.value) == (
        "hello speaks protocol 2\n"
        '  found:    {"op":"hello","protocol":2}\n'
        '  expected: "protocol":1\n'
        "  fix:      this harness speaks protocol 1; use the adapter made for it"
    )


@pytest.mark.parametrize(
    ("members", "fact"),
    [
        ({"op": "ping"}, "the first answer is not the answer to hello"),
        ({"protocol": True}, "hello speaks protocol true"),
        ({"sdk": "getstream"}, "hello has 'sdk': \"getstream\""),
        ({"sdk": {"name": "getstream"}}, "hello's sdk has no 'version'"),
        ({"helper": None}, "hello has 'helper': null"),
        ({"capabilities": []}, "hello has 'capabilities': []"),
        ({"capabilities": {"wait": 1}}, "hello's capabilities has 'wait': 1"),
        ({"capabilities": {"operations": [1]}}, "hello's capabilities has 'operations': [1]"),
        ({"capabilities": {"max_concurrency": -1}}, "hello's capabilities has 'max_concurrency': -1"),
        ({"capabilities": {"timeout_resolution": 0}}, "hello's capabilities has 'timeout_resolution': 0"),
        (
            {"capabilities": {"timeout_resolution": 1e-10}},
            "hello's capabilities has 'timeout_resolution': 1e-10",
        ),
        (
            {"capabilities": {"timeout_resolution": 1e308}},
            "hello's capabilities has 'timeout_resolution': 1e+308",
        ),
        (
            {"capabilities": {"poll_interval_resolution": 10**400}},
            f"hello's capabilities has 'poll_interval_resolution': 1{'0' * 59}…",
        ),
        (
            {"capabilities": {"max_concurrency": 2**63}},
            "hello's capabilities has 'max_concurrency': 9223372036854775808",
        ),
        (
            {"capabilities": {"options": ["timeoout"]}},
            'hello\'s capabilities has the unknown option "timeoout"',
        ),
        (
            {"capabilities": {"returns": "nothin"}},
            'hello\'s capabilities has the unknown returns "nothin"',
        ),
        ({"capabilities": {"zero_values": 1}}, "hello's capabilities has 'zero_values': 1"),
    ],
)
def test_a_broken_hello_is_named_in_the_first_line(members: dict[str, Any], fact: str) -> None:
    assert hello_message(**members).splitlines()[0] == fact


def test_requests_are_written_as_the_protocol_has_them() -> None:
    request, line = write_request(
        "17", "wait", {"client": "a", "task_id": "\ud800é", "options": {"poll_interval": 0.2, "timeout": 2.0}}
    )

    assert line == (
        b'{"id":"17","op":"wait","client":"a","task_id":"\\ud800\\u00e9",'
        b'"options":{"poll_interval":0.2,"timeout":2}}\n'
    )
    assert request == json.loads(line)
    assert write_hello(base_url="http://127.0.0.1:1", api_key="key", api_secret="secret") == (
        b'{"op":"hello","protocol":1,"base_url":"http://127.0.0.1:1","api_key":"key","api_secret":"secret"}\n'
    )


def test_a_shown_line_is_short_and_printable() -> None:
    assert as_row(b"caf\xc3\xa9 \x1b[31m\t\xff\r\n") == "café \\x1b[31m\\t\\xff"
    assert as_row(b"x" * 1000) == "x" * 120 + "…"
