"""Text to image as a person uses it."""

from __future__ import annotations

import io
import re
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect

from studio.provenance import pictures, record
from studio.tasks import TextToImage
from tests.browser.conftest import LONG, made, opened, remembered, settled, unfold


def create(page: Page, prompt: str) -> None:
    page.get_by_label("Prompt", exact=True).fill(prompt)
    before = page.evaluate(SHOWN)
    made(page, page.get_by_role("button", name="Create").click)
    expect(page.locator(".details dl")).to_contain_text(prompt)
    page.wait_for_function(f"(before) => {SHOWN} !== before", arg=before)


SHOWN = "document.querySelector('[data-testid=detailed-image]')?.src"


def shown(page: Page) -> Image.Image:
    address = page.evaluate(SHOWN)
    assert address
    return Image.open(io.BytesIO(httpx.get(address).content))


def test_a_red_apple_becomes_a_red_picture_whose_download_restores_its_settings(page: Page, tmp_path: Path) -> None:
    create(page, "a red apple")
    expect(page.locator(".details dl")).to_contain_text("a red apple")
    with page.expect_download() as download:
        page.locator(".downloads a", has_text="").first.click()
    saved = tmp_path / "apple.png"
    download.value.save_as(saved)
    found = pictures.read_record(saved)
    assert found is not None
    task = record.task_of(found)
    assert isinstance(task, TextToImage) and task.prompt == "a red apple"
    pixels = np.asarray(Image.open(saved).convert("RGB"), dtype=int)
    painted = pixels[(pixels.min(axis=2) < 200)]
    assert len(painted) > 0.1 * pixels.shape[0] * pixels.shape[1]
    assert (painted[:, 0] > painted[:, 2]).mean() > 0.6, "most of an apple's pixels are redder than blue"

    page.get_by_label("Prompt", exact=True).fill("something else")
    unfold(page, "Advanced")
    page.locator("input[type=file]").first.set_input_files(saved)
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a red apple")
    expect(page.get_by_label("Seed", exact=True).first).to_have_value(str(task.seed))


@pytest.mark.thorough
def test_the_same_seed_gives_the_same_picture_and_another_seed_another(page: Page) -> None:
    page.get_by_label("Seed", exact=True).first.fill("7")
    create(page, "an owl")
    first = shown(page)
    create(page, "an owl")
    assert shown(page).tobytes() == first.tobytes()
    page.get_by_role("button", name="New seed").click()
    create(page, "an owl")
    assert shown(page).tobytes() != first.tobytes()


def test_ctrl_enter_runs_and_escape_stops_and_the_finished_pictures_are_kept(page: Page) -> None:
    page.get_by_label("Prompt", exact=True).fill("a castle")
    page.get_by_label("number input for Pictures").fill("8")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("/Picture [2-7] of 8/.test(document.querySelector('.status').innerText)", timeout=LONG)
    page.keyboard.press("Escape")
    expect(page.locator(".status p:visible").first).to_contain_text(re.compile("Stopped; .* kept"), timeout=LONG)
    expect(page.locator(".gallery img").first).to_be_visible()


def test_a_bad_value_is_one_sentence_and_costs_nothing_that_was_typed(page: Page) -> None:
    unfold(page, "Advanced")
    page.get_by_label("Prompt", exact=True).fill("a boat")
    page.get_by_label("Steps", exact=True).fill("9999")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".status p:visible").first).to_have_text("Steps must be a whole number from 1 to 150.")
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a boat")
    page.get_by_label("Steps", exact=True).fill("")
    create(page, "a boat")


def test_an_empty_prompt_is_refused_in_words(page: Page) -> None:
    page.get_by_label("Prompt", exact=True).fill("")
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".status p:visible").first).to_have_text("Prompt is empty: say what you would like.")


@pytest.mark.thorough
def test_an_example_fills_the_prompt(page: Page) -> None:
    page.get_by_role("button", name="a cat on a rocket").click()
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a cat on a rocket")


def test_the_settings_of_the_last_run_survive_a_reload_and_so_do_the_pictures(page: Page, server: str) -> None:
    create(page, "a green tree")
    remembered(page, "text_to_image")
    opened(page, server)
    expect(page.get_by_label("Prompt", exact=True)).to_have_value("a green tree")
    expect(page.locator(".gallery img").first).to_be_visible()
    expect(page.locator(".details dl")).to_contain_text("a green tree")


@pytest.mark.thorough
def test_pointing_at_a_part_names_its_icon_and_licence(page: Page) -> None:
    create(page, "a red apple")
    image = page.locator(".mapped")
    image.scroll_into_view_if_needed()
    settled(page)
    box, part = image.bounding_box(), page.locator(".part")
    assert box is not None
    for step in range(200):  # the first move only asks for the map
        page.mouse.move(box["x"] + box["width"] * (0.45 + 0.1 * (step % 2)), box["y"] + box["height"] * 0.55)
        if "apple" in part.inner_text():
            break
        page.wait_for_timeout(100)
    expect(part).to_have_text(re.compile("apple.*(Apache-2.0|MIT)"))


@pytest.mark.thorough
def test_a_picture_of_somebody_else_is_refused_in_words(page: Page, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32)).save(tmp_path / "plain.png")
    unfold(page, "Advanced")
    page.locator("input[type=file]").first.set_input_files(tmp_path / "plain.png")
    expect(page.get_by_text("This file carries no settings")).to_be_visible()


def test_the_page_fits_a_phone(phone: BrowserContext, server: str) -> None:
    page = opened(phone.new_page(), server)
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    create(page, "a sun")
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
