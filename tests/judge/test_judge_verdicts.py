"""Findings into verdicts: levels, isolated re-runs, and what prevents any judgement."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import FrozenInstanceError, fields, replace
from typing import Any

import pytest
from observations import (
    COMPLETED,
    FAILED,
    FOREVER,
    GOT_RESULT,
    RUNNING,
    STREAM,
    TASK_FAILED,
    TASK_ID,
    TIMED_OUT,
    TIMEOUT,
    Play,
    contract,
    fails,
    got,
    got_task,
    got_task_id,
    hello,
    judged,
    observe,
    passes,
    raised,
    scenario,
    verdict,
)
from waitproof.journal import Ended
from waitproof.judge import Case, Status, Verdict, checks, is_suspicious, judge, unplayed
from waitproof.judge.intervals import LATE_SLACK_S
from waitproof.judge.observation import NoAnswer, Observation, Seen, StillWaiting
from waitproof.judge.witnesses import WITNESS_SLACK_S
from waitproof.protocol import AdapterFault, Unsupported
from waitproof.suite.contract import Level

LATE = contract("timeout_not_late")
TIMES_OUT = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT)
EXPECTED = "a timeout after 2.00 s, and not much later"


def run(took_s: float, lag_s: float = 0.0, seen: Seen = TIMED_OUT) -> Observation:
    """Return a wait that timed out after that long; 2.2 s is the most that is right."""
    return observe(TIMES_OUT, Play(seen, [0.0], received_s=took_s), lag_s=lag_s)


def settle(*runs: Observation, level: str = "MUST") -> tuple[Verdict, bool]:
    of = contract("timeout_not_late", level=level)
    return judged(of, TIMES_OUT, *runs), is_suspicious(of, TIMES_OUT, runs)


# --- suspicions and their isolated re-runs ------------------------------------------------------------------


def test_what_was_kept_at_once_needs_no_run_alone() -> None:
    assert settle(run(2.1)) == (passes(EXPECTED, "the call raised TransportError after 2.10 s"), False)


def test_a_suspicion_waits_for_a_run_alone() -> None:
    told, suspicious = settle(run(2.5, lag_s=0.31))

    assert suspicious
    assert told == verdict(
        Status.INCONCLUSIVE,
        f"{EXPECTED}: 2.20 s or less",
        "the call raised TransportError after 2.50 s",
        "could not be settled by isolated re-runs; worst scheduling delay: 0.31 s",
    )


def test_a_known_deviation_needs_no_run_alone() -> None:
    late = [run(2.5)]

    (told,) = judge(LATE, TIMES_OUT, late, known={"it"})

    assert not is_suspicious(LATE, TIMES_OUT, late, known={"it"})
    assert replace(told, timeline="", polls=0, took_s=None) == fails(
        f"{EXPECTED}: 2.20 s or less",
        "the call raised TransportError after 2.50 s",
        "a known deviation, it was not re-run in isolation",
    )
    assert judge(LATE, TIMES_OUT, [run(2.1)], known={"it"})[0].status is Status.PASS


def test_what_is_kept_alone_is_kept_with_a_note() -> None:
    told, suspicious = settle(run(2.5, lag_s=0.31), run(2.1))

    assert not suspicious
    assert told == verdict(
        Status.PASS,
        EXPECTED,
        "the call raised TransportError after 2.10 s",
        "passed in isolation; at first the call raised TransportError after 2.50 s "
        "(worst scheduling delay: 0.31 s)",
        alone_runs=1,
    )


def test_what_was_kept_alone_stays_kept_where_another_requirement_needs_one_run_more() -> None:
    told, _ = settle(run(2.5), run(2.1), run(2.5))

    assert (told.status, told.alone_runs) == (Status.PASS, 1)


def test_what_is_exceeded_once_alone_is_run_alone_again() -> None:
    told, suspicious = settle(run(2.5, lag_s=0.01), run(2.6, lag_s=0.2))

    assert suspicious
    assert told == verdict(
        Status.INCONCLUSIVE,
        f"{EXPECTED}: 2.20 s or less",
        "the call raised TransportError after 2.50 s",
        "could not be settled by isolated re-runs; worst scheduling delay: 0.20 s",
        alone_runs=1,
    )


@pytest.mark.parametrize(("level", "status"), [("MUST", Status.FAIL), ("SHOULD", Status.WARN)])
def test_what_is_exceeded_twice_more_is_a_fact(level: str, status: Status) -> None:
    told, suspicious = settle(run(2.69), run(2.685), run(2.7), level=level)

    assert not suspicious
    assert told == verdict(
        status,
        f"{EXPECTED}: 2.20 s or less",
        "the call raised TransportError after 2.70 s",
        "reproduced in 2 isolated re-runs",
        level=level,
        alone_runs=2,
    )


def test_what_is_exceeded_by_no_more_than_the_machine_was_late_nobody_knows() -> None:
    told, suspicious = settle(run(2.3, lag_s=0.11), run(2.31, lag_s=0.41), run(2.3, lag_s=0.11))

    assert not suspicious
    assert told == verdict(
        Status.INCONCLUSIVE,
        f"{EXPECTED}: 2.20 s or less",
        "the call raised TransportError after 2.30 s",
        "reproduced in 2 isolated re-runs, but a busy machine explains it as well; "
        "worst scheduling delay: 0.41 s",
        alone_runs=2,
    )


def test_what_is_exceeded_by_more_than_the_machine_was_late_is_a_fact_even_once() -> None:
    told, _ = settle(run(2.3, lag_s=0.31), run(2.31, lag_s=0.105), run(2.3, lag_s=0.11))

    assert (told.status, told.explanation) == (Status.FAIL, "reproduced in 2 isolated re-runs")


def test_what_is_exceeded_by_no_more_than_the_adapter_was_starved_nobody_knows() -> None:
    first, *again = run(2.3), run(2.31), run(2.3)

    told, _ = settle(first, *(replace(each, starved_s=0.12) for each in again))
    other, _ = settle(first, replace(again[0], starved_s=0.12), replace(again[1], starved_s=0.09))

    assert (told.status, other.status) == (Status.INCONCLUSIVE, Status.FAIL)
    assert told.explanation.endswith("explains it as well; worst scheduling delay: 0.12 s")


VARYING = (run(2.5), run(2.6), run(2.7), run(2.5), run(2.3))


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_what_is_exceeded_by_something_else_each_time_needs_four_runs_alone(count: int) -> None:
    told, suspicious = settle(*VARYING[:count])

    assert suspicious
    assert (told.status, told.alone_runs) == (Status.INCONCLUSIVE, count - 1)


def test_what_is_exceeded_four_times_more_is_a_fact_however_much_it_varies() -> None:
    told, suspicious = settle(*VARYING)

    assert not suspicious
    assert told == fails(
        f"{EXPECTED}: 2.20 s or less",
        "the call raised TransportError after 2.30 s",
        "reproduced in 4 isolated re-runs",
        alone_runs=4,
    )


@pytest.mark.parametrize(("count", "times"), [(2, "twice"), (3, "3 times"), (4, "4 times")])
def test_what_varies_and_is_kept_once_nobody_knows(count: int, times: str) -> None:
    told, suspicious = settle(*VARYING[:count], run(2.1))

    assert not suspicious
    assert (told.status, told.alone_runs) == (Status.INCONCLUSIVE, count)
    assert told.explanation.startswith(f"seen {times}, then not in an isolated re-run; ")


def test_what_is_exceeded_and_then_kept_nobody_knows() -> None:
    told, suspicious = settle(run(2.5, lag_s=0.01), run(2.6, lag_s=0.2), run(2.1, lag_s=0.9))

    assert not suspicious
    assert told == verdict(
        Status.INCONCLUSIVE,
        f"{EXPECTED}: 2.20 s or less",
        "the call raised TransportError after 2.50 s",
        "seen twice, then not in an isolated re-run; worst scheduling delay: 0.20 s",
        alone_runs=2,
    )


def test_what_is_final_alone_is_a_fact() -> None:
    told, suspicious = settle(run(2.5), run(2.1, seen=got(None)))

    assert not suspicious
    assert told == fails(
        EXPECTED, "nothing was raised: the call returned null", "seen in an isolated re-run", alone_runs=1
    )


@pytest.mark.parametrize("before", [1, 2])
def test_an_error_in_a_run_alone_is_an_error(before: int) -> None:
    told, suspicious = settle(*[run(2.5)] * before, run(2.0, seen=AdapterFault("it broke")))

    assert not suspicious
    assert (told.status, told.seen, told.alone_runs) == (Status.ERROR, "it broke", before)


def test_a_verdict_that_needed_no_run_alone_is_not_changed_by_one() -> None:
    assert settle(run(2.1), run(9.0), run(9.0)) == (
        passes(EXPECTED, "the call raised TransportError after 2.10 s"),
        False,
    )


def test_what_is_final_is_never_run_alone() -> None:
    told = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT)
    of = contract("timeout_not_early")
    early = observe(told, Play(TIMED_OUT, [0.0], received_s=1.0))

    assert not is_suspicious(of, told, [early])
    assert judged(of, told, early, run(2.1)).alone_runs == 0


def test_what_is_known_or_left_open_does_not_hide_a_suspicion_behind_it() -> None:
    proves = ["reuses-connection", "timeout-not-late", "override-timeout"]
    told = scenario(FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT, proves=proves)
    late = observe(told, Play(TIMED_OUT, [0.0], received_s=9.0))

    assert is_suspicious(STREAM, told, [late], known={"timeout-not-late"})
    assert not is_suspicious(STREAM, told, [late], known={"timeout-not-late", "override-timeout"})


def test_one_suspicion_among_many_requirements_is_enough_for_a_run_alone() -> None:
    told = scenario(
        FOREVER, wait={"timeout": "2s"}, expect=TIMEOUT, proves=["timeout-not-early", "timeout-not-late"]
    )
    late = observe(told, Play(TIMED_OUT, [0.0], received_s=2.5))

    assert is_suspicious(STREAM, told, [late])
    assert [v.status for v in judge(STREAM, told, [late])] == [Status.PASS, Status.INCONCLUSIVE]


# --- levels -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "status"), [("MUST", Status.FAIL), ("SHOULD", Status.WARN), ("INFO", Status.INFO)]
)
def test_the_level_says_what_a_broken_promise_weighs(level: str, status: Status) -> None:
    told = scenario(COMPLETED, expect={"returns": 1})
    seen = observe(told, Play(got(2), [0.0]))

    assert judged(contract("returns_result", level=level), told, seen) == verdict(
        status, "the call returns 1", "it returned 2", level=level
    )


def test_what_the_documentation_leaves_open_is_never_run_alone() -> None:
    assert settle(run(9.0), level="INFO") == (
        verdict(
            Status.INFO,
            f"{EXPECTED}: 2.20 s or less",
            "the call raised TransportError after 9.00 s",
            level="INFO",
        ),
        False,
    )


# --- whom a requirement concerns ----------------------------------------------------------------------


def concerned(applies_to: Mapping[str, Any], **by: Any) -> Verdict:
    told = scenario(COMPLETED, expect={"returns": 1})
    of = contract("returns_result", applies_to=applies_to)
    return judged(of, told, observe(told, Play(got(1), [0.0]), by=hello(**by)))


@pytest.mark.parametrize(
    ("applies_to", "by"),
    [
        ({}, {}),
        ({"language": "java"}, {"language": "java"}),
        ({"language": "java"}, {"language": "Java"}),
        ({"non_blocking": True}, {"non_blocking": True}),
        ({"non_blocking": False}, {"non_blocking": False}),
        ({"language": ["java", "go"]}, {"language": "Go"}),
        ({"not": {"language": ["java", "go"]}}, {"language": "python"}),
        ({"not": {"non_blocking": True, "cancel": True}}, {}),
        ({"language": "go", "not": {"cancel": True}}, {"language": "go"}),
        ({"returns": ["result", "task"]}, {}),
        ({"returns": ["result", "task"]}, {"returns": "result"}),
        ({"not": {"returns": "nothing"}}, {"returns": "task"}),
    ],
)
def test_a_requirement_concerns_whom_it_names(applies_to: Mapping[str, Any], by: Mapping[str, Any]) -> None:
    assert concerned(applies_to, **by) == passes("the call returns 1", "it did")


@pytest.mark.parametrize(
    ("applies_to", "by", "told"),
    [
        ({"language": "java"}, {"language": "javascript"}, "only for java"),
        ({"non_blocking": True}, {}, "only for an SDK's asynchronous variant"),
        ({"non_blocking": False}, {"non_blocking": True}, "only for an SDK's blocking variant"),
        ({"language": ["java", "go"]}, {}, "only for java and go"),
        ({"not": {"language": ["java", "Go"]}}, {"language": "go"}, "not for java and Go"),
        ({"not": {"language": "go", "cancel": True}}, {"language": "go"}, "not for go"),
        ({"not": {"cancel": True}}, {"cancel": True}, "only for waits that cannot be cancelled"),
        ({"not": {"cancel": False}}, {}, "only for waits that can be cancelled"),
        ({"no_timeout": True}, {}, "only for waits that can do without a timeout"),
        (
            {"not": {"no_timeout": True}},
            {"no_timeout": True},
            "only for waits that cannot do without a timeout",
        ),
        ({"variant": "strict"}, {}, "only for helpers with the variant strict"),
        (
            {"not": {"variant": "strict"}},
            {"variants": ("strict",)},
            "not for helpers with the variant strict",
        ),
        ({"not": {"non_blocking": False}}, {}, "only for an SDK's asynchronous variant"),
        ({"returns": "task"}, {"returns": "nothing"}, "only for helpers that return task"),
        ({"not": {"returns": "nothing"}}, {"returns": "nothing"}, "not for helpers that return nothing"),
    ],
)
def test_a_requirement_does_not_concern_anybody_else(
    applies_to: Mapping[str, Any], by: Mapping[str, Any], told: str
) -> None:
    assert concerned(applies_to, **by) == verdict(Status.NOT_APPLICABLE, seen=told)


def test_what_does_not_concern_an_sdk_is_no_error_of_its_adapter() -> None:
    told = scenario(COMPLETED)
    of = contract("returns_result", applies_to={"language": "java"})

    assert judged(of, told, observe(told, Play(NoAnswer("it died")))).status is Status.NOT_APPLICABLE


# --- adapters that fail -------------------------------------------------------------------------------


@pytest.mark.parametrize("check", list(checks()))
@pytest.mark.parametrize("seen", [AdapterFault("the SDK did not load"), NoAnswer("the SDK did not load")])
def test_an_adapter_that_fails_is_never_a_verdict_about_the_sdk(check: str, seen: Seen) -> None:
    told = scenario(COMPLETED, expect={"returns": 1})

    assert judged(a_contract_for(check), told, observe(told, Play(seen, [0.0]))) == verdict(
        Status.ERROR, seen="the SDK did not load"
    )


@pytest.mark.parametrize("check", list(checks()))
def test_what_an_sdk_cannot_express_is_unsupported(check: str) -> None:
    told = scenario(COMPLETED, expect={"returns": 1})
    seen = observe(told, Play(Unsupported("wait takes no timeout")))

    assert judged(a_contract_for(check), told, seen) == verdict(
        Status.UNSUPPORTED, seen="wait takes no timeout"
    )


@pytest.mark.parametrize("seen", [NoAnswer, AdapterFault, Unsupported])
def test_4000_characters_of_what_an_adapter_says_are_whole(seen: Callable[[str], Seen]) -> None:
    told = scenario(COMPLETED)

    def shown(length: int) -> str:
        return judged(contract("returns_result"), told, observe(told, Play(seen("x" * length)))).seen

    assert shown(4000) == "x" * 4000
    assert shown(4001) == f"{'x' * 2000} … {'x' * 1000} (4001 characters)"


ARGUMENTS: Mapping[str, Mapping[str, Any]] = {
    "begin_returns_task_id": {"operations": ["delete_users"]},
    "exception_field": {"field": "version", "from": "error.version"},
    "fault_surfaces": {"kinds": ["api"]},
    "gives_up_after_polls": {"option": "default"},
    "interval_kept": {"option": "passed"},
    "native_stack_trace_is_apart": {"field": "stack_trace", "from": "error.stacktrace"},
    "raises_kind": {"kinds": ["task"]},
    "timeout_kept": {"option": "passed"},
}


def a_contract_for(check: str) -> Any:
    return contract(check, **ARGUMENTS.get(check, {}))


def test_a_helper_that_never_ends_is_the_sdks_doing() -> None:
    told = scenario(COMPLETED, expect={"returns": 1})

    assert judged(contract("returns_result"), told, observe(told, Play(StillWaiting(70.0), [0.0]))) == fails(
        "the call returns 1", "it was still waiting after 70.00 s, long past its deadline"
    )


# --- capabilities that are missing --------------------------------------------------------------------

NO_WAIT = hello(wait=False)
NO_INTERVAL = hello(options=("timeout",))
NO_TIMEOUT = hello(options=("poll_interval",))
NO_LOOK = hello(get_task=False)
NO_OPERATIONS = hello(operations=())

BEGINS: Mapping[str, Any] = {"begin": "delete_users", "arguments": {"user_ids": ["${token}"]}}
WAITS: Mapping[str, Any] = {"wait": {"poll_interval": "1s", "timeout": "9s"}, "expect": {"returns": 1}}
LOOKS: Mapping[str, Any] = {"get_task": {}}


@pytest.mark.parametrize(
    ("check", "call", "by", "missing"),
    [
        ("helper_is_shipped", WAITS, NO_WAIT, "wait helper"),
        ("interval_kept", WAITS, NO_INTERVAL, "option poll_interval"),
        ("timeout_kept", WAITS, NO_TIMEOUT, "option timeout"),
        ("begin_returns_task_id", BEGINS, NO_OPERATIONS, "operation delete_users"),
        ("one_request_per_call", LOOKS, NO_LOOK, "get_task"),
        ("parameters_kept", WAITS, NO_INTERVAL, "option poll_interval"),
    ],
)
def test_what_an_sdk_lacks_breaks_the_requirement_that_is_about_it(
    check: str, call: Mapping[str, Any], by: Any, missing: str
) -> None:
    told = scenario(COMPLETED, calls=[call])
    seen = observe(told, Play(Unsupported("it lacks that")), by=by)

    assert judged(a_contract_for(check), told, seen) == fails(
        f"an SDK with the documented {missing}, and an adapter whose hello says so",
        f"the SDK has no {missing}",
    )


@pytest.mark.parametrize(
    ("check", "call", "by"),
    [
        ("interval_kept", WAITS, NO_WAIT),
        ("timeout_kept", WAITS, NO_WAIT),
        ("parameters_kept", WAITS, NO_WAIT),
        ("interval_kept", WAITS, NO_TIMEOUT),
        ("timeout_kept", WAITS, NO_INTERVAL),
        ("returns_result", WAITS, NO_WAIT),
        ("returns_result", WAITS, NO_INTERVAL),
        ("returns_result", BEGINS, NO_OPERATIONS),
        ("returns_result", LOOKS, NO_LOOK),
    ],
)
def test_what_an_sdk_lacks_makes_everything_else_unsupported(
    check: str, call: Mapping[str, Any], by: Any
) -> None:
    told = scenario(COMPLETED, calls=[call])
    seen = observe(told, Play(Unsupported("it lacks that")), by=by)

    assert judged(a_contract_for(check), told, seen) == verdict(Status.UNSUPPORTED, seen="it lacks that")


def test_an_option_that_an_sdk_lacks_does_not_matter_where_its_default_is_proved() -> None:
    told = scenario(FOREVER)
    seen = observe(told, Play(GOT_RESULT, (0.0, 1.0, 2.0, 3.0, 4.0)), by=NO_INTERVAL)

    assert judged(contract("interval_kept", option="default"), told, seen).status is Status.PASS


# --- what a machine can have done ---------------------------------------------------------------------

NOT_SETTLED = "could not be settled by isolated re-runs; worst scheduling delay: 0 ms"


@pytest.mark.parametrize(
    ("polls", "took_s", "is_open"),
    [
        ((0.0, 3.0, 4.0), 5.0, True),  # it stood still for two intervals
        ((0.0, 3.9), 5.0, True),
        ((), 5.0, True),
        ((0.0, 1.0, 2.0, 3.0), 5.0, True),
        ((0.0, 1.0, 2.0, 3.0, 4.0), 5.0, False),  # as many polls as fit in
        ((0.0, 2.0, 3.0), 4.98, True),
        ((0.0, 2.0, 3.0), 4.97, False),  # it gave up before its time was up
    ],
)
def test_a_wait_whose_time_was_up_before_its_polls_were_made_is_a_suspicion(
    polls: tuple[float, ...], took_s: float, is_open: bool
) -> None:
    told = scenario(RUNNING, COMPLETED, wait={"timeout": "5s"}, expect={"returns": {"channels": 2}})
    of = contract("returns_result")
    seen = observe(told, Play(TIMED_OUT, polls, received_s=took_s))

    assert is_suspicious(of, told, [seen]) is is_open
    assert judged(of, told, seen).status is (Status.INCONCLUSIVE if is_open else Status.FAIL)
    assert judged(of, told, seen, seen, seen).status is Status.FAIL


@pytest.mark.parametrize(("count", "is_open"), [(9, True), (10, False)])
def test_how_many_polls_fit_in_follows_from_interval_and_timeout(count: int, is_open: bool) -> None:
    options = {"poll_interval": "500ms", "timeout": "5s"}
    told = scenario(RUNNING, COMPLETED, wait=options, expect={"returns": {"channels": 2}})
    seen = observe(told, Play(TIMED_OUT, [0.5 * n for n in range(count)], received_s=5.0))

    assert is_suspicious(contract("returns_result"), told, [seen]) is is_open


def test_a_poll_that_the_http_stack_repeats_is_not_one_of_those_that_fit_in() -> None:
    told = scenario(
        {"fault": {"drop": "reset"}}, RUNNING, COMPLETED, wait={"timeout": "3s"}, expect={"returns": 1}
    )
    repeated = Play(TIMED_OUT, (0.0, 0.01, 1.0), received_s=3.0, connections=(1, 2, 2), took_s=0.0)
    seen = observe(told, repeated)

    assert [poll.repeat for poll in seen.tasks[0].polls] == [False, True, False]
    assert is_suspicious(contract("returns_result"), told, [seen])


def test_a_wait_that_has_time_for_no_interval_makes_one_poll() -> None:
    told = scenario(COMPLETED, wait={"timeout": "500ms"}, expect={"returns": {"channels": 2}})
    of = contract("returns_result")

    assert is_suspicious(of, told, [observe(told, Play(TIMED_OUT, (), received_s=0.5))])
    assert not is_suspicious(of, told, [observe(told, Play(TIMED_OUT, [0.0], received_s=0.5))])


@pytest.mark.parametrize(
    ("interval", "timeout", "count", "status"),
    [
        ("1s", "10s", 5, Status.PASS),  # of a long wait a machine may take half
        ("1s", "10s", 8, Status.PASS),
        ("1s", "10s", 4, Status.INCONCLUSIVE),
        ("500ms", "10s", 10, Status.PASS),
        ("500ms", "10s", 9, Status.INCONCLUSIVE),
        ("1s", "3s", 1, Status.PASS),  # of a short one two seconds
        ("1s", "3s", 0, Status.INCONCLUSIVE),
    ],
)
def test_a_wait_that_stood_still_for_longer_than_a_machine_lets_it_is_never_known(
    interval: str, timeout: str, count: int, status: Status
) -> None:
    # An SDK whose pool of connections is used up stands still as well, and not in a fresh process.
    options = {"poll_interval": interval, "timeout": timeout}
    told = scenario(RUNNING, COMPLETED, wait=options, expect={"returns": {"channels": 2}})
    held_up = Play(TIMED_OUT, [float(n) for n in range(count)], received_s=float(timeout[:-1]))
    runs = observe(told, held_up), observe(told, Play(GOT_RESULT, (0.0, 1.0), received_s=1.1))

    settled = judged(contract("returns_result"), told, *runs)

    assert (settled.status, settled.alone_runs) == (status, 1)
    assert not is_suspicious(contract("returns_result"), told, runs)


def test_a_wait_that_asks_elsewhere_has_not_stood_still() -> None:
    told = scenario(RUNNING, COMPLETED, wait={"timeout": "3s"}, expect={"returns": {"channels": 2}})
    others = [(float(n), "GET /api/v2/other") for n in range(3)]

    seen = observe(told, Play(TIMED_OUT, (), others=others, received_s=3.0))

    assert judged(contract("returns_result"), told, seen).status is Status.FAIL


def test_what_the_machine_did_to_one_copy_excuses_no_other() -> None:
    wait = {"wait": {"timeout": "3s"}, "parallel": 2, "expect": {"returns": {"channels": 2}}}
    told, of = scenario(RUNNING, COMPLETED, calls=[wait]), contract("returns_result")
    held_up = Play(TIMED_OUT, [1.0], received_s=3.0)
    right = Play(GOT_RESULT, (0.0, 1.0), received_s=1.1, copy=2)
    wrong = Play(got(None), (0.0, 1.0), received_s=1.1, copy=2)

    assert is_suspicious(of, told, [observe(told, held_up, right)])
    assert not is_suspicious(of, told, [observe(told, held_up, wrong)])
    assert judged(of, told, observe(told, held_up, wrong)).status is Status.FAIL


CLOSES = scenario(
    {"status": "running", "close_after": "50ms"},
    COMPLETED,
    wait={"poll_interval": "50ms"},
    expect={"returns": {"channels": 2}},
)


@pytest.mark.parametrize(
    ("seen", "failed_s", "is_open"),
    [
        (raised("transport"), 0.051, True),
        (raised("transport"), 0.02, False),  # its next poll was not on the way yet
        (raised("transport"), 0.051 + LATE_SLACK_S, True),
        (raised("transport"), 0.16, False),  # it was sent into a connection that had long been closed
        (got(None), 0.051, False),
    ],
)
def test_a_wait_that_fails_when_its_connection_is_being_closed_is_a_suspicion(
    seen: Seen, failed_s: float, is_open: bool
) -> None:
    of = contract("returns_result")
    observed = observe(CLOSES, Play(seen, [0.0], received_s=failed_s))

    assert is_suspicious(of, CLOSES, [observed]) is is_open
    assert judged(of, CLOSES, observed).status is (Status.INCONCLUSIVE if is_open else Status.FAIL)


def test_a_server_that_was_late_closes_late() -> None:
    of = contract("returns_result")
    late = [
        observe(CLOSES, Play(raised("transport"), [0.0], received_s=0.3), lag_s=lag_s)
        for lag_s in (0.07, 0.08)
    ]

    assert [is_suspicious(of, CLOSES, [each]) for each in late] == [False, True]


def test_a_wait_that_met_a_close_and_is_right_alone_is_right() -> None:
    met = observe(CLOSES, Play(raised("transport"), [0.0], received_s=0.06))
    alone = observe(CLOSES, Play(GOT_RESULT, (0.0, 0.05), received_s=0.06))

    assert judged(contract("returns_result"), CLOSES, met, alone).status is Status.PASS


LOST = Play(raised("transport"), (0.0, 1.0), received_s=2.0)


@pytest.mark.parametrize(
    ("played", "more", "is_open"),
    [
        (LOST, {}, True),
        (LOST, {"shares_connections": False}, False),
        (LOST, {"alone": True}, False),
        (Play(raised("api"), (0.0, 1.0), received_s=2.0), {}, False),
        (Play(raised("transport"), (0.0, 1.0, 2.0), received_s=2.1), {}, False),  # its own poll was dropped
        (Play(got(None), (0.0, 1.0), received_s=2.0), {}, False),
    ],
)
def test_a_connection_that_was_lost_in_a_shared_pool_may_be_another_scenarios(
    played: Play, more: Mapping[str, Any], is_open: bool
) -> None:
    """Node's fetch has one pool for all clients: a fault of one scenario meets the next poll of another."""
    told = scenario(
        {"status": "running", "times": 2},
        {"fault": {"drop": "reset"}},
        COMPLETED,
        expect={"returns": {"channels": 2}},
    )
    seen = replace(observe(told, played), **{"shares_connections": True, **more})

    assert is_suspicious(contract("returns_result"), told, [seen]) is is_open
    assert judged(contract("returns_result"), told, seen).status is (
        Status.INCONCLUSIVE if is_open else Status.FAIL
    )


