"""Documents in the library's search: by words and by meaning, as they stand now, each person's own alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from studio import document_search
from studio.library import Library
from studio.shelf import Filter
from studio.writing.spans import Splice
from tabs import _shelf_actions, _shelf_documents
from tabs._form import Desk

LONG = "The harbour was quiet. " * 300


@pytest.fixture
def library(home: Path) -> Iterator[Library]:
    library = Library(home)
    yield library
    library.close()


def new(library: Library, title: str, text: str, owner: str = "local", session: str = "") -> str:
    return library.manuscripts.new(owner, session, title, text).id


def titles(library: Library, words: str, *whose: str, **how: Any) -> list[str]:
    return [hit.title for hit in library.documents.find(words, *whose, **how).hits]


def embed(texts: Sequence[str]) -> Any:
    """Boats and harbours mean the same, trees something else."""
    near = [(float(any(word in text for word in ("boat", "harbour", "ferry"))), float("tree" in text), 0.1) for text in texts]
    found = np.array(near, np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_words_are_found_in_text_and_title_whole_or_as_beginnings_and_must_all_be_there(library: Library) -> None:
    new(library, "The Ferryman", "He rows across the río at night.")
    new(library, "Herbs", "Basil likes the sun.")
    assert titles(library, "ferry") == titles(library, "rio night") == ["The Ferryman"]
    assert titles(library, '"the sun"') == ["Herbs"]
    assert titles(library, "the") and sorted(titles(library, "the")) == ["Herbs", "The Ferryman"]
    for words in ("ferry sun", '"sun the"', "nothing", "", "  ", '"', "***", "NEAR(", "a OR b"):
        assert titles(library, words) == [], words


def test_scripts_without_spaces_are_found_letter_by_letter(library: Library) -> None:
    new(library, "猫", "夜の港に小さな船がある。 A boat.")
    (hit,) = library.documents.find("小さな船").hits
    assert "小さな船" in hit.excerpt
    assert titles(library, "猫") == titles(library, "船 boat") == ["猫"]
    assert titles(library, "犬") == titles(library, "船 train") == []


def test_a_hit_says_where_the_words_stand(library: Library) -> None:
    id = new(library, "", f"{LONG}A whale surfaced near the pier. {LONG}")
    (hit,) = library.documents.find("whale").hits
    assert (hit.id, hit.title, hit.words) == (id, "", len(LONG.split()) * 2 + 6)
    assert "whale surfaced" in hit.excerpt
    assert len(hit.excerpt) < 400


def test_a_document_is_found_as_it_stands_and_not_as_it_was(library: Library) -> None:
    id = new(library, "Draft", "A boat.")
    other = new(library, "Other", "A boat too.")
    assert sorted(titles(library, "boat")) == ["Draft", "Other"]
    head = library.manuscripts.open(id, "local")
    library.manuscripts.change(id, "local", "", head.version, [Splice(2, 6, "train")])
    library.manuscripts.rename(other, "local", "", "Renamed")
    assert (titles(library, "boat"), titles(library, "train"), titles(library, "other")) == (["Renamed"], ["Draft"], [])
    library.manuscripts.undo(id, "local")
    library.manuscripts.remove(other, "local")
    assert (titles(library, "boat"), titles(library, "train")) == (["Draft"], [])
    library.manuscripts.restore(other, "local")
    assert sorted(titles(library, "boat")) == ["Draft", "Renamed"]


def test_nobody_finds_what_is_somebody_elses(library: Library) -> None:
    new(library, "Mine", "A secret boat.", "ana")
    new(library, "Guest one", "A secret boat.", "guest", "one")
    new(library, "Guest two", "A secret boat.", "guest", "two")
    for how in ({}, {"embed": embed}):
        assert titles(library, "boat", "ana", **how) == ["Mine"]
        assert titles(library, "boat", "guest", "one", **how) == ["Guest one"]
        assert titles(library, "boat", "local", **how) == titles(library, "boat", "guest", "three", **how) == []


def test_by_meaning_the_nearest_piece_counts_and_what_has_nothing_to_do_with_it_is_left_out(library: Library) -> None:
    new(library, "Forest", "A tree. " * 400)
    new(library, "Coast", f"{'Nothing at all. ' * 300}The boat leaves.")
    (hit,) = library.documents.find("ferry", embed=embed).hits
    assert hit.title == "Coast"
    assert titles(library, "tree", embed=embed) == ["Forest"]


def test_what_there_was_no_time_for_is_counted_and_read_by_the_next_search(library: Library) -> None:
    for number in range(5):
        new(library, f"Text {number}", "A boat.")
    assert library.documents.find("boat", seconds=-1).left == 5
    assert library.documents.find("boat").left == 0
    found = library.documents.find("boat", embed=embed, seconds=-1)
    assert (found.hits, found.left) == ((), 5)
    assert len(library.documents.find("boat", embed=embed).hits) == 5


def test_memory_is_bounded_and_a_damaged_document_is_found_by_its_title(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    new(library, "One", "A boat.", "ana")
    id = new(library, "Two", "A boat.")
    assert titles(library, "boat") == ["Two"]
    monkeypatch.setattr(document_search, "HELD", 3)
    assert titles(library, "boat", "ana") == ["One"]
    assert len(library.documents._held) == 1
    with library._index.transaction() as index:
        index.execute("UPDATE manuscript_versions SET middle = 'A goat.' WHERE manuscript = ?", (id,))
    assert (titles(library, "goat"), titles(library, "boat"), titles(library, "two")) == ([], [], ["Two"])


def test_the_library_shows_them_for_words_alone_and_to_whom_they_belong(library: Library) -> None:
    new(library, "Mine", "A boat.", "guest", "one")
    studio: Any = SimpleNamespace(library=library, settings=SimpleNamespace(public=True), cards=(), marks=None)
    page: Any = None
    where = Desk(studio, page)

    def rows(session: str, **asked: Any) -> list[str]:
        request: Any = SimpleNamespace(session_hash=session, username=None)
        value = _shelf_actions.answer(where, {"number": 1, "what": "page", "filter": asked, "count": True}, request, 7)
        return [row["title"] for row in json.loads(value["text"])["documents"]["rows"]]

    assert rows("one", words="boat") == rows("one", words="boat", kind="write") == ["Mine"]
    assert rows("two", words="boat") == []
    for other in ({"starred": True}, {"trashed": True}, {"kind": "music"}, {"medium": "sound"}, {"model": "Tiny"}, {"since": "2020-01-01"}):
        assert rows("one", words="boat", **other) == [], other
    assert rows("one") == []
    visit: Any = SimpleNamespace(desk=where, seen=("guest", "one"))
    near = _shelf_documents.found(visit, Filter(words="ferry", meaning=True), embed)
    assert [row["title"] for row in near["rows"]] == ["Mine"]
