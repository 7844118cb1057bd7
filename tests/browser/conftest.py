"""A real browser in front of a real studio. Without Chromium these tests are skipped with one line; with CI=true they fail instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.serving import running

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 60_000  # milliseconds: a loaded machine answers late, and that is no fault of the page
LONG = 120_000  # milliseconds: ten times what a run takes on a loaded machine of two cores
expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.timeout(900))  # each wait has a limit of its own
            item.add_marker(pytest.mark.flaky(reruns=1))  # told apart from what fails each time; the summary says which ran twice


@pytest.fixture(scope="session")
def server(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a studio with an empty home outside the working directory."""
    with running(starter_cache, tmp_path_factory.mktemp("studio")) as (url, _):
        yield url


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def phone(browser: Browser) -> Iterator[BrowserContext]:
    """Narrow, sharp, and held in a hand."""
    context = browser.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, device_scale_factor=3, accept_downloads=True
    )
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext, server: str) -> Page:
    return opened(context.new_page(), server)


def opened(page: Page, url: str) -> Page:
    """The studio's page, once its settings were restored."""
    page.goto(url)
    page.get_by_role("tab", name="Text to image").wait_for()
    page.get_by_role("button", name="Create").wait_for()
    page.locator("html[data-texttoimage=restored][data-write=restored]").wait_for()
    return page


def unfold(page: Page, name: str) -> None:
    """Open a fold of the form. Gradio writes the values of its fields once more a frame later, over what is filled in before that."""
    page.get_by_role("button", name=name).locator("visible=true").first.click()
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 200))))")


STILL = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(
  document.getAnimations().every((one) => one.playState !== "running" || one.effect?.getComputedTiming().endTime === Infinity)))))"""


def settled(page: Page) -> None:
    """Wait until what was laid out is drawn, and nothing is on its way to another place or colour."""
    page.wait_for_function(STILL)


LINKS = "[...document.querySelectorAll('.downloads a')].filter((link) => link.offsetParent).map((link) => link.href).join()"


def clear_status(page: Page) -> None:
    """So that what is said next is not mistaken for what was said before."""
    page.evaluate("document.querySelectorAll('.status p').forEach((line) => (line.textContent = ''))")


def made(page: Page, press: Callable[[], object]) -> None:
    """Start a run, and wait until it is over and its own files can be taken."""
    before = page.evaluate(LINKS)
    clear_status(page)
    press()
    expect(page.locator(".status p:visible").first).to_contain_text("Done in", timeout=LONG)
    page.wait_for_function(f"(before) => {LINKS} !== before", arg=before)


def remembered(page: Page, kind: str) -> None:
    """Wait until the browser keeps the form of a first run."""
    page.wait_for_function("(key) => localStorage.getItem(key) !== null", arg=f"atelier-{kind}")
