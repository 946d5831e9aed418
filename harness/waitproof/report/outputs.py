"""The options that `run` and `report` share, and writing the reports that they request.

An edge: it names files and writes them. Paths are checked before a run, and what an earlier run has left
there is removed; a report that cannot be written doesn't prevent the others.
"""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from waitproof.errors import InputError, Mistake, why
from waitproof.report.badge import badge
from waitproof.report.file import write
from waitproof.report.html import html_page
from waitproof.report.junit import junit_xml
from waitproof.report.markdown import markdown_summary
from waitproof.report.merge import Merged
from waitproof.report.model import Report
from waitproof.report.writing import is_stream, remove_file, target_of, write_file

__all__ = ["add_options", "clear_paths", "requested_paths", "write_reports"]

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


def clear_paths(requested: Mapping[str, Path], read: Sequence[Path] = ()) -> None:
    """Remove the reports of an earlier run, so that none looks like this one's, however this one ends.

    Every path is also checked, rather than after the run.

    Args:
        requested: The files by option.
        read: Files that are read, and must not be overwritten.

    Raises:
        InputError: With every path that can't be used for a report; nothing is removed there.
    """
    mistakes: list[Mistake] = []
    taken = {os.path.realpath(path): "one of the reports to read" for path in read}
    for option, path in requested.items():
        try:
            mistake = _mistake(option, path, taken)
            if mistake is None:
                remove_file(path)
        except OSError as error:
            mistake = Mistake(option, f"{path} cannot be written: {why(error)}")
        mistakes += [] if mistake is None else [mistake]
        taken[os.path.realpath(path)] = f"the file of {option}"
    if mistakes:
        raise InputError(mistakes)


def _mistake(option: str, path: Path, taken: Mapping[str, str]) -> Mistake | None:
    if is_stream(path):
        return None
    folder = target_of(path).parent
    if path.is_dir():
        return Mistake(option, f"{path} is a folder", fix=f"{option} {path / _NAMES[option]}")
    if not folder.is_dir():
        fix = shlex.join(["mkdir", "-p", str(folder)])
        return Mistake(option, f"the folder of {path} does not exist", fix=fix)
    if not os.access(path if path.exists() else folder, os.W_OK):
        return Mistake(option, f"{path} cannot be written: permission denied")
    if (owner := taken.get(os.path.realpath(path))) is not None:
        return Mistake(option, f"{path} is already {owner}", fix="name another file")
    return None


def write_reports(report: Merged, requested: Mapping[str, Path], raw: Report | None = None) -> list[Mistake]:
    """Write each requested report, and return a mistake for each that could not be written.

    Args:
        report: What they are made from.
        requested: The files by option; streams, whose readers may let us wait, come last.
        raw: What report.json is made from, where `--json` is among the options.
    """
    mistakes: list[Mistake] = []
    for option, path in sorted(requested.items(), key=lambda item: is_stream(item[1])):
        try:
            if raw is not None and option == "--json":
                write(raw, path)
            else:
                _, make = _MAKERS[option.removeprefix("--")]
                write_file(path, make(report))
        except InputError as error:
            mistakes += error.mistakes
    return mistakes
