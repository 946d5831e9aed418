"""Whatever an adapter says in whatever field, it stays text in every format that a report is made in.

Each field that an adapter can fill is filled with text made up by hypothesis, and what is made of the report
is read as its readers read it: the structure must be that of a report whose fields hold plain words.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import json
import re
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from made_reports import HELLO, SUITE, result, verdict, whole_run, written
from markdown_it import MarkdownIt
from rich.console import Console
from waitproof.journal import JournalEntry
from waitproof.judge import Status
from waitproof.judge.observation import CallRecord, Observation, Poll, TaskRecord
from waitproof.lines import Digest
from waitproof.protocol import Raised
from waitproof.protocol.values import ExceptionKind
from waitproof.report.badge import badge
from waitproof.report.diff import compare, markdown_lines, plain_lines
from waitproof.report.file import parse
from waitproof.report.github import workflow_commands
from waitproof.report.html import html_page
from waitproof.report.junit import junit_xml
from waitproof.report.markdown import markdown_summary, results_page
from waitproof.report.merge import Merged, merge_reports
from waitproof.report.model import Report
from waitproof.report.progress import LineListener
from waitproof.report.site.history import suites_of
from waitproof.report.site.pages import page_texts
from waitproof.report.site.reading import SiteRun
from waitproof.report.text import print_report
from waitproof.run import Death, RunResult, Stray
from waitproof.text import (
    command_message,
    command_property,
    escape,
    markdown_code,
    markdown_text,
    script_json,
    xml_text,
)

PLAIN = "MARKED"  # what every field of an adapter holds before it is replaced
FORGED = "FORGED"
# No shrinking: a failure is read from its text, and must not take minutes.
fast = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=8,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),  # of the machine's speed
)
thorough = settings(fast, max_examples=60)

_HARM = [
    "\x1b[31m",
    "\x1b]0;title\x07",
    "\x9b2J",
    "\r",
    "\b",
    "\x00",
    "\x85",
    "\u2028",
    "\u202e",
    "\u2066",
    "\ud800",
    "\ufffe",
    f"\n{FORGED}",
    f"\n\n# {FORGED}\n\n",
    "\n::error::x",
    "::set-output name=exit-code::0",
    "\n::stop-commands::t\n",
    "##[error]x",
    "%0A::add-mask::a%25",
    ",line=1,title=x::",
    "<script>alert(1)</script>",
    "</script>",
    "<!--",
    "-->",
    "]]>",
    "<img src=x onerror=alert(1)>",
    "'\" onload=x ",
    "&lt;&#0;&",
    "{{7*7}}{% raw %}",
    "[/bold][red]",
    "|",
    "a|b|c\n|---|---|---|\n",
    "`",
    "```\n",
    "``` `` `",
    "[x](javascript:alert(1))",
    "![i](http://e.test/i.png)",
    "<http://e.test>",
    "https://e.test/x",
    "www.e.test",
    "@you #1 GH-3",
    "**b** __b__ ~~s~~ $m$ *e* _e_",
    "\\",
    "\n- [ ] x\n> y\n",
    "</details></td></table>",
    "[a]: http://e.test",
]


def each_harm(test: Any) -> Any:
    """Try a text with everything that is known to be harmful, besides what hypothesis makes up."""
    return example("".join(_HARM))(example("".join(reversed(_HARM)))(test))


texts = st.lists(st.sampled_from(_HARM) | st.text(max_size=8), max_size=6).map("".join)


@functools.cache
def _marked() -> dict[str, Any]:
    """Return report.json of a run in which every field that an adapter can fill holds the mark."""
    introduced: dict[str, Any] = dict.fromkeys(
        ("sdk_name", "sdk_version", "language", "runtime", "helper"), PLAIN
    )
    hello = dataclasses.replace(HELLO, **introduced)
    hello = dataclasses.replace(hello, result_path=PLAIN)
    found: dict[str, Any] = dict.fromkeys(("seen", "explanation", "timeline"), PLAIN)
    statuses = (Status.FAIL, Status.WARN, Status.ERROR, Status.INCONCLUSIVE, Status.INFO, Status.UNSUPPORTED)
    names = [each.id for each in SUITE.contract.requirements]
    made = [
        dataclasses.replace(verdict(name, status), expected=PLAIN, **found)
        for name, status in zip(names, statuses, strict=False)
    ]
    run: RunResult = result(
        *made,
        name=PLAIN,
        hello=hello,
        argument=PLAIN,
        stderr_tail=(PLAIN, PLAIN),
        stderr=Digest(2, PLAIN, PLAIN),
        deaths=(Death("exited with code 1", stderr_tail=(PLAIN,)),),
    )
    broken = result(name=f"{PLAIN}2", hello=None, error=f"{PLAIN}: {PLAIN}", stderr_tail=(PLAIN,))
    run.adapters += broken.adapters
    scenario = SUITE.scenarios[1]
    poll = Poll(1, 0.1, 0.2, "done", target=f"/{PLAIN}", headers={PLAIN: PLAIN, "b": PLAIN})
    other = Poll(0, 0.3, 0.4, method=PLAIN, target=f"/{PLAIN}", http=None)
    raised = Raised(ExceptionKind.OTHER, PLAIN, PLAIN, {PLAIN: PLAIN})
    answer = {"outcome": PLAIN, "exception": {"type": PLAIN, "fields": {PLAIN: [PLAIN]}}}
    call = CallRecord(0, 1, scenario.calls[0], 0.0, 0.3, raised, None, {"op": "wait"}, answer)
    tasks = (TaskRecord(1, 7, polls=(poll,), others=(other,)),)
    run.adapters[0].scenarios[scenario.id].observations = [Observation(hello, (call,), tasks)]
    entry = JournalEntry(1, None, "other", PLAIN, f"/{PLAIN}", {}, 0, 1, fresh=True, nearest="GET /z")
    run.strays = (Stray(entry, PLAIN, (f"{PLAIN}: {scenario.id}",)),)
    return written(run, exit_code=1)


def _filled(value: Any, text: str) -> Any:
    if isinstance(value, str):
        return value.replace(PLAIN, text)
    if isinstance(value, dict):
        return {key.replace(PLAIN, text): _filled(child, text) for key, child in value.items()}
    if isinstance(value, list):
        return [_filled(child, text) for child in value]
    return value


def report(text: str) -> Report:
    """Return the report with this text in every field that an adapter can fill."""
    return parse(_filled(_marked(), f"x{text}"), "r.json")


def older(text: str) -> Report:
    """Return the same of an older run, in which everything passed."""
    values = _filled(_marked(), f"x{text}")
    for each in values["adapters"]:
        each["verdicts"] = [{**verdict, "status": "PASS"} for verdict in each["verdicts"]]
    return parse({**values, "exit_code": 0}, "old.json")


def merged(text: str) -> Merged:
    return merge_reports([report(text)], ["r.json"])


def harmful(text: str) -> set[str]:
    """Return what a terminal or an encoding acts on, and whatever ends a line unseen."""
    unsafe = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return {each for each in text if each != "\n" and unicodedata.category(each) in unsafe}


def test_the_fields_that_an_adapter_can_fill_are_all_marked() -> None:
    adapter, broken = _marked()["adapters"]
    plain = {"verdicts", "causes", "baseline", "scenarios", "capabilities", "deaths", "headers"}

    unmarked = {name for name, value in adapter.items() if PLAIN not in json.dumps(value)}

    assert unmarked <= {"causes", "baseline", "capabilities", "error"}
    assert PLAIN in broken["error"]
    for member in ("calls", "heads", "requests"):
        parts = [part for play in adapter["scenarios"] for part in play[member]]
        assert PLAIN in json.dumps([parts, adapter["headers"]]), member
    assert plain <= set(adapter)
    assert whole_run().adapters


# --- the terminal -------------------------------------------------------------------------------------


def _printed(text: str) -> str:
    file = io.StringIO()
    console = Console(file=file, width=200, color_system=None)
    print_report(console, merged(text), verbose=True)
    listener = LineListener(console)
    with listener:
        listener.phase(f"x{text}", "running")
        listener.finished(f"x{text}", SUITE.scenarios[0], [], final=True)
    return file.getvalue()


@fast
@given(texts)
@each_harm
def test_a_terminal_gets_no_control_character_and_no_line_that_an_adapter_began(text: str) -> None:
    said = _printed(text)
    difference = "\n".join(map(escape, plain_lines(compare(older(text), report(text)))))

    for each in (said, difference):
        assert harmful(each) == set()
        assert not [line for line in each.split("\n") if line.startswith((FORGED, "::"))]


@thorough
@given(texts)
@each_harm
def test_an_escaped_text_has_no_control_character_and_keeps_its_lines(text: str) -> None:
    once = escape(text)

    assert harmful(once) == set()
    assert once.count("\n") == text.count("\n")
    assert escape(once) == once


# --- GitHub's workflow commands -----------------------------------------------------------------------


def _command(line: str) -> tuple[str, dict[str, str], str]:
    """Read a command as the runner does: it decodes after it has split."""
    match = re.fullmatch(r"::(\w+) (.*?)::(.*)", line, re.DOTALL)
    assert match is not None, line
    properties = dict(each.split("=", 1) for each in match[2].split(","))
    return match[1], {name: unquote(value) for name, value in properties.items()}, unquote(match[3])


@fast
@given(texts)
@each_harm
def test_a_workflow_command_is_one_line_with_the_properties_that_are_ours(text: str) -> None:
    lines = workflow_commands(merged(text))

    assert len(lines) == len(workflow_commands(merged("")))
    for line in lines:
        assert harmful(line) == set()
        assert "\n" not in line
        kind, properties, _ = _command(line)
        assert kind in {"error", "warning"}
        assert set(properties) <= {"file", "line", "title"}
        assert properties.get("line", "1").isdecimal()


@thorough
@given(texts)
@each_harm
def test_a_workflow_command_says_what_it_was_given(text: str) -> None:
    line = f"::error title={command_property(text)}::{command_message(text)}"

    kind, properties, message = _command(line)

    assert (kind, properties, message) == ("error", {"title": escape(text)}, escape(text))


# --- Markdown -----------------------------------------------------------------------------------------

_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def _tags(page: str) -> list[str]:
    """Return what a Markdown page becomes: its tags, and its raw HTML as it is."""
    return [
        each.content if each.type in {"html_block", "html_inline"} else f"{each.tag}:{each.nesting}"
        for token in _MARKDOWN.parse(page)
        for each in (token, *(token.children or ()))
        if each.type not in {"text", "softbreak", "inline"} or each.tag
    ]


def _pages(text: str) -> Iterator[str]:
    yield markdown_summary(merged(text))
    yield results_page([report(text)], ["not-run"])
    yield "\n".join(map(escape, markdown_lines(compare(older(text), report(text)))))


@fast
@given(texts)
@each_harm
def test_markdown_has_the_structure_of_one_about_plain_words(text: str) -> None:
    for page, plain in zip(_pages(text), _pages("z"), strict=True):
        assert harmful(page) == set()
        assert _tags(page) == _tags(plain)
        outside_code = re.sub("`[^`]*`", "", page)
        assert not re.search(r"@you|(?<![&\w])#1|\bGH-3|\bhttps?://e|\bwww\.e", outside_code)


def test_a_page_of_results_shows_an_sdks_name_and_helper_as_they_are() -> None:
    hello = dataclasses.replace(HELLO, sdk_name="`<img src=x>`", helper="a`<b>|c", runtime="<i>")

    page = results_page([parse(written(result(hello=hello)), "r.json")])

    row = "| sdk | &#96;&#60;img src=x&#62;&#96; 1.0 | &#60;i&#62; | `a'<b>¦c` | "
    assert row in page


@thorough
@given(texts)
@each_harm
def test_text_and_code_in_markdown_are_nothing_else(text: str) -> None:
    as_text, as_code = markdown_text(f"x{text}"), markdown_code(f"x{text}")
    page = f"| a | b |\n|---|---|\n| {as_text} | {as_code} |\n\n{as_text}"

    assert _tags(page) == _tags("| a | b |\n|---|---|\n| x | `x` |\n\nx")


# --- pages --------------------------------------------------------------------------------------------


class _Page(HTMLParser):
    """The elements of a page with the names of their attributes, and what its data is."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.others: list[str] = []
        self.data = ""
        self._in_data = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self._in_data = ("id", "data") in attrs
        assert all(
            value is None or not value.strip().casefold().startswith("javascript:") for _, value in attrs
        )

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False

    def handle_data(self, data: str) -> None:
        self.data += data if self._in_data else ""

    def handle_comment(self, data: str) -> None:
        self.others.append(data)


