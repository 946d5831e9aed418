"""Which reports are wanted, and writing them: the options that `run` and `report` share.

An edge: it names files and writes them. Paths are checked before a run, and one report that cannot be
written costs none of the others.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from waitproof.errors import InputError, Mistake
from waitproof.report.badge import badge
from waitproof.report.html import html_page
from waitproof.report.junit import junit_xml
from waitproof.report.markdown import markdown_summary
from waitproof.report.model import Merged

__all__ = ["add_options", "check_paths", "paths", "write_reports"]

_MAKERS: Mapping[str, tuple[str, Callable[[Merged], str]]] = {
    "html": ("one page with the matrix, the timelines and the HTTP exchanges", html_page),
    "markdown": ("a summary for a pull request", markdown_summary),
    "junit": ("JUnit XML for a CI server", junit_xml),
    "badge": ("the JSON of a badge, as shields.io reads it from an endpoint", badge),
}
_NAMES = {
    "--json": "report.json",
    "--results": "results.md",
    "--html": "report.html",
    "--markdown": "summary.md",
    "--junit": "junit.xml",
    "--badge": "badge.json",
}


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add an option for each kind of report to a command."""
    for name, (what, _) in _MAKERS.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write {what} there")


def paths(options: argparse.Namespace) -> dict[str, Path]:
    """Return the wanted files by option, "--html" and so on."""
    given = {f"--{name}": getattr(options, name) for name in _MAKERS}
    return {option: path for option, path in given.items() if path is not None}


def check_paths(wanted: Mapping[str, Path], read: Sequence[Path] = ()) -> None:
    """Find out before a run, rather than after it, that a report cannot be written.

    Args:
        wanted: The files by option.
        read: Files that are read, and must not be overwritten.

    Raises:
        InputError: With every path that is none for a report.
    """
    mistakes = list(_mistakes(wanted, read))
    if mistakes:
        raise InputError(mistakes)


def _mistakes(wanted: Mapping[str, Path], read: Sequence[Path]) -> Iterator[Mistake]:
    taken = {path.resolve(): "a report that is read" for path in read}
    for option, path in wanted.items():
        folder = path.absolute().parent
        if path.is_dir():
            yield Mistake(option, f"{path} is a folder", fix=f"{option} {path / _NAMES[option]}")
        elif not folder.is_dir():
            yield Mistake(option, f"the folder of {path} does not exist", fix="make it")
        elif not os.access(path if path.exists() else folder, os.W_OK):
            yield Mistake(option, f"{path} cannot be written: permission denied")
        elif path.resolve() in taken and not path.is_char_device():
            yield Mistake(option, f"{path} is already {taken[path.resolve()]}", fix="name another file")
        taken[path.resolve()] = f"the file of {option}"


def write_reports(report: Merged, wanted: Mapping[str, Path]) -> list[Mistake]:
    """Write each report that is wanted, and return what could not be written."""
    mistakes = []
    for option, path in wanted.items():
        _, make = _MAKERS[option.removeprefix("--")]
        try:
            path.write_text(make(report), encoding="utf-8")
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            mistakes.append(Mistake(str(path), f"the report cannot be written: {reason}"))
    return mistakes
