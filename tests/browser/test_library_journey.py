"""All that the library promises, once through: made, found, sorted, compared, sent on, taken away, known again, there after a crash."""

from __future__ import annotations

import json
import os
import re
import signal
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests import foreign_samples
from tests.browser import test_music as music
from tests.browser import test_runs as runs
from tests.browser import test_words as words
from tests.browser.conftest import LONG, made, opened, unfold
from tests.browser.test_inpainting import prompt
from tests.browser.test_library import card, count, press, said, search
from tests.browser.test_mask_editor import drag, shows, tool
from tests.browser.test_provenance import SETTINGS
from tests.serving import running

SIZE = (512, 512)
DROP = "input[type=file][accept*='.avif']"


@pytest.mark.thorough
def test_what_was_made_is_found_kept_and_recognised_and_survives_a_crash(
    context: BrowserContext, starter_cache: Path, tmp_path: Path
) -> None:
    with running(starter_cache, tmp_path) as (server, process):
        page = opened(context.new_page(), server)
        made_of_each_kind(page)
        found_sorted_and_thrown_away(page)
        sent_on_and_back(page)
        assets = exported(page, tmp_path)
        recognised(page, assets)
        settings_of_others(page, tmp_path)
        page.get_by_role("tab", name="Music").click()
        page.locator(".player[data-ready]").wait_for()
        runs.begin(page)
        os.kill(process, signal.SIGKILL)
    with running(starter_cache, tmp_path) as (server, _):
        opened(page, server)
        library(page, "5 creations")
        page.get_by_role("tab", name="Music").click()
        line = page.locator(".interrupted:visible")
        expect(line).to_contain_text("“a long cinematic piece” was interrupted")
        line.get_by_role("button", name="Run again").click()
        page.locator(".status progress:visible").first.wait_for(timeout=LONG)
        press(page, "Stop")
        expect(page.locator(".status p:visible").first).to_contain_text("Stopped", timeout=LONG)


def library(page: Page, many: str) -> None:
    page.get_by_role("tab", name="Library").click()
    page.locator(".shelf[data-ready]").wait_for()
    none = page.get_by_role("button", name="Select none", exact=True).locator("visible=true")
    if none.count():
        none.first.click()
    expect(count(page)).to_have_text(many)


def create(page: Page, words: str) -> None:
    prompt(page).fill(words)
    made(page, lambda: press(page, "Create"))


def made_of_each_kind(page: Page) -> None:
    create(page, "a red apple")
    press(page, "Send to Inpainting")
    page.locator(".mask-editor[data-ready]").wait_for()
    shows(page, *SIZE)
    tool(page, "Rectangle")
    drag(page, (130, 130), (380, 380), size=SIZE)
    create(page, "a yellow star")
    page.get_by_role("tab", name="Music").click()
    page.locator(".player[data-ready]").wait_for()
    music.create(page, "calm rainy-night lo-fi piano", "6")
    words.fresh(page)
    words.write(page, "One sentence about a lighthouse.")


def found_sorted_and_thrown_away(page: Page) -> None:
    library(page, "4 creations")
    for asked in ("apple red", "yellow star", "lo-fi piano", "lighthouse sentence"):
        search(page, asked, "1 creation")
    press(page, "Clear filters")
    expect(count(page)).to_have_text("4 creations")
    card(page, "a red apple").click(modifiers=["Control"])
    press(page, "Star")
    expect(said(page)).to_have_text("1 creation starred.")
    press(page, "Tag")
    page.get_by_label("Tag", exact=True).locator("visible=true").first.fill("fruit")
    press(page, "Add tag")
    expect(said(page)).to_have_text("1 creation tagged “fruit”.")
    card(page, "a yellow star").click(modifiers=["Control"])
    press(page, "Compare")
    page.get_by_label("How much of each picture is seen").fill("30")
    expect(page.locator(".differing")).to_contain_text("Prompt")
    press(page, "Back to all")
    press(page, "Select none")
    press(page, "Starred")
    expect(count(page)).to_have_text("1 creation")
    press(page, "Starred")
    expect(count(page)).to_have_text("4 creations")
    search(page, "fruit", "1 creation")
    press(page, "Clear filters")
    expect(count(page)).to_have_text("4 creations")
    text = page.locator(".shelf .card[data-medium=text]").locator("visible=true")
    text.click(modifiers=["Control"])
    press(page, "Move to trash")
    expect(count(page)).to_have_text("3 creations")
    press(page, "Trash")
    expect(count(page)).to_contain_text("1 creation in the trash")
    text.click()
    press(page, "Restore")
    press(page, "Trash")
    expect(count(page)).to_have_text("4 creations")


