"""Storyboards: the pictures of a project in a row of panels, each with a caption and, where it has one, a sound.

A panel is a picture of the library with a place in its project's row; captions and sounds are written beside it, so that a picture taken
out and put in again has them still. Knows the index; knows no file and no page.
"""

# ruff: noqa: S608 - questions are put together from the parts below; every value is bound

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from studio.errors import InvalidInput, NotFound
from studio.index import Index, known_id, to_text
from studio.shelf import PROJECT_LIMIT, line, note

USUAL = "Storyboard"
"""The project of a picture that is in none when it becomes a panel."""
MOST = 500
"""Panels of one storyboard."""
CAPTION_LIMIT = 1000
DRAFTED = "caption"
"""The fact of a drafted panel's record that holds its caption as the writer had it."""
SOUNDS = 60
"""Sounds that are offered for a panel, those of the project first."""


@dataclass(frozen=True)
class Board:
    """A storyboard by the name of its project, and how many panels it has."""

    project: str
    panels: int


@dataclass(frozen=True)
class Panel:
    """One picture in a row. `caption` is what was written for it, '' where `told`, its name or prompt, stands for it.

    `sound` is the id of a sound of the library or '', `heard` its name; `missing` says that the picture's file is gone. `waits`: there is
    no picture yet, and `picture` are the words to make it from. `origin` says who wrote the caption: 'machine', 'edited' where a person
    changed what a writer drafted, or ''. `draft` is the id of what was drafted or ''.
    """

    id: str
    caption: str
    told: str
    sound: str
    heard: str
    missing: bool
    waits: bool = False
    picture: str = ""
    origin: str = ""
    draft: str = ""

    @property
    def words(self) -> str:
        """What stands under the picture."""
        return self.caption or self.told


@dataclass(frozen=True)
class Heard:
    """A sound that a panel can have."""

    id: str
    words: str


class Storyboards:
    """Thread-safe, as the index is. Every method is about one owner, and one browser session if `session` is given."""

    def __init__(self, index: Index) -> None:
        self._index = index

    def boards(self, owner: str = "local", session: str = "") -> tuple[Board, ...]:
        """Every storyboard, the one that last got a picture made first."""
        rows = self._index.rows(
            f"SELECT project, count(*) AS many FROM creations WHERE panel > 0 AND {_SHOWN} GROUP BY project ORDER BY max(seq) DESC",
            *(owner, session, session),
        )
        return tuple(Board(row["project"], row["many"]) for row in rows)

    def panels(self, project: str, owner: str = "local", session: str = "") -> tuple[Panel, ...]:
        """The panels of a project's storyboard in their order."""
        rows = self._index.rows(
            "SELECT c.id, c.panel_words, coalesce(nullif(c.title, ''), c.caption) AS told, c.missing, coalesce(s.id, '') AS sound,"
            " coalesce(nullif(s.title, ''), s.caption, '') AS heard, c.medium = 'text' AS waits,"
            " iif(c.medium = 'text', coalesce(nullif(c.panel_picture, ''), c.text), '') AS picture, coalesce(d.id, '') AS draft,"
            f" iif(json_valid(d.record), json_extract(d.record, '{_CAPTION}'), NULL) AS drafted"
            " FROM creations c LEFT JOIN creations s ON s.id = c.panel_sound AND s.owner = c.owner AND s.medium = 'sound'"
            " AND s.trashed = ''"
            " LEFT JOIN creations d ON d.id = iif(c.medium = 'text', c.id, c.panel_draft) AND d.owner = c.owner"
            " WHERE c.project = ? AND c.panel > 0 AND c.trashed = '' AND c.owner = ? AND (? = '' OR c.session = ?) ORDER BY c.panel, c.seq",
            *(project, owner, session, session),
        )
        return tuple(_panel(row) for row in rows)

    def add(self, ids: Sequence[str], owner: str = "local", session: str = "", project: str = "") -> str:
        """Put pictures at the end of a storyboard, and return its project: the one named, else the first picture's own, else USUAL.

        What is in it already stays where it is. A picture whose prompt begins with the words of a panel that waits takes that panel's
        place, with its caption and sound, and is in its storyboard. Drafted panels can be put in (again), too. Raises NotFound where none
        of them is a picture here, InvalidInput for too many panels.
        """
        named = line(project, "Project", PROJECT_LIMIT)
        with self._index.transaction() as index:
            found = {
                row["id"]: row
                for row in index.execute(
                    f"SELECT id, seq, medium, project, panel FROM creations WHERE id IN (SELECT value FROM json_each(?)) AND {_FITS}"
                    f" AND {_SHOWN}",
                    (to_text(list(ids)), owner, session, session),
                )
            }
            rows = [found[id] for id in dict.fromkeys(ids) if id in found]
            if not rows:
                raise NotFound("This is no picture of the library: choose a picture for a storyboard.")
            waiting = [row for row in rows if not row["panel"] and _placed(index, row["seq"], named, owner, session)]
            rows = [row for row in rows if row not in waiting]
            if waiting and not rows:
                return index.execute("SELECT project FROM creations WHERE seq = ?", (waiting[0]["seq"],)).fetchone()["project"]
            into = named or rows[0]["project"] or USUAL
            (many, last) = index.execute(
                f"SELECT count(*), coalesce(max(panel), 0) FROM creations WHERE project = ? AND panel > 0 AND {_MINE}",
                (into, owner, session, session),
            ).fetchone()
            fresh = [row["seq"] for row in rows if not (row["panel"] and row["project"] == into)]
            if many + len(fresh) > MOST:
                raise InvalidInput(f"A storyboard has at most {MOST} panels: begin another project.")
            index.executemany(
                "UPDATE creations SET project = ?, panel = ? WHERE seq = ?",
                [(into, place, seq) for place, seq in enumerate(fresh, last + 1)],
            )
        return into

    def arrange(self, project: str, ids: Sequence[str], owner: str = "local", session: str = "") -> None:
        """The panels in another order; those that are not named follow in theirs."""
        with self._index.transaction() as index:
            rows = index.execute(
                f"SELECT id, seq FROM creations WHERE project = ? AND panel > 0 AND {_MINE} ORDER BY panel, seq",
                (project, owner, session, session),
            ).fetchall()
            known = {row["id"]: row["seq"] for row in rows}
            order = list(dict.fromkeys([*(id for id in ids if id in known), *known]))
            index.executemany("UPDATE creations SET panel = ? WHERE seq = ?", [(place, known[id]) for place, id in enumerate(order, 1)])

    def caption(self, id: str, words: str, owner: str = "local", session: str = "") -> None:
        """Write under a picture; '' shows its name or prompt again. Raises InvalidInput for too many words."""
        self._set("panel_words", _short(words, "Caption"), id, owner, session)

    def picture(self, id: str, words: str, owner: str = "local", session: str = "") -> None:
        """Change the words of the picture that a panel waits for; '' is what was drafted. Raises InvalidInput for too many words."""
        self._set("panel_picture", _short(words, "Picture"), id, owner, session)

    def sound(self, id: str, sound: str, owner: str = "local", session: str = "") -> None:
        """Give a picture a sound of the library; '' takes it away. Raises NotFound where there is no such sound."""
        if sound and not self._index.rows(
            f"SELECT 1 FROM creations WHERE id = ? AND medium = 'sound' AND {_SHOWN}", known_id(sound), owner, session, session
        ):
            raise NotFound("This sound is not in the library (any more): choose another.")
        self._set("panel_sound", sound, id, owner, session)

    def remove(self, ids: Sequence[str], owner: str = "local", session: str = "") -> None:
        """Take pictures out of their storyboard; they stay in the library and in their project."""
        with self._index.transaction() as index:
            index.execute(
                f"UPDATE creations SET panel = 0 WHERE id IN (SELECT value FROM json_each(?)) AND {_MINE}",
                (to_text(list(ids)), owner, session, session),
            )

    def sounds(self, project: str, owner: str = "local", session: str = "") -> tuple[Heard, ...]:
        """Sounds to choose from: those of the project, then the newest."""
        rows = self._index.rows(
            f"SELECT id, coalesce(nullif(title, ''), caption) AS words FROM creations WHERE medium = 'sound' AND {_SHOWN}"
            " ORDER BY project = ? DESC, seq DESC LIMIT ?",
            *(owner, session, session, project, SOUNDS),
        )
        return tuple(Heard(row["id"], row["words"]) for row in rows)

    def _set(self, column: str, value: str, id: str, owner: str, session: str) -> None:
        with self._index.transaction() as index:
            changed = index.execute(
                f"UPDATE creations SET {column} = ? WHERE id = ? AND {_FITS} AND {_MINE}",
                (value, known_id(id), owner, session, session),
            ).rowcount
        if not changed:
            raise NotFound("This panel is not there (any more): look at the storyboard again.")


