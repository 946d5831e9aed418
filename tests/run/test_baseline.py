from dataclasses import replace
from datetime import date

import pytest
from waitproof.errors import InputError
from waitproof.judge import Status, Verdict
from waitproof.run import Baseline, parse_baseline
from waitproof.suite.contract import Level
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.document import Document

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


def test_what_follows_from_an_excused_failure_is_a_separate_one() -> None:
    verdicts = [
        verdict("fields/other", "exception-version"),
        replace(verdict("fields/other", "exception-task-id"), follows_from="exception-version"),
        replace(verdict("fields/other", "exception-description"), follows_from="exception-error-type"),
        replace(verdict("a/b", "exception-version"), follows_from="exception-error-type"),
    ]

    excused = baseline().excuse(verdicts)

    assert [each.follows_from for each in excused] == ["", "", "exception-error-type", ""]


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
    after = parse_baseline(KNOWN, "deviations.yaml", date(2027, 7, 1))

    assert [known.requirement for known in baseline().deviations] == [
        "exception-version",
        "exception-task-id",
    ]
    assert [known.requirement for known in after.deviations] == ["exception-task-id"]
    (excused,) = after.excuse([verdict("fields/other", "exception-version")])
    assert excused.excused == ""


# --- entries that hold no more ------------------------------------------------------------------------

PROVES = {"a/one": ["kept", "other"], "a/two": ["kept"], "b/three": ["record"]}


def stale(entry: str, *verdicts: Verdict, whole: bool = True) -> list[str]:
    """Return what is told of one entry; all that is not given passes where the run is whole."""
    text = f"format: 1\ndeviations:\n  - {{deviation: {entry}, reason: x}}\n"
    given = {(each.scenario, each.requirement): each for each in verdicts}
    if whole:
        for scenario, names in PROVES.items():
            for name in names:
                given.setdefault((scenario, name), verdict(scenario, name, Status.PASS))
    found = baseline(text).stale(given.values(), PROVES, ["kept", "other", "record"], adapter="my/sdk")
    return [f"{each.problem.value}: {each.mistake}" for each in found]


def test_what_is_kept_now_is_told_with_its_place_and_the_fix() -> None:
    assert stale("'a/one:kept'") == [
        "passes: deviations.yaml:3:5: the deviation 'a/one:kept' no longer occurs: the requirement passes\n"
        "  found:    - {deviation: 'a/one:kept', reason: x}\n"
        "  fix:      remove it, by hand or with: waitproof baseline update my/sdk"
    ]
    assert stale("kept")[0].splitlines()[0] == (
        "passes: deviations.yaml:3:5: the deviation 'kept' no longer occurs: "
        "the requirement passes in all 2 scenarios"
    )


@pytest.mark.parametrize("status", sorted(set(Status) - {Status.PASS, Status.INFO}))
def test_what_may_still_differ_is_not_stale(status: Status) -> None:
    assert stale("'a/one:kept'", verdict("a/one", "kept", status)) == []
    assert stale("kept", verdict("a/one", "kept", status)) == []


def test_what_depends_on_chance_is_never_called_kept() -> None:
    assert stale("kept, sometimes: true") == []
    assert stale("gone, sometimes: true") != []


def test_a_selection_judges_what_was_played_and_nothing_else() -> None:
    one, two = verdict("a/one", "kept", Status.PASS), verdict("a/two", "kept", Status.PASS)

    assert stale("'a/two:kept'", one, whole=False) == []
    assert stale("'a/one:kept'", one, whole=False) != []
    assert stale("kept", one, whole=False) == []
    assert stale("kept", one, two, whole=False) != []
    assert stale("gone", one, whole=False) == []


def test_without_the_whole_suite_only_entries_about_one_scenario_are_judged() -> None:
    text = "format: 1\ndeviations:\n"
    text += "".join(f"  - {{deviation: '{name}', reason: x}}\n" for name in ("kept", "a/one:kept", "gone"))
    one = verdict("a/one", "kept", Status.PASS)

    found = baseline(text).stale([one], None, ["kept"], adapter="sdk")

    assert [each.entry.known.deviation for each in found] == ["a/one:kept"]