def _parsed(source: str) -> _Page:
    assert harmful(source) == set()
    page = _Page()
    page.feed(source)
    page.close()
    return page


@functools.cache
def _page(text: str) -> _Page:
    return _parsed(html_page(merged(text)))


@settings(fast, max_examples=5)
@given(texts)
@each_harm
def test_a_page_has_the_elements_of_one_about_plain_words_and_its_data_is_whole(text: str) -> None:
    page, plain = _page(text), _page("z")

    assert page.elements == plain.elements
    assert page.others == plain.others
    assert json.loads(page.data)["adapters"][0]["stderr_tail"] == [escape(f"x{text}")] * 2


@thorough
@given(texts)
@each_harm
def test_json_in_a_script_is_the_value_and_nothing_that_a_parser_of_html_takes(text: str) -> None:
    source = script_json({text: text})

    assert json.loads(source) == {text: text}
    assert not set("<>&") & set(source)
    assert source.isascii()


@functools.cache
def _site(text: str) -> dict[str, list[Any]]:
    """Return the elements of each page of a site of two runs, by the page's kind, and check its paths."""
    runs = [
        SiteRun(
            Path("r.json"),
            f"{number}-0",
            dataclasses.replace(each, started=f"2026-01-0{number}T00:00:00+00:00"),
        )
        for number, each in enumerate((older(text), report(text)), 1)
    ]
    suites = suites_of(runs)
    found: dict[str, list[Any]] = {}
    for path, source in page_texts(suites, [run.id for run in runs]):
        assert re.fullmatch(r"[a-z0-9_/-]+\.(html|json|svg)", path)
        page = _parsed(source)
        found.setdefault(path.partition("/")[0], []).append((page.elements, page.others))
    return found


