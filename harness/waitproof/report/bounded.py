"""What adapters sent, as a report holds it: without secrets, and no more of it than a reader can use.

Whatever is left out is counted where it was: a shortened text ends with its length, an object or a list with
how many items follow. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from waitproof.suite import Json
from waitproof.text import MASKED, mask, shorten

__all__ = ["MAX_NAME", "Bounded", "shortened"]

MAX_TEXT = 10_000  # characters of one string in an exchange: a payload of 2 MB helps no reader
MAX_EXCHANGE = 40_000  # of all strings of one line or body, and some for each item
MAX_ADAPTER = 1_000_000  # of all lines of one adapter together; after that each gets what MIN_EXCHANGE says
MIN_EXCHANGE = 400
MAX_POLLS = 2_000  # of one play: of a client that polls without a pause, the first and the last say enough
MAX_ADAPTER_POLLS = 50_000  # of one adapter; after that each play gets what MIN_POLLS says
MIN_POLLS = 100
MAX_TARGET = 1_000
ITEM_COST = 4  # characters that an item counts as: a million empty ones are as bad as 2 MB of text
MAX_NAME = 100  # of what an adapter calls itself: it appears in headings and columns
_SECRET_HEADER = re.compile(
    r"authorization|cookie|token|secret|password|signature|(api|access|auth)[-_]?key", re.IGNORECASE
)
_SECRET_QUERY = re.compile(r"token|secret|password|signature|key|auth|jwt", re.IGNORECASE)
_Item = TypeVar("_Item")


def shortened(text: str, most: int = MAX_TEXT) -> str:
    """Return a text, or its start and how long it is."""
    return shorten(text, most, counted=True)


class Bounded:
    """Bounds the texts and values of one adapter, which share what they may take together."""

    def __init__(self, secrets: Iterable[str] = (), most: int = MAX_ADAPTER) -> None:
        """Make one for an adapter of which nothing has been seen.

        Args:
            secrets: Values that no text may show.
            most: How many characters all values may have together.
        """
        self._secrets = sorted(secrets, key=len, reverse=True)
        self._most = most
        self._most_polls = MAX_ADAPTER_POLLS
        self._remaining = 0  # of the value that is being trimmed

    def text(self, text: str, most: int = MAX_TEXT) -> str:
        """Return a text without secrets, shortened."""
        return shortened(mask(text, self._secrets), most)

    def value(self, value: Json) -> Json:
        """Return a value without secrets, which ends where a reader has seen enough."""
        self._remaining = room = max(MIN_EXCHANGE, min(MAX_EXCHANGE, self._most))
        trimmed = self._trim(value)
        self._most -= room - self._remaining
        return trimmed

    def take(self, characters: int) -> bool:
        """Say whether there is room for so many characters, and if so take it."""
        has_room = characters <= self._most
        self._most -= characters if has_room else 0
        return has_room

    def polls(self, polls: Sequence[_Item]) -> tuple[_Item, ...]:
        """Return the polls of one play, the first and the last where they are too many."""
        most = max(MIN_POLLS, min(MAX_POLLS, self._most_polls))
        self._most_polls -= min(most, len(polls))
        if len(polls) <= most:
            return tuple(polls)
        return (*polls[: most - most // 2], *polls[len(polls) - most // 2 :])

    def target(self, target: str, credentials: Iterable[str]) -> str:
        """Return a request's target with the values of credentials in its query masked."""
        path, mark, query = target.partition("?")
        parts = []
        for part in query.split("&"):
            name, equals, value = part.partition("=")
            is_secret = _is_named(name, credentials) or _SECRET_QUERY.search(name)
            parts.append(f"{name}={MASKED}" if equals and value and is_secret else part)
        return self.text(path + mark + "&".join(parts), MAX_TARGET)

    def headers(self, headers: Mapping[str, str], credentials: Iterable[str]) -> dict[str, str]:
        """Return a request's headers with the values of credentials masked."""
        return {
            self.text(name, MAX_NAME): MASKED
            if value and (_is_named(name, credentials) or _SECRET_HEADER.search(name))
            else self.text(value)
            for name, value in headers.items()
        }

    def _trim(self, value: Json) -> Json:
        if isinstance(value, str):
            text = self.text(value, max(0, min(MAX_TEXT, self._remaining)))
            self._remaining -= len(text)
            return text
        if isinstance(value, Mapping):
            members: dict[str, Json] = {}
            for key, child in self._until_full(value.items()):
                members[self.text(key, MAX_NAME)] = self._trim(child)
                self._remaining -= min(len(key), MAX_NAME)
            more = len(value) - len(members)
            return {**members, "…": f"{more} more"} if more else members
        if isinstance(value, list | tuple):
            items = [self._trim(child) for child in self._until_full(value)]
            more = len(value) - len(items)
            return [*items, f"… {more} more"] if more else items
        return value

    def _until_full(self, items: Iterable[_Item]) -> Iterator[_Item]:
        """Yield items, and count each, until there is no room left."""
        for item in items:
            self._remaining -= ITEM_COST
            if self._remaining <= 0:
                return
            yield item


def _is_named(name: str, names: Iterable[str]) -> bool:
    return name.casefold() in {each.casefold() for each in names}
