"""One defect, one requirement: helpers that are right but for one thing, in the scenarios of Stream's suite.

A helper plays a scenario in virtual time, three times alike, so that what is a suspicion becomes a fact.
Where one defect breaks two requirements, the table says why it cannot be otherwise.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from observations import CREDENTIALS, HELLO, STREAM, TARGET, TASK_ID, hello
from waitproof.journal import Ended
from waitproof.judge import Status, judge
from waitproof.judge.observation import CallRecord, Observation, Poll, Seen, StillWaiting, TaskRecord
from waitproof.judge.pauses import TICK_S
from waitproof.protocol import ExceptionKind, Given, Hello, Raised, Returned
from waitproof.suite.contract import StatusMeaning
from waitproof.suite.files import bundled_suite, load_suite
from waitproof.suite.scenario import Call, Scenario
from waitproof.suite.step import Drop
from waitproof.suite.task import TaskState, answer, render_body
from waitproof.suite.template import at_path, fill

FAST_S = 0.001


@dataclass(frozen=True)
class Helper:
    """A wait helper in virtual time; as it stands it keeps every promise, each other value is a defect.

    `counts_from`, `first_waits` and `clamps` are choices that the documentation leaves to a helper.
    """

    by: Hello = HELLO
    counts_from: str = "response"
    first_waits: bool = False
    clamps: bool = True
    tick_s: float = 0.0
    interval_ratio: Mapping[str, float] = field(default_factory=dict)
    timeout_ratio: Mapping[str, float] = field(default_factory=dict)
    slows_down_after: int = 1_000
    extra_polls: int = 0
    poll_after_timeout: bool = False
    sleeps_at_the_end: bool = False
    never_gives_up: bool = False
    last_sleep_is_whole: bool = False
    ends_stalled_polls: bool = True
    takes_for_failed: tuple[str, ...] = ()
    takes_for_done: tuple[str, ...] = ()
    swallows: bool = False
    result: Any = ...
    fields: Mapping[str, Any] = field(default_factory=dict)
    without_field: str = ""
    task_kind: str = "task"
    timeout_kind: str = "transport"
    timeout_fields: Mapping[str, Any] = field(default_factory=lambda: {"error_type": "timeout"})
    fault_kind: str = ""
    requests_per_look: int = 1
    signs: int = 1_000
    cancels: bool = False
    loses_task_id: bool = False
    frames: int | None = 12

    def play(self, scenario: Scenario) -> Observation:
        tables = [_Table(self, scenario, n) for n in range(1, scenario.parallel + 1)]
        calls: list[CallRecord] = []
        for index, call in enumerate(scenario.calls):
            calls += [table.make(index, call) for table in tables[: call.parallel]]
        tasks = tuple(
            TaskRecord(table.n, table.task_id, "token", tuple(table.polls), tuple(table.others))
            for table in tables
        )
        return Observation(self.by, tuple(calls), tasks, watched_s=max(table.now_s for table in tables) + 3)


class _Table:
    """One task of a scenario, and the helper at work on it."""

    def __init__(self, helper: Helper, scenario: Scenario, n: int) -> None:
        self.helper = helper
        self.n = n
        wanted = scenario.task_ids()
        self.task_id = fill(wanted[0], {"token": "token", "n": n}) if wanted else TASK_ID[:-2] + f"{n:02}"
        self.values = {"task_id": self.task_id, "token": "token", "n": n}
        self.state = TaskState(scenario.task)
        self.now_s = 0.0
        self.polls: list[Poll] = []
        self.others: list[Poll] = []

    def make(self, index: int, call: Call) -> CallRecord:
        sent_s = self.now_s
        self.now_s += FAST_S * self.n
        if call.wait is not None:
            seen = self.wait(call, sent_s)
        elif call.get_task is not None:
            seen = self.look()
        else:
            seen = Returned(Given.TASK_ID, task_id=None if self.helper.loses_task_id else self.task_id)
        ended_s = self.now_s + FAST_S
        received_s = None if isinstance(seen, StillWaiting) else ended_s
        self.now_s = ended_s + 0.1
        return CallRecord(index, self.n, call, sent_s, received_s, seen)

    def look(self) -> Seen:
        for _ in range(self.helper.requests_per_look):
            seen = self.poll(self.now_s + 99.0)
        return seen if isinstance(seen, Raised) else Returned(Given.TASK, task=seen)

    def wait(self, call: Call, sent_s: float) -> Seen:
        helper, made = self.helper, CallRecord(0, 1, call, 0.0, None, StillWaiting(0.0))
        interval_s, timeout_s = made.interval_s(STREAM), made.timeout_s(STREAM)
        assert call.wait is not None
        of = {
            name: "default" if getattr(call.wait, name) is None else "passed"
            for name in ("poll_interval", "timeout")
        }
        interval_s *= helper.interval_ratio.get(of["poll_interval"], 1.0)
        timeout_s *= helper.timeout_ratio.get(of["timeout"], 1.0)
        began_s = self.now_s
        deadline_s = began_s + timeout_s
        if helper.first_waits:
            self.now_s += min(interval_s, timeout_s)
        for number in range(1, 2_000):
            asked_s = self.now_s
            seen = self.poll(deadline_s if helper.ends_stalled_polls else self.now_s + 99.0)
            ended = self.outcome(seen)
            if ended is not None:
                for _ in range(0 if isinstance(seen, Raised) else helper.extra_polls):
                    self.poll(self.now_s + 99.0)
                self.now_s += interval_s if helper.sleeps_at_the_end else 0.0
                return ended
            if self.now_s >= deadline_s and not helper.never_gives_up:
                break
            if helper.never_gives_up and self.now_s > deadline_s + 12.0:
                return StillWaiting(timeout_s + interval_s + 10.0)
            pause_s = interval_s * (1.0 if number <= helper.slows_down_after else 3.0)
            due_s = (asked_s if helper.counts_from == "request" else self.now_s) + pause_s
            if due_s >= deadline_s and not helper.clamps:
                self.now_s = max(self.now_s, deadline_s)
                break
            if not helper.last_sleep_is_whole and not helper.never_gives_up:
                due_s = min(due_s, deadline_s)
            self.now_s = max(self.now_s, due_s)
            if helper.tick_s:
                self.now_s = math.ceil(self.now_s / helper.tick_s) * helper.tick_s
        received_s = self.now_s
        if helper.poll_after_timeout:
            self.now_s += interval_s
            self.poll(self.now_s + 99.0)
            self.now_s = received_s
        if helper.cancels:
            self.others.append(Poll(0, self.now_s, self.now_s, method="DELETE", target=TARGET))
        return Raised(ExceptionKind(helper.timeout_kind), "Timeout", "gave up", dict(helper.timeout_fields))

    def poll(self, until_s: float) -> Any:
        """Poll once and return the task's body, or the exception of an answer that went wrong."""
        connection = len(self.polls) + 1
        arrived_s = self.now_s
        self.state, said = answer(self.state, arrived_s, connection=connection, fresh=True)
        step = said.step
        drop = None if step.fault is None else step.fault.drop
        left = step.delay > 0 and arrived_s + step.delay > until_s
        self.now_s = max(until_s, arrived_s + 0.05) if left else arrived_s + step.delay + FAST_S
        signed = len(self.polls) < self.helper.signs
        self.polls.append(
            Poll(
                n=said.n,
                arrived_s=arrived_s,
                answered_s=self.now_s,
                status=step.label,
                step=said.index,
                connection=connection,
                ended=Ended.ABANDONED if left else Ended.DROPPED if drop else Ended.ANSWERED,
                target=TARGET,
                headers=CREDENTIALS if signed else {},
            )
        )
        if left:
            return None
        if step.fault is None:
            return render_body(STREAM, step, self.values)
        kind = "transport" if drop in set(Drop) else "api"
        return Raised(ExceptionKind(self.helper.fault_kind or kind), "Fault", "went wrong", {})

    def outcome(self, seen: Any) -> Seen | None:
        helper = self.helper
        if isinstance(seen, Raised):
            return None if helper.swallows else seen
        if seen is None:
            return None
        status = seen["status"]
        means = STREAM.meaning(status)
        if means is StatusMeaning.RETURN_RESULT or status in helper.takes_for_done:
            return Returned(
                Given.RESULT, result=seen.get("result") if helper.result is ... else helper.result
            )
        if means is StatusMeaning.RAISE_TASK or status in helper.takes_for_failed:
            fields = {name: at_path(seen, path) for name, path in STREAM.exception_fields.items()}
            fields = {name: value for name, value in fields.items() if name != helper.without_field}
            kind = ExceptionKind(helper.task_kind)
            return Raised(kind, "TaskError", "failed", {**fields, **helper.fields}, helper.frames)
        return None


