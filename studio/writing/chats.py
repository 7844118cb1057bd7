"""Conversations beside a document, kept with it: several of them, each a tree of messages with their answers.

A message that is changed, and an answer that is written once more, begin a branch: what was said before stays and can be shown again.
Whoever may see the document may see its conversations; they go where it goes. Knows the index; knows no task, no model and no page.
"""

# ruff: noqa: S608 - questions are put together from the parts below; every value is bound

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from studio.errors import InvalidInput, NotFound
from studio.index import Index, known_id, moment
from studio.storage import new_id
from studio.writing import belongings
from studio.writing.spans import checked

CHATS_LIMIT = 200
"""Conversations of one document."""
TURNS_LIMIT = 2_000
"""Messages of one conversation, all branches together."""
MESSAGE_LIMIT = 60_000
TITLE = 60
"""Characters of the first message that name a conversation."""


@dataclass(frozen=True)
class Chat:
    """A conversation in a list. `turns` counts its messages, `head` is the last one shown, '' before there is any."""

    id: str
    title: str
    head: str
    changed: str
    turns: int


@dataclass(frozen=True)
class Turn:
    """A message and its answer, '' while there is none. `sees`: what of the document it was asked about.

    `creation` is the id of the answer. `others` are the ids of the branches that begin here, this one's too, the oldest first.
    """

    id: str
    parent: str
    message: str
    sees: str
    answer: str
    creation: str
    created: str
    others: tuple[str, ...] = ()


