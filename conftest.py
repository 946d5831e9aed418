"""The project's own tests: their order, the adapters that the suite is run against, and a real browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from waitproof.adapter import read_adapter

if TYPE_CHECKING:
    from fakes import Mark
    from playwright.sync_api import Browser, Error, Page

ADAPTERS = Path(__file__).parent / "adapters"
LONGEST_FILES = (  # five seconds or more each; they start first, so that none is left alone at the end
    "live/test_made_up_api.py",
    "live/test_matrix.py",
    "live/test_pytest_plugin.py",
    "live/test_length_of_runs.py",
    "live/test_serve_command.py",
    "live/test_report_hostile.py",
    "run/test_runner.py",
    "live/test_cli.py",
    "run/test_doctor.py",
    "live/test_control.py",
    "kits/test_kit_conformance.py",
    "run/test_deaths.py",
    "serve/test_serve_bounds.py",
    "run/test_run_errors.py",
    "mock/test_mock_process.py",
)
REFERENCE = [ADAPTERS / "reference-client", ADAPTERS / "reference-client-async"]


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Where no adapter is named: the reference client, and the kits of the languages on this machine."""
    if not config.option.waitproof_adapter:
        config.option.waitproof_adapter = [str(folder) for folder in [*REFERENCE, *_kits()]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort the test files, and leave the order within each as it is."""
    ranks = {name: rank for rank, name in enumerate(LONGEST_FILES)}
    items.sort(key=lambda item: ranks.get("/".join(item.path.parts[-2:]), len(ranks)))


def _kits() -> list[Path]:
    kits = sorted(file.parent for file in ADAPTERS.glob("kits/*/adapter.yaml"))
    return [kit for kit in kits if all(shutil.which(need.program) for need in read_adapter(kit).needs)]


@pytest.fixture
def mark() -> Iterator[Mark]:
    """The mark of this test's processes, none of which may be left after it."""
    from fakes import Mark  # noqa: PLC0415 - a run of the suite alone has no use for it

    mark = Mark()
    yield mark
    mark.assert_gone()


# --- a browser, for what people look at ---------------------------------------------------------------

QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="module")  # while it lives, asyncio.run() is impossible in this thread
def browser() -> Iterator[Browser]:
    """Headless Chromium, the system's own; skips where there is none."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only these tests need it

    programs = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    program = next((each for each in programs if each), None)
    if program is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """One tab for a module's tests: to open one costs three times as much as what most tests do in it."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    """A blank page, as large as a desk's; it fails the test at its end if a script failed on it."""
    errors: list[str] = []

    def on_error(error: Error) -> None:
        errors.append(str(error))

    tab.on("pageerror", on_error)
    tab.set_viewport_size({"width": 1280, "height": 900})
    tab.emulate_media(media="null", color_scheme="null")
    yield tab
    if tab.url != "about:blank":
        tab.evaluate("() => { localStorage.clear(); sessionStorage.clear(); }")
        tab.goto("about:blank")
    tab.remove_listener("pageerror", on_error)
    assert errors == []
