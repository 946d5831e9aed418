import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waitproof.errors import InputError
from waitproof.suite.contract import Contract
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.document import Document, read
from waitproof.suite.expect import PollCount
from waitproof.suite.files import CONTRACT, bundled_suite, load_contract, scenario_paths
from waitproof.suite.scenario import (
    Call,
    Scenario,
    scenario_schema,
)
from waitproof.suite.step import FOREVER, Step

SUITE = bundled_suite()
SCHEMA = SUITE.parent / "scenario.schema.json"
FILES = scenario_paths(SUITE)
STREAM = load_contract(SUITE / CONTRACT)


@pytest.fixture(scope="session")
def contract() -> Contract:
    return STREAM


def text(
    *, task: str = "{status: completed}", call: str = "{wait: {}}", proves: str = "completed-returns-result"
) -> str:
    return f"summary: It ends.\nproves: [{proves}]\ntask:\n  - {task}\ncalls:\n  - {call}\n"


def scenario(**parts: str) -> Scenario:
    return parse_scenario(Document(text(**parts), "s.yaml"), "outcomes/s")


def step(task: str) -> Step:
    return scenario(task=task).task[0]


def call(written: str) -> Call:
    return scenario(call=written).calls[0]


def mistakes(written: str, contract: Contract | None = None) -> list[str]:
    with pytest.raises(InputError) as caught:
        load(written, contract)
    return [str(mistake) for mistake in caught.value.mistakes]


def load(written: str, contract: Contract | None) -> Scenario:
    return parse_scenario(Document(written, "s.yaml"), "outcomes/s", contract)


def one(message: str, **parts: str) -> None:
    """Say that a scenario has this mistake and no other; `found` is the line that the place names."""
    place, fact, *more = message.split("\n")
    line = text(**parts).splitlines()[int(place.split(":")[0]) - 1].strip()
    assert mistakes(text(**parts)) == ["\n".join([f"s.yaml:{place}: {fact}", f"  found:    {line}", *more])]


# --- the whole file -----------------------------------------------------------------------------------


def test_a_scenario_has_the_id_that_it_is_given_and_its_topic() -> None:
    loaded = scenario()

    assert (loaded.id, loaded.topic, loaded.named("a/b/c").topic, loaded.named("c").topic) == (
        "outcomes/s",
        "outcomes",
        "a/b",
        "",
    )


def test_a_scenario_knows_the_lines_of_what_it_proves() -> None:
    written = text().replace("[completed-returns-result]", "[a, # one\n  b,\n  a]")
    loaded = load(written, None)

    assert [loaded.line_of(name) for name in ("a", "b", "c")] == [2, 3, 1]
    assert loaded.model_copy(update={"proves": ("b",)}).line_of("b") == 3


def test_what_is_not_written_has_its_default() -> None:
    loaded = scenario()
    (only,) = loaded.calls

    assert (loaded.format, loaded.cold, loaded.parallel, loaded.task_ids()) == (1, False, 1, [])
    assert (only.wait and only.wait.poll_interval, list(only.expect.parts())) == (None, [])
    assert (loaded.task[0].times, loaded.task[0].for_, loaded.task[0].delay) == (1, None, 0.0)


