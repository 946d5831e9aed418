"""Defects of what happens at once: polls in flight together or after the end, shared state, coroutines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from waitproof.defects.client import REQUEST_TIMEOUT_S, Fork, Hooks, Sleep, Steps, Wait
from waitproof.defects.defect import Defect
from waitproof.defects.intervals import ignoring
from waitproof.defects.outcomes import without_failures
from waitproof.defects.wire import ModelError, Task
from waitproof.suite import Contract, StatusMeaning

__all__ = ["concurrency_defects"]

LOOK_S = 0.01  # how often a caller looks whether its turn, or the answer of a background poll, has come


def concurrency_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    yield from _polls_at_once(contract)
    yield from _waits_at_once()
    yield from _coroutines()


def _polls_at_once(contract: Contract) -> Iterator[Defect]:
    every: tuple[tuple[str, str, str, Hooks], ...] = (
        (
            "one_poll_in_flight",
            "hedged",
            "The client sends each poll twice at the same time.",
            Hooks(before_poll=_fork_a_poll),
        ),
        (
            "one_poll_in_flight",
            "does-not-wait-for-answers",
            "A timer sends a poll every interval, whether the one before has been answered or not.",
            Hooks(on_wait=_on_a_timer),
        ),
        (
            "no_poll_after_outcome",
            "once-more",
            "The helper polls once more when the task has already ended.",
            _once_more(lambda task: task.ends_the_wait),
        ),
        (
            "no_poll_after_outcome",
            "goes-on-in-the-background",
            "A timer or thread goes on polling after the caller has the outcome.",
            Hooks(on_wait=_and_goes_on(1_000_000)),
        ),
        (
            "no_poll_after_outcome",
            "an-interval-later",
            "A timer that was not cancelled polls once more, an interval after the caller had the outcome.",
            Hooks(on_wait=_and_goes_on(1)),
        ),
    )
    for check, name, sentence, hooks in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks)
    yield Defect(
        "no_poll_after_outcome.once-more-for-the-result",
        "no_poll_after_outcome",
        "The helper fetches a completed task once more for its result; a failed one it does not.",
        _once_more(lambda task: task.meaning is StatusMeaning.RETURN_RESULT),
        not_applicable=without_failures(contract),
    )


def _fork_a_poll(wait: Wait) -> Steps:
    yield Fork(wait.client.look(wait.task_id, REQUEST_TIMEOUT_S, wait))


def _once_more(is_meant: Callable[[Task], bool]) -> Hooks:
    def after_poll(wait: Wait, task: Task) -> Steps:
        if is_meant(task):
            yield from wait.client.look(wait.task_id, REQUEST_TIMEOUT_S, wait)

    return Hooks(after_poll=after_poll)


def _and_goes_on(polls: int) -> Callable[[Wait, Steps], Steps]:
    def more(wait: Wait) -> Steps:
        for _ in range(polls):
            yield Sleep(wait.interval_s)
            yield from wait.client.look(wait.task_id, REQUEST_TIMEOUT_S, wait)

    def on_wait(wait: Wait, steps: Steps) -> Steps:
        try:
            result = yield from steps
        except Exception:
            yield Fork(more(wait))
            raise
        yield Fork(more(wait))
        return result

    return on_wait


def _on_a_timer(wait: Wait, steps: Steps) -> Steps:
    """Send polls in the background, and give the rule of waiting the answers as they come."""
    arrived: list[Task | ModelError] = []

    def poll() -> Steps:
        try:
            arrived.append((yield from wait.client.look(wait.task_id, wait.timeout_s, wait)))
        except ModelError as error:
            arrived.append(error)

    steps.close()
    due_s = wait.now()
    while wait.now() < wait.deadline_s:
        if wait.now() >= due_s:
            yield Fork(poll())
            due_s += wait.interval_s
        if arrived:
            latest = arrived.pop(0)
            if isinstance(latest, ModelError):
                raise latest
            if latest.ends_the_wait:
                return wait.client.outcome(latest)
        yield Sleep(LOOK_S)
    raise wait.timed_out()


def _waits_at_once() -> Iterator[Defect]:
    check = "waits_are_independent"

    def the_latest(wait: Wait, steps: Steps) -> Steps:
        wait.client.memory["task_id"] = wait.task_id
        return steps

    def of_the_latest(wait: Wait, timeout_s: float) -> float:
        wait.task_id = wait.client.memory["task_id"]
        return timeout_s

    def in_turn(wait: Wait, steps: Steps) -> Steps:
        queue = wait.client.memory.setdefault("queue", [])
        queue.append(wait)
        while queue[0] is not wait:
            yield Sleep(LOOK_S)
        wait.deadline_s = wait.now() + wait.timeout_s
        try:
            return (yield from steps)
        finally:
            queue.remove(wait)

    def shared(wait: Wait, steps: Steps) -> Steps:
        wait.client.memory["result"] = yield from steps
        yield Sleep(LOOK_S / 2)
        return wait.client.memory["result"]

    every = (
        (
            "one-task-id-for-all-waits",
            "The client uses one task id for all its waits.",
            Hooks(on_wait=the_latest, on_poll=of_the_latest),
        ),
        (
            "one-wait-at-a-time",
            "A wait begins only when the one before it has ended, as behind a lock.",
            Hooks(on_wait=in_turn),
        ),
        ("one-result-for-all-waits", "The client keeps one result for all its waits.", Hooks(on_wait=shared)),
    )
    for name, sentence, hooks in every:
        needs = ("result",) if name == "one-result-for-all-waits" else ()
        yield Defect(f"{check}.{name}", check, sentence, hooks, needs=needs)


def _coroutines() -> Iterator[Defect]:
    blocking = (
        ("waits", "The async helper calls the blocking one.", frozenset({"sleep", "send"})),
        ("sleeps", "The async helper blocks its event loop while it sleeps.", frozenset({"sleep"})),
        ("polls", "The async helper blocks its event loop while it polls.", frozenset({"send"})),
    )
    for name, sentence, blocks in blocking:
        check = "waits_interleave"
        yield Defect(f"{check}.{name}-blocking", check, sentence, is_async=True, blocks=blocks)

    def refuses(_contract: Contract, options: Mapping[str, float]) -> Mapping[str, float]:
        if "poll_interval" in options:
            raise TypeError("got an unexpected keyword argument 'poll_interval'")
        return options

    options = (
        (
            "timeout-ignored",
            "The async helper ignores the timeout that the caller passes.",
            ignoring("timeout"),
        ),
        (
            "interval-ignored",
            "The async helper ignores the interval that the caller passes.",
            ignoring("poll_interval"),
        ),
        ("interval-refused", "The async helper has no parameter for the interval.", refuses),
    )
    for name, sentence, on_options in options:
        check = "parameters_kept"
        yield Defect(f"{check}.{name}", check, sentence, Hooks(on_options=on_options), is_async=True)
