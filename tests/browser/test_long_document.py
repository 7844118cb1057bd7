"""A megabyte of text in the document, in a real browser: cut with a notice, edited, continued from its end, and there after a reload."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.browser.test_words import AREA, fresh, over, text_of

SENTENCE = "The tide came in slowly, and nobody on the pier said a word about it. "
LIMIT = 1_000_000
MOST = 2_000
"""Bytes that a browser may send for a key in it, whatever else the text holds."""
PASTE = "(text) => navigator.clipboard.writeText(text)"
FIELD = "document.querySelector('.editor textarea.words')"
PLACE = f"([start, end]) => {{ {FIELD}.focus(); {FIELD}.setSelectionRange(start, end); }}"


@pytest.mark.thorough
@pytest.mark.parametrize("between", ["", "\n\n"], ids=["one paragraph", "many paragraphs"])
def test_a_megabyte_is_cut_with_a_notice_edited_and_continued(context: BrowserContext, server: str, between: str) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.goto(server)
    fresh(page)
    # 1. Too much of it is cut, and that is said.
    page.evaluate(PASTE, (SENTENCE * 10 + between) * (LIMIT // (10 * len(SENTENCE)) + 90))
    page.locator(AREA).click()
    page.keyboard.press("Control+v")
    expect(page.locator(".editor .said")).to_contain_text("A document holds 1,000,000 characters: the last")
    _saved(page)
    assert len(text_of(page)) == LIMIT
    way = page.evaluate(f"getComputedStyle({FIELD}).unicodeBidi")
    assert way == ("plaintext" if between else "isolate"), "a long paragraph is laid out without looking for its direction"
    # 2. A key sends the key, not the text.
    page.evaluate(PLACE, [LIMIT // 2, LIMIT // 2 + 5000])  # it is full: something gives way
    sent: list[int] = []
    page.on("request", lambda request: sent.append(len(request.post_data_buffer or b"")) if request.method == "POST" else None)
    page.keyboard.insert_text("Then a bell rang. ")
    _saved(page)
    assert sent and max(sent) < MOST
    # 3. It goes on from the end; what was left out of what the writer read is said by the bar, not by a hang.
    before = text_of(page)
    page.evaluate(PLACE, [LIMIT, LIMIT])
    page.get_by_role("button", name="Continue", exact=True).click()
    over(page)
    _saved(page)
    after = text_of(page)
    assert after.startswith(before) and len(after) > len(before)
    # 4. All of it is there after a reload.
    page.reload()
    page.get_by_role("tab", name="Writing").click()
    page.wait_for_function("(count) => document.querySelector('.editor textarea.words')?.value.length === count", arg=_units(after))
    assert "Then a bell rang. " in text_of(page)


def _saved(page: Page) -> None:
    expect(page.locator('.editor[data-state="saved"] .saved')).to_have_text("Saved")


def _units(text: str) -> Any:
    return len(text.encode("utf-16-le")) // 2