def test_several_mistakes_of_one_file_are_reported_at_once() -> None:
    written = (
        "summary: ''\n"
        "proofs: [a]\n"
        "proves: [a]\n"
        "task:\n"
        "  - {status: running, time: 1}\n"
        "  - {status: completed, delay: 5}\n"
        "calls:\n"
        "  - {wait: {timeout: 400d}, expect: {polls: -1, raises: {kind: taks}}}\n"
    )

    assert mistakes(written) == [
        "s.yaml:1:1: 'summary' cannot be \"\"\n  found:    summary: ''\n  expected: text that is not empty",
        "s.yaml:2:1: a scenario has no key 'proofs'\n"
        "  found:    proofs: [a]\n"
        "  expected: format, summary, proves, cold, task or calls\n"
        "  fix:      did you mean 'proves'?",
        "s.yaml:5:23: a step has no key 'time'\n"
        "  found:    - {status: running, time: 1}\n"
        "  expected: status, times, for, delay, result, error, body, omit, headers, encoding, chunked, "
        "close_after or fault\n"
        "  fix:      did you mean 'times'?",
        "s.yaml:6:25: 5 is not a duration\n"
        "  found:    - {status: completed, delay: 5}\n"
        "  expected: a number with its unit, such as 200ms, 5s or 10m",
        "s.yaml:8:13: 400d is too long\n"
        "  found:    - {wait: {timeout: 400d}, expect: {polls: -1, raises: {kind: taks}}}\n"
        "  expected: 366d or less",
        "s.yaml:8:38: 'polls' cannot be -1\n"
        "  found:    - {wait: {timeout: 400d}, expect: {polls: -1, raises: {kind: taks}}}\n"
        "  expected: a whole number, or {at_least: n, at_most: m}",
        "s.yaml:8:58: 'kind' cannot be \"taks\"\n"
        "  found:    - {wait: {timeout: 400d}, expect: {polls: -1, raises: {kind: taks}}}\n"
        "  expected: task, transport, api, other or timeout, or a list of them\n"
        "  fix:      did you mean 'task'?",
    ]


def test_every_missing_key_is_reported() -> None:
    assert [message.splitlines()[0] for message in mistakes("cold: true\n")] == [
        f"s.yaml:1:1: a scenario needs the key '{key}'" for key in ("summary", "proves", "task", "calls")
    ]


def test_a_scenario_proves_something() -> None:
    one("2:1\n'proves' cannot be []\n  expected: at least one item", proves="")


# --- steps and faults ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "times"), [("3", 3), ("forever", FOREVER), ("1", 1), ("1000000", 1_000_000)]
)
def test_times_is_a_number_or_forever(written: str, times: int) -> None:
    assert step(f"{{status: a, times: {written}}}").times == times


@pytest.mark.parametrize(
    ("written", "shown"),
    [("0", "0"), ("-1", "-1"), ("true", "true"), ("1.0", "1.0"), ("ever", '"ever"'), ("1000001", "1000001")],
)
def test_times_is_nothing_else(written: str, shown: str) -> None:
    one(
        f"4:17\n'times' cannot be {shown}\n  expected: a whole number from 1, or forever",
        task=f"{{status: a, times: {written}}}",
    )


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ("{delay: 1s}", "5\na step is a status or a fault\n  expected: exactly one of 'status' and 'fault'"),
        (
            "{status: a, fault: {http: 500}}",
            "5\na step is a status or a fault\n  expected: exactly one of 'status' and 'fault'",
        ),
        (
            "{fault: {http: 500}, result: 1, body: {}}",
            "5\na fault has no 'body'\n  fix:      put it under the step that has a status",
        ),
        ("{status: 1}", "6\n'status' cannot be 1\n  expected: text\n  fix:      put it between quotes"),
        ("{status: a, omit: b}", "17\n'omit' cannot be \"b\"\n  expected: a list"),
        ("{status: a, body: []}", "17\n'body' cannot be []\n  expected: a mapping"),
        ("pending", '5\nthe step cannot be "pending"\n  expected: a mapping'),
        ("{fault: {}}", "6\na fault is one thing\n  expected: drop, or an answer: http, text or both"),
        (
            "{fault: {http: 503, drop: reset}}",
            "6\na fault is one thing\n  expected: drop, or an answer: http, text or both",
        ),
        (
            "{fault: {text: a, body: {}}}",
            "6\nonly an http fault has a body\n  expected: text for an answer that is not JSON",
        ),
        (
            "{fault: {drop: reset, headers: {A: b}}}",
            "6\na dropped connection sends no headers\n  fix:      remove 'headers'",
        ),
        ("{fault: {http: 200}}", "14\n'http' cannot be 200\n  expected: 300 or more"),
        ("{fault: {http: 600}}", "14\n'http' cannot be 600\n  expected: 599 or less"),
        (
            "{fault: {drop: midbody}}",
            "14\n'drop' cannot be \"midbody\"\n"
            "  expected: 'before-response', 'reset' or 'mid-body'\n"
            "  fix:      did you mean 'mid-body'?",
        ),
        (
            "{fault: {http: 503, headers: {Retry-After: 1}}}",
            "35\n'Retry-After' cannot be 1\n  expected: text\n  fix:      put it between quotes",
        ),
    ],
)
def test_a_step_is_one_thing(task: str, message: str) -> None:
    one(f"4:{message}", task=task)


