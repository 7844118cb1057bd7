"""Prefills: known pixels stay, holes of any shape are filled, each way as it promises."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.inpaint.prefill import WAYS, Way, membrane, prefilled

SIDE = 128


def texture(seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(0, 1, (SIDE, SIDE)).astype(np.float32)
    grain = cv2.GaussianBlur(values, (0, 0), 1.5)[..., None] * np.array([80, 60, 40])
    return np.clip(grain + np.array([150, 110, 80]), 0, 255).astype(np.uint8)


def middle(width: int = 40) -> np.ndarray:
    hole = np.zeros((SIDE, SIDE), np.bool_)
    hole[40 : 40 + width, 44 : 44 + width] = True
    return hole


@st.composite
def holed(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    height, width = draw(st.integers(1, 60)), draw(st.integers(1, 60))
    random = np.random.default_rng(draw(st.integers(0, 1000)))
    hole = random.random((height, width)) < draw(st.sampled_from([0, 0.02, 0.5, 0.98, 1]))
    if draw(st.booleans()):
        hole[: draw(st.integers(0, height)), : draw(st.integers(0, width))] = True
    return random.integers(0, 256, (height, width, 3), dtype=np.uint8), hole


@settings(max_examples=60, deadline=None)
@given(holed(), st.sampled_from(WAYS))
def test_known_pixels_come_back_and_the_input_is_left_alone(case: tuple[np.ndarray, np.ndarray], how: Way) -> None:
    pixels, hole = case
    before = pixels.copy()
    filled = prefilled(pixels, hole, how, seed=3)
    assert (pixels == before).all()
    assert filled.dtype == np.uint8
    assert (filled == pixels)[~hole].all()
    assert (filled == prefilled(pixels, hole, how, seed=3)).all()


@pytest.mark.parametrize("how", WAYS)
def test_a_picture_that_is_all_hole_becomes_grey(how: Way) -> None:
    assert (prefilled(texture(), np.ones((SIDE, SIDE), np.bool_), how) == 128).all()


@pytest.mark.parametrize("how", ["blur", "edges"])
def test_a_plain_picture_stays_plain(how: Way) -> None:
    plain = np.full((SIDE, SIDE, 3), (20, 200, 90), np.uint8)
    assert np.abs(prefilled(plain, middle(), how).astype(int) - plain).max() <= 1


@pytest.mark.parametrize("how", ["blur", "edges"])
def test_what_the_hole_held_does_not_shine_through(how: Way) -> None:
    plain = np.full((SIDE, SIDE, 3), (20, 200, 90), np.uint8)
    marked = plain.copy()
    marked[middle()] = (255, 0, 255)
    assert (prefilled(marked, middle(), how) == prefilled(plain, middle(), how)).all()


def test_blur_meets_in_an_edge_where_two_areas_meet() -> None:
    halves = np.full((SIDE, SIDE, 3), (30, 60, 200), np.uint8)
    halves[:, SIDE // 2 :] = (240, 200, 40)
    filled = prefilled(halves, middle(), "blur").astype(int)[40:80, 44:84]
    to_blue, to_yellow = np.abs(filled - (30, 60, 200)).sum(-1), np.abs(filled - (240, 200, 40)).sum(-1)
    plain = np.minimum(to_blue, to_yellow) < 60
    assert plain.mean() > 0.6
    assert (to_blue < to_yellow)[:, :10].all()
    assert (to_yellow < to_blue)[:, -10:].all()


def test_edges_continues_a_line_into_the_hole() -> None:
    lined = np.full((SIDE, SIDE, 3), 230, np.uint8)
    lined[52:60] = 20
    filled = prefilled(lined, middle(16), "edges")
    assert filled[54:56, 44:60].mean() < 120
    assert filled[43:47, 44:60].mean() > 180


def test_noise_has_the_grain_and_the_colours_of_the_picture() -> None:
    picture, hole = texture(), middle()
    filled = prefilled(picture, hole, "noise", seed=5)
    made, real = filled[40:80, 44:84].astype(float), picture[40:80, 44:84].astype(float)
    assert np.abs(made.mean((0, 1)) - real.mean((0, 1))).max() < 10
    assert made.std((0, 1)) == pytest.approx(real.std((0, 1)), rel=0.25)
    steps = [np.abs(np.diff(part, axis=1)).mean() for part in (made, real)]
    assert steps[0] == pytest.approx(steps[1], rel=0.25)
    assert np.corrcoef(made[..., 0].ravel(), made[..., 2].ravel())[0, 1] > 0.9


def test_noise_depends_on_the_seed_alone() -> None:
    assert (prefilled(texture(), middle(), "noise", 1) != prefilled(texture(), middle(), "noise", 2))[middle()].mean() > 0.8


def test_an_unknown_way_is_refused() -> None:
    with pytest.raises(ValueError, match="no such prefill"):
        prefilled(texture(), middle(), "magic")  # pyright: ignore[reportArgumentType]


def test_a_membrane_passes_through_what_is_known() -> None:
    values = np.random.default_rng(0).random((30, 41, 2)).astype(np.float32)
    known = np.zeros((30, 41), np.float32)
    known[::7, ::5] = 1
    spread = membrane(values, known)
    assert np.allclose(spread[known > 0], values[known > 0], atol=1e-5)
    assert values[known > 0].min() - 1e-4 <= spread.min() <= spread.max() <= values[known > 0].max() + 1e-4


@pytest.mark.parametrize("shape", [(1, 40), (40, 1), (2, 30)])
def test_slim_pictures_are_filled_the_same_every_time(shape: tuple[int, int]) -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (*shape, 3), dtype=np.uint8)
    hole = np.arange(shape[0] * shape[1]).reshape(shape) % 40 < 12
    assert len({prefilled(pixels, hole, "edges").tobytes() for _ in range(30)}) == 1
