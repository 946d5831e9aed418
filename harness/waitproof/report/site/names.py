"""Names of the site's files: stable, in lower case, and different for different names. Pure."""

from __future__ import annotations

import hashlib
import re

__all__ = ["slug"]

MAX_SLUG = 60  # characters, so that a path is short enough for any file system
_PLAIN = re.compile(r"[a-z0-9][a-z0-9_-]*")
_HASHED = re.compile(r"-[0-9a-f]{8}")  # how a name ends that was changed
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)")  # devices on Windows


def slug(name: str) -> str:
    """Return a name as the name of a file, without an ending.

    A plain name stays as it is. Any other gets a hash: no two names share a file, and a name's file doesn't
    depend on which other names there are.
    """
    is_plain = _PLAIN.fullmatch(name) and len(name) <= MAX_SLUG
    if is_plain and not _HASHED.fullmatch(name[-9:]) and not _RESERVED.fullmatch(name):
        return name
    words = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-")[:MAX_SLUG].strip("-")
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{words or 'x'}-{digest}"
