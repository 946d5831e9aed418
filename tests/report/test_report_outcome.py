from __future__ import annotations

from typing import Any

import pytest
from made_reports import merged, result, stale, verdict
from waitproof.judge import Status
from waitproof.report.outcome import outcome
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
    ("code", "verdicts", "more", "told"),
    [
        (0, [KEPT, WARNED], {}, "Every MUST is kept"),
        (0, [KEPT, KNOWN_WARN], {}, "Every MUST is kept"),
        (0, [KNOWN, WARNED], {}, "Every MUST is kept, or its deviation is known"),
        (1, [FAILED, ELSEWHERE, KEPT], {}, "1 promise is not kept"),
        (1, [FAILED, LATE, WARNED], {}, "2 promises are not kept"),
        (1, [KEPT, WARNED], STALE, "2 known deviations are stale"),
        (1, [FAILED], {**STALE, "stale": (stale(),)}, "1 promise is not kept; 1 known deviation is stale"),
        (1, [KEPT, KNOWN], {}, "The run failed, for a reason that is not shown here"),
        (3, [UNSURE, UNSURE], {}, "Nothing failed, but 2 verdicts are INCONCLUSIVE"),
        (3, [verdict("gives-up", Status.ERROR)], {}, "Nothing failed, but 1 verdict is ERROR"),
        (
            3,
            [verdict("gives-up", Status.ERROR)],
            {"error": "dead", "name": "a"},
            "Nothing failed, but a could not be run",
        ),
        (3, UNPROVED[:1], {}, "Nothing failed, but nobody knows whether returns-output holds"),
        (
            3,
            [*UNPROVED[:2], verdict("first-look", Status.INCONCLUSIVE)],
            {},
            "Nothing failed, but 1 verdict is INCONCLUSIVE; "
            "nobody knows whether gives-up and returns-output hold",
        ),
        (
            3,
            UNPROVED,
            {},
            "Nothing failed, but "
            "nobody knows whether gives-up, returns-output, usual-interval and 1 more hold",
        ),
        (3, [KEPT], {}, "Nothing failed, but something could not be judged"),
        (130, [FAILED], STALE, "The run was interrupted: this is what was known by then"),
    ],
)
def test_the_sentence_says_what_made_the_exit_code(
    code: int, verdicts: list[Any], more: dict[str, Any], told: str
) -> None:
    assert outcome(merged(result(*verdicts, **more), exit_code=code)) == told


@pytest.mark.parametrize(
    ("code", "verdicts", "told"),
    [
        (0, [KEPT], "Every MUST and every SHOULD is kept"),
        (0, [KEPT, KNOWN_WARN], "Every MUST and every SHOULD is kept, or its deviation is known"),
        (1, [FAILED, WARNED], "1 promise is not kept; 1 SHOULD is not kept (--fail-on should)"),
    ],
)
def test_where_a_should_fails_the_run_it_counts(code: int, verdicts: list[Any], told: str) -> None:
    assert outcome(merged(result(*verdicts), exit_code=code, fail_on=Level.SHOULD)) == told


def test_several_adapters_that_could_not_be_run_are_named() -> None:
    runs = [result(name=name, hello=None, error="dead") for name in "abcde"]

    assert outcome(merged(*runs, exit_code=3)) == ("Nothing failed, but a, b, c and 2 more could not be run")
