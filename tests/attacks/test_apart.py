"""Formats beyond the usual three are decoded in a child: the same pixels come back, and what goes wrong there ends the child alone."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.errors import InvalidInput, MediaUnreadable
from studio.inpaint import apart
from studio.inpaint.read import decode_mask, decode_picture, read_mask, read_picture
from tests.attacks.promise import is_a_sentence


def saved(path: Path, mode: str = "RGB") -> Path:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 48, 3), np.uint8)
    Image.fromarray(pixels).convert(mode).save(path)
    return path


@pytest.mark.parametrize(("name", "mode"), [("a.tif", "CMYK"), ("b.avif", "RGBA"), ("c.gif", "P"), ("d.bmp", "RGB")])
def test_a_child_gives_what_this_process_would(name: str, mode: str, tmp_path: Path) -> None:
    file = saved(tmp_path / name, mode)
    assert apart.needed(file)
    there, here = read_picture(file), decode_picture(file)
    assert np.array_equal(there.pixels, here.pixels) and there.pixels.dtype == np.uint8
    assert (there.notes, there.suffix, there.icc) == (here.notes, here.suffix, here.icc)
    marked, notes = read_mask(file, (50, 41))
    expected, said = decode_mask(file, (50, 41))
    assert np.array_equal(marked, expected) and notes == said


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_usual_formats_need_no_child(name: str, tmp_path: Path) -> None:
    assert not apart.needed(saved(tmp_path / name))
    assert not apart.needed(tmp_path / "nothing.png")


def test_what_a_child_refuses_is_said_in_its_words(tmp_path: Path) -> None:
    whole = saved(tmp_path / "a.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(whole[:300])
    with pytest.raises(MediaUnreadable, match="damaged|cut short") as said:
        read_picture(tmp_path / "cut.tif")
    assert said.value.field == "image" and is_a_sentence(str(said.value))
    small = saved(tmp_path / "small.tif")
    with Image.open(small) as picture:
        picture.resize((4, 4)).save(small)
    with pytest.raises(InvalidInput, match="at least 16") as refusal:
        read_picture(small)
    assert not isinstance(refusal.value, MediaUnreadable)


def test_a_header_that_claims_far_too_much_is_refused_before_a_pixel(tmp_path: Path) -> None:
    entries = [(256, 60_000), (257, 60_000), (258, 8), (259, 1), (262, 1), (273, 8), (277, 1), (278, 60_000), (279, 8)]
    tags = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    (tmp_path / "bomb.tif").write_bytes(b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", len(entries)) + tags + bytes(4))
    with pytest.raises(InvalidInput, match="megapixels is the most"):
        read_picture(tmp_path / "bomb.tif")


def test_a_child_that_takes_too_long_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "SECONDS", 0.01)
    with pytest.raises(MediaUnreadable, match="took too long"):
        read_picture(saved(tmp_path / "a.tif"))
