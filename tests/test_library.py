"""The library: saving all or nothing, listing, forgetting, drafts, the journal, and older homes."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from studio import library as module
from studio.creations import Creation
from studio.errors import InvalidInput, MediaUnreadable, NotFound, StorageFull, StudioError
from studio.library import Library
from studio.provenance.pictures import read_record
from studio.provenance.record import Record
from studio.tasks import TextToImage, Write
from tests.samples import png, record

TASK = TextToImage.checked({"prompt": "a red apple", "seed": 1})


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


def saved(library: Library, seed: int = 1, **more: Any) -> Creation:
    data, made = png(seed=seed)
    return library.keep(data, ".png", made, **more)


def files(home: Path) -> set[str]:
    return {file.name for file in (home / "objects").rglob("*") if file.is_file()}


def states(home: Path) -> dict[str, str]:
    with sqlite3.connect(home / "library.sqlite") as index:
        found = dict(index.execute("SELECT id, state FROM jobs").fetchall())
    index.close()
    return found


def aged(file: Path) -> None:
    os.utime(file, (time.time() - 4000, time.time() - 4000))


# Saving


def test_a_kept_creation_is_the_same_after_a_restart(home: Path) -> None:
    first = Library(home)
    data, made = png()
    kept = first.keep(data, ".png", made, attachments={"drawing.svg": b"<svg/>", "shares": b"{}"})
    assert first.get(kept.id) == kept
    first.close()
    again = Library(home).get(kept.id)
    assert again == kept
    assert again.path.read_bytes() == data
    assert again.path.name == hashlib.sha256(data).hexdigest() + ".png"
    assert again.attachments["drawing.svg"].read_bytes() == b"<svg/>"
    assert again.attachments["shares"].suffix == ".bin"
    assert again.record == made.model_dump(mode="json")
    assert read_record(again.path) == made


def test_text_is_kept_as_a_file_and_in_the_index(library: Library) -> None:
    words = "Rosen 🌹\nשלום"
    kept = library.keep(words.encode(), ".txt", record(), text=words)
    assert library.get(kept.id).text == words
    assert kept.path.read_text("utf-8") == words


def test_equal_content_is_one_file_until_its_last_creation_goes(home: Path, library: Library) -> None:
    one = library.keep(b"same", ".txt", record(), text="same", session="a")
    two = library.keep(b"same", ".txt", record(), text="same", session="b")
    assert one.path == two.path
    library.forget_session("a")
    assert library.get(two.id).path.read_bytes() == b"same"
    library.forget_session("b")
    assert files(home) == set()


@pytest.mark.parametrize(("data", "suffix"), [(b"no picture", ".png"), (png()[0][:-30], ".png"), (b"RIFF", ".webp")])
def test_bytes_that_do_not_read_back_are_not_kept(home: Path, library: Library, data: bytes, suffix: str) -> None:
    with pytest.raises(MediaUnreadable):
        library.keep(data, suffix, record())
    assert files(home) == set()
    assert library.list() == ()


@pytest.mark.parametrize("name", ["../x.svg", "/etc/x", "a/b.svg", "..", "", "a\\b", "x" * 101])
def test_an_attachment_must_have_a_plain_name(home: Path, library: Library, name: str) -> None:
    with pytest.raises(ValueError, match="no file name"):
        saved(library, attachments={name: b""})
    assert files(home) == set()


def test_a_full_disk_keeps_nothing_and_the_library_goes_on(home: Path, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = saved(library, 1)
    before = files(home)
    with monkeypatch.context() as patch:
        patch.setattr(module.Store, "require", _full)
        with pytest.raises(StorageFull):
            saved(library, 2)
    library._index.rows("PRAGMA max_page_count = 1")
    with pytest.raises(StorageFull):
        library.keep(b"x" * 10, ".txt", record("p" * 4000), text="x" * 500_000)
    library._index.rows("PRAGMA max_page_count = 100000")
    assert files(home) == before
    assert [each.id for each in library.list()] == [kept.id]
    assert saved(library, 3).path.exists()


def _full(*_: object) -> None:
    raise StorageFull("The disk is full.")


def test_a_file_forgotten_while_it_is_saved_again_is_written_again(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    put, seen = module.Store.put, []

    def put_and_lose(store: Any, name: str, data: bytes) -> None:
        put(store, name, data)
        if not seen:
            store.drop(name)  # what a sweep or another session's leaving may do before the row is there
        seen.append(name)

    monkeypatch.setattr(module.Store, "put", put_and_lose)
    assert saved(library).path.exists()
    assert len(seen) == 2


def test_lineage_is_kept_once_each(home: Path, library: Library) -> None:
    made = record().model_copy(update={"parents": ["A", "B"]})
    library.keep(b"x", ".txt", made, text="x", parents=("B", "C"))
    with sqlite3.connect(home / "library.sqlite") as index:
        (parents,) = index.execute("SELECT parents FROM creations").fetchone()
    index.close()
    assert json.loads(parents) == ["A", "B", "C"]


# Finding and forgetting


def test_the_newest_comes_first_in_pages(library: Library) -> None:
    ids = [library.keep(b"%d" % number, ".txt", record(), text="x").id for number in range(7)]
    first = library.list(limit=3)
    second = library.list(limit=3, before=first[-1].id)
    rest = library.list(limit=3, before=second[-1].id)
    assert [each.id for each in (*first, *second, *rest)] == ids[::-1]
    assert library.list(before=ids[0]) == ()
    assert library.list(before="\ud800 no id") == ()


def test_a_page_goes_on_where_a_forgotten_creation_was(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter(range(1, 100))
    monkeypatch.setattr("studio.storage.time.time_ns", lambda: next(moments) * 1_000_000)
    first = library.keep(b"1", ".txt", record(), text="1")
    gone = library.keep(b"2", ".txt", record(), text="2", session="guest")
    library.keep(b"3", ".txt", record(), text="3")
    library.forget_session("guest")
    assert [each.id for each in library.list(before=gone.id)] == [first.id]


def test_a_clock_that_jumps_back_does_not_disturb_the_order(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([50, 49, 48, 10, 9, 8])
    monkeypatch.setattr("studio.storage.time.time_ns", lambda: next(moments) * 1_000_000)
    first = library.keep(b"1", ".txt", record(), text="1")
    second = library.keep(b"2", ".txt", record(), text="2")
    assert second.id < first.id
    assert [each.text for each in library.list()] == ["2", "1"]


def test_owners_sessions_and_kinds_are_kept_apart(library: Library) -> None:
    mine = saved(library, 1, session="s1")
    theirs = saved(library, 2, owner="ann")
    assert [each.id for each in library.list()] == [mine.id]
    assert [each.id for each in library.list(owner="ann")] == [theirs.id]
    assert library.list(session="s2") == ()
    assert library.list(kind="write") == ()
    assert len(library.list(kind="text_to_image", session="s1")) == 1
    with pytest.raises(NotFound, match="not in the library"):
        library.get(theirs.id)


@pytest.mark.parametrize("name", ["", "x", "\ud800", "../../etc/passwd", "' OR 1=1 --"])
def test_an_id_that_is_none_is_not_found(library: Library, name: str) -> None:
    with pytest.raises(NotFound):
        library.get(name)
    with pytest.raises(NotFound):
        library.draft(name, "local")


def test_forgetting_a_session_leaves_no_word_and_no_file_of_it(home: Path, library: Library) -> None:
    kept = saved(library, 1, session="other", attachments={"a.svg": b"other"})
    library.keep(b"hush", ".txt", record("very secret"), text="hush", session="guest", attachments={"a.svg": b"<svg/>"})
    draft = library.save_draft("", "local", {"prompt": "very secret"}, session="guest")
    library.begin(Write.checked({"prompt": "very secret"}), "M", session="guest")
    assert library.forget_session("guest") == 1
    assert library.list(session="guest") == ()
    with pytest.raises(NotFound):
        library.draft(draft, "local")
    assert files(home) == {kept.path.name, kept.attachments["a.svg"].name}
    with sqlite3.connect(home / "library.sqlite") as index:
        assert not any("very secret" in line for line in index.iterdump())
    index.close()


def test_no_session_is_nobodys_and_forgets_nothing(library: Library) -> None:
    saved(library)
    assert library.forget_session("") == 0
    assert len(library.list()) == 1


# Drafts


def test_a_draft_is_kept_changed_and_private(library: Library) -> None:
    draft = library.save_draft("", "local", {"prompt": "once", "count": 2})
    assert library.save_draft(draft, "local", {"prompt": "half an emoji \ud83c"}) == draft
    assert library.draft(draft, "local") == {"prompt": "half an emoji \ud83c"}
    with pytest.raises(NotFound, match="draft"):
        library.draft(draft, "ann")
    other = library.save_draft(draft, "ann", {"prompt": "mine"})
    assert other != draft
    assert library.draft(draft, "local") == {"prompt": "half an emoji \ud83c"}


@pytest.mark.parametrize(("fields", "words"), [({"a": "🍎" * 300_000}, "1 MB"), ({"a": float("nan")}, "number")])
def test_a_draft_that_cannot_be_kept_is_refused(library: Library, fields: Any, words: str) -> None:
    draft = library.save_draft("", "local", {"prompt": "before"})
    with pytest.raises(InvalidInput, match=words):
        library.save_draft(draft, "local", fields)
    assert library.draft(draft, "local") == {"prompt": "before"}


# The journal


def test_a_job_goes_from_queued_to_its_first_outcome(home: Path, library: Library) -> None:
    job = library.begin(TASK, "M")
    assert states(home) == {job: "queued"}
    library.running(job)
    assert states(home) == {job: "running"}
    library.finish(job, "cancelled", "Stopped.")
    library.finish(job, "done")
    library.running(job)
    assert states(home) == {job: "cancelled"}


def test_the_pace_is_the_median_of_the_last_seven_finished_runs(library: Library) -> None:
    assert library.seconds_per_unit("M") is None
    for seconds in (1000, 1000, 10, 20, 30, 40, 50, 60, 700):
        library.finish(library.begin(TASK, "M", units=10), "done", seconds=seconds)
    library.finish(library.begin(TASK, "M", units=10), "failed", seconds=9999)
    library.finish(library.begin(TASK, "M", units=0), "done", seconds=9999)
    library.finish(library.begin(TASK, "Other", units=1), "done", seconds=9999)
    assert library.seconds_per_unit("M") == 4.0


def test_unfinished_runs_of_a_dead_process_become_interrupted_and_those_of_a_living_one_do_not(home: Path) -> None:
    dead, living = Library(home), Library(home)
    jobs = [dead.begin(TASK, "M") for _ in range(3)]
    dead.running(jobs[1])
    dead.finish(jobs[2], "done")
    alive = living.begin(TASK, "M")
    dead.close()
    Library(home)
    assert states(home) == {jobs[0]: "interrupted", jobs[1]: "interrupted", jobs[2]: "done", alive: "queued"}


# Opening


def test_a_creation_whose_file_is_gone_is_flagged_and_comes_back_with_it(home: Path) -> None:
    first = Library(home)
    kept, other = saved(first, 1, attachments={"a.svg": b"<svg/>"}), saved(first, 2)
    data = kept.path.read_bytes()
    kept.path.unlink()
    kept.attachments["a.svg"].unlink()
    with pytest.raises(NotFound, match="file of this creation is gone"):
        first.get(kept.id)
    first.close()
    second = Library(home)
    assert [each.id for each in second.list()] == [other.id]
    second.close()
    kept.path.write_bytes(data)
    third = Library(home)
    assert [each.id for each in third.list()] == [other.id, kept.id]
    assert third.get(kept.id).attachments == {}


def test_files_without_a_row_go_after_an_hour(home: Path) -> None:
    first = Library(home)
    kept = saved(first, attachments={"a.svg": b"<svg/>"})
    aged(kept.path)
    aged(kept.attachments["a.svg"])
    for name in ("old.png", "new.png"):
        (home / "objects" / name[:2]).mkdir(exist_ok=True)
        (home / "objects" / name[:2] / name).write_bytes(b"orphan")
    aged(home / "objects" / "ol" / "old.png")
    first.close()
    Library(home)
    assert files(home) == {"new.png", kept.path.name, kept.attachments["a.svg"].name}


def test_files_whose_index_is_gone_are_set_aside_never_removed(home: Path) -> None:
    first = Library(home)
    kept = saved(first)
    data = kept.path.read_bytes()
    aged(kept.path)
    first.close()
    (home / "library.sqlite").unlink()
    for _ in range(2):
        again = Library(home)
        assert again.list() == ()
        again.close()
    (found,) = home.glob("objects-without-index-*/*/*.png")
    assert found.read_bytes() == data


@pytest.mark.parametrize("damage", ["newer", "garbage"])
def test_an_index_that_cannot_be_used_is_refused_and_left_as_it_is(home: Path, damage: str) -> None:
    first = Library(home)
    kept = saved(first)
    first.close()
    file = home / "library.sqlite"
    if damage == "newer":
        with sqlite3.connect(file) as index:
            index.execute("PRAGMA user_version = 99")
        index.close()
    else:
        file.write_bytes(b"garbage, " * 1000)
    before = file.read_bytes()
    with pytest.raises(StudioError, match=r"newer Atelier|index is damaged"):
        Library(home)
    assert file.read_bytes() == before
    assert kept.path.exists()
    assert list((home / "tmp").iterdir()) == []


def test_a_home_that_cannot_be_written_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StudioError, match=r"[A-Z].*disk|folder"):
        Library(tmp_path / "file" / "home")


def test_a_home_of_version_1_opens_and_keeps_everything(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = hashlib.sha256(b"old words").hexdigest() + ".txt"
    (home / "objects" / name[:2]).mkdir(parents=True)
    (home / "objects" / name[:2] / name).write_bytes(b"old words")
    with sqlite3.connect(home / "library.sqlite") as index:
        index.executescript((Path(__file__).parent / "homes" / "version_1.sql").read_text("utf-8").replace("OBJECT", name))
    index.close()
    steps = (*module.STEPS, "ALTER TABLE creations ADD COLUMN star_of_tests INTEGER NOT NULL DEFAULT 0")
    for known in (module.STEPS, steps):
        monkeypatch.setattr(module, "STEPS", known)
        opened = Library(home)
        assert [each.text for each in opened.list()] == ["old words"]
        assert opened.get("01JD0000000000000000000001").record["kind"] == "write"
        assert opened.draft("01JD0000000000000000000002", "local") == {"prompt": "a poem"}
        assert opened.seconds_per_unit("M") == 0.5
        opened.close()
    with sqlite3.connect(home / "library.sqlite") as index:
        assert index.execute("SELECT star_of_tests FROM creations").fetchall() == [(0,)]
        assert index.execute("PRAGMA user_version").fetchone() == (len(steps),)
    index.close()


# Several at once


def test_many_threads_save_at_once(home: Path, library: Library) -> None:
    results = [png(seed=seed) for seed in range(24)]

    def work(mine: list[tuple[bytes, Record]]) -> None:
        for data, made in mine:
            job = library.begin(TASK, "M")
            library.keep(data, ".png", made, job=job)
            library.finish(job, "done")
            library.list(limit=5)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, [results[start::6] for start in range(6)]))
    assert len(library.list(limit=100)) == len(files(home)) == 24
    assert set(states(home).values()) == {"done"}
