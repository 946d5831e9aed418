from dataclasses import replace
from datetime import date

import pytest

from harness.baseline import Baseline, parse_baseline
from harness.contract import Level
from harness.errors import InputError
from harness.judge import Status, Verdict
from harness.scenario import parse_scenario
from harness.source import read

TODAY = date(2027, 6, 30)
KNOWN = """\
format: 1
deviations:
  - {deviation: exception-version, reason: It is dropped., link: "#7", expires: "2027-06-30"}
  - {deviation: "fields/every-field:exception-task-id", reason: It is empty.}
"""


def baseline(text: str = KNOWN) -> Baseline:
    return parse_baseline(text, "deviations.yaml", TODAY)


def mistakes(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        baseline(text)
    return [str(mistake) for mistake in caught.value.mistakes]


def verdict(scenario: str, requirement: str, status: Status = Status.FAIL) -> Verdict:
    return Verdict(scenario, requirement, Level.MUST, status)


def test_a_deviation_excuses_its_requirement_everywhere_or_in_one_scenario() -> None:
    verdicts = [
        verdict("fields/every-field", "exception-version"),
        verdict("fields/other", "exception-version"),
        verdict("fields/every-field", "exception-task-id"),
        verdict("fields/other", "exception-task-id"),
        verdict("fields/every-field", "exception-description"),
    ]

    excused = baseline().excuse(verdicts)

    assert [each.excused for each in excused] == [
        "It is dropped.",
        "It is dropped.",
        "It is empty.",
        "",
        "",
    ]
    assert [replace(each, excused="", link="") for each in excused] == verdicts


@pytest.mark.parametrize("status", list(Status))
def test_only_a_fail_and_a_warning_are_excused(status: Status) -> None:
    (excused,) = baseline().excuse([verdict("fields/other", "exception-version", status)])

    assert excused.excused == ("It is dropped." if status in {Status.FAIL, Status.WARN} else "")


def test_the_first_deviation_that_matches_gives_the_reason() -> None:
    both = baseline(
        "format: 1\ndeviations:\n"
        "  - {deviation: 'a/b:r', reason: Here.}\n"
        "  - {deviation: r, reason: Everywhere.}\n"
    )

    excused = both.excuse([verdict("a/b", "r"), verdict("a/c", "r")])

    assert [each.excused for each in excused] == ["Here.", "Everywhere."]


@pytest.mark.parametrize(
    ("lacked", "reasons"), [("", ["None.", "", ""]), ("ships-helper", ["None.", "None.", ""])]
)
def test_what_an_sdk_without_a_helper_cannot_do_is_excused_with_the_helper(
    lacked: str, reasons: list[str]
) -> None:
    known = baseline(
        "format: 1\ndeviations:\n  - {deviation: ships-helper, reason: None., link: 'https://x.test/1'}\n"
    )
    verdicts = [
        verdict("a/b", "ships-helper"),
        verdict("a/b", "other", Status.UNSUPPORTED),
        verdict("a/b", "another", Status.ERROR),
    ]

    excused = known.excuse(verdicts, lacked=lacked)

    assert [each.excused for each in excused] == reasons
    assert excused[0].link == "https://x.test/1"


def test_no_baseline_excuses_nothing() -> None:
    assert Baseline().excuse([verdict("a", "b")]) == (verdict("a", "b"),)


def test_a_deviation_holds_on_its_last_day_and_not_after() -> None:
    assert len(baseline().deviations) == 2
    with pytest.raises(InputError) as caught:
        parse_baseline(KNOWN, "deviations.yaml", date(2027, 7, 1))

    assert str(caught.value) == (
        "deviations.yaml:3:72: the deviation 'exception-version' expired on 2027-06-30\n"
        "  found:    - {deviation: exception-version, reason: It is dropped.,"
        ' link: "#7", expires: "2027-06-30"}\n'
        "  mend:     see whether the SDK has been mended; else give it a later date, with the reason"
    )


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "{deviation: r}",
            "3:5: a deviation needs the key 'reason'\n  found:    - {deviation: r}\n  mend:     add 'reason'",
        ),
        (
            "{deviation: r, reason: ''}",
            "3:20: 'reason' cannot be \"\"\n"
            "  found:    - {deviation: r, reason: ''}\n"
            "  expected: text that is not empty",
        ),
        (
            "{deviation: r, reason: x, expire: '2027-01-01'}",
            "3:31: a deviation has no key 'expire'\n"
            "  found:    - {deviation: r, reason: x, expire: '2027-01-01'}\n"
            "  expected: deviation, reason, link, expires or sometimes\n"
            "  mend:     did you mean 'expires'?",
        ),
        (
            "{deviation: r, reason: x, expires: soon}",
            "3:31: 'expires' cannot be \"soon\"\n"
            "  found:    - {deviation: r, reason: x, expires: soon}\n"
            "  expected: text that matches ^\\d{4}-\\d{2}-\\d{2}$",
        ),
        (
            "{deviation: r, reason: x, expires: 2027-01-01}",
            "3:40: '2027-01-01' is ambiguous: some YAML readers take it for a date\n"
            "  found:    - {deviation: r, reason: x, expires: 2027-01-01}\n"
            '  mend:     quote it if it is text: "2027-01-01"',
        ),
        (
            "{deviation: r, reason: x, expires: '2027-13-45'}",
            "3:31: 2027-13-45 is no date\n"
            "  found:    - {deviation: r, reason: x, expires: '2027-13-45'}\n"
            "  expected: such as 2027-06-30",
        ),
        (
            "{deviation: r, reason: x, expires: '٢٠٢٧-٠١-٠١'}",
            "3:31: ٢٠٢٧-٠١-٠١ is no date\n"
            "  found:    - {deviation: r, reason: x, expires: '٢٠٢٧-٠١-٠١'}\n"
            "  expected: such as 2027-06-30",
        ),
    ],
)
def test_a_wrong_deviation_is_told_at_its_place(entry: str, message: str) -> None:
    assert mistakes(f"format: 1\ndeviations:\n  - {entry}\n") == [f"deviations.yaml:{message}"]


