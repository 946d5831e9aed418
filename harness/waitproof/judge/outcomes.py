"""Checks of what the caller saw: results, exceptions and their fields, faults that surface."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from waitproof.judge.check import Case, Finding, Mark, NoArguments, broken, kept, kind, suspect
from waitproof.judge.deadlines import is_timeout, promised_timeout, wrong_field
from waitproof.judge.intervals import EARLY_SLACK_S
from waitproof.judge.observation import CallRecord, StillWaiting
from waitproof.judge.returns import ending_step, is_alike, result_returned
from waitproof.judge.words import (
    MISSING,
    NOTHING_RAISED,
    cut,
    describe,
    difference,
    is_outcome_named,
    json_equal,
    seconds,
    shown,
)
from waitproof.protocol import ExceptionKind, Raised, Returned
from waitproof.suite import REDIRECTS, Json, Model, PollCount, at_path, fill, render_body
from waitproof.text import plural

__all__ = ["outcome_expected"]

MAX_REDIRECTS = 60  # that a client follows before it gives up: .NET and curl follow 50, requests 30, fetch 20


class Kinds(Model):
    """Which kinds of exception will do."""

    noun: ClassVar[str] = "check's arguments"
    kinds: tuple[Literal["task", "transport", "api", "other"], ...]


class FaultArguments(Kinds):
    """Also whether any exception of the SDK's own will do."""

    or_own: bool = False


class FieldArguments(Model):
    """A documented field of the exception, and the dotted path in the answer that its value comes from."""

    noun: ClassVar[str] = "check's arguments"
    field: str
    from_: str = Field(alias="from")


class Operations(Model):
    """Names of operations in the contract."""

    noun: ClassVar[str] = "check's arguments"
    operations: tuple[str, ...]


def _no_helper(case: Case, _arguments: Model) -> str:
    return "" if case.capabilities.wait else "wait helper"


@kind(
    "helper_is_shipped",
    lacks=_no_helper,
    accuses="an SDK without a wait helper, and one whose helper sends no request and fails",
    excuses="every other outcome",
)
def helper_is_shipped(case: Case, _arguments: NoArguments) -> Finding:
    """The SDK has a wait helper, and it can be called."""
    expected = "a helper that waits for a task"
    for call in case.waits():
        if not case.observation.requests_of(call) and not case.observation.others_of(call):
            return broken(expected, f"it sent no request, and {describe(call.seen)}")
    return kept(expected, case.observation.hello.helper)


def _no_operation(case: Case, arguments: Operations) -> str:
    lacking = set(arguments.operations).difference(case.capabilities.operations)
    return next((f"operation {call.begin}" for call in case.scenario.calls if call.begin in lacking), "")


@kind(
    "begin_returns_task_id",
    arguments=Operations,
    lacks=_no_operation,
    accuses="an operation that fails, or returns another task id; an SDK that lacks the operation",
    excuses="operations that are not listed under 'with'",
)
def begin_returns_task_id(case: Case, arguments: Operations) -> Finding:
    """The operation's answer gives its caller the task's id."""
    begun = (call for call in case.observation.calls if call.call.begin in arguments.operations)
    call = next(begun, None)  # a scenario begins its task once
    if call is None:
        return broken("an operation of the scenario to judge", "there was none")
    task_id = case.observation.task(call).task_id
    expected = f"{call.call.begin} returns the task id {shown(task_id)}"
    if not isinstance(call.seen, Returned) or not json_equal(call.seen.task_id, task_id):
        return broken(expected, f"it {describe(call.seen)}")
    return kept(expected, "it did")


@kind(
    "returns_result",
    reads=["returns"],
    accuses="a wait that raises, never ends, or returns anything but the expected result",
    excuses="the order of keys; 1 and 1.0 are the same number; of a task, members that are not promised; "
    "what the adapter says of its types with 'zero_values', or of a helper that 'returns: nothing'",
)
def returns_result(case: Case, _arguments: NoArguments) -> Finding:
    """A wait whose task completes returns what the scenario expects: the result payload, exactly.

    Where helpers return the task, its promised part; where they return nothing, that they return.
    """
    finding = broken("a wait that returns", case.none_made)
    for call in case.waits():
        if call.call.expect.has("returns"):
            finding = result_returned(case, call)
            if finding.mark is not Mark.KEPT:
                return finding
    return finding


