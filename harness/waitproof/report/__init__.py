"""report.json, and the reports that are made from it.

The names below are those that other rooms may import; each is imported when it is first used, so that a
command that compares two runs needs no HTML template.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from waitproof.lazy import lazy

if TYPE_CHECKING:
    from waitproof.report.deaths import sentences_about
    from waitproof.report.diff import compare, markdown_lines, plain_lines
    from waitproof.report.file import load, report_schema, shown, write
    from waitproof.report.from_run import report_of
    from waitproof.report.github import commands_off, publish
    from waitproof.report.markdown import results_page
    from waitproof.report.merge import Merged, merge_reports, names_in_a_sentence, outcome
    from waitproof.report.model import AdapterEntry, Report, RequirementEntry
    from waitproof.report.outputs import add_options, clear_paths, requested_paths, write_reports
    from waitproof.report.progress import BarListener, LineListener
    from waitproof.report.site import write_site
    from waitproof.report.text import explain_verdict, print_report
    from waitproof.report.writing import is_stream, write_file
else:
    __getattr__ = lazy(
        __name__,
        {
            "deaths": "sentences_about",
            "diff": "compare markdown_lines plain_lines",
            "file": "load report_schema shown write",
            "from_run": "report_of",
            "github": "commands_off publish",
            "markdown": "results_page",
            "merge": "Merged merge_reports names_in_a_sentence outcome",
            "model": "AdapterEntry Report RequirementEntry",
            "outputs": "add_options clear_paths requested_paths write_reports",
            "progress": "BarListener LineListener",
            "site": "write_site",
            "text": "explain_verdict print_report",
            "writing": "is_stream write_file",
        },
    )

__all__ = [
    "AdapterEntry",
    "BarListener",
    "LineListener",
    "Merged",
    "Report",
    "RequirementEntry",
    "add_options",
    "clear_paths",
    "commands_off",
    "compare",
    "explain_verdict",
    "is_stream",
    "load",
    "markdown_lines",
    "merge_reports",
    "names_in_a_sentence",
    "outcome",
    "plain_lines",
    "print_report",
    "publish",
    "report_of",
    "report_schema",
    "requested_paths",
    "results_page",
    "sentences_about",
    "shown",
    "write",
    "write_file",
    "write_reports",
    "write_site",
]
