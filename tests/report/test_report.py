from __future__ import annotations

import io
import json
import re
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import MINI
from jsonschema import Draft202012Validator
from made_reports import HELLO, SUITE, merged, result, verdict, whole_run, written
from rich.console import Console
from waitproof.cli import main
from waitproof.errors import InputError
from waitproof.journal import JournalEntry
from waitproof.judge import Status
from waitproof.judge.observation import CallRecord, Observation
from waitproof.protocol import Given, Hello, Returned
from waitproof.report import (
    BarListener,
    LineListener,
    load,
    merge_reports,
    print_report,
    report_of,
    report_schema,
    results_page,
    write,
)
from waitproof.report.file import parse
from waitproof.run import AdapterResult, ExitCode, LivePoll, RunResult, Stray


def printed(run: RunResult, *, exit_code: int = 1, verbose: bool = False) -> str:
    file = io.StringIO()
    report = merged(run, exit_code=exit_code)
    print_report(Console(file=file, width=200, color_system=None), report, verbose=verbose)
    return file.getvalue()


def errors(document: Any) -> list[str]:
    found = Draft202012Validator(report_schema()).iter_errors(document)
    return sorted(f"{error.json_path}: {error.message}" for error in found)


# --- report.json --------------------------------------------------------------------------------------


def test_a_report_is_as_its_schema_says() -> None:
    document = written(whole_run())

    assert errors(document) == []
    assert document["started"] == "2026-01-02T03:04:05+00:00"
    assert document["strays"] == [
        {"method": "GET", "target": "/y", "arrived_s": 5.0, "nearest": "", "late_for": "", "scenarios": []}
    ]
    assert document["adapters"][0]["scenarios"][0]["calls"][0]["received_s"] is None


def test_a_report_of_an_adapter_without_an_introduction_is_too() -> None:
    assert errors(written(result(hello=None, error="dead"), exit_code=3)) == []


def test_the_schema_allows_additions_and_refuses_another_number() -> None:
    document = written(whole_run())
    document["adapters"][0]["verdicts"][0]["new"] = document["new"] = [1]
    assert errors(document) == []

    document["schema"] = 1
    document["adapters"][0]["verdicts"][0]["status"] = "FINE"
    document["adapters"][0]["scenarios"][0]["polls"][0]["n"] = "1"
    del document["adapters"][0]["name"]

    assert [error.partition(":")[0] for error in errors(document)] == [
        "$.adapters[0].scenarios[0].polls[0].n",
        "$.adapters[0].verdicts[0].status",
        "$.adapters[0]",
        "$.schema",
    ]


def test_a_report_carries_lone_surrogates_and_cuts_long_payloads(tmp_path: Path) -> None:
    run = whole_run()
    (seen,) = run.adapters[0].scenarios[SUITE.scenarios[1].id].observations
    call = seen.calls[0]
    vars(call)["answer"] = {"result": [{"text": "x" * 10_001}]}

    write(report_of(run, exit_code=ExitCode.KEPT), tmp_path / "r.json")
    read = json.loads((tmp_path / "r.json").read_bytes())

    assert read["adapters"][0]["stderr_tail"] == ["\ud800"]
    text = read["adapters"][0]["scenarios"][0]["calls"][0]["answer"]["result"][0]["text"]
    assert text == "x" * 10_000 + "… (10001 characters)"


def test_a_report_that_cannot_be_written_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the report cannot be written: is a directory"):
        write(report_of(whole_run(), exit_code=ExitCode.KEPT), tmp_path)


# --- text ---------------------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_requirement_that_was_judged() -> None:
    text = printed(
        result(
            verdict("returns-output", Status.PASS),
            verdict("returns-output", Status.FAIL, "outcomes/begun"),
            verdict("sends-its-key", Status.WARN, excused="known"),
            verdict("first-look", Status.INFO),
        ),
        verbose=True,
    )

    assert [line.split() for line in text.splitlines()[2:7]] == [
        ["sdk"],
        ["level", "requirement", "mini", "1.0"],
        ["MUST", "returns-output", "FAIL", "1", "of", "2"],
        ["SHOULD", "sends-its-key", "WARN", "(excused)"],
        ["INFO", "first-look", "that"],
    ]
    assert text.endswith("\nsdk: 1 PASS, 1 FAIL, 1 WARN (1 excused), 1 INFO\n")


