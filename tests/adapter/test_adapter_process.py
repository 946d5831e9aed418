import os
import re
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from github_runner import FILES, FOLDER
from waitproof.adapter.answers import AnswersBudget
from waitproof.adapter.command import AdapterCommand, clean_environment, without_ci
from waitproof.adapter.process import AdapterProcess, PendingCall, close_all
from waitproof.errors import AdapterError, HarnessError
from waitproof.protocol import Answer, BrokenAdapterError, ExceptionKind, Given, Hello, Raised, Returned

HOSTILE = Path(__file__).parents[1] / "hostile"
LIMIT_S = 10.0  # for what takes milliseconds; only a machine in trouble gets near it

Start = Callable[..., AdapterProcess]


def command(adapter: str, *arguments: str, env: dict[str, str] | None = None) -> AdapterCommand:
    argv = (sys.executable, "-S", str(HOSTILE / f"{adapter}.py"), *arguments)
    return AdapterCommand(f"adapters/{adapter}", argv, HOSTILE, env or {})


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a hostile adapter that is closed, at the latest, after the test."""
    processes: list[AdapterProcess] = []

    def start_one(adapter: str, *arguments: str, **options: Any) -> AdapterProcess:
        env = options.pop("env", None)
        processes.append(AdapterProcess(command(adapter, *arguments, env=env), **options))
        return processes[-1]

    yield start_one
    close_all(processes, grace_s=0)


def greet(process: AdapterProcess) -> Hello:
    return process.hello(base_url="http://127.0.0.1:1", api_key="key", api_secret="secret")


def done(call: PendingCall) -> PendingCall:
    assert call.wait(LIMIT_S), f"neither an answer to {call.request} nor an error within {LIMIT_S} s"
    return call


def error_of(call: PendingCall) -> BrokenAdapterError:
    error = done(call).error
    assert isinstance(error, BrokenAdapterError)
    return error


def first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def by_hand(process: AdapterProcess) -> str:
    return f"run it by hand: cd {HOSTILE} && {' '.join(process.command.argv)}"


def test_a_well_behaved_adapter_is_asked_and_answers(start: Start) -> None:
    process = start("well_behaved")

    hello = greet(process)
    before_ns = time.monotonic_ns()
    calls = [
        process.send("wait", client="a", task_id="t", options={"timeout": 2.0}),
        process.send("get_task", client="a", task_id="t"),
        process.send("begin", operation="delete_users", arguments={"text": "x" * 2_000_000}),
        process.send("ping"),
    ]
    answers = [done(call).answer for call in calls]
    after_ns = time.monotonic_ns()

    assert (hello.sdk_name, hello.language, hello.capabilities.max_concurrency) == ("hostile", "python", 0)
    assert answers == [
        Answer("1", Returned(Given.RESULT, result={"timeout": 2}), elapsed_s=0.25),
        Answer("2", Returned(Given.TASK, task={"task_id": "t"})),
        Answer("3", Returned(Given.TASK_ID, task_id=2_000_000)),
        Answer("4", Returned()),
    ]
    assert calls[0].request == {
        "id": "1",
        "op": "wait",
        "client": "a",
        "task_id": "t",
        "options": {"timeout": 2},
    }
    for call in calls:
        assert call.sent_ns is not None
        assert call.received_ns is not None
        assert before_ns <= call.sent_ns <= call.received_ns <= after_ns
    assert process.alive
    assert process.exit_code is None
    assert process.failure is None


def test_an_adapter_that_is_closed_finishes_and_has_not_failed(start: Start) -> None:
    process = start("well_behaved")
    greet(process)
    call = process.send("ping")

    process.close(grace_s=LIMIT_S)
    process.close()
    late = process.send("ping")

    assert call.answer == Answer("1", Returned())
    assert (process.alive, process.exit_code, process.failure) == (False, 0, None)
    assert str(late.error) == "adapters/well_behaved: was ended by the harness before call 2"


def test_hello_is_sent_once(start: Start) -> None:
    process = start("well_behaved")
    greet(process)

    with pytest.raises(HarnessError, match="adapters/well_behaved: hello was sent twice"):
        greet(process)


def test_what_an_sdk_prints_is_kept_as_log(start: Start) -> None:
    process = start("prints_rubbish")
    greet(process)

    answer = done(process.send("ping")).answer

    assert answer == Answer("1", Returned())
    assert process.log_lines == ("SDK 1.0 says welcome", "", "   {indented: is no object}")


def test_the_hundredth_line_of_log_is_an_error(start: Start) -> None:
    process = start("hundred_log_lines")
    greet(process)

    error = error_of(process.send("ping"))

    assert str(error) == (
        "adapters/hundred_log_lines: printed 100 lines to stdout that are not answers\n"
        "  found:    debug 100\n"
        "  expected: only answers on stdout; a few lines that an SDK prints are tolerated\n"
        "  fix:      print to stderr"
    )
    assert process.log_lines == tuple(f"debug {number}" for number in range(1, 101))


def test_an_endless_object_is_refused_at_16_mib(start: Start) -> None:
    process = start("floods_stdout")
    greet(process)

    error = error_of(process.send("wait", task_id="t"))

    assert str(error) == (
        "adapters/floods_stdout: a line on stdout is longer than 16 MiB\n"
        f'  found:    {{"id":"1","outcome":"returned","result":"{"x" * 79}…\n'
        "  expected: one JSON object a line, each ended by LF\n"
        "  fix:      end each answer with a line feed, and flush"
    )


def test_an_endless_line_on_stderr_is_cut(start: Start) -> None:
    process = start("floods_stderr")
    greet(process)

    answer = done(process.send("ping")).answer
    process.close(grace_s=LIMIT_S)

    assert answer == Answer("1", Returned())
    assert process.stderr_tail() == ("x" * 2000 + "…", "last words")
    assert process.stderr_tail(1) == ("last words",)


def test_a_second_answer_breaks_the_process_but_not_the_call(start: Start) -> None:
    process = start("answers_twice")
    greet(process)

    first = done(process.send("ping"))
    second = done(process.send("ping"))

    assert first.answer == Answer("1", Returned())
    assert str(second.error) == (
        "adapters/answers_twice: answered call 1 twice\n"
        '  found:    {"id": "1", "outcome": "returned"}\n'
        "  expected: one answer to each call, with the id of that call"
    )


def test_an_unknown_id_fails_every_call_in_flight_and_every_later_one(start: Start) -> None:
    process = start("answers_unknown_id")
    greet(process)

    errors = [error_of(process.send("ping")), error_of(process.send("ping"))]

    assert errors == [process.failure, process.failure]
    assert str(process.failure) == (
        "adapters/answers_unknown_id: answered a call that was never made\n"
        '  found:    {"id": "99", "outcome": "returned"}\n'
        "  expected: one answer to each call, with the id of that call"
    )


def test_an_answer_without_its_member_fails_its_call(start: Start) -> None:
    process = start("answers_twice")
    greet(process)

    error = error_of(process.send("wait", task_id="t"))

    assert first_line(error) == 'adapters/answers_twice: the answer to call "1" (wait) returned nothing'


def test_broken_json_names_the_line(start: Start) -> None:
    process = start("broken_json")
    greet(process)

    error = error_of(process.send("begin"))

    assert str(error) == (
        "adapters/broken_json: an answer is broken JSON: Expecting ',' delimiter at offset 31\n"
        '  found:    {"id":"1","outcome":"returned,"task_id":7}\n'
        "  expected: one whole JSON object a line\n"
        "  fix:      use a JSON encoder, and write and flush each line under one lock"
    )


def test_an_adapter_that_dies_at_its_start_shows_its_last_words(start: Start) -> None:
    process = start("dies_at_start")

    with pytest.raises(BrokenAdapterError) as caught:
        greet(process)

    assert str(caught.value) == (
        "adapters/dies_at_start: exited with code 3 before it answered hello\n"
        "  found:    no module named 'getstream'\n"
        f"  fix:      {by_hand(process)}"
    )
    assert caught.value.stderr == ("loading", "no module named 'getstream'")
    assert (process.alive, process.exit_code) == (False, 3)


def test_each_call_in_flight_learns_of_the_death_under_its_own_number(start: Start) -> None:
    process = start("dies_mid_call")
    greet(process)

    calls = [process.send("ping"), process.send("ping")]
    errors = [error_of(call) for call in calls]
    late = process.send("ping")

    assert [first_line(error) for error in errors] == [
        "adapters/dies_mid_call: exited with code 3 before it answered call 1",
        "adapters/dies_mid_call: exited with code 3 before it answered call 2",
    ]
    assert errors[0].mistake.found == '{"id":"1","outc'
    assert errors[0].stderr == ("out of luck",)
    assert process.failure is not None
    assert str(process.failure) == str(errors[0])
    assert done(late).error is process.failure


def test_a_signal_is_named(start: Start) -> None:
    process = start("killed_mid_call")
    greet(process)

    error = error_of(process.send("ping"))

    assert first_line(error) == ("adapters/killed_mid_call: was killed by SIGKILL before it answered call 1")
    assert process.exit_code == -signal.SIGKILL


def test_a_signal_to_the_group_of_its_pid_reaches_the_adapter(start: Start) -> None:
    process = start("well_behaved")
    greet(process)
    call = process.send("ping")
    done(call)

    os.killpg(process.pid, signal.SIGKILL)
    error = error_of(process.send("ping")) if process.alive else process.failure

    assert os.getpid() != process.pid
    assert "was killed by SIGKILL" in str(error)


def test_an_adapter_that_never_says_hello_is_given_up(start: Start) -> None:
    process = start("never_says_hello", start_limit_s=0.5)

    with pytest.raises(BrokenAdapterError) as caught:
        greet(process)

    assert str(caught.value) == (
        "adapters/never_says_hello: no answer to hello within 0.5 s; the process is alive\n"
        "  found:    ready\n"
        '  expected: one line {"op":"hello","protocol":1,...}, flushed\n'
        f"  fix:      {by_hand(process)}"
    )


def test_an_adapter_that_does_not_read_blocks_nobody(start: Start) -> None:
    process = start("never_reads")
    greet(process)

    started = time.monotonic()
    calls = [process.send("begin", arguments={"text": "x" * 2_000_000}) for _ in range(5)]
    sent_s = time.monotonic() - started
    process.close(grace_s=0.1)

    assert sent_s < 1.0, "sending waited for the adapter"
    assert calls[1].sent_ns is None
    assert [first_line(error_of(call)) for call in calls] == [
        f"adapters/never_reads: was ended by the harness before it answered call {number}"
        for number in range(1, 6)
    ]


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_an_adapter_that_closes_a_pipe_and_lives_on_has_failed(start: Start, stream: str) -> None:
    process = start(f"closes_{stream}")
    greet(process)

    error = error_of(process.send("ping"))

    assert str(error) == (
        f"adapters/closes_{stream}: closed its {stream} but is still running\n"
        "  expected: both pipes open until the end of stdin"
    )


def test_an_adapter_that_ignores_the_end_of_stdin_and_sigterm_is_killed(start: Start) -> None:
    process = start("ignores_the_end")
    greet(process)

    process.close(grace_s=0.1)

    assert (process.alive, process.exit_code, process.failure) == (False, -signal.SIGKILL, None)


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[tuple[str, int]]:
    """A fifo's path and our end of it: whether a process has the other end open can be seen."""
    path = tmp_path / "held"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield str(path), reader
    os.close(reader)