@kind(
    "raises_kind",
    arguments=Kinds,
    reads=["raises"],
    accuses="a call that returns, never ends, or raises an exception of another kind",
    excuses="the exception's class, message and fields",
)
def raises_kind(case: Case, arguments: Kinds) -> Finding:
    """The exception is of the documented kind."""
    expected = f"the call raises an exception of kind {' or '.join(arguments.kinds)}"
    finding = broken(expected, case.none_made)
    for call in _raising(case):
        if not is_outcome_named(call.seen, arguments.kinds):
            return broken(expected, f"it {describe(call.seen)}")
        finding = kept(expected, f"it {describe(call.seen)}")
    return finding


@kind(
    "raises_timeout",
    reads=["raises"],
    accuses="a wait that returns, never ends, or raises anything but what the contract says under 'timeout'",
    excuses="when the exception came: that is for the checks of time",
)
def raises_timeout(case: Case, _arguments: NoArguments) -> Finding:
    """A wait that outlasts its deadline raises what the contract promises for a timeout."""
    expected = f"the call raises {promised_timeout(case)}"
    finding = broken(expected, case.none_made)
    for call in _raising(case):
        if not isinstance(call.seen, Raised) or not case.fits_timeout(call.seen):
            return broken(expected, f"it {describe(call.seen)}")
        wrong = wrong_field(case, call.seen)
        if wrong:
            return broken(expected, wrong)
        finding = kept(expected, f"it {describe(call.seen)}")
    return finding


@kind(
    "exception_field",
    arguments=FieldArguments,
    reads=["raises"],
    accuses="a field that is missing, or isn't what the server's answer had at 'from'",
    excuses="a field that the answer lacked, if the SDK has nothing or null there",
)
def exception_field(case: Case, arguments: FieldArguments) -> Finding:
    """A documented field of the task exception says what the server said."""
    finding = broken(f"an exception with {arguments.field}", case.none_made)
    for call in _raising(case):
        wanted = _said(case, call, arguments)
        expected = f"{arguments.field} is {shown(wanted)} ({arguments.from_} in the server's answer)"
        if not isinstance(call.seen, Raised):
            return broken(expected, f"{NOTHING_RAISED}the call {describe(call.seen)}")
        value = call.seen.fields.get(arguments.field, MISSING)
        if not json_equal(value, wanted):
            return broken(expected, _told(call.seen, arguments.field), difference(wanted, value))
        finding = kept(expected, "it is")
    return finding


@kind(
    "native_stack_trace_is_apart",
    arguments=FieldArguments,
    reads=["raises"],
    accuses="what exception_field accuses, and an exception without the runtime's own stack trace",
    excuses="how the runtime's trace looks",
)
def native_stack_trace_is_apart(case: Case, arguments: FieldArguments) -> Finding:
    """The server's stack trace has an accessor of its own, and the runtime's own trace still works."""
    finding = exception_field(case, arguments)
    if finding.mark is not Mark.KEPT:
        return finding
    for call in _raising(case):
        assert isinstance(call.seen, Raised)
        if call.seen.native_stack_frames is None:
            return Finding(Mark.ERROR, seen="the adapter does not report exception.native_stack_frames")
        if call.seen.native_stack_frames == 0:
            return broken("the runtime's own stack trace has frames", "it has none")
    return finding


def _said(case: Case, call: CallRecord, arguments: FieldArguments) -> Json:
    """Return what the server said there: in the scenario's expectation, else in the answer that failed.

    Where the wait ended before that answer, it is the one that a patient helper would have seen: an exception
    that is raised too soon, with nothing in it, must not be held against an answer with nothing in it.
    """
    raises = call.call.expect.raises
    task = case.observation.task(call)
    if raises is not None and arguments.field in raises.fields:
        return fill(raises.fields[arguments.field], task.values)
    said = ending_step(case, call)
    return None if said is None else at_path(render_body(case.contract, said, task.values), arguments.from_)