def test_a_failure_shows_requirement_expected_seen_polls_and_the_command_to_repeat_it() -> None:
    run = result(
        verdict("returns-output", Status.FAIL, explanation="because", timeline="0.00 done"),
        argument="my adapters/sdk",
    )
    run.argument = "suites/mini"

    output = printed(run)

    assert (
        "\n"
        "FAIL outcomes/completes (sdk): that\n"
        "  requirement: returns-output (MUST, quoted): done: the helper returns the job's output.\n"
        "  expected:    this\n"
        "  seen:        that\n"
        "               because\n"
        "  polls:       0.00 done\n"
        "  again:       waitproof run --adapter 'my adapters/sdk' --suite suites/mini "
        "-k outcomes/completes:returns-output\n"
    ) in output


def test_many_adapters_are_printed_in_blocks_of_columns_with_whole_words() -> None:
    run = result(verdict("returns-output", Status.INCONCLUSIVE), verdict("first-look", Status.PASS))
    (adapter,) = run.adapters
    hello = replace(HELLO, sdk_name="getstream", sdk_version="11.0.0")
    names = ["getstream-python", "getstream-python-async", "getstream-go"]
    run.adapters = [AdapterResult(name, hello, scenarios=adapter.scenarios) for name in names]
    file = io.StringIO()

    print_report(Console(file=file, width=56, color_system=None), merged(run))

    assert [line.rstrip() for line in file.getvalue().splitlines()[:11]] == [
        "                        getstream-       getstream-",
        "                        python           python-async",
        "                        getstream        getstream",
        "level   requirement     11.0.0           11.0.0",
        "MUST    returns-output  INCONCLUSIVE     INCONCLUSIVE",
        "INFO    first-look      PASS             PASS",
        "",
        "                        getstream-go",
        "level   requirement     getstream 11.0.0",
        "MUST    returns-output  INCONCLUSIVE",
        "INFO    first-look      PASS",
    ]


def test_names_of_requirements_are_wrapped_where_that_saves_a_block_of_columns() -> None:
    documents = [
        written(result(verdict("returns-output", Status.PASS), name=name))
        for name in ("acme-python", "acme-go", "acme-java")
    ]
    long = "timeout-raises-transport-exception"
    reports = [
        parse(json.loads(json.dumps(each).replace("returns-output", long)), "a.json") for each in documents
    ]
    file = io.StringIO()

    print_report(
        Console(file=file, width=80, color_system=None), merge_reports(reports, ["a.json"] * len(reports))
    )

    assert [line.rstrip() for line in file.getvalue().splitlines()[:4]] == [
        "                                   acme-python   acme-go       acme-java",
        "level   requirement                mini 1.0      mini 1.0      mini 1.0",
        "MUST    timeout-raises-transport-  PASS          PASS          PASS",
        "        exception",
    ]


def test_a_long_line_is_wrapped_below_its_text_and_between_two_polls() -> None:
    polls = "0.00 queued   0.05 queued   0.10 queued   0.15 queued"
    run = result(verdict("returns-output", Status.FAIL, timeline=polls), hello=None)
    file = io.StringIO()

    print_report(Console(file=file, width=50, force_terminal=True, color_system=None), merged(run))

    output = file.getvalue()
    assert "  polls:       0.00 queued   0.05 queued\n               0.10 queued   0.15 queued\n" in output


@pytest.mark.parametrize(
    ("exit_code", "excused", "is_noted"), [(0, "", True), (1, "", False), (0, "known", False)]
)
def test_a_warn_that_leaves_the_exit_code_at_0_comes_with_what_would_change_that(
    exit_code: int, excused: str, is_noted: bool
) -> None:
    run = result(verdict("sends-its-key", Status.WARN, excused=excused))

    lines = printed(run, exit_code=exit_code).splitlines()

    note = "no MUST failed, and a WARN alone leaves the exit code at 0; --fail-on should makes it 1"
    assert (note in lines) is is_noted


def test_the_slowest_scenarios_are_named_last_if_anyone_waited_for_them() -> None:
    run = result(verdict("returns-output", Status.PASS))
    scenarios = run.adapters[0].scenarios
    for played, took_s in zip(scenarios.values(), (4.9, 6.0, None, 62.04, 7.0), strict=False):
        call = CallRecord(0, 1, played.scenario.calls[0], 0.0, took_s, Returned(Given.RESULT, result=1))
        played.observations = [Observation(HELLO, (call,), (), watched_s=9.0)]
    names = list(scenarios)

    assert printed(run).splitlines()[-1] == f"slowest: {names[3]} 62.0 s, {names[2]} 9.0 s, {names[4]} 7.0 s"