SUITE = load_suite(bundled_suite())
SCENARIOS = {scenario.id: scenario for scenario in SUITE.scenarios}
GOOD = {Status.PASS, Status.INFO, Status.NOT_APPLICABLE}


def broken_by(helper: Helper, scenario_id: str) -> set[str]:
    """Return the requirements that a helper breaks in a scenario, however often it is played."""
    scenario = SCENARIOS[scenario_id]
    seen = helper.play(scenario)
    return {
        v.requirement for v in judge(SUITE.contract, scenario, [seen, seen, seen]) if v.status not in GOOD
    }


SOUND: Mapping[str, Helper] = {
    "counted from the response": Helper(),
    "counted from the request": Helper(counts_from="request"),
    "first poll after an interval": Helper(first_waits=True),
    "no poll at the deadline": Helper(clamps=False),
    "timers that tick every 15.6 ms": Helper(tick_s=TICK_S),
    "java": Helper(by=hello("java")),
    "non-blocking": Helper(by=hello(non_blocking=True)),
    "non-blocking, counted from the request": Helper(by=hello(non_blocking=True), counts_from="request"),
}


@pytest.mark.parametrize("name", list(SOUND))
def test_a_helper_that_keeps_every_promise_passes_every_scenario(name: str) -> None:
    helper = SOUND[name]

    assert {each: broken for each in SCENARIOS if (broken := broken_by(helper, each))} == {}


