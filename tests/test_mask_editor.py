"""What the mask editor asks of the server, as anybody might ask it."""

from __future__ import annotations

import base64
import io
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tabs import _mask_editor


def saved(path: Path, image: Image.Image, **options: Any) -> str:
    image.save(path, **options)
    return str(path)


def disc(width: int = 96, height: int = 64) -> Image.Image:
    pixels = np.full((height, width, 3), (40, 90, 200), np.uint8)
    y, x = np.mgrid[:height, :width]
    pixels[(x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = (220, 60, 40)
    return Image.fromarray(pixels)


def shown(answer: dict[str, Any]) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(answer["display"])))


def mask(answer: dict[str, Any], width: int, height: int) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(answer["mask"])), np.uint8).reshape(height, width)


def test_a_picture_is_shown_pixel_for_pixel_and_upright(uploads: Path) -> None:
    path = saved(uploads / "a.png", disc())
    answer = _mask_editor.open_picture({"path": path})
    assert (answer["width"], answer["height"], answer["notes"]) == (96, 64, [])
    assert np.array_equal(np.asarray(shown(answer)), np.asarray(disc()))

    exif = Image.Exif()
    exif[0x0112] = 6
    turned = _mask_editor.open_picture({"path": saved(uploads / "b.jpg", disc(), exif=exif)})
    assert (turned["width"], turned["height"]) == (64, 96) == shown(turned).size
    assert "upright" in turned["notes"][0]


def test_a_large_photograph_is_shown_smaller_but_keeps_its_measures(uploads: Path) -> None:
    answer = _mask_editor.open_picture({"path": saved(uploads / "a.jpg", disc(5000, 1000))})
    assert (answer["width"], answer["height"], answer["type"]) == (5000, 1000, "image/jpeg")
    assert max(shown(answer).size) == _mask_editor.DISPLAY_SIDE


def test_grey_and_transparent_pictures_are_shown_too(uploads: Path) -> None:
    grey = _mask_editor.open_picture({"path": saved(uploads / "a.png", disc().convert("L"))})
    assert shown(grey).mode == "L"
    clear = disc().convert("RGBA")
    clear.putalpha(128)
    assert shown(_mask_editor.open_picture({"path": saved(uploads / "b.png", clear)})).mode == "RGBA"


@pytest.mark.parametrize("function", [_mask_editor.open_picture, _mask_editor.open_mask, _mask_editor.select])
def test_nothing_outside_the_upload_folder_is_read(uploads: Path, tmp_path: Path, function: Any) -> None:
    secret = saved(tmp_path / "secret.png", disc())
    (uploads / "link.png").symlink_to(secret)
    (uploads / "folder").mkdir()
    (uploads / "out").symlink_to(tmp_path)
    dotted = uploads / "folder" / ".." / ".." / "secret.png"
    tried = [
        secret,
        uploads / "link.png",
        uploads / "out" / "secret.png",
        dotted,
        uploads,
        "",
        "\0",
        "a" * 5000,
        None,
        7,
        ["x"],
        {},
        "/etc/passwd",
    ]
    for path in tried:
        answer = function({"path": str(path) if isinstance(path, Path) else path, "width": 96, "height": 64})
        assert set(answer) == {"error"} and answer["error"].endswith("."), path
    for data in (None, 1, "path", [], {}):
        assert set(function(data)) == {"error"}


def test_a_broken_file_is_refused_in_one_sentence(uploads: Path) -> None:
    whole = Path(saved(uploads / "a.png", disc())).read_bytes()
    for name, data in {"cut.png": whole[:200], "empty.png": b"", "words.png": b"words", "drawing.svg": b"<svg/>"}.items():
        (uploads / name).write_bytes(data)
        answer = _mask_editor.open_picture({"path": str(uploads / name)})
        assert set(answer) == {"error"} and str(uploads) not in answer["error"], name


def test_a_mask_takes_the_size_of_the_picture_with_a_notice(uploads: Path) -> None:
    half = np.zeros((10, 20), np.uint8)
    half[:, 10:] = 255
    path = saved(uploads / "m.png", Image.fromarray(half))
    answer = _mask_editor.open_mask({"path": path, "width": 20, "height": 10})
    assert np.array_equal(mask(answer, 20, 10), half) and answer["notes"] == []
    larger = _mask_editor.open_mask({"path": path, "width": 200, "height": 100})
    assert mask(larger, 200, 100)[:, 110:].min() == 255 and "resized" in larger["notes"][0]


@pytest.mark.parametrize("size", [(0, 10), (-1, 5), (100_000, 100_000), (True, 10), ("9", 9), (None, None), (1.5, 2)])
def test_a_mask_of_an_impossible_size_is_refused(uploads: Path, size: tuple[Any, Any]) -> None:
    path = saved(uploads / "m.png", disc().convert("L"))
    assert set(_mask_editor.open_mask({"path": path, "width": size[0], "height": size[1]})) == {"error"}


def test_the_subject_is_found_and_the_background_is_the_rest(uploads: Path) -> None:
    path = saved(uploads / "a.png", disc())
    subject = mask(_mask_editor.select({"path": path, "what": "subject", "box": [28, 12, 68, 52]}), 96, 64)
    background = mask(_mask_editor.select({"path": path, "what": "background", "box": [28, 12, 68, 52]}), 96, 64)
    assert subject[32, 48] == 255 and subject[2, 2] == 0
    assert np.array_equal(background, 255 - subject)


@pytest.mark.parametrize("box", [None, [0, 0], ["a"] * 4, [5, 5, 5, 5], [-10, -10, 10_000, 10_000], [90, 60, 10, 10], [1.5, 1, 2, 2]])
def test_a_strange_box_does_no_harm(uploads: Path, box: Any) -> None:
    path = saved(uploads / "a.png", disc())
    assert set(_mask_editor.select({"path": path, "what": "subject", "box": box})) in ({"mask"}, {"error"})


def test_the_server_says_which_uploads_it_still_has(uploads: Path, tmp_path: Path) -> None:
    here, gone = saved(uploads / "a.png", disc()), saved(uploads / "b.png", disc())
    Path(gone).unlink()
    assert _mask_editor.kept({"paths": [here, gone, str(tmp_path), None]}) == {"kept": [True, False, False, False]}
    assert _mask_editor.kept({"paths": "all"}) == _mask_editor.kept(None) == {"kept": []}


def test_the_value_that_opens_a_picture_is_new_each_time(uploads: Path) -> None:
    path = saved(uploads / "a.png", disc())
    one, two = _mask_editor.opened(path, ["A note."]), _mask_editor.opened(path)
    assert one["image"]["path"] == path and one["notes"] == ["A note."] and one["mask"] is None
    assert one["token"] != two["token"]


def test_no_more_than_two_pictures_are_decoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    together: list[int] = []
    inside = threading.Semaphore(2)

    def slow(data: Any) -> dict[str, Any]:
        together.append(int(not inside.acquire(blocking=False)))
        time.sleep(0.05)
        inside.release()
        return {"path": data}

    turns = threading.Semaphore(2)
    asked = _mask_editor._in_turn(slow, turns)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(asked, range(6)))
    assert [a["path"] for a in answers] == list(range(6)) and not any(together)
    monkeypatch.setattr(_mask_editor, "_PATIENCE", 0.01)
    turns.acquire()
    turns.acquire()
    assert "busy" in asked("a")["error"]
