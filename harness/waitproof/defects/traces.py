"""Defects of what is left of a call: copies, messages, causes, secrets, threads, and tokens."""

from __future__ import annotations

from collections.abc import Iterator

from waitproof.defects.client import Fork, Hooks, Print, Sleep, Steps, Wait
from waitproof.defects.defect import Defect, Ending
from waitproof.defects.outcomes import without_failures
from waitproof.defects.traffic import with_headers
from waitproof.defects.wire import ModelError
from waitproof.protocol import ExceptionKind
from waitproof.simulate import Request
from waitproof.suite import Contract

__all__ = ["signing", "sleeping", "trace_defects"]


def trace_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    yield from _copies(contract)
    yield from _messages(contract)
    yield from _secrets(contract)
    yield from _left_behind(contract)
    yield from _tokens(contract)


# --- copies of an exception ---------------------------------------------------------------------------


def _copies(contract: Contract) -> Iterator[Defect]:
    check = "exception_survives_copying"
    missing = "TypeError: __init__() missing 1 required positional argument: 'message'"
    lost = "fields was {'task_id': '1'}, and is {} in the copy"
    every: tuple[tuple[str, str, dict[str, bool | str], ExceptionKind | None], ...] = (
        (
            "not-read-again",
            "A pickled exception cannot be read again, because its constructor wants other arguments.",
            {"pickle": missing, "copy": missing},
            None,
        ),
        (
            "loses-its-fields",
            "A copy of the exception lacks its fields.",
            {"pickle": True, "copy": lost},
            None,
        ),
        (
            "of-a-failed-task-not-read-again",
            "The pickled exception of a failed task cannot be read again; those of other failures can.",
            {"pickle": missing, "copy": missing},
            ExceptionKind.TASK,
        ),
        (
            "of-a-failed-task-loses-its-fields",
            "A copy of the exception of a failed task lacks its fields; copies of others are equal.",
            {"pickle": True, "copy": lost},
            ExceptionKind.TASK,
        ),
    )
    for name, sentence, copies, kind in every:
        yield Defect(
            f"{check}.{name}",
            check,
            sentence,
            copies=copies,
            copies_of=kind,
            not_applicable=without_failures(contract) if kind else "",
        )


# --- its message and its cause ------------------------------------------------------------------------


def _messages(contract: Contract) -> Iterator[Defect]:
    reason = without_failures(contract)
    check = "exception_has_a_message"
    yield Defect(
        f"{check}.of-a-failed-task",
        check,
        "The exception of a failed task has fields, but no message.",
        Hooks(on_failure=lambda _wait, error: _saying(error, "")),
        not_applicable=reason,
    )
    yield Defect(
        f"{check}.of-a-timeout",
        check,
        "The timeout's exception has no message.",
        Hooks(on_timeout=lambda _wait, error: _saying(error, "")),
    )
    yield Defect(
        "record_message.fixed",
        "record_message",
        "The message of a failed task is the same for every task.",
        Hooks(on_failure=lambda _wait, error: _saying(error, "the task failed")),
        ending=Ending.RECORDED,
        not_applicable=reason,
    )
    yield Defect(
        "record_cause.dropped",
        "record_cause",
        "A failed poll raises an exception that does not lead to the HTTP library's.",
        Hooks(on_poll_error=_without_cause),
        ending=Ending.RECORDED,
    )


def _saying(error: ModelError, message: str) -> ModelError:
    return ModelError(error.kind, error.cause, message, fields=error.fields, http=error.http)


def _without_cause(_wait: Wait, error: ModelError) -> Exception:
    error.__cause__ = None
    return error


# --- secrets ------------------------------------------------------------------------------------------


def _secrets(contract: Contract) -> Iterator[Defect]:
    check = "secrets_stay_out"
    reason = "" if contract.credentials.secret else "no credential of a poll is secret"

    def with_secret(wait: Wait, error: ModelError) -> ModelError:
        return _saying(error, f"{error.message} (secret: {wait.client.wire.api_secret})")

    def with_request(wait: Wait, error: ModelError) -> ModelError:
        request = wait.client.wire.poll(wait.task_id)
        shown = f"{request.method} {request.target} with {dict(request.headers)}"
        return _saying(error, f"{error.message}: {shown}")

    def in_a_field(wait: Wait, error: ModelError) -> ModelError:
        error.fields["client"] = {"api_secret": wait.client.wire.api_secret}
        return error

    def log(wait: Wait) -> Steps:
        request = wait.client.wire.poll(wait.task_id)
        yield Print(f"DEBUG {request.method} {request.target} {dict(request.headers)}")

    every = (
        (
            "in-the-message",
            "The timeout's exception has the client's settings in its message, with the API secret.",
            Hooks(on_timeout=with_secret),
            "",
        ),
        (
            "of-the-request",
            "The exception for a failed poll has the whole request in its message, with its credentials.",
            Hooks(on_poll_error=with_request),
            reason,
        ),
        (
            "in-a-field",
            "The exception has a field that leads to the API secret.",
            Hooks(on_timeout=in_a_field),
            "",
        ),
        ("logged", "The client logs each request with its headers.", Hooks(before_poll=log), reason),
    )
    for name, sentence, hooks, why in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks, not_applicable=why)


