"""What each tab makes, in the library of a new studio: found by its words, starred, tagged, compared, thrown away and taken back."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from tests.browser import test_music as music
from tests.browser import test_words as words
from tests.browser.conftest import made, opened
from tests.browser.test_inpainting import prompt
from tests.browser.test_library import card, count, press, said, search
from tests.browser.test_mask_editor import drag, shows, tool
from tests.serving import running

SIZE = (512, 512)


def test_what_was_made_in_every_tab_is_found_sorted_compared_thrown_away_and_taken_back(
    context: BrowserContext, starter_cache: Path, tmp_path: Path
) -> None:
    with running(starter_cache, tmp_path) as (server, _):
        page = opened(context.new_page(), server)
        made_of_each_kind(page)
        found_sorted_and_thrown_away(page)


def library(page: Page, many: str) -> None:
    page.get_by_role("tab", name="Library").click()
    page.locator(".shelf[data-ready]").wait_for()
    expect(count(page)).to_have_text(many)


def create(page: Page, words: str) -> None:
    prompt(page).fill(words)
    made(page, lambda: press(page, "Create"))


def made_of_each_kind(page: Page) -> None:
    create(page, "a red apple")
    press(page, "Send to Inpainting")
    page.locator(".mask-editor[data-ready]").wait_for()
    shows(page, *SIZE)
    tool(page, "Rectangle")
    drag(page, (130, 130), (380, 380), size=SIZE)
    create(page, "a yellow star")
    page.get_by_role("tab", name="Music").click()
    page.locator(".player[data-ready]").wait_for()
    music.create(page, "calm rainy-night lo-fi piano", "6")
    words.fresh(page)
    words.write(page, "One sentence about a lighthouse.")


def found_sorted_and_thrown_away(page: Page) -> None:
    library(page, "4 creations")
    for asked in ("apple red", "yellow star", "lo-fi piano", "lighthouse sentence"):
        search(page, asked, "1 creation")
    press(page, "Clear filters")
    expect(count(page)).to_have_text("4 creations")
    card(page, "a red apple").click(modifiers=["Control"])
    press(page, "Star")
    expect(said(page)).to_have_text("1 creation starred.")
    press(page, "Tag")
    page.get_by_label("Tag", exact=True).locator("visible=true").first.fill("fruit")
    press(page, "Add tag")
    expect(said(page)).to_have_text("1 creation tagged “fruit”.")
    card(page, "a yellow star").click(modifiers=["Control"])
    press(page, "Compare")
    page.get_by_label("How much of each picture is seen").fill("30")
    expect(page.locator(".differing")).to_contain_text("Prompt")
    press(page, "Back to all")
    press(page, "Select none")
    press(page, "Starred")
    expect(count(page)).to_have_text("1 creation")
    press(page, "Starred")
    expect(count(page)).to_have_text("4 creations")
    search(page, "fruit", "1 creation")
    press(page, "Clear filters")
    expect(count(page)).to_have_text("4 creations")
    text = page.locator(".shelf .card[data-medium=text]").locator("visible=true")
    text.click(modifiers=["Control"])
    press(page, "Move to trash")
    expect(count(page)).to_have_text("3 creations")
    press(page, "Trash")
    expect(count(page)).to_contain_text("1 creation in the trash")
    text.click()
    press(page, "Restore")
    press(page, "Trash")
    expect(count(page)).to_have_text("4 creations")
