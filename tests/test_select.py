"""Marks found by the machine: subjects of plain and busy pictures, with and without a box, and areas of one colour."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import Cancelled, InvalidInput
from studio.inpaint.select import background, by_colour, subject


def scene(height: int = 120, width: int = 160, busy: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """A striped ball over a grainy meadow, and where it is."""
    y, x = np.mgrid[:height, :width]
    ball = np.hypot(x - width * 0.55, y - height * 0.5) < height * 0.27
    random = np.random.default_rng(0)
    grain = cv2.GaussianBlur(random.normal(0, 1, (height, width, 1)), (0, 0), 1.2)[..., None] * (25 if busy else 0)
    picture = np.array([70, 140, 60]) + grain
    picture[ball] = np.where(((x + y) // 9 % 2)[ball][:, None] > 0, (210, 60, 40), (230, 190, 60))
    return np.clip(picture, 0, 255).astype(np.uint8), ball


def overlap(mask: np.ndarray, wanted: np.ndarray) -> float:
    """Intersection over union."""
    found = mask > 127
    return float((found & wanted).sum() / (found | wanted).sum())


@pytest.mark.parametrize("busy", [False, True])
def test_the_subject_is_found_without_a_box(busy: bool) -> None:
    picture, ball = scene(busy=busy)
    assert overlap(subject(picture), ball) > 0.93


def test_the_subject_is_found_in_its_box() -> None:
    picture, ball = scene()
    rows, columns = np.flatnonzero(ball.any(1)), np.flatnonzero(ball.any(0))
    box = int(columns[0]) - 8, int(rows[0]) - 8, int(columns[-1]) + 8, int(rows[-1]) + 8
    mask = subject(picture, box)
    assert overlap(mask, ball) > 0.93
    assert mask[: box[1] - 8].max() == 0


def test_a_box_chooses_between_two_subjects() -> None:
    picture, ball = scene()
    both = np.concatenate([picture, picture], axis=1)
    mask = subject(both, (10, 5, 155, 115))
    assert overlap(mask[:, :160], ball) > 0.9
    assert mask[:, 170:].max() == 0


def test_the_background_is_everything_else() -> None:
    picture, _ = scene()
    assert (background(picture) == 255 - subject(picture)).all()


def test_the_edge_of_a_large_picture_is_drawn_at_its_own_size() -> None:
    picture, ball = scene(1200, 1600)
    mask = subject(picture)
    assert mask.shape == ball.shape
    assert overlap(mask, ball) > 0.96
    assert ((mask > 0) & (mask < 255)).mean() < 0.05


def test_the_same_picture_gives_the_same_mask() -> None:
    picture, _ = scene()
    first = subject(picture)
    cv2.setRNGSeed(99)
    assert (subject(picture) == first).all()


def test_nothing_stands_apart_in_a_plain_picture() -> None:
    assert subject(np.full((50, 60, 3), 90, np.uint8)).max() == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 30), st.integers(1, 30), st.integers(0, 50), st.booleans())
def test_any_size_gives_a_mask_of_that_size(height: int, width: int, seed: int, boxed: bool) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    mask = subject(picture, (0, 0, max(1, width // 2), height) if boxed else None)
    assert mask.shape == (height, width)
    assert mask.dtype == np.uint8


def test_a_box_outside_the_picture_is_refused() -> None:
    for box in ((200, 0, 300, 50), (20, 20, 20, 40)):
        with pytest.raises(InvalidInput, match="box"):
            subject(scene()[0], box)


def test_progress_is_told_and_raising_stops() -> None:
    told: list[float] = []
    subject(scene()[0], report=told.append)
    assert told == sorted(told)
    assert told[0] == 0
    assert told[-1] == 1

    def stop(done: float) -> None:
        if done > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        subject(scene()[0], report=stop)


def test_a_colour_is_marked_where_it_hangs_together() -> None:
    picture = np.zeros((20, 30, 3), np.uint8)
    picture[5:10, 5:10] = picture[5:10, 20:25] = (200, 100, 50)
    picture[7, 7] = (205, 104, 47)
    mask = by_colour(picture, 6, 6, 8)
    assert mask[5:10, 5:10].min() == 255
    assert mask.sum() == 255 * 25
    everywhere = by_colour(picture, 6, 6, 8, joined=False)
    assert everywhere.sum() == 255 * 50
    assert by_colour(picture, 6, 6, 3).sum() == 255 * 24


def test_the_tolerance_is_measured_from_the_pixel_pointed_at() -> None:
    ramp = np.repeat(np.arange(0, 200, 2, dtype=np.uint8)[None, :, None], 3, 2).repeat(5, 0)
    assert np.flatnonzero(by_colour(ramp, 50, 2, 10)[2]).tolist() == list(range(45, 56))


def test_a_place_outside_the_picture_is_refused() -> None:
    for x, y in ((-1, 0), (160, 5), (0, 120)):
        with pytest.raises(InvalidInput, match="outside"):
            by_colour(scene()[0], x, y, 5)
