from __future__ import annotations

import io

import pytest
from made_reports import merged, result, verdict
from rich.console import Console
from waitproof.judge import Status
from waitproof.lines import Digest, Tail
from waitproof.report import print_report
from waitproof.run import Death, RunResult


def summary(run: RunResult) -> list[str]:
    """Return the lines of the terminal's summary that come after the counts."""
    output = io.StringIO()
    print_report(Console(file=output, width=80, color_system=None), merged(run, exit_code=3))
    lines = output.getvalue().splitlines()
    return lines[lines.index("sdk: 1 PASS") + 1 :]


def one_pass(**more: object) -> RunResult:
    run = result(verdict("returns-output", Status.PASS))
    for name, value in more.items():
        setattr(run.adapters[0], name, value)
    return run


def test_alike_deaths_are_one_line_and_many_are_counted() -> None:
    alike = Death("was killed by SIGSEGV", True, ("a", "b", "c", "d", "e"), ("first", "last", ""))
    others = [Death(f"exited with code {code}", scenarios=("a",)) for code in range(4)]

    assert summary(one_pass(deaths=(alike, alike, *others))) == [
        "sdk: 2 times: a process was killed by SIGSEGV during a, b, c and 2 more;"
        " its last line on stderr: last",
        "sdk: a process exited with code 0 after a",
        "sdk: a process exited with code 1 after a",
        "sdk: … and 2 more deaths",
    ]


def test_an_adapter_that_could_not_be_run_has_no_second_line_about_its_death() -> None:
    error = "sdk: exited with code 3 before it answered hello"

    run = one_pass(error=error, deaths=(Death("exited with code 3"),), stderr=Digest(1, "bye"))

    assert summary(run) == []


@pytest.mark.parametrize(
    ("stderr", "lines"),
    [
        (Digest(), []),
        (Digest(1, "bye"), ["sdk: 1 line on stderr: bye"]),
        (Digest(2, "\x1b[31mred"), ["sdk: 2 lines on stderr, the first: \\x1b[31mred"]),
        (Digest(9, "a", "  w" + 99 * "x"), [f"sdk: 9 lines on stderr, the first warning: w{35 * 'x'}…"]),
    ],
)
def test_the_summary_has_one_line_about_stderr(stderr: Digest, lines: list[str]) -> None:
    assert summary(one_pass(stderr=stderr)) == lines


@pytest.mark.parametrize(
    "line",
    [
        "x.py:3: DeprecationWarning: old",
        "(node:1) [DEP0040] The punycode module is DEPRECATED",
        "coroutine 'f' was never awaited",
        "Possible EventEmitter leak: use setMaxListeners()",
    ],
)
def test_a_stream_is_counted_and_its_first_warning_is_kept(line: str) -> None:
    tail = Tail()

    for chunk in (b"loa", b"ding\n\n", line.encode(), b"\nanother warning\n", b"unfinished"):
        tail.feed(chunk)

    assert tail.digest() == Digest(4, "loading", line)
