"""Writes the action's outputs and the job's summary, in a step that begins after the last adapter has ended.

Each value is between delimiters that nobody can guess, so that no text in it ends it or begins another one.
"""

import os
import secrets
from pathlib import Path

from waitproof.errors import InputError
from waitproof.report import load, merge_reports, outcome
from waitproof.run import sentence
from waitproof.text import on_one_line

MEANINGS = {
    "0": "every MUST passed, or is excused",
    "1": "a requirement failed, or a baseline is stale",
    "2": "wrong use",
    "3": "something is inconclusive, in error or not verified",
    "4": "an internal error of waitproof",
    "130": "interrupted",
}


def verdict(report: str, code: str) -> str:
    """Return the verdict of a report.json as one line; the exit code's meaning where there is no report."""
    meaning = MEANINGS.get(code, f"exit code {code}")
    try:
        merged = merge_reports([load(Path(report))], [report])
    except InputError:
        return f"{meaning}: see the log"
    if code == str(int(merged.exit_code)):  # else something came after the run, as a report that is not there
        meaning = outcome(merged)
    counts = "; ".join(f"{adapter.name}: {sentence(adapter.entry.verdicts)}" for adapter in merged.adapters)
    line = on_one_line(f"{meaning} ({counts})")
    return line.replace("##[", "## [")  # a name in a log must not become a command of the runner


def assignment(name: str, value: str) -> str:
    """Return the lines that give an output its value, as GITHUB_OUTPUT takes them."""
    delimiter = f"waitproof-{secrets.token_hex(16)}"
    return f"{name}<<{delimiter}\n{value}\n{delimiter}\n"


def main() -> None:
    """Write the outputs and the summary where the environment names files for them."""
    code, folder = os.environ["WAITPROOF_EXIT_CODE"], os.environ["WAITPROOF_REPORT"].strip()
    names = dict(each.split("=") for each in os.environ["WAITPROOF_FILES"].split())
    files = {form: f"{folder}/{name}" for form, name in names.items()}
    written = {form: file for form, file in files.items() if Path(file).is_file()}
    line = verdict(files["json"], code)
    values = {"exit-code": code, "verdict": line, "report": folder, **written}
    with Path(os.environ["GITHUB_OUTPUT"]).open("a", encoding="utf-8") as output:
        output.writelines(assignment(*each) for each in values.items())
    summary = f"**waitproof**: {line}\n"
    if "markdown" in written:
        summary = Path(written["markdown"]).read_text(encoding="utf-8")
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as file:
        file.write(summary)


if __name__ == "__main__":
    main()