@pytest.mark.parametrize(
    ("entry", "fact", "fix"),
    [
        ("keept", "no requirement is called 'keept'", "did you mean 'kept'?"),
        ("'a/ones:kept'", "no scenario is called 'a/ones'", "did you mean 'a/one'?"),
        ("'a/two:other'", "'a/two' does not prove 'other'", "remove it, by hand or with: "),
    ],
)
def test_what_matches_nothing_is_told_with_what_was_meant(entry: str, fact: str, fix: str) -> None:
    (told,) = stale(entry)

    assert told.splitlines()[0] == f"no_match: deviations.yaml:3:5: the deviation matches nothing: {fact}"
    assert told.splitlines()[-1].startswith(f"  fix:      {fix}")


def test_an_entry_about_what_only_goes_on_record_excuses_nothing() -> None:
    (told,) = stale("record", verdict("b/three", "record", Status.INFO))

    assert "the deviation 'record' excuses nothing: INFO is recorded, never judged" in told


def test_what_has_expired_is_told_whatever_became_of_it_and_as_kept_where_it_is() -> None:
    expired = "kept, expires: '2020-01-01'"

    for status in (Status.FAIL, Status.ERROR):
        assert stale(expired, verdict("a/one", "kept", status)) == [
            "expired: deviations.yaml:3:23: the deviation 'kept' expired on 2020-01-01\n"
            "  found:    - {deviation: kept, expires: '2020-01-01', reason: x}\n"
            "  fix:      check whether the SDK has been fixed; if not, set a later date and say why"
        ]
    assert [told.partition(":")[0] for told in stale(expired)] == ["passes"]
    assert stale(expired, verdict("a/one", "other"), whole=False) == []


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            "{deviation: r}",
            "3:5: a deviation needs the key 'reason'\n  found:    - {deviation: r}\n  fix:      add 'reason'",
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
            "  fix:      did you mean 'expires'?",
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
            '  fix:      quote it if it is text: "2027-01-01"',
        ),
        (
            "{deviation: r, reason: x, expires: '2027-13-45'}",
            "3:31: 2027-13-45 is not a date\n"
            "  found:    - {deviation: r, reason: x, expires: '2027-13-45'}\n"
            "  expected: such as 2027-06-30",
        ),
        (
            "{deviation: r, reason: x, expires: '٢٠٢٧-٠١-٠١'}",
            "3:31: ٢٠٢٧-٠١-٠١ is not a date\n"
            "  found:    - {deviation: r, reason: x, expires: '٢٠٢٧-٠١-٠١'}\n"
            "  expected: such as 2027-06-30",
        ),
    ],
)
def test_a_wrong_deviation_is_told_at_its_place(entry: str, message: str) -> None:
    assert mistakes(f"format: 1\ndeviations:\n  - {entry}\n") == [f"deviations.yaml:{message}"]


def test_a_wrong_date_and_a_misspelt_key_are_reported_together() -> None:
    reported = mistakes("format: 1\ndeviations:\n  - {deviaton: r, reason: x, expires: '2020-13-01'}\n")

    assert [message.splitlines()[0] for message in reported] == [
        "deviations.yaml:3:6: a deviation has no key 'deviaton'",
        "deviations.yaml:3:30: 2020-13-01 is not a date",
    ]


def test_every_wrong_date_is_told_at_once() -> None:
    entry = "  - {deviation: r, reason: x, expires: '%s'}\n"

    told = mistakes(
        "format: 1\ndeviations:\n" + entry % "2020-13-01" + entry % "2030-01-01" + entry % "2030-02-30"
    )

    assert [message.splitlines()[0] for message in told] == [
        "deviations.yaml:3:31: 2020-13-01 is not a date",
        "deviations.yaml:5:31: 2030-02-30 is not a date",
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
        parse_scenario(Document(text, "s.yaml"), name) for name in ("fields/every-field", "fields/other")
    )

    assert baseline().known(other) == {"exception-version"}
    assert baseline().known(every) == {"exception-version", "exception-task-id"}
