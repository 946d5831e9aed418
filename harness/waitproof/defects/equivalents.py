"""Correct clients that look different: nothing may be held against any of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from waitproof.defects.cancellation import cancelled_as_a_failure, looking_often
from waitproof.defects.client import Fork, Hooks, ModelClient, Print, Reaction, Sleep, Steps, Wait
from waitproof.defects.defect import Defect, equivalent
from waitproof.defects.durations import refusing_more_than
from waitproof.defects.exceptions import JAVA_FRAMES, language_of, native_check
from waitproof.defects.faults import brought_no_task, caused_by, http_status, on_errors
from waitproof.defects.intervals import sleeping_first
from waitproof.defects.traces import signing, sleeping
from waitproof.defects.traffic import with_headers, without_header
from waitproof.defects.transport import following, obeying_retry_after
from waitproof.defects.wire import Cause, ModelError, headers_of
from waitproof.simulate import Answer, Request
from waitproof.suite import Contract

__all__ = ["equivalents"]

CLEANING_UP_S = 0.3  # of a pool whose threads look every now and then whether they are still needed
TOKEN_S = 3  # of a token that is made for one poll
START_S = 0.05  # of a process for each wait
END_S = 0.05  # of such a process, or of reading a large result
CONNECT_S = 0.03  # of a slow connect, on a machine that is far too busy
CONNECT_RATIO = 0.05  # of the interval at most: the judge grants a tenth, and the machine needs some of it
TICK_S = 1 / 64  # of the coarsest timer in use, Windows's
CLOSE = {"Connection": "close"}
MORE_HEADERS = {"X-Request-Id": "17", "Accept": "application/json", "traceparent": "00-1-2-01"}


def equivalents(contract: Contract) -> Iterator[Defect]:
    """Yield the correct clients."""
    one_each = Hooks(on_request=lambda _wait, request: with_headers(request, CLOSE))
    yield equivalent(
        "counts-from-the-request", "Counts the interval from the request.", Hooks(on_sleep=_since_the_request)
    )
    yield equivalent(
        "ticker",
        "Polls at whole intervals after the call, and skips those that it cannot make.",
        Hooks(on_sleep=_to_the_next_tick),
    )
    yield equivalent(
        "no-poll-at-the-deadline",
        "Sleeps the last part of an interval up to the deadline, and makes no poll there.",
        Hooks(on_poll=_not_after_the_deadline),
    )
    yield equivalent(
        "wakes-a-tick-early",
        "Sleeps on a timer that fires a tick early now and then, and polls at the deadline.",
        Hooks(on_sleep=lambda wait, s: s - wait.random.choice([0.0, 0.0, 0.002])),
    )
    yield equivalent(
        "coarse-timer",
        "Sleeps on a timer that ticks every 15.6 ms, so that each sleep ends at the next tick.",
        Hooks(on_sleep=_to_a_timers_tick),
    )
    yield equivalent(
        "jitter-inside-the-bounds",
        "Sleeps up to a fiftieth of the interval longer.",
        Hooks(on_sleep=lambda wait, s: s * wait.random.uniform(1.0, 1.02)),
    )
    yield equivalent(
        "waits-before-the-first-poll",
        "Sleeps an interval before the first poll too.",
        Hooks(on_wait=sleeping_first),
    )
    yield equivalent("fresh-connections", "Opens a connection for each request.", one_each)
    yield equivalent(
        "slow-connects",
        "Opens a connection for each request, and takes long to do so.",
        Hooks(on_request=one_each.on_request, on_sleep=_and_connecting),
    )
    yield equivalent("http-10", "Speaks HTTP/1.0, one request per connection.", one_each, is_http_10=True)
    yield equivalent(
        "asks-for-no-compression",
        "Does not say that it can read compressed answers.",
        Hooks(on_request=lambda _wait, request: without_header(request, "Accept-Encoding")),
    )
    yield equivalent(
        "follows-redirects", "Follows up to twenty redirects in a row.", Hooks(on_send=following())
    )
    yield equivalent(
        "obeys-retry-after",
        "Waits as long as a Retry-After asks for, three times in a row, where there is so much time left.",
        obeying_retry_after(change=_within_the_deadline),
    )
    yield equivalent(
        "asks-whether-anything-changed",
        "Names the version of the answer that it has, and takes it again when nothing has changed.",
        Hooks(on_send=_if_changed),
    )
    yield equivalent(
        "more-headers",
        "Sends headers that nobody asked for.",
        Hooks(on_request=lambda _wait, request: with_headers(request, MORE_HEADERS)),
    )
    yield equivalent(
        "native-accessor",
        "Has an accessor for the server's stack trace beside the runtime's own.",
        language=language_of(contract, native_check),
        native_stack_frames=JAVA_FRAMES,
    )
    yield equivalent(
        "logs-without-secrets",
        "Logs the method and the path of each request.",
        Hooks(before_poll=_logging),
    )
    yield equivalent(
        "cleans-up-in-the-background",
        "Closes what it has opened in a thread that ends soon after the wait.",
        Hooks(on_wait=_and_cleaning_up),
    )
    yield equivalent(
        "exits-by-itself",
        "Has an adapter that calls exit, so that nobody sees what the wait has left behind.",
        capabilities={"end": False},
    )
    for name in contract.credentials.jwt:
        yield equivalent(
            f"{name.lower()}-for-each-poll",
            "Signs a new token for each poll, which is valid for a few seconds.",
            signing(name, TOKEN_S),
        )
        yield equivalent(
            f"{name.lower()}-for-an-hour",
            "Signs one token for each wait, which is valid for an hour.",
            signing(name, 3600, once=True),
        )
    yield equivalent(
        "reports-no-copies",
        "Has an adapter that reports neither causes nor copies of exceptions, as in most languages.",
        copies=None,
    )
    yield equivalent(
        "tolerates-three-failures",
        "Polls on after a failed poll, and raises at the fourth in a row.",
        on_errors(brought_no_task, lambda _error: Reaction.POLL_ON, most=3),
    )
    yield equivalent(
        "polls-a-fault-twice-as-often",
        "Polls on after half the interval from a busy server, and raises at the seventh failure in a row.",
        Hooks(
            on_poll_error=on_errors(
                http_status(429, 503), lambda _error: Reaction.POLL_ON, most=6
            ).on_poll_error,
            on_sleep=lambda wait, s: s / 2 if wait.failures else s,
        ),
    )
    yield equivalent(
        "repeats-a-dropped-poll",
        "Repeats a poll whose connection was lost three times at once, as .NET's HTTP library does.",
        on_errors(caused_by(Cause.DROPPED), lambda _error: Reaction.REPEAT, most=3),
    )
    yield equivalent(
        "signs-a-new-token",
        "Repeats a poll that was refused for its credentials once, with a new token.",
        on_errors(http_status(401), lambda _error: Reaction.REPEAT, most=1),
    )
    yield equivalent(
        "forgives-a-404-at-the-start",
        "Polls on when the task is unknown at the first two polls: a replica may not have it yet.",
        Hooks(on_poll_error=_forgiving_the_start),
    )
    yield equivalent(
        "one-options-object",
        "Keeps one options object for all waits of a client, and fills it in afresh for each.",
        Hooks(on_wait=_with_shared_options),
    )
    yield equivalent(
        "takes-a-moment-at-the-end",
        "Takes a moment to hand its outcome over, as a helper does that ends a process after each wait.",
        Hooks(on_wait=_ending),
    )
    yield equivalent(
        "refuses-a-timeout-of-weeks",
        "Refuses a timeout that its runtime's timer cannot hold, 2^31 ms, before it polls.",
        Hooks(on_options=refusing_more_than(2**31 / 1000)),
    )
    yield equivalent(
        "slow-start",
        "Takes a while before the first poll, as a helper does that starts a process for each wait.",
        Hooks(on_wait=_starting),
    )
    yield equivalent(
        "own-exception-when-cancelled",
        "Raises its own exception when its caller cancels the wait.",
        Hooks(on_wait=cancelled_as_a_failure),
        is_async=True,
    )
    yield equivalent(
        "looks-often",
        "Is not woken by its caller's cancellation, and looks for it five times a second.",
        Hooks(on_wait=looking_often),
        is_async=True,
        deaf=frozenset({"sleep"}),
    )


def _within_the_deadline(wait: Wait, seconds: float) -> float:
    seconds = max(seconds, wait.interval_s)
    return seconds if wait.now() + seconds < wait.deadline_s else math.inf


def _if_changed(client: ModelClient, request: Request, timeout_s: float, steps: Steps) -> Steps:
    known: Answer | None = client.memory.get(request.target)
    if known is not None:
        request = with_headers(request, {"If-None-Match": headers_of(known)["etag"]})
        steps = client.send(request, timeout_s)
    answer = yield from steps
    if known is not None and answer.http == 304:
        return known
    if "etag" in headers_of(answer):
        client.memory[request.target] = answer
    return answer


def _and_cleaning_up(_wait: Wait, steps: Steps) -> Steps:
    try:
        return (yield from steps)
    finally:
        yield Fork(sleeping(CLEANING_UP_S))


def _logging(wait: Wait) -> Steps:
    request = wait.client.wire.poll(wait.task_id)
    yield Print(f"INFO {request.method} {request.target}")


def _since_the_request(wait: Wait, seconds: float) -> float:
    if seconds < wait.interval_s:
        return seconds  # the last sleep: it ends at the deadline
    return wait.polled_s + wait.interval_s - wait.now()


def _to_the_next_tick(wait: Wait, seconds: float) -> float:
    if seconds < wait.interval_s:
        return seconds
    if not wait.intervals.is_constant:
        return _since_the_request(wait, seconds)  # there is no grid
    since_s = wait.now() - wait.began_s
    return (math.floor(since_s / wait.interval_s + 1e-9) + 1) * wait.interval_s - since_s


def _not_after_the_deadline(wait: Wait, timeout_s: float) -> float:
    if wait.now() >= wait.deadline_s:
        raise wait.timed_out()
    return timeout_s


def _to_a_timers_tick(wait: Wait, seconds: float) -> float:
    return math.ceil((wait.now() + seconds) / TICK_S) * TICK_S - wait.now()


def _with_shared_options(wait: Wait, steps: Steps) -> Steps:
    shared = wait.client.memory
    shared.clear()
    shared.update(intervals=wait.intervals, timeout_s=wait.timeout_s)
    wait.intervals, wait.timeout_s = shared["intervals"], shared["timeout_s"]
    return steps


def _and_connecting(wait: Wait, seconds: float) -> float:
    # With the sleep before it, because no timer ends it: a busy machine is late once, and not twice.
    connect_s = min(CONNECT_S, CONNECT_RATIO * wait.interval_s)
    return seconds + connect_s if seconds >= wait.interval_s else seconds


def _forgiving_the_start(wait: Wait, error: ModelError) -> Exception | Reaction:
    return Reaction.POLL_ON if error.http == 404 and wait.polls < 2 else error


def _starting(wait: Wait, steps: Steps) -> Steps:
    yield Sleep(max(0.0, min(START_S, wait.timeout_s)))
    return (yield from steps)


def _ending(_wait: Wait, steps: Steps) -> Steps:
    result = yield from steps
    yield Sleep(END_S)
    return result
