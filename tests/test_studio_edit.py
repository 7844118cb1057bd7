"""Files that a run needs: taken in by content, kept beside what was made of them, and found again to make it once more."""

from __future__ import annotations

import io
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio import replay
from studio.creations import Creation
from studio.errors import InvalidInput, MediaUnreadable, NotFound
from studio.provenance import pictures
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Inpaint


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = Studio.open(Settings(home=tmp_path / "home", cache=tmp_path / "cache", offline=True, device="cpu"))
    yield studio
    studio.close()


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    pixels = np.random.default_rng(1).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    mask = np.zeros((48, 64), np.uint8)
    mask[20:28, 24:36] = 255
    Image.fromarray(pixels).save(tmp_path / "Some Photo.JPG", quality=95)
    Image.fromarray(mask).save(tmp_path / "mask.png")
    return {"image": str(tmp_path / "Some Photo.JPG"), "mask": str(tmp_path / "mask.png")}


def erased(studio: Studio, owner: str = "local", **values: object) -> Creation:
    task = Inpaint.checked({"mode": "erase", "seed": 1} | values)
    (creation,) = (event for event in studio.run(task, owner) if isinstance(event, Creation))
    return creation


def test_the_record_names_files_by_content_and_the_library_keeps_them(studio: Studio, files: dict[str, str]) -> None:
    creation = erased(studio, **files)
    found = pictures.read_record(creation.path)
    assert found is not None
    for part in (found.task, found.asked):
        assert str(part["image"]).startswith("sha256:")
        assert str(part["mask"]).startswith("sha256:")
        assert "Photo" not in str(part)
    assert creation.attachments["image.jpg"].read_bytes() == Path(files["image"]).read_bytes()
    assert creation.attachments["mask.png"].read_bytes() == Path(files["mask"]).read_bytes()


def test_it_is_made_again_from_its_record_after_the_files_are_gone(studio: Studio, files: dict[str, str]) -> None:
    creation = erased(studio, **files)
    for file in files.values():
        Path(file).unlink()
    found = pictures.read_record(creation.path)
    assert found is not None
    (remade,) = (replay.compare(creation.path, event) for event in replay.again(studio, found) if isinstance(event, Creation))
    assert remade.largest == 0
    assert creation.attachments["image.jpg"].exists()


def test_an_edit_of_a_creation_names_it_as_its_parent(studio: Studio, files: dict[str, str], tmp_path: Path) -> None:
    first = erased(studio, **files)
    copy = tmp_path / "served.png"
    copy.write_bytes(first.path.read_bytes())
    second = erased(studio, **(files | {"image": str(copy)}))
    assert second.record["parents"] == [first.id]
    assert first.record["parents"] == []


def test_a_reference_to_another_owners_file_is_not_found(studio: Studio, files: dict[str, str]) -> None:
    creation = erased(studio, "alice", **files)
    task = creation.record["task"]
    assert isinstance(task, dict)
    again = {"image": task["image"], "mask": task["mask"]}
    assert erased(studio, "alice", **again).attachments["image.jpg"].exists()
    with pytest.raises(NotFound, match="choose it again"):
        erased(studio, "bob", **again)
    for wrong in ("sha256:", "sha256:../../x", "sha256:" + "0" * 64):
        with pytest.raises(NotFound):
            erased(studio, "alice", **(again | {"image": wrong}))


def objects(studio: Studio) -> set[str]:
    return {path.name for path in (studio.settings.home / "objects").rglob("*.*")}


def test_files_of_a_run_that_made_nothing_do_not_stay(studio: Studio, files: dict[str, str], tmp_path: Path) -> None:
    kept = erased(studio, **files)
    before = objects(studio)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "other.png")
    with pytest.raises(InvalidInput):  # refused before it began
        erased(studio, **(files | {"image": str(tmp_path / "other.png"), "mask": str(tmp_path / "other.png")}))
    assert objects(studio) == before
    run = studio.run(Inpaint.checked({"image": str(tmp_path / "other.png"), "mask": files["mask"], "seed": 1}))
    assert isinstance(run, Generator)
    next(run)
    run.close()  # left in the middle
    deadline = time.monotonic() + 20
    while objects(studio) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    assert objects(studio) == before
    assert kept.attachments["image.jpg"].exists()


