"""The document editor's server side: its component on the page, what it sends (splices, words, ids) and how that is understood.

The editor itself is JavaScript in assets/editor/ inside one gr.HTML. A browser counts text in UTF-16 code units, the studio in code
points: both meet here alone. Everything a browser sends here may come from anyone. Knows splices and spans; knows no library and no tab.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import InvalidInput
from studio.writing.spans import Span, Splice

STYLE = "editor/editor.css"
_PARTS = "text mirror surface keep live edits panels versions documents words review runs bar pages editor page"
SCRIPTS = tuple(f"editor/{part}.js" for part in _PARTS.split())
"""In assets/, in the order in which the page loads them; after the library's, whose small parts they share."""

MOST_SPLICES = 5_000
NOTE_LIMIT = 200
_ID = re.compile("[0-9A-Z]{26}")
_WIDE = re.compile("[\U00010000-\U0010ffff]")
_ATTACH = """
const tell = Object.fromEntries(["ask", "go", "opened", "kept"].map((name) => [name, (data) => trigger(name, data)]));
const attach = (tries) => window.atelierEditor?.attach
  ? window.atelierEditor.attach(element, { props, watch, tell })
  : tries && setTimeout(() => attach(tries - 1), 50);
attach(200);
"""


class Editor(gr.HTML):
    """A document one writes in. Events, each with gr.EventData:

    `.ask` (answered by this component's own value, see `tabs._editor_answers.wire`); `.go` when the person wants a run, see `asked`;
    `.opened` when another document is shown, with {document, version, title}; `.kept` when it was saved, with {document, version}.

    Its value may hold `actions`, a list of {name, title, description, on, result, choices, asks, needs}; and `run`, of a run that goes
    on, {id, action, place, count, takes: [{item, text, creation, words}], over, stopped, error}: `place` as `.go` gave it, `count` how
    many takes there will be, `text` the whole of a take so far.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(
            html_template='<div class="editor"></div>', js_on_load=_ATTACH, apply_default_css=False, padding=False,
            elem_classes="editor-block", **options,
        )  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """What the person wants of a model: `action` by name, on text[start:end] of the document's `version`; places in code points.

    `place` goes into the run's value as it is: the editor finds by it where the text belongs. `choice` and `words` are what the action
    asked for, else ''.
    """

    action: str
    document: str
    version: str
    start: int
    end: int
    choice: str
    words: str
    place: Mapping[str, Any]


class Units:
    """Places of one text in UTF-16 code units and in code points."""

    def __init__(self, text: str) -> None:
        self._wide = [] if text.isascii() else [match.start() for match in _WIDE.finditer(text)]
        self._units = [point + k for k, point in enumerate(self._wide)]
        self.points = len(text)
        """The length of the text in code points."""

    @property
    def length(self) -> int:
        """The length of the text in code units."""
        return self.points + len(self._wide)

    def unit(self, point: int) -> int:
        """The code unit at which a code point begins."""
        return point + bisect_left(self._wide, point)

    def point(self, unit: int) -> tuple[int, bool]:
        """The code point at a code unit, and whether the unit is the second half of its pair."""
        before = bisect_left(self._units, unit)
        inside = before > 0 and self._units[before - 1] == unit - 1
        return unit - before, inside

    def replaced(self, start: int, end: int, text: str) -> None:
        """Follow the text: what stood from code point `start` to `end` is `text` now."""
        low, high, longer = bisect_left(self._wide, start), bisect_left(self._wide, end), len(text) - (end - start)
        if text.isascii() and low == len(self._wide):
            self.points += longer
            return
        new = [start + match.start() for match in _WIDE.finditer(text)]
        self._wide = [*self._wide[:low], *new, *(point + longer for point in self._wide[high:])]
        self._units = [point + k for k, point in enumerate(self._wide)]
        self.points += longer


def splices_of(data: object, text: str) -> tuple[Splice, ...]:
    """The splices a browser sent for `text`, one after the other, in code points. Raises InvalidInput for what is none.

    A splice that cuts a pair in two takes the whole pair along; half a pair that stays alone becomes U+FFFD.
    """
    given = data if isinstance(data, list) else None
    if given is None or len(given) > MOST_SPLICES:
        raise InvalidInput("These changes could not be understood: reload the page and try again.")
    units, found = Units(text), list[Splice]()
    for one in given:
        given_text = one.get("text") if isinstance(one, Mapping) else None
        start, end = _range(one, units.length)
        if start < 0 or not isinstance(given_text, str):
            raise InvalidInput("These changes do not fit the document: reload the page and try again.")
        text, splice = _spliced(text, units, start, end, given_text, one)
        found.append(splice)
    return tuple(found)


def applied(text: str, splices: Sequence[Splice]) -> str:
    """`text` after the splices."""
    for splice in splices:
        text = text[: splice.start] + splice.text + text[splice.end :]
    return text


def spans_value(text: str, spans: Sequence[Span]) -> list[tuple[int, str, str]]:
    """Spans with their lengths in code units."""
    units, found, place = Units(text), list[tuple[int, str, str]](), 0
    for span in spans:
        found.append((units.unit(place + span.length) - units.unit(place), span.origin, span.creation))
        place += span.length
    return found


def asked(data: object, text: str) -> Asked:
    """What `.go` says, for `text`, the document's own; InvalidInput if it says nothing sensible."""
    given = data if isinstance(data, Mapping) else {}
    names = ("action", "document", "version", "choice", "words")
    words = {name: value if isinstance(value := given.get(name), str) else "" for name in names}
    units = Units(text)
    start, end = _range(given, units.length)
    if not words["action"] or start < 0:
        raise InvalidInput("The place in the document could not be understood: put the cursor where you want it and try again.")
    place = {"document": words["document"], "version": words["version"], "start": start, "end": end}
    (low, _), (high, inside) = units.point(start), units.point(end)
    return Asked(start=low, end=high + inside, place=place, **words)


