"""A writer's day in a real browser: from an outline to a Word file, from a dropped PDF to its passage, from a word to another one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from docx import Document
from playwright.sync_api import BrowserContext, Locator, Page, expect

from studio.engines import gguf
from studio.models import Package
from tests.browser.conftest import LONG, clear_status, opened, unfold
from tests.serving import running
from tests.test_reading import pdf

SECOND = """[[card]]
name = "Second writer"
engine = "gguf"
serves = ["write"]
licence = "Apache-2.0"
defaults = {{ max_new_tokens = 60, temperature = 0.3, top_p = 0.9, repetition_penalty = 1.1 }}
options = {{ context = 4096 }}
[card.source]
kind = "folder"
path = '{folder}'
"""
"""Of unknown size, so that every action is offered: the starter's own weights, which write anything that they are asked for."""
SENTENCE = "The studio opens at nine. Most people come in the afternoon to paint, and on Fridays there is a class for children."
STOPPED = re.compile("Stopped|Done in")
"""A loaded machine may be done before the press arrives."""
AREA = ".editor textarea"
DOCUMENT = "window.atelierEditor.current().document.id"
LENGTH = f"document.querySelector('{AREA}').value.length"
SELECT = f"""(last) => {{
  const area = document.querySelector('{AREA}');
  area.focus();
  area.setSelectionRange(area.value.length - last, area.value.length);
}}"""
TEXT = f"document.querySelector('{AREA}').value"


