"""What no report may show: the tokens and keys that an adapter inherits with its environment.

An SDK that prints its settings, or a traceback that shows a header, must not carry a job's tokens into a
report, which is made to be passed on. The one fact to know: only their names tell which variables are secret.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from urllib.parse import quote

from waitproof.text import mask

__all__ = ["MIN_SECRET", "environment_secrets", "masker"]

MIN_SECRET = 8  # characters: a shorter value, 'true' or a number, would be found in any text
_NAME = re.compile(r"token|secret|passw|passphrase|credential|api_?key|(^|_)(key|auth|jwt|pat)(_|$|s$)", re.I)


def environment_secrets(*environments: Mapping[str, str]) -> set[str]:
    """Return the values of the variables that are named like a secret, as they are and as they are quoted."""
    found = (
        form
        for environment in environments
        for name, value in environment.items()
        if _NAME.search(name) and not os.path.exists(value)  # a file with one is named in many messages
        for part in {value, *value.splitlines()}
        for form in _forms(part.strip())
    )
    return {form for form in found if len(form) >= MIN_SECRET and not form.isdecimal()}


def masker(*environments: Mapping[str, str], known: Collection[str] = ()) -> Callable[[str], str]:
    """Return what masks the secrets of environments, and those that are known, in a text."""
    longest_first = sorted({*known, *environment_secrets(*environments)}, key=len, reverse=True)
    return lambda text: mask(text, longest_first)


def _forms(value: str) -> Iterator[str]:
    yield value
    yield json.dumps(value)[1:-1]
    yield quote(value, safe="", errors="replace")