def test_a_helper_that_keeps_every_promise_needs_no_run_alone() -> None:
    for scenario in SUITE.scenarios:
        seen = Helper().play(scenario)
        assert {v.alone_runs for v in judge(SUITE.contract, scenario, [seen, seen, seen])} == {0}


MINUTE = "defaults/gives-up-after-a-minute"
BOTH = "overrides/both-shorter"
COMPLETES = "outcomes/completes-after-3-polls"
FAILS = "outcomes/fails-after-3-polls"
FIELDS = "fields/every-field"
SECONDS = "defaults/polls-every-second"
NEVER = "outcomes/never-ends"
JAVA = "fields/stack-trace-beside-the-runtimes-own"

ONE: Mapping[str, tuple[Helper, str, set[str]]] = {
    "one poll after completed": (Helper(extra_polls=1), COMPLETES, {"no-poll-after-outcome"}),
    "one poll after failed": (Helper(extra_polls=1), FAILS, {"no-poll-after-outcome"}),
    "a poll after the timeout": (Helper(poll_after_timeout=True), NEVER, {"no-poll-after-outcome"}),
    "a sleep before the result": (
        Helper(sleeps_at_the_end=True),
        "outcomes/handed-over-at-once",
        {"outcome-not-late"},
    ),
    "a sleep before the task exception": (
        Helper(sleeps_at_the_end=True),
        "outcomes/failure-handed-over-at-once",
        {"outcome-not-late"},
    ),
    "a default interval of half a second": (
        Helper(interval_ratio={"default": 0.5}),
        MINUTE,
        {"default-poll-interval"},
    ),
    "a default interval of two seconds": (
        Helper(interval_ratio={"default": 2.0}),
        MINUTE,
        {"default-poll-interval"},
    ),
    "a default interval that is right for eight polls": (
        Helper(slows_down_after=16),
        MINUTE,
        {"default-poll-interval"},
    ),
    "half the interval that was passed": (
        Helper(interval_ratio={"passed": 0.5}),
        BOTH,
        {"override-poll-interval"},
    ),
    "twice the interval that was passed": (
        Helper(interval_ratio={"passed": 2.0}),
        BOTH,
        {"override-poll-interval"},
    ),
    "nine tenths of the interval that was passed": (
        Helper(interval_ratio={"passed": 0.9}),
        BOTH,
        {"override-poll-interval"},
    ),
    "a whole sleep across the deadline": (
        Helper(last_sleep_is_whole=True),
        "overrides/interval-longer-than-timeout",
        {"timeout-not-late"},
    ),
    "the result is null": (Helper(result=None), COMPLETES, {"completed-returns-result"}),
    "the result is inside of another": (
        Helper(result={"result": {"channels": 2}}),
        SECONDS,
        {"completed-returns-result"},
    ),
    "a bare exception for a failed task": (
        Helper(task_kind="other"),
        FIELDS,
        {"failed-raises-task-exception"},
    ),
    "another task id": (Helper(fields={"task_id": "x"}), FIELDS, {"exception-task-id"}),
    "another error type": (Helper(fields={"error_type": "task_failed"}), FIELDS, {"exception-error-type"}),
    "an empty description": (Helper(fields={"description": ""}), FIELDS, {"exception-description"}),
    "no stack trace": (Helper(without_field="stack_trace"), FIELDS, {"exception-stack-trace"}),
    "a version that is null": (Helper(fields={"version": None}), FIELDS, {"exception-version"}),
    "the runtime's stack trace is gone": (
        Helper(by=hello("java"), frames=0),
        JAVA,
        {"java-stack-trace-accessor"},
    ),
    "another kind of timeout": (
        Helper(timeout_kind="other"),
        BOTH,
        {"timeout-raises-transport-exception"},
    ),
    "a timeout without a type": (
        Helper(timeout_fields={}),
        MINUTE,
        {"timeout-raises-transport-exception"},
    ),
    "a stalled poll that goes on": (
        Helper(ends_stalled_polls=False),
        "faults/later-poll-stalls",
        {"deadline-bounds-a-stalled-poll"},
    ),
    "two requests for one look": (
        Helper(requests_per_look=2),
        "polling/timeout-then-a-look",
        {"get-task-is-one-request"},
    ),
    "the sixth poll is not signed": (Helper(signs=5), MINUTE, {"polls-carry-credentials"}),
    "the task is cancelled after a timeout": (
        Helper(cancels=True),
        "polling/timeout-leaves-task-running",
        {"timeout-leaves-task-running"},
    ),
    "a task id that is lost": (
        Helper(loses_task_id=True),
        "operations/delete-channels",
        {"operation-returns-task-id"},
    ),
    "an unknown status is a failure": (
        Helper(takes_for_failed=("paused",)),
        "outcomes/unknown-status-then-completed",
        {"unknown-status-keeps-polling"},
    ),
    "a server's error is polled over": (
        Helper(swallows=True),
        "faults/http-500-while-running",
        {"server-error-surfaces"},
    ),
    "a dropped connection is polled over": (
        Helper(swallows=True),
        "faults/drop-while-running",
        {"dropped-connection-surfaces-as-transport"},
    ),
    "a bare exception for an error that is a text": (
        Helper(task_kind="other"),
        "fields/error-is-a-text",
        {"odd-error-surfaces"},
    ),
    "a bare exception for HTML": (
        Helper(fault_kind="other"),
        "faults/html-while-running",
        {"malformed-answer-surfaces"},
    ),
}

