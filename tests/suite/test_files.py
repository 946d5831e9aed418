import os
from pathlib import Path

import pytest
from waitproof.errors import InputError
from waitproof.judge.pauses import MIN_PERIODS
from waitproof.suite import folders as suite_module
from waitproof.suite.crosscheck import MIN_TIMEOUT_INTERVALS
from waitproof.suite.files import (
    CONTRACT,
    MAX_FILE_BYTES,
    Suite,
    bundled_suite,
    lint_suite,
    load_suite,
    read_file,
    read_suite,
    scenario_paths,
)

PARCELS = """\
format: 1
name: parcels
title: A parcel service
source: the test
endpoint: {path: "/jobs/{task_id}"}
answer: {body: {job: "${task_id}", state: "${status}", parcel: "${result}"}}
http_error: {body: {fault: "${http}"}}
statuses: {queued: keep_polling, done: return_result, lost: raise_task}
timeout: {kind: transport}
defaults: {poll_interval: 1s, timeout: 60s}
exception_fields: {}
requirements:
  - {id: returns-parcel, level: MUST, quote: You get it., check: returns_result}
"""
INTERVAL = "  - {id: kept, level: MUST, quote: At its pace., check: interval_kept, with: {option: passed}}\n"
TIMEOUT = "  - {id: ends, level: MUST, quote: It gives up., check: timeout_kept, with: {option: default}}\n"
ENDS_PASSED = (
    "  - {id: ends, level: MUST, quote: It gives up., check: timeout_kept, with: {option: passed}}\n"
)
GOOD = """\
summary: The parcel comes.
proves: [returns-parcel]
task: [{status: done, result: 1}]
calls: [{wait: {}, expect: {returns: 1}}]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite that is right, in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parcels/a").mkdir(parents=True)
    (tmp_path / "parcels" / CONTRACT).write_text(PARCELS)
    (tmp_path / "parcels/a/good.yaml").write_text(GOOD)
    return Path("parcels")


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_file(path)
    return str(caught.value)


def mistakes(folder: Path) -> list[str]:
    with pytest.raises(InputError) as caught:
        load_suite(folder)
    return [str(mistake) for mistake in caught.value.mistakes]


def linted(folder: Path, more_requirements: str = "", **scenarios: str) -> list[str]:
    with (folder / CONTRACT).open("a") as contract:
        contract.write(more_requirements)
    for name, text in scenarios.items():
        (folder / f"{name}.yaml").write_text(text)
    return [str(mistake) for mistake in lint_suite(folder)[1]]


def shown(position: str, message: str, line: str) -> str:
    """Return a mistake of b.yaml: after its fact comes the line at its position."""
    fact, _, more = message.partition("\n")
    return f"parcels/b.yaml:{position}: {fact}\n  found:    {line}\n{more}"


def proving(name: str, wait: str, task: str = "{status: queued}") -> str:
    return f"summary: It waits.\nproves: [{name}]\ntask: [{task}]\ncalls: [{{wait: {wait}}}]\n"


# --- files --------------------------------------------------------------------------------------------


def test_a_file_is_read_as_utf_8(folder: Path) -> None:
    (folder / "a/good.yaml").write_bytes("summary: é😀\r\n".encode())

    assert read_file(folder / "a/good.yaml") == "summary: é😀\r\n"


def test_a_file_of_512_kib_is_read_and_one_byte_more_is_not(folder: Path) -> None:
    path = folder / "large.yaml"
    path.write_bytes(b"#" * MAX_FILE_BYTES)
    assert len(read_file(path)) == 524_288

    path.write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert refusal(path) == (
        "parcels/large.yaml: the file has 524,289 bytes\n"
        "  expected: 524,288 or fewer\n"
        "  fix:      a large payload is written ${text:2MiB}"
    )


def test_a_huge_file_is_refused_before_it_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(10_000_000)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("the file was read"))

    assert refusal(path).splitlines()[0] == "parcels/huge.yaml: the file has 10,000,000 bytes"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"a: 1\nb: \xff\n",
            "parcels/x.yaml:2:4: byte 0xff is not UTF-8\n  fix:      save the file as UTF-8",
        ),
        (b"\x80", "parcels/x.yaml:1:1: byte 0x80 is not UTF-8\n  fix:      save the file as UTF-8"),
        (
            "summary: é\n".encode("latin-1"),
            "parcels/x.yaml:1:10: byte 0xe9 is not UTF-8\n  fix:      save the file as UTF-8",
        ),
        (
            "\ud800".encode("utf-8", "surrogatepass"),
            "parcels/x.yaml:1:1: byte 0xed is not UTF-8\n  fix:      save the file as UTF-8",
        ),
        (
            "a: 1\n".encode("utf-16"),
            "parcels/x.yaml:1:1: byte 0xff is not UTF-8\n  fix:      save the file as UTF-8",
        ),
    ],
)
def test_a_file_that_is_not_utf_8_is_reported_at_the_byte(folder: Path, content: bytes, message: str) -> None:
    (folder / "x.yaml").write_bytes(content)

    assert refusal(folder / "x.yaml") == message


def test_what_is_no_file_is_refused_and_never_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.yaml")
    (folder / "loop.yaml").symlink_to("loop.yaml")

    assert (
        refusal(folder / "gone.yaml")
        == "parcels/gone.yaml: the file cannot be read: no such file or directory"
    )
    assert refusal(folder) == "parcels: this is not a file"
    assert refusal(folder / "pipe.yaml") == "parcels/pipe.yaml: this is not a file"
    assert refusal(Path("/dev/zero")) == "/dev/zero: this is not a file"
    assert refusal(folder / "loop.yaml").startswith(
        "parcels/loop.yaml: the file cannot be read: too many levels"
    )


def test_scenarios_are_every_yaml_file_below_the_contract_but_hidden_ones_and_other_suites(
    folder: Path,
) -> None:
    others = ("other/contract.yaml", "other/e.yaml", "other/f/g.yaml")
    for name in ("b.yml", "a/c.yaml", ".hidden.yaml", "a/.git/d.yaml", "notes.txt", *others):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()

    assert [path.relative_to(folder).as_posix() for path in scenario_paths(folder)] == [
        "a/c.yaml",
        "a/good.yaml",
        "b.yml",
    ]


# --- loading ------------------------------------------------------------------------------------------


def test_a_suite_is_its_contract_and_its_scenarios_in_the_order_of_their_ids(folder: Path) -> None:
    (folder / "b.yml").write_text(GOOD)
    (folder / "a-first.yaml").write_text(GOOD)

    loaded = load_suite(folder)

    assert [scenario.id for scenario in loaded.scenarios] == ["a-first", "a/good", "b"]
    assert (loaded.name, loaded.folder) == ("parcels", folder)
    assert loaded.place("a/good") == "parcels/a/good.yaml"
    assert loaded.files["b"] == folder / "b.yml"


def test_the_mistakes_of_all_files_are_reported_at_once(folder: Path) -> None:
    (folder / CONTRACT).write_text(PARCELS.replace("returns_result", "return_result"))
    (folder / "b.yaml").write_text(GOOD.replace("result: 1", "resutl: 1"))
    (folder / "c.yaml").write_text("a: no\n")
    (folder / "d.yaml").write_bytes(b"\xff")

    assert [mistake.splitlines()[0] for mistake in mistakes(folder)] == [
        "parcels/contract.yaml:13:59: no check is called 'return_result'",
        "parcels/b.yaml:3:23: a step has no key 'resutl'",
        "parcels/c.yaml:1:1: a scenario has no key 'a'",
        "parcels/c.yaml:1:1: a scenario needs the key 'summary'",
        "parcels/c.yaml:1:1: a scenario needs the key 'proves'",
        "parcels/c.yaml:1:1: a scenario needs the key 'task'",
        "parcels/c.yaml:1:1: a scenario needs the key 'calls'",
        "parcels/c.yaml:1:4: 'no' is ambiguous: some YAML readers take it for true or false",
        "parcels/d.yaml:1:1: byte 0xff is not UTF-8",
    ]


SEVEN = """\
summary: ""
proves: [returns-parsel]
task:
  - {stauts: queued, times: 010}
  - {status: done, result: "${tokn}", delay: 5}
