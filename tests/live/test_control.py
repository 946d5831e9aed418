"""The control API, over real HTTP: what its description promises, and each thing that it does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import (
    positive_data_acceptance,
    unsupported_method,
)
from waitproof.serve.control import OPERATIONS
from waitproof.serve.openapi import openapi
from waitproof.serve.server import ServeOptions, Service, serving
from waitproof.serve.task import Limits
from waitproof.suite.files import bundled_suite
from waitproof.suite.scenario import WaitOptions

EXAMPLE = "completes-after-3-polls"
DESCRIBED = "outcomes/completes-after-3-polls"
DESCRIPTION = openapi(OPERATIONS, "http://127.0.0.1:8080", DESCRIBED)
TASK = "task:\n  - {status: running}\n  - {status: completed, result: {channels: 7}}\n"


@pytest.fixture(scope="module")
def served() -> Iterator[Service]:
    with serving(ServeOptions(bundled_suite())) as service:
        yield service


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(ServeOptions(bundled_suite())) as service:
        yield service


class Api:
    """The control API of one server."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def __call__(self, method: str, path: str, **more: Any) -> requests.Response:
        return requests.request(method, f"{self.base_url}/_waitproof{path}", timeout=10, **more)

    def poll(self, task_id: str) -> dict[str, Any]:
        answer = requests.get(f"{self.base_url}/api/v2/tasks/{task_id}", timeout=10)
        told: dict[str, Any] = answer.json()
        return told


@pytest.fixture
def api(service: Service) -> Api:
    return Api(service.base_url)


# --- what the description promises --------------------------------------------------------------------

schema = schemathesis.openapi.from_dict(DESCRIPTION).exclude(path="/_waitproof/events")


@schema.parametrize()
@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_every_answer_is_as_described(case: schemathesis.Case[Any], served: Service) -> None:
    # Text that isn't a scenario fits the description, and is still refused with its mistakes.
    free_text = {"/_waitproof/tasks", "/_waitproof/check"}
    excluded = [positive_data_acceptance] if case.path in free_text else []
    # Which other methods a path knows is tested below.
    case.call_and_validate(base_url=served.base_url, excluded_checks=[*excluded, unsupported_method])


def test_no_answer_of_all_these_was_an_error_of_the_server(served: Service) -> None:
    served.server.check_handler_errors()


def test_a_page_of_any_site_may_read_a_fault_whatever_has_been_done_to_its_task(api: Api) -> None:
    text = (
        "task:\n  - {fault: {text: oops, http: 502}}\n"
        "  - {fault: {text: mine, headers: {access-control-allow-origin: 'null'}}}\n"
        "  - {fault: {http: 503}}\n"
    )
    api("POST", "/tasks", json={"yaml": text, "task_id": "t"})

    def origins() -> list[str]:
        url = f"{api.base_url}/api/v2/tasks/t"
        return [requests.get(url, timeout=10).headers["Access-Control-Allow-Origin"] for _ in range(3)]

    assert origins() == ["*", "null", "*"]
    api("POST", "/tasks/t/actions/reset")
    assert origins() == ["*", "null", "*"]


def test_the_description_is_served(api: Api) -> None:
    assert api("GET", "/openapi.json").json() == openapi(OPERATIONS, api.base_url, DESCRIBED)


def test_every_path_that_is_described_is_there_and_no_other(api: Api) -> None:
    for path, operations in DESCRIPTION["paths"].items():
        url = path.removeprefix("/_waitproof").replace("{task_id}", "none").replace("{name}", EXAMPLE)
        answer = api("PATCH", url)
        methods = {name.upper() for name in operations if name != "parameters"}
        assert answer.status_code == 405, path
        assert set(answer.headers["Allow"].split(", ")) - {"HEAD", "OPTIONS"} == methods, path
    assert api("GET", "/nothing").status_code == 404


# --- tasks --------------------------------------------------------------------------------------------


def test_a_task_is_made_from_a_scenario(api: Api) -> None:
    made = api("POST", "/tasks", json={"scenario": EXAMPLE, "task_id": "mine"})

    assert (made.status_code, made.headers["Location"]) == (201, "/_waitproof/tasks/mine")
    assert made.json()["steps"] == ["pending", "running", "completed"]
    assert [api.poll("mine")["status"] for _ in range(3)] == ["pending", "running", "completed"]


def test_a_task_is_made_from_a_text(api: Api) -> None:
    task_id = api("POST", "/tasks", json={"yaml": TASK}).json()["task_id"]

    assert api.poll(task_id)["status"] == "running"
    assert api.poll(task_id)["result"] == {"channels": 7}


