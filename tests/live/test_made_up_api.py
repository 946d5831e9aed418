"""Every command, on an API that was made up and shares no word with the bundled suite's; and on one server.

`tests/test_neutral.py` shows that it shares none, and that the package itself has no vendor's words.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes import ROOT, running, waitproof
from waitproof.serve.server import ServeOptions, Service, serving

POTTERY = ROOT / "tests" / "suites" / "pottery"
SUITE = ("--suite", str(POTTERY))
FOREIGN = re.compile(
    r"(?-i:\bStream\b)|getstream|/api/v2|\bapi_key\b|\bcids?\b|\bchannels?\b|\buser_ids?\b|\bcompleted\b",
    re.IGNORECASE,
)
PROGRAMS = {"python": "python3", "go": "go", "java": "javac", "node": "node", "php": "php", "ruby": "ruby"}
LANGUAGES = [language for language, program in PROGRAMS.items() if shutil.which(program)]


def command(*argv: str | Path, code: int = 0) -> str:
    """Run a command of the command line and return what it prints, which has no word of another API."""
    exit_code, out, err = waitproof(*map(str, argv))
    assert (exit_code, err) == (code, ""), out
    assert neutral(out) == []
    return out


def neutral(text: str) -> list[str]:
    """Return the lines that have a word of another API."""
    return [line[:300] for line in text.splitlines() if FOREIGN.search(line)]


# --- about the suite ----------------------------------------------------------------------------------


def test_lint_list_and_explain_speak_of_this_api_alone() -> None:
    assert command("lint", *SUITE) == f"{POTTERY}: 11 scenarios, 21 requirements\n"
    assert "firing/glazed-at-the-third-look" in command("list", *SUITE)
    assert "cracked: fetch() raises Cracked" in command("explain", *SUITE, "cracked-raises")
    assert "sweep" in command("explain", *SUITE, "handing/sweep")


def test_prove_finds_from_the_contract_what_applies_and_says_what_is_not_caught() -> None:
    out = command("prove", *SUITE, "-k", "begin_returns_task_id", "-k", "exception_field.remark", code=1)

    lines = out.splitlines()
    for name in ("shelve_plates", "fire_bowl", "sweep"):
        assert any(line.startswith(f"caught  begin_returns_task_id.missing-{name} ") for line in lines)
    assert "caught  exception_field.remark-missing  by cracked-has-a-remark in 1 scenario" in lines
    assert any(line.startswith("missed  exception_field.remark-first-line ") for line in lines)
    (not_caught,) = (line for line in lines if line.startswith("not caught by this suite: "))
    assert "exception_field (" in not_caught


def test_defects_that_need_what_the_api_lacks_are_not_applicable() -> None:
    out = command("prove", *SUITE, "-k", "token", "-k", "native_stack_trace")

    assert "not applicable, no header of a poll is a token: polls_carry_valid_token.signed-once" in out
    assert "not applicable, no requirement is judged by native_stack_trace_is_apart: " in out


# --- adapters -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def adapters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An adapter in each language of this machine, as `new adapter` creates it."""
    parent = tmp_path_factory.mktemp("potters")
    folders = {language: parent / f"potter-{language}" for language in LANGUAGES}
    for language, folder in folders.items():
        command("new", "adapter", language, folder, *SUITE)
    return folders


@pytest.fixture(scope="module")
def run(adapters: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """What a run of all of them prints, and its report."""
    report = tmp_path_factory.mktemp("run") / "report.json"
    return command("run", *adapters.values(), "--json", report), report


def test_a_new_adapter_of_each_language_has_no_word_of_another_api(adapters: dict[str, Path]) -> None:
    for folder in adapters.values():
        for path in folder.rglob("*"):
            # The kit itself speaks the protocol, whose hello has an `api_key`; and what was built is no text.
            if path.is_file() and path.suffix != ".class" and ".build" not in path.parts:
                text = path.read_text(encoding="utf-8").replace("api_key", "")
                assert neutral(text) == [], path


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_adapter_of_each_language_works_as_it_is(language: str, adapters: dict[str, Path]) -> None:
    out = command("doctor", adapters[language])

    assert out.endswith("the adapter follows the protocol\n")
    begun = {line.split()[1] for line in out.splitlines() if "returned the task id" in line}
    assert begun == {"shelve_plates:", "fire_bowl:", "sweep:"}
    assert "with every documented field" in out
    assert '{"cause_word": "cold"}' in out


def test_a_run_judges_them_all_by_this_contract(run: tuple[str, Path]) -> None:
    report = json.loads(run[1].read_text(encoding="utf-8"))

    assert [adapter["name"] for adapter in report["adapters"]] == [f"potter-{each}" for each in LANGUAGES]
    for adapter in report["adapters"]:
        wrong = [v for v in adapter["verdicts"] if v["level"] == "MUST" and v["status"] != "PASS"]
        assert wrong == [], adapter["name"]
        begun = {v["scenario"] for v in adapter["verdicts"] if v["requirement"] == "hands-out-a-number"}
        assert begun == {f"handing/{each}" for each in ("shelve-plates", "fire-bowl", "sweep", "sweep-again")}


def test_reports_diff_and_baseline_take_every_word_from_the_run(
    run: tuple[str, Path], adapters: dict[str, Path], tmp_path: Path
) -> None:
    report = run[1]
    pages = {name: tmp_path / f"page.{name}" for name in ("html", "markdown", "junit", "results")}

    command("report", report, *(part for name, path in pages.items() for part in (f"--{name}", path)))
    command("diff", report, report)
    for folder in adapters.values():
        command("baseline", "update", folder, "--report", report)

    for path in pages.values():
        text = path.read_text(encoding="utf-8")
        assert any(word in text for word in ("glazed", "first-look", "Pottery")), path
        assert neutral(text) == [], path


# --- serve --------------------------------------------------------------------------------------------


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(ServeOptions(folder=POTTERY)) as served:
        yield served


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.base_url, headers={"X-Pottery-Pass": "p"}) as client:
        yield client


