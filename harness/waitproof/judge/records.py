"""Behaviors that the documentation leaves open: recorded in words and numbers, never judged.

The same behavior has the same words before the colon, so that SDKs can be compared; numbers follow it.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from statistics import median
from typing import TypeAlias
from urllib.parse import parse_qsl, unquote, urlsplit

from waitproof.judge.check import ACCUSES_NOBODY, EXCUSES_ALL, Case, Finding, NoArguments, kind, recorded
from waitproof.judge.deadlines import is_timeout
from waitproof.judge.intervals import EARLY_SLACK_S, LATE_SLACK_S
from waitproof.judge.observation import CallRecord, Poll, StillWaiting
from waitproof.judge.pauses import median_period_s, periods_s
from waitproof.judge.returns import returns, seen_as, wanted_of
from waitproof.judge.words import cut, describe, differs_at, json_equal, listed, seconds, shown
from waitproof.protocol import Cancelled, ExceptionKind, Raised, Returned
from waitproof.suite import Returns, Step, at_path, fill, render_body
from waitproof.text import plural

__all__: list[str] = []

_PAUSE = re.compile(r"\$\{date:([0-9]+)s\}|([0-9]+(?:\.[0-9]+)?)")  # in a scenario's Retry-After
NO_VALUE = "nothing: the helper returns no value"
NOTHING = "nothing: no poll arrived"
UNSURE_S = 0.200  # a first poll, due at the call, is no later on a busy machine
NO_PAUSE_RATIO = 0.1  # of the default interval: a request and its answer on a busy machine fit in

_CheckOfNothing: TypeAlias = Callable[[Case, NoArguments], Finding]


def _record(
    name: str, *, reads: Sequence[str] = (), timed: bool = False
) -> Callable[[_CheckOfNothing], _CheckOfNothing]:
    """Register a check that records something about the first wait, if there is one."""

    def register(function: _CheckOfNothing) -> _CheckOfNothing:
        @functools.wraps(function)
        def check(case: Case, arguments: NoArguments) -> Finding:
            if next(case.waits(), None) is None:
                return recorded("nothing: no wait was made")
            return function(case, arguments)

        register_as = kind(name, reads=reads, timed=timed, accuses=ACCUSES_NOBODY, excuses=EXCUSES_ALL)
        return register_as(check)

    return register


def _first_wait(case: Case) -> CallRecord:
    return next(iter(case.waits()))


@_record("record_first_poll")
def record_first_poll(case: Case, _arguments: NoArguments) -> Finding:
    """When the first poll comes: at once, or after an interval."""
    call = _first_wait(case)
    polls = case.polls(call)
    if not polls:
        return recorded(NOTHING)
    after_s = polls[0].arrived_s - call.sent_s
    interval_s = call.intervals(case.contract).first_s
    if interval_s / 2 <= after_s < UNSURE_S:
        short = f"an interval of {seconds(interval_s)} is too short to tell from a late start"
        return recorded(f"nothing: {seconds(after_s)} after the call, and {short}")
    word = "at once" if after_s < interval_s / 2 else "after an interval"
    return recorded(f"{word}: {seconds(after_s)} after the call")


@_record("record_interval_counted_from", timed=True)
def record_interval_counted_from(case: Case, _arguments: NoArguments) -> Finding:
    """Whether the interval is counted from the request or the response, seen where answers are slow."""
    call = _first_wait(case)
    polls = case.polls(call)
    if len(polls) < 2:
        return recorded(NOTHING if not polls else "nothing: one poll came")
    intervals = call.intervals(case.contract)
    delay_s = max(step.delay for step in case.scenario.task)
    if delay_s == 0:
        return recorded("nothing: no answer was slow")
    period_s = median_period_s(polls)
    numbered = enumerate(periods_s(polls), 1)
    longer_s = median([each_s - intervals.pause_s(number) for number, each_s in numbered])
    word = "the response" if longer_s > delay_s / 2 else "the request"
    return recorded(f"{word}: periods of {seconds(period_s)} where answers take {seconds(delay_s)}")


@_record("record_polls_at_deadline", timed=True)
def record_polls_at_deadline(case: Case, _arguments: NoArguments) -> Finding:
    """Whether a last poll is made at the deadline when the timeout is no multiple of the interval."""
    call = _first_wait(case)
    polls = case.polls(call)
    if not polls:
        return recorded(NOTHING)
    timeout_s = call.timeout_s(case.contract)
    last_s = polls[-1].arrived_s - call.sent_s
    after = last_s >= timeout_s + EARLY_SLACK_S + call.interval_s(case.contract) * 0.05
    word = "after the deadline" if after else "at the deadline"
    if last_s < timeout_s - EARLY_SLACK_S * 2:
        word = "before the deadline"
    return recorded(f"the last poll {word}: at {seconds(last_s)} of {seconds(timeout_s)}")


@_record("record_outcome")
def record_outcome(case: Case, _arguments: NoArguments) -> Finding:
    """How the call ended, where either outcome is right, and on which status, if that is no end."""
    call = _first_wait(case)
    polls = case.polls(call)
    word = _outcome_word(call)
    if isinstance(call.seen, Returned) and polls and case.end_of(call) is None and polls[-1].status:
        word += f" on {shown(polls[-1].status)}"
    return recorded(f"{word}: {plural(len(polls), 'poll')}, {describe(call.seen)}")


@_record("record_after_fault")
def record_after_fault(case: Case, _arguments: NoArguments) -> Finding:
    """Whether a temporary fault ends the wait, is tried again at once, or is polled past."""
    call = _first_wait(case)
    polls = case.polls(call)
    faulty = [number for number, poll in enumerate(polls) if case.scenario.task[poll.step].fault]
    if not faulty:
        return recorded(f"nothing: no answer went wrong, {describe(call.seen)}")
    after = polls[faulty[0] + 1 :]
    if not after:
        words = {Raised: "surfaces at once", Returned: "ends the wait"}
        return recorded(f"{words.get(type(call.seen), 'never ends')}: {describe(call.seen)}")
    fault = polls[faulty[0]]
    pause_s = after[0].arrived_s - (fault.arrived_s if fault.answered_s is None else fault.answered_s)
    due_s = call.intervals(case.contract).pause_s(faulty[0] + 1)
    word = "tries again at once" if pause_s < due_s / 2 else "polls on"
    word += " and then surfaces" if isinstance(call.seen, Raised) else ""
    return recorded(f"{word}: the next poll {seconds(pause_s)} later, {describe(call.seen)}")


@_record("record_redirect")
def record_redirect(case: Case, arguments: NoArguments) -> Finding:
    """Whether a poll that is answered with a redirect is sent where that leads."""
    call = _first_wait(case)
    requests = case.observation.requests_of(call)
    values = case.observation.task(call).values
    for before, after in itertools.pairwise(requests):
        location = _header(case.scenario.task[before.step], "location")
        if location is not None and _leads_to(str(fill(location, values)), after.target):
            return recorded(f"follows them: {describe(call.seen)}")
    return record_after_fault(case, arguments)


def _header(step: Step, name: str) -> str | None:
    """Return a header of an answer that goes wrong, as its author wrote it."""
    headers = {} if step.fault is None else step.fault.headers
    return next((text for each, text in headers.items() if each.lower() == name), None)


def _leads_to(location: str, target: str) -> bool:
    """Say whether a request is for what a Location names; a client may have added to its query."""
    wanted, given = urlsplit(location), urlsplit(target)
    return wanted.path == given.path and {*parse_qsl(wanted.query)} <= {*parse_qsl(given.query)}


@_record("record_retry_after", timed=True)
def record_retry_after(case: Case, arguments: NoArguments) -> Finding:
    """Whether the next poll comes when a Retry-After asks for it: in seconds, or at a time of day."""
    call = _first_wait(case)
    for before, after in itertools.pairwise(case.polls(call)):
        asked = _asked_for_s(_header(case.scenario.task[before.step], "retry-after") or "")
        if asked is None or before.answered_s is None:
            continue
        low_s, high_s = asked
        pause_s = after.arrived_s - before.answered_s
        interval_s = call.interval_s(case.contract)
        word = "waits as long as it asks for"
        if pause_s < low_s - EARLY_SLACK_S:
            word = "polls sooner than it asks for"
        elif pause_s > high_s + interval_s + LATE_SLACK_S:
            word = "waits longer than it asks for"
        return recorded(f"{word}: the next poll {seconds(pause_s)} later, {describe(call.seen)}")
    return record_after_fault(case, arguments)


def _asked_for_s(header: str) -> tuple[float, float] | None:
    """Return the shortest and the longest pause that a scenario's Retry-After asks for, None for no pause.

    A date has whole seconds, so it is up to a second sooner than its placeholder says.
    """
    found = _PAUSE.fullmatch(header)
    if found is None:
        return None
    longest_s = float(found[1] or found[2])
    return max(0.0, longest_s - (found[1] is not None)), longest_s


@_record("record_repeated_polls")
def record_repeated_polls(case: Case, _arguments: NoArguments) -> Finding:
    """Whether the HTTP stack repeats a poll whose connection was dropped, before the helper notices."""
    call = _first_wait(case)
    repeats = sum(poll.repeat for poll in case.observation.requests_of(call))
    if not any(case.scenario.task[poll.step].fault for poll in case.polls(call)):
        return recorded(f"nothing: no connection was dropped, {describe(call.seen)}")
    word = "repeats them" if repeats else "does not repeat them"
    return recorded(f"{word}: {repeats} repeated, {_outcome_word(call)}")


@_record("record_request_timeout", timed=True)
def record_request_timeout(case: Case, _arguments: NoArguments) -> Finding:
    """Whether the client gives a stalled poll up by itself before the wait's deadline."""
    call = _first_wait(case)
    timeout_s = call.timeout_s(case.contract)
    for poll in case.observation.requests_of(call):
        delay_s = case.scenario.task[poll.step].delay
        if delay_s == 0:
            continue
        end_s = poll.answered_s if poll.answered_s is not None else call.received_s
        if end_s is None:
            return recorded("none: the poll is still in flight")
        lasted_s = end_s - poll.arrived_s
        if end_s - call.sent_s < timeout_s - max(EARLY_SLACK_S, timeout_s * 0.01):
            if poll.answered_s is not None and lasted_s >= delay_s:
                return recorded(
                    f"none within {seconds(delay_s)}: the poll was answered, {_outcome_word(call)}"
                )
            return recorded(f"{round(lasted_s):d} s: a stalled poll was given up after {seconds(lasted_s)}")
        return recorded(
            f"none before the deadline: the poll lasted {seconds(lasted_s)}, {_outcome_word(call)}"
        )
    return recorded(NOTHING)


