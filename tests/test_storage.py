"""Files that are there completely or not at all, and the index that names them."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
import threading
import time
from collections import namedtuple
from pathlib import Path

import pytest

from studio import storage
from studio.errors import Busy, StorageFailed, StorageFull, StudioError
from studio.index import Index
from studio.storage import Store, locked, new_id

TABLE = "CREATE TABLE things (name TEXT)"


def test_ids_are_26_characters_that_sort_by_time_and_never_repeat(monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {len(each) for each in ids} == {26}
    moments = iter([1, 2, 2**47])
    monkeypatch.setattr(storage.time, "time_ns", lambda: next(moments) * 1_000_000)
    early, later, last = (new_id() for _ in range(3))
    assert early < later < last


def test_an_object_is_named_by_its_content_and_leaves_no_part(home: Path) -> None:
    store = Store(home)
    name = store.name(b"apple", ".png")
    store.put(name, b"apple")
    assert name == hashlib.sha256(b"apple").hexdigest() + ".png"
    assert store.path(name) == home / "objects" / name[:2] / name
    assert store.path(name).read_bytes() == b"apple"
    assert [file.name for file in (home / "tmp" / store.run).iterdir()] == ["lock"]
    store.close()
    assert list((home / "tmp").iterdir()) == []


def test_putting_an_object_again_heals_an_edited_file(home: Path) -> None:
    store = Store(home)
    name = store.name(b"apple", ".png")
    store.put(name, b"apple")
    store.path(name).write_bytes(b"worm")
    store.put(name, b"apple")
    assert store.path(name).read_bytes() == b"apple"


@pytest.mark.parametrize("suffix", ["", "png", ".PNG", "./x", ".a b", ".toolongsuffix"])
def test_a_suffix_that_is_none_is_a_bug(home: Path, suffix: str) -> None:
    with pytest.raises(ValueError, match="no file suffix"):
        Store(home).name(b"", suffix)


def test_a_nearly_full_disk_is_refused_before_anything_is_written(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(home)
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12 - 250_000_000, 250_000_000))
    store.require(25_000_000)
    with pytest.raises(StorageFull, match=r"nearly full: free 10 MB"):
        store.require(30_000_000)


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ENOSPC, StorageFull, "full"),
        (errno.EDQUOT, StorageFull, "full"),
        (errno.EACCES, StorageFailed, "may not write"),
        (errno.EROFS, StorageFailed, "may not write"),
        (errno.EIO, StorageFailed, "refused to save"),
    ],
)
def test_a_disk_that_refuses_leaves_no_part(
    home: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[StudioError], words: str
) -> None:
    store = Store(home)
    wrote = os.write

    def half(descriptor: int, data: bytes) -> int:
        if len(data) < 500:
            raise OSError(code, os.strerror(code))
        return wrote(descriptor, data[:300])

    monkeypatch.setattr(os, "write", half)
    with pytest.raises(kind, match=words) as refusal:
        store.put(store.name(bytes(1000), ".png"), bytes(1000))
    assert type(refusal.value) is kind
    assert str(home) not in str(refusal.value)
    assert store.names() == set()
    assert [file.name for file in (home / "tmp" / store.run).iterdir()] == ["lock"]


def test_what_dead_runs_left_is_swept_and_the_living_are_left_alone(home: Path) -> None:
    living, dead = Store(home), Store(home)
    for store in (living, dead):
        (home / "tmp" / store.run / "x.part").write_bytes(b"half")
    os.close(dead._alive)  # as the system does when a process dies
    (home / "tmp" / "stray").write_bytes(b"")
    (home / "tmp" / "link").symlink_to(home / "objects")
    third = Store(home)
    assert set(third.sweep_parts()) == {living.run, third.run}
    assert (home / "tmp" / living.run / "x.part").exists()
    assert {entry.name for entry in (home / "tmp").iterdir()} == {living.run, third.run}
    assert (home / "objects").is_dir()


def test_what_is_held_stays_without_its_object_until_it_is_let_go_or_the_run_ends(home: Path) -> None:
    store = Store(home)
    name = store.name(b"apple", ".png")
    store.put(name, b"apple")
    one, two, own = store.hold(name), store.hold(name, b"apple"), store.hold(store.name(b"pear", ".png"), b"pear")
    assert one != two
    assert one.name == two.name == name
    store.drop(name)
    assert [held.read_bytes() for held in (one, two, own)] == [b"apple", b"apple", b"pear"]
    assert store.names() == set()
    store.let_go(one)
    store.let_go(one)
    store.let_go(home / "tmp" / store.run / "lock")
    assert [held.exists() for held in (one, two)] == [False, True]
    with pytest.raises(FileNotFoundError):
        store.hold(name)
    assert len(list((home / "tmp" / store.run).iterdir())) == 3
    store.close()
    assert list((home / "tmp").iterdir()) == []


def test_a_disk_that_refuses_to_hold_leaves_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(home)

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(StorageFull):
        store.hold(store.name(b"apple", ".png"), b"apple")
    assert [file.name for file in (home / "tmp" / store.run).iterdir()] == ["lock"]


def test_a_lock_lets_one_in_at_a_time(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        for _ in range(20):
            with locked(tmp_path / "lock"):
                inside += 1
                time.sleep(0.001)
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


# The index


def _nothing_after(connection: sqlite3.Connection) -> int:
    connection.execute("INSERT INTO things VALUES ('lost')")
    return 0


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    index = Index(tmp_path / "i.sqlite", [TABLE])
    with index.transaction() as connection:
        connection.execute("INSERT INTO things VALUES ('kept')")
    with pytest.raises(ZeroDivisionError), index.transaction() as connection:
        connection.execute("INSERT INTO things VALUES (?)", (1 / _nothing_after(connection),))
    assert [row["name"] for row in index.rows("SELECT * FROM things")] == ["kept"]


def test_steps_bring_an_older_file_up_to_date_and_keep_its_rows(tmp_path: Path) -> None:
    file = tmp_path / "i.sqlite"
    old = Index(file, [TABLE])
    with old.transaction() as connection:
        connection.execute("INSERT INTO things VALUES ('apple')")
    old.close()
    new = Index(file, [TABLE, "ALTER TABLE things ADD COLUMN star INTEGER NOT NULL DEFAULT 0", "CREATE TABLE tags (name TEXT)"])
    assert [tuple(row) for row in new.rows("SELECT name, star FROM things")] == [("apple", 0)]
    assert new.rows("PRAGMA user_version")[0][0] == 3


def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "i.sqlite"
    Index(file, [TABLE]).close()
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        Index(file, [TABLE, "CREATE TABLE tags (name TEXT); INSERT INTO nowhere VALUES (1)"])
    index = Index(file, [TABLE])
    assert index.rows("PRAGMA user_version")[0][0] == 1
    assert index.rows("SELECT name FROM sqlite_master WHERE name = 'tags'") == []


def test_an_index_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "i.sqlite"
    Index(file, [TABLE, "CREATE TABLE tags (name TEXT)"]).close()
    with pytest.raises(StudioError, match="newer Atelier"):
        Index(file, [TABLE])


def test_a_damaged_index_is_named_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "i.sqlite"
    file.write_bytes(b"not a database, " * 300)
    with pytest.raises(StudioError, match="index is damaged"):
        Index(file, [TABLE])


def test_an_index_that_stays_locked_asks_to_try_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.index.BUSY_TIMEOUT", 0.05)
    index = Index(tmp_path / "i.sqlite", [TABLE])
    other = sqlite3.connect(tmp_path / "i.sqlite")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy, match="try again"), index.transaction():
        raise AssertionError("the lock was not kept")
    other.close()
    with index.transaction() as connection:
        connection.execute("INSERT INTO things VALUES ('after')")


def test_a_full_disk_under_the_index_is_a_full_disk(tmp_path: Path) -> None:
    index = Index(tmp_path / "i.sqlite", [TABLE])
    index.rows("PRAGMA max_page_count = 3")
    with pytest.raises(StorageFull), index.transaction() as connection:
        connection.execute("INSERT INTO things VALUES (?)", ("x" * 100_000,))
    assert index.rows("SELECT * FROM things") == []
