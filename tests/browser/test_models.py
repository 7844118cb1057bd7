"""The models tab as a person uses it: load a model, keep it, let it go."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import LONG


def test_a_model_is_loaded_kept_and_unloaded(page: Page) -> None:
    page.get_by_role("tab", name="Models").click()
    page.locator(".known summary", has_text="Text to image").wait_for()
    page.get_by_role("button", name="Load Atelier Icons").first.click()
    expect(page.locator(".models .status p:visible")).to_contain_text("Atelier Icons is in memory", timeout=LONG)
    line = page.locator(".residents tbody tr", has_text="icons")
    expect(line).to_be_visible()
    expect(page.locator(".residents .sum")).to_contain_text(re.compile(r"\d+ MB of [\d.]+ GB in use"))
    line.get_by_role("button", name=re.compile("^Keep")).click()
    expect(line.locator("button[aria-pressed=true]")).to_be_visible()
    page.get_by_role("button", name="What came and went").click()
    expect(page.locator(".moments li").first).to_contain_text("Loaded")
    line.get_by_role("button", name=re.compile("^Unload")).click()
    expect(line).to_have_count(0)
