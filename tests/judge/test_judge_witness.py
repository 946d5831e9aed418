"""What the journal alone tells of a wait on a served task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from observations import COMPLETED, CREDENTIALS, FOREVER, PENDING, RUNNING, STREAM, TARGET, TASK_ID, scenario
from waitproof.journal import Ended, Progress
from waitproof.judge import Sighting, Status, journal_verdicts, judge_by_journal
from waitproof.judge.observation import Poll, TaskRecord
from waitproof.suite.scenario import Scenario, WaitOptions
from waitproof.suite.task import TaskState, answer

COMPLETES = scenario(PENDING, RUNNING, COMPLETED, wait={"poll_interval": "1s", "timeout": "10s"})
NEVER_ENDS = scenario(FOREVER, wait={"poll_interval": "1s", "timeout": "5s"})
BY_DEFAULT = scenario(FOREVER, wait={})


START_S = 50.0  # of what is seen, on the server's clock; the tests' times count from it


def polls(of: Scenario, at: Sequence[float], took_s: float = 0.001, **more: Any) -> TaskRecord:
    """Return a task whose polls arrived then, answered as the scenario says."""
    state, told = TaskState(of.task), []
    for arrived_s in (START_S + since_s for since_s in at):
        state, said = answer(state, arrived_s)
        poll = Poll(
            said.n,
            arrived_s,
            arrived_s + took_s,
            status=said.step.label,
            step=said.index,
            target=TARGET,
            headers=CREDENTIALS,
        )
        told.append(replace(poll, **more))
    return TaskRecord(1, TASK_ID, polls=tuple(told))


def seen(
    of: Scenario, at: Sequence[float], now_s: float = 100.0, lag_s: float = 0.0, **more: Any
) -> Sighting:
    late = {"lag_s": lag_s} if lag_s else {}  # a clock that nobody has heard of is on time
    return looked(of, polls(of, at, **more), now_s, **late)


def looked(of: Scenario, task: TaskRecord, now_s: float, **more: Any) -> Sighting:
    return judge_by_journal(STREAM, of, task, now_s=START_S + now_s, **more)


def statuses(of: Scenario, *sightings: Sighting) -> dict[str, Status]:
    return {verdict.requirement: verdict.status for verdict in journal_verdicts(STREAM, of, sightings)}


ALWAYS = {
    "polls-task-status-endpoint": Status.PASS,
    "one-poll-in-flight": Status.PASS,
    "polls-carry-credentials": Status.PASS,
}


def test_before_the_first_poll_nothing_is_said() -> None:
    nothing = looked(COMPLETES, TaskRecord(1, TASK_ID), 9.0)

    assert (nothing.progress, statuses(COMPLETES, nothing)) == (Progress.IDLE, {})


def test_a_wait_that_polls_until_the_task_is_done_keeps_what_the_server_can_witness() -> None:
    done = seen(COMPLETES, [0.0, 1.0, 2.0], now_s=5.0)

    assert done.progress is Progress.DONE
    assert statuses(COMPLETES, done) == ALWAYS | {
        "polls-until-terminal": Status.PASS,
        "no-poll-after-outcome": Status.PASS,
    }


def test_a_poll_after_the_outcome_is_told_at_once_and_its_absence_when_it_was_watched_for() -> None:
    early = seen(COMPLETES, [0.0, 1.0, 2.0], now_s=2.5)
    again = seen(COMPLETES, [0.0, 1.0, 2.0, 3.0], now_s=3.1)

    assert early.progress is Progress.POLLING
    assert "no-poll-after-outcome" not in statuses(COMPLETES, early)
    assert statuses(COMPLETES, again)["no-poll-after-outcome"] is Status.WARN


@pytest.mark.parametrize(("count", "is_told"), [(4, False), (5, True)])
def test_an_interval_is_kept_when_four_periods_show_it(count: int, is_told: bool) -> None:
    told = statuses(NEVER_ENDS, seen(NEVER_ENDS, [float(n) for n in range(count)], now_s=count - 0.5))

    assert ("override-poll-interval" in told) is is_told


def test_a_client_that_stops_before_the_task_is_done_and_before_its_timeout_has_given_up() -> None:
    polling = seen(COMPLETES, [0.0, 1.0], now_s=3.9)
    stopped = seen(COMPLETES, [0.0, 1.0], now_s=4.1)

    assert (polling.progress, stopped.progress) == (Progress.POLLING, Progress.STOPPED)
    assert "polls-until-terminal" not in statuses(COMPLETES, polling)
    (verdict,) = (
        each
        for each in journal_verdicts(STREAM, COMPLETES, [stopped])
        if each.requirement == "polls-until-terminal"
    )
    assert verdict.status is Status.FAIL
    assert verdict.seen == (
        "2 polls in 1.00 s, the last answered running, and then none: the task was not done, and the "
        "timeout of 10.00 s had not passed"
    )


def test_a_client_that_stops_is_told_by_what_it_heard_last() -> None:
    stopped = seen(COMPLETES, [0.0], now_s=4.1)

    (told,) = (
        each.seen for each in journal_verdicts(STREAM, COMPLETES, [stopped]) if each.status is Status.FAIL
    )
    assert told.startswith("1 poll in 0 ms, the last answered pending, and then none: ")


@pytest.mark.parametrize("last", [range(5), range(6), [0, 1, 2, 3, 4, 5, 5.3]])
def test_the_timeout_shows_as_the_last_poll(last: Sequence[float]) -> None:
    told = statuses(NEVER_ENDS, seen(NEVER_ENDS, list(last)))

    assert told["override-timeout"] is Status.PASS
    assert told["override-poll-interval"] is Status.PASS
    assert not {"default-timeout", "default-poll-interval", "polls-until-terminal"} & told.keys()


def test_a_client_that_gives_up_far_too_soon_breaks_its_timeout() -> None:
    assert statuses(NEVER_ENDS, seen(NEVER_ENDS, [0.0, 1.0]))["override-timeout"] is Status.FAIL


@pytest.mark.parametrize(
    ("of", "last_s", "status"),
    [
        (NEVER_ENDS, 1.99, Status.PASS),  # 5 s, less three intervals and 20 ms
        (NEVER_ENDS, 1.97, Status.FAIL),
        (scenario(FOREVER, wait={"poll_interval": "200ms", "timeout": "1s"}), 0.39, Status.PASS),
        (scenario(FOREVER, wait={"poll_interval": "200ms", "timeout": "1s"}), 0.37, Status.FAIL),
        (scenario(FOREVER, wait={"poll_interval": "2s", "timeout": "3s"}), 0.0, Status.PASS),
    ],
)
def test_the_last_poll_may_come_three_intervals_before_the_timeout(
    of: Scenario, last_s: float, status: Status
) -> None:
    told = seen(of, [0.0, last_s] if last_s else [0.0])

    assert statuses(of, told)["override-timeout"] is status
    assert ("polls-until-terminal" in statuses(of, told)) == (status is Status.FAIL)


@pytest.mark.parametrize(
    ("last_s", "stalls", "status"),
    [
        (6.09, False, Status.PASS),  # 5 s, an interval and 100 ms
        (6.11, False, Status.INCONCLUSIVE),
        (6.11, True, Status.PASS),  # a poll was in flight at the timeout for a second and a half
    ],
)
def test_the_last_poll_may_come_an_interval_after_the_timeout(
    last_s: float, stalls: bool, status: Status
) -> None:
    told = looked(NEVER_ENDS, polls(NEVER_ENDS, [0.0, 1.0, 2.0, 3.0, 4.0, last_s]), 100.0)
    if stalls:
        task = polls(NEVER_ENDS, [0.0, 1.0, 2.0, 3.0, 4.0, last_s])
        slow = replace(task.polls[4], answered_s=START_S + 5.5)
        told = looked(NEVER_ENDS, replace(task, polls=(*task.polls[:4], slow, task.polls[5])), 100.0)

    (verdict,) = (
        each
        for each in journal_verdicts(STREAM, NEVER_ENDS, [told])
        if each.requirement == "override-timeout"
    )
    assert verdict.status is status


def test_a_timeout_that_is_late_by_no_more_than_the_server_was_settles_nothing() -> None:
    late = [seen(NEVER_ENDS, [0.0, 1.0, 2.0, 3.0, 4.0, 6.3], lag_s=lag_s) for lag_s in (0.0, 0.21)]

    assert [statuses(NEVER_ENDS, *[each] * 3)["override-timeout"] for each in late] == [
        Status.FAIL,
        Status.INCONCLUSIVE,
    ]


@pytest.mark.parametrize(("second_s", "is_fine"), [(0.49, True), (0.481, True), (0.479, False), (0.1, False)])
def test_a_second_poll_may_come_half_an_interval_after_a_first_that_had_to_connect(
    second_s: float, is_fine: bool
) -> None:
    told = seen(NEVER_ENDS, [0.0, second_s, *(second_s + n for n in range(1, 5))])

    assert statuses(NEVER_ENDS, told)["override-poll-interval"] is (
        Status.PASS if is_fine else Status.INCONCLUSIVE
    )


def test_two_polls_say_of_the_interval_that_they_are_too_close_and_nothing_else() -> None:
    assert "override-poll-interval" not in statuses(NEVER_ENDS, seen(NEVER_ENDS, [0.0], now_s=0.5))
    assert "override-poll-interval" not in statuses(NEVER_ENDS, seen(NEVER_ENDS, [0.0, 1.0], now_s=1.5))
    close = seen(NEVER_ENDS, [0.0, 0.2], now_s=0.5)
    assert statuses(NEVER_ENDS, close)["override-poll-interval"] is Status.INCONCLUSIVE


def test_a_second_poll_that_is_early_by_no_more_than_the_server_was_late_settles_nothing() -> None:
    early = [seen(NEVER_ENDS, [0.0, 0.4, 1.4, 2.4, 3.4], lag_s=lag_s) for lag_s in (0.07, 0.09)]

    assert [statuses(NEVER_ENDS, *[each] * 3)["override-poll-interval"] for each in early] == [
        Status.FAIL,
        Status.INCONCLUSIVE,
    ]


def test_the_newest_of_some_waits_is_the_one_that_is_told_of() -> None:
    right, short = seen(COMPLETES, [0.0, 1.0, 2.0]), seen(COMPLETES, [0.0, 1.0])

    assert statuses(COMPLETES, short, right)["polls-until-terminal"] is Status.PASS
    assert statuses(COMPLETES, right, short)["polls-until-terminal"] is Status.FAIL
    assert {each.timeline for each in journal_verdicts(STREAM, COMPLETES, [right, short])} == {short.timeline}


def test_four_waits_on_end_are_no_less_a_fact_than_three() -> None:
    hasty = seen(NEVER_ENDS, [0.5 * n for n in range(11)])
    right = seen(NEVER_ENDS, [float(n) for n in range(6)])

    told = [
        statuses(NEVER_ENDS, *sightings)["override-poll-interval"]
        for sightings in ([hasty] * 4, [right, hasty, hasty, hasty], [hasty, hasty, right, hasty])
    ]

    assert told == [Status.FAIL, Status.FAIL, Status.INCONCLUSIVE]


def test_requirements_of_another_language_or_another_variant_are_not_judged() -> None:
    foreign = {each.id for each in STREAM.requirements if each.applies_to.model_dump(exclude_none=True)}
    told = statuses(NEVER_ENDS, seen(NEVER_ENDS, [float(n) for n in range(6)]))

    assert foreign
    assert not foreign & told.keys()


def test_a_client_that_polls_far_beyond_its_timeout_is_told_while_it_does() -> None:
    late = seen(NEVER_ENDS, [float(n) for n in range(8)], now_s=7.1)

    assert statuses(NEVER_ENDS, late)["override-timeout"] is Status.INCONCLUSIVE
    assert statuses(NEVER_ENDS, late, late, late)["override-timeout"] is Status.FAIL


def test_where_no_option_is_passed_the_documented_defaults_hold() -> None:
    told = statuses(BY_DEFAULT, seen(BY_DEFAULT, [float(n) for n in range(61)]))

    assert (told["default-timeout"], told["default-poll-interval"]) == (Status.PASS, Status.PASS)
    assert not {"override-timeout", "override-poll-interval"} & told.keys()


def test_options_that_are_given_hold_in_place_of_the_scenarios() -> None:
    options = WaitOptions.model_validate({"poll_interval": "2s", "timeout": "20s"})
    task = polls(COMPLETES, [0.0, 2.0, 4.0])

    told = looked(COMPLETES, task, 30.0, options=options)
    hasty = looked(COMPLETES, polls(COMPLETES, [0.0, 1.0, 2.0]), 30.0, options=options)

    assert "override-poll-interval" not in statuses(COMPLETES, told)
    assert statuses(COMPLETES, hasty)["override-poll-interval"] is Status.INCONCLUSIVE


def test_a_suspicion_about_time_is_a_fact_when_three_waits_in_a_row_show_it() -> None:
    hasty = seen(NEVER_ENDS, [0.5 * n for n in range(11)])
    right = seen(NEVER_ENDS, [float(n) for n in range(6)])

    def told(*sightings: Sighting) -> tuple[Status, str]:
        found = {verdict.requirement: verdict for verdict in journal_verdicts(STREAM, NEVER_ENDS, sightings)}
        verdict = found["override-poll-interval"]
        return verdict.status, verdict.explanation

    unsettled = "could be a busy machine: counted after 3 waits in a row, this is the"
    assert told(hasty) == (Status.INCONCLUSIVE, f"{unsettled} 1st")
    assert told(hasty, hasty) == (Status.INCONCLUSIVE, f"{unsettled} 2nd")
    assert told(hasty, hasty, hasty) == (Status.FAIL, "seen in 3 waits in a row")
    assert told(hasty, right, hasty) == (Status.INCONCLUSIVE, f"{unsettled} 1st")


def test_a_server_that_was_as_late_as_the_client_was_wrong_settles_nothing() -> None:
    hasty = seen(NEVER_ENDS, [0.0, 1.0, 2.3, 3.1, 4.1], lag_s=0.4)
    (verdict,) = (
        each
        for each in journal_verdicts(STREAM, NEVER_ENDS, [hasty] * 3)
        if each.requirement == "override-poll-interval"
    )

    assert verdict.status is Status.INCONCLUSIVE
    assert verdict.explanation == "a busy machine explains it as well (worst scheduling delay: 0.40 s)"


def test_the_lateness_that_is_told_of_is_the_newest_waits() -> None:
    waits = [seen(NEVER_ENDS, [0.0, 1.0, 2.3, 3.1, 4.1], lag_s=lag_s) for lag_s in (0.0, 0.5, 0.4)]

    told = next(
        e for e in journal_verdicts(STREAM, NEVER_ENDS, waits) if e.requirement == "override-poll-interval"
    )

    assert told.explanation == "a busy machine explains it as well (worst scheduling delay: 0.40 s)"


def test_who_gives_up_is_told_with_all_its_polls_after_two_intervals_of_silence_and_a_second() -> None:
    slow = scenario({"status": "running", "times": "forever"}, wait={"poll_interval": "2s", "timeout": "20s"})
    polling = seen(slow, [0.0, 2.0, 4.0], now_s=8.9)
    stopped = seen(slow, [0.0, 2.0, 4.0], now_s=9.1)

    told = next(
        e for e in journal_verdicts(STREAM, slow, [stopped]) if e.requirement == "polls-until-terminal"
    )

    assert (polling.progress, stopped.progress) == (Progress.POLLING, Progress.STOPPED)
    assert told.seen.startswith("3 polls in 4.00 s, the last answered running, and then none")


def test_another_request_breaks_the_endpoint_and_one_without_credentials_theirs() -> None:
    task = polls(COMPLETES, [0.0, 1.0, 2.0], headers={})
    task = replace(task, others=(Poll(0, START_S + 3.0, START_S + 3.1, method="DELETE", target=TARGET),))

    told = statuses(COMPLETES, looked(COMPLETES, task, 9.0))

    assert told["polls-task-status-endpoint"] is Status.FAIL
    assert told["polls-carry-credentials"] is Status.WARN


def test_a_poll_in_flight_is_waited_for() -> None:
    task = polls(COMPLETES, [0.0, 1.0])
    stalled = replace(task.polls[1], answered_s=None, ended=Ended.IN_FLIGHT)

    told = looked(COMPLETES, replace(task, polls=(task.polls[0], stalled)), 60.0)

    assert told.progress is Progress.POLLING


def test_where_a_fault_may_have_ended_the_wait_nothing_is_said_about_its_end() -> None:
    faulty = scenario(PENDING, {"fault": {"http": 500}, "times": "forever"}, wait={"poll_interval": "1s"})

    told = statuses(faulty, seen(faulty, [0.0, 1.0]))

    assert not {"polls-until-terminal", "default-timeout"} & told.keys()


def test_what_only_the_caller_saw_is_not_judged() -> None:
    told = statuses(COMPLETES, seen(COMPLETES, [0.0, 1.0, 2.0]))

    assert not {"completed-returns-result", "ships-wait-helper", "operation-returns-task-id"} & told.keys()
