import json
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, fields
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waitproof.suite.contract import Contract
from waitproof.suite.document import Document
from waitproof.suite.model import build
from waitproof.suite.sending import Response
from waitproof.suite.step import FOREVER, Step
from waitproof.suite.task import TaskAnswer, TaskState, answer, render_body, respond
from waitproof.suite.yaml import Json

CONTRACT = """
format: 1
name: parcels
title: A parcel service
source: the test
endpoint: {path: "/jobs/{task_id}"}
answer:
  headers: {Content-Type: application/parcel}
  body: {job: "${task_id}", state: "${status}", parcel: "${result}", trouble: "${error}", seen: "${now_ns}"}
error: {reason: "${task_id} was lost"}
http_error: {headers: {Content-Type: application/trouble}, body: {fault: "${http}", text: "${message}"}}
statuses: {queued: keep_polling, done: return_result, lost: raise_task}
timeout: {kind: transport}
defaults: {poll_interval: 1s, timeout: 60s}
exception_fields: {}
requirements: []
"""
VALUES: dict[str, Json] = {"task_id": 7, "token": "t-1", "n": 2}


@pytest.fixture(scope="module")
def contract() -> Contract:
    return build(Contract, Document(CONTRACT, "contract.yaml"))


def step(written: str) -> Step:
    return build(Step, Document(written, "step.yaml"))


def task(*written: str) -> TaskState:
    return TaskState(tuple(step(each) for each in written))


def labels(state: TaskState, arrivals: Sequence[float]) -> list[str]:
    """What polls at these times are answered, each on a fresh connection."""
    answers = []
    for connection, arrived_s in enumerate(arrivals, 1):
        state, said = answer(state, arrived_s, connection=connection)
        answers.append(said.step.label)
    return answers


def play(
    state: TaskState, requests: Sequence[tuple[float, int, bool]]
) -> tuple[list[tuple[int, str, bool]], TaskState]:
    """Number, label and whether it is a repeat, of requests at (time, connection, whether that is fresh)."""
    answers = []
    for arrived_s, connection, fresh in requests:
        state, said = answer(state, arrived_s, connection=connection, fresh=fresh)
        answers.append((said.n, said.step.label, said.repeat))
    return answers, state


# --- steps --------------------------------------------------------------------------------------------


def test_a_step_without_times_answers_one_poll_and_the_last_repeats() -> None:
    state = task("{status: queued}", "{status: running}", "{status: done}")

    assert labels(state, range(5)) == ["queued", "running", "done", "done", "done"]


def test_a_step_answers_as_many_polls_as_it_says() -> None:
    state = task("{status: queued, times: 2}", "{status: running, times: 3}", "{status: done}")

    assert labels(state, range(7)) == ["queued", "queued", "running", "running", "running", "done", "done"]


def test_a_last_step_repeats_whatever_its_times_say() -> None:
    assert labels(task("{status: queued}", "{status: done, times: 1}"), range(4)) == [
        "queued",
        "done",
        "done",
        "done",
    ]


def test_a_step_that_lasts_forever_never_ends() -> None:
    state = task("{status: queued}", "{status: running, times: forever}", "{status: done}")

    assert labels(state, range(1000))[-1] == "running"
    assert state.steps[1].times == FOREVER


def test_a_task_may_go_backwards() -> None:
    state = task("{status: running}", "{status: queued}", "{status: running}", "{status: done}")

    assert labels(state, range(4)) == ["running", "queued", "running", "done"]


def test_for_counts_from_the_first_poll_that_the_step_answers() -> None:
    state = task("{status: queued, for: 2s}", "{status: running, for: 1s}", "{status: done}")

    assert labels(state, [100.0, 101.0, 101.999, 102.0, 102.9, 103.0]) == [
        "queued",
        "queued",
        "queued",
        "running",
        "running",
        "done",
    ]


@pytest.mark.parametrize(
    ("polled_s", "statuses"),
    [
        ([0.0, 0.1, 0.2, 0.3], ["queued", "queued", "queued", "done"]),
        ([0.0, 1.0, 2.0, 3.0], ["queued", "queued", "done", "done"]),
    ],
    ids=["enough-polls", "enough-time"],
)
def test_a_step_with_times_and_for_is_over_by_what_comes_first(
    polled_s: list[float], statuses: list[str]
) -> None:
    assert labels(task("{status: queued, times: 3, for: 2s}", "{status: done}"), polled_s) == statuses


def test_a_late_poll_ends_one_step_and_not_the_next_one_too() -> None:
    state = task("{status: queued, for: 1s}", "{status: running, for: 1s}", "{status: done}")

    assert labels(state, [0.0, 50.0, 50.5, 51.0]) == ["queued", "running", "running", "done"]


