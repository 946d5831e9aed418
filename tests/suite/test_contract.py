from pathlib import Path

import pytest
from waitproof.errors import InputError
from waitproof.journal import path_of
from waitproof.suite.contract import Contract, Level, StatusMeaning
from waitproof.suite.document import Document
from waitproof.suite.files import load_contract
from waitproof.suite.model import build

WHOLE = """\
format: 1
name: parcels
title: A parcel service
source: the test
task_id: integer
endpoint: {method: GET, path: "/v1/jobs/{task_id}/state.json"}
answer: {body: {job: "${task_id}", state: "${status}", parcel: "${result}", trouble: "${error}"}}
error: {reason: "lost ${n}"}
http_error: {body: {fault: "${http}", text: "${message}"}}
statuses: {queued: keep_polling, done: return_result, lost: raise_task}
timeout: {kind: transport}
defaults: {poll_interval: 1s, timeout: 60s}
exception_fields: {reason: trouble.reason}
operations:
  send: {path: /v1/parcels, token: to, arguments: {to: "${token}"}, body: {job: "${task_id}"}}
requirements:
  - {id: returns-parcel, level: MUST, quote: You get your parcel., check: returns_result}
  - {id: tells-why, level: MUST, quote: Told why., check: exception_field, with: {field: reason, from: why}}
"""


def contract(text: str = WHOLE) -> Contract:
    return build(Contract, Document(text, "contract.yaml"))


def changed(old: str, new: str) -> str:
    assert WHOLE.count(old) == 1
    return WHOLE.replace(old, new)


def mistakes(text: str) -> list[str]:
    with pytest.raises(InputError) as caught:
        contract(text)
    return [str(mistake) for mistake in caught.value.mistakes]


