"""Behaviors on record: the words for each of them, which SDKs are compared by."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from observations import (
    COMPLETED,
    FOREVER,
    GOT_RESULT,
    RUNNING,
    TASK_ID,
    TIMED_OUT,
    Play,
    contract,
    got,
    got_task,
    hello,
    judged,
    observe,
    raised,
    scenario,
    verdict,
)
from waitproof.judge import Status, checks
from waitproof.judge.observation import Seen, StillWaiting
from waitproof.protocol import Cancelled, Given, Returned
from waitproof.suite.scenario import Scenario

RECORDS = [kind for kind in checks() if kind.startswith("record_")]
WAITING = StillWaiting(70.0)


def record(check: str, told: Scenario, *plays: Play, **more: Any) -> str:
    """Return the words of a record, after making sure that they are the whole verdict."""
    seen = judged(contract(check, level="INFO"), told, observe(told, *plays, **more))

    assert seen == verdict(Status.INFO, seen=seen.seen, level="INFO")
    return seen.seen


@pytest.mark.parametrize("check", RECORDS)
@pytest.mark.parametrize("seen", [raised("other"), TIMED_OUT, WAITING])
def test_a_wait_without_a_request_is_on_record_as_what_it_is(check: str, seen: Seen) -> None:
    words = record(check, scenario(RUNNING, COMPLETED), Play(seen))

    first = {"record_payload_path": "itself: ", "record_escaping": "does not reach the task: "}
    assert (
        words.startswith(first.get(check, "nothing: "))
        or (check in {"record_outcome", "record_odd_timeout"} and ": 0 polls, " in words)
        or (check == "record_odd_interval" and words.startswith("refuses it: 0 polls, "))
    )


@pytest.mark.parametrize("check", RECORDS)
def test_without_a_wait_nothing_is_on_record(check: str) -> None:
    told = scenario(RUNNING, calls=[{"get_task": {}}])

    assert record(check, told, Play(got_task({"status": "running"}), [0.0])) == "nothing: no wait was made"


@pytest.mark.parametrize(
    ("first_s", "words"),
    [
        (0.004, "at once: 4 ms after the call"),
        (0.99, "at once: 0.99 s after the call"),
        (1.0, "after an interval: 1.00 s after the call"),
        (2.0, "after an interval: 2.00 s after the call"),
    ],
)
def test_the_first_poll_comes_at_once_or_after_more_than_half_an_interval(first_s: float, words: str) -> None:
    told = scenario(RUNNING, COMPLETED, wait={"poll_interval": "2s"})
    play = Play(GOT_RESULT, (5.0 + first_s, 9.0), sent_s=5.0)

    assert record("record_first_poll", told, play) == words


@pytest.mark.parametrize(
    ("first_s", "words"),
    [
        (0.024, "at once: 24 ms after the call"),
        (
            0.035,
            "nothing: 35 ms after the call, and an interval of 50 ms is too short to tell from a late start",
        ),
        (0.200, "after an interval: 0.20 s after the call"),
    ],
)
def test_a_short_interval_cannot_be_told_from_a_first_poll_that_a_busy_machine_made_late(
    first_s: float, words: str
) -> None:
    told = scenario(RUNNING, COMPLETED, wait={"poll_interval": "50ms"})

    assert record("record_first_poll", told, Play(GOT_RESULT, [first_s, first_s + 0.05])) == words


def test_a_wait_that_returns_on_a_status_that_is_no_end_is_on_record_with_it() -> None:
    told = scenario({"status": "archived", "times": 2}, COMPLETED)

    patient = record("record_outcome", told, Play(GOT_RESULT, [0.0, 1.0, 2.0]))
    hasty = record("record_outcome", told, Play(got(None), [0.0]))

    assert patient == 'returned: 3 polls, returned {"channels": 2}'
    assert hasty == 'returned on "archived": 1 poll, returned null'


SLOW = {"status": "running", "times": "forever", "delay": "150ms"}


@pytest.mark.parametrize(
    ("task", "at", "words"),
    [
        (SLOW, (0.0, 0.3, 0.6), "the request: periods of 0.30 s where answers take 0.15 s"),
        (SLOW, (0.0, 0.45, 0.9), "the response: periods of 0.45 s where answers take 0.15 s"),
        (SLOW, (0.0, 0.37), "the request: periods of 0.37 s where answers take 0.15 s"),
        (SLOW, (0.0, 0.38), "the response: periods of 0.38 s where answers take 0.15 s"),
        (SLOW, (0.0,), "nothing: one poll came"),
        (FOREVER, (0.0, 0.3, 0.6), "nothing: no answer was slow"),
    ],
)
def test_an_interval_is_counted_from_the_request_or_the_response(
    task: Mapping[str, Any], at: Sequence[float], words: str
) -> None:
    told = scenario(task, wait={"poll_interval": "300ms"})

    assert record("record_interval_counted_from", told, Play(GOT_RESULT, at, 0.15)) == words


@pytest.mark.parametrize(
    ("last_s", "words"),
    [
        (1.4, "the last poll before the deadline: at 1.40 s of 2.00 s"),
        (1.955, "the last poll before the deadline: at 1.96 s of 2.00 s"),
        (1.964, "the last poll at the deadline: at 1.96 s of 2.00 s"),
        (2.05, "the last poll at the deadline: at 2.05 s of 2.00 s"),
        (2.06, "the last poll after the deadline: at 2.06 s of 2.00 s"),
    ],
)
def test_the_last_poll_falls_before_at_or_after_the_deadline(last_s: float, words: str) -> None:
    told = scenario(FOREVER, wait={"poll_interval": "700ms", "timeout": "2s"})

    play = Play(TIMED_OUT, (5.0, 5.0 + last_s), sent_s=5.0)

    assert record("record_polls_at_deadline", told, play) == words


@pytest.mark.parametrize(
    ("seen", "at", "words"),
    [
        (GOT_RESULT, (0.0, 1.0), 'returned: 2 polls, returned {"channels": 2}'),
        (
            TIMED_OUT,
            (0.0,),
            'raised a transport exception: 1 poll, raised TransportError (kind transport): "gave up"',
        ),
        (
            WAITING,
            (0.0,),
            "was still waiting: 1 poll, was still waiting after 70.00 s, long past its deadline",
        ),
    ],
)
def test_either_outcome_is_on_record(seen: Seen, at: Sequence[float], words: str) -> None:
    assert record("record_outcome", scenario(RUNNING, COMPLETED), Play(seen, at)) == words


ONCE = scenario(RUNNING, {"fault": {"http": 503}}, COMPLETED)


@pytest.mark.parametrize(
    ("seen", "at", "words"),
    [
        (raised("api"), (0.0, 1.0), 'surfaces at once: raised ApiError (kind api): "it failed"'),
        (got(None), (0.0, 1.0), "ends the wait: returned null"),
        (WAITING, (0.0, 1.0), "never ends: was still waiting after 70.00 s, long past its deadline"),
        (GOT_RESULT, (0.0, 1.0, 2.0), 'polls on: the next poll 1.00 s later, returned {"channels": 2}'),
        (
            raised("api"),
            (0.0, 1.0, 1.2),
            "tries again at once and then surfaces: the next poll 0.20 s later, "
            'raised ApiError (kind api): "it failed"',
        ),
        (
            raised("api"),
            (0.0, 1.0, 1.6),
            'polls on and then surfaces: the next poll 0.60 s later, raised ApiError (kind api): "it failed"',
        ),
        (
            WAITING,
            (0.0, 1.0, 2.0),
            "polls on: the next poll 1.00 s later, was still waiting after 70.00 s, long past its deadline",
        ),
        (raised("api"), (0.0,), 'nothing: no answer went wrong, raised ApiError (kind api): "it failed"'),
    ],
)
def test_a_fault_that_passes_ends_the_wait_or_is_polled_over(
    seen: Seen, at: Sequence[float], words: str
) -> None:
    assert record("record_after_fault", ONCE, Play(seen, at)) == words


@pytest.mark.parametrize(("took_s", "pause"), [(0.25, "0.75 s"), (None, "1.00 s")])
def test_the_pause_after_a_fault_is_counted_from_its_end(took_s: float | None, pause: str) -> None:
    play = Play(GOT_RESULT, (0.0, 1.0, 2.0), (0.001, took_s, 0.001))

    assert record("record_after_fault", ONCE, play).startswith(f"polls on: the next poll {pause} later")


def test_of_several_faults_the_first_is_on_record() -> None:
    twice = scenario({"fault": {"http": 503}, "times": 2}, COMPLETED)

    assert record("record_after_fault", twice, Play(GOT_RESULT, (0.0, 1.0, 3.0))) == (
        'polls on: the next poll 1.00 s later, returned {"channels": 2}'
    )


DROPPED = scenario(RUNNING, {"fault": {"drop": "reset"}}, COMPLETED)


@pytest.mark.parametrize(
    ("seen", "at", "connections", "words"),
    [
        (GOT_RESULT, (0.0, 1.0, 1.01, 2.0), (1, 1, 2, 3), "repeats them: 1 repeated, returned"),
        (
            raised("transport"),
            (0.0, 1.0),
            (1, 1),
            "does not repeat them: 0 repeated, raised a transport exception",
        ),
        (
            raised("transport"),
            (0.0,),
            (1,),
            'nothing: no connection was dropped, raised TransportError (kind transport): "it failed"',
        ),
    ],
)
def test_a_dropped_poll_is_repeated_by_the_http_stack_or_not(
    seen: Seen, at: Sequence[float], connections: Sequence[int], words: str
) -> None:
    assert record("record_repeated_polls", DROPPED, Play(seen, at, connections=connections)) == words


STALLED = scenario(RUNNING, {"status": "running", "delay": "58s"}, COMPLETED, wait={"timeout": "55s"})


@pytest.mark.parametrize(
    ("seen", "took_s", "received_s", "words"),
    [
        (raised("transport"), (0.001, 30.1), 31.1, "30 s: a stalled poll was given up after 30.10 s"),
        (
            TIMED_OUT,
            (0.001, 54.0),
            55.0,
            "none before the deadline: the poll lasted 54.00 s, raised a transport exception",
        ),
        (
            TIMED_OUT,
            (0.001, None),
            55.0,
            "none before the deadline: the poll lasted 54.00 s, raised a transport exception",
        ),
        (
            WAITING,
            (0.001, 58.0),
            None,
            "none before the deadline: the poll lasted 58.00 s, was still waiting",
        ),
        (WAITING, (0.001, None), None, "none: the poll is still in flight"),
    ],
)
def test_a_stalled_poll_is_given_up_by_itself_or_not(
    seen: Seen, took_s: Sequence[float | None], received_s: float | None, words: str
) -> None:
    play = Play(seen, (0.0, 1.0), took_s, received_s=received_s)

    assert record("record_request_timeout", STALLED, play) == words


@pytest.mark.parametrize(
    ("timeout", "ended_s", "words"),
    [
        # at the deadline is within a hundredth of the timeout, or a timer's tick where that is more
        ("55s", 54.4, "53 s: a stalled poll was given up after 53.40 s"),
        ("55s", 54.5, "none before the deadline: the poll lasted 53.50 s, raised a transport exception"),
        ("1500ms", 1.47, "0 s: a stalled poll was given up after 0.47 s"),
        ("1500ms", 1.4825, "none before the deadline: the poll lasted 0.48 s, raised a transport exception"),
    ],
)
def test_a_poll_that_ends_at_the_deadline_was_not_given_up_by_itself(
    timeout: str, ended_s: float, words: str
) -> None:
    told = scenario(RUNNING, {"status": "running", "delay": "58s"}, COMPLETED, wait={"timeout": timeout})
    answers_s = (0.001, ended_s - 1.0)
    play = Play(TIMED_OUT, (5.0, 6.0), answers_s, sent_s=5.0, received_s=5.0 + ended_s)

    assert record("record_request_timeout", told, play) == words


def test_a_slow_poll_that_was_answered_was_not_given_up() -> None:
    told = scenario(RUNNING, {"status": "running", "delay": "5500ms"}, COMPLETED, wait={"timeout": "55s"})
    play = Play(GOT_RESULT, (0.0, 1.0, 7.5), (0.001, 6.501, 7.501), received_s=7.6)

    assert record("record_request_timeout", told, play) == (
        "none within 5.50 s: the poll was answered, returned"
    )


def test_where_no_poll_was_stalled_none_was_given_up() -> None:
    assert (
        record("record_request_timeout", STALLED, Play(raised("other"), [0.0])) == "nothing: no poll arrived"
    )


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("a%2Fb%20c%3Fd%23%C3%A9%2520", 'escaped: "a%2Fb%20c%3Fd%23%C3%A9%2520", returned'),
        ("a%2fb%20c%3fd%23%c3%a9%2520", 'escaped: "a%2fb%20c%3fd%23%c3%a9%2520", returned'),
        ("a/b%20c%3Fd%23%C3%A9%2520", 'not fully escaped: "a/b%20c%3Fd%23%C3%A9%2520", returned'),
        ("a%2Fb%20c?d", 'not fully escaped: "a%2Fb%20c", returned'),
        ("a%2Fb+c%3Fd%23%C3%A9%2520", 'not fully escaped: "a%2Fb+c%3Fd%23%C3%A9%2520", returned'),
    ],
)
def test_a_task_id_is_escaped_or_not(raw: str, words: str) -> None:
    target = {1: {"target": f"/api/v2/tasks/{raw}?api_key=key"}}
    play = Play(GOT_RESULT, [0.0], poll=target)

    assert record("record_escaping", scenario(COMPLETED), play, task_id="a/b c?d#é%20") == words


def test_how_the_first_request_has_the_task_id_is_on_record() -> None:
    later = {2: {"target": "/api/v2/tasks/a%2Fb"}}
    play = Play(GOT_RESULT, (0.0, 1.0), poll={1: {"target": "/api/v2/tasks/a/b"}, **later})

    assert record("record_escaping", scenario(RUNNING, COMPLETED), play, task_id="a/b") == (
        'not fully escaped: "a/b", returned'
    )


def test_a_task_id_that_went_astray_is_seen_in_the_other_requests() -> None:
    play = Play(raised("api"), others=[(0.0, f"GET /api/v2/tasks/{TASK_ID}/x")])

    assert record("record_escaping", scenario(COMPLETED), play) == (
        f'not fully escaped: "{TASK_ID}/x", raised an api exception'
    )


def test_a_task_id_of_half_a_character_crashes_nothing() -> None:
    assert record(
        "record_escaping", scenario(COMPLETED), Play(GOT_RESULT, [0.0]), task_id="\ud800"
    ).startswith("not fully escaped: ")


@pytest.mark.parametrize(
    ("connections", "words"),
    [
        ((1, 1, 1), "reused: 1 for 3 polls"),
        ((1, 2, 3), "one for each poll: 3 for 3 polls"),
        ((1, 1, 2), "some reused: 2 for 3 polls"),
    ],
)
def test_connections_are_reused_or_not(connections: Sequence[int], words: str) -> None:
    play = Play(GOT_RESULT, (0.0, 1.0, 2.0), connections=connections)

    assert record("record_connections", scenario(FOREVER), play) == words


BIG = 2**53 + 1


@pytest.mark.parametrize(
    ("wanted", "seen", "words"),
    [
        ({"odd": BIG}, got({"odd": BIG}), "exact: every digit arrives"),
        (
            {"odd": BIG},
            got({"odd": 2.0**53}),
            "changed: odd 9007199254740993 became 9007199254740992.0",
        ),
        (
            {"a.b": [BIG]},
            got({"a.b": [str(BIG)]}),
            'changed: ["a.b"].0 9007199254740993 became "9007199254740993"',
        ),
        ({"odd": BIG}, got({}), "changed: odd 9007199254740993 became nothing"),
        (BIG, got(BIG - 1), "changed: the result 9007199254740993 became 9007199254740992"),
        ({"odd": BIG}, got(None), "nothing: the call returned null"),
        ({"odd": BIG}, raised("api"), 'nothing: the call raised ApiError (kind api): "it failed"'),
        (
            {"odd": BIG},
            Returned(Given.UNENCODABLE, unencodable="a BigInt"),
            "nothing: the call returned a value that JSON cannot carry: a BigInt",
        ),
    ],
)
def test_integers_arrive_exactly_or_changed(wanted: Any, seen: Seen, words: str) -> None:
    told = scenario(COMPLETED, expect={"returns": wanted})

    assert record("record_integers", told, Play(seen, [0.0])) == words


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("", "itself: the payload"),
        ("data.result", "inside: the payload is data.result of what it returns"),
    ],
)
def test_the_payload_is_returned_itself_or_inside_of_something(path: str, words: str) -> None:
    told = scenario(COMPLETED)

    assert record("record_payload_path", told, Play(GOT_RESULT, [0.0]), by=hello(result_path=path)) == words


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ((0.0, 0.25, 0.5), "accepted: an interval of 0.25 s gave periods of 0.25 s"),
        ((0.0, 0.14), "accepted: an interval of 0.25 s gave periods of 0.14 s"),
        ((0.0, 0.12), "accepted but not followed: an interval of 0.25 s gave periods of 0.12 s"),
        ((0.0, 0.36), "accepted: an interval of 0.25 s gave periods of 0.36 s"),
        ((0.0, 0.375), "accepted: an interval of 0.25 s gave periods of 0.38 s"),
        ((0.0, 0.39), "accepted but not followed: an interval of 0.25 s gave periods of 0.39 s"),
        ((0.0, 1.0, 2.0), "accepted but not followed: an interval of 0.25 s gave periods of 1.00 s"),
        ((0.0, 0.001, 0.002), "accepted but not followed: an interval of 0.25 s gave periods of 1 ms"),
        ((0.0,), 'nothing: no two polls came, the call raised KeyError (kind other): "it failed"'),
    ],
)
def test_options_below_a_second_are_kept_or_not(at: Sequence[float], words: str) -> None:
    told = scenario(FOREVER, wait={"poll_interval": "250ms"})

    assert record("record_sub_second", told, Play(raised("other"), at)) == words


def test_options_that_had_to_be_multiplied_are_not_accepted_as_they_are() -> None:
    told = scenario(FOREVER, wait={"poll_interval": "1s"})
    coarse = hello(poll_interval_resolution=1.0)

    assert record("record_sub_second", told, Play(TIMED_OUT, (0.0, 1.0)), by=coarse, scale=2) == (
        "not accepted: the smallest step is 1.00 s"
    )


@pytest.mark.parametrize(
    ("seen", "cancelled_s", "words"),
    [
        (Cancelled(), 0.6, "as the language does it: no exception of the SDK's"),
        (
            TIMED_OUT,
            0.6,
            'raised a transport exception: raised TransportError (kind transport): "gave up"',
        ),
        (
            raised("other"),
            0.6,
            'raised an exception of no documented kind: raised KeyError (kind other): "it failed"',
        ),
        (got(None), 0.6, "returned: returned null"),
        (WAITING, 0.6, "was still waiting: was still waiting after 70.00 s, long past its deadline"),
        (raised("other"), None, "nothing: no wait was cancelled"),
    ],
)
def test_how_a_caller_learns_of_a_cancellation_is_on_record(
    seen: Seen, cancelled_s: float | None, words: str
) -> None:
    told = scenario(FOREVER, calls=[{"wait": {}, "cancel_after": "600ms", "expect": {"cancelled": True}}])

    assert record("record_cancel_outcome", told, Play(seen, [0.0], cancelled_s=cancelled_s)) == words


# --- options of 0 and less ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "at", "words"),
    [
        (TIMED_OUT, [0.0], 'gives up: 1 poll, raised TransportError (kind transport): "gave up"'),
        (TIMED_OUT, [], 'gives up: 0 polls, raised TransportError (kind transport): "gave up"'),
        (raised("other"), [], 'refuses it: 0 polls, raised KeyError (kind other): "it failed"'),
        (raised("other"), [0.0], 'fails: 1 poll, raised KeyError (kind other): "it failed"'),
        (GOT_RESULT, [0.0, 1.0], 'waits on: 2 polls, returned {"channels": 2}'),
        (WAITING, [0.0], "never ends: 1 poll, was still waiting after 70.00 s, long past its deadline"),
    ],
)
def test_a_timeout_of_zero_gives_up_waits_on_or_is_refused(seen: Seen, at: list[float], words: str) -> None:
    told = scenario(RUNNING, COMPLETED, wait={"timeout": "0s"})

    assert record("record_odd_timeout", told, Play(seen, at)) == words


@pytest.mark.parametrize(
    ("at", "words"),
    [
        ([0.0, 0.002, 0.004], "polls without a pause: periods of 2 ms"),
        ([0.0, 1.01, 2.02], "polls at the default interval: periods of 1.01 s"),
        ([0.0, 0.3, 0.6], "polls at another interval: periods of 0.30 s"),
    ],
)
def test_an_interval_of_zero_is_no_pause_the_default_or_another(at: list[float], words: str) -> None:
    told = scenario(RUNNING, RUNNING, COMPLETED, wait={"poll_interval": "0s"})

    assert record("record_odd_interval", told, Play(GOT_RESULT, at)) == f'{words}, returned {{"channels": 2}}'


def test_an_interval_below_zero_can_end_the_wait_after_its_first_poll() -> None:
    told = scenario(RUNNING, COMPLETED, wait={"poll_interval": "-1s"})

    assert record("record_odd_interval", told, Play(raised("other"), [0.0])) == (
        'fails: 1 poll, raised KeyError (kind other): "it failed"'
    )