def _panel(row: sqlite3.Row) -> Panel:
    caption, drafted = row["panel_words"], row["drafted"]
    origin = "" if drafted is None or not caption else "machine" if caption == drafted else "edited"
    return Panel(
        row["id"], caption, row["told"], row["sound"], row["heard"], bool(row["missing"]), bool(row["waits"]), row["picture"] or "", origin,
        row["draft"] if drafted is not None else "",
    )  # fmt: skip


def _placed(index: sqlite3.Connection, seq: int, project: str, owner: str, session: str) -> bool:
    """Whether a picture was made from the words of a panel that waits: then it has its place now."""
    words = "trim(coalesce(nullif(d.panel_picture, ''), d.text))"
    found = index.execute(
        "SELECT d.seq, d.id, d.project, d.panel, d.panel_words, d.panel_sound FROM creations d, creations c WHERE c.seq = ?"
        " AND c.medium = 'picture' AND d.medium = 'text' AND d.panel > 0 AND (? = '' OR d.project = ?) AND d.trashed = '' AND d.owner = ?"
        f" AND (? = '' OR d.session = ?) AND {words} <> '' AND json_valid(c.record)"
        f" AND instr(json_extract(c.record, '$.task.prompt'), {words}) = 1 ORDER BY d.panel, d.seq LIMIT 1",
        (seq, project, project, owner, session, session),
    ).fetchone()
    if found is None:
        return False
    index.execute(
        "UPDATE creations SET project = ?, panel = ?, panel_draft = ?, panel_words = coalesce(nullif(panel_words, ''), ?),"
        " panel_sound = coalesce(nullif(panel_sound, ''), ?) WHERE seq = ?",
        (found["project"], found["panel"], found["id"], found["panel_words"], found["panel_sound"], seq),
    )
    index.execute("UPDATE creations SET panel = 0 WHERE seq = ?", (found["seq"],))
    return True


def _short(words: str, what: str) -> str:
    text = note(words)
    if len(text) > CAPTION_LIMIT:
        raise InvalidInput(f"{what} is {len(text):,} characters long; {CAPTION_LIMIT:,} is the most. Shorten it.", what.lower())
    return text


_CAPTION = f"$.facts.{DRAFTED}"
_FITS = f"(medium = 'picture' OR medium = 'text' AND iif(json_valid(record), json_extract(record, '{_CAPTION}'), NULL) IS NOT NULL)"
_MINE = "owner = ? AND (? = '' OR session = ?)"
_SHOWN = f"trashed = '' AND {_MINE}"