@_record("record_escaping")
def record_escaping(case: Case, _arguments: NoArguments) -> Finding:
    """How a task id with reserved characters is written in the path."""
    call = _first_wait(case)
    task = case.observation.task(call)
    requests = [*case.observation.requests_of(call), *case.observation.others_of(call)]
    if not requests:
        return recorded(f"does not reach the task: {describe(call.seen)}")
    before, after = case.contract.endpoint.path.split("{task_id}")
    path = urlsplit(requests[0].target).path
    raw = path.removeprefix(before).removesuffix(after)
    is_escaped = unquote(raw) == str(task.task_id) and "/" not in raw
    word = "escaped" if is_escaped else "not fully escaped"
    return recorded(f"{word}: {shown(raw)}, {_outcome_word(call)}")


@_record("record_connections")
def record_connections(case: Case, _arguments: NoArguments) -> Finding:
    """Whether the polls of a wait share a connection."""
    call = _first_wait(case)
    polls = case.observation.requests_of(call)
    if not polls:
        return recorded(NOTHING)
    connections = len({poll.connection for poll in polls})
    word = (
        "reused" if connections == 1 else "one for each poll" if connections == len(polls) else "some reused"
    )
    return recorded(f"{word}: {connections} for {len(polls)} polls")


@_record("record_integers", reads=["returns"])
def record_integers(case: Case, _arguments: NoArguments) -> Finding:
    """Whether integers beyond 2^53 reach the caller exactly."""
    call = _first_wait(case)
    if not isinstance(call.seen, Returned) or call.seen.unencodable is not None:
        return recorded(f"nothing: the call {describe(call.seen)}")
    if returns(case) is Returns.NOTHING:
        return recorded(NO_VALUE)
    wanted = wanted_of(case, call)
    given = seen_as(wanted, call.seen.result) if returns(case) is Returns.TASK else call.seen.result
    if json_equal(given, wanted):
        return recorded("exact: every digit arrives")
    path, value, seen = differs_at(wanted, given)
    if isinstance(value, dict | list):
        return recorded(f"nothing: the call {describe(call.seen)}")
    return recorded(f"changed: {path or 'the result'} {shown(value)} became {shown(seen)}")