@pytest.mark.parametrize(
    ("task", "label"),
    [
        ("{status: pending}", "pending"),
        ('{status: ""}', ""),
        ("{fault: {http: 503}}", "503"),
        ("{fault: {text: <html>}}", "text"),
        ("{fault: {drop: before-response}}", "drop:before-response"),
    ],
)
def test_a_step_has_a_word_for_the_timeline(task: str, label: str) -> None:
    assert step(task).label == label


# --- options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeout", "passed_s", "holds_s"),
    [("30d", 2_592_000.0, 2_592_000.0), ("2h", 7200.0, 7200.0), ("0s", 0.0, 60.0), ("-1s", -1.0, 60.0)],
)
def test_a_timeout_can_be_long_zero_or_negative(timeout: str, passed_s: float, holds_s: float) -> None:
    options = call(f"{{wait: {{timeout: {timeout}}}}}").wait

    assert options is not None
    assert options.timeout == passed_s
    assert options.timeout_s(STREAM.defaults) == holds_s


@pytest.mark.parametrize("timeout", ["11m", "30d", "none"])
def test_a_task_that_never_ends_is_not_waited_on_for_days(timeout: str) -> None:
    written = text(task="{status: running}", call=f"{{wait: {{timeout: {timeout}}}}}")

    assert [each.splitlines()[0] for each in mistakes(written, STREAM)] == [
        f"s.yaml:6:13: a task that never ends is waited on for {timeout}"
    ]


