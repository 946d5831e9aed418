"""Defects and correct clients of a helper's signature: variants, and options that have to be passed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from waitproof.defects.client import Hooks, Options, Wait
from waitproof.defects.defect import Defect, equivalent
from waitproof.defects.wire import Task
from waitproof.suite import NO_TIMEOUT_S, Contract, StatusMeaning

__all__ = ["shape_defects", "shape_equivalents"]

REQUIRED = {"required_options": ["poll_interval", "timeout"]}
TOGETHER = {"options_together": True}


def shape_defects(contract: Contract) -> Iterator[Defect]:
    """Yield the defects of this module for one contract."""
    yield Defect(
        "timeout_kept.required-and-ignored",
        "timeout_kept",
        "The helper must be passed a timeout, and goes on for twice as long.",
        Hooks(on_options=lambda _contract, options: _times(_needing_both(options), "timeout", 2.0)),
        {"option": "passed"},
        capabilities=REQUIRED,
    )
    yield Defect(
        "interval_kept.comes-together-and-is-ignored",
        "interval_kept",
        "The helper takes its options together, and polls at half the interval.",
        Hooks(on_options=lambda _contract, options: _times(_needing_all(options), "poll_interval", 0.5)),
        {"option": "passed"},
        capabilities=TOGETHER,
    )
    for name in contract.variants:
        yield from _of_variant(contract, name)


def shape_equivalents(contract: Contract) -> Iterator[Defect]:
    """Yield the correct clients of this module."""
    yield equivalent(
        "has-no-defaults",
        "Must be passed each option, as its adapter says.",
        Hooks(on_options=lambda _contract, options: _needing_both(options)),
        capabilities=REQUIRED,
    )
    if contract.defaults.timeout is not None:  # else there is nothing to pass with an interval
        yield equivalent(
            "takes-all-options-or-none",
            "Must be passed both options or none, as its adapter says.",
            Hooks(on_options=lambda _contract, options: _needing_all(options)),
            capabilities=TOGETHER,
        )


def _times(options: Options, name: str, factor: float) -> Options:
    value = options.get(name)
    return options if value is None else {**options, name: value * factor}


def _needing_both(options: Options) -> Options:
    if not {"poll_interval", "timeout"} <= options.keys():
        raise TypeError("the helper needs poll_interval and timeout")
    return options


def _needing_all(options: Options) -> Options:
    if len({"poll_interval", "timeout"} & options.keys()) == 1:
        raise TypeError("the helper needs both options, or none")
    return options


def _of_variant(contract: Contract, name: str) -> Iterator[Defect]:
    """Yield what a helper does that takes a variant for the helper as it is, or the other way round."""
    plain, variant = contract.meanings, contract.varied(name).meanings
    if any(plain[status] is not meaning for status, meaning in variant.items()):
        yield _confused(
            f"ignores-{name}",
            f"The helper ignores the options of its variant {name}.",
            wanted=variant,
            seen=plain,
            is_for=lambda wait: wait.variant == name,
        )
        yield _confused(
            f"ignores-{name}-without-a-timeout",
            f"The helper ignores the options of its variant {name} where it has no timeout.",
            wanted=variant,
            seen=plain,
            is_for=lambda wait: wait.variant == name and wait.timeout_s == NO_TIMEOUT_S,
            capabilities={"no_timeout": True},
        )
        yield _confused(
            f"is-always-{name}",
            f"The helper is always its variant {name}.",
            wanted=plain,
            seen=variant,
            is_for=lambda wait: wait.variant is None,
        )


def _confused(
    name: str,
    sentence: str,
    *,
    wanted: Mapping[str, StatusMeaning],
    seen: Mapping[str, StatusMeaning],
    is_for: Callable[[Wait], bool],
    capabilities: Mapping[str, Any] | None = None,
) -> Defect:
    """Return the defect of a helper that takes a status for what it means to another variant."""
    changed = next(wanted[status] for status in wanted if wanted[status] is not seen[status])
    check, where = {
        StatusMeaning.RAISE_TASK: ("raises_kind", {"kinds": "task"}),
        StatusMeaning.RETURN_RESULT: ("returns_result", {}),
        StatusMeaning.KEEP_POLLING: ("polls_until_terminal", {}),
    }[changed]

    def on_task(wait: Wait, task: Task) -> Task:
        return replace(task, meaning=seen.get(task.status, task.meaning)) if is_for(wait) else task

    return Defect(
        f"{check}.{name}", check, sentence, Hooks(on_task=on_task), where, capabilities=capabilities or {}
    )
