from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from fakes import MINI, Mark
from waitproof.adapter.command import AdapterCommand
from waitproof.run import doctor, examination, exchanges
from waitproof.suite.files import load_contract, load_scenario

CONTRACT = load_contract(MINI / "contract.yaml")
EXAMPLE = load_scenario(MINI / "outcomes/completes.yaml", MINI, CONTRACT)

Examine = Callable[..., tuple[bool, list[str]]]


@pytest.fixture
def examine(mark: Mark, monkeypatch: pytest.MonkeyPatch) -> Examine:
    """Examine an adapter: whether nothing was wrong, and the lines that were reported."""

    def examine_one(adapter: str | AdapterCommand, limit_s: float = 5.0) -> tuple[bool, list[str]]:
        monkeypatch.setattr(exchanges, "LIMIT_S", limit_s)
        monkeypatch.setattr(examination, "INTERVAL_S", 0.3)
        monkeypatch.setattr(examination, "CANCELLED_FOR_S", 1)
        said: list[str] = []
        command = mark.command(adapter) if isinstance(adapter, str) else adapter
        right = doctor.examine(command, CONTRACT, said.append, EXAMPLE)
        return right, "\n".join(said).splitlines()

    return examine_one


def said_of(lines: list[str], step: str) -> list[str]:
    """Return what was said of one step, its fix included."""
    start = next(number for number, line in enumerate(lines) if line[6:].startswith(f"{step}:"))
    rest = lines[start + 1 :]
    more = next((number for number, line in enumerate(rest) if not line.startswith("      ")), len(rest))
    return lines[start : start + 1 + more]


def test_a_good_adapter_passes_every_step(examine: Examine) -> None:
    right, lines = examine("MiniAdapter")

    shown = [re.sub(r"\d\.\d s", "… s", line) for line in lines]
    assert right
    assert re.fullmatch(r"ok    hello: mini 1\.0, python, CPython 3\.\S+", shown.pop(0))
    assert shown == [
        "ok    ping: answered",
        "ok    get_task: one request, and the task as the server sent it",
        "ok    wait returns: the payload as the server sent it",
        "ok    wait raises: skipped: in this contract no status of a task raises an exception",
        "ok    wait times out: GaveUp, fields {}",
        "ok    two at once: two waits were in flight together",
        "ok    print_parcel_label: returned the task id",
        "ok    end of stdin: exited with 0 after … s",
        "the adapter follows the protocol",
    ]


@pytest.mark.parametrize(
    ("mode", "step", "told"),
    [
        (
            "WrongPath",
            "wait returns",
            [
                'WRONG wait returns: the call returned null; expected: the call returns {"pages": 2}',
                "      fix: is the payload at result_path 'trouble' of what the helper returned?",
            ],
        ),
        (
            "Answerless",
            "print_money",
            [
                "WRONG print_money: the contract has no such operation",
                "      fix: the contract has print_parcel_label; "
                "take the name out of capabilities.operations",
            ],
        ),
        (
            "Answerless",
            "print_parcel_label",
            [
                "WRONG print_parcel_label: the call returned a value that JSON cannot carry: "
                "nothing at id: dict has no 'id'",
                '      fix: answer {"outcome":"returned","task_id":…} with the id in the operation\'s answer',
            ],
        ),
        (
            "TakesTurns",
            "two at once",
            [
                "WRONG two at once: the server never had polls of both waits in flight at once",
                "      fix: answer each call from a separate thread or task, or leave max_concurrency out",
            ],
        ),
        (
            "SaysItCancels",
            "cancel",
            [
                "WRONG cancel: the cancel is not supported: a thread can't be cancelled",
                "      fix: answer a cancel with 'returned', or leave the capability 'cancel' out",
            ],
        ),
        (
            "WrongServer",
            "wait returns",
            [
                "WRONG wait returns: the call raised ConnectionRefusedError (kind other): "
                '"[Errno 111] Connection refused"',
                "      fix: no request reached the server: "
                "does the client use base_url of hello, and nothing else?",
            ],
        ),
    ],
)
def test_a_wrong_step_shows_what_was_seen_and_how_to_fix_it(
    examine: Examine, mode: str, step: str, told: list[str]
) -> None:
    right, lines = examine(mode)

    seen = [re.sub(r"Errno \d+", "Errno 111", line) for line in said_of(lines, step)]
    assert not right
    assert seen == told
    assert lines[-1] == "something is wrong with the adapter or with the SDK that it calls: see above"


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("Async", ["ok    cancel: the wait ended as cancelled"]),
        (
            "AsyncThatSwallows",
            [
                "note  cancel: the wait went on until its task ended",
                "      fix: does the adapter pass the kit's context, token or signal on? "
                "If so, the suite judges the SDK",
            ],
        ),
    ],
)
def test_a_wait_is_cancelled_where_the_adapter_says_that_it_can(
    examine: Examine, mode: str, told: list[str]
) -> None:
    right, lines = examine(mode)

    assert right
    assert said_of(lines, "cancel") == told