# What one defect breaks twice or more, and why nobody could tell the requirements apart.
NECESSARY: Mapping[str, tuple[Helper, str, set[str]]] = {
    # A timeout so early that not even an interval explains it is also before its time.
    "half the default timeout": (
        Helper(timeout_ratio={"default": 0.5}),
        MINUTE,
        {"default-timeout", "timeout-not-early"},
    ),
    "half the timeout that was passed": (
        Helper(timeout_ratio={"passed": 0.5}),
        BOTH,
        {"override-timeout", "timeout-not-early"},
    ),
    "twice the timeout that was passed": (
        Helper(timeout_ratio={"passed": 2.0}),
        BOTH,
        {"override-timeout", "timeout-not-late"},
    ),
    # The async variant's parameters are those two options.
    "an async helper with half the interval": (
        Helper(by=hello(non_blocking=True), interval_ratio={"passed": 0.5}),
        BOTH,
        {"override-poll-interval", "async-takes-same-parameters"},
    ),
    # Nothing was raised: every requirement about a timeout depends on that.
    "a wait that never gives up": (
        Helper(never_gives_up=True),
        BOTH,
        {"override-timeout", "timeout-raises-transport-exception", "timeout-not-early", "timeout-not-late"},
    ),
    # A wait that ends too soon has no result, and too few polls to show an interval.
    "pending is taken for a failure": (
        Helper(takes_for_failed=("pending",)),
        SECONDS,
        {"polls-until-terminal", "completed-returns-result", "default-poll-interval"},
    ),
    # What the caller reads of the accessor is the one field.
    "no stack trace in java": (
        Helper(by=hello("java"), without_field="stack_trace"),
        JAVA,
        {"java-stack-trace-accessor", "exception-stack-trace"},
    ),
    # An exception that comes before the task has failed cannot say what the server said then.
    "running is taken for a failure": (
        Helper(takes_for_failed=("running",)),
        FIELDS,
        {"exception-error-type", "exception-description", "exception-stack-trace", "exception-version"},
    ),
    # Both sentences promise the same payload.
    "the result is lost where it is null": (
        Helper(result={}),
        "outcomes/returns-null",
        {"completed-returns-result", "payload-arrives-intact"},
    ),
}


