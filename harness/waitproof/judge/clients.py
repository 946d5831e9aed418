"""A tripwire: does anything beside the SDK poll its tasks? What it shows is never about the SDK.

An adapter with a connection of its own can add the polls that an SDK leaves out. Two clients seldom say the
same about themselves, and one client seldom changes what it says in the middle of a wait:

- Every poll of a wait names the same products in its User-Agent. Versions, comments and words with a number
  may differ, as those of a client do that counts its attempts.
- A key or a token may be replaced, even for every poll, but an old one does not come after a newer one.

A client that changes what it says from one poll to the next on one connection is believed to be one client.
What follows a redirect, or is sent again by an HTTP library, is not looked at.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Sequence
from typing import TypeAlias

from waitproof.judge.check import Case
from waitproof.judge.observation import Poll
from waitproof.judge.words import cut

__all__ = ["second_client"]

_Words: TypeAlias = str | None  # what a poll says about its client, None for nothing

MAX_SHOWN = 80  # characters of a User-Agent
_COMMENT = re.compile(r"\([^()]*\)")
_NUMBER = re.compile(r"[0-9]")


def second_client(case: Case) -> str:
    """Return what shows that a wait's polls are not all from one HTTP client, "" where nothing does."""
    for call in case.waits():
        polls = [poll for poll in case.observation.requests_of(call) if not poll.repeat]
        firsts = [next(alike) for _, alike in itertools.groupby(polls, lambda poll: poll.n)]
        if len({poll.connection for poll in firsts}) > 1:
            found = _other_product(firsts) or _older_credentials(case, firsts)
            if found:
                return f"polls of one wait came from two HTTP clients: {found}"
    return ""


def _other_product(polls: Sequence[Poll]) -> str:
    if not _differ_by_connection(polls, _products):
        return ""
    first = polls[0]
    other = next(poll for poll in polls if _products(poll) != _products(first))
    return f"{_called(first)} on connection {first.connection}, {_called(other)} on {other.connection}"


def _older_credentials(case: Case, polls: Sequence[Poll]) -> str:
    """Return what shows that a replaced key came again; a JSON Web Token may be any, at any time."""
    credentials = case.contract.credentials
    readers = {name: functools.partial(_header, name.lower()) for name in credentials.headers}
    readers |= {name: functools.partial(_parameter, name) for name in credentials.query}
    for name, read in readers.items():
        if name not in credentials.jwt and _comes_back(polls, read):
            return f"an older value of '{name}' came after a newer one, on another connection"
    return ""


def _header(name: str, poll: Poll) -> _Words:
    return poll.headers.get(name)


def _parameter(name: str, poll: Poll) -> _Words:
    return next(iter(poll.query.get(name, ())), None)


def _comes_back(polls: Sequence[Poll], words: Callable[[Poll], _Words]) -> bool:
    values = [key for key, _ in itertools.groupby(value for value in map(words, polls) if value is not None)]
    return len(set(values)) < len(values) and _differ_by_connection(polls, words)


def _differ_by_connection(polls: Sequence[Poll], words: Callable[[Poll], _Words]) -> bool:
    """Say whether polls differ in what they say, but never those of one connection."""
    said: dict[int, set[_Words]] = {}
    for poll in polls:
        said.setdefault(poll.connection, set()).add(words(poll))
    return all(len(each) == 1 for each in said.values()) and len(set.union(*said.values())) > 1


def _called(poll: Poll) -> str:
    agent = poll.headers.get("user-agent")
    return "no User-Agent" if agent is None else f"User-Agent '{cut(agent, MAX_SHOWN)}'"


def _products(poll: Poll) -> _Words:
    return _names_in(poll.headers.get("user-agent"))


@functools.lru_cache(maxsize=256)
def _names_in(agent: _Words) -> _Words:
    """Return the names of the products in a User-Agent."""
    if agent is None:
        return None
    names = (word.partition("/")[0] for word in _COMMENT.sub(" ", agent).split())
    return " ".join(name for name in names if not _NUMBER.search(name))
