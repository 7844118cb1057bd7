"""Writing as a person uses it."""

from __future__ import annotations

import re
from pathlib import Path

from docx import Document
from playwright.sync_api import Page, expect

from tests.browser.conftest import LONG, opened


def writing(page: Page) -> Page:
    page.get_by_role("tab", name="Writing").click()
    page.get_by_label("Instruction").wait_for()
    return page


def text_of(page: Page) -> str:
    return page.locator(".document textarea").input_value()


def write(page: Page, instruction: str) -> str:
    page.get_by_label("Instruction").fill(instruction)
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.locator(".status p:visible").first).to_contain_text("Done in", timeout=LONG)
    return text_of(page)


def test_a_product_description_streams_sensible_words(page: Page) -> None:
    writing(page)
    page.get_by_label("Instruction").fill("Write a product description for a blue ceramic mug.")
    watch = "() => { window.seen = new Set(); setInterval(() => seen.add(document.querySelector('.document textarea').value.length), 20); }"
    page.evaluate(watch)
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.locator(".status p:visible").first).to_contain_text("Done in", timeout=LONG)
    text = text_of(page).casefold()
    assert page.evaluate("seen.size") > 2, "the text grows while it is written"
    assert "mug" in text and len(text.split()) > 20
    expect(page.locator(".count p")).to_contain_text("words")


def test_stop_keeps_the_text_and_write_goes_on_from_the_edited_end(page: Page) -> None:
    writing(page)
    page.get_by_label("Instruction").fill("Tell a long story about the sea.")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("document.querySelector('.document textarea').value.split(' ').length > 8", timeout=LONG)
    page.keyboard.press("Escape")
    expect(page.locator(".status p:visible").first).to_contain_text("Stopped", timeout=LONG)
    kept = text_of(page)
    assert len(kept.split()) > 5
    edited = kept.rstrip() + " Then a whale appeared."
    page.locator(".document textarea").fill(edited)
    page.keyboard.press("Control+Enter")
    grown = "(least) => document.querySelector('.document textarea').value.length > least"
    page.wait_for_function(grown, arg=len(edited) + 10, timeout=LONG)
    page.keyboard.press("Escape")
    expect(page.locator(".status p:visible").first).to_contain_text(re.compile("Stopped|Done in"), timeout=LONG)
    assert text_of(page).startswith(edited)


def test_retry_writes_the_last_part_anew(page: Page) -> None:
    writing(page)
    first = write(page, "Write two sentences about rain.")
    page.get_by_role("button", name="Retry").click()
    changed = (
        "before => { const now = document.querySelector('.document textarea').value; return now.length > 20 && !now.startsWith(before); }"
    )
    page.wait_for_function(changed, arg=first, timeout=LONG)
    expect(page.locator(".status p:visible").first).to_contain_text("Done in", timeout=LONG)
    assert text_of(page) and not text_of(page).startswith(first)


def test_a_draft_typed_by_hand_survives_a_reload(page: Page, server: str) -> None:
    writing(page)
    page.locator(".document textarea").fill("My own words, not yet finished")
    page.wait_for_function("() => Object.keys(localStorage).some((key) => key.includes('atelier-write-draft'))", timeout=LONG)
    writing(opened(page, server))
    expect(page.locator(".document textarea")).to_have_value("My own words, not yet finished")


def test_the_document_downloads_as_docx_with_its_words(page: Page, tmp_path: Path) -> None:
    writing(page)
    page.locator(".document textarea").fill("A first line.\n\nA second paragraph.")
    page.get_by_role("button", name="Prepare downloads").click()
    link = page.locator("a[download='atelier.docx']")
    link.wait_for()
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "x.docx")
    words = "\n".join(paragraph.text for paragraph in Document(str(tmp_path / "x.docx")).paragraphs)
    assert "A first line." in words and "A second paragraph." in words


def test_a_kind_of_text_fills_the_instruction(page: Page) -> None:
    writing(page)
    page.get_by_label("Kind of text").click()
    page.get_by_role("option").nth(1).click()
    expect(page.get_by_label("Instruction")).to_have_value(re.compile(".{11}"))


def test_text_goes_to_the_picture_tab(page: Page) -> None:
    writing(page)
    page.locator(".document textarea").fill("a yellow boat")
    page.get_by_role("button", name="Send to Text to image").click()
    expect(page.get_by_role("tab", name="Text to image")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a yellow boat")
