"""Runs and the page in a real browser: a reload finds the run again, and after a crash the studio offers to run it once more."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import opened

LONG = 120_000


def music(page: Page, server: str) -> Page:
    opened(page, server)
    page.locator("html[data-music=restored]").wait_for()
    page.get_by_role("tab", name="Music").click()
    page.locator(".player[data-ready]").wait_for()
    return page


def test_a_reloaded_page_follows_its_run_and_can_stop_it(context: BrowserContext, server: str) -> None:
    page = music(context.new_page(), server)
    page.get_by_label("Prompt", exact=True).locator("visible=true").first.fill("a long cinematic piece")
    page.get_by_label("Duration", exact=True).locator("visible=true").first.fill("280")
    page.get_by_role("button", name="Create", exact=True).locator("visible=true").first.click()
    page.locator(".status progress:visible").first.wait_for(timeout=LONG)
    page = music(page, server)
    expect(page.locator(".status progress:visible").first).to_be_visible(timeout=LONG)
    page.get_by_role("button", name="Stop", exact=True).locator("visible=true").first.click()
    expect(page.locator(".status p:visible").first).to_contain_text("Stopped", timeout=LONG)
