"""The document editor in a real browser, on a page of its own over a real library: a script writes in place of a model."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.browser.conftest import settled
from tests.browser.editor_page import STORY
from tests.serving import alone

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
BEGIN = "The lighthouse stood at the end of the world.\n\nInside, an old man wound the clock."
LONG = "The night was long and grey over the harbour, and nobody had a word for it.\n" * 1400

SELECT = "([start, end]) => atelierEditor.current().surface.select(start, end ?? start)"
CARET = (
    "() => { const { surface } = atelierEditor.current(); return surface.rects(surface.selection.start, surface.selection.start)[0].top; }"
)
SPANS = "() => atelierEditor.current().edits.known.map(([length, origin]) => [length, origin])"
BLOCKS = """() => new Promise((done) => {
  const seen = new Set();
  const block = (target) => target.closest?.(".mirror > div") ?? target.parentElement;
  const watch = new MutationObserver((all) => all.forEach(({ target }) => seen.add(block(target))));
  watch.observe(document.querySelector(".mirror"), { subtree: true, childList: true, characterData: true });
  document.execCommand("insertText", false, "x");
  requestAnimationFrame(() => setTimeout(() => done([seen.size, document.querySelectorAll(".mirror > div").length])));
})"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with alone("editor_page", tmp_path_factory.mktemp("editor")) as url:
        yield url


@pytest.fixture
def page(context: BrowserContext, address: str) -> Page:
    page = opened(context.new_page(), address)
    fresh(page)
    return page


def opened(page: Page, address: str, theme: str = "light") -> Page:
    page.goto(f"{address}?__theme={theme}")
    page.locator(".editor[data-ready]").wait_for()
    return page


def fresh(page: Page, text: str = BEGIN) -> None:
    """A new document with that text, saved."""
    button(page, "Documents").click()
    button(page, "New document").click()
    expect(field(page)).to_have_value("")
    expect(button(page, "Close")).to_have_count(0)  # the list of documents gave its place to the new one
    field(page).focus()
    page.keyboard.insert_text(text)
    saved(page)


def field(page: Page) -> Locator:
    return page.get_by_label("Document", exact=True)


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def saved(page: Page) -> None:
    expect(page.locator('.editor[data-state="saved"] .saved')).to_have_text("Saved")


def said(page: Page) -> Locator:
    return page.locator(".editor .said")


def script(page: Page, **values: str) -> None:
    """What is written next, in how many takes, with how long a pause."""
    for name, value in values.items():
        page.get_by_label(name.capitalize(), exact=True).fill(value)
        page.get_by_label(name.capitalize(), exact=True).blur()


def told(page: Page) -> dict[str, Any]:
    return json.loads(page.locator("#told textarea").input_value())


def test_what_is_written_is_kept_undone_found_again_and_branched(page: Page, context: BrowserContext, address: str) -> None:
    text = f"{BEGIN}\n\nשלום עולם 🌻👩‍🚀 e\u0301"
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("\n\nשלום עולם 🌻👩‍🚀 e\u0301")
    saved(page)
    page.evaluate(SELECT, [text.index("🌻"), text.index("🌻") + 2])
    page.keyboard.insert_text("🌼")
    saved(page)
    page.keyboard.press("Control+z")
    expect(field(page)).to_have_value(text)
    page.keyboard.press("Control+z")
    expect(field(page)).to_have_value(BEGIN)
    button(page, "Redo").click()
    button(page, "Redo").click()
    expect(field(page)).to_have_value(text.replace("🌻", "🌼"))
    page.reload()
    expect(field(page)).to_have_value(text.replace("🌻", "🌼"))
    button(page, "Versions").click()
    page.get_by_role("treeitem").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(field(page)).to_have_value(BEGIN)
    other = opened(context.new_page(), address)
    expect(field(other)).to_have_value(BEGIN)
    for one, words in ((page, "Here. "), (other, "There. ")):
        field(one).focus()
        one.keyboard.press("Control+Home")
        one.keyboard.insert_text(words)
        saved(one)
    expect(said(other)).to_contain_text("kept as a branch")
    expect(field(other)).to_have_value(f"There. {BEGIN}")
    button(other, "Versions").click()
    expect(other.get_by_role("treeitem").first).to_have_attribute("aria-level", "1")
    expect(other.locator('[role=treeitem][aria-level="2"]')).to_have_count(3)


