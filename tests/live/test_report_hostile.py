"""One real run of an adapter that puts harm into every string it may, and all that is made of it."""

from __future__ import annotations

import json
import unicodedata
import xml.etree.ElementTree as ET
import xml.sax
from dataclasses import dataclass
from pathlib import Path

import pytest
from fakes import LIMIT_S, MINI, Mark, running
from made_reports import merged, result, stale
from markdown_it import MarkdownIt
from playwright.sync_api import Browser, Dialog, Page, expect
from waitproof.cli import main
from waitproof.report.github import workflow_commands
from waitproof.report.html import html_page
from waitproof.report.junit import junit_xml
from waitproof.report.markdown import markdown_summary

MAX_PAGE_BYTES = 2_000_000  # of what tells of six scenarios, whatever an adapter says
MAX_REPORT_BYTES = 2_000_000
MAX_TEXT_BYTES = 200_000


@dataclass(frozen=True)
class Ran:
    """What a run left behind."""

    folder: Path
    code: int
    out: str
    err: str

    def file(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    folder = tmp_path_factory.mktemp("hostile")
    mark = Mark()
    adapter = mark.folder(folder, "says_anything")
    files = {"json": "r.json", "html": "r.html", "markdown": "r.md", "junit": "r.xml", "badge": "b.json"}
    argv = [word for option, name in files.items() for word in (f"--{option}", str(folder / name))]
    command = ["run", str(adapter), "--suite", str(MINI), *argv]
    summary = str(folder / "summary.md")
    with running(*command, GITHUB_ACTIONS="true", GITHUB_STEP_SUMMARY=summary) as process:
        out, err = process.communicate(timeout=3 * LIMIT_S)
    mark.assert_gone()
    return Ran(folder, process.returncode, out, err)


def harmful(text: str) -> set[str]:
    """Return the characters of a text that a terminal or an encoding acts on."""
    return {
        character
        for character in text
        if character != "\n" and unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn"}
    }


def test_the_run_has_its_verdicts_and_nothing_broke(ran: Ran) -> None:
    assert ran.err == ""
    assert ran.code == 1
    report = json.loads(ran.file("r.json"))
    assert report["exit_code"] == 1
    assert {verdict["status"] for verdict in report["adapters"][0]["verdicts"]} >= {"FAIL", "ERROR"}
    assert (ran.folder / "r.json").stat().st_size < MAX_REPORT_BYTES


def test_the_terminal_gets_no_control_byte_and_actions_no_forged_command(ran: Ran) -> None:
    assert harmful(ran.out) == set()
    assert len(ran.out.encode()) < MAX_TEXT_BYTES
    lines = ran.out.splitlines()
    begin = next(n for n, line in enumerate(lines) if line.startswith("::stop-commands::"))
    end = lines.index(f"::{lines[begin].removeprefix('::stop-commands::')}::")
    commands = [n for n, line in enumerate(lines) if line.lstrip().startswith(("::", "##["))]
    assert all(begin <= n <= end or lines[n].startswith(("::error ", "::warning ")) for n in commands)
    assert [line for line in lines[:begin] + lines[end:] if line.lstrip().startswith("::error::")] == []


def test_markdown_has_no_control_byte_and_no_tag_or_link_of_the_adapters(ran: Ran) -> None:
    for text in (ran.file("r.md"), ran.file("summary.md")):
        assert harmful(text) == set()
        assert len(text.encode()) < MAX_TEXT_BYTES
        page = MarkdownIt("commonmark").enable("table").render(text)
        assert "<script" not in page
        assert "<img" not in page
        assert "<a " not in page
        assert "@you" not in page
        assert page.count("<table>") == 2


def test_xml_is_whole_for_two_parsers(ran: Ran) -> None:
    text = ran.file("r.xml")

    xml.sax.parseString(text.encode(), xml.sax.ContentHandler())
    root = ET.fromstring(text)

    assert harmful("".join(root.itertext())) == set()
    assert int(root.attrib["tests"]) == len(list(root.iter("testcase"))) > 5


def test_a_page_made_afterwards_from_the_report_is_the_page_of_the_run(ran: Ran) -> None:
    again = ran.folder / "again.html"

    assert main(["report", str(ran.folder / "r.json"), "--html", str(again)]) == 0

    assert again.read_text(encoding="utf-8") == ran.file("r.html")


def test_a_badge_is_short_json(ran: Ran) -> None:
    badge = json.loads(ran.file("b.json"))

    assert badge["label"] == "waitproof says_anything"
    assert badge["color"] == "red"


def test_the_page_runs_no_script_of_the_adapters_and_keeps_its_layout(ran: Ran, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    said: list[str] = []
    asked: list[str] = []

    def on_dialog(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", on_dialog)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    file = ran.folder / "r.html"

    assert file.stat().st_size < MAX_PAGE_BYTES
    assert harmful(ran.file("r.html")) == set()
    page.goto(file.as_uri())
    for link in page.locator("a.cell").all():
        link.click()
        for summary in page.locator("dialog summary").all():
            if not summary.evaluate("summary => summary.parentElement.open"):
                summary.click()
        expect(page.locator("dialog")).to_be_visible()
        assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 1280
        page.keyboard.press("Escape")

    assert page.title() == "waitproof: mini"
    assert page.locator("img, iframe, object, embed").count() == 0
    assert page.locator("script").count() == 2
    assert page.evaluate("document.documentElement.scrollWidth") == 1280
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.close()
    assert said == []
    assert asked == [file.as_uri()]


# --- a baseline, which is a file of somebody's too ----------------------------------------------------

TAGS = "</script><script>document.title='x'</script><img src=x onerror=alert(1)>"
HARM = f"{TAGS} a|b @you \n::error::x \x1b]0;x\x07\u202e]]>"


def test_a_deviations_text_stays_text_in_every_report(page: Page, tmp_path: Path) -> None:
    known = stale(HARM, fact=HARM, fix=HARM, place=f"{HARM}/d.yaml:3:5")
    report = merged(result(baseline=HARM, stale=(known,) * 2), exit_code=1)

    markdown, xml_text, html = markdown_summary(report), junit_xml(report), html_page(report)
    commands = workflow_commands(report)

    for text in (markdown, xml_text, html, *commands):
        assert harmful(text) == set()
    rendered = MarkdownIt("commonmark").enable("table").render(markdown)
    assert rendered.count("<td>") == 3 + 2 * 4
    assert not [mark for mark in ("<script", "<img", "@you") if mark in rendered]
    xml.sax.parseString(xml_text.encode(), xml.sax.ContentHandler())
    cases = ET.fromstring(xml_text).iter("testcase")
    assert [case.get("name", "").partition(" a|b")[0] for case in cases] == [TAGS] * 2
    assert len(commands) == 2
    assert all(line.startswith("::error file=") and len(line.splitlines()) == 1 for line in commands)
    assert all(line.split("::", 2)[2].startswith(TAGS) for line in commands)

    file = tmp_path / "r.html"
    file.write_text(html, encoding="utf-8")
    page.goto(file.as_uri())
    assert page.title() == "waitproof: mini"
    assert page.locator("img").count() == 0
    assert page.locator("script").count() == 2
    expect(page.locator(".card li").first).to_contain_text("<img src=x onerror=alert(1)> a|b @you")
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