# --- calls and expectations ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{}", "5\na call is one thing\n  expected: one of 'wait', 'get_task' and 'begin'"),
        (
            "{wait: {}, get_task: {}}",
            "5\na call is one thing\n  expected: one of 'wait', 'get_task' and 'begin'",
        ),
        ("{wait: null}", "5\na call is one thing\n  expected: one of 'wait', 'get_task' and 'begin'"),
        (
            "{wait: {}, arguments: {timeout: 1}}",
            "5\nonly 'begin' has arguments\n  fix:      options of a wait go under 'wait'",
        ),
        (
            "{wait: {timeout: nnoe}}",
            '13\n"nnoe" is not a duration\n  expected: a number with its unit, such as 200ms, 5s or 10m',
        ),
        ("{wait: {poll_interval: 11m}}", "13\n11m is too long\n  expected: 10m or less"),
        ("{get_task: {timeout: 1s}}", "17\na get_task has no key 'timeout'\n  expected: no key at all"),
        ("{wait: {}, parallel: 0}", "16\n'parallel' cannot be 0\n  expected: 1 or more"),
        ("{wait: {}, parallel: 1001}", "16\n'parallel' cannot be 1001\n  expected: 1000 or less"),
        ("{wait: {}, parallel: 2.0}", "16\n'parallel' cannot be 2.0\n  expected: a whole number"),
        ("{wait: {}, task_id: true}", "16\n'task_id' cannot be true\n  expected: text or a whole number"),
        ("{wait: {}, task_id: [1]}", "16\n'task_id' cannot be [1]\n  expected: text or a whole number"),
        (
            "{wait: {}, expect: {task: {}}}",
            "5\n'task' cannot be expected of 'wait'\n  expected: returns, raises, cancelled or polls",
        ),
        (
            "{get_task: {}, expect: {returns: 1}}",
            "5\n'returns' cannot be expected of 'get_task'\n  expected: task, raises or polls",
        ),
        (
            '{begin: a, arguments: {b: "${token}"}, expect: {polls: 1}}',
            "5\n'polls' cannot be expected of 'begin'\n  expected: raises",
        ),
        (
            "{wait: {}, expect: {returns: 1, raises: {kind: task}}}",
            "16\na call has one outcome\n  expected: one of 'returns', 'raises', 'task' and 'cancelled'",
        ),
        (
            "{wait: {}, cancel_after: 1s}",
            "5\n'cancel_after' and 'cancelled' go together\n  fix:      write both, or neither",
        ),
        (
            "{wait: {}, expect: {cancelled: true}}",
            "5\n'cancel_after' and 'cancelled' go together\n  fix:      write both, or neither",
        ),
        (
            "{get_task: {}, cancel_after: 1s, expect: {cancelled: true}}",
            "5\nonly a wait can be cancelled\n  fix:      remove 'cancel_after'",
        ),
        (
            "{wait: {}, cancel_after: 1s, expect: {cancelled: null}}",
            "43\n'cancelled' cannot be null\n  fix:      leave 'cancelled' out",
        ),
        (
            "{wait: {}, cancel_after: 1s, expect: {cancelled: false}}",
            "43\n'cancelled' cannot be false\n  fix:      leave 'cancelled' out",
        ),
        ("{wait: {}, expect: {raises: null}}", "25\n'raises' cannot be null\n  fix:      leave 'raises' out"),
        ("{wait: {}, expect: {polls: null}}", "25\n'polls' cannot be null\n  fix:      leave 'polls' out"),
        ("{get_task: {}, expect: {task: null}}", "29\n'task' cannot be null\n  fix:      leave 'task' out"),
        ("{wait: {}, expect: {raises: {}}}", "25\na raises needs the key 'kind'\n  fix:      add 'kind'"),
    ],
)
def test_a_call_is_one_thing(written: str, message: str) -> None:
    one(f"6:{message}", call=written)


@pytest.mark.parametrize(
    ("calls", "message"),
    [
        (
            ["{wait: {}, task_id: a}", "{wait: {}, task_id: b}"],
            "a scenario has one task\n  found:    summary: It ends.\n"
            "  fix:      give only one of the calls a task_id",
        ),
        (
            ["{wait: {}}", '{begin: a, arguments: {b: "${token}"}}'],
            "'begin' gives the task its id\n  found:    summary: It ends.\n"
            "  expected: 'begin' once, as the first call",
        ),
        (
            ['{begin: a, arguments: {b: "${token}"}}', "{wait: {}, task_id: b}"],
            "'begin' gives the task its id\n  found:    summary: It ends.\n"
            "  expected: 'begin' once, as the first call",
        ),
        (
            ['{begin: a, arguments: {b: "${token}"}}', "{wait: {}, parallel: 2}"],
            "a task that is begun is one task\n  found:    summary: It ends.\n  fix:      remove 'parallel'",
        ),
        (
            ["{wait: {}, parallel: 2, task_id: a}"],
            "every copy would have the same task_id\n  found:    summary: It ends.\n"
            "  fix:      put ${n} or ${token} into it",
        ),
        (
            ["{wait: {}, parallel: 2, task_id: 7}"],
            "every copy would have the same task_id\n  found:    summary: It ends.\n"
            "  fix:      put ${n} or ${token} into it",
        ),
    ],
)
def test_a_scenario_is_about_one_task(calls: list[str], message: str) -> None:
    assert mistakes(text(call="\n  - ".join(calls))) == [f"s.yaml:1:1: {message}"]


@pytest.mark.parametrize(
    ("written", "kinds"),
    [("task", ("task",)), ("[transport, api]", ("transport", "api")), ("[other]", ("other",))],
)
def test_kinds_are_alternatives(written: str, kinds: tuple[str, ...]) -> None:
    raises = call(f"{{wait: {{}}, expect: {{raises: {{kind: {written}}}}}}}").expect.raises

    assert raises is not None
    assert raises.kind == kinds