def suite_mistakes(text: str, folder: Path) -> list[str]:
    (folder / "contract.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        load_contract(folder / "contract.yaml")
    return [str(mistake).replace(f"{folder}/", "") for mistake in caught.value.mistakes]


def test_a_contract_says_what_every_status_means() -> None:
    meanings = [contract().meaning(status) for status in ("queued", "done", "lost", "never heard of")]

    assert meanings == [
        StatusMeaning.KEEP_POLLING,
        StatusMeaning.RETURN_RESULT,
        StatusMeaning.RAISE_TASK,
        StatusMeaning.KEEP_POLLING,
    ]


def test_the_first_status_of_a_meaning_is_found() -> None:
    twice = contract(changed("lost: raise_task", "lost: raise_task, broken: raise_task"))
    none = contract(changed("lost: raise_task", "lost: keep_polling"))

    assert [each.status_for(StatusMeaning.RAISE_TASK) for each in (twice, none)] == ["lost", None]


def test_the_meaning_of_an_unknown_status_is_the_contracts() -> None:
    other = contract(WHOLE + "unknown_status: raise_task\n")

    assert other.meaning("never heard of") is StatusMeaning.RAISE_TASK


def test_a_requirement_is_found_by_its_id() -> None:
    found = contract().requirement("tells-why")

    assert (found.level, found.sentence, found.with_) == (
        Level.MUST,
        "Told why.",
        {"field": "reason", "from": "why"},
    )
    with pytest.raises(KeyError, match="tells-nothing"):
        contract().requirement("tells-nothing")


@pytest.mark.parametrize(
    ("path", "task_id"),
    [
        ("/v1/jobs/7/state.json", "7"),
        ("/v1/jobs/a%2Fb/state.json", "a%2Fb"),
        ("/v1/jobs/7/stateXjson", None),
        ("/v1/jobs//state.json", None),
        ("/v1/jobs/a/b/state.json", None),
        ("/v1/jobs/7/state.json/more", None),
    ],
)
def test_the_path_of_a_poll_names_the_task(path: str, task_id: str | None) -> None:
    match = contract().task_path_pattern().fullmatch(path)

    assert (match[1] if match else None) == task_id


@pytest.mark.parametrize(
    ("target", "task_id"),
    [
        ("/v1/jobs/a%2Fb/state.json?key=/v1/jobs/8/state.json", "a/b"),
        ("http://127.0.0.1:80/v1/jobs/7/state.json?key=k", "7"),
        ("/v1/jobs?of=/v1/jobs/7/state.json", ""),
        ("//[/v1/jobs/7/state.json", ""),
    ],
)
def test_the_target_of_a_request_names_the_task_of_a_poll(target: str, task_id: str) -> None:
    assert contract().task_id_in(path_of(target)) == task_id


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "quote: You get your parcel., ",
            "",
            "17:5: requirement returns-parcel is a MUST without a quote\n"
            "  found:    - {id: returns-parcel, level: MUST, check: returns_result}\n"
            "  expected: the documentation's own sentence under 'quote'\n"
            "  fix:      where the documentation says nothing, its level is SHOULD, with a reason",
        ),
        (
            "level: MUST, quote: You get your parcel., ",
            "level: INFO, ",
            "17:5: requirement returns-parcel has neither a quote nor a reason\n"
            "  found:    - {id: returns-parcel, level: INFO, check: returns_result}\n"
            "  fix:      add 'reason'",
        ),
        (
            "id: tells-why",
            "id: returns-parcel",
            "18:6: requirement returns-parcel appears twice\n"
            "  found:    - {id: returns-parcel, level: MUST, quote: Told why., check: exception_field,"
            " with: {field: reason, …\n"
            "  fix:      give each promise its own id",
        ),
        (
            "${status}",
            "${staus}",
            "7:10: ${staus} is not a placeholder\n"
            '  found:    answer: {body: {job: "${task_id}", state: "${staus}", parcel: "${result}",'
            ' trouble: "${error}"}}\n'
            "  fix:      use ${error}, ${n}, ${now_ns}, ${result}, ${status}, ${task_id}, ${token}"
            " or ${text:2MiB}",
        ),
        (
            "lost ${n}",
            "lost ${status}",
            "8:1: ${status} is not a placeholder\n"
            '  found:    error: {reason: "lost ${status}"}\n'
            "  fix:      use ${n}, ${task_id}, ${token} or ${text:2MiB}",
        ),
        (
            "${message}",
            "${mesage}",
            "9:14: ${mesage} is not a placeholder\n"
            '  found:    http_error: {body: {fault: "${http}", text: "${mesage}"}}\n'
            "  fix:      use ${http}, ${message}, ${n}, ${task_id}, ${token} or ${text:2MiB}",
        ),
        (
            'body: {job: "${task_id}"}}\n',
            'body: {job: "${id}"}}\n',
            "15:69: ${id} is not a placeholder\n"
            '  found:    send: {path: /v1/parcels, token: to, arguments: {to: "${token}"},'
            ' body: {job: "${id}"}}\n'
            "  fix:      use ${n}, ${task_id}, ${token} or ${text:2MiB}",
        ),
        (
            "{task_id}/state.json",
            "id/state.json",
            "6:25: '/v1/jobs/id/state.json' is not a task endpoint\n"
            '  found:    endpoint: {method: GET, path: "/v1/jobs/id/state.json"}\n'
            "  expected: a path with {task_id} in it once",
        ),
        (
            "{task_id}/state.json",
            "{task_id}/{task_id}",
            "6:25: '/v1/jobs/{task_id}/{task_id}' is not a task endpoint\n"
            '  found:    endpoint: {method: GET, path: "/v1/jobs/{task_id}/{task_id}"}\n'
            "  expected: a path with {task_id} in it once",
        ),
        (
            '"/v1/jobs',
            '"v1/jobs',
            "6:25: 'v1/jobs/{task_id}/state.json' is not a task endpoint\n"
            '  found:    endpoint: {method: GET, path: "v1/jobs/{task_id}/state.json"}\n'
            "  expected: a path with {task_id} in it once",
        ),
        (
            "done: return_result",
            "done: keep_polling",
            "10:1: no status means return_result\n"
            "  found:    statuses: {queued: keep_polling, done: keep_polling, lost: raise_task}\n"
            "  expected: a status that ends a wait with a result",
        ),
        (
            "done: return_result",
            "done: return_results",
            "10:34: 'done' cannot be \"return_results\"\n"
            "  found:    statuses: {queued: keep_polling, done: return_results, lost: raise_task}\n"
            "  expected: 'keep_polling', 'return_result' or 'raise_task'\n"
            "  fix:      did you mean 'return_result'?",
        ),
        (
            "timeout: 60s}",
            "timeout: 0s}",
            "12:31: 0s is too short\n"
            "  found:    defaults: {poll_interval: 1s, timeout: 0s}\n"
            "  expected: a duration above 0",
        ),
        (
            "method: GET",
            "method: PUT",
            "6:12: 'method' cannot be \"PUT\"\n"
            '  found:    endpoint: {method: PUT, path: "/v1/jobs/{task_id}/state.json"}\n'
            "  expected: 'GET' or 'POST'",
        ),
        (
            "path: /v1/parcels",
            "path: v1/parcels",
            "15:10: 'path' cannot be \"v1/parcels\"\n"
            '  found:    send: {path: v1/parcels, token: to, arguments: {to: "${token}"},'
            ' body: {job: "${task_id}"}}\n'
            "  expected: text that matches ^/",
        ),
        (
            "id: returns-parcel",
            "id: Returns_parcel",
            "17:6: 'id' cannot be \"Returns_parcel\"\n"
            "  found:    - {id: Returns_parcel, level: MUST, quote: You get your parcel.,"
            " check: returns_result}\n"
            "  expected: text that matches ^[a-z0-9]+(-[a-z0-9]+)*$",
        ),
        (
            "answer: ",
            "credentials: {headers: [X-Key], secret: [X-Key, Authorization]}\nanswer: ",
            "7:49: \"Authorization\" is neither in 'headers' nor in 'query'\n"
            "  found:    credentials: {headers: [X-Key], secret: [X-Key, Authorization]}\n"
            "  expected: X-Key",
        ),
        (
            "title: A parcel service\n",
            "",
            "1:1: a contract needs the key 'title'\n  found:    format: 1\n  fix:      add 'title'",
        ),
    ],
)
def test_a_contract_that_breaks_a_rule_is_reported_which_one(old: str, new: str, message: str) -> None:
    assert mistakes(changed(old, new)) == [f"contract.yaml:{message}"]


