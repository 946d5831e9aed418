from __future__ import annotations

from typing import Any

import pytest
from made_reports import merged, result, stale, verdict
from waitproof.judge import Status
from waitproof.report.merge import outcome
from waitproof.suite.contract import Level

KEPT = verdict("returns-output", Status.PASS)
FAILED = verdict("returns-output", Status.FAIL)
ELSEWHERE = verdict("returns-output", Status.FAIL, "outcomes/begun")
LATE = verdict("gives-up", Status.FAIL, "timing/gives-up")
KNOWN = verdict("returns-output", Status.FAIL, excused="known")
WARNED = verdict("sends-its-key", Status.WARN)
KNOWN_WARN = verdict("sends-its-key", Status.WARN, excused="known")
UNSURE = verdict("returns-output", Status.INCONCLUSIVE)
UNPROVED = [
    verdict(name, Status.UNSUPPORTED)
    for name in ("returns-output", "gives-up", "usual-timeout", "usual-interval")
]
STALE = {"baseline": "d.yaml", "stale": (stale(), stale("gives-up"))}


@pytest.mark.parametrize(
    ("code", "verdicts", "more", "sentence"),
    [
        (0, [KEPT, WARNED], {}, "Every MUST passed"),
        (0, [KEPT, KNOWN_WARN], {}, "Every MUST passed"),
        (0, [KNOWN, WARNED], {}, "Every MUST passed, or its deviation is known"),
        (1, [FAILED, ELSEWHERE, KEPT], {}, "1 requirement failed"),
        (1, [FAILED, LATE, WARNED], {}, "2 requirements failed"),
        (1, [KEPT, WARNED], STALE, "2 known deviations are stale"),
        (1, [FAILED], {**STALE, "stale": (stale(),)}, "1 requirement failed; 1 known deviation is stale"),
        (1, [KEPT, KNOWN], {}, "The run failed, for a reason that is not shown here"),
        (3, [UNSURE, UNSURE], {}, "Nothing failed, but 2 verdicts are INCONCLUSIVE"),
        (3, [verdict("gives-up", Status.ERROR)], {}, "Nothing failed, but 1 verdict is ERROR"),
        (
            3,
            [verdict("gives-up", Status.ERROR)],
            {"error": "dead", "name": "a"},
            "Nothing failed, but a could not be run",
        ),
        (3, UNPROVED[:1], {}, "Nothing failed, but returns-output is not verified"),
        (
            3,
            [*UNPROVED[:2], verdict("first-look", Status.INCONCLUSIVE)],
            {},
            "Nothing failed, but 1 verdict is INCONCLUSIVE; gives-up and returns-output are not verified",
        ),
        (
            3,
            UNPROVED,
            {},
            "Nothing failed, but gives-up, returns-output, usual-interval and 1 more are not verified",
        ),
        (3, [KEPT], {}, "Nothing failed, but something could not be judged"),
        (130, [FAILED], STALE, "The run was interrupted: this is what was known by then"),
    ],
)
def test_the_sentence_gives_the_reason_for_the_exit_code(
    code: int, verdicts: list[Any], more: dict[str, Any], sentence: str
) -> None:
    assert outcome(merged(result(*verdicts, **more), exit_code=code)) == sentence


@pytest.mark.parametrize(
    ("code", "verdicts", "sentence"),
    [
        (0, [KEPT], "Every MUST and every SHOULD passed"),
        (0, [KEPT, KNOWN_WARN], "Every MUST and every SHOULD passed, or its deviation is known"),
        (1, [FAILED, WARNED], "1 requirement failed; 1 SHOULD failed (--fail-on should)"),
    ],
)
def test_a_should_counts_if_it_makes_the_run_fail(code: int, verdicts: list[Any], sentence: str) -> None:
    assert outcome(merged(result(*verdicts), exit_code=code, fail_on=Level.SHOULD)) == sentence


def test_musts_that_are_unsupported_in_some_scenarios_are_counted() -> None:
    partly = [KEPT, verdict("returns-output", Status.UNSUPPORTED, "outcomes/begun")]

    assert outcome(merged(result(*partly))) == "Every MUST passed; 1 is UNSUPPORTED in some scenarios"


@pytest.mark.parametrize(
    ("code", "verdicts", "sentence"),
    [
        (0, [KEPT], "Every MUST passed; only a part of the suite was run"),
        (1, [FAILED], "1 requirement failed; only a part of the suite was run"),
    ],
)
def test_a_part_of_a_suite_is_called_that(code: int, verdicts: list[Any], sentence: str) -> None:
    part = result(*verdicts)
    part.whole = False

    assert outcome(merged(part, exit_code=code)) == sentence
    assert outcome(merged(result(KEPT, name="other"), part, exit_code=code)) == sentence


def test_several_adapters_that_could_not_be_run_are_named() -> None:
    runs = [result(name=name, hello=None, error="dead") for name in "abcde"]

    assert outcome(merged(*runs, exit_code=3)) == ("Nothing failed, but a, b, c and 2 more could not be run")