@pytest.mark.parametrize(
    ("written", "shown", "fix"),
    [
        ("taks", '"taks"', "\n  fix:      did you mean 'task'?"),
        ("zzz", '"zzz"', ""),
        ("[]", "[]", ""),
        ("[task, x]", '["task", "x"]', ""),
        ("[[task]]", '[["task"]]', ""),
        ("{a: 1}", '{"a": 1}', ""),
        ("1", "1", ""),
    ],
)
def test_a_kind_is_one_of_five(written: str, shown: str, fix: str) -> None:
    one(
        f"6:34\n'kind' cannot be {shown}\n"
        f"  expected: task, transport, api, other or timeout, or a list of them{fix}",
        call=f"{{wait: {{}}, expect: {{raises: {{kind: {written}}}}}}}",
    )


@pytest.mark.parametrize(
    ("written", "count", "text"),
    [
        ("0", PollCount(at_least=0, at_most=0), "0 polls"),
        ("1", PollCount(at_least=1, at_most=1), "1 poll"),
        ("{at_least: 2}", PollCount(at_least=2), "2 polls or more"),
        ("{at_most: 2}", PollCount(at_most=2), "0 to 2 polls"),
        ("{at_least: 2, at_most: 2}", PollCount(at_least=2, at_most=2), "2 polls"),
    ],
)
def test_polls_is_a_number_or_its_bounds(written: str, count: PollCount, text: str) -> None:
    polls = call(f"{{wait: {{}}, expect: {{polls: {written}}}}}").expect.polls

    assert (polls, str(polls)) == (count, text)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("-1", "-1"),
        ("3.0", "3.0"),
        ("true", "true"),
        ('"3"', '"3"'),
        ("{}", "{}"),
        ("[1, 2]", "[1, 2]"),
        ("{at_lest: 1}", '{"at_lest": 1}'),
        ("{at_least: true}", '{"at_least": true}'),
        ("{at_most: null}", '{"at_most": null}'),
        ("{at_least: -1}", '{"at_least": -1}'),
        ("{at_least: 3, at_most: 2}", '{"at_least": 3, "at_most": 2}'),
    ],
)
def test_polls_is_nothing_else(written: str, shown: str) -> None:
    one(
        f"6:25\n'polls' cannot be {shown}\n  expected: a whole number, or {{at_least: n, at_most: m}}",
        call=f"{{wait: {{}}, expect: {{polls: {written}}}}}",
    )


@pytest.mark.parametrize(("count", "holds"), [(1, False), (2, True), (3, True), (4, False)])
def test_bounds_of_polls_hold_at_both_ends(count: int, *, holds: bool) -> None:
    assert PollCount(at_least=2, at_most=3).holds(count) is holds


def test_a_returned_null_is_an_expectation_and_an_absent_one_is_none() -> None:
    assert list(call("{wait: {}, expect: {returns: null, polls: 1}}").expect.parts()) == ["returns", "polls"]


