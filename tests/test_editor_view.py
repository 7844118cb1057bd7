"""What the document editor sends and is sent: places in two counts, who is believed, branches, and anybody may send anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import InvalidInput
from studio.library import Library
from studio.provenance.record import Record
from studio.tasks import Write
from studio.writing.spans import Span
from tabs import _editor, _editor_answers
from tabs._form import Desk

FLOWER = "\U0001f33b"
FLAGS = "\U0001f1e9\U0001f1ea"
TEXTS = st.text(alphabet=st.sampled_from([*"ab \n", "é", "\u0301", "ש", FLOWER, "\U00010348"]), max_size=40)


@pytest.fixture
def library(home: Path) -> Iterator[Library]:
    library = Library(home)
    yield library
    library.close()


def desk(library: Library, *, public: bool = False) -> Desk:
    """What a tab is built on, without models."""
    studio: Any = SimpleNamespace(library=library, settings=SimpleNamespace(public=public), cards=(), marks=None)
    page: Any = None
    return Desk(studio, page)


def ask(where: Desk, what: Any, session: str = "now", **more: Any) -> dict[str, Any]:
    visitor: Any = SimpleNamespace(session_hash=session, username=None)
    value = _editor_answers.answer(where, {"number": 3, "what": what, **more}, visitor, 9)
    assert (value["number"], value["way"]) == (3, {"event": 9, "session": session})
    return json.loads(value["text"])


def typed(start: int, end: int, text: str, **more: Any) -> dict[str, Any]:
    return {"start": start, "end": end, "text": text, **more}


def write(library: Library, text: str, session: str = "now", owner: str = "local", **facts: Any) -> str:
    """The id of a creation with that text."""
    asked = Write(prompt="a story", seed=1).model_dump(mode="json")
    entry = Record(
        schema_version=1, made_by="Atelier", kind="write", task=asked, asked=asked, model={"name": "Tiny"}, software={}, device="cpu",
        seconds=1.0, created="2026-01-01T00:00:00.000+00:00", facts=facts,
    )  # fmt: skip
    return library.keep(text.encode(), ".txt", entry, text=text, owner=owner, session=session).id


def units(text: str) -> bytes:
    return text.encode("utf-16-le", "surrogatepass")


@given(TEXTS, st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8), TEXTS), max_size=6))
@settings(max_examples=200, deadline=None)
def test_splices_in_code_units_do_in_code_points_what_the_browser_did(text: str, changes: list[tuple[int, int, str]]) -> None:
    sent, there = list[dict[str, Any]](), units(text)
    for place, length, words in changes:
        start = min(place, len(there) // 2)
        end = min(start + length, len(there) // 2)
        sent.append(typed(start, end, words))
        there = there[: 2 * start] + units(words) + there[2 * end :]
        # a half that stays alone cannot be kept: the studio has U+FFFD there, as long as the half was
        there = units(there.decode("utf-16-le", "replace"))
    assert units(_editor.applied(text, _editor.splices_of(sent, text))) == there


@given(TEXTS)
def test_places_lead_there_and_back(text: str) -> None:
    count = _editor.Units(text)
    assert count.length == len(units(text)) // 2
    for point in range(len(text) + 1):
        assert count.unit(point) == len(units(text[:point])) // 2
        assert count.point(count.unit(point)) == (point, False)


@given(TEXTS, TEXTS)
def test_spans_are_told_in_code_units_and_cover_the_text(one: str, other: str) -> None:
    spans = [span for span in (Span(len(one), "human"), Span(len(other), "machine", "A")) if span.length]
    told = _editor.spans_value(one + other, spans)
    assert [length for length, _, _ in told] == [len(units(part)) // 2 for part in (one, other) if part]


def test_a_splice_within_a_pair_takes_the_pair_along() -> None:
    (splice,) = _editor.splices_of([typed(2, 3, "\udf3c")], f"a{FLOWER}b")
    assert (splice.start, splice.end, splice.text) == (1, 2, "\U0001f33c")
    (alone,) = _editor.splices_of([typed(1, 2, "")], f"a{FLOWER}b")
    assert _editor.applied(f"a{FLOWER}b", [alone]) == "a\ufffdb"


@pytest.mark.parametrize(
    "data",
    [None, "x", {}, [3], [typed(0, 9, "")], [typed(2, 1, "")], [typed(-1, 0, "")], [{"start": 0, "end": True, "text": ""}],
     [{"start": 0.0, "end": 0, "text": ""}], [{"start": 0, "end": 0, "text": 3}], [typed(0, 0, "")] * 5001],
)  # fmt: skip
def test_what_is_no_change_of_this_text_is_refused_in_words(data: Any) -> None:
    with pytest.raises(InvalidInput, match="reload the page"):
        _editor.splices_of(data, "abc")


def test_a_wish_names_its_place_in_code_points() -> None:
    wish = _editor.asked({"action": "rewrite", "document": "D", "version": "V", "start": 2, "end": 4, "words": 3}, f"{FLOWER}a{FLOWER}")
    assert (wish.start, wish.end, wish.words) == (1, 3, "")
    assert wish.place == {"document": "D", "version": "V", "start": 2, "end": 4}
    with pytest.raises(InvalidInput, match="put the cursor"):
        _editor.asked({"action": "rewrite", "start": 0, "end": 9}, "abc")


def test_a_document_is_opened_changed_undone_and_found_again(library: Library) -> None:
    where = desk(library)
    first = ask(where, "open", document="")["document"]
    id = first["id"]
    changed = ask(where, "change", document=id, base=first["version"], splices=[typed(0, 0, f"{FLOWER} grew"), typed(2, 2, "s")])
    assert changed["length"] == 8 and changed["undo"] and "text" not in changed
    assert ask(where, "undo", document=id)["document"]["text"] == ""
    assert ask(where, "redo", document=id)["document"]["text"] == f"{FLOWER}s grew"
    assert ask(where, "open", document="")["document"]["version"] == changed["version"]
    ask(where, "rename", document=id, title="Garden")
    assert [(one["id"], one["title"], one["words"]) for one in ask(where, "list")["documents"]] == [(id, "Garden", 2)]
    assert [one["added"] for one in ask(where, "tree", document=id)["versions"]] == [0, 8 - 1]
    assert ask(where, "go", document=id, version=first["version"])["document"]["text"] == ""


def test_a_document_that_was_removed_is_gone_until_it_is_restored(library: Library) -> None:
    where = desk(library)
    id = ask(where, "new", title="Old", text="words")["document"]["id"]
    ask(where, "remove", document=id)
    assert "trash" in ask(where, "open", document=id)["gone"]
    ask(where, "restore", document=id)
    assert ask(where, "open", document=id)["document"]["text"] == "words"


def test_another_page_that_changed_the_same_version_makes_a_branch_and_says_so(library: Library) -> None:
    where = desk(library)
    document = ask(where, "new", text=f"{FLOWER} sea")["document"]
    id, base = document["id"], document["version"]
    ask(where, "change", document=id, base=base, splices=[typed(2, 2, " green")])
    other = ask(where, "change", document=id, base=base, splices=[typed(0, 2, "grey")])
    assert other["branched"] and ask(where, "open", document=id)["document"]["text"] == "grey sea"
    parents = [one["parent"] for one in ask(where, "tree", document=id)["versions"]]
    assert parents == ["", base, base]


def test_a_change_whose_answer_got_lost_is_made_once(library: Library) -> None:
    where = desk(library)
    document = ask(where, "new", text="sea")["document"]
    sent = {"document": document["id"], "base": document["version"], "splices": [typed(0, 0, "grey ")]}
    first, again = ask(where, "change", **sent), ask(where, "change", **sent)
    assert again["version"] == first["version"] and "branched" not in again
    assert len(ask(where, "tree", document=document["id"])["versions"]) == 2


def test_what_cannot_be_kept_is_refused_in_words_and_changes_nothing(library: Library) -> None:
    where = desk(library)
    document = ask(where, "new", text="sea")["document"]
    id, base = document["id"], document["version"]
    ask(where, "change", document=id, base=base, splices=[typed(3, 3, "s")])
    for splices in ([typed(0, 9, "")], [typed(0, 0, "x" * 1_000_001)], "none"):
        assert "refused" in ask(where, "change", document=id, base=base, splices=splices)
        assert ask(where, "open", document=id)["document"]["text"] == "seas"


def test_only_what_a_creation_of_this_visitor_holds_counts_as_a_models(library: Library) -> None:
    where = desk(library, public=True)
    mine, others = write(library, "The sea was grey.", "me", "guest"), write(library, "The sea was grey.", "you", "guest")
    document = ask(where, "new", "me")["document"]
    sent = [
        typed(0, 0, "sea", origin="machine", creation=mine),
        typed(3, 3, "sea", origin="machine", creation=others),
        typed(6, 6, "my own", origin="machine", creation=mine),
        typed(12, 12, "sea", origin="machine", creation=""),
        typed(15, 15, "sea", origin="edited", creation=mine),
    ]
    answer = ask(where, "change", "me", document=document["id"], base=document["version"], splices=sent)
    assert answer["spans"] == [[3, "machine", mine], [15, "human", ""]]


def test_a_public_studio_shows_each_visitor_their_own_documents_alone(library: Library) -> None:
    where = desk(library, public=True)
    document = ask(where, "new", "me", text="mine")["document"]
    id = document["id"]
    assert ask(where, "list", "you")["documents"] == [] and "gone" in ask(where, "open", "you", document=id)
    for what in ("undo", "tree", "rename", "remove", "fields", "change"):
        assert "error" in ask(where, what, "you", document=id, fields={}, base=document["version"], splices=[])
    assert ask(where, "open", "me", document=id)["document"]["text"] == "mine"


def test_a_rewrite_comes_as_pieces_whose_places_count_in_the_old_text(library: Library) -> None:
    old, new = f"{FLOWER} a grey sea at night", f"{FLOWER} a green sea by night"
    pieces = ask(desk(library), "diff", old=old, new=new)["pieces"]
    assert [(old.encode("utf-16-le")[2 * one["start"] :].decode("utf-16-le")[: len(one["old"])], one["new"]) for one in pieces] == [
        (one["old"], one["new"]) for one in pieces
    ]
    assert {one["old"] for one in pieces} == {"grey", "at"}
    assert "too long" in ask(desk(library), "diff", old="x" * 60_001, new="")["error"]


def test_the_likely_words_of_a_creation_are_told_to_its_owner_alone(library: Library) -> None:
    words = [["The", 0.5, [["A", 0.4]]]]
    mine, plain = write(library, "The", "me", "guest", words=words), write(library, "The", "me", "guest")
    where = desk(library, public=True)
    assert ask(where, "words", "me", creations=[mine, plain, "../x", 3])["words"] == {mine: words, plain: None, "../x": None}
    assert ask(where, "words", "you", creations=[mine])["words"] == {mine: None}


@pytest.mark.parametrize("what", ["drop", "__class__", None, 3, "open\0"])
def test_an_unknown_request_is_answered_in_words(library: Library, what: Any) -> None:
    assert "error" in ask(desk(library), what)


@pytest.mark.parametrize("document", [None, 3, "../../etc/passwd", "x" * 26, {}, "\0"])
def test_an_id_that_is_none_opens_nothing_of_others(library: Library, document: Any) -> None:
    where = desk(library)
    for what in ("undo", "tree", "remove", "change"):
        assert "error" in ask(where, what, document=document)
