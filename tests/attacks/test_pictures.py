"""Rows 1 to 19: pictures and masks that strangers hand in, through a whole run."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms
from PIL.PngImagePlugin import PngInfo

from studio.errors import InvalidInput
from studio.inpaint.read import decode_picture, read_picture
from studio.studio import Studio
from studio.tasks import Inpaint
from tests.attacks.promise import made, opened, refused


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    yield from opened(tmp_path_factory.mktemp("pictures"))


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def noise(mode: str = "RGB", size: tuple[int, int] = (40, 32)) -> Image.Image:
    width, height = size
    return Image.fromarray(np.random.default_rng(1).integers(1, 256, (height, width, 3), np.uint8)).convert(mode)


def mask(value: int | None = None, size: tuple[int, int] = (40, 32)) -> Image.Image:
    pixels = np.full((size[1], size[0]), value or 0, np.uint8)
    if value is None:
        pixels[10:20, 12:24] = 255
    return Image.fromarray(pixels)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes, bits: int = 8, colours: int = 0) -> bytes:
    """A PNG of so many pixels as its header says, with what is given for the rest."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


def filled(width: int, height: int) -> bytes:
    """The pixel data of a black grey picture, compressed as a bomb is."""
    packer = zlib.compressobj(1)
    rows = [packer.compress(bytes(width + 1)) for _ in range(height)]
    return chunk(b"IDAT", b"".join(rows) + packer.flush())


def asked(folder: Path, picture: bytes, marked: bytes | None = None) -> Inpaint:
    (folder / "picture.png").write_bytes(picture)
    (folder / "mask.png").write_bytes(marked or saved(mask(), "PNG"))
    return Inpaint.checked({"image": str(folder / "picture.png"), "mask": str(folder / "mask.png"), "mode": "erase", "seed": 1})


def taken(studio: Studio, folder: Path, picture: bytes, marked: bytes | None = None) -> tuple[int, int]:
    """The size of what a run with the picture makes."""
    (creation,) = made(studio, asked(folder, picture, marked))
    with Image.open(creation.path) as result:
        result.load()
        return result.size


