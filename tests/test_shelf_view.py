"""What the library's page sends and is sent: anybody may send anything, and a public studio shows each visitor their own alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from studio import embedding
from studio.errors import InvalidInput
from studio.library import Library
from studio.meanings import texts
from studio.provenance.record import Record
from studio.shelf import Filter
from studio.tasks import Write
from tabs import _leaf, _shelf, _shelf_actions
from tabs._form import Desk

ID = "01M81E9RY966Z9KNEEXRMQGB02"


@pytest.fixture
def library(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Library]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "web"))
    library = Library(home)
    yield library
    library.close()


def desk(library: Library, *, public: bool) -> Desk:
    """What a tab is built on, without models."""
    studio: Any = SimpleNamespace(library=library, settings=SimpleNamespace(public=public), cards=(), marks=None)
    page: Any = None
    return Desk(studio, page)


def visitor(session: str) -> Any:
    return SimpleNamespace(session_hash=session, username=None)


def write(library: Library, text: str, session: str = "", owner: str = "local") -> str:
    asked = Write(prompt="a story", seed=1).model_dump(mode="json")
    entry = Record(
        schema_version=1, made_by="Atelier", kind="write", task=asked, asked=asked, model={"name": "Tiny"}, software={"numpy": "2"},
        device="cpu", seconds=1.0, created="2026-01-01T00:00:00.000+00:00",
    )  # fmt: skip
    return library.keep(text.encode(), ".txt", entry, text=text, owner=owner, session=session).id


def ask(where: Desk, session: str, what: str, **more: Any) -> dict[str, Any]:
    value = _shelf_actions.answer(where, {"number": 1, "what": what, **more}, visitor(session), 7)
    assert (value["number"], value["way"]) == (1, {"event": 7, "session": session})
    return {**json.loads(value["text"]), "files": value["files"]}


@pytest.mark.parametrize(
    "data", [None, 3, [], "words", {"words": 3, "starred": "yes", "smallest": -1, "largest": True, "since": "soon", "more": 1}]
)
def test_what_is_no_filter_filters_nothing(data: Any) -> None:
    assert _shelf.filter_of(data) == Filter()


def test_a_filter_is_taken_as_it_is_sent() -> None:
    sent = {"words": '"a" OR (b', "kind": "music", "starred": True, "smallest": 5, "since": "2026-01-31", "until": "2026-02-01"}
    assert _shelf.filter_of(sent) == Filter(
        words='"a" OR (b', kind="music", starred=True, smallest=5, since="2026-01-31", until="2026-02-01"
    )


def test_words_are_compared_by_meaning_where_the_model_for_it_is_here(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    where = desk(library, public=False)
    boat, _ = write(library, "A boat."), write(library, "A tree.")
    asked = {"filter": {"words": "harbour", "meaning": True}, "count": True, "choices": True}
    noticing = SimpleNamespace(here=False, loading=("picture",), spaces=lambda: [texts("m", embed)])
    where.studio.places, where.studio.noticing = None, noticing  # pyright: ignore[reportAttributeAccessIssue]
    assert "under Search by meaning" in ask(where, "s", "page", **asked)["error"]
    noticing.here = True
    monkeypatch.setattr(embedding, "here", lambda _: False)

    def embed(texts: Sequence[str]) -> Any:
        return np.array([[float("boat" in text or "harbour" in text), float("tree" in text)] for text in texts], np.float32)

    value = ask(where, "s", "page", **asked)
    assert ([item["id"] for item in value["items"]], value["total"]) == ([boat], 1)
    assert value["note"] == "The model that finds pictures is being loaded: search again in a moment."
    assert value["choices"]["kind"] == [["write", "Texts"]]
    assert ask(where, "s", "page", **asked, before=boat)["items"] == []
    assert len(ask(where, "s", "page", filter={"words": "", "meaning": True})["items"]) == 2


@pytest.mark.parametrize("data", [None, {}, {"ids": None}, {"ids": ID}, {"ids": [3, None, "../x", ID.lower(), "' OR 1"]}])
def test_what_names_no_creation_is_refused_in_words(data: Any) -> None:
    with pytest.raises(InvalidInput, match="Nothing is selected"):
        _shelf.ids_of(data)


def test_ids_count_once_and_too_many_are_refused() -> None:
    assert _shelf.ids_of({"ids": [ID, ID]}) == (ID,)
    with pytest.raises(InvalidInput, match="1 are the most"):
        _shelf.ids_of({"ids": [ID, ID[:-1] + "3"]}, 1)


def test_a_public_studio_shows_changes_and_opens_what_this_session_made_alone(library: Library) -> None:
    where = desk(library, public=True)
    mine, other = (write(library, f"A story of {who}.", who, "guest") for who in ("mine", "other"))
    assert [item["id"] for item in ask(where, "mine", "page", filter={}, count=True)["items"]] == [mine]
    assert ask(where, "mine", "trash", ids=[mine, other])["ids"] == [mine]
    assert ask(where, "mine", "rename", ids=[other], title="Taken")["error"].endswith("choose another.")
    value, creation, _ = _shelf_actions.opened(where, {"ids": [other]}, visitor("mine"))
    assert creation is None and "token" in value and value["error"]
    assert "error" in _shelf_actions.packed(where, {"ids": [other]}, visitor("mine"))
    assert [item["id"] for item in ask(where, "mine", "page", filter={"trashed": True})["items"]] == [mine]
    ask(where, "mine", "purge", ids=[mine, other])
    assert ask(where, "mine", "page", filter={"trashed": True})["items"] == []
    assert [item["id"] for item in ask(where, "other", "page", filter={}, count=True)["items"]] == [other]


def test_at_home_everything_of_the_owner_is_shown_opened_and_changed(library: Library) -> None:
    where = desk(library, public=False)
    one, two = write(library, "The sea was grey.", "monday"), write(library, "The sea was green.", "tuesday")
    ask(where, "now", "star", ids=[one], on=True)
    ask(where, "now", "tag", ids=[one, two], add=["sea", 3, "sea"])
    ask(where, "now", "move", ids=[two], project="Tides")
    ask(where, "now", "note", ids=[two], note="keep")
    page = ask(where, "now", "page", filter={"tag": "sea"}, count=True, choices=True)
    assert [(item["id"], item["star"], item["project"], item["note"], item["tags"]) for item in page["items"]] == [
        (two, False, "Tides", "keep", ["sea"]),
        (one, True, "", "", ["sea"]),
    ]
    assert page["total"] == 2 and page["choices"]["kind"] == [["write", "Texts"]]
    value, creation, medium = _shelf_actions.opened(where, {"ids": [two]}, visitor("now"))
    assert creation is not None and (creation.id, medium, value["text"]) == (two, "text", "The sea was green.")
    assert dict(value["facts"])["Length"] == "4 words" and dict(value["record"])["Software · numpy"] == "2"
    markdown = ask(where, "now", "files", ids=[two], format="md")["files"]
    assert "The sea was green." in Path(markdown[0]["path"]).read_text("utf-8")
    assert "choose one of the list" in ask(where, "now", "files", ids=[two], format="../../etc/passwd")["error"]


def test_an_unknown_request_is_answered_in_words(library: Library) -> None:
    for what in ("drop", "__class__", None, 3):
        assert "error" in ask(desk(library, public=False), "now", what)  # pyright: ignore[reportArgumentType]


def test_texts_are_compared_by_words_and_what_was_asked_differently_is_told(library: Library) -> None:
    where = desk(library, public=False)
    ids = [write(library, text) for text in ("a grey sea\nat night", "a green sea\nat night")]
    value, sounds = _shelf_actions.compared(where, {"ids": ids}, visitor("now"))
    assert not sounds and value["compared"]["rows"] == []
    pieces = value["compared"]["items"][1]["pieces"]
    assert pieces == [("same", "a "), ("removed", "grey"), ("added", "green"), ("same", " sea\nat night")]
    assert "Two to four" in _shelf_actions.compared(where, {"ids": ids[:1]}, visitor("now"))[0]["error"]


@pytest.mark.parametrize(
    ("first", "second"), [("", "new"), ("old words", ""), ("one\ntwo  three", "one two three\n"), ("a " * 9000, "a " * 9000 + "b")]
)
def test_a_difference_leads_from_one_text_to_the_other(first: str, second: str) -> None:
    pieces = _leaf.difference(first, second)
    assert "".join(words for kind, words in pieces if kind != "added") == first
    assert "".join(words for kind, words in pieces if kind != "removed") == second


def test_the_trash_is_emptied_of_ones_own_alone(library: Library) -> None:
    where = desk(library, public=True)
    mine, others, kept = write(library, "A.", "s", "guest"), write(library, "B.", "t", "guest"), write(library, "C.", "s", "guest")
    library.shelf.trash([mine, others], "guest")
    assert ask(where, "s", "empty")["count"] == 1
    assert ask(where, "s", "empty")["count"] == 0
    assert [item.id for item in library.shelf.page(Filter(trashed=True), owner="guest")] == [others]
    assert library.get(kept, "guest").text == "C."


def test_an_export_of_the_page_comes_back_by_the_page(library: Library, tmp_path: Path) -> None:
    where = desk(library, public=False)
    made = write(library, "A boat.")
    library.shelf.star([made], on=True)
    (parcel,) = [_shelf_actions.packed(where, {"ids": [made]}, visitor("s"))["parcel"]["path"]]
    elsewhere = desk(Library(tmp_path / "elsewhere"), public=True)
    assert "1 creation came into the library" in _shelf_actions.brought(elsewhere, parcel, visitor("s"))
    (item,) = elsewhere.studio.library.shelf.page(Filter(), owner="guest", session="s")
    assert (item.id, item.star, item.words) == (made, True, "A boat.")
    assert "damaged" in _shelf_actions.brought(elsewhere, __file__, visitor("s"))
    assert _shelf_actions.brought(elsewhere, None, visitor("s")) == ""
    elsewhere.studio.library.close()


@pytest.mark.parametrize(
    ("commercial", "words"), [(False, "not for commercial use"), ("limited", "commercial use limited"), (True, "Tiny")]
)
def test_what_weights_that_may_not_be_sold_made_says_so(library: Library, commercial: object, words: str) -> None:
    made = library.get(write(library, "A boat."))
    record: Any = {**made.record, "model": {"name": "Tiny", "commercial": commercial}}
    told = dict(_leaf.facts(replace(made, record=record), library.shelf.item(made.id)))
    assert told["Model"].endswith(words)
