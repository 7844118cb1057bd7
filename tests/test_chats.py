"""Conversations beside a document: branches, what survives a restart, and whose they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import InvalidInput, NotFound
from studio.library import Library
from studio.writing import chats
from studio.writing.chats import Chats, Turn, said
from studio.writing.manuscripts import Manuscripts


@pytest.fixture
def documents(home: Path) -> Manuscripts:
    return Library(home).manuscripts


def talk(known: Chats, chat: str, *messages: str, parent: str | None = None) -> tuple[Turn, ...]:
    """Say these one after the other; each is answered with itself in capitals."""
    for message in messages:
        line = known.line(chat, "local", end=parent)
        turn = known.ask(chat, "local", "", line[-1].id if line else "", message)
        known.answered(chat, "local", "", turn.id, [(message.upper(), "A" * 26)])
        parent = None
    return known.line(chat, "local")


def texts(line: tuple[Turn, ...]) -> list[str]:
    return [turn.message for turn in line]


def test_a_conversation_is_there_after_a_restart_and_named_after_its_first_message(home: Path) -> None:
    library = Library(home)
    document = library.manuscripts.new("local")
    chat = library.manuscripts.chats.new(document.id, "local")
    talk(library.manuscripts.chats, chat.id, "Who is\nAna?", "And Tom?")
    library.close()
    known = Library(home).manuscripts.chats
    (listed,) = known.list(document.id, "local")
    assert (listed.title, listed.turns) == ("Who is Ana?", 2)
    assert said(known.line(chat.id, "local")) == ("Who is\nAna?", "WHO IS\nANA?", "And Tom?", "AND TOM?")


def test_a_changed_message_begins_a_branch_and_the_other_can_be_shown_again(documents: Manuscripts) -> None:
    known = documents.chats
    chat = known.new(documents.new("local").id, "local").id
    one, two, three = talk(known, chat, "one", "two", "three")
    changed = known.ask(chat, "local", "", one.id, "zwei")
    assert texts(known.line(chat, "local")) == ["one", "zwei"] and changed.others == (two.id, changed.id)
    assert texts(known.show(chat, "local", "", two.id)) == ["one", "two", "three"]
    assert known.open(chat, "local").head == three.id
    first = known.ask(chat, "local", "", "", "eins")
    assert texts(known.line(chat, "local")) == ["eins"] and first.others == (one.id, first.id)


def test_several_answers_are_branches_and_the_first_is_shown(documents: Manuscripts) -> None:
    known = documents.chats
    chat = known.new(documents.new("local").id, "local").id
    turn = known.ask(chat, "local", "", "", "Say a word.")
    known.answered(chat, "local", "", turn.id, [("sea", "A" * 26), ("sky", "B" * 26), ("sun", "C" * 26)])
    known.answered(chat, "local", "", turn.id, [("late", "D" * 26)])
    (shown,) = known.line(chat, "local")
    assert shown.answer == "sea" and len(shown.others) == 3
    assert [known.show(chat, "local", "", id)[-1].answer for id in shown.others] == ["sea", "sky", "sun"]


def test_a_message_without_an_answer_is_not_said_again_and_can_be_taken_back(documents: Manuscripts) -> None:
    known = documents.chats
    chat = known.new(documents.new("local").id, "local").id
    (one,) = talk(known, chat, "one")
    pending = known.ask(chat, "local", "", one.id, "two")
    assert said(known.line(chat, "local")) == ("one", "ONE")
    known.drop(chat, "local", "", pending.id)
    assert texts(known.line(chat, "local")) == ["one"]
    known.drop(chat, "local", "", one.id)
    assert texts(known.line(chat, "local")) == ["one"], "what was answered stays"


def test_conversations_are_seen_by_those_who_see_the_document_and_go_with_it(documents: Manuscripts) -> None:
    known = documents.chats
    mine, guest = documents.new("ana"), documents.new("guest", "s1")
    chat, other = known.new(mine.id, "ana").id, known.new(guest.id, "guest", "s1").id
    for owner, session in (("bob", ""), ("guest", "s2")):
        for one in (chat, other):
            for call in (known.line, known.open, known.remove):
                with pytest.raises(NotFound):
                    call(one, owner, session)
            with pytest.raises(NotFound):
                known.ask(one, owner, session, "", "hello")
        with pytest.raises(NotFound):
            known.new(mine.id, owner, session)
        assert known.list(mine.id, owner, session) == ()
    documents.remove(mine.id, "ana")
    with pytest.raises(NotFound):
        known.open(chat, "ana")
    documents.restore(mine.id, "ana")
    assert known.open(chat, "ana").id == chat


def test_forgetting_an_owner_forgets_what_was_talked_about(home: Path) -> None:
    library = Library(home)
    document = library.manuscripts.new("ana")
    chat = library.manuscripts.chats.new(document.id, "ana").id
    library.manuscripts.chats.ask(chat, "ana", "", "", "a secret")
    library.forget_owner("ana")
    assert library._index.rows("SELECT * FROM chat_turns") == []


def test_a_conversation_is_renamed_and_deleted(documents: Manuscripts) -> None:
    document = documents.new("local")
    known = documents.chats
    chat = known.new(document.id, "local").id
    known.rename(chat, "local", "", "  On\nAna ")
    assert known.list(document.id, "local")[0].title == "On Ana"
    known.remove(chat, "local")
    assert known.list(document.id, "local") == ()


def test_what_cannot_be_kept_gets_a_sentence(documents: Manuscripts, monkeypatch: pytest.MonkeyPatch) -> None:
    known = documents.chats
    chat = known.new(documents.new("local").id, "local").id
    for message, words in (("  ", "Say something first"), ("x" * 60_001, "at most 60,000"), ("a\x00", "control character")):
        with pytest.raises(InvalidInput, match=words):
            known.ask(chat, "local", "", "", message)
    with pytest.raises(NotFound, match="That message is gone"):
        known.ask(chat, "local", "", "0" * 26, "hello")
    monkeypatch.setattr(chats, "TURNS_LIMIT", 1)
    talk(known, chat, "one")
    with pytest.raises(InvalidInput, match="begin a new one"):
        known.ask(chat, "local", "", "", "two")