@pytest.mark.thorough
def test_a_take_streams_in_while_one_writes_elsewhere_and_other_words_can_be_taken(page: Page, context: BrowserContext) -> None:
    script(page, pause="0.15")
    page.evaluate(SELECT, [len(BEGIN)])
    button(page, "Continue").click()
    page.locator(".mirror .live").first.wait_for()
    page.evaluate(SELECT, [4])
    page.keyboard.type("old ")
    hand = context.new_cdp_session(page)  # an input method composes a word while more comes
    hand.send("Input.imeSetComposition", {"text": "ね", "selectionStart": 1, "selectionEnd": 1})
    hand.send("Input.imeSetComposition", {"text": "ねこ", "selectionStart": 2, "selectionEnd": 2})
    hand.send("Input.insertText", {"text": "猫"})
    page.wait_for_function("() => document.querySelector('.editor textarea').value.includes('keeper')")
    at = field(page).input_value().index("keeper")
    page.evaluate(SELECT, [at])
    page.keyboard.type("old ")
    expect(said(page)).to_contain_text("words are in the document")
    whole = f"The old 猫{BEGIN[4:]}{STORY.replace('keeper', 'old keeper')}"
    expect(field(page)).to_have_value(whole)
    assert page.evaluate("document.querySelector('.editor textarea').selectionStart") == at + 4  # the caret stayed
    saved(page)
    # what was typed into the model's first sentence made that sentence an edited one
    keeper, second = STORY.index("keeper"), STORY.index(" Nobody")
    assert page.evaluate(SPANS) == [
        [len(BEGIN) + 5, "human"], [1, "machine"], [keeper - 1, "edited"], [4, "human"],
        [second - keeper, "edited"], [len(STORY) - second, "machine"],
    ]  # fmt: skip
    expect(page.locator(".editor .share")).to_contain_text("machine-written")

    button(page, "Probabilities").click()
    page.locator(".mirror .token").first.wait_for()
    place = whole.index(" told")
    page.evaluate(SELECT, [place + 1])
    button(page, "Other words").click()
    expect(page.get_by_role("option")).to_have_text(
        [re.compile("^told"), re.compile("^sea20 %"), re.compile("^night"), re.compile("^new line")]
    )
    script_now = page.get_by_label("Script").input_value()
    assert script_now == STORY
    page.get_by_role("option", name="sea").click()
    expect(field(page)).to_have_value(f"{whole[:place]} sea{STORY}")
    assert told(page)["action"] == "continue" and told(page)["start"] == place + 4
    expect(said(page)).to_contain_text("words are in the document")  # while a text comes there is nothing to undo
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(field(page)).to_have_value(whole)


def test_a_rewrite_is_taken_by_halves_and_takes_come_as_cards(page: Page) -> None:
    start = BEGIN.index("an old")
    script(page, script="a very old man mended <b>the</b> clock.")
    page.evaluate(SELECT, [start, len(BEGIN)])
    button(page, "Rewrite").click()
    page.locator(".review").wait_for()
    assert told(page)["meant"] == BEGIN[start:]
    expect(page.locator(".review b")).to_have_count(0)
    page.get_by_role("button", name="Accept change").first.click()
    page.get_by_role("button", name="Refuse change").last.click()
    button(page, "Apply").click()
    expect(said(page)).to_contain_text("1 change")
    expect(field(page)).to_have_value(re.compile(r"Inside, a very old man wound the clock\.$|Inside, a old man wound the clock\.$"))
    saved(page)
    assert any(origin == "machine" for _, origin in page.evaluate(SPANS))
    page.keyboard.press("Control+z")
    expect(field(page)).to_have_value(BEGIN)

    script(page, count="3", script=" The end.")
    page.evaluate(SELECT, [len(BEGIN)])
    button(page, "Continue").click()
    expect(button(page, "Insert")).to_have_count(3)
    button(page, "Discard").first.click()
    button(page, "Insert").first.click()
    expect(field(page)).to_have_value(f"{BEGIN} The end.")
    button(page, "Discard all").click()
    script(page, count="1", script="Stars\nSails")
    button(page, "All actions").click()
    page.get_by_role("menuitem", name="Suggest titles").click()
    button(page, "Insert at the cursor").wait_for()
    expect(page.get_by_role("region", name="Text of Suggest titles")).to_have_text("Stars\nSails")
    assert told(page)["meant"] == f"{BEGIN} The end."
    expect(field(page)).to_have_value(f"{BEGIN} The end.")


