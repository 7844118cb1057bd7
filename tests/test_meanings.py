"""Creations found by what they mean, with vectors that are counted by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio import meanings
from studio.library import Library
from studio.meanings import Found
from studio.shelf import Filter
from tests.samples import png, record

TOPICS = (("sea", "boat", "harbour"), ("forest", "tree"), ("music",))
"""A text points where its words point."""


class Embed:
    """Vectors by topic; `read` is all that was read."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def __call__(self, texts: Sequence[str]) -> Any:
        self.read += texts
        told = np.array([[sum(word in text for word in topic) for topic in TOPICS] + [0.01] for text in texts], np.float32)
        return told / np.linalg.norm(told, axis=1, keepdims=True)


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(tmp_path / "home")
    yield library
    library.close()


def kept(library: Library, text: str, owner: str = "local", session: str = "") -> str:
    return library.keep(text.encode(), ".txt", record(text), owner=owner, session=session, text=text).id


def found(library: Library, embed: Embed, words: str, owner: str = "local", session: str = "", **more: Any) -> list[str]:
    result = library.meanings.nearest(Filter(words=words, **more), "m", embed, owner, session)
    return [item.id for item in library.shelf.these(result.seqs, owner, session)]


def test_the_nearest_come_first_and_what_has_nothing_to_do_with_it_not_at_all(library: Library) -> None:
    boat, tree, both = kept(library, "a boat"), kept(library, "a tree"), kept(library, "a tree by the sea")
    embed = Embed()
    assert found(library, embed, "harbour") == [boat, both]
    assert found(library, embed, "forest") == [tree, both]
    assert found(library, embed, "quiet") == []


def test_each_creation_is_read_once_also_by_the_next_start(library: Library, tmp_path: Path) -> None:
    boat = kept(library, "a boat")
    first, second = Embed(), Embed()
    found(library, first, "sea")
    assert len(first.read) == 2
    tree = kept(library, "a tree")
    again = Library(tmp_path / "home")
    assert found(again, second, "sea") == [boat]
    assert found(again, second, "forest") == [tree]
    assert [text for text in second.read if "a boat" in text] == []
    again.close()


def test_what_was_removed_leaves_no_vector(library: Library) -> None:
    boat = kept(library, "a boat")
    assert found(library, Embed(), "sea") == [boat]
    library.shelf.trash([boat])
    assert found(library, Embed(), "sea") == []
    assert found(library, Embed(), "sea", trashed=True) == [boat]
    library.shelf.purge([boat])
    assert library._index.rows("SELECT * FROM meanings") == []
    assert found(library, Embed(), "sea", trashed=True) == []


def test_owners_sessions_and_filters_hold(library: Library) -> None:
    mine, theirs = kept(library, "a boat", "me", "one"), kept(library, "a boat", "them", "two")
    embed = Embed()
    assert found(library, embed, "sea", "me") == [mine]
    assert found(library, embed, "sea", "them", "two") == [theirs]
    assert found(library, embed, "sea", "me", "two") == []
    assert found(library, embed, "sea", "me", kind="music") == []


def test_a_search_that_has_no_time_says_what_is_left(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meanings, "BATCH", 2)
    for number in range(5):
        kept(library, f"boat {number}")
    assert library.meanings.nearest(Filter(words="sea"), "m", Embed(), seconds=0) == Found((), 0, 5)
    clock = iter([0.0, 0.0, 9.0])
    monkeypatch.setattr(meanings.time, "monotonic", lambda: next(clock))
    some = library.meanings.nearest(Filter(words="sea"), "m", Embed(), seconds=1)
    assert (some.compared, some.total, len(some.seqs)) == (2, 5, 2)


def test_vectors_of_another_model_are_left_aside(library: Library) -> None:
    kept(library, "a boat")
    embed = Embed()
    library.meanings.nearest(Filter(words="sea"), "m", embed)
    library.meanings.nearest(Filter(words="sea"), "another", embed)
    assert len([text for text in embed.read if "boat" in text]) == 2


def test_pictures_are_found_by_their_prompts(library: Library) -> None:
    data, told = png(prompt="a tree at night")
    picture = library.keep(data, ".png", told).id
    assert found(library, Embed(), "forest") == [picture]
