"""The options that the harness passes because an SDK cannot be called without them.

A scenario passes what it is about. Where a helper has no default for an option, or takes all or none, the
rest is the contract's own default: the wait is then as documented, only that default cannot be judged.
"""

from __future__ import annotations

from waitproof.protocol import OPTIONS, Capabilities, JsonObject
from waitproof.suite import MAX_DURATION_S, NO_TIMEOUT_S, Contract, Intervals, Json, Scenario, WaitOptions

__all__ = ["as_passed", "needed_options", "options_passed", "with_required_options"]


def with_required_options(contract: Contract, scenario: Scenario, capabilities: Capabilities) -> Scenario:
    """Return the scenario with every option that this SDK cannot be called without."""
    calls = tuple(
        call
        if call.wait is None
        else call.model_copy(update={"wait": options_passed(contract, call.wait, capabilities)})
        for call in scenario.calls
    )
    if calls == scenario.calls:
        return scenario
    return scenario.model_copy(update={"calls": calls}).named(scenario.id)


def options_passed(contract: Contract, passed: WaitOptions, capabilities: Capabilities) -> WaitOptions:
    """Return the options of a wait, with the defaults of those that must come too.

    Where the contract has no deadline, a timeout that must come is so long that nobody sees it pass.
    """
    needed = set(capabilities.required_options)
    if capabilities.options_together and any(getattr(passed, name) is not None for name in OPTIONS):
        needed |= set(OPTIONS)
    added: dict[str, float | None] = {}
    for name in OPTIONS:
        if name in needed and name in capabilities.options and getattr(passed, name) is None:
            added[name] = getattr(contract.defaults, name)
    if "timeout" in added and added["timeout"] is None:
        added["timeout"] = MAX_DURATION_S
    return passed.model_copy(update=added) if added else passed


def needed_options(contract: Contract, capabilities: Capabilities) -> JsonObject:
    """Return, as the protocol passes them, the options without which an SDK's helper cannot be called."""
    return as_passed(options_passed(contract, WaitOptions(), capabilities))


def as_passed(wait: WaitOptions) -> JsonObject:
    """Return the options of a wait as the protocol passes them; those that are absent are not passed."""
    return {name: _option(value) for name in OPTIONS if (value := getattr(wait, name)) is not None}


def _option(value: float | Intervals) -> Json:
    if not isinstance(value, Intervals):
        return _number(value)
    grows = {"times": value.times} if value.times > 1 else {"add": _number(value.add_s)}
    return {"first": _number(value.first_s), **grows, "most": _number(value.most_s)}


def _number(value_s: float) -> int | float | None:
    """Return whole seconds as 2, not as 2.0, which some decoders refuse; None for no timeout."""
    if value_s == NO_TIMEOUT_S:
        return None
    value_s = round(value_s, 6)  # 0.07 times 100 is 7.000000000000001
    return int(value_s) if value_s == int(value_s) else value_s
