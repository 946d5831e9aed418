from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from made_reports import SUITE, merged, result, stale, verdict
from playwright.sync_api import Browser, Page, expect
from waitproof.judge import Status
from waitproof.judge.observation import CallRecord, Observation, Poll, TaskRecord
from waitproof.protocol import Capabilities, ExceptionKind, Given, Hello, Raised, Returned
from waitproof.report.html import html_page
from waitproof.report.merge import Adapter, Merged
from waitproof.report.model import CauseEntry, LikelyDefectEntry, RequirementEntry
from waitproof.run import RunResult
from waitproof.suite import Level

HELLO = Hello("mini", "1.0", "python", "CPython", "wait", "", Capabilities(max_concurrency=0))
WHERE = "timing/gives-up"


def played(late_s: float = 0.0, *, name: str = "sdk", **more: Any) -> RunResult:
    """Return a run in which the helper gave up after its time, or later."""
    run = result(
        verdict("usual-timeout", Status.FAIL if late_s else Status.PASS, WHERE, **more),
        verdict("usual-interval", Status.PASS, WHERE),
        verdict("returns-output", Status.PASS),
        verdict("sends-its-key", Status.WARN, excused="The key is sent later.", link="https://x.test/#L1"),
        verdict("first-look", Status.INFO),
        name=name,
        stderr_tail=("a line on stderr",),
    )
    scenario = next(each for each in SUITE.scenarios if each.id == WHERE)
    polls = tuple(
        Poll(n + 1, n / 10, n / 10 + 0.01, "queued", target="/jobs/7/state", headers={"accept": "*/*"})
        for n in range(6)
    )
    ended_s = 0.6 + late_s
    raised = Raised(ExceptionKind.OTHER, "GaveUp", None, {})
    answer = {"id": "1", "outcome": "raised", "exception": {"type": "GaveUp"}, "big": 2**63 + 1}
    call = CallRecord(0, 1, scenario.calls[0], 0.0, ended_s, raised, None, {"op": "wait"}, answer)
    seen = Observation(HELLO, (call,), (TaskRecord(1, 7, polls=polls),))
    run.adapters[0].scenarios[WHERE].observations = [seen]
    return run


@pytest.fixture
def opened(page: Page, tmp_path: Path) -> Page:
    """Reports of two SDKs, open in a browser."""
    return show(page, tmp_path, merged(played(0.9), played(name="other"), exit_code=1))


def show(page: Page, folder: Path, report: Merged, fragment: str = "") -> Page:
    file = folder / "report.html"
    file.write_text(html_page(report), encoding="utf-8")
    page.goto(file.as_uri() + fragment)
    return page


def cell(page: Page, requirement: str, adapter: int = 0) -> Any:
    row = page.locator(f"tr:has(.name:text-is('{requirement}'))")
    return row.locator(f"a.cell[data-a='{adapter}']")


def shown_rows(page: Page) -> list[str]:
    return page.locator("tr[data-r]:visible .name").all_inner_texts()


def test_the_page_needs_only_itself_and_its_policy_allows_nothing_else() -> None:
    text = html_page(merged(played(0.9)))

    assert not re.findall(
        r"<(?:link|img|iframe|object|embed|base|form[^>]+action)\b|\bsrc=|@import|url\(", text
    )
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy.startswith("default-src &#39;none&#39;; style-src &#39;sha256-")
    assert "unsafe" not in policy


def test_the_matrix_has_every_requirement_and_each_sdks_result(opened: Page) -> None:
    assert shown_rows(opened) == [
        "returns-output",
        "usual-interval",
        "usual-timeout",
        "sends-its-key",
        "first-look",
    ]
    assert cell(opened, "usual-timeout").inner_text() == "FAIL"
    assert cell(opened, "usual-timeout", 1).inner_text() == "PASS"
    assert cell(opened, "sends-its-key").inner_text().split() == ["WARN", "excused"]
    assert cell(opened, "first-look").inner_text() == "that"
    expect(opened.locator(".outcome")).to_contain_text("exit 1")


def test_a_cell_is_opened_and_closed_by_keyboard_and_gives_the_focus_back(opened: Page) -> None:
    link = cell(opened, "usual-timeout")
    link.focus()
    opened.keyboard.press("Enter")

    dialog = opened.locator("dialog")
    expect(dialog).to_be_visible()
    expect(dialog.locator("h2")).to_have_text("usual-timeout")
    expect(dialog.locator(".case-body").first).to_contain_text("this")
    assert "cell=usual-timeout%2Fsdk" in opened.url

    opened.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert link.evaluate("link => link === document.activeElement")
    assert "cell=" not in opened.url


