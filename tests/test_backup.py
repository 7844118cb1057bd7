"""The backup: a home that opens as the one it was made of, also when the studio goes on meanwhile."""

from __future__ import annotations

import os
import shutil
import sqlite3
import zipfile
from collections import namedtuple
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from studio import backup as module
from studio import fsck
from studio.__main__ import app
from studio.admission import Admission
from studio.backup import backup
from studio.errors import InvalidInput, NotFound, StorageFull, StudioError
from studio.library import Library
from studio.shelf import Filter
from studio.tasks import Write
from tests.samples import png, record


@pytest.fixture
def library(home: Path) -> Library:
    library = Library(home)
    data, made = png()
    picture = library.keep(data, ".png", made, attachments={"drawing.svg": b"<svg/>"})
    library.keep(b"words", ".txt", record("a tale"), text="words", session="guest")
    library.shelf.tag([picture.id], add=["autumn"])
    library.journal.begin(Write.checked({"prompt": "a tale"}), "M")
    (home / "sets" / "mine").mkdir(parents=True)
    (home / "sets" / "mine" / "cat.png").write_bytes(b"cat")
    (home / "thumbs").mkdir()
    (home / "thumbs" / "x.webp").write_bytes(b"made again")
    return library


def unzipped(file: Path, folder: Path) -> Path:
    with zipfile.ZipFile(file) as opened:
        opened.extractall(folder)
    return folder


def test_a_backup_of_a_running_studio_is_that_home_again(tmp_path: Path, home: Path, library: Library) -> None:
    made = backup(home, tmp_path / "b.zip")
    assert (made.creations, made.files, made.lacking) == (2, 3, ())
    assert made.bytes == (tmp_path / "b.zip").stat().st_size
    assert [file.name for file in tmp_path.glob("*b*") if file.name != "b.zip"] == []
    again = unzipped(tmp_path / "b.zip", tmp_path / "again")
    assert {entry.name for entry in again.iterdir()} == {"library.sqlite", "objects", "sets", "README.txt"}
    assert fsck.check(again) == ()
    assert (again / "sets" / "mine" / "cat.png").read_bytes() == b"cat"
    other = Library(again)
    assert other.list() != ()
    assert [(each.id, each.path.read_bytes(), each.text) for each in other.list()] == [
        (each.id, each.path.read_bytes(), each.text) for each in library.list()
    ]
    assert other.shelf.page(Filter(words="autumn")) == library.shelf.page(Filter(words="autumn")) != ()
    assert [job.state for job in other.journal.jobs()] == ["interrupted"]
    assert [job.state for job in library.journal.jobs()] == ["queued"]


def test_blocks_and_pauses_are_in_it_as_they_are_at_that_moment(tmp_path: Path, home: Path, library: Library) -> None:
    door = Admission(home, runs=3, secret=b"k")
    door.begun("ana", "1.2.3.4")
    door.block("bo")
    door.pause(True)
    assert (home / "admission.sqlite-wal").stat().st_size, "what was written last lies beside the file"
    backup(home, tmp_path / "b.zip")
    door.unblock("bo")
    door.close()
    again = unzipped(tmp_path / "b.zip", tmp_path / "again")
    assert not list(again.glob("admission.sqlite-*"))
    kept = Admission(again, runs=3, secret=b"k")
    assert kept.paused and list(kept.blocked()) == ["bo"] and kept.left("ana").runs == 2
    kept.close()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_a_backup_is_its_owners_alone(tmp_path: Path, home: Path, library: Library) -> None:
    backup(home, tmp_path / "b.zip")
    assert (tmp_path / "b.zip").stat().st_mode & 0o077 == 0


