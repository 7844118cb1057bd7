"""The library in a real browser: what was made is found, sorted, compared, thrown away, taken back, exported; by hand and by keys."""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from studio.creations import Creation, Sound
from studio.library import Library
from studio.provenance import pictures, sounds
from studio.provenance.record import Record
from studio.tasks import Compose, Inpaint, Task, TextToImage, Write
from tests.browser.conftest import PATIENCE
from tests.serving import running

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
MODEL = {"name": "Tiny", "licence": "CC0-1.0"}
STORY = "The lighthouse keeper counted the {} until they counted him."


@pytest.fixture(scope="module")
def address(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio whose home holds two pictures (one made of the other), two sounds, two texts and sixty small pictures below them."""
    folder = tmp_path_factory.mktemp("library")
    library = Library(folder / "home")
    for shade in range(60):
        keep(library, TextToImage(prompt=f"shade {shade}", seed=shade), picture=shade)
    first = keep(library, TextToImage(prompt="a red apple", seed=1), picture=200)
    keep(library, Inpaint(prompt="a worm in it", seed=2, image="given.png", mode="redraw"), picture=210, parents=(first.id,))
    for seed, level in ((3, 0.5), (4, 0.1)):
        keep(library, Compose(prompt=f"rain on a roof {seed}", seed=seed), level=level)
    for seed, what in ((5, "waves"), (6, "gulls")):
        keep(library, Write(prompt="a lighthouse", seed=seed), text=STORY.format(what))
    for title in ("The pier", "Newer"):
        library.manuscripts.new("local", "", title, f"A pelican waits. It is {title.lower()}.")
    library.close()
    with running(starter_cache, folder) as (url, _):
        yield url


def keep(
    library: Library, task: Task, picture: int = 0, level: float = 0.0, text: str | None = None, parents: tuple[str, ...] = ()
) -> Creation:
    """One creation as a run would leave it: a picture of one shade, a tone of one loudness, or a text."""
    asked = task.model_dump(mode="json")
    entry = Record(
        schema_version=1, made_by="Atelier", kind=task.kind, task=asked, asked=asked, model=dict(MODEL), software={}, device="cpu",
        seconds=1.0, created=datetime.now(UTC).isoformat(timespec="milliseconds"), parents=list(parents),
    )  # fmt: skip
    if text is not None:
        return library.keep(text.encode(), ".txt", entry, text=text)
    if level:
        wave = (level * np.sin(np.arange(24000) / 20)).astype(np.float32)
        return library.keep(sounds.encode_flac(Sound(np.stack([wave, wave]), 48000), entry), ".flac", entry)
    return library.keep(pictures.encode_png(np.full((64, 64, 3), picture, np.uint8), entry), ".png", entry)


@pytest.fixture(scope="module")
def shown(browser: Browser, address: str) -> Iterator[Page]:
    """One page for all tests: opening one costs more than what most of them do."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    yield opened(context.new_page(), address)
    context.close()


@pytest.fixture
def page(shown: Page) -> Page:
    """The page with nothing opened, selected or filtered."""
    for name in ("Back to all", "Close", "Select none", "Clear filters"):
        button = shown.get_by_role("button", name=name, exact=True).locator("visible=true")
        if button.count():
            button.first.click()
    trash = shown.get_by_role("button", name="Trash", exact=True)
    if trash.get_attribute("aria-pressed") == "true":
        trash.click()
    expect(count(shown)).to_have_text("66 creations")
    shown.locator(".shelf .grid").evaluate("(grid) => { grid.scrollTop = 0; }")
    return shown


def opened(page: Page, address: str, theme: str = "light") -> Page:
    page.goto(f"{address}/?__theme={theme}")
    page.get_by_role("button", name="Create").wait_for()
    library = page.get_by_role("tab", name="Library").or_(page.locator(".overflow-dropdown button", has_text="Library"))
    if not page.get_by_role("tab", name="Library").is_visible():
        page.locator(".overflow-menu > button").click()
    library.first.click()
    page.locator(".shelf[data-ready]").wait_for()
    expect(count(page)).to_have_text("66 creations")
    return page


def count(page: Page) -> Locator:
    return page.locator(".shelf .count")


def said(page: Page) -> Locator:
    return page.locator(".shelf .said")


def card(page: Page, name: str) -> Locator:
    return page.get_by_role("option", name=re.compile(name)).locator("visible=true")


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).locator("visible=true").first.click()


