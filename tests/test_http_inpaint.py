"""Every mode of `/inpaint` as programs use it, by file paths; and every bad picture, in one sentence that disturbs nothing else."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from studio.inpaint import masks
from studio.provenance import pictures
from studio.provenance.record import Record
from tests import tiny
from tests.attacks.promise import is_a_sentence
from tests.serving import running

CARD = """[[card]]
name = "{name}"
engine = "diffusion"
serves = ["inpaint"]
modes = {modes}
licence = "none"
defaults = {{ width = 64, height = 64, steps = 4, guidance_scale = 2.0 }}
[card.source]
kind = "folder"
path = '{folder}'
"""
SIZE, BOX = (160, 120), (60, 40, 100, 80)


@pytest.fixture(scope="module")
def url(starter_cache: Path, folders: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A studio with a model that fills and one that takes instructions, both tiny and real, beside its starters."""
    folder = tmp_path_factory.mktemp("http-inpaint")
    fills = CARD.format(
        name="Tiny", modes='["fill", "refine", "background", "outpaint", "redraw"]', folder=folders("StableDiffusionPipeline")
    )
    obeys = CARD.format(name="Tiny obedient", modes='["instruct"]', folder=folders("StableDiffusionInstructPix2PixPipeline"))
    (folder / "models.toml").write_text(fills + obeys, "utf-8")
    with running(starter_cache, folder, "--models", str(folder / "models.toml")) as (url, _):
        yield url


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    client = Client(url, verbose=False, analytics_enabled=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A smooth picture and a mask in its middle."""
    return tiny.marked(tmp_path_factory.mktemp("files"), *SIZE, BOX)


def made(client: Client, **values: Any) -> tuple[np.ndarray, Record]:
    """The pixels and the record of the one picture that a call gives."""
    given = {name: handle_file(value) if name in ("image", "mask") else value for name, value in values.items()}
    (path,) = client.predict(**given, seed=1, api_name="/inpaint")[0]  # pyright: ignore[reportArgumentType]
    found = pictures.read_record(Path(path))
    assert found is not None
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.asarray(picture), found


def pixels_of(file: str) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture)


def marked(files: dict[str, str]) -> np.ndarray:
    return pixels_of(files["mask"]) >= 128


@pytest.mark.parametrize(
    ("mode", "model", "words"),
    [
        ("fill", "Tiny", "a yellow star"),
        ("fill", "Atelier Icons", "a yellow star"),
        ("refine", "Tiny", "a yellow star"),
        ("refine", "Atelier Icons", "a yellow star"),
        ("instruct", "Tiny obedient", "make it red"),
        ("redraw", "Tiny", "a yellow star"),
        ("erase", "Atelier Eraser", ""),
    ],
)
def test_a_mask_limits_every_mode_to_the_pixel(client: Client, files: dict[str, str], mode: str, model: str, words: str) -> None:
    before, hole = pixels_of(files["image"]), marked(files)
    after, record = made(client, **files, mode=mode, model=model, prompt=words, feather=3)
    assert record.task["mode"] == mode and record.model["name"] == model
    assert np.array_equal(after[masks.distance(hole) > 4], before[masks.distance(hole) > 4])
    assert (mode, model) == ("refine", "Atelier Icons") or (after[hole] != before[hole]).any()  # it finds nothing of its own to refine
    edit = record.facts["edit"]
    assert isinstance(edit, dict) and edit["changed_outside"] == 0 and edit["whole"] is False


@pytest.mark.parametrize("model", ["Tiny", "Atelier Icons"])
def test_the_background_is_replaced_and_the_object_stays(client: Client, files: dict[str, str], model: str) -> None:
    before, kept = pixels_of(files["image"]), marked(files)
    after, record = made(client, **files, mode="background", model=model, prompt="a beach")
    assert record.task["mode"] == "background"
    inner = masks.distance(~kept) > 0.01 * max(SIZE) + 2
    assert np.array_equal(after[inner], before[inner])
    assert (after[~kept] != before[~kept]).mean() > 0.5


@pytest.mark.parametrize(("mode", "model"), [("instruct", "Tiny obedient"), ("redraw", "Tiny"), ("redraw", "Atelier Icons")])
def test_without_a_mask_the_whole_picture_is_redrawn_at_its_size_and_that_is_said(
    client: Client, files: dict[str, str], mode: str, model: str
) -> None:
    before = pixels_of(files["image"])
    after, record = made(client, image=files["image"], mode=mode, model=model, prompt="a yellow star")
    assert after.shape == before.shape and not np.array_equal(after, before)
    edit = record.facts["edit"]
    assert isinstance(edit, dict) and edit["whole"] is True
    assert "The whole picture was redrawn." in str(record.facts["notes"])


@pytest.mark.parametrize(
    ("sides", "size", "offset"),
    [
        ({"left": "25%", "top": "10%"}, (200, 132), (40, 12)),
        ({"left": 27, "right": 27}, (214, 120), (27, 0)),  # 16:9
        ({"bottom": "164"}, (160, 284), (0, 0)),  # 9:16
    ],
)
@pytest.mark.parametrize("model", ["Tiny", "Atelier Icons"])
def test_a_picture_is_extended_by_shares_and_to_an_aspect_and_lies_at_its_offset(
    client: Client, files: dict[str, str], model: str, sides: dict[str, Any], size: tuple[int, int], offset: tuple[int, int]
) -> None:
    before = pixels_of(files["image"])
    after, record = made(client, image=files["image"], mode="outpaint", model=model, prompt="a yellow star", feather=3, **sides)
    assert (after.shape[1], after.shape[0]) == size
    x, y = offset
    old = np.zeros(after.shape[:2], np.bool_)
    old[y : y + SIZE[1], x : x + SIZE[0]] = True
    kept = masks.distance(~old)[y : y + SIZE[1], x : x + SIZE[0]] > 4
    assert kept.any() and np.array_equal(after[y : y + SIZE[1], x : x + SIZE[0]][kept], before[kept])
    edit = record.facts["edit"]
    assert isinstance(edit, dict) and edit["offset"] == [x, y] and edit["changed_outside"] == 0


# Bad input ------------------------------------------------------------------------------------------------------------------------


def png(width: int, height: int) -> bytes:
    """A black PNG of two colours: millions of pixels in a few kilobytes."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 + (width + 7) // 8)) for _ in range(height)) + packer.flush()
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


BAD: dict[str, tuple[Callable[[], bytes], str]] = {
    "one pixel": (lambda: saved(Image.new("RGB", (1, 1))), "1 × 1 pixels; at least 16 × 16"),
    "20,000 x 20,000, a bomb of 50 kB": (lambda: png(20_000, 20_000), "megapixels is the most"),
    "cut short": (lambda: saved(Image.effect_noise((64, 64), 90))[:900], "damaged or cut short"),
    "zero bytes": (lambda: b"", "empty (0 bytes)"),
    "mislabelled": (lambda: b"This is a letter, and no picture.", "none that can be read here: use PNG, JPEG"),
    "HEIC": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(400), "a HEIC or video file: use PNG, JPEG"),
    "SVG": (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "an SVG drawing: use PNG, JPEG"),
    "alpha alone": (lambda: saved(Image.new("RGBA", (64, 64), (0, 0, 0, 0))), "wholly transparent"),
}


