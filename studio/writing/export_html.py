"""A text as one page of HTML that needs nothing else, or as XHTML for books: who wrote what is shown by colour and underline.

Whatever the text holds, tags and scripts among it, is text in the page too; no address is ever loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby

from studio.writing.export import NO_MODELS, Marked, Piece, author, clean, label
from studio.writing.markup import Paragraph
from studio.writing.spans import Span

STYLE = """
body { max-width: 42rem; margin: 2rem auto; padding: 0 1rem; font: 1.05rem/1.6 Georgia, serif; overflow-wrap: break-word; }
pre { white-space: pre-wrap; }
blockquote { margin-inline: 1.5rem; font-style: italic; }
.machine { background: rgba(64, 120, 242, 0.16); border-bottom: 2px solid #4078f2; }
.edited { background: rgba(196, 130, 14, 0.16); border-bottom: 2px dashed #b8860b; }
.provenance { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid #999; font: 0.85rem/1.5 sans-serif; }
"""
_LISTS = {"bullet": "ul", "number": "ol"}


def to_html(
    text: str, title: str, record_json: str | None = None, spans: Sequence[Span] = (), models: Mapping[str, str] = NO_MODELS
) -> bytes:
    """One page: the text, then how much a machine wrote and which mark means what. The record is a `meta` named "atelier-record"."""
    marked = Marked.of(text, spans)
    record = f'<meta name="atelier-record" content="{_quoted(record_json)}"/>\n' if record_json else ""
    return f"""<!DOCTYPE html>
<html lang="">
<head>
<meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="description" content="{_quoted(label(spans))}"/>
{record}<title>{_quoted(title)}</title>
<style>{STYLE}</style>
</head>
<body>
{"".join(blocks(marked, marked.paragraphs, models))}{legend(spans)}</body>
</html>
""".encode()


def legend(spans: Sequence[Span]) -> str:
    """How much of the text a machine wrote, and what the marks mean."""
    marks = {
        "machine": '<span class="machine">Underlined</span>: written by a language model.',
        "edited": '<span class="edited">Dashed</span>: written by a language model and edited by hand.',
    }
    lines = [line for origin, line in marks.items() if any(span.origin == origin for span in spans)]
    return f'<footer class="provenance"><p>{_quoted(label(spans))}</p>{"".join(f"<p>{line}</p>" for line in lines)}</footer>\n'


def blocks(marked: Marked, paragraphs: Sequence[Paragraph], models: Mapping[str, str]) -> Iterator[str]:
    """The paragraphs as elements, well-formed as XML too. Each says by itself in which direction it runs."""
    opened: list[str] = []  # the lists that are open, each inside an entry of the one before
    for paragraph in paragraphs:
        inner = _inner(marked, paragraph, models)
        if paragraph.kind in _LISTS:
            yield _entry(paragraph, inner, opened)
            continue
        yield _closed(opened, 0)
        match paragraph.kind:
            case "heading":
                yield f'<h{paragraph.level} dir="auto">{inner}</h{paragraph.level}>\n'
            case "code":
                language = f' class="language-{_quoted(paragraph.marker)}"' if paragraph.marker else ""
                yield f'<pre dir="ltr"><code{language}>{inner}</code></pre>\n'
            case "quote":
                yield f'<blockquote dir="auto"><p dir="auto">{inner}</p></blockquote>\n'
            case _:
                yield f'<p dir="auto">{inner}</p>\n'
    yield _closed(opened, 0)


def _entry(paragraph: Paragraph, inner: str, opened: list[str]) -> str:
    """An entry with the lists that it opens and closes; itself left open."""
    tag = _LISTS[paragraph.kind]
    before = _closed(opened, paragraph.level + 1)
    if len(opened) == paragraph.level + 1 and opened[-1] != tag:
        before += _closed(opened, paragraph.level)
    if len(opened) == paragraph.level + 1:
        before += "</li>\n"
    else:
        opened.append(tag)
        before += f'<{tag} dir="auto">\n'
    value = f' value="{int(paragraph.marker)}"' if paragraph.marker else ""
    return f'{before}<li dir="auto"{value}>{inner}'


def _closed(opened: list[str], depth: int) -> str:
    found = ""
    while len(opened) > depth:
        found += f"</li></{opened.pop()}>\n"
    return found


def _inner(marked: Marked, paragraph: Paragraph, models: Mapping[str, str]) -> str:
    """What stands in a paragraph, with an element around each passage of a machine."""
    found = ""
    for place, pieces in groupby(marked.pieces(paragraph.runs), key=lambda piece: piece.place):
        words = "".join(_piece(piece, paragraph.kind == "code") for piece in pieces)
        span = marked.spans[place] if place >= 0 else None
        if span is not None and (who := author(span, models)):
            words = f'<span class="{span.origin}" title="{_quoted(who)}">{words}</span>'
        found += words
    return found


def _piece(piece: Piece, in_code: bool) -> str:
    look = piece.look
    found = _quoted(piece.text) if in_code else _quoted(piece.text).replace("\n", "<br/>\n")
    found = f"<code>{found}</code>" if look.code and not in_code else found
    found = f"<em>{found}</em>" if look.italic else found
    return f"<strong>{found}</strong>" if look.bold else found


def _quoted(text: str) -> str:
    return escape(clean(text))