def search(page: Page, words: str, found: str) -> None:
    page.get_by_role("searchbox", name="Search the library").fill(words)
    expect(count(page)).to_have_text(found)


def test_a_picture_is_found_by_its_words_starred_tagged_named_and_found_by_each(page: Page) -> None:
    search(page, "apple red", "1 creation")
    card(page, "a red apple").click()
    expect(page.locator(".leaf .made")).to_contain_text("Made by a machine")
    press(page, "Star")
    expect(said(page)).to_have_text("1 creation starred.")
    page.get_by_label("Add a tag").fill("fruit")
    page.get_by_label("Add a tag").press("Enter")
    expect(said(page)).to_have_text("1 creation tagged “fruit”.")
    press(page, "Rename")
    page.get_by_label("Name", exact=True).fill("Breakfast")
    page.get_by_label("Name", exact=True).press("Enter")
    expect(page.get_by_role("heading", name="Breakfast")).to_be_visible()
    page.get_by_label("Note").fill("for the menu")
    page.get_by_label("Note").blur()
    expect(said(page)).to_have_text("The note is kept.")
    for words in ("fruit", "breakfast", "menu"):
        search(page, "nothing like it", "")
        expect(page.get_by_text("Nothing matches.")).to_be_visible()
        search(page, words, "1 creation")
    press(page, "Clear filters")
    expect(count(page)).to_have_text("66 creations")
    press(page, "Starred")
    expect(count(page)).to_have_text("1 creation")


def test_an_edit_names_what_it_came_from_and_that_what_came_of_it(page: Page) -> None:
    card(page, "a worm in it").click()
    family = page.locator(".lineage")
    expect(family.get_by_text("Came from")).to_be_visible()
    family.get_by_role("button").click()
    expect(page.get_by_text("Came of it")).to_be_visible()
    expect(page.locator(".family .name")).to_have_text("a worm in it")
    expect(page.get_by_role("button", name="Send to Inpainting").locator("visible=true")).to_have_count(1)
    with page.expect_download() as taken:
        page.get_by_role("link", name="Download PNG").click()
    assert pictures.read_record(Path(taken.value.path())) is not None


def test_a_document_is_found_beside_the_creations_and_opens_in_writing(page: Page) -> None:
    search(page, "pelican pier", "")
    found = page.locator(".found-documents")
    expect(found.get_by_role("heading")).to_have_text("1 document in Writing")
    found.get_by_role("button", name="The pier").click()
    expect(page.get_by_role("tab", name="Writing")).to_have_attribute("aria-selected", "true")
    expect(page.locator(".editor[data-ready] input.title")).to_have_value("The pier")
    for words, title in (("pelican newer", "Newer"), ("pelican pier", "The pier")):  # also once there is an editor
        page.get_by_role("tab", name="Library").click()
        search(page, words, "")
        found.get_by_role("button", name=title).click()
        expect(page.locator(".editor[data-ready] input.title")).to_have_value(title)
    page.get_by_role("tab", name="Library").click()
    press(page, "Clear filters")
    expect(found).to_be_hidden()


def test_what_goes_to_the_trash_comes_back_by_undo_or_from_there(page: Page) -> None:
    search(page, "shade 7", "1 creation")
    card(page, "shade 7").click(modifiers=["Control"])
    press(page, "Move to trash")
    expect(said(page)).to_contain_text("1 creation moved to the trash.")
    press(page, "Undo")
    expect(count(page)).to_have_text("1 creation")
    card(page, "shade 7").click(modifiers=["Control"])
    press(page, "Move to trash")
    press(page, "Clear filters")
    expect(count(page)).to_have_text("65 creations")
    press(page, "Trash")
    expect(count(page)).to_contain_text("1 creation in the trash")
    card(page, "shade 7").click()
    press(page, "Restore")
    expect(page.get_by_text("The trash is empty.")).to_be_visible()
    press(page, "Trash")
    expect(count(page)).to_have_text("66 creations")


def test_a_selection_leaves_as_a_zip_with_its_records_or_without(page: Page) -> None:
    card(page, "a worm in it").click(modifiers=["Control"])
    card(page, "gulls").click(modifiers=["Control"])
    expect(count(page)).to_have_text("2 creations selected")
    press(page, "Export")
    with page.expect_download() as whole:
        page.get_by_role("dialog").get_by_role("button", name="Export").click()
    press(page, "Export")
    page.get_by_label("Private: without prompts and records").check()
    with page.expect_download() as bare:
        page.get_by_role("dialog").get_by_role("button", name="Export").click()
    with zipfile.ZipFile(whole.value.path()) as archive:
        assert any(json.loads(archive.read(name)) for name in archive.namelist() if name.endswith(".json"))
    with zipfile.ZipFile(bare.value.path()) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".json")]
        assert not any(b"a worm in it" in archive.read(name) for name in archive.namelist())


