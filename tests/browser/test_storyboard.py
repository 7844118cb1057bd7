"""A storyboard in a real browser: pictures are sent to it, put in order by hand and by keys, captioned, and taken away."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from studio.library import Library
from studio.tasks import Compose, TextToImage
from tests.browser.conftest import PATIENCE
from tests.browser.test_library import barriers, card, keep, press
from tests.serving import running

WORDS = ("the sea", "a pier", "a gull", "a storm")


@pytest.fixture(scope="module")
def address(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio whose home holds four pictures and a sound."""
    folder = tmp_path_factory.mktemp("storyboard")
    library = Library(folder / "home")
    for place, words in enumerate(WORDS):
        keep(library, TextToImage(prompt=words, seed=place), picture=60 * place + 20)
    keep(library, Compose(prompt="waves", seed=9), level=0.3)
    library.close()
    with running(starter_cache, folder) as (url, _):
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    yield opened(context.new_page(), address, "Storyboard")
    context.close()


def opened(page: Page, address: str, tab: str, theme: str = "light") -> Page:
    page.goto(f"{address}/?__theme={theme}")
    page.get_by_role("button", name="Create").wait_for()
    show(page, tab)
    return page


def show(page: Page, tab: str) -> None:
    if page.get_by_role("tab", name=tab).is_visible():
        page.get_by_role("tab", name=tab).click()
    else:
        page.locator(".overflow-menu > button").click()
        page.locator(".overflow-dropdown button", has_text=tab).click()
    page.locator({"Storyboard": ".board[data-ready]", "Library": ".shelf[data-ready]"}[tab]).wait_for()


def faces(page: Page) -> Locator:
    return page.locator(".board .face")


def said(page: Page) -> Locator:
    return page.locator(".board .said")


def row(page: Page, *words: str) -> None:
    """The panels stand in this order."""
    expect(page.locator(".board .panel")).to_have_count(len(words))
    for place, one in enumerate(words):
        expect(faces(page).nth(place)).to_have_attribute("aria-label", re.compile(f"Panel {place + 1} of {len(words)}: {one}"))


def test_pictures_are_sent_ordered_captioned_and_taken_away(page: Page, address: str) -> None:
    expect(page.get_by_text("No storyboard yet.")).to_be_visible()
    # 1. One is sent from where it is opened, the others are selected.
    show(page, "Library")
    card(page, "the sea").click()
    press(page, "Send to Storyboard")
    row(page, "the sea")
    show(page, "Library")
    page.locator(".shelf .grid").focus()
    for words in WORDS[1:]:
        card(page, words).click(modifiers=["Control"])
    card(page, "the sea").click(modifiers=["Control"])
    press(page, "Storyboard")
    expect(page.locator(".shelf .said")).to_contain_text("in the storyboard “Storyboard”")
    show(page, "Storyboard")
    row(page, *WORDS)
    # 2. By keys, by buttons, by hand.
    faces(page).nth(2).focus()
    faces(page).nth(2).press("Alt+ArrowLeft")
    row(page, "the sea", "a gull", "a pier", "a storm")
    expect(faces(page).nth(1)).to_be_focused()
    expect(said(page)).to_have_text("Moved to place 2 of 4.")
    page.get_by_role("button", name="Move panel 1 later").click()
    row(page, "a gull", "the sea", "a pier", "a storm")
    expect(said(page)).to_have_text("Moved to place 2 of 4.")
    faces(page).nth(3).drag_to(faces(page).nth(0), target_position={"x": 10, "y": 40})
    row(page, "a storm", "a gull", "the sea", "a pier")
    expect(said(page)).to_have_text("Moved to place 1 of 4.")
    # 3. Words and a sound of its own.
    page.get_by_label("Caption of panel 1").fill("It begins.")
    page.get_by_label("Caption of panel 1").blur()
    expect(said(page)).to_have_text("The caption is kept.")
    page.get_by_label("Sound of panel 1", exact=True).select_option(label="waves")
    expect(said(page)).to_have_text("The sound is kept.")
    expect(page.get_by_role("button", name="Play the sound of panel 1")).to_be_visible()
    # 4. Taken out and back, where it was.
    faces(page).nth(1).press("Delete")
    row(page, "It begins.", "the sea", "a pier")
    press(page, "Undo")
    row(page, "It begins.", "a gull", "the sea", "a pier")
    # 5. All of it is there after a reload, and leaves.
    opened(page, address, "Storyboard")
    row(page, "It begins.", "a gull", "the sea", "a pier")
    with page.expect_download() as taken:
        press(page, "Export page")
    html = Path(taken.value.path()).read_text("utf-8")
    assert html.index("It begins.") < html.index("a gull") and html.count("<audio") == 1
    with page.expect_download() as taken:
        press(page, "Export zip")
    with zipfile.ZipFile(taken.value.path()) as file:
        assert {"001 It begins.png", "002 waves.flac", "003 a gull.png"} <= set(file.namelist())
    faces(page).nth(0).click()
    expect(page.get_by_role("dialog", name="It begins.")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert barriers(page) == set()


def test_on_a_phone_in_the_dark_it_fits_and_nobody_is_shut_out(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    context.set_default_timeout(PATIENCE)
    page = opened(context.new_page(), address, "Library", "dark")
    card(page, "a storm").click()
    press(page, "Send to Storyboard")
    expect(faces(page).first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert barriers(page) == set()
    context.close()
