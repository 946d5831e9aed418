"""When a wait is given up before the end of its time, because others have hung in the same way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from waitproof.run.patience import Patience, Wait

SILENT = Wait(polls=1, silent_s=3.1, overdue_s=-50.0, interval_s=1.0)
OVERDUE = Wait(polls=9, silent_s=0.1, overdue_s=2.1, interval_s=1.0)


def known(*hung: Wait) -> Patience:
    """Return the patience after waits of that many scenarios hung to the end."""
    patience = Patience()
    for number, wait in enumerate(hung, 1):
        patience.hung(f"scenario-{number}", replace(wait, overdue_s=10.0))
    return patience


def test_until_three_scenarios_have_hung_every_wait_has_all_of_its_time() -> None:
    assert known(SILENT, SILENT).same_as(SILENT) == ()
    assert not known(SILENT, SILENT).is_over


def test_copies_of_one_scenario_are_one_hang() -> None:
    patience = known(SILENT)
    for _ in range(5):
        patience.hung("scenario-1", SILENT)

    assert patience.same_as(SILENT) == ()


def test_then_a_wait_that_is_silent_after_as_many_polls_is_given_up() -> None:
    patience = known(SILENT, SILENT, SILENT, SILENT)

    assert patience.is_over
    assert patience.same_as(SILENT) == ("scenario-1", "scenario-2", "scenario-3")


@pytest.mark.parametrize(
    "wait",
    [
        replace(SILENT, silent_s=2.9),
        replace(SILENT, silent_s=0.0),
        replace(SILENT, polls=2),
        replace(SILENT, interval_s=5.0),
    ],
    ids=["silent for less", "a poll is in flight", "another number of polls", "its interval is longer"],
)
def test_a_wait_that_differs_is_awaited_until_it_is_overdue(wait: Wait) -> None:
    patience = known(SILENT, SILENT, SILENT)

    assert patience.same_as(wait) == ()
    assert len(patience.same_as(replace(wait, overdue_s=2.1))) == 3


def test_where_waits_poll_on_past_their_deadline_a_later_one_is_given_up_soon_after_its_own() -> None:
    patience = known(OVERDUE, OVERDUE, OVERDUE)

    assert patience.same_as(replace(OVERDUE, overdue_s=1.9)) == ()
    assert patience.same_as(OVERDUE) == ("scenario-1", "scenario-2", "scenario-3")
    assert patience.same_as(SILENT) == ()
