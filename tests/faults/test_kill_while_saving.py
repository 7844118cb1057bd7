"""Saving, killed or failed at any point: no corrupt file, no row without its file, nothing left over after the next start."""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import random
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from studio import fsck
from studio.errors import StorageFull, StudioError
from studio.library import Library
from studio.provenance.pictures import read_record
from tests.faults.saving import counted, save_many, save_on_and_on, save_one, save_until_call, sort_on_and_on, take_in_and_stay
from tests.samples import png

KILLS = 24
KILLS_WHILE_SORTING = 8

# Children start from a server that has the imports done: 30 ms each instead of a second.
processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.faults.saving"])


def sound(home: Path) -> int:
    """Open the home once more and hold everything in it against everything else; returns how many creations it has."""
    library = Library(home)
    found = library.list(limit=100_000)
    for creation in found:
        data = creation.path.read_bytes()
        assert hashlib.sha256(data).hexdigest() == creation.path.stem
        made = read_record(data)
        assert made is not None
        assert made.model_dump(mode="json") == creation.record
        assert creation.attachments["drawing.svg"].read_bytes().startswith(b"<svg>")
    assert rows(home, "SELECT count(*) FROM creations WHERE trashed = ''") == len(found)
    assert rows(home, "SELECT count(*) FROM jobs WHERE state IN ('queued', 'running')") == 0
    assert len(list((home / "tmp").iterdir())) == 1  # the lock of the library just opened
    library.close()
    assert list((home / "tmp").iterdir()) == []
    return len(found)


def rows(home: Path, question: str) -> int:
    index = sqlite3.connect(home / "library.sqlite")
    try:
        return index.execute(question).fetchone()[0]
    finally:
        index.close()


def objects(home: Path) -> list[Path]:
    return [file for file in (home / "objects").rglob("*") if file.is_file()]


def hour_passes(home: Path) -> None:
    for file in objects(home):
        os.utime(file, (time.time() - 4000, time.time() - 4000))


def test_killed_at_random_while_saving_nothing_is_corrupt_and_nothing_half_there(home: Path) -> None:
    chance = random.Random(7)
    for _ in range(KILLS):
        ready = processes.Event()
        child = processes.Process(target=save_on_and_on, args=(home, ready))
        child.start()
        assert ready.wait(60)
        time.sleep(chance.uniform(0, 0.06))
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL
    hour_passes(home)
    kept = sound(home)
    assert kept >= KILLS
    assert fsck.check(home) == ()
    assert len(objects(home)) <= 2 * kept
    assert rows(home, "SELECT count(*) FROM jobs WHERE state = 'interrupted'") > 0


def test_killed_at_random_while_sorting_every_creation_is_whole_or_gone(home: Path) -> None:
    chance = random.Random(11)
    for _ in range(KILLS_WHILE_SORTING):
        ready = processes.Event()
        child = processes.Process(target=sort_on_and_on, args=(home, ready))
        child.start()
        assert ready.wait(60)
        time.sleep(chance.uniform(0, 0.06))
        child.kill()
        child.join()
    hour_passes(home)
    kept = sound(home)
    trashed = rows(home, "SELECT count(*) FROM creations WHERE trashed <> ''")
    assert rows(home, "SELECT count(*) FROM creations") == rows(home, "SELECT count(*) FROM search") == kept + trashed
    assert rows(home, "SELECT count(*) FROM tags WHERE creation NOT IN (SELECT seq FROM creations)") == 0
    assert len(objects(home)) <= 2 * (kept + trashed)
    assert fsck.check(home) == ()


def test_killed_at_each_system_call_of_a_save_the_home_recovers(home: Path) -> None:
    Library(home).close()
    kept, point = 0, 0
    while True:
        point += 1
        child = processes.Process(target=save_until_call, args=(home, point))
        child.start()
        child.join()
        hour_passes(home)
        now = sound(home)
        assert now - kept in (0, 1)
        assert len(objects(home)) == 2 * now
        kept = now
        if child.exitcode == 0:
            break
    assert point > 15
    assert fsck.check(home) == ()
    assert rows(home, "SELECT count(*) FROM jobs WHERE state = 'interrupted'") > 10


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_with_each_system_call_of_a_save_failing_nothing_is_left_and_the_next_save_works(
    home: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def fail() -> None:
        raise OSError(code, os.strerror(code))

    library, point, refusals = Library(home), 0, 0
    while True:
        point += 1
        data, made = png(seed=point)
        kept = library.list(limit=1000)
        with monkeypatch.context() as patch:
            counted(fail, point, patch.setattr)
            try:
                library.keep(data, ".png", made, attachments={"drawing.svg": b"<svg>%d</svg>" % point})
            except StudioError as error:
                assert (type(error) is StorageFull) == (code == errno.ENOSPC)  # noqa: PT017  which call fails here is found by trying
                refusals += 1
            else:
                break
        assert library.list(limit=1000) == kept
        assert len(objects(home)) == 2 * len(kept)
        assert [file.name for file in (home / "tmp").rglob("*.part")] == []
        save_one(library, 1000 + point)
    assert refusals == point - 1 > 10
    library.close()
    assert sound(home) == point


def test_files_of_a_run_stay_while_its_process_lives_and_are_swept_when_it_was_killed(home: Path, tmp_path: Path) -> None:
    upload = tmp_path / "photo.png"
    upload.write_bytes(b"a photo")
    library = Library(home)
    data, made = png()
    gone = library.keep(data, ".png", made)
    ready = processes.Event()
    child = processes.Process(target=take_in_and_stay, args=(home, [str(upload), f"sha256:{gone.path.stem}"], ready))
    child.start()
    assert ready.wait(60)
    library.shelf.trash([gone.id])
    library.shelf.purge([gone.id])
    library.originals.let_go([library.originals.take_in(str(upload))[1]])
    library.close()
    held = list((home / "tmp").glob("*/*/*"))
    for file in held:
        os.utime(file, (time.time() - 4000, time.time() - 4000))
    Library(home).close()
    assert objects(home) == []
    assert {file.read_bytes() for file in held} == {b"a photo", data}
    child.kill()
    child.join()
    assert sound(home) == 0
    assert fsck.check(home) == ()


def test_two_processes_save_into_one_home(home: Path) -> None:
    children = [processes.Process(target=save_many, args=(home, first, 50)) for first in (0, 1000)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    assert rows(home, "SELECT count(*) FROM jobs WHERE state = 'done'") == 100
    assert sound(home) == 100
    assert len(objects(home)) == 200
