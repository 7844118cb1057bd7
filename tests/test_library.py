"""The library: saving all or nothing, listing, forgetting, what a start puts in order, and older homes."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio import library as module
from studio.creations import Creation
from studio.errors import MediaUnreadable, NotFound, StorageFull, StudioError
from studio.library import Library
from studio.meanings import texts
from studio.provenance.pictures import read_record
from studio.provenance.record import Record
from studio.shelf import Filter
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
        library.drafts.get(name, "local")


def test_forgetting_a_session_leaves_no_word_and_no_file_of_it(home: Path, library: Library) -> None:
    kept = saved(library, 1, session="other", attachments={"a.svg": b"other"})
    library.keep(b"hush", ".txt", record("very secret"), text="hush", session="guest", attachments={"a.svg": b"<svg/>"})
    draft = library.drafts.save("", "local", {"prompt": "very secret"}, session="guest")
    library.journal.begin(Write.checked({"prompt": "very secret"}), "M", session="guest")
    assert library.forget_session("guest") == 1
    assert library.list(session="guest") == ()
    with pytest.raises(NotFound):
        library.drafts.get(draft, "local")
    assert files(home) == {kept.path.name, kept.attachments["a.svg"].name}
    with sqlite3.connect(home / "library.sqlite") as index:
        assert not any("very secret" in line for line in index.iterdump())
    index.close()


def test_no_session_is_nobodys_and_forgets_nothing(library: Library) -> None:
    saved(library)
    assert library.forget_session("") == 0
    assert len(library.list()) == 1


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


HOMES = Path(__file__).parent / "homes"


@pytest.mark.parametrize("version", range(1, len(module.STEPS) + 1))
def test_a_home_of_every_earlier_version_opens_and_keeps_everything(home: Path, version: int, monkeypatch: pytest.MonkeyPatch) -> None:
    frozen(home, version)
    steps = (*module.STEPS, "ALTER TABLE creations ADD COLUMN star_of_tests INTEGER NOT NULL DEFAULT 0")
    for known in (module.STEPS, steps):
        monkeypatch.setattr(module, "STEPS", known)
        opened = Library(home)
        assert [each.text for each in opened.list()] == ["old words"]
        assert opened.get("01JD0000000000000000000001").record["kind"] == "write"
        assert opened.drafts.get("01JD0000000000000000000002", "local") == {"prompt": "a poem"}
        assert opened.journal.seconds_per_unit("M") == 0.5
        opened.close()
    with sqlite3.connect(home / "library.sqlite") as index:
        assert set(index.execute("SELECT star_of_tests FROM creations").fetchall()) == {(0,)}
        assert index.execute("PRAGMA user_version").fetchone() == (len(steps),)
    index.close()


def test_creations_of_version_1_are_on_the_shelf_as_if_they_were_made_now(home: Path) -> None:
    with sqlite3.connect(frozen(home, 1)) as index:
        index.execute("UPDATE creations SET parents = '[\"01JD0000000000000000000009\"]'")
        index.execute("UPDATE creations SET record = json_set(record, '$.model.licence', 'MIT', '$.task.system', 'Be a poet.')")
        columns = "owner, session, job, kind, model, object, bytes, created, schema_version"
        for id, text, record, parents in (
            ("01JD0000000000000000000004", None, "no JSON", "neither"),
            ("01JD0000000000000000000005", None, '{"task":{"prompt":"half \\ud83c a rose","negative_prompt":"thorns"}}', "[]"),
        ):
            index.execute(
                f"INSERT INTO creations (id, text, record, parents, {columns}) SELECT ?, ?, ?, ?, {columns} FROM creations LIMIT 1",
                (id, text, record, parents),
            )
    index.close()
    library = Library(home)
    found = library.shelf.item("01JD0000000000000000000001")
    assert (found.words, found.medium, found.licence, found.star, found.tags) == ("old words", "text", "MIT", False, ())
    for words in ("old", "poem", "poet", "M"):
        assert [item.id for item in library.shelf.page(Filter(words=words))][-1:] == [found.id], words
    assert library.shelf.item("01JD0000000000000000000004").words == ""
    assert library.shelf.item("01JD0000000000000000000005").words.endswith("a rose")
    assert len(library.shelf.page(Filter(words="thorns rose"))) == 1
    with pytest.raises(NotFound):
        library.shelf.lineage("01JD0000000000000000000009")


def test_what_version_2_knew_of_a_creation_is_kept(home: Path) -> None:
    frozen(home, 2)
    library = Library(home)
    (found,) = library.shelf.page(Filter(words="autumn"))
    assert (found.star, found.title, found.note, found.project, found.tags) == (True, "Old times", "the first one", "Poems", ("autumn",))
    assert [item.trashed[:10] for item in library.shelf.page(Filter(trashed=True))] == ["2026-11-22"]
    assert [item.id[-1] for item in library.shelf.lineage(found.id)[1]] == ["3"]


def test_documents_of_version_3_are_kept_with_their_versions_and_sources(home: Path) -> None:
    frozen(home, 3)
    documents = Library(home).manuscripts
    (listed,) = documents.list("local")
    assert (listed.title, listed.words, listed.machine) == ("Old words", 5, 0.625)
    found = documents.open(listed.id, "local")
    assert (found.text, found.fields, found.undo, found.redo) == ("old words, and new ones.", {"notes": "short lines"}, True, True)
    assert [(span.length, span.origin, span.creation[-1:]) for span in found.spans] == [(9, "human", ""), (15, "machine", "1")]
    assert documents.redo(found.id, "local").text == "My old words, and new ones."
    assert [version.note for version in documents.tree(found.id, "local")] == ["", "Continue", ""]
    assert [(source.name, source.passages) for source in documents.sources(found.id, "local")] == [("letters.pdf", 2)]
    (thrown,) = documents.list("local", trashed=True)
    assert documents.restore(thrown.id, "local").text == ""


@pytest.mark.parametrize("version", [4, 7])
def test_what_earlier_versions_knew_of_meanings_is_not_made_again(home: Path, version: int) -> None:
    frozen(home, version)
    read: list[str] = []

    def embed(texts: Sequence[str]) -> Any:
        read.extend(texts)
        return np.array([[1.0, 0.0]] * len(texts), np.float32)

    library = Library(home)
    found = library.meanings.nearest(Filter(words="long ago"), [texts("a model", embed)])
    assert [item.id for item in library.shelf.these(found.seqs)] == ["01JD0000000000000000000001"]
    assert read == ["long ago"]


def test_a_batch_of_version_6_that_its_process_left_goes_on_only_when_it_is_told_to(home: Path) -> None:
    frozen(home, 6)
    batches = Library(home).batches
    (found,) = batches.list()
    assert (found.name, found.state, found.counts) == ("Poems of a night", "interrupted", {"done": 1, "interrupted": 1, "waiting": 1})
    assert batches.begin("local") is None
    batches.go_on(found.id)
    begun = batches.begin("local")
    assert begun is not None
    assert (begun[0], begun[1].number, begun[1].task) == (found.id, 3, {"prompt": "a poem of hail"})


def frozen(home: Path, version: int) -> Path:
    """A home of that version; returns its index."""
    name = hashlib.sha256(b"old words").hexdigest() + ".txt"
    (home / "objects" / name[:2]).mkdir(parents=True)
    (home / "objects" / name[:2] / name).write_bytes(b"old words")
    with sqlite3.connect(home / "library.sqlite") as index:
        index.executescript((HOMES / f"version_{version}.sql").read_text("utf-8").replace("OBJECT", name))
    index.close()
    return home / "library.sqlite"


# Several at once


def test_many_threads_save_at_once(home: Path, library: Library) -> None:
    results = [png(seed=seed) for seed in range(24)]

    def work(mine: list[tuple[bytes, Record]]) -> None:
        for data, made in mine:
            job = library.journal.begin(TASK, "M")
            library.keep(data, ".png", made, job=job)
            library.journal.finish(job, "done")
            library.list(limit=5)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, [results[start::6] for start in range(6)]))
    assert len(library.list(limit=100)) == len(files(home)) == 24
    assert set(states(home).values()) == {"done"}
