"""The page of `waitproof serve`, in a real browser."""

from __future__ import annotations

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from waitproof.serve.server import ServeOptions, Service, serving
from waitproof.suite.files import bundled_suite

expect.set_options(timeout=20_000)  # milliseconds; other tests start a dozen processes meanwhile

TASKS = "/_waitproof/tasks"
HOSTILE = '<img src=x onerror="document.title=\'hacked\'"><script>document.title="hacked"</script>"&\'{{x}}'


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(ServeOptions(folder=bundled_suite("stream"))) as served:
        yield served


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.base_url, timeout=30) as client:
        yield client


def poll(client: httpx.Client, task_id: str) -> dict[str, Any]:
    with httpx.Client(base_url=client.base_url) as another:  # a connection that asks for nothing else
        answer: dict[str, Any] = another.get(f"/api/v2/tasks/{task_id}").json()
    return answer


def make(client: httpx.Client, task_id: str, **more: object) -> None:
    named = {} if "yaml" in more else {"scenario": "never-ends"}
    assert client.post(TASKS, json={**named, "task_id": task_id, **more}).status_code == 201


def row(page: Page, task_id: str) -> Any:
    return page.locator("#rows tr").filter(has=page.get_by_role("button", name=task_id, exact=True))


def opened(page: Page, client: httpx.Client, task_id: str) -> Any:
    page.goto(f"{client.base_url}/#task={task_id}")
    detail = page.get_by_role("complementary", name="Task")
    expect(detail.get_by_role("heading", name=task_id)).to_be_visible()
    return detail


def test_without_tasks_the_page_says_what_to_do(page: Page, client: httpx.Client) -> None:
    page.goto(str(client.base_url))

    expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
    told = page.locator("#empty pre")
    expect(told).to_contain_text(
        f"curl {str(client.base_url).rstrip('/')}/api/v2/tasks/completes-after-3-polls~"
    )
    assert told.text_content() == client.get("/_waitproof/status").json()["snippets"]["curl"]


def test_a_task_appears_with_its_first_poll_and_each_poll_is_shown_as_it_comes(
    page: Page, client: httpx.Client
) -> None:
    page.goto(str(client.base_url))
    task_id = "completes-after-3-polls~7"

    for count, status in (("1 poll", "pending"), ("2 polls", "running"), ("3 polls", "completed")):
        poll(client, task_id)
        expect(row(page, task_id).locator(".count")).to_have_text(count)
        expect(row(page, task_id).locator(".tl-word").last).to_have_text(status)

    expect(row(page, task_id).locator(".scenario")).to_have_text("outcomes/completes-after-3-polls")
    expect(row(page, task_id).locator(".progress")).to_have_text("done")
    expect(row(page, task_id).locator(".verdict.is-PASS")).to_be_visible()