def test_a_step_for_no_time_answers_one_poll() -> None:
    assert labels(task("{status: queued, for: 0s}", "{status: done}"), [5.0, 5.0]) == ["queued", "done"]


def test_an_answer_says_its_number_and_its_step() -> None:
    state = task("{status: queued}", "{status: done}")

    state, first = answer(state, 0.0)
    state, second = answer(state, 1.0, connection=9, fresh=False)

    assert first == TaskAnswer(1, 0, state.steps[0])
    assert second == TaskAnswer(2, 1, state.steps[1])
    assert (state.step, state.used, state.began_s, state.polls, state.dropped) == (1, 1, 1.0, 2, None)


def test_a_state_and_an_answer_cannot_be_changed(contract: Contract) -> None:
    state, said = answer(task("{fault: {drop: reset}}"), 0.0)

    for value in (state, state.dropped, said, respond(contract, said.step, VALUES, now_ns=0)):
        assert value is not None
        with pytest.raises(FrozenInstanceError):
            setattr(value, fields(value)[0].name, None)


# --- drops --------------------------------------------------------------------------------------------

DROP = "{fault: {drop: before-response}}"


def test_a_drop_on_a_fresh_connection_hits_one_poll() -> None:
    answers, _ = play(task(DROP, "{status: done}"), [(0.0, 1, True), (1.0, 2, True)])

    assert answers == [(1, "drop:before-response", False), (2, "done", False)]


def test_a_connection_is_fresh_where_nothing_else_is_said() -> None:
    assert labels(task(DROP, "{status: done}"), [0.0, 1.0]) == ["drop:before-response", "done"]


def test_a_repeat_on_another_connection_at_once_is_dropped_too_and_is_no_poll() -> None:
    answers, _ = play(task(DROP, "{status: done}"), [(0.0, 1, True), (0.099, 2, True), (1.0, 3, True)])

    assert answers == [
        (1, "drop:before-response", False),
        (1, "drop:before-response", True),
        (2, "done", False),
    ]


def test_a_repeat_on_an_older_connection_is_one_too() -> None:
    answers, _ = play(
        task("{status: queued}", DROP, "{status: done}"), [(0.0, 1, True), (1.0, 2, True), (1.01, 1, False)]
    )

    assert answers[1:] == [(2, "drop:before-response", False), (2, "drop:before-response", True)]


def test_only_the_first_request_after_a_drop_on_a_fresh_connection_is_its_repeat() -> None:
    answers, _ = play(task(DROP, "{status: done}"), [(0.0, 1, True), (0.01, 2, True), (0.02, 3, True)])

    assert answers == [
        (1, "drop:before-response", False),
        (1, "drop:before-response", True),
        (2, "done", False),
    ]


def test_a_request_after_more_than_100_ms_is_the_next_poll() -> None:
    repeated, _ = play(task(DROP, "{status: done}"), [(0.0, 1, True), (0.1, 2, True)])
    answers, _ = play(task(DROP, "{status: done}"), [(0.0, 1, True), (0.101, 2, True)])

    assert repeated == [(1, "drop:before-response", False), (1, "drop:before-response", True)]
    assert answers == [(1, "drop:before-response", False), (2, "done", False)]


def test_a_request_on_the_same_connection_is_the_next_poll() -> None:
    answers, _ = play(task("{fault: {drop: mid-body}}", "{status: done}"), [(0.0, 1, True), (0.01, 1, False)])

    assert answers == [(1, "drop:mid-body", False), (2, "done", False)]


def test_a_drop_on_a_reused_connection_lasts_until_it_has_hit_a_fresh_one() -> None:
    answers, state = play(
        task("{status: queued}", DROP, "{status: done}"),
        [(0.0, 1, True), (1.0, 1, False), (1.01, 2, True), (2.0, 3, True)],
    )

    assert answers == [
        (1, "queued", False),
        (2, "drop:before-response", False),
        (2, "drop:before-response", True),
        (3, "done", False),
    ]
    assert state.polls == 3


def test_a_repeat_of_a_repeat_is_still_the_same_poll() -> None:
    answers, _ = play(
        task(DROP, "{status: done}"), [(0.0, 1, False), (0.01, 2, True), (0.02, 3, True), (0.03, 4, True)]
    )

    assert answers == [
        (1, "drop:before-response", False),
        (1, "drop:before-response", True),
        (1, "drop:before-response", True),
        (2, "done", False),
    ]


def test_a_client_that_reports_a_drop_on_a_reused_connection_meets_it_again_in_its_next_poll() -> None:
    answers, _ = play(task(DROP, "{status: done}"), [(0.0, 1, False), (1.0, 2, True), (2.0, 3, True)])

    assert answers == [
        (1, "drop:before-response", False),
        (2, "drop:before-response", False),
        (3, "done", False),
    ]