def test_the_mistakes_of_a_text_are_told_with_their_places(api: Api) -> None:
    refused = api("POST", "/tasks", json={"yaml": TASK.replace("status: running", "stauts: running")})

    assert refused.status_code == 422
    (mistake,) = refused.json()["mistakes"]
    assert (mistake["line"], mistake["column"], mistake["fact"]) == (2, 6, "a step has no key 'stauts'")
    assert "did you mean 'status'?" in mistake["fix"]
    assert api("POST", "/check", json={"yaml": TASK}).json() == {"mistakes": []}


def timeout(seconds: float) -> dict[str, Any]:
    return {"scenario": EXAMPLE, "wait": {"timeout_s": seconds}}


@pytest.mark.parametrize(
    ("body", "http", "told"),
    [
        ({}, 422, "a task needs either 'scenario' or 'yaml', not both"),
        ({"scenario": EXAMPLE, "yaml": TASK}, 422, "a task needs either 'scenario' or 'yaml', not both"),
        ({"scenario": "completes-aftr"}, 404, "no scenario is called 'completes-aftr'"),
        ({"scenario": 7}, 422, "scenario: this should be a string"),
        ({"yaml": None}, 422, "yaml: this should not be null"),
        ({"scenario": EXAMPLE, "wiat": {}}, 422, "wiat: there is no such member"),
        (timeout(0), 422, "wait.timeout_s: this should be greater than or equal to 0.001"),
        (timeout(True), 422, "wait.timeout_s: this should be a valid number"),
        (timeout(float("nan")), 422, "wait.timeout_s: this should be a finite number"),
        ({"scenario": EXAMPLE, "wait": {"timeout": 1}}, 422, "wait.timeout: there is no such member"),
        ({"scenario": EXAMPLE, "task_id": ""}, 422, "task_id: a task with this id could not be polled"),
        ([], 422, "the body is not a JSON object"),
    ],
)
def test_a_body_that_is_wrong_is_refused_with_what_is_wrong(
    api: Api, body: Any, http: int, told: str
) -> None:
    data = json.dumps(body)  # requests refuses to send NaN
    refused = api("POST", "/tasks", data=data, headers={"Content-Type": "application/json"})

    assert (refused.status_code, refused.json()["message"]) == (http, told)


