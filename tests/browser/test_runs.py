"""Runs and the page in a real browser: a reload finds its run again, and after a crash the studio offers to run it once more."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import opened
from tests.serving import running

LONG = 120_000


def music(page: Page, server: str) -> Page:
    opened(page, server)
    page.locator("html[data-music=restored]").wait_for()
    page.get_by_role("tab", name="Music").click()
    page.locator(".player[data-ready]").wait_for()
    return page


def begin(page: Page) -> None:
    """A piece that takes minutes."""
    page.get_by_label("Prompt", exact=True).locator("visible=true").first.fill("a long cinematic piece")
    page.get_by_label("Duration", exact=True).locator("visible=true").first.fill("280")
    page.get_by_role("button", name="Create", exact=True).locator("visible=true").first.click()
    page.locator(".status progress:visible").first.wait_for(timeout=LONG)


@pytest.mark.thorough
def test_a_reload_follows_its_run_and_can_stop_it_and_a_crash_offers_to_run_again(
    context: BrowserContext, starter_cache: Path, tmp_path: Path
) -> None:
    with running(starter_cache, tmp_path) as (server, process):
        page = music(context.new_page(), server)
        begin(page)
        page = music(page, server)
        expect(page.locator(".status progress:visible").first).to_be_visible(timeout=LONG)
        page.get_by_role("button", name="Stop", exact=True).locator("visible=true").first.click()
        expect(page.locator(".status p:visible").first).to_contain_text("Stopped", timeout=LONG)
        expect(page.locator(".interrupted:visible")).to_have_count(0)
        begin(page)
        os.kill(process, signal.SIGKILL)
    with running(starter_cache, tmp_path) as (server, _):
        page = music(page, server)
        line = page.locator(".interrupted:visible")
        expect(line).to_contain_text("“a long cinematic piece” was interrupted")
        page.get_by_label("Prompt", exact=True).locator("visible=true").first.fill("")
        line.get_by_role("button", name="Run again").click()
        page.locator(".status progress:visible").first.wait_for(timeout=LONG)
        expect(page.get_by_label("Duration", exact=True).locator("visible=true").first).to_have_value("280")
        expect(page.locator(".interrupted:visible")).to_have_count(0)
