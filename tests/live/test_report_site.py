from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from made_reports import hand_made
from playwright.sync_api import Browser, Page, expect
from test_report_html import FAINT_TEXTS
from waitproof.cli import main

NAMES = ("python-sdk", "a-rather-long-name-of-an-sdk-whose-words-never-end", "<b>x</b>")
SIZES = {"desk": (1280, 800), "phone": (390, 844)}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site of three versions: one requirement breaks in the second and is fixed in the third."""
    folder = tmp_path_factory.mktemp("site")
    for day, (version, status) in enumerate((("1.0", "PASS"), ("1.1", "FAIL"), ("1.2", "PASS")), 1):
        hand_made(
            folder / f"{day}.json",
            ("a/b:polls-once", status, "too early: " + "x" * 200),
            ("a/b:ends", "PASS", ""),
            started=f"2026-11-0{day}T03:00:00+00:00",
            whole=True,
        )
        values: dict[str, Any] = json.loads((folder / f"{day}.json").read_text())
        (entry,) = values["adapters"]
        sdk = {**entry["sdk"], "version": version}
        values["adapters"] = [{**entry, "name": name, "sdk": sdk} for name in NAMES]
        (folder / f"{day}.json").write_text(json.dumps(values))
    assert main(["report", str(folder), "--site", str(folder / "out")]) == 0
    return folder / "out"


def every_page(site: Path) -> list[Path]:
    return sorted(each for each in site.rglob("*.html") if each.parent.name != "runs")


def test_what_changed_comes_first_and_leads_to_the_sdk_its_requirement_and_the_full_report(
    page: Page, site: Path
) -> None:
    page.goto((site / "index.html").as_uri())
    expect(page.locator("h2").first).to_have_text("What changed")
    event = page.locator(".event").first
    expect(event).to_contain_text("2026-11-03")
    expect(event).to_contain_text("1.1 → 1.2")
    expect(event).to_contain_text("1 fixed")

    page.get_by_role("link", name="python-sdk", exact=True).first.click()
    expect(page.locator("h1")).to_have_text("python-sdk")
    expect(page.locator(".event").last).to_contain_text("new failure")
    page.get_by_role("link", name="polls-once").first.click()
    expect(page.locator("h1")).to_have_text("polls-once")
    expect(page.locator(".lanes")).to_contain_text("since 2026-11-03 (1.2)")
    page.get_by_role("link", name="full report").first.click()
    expect(page.locator(".matrix")).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="waitproof").first.click()
    expect(page.locator("h2").first).to_have_text("What changed")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_scrolls_sideways_and_every_text_stands_out(
    browser: Browser, site: Path, size: str, scheme: Any
) -> None:
    width, height = SIZES[size]
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    pages = every_page(site)

    for each in pages:
        page.goto(each.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((each) => (each.open = true))")
        assert page.evaluate("document.documentElement.scrollWidth") == width, each
        assert page.evaluate(FAINT_TEXTS) == [], each

    page.close()
    assert asked == [each.as_uri() for each in pages]
    assert said == []


def test_a_badge_is_a_picture_that_a_browser_draws(page: Page, site: Path) -> None:
    page.goto((site / "badge" / "s" / "python-sdk.svg").as_uri())

    expect(page.locator("svg")).to_have_attribute("aria-label", "waitproof python-sdk: 2 of 2 MUST")
    assert page.evaluate("document.documentElement.getBBox().width") > 100
