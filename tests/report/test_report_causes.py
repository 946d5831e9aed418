"""The causes of failures come first in the terminal, and are in report.json."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

from made_reports import merged, result, verdict, written
from rich.console import Console
from waitproof.defects import Cause, Causes, Defect
from waitproof.judge import Status
from waitproof.report import print_report
from waitproof.report.html import html_page
from waitproof.report.junit import junit_xml
from waitproof.report.markdown import markdown_summary
from waitproof.run import RunResult

GROWS = Defect("interval_kept.grows-slowly", "interval_kept", "The interval grows from poll to poll.")
BACKS_OFF = Defect("interval_kept.backs-off", "interval_kept", "The interval grows up to a limit.")
INTERVAL, TIMEOUT = ("timing/gives-up", "usual-interval"), ("timing/gives-up", "usual-timeout")
KEY = "outcomes/completes", "sends-its-key"
ONE_CAUSE = Causes((Cause((GROWS, BACKS_OFF), (INTERVAL, TIMEOUT), INTERVAL),), (KEY,))


def run_with(causes: Causes | None) -> RunResult:
    """Return a run with three failures, of which two have the same cause."""
    verdicts = [
        verdict(INTERVAL[1], Status.FAIL, INTERVAL[0], timeline="0.00 queued   1.60 queued"),
        verdict(TIMEOUT[1], Status.FAIL, TIMEOUT[0]),
        verdict(KEY[1], Status.WARN, KEY[0]),
        verdict("returns-output", Status.PASS),
    ]
    run = result(*verdicts, argument="my/sdk")
    run.adapters[0].causes = causes
    return run


def printed(causes: Causes | None, *, verbose: bool = False) -> list[str]:
    report = merged(run_with(causes), exit_code=1)
    file = io.StringIO()
    print_report(Console(file=file, width=80, color_system=None), report, verbose=verbose)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_the_terminal_begins_with_the_causes_and_folds_what_they_explain() -> None:
    assert printed(ONE_CAUSE) == [
        "1. The interval grows from poll to poll (sdk, 2 of 3 failures)",
        "  or:          The interval grows up to a limit.",
        "  look at:     the sleep between polls: is the interval multiplied or replaced after each poll?",
        "  explains:    usual-interval in 1 scenario, usual-timeout in 1 scenario",
        "",
        "No known defect explains 1 of 3 failures (sdk): see below.",
        "",
        "                        sdk",
        "level   requirement     mini 1.0",
        "MUST    usual-interval  FAIL",
        "MUST    usual-timeout   FAIL",
        "SHOULD  sends-its-key   WARN",
        "The other requirements did not fail; -v shows them, and every failure in full.",
        "",
        "FAIL timing/gives-up (sdk): that",
        "  requirement: usual-interval (MUST, quoted): The helper asks every 100 ms unless told otherwise.",
        "  expected:    this",
        "  seen:        that",
        "  polls:       0.00 queued   1.60 queued",
        "  again:       waitproof run --adapter my/sdk -k timing/gives-up:usual-interval",
        "",
        "WARN outcomes/completes (sdk): that",
        "  requirement: sends-its-key (SHOULD, not documented): The API lets nobody in without the key.",
        "  expected:    this",
        "  seen:        that",
        "  again:       waitproof run --adapter my/sdk -k outcomes/completes:sends-its-key",
        "",
        "sdk: 1 PASS, 2 FAIL, 1 WARN",
    ]


def test_failures_that_follow_from_another_one_are_one_line_and_not_counted() -> None:
    run = result(
        verdict(TIMEOUT[1], Status.FAIL, TIMEOUT[0]),
        verdict(INTERVAL[1], Status.FAIL, INTERVAL[0], follows_from=TIMEOUT[1]),
        verdict(KEY[1], Status.WARN, TIMEOUT[0], follows_from=TIMEOUT[1]),
    )
    run.adapters[0].causes = Causes((Cause((GROWS,), (TIMEOUT, INTERVAL), TIMEOUT),))
    file = io.StringIO()

    print_report(Console(file=file, width=100, color_system=None), merged(run))

    lines = file.getvalue().splitlines()
    assert lines[0] == "1. The interval grows from poll to poll (sdk, 1 of 1 failure)"
    assert [line for line in lines if line.startswith(("FAIL ", "WARN "))] == [
        "FAIL timing/gives-up (sdk): that"
    ]
    assert f"2 more failures follow from others (sdk): 2 from {TIMEOUT[1]}" in lines
    assert "sdk: 1 FAIL; 2 more failures follow from these" in lines
    entries = {each["requirement"]: each["follows_from"] for each in written(run)["adapters"][0]["verdicts"]}
    assert entries == {TIMEOUT[1]: "", INTERVAL[1]: TIMEOUT[1], KEY[1]: TIMEOUT[1]}
    page = html_page(merged(run))
    assert page.count(f"<dt>Follows from</dt><dd><code>{TIMEOUT[1]}</code></dd>") == 2


def test_verbose_shows_every_requirement_and_every_failure_too() -> None:
    lines = printed(ONE_CAUSE, verbose=True)

    assert lines[0] == "1. The interval grows from poll to poll (sdk, 2 of 3 failures)"
    assert [line.split()[1:3] for line in lines if line.startswith("MUST")] == [
        ["returns-output", "PASS"],
        ["usual-interval", "FAIL"],
        ["usual-timeout", "FAIL"],
    ]
    assert sum(line.startswith(("FAIL ", "WARN ")) for line in lines) == 3


def test_where_nothing_fits_the_terminal_says_so_and_shows_every_failure() -> None:
    lines = printed(Causes((), (INTERVAL, TIMEOUT, KEY)))

    assert lines[:8] == [
        "No known defect explains 3 of 3 failures (sdk): see below.",
        "",
        "                        sdk",
        "level   requirement     mini 1.0",
        "MUST    usual-interval  FAIL",
        "MUST    usual-timeout   FAIL",
        "SHOULD  sends-its-key   WARN",
        "The other requirements did not fail; -v shows them.",
    ]
    assert sum(line.startswith(("FAIL ", "WARN ")) for line in lines) == 3


def test_where_the_time_ran_out_the_terminal_says_so_and_shows_every_failure() -> None:
    lines = printed(None)

    assert lines[0] == "The machine was too busy to find the cause of 3 failures in time (sdk)."
    assert lines[2:] == printed(Causes((), (INTERVAL, TIMEOUT, KEY)))[2:]


def test_where_the_run_was_interrupted_nothing_is_said_about_causes() -> None:
    run = run_with(None)
    run.interrupted = True
    file = io.StringIO()

    print_report(Console(file=file, width=80, color_system=None), merged(run))

    assert "cause" not in file.getvalue()


def test_four_defects_that_look_the_same_are_three_and_a_number() -> None:
    four = Causes((Cause((GROWS, BACKS_OFF, GROWS, GROWS, GROWS), (INTERVAL,), INTERVAL),))

    assert printed(four)[1:4] == [
        "  or:          The interval grows up to a limit.",
        "  or:          The interval grows from poll to poll.",
        "  or:          2 other defects like these",
    ]


def test_markdown_has_the_causes_before_what_needs_attention() -> None:
    lines = markdown_summary(merged(run_with(ONE_CAUSE), exit_code=1)).splitlines()

    begin, end = lines.index("### Causes"), lines.index("### What needs attention")
    assert lines[begin + 2 : end] == [
        "1. **The interval grows from poll to poll (sdk, 2 of 3 failures)**",
        "   - or: The interval grows up to a limit.",
        "   - look at: the sleep between polls: is the interval multiplied or replaced after each poll?",
        "   - explains: usual-interval in 1 scenario, usual-timeout in 1 scenario",
        "   - polls: 0.00 queued 1.60 queued",
        "",
        "No known defect explains 1 failure (sdk).",
        "",
    ]
    assert "### Causes" not in markdown_summary(merged(run_with(None), exit_code=1))


def test_junit_has_the_causes_as_the_output_of_the_suite() -> None:
    root = ET.fromstring(junit_xml(merged(run_with(ONE_CAUSE), exit_code=1)))

    assert (root.findtext("testsuite/system-out") or "").splitlines() == [
        "1. The interval grows from poll to poll (sdk, 2 of 3 failures)",
        "  or:          The interval grows up to a limit.",
        "  look at:     the sleep between polls: is the interval multiplied or replaced after each poll?",
        "  explains:    usual-interval in 1 scenario, usual-timeout in 1 scenario",
    ]


def test_the_page_has_the_causes_before_the_matrix_with_their_failures_folded() -> None:
    page = html_page(merged(run_with(ONE_CAUSE), exit_code=1))

    causes = page[page.index('id="causes-title"') : page.index('id="matrix"')]
    assert "<h3>1. The interval grows from poll to poll (sdk, 2 of 3 failures)</h3>" in causes
    assert '<details class="all"><summary>2 failures</summary>' in causes
    assert "usual-timeout: that</li>" in causes
    assert "No known defect explains 1 of 3 failures (sdk): see below." in causes
    assert 'id="causes-title"' not in html_page(merged(run_with(None), exit_code=1))


def test_report_json_has_the_causes_and_null_where_nobody_looked() -> None:
    looked, skipped = (written(run_with(causes))["adapters"][0]["causes"] for causes in (ONE_CAUSE, None))

    assert skipped is None
    assert [each["defect"] for each in looked[0]["defects"]] == [GROWS.name, BACKS_OFF.name]
    assert looked[0]["explains"] == ["timing/gives-up:usual-interval", "timing/gives-up:usual-timeout"]
    assert looked[0]["shown_by"] == "timing/gives-up:usual-interval"
