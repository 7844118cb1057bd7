"""The engine of the picture starter: from a task to finished pictures, with their credit, sizes, companions and manners."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import resvg_py
from PIL import Image

from studio.creations import Picture, Preview, Progress
from studio.device import Device
from studio.engines import starter_image
from studio.errors import Cancelled, InvalidInput, ModelUnavailable
from studio.models import ModelCard, resolve
from studio.starter.finish import NOTHING
from studio.starter.icons import IconLibrary
from studio.tasks import TextToImage

FOLDER = Path(__file__).parents[1] / "assets" / "icons"
CARD = starter_image.CARDS[0].model_copy(update={"files": FOLDER})


@pytest.fixture(scope="module")
def library() -> IconLibrary:
    return IconLibrary.open(FOLDER)


def asked(prompt: str = "a red apple", **fields: Any) -> TextToImage:
    """A resolved task; small and quick unless it says otherwise."""
    return resolve(TextToImage.checked({"prompt": prompt, "seed": 3, "width": 128, "height": 128, "steps": 6, **fields}), CARD)


@pytest.fixture(scope="module")
def draw(library: IconLibrary) -> Any:
    """Draws a prompt; what was drawn before comes back as it was, unless events are asked for or it is to be drawn `afresh`."""
    known: dict[TextToImage, list[Picture]] = {}

    def drawn(prompt: str = "a red apple", events: list[Any] | None = None, *, afresh: bool = False, **fields: Any) -> list[Picture]:
        task = asked(prompt, **fields)
        if afresh or events is not None or task not in known:
            pipeline = starter_image.recipe(CARD, task, Device("cpu")).build({"icons": library})
            known[task] = [one for one in pipeline(task, (events if events is not None else []).append) if isinstance(one, Picture)]
        return known[task]

    return drawn


def opened(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(data)))


# What comes out -------------------------------------------------------------------------------------------------------------------


def test_the_same_task_gives_the_same_picture_and_companions(draw: Any) -> None:
    one, two = draw()[0], draw(afresh=True)[0]
    assert np.array_equal(one.pixels, two.pixels)
    assert (one.facts, one.attachments) == (two.facts, two.attachments)


def test_picture_k_of_a_batch_equals_the_single_run_with_its_seed(draw: Any) -> None:
    batch = draw("an owl on a tree", count=2)
    single = draw("an owl on a tree", seed=4)[0]
    assert [picture.seed for picture in batch] == [3, 4]
    assert np.array_equal(batch[1].pixels, single.pixels)
    assert batch[1].attachments == single.attachments
    assert batch[1].facts == single.facts


def test_seeds_in_a_row_give_different_pictures(draw: Any) -> None:
    pictures = [picture.pixels.astype(int) for picture in draw("a castle", count=6)[:4]]
    apart = [np.abs(one - other).mean() for i, one in enumerate(pictures) for other in pictures[:i]]
    assert min(apart) > 3


@pytest.mark.parametrize(("width", "height"), [(64, 64), (128, 128), (512, 512), (1024, 1024), (320, 128), (136, 400)])
def test_pictures_have_the_size_asked_for_and_white_paper(draw: Any, width: int, height: int) -> None:
    picture = draw(width=width, height=height, steps=4)[0]
    assert picture.pixels.shape == (height, width, 3)
    assert picture.pixels.dtype == np.uint8
    assert (picture.pixels[0, 0] == 255).all()
    assert (picture.pixels.std((0, 1)) > 10).any()
    assert opened(picture.attachments["attribution.png"]).shape == (height, width)


def test_the_picture_stands_in_the_middle_when_the_sides_differ(draw: Any) -> None:
    wide, square = draw(width=256, height=128)[0].pixels, draw()[0].pixels
    assert np.array_equal(wide[:, 64:192], square)
    assert (wide[:, :64] == 255).all()
    assert (wide[:, 192:] == 255).all()


def test_large_pictures_are_crisp(draw: Any) -> None:
    """At the outline of an enlarged drawing colours change within about two pixels, not within the four of an interpolation."""
    large = draw("a yellow heart", width=512, height=512, seed=4)[0].pixels.astype(int)
    row = large[230].sum(-1)
    soft = np.flatnonzero((np.abs(row - row[0]) > 40) & (np.abs(row - row[256]) > 40))
    assert np.abs(row[256] - row[0]) > 80
    assert len(soft[soft < 256]) <= 3


def test_a_background_fills_the_page_and_leaves_the_native_picture_transparent(draw: Any) -> None:
    picture = draw("a cat on a blue background", width=256, height=128)[0]
    corner = picture.pixels[0, 0].astype(int)
    assert corner[2] > corner[0] + 60
    assert (picture.pixels[:, 0] == picture.pixels[0, 0]).all()
    assert opened(picture.attachments["native.png"])[0, 0, 3] == 0


def test_what_could_not_be_taken_as_written_is_told(draw: Any) -> None:
    assert any("three" in note for note in draw("four cats and five dogs", steps=4)[0].facts["notes"])
    assert "notes" not in draw(steps=4)[0].facts


# Credit ---------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prompt", ["a castle", "a cat on a rocket", "a robot beside a sunflower"])
def test_shares_of_the_credit_add_up_and_name_real_icons(draw: Any, library: IconLibrary, prompt: str) -> None:
    known = {(icon.name, icon.title, icon.licence) for icon in library.icons}
    for picture in draw(prompt, count=2):
        credit = picture.facts["attribution"]
        assert abs(sum(one["share"] for one in credit) - 1) < 0.001
        assert [one["share"] for one in credit] == sorted((one["share"] for one in credit), reverse=True)
        assert all((one["name"], one["set"], one["licence"]) in known for one in credit + picture.facts.get("colours_of", []))


def test_the_attribution_map_tells_whose_each_pixel_is(draw: Any) -> None:
    picture = draw("a robot beside a sunflower", count=2)[0]
    credit, places = picture.facts["attribution"], opened(picture.attachments["attribution.png"])
    assert set(np.unique(places)) <= {*range(len(credit)), NOTHING}
    drawn_on = places != NOTHING
    assert 0.1 < drawn_on.mean() < 0.9
    for number, one in enumerate(credit):
        assert abs((places[drawn_on] == number).mean() - one["share"]) < 0.01
    left = [credit[number]["name"] for number in np.unique(places[:, :50]) if number != NOTHING]
    assert any("robot" in name or "bot" in name for name in left)
    assert (picture.pixels[~drawn_on].min(-1) > 120).mean() > 0.97


def test_a_picture_close_to_one_icon_says_so_and_a_mixture_does_not(draw: Any) -> None:
    for picture in draw("a castle", count=6):
        most = picture.facts["attribution"][0]
        assert ("close_to" in picture.facts) == (most["share"] > 0.9)
        if "close_to" in picture.facts:
            assert picture.facts["close_to"] == f"{most['set']}, {most['name']}"
            assert picture.facts["closest"] == most


# Companions -----------------------------------------------------------------------------------------------------------------------


def test_the_svg_holds_shapes_alone_and_looks_like_the_picture(draw: Any) -> None:
    picture = draw("an owl on a tree, blue background", width=256, height=192)[0]
    svg = picture.attachments["drawing.svg"].decode()
    assert set(re.findall(r"<(\w+)", svg)) <= {"svg", "g", "path", "rect", "defs", "pattern"}
    assert not re.search(r"script|href|url\((?!#back)|on\w+=|<!|<\?", svg)
    seen = opened(bytes(resvg_py.svg_to_bytes(svg_string=svg)))[..., :3].astype(int)
    assert seen.shape == picture.pixels.shape
    assert np.abs(seen - picture.pixels).mean() < 6


def test_the_svg_of_a_picture_without_background_is_transparent(draw: Any) -> None:
    svg = draw()[0].attachments["drawing.svg"].decode()
    assert opened(bytes(resvg_py.svg_to_bytes(svg_string=svg)))[0, 0, 3] == 0


def test_the_native_picture_is_the_square_as_it_was_drawn(draw: Any) -> None:
    picture = draw(width=128, height=128)[0]
    native = opened(picture.attachments["native.png"])
    assert native.shape == (128, 128, 4)
    page = Image.new("RGBA", (128, 128), "white")
    page.alpha_composite(Image.fromarray(native))
    assert np.array_equal(np.asarray(page.convert("RGB")), picture.pixels)


# Manners --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_progress_counts_every_step_of_every_thing_and_picture(draw: Any) -> None:
    events: list[Any] = []
    draw("a cat and a dog", events, steps=5, count=2)
    steps = [event for event in events if isinstance(event, Progress)]
    assert {(event.phase, event.total, event.unit, event.items) for event in steps} == {("running", 10, "steps", 2)}
    for item in (1, 2):
        done = [event.done for event in steps if event.item == item]
        assert done == sorted(done)
        assert set(done) == set(range(11))


def test_previews_are_pictures_and_come_at_most_four_times_a_second(library: IconLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(starter_image.time, "monotonic", lambda: now[0])
    seen: list[tuple[float, Any]] = []

    def report(event: Progress | Preview) -> None:
        now[0] += 0.1
        if isinstance(event, Preview):
            seen.append((now[0], event.pixels))

    task = asked("an owl on a tree", steps=8)
    list(starter_image.recipe(CARD, task, Device("cpu")).build({"icons": library})(task, report))
    assert len(seen) >= 4
    assert all(later - sooner >= 0.25 for (sooner, _), (later, _) in pairwise(seen))
    assert all(pixels.shape == (128, 128, 3) and pixels.dtype == np.uint8 for _, pixels in seen)


def test_stopping_ends_the_run_within_one_step_and_keeps_what_was_finished(library: IconLibrary) -> None:
    task = asked(count=2)
    told: list[Progress] = []

    def report(event: Progress | Preview) -> None:
        if isinstance(event, Progress):
            told.append(event)
            if event.item == 2 and event.done == 3:
                raise Cancelled

    pictures = iter(starter_image.recipe(CARD, task, Device("cpu")).build({"icons": library})(task, report))
    assert isinstance(next(pictures), Picture)
    with pytest.raises(Cancelled):
        next(pictures)
    assert (told[-1].item, told[-1].done) == (2, 3)


def test_each_picture_comes_as_soon_as_it_is_finished(library: IconLibrary) -> None:
    task = asked(count=3)
    events: list[Any] = []
    pictures = iter(starter_image.recipe(CARD, task, Device("cpu")).build({"icons": library})(task, events.append))
    next(pictures)
    assert {event.item for event in events} == {1}


def test_nonsense_is_refused_in_words_before_anything_is_drawn(draw: Any) -> None:
    events: list[Any] = []
    with pytest.raises(InvalidInput):
        draw("?!", events)
    assert events == []


def test_limits_and_defaults_are_those_of_the_card() -> None:
    filled = resolve(TextToImage(prompt="a cat"), CARD)
    assert (filled.width, filled.height, filled.style) == (512, 512, "Mixed")
    with pytest.raises(InvalidInput, match="1024"):
        resolve(TextToImage(prompt="a cat", width=1032), CARD)


# Components -----------------------------------------------------------------------------------------------------------------------


def test_the_library_is_the_only_component_where_words_decide() -> None:
    recipe = starter_image.recipe(CARD, asked(), Device("cpu"))
    assert set(recipe.components) == {"icons"}
    assert recipe.components["icons"].bytes == sum(file.stat().st_size for file in FOLDER.iterdir())
    assert len(recipe.components["icons"].load(lambda event: None)) > 1000


def test_the_writer_is_asked_for_only_when_it_is_here_and_a_word_needs_it(tmp_path: Path) -> None:
    assert (FOLDER / "features.npz").exists()
    helped = CARD.model_copy(update={"companion_files": {"writer": tmp_path / "writer.gguf"}})
    strange = asked("a zxqvorpl")
    assert set(starter_image.recipe(helped, strange, Device("cpu")).components) == {"icons", "encoder"}
    assert set(starter_image.recipe(CARD, strange, Device("cpu")).components) == {"icons"}
    assert set(starter_image.recipe(helped, asked(), Device("cpu")).components) == {"icons"}


def test_a_missing_library_is_said_in_words() -> None:
    with pytest.raises(ModelUnavailable, match="icon library"):
        starter_image.recipe(CARD.model_copy(update={"files": None}), asked(), Device("cpu"))


def test_every_style_of_the_card_has_a_small_picture() -> None:
    card: ModelCard = starter_image.CARDS[0]
    for style in card.styles:
        file = FOLDER.parent / "styles" / "starter" / f"{style.lower()}.webp"
        with Image.open(file) as image:
            assert max(image.size) <= 128
        assert file.stat().st_size < 12_000


@pytest.mark.thorough
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
def test_working_memory_stays_within_the_formula() -> None:
    """In a process of its own: what a large picture of three things takes at its peak, beside what was there after a small one."""
    code = """
import re
from pathlib import Path
from studio.device import Device
from studio.engines import starter_image as engine
from studio.models import resolve
from studio.tasks import TextToImage
card = engine.CARDS[0].model_copy(update={"files": Path("assets/icons")})
def run(**fields):
    task = resolve(TextToImage(seed=1, steps=4, **fields), card)
    recipe = engine.recipe(card, task, Device("cpu"))
    list(recipe.build({name: one.load(print) for name, one in recipe.components.items()})(task, lambda event: None))
    return recipe.working_bytes(task)
def memory(name):
    return int(re.search(name + r":\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024
run(prompt="a cat", width=64, height=64)
before = memory("VmRSS")
Path("/proc/self/clear_refs").write_text("5")
allowed = run(prompt="a cat and a dog and a mouse", width=1024, height=1024)
print(memory("VmHWM") - before, allowed)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=FOLDER.parents[1], check=True)
    taken, allowed = map(int, done.stdout.split()[-2:])
    assert 1_000_000 < taken <= allowed
