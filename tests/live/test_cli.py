from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fakes import LIMIT_S, MINI, ROOT, Mark, clean_env, running, wait_for_line, waitproof
from jsonschema import Draft202012Validator
from made_reports import hand_made
from waitproof.cli import main
from waitproof.mock.process import ServerProcess
from waitproof.report import report_schema
from waitproof.suite.files import load_suite

ENDS_WITHIN_S = 3.0  # after Ctrl-C: a person who waits longer presses it again

Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    """Call the command line in this process: what it returns, prints, and prints to stderr."""

    def call(*argv: str | Path) -> tuple[int, str, str]:
        code = main([str(each) for each in argv])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A copy of the mini suite, to spoil."""
    return shutil.copytree(MINI, tmp_path / "mini")


def report(path: Path) -> dict[str, Any]:
    """Return a report that its schema allows."""
    value: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    schema = report_schema()
    Draft202012Validator.check_schema(schema)
    errors = [
        f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(value)
    ]
    assert errors == []
    return value


def statuses(adapter: dict[str, Any]) -> set[str]:
    return {verdict["status"] for verdict in adapter["verdicts"]}


# --- run ----------------------------------------------------------------------------------------------


def test_a_run_of_a_good_adapter_prints_plain_lines_and_exits_with_0(mark: Mark, tmp_path: Path) -> None:
    folder = mark.folder(tmp_path, "MiniAdapter")
    file = tmp_path / "report.json"

    code, out, err = waitproof("run", str(folder), "--suite", str(MINI), "--json", str(file))

    assert (code, err) == (0, "")
    assert "\x1b" not in out
    lines = out.splitlines()
    assert lines[0] == "MiniAdapter: starting"
    assert "MiniAdapter: outcomes/completes: 1 INFO, 2 PASS" in lines
    assert [line.split() for line in lines if line.startswith("MUST    returns-output")] == [
        ["MUST", "returns-output", "PASS", "3"]
    ]
    assert lines[-2] == "MiniAdapter: 12 PASS, 1 INFO, 1 NOT_APPLICABLE"
    assert re.fullmatch(r"mini: 6 scenarios in \d\.\d s", lines[-1])
    seen = report(file)
    assert (seen["exit_code"], seen["interrupted"], seen["fail_on"]) == (0, False, "MUST")
    assert [len(adapter["verdicts"]) for adapter in seen["adapters"]] == [14]
    played = {each["id"]: each for each in seen["adapters"][0]["scenarios"]}
    polled = {poll["status"] for poll in played["timing/gives-up"]["polls"]}
    assert (len(played), polled) == (6, {"working"})


def test_a_broken_must_exits_with_1_and_is_told_in_full(
    mark: Mark, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = mark.folder(tmp_path, "HalfTheTime")
    monkeypatch.chdir(tmp_path)

    code, out, _ = cli("run", folder, "--suite", MINI, "-k", "*:own-timeout")

    assert code == 1
    told = out[out.index("FAIL timing/gives-up-when-told (HalfTheTime): the call raised GaveUp after") :]
    words = [line.partition(":")[0].strip() for line in told.splitlines()[1:6]]
    assert words == ["requirement", "expected", "seen", "polls", "again"]
    sentence = "(MUST, quoted): The helper asks every 100 ms and waits 600 ms unless told otherwise."
    assert f"  requirement: own-timeout {sentence}\n" in told
    command = f"waitproof run --adapter {folder} --suite {MINI}"
    assert f"  again:       {command} -k timing/gives-up-when-told:own-timeout\n" in told


def test_a_broken_should_fails_a_run_only_when_asked(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    folder = mark.folder(tmp_path, "NoKey")
    argv = ["run", folder, "--suite", MINI, "-k", "completes:sends-its-key", "--json", tmp_path / "r.json"]

    lenient = cli(*argv)
    strict = cli(*argv, "--fail-on", "should")

    assert (lenient[0], strict[0]) == (0, 1)
    assert "NoKey: 1 WARN\n" in lenient[1]
    assert report(tmp_path / "r.json")["fail_on"] == "SHOULD"


def test_a_deviation_on_file_excuses_a_broken_must(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    known = [{"deviation": "timing/gives-up-when-told:own-timeout", "reason": "issue 7"}]
    folder = mark.folder(tmp_path, "HalfTheTime", deviations=known)

    code, out, _ = cli("run", folder, "--suite", MINI, "-k", "*:own-timeout")

    assert code == 0
    assert "HalfTheTime: 1 FAIL (1 excused)\n" in out
    assert "FAIL own-timeout (HalfTheTime), excused in timing/gives-up-when-told: issue 7\n" in out


def test_a_deviation_excuses_no_other_adapter_whatever_their_names(
    mark: Mark, tmp_path: Path, cli: Cli
) -> None:
    known = [{"deviation": "own-timeout", "reason": "issue 7"}]
    folders = []
    for number, (name, mode) in enumerate(
        [("sdk", "MiniAdapter"), ("sdk", "HalfTheTime"), ("sdk-2", "HalfTheTime")]
    ):
        (tmp_path / str(number)).mkdir()
        deviations = known if name == "sdk-2" else ()
        folders.append(mark.folder(tmp_path / str(number), mode, name=name, deviations=deviations))

    code, out, _ = cli("run", *folders, "--suite", MINI, "-k", "*:own-timeout")

    assert code == 1
    assert out.splitlines()[-4:-1] == ["sdk: 1 PASS", "sdk#2: 1 FAIL", "sdk-2: 1 FAIL (1 excused)"]


def test_entries_of_a_baseline_that_hold_no_more_fail_the_run(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    known = [
        {"deviation": "returns-output", "reason": "issue 1"},
        {"deviation": "timing/gives-up-when-told:own-timeout", "reason": "issue 7", "expires": "2020-01-01"},
        {"deviation": "usual-timeout", "reason": "issue 8"},
        {"deviation": "usual-interval", "reason": "issue 8", "sometimes": True},
        {"deviation": "usual-intervals", "reason": "issue 9"},
    ]
    folder = mark.folder(tmp_path, "HalfTheTime", deviations=known)

    code, out, _ = cli("run", folder, "--suite", MINI, "--json", tmp_path / "r.json")

    assert code == 1
    file = folder / "deviations.yaml"
    take_out = f"remove it, by hand or with: waitproof baseline update {folder}"
    later = "check whether the SDK has been fixed; if not, set a later date and say why"
    assert report(tmp_path / "r.json")["adapters"][0]["baseline"] == {
        "file": str(file),
        "stale": [
            {
                "deviation": "returns-output",
                "problem": "passes",
                "fact": "the deviation 'returns-output' no longer occurs: "
                "the requirement passes in all 3 scenarios",
                "fix": take_out,
                "place": f"{file}:2:3",
                "found": "- deviation: returns-output",
            },
            {
                "deviation": "timing/gives-up-when-told:own-timeout",
                "problem": "expired",
                "fact": "the deviation 'timing/gives-up-when-told:own-timeout' expired on 2020-01-01",
                "fix": later,
                "place": f"{file}:5:3",
                "found": "expires: '2020-01-01'",
            },
            {
                "deviation": "usual-intervals",
                "problem": "no_match",
                "fact": "the deviation matches nothing: no requirement is called 'usual-intervals'",
                "fix": "did you mean 'usual-interval'?",
                "place": f"{file}:12:3",
                "found": "- deviation: usual-intervals",
            },
        ],
    }
    assert "FAIL timing/gives-up-when-told (HalfTheTime): the call raised GaveUp after" in out
    assert f"{file}:2:3: the deviation 'returns-output' no longer occurs" in out
    assert re.search(r"^HalfTheTime: .*1 FAIL|; 3 stale deviations$", out, re.MULTILINE)


def test_a_selection_that_does_not_play_an_entry_leaves_it_alone(
    mark: Mark, tmp_path: Path, cli: Cli
) -> None:
    known = [
        {"deviation": name, "reason": "x"} for name in ("returns-output", "outcomes/begun:returns-output")
    ]
    folder = mark.folder(tmp_path, "MiniAdapter", deviations=known)

    one, _, _ = cli("run", folder, "--suite", MINI, "-k", "outcomes/completes")
    every, out, _ = cli("run", folder, "--suite", MINI, "-k", "returns-output")

    assert (one, every) == (0, 1)
    assert "MiniAdapter: 3 PASS; 2 stale deviations\n" in out


def test_an_adapter_that_dies_exits_with_3(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    folder = mark.folder(tmp_path, "dies_at_start")
    file = tmp_path / "report.json"

    code, out, err = cli("run", folder, "--suite", MINI, "--json", file)

    assert (code, err) == (3, "")
    assert "ERROR dies_at_start: exited with code 3 before it answered hello\n" in out
    assert "  its last lines on stderr:\n    loading\n    no module named 'getstream'\n" in out
    (adapter,) = report(file)["adapters"]
    assert (adapter["sdk"], adapter["capabilities"], statuses(adapter)) == (None, {}, {"ERROR"})


def test_a_must_that_is_unsupported_everywhere_exits_with_3(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    folder = mark.folder(tmp_path, "NoHelper")

    code, out, _ = cli("run", folder, "--suite", MINI, "-k", "broken")

    assert code == 3
    assert "NoHelper: not verified: broken-is-returned\n" in out


def test_what_an_adapter_says_reaches_no_terminal_raw_and_breaks_no_report(
    mark: Mark, tmp_path: Path
) -> None:
    folder = mark.folder(tmp_path, "Escapes")
    file = tmp_path / "report.json"
    argv = ("run", str(folder), "--suite", str(MINI), "-k", "completes", "--json", str(file))

    code, out, err = waitproof(*argv, encoding="ascii")

    assert (code, err) == (1, "")
    assert set(out) & {"\x1b", "\x07", "\ud800"} == set()
    assert r"[red]mini[/blue]\x1b[31m\ud800 \x1b]0;x\x07" in out
    assert r"\u001b[2J\ud800 [bold]" in out
    (adapter,) = report(file)["adapters"]
    assert adapter["sdk"]["name"] == "[red]mini[/blue]\x1b[31m\ud800"
    assert adapter["stderr_tail"] == ["\x1b[31mred\x1b[0m and \x07"]


@pytest.mark.parametrize(("term", "is_live"), [("xterm-256color", True), ("dumb", False)])
def test_polls_tick_along_on_a_terminal_and_never_on_one_that_cannot_move_its_cursor(
    term: str, is_live: bool, mark: Mark, tmp_path: Path
) -> None:
    folder = mark.folder(tmp_path, "MiniAdapter")
    ours, theirs = os.openpty()
    argv = ["run", str(folder), "--suite", str(MINI), "-k", "timing/gives-up"]
    process = subprocess.Popen(
        [sys.executable, "-m", "waitproof", *argv],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=clean_env(PYTHONPATH=str(ROOT), TERM=term, COLUMNS="80", LINES="24"),
    )
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # Linux tells the end of a terminal so
        while chunk := os.read(ours, 65536):
            seen += chunk
    os.close(ours)

    assert process.wait(LIMIT_S) == 0
    out = seen.decode()
    assert "MiniAdapter: 5 PASS" in out
    assert ("\x1b" in out) is is_live
    assert (re.search(r"timing/gives-up +\S*▸", out) is not None) is is_live
    assert ("MiniAdapter: timing/gives-up: 3 PASS" in out) is not is_live


def test_two_adapters_stand_side_by_side(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    words = " ".join(mark.argv("dies_at_start"))
    folder = mark.folder(tmp_path, "MiniAdapter")

    code, out, _ = cli("run", folder, "--adapter", words, "--adapter", words, "--suite", MINI, "-k", "broken")

    name = Path(sys.executable).name
    assert code == 3
    header = re.search(r"^level .*$", out, re.MULTILINE)
    counts = out.splitlines()[-4:-1]
    assert counts == ["MiniAdapter: 1 PASS", f"{name}: 1 ERROR", f"{name}#2: 1 ERROR"]
    assert header is not None


def test_the_reader_of_a_run_may_go_away(mark: Mark, tmp_path: Path) -> None:
    folder = mark.folder(tmp_path, "HalfTheTime")
    file = tmp_path / "report.json"
    argv = ("run", str(folder), "--suite", str(MINI), "-k", "*:own-timeout", "--json", str(file))

    with running(*argv) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "HalfTheTime: starting\n"
        process.stdout.close()
        code = process.wait(LIMIT_S)
        assert process.stderr is not None
        err = process.stderr.read()

    assert (code, err) == (1, "")
    assert report(file)["exit_code"] == 1


# --- interrupts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "mode"), [(signal.SIGINT, "IgnoresTheEndAndDeadlines"), (signal.SIGTERM, "NeverGivesUp")]
)
def test_an_interrupted_run_tells_what_is_known_and_leaves_nothing(
    mark: Mark, tmp_path: Path, number: signal.Signals, mode: str
) -> None:
    folder = mark.folder(tmp_path, mode)
    file = tmp_path / "report.json"
    started_s = time.monotonic()
    with running("run", str(folder), "--suite", str(MINI), "--json", str(file)) as process:
        wait_for_line(process, f"{mode}: outcomes/completes: ")
        began_s = time.monotonic()
        process.send_signal(number)
        if number is signal.SIGINT:
            process.send_signal(number)  # impatience changes nothing
        out, err = process.communicate(timeout=LIMIT_S)
        took_s = time.monotonic() - began_s

        assert (process.returncode, err) == (130, "")

    assert took_s < ENDS_WITHIN_S + (began_s - started_s)  # a busy machine that starts late ends late
    mark.assert_gone(0.0)
    assert re.search(r"^mini: interrupted after \d+\.\d s: [1-5] of 6 scenarios$", out, re.MULTILINE)
    seen = report(file)
    assert (seen["exit_code"], seen["interrupted"]) == (130, True)
    assert statuses(seen["adapters"][0]) <= {"PASS", "INFO", "NOT_APPLICABLE"}


# --- wrong use ----------------------------------------------------------------------------------------


def test_a_port_in_use_is_wrong_use(mark: Mark, tmp_path: Path, cli: Cli) -> None:
    folder = mark.folder(tmp_path, "MiniAdapter")
    with ServerProcess(load_suite(MINI).contract) as other:
        port = other.base_url.rpartition(":")[2]
        code, _, err = cli("run", folder, "--suite", MINI, "--port", port)

    assert code == 2
    assert port in err
    assert "Traceback" not in err


@pytest.mark.parametrize("port", ["70000", "-1"])
def test_a_port_that_is_none_is_wrong_use(port: str, mark: Mark, tmp_path: Path, cli: Cli) -> None:
    folder = mark.folder(tmp_path, "MiniAdapter")

    code, _, err = cli("run", folder, "--suite", MINI, f"--port={port}")

    assert (code, "Traceback" in err) == (2, False)
    assert port in err


def test_a_run_without_an_adapter_says_how_to_name_one(cli: Cli) -> None:
    assert cli("run", "--suite", MINI) == (
        2,
        "",
        "waitproof run: no adapter is named\n"
        "  expected: a folder with an adapter.yaml, or 'adapters' in waitproof.toml\n"
        "  fix:      waitproof run FOLDER; 'waitproof new adapter' creates one\n",
    )


def test_an_adapter_that_is_not_there_is_named(cli: Cli) -> None:
    assert cli("run", "no/such/folder", "--suite", MINI) == (
        2,
        "",
        "no/such/folder: there is no such folder or program\n"
        "  fix:      'waitproof new adapter' creates one\n",
    )


def test_a_program_that_is_not_there_is_named(cli: Cli) -> None:
    assert cli("run", "--adapter", "no-such-program --flag", "--suite", MINI) == (
        2,
        "",
        "no-such-program: there is no such program\n"
        "  found:    no-such-program --flag\n"
        "  fix:      install it, or put it on PATH\n",
    )


def test_a_runtime_that_is_missing_is_named_with_the_way_to_get_it(tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "adapter.yaml").write_text(
        "format: 1\nname: x\ncommand: [x]\n"
        "needs:\n  - {program: no-such-jvm, get: from your package manager}\n"
    )

    assert cli("run", tmp_path, "--suite", MINI) == (
        2,
        "",
        f"{tmp_path}: 'no-such-jvm' is not on PATH; to get it: from your package manager\n",
    )


def test_a_folder_without_a_contract_is_no_suite(tmp_path: Path, cli: Cli) -> None:
    assert cli("list", "--suite", tmp_path) == (
        2,
        "",
        f"{tmp_path}: this is not a suite\n"
        "  expected: a folder that holds a contract.yaml\n"
        "  fix:      name the folder itself, such as scenarios/stream\n",
    )


def test_a_suite_that_is_nowhere_is_named(cli: Cli) -> None:
    assert cli("list", "--suite", "no-such-suite") == (
        2,
        "",
        "--suite: no suite is called 'no-such-suite'\n"
        "  expected: a folder that holds a contract.yaml, or the name of a suite that comes with waitproof\n",
    )


def test_a_pattern_that_matches_nothing_names_the_nearest(cli: Cli) -> None:
    assert cli("run", "--adapter", "true", "--suite", MINI, "-k", "outcomes/complete5") == (
        2,
        "",
        "-k: no scenario and no requirement matches 'outcomes/complete5'\n"
        "  fix:      did you mean 'outcomes/completes'?\n",
    )


def test_a_report_that_cannot_be_written_is_told_before_the_run(tmp_path: Path, cli: Cli) -> None:
    argv = ("run", "--adapter", "true", "--suite", MINI, "--json")

    assert cli(*argv, tmp_path / "no" / "r.json") == (
        2,
        "",
        f"--json: the folder of {tmp_path}/no/r.json does not exist\n  fix:      mkdir -p {tmp_path}/no\n",
    )
    assert cli(*argv, tmp_path) == (
        2,
        "",
        f"--json: {tmp_path} is a folder\n  fix:      --json {tmp_path}/report.json\n",
    )


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"


@pytest.mark.parametrize(
    ("text", "first_line"),
    [
        ("summary: [\n", ":2:1: "),
        (BOMB, ":1:4: "),
        ("summary: " + "[" * 100_000 + "\n", ":1:"),
        ("summary: x\n" + "# " + "x" * 10_000_000, ": the file has 10,000,013 bytes"),
        ("summary: !!python/object:os.system x\n", ":1:10: "),
        ("summary: \ud800\n", ":1:10: byte 0xed is not UTF-8"),
    ],
    ids=["broken", "alias-bomb", "deep", "large", "tag", "encoding"],
)
def test_a_hostile_file_is_refused_with_its_place(
    suite: Path, cli: Cli, mark: Mark, text: str, first_line: str
) -> None:
    file = suite / "outcomes" / "hostile.yaml"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    began_s = time.monotonic()

    code, out, err = cli("run", "--adapter", " ".join(mark.argv("MiniAdapter")), "--suite", suite)

    assert (code, out) == (2, "")
    assert err.startswith(f"{file}:")
    assert f"{file}{first_line}" in err
    assert "Traceback" not in err
    assert len(err) < 4_000  # every mistake at once, and no more than its size
    assert time.monotonic() - began_s < LIMIT_S / 4


def test_all_mistakes_of_all_files_are_told_at_once(suite: Path, cli: Cli) -> None:
    for name in ("broken", "completes"):
        file = suite / "outcomes" / f"{name}.yaml"
        file.write_text(file.read_text().replace("proves: [", "proves: [returns-outputs, "))

    code, out, err = cli("lint", suite)

    assert (code, out) == (2, "")
    assert [line for line in err.splitlines() if not line.startswith("  found:")] == [
        f"{suite}/outcomes/broken.yaml:3:10: no requirement is called 'returns-outputs'",
        "  fix:      did you mean 'returns-output'?",
        "",
        f"{suite}/outcomes/completes.yaml:3:10: no requirement is called 'returns-outputs'",
        "  fix:      did you mean 'returns-output'?",
    ]


# --- the other commands -------------------------------------------------------------------------------


def test_list_shows_each_scenario_with_what_it_proves(cli: Cli) -> None:
    code, out, err = cli("list", "--suite", MINI)

    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[:3] == [
        "outcomes/begun",
        "    Printing a label begins a job; it can be looked at, and waited for.",
        "    proves label-has-a-job, one-look-one-request, returns-output",
    ]
    assert lines[-1] == "6 scenarios prove 11 requirements"


def test_explain_tells_a_requirement(cli: Cli) -> None:
    assert cli("explain", "usual-interval", "--suite", MINI) == (
        0,
        "usual-interval (MUST, quoted from the made-up manual of Mini jobs)\n"
        "  The helper asks every 100 ms unless told otherwise.\n"
        '  check: interval_kept {"option": "default"}\n'
        "  proved by:\n"
        "    timing/gives-up\n",
        "",
    )


def test_explain_shows_a_scenarios_file(cli: Cli) -> None:
    file = MINI / "outcomes" / "broken.yaml"

    code, out, _ = cli("explain", "outcomes/broken", "--suite", MINI)

    assert code == 0
    assert out == f"outcomes/broken ({file})\n\n{file.read_text()}"


def test_explain_takes_a_scenarios_name_without_its_topic(cli: Cli) -> None:
    assert cli("explain", "broken", "--suite", MINI) == cli("explain", "outcomes/broken", "--suite", MINI)
    assert cli("explain", "broken", "--suite", MINI)[0] == 0


def test_explain_lists_the_requirements(cli: Cli) -> None:
    code, out, _ = cli("explain", "--suite", MINI)

    assert code == 0
    assert out.splitlines()[:2] == ["MUST    returns-output", "MUST    broken-is-returned"]


def test_explain_of_something_unknown_names_the_nearest(cli: Cli) -> None:
    assert cli("explain", "usual-intervals", "--suite", MINI) == (
        2,
        "",
        "explain: no requirement or scenario is called 'usual-intervals'\n"
        "  fix:      did you mean 'usual-interval'?\n",
    )


@pytest.fixture
def broken_suite(suite: Path) -> Path:
    """A suite with a scenario that cannot be read."""
    (suite / "outcomes/mine.yaml").write_text("summary: It waits.\nprovs: []\n")
    return suite


def test_explain_shows_what_can_be_read_beside_a_file_that_cannot(cli: Cli, broken_suite: Path) -> None:
    code, out, err = cli("explain", "broken", "--suite", broken_suite)

    assert (code, out.splitlines()[0]) == (
        0,
        f"outcomes/broken ({broken_suite / 'outcomes' / 'broken.yaml'})",
    )
    assert err == (f"this suite has mistakes; to see them: waitproof lint --suite {broken_suite}\n")


def test_explain_of_a_file_that_cannot_be_read_says_why(cli: Cli, broken_suite: Path) -> None:
    (broken_suite / "outcomes/other.yaml").write_text("summary: It is broken too.\n")

    for name in ("mine", "outcomes/mine"):
        code, out, err = cli("explain", name, "--suite", broken_suite)

        assert (code, out) == (2, "")
        assert f"{broken_suite}/outcomes/mine.yaml:2:1: " in err
        assert "did you mean 'proves'?" in err
        assert "other.yaml" not in err
    assert "did you mean 'outcomes/mine'?" in cli("explain", "outcomes/min", "--suite", broken_suite)[2]


def test_list_shows_what_can_be_read_and_then_what_cannot(cli: Cli, broken_suite: Path) -> None:
    code, out, err = cli("list", "--suite", broken_suite)

    assert code == 2
    assert out == cli("list", "--suite", MINI)[1]
    assert f"{broken_suite}/outcomes/mine.yaml:2:1: " in err


def test_doctor_asks_for_no_scenario(cli: Cli, broken_suite: Path, mark: Mark, tmp_path: Path) -> None:
    code, out, err = cli("doctor", mark.folder(tmp_path, "MiniAdapter"), "--suite", broken_suite)

    assert (code, err, out.splitlines()[-1]) == (0, "", "the adapter follows the protocol")


def test_lint_is_content_with_good_suites_and_files(cli: Cli) -> None:
    file = MINI / "outcomes" / "broken.yaml"

    assert cli("lint", MINI, file, MINI / "contract.yaml") == (
        0,
        f"{MINI}: 6 scenarios, 11 requirements\n{file}: fine\n{MINI}/contract.yaml: fine\n",
        "",
    )


def test_lint_misses_a_proof(suite: Path, cli: Cli) -> None:
    (suite / "outcomes" / "broken.yaml").unlink()

    assert cli("lint", suite) == (
        2,
        "",
        f"{suite}/contract.yaml:42:5: no scenario proves the requirement 'broken-is-returned'\n"
        "  found:    - id: broken-is-returned\n"
        "  fix:      add 'broken-is-returned' under 'proves' of a scenario that shows it\n",
    )


def test_lint_of_a_single_file_needs_a_contract_above_it(tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "alone.yaml"
    file.write_text("summary: x\n")

    assert cli("lint", file) == (
        2,
        "",
        f"{file}: there is no contract.yaml above this file\n"
        "  fix:      put it below the folder of a suite, or name that suite: --suite NAME\n",
    )


def test_lint_of_a_missing_file_outside_any_suite_says_that_it_is_missing(tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "missing.yaml"

    assert cli("lint", file) == (2, "", f"{file}: the file cannot be read: no such file or directory\n")


def test_lint_of_a_bundled_suites_name_says_how_to_name_it(cli: Cli) -> None:
    code, out, err = cli("lint", "meilisearch")

    assert (code, out) == (2, "")
    assert "a bundled suite is named by an option: --suite meilisearch" in err


def test_lint_of_a_file_that_is_not_there_says_so(cli: Cli) -> None:
    code, out, err = cli("lint", MINI / "outcomes" / "missing.yaml")

    assert (code, out) == (2, "")
    assert "missing.yaml: the file cannot be read: no such file or directory" in err


def test_schema_is_a_json_schema_that_good_scenarios_keep(cli: Cli) -> None:
    code, out, _ = cli("schema")

    schema = json.loads(out)
    assert code == 0
    Draft202012Validator.check_schema(schema)
    assert schema["title"] == "waitproof scenario, format 1"


def test_version_and_help_exit_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    for argv, start in ((["--version"], "waitproof 0."), (["--help"], "usage: waitproof")):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        assert ended.value.code == 0
        assert capsys.readouterr().out.startswith(start)


@pytest.mark.parametrize("command", ["list", "schema"])
def test_the_reader_of_a_list_may_go_away(command: str) -> None:
    suite = [] if command == "schema" else ["--suite", str(MINI)]
    words = [sys.executable, "-m", "waitproof", command, *suite]
    script = 'exec 3>&1; { "$@"; echo "exit code $?" >&3; } | head -1'

    ended = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=clean_env(PYTHONPATH=str(ROOT)),
        timeout=LIMIT_S,
        check=False,
    )

    assert "exit code 0" in ended.stdout.splitlines()
    assert ended.stderr == ""


def test_a_report_is_opened_by_the_browser_that_is_there_and_by_none(tmp_path: Path) -> None:
    browser = tmp_path / "bin" / "browser"
    browser.parent.mkdir()
    browser.write_text(f'#!/bin/sh\necho "$1" >{tmp_path}/opened\n')
    browser.chmod(0o755)
    file = hand_made(tmp_path / "r.json", ("a/b:c", "FAIL", "that"))
    command = [sys.executable, "-m", "waitproof", "report", str(file), "--open"]
    bare = {name: os.environ[name] for name in ("PYTHONPATH", "HOME") if name in os.environ}

    def out(**environment: str) -> list[str]:
        env = {**bare, **environment}
        ended = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=True)
        assert ended.stderr == ""
        return ended.stdout.splitlines()

    page = tmp_path / "r.html"
    none = "There is no browser here: open that file in one."
    assert out(PATH=str(tmp_path)) == [f"report: {page}", none]
    assert out(PATH="/bin:/usr/bin", BROWSER=str(browser)) == [f"report: {page}"]
    assert (tmp_path / "opened").read_text().strip() == page.as_uri()