def test_time_goes_on_in_a_drawing_while_a_poll_is_in_flight(page: Page, client: httpx.Client) -> None:
    make(client, "slow")
    client.post(f"{TASKS}/slow/actions/stall")
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0)) as caller:
        caller.sendall(b"GET /api/v2/tasks/slow HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        page.goto(str(client.base_url))

        expect(row(page, "slow").locator(".tl-word")).to_have_text("in flight")
        first = row(page, "slow").locator(".tl-bars").get_attribute("d")
        page.wait_for_function(
            "(first) => document.querySelector('#rows .tl-bars').getAttribute('d') !== first", arg=first
        )
        second = row(page, "slow").locator(".tl-bars").get_attribute("d")
        page.wait_for_function(
            "(second) => document.querySelector('#rows .tl-bars').getAttribute('d') !== second", arg=second
        )


def test_the_newest_task_is_first_and_the_others_stay_where_they_are(
    page: Page, client: httpx.Client
) -> None:
    for name in ("one", "two", "three"):
        make(client, name)
    page.goto(str(client.base_url))

    poll(client, "one")

    expect(row(page, "one").locator(".count")).to_have_text("1 poll")
    expect(page.locator("#rows .open")).to_have_text(["three", "two", "one"])


def test_a_reload_loses_nothing(page: Page, client: httpx.Client) -> None:
    for _ in range(3):
        poll(client, "completes-after-3-polls~1")
    detail = opened(page, client, "completes-after-3-polls~1")
    expect(row(page, "completes-after-3-polls~1").locator(".progress")).to_have_text("done")
    before = row(page, "completes-after-3-polls~1").inner_text()

    page.reload()

    expect(detail.locator(".exchanges details")).to_have_count(3)
    expect(row(page, "completes-after-3-polls~1").locator(".verdict").first).to_be_visible()
    assert row(page, "completes-after-3-polls~1").inner_text() == before


def test_no_more_than_200_tasks_are_shown_and_the_others_can_be_found(
    page: Page, client: httpx.Client
) -> None:
    for number in range(230):
        make(client, f"number-{number}")
    page.goto(str(client.base_url))

    expect(page.locator("#rows tr")).to_have_count(200)
    expect(page.locator("#more")).to_have_text("30 older tasks not shown; search for them by id or scenario.")
    page.get_by_role("searchbox", name="Find tasks").fill("number-17")
    expect(page.locator("#rows .open")).to_have_text(
        [*(f"number-{n}" for n in range(179, 169, -1)), "number-17"]
    )


def test_what_is_done_to_all_tasks_reaches_those_that_are_shown(page: Page, client: httpx.Client) -> None:
    for number in range(600):
        make(client, f"number-{number}")
    page.goto(str(client.base_url))

    page.get_by_role("button", name="Complete all tasks").click()

    expect(page.get_by_text("600 tasks completed.")).to_be_visible()
    expect(row(page, "number-599").locator(".step")).to_have_text("step completed, 3 of 3")
    expect(row(page, "number-400").locator(".step")).to_have_text("step completed, 3 of 3")


@pytest.mark.parametrize(
    ("button", "status"), [("Advance", "running"), ("Complete", "completed"), ("Fail", "failed")]
)
def test_a_button_changes_what_the_next_poll_is_told(
    page: Page, client: httpx.Client, button: str, status: str
) -> None:
    make(client, "mine")
    detail = opened(page, client, "mine")

    detail.get_by_role("button", name=button).click()

    expect(detail.locator(".steps .is-now")).to_have_text(status)
    assert poll(client, "mine")["status"] == status


def test_reset_begins_anew_and_forgets_the_polls(page: Page, client: httpx.Client) -> None:
    make(client, "mine")
    assert [poll(client, "mine")["status"] for _ in range(2)] == ["pending", "running"]
    detail = opened(page, client, "mine")
    expect(detail.locator(".exchanges details")).to_have_count(2)

    detail.get_by_role("button", name="Reset").click()

    expect(detail.locator(".exchanges details")).to_have_count(0)
    assert poll(client, "mine")["status"] == "pending"


def test_stall_leaves_polls_without_an_answer(page: Page, client: httpx.Client) -> None:
    make(client, "mine")
    detail = opened(page, client, "mine")

    detail.get_by_role("button", name="Stall").click()
    expect(page.get_by_text("mine: stalled")).to_be_visible()

    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{client.base_url}/api/v2/tasks/mine", timeout=0.5)
    expect(detail.locator(".exchange-word")).to_have_text("abandoned")


def test_delete_forgets_the_task(page: Page, client: httpx.Client) -> None:
    make(client, "mine")
    detail = opened(page, client, "mine")

    detail.get_by_role("button", name="Delete").click()

    expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
    expect(detail).to_be_hidden()
    assert client.get(f"{TASKS}/mine").status_code == 404


@pytest.mark.parametrize(
    ("button", "status"), [("Complete", "completed"), ("Fail", "failed"), ("Reset", "pending")]
)
def test_a_button_for_all_tasks_changes_each(
    page: Page, client: httpx.Client, button: str, status: str
) -> None:
    for name in ("one", "two"):
        make(client, name)
        poll(client, name)
    page.goto(str(client.base_url))

    page.get_by_role("button", name=f"{button} all tasks").click()

    expect(page.locator("#notice")).to_contain_text("2 tasks")
    assert {poll(client, name)["status"] for name in ("one", "two")} == {status}


def test_deleting_all_tasks_asks_first(page: Page, client: httpx.Client) -> None:
    make(client, "one")
    page.goto(str(client.base_url))

    page.get_by_role("button", name="Delete all tasks").click()
    page.get_by_role("button", name="Keep them").click()
    expect(row(page, "one")).to_be_visible()
    page.get_by_role("button", name="Delete all tasks").click()
    page.get_by_role("button", name="Delete all", exact=True).click()

    expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
    assert client.get(TASKS).json() == {"tasks": [], "count": 0}


def test_a_result_of_ones_own_arrives_as_it_was_written(page: Page, client: httpx.Client) -> None:
    make(client, "mine")
    detail = opened(page, client, "mine")
    detail.get_by_text("Complete or fail with your own JSON").click()
    field = detail.get_by_label("Result or error")

    field.fill('{"n": 9007199254740993')
    expect(detail.get_by_role("alert")).to_contain_text("This is not JSON")
    detail.get_by_role("button", name="Complete").click()
    assert poll(client, "mine")["status"] == "pending"
    field.fill('{"n": 9007199254740993}')
    expect(detail.locator(".field-mistake")).to_have_text("")
    detail.get_by_role("button", name="Complete").click()

    expect(detail.locator(".steps .is-now")).to_have_text("completed")
    assert poll(client, "mine")["result"] == {"n": 9007199254740993}


def test_an_open_task_shows_each_exchange_and_each_verdict(page: Page, client: httpx.Client) -> None:
    for _ in range(3):
        poll(client, "completes-after-3-polls~1")

    detail = opened(page, client, "completes-after-3-polls~1")
    first = detail.locator(".exchanges details").last
    first.locator("summary").click()

    expect(first.locator("pre").first).to_contain_text("GET /api/v2/tasks/completes-after-3-polls~1\n")
    expect(first.locator("pre").first).to_contain_text("user-agent: python-httpx")
    expect(first.locator("pre").last).to_contain_text("HTTP 200\n")
    expect(first.locator("pre").last).to_contain_text('"status": "pending"')
    credentials = detail.locator(".verdict-list details").filter(has_text="polls-carry-credentials")
    expect(credentials).to_contain_text("WARN")
    expect(credentials).to_contain_text("every poll carries Authorization")
    expect(credentials).to_contain_text("poll 1 came without Authorization")


def test_what_is_open_stays_open_while_polls_come(page: Page, client: httpx.Client) -> None:
    make(client, "mine")
    poll(client, "mine")
    detail = opened(page, client, "mine")
    detail.locator(".exchanges summary").click()
    expect(detail.locator(".exchanges pre").first).to_be_visible()

    poll(client, "mine")

    expect(detail.locator(".exchanges details")).to_have_count(2)
    expect(detail.locator(".exchanges details").last).to_have_attribute("open", "")


def test_a_task_is_made_of_a_scenario_that_is_filtered_as_one_types(page: Page, client: httpx.Client) -> None:
    page.goto(str(client.base_url))
    page.get_by_role("button", name="New task").click()
    page.get_by_role("searchbox", name="Scenario", exact=True).fill("fails stack")
    expect(page.locator(".choice")).to_have_count(1)
    page.get_by_label("Task id").fill("of-mine")
    page.get_by_label("Interval, s").fill("0.3")
    page.get_by_label("Timeout, s").fill("7")

    page.get_by_role("button", name="Create task").click()

    expect(page.get_by_role("heading", name="of-mine")).to_be_visible()
    task = client.get(f"{TASKS}/of-mine").json()
    assert (task["scenario"], task["wait"]) == (
        "outcomes/fails-with-stack-trace",
        {"poll_interval_s": 0.3, "timeout_s": 7.0, "max_polls": None},
    )


def test_mistakes_in_yaml_appear_at_their_lines_until_they_are_fixed(
    page: Page, client: httpx.Client
) -> None:
    page.goto(str(client.base_url))
    page.get_by_role("button", name="New task").click()
    page.get_by_role("searchbox", name="Scenario", exact=True).fill("completes-after-3-polls")
    expect(page.locator(".choice")).to_have_count(1)
    page.get_by_role("button", name="Edit this scenario as YAML").click()
    editor = page.get_by_label("Scenario as YAML")
    expect(page.get_by_text("No mistakes.")).to_be_visible()
    right = editor.input_value()
    line = next(n for n, text in enumerate(right.splitlines(), 1) if "status: running" in text)

    editor.fill(right.replace("{status: running", "{stat: running"))

    expect(page.locator(".gutter .is-bad")).to_have_text(str(line))
    expect(page.locator("#yaml-mistakes .fact")).to_have_text("a step has no key 'stat'")
    expect(page.locator("#yaml-mistakes")).to_contain_text("did you mean 'status'?")
    page.get_by_role("button", name=f"Line {line}, column").click()
    assert editor.evaluate("each => each.value.slice(each.selectionStart)").startswith("stat: running")
    page.get_by_role("button", name="Create task").click()
    expect(page.locator("#new-dialog")).to_be_visible()
    assert client.get(TASKS).json()["count"] == 0
    editor.fill(right)
    expect(page.locator("#yaml-mistakes .mistake")).to_have_count(0)
    expect(page.get_by_text("No mistakes.")).to_be_visible()
    page.get_by_label("Task id").fill("of-mine")
    page.get_by_role("button", name="Create task").click()
    expect(page.get_by_role("heading", name="of-mine")).to_be_visible()
    assert poll(client, "of-mine")["status"] == "pending"


def test_the_yaml_that_one_starts_with_is_right(page: Page, client: httpx.Client) -> None:
    page.goto(str(client.base_url))
    page.get_by_role("button", name="New task").click()

    page.get_by_text("Write YAML").click()

    expect(page.get_by_text("No mistakes.")).to_be_visible()


def test_what_the_server_refuses_is_shown_in_the_dialog(page: Page, client: httpx.Client) -> None:
    page.goto(str(client.base_url))
    page.get_by_role("button", name="New task").click()
    expect(page.locator(".choice").first).to_be_visible()
    page.get_by_label("Timeout, s").fill("-1")

    page.get_by_role("button", name="Create task").click()

    expect(page.locator("#new-dialog").get_by_role("alert")).to_contain_text(
        "wait.timeout_s: this should be greater than or equal to 0.001"
    )


def test_a_scenario_file_that_fails_to_load_is_shown_until_it_is_fixed(page: Page, tmp_path: Path) -> None:
    folder = tmp_path / "suite"
    shutil.copytree(bundled_suite("stream"), folder)
    path = folder / "outcomes" / "never-ends.yaml"
    right = path.read_text(encoding="utf-8")
    with serving(ServeOptions(folder=folder)) as service:
        page.goto(service.base_url)
        expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
        banner = page.get_by_role("region", name="Scenario files that failed to load")

        path.write_text(right.replace("summary:", "sumary:"), encoding="utf-8")
        expect(banner).to_contain_text("outcomes/never-ends")
        expect(banner).to_contain_text("did you mean 'summary'?")
        path.write_text(right, encoding="utf-8")

        expect(banner).to_be_hidden()


@pytest.mark.parametrize("task_id", [HOSTILE, "a/b c?d#e%2F", "x\ny", "__proto__", "\u202eevil", "../../etc"])
def test_a_task_id_is_text_whatever_it_says(page: Page, client: httpx.Client, task_id: str) -> None:
    make(client, task_id)
    page.goto(str(client.base_url))

    page.locator("#rows .open").click()

    expect(page.locator("#detail h2")).to_have_text(task_id.replace("\n", " "))
    assert page.locator("#detail h2").text_content() == task_id
    page.locator("#detail").get_by_role("button", name="Complete", exact=True).click()
    expect(page.locator("#detail .steps .is-now")).to_have_text("completed")
    page.reload()
    expect(page.locator("#detail .steps .is-now")).to_have_text("completed")
    page.locator("#detail").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
    assert "waitproof serve" in page.title()
    assert page.locator("img, body script").count() == 0


def test_what_clients_and_scenarios_say_runs_no_script(page: Page, client: httpx.Client) -> None:
    text = json.dumps(HOSTILE)
    yaml = (
        f"format: 1\nsummary: {text}\nproves: [polls-until-terminal]\n"
        f"task:\n  - {{status: {text}}}\n  - {{status: completed, result: {text}}}\n"
        "calls:\n  - wait: {poll_interval: 1s, timeout: 5s}\n    expect: {returns: {}}\n"
    )
    make(client, "mine", yaml=yaml)
    httpx.get(
        f"{client.base_url}/api/v2/tasks/mine?{HOSTILE}", headers={"X-Evil": HOSTILE, "User-Agent": HOSTILE}
    )

    detail = opened(page, client, "mine")
    detail.locator(".exchanges summary").click()

    expect(detail.locator(".summary-whole")).to_have_text(HOSTILE)
    expect(detail.locator(".steps .is-now")).to_have_text(HOSTILE)
    expect(detail.locator(".exchanges pre").first).to_contain_text(f"x-evil: {HOSTILE}")
    expect(page).to_have_title("(1) waitproof serve")
    assert page.locator("img, body script").count() == 0


def test_the_page_may_run_no_script_that_stands_in_it(page: Page, client: httpx.Client) -> None:
    page.goto(str(client.base_url))
    expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()

    page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'document.title = \"hacked\"';"
        " document.body.append(s); }"
    )

    assert page.title() == "waitproof serve"


