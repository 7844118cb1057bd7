"""The shelf: pages, filters, search that any input is safe for, what a person gives a creation, the trash, and lineage."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import library as many
from studio.creations import Creation
from studio.errors import InvalidInput, NotFound
from studio.library import Library
from studio.search import question
from studio.shelf import Choices, Filter, Item, Shelf
from tests.samples import png, record


@pytest.fixture
def library(home: Path) -> Library:
    return Library(home)


@pytest.fixture
def shelf(library: Library) -> Shelf:
    return library.shelf


def text(library: Library, words: str, prompt: str = "a tale", model: str = "", licence: str = "", **more: Any) -> str:
    made = record(prompt)
    facts = {**made.model, **({"name": model} if model else {}), **({"licence": licence} if licence else {})}
    return library.keep(words.encode(), ".txt", made.model_copy(update={"model": facts}), text=words, **more).id


def picture(library: Library, prompt: str = "a red apple", seed: int = 1, **more: Any) -> Creation:
    data, made = png(prompt, seed)
    return library.keep(data, ".png", made, **more)


def found(shelf: Shelf, words: str = "", **more: Any) -> list[str]:
    chosen = Filter(words=words, **more)
    items = shelf.page(chosen)
    assert shelf.count(chosen) == len(items)
    return [item.id for item in items]


# Pages


def test_an_item_tells_what_a_grid_shows(library: Library, shelf: Shelf) -> None:
    kept = picture(library)
    words = "x" * 300
    written = text(library, words)
    second, first = shelf.page(Filter())
    assert first == Item(
        *(kept.id, "text_to_image", "picture", "", "a red apple", kept.created, False, ()),
        *("", "Sample", "MIT", kept.path.stat().st_size, "", "", False),
    )
    assert (second.id, second.medium, second.words) == (written, "text", words[:200])
    assert shelf.item(kept.id) == first


def test_pages_follow_one_another_and_nothing_is_shown_twice(library: Library, shelf: Shelf) -> None:
    ids = [text(library, str(number), "a tale" if number % 2 else "a song") for number in range(9)]
    for chosen, expected in ((Filter(), ids), (Filter(words="song"), ids[::2])):
        seen: list[str] = []
        while page := shelf.page(chosen, limit=2, before=seen[-1] if seen else ""):
            assert len(page) <= 2
            seen += [item.id for item in page]
        assert seen == expected[::-1]
        assert shelf.count(chosen) == len(expected)
    assert shelf.page(Filter(), before="no id") == ()


def test_every_filter_keeps_what_it_names_and_nothing_else(library: Library, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = picture(library)
    other = text(library, "words", model="Writer", licence="Apache-2.0")
    shelf.star([kept.id], on=True)
    shelf.move([kept.id], "Winter")
    shelf.tag([kept.id], add=["cover"])
    size = kept.path.stat().st_size
    day = kept.created[:10]
    alone: tuple[dict[str, Any], ...] = (
        *({"medium": "picture"}, {"model": "Sample"}, {"licence": "MIT"}, {"project": "Winter"}, {"tag": "COVER"}, {"starred": True}),
        *({"smallest": size}, {"words": "apple"}),
    )
    for chosen in alone:
        assert found(shelf, **chosen) == [kept.id], chosen
    assert found(shelf, largest=size - 1) == [other]
    assert found(shelf, kind="text_to_image", since=day, until=day, largest=size) == [other, kept.id]
    assert found(shelf, kind="music") == found(shelf, since="9999") == found(shelf, until="2000-01-01") == found(shelf, project="No") == []
    assert found(shelf, "apple", model="Sample", tag="cover", starred=True, project="Winter", since=day) == [kept.id]
    assert shelf.choices() == Choices(("text_to_image",), ("Sample", "Writer"), ("Winter",), ("cover",), ("Apache-2.0", "MIT"))


def test_owners_and_sessions_see_and_change_their_own_alone(library: Library, shelf: Shelf) -> None:
    mine, theirs, later = text(library, "mine", session="s"), text(library, "theirs", owner="ann"), text(library, "later", session="t")
    assert [item.id for item in shelf.page(Filter(), session="s")] == [mine]
    assert [item.id for item in shelf.page(Filter(words="theirs"))] == []
    assert shelf.count(Filter(), owner="ann") == 1
    shelf.star([mine, theirs, later, "no id"], on=True, session="s")
    shelf.tag([mine, theirs], add=["t"], session="s")
    shelf.move([mine, theirs], "P", session="s")
    assert shelf.trash([theirs, later], session="s") == shelf.purge([theirs, later]) == ()
    assert found(shelf, starred=True) == found(shelf, tag="t") == found(shelf, project="P") == [mine]
    assert shelf.choices(session="t") == Choices(("text_to_image",), ("Sample",), (), (), ("MIT",))
    assert shelf.choices(owner="ann").tags == ()
    for change in (shelf.item, shelf.lineage, lambda id, **who: shelf.rename(id, "x", **who), lambda id, **who: shelf.note(id, "x", **who)):
        for id, who in ((theirs, {}), (later, {"session": "s"}), ("no id", {})):
            with pytest.raises(NotFound):
                change(id, **who)


def test_a_library_of_many_is_shown_whole_in_order_and_each_filter_counts_right(home: Path) -> None:
    many.fill(home, 400)
    library = Library(home)
    shelf, seen = library.shelf, list[Item]()
    while page := shelf.page(Filter(), before=seen[-1].id if seen else ""):
        seen += page
    trashed = shelf.page(Filter(trashed=True), limit=1000)
    assert [item.id for item in seen] == [creation.id for creation in library.list(limit=1000)]
    assert len(seen) + len(trashed) == 400
    assert len(trashed) == 4
    for medium in ("picture", "sound", "text"):
        assert shelf.count(Filter(medium=medium)) == sum(item.medium == medium for item in seen)
    for words in ("apple", "river lantern", many.RARE):
        found = [item.id for item in shelf.page(Filter(words=words, kind="music"), limit=1000)]
        assert found == [item.id for item in seen if item.kind == "music" and set(words.split()) <= set(item.words.split())]
    assert shelf.choices().kinds == tuple(sorted(many.KINDS))


@pytest.mark.parametrize(
    "chosen",
    [Filter(), Filter(kind="x"), Filter(starred=True, since="2020"), Filter(tag="x"), Filter(words="x", model="x"), Filter(words="🌹")],
)
def test_a_page_is_found_by_an_index_and_never_sorted(library: Library, chosen: Filter) -> None:
    asked = question(chosen, "local", "")
    plan = library._index.rows(
        f"EXPLAIN QUERY PLAN SELECT c.seq FROM {asked.source} WHERE {asked.condition} ORDER BY {asked.age} DESC LIMIT 60", *asked.values
    )
    steps = [row["detail"] for row in plan]
    assert any(step.startswith("SEARCH c USING") and "INDEX" in step for step in steps), steps
    assert not [step for step in steps if step.startswith("SCAN c") or "TEMP B-TREE" in step], steps


# Search


@pytest.fixture
def told(library: Library) -> dict[str, str]:
    return {
        "apple": picture(library, "a red apple on a table").id,
        "cafe": picture(library, "Café in Zürich 🌹", 2).id,
        "tokyo": picture(library, "東京の夜", 3).id,
        "cats": picture(library, "lovely cats & dogs, don't ask", 4).id,
        "tale": text(library, "Es war einmal ein Wörterbuch", "write a fairytale", model="Dichter 3"),
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("apple", ["apple"]),
        ("APP", ["apple"]),
        ("table red", ["apple"]),
        ('"red apple"', ["apple"]),
        ('"apple red"', []),
        ("cafe zurich", ["cafe"]),
        ("🌹", ["cafe"]),
        ("café 🌹", ["cafe"]),
        ("apple 🌹", []),
        ("東京", ["tokyo"]),
        ("夜", ["tokyo"]),
        ("cats & dogs", ["cats"]),
        ("don't", ["cats"]),
        ("worterbuch", ["tale"]),
        ("fairytale", ["tale"]),
        ("dichter", ["tale"]),
        ("apple OR cats", []),
        ("prompt : apple", []),
        ("lovely sample", ["cats"]),
        ("- * ' ( ) ^ \" % _", ["tale", "cats", "tokyo", "cafe", "apple"]),
        ("\x00\ud83c", ["tale", "cats", "tokyo", "cafe", "apple"]),
    ],
)
def test_words_find_what_a_person_means(shelf: Shelf, told: dict[str, str], words: str, expected: list[str]) -> None:
    assert found(shelf, words) == [told[name] for name in expected]


def test_settings_and_what_is_not_wanted_are_found_too(library: Library, shelf: Shelf) -> None:
    made = record()
    task = {**made.task, "negative_prompt": "blurry", "style": "Ukiyo-e", "seed": 987654, "image": "sha256:" + "ab" * 32}
    kept = library.keep(b"x", ".txt", made.model_copy(update={"task": task}), text="x").id
    for words in ("blurry", "ukiyo", "987654"):
        assert found(shelf, words) == [kept]
    assert found(shelf, "abababab") == []


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(st.characters(), max_size=40) | st.text('"*^:(){}-+%_\\ aANDORNET', max_size=40))
def test_no_words_break_the_search(shelf: Shelf, told: dict[str, str], words: str) -> None:
    found(shelf, words)
    assert set(found(shelf, f"{words} nothingissaidlikethis")) == set()


def test_no_filter_breaks_the_page(library: Library, shelf: Shelf) -> None:
    kept = text(library, "words")
    for strange in ("\ud83c", "\x00", "' OR 1=1 --", "x" * 100_000, "%"):
        for name in ("kind", "medium", "model", "project", "tag", "licence", "since"):
            if (name, strange) not in (("since", "' OR 1=1 --"), ("since", "%"), ("since", "\x00")):  # these sort before every date
                assert found(shelf, **{name: strange}) == [], (name, strange)
    assert found(shelf, smallest=10**30) == found(shelf, largest=-(10**30)) == []
    assert found(shelf, smallest=-5, largest=10**30) == [kept]


def test_ten_thousand_characters_are_searched_for(shelf: Shelf, told: dict[str, str]) -> None:
    assert found(shelf, "red " * 5000) == [told["apple"]]
    assert found(shelf, "x" * 10_000) == found(shelf, '"' + "東" * 10_000) == []


def test_a_name_a_note_and_tags_are_found_as_long_as_they_are_there(library: Library, shelf: Shelf) -> None:
    kept = text(library, "words")
    shelf.rename(kept, "Harbour 港")
    shelf.note(kept, "for grandmother\nin May")
    shelf.tag([kept], add=["Christmas", "card 🎄"])
    for words in ("harbour", "grandmother may", "christ", "港", "🎄"):
        assert found(shelf, words) == [kept], words
    shelf.rename(kept, "")
    shelf.note(kept, "")
    shelf.tag([kept], remove=["CHRISTMAS", "card 🎄"])
    for words in ("harbour", "grandmother", "christ", "港", "🎄"):
        assert found(shelf, words) == [], words


# What a person gives a creation


def test_stars_tags_projects_names_and_notes_stay_after_a_restart(home: Path, library: Library, shelf: Shelf) -> None:
    one, two = text(library, "one"), text(library, "two")
    shelf.star([one, two], on=True)
    shelf.star([two], on=False)
    shelf.tag([one, two], add=["b", "A", "a", "  c   d "])
    shelf.tag([two], add=["a"], remove=["B"])
    shelf.move([one], "  Poems \n of old ")
    shelf.rename(one, "A\u202ename\x07 with/separators: CON")
    shelf.note(two, "one\ntwo")
    library.close()
    items = {item.id: item for item in Library(home).shelf.page(Filter())}
    first, second = items[one], items[two]
    assert (first.star, first.tags, first.project, first.title) == (True, ("A", "b", "c d"), "Poems of old", "Aname with/separators: CON")
    assert (second.star, second.tags, second.note) == (False, ("A", "c d"), "one\ntwo")


@pytest.mark.parametrize(("what", "length"), [("rename", 201), ("note", 10_001), ("move", 101), ("tag", 61)])
def test_what_is_too_long_is_refused_in_words_and_nothing_changes(library: Library, shelf: Shelf, what: str, length: int) -> None:
    kept = text(library, "words")
    before = shelf.item(kept)
    with pytest.raises(InvalidInput, match=r"characters long; .* is the most\. Shorten it\."):
        {
            "rename": lambda: shelf.rename(kept, "x" * length),
            "note": lambda: shelf.note(kept, "x" * length),
            "move": lambda: shelf.move([kept], "x" * length),
            "tag": lambda: shelf.tag([kept], add=["fine", "x" * length]),
        }[what]()
    assert shelf.item(kept) == before


# The trash


def test_what_is_in_the_trash_is_shown_there_alone_and_comes_back_as_it_was(library: Library, shelf: Shelf) -> None:
    kept, other = picture(library), text(library, "other")
    shelf.tag([kept.id], add=["t"])
    before = shelf.item(kept.id)
    assert shelf.trash([kept.id, kept.id]) == (kept.id,)
    assert shelf.trash([kept.id]) == ()
    assert found(shelf) == [item.id for item in library.list()] == [other]
    assert found(shelf, trashed=True) == found(shelf, "apple", trashed=True) == [kept.id]
    assert shelf.choices().tags == ()
    with pytest.raises(NotFound, match="in the trash"):
        library.get(kept.id)
    assert library.get(kept.id, trashed=True).path.exists()
    assert library.originals.find("sha256:" + kept.path.stem) == kept.path
    assert shelf.restore([kept.id, other]) == (kept.id,)
    assert shelf.item(kept.id) == before


def test_only_the_trash_is_purged_and_then_for_good(home: Path, library: Library, shelf: Shelf) -> None:
    gone, kept = picture(library, seed=1, attachments={"a.svg": b"<svg/>"}), picture(library, seed=2)
    assert shelf.purge([gone.id, kept.id]) == ()
    shelf.trash([gone.id])
    assert shelf.purge([gone.id, kept.id]) == (gone.id,)
    assert {file for file in (home / "objects").rglob("*") if file.is_file()} == {kept.path}
    assert found(shelf) == [kept.id]
    assert found(shelf, trashed=True) == []
    shelf.trash([kept.id])
    assert shelf.empty_trash(owner="ann") == ()
    assert shelf.empty_trash() == (kept.id,)


def later(monkeypatch: pytest.MonkeyPatch, days: float) -> None:
    """The clock shows so many days more than it does."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(UTC) + timedelta(days=days)

    monkeypatch.setattr("studio.index.datetime", Clock)