def sent_on_and_back(page: Page) -> None:
    card(page, "a yellow star").click()
    expect(page.locator(".lineage")).to_contain_text("Came from")
    press(page, "Send to Inpainting")
    page.locator(".mask-editor:not([aria-busy])").wait_for()
    shows(page, *SIZE)
    tool(page, "Rectangle")
    drag(page, (40, 40), (160, 160), size=SIZE)
    create(page, "a blue moon")
    library(page, "5 creations")
    card(page, "a blue moon").click()
    kin: Locator = page.locator(".family", has_text="Came from").locator(".kin-card")
    expect(kin).to_have_count(2)
    expect(kin.locator(".name")).to_have_text(["a yellow star", "a red apple"])
    press(page, "Close")


def exported(page: Page, folder: Path) -> list[Path]:
    """The works in the zip."""
    grid = page.get_by_role("listbox", name="Creations")
    grid.press("Control+a")
    expect(count(page)).to_have_text("5 creations selected")
    press(page, "Export")
    with page.expect_download() as taken:
        page.get_by_role("dialog").get_by_role("button", name="Export").click()
    with zipfile.ZipFile(taken.value.path()) as archive:
        archive.extractall(folder / "zip")
        listed = json.loads(archive.read("library.json"))["creations"]
    assert len(listed) == 5 and (folder / "zip" / "contact-sheet.jpg").stat().st_size > 1000
    press(page, "Select none")
    return [folder / "zip" / one["file"] for one in listed]


def recognised(page: Page, assets: list[Path]) -> None:
    unfold(page, "Was this made here?")
    for place, asset in enumerate(assets):
        if place:
            page.locator(".origin").get_by_label("Clear").first.click()
        page.locator(".origin input[type=file]").set_input_files(asset)
        found = page.locator(".origin-found")
        expect(found).to_contain_text("Yes, this was made here, and it is as it was made.")
        told = dict(found.locator("tr").evaluate_all("(rows) => rows.map((row) => [row.cells[0].innerText, row.cells[1].innerText])"))
        assert told["Library"] == "Proof"
        if asset.suffix != ".txt":
            assert (told["Signature"], told["Record"], told["Source type"]) == ("Proof", "Claim", "Claim"), (asset, told)
        if asset.suffix == ".flac" or "apple" in asset.name:  # of an edit only what is new and large enough is marked
            assert told["Invisible mark"] == "Proof", (asset, told)


def settings_of_others(page: Page, folder: Path) -> None:
    theirs = folder / "theirs"
    theirs.mkdir()
    (theirs / "a1111.png").write_bytes(foreign_samples.png({"parameters": f"a green pear\nNegative prompt: worms\n{SETTINGS}"}))
    (theirs / "comfyui.png").write_bytes(foreign_samples.png({"prompt": json.dumps(foreign_samples.comfy())}))
    for name, tool_, left_out in (("a1111", "A1111", "Clip skip (2) was left out"), ("comfyui", "ComfyUI", "left out")):
        opened(page, page.url)
        unfold(page, "Advanced")
        status = page.locator(".status:visible").first
        page.locator(DROP).locator("visible=false").first.set_input_files(theirs / f"{name}.png")
        expect(status).to_contain_text(f"The settings of {tool_} are restored.")
        expect(status).to_contain_text(left_out)
    expect(prompt(page)).to_have_value(re.compile(re.escape(foreign_samples.PROMPT[:20])))