@pytest.mark.parametrize(
    ("data", "kind", "http"),
    [
        (b"{", "application/json", 400),
        (b"[" * 60_000, "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"x" * 70_000, "application/json", 413),
    ],
)
def test_what_is_no_json_is_refused(api: Api, data: bytes, kind: str, http: int) -> None:
    assert api("POST", "/tasks", data=data, headers={"Content-Type": kind}).status_code == http


def test_a_task_can_be_advanced_completed_failed_stalled_and_reset(api: Api) -> None:
    api("POST", "/tasks", json={"scenario": "never-ends", "task_id": "t"})
    assert api.poll("t")["status"] == "pending"

    api("POST", "/tasks/t/actions/complete", json={"result": {"channels": 5}})
    completed = api.poll("t")
    api("POST", "/tasks/t/actions/fail", json={"error": {"type": "mine"}})
    failed = api.poll("t")
    api("POST", "/tasks/t/actions/reset")
    told = api("GET", "/tasks/t").json()
    again = api.poll("t")

    assert (completed["status"], completed["result"]) == ("completed", {"channels": 5})
    assert (failed["status"], failed["error"]) == ("failed", {"type": "mine"})
    assert (told["count"], told["polls"], told["progress"]) == (0, [], "idle")
    assert again["status"] == "pending"

    api("POST", "/tasks/t/actions/stall", json={"seconds": 600})
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{api.base_url}/api/v2/tasks/t", timeout=0.2)

    api("POST", "/tasks", json={"scenario": EXAMPLE, "task_id": "u"})
    api("POST", "/tasks/u/actions/advance")
    assert api.poll("u")["status"] == "running"
    assert api("POST", "/tasks/u/actions/explode").status_code == 404
    assert api("POST", "/tasks/none/actions/advance").status_code == 404


def test_completing_takes_the_scenarios_own_result_where_none_is_given(api: Api) -> None:
    api("POST", "/tasks", json={"scenario": EXAMPLE, "task_id": "t"})

    api("POST", "/tasks/t/actions/complete")

    assert api.poll("t")["result"] == {"channels": 2}


def test_all_tasks_can_be_steered_and_forgotten_at_once(api: Api) -> None:
    for number in range(3):
        api.poll(f"{EXAMPLE}~{number}")

    assert api("POST", "/actions/complete").json() == {"count": 3}
    assert {api.poll(f"{EXAMPLE}~{number}")["status"] for number in range(3)} == {"completed"}
    assert api("DELETE", "/tasks").json() == {"count": 3}
    assert api("GET", "/tasks").json() == {"tasks": [], "count": 0}


def test_a_task_that_was_forgotten_begins_anew_without_its_old_journal(api: Api) -> None:
    for _ in range(3):
        api.poll(f"{EXAMPLE}~1")
    assert api("DELETE", f"/tasks/{EXAMPLE}~1").status_code == 204
    assert api("GET", f"/tasks/{EXAMPLE}~1").status_code == 404

    assert api.poll(f"{EXAMPLE}~1")["status"] == "pending"
    assert api("GET", f"/tasks/{EXAMPLE}~1").json()["count"] == 1


def test_the_journal_shows_each_exchange_without_its_secrets(api: Api) -> None:
    headers = {"Authorization": "secret-token", "X-Mine": "1"}
    requests.get(f"{api.base_url}/api/v2/tasks/{EXAMPLE}~1?api_key=k", headers=headers, timeout=10)

    journal = api("GET", f"/tasks/{EXAMPLE}~1/journal").json()

    (request,) = journal["requests"]
    assert (request["method"], request["target"]) == ("GET", f"/api/v2/tasks/{EXAMPLE}~1?api_key=k")
    assert (request["headers"]["authorization"], request["headers"]["x-mine"]) == ("…", "1")
    assert json.loads(journal["answers"][2]["body"])["result"] == {"channels": 2}
    assert "secret-token" not in api("GET", "/journal").text


def test_a_wait_is_judged_by_its_journal_alone(api: Api) -> None:
    headers = {"Authorization": "jwt", "Stream-Auth-Type": "jwt"}
    for _ in range(4):  # one too many
        requests.get(f"{api.base_url}/api/v2/tasks/{EXAMPLE}~1?api_key=k", headers=headers, timeout=10)

    told = api("GET", f"/tasks/{EXAMPLE}~1/verdicts").json()

    assert {each["requirement"]: each["status"] for each in told["verdicts"]} == {
        "polls-task-status-endpoint": "PASS",
        "polls-until-terminal": "PASS",
        "polls-carry-credentials": "PASS",
        "one-poll-in-flight": "PASS",
        "no-poll-after-outcome": "WARN",
        "override-poll-interval": "INCONCLUSIVE",  # four polls within milliseconds
    }


def test_options_of_a_wait_can_be_told(service: Service, api: Api) -> None:
    wait = {"poll_interval_s": 2, "timeout_s": 0.5}
    api("POST", "/tasks", json={"scenario": EXAMPLE, "task_id": "t", "wait": wait})

    assert api("GET", "/tasks/t").json()["wait"] == {
        "poll_interval_s": 2.0,
        "timeout_s": 0.5,
        "max_polls": None,
    }


def test_options_can_be_told_for_all_tasks() -> None:
    options = WaitOptions.model_validate({"poll_interval": "3s"})
    with serving(ServeOptions(bundled_suite(), options=options)) as service:
        api = Api(service.base_url)
        api.poll(f"{EXAMPLE}~1")

        judged_by = {"poll_interval_s": 3.0, "timeout_s": 60.0, "max_polls": None}
        assert api("GET", f"/tasks/{EXAMPLE}~1").json()["wait"] == judged_by


# --- how a task is named ------------------------------------------------------------------------------


def test_each_id_that_names_a_scenario_has_a_state_of_its_own(api: Api) -> None:
    first = [api.poll(f"{EXAMPLE}~a")["status"] for _ in range(3)]
    second = [api.poll(EXAMPLE)["status"] for _ in range(2)]

    assert (first, second) == (["pending", "running", "completed"], ["pending", "running"])


def test_an_id_that_names_nothing_is_answered_in_the_apis_words_with_the_nearest(api: Api) -> None:
    told = api.poll("completes-after-3-pols~7")

    assert told["StatusCode"] == 404
    assert told["message"].startswith("no scenario is called 'completes-after-3-pols'; similar names: ")
    assert EXAMPLE in told["message"]


def begin(api: Api, path: str, body: Any, **headers: str) -> str:
    answer = requests.post(f"{api.base_url}{path}", json=body, headers=headers, timeout=10)
    task_id = answer.json()["task_id"]
    scenario: str = api("GET", f"/tasks/{task_id}").json()["scenario"]
    return scenario


DELETE = "/api/v2/chat/channels/delete"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (DELETE, {"cids": ["messaging:fails-with-stack-trace"], "hard_delete": True}),
        ("/api/v2/chat/export_channels", {"channels": [{"cid": "messaging:fails-with-stack-trace~9"}]}),
        ("/api/v2/export/users", {"user_ids": ["fails-with-stack-trace"]}),
        ("/api/v2/users/delete", {"user_ids": ["fails-with-stack-trace"], "user": "hard"}),
    ],
)
def test_an_operation_begins_a_task_of_the_scenario_that_its_body_names(
    api: Api, path: str, body: Any
) -> None:
    assert begin(api, path, body) == "outcomes/fails-with-stack-trace"


