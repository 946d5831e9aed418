from __future__ import annotations

import json
from dataclasses import replace

import pytest
from made_reports import merged, result, stale, verdict
from markdown_it import MarkdownIt
from waitproof.judge import Status
from waitproof.report.badge import badge
from waitproof.report.github import commands_off, publish, workflow_commands
from waitproof.report.markdown import MAX_BYTES, markdown_summary
from waitproof.run import Death, RunResult
from waitproof.text import markdown_text

HARM = "a|b `c` <b>&amp; *x* _y_ [z](http://e.test) ![i](x) @you #12 GH-3 www.e.test ~~s~~ $m$ \\| \n\n# h"


def rendered(text: str) -> str:
    return str(MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(text))


def three() -> RunResult:
    return result(
        verdict("returns-output", Status.FAIL),
        verdict("sends-its-key", Status.WARN, excused="It is sent later.", link="https://e.test/a#L1"),
        verdict("gives-up", Status.PASS, "timing/gives-up"),
    )


def test_a_summary_has_each_adapters_verdicts_and_failures_and_folds_known_deviations() -> None:
    text = markdown_summary(merged(three(), exit_code=1))

    lines = text.splitlines()
    assert lines[:3] == ["## waitproof: Mini jobs, a made-up API", "", "**❌ 1 requirement failed**"]
    assert "| sdk | mini 1.0 | 1 PASS, 1 FAIL, 1 WARN (1 excused) |" in lines
    assert "| ❌ FAIL | returns-output | outcomes/completes | this | that |" in lines
    folded = lines[lines.index("<details><summary>1 known deviation</summary>") : lines.index("</details>")]
    assert (
        "| ⚠️ WARN | sends-its-key | outcomes/completes | this | that "
        "| It is sent later. [source](https://e.test/a#L1) |"
    ) in folded
    assert lines[-1].startswith("6 scenarios, 1 adapter, 1.5 s, waitproof ")


def test_a_summary_lists_stale_deviations_with_their_places_and_fixes() -> None:
    run = result(verdict("returns-output", Status.PASS), baseline="d.yaml", stale=(stale(), stale("a|b")))
    other = result(name="other")

    alone = markdown_summary(merged(run, exit_code=1)).splitlines()
    both = markdown_summary(merged(run, other, exit_code=1)).splitlines()

    assert alone[2] == both[2] == "**❌ 2 known deviations are stale**"
    begin = alone.index("### Stale deviations")
    assert alone[begin + 4 : begin + 9] == [
        "| deviation | what is wrong | where | fix |",
        "|---|---|---|---|",
        "| outcomes/completes:returns-output | it is kept | my/deviations.yaml:3:5 | take it out |",
        "| a&#124;b | it is kept | my/deviations.yaml:3:5 | take it out |",
        "",
    ]
    assert "| sdk | a&#124;b | it is kept | my/deviations.yaml:3:5 | take it out |" in both
    assert "### Stale deviations" not in markdown_summary(merged(other, exit_code=0))


def test_a_summary_of_several_adapters_names_the_adapter_of_each_verdict() -> None:
    other = three()
    other.adapters[0].name = "other"

    text = markdown_summary(merged(three(), other, exit_code=1))

    assert "| ❌ FAIL | other | returns-output | outcomes/completes | this | that |" in text


def test_an_adapter_that_could_not_be_run_is_named() -> None:
    text = markdown_summary(merged(result(hello=None, error="no such *file*"), exit_code=3))

    assert "**sdk** could not be run: no such &#42;file&#42;\n" in text


def test_text_stays_text_whatever_is_in_it() -> None:
    page = rendered(f"| head |\n|---|\n| {markdown_text(HARM)} |\n")

    (cell,) = page.split("<td>")[1:]
    shown = cell.split("</td>")[0]
    assert "<" not in shown
    assert "\u200b" in shown
    text = shown.replace("\u200b", "").replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert text == " ".join(HARM.split())
    for word in ("@you", "#12", "GH-3", "http://", "www."):
        assert word not in shown


def test_a_long_text_is_shortened_and_shows_its_length() -> None:
    assert markdown_text("x" * 501) == "x" * 500 + "… (501 characters)"


def test_a_summary_that_would_be_too_long_leaves_rows_out_and_counts_them() -> None:
    long = replace(verdict("returns-output", Status.FAIL), expected="é" * 500, seen="<" * 500)
    report = merged(result(*[long] * 2_000), exit_code=1)

    text = markdown_summary(report)

    size = len(text.encode())
    assert MAX_BYTES * 0.9 < size < MAX_BYTES
    shown = text.count("❌ FAIL")
    assert f"… and {2_000 - shown} more verdicts, left out for length: see report.json." in text


