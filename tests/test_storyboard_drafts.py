"""Drafted panels in the library: words of a machine with a record, that a person changes, and whose places pictures take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio import storyboard_drafts, storyboards
from studio.creations import Creation, Passage
from studio.errors import InvalidInput, NotFound
from studio.library import Library
from studio.marks import Marks
from studio.provenance.record import compose
from studio.search import Filter
from studio.settings import Settings
from studio.storyboards import USUAL
from studio.tasks import Write
from studio.writing.panels import Drafted
from tests.samples import CARD
from tests.test_library import frozen
from tests.test_storyboards import drawn, played

PANELS = (Drafted(caption="A gull is lost.", picture="a grey gull on a stair"), Drafted(caption="It flies.", picture="a gull over the sea"))


@pytest.fixture
def library(home: Path) -> Iterator[Library]:
    library = Library(home)
    yield library
    library.close()


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(Settings(home=tmp_path / "identity"))


def answered(library: Library, owner: str = "local", session: str = "") -> Creation:
    task = Write.checked({"prompt": "a storyboard", "seed": 3})
    entry = compose(task, task, CARD, Passage("{}", 3, 9), "cpu", 1)
    return library.keep(b"{}", ".txt", entry, owner=owner, session=session, text="{}")


def drafted(library: Library, marks: Marks, owner: str = "local", session: str = "", within: str = "") -> tuple[str, ...]:
    return storyboard_drafts.kept(answered(library, owner, session), PANELS, library, marks, "", owner, session, within)[1]


def test_drafted_panels_stand_at_the_end_as_words_of_a_machine(library: Library, marks: Marks) -> None:
    sea = drawn(library, "the sea")
    library.storyboards.add([sea])
    first, second = drafted(library, marks)
    panels = library.storyboards.panels(USUAL)
    assert [panel.id for panel in panels] == [sea, first, second]
    assert [(panel.caption, panel.picture, panel.waits, panel.origin) for panel in panels[1:]] == [
        (one.caption, one.picture, True, "machine") for one in PANELS
    ]
    assert (panels[0].waits, panels[0].origin) == (False, "")
    kept = library.get(first)
    answer = library.get(str(kept.record["parents"][0]))  # pyright: ignore[reportIndexIssue,reportOptionalSubscript,reportArgumentType]
    assert kept.text == PANELS[0].picture and kept.record["machine_made"] and kept.record["model"] == answer.record["model"]
    assert library.shelf.item(answer.id).title == storyboard_drafts.TITLE
    assert [item.id for item in library.shelf.page(Filter(words="grey gull"))] == [first]


def test_words_are_changed_and_it_shows(library: Library, marks: Marks) -> None:
    first, second = drafted(library, marks)
    boards = library.storyboards
    boards.caption(first, "A gull has lost its way.")
    boards.picture(second, "  a white gull over the sea\x00 ")
    one, other = boards.panels(USUAL)
    assert (one.caption, one.origin, one.picture) == ("A gull has lost its way.", "edited", PANELS[0].picture)
    assert (other.origin, other.picture) == ("machine", "a white gull over the sea")
    boards.caption(first, PANELS[0].caption)
    boards.picture(second, "")
    assert [(panel.origin, panel.picture) for panel in boards.panels(USUAL)] == [("machine", panel.picture) for panel in PANELS]
    with pytest.raises(InvalidInput, match="Picture is 1,001 characters"):
        boards.picture(second, "x" * 1001)


def test_a_picture_made_from_its_words_takes_the_place_of_a_panel(library: Library, marks: Marks) -> None:
    boards = library.storyboards
    first, second = drafted(library, marks)
    waves = played(library, "waves")
    boards.sound(first, waves)
    boards.picture(second, "a white gull")
    assert boards.add([drawn(library, "a grey gull on a stair, evening")]) == USUAL
    one, other = boards.panels(USUAL)
    assert (one.caption, one.sound, one.waits, one.origin, one.draft) == ("A gull is lost.", waves, False, "machine", first)
    assert other.id == second and other.waits
    boards.add([drawn(library, "a gull over the sea")])
    assert [panel.waits for panel in boards.panels(USUAL)] == [False, True, False], "the words of that picture were changed"
    boards.add([drawn(library, "a white gull")])
    assert [panel.words for panel in boards.panels(USUAL)] == ["A gull is lost.", "It flies.", "a gull over the sea"]
    boards.remove([one.id])
    boards.add([first])
    assert [panel.id for panel in boards.panels(USUAL)][-1] == first, "what was drafted can be put in again"


def test_a_draft_is_undone_by_the_trash_and_comes_back_as_it_was(library: Library, marks: Marks) -> None:
    ids = drafted(library, marks)
    library.shelf.trash(ids)
    assert library.storyboards.boards() == () and library.storyboards.panels(USUAL) == ()
    library.shelf.restore(ids)
    assert [panel.id for panel in library.storyboards.panels(USUAL)] == list(ids)


def test_others_see_and_change_no_draft_and_their_pictures_take_no_place(library: Library, marks: Marks) -> None:
    first, _ = drafted(library, marks, "guest", "one", "one")
    boards = library.storyboards
    for session in ("two", "three"):
        with pytest.raises(NotFound):
            boards.picture(first, "taken", "guest", session)
    boards.add([drawn(library, PANELS[0].picture, "guest", "two")], "guest", "two")
    assert [panel.waits for panel in boards.panels(USUAL, "guest", "one")] == [True, True]
    assert [panel.waits for panel in boards.panels(USUAL, "guest", "two")] == [False]


def test_too_many_panels_leave_the_storyboard_as_it_was(library: Library, marks: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    sea = drawn(library, "the sea")
    library.storyboards.add([sea])
    monkeypatch.setattr(storyboards, "MOST", 2)
    with pytest.raises(InvalidInput, match="at most 2 panels"):
        drafted(library, marks)
    assert [panel.id for panel in library.storyboards.panels(USUAL)] == [sea]
    assert library.shelf.page(Filter(words="grey gull")) == ()


def test_a_drafted_panel_of_version_9_is_kept(home: Path) -> None:
    frozen(home, 9)
    library = Library(home)
    (panel,) = library.storyboards.panels("Tides")
    assert (panel.caption, panel.picture, panel.waits, panel.origin) == ("The tide turns.", "Waves go out", True, "machine")
    library.close()
