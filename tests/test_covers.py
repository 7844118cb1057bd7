"""Cover pictures in sound files: put in, found again, and nothing else of the file changed."""

from __future__ import annotations

import base64
import io
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from studio.creations import Creation, Sound
from studio.errors import InvalidInput, MediaUnreadable
from studio.music import files
from studio.provenance import covers, sounds, tags
from studio.provenance.record import SOURCE_TYPES
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Compose

TAGS = files.Tags(title="A loop", comment="made of one tone " * 40, source=f"{SOURCE_TYPES}trainedAlgorithmicMedia")


@pytest.fixture
def sound() -> Sound:
    wave = 0.4 * np.sin(2 * np.pi * 330 * np.arange(48_000) / 48_000)
    return Sound(np.tile(wave.astype(np.float32), (2, 1)), 48_000)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    grain = np.random.default_rng(5).integers(0, 255, (700, 900, 3), np.uint8)
    Image.fromarray(grain).save(tmp_path / "sleeve.png")
    return tmp_path / "sleeve.png"


def test_a_picture_becomes_a_small_jpeg(picture: Path) -> None:
    with Image.open(io.BytesIO(covers.prepared(picture))) as made:
        assert (made.format, made.size) == ("JPEG", (600, 467))


def test_what_is_transparent_stands_on_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    clear.paste((255, 0, 0, 255), (0, 0, 8, 8))
    clear.save(tmp_path / "clear.png")
    with Image.open(io.BytesIO(covers.prepared(tmp_path / "clear.png"))) as made:
        assert made.getpixel((40, 40)) == (255, 255, 255)


def test_what_is_no_picture_is_refused_under_its_own_name(tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("no picture at all")
    with pytest.raises((InvalidInput, MediaUnreadable)) as refused:
        covers.prepared(tmp_path / "words.png")
    assert refused.value.field == "artwork"


@pytest.mark.parametrize("kind", covers.FORMATS)
def test_samples_and_comments_stay_as_they_are(kind: str, sound: Sound, picture: Path, tmp_path: Path) -> None:
    plain = files.encode(sound, kind, TAGS)
    made = covers.covered(plain, kind, covers.prepared(picture))
    assert len(made) > len(plain) + 20_000
    before, after = (soundfile.read(io.BytesIO(data), dtype="float32")[0] for data in (plain, made))
    assert np.array_equal(before, after) and before.std() > 0.1
    assert tags.comments(io.BytesIO(made)) == tags.comments(io.BytesIO(plain)) == [TAGS.comment]
    if kind not in ("ogg", "opus"):  # which have no name for it
        assert sounds.read_source(made) == sounds.read_source(plain) == TAGS.source
    (tmp_path / "made").write_bytes(made)
    assert files.read(tmp_path / "made").samples.shape == sound.samples.shape


def test_a_flac_gives_its_picture_back_also_behind_a_signature(sound: Sound, picture: Path, tmp_path: Path) -> None:
    jpeg = covers.prepared(picture)
    made = covers.covered(files.encode(sound, "flac", TAGS), "flac", jpeg)
    for name, data in (("plain", made), ("signed", b"ID3\x04\x00\x00\x00\x00\x00\x05" + bytes(5) + made)):
        (tmp_path / name).write_bytes(data)
        assert covers.picture_in(tmp_path / name) == jpeg


def test_players_find_the_picture_where_their_format_has_it(sound: Sound, picture: Path) -> None:
    jpeg = covers.prepared(picture)
    made = {kind: covers.covered(files.encode(sound, kind, TAGS), kind, jpeg) for kind in covers.FORMATS}
    for kind in ("ogg", "opus"):
        (found,) = tags.comments(io.BytesIO(made[kind]), frozenset((b"METADATA_BLOCK_PICTURE",)))
        assert base64.b64decode(found).endswith(jpeg)
    for tag in (made["mp3"], chunk(made["wav16"], b"id3 "), chunk(made["wav24"], b"id3 ")):
        assert pictures_of(tag) == [jpeg]


@pytest.mark.parametrize("seconds", [0.5, 0.50001])
def test_a_wav_is_whole_around_its_picture_with_and_without_a_tag_before(seconds: float, sound: Sound, picture: Path) -> None:
    mono = Sound(sound.samples[:1, : round(seconds * 48_000)], 48_000)
    for source in ("", TAGS.source):
        made = covers.covered(files.encode(mono, "wav24", files.Tags(source=source)), "wav24", covers.prepared(picture))
        assert len(made) % 2 == 0 and struct.unpack_from("<I", made, 4) == (len(made) - 8,)
        assert made.count(b"id3 ") == 1
        assert np.array_equal(sounds.samples_of(made), files.quantised(mono))


def chunk(wav: bytes, name: bytes) -> bytes:
    """The content of the one chunk of that name, walked to from the first."""
    place, found = 12, list[bytes]()
    while place < len(wav):
        kind, length = struct.unpack_from("<4sI", wav, place)
        if kind == name:
            found.append(wav[place + 8 : place + 8 + length])
        place += 8 + length + length % 2
    (one,) = found
    return one


def pictures_of(tag: bytes) -> list[bytes]:
    """The front covers in an ID3v2.4 tag, read frame by frame to its end."""
    assert tag[:4] == b"ID3\x04"
    place, end, found = 10, 10 + seven(tag[6:10]), list[bytes]()
    while place < end:
        size = seven(tag[place + 4 : place + 8])
        content = tag[place + 10 : place + 10 + size]
        if tag[place : place + 4] == b"APIC":
            assert content.startswith(b"\x00image/jpeg\x00\x03\x00")
            found.append(content[14:])
        place += 10 + size
    assert place == end
    return found


def seven(number: bytes) -> int:
    return sum(byte << 7 * (3 - at) for at, byte in enumerate(number))


@pytest.mark.parametrize("damage", [b"", b"fLaC", b"fLaC\x86\xff\xff\xff", b"fLaC\x86\x00\x00\x08\x00\x00\x00\x03\xff\xff\xff\xff", b"ID3"])
def test_damaged_files_have_no_picture(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.flac").write_bytes(damage)
    assert covers.picture_in(tmp_path / "x.flac") is None


def test_a_take_is_given_a_cover_and_keeps_its_notes_and_samples(picture: Path, tmp_path: Path) -> None:
    studio = Studio.open(Settings(home=tmp_path / "home", offline=True))
    try:
        first = _made(studio, {"prompt": "a chiptune in C major, 240 bpm", "duration": 2, "seed": 7})
        asked = {"prompt": "a chiptune", "reference": str(first.path), "reference_use": "picture", "artwork": str(picture)}
        with pytest.raises(InvalidInput, match="Cover picture is missing"):
            Compose.checked({**asked, "artwork": ""})
        dressed = _made(studio, asked)
        jpeg = covers.picture_in(dressed.path)
        assert jpeg is not None and covers.picture_in(first.path) is None
        assert np.array_equal(sounds.samples_of(dressed.path), sounds.samples_of(first.path))
        assert dressed.attachments["score.mid"].read_bytes()[:4] == b"MThd"
        assert dressed.record["parents"] == [first.id]
        assert "artwork.png" in dressed.attachments
    finally:
        studio.close()


def _made(studio: Studio, values: Mapping[str, object]) -> Creation:
    (creation,) = [event for event in studio.run(Compose.checked(values)) if isinstance(event, Creation)]
    return creation
