"""A melody from the microphone, in a browser that has one that is none: what was recorded is the reference of the next run."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from studio.music import files
from tests.browser.conftest import FLAGS, PATIENCE, unfold
from tests.browser.test_music import music

MICROPHONE = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]


@pytest.mark.thorough
def test_what_the_microphone_hears_becomes_the_reference(browser: Browser, chromium: str, server: str, tmp_path: Path) -> None:
    listening = browser.browser_type.launch(executable_path=chromium, args=[*FLAGS, *MICROPHONE])
    context = listening.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    context.set_default_timeout(PATIENCE)
    page = music(context.new_page(), server)
    unfold(page, "Start from a sound or a melody")
    page.get_by_role("button", name="Record a melody").click()
    expect(page.locator(".recorder p")).to_contain_text("Recording")
    page.wait_for_timeout(1500)
    page.get_by_role("button", name="Stop recording").click()
    expect(page.get_by_text("recording.wav").first).to_be_visible()
    with page.expect_download() as download:
        page.locator(".reference-field a[download]").first.click()
    file = tmp_path / "recording.wav"
    download.value.save_as(file)
    sound = files.read(file)
    assert sound.samples.shape[0] == 1 and sound.seconds > 0.5 and sound.samples.std() > 0
    listening.close()