def test_everything_can_be_done_with_keys_alone(page: Page, client: httpx.Client) -> None:
    for name in ("one", "two", "three"):
        make(client, name)
    page.goto(str(client.base_url))
    expect(row(page, "one")).to_be_visible()

    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the tasks")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(row(page, "three").locator(".open")).to_be_focused()
    assert (
        row(page, "three").locator(".open").evaluate("each => getComputedStyle(each).outlineStyle") == "solid"
    )
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#detail")).to_be_focused()
    expect(page.locator("#detail h2")).to_have_text("two")
    assert page.url.endswith("#task=two")
    page.keyboard.press("Escape")

    expect(page.locator("#detail")).to_be_hidden()
    expect(row(page, "two").locator(".open")).to_be_focused()
    assert "#" not in page.url
    page.go_back()
    expect(page.locator("#detail h2")).to_have_text("two")


def test_a_scenario_is_chosen_with_keys_alone(page: Page, client: httpx.Client) -> None:
    page.goto(str(client.base_url))
    page.get_by_role("button", name="New task").press("Enter")
    expect(page.locator(".choice").first).to_be_visible()
    page.keyboard.type("outcomes fails")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    chosen = page.locator(".choice input:checked").get_attribute("value")

    page.keyboard.press("Enter")

    expect(page.locator("#detail .scenario")).to_have_text(str(chosen))


