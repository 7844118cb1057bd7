"""The music tab in a real browser: words to a loop that plays, its parts taken away, a region made anew, settings put back."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path

import mido
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio.music import packed
from studio.music.score import Score
from studio.provenance import sounds
from tests.browser.conftest import LONG, clear_status, made, opened, settled, unfold
from tests.browser.test_player import drag

BRIEF = "calm rainy-night lo-fi piano, 72 bpm, A minor, loop"


@pytest.fixture
def page(context: BrowserContext, server: str) -> Page:
    return music(context.new_page(), server)


def music(page: Page, server: str) -> Page:
    opened(page, server)
    page.locator("html[data-music=restored]").wait_for()
    if not page.get_by_role("tab", name="Music").is_visible():
        page.locator(".overflow-menu > button").click()
    page.get_by_role("tab", name="Music").or_(page.locator(".overflow-dropdown button", has_text="Music")).first.click()
    page.locator(".player[data-ready]").wait_for()
    return page


def fill(page: Page, label: str, value: str) -> None:
    page.get_by_label(label, exact=True).locator("visible=true").first.fill(value)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).locator("visible=true").first.click()


def choose(page: Page, label: str, name: str) -> None:
    """An entry of a list."""
    field = page.get_by_label(label, exact=True).locator("visible=true").first
    field.click()
    page.get_by_role("option", name=name).click()
    expect(field).to_have_value(re.compile(name))


def create(page: Page, prompt: str, seconds: str = "") -> None:
    fill(page, "Prompt", prompt)
    if seconds:
        fill(page, "Duration", seconds)
    made(page, lambda: press(page, "Create"))


def downloaded(page: Page, folder: Path, suffix: str) -> Path:
    with page.expect_download() as download:
        page.locator(f".downloads:visible a[download$='{suffix}']").first.click()
    file = folder / f"file{suffix}"
    download.value.save_as(file)
    return file


def score_in(file: Path) -> Score:
    record = sounds.read_record(file)
    assert record is not None
    return packed.unpack(str(record.facts["score"]))


def test_a_loop_from_words_plays_is_as_asked_and_can_be_taken_away(page: Page, server: str, tmp_path: Path) -> None:
    fill(page, "Prompt", BRIEF)
    plan = page.locator(".plan p")
    expect(plan).to_contain_text("72 bpm")
    expect(plan).to_contain_text("A minor")
    fill(page, "Seed", "7")
    create(page, BRIEF, "7")
    page.wait_for_function("window.atelierPlayer.current().voice")
    before = page.evaluate("window.atelierPlayer.current().position")
    page.wait_for_function("(before) => window.atelierPlayer.current().position !== before", arg=before)
    expect(page.locator(".player")).to_contain_text(re.compile(r"tempo72 bpm7[12]\.\d bpm"))
    expect(page.locator(".player")).to_contain_text("keyA minor")
    expect(page.locator(".details dl:visible")).not_to_contain_text("Off the brief")
    score = score_in(taken := downloaded(page, tmp_path, ".flac"))
    notes = mido.MidiFile(downloaded(page, tmp_path, ".mid"))
    assert len(notes.tracks) == len(score.parts) + 1
    press(page, "All parts as a zip")
    archive = zipfile.ZipFile(io.BytesIO(downloaded(page, tmp_path, ".zip").read_bytes()))
    assert {"mix.wav", "score.mid", "recipe.json"} <= set(archive.namelist())
    downloads = page.locator(".downloads:visible")
    unfold(page, "Advanced")
    expect(page.get_by_role("textbox", name="Lyrics")).to_be_disabled()
    fill(page, "Prompt", "something else")
    fill(page, "Seed", "8")
    page.locator(".restore:visible input[type=file]").set_input_files(taken)
    expect(page.locator(".status p:visible").first).to_have_text("The settings of the sound are restored.")
    expect(page.get_by_label("Prompt", exact=True).locator("visible=true").first).to_have_value(BRIEF)
    expect(page.get_by_label("Seed", exact=True).locator("visible=true").first).to_have_value("7")
    choose(page, "Format of the download", "WAV 16 bit")
    assert sounds.read_record(downloaded(page, tmp_path, ".wav")) is not None
    choose(page, "Format of the download", "MP3")
    expect(downloads).to_contain_text("FLAC: that format would not close a loop")
    assert sounds.read_record(downloaded(page, tmp_path, ".flac")) is not None
    music(page, server)
    expect(downloads).to_contain_text(".mid")


@pytest.mark.thorough
def test_a_selected_region_is_made_anew_and_the_fields_are_as_before(page: Page, tmp_path: Path) -> None:
    create(page, "a short folk tune in D major, 120 bpm", "8")
    old = score_in(downloaded(page, tmp_path, ".flac"))
    clear_status(page)
    press(page, "Redo selection")
    expect(page.locator(".status p:visible").first).to_have_text("Nothing is selected: drag over the waveform first.")
    drag(page, 3.0, 5.5, seconds=page.evaluate("window.atelierPlayer.current().take.seconds"))
    made(page, lambda: press(page, "Redo selection"))
    new = score_in(downloaded(page, tmp_path, ".flac"))
    assert new.bars == old.bars and new != old
    assert new.parts[0].notes[0] == old.parts[0].notes[0]
    unfold(page, "Start from a sound or a melody")
    expect(page.get_by_role("spinbutton", name="Region end")).to_have_value("")


@pytest.mark.thorough
def test_settings_come_back_from_a_take_and_what_is_wrong_is_said_at_once(page: Page) -> None:
    create(page, "a chiptune for a small robot, 140 bpm", "4")
    fill(page, "Prompt", "something else")
    press(page, "Use these settings")
    expect(page.get_by_label("Prompt", exact=True).locator("visible=true").first).to_have_value("a chiptune for a small robot, 140 bpm")
    unfold(page, "Change the plan")
    press(page, "Fill in from the words")
    expect(page.get_by_label("Tempo", exact=True)).to_have_value("140")
    expect(page.get_by_label("Time signature", exact=True)).to_have_value("4/4")
    fill(page, "Key", "H#")
    expect(page.locator(".plan p")).to_contain_text("Key must be a note and a mode")


@pytest.mark.thorough
def test_stop_ends_a_long_piece_and_a_phone_shows_all_of_the_tab(context: BrowserContext, server: str) -> None:
    narrow = context.new_page()
    narrow.set_viewport_size({"width": 390, "height": 800})
    music(narrow, server)
    fill(narrow, "Prompt", "a long cinematic piece")
    fill(narrow, "Duration", "280")
    press(narrow, "Create")
    expect(narrow.locator(".status progress:visible").first).to_be_visible()
    narrow.keyboard.press("Escape")
    expect(narrow.locator(".status p:visible").first).to_contain_text("Stopped", timeout=LONG)
    settled(narrow)
    assert narrow.evaluate("document.documentElement.scrollWidth") <= 390
