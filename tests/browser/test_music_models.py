"""A model that writes sound, in a real browser: it plays while it is made, and Stop keeps what there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from studio.music import files
from tests import tiny_music
from tests.browser.conftest import made
from tests.browser.test_music import choose, downloaded, fill, music, press
from tests.serving import running
from tests.test_studio_music import listed

PATIENCE = 130_000
"""Milliseconds: a model that writes sound shares two cores with other tests."""


@pytest.fixture(scope="module")
def server(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("models")
    with running(starter_cache, folder, "--models", str(listed(folder)), environment={"OMP_NUM_THREADS": "1"}) as (url, _):
        yield url


@pytest.fixture
def page(context: BrowserContext, server: str) -> Page:
    return music(context.new_page(), server)


@pytest.mark.thorough
def test_it_plays_while_it_is_made_and_stop_keeps_what_there_is(page: Page, tmp_path: Path) -> None:
    choose(page, "Model", "Tiny MusicGen")
    expect(page.locator("p.card:visible")).to_contain_text("CC-BY-NC-4.0")
    fill(page, "Prompt", "a slow piano")
    fill(page, "Duration", "250")
    press(page, "Create")
    page.wait_for_function("window.atelierPlayer.current().take?.growing", timeout=PATIENCE)
    page.wait_for_function("window.atelierPlayer.current().voice && window.atelierPlayer.current().position > 0.2", timeout=PATIENCE)
    expect(page.locator(".status progress:visible").first).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".status p:visible").first).to_contain_text("1 finished result is kept", timeout=PATIENCE)
    expect(page.locator(".details dl:visible")).to_contain_text("stopped before its end")
    assert 0 < files.read(downloaded(page, tmp_path, ".flac")).seconds < 250


@pytest.mark.thorough
def test_audiocrafts_debug_model_makes_sound_through_the_same_tab(page: Page, tmp_path: Path) -> None:
    tiny_music.needs_audiocraft()
    choose(page, "Model", "audiocraft debug")
    fill(page, "Prompt", "rain on a tin roof")
    fill(page, "Duration", "2")
    made(page, lambda: press(page, "Create"))
    sound = files.read(downloaded(page, tmp_path, ".flac"))
    assert (sound.rate, sound.seconds) == (32_000, 2.0) and sound.samples.std() > 0.01
    page.wait_for_function("window.atelierPlayer.current().voice")
