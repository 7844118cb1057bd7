"""A timeline in a real browser: by keys and numbers, made into one track; and a cover picture on a take."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from studio.provenance import covers
from tests.browser.conftest import made, unfold
from tests.browser.test_music import downloaded, fill, music, press, score_in


@pytest.fixture
def page(context: BrowserContext, server: str) -> Page:
    return music(context.new_page(), server)


def add(page: Page, seconds: str, words: str) -> None:
    page.get_by_role("button", name="Add a segment").click()
    row = page.locator(".timeline li").last
    row.locator("input.own").fill(words)
    row.locator("input.long").fill(seconds)
    page.keyboard.press("Tab")


@pytest.mark.thorough
def test_segments_are_laid_out_by_keys_and_become_one_track_that_is_given_a_cover(page: Page, tmp_path: Path) -> None:
    fill(page, "Prompt", "a small game in C major, 240 bpm")
    unfold(page, "Timeline")
    add(page, "2", "soft piano alone")
    add(page, "2", "chiptune with drums")
    text = page.locator(".segments-field textarea")
    expect(text).to_have_value("2: soft piano alone\n2: chiptune with drums")
    page.get_by_role("slider", name="End of segment 1").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(text).to_have_value("3: soft piano alone\n2: chiptune with drums")
    expect(page.get_by_role("slider", name="End of segment 1")).to_be_focused()
    made(page, lambda: press(page, "Create"))
    first = downloaded(page, tmp_path, ".flac")
    assert [(section.name, section.bars) for section in score_in(first).sections] == [("soft piano alone", 3), ("chiptune with drums", 2)]
    assert covers.picture_in(first) is None
    Image.new("RGB", (300, 300), (160, 60, 30)).save(tmp_path / "sleeve.png")
    unfold(page, "Cover picture")
    page.locator("input[type=file]:not(.segments)").last.set_input_files(tmp_path / "sleeve.png")
    expect(page.get_by_text("sleeve.png").first).to_be_visible()
    made(page, lambda: press(page, "Put the cover on"))
    expect(page.locator(".player .head img.cover")).to_be_visible()
    assert covers.picture_in(downloaded(page, tmp_path, ".flac")) is not None
