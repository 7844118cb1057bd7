"""What a page of the library shows: a filter, and the words a person types, as a question to the index.

Every input is safe: what means something to the index (quotes, operators, wildcards) is taken as the characters it is. Words must all be
there, in any order, each whole or as a beginning; "words in quotes" must follow one another. What the full-text index does not hold as
words (emoji, scripts without spaces) is looked for letter by letter. Knows SQL (https://sqlite.org/fts5.html); knows no creation.
"""

# ruff: noqa: A002 - the word of the interface

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

COLUMNS = ("title", "prompt", "negative_prompt", "settings", "text", "tags", "note", "model")
TERMS_LIMIT = 32
TERM_LIMIT = 100


@dataclass(frozen=True)
class Filter:
    """What a page shows: all that is set must hold. '' and 0 leave open; `trashed` shows the trash and nothing else.

    `words` are as a person types them. `since` and `until` are ISO dates or times in UTC, both inclusive; sizes are bytes.
    `meaning` asks for what `words` mean (meanings.py), which a question here knows nothing of.
    """

    words: str = ""
    kind: str = ""
    medium: str = ""
    model: str = ""
    project: str = ""
    tag: str = ""
    licence: str = ""
    starred: bool = False
    trashed: bool = False
    since: str = ""
    until: str = ""
    smallest: int = 0
    largest: int = 0
    meaning: bool = False


@dataclass(frozen=True)
class Question:
    """Part of a SELECT: its tables, creations as `c`, its condition with the values in it, and what orders it by age."""

    source: str
    condition: str
    values: tuple[object, ...]
    age: str


def question(filter: Filter, owner: str, session: str) -> Question:
    """What finds the creations of the owner (and of the session, if any) that the filter shows."""
    conditions: list[tuple[str, object]] = [("c.owner = ?", owner)]
    conditions += [(f"c.{column} {sign} ?", _bound(value)) for column, sign, value in _bounds(filter, session) if value]
    if filter.tag:
        conditions.append(("c.seq IN (SELECT creation FROM tags WHERE tag = ?)", _bound(filter.tag)))
    match, letters = terms(filter.words)
    source, age = "creations c", "c.seq"
    if letters:
        source = "creations c INDEXED BY creations_spaceless CROSS JOIN search s ON s.rowid = c.seq"
        conditions += [(_LETTERS, term) for term in letters]
    if match and letters:
        conditions.append(("c.seq IN (SELECT rowid FROM search WHERE search MATCH ?)", match))
    elif match:
        # The words first: they come in the order of age, so that a page is full long before all have been seen.
        source, age = "search s CROSS JOIN creations c INDEXED BY creations_on_shelf ON c.seq = s.rowid", "s.rowid"
        conditions.append(("s.search MATCH ?", match))
    always = (
        f"c.trashed {'<>' if filter.trashed else '='} ''"
        + (" AND c.star = 1" if filter.starred else "")
        + (" AND c.spaceless = 1" if letters else "")
    )
    condition = " AND ".join((*(words for words, _ in conditions), always))
    return Question(source, condition, tuple(value for _, value in conditions), age)


def terms(words: str) -> tuple[str, tuple[str, ...]]:
    """What FTS5 should match ('' for nothing), and what must be found letter by letter."""
    match: list[str] = []
    letters: list[str] = []
    for term, whole in _split(words):
        if not any(character.isalnum() for character in term):
            letters += [term] if not term.isascii() else []  # an emoji; a stray hyphen says nothing
        elif _WITHOUT_SPACES.search(term):
            letters.append(term)
        else:
            match.append(f'"{term}"' if whole else f'"{term}" *')
    return " AND ".join(match), tuple(letters)


def _bounds(filter: Filter, session: str) -> tuple[tuple[str, str, str | int], ...]:
    until = filter.until and filter.until + "~"  # sorts behind whatever an ISO time has after a date
    return (
        *((name, "=", getattr(filter, name)) for name in ("kind", "medium", "model", "project", "licence")),
        *(("session", "=", session), ("created", ">=", filter.since), ("created", "<", until)),
        *(("bytes", ">=", filter.smallest), ("bytes", "<=", filter.largest)),
    )


def _bound(value: str | int) -> str | int:
    """The value as SQL can hold it: whole characters, 64 bits."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else max(-_LARGEST, min(value, _LARGEST))


def _split(words: str) -> Iterator[tuple[str, bool]]:
    """Each term, and whether it stood in quotes."""
    clean = _UNUSABLE.sub(" ", words[: TERMS_LIMIT * TERM_LIMIT])
    for number, found in enumerate(re.finditer(r'"([^"]*)"|([^\s"]+)', clean)):
        if number < TERMS_LIMIT and (term := (found[1] or found[2] or "").strip()[:TERM_LIMIT]):
            yield term, found[2] is None


_LARGEST = 2**63 - 1
_UNUSABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
"""Thai, Lao, Burmese, Khmer, Japanese and Chinese; Korean has spaces."""
_LETTERS = "instr(" + " || ' ' || ".join(f"s.{column}" for column in COLUMNS) + ", ?)"
