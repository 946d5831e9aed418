"""Bugs that shipped, refound: an SDK before and after a public fix, which the suite must tell apart.

    python benchmarks/refound.py                        # every pair of refound.yaml
    python benchmarks/refound.py -k java --show         # the pairs whose names match, with their polls
    python benchmarks/refound.py --docs                 # every pair, and write them to docs/found.md

Each pair is an adapter of this repository with another version of its SDK pinned, from a package registry.
One requirement in one scenario must fail before (FAIL or WARN) and pass after; where it is INFO, the recorded
words must differ (`says`). The adapter is copied to a folder beside a link to the kits, and its pin is
changed. Where the SDK's interface was another one at that time, the files of `overlay` take the place of its
own, or `edits` replace texts.

A regression has its later version as `before`: the one that is wrong.

Exits with 0 when every pair is as written, else with 1.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from waitproof.text import plural

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
DATA = HERE / "refound.yaml"
DOCS = ROOT / "docs" / "found.md"
START, END = "<!-- pairs: written by benchmarks/refound.py --docs -->", "<!-- end of pairs -->"
MOST = 100  # characters of what was seen, in the page
WAITPROOF = Path(sys.executable).parent / "waitproof"
# What pins an SDK's version: by file, the text around the version.
PINS = {
    "requirements.txt": r"(?m)^({package}==).*()$",
    "pom.xml": r"(<artifactId>{package}</artifactId>\s*<version>)[^<]*(<)",
    "go.mod": r"(?m)^(\s*(?:require )?\S*{package} v).*()$",
    "package.json": r'("{package}": ")[^"]*(")',
}


@dataclass(frozen=True)
class Side:
    """What one version's run showed of the requirement."""

    status: str
    seen: str
    timeline: str


def main() -> int:
    """Run the pairs, print a line for each, and return the exit code."""
    options = _options()
    pairs = [each for each in yaml.safe_load(DATA.read_text("utf-8")) if options.k in each["name"]]
    if not pairs:
        print(f"no pair of {DATA.name} matches {options.k!r}")
        return 2
    folder = options.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    kits = folder / "kits"
    if not kits.exists():
        kits.symlink_to(ROOT / "adapters" / "kits")
    wrong = 0
    entries = []
    for pair in pairs:
        before, after = (_run(pair, side, folder) for side in ("before", "after"))
        is_right = _is_as_written(pair, before, after)
        wrong += not is_right
        entries.append(_entry(pair, before, after))
        print(f"{'ok   ' if is_right else 'WRONG'} {pair['name']}: {pair['shows']}")
        for version, side in ((pair["before"], before), (pair["after"], after)):
            print(f"      {version:<8} {side.status:<5} {side.seen}")
            if options.show or not is_right:
                print(f"               {side.timeline}")
    if options.docs:
        _write(entries)
    count = plural(len(pairs), "pair")
    print(f"{count}, {wrong} not as written" if wrong else f"{count}, all as written")
    return 1 if wrong else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-k", default="", metavar="TEXT", help="only pairs whose names contain TEXT")
    parser.add_argument("--show", action="store_true", help="print the polls of both versions")
    parser.add_argument("--docs", action="store_true", help=f"write the pairs to {DOCS.relative_to(ROOT)}")
    parser.add_argument(
        "--folder",
        type=Path,
        default=ROOT / "build" / "refound",
        help="where the adapters are prepared (default: build/refound)",
    )
    return parser.parse_args()


def _entry(pair: dict[str, Any], before: Side, after: Side) -> str:
    """Return a pair in five lines of Markdown."""
    name, shows = pair["package"], pair["shows"]
    is_regression = pair.get("regression", False)
    title, source = (
        ("which {after} had right", "The source") if is_regression else ("fixed in {after}", "The fix")
    )
    lines = [
        f"### {name} {pair['before']}, {title.format(after=pair['after'])}",
        f"{' '.join(pair['story'].split())} [{source}]({pair['link']}). Found by `{shows}`.",
        "```text",
        *(
            f"{pair[side]:<8} {seen.status:<5} {_line(seen)}"
            for side, seen in (("before", before), ("after", after))
        ),
        "```",
    ]
    return "\n".join([lines[0], "", lines[1], "", *lines[2:]])