def test_a_summary_with_no_room_at_all_is_short() -> None:
    assert len(markdown_summary(merged(three()), most_bytes=0).encode()) < 1_000


# --- GitHub Actions -----------------------------------------------------------------------------------


def test_what_needs_attention_is_annotated_at_its_scenario_ten_of_a_kind() -> None:
    fails = [replace(verdict("returns-output", Status.FAIL), seen="50 %\nof it")] * 12
    warns = [verdict("sends-its-key", Status.WARN)] * 12
    known = [verdict("sends-its-key", Status.WARN, excused="known")]

    lines = workflow_commands(merged(result(*fails, *warns, *known), exit_code=1))

    assert len(lines) == 20
    assert lines[0] == (
        "::error file=tests/suites/mini/outcomes/completes.yaml,line=3,"
        "title=FAIL outcomes/completes%3Areturns-output (sdk)::expected: this%0Aseen: 50 %25%0Aof it"
    )
    assert lines[10].startswith("::warning file=tests/suites/mini/outcomes/completes.yaml,line=3,title=WARN ")


def test_a_stale_deviation_is_an_error_at_its_place_in_the_baseline() -> None:
    known = stale("a:b", fact="50 %", place="my,x/d.yaml:12:5")

    lines = workflow_commands(merged(result(baseline="d.yaml", stale=(known,)), exit_code=1))

    assert lines == [
        "::error file=my%2Cx/d.yaml,line=12,title=stale deviation a%3Ab (sdk)::50 %25%0Atake it out"
    ]


@pytest.mark.parametrize(("fails", "stales", "shown"), [(12, 1, (9, 1)), (1, 12, (1, 9)), (12, 12, (5, 5))])
def test_many_annotations_of_one_cause_never_hide_all_of_another(
    fails: int, stales: int, shown: tuple[int, int]
) -> None:
    failed = [verdict("returns-output", Status.FAIL)] * fails
    run = result(*failed, baseline="d.yaml", stale=(stale(),) * stales)

    lines = workflow_commands(merged(run, exit_code=1))

    assert (
        sum("title=FAIL " in line for line in lines),
        sum("title=stale " in line for line in lines),
    ) == shown


def test_an_adapter_that_could_not_be_run_is_an_error_without_a_place() -> None:
    lines = workflow_commands(merged(result(hello=None, error="a: b"), exit_code=3))

    assert lines == ["::error title=sdk::a: b"]


def test_a_process_that_died_is_an_error_without_a_place() -> None:
    run = result(deaths=(Death("was killed by SIGSEGV", in_flight=True, scenarios=("a",)),))

    lines = workflow_commands(merged(run, exit_code=3))

    assert lines == ["::error title=sdk::a process was killed by SIGSEGV during a"]


def test_commands_are_switched_off_in_actions_and_nothing_is_printed_elsewhere() -> None:
    said: list[str] = []

    with commands_off({}, said.append):
        said.append("::error::")
    with commands_off({"GITHUB_ACTIONS": "true"}, said.append):
        said.append("::error::")

    assert said[0] == "::error::"
    assert said[1].startswith("::stop-commands::")
    assert said[3] == f"::{said[1].removeprefix('::stop-commands::')}::"


def test_a_summary_is_appended_within_what_its_file_may_still_hold(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    file = tmp_path_factory.mktemp("summary") / "summary.md"
    file.write_text("before\n" + "x" * (MAX_BYTES - 60_000))
    long = replace(verdict("returns-output", Status.FAIL), seen="<" * 500)
    said: list[str] = []

    publish(merged(result(*[long] * 100)), {"GITHUB_STEP_SUMMARY": str(file)}, said.append)

    text = file.read_text()
    assert text.startswith("before\n")
    assert "## waitproof: Mini jobs" in text
    assert len(text.encode()) <= MAX_BYTES
    assert said == []


def test_a_summary_that_cannot_be_written_is_only_reported() -> None:
    said: list[str] = []

    publish(merged(three()), {"GITHUB_STEP_SUMMARY": "/nowhere/at/all"}, said.append)

    assert said == ["GITHUB_STEP_SUMMARY: the summary cannot be written: no such file or directory"]


# --- badge --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("statuses", "message", "color"),
    [
        ([Status.PASS, Status.PASS], "2 of 2 MUST", "brightgreen"),
        ([Status.PASS, Status.FAIL], "1 of 2 MUST failed", "red"),
        ([Status.PASS, Status.INCONCLUSIVE], "not verified", "lightgrey"),
        ([Status.PASS, Status.UNSUPPORTED], "not verified", "lightgrey"),
        ([Status.PASS, Status.NOT_APPLICABLE], "1 of 1 MUST", "brightgreen"),
        ([Status.NOT_APPLICABLE], "not verified", "lightgrey"),
    ],
)
def test_a_badge_counts_the_musts_of_one_adapter(statuses: list[Status], message: str, color: str) -> None:
    names = ["returns-output", "gives-up"]
    verdicts = [verdict(name, status) for name, status in zip(names, statuses, strict=False)]

    assert json.loads(badge(merged(result(*verdicts)))) == {
        "schemaVersion": 1,
        "label": "waitproof sdk",
        "message": message,
        "color": color,
    }


