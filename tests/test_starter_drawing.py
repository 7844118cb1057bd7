"""What prepares and finishes a drawing of the picture starter: frames, palettes, places, enlargement, backgrounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from studio.starter import backdrop, frame, palette, variation
from studio.starter.compose import gather
from studio.starter.enlarge import enlarged
from studio.starter.frame import Box
from studio.starter.icons import SIZE, IconLibrary
from studio.starter.layout import arranged
from studio.starter.scene import PATTERNS, RELATIONS, Candidate, Part
from studio.starter.words import read

FOLDER = Path(__file__).parents[1] / "assets" / "icons"
RED, GREEN, BLUE, WHITE, BLACK = (200, 30, 30), (40, 160, 60), (40, 80, 200), (255, 255, 255), (20, 20, 20)


@pytest.fixture(scope="module")
def library() -> IconLibrary:
    return IconLibrary.open(FOLDER)


def disc(colour: tuple[int, int, int], left: int = 14, top: int = 14, right: int = 114, bottom: int = 114) -> frame.Pixels:
    """An ellipse with smooth edges that fills the box."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    wide, high = (right - left) / 2, (bottom - top) / 2
    reach = np.hypot((x - left - wide) / wide, (y - top - high) / high)
    alpha = np.clip((1 - reach) * min(wide, high) + 0.5, 0, 1)
    return np.concatenate([np.broadcast_to(np.array(colour, np.uint8), (SIZE, SIZE, 3)), (alpha[..., None] * 255).astype(np.uint8)], -1)


def eyed(colour: tuple[int, int, int], eye: tuple[int, int, int] = BLACK) -> frame.Pixels:
    """A disc with an eye."""
    picture = disc(colour).copy()
    picture[40:60, 40:60, :3] = eye
    return picture


def at(picture: frame.Pixels, row: int, column: int) -> tuple[int, ...]:
    return tuple(int(value) for value in picture[row, column, :3])


# Frames ---------------------------------------------------------------------------------------------------------------------------


def test_a_drawing_is_found_and_placed_in_its_box() -> None:
    box = frame.drawn(frame.placed(disc(RED, 10, 20, 50, 100), Box(30, 40, 90, 120)))
    assert np.allclose([box.left, box.top, box.right, box.bottom], [30, 40, 90, 120], atol=1)


def test_an_empty_picture_fills_its_box() -> None:
    assert frame.drawn(np.zeros((SIZE, SIZE, 4), np.uint8)) == Box(0, 0, SIZE, SIZE)


def test_a_drawing_that_keeps_its_size_keeps_its_pixels() -> None:
    picture = eyed(RED)
    box = frame.drawn(picture)
    moved = frame.placed(picture, Box(box.left + 7, box.top - 5, box.right + 7, box.bottom - 5))
    assert np.array_equal(moved[9:109, 21:121][picture[14:114, 14:114, 3] > 12], picture[14:114, 14:114][picture[14:114, 14:114, 3] > 12])


def test_another_size_and_place_is_brought_onto_the_anchor() -> None:
    anchor, other = disc(RED), disc(RED, 60, 20, 100, 60)
    there = frame.aligned([anchor, other], 0, frame.drawn(anchor))
    assert frame.unlike(other, anchor) > 0.5
    assert frame.unlike(there[1], anchor) < 0.02


def test_a_picture_that_faces_the_other_way_is_turned_round() -> None:
    anchor = eyed(RED)
    there = frame.aligned([anchor, anchor[:, ::-1]], 0, frame.drawn(anchor))
    assert at(there[1], 50, 50) == BLACK
    assert at(there[1], 50, 78) == RED


# Palettes -------------------------------------------------------------------------------------------------------------------------


def test_oklab_goes_there_and_back() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (500, 3)).astype(np.uint8)
    assert np.abs(palette.from_oklab(palette.to_oklab(colours)).astype(int) - colours).max() <= 1
    assert np.allclose(palette.to_oklab(np.array([255, 255, 255], np.uint8)), [1, 0, 0], atol=1e-3)


def test_a_palette_holds_the_colours_by_their_share() -> None:
    found = palette.Palette.of(eyed(RED))
    assert [tuple(palette.from_oklab(colour)) for colour in found.colours] == [RED, BLACK]
    assert found.shares[0] > 0.9
    assert found.where[64, 64] == 0
    assert found.where[50, 50] == 1
    assert found.where[0, 0] == -1


def test_a_drawing_wears_the_colours_of_another_and_keeps_its_eye() -> None:
    picture, other = eyed(RED), disc(GREEN)
    worn = palette.harmonised(picture, palette.Palette.of(picture), palette.Palette.of(other))
    assert np.abs(np.array(at(worn, 80, 80)) - GREEN).max() <= 3
    assert np.abs(np.array(at(worn, 50, 50)) - BLACK).max() <= 12
    assert np.array_equal(worn[..., 3], picture[..., 3])


