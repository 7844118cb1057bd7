"""Files a run was given: they stay as long as it lasts, whatever becomes of the creation they are, and leave nothing behind."""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.creations import Creation
from studio.errors import MediaUnreadable, NotFound, StorageFull
from studio.library import Library
from studio.originals import Originals
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Inpaint
from tests.samples import png


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    file = tmp_path / "Some Photo.JPG"
    file.write_bytes(b"a photo")
    return file


def saved(library: Library, seed: int = 1, owner: str = "local", session: str = "") -> Creation:
    data, made = png(seed=seed)
    return library.keep(data, ".png", made, owner=owner, session=session)


def purged(library: Library, creation: Creation) -> None:
    library.shelf.trash([creation.id])
    assert library.shelf.purge([creation.id]) == (creation.id,)


def lying(home: Path) -> list[Path]:
    """All that a home holds of files, beside its index and locks."""
    return [file for folder in ("objects", "tmp") for file in (home / folder).rglob("*") if file.is_file() and file.name != "lock"]


def hours_pass(home: Path) -> None:
    for file in lying(home):
        os.utime(file, (time.time() - 8000, time.time() - 8000))


# They stay


@pytest.mark.parametrize("by", ["reference", "path"])
def test_a_file_in_use_outlives_the_creation_it_is(home: Path, library: Library, by: str) -> None:
    creation = saved(library)
    data, reference = creation.path.read_bytes(), f"sha256:{creation.path.stem}"
    named, path = library.originals.take_in(reference if by == "reference" else str(creation.path))
    assert (named, path.name) == (reference, creation.path.name)
    purged(library, creation)
    assert not creation.path.exists()
    assert path.read_bytes() == data
    again = library.keep(b"made of it", ".txt", png()[1], text="made of it", attachments={"image.png": path.read_bytes()})
    library.originals.let_go([path])
    assert again.attachments["image.png"].read_bytes() == data
    assert {file.name for file in lying(home)} == {again.path.name, path.name}


def test_a_file_in_use_outlives_the_session_it_is_of(home: Path, library: Library) -> None:
    creation = saved(library, owner="guest", session="one")
    data = creation.path.read_bytes()
    _, path = library.originals.take_in(f"sha256:{creation.path.stem}", "guest")
    assert library.forget_session("one") == 1
    assert path.read_bytes() == data
    library.originals.let_go([path])
    assert lying(home) == []


def test_an_edit_ends_well_though_its_picture_was_deleted_for_good_meanwhile(tmp_path: Path) -> None:
    studio = Studio.open(Settings(home=tmp_path / "home", cache=tmp_path / "cache", offline=True, device="cpu"))
    mask = np.zeros((64, 96), np.uint8)
    mask[20:28, 24:36] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    creation = saved(studio.library)
    data, running = creation.path.read_bytes(), studio.library.journal.running

    def running_and_deleted(job: str) -> None:
        running(job)
        purged(studio.library, creation)

    studio.library.journal.running = running_and_deleted
    task = Inpaint.checked({"mode": "erase", "seed": 1, "image": str(creation.path), "mask": str(tmp_path / "mask.png")})
    (edited,) = (event for event in studio.run(task) if isinstance(event, Creation))
    assert edited.attachments["image.png"].read_bytes() == data
    assert [each.id for each in studio.library.list()] == [edited.id]
    studio.close()
    assert len(lying(tmp_path / "home")) == 3  # the result, the picture, the mask


def test_what_another_process_lets_go_stays_for_this_one(home: Path, library: Library, upload: Path) -> None:
    _, path = library.originals.take_in(str(upload))
    other = Library(home)
    other.originals.let_go([other.originals.take_in(str(upload))[1]])
    assert path.read_bytes() == b"a photo"
    other.close()
    assert path.read_bytes() == b"a photo"


def test_the_same_file_taken_in_twice_is_let_go_one_by_one(home: Path, library: Library, upload: Path) -> None:
    (first, one), (second, two) = (library.originals.take_in(str(upload)) for _ in range(2))
    assert first == second
    library.originals.let_go([one])
    assert two.read_bytes() == b"a photo"
    library.originals.let_go([two])
    library.originals.let_go([two])
    assert lying(home) == []


