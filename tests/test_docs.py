"""What the README and the docs show is run: code, scenarios, commands and tables."""

import html
import re
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from observations import Play, observe, raised, scenario
from waitproof.adapter.folder import AdapterFile, NeedEntry, parse_adapter
from waitproof.cli import main
from waitproof.defects import library
from waitproof.judge import Status, judge
from waitproof.run import parse_baseline
from waitproof.suite.contract import Contract
from waitproof.suite.crosscheck import parse_scenario
from waitproof.suite.document import Document
from waitproof.suite.files import bundled_suite, load_contract, load_suite
from waitproof.suite.model import Model, build

ROOT = Path(__file__).parent.parent
PAGES = [
    ROOT / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted(ROOT.glob("adapters/**/README.md")),
]
PAGES = [page for page in PAGES if not {"node_modules", ".venv", "vendor", "target"} & set(page.parts)]


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return ["".join(line[len(indent) :] for line in body.splitlines(keepends=True)) for indent, body in found]


def test_the_readmes_python_runs_and_prints_what_it_says() -> None:
    (code,) = blocks(ROOT / "README.md", "python")

    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=True
    )

    assert ended.stdout.splitlines() == ["pending", "running", "completed", "3 polls"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_scenario_shown_is_one(page: Path) -> None:
    contract = load_contract(bundled_suite() / "contract.yaml")
    own = [text for text in blocks(page, "yaml") if "\nendpoint:" in text]
    if own:
        contract = build(Contract, Document(own[0], page.name))

    for text in blocks(page, "yaml"):
        if "calls:" in text:
            parse_scenario(Document(text, page.name), "shown/here", contract)


def test_the_suite_that_a_page_writes_has_nothing_to_fix(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = ROOT / "docs" / "how-to" / "suite-for-your-api.md"
    for text in blocks(page, "yaml"):
        file = tmp_path / text.splitlines()[0].removeprefix("# ")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)

    assert main(["lint", str(tmp_path)]) == 0

    (count,) = re.findall(r"^reports: (4 .*)$", page.read_text(), re.MULTILINE)
    assert capsys.readouterr().out == f"{tmp_path}: {count}\n"


@pytest.mark.parametrize(("name", "status"), [("Expired", Status.PASS), ("Broken", Status.FAIL)])
def test_the_exceptions_of_two_statuses_are_told_apart_as_a_page_shows(name: str, status: Status) -> None:
    page = ROOT / "docs" / "how-to" / "suite-for-your-api.md"
    (text, *_), (change,), (code,) = (blocks(page, language) for language in ("yaml", "diff", "python"))
    for before, after in re.findall(r"((?:^[- ].*\n)+)((?:^\+.*\n)+)", change, re.MULTILINE):
        old, new = (re.sub(r"^.", "", lines, flags=re.MULTILINE) for lines in (before, after))
        text = text.replace(old, new if before.startswith("-") else old + new)
    suite = build(Contract, Document(text, page.name))
    adapter: dict[str, Any] = {}
    exec(code, adapter)
    error = type(f"Report{name}Error", (Exception,), {"reason": "too few rows"})()
    described = adapter["describe"](None, error)
    played = scenario(
        {"status": "expired"}, expect={"raises": {"kind": "task"}}, proves=["each-has-its-exception"]
    )

    (verdict,) = judge(
        suite, played, [observe(played, Play(raised(**described["fields"]), [0.0]), task_id=7)]
    )

    assert verdict.status is status


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))

    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]

    assert missing == []


def test_the_readmes_pictures_are_small_load_nothing_and_show_a_defect() -> None:
    pictures = ROOT / "docs" / "pictures"
    terminal = (pictures / "terminal.svg").read_text(encoding="utf-8")
    shown = html.unescape(re.sub(r"<[^>]+>", "", terminal)).replace("\xa0", " ")

    count = len(load_suite(bundled_suite()).scenarios)

    assert len(terminal.encode()) < 60_000
    assert (pictures / "report.png").stat().st_size < 150_000
    assert not re.findall(r"url\((?!#)|<(?:image|script|link)|@import|@font-face", terminal)
    for text in ("$ waitproof run my-sdk", "  look at:", "  again:", f"of {count} scenarios"):
        assert text in shown


