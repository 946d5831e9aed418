"""Checks of what the server saw: each kept, and each broken in every way that it can be."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from observations import (
    COMPLETED,
    CREDENTIALS,
    FAILED,
    FOREVER,
    GOT_RESULT,
    RUNNING,
    TARGET,
    TASK_FAILED,
    TASK_ID,
    TIMED_OUT,
    TIMEOUT,
    Play,
    contract,
    fails,
    got,
    got_task,
    judged,
    observe,
    passes,
    raised,
    scenario,
    verdict,
)
from waitproof.journal import Ended
from waitproof.judge import Status, Verdict, is_suspicious, judge
from waitproof.judge.observation import Observation, Seen, StillWaiting
from waitproof.judge.traffic import AFTER_SLACK_S, STAMP_SLACK_S
from waitproof.suite.scenario import Scenario

LAG = "could not be settled by isolated re-runs; worst scheduling delay: 0 ms"


def suspected(expected: str, seen: str) -> tuple[Verdict, bool]:
    return verdict(Status.INCONCLUSIVE, expected, seen, LAG), True


# --- polls_endpoint -----------------------------------------------------------------------------------

ONLY_POLLS = "only GET /api/v2/tasks/{task_id}"


def endpoint(seen: Seen = GOT_RESULT, at: Sequence[float] = (0.0, 1.0), **more: Any) -> Verdict:
    told = scenario(RUNNING, COMPLETED)
    return judged(contract("polls_endpoint"), told, observe(told, Play(seen, at, **more)))


def test_a_wait_that_only_polls_is_right() -> None:
    assert endpoint() == passes(ONLY_POLLS, "nothing else")


def test_another_request_of_a_wait_is_found_out() -> None:
    assert endpoint(others=[(0.5, "GET /api/v2/app?api_key=key")]) == fails(
        ONLY_POLLS, "GET /api/v2/app?api_key=key"
    )


def test_the_first_of_several_other_requests_is_told() -> None:
    others = [(0.5, "GET /api/v2/app"), (0.6, "POST /api/v2/users")]

    assert endpoint(others=others) == fails(ONLY_POLLS, "GET /api/v2/app")


def test_a_wait_that_polls_elsewhere_is_found_out() -> None:
    assert endpoint(at=(), others=[(0.0, "GET /api/v1/tasks/7")]) == fails(ONLY_POLLS, "GET /api/v1/tasks/7")


def test_a_wait_that_does_not_poll_is_found_out() -> None:
    assert endpoint(raised("other"), at=()) == fails(
        ONLY_POLLS, 'no poll arrived, and the call raised KeyError (kind other): "it failed"'
    )


# --- polls_carry_credentials --------------------------------------------------------------------------

CARRIED = "every poll carries Authorization, Stream-Auth-Type, ?api_key="


def credentials(poll: Mapping[int, Any] | None = None, at: Sequence[float] = (0.0, 1.0)) -> Verdict:
    told = scenario(RUNNING, COMPLETED)
    seen = observe(told, Play(GOT_RESULT if at else raised("other"), at, poll=poll or {}))
    return judged(contract("polls_carry_credentials"), told, seen)


def test_polls_with_all_credentials_are_right() -> None:
    assert credentials() == passes(CARRIED, "all did")


@pytest.mark.parametrize(
    ("headers", "target", "missing"),
    [
        ({}, TARGET, "Authorization and Stream-Auth-Type"),
        ({**CREDENTIALS, "authorization": ""}, TARGET, "Authorization"),
        (CREDENTIALS, f"/api/v2/tasks/{TASK_ID}", "api_key in its query"),
        (CREDENTIALS, f"/api/v2/tasks/{TASK_ID}?api_key=", "api_key in its query"),
        ({"stream-auth-type": "jwt"}, "/x?other=api_key", "Authorization and api_key in its query"),
    ],
)
def test_a_later_poll_without_credentials_is_found_out(
    headers: Mapping[str, str], target: str, missing: str
) -> None:
    assert credentials({2: {"headers": headers, "target": target}}) == fails(
        CARRIED, f"poll 2 came without {missing}"
    )


def test_a_wait_without_polls_carried_nothing() -> None:
    assert credentials(at=()) == fails(CARRIED, "no poll arrived")


# --- no_poll_after_outcome ----------------------------------------------------------------------------

NONE_AFTER = "no poll after the outcome"


def afterwards(told: Scenario, seen: Seen, at: Sequence[float], **more: Any) -> tuple[Verdict, bool]:
    of = contract("no_poll_after_outcome")
    observed = observe(told, Play(seen, at, **more))
    return judged(of, told, observed), is_suspicious(of, told, [observed])


ENDS = scenario(RUNNING, COMPLETED)
NEVER_ENDS = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT)


@pytest.mark.parametrize(
    ("told", "seen"), [(ENDS, GOT_RESULT), (NEVER_ENDS, TIMED_OUT), (scenario(RUNNING, FAILED), TASK_FAILED)]
)
def test_no_poll_after_an_outcome_is_right(told: Scenario, seen: Seen) -> None:
    assert afterwards(told, seen, (0.0, 1.0)) == (
        passes(NONE_AFTER, "none until 9.00 s after the call"),
        False,
    )


@pytest.mark.parametrize(("more", "count"), [((1.002,), "1 poll"), ((2.0, 3.0), "2 polls")])
def test_a_poll_after_the_answer_that_ended_the_wait_is_final(more: tuple[float, ...], count: str) -> None:
    assert afterwards(ENDS, GOT_RESULT, (0.0, 1.0, *more)) == (
        fails(NONE_AFTER, f"{count} after the answer that ended the wait"),
        False,
    )


def test_a_helper_that_does_not_see_that_the_task_is_done_polls_after_it() -> None:
    assert afterwards(ENDS, StillWaiting(70.0), (0.0, 1.0, 2.0))[0] == fails(
        NONE_AFTER, "1 poll after the answer that ended the wait"
    )


def test_a_poll_after_the_timeout_is_a_suspicion() -> None:
    assert afterwards(NEVER_ENDS, TIMED_OUT, (0.0, 1.0, 2.0, 3.0, 4.0), received_s=2.01) == suspected(
        NONE_AFTER, "a poll came 0.99 s after the caller had its outcome"
    )


@pytest.mark.parametrize(
    ("last_s", "status"),
    [(2.029, Status.PASS), (2.01 + AFTER_SLACK_S, Status.PASS), (2.031, Status.INCONCLUSIVE)],
)
def test_a_poll_on_its_way_when_the_outcome_came_is_right(last_s: float, status: Status) -> None:
    assert afterwards(NEVER_ENDS, TIMED_OUT, (0.0, 1.0, last_s), received_s=2.01)[0].status is status


def test_a_poll_that_was_sent_before_the_end_was_answered_is_another_requirements_business() -> None:
    assert afterwards(ENDS, GOT_RESULT, (0.0, 1.0, 1.2), took_s=(0.1, 0.5, 0.1))[0].status is Status.PASS
    assert afterwards(ENDS, GOT_RESULT, (0.0, 1.0, 1.2), took_s=(0.1, None, 0.1))[0].status is Status.PASS


def test_a_poll_in_place_of_one_that_the_client_gave_up_is_right() -> None:
    given_up = {2: {"ended": Ended.ABANDONED}}

    assert afterwards(ENDS, GOT_RESULT, (0.0, 1.0, 2.0), poll=given_up)[0].status is Status.PASS


def test_a_request_repeated_by_the_http_stack_is_no_poll_after_the_outcome() -> None:
    told = scenario({"fault": {"drop": "reset"}}, COMPLETED)

    assert afterwards(told, raised("transport"), (0.0, 0.01), took_s=0.0, connections=(1, 2))[0] == passes(
        NONE_AFTER, "none until 9.00 s after the call"
    )


def test_a_wait_that_never_ended_had_no_outcome() -> None:
    assert afterwards(NEVER_ENDS, StillWaiting(13.0), (0.0, 1.0, 2.0, 3.0)) == (
        passes(
            NONE_AFTER,
            "there was no outcome: the call was still waiting after 13.00 s, long past its deadline",
        ),
        False,
    )


def test_the_polls_of_the_next_wait_are_its_own() -> None:
    told = scenario(RUNNING, COMPLETED, calls=[{"wait": {}}, {"wait": {}}])
    seen = observe(told, Play(GOT_RESULT, (0.0, 1.0)), Play(GOT_RESULT, [1.2], sent_s=1.1, call=1))

    assert judged(contract("no_poll_after_outcome"), told, seen).status is Status.PASS


def test_a_wait_that_gave_up_may_have_sent_what_gets_the_end_of_the_task_in_the_next() -> None:
    told = scenario({"status": "running", "times": 2}, COMPLETED, calls=[{"wait": {}}, {"wait": {}}])
    of = contract("no_poll_after_outcome")
    seen = observe(told, Play(TIMED_OUT, (0.0, 1.0)), Play(GOT_RESULT, (2.001, 2.002), sent_s=2.0, call=1))

    assert is_suspicious(of, told, [seen])
    assert (judged(of, told, seen), True) == suspected(
        NONE_AFTER, "1 poll after the answer that ended the wait"
    )


# --- one_poll_in_flight -------------------------------------------------------------------------------


def in_flight(at: Sequence[float], took_s: Any, **more: Any) -> tuple[Verdict, bool]:
    of = contract("one_poll_in_flight")
    told = scenario({"status": "running", "times": 3, "delay": "500ms"}, COMPLETED)
    observed = observe(told, Play(GOT_RESULT, at, took_s, **more))
    return judged(of, told, observed), is_suspicious(of, told, [observed])


ONE = "one poll in flight at a time"


def test_a_poll_that_waits_for_the_answer_before_it_is_right() -> None:
    assert in_flight((0.0, 0.5, 1.0), 0.5) == (passes(ONE, "never two"), False)


def test_an_answer_can_be_read_before_the_server_has_stamped_it() -> None:
    assert in_flight((0.0, 0.481, 1.0), 0.5)[0].status is Status.PASS
    assert in_flight((0.0, 0.5 - STAMP_SLACK_S, 1.0), 0.5)[0].status is Status.PASS
    assert in_flight((0.0, 0.479, 1.0), 0.5)[0].status is Status.INCONCLUSIVE


def test_a_poll_beside_one_without_an_answer_is_a_suspicion() -> None:
    assert in_flight((0.0, 0.2, 1.0), 0.5) == suspected(ONE, "poll 2 came while poll 1 had no answer")
    assert in_flight((0.0, 0.5, 1.0), (0.5, None, 0.5)) == suspected(
        ONE, "poll 3 came while poll 2 had no answer"
    )


def test_a_poll_after_one_that_the_client_gave_up_is_right() -> None:
    assert (
        in_flight((0.0, 0.31, 1.0), (0.3, 0.5, 0.5), poll={1: {"ended": Ended.ABANDONED}})[0].status
        is Status.PASS
    )


def test_a_request_repeated_by_the_http_stack_is_not_a_second_one_in_flight() -> None:
    told = scenario({"fault": {"drop": "reset"}}, COMPLETED)
    seen = observe(told, Play(GOT_RESULT, (0.0, 0.001, 1.0), (0.002, 0.0, 0.0), connections=(1, 2, 3)))

    assert judged(contract("one_poll_in_flight"), told, seen).status is Status.PASS


# --- only_polls_are_sent ------------------------------------------------------------------------------

AGAIN: list[Mapping[str, Any]] = [
    {"wait": {"timeout": "2s"}, "expect": TIMEOUT},
    {"wait": {}, "expect": {"returns": {"of": "${task_id}"}}},
]


def again(first: Seen, second: Seen | None, others: Sequence[tuple[float, str]] = ()) -> Verdict:
    told = scenario({"status": "running", "times": 3}, COMPLETED, calls=AGAIN)
    plays = [Play(first, (0.0, 1.0, 2.0), others=others, received_s=2.01)]
    if second is not None:
        plays.append(Play(second, [3.0], sent_s=3.0, call=1))
    return judged(contract("only_polls_are_sent"), told, observe(told, *plays))


def test_a_second_wait_after_a_timeout_gets_the_result() -> None:
    assert again(TIMED_OUT, got({"of": TASK_ID})) == passes(ONLY_POLLS, "nothing else")


def test_a_request_that_ends_the_task_is_found_out() -> None:
    cancels = [(2.005, f"DELETE /api/v2/tasks/{TASK_ID}")]

    assert again(TIMED_OUT, got({"of": TASK_ID}), cancels) == fails(
        ONLY_POLLS, f"DELETE /api/v2/tasks/{TASK_ID}"
    )


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (got(None), "wait 2 returned null"),
        (TIMED_OUT, 'wait 2 raised TransportError (kind transport): "gave up"'),
    ],
)
def test_a_second_wait_that_gets_something_else_is_found_out(seen: Seen, told: str) -> None:
    assert again(TIMED_OUT, seen) == fails("a wait that gets the result after one that timed out", told)


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (got(None), "wait 1 returned null"),
        (StillWaiting(13.0), "wait 1 was still waiting after 13.00 s, long past its deadline"),
    ],
)
def test_where_the_first_wait_does_not_time_out_there_is_no_second_try(seen: Seen, told: str) -> None:
    assert again(seen, None) == fails("a wait that times out", told)


def test_a_timeout_of_another_kind_is_another_requirements_business() -> None:
    assert again(raised("other"), got({"of": TASK_ID})).status is Status.PASS


# --- one_request_per_call -----------------------------------------------------------------------------

LOOK: Mapping[str, Any] = {"get_task": {}, "expect": {"task": {"task_id": "${task_id}", "status": "running"}}}
ONE_REQUEST = "one request, and the task as the server sent it"
GIVEN = {"task_id": TASK_ID, "status": "running", "more": 1}


def looked(*plays: Play, expect: Mapping[str, Any] = LOOK) -> Verdict:
    told = scenario(FOREVER, calls=[expect] * max(len(plays), 1))
    return judged(contract("one_request_per_call"), told, observe(told, *plays))


def test_a_look_by_hand_is_one_request() -> None:
    assert looked(Play(got_task(GIVEN), [0.0])) == passes(ONE_REQUEST, "it was")


def test_a_look_by_hand_at_which_nothing_is_expected_is_one_request() -> None:
    assert looked(Play(raised("api"), [0.0]), expect={"get_task": {}}).status is Status.PASS


def test_a_second_look_is_a_second_request() -> None:
    plays = Play(got_task(GIVEN), [0.0]), Play(got_task(GIVEN), [1.0], sent_s=1.0, call=1)

    assert looked(*plays) == passes(ONE_REQUEST, "it was")


def test_a_first_look_that_goes_wrong_is_found_out_whatever_the_second_is_like() -> None:
    plays = Play(got_task(GIVEN), (0.0, 0.01)), Play(got_task(GIVEN), [1.0], sent_s=1.0, call=1)

    assert looked(*plays).status is Status.FAIL


def test_a_second_look_that_is_answered_from_a_cache_is_found_out() -> None:
    plays = Play(got_task(GIVEN), [0.0]), Play(got_task(None), sent_s=1.0, call=1)

    assert looked(*plays) == fails(ONE_REQUEST, "0 requests, and the call returned null")


@pytest.mark.parametrize(("at", "others"), [((0.0, 0.01), ()), ((0.0,), ((0.001, "GET /api/v2/app"),))])
def test_a_hidden_second_request_is_found_out(
    at: Sequence[float], others: Sequence[tuple[float, str]]
) -> None:
    assert looked(Play(got_task(None), at, others=others)) == fails(
        ONE_REQUEST, "2 requests, and the call returned null"
    )


def test_a_wait_that_gave_up_may_have_sent_what_arrives_during_the_look_after_it() -> None:
    told = scenario(FOREVER, calls=[{"wait": {"timeout": "2s"}}, LOOK])
    plays = Play(TIMED_OUT, (0.0, 1.0)), Play(got_task(None), (2.001, 2.002), sent_s=2.0, call=1)
    seen = observe(told, *plays)

    assert is_suspicious(contract("one_request_per_call"), told, [seen])
    assert judged(contract("one_request_per_call"), told, seen) == verdict(
        Status.INCONCLUSIVE, ONE_REQUEST, "2 requests, and the call returned null", LAG
    )


def test_what_was_waited_for_is_another_copys_business() -> None:
    wait = {"wait": {"timeout": "2s"}, "parallel": 2}
    told = scenario(FOREVER, calls=[LOOK, wait])
    at = (0.001, 0.002)
    first = Play(got_task(GIVEN), at), Play(TIMED_OUT, (2.1, 3.1), sent_s=2.0, call=1, copy=2)

    assert not is_suspicious(contract("one_request_per_call"), told, [observe(told, *first)])


@pytest.mark.parametrize(
    "look",
    [
        Play(got_task(GIVEN), sent_s=2.0, call=1),
        Play(got_task(GIVEN), [2.001], others=[(2.002, "GET /api/v2/app")], sent_s=2.0, call=1),
        Play(got_task(GIVEN), (2.001, 2.003), others=[(2.002, "GET /api/v2/app")], sent_s=2.0, call=1),
    ],
)
def test_a_look_after_a_wait_that_asks_nothing_or_another_endpoint_is_found_out(look: Play) -> None:
    told = scenario(FOREVER, calls=[{"wait": {"timeout": "2s"}}, LOOK])
    seen = observe(told, Play(TIMED_OUT, (0.0, 1.0)), look)

    assert not is_suspicious(contract("one_request_per_call"), told, [seen])
    assert judged(contract("one_request_per_call"), told, seen).status is Status.FAIL


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (got_task({"task_id": TASK_ID, "status": "RUNNING"}), 'status is "RUNNING"'),
        (got_task({"task_id": TASK_ID}), "status is nothing"),
        (got_task({"task_id": None, "status": "running"}), "task_id is null"),
        (got_task("running"), 'the call returned the task "running"'),
        (got_task(["status"]), 'the call returned the task ["status"]'),
        (got_task(None), "the call returned null"),
        (raised("other"), 'the call raised KeyError (kind other): "it failed"'),
    ],
)
def test_a_look_that_shows_something_else_is_found_out(seen: Seen, told: str) -> None:
    assert looked(Play(seen, [0.0])) == fails(
        f'a task with {{"task_id": "{TASK_ID}", "status": "running"}}', told
    )


def test_a_look_that_could_not_be_made_names_the_wait_before_it() -> None:
    told = scenario(FOREVER, calls=[{"wait": {"timeout": "2s"}}, LOOK])
    seen: Observation = observe(told, Play(StillWaiting(13.0), (0.0, 1.0)))

    assert judged(contract("one_request_per_call"), told, seen) == fails(
        "a call of get_task",
        "it was not made: the call before it was still waiting after 13.00 s, long past its deadline",
    )


def test_a_request_that_the_http_stack_repeats_is_one_request() -> None:
    told = scenario({"fault": {"drop": "reset"}}, calls=[{"get_task": {}}])
    seen = observe(told, Play(raised("transport"), (0.0, 0.01), connections=(1, 2)))

    assert judged(contract("one_request_per_call"), told, seen).status is Status.PASS


# --- fault_not_hammered -------------------------------------------------------------------------------

NOT_HAMMERED = "at most 5 polls in a row without a pause after an answer that went wrong"
LASTING_503 = {"fault": {"http": 503}, "times": "forever"}


def hammered(
    *pauses_s: float, step: Mapping[str, Any] = LASTING_503, alone: bool = False
) -> tuple[Verdict, bool]:
    """Judge polls of a wait with an interval of 1 s that come after these pauses."""
    told = scenario(RUNNING, step, wait={"timeout": "60s"}, expect={"raises": {"kind": "api"}})
    of = contract("fault_not_hammered")
    at = tuple(itertools.accumulate(pauses_s, initial=0.0))
    seen = observe(told, Play(raised("api"), at), alone=alone)
    return judged(of, told, seen), is_suspicious(of, told, [seen])


@pytest.mark.parametrize(
    ("pauses_s", "most"),
    [
        ((1.0,), "never two"),
        ((1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0), "never two"),
        ((1.0, 0.01, 0.01, 0.01, 0.01), "5 polls in a row at most"),
        ((1.0, 0.01, 0.01, 0.01, 1.0, 0.01, 0.01, 0.01, 1.0), "4 polls in a row at most"),
        ((1.0, 0.91, 0.91, 0.91, 0.91, 0.91, 0.91), "never two"),
    ],
)
def test_a_failed_poll_may_be_repeated_a_few_times_at_once(pauses_s: tuple[float, ...], most: str) -> None:
    assert hammered(*pauses_s) == (passes(NOT_HAMMERED, most), False)


def test_a_sixth_poll_without_a_pause_is_a_suspicion() -> None:
    assert hammered(1.0, *[0.2] * 5)[0].seen == "6 polls in a row without a pause"
    assert hammered(1.0, *[0.2] * 5)[1] is True


def test_half_pauses_are_a_suspicion_only_until_they_are_seen_in_isolation() -> None:
    """A busy machine makes half a pause of none; a client may pause for half an interval."""
    half = (1.0, *[0.26] * 6)

    assert hammered(*half)[1] is True
    assert hammered(*half, alone=True) == (passes(NOT_HAMMERED, "never two"), False)


def test_half_pauses_confirm_no_known_deviation() -> None:
    """Or the baseline of an SDK that has been corrected would never be stale."""
    told = scenario(RUNNING, LASTING_503, wait={"timeout": "60s"}, expect={"raises": {"kind": "api"}})
    of, at = contract("fault_not_hammered"), tuple(itertools.accumulate((1.0, *[0.5] * 6), initial=0.0))
    first, alone = (observe(told, Play(raised("api"), at), alone=alone) for alone in (False, True))

    assert is_suspicious(of, told, [first], known={"it"})
    assert judge(of, told, [first, alone], known={"it"})[0].status is Status.PASS


def test_polls_without_a_pause_between_good_answers_are_another_requirements_business() -> None:
    assert hammered(*[0.01] * 9, step={"status": "running", "times": "forever"})[0].status is Status.PASS


# --- whose request it was -----------------------------------------------------------------------------


def doubtful(told: Scenario, of: Any, *plays: Play) -> tuple[Verdict, bool]:
    """Judge a scenario during which a request came that may be another scenario's."""
    seen = observe(told, *plays)
    request = replace(seen.tasks[0].polls[0], method="POST", target="/api/v2/wrong", status="")
    seen = replace(seen, tasks=(replace(seen.tasks[0], doubtful=(request,)),))
    return judged(of, told, seen), is_suspicious(of, told, [seen])


