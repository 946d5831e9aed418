"""Doctor finds nothing wrong with helpers that return nothing, raise nothing or need their options."""

from __future__ import annotations

import sys

import pytest
from fakes import KILN
from waitproof.adapter.command import AdapterCommand
from waitproof.run import doctor
from waitproof.run.example import find_example
from waitproof.suite import load_suite

SUITE = load_suite(KILN)


def examined(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[bool, list[str]]:
    """Examine the model client as it is under that name: whether nothing was wrong, and what was said."""
    monkeypatch.setattr(doctor, "INTERVAL_S", 0.3)
    said: list[str] = []
    argv = (sys.executable, "-m", "waitproof.run.model_adapter", str(KILN), name)
    example = find_example(SUITE.contract, SUITE.scenarios)
    right = doctor.examine(AdapterCommand(name, argv, KILN), SUITE.contract, said.append, example)
    return right, [line for line in said if line[6:].startswith("wait ")]


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
    assert lines == [
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