@pytest.mark.parametrize("defect", list(ONE))
def test_one_defect_breaks_the_one_requirement_that_is_about_it(defect: str) -> None:
    helper, scenario_id, broken = ONE[defect]

    assert broken_by(helper, scenario_id) == broken


@pytest.mark.parametrize("defect", list(NECESSARY))
def test_one_defect_breaks_more_only_where_nobody_could_tell_them_apart(defect: str) -> None:
    helper, scenario_id, broken = NECESSARY[defect]

    assert broken_by(helper, scenario_id) == broken


def requirements(helper: Helper) -> Iterator[str]:
    for scenario_id in SCENARIOS:
        yield from broken_by(helper, scenario_id)


@pytest.mark.parametrize(
    ("helper", "broken"),
    [
        (Helper(extra_polls=1), {"no-poll-after-outcome"}),
        (Helper(interval_ratio={"default": 0.5}), {"default-poll-interval"}),
        (Helper(interval_ratio={"passed": 0.9}), {"override-poll-interval"}),
        (Helper(without_field="stack_trace"), {"exception-stack-trace"}),
        # The second request of a look takes an answer away from the wait after it, which counts its polls.
        (Helper(requests_per_look=2), {"get-task-is-one-request", "polls-until-terminal"}),
        (Helper(signs=5), {"polls-carry-credentials"}),
        (Helper(loses_task_id=True), {"operation-returns-task-id", "similar-operation-returns-task-id"}),
    ],
)
def test_over_the_whole_suite_a_defect_stays_with_its_requirement(helper: Helper, broken: set[str]) -> None:
    assert set(requirements(replace(helper))) == broken
