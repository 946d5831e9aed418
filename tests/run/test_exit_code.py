from collections import Counter

import pytest
from waitproof.judge import Status, Verdict
from waitproof.run import ExitCode, count, exit_code, sentence, unproved, worst
from waitproof.suite.contract import Level


def verdict(status: Status, requirement: str = "r", level: Level = Level.MUST, excused: str = "") -> Verdict:
    return Verdict("topic/scenario", requirement, level, status, excused=excused)


PASS, INFO = verdict(Status.PASS), verdict(Status.INFO, level=Level.INFO)
FAIL, EXCUSED = verdict(Status.FAIL), verdict(Status.FAIL, excused="known")
WARN = verdict(Status.WARN, level=Level.SHOULD)
EXCUSED_WARN = verdict(Status.WARN, level=Level.SHOULD, excused="known")
LACKS = verdict(Status.UNSUPPORTED)
SHOULD_LACKS = verdict(Status.UNSUPPORTED, "s", Level.SHOULD)
ALIEN = verdict(Status.NOT_APPLICABLE)
UNSURE, BROKEN = verdict(Status.INCONCLUSIVE), verdict(Status.ERROR)


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([], ExitCode.KEPT),
        ([PASS, INFO, ALIEN], ExitCode.KEPT),
        ([PASS, WARN], ExitCode.KEPT),
        ([PASS, EXCUSED, EXCUSED_WARN], ExitCode.KEPT),
        ([PASS, FAIL], ExitCode.NOT_KEPT),
        ([FAIL, BROKEN, UNSURE, LACKS], ExitCode.NOT_KEPT),
        ([PASS, UNSURE], ExitCode.UNKNOWN),
        ([PASS, BROKEN], ExitCode.UNKNOWN),
        ([EXCUSED, BROKEN], ExitCode.UNKNOWN),
        ([LACKS], ExitCode.UNKNOWN),
        ([LACKS, LACKS, PASS], ExitCode.KEPT),
        ([LACKS, ALIEN], ExitCode.KEPT),
        ([SHOULD_LACKS], ExitCode.KEPT),
    ],
)
def test_the_exit_code_is_the_worst_that_is_known(verdicts: list[Verdict], code: ExitCode) -> None:
    assert exit_code([verdicts]) is code


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([PASS, WARN], ExitCode.NOT_KEPT),
        ([PASS, EXCUSED_WARN], ExitCode.KEPT),
        ([FAIL], ExitCode.NOT_KEPT),
        ([BROKEN], ExitCode.UNKNOWN),
    ],
)
def test_a_warning_fails_a_run_that_asks_for_it(verdicts: list[Verdict], code: ExitCode) -> None:
    assert exit_code([verdicts], fail_on=Level.SHOULD) is code


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([PASS, UNSURE], ExitCode.KEPT),
        ([UNSURE, BROKEN], ExitCode.UNKNOWN),
        ([UNSURE, FAIL], ExitCode.NOT_KEPT),
    ],
)
def test_a_run_may_allow_what_a_busy_machine_leaves_open(verdicts: list[Verdict], code: ExitCode) -> None:
    assert exit_code([verdicts], allow_inconclusive=True) is code


def test_an_interrupted_run_is_that_and_nothing_else() -> None:
    assert exit_code([[FAIL]], interrupted=True) is ExitCode.INTERRUPTED
    assert exit_code([], interrupted=True) is ExitCode.INTERRUPTED


def test_one_adapter_does_not_prove_a_requirement_for_another() -> None:
    assert exit_code([[PASS], [LACKS]]) is ExitCode.UNKNOWN
    assert exit_code([[PASS], [BROKEN], [FAIL]]) is ExitCode.NOT_KEPT


def test_exit_codes_are_the_documented_numbers() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 130]


def test_a_must_is_unproved_where_it_is_unsupported_wherever_it_stands() -> None:
    verdicts = [
        verdict(Status.UNSUPPORTED, "zoo"),
        verdict(Status.UNSUPPORTED, "everywhere"),
        verdict(Status.UNSUPPORTED, "everywhere"),
        verdict(Status.UNSUPPORTED, "here"),
        verdict(Status.FAIL, "here"),
        verdict(Status.UNSUPPORTED, "excused", excused="known"),
        verdict(Status.UNSUPPORTED, "should", Level.SHOULD),
        verdict(Status.NOT_APPLICABLE, "alien"),
        verdict(Status.PASS, "proved"),
    ]

    assert unproved(verdicts) == ["everywhere", "zoo"]


@pytest.mark.parametrize(
    ("verdicts", "told"),
    [
        ([], "no verdict"),
        ([PASS, PASS], "2 PASS"),
        (
            [INFO, WARN, EXCUSED_WARN, PASS, FAIL, BROKEN, UNSURE, LACKS, ALIEN],
            "1 PASS, 1 ERROR, 1 FAIL, 1 INCONCLUSIVE, 2 WARN (1 excused), 1 UNSUPPORTED, 1 INFO,"
            " 1 NOT_APPLICABLE",
        ),
        ([EXCUSED], "1 FAIL (1 excused)"),
    ],
)
def test_the_summary_counts_every_status_that_occurs(verdicts: list[Verdict], told: str) -> None:
    assert sentence(verdicts) == told


@pytest.mark.parametrize(
    ("verdicts", "status"),
    [
        ([], None),
        ([ALIEN, INFO], Status.INFO),
        ([INFO, LACKS], Status.UNSUPPORTED),
        ([LACKS, PASS], Status.PASS),
        ([PASS, WARN], Status.WARN),
        ([WARN, UNSURE], Status.INCONCLUSIVE),
        ([UNSURE, FAIL], Status.FAIL),
        ([FAIL, BROKEN], Status.ERROR),
    ],
)
def test_the_worst_status_is_the_one_that_matters_most(
    verdicts: list[Verdict], status: Status | None
) -> None:
    assert worst(verdicts) is status


def test_verdicts_are_counted_by_status() -> None:
    assert count([PASS, FAIL, PASS]) == Counter({Status.PASS: 2, Status.FAIL: 1})


def test_a_stale_baseline_fails_a_run_whose_verdicts_are_fine() -> None:
    assert exit_code([[PASS, UNSURE]], stale=True) is ExitCode.NOT_KEPT
    assert exit_code([[PASS]], stale=True, interrupted=True) is ExitCode.INTERRUPTED


def test_a_death_rules_out_success_but_hides_no_failure() -> None:
    assert exit_code([[PASS]], died=True) is ExitCode.UNKNOWN
    assert exit_code([[FAIL]], died=True) is ExitCode.NOT_KEPT
    assert exit_code([[PASS]], died=True, interrupted=True) is ExitCode.INTERRUPTED
