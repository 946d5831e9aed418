"""A suite of another shape than Stream's is proved like any other: tasks and failures are returned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from fakes import KILN
from waitproof.defects import Bench, Library, Outcome, library
from waitproof.suite import Suite, load_suite
from waitproof.suite.shape import Returns

# By which requirement each defect is caught that such a contract, and no other, has room for.
OF_ITS_SHAPE: Mapping[str, tuple[str, ...]] = {
    "raises_timeout.of-another-type": ("raises-late",),
    "raises_timeout.bare-error": ("raises-late",),
    "raises_timeout.task-exception": ("raises-late",),
    "returns_result.cracked-raises": ("returns-glaze", "cracked-is-returned"),
    "returns_result.null-is-an-object": ("returns-glaze", "cracked-is-returned"),
    "returns_result.nothing": ("returns-glaze", "cracked-is-returned"),
    "returns_result.the-result-alone": ("returns-glaze", "cracked-is-returned"),
    "returns_result.the-task-before-its-end": ("returns-glaze", "cracked-is-returned"),
    "returns_result.drops-members-of-the-task": ("returns-glaze", "cracked-is-returned"),
    "returns_result.drops-the-other-members-of-the-task": ("returns-glaze", "cracked-is-returned"),
    "returns_result.raises-with-nothing-to-return": ("returns-glaze", "cracked-is-returned"),
    "returns_result.types-lose-numbers": ("returns-glaze", "cracked-is-returned"),
    "raises_kind.ignores-strict": ("strict-raises",),
    "raises_kind.ignores-strict-without-a-timeout": ("strict-raises",),
    "returns_result.is-always-strict": ("cracked-is-returned",),
    "timeout_kept.required-and-ignored": ("own-timeout",),
    "interval_kept.comes-together-and-is-ignored": ("own-interval",),
    "polls_until_terminal.cracked-is-not-an-end": ("polls-until-out",),
}


@pytest.fixture(scope="module")
def suite() -> Suite:
    return load_suite(KILN)


@pytest.fixture(scope="module")
def known(suite: Suite) -> Library:
    return library(suite.contract)


@pytest.mark.parametrize("name", OF_ITS_SHAPE)
def test_a_defect_of_a_shape_is_caught_for_its_reason(name: str, suite: Suite, known: Library) -> None:
    line = Bench(suite).prove(known.defects[name])

    assert line.outcome is Outcome.CAUGHT
    assert set(line.by) <= set(OF_ITS_SHAPE[name])


def test_no_correct_client_of_another_shape_is_accused(suite: Suite, known: Library) -> None:
    bench = Bench(suite)

    outcomes = {name: bench.prove(each).outcome for name, each in known.equivalents.items()}

    assert {name for name, outcome in outcomes.items() if outcome is not Outcome.CORRECT} == set()


def test_where_waits_return_nothing_only_that_they_return_is_judged(suite: Suite) -> None:
    contract = suite.contract.model_copy(update={"returns": Returns.NOTHING, "returned": None})
    bench = Bench(replace(suite, contract=contract))
    known = library(contract)

    caught = bench.prove(known.defects["returns_result.raises-with-nothing-to-return"])
    correct = {name: bench.prove(each).outcome for name, each in known.equivalents.items()}

    assert caught.outcome is Outcome.CAUGHT
    assert set(correct.values()) == {Outcome.CORRECT}
    assert known.not_applicable["returns_result.renames-keys"] == "a wait of this API returns nothing"
