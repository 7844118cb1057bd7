"""Picture files: their pixels, the record they carry, and files that mean harm."""

from __future__ import annotations

import io
import re
import struct
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from studio.errors import InvalidInput, MediaUnreadable
from studio.provenance import containers
from studio.provenance.containers import PNG_START, png_chunk, png_utf8
from studio.provenance.pictures import (
    check,
    encode_lossy,
    encode_png,
    infotext,
    read_infotext,
    read_record,
)
from studio.provenance.record import SIZE_LIMIT, TRAINED
from studio.tasks import PROMPT_LIMIT
from tests.samples import picture, png, record

AWKWARD = 'a "red" apple 🍎👩‍👩‍👧\nשלום <b>&amp;</b> \\n \u202e\u200d, Steps: 3, Seed: 4'


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)))


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 5), (64, 64), (1, 40), (200, 3)])
def test_a_png_holds_the_very_pixels_and_the_record(channels: int, width: int, height: int) -> None:
    media, made = picture(3, width, height, channels), record()
    data = encode_png(media.pixels, made)
    assert np.array_equal(pixels_of(data), media.pixels)
    assert read_record(data) == made
    check(data)


def test_flat_and_sliced_pixels_are_written_as_they_are() -> None:
    flat = np.zeros((64, 64, 4), np.uint8)
    flat[8:40, 8:40] = (200, 30, 40, 255)
    view = picture(1, 64, 64).pixels[::2, ::-1]
    for pixels in (flat, view):
        assert np.array_equal(pixels_of(encode_png(pixels, record())), pixels)


def test_a_large_picture_is_packed_in_parts_and_reads_back_exactly() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (1500, 2000, 3)).astype(np.uint8)
    pixels[300:900] = 7
    told = record()
    data = encode_png(pixels, told)
    assert np.array_equal(pixels_of(data), pixels)
    assert data == encode_png(pixels, told)


def test_other_arrays_are_refused_by_the_encoder() -> None:
    wrongs: list[Any] = [np.zeros((4, 4, 3)), *(np.zeros(shape, np.uint8) for shape in ((4, 4, 2), (0, 4, 3), (4,)))]
    for wrong in wrongs:
        with pytest.raises(ValueError, match="pixels must be"):
            encode_png(wrong, record())


words = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


@settings(max_examples=30, deadline=None)
@given(prompt=words, negative=words)
@example(prompt=AWKWARD, negative="\u202e\U0001f469\u200d\U0001f680 'quotes' \"and\" \x00 nul")
@example(prompt="Negative prompt: x\nSteps: 1, Seed: 2, Size: 3x4", negative="")
def test_any_words_survive_every_format(prompt: str, negative: str) -> None:
    made = record()
    made = made.model_copy(update={"task": {**made.task, "prompt": prompt, "negative_prompt": negative}})
    data = encode_png(picture().pixels, made)
    assert read_record(data) == made
    assert np.array_equal(pixels_of(data), picture().pixels)
    for kind in ("webp", "jpeg"):
        copy = read_record(encode_lossy(data, kind))
        assert copy is not None
        assert copy.task == made.task


@pytest.mark.parametrize("kind", ["webp", "jpeg"])
def test_a_lossy_copy_says_that_it_is_one(kind: Any) -> None:
    data, made = png(AWKWARD)
    copy = encode_lossy(data, kind, quality=80)
    read = read_record(copy)
    assert read is not None
    assert read.facts == {"copy": {"format": kind, "quality": 80, "lossless": False}}
    assert read.model_copy(update={"facts": {}}) == made
    assert Image.open(io.BytesIO(copy)).format == kind.upper()
    assert TRAINED.encode() in copy
    assert read_infotext(copy) == infotext(made)


