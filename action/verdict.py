"""Prints the verdict of a report.json as one line: `python verdict.py REPORT EXIT_CODE`."""

import sys
from pathlib import Path

from waitproof.errors import InputError
from waitproof.report import load, merge_reports, outcome
from waitproof.run import sentence

MEANINGS = {
    "0": "every MUST passed, or is excused",
    "1": "a requirement failed, or a baseline is stale",
    "2": "wrong use",
    "3": "something is inconclusive, in error or not verified",
    "4": "an internal error of waitproof",
    "130": "interrupted",
}


def main(report: str, code: str) -> str:
    """Return the line; where there is no report, the exit code alone speaks."""
    meaning = MEANINGS.get(code, f"exit code {code}")
    try:
        merged = merge_reports([load(Path(report))], [report])
    except InputError:
        return f"{meaning}: see the log"
    if code == str(int(merged.exit_code)):  # else something came after the run, as a report that is not there
        meaning = outcome(merged)
    counts = "; ".join(f"{adapter.name}: {sentence(adapter.entry.verdicts)}" for adapter in merged.adapters)
    return " ".join(f"{meaning} ({counts})".split())


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2]))