def test_requests_of_nobody_that_differ_in_an_id_alone_are_counted_together() -> None:
    run = result(verdict("returns-output", Status.PASS))
    run.strays = tuple(
        Stray(
            JournalEntry(
                n, None, "other", "GET", f"/tasks/{uuid.UUID(int=n)}/{n}?n={n}", {}, 0, 1, fresh=True
            )
        )
        for n in range(3)
    )

    assert "3 requests came outside of a scenario: 3 x GET /tasks/…/…" in printed(run)


def test_polls_after_the_end_of_their_scenario_are_told_apart_from_requests_of_nobody() -> None:
    run = result(verdict("returns-output", Status.PASS))
    late, nobodys = (
        JournalEntry(1, None, "other", "GET", target, {}, 0, 1, fresh=True, nearest="GET /tasks/{task_id}")
        for target in ("/tasks/17", "/task/17")
    )
    run.strays = (Stray(late, "sdk: outcomes/one"), Stray(late, "sdk: outcomes/two"), Stray(nobodys))
    run.strays_left_out = 7

    assert (
        "10 requests came outside of a scenario: 2 polls after the end of sdk: outcomes/one, "
        "sdk: outcomes/two, 1 x GET /task/… (nearest route: GET /tasks/{task_id}), "
        "7 more, which are not listed"
    ) in " ".join(printed(run).split())


def test_an_adapters_names_are_neither_markup_nor_escape_sequences() -> None:
    hello = Hello("[/red]\x1b[31m", "\u202e1", "python", "CPython", "wait", "")

    text = printed(result(verdict("returns-output", Status.PASS), name="[a]", hello=hello))

    assert text.splitlines()[0].strip() == "[a]"
    assert r"[/red]\x1b[31m \u202e1" in text


@pytest.mark.parametrize(("sdk", "is_example"), [("example client", True), ("acme", False)])
def test_a_run_of_a_kits_own_client_says_that_no_sdk_was_judged(sdk: str, is_example: bool) -> None:
    run = result(verdict("returns-output", Status.PASS), name="acme", hello=replace(HELLO, sdk_name=sdk))

    assert printed(run).splitlines()[-1] == (
        "acme: this is the kit's example client, and no SDK was judged: "
        "call yours in the adapter, and name it in hello"
        if is_example
        else "acme: 1 PASS"
    )


def test_a_known_deviation_is_one_line_and_an_unknown_one_is_shown_in_full() -> None:
    known = replace(verdict("returns-output", Status.WARN), excused="It rounds.")
    other = verdict("returns-output", Status.WARN)

    text = printed(result(known, known, other))

    assert "WARN returns-output (sdk), excused in 2 scenarios: It rounds.\n" in text
    assert text.count("  requirement: ") == 1


# --- a page of results --------------------------------------------------------------------------------


def test_a_page_of_results_has_every_sdk_its_departures_and_their_source() -> None:
    link = "https://example.test/sdk.py#L7"
    known = replace(
        verdict("returns-output", Status.WARN),
        expected="the call returns 2",
        seen="it returned <b>|3",
        excused="It rounds.",
        link=link,
    )
    kept = verdict("returns-output", Status.PASS, "together/two-take-turns")
    report = written(result(known, kept))

    page = results_page([parse(report, "r.json")], ["sdk-of-elsewhere"])

    assert "| level | requirement | sdk | sdk-of-elsewhere |" in page
    assert "| MUST | returns-output | WARN 1 of 2 |  |" in page
    assert (
        "- WARN in `outcomes/completes`: expected the call returns 2; it returned &#60;b&#62;&#124;3. "
        f"Why: It rounds. [Source]({link}).\n"
    ) in page


def test_the_newest_of_two_reports_of_one_adapter_counts() -> None:
    old = written(result(verdict("returns-output", Status.FAIL)), exit_code=1)
    new = written(result(verdict("returns-output", Status.PASS)))

    documents = [{**each, "started": f"2027-0{n}-01T00:00:00+00:00"} for n, each in ((2, new), (1, old))]

    page = results_page([parse(document, "r.json") for document in documents])

    assert "| MUST | returns-output | PASS |" in page
    assert "FAIL" not in page


