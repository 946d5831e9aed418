"""A static site of many runs: what changed when, each SDK's history, each requirement's, and badges.

It needs no server, no script and no network. `reading` finds the reports, `history` and `pages` are pure,
and `writing` alone touches the site's folder.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from waitproof.report.file import load
from waitproof.report.html import html_page
from waitproof.report.merge import merge_reports
from waitproof.report.site.history import suites_of
from waitproof.report.site.pages import page_texts, runs_with_page
from waitproof.report.site.reading import read_runs
from waitproof.report.site.writing import check_folder, write_files
from waitproof.text import plural

__all__ = ["write_site"]


def write_site(paths: Sequence[Path], out: Path) -> tuple[str, list[str]]:
    """Write the site of the reports in files and folders, and return a line about it, and notes for stderr.

    Raises:
        InputError: There is no report, one cannot be read, or the folder isn't ours to write to.
    """
    old = check_folder(out)
    runs, notes = read_runs(paths, out)
    suites = suites_of(runs)
    linked = runs_with_page(suites)
    files: list[tuple[str, Callable[[], str]]] = [
        (path, functools.partial(str, text)) for path, text in page_texts(suites, linked)
    ]
    path_of = {run.id: run.path for run in runs}
    files += [(f"runs/{run_id}.html", functools.partial(_full_page, path_of[run_id])) for run_id in linked]
    count = write_files(out, old, files)
    sdks = sum(len(suite.sdks) for suite in suites)
    size = f"{plural(len(runs), 'run')} of {plural(sdks, 'SDK')}, {plural(count, 'file')}"
    return f"{out / 'index.html'}: {size}", notes


def _full_page(path: Path) -> str:
    return html_page(merge_reports([load(path)], [path.name]))
