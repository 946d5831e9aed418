"""The values of the protocol: what an adapter introduced itself as, and what became of a call.

The judge reads these types. They are plain dataclasses, and `read` checks what their annotations say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, InstanceOf, StrictBool

from waitproof.errors import AdapterError, Mistake
from waitproof.lines import MAX_LINE_BYTES

__all__ = [
    "MAX_COUNT",
    "MAX_LINE_BYTES",
    "MAX_RESOLUTION_S",
    "MIN_RESOLUTION_S",
    "OPTIONS",
    "PROTOCOL_VERSION",
    "AdapterFault",
    "Answer",
    "BrokenAdapterError",
    "Cancelled",
    "Capabilities",
    "ExceptionKind",
    "Given",
    "Hello",
    "JsonObject",
    "LogLine",
    "Op",
    "Outcome",
    "Raised",
    "Returned",
    "Text",
    "Unsupported",
]

PROTOCOL_VERSION = 1
Option: TypeAlias = Literal["poll_interval", "timeout", "max_polls"]
OPTIONS: tuple[Option, ...] = ("poll_interval", "timeout", "max_polls")

JsonObject: TypeAlias = dict[str, Any]
Text: TypeAlias = InstanceOf[str]  # pydantic's own check refuses lone surrogates, which an SDK may well send
MAX_COUNT = 2**63 - 1  # some runtimes say "any number" with the largest that they have
MIN_RESOLUTION_S, MAX_RESOLUTION_S = 1e-9, 3600.0  # clocks count nanoseconds; nobody waits in days
_Count: TypeAlias = Annotated[int, Field(strict=True, ge=0, le=MAX_COUNT)]
_Resolution: TypeAlias = Annotated[float, Field(strict=True, ge=MIN_RESOLUTION_S, le=MAX_RESOLUTION_S)]


class Op(StrEnum):
    """What the harness can ask for with an id."""

    WAIT = "wait"
    GET_TASK = "get_task"
    BEGIN = "begin"
    PING = "ping"
    CANCEL = "cancel"


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
    """An adapter broke the protocol or died.

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
    """What an SDK and its adapter can do; the defaults are the protocol's.

    Attributes:
        returns: What the helper hands over where that is less than the contract says, None where it is not.
        required_options: Which options the helper cannot be called without.
        options_together: It takes all options or none.
        variants: Which of the contract's variants of the helper it has.
        zero_values: Its types cannot tell null, or what is absent, from the zero value of a type.
    """

    wait: StrictBool = True
    get_task: StrictBool = True
    operations: tuple[Text, ...] = ()
    max_concurrency: _Count = 1
    non_blocking: StrictBool = False
    poll_interval_resolution: _Resolution = 0.001
    timeout_resolution: _Resolution = 0.001
    options: tuple[Option, ...] = ("poll_interval", "timeout")
    end: StrictBool = False
    cancel: StrictBool = False
    no_timeout: StrictBool = False
    schedules: StrictBool = False
    returns: Literal["task", "result", "nothing"] | None = None
    required_options: tuple[Option, ...] = ()
    options_together: StrictBool = False
    variants: tuple[Text, ...] = ()
    zero_values: StrictBool = False


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
        given: The one member that came, None for a ping's bare answer; it distinguishes null from absent.
        result: The payload as JSON; None also when it was null or when another member came.
        task: The task as JSON, whatever the SDK made of it.
        task_id: The id as JSON: an SDK that lost it gives null, which is a finding, not an adapter error.
        unencodable: What JSON could not carry, "NaN at a.b".
    """

    given: Given | None = None
    result: Any = None
    task: Any = None
    task_id: Any = None
    unencodable: Text | None = None


@dataclass(frozen=True)
class Raised:
    """The helper raised.

    Attributes:
        type: The exception's name in the SDK's language.
        message: Its text; None where the language has exceptions without one.
        fields: The documented fields that it has; null, "" and missing are three reports.
        native_stack_frames: Length of the JVM's own stack trace, None where it was not reported.
        cause: The type's name of what caused it, "" where it has no cause, None where it was not reported.
        copies: For each way to copy it, True or what was different or went wrong; None where none was tried.
    """

    kind: ExceptionKind
    type: Text
    message: Text | None
    fields: JsonObject
    native_stack_frames: _Count | None = None
    cause: Text | None = None
    copies: Mapping[Text, Literal[True] | Text] | None = None


@dataclass(frozen=True)
class Cancelled:
    """The call ended as the language reports a cancellation; an exception of the SDK's own is `Raised`."""


@dataclass(frozen=True)
class Unsupported:
    """The SDK's signature cannot express this call."""

    reason: Text


@dataclass(frozen=True)
class AdapterFault:
    """The adapter reports that it failed at this call itself."""

    message: Text


Outcome: TypeAlias = Returned | Raised | Cancelled | Unsupported | AdapterFault


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
    """A line on stdout that is not an object: some SDKs print."""

    text: str
