"""Erasing: the hole is completed from the rest of the picture, exactly where the picture repeats; progress, stopping, determinism."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import Cancelled
from studio.inpaint.erase import erased
from studio.inpaint.patchmatch import REACH, Matching
from studio.inpaint.relaxing import relaxed

SIDE = 160


def quiet(done: float) -> None:
    assert 0 <= done <= 1


def disc(side: int = SIDE, radius: float = 22) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return np.hypot(x - side * 0.48, y - side * 0.53) < radius


def stripes(side: int = SIDE) -> np.ndarray:
    y, x = np.mgrid[:side, :side]
    return (((x + y // 2) // 12 % 2)[..., None] * np.array([120, 100, 70]) + 60).astype(np.uint8)


def slope(side: int = SIDE) -> np.ndarray:
    y, x = np.mgrid[:side, :side].astype(np.float32)
    return np.stack([60 + 0.5 * x, 100 + 0.4 * y, 190 - 0.4 * x], -1).astype(np.uint8)


def grain(side: int = SIDE) -> np.ndarray:
    values = np.random.default_rng(4).normal(0, 1, (side, side)).astype(np.float32)
    return np.clip(cv2.GaussianBlur(values, (0, 0), 1.2)[..., None] * np.array([70, 60, 50]) + 130, 0, 255).astype(np.uint8)


def marked(picture: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """The picture with something in the hole that must not show in the result."""
    other = picture.copy()
    other[hole] = (255, 0, 255)
    return other


@pytest.mark.parametrize("picture", [stripes(), np.full((SIDE, SIDE, 3), 77, np.uint8)], ids=["stripes", "plain"])
def test_a_picture_that_repeats_is_completed_exactly(picture: np.ndarray) -> None:
    result = erased(marked(picture, disc()), disc(), quiet)
    assert np.abs(result.astype(int) - picture).mean((0, 1)).max() < 0.05


def test_shades_run_on_across_the_hole() -> None:
    result = erased(marked(slope(), disc()), disc(), quiet)
    assert np.abs(result.astype(int) - slope())[disc()].mean() < 3


def test_a_texture_keeps_its_grain() -> None:
    picture, hole = grain(256), disc(256, 26)
    result = erased(marked(picture, hole), hole, quiet)
    inside = result[hole].astype(float).std()
    assert inside == pytest.approx(picture[hole].astype(float).std(), rel=0.35)


@pytest.mark.thorough
def test_a_large_picture_keeps_its_grain_although_it_is_searched_at_a_smaller_size() -> None:
    picture, hole = grain(900), disc(900, 170)
    result = erased(marked(picture, hole), hole, quiet)
    sharp = [np.abs(np.diff(part.astype(int), axis=1))[hole[:, 1:]].mean() for part in (result, picture)]
    assert sharp[0] == pytest.approx(sharp[1], rel=0.15)
    assert (result == picture)[~hole].all()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 99), st.sampled_from([0, 0.01, 0.3, 0.9, 1]))
def test_known_pixels_come_back_for_any_size_and_hole(height: int, width: int, seed: int, share: float) -> None:
    random = np.random.default_rng(seed)
    pixels = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    hole = random.random((height, width)) < share
    before = pixels.copy()
    result = erased(pixels, hole, quiet)
    assert (pixels == before).all()
    assert result.shape == pixels.shape
    assert (result == pixels)[~hole].all()


def test_the_object_leaves_no_trace() -> None:
    one = erased(marked(grain(), disc()), disc(), quiet, seed=2)
    assert (one == erased(grain(), disc(), quiet, seed=2)).all()


@pytest.mark.thorough
def test_the_seed_decides() -> None:
    hole = disc(220, 30)
    picture = grain(220)
    one, same, other = (erased(picture, hole, quiet, seed) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_progress_rises_to_one() -> None:
    told: list[float] = []
    erased(grain(), disc(), told.append)
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1
    assert len(told) > 5


def test_raising_in_the_report_stops_the_work() -> None:
    told: list[float] = []

    def stop(done: float) -> None:
        told.append(done)
        if done > 0.1:
            raise Cancelled

    with pytest.raises(Cancelled):
        erased(grain(), disc(), stop)
    assert told[-1] < 0.9


def test_matches_are_known_patches_and_the_best_ones() -> None:
    picture, hole = stripes(64).astype(np.float32), disc(64, 8)
    matching = Matching(picture, hole, np.random.default_rng(0))
    matching.start(None)
    matching.search(1)
    rows, columns = np.divmod(matching.found, 64 + 2 * REACH)
    for row, column in zip(rows - REACH, columns - REACH, strict=True):
        assert not hole[row - REACH : row + REACH + 1, column - REACH : column + REACH + 1].any()
    assert matching.vote() == pytest.approx(0, abs=0.01)


def test_spreading_and_random_tries_find_nearly_the_best_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, hole = grain(96).astype(np.float32), disc(96, 10)
    costs = list[float]()
    for pairs in (100_000_000, 0):
        monkeypatch.setattr("studio.inpaint.patchmatch._EXHAUSTIVE", pairs)
        matching = Matching(picture, hole, np.random.default_rng(0))
        matching.start(None)
        random = float(matching._distances(matching.found).mean())
        matching.search(6)
        costs.append(float(matching._costs.mean()))
    assert costs[0] <= costs[1] < costs[0] + 0.2 * (random - costs[0])


def test_relaxing_gives_the_picture_whose_slopes_were_asked_for() -> None:
    y, x = np.mgrid[:40, :50].astype(np.float32)
    wanted = np.stack([2 * x + y, 100 - x, 0.05 * x * y], -1)
    area = np.zeros((40, 50), np.bool_)
    area[6:33, 9:41] = True
    start = wanted + np.where(area, 4 * np.sin(x / 5), 0)[..., None].astype(np.float32)
    right = np.pad(np.diff(wanted, axis=1), ((0, 0), (0, 1), (0, 0)))
    down = np.pad(np.diff(wanted, axis=0), ((0, 1), (0, 0), (0, 0)))
    found = relaxed(start, area, right, down)
    assert (found == start)[~area].all()
    assert np.abs(found - wanted).mean() < 0.2 < 0.2 * np.abs(start - wanted)[area].mean()
