"""Creations found by what they mean, with vectors that are counted by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio import meanings
from studio.library import Library
from studio.meanings import Found, Space, Work, texts
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
    result = library.meanings.nearest(Filter(words=words, **more), [texts("m", embed)], owner, session)
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
    assert library.meanings.nearest(Filter(words="sea"), [texts("m", Embed())], seconds=0) == Found((), 0, 5)
    clock = iter([0.0, 0.0, 9.0])
    monkeypatch.setattr(meanings.time, "monotonic", lambda: next(clock))
    some = library.meanings.nearest(Filter(words="sea"), [texts("m", Embed())], seconds=1)
    assert (some.compared, some.total, len(some.seqs)) == (2, 5, 2)


def test_vectors_of_another_model_are_left_aside_and_stay(library: Library) -> None:
    kept(library, "a boat")
    embed = Embed()
    library.meanings.nearest(Filter(words="sea"), [texts("m", embed)])
    library.meanings.nearest(Filter(words="sea"), [texts("another", embed)])
    library.meanings.nearest(Filter(words="sea"), [texts("m", embed)])
    assert len([text for text in embed.read if "boat" in text]) == 2


def test_pictures_are_found_by_their_prompts(library: Library) -> None:
    data, told = png(prompt="a tree at night")
    picture = library.keep(data, ".png", told).id
    assert found(library, Embed(), "forest") == [picture]


class Eyes:
    """A space that sees the first byte of a file: works beginning with a letter point where that letter points."""

    def __init__(self, letters: str, media: tuple[str, ...] = ("text",), *, aside: bool = False) -> None:
        self.letters, self.looked = letters, list[str]()
        self.space = Space("eyes", self.words, None if aside else self.works, 0.2, media)

    def words(self, texts: Sequence[str]) -> Any:
        return self._told([text[:1] for text in texts])

    def works(self, works: Sequence[Work]) -> Any:
        self.looked += [work.path.read_text("utf-8") for work in works]
        return self._told([work.path.read_text("utf-8")[:1] for work in works])

    def _told(self, begun: Sequence[str]) -> Any:
        return np.array([[float(letter == one) for letter in self.letters] for one in begun], np.float32)


def test_what_is_near_in_two_spaces_comes_before_what_is_near_in_one(library: Library) -> None:
    seen, read, both = kept(library, "stones by the road"), kept(library, "a boat"), kept(library, "sea and boat")
    kept(library, "a tree")
    eyes, embed = Eyes("sxz"), Embed()
    result = library.meanings.nearest(Filter(words="sea"), [texts("m", embed), eyes.space])
    assert [item.id for item in library.shelf.these(result.seqs)] == [both, read, seen]
    assert (result.compared, result.total) == (4, 4)


def test_a_space_compares_its_own_media_alone_and_a_work_it_cannot_make_out_is_found_by_no_words(library: Library) -> None:
    data, told = png(prompt="a tree at night")
    library.keep(data, ".png", told)
    kept(library, "quiet")
    eyes = Eyes("sxz")
    result = library.meanings.nearest(Filter(words="sea"), [eyes.space])
    assert (result.seqs, result.compared, result.total) == ((), 2, 2)
    assert eyes.looked == ["quiet"], "a picture is none of its media"


def test_a_search_makes_none_of_the_vectors_that_are_made_aside_and_says_what_it_lacks(library: Library) -> None:
    old, new = kept(library, "sea one"), kept(library, "sea two")
    aside = Eyes("sxz", aside=True)
    assert library.meanings.nearest(Filter(words="sea"), [aside.space]) == Found((), 0, 2)
    maker = Eyes("sxz")
    assert library.meanings.notice(maker.space, 0, 1) == (1, False)
    assert maker.looked == ["sea two"], "the newest first"
    some = library.meanings.nearest(Filter(words="sea"), [aside.space])
    assert ([item.id for item in library.shelf.these(some.seqs)], some.compared, some.total) == ([new], 1, 2)
    assert library.meanings.notice(maker.space, 0, 9) == (1, True)
    assert library.meanings.notice(maker.space, library.meanings.newest, 9) == (0, True)
    assert len(library.meanings.nearest(Filter(words="sea"), [aside.space]).seqs) == 2
    library.shelf.trash([old])
    library.shelf.purge([old])
    assert len(library._index.rows("SELECT * FROM meanings")) == 1