# --- what keeps a process alive -----------------------------------------------------------------------


def sleeping(seconds: float) -> Steps:
    """Return the steps of a thread or a timer that does nothing for so long."""
    yield Sleep(seconds)


def _left_behind(contract: Contract) -> Iterator[Defect]:
    check = "process_ends"

    def with_a_timer(wait: Wait, steps: Steps) -> Steps:
        yield Fork(sleeping(wait.timeout_s))
        return (yield from steps)

    def unless_it_returns(wait: Wait, steps: Steps) -> Steps:
        try:
            return (yield from steps)
        except ModelError:
            yield Fork(sleeping(wait.deadline_s - wait.now()))
            raise

    def where_the_first_poll_is_enough(wait: Wait, steps: Steps) -> Steps:
        result = yield from steps
        if wait.polls == 1:
            yield Fork(sleeping(wait.deadline_s - wait.now()))
        return result

    def finish_the_sleep(wait: Wait) -> Steps:
        yield Fork(sleeping(wait.interval_s - wait.timeout_s))

    every = (
        (
            "timer-of-the-timeout",
            "The timer of the timeout goes on when the wait has ended.",
            Hooks(on_wait=with_a_timer),
            "",
        ),
        (
            "timer-after-an-error",
            "The timer of the timeout is stopped when the wait returns, and goes on when it raises.",
            Hooks(on_wait=unless_it_returns),
            without_failures(contract),
        ),
        (
            "timer-after-the-first-poll",
            "The timer of the timeout is stopped, but not where the first poll ends the wait.",
            Hooks(on_wait=where_the_first_poll_is_enough),
            "",
        ),
        (
            "sleep-of-the-interval",
            "The thread that polls sleeps on to the end of its interval when the deadline has passed.",
            Hooks(at_timeout=finish_the_sleep),
            "",
        ),
    )
    for name, sentence, hooks, why in every:
        needs = ("deadline",) if name == "sleep-of-the-interval" else ()
        yield Defect(f"{check}.{name}", check, sentence, hooks, not_applicable=why, needs=needs)


# --- tokens -------------------------------------------------------------------------------------------


def signing(name: str, valid_s: float, *, starts_s: float = 0.0, once: bool = False) -> Hooks:
    """Return hooks of a client that signs a token for each poll, or one for each wait.

    Args:
        name: The header that carries it.
        valid_s: How long it is valid.
        starts_s: From when on, counted from its signing.
        once: Sign one at the first poll, for all.
    """

    def on_request(wait: Wait | None, request: Request) -> Request:
        if wait is None:
            return request
        now_s = int(wait.client.unix_s())
        claims = {"server": True, "iat": now_s + starts_s, "exp": now_s + starts_s + valid_s}
        token = wait.client.wire.token(claims)
        token = wait.memory.setdefault("token", token) if once else token
        return with_headers(request, {name: token})

    return Hooks(on_request=on_request)


def _tokens(contract: Contract) -> Iterator[Defect]:
    name = next((name for name in contract.credentials.jwt if name in contract.credentials.headers), "")
    check, reason = "polls_carry_valid_token", "" if name else "no header of a poll is a token"
    every = (
        (
            "signed-once",
            "One token is signed for a whole wait, and is valid for a second.",
            signing(name, 1, once=True),
        ),
        (
            "not-yet-valid",
            "Tokens are valid from a minute after their signing.",
            signing(name, 3600, starts_s=60),
        ),
        (
            "a-fixed-text",
            "Polls carry a fixed text where a signed token is expected.",
            Hooks(on_request=lambda wait, request: with_headers(request, {name: "x"}) if wait else request),
        ),
    )
    for what, sentence, hooks in every:
        yield Defect(f"{check}.{what}", check, sentence, hooks, not_applicable=reason)
    yield Defect(
        "record_token.for-each-poll",
        "record_token",
        "Each poll carries a new token, which is valid for ten minutes.",
        signing(name, 600),
        ending=Ending.RECORDED,
        not_applicable=reason,
    )