def _line(side: Side) -> str:
    timeline = side.timeline.replace("   (seconds since the first arrival)", "")
    seen = side.seen if len(side.seen) <= MOST else side.seen[: MOST - 1] + "…"
    return f"{timeline} | {seen}"


def _write(entries: list[str]) -> None:
    """Replace what is between the two marks of the page."""
    page = DOCS.read_text("utf-8")
    start, end = page.index(START) + len(START), page.index(END)
    DOCS.write_text(page[:start] + "\n\n" + "\n\n".join(entries) + "\n\n" + page[end:], "utf-8")


def _is_as_written(pair: dict[str, Any], before: Side, after: Side) -> bool:
    """Whether the two sides show the bug, and that it is gone; an INFO shows it by its first words."""
    if "says" in pair:
        old, new = pair["says"]
        return before.seen.startswith(old) and after.seen.startswith(new)
    return before.status == pair["was"] and after.status == "PASS"


def _run(pair: dict[str, Any], side: str, folder: Path) -> Side:
    adapter = _prepared(pair, side, folder)
    report = adapter / "report.json"
    report.unlink(missing_ok=True)
    suite = str(ROOT / "scenarios" / pair["suite"])
    command = [WAITPROOF, "run", adapter, "--suite", suite, "-k", pair["shows"], "--json", report]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    if not report.exists():
        return Side("ERROR", (done.stderr or done.stdout).strip(), "")
    scenario, _, requirement = pair["shows"].rpartition(":")
    seen = json.loads(report.read_text("utf-8"))["adapters"][0]
    for verdict in seen["verdicts"]:
        if (verdict["scenario"], verdict["requirement"]) == (scenario, requirement):
            return Side(verdict["status"], verdict["seen"], verdict["timeline"])
    return Side("ERROR", seen["error"] or f"no verdict about {pair['shows']}", "")


def _prepared(pair: dict[str, Any], side: str, folder: Path) -> Path:
    """Return a copy of the pair's adapter with that side's version pinned; `waitproof run` prepares it."""
    version, overlay = str(pair[side]), pair.get("overlay", {}).get(side)
    target = folder / f"{pair['adapter']}-{pair['package']}-{version}"
    target.mkdir(exist_ok=True)
    sources = [ROOT / "adapters" / pair["adapter"]]
    if overlay:
        sources.append(HERE / "refound" / overlay)
    for source in sources:
        for name in _files(source):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
    for gone in (
        "package-lock.json",
        "go.sum",
        "deviations.yaml",
    ):  # they belong to the version that was pinned
        (target / gone).unlink(missing_ok=True)
    for name, pattern in PINS.items():
        if (target / name).exists():
            text = (target / name).read_text("utf-8")
            replaced, count = re.subn(
                pattern.format(package=re.escape(pair["package"])), rf"\g<1>{version}\g<2>", text
            )
            if count != 1:
                raise SystemExit(f"{target / name}: {pair['package']} is pinned {count} times")
            (target / name).write_text(replaced, "utf-8")
    for edit in pair.get("edits", {}).get(side, ()):
        path = target / edit["file"]
        text = path.read_text("utf-8")
        if edit["old"] not in text:
            raise SystemExit(f"{path}: there is no {edit['old']!r} to replace")
        path.write_text(text.replace(edit["old"], edit["new"]), "utf-8")
    manifest = target / "adapter.yaml"
    text = manifest.read_text("utf-8").replace("[npm, ci,", "[npm, install,")
    text = text.replace("package.json, package-lock.json", "package.json").replace("go.mod, go.sum", "go.mod")
    text = text.replace("[go, build,", "[go, build, -mod=mod,").replace("baseline:", "# baseline:")
    manifest.write_text(text, "utf-8")
    return target


def _files(folder: Path) -> list[str]:
    """Return the files of a folder that git knows or would add."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