def test_a_wait_that_was_told_the_end_met_no_close() -> None:
    told = scenario(
        {"status": "running", "close_after": "50ms"},
        {**COMPLETED, "close_after": "50ms"},
        wait={"poll_interval": "50ms"},
        expect={"returns": {"channels": 2}},
    )
    seen = observe(told, Play(raised("transport"), (0.0, 0.04), received_s=0.11))

    assert judged(contract("returns_result"), told, seen).status is Status.FAIL


@pytest.mark.parametrize(("failed_s", "is_open"), [(1.06, True), (1.2, False)])
def test_the_close_that_a_wait_met_is_the_one_after_its_last_poll(failed_s: float, is_open: bool) -> None:
    told = scenario(
        {"status": "running", "close_after": "150ms"},
        {"status": "running", "close_after": "50ms"},
        COMPLETED,
        wait={"poll_interval": "500ms"},
        expect={"returns": {"channels": 2}},
    )
    seen = observe(told, Play(raised("transport"), (0.0, 1.0), received_s=failed_s, connections=(1, 2)))

    assert is_suspicious(contract("returns_result"), told, [seen]) is is_open


def test_a_wait_that_fails_at_once_where_no_connection_is_closed_has_failed() -> None:
    told = scenario(RUNNING, COMPLETED, expect={"returns": {"channels": 2}})
    observed = observe(told, Play(raised("transport"), [0.0], received_s=0.02))

    assert judged(contract("returns_result"), told, observed).status is Status.FAIL