def test_like_is_compared_with_like(page: Page) -> None:
    card(page, "gulls").click(modifiers=["Control"])
    card(page, "rain on a roof 3").click(modifiers=["Control"])
    press(page, "Compare")
    expect(said(page)).to_contain_text("Only like can be compared")
    press(page, "Select none")
    card(page, "gulls").click(modifiers=["Control"])
    card(page, "waves").click(modifiers=["Control"])
    press(page, "Compare")
    expect(page.locator(".leaf del")).to_have_text("gulls")
    expect(page.locator(".leaf ins")).to_have_text("waves")
    press(page, "Back to all")
    press(page, "Select none")
    card(page, "roof 3").click(modifiers=["Control"])
    card(page, "roof 4").click(modifiers=["Control"])
    press(page, "Compare")
    expect(page.locator(".player .card").locator("visible=true")).to_have_count(2)
    press(page, "Back to all")
    press(page, "Select none")
    card(page, "a worm in it").click(modifiers=["Control"])
    card(page, "shade 59").click(modifiers=["Control"])
    press(page, "Compare")
    page.get_by_label("How much of each picture is seen").fill("20")
    assert page.locator(".wipe").evaluate("(frame) => frame.style.getPropertyValue('--at')") == "20%"


def test_keys_alone_walk_select_open_star_and_leave(page: Page) -> None:
    page.locator("body").press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    grid = page.get_by_role("listbox", name="Creations")
    grid.focus()
    here = page.locator(".shelf .card.here").locator("visible=true")
    grid.press("Home")
    grid.press("ArrowRight")
    expect(here).to_have_attribute("aria-posinset", "2")
    grid.press(" ")
    grid.press("Shift+ArrowRight")
    expect(count(page)).to_have_text("2 creations selected")
    grid.press("Control+a")
    expect(count(page)).to_have_text("60 creations selected")
    grid.press("Escape")
    expect(count(page)).to_have_text("66 creations")
    grid.press("End")
    expect(here).to_have_attribute("aria-posinset", "60")
    expect(card(page, "shade 0,")).to_have_count(1)
    grid.press("End")
    expect(here).to_have_attribute("aria-posinset", "66")
    assert page.locator(".shelf .card").count() < 66, "only cards near the screen are on the page"
    grid.press("s")
    expect(said(page)).to_have_text("1 creation starred.")
    expect(page.get_by_role("option", name=re.compile("shade 0.*starred"))).to_have_count(1)
    grid.press("Enter")
    expect(page.get_by_role("heading", name="shade 0")).to_be_visible()
    grid.press("Escape")
    expect(page.get_by_role("heading", name="shade 0")).to_be_hidden()
    grid.press("Delete")
    expect(said(page)).to_contain_text("moved to the trash")
    grid.press("Control+z")
    expect(said(page)).to_have_text("1 creation restored.")
    grid.press("s")


@pytest.mark.thorough
def test_a_creation_is_made_again_and_the_two_are_compared(page: Page) -> None:
    card(page, "shade 59").click()
    press(page, "Make again and compare")
    expect(page.locator(".making")).to_contain_text("Made again, not quite the same: the sizes differ")
    expect(count(page)).to_have_text("1 creation selected")


def barriers(page: Page) -> set[str]:
    found = Axe().run(page, options=RULES).response["violations"]
    return {f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found}


@pytest.mark.thorough
def test_nobody_is_shut_out_in_light(page: Page) -> None:
    page.get_by_text("More filters").click()
    card(page, "a worm in it").click()
    expect(page.get_by_role("heading", name="a worm in it")).to_be_visible()
    assert barriers(page) == set()
    page.get_by_text("More filters").click()


@pytest.mark.thorough
def test_nobody_is_shut_out_in_the_dark_and_on_a_phone(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    context.set_default_timeout(PATIENCE)
    page = opened(context.new_page(), address, "dark")
    card(page, "gulls").click()
    expect(page.get_by_role("link", name="Download TXT")).to_be_visible()
    assert page.locator(".shelf").is_hidden(), "one thing at a time"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert barriers(page) == set()
    press(page, "Back to all")
    card(page, "roof 4").locator(".tick").click()
    page.get_by_text("More filters").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    context.close()
