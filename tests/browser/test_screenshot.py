"""The picture of the page that README shows.

Renew it when the page changes: RENEW=screenshot make test TESTS=tests/browser/test_screenshot.py
"""

from __future__ import annotations

import io
import os
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from tests.browser.test_pictures import create

SCREENSHOT = Path(__file__).resolve().parents[2] / "assets" / "screenshots" / "studio.webp"
RENEW = os.environ.get("RENEW") == "screenshot"


def test_the_screenshot_shows_a_page_of_this_shape_and_stays_small(page: Page) -> None:
    page.get_by_label("Seed", exact=True).first.fill("7")
    create(page, "a cat on a rocket")
    page.wait_for_timeout(1500)
    shot = Image.open(io.BytesIO(page.screenshot(clip={"x": 0, "y": 0, "width": 1280, "height": 900}))).convert("RGB")
    if RENEW:
        SCREENSHOT.parent.mkdir(parents=True, exist_ok=True)
        shot.save(SCREENSHOT, "WEBP", quality=82, method=6)
    with Image.open(SCREENSHOT) as kept:
        assert kept.size == shot.size and SCREENSHOT.stat().st_size <= 150_000
