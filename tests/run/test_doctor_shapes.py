"""Doctor finds nothing wrong with helpers that return nothing, raise nothing or need their options.

What a run will hold against an SDK it says in the run's words, and goes on.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from fakes import KILN, POTTERY
from waitproof.adapter.command import AdapterCommand
from waitproof.run import doctor, examination
from waitproof.run.example import find_example
from waitproof.suite import load_suite

SUITES = {KILN: load_suite(KILN), POTTERY: load_suite(POTTERY)}


def examined(
    name: str, monkeypatch: pytest.MonkeyPatch, folder: Path = KILN, interval_s: float = 0.3
) -> tuple[bool, list[str]]:
    """Examine the model client as it is under that name: whether nothing was wrong, and what was said."""
    monkeypatch.setattr(examination, "INTERVAL_S", interval_s)
    said: list[str] = []
    argv = (sys.executable, "-m", "waitproof.run.model_adapter", str(folder), name)
    suite = SUITES[folder]
    example = find_example(suite.contract, suite.scenarios)
    right = doctor.examine(AdapterCommand(name, argv, folder), suite.contract, said.append, example)
    return right, said


def of_waits(said: list[str]) -> list[str]:
    return [line for line in said if line[6:].startswith("wait ")]


@pytest.mark.parametrize(
    ("name", "returns"),
    [
        ("model.sync", "ok    wait returns: the task of the example"),
        ("equivalent.has-no-defaults", "ok    wait returns: the task of the example"),
        ("equivalent.takes-all-options-or-none", "ok    wait returns: the task of the example"),
        ("equivalent.more-members-of-a-task", "ok    wait returns: the task of the example"),
        ("equivalent.returns-nothing", "ok    wait returns: it did; this helper returns no value to compare"),
        ("equivalent.the-result-of-a-task", "ok    wait returns: it did"),
        ("equivalent.types-without-null", "ok    wait returns: the task of the example"),
    ],
)
def test_a_correct_helper_of_any_shape_passes(
    name: str, returns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, lines = examined(name, monkeypatch)

    assert right
    assert of_waits(lines) == [
        returns,
        "ok    wait raises: TaskException with every documented field",
        "ok    wait times out: KilnLate, fields {}",
    ]


@pytest.mark.parametrize(
    ("name", "line"),
    [
        (
            "returns_result.the-result-alone",
            'WRONG wait returns: the call returned {"colour": "blue", "coats": 2}; expected: ',
        ),
        (
            "raises_timeout.of-another-type",
            "WRONG wait times out: the call raised Misfortune ",
        ),
        ("returns_result.raises-with-nothing-to-return", "WRONG wait returns: the call raised TypeError"),
    ],
)
def test_a_helper_that_hands_over_something_else_is_wrong(
    name: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, lines = examined(name, monkeypatch)

    (wrong,) = [each for each in lines if each.startswith("WRONG")]
    assert not right
    assert wrong.startswith(line)


LOOK = (
    "      fix: look at the exception where the adapter describes it: "
    "the adapter loses a field that is right there, the SDK one that is not"
)


@pytest.mark.parametrize(
    ("name", "interval_s", "said_of_it"),
    [
        (
            "exception_field.remark-missing",
            0.3,
            [
                "note  wait raises: TaskException",
                "      a run will report FAIL for cracked-has-a-remark: TaskException has no remark; "
                'expected: remark is "A crack runs through piece N." (flaw.remark in the server\'s answer)',
                LOOK,
            ],
        ),
        (
            "raises_timeout.no-fields",
            0.3,
            [
                "note  wait times out: TransportException, fields {}",
                "      a run will report FAIL for too-cold: TransportException has no cause_word; "
                'expected: the call raises an exception of kind transport, cause_word "cold"',
                LOOK,
            ],
        ),
        (
            "polls_until_terminal.loaded-is-an-end",
            4.0,  # "at once" is within half of it, on a busy machine, too
            [
                "note  wait times out: the call returned null",
                "      a run will report FAIL for looks-until-the-end: "
                "the call returned null although the last answer was 'loaded'; "
                "expected: polls until the task is done",
                "      a run will report FAIL for too-cold: it returned null; "
                'expected: the call raises an exception of kind transport, cause_word "cold"',
                "      fix: the SDK polls on after 'glowing', so the adapter calls it as it should: "
                "let the SDK poll on after 'loaded', too",
            ],
        ),
    ],
)
def test_what_a_run_will_fail_is_a_note_in_its_words(
    name: str, interval_s: float, said_of_it: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    right, lines = examined(name, monkeypatch, POTTERY, interval_s)

    start = lines.index(said_of_it[0])
    shown = [re.sub(r"piece \d+", "piece N", line) for line in lines[start : start + len(said_of_it)]]
    assert right
    assert shown == said_of_it
    assert lines[-1] == "the adapter follows the protocol; see above for what a run will report"


def test_an_sdk_that_returns_at_its_deadline_is_not_said_to_take_a_status_for_an_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    right, lines = examined("raises_timeout.returns-nothing", monkeypatch, POTTERY)

    fix = lines[next(n for n, line in enumerate(lines) if line.startswith("WRONG wait times out")) + 3]
    assert not right
    assert fix == (
        '      fix: report the exception of a timeout with kind "transport"; the suite judges any other; '
        "the options were poll_interval, timeout, in seconds: pass each on under the helper's own name; "
        "to tell whether the adapter or the SDK is wrong, "
        "print to stderr what the helper returned or raised: doctor shows it"
    )
