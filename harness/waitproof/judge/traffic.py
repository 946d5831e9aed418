"""Checks of what the server saw: which requests came, with what on them, and when none may come."""

from __future__ import annotations

import itertools

from waitproof.judge.check import Case, Finding, Mark, NoArguments, broken, kept, kind, suspect
from waitproof.judge.observation import CallRecord, Poll
from waitproof.judge.outcomes import task_seen
from waitproof.judge.returns import result_returned
from waitproof.judge.words import cut, describe, listed, seconds
from waitproof.protocol import Raised
from waitproof.suite import Model, fill
from waitproof.text import plural

__all__: list[str] = []

AFTER_SLACK_S = 0.020  # a request already on its way when the outcome was written arrives after it
# A client may sign a new token and repeat the poll, and the HTTP library below it may repeat a request whose
# connection was lost three times more by itself, as .NET's does.
MOST_AT_ONCE = 5
NO_PAUSE = 0.25  # of the interval: less than that before a poll is no pause
BUSY_NO_PAUSE = 0.9  # the same while other scenarios are played: a busy machine makes it longer
# Of a wait, which needs one: by default a program may have 256 open files on macOS, 1,024 on Linux. A wait
# that closes its connections a little late has a few.
MOST_OPEN = 250
FEW_OPEN = 50  # a server closes a connection up to a second after its client has
STAMP_SLACK_S = 0.020  # a client can have read an answer, and sent its next poll, before the server stamps it


def _no_get_task(case: Case, _arguments: Model) -> str:
    return "" if case.capabilities.get_task else "get_task"


@kind(
    "polls_endpoint",
    accuses="a wait that sends another request than the contract's endpoint, or none",
    excuses="a request that may be another scenario's, until a re-run in isolation shows whose it is",
)
def polls_endpoint(case: Case, _arguments: NoArguments) -> Finding:
    """A wait asks the documented endpoint, and nothing else."""
    endpoint = case.contract.endpoint
    expected = f"only {endpoint.method} {endpoint.path}"
    for call in case.waits():
        others = case.observation.others_of(call)
        if others:
            return broken(expected, cut(f"{others[0].method} {others[0].target}"))
        if not case.observation.requests_of(call):
            return broken(expected, f"no poll arrived, and the call {describe(call.seen)}")
    doubtful = (each for call in case.waits() for each in case.observation.doubtful_of(call))
    return _whose(next(doubtful, None), expected) or kept(expected, "nothing else")


def _whose(request: Poll | None, expected: str) -> Finding | None:
    """Return the suspicion that a request is the scenario's, which only a process for itself can settle."""
    if request is None:
        return None
    seen = f"{request.method} {request.target}, on a connection that also carried other scenarios' requests"
    return suspect(expected, cut(seen), excess_s=0.0)  # what shares the connection explains it


@kind(
    "polls_carry_credentials",
    accuses="a poll without a header or a query parameter that the contract lists, and a wait without a poll",
    excuses="their values",
)
def polls_carry_credentials(case: Case, _arguments: NoArguments) -> Finding:
    """Every poll carries what the API asks for to let a client in."""
    wanted = case.contract.credentials
    expected = f"every poll carries {', '.join([*wanted.headers, *(f'?{name}=' for name in wanted.query)])}"
    finding = broken(expected, "no poll arrived")
    for call in case.waits():
        for poll in case.observation.requests_of(call):
            missing = _missing(poll, wanted.headers, wanted.query)
            if missing:
                return broken(expected, f"poll {poll.n} came without {missing}")
            finding = kept(expected, "all did")
    return finding


def _missing(poll: Poll, headers: tuple[str, ...], query: tuple[str, ...]) -> str:
    missing = [name for name in headers if not poll.headers.get(name.lower())]
    missing += [f"{name} in its query" for name in query if not any(poll.query.get(name, []))]
    return listed(missing)


@kind(
    "no_poll_after_outcome",
    timed=True,
    watches=True,
    accuses="a poll after the answer that ends the task, or after the call has ended",
    excuses="a poll that was sent before that answer: that is for one_poll_in_flight",
)
def no_poll_after_outcome(case: Case, _arguments: NoArguments) -> Finding:
    """Once the task is done or the caller has its outcome, no poll comes any more."""
    expected = "no poll after the outcome"
    seen = f"none until {seconds(case.observation.watched_s)} after the call"
    for call in case.waits():
        if call.received_s is None:
            seen = f"there was no outcome: the call {describe(call.seen)}"
        polls = case.observation.polls_of(call)
        needed = case.polls(call)
        ended = next((poll for poll in needed if case.is_terminal(poll)), None)
        # One that was sent before that answer is one_poll_in_flight's business.
        extra = [poll for poll in polls[len(needed) :] if ended is not None and not _overlap(ended, poll)]
        if extra:
            says = suspect if case.observation.follows_a_wait(call) else broken
            return says(expected, f"{plural(len(extra), 'poll')} after the answer that ended the wait")
        late = [
            poll
            for poll in polls
            if call.received_s is not None and poll.arrived_s > call.received_s + AFTER_SLACK_S
        ]
        if late and call.received_s is not None:
            after_s = late[0].arrived_s - call.received_s
            return suspect(expected, f"a poll came {seconds(after_s)} after the caller had its outcome")
    return kept(expected, seen)