@_record("record_payload_path")
def record_payload_path(case: Case, _arguments: NoArguments) -> Finding:
    """Whether the helper returns the payload itself or something around it."""
    if returns(case) is Returns.NOTHING:
        return recorded(NO_VALUE)
    path = case.observation.hello.result_path
    return recorded(f"inside: the payload is {path} of what it returns" if path else "itself: the payload")


@_record("record_cancel_outcome", reads=["cancelled"])
def record_cancel_outcome(case: Case, _arguments: NoArguments) -> Finding:
    """How the caller learns that its wait was cancelled: as the language does it, or as the SDK does."""
    call = next((each for each in case.waits() if each.call.cancel_after is not None), None)
    if call is None or call.cancelled_s is None:
        return recorded("nothing: no wait was cancelled")
    if isinstance(call.seen, Cancelled):
        return recorded("as the language does it: no exception of the SDK's")
    return recorded(f"{_outcome_word(call)}: {describe(call.seen)}")


@_record("record_odd_timeout")
def record_odd_timeout(case: Case, _arguments: NoArguments) -> Finding:
    """What a timeout of 0 or less does, on a task that ends after a while."""
    call = _first_wait(case)
    polls = case.polls(call)
    count = plural(len(polls), "poll")
    word = "waits on" if isinstance(call.seen, Returned) else "never ends"
    if isinstance(call.seen, Raised):
        gives_up = case.fits_timeout(call.seen) if polls else is_timeout(case, call)
        word = "gives up" if gives_up else "fails" if polls else "refuses it"
    return recorded(f"{word}: {count}, {describe(call.seen)}")