@pytest.fixture(scope="module")
def address(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio with a second writer beside the starter."""
    folder = tmp_path_factory.mktemp("journey")
    starter = next(card.source for card in gguf.CARDS if card.starter)
    assert isinstance(starter, Package)
    weights = next((starter_cache / "packages").glob(f"{starter.name}-*/*.gguf"))
    (folder / "models.toml").write_text(SECOND.format(folder=weights.parent), "utf-8")
    with running(starter_cache, folder, "--models", str(folder / "models.toml")) as (url, _):
        yield url


def writing(page: Page, url: str) -> Page:
    tab = opened(page, url).get_by_role("tab", name="Writing")
    if not tab.is_visible():  # too narrow for all
        page.locator(".overflow-menu > button").click()
        tab = page.locator(".overflow-dropdown button", has_text="Writing")
    tab.click()
    page.locator(".editor[data-ready]").wait_for()
    return page


def fresh(page: Page, url: str) -> Page:
    writing(page, url).get_by_role("button", name="Documents").click()
    before = page.evaluate(DOCUMENT)
    page.get_by_role("button", name="New document").click()
    page.wait_for_function(f"(before) => {DOCUMENT} !== before", arg=before)
    expect(page.locator(AREA)).to_have_value("")
    return page


def text_of(page: Page) -> str:
    return page.locator(AREA).input_value()


def saved(page: Page) -> None:
    expect(page.locator(".editor .saved")).to_have_text("Saved")


def to_the_end(page: Page) -> None:
    page.locator(AREA).focus()
    page.keyboard.press("Control+End")


def over(page: Page, press: Callable[[], object], words: str = "Done in") -> None:
    clear_status(page)
    press()
    expect(page.locator(".right .status p:visible").first).to_contain_text(words, timeout=LONG)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def choose(page: Page, model: str) -> None:
    unfold(page, "Model")
    field(page, "Model").click()
    page.get_by_role("option", name=model).click()
    expect(field(page, "Model")).to_have_value(model)


def field(page: Page, name: str) -> Locator:
    return page.locator(".writing").get_by_label(name, exact=True)


def changed(page: Page, press: Callable[[], object]) -> str:
    """The text after something that changes it."""
    before = text_of(page)
    press()
    page.wait_for_function(f"(before) => {TEXT} !== before", arg=before, timeout=LONG)
    saved(page)
    return text_of(page)


def stopped(page: Page, press: Callable[[], object], least: int) -> str:
    """The text after a run that is stopped as soon as there is so much of it."""
    clear_status(page)
    press()
    page.wait_for_function(f"(least) => {LENGTH} > least", arg=least, timeout=LONG)
    button(page, "Stop").click()
    expect(page.locator(".right .status p:visible").first).to_contain_text(STOPPED, timeout=LONG)
    saved(page)
    return text_of(page)


@pytest.mark.thorough
def test_from_an_outline_to_a_word_file(context: BrowserContext, address: str, tmp_path: Path) -> None:
    page = fresh(context.new_page(), address)
    choose(page, "Second writer")
    unfold(page, "Advanced")
    field(page, "Seed").fill("7")

    button(page, "Outline").click()
    page.locator(".editor .asking textarea").fill("growing herbs on a balcony")
    outline = stopped(page, lambda: page.keyboard.press("Enter"), 60)

    to_the_end(page)
    further = stopped(page, button(page, "Continue").click, len(outline) + 10)
    assert further.startswith(outline)

    to_the_end(page)
    page.keyboard.type(" Mint grows by itself because it")
    saved(page)
    continued = stopped(page, button(page, "Continue").click, len(further) + 40)
    assert continued.startswith(f"{further} Mint grows by itself because it")

    page.locator(AREA).fill(f"{continued}\n\n{SENTENCE}")
    saved(page)
    page.evaluate(SELECT, len(SENTENCE))
    over(page, button(page, "Shorten").click)
    pieces = page.get_by_role("button", name=re.compile("^Accept change"))
    pieces.first.wait_for()
    half = max(1, pieces.count() // 2)
    for k in range(half):
        pieces.nth(k).click()
    whole = changed(page, button(page, "Apply").click)
    assert whole.startswith(continued) and whole != f"{continued}\n\n{SENTENCE}"

    steps = [changed(page, button(page, "Undo").click) for _ in range(5)]
    assert len({whole, *steps}) == 6
    writing(page, address)
    expect(page.locator(AREA)).to_have_value(steps[-1])
    for step in [*reversed(steps[:-1]), whole]:
        assert changed(page, button(page, "Redo").click) == step

    button(page, "Prepare downloads").click()
    link = page.locator("a[download$='.docx']")
    link.wait_for()
    with page.expect_download() as download:
        link.click()
    download.value.save_as(tmp_path / "x.docx")
    document = Document(str(tmp_path / "x.docx"))
    words = " ".join(paragraph.text for paragraph in document.paragraphs)
    assert "Mint grows by itself because it" in words
    assert "machine-written" in document.core_properties.comments
    assert any("Second writer" in comment.text for comment in document.comments)


def test_a_dropped_pdf_is_asked_and_the_passage_is_opened_and_quoted(context: BrowserContext, address: str, tmp_path: Path) -> None:
    page = fresh(context.new_page(), address)
    lines = ["The harbour of Lund was closed in 1931 after the great flood.", "Bread was baked in the old mill until the war."]
    (tmp_path / "harbour.pdf").write_bytes(pdf([[(11, line)] for line in lines]))
    unfold(page, "Sources")
    page.locator(".source-files input[type=file]").set_input_files(tmp_path / "harbour.pdf")
    expect(page.locator(".source-list")).to_contain_text("harbour.pdf", timeout=LONG)
    field(page, "Question").fill("When was the harbour closed?")
    button(page, "Find passages").click()
    passage = page.locator(".passages details").first
    passage.wait_for()
    passage.locator("summary").click()
    expect(passage).to_contain_text("closed in 1931")
    changed(page, passage.get_by_role("button", name=re.compile("as a quote")).click)
    assert "1931" in text_of(page)
    number = re.findall(r"\[\d+\]", text_of(page))[-1]
    to_the_end(page)
    page.keyboard.type(f" The harbour was closed in 1953 {number}.")
    saved(page)
    button(page, "Check the citations").click()
    expect(page.locator(".verdicts details.unsupported").first).to_contain_text("1953")
    writing(page, address)
    unfold(page, "Sources")
    expect(page.locator(".source-list")).to_contain_text("harbour.pdf")


@pytest.mark.thorough
def test_another_word_is_taken_by_keyboard_alone(context: BrowserContext, address: str) -> None:
    page = fresh(context.new_page(), address)
    unfold(page, "Advanced")
    field(page, "Longest answer").fill("24")
    field(page, "Probabilities").check()
    field(page, "Instruction").focus()
    page.keyboard.type("Write one sentence about the sea.")
    over(page, lambda: page.keyboard.press("Control+Enter"))
    saved(page)
    first = text_of(page)
    layer = button(page, "Probabilities")
    layer.focus()
    page.keyboard.press("Space")
    expect(layer).to_have_attribute("aria-pressed", "true")
    page.locator(AREA).focus()
    page.keyboard.press("Control+Home")
    for _ in range(first.index(" ", 4) + 2):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Alt+Enter")
    words = page.get_by_role("listbox", name="What else could stand here").get_by_role("option")
    words.nth(1).wait_for()
    chosen = words.nth(1).locator(".word").inner_text()
    page.keyboard.press("ArrowDown")
    clear_status(page)
    page.keyboard.press("Enter")
    expect(page.locator(".right .status p:visible").first).to_contain_text("Done in", timeout=LONG)
    saved(page)
    again = text_of(page)
    assert again != first and chosen in again
    page.locator(AREA).focus()
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(page.locator(AREA)).to_have_value(first)


@pytest.mark.thorough
def test_on_a_phone_the_document_comes_first_and_nothing_is_cut_off(phone: BrowserContext, address: str) -> None:
    page = fresh(phone.new_page(), address)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(AREA).fill("A boat at sea. It was blue.")
    saved(page)
    unfold(page, "Advanced")
    field(page, "Longest answer").fill("16")
    field(page, "Instruction").fill("Go on with the story.")
    over(page, button(page, "Write").click)
    saved(page)
    assert len(text_of(page)) > len("A boat at sea. It was blue.")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    above, below = page.locator(AREA).bounding_box(), field(page, "Instruction").bounding_box()
    assert above is not None and below is not None and above["y"] < below["y"]
