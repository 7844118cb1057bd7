"""Exports as a zip: names, records, the contact sheet, and what a private one leaves out."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from studio.archive import NAME_LIMIT, pack, plain_name
from studio.creations import Creation, Sound
from studio.errors import InvalidInput, NotFound, StorageFull
from studio.library import Library
from studio.provenance.pictures import read_record
from studio.provenance.record import TRAINED
from studio.provenance.sounds import encode_flac, read_source, samples_of
from studio.provenance.sounds import read_record as read_sound
from studio.provenance.tags import comments
from tests.samples import png, record


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture
def three(library: Library) -> Sequence[Creation]:
    data, made = png("a red/apple: CON?", 1)
    picture = library.keep(data, ".png", made, attachments={"a:b.svg": b"<svg>secretprompt</svg>", "a b.svg": b"<svg/>"})
    said = record("secretprompt drums")
    sound = library.keep(encode_flac(Sound(np.full((2, 4000), 0.25, np.float32), 8000), said), ".flac", said)
    return picture, sound, library.keep("Grüße\n🌹".encode(), ".txt", record("secretprompt poem"), text="Grüße\n🌹")


def members(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as opened:
        assert opened.testzip() is None
        assert len(set(map(str.casefold, opened.namelist()))) == len(opened.namelist())
        return {name: opened.read(name) for name in opened.namelist()}


def test_a_zip_holds_files_records_companions_and_a_contact_sheet(tmp_path: Path, three: Sequence[Creation]) -> None:
    found = members(pack(three, tmp_path / "out.zip", titles={three[1].id: "My drums"}))
    assert set(found) == {
        *("001 a red apple CON.png", "002 My drums.flac", "003 secretprompt poem.txt"),
        *("records/001 a red apple CON.json", "records/002 My drums.json", "records/003 secretprompt poem.json"),
        *("001 a red apple CON/a b.svg", "001 a red apple CON/2 a b.svg", "contact-sheet.jpg", "README.txt", "library.json"),
    }
    assert found["001 a red apple CON.png"] == three[0].path.read_bytes()
    assert json.loads(found["records/002 My drums.json"]) == three[1].record
    assert Image.open(io.BytesIO(found["contact-sheet.jpg"]), formats=["JPEG"]).size == (600, 230)
    assert found["README.txt"].decode().startswith("3 creations from Atelier")
    assert [file.name for file in tmp_path.glob("out*")] == ["out.zip"]


def test_a_private_zip_holds_the_works_without_a_word_of_how_they_were_made(tmp_path: Path, three: Sequence[Creation]) -> None:
    file = pack(three, tmp_path / "out.zip", private=True)
    found = members(file)
    assert set(found) == {
        *("001 text to image.png", "002 text to image.flac", "003 text to image.txt"),
        *("contact-sheet.jpg", "README.txt"),
    }
    assert b"secretprompt" not in file.read_bytes()
    assert b"apple" not in found["001 text to image.png"]
    picture, sound = found["001 text to image.png"], found["002 text to image.flac"]
    assert read_record(picture) is None
    assert read_sound(sound) is None
    assert TRAINED.encode() in picture
    assert read_source(sound) == TRAINED
    assert comments(io.BytesIO(sound)) == []
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(picture))), np.asarray(Image.open(three[0].path)))
    assert np.array_equal(samples_of(sound), samples_of(three[1].path))
    assert found["003 text to image.txt"].decode() == three[2].text
    assert "private export" in found["README.txt"].decode()


def test_what_is_gone_or_damaged_is_named_and_the_rest_is_there(tmp_path: Path, three: Sequence[Creation]) -> None:
    three[1].path.unlink()
    three[0].path.write_bytes(b"no picture")
    found = members(pack(three, tmp_path / "out.zip", private=True))
    words = found["README.txt"].decode()
    assert three[0].path.name in words
    assert three[1].path.name in words
    assert "002 text to image.txt" in found


def test_nothing_and_nothing_left_are_refused_in_words(tmp_path: Path, three: Sequence[Creation]) -> None:
    with pytest.raises(InvalidInput, match="Nothing is selected"):
        pack((), tmp_path / "out.zip")
    for creation in three:
        creation.path.unlink()
    with pytest.raises(NotFound, match="gone from the disk"):
        pack(three, tmp_path / "out.zip")
    assert list(tmp_path.glob("out*")) == []


def test_a_full_disk_leaves_no_half_zip_and_the_one_before(
    tmp_path: Path, three: Sequence[Creation], monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(three[:1], tmp_path / "out.zip")
    before = (tmp_path / "out.zip").read_bytes()

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(StorageFull, match="The disk is full"):
        pack(three, tmp_path / "out.zip")
    monkeypatch.undo()
    assert (tmp_path / "out.zip").read_bytes() == before
    assert [file.name for file in tmp_path.glob("out*")] == ["out.zip"]


def test_many_creations_have_several_sheets(tmp_path: Path, library: Library) -> None:
    one = library.keep(b"x", ".txt", record("same"), text="x")
    found = members(pack([one] * 61, tmp_path / "out.zip"))
    assert {"contact-sheet.jpg", "contact-sheet-2.jpg", "001 same.txt", "061 same.txt"} <= set(found)
    assert Image.open(io.BytesIO(found["contact-sheet.jpg"])).size == (1200, 2300)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("../../etc/passwd", "etc passwd"),
        ('a\\b:c*d?e"f<g>h|i', "a b c d e f g h i"),
        ("evil\u202egnp.exe", "evil gnp.exe"),
        ("\u061ca\u2066b\u2069\u200fc", "a b c"),
        ("CON", "_CON"),
        (" nul ", "_nul"),
        ("com1.the long way.txt", "_com1.the long way.txt"),
        ("LPT9." + "x" * 100, "_LPT9." + "x" * (NAME_LIMIT - 6)),
        ("Context", "Context"),
        ("auxiliary", "auxiliary"),
        ("  .hidden. ", "hidden"),
        ("\x00\n\ud800", "work"),
        ("x" * 300, "x" * NAME_LIMIT),
        ("東" * 300, "東" * NAME_LIMIT),
        ("🌹 Rosen", "🌹 Rosen"),
    ],
)
def test_a_name_speaks_and_is_safe(text: str, expected: str) -> None:
    assert plain_name(text, "work") == expected


@given(st.text(max_size=400))
def test_every_text_makes_a_name(text: str) -> None:
    name = plain_name(text, "work")
    assert 0 < len(name) <= NAME_LIMIT
    assert len(name.encode()) <= 3 * NAME_LIMIT
    assert name == name.strip(" .")
    assert not set(name) & set('\\/:*?"<>|\x00\n\u202e\u2066')
    assert not re.match(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)", name.lower())