# --- two witnesses ------------------------------------------------------------------------------------


def witnessed(elapsed_s: float | None, at: tuple[float, ...] = (0.0, 1.0), runs: int = 1) -> Verdict:
    told = scenario(RUNNING, COMPLETED, expect={"returns": {"channels": 2}})
    play = Play(GOT_RESULT, at, received_s=1.1, elapsed_s=elapsed_s)
    return judged(contract("returns_result"), told, *[observe(told, play)] * runs)


@pytest.mark.parametrize(
    "elapsed_s", [None, 1.1 + WITNESS_SLACK_S, 1.119, 1.1, 1.001, 1.001 - WITNESS_SLACK_S]
)
def test_two_witnesses_may_differ_by_20_ms(elapsed_s: float | None) -> None:
    assert witnessed(elapsed_s).status is Status.PASS


def test_an_adapter_cannot_measure_longer_than_the_harness() -> None:
    assert witnessed(1.121) == verdict(
        Status.ERROR,
        seen="the adapter reports that the call took 1.12 s, but the harness had its answer after 1.10 s",
    )


def test_both_witnesses_count_from_the_call_and_not_from_the_scenarios_start() -> None:
    told = scenario(COMPLETED, calls=[{"wait": {}}, {"wait": {}, "expect": {"returns": {"channels": 2}}}])

    def second(elapsed_s: float) -> Status:
        first = Play(GOT_RESULT, [0.0], received_s=0.1)
        play = Play(GOT_RESULT, (10.0, 11.0), sent_s=10.0, received_s=11.1, elapsed_s=elapsed_s, call=1)
        return judged(contract("returns_result"), told, *[observe(told, first, play)] * 3).status

    assert [second(elapsed_s) for elapsed_s in (1.0, 1.1)] == [Status.PASS, Status.PASS]
    assert [second(elapsed_s) for elapsed_s in (0.9, 1.2)] == [Status.ERROR, Status.ERROR]


