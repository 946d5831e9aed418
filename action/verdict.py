"""Prints the verdict of a report.json as one line: `python verdict.py REPORT EXIT_CODE`."""

import sys
from pathlib import Path

from harness.errors import InputError
from harness.report.model import load
from harness.report.text import plain
from harness.summary import sentence

MEANINGS = {
    "0": "every MUST is kept, or excused",
    "1": "not everything is kept, or a baseline is stale",
    "2": "wrong use",
    "3": "something is inconclusive, in error, or proved nowhere",
    "130": "interrupted",
}


def main(report: str, code: str) -> str:
    """Return the line; where there is no report, the exit code alone speaks."""
    meaning = MEANINGS.get(code, f"exit code {code}")
    try:
        adapters = load(Path(report)).adapters
    except InputError:
        return f"{meaning}: see the log"
    counts = "; ".join(f"{adapter.name}: {sentence(adapter.judged)}" for adapter in adapters)
    return " ".join(plain(f"{meaning} ({counts})").split())


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2]))