@settings(fast, max_examples=3)
@given(texts)
@each_harm
def test_a_site_has_the_pages_and_elements_of_one_about_plain_words(text: str) -> None:
    site, plain = _site(text), _site("z")

    assert {kind: len(pages) for kind, pages in site.items()} == {
        kind: len(pages) for kind, pages in plain.items()
    }
    assert site["index.html"] == plain["index.html"]
    assert site["sdk"] == plain["sdk"]
    assert site["badge"] == plain["badge"]


# --- XML ----------------------------------------------------------------------------------------------


def _shape(element: ET.Element) -> list[tuple[str, list[str]]]:
    return [(each.tag, sorted(each.attrib)) for each in element.iter()]


@fast
@given(texts)
@each_harm
def test_xml_is_well_formed_and_has_the_elements_of_one_about_plain_words(text: str) -> None:
    root = ET.fromstring(junit_xml(merged(text)))

    assert _shape(root) == _shape(ET.fromstring(junit_xml(merged("z"))))
    errors = root.findall(".//system-err")
    assert [each.text for each in errors][:1] == ["\n".join([escape(f"x{text}")] * 2)]


@thorough
@given(texts)
@each_harm
def test_text_in_xml_can_be_written_and_read(text: str) -> None:
    element = ET.Element("a", b=xml_text(text))
    element.text = xml_text(text)

    read = ET.fromstring(ET.tostring(element, encoding="unicode"))

    assert (read.text or "").replace("\n", "") == re.sub("[\r\n]", "", xml_text(text))


# --- JSON and the badge -------------------------------------------------------------------------------


@fast
@given(texts)
@each_harm
def test_json_holds_what_was_said_and_can_be_read_again(text: str) -> None:
    values = _filled(_marked(), f"x{text}")
    source = json.dumps(values)

    assert source.isascii()
    assert json.loads(source) == values
    assert parse(json.loads(source), "r.json").adapters[0].stderr_tail == (escape(f"x{text}"),) * 2


@fast
@given(texts)
@each_harm
def test_a_badge_has_its_four_members_and_a_short_label_on_one_line(text: str) -> None:
    read = json.loads(badge(merge_reports([report(text)], ["r.json"]).only([_name(text)])))

    assert set(read) == {"schemaVersion", "label", "message", "color"}
    assert read["label"].startswith("waitproof x")
    assert len(read["label"]) <= 41
    assert "\n" not in read["label"]
    assert harmful(json.dumps(read, ensure_ascii=False)) == set()


def _name(text: str) -> str:
    return merged(text).adapters[0].name
