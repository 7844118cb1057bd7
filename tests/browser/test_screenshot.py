"""The pictures of the page that README shows.

Renew it when the page changes: RENEW=screenshot make test TESTS=tests/browser/test_screenshot.py
"""

from __future__ import annotations

import io
import os
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.browser.test_inpainting import create as edit
from tests.browser.test_inpainting import drag, prompt, shows, tool
from tests.browser.test_music import create as compose
from tests.browser.test_music import music
from tests.browser.test_pictures import create

SCREENSHOTS = Path(__file__).resolve().parents[2] / "assets" / "screenshots"
RENEW = os.environ.get("RENEW") == "screenshot"


def test_the_screenshot_shows_a_page_of_this_shape_and_stays_small(page: Page) -> None:
    page.get_by_label("Seed", exact=True).first.fill("7")
    create(page, "a cat on a rocket")
    page.wait_for_timeout(1500)
    compared(page, "studio.webp", 900)


def test_the_screenshot_of_inpainting_shows_marks_and_what_became_of_them(page: Page) -> None:
    page.get_by_label("Seed", exact=True).first.fill("3")
    create(page, "a house on a light blue background")
    page.get_by_role("button", name="Send to Inpainting").click()
    shows(page, 512, 512)
    tool(page, "Ellipse")
    drag(page, (350, 12), (505, 160), size=(512, 512))
    prompt(page).fill("a sun")
    page.get_by_label("Seed", exact=True).locator("visible=true").fill("5")
    edit(page)
    page.mouse.move(5, 5)
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(1500)
    compared(page, "inpainting.webp", 1300)


def test_the_screenshot_of_music_shows_words_their_plan_and_the_take(page: Page, server: str) -> None:
    music(page, server)
    page.get_by_label("Seed", exact=True).locator("visible=true").first.fill("7")
    compose(page, "calm rainy-night lo-fi piano, 72 bpm, A minor, loop")
    page.get_by_role("button", name="Stop", exact=True).locator("visible=true").last.click()  # the player's
    page.get_by_text("Piano roll").click()
    page.mouse.move(5, 5)
    page.evaluate("window.scrollTo(0, 0)")
    page.wait_for_timeout(1500)
    compared(page, "music.webp", 900)


def compared(page: Page, name: str, height: int) -> None:
    """The upper part of the page against the picture that is kept, by shape and size; kept anew where that is asked for."""
    page.set_viewport_size({"width": 1280, "height": height})
    page.wait_for_timeout(500)
    data = page.screenshot(clip={"x": 0, "y": 0, "width": 1280, "height": height})
    shot, file = Image.open(io.BytesIO(data)).convert("RGB"), SCREENSHOTS / name
    if RENEW:
        file.parent.mkdir(parents=True, exist_ok=True)
        shot.save(file, "WEBP", quality=82, method=6)
    with Image.open(file) as kept:
        assert kept.size == shot.size and file.stat().st_size <= 150_000
