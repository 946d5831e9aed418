"""The adapter protocol: its values, reading what an adapter writes, and writing what it reads."""

from waitproof.protocol.read import MAX_DEPTH, as_row, check_answer, line_too_long, read_answer, read_hello
from waitproof.protocol.values import (
    MAX_LINE_BYTES,
    PROTOCOL_VERSION,
    AdapterFault,
    Answer,
    BrokenAdapterError,
    Capabilities,
    ExceptionKind,
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
from waitproof.protocol.write import write_hello, write_request

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
    "JsonObject",
    "LogLine",
    "Op",
    "Outcome",
    "Raised",
    "Returned",
    "Unsupported",
    "as_row",
    "check_answer",
    "line_too_long",
    "read_answer",
    "read_hello",
    "write_hello",
    "write_request",
]
