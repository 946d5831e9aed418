"""Algolia's suite, whose pauses grow and whose waits end after a number of polls: what it catches of that."""

from __future__ import annotations

from dataclasses import replace

import pytest
from waitproof.defects import Bench, Library, library
from waitproof.suite import Suite, bundled_suite, load_suite

NAMES = (
    "interval_kept.never-grows",
    "interval_kept.always-the-longest",
    "interval_kept.pauses-in-whole-seconds",
    "interval_kept.begins-with-no-pause",
    "interval_kept.begins-with-the-second-pause",
    "interval_kept.grows-too-fast",
    "interval_kept.grows-too-slowly",
    "interval_kept.doubles",
    "interval_kept.starts-again",
    "interval_kept.longest-pause-ignored",
    "interval_kept.first-pause-alone",
    "gives_up_after_polls.default-halved",
    "gives_up_after_polls.option-ignored",
    "gives_up_after_polls.never",
    "gives_up_after_polls.one-poll-early",
    "gives_up_after_polls.two-polls-late",
    "gives_up_after_polls.returns-at-the-limit",
    "gives_up_after_polls.option-missing",
)
CORRECT = ("first-pause-before-the-first-poll", "first-poll-is-no-retry", "counts-from-the-request")


@pytest.fixture(scope="module")
def suite() -> Suite:
    whole = load_suite(bundled_suite("algolia"))
    short = (each for each in whole.scenarios if each.topic in {"polling", "limits"})
    return replace(whole, scenarios=tuple(each for each in short if each.id != "polling/1100-polls"))


@pytest.fixture(scope="module")
def known(suite: Suite) -> Library:
    return library(suite.contract)


@pytest.mark.parametrize("name", NAMES)
def test_a_defect_of_growth_or_of_the_limit_is_caught_for_its_own_reason(
    suite: Suite, known: Library, name: str
) -> None:
    line = Bench(suite).prove(known.named(name))

    assert line.outcome.is_right, line


@pytest.mark.parametrize("name", CORRECT)
def test_a_correct_client_of_another_style_is_not_accused(suite: Suite, known: Library, name: str) -> None:
    line = Bench(suite).prove(known.named(f"equivalent.{name}"))

    assert line.outcome.is_right, line


def test_a_contract_without_results_and_deadlines_has_no_room_for_their_defects(known: Library) -> None:
    reasons = known.not_applicable

    assert reasons["returns_result.null-is-an-object"] == "an answer of this API has no result"
    assert reasons["outcome_expected.drops-nulls"] == "an answer of this API has no result"
    assert reasons["outcome_expected.strict-about-errors"] == "an answer of this API has no error"
    assert reasons["record_outcome.never-sees-a-late-end"] == "a wait of this API has no deadline"
