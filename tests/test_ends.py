"""How the program ends where its streams, its input or waitproof itself are not as they should be."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from fakes import LIMIT_S, MINI, ROOT, Mark, clean_env
from waitproof.cli import entry, main
from waitproof.cli.entry import COMMANDS
from waitproof.errors import HarnessError, InputError, Mistake
from waitproof.run import ExitCode

SCREEN_LINES, SCREEN_COLUMNS = 24, 80


def shell(script: str, *words: str | Path) -> tuple[int, str, str]:
    """Run a script of bash, in which `waitproof` is our program; return its code and what it printed."""
    program = f'waitproof() {{ {shlex.quote(sys.executable)} -m waitproof "$@"; }}\n'
    ended = subprocess.run(
        ["bash", "-c", f"{program}{script}", "bash", *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=clean_env(PYTHONPATH=str(ROOT)),
        timeout=LIMIT_S,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr


# --- streams ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [f"list --suite {MINI}", "--version"])
def test_a_closed_stdout_is_no_reason_to_fail(command: str) -> None:
    assert shell(f"waitproof {command} >&-") == (0, "", "")


@pytest.mark.parametrize("command", [f"list --suite {MINI}", "--help"])
def test_output_that_is_lost_on_a_full_disk_is_reported(command: str) -> None:
    code, _, err = shell(f"waitproof {command} >/dev/full")

    assert (code, err) == (2, "stdout: it cannot be written: no space left on device\n")


def test_a_reader_that_goes_away_is_no_mistake() -> None:
    code, out, err = shell("set -o pipefail; waitproof schema | head -1")

    assert (code, out, err) == (0, "{\n", "")


@pytest.mark.parametrize("where", ["2>/dev/full", "<&- >&- 2>&-"])
def test_an_exit_code_needs_no_stream(where: str) -> None:
    assert shell(f"waitproof lint nowhere {where}") == (2, "", "")


@pytest.mark.parametrize(("where", "code"), [(">&-", 1), (">/dev/full", 1)])
def test_a_run_whose_output_is_lost_has_its_report_and_its_exit_code(
    where: str, code: int, mark: Mark, tmp_path: Path
) -> None:
    folder, file = mark.folder(tmp_path, "NoKey"), tmp_path / "report.json"
    only = "-k completes:sends-its-key --fail-on should"

    ended, _, _ = shell(f'waitproof run "$1" --suite {MINI} {only} --json "$2" {where}', folder, file)

    assert ended == code
    assert '"exit_code": 1' in file.read_text(encoding="utf-8")


# --- input that never ends ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/zero", "/dev/zero: this is larger than any report: over 67,108,864 bytes\n"),
        ("/dev/null", "/dev/null: this isn't JSON: Expecting value: line 1 column 1 (char 0)\n"),
        ("pipe", "pipe: this isn't JSON: Expecting value: line 1 column 1 (char 0)\n"),
        (".", ".: the report cannot be read: is a directory\n"),
        ("loop", "loop: the report cannot be read: too many levels of symbolic links\n"),
    ],
)
def test_what_is_no_report_is_refused_and_never_waited_for(
    path: str,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    Path("loop").symlink_to("loop")

    code = main(["diff", path, path])

    assert (code, capsys.readouterr().err) == (2, message)


def test_a_report_may_come_from_a_pipe() -> None:
    code, _, err = shell("""waitproof diff <(echo '{"schema": 0}') /dev/null""")

    assert code == 2
    assert "  found:    schema: 0\n" in err


# --- errors of ours -----------------------------------------------------------------------------------


def test_the_exit_codes_are_those_of_a_run() -> None:
    names = ("WRONG_USE", "UNKNOWN", "INTERNAL_ERROR", "INTERRUPTED")

    assert {name: getattr(entry, name) for name in names} == {name: ExitCode[name] for name in names}


def fails(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the command `schema` end with an error."""

    def execute(_options: object) -> int:
        raise error

    monkeypatch.setattr("waitproof.cli.schema.execute", execute)


def test_an_error_of_ours_exits_with_4_and_says_where_its_traceback_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fails(monkeypatch, ZeroDivisionError("a\x1b[31m\nb"))

    code = main(["schema"])

    (file,) = tmp_path.iterdir()
    lines = capsys.readouterr().err.splitlines()
    assert code == 4
    assert lines[0] == "waitproof: an error in waitproof itself, not in an SDK or its adapter"
    assert lines[1].startswith(r"  found:    ZeroDivisionError: a\x1b[31m b, in waitproof/cli/entry.py:")
    assert lines[2:] == [f"  fix:      report it to waitproof's authors; the traceback is in {file}"]
    assert file.read_text(encoding="utf-8").splitlines()[1] == "Traceback (most recent call last):"