def test_what_is_forgotten_while_the_backup_is_made_is_not_in_it(
    tmp_path: Path, home: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = module._objects

    def and_then_a_guest_leaves(copy: Path) -> list[str]:
        names = objects(copy)
        library.forget_session("guest")
        return names

    monkeypatch.setattr(module, "_objects", and_then_a_guest_leaves)
    made = backup(home, tmp_path / "b.zip")
    assert (made.creations, made.files, made.lacking) == (1, 2, ())
    assert fsck.check(unzipped(tmp_path / "b.zip", tmp_path / "again")) == ()


def test_a_save_while_the_backup_is_made_does_not_disturb_it(
    tmp_path: Path, home: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    require = module._require

    def and_then_a_save(*given: Any) -> None:
        require(*given)
        library.keep(b"later", ".txt", record(), text="later")

    monkeypatch.setattr(module, "_require", and_then_a_save)
    assert backup(home, tmp_path / "b.zip").creations == 2
    assert fsck.check(unzipped(tmp_path / "b.zip", tmp_path / "again")) == ()
    assert len(library.list()) == 3


def test_files_that_are_gone_or_changed_are_named(tmp_path: Path, home: Path, library: Library) -> None:
    text, picture = library.list()
    picture.path.unlink()
    text.path.write_bytes(b"other words")
    result = CliRunner().invoke(app, ["--home", str(home), "backup", str(tmp_path / "b.zip")])
    assert result.exit_code == 1
    assert result.output.startswith("2 creations in 1 file,")
    assert result.output.count("is gone or was changed") == 2
    assert picture.path.name in result.output
    assert text.path.name in result.output
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        assert file.read(f"objects/{text.path.name[:2]}/{text.path.name}") == b"other words"


def test_the_command_says_what_it_wrote(tmp_path: Path, home: Path, library: Library) -> None:
    result = CliRunner().invoke(app, ["--home", str(home), "backup", str(tmp_path / "b.zip")])
    assert (result.exit_code, result.output.partition(",")[0]) == (0, "2 creations in 3 files")


def test_what_cannot_be_written_is_refused_and_leaves_nothing(
    tmp_path: Path, home: Path, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there.zip").write_bytes(b"older")
    with pytest.raises(InvalidInput, match="already"):
        backup(home, tmp_path / "there.zip")
    assert (tmp_path / "there.zip").read_bytes() == b"older"
    with pytest.raises(InvalidInput, match="no folder"):
        backup(home, tmp_path / "nowhere" / "b.zip")
    with pytest.raises(NotFound, match="no library"):
        backup(tmp_path / "empty", tmp_path / "b.zip")
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12 - 200_000_000, 200_000_000))
        with pytest.raises(StorageFull, match="no room for the backup"):
            backup(home, tmp_path / "b.zip")
    with monkeypatch.context() as patch:
        patch.setattr(module, "_pack", full)
        with pytest.raises(StorageFull, match="The disk is full"):
            backup(home, tmp_path / "b.zip")
    with monkeypatch.context() as patch:
        patch.setattr(zipfile.ZipFile, "testzip", lambda self: "library.sqlite")
        with pytest.raises(StudioError, match="did not read back"):
            backup(home, tmp_path / "b.zip")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["home", "there.zip"]


def full(*_: object) -> bool:
    raise OSError(28, "No space left on device")


def test_a_link_in_the_home_is_not_followed(tmp_path: Path, home: Path, library: Library) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_text("elsewhere")
    (home / "link").symlink_to(tmp_path / "secret")
    (home / "sets" / "link").symlink_to(tmp_path / "secret" / "file")
    backup(home, tmp_path / "b.zip")
    with zipfile.ZipFile(tmp_path / "b.zip") as file:
        assert not [name for name in file.namelist() if "link" in name or "secret" in name]


def test_the_copied_index_is_one_file_of_its_own(tmp_path: Path, home: Path, library: Library) -> None:
    backup(home, tmp_path / "b.zip")
    index = sqlite3.connect(unzipped(tmp_path / "b.zip", tmp_path / "again") / "library.sqlite")
    assert index.execute("SELECT count(*) FROM creations").fetchone() == (2,)
    index.close()
