"""The icon library: what it holds, under which licences, and what its pictures are like."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.errors import ModelUnavailable
from studio.starter.icons import SIZE, IconLibrary
from studio.starter.ink import inked
from studio.starter.vocabulary import STYLES

FOLDER = Path(__file__).parents[1] / "assets" / "icons"


@pytest.fixture(scope="module")
def library() -> IconLibrary:
    return IconLibrary.open(FOLDER)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A library of the first three icons that may be damaged."""
    data = json.loads((FOLDER / "library.json").read_text("utf-8"))
    data["icons"] = data["icons"][:3]
    (tmp_path / "library.json").write_text(json.dumps(data), "utf-8")
    shutil.copy(FOLDER / "icons-0.pack", tmp_path)
    return tmp_path


def test_every_set_is_mit_or_apache_and_named_in_the_notice(library: IconLibrary) -> None:
    notice = (FOLDER / "NOTICE.md").read_text("utf-8")
    packages = {line.split("|")[3].split()[0].removeprefix("@iconify-json/") for line in notice.splitlines() if "@iconify-json/" in line}
    assert {icon.licence for icon in library.icons} == {"MIT", "Apache-2.0"}
    assert {icon.set for icon in library.icons} == packages
    assert "Permission is hereby granted, free of charge" in notice and "apache.org/licenses/LICENSE-2.0" in notice


def test_the_notice_and_the_list_agree_on_every_licence(library: IconLibrary) -> None:
    rows = [line.split("|") for line in (FOLDER / "NOTICE.md").read_text("utf-8").splitlines() if "@iconify-json/" in line]
    told = {row[3].split()[0].removeprefix("@iconify-json/"): row[4].strip() for row in rows}
    assert told == {icon.set: icon.licence for icon in library.icons}


def test_packs_are_small_enough_and_unaltered() -> None:
    packs = json.loads((FOLDER / "library.json").read_text("utf-8"))["packs"]
    files = sorted(FOLDER.glob("icons-*.pack"))
    assert [file.name for file in files] == sorted(packs)
    assert all(file.stat().st_size < 9_500_000 for file in files)
    assert sum(file.stat().st_size for file in FOLDER.iterdir()) <= 48_000_000
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files} == packs


def test_every_style_shows_more_than_a_thousand_things(library: IconLibrary) -> None:
    things = Counter(style for style, _ in {(icon.style, icon.concept) for icon in library.icons})
    assert set(things) == set(STYLES) - {"Mixed"}
    assert min(things.values()) > 900, things


def test_no_flags_of_countries_skin_tones_keycaps_or_signs_are_kept(library: IconLibrary) -> None:
    concepts = {icon.concept for icon in library.icons}
    unwanted = ("skin tone", "keycap", "flag:", "button", "arrow", "o'clock", "zodiac", "input ")
    kept = {"bow and arrow", "heart with arrow", "envelope with arrow", "mobile phone with arrow", "check mark button", "cross mark button"}
    assert [concept for concept in concepts - kept if any(word in concept for word in unwanted)] == []
    assert {"cat", "red apple", "castle", "clock"} <= concepts


def test_pictures_have_clear_corners_and_fill_their_frame(library: IconLibrary) -> None:
    for index in range(0, len(library), 61):
        pixels, icon = library.pixels(index), library.icons[index]
        assert pixels.shape == (SIZE, SIZE, 4) and pixels.dtype == np.uint8
        assert pixels[[0, 0, -1, -1], [0, -1, 0, -1], 3].max() == 0, icon
        drawn = np.argwhere(pixels[..., 3] > 24)
        (top, left), (bottom, right) = drawn.min(0), drawn.max(0) + 1
        assert 112 <= max(bottom - top, right - left) <= 126, icon
        assert abs((top + bottom) / 2 - SIZE / 2) <= 3 and abs((left + right) / 2 - SIZE / 2) <= 3, icon


def test_pictures_cannot_be_changed_by_who_borrows_them(library: IconLibrary) -> None:
    with pytest.raises(ValueError, match="read-only"):
        library.pixels(0)[0, 0] = 9


