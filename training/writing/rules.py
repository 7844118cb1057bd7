"""What an answer must be like to count as usable: mechanical rules, each a function of the text that a person can check by eye.

A rule either passes or says in a few words why not. They catch answers that are empty, endless, off the subject, repetitive, in the
wrong form or cut short; they cannot see whether a fact is true or a poem is good. Knows no model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

REPEATED = 0.15
"""The largest share of runs of four words that may be repetitions of an earlier run. A refrain stays below it, a loop does not."""
FOREIGN = 0.02
"""The largest share of characters outside Latin letters, digits, punctuation and emoji."""
COMMON = frozenset(
    "a an and are as at be been but by can cannot could did do does for from had has have he her his how i if in into is it its "
    "my no not of on once or our out own she so some than that the their them then there these they this to too under up very was "
    "we were what when which who whose will with you your one two set pair piece small old new first last after before while".split()
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_ENTRY = re.compile(r"\s*(?:[-*•+]|\(?\d{1,2}[.):]|[IVX]{1,4}\.|[A-Za-z][.)]|#{1,4}|\*\*)\s*\S")
_OPEN_NAME = re.compile(r"\[[^\]\n]{2,40}\]")
_REFUSAL = re.compile(r"\b(as an ai|language model|i'm sorry, but|i cannot|i can't assist|smollm)\b", re.IGNORECASE)
_COMMENT = re.compile(
    r"\bthis is (just )?(an|one) example\b|\bexample of how (you|to)\b|\bthese (are just|titles|ideas will)\b", re.IGNORECASE
)
_GREETING = re.compile(r"^\W*(subject:.*\n+)?\W*(dear|hi|hello|hey|to whom|good (morning|day|afternoon|evening))\b", re.IGNORECASE)
_ADDRESS = re.compile(r"\S@\S+\.\w|https?:|\bwww\.|\+?\(?\d{3}\)?[ .-]\d{3,4}[ .-]?\d{3,4}")
_ENDING = re.compile(r"[.!?…:][\"'”’)\]*_]*$")
_LATIN = re.compile(r"[\x20-\x7e\n\t\u00a0-\u024f\u2010-\u2027\u2030-\u205e\u20a0-\u20bf\u2122\u2190-\u27bf\ufe0f\U0001f000-\U0001faff]")


@dataclass(frozen=True)
class Form:
    """What a kind of text asks for. Ranges are [least, most]; shares are 0..1.

    `words`, `lines` (not empty), `entries` (of a list); `mentions`: a word of the subject occurs; `contains`: each of these occurs;
    `greeting`: begins like a letter; `open_names`: blanks such as [Name] are allowed; `sentence_end`: ends with a whole sentence, list
    entry or line of verse unless the answer reached its length; `shorter`, `longer`: at most, at least this share of the subject's length;
    `original`: at most this share of it is copied; `keeps`: at least this share of the subject's own words stays.
    """

    words: tuple[int, int]
    lines: tuple[int, int] | None = None
    entries: tuple[int, int] | None = None
    mentions: bool = True
    contains: tuple[str, ...] = ()
    greeting: bool = False
    open_names: bool = False
    sentence_end: bool = True
    shorter: float | None = None
    longer: float | None = None
    original: float | None = None
    keeps: float | None = None


def faults(answer: str, form: Form, subject: str, instruction: str, reached_length: bool) -> tuple[str, ...]:
    """Why an answer does not pass; nothing when it does. `instruction` is the template with its blank empty, `subject` what filled it."""
    text = answer.strip()
    if not text:
        return ("empty",)
    return (*_general(text, instruction, form), *_shape(text, form, reached_length), *_content(text, form, subject))


def _general(text: str, instruction: str, form: Form) -> Iterator[str]:
    words = words_of(text)
    if repeated(words) > REPEATED:
        yield f"repeats itself ({repeated(words):.2f})"
    if 1 - len(_LATIN.findall(text)) / len(text) > FOREIGN:
        yield "foreign characters"
    if _REFUSAL.search(text):
        yield "talks about itself"
    if _COMMENT.search(text):
        yield "comments on its answer"
    if not form.open_names and _OPEN_NAME.search(text):
        yield "open blank"
    if _ADDRESS.search(text):
        yield "invents an address"
    asked = words_of(instruction)[:5]
    if len(asked) == 5 and " ".join(asked) in " ".join(words):
        yield "echoes the instruction"


def _shape(text: str, form: Form, reached_length: bool) -> Iterator[str]:
    lines = [line for line in text.split("\n") if line.strip()]
    entries = [line for line in lines if _ENTRY.match(line)]
    for name, value, allowed in (
        ("words", len(words_of(text)), form.words),
        ("lines", len(lines), form.lines),
        ("entries", len(entries), form.entries),
    ):
        if allowed and not allowed[0] <= value <= allowed[1]:
            yield f"{value} {name}"
    if form.greeting and not _GREETING.search(text):
        yield "no greeting"
    verse = form.lines is not None and form.lines[1] > 1
    whole = _ENDING.search(text) or (entries and lines[-1] == entries[-1]) or verse or form.greeting
    if form.sentence_end and not reached_length and not whole:
        yield "ends in the middle"
    if reached_length and not (form.entries or verse) and not re.search(r"[.!?]\s", text):
        yield "no whole sentence"


def _content(text: str, form: Form, subject: str) -> Iterator[str]:
    words, wanted = words_of(text), telling(subject)
    kept = [word for word in wanted if any(same(word, other) for other in words)]
    if form.mentions and not kept:
        yield "off the subject"
    if form.keeps is not None and wanted and len(kept) / len(wanted) < form.keeps:
        yield f"keeps {len(kept)} of {len(wanted)} words"
    for piece in form.contains:
        if piece not in text.casefold():
            yield f"no {piece}"
    if form.shorter is not None and len(words) > form.shorter * len(words_of(subject)):
        yield "not shorter"
    if form.longer is not None and len(words) < form.longer * len(words_of(subject)):
        yield "not longer"
    if form.original is not None and _copied(words, words_of(subject)) > form.original:
        yield "copied"


def repeated(words: Sequence[str]) -> float:
    """The share of runs of four words that occurred before; 0 for fewer than twelve words."""
    runs = _runs(words)
    return 1 - len(set(runs)) / len(runs) if len(words) >= 12 else 0.0


def _copied(words: Sequence[str], source: Sequence[str]) -> float:
    runs, known = _runs(words), set(_runs(source))
    return sum(run in known for run in runs) / len(runs) if runs else 0.0


def _runs(words: Sequence[str]) -> list[tuple[str, ...]]:
    return list(zip(words, words[1:], words[2:], words[3:], strict=False))


def words_of(text: str) -> list[str]:
    """The words of a text in their order, without regard to capitals."""
    return [word.casefold() for word in _WORD.findall(text)]


def telling(text: str) -> list[str]:
    """The words that say what a text is about, each once."""
    return list(dict.fromkeys(word for word in words_of(text) if len(word) > 2 and word not in COMMON))


def same(one: str, other: str) -> bool:
    """The same word, or forms of it: equal in the first five letters (four for shorter words)."""
    size = min(5, max(4, min(len(one), len(other))))
    return one == other or (min(len(one), len(other)) >= 4 and one[:size] == other[:size])