@_record("record_odd_interval", timed=True)
def record_odd_interval(case: Case, _arguments: NoArguments) -> Finding:
    """How often a wait polls whose interval is 0 or less."""
    call = _first_wait(case)
    polls = case.polls(call)
    if len(polls) < 2:
        word = "nothing"
        if isinstance(call.seen, Raised):
            word = "fails" if polls else "refuses it"
        return recorded(f"{word}: {plural(len(polls), 'poll')}, {describe(call.seen)}")
    period_s, default_s = median_period_s(polls), case.contract.defaults.intervals.first_s
    word = "polls at another interval"
    if period_s < default_s * NO_PAUSE_RATIO:
        word = "polls without a pause"
    elif abs(period_s - default_s) <= default_s / 4:
        word = "polls at the default interval"
    return recorded(f"{word}: periods of {seconds(period_s)}, {describe(call.seen)}")


@_record("record_sub_second", timed=True)
def record_sub_second(case: Case, _arguments: NoArguments) -> Finding:
    """How fine the options can be, and whether the fine ones hold."""
    capabilities = case.capabilities
    finest = max(capabilities.poll_interval_resolution, capabilities.timeout_resolution)
    if case.observation.scale > 1:
        return recorded(f"not accepted: the smallest step is {seconds(finest)}")
    call = _first_wait(case)
    polls = case.polls(call)
    if len(polls) < 2:
        return recorded(f"nothing: no two polls came, the call {describe(call.seen)}")
    period_s = median_period_s(polls)
    interval_s = call.interval_s(case.contract)
    is_kept = abs(period_s - interval_s) <= interval_s / 2
    word = "accepted" if is_kept else "accepted but not followed"
    return recorded(f"{word}: an interval of {seconds(interval_s)} gave periods of {seconds(period_s)}")


@_record("record_message")
def record_message(case: Case, _arguments: NoArguments) -> Finding:
    """Which of the documented fields the exception's message names, as the server gave them."""
    call = _first_wait(case)
    polls = case.polls(call)
    if not polls or not isinstance(call.seen, Raised):
        return recorded(f"nothing: the call {describe(call.seen)}")
    message = call.seen.message or ""
    named = [name for name, text in _said(case, call, polls[-1]).items() if text and text in message]
    return recorded(f"names {listed(named) or 'no field'}: {shown(message)}")


def _said(case: Case, call: CallRecord, poll: Poll) -> dict[str, str]:
    """Return the documented fields as the answer to a poll had them, as text; "" where it had none."""
    step, task = case.scenario.task[poll.step], case.observation.task(call)
    body = {} if step.fault else render_body(case.contract, step, task.values)
    values = {name: at_path(body, path) for name, path in case.contract.exception_fields.items()}
    return {name: "" if value is None else str(value) for name, value in values.items()}


@_record("record_cause")
def record_cause(case: Case, _arguments: NoArguments) -> Finding:
    """Whether the exception for a failed poll leads to the one of the HTTP library."""
    call = _first_wait(case)
    if not case.polls(call) or not isinstance(call.seen, Raised):
        return recorded(f"nothing: the call {describe(call.seen)}")
    if call.seen.cause is None:
        return recorded("not reported: the adapter reports no exception.cause")
    if not call.seen.cause:
        return recorded(f"no cause: {cut(call.seen.type)} is all there is")
    return recorded(f"a cause: {cut(call.seen.type)} was raised for {cut(call.seen.cause)}")


def _outcome_word(call: CallRecord) -> str:
    if isinstance(call.seen, Raised):
        kind_name = call.seen.kind.value
        if call.seen.kind is ExceptionKind.OTHER:
            return "raised an exception of no documented kind"
        return f"raised {'an' if kind_name[0] in 'aeiou' else 'a'} {kind_name} exception"
    if isinstance(call.seen, StillWaiting):
        return "was still waiting"
    return "returned" if isinstance(call.seen, Returned) else describe(call.seen)
