"""Web pages and the chapters of books: what a person would read of them.

Scripts, styles and hidden parts are left out; nothing is fetched.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from studio.writing.reading_blocks import LONGEST, TITLE_LIMIT, BlockKind, Found, Runs

_LEFT_OUT = frozenset(
    "script style template noscript svg math iframe object embed applet canvas audio video select textarea button datalist nav "
    "dialog".split()
)
_VOID = frozenset("area base br col embed hr img input link meta param source track wbr".split())
_PICTURES = frozenset(["img", "svg", "object", "embed", "iframe", "video", "audio", "canvas"])
_PARTS = frozenset(
    "p div section article main header footer aside body html blockquote figure figcaption address fieldset form details summary dl dt dd "
    "table thead tbody tfoot tr caption ul ol li pre h1 h2 h3 h4 h5 h6 hr center".split()
)
_BOLD, _ITALIC = frozenset(["b", "strong"]), frozenset(["i", "em", "cite", "dfn"])
_HEADING = re.compile(r"h[1-6]")
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\n\r\f]+")
DEEPEST_LIST = 3
MARKUP_LIMIT = 10_000_000
"""Characters with all tags."""


def read_html(text: str, found: Found | None = None) -> Found:
    """The blocks of a page, after those that `found` has already."""
    reader = _Reader(found or Found())
    if len(text) > MARKUP_LIMIT:
        text = text[:MARKUP_LIMIT]
        reader.found.notice(f"Only the first {MARKUP_LIMIT:,} characters of its markup were read.")
    for start in range(0, len(text), 1 << 20):
        reader.feed(text[start : start + (1 << 20)])
        if reader.found.full or reader.heard > 2 * LONGEST:
            break
    reader.close()
    reader.flush()
    return reader.found


class _Reader(HTMLParser):
    """Follows the tags as they come: no tree is built, so no depth of nesting is too much."""

    def __init__(self, found: Found) -> None:
        super().__init__(convert_charrefs=True)
        self.found = found
        self.runs = Runs()
        self.skipped: list[str] = []  # the part that is left out, with open elements of its kind in it
        self.kind: BlockKind = "text"
        self.level = 0
        self.lists: list[int] = []  # the next number of each open list; 0: without numbers
        self.mark = ""
        self.bold = self.italic = self.code = 0
        self.in_title = False
        self.title: list[str] = []
        self.heard = 0

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """What begins with `<![` and is no section is passed over as browsers do, up to the next `>`."""
        try:
            return super().parse_marked_section(i, report)
        except AssertionError:  # what the parser of the standard library raises here
            return self.parse_bogus_comment(i, report)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.skipped:
            if tag == self.skipped[0] and tag not in _VOID:
                self.skipped.append(tag)
            return
        if tag in _PICTURES:
            self.found.notice("Pictures and other media were left out; nothing was fetched.")
        values = {name: value or "" for name, value in attrs}
        hidden = "hidden" in values or values.get("aria-hidden") == "true" or _HIDDEN.search(values.get("style", "")[:2000])
        if tag not in _VOID and tag != "body" and (tag in _LEFT_OUT or hidden):
            self.skipped.append(tag)
            if tag not in _LEFT_OUT:
                self.found.notice("Hidden parts were left out.")
            return
        self._open(tag, values)

    def handle_endtag(self, tag: str) -> None:
        if self.skipped:
            if tag == self.skipped[0]:
                self.skipped.pop()
            return
        if tag in _PARTS:
            self.flush()
        if tag in ("ul", "ol") and self.lists:
            self.lists.pop()
        elif tag == "pre":
            self.code = max(0, self.code - 1)
        elif tag in _BOLD:
            self.bold = max(0, self.bold - 1)
        elif tag in _ITALIC:
            self.italic = max(0, self.italic - 1)
        elif tag in ("td", "th"):
            self.runs.add(" | ")
        elif tag == "title":
            self.in_title = False
            self.found.title = self.found.title or " ".join("".join(self.title).split())[:TITLE_LIMIT]

    def handle_data(self, data: str) -> None:
        if self.skipped:
            return
        self.heard += len(data)
        if self.in_title:
            self.title.append(data[:TITLE_LIMIT])
        elif self.code:
            self.runs.add(data)
        elif data:
            self.runs.add(_SPACE.sub(" ", data), self.bold > 0, self.italic > 0)

    def flush(self) -> None:
        """The paragraph ends here."""
        text, rich = self.runs.taken()
        if self.code:
            self.found.add("code", text.replace("\r\n", "\n"))
        else:
            text, rich = (re.sub(r"(?: \| ?)+$", "", _tidy(value)) for value in (text, rich))
            if text and self.mark:
                text, rich = f"{self.mark}{text}", f"{self.mark}{rich}"
            self.found.add(self.kind, text, self.level, rich=rich)
        if text.strip():
            self.kind, self.level, self.mark = "text", 0, ""

    def _open(self, tag: str, values: dict[str, str]) -> None:
        if tag in _PARTS:
            self.flush()
        if _HEADING.fullmatch(tag):
            self.kind, self.level, self.mark = "heading", int(tag[1]), ""
        elif tag in ("ul", "ol"):
            self.lists.append(_whole(values.get("start", ""), 1) if tag == "ol" else 0)
        elif tag == "li":
            self._entry(values)
        elif tag in ("p", "div", "blockquote", "tr", "table", "section", "article") and self.kind == "heading":
            self.kind, self.level = "text", 0
        elif tag == "pre":
            self.code += 1
        elif tag == "br":
            self.runs.add("\n")
        elif tag in _BOLD:
            self.bold += 1
        elif tag in _ITALIC:
            self.italic += 1
        elif tag == "title":
            self.in_title = True

    def _entry(self, values: dict[str, str]) -> None:
        self.kind, self.level, self.mark = "list", min(max(1, len(self.lists)), DEEPEST_LIST), ""
        if self.lists and self.lists[-1]:
            number = _whole(values.get("value", ""), self.lists[-1])
            self.lists[-1] = number + 1
            self.mark = f"{number}. "


def _tidy(text: str) -> str:
    """One space between words; line breaks stay."""
    return "\n".join(" ".join(line.split()) for line in text.strip().split("\n"))


def _whole(written: str, otherwise: int) -> int:
    return int(written) if re.fullmatch(r"\d{1,4}", written) else otherwise
