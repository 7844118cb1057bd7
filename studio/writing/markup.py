"""The little of Markdown that the studio writes and reads: headings, lists, quotes, code, bold and italics, with places in the text.

Anything else, HTML and pictures and links among it, stays text as it was typed. Knows no file format, no span and no page.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "text", "bullet", "number", "quote", "code"]
DEEPEST = 2
"""The deepest level of a list; deeper entries stand there too."""
_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})[ \t]*(?P<language>[\w+#.-]{0,40})[^`\n]*")
_ENTRY = re.compile(
    r"(?P<indent>\s*)(?:(?P<level>#{1,6})\s+(?P<heading>.+)|[-*•]\s+(?P<bullet>.+)"
    r"|(?P<digits>\d{1,3})[.)]\s+(?P<number>.+)|>[ \t]?(?P<quote>.*))"
)
_STYLED = re.compile(
    r"(?<!`)(?P<ticks>`{1,3})(?P<code>[^`]+)(?P=ticks)(?!`)"
    r"|(?<!\*)(?P<stars>\*{1,3})(?P<words>[^*\s](?:[^*]*[^*\s])?)(?P=stars)(?!\*)"
)


@dataclass(frozen=True)
class Run:
    """Characters `start` to `end` of the text that look alike; line breaks are "\\n" in them."""

    start: int
    end: int
    bold: bool = False
    italic: bool = False
    code: bool = False


@dataclass(frozen=True)
class Paragraph:
    """`level`: 1 to 6 of a heading, depth from 0 of a list's entry. `marker`: the number as typed, or the language of code."""

    kind: Kind
    runs: tuple[Run, ...]
    level: int = 0
    marker: str = ""

    def words(self, text: str) -> str:
        """What it says, without marks."""
        return "".join(text[run.start : run.end] for run in self.runs)


def paragraphs(text: str) -> Iterator[Paragraph]:
    """The paragraphs of a text whose lines end with "\\n". Plain lines that follow one another are one paragraph with line breaks."""
    lines, place = _lines(text), 0
    indents: list[int] = []  # of the lists that are open
    while place < len(lines):
        start, line = lines[place]
        place += 1
        if not line.strip():
            continue
        fence, entry = _FENCE.fullmatch(line), _ENTRY.fullmatch(line)
        if fence:
            last = next((i for i in range(place, len(lines)) if _closes(lines[i][1], fence["fence"])), len(lines))
            runs = (Run(lines[place][0], lines[last - 1][0] + len(lines[last - 1][1]), code=True),) if last > place else ()
            yield Paragraph("code", runs, marker=fence["language"])
            place = last + 1
        elif entry is None or entry["quote"] is not None:
            kind: Kind = "text" if entry is None else "quote"
            first = place - 1
            while place < len(lines) and _kind(lines[place][1]) == kind:
                place += 1
            yield Paragraph(kind, tuple(_joined(lines[first:place], quoted=kind == "quote")))
        elif entry["heading"]:
            yield Paragraph("heading", tuple(_styled(entry["heading"].rstrip(), start + entry.start("heading"))), len(entry["level"]))
        else:
            kind = "bullet" if entry["bullet"] else "number"
            level = _level(indents, len(entry["indent"].expandtabs(4)))
            yield Paragraph(kind, tuple(_styled(entry[kind].rstrip(), start + entry.start(kind))), level, entry["digits"] or "")
        if fence or entry is None or not (entry["bullet"] or entry["number"]):
            indents.clear()


def _lines(text: str) -> list[tuple[int, str]]:
    """(where it starts, the line without its end) of each line."""
    found: list[tuple[int, str]] = []
    start = 0
    for line in text.split("\n"):
        found.append((start, line))
        start += len(line) + 1
    return found


def _kind(line: str) -> str:
    """ "text" and "quote" go on over lines; anything else is ''."""
    if not line.strip() or _FENCE.fullmatch(line):
        return ""
    entry = _ENTRY.fullmatch(line)
    return "text" if entry is None else "quote" if entry["quote"] is not None else ""


def _closes(line: str, fence: str) -> bool:
    rest = line.strip()
    return len(rest) >= len(fence) and rest == fence[0] * len(rest)


def _joined(lines: list[tuple[int, str]], quoted: bool) -> Iterator[Run]:
    """The runs of lines with their breaks between them."""
    for number, (start, line) in enumerate(lines):
        if number:
            yield Run(start - 1, start)
        entry = _ENTRY.fullmatch(line) if quoted else None
        begin = entry.start("quote") if entry else 0
        yield from _styled(line[begin:].rstrip(), start + begin)


def _styled(line: str, start: int) -> Iterator[Run]:
    """The runs of one line that begins at `start` of the text."""
    done = 0
    for found in _STYLED.finditer(line):
        if found.start() > done:
            yield Run(start + done, start + found.start())
        stars, name = len(found["stars"] or ""), "code" if found["code"] else "words"
        yield Run(start + found.start(name), start + found.end(name), stars >= 2, stars in (1, 3), code=name == "code")
        done = found.end()
    if done < len(line):
        yield Run(start + done, start + len(line))


def _level(indents: list[int], indent: int) -> int:
    """Depth of an entry, and the open lists after it."""
    while indents and indents[-1] > indent:
        indents.pop()
    if not indents or indents[-1] < indent:
        indents.append(indent)
    return min(len(indents) - 1, DEEPEST)
