"""Checks of the JSON Web Tokens that polls carry: is each valid when it arrives, and for how long?

Signatures are not verified: a wrong one is refused by any API at the first poll, so its author has seen it.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from waitproof.judge.check import (
    ACCUSES_NOBODY,
    EXCUSES_ALL,
    Case,
    Finding,
    Mark,
    NoArguments,
    broken,
    kept,
    kind,
    recorded,
    suspect,
)
from waitproof.judge.observation import Poll
from waitproof.judge.words import seconds
from waitproof.suite import Json

__all__: list[str] = []

# Times in tokens are whole seconds, rounded either way, and APIs allow for clocks that differ a little.
LEEWAY_S = 2.0
MAX_TIME_S = 1e12  # in the year 33,000: a token may say anything


@dataclass(frozen=True)
class _Token:
    """A token of a poll.

    Attributes:
        claims: None where the value is not a token.
        at_unix_s: When the poll arrived.
    """

    poll: Poll
    name: str
    text: str
    claims: Mapping[str, Json] | None
    at_unix_s: float

    def time(self, claim: str) -> float | None:
        """Return a claim that is a time, in seconds since 1970."""
        value = None if self.claims is None else self.claims.get(claim)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MAX_TIME_S:
            return None
        return float(value)


def _tokens(case: Case) -> Iterator[_Token]:
    """Yield the tokens of all polls, in order of arrival.

    A poll without one is `polls_carry_credentials`' business.
    """
    began_s = case.observation.began_unix_s or 0.0
    for call in case.waits():
        for poll in case.observation.requests_of(call):
            for name in case.contract.credentials.jwt:
                query = poll.query.get(name, [""])
                text = (poll.headers.get(name.lower()) or query[0]).rpartition(" ")[2]
                if text:
                    yield _Token(poll, name, text, _claims(text), began_s + poll.arrived_s)


def _claims(text: str) -> Mapping[str, Json] | None:
    """Return what a token says, None for what is not one."""
    parts = text.split(".")
    if len(parts) != 3:
        return None
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


@kind(
    "polls_carry_valid_token",
    timed=True,
    accuses="a poll whose token has expired, is not valid yet, or is not a token",
    excuses="requests without a token, and an adapter whose time of day is another: NOT_APPLICABLE",
)
def polls_carry_valid_token(case: Case, _arguments: NoArguments) -> Finding:
    """No poll carries a token that has expired, or that is not valid yet."""
    if case.observation.began_unix_s is None:
        return Finding(Mark.NOT_APPLICABLE, seen="the adapter's time of day is another one")
    expected = f"every poll carries a token in {' and '.join(case.contract.credentials.jwt)} that is valid"
    finding = Finding(Mark.NOT_APPLICABLE, seen="no token came")
    for token in _tokens(case):
        if token.claims is None:
            return broken(
                expected,
                f"poll {token.poll.n} came with something in {token.name} that is not a JSON Web Token",
            )
        for claim in ("iat", "nbf"):
            early_s = (token.time(claim) or 0.0) - token.at_unix_s
            if early_s > LEEWAY_S:
                seen = f"the token of poll {token.poll.n} is valid from {seconds(early_s)} later on ({claim})"
                return suspect(expected, seen)  # the machine's time of day may have been set
        expires_s = token.time("exp")
        late_s = 0.0 if expires_s is None else token.at_unix_s - expires_s
        if late_s > LEEWAY_S:  # the poll may have been sent in time
            seen = f"the token of poll {token.poll.n} had expired {seconds(late_s)} before it came"
            return Finding(Mark.SUSPECT, expected, seen, excess_s=late_s - LEEWAY_S)
        finding = kept(expected, "all did")
    return finding


@kind("record_token", accuses=ACCUSES_NOBODY, excuses=EXCUSES_ALL)
def record_token(case: Case, _arguments: NoArguments) -> Finding:
    """How long a token is valid, and whether the polls of a wait share one."""
    if next(case.waits(), None) is None:
        return recorded("nothing: no wait was made")
    tokens = [] if case.observation.began_unix_s is None else list(_tokens(case))
    if not tokens or tokens[0].claims is None:
        return recorded("nothing: no token came")
    first, count = tokens[0], len({token.text for token in tokens})
    expires_s = first.time("exp")
    word = "one token" if count == 1 else "several tokens"
    if expires_s is None:
        return recorded(f"{word}, without an end: {count} for {len(tokens)} polls")
    left_s = expires_s - first.at_unix_s
    return recorded(f"{word}, with an end: {count} for {len(tokens)} polls, the first for {left_s:.0f} s")
