"""Defects of the HTTP below a helper: compression, chunks, caches, redirects, connections, Retry-After."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.utils import parsedate_to_datetime

from waitproof.defects.client import Hooks, ModelClient, Reaction, Steps, Wait
from waitproof.defects.defect import Defect, Ending
from waitproof.defects.faults import http_status, on_errors
from waitproof.defects.wire import Cause, ModelError, headers_of
from waitproof.simulate import Answer, Request
from waitproof.suite import Contract

__all__ = ["following", "obeying_retry_after", "transport_defects"]

MOST_REDIRECTS = 20
MOST_MS = 2**31 - 1
OWN_LIMIT_S = 3.0  # of each request, whatever is left of the wait


def transport_defects(_contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module, which are the same for any contract."""
    yield from _bodies()
    yield from _redirects()
    yield from _connections()
    yield from _retry_after()
    yield Defect(
        "raises_timeout.error-after-the-deadline",
        "raises_timeout",
        "A poll that breaks off after the deadline raises its own error: each request has a limit of 3 s.",
        Hooks(on_poll=lambda _wait, timeout_s: max(timeout_s, OWN_LIMIT_S)),
        needs=("deadline",),
    )


# --- bodies -------------------------------------------------------------------------------------------


def _bodies() -> Iterator[Defect]:
    every: tuple[tuple[str, str, Hooks], ...] = (
        (
            "compressed-bytes",
            "The client asks for compressed answers and reads them without decompressing them.",
            Hooks(on_answer=_as_if_not_compressed),
        ),
        (
            "first-chunk",
            "The client takes the first chunk of an answer for the whole of it.",
            Hooks(on_answer=lambda answer: replace(answer, body=(answer.pieces or (answer.body,))[0])),
        ),
        (
            "chunks-decoded-apart",
            "Each chunk of an answer is decoded by itself, which breaks characters that two of them share.",
            Hooks(on_answer=_decoded_apart),
        ),
        (
            "polls-from-the-cache",
            "The client's HTTP cache answers polls for as long as the last answer may be kept.",
            Hooks(on_send=_from_the_cache),
        ),
        (
            "polls-from-the-cache-of-its-first-answer",
            "The client keeps the first answer that has a version, and asks for no other.",
            Hooks(on_send=_from_the_first_answer),
        ),
    )
    for name, sentence, hooks in every:
        yield Defect(f"outcome_expected.{name}", "outcome_expected", sentence, hooks)


def _as_if_not_compressed(answer: Answer) -> Answer:
    headers = {name: text for name, text in answer.headers.items() if name.lower() != "content-encoding"}
    return replace(answer, headers=headers)


def _decoded_apart(answer: Answer) -> Answer:
    if not answer.pieces:
        return answer
    return replace(answer, body="".join(each.decode("utf-8", "replace") for each in answer.pieces).encode())


def _from_the_cache(client: ModelClient, request: Request, _timeout_s: float, steps: Steps) -> Steps:
    kept = client.memory.get(request.target)
    if kept is not None and client.now() < kept[0]:
        return kept[1]
    answer = yield from steps
    name, _, age = headers_of(answer).get("cache-control", "").partition("=")
    if name == "max-age":
        client.memory[request.target] = client.now() + float(age), answer
    return answer


def _from_the_first_answer(client: ModelClient, request: Request, _timeout_s: float, steps: Steps) -> Steps:
    if request.target in client.memory:
        return client.memory[request.target]
    answer = yield from steps
    if "etag" in headers_of(answer):
        client.memory[request.target] = answer
    return answer


# --- redirects ----------------------------------------------------------------------------------------


def _redirects() -> Iterator[Defect]:
    check = "fault_surfaces"
    every: tuple[tuple[str, str, Hooks], ...] = (
        (
            "a-redirect-is-the-result",
            "A wait whose poll is redirected returns nothing, as if the task had ended.",
            Hooks(on_wait=_without_redirects),
        ),
        (
            "polls-over-redirects",
            "The helper polls on after a redirect, and hides one that lasts until the deadline.",
            on_errors(_is_redirect, lambda _error: Reaction.POLL_ON),
        ),
        (
            "follows-redirects-without-end",
            "The client follows redirects for as long as they come.",
            Hooks(on_send=following(most=None)),
        ),
        (
            "polls-over-304",
            'An answer 304 is taken for "unchanged", although no answer has had a version.',
            on_errors(http_status(304), lambda _error: Reaction.POLL_ON),
        ),
    )
    for name, sentence, hooks in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks)
    yield Defect(
        "record_redirect.follows",
        "record_redirect",
        "The client follows redirects.",
        Hooks(on_send=following()),
        ending=Ending.RECORDED,
    )


def _is_redirect(error: ModelError) -> bool:
    return "location" in error.headers


def _without_redirects(_wait: Wait, steps: Steps) -> Steps:
    try:
        return (yield from steps)
    except ModelError as error:
        if not _is_redirect(error):
            raise
        return None


