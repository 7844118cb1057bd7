"""Storyboards: pictures of a project in a row, with captions and sounds, for each owner alone; and the page they leave as."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from studio import storyboard_page, storyboards
from studio.creations import Sound
from studio.errors import InvalidInput, NotFound
from studio.library import Library
from studio.provenance import sounds
from studio.storyboard_page import Shown
from studio.storyboards import Board
from tests.samples import png, record
from tests.test_library import frozen


@pytest.fixture
def library(home: Path) -> Iterator[Library]:
    library = Library(home)
    yield library
    library.close()


def drawn(library: Library, words: str, owner: str = "local", session: str = "") -> str:
    data, told = png(prompt=words)
    return library.keep(data, ".png", told, owner=owner, session=session).id


def played(library: Library, words: str, owner: str = "local") -> str:
    entry = record(words)
    return library.keep(sounds.encode_flac(Sound(np.zeros((2, 4800), np.float32), 48000), entry), ".flac", entry, owner=owner).id


def told(library: Library, project: str = storyboards.USUAL, owner: str = "local", session: str = "") -> list[str]:
    return [panel.words for panel in library.storyboards.panels(project, owner, session)]


def test_pictures_are_put_at_the_end_and_stay_where_they_are_when_put_in_again(library: Library) -> None:
    boards = library.storyboards
    sea, pier, gull = (drawn(library, words) for words in ("the sea", "the pier", "a gull"))
    assert boards.add([pier]) == boards.add([sea, gull]) == boards.add([pier]) == storyboards.USUAL
    assert told(library) == ["the pier", "the sea", "a gull"]
    assert boards.boards() == (Board(storyboards.USUAL, 3),)
    assert library.shelf.item(sea).project == storyboards.USUAL


def test_a_picture_goes_to_the_storyboard_of_its_own_project(library: Library) -> None:
    boards = library.storyboards
    sea, pier, tree = (drawn(library, words) for words in ("the sea", "the pier", "a tree"))
    library.shelf.move([sea, pier], "Tides")
    assert boards.add([sea]) == "Tides" and boards.add([tree], project="Woods") == "Woods"
    assert told(library, "Tides") == ["the sea"], "what is in the project alone is no panel"
    assert [board.project for board in boards.boards()] == ["Woods", "Tides"]
    library.shelf.move([sea], "Woods")
    assert told(library, "Tides") == [] and told(library, "Woods") == ["a tree"]
    assert boards.add([sea]) == "Woods" and told(library, "Woods") == ["a tree", "the sea"]
    library.shelf.move([sea], "Woods")
    assert told(library, "Woods") == ["a tree", "the sea"], "to where it is already is no move"


def test_panels_are_put_in_another_order_and_what_is_not_named_follows(library: Library) -> None:
    ids = [drawn(library, words) for words in "abcd"]
    library.storyboards.add(ids)
    library.storyboards.arrange(storyboards.USUAL, [ids[2], "nobody", ids[0], ids[2]])
    assert told(library) == ["c", "a", "b", "d"]
    library.storyboards.add([drawn(library, "e")])
    assert told(library) == ["c", "a", "b", "d", "e"]


def test_a_caption_of_ones_own_stands_for_the_prompt_and_stays_when_the_picture_is_taken_out(library: Library) -> None:
    boards = library.storyboards
    sea = drawn(library, "the sea")
    boards.add([sea])
    boards.caption(sea, "  Morning.\x00 Nobody yet.\n")
    assert told(library) == ["Morning. Nobody yet."]
    boards.remove([sea])
    assert told(library) == [] and boards.boards() == () and library.shelf.item(sea).project == storyboards.USUAL
    boards.add([sea])
    assert told(library) == ["Morning. Nobody yet."]
    boards.caption(sea, "")
    library.shelf.rename(sea, "The grey sea")
    assert told(library) == ["The grey sea"]
    with pytest.raises(InvalidInput, match="Shorten it"):
        boards.caption(sea, "x" * (storyboards.CAPTION_LIMIT + 1))


def test_a_panel_has_a_sound_as_long_as_that_is_there(library: Library) -> None:
    boards = library.storyboards
    sea, waves, rain = drawn(library, "the sea"), played(library, "waves"), played(library, "rain")
    boards.add([sea])
    library.shelf.move([waves], storyboards.USUAL)
    assert [heard.words for heard in boards.sounds(storyboards.USUAL)] == ["waves", "rain"], "those of the project first"
    boards.sound(sea, rain)
    (panel,) = boards.panels(storyboards.USUAL)
    assert (panel.sound, panel.heard) == (rain, "rain")
    library.shelf.trash([rain])
    assert boards.panels(storyboards.USUAL)[0].sound == ""
    library.shelf.restore([rain])
    assert boards.panels(storyboards.USUAL)[0].sound == rain
    boards.sound(sea, "")
    assert boards.panels(storyboards.USUAL)[0].sound == ""
    for none in (sea, "../x", "' OR 1"):
        with pytest.raises(NotFound, match="sound is not"):
            boards.sound(sea, none)


def test_what_is_in_the_trash_is_in_no_row_and_comes_back_to_its_place(library: Library) -> None:
    ids = [drawn(library, words) for words in "abc"]
    library.storyboards.add(ids)
    library.shelf.trash([ids[1]])
    assert told(library) == ["a", "c"]
    library.storyboards.arrange(storyboards.USUAL, [ids[2], ids[0]])
    library.shelf.restore([ids[1]])
    assert told(library) == ["c", "a", "b"]


def test_others_see_and_change_nothing(library: Library) -> None:
    boards = library.storyboards
    mine, theirs = drawn(library, "mine", "me", "one"), drawn(library, "theirs", "them", "two")
    boards.add([mine], "me", "one")
    boards.add([theirs, mine], "them", "two")
    assert (told(library, owner="me"), told(library, owner="them", session="two")) == (["mine"], ["theirs"])
    assert told(library, owner="me", session="two") == []
    for change in (
        lambda: boards.caption(mine, "taken", "them"),
        lambda: boards.sound(mine, "", "them"),
        lambda: boards.add([mine], "them"),
    ):
        with pytest.raises(NotFound):
            change()
    boards.remove([mine], "them")
    boards.arrange(storyboards.USUAL, [mine], "them")
    assert told(library, owner="me") == ["mine"]


def test_what_is_no_picture_is_refused_and_a_row_has_an_end(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    text = library.keep(b"words", ".txt", record("words"), text="words").id
    for none in ([], [text], ["nobody"], [played(library, "waves")]):
        with pytest.raises(NotFound, match="choose a picture"):
            library.storyboards.add(none)
    monkeypatch.setattr(storyboards, "MOST", 2)
    library.storyboards.add([drawn(library, "a"), drawn(library, "b")])
    with pytest.raises(InvalidInput, match="at most 2 panels"):
        library.storyboards.add([drawn(library, "c")])
    assert told(library) == ["a", "b"]


def test_a_panel_of_version_8_is_kept(home: Path) -> None:
    frozen(home, 8)
    library = Library(home)
    assert library.storyboards.boards() == ()
    library.shelf.restore(["01JD0000000000000000000003"])
    assert told(library, "Tides") == ["A calm sea"]
    library.close()


def test_the_page_holds_everything_and_captions_are_text() -> None:
    evil = '</figcaption><script>alert("1")</script> \ud800'
    made = storyboard_page.page('A & "B"', [Shown(evil, b"\xff\xd8jpeg"), Shown("two", b"\xff\xd8", b"ID3", '"><img onerror=x>')]).decode()
    assert "<script" not in made and "onerror=x>" not in made and "<h1>A &amp; &quot;B&quot;</h1>" in made
    assert made.count("<figure>") == 2 and made.count("<audio") == 1 and "data:audio/mpeg;base64,SUQz" in made
    assert "made by machine" in made and "http" not in made.replace("http-equiv", ""), "nothing is fetched"