@pytest.mark.parametrize("kind", ["webp", "jpeg"])
def test_a_lossy_copy_takes_another_record_than_its_files(kind: Any) -> None:
    other = record("a green pear", 2)
    copy = encode_lossy(png()[0], kind, record=other)
    read = read_record(copy)
    assert read is not None
    assert read.model_copy(update={"facts": {}}) == other
    assert read_infotext(copy) == infotext(other)


def test_jpeg_puts_transparency_on_white_and_says_so() -> None:
    clear = np.zeros((16, 16, 4), np.uint8)
    data = encode_png(clear, record())
    jpeg = encode_lossy(data, "jpeg")
    read = read_record(jpeg)
    assert read is not None
    assert read.facts["copy"] == {"format": "jpeg", "quality": 90, "lossless": False, "transparency": "flattened onto white"}
    assert pixels_of(jpeg).min() > 250
    assert pixels_of(encode_lossy(data, "webp")).shape == (16, 16, 4)


def test_a_record_too_long_for_jpeg_goes_without_the_engines_facts_and_says_so() -> None:
    noise = "".join(np.random.default_rng(0).choice(list("abcdefghijklmnop"), 300_000))
    made = record(map=noise)
    data = encode_png(picture().pixels, made)
    jpeg, webp = read_record(encode_lossy(data, "jpeg")), read_record(encode_lossy(data, "webp"))
    assert jpeg is not None
    assert webp is not None
    assert jpeg.facts == {"copy": {"format": "jpeg", "quality": 90, "lossless": False, "left_out": ["facts"]}}
    assert jpeg.task == made.task
    assert webp.facts["map"] == noise


def test_the_longest_prompt_of_emoji_survives_jpeg() -> None:
    prompt = "".join(chr(0x1F300 + number % 700) for number in range(PROMPT_LIMIT))
    read = read_record(encode_lossy(png(prompt)[0], "jpeg"))
    assert read is not None
    assert read.task["prompt"] == prompt


def test_the_png_says_that_a_machine_made_it_in_iptcs_words() -> None:
    image = Image.open(io.BytesIO(png()[0]))
    assert isinstance(image, PngImagePlugin.PngImageFile)
    found = re.search(r"<Iptc4xmpExt:DigitalSourceType>(.*?)</Iptc4xmpExt:DigitalSourceType>", str(image.text["XML:com.adobe.xmp"]))
    assert found is not None
    assert found[1] == TRAINED


def test_a_busy_512_px_png_is_written_within_40_ms_of_cpu() -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:512, 0:512]
    photo = np.clip(np.stack([x / 2, y / 2, (x + y) / 4], -1) + rng.normal(0, 6, (512, 512, 3)), 0, 255).astype(np.uint8)
    made = record()
    for pixels in (photo, picture(1, 512, 512).pixels):
        spent = []
        for _ in range(5):
            start = time.process_time()
            encode_png(pixels, made)
            spent.append(time.process_time() - start)
        assert min(spent) < 0.04


def test_a_picture_without_our_record_has_none(tmp_path: Path) -> None:
    for kind in ("PNG", "JPEG", "WEBP"):
        file = tmp_path / f"plain.{kind.lower()}"
        Image.fromarray(picture().pixels).save(file, kind)
        assert read_record(file) is None
        assert read_infotext(file) == ""
    Image.fromarray(picture().pixels).save(file, "WEBP", lossless=True)
    assert containers.read(file.read_bytes(), ()).width == 96


# Hostile and broken files


def sized(width: int, height: int) -> bytes:
    header = struct.pack(">II", width, height) + bytes((8, 2, 0, 0, 0))
    return PNG_START + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")


def with_chunk(chunk: bytes) -> bytes:
    data = png()[0]
    place = data.index(b"IDAT") - 4
    head = data[:place].replace(b"iTXtatelier", b"iTXt_telier")
    chunks = b"".join(png_chunk(kind, content) for kind, content in parts(head) if not content.startswith(b"_telier"))
    return PNG_START + chunks + chunk + data[place:]


