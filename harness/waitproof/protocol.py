"""The adapter protocol as values: what a line means, and what is wrong with it.

Lines become `Hello`, `Answer` or `LogLine`; whatever else an adapter may write becomes an
`BrokenAdapterError` and nothing worse, so that no adapter can crash the harness. No process, pipe, clock or
thread lives here: `adapter_process` feeds the bytes and knows which answer is still owed. The judge
reads the types below.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NoReturn, TypeAlias

from waitproof.errors import AdapterError, Mistake, nearest

__all__ = [
    "MAX_DEPTH",
    "MAX_LINE_BYTES",
    "PROTOCOL_VERSION",
    "AdapterFault",
    "Answer",
    "BrokenAdapterError",
    "Capabilities",
    "ExceptionKind",
    "Given",
    "Hello",
    "LogLine",
    "Op",
    "Outcome",
    "Raised",
    "Returned",
    "Unsupported",
    "check_answer",
    "line_too_long",
    "read_answer",
    "read_hello",
    "shortened",
    "write_hello",
    "write_request",
]

PROTOCOL_VERSION = 1
MAX_LINE_BYTES = 16 * 1024 * 1024
MAX_DEPTH = 200  # scenarios end at 64; far below the depth at which Python's own encoder gives up
_SHOWN_CHARS = 120  # of a line, in a message: enough for the id and the outcome, and it fits a terminal
_OPTIONS = ("poll_interval", "timeout")

JsonObject: TypeAlias = dict[str, Any]


class Op(StrEnum):
    """What the harness can ask for with an id."""

    WAIT = "wait"
    GET_TASK = "get_task"
    BEGIN = "begin"
    PING = "ping"


class ExceptionKind(StrEnum):
    """Which family an exception of the SDK belongs to, as its adapter sorted it."""

    TASK = "task"
    TRANSPORT = "transport"
    API = "api"
    OTHER = "other"


class Given(StrEnum):
    """The member in which a returned answer carries its value."""

    RESULT = "result"
    TASK = "task"
    TASK_ID = "task_id"
    UNENCODABLE = "unencodable"


class BrokenAdapterError(AdapterError):
    """An adapter broke the protocol or died; told with the facts as fields.

    Attributes:
        mistake: The message in its parts; its place is the adapter's name, "" for the pure functions here.
        stderr: The last lines that the adapter had written to stderr by then, the oldest first.
    """

    def __init__(self, mistake: Mistake, stderr: tuple[str, ...] = ()) -> None:
        self.mistake = mistake
        self.stderr = stderr
        super().__init__(str(mistake))


@dataclass(frozen=True)
class Capabilities:
    """What an SDK and its adapter can do; the defaults are the protocol's."""

    wait: bool = True
    get_task: bool = True
    operations: tuple[str, ...] = ()
    max_concurrency: int = 1
    non_blocking: bool = False
    poll_interval_resolution: float = 0.001
    timeout_resolution: float = 0.001
    options: tuple[str, ...] = _OPTIONS


@dataclass(frozen=True)
class Hello:
    """An adapter's introduction.

    Attributes:
        result_path: Where in the helper's return value the payload lies, "" when it is the payload itself.
        raw: The object as it came, unknown members included.
    """

    sdk_name: str
    sdk_version: str
    language: str
    runtime: str
    helper: str
    result_path: str
    capabilities: Capabilities = Capabilities()
    raw: JsonObject = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class Returned:
    """The helper returned.

    Attributes:
        given: The one member that came, None for a ping's bare answer; it tells null from absent.
        result: The payload as JSON; None also when it was null or when another member came.
        task: The task as JSON, whatever the SDK made of it.
        task_id: The id as JSON: an SDK that lost it gives null, which is a finding and no adapter error.
        unencodable: What JSON could not carry, "NaN at a.b".
    """

    given: Given | None = None
    result: Any = None
    task: Any = None
    task_id: Any = None
    unencodable: str | None = None

    @property
    def has_result(self) -> bool:
        """Whether a result came, null included."""
        return self.given is Given.RESULT


@dataclass(frozen=True)
class Raised:
    """The helper raised.

    Attributes:
        type: The exception's name in the SDK's language.
        message: Its text; None where the language has exceptions without one.
        fields: The documented fields that it has; null, "" and missing are three reports.
        native_stack_frames: Length of the JVM's own stack trace, None where it was not reported.
    """

    kind: ExceptionKind
    type: str
    message: str | None
    fields: JsonObject
    native_stack_frames: int | None = None


@dataclass(frozen=True)
class Unsupported:
    """The SDK's signature cannot express this call."""

    reason: str


@dataclass(frozen=True)
class AdapterFault:
    """The adapter says itself that it failed at this call."""

    message: str


Outcome: TypeAlias = Returned | Raised | Unsupported | AdapterFault