def test_hues_stay_where_a_colour_was_asked_for() -> None:
    picture = eyed(RED)
    assert np.array_equal(
        palette.harmonised(picture, palette.Palette.of(picture), palette.Palette.of(disc(GREEN)), keep_hues=True), picture
    )


def test_no_area_takes_a_colour_in_which_it_would_vanish() -> None:
    """The eye lies where the other picture is red all over, as the face is."""
    picture = eyed(RED, BLUE)
    worn = palette.harmonised(picture, palette.Palette.of(picture), palette.Palette.of(disc(RED)))
    assert np.abs(np.array(at(worn, 50, 50)) - BLUE).max() <= 3


@pytest.mark.parametrize("colour", ["#2f78dc", "#fbd024", "#26262c", "#f6f6f4", "#8a3fc4"])
def test_the_main_colour_turns_to_the_one_asked_for(colour: str) -> None:
    asked = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    turned = palette.turned(eyed(RED, (20, 90, 20)), colour)
    assert np.abs(np.array(at(turned, 80, 80)) - asked).max() <= 6
    assert np.abs(np.array(at(turned, 50, 50)) - at(turned, 80, 80)).max() > 40


def test_white_at_the_outline_becomes_off_white_and_white_inside_stays() -> None:
    face = eyed(WHITE)
    assert at(palette.off_white(face), 80, 80)[0] < 240
    assert at(palette.off_white(eyed(RED, WHITE)), 50, 50) == WHITE


@pytest.mark.parametrize("angle", [-0.4, 0.4])
def test_a_varied_drawing_has_another_hue_and_keeps_its_eye_and_its_white(angle: float) -> None:
    picture = eyed(GREEN)
    picture[80:100, 40:90, :3] = WHITE
    other = variation.varied(picture, angle, 0.05)
    assert other is not None
    face, was = palette.to_oklab(other[70, 80, :3]), palette.to_oklab(picture[70, 80, :3])
    turned = np.arctan2(face[2], face[1]) - np.arctan2(was[2], was[1])
    assert turned == pytest.approx(angle, abs=0.1)
    assert np.abs(np.array(at(other, 50, 50)) - BLACK).max() <= 3
    assert np.abs(np.array(at(other, 90, 60)) - WHITE).max() <= 3
    assert np.array_equal(other[..., 3], picture[..., 3])


def test_yellow_varies_to_orange_and_never_to_green() -> None:
    picture = disc((250, 205, 40))
    for angle in (-0.4, 0.4):
        other = variation.varied(picture, *variation.settled(picture, angle, 0.05))
        assert other is not None
        red, green, _ = at(other, 64, 64)
        assert red > green + 50
    assert variation.settled(disc(BLUE), 0.4, 0.05) == (0.4, 0.05)


# Ingredients ----------------------------------------------------------------------------------------------------------------------


def test_ingredients_start_with_the_leading_icon_and_are_the_parts_own(library: IconLibrary) -> None:
    part = read("a castle", "", "", library).parts[0]
    own = {candidate.index for candidate in part.candidates}
    leads = set()
    for seed in range(6):
        mixed = gather(part, library, seed)
        assert set(mixed.icons) <= own
        assert set(mixed.colours) <= {i for i, icon in enumerate(library.icons) if icon.concept == "castle"}
        assert mixed.log_priors[0] == 0
        assert (mixed.log_priors <= 0).all()
        assert len(mixed.pictures) == len(mixed.icons) == len(mixed.log_priors)
        leads.add(mixed.icons[0])
    assert len(leads) >= 3


def test_a_thing_keeps_the_colour_asked_for_whatever_the_seed(library: IconLibrary) -> None:
    part = read("a green apple", "", "", library).parts[0]
    for seed in range(4):
        leading = gather(part, library, seed).pictures[0]
        hues = palette.to_oklab(leading[leading[..., 3] > 200][:, :3])
        assert (hues[:, 1] < -0.02).mean() > 0.5


def test_a_costume_like_its_own_colours_gets_others_and_the_same_seed_the_same(library: IconLibrary) -> None:
    index = next(i for i, icon in enumerate(library.icons) if icon.concept == "shamrock" and icon.style == "Flat")
    part = Part("shamrock", (Candidate(index, 0.0),))
    own = library.pixels(index)
    greens = set()
    for seed in range(4):
        made = gather(part, library, seed).pictures[0]
        assert np.array_equal(made, gather(part, library, seed).pictures[0])
        greens.add(tuple(np.median(made[made[..., 3] > 200][:, :3], 0)))
    assert len(greens) >= 3
    assert tuple(np.median(own[own[..., 3] > 200][:, :3], 0)) not in greens


