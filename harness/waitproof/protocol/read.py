"""What a line of an adapter means, and what is wrong with it.

Lines become `Hello`, `Answer` or `LogLine`; anything else an adapter writes is a `BrokenAdapterError` and
nothing worse, so that no adapter can crash the harness. There is no process, pipe, clock or thread in here:
`adapter.process` reads the lines and knows which calls are unanswered.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any, NoReturn, TypeVar

from waitproof.errors import Mistake
from waitproof.protocol.members import (
    SHOWN_CHARS,
    Call,
    ExceptionMember,
    FaultError,
    Greeting,
    Sdk,
    quoted,
    unknown_word,
    validated,
)
from waitproof.protocol.values import (
    MAX_LINE_BYTES,
    PROTOCOL_VERSION,
    AdapterFault,
    Answer,
    BrokenAdapterError,
    Cancelled,
    Capabilities,
    Given,
    Hello,
    JsonObject,
    LogLine,
    Op,
    Outcome,
    Raised,
    Returned,
    Unsupported,
)

__all__ = [
    "MAX_DEPTH",
    "as_row",
    "check_answer",
    "check_log_line",
    "line_too_long",
    "read_answer",
    "read_hello",
]

MAX_DEPTH = 200  # scenarios end at 64; far below the depth at which Python's own encoder gives up
_ID = re.compile(rb'"id"\s*:\s*"(\d{1,20})"')
_HELLO = re.compile(rb'"op"\s*:\s*"hello"')
_OUTCOMES = ("returned", "raised", "cancelled", "unsupported", "adapter_error")

_R = TypeVar("_R")


def line_too_long(limit_bytes: int, start: bytes) -> BrokenAdapterError:
    """Return the error for a line of stdout that is longer than allowed and begins like this."""
    return _failure(_too_long(limit_bytes), start[: 2 * SHOWN_CHARS])


def read_hello(line: bytes) -> Hello | LogLine:
    """Read the answer to hello.

    Args:
        line: One line of stdout, with or without its line ending.

    Raises:
        BrokenAdapterError: The line is an object, but not a hello as the protocol defines it.
    """
    return _read(line, _hello)


def read_answer(line: bytes) -> Answer | LogLine:
    """Read the answer to a call, without knowing which call that was (see `check_answer`).

    Args:
        line: One line of stdout, with or without its line ending.

    Raises:
        BrokenAdapterError: The line is an object, but not an answer as the protocol defines it.
    """
    return _read(line, _answer)


def check_log_line(line: bytes, in_flight: Collection[str] | None) -> None:
    """Refuse a line that would pass for a log, although it holds an answer that somebody waits for.

    Text may come before the answer, and NUL bytes between its characters: that is UTF-16.

    Args:
        line: One line of stdout.
        in_flight: The ids of the calls without an answer; None before hello has been answered.

    Raises:
        BrokenAdapterError: It holds an answer to one of them, or to hello.
    """
    text = line.replace(b"\0", b"")
    if in_flight is None:
        held = ["hello"] if _HELLO.search(text) else []
    elif b'"outcome"' in text:
        ids = [found[1].decode("ascii", "replace") for found in _ID.finditer(text)]
        held = [f"call {quoted(each)}" for each in ids if each in in_flight]
    else:
        held = []
    if held:
        fault = FaultError(
            f"the answer to {held[0]} does not begin its line, or is not in UTF-8",
            expected="one JSON object a line, in UTF-8, and nothing before it",
            fix="print anything else to stderr, and end what is printed with a line feed",
        )
        raise _failure(fault, line)


def _read(line: bytes, read: Callable[[JsonObject], _R]) -> _R | LogLine:
    try:
        message = _object(line)
        return message if isinstance(message, LogLine) else read(message)
    except FaultError as fault:
        raise _failure(fault, line) from None


def check_answer(op: str, answer: Answer, line: bytes, *, was_cancelled: bool = False) -> None:
    """Refuse a returned answer without the member that its call is there for, and a cancellation of nobody's.

    Args:
        op: What the harness asked for.
        was_cancelled: The harness has asked for the call to be cancelled.
        answer: What `read_answer` made of `line`.
        line: For the message.

    Raises:
        BrokenAdapterError: The member is missing, it is another call's, or nobody cancelled the call.
    """
    if isinstance(answer.outcome, Cancelled) and not was_cancelled:
        raise _failure(
            FaultError(
                f"the answer to call {quoted(answer.id)} ({op}) is 'cancelled', but nobody cancelled it",
                expected="'cancelled' only after a 'cancel' that names the call",
                fix="report any other exception as 'raised'",
            ),
            line,
        )
    if not isinstance(answer.outcome, Returned):
        return
    wanted = {Op.WAIT: Given.RESULT, Op.GET_TASK: Given.TASK, Op.BEGIN: Given.TASK_ID}.get(Op(op))
    allowed = {wanted, Given.UNENCODABLE} if wanted else {None}
    if answer.outcome.given not in allowed:
        given = f"'{answer.outcome.given}'" if answer.outcome.given else "nothing"
        raise _failure(
            FaultError(
                f"the answer to call {quoted(answer.id)} ({op}) returned {given}",
                expected=f"'{wanted}' (or 'unencodable')" if wanted else f"no value: a {op} returns nothing",
                fix=f"send what the call returned as '{wanted}', null included" if wanted else "",
            ),
            line,
        )


def as_row(line: bytes | str) -> str:
    """Return a line as one short row of printable text, for a message; `text.escape` keeps lines."""
    data = line.encode("utf-8", "backslashreplace") if isinstance(line, str) else line
    text = data[: 2 * SHOWN_CHARS].rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    text = "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text
    )
    if len(text) <= SHOWN_CHARS and len(data) <= 2 * SHOWN_CHARS:
        return text
    return f"{text[:SHOWN_CHARS]}…"


def _failure(fault: FaultError, line: bytes) -> BrokenAdapterError:
    return BrokenAdapterError(
        Mistake("", fault.fact, found=as_row(line), expected=fault.expected, fix=fault.fix)
    )


def _too_long(limit_bytes: int) -> FaultError:
    return FaultError(
        f"a line on stdout is longer than {limit_bytes // (1024 * 1024)} MiB",
        expected="one JSON object a line, each ended by LF",
        fix="end each answer with a line feed, and flush",
    )


def _object(line: bytes) -> JsonObject | LogLine:
    if len(line) > MAX_LINE_BYTES + 1:  # its LF may be there
        raise _too_long(MAX_LINE_BYTES)
    if line.startswith(b"\xef\xbb\xbf{"):
        raise FaultError("stdout begins with a byte order mark", fix="write UTF-8 without a BOM")
    if not line.startswith(b"{"):
        return LogLine(line.rstrip(b"\r\n").decode("utf-8", "replace"))
    try:
        message: JsonObject = json.loads(
            line.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise FaultError(
            f"an answer is not UTF-8: byte 0x{line[error.start]:02x} at offset {error.start}",
            fix="open stdout as UTF-8, not in the locale's encoding",
        ) from None
    except json.JSONDecodeError as error:
        raise FaultError(
            f"an answer is broken JSON: {error.msg} at offset {error.pos}",
            expected="one whole JSON object a line",
            fix="use a JSON encoder, and write and flush each line under one lock",
        ) from None
    except ValueError:  # Python reads no integer of more than 4300 digits
        raise FaultError("an answer holds a number with too many digits") from None
    except RecursionError:
        raise _too_deep() from None
    _check_depth(message, line)
    return message


def _refuse_constant(name: str) -> NoReturn:
    raise FaultError(
        f"an answer holds {name}, which JSON does not have",
        fix=f"""report it as "unencodable": "{name} at <where>" instead of a result""",
    )


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise FaultError(
            f"an answer holds the number {quoted(text)}, which no double can hold",
            fix="""report it as "unencodable" instead of a result""",
        )
    return value


def _too_deep() -> FaultError:
    return FaultError(f"an answer is nested deeper than {MAX_DEPTH} levels")


def _check_depth(message: JsonObject, line: bytes) -> None:
    if line.count(b"[") + line.count(b"{") <= MAX_DEPTH:
        return  # nearly every line: no walk needed
    level: list[Any] = [message]
    for _ in range(MAX_DEPTH):
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
        level = [child for child in level if isinstance(child, dict | list)]
        if not level:
            return
    raise _too_deep()


def _hello(message: JsonObject) -> Hello:
    if message.get("op") != "hello":
        raise FaultError(
            "the first answer is not the answer to hello",
            expected='"op":"hello"',
            fix="answer hello first, before any call",
        )
    protocol = message.get("protocol")
    if type(protocol) is not int or protocol != PROTOCOL_VERSION:
        raise FaultError(
            f"hello speaks protocol {quoted(protocol)}"
            if "protocol" in message
            else "hello has no 'protocol'",
            expected=f'"protocol":{PROTOCOL_VERSION}',
            fix=f"this harness speaks protocol {PROTOCOL_VERSION}; use the adapter made for it",
        )
    greeting = validated(Greeting, message, "hello")
    sdk = validated(Sdk, greeting.sdk, "hello's sdk")
    return Hello(
        sdk.name,
        sdk.version,
        sdk.language,
        sdk.runtime,
        greeting.helper,
        greeting.result_path,
        validated(Capabilities, greeting.capabilities, "hello's capabilities"),
        raw=message,
    )


def _answer(message: JsonObject) -> Answer:
    if "id" not in message:
        if message.get("op") == "hello":
            raise FaultError("hello was answered twice", fix="answer hello once, then only calls")
        raise FaultError("an answer has no 'id'", fix="send back the id of the call that it answers")
    call_id = message["id"]
    if not isinstance(call_id, str):
        raise FaultError(
            f"an answer has the id {quoted(call_id)}, which is not a string",
            fix="send the id back as it came: a string",
        )
    where = f"the answer to call {quoted(call_id)}"
    call = validated(Call, message, where)
    elapsed_s = call.elapsed if "elapsed" in message else None
    match call.outcome:
        case "returned":
            outcome: Outcome = _returned(message, where)
        case "raised":
            exception = validated(ExceptionMember, message, where).exception
            outcome = validated(Raised, exception, f"the exception in {where}")
        case "cancelled":
            outcome = Cancelled()
        case "unsupported":
            outcome = validated(Unsupported, message, where)
        case "adapter_error":
            outcome = validated(AdapterFault, message, where)
        case unknown:
            raise unknown_word(where, "outcome", unknown, _OUTCOMES)
    return Answer(call_id, outcome, elapsed_s, raw=message)


def _returned(message: JsonObject, where: str) -> Returned:
    given = [member for member in Given if member in message]
    if len(given) > 1:
        raise FaultError(
            f"{where} has both '{given[0]}' and '{given[1]}'",
            expected="one of result, task, task_id and unencodable",
        )
    value = {member.value: message[member] for member in given}
    return replace(validated(Returned, value, where), given=given[0] if given else None)
