from __future__ import annotations

import json
from typing import Any

import pytest
from fakes import ROOT
from made_reports import SUITE, merged, result, stale, verdict, whole_run
from pydantic import BaseModel
from waitproof.errors import InputError
from waitproof.judge import Status
from waitproof.judge.observation import Poll, TaskRecord
from waitproof.protocol import Hello
from waitproof.report import data, model
from waitproof.report.model import merge, parse
from waitproof.run import ExitCode
from waitproof.suite.contract import Level

ADDED = {
    "": {"title", "source", "suite_argument", "defaults", "scenarios", "whole"},
    "requirement": {"quoted"},
    "adapter": {"argument", "headers", "baseline"},
    "verdict": {"link"},
    "scenario": {"heads", "answers"},
    "call": {"interval_s", "timeout_s"},
    "poll": {"step", "head"},
}
MODELS: dict[str, type[BaseModel]] = {
    "": model.Report,
    "requirement": model.RequirementEntry,
    "file": model.ScenarioFile,
    "adapter": model.AdapterEntry,
    "baseline": model.BaselineEntry,
    "stale": model.StaleEntry,
    "verdict": model.VerdictEntry,
    "scenario": model.PlayEntry,
    "call": model.CallEntry,
    "poll": model.PollEntry,
    "head": model.HeadEntry,
    "answer": model.AnswerEntry,
    "request": model.RequestEntry,
    "stray": model.StrayEntry,
}


def document(*verdicts: Any, **more: Any) -> dict[str, Any]:
    return data.document(result(*verdicts, **more), exit_code=0)


@pytest.mark.parametrize("name", MODELS)
def test_a_reader_knows_every_member_that_the_schema_describes(name: str) -> None:
    schema = json.loads(data.SCHEMA_FILE.read_text(encoding="utf-8"))
    described = schema if name == "" else schema["$defs"][name]
    fields = {field.alias or key for key, field in MODELS[name].model_fields.items()}

    assert fields == set(described["properties"])


@pytest.mark.parametrize("name", ADDED)
def test_what_was_added_since_the_first_report_is_required_of_nobody(name: str) -> None:
    schema = json.loads(data.SCHEMA_FILE.read_text(encoding="utf-8"))
    described = schema if name == "" else schema["$defs"][name]

    assert ADDED[name] <= set(described["properties"])
    assert not ADDED[name] & set(described["required"])