def next_bytes(reader: int) -> bytes:
    assert select.select([reader], [], [], LIMIT_S)[0], f"nothing came in {LIMIT_S} s: the child lives on"
    return os.read(reader, 64)


def test_a_child_that_is_left_behind_is_ended(start: Start, fifo: tuple[str, int]) -> None:
    path, reader = fifo
    process = start("leaves_a_child", path, "in-group")
    greet(process)
    assert next_bytes(reader).isdigit()

    process.close(grace_s=LIMIT_S)

    assert process.exit_code == 0
    assert next_bytes(reader) == b"", "the end of the fifo: nobody holds it"


def test_a_child_that_escapes_with_the_pipes_delays_the_end_but_does_not_prevent_it(
    start: Start, fifo: tuple[str, int]
) -> None:
    path, reader = fifo
    process = start("leaves_a_child", path, "in-own-session")
    greet(process)
    child = int(next_bytes(reader))

    process.close(grace_s=LIMIT_S)

    assert (process.alive, process.exit_code) == (False, 0)
    assert not [thread for thread in threading.enumerate() if "leaves_a_child" in thread.name]
    os.kill(child, signal.SIGKILL)


def test_a_protocol_of_the_future_is_refused(start: Start) -> None:
    process = start("wrong_protocol")

    with pytest.raises(BrokenAdapterError) as caught:
        greet(process)

    assert first_line(caught.value) == "adapters/wrong_protocol: hello speaks protocol 2"
    assert caught.value.mistake.fix == "this harness speaks protocol 1; use the adapter made for it"


