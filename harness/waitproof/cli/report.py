"""`waitproof report`: other formats of report.json files."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from waitproof import report
from waitproof.cli.open_page import open_page, page_beside
from waitproof.errors import InputError, Mistake
from waitproof.run import ExitCode
from waitproof.text import escape

__all__ = ["add_options", "execute"]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument(
        "reports",
        nargs="+",
        type=Path,
        metavar="REPORT",
        help="a report.json, written by waitproof run --json; for --site also a folder of them",
    )
    parser.add_argument(
        "--results", type=Path, metavar="FILE", help="write a Markdown page that compares all SDKs to FILE"
    )
    parser.add_argument(
        "--site",
        type=Path,
        metavar="FOLDER",
        help="write a static site to FOLDER: what changed when, a page for each SDK and requirement, badges",
    )
    report.add_options(parser)
    parser.add_argument(
        "--open",
        action="store_true",
        help="open the HTML report in the browser; without --html it is written beside the first REPORT",
    )
    parser.add_argument(
        "--adapter",
        action="append",
        default=[],
        metavar="NAME",
        help="show only this adapter in --html, --markdown, --junit and --badge; repeatable",
    )
    parser.add_argument(
        "--not-run",
        action="append",
        default=[],
        metavar="NAME",
        help="list NAME in --results as an adapter that was not run; repeatable",
    )


def execute(options: argparse.Namespace) -> ExitCode:
    """Write the requested files; without any, print the page of results."""
    if options.open:
        options.html = page_beside(options.reports[0], options.html)
    paths = report.requested_paths(options)
    if options.site is not None:
        return _site(options, bool(paths))
    results = {} if options.results is None else {"--results": options.results}
    report.clear_paths({**results, **paths}, read=options.reports)
    reports = [report.load(path) for path in options.reports]
    merged = report.merge_reports(reports, [str(path) for path in options.reports])
    mistakes: list[Mistake] = []
    if paths:
        for note in merged.notes:
            print(escape(note), file=sys.stderr)
        mistakes += report.write_reports(merged.only(options.adapter), paths)
    if options.results is None and not paths:
        print(report.results_page(reports, options.not_run), end="")
    elif options.results is not None:
        try:
            report.write_file(options.results, report.results_page(reports, options.not_run), "page")
        except InputError as error:
            mistakes += error.mistakes
    if mistakes:
        raise InputError(mistakes)
    if options.open:
        open_page(options.html)
    return ExitCode.KEPT


def _site(options: argparse.Namespace, has_others: bool) -> ExitCode:
    if has_others or options.results is not None or options.adapter or options.not_run:
        fact = "--site takes no other option: it shows every adapter of every report"
        raise InputError(Mistake("--site", fact, fix="make the other reports with a second command"))
    line, notes = report.write_site(options.reports, options.site)
    for note in notes:
        print(escape(note), file=sys.stderr)
    print(escape(line))
    return ExitCode.KEPT