def parts(head: bytes) -> list[tuple[bytes, bytes]]:
    found, place = [], 8
    while place < len(head):
        (length,) = struct.unpack_from(">I", head, place)
        found.append((head[place + 4 : place + 8], head[place + 8 : place + 8 + length]))
        place += 12 + length
    return found


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no picture that can be read"),
        (b"GIF89a", "no picture that can be read"),
        (b"<svg/>", "no picture that can be read"),
        (PNG_START, "damaged or cut off"),
        (PNG_START + b"\xff" * 40, "damaged or cut off"),
        (png()[0][:-20], "damaged or cut off"),
        (b"\xff\xd8\xff\xe1\xff\xff", "damaged or cut off"),
        (b"\xff\xd8" + b"\xff" * 1000, "damaged or cut off"),
        (encode_lossy(png()[0], "jpeg")[:-2], "damaged or cut off"),
        (b"RIFF\xff\xff\xff\xffWEBP", "damaged or cut off"),
        (encode_lossy(png()[0], "webp")[:-9], "damaged or cut off"),
        (sized(65_500, 65_500), "16 megapixels"),
        (sized(4097, 4096), "16 megapixels"),
        (sized(2**31, 1), "16 megapixels"),
        (sized(0, 0), "16 megapixels"),
        (with_chunk(png_utf8("atelier", '{"no": "record"}')), "damaged"),
        (with_chunk(png_utf8("atelier", "x" * (SIZE_LIMIT + 1))), "1 MB"),
        (with_chunk(png_chunk(b"zTXt", b"atelier\x00\x00" + zlib.compress(bytes(50_000_000)))), "1 MB"),
        (with_chunk(png_chunk(b"iTXt", b"atelier\x00\x01\x00\x00\x00" + zlib.compress(bytes(50_000_000)))), "1 MB"),
        (with_chunk(png_chunk(b"iTXt", b"atelier")), "damaged"),
    ],
    ids=range(20),
)
def test_a_broken_or_hostile_file_is_refused_in_one_sentence_and_at_once(data: bytes, words: str) -> None:
    start = time.process_time()
    with pytest.raises(MediaUnreadable, match=words) as refusal:
        read_record(data)
    assert time.process_time() - start < 0.25
    assert re.fullmatch(r"[A-Z][^.]*\.", str(refusal.value))


def test_every_flipped_byte_of_a_png_is_noticed() -> None:
    data = bytearray(png()[0])
    for place in range(8, len(data), 7):
        data[place] ^= 0x40
        with pytest.raises(MediaUnreadable):
            read_record(bytes(data))
        data[place] ^= 0x40
    assert read_record(bytes(data)) is not None


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(["png", "jpeg", "webp"]), flips=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255)), min_size=1))
def test_no_damage_raises_anything_but_a_sentence(kind: str, flips: list[tuple[int, int]]) -> None:
    data = bytearray(FILES[kind])
    for place, value in flips:
        data[place % len(data)] = value
    try:
        read_record(bytes(data))
        read_infotext(bytes(data))
    except InvalidInput as refusal:
        said = str(refusal)
    else:
        said = "."
    assert said.endswith(".")


FILES = {"png": png()[0]} | {kind: encode_lossy(png()[0], kind) for kind in ("jpeg", "webp")}


def test_ten_thousand_foreign_texts_are_passed_over_quickly() -> None:
    data, made = png()
    chunks = b"".join(png_chunk(b"tEXt", b"note\x00%d" % number) for number in range(10_000))
    place = data.index(b"IDAT") - 4
    start = time.process_time()
    assert read_record(data[:place] + chunks + data[place:]) == made
    assert time.process_time() - start < 0.5


def test_a_folder_a_missing_file_and_a_pipe_are_no_pictures(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for wrong in (tmp_path, tmp_path / "none.png", tmp_path / "pipe"):
        with pytest.raises(MediaUnreadable, match="picture"):
            read_record(wrong)
