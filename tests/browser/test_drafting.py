"""A storyboard drafted by a writer, in a real browser and over HTTP: panels of words, changed, made into pictures, undone, stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from studio import models, sources
from studio.settings import Settings
from studio.studio import places
from tests.browser.conftest import PATIENCE
from tests.browser.test_library import barriers, press
from tests.browser.test_storyboard import faces, opened, said, show
from tests.serving import running

PREMISE = "An old lighthouse keeper teaches a lost gull to fly home."
CARD = """
[[card]]
name = "Another writer"
engine = "gguf"
serves = ["write"]
quality = 1
memory_gb = 0.3
source = {{ kind = "file", path = '{file}' }}
"""


@pytest.fixture(scope="module")
def address(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio that has a writer beside its starter: the same weights, of which this card says nothing that would speak against a draft."""
    folder = tmp_path_factory.mktemp("drafting")
    [starter] = [card for card in models.discover() if card.starter and "write" in card.serves]
    ready = sources.ready(starter, places(Settings(home=folder / "home", cache=starter_cache, offline=True)))
    assert ready is not None and ready.files is not None
    cards = folder / "models.toml"
    cards.write_text(CARD.format(file=ready.files), "utf-8")
    with running(starter_cache, folder, "--models", str(cards)) as (url, _):
        yield url


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(PATIENCE)
    yield opened(context.new_page(), address, "Storyboard")
    context.close()


def asked(page: Page, panels: int) -> None:
    """The form as it is before a draft."""
    page.get_by_label("Writer").click()
    page.get_by_role("option", name="Another writer").click()
    page.get_by_label("Premise").fill(PREMISE)
    count = page.locator(".drafting input[type=number]")
    count.fill(str(panels))
    count.blur()
    expect(page.get_by_role("button", name="Draft panels")).to_be_enabled()


def test_panels_are_drafted_changed_painted_and_undone(page: Page, address: str) -> None:
    # 1. With the starter it is greyed, and says what would do it.
    expect(page.get_by_role("button", name="Draft panels")).to_be_disabled()
    expect(page.get_by_text("is more than SmolLM2 135M does well: choose Another writer")).to_be_visible()
    # 2. By keys alone, once the form is filled.
    asked(page, 2)
    page.get_by_label("Premise").press("Control+Enter")
    expect(page.locator(".board .panel")).to_have_count(2, timeout=PATIENCE)
    expect(said(page)).to_contain_text("2 panels drafted")
    expect(page.locator(".board .origin")).to_have_text(["AI words", "AI words"])
    assert page.get_by_label("Caption of panel 1").input_value() and page.get_by_label("Words for the picture of panel 2").input_value()
    # 3. What a person changes is kept, and told apart.
    page.get_by_label("Caption of panel 1").fill("It begins.")
    page.get_by_label("Caption of panel 1").blur()
    expect(said(page)).to_have_text("The caption is kept.")
    expect(page.locator(".board .origin").first).to_have_text("AI words, edited")
    page.get_by_label("Words for the picture of panel 2").fill("a blue mug")
    page.get_by_label("Words for the picture of panel 2").blur()
    expect(said(page)).to_have_text("The words of the picture are kept.")
    faces(page).nth(1).press("Alt+ArrowLeft")
    expect(said(page)).to_have_text("Moved to place 1 of 2.")
    # 4. A second draft stands behind it, and one press takes it back.
    page.get_by_role("button", name="Draft panels").click()
    expect(page.locator(".board .panel")).to_have_count(4, timeout=PATIENCE)
    press(page, "Undo")
    expect(page.locator(".board .panel")).to_have_count(2)
    # 5. Its words make a picture, which takes its place.
    page.get_by_role("button", name="Make the picture of panel 1").click()
    expect(page.get_by_label("Prompt", exact=True).first).to_have_value("a blue mug")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Send to Storyboard").first.wait_for()
    page.locator(".status", has_text="Done in").first.wait_for()
    page.locator(".send:visible", has_text="Send to Storyboard").click()
    page.locator(".board .panel .face img:visible").wait_for()
    expect(page.locator(".board .panel")).to_have_count(2)
    # 6. All of it is there after a reload.
    opened(page, address, "Storyboard")
    expect(page.locator(".board .panel")).to_have_count(2)
    expect(page.get_by_label("Caption of panel 2")).to_have_value("It begins.")
    expect(page.locator(".board .origin")).to_have_text(["AI words", "AI words, edited"])
    assert barriers(page) == set()


def test_a_draft_is_stopped_and_what_was_whole_is_kept(page: Page) -> None:
    before = page.locator(".board .panel").count()
    asked(page, 12)
    page.get_by_role("button", name="Draft panels").click()
    page.locator(".storyboard .status progress, .storyboard .status .bar, .storyboard .status :text('Writing')").first.wait_for()
    page.keyboard.press("Escape")
    expect(page.locator(".storyboard").get_by_text("Stopped").first).to_be_visible(timeout=PATIENCE)
    assert before <= page.locator(".board .panel").count() < before + 12


def test_a_program_drafts_panels_and_is_refused_in_words(address: str) -> None:
    def call(**given: object) -> tuple[str, object]:
        begun = httpx.post(f"{address}/gradio_api/call/v2/storyboard_draft", json=given, timeout=PATIENCE / 1000)
        with httpx.stream("GET", f"{address}/gradio_api/call/storyboard_draft/{begun.json()['event_id']}", timeout=PATIENCE / 1000) as told:
            events = "".join(told.iter_text()).strip().split("\n\n")
        kind, data = (line.split(": ", 1)[1] for line in events[-1].split("\n"))
        return kind, json.loads(data)

    kind, data = call(premise=PREMISE, panels=2, model="Another writer", project="Gulls", seed=7)
    assert kind == "complete" and isinstance(data, list), data
    assert data[0]["project"] == "Gulls" and [panel["origin"] for panel in data[0]["panels"]] == ["machine", "machine"]
    for given, words in (
        ({"premise": PREMISE}, "is more than SmolLM2 135M does well"),
        ({"premise": " ", "model": "Another writer"}, "Premise is empty"),
        ({"premise": PREMISE, "panels": 99, "model": "Another writer"}, "Panels must be a whole number from 2 to 12"),
        ({"premise": PREMISE, "model": "nobody"}, "needs a writer"),
    ):
        kind, data = call(**given)
        assert kind == "error" and words in str(data), data


def test_on_a_phone_in_the_dark_the_controls_fit(browser: Browser, address: str) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    context.set_default_timeout(PATIENCE)
    page = opened(context.new_page(), address, "Storyboard", "dark")
    show(page, "Storyboard")
    asked(page, 2)
    page.get_by_role("button", name="Draft panels").click()
    expect(page.locator(".board .panel .seen").last).to_be_visible(timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert barriers(page) == set()
    context.close()
