"""Which scenarios and requirements a pattern selects. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from waitproof.errors import InputError, Mistake, nearest
from waitproof.suite.scenario import Scenario

__all__ = ["select"]


def select(scenarios: Sequence[Scenario], patterns: Sequence[str]) -> tuple[Scenario, ...]:
    """Return the scenarios that one of the patterns selects, all of them if there is no pattern.

    A pattern is a part of `scenario` or `scenario:requirement` that begins where a word does, or a glob for
    the whole of it. One that names a requirement selects only that requirement of its scenarios.

    Raises:
        InputError: A pattern matches nothing.
    """
    if not patterns:
        return tuple(scenarios)
    selected: dict[str, set[str]] = {}
    for pattern in patterns:
        found = False
        for scenario in scenarios:
            whole = _matches(pattern, scenario.id)
            names = {name for name in scenario.proves if whole or _matches(pattern, f"{scenario.id}:{name}")}
            if names:
                found = True
                selected.setdefault(scenario.id, set()).update(names)
        if not found:
            known = [scenario.id for scenario in scenarios]
            known += [name for scenario in scenarios for name in scenario.proves]
            fix = nearest(pattern, known) or "'waitproof list' shows all scenarios"
            raise InputError(Mistake("-k", f"no scenario and no requirement matches '{pattern}'", fix=fix))
    return tuple(
        scenario.model_copy(
            update={"proves": tuple(name for name in scenario.proves if name in selected[scenario.id])}
        )
        for scenario in scenarios
        if scenario.id in selected
    )


def _matches(pattern: str, name: str) -> bool:
    """Say whether a pattern matches a name: as a glob, else as a part that begins where a word does."""
    if any(sign in pattern for sign in "*?["):
        return fnmatchcase(name, pattern)
    return re.search(rf"(?<![a-z0-9]){re.escape(pattern)}", name) is not None