def refused(client: Client, words: str, **values: Any) -> None:
    with pytest.raises(AppError) as said:
        client.predict(**values, api_name="/inpaint")
    assert words in str(said.value) and is_a_sentence(str(said.value)) and str(said.value).count("\n") == 0


@pytest.mark.parametrize("name", BAD)
def test_a_picture_that_cannot_be_used_is_refused_in_a_sentence(client: Client, files: dict[str, str], tmp_path: Path, name: str) -> None:
    data, words = BAD[name]
    (tmp_path / "picture.png").write_bytes(data())
    refused(client, words, image=handle_file(tmp_path / "picture.png"), mask=handle_file(files["mask"]))
    if name in ("cut short", "zero bytes", "mislabelled", "SVG"):
        refused(client, words.replace("picture", "mask"), image=handle_file(files["image"]), mask=handle_file(tmp_path / "picture.png"))
    made(client, **files, feather=0)  # nothing else was disturbed


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"mask": 0}, "Nothing is marked: paint over what should change first."),
        ({"mask": 255}, "Everything is marked, so nothing would be kept"),
        ({"mask": 255, "mode": "background", "prompt": "x"}, "Everything is marked as the object to keep"),
        ({"mode": "refine", "prompt": "x"}, "Nothing is marked: paint over what should change first."),
        ({"mode": "outpaint", "left": "201%"}, "Left must be pixels from 0 to 4096, such as 128, or a share from 0% to 200%"),
        ({"mode": "outpaint", "left": 4097}, "Left must be pixels from 0 to 4096"),
        ({"mode": "instruct"}, "Prompt is empty"),
    ],
)
def test_marks_and_sides_that_cannot_be_used_are_refused_in_a_sentence(
    client: Client, files: dict[str, str], tmp_path: Path, values: dict[str, Any], words: str
) -> None:
    if "mask" in values:
        Image.new("L", SIZE, values["mask"]).save(tmp_path / "mask.png")
        values = values | {"mask": handle_file(tmp_path / "mask.png")}
    refused(client, words, **({"image": handle_file(files["image"])} | values))


