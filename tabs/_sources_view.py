"""How sources, passages and verdicts are drawn: HTML of the browser's own folds and buttons. All that came from a file is escaped here.

Knows passages and verdicts; knows no component and no library.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from studio.writing.citations import Checked
from studio.writing.manuscripts import SourceRow
from studio.writing.passages import Passage
from studio.writing.questions import looked_for
from studio.writing.quoting import place
from studio.writing.terms import terms, words

TITLES = {"supported": "Supported", "weak": "Weak", "unsupported": "Not supported", "uncited": "No source"}
EXCERPT = 140
"""Characters of a passage that its closed fold shows."""

NOTHING = '<p role="status">No sentence here cites a passage.</p>'


def listed(rows: Sequence[SourceRow]) -> str:
    """The sources with what they hold, and a button each that takes it away."""
    return f'<ul class="source-list" aria-label="Sources">{"".join(map(_row, rows))}</ul>' if rows else ""


def found(passages: Mapping[int, Passage], question: str, by: str = "") -> str:
    """Passages that a search found, each a fold that opens to its text, with a button to quote it. `by` says what they were found by."""
    if not passages:
        return '<p role="status">No passage speaks of this: try other words, or drop another source.</p>'
    asked = {term for thing in looked_for(question) for term, weight in thing.items() if weight >= 1}
    drawn = "".join(
        f'<details class="passage"><summary><b>[{number}]</b> {escape(place(passage))}<span class="excerpt" dir="auto">'
        f"{escape(_excerpt(passage.text))}</span></summary>{_text(passage, asked=asked)}"
        f'<button type="button" data-quote="{number}" aria-label="Insert passage {number} as a quote">Insert as a quote</button></details>'
        for number, passage in sorted(passages.items())
    )
    said = f"{len(passages)} passage{'s' if len(passages) != 1 else ''} found{escape(by)}"
    return f'<p role="status">{said}</p><div class="passages" role="group" aria-label="Passages found">{drawn}</div>'


def checked(sentences: Sequence[Checked], passages: Mapping[int, Passage], said: Mapping[int, str] | None = None) -> str:
    """The cited sentences with their verdicts, each a fold that opens to the passage with the words that bear it out.

    `said` is what a writer says of the sentence at an index, beside the verdict.
    """
    cited = [one for one in sentences if one.verdict != "uncited"]
    without = len(sentences) - len(cited)
    if not cited:
        return NOTHING if sentences else ""
    good = sum(one.verdict == "supported" for one in cited)
    summed = f"{good} of {len(cited)} cited sentence{'s' if len(cited) != 1 else ''} supported"
    summed += f"; {without} cite{'s' if without == 1 else ''} no passage." if without else "."
    drawn = "".join(_sentence(one, passages, (said or {}).get(at, "")) for at, one in enumerate(sentences) if one.verdict != "uncited")
    return f'<p role="status">{summed}</p><div class="verdicts" role="group" aria-label="Cited sentences">{drawn}</div>'


def _row(row: SourceRow) -> str:
    pages = row.content.get("pages")
    length = f"{pages:,} page{'s' if pages != 1 else ''} · " if isinstance(pages, int) and pages else ""
    name = escape(row.name, quote=True)
    held = f"{length}{row.passages:,} passage{'s' if row.passages != 1 else ''}"
    return (
        f'<li><span class="name" dir="auto">{name}</span><span class="held">{held}</span>'
        f'<button type="button" data-remove="{escape(row.id, quote=True)}" aria-label="Remove {name}">Remove</button></li>'
    )


def _sentence(one: Checked, passages: Mapping[int, Passage], said: str) -> str:
    first = [one.passage] if one.passage in passages else []
    shown = [*first, *(number for number in one.numbers if number in passages and number not in first)]
    parts = "".join(
        f'<p class="place"><b>[{number}]</b> {escape(place(passages[number]))}</p>'
        + _text(passages[number], one.quote_start if number == one.passage else 0, one.quote_end if number == one.passage else 0)
        for number in shown
    )
    why = f'<p class="why">{escape(one.why)}</p>' + (f'<p class="why">{escape(said)}</p>' if said else "")
    return (
        f'<details class="verdict {one.verdict}"><summary><span class="badge">{TITLES[one.verdict]}</span> '
        f'<span dir="auto">{escape(" ".join(one.sentence.split()))}</span></summary>{why}{parts}</details>'
    )


def _text(passage: Passage, start: int = 0, end: int = 0, asked: set[str] | None = None) -> str:
    """The passage as it stands, with a stretch of it or the words of a question marked."""
    text = passage.text
    marks = [(start, end)] if end > start else [(a, b) for word, a, b in words(text) if asked and asked & set(terms(word, stop=True))]
    pieces: list[str] = []
    last = 0
    for a, b in marks:
        pieces += [escape(text[last:a]), "<mark>", escape(text[a:b]), "</mark>"]
        last = b
    return f'<blockquote dir="auto">{"".join(pieces)}{escape(text[last:])}</blockquote>'


def _excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else f"{line[:EXCERPT].rsplit(' ', 1)[0]}…"