calls:
  - {wait: {timeout: 400d}, parallel: 2, task_id: 7}
"""


def test_seven_mistakes_of_every_kind_are_reported_by_one_lint(folder: Path) -> None:
    assert [mistake.splitlines()[0] for mistake in linted(folder, b=SEVEN)] == [
        "parcels/b.yaml:1:1: every copy would have the same task_id",
        "parcels/b.yaml:1:1: 'summary' cannot be \"\"",
        "parcels/b.yaml:2:10: no requirement is called 'returns-parsel'",
        "parcels/b.yaml:4:6: a step has no key 'stauts'",
        "parcels/b.yaml:4:29: '010' is ambiguous: some YAML readers take it for an octal number",
        "parcels/b.yaml:5:20: ${tokn} is not a placeholder",
        "parcels/b.yaml:5:39: 5 is not a duration",
        "parcels/b.yaml:7:13: 400d is too long",
    ]


def test_what_a_scenario_cannot_show_is_reported_beside_its_other_mistakes(folder: Path) -> None:
    text = (
        "sumary: It waits.\nproves: [kept]\ntask: [{status: no}]\ncalls: [{wait: {}, expect: {polls: 1}}]\n"
    )

    assert [mistake.splitlines()[0] for mistake in linted(folder, INTERVAL, b=text)] == [
        "parcels/b.yaml:1:1: a scenario has no key 'sumary'",
        "parcels/b.yaml:3:17: 'no' is ambiguous: some YAML readers take it for true or false",
        "parcels/b.yaml:4:10: 'kept' is proved by a wait that lacks 'poll_interval'",
        "parcels/b.yaml:4:29: call 1 expects 'polls', but no requirement under 'proves' checks that",
    ]


@pytest.mark.parametrize(
    ("right", "typo", "mistake"),
    [
        ("summary:", "sumary:", "1:1: a scenario has no key 'sumary'"),
        ("proves:", "proofs:", "2:1: a scenario has no key 'proofs'"),
        ("task:", "tasks:", "3:1: a scenario has no key 'tasks'"),
        ("status:", "stauts:", "3:9: a step has no key 'stauts'"),
        ("result: 1", "result: 01", "3:31: '01' is ambiguous: some YAML readers take it for an octal number"),
        ("status: done", "status: *done", "3:17: an alias (*done)"),
        ("calls:", "callls:", "4:1: a scenario has no key 'callls'"),
        ("wait:", "wiat:", "4:10: a call has no key 'wiat'"),
        ("wait: {}", "wait: *w", "4:16: an alias (*w)"),
        ("expect:", "expct:", "4:20: a call has no key 'expct'"),
        ("returns:", "retuns:", "4:29: an expectation has no key 'retuns'"),
        ("returns-parcel", "returns_parcel", "2:10: an item of 'proves' cannot be \"returns_parcel\""),
        ("returns-parcel", "return-parcel", "2:10: no requirement is called 'return-parcel'"),
    ],
)
def test_one_typo_is_one_mistake(right: str, typo: str, mistake: str, folder: Path) -> None:
    assert GOOD.count(right) == 1

    assert [mistake.splitlines()[0] for mistake in linted(folder, b=GOOD.replace(right, typo))] == [
        f"parcels/b.yaml:{mistake}"
    ]


def test_scenarios_are_checked_against_the_contract(folder: Path) -> None:
    (folder / "b.yaml").write_text(GOOD.replace("returns-parcel", "returns-parsel"))

    assert mistakes(folder) == [
        "parcels/b.yaml:2:10: no requirement is called 'returns-parsel'\n"
        "  found:    proves: [returns-parsel]\n"
        "  fix:      did you mean 'returns-parcel'?"
    ]


def test_two_files_with_one_id_are_a_mistake(folder: Path) -> None:
    (folder / "a/good.yml").write_text(GOOD)

    assert mistakes(folder) == [
        "parcels/a/good.yml: parcels/a/good.yaml has the same id\n  fix:      rename it"
    ]


def test_what_can_be_read_is_there_beside_what_cannot(folder: Path) -> None:
    (folder / CONTRACT).write_text(PARCELS + "example: c\n")
    (folder / "a/good.yml").write_text(GOOD)
    (folder / "c.yaml").write_text("a: 1\n")

    read, found = read_suite(folder)

    assert [scenario.id for scenario in read.scenarios] == ["a/good"]
    assert read.files == {"a/good": folder / "a/good.yaml", "c": folder / "c.yaml"}
    assert {mistake.place.partition(":")[0] for mistake in found} == {"parcels/a/good.yml", "parcels/c.yaml"}


def test_without_a_contract_nothing_can_be_read(folder: Path) -> None:
    (folder / CONTRACT).write_text("format: 2\n")

    with pytest.raises(InputError, match="a contract needs the key"):
        read_suite(folder)


def test_a_suite_without_a_scenario_is_a_mistake(folder: Path) -> None:
    (folder / "a/good.yaml").unlink()

    assert mistakes(folder) == ["parcels: the suite has no scenario\n  fix:      add a YAML file"]


@pytest.mark.parametrize("name", [".", "parcels/a", "nowhere", "parcels/contract.yaml"])
def test_a_folder_without_a_contract_is_not_a_suite(folder: Path, name: str) -> None:
    found = mistakes(Path(name))

    assert found[0].splitlines()[0] == f"{name}: this is not a suite"
    assert found[0].splitlines()[1:] == [
        "  expected: a folder that holds a contract.yaml",
        "  fix:      name the folder itself, such as scenarios/stream",
    ]


def test_an_unknown_name_of_a_suite_is_reported() -> None:
    with pytest.raises(InputError) as caught:
        bundled_suite("steam")

    assert str(caught.value) == (
        "--suite: no suite is called 'steam'\n"
        "  expected: a folder that holds a contract.yaml, or the name of a suite that comes with waitproof\n"
        "  fix:      did you mean 'stream'?"
    )


def test_a_suite_in_the_package_comes_before_the_checkouts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite_module, "__file__", str(tmp_path / "harness/waitproof/suite/folders.py"))
    for place in ("scenarios/stream", "harness/waitproof/_scenarios/stream"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / CONTRACT).touch()
        assert bundled_suite() == tmp_path / place


# --- lint ---------------------------------------------------------------------------------------------


def test_a_suite_that_proves_all_it_promises_has_nothing_to_fix(folder: Path) -> None:
    assert linted(folder) == []


def test_a_requirement_that_no_scenario_proves_is_a_mistake(folder: Path) -> None:
    assert linted(folder, INTERVAL) == [
        "parcels/contract.yaml:14:6: no scenario proves the requirement 'kept'\n"
        f"  found:    {INTERVAL.strip()}\n"
        "  fix:      add 'kept' under 'proves' of a scenario that shows it"
    ]


def test_an_expectation_that_no_check_reads_is_a_mistake(folder: Path) -> None:
    polls = GOOD.replace("returns: 1", "returns: 1, polls: 1")

    assert linted(folder, b=polls) == [
        "parcels/b.yaml:4:41: call 1 expects 'polls', but no requirement under 'proves' checks that\n"
        "  found:    calls: [{wait: {}, expect: {returns: 1, polls: 1}}]\n"
        "  expected: a requirement under 'proves' that checks it, or no 'polls'"
    ]


def test_an_expectation_that_no_check_reads_comes_with_the_requirements_that_do(folder: Path) -> None:
    polls = GOOD.replace("returns: 1", "returns: 1, polls: 1")
    until = "  - {id: until-done, level: MUST, quote: It asks on., check: polls_until_terminal}\n"
    proved = polls.replace("returns-parcel", "until-done").replace("returns: 1, ", "")

    assert linted(folder, until, b=polls, c=proved) == [
        "parcels/b.yaml:4:41: call 1 expects 'polls', but no requirement under 'proves' checks that\n"
        "  found:    calls: [{wait: {}, expect: {returns: 1, polls: 1}}]\n"
        "  expected: a requirement under 'proves' that checks it, or no 'polls'\n"
        "  fix:      add to 'proves' one of until-done"
    ]


REASON = (
    "  - {id: says-why, level: MUST, quote: It says why., check: exception_field, "
    "with: {field: reason, from: parcel.why}}\n"
)
DOCUMENTED = PARCELS.replace("exception_fields: {}", "exception_fields: {reason: parcel.why}")


def failing(steps: str, *raises: str) -> str:
    calls = ", ".join(f"{{wait: {{}}, expect: {{raises: {each}}}}}" for each in raises or ["{kind: task}"])
    return (
        f"summary: It is lost.\nproves: [says-why]\ntask: [{{status: queued}}, {steps}]\ncalls: [{calls}]\n"
    )


WHY = "{status: lost, result: {why: rain}}"
NO_WHY = "{status: lost, result: {why: null}}"
HAS_NONE = "an answer that has no 'parcel.why'\n  expected: 'parcel.why' in the step that says 'lost'"
DOES_NOT_FAIL = "a task that does not fail\n  expected: a step that says 'lost', with 'parcel.why'"


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("{status: lost}", HAS_NONE),
        (NO_WHY, HAS_NONE),
        (f"{NO_WHY}, {WHY}", HAS_NONE),  # a waiting caller sees the first end
        ("{status: queued}", DOES_NOT_FAIL),
        ("{fault: {http: 500}}", DOES_NOT_FAIL),
        (f"{{status: done}}, {WHY}", DOES_NOT_FAIL),
    ],
)
def test_a_field_that_the_answer_lacks_is_not_proved(steps: str, message: str, folder: Path) -> None:
    assert linted(folder, REASON, b=failing(steps)) == [
        f"parcels/b.yaml:2:10: 'says-why' is proved by {message}".replace(
            "\n", "\n  found:    proves: [says-why]\n"
        )
    ]


def test_a_documented_field_can_be_expected_to_say_nothing(folder: Path) -> None:
    (folder / CONTRACT).write_text(DOCUMENTED)
    wanted = "{kind: task, fields: {reason: null}}"

    assert linted(folder, REASON, b=failing("{status: lost}", wanted)) == []
    assert linted(folder, b=failing("{status: lost}", wanted, "{kind: task}")) == [
        shown(
            "2:10",
            f"'says-why' is proved by {HAS_NONE}, or 'reason' under 'raises: fields'",
            "proves: [says-why]",
        )
    ]


@pytest.mark.parametrize(
    "steps",
    [
        WHY,
        f"{WHY}, {NO_WHY}",
        "{status: lost, body: {parcel: {why: rain}}}",
        "{status: lost, result: {why: ''}}",
    ],
)
def test_a_field_that_the_answer_has_is_nothing_to_fix(steps: str, folder: Path) -> None:
    assert linted(folder, REASON, b=failing(steps)) == []


@pytest.mark.parametrize(
    ("requirement", "wait", "message"),
    [
        (
            INTERVAL,
            "{timeout: 9s}",
            "'kept' is proved by a wait that lacks 'poll_interval'\n  expected: a wait with 'poll_interval'",
        ),
        (
            INTERVAL.replace("passed", "default"),
            "{poll_interval: 1s}",
            "'kept' is proved by a wait that passes 'poll_interval'\n"
            "  expected: a wait without 'poll_interval'",
        ),
        (
            ENDS_PASSED,
            "{poll_interval: 1s}",
            "'ends' is proved by a wait that lacks 'timeout'\n  expected: a wait with 'timeout'",
        ),
        (
            TIMEOUT,
            "{timeout: 60s}",
            "'ends' is proved by a wait that passes 'timeout'\n  expected: a wait without 'timeout'",
        ),
        (
            ENDS_PASSED,
            "{poll_interval: 1s, timeout: 4500ms}",
            "'ends' is proved by a timeout of 4.5 intervals\n"
            "  expected: 5 or more, so that being one interval off shows",
        ),
        (
            ENDS_PASSED,
            "{poll_interval: 1s, timeout: 0s}",
            "'ends' is proved by a 'timeout' of 0 or less\n  expected: a value that means the same to all",
        ),
        (
            TIMEOUT,
            "{poll_interval: 20s}",
            "'ends' is proved by a timeout of 3.0 intervals\n"
            "  expected: 5 or more, so that being one interval off shows",
        ),
    ],
)
def test_a_scenario_that_proves_an_option_can_show_it(
    requirement: str, wait: str, message: str, folder: Path
) -> None:
    name = "kept" if "id: kept" in requirement else "ends"

    assert linted(folder, requirement, b=proving(name, wait)) == [
        shown("4:10", message, f"calls: [{{wait: {wait}}}]")
    ]


def test_a_wait_is_cancelled_well_before_its_deadline(folder: Path) -> None:
    requirement = "  - {id: soon, level: SHOULD, reason: Why., check: cancelled_soon}\n"
    call = "{{wait: {{timeout: {}}}, cancel_after: 600ms, expect: {{cancelled: true}}}}"
    text = "format: 1\nsummary: It.\nproves: [soon]\ntask: [{{status: queued}}]\ncalls: [{}]\n"

    assert linted(folder, requirement, b=text.format(call.format("1600ms"))) == []
    assert linted(folder, b=text.format(call.format("1500ms"))) == [
        "parcels/b.yaml:5:35: the wait is cancelled after 0.6 s, and ends after 1.5 s\n"
        f"  found:    calls: [{call.format('1500ms')}]\n"
        "  expected: a timeout at least 1 s after the cancellation"
    ]


@pytest.mark.parametrize(
    ("task", "status", "column"),
    [("{status: queued}, {status: lost}", "lost", 27), ("{status: done}", "done", 9)],
)
def test_a_scenario_that_proves_a_timeout_never_ends_its_task(
    task: str, status: str, column: int, folder: Path
) -> None:

    assert linted(folder, TIMEOUT, b=proving("ends", "{}", task)) == [
        f"parcels/b.yaml:3:{column}: 'ends' is proved by a task that ends ('{status}')\n"
        f"  found:    task: [{task}]\n"
        "  expected: a task that never ends, so that only the deadline ends the wait"
    ]


@pytest.mark.parametrize(
    ("requirement", "wait"),
    [
        (INTERVAL, "{poll_interval: 1s}"),
        (INTERVAL.replace("passed", "default"), "{timeout: 2s}"),
        (TIMEOUT, "{}"),
        (TIMEOUT, "{poll_interval: 12s}"),
        (ENDS_PASSED, "{timeout: 5s}"),
    ],
)
def test_an_option_that_shows_is_nothing_to_fix(requirement: str, wait: str, folder: Path) -> None:
    name = "kept" if "id: kept" in requirement else "ends"

    assert linted(folder, requirement, b=proving(name, wait)) == []


# --- the suite that is shipped ------------------------------------------------------------------------

MUST = {
    "async-does-not-block",
    "async-takes-same-parameters",
    "completed-returns-result",
    "default-poll-interval",
    "default-timeout",
    "exception-description",
    "exception-error-type",
    "exception-stack-trace",
    "exception-task-id",
    "exception-version",
    "failed-raises-task-exception",
    "java-stack-trace-accessor",
    "operation-returns-task-id",
    "override-poll-interval",
    "override-timeout",
    "override-timeout-in-full",
    "polls-task-status-endpoint",
    "polls-until-terminal",
    "ships-wait-helper",
    "timeout-raises-transport-exception",
}


@pytest.fixture(scope="module")
def shipped() -> Suite:
    return load_suite(bundled_suite())


def test_the_shipped_suite_has_nothing_to_fix() -> None:
    assert lint_suite(bundled_suite())[1] == []


def test_every_promise_of_the_documentation_is_a_must_that_a_scenario_proves(shipped: Suite) -> None:
    requirements = shipped.contract.requirements
    proved = {name for scenario in shipped.scenarios for name in scenario.proves}

    assert {requirement.id for requirement in requirements if requirement.level == "MUST"} == MUST
    assert proved >= MUST


def test_the_shipped_suite_has_at_least_50_scenarios_each_with_a_sentence(shipped: Suite) -> None:
    assert len(shipped.scenarios) >= 50
    assert [scenario.id for scenario in shipped.scenarios if not scenario.summary.endswith(".")] == []


def test_a_wait_that_proves_a_timeout_also_shows_its_interval() -> None:
    assert MIN_TIMEOUT_INTERVALS > MIN_PERIODS
