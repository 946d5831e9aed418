"""Which SDKs a requirement concerns, by what their adapters say of themselves."""

from __future__ import annotations

from waitproof.judge.words import listed
from waitproof.protocol import Hello
from waitproof.suite import Conditions, Requirement

__all__ = ["foreign_to"]


def foreign_to(requirement: Requirement, hello: Hello) -> str:
    """Return which SDKs a requirement is about, "" if this is one of them."""
    wanted = requirement.applies_to
    return _foreign(wanted, hello, is_wanted=True) or _foreign(wanted.not_, hello, is_wanted=False)


def _foreign(conditions: Conditions | None, hello: Hello, *, is_wanted: bool) -> str:
    if conditions is None:
        return ""
    word = "only" if is_wanted else "not"
    able, language = hello.capabilities, hello.language.casefold()
    languages = conditions.language
    if languages is not None and (language in map(str.casefold, languages)) is not is_wanted:
        return f"{word} for {listed(languages)}"
    cancels = conditions.cancel
    if cancels is not None and (cancels is able.cancel) is not is_wanted:
        return f"only for waits that {'can' if cancels is is_wanted else 'cannot'} be cancelled"
    unlimited = conditions.no_timeout
    if unlimited is not None and (unlimited is able.no_timeout) is not is_wanted:
        return f"only for waits that {'can' if unlimited is is_wanted else 'cannot'} do without a timeout"
    is_async = conditions.non_blocking
    if is_async is not None and (is_async is able.non_blocking) is not is_wanted:
        variant = "asynchronous" if is_async is is_wanted else "blocking"
        return f"only for an SDK's {variant} variant"
    variants = conditions.variant
    if variants is not None and set(variants).isdisjoint(able.variants) is is_wanted:
        return f"{word} for helpers with the variant {listed(variants)}"
    returns = conditions.returns
    if returns is not None and able.returns is not None and (able.returns in returns) is not is_wanted:
        return f"{word} for helpers that return {listed(returns)}"
    return ""