def opened(home: Path, monkeypatch: pytest.MonkeyPatch, days: float) -> list[str]:
    """What is in the trash once the home was opened so many days from now."""
    later(monkeypatch, days)
    library = Library(home)
    there = [item.words for item in library.shelf.page(Filter(trashed=True))]
    library.close()
    return there


def test_the_trash_keeps_everything_for_thirty_days_and_then_lets_it_go(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(home)
    kept = text(library, "kept")
    library.shelf.trash([text(library, "secretword", attachments={"a.svg": b"<svg/>"})])
    library.close()
    for day in (1, 28, 29, 30):
        assert opened(home, monkeypatch, day) == ["secretword"], day
    assert opened(home, monkeypatch, 32) == []
    library = Library(home)
    assert [item.id for item in library.shelf.page(Filter())] == [kept]
    assert [file.read_bytes() for file in (home / "objects").rglob("*.*")] == [b"kept"]
    library.close()
    assert b"secretword" not in (home / "library.sqlite").read_bytes()


def test_a_clock_that_jumps_ahead_takes_nothing_with_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = Library(home)
    library.shelf.trash([text(library, "young")])
    library.close()
    for day in (0, 20_000, 20_000, 1, 2, 9000, 3):
        assert opened(home, monkeypatch, day) == ["young"], day


def test_what_was_trashed_in_the_future_stays(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    later(monkeypatch, 500)
    library = Library(home)
    library.shelf.trash([text(library, "future")])
    library.close()
    for day in (0, 1, 40, 41, -500, -499):
        assert opened(home, monkeypatch, day) == ["future"], day


# Lineage


def test_lineage_goes_through_all_generations(library: Library, shelf: Shelf) -> None:
    first = text(library, "first")
    edit = text(library, "edit", parents=[first])
    again = text(library, "again", parents=[edit])
    other = text(library, "other", parents=[first, "gone"])
    names = lambda id: tuple([item.words for item in items] for items in shelf.lineage(id))  # noqa: E731
    assert names(again) == (["edit", "first"], [])
    assert names(edit) == (["first"], ["again"])
    assert names(first) == ([], ["edit", "again", "other"])
    shelf.trash([edit])
    assert [item.trashed != "" for item in shelf.lineage(again)[0]] == [True, False]
    shelf.purge([edit])
    assert names(again) == ([], [])
    assert names(other) == (["first"], [])


def test_a_creation_that_came_from_itself_does_not_go_round_for_ever(home: Path, library: Library, shelf: Shelf) -> None:
    one = text(library, "one")
    two = text(library, "two", parents=[one])
    with sqlite3.connect(home / "library.sqlite") as index:
        index.execute("INSERT INTO origins SELECT seq, ? FROM creations WHERE id = ?", (two, one))
    index.close()
    before, after = shelf.lineage(one)
    assert [item.id for item in (*before, *after)] == [two, two]


def test_relatives_of_another_owner_are_not_shown(library: Library, shelf: Shelf) -> None:
    theirs = text(library, "theirs", owner="ann")
    mine = text(library, "mine", parents=[theirs])
    assert shelf.lineage(mine) == ((), ())


# Forgetting


def test_forgetting_takes_what_was_said_about_a_creation_too(home: Path, library: Library, shelf: Shelf) -> None:
    text(library, "hush", "secretprompt", session="guest")
    (id,) = found(shelf)
    shelf.tag([id], add=["secrettag"])
    shelf.note(id, "secretnote")
    shelf.rename(id, "secretname")
    shelf.move([id], "secretproject")
    assert library.forget_session("guest") == 1
    library.close()
    data = (home / "library.sqlite").read_bytes()
    for word in ("hush", "secretprompt", "secrettag", "secretnote", "secretname", "secretproject"):
        assert word.encode() not in data, word