def _told(seen: Raised, name: str) -> str:
    if name not in seen.fields:
        return f"{cut(seen.type)} has no {name}"
    return f"{name} is {shown(seen.fields[name])}"


def _raising(case: Case) -> list[CallRecord]:
    return [call for call in case.observation.calls if call.call.expect.raises is not None]


@kind(
    "polls_until_terminal",
    reads=["polls"],
    accuses="an outcome before the task has ended, or none after it; other polls than expected",
    excuses="a wait that gives up at its deadline",
)
def polls_until_terminal(case: Case, _arguments: NoArguments) -> Finding:
    """The helper goes on polling until the task is done, and no outcome comes before that."""
    expected = "polls until the task is done"
    for call in case.waits():
        polls = case.polls(call)
        if call.call.expect.polls is not None and not call.call.expect.polls.holds(len(polls)):
            expected = f"{call.call.expect.polls} until the task is done"
            return broken(expected, f"{plural(len(polls), 'poll')}, then the call {describe(call.seen)}")
        is_done = case.end_of(call) is not None
        if _says_done(case, call) and not is_done:
            last = f"the last answer was {polls[-1].status!r}" if polls else "no poll arrived"
            return broken(expected, f"the call {describe(call.seen)} although {last}")
        if is_done and _has_missed_the_end(case, call, len(polls)):
            seen = f"polls went on after the answer {polls[-1].status!r}, and the call {describe(call.seen)}"
            return broken(expected, seen)
    return kept(expected, "it did")


def _has_missed_the_end(case: Case, call: CallRecord, needed: int) -> bool:
    """Say whether a wait polled on after the answer that ended its task, until its deadline or longer."""
    if len(case.observation.polls_of(call)) <= needed:
        return False
    return is_timeout(case, call) or isinstance(call.seen, StillWaiting)


def _says_done(case: Case, call: CallRecord) -> bool:
    if isinstance(call.seen, Raised):
        return call.seen.kind is ExceptionKind.TASK and not case.fits_timeout(call.seen)
    return isinstance(call.seen, Returned)


@kind(
    "outcome_expected",
    reads=["returns", "raises", "task", "polls"],
    accuses="any part of an expectation that does not come true",
    excuses="what the scenario does not expect: an empty 'expect' accuses nobody",
)
def outcome_expected(case: Case, _arguments: NoArguments) -> Finding:
    """Every call ends as the scenario says, in every part of its expectation."""
    finding = broken("a call", case.none_made)
    for call in case.observation.calls:
        finding = _expectation(case, call)
        if finding.mark is not Mark.KEPT:
            return finding
    return finding


def _expectation(case: Case, call: CallRecord) -> Finding:
    expect = call.call.expect
    values = case.observation.task(call).values
    if expect.has("returns"):
        finding = result_returned(case, call)
        if finding.mark is not Mark.KEPT:
            return finding
    if expect.task is not None:
        finding = task_seen(case, call, fill(expect.task, values))
        if finding.mark is not Mark.KEPT:
            return finding
    if expect.raises is not None:
        wanted = f"the call raises an exception of kind {' or '.join(expect.raises.kind)}"
        is_timeout_wanted = "timeout" in expect.raises.kind
        is_as_wanted = is_outcome_named(call.seen, expect.raises.kind)
        if not is_as_wanted and not (is_timeout_wanted and case.fits_timeout(call.seen)):
            return broken(wanted, f"it {describe(call.seen)}")
        assert isinstance(call.seen, Raised)
        for name, value in fill(expect.raises.fields, values).items():
            given = call.seen.fields.get(name, MISSING)
            if not json_equal(given, value):
                return broken(f"{name} is {shown(value)}", _told(call.seen, name), difference(value, given))
    return _polls_counted(case, call, expect.polls)


def _polls_counted(case: Case, call: CallRecord, wanted: PollCount | None) -> Finding:
    count = len(case.polls(call))
    if wanted is not None and not wanted.holds(count):
        return broken(str(wanted), f"{plural(count, 'poll')}, then the call {describe(call.seen)}")
    return kept("the outcome that the scenario expects", f"the call {describe(call.seen)}")


