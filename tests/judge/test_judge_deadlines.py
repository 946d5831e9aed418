"""Which exception is the one for a passed deadline, where a contract tells it by its type or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from observations import COMPLETED, FOREVER, RUNNING, Play, contract, fails, judged, observe, passes, scenario
from waitproof.judge import Status
from waitproof.protocol import ExceptionKind, Raised
from waitproof.suite.contract import Contract
from waitproof.suite.shape import TimeoutPromise

WAIT = {"poll_interval": "1s", "timeout": "3s"}
FAULT: dict[str, Any] = {"fault": {"http": 503}, "times": "forever"}
STALLED: dict[str, Any] = {**FOREVER, "delay": "2s"}
BY_TYPE = TimeoutPromise(type="Late$")


def promising(check: str, promise: TimeoutPromise, **arguments: Any) -> Contract:
    return contract(check, **arguments).model_copy(update={"timeout": promise})


def raising(name: str, kind: str = "other") -> Raised:
    return Raised(ExceptionKind(kind), name, None, {})


@pytest.mark.parametrize("kind", list(ExceptionKind))
def test_a_timeout_known_by_its_type_may_be_of_any_kind(kind: str) -> None:
    played = scenario(FOREVER, wait=WAIT, expect={"raises": {"kind": "timeout"}})
    seen = observe(played, Play(raising("KilnLate", kind), at=[0.0, 1.0, 2.0, 3.0]))

    assert judged(promising("raises_timeout", BY_TYPE), played, seen) == passes(
        "the call raises an exception whose type matches Late$", f"it raised KilnLate (kind {kind})"
    )


def test_a_timeout_of_another_type_than_promised_is_wrong() -> None:
    played = scenario(FOREVER, wait=WAIT, expect={"raises": {"kind": "timeout"}})
    seen = observe(played, Play(raising("Misfortune"), at=[0.0, 1.0, 2.0, 3.0]))

    assert judged(promising("raises_timeout", BY_TYPE), played, seen) == fails(
        "the call raises an exception whose type matches Late$", "it raised Misfortune (kind other)"
    )


@pytest.mark.parametrize(("kind", "status"), [("other", Status.PASS), ("task", Status.FAIL)])
def test_where_nothing_is_promised_any_exception_is_a_timeout_but_that_of_a_failed_task(
    kind: str, status: Status
) -> None:
    played = scenario(FOREVER, wait=WAIT, expect={"raises": {"kind": "timeout"}})
    seen = observe(played, Play(raising("Misfortune", kind), at=[0.0, 1.0, 2.0, 3.0]))

    verdict = judged(promising("raises_timeout", TimeoutPromise()), played, seen)

    assert (verdict.status, verdict.expected) == (
        status,
        "the call raises an exception, not that of a failed task",
    )


@pytest.mark.parametrize(("name", "status"), [("KilnLate", Status.PASS), ("Misfortune", Status.FAIL)])
def test_an_expected_kind_of_timeout_is_what_the_contract_promises_for_one(name: str, status: Status) -> None:
    played = scenario(FOREVER, wait=WAIT, expect={"raises": {"kind": "timeout"}})
    seen = observe(played, Play(raising(name), at=[0.0, 1.0, 2.0, 3.0]))

    assert judged(promising("outcome_expected", BY_TYPE), played, seen).status is status


def test_a_fault_that_surfaces_as_the_type_of_a_timeout_looks_like_one() -> None:
    played = scenario(FAULT, wait=WAIT, expect={"raises": {"kind": "other"}})
    seen = observe(played, Play(raising("KilnLate"), at=[0.0]))

    assert judged(promising("fault_surfaces", BY_TYPE, kinds=["other"]), played, seen) == fails(
        "an exception of kind other before the deadline",
        "the timeout's exception after 1 poll",
        "the caller cannot tell the fault from a deadline",
    )


def test_a_poll_given_up_before_the_deadline_may_raise_the_same_type() -> None:
    played = scenario(FAULT | {"delay": "2s"}, wait=WAIT, expect={"raises": {"kind": "other"}})
    seen = observe(played, Play(raising("KilnLate"), at=[0.0], took_s=None, received_s=0.5))

    assert judged(promising("fault_surfaces", BY_TYPE, kinds=["other"]), played, seen).status is Status.PASS


OPEN = (TimeoutPromise(), TimeoutPromise(type={"java": "Late$"}))


@pytest.mark.parametrize("promise", OPEN)
def test_a_long_timeout_may_be_refused_where_no_exception_is_promised(promise: TimeoutPromise) -> None:
    played = scenario(RUNNING, COMPLETED, wait={"timeout": "30d"})
    seen = observe(played, Play(raising("IllegalArgumentException"), received_s=0.01))

    verdict = judged(promising("timeout_outlasts_task", promise), played, seen, seen, seen)

    assert verdict.status is Status.NOT_APPLICABLE


@pytest.mark.parametrize("promise", OPEN)
def test_a_timeout_of_zero_is_refused_where_no_exception_is_promised(promise: TimeoutPromise) -> None:
    played = scenario(RUNNING, COMPLETED, wait={"timeout": "0s"})
    refused = observe(played, Play(raising("IllegalArgumentException")))
    given_up = observe(played, Play(raising("Late"), at=[0.0]))
    of = promising("record_odd_timeout", promise)

    assert judged(of, played, refused).seen.startswith("refuses it: 0 polls")
    assert judged(of, played, given_up).seen.startswith("gives up: 1 poll")


def test_a_wait_that_fails_at_its_only_poll_shows_no_turns_where_no_exception_is_promised() -> None:
    played = scenario(FOREVER, calls=[{"wait": {"poll_interval": "1s", "timeout": "3s"}, "parallel": 2}])
    waits = [Play(raising("KeyError"), at=[0.001 * n], copy=n, received_s=0.1) for n in (1, 2)]

    verdict = judged(promising("waits_interleave", TimeoutPromise()), played, observe(played, *waits))

    assert verdict.seen == "wait 1 sent one poll, and raised KeyError (kind other)"


def test_a_fault_does_not_excuse_a_last_poll_that_came_too_soon() -> None:
    played = scenario(FOREVER, wait={"poll_interval": "1s", "timeout": "60s"})
    polls = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.5]
    seen = observe(played, Play(raising("KeyError"), at=polls, received_s=5.51))
    of = promising("interval_kept", TimeoutPromise(), option="passed")

    assert judged(of, played, seen).status is Status.FAIL
