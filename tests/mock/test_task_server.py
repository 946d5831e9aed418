"""A server of scenarios by name: the fixture of the plugin, and the class for use without pytest."""

from __future__ import annotations

import pytest
import requests
from waitproof.errors import InputError
from waitproof.mock.server import TaskServer
from waitproof.suite.catalog import Catalog
from waitproof.suite.contract import Contract
from waitproof.suite.files import CONTRACT, bundled_suite, load_contract

EXAMPLE = "completes-after-3-polls"


def poll(server: TaskServer, task_id: str | int) -> str:
    status: str = requests.get(f"{server.base_url}/api/v2/tasks/{task_id}", timeout=5).json()["status"]
    return status


def test_the_fixture_serves_a_task_of_a_scenario(task_server: TaskServer) -> None:
    task_id = task_server.add(EXAMPLE)

    assert [poll(task_server, task_id) for _ in range(3)] == ["pending", "running", "completed"]
    assert [entry.status for entry in task_server.polls(task_id)] == ["pending", "running", "completed"]


def test_each_task_has_an_id_and_a_state_of_its_own(task_server: TaskServer) -> None:
    first, second = task_server.add(EXAMPLE), task_server.add(EXAMPLE)
    named = task_server.add("outcomes/fails-with-stack-trace", "mine")

    assert (first, second, named) == (f"{EXAMPLE}~1", f"{EXAMPLE}~2", "mine")
    assert [poll(task_server, first), poll(task_server, first), poll(task_server, second)] == [
        "pending",
        "running",
        "pending",
    ]


def test_a_polled_id_that_names_a_scenario_needs_no_set_up(task_server: TaskServer) -> None:
    assert poll(task_server, f"{EXAMPLE}~anything") == "pending"


def test_an_operation_begins_the_task_that_its_body_names(task_server: TaskServer) -> None:
    url = f"{task_server.base_url}/api/v2/export/users"

    begun = requests.post(url, json={"user_ids": ["already-completed"]}, timeout=5).json()

    assert poll(task_server, begun["task_id"]) == "completed"


def test_a_task_may_be_written_in_the_test(task_server: TaskServer) -> None:
    result = {
        "name": '\U0001f600 \u2028 \x7f \\ " \n',
        "deep": [{"a": None}],
        "again": [steps := [1.5, True], steps],
    }
    task_id = task_server.add(
        {"task": [{"status": "running"}, {"status": "completed", "result": result}]},
    )

    url = f"{task_server.base_url}/api/v2/tasks/{task_id}"
    assert [requests.get(url, timeout=5).json()["status"] for _ in range(2)] == ["running", "completed"]
    assert requests.get(url, timeout=5).json()["result"] == result


def test_a_task_that_is_written_wrong_is_refused_with_the_place(task_server: TaskServer) -> None:
    with pytest.raises(InputError) as caught:
        task_server.add({"task": [{"statu": "completed"}]})

    (mistake,) = caught.value.mistakes
    assert (mistake.place, mistake.fix) == ("inline:1:12", "did you mean 'status'?")


def test_no_client_of_a_test_uses_a_proxy_for_the_server(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import os, pytest, requests

        @pytest.fixture(autouse=True)
        def proxy(monkeypatch):
            for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
                monkeypatch.setenv(name, "http://127.0.0.1:1")
            monkeypatch.setenv("no_proxy", "example.com")
            yield
            assert "127.0.0.1" not in os.environ["no_proxy"]

        def test_poll(task_server):
            task_id = task_server.add({"task": [{"status": "completed"}]})
            url = f"{task_server.base_url}/api/v2/tasks/{task_id}"
            assert requests.get(url, timeout=5).json()["status"] == "completed"
            assert os.environ["NO_PROXY"] == "example.com,127.0.0.1,localhost"

        def test_none(monkeypatch, request):
            monkeypatch.setenv("no_proxy", "*")
            request.getfixturevalue("task_server")
            assert os.environ["NO_PROXY"] == os.environ["no_proxy"] == "*"
        """
    )

    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=2)


def test_an_unknown_scenario_is_refused_with_the_nearest(task_server: TaskServer) -> None:
    with pytest.raises(InputError, match="similar names: completes-after-3-polls"):
        task_server.add("completes-after-3-pols")


def test_the_rest_of_an_api_stands_beside_the_tasks(task_server: TaskServer) -> None:
    task_server.expect_request("/api/v2/app").respond_with_json({"app": 1})

    assert requests.get(f"{task_server.base_url}/api/v2/app", timeout=5).json() == {"app": 1}


def test_a_server_of_a_contract_alone_knows_scenarios_that_it_is_handed() -> None:
    contract: Contract = load_contract(bundled_suite() / CONTRACT)
    scenario = Catalog().get(EXAMPLE)
    with TaskServer(contract) as server:
        assert poll(server, server.add(scenario, "t")) == "pending"
        with pytest.raises(InputError, match="knows no scenario by name"):
            server.add(EXAMPLE)


def test_another_suite_can_be_served(pytester: pytest.Pytester) -> None:
    suite = pytester.mkdir("suite")
    text = (bundled_suite() / CONTRACT).read_text().replace(f"example: outcomes/{EXAMPLE}", "")
    (suite / CONTRACT).write_text(text)
    (suite / "mine.yaml").write_text(
        "format: 1\nsummary: Mine.\nproves: [completed-returns-result]\n"
        "task: [{status: completed}]\ncalls: [{wait: {}}]\n"
    )
    pytester.makeconftest(
        """
        import pytest
        from pathlib import Path

        @pytest.fixture(scope="session")
        def task_server_suite():
            return Path("suite")
        """
    )
    pytester.makepyfile(
        """
        def test_mine(task_server):
            assert task_server.add("mine") == "mine~1"
        """
    )

    pytester.runpytest_inprocess("-p", "no:cacheprovider").assert_outcomes(passed=1)