def test_an_adapter_without_a_wait_helper_passes(examine: Examine) -> None:
    right, lines = examine("NoHelper")

    assert right
    assert [line for line in lines if "wait" in line] == []


@pytest.mark.parametrize(
    ("mode", "told"),
    [
        ("dies_at_start", "WRONG dies_at_start: exited with code 3 before it answered hello"),
        (
            "wrong_protocol",
            "WRONG wrong_protocol: ",
        ),
        ("hundred_log_lines", "WRONG hundred_log_lines: printed 100 lines to stdout that are not answers"),
        ("broken_json", "WRONG broken_json: "),
        ("mute", "WRONG ping: no answer to call 1 within 1 s; answer with the id of the call, and flush"),
    ],
)
def test_the_first_break_of_the_protocol_ends_the_examination(examine: Examine, mode: str, told: str) -> None:
    right, lines = examine(mode, limit_s=1)

    wrong = [line for line in lines if line.startswith("WRONG")]
    assert not right
    assert len(wrong) == 1
    assert wrong[0].startswith(told)
    assert lines[-1] == "something is wrong with the adapter or with the SDK that it calls: see above"


def test_a_typed_helper_that_demands_its_options_is_right_about_the_contracts_example(
    examine: Examine,
) -> None:
    right, lines = examine("TypedAndStrict")

    assert right
    assert said_of(lines, "wait returns") == [
        "note  wait returns: the payload of the contract's example",
        '      fix: if {"parts": 2, "name": "Ωmega", "nested": [{"a": null}]} can be a payload of '
        "this SDK: does the adapter change it?",
    ]
    assert said_of(lines, "two at once") == ["ok    two at once: two waits were in flight together"]


def test_an_operations_arguments_may_have_every_placeholder(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = CONTRACT.operations["print_parcel_label"]
    arguments = {**operation.arguments, "copies": "${n}", "of": "${task_id}"}
    changed = {"print_parcel_label": operation.model_copy(update={"arguments": arguments})}
    monkeypatch.setattr(f"{__name__}.CONTRACT", CONTRACT.model_copy(update={"operations": changed}))

    _, lines = examine("MiniAdapter")

    assert said_of(lines, "print_parcel_label") == ["ok    print_parcel_label: returned the task id"]


def test_both_options_are_tried(examine: Examine) -> None:
    _, lines = examine("OtherNames")

    assert said_of(lines, "wait times out")[0] == "ok    wait times out: TypeError, fields {}"


def test_an_option_that_is_not_passed_on_is_named_as_the_likely_cause(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "GIVE_UP_LIMIT_S", 1.0)

    right, lines = examine("NeverGivesUp")

    assert not right
    (told,) = [line for line in lines if line.startswith("WRONG")]
    assert re.fullmatch(
        r"WRONG wait times out: no answer to call \d+ within 1 s, "
        r"with a timeout of 0\.3 s and \d+ polls so far",
        told,
    )
    assert lines[lines.index(told) + 1] == (
        "      fix: check that the adapter passes 'timeout' on to the helper, in seconds; "
        "if it does, the helper ignores it"
    )


def test_stderr_is_shown_where_the_adapter_broke(examine: Examine) -> None:
    _, lines = examine("dies_at_start")

    assert lines[-3:-1] == ["      stderr: loading", "      stderr: no module named 'getstream'"]


def test_a_program_that_is_missing_is_reported(examine: Examine) -> None:
    missing = AdapterCommand("missing", ("/no/such/program",), MINI)

    right, lines = examine(missing)

    assert not right
    assert lines[0] == "WRONG start: missing: cannot be started: no such program: '/no/such/program'"


def test_an_adapter_that_outlives_stdin_is_reported(
    examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(examination, "EXIT_LIMIT_S", 0.3)

    right, lines = examine("IgnoresTheEnd")

    told = said_of(lines, "end of stdin")
    assert not right
    assert told[0].startswith("WRONG end of stdin: exit code -9, ")
    assert told[1] == "      fix: when stdin ends, finish what is in flight and exit with 0"


def test_an_sdk_that_polls_once_more_has_an_adapter_that_makes_two_waits_at_once(examine: Examine) -> None:
    right, lines = examine("LooksOnceMore")

    assert right
    assert said_of(lines, "two at once") == ["ok    two at once: two waits were in flight together"]