@pytest.mark.parametrize("received_s", [0.5, 0.51])
@pytest.mark.parametrize(("lag_s", "status"), [(0.25, Status.PASS), (0.0, Status.INCONCLUSIVE)])
def test_an_answers_stamp_may_be_as_late_as_the_servers_process_was(
    lag_s: float, status: Status, received_s: float
) -> None:
    told = scenario(COMPLETED, expect={"returns": {"channels": 2}})
    play = Play(GOT_RESULT, [0.0], took_s=0.5, received_s=received_s, elapsed_s=0.25)

    assert judged(contract("returns_result"), told, observe(told, play, lag_s=lag_s)).status is status


def test_when_a_poll_ended_that_the_client_gave_up_says_nothing_of_the_call() -> None:
    told = scenario(COMPLETED, expect={"returns": {"channels": 2}})
    given_up = {1: {"ended": Ended.ABANDONED}}
    play = Play(GOT_RESULT, [0.0], took_s=0.5, received_s=0.6, elapsed_s=0.1, poll=given_up)

    assert judged(contract("returns_result"), told, observe(told, play)).status is Status.PASS


def test_an_adapter_that_measures_milliseconds_is_found_out() -> None:
    assert witnessed(1005.0).status is Status.ERROR


UNDERSTATED = "the adapter reports that the call took 0.98 s, but the server saw its polls over 1.00 s"


