"""Who waits on a served task is judged by what belongs to the wait, and by no more."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from waitproof.journal import Ended, JournalEntry, Progress
from waitproof.judge import Status
from waitproof.serve.server import ServeOptions, Service, serving
from waitproof.serve.task import Limits, TaskView
from waitproof.serve.verdicts import WaitJudge
from waitproof.suite.catalog import Catalog
from waitproof.suite.files import bundled_suite
from waitproof.suite.intervals import Intervals
from waitproof.suite.scenario import Scenario, WaitOptions
from waitproof.suite.task import TaskState, answer

CATALOG = Catalog()
NEVER_ENDS = CATALOG.inline("task: [{status: running, times: forever}]")
COMPLETES = CATALOG.get("completes-after-3-polls")
OPTIONS = WaitOptions.model_validate({"poll_interval": "1s", "timeout": "5s"})
SECOND = 10**9


def wait(
    name: str, at: Sequence[float], *, scenario: Scenario = NEVER_ENDS, began_s: float = 0.0
) -> TaskView:
    """Return a wait whose polls arrived then, in seconds after it began, a minute after it was over."""
    state, entries = TaskState(scenario.task), []
    for number, arrived_s in enumerate(at, 1):
        state, said = answer(state, arrived_s)
        arrived_ns = int((began_s + arrived_s) * SECOND)
        entry = JournalEntry(
            serial=number,
            task_id=name,
            kind="poll",
            method="GET",
            target="/api/v2/tasks/x?api_key=k",
            headers={"authorization": "jwt", "stream-auth-type": "jwt"},
            arrived_ns=arrived_ns,
            connection=1,
            fresh=False,
        )
        entries.append(
            replace(
                entry,
                answered_ns=arrived_ns + 10**6,
                ended=Ended.ANSWERED,
                http=200,
                n=said.n,
                step=said.index,
                status=said.step.label,
            )
        )
    return TaskView(
        number=int(name),
        wait=1,
        task_id=name,
        scenario=scenario,
        options=OPTIONS,
        created=datetime.now(UTC),
        progress=Progress.POLLING,
        state=TaskState(scenario.task),
        intervals=Intervals(1.0),
        interval_s=1.0,
        timeout_s=5.0,
        max_polls=None,
        requests=tuple(entries),
        count=len(entries),
        other_count=0,
        origin_ns=int(began_s * SECOND),
        now_ns=int((began_s + at[-1] + 2 + 60) * SECOND),
        verdicts=(),
        version=1,
    )


def status(judge: WaitJudge, seen: TaskView, requirement: str = "override-poll-interval") -> Status:
    _, verdicts = judge.judge(seen, ended_ns=seen.now_ns - 60 * SECOND, lag_s=0.0)
    return {verdict.requirement: verdict.status for verdict in verdicts}[requirement]


HASTY = [0.5 * n for n in range(11)]
RIGHT = [1.0 * n for n in range(6)]


def test_three_waits_one_after_another_that_show_the_same_make_it_a_fact() -> None:
    judge = WaitJudge(CATALOG.contract)

    told = [status(judge, wait(f"{n}", HASTY, began_s=20.0 * n)) for n in range(3)]

    assert told == [Status.INCONCLUSIVE, Status.INCONCLUSIVE, Status.FAIL]


def test_waits_that_overlap_count_once() -> None:
    judge = WaitJudge(CATALOG.contract)

    told = [status(judge, wait(f"{n}", HASTY, began_s=0.1 * n)) for n in range(4)]

    assert told == [Status.INCONCLUSIVE] * 4


def test_a_wait_that_is_looked_at_again_stays_where_it_was() -> None:
    judge = WaitJudge(CATALOG.contract)
    waits = [wait(f"{n}", at, began_s=20.0 * n) for n, at in enumerate([HASTY, RIGHT, HASTY, HASTY])]
    first = [status(judge, each) for each in waits]

    again = [status(judge, each) for each in waits]

    assert first == again == [Status.INCONCLUSIVE, Status.PASS, Status.INCONCLUSIVE, Status.INCONCLUSIVE]


def test_waits_on_tasks_that_behave_differently_are_not_compared() -> None:
    judge = WaitJudge(CATALOG.contract)
    others = [
        CATALOG.inline(f"task: [{{status: running, times: {n}}}, {{status: running, times: forever}}]")
        for n in (1, 2, 3)
    ]

    told = [
        status(judge, wait(f"{n}", HASTY, scenario=each, began_s=20.0 * n)) for n, each in enumerate(others)
    ]

    assert told == [Status.INCONCLUSIVE] * 3


def test_a_second_poll_at_once_is_a_suspicion() -> None:
    assert (
        status(WaitJudge(CATALOG.contract), wait("1", [0.0, 0.01, 1.01, 2.01, 3.01, 4.01]))
        is Status.INCONCLUSIVE
    )


def test_a_first_poll_that_had_to_connect_shortens_nobodys_period() -> None:
    assert status(WaitJudge(CATALOG.contract), wait("1", [0.0, 0.7, 1.7, 2.7, 3.7, 4.7])) is Status.PASS


def test_a_tight_loop_is_judged_in_no_time() -> None:
    at = [0.0002 * n for n in range(20_000)]

    assert status(WaitJudge(CATALOG.contract), wait("1", at)) is Status.INCONCLUSIVE


# --- what belongs to a wait ---------------------------------------------------------------------------


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(ServeOptions(bundled_suite())) as service:
        yield service


def poll(service: Service, session: requests.Session, task_id: str) -> None:
    headers = {"Authorization": "jwt", "Stream-Auth-Type": "jwt"}
    session.get(f"{service.base_url}/api/v2/tasks/{task_id}?api_key=k", headers=headers, timeout=10)


def until_answered(service: Service, task_id: str) -> None:
    """Wait until it is on record that the newest poll was answered: its client may know before."""
    for _ in range(1000):
        view = service.waits.view(task_id)
        if view and view.polls and view.polls[-1].ended is Ended.ANSWERED:
            return
        service.watcher.closing.wait(0.01)
    pytest.fail(f"no answer to a poll of {task_id} is on record")


def verdicts(service: Service, task_id: str) -> dict[str, str]:
    url = f"{service.base_url}/_waitproof/tasks/{task_id}/verdicts"
    return {each["requirement"]: each["status"] for each in requests.get(url, timeout=10).json()["verdicts"]}


def test_another_call_on_the_connection_of_a_wait_is_no_part_of_it(service: Service) -> None:
    with requests.Session() as session:
        for _ in range(3):
            poll(service, session, "completes-after-3-polls~1")
        session.get(f"{service.base_url}/api/v2/app", timeout=10)

    assert verdicts(service, "completes-after-3-polls~1")["polls-task-status-endpoint"] == "PASS"


def test_another_method_on_the_tasks_path_is(service: Service) -> None:
    with requests.Session() as session:
        poll(service, session, "completes-after-3-polls~1")
        session.delete(f"{service.base_url}/api/v2/tasks/completes-after-3-polls~1", timeout=10)

    assert verdicts(service, "completes-after-3-polls~1")["polls-task-status-endpoint"] == "FAIL"


def test_who_waits_on_a_finished_task_again_makes_another_wait(service: Service) -> None:
    options = WaitOptions.model_validate({"poll_interval": "50ms", "timeout": "1s"})
    service.manager.add(CATALOG.get("already-completed"), "t", options)
    with requests.Session() as session:
        poll(service, session, "t")
        until_answered(service, "t")
        service.watcher.closing.wait(0.2)  # twice as long as such a wait is watched
        poll(service, session, "t")

    view = service.waits.view("t")
    assert view is not None
    assert (view.count, len(view.polls)) == (1, 1)
    assert "no-poll-after-outcome" not in {
        verdict.requirement for verdict in view.verdicts if verdict.status is Status.WARN
    }


def test_a_client_that_never_stops_is_told_of(service: Service) -> None:
    told: list[Any] = []
    service.waits.on_over = told.append
    with requests.Session() as session, service.waits.watched():
        for _ in range(200):
            poll(service, session, "already-completed~1")
            if told:
                break
            service.watcher.closing.wait(0.02)

    assert told, "a client that polls on was never told of"
    statuses = {verdict.requirement: verdict.status for verdict in told[0].verdicts}
    assert statuses["no-poll-after-outcome"] is Status.WARN
    assert told[0].progress is Progress.DONE


def test_a_wait_that_timed_out_is_reported_once_with_its_timeout(service: Service) -> None:
    options = WaitOptions.model_validate({"poll_interval": "100ms", "timeout": "500ms"})
    service.manager.add(CATALOG.get("never-ends"), "t", options)
    reported: list[TaskView] = []
    service.waits.on_over = reported.append
    with requests.Session() as session, service.waits.watched():
        for _ in range(6):
            poll(service, session, "t")
            service.watcher.closing.wait(0.1)
        for _ in range(400):
            if reported:
                break
            service.watcher.closing.wait(0.05)
        service.watcher.closing.wait(1.0)

    assert [view.progress for view in reported] == [Progress.STOPPED]
    told = {each.requirement: each.status for each in reported[0].verdicts}
    # On a busy machine the pauses of this test are late, and the judge says that it cannot tell.
    assert told["override-timeout"] in {Status.PASS, Status.INCONCLUSIVE}


def test_a_wait_without_a_known_outcome_is_not_said_to_be_still_waiting(service: Service) -> None:
    with requests.Session() as session:
        poll(service, session, "already-completed~1")
    until_answered(service, "already-completed~1")
    for _ in range(400):
        view = service.waits.view("already-completed~1")
        if view is not None and view.progress is Progress.DONE:
            break
        service.watcher.closing.wait(0.05)

    assert view is not None
    seen = {each.requirement: each.seen for each in view.verdicts}
    assert seen["no-poll-after-outcome"] == "none after the answer that ended the task"


def test_a_result_that_nothing_can_fill_in_is_refused(service: Service) -> None:
    url = f"{service.base_url}/_waitproof/tasks"
    requests.post(url, json={"scenario": "never-ends", "task_id": "t"}, timeout=10)

    refused = requests.post(f"{url}/t/actions/complete", json={"result": "${bogus}"}, timeout=10)

    assert refused.status_code == 422
    assert "bogus" in refused.json()["message"]


def test_a_contract_without_a_status_for_it_cannot_fail_a_task() -> None:
    with serving(ServeOptions(bundled_suite().parent.parent / "tests" / "suites" / "mini")) as service:
        url = f"{service.base_url}/_waitproof/tasks"
        name = service.manager.catalog.ids()[0]
        task_id = requests.post(url, json={"scenario": name}, timeout=10).json()["task_id"]

        refused = requests.post(f"{url}/{task_id}/actions/fail", timeout=10)

    assert (refused.status_code, refused.json()["message"]) == (
        422,
        "no status of this contract says that a task has failed",
    )


def test_a_task_whose_client_was_told_its_end_is_forgotten_as_finished_though_nobody_looks() -> None:
    with serving(ServeOptions(bundled_suite(), limits=Limits(finished_s=0.01, idle_s=600.0))) as service:
        with requests.Session() as session:
            poll(service, session, "already-completed~1")
        for _ in range(100):
            if not service.manager.ids():
                break
            service.watcher.closing.wait(0.1)

        assert service.manager.ids() == []


def test_what_goes_wrong_with_whoever_is_told_of_files_does_not_end_the_keeping() -> None:
    def broken(_change: object) -> None:
        raise BrokenPipeError

    with serving(ServeOptions(bundled_suite()), on_change=broken) as service:
        service.manager.catalog.refresh = lambda: [object()]  # type: ignore[method-assign, list-item]
        service.watcher.closing.wait(1.0)

        assert service.watcher.is_alive