def test_a_drop_may_last_for_several_polls_or_some_time() -> None:
    several, _ = play(
        task("{fault: {drop: reset}, times: 2}", "{status: done}"),
        [(0.0, 1, True), (1.0, 2, True), (2.0, 3, True)],
    )
    some_time, _ = play(
        task("{fault: {drop: reset}, for: 1s}", "{status: done}"),
        [(0.0, 1, True), (0.8, 2, False), (1.0, 3, True)],
    )

    assert [label for _, label, _ in several] == ["drop:reset", "drop:reset", "done"]
    assert [label for _, label, _ in some_time] == ["drop:reset", "drop:reset", "done"]


def test_a_fault_that_is_an_answer_is_repeated_by_nobody() -> None:
    answers, _ = play(task("{fault: {http: 503}}", "{status: done}"), [(0.0, 1, True), (0.01, 2, True)])

    assert answers == [(1, "503", False), (2, "done", False)]


# --- bodies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "body"),
    [
        (
            "{status: queued}",
            {"job": 7, "state": "queued", "parcel": None, "trouble": None, "seen": 5},
        ),
        (
            "{status: done, result: {for: '${token}', copy: '${n}'}}",
            {"job": 7, "state": "done", "parcel": {"for": "t-1", "copy": 2}, "trouble": None, "seen": 5},
        ),
        (
            "{status: lost}",
            {"job": 7, "state": "lost", "parcel": None, "trouble": {"reason": "7 was lost"}, "seen": 5},
        ),
        (
            "{status: lost, error: null}",
            {"job": 7, "state": "lost", "parcel": None, "trouble": None, "seen": 5},
        ),
        (
            "{status: lost, error: {}}",
            {"job": 7, "state": "lost", "parcel": None, "trouble": {}, "seen": 5},
        ),
        (
            "{status: never heard of, error: late}",
            {"job": 7, "state": "never heard of", "parcel": None, "trouble": "late", "seen": 5},
        ),
        (
            "{status: queued, body: {more: ['${n}'], state: changed}, omit: [trouble, seen, parcel]}",
            {"job": 7, "state": "changed", "more": [2]},
        ),
        ("{status: queued, body: {job: 1}, omit: [job, state, parcel, trouble, seen]}", {}),
        (
            "{status: '${status}', omit: [parcel, trouble, seen]}",
            {"job": 7, "state": "${status}"},
        ),
    ],
)
def test_a_body_is_the_contracts_with_the_steps_changes(
    written: str, body: dict[str, Json], contract: Contract
) -> None:
    assert render_body(contract, step(written), VALUES, now_ns=5) == body


def test_a_body_that_nobody_sends_has_0_for_its_stamps(contract: Contract) -> None:
    assert render_body(contract, step("{status: queued}"), VALUES)["seen"] == 0


def sent(contract: Contract, written: str) -> tuple[int, dict[str, str], Any]:
    response = respond(contract, step(written), VALUES, now_ns=5)
    body = response.body.decode()
    return response.http, dict(response.headers), json.loads(body) if body.startswith("{") else body


def test_a_status_is_sent_as_compact_utf_8(contract: Contract) -> None:
    response = respond(contract, step("{status: done, result: é, omit: [trouble, seen]}"), VALUES, now_ns=5)

    assert response == Response(
        200,
        {"Content-Type": "application/parcel"},
        '{"job":7,"state":"done","parcel":"é"}'.encode(),
    )


@pytest.mark.parametrize(
    ("written", "response"),
    [
        (
            "{fault: {http: 503}}",
            (
                503,
                {"Content-Type": "application/trouble"},
                {"fault": 503, "text": "scenario: the server answers 503"},
            ),
        ),
        (
            "{fault: {http: 429, body: {job: '${task_id}'},"
            " headers: {Retry-After: '1', Content-Type: text/plain}}}",
            (429, {"Content-Type": "text/plain", "Retry-After": "1"}, {"job": 7}),
        ),
        ("{fault: {http: 500, body: {}}}", (500, {"Content-Type": "application/trouble"}, {})),
        (
            "{fault: {text: '<p>${task_id} of ${token}'}}",
            (200, {"Content-Type": "text/html"}, "<p>7 of t-1"),
        ),
        (
            "{fault: {http: 502, text: <p>bad gateway, headers: {X-Task: '${task_id}'}}}",
            (502, {"Content-Type": "text/html", "X-Task": "7"}, "<p>bad gateway"),
        ),
        ("{fault: {text: '${n}'}}", (200, {"Content-Type": "text/html"}, "2")),
        (
            "{fault: {text: '', headers: {Content-Type: application/json}}}",
            (200, {"Content-Type": "application/json"}, ""),
        ),
        (
            "{fault: {drop: mid-body}}",
            (
                200,
                {"Content-Type": "application/parcel"},
                {"job": 7, "state": "queued", "parcel": None, "trouble": None, "seen": 5},
            ),
        ),
    ],
)
def test_a_fault_is_what_the_scenario_says(
    written: str, response: tuple[int, dict[str, str], Any], contract: Contract
) -> None:
    assert sent(contract, written) == response


