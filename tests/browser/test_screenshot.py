"""The pictures of the page that README shows.

Renew them when the page changes: RENEW=screenshot make test TESTS=tests/browser/test_screenshot.py
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page

from tests.browser.conftest import opened, settled
from tests.browser.test_inpainting import create as edit
from tests.browser.test_inpainting import drag, prompt, shows, tool
from tests.browser.test_music import create as compose
from tests.browser.test_music import music
from tests.browser.test_pictures import create
from tests.browser.test_words import fresh, write

SCREENSHOTS = Path(__file__).resolve().parents[2] / "assets" / "screenshots"
RENEW = os.environ.get("RENEW") == "screenshot"


def picture(page: Page, server: str) -> None:
    page.get_by_label("Seed", exact=True).first.fill("7")
    create(page, "a cat on a rocket")


def inpainting(page: Page, server: str) -> None:
    """Marks, and what became of them."""
    page.get_by_label("Seed", exact=True).first.fill("3")
    create(page, "a house on a light blue background")
    page.get_by_role("button", name="Send to Inpainting").click()
    shows(page, 512, 512)
    tool(page, "Ellipse")
    drag(page, (350, 12), (505, 160), size=(512, 512))
    prompt(page).fill("a sun")
    page.get_by_label("Seed", exact=True).locator("visible=true").fill("5")
    edit(page)


def song(page: Page, server: str) -> None:
    """Words, their plan and the take."""
    music(page, server)
    page.get_by_label("Seed", exact=True).locator("visible=true").first.fill("7")
    compose(page, "calm rainy-night lo-fi piano, 72 bpm, A minor, loop")
    page.get_by_role("button", name="Stop", exact=True).locator("visible=true").last.click()  # the player's
    page.get_by_text("Piano roll").click()


def words(page: Page, server: str) -> None:
    """A document, the part of it that a model wrote, and what is read."""
    fresh(page)
    write(page, "Write a product description for a blue ceramic mug.")


def library(page: Page, server: str) -> None:
    """What was made, and one of it open."""
    music(page, server)
    compose(page, "a happy folk tune", "8")
    page = opened(page, server)
    for words in ("a purple castle", "an owl at night", "a blue whale and a small boat"):
        page.get_by_label("Seed", exact=True).first.fill("7")
        create(page, words)
    page.get_by_role("tab", name="Library").click()
    page.locator(".shelf .card").nth(1).click()
    page.locator(".library .opened").get_by_text("an owl at night").first.wait_for()


ACTS = {
    "studio": (900, picture),
    "inpainting": (1300, inpainting),
    "music": (900, song),
    "writing": (900, words),
    "library": (900, library),
}


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "height", "act"), [(name, *rest) for name, rest in ACTS.items()])
def test_a_screenshot_is_of_this_shape_and_stays_small(
    request: pytest.FixtureRequest, name: str, height: int, act: Callable[[Page, str], None]
) -> None:
    file = SCREENSHOTS / f"{name}.webp"
    if RENEW:
        page = request.getfixturevalue("page")
        act(page, request.getfixturevalue("server"))
        page.mouse.move(5, 5)
        page.evaluate("window.scrollTo(0, 0)")
        page.set_viewport_size({"width": 1280, "height": height})
        settled(page)
        shot = Image.open(io.BytesIO(page.screenshot(clip={"x": 0, "y": 0, "width": 1280, "height": height}))).convert("RGB")
        file.parent.mkdir(parents=True, exist_ok=True)
        shot.save(file, "WEBP", quality=82, method=6)
    with Image.open(file) as kept:
        assert (kept.size, kept.format) == ((1280, height), "WEBP")
    assert file.stat().st_size <= 150_000