def test_a_lost_connection_is_shown_and_found_again(page: Page) -> None:
    options = ServeOptions(folder=bundled_suite("stream"))
    with serving(options) as service:
        port = service.server.port
        with httpx.Client(base_url=service.base_url, timeout=30) as client:
            make(client, "before")
        page.goto(service.base_url)
        expect(row(page, "before")).to_be_visible()
        expect(page.locator("#connection")).to_have_text("live")

    expect(page.get_by_text("Connection lost.")).to_be_visible()
    expect(page.locator("#connection")).to_have_text("connection lost")
    expect(row(page, "before")).to_be_visible()
    with serving(ServeOptions(folder=options.folder, port=port)) as service:
        expect(page.get_by_text("Connection lost.")).to_be_hidden(timeout=20_000)
        expect(page.get_by_role("heading", name="No tasks yet")).to_be_visible()
        with httpx.Client(base_url=service.base_url, timeout=30) as client:
            make(client, "after")
        expect(row(page, "after")).to_be_visible()
        page.goto("about:blank")


def test_a_task_that_is_gone_is_said_to_be_gone(page: Page, client: httpx.Client) -> None:
    make(client, "mine")
    detail = opened(page, client, "mine")
    expect(detail.locator(".steps .is-now")).to_have_text("pending")

    client.delete(f"{TASKS}/mine")

    expect(detail.get_by_text("This task is gone")).to_be_visible()
    expect(detail.get_by_role("button", name="Complete")).to_be_disabled()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_telephone(page: Page, client: httpx.Client, scheme: str) -> None:
    make(client, "a-task-with-a-name-that-is-longer-than-a-telephone-is-wide-" * 3)
    poll(client, "never-ends~1")
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(str(client.base_url))
    expect(row(page, "never-ends~1")).to_be_visible()
    width = "() => document.documentElement.scrollWidth"

    widths = [page.evaluate(width)]
    row(page, "never-ends~1").locator(".open").click()
    expect(page.locator("#detail .exchanges details")).to_have_count(1)
    widths.append(page.evaluate("() => document.querySelector('#detail').scrollWidth"))

    assert max(widths) <= 360