def _bytes(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def _bomb() -> bytes:
    """A PNG whose header promises 20,000 x 20,000 pixels and whose data is a few bytes."""
    small = bytearray(_bytes(np.zeros((20, 20), np.uint8)))
    import zlib

    small[16:24] = (20_000).to_bytes(4, "big") * 2
    small[29:33] = zlib.crc32(bytes(small[12:29])).to_bytes(4, "big")
    return bytes(small)


GREY = np.full((40, 40, 3), 128, np.uint8)
BAD = {
    "empty": (b"", "is empty"),
    "words": (b"hello there", "none that can be read here"),
    "drawing": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing"),
    "heic": (b"\x00\x00\x00\x18ftypheic" + b"\x00" * 40, "a HEIC or video file"),
    "truncated": (_bytes(np.random.default_rng(1).integers(0, 256, (90, 90, 3)).astype(np.uint8))[:900], "damaged or cut short"),
    "tiny": (_bytes(GREY[:1, :1]), "at least 16 × 16"),
    "bomb": (_bomb(), "megapixels is the most"),
    "transparent": (_bytes(np.zeros((40, 40, 4), np.uint8)), "wholly transparent"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_refused_in_one_sentence_before_anything_is_journaled(
    name: str, studio: Studio, files: dict[str, str], tmp_path: Path
) -> None:
    data, words = BAD[name]
    (tmp_path / "bad.png").write_bytes(data)
    with pytest.raises(InvalidInput) as refused:
        erased(studio, **(files | {"image": str(tmp_path / "bad.png")}))
    assert words in str(refused.value)
    assert str(refused.value).endswith(".")
    assert studio.library.list() == ()
    assert studio.library._index.rows("SELECT * FROM jobs") == []


def test_a_picture_that_is_still_uploading_is_said(studio: Studio, files: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(MediaUnreadable, match="still uploading"):
        erased(studio, **(files | {"image": str(tmp_path / "not there yet.png")}))


@pytest.mark.parametrize(
    ("mode", "options", "shape", "note"),
    [
        ("P", {}, (48, 64, 3), "converted to 8-bit RGB"),
        ("LA", {}, (48, 64, 4), "converted to 8-bit RGB with transparency"),
        ("I;16", {}, (48, 64), "16-bit colours were reduced"),
        ("1", {}, (48, 64), "converted to 8-bit grey"),
        ("CMYK", {"format": "JPEG"}, (48, 64, 3), "print colours (CMYK) were converted"),
        ("RGB", {"format": "GIF", "save_all": True, "append_images": [Image.new("RGB", (64, 48), "red")]}, (48, 64, 3), "first is used"),
        ("L", {}, (48, 64), ""),
    ],
)
def test_every_kind_of_picture_is_edited_and_says_what_was_converted(
    mode: str, options: dict[str, Any], shape: tuple[int, ...], note: str, studio: Studio, files: dict[str, str], tmp_path: Path
) -> None:
    with Image.open(files["image"]) as source:
        image = Image.fromarray(np.full((48, 64), 30_000, np.uint16)) if mode == "I;16" else source.convert(mode)
    image.save(tmp_path / "odd.bin", options.get("format", "PNG"), **{k: v for k, v in options.items() if k != "format"})
    creation = erased(studio, **(files | {"image": str(tmp_path / "odd.bin")}))
    assert np.asarray(Image.open(creation.path)).shape == shape
    facts = creation.record["facts"]
    assert isinstance(facts, dict)
    assert note in " ".join(map(str, facts["notes"] if isinstance(facts["notes"], list) else []))
    assert "0 pixels changed outside the mask" in str(facts["notes"])


def test_a_camera_turned_picture_is_edited_upright(studio: Studio, files: dict[str, str], tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    Image.open(files["image"]).save(tmp_path / "turned.jpg", exif=exif, quality=95)
    mask = np.zeros((64, 48), np.uint8)
    mask[10:20, 10:20] = 255
    Image.fromarray(mask).save(tmp_path / "upright.png")
    creation = erased(studio, image=str(tmp_path / "turned.jpg"), mask=str(tmp_path / "upright.png"))
    upright = np.rot90(np.asarray(Image.open(tmp_path / "turned.jpg")), 3)
    assert np.array_equal(np.asarray(Image.open(creation.path))[40:], upright[40:])


def test_a_mask_of_another_size_or_with_transparency_is_taken_with_a_note(studio: Studio, files: dict[str, str], tmp_path: Path) -> None:
    mask = np.zeros((24, 32, 4), np.uint8)
    mask[10:14, 12:18] = (0, 0, 0, 255)  # black, but opaque: transparency decides
    Image.fromarray(mask).save(tmp_path / "alpha.png")
    creation = erased(studio, **(files | {"mask": str(tmp_path / "alpha.png")}))
    facts = creation.record["facts"]
    assert isinstance(facts, dict)
    assert "The mask of 32 × 24 pixels was resized to the picture's 64 × 48." in str(facts["notes"])
    before, after = np.asarray(Image.open(files["image"])), np.asarray(Image.open(creation.path))
    assert (before[22:26, 26:34] != after[22:26, 26:34]).any()