def test_outline_drawings_are_white_inside_and_clear_outside(library: IconLibrary) -> None:
    index = next(i for i, icon in enumerate(library.icons) if icon.concept == "cat face" and icon.set == "fluent-emoji-high-contrast")
    pixels = library.pixels(index)
    grey = pixels[..., :3].astype(int)
    assert np.ptp(grey, axis=-1).max() <= 8
    opaque = pixels[..., 3] > 250
    assert (opaque & (grey[..., 0] > 240)).mean() > 0.2
    assert (pixels[..., 3] == 0).mean() > 0.1


def test_cartoon_icons_are_other_icons_with_dark_outlines(library: IconLibrary) -> None:
    cartoon = next(i for i, icon in enumerate(library.icons) if icon.concept == "red apple" and icon.style == "Cartoon")
    plain = next(i for i, icon in enumerate(library.icons) if icon.set == library.icons[cartoon].set and icon.concept == "red apple")
    assert library.icons[plain].style != "Cartoon" and library.icons[plain].licence == library.icons[cartoon].licence
    before, after = library.pixels(plain), library.pixels(cartoon)
    assert (after[..., 3] >= before[..., 3]).all()
    ring = (after[..., 3] > 200) & (before[..., 3] < 20)
    assert ring.sum() > 300 and after[ring][:, :3].max() < 60


def test_ink_leaves_an_empty_picture_empty() -> None:
    assert inked(np.zeros((32, 32, 4), np.uint8)).max() == 0


def test_a_missing_list_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="fetch"):
        IconLibrary.open(tmp_path)


def test_a_list_of_another_format_is_refused_in_words(copy: Path) -> None:
    data = json.loads((copy / "library.json").read_text("utf-8"))
    (copy / "library.json").write_text(json.dumps({**data, "format": 99}), "utf-8")
    with pytest.raises(ModelUnavailable, match="version"):
        IconLibrary.open(copy)


def test_a_garbled_list_is_refused_in_words(copy: Path) -> None:
    (copy / "library.json").write_text('{"format": 1, "icons": [[]]}', "utf-8")
    with pytest.raises(ModelUnavailable, match="damaged"):
        IconLibrary.open(copy)


def test_a_truncated_pack_is_refused_in_words(copy: Path) -> None:
    (copy / "icons-0.pack").write_bytes((copy / "icons-0.pack").read_bytes()[:100])
    with pytest.raises(ModelUnavailable, match="damaged"):
        IconLibrary.open(copy).pixels(0)


def test_a_small_library_reads_the_same_pictures(copy: Path, library: IconLibrary) -> None:
    small = IconLibrary.open(copy)
    assert len(small) >= 3
    assert np.array_equal(small.pixels(1), library.pixels(1))


def test_drawing_frames_an_icon_and_loses_nothing_in_packing() -> None:
    render = pytest.importorskip("training.icons.render", reason="resvg-py draws the library")
    svg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 24"><rect x="30" y="2" width="6" height="12" fill="#c00"/></svg>'
    pixels = render.draw(svg)
    drawn = np.argwhere(pixels[..., 3] > 24)
    (top, left), (bottom, right) = drawn.min(0), drawn.max(0) + 1
    assert abs(bottom - top - 118) <= 1 and abs(right - left - 59) <= 1
    assert abs(top + bottom - SIZE) <= 2 and abs(left + right - SIZE) <= 2
    with Image.open(io.BytesIO(render.encode(pixels))) as image:
        again = np.array(image.convert("RGBA"))
    assert np.array_equal(again[pixels[..., 3] > 0], pixels[pixels[..., 3] > 0])


def test_drawing_an_outline_fills_closed_lines_with_white() -> None:
    render = pytest.importorskip("training.icons.render", reason="resvg-py draws the library")
    ring = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 48 48">'
        '<circle cx="24" cy="24" r="18" fill="none" stroke="#000" stroke-width="4"/></svg>'
    )
    pixels = render.draw(ring, outline=True)
    assert pixels[64, 64].tolist() == [255, 255, 255, 255]
    assert pixels[2, 2, 3] == 0
    assert render.draw('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 8 8"></svg>') is None


def test_the_model_card_names_the_method_and_counts_right(library: IconLibrary) -> None:
    card = (FOLDER / "MODEL_CARD.md").read_text("utf-8")
    assert "2412.20292" in card and "Scarvelis" in card
    drawings = sum(icon.style != "Cartoon" for icon in library.icons)
    assert f"{drawings:,} drawings of {len({icon.concept for icon in library.icons}):,} things" in card
