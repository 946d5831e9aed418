"""Checks of a wait that is cancelled: when it ends, how, and what polls still come."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from observations import (
    COMPLETED,
    FOREVER,
    GOT_RESULT,
    RUNNING,
    TIMED_OUT,
    Play,
    contract,
    fails,
    got,
    hello,
    judged,
    observe,
    passes,
    raised,
    scenario,
    verdict,
)
from waitproof.judge import Status, Verdict, is_suspicious
from waitproof.judge.cancellation import SOON_S
from waitproof.judge.intervals import LATE_SLACK_S
from waitproof.judge.observation import Seen, StillWaiting
from waitproof.protocol import Cancelled, Unsupported
from waitproof.suite.contract import Contract
from waitproof.suite.scenario import Scenario

CANCELLED: dict[str, Any] = {
    "wait": {"poll_interval": "2s", "timeout": "6s"},
    "cancel_after": "600ms",
    "expect": {"cancelled": True},
}
SOON = "the wait ends 0.60 s after it was cancelled, or sooner"
NO_POLL = "no poll once the wait is cancelled"
CAN = hello(cancel=True)
LAG = "could not be settled by isolated re-runs; worst scheduling delay: 0 ms"


def cancelled_scenario(**wait: str) -> Scenario:
    call = {**CANCELLED, "wait": {**CANCELLED["wait"], **wait}}
    return scenario(FOREVER, calls=[call])


def cancelled(seen: Seen, at: Sequence[float] = (0.0,), **more: Any) -> tuple[Verdict, bool]:
    """Judge a wait that was cancelled after 0.6 s; also say whether it is to be re-run in isolation."""
    wait: Mapping[str, str] = more.pop("wait", {})
    told, of = cancelled_scenario(**wait), contract("cancelled_soon")
    observation = observe(told, Play(seen, at, **{"cancelled_s": 0.6, **more}), by=CAN)
    return judged(of, told, observation), is_suspicious(of, told, [observation])


def suspected(expected: str, seen: str) -> tuple[Verdict, bool]:
    return verdict(Status.INCONCLUSIVE, expected, seen, LAG), True


def test_a_wait_that_ends_when_it_is_cancelled_is_right() -> None:
    assert cancelled(Cancelled(), received_s=0.61) == (
        passes(SOON, "the call ended as cancelled 10 ms after it was cancelled"),
        False,
    )


def test_an_exception_of_the_sdks_own_ends_a_cancelled_wait_as_well() -> None:
    seen = 'the call raised TransportError (kind transport): "gave up" 20 ms after it was cancelled'

    assert cancelled(TIMED_OUT, received_s=0.62) == (passes(SOON, seen), False)


def test_a_helper_that_looks_at_its_token_now_and_then_is_soon_enough() -> None:
    at_the_bound, _ = cancelled(Cancelled(), received_s=0.6 + SOON_S + LATE_SLACK_S - 0.001)

    assert at_the_bound.status is Status.PASS


def test_a_wait_that_ends_only_with_its_sleep_is_suspicious() -> None:
    assert cancelled(Cancelled(), received_s=2.0) == suspected(
        SOON, "the call ended as cancelled 1.40 s after it was cancelled"
    )


def test_with_a_short_interval_a_whole_sleep_is_soon_but_not_two() -> None:
    wait = {"poll_interval": "200ms"}
    at = (0.0, 0.2, 0.4)

    one, _ = cancelled(Cancelled(), at, received_s=0.8, wait=wait)
    two, is_suspected = cancelled(Cancelled(), at, received_s=1.0, wait=wait)

    assert (one.status, two.status, is_suspected) == (Status.PASS, Status.INCONCLUSIVE, True)


def test_the_adapters_own_measurement_is_what_counts() -> None:
    assert cancelled(Cancelled(), received_s=5.0, elapsed_s=0.65)[0].status is Status.PASS


def test_a_wait_that_never_ends_is_suspicious_like_a_late_one() -> None:
    told = cancelled(StillWaiting(18.0), cancelled_s=0.6)

    assert told == suspected(SOON, "the call was still waiting after 18.00 s, long past its deadline")


def test_a_wait_that_had_ended_when_it_was_to_be_cancelled_is_suspicious() -> None:
    seen = 'the call raised KeyError (kind other): "it failed" before it was cancelled'

    assert cancelled(raised("other"), received_s=0.3, cancelled_s=None) == suspected(SOON, seen)


@pytest.mark.parametrize("result", [None, {"channels": 2}])
def test_a_cancelled_wait_that_returns_is_found_out(result: Any) -> None:
    verdict, is_suspected = cancelled(got(result), received_s=0.61)

    assert (verdict.status, verdict.expected) == (Status.FAIL, "a cancelled wait has no result")
    assert not is_suspected


def test_a_result_that_crossed_the_cancellation_is_only_suspicious() -> None:
    told = scenario(COMPLETED, calls=[CANCELLED])
    of = contract("cancelled_soon")
    observation = observe(told, Play(GOT_RESULT, (0.6,), cancelled_s=0.6), by=CAN)

    assert judged(of, told, observation).status is Status.INCONCLUSIVE
    assert is_suspicious(of, told, [observation])


# --- polls --------------------------------------------------------------------------------------------


def test_a_poll_that_only_the_cancellation_can_have_led_to_is_suspicious() -> None:
    seen = "a poll came 3 ms after that, and 0.60 s after the one before it"

    assert cancelled(Cancelled(), (0.0, 0.603), received_s=0.61) == suspected(NO_POLL, seen)


def test_a_poll_that_was_due_may_be_on_its_way_to_the_server() -> None:
    at = (0.0, 0.2, 0.4, 0.605)

    assert (
        cancelled(Cancelled(), at, received_s=0.61, wait={"poll_interval": "200ms"})[0].status is Status.PASS
    )


def test_a_poll_that_comes_after_the_outcome_is_suspicious() -> None:
    at = (0.0, 2.0)

    assert cancelled(Cancelled(), at, received_s=0.61) == suspected(NO_POLL, "a poll came 1.40 s after that")


def test_a_first_poll_that_comes_long_after_the_cancellation_is_suspicious() -> None:
    assert cancelled(Cancelled(), (2.0,), received_s=0.61) == suspected(
        NO_POLL, "a poll came 1.40 s after that"
    )


def test_a_cancelled_wait_may_not_have_polled_at_all() -> None:
    assert cancelled(Cancelled(), (), received_s=0.61)[0].status is Status.PASS


# --- whom it is about ---------------------------------------------------------------------------------


def only_for_cancellable(check: str, **more: Any) -> Contract:
    return contract(check, applies_to={"cancel": True}, **more)


@pytest.mark.parametrize("check", ["cancelled_soon", "usable_after_cancel", "record_cancel_outcome"])
def test_an_sdk_whose_waits_cannot_be_cancelled_is_not_judged(check: str) -> None:
    told = scenario(FOREVER, calls=[CANCELLED])
    observation = observe(told, Play(Unsupported("the helper's wait cannot be cancelled"), received_s=0.0))

    assert judged(only_for_cancellable(check), told, observation) == verdict(
        Status.NOT_APPLICABLE, seen="only for waits that can be cancelled"
    )


# --- usable_after_cancel ------------------------------------------------------------------------------

BOTH = [CANCELLED, {"wait": {"poll_interval": "200ms"}, "expect": {"returns": {"channels": 2}}}]


def after(seen: Seen) -> Verdict:
    told = scenario(RUNNING, COMPLETED, calls=BOTH)
    first = Play(Cancelled(), (0.0,), received_s=0.61, cancelled_s=0.6)
    return judged(
        contract("usable_after_cancel"),
        told,
        observe(told, first, Play(seen, (0.7,), sent_s=0.65, call=1), by=CAN),
    )


def test_a_wait_after_a_cancelled_one_gets_its_result() -> None:
    assert after(GOT_RESULT) == passes('the call returns {"channels": 2}', "it did")


def test_a_client_that_a_cancelled_wait_has_closed_is_found_out() -> None:
    assert after(raised("other")) == fails(
        'the call returns {"channels": 2}', 'it raised KeyError (kind other): "it failed"'
    )


def test_a_wait_that_was_not_made_because_the_cancelled_one_hangs_is_said_to_be_so() -> None:
    told = scenario(RUNNING, COMPLETED, calls=BOTH)
    observation = observe(told, Play(StillWaiting(18.0), (0.0,), cancelled_s=0.6), by=CAN)

    assert judged(contract("usable_after_cancel"), told, observation).seen == (
        "it was not made: the call before it was still waiting after 18.00 s, long past its deadline"
    )
