import io
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

from studio.provenance import picture_mark, watermark
from studio.provenance.watermark import TooSmall

SECRET = bytes(range(32))
NUMBER = 0xA5C3E
Pixels = NDArray[np.uint8]


def flat(side: int = 512) -> Pixels:
    """An icon: shapes in plain colours on white."""
    pixels = np.full((side, side, 3), 255, np.uint8)
    cv2.circle(pixels, (side // 2, side // 3), side // 4, (250, 90, 20), -1)
    cv2.rectangle(pixels, (side // 5, side // 2), (side // 2, side - 40), (0, 0, 0), -1)
    cv2.rectangle(pixels, (side // 2, side // 2), (side - 60, side - 90), (40, 120, 255), -1)
    return pixels


def busy(height: int = 512, width: int = 512) -> Pixels:
    """Clouds and grain, something like a photograph."""
    draw = np.random.default_rng(4)
    clouds = cv2.GaussianBlur(draw.normal(0, 1, (height, width, 3)), (0, 0), 9) * 400
    return np.clip(128 + clouds + draw.normal(0, 4, (height, width, 1)), 0, 255).astype(np.uint8)


def saved(pixels: Pixels, kind: str) -> Pixels:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, quality=80)
    return np.asarray(Image.open(file).convert("RGB"))


def found(pixels: Pixels, secret: bytes = SECRET) -> int | None:
    mark = picture_mark.detect(pixels, secret)
    return None if mark is None else mark.payload


def decibels(before: Pixels, after: Pixels) -> float:
    return 10 * np.log10(255**2 / np.mean((before.astype(float) - after) ** 2))


@pytest.mark.parametrize("make", [flat, busy])
def test_the_number_is_exact_after_saving_as_jpeg_and_webp_and_in_a_quarter(make: Callable[[], Pixels]):
    marked = picture_mark.embed(make(), NUMBER, SECRET)
    assert decibels(make(), marked) >= 41
    assert found(marked) == NUMBER
    assert found(saved(marked, "JPEG")) == NUMBER
    assert found(saved(marked, "WEBP")) == NUMBER
    assert found(saved(marked[101:357, 190:446], "JPEG")) == NUMBER


@pytest.mark.parametrize("scale", [0.5, 2, 0.83])
def test_the_number_is_exact_at_another_size(scale: float):
    marked = picture_mark.embed(flat(), NUMBER, SECRET)
    size = round(512 * scale)
    mark = picture_mark.detect(cv2.resize(marked, (size, size), interpolation=cv2.INTER_AREA).astype(np.uint8), SECRET)
    assert mark is not None
    assert mark.payload == NUMBER
    assert mark.scale == pytest.approx(scale, rel=0.004)


def test_a_turned_and_a_mirrored_picture_say_so():
    marked = picture_mark.embed(busy(), NUMBER, SECRET)
    turned = cv2.warpAffine(marked, cv2.getRotationMatrix2D((256, 256), 2.0, 1), (512, 512))  # counter-clockwise
    mark, mirrored = picture_mark.detect(turned.astype(np.uint8), SECRET), picture_mark.detect(marked[:, ::-1], SECRET)
    assert mark is not None and mark.payload == NUMBER and not mark.flipped
    assert mark.angle == pytest.approx(2.0, abs=0.15)
    assert mirrored is not None and mirrored.payload == NUMBER and mirrored.flipped


def test_the_same_input_gives_the_same_pixels_and_leaves_the_given_ones_alone():
    pixels = flat()
    before = pixels.copy()
    first = picture_mark.embed(pixels, NUMBER, SECRET)
    assert np.array_equal(first, picture_mark.embed(pixels, NUMBER, SECRET))
    assert np.array_equal(pixels, before)
    assert not np.array_equal(first, picture_mark.embed(pixels, NUMBER, b"another secret"))


def test_another_secret_and_an_unmarked_picture_have_no_mark():
    pixels = busy(256, 256)
    assert found(pixels) is None
    assert found(picture_mark.embed(pixels, NUMBER, SECRET), b"another secret") is None


def test_outside_the_area_that_may_change_every_byte_stays():
    pixels = flat()
    where = np.zeros((512, 512), bool)
    where[130:440, 70:400] = True
    marked = picture_mark.embed(pixels, NUMBER, SECRET, where)
    assert np.array_equal(marked[~where], pixels[~where])
    assert not np.array_equal(marked[where], pixels[where])
    assert found(marked) == NUMBER


def test_a_picture_that_was_marked_twice_says_one_of_its_numbers():
    once = picture_mark.embed(flat(), NUMBER, SECRET)
    assert found(saved(picture_mark.embed(once, 0x12345, SECRET), "JPEG")) in (NUMBER, 0x12345)


def test_an_edit_of_a_marked_picture_is_marked_too():
    once = picture_mark.embed(busy(), NUMBER, SECRET)
    where = np.zeros((512, 512), bool)
    where[:300, 20:320] = True
    edited = picture_mark.embed(np.where(where[..., None], flat(), once), 0x12345, SECRET, where)
    assert np.array_equal(edited[~where], once[~where])
    assert found(np.ascontiguousarray(edited[:300, 20:320])) == 0x12345
    assert found(edited) in (NUMBER, 0x12345)


def test_a_small_area_of_a_large_picture_is_found():
    pixels = busy(1024, 1024)
    where = np.zeros((1024, 1024), bool)
    where[611:891, 333:603] = True
    assert found(saved(picture_mark.embed(pixels, NUMBER, SECRET, where), "JPEG")) == NUMBER


def test_what_is_too_small_is_refused_in_a_sentence():
    where = np.zeros((512, 512), bool)
    where[:255, :256] = True
    for pixels, area in ((flat(255), None), (flat(), where), (np.zeros((0, 9, 3), np.uint8), None)):
        with pytest.raises(TooSmall, match=r"256 x 256 .*\.$"):
            picture_mark.embed(pixels, NUMBER, SECRET, area)


def test_noise_in_which_a_mark_would_drown_is_left_without_one():
    noise = np.random.default_rng(1).integers(0, 2, (256, 256, 3), np.uint8) * 255
    with pytest.raises(TooSmall, match="noisy"):
        picture_mark.embed(noise, NUMBER, SECRET)


def test_transparent_pixels_and_alpha_stay():
    pixels = np.dstack([flat(), np.full((512, 512), 255, np.uint8)])
    pixels[:, :150, 3] = 0
    marked = picture_mark.embed(pixels, NUMBER, SECRET)
    assert np.array_equal(marked[..., 3], pixels[..., 3])
    assert np.array_equal(marked[:, :150], pixels[:, :150])
    assert found(marked) == NUMBER
    on_white = Image.alpha_composite(Image.new("RGBA", (512, 512), "white"), Image.fromarray(marked))
    assert found(np.asarray(on_white.convert("RGB"))) == NUMBER


@pytest.mark.parametrize("level", [0, 255, 128])
def test_grey_pictures_of_one_level_carry_it_too(level: int):
    marked = picture_mark.embed(np.full((256, 300), level, np.uint8), NUMBER, SECRET)
    assert marked.shape == (256, 300)
    assert np.abs(marked.astype(int) - level).max() <= 10
    assert found(marked) == NUMBER


@pytest.mark.parametrize("shape", [(300, 300, 2), (300, 300, 3, 1), (90000,)])
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]):
    with pytest.raises(ValueError, match="uint8"):
        picture_mark.embed(np.zeros(shape, np.uint8), NUMBER, SECRET)
    with pytest.raises(ValueError, match="uint8"):
        picture_mark.detect(np.zeros(shape, np.uint8), SECRET)
    with pytest.raises(ValueError, match="where"):
        picture_mark.embed(flat(), NUMBER, SECRET, np.ones((4, 4), bool))


@settings(max_examples=8, deadline=None)
@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=140)))
def test_detection_takes_any_small_picture(pixels: Pixels):
    assert found(pixels) is None


