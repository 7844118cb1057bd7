"""Zips that come back into a library: whole, as they lay on the shelf; and zips that would hurt, of which nothing is taken."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from studio import incoming, origin
from studio.__main__ import app
from studio.archive import pack
from studio.creations import Creation, Sound
from studio.errors import InvalidInput, NotFound, StorageFull, StudioError
from studio.library import Library
from studio.provenance.identity import Identity
from studio.provenance.record import Record
from studio.provenance.sounds import encode_flac
from studio.settings import Settings
from studio.shelf import Filter
from studio.tasks import Compose, Write
from tests.samples import png, record


def of(task: type[Compose] | type[Write], prompt: str, *parents: str) -> Record:
    values = task.checked({"prompt": prompt, "seed": 1}).model_dump(mode="json")
    made = record(prompt)
    return made.model_copy(update={"kind": task.kind, "task": values, "asked": values, "parents": list(parents)})


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture
def other(tmp_path: Path) -> Library:
    return Library(tmp_path / "other")


@pytest.fixture
def three(library: Library) -> list[Creation]:
    """A picture with two companions, a sound made of it, and a text; sorted on the shelf as a person would."""
    data, made = png("a red apple", 1)
    picture = library.keep(data, ".png", made, attachments={"drawing.svg": b"<svg/>", "image.png": data})
    said = of(Compose, "drums", picture.id)
    sound = library.keep(encode_flac(Sound(np.full((2, 4000), 0.25, np.float32), 8000), said), ".flac", said)
    text = library.keep("Grüße\n🌹".encode(), ".txt", of(Write, "a poem"), text="Grüße\n🌹")
    library.shelf.star([picture.id], on=True)
    library.shelf.rename(picture.id, "My apple: first/last?")
    library.shelf.note(text.id, "for Ana\nlater")
    library.shelf.move([sound.id, text.id], "Autumn")
    library.shelf.tag([text.id, picture.id], ["red", "Größe"])
    return [picture, sound, text]


def packed(library: Library, creations: list[Creation], out: Path, **options: Any) -> Path:
    return pack(creations, out, shelf=[library.shelf.item(one.id) for one in creations], **options)


@pytest.fixture
def export(library: Library, three: list[Creation], tmp_path: Path) -> Path:
    return packed(library, three, tmp_path / "out.zip")


def changed(
    export: Path, change: Callable[[dict[str, bytes]], object] = lambda members: None, *, more: Mapping[str, bytes] | None = None
) -> Path:
    """The export with other members; `more` are added as they are, also where one of that name is there."""
    with zipfile.ZipFile(export) as opened:
        members = {name: opened.read(name) for name in opened.namelist()}
    change(members)
    with (
        pytest.warns(UserWarning, match="Duplicate") if set(more or {}) & set(members) else nullcontext(),
        zipfile.ZipFile(export, "w") as out,
    ):
        for name, data in [*members.items(), *(more or {}).items()]:
            out.writestr(name, data)
    return export


def listed(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, bytes]], None]:
    def apply(members: dict[str, bytes]) -> None:
        values = json.loads(members["library.json"])
        change(values)
        members["library.json"] = json.dumps(values).encode()

    return apply


def test_what_was_exported_comes_back_as_it_was(library: Library, other: Library, three: list[Creation], export: Path) -> None:
    brought = other.incoming.bring(export, "ana")
    assert brought.ids == tuple(one.id for one in three)
    assert brought.words == "3 creations came into the library."
    for one in three:
        came = other.get(one.id, "ana")
        assert (came.record, came.created, came.text, came.path.read_bytes()) == (one.record, one.created, one.text, one.path.read_bytes())
        assert {name: path.read_bytes() for name, path in came.attachments.items()} == {
            name: path.read_bytes() for name, path in one.attachments.items()
        }
        assert other.shelf.item(one.id, "ana") == library.shelf.item(one.id)
    assert [item.id for item in other.shelf.lineage(three[0].id, "ana")[1]] == [three[1].id]
    for words, found in (("apple", three[0]), ("Größe later", three[2]), ("drums", three[1])):
        assert other.shelf.page(Filter(words=words), owner="ana")[0].id == found.id
    assert other.list(owner="local") == ()


def test_what_is_here_already_comes_once_also_from_the_trash(library: Library, three: list[Creation], export: Path) -> None:
    library.shelf.trash([three[0].id])
    library.shelf.trash([three[1].id])
    library.shelf.purge([three[1].id])
    brought = library.incoming.bring(export)
    assert (brought.ids, brought.already) == ((three[1].id,), 2)
    assert "2 were here already" in brought.words
    assert library.shelf.item(three[0].id).trashed
    (again,) = library.incoming.bring(export, "ben").ids[:1]
    assert again != three[0].id


def test_an_export_of_before_there_was_a_list_comes_back_with_its_records(other: Library, three: list[Creation], export: Path) -> None:
    brought = other.incoming.bring(changed(export, lambda members: members.pop("library.json")))
    assert len(brought.ids) == 3
    pictures = [other.get(id) for id in brought.ids if other.get(id).kind == "text_to_image"]
    assert [(set(one.attachments), one.record) for one in pictures] == [({"drawing.svg", "image.png"}, three[0].record)]


def test_files_that_no_library_exported_are_passed_over_and_told(other: Library, export: Path) -> None:
    brought = other.incoming.bring(changed(export, more={"__MACOSX/._a.png": b"x", "notes.html": b"<script>alert(1)</script>"}))
    assert len(brought.ids) == 3
    assert set(brought.foreign) == {"__MACOSX/._a.png", "notes.html"}
    assert "2 files that no library exported were passed over" in brought.words


def swapped(members: dict[str, bytes]) -> None:
    """A picture where the record of a sound stands."""
    sound = next(name for name in members if name.endswith(".flac"))
    members[sound] = png()[0]


def cut(members: dict[str, bytes]) -> None:
    picture = next(name for name in members if name.endswith(".png") and "/" not in name)
    members[picture] = members[picture][:-200]


def wide(members: dict[str, bytes]) -> None:
    picture = next(name for name in members if name.endswith(".png") and "/" not in name)
    out = io.BytesIO()
    Image.new("1", (9000, 9000)).save(out, "PNG")
    members[picture] = out.getvalue()


def record_of(members: dict[str, bytes], data: bytes) -> None:
    members[next(name for name in members if name.startswith("records/"))] = data


def first(values: dict[str, Any]) -> dict[str, Any]:
    return values["creations"][0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (cut, "A work in this zip is damaged"),
        (swapped, "damaged"),
        (wide, "more than 64 megapixels"),
        (lambda members: record_of(members, b"{"), "settings in this file are damaged"),
        (lambda members: record_of(members, b"[" * 100_000), "settings in this file are damaged"),
        (lambda members: record_of(members, b" " * 2_000_000), "larger than 1 MB"),
        (lambda members: record_of(members, json.dumps({"schema_version": 99}).encode()), "newer Atelier"),
        (lambda members: members.update({"library.json": b"["}), "damaged or was changed"),
        (lambda members: members.update({"library.json": b"[" * 200_000}), "damaged or was changed"),
        (listed(lambda values: values.update(version=9)), "newer Atelier"),
        (listed(lambda values: values.update(creations=[])), "no export of a library"),
        (listed(lambda values: values["creations"].append(first(values))), "damaged or was changed"),
        (listed(lambda values: first(values).update(file="gone.png")), "damaged or was changed"),
        (listed(lambda values: first(values)["companions"].update({"../up.png": first(values)["file"]})), "damaged or was changed"),
        (listed(lambda values: first(values).update(star="yes")), "damaged or was changed"),
        (listed(lambda values: first(values).update(title="t" * 300)), "Name is 300 characters long"),
        (lambda members: members.clear(), "no export of a library"),
    ],
)
def test_of_a_damaged_zip_nothing_is_taken(other: Library, export: Path, change: Callable[[dict[str, bytes]], object], words: str) -> None:
    with pytest.raises(StudioError, match=words) as refused:
        other.incoming.bring(changed(export, change))
    assert "\n" not in str(refused.value)
    assert untouched(other)


def untouched(library: Library) -> bool:
    return library.list() == () and not [file for file in (library.home / "objects").rglob("*") if file.is_file()]


@pytest.mark.parametrize(
    "name", ["../../up.txt", "/etc/passwd", "C:\\evil.txt", "a\\..\\b", "a/../../b", "c:evil", "n" * 500, "a\u202eb", "x\n"]
)
def test_a_name_that_leads_elsewhere_is_refused(other: Library, export: Path, name: str) -> None:
    with pytest.raises(InvalidInput, match="name leads elsewhere"):
        other.incoming.bring(changed(export, more={name: b"x"}))
    assert untouched(other)


def test_two_files_of_one_name_are_refused(other: Library, export: Path) -> None:
    with pytest.raises(InvalidInput, match="two files of one name"):
        other.incoming.bring(changed(export, more={"readme.TXT": b"x"}))
    with pytest.raises(InvalidInput, match="two files of one name"):
        other.incoming.bring(changed(export, lambda members: members.pop("readme.TXT"), more={"library.json": b"{}"}))
    assert untouched(other)


def test_links_locked_files_and_bombs_are_refused(other: Library, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = export.read_bytes()
    with zipfile.ZipFile(export, "a") as out:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        out.writestr(link, "/etc/passwd")
    with pytest.raises(InvalidInput, match="link to another file"):
        other.incoming.bring(export)
    export.write_bytes(whole)
    with zipfile.ZipFile(export, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as out:
        out.writestr("zeros.txt", bytes(90 << 20))
    with pytest.raises(InvalidInput, match="far larger than it is"):
        other.incoming.bring(export)
    monkeypatch.setattr(incoming, "LARGEST", 1 << 20)
    with pytest.raises(InvalidInput, match="larger than 1 MB"):
        other.incoming.bring(export)
    export.write_bytes(whole.replace(b"PK\x01\x02\x14\x03\x14\x00\x00\x00", b"PK\x01\x02\x14\x03\x14\x00\x01\x00"))
    with pytest.raises(InvalidInput, match="locked by a password"):
        other.incoming.bring(export)
    assert untouched(other)


def test_what_is_no_zip_is_said_so(other: Library, tmp_path: Path) -> None:
    for data in (b"", b"PK\x03\x04", b"no zip at all" * 100, png()[0]):
        (tmp_path / "any.zip").write_bytes(data)
        with pytest.raises(InvalidInput, match="damaged"):
            other.incoming.bring(tmp_path / "any.zip")
    with pytest.raises(InvalidInput, match="cannot be read"):
        other.incoming.bring(tmp_path / "none.zip")


@pytest.mark.thorough
def test_any_flipped_byte_is_noticed_or_changes_nothing_that_counts(other: Library, three: list[Creation], export: Path) -> None:
    whole = bytearray(export.read_bytes())
    for place in range(11, len(whole), len(whole) // 40):
        export.write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        try:
            ids = other.incoming.bring(export).ids
        except StudioError:
            assert untouched(other)
            continue
        for id in ids:
            came = other.get(id)
            assert came.path.read_bytes() in [one.path.read_bytes() for one in three]
        other.shelf.trash(ids)
        other.shelf.empty_trash()


def test_a_full_disk_leaves_nothing_behind(other: Library, export: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = other._store
    put, count = store.put, [0]

    def full(name: str, data: bytes) -> None:
        count[0] += 1
        if count[0] == 4:
            raise StorageFull("The disk is full.")
        put(name, data)

    monkeypatch.setattr(store, "put", full)
    with pytest.raises(StorageFull):
        other.incoming.bring(export)
    assert count[0] == 4
    assert untouched(other)


def test_a_private_export_and_too_many_are_refused(library: Library, other: Library, three: list[Creation], tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="not a private one"):
        other.incoming.bring(packed(library, three, tmp_path / "bare.zip", private=True))
    with pytest.raises(InvalidInput, match="holds 3 creations; 2 are the most here"):
        other.incoming.bring(packed(library, three, tmp_path / "whole.zip"), most=2)
    assert untouched(other)


def test_what_came_in_a_zip_is_no_proof_that_it_was_made_here(
    library: Library, other: Library, three: list[Creation], export: Path
) -> None:
    other.incoming.bring(export)
    identity = Identity.open(Settings(home=other.home))
    (found,) = [one for one in origin.examine(three[0].path, other, identity).findings if one.layer == "Library"]
    assert (found.sure, "came in a zip" in found.words) == ("claim", True)
    assert other.shelf.came(three[0].id)
    assert not library.shelf.came(three[0].id)
    with pytest.raises(NotFound):
        other.get(three[0].id, "ana")


def test_the_command_takes_a_zip_in(export: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["--home", str(tmp_path / "new"), "import", str(export)])
    assert (done.exit_code, done.stdout) == (0, "3 creations came into the library.\n")
    refused = CliRunner().invoke(app, ["--home", str(tmp_path / "new"), "import", str(tmp_path)])
    assert refused.exit_code == 1
    assert refused.stderr.count("\n") == 1