def look(client: httpx.Client, number: int) -> Any:
    return client.get(f"/jobs/{number}?studio=s").json()


def test_serve_prints_the_number_of_the_examples_task() -> None:
    with running("serve", "--port", "0", *SUITE) as process:
        lines: list[str] = []
        assert process.stdout is not None
        while not lines or "base URL" not in lines[-1]:
            lines.append(process.stdout.readline().rstrip("\n"))
        process.terminate()
    printed = "\n".join(lines)

    assert lines[0] == (
        "11 scenarios of Pottery, a made-up workshop. "
        "Make a task of one at the page, or by the control API, and wait on its number:"
    )
    assert re.search(r'Python +Pottery\("http://127.0.0.1:\d+", "s", "p"\).fetch\(1\)', printed)
    assert re.search(r'curl +curl -H "X-Pottery-Pass: p" "http://127.0.0.1:\d+/jobs/1\?studio=s"', printed)
    assert "Task 1 is one of firing/glazed-at-the-third-look." in printed
    assert "the path /bowls/{token}/fire of fire_bowl" in " ".join(printed.split())
    assert neutral(printed) == []


def test_the_examples_task_is_there_and_comes_back_after_it_was_deleted(client: httpx.Client) -> None:
    assert [task["task_id"] for task in client.get("/_waitproof/tasks").json()["tasks"]] == [1]
    heats = [look(client, 1)["heat"] for _ in range(5)]

    client.delete("/_waitproof/tasks/1")

    assert heats == ["loaded", "loaded", "glowing", "glowing", "glazed"]
    assert look(client, 1)["heat"] == "loaded"
    assert client.get("/jobs/2?studio=s").status_code == 404


def test_the_page_gets_its_calls_payloads_and_statuses_from_the_contract(client: httpx.Client) -> None:
    status = client.get("/_waitproof/status").json()

    assert status["snippets"]["Python"] == f'Pottery("{status["base_url"]}", "s", "p").fetch(1)'
    assert (status["has_numbers"], status["can_fail"]) == (True, True)
    assert status["payloads"] == {
        "result": {"colour": "celadon", "weight": 3},
        "error": {"sign": "crack", "remark": "A crack runs through piece ${task_id}.", "where": "rim"},
    }
    assert status["statuses"] == {
        "loaded": "keep_polling",
        "glowing": "keep_polling",
        "glazed": "return_result",
        "cracked": "raise_task",
    }
    described = client.get("/_waitproof/openapi.json").json()
    assert described["components"]["schemas"]["NewTask"]["examples"] == [{"scenario": status["example"]}]
    starts_with = client.get(f"/_waitproof/scenarios/{status['example']}").json()
    assert client.post("/_waitproof/check", json={"yaml": starts_with["yaml"]}).json() == {"mistakes": []}
    for file in ("", "_waitproof/page/new.js", "_waitproof/page/detail.js", "_waitproof/page/main.js"):
        assert [line for line in neutral(client.get(f"/{file}").text) if "EventSource" not in line] == []
    assert neutral(json.dumps([status, described], indent=1)) == []


def test_the_fail_button_fails_a_task_in_this_apis_words(client: httpx.Client) -> None:
    made = client.post("/_waitproof/tasks", json={"scenario": "own-patience"}).json()

    client.post(f"/_waitproof/tasks/{made['task_id']}/actions/fail")
    failed = look(client, made["task_id"])
    client.post(f"/_waitproof/tasks/{made['task_id']}/actions/complete", json={"result": {"colour": "red"}})

    number = made["task_id"]
    assert failed == {
        "number": number,
        "heat": "cracked",
        "piece": None,
        "flaw": {"sign": "crack", "remark": f"A crack runs through piece {number}.", "where": "rim"},
    }
    assert look(client, number)["piece"] == {"colour": "red"}


def test_operations_begin_tasks_by_the_body_the_path_the_header_or_nothing(client: httpx.Client) -> None:
    begun = [
        client.put("/shelves?studio=s", json={"plates": [{"mark": "cracked"}]}).json()["number"],
        client.post("/bowls/odd-heat/fire?studio=s").json()["number"],
        client.delete("/ashes?studio=s").json()["number"],
        client.delete("/ashes?studio=s", headers={"x-waitproof-scenario": "shut-door"}).json()["number"],
        client.post("/bowls/my-own-bowl/fire?studio=s").json()["number"],
    ]

    tasks = {each["task_id"]: each["scenario"] for each in client.get("/_waitproof/tasks").json()["tasks"]}
    assert [tasks[number] for number in begun] == [
        "firing/cracked",
        "firing/odd-heat",
        "firing/glazed-at-the-third-look",
        "troubles/shut-door",
        "firing/glazed-at-the-third-look",
    ]
