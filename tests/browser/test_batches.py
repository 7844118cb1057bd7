"""The tab of batches in a real browser: a list is started, told what to do, survives a reload, and its results are in the library."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.conftest import LONG, opened, settled
from tests.browser.test_access import ALLOWED, RULES


def show(page: Page) -> Page:
    tab = page.get_by_role("tab", name="Batches")
    if not tab.is_visible():
        page.locator(".overflow-menu > button").click()
        tab = page.locator(".overflow-dropdown button", has_text="Batches")
    tab.click()
    page.get_by_label("Prompts, one a line").wait_for()
    settled(page)
    return page


@pytest.mark.thorough
def test_a_list_is_made_told_what_to_do_and_found_again(page: Page, context: BrowserContext, server: str, tmp_path: Path) -> None:
    show(page)
    page.get_by_label("Prompts, one a line").fill("a red apple\n\na blue fish\na green leaf\na yellow star")
    page.get_by_label("Name").locator("visible=true").fill("Four icons")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator(".batches .status p:visible")).to_contain_text("4 are on their way", timeout=LONG)
    batch = page.locator(".batch", has_text="Four icons")
    expect(batch.locator(".far")).to_contain_text("4 of 4 made", timeout=LONG)
    page.screenshot(path=tmp_path / "batches.png")
    found = Axe().run(page, options=RULES).response["violations"]
    assert [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found if one["id"] not in ALLOWED] == []

    again = show(opened(context.new_page(), server))
    expect(again.locator(".batch h3")).to_contain_text("Four icons")
    again.get_by_label("Prompts, one a line").fill("a cat\n" + "x" * 4001)
    again.get_by_role("button", name="Start", exact=True).click()
    expect(again.locator(".batches .status p:visible")).to_contain_text("Line 2: Prompt is 4,001 characters long")
    again.get_by_role("button", name="Take off the list: Four icons").click()
    expect(again.locator(".batch-list .none")).to_contain_text("No batch yet")


@pytest.mark.thorough
def test_a_table_is_paused_put_in_another_order_and_goes_on_under_a_phone(phone: BrowserContext, server: str, tmp_path: Path) -> None:
    page = show(opened(phone.new_page(), server))
    table = tmp_path / "many.csv"
    table.write_text("prompt,count,steps\n" + "".join(f"a red apple number {number},8,30\n" for number in range(1, 31)))
    page.locator(".batches input[type=file]").set_input_files(table)
    expect(page.locator(".batches")).to_contain_text("many.csv")
    page.get_by_label("Name").locator("visible=true").fill("Many")
    page.get_by_role("button", name="Start", exact=True).click()
    batch = page.locator(".batch", has_text="Many")
    batch.get_by_role("button", name="Pause: Many").click(timeout=LONG)
    expect(batch.locator("h3")).to_contain_text("Paused")
    batch.locator("summary").click()
    batch.get_by_role("button", name="First: row 31").click()
    expect(batch.locator("li.waiting").first).to_contain_text("a red apple number 30")
    batch.get_by_role("button", name="Skip: row 30").click()
    expect(batch.locator("li.skipped")).to_contain_text("a red apple number 29")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.screenshot(path=tmp_path / "phone.png", full_page=True)
    batch.get_by_role("button", name="Go on: Many").click()
    batch.get_by_role("button", name="Stop: Many").click()
    expect(batch.locator("h3")).to_contain_text("Stopped")
    batch.get_by_role("button", name="Take off the list: Many").click()
    expect(page.locator(".batch-list .none")).to_contain_text("No batch yet")


@pytest.mark.thorough
def test_what_a_batch_made_is_exported_deleted_for_good_and_comes_back(page: Page, tmp_path: Path) -> None:
    show(page)
    page.get_by_label("Prompts, one a line").fill("a red apple\na blue fish")
    page.get_by_label("Name").locator("visible=true").fill("Come back")
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator(".batch", has_text="Come back").locator(".far")).to_contain_text("2 of 2 made", timeout=LONG)
    page.get_by_role("tab", name="Library").click()
    page.locator(".shelf .bar details summary").click()
    page.get_by_label("Project").locator("visible=true").first.select_option("Come back")
    said, count = page.locator(".shelf .said"), page.locator(".shelf .count")
    expect(count).to_have_text("2 creations")
    cards = page.get_by_role("option").locator("visible=true").and_(page.locator("[data-id], .grid *"))
    cards.first.click(modifiers=["Control"])
    page.keyboard.press("Control+a")
    expect(count).to_have_text("2 creations selected")
    page.get_by_role("button", name="Export", exact=True).click()
    with page.expect_download() as parcel:
        page.get_by_role("dialog").get_by_role("button", name="Export").click()
    parcel.value.save_as(tmp_path / "export.zip")
    page.get_by_role("button", name="Move to trash").click()
    page.get_by_role("button", name="Trash", exact=True).click()
    page.get_by_role("button", name="Empty trash").click()
    page.get_by_role("dialog").get_by_role("button", name="Empty trash").click()
    expect(said).to_contain_text("deleted for good")
    page.get_by_role("button", name="Import an export").click()
    page.locator(".import input[type=file]").set_input_files(tmp_path / "export.zip")
    expect(page.locator(".came p:visible")).to_have_text("2 creations came into the library.")
    page.screenshot(path=tmp_path / "import.png")
    page.get_by_role("button", name="Trash", exact=True).click()
    page.get_by_label("Project").locator("visible=true").first.select_option("Come back")
    expect(count).to_have_text("2 creations")