def test_two_adapters_of_one_name_have_a_column_each() -> None:
    bad = written(result(verdict("returns-output", Status.FAIL), argument="a/sdk"), exit_code=1)
    good = written(result(verdict("returns-output", Status.PASS), argument="b/sdk"))

    page = results_page([parse(bad, "r.json"), parse(good, "s.json")])

    assert "| level | requirement | sdk (a/sdk) | sdk (b/sdk) |" in page
    assert "| MUST | returns-output | FAIL | PASS |" in page


# --- progress -----------------------------------------------------------------------------------------


def test_without_a_terminal_each_scenario_is_one_plain_line() -> None:
    file = io.StringIO()
    listener = LineListener(Console(file=file, width=20, color_system=None))

    with listener:
        listener.phase("[sdk]", "running")
        listener.started("[sdk]", SUITE.scenarios[0], 1.0)
        passed = [verdict("returns-output", Status.PASS)]
        listener.finished("[sdk]", SUITE.scenarios[0], passed, final=True)
        listener.finished("[sdk]", SUITE.scenarios[1], passed, final=False)

    assert file.getvalue().splitlines() == [
        "[sdk]: running",
        "[sdk]: outcomes/begun: 1 PASS",
        "[sdk]: outcomes/broken: 1 PASS (suspicious: to be re-run in isolation)",
    ]


