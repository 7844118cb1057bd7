"""What a person does to a prompt and a style: make it longer and take that back, blend, teach the starter their own pictures."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.browser.conftest import LONG, opened, remembered, unfold
from tests.browser.test_pictures import create


@pytest.mark.thorough
def test_a_longer_prompt_can_be_taken_back(page: Page) -> None:
    prompt = page.get_by_label("Prompt", exact=True)
    prompt.fill("a castle")
    page.get_by_role("button", name="Enhance prompt").click()
    expect(page.get_by_role("button", name="Back to my words")).to_be_visible(timeout=LONG)
    expect(prompt).to_have_value(re.compile("castle on a "))
    page.get_by_role("button", name="Back to my words").click()
    expect(prompt).to_have_value("a castle")
    expect(page.get_by_role("button", name="Back to my words")).to_be_hidden()


@pytest.mark.thorough
def test_a_prompt_that_says_it_all_stays_and_the_page_says_why(page: Page) -> None:
    prompt = page.get_by_label("Prompt", exact=True)
    prompt.fill("a red apple on a blue background, glossy")
    page.get_by_role("button", name="Enhance prompt").click()
    expect(page.locator(".status p:visible").first).to_contain_text("says it all", timeout=LONG)
    expect(prompt).to_have_value("a red apple on a blue background, glossy")


@pytest.mark.thorough
def test_two_prompts_blend_and_the_details_say_how(page: Page) -> None:
    unfold(page, "Blend with a second prompt")
    page.get_by_label("Blend with", exact=True).fill("a rocket")
    page.get_by_label("number input for Blend").fill("0.4")
    create(page, "a cat")
    expect(page.locator(".details dl")).to_contain_text("a rocket (0.4)")
    expect(page.locator(".attribution")).to_contain_text("cat")
    expect(page.locator(".attribution")).to_contain_text("rocket")


@pytest.mark.thorough
def test_a_set_of_ones_own_is_a_style_that_stays_until_it_is_deleted(page: Page, server: str, tmp_path: Path) -> None:
    for name, colour in (("blue ogre", "#118ab2"), ("hut", "#3b2a5e")):
        image = Image.new("RGB", (200, 200), "white")
        ImageDraw.Draw(image).ellipse((40, 30, 160, 170), fill=colour)
        image.save(tmp_path / f"{name}.png")
    (tmp_path / "notes.png").write_text("no picture")
    unfold(page, "Teach it your style")
    page.locator(".own-sets input[type=file]").set_input_files(sorted(tmp_path.glob("*.png")))
    expect(page.get_by_label("Names, one a line")).to_have_value("blue ogre\nhut\nnotes")
    page.get_by_label("Name of the set").fill("Dusk")
    page.get_by_label("Licence note").fill("CC0, by me")
    page.get_by_role("button", name="Make the set").click()
    expect(page.get_by_text("My set: Dusk is ready with 2 pictures")).to_be_visible()
    expect(page.get_by_text("notes is no PNG")).to_be_visible()
    expect(page.get_by_label("My set: Dusk")).to_be_checked()
    create(page, "an ogre")
    expect(page.locator(".attribution")).to_contain_text("My set: Dusk, blue ogre, CC0, by me")
    remembered(page, "text_to_image")
    opened(page, server)
    expect(page.get_by_label("My set: Dusk")).to_be_checked()
    unfold(page, "Teach it your style")
    page.get_by_role("button", name="Delete this set").click()
    expect(page.get_by_text("The set is deleted")).to_be_visible()
    expect(page.get_by_label("My set: Dusk")).to_have_count(0)
    expect(page.get_by_label("Mixed")).to_be_checked()