def test_a_badge_says_what_a_baseline_excuses() -> None:
    known = verdict("returns-output", Status.FAIL, excused="known")

    shown = json.loads(badge(merged(result(known, verdict("gives-up", Status.PASS, "timing/gives-up")))))

    assert (shown["message"], shown["color"]) == ("1 of 2 MUST, 1 excused", "green")


@pytest.mark.parametrize(
    ("status", "entries", "code", "message", "color"),
    [
        (Status.PASS, 1, 1, "1 stale deviation", "red"),
        (Status.INCONCLUSIVE, 2, 1, "2 stale deviations", "red"),
        (Status.FAIL, 2, 1, "1 of 1 MUST failed", "red"),
        (Status.PASS, 2, 130, "1 of 1 MUST", "brightgreen"),
    ],
)
def test_a_badge_counts_stale_deviations_where_they_alone_made_the_run_fail(
    status: Status, entries: int, code: int, message: str, color: str
) -> None:
    run = result(verdict("returns-output", status), baseline="d.yaml", stale=(stale(),) * entries)

    shown = json.loads(badge(merged(run, exit_code=code)))
    several = json.loads(badge(merged(run, result(name="other"), exit_code=code)))

    assert (shown["message"], shown["color"]) == (message, color)
    assert several["message"] == (message if "stale" in message else several["message"])


def test_a_badge_of_several_adapters_has_the_colour_of_the_worst() -> None:
    good = result(verdict("returns-output", Status.PASS), name="good")
    bad = result(verdict("returns-output", Status.FAIL), name="bad")

    assert json.loads(badge(merged(good, bad))) == {
        "schemaVersion": 1,
        "label": "waitproof",
        "message": "1 of 2 SDKs pass every MUST",
        "color": "red",
    }


def test_a_badge_counts_the_musts_that_are_unsupported_in_some_scenarios() -> None:
    partly = [
        verdict("returns-output", Status.PASS),
        verdict("returns-output", Status.UNSUPPORTED, "outcomes/begun"),
        verdict("gives-up", Status.PASS, "timing/gives-up"),
    ]
    known = [*partly, verdict("returns-output", Status.FAIL, "outcomes/broken", excused="known")]

    shown = [json.loads(badge(merged(result(*verdicts)))) for verdicts in (partly, known)]

    assert [(each["message"], each["color"]) for each in shown] == [
        ("1 of 2 MUST, 1 partly unsupported", "green"),
        ("1 of 2 MUST, 1 excused", "green"),
    ]


@pytest.mark.parametrize(
    ("status", "message", "color"),
    [
        (Status.PASS, "1 of 1 MUST, in a part of the suite", "lightgrey"),
        (Status.FAIL, "1 of 1 MUST failed, in a part of the suite", "red"),
    ],
)
def test_a_part_never_gets_the_badge_of_the_whole(status: Status, message: str, color: str) -> None:
    part = result(verdict("returns-output", status))
    part.whole = False

    one = json.loads(badge(merged(part)))
    two = json.loads(badge(merged(part, result(verdict("returns-output", Status.PASS), name="other"))))

    assert (one["message"], one["color"]) == (message, color)
    assert (two["message"].partition(", ")[2], two["color"]) == ("in a part of the suite", color)


@pytest.mark.parametrize("code", [3, 4])
def test_a_badge_of_a_run_that_left_something_open_is_grey(code: int) -> None:
    good = [result(verdict("returns-output", Status.PASS), name=name) for name in "ab"]

    one = json.loads(badge(merged(good[0], exit_code=code)))
    two = json.loads(badge(merged(*good, exit_code=code)))

    assert (one["message"], one["color"]) == ("not verified", "lightgrey")
    assert (two["message"], two["color"]) == ("2 of 2 SDKs pass every MUST", "lightgrey")


def test_a_badge_of_an_interrupted_run_is_grey() -> None:
    run = result(verdict("returns-output", Status.PASS))
    run.interrupted = True

    assert json.loads(badge(merged(run)))["color"] == "lightgrey"