def test_the_timeline_has_polls_interval_deadline_and_outcome_and_another_sdk_on_the_same_axis(
    opened: Page,
) -> None:
    cell(opened, "usual-timeout").click()
    chart = opened.locator("dialog svg[role=img]")
    opened.get_by_label("Compare with").select_option("")

    assert chart.locator(".arrival").count() == 6
    assert chart.locator(".interval").count() > 5
    assert chart.locator(".deadline").count() == 1
    assert "wait raised GaveUp at 1.50 s" in chart.locator("text").all_text_contents()
    assert "6 polls" in (chart.get_attribute("aria-label") or "")

    opened.get_by_label("Compare with").select_option("other")
    assert chart.locator(".arrival").count() == 12
    ends = [
        opened.evaluate("e => e.getBoundingClientRect().x", each)
        for each in chart.locator(".end").element_handles()
    ]
    assert ends[0] > ends[1]


def test_the_exchange_the_adapters_lines_and_the_command_are_there(opened: Page) -> None:
    cell(opened, "usual-timeout").click()
    dialog = opened.locator("dialog")
    dialog.get_by_text("HTTP exchange: 6 polls").click()
    dialog.locator(".exchange summary").first.click()
    dialog.get_by_text("What the adapter was sent").click()
    dialog.get_by_text("last lines on stderr").click()

    expect(dialog.locator(".exchange pre").first).to_have_text("GET /jobs/7/state\naccept: */*")
    expect(dialog.locator(".exchange pre").nth(1)).to_contain_text('"phase": "working"')
    expect(dialog).to_contain_text(str(2**63 + 1))  # a script's number would have lost digits
    expect(dialog).to_contain_text("a line on stderr")
    expect(dialog.locator(".command code")).to_have_text(
        "waitproof run --adapter sdk -k timing/gives-up:usual-timeout"
    )


def test_the_command_is_copied_or_marked_for_copying(opened: Page) -> None:
    cell(opened, "usual-timeout").click()
    opened.get_by_role("button", name="Copy").click()

    expect(opened.locator(".command button").first).to_have_text(re.compile("Copied|Selected"))


def test_filters_narrow_the_matrix_and_the_address_keeps_them(opened: Page) -> None:
    opened.get_by_label("Status").select_option("FAIL")
    assert shown_rows(opened) == ["usual-timeout"]
    assert "status=FAIL" in opened.url
    expect(cell(opened, "usual-timeout", 1)).to_be_hidden()

    opened.reload()
    assert shown_rows(opened) == ["usual-timeout"]

    opened.get_by_role("button", name="Reset").click()
    expect(opened.locator("#shown")).to_have_text("5 requirements")
    opened.get_by_label("Topic").select_option("timing")
    assert shown_rows(opened) == ["usual-interval", "usual-timeout"]
    opened.get_by_label("Topic").select_option("")
    opened.get_by_label("MUST").uncheck()
    assert shown_rows(opened) == ["sends-its-key", "first-look"]
    opened.get_by_label("Search").fill("SENT later")
    assert shown_rows(opened) == ["sends-its-key"]
    opened.get_by_label("Search").fill("nowhere")
    expect(opened.locator("#none")).to_be_visible()


def test_the_other_sdk_with_the_fewest_failures_is_compared_first(page: Page, tmp_path: Path) -> None:
    runs = [played(0.9), played(0.9, name="bad"), played(name="good"), played(name="as-good")]
    show(page, tmp_path, merged(*runs, exit_code=1), "#cell=usual-timeout%2Fsdk")

    assert page.get_by_label("Compare with").input_value() == "1"
    chart = page.locator("dialog svg[role=img]")
    expect(chart.locator(".arrival")).to_have_count(12)
    expect(chart.locator(".lane-name").last).to_have_text("good")


MANY = 40  # requirements that each SDK fails, each for a cause of its own


def failing(sdks: int) -> Merged:
    """Return a report of so many SDKs, each with many failures and long sentences."""
    report = merged(played(0.9), exit_code=1)
    entry = report.adapters[0].entry
    names = [f"requirement-with-a-rather-long-name-{n}" for n in range(MANY)]
    like = report.adapters[0].attention()[0]
    entry = replace(
        entry,
        verdicts=tuple(replace(like, requirement=name, seen="it went on " * 20) for name in names),
        causes=tuple(
            CauseEntry(
                (LikelyDefectEntry("x.y", "The helper does something wrong, and does it every time."),),
                (f"{WHERE}:{name}",),
                f"{WHERE}:{name}",
            )
            for name in names
        ),
    )
    return replace(
        report,
        requirements=tuple(RequirementEntry(name, Level.MUST, "It is so.", quoted=True) for name in names),
        adapters=tuple(Adapter(f"getstream-sdk-{n}", report.reports[0], entry) for n in range(sdks)),
    )