def test_a_file_without_the_additions_is_read_with_what_its_verdicts_tell() -> None:
    old = data.document(whole_run(), exit_code=0)
    played = old["adapters"][0]["scenarios"][0]
    for member in ADDED[""]:
        del old[member]
    for member in ADDED["scenario"]:
        del played[member]
    for poll in played["polls"]:
        del poll["step"], poll["head"]
    for call in played["calls"]:
        del call["interval_s"], call["timeout_s"]
    for member in ADDED["adapter"]:
        del old["adapters"][0][member]
    del old["adapters"][0]["verdicts"][0]["link"]
    for requirement in old["requirements"]:
        del requirement["quoted"]

    report = merge([parse(old, "old.json")], ["old.json"])

    assert {name: each.topic for name, each in report.scenarios.items()} == {
        "outcomes/completes": "outcomes",
        played["id"]: "outcomes",
    }
    (adapter,) = report.adapters
    assert adapter.again == "waitproof run --adapter sdk"
    assert adapter.entry.scenarios[0].polls[0].step is None
    assert report.requirements[0].quoted is None


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        ({"adapters": [{}]}, "r.json: adapters.0.name: field required"),
        ({"exit_code": 7}, "r.json: exit_code: input should be 0, 1, 2, 3 or 130"),
        ({"exit_code": 2}, "r.json: exit_code: value error, wrong use leaves no report"),
        ({"suite": 5}, "r.json: suite: input should be a valid string"),
        ({"seconds": float("nan")}, "r.json: seconds: input should be a finite number"),
    ],
)
def test_a_member_that_is_wrong_is_an_input_error_at_its_place(harm: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        parse({**document(), **harm}, "r.json")

    assert str(caught.value).splitlines()[0] == told


def test_a_report_that_is_nested_without_end_is_an_input_error() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(InputError, match=r"r\.json: the report is nested too deep to be read"):
        parse({**document(), "more": deep}, "r.json")


def test_a_requirement_that_only_a_verdict_names_is_not_lost() -> None:
    written = document(verdict("sends-its-key", Status.WARN))
    written["requirements"] = []

    report = merge([parse(written, "a")], ["a"])

    assert report.requirement("sends-its-key").level is Level.SHOULD


def test_no_text_keeps_what_a_screen_or_an_encoding_would_stumble_over() -> None:
    hello = Hello("\x1b[31m\ud800", "\u202e1\x00", "a\tb", "\u2066", "wait", "")

    (adapter,) = merged(result(hello=hello, error="x", stderr_tail=("\x9b",))).adapters

    assert adapter.sdk == r"\x1b[31m\ud800 \u202e1\x00"
    assert adapter.entry.sdk is not None
    assert adapter.entry.sdk.language == "a   b"
    assert adapter.entry.stderr_tail == (r"\x9b",)


def test_reports_of_one_suite_are_one_set_of_adapters_and_the_worst_exit_code_counts() -> None:
    first = parse(document(verdict("returns-output", Status.PASS), name="a"), "1.json")
    second = parse({**document(name="b"), "exit_code": 3}, "2.json")

    both = merge([first, second], ["1.json", "2.json"])

    assert [adapter.name for adapter in both.adapters] == ["a", "b"]
    assert both.exit_code is ExitCode.UNKNOWN
    assert both.notes == ()


def test_adapters_of_one_name_are_told_apart_by_version_where_that_differs_else_by_file() -> None:
    old = document(hello=Hello("mini", "1.0", "python", "CPython", "wait", ""))
    new = document(hello=Hello("mini", "2.0", "python", "CPython", "wait", ""))

    versions = merge([parse(old, "a.json"), parse(new, "b.json")], ["a.json", "b.json"])
    files = merge([parse(old, "x/a.json"), parse(old, "x/b.json")], ["x/a.json", "x/b.json"])
    twice = merge([parse(old, "a.json"), parse(old, "a.json")], ["a.json", "a.json"])

    assert [adapter.name for adapter in versions.adapters] == ["sdk (1.0)", "sdk (2.0)"]
    assert [adapter.name for adapter in files.adapters] == ["sdk (a.json)", "sdk (b.json)"]
    assert [adapter.name for adapter in twice.adapters] == ["sdk (a.json)", "sdk (a.json, 2)"]
    far = merge([parse(old, "x/a.json"), parse(old, "y/a.json")], ["x/a.json", "y/a.json"])
    assert [adapter.name for adapter in far.adapters] == ["sdk (x/a.json)", "sdk (y/a.json)"]
    assert versions.notes == (
        "several adapters are called 'sdk': they are shown as 'sdk (1.0)' of a.json, 'sdk (2.0)' of b.json",
    )


def test_reports_of_two_suites_are_no_set() -> None:
    with pytest.raises(InputError) as caught:
        merge([parse(document(), "a"), parse({**document(), "suite": "other"}, "b")], ["a", "b"])

    assert str(caught.value).startswith(
        "b: this is a report of the suite 'other'\n  expected: 'mini', as in a"
    )


def test_one_adapter_can_be_picked_by_its_name() -> None:
    both = merge([parse(document(name="a"), "1"), parse(document(name="bee"), "2")], ["1", "2"])

    assert [adapter.name for adapter in both.only(["bee"]).adapters] == ["bee"]
    with pytest.raises(InputError, match="no adapter is called 'be'"):
        both.only(["be"])


def test_only_what_leads_to_a_page_is_a_link() -> None:
    links = [
        "https://x.test/a",
        "HTTP://x.test",
        "javascript:alert(1)",
        "\x01http://x",
        "data:text/html,x",
        "",
    ]
    verdicts = [verdict("returns-output", Status.WARN, link=link) for link in links]

    (adapter,) = merged(result(*verdicts)).adapters

    assert [each.href for each in adapter.entry.verdicts] == links[:2] + [""] * 4


@pytest.mark.parametrize(
    ("place", "file", "line"),
    [
        ("my/deviations.yaml:3:5", "my/deviations.yaml", 3),
        ("C:\\my\\d.yaml:12:1", "C:\\my\\d.yaml", 12),
        ("d.yaml", "d.yaml", 1),
        ("d.yaml:x:1", "d.yaml:x:1", 1),
        ("", "", 1),
    ],
)
def test_a_stale_deviation_knows_its_file_and_line(place: str, file: str, line: int) -> None:
    (adapter,) = merged(result(baseline="d.yaml", stale=(stale(place=place),))).adapters

    assert [(each.file, each.line) for each in adapter.stale] == [(file, line)]


# --- what data adds -----------------------------------------------------------------------------------


def test_a_report_says_where_each_scenario_stands_and_which_line_proves_what() -> None:
    written = document()

    known = {each["id"]: each for each in written["scenarios"]}
    assert list(known) == [scenario.id for scenario in SUITE.scenarios]
    place = SUITE.files["outcomes/completes"]
    line = known["outcomes/completes"]["proves"]["returns-output"]
    assert known["outcomes/completes"]["topic"] == "outcomes"
    assert known["outcomes/completes"]["file"] == "tests/suites/mini/outcomes/completes.yaml"
    assert "returns-output" in place.read_text(encoding="utf-8").splitlines()[line - 1]
    assert written["defaults"] == {"poll_interval_s": 0.1, "timeout_s": 0.6}


def test_a_report_shows_the_exchange_without_anybodys_credentials() -> None:
    run = whole_run()
    scenario = SUITE.scenarios[1]
    (seen,) = run.adapters[0].scenarios[scenario.id].observations
    headers = {"x-mini-key": "k1", "authorization": "Bearer k2", "cookie": "k3", "accept": "*/*"}
    target = "/jobs/7/state?api_key=k4&n=1&empty_token="
    polls = tuple(Poll(n, n / 10, n / 10, target=target, headers={**headers, "x-n": str(n)}) for n in (1, 2))
    vars(seen)["tasks"] = (TaskRecord(1, 7, polls=polls),)

    adapter = data.document(run, exit_code=0)["adapters"][0]
    written = adapter["scenarios"][0]

    masked = {"x-mini-key": "***", "authorization": "***", "cookie": "***", "accept": "*/*"}
    assert adapter["headers"] == masked
    shown = "/jobs/7/state?api_key=***&n=1&empty_token="
    assert written["heads"] == [
        {"method": "GET", "target": shown, "headers": {"x-n": str(n)}} for n in (1, 2)
    ]
    assert [poll["head"] for poll in written["polls"]] == [0, 1]
    assert written["answers"][0]["http"] == 200
    assert written["answers"][0]["body"]["job"] == 7
    wait = scenario.calls[0].wait
    assert wait is not None
    held = (wait.interval_s(SUITE.contract.defaults), wait.timeout_s(SUITE.contract.defaults))
    assert (written["calls"][0]["interval_s"], written["calls"][0]["timeout_s"]) == held


def test_what_an_adapter_says_is_cut_however_it_is_spread() -> None:
    run = whole_run()
    (seen,) = run.adapters[0].scenarios[SUITE.scenarios[1].id].observations
    vars(seen.calls[0])["answer"] = {
        "result": ["x" * 1_000] * 1_000,
        "more": {str(n): n for n in range(9_999)},
    }
    vars(run.adapters[0])["hello"] = Hello("n" * 10_000_000, "v", "l", "r", "h" * 10_000_000, "")

    written = data.document(run, exit_code=0)

    answer = written["adapters"][0]["scenarios"][0]["calls"][0]["answer"]
    assert answer["result"][-1] == f"… {1_000 - len(answer['result']) + 1} more"
    assert answer["…"] == "1 more"
    assert len(json.dumps(written)) < 100_000
    assert written["adapters"][0]["sdk"]["name"] == "n" * 100 + "… (10000000 characters)"


def test_the_reference_names_every_member_of_a_report() -> None:
    schema = json.loads(data.SCHEMA_FILE.read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "reference" / "report.md").read_text(encoding="utf-8")
    parts = [schema, *(part for name, part in schema["$defs"].items() if name != "capabilities")]
    members = {name for part in parts for name in part["properties"]}

    assert {name for name in members if f"`{name}`" not in page} == set()
