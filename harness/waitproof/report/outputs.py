"""The options that `run` and `report` share, and writing the reports that they request.

An edge: it names files and writes them. Paths are checked before a run, and a report that cannot be
written doesn't prevent the others.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from waitproof.errors import InputError, Mistake
from waitproof.report.badge import badge
from waitproof.report.file import write_file
from waitproof.report.html import html_page
from waitproof.report.junit import junit_xml
from waitproof.report.markdown import markdown_summary
from waitproof.report.merge import Merged

__all__ = ["add_options", "check_paths", "requested_paths", "write_reports"]

_MAKERS: Mapping[str, tuple[str, Callable[[Merged], str]]] = {
    "html": ("an HTML report", html_page),
    "markdown": ("a Markdown summary for a pull request", markdown_summary),
    "junit": ("JUnit XML for a CI server", junit_xml),
    "badge": ("the JSON of a badge for a shields.io endpoint", badge),
}
_NAMES = {
    "--json": "report.json",
    "--results": "results.md",
    "--html": "report.html",
    "--markdown": "summary.md",
    "--junit": "junit.xml",
    "--badge": "badge.json",
}


def add_options(parser: argparse._ActionsContainer) -> None:
    """Add an option for each kind of report to a command, or to a group of its options."""
    for name, (what, _) in _MAKERS.items():
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=f"write {what} to FILE")


def requested_paths(options: argparse.Namespace) -> dict[str, Path]:
    """Return the requested files by option, "--html" and so on."""
    requested = {f"--{name}": getattr(options, name) for name in _MAKERS}
    return {option: path for option, path in requested.items() if path is not None}


def check_paths(requested: Mapping[str, Path], read: Sequence[Path] = ()) -> None:
    """Check before a run, rather than after it, that each report can be written.

    Args:
        requested: The files by option.
        read: Files that are read, and must not be overwritten.

    Raises:
        InputError: With every path that can't be used for a report.
    """
    mistakes: list[Mistake] = []
    taken = {path.resolve(): "one of the reports to read" for path in read}
    for option, path in requested.items():
        folder = path.absolute().parent
        if path.is_dir():
            mistakes.append(Mistake(option, f"{path} is a folder", fix=f"{option} {path / _NAMES[option]}"))
        elif not folder.is_dir():
            fix = shlex.join(["mkdir", "-p", str(folder)])
            mistakes.append(Mistake(option, f"the folder of {path} does not exist", fix=fix))
        elif not os.access(path if path.exists() else folder, os.W_OK):
            mistakes.append(Mistake(option, f"{path} cannot be written: permission denied"))
        elif path.resolve() in taken and not path.is_char_device():
            fact = f"{path} is already {taken[path.resolve()]}"
            mistakes.append(Mistake(option, fact, fix="name another file"))
        taken[path.resolve()] = f"the file of {option}"
    if mistakes:
        raise InputError(mistakes)


def write_reports(report: Merged, requested: Mapping[str, Path]) -> list[Mistake]:
    """Write each requested report, and return a mistake for each that could not be written."""
    mistakes: list[Mistake] = []
    for option, path in requested.items():
        _, make = _MAKERS[option.removeprefix("--")]
        try:
            write_file(path, make(report))
        except InputError as error:
            mistakes += error.mistakes
    return mistakes