@kind(
    "one_poll_in_flight",
    timed=True,
    accuses="a poll that comes while the one before it has no answer",
    excuses="a poll of which the HTTP stack has repeated the request after a drop",
)
def one_poll_in_flight(case: Case, _arguments: NoArguments) -> Finding:
    """A poll is sent only when the one before it has been answered."""
    expected = "one poll in flight at a time"
    for call in case.waits():
        polls = case.observation.requests_of(call)
        for number, (before, after) in enumerate(itertools.pairwise(polls), 2):
            if _overlap(before, after):
                return suspect(expected, f"poll {number} came while poll {number - 1} had no answer")
    return kept(expected, "never two")


def _overlap(before: Poll, after: Poll) -> bool:
    return before.answered_s is None or after.arrived_s < before.answered_s - STAMP_SLACK_S


@kind(
    "fault_not_hammered",
    timed=True,
    accuses=f"more than {MOST_AT_ONCE} polls in a row without a pause after answers that went wrong",
    excuses=f"pauses of {NO_PAUSE:g} of an interval or more, and a few immediate repeats",
)
def fault_not_hammered(case: Case, _arguments: NoArguments) -> Finding:
    """After an answer that went wrong, the next polls keep a distance."""
    expected = f"at most {MOST_AT_ONCE} polls in a row without a pause after an answer that went wrong"
    most = _most_at_once(case, NO_PAUSE)
    if most > MOST_AT_ONCE:
        return suspect(expected, f"{most} polls in a row without a pause")
    longer = 0 if case.observation.alone else _most_at_once(case, BUSY_NO_PAUSE)
    if longer > MOST_AT_ONCE:
        seen = f"{longer} polls in a row with less than the interval: no pause can look so on a busy machine"
        return suspect(expected, seen, excess_s=0.0)  # it only asks for an isolated re-run
    return kept(expected, f"{most} polls in a row at most" if most > 1 else "never two")


def _most_at_once(case: Case, no_pause: float) -> int:
    """Return how many polls came in a row with less than this share of the interval after a fault."""
    most = 0
    for call in case.waits():
        in_a_row, intervals = 1, call.intervals(case.contract)
        for number, (before, after) in enumerate(itertools.pairwise(case.observation.requests_of(call)), 1):
            pause_s = after.arrived_s - (before.arrived_s if before.answered_s is None else before.answered_s)
            has_failed = case.scenario.task[before.step].fault is not None
            is_at_once = has_failed and pause_s < no_pause * intervals.pause_s(number)
            in_a_row = in_a_row + 1 if is_at_once else 1
            most = max(most, in_a_row)
    return most


@kind(
    "connections_bounded",
    accuses=f"more than {MOST_OPEN} connections open at once, and one more for each poll",
    excuses="a pool of connections that does not grow",
)
def connections_bounded(case: Case, _arguments: NoArguments) -> Finding:
    """The connections of a wait's polls are used again or closed: they don't add up."""
    expected = f"at most {MOST_OPEN} connections open at once, and fewer where polls are few"
    most = 0
    for call in case.waits():
        polls = case.observation.requests_of(call)
        most = max([most, *(poll.open for poll in polls)])
        if most > min(MOST_OPEN, max(FEW_OPEN, len(polls) / 2)):
            return broken(expected, f"{most} open, for {len(polls)} polls one after another")
    return kept(expected, f"{most} at most")


@kind(
    "only_polls_are_sent",
    reads=["raises", "returns"],
    watches=True,
    accuses="another request than a poll, a wait that does not time out, a second wait without its result",
    excuses="as polls_endpoint",
)
def only_polls_are_sent(case: Case, _arguments: NoArguments) -> Finding:
    """A timeout does nothing to the task: only polls were sent, and a second wait gets its result."""
    finding = polls_endpoint(case, NoArguments())
    if finding.mark is not Mark.KEPT:
        return finding
    for number, call in enumerate(case.waits(), 1):
        seen = f"wait {number} {describe(call.seen)}"
        if call.call.expect.raises is not None and not isinstance(call.seen, Raised):
            return broken("a wait that times out", seen)
        if call.call.expect.has("returns") and result_returned(case, call).mark is not Mark.KEPT:
            return broken("a wait that gets the result after one that timed out", seen)
    return kept(finding.expected, finding.seen)


@kind(
    "one_request_per_call",
    reads=["task"],
    lacks=_no_get_task,
    accuses="a get_task that sends no request or several, or does not return the expected task",
    excuses="fields of the task that the scenario does not expect",
)
def one_request_per_call(case: Case, _arguments: NoArguments) -> Finding:
    """Each `get_task` is one request, and gives its caller what the server said."""
    finding = broken("a call of get_task", case.none_made)
    for call in case.observation.calls:
        if call.call.get_task is None:
            continue
        finding = _one_request(case, call)
        if finding.mark is not Mark.KEPT:
            return finding
    return finding


def _one_request(case: Case, call: CallRecord) -> Finding:
    expected = "one request, and the task as the server sent it"
    polls = case.observation.polls_of(call)
    others = case.observation.others_of(call)
    if len(polls) != 1 or others:
        says = suspect if len(polls) > 1 and not others and case.observation.follows_a_wait(call) else broken
        return says(expected, f"{len(polls) + len(others)} requests, and the call {describe(call.seen)}")
    wanted = call.call.expect.task
    if wanted is not None:
        finding = task_seen(case, call, fill(wanted, case.observation.task(call).values))
        if finding.mark is not Mark.KEPT:
            return finding
    return _whose(next(iter(case.observation.doubtful_of(call)), None), expected) or kept(expected, "it was")