def test_every_wrong_date_is_told_at_once() -> None:
    entry = "  - {deviation: r, reason: x, expires: '%s'}\n"

    told = mistakes(
        "format: 1\ndeviations:\n" + entry % "2020-01-01" + entry % "2030-01-01" + entry % "2030-02-30"
    )

    assert [message.splitlines()[0] for message in told] == [
        "deviations.yaml:3:31: the deviation 'r' expired on 2020-01-01",
        "deviations.yaml:5:31: 2030-02-30 is no date",
    ]


@pytest.mark.parametrize(
    ("text", "first_line"),
    [
        ("", "deviations.yaml:1:1: the file is empty"),
        ("deviations: []\n", "deviations.yaml:1:1: a baseline needs the key 'format'"),
        ("format: 2\ndeviations: []\n", "deviations.yaml:1:1: 'format' cannot be 2"),
        ("format: 1\n", "deviations.yaml:1:1: a baseline needs the key 'deviations'"),
        ("format: 1\ndeviations: {}\n", "deviations.yaml:2:1: 'deviations' cannot be {}"),
    ],
)
def test_a_file_that_is_no_baseline_is_told(text: str, first_line: str) -> None:
    assert [told.splitlines()[0] for told in mistakes(text)] == [first_line]


def test_a_baseline_says_which_requirements_of_a_scenario_it_knows() -> None:
    text = "summary: It ends.\nproves: [exception-version, exception-task-id, polls-until-terminal]\n"
    text += "task: [{status: failed}]\ncalls: [{wait: {}}]\n"

    every, other = (
        parse_scenario(read(text, "s.yaml"), "s.yaml", name)
        for name in ("fields/every-field", "fields/other")
    )

    assert baseline().known(other) == {"exception-version"}
    assert baseline().known(every) == {"exception-version", "exception-task-id"}