def test_an_adapter_that_measures_less_than_the_server_saw_is_a_suspicion() -> None:
    # The last poll of a wait that gave up can be read long after it was sent.
    assert witnessed(0.979) == verdict(Status.INCONCLUSIVE, seen=UNDERSTATED, explanation=NOT_SETTLED)


def test_an_adapter_that_measures_less_in_each_run_alone_too_is_wrong() -> None:
    assert witnessed(0.979, runs=2).status is Status.INCONCLUSIVE
    assert witnessed(0.979, runs=3) == verdict(
        Status.ERROR, seen=UNDERSTATED, explanation="reproduced in 2 isolated re-runs", alone_runs=2
    )


def test_an_adapter_that_measures_less_than_all_but_the_last_poll_took_is_wrong_at_once() -> None:
    assert witnessed(0.979, at=(0.0, 1.0, 1.05)) == verdict(
        Status.ERROR,
        seen="the adapter reports that the call took 0.98 s, but the server saw its polls over 1.05 s",
    )


@pytest.mark.parametrize("elapsed_s", [0.99, 1.0, 1.02])
def test_an_adapter_that_measures_as_long_as_all_but_the_last_poll_took_is_a_suspicion(
    elapsed_s: float,
) -> None:
    assert witnessed(elapsed_s, at=(0.0, 1.0, 1.05)).status is Status.INCONCLUSIVE