def test_no_start_of_another_process_sweeps_what_a_long_run_needs(home: Path, library: Library, upload: Path) -> None:
    creation = saved(library, 2)
    paths = [library.originals.take_in(str(upload))[1], library.originals.take_in(str(creation.path))[1]]
    purged(library, creation)
    hours_pass(home)
    Library(home).close()
    assert all(path.exists() for path in paths)
    library.close()
    assert lying(home) == []


# They take no room and leave nothing


def test_a_file_of_the_library_is_not_written_twice(library: Library) -> None:
    creation = saved(library)
    for named in (f"sha256:{creation.path.stem}", str(creation.path)):
        _, path = library.originals.take_in(named)
        assert path != creation.path
        assert path.samefile(creation.path)
        library.originals.let_go([path])
        assert creation.path.exists()


def test_where_a_disk_has_no_second_names_it_is_copied(home: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    creation = saved(library)
    data = creation.path.read_bytes()
    monkeypatch.setattr(os, "link", refuse)
    _, path = library.originals.take_in(f"sha256:{creation.path.stem}")
    assert not path.samefile(creation.path)
    purged(library, creation)
    assert path.read_bytes() == data
    library.originals.let_go([path])
    assert lying(home) == []


def test_a_run_gets_the_file_it_was_given_though_the_library_s_is_damaged(library: Library, upload: Path) -> None:
    data, made = upload.read_bytes(), png()[1]
    kept = library.keep(b"x", ".txt", made, text="x", attachments={"image.jpg": data})
    kept.attachments["image.jpg"].write_bytes(b"worm")
    assert library.originals.take_in(str(upload))[1].read_bytes() == data


def test_a_full_disk_takes_nothing_in(home: Path, library: Library, upload: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**12, 10**12 - 1000, 1000))
    with pytest.raises(StorageFull, match="nearly full"):
        library.originals.take_in(str(upload))
    assert lying(home) == []
    assert len(list((home / "tmp").rglob("*"))) == 2  # this run's folder and its lock


def test_what_is_gone_is_said(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MediaUnreadable, match="still uploading"):
        library.originals.take_in(str(tmp_path / "gone.png"))
    creation = saved(library)
    reference = f"sha256:{creation.path.stem}"
    with pytest.raises(NotFound, match="choose it again"):
        library.originals.take_in(reference, "ann")
    find = Originals.find

    def found_and_gone(originals: Originals, reference: str, owner: str = "local") -> Path:
        path = find(originals, reference, owner)
        purged(library, creation)
        return path

    monkeypatch.setattr(Originals, "find", found_and_gone)
    with pytest.raises(NotFound, match="choose it again"):
        library.originals.take_in(reference)


def test_only_what_was_handed_out_can_be_let_go(library: Library, upload: Path) -> None:
    creation = saved(library)
    library.originals.let_go([creation.path, upload])
    assert creation.path.exists()
    assert upload.exists()


# The creations they are


def test_creations_are_told_by_their_file_and_mark_within_an_owner_and_a_session(library: Library) -> None:
    data, made = png()
    made = made.model_copy(update={"marks": {"watermark": {"payload": "0abcd"}}})
    reference = f"sha256:{library.keep(data, '.png', made, owner='guest', session='one').path.stem}"
    mine = library.originals.creations([reference], "guest", "one")
    assert mine == library.originals.creations([reference], "guest") == library.originals.marked("0abcd", "guest")
    two = library.keep(data, ".png", made, owner="guest", session="two").id
    assert library.originals.creations([reference, "sha256:no"], "guest") == (two,)
    assert library.originals.creations([reference], "guest", "one") == library.originals.marked("0abcd", "guest", "one") == mine
    assert library.originals.marked("0abcd", "guest") == (two, *mine)
    assert library.originals.creations([reference], "guest", "three") == library.originals.marked("0abcd", "guest", "three") == ()
    assert library.originals.creations([reference]) == library.originals.marked("0abcd") == ()