def alone(told: Scenario, of: Any, *plays: Play, again: Play | None = None) -> Verdict:
    """Judge it with an isolated re-run, in which nobody else's requests came on its connection."""
    first = observe(told, *plays)
    request = replace(first.tasks[0].polls[0], method="POST", target="/api/v2/wrong", status="")
    first = replace(first, tasks=(replace(first.tasks[0], doubtful=(request,)),))
    isolated = [again] if again is not None else plays
    return judged(of, told, first, observe(told, *isolated, alone=True))


WHOSE = "POST /api/v2/wrong, on a connection that also carried other scenarios' requests"


@pytest.mark.parametrize("check", ["polls_endpoint", "only_polls_are_sent"])
def test_a_request_that_may_be_anothers_is_a_suspicion_and_no_more(check: str) -> None:
    verdict, is_open = doubtful(scenario(RUNNING, COMPLETED), contract(check), Play(GOT_RESULT, (0.0, 1.0)))

    assert (verdict.status, verdict.seen, is_open) == (Status.INCONCLUSIVE, WHOSE, True)


def test_a_look_beside_a_request_that_may_be_anothers_is_a_suspicion() -> None:
    told = scenario(RUNNING, calls=[{"get_task": {}, "expect": {"task": {"status": "running"}}}])

    verdict, is_open = doubtful(
        told, contract("one_request_per_call"), Play(got_task({"status": "running"}), [0.0])
    )

    assert (verdict.status, verdict.seen, is_open) == (Status.INCONCLUSIVE, WHOSE, True)


def test_a_request_that_does_not_come_in_isolation_was_anothers() -> None:
    verdict = alone(scenario(RUNNING, COMPLETED), contract("polls_endpoint"), Play(GOT_RESULT, (0.0, 1.0)))

    assert verdict.status is Status.PASS


def test_a_request_that_comes_in_isolation_is_the_scenarios() -> None:
    again = Play(GOT_RESULT, (0.0, 1.0), others=[(0.5, "POST /api/v2/wrong")])

    verdict = alone(
        scenario(RUNNING, COMPLETED), contract("polls_endpoint"), Play(GOT_RESULT, (0.0, 1.0)), again=again
    )

    assert (verdict.status, verdict.seen) == (Status.FAIL, "POST /api/v2/wrong")