def test_polls_that_nobody_waited_for_can_all_be_read_late() -> None:
    told = scenario({"status": "running", "times": 3}, expect={"returns": {"channels": 2}})
    of, at = contract("returns_result"), (0.0, 1.0, 1.05, 1.06)
    awaited, in_flight = (
        observe(told, Play(GOT_RESULT, at, took_s=took_s, received_s=1.2, elapsed_s=0.979))
        for took_s in (0.001, (0.001, 0.1, 0.1, 0.1))
    )

    assert judged(of, told, awaited).status is Status.ERROR
    assert judged(of, told, in_flight).status is Status.INCONCLUSIVE


def test_suspicions_about_different_things_add_up_to_nothing() -> None:
    late, hasty = run(2.5), observe(TIMES_OUT, Play(TIMED_OUT, [0.0, 2.0], received_s=2.1, elapsed_s=1.0))
    assert is_suspicious(LATE, TIMES_OUT, [hasty])

    for runs in ([late, late, hasty], [hasty, hasty, late], [late, late, late, late, hasty]):
        told, _ = settle(*runs)
        assert told.status is not Status.ERROR
    told, _ = settle(late, hasty, late, hasty, late)
    assert told.status is Status.INCONCLUSIVE
    assert not is_suspicious(LATE, TIMES_OUT, [late, hasty], known={"it"})  # the first was believed
    assert told.explanation.startswith("different in each of 4 isolated re-runs; ")


@pytest.mark.parametrize("level", ["MUST", "INFO"])
@pytest.mark.parametrize("known", [(), ("it",)])
def test_what_would_be_an_adapters_mistake_is_played_again_whatever_it_was_about(
    level: str, known: Collection[str]
) -> None:
    told = scenario(RUNNING, COMPLETED, expect={"returns": {"channels": 2}})
    of = contract("returns_result", level=level)
    wrong = observe(told, Play(GOT_RESULT, (0.0, 1.0), received_s=1.1, elapsed_s=0.5))
    right = observe(told, Play(GOT_RESULT, (0.0, 1.0), received_s=1.1, elapsed_s=1.05))

    assert is_suspicious(of, told, [wrong], known=known)
    (settled,) = judge(of, told, [wrong, right], known=known)
    assert settled.status is (Status.PASS if level == "MUST" else Status.INFO)


def test_polls_after_the_outcome_do_not_make_a_call_longer() -> None:
    assert witnessed(1.001, at=(0.0, 1.0, 2.0)).status is Status.PASS
    assert witnessed(1.001, at=(0.0, 1.1), runs=3).status is Status.ERROR  # it came with the outcome


def test_a_call_without_polls_has_one_witness() -> None:
    told = scenario(COMPLETED, expect={"returns": 1})
    seen = observe(told, Play(raised("transport"), received_s=0.1, elapsed_s=0.01))

    assert judged(contract("returns_result"), told, seen).status is Status.FAIL


def test_an_answer_that_the_server_stamped_late_makes_no_conflict() -> None:
    told = scenario(COMPLETED, expect={"returns": {"channels": 2}})
    play = Play(GOT_RESULT, [0.0], took_s=0.4, received_s=0.1, elapsed_s=0.05)

    assert judged(contract("returns_result"), told, observe(told, play)).status is Status.PASS