def test_a_header_names_the_scenario_and_the_default_holds_where_nothing_does(api: Api) -> None:
    named = begin(api, DELETE, {"cids": ["messaging:general"]}, **{"X-Waitproof-Scenario": "never-ends"})
    unnamed = begin(api, DELETE, {"cids": ["messaging:general"]})

    assert (named, unnamed) == ("outcomes/never-ends", f"outcomes/{EXAMPLE}")


def test_the_default_scenario_can_be_chosen() -> None:
    with serving(ServeOptions(bundled_suite(), default_scenario="never-ends")) as service:
        assert begin(Api(service.base_url), DELETE, {}) == "outcomes/never-ends"


# --- safety -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "https://evil.example"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/tasks"), ("POST", "/tasks"), ("DELETE", "/tasks")])
def test_a_page_of_another_site_may_not_use_the_api(
    api: Api, headers: dict[str, str], method: str, path: str
) -> None:
    api.poll(f"{EXAMPLE}~1")

    refused = api(method, path, json={"scenario": EXAMPLE}, headers=headers)

    assert refused.status_code == 403
    assert "Access-Control-Allow-Origin" not in refused.headers
    assert api("GET", "/tasks").json()["count"] == 1


def test_the_servers_own_page_may(api: Api) -> None:
    own = {"Origin": api.base_url, "Sec-Fetch-Site": "same-origin"}

    assert api("POST", "/tasks", json={"scenario": EXAMPLE}, headers=own).status_code == 201


def test_a_name_that_somebody_else_gave_this_machine_is_not_served(api: Api) -> None:
    assert api("GET", "/tasks", headers={"Host": "evil.example"}).status_code == 421


def test_further_names_can_be_allowed() -> None:
    with serving(ServeOptions(bundled_suite(), allowed_hosts=("Host.Docker.Internal",))) as service:
        answer = Api(service.base_url)("GET", "/tasks", headers={"Host": "host.docker.internal:80"})

    assert answer.status_code == 200


def test_an_sdk_in_a_browser_may_poll_and_begin_from_any_site(api: Api) -> None:
    for path in (f"/api/v2/tasks/{EXAMPLE}~1", DELETE):
        asked = {"Origin": "https://app.example", "Access-Control-Request-Headers": "authorization,x-mine"}
        told = requests.options(f"{api.base_url}{path}", headers=asked, timeout=10)
        assert (told.status_code, told.headers["Access-Control-Allow-Origin"]) == (204, "*")
        assert told.headers["Access-Control-Allow-Headers"] == "authorization,x-mine"
    headers = {"Origin": "https://app.example", "Authorization": "jwt", "Stream-Auth-Type": "jwt"}
    for _ in range(3):
        url = f"{api.base_url}/api/v2/tasks/{EXAMPLE}~1?api_key=k"
        assert requests.get(url, headers=headers, timeout=10).headers["Access-Control-Allow-Origin"] == "*"

    told_by = {
        v["requirement"]: v["status"] for v in api("GET", f"/tasks/{EXAMPLE}~1/verdicts").json()["verdicts"]
    }
    assert told_by["polls-task-status-endpoint"] == "PASS"
    unknown = requests.get(f"{api.base_url}/api/v2/tasks/none", headers=headers, timeout=10)
    assert (unknown.status_code, unknown.headers["Access-Control-Allow-Origin"]) == (404, "*")


# --- what is kept -------------------------------------------------------------------------------------


def test_the_task_that_was_asked_for_longest_ago_makes_room() -> None:
    with serving(ServeOptions(bundled_suite(), limits=Limits(tasks=2))) as service:
        api = Api(service.base_url)
        for name in "aba":
            api.poll(f"{EXAMPLE}~{name}")
        api.poll(f"{EXAMPLE}~c")

        tasks = api("GET", "/tasks").json()["tasks"]

    assert sorted(task["task_id"] for task in tasks) == [f"{EXAMPLE}~a", f"{EXAMPLE}~c"]
