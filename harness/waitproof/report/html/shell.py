"""What every page of ours is made of: its templates and styles, and a policy that keeps the network out."""

from __future__ import annotations

import base64
import functools
import hashlib

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

__all__ = ["policy", "source", "template"]


@functools.cache
def _environment(folder: str) -> Environment:
    return Environment(
        loader=PackageLoader("waitproof.report", folder),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def template(name: str, folder: str = "html") -> Template:
    """Return a template in a folder of this room; everything that it shows is escaped."""
    return _environment(folder).get_template(name)


@functools.cache
def source(name: str, folder: str = "html") -> str:
    """Return the text of one of our own files, such as base.css, which all pages share."""
    loader = _environment(folder).loader
    assert loader is not None
    return loader.get_source(_environment(folder), name)[0]


def policy(style: str, script: str = "") -> str:
    """Return a policy under which these two run and nothing is loaded from anywhere."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{hashes[0]}'; script-src 'sha256-{hashes[1]}'; "
        "base-uri 'none'; form-action 'none'"
    )
