"""Defects of waits that are cancelled: seen too late, swallowed, mistaken for a result, or never forgotten.

The caller's cancellation is an exception at the step that was cut short; what is deaf to it raises it
afterwards, as a client does that looks at its token between two steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from waitproof.defects.client import REQUEST_TIMEOUT_S, Fork, Hooks, Print, Send, Sleep, Steps, Wait
from waitproof.defects.defect import Defect, Ending
from waitproof.defects.wire import Cause
from waitproof.simulate import SimulatedCancelError
from waitproof.suite import Contract

__all__ = ["cancellation_defects", "cancelled_as_a_failure", "looking_often"]

LOOK_S = 0.2  # between two looks at the token, of a client that is not woken by it


def cancellation_defects(_contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module, which are the same for every contract."""
    soon = "cancelled_soon"
    yield Defect(
        f"{soon}.seen-after-the-sleep",
        soon,
        "The helper sees that it is cancelled only when its sleep is over.",
        is_async=True,
        deaf=frozenset({"sleep"}),
    )
    yield Defect(
        f"{soon}.poll-not-cut-off",
        soon,
        "The helper sees that it is cancelled only when the poll in flight has its answer.",
        is_async=True,
        deaf=frozenset({"send"}),
    )
    survives = "usable_after_cancel"
    every = (
        (soon, "swallowed", "The helper catches the cancellation and waits on.", Hooks(on_wait=_swallowing)),
        (soon, "polls-once-more", "A cancelled wait polls once more.", Hooks(on_wait=_polling_once_more)),
        (soon, "returns-nothing", "A cancelled wait returns null.", Hooks(on_wait=_returning_nothing)),
        (
            survives,
            "closes-the-client",
            "A cancelled wait closes its client, and later waits on it fail.",
            Hooks(on_wait=_closing_the_client),
        ),
        (
            survives,
            "keeps-its-turn",
            "A cancelled wait never gives its turn back, and the next one waits for it in vain.",
            Hooks(on_wait=_keeping_its_turn),
        ),
    )
    for check, name, sentence, hooks in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks, is_async=True)
    yield Defect(
        "record_cancel_outcome.as-a-failure",
        "record_cancel_outcome",
        "A cancelled wait raises the client's exception for a failed connection.",
        Hooks(on_wait=cancelled_as_a_failure),
        is_async=True,
        ending=Ending.RECORDED,
    )


def looking_often(_wait: Wait, steps: Steps) -> Steps:
    """Sleep in short pieces; for a client that is deaf while it sleeps."""

    def in_pieces(step: Send | Sleep | Fork | Print) -> Steps:
        if not isinstance(step, Sleep):
            return (yield step)
        left_s = step.seconds
        while left_s > LOOK_S:
            yield Sleep(LOOK_S)
            left_s -= LOOK_S
        yield Sleep(left_s)
        return None

    return _replacing(steps, in_pieces)


def cancelled_as_a_failure(wait: Wait, steps: Steps) -> Steps:
    """Raise an exception of the client's own when the wait is cancelled."""
    try:
        return (yield from steps)
    except SimulatedCancelError as error:
        raise wait.client.wire.failure(Cause.DROPPED, "the wait was cancelled") from error


def _swallowing(_wait: Wait, steps: Steps) -> Steps:
    def carried_on(step: Send | Sleep | Fork | Print) -> Steps:
        try:
            return (yield step)
        except SimulatedCancelError:
            return (yield step) if isinstance(step, Send) else None

    return _replacing(steps, carried_on)


def _replacing(steps: Steps, others: Callable[[Send | Sleep | Fork | Print], Steps]) -> Steps:
    """Carry out other steps in place of each."""
    answer, error = None, None
    try:
        while True:
            step = steps.send(answer) if error is None else steps.throw(error)
            answer, error = None, None
            try:
                answer = yield from others(step)
            except Exception as raised:  # noqa: BLE001 - whatever it is, it is these steps' business
                error = raised
    except StopIteration as end:
        return end.value


def _polling_once_more(wait: Wait, steps: Steps) -> Steps:
    try:
        return (yield from steps)
    except SimulatedCancelError:
        yield from wait.client.look(wait.task_id, REQUEST_TIMEOUT_S, wait)
        raise


def _returning_nothing(_wait: Wait, steps: Steps) -> Steps:
    try:
        return (yield from steps)
    except SimulatedCancelError:
        return None


def _closing_the_client(wait: Wait, steps: Steps) -> Steps:
    if wait.client.memory.get("is_closed"):
        raise wait.client.wire.failure(Cause.DROPPED, "the client is closed")
    try:
        return (yield from steps)
    except SimulatedCancelError:
        wait.client.memory["is_closed"] = True
        raise


def _keeping_its_turn(wait: Wait, steps: Steps) -> Steps:
    if wait.client.memory.get("is_taken"):
        yield Sleep(wait.timeout_s)
        raise wait.timed_out()
    try:
        return (yield from steps)
    except SimulatedCancelError:
        wait.client.memory["is_taken"] = True
        raise