def test_an_unknown_check_is_reported_with_the_nearest_one(tmp_path: Path) -> None:
    (reported,) = suite_mistakes(changed("check: returns_result", "check: return_result"), tmp_path)

    assert reported.splitlines()[0] == "contract.yaml:17:68: no check is called 'return_result'"
    assert reported.splitlines()[2].startswith("  expected: ")
    assert "exception_field, " in reported.splitlines()[2]
    assert reported.splitlines()[3] == "  fix:      did you mean 'returns_result'?"


@pytest.mark.parametrize(
    ("old", "new", "first_line"),
    [
        ("from: why}}", "from: why, than: 1}}", "a check's arguments has no key 'than'"),
        (", with: {field: reason, from: why}}", "}", "needs the key 'field'"),
        ("{field: reason, ", "{field: 7, ", "'field' cannot be 7"),
        ("check: returns_result}", "check: returns_result, with: {exactly: true}}", "has no key 'exactly'"),
    ],
)
def test_wrong_arguments_of_a_check_are_reported_at_their_place(
    old: str, new: str, first_line: str, tmp_path: Path
) -> None:
    reported = suite_mistakes(changed(old, new), tmp_path)

    assert reported[0].splitlines()[0].startswith("contract.yaml:1")
    assert first_line in reported[0].splitlines()[0]


def test_the_wrong_arguments_of_all_requirements_are_reported_at_once(tmp_path: Path) -> None:
    text = changed("check: returns_result", "check: nonsense").replace("{field: reason, ", "{field: 7, ")

    assert [mistake.splitlines()[0] for mistake in suite_mistakes(text, tmp_path)] == [
        "contract.yaml:17:68: no check is called 'nonsense'",
        "contract.yaml:18:83: 'field' cannot be 7",
    ]