@pytest.mark.thorough
def test_what_could_not_be_saved_comes_back_on_another_page(page: Page, context: BrowserContext, address: str) -> None:
    for way in ("**/run/predict", "**/queue/join*"):
        context.route(way, lambda route: route.abort())
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(" Nobody knew. 🌻")
    expect(page.locator(".editor .saved")).to_contain_text("trying again")
    page.wait_for_function("() => Object.keys(localStorage).some((name) => name.startsWith('atelier-editor:'))")
    page.close()
    context.unroute_all()
    again = opened(context.new_page(), address)
    expect(field(again)).to_have_value(f"{BEGIN} Nobody knew. 🌻")
    expect(said(again)).to_contain_text("is saved")
    assert again.evaluate("() => Object.keys(localStorage).filter((name) => name.startsWith('atelier-editor:')).length") == 0


@pytest.mark.thorough
def test_a_key_in_a_long_text_lays_out_one_paragraph_and_the_view_stays_where_it_is(page: Page) -> None:
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(LONG)
    saved(page)
    page.evaluate(SELECT, [len(LONG) // 2])
    changed, blocks = page.evaluate(BLOCKS)
    assert blocks == 1401 and changed == 1
    top = page.evaluate("document.querySelector('.view').scrollTop")
    word = page.evaluate(
        "() => atelierEditor.current().surface.rects(...Array(2).fill(atelierEditor.current().surface.selection.start))[0].top"
    )
    page.evaluate("() => atelierEditor.current().edits.put([{ start: 0, end: 0, text: 'Above.\\n\\n', origin: 'human', creation: '' }])")
    now = page.evaluate(
        "() => atelierEditor.current().surface.rects(...Array(2).fill(atelierEditor.current().surface.selection.start))[0].top"
    )
    assert abs(now - word) < 2 and page.evaluate("document.querySelector('.view').scrollTop") > top > 0


@pytest.mark.thorough
def test_nobody_is_shut_out(context: BrowserContext, address: str) -> None:
    page = opened(context.new_page(), address, "dark")
    found: set[str] = set()

    def look(where: str) -> None:
        settled(page)
        violations = Axe().run(page, options=RULES).response["violations"]
        found.update(f"{where}: {one['id']}: {one['nodes'][0]['html'][:160]}" for one in violations)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), where

    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        fresh(page)
        page.keyboard.press("Tab")  # by keys alone from here
        page.evaluate(SELECT, [len(BEGIN)])
        button(page, "Continue").press("Enter")
        expect(said(page)).to_contain_text("words are in")
        look(f"text {width}")
        button(page, "Probabilities").press("Space")
        page.locator(".mirror .token").first.wait_for()
        page.evaluate(SELECT, [len(BEGIN) + 2])
        page.keyboard.press("Alt+Enter")
        expect(page.get_by_role("option").first).to_be_focused()
        look(f"words {width}")
        page.keyboard.press("Escape")
        expect(field(page)).to_be_focused()
        button(page, "Probabilities").press("Space")
        page.evaluate(SELECT, [0, 14])
        button(page, "Change tone").press("Enter")
        look(f"asked {width}")
        page.keyboard.press("Escape")
        button(page, "Rewrite").press("Enter")
        page.locator(".review").wait_for()
        button(page, "All actions").press("Enter")
        look(f"changes {width}")
        page.keyboard.press("Escape")
        button(page, "Discard all").press("Enter")
        button(page, "Versions").press("Enter")
        page.get_by_role("treeitem").first.wait_for()
        look(f"versions {width}")
        page.keyboard.press("Escape")
        expect(button(page, "Versions")).to_be_focused()
    assert not found
