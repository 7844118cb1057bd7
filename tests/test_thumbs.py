"""Small pictures: what they show, that they are kept and made again, and that nothing of them stays once a creation is gone."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio import thumbs
from studio.creations import Creation, Sound
from studio.errors import MediaUnreadable, NotFound
from studio.library import Library
from studio.provenance.pictures import encode_png
from studio.provenance.sounds import encode_flac
from tests.samples import picture, png, record


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


def kept(library: Library, width: int, height: int, channels: int = 3, session: str = "") -> Creation:
    made = record()
    return library.keep(encode_png(picture(1, width, height, channels).pixels, made), ".png", made, session=session)


def shown(data: bytes | None) -> Image.Image:
    assert data is not None
    return Image.open(io.BytesIO(data), formats=["WEBP"])


@pytest.mark.parametrize(
    ("size", "expected"), [((640, 400), (320, 200)), ((400, 640), (200, 320)), ((96, 64), (96, 64)), ((2000, 8), (320, 1))]
)
def test_a_picture_becomes_small_and_keeps_its_shape(library: Library, size: tuple[int, int], expected: tuple[int, int]) -> None:
    small = shown(thumbs.thumb(kept(library, *size), library))
    assert small.size == expected
    assert small.mode == "RGB"
    assert not small.info.get("xmp")
    assert not small.info.get("exif")


def test_transparency_stays(library: Library) -> None:
    assert shown(thumbs.thumb(kept(library, 64, 64, 4), library)).mode == "RGBA"


def test_a_sound_shows_where_it_is_loud(library: Library) -> None:
    samples = np.zeros((2, 48_000), np.float32)
    samples[:, 24_000:] = np.sin(np.arange(24_000) / 7).astype(np.float32) * 0.9
    made = record()
    creation = library.keep(encode_flac(Sound(samples, 48_000), made), ".flac", made)
    ink = np.asarray(shown(thumbs.thumb(creation, library)).convert("RGBA"))[..., 3] > 128
    assert ink.shape == (120, 320)
    assert ink[:, :150].sum(axis=0).max() <= 3
    assert ink[:, 170:].sum(axis=0).min() >= 60


@pytest.mark.parametrize("length", [1, 100, 1025])
def test_a_short_sound_has_a_waveform_too(library: Library, length: int) -> None:
    made = record()
    creation = library.keep(encode_flac(Sound(np.full((1, length), 0.5, np.float32), 8000), made), ".flac", made)
    assert np.asarray(shown(thumbs.thumb(creation, library)))[..., 3].any()


def test_a_text_has_none(library: Library) -> None:
    assert thumbs.thumb(library.keep(b"words", ".txt", record(), text="words"), library) is None


def test_it_is_drawn_once_and_again_when_it_is_gone_or_half_written(home: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    creation = kept(library, 64, 64)
    draw, drawn = thumbs.draw, []
    monkeypatch.setattr(thumbs, "draw", lambda path: drawn.append(path) or draw(path))
    first = thumbs.thumb(creation, library)
    assert thumbs.thumb(creation, library) == first
    assert len(drawn) == 1
    (file,) = (home / "thumbs").rglob("*.webp")
    for spoilt in (b"", b"RIFF", file.read_bytes()[:-9]):
        file.write_bytes(spoilt)
        assert thumbs.thumb(creation, library) == first
    shutil.rmtree(home / "thumbs")
    assert thumbs.thumb(creation, library) == first
    assert len(drawn) == 5


def test_a_disk_that_refuses_it_costs_nothing_else(home: Path, library: Library) -> None:
    (home / "thumbs").write_text("in the way")
    assert shown(thumbs.thumb(kept(library, 64, 64), library)).size == (64, 64)


def test_a_file_that_is_gone_or_damaged_is_refused_in_words(library: Library) -> None:
    creation = kept(library, 64, 64)
    creation.path.write_bytes(creation.path.read_bytes()[:200])
    with pytest.raises(MediaUnreadable, match="damaged"):
        thumbs.thumb(creation, library)
    creation.path.unlink()
    with pytest.raises(NotFound, match="gone"):
        thumbs.thumb(creation, library)


def test_it_goes_with_its_creation(home: Path, library: Library) -> None:
    gone, stays, lost = kept(library, 64, 64, session="guest"), kept(library, 32, 32), kept(library, 16, 16)
    for creation in (gone, stays, lost):
        thumbs.thumb(creation, library)
    library.forget_session("guest")
    assert {file.name for file in (home / "thumbs").rglob("*.webp")} == {f"{each.path.name}.webp" for each in (stays, lost)}
    (home / "thumbs" / "ab").mkdir(exist_ok=True)
    (home / "thumbs" / "ab" / "half.part").write_bytes(b"")
    library.shelf.trash([lost.id])
    library.shelf.purge([lost.id])
    library.close()
    Library(home)
    assert [file.name for file in (home / "thumbs").rglob("*.*")] == [f"{stays.path.name}.webp"]


def test_equal_pictures_share_one(home: Path, library: Library) -> None:
    data, made = png()
    for _ in range(2):
        thumbs.thumb(library.keep(data, ".png", made), library)
    assert len(list((home / "thumbs").rglob("*.webp"))) == 1
