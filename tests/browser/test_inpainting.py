"""Inpainting as a person uses it: a picture in, marks, variants, chained edits; by mouse, by keyboard alone, and by touch on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Locator, Page, expect

from studio.provenance import pictures
from studio.provenance.record import Record
from tests import test_segmentation, tiny
from tests.browser.conftest import clear_status, made, opened, settled, unfold
from tests.browser.test_mask_editor import comes_to, drag, kept, place, share, shows, tool
from tests.serving import running

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::FutureWarning")]

SIZE = 240, 180
CARD = """[[card]]
name = "Tiny diffusion"
engine = "diffusion"
serves = ["text_to_image", "inpaint"]
licence = "none"
defaults = {{ width = 64, height = 64, steps = 4, guidance_scale = 2.0 }}
[card.source]
kind = "folder"
path = '{folder}'
"""
FINDER = """[[card]]
name = "Tiny finder"
engine = "segmentation"
serves = ["select"]
modes = ["named"]
licence = "none"
memory_gb = 0.1
source = {{ kind = "folder", path = '{folder}' }}
"""


@pytest.fixture(scope="module")
def address(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio that has a tiny diffusers model beside its starters, and a tiny one that finds things by their names."""
    folder = tmp_path_factory.mktemp("inpainting")
    cards = folder / "models.toml"
    draws, finds = tiny.stable_diffusion(folder / "tiny"), test_segmentation.clipseg(folder / "finder")
    cards.write_text(CARD.format(folder=draws) + FINDER.format(folder=finds), "utf-8")
    with running(starter_cache, folder, "--models", str(cards)) as (url, _):
        yield url


