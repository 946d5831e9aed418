"""Which values are secret, where they were seen, and an observation in which nobody sees them any more.

Secret are what the adapter was given to sign with, and what requests carried in the headers and query
parameters that the contract calls secret. `without_secrets` is called once, right after a play: whatever is
made of its observation, a verdict or a report, has no secret in it. Only requests stay as they were.
"""

from __future__ import annotations

import dataclasses
import json
import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from waitproof.judge.check import Case, Finding, NoArguments, broken, kept, kind
from waitproof.judge.observation import CallRecord, Observation, Poll
from waitproof.judge.words import cut, describe, shown
from waitproof.protocol import Raised
from waitproof.suite import Contract
from waitproof.text import mask

__all__ = ["secrets_of", "without_secrets"]

MIN_SECRET = 12  # characters: a shorter value, a scheme or 'undefined', would be found in any text


def secrets_of(contract: Contract, observation: Observation, api_secret: str) -> Mapping[str, str]:
    """Return the values that are secret, each with what it is called; the longest first."""
    found = {api_secret: "the API secret"}
    for task in observation.tasks:
        for request in (*task.polls, *task.others, *task.doubtful):
            for name in contract.credentials.secret:
                found |= dict.fromkeys(_values(request, name), f"the value of {name}")
    long_enough = [value for value in found if len(value) >= MIN_SECRET]
    return {value: found[value] for value in sorted(long_enough, key=len, reverse=True)}


def _values(request: Poll, name: str) -> Iterator[str]:
    """Yield what a request carries under a name: a header, also without its scheme, or a query parameter."""
    header = request.headers.get(name.lower(), "")
    yield header
    yield header.rpartition(" ")[2]
    yield from request.query.get(name, [])


def without_secrets(
    observation: Observation, secrets: Mapping[str, str], printed: Sequence[str]
) -> Observation:
    """Return an observation with every secret in it masked, and with a note of where they were.

    Args:
        observation: What was seen.
        secrets: By value, what each is called.
        printed: The lines that the adapter's process has written to stdout and stderr.
    """
    leaks = tuple(
        f"{secrets[value]} in {where}: {shown(mask(text, secrets))}"
        for where, text in (*_raised(observation), *(("what it printed", line) for line in printed))
        for value in [next((each for each in secrets if each in text), None)]
        if value is not None
    )
    calls = tuple(_masked_call(call, secrets) for call in observation.calls)
    return dataclasses.replace(observation, calls=calls, leaks=leaks)


def _raised(observation: Observation) -> Iterator[tuple[str, str]]:
    """Yield the texts of the exceptions that the calls raised, each with where it is."""
    for call in observation.calls:
        if isinstance(call.seen, Raised):
            yield f"the message of {cut(call.seen.type)}", call.seen.message or ""
            for name, value in call.seen.fields.items():
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                yield f"{cut(name)} of {cut(call.seen.type)}", text


def _masked_call(call: CallRecord, secrets: Mapping[str, str]) -> CallRecord:
    members = {each.name: getattr(call.seen, each.name) for each in dataclasses.fields(call.seen)}
    seen = dataclasses.replace(call.seen, **_masked(members, secrets))
    return dataclasses.replace(call, seen=seen, answer=_masked(call.answer, secrets))


def _masked(value: Any, secrets: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return mask(value, secrets)
    if isinstance(value, Mapping):
        members = {mask(name, secrets): _masked(child, secrets) for name, child in value.items()}
        return members if any(value.get(name) is not child for name, child in members.items()) else value
    if isinstance(value, list):
        items = [_masked(child, secrets) for child in value]
        return items if any(map(operator.is_not, items, value)) else value  # a result may take 300 MB
    return value


@kind(
    "secrets_stay_out",
    accuses="a secret of the contract's credentials in an exception, on stdout or on stderr",
    excuses="credentials that the contract does not name under 'secret'",
)
def secrets_stay_out(case: Case, _arguments: NoArguments) -> Finding:
    """No exception and no line on stdout or stderr has a secret in it."""
    expected = "no secret in an exception, on stdout or on stderr"
    if case.observation.leaks:
        return broken(expected, case.observation.leaks[0])
    outcomes = (f"the call {describe(call.seen)}" for call in case.observation.calls)
    return kept(expected, next(outcomes, case.none_made))
