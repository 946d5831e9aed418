"""Defects of state: a wait that is affected by an earlier one of the same client, or of the same process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from waitproof.defects.client import Hooks, Steps, Wait
from waitproof.defects.defect import Defect
from waitproof.suite import Contract

__all__ = ["state_defects"]


def state_defects(_contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module, which are the same for every contract."""
    every: tuple[tuple[str, str, str, Hooks], ...] = (
        (
            "interval_kept",
            "first-option-for-all-waits",
            "The client keeps the interval of its first wait for all later ones.",
            Hooks(on_wait=_with_the_first("intervals", lambda wait: wait.client.memory)),
        ),
        (
            "interval_kept",
            "first-option-for-the-process",
            "The interval of a process's first wait is used for all later ones, whatever their client.",
            Hooks(on_wait=_with_the_first("intervals", lambda wait: wait.client.process)),
        ),
        (
            "timeout_kept",
            "first-option-for-all-waits",
            "The client keeps the timeout of its first wait for all later ones.",
            Hooks(on_wait=_with_the_first("timeout_s", lambda wait: wait.client.memory)),
        ),
        (
            "timeout_kept",
            "first-deadline-for-all-waits",
            "The deadline of a client's first wait is that of all later ones, too.",
            Hooks(on_wait=_until_the_first_deadline),
        ),
    )
    for check, name, sentence, hooks in every:
        yield Defect(f"{check}.{name}", check, sentence, hooks, {"option": "passed"})
    yield Defect(
        "returns_result.latest-timeout-is-the-default",
        "returns_result",
        "A timeout that was passed once is the default of the client's later waits.",
        Hooks(on_wait=_with_the_latest("timeout", "timeout_s")),
        needs=("deadline",),
    )
    yield Defect(
        "raises_timeout.latest-interval-is-the-default",
        "raises_timeout",
        "An interval that was passed once is the default of the client's later waits.",
        Hooks(on_wait=_with_the_latest("poll_interval", "intervals")),
        needs=("deadline",),
    )


def _with_the_first(
    attribute: str, memory: Callable[[Wait], dict[str, Any]]
) -> Callable[[Wait, Steps], Steps]:
    def on_wait(wait: Wait, steps: Steps) -> Steps:
        _set(wait, attribute, memory(wait).setdefault(attribute, getattr(wait, attribute)))
        return steps

    return on_wait


def _until_the_first_deadline(wait: Wait, steps: Steps) -> Steps:
    wait.deadline_s = wait.client.memory.setdefault("deadline_s", wait.deadline_s)
    return steps


def _with_the_latest(option: str, attribute: str) -> Callable[[Wait, Steps], Steps]:
    def on_wait(wait: Wait, steps: Steps) -> Steps:
        if option in wait.options:
            wait.client.memory[attribute] = getattr(wait, attribute)
        _set(wait, attribute, wait.client.memory.get(attribute, getattr(wait, attribute)))
        return steps

    return on_wait


def _set(wait: Wait, attribute: str, value: Any) -> None:
    setattr(wait, attribute, value)
    wait.deadline_s = wait.began_s + wait.timeout_s