@dataclass(frozen=True)
class Answer:
    """What became of one call.

    Attributes:
        elapsed_s: The adapter's own measurement around the helper's call, None when it made none.
        raw: The object as it came, unknown members included.
    """

    id: str
    outcome: Outcome
    elapsed_s: float | None = None
    raw: JsonObject = field(default_factory=dict, compare=False, repr=False)


@dataclass(frozen=True)
class LogLine:
    """A line on stdout that is no object: some SDKs print."""

    text: str


def line_too_long(limit_bytes: int, start: bytes) -> BrokenAdapterError:
    """Return the error for a line of stdout that is longer than allowed and begins like this."""
    return _failure(_too_long(limit_bytes), start[: 2 * _SHOWN_CHARS])


def read_hello(line: bytes) -> Hello | LogLine:
    """Read the answer to hello.

    Args:
        line: One line of stdout, with or without its line ending.

    Raises:
        BrokenAdapterError: The line is an object, but no hello as the protocol has it.
    """
    try:
        message = _object(line)
        return message if isinstance(message, LogLine) else _hello(message)
    except _FaultError as fault:
        raise _failure(fault, line) from None


def read_answer(line: bytes) -> Answer | LogLine:
    """Read the answer to a call, without knowing which call that was (see `check_answer`).

    Args:
        line: One line of stdout, with or without its line ending.

    Raises:
        BrokenAdapterError: The line is an object, but no answer as the protocol has it.
    """
    try:
        message = _object(line)
        return message if isinstance(message, LogLine) else _answer(message)
    except _FaultError as fault:
        raise _failure(fault, line) from None


def check_answer(op: str, answer: Answer, line: bytes) -> None:
    """Refuse a returned answer without the member that its call is there for.

    Args:
        op: What the harness asked for.
        answer: What `read_answer` made of `line`.
        line: For the message.

    Raises:
        BrokenAdapterError: The member is missing, or it is another call's.
    """
    if not isinstance(answer.outcome, Returned):
        return
    wanted = {Op.WAIT: Given.RESULT, Op.GET_TASK: Given.TASK, Op.BEGIN: Given.TASK_ID}.get(Op(op))
    allowed = {wanted, Given.UNENCODABLE} if wanted else {None}
    if answer.outcome.given not in allowed:
        given = f"'{answer.outcome.given}'" if answer.outcome.given else "nothing"
        raise _failure(
            _FaultError(
                f"the answer to call {_quoted(answer.id)} ({op}) returned {given}",
                expected=f"'{wanted}' (or 'unencodable')" if wanted else "no value: a ping returns nothing",
                fix=f"send what the call returned as '{wanted}', null included" if wanted else "",
            ),
            line,
        )


def write_hello(*, base_url: str, api_key: str, api_secret: str) -> bytes:
    """Return the line that opens the conversation."""
    return _encoded(
        {
            "op": "hello",
            "protocol": PROTOCOL_VERSION,
            "base_url": base_url,
            "api_key": api_key,
            "api_secret": api_secret,
        }
    )


def write_request(call_id: str, op: str, members: Mapping[str, Any]) -> tuple[JsonObject, bytes]:
    """Return a request and its line; whole seconds among its options are written 2, not 2.0."""
    request: JsonObject = {"id": call_id, "op": op, **members}
    if isinstance(request.get("options"), Mapping):
        request["options"] = {name: _whole(value) for name, value in request["options"].items()}
    return request, _encoded(request)


def shortened(line: bytes) -> str:
    """Return a line as one short row of printable text, for a message."""
    text = line[: 2 * _SHOWN_CHARS].rstrip(b"\r\n").decode("utf-8", "backslashreplace")
    text = "".join(char if char.isprintable() else _escaped(char) for char in text)
    if len(text) <= _SHOWN_CHARS and len(line) <= 2 * _SHOWN_CHARS:
        return text
    return f"{text[:_SHOWN_CHARS]}…"


class _FaultError(Exception):
    """What is wrong, before the line is known that it is wrong in."""

    def __init__(self, fact: str, *, expected: str = "", fix: str = "") -> None:
        self.fact = fact
        self.expected = expected
        self.fix = fix
        super().__init__(fact)


def _failure(fault: _FaultError, line: bytes) -> BrokenAdapterError:
    return BrokenAdapterError(
        Mistake("", fault.fact, found=shortened(line), expected=fault.expected, fix=fault.fix)
    )


def _too_long(limit_bytes: int) -> _FaultError:
    return _FaultError(
        f"a line on stdout is longer than {limit_bytes // (1024 * 1024)} MiB",
        expected="one JSON object a line, each ended by LF",
        fix="end each answer with a line feed, and flush",
    )


