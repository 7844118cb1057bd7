"""Writing as a person uses it: an instruction beside a document."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from docx import Document
from playwright.sync_api import Page, expect

from tests.browser.conftest import LONG, clear_status, opened

AREA = ".editor textarea"
DOCUMENT = "window.atelierEditor.current().document.id"
GROWN = f"(least) => document.querySelector('{AREA}').value.length > least"


def writing(page: Page) -> Page:
    """The tab with a document open in it."""
    page.get_by_role("tab", name="Writing").click()
    page.locator(".editor[data-ready]").wait_for()
    return page


def text_of(page: Page) -> str:
    return page.locator(AREA).input_value()


def fresh(page: Page) -> Page:
    """The tab with an empty document: others of the same studio have written before."""
    writing(page)
    page.get_by_role("button", name="Documents").click()
    before = page.evaluate(DOCUMENT)
    page.get_by_role("button", name="New document").click()
    page.wait_for_function(f"(before) => {DOCUMENT} !== before", arg=before)
    expect(page.locator(AREA)).to_have_value("")
    return page


def typed(page: Page, text: str) -> None:
    """Type at once, and wait until it is kept."""
    page.locator(AREA).fill(text)
    expect(page.locator(".editor .saved")).to_have_text(re.compile("^Saved"))


def over(page: Page, words: str | re.Pattern[str] = "Done in") -> None:
    expect(page.locator(".right .status p:visible").first).to_contain_text(words, timeout=LONG)


def write(page: Page, instruction: str) -> str:
    clear_status(page)
    page.get_by_label("Instruction").fill(instruction)
    page.get_by_role("button", name="Write", exact=True).click()
    over(page)
    expect(page.locator(".editor .said")).to_contain_text("words are in the document")
    return text_of(page)


def test_a_product_description_is_written_in_sensible_words(page: Page) -> None:
    fresh(page)
    text = write(page, "Write a product description for a blue ceramic mug.").casefold()
    assert len(text.split()) >= 8 and re.search("mug|cup|blue|ceramic", text)  # every seed writes other words, and not as many


def test_stop_keeps_the_text_and_write_goes_on_from_the_edited_end(page: Page) -> None:
    fresh(page)
    page.get_by_label("Instruction").fill("Tell a long story about the sea.")
    page.keyboard.press("Control+Enter")
    page.wait_for_function(GROWN, arg=40, timeout=LONG)
    page.keyboard.press("Escape")
    over(page, re.compile("Stopped|Done in"))  # a loaded machine may be done before the press arrives
    kept = text_of(page)
    assert len(kept.split()) > 5
    edited = kept.rstrip() + " Then a whale appeared."
    typed(page, edited)
    clear_status(page)
    page.keyboard.press("Control+Enter")
    page.wait_for_function(GROWN, arg=len(edited) + 10, timeout=LONG)
    page.keyboard.press("Escape")
    over(page, re.compile("Stopped|Done in"))
    assert text_of(page).startswith(edited)


@pytest.mark.thorough
def test_retry_writes_the_last_part_anew(page: Page) -> None:
    fresh(page)
    typed(page, "Outside it was raining.")
    first = write(page, "Go on with this text about rain.")
    assert first.startswith("Outside it was raining.") and len(first) > 30
    clear_status(page)
    page.get_by_role("button", name="Retry").click()
    over(page)
    again = text_of(page)
    assert again.startswith("Outside it was raining.") and again != first
    assert first[23:] not in again, "the take before is gone"


@pytest.mark.thorough
def test_a_text_typed_by_hand_survives_a_reload(page: Page, server: str) -> None:
    fresh(page)
    typed(page, "My own words, not yet finished")
    writing(opened(page, server))
    expect(page.locator(AREA)).to_have_value("My own words, not yet finished")


def test_a_file_becomes_a_document_and_goes_out_again_as_docx(page: Page, tmp_path: Path) -> None:
    writing(page)
    (tmp_path / "harbour.md").write_text("# Harbour\n\nA first line.\n\nA second paragraph.", "utf-8")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Import").click()
    chooser.value.set_files(tmp_path / "harbour.md")
    expect(page.locator(AREA)).to_have_value(re.compile("A second paragraph."))
    page.get_by_role("button", name="Prepare downloads").click()
    link = page.locator("a[download='harbour.docx']")
    link.wait_for()
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "x.docx")
    words = "\n".join(paragraph.text for paragraph in Document(str(tmp_path / "x.docx")).paragraphs)
    assert "A first line." in words and "A second paragraph." in words


@pytest.mark.thorough
def test_a_kind_of_text_fills_the_instruction_and_the_text_goes_to_the_picture_tab(page: Page) -> None:
    fresh(page)
    page.get_by_label("Kind of text").click()
    page.get_by_role("option").nth(1).click()
    expect(page.get_by_label("Instruction")).to_have_value(re.compile(".{11}"))
    page.locator(AREA).fill("a yellow boat")
    page.get_by_role("button", name="Send to Text to image").click()
    expect(page.get_by_role("tab", name="Text to image")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a yellow boat")


@pytest.mark.thorough
def test_lyrics_go_to_their_field_in_the_music_tab_by_one_press(page: Page) -> None:
    fresh(page)
    typed(page, "[Verse]\nRain on the roof")
    page.evaluate("(() => { const one = window.atelierEditor.current(); one.said(one.action('lyrics').title, '[Chorus] The sea'); })()")
    page.locator(".editor .said").get_by_role("button", name="Sing in Music").click()
    expect(page.get_by_role("tab", name="Music")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Lyrics")).to_have_value("[Chorus] The sea")
    expect(page.get_by_label("Lyrics")).to_be_editable()
    writing(page)
    page.get_by_role("button", name="Sing in Music").last.click()
    expect(page.get_by_label("Lyrics")).to_have_value("[Verse]\nRain on the roof")


def test_a_run_that_is_refused_leaves_the_document_free_and_keeps_what_was_typed(page: Page) -> None:
    fresh(page)
    instruction = "a b c " * 4000
    clear_status(page)
    page.get_by_label("Instruction").fill(instruction)
    page.get_by_role("button", name="Write", exact=True).click()
    over(page, "Shorten it")
    expect(page.get_by_label("Instruction")).to_have_value(instruction)
    assert text_of(page) == ""
    page.wait_for_function("window.atelierEditor.current().edits.stream === null")
    write(page, "Say something about the sea.")
    assert text_of(page)