@pytest.fixture
def desk(context: BrowserContext, address: str) -> Page:
    return on_the_desk(context.new_page(), address)


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A grainy meadow under a sky, with a red ball."""
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]]
    sky = np.dstack([120 + rows // 3, 160 + rows // 4, 220 - rows // 9])
    meadow = np.dstack([70 + columns // 9, 130 - columns // 12, 50 + rows // 9])
    pixels = np.where((rows > 100)[..., None], meadow, sky) + np.random.default_rng(1).integers(-8, 9, (SIZE[1], SIZE[0], 1))
    pixels[(rows - 120) ** 2 + (columns - 120) ** 2 < 20**2] = (210, 30, 30)
    file = tmp_path_factory.mktemp("photo") / "meadow.png"
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file)
    return file


def on_the_desk(page: Page, address: str) -> Page:
    opened(page, address)
    page.get_by_role("tab", name="Inpainting").click()
    page.locator(".mask-editor[data-ready]").wait_for()
    page.locator("html[data-inpaint=restored]").wait_for()
    return page


def bring(page: Page, photo: Path) -> None:
    page.get_by_label("Picture file").set_input_files(photo)
    shows(page, *SIZE)


def prompt(page: Page) -> Locator:
    """The prompt of the tab that is open."""
    return page.get_by_label("Prompt", exact=True).locator("visible=true")


def line(page: Page) -> str:
    return page.locator(".status p:visible").first.inner_text()


def create(page: Page) -> None:
    made(page, page.get_by_role("button", name="Create").click)


def choose_model(page: Page, name: str) -> None:
    field = page.get_by_label("Model", exact=True).locator("visible=true")
    field.click()
    page.get_by_role("option", name=name).click()
    expect(field).to_have_value(re.compile(name))


def take_over(page: Page) -> None:
    """Use the result as the new picture, without marks."""
    page.get_by_role("button", name="Use as new picture").click()
    page.locator(".mask-editor[data-selected='0.000000']:not([aria-busy])").wait_for()
    shows(page, *SIZE)


def downloaded(page: Page, folder: Path, ask: Callable[[], object] | None = None) -> tuple[np.ndarray, Record]:
    with page.expect_download() as download:
        (ask or page.locator(".downloads:visible a").first.click)()
    file = folder / "result.png"
    download.value.save_as(file)
    found = pictures.read_record(file)
    assert found is not None
    with Image.open(file) as picture:
        return np.asarray(picture), found


def pixels_of(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture)


@pytest.mark.thorough
def test_from_a_photograph_through_fill_a_second_model_outpainting_and_erasing(desk: Page, photo: Path, tmp_path: Path) -> None:
    page, before = desk, pixels_of(photo)
    # paint, erase a part of the marks, take that back
    bring(page, photo)
    drag(page, (60, 40), (100, 45), size=SIZE)
    painted = share(page)
    tool(page, "Eraser")
    drag(page, (85, 43), (105, 45), size=SIZE)
    assert 0 < share(page) < painted
    tool(page, "Undo")
    assert share(page) == painted
    # fill with the starter; what is not marked stays
    prompt(page).fill("a yellow star")
    create(page)
    assert "0 pixels changed outside the mask" in line(page)
    first, found = downloaded(page, tmp_path)
    assert found.model["name"] == "Atelier Icons"
    assert np.array_equal(first[110:], before[110:])
    assert (first[35:50, 60:100] != before[35:50, 60:100]).mean() > 0.3
    expect(page.get_by_text("Before and after")).to_be_visible()
    # chain: the result becomes the picture, another model makes the second edit
    take_over(page)
    expect(page.locator(".mask-editor .notes")).to_contain_text("result-")
    tool(page, "Rectangle")
    drag(page, (150, 20), (200, 60), size=SIZE)
    choose_model(page, "Tiny diffusion")
    create(page)
    second, found = downloaded(page, tmp_path)
    assert found.model["name"] == "Tiny diffusion"
    assert len(found.parents) == 1
    assert np.array_equal(second[120:], first[120:])
    # outpaint to 16:9
    take_over(page)
    page.get_by_label("Outpaint", exact=True).check()
    page.get_by_label("Wide 16:9").check()
    expect(page.get_by_label("Left", exact=True)).to_have_value("40")
    choose_model(page, "Automatic")
    prompt(page).fill("")
    create(page)
    wide, _ = downloaded(page, tmp_path)
    assert wide.shape[:2] == (180, 320)
    # erase the ball, offline
    bring(page, photo)
    unfold(page, "Advanced")
    strength = page.get_by_label("Strength", exact=True).locator("visible=true")
    expect(strength).to_have_count(1)
    page.get_by_label("Erase", exact=True).check()
    for unread in (prompt(page), strength):
        expect(unread).to_have_count(0)
    expect(page.get_by_label("Feather", exact=True).locator("visible=true")).to_have_count(1)
    tool(page, "Ellipse")
    drag(page, (94, 94), (146, 146), size=SIZE)
    create(page)
    erased, found = downloaded(page, tmp_path)
    assert found.model["name"] == "Atelier Eraser"
    assert (erased[105:135, 105:135, 0].astype(int) - erased[105:135, 105:135, 1] > 60).mean() < 0.05, "no red ball any more"
    assert np.array_equal(erased[:40], before[:40])


def test_by_keyboard_alone(desk: Page, photo: Path, tmp_path: Path) -> None:
    page = desk
    bring(page, photo)  # the system's file dialog is no part of the page
    page.locator(".mask-editor .guide").focus()
    page.keyboard.press("r")
    page.keyboard.press("ArrowRight")  # the first key shows the cursor
    page.keyboard.press("Space")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Space")
    assert share(page) > 0
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.modes') !== null"):
            break
    for _ in range(8):
        if page.get_by_label("Erase", exact=True).is_checked():
            break
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(100)
    assert page.get_by_label("Erase", exact=True).is_checked()
    made(page, lambda: page.keyboard.press("Control+Enter"))
    _, found = downloaded(page, tmp_path)
    assert found.task["mode"] == "erase"


def reach(page: Page, target: Locator, key: str = "Tab") -> None:
    """Go there by the key that leads from one control to the next."""
    for _ in range(250):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press(key)
    raise AssertionError(f"{target} is not reached by {key}")


def press(page: Page, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)


def way(page: Page, name: str) -> Locator:
    """One of the choices of the tab that is open."""
    return page.get_by_label(name, exact=True).locator("visible=true")


def pick(page: Page, inside: str, name: str) -> None:
    """Choose within a group of choices by its arrow keys."""
    reach(page, page.locator(inside).locator("input[type=radio]:visible:checked"))
    for _ in range(8):
        if way(page, name).is_checked():
            break
        page.keyboard.press("ArrowRight")
        page.wait_for_timeout(100)
    assert way(page, name).is_checked()


@pytest.mark.thorough
def test_the_whole_journey_by_keyboard_alone(desk: Page, photo: Path, tmp_path: Path) -> None:
    page, before, guide = desk, pixels_of(photo), desk.locator(".guide")
    page.on("filechooser", lambda chooser: chooser.set_files(photo))  # the system's file dialog is no part of the page
    reach(page, page.get_by_role("button", name="Choose a picture"))
    page.keyboard.press("Enter")
    shows(page, *SIZE)
    # paint a line, erase a part of it, take that back
    reach(page, guide)
    press(page, "b", *["ArrowUp"] * 4, "Enter", *["ArrowRight"] * 5, "Shift+Enter")
    painted = share(page)
    press(page, "e", "Enter")
    assert 0 < share(page) < painted
    press(page, "Control+z")
    assert share(page) == painted
    # fill with the starter, compare
    reach(page, prompt(page))
    page.keyboard.type("a yellow star")
    made(page, lambda: page.keyboard.press("Control+Enter"))
    divider = page.get_by_role("slider", name="Divider between before and after")
    after = page.locator(".slider-wrap img.fixed")
    reach(page, divider)
    half = after.evaluate("element => element.style.clipPath")
    press(page, "Home")
    expect(divider).to_have_attribute("aria-valuenow", "0")
    assert after.evaluate("element => element.style.clipPath") != half
    # chain a second edit, and step back
    reach(page, page.get_by_role("button", name="Use as new picture"))
    page.keyboard.press("Enter")
    expect(page.locator(".mask-editor .notes")).to_contain_text("result-")
    shows(page, *SIZE)
    reach(page, page.get_by_role("button", name="Step back"), "Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator(".mask-editor .notes")).to_contain_text("meadow.png")
    shows(page, *SIZE)
    assert share(page) == painted
    # outpaint to 16:9
    press(page, "Control+z", "Control+z")
    pick(page, ".modes >> nth=0", "Outpaint")
    pick(page, ".sides .modes", "Wide 16:9")
    expect(way(page, "Left")).to_have_value("40")
    made(page, lambda: page.keyboard.press("Control+Enter"))
    wide, _ = downloaded_by_keys(page, tmp_path)
    assert wide.shape[:2] == (180, 320)
    # erase the ball
    reach(page, guide, "Shift+Tab")
    press(page, "o", *["ArrowUp"] * 3, *["ArrowLeft"] * 3, "Enter", *["ArrowDown"] * 9, *["ArrowRight"] * 6, "Enter")
    assert share(page) > 0
    pick(page, ".modes >> nth=0", "Erase")
    made(page, lambda: page.keyboard.press("Control+Enter"))
    erased, found = downloaded_by_keys(page, tmp_path)
    assert found.task["mode"] == "erase"
    assert np.array_equal(erased[:20], before[:20])


def downloaded_by_keys(page: Page, folder: Path) -> tuple[np.ndarray, Record]:
    reach(page, page.locator(".downloads:visible a").first)
    return downloaded(page, folder, lambda: page.keyboard.press("Enter"))


@pytest.mark.thorough
def test_by_touch_on_a_phone(phone: BrowserContext, address: str, photo: Path, tmp_path: Path) -> None:
    page = on_the_desk(phone.new_page(), address)
    bring(page, photo)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator(".guide").scroll_into_view_if_needed()
    settled(page)
    stroke(page, (100, 120), (140, 120))
    page.wait_for_function("Number(document.querySelector('.mask-editor').dataset.selected) > 0")
    page.get_by_label("Erase", exact=True).tap()
    expect(prompt(page)).to_have_count(0)
    made(page, page.get_by_role("button", name="Create").tap)
    after, _ = downloaded(page, tmp_path)
    assert np.array_equal(after[:40], pixels_of(photo)[:40])
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.thorough
def test_the_whole_journey_by_touch_on_a_phone(phone: BrowserContext, address: str, photo: Path, tmp_path: Path) -> None:
    page, before = on_the_desk(phone.new_page(), address), pixels_of(photo)
    bring(page, photo)
    page.locator(".guide").scroll_into_view_if_needed()
    settled(page)
    # paint, erase a part of it, take that back
    stroke(page, (80, 60), (140, 60))
    painted = share(page)
    page.get_by_role("button", name="Eraser").tap()
    stroke(page, (120, 60), (145, 60))
    assert 0 < share(page) < painted
    page.locator(".mask-editor").get_by_role("button", name="Undo", exact=True).tap()
    page.wait_for_function("share => Number(document.querySelector('.mask-editor').dataset.selected) === share", arg=painted)
    # fill with the starter, compare
    prompt(page).tap()
    prompt(page).fill("a yellow star")
    made(page, page.get_by_role("button", name="Create").tap)
    after, found = downloaded(page, tmp_path, page.locator(".downloads:visible a").first.tap)
    assert found.task["mode"] == "fill" and np.array_equal(after[100:], before[100:]) and not np.array_equal(after[:100], before[:100])
    expect(page.get_by_role("slider", name="Divider between before and after")).to_be_visible()
    # chain a second edit, and step back
    page.get_by_role("button", name="Use as new picture").tap()
    expect(page.locator(".mask-editor .notes")).to_contain_text("result-")
    page.get_by_role("button", name="Step back").tap()
    expect(page.locator(".mask-editor .notes")).to_contain_text("meadow.png")
    shows(page, *SIZE)
    assert share(page) == painted
    # outpaint to 16:9
    page.get_by_label("Outpaint", exact=True).tap()
    page.get_by_label("Wide 16:9").tap()
    expect(way(page, "Left")).to_have_value("40")
    made(page, page.get_by_role("button", name="Create").tap)
    wide, _ = downloaded(page, tmp_path, page.locator(".downloads:visible a").first.tap)
    assert wide.shape[:2] == (180, 320)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def stroke(page: Page, start: tuple[int, int], end: tuple[int, int]) -> None:
    """One finger over the picture, from one of its pixels to another; returns when the mask has changed."""
    before = share(page)
    touches = page.context.new_cdp_session(page)
    (x, y), (to_x, to_y) = place(page, *start, SIZE), place(page, *end, SIZE)
    touches.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for _ in range(3):  # the finger comes to rest, so that its stroke is no fling, which would swallow the next tap
        touches.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [{"x": to_x, "y": to_y}]})
        page.wait_for_timeout(100)
    touches.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    touches.detach()
    page.wait_for_function("before => Number(document.querySelector('.mask-editor').dataset.selected) !== before", arg=before)


def look_for(page: Page, name: str) -> None:
    if not page.locator(".more").evaluate("element => element.open"):
        page.get_by_text("More", exact=True).click()
    page.get_by_label("Select by name").fill(name)
    page.keyboard.press("Enter")
    expect(page.locator(".mask-editor .line")).to_have_text(f"Looking for “{name}”… Esc stops.")


@pytest.mark.parametrize("way", ["Escape", "Stop"])
def test_a_selection_by_a_model_is_stopped_and_the_marks_stay(desk: Page, photo: Path, way: str) -> None:
    page = desk
    bring(page, photo)
    drag(page, (60, 40), (100, 45), size=SIZE)
    painted = share(page)
    # a long run holds the device, so that the selection waits behind it
    unfold(page, "Advanced")
    prompt(page).fill("a yellow star")
    choose_model(page, "Tiny diffusion")
    page.get_by_label("Steps", exact=True).locator("visible=true").fill("150")
    page.get_by_label("number input for Variants").locator("visible=true").fill("8")
    clear_status(page)
    page.get_by_role("button", name="Create").click()
    expect(page.locator(".status p:visible").first).to_contain_text("of 150")
    look_for(page, "a red ball")
    if way == "Escape":
        page.keyboard.press("Escape")
    else:
        page.get_by_role("button", name="Stop").locator("visible=true").click()
    expect(page.locator(".mask-editor .line")).to_have_text("Stopped: the selection is as it was.")
    expect(page.locator(".mask-editor .line.error")).to_have_count(0)
    assert share(page) == painted
    expect(page.locator(".status p:visible").first).to_contain_text("Stopped")
    # and the device is free: the same is found once nothing holds it
    look_for(page, "a red ball")
    expect(page.locator(".mask-editor .line")).to_contain_text("of the picture is selected.")
    assert share(page) != painted


@pytest.mark.thorough
def test_a_long_search_for_the_subject_is_stopped_by_escape(desk: Page, tmp_path: Path) -> None:
    """No model, and a picture of 12 megapixels in which GrabCut finds no quick end."""
    page = desk
    blots = np.random.default_rng(0).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    Image.fromarray(blots).resize((4000, 3000), Image.Resampling.BICUBIC).save(tmp_path / "blots.jpg", quality=90)
    page.get_by_label("Picture file").set_input_files(tmp_path / "blots.jpg")
    shows(page, 4000, 3000)
    tool(page, "Select subject")
    line = page.locator(".mask-editor .line")
    expect(line).to_have_text("Looking for the subject… Esc stops.")
    for _ in range(600):
        page.keyboard.press("Escape")
        if not line.inner_text().startswith("Looking"):
            break
        page.wait_for_timeout(100)
    expect(line).to_have_text("Stopped: the selection is as it was.")
    assert share(page) == 0
    tool(page, "Rectangle")
    drag(page, (1000, 1000), (2000, 2000), size=(4000, 3000))
    assert share(page) == pytest.approx(1 / 12, rel=0.02)


@pytest.mark.thorough
def test_what_is_missing_is_said_and_nothing_is_lost(desk: Page, photo: Path) -> None:
    page = desk
    prompt(page).fill("a lighthouse")
    for sentence in ("Picture is missing: choose, paste or drop a file.", "Nothing is marked: paint over what should change first."):
        clear_status(page)
        page.get_by_role("button", name="Create").click()
        expect(page.locator(".status p:visible").first).to_have_text(sentence)
        expect(prompt(page)).to_have_value("a lighthouse")
        bring(page, photo)


@pytest.mark.thorough
def test_picture_and_marks_survive_a_reload(desk: Page, photo: Path, address: str) -> None:
    bring(desk, photo)
    drag(desk, (60, 40), (100, 45), size=SIZE)
    painted = share(desk)
    desk.wait_for_timeout(3000)  # the hand rests, and the marks are saved
    kept(desk, *SIZE, marked=True)
    on_the_desk(desk, address)
    shows(desk, *SIZE)
    comes_to(desk, painted, within=1e-9)


def test_a_picture_goes_from_text_to_image_to_the_desk_with_its_lineage(context: BrowserContext, address: str, tmp_path: Path) -> None:
    page = opened(context.new_page(), address)
    prompt(page).fill("a red apple")
    create(page)
    page.get_by_role("button", name="Send to Inpainting").click()
    shows(page, 512, 512)
    tool(page, "Rectangle")
    drag(page, (200, 60), (330, 200), size=(512, 512))
    prompt(page).fill("a yellow star")
    create(page)
    _, found = downloaded(page, tmp_path)
    assert len(found.parents) == 1