def following(*, most: int | None = MOST_REDIRECTS) -> Callable[[ModelClient, Request, float, Steps], Steps]:
    """Return an HTTP stack that follows so many redirects in a row, on the same host; None is any number."""

    def on_send(client: ModelClient, request: Request, timeout_s: float, steps: Steps) -> Steps:
        until_s = client.now() + timeout_s
        answer = yield from steps
        followed = 0
        while 300 <= answer.http < 400 and "location" in headers_of(answer):
            if followed == most:
                raise client.wire.failure(Cause.MALFORMED, f"{followed} redirects in a row")
            followed += 1
            request = replace(request, target=headers_of(answer)["location"])
            answer = yield from client.send(request, until_s - client.now())
        return answer

    return on_send


# --- connections --------------------------------------------------------------------------------------


def _connections() -> Iterator[Defect]:
    check = "connections_bounded"
    every: tuple[tuple[str, str, Callable[[Wait], bool]], ...] = (
        ("never-closed", "Each poll opens a connection that is never closed.", lambda _wait: True),
        (
            "every-other-is-never-closed",
            "Every other poll opens a connection that is never closed.",
            lambda wait: wait.polls % 2 == 1,
        ),
    )
    for name, sentence, is_meant in every:
        yield Defect(f"{check}.{name}", check, sentence, Hooks(on_request=_leaving_open(is_meant)))


def _leaving_open(is_meant: Callable[[Wait], bool]) -> Callable[[Wait | None, Request], Request]:
    def on_request(wait: Wait | None, request: Request) -> Request:
        return replace(request, leaves_open=wait is not None and is_meant(wait))

    return on_request


# --- Retry-After --------------------------------------------------------------------------------------


def _retry_after() -> Iterator[Defect]:
    yield Defect(
        "fault_not_hammered.retry-after-in-milliseconds",
        "fault_not_hammered",
        "The seconds of a Retry-After are taken for milliseconds.",
        obeying_retry_after(most=None, change=lambda _wait, seconds: seconds / 1000),
    )
    yield Defect(
        "fault_not_hammered.retry-after-overflows",
        "fault_not_hammered",
        "A Retry-After that the timer's 32 bits of milliseconds cannot hold becomes a pause of 1 ms.",
        obeying_retry_after(most=None, change=_in_32_bits),
    )
    yield Defect(
        "interval_kept.first-hint-is-kept",
        "interval_kept",
        "The pause that the first answer suggests replaces the interval for the rest of the wait.",
        Hooks(on_send=_with_a_hint, on_sleep=_as_hinted),
        {"option": "passed"},
    )
    yield Defect(
        "record_retry_after.waits",
        "record_retry_after",
        "The helper polls again as soon as a Retry-After allows it.",
        obeying_retry_after(),
        ending=Ending.RECORDED,
    )
    check = "ends_by_deadline"
    yield Defect(
        f"{check}.sleeps-past-the-deadline",
        check,
        "The helper sleeps as long as a Retry-After asks for, whatever is left of the wait.",
        obeying_retry_after(most=None),
    )
    yield Defect(
        f"{check}.starts-again-after-429",
        check,
        "The timeout starts again when a server asks for a pause.",
        Hooks(on_poll_error=_starting_again),
    )


def _in_32_bits(_wait: Wait, seconds: float) -> float:
    return seconds if seconds * 1000 <= MOST_MS else 0.001


def _with_a_hint(client: ModelClient, _request: Request, _timeout_s: float, steps: Steps) -> Steps:
    answer = yield from steps
    hint = headers_of(answer).get("retry-after", "")
    if answer.http == 200 and hint.isdigit():
        client.memory["hint_s"] = float(hint)
    return answer


def _as_hinted(wait: Wait, seconds: float) -> float:
    hint_s: float = wait.client.memory.get("hint_s", seconds)
    return min(hint_s, wait.deadline_s - wait.now())


def obeying_retry_after(
    *,
    most: int | None = 3,
    change: Callable[[Wait, float], float] = lambda _wait, seconds: seconds,
) -> Hooks:
    """Return hooks that poll again when a Retry-After asks for it, at most so many times in a row.

    Args:
        most: How many times; None is any number.
        change: Returns how long to sleep in place of the seconds that it asks for; infinite to give up.
    """

    def on_poll_error(wait: Wait, error: ModelError) -> Exception | Reaction:
        asked_s = _asked_for_s(error)
        if asked_s is None or (most is not None and wait.failures > most):
            return error
        pause_s = change(wait, asked_s)
        if math.isinf(pause_s):
            return error
        wait.memory["pause_s"] = pause_s
        return Reaction.POLL_ON

    def on_sleep(wait: Wait, seconds: float) -> float:
        pause_s: float = wait.memory.pop("pause_s", seconds)
        return pause_s

    return Hooks(on_poll_error=on_poll_error, on_sleep=on_sleep)


def _asked_for_s(error: ModelError) -> float | None:
    """Return how long a Retry-After asks a client to wait, by the answer's own clock, or None."""
    header = error.headers.get("retry-after")
    if header is None:
        return None
    try:
        return float(header)
    except ValueError:
        times = [parsedate_to_datetime(text) for text in (header, error.headers["date"])]
        return (times[0] - times[1]).total_seconds()


def _starting_again(wait: Wait, error: ModelError) -> Exception | Reaction:
    if "retry-after" not in error.headers:
        return error
    wait.deadline_s = wait.now() + wait.timeout_s
    return Reaction.POLL_ON
