from __future__ import annotations

import re
import xml.etree.ElementTree as ET
import xml.sax
from dataclasses import replace
from typing import Any

import pytest
from made_reports import merged, result, stale, verdict
from waitproof.judge import Status
from waitproof.report.junit import junit_xml
from waitproof.report.plays import PlayEntry, PollEntry
from waitproof.run.baseline import Problem
from waitproof.suite.contract import Level

# The content model of Jenkins' junit-10 schema, as far as these files use it: children, then attributes.
ALLOWED: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"testsuite"}, set(), {"name", "time", "tests", "failures", "errors"}),
    "testsuite": (
        {"properties", "testcase", "system-out", "system-err"},
        {"name", "tests", "failures", "errors"},
        {"time", "skipped", "timestamp"},
    ),
    "properties": ({"property"}, set(), set()),
    "property": (set(), {"name", "value"}, set()),
    "testcase": (
        {"skipped", "error", "failure", "system-out", "system-err"},
        {"name"},
        {"time", "classname", "group"},
    ),
    "skipped": (set(), set(), {"type", "message"}),
    "error": (set(), set(), {"type", "message"}),
    "failure": (set(), set(), {"type", "message"}),
    "system-out": (set(), set(), set()),
    "system-err": (set(), set(), set()),
}


def checked(text: str) -> ET.Element:
    """Return the document's root, after two parsers and the schema's rules have accepted it."""
    xml.sax.parseString(text.encode(), xml.sax.ContentHandler())
    root = ET.fromstring(text.encode())
    for element in root.iter():
        children, required, optional = ALLOWED[element.tag]
        assert {child.tag for child in element} <= children, element.tag
        assert required <= set(element.attrib) <= required | optional, element.tag
        assert re.fullmatch(r"\d+\.\d{3}", element.get("time", "0.000"))
    return root


def cases(root: ET.Element) -> dict[str, ET.Element]:
    return {case.attrib["name"]: case for case in root.iter("testcase")}


@pytest.mark.parametrize(
    ("status", "more", "kind"),
    [
        (Status.PASS, {}, None),
        (Status.INFO, {}, None),
        (Status.WARN, {}, None),
        (Status.FAIL, {}, "failure"),
        (Status.INCONCLUSIVE, {}, "failure"),
        (Status.ERROR, {}, "error"),
        (Status.UNSUPPORTED, {}, "skipped"),
        (Status.NOT_APPLICABLE, {}, "skipped"),
        (Status.FAIL, {"excused": "It rounds."}, "skipped"),
        (Status.WARN, {"excused": "It rounds."}, "skipped"),
    ],
)
def test_a_verdict_becomes_what_pytest_would_make_of_it(
    status: Status, more: dict[str, Any], kind: str | None
) -> None:
    root = checked(junit_xml(merged(result(verdict("returns-output", status, **more)))))

    (case,) = root.iter("testcase")
    assert [child.tag for child in case] == ([kind] if kind else []) + ["system-out"]
    if kind:
        assert case[0].get("type") == status.value
        assert case[0].get("message", "").startswith(status.value)
        assert ("It rounds." in case[0].get("message", "")) is bool(more)
    suite = root[0].attrib
    plural = {None: "", "failure": "failures", "error": "errors", "skipped": "skipped"}[kind]
    assert {name: suite[name] for name in ("tests", "failures", "errors", "skipped")} == {
        "tests": "1",
        **{name: str(int(name == plural)) for name in ("failures", "errors", "skipped")},
    }


def test_a_warn_is_a_failure_where_the_run_was_to_fail_on_it() -> None:
    run = result(verdict("sends-its-key", Status.WARN))

    (case,) = checked(junit_xml(merged(run, fail_on=Level.SHOULD))).iter("testcase")

    assert case[0].tag == "failure"


