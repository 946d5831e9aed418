"""The kits under test: what each language makes of the laws of the adapter protocol."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

import pytest
from kit_process import Kit, KitProcess

_NOT_UTF8 = "text that is not UTF-8 at a"
_PYTHON = Kit(
    name="python-sync",
    language="python",
    threads_outlive_main=True,
    runtime=sys.implementation.name.replace("cpython", "CPython"),
    programs=(),
    source="python/waitproof_kit.py",
    probe="probe.py",
    task_error="TaskFailed",
    language_error=("ZeroDivisionError", "no \udfff divisor"),
    message_failed="<exception str() failed>",
    unencodable={
        "foreign": "UserDict at a[0]",
        "throws": "a value that raises LookupError at a[0]",
        "bytes": "bytes at a",
        "key": "int as a key at a",
        "long-int": "an int too long to write at a",
        "datetime": "datetime at a[0]",
        "nothing": "nothing at data.result: NoneType has no 'data'",
        "broken-response": "nothing at data.result: reading 'data' raised ValueError",
    },
)

ALL_KITS = [
    _PYTHON,
    Kit(**{**vars(_PYTHON), "name": "python-async", "capabilities": {"cancel": True}}),
    Kit(
        name="go",
        language="go",
        runtime="go1.",
        programs=("go",),
        source="go/kit/kit.go",
        probe="probe.go",
        capabilities={"wait": True, "get_task": True, "cancel": True},
        task_error="main.taskFailed",
        wrapped_error="*fmt.wrapError",
        wrapped_message="wrapped: the task failed",
        language_error=("*errors.errorString", "no \ufffd divisor"),
        message_failed="<the text of main.unprintable cannot be read>",
        text_is_utf8=True,
        ids_are_text=0,
        unencodable={
            "foreign": "func() at a[0]",
            "throws": "a value that panics (a lazy body) at a[0]",
            "refuses": "a value that fails (a lazy body) at a[0]",
            "bytes": "[]uint8 at a",
            "not-utf-8": _NOT_UTF8,
            "raw": "text that is not UTF-8",
            "key": "a key that is not UTF-8 at a",
            "bytes-of-a-surrogate": "text that is not UTF-8 at the top",
        },
    ),
    Kit(
        name="java",
        language="java",
        threads_outlive_main=True,
        runtime="",
        programs=("java", "javac"),
        source="java/kit/waitproof/Kit.java",
        probe="Probe.java",
        capabilities={"operations": ["open", "echo", "strings"], "cancel": True},
        task_error="TaskFailed",
        language_error=("ArithmeticException", "no \udfff divisor"),
        message_failed="<getMessage() failed>",
        is_moved_by_command=True,
        unencodable={
            "foreign": "Foreign at a[0]",
            "throws": "a value that throws UncheckedBodyException at a[0]",
            "bytes": "byte[] at a",
            "key": "Integer as a key at a",
            "null-key": "null as a key at the top",
            "object": "Locale at a[1]",
            "long-int": "an int too long to write at a",
            "big-number": "a number that no double can hold at a",
        },
    ),
    Kit(
        name="node",
        language="javascript",
        threads_outlive_main=True,
        runtime="Node.js ",
        programs=("node",),
        source="node/kit.mjs",
        probe="probe.mjs",
        capabilities={"wait": True, "get_task": True, "non_blocking": True, "cancel": True},
        task_error="TaskFailed",
        language_error=("RangeError", "no \udfff divisor"),
        message_failed="<it has no text>",
        is_moved_by_command=True,
        unencodable={
            "foreign": "Foreign at a[0]",
            "throws": "a value that throws RangeError at a[0]",
            "bytes": "Buffer at a",
            "long-int": "an int too long to write at a",
            "date": "Date at a[0]",
            "map": "Map at a",
            "function": "function at a",
            "symbol": "symbol at [0]",
            "hole": "undefined at [0]",
            "nothing": "undefined at the top",
        },
    ),
    Kit(
        name="php",
        language="php",
        runtime="PHP ",
        programs=("php",),
        source="php/kit.php",
        probe="probe.php",
        capabilities={"max_concurrency": None},
        task_error="TaskFailed",
        language_error=("DivisionByZeroError", "Division by zero"),
        message_failed=None,  # getMessage() is final
        text_is_utf8=True,
        ids_are_text=2**63,
        is_serial=True,
        unencodable={
            "foreign": "ArrayObject at a[0]",
            "throws": "a value that throws DomainException at a[0]",
            "bytes": _NOT_UTF8,
            "datetime": "DateTime at a[0]",
            "nothing": "nothing at data.result: null has no 'data'",
        },
    ),
    Kit(
        name="ruby",
        language="ruby",
        runtime="ruby ",
        programs=("ruby",),
        source="ruby/kit.rb",
        probe="probe.rb",
        task_error="TaskFailed",
        language_error=("ZeroDivisionError", "divided by 0"),
        message_failed="<Unprintable#message failed>",
        text_is_utf8=True,
        unencodable={
            "foreign": "Set at a[0]",
            "throws": "a value that raises IndexError at a[0]",
            "bytes": _NOT_UTF8,
            "bytes-of-a-surrogate": "text that is not UTF-8 at the top",
            "key": "Integer as a key at a",
            "long-int": "an int too long to write at a",
            "time": "Time at a[0]",
            "nothing": 'nothing at data.result: NilClass has no "data"',
        },
    ),
    Kit(
        name="dotnet",
        language="dotnet",
        threads_outlive_main=True,
        runtime=".NET ",
        programs=("dotnet",),
        source="dotnet/Kit.cs",
        probe="Probe.cs",
        capabilities={"non_blocking": True, "operations": ["open", "context"], "cancel": True},
        task_error="TaskFailedException",
        language_error=("ArithmeticException", "no \udfff divisor"),
        message_failed="<Message failed>",
        unencodable={
            "foreign": "Foreign at a[0]",
            "throws": "a value that throws InvalidDataException at a[0]",
            "bytes": "Byte[] at a",
            "key": "Int32 as a key at a",
            "table": "Int32[,] at a",
            "long-int": "an int too long to write at a",
            "not-utf-8": "a value that throws InvalidOperationException at a",
        },
    ),
]


@contextlib.contextmanager
def started(name: str, *arguments: str, is_moved: bool = True) -> Iterator[KitProcess]:
    """Start the probe of one kit, which has said hello; skip the test where its language is not here."""
    kit = next(kit for kit in ALL_KITS if kit.name == name)
    if kit.missing:
        pytest.skip(f"not on PATH: {', '.join(kit.missing)}")
    process = kit.start(*arguments, is_moved=is_moved)
    try:
        process.greet()
        yield process
    finally:
        process.close()