# --- any task, polled anyhow --------------------------------------------------------------------------

_STATUS = st.sampled_from(["queued", "running", "done", "lost", "never heard of"])
_STEPS = st.one_of(
    st.builds(lambda status, times: f"{{status: {status}, times: {times}}}", _STATUS, st.integers(1, 4)),
    st.builds(lambda status: f"{{status: {status}, times: forever}}", _STATUS),
    st.builds(lambda status, ms: f"{{status: {status}, for: {ms}ms}}", _STATUS, st.integers(0, 3000)),
    st.builds(
        lambda http, times: f"{{fault: {{http: {http}}}, times: {times}}}",
        st.integers(300, 599),
        st.integers(1, 3),
    ),
    st.builds(
        lambda kind, times: f"{{fault: {{drop: {kind}}}, times: {times}}}",
        st.sampled_from(["reset", "mid-body", "before-response"]),
        st.integers(1, 3),
    ),
    st.just("{fault: {text: <p>}, for: 1s}"),
)
_REQUESTS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.01, 0.1, 0.101, 0.5, 1.0, 70.0]), st.integers(1, 3), st.booleans()),
    max_size=30,
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(_STEPS, min_size=1, max_size=5), _REQUESTS)
def test_any_task_has_an_answer_for_any_poll(
    written: list[str], requests: list[tuple[float, int, bool]]
) -> None:
    state = task(*written)
    said: list[TaskAnswer] = []
    now_s = 0.0
    for pause_s, connection, fresh in requests:
        now_s += pause_s
        state, answered = answer(state, now_s, connection=connection, fresh=fresh)
        said.append(answered)

    polls = [each.n for each in said if not each.repeat]
    indices = [each.index for each in said]
    assert polls == list(range(1, len(polls) + 1))
    assert state.polls == len(polls)
    assert indices == sorted(indices)
    assert all(later - earlier <= 1 for earlier, later in pairwise(indices))
    assert all(each.step is state.steps[each.index] for each in said)
    assert all(
        each.n == before.n and each.step is before.step for before, each in pairwise(said) if each.repeat
    )
    last = len(written) - 1
    assert last not in indices or set(indices[indices.index(last) :]) == {last}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.integers(0, 30))
def test_steps_that_count_polls_answer_as_many_as_they_say(times: list[int], more: int) -> None:
    state = task(*(f"{{status: s{number}, times: {count}}}" for number, count in enumerate(times)))

    answers = labels(state, range(sum(times) + more))

    assert (
        answers
        == [f"s{number}" for number, count in enumerate(times) for _ in range(count)]
        + [f"s{len(times) - 1}"] * more
    )


# --- redirects ----------------------------------------------------------------------------------------

REDIRECT = "{fault: {http: 302, headers: {Location: /elsewhere}}}"


def test_a_request_that_follows_a_redirect_is_the_same_poll_and_gets_the_next_answer() -> None:
    answers, state = play(
        task(REDIRECT, "{status: queued}", "{status: done}"),
        [(0.0, 1, True), (0.01, 1, False), (1.0, 1, False)],
    )

    assert answers == [(1, "302", False), (1, "queued", False), (2, "done", False)]
    assert state.polls == 2


def test_redirects_in_a_row_are_one_poll() -> None:
    answers, _ = play(task(REDIRECT), [(number / 100, 1, False) for number in range(4)])

    assert [n for n, _, _ in answers] == [1, 1, 1, 1]


def test_a_request_100_ms_after_a_redirect_is_the_next_poll() -> None:
    answers, _ = play(task(REDIRECT, "{status: done}"), [(0.0, 1, True), (0.101, 1, False)])

    assert answers == [(1, "302", False), (2, "done", False)]


def test_a_delayed_redirect_or_drop_is_followed_or_repeated_after_its_delay() -> None:
    redirect = "{fault: {http: 302, headers: {Location: /elsewhere}}, delay: 2s}"
    drop = "{fault: {drop: reset}, delay: 2s}"
    requests = [(0.0, 1, True), (2.01, 2, True)]

    assert play(task(redirect, "{status: done}"), requests)[0][1] == (1, "done", False)
    assert play(task(drop, "{status: done}"), requests)[0][1] == (1, "drop:reset", True)
    early, _ = play(task(drop, "{status: done}"), [(0.0, 1, True), (1.0, 2, True)])
    assert early[1] == (2, "done", False)
