"""`waitproof report --open`: where the page goes, and the browser that opens it.

The one fact to know: a browser in a sandbox reads no file in /tmp, so that the page is beside the report.
"""

from __future__ import annotations

import webbrowser
from pathlib import Path

from waitproof.cli.console import say
from waitproof.errors import InputError, Mistake
from waitproof.report import is_stream

__all__ = ["open_page", "page_beside"]

MARK = 'name="generator" content="waitproof '  # in the head of every page of ours
HEAD_CHARS = 4000


def page_beside(report: Path, named: Path | None) -> Path:
    """Return the file of the page to open.

    Args:
        report: The first report that is read.
        named: What `--html` names; by default the page is beside the report, with the same name.

    Raises:
        InputError: It isn't a file that can be opened, or is a file of somebody else's.
    """
    path = report.with_suffix(".html") if named is None else named
    if is_stream(path) or (named is None and is_stream(report)):
        what = report if named is None else named
        fact = f"{what} is a stream, so there is no file to open"
        raise InputError(Mistake("--open", fact, fix="name a file: --html report.html"))
    if named is None and path.is_file() and not _is_ours(path):
        fact = f"{path} exists, and isn't a page of waitproof's"
        raise InputError(Mistake("--open", fact, fix="name another file with --html"))
    return path


def _is_ours(path: Path) -> bool:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return MARK in file.read(HEAD_CHARS)
    except OSError:
        return False


def open_page(path: Path) -> None:
    """Open a page in the browser and print its path; where there is no browser, print that."""
    say(f"report: {path}")
    if not webbrowser.open(path.absolute().as_uri()):
        say("There is no browser here: open that file in one.")
