"""Joins: the original's bytes where the weights are 0, the made picture in the hole, and the feather whose seam is least."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.inpaint.jumps import Gauge
from studio.inpaint.seams import blended, score, weights

SIDE = 160


def noise(seed: int, mean: float = 130, grain: float = 1.5) -> np.ndarray:
    """A texture; another seed is another texture of the same kind."""
    values = np.random.default_rng(seed).normal(0, 1, (SIDE, SIDE, 3)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(values, (0, 0), grain) * 90 + mean, 0, 255).astype(np.uint8)


def slope(shift: float = 0) -> np.ndarray:
    """A smooth picture."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    return np.clip(np.stack([60 + 0.5 * x, 100 + 0.4 * y, 190 - 0.4 * x], -1) + shift, 0, 255).astype(np.uint8)


def stripes(move: int) -> np.ndarray:
    """Diagonal stripes, moved sideways."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(np.float32)
    bright = ((x + move + 0.5 * y) // 16) % 2
    return (bright[..., None] * np.array([120, 100, 70]) + 60).astype(np.uint8)


def disc(radius: float = 45) -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return np.hypot(x - 80, y - 80) < radius


@st.composite
def pictures(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two pictures of one random size and a hole: rectangles that may touch every border, one pixel, nothing or everything."""
    height, width = draw(st.integers(1, 70)), draw(st.integers(1, 70))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    original, made = (random.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(2))
    hole = np.zeros((height, width), np.bool_)
    kind = draw(st.sampled_from(["none", "all", "pixel", "rectangles", "scattered"]))
    if kind == "all":
        hole[:] = True
    elif kind == "pixel":
        hole[draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))] = True
    elif kind == "scattered":
        hole = random.random((height, width)) < 0.2
    elif kind == "rectangles":
        for _ in range(draw(st.integers(1, 3))):
            top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
            hole[top : draw(st.integers(top + 1, height)), left : draw(st.integers(left + 1, width))] = True
    return original, made, hole


@settings(max_examples=80, deadline=None)
@given(pictures(), st.lists(st.sampled_from([0, 0.5, 3, 8, 40]), min_size=1, max_size=3, unique=True), st.booleans())
def test_where_the_weights_are_0_every_byte_is_the_originals(
    case: tuple[np.ndarray, np.ndarray, np.ndarray], feathers: list[float], match: bool
) -> None:
    original, made, hole = case
    before = original.copy()
    result = blended(original, made, hole, feathers, match)
    assert (original == before).all()
    assert result.pixels.shape == original.shape
    assert result.pixels.dtype == np.uint8
    assert result.weights.dtype == np.float32
    assert (result.pixels == original)[result.weights == 0].all()
    assert (result.weights[hole] == 1).all()
    assert result.feather in feathers
    assert set(result.scores) == set(feathers)
    assert 0 <= result.score == result.scores[result.feather] <= min(result.scores.values()) + 0.2
    if not result.matched:
        assert (result.pixels == made)[hole].all()


def test_weights_fall_from_1_in_the_hole_to_0_beyond_the_feather() -> None:
    ramp = weights(disc(), 12)
    along = ramp[80, 80:]
    assert (ramp[disc()] == 1).all()
    assert (np.diff(along) <= 0).all()
    assert along[56] > 0
    assert along[59] == 0


def test_a_hole_at_the_border_has_no_ramp_there() -> None:
    hole = np.zeros((40, 40), np.bool_)
    hole[:, :10] = True
    ramp = weights(hole, 8)
    assert (ramp == ramp[0]).all()


def test_without_a_hole_nothing_changes_and_nothing_scores() -> None:
    result = blended(slope(), noise(1), np.zeros((SIDE, SIDE), np.bool_), (4, 16))
    assert (result.pixels == slope()).all()
    assert result.score == 0


def test_a_feather_must_be_a_distance() -> None:
    for feathers in ((), (-1, 4)):
        with pytest.raises(ValueError, match="feathers"):
            blended(slope(), slope(), disc(), feathers)


def test_a_continued_picture_has_no_seam_even_when_it_is_textured() -> None:
    other = blended(noise(1), noise(2), disc(), (0,), colour_match=False).score
    for picture in (slope(), noise(1), stripes(0)):
        assert blended(picture, picture, disc(), (0,)).score < other / 4


def test_a_cast_is_a_seam_and_the_wider_feather_hides_it_better() -> None:
    result = blended(slope(), slope(12), disc(), (0, 8, 32), colour_match=False)
    assert result.feather == 32
    assert result.scores[0] > 2 * result.scores[32] > 0
    assert not result.matched


def test_matching_colours_removes_a_cast() -> None:
    result = blended(slope(), slope(12), disc(), (0, 8, 32))
    assert result.matched
    assert result.score < 0.1
    assert np.abs(result.pixels.astype(int) - slope())[disc()].mean() < 1


def test_colours_that_agree_are_left_alone() -> None:
    made = slope()
    made[60:100, 60:100] = (250, 20, 20)  # something new, well inside the hole
    result = blended(slope(), made, disc(), (4,))
    assert not result.matched
    assert (result.pixels == made)[disc()].all()


def test_two_textures_are_joined_narrowly_because_both_show_through_in_a_wide_join() -> None:
    result = blended(noise(1), noise(2), disc(), (0, 4, 32), colour_match=False)
    assert result.feather == 4


def test_stripes_that_do_not_meet_score_more_than_stripes_that_do() -> None:
    assert blended(stripes(0), stripes(8), disc(), (4,)).score > blended(stripes(0), stripes(1), disc(), (4,)).score + 1


def test_the_score_of_any_join_is_the_one_blended_gives() -> None:
    original, made = noise(1), noise(2, mean=150)
    result = blended(original, made, disc(), (6,), colour_match=False)
    assert score(result.pixels, original, made, result.weights, disc()) == pytest.approx(result.score, abs=0.3)


def test_the_three_parts_of_the_score_each_find_their_fault() -> None:
    hole = disc()
    cast = Gauge(slope(), slope(15), hole)
    hard = weights(hole, 0)
    assert cast.seam(lambda place: np.where(hole[..., None], slope(15), slope())[place], hard).lab > 2
    cut = Gauge(stripes(0), stripes(16), hole)
    assert cut.seam(lambda place: np.where(hole[..., None], stripes(16), stripes(0))[place], hard).gradient > 2
    mixed = Gauge(noise(1), noise(2), hole)
    wide = weights(hole, 32)[..., None]
    both = (noise(1) * (1 - wide) + noise(2) * wide).astype(np.uint8)
    assert mixed.seam(lambda place: both[place], wide[..., 0]).doubling > 4


def test_a_large_hole_is_measured_on_tiles_and_agrees_with_the_whole() -> None:
    y, x = np.mgrid[:1200, :1200].astype(np.float32)
    original = np.stack([60 + 0.1 * x, 100 + 0.1 * y, 190 - 0.1 * x], -1).astype(np.uint8)
    hole = np.hypot(x - 600, y - 600) < 400
    made = original + np.uint8(10)
    large = blended(original, made, hole, (0,), colour_match=False).score
    inner = slice(300, 900), slice(300, 900)
    less = np.hypot(x - 600, y - 600)[inner] < 200
    assert large == pytest.approx(blended(original[inner], made[inner], less, (0,), colour_match=False).score, rel=0.2)