BAD: dict[str, tuple[bytes, str]] = {
    "1 no bytes": (b"", "empty (0 bytes)"),
    "2 garbage": (np.random.default_rng(2).bytes(5000), "is none that can be read here"),
    "3 cut PNG": (saved(noise(), "PNG")[:900], "damaged"),
    "3 cut JPEG": (saved(noise(), "JPEG")[:500], "damaged"),
    "3 cut WebP": (saved(noise(), "WEBP")[:200], ""),
    "5 bomb of 13,000 x 13,000": (png(13_000, 13_000, filled(13_000, 13_000)), "megapixels is the most"),
    "6 a header of 65,500 x 65,500": (png(65_500, 65_500, filled(8, 8)), "megapixels is the most"),
    "6 a header of 2^31 x 1": (png(2**31 - 1, 1, filled(8, 8)), ""),
    "7 no pixel": (png(0, 0, filled(0, 0)), ""),
    "7 one pixel": (saved(noise(size=(1, 1)), "PNG"), "at least 16"),
    "8 a strip": (saved(noise(size=(1, 65_000)), "PNG"), "at least 16"),
    "9 a profile that is a bomb": (
        png(40, 32, chunk(b"iCCP", b"x\0\0" + zlib.compress(bytes(80_000_000), 9)), filled(40, 32)),
        "",
    ),
    "9 a text that is a bomb": (png(40, 32, chunk(b"zTXt", b"x\0\0" + zlib.compress(bytes(80_000_000), 9)), filled(40, 32)), ""),
    "11 SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "SVG drawing"),
    "11 HTML": (b"<html><script>alert(1)</script></html>", "none that can be read here"),
    "11 PDF": (b"%PDF-1.4\n1 0 obj<<>>endobj", "PDF document"),
    "11 icon": (b"\0\0\1\0\1\0" + bytes(200), "none that can be read here"),
    "11 EPS": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "none that can be read here"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_picture_that_is_none_is_refused_and_leaves_nothing(name: str, studio: Studio, tmp_path: Path) -> None:
    data, words = BAD[name]
    began = time.process_time()
    with refused(studio, words):
        made(studio, asked(tmp_path, data))
    assert time.process_time() - began < 20


def test_one_changed_byte_anywhere_is_refused_or_drawn(tmp_path: Path) -> None:
    random, answers = np.random.default_rng(4), set[str]()
    for kind in ("PNG", "JPEG", "WEBP", "GIF", "BMP"):
        read = decode_picture if kind in ("GIF", "BMP") else read_picture  # what their child calls
        whole = saved(noise(), kind)
        for place in random.integers(0, len(whole), 60):
            broken = bytearray(whole)
            broken[place] ^= 1 << int(random.integers(8))
            (tmp_path / "broken").write_bytes(broken)
            try:
                answers.add(f"drawn {len(read(tmp_path / 'broken').pixels) > 0}")
            except InvalidInput as error:
                answers.add(f"refused {str(error).endswith('.')}")
    assert answers <= {"drawn True", "refused True"} and "refused True" in answers


def test_ten_thousand_texts_and_a_page_behind_the_picture_are_passed_over(studio: Studio, tmp_path: Path) -> None:
    texts = PngInfo()
    for number in range(10_000):
        texts.add_text(f"k{number}", "x")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("../../evil", "x")
    page = b"<html><script>alert(1)</script></html>"
    assert taken(studio, tmp_path, saved(noise(), "PNG", pnginfo=texts) + page + packed.getvalue()) == (40, 32)


@pytest.mark.parametrize("mode", ["CMYK", "P", "LA", "RGBA", "1", "I;16", "F", "L"])
def test_every_kind_of_pixel_is_taken(mode: str, studio: Studio, tmp_path: Path) -> None:
    deep = Image.fromarray(np.random.default_rng(1).integers(0, 65_536, (32, 40), np.uint16))
    picture = deep if mode == "I;16" else noise(mode)
    assert taken(studio, tmp_path, saved(picture, "TIFF" if mode in ("CMYK", "F") else "PNG")) == (40, 32)


def test_a_wholly_clear_picture_is_refused(studio: Studio, tmp_path: Path) -> None:
    with refused(studio, "wholly transparent"):
        made(studio, asked(tmp_path, saved(Image.new("RGBA", (40, 32), (0, 0, 0, 0)), "PNG")))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_five_hundred_frames_the_first_is_used(kind: str, studio: Studio, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (40, 32), (number % 256, 9, 90)) for number in range(500)]
    assert taken(studio, tmp_path, saved(frames[0], kind, save_all=True, append_images=frames[1:])) == (40, 32)


@pytest.mark.parametrize("turn", [1, 2, 3, 4, 5, 6, 7, 8, 99])
def test_a_camera_s_turn_is_obeyed_where_it_is_one(turn: int, studio: Studio, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    exif[0x9286] = b"\xff\0junk" * 10_000 if turn == 1 else b""
    picture = saved(noise(size=(48, 32)), "JPEG", exif=exif)
    assert taken(studio, tmp_path, picture) == ((32, 48) if turn in (5, 6, 7, 8) else (48, 32))


def test_profiles_wide_and_broken_are_taken(studio: Studio, tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for icc in (profile, profile[:60], b"no profile at all"):
        assert taken(studio, tmp_path, saved(noise(), "PNG", icc_profile=icc)) == (40, 32)
        assert taken(studio, tmp_path, saved(noise("CMYK"), "JPEG", icc_profile=icc)) == (40, 32)


def test_masks_of_every_make_are_taken_or_refused_in_words(studio: Studio, tmp_path: Path) -> None:
    picture = saved(noise(), "PNG")
    clear = noise("RGBA")
    clear.putalpha(mask())
    soft = Image.fromarray(np.linspace(0, 255, 40 * 32).reshape(32, 40).astype(np.uint8))
    for marked in (mask(size=(400, 320)), mask(size=(41, 32)), clear, soft):
        assert taken(studio, tmp_path, picture, saved(marked, "PNG")) == (40, 32)
    for value, words in ((0, "ark"), (255, "Everything is marked")):
        with refused(studio, words):
            made(studio, asked(tmp_path, picture, saved(mask(value), "PNG")))


def test_a_mask_without_a_picture_is_refused(studio: Studio, tmp_path: Path) -> None:
    (tmp_path / "mask.png").write_bytes(saved(mask(), "PNG"))
    with refused(studio, "Picture is missing"):
        Inpaint.checked({"mask": str(tmp_path / "mask.png")})
    with refused(studio, "gone"):
        made(studio, Inpaint.checked({"image": str(tmp_path / "nothing.png"), "mask": str(tmp_path / "mask.png")}))
