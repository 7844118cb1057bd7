"""A public studio in two real browsers at once: each sees their own, nothing of the page is held back by its policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from tests.browser.conftest import PATIENCE, made, opened
from tests.serving import running

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def address(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running(starter_cache, tmp_path_factory.mktemp("public"), "--mode", "public") as (url, _):
        yield url


@pytest.fixture
def browsers(browser: Browser) -> Iterator[tuple[BrowserContext, BrowserContext]]:
    contexts = browser.new_context(viewport={"width": 1280, "height": 900}), browser.new_context(viewport={"width": 1280, "height": 900})
    for context in contexts:
        context.set_default_timeout(PATIENCE)
    yield contexts
    for context in contexts:
        context.close()


def heard(page: Page) -> list[str]:
    """What the page complains of from now on."""
    said: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        if message.type == "error":
            said.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


def test_two_visitors_at_once_see_their_own_alone_and_find_it_again(address: str, browsers: tuple[BrowserContext, BrowserContext]) -> None:
    pages = [context.new_page() for context in browsers]
    complaints = [heard(page) for page in pages]
    for page in pages:
        opened(page, address)
        expect(page.get_by_text("for 24 hours after your last visit")).to_be_visible()
    for page, prompt in zip(pages, ("a red apple", "a blue fish"), strict=True):
        page.get_by_label("Prompt", exact=True).fill(prompt)
        made(page, page.get_by_role("button", name="Create").click)
    for page, prompt, other in zip(pages, ("a red apple", "a blue fish"), ("a blue fish", "a red apple"), strict=True):
        opened(page, address)
        page.get_by_role("tab", name="Library").click()
        page.locator(".shelf[data-ready]").wait_for()
        expect(page.locator(".shelf")).to_contain_text("1 creation")
        shelf = page.locator(".shelf").inner_html()
        assert prompt in shelf and other not in shelf
    assert complaints == [[], []]


def test_every_tab_works_under_the_policy_and_a_script_that_slips_in_does_not(address: str, browsers: tuple[BrowserContext, ...]) -> None:
    page = browsers[0].new_page()
    complaints = heard(page)
    opened(page, address)
    for name in ("Inpaint", "Music", "Writing", "Narration", "Library", "Models"):
        page.get_by_role("tab", name=name).first.click()
        page.wait_for_timeout(500)
    assert complaints == []
    handlers = '<img src=x onerror="window.slipped = 1"><svg onload="window.slipped = 1"></svg>'
    page.evaluate("(html) => document.body.insertAdjacentHTML('beforeend', html)", handlers)
    page.evaluate("document.body.append(document.createRange().createContextualFragment('<script>window.slipped = 1</script>'))")
    page.wait_for_timeout(500)
    assert page.evaluate("window.slipped") is None
    assert any("Content Security Policy" in words for words in complaints)


def test_a_browser_that_keeps_no_cookie_is_told_how_to_keep_its_work(address: str, browsers: tuple[BrowserContext, ...]) -> None:
    context = browsers[0]
    page = context.new_page()
    page.route("**/*", lambda route: route.continue_(headers={k: v for k, v in route.request.headers.items() if k != "cookie"}))
    page.add_init_script("Object.defineProperty(document, 'cookie', { get: () => '' })")
    page.on("response", lambda _: context.clear_cookies())
    opened(page, address)
    expect(page.get_by_role("link", name="Open the studio in a tab of its own")).to_be_visible()
