"""An edit's promise: what is not marked comes back byte for byte, whatever the picture, the mask, the mode and what a model made."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from PIL import Image

from studio.errors import InvalidInput
from studio.inpaint import edit, masks
from studio.inpaint.read import read_picture
from studio.inpaint.regions import crops
from studio.tasks import Inpaint

Pixels = np.ndarray

SHAPES = st.tuples(st.integers(16, 120), st.integers(16, 120), st.sampled_from([0, 3, 4]))


def saved(folder: Path, name: str, pixels: Pixels, **options: Any) -> str:
    Image.fromarray(pixels).save(folder / name, **options)
    return str(folder / name)


def noise(random: np.random.Generator, height: int, width: int, channels: int) -> Pixels:
    return random.integers(0, 256, (height, width, channels) if channels else (height, width)).astype(np.uint8)


def resolved(**values: object) -> Inpaint:
    task = Inpaint.checked({"prompt": "a tree", "seed": 1} | values)
    return Inpaint.checked(task.model_dump() | dict(task.settled()))


@pytest.mark.parametrize(("box", "area"), [((100, 900, 2900, 901), "masked"), ((100, 900, 103, 903), "whole"), ((9, 9, 10, 10), "whole")])
def test_a_mark_finer_than_the_models_pixels_is_worked_on_all_the_same(tmp_path: Path, box: tuple[int, int, int, int], area: str) -> None:
    mask = np.zeros((2000, 3000), np.uint8)
    mask[box[1] : box[3], box[0] : box[2]] = 255
    files = {"image": saved(tmp_path, "a.png", np.full_like(mask, 200)), "mask": saved(tmp_path, "m.png", mask)}
    (region,) = edit.plan(resolved(**files, mode="fill", area=area), 512).regions
    assert region.hole.any()
    assert region.mask[region.hole].min() == 1
    columns = np.flatnonzero(region.hole.any(0))
    assert (columns[0] - 2) * region.box.width / region.size[0] + region.box.left <= box[0]
    assert (columns[-1] + 3) * region.box.width / region.size[0] + region.box.left >= box[2]


@pytest.mark.parametrize("by", [1, 9])
def test_a_soft_mark_grows_as_strong_as_it_is(by: int) -> None:
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 20:40], mask[25:35, 50:60] = 150, 255
    larger = masks.grown(mask, by)
    assert larger[30, 20 - by] == 150
    assert larger[30, 19 - by] == 0
    assert larger[30, 59 + by] == 255
    assert larger[30, 30] == 150


def test_one_clear_colour_of_a_picture_stays_clear_and_profiles_stay_with_their_colours(tmp_path: Path) -> None:
    colours = Image.fromarray(np.arange(24 * 24 * 3, dtype=np.uint32).astype(np.uint8).reshape(24, 24, 3))
    colours.save(tmp_path / "a.png", transparency=(3, 4, 5), icc_profile=b"profile")
    found = read_picture(tmp_path / "a.png")
    assert found.pixels.shape == (24, 24, 4)
    assert found.pixels[0, 1, 3] == 0
    assert found.pixels[0, 2, 3] == 255
    assert found.icc == b"profile"
    assert "8-bit RGB with transparency" in found.notes[0]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    shape=SHAPES,
    seed=st.integers(0, 10_000),
    mode=st.sampled_from(["fill", "refine", "background", "erase", "outpaint"]),
    area=st.sampled_from(["masked", "whole"]),
    grow=st.integers(-5, 12),
    feather=st.sampled_from([None, 0, 3.0, 40.0]),
    soft=st.booleans(),
    sides=st.tuples(*[st.sampled_from(["0", "7", "30%"])] * 4),
)
def test_what_lies_outside_the_composite_mask_comes_back_byte_for_byte(
    tmp_path: Path,
    shape: tuple[int, int, int],
    seed: int,
    mode: str,
    area: str,
    grow: int,
    feather: float | None,
    soft: bool,
    sides: tuple[str, ...],
) -> None:
    random = np.random.default_rng(seed)
    height, width, channels = shape
    pixels = noise(random, height, width, channels)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(random.integers(1, 4)):
        top, left = random.integers(0, height - 6), random.integers(0, width - 6)
        mask[top : top + random.integers(2, 12), left : left + random.integers(2, 12)] = random.choice([60, 200, 255])
    values = {"image": saved(tmp_path, "a.png", pixels), "mask": saved(tmp_path, "m.png", mask), "mode": mode, "area": area}
    left, right, top, bottom = sides
    if mode == "outpaint":
        values |= {"left": left, "right": right, "top": top, "bottom": bottom}
    try:
        plan = edit.plan(resolved(**values, mask_grow=grow, feather=feather), 64, soft=soft)
    except InvalidInput:
        reject()  # marks that leave nothing to do or nothing to keep
    picture = plan.finished([random.integers(0, 256, (*region.size[::-1], 3)).astype(np.uint8) for region in plan.regions], 1)
    x, y = plan.offset
    inside = picture.pixels[y : y + height, x : x + width]
    assert inside.shape == pixels.shape
    counts = picture.facts["edit"]
    assert isinstance(counts, dict)
    assert counts["changed_outside"] == 0
    differs = (inside != pixels) if not channels else (inside != pixels).any(2)
    allowed = masks.grown(255 - mask if mode == "background" else mask, grow)
    reach = 140 if feather is None else feather + 2
    near = masks.distance(plan.hole)[y : y + height, x : x + width] <= reach
    assert not (differs & ~near).any()
    drawn = int(str(counts["drawn"]))
    assert drawn >= int(plan.hole.sum())
    assert int(differs.sum()) <= drawn + int(str(counts["blended"]))
    if mode != "outpaint" and not soft:
        assert np.array_equal(plan.hole, allowed >= masks.MARKED)


def test_a_picture_keeps_its_mode_and_colour_profile(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    mask = np.zeros((40, 50), np.uint8)
    mask[10:20, 10:20] = 255
    where = saved(tmp_path, "m.png", mask)
    for channels in (0, 3, 4):
        pixels = noise(np.random.default_rng(1), 40, 50, channels)
        task = resolved(image=saved(tmp_path, f"{channels}.png", pixels, icc_profile=profile), mask=where)
        plan = edit.plan(task, 64)
        picture = plan.finished([region.picture for region in plan.regions], 1)
        assert picture.pixels.shape == pixels.shape
        assert picture.icc == profile


def test_what_is_drawn_over_a_transparent_part_is_opaque(tmp_path: Path) -> None:
    pixels = np.zeros((40, 40, 4), np.uint8)
    pixels[:5] = 255
    mask = np.zeros((40, 40), np.uint8)
    mask[15:30, 15:30] = 255
    plan = edit.plan(resolved(image=saved(tmp_path, "a.png", pixels), mask=saved(tmp_path, "m.png", mask), colour_match=False), 64)
    (region,) = plan.regions
    assert (region.picture[0, 0] == 255).all()
    picture = plan.finished([np.full((*region.size[::-1], 3), 90, np.uint8)], 1)
    assert (picture.pixels[20, 20] == [90, 90, 90, 255]).all()
    assert (picture.pixels[38, 2] == 0).all()


def test_outpainting_extends_each_side_by_its_own_measure(tmp_path: Path) -> None:
    pixels = noise(np.random.default_rng(2), 40, 80, 3)
    plan = edit.plan(resolved(image=saved(tmp_path, "a.png", pixels), mode="outpaint", left="10", right="25%", top="50 %"), 64)
    assert plan.canvas.shape == (60, 110, 3)
    assert plan.offset == (10, 20)
    assert not plan.hole[20:, 10:90].any()
    assert plan.hole[:20].all()
    assert plan.hole[:, :10].all()
    assert plan.hole[:, 90:].all()


def test_marks_far_apart_get_crops_of_their_own_and_every_mark_is_in_one() -> None:
    hole = np.zeros((3000, 4000), bool)
    hole[100:140, 100:150] = hole[2800:2900, 3700:3800] = True
    found = crops(hole, 512, 8)
    assert len(found) == 2
    covered = np.zeros_like(hole)
    for crop in found:
        assert crop.size[0] % 8 == crop.size[1] % 8 == 0
        assert 0.8 < crop.size[0] * crop.size[1] / 512**2 < 1.2
        assert crop.box.width < 1200
        assert not covered[crop.box.place].any()
        covered[crop.box.place] = True
    assert covered[hole].all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), count=st.integers(1, 12), padding=st.sampled_from([None, 0, 50]))
def test_crops_hold_every_mark_and_never_overlap(seed: int, count: int, padding: int | None) -> None:
    random = np.random.default_rng(seed)
    hole = np.zeros((random.integers(20, 900), random.integers(20, 900)), bool)
    for _ in range(count):
        top, left = random.integers(0, hole.shape[0]), random.integers(0, hole.shape[1])
        hole[top : top + random.integers(1, 60), left : left + random.integers(1, 60)] = True
    covered = np.zeros(hole.shape, int)
    for crop in crops(hole, 512, 8, padding):
        covered[crop.box.place] += 1
    assert covered.max() == 1
    assert covered[hole].all()


@pytest.mark.parametrize(
    ("values", "paint", "sentence"),
    [
        ({}, lambda mask: mask, "Nothing is marked"),
        ({}, lambda mask: mask + 255, "Everything is marked"),
        ({"mode": "background"}, lambda mask: mask, "mark the object to keep"),
        ({"mode": "background"}, lambda mask: mask + 255, "no background"),
        ({"mask_grow": -64}, lambda mask: np.pad(mask[1:-1, 1:-1] + 255, 1), "Nothing is marked"),
    ],
)
def test_marks_that_leave_nothing_to_do_are_refused_in_a_sentence(
    tmp_path: Path, values: dict[str, object], paint: Callable[[Pixels], Pixels], sentence: str
) -> None:
    mask = paint(np.zeros((40, 40), np.uint8)).astype(np.uint8)
    image = saved(tmp_path, "a.png", noise(np.random.default_rng(1), 40, 40, 3))
    with pytest.raises(InvalidInput, match=sentence):
        edit.plan(resolved(image=image, mask=saved(tmp_path, "m.png", mask), **values), 64)


def test_too_large_a_canvas_is_refused_before_it_is_made(tmp_path: Path) -> None:
    image = saved(tmp_path, "a.png", np.zeros((4000, 4000, 3), np.uint8), compress_level=1)
    with pytest.raises(InvalidInput, match="megapixels is the most"):
        edit.plan(resolved(image=image, mode="outpaint", left="4096", right="200%"), 64)


def test_a_soft_mark_frees_a_pixel_in_part_where_the_model_can(tmp_path: Path) -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[20:40, 20:40] = 90
    mask[25:35, 25:35] = 255
    values = {"image": saved(tmp_path, "a.png", noise(np.random.default_rng(1), 64, 64, 3)), "mask": saved(tmp_path, "m.png", mask)}
    hard, soft = edit.plan(resolved(**values), 64, soft=False), edit.plan(resolved(**values), 64, soft=True)
    assert hard.hole.sum() == 100
    assert soft.hole.sum() == 400
    (region,) = soft.regions
    assert region.mask.max() == pytest.approx(1)
    assert 0.3 < np.median(region.mask[region.hole]) < 0.4


def test_shrinking_keeps_marks_at_the_border_of_the_picture() -> None:
    mask = np.zeros((50, 50), np.uint8)
    mask[:, :20] = 255
    smaller = masks.grown(mask, -5)
    assert smaller[25, 0] == 255
    assert smaller[25, 14] == 255
    assert smaller[25, 15] == 0
    assert masks.grown(mask, 5)[25, 24] == 255
    assert masks.grown(mask, 5)[25, 25] == 0


def test_pictures_of_any_size_round_trip_through_png_in_their_own_mode() -> None:
    from studio.provenance import pictures
    from tests.samples import record

    for shape in ((16, 17), (20, 30, 3), (9, 40, 4)):
        pixels = np.random.default_rng(1).integers(0, 256, shape).astype(np.uint8)
        back = Image.open(io.BytesIO(pictures.encode_png(pixels, record(), b"profile bytes")))
        assert np.array_equal(np.asarray(back), pixels)
        assert back.info["icc_profile"] == b"profile bytes"


@pytest.mark.parametrize("prefill", ["original", "blur", "edges", "neutral", "noise"])
def test_the_hole_holds_what_was_chosen_before_a_model_draws(prefill: str, tmp_path: Path) -> None:
    pixels = noise(np.random.default_rng(3), 64, 64, 3) // 4 + 100
    pixels[20:40, 20:40] = (255, 0, 0)
    mask = np.zeros((64, 64), np.uint8)
    mask[18:42, 18:42] = 255
    task = resolved(image=saved(tmp_path, "a.png", pixels), mask=saved(tmp_path, "m.png", mask), prefill=prefill, area="whole")
    (region,) = edit.plan(task, 64).regions
    hole = region.picture[22:38, 22:38].astype(int)
    assert (region.picture[~region.hole] == pixels[~region.hole]).all()
    if prefill == "original":
        assert (hole == (255, 0, 0)).all()
    else:
        assert np.abs(hole - hole.mean(axis=2, keepdims=True)).mean() < 40, "no red is left"
    if prefill == "neutral":
        assert hole.std() < 1
    if prefill == "noise":
        assert hole.std() > 5