def test_sides_that_together_make_too_large_a_picture_are_refused_before_it_is_made(client: Client, tmp_path: Path) -> None:
    Image.new("RGB", (6000, 6000), "teal").save(tmp_path / "large.png", compress_level=1)
    image = handle_file(tmp_path / "large.png")
    refused(client, "That would be 14,192 × 6,000 pixels; 64 megapixels is the most: add less.", image=image, left=4096, right=4096)


def called(url: str, **values: Any) -> str:
    """The last line that plain HTTP answers: numbers that JSON has no word for go through."""
    joined = httpx.post(f"{url}/gradio_api/call/v2/inpaint", content=json.dumps(values), headers={"content-type": "application/json"})
    if joined.status_code != 200:
        return joined.text
    return httpx.get(f"{url}/gradio_api/call/inpaint/{joined.json()['event_id']}", timeout=120).text


def uploaded(url: str, file: str) -> dict[str, Any]:
    answered = httpx.post(f"{url}/gradio_api/upload", files={"files": Path(file).read_bytes()}, timeout=30)
    return {"path": answered.json()[0], "meta": {"_type": "gradio.FileData"}}


def test_a_strength_that_is_no_number_is_refused_in_a_sentence(url: str, files: dict[str, str]) -> None:
    given = {name: uploaded(url, file) for name, file in files.items()}
    assert "Strength must be a number above 0 and up to 1." in called(url, **given, prompt="x", strength=float("nan"))


def test_a_picture_that_has_not_come_yet_is_refused_in_a_sentence(url: str, files: dict[str, str]) -> None:
    there = uploaded(url, files["image"])
    coming = there | {"path": str(Path(there["path"]).with_name("not-here-yet.png"))}
    said = called(url, image=coming, mask=uploaded(url, files["mask"]))
    assert "This file is not one that you uploaded or made here: choose it again." in said


def test_an_animation_gives_its_first_frame_and_a_mask_of_another_size_is_fitted_and_both_are_said(
    client: Client, files: dict[str, str], tmp_path: Path
) -> None:
    frames = [Image.new("RGB", SIZE, colour) for colour in ("teal", "red", "blue")]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    pixels, record = made(client, image=str(tmp_path / "moving.gif"), mask=files["mask"], feather=2)
    assert tuple(pixels[5, 5]) == (0, 128, 128)
    assert "Of the picture's several frames or pages the first is used." in str(record.facts["notes"])
    Image.open(files["mask"]).resize((80, 60)).save(tmp_path / "small.png")
    pixels, record = made(client, image=files["image"], mask=str(tmp_path / "small.png"), feather=2)
    assert pixels.shape[:2] == SIZE[::-1]
    assert "The mask of 80 × 60 pixels was resized to the picture's 160 × 120." in str(record.facts["notes"])