# --- against the contract -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"proves": "completed-return-result"},
            "2:10: no requirement is called 'completed-return-result'\n"
            "  found:    proves: [completed-return-result]\n"
            "  fix:      did you mean 'completed-returns-result'?",
        ),
        (
            {"proves": "zzz"},
            "2:10: no requirement is called 'zzz'\n"
            "  found:    proves: [zzz]\n"
            "  fix:      'waitproof explain' lists them",
        ),
        (
            {"proves": "default-timeout, default-timeout"},
            "2:27: 'default-timeout' appears twice\n"
            "  found:    proves: [default-timeout, default-timeout]\n"
            "  fix:      remove one of them",
        ),
        (
            {"call": '{begin: delete_channel, arguments: {a: "${token}"}}'},
            "6:6: no operation is called 'delete_channel'\n"
            '  found:    - {begin: delete_channel, arguments: {a: "${token}"}}\n'
            "  expected: delete_channels, export_channels, export_users, delete_users\n"
            "  fix:      did you mean 'delete_channels'?",
        ),
        (
            {"call": "{begin: delete_channels, arguments: {cids: [a]}}"},
            "6:5: the arguments of 'begin' have no ${token}\n"
            "  found:    - {begin: delete_channels, arguments: {cids: [a]}}\n"
            "  fix:      add, as the contract has it: arguments: "
            '{"cids": ["messaging:${token}"], "hard_delete": true}',
        ),
        (
            {"task": "{status: a, omit: [resutl]}"},
            "4:24: an answer has no field 'resutl' to leave out\n"
            "  found:    - {status: a, omit: [resutl]}\n"
            "  expected: task_id, status, created_at, updated_at, duration, result, error\n"
            "  fix:      did you mean 'result'?",
        ),
        (
            {"call": "{wait: {}, expect: {raises: {kind: task, fields: {stack: 1}}}}"},
            "6:55: an exception has no documented field 'stack'\n"
            "  found:    - {wait: {}, expect: {raises: {kind: task, fields: {stack: 1}}}}\n"
            "  expected: description, error_type, stack_trace, task_id, version\n"
            "  fix:      did you mean 'stack_trace'?",
        ),
        (
            {"task": '{status: a, result: {deep: ["${tokn}"]}}'},
            "4:17: ${tokn} is not a placeholder\n"
            '  found:    - {status: a, result: {deep: ["${tokn}"]}}\n'
            "  fix:      use ${n}, ${task_id}, ${token} or ${text:2MiB}",
        ),
        (
            {"task": '{fault: {http: 500, body: {a: "${http}"}}}'},
            "4:25: ${http} is not a placeholder\n"
            '  found:    - {fault: {http: 500, body: {a: "${http}"}}}\n'
            "  fix:      use ${n}, ${task_id}, ${token} or ${text:2MiB}",
        ),
        (
            {"task": '{status: a, result: "${text:9MiB}"}'},
            "4:17: ${text:9MiB} is not a size\n"
            '  found:    - {status: a, result: "${text:9MiB}"}\n'
            "  fix:      write ${text:10KiB}, 8MiB at most",
        ),
        (
            {"task": '{status: a, error: "${text:a: b}"}'},
            "4:17: ${text:a: b} is not a size\n"
            '  found:    - {status: a, error: "${text:a: b}"}\n'
            "  fix:      write ${text:10KiB}, 8MiB at most",
        ),
        (
            {"task": '{status: a, result: "${text:4MiB}", error: "${text:5MiB}"}'},
            "4:5: texts of 9,437,184 bytes in one place\n"
            '  found:    - {status: a, result: "${text:4MiB}", error: "${text:5MiB}"}\n'
            "  fix:      8MiB at most",
        ),
        (
            {"call": '{wait: {}, task_id: "${id}"}'},
            "6:16: ${id} is not a placeholder\n"
            '  found:    - {wait: {}, task_id: "${id}"}\n'
            "  fix:      use ${n}, ${task_id}, ${token} or ${text:2MiB}",
        ),
        (
            {"call": '{wait: {}, expect: {returns: "${text}"}}'},
            "6:25: ${text} is not a placeholder\n"
            '  found:    - {wait: {}, expect: {returns: "${text}"}}\n'
            "  fix:      use ${n}, ${task_id}, ${token} or ${text:2MiB}",
        ),
    ],
)
def test_a_scenario_uses_the_contracts_words(contract: Contract, parts: dict[str, str], message: str) -> None:
    assert mistakes(text(**parts), contract) == [f"s.yaml:{message}"]