def _object(line: bytes) -> JsonObject | LogLine:
    if len(line) > MAX_LINE_BYTES + 1:  # its LF may be there
        raise _too_long(MAX_LINE_BYTES)
    if line.startswith(b"\xef\xbb\xbf{"):
        raise _FaultError("stdout begins with a byte order mark", fix="write UTF-8 without a BOM")
    if not line.startswith(b"{"):
        return LogLine(line.rstrip(b"\r\n").decode("utf-8", "replace"))
    try:
        message: JsonObject = json.loads(
            line.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
        )
    except UnicodeDecodeError as error:
        raise _FaultError(
            f"an answer is not UTF-8: byte 0x{line[error.start]:02x} at offset {error.start}",
            fix="open stdout as UTF-8, whatever the locale says",
        ) from None
    except json.JSONDecodeError as error:
        raise _FaultError(
            f"an answer is broken JSON: {error.msg} at offset {error.pos}",
            expected="one whole JSON object a line",
            fix="use a JSON encoder, and write and flush each line under one lock",
        ) from None
    except ValueError:  # Python reads no integer of more than 4300 digits
        raise _FaultError("an answer holds a number with too many digits") from None
    except RecursionError:
        raise _too_deep() from None
    _check_depth(message, line)
    return message


def _refuse_constant(name: str) -> NoReturn:
    raise _FaultError(
        f"an answer holds {name}, which JSON does not have",
        fix=f"""report it as "unencodable": "{name} at <where>" instead of a result""",
    )


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _FaultError(
            f"an answer holds the number {_quoted(text)}, which no double can hold",
            fix="""report it as "unencodable" instead of a result""",
        )
    return value


def _too_deep() -> _FaultError:
    return _FaultError(f"an answer is nested deeper than {MAX_DEPTH} levels")


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
        raise _FaultError(
            "the first answer is not the answer to hello",
            expected='"op":"hello"',
            fix="answer hello first, before any call",
        )
    protocol = message.get("protocol")
    if type(protocol) is not int or protocol != PROTOCOL_VERSION:
        raise _FaultError(
            f"hello speaks protocol {_quoted(protocol)}"
            if "protocol" in message
            else "hello has no 'protocol'",
            expected=f'"protocol":{PROTOCOL_VERSION}',
            fix=f"this harness speaks protocol {PROTOCOL_VERSION}; use the adapter made for it",
        )
    sdk = _member(message, "sdk", "hello")
    if not isinstance(sdk, dict):
        raise _wrong_type("hello", "sdk", sdk, "an object with name, version, language and runtime")
    return Hello(
        sdk_name=_text(sdk, "name", "hello's sdk"),
        sdk_version=_text(sdk, "version", "hello's sdk"),
        language=_text(sdk, "language", "hello's sdk"),
        runtime=_text(sdk, "runtime", "hello's sdk"),
        helper=_text(message, "helper", "hello"),
        result_path=_text(message, "result_path", "hello"),
        capabilities=_capabilities(message.get("capabilities", {})),
        raw=message,
    )


def _capabilities(given: object) -> Capabilities:
    if not isinstance(given, dict):
        raise _wrong_type("hello", "capabilities", given, "an object")
    default = Capabilities()
    options = _texts(given, "options", default.options)
    for option in options:
        if option not in _OPTIONS:
            raise _FaultError(
                f"hello's capabilities name the unknown option {_quoted(option)}",
                expected=" or ".join(_OPTIONS),
                fix=_nearest(option, _OPTIONS),
            )
    return Capabilities(
        wait=_flag(given, "wait", default=default.wait),
        get_task=_flag(given, "get_task", default=default.get_task),
        operations=_texts(given, "operations", default.operations),
        max_concurrency=_count(given, "max_concurrency", default.max_concurrency),
        non_blocking=_flag(given, "non_blocking", default=default.non_blocking),
        poll_interval_resolution=_resolution(
            given, "poll_interval_resolution", default.poll_interval_resolution
        ),
        timeout_resolution=_resolution(given, "timeout_resolution", default.timeout_resolution),
        options=options,
    )


def _answer(message: JsonObject) -> Answer:
    if "id" not in message:
        if message.get("op") == "hello":
            raise _FaultError("hello was answered twice", fix="answer hello once, then only calls")
        raise _FaultError("an answer has no 'id'", fix="send back the id of the call that it answers")
    call_id = message["id"]
    if not isinstance(call_id, str):
        raise _FaultError(
            f"an answer has the id {_quoted(call_id)}, which is no string",
            fix="send the id back as it came: a string",
        )
    return Answer(
        id=call_id,
        outcome=_outcome(message, f"the answer to call {_quoted(call_id)}"),
        elapsed_s=_elapsed_s(message, call_id),
        raw=message,
    )