def anchors(page: Path) -> set[str]:
    """Return what a link may name in a page, as GitHub and the site make it of headings."""
    text = re.sub(r"^ *```.*?^ *```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    heads = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).strip().replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*\.md)?#([^)]+)\)", page.read_text(encoding="utf-8"))

    missing = [
        (file, head) for file, head in links if head not in anchors(page.parent / file if file else page)
    ]

    assert missing == []


def test_every_command_of_ours_in_the_docs_is_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    known = set(re.findall(r"^    ([a-z]+) ", capsys.readouterr().out, re.MULTILINE))

    for page in PAGES:
        used = set(re.findall(r"`(?:\.venv/bin/)?waitproof ([a-z]+)", page.read_text(encoding="utf-8")))
        assert used <= known, page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_baseline_shown_is_one(page: Path) -> None:
    for text in blocks(page, "yaml"):
        if "deviation:" in text:
            head = "" if text.startswith("format:") else "format: 1\ndeviations:\n"
            assert parse_baseline(head + text, page.name, date(2026, 11, 24)).entries


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_adapter_shown_is_one(page: Path) -> None:
    for text in blocks(page, "yaml"):
        if "\ncommand:" in text:
            assert parse_adapter(text, "adapter.yaml").command


@pytest.mark.parametrize(("head", "model"), [("# adapter.yaml", AdapterFile), ("## Needs", NeedEntry)])
def test_the_page_of_adapter_yaml_lists_every_key(head: str, model: type[Model]) -> None:
    page = (ROOT / "docs" / "reference" / "adapter-yaml.md").read_text(encoding="utf-8")
    _, _, text = page.partition(f"{head}\n")
    table = text[text.index("| key |") :].partition("\n\n")[0]

    rows = re.findall(r"^\| `(\w+)` \| (yes|no) \|", table, re.MULTILINE)

    assert rows == [(key, "yes" if each.is_required() else "no") for key, each in model.model_fields.items()]


def test_the_page_of_the_python_api_lists_every_fixture_and_option_of_pytest() -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    plugin = (ROOT / "harness" / "waitproof" / "pytest_plugin" / "__init__.py").read_text(encoding="utf-8")

    fixtures = re.findall(r"^ *@pytest\.fixture.*\n *def (\w+)", plugin, re.MULTILINE)
    options = re.findall(r"""addini\(\s*"(\w+)"|"(--[a-z-]+)\"""", plugin)

    assert fixtures
    assert options
    assert [name for name in [*fixtures, *map("".join, options)] if f"`{name}" not in page] == []


def test_every_defect_and_scenario_named_in_the_log_of_reports_is_one() -> None:
    suite = load_suite(bundled_suite())
    known = library(suite.contract)
    names = {*known.defects, *(name.removeprefix("equivalent.") for name in known.equivalents)}
    names |= {each.id for each in suite.scenarios} | {each.id for each in suite.contract.requirements}
    text = (ROOT / "docs" / "explanation" / "bugs-that-shipped.md").read_text(encoding="utf-8")

    named = set(re.findall(r"`([a-z0-9_]+[./-][a-z0-9./-]+)`", text))

    assert sorted(each for each in named - names if not (ROOT / each).exists()) == []


def test_every_page_is_in_the_navigation_of_the_site_once() -> None:
    def pages(entry: object) -> list[str]:
        if isinstance(entry, dict):
            return [page for each in entry.values() for page in pages(each)]
        return [page for each in entry for page in pages(each)] if isinstance(entry, list) else [str(entry)]

    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    docs = ROOT / "docs"

    # index.md is the README: see packaging/docs_site.py
    assert sorted(pages(config["nav"])) == sorted(
        ["index.md", *(page.relative_to(docs).as_posix() for page in docs.rglob("*.md"))]
    )


def test_the_site_asks_no_other_host_for_anything() -> None:
    config = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))

    assert config["theme"]["font"] is False
    assert config["plugins"] == ["search"]
    assert not {"repo_url", "extra", "extra_css", "extra_javascript"} & set(config)
    diagrams = [page for page in PAGES if "```mermaid" in page.read_text(encoding="utf-8")]
    assert diagrams == []  # the theme would load what draws them