def part(data: object, text: str) -> str:
    """What a browser's `start` and `end` say of a text, '' if they are no place in it."""
    units = Units(text)
    start, end = _range(data, units.length)
    (low, _), (high, inside) = units.point(max(0, start)), units.point(max(0, end))
    return text[low : high + inside]


def id_of(data: object, name: str = "document") -> str:
    """The id that a browser sent, '' if it is none."""
    value = data.get(name) if isinstance(data, Mapping) else None
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def answered(data: object, answer: Mapping[str, Any], way: Mapping[str, Any]) -> dict[str, Any]:
    """The editor's value that answers its request `data`: as one text, since the page looks through every part of what is not.

    `way` is how the page's next requests come straight here.
    """
    number = data.get("number") if isinstance(data, Mapping) else None
    return {"number": number if isinstance(number, int) else 0, "text": json.dumps(answer, ensure_ascii=False), "way": dict(way)}


def _spliced(text: str, units: Units, start: int, end: int, words: str, given: Mapping[str, Any]) -> tuple[str, Splice]:
    (low, cut), (high, torn) = units.point(start), units.point(end)
    if cut:
        words = _half(text[low], 0) + words
    if torn:
        words = words + _half(text[high], 1)
        high += 1
    words = words.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    origin, creation = given.get("origin"), id_of(given, "creation")
    machine = origin == "machine" and bool(creation)
    units.replaced(low, high, words)
    splice = Splice(low, high, words, "machine" if machine else "human", creation if machine else "")
    return text[:low] + words + text[high:], splice


def _half(pair: str, which: int) -> str:
    return pair.encode("utf-16-le")[2 * which : 2 * which + 2].decode("utf-16-le", "surrogatepass")


def _range(data: object, length: int) -> tuple[int, int]:
    """The code units `start` and `end` that a browser sent, (-1, -1) if they are no place in a text of that length."""
    given = data if isinstance(data, Mapping) else {}
    start, end = given.get("start"), given.get("end")
    if isinstance(start, bool) or isinstance(end, bool) or not isinstance(start, int) or not isinstance(end, int):
        return -1, -1
    return (start, end) if 0 <= start <= end <= length else (-1, -1)