def frame(file: io.StringIO) -> list[str]:
    """Return the lines of the last frame that a terminal was given."""
    frames = re.split(r"(?:\x1b\[2K|\x1b\[1A|\r)+", file.getvalue())
    shown = [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", each) for each in frames]
    return [line.rstrip() for line in [each for each in shown if each.strip()][-1].splitlines()]


def bars(file: io.StringIO, *adapters: str, width: int = 100, height: int = 24) -> BarListener:
    console = Console(file=file, width=width, height=height, force_terminal=True, color_system=None)
    return BarListener(console, adapters, 2, SUITE.contract.meanings)


def test_a_terminal_shows_a_bar_whatever_the_names_are() -> None:
    file = io.StringIO()
    listener = bars(file, "[/sdk]")

    with listener:
        listener.phase("[/sdk]", "warming [up]")
        for scenario in SUITE.scenarios[:2]:
            listener.started("[/sdk]", scenario.named("outcomes/[/x]"), 1.0)
        done = [verdict("returns-output", Status.FAIL)]
        listener.finished("[/sdk]", SUITE.scenarios[0], done, final=False)

    bar, timeline, legend = frame(file)
    assert bar.startswith("[/sdk] ")
    assert "1/2" in bar
    assert bar.endswith("1 FAIL 1 to re-run warming [up]")
    assert timeline == "  outcomes/[/x]"
    assert legend == "  · queued  ▸ working  ✓ done, broken  ! other"


def test_each_poll_of_a_running_scenario_is_shown() -> None:
    file = io.StringIO()
    listener = bars(file, "sdk", width=40)
    one, two, three = SUITE.scenarios[:3]

    with listener:
        for scenario in (one, two, three):
            listener.started("sdk", scenario, 1.0)
        for status in ("queued", "working", "503", "done"):
            listener.polled(LivePoll("sdk", one.id, 1, status))
        listener.polled(LivePoll("sdk", one.id, 2, "done"))  # of its copies the first is shown
        listener.polled(LivePoll("sdk", "played/long-ago", 1, "done"))
        for _ in range(30):
            listener.polled(LivePoll("sdk", three.id, 1, "working"))
        listener.finished("sdk", two, [], final=True)

    assert frame(file)[1:3] == [
        "  outcomes/begun     · ▸ ! ✓",
        "  outcomes/completes … ▸ ▸ ▸ ▸ ▸ ▸ ▸",
    ]


def test_running_scenarios_fit_the_terminal_and_name_the_adapter_if_there_are_several() -> None:
    file = io.StringIO()
    listener = bars(file, "a", "b", width=60, height=7)

    with listener:
        for name in "ab":
            for scenario in SUITE.scenarios:
                listener.started(name, scenario, 1.0)

    lines = frame(file)
    assert [line.split() for line in lines[2:-1]] == [
        ["outcomes/begun", "(a)"],
        ["outcomes/broken", "(a)"],
        ["outcomes/completes", "(a)"],
    ]
    assert lines[-1].endswith("and 9 more")
    assert max(map(len, lines)) <= 60


# --- reading a report ---------------------------------------------------------------------------------


NOT_READABLE = "this isn't a report that this version of waitproof can read"


@pytest.mark.parametrize(
    ("text", "output"),
    [
        ("{", "this isn't JSON"),
        ("[]", "this isn't a report that this version of waitproof can read\n  found:    schema: null"),
        (
            '{"schema": 3}',
            "this isn't a report that this version of waitproof can read\n  found:    schema: 3",
        ),
    ],
)
def test_a_file_that_is_not_our_report_is_refused(text: str, output: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(text)

    with pytest.raises(InputError) as caught:
        load(file)

    assert str(caught.value).startswith(f"{file}: {output}")


def test_the_command_line_makes_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file_of_a_run(tmp_path)

    assert main(["report", str(tmp_path / "a.json"), "--results", str(tmp_path / "page.md")]) == 0
    assert main(["report", str(tmp_path / "a.json")]) == 0
    assert main(["report", str(tmp_path / "b.json")]) == 2

    said = capsys.readouterr()
    assert said.out == (tmp_path / "page.md").read_text()
    assert said.err == f"{tmp_path / 'b.json'}: the report cannot be read: no such file or directory\n"


# --- the command line's reports -----------------------------------------------------------------------


def file_of_a_run(folder: Path, name: str = "a", **more: Any) -> Path:
    file = folder / f"{name}.json"
    run = result(verdict("returns-output", Status.PASS), **more)
    write(report_of(run, exit_code=ExitCode.KEPT), file)
    return file


def test_the_command_line_makes_every_report_of_several_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(file_of_a_run(tmp_path, name)) for name in "ab"]
    wanted = {option: tmp_path / f"out.{option}" for option in ("html", "markdown", "junit", "badge")}
    options = [word for option, path in wanted.items() for word in (f"--{option}", str(path))]

    assert main(["report", *files, *options]) == 0

    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == (
        "several adapters are called 'sdk': they are shown as "
        f"'sdk (a.json)' of {files[0]}, 'sdk (b.json)' of {files[1]}\n"
    )
    assert wanted["html"].read_text().startswith("<!doctype html>")
    assert wanted["markdown"].read_text().count("| sdk (") == 2
    assert wanted["junit"].read_text().count("<testsuite ") == 2
    assert json.loads(wanted["badge"].read_text())["message"] == "2 of 2 SDKs pass every MUST"

    assert main(["report", *files, "--badge", str(wanted["badge"]), "--adapter", "sdk (b.json)"]) == 0
    assert json.loads(wanted["badge"].read_text())["label"] == "waitproof sdk (b.json)"


def test_every_path_that_cannot_be_used_for_a_report_is_refused_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(file_of_a_run(tmp_path))
    twice = str(tmp_path / "x")
    nowhere = str(tmp_path / "no" / "x")

    options = ["--html", twice, "--markdown", twice, "--junit", nowhere, "--badge", file]
    assert main(["report", file, *options]) == 2

    assert capsys.readouterr().err == (
        f"--markdown: {twice} is already the file of --html\n  fix:      name another file\n\n"
        f"--junit: the folder of {nowhere} does not exist\n  fix:      mkdir -p {tmp_path / 'no'}\n\n"
        f"--badge: {file} is already one of the reports to read\n  fix:      name another file\n"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json"]


def test_a_run_refuses_such_a_path_before_it_begins(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(tmp_path), "--suite", str(MINI), "--html", str(tmp_path)]) == 2

    assert capsys.readouterr().err == (
        f"--html: {tmp_path} is a folder\n  fix:      --html {tmp_path / 'report.html'}\n"
    )


def test_a_report_that_cannot_be_written_does_not_prevent_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(file_of_a_run(tmp_path))
    page = tmp_path / "page.html"

    options = ["--html", "/dev/full", "--markdown", str(page)]
    assert main(["report", file, *options]) == 2

    assert capsys.readouterr().err == ("/dev/full: the report cannot be written: no space left on device\n")
    assert page.read_text().startswith("## waitproof: Mini jobs")


def test_a_file_with_our_number_that_is_not_a_report_is_refused_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "r.json"
    start = "2026-11-27T10:00:00+00:00"
    file.write_text(json.dumps({"schema": 2, "started": start, "requirements": [], "adapters": [7]}))

    assert main(["report", str(file), "--html", str(tmp_path / "x.html")]) == 2

    assert f"{file}: adapters.0: input should be" in capsys.readouterr().err
    assert not (tmp_path / "x.html").exists()
