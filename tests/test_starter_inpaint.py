"""The picture starter changes pictures: what surrounds a hole, where drawings go, what every mode gives, and its manners as an engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from studio.creations import Picture, Preview, Progress
from studio.device import Device
from studio.engines import starter_image
from studio.errors import Cancelled, InvalidInput
from studio.models import resolve
from studio.starter import backdrop, fitting, placing, surroundings
from studio.starter.asking import asked
from studio.starter.crediting import credit
from studio.starter.icons import SIZE, IconLibrary
from studio.starter.inpaint import MODES, PHOTOGRAPH, Made, painted
from studio.tasks import Inpaint

FOLDER = Path(__file__).parents[1] / "assets" / "icons"
CARD = starter_image.CARDS[0].model_copy(update={"files": FOLDER})
SIDE = 160
RED, BLUE = (200, 40, 40), (60, 110, 210)

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@pytest.fixture(scope="module")
def library() -> IconLibrary:
    return IconLibrary.open(FOLDER)


def disc(ground: Pixels | None = None, colour: tuple[int, int, int] = RED, radius: float = 0.36) -> Pixels:
    """A disc in the middle of a page."""
    page = np.full((SIDE, SIDE, 3), 255, np.uint8) if ground is None else ground.copy()
    y, x = np.mgrid[:SIDE, :SIDE] + 0.5
    cover = (SIDE * radius - np.hypot(x - SIDE / 2, y - SIDE / 2) + 0.5).clip(0, 1)[..., None]
    return (page * (1 - cover) + np.array(colour) * cover + 0.5).astype(np.uint8)


def box(left: float, top: float, right: float, bottom: float) -> Bools:
    hole = np.zeros((SIDE, SIDE), bool)
    hole[round(top * SIDE) : round(bottom * SIDE), round(left * SIDE) : round(right * SIDE)] = True
    return hole


def photograph() -> Pixels:
    grain = np.random.default_rng(0).normal(0, 9, (SIDE, SIDE, 3))
    return (np.linspace(90, 170, SIDE)[:, None, None] + grain).clip(0, 255).astype(np.uint8)


def made(library: IconLibrary, picture: Pixels, hole: Bools, prompt: str, mode: str = "fill", **more: Any) -> Made:
    scene = asked(prompt, "", mode, library)
    return painted(picture, hole, None, scene, library, mode=mode, **{"seed": 1, "steps": 6, **more})


def test_grain_tells_a_photograph_from_a_drawing() -> None:
    nothing = np.zeros((SIDE, SIDE), bool)
    assert surroundings.look(photograph(), nothing).photograph
    assert not surroundings.look(disc(), nothing).photograph


def test_the_thing_is_told_from_a_patterned_ground_and_the_pattern_goes_on_in_the_hole() -> None:
    ground = np.kron(backdrop.pixels("#2f78dc stars", SIDE, SIDE)[..., :3], np.ones((1, 1, 1), np.uint8))
    picture, hole = disc(ground, (240, 220, 90)), box(0, 0, 0.7, 0.45)
    found = surroundings.look(np.where(hole[..., None], 128, picture).astype(np.uint8), hole)
    y, x = np.mgrid[:SIDE, :SIDE]
    within = (np.hypot(x - SIDE / 2, y - SIDE / 2) < 0.34 * SIDE) & ~hole
    outside = (np.hypot(x - SIDE / 2, y - SIDE / 2) > 0.39 * SIDE) & ~hole
    assert found.plain
    assert found.thing[within].mean() > 0.99
    assert found.thing[outside].mean() < 0.03
    off = np.abs(found.ground.astype(int) - ground).max(-1)[hole]
    assert (off > 40).mean() < 0.03


def test_a_drawing_fits_inside_its_hole(library: IconLibrary) -> None:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    hole = (x - 0.6) ** 2 + (y - 0.4) ** 2 < 0.06
    drawing = library.pixels(40)
    spot = fitting.inside(drawing, hole)
    stamp = placing.stamped(drawing, np.zeros((SIZE, SIZE), np.int32), spot, hole.shape)
    assert stamp.paint[..., 3][~hole].sum() < 0.02 * stamp.paint[..., 3].sum()
    assert stamp.paint[..., 3].sum() > 0.2 * hole.sum()


def test_an_icon_with_a_missing_part_is_found_in_its_place(library: IconLibrary) -> None:
    """The icon itself, drawn larger and cut by a hole, is the drawing that continues it."""
    index = next(c.index for c in _candidates(library, "a castle"))
    large = np.asarray(Image.fromarray(library.pixels(index)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    alpha = large[..., 3:].astype(float) / 255
    picture = (large[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
    hole = box(0.5, 0, 1, 0.6)
    around = surroundings.look(picture, hole)
    spot = fitting.along(library.pixels(index), picture, around.thing, hole)
    own = fitting.drawn(library.pixels(index))
    expected = own.scaled(SIDE / SIZE)
    got = [spot.box.left, spot.box.top, spot.box.right, spot.box.bottom]
    assert np.allclose(got, [expected.left, expected.top, expected.right, expected.bottom], atol=0.04 * SIDE)


def test_outlines_are_bent_to_meet_at_the_holes_edge() -> None:
    """Above the hole's lower edge a bar is drawn 6 px beside the one below it."""
    hole = box(0, 0, 1, 0.5)
    thing, cover = np.zeros((SIDE, SIDE), bool), np.zeros((SIDE, SIDE))
    thing[SIDE // 2 :, 80:120] = True
    cover[:, 86:126] = 1
    bend = placing.meeting(cover, thing, hole)
    row = SIDE // 2 - 2
    assert np.allclose(bend[row, [80, 119], 0], 6, atol=1.5)
    assert np.abs(bend[5, :, 0]).max() < 1


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_the_same_seed_gives_the_same_bytes_and_nothing_outside_the_hole_changes(library: IconLibrary, mode: str) -> None:
    hole = np.ones((SIDE, SIDE), bool) if mode == "redraw" else box(0, 0, 1, 0.45)
    one, two = (made(library, disc(), hole, "an orange", mode, strength=0.5) for _ in range(2))
    assert np.array_equal(one.pixels, two.pixels)
    assert np.array_equal(one.origin, two.origin)
    assert one.pixels.shape == (SIDE, SIDE, 3)
    assert np.array_equal(one.pixels[~hole], disc()[~hole])
    assert (one.origin[~hole] == -1).all()


def test_seeds_differ(library: IconLibrary) -> None:
    pictures = [made(library, disc(), box(0, 0, 1, 0.45), "a cat", seed=seed).pixels.astype(int) for seed in (0, 1)]
    assert any(np.abs(pictures[0] - other).mean() > 1 for other in pictures[1:])


def test_the_top_of_a_disc_asked_for_as_a_ball_joins_its_outline(library: IconLibrary) -> None:
    """Left and right of the hole's edge the outline goes on: no step of more than a few pixels."""
    hole = box(0, 0, 1, 0.45)
    page = made(library, disc(), hole, "a red circle").pixels
    edge = round(0.45 * SIDE)
    ends = [np.flatnonzero((page[row].astype(int) < 235).any(-1))[[0, -1]] for row in (edge - 3, edge + 2)]
    assert np.abs(ends[0] - ends[1]).max() <= 5


def test_over_plain_ground_the_thing_is_drawn_anew_and_the_ground_stays(library: IconLibrary) -> None:
    picture = np.full((SIDE, SIDE, 3), BLUE, np.uint8)
    hole = box(0.2, 0.2, 0.8, 0.8)
    done = made(library, picture, hole, "a yellow star")
    assert (done.origin >= 0).sum() > 0.15 * hole.sum()
    assert (np.abs(done.pixels.astype(int) - BLUE).max(-1)[hole & (done.origin < 0)] < 90).mean() > 0.9
    assert done.notes == ()


def test_a_photograph_is_drawn_upon_and_says_so(library: IconLibrary) -> None:
    picture = photograph()
    done = made(library, picture, box(0.3, 0.3, 0.7, 0.7), "a red apple")
    assert PHOTOGRAPH in done.notes
    assert (done.origin >= 0).any()


def test_outpainting_what_is_there_already_only_extends_the_ground(library: IconLibrary) -> None:
    index = next(c.index for c in _candidates(library, "a castle"))
    small = np.asarray(Image.fromarray(library.pixels(index)).resize((72, 72), Image.Resampling.BICUBIC))
    alpha = small[..., 3:].astype(float) / 255
    picture = np.full((SIDE, SIDE, 3), 255, np.uint8)
    picture[40:112, 4:76] = (small[..., :3] * alpha + 255 * (1 - alpha)).round()
    hole = box(0.5, 0, 1, 1)
    assert (made(library, picture, hole, "a castle", "outpaint").pixels[hole] == 255).all()
    assert (made(library, picture, hole, "a lemon", "outpaint").pixels[hole] < 240).any()


def test_a_background_alone_is_enough_where_the_thing_is_kept(library: IconLibrary) -> None:
    assert asked("a plain blue background", "", "background", library) is not None
    scene = asked("in space", "", "background", library)
    assert scene is not None
    assert (scene.parts, scene.background) == ((), "#161b3d stars")
    hole = surroundings.look(disc(), np.zeros((SIDE, SIDE), bool)).thing == 0
    page = made(library, disc(), hole, "in space", "background").pixels
    assert page[2, 2].max() < 110
    assert tuple(page[SIDE // 2, SIDE // 2]) == RED


def test_refining_something_else_keeps_it_and_says_so(library: IconLibrary) -> None:
    done = made(library, disc(), box(0.2, 0.2, 0.8, 0.8), "a giraffe", "refine", strength=0.3)
    if (done.origin < 0).all():
        assert np.array_equal(done.pixels, disc())
        assert done.notes


@pytest.mark.thorough
def test_credit_shares_add_up(library: IconLibrary) -> None:
    done = made(library, disc(), box(0, 0, 1, 0.45), "a cat")
    facts: Any = credit(done.origin, done.colours, library)
    assert sum(one["share"] for one in facts["attribution"]) == pytest.approx(1, abs=1e-3)
    assert {"name", "set", "licence"} <= facts["attribution"][0].keys()


def test_an_unknown_thing_is_refused_in_words(library: IconLibrary) -> None:
    with pytest.raises(InvalidInput):
        asked("!!!", "", "fill", library)


# As an engine -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def edit(library: IconLibrary, tmp_path: Path) -> Any:
    def run(events: list[Any] | None = None, report: Any = None, **fields: Any) -> list[Picture]:
        Image.fromarray(disc()).save(tmp_path / "picture.png")
        Image.fromarray(box(0, 0, 1, 0.45) * np.uint8(255)).save(tmp_path / "mask.png")
        given = {"image": str(tmp_path / "picture.png"), "mask": str(tmp_path / "mask.png"), "prompt": "a cat", "seed": 3, "steps": 6}
        task = resolve(Inpaint.checked({**given, **fields}), CARD)
        pipeline = starter_image.recipe(CARD, task, Device("cpu")).build({"icons": library})
        told = report or (events if events is not None else []).append
        return [one for one in pipeline(task, told) if isinstance(one, Picture)]

    return run


def test_an_edit_keeps_what_is_not_marked_and_says_whose_icons_it_used(edit: Any) -> None:
    events: list[Any] = []
    picture = edit(events)[0]
    facts: Any = picture.facts
    assert picture.pixels.shape == (SIDE, SIDE, 3)
    assert facts["edit"]["changed_outside"] == 0
    assert facts["attribution"]
    assert np.array_equal(picture.pixels[-8:], disc()[-8:])
    assert "attribution.png" in picture.attachments
    done = [event.done for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    assert any(isinstance(event, Preview) for event in events)


@pytest.mark.thorough
@pytest.mark.slow
def test_picture_k_of_a_batch_of_edits_equals_the_single_one(edit: Any) -> None:
    batch, single = edit(count=2), edit(seed=4)
    assert np.array_equal(batch[1].pixels, single[0].pixels)


def test_stopping_ends_an_edit_at_the_next_report(edit: Any) -> None:
    heard: list[Any] = []

    def stop(event: Any) -> None:
        heard.append(event)
        if len(heard) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        edit(report=stop)
    assert len(heard) == 3


def _candidates(library: IconLibrary, prompt: str) -> Any:
    scene = asked(prompt, "", "fill", library)
    assert scene is not None
    return scene.parts[0].candidates