@pytest.mark.parametrize(
    ("seen", "told"),
    [
        (GOT_RESULT, 'returned {"channels": 2}'),
        (TASK_FAILED, 'raised TaskError (kind task): "it failed"'),
    ],
)
def test_an_adapter_that_knows_what_nobody_asked_for_has_guessed(seen: Seen, told: str) -> None:
    scene = scenario(COMPLETED, expect={"returns": {"channels": 2}})

    assert judged(contract("returns_result"), scene, observe(scene, Play(seen))) == verdict(
        Status.ERROR, seen=f"the call {told}, but the server saw no request"
    )


@pytest.mark.parametrize(("asked_s", "status"), [(0.5, Status.PASS), (0.6, Status.ERROR)])
def test_a_request_after_the_outcome_does_not_explain_what_the_adapter_knew(
    asked_s: float, status: Status
) -> None:
    told = scenario(COMPLETED, expect={"returns": {"channels": 2}})
    play = Play(GOT_RESULT, [asked_s], received_s=0.5)

    assert judged(contract("returns_result"), told, observe(told, play)).status is status


def test_a_request_that_is_no_poll_may_have_told_it_all_the_same() -> None:
    told = scenario(COMPLETED, expect={"returns": {"channels": 2}})
    play = Play(GOT_RESULT, others=[(0.0, "GET /api/v1/tasks/7")], received_s=0.5)

    assert judged(contract("returns_result"), told, observe(told, play)).status is Status.PASS


def test_a_task_that_nobody_asked_for_was_guessed_too() -> None:
    told = scenario(RUNNING, calls=[LOOKS])

    assert judged(
        contract("one_request_per_call"), told, observe(told, Play(got_task({"status": "running"})))
    ) == verdict(
        Status.ERROR,
        seen='the call returned the task {"status": "running"}, but the server saw no request',
    )


@pytest.mark.parametrize("kind", ["transport", "api", "other"])
def test_an_exception_that_needs_no_server_needs_no_request(kind: str) -> None:
    told = scenario(COMPLETED, expect={"returns": 1})

    assert judged(contract("returns_result"), told, observe(told, Play(raised(kind)))).status is Status.FAIL


def test_an_answer_from_a_cache_is_the_sdks_doing() -> None:
    told = scenario(COMPLETED, calls=[{"wait": {}}, {"wait": {}, "expect": {"polls": 1}}])
    seen = observe(told, Play(GOT_RESULT, [0.0]), Play(GOT_RESULT, sent_s=1.0, call=1))

    assert judged(contract("polls_until_terminal"), told, seen) == fails(
        "1 poll until the task is done", '0 polls, then the call returned {"channels": 2}'
    )


def test_the_result_of_another_callers_task_is_the_sdks_doing() -> None:
    told = scenario(COMPLETED, calls=[{"wait": {}, "parallel": 2, "expect": {"returns": "${n}"}}])
    seen = observe(told, Play(got(1), [0.0], copy=1), Play(got(1), [], copy=2, sent_s=0.0, received_s=0.1))

    assert judged(contract("outcome_expected"), told, seen) == fails("the call returns 2", "it returned 1")


def test_an_operation_is_not_asked_for_polls() -> None:
    told = scenario(COMPLETED, calls=[BEGINS])

    assert (
        judged(
            a_contract_for("begin_returns_task_id"), told, observe(told, Play(got_task_id(TASK_ID)))
        ).status
        is Status.PASS
    )


# --- what else a verdict says -------------------------------------------------------------------------


def test_verdicts_come_in_the_order_in_which_a_scenario_proves() -> None:
    names = ("no-poll-after-outcome", "failed-raises-task-exception", "polls-until-terminal")
    told = scenario(RUNNING, FAILED, expect={"raises": {"kind": "task"}, "polls": 2}, proves=names)
    seen = observe(told, Play(TASK_FAILED, (0.0, 1.0)))

    verdicts = judge(STREAM, told, [seen])

    assert tuple(v.requirement for v in verdicts) == names
    assert {(v.scenario, v.status) for v in verdicts} == {("topic/name", Status.PASS)}
    assert [v.level for v in verdicts] == [Level.SHOULD, Level.MUST, Level.MUST]


@pytest.mark.parametrize(
    ("calls", "plays", "line"),
    [
        ([WAITS], [Play(GOT_RESULT, (0.1, 1.1))], "0.00 running   1.00 completed"),
        ([LOOKS], [Play(got_task(None), [0.0])], "0.00 running"),
        (
            [LOOKS, WAITS],
            [Play(got_task(None), [0.0]), Play(GOT_RESULT, [1.0], sent_s=1.0, call=1)],
            "0.00 completed",
        ),
    ],
)
def test_a_verdict_shows_the_polls_of_the_wait_else_of_the_look(calls: Any, plays: Any, line: str) -> None:
    told = scenario(RUNNING, COMPLETED, calls=calls)
    (seen,) = judge(contract("returns_result"), told, [observe(told, *plays)])

    assert seen.timeline == f"{line}   (seconds since the first arrival)"


@pytest.mark.parametrize(
    ("runs_s", "shown"),
    [
        ((2.1,), 1),  # kept at once
        ((2.1, 2.5), 1),
        ((2.5,), 1),  # not settled
        ((2.5, 2.5), 1),
        ((2.5, 2.1), 2),  # kept alone
        ((2.5, 2.1, 2.5), 2),
        ((2.5, 2.5, 2.1), 1),  # nobody knows: what was seen at first
        ((2.5, 2.5, 2.5), 3),  # a fact: as it was seen last
    ],
)
def test_a_verdict_shows_the_polls_of_the_run_that_it_tells_of(runs_s: tuple[float, ...], shown: int) -> None:
    runs = [
        observe(TIMES_OUT, Play(TIMED_OUT, [0.1 * n for n in range(number)], received_s=took_s))
        for number, took_s in enumerate(runs_s, 1)
    ]

    (told,) = judge(LATE, TIMES_OUT, runs)

    assert told.timeline.count("running") == shown
    assert judge(LATE, TIMES_OUT, runs, known={"it"})[0].timeline.count("running") == 1


def numbered(plays: Sequence[Play], lag_s: float = 0.0) -> list[Observation]:
    """Return a run for each play, the first with one poll, the second with two, and so on."""
    return [
        observe(TIMES_OUT, replace(play, at=[*(0.01 * n for n in range(number - 1)), 2.0]), lag_s=lag_s)
        for number, play in enumerate(plays, 1)
    ]