def test_a_suite_names_its_sdk_and_a_case_names_its_file() -> None:
    run = result(
        verdict("returns-output", Status.FAIL, explanation="because", timeline="0.00 done"),
        name="my.sdk",
        stderr_tail=("last words",),
    )

    root = checked(junit_xml(merged(run, exit_code=1)))

    (suite,) = root
    properties = {each.attrib["name"]: each.attrib["value"] for each in suite.iter("property")}
    (case,) = suite.iter("testcase")
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("1", "1", "0")
    assert suite.attrib["timestamp"] == "2026-01-02T03:04:05"
    assert suite.attrib["time"] == "1.500"
    assert properties.pop("waitproof.version")
    assert properties == {
        "sdk": "mini",
        "sdk.version": "1.0",
        "sdk.language": "python",
        "sdk.runtime": "CPython",
        "helper": "wait",
        "waitproof.suite": "mini",
        "level.returns-output": "MUST",
    }
    assert case.attrib["classname"] == "my_sdk.outcomes"
    assert case.attrib["name"] == "completes:returns-output"
    assert case.attrib["group"] == "MUST"
    assert (case.findtext("system-out") or "").splitlines() == [
        "FAIL outcomes/completes (my.sdk): that",
        "  requirement: returns-output (MUST, quoted): done: the helper returns the job's output.",
        "  expected:    this",
        "  seen:        that",
        "               because",
        "  polls:       0.00 done",
        "  file:        tests/suites/mini/outcomes/completes.yaml",
        "  again:       waitproof run --adapter my.sdk -k outcomes/completes:returns-output",
    ]
    assert suite.findtext("system-err") == "last words"


def test_the_first_case_of_a_scenario_has_its_time_so_that_sums_are_right() -> None:
    run = result(verdict("returns-output", Status.PASS), verdict("first-look", Status.INFO))
    report = merged(run)
    (adapter,) = report.adapters
    play = PlayEntry("outcomes/completes", polls=(PollEntry(copy=1, n=1, arrived_s=1.25),))
    vars(adapter)["entry"] = replace(adapter.entry, scenarios=(play,))

    found = cases(checked(junit_xml(report)))

    assert found["completes:returns-output"].get("time") == "1.250"
    assert found["completes:first-look"].get("time") == "0.000"


def test_an_adapter_that_could_not_be_run_is_an_error() -> None:
    root = checked(junit_xml(merged(result(hello=None, error="it is dead"), exit_code=3)))

    (case,) = root.iter("testcase")
    assert case[0].tag == "error"
    assert case[0].get("message") == "it is dead"
    assert root.get("errors") == "1"


@pytest.mark.parametrize("problem", Problem)
def test_a_stale_deviation_is_a_separate_failure(problem: Problem) -> None:
    known = stale("outcomes/completes:returns-output", problem)
    run = result(
        verdict("returns-output", Status.PASS), name="my.sdk", baseline="my/deviations.yaml", stale=(known,)
    )

    root = checked(junit_xml(merged(run, exit_code=1)))

    case = cases(root)["outcomes/completes:returns-output"]
    assert case.attrib["classname"] == "my_sdk.baseline"
    (failure,) = case
    assert (failure.tag, failure.attrib) == ("failure", {"type": problem.value, "message": "it is kept"})
    assert (failure.text or "").splitlines() == [
        "stale deviation outcomes/completes:returns-output (my.sdk)",
        "  place:       my/deviations.yaml:3:5",
        "  fix:         take it out",
    ]
    counts = {name: root[0].attrib[name] for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "2", "failures": "1", "errors": "0", "skipped": "0"}
    assert (root.get("tests"), root.get("failures")) == ("2", "1")


def test_a_stale_deviation_of_an_adapter_that_could_not_be_run_is_reported_too() -> None:
    run = result(hello=None, error="it is dead", baseline="d.yaml", stale=(stale(),))

    root = checked(junit_xml(merged(run, exit_code=1)))

    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "1", "1")


def test_what_xml_cannot_carry_is_written_out() -> None:
    report = merged(result(verdict("returns-output", Status.FAIL)))
    (adapter,) = report.adapters
    vars(adapter)["name"] = 'a\x00b\x0b\ufffe\ud800 ]]> <&>" \U0001f600'
    vars(adapter.entry.verdicts[0])["seen"] = "a\x00b\ufffe\ud800 ]]> <&>"

    (suite,) = checked(junit_xml(report))
    (case,) = suite.iter("testcase")

    assert r"a\u0000b\u000b\ufffe\ud800 ]]> <&>" in suite.attrib["name"]
    assert r"a\x00b\ufffe\ud800 ]]> <&>" in (case[0].text or "")