def test_lone_surrogates_are_data_and_can_be_shown(start: Start) -> None:
    process = start("lone_surrogates")
    greet(process)

    returned = done(process.send("wait", task_id="\ud800"))
    raised = done(process.send("wait", task_id="t"))
    error = error_of(process.send("wait", task_id="t"))

    assert returned.answer == Answer("1", Returned(Given.RESULT, result="\ud800"))
    assert raised.answer == Answer(
        "2", Raised(ExceptionKind.OTHER, "\udfff", "\ud800", fields={"\ud800": None})
    )
    assert first_line(error).encode("ascii") == (
        b'adapters/lone_surrogates: the answer to call "3" has the unknown outcome "\\ud800"'
    )


def test_the_environment_is_cleaned_and_the_folder_is_the_adapters(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed = {"http_proxy", "NO_PROXY", "JAVA_TOOL_OPTIONS", "STREAM_API_KEY", "GITHUB_OUTPUT"}
    for name in removed:
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("KEPT", "1")
    process = start("environment", env={"OWN": "2"}, clean=["STREAM_API_KEY"])
    greet(process)

    answer = done(process.send("wait", task_id="t")).answer

    assert isinstance(answer, Answer)
    assert isinstance(answer.outcome, Returned)
    seen = answer.outcome.result
    assert removed.isdisjoint(seen)
    assert (seen["KEPT"], seen["OWN"], seen["folder"]) == ("1", "2", str(HOSTILE))


def test_what_the_adapters_folder_sets_wins_over_what_is_cleaned() -> None:
    environment = {"PATH": "p", "Https_Proxy": "x", "ALL_PROXY": "x", "JAVA_TOOL_OPTIONS": "x", "KEY": "x"}

    assert clean_environment(environment, ["KEY"], {"KEY": "own"}) == {"PATH": "p", "KEY": "own"}


def test_an_adapter_gets_nothing_that_controls_its_job() -> None:
    kept = {"PATH": "p", "GITHUB_ACTIONS": "true", "GITHUB_SHA": "1", "NPM_TOKEN": "given on purpose"}
    files = {f"GITHUB_{name}": "/tmp/file" for name in FILES}
    tokens = dict.fromkeys(
        ["GITHUB_TOKEN", "GH_TOKEN", "ACTIONS_RUNTIME_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_URL"], "x"
    )
    newer = {"GITHUB_OF_NEXT_YEAR": f"/runner/_temp/{FOLDER}/next_5f"}

    assert without_ci({**kept, **files, **tokens, **newer}) == kept


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(AdapterError) as caught:
        AdapterProcess(AdapterCommand("adapters/x", ("no-such-program", "-v"), tmp_path))

    assert str(caught.value) == (
        "adapters/x: cannot be started: no such program: 'no-such-program'\n"
        "  found:    no-such-program -v\n"
        "  fix:      install it, or the program that its #! line names"
    )


def test_a_program_that_may_not_be_executed_says_how_to_fix_it(tmp_path: Path) -> None:
    program = tmp_path / "adapter"
    program.write_text("#!/bin/sh\n")

    with pytest.raises(AdapterError) as caught:
        AdapterProcess(AdapterCommand("adapters/x", (str(program),), tmp_path))

    assert str(caught.value) == (
        f"adapters/x: cannot be started: '{program}' is not executable\n"
        f"  found:    {program}\n"
        f"  fix:      make it executable: chmod +x {program}"
    )


@pytest.mark.parametrize(
    ("argv", "fact"),
    [
        ((), "its command is empty"),
        (("a\0b",), "embedded null byte"),
        (("./script",), "[Errno 8] Exec format error: './script'"),
    ],
)
def test_a_command_that_cannot_be_started_is_an_adapter_error(
    argv: tuple[str, ...], fact: str, tmp_path: Path
) -> None:
    script = tmp_path / "script"
    script.write_bytes(b"\x00 no program")
    script.chmod(0o755)

    with pytest.raises(AdapterError, match=re.escape(f"adapters/x: cannot be started: {fact}")):
        AdapterProcess(AdapterCommand("adapters/x", argv, tmp_path))


def test_a_missing_folder_is_not_taken_for_a_missing_program(tmp_path: Path) -> None:
    with pytest.raises(
        AdapterError, match=r"^adapters/x: cannot be started: its folder '.*/gone' is missing"
    ):
        AdapterProcess(AdapterCommand("adapters/x", (sys.executable,), tmp_path / "gone"))


def test_closing_many_takes_as_long_as_the_slowest(start: Start) -> None:
    processes = [start("ignores_the_end") for _ in range(4)]
    for process in processes:
        greet(process)

    started = time.monotonic()
    close_all(processes, grace_s=0.1)
    took_s = time.monotonic() - started

    assert [process.exit_code for process in processes] == [-signal.SIGKILL] * 4
    assert took_s < 3.0, "one after another they take 4.4 s"


def test_nothing_is_left_open_when_an_adapter_is_closed(start: Start) -> None:
    descriptors = len(os.listdir("/dev/fd"))
    processes = [start("well_behaved"), start("dies_at_start"), start("never_reads")]

    close_all(processes, grace_s=0.1)

    assert len(os.listdir("/dev/fd")) == descriptors
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("adapters/")]


# --- the memory of its answers ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "costs"),
    [
        (b'{"id":"1"}', 10 + 64),
        (b'"[[],[]]"', 9 + 4 * 64),
        ('"\u00e9"'.encode(), 4 * 4),
        (b'"\\u00e9"', 8 * 4),
    ],
)
def test_an_answer_takes_its_text_and_its_items_and_more_beyond_ascii(line: bytes, costs: int) -> None:
    budget = AnswersBudget(costs)

    budget.take(line)

    with pytest.raises(BrokenAdapterError, match="its answers take more than 0 MiB of memory together"):
        budget.take(line)


def test_processes_of_an_adapter_share_what_their_answers_may_take(start: Start) -> None:
    answers = AnswersBudget(2_000)
    calls: list[PendingCall] = []
    for _ in range(2):
        process = start("well_behaved", answers=answers)
        greet(process)
        calls += [done(process.send("ping")) for _ in range(10)]

    assert [call.error for call in calls[:10]] == [None] * 10
    assert "its answers take more than 0 MiB of memory together" in str(calls[-1].error)