@pytest.mark.parametrize("sdks", [1, 8, 20])
def test_before_the_matrix_there_are_at_most_three_screens(page: Page, tmp_path: Path, sdks: int) -> None:
    show(page, tmp_path, failing(sdks))
    page.set_viewport_size({"width": 1280, "height": 800})

    assert page.locator("h2:visible").all_inner_texts() == [
        "Causes",
        "Failures by requirement",
        "Results by requirement",
    ]
    assert page.evaluate("document.getElementById('matrix').getBoundingClientRect().top + scrollY") <= 3 * 800
    assert page.locator("details.cause:visible").count() == 10
    assert page.locator("details.failure:visible").count() == 12
    for more in page.locator("details.more > summary").all():
        more.click()
    assert page.locator("details.cause:visible").count() == MANY * sdks
    assert page.locator("details.failure:visible").count() == MANY


def test_a_failures_button_opens_its_cell_and_gets_the_focus_back(opened: Page) -> None:
    failure = opened.locator("details.failure")
    expect(failure.locator("summary")).to_have_text("FAIL MUST usual-timeout sdk 1 of 1")
    assert failure.get_attribute("open") is not None  # the only one
    button = failure.get_by_role("button", name="Timelines and HTTP exchanges")
    button.click()

    expect(opened.locator("dialog h2")).to_have_text("usual-timeout")
    opened.keyboard.press("Escape")
    assert button.evaluate("button => button === document.activeElement")


def test_a_link_to_a_cell_opens_it(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, merged(played(0.9)), "#cell=usual-timeout%2Fsdk")

    expect(page.locator("dialog h2")).to_have_text("usual-timeout")


def test_an_address_without_a_meaning_does_no_harm(opened: Page) -> None:
    for fragment in ("#%20", "#1", "#verdicts-9-9", "#a b", "#cell=x", "#cell=%2F", "#status=%00"):
        opened.evaluate("fragment => { location.hash = fragment }", fragment)

    expect(opened.locator("dialog")).to_be_hidden()
    assert len(shown_rows(opened)) == 5