def test_one_candidate_alone_keeps_its_shape_and_takes_colours_of_its_own_concept(library: IconLibrary) -> None:
    index = read("a castle", "", "", library).parts[0].candidates[0].index
    mixed = gather(Part("castle", (Candidate(index, 0.0),)), library, 4)
    assert mixed.icons == (index,)
    assert mixed.colours
    assert {library.icons[icon].concept for icon in mixed.colours} == {"castle"}
    assert index not in mixed.colours


# Places ---------------------------------------------------------------------------------------------------------------------------

TALL, FLAT = disc(RED, 40, 10, 90, 118), disc(BLUE, 5, 50, 123, 100)


@pytest.mark.parametrize("relation", RELATIONS)
@pytest.mark.parametrize("count", [2, 3])
def test_everything_stays_inside_the_page_and_is_painted_once(relation: str, count: int) -> None:
    order = arranged([TALL, FLAT, TALL][:count], relation, ["box", "tree", "box"][:count])
    assert sorted(placed.index for placed in order) == list(range(count))
    for placed in order:
        box = placed.box
        assert min(box.left, box.top) >= 4.9
        assert max(box.right, box.bottom) <= SIZE - 4.9
        assert min(box.width, box.height) > 8


def boxes(relation: str, words: tuple[str, str] = ("cat", "tree")) -> tuple[Box, Box, list[int]]:
    order = arranged([TALL, FLAT], relation, words)
    found = {placed.index: placed.box for placed in order}
    return found[0], found[1], [placed.index for placed in order]


def test_above_is_above_and_below_is_below_without_touching() -> None:
    first, second, _ = boxes("above")
    assert first.bottom < second.top
    first, second, _ = boxes("below")
    assert second.bottom < first.top


def test_on_stands_in_front_upon_the_surface() -> None:
    first, second, order = boxes("on")
    assert order == [1, 0]
    assert second.top < first.bottom < (second.top + second.bottom) / 2


def test_beside_is_a_row_on_one_ground() -> None:
    first, second, _ = boxes("beside")
    assert first.right < second.left
    assert abs(first.bottom - second.bottom) < 0.01


def test_behind_is_painted_first_and_looks_out() -> None:
    first, second, order = boxes("behind")
    assert order == [0, 1]
    assert first.top < second.top
    assert first.bottom > second.top


def test_in_fills_what_is_open_from_above_and_else_stands_inside() -> None:
    first, second, order = boxes("in", ("cat", "cardboard box"))
    assert order == [0, 1]
    assert first.top < second.top < first.bottom
    first, second, order = boxes("in", ("cat", "house"))
    assert order == [1, 0]
    assert second.left < first.left
    assert first.right < second.right


# Enlargement and backgrounds ------------------------------------------------------------------------------------------------------


def test_an_enlarged_edge_has_two_colours_and_no_mixture() -> None:
    picture = disc(RED).copy()
    picture[:, 64:, :3] = BLUE
    picture[:, 63, :3] = (120, 55, 115)  # as smoothing leaves it
    large = enlarged(picture, 8)
    assert large.shape == (1024, 1024, 4)
    row = large[512, 300:700, :3].astype(int)
    mixed = np.minimum(np.abs(row - RED).max(-1), np.abs(row - BLUE).max(-1)) > 12
    assert mixed.sum() <= 2
    assert (large[..., 3] > 0).sum() == pytest.approx((picture[..., 3] > 127).sum() * 64, rel=0.02)


def test_a_thin_line_survives_enlargement() -> None:
    picture = disc(RED).copy()
    picture[64, 30:98, :3] = BLACK
    line = enlarged(picture, 4)[256:260, 160:360, :3].astype(int)
    assert (np.abs(line - BLACK).max(-1) < 40).mean() > 0.5


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_is_a_soft_one_in_its_own_colour_or_the_one_asked_for(pattern: str) -> None:
    plain, coloured = backdrop.pixels(pattern, 240, 160), backdrop.pixels(f"#2f78dc {pattern}", 240, 160)
    assert plain.shape == (160, 240, 4)
    assert (plain[..., 3] == 255).all()
    for page, ground in ((plain, plain[:, :, :3].max((0, 1))), (coloured, np.array([0x2F, 0x78, 0xDC]))):
        off = np.abs(page[..., :3].astype(int) - ground).max(-1)
        assert 0.03 < (off > 6).mean() < 0.75
        assert off.max() < 60


def test_no_background_is_white_paper_and_no_svg() -> None:
    assert (backdrop.pixels(None, 16, 8) == 255).all()
    assert backdrop.svg(None, 16, 8) == ""
    assert tuple(backdrop.pixels("#2f78dc", 16, 8)[3, 3]) == (0x2F, 0x78, 0xDC, 255)
