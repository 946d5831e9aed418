"""The options that the harness passes because an SDK cannot be called without them.

A scenario passes what it is about. Where a helper has no default for an option, or takes all or none, the
rest is the contract's own default: the wait is then as documented, only that default cannot be judged.
"""

from __future__ import annotations

from waitproof.protocol import OPTIONS, Capabilities
from waitproof.suite import Contract, Scenario, WaitOptions

__all__ = ["options_passed", "with_required_options"]


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

    One without a default in the contract stays away, and the call cannot be made.
    """
    needed = set(capabilities.required_options)
    if capabilities.options_together and any(getattr(passed, name) is not None for name in OPTIONS):
        needed |= set(OPTIONS)
    added: dict[str, float | None] = {
        name: getattr(contract.defaults, name)
        for name in OPTIONS
        if name in needed and name in capabilities.options and getattr(passed, name) is None
    }
    return passed.model_copy(update=added) if added else passed