LATE_AGAIN = Play(TIMED_OUT, received_s=2.5)
HASTY = Play(TIMED_OUT, received_s=2.1, elapsed_s=1.0)


@pytest.mark.parametrize(
    ("plays", "lag_s", "explanation"),
    [
        ([LATE_AGAIN] * 3, 0.4, "reproduced in 2 isolated re-runs, but "),
        ([LATE_AGAIN, LATE_AGAIN, Play(got(None), received_s=2.1)], 0.0, "seen in an isolated re-run"),
        (
            [LATE_AGAIN, HASTY, LATE_AGAIN, HASTY, LATE_AGAIN],
            0.0,
            "different in each of 4 isolated re-runs; ",
        ),
    ],
)
def test_a_verdict_that_runs_alone_have_settled_shows_the_polls_of_the_last(
    plays: Sequence[Play], lag_s: float, explanation: str
) -> None:
    (told,) = judge(LATE, TIMES_OUT, numbered(plays, lag_s))

    assert told.explanation.startswith(explanation)
    assert told.timeline.count("running") == len(plays)


def test_what_stood_still_for_long_and_was_right_alone_shows_the_polls_of_the_first_run() -> None:
    told = scenario(RUNNING, COMPLETED, wait={"timeout": "9s"}, expect={"returns": {"channels": 2}})
    stood_still = [Play(TIMED_OUT, [float(n) for n in range(count)], received_s=9.0) for count in (1, 2)]
    runs = [observe(told, play) for play in [*stood_still, Play(GOT_RESULT, (0.0, 1.0), received_s=1.1)]]

    (seen,) = judge(contract("returns_result"), told, runs)

    assert seen.explanation.startswith(
        "passed in isolation, but a busy machine alone does not stop a wait for that long; "
    )
    assert seen.timeline.count("completed") == 0


def test_a_verdict_about_an_operation_alone_shows_no_polls() -> None:
    told = scenario(RUNNING, calls=[BEGINS])
    (seen,) = judge(a_contract_for("begin_returns_task_id"), told, [observe(told, Play(got_task_id(None)))])

    assert seen.timeline == ""


def test_what_does_not_concern_an_sdk_does_not_apply_even_where_nothing_was_played() -> None:
    told = scenario(FAILED, proves=["java-stack-trace-accessor", "exception-version"])

    verdicts = unplayed(STREAM, told, Status.UNSUPPORTED, "it has no helper", hello("go"))

    assert [(v.status, v.seen) for v in verdicts] == [
        (Status.NOT_APPLICABLE, "only for java"),
        (Status.UNSUPPORTED, "it has no helper"),
    ]


def test_only_what_is_about_the_time_after_an_outcome_has_the_journal_watched() -> None:
    assert {name for name, check in checks().items() if check.watches} == {
        "cancelled_soon",
        "no_poll_after_outcome",
        "only_polls_are_sent",
    }


def test_what_a_busy_neighbour_could_make_late_is_about_time() -> None:
    assert {name for name, check in checks().items() if check.timed} == {
        # a poll or an outcome that is late, or polls that make up for a pause, look like a defect
        "cancelled_soon",
        "deadline_bounds_stalled_poll",
        "ends_by_deadline",
        "fault_not_hammered",
        "interval_kept",
        "no_poll_after_outcome",
        "one_poll_in_flight",
        "outcome_not_late",
        "parameters_kept",
        "polls_carry_valid_token",
        "process_ends",
        "timeout_kept",
        "timeout_not_early",
        "timeout_not_late",
        "waits_are_independent",
        "waits_interleave",
        # a behavior on record would be another one
        "record_interval_counted_from",
        "record_odd_interval",
        "record_polls_at_deadline",
        "record_request_timeout",
        "record_retry_after",
        "record_sub_second",
    }


def test_a_scenario_that_could_not_be_played_has_one_reason_for_all() -> None:
    told = scenario(COMPLETED, proves=["ships-wait-helper", "reuses-connection"])
    common = Verdict("topic/name", "ships-wait-helper", Level.MUST, Status.ERROR, seen="it did not start")

    assert unplayed(STREAM, told, Status.ERROR, "it did not start") == (
        common,
        replace(common, requirement="reuses-connection", level=Level.INFO),
    )


def test_what_a_check_gets_and_what_comes_of_it_cannot_be_changed() -> None:
    told = scenario(COMPLETED)
    case = Case(STREAM, told, observe(told, Play(GOT_RESULT, [0.0])))
    check, requirement = checks()["returns_result"], contract("returns_result").requirement("it")
    values = (case, check, check.run(case, requirement), judged(LATE, told, case.observation))

    for value in values:
        with pytest.raises(FrozenInstanceError):
            setattr(value, fields(value)[0].name, None)


# --- robustness ---------------------------------------------------------------------------------------

STRANGE = "\ud800\x00\x1b[31m\u202e" + "x" * 100_000


@pytest.mark.parametrize("check", list(checks()))
def test_nothing_that_an_adapter_can_say_crashes_a_check_or_fills_a_report(check: str) -> None:
    deep: Any = STRANGE
    for _ in range(150):
        deep = [deep]
    expects = (
        {"returns": {"text": "${text:1MiB}"}},
        {"raises": {"kind": "task", "fields": {"version": "${text:1MiB}"}}},
    )
    outcomes = (
        got({STRANGE: deep}),
        got({"text": STRANGE}),
        got_task(STRANGE),
        got_task([deep]),
        got_task_id(deep),
        replace(raised("task", version=deep), type=STRANGE, message=STRANGE),
        replace(raised("transport", error_type=STRANGE, **{STRANGE: deep}), message=None),
        StillWaiting(1e9),
        Unsupported(STRANGE),
        AdapterFault(STRANGE),
    )
    for expect in expects:
        for seen in outcomes:
            told = scenario(RUNNING, COMPLETED, expect=expect)
            for at in ((), (0.0,), (0.0, 1.0), (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)):
                found = judged(a_contract_for(check), told, observe(told, Play(seen, at)))
                assert len(found.expected) + len(found.seen) + len(found.explanation) < 5000


@pytest.mark.parametrize("check", list(checks()))
def test_an_observation_without_calls_crashes_no_check(check: str) -> None:
    told = scenario(COMPLETED, calls=[{"get_task": {}}])

    assert judged(a_contract_for(check), told, observe(told)).status in set(Status)
