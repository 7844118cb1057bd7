"""What the storyboard's page sends and is sent: anybody may send anything, and a public studio shows each visitor their own alone."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import numpy as np
import pytest

from studio.creations import Sound, Take
from studio.library import Library
from studio.marks import Marks
from studio.provenance import sounds
from studio.provenance.record import compose
from studio.settings import Settings
from studio.storyboards import USUAL
from studio.tasks import Compose
from tabs import _board, storyboard
from tabs._form import Desk
from tests.samples import CARD, png, record

ID = "01M81E9RY966Z9KNEEXRMQGB02"


@pytest.fixture
def library(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "web"))
    library = Library(home)
    yield library
    library.close()


def desk(library: Library, tmp_path: Path, *, public: bool = False) -> Desk:
    marks = Marks(Settings(home=tmp_path / "identity"))
    studio: Any = SimpleNamespace(library=library, settings=SimpleNamespace(public=public), cards=(), marks=marks)
    page: Any = None
    return Desk(studio, page)


def visitor(session: str) -> Any:
    return SimpleNamespace(session_hash=session, username=None)


def ask(where: Desk, session: str, what: str, **more: Any) -> dict[str, Any]:
    value = _board.answer(where, {"number": 1, "what": what, **more}, visitor(session), 7)
    assert (value["number"], value["way"]) == (1, {"event": 7, "session": session})
    return {**json.loads(value["text"]), "files": value["files"]}


def drawn(library: Library, words: str, owner: str = "local", session: str = "") -> str:
    data, told = png(prompt=words)
    return library.keep(data, ".png", told, owner=owner, session=session).id


def played(library: Library, words: str) -> str:
    task = Compose.checked({"prompt": words, "seed": 1})
    entry = compose(task, task, CARD, Take(Sound(np.zeros((2, 8), np.float32), 48000), 1), "cpu", 1)
    wave = (0.3 * np.sin(np.arange(24000) / 20)).astype(np.float32)
    return library.keep(sounds.encode_flac(Sound(np.stack([wave, wave]), 48000), entry), ".flac", entry).id


def test_what_was_sent_is_shown_with_all_that_can_be_chosen(library: Library, tmp_path: Path) -> None:
    where = desk(library, tmp_path)
    assert ask(where, "s", "board")["boards"] == []
    sea, waves = drawn(library, "the sea"), played(library, "waves")
    assert storyboard.taken(where, sea, visitor("s"))["show"] == USUAL
    assert ask(where, "s", "caption", ids=[sea], caption="Morning.") == {"files": []}
    ask(where, "s", "sound", ids=[sea], sound=waves)
    shown = ask(where, "s", "board", project="another")
    assert (shown["project"], shown["boards"], shown["sounds"]) == (USUAL, [[USUAL, 1]], [[waves, "waves"]])
    plain = {"waits": False, "picture": "", "origin": ""}
    told = {"id": sea, "caption": "Morning.", "told": "the sea", "sound": waves, "heard": "waves", "missing": False}
    assert shown["panels"] == [told | plain]
    assert ask(where, "s", "thumbs", ids=[sea, ID])["thumbs"][sea].startswith("data:image/webp;base64,")
    assert ask(where, "s", "file", ids=[waves])["files"][0]["orig_name"].endswith(".flac")
    assert ask(where, "s", "remove", ids=[sea]) == {"files": []} and ask(where, "s", "board")["panels"] == []


@pytest.mark.parametrize("what", ["thumbs", "arrange", "caption", "sound", "remove", "add", "file", "none", None, 3])
@pytest.mark.parametrize("ids", [None, [], ID, [3], [ID], [f"{ID}x"]])
def test_what_names_no_panel_changes_nothing_and_is_answered_in_words(library: Library, tmp_path: Path, what: Any, ids: Any) -> None:
    found = ask(desk(library, tmp_path), "s", what, ids=ids, caption={"x": 1}, sound=["y"], project=9)
    if not (what in ("thumbs", "arrange", "remove") and ids == [ID]):
        assert found["error"][0].isupper() and found["error"].endswith(".")


def test_a_guest_sees_changes_and_takes_away_their_own_alone(library: Library, tmp_path: Path) -> None:
    where = desk(library, tmp_path, public=True)
    mine, theirs = drawn(library, "mine", "guest", "one"), drawn(library, "theirs", "guest", "two")
    for id, session in ((mine, "one"), (theirs, "two")):
        ask(where, session, "add", ids=[id])
    assert [panel["id"] for panel in ask(where, "one", "board")["panels"]] == [mine]
    for what in ("caption", "sound", "file", "add"):
        assert "error" in ask(where, "one", what, ids=[theirs], caption="taken")
    ask(where, "one", "remove", ids=[theirs])
    assert [panel["caption"] for panel in ask(where, "two", "board")["panels"]] == [""]
    value = _board.packed(where, {"project": USUAL, "format": "page"}, visitor("one"))
    assert Path(value["parcel"]["path"]).read_bytes().count(b"<figure>") == 1


def test_a_storyboard_leaves_as_one_page_and_as_a_zip_in_its_order(library: Library, tmp_path: Path) -> None:
    where = desk(library, tmp_path)
    sea, pier, waves = drawn(library, "the sea"), drawn(library, "the pier"), played(library, "waves")
    ask(where, "s", "add", ids=[sea, pier], project="Tides: one")
    ask(where, "s", "arrange", ids=[pier, sea], project="Tides: one")
    ask(where, "s", "caption", ids=[pier], caption="Nobody <b>here</b>")
    ask(where, "s", "sound", ids=[pier], sound=waves)
    page = _board.packed(where, {"project": "Tides: one", "format": "page"}, visitor("s"))
    words = Path(page["parcel"]["path"]).read_text("utf-8")
    assert page["parcel"]["orig_name"] == "Tides one.html" and page["words"] == "Tides one.html is ready: 2 panels."
    assert words.index("Nobody &lt;b&gt;here") < words.index("the sea") and words.count("data:audio/mpeg") == 1
    bundle = _board.packed(where, {"project": "Tides: one", "format": "zip"}, visitor("s"))
    with zipfile.ZipFile(bundle["parcel"]["path"]) as file:
        names = [name for name in file.namelist() if name[:3].isdigit()]
        assert names == ["001 Nobody b here b.png", "002 waves.flac", "003 the sea.png"]
        assert "contact-sheet.jpg" in file.namelist()


def test_a_storyboard_in_a_zip_comes_back_as_one(library: Library, tmp_path: Path) -> None:
    where = desk(library, tmp_path)
    sea, pier, waves = drawn(library, "the sea"), drawn(library, "the pier"), played(library, "waves")
    ask(where, "s", "add", ids=[pier, sea], project="Tides")
    ask(where, "s", "caption", ids=[sea], caption="Last.")
    ask(where, "s", "sound", ids=[sea], sound=waves)
    path = Path(_board.packed(where, {"project": "Tides", "format": "zip"}, visitor("s"))["parcel"]["path"])
    other = Library(tmp_path / "other")
    other.incoming.bring(path)
    panels = other.storyboards.panels("Tides")
    assert [(panel.words, panel.heard) for panel in panels] == [("the pier", ""), ("Last.", "waves")]
    other.close()


def test_what_a_zip_says_of_a_panel_is_believed_of_pictures_alone(library: Library, tmp_path: Path) -> None:
    where = desk(library, tmp_path)
    ask(where, "s", "add", ids=[drawn(library, "the sea")], project="Tides")
    path = Path(_board.packed(where, {"project": "Tides", "format": "zip"}, visitor("s"))["parcel"]["path"])
    lies = tmp_path / "lies.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(lies, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "library.json":
                told = json.loads(data)
                told["creations"][0] |= {"panel": 7, "panel_words": "x" * 9000, "panel_sound": "../../etc/passwd", "project": ""}
                data = json.dumps(told).encode()
            new.writestr(name, data)
    other = Library(tmp_path / "other")
    (id,) = other.incoming.bring(lies).ids
    item = other.shelf.item(id)
    assert (item.panel, len(item.panel_words), item.panel_sound) == (0, 1000, "")
    other.close()


def test_an_empty_one_is_not_packed_and_a_sound_that_is_gone_is_left_out(library: Library, tmp_path: Path) -> None:
    where = desk(library, tmp_path)
    for data in (None, {}, {"project": "none"}, {"project": 3}):
        assert "is empty" in _board.packed(where, data, visitor("s"))["error"]
    sea, waves = drawn(library, "the sea"), played(library, "waves")
    ask(where, "s", "add", ids=[sea])
    ask(where, "s", "sound", ids=[sea], sound=waves)
    library.get(waves).path.unlink()
    value = _board.packed(where, {"project": USUAL}, visitor("s"))
    assert value["words"].endswith("1 sounds could not be read and are left out.")


def test_a_text_is_handed_to_no_storyboard(library: Library, tmp_path: Path) -> None:
    where = desk(library, tmp_path)
    text = library.keep(b"words", ".txt", record("words"), text="words").id
    with pytest.raises(Exception, match="choose a picture"):
        storyboard.taken(where, text, visitor("s"))
    with pytest.raises(gr.Error):
        where.creation(ID, visitor("s"))
