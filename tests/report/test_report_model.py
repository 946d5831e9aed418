from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fakes import ROOT
from made_reports import SUITE, merged, result, stale, verdict, whole_run, written
from waitproof.defects import Cause, Causes, Defect
from waitproof.errors import InputError
from waitproof.judge import Status
from waitproof.judge.observation import CallRecord, Poll, TaskRecord
from waitproof.protocol import Given, Hello, Returned
from waitproof.report import load, merge_reports, report_of, report_schema, shown, write
from waitproof.report.file import parse
from waitproof.run import Death, ExitCode
from waitproof.suite.contract import Level
from waitproof.suite.scenario import Call

SCHEMA_1 = Path(__file__).with_name("schema-1.json")  # cut out of a report of the .NET SDK
ADDED = {
    "": {"title", "source", "suite_argument", "defaults", "scenarios", "whole"},
    "RequirementEntry": {"quoted"},
    "AdapterEntry": {"argument", "headers", "baseline"},
    "VerdictEntry": {"link", "follows_from"},
    "PlayEntry": {"heads", "answers"},
    "CallEntry": {"interval_s", "timeout_s"},
    "PollEntry": {"step", "head"},
}


def document(*verdicts: Any, **more: Any) -> dict[str, Any]:
    return written(result(*verdicts, **more))


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every JSON object of a report, outermost first."""
    if isinstance(value, dict):
        yield value
    for child in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from objects(child)


def test_a_report_is_written_with_every_member_that_its_schema_describes() -> None:
    run = whole_run()
    run.adapters[0].baseline, run.adapters[0].stale = "d.yaml", (stale(),)
    place = "outcomes/completes", "returns-output"
    run.adapters[0].causes = Causes((Cause((Defect("returns_result.nothing"),), (place,), place),))
    run.adapters[0].deaths = (Death("exited with code 3"),)
    growing = Call.model_validate({"wait": {"poll_interval": {"first": "1s", "times": 2, "most": "8s"}}})
    played = next(each for each in run.adapters[0].scenarios.values() if each.observations)
    (seen,) = played.observations
    wait = CallRecord(1, 1, growing, 1.0, None, Returned(Given.RESULT, result=1))
    played.observations = [replace(seen, calls=(*seen.calls, wait))]
    schema = report_schema()
    kinds = {name: set(each["properties"]) for name, each in schema["$defs"].items() if "properties" in each}

    found = [set(each) for each in objects(written(run))]

    assert found[0] == set(schema["properties"])
    assert {name for name, members in kinds.items() if members not in found} == set()


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    report = report_of(whole_run(), exit_code=ExitCode.KEPT)

    write(report, tmp_path / "report.json")

    assert load(tmp_path / "report.json") == shown(report)
    assert json.loads((tmp_path / "report.json").read_bytes()) == written(whole_run())


@pytest.mark.parametrize("name", ADDED)
def test_members_added_since_the_first_report_are_not_required(name: str) -> None:
    schema = report_schema()
    described = schema if name == "" else schema["$defs"][name]

    assert ADDED[name] <= set(described["properties"])
    assert not ADDED[name] & set(described["required"])


def test_a_file_without_the_additions_is_read_with_the_facts_in_its_verdicts() -> None:
    old = written(whole_run())
    played = old["adapters"][0]["scenarios"][0]
    for member in ADDED[""]:
        del old[member]
    for member in ADDED["PlayEntry"]:
        del played[member]
    for poll in played["polls"]:
        del poll["step"], poll["head"]
    for call in played["calls"]:
        del call["interval_s"], call["timeout_s"]
    for member in ADDED["AdapterEntry"]:
        del old["adapters"][0][member]
    for member in ADDED["VerdictEntry"]:
        del old["adapters"][0]["verdicts"][0][member]
    for requirement in old["requirements"]:
        del requirement["quoted"]

    report = merge_reports([parse(old, "old.json")], ["old.json"])

    assert {name: each.topic for name, each in report.scenarios.items()} == {
        "outcomes/completes": "outcomes",
        played["id"]: "outcomes",
    }
    (adapter,) = report.adapters
    assert adapter.command == "waitproof run --adapter sdk"
    assert adapter.entry.scenarios[0].polls[0].step is None
    assert report.requirements[0].quoted is None


def test_a_report_of_schema_1_is_read_with_what_it_called_mend_as_the_fix() -> None:
    values = json.loads(SCHEMA_1.read_bytes())

    report = load(SCHEMA_1)

    assert (values["schema"], report.schema) == (1, 2)
    (adapter,) = report.adapters
    assert adapter.baseline is not None
    (known,) = adapter.baseline.stale
    assert values["adapters"][0]["baseline"]["stale"][0]["mend"] == known.fix == "take it out"
    assert (values["adapters"][0]["baseline"]["stale"][0]["problem"], known.problem) == ("kept", "passes")
    assert adapter.named_sdk == "getstream-net 15.0.0"
    seen = [each["seen"] for each in values["adapters"][0]["verdicts"]]
    assert [each.seen for each in adapter.verdicts] == seen
    assert len(adapter.scenarios[0].polls) == 2


@pytest.mark.parametrize("number", [0, 3, "2", True, None, 1.0])
def test_a_number_that_this_version_does_not_know_is_refused(number: Any) -> None:
    with pytest.raises(InputError) as caught:
        parse({**document(), "schema": number}, "r.json")

    assert str(caught.value) == (
        "r.json: this isn't a report that this version of waitproof can read\n"
        f"  found:    schema: {json.dumps(number)}\n"
        "  expected: schema: 2 or 1, as written by waitproof run --json"
    )


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ({"adapters": [{}]}, "r.json: adapters.0.name: field required"),
        ({"exit_code": 7}, "r.json: exit_code: input should be 0, 1, 2, 3, 4 or 130"),
        ({"exit_code": 2}, "r.json: exit_code: value error, wrong use leaves no report"),
        ({"suite": 5}, "r.json: suite: input should be a valid string"),
        ({"seconds": float("nan")}, "r.json: seconds: input should be a finite number"),
    ],
)
def test_a_member_that_is_wrong_is_an_input_error_at_its_place(harm: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse({**document(), **harm}, "r.json")

    assert str(caught.value).splitlines()[0] == message


def test_a_report_that_is_nested_too_deeply_is_an_input_error() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    with pytest.raises(InputError, match=r"r\.json: the report is nested too deeply to be read"):
        parse({**document(), "more": deep}, "r.json")


def test_a_requirement_that_only_a_verdict_names_is_not_lost() -> None:
    values = document(verdict("sends-its-key", Status.WARN))
    values["requirements"] = []

    report = merge_reports([parse(values, "a")], ["a"])

    assert report.requirement("sends-its-key").level is Level.SHOULD


def test_every_text_is_escaped_for_terminals_and_encodings() -> None:
    hello = Hello("\x1b[31m\ud800", "\u202e1\x00", "a\tb", "\u2066", "wait", "")

    (adapter,) = merged(result(hello=hello, error="x", stderr_tail=("\x9b",))).adapters

    assert adapter.sdk == r"\x1b[31m\ud800 \u202e1\x00"
    assert adapter.entry.sdk is not None
    assert adapter.entry.sdk.language == "a   b"
    assert adapter.entry.stderr_tail == (r"\x9b",)


def test_reports_of_one_suite_are_one_set_of_adapters_and_the_worst_exit_code_counts() -> None:
    first = parse(document(verdict("returns-output", Status.PASS), name="a"), "1.json")
    second = parse({**document(name="b"), "exit_code": 3}, "2.json")

    both = merge_reports([first, second], ["1.json", "2.json"])

    assert [adapter.name for adapter in both.adapters] == ["a", "b"]
    assert both.exit_code is ExitCode.UNKNOWN
    assert both.notes == ()


def test_adapters_of_one_name_get_their_version_if_that_differs_else_their_file() -> None:
    old = document(hello=Hello("mini", "1.0", "python", "CPython", "wait", ""))
    new = document(hello=Hello("mini", "2.0", "python", "CPython", "wait", ""))

    versions = merge_reports([parse(old, "a.json"), parse(new, "b.json")], ["a.json", "b.json"])
    files = merge_reports([parse(old, "x/a.json"), parse(old, "x/b.json")], ["x/a.json", "x/b.json"])
    twice = merge_reports([parse(old, "a.json"), parse(old, "a.json")], ["a.json", "a.json"])

    assert [adapter.name for adapter in versions.adapters] == ["sdk (1.0)", "sdk (2.0)"]
    assert [adapter.name for adapter in files.adapters] == ["sdk (a.json)", "sdk (b.json)"]
    assert [adapter.name for adapter in twice.adapters] == ["sdk (a.json)", "sdk (a.json, 2)"]
    far = merge_reports([parse(old, "x/a.json"), parse(old, "y/a.json")], ["x/a.json", "y/a.json"])
    assert [adapter.name for adapter in far.adapters] == ["sdk (x/a.json)", "sdk (y/a.json)"]
    assert versions.notes == (
        "several adapters are called 'sdk': they are shown as 'sdk (1.0)' of a.json, 'sdk (2.0)' of b.json",
    )


def test_a_report_in_which_two_adapters_have_one_name_is_refused() -> None:
    values = document()
    forged = {**values, "adapters": [*values["adapters"], {**values["adapters"][0], "verdicts": []}]}

    with pytest.raises(InputError) as caught:
        parse(forged, "r.json")

    assert str(caught.value) == "r.json: several of its adapters are called 'sdk'"


def test_reports_of_two_suites_cannot_be_merged() -> None:
    with pytest.raises(InputError) as caught:
        merge_reports([parse(document(), "a"), parse({**document(), "suite": "other"}, "b")], ["a", "b"])

    assert str(caught.value).startswith(
        "b: this is a report of the suite 'other'\n  expected: 'mini', as in a"
    )


def test_one_adapter_can_be_selected_by_its_name() -> None:
    both = merge_reports([parse(document(name="a"), "1"), parse(document(name="bee"), "2")], ["1", "2"])

    assert [adapter.name for adapter in both.only(["bee"]).adapters] == ["bee"]
    with pytest.raises(InputError, match="no adapter is called 'be'"):
        both.only(["be"])


def test_only_an_address_of_a_page_is_a_link() -> None:
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

    assert [each.position for each in adapter.stale] == [(file, line)]


# --- what the report of a run says ---------------------------------------------------------------------


def test_a_report_names_each_scenarios_file_and_the_line_of_each_requirement() -> None:
    values = document()

    known = {each["id"]: each for each in values["scenarios"]}
    assert list(known) == [scenario.id for scenario in SUITE.scenarios]
    place = SUITE.files["outcomes/completes"]
    line = known["outcomes/completes"]["proves"]["returns-output"]
    assert known["outcomes/completes"]["topic"] == "outcomes"
    assert known["outcomes/completes"]["file"] == "tests/suites/mini/outcomes/completes.yaml"
    assert "returns-output" in place.read_text(encoding="utf-8").splitlines()[line - 1]
    assert values["defaults"] == {
        "poll_interval_s": 0.1,
        "timeout_s": 0.6,
        "max_polls": None,
        "schedule": None,
    }


def test_a_report_shows_the_exchange_without_anybodys_credentials() -> None:
    run = whole_run()
    scenario = SUITE.scenarios[1]
    (seen,) = run.adapters[0].scenarios[scenario.id].observations
    headers = {"x-mini-key": "k1", "authorization": "Bearer k2", "cookie": "k3", "accept": "*/*"}
    target = "/jobs/7/state?api_key=k4&n=1&empty_token="
    polls = tuple(Poll(n, n / 10, n / 10, target=target, headers={**headers, "x-n": str(n)}) for n in (1, 2))
    vars(seen)["tasks"] = (TaskRecord(1, 7, polls=polls),)

    adapter = written(run)["adapters"][0]
    play = adapter["scenarios"][0]

    masked = {"x-mini-key": "***", "authorization": "***", "cookie": "***", "accept": "*/*"}
    assert adapter["headers"] == masked
    shown = "/jobs/7/state?api_key=***&n=1&empty_token="
    assert play["heads"] == [{"method": "GET", "target": shown, "headers": {"x-n": str(n)}} for n in (1, 2)]
    assert [poll["head"] for poll in play["polls"]] == [0, 1]
    assert play["answers"][0]["http"] == 200
    assert play["answers"][0]["body"]["job"] == 7
    wait = scenario.calls[0].wait
    assert wait is not None
    held = (wait.interval_s(SUITE.contract.defaults), wait.timeout_s(SUITE.contract.defaults))
    assert (play["calls"][0]["interval_s"], play["calls"][0]["timeout_s"]) == held


def test_long_answers_are_shortened_however_they_are_spread() -> None:
    run = whole_run()
    (seen,) = run.adapters[0].scenarios[SUITE.scenarios[1].id].observations
    vars(seen.calls[0])["answer"] = {
        "result": ["x" * 1_000] * 1_000,
        "more": {str(n): n for n in range(9_999)},
    }
    vars(run.adapters[0])["hello"] = Hello("n" * 10_000_000, "v", "l", "r", "h" * 10_000_000, "")

    values = written(run)

    answer = values["adapters"][0]["scenarios"][0]["calls"][0]["answer"]
    assert answer["result"][-1] == f"… {1_000 - len(answer['result']) + 1} more"
    assert answer["…"] == "1 more"
    assert len(json.dumps(values)) < 100_000
    assert values["adapters"][0]["sdk"]["name"] == "n" * 100 + "… (10000000 characters)"


def test_the_reference_names_every_member_of_a_report() -> None:
    schema = report_schema()
    page = (ROOT / "docs" / "reference" / "report.md").read_text(encoding="utf-8")
    parts = [schema, *(part for name, part in schema["$defs"].items() if name != "CapabilitiesEntry")]
    members = {name for part in parts for name in part.get("properties", ())}

    assert {name for name in members if f"`{name}`" not in page} == set()