def _outcome(message: JsonObject, where: str) -> Outcome:
    match _member(message, "outcome", where):
        case "returned":
            return _returned(message, where)
        case "raised":
            return _raised(_member(message, "exception", where), where)
        case "unsupported":
            return Unsupported(_text(message, "reason", where))
        case "adapter_error":
            return AdapterFault(_text(message, "message", where))
        case unknown:
            known = ("returned", "raised", "unsupported", "adapter_error")
            raise _FaultError(
                f"{where} has the unknown outcome {_quoted(unknown)}",
                expected="returned, raised, unsupported or adapter_error",
                fix=_nearest(unknown, known),
            )


def _returned(message: JsonObject, where: str) -> Returned:
    given = [member for member in Given if member in message]
    if len(given) > 1:
        raise _FaultError(
            f"{where} has both '{given[0]}' and '{given[1]}'",
            expected="one of result, task, task_id and unencodable",
        )
    if given == [Given.UNENCODABLE]:
        return Returned(Given.UNENCODABLE, unencodable=_text(message, "unencodable", where))
    return Returned(
        given=given[0] if given else None,
        result=message.get("result"),
        task=message.get("task"),
        task_id=message.get("task_id"),
    )


def _raised(exception: object, where: str) -> Raised:
    if not isinstance(exception, dict):
        raise _wrong_type(where, "exception", exception, "an object with kind, type, message and fields")
    inside = f"the exception in {where}"
    kind = _text(exception, "kind", inside)
    if kind not in list(ExceptionKind):
        raise _FaultError(
            f"{inside} has the unknown kind {_quoted(kind)}",
            expected="task, transport, api or other",
            fix=_nearest(kind, ExceptionKind),
        )
    fields = _member(exception, "fields", inside)
    if not isinstance(fields, dict):
        raise _wrong_type(inside, "fields", fields, "an object")
    message = _member(exception, "message", inside)
    if message is not None and not isinstance(message, str):
        raise _wrong_type(inside, "message", message, "a string or null")
    frames = exception.get("native_stack_frames")
    return Raised(
        kind=ExceptionKind(kind),
        type=_text(exception, "type", inside),
        message=message,
        fields=fields,
        native_stack_frames=None if frames is None else _count(exception, "native_stack_frames", 0, inside),
    )


def _elapsed_s(message: JsonObject, call_id: str) -> float | None:
    if "elapsed" not in message:
        return None
    elapsed_s = _number(message["elapsed"])
    if elapsed_s is None or elapsed_s < 0:
        raise _wrong_type(
            f"the answer to call {_quoted(call_id)}", "elapsed", message["elapsed"], "seconds, 0 or more"
        )
    return elapsed_s


def _member(owner: JsonObject, key: str, where: str) -> object:
    if key not in owner:
        raise _FaultError(f"{where} has no '{key}'")
    return owner[key]


def _text(owner: JsonObject, key: str, where: str) -> str:
    value = _member(owner, key, where)
    if not isinstance(value, str):
        raise _wrong_type(where, key, value, "a string")
    return value


def _texts(owner: JsonObject, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    value = owner.get(key, default)
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise _wrong_type("hello's capabilities", key, value, "a list of strings")
    return tuple(value)


def _flag(owner: JsonObject, key: str, *, default: bool) -> bool:
    value = owner.get(key, default)
    if not isinstance(value, bool):
        raise _wrong_type("hello's capabilities", key, value, "true or false")
    return value


def _count(owner: JsonObject, key: str, default: int, where: str = "hello's capabilities") -> int:
    value = owner.get(key, default)
    if type(value) is not int or value < 0:
        raise _wrong_type(where, key, value, "a whole number, 0 or more")
    return value


def _resolution(owner: JsonObject, key: str, default: float) -> float:
    value = _number(owner.get(key, default))
    if value is None or value <= 0:
        raise _wrong_type("hello's capabilities", key, owner.get(key), "seconds, more than 0")
    return value


def _number(value: object) -> float | None:
    """Return a JSON number as a float, or None: true is no number, and a huge integer is no float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _nearest(value: object, known: Iterable[str]) -> str:
    """Return `nearest`, but only for a word: comparing takes time with the square of the length."""
    return nearest(value, known) if isinstance(value, str) and len(value) <= _SHOWN_CHARS else ""


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _wrong_type(where: str, key: str, value: object, expected: str) -> _FaultError:
    return _FaultError(f"{where} has '{key}': {_quoted(value)}", expected=expected)


def _quoted(value: object) -> str:
    """Return a value from an adapter as short ASCII JSON; it may hold anything, lone surrogates too."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN_CHARS // 2 else f"{text[: _SHOWN_CHARS // 2]}…"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def _encoded(message: JsonObject) -> bytes:
    """Return a line; ASCII, because a lone surrogate has no UTF-8."""
    return json.dumps(message, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