class Chats:
    """Thread-safe, as the index is. A conversation of others is NotFound."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def new(self, manuscript: str, owner: str, session: str = "") -> Chat:
        """Begin one beside a document; it is named after its first message."""
        id, now = new_id(), moment()
        with self._index.transaction() as index:
            mine = (known_id(manuscript), owner, session, session)
            if not index.execute(f"SELECT 1 FROM manuscripts m WHERE m.id = ? AND {_MINE}", mine).fetchone():
                raise NotFound(_GONE)
            (count,) = index.execute("SELECT count(*) FROM chats WHERE manuscript = ?", (manuscript,)).fetchone()
            if count >= CHATS_LIMIT:
                raise InvalidInput(f"This document has {CHATS_LIMIT} conversations already: delete one first.")
            index.execute(
                "INSERT INTO chats (id, manuscript, title, created, changed, schema_version) VALUES (?, ?, '', ?, ?, 1)",
                (id, manuscript, now, now),
            )
        return Chat(id, "", "", now, 0)

    def list(self, manuscript: str, owner: str, session: str = "") -> tuple[Chat, ...]:
        """The conversations of a document, the one changed last first."""
        rows = self._index.rows(f"{_LISTED} AND m.id = ? ORDER BY c.changed DESC, c.rowid DESC", *_whose(owner, session), manuscript)
        return tuple(Chat(*row) for row in rows)

    def open(self, chat: str, owner: str, session: str = "") -> Chat:
        """One of them."""
        rows = self._index.rows(f"{_LISTED} AND c.id = ?", *_whose(owner, session), known_id(chat))
        if not rows:
            raise NotFound(_GONE)
        return Chat(*rows[0])

    def line(self, chat: str, owner: str, session: str = "", end: str | None = None) -> tuple[Turn, ...]:
        """The messages that lead to `end`, the first one first; without it to the last one shown, with '' to none."""
        found = self.open(chat, owner, session)
        rows = self._index.rows(_LINE, found.head if end is None else end, found.id)
        branches: dict[str, list[str]] = {}
        for row in self._index.rows("SELECT parent, id FROM chat_turns WHERE chat = ? ORDER BY seq", found.id):
            branches.setdefault(row["parent"], []).append(row["id"])
        return tuple(Turn(*row, others=tuple(branches.get(row["parent"], ()))) for row in rows)

    def ask(self, chat: str, owner: str, session: str, parent: str, message: str, sees: str = "") -> Turn:
        """Put a message behind `parent` ('': as the first one); it is the last one shown from now on."""
        if not message.strip() or len(message) > MESSAGE_LIMIT:
            raise InvalidInput("Say something first." if not message.strip() else f"A message has at most {MESSAGE_LIMIT:,} characters.")
        message, found = checked(message, "The message"), self.open(chat, owner, session)
        with self._index.transaction() as index:
            if parent and not index.execute("SELECT 1 FROM chat_turns WHERE id = ? AND chat = ?", (parent, found.id)).fetchone():
                raise NotFound("That message is gone: reload the page.")
            if found.turns >= TURNS_LIMIT:
                raise InvalidInput(f"This conversation has {TURNS_LIMIT:,} messages: begin a new one.")
            turn = _added(index, found.id, parent, message, sees, "", "")
            title = found.title or " ".join(message.split())[:TITLE]
            index.execute("UPDATE chats SET head = ?, title = ?, changed = ? WHERE id = ?", (turn, title, moment(), found.id))
        return self.line(chat, owner, session)[-1]

    def answered(self, chat: str, owner: str, session: str, turn: str, answers: Sequence[tuple[str, str]]) -> None:
        """Keep what was answered, each with the id of its creation: the first with the message itself, further ones as branches beside it.

        Nothing happens where it was kept before.
        """
        (held,) = self.line(chat, owner, session, turn)[-1:] or (None,)
        if held is None or held.answer or not answers:
            return
        with self._index.transaction() as index:
            text, creation = answers[0]
            index.execute("UPDATE chat_turns SET answer = ?, creation = ? WHERE id = ? AND answer = ''", (text, creation, turn))
            for text, creation in answers[1:]:
                _added(index, chat, held.parent, held.message, held.sees, text, creation)
            index.execute("UPDATE chats SET changed = ? WHERE id = ?", (moment(), chat))

    def show(self, chat: str, owner: str, session: str, turn: str) -> tuple[Turn, ...]:
        """Show the branch that `turn` begins, to its newest end."""
        found = self.open(chat, owner, session)
        rows = self._index.rows(_NEWEST, turn, found.id)
        if not rows:
            raise NotFound("That message is gone: reload the page.")
        with self._index.transaction() as index:
            index.execute("UPDATE chats SET head = ? WHERE id = ?", (rows[-1]["id"], found.id))
        return self.line(chat, owner, session)

    def drop(self, chat: str, owner: str, session: str, turn: str) -> None:
        """Take back a message that never got an answer."""
        found = self.open(chat, owner, session)
        with self._index.transaction() as index:
            row = index.execute("SELECT parent FROM chat_turns WHERE id = ? AND chat = ? AND answer = ''", (turn, found.id)).fetchone()
            if row is None:
                return
            index.execute("UPDATE chats SET head = ? WHERE id = ? AND head = ?", (row["parent"], found.id, turn))
            index.execute("DELETE FROM chat_turns WHERE id = ? AND NOT EXISTS (SELECT 1 FROM chat_turns WHERE parent = ?)", (turn, turn))

    def rename(self, chat: str, owner: str, session: str, title: str) -> None:
        """Give it another name."""
        found, title = self.open(chat, owner, session), belongings.line(title, "Title")
        with self._index.transaction() as index:
            index.execute("UPDATE chats SET title = ? WHERE id = ?", (title, found.id))

    def remove(self, chat: str, owner: str, session: str = "") -> None:
        """Delete it for good; its answers stay in the library as texts."""
        found = self.open(chat, owner, session)
        with self._index.transaction() as index:
            index.execute("DELETE FROM chats WHERE id = ?", (found.id,))


def said(line: Sequence[Turn]) -> tuple[str, ...]:
    """Messages and answers by turns; a message without an answer is left out."""
    return tuple(text for turn in line if turn.answer.strip() for text in (turn.message, turn.answer))


_MINE = "m.trashed = '' AND m.owner = ? AND (? = '' OR m.session = ?)"
_LISTED = (
    "SELECT c.id, c.title, c.head, c.changed, (SELECT count(*) FROM chat_turns t WHERE t.chat = c.id)"
    f" FROM chats c JOIN manuscripts m ON m.id = c.manuscript WHERE {_MINE}"
)
_LINE = (
    "WITH RECURSIVE line AS (SELECT t.*, 0 AS depth FROM chat_turns t WHERE t.id = ?1 AND t.chat = ?2 UNION ALL"
    " SELECT t.*, l.depth + 1 FROM line l JOIN chat_turns t ON t.id = l.parent AND t.chat = ?2 AND t.seq < l.seq)"
    " SELECT id, parent, message, sees, answer, creation, created FROM line ORDER BY depth DESC"
)
_NEWEST = (
    "WITH RECURSIVE line AS (SELECT t.* FROM chat_turns t WHERE t.id = ?1 AND t.chat = ?2 UNION ALL"
    " SELECT t.* FROM line l JOIN chat_turns t ON t.seq = (SELECT max(n.seq) FROM chat_turns n WHERE n.parent = l.id AND n.chat = ?2)"
    " AND t.seq > l.seq) SELECT id FROM line ORDER BY seq"
)
_GONE = "This conversation is not kept here (any more): begin a new one."


def _whose(owner: str, session: str) -> tuple[str, str, str]:
    return owner, session, session


def _added(index: sqlite3.Connection, chat: str, parent: str, message: str, sees: str, answer: str, creation: str) -> str:
    id = new_id()
    index.execute(
        "INSERT INTO chat_turns (id, chat, parent, message, sees, answer, creation, created, schema_version)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1)",
        (id, chat, parent, message, sees, answer, creation, moment()),
    )
    return id