@pytest.mark.parametrize("shape", [(1, 5000, 3), (64, 700), (5000, 1, 4), (70, 65, 3)])
def test_detection_takes_ribbons(shape: tuple[int, ...]):
    assert found(np.random.default_rng(2).integers(0, 256, shape, np.uint8)) is None


def test_a_payload_is_twenty_bits_of_the_task():
    assert watermark.payload('{"prompt": "a cat"}') == watermark.payload('{"prompt": "a cat"}')
    assert watermark.payload('{"prompt": "a cat"}') != watermark.payload('{"prompt": "a dog"}')
    assert 0 <= watermark.payload("\ud800") < 1 << 20
    with pytest.raises(ValueError, match="20 bits"):
        picture_mark.embed(flat(), 1 << 20, SECRET)


def test_numbers_come_back_from_their_signs_with_a_quarter_of_them_wrong():
    roles = watermark.lines(SECRET, "test", 1000)
    draw = np.random.default_rng(3)
    for number in (0, 1, NUMBER, (1 << 20) - 1):
        signs = watermark.signs(roles, number)
        found = watermark.likeliest(roles, np.where(draw.random(1000) < 0.25, -signs, signs), np.ones(1000, np.float32))
        assert found is not None
        assert found[0] == number
        assert found[1] == pytest.approx(1000**0.5 / 2, rel=0.15)


def test_chance_stays_below_the_bound_of_the_threshold():
    draw = np.random.default_rng(5)
    weights = draw.random(400).astype(np.float32)
    cosines = np.cos(draw.uniform(0, 2 * np.pi, (20_000, 400))).astype(np.float32)
    roles = watermark.lines(SECRET, "test", 400)
    peaks = cosines @ (weights * watermark.signs(roles, 7)) / np.sqrt((weights**2).sum())
    assert peaks[0] == pytest.approx(watermark.peak(roles, cosines[0], weights, 7), abs=1e-4)
    for z in (0.5, 1.0, 1.5, 2.0):
        assert np.mean(peaks > z) <= np.exp(-(z**2))
    assert np.std(peaks) == pytest.approx(np.sqrt(0.5), rel=0.02)
