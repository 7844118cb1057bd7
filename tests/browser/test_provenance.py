"""Where a file came from, in a real browser: what was made here is told by every layer, and other programs' settings are restored."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Page, expect

from tests.browser.conftest import unfold

SETTINGS = "Steps: 12, Sampler: Euler a, CFG scale: 7, Seed: 4711, Size: 512x512, Clip skip: 2, Model: dream, Version: v1.10.1"


def test_a_download_is_known_again_and_settings_of_another_program_come_with_what_could_not_be_restored(page: Page, tmp_path: Path) -> None:
    info = PngInfo()
    info.add_text("parameters", f"a green pear\nNegative prompt: worms\n{SETTINGS}")
    Image.new("RGB", (64, 64), "green").save(tmp_path / "other.png", pnginfo=info)
    unfold(page, "Advanced")
    page.locator("input[type=file][accept*='.avif']").locator("visible=false").first.set_input_files(tmp_path / "other.png")
    status = page.locator(".status:visible").first
    expect(status).to_contain_text("The settings of A1111 are restored.")
    expect(status).to_contain_text("Clip skip (2) was left out")
    expect(page.get_by_label("Prompt", exact=True).locator("visible=true").first).to_have_value("a green pear")
    expect(page.get_by_label("Seed", exact=True).locator("visible=true").first).to_have_value("4711")
    page.get_by_role("button", name="Create", exact=True).locator("visible=true").first.click()
    expect(page.locator(".status p:visible").first).to_contain_text("Done in", timeout=120_000)
    with page.expect_download() as download:
        page.locator(".downloads:visible a[download$='.png']").first.click()
    download.value.save_as(tmp_path / "pear.png")
    page.get_by_role("tab", name="Library").click()
    unfold(page, "Was this made here?")
    page.locator(".origin input[type=file]").set_input_files(tmp_path / "pear.png")
    found = page.locator(".origin-found")
    expect(found).to_contain_text("Yes, this was made here, and it is as it was made.")
    expect(found.locator(".sure.proof")).to_have_count(3)
    expect(found).to_contain_text("a green pear")
