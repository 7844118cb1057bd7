"""What is made here is marked, signed and recognised by every layer; what is not is not; and no mark ever breaks a promise."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from studio import copies
from studio.creations import Creation, Media, Passage, Picture, Sound, Take
from studio.errors import InvalidInput, StudioError
from studio.findings import LINES, NAME_LIMIT, SHOWN, VALUE_LIMIT, Origin
from studio.library import Library
from studio.marks import NO_SIGNATURE, Marks
from studio.music import files
from studio.origin import examine
from studio.provenance import foreign, pictures, signing, sound_mark, sounds
from studio.provenance.record import COMPOSITE, ENHANCED, TRAINED, Record, compose, to_json
from studio.settings import Settings
from studio.studio import GUEST
from studio.tasks import Compose, Inpaint, Task, TextToImage, Write
from tabs import _origin
from tabs._form import Desk
from tabs._origin import drawn
from tests.samples import CARD
from tests.test_signing import signed_elsewhere

SIDE = 384


@dataclass
class Place:
    """A home with its marks and its library."""

    settings: Settings
    marks: Marks
    library: Library

    def keep(self, media: Media, task: Task, parents: Sequence[Creation] = (), trained: bool = True) -> tuple[Creation, Media]:
        """As a studio keeps it: the creation, and the medium as it was marked."""
        card = CARD.model_copy(update={"trained": trained})
        entry = compose(task, task, card, media, "cpu", 1, [parent.id for parent in parents])
        media, entry = self.marks.marked(media, entry, [parent.path.read_bytes() for parent in parents])
        match media:
            case Picture():
                data, suffix = pictures.encode_png(media.pixels, entry), ".png"
            case Take():
                data, suffix = sounds.encode_flac(media.sound, entry), ".flac"
            case Passage():
                data, suffix = media.text.encode(), ".txt"
        data, entry = self.marks.sealed(lambda _: data, suffix, entry)
        return self.library.keep(data, suffix, entry, text=media.text if isinstance(media, Passage) else None), media

    def asked(self, file: Path) -> Origin:
        return examine(file, self.library, self.marks.identity)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    settings = Settings(home=tmp_path / "home", cache=tmp_path / "cache", mode="local")
    library = Library(settings.home)
    yield Place(settings, Marks(settings), library)
    library.close()


def scene(seed: int = 1) -> Picture:
    """Shapes on a plain ground, with a little grain."""
    rng = np.random.default_rng(seed)
    pixels = np.full((SIDE, SIDE, 3), 235, np.float32) + rng.normal(0, 1.5, (SIDE, SIDE, 3))
    down, across = np.mgrid[:SIDE, :SIDE]
    for _ in range(6):
        y, x, radius = [*rng.integers(0, SIDE, 2).tolist(), int(rng.integers(30, 110))]
        pixels[(down - y) ** 2 + (across - x) ** 2 < radius**2] = rng.integers(20, 230, 3)
    return Picture(pixels.clip(0, 255).astype(np.uint8), seed)


def apple(seed: int = 1) -> TextToImage:
    return TextToImage(prompt="a red apple", seed=seed, model="Sample", width=SIDE, height=SIDE, steps=4)


def sure(found: Origin) -> dict[str, str]:
    return {finding.layer: finding.sure for finding in found.findings}


def test_a_picture_made_here_is_recognised_by_every_layer_and_looks_the_same(place: Place) -> None:
    before = scene()
    made, after = place.keep(before, apple())
    found = place.asked(made.path)
    assert found.verdict == "Yes, this was made here, and it is as it was made."
    expected = {"Library": "proof", "Signature": "proof", "Invisible mark": "proof", "Record": "claim", "Source type": "claim"}
    assert sure(found) == expected and found.creation == made.id and ("Prompt", "a red apple") in found.settings
    assert isinstance(after, Picture)
    noise = float(np.mean((before.pixels.astype(float) - after.pixels) ** 2))
    assert noise > 0 and 10 * np.log10(255**2 / noise) >= 38
    again, _ = place.keep(scene(), apple())
    with Image.open(made.path) as first, Image.open(again.path) as second:
        assert first.tobytes() == second.tobytes()


def test_a_cut_and_compressed_copy_is_recognised_by_its_mark_alone(place: Place, tmp_path: Path) -> None:
    made, _ = place.keep(scene(), apple())
    with Image.open(made.path) as picture:
        picture.convert("RGB").crop((37, 21, 361, 345)).save(tmp_path / "copy.jpg", quality=80)
    found = place.asked(tmp_path / "copy.jpg")
    assert found.verdict == "Yes, this was made here; it may have been changed since." and found.creation == made.id
    assert sure(found) | {"Invisible mark": ""} == {
        "Library": "nothing", "Signature": "nothing", "Invisible mark": "", "Record": "nothing", "Source type": "nothing",
    }  # fmt: skip


@pytest.mark.parametrize("suffix", ["avif", "tiff", "bmp"])
def test_a_copy_in_a_format_that_is_not_made_here_is_recognised_by_its_mark(place: Place, tmp_path: Path, suffix: str) -> None:
    made, _ = place.keep(scene(), apple())
    with Image.open(made.path) as picture:
        picture.convert("RGB").save(tmp_path / f"copy.{suffix}")
    found = place.asked(tmp_path / f"copy.{suffix}")
    assert sure(found)["Invisible mark"] == "proof" and found.creation == made.id
    assert found.verdict == "Yes, this was made here; it may have been changed since."


@pytest.mark.parametrize("suffix", [".avif", ".tif", ".mp4", ".m4a", ".mov"])
def test_a_signature_of_others_is_read_in_a_format_that_is_not_made_here(place: Place, tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"other{suffix}").write_bytes(signed_elsewhere(suffix))
    found = place.asked(tmp_path / f"other{suffix}")
    assert sure(found)["Signature"] == "claim" and found.verdict.startswith("Someone else signed it")
    assert all(finding.words.endswith((".", ")")) for finding in found.findings)


def test_a_record_that_was_copied_into_another_picture_proves_nothing(place: Place, tmp_path: Path) -> None:
    _, media = place.keep(scene(), apple())
    entry = compose(apple(), apple(), CARD, media, "cpu", 1)
    (tmp_path / "forged.png").write_bytes(pictures.encode_png(scene(2).pixels, entry))
    assert "nothing proves it" in place.asked(tmp_path / "forged.png").verdict


def test_a_changed_byte_is_told_and_another_studio_does_not_take_the_work_for_its_own(place: Place, tmp_path: Path) -> None:
    made, _ = place.keep(scene(), apple())
    data = bytearray(made.path.read_bytes())
    place_of = data.rindex(b"IDAT") + 2000
    data[place_of] ^= 1
    (tmp_path / "changed.png").write_bytes(data)
    assert sure(place.asked(tmp_path / "changed.png"))["Signature"] == "warning"
    other = Marks(Settings(home=tmp_path / "other", cache=tmp_path, mode="local"))
    found = examine(made.path, Library(tmp_path / "other"), other.identity)
    assert sure(found)["Signature"] == "claim" and sure(found)["Invisible mark"] == "nothing" and sure(found)["Library"] == "nothing"


def test_what_is_not_from_here_is_not_claimed(place: Place, tmp_path: Path) -> None:
    Image.fromarray(scene(5).pixels).save(tmp_path / "plain.png")
    assert place.asked(tmp_path / "plain.png").verdict.startswith("Nothing says")
    info = PngInfo()
    info.add_text(
        "parameters", "a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, Hires upscale: 2, Version: v1.10.1"
    )
    Image.fromarray(scene(5).pixels).save(tmp_path / "other.png", pnginfo=info)
    found = place.asked(tmp_path / "other.png")
    assert found.verdict == "It was most likely made by another program." and ("Prompt", "a cat") in found.settings and found.left_out


def test_an_edit_is_marked_only_where_nothing_of_the_picture_is_left(place: Place) -> None:
    first, marked = place.keep(scene(), apple())
    assert isinstance(marked, Picture)
    task = Inpaint(image="sha256:" + "0" * 64, mask="sha256:" + "1" * 64, prompt="x", model="Sample", seed=3)
    drawn = np.zeros((SIDE, SIDE), bool)
    drawn[40:340, 40:360] = True
    edited, after = place.keep(replace(marked, drawn=drawn), task, [first])
    assert isinstance(after, Picture)
    assert np.array_equal(after.pixels[~drawn], marked.pixels[~drawn]) and not np.array_equal(after.pixels[drawn], marked.pixels[drawn])
    numbers = [dict(made.record)["marks"]["watermark"] for made in (first, edited)]  # type: ignore[index,call-overload]
    assert numbers[0] == numbers[1] and place.asked(edited.path).verdict.startswith("Yes")
    small = np.zeros((SIDE, SIDE), bool)
    small[:100, :100] = True
    kept, same = place.keep(replace(scene(2), drawn=small), task)
    assert isinstance(same, Picture) and np.array_equal(same.pixels, scene(2).pixels)
    assert "none" in dict(kept.record)["marks"]["watermark"] and kept.record["digital_source_type"] == COMPOSITE  # type: ignore[index,operator]


def test_a_sound_is_recognised_and_an_edit_of_one_keeps_its_samples(place: Place) -> None:
    sound = waves(32_000)
    made, _ = place.keep(Take(sound, 1), Compose(prompt="waves", seed=1, model="Sample"))
    assert sure(place.asked(made.path)) == {
        "Library": "proof", "Signature": "proof", "Invisible mark": "proof", "Record": "claim", "Source type": "claim",
    }  # fmt: skip
    edit = Compose(prompt="x", reference="sha256:" + "0" * 64, reference_use="trim", region_start=0, region_end=1, model="Sample", seed=1)
    repainted = edit.model_copy(update={"reference_use": "repaint"})
    beside, played = (place.keep(Take(sound, 1, facts=facts), repainted)[1] for facts in ({}, {"score": "notes"}))
    assert isinstance(beside, Take) and beside.sound is sound and isinstance(played, Take) and played.sound is not sound
    kept, same = place.keep(Take(sound, 1), edit, trained=False)
    assert isinstance(same, Take) and same.sound is sound
    assert kept.record["digital_source_type"] == ENHANCED and sounds.read_source(kept.path.read_bytes()) == ENHANCED
    assert sounds.read_source(made.path.read_bytes()) == TRAINED


def test_every_format_of_sound_says_that_a_model_made_it() -> None:
    quiet = Sound(np.full((1, 8000), 0.1, np.float32), 8000)
    entry = compose(Compose(prompt="x"), Compose(prompt="x"), CARD, Take(quiet, 1), "cpu", 1)
    for kind in ("flac", "wav16", "wav24", "mp3"):
        data = sounds.encode_copy(quiet, kind, entry)
        assert sounds.read_source(data) == TRAINED and sounds.read_record(data) is not None, kind


def test_what_cannot_be_signed_is_kept_and_says_so(place: Place) -> None:
    media = scene()
    entry = compose(apple(), apple(), CARD, media, "cpu", 1)
    start = pictures.encode_png(media.pixels, entry)[:60]
    sealed, told = place.marks.sealed(lambda record: start + record.model_dump_json().encode(), ".png", entry)
    assert "none" in str(told.marks["signature"]) and sealed.startswith(start) and b'"none"' in sealed


def test_a_noisy_picture_becomes_a_signed_jpeg(place: Place) -> None:
    noise = Picture(np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8), 1)
    made, _ = place.keep(noise, apple())
    (place.settings.home / "copy.jpg").write_bytes(copies.picture(made, ".jpg", place.marks))
    assert sure(place.asked(place.settings.home / "copy.jpg"))["Signature"] == "proof"


def waves(rate: int) -> Sound:
    """Ten seconds of stereo that hold a mark."""
    tone = np.cumsum(np.random.default_rng(0).normal(0, 0.02, (2, 10 * rate)), axis=1)
    return Sound(np.clip(tone - np.linspace(0, 1, tone.shape[1]) * tone[:, -1:], -0.9, 0.9).astype(np.float32), rate)


def noise(seconds: float, rate: int = 8000) -> Sound:
    return Sound(np.random.default_rng(0).normal(0, 0.1, (1, round(seconds * rate))).clip(-1, 1).astype(np.float32), rate)


def copied(place: Place, creation: Creation, kind: str) -> tuple[bytes, Record]:
    """A copy in a format of pictures or sounds, and the record in it."""
    if kind.startswith("."):
        data = copies.picture(creation, kind, place.marks)
        return data, pictures.read_record(data) or pytest.fail(f"no record in {kind}")
    data = copies.sound(creation.path, kind, place.marks)
    return data, sounds.read_record(data) or pytest.fail(f"no record in {kind}")


def signed(place: Place, data: bytes, suffix: str) -> bool:
    return signing.read(data, suffix, place.marks.identity).state == "valid"


def test_the_record_of_a_copy_tells_the_truth_about_its_signature(place: Place, tmp_path: Path) -> None:
    """Whatever was turned off when the original was made, and whatever its format holds."""
    off = Settings(home=place.settings.home, cache=tmp_path, mode="local", no_watermark="a test", no_signature="a test")
    unsigned = Place(off, Marks(off), place.library)
    for making, copying in ((place, place), (place, unsigned), (unsigned, place)):
        drawing, _ = making.keep(scene(), apple())
        tone, _ = making.keep(Take(noise(1), 1), Compose(prompt="waves", seed=1, model="Sample"))
        wanted = {"none": "Turned off here: a test"} if copying is unsigned else {"standard": "C2PA"}
        for creation, kind, suffix in (
            *((drawing, kind, kind) for kind in (".webp", ".jpg", ".jpeg")),
            *((tone, kind, suffix) for kind, suffix in (("wav16", ".wav"), ("mp3", ".mp3"), ("flac", ".flac"))),
        ):
            data, told = copied(copying, creation, kind)
            assert told.marks["signature"] == wanted and signed(place, data, suffix) == (copying is place), kind
        for kind in ("ogg", "opus"):
            assert copied(copying, tone, kind)[1].marks["signature"] == {"none": NO_SIGNATURE}


def test_a_copy_that_cannot_be_signed_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = place.keep(scene(), apple())

    def broken(*_: object) -> bytes:
        raise StudioError("The clock stands still: set it.")

    monkeypatch.setattr(signing, "sign", broken)
    told = copied(place, made, ".jpg")[1]
    assert told.marks["signature"] == {"none": "The clock stands still: set it."} and "copy" in told.facts


def test_the_signature_of_a_copy_covers_the_record_inside_or_the_creations(place: Place) -> None:
    made, _ = place.keep(scene(), apple())
    data, told = copied(place, made, ".jpg")
    assert hashlib.sha256(to_json(told).encode()).hexdigest().encode() in data
    words = "".join(np.random.default_rng(0).choice(list("abcdefghijklmnop"), 240_000))
    entry = compose(apple(), apple(), CARD, scene(), "cpu", 1).model_copy(update={"software": {"x": words}})
    kept = place.library.keep(pictures.encode_png(scene().pixels, entry), ".png", entry)
    data = copies.picture(kept, ".jpg", place.marks)
    assert pictures.read_record(data) is None and signed(place, data, ".jpg")
    assert hashlib.sha256(to_json(place.marks.told(entry, ".jpg")).encode()).hexdigest().encode() in data


def test_a_narration_of_more_than_ten_minutes_is_copied(place: Place) -> None:
    long = Sound(np.full((1, 4000 * 620), 0.1, np.float32), 4000)
    entry = compose(Compose(prompt="x"), Compose(prompt="x"), CARD, Take(long, 1), "cpu", 1)
    kept = place.library.keep(sounds.encode_flac(long, entry), ".flac", entry)
    data, _ = copied(place, kept, "wav16")
    assert len(data) > 2 * 4000 * 620


def test_of_a_long_sound_the_beginning_is_searched(place: Place, tmp_path: Path) -> None:
    marked = sound_mark.embed(waves(16_000), 0xABCDE, place.marks.identity.secret).samples[:1]
    silence = np.zeros((1, 16_000 * 600), np.float32)
    for name, parts in (("long", (marked, silence)), ("late", (silence, marked))):
        data = files.encode(Sound(np.concatenate(parts, axis=1), 16_000), "flac", files.Tags())
        (tmp_path / f"{name}.flac").write_bytes(data)
    found = place.asked(tmp_path / "long.flac")
    assert sure(found)["Invisible mark"] == "proof" and "abcde" in str(found.findings)
    assert sure(place.asked(tmp_path / "late.flac"))["Invisible mark"] == "nothing"


def test_a_hostile_file_cannot_flood_the_page(place: Place, tmp_path: Path) -> None:
    task = {f"{'n' * 500}{number} <b>": f"<i>{'v' * 1500}" for number in range(400)}
    entry = compose(apple(), apple(), CARD, scene(), "cpu", 1)
    model = {"name": "<script>" * 9000, "licence": "MIT"}
    hostile = entry.model_copy(update={"made_by": "m" * 90_000, "model": model, "task": task, "created": "<x>" * 9000})
    info = PngInfo()
    info.add_itxt("atelier", to_json(hostile))
    Image.fromarray(scene().pixels).save(tmp_path / "hostile.png", pnginfo=info)
    found = place.asked(tmp_path / "hostile.png")
    assert len(found.settings) == SHOWN + 1 and found.settings[-1] == ("Not shown", "and 340 more")
    assert all(len(name) <= NAME_LIMIT and len(value) <= VALUE_LIMIT for name, value in found.settings)
    page = drawn(found)
    assert 1000 < len(page) < 40_000 and "<script" not in page and "<i>" not in page and "<b>" not in page and "<x>" not in page


def test_what_could_not_be_read_is_told_in_so_many_lines(place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = PngInfo()
    told = ", ".join(f"Setting {number}: 2" for number in range(100))
    info.add_text("parameters", f"a cat\nSteps: 20, Sampler: Euler a, CFG scale: 7, Seed: 1, Size: 512x512, {told}")
    Image.fromarray(scene().pixels).save(tmp_path / "many.png", pnginfo=info)
    lines = place.asked(tmp_path / "many.png").left_out
    assert len(lines) == 61 and lines[-1] == "And 40 more settings of A1111 were left out."
    flood = foreign.Foreign("A1111", {"prompt": "w" * 9000}, ("w" * 9000,) * 100)
    monkeypatch.setattr(foreign, "read", lambda _: flood)
    found = place.asked(tmp_path / "many.png")
    assert len(found.left_out) == LINES + 1 and found.left_out[-1] == "and 36 more" and len(drawn(found)) < 30_000


def test_the_page_says_which_creation_it_is_and_escapes_its_name(place: Place, tmp_path: Path) -> None:
    made, _ = place.keep(scene(), apple())
    day = str(made.record["created"])[:10]
    assert f"in the library: “a red apple”, {day}." in drawn(place.asked(made.path))
    place.library.shelf.rename(made.id, "<b>Apples")
    place.library.shelf.trash([made.id])
    assert f"in the library: “&lt;b&gt;Apples”, {day} (in the trash)." in drawn(place.asked(made.path))
    with Image.open(made.path) as picture:
        picture.convert("RGB").save(tmp_path / "copy.jpg", quality=90)
    assert f"Its mark is that of “&lt;b&gt;Apples”, {day} (in the trash)." in drawn(place.asked(tmp_path / "copy.jpg"))


def test_nothing_is_told_of_the_session_of_another_visitor(place: Place, tmp_path: Path) -> None:
    made, media = place.keep(scene(), apple())
    assert isinstance(media, Picture)
    entry = compose(apple(), apple(), CARD, media, "cpu", 1)
    data = made.path.read_bytes()
    theirs = place.library.keep(data, ".png", entry, owner="guest", session="one")
    mine = examine(theirs.path, place.library, place.marks.identity, "guest", "one")
    assert mine.creation == theirs.id and sure(mine)["Library"] == "proof"
    (tmp_path / "other.png").write_bytes(pictures.encode_png(media.pixels, entry))
    for file in (theirs.path, tmp_path / "other.png"):
        found = examine(file, place.library, place.marks.identity, "guest", "two")
        assert found.creation == "" and found.findings[0].words == "This very file is not in the library."


def test_the_page_asks_for_what_its_visitor_sees(place: Place) -> None:
    made, media = place.keep(scene(), apple())
    entry = compose(apple(), apple(), CARD, media, "cpu", 1)
    theirs = place.library.keep(made.path.read_bytes(), ".png", entry, owner=GUEST, session="one")
    studio: Any = SimpleNamespace(library=place.library, marks=place.marks, settings=SimpleNamespace(public=True))
    page: Any = None
    for session, told in (("one", True), ("two", False)):
        request: Any = SimpleNamespace(session_hash=session, username=None)
        assert ("a red apple”" in _origin.answer(Desk(studio, page), [str(theirs.path)], request)) is told


def test_every_warning_says_what_to_do(place: Place, tmp_path: Path) -> None:
    made, _ = place.keep(scene(), apple())
    whole = made.path.read_bytes()
    changed = whole.replace(b"a red apple", b"a bad apple")
    (tmp_path / "a.png").write_bytes(changed)
    (tmp_path / "b.png").write_bytes(whole[:3000])
    (tmp_path / "c.flac").write_bytes(b"fLaC")
    (tmp_path / "d.wav").write_bytes(b"no sound at all")
    found = [finding for name in ("a.png", "b.png", "c.flac", "d.wav") for finding in place.asked(tmp_path / name).findings]
    warnings = {finding.words for finding in found if finding.sure == "warning"}
    assert len(warnings) >= 3
    for words in warnings:
        assert re.search(r"[:.] (ask for|use|choose|save|export|set) .*\.$", words, re.IGNORECASE), words


def test_texts_and_turned_off_marks_say_why(place: Place, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    written, _ = place.keep(Passage("Roses are red.", 1, 4), Write(prompt="roses", model="Sample", seed=1))
    marks = dict(written.record)["marks"]
    assert isinstance(marks, dict) and set(marks) == {"watermark", "signature"} and all("none" in str(said) for said in marks.values())
    assert place.asked(written.path).verdict.startswith("Yes")
    off = Settings(home=tmp_path / "off", cache=tmp_path, mode="local", no_watermark="a test", no_signature="a test")
    other = Place(off, Marks(off), place.library)
    made, media = other.keep(scene(), apple())
    assert isinstance(media, Picture) and np.array_equal(media.pixels, scene().pixels)
    assert dict(made.record)["marks"] == {
        "watermark": {"none": "Turned off here: a test"},
        "signature": {"none": "Turned off here: a test"},
    }
    assert sure(other.asked(made.path))["Signature"] == "nothing" and caplog.text.count("a test") == 2


@pytest.mark.parametrize(
    ("name", "data"), [("a.png", b""), ("a.png", b"\x89PNG\r\n\x1a\n" + b"x" * 99), ("a.flac", b"fLaC"), ("a.txt", b"\xff")]
)
def test_damaged_files_are_told_in_sentences(place: Place, tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    found = place.asked(tmp_path / name)
    assert found.verdict.startswith("Nothing says") and all(finding.words.endswith(".") for finding in found.findings)


def test_kinds_of_files_that_nothing_here_makes_are_refused(place: Place, tmp_path: Path) -> None:
    (tmp_path / "a.exe").write_bytes(b"MZ")
    with pytest.raises(InvalidInput, match="Choose a picture"):
        place.asked(tmp_path / "a.exe")
    with pytest.raises(StudioError, match="choose it again"):
        place.asked(tmp_path / "gone.png")
    (tmp_path / "big.png").write_bytes(io.BytesIO(bytes(41_000_000)).getvalue())
    with pytest.raises(InvalidInput, match="larger than 40 MB"):
        place.asked(tmp_path / "big.png")