def test_a_link_to_a_cell_that_is_not_there_opens_nothing(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, merged(played()), "#cell=nothing%2Fsdk&topic=none&level=")

    expect(page.locator("dialog")).to_be_hidden()
    assert shown_rows(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_scrolls_the_matrix_and_never_the_page(page: Page, tmp_path: Path, scheme: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.emulate_media(color_scheme=scheme)
    runs = [played(0.9, name=f"sdk-with-a-rather-long-name-{n}") for n in range(6)]
    show(page, tmp_path, merged(*runs, exit_code=1))

    widths = "[document.documentElement.scrollWidth, document.querySelector('.scroller').scrollWidth]"
    assert page.evaluate(widths)[0] == 360
    assert page.evaluate(widths)[1] > 360
    cell(page, "usual-timeout").click()
    expect(page.locator("dialog svg[role=img]")).to_be_visible()
    assert page.evaluate("document.querySelector('dialog').scrollWidth") <= 360
    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_of_the_page_stands_out_from_what_is_behind_it(opened: Page, scheme: Any) -> None:
    opened.emulate_media(color_scheme=scheme)
    cell(opened, "usual-timeout").click()

    assert opened.evaluate(FAINT_TEXTS) == []


# The contrast of each text with the nearest background, as WCAG 2 defines it; AA asks for 4.5.
FAINT_TEXTS = """() => {
  const numbers = (color) => color.match(/[0-9.]+/g).map(Number);
  const light = (color) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = numbers(color).map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (numbers(color)[3] !== 0) return color;
    }
    return getComputedStyle(document.body).backgroundColor;
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest("script, style, svg, option")) continue;
    const pair = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
    const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (contrast < 4.5) faint.push(`${contrast.toFixed(2)} ${walker.currentNode.textContent.trim()}`);
  }
  return faint;
}"""


def test_without_scripts_the_matrix_and_all_that_needs_attention_can_be_read(
    browser: Browser, tmp_path: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    show(page, tmp_path, merged(played(0.9), exit_code=1))

    expect(page.locator("#filters")).to_be_hidden()
    cell(page, "usual-timeout").click()
    verdicts = page.locator(":target")
    expect(verdicts).to_contain_text("usual-timeout")
    expect(verdicts).to_contain_text("waitproof run --adapter sdk -k timing/gives-up:usual-timeout")
    expect(page.get_by_text("Scripts are off")).to_be_visible()
    context.close()


def test_paper_has_everything_that_needs_attention_in_black_on_white(opened: Page) -> None:
    opened.emulate_media(media="print", color_scheme="dark")

    expect(opened.locator("#filters")).to_be_hidden()
    expect(opened.get_by_text("The key is sent later.").first).to_be_visible()
    colors = "e => [getComputedStyle(e).color, getComputedStyle(document.body).backgroundColor]"
    assert cell(opened, "usual-timeout").evaluate(colors) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]


def test_a_report_older_than_the_exchanges_still_opens(page: Page, tmp_path: Path) -> None:
    report = merged(played(0.9))
    (adapter,) = report.adapters
    for play in adapter.entry.scenarios:
        vars(play).update(heads=(), answers=())
    show(page, tmp_path, report, "#cell=usual-timeout%2Fsdk")

    page.get_by_text("HTTP exchange: 6 polls").click()
    expect(page.locator("dialog .note")).to_contain_text("An older waitproof wrote this report")


def test_a_link_of_a_baseline_is_a_link_only_where_it_leads_to_a_page(page: Page, tmp_path: Path) -> None:
    run = result(
        verdict("sends-its-key", Status.WARN, excused="a", link="javascript:alert(1)"),
        verdict("one-look-one-request", Status.WARN, excused="b", link="https://x.test/?a=1&b=\"'><b>"),
    )
    show(page, tmp_path, merged(run), "#cell=sends-its-key%2Fsdk")

    expect(page.locator("dialog .rows")).to_contain_text("javascript:alert(1)")
    hrefs = [link.get_attribute("href") for link in page.locator("a[rel]").element_handles()]
    assert hrefs == ["https://x.test/?a=1&b=\"'><b>"]


def test_text_that_closes_a_script_or_begins_a_comment_stays_text(page: Page, tmp_path: Path) -> None:
    harm = "</script><script>document.title='broken'</script><!-- <script> \u2028 ${7*7} {{7*7}}"
    run = played(0.9)
    vars(run.adapters[0])["stderr_tail"] = (harm,)
    vars(run.adapters[0])["hello"] = Hello(harm, harm, harm, harm, harm, "")
    show(page, tmp_path, merged(run), "#cell=usual-timeout%2Fsdk")

    assert page.title() == "waitproof: mini"
    page.locator("dialog summary", has_text="on stderr").click()
    shown = harm.replace("\u2028", r"\u2028")  # a line end in JavaScript, and nothing to see in a page
    expect(page.locator("dialog > .sheet > details pre").last).to_have_text(shown)
    assert page.locator("script").count() == 2


def test_a_stale_deviation_is_in_the_headline_and_in_its_adapters_card(page: Page, tmp_path: Path) -> None:
    run = result(verdict("returns-output", Status.PASS), baseline="d.yaml", stale=(stale(),))
    show(page, tmp_path, merged(run, played(name="other"), exit_code=1))

    expect(page.locator(".outcome")).to_have_text("exit 1 1 known deviation is stale.")
    cards = page.locator(".card")
    expect(cards.nth(0).locator("summary")).to_have_text("1 stale deviation")
    entry = cards.nth(0).locator("li")
    assert entry.inner_text().split("\n\n") == ["it is kept", "my/deviations.yaml:3:5", "Fix: take it out"]
    expect(cards.nth(1)).not_to_contain_text("stale")
    expect(page.locator("#failures")).to_contain_text("Only the stale deviations above")


@pytest.mark.parametrize("media", ["screen", "print"])
def test_many_stale_deviations_are_folded_up_except_on_paper(page: Page, tmp_path: Path, media: Any) -> None:
    run = result(baseline="d.yaml", stale=tuple(stale(f"a/b:c{n}") for n in range(40)))
    show(page, tmp_path, merged(run, exit_code=1))
    page.emulate_media(media=media)

    assert page.locator(".card li").last.is_visible() is (media == "print")
    page.locator(".card summary").click()
    assert page.locator(".card li").first.is_visible()


def test_a_returned_outcome_is_named_by_the_adapters_word(page: Page, tmp_path: Path) -> None:
    run = played(0.9)
    (seen,) = run.adapters[0].scenarios[WHERE].observations
    vars(seen.calls[0]).update(answer={"outcome": "returned"}, seen=Returned(Given.RESULT, result=1))
    show(page, tmp_path, merged(run), "#cell=usual-timeout%2Fsdk")

    expect(page.locator("dialog svg[role=img]")).to_contain_text("wait returned at 1.50 s")