def test_a_traceback_is_printed_where_the_variable_asks_for_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("WAITPROOF_DEBUG", "1")
    fails(monkeypatch, RecursionError("deep"))

    assert main(["schema"]) == 4

    assert "\nTraceback (most recent call last):\n" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [MemoryError(), OSError(24, "Too many open files")])
def test_a_machine_that_lacks_something_is_named_as_the_cause(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "full"))  # no file can be written, too
    fails(monkeypatch, error)

    assert main(["schema"]) == 4

    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("waitproof: this machine has no more memory, disk space, files or ")
    assert lines[2].endswith("free some, then run it again; the traceback is printed with WAITPROOF_DEBUG=1")


@pytest.mark.parametrize(
    ("errors", "code"),
    [
        ([HarnessError("one"), InputError(Mistake("", "two"))], 4),
        ([InputError(Mistake("", "one")), InputError(Mistake("", "two"))], 2),
    ],
)
def test_of_several_errors_all_are_reported(
    errors: list[Exception],
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fails(monkeypatch, ExceptionGroup("several", errors))

    assert main(["schema"]) == code
    assert capsys.readouterr().err == "one\n\ntwo\n"


def test_an_error_that_ends_a_thread_of_ours_rules_out_any_other_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def execute(_options: object) -> int:
        thread = threading.Thread(target=lambda: int("x"))
        thread.start()
        thread.join()
        return 0

    monkeypatch.setattr("waitproof.cli.schema.execute", execute)

    assert main(["schema"]) == 4
    assert (
        "  found:    ValueError: invalid literal for int() with base 10: 'x', in " in capsys.readouterr().err
    )


@pytest.mark.parametrize("kib", [50_000, 250_000])
def test_a_machine_without_memory_gets_a_message_and_an_exit_code(
    kib: int, mark: Mark, tmp_path: Path
) -> None:
    folder = mark.folder(tmp_path, "MiniAdapter")
    script = f'ulimit -v {kib}; waitproof run "$1" --suite {MINI} -k outcomes/broken'

    code, _, err = shell(script, folder)

    assert code in {0, 3, 4}
    assert "Traceback" not in err


# --- help ---------------------------------------------------------------------------------------------


def test_help_fits_a_screen_and_says_how_to_get_more(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(SCREEN_COLUMNS))

    with pytest.raises(SystemExit):
        main(["--help"])

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= SCREEN_LINES
    assert max(map(len, lines)) < SCREEN_COLUMNS
    assert "commands (waitproof run --help shows one's options):" in lines


def test_without_a_command_help_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("usage: waitproof")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_commands_help_ends_with_examples_that_can_be_read(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])

    shown = capsys.readouterr().out.split("\nexamples:\n")[1].splitlines()
    place = "waitproof.serve.command" if command == "serve" else f"waitproof.cli.{command}"
    monkeypatch.setattr(f"{place}.execute", lambda _options: 17)
    examples = [shlex.split(line.strip().split("   ")[0]) for line in shown]  # a remark may follow
    assert [words[:2] for words in examples] == [["waitproof", command]] * len(shown)
    assert [main(words[1:]) for words in examples] == [17] * len(shown)


@pytest.mark.parametrize(
    ("argv", "first", "last"),
    [
        ("rnu", "waitproof: no command is called 'rnu'", "did you mean 'run'?"),
        ("run x --jsn y", "waitproof run: no option is called '--jsn'", "did you mean '--json'?"),
        ("run x --jsn=y", "waitproof run: no option is called '--jsn'", "did you mean '--json'?"),
        ("run x --qqqqqq", "waitproof run: no option is called '--qqqqqq'", "see: waitproof run --help"),
        ("list x", "waitproof list: 'x' is one argument too many", "see: waitproof list --help"),
        ("-v run", "waitproof run: no option is called '-v'", "write it after the command: waitproof run -v"),
    ],
)
def test_a_near_miss_is_named_with_what_was_meant(
    argv: str, first: str, last: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(argv.split()) == 2

    lines = capsys.readouterr().err.splitlines()
    assert (lines[0], lines[-1]) == (first, f"  fix:      {last}")