def task_seen(case: Case, call: CallRecord, wanted: Json) -> Finding:
    """Say whether a call returned a task that has all that is wanted of it."""
    expected = f"a task with {shown(wanted)}"
    if not isinstance(call.seen, Returned) or not isinstance(call.seen.task, dict):
        return broken(expected, f"the call {describe(call.seen)}")
    for name, value in wanted.items():
        given = call.seen.task.get(name, MISSING)
        if not is_alike(case, value, None if given is MISSING and case.capabilities.zero_values else given):
            return broken(expected, f"{name} is {shown(given)}", difference(value, given))
    return kept(expected, "it is one")


@kind(
    "fault_surfaces",
    arguments=FaultArguments,
    reads=["raises", "polls"],
    accuses="a lasting fault that becomes a result, a timeout or an exception of another kind",
    excuses="when it surfaces before the deadline; with or_own, any exception that the SDK defines; up to "
    f"{MAX_REDIRECTS} redirects of one poll that last until the deadline on a busy machine",
)
def fault_surfaces(case: Case, arguments: FaultArguments) -> Finding:
    """A fault that lasts reaches the caller as an exception of the SDK's own, not as its timeout.

    Not at which poll: a helper may forgive a few, as users of some SDKs ask for.
    """
    expected = f"an exception of kind {' or '.join(arguments.kinds)}"
    expected += ", or another of the SDK's own," if arguments.or_own else ""
    expected += " before the deadline"
    finding = broken(expected, case.none_made)
    for call in _raising(case):
        finding = _surfaced(case, call, arguments, expected)
        if finding.mark is not Mark.KEPT:
            return finding
    return finding


def _still_redirected(case: Case, call: CallRecord, expected: str, seen: str) -> Finding | None:
    """Return a suspicion where the deadline came while a client followed the redirects of one poll.

    One that follows them without a limit, or polls on when it has given up, is not slow.
    """
    requests = [each for each in case.observation.requests_of(call) if not each.repeat]
    redirected = {each.n for each in requests if each.http in REDIRECTS}
    hops = [each.arrived_s for each in requests if each.n in redirected]
    if len(redirected) != 1 or not 1 < len(hops) <= MAX_REDIRECTS:
        return None
    return suspect(expected, seen, excess_s=(hops[-1] - hops[0]) / (len(hops) - 1))


def _surfaced(case: Case, call: CallRecord, arguments: FaultArguments, expected: str) -> Finding:
    is_own = (
        arguments.or_own
        and is_outcome_named(call.seen, ["other"])
        and isinstance(call.seen, Raised)
        and case.contract.is_sdk_exception(call.seen.type)
    )
    if not isinstance(call.seen, Raised) or not (is_own or is_outcome_named(call.seen, arguments.kinds)):
        return broken(expected, f"the call {describe(call.seen)}")
    polls = case.polls(call)
    count = plural(len(polls), "poll")
    if is_timeout(case, call):
        explanation = "the caller cannot tell the fault from a deadline"
        seen = f"the timeout's exception after {count}"
        return _still_redirected(case, call, expected, seen) or broken(expected, seen, explanation)
    if not any(case.scenario.task[poll.step].fault or case.is_terminal(poll) for poll in polls):
        return broken(expected, f"the call {describe(call.seen)} before any answer went wrong")
    took_s = call.took_s
    late_s = call.timeout_s(case.contract) - EARLY_SLACK_S
    if call.call.wait is not None and took_s is not None and took_s >= late_s:
        seen = f"the call {describe(call.seen)} after {seconds(took_s)}, at its deadline"
        return _still_redirected(case, call, expected, seen) or broken(expected, seen)
    wanted = call.call.expect.polls
    if wanted is not None and not wanted.holds(len(polls)):
        return broken(f"{expected}: {wanted}", f"{count}, then the call {describe(call.seen)}")
    return kept(expected, f"the call {describe(call.seen)}")