def test_all_words_that_the_contract_does_not_know_are_reported_at_once(contract: Contract) -> None:
    written = text(
        proves="zzz", task='{status: a, omit: [zzz], result: "${zzz}"}', call='{wait: {}, task_id: "${z}"}'
    )

    assert [message.splitlines()[0] for message in mistakes(written, contract)] == [
        "s.yaml:2:10: no requirement is called 'zzz'",
        "s.yaml:4:24: an answer has no field 'zzz' to leave out",
        "s.yaml:4:30: ${zzz} is not a placeholder",
        "s.yaml:6:16: ${z} is not a placeholder",
    ]


def test_placeholders_that_could_fill_the_memory_are_refused_unfilled(contract: Contract) -> None:
    written = text(task=f'{{status: a, result: "{"${text:8MiB}" * 20_000}"}}')

    assert mistakes(written, contract)[0].startswith(
        "s.yaml:4:17: texts of 167,772,160,000 bytes in one place\n"
    )


def test_a_scenario_of_unknown_names_reports_a_hundred_of_them(contract: Contract) -> None:
    reported = mistakes(text(proves=", ".join(f"zz{n}" for n in range(5000))), contract)

    assert reported[100:] == ["s.yaml: reading stopped after 100 mistakes\n  fix:      fix these first"]


# --- the schema ---------------------------------------------------------------------------------------


def test_the_committed_schema_is_the_models() -> None:
    assert json.loads(SCHEMA.read_text()) == scenario_schema()


@pytest.fixture(scope="session")
def validator() -> Any:
    schema = scenario_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SUITE)))
def test_every_shipped_scenario_is_right_for_an_editor_too(path: Path, validator: Any) -> None:
    plain = read(path.read_text(), path.name).plain()

    assert [error.message for error in validator.iter_errors(plain)] == []


@pytest.mark.parametrize(
    "parts",
    [
        {"task": "{status: running, time: 1}"},
        {"task": "{status: running, delay: 5}"},
        {"task": "{status: running, times: 0}"},
        {"task": "{fault: {drop: midbody}}"},
        {"call": "{wait: {}, expect: {raises: {kind: taks}}}"},
        {"call": "{wait: {}, expect: {polls: {at_lest: 1}}}"},
        {"proves": "Not_a_name"},
        {"proves": ""},
    ],
)
def test_an_editor_marks_what_the_loader_refuses(parts: dict[str, str], validator: Any) -> None:
    assert mistakes(text(**parts))
    assert not validator.is_valid(read(text(**parts), "s.yaml").plain())


# --- any file at all ----------------------------------------------------------------------------------

_SEEDS = [path.read_text() for path in FILES[::6]]
_SIGNS = st.sampled_from("abz019 \n\t:-{}[],'\"#&*!|>%@`$\\.~?=<\0\ud800\ufeff\u2028é😀")


@st.composite
def _mutated(draw: st.DrawFn) -> str:
    written = draw(st.sampled_from(_SEEDS))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(written) - 1, 0)))
        match draw(st.sampled_from(["delete", "insert", "replace", "swap", "cut"])):
            case "delete":
                written = written[:at] + written[at + 1 :]
            case "insert":
                written = written[:at] + draw(_SIGNS) + written[at:]
            case "replace":
                written = written[:at] + draw(_SIGNS) + written[at + 1 :]
            case "swap":
                lines = written.splitlines(keepends=True) or [""]
                one, other = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
                lines[one], lines[other] = lines[other], lines[one]
                written = "".join(lines)
            case _:
                written = written[: at + 1]
    return written


@settings(max_examples=100, deadline=None, derandomize=True)
@given(_mutated())
def test_a_file_with_any_slip_is_a_scenario_or_an_input_error_with_places(written: str) -> None:
    places, first_lines = ["s.yaml:"], ["s.yaml:"]
    try:
        loaded: Scenario | None = load(written, STREAM)
    except InputError as error:
        loaded = None
        places = [mistake.place for mistake in error.mistakes]
        first_lines = str(error).split("\n\n")

    assert places
    assert all(place.startswith("s.yaml:") for place in places)
    assert all(line.startswith("s.yaml:") for line in first_lines)
    assert loaded is None or loaded.calls
