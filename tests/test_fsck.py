"""The check of a library: each kind of damage is found, said in a sentence, and repaired where that loses nothing."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from studio import fsck
from studio.__main__ import app
from studio.creations import Creation
from studio.errors import Busy, NotFound, StudioError
from studio.library import Library
from studio.shelf import Filter
from tests.samples import png, record


@pytest.fixture
def kept(home: Path) -> Creation:
    """The picture of a library that also has a text, and is closed."""
    library = Library(home)
    data, made = png()
    creation = library.keep(data, ".png", made, attachments={"drawing.svg": b"<svg/>"})
    text = library.keep(b"words", ".txt", record("a tale"), text="words")
    library.shelf.rename(creation.id, "Old apple")
    library.shelf.tag([creation.id, text.id], add=["both", "autumn"])
    library.close()
    return creation


def change(home: Path, *statements: str) -> None:
    with sqlite3.connect(home / "library.sqlite") as index:
        for statement in statements:
            index.execute(statement)
    index.close()


def run(home: Path, *options: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["--home", str(home), "fsck", *options])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def whole(home: Path) -> bool:
    return fsck.check(home) == ()


def test_a_whole_library_is_said_to_be_whole_while_it_is_open_too(home: Path, kept: Creation) -> None:
    assert run(home) == run(home, "--repair") == (0, "The library is whole\n")
    library = Library(home)
    assert run(home) == (0, "The library is whole\n")
    library.close()


def test_a_file_that_is_gone_is_found_and_its_creation_flagged(home: Path, kept: Creation) -> None:
    data = kept.path.read_bytes()
    kept.path.unlink()
    status, words = run(home)
    assert (status, words) == (1, f"1 file gone from the disk: {kept.path.name}: put back their files from a backup\n")
    assert run(home, "--repair")[1].endswith("flagged their creations, which stay on the shelf without them\n")
    assert run(home, "--repair")[0] == 1
    change(home, "UPDATE starts SET day = '2000-01-01'")
    index = sqlite3.connect(home / "library.sqlite")
    assert index.execute("SELECT missing FROM creations ORDER BY seq").fetchall() == [(1,), (0,)]
    index.close()
    kept.path.write_bytes(data)
    Library(home).close()
    assert whole(home)


def test_a_file_that_was_changed_is_found_and_left_alone(home: Path, kept: Creation) -> None:
    kept.attachments["drawing.svg"].write_bytes(b"<svg>edited</svg>")
    for options in ((), ("--repair",)):
        status, words = run(home, *options)
        assert (status, words.partition(":")[0]) == (1, "1 file changed since")
    assert kept.attachments["drawing.svg"].read_bytes() == b"<svg>edited</svg>"


def test_files_that_no_creation_names_are_moved_aside_and_never_removed(home: Path, kept: Creation) -> None:
    (home / "objects" / "zz").mkdir()
    strays = [home / "objects" / place for place in ("zz/notes.txt", "notes.txt", f"zz/{kept.path.name}")]
    young = home / "objects" / "zz" / "young.png"
    for file in (*strays, young):
        file.write_text(str(file))
    for file in strays:
        os.utime(file, (time.time() - 4000, time.time() - 4000))
    status, words = run(home)
    assert (status, words.partition(":")[0]) == (1, "3 files that no creation names")
    assert run(home, "--repair")[0] == 0
    assert {file.read_text() for file in (home / "lost+found").iterdir()} == {str(file) for file in strays}
    assert young.exists()
    assert kept.path.exists()
    assert whole(home)


def test_rows_about_nothing_are_forgotten(home: Path, kept: Creation) -> None:
    change(
        home,
        "PRAGMA foreign_keys = OFF",
        "INSERT INTO attachments (creation, name, object, bytes) SELECT 'gone', name, object, bytes FROM attachments",
        "INSERT INTO tags (creation, tag) VALUES (999, 'lost')",
        "INSERT INTO origins (creation, parent) VALUES (999, 'lost')",
    )
    assert run(home) == (1, "3 rows of the index about creations or documents that are gone: run this again with --repair\n")
    assert run(home, "--repair") == (0, "3 rows of the index about creations or documents that are gone: forgot them\n")
    assert whole(home)
    library = Library(home)
    assert set(library.get(kept.id).attachments) == {"drawing.svg"}
    assert library.shelf.item(kept.id).tags == ("autumn", "both")


def test_a_search_out_of_step_is_filled_anew(home: Path, kept: Creation) -> None:
    change(
        home,
        "DELETE FROM search WHERE rowid = 1",
        "UPDATE search SET text = 'other words' WHERE rowid = 2",
        "INSERT INTO search (rowid, title) VALUES (77, 'ghost')",
    )
    assert run(home)[1].startswith("The search is out of step with 3 creations: run this again")
    assert run(home, "--repair") == (0, "The search is out of step with 3 creations: filled it anew\n")
    assert whole(home)
    library = Library(home)
    for words, count in (("old apple", 1), ("autumn", 2), ("tale words", 1), ("ghost", 0), ("other", 0)):
        assert library.shelf.count(Filter(words=words)) == count, words


# What cannot be checked is said in one sentence


def test_an_index_that_is_damaged_inside_is_found(home: Path, kept: Creation) -> None:
    library = Library(home)
    for number in range(60):
        library.keep(b"%d" % number, ".txt", record("long " * 300), text=f"{number} " * 100)
    library.close()
    file = home / "library.sqlite"
    data = bytearray(file.read_bytes())
    for page in range(8, len(data) // 4096 - 2, 5):
        data[page * 4096 : page * 4096 + 600] = b"\xa5" * 600
    file.write_bytes(data)
    before = file.read_bytes()
    for options in ((), ("--repair",)):
        status, words = run(home, *options)
        assert status == 1
        assert "index is damaged" in words
        assert words.count("\n") == 1
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("damage", "kind", "words"),
    [
        ("none", NotFound, "no library in this folder"),
        ("garbage", StudioError, "index is damaged"),
        ("newer", StudioError, "newer Atelier"),
        ("older", StudioError, "earlier Atelier"),
        ("unreadable", StudioError, "may not write into its home folder"),
        ("locked", Busy, "try again in a moment"),
    ],
)
def test_a_library_that_cannot_be_checked_says_why(
    home: Path, kept: Creation, monkeypatch: pytest.MonkeyPatch, damage: str, kind: type[StudioError], words: str
) -> None:
    file = home / "library.sqlite"
    held = None
    if damage == "none":
        file.unlink()
    elif damage == "garbage":
        file.write_bytes(b"garbage, " * 1000)
    elif damage in ("newer", "older"):
        change(home, f"PRAGMA user_version = {99 if damage == 'newer' else 1}")
    elif damage == "locked":
        monkeypatch.setattr("studio.index.BUSY_TIMEOUT", 0.05)
        held = sqlite3.connect(file)
        held.execute("PRAGMA locking_mode = EXCLUSIVE")
        held.execute("BEGIN EXCLUSIVE")
    else:
        monkeypatch.setattr(sqlite3, "connect", refusing)
    with pytest.raises(kind, match=words):
        fsck.check(home)
    status, said = run(home, "--repair")
    assert (status, said.count("\n")) == (1, 1)
    assert str(home) not in said
    if held is not None:
        held.close()


def refusing(*_: Any, **__: Any) -> sqlite3.Connection:
    error = sqlite3.OperationalError("unable to open database file")
    error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
    raise error


def test_a_home_that_may_not_be_written_is_not_repaired(home: Path, kept: Creation, monkeypatch: pytest.MonkeyPatch) -> None:
    change(home, "DELETE FROM search")
    opened = os.open

    def refuse(file: Any, flags: int, *more: int) -> int:
        if flags & os.O_CREAT:
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(file, flags, *more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(StudioError, match="may not write into its home folder"):
        fsck.check(home, repair=True)
