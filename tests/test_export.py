"""Texts as files with who wrote what: the same words in each, marks at the right ones, nothing that runs or is fetched."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree

import docx
import pytest
from docx.document import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import InvalidInput
from studio.writing import export_docx
from studio.writing.export import Marked, clean, label, percent, to_markdown, to_text
from studio.writing.export_docx import to_docx
from studio.writing.export_epub import to_epub
from studio.writing.export_html import to_html
from studio.writing.markup import paragraphs
from studio.writing.spans import Span

PARTS = (
    ("# Harbour\n\nI wrote this. ", "human", ""),
    ("The model wrote\nthis **bold** part.", "machine", "c1"),
    ("\n\n- mine\n- ", "human", ""),
    ("its entry, changed", "edited", "c2"),
    ("\n\n# Second\n\n> quoted\n\n```python\nx = '<b>'\n```\n\n", "human", ""),
    ("The end.", "machine", "c2"),
)
TEXT = "".join(part for part, _, _ in PARTS)
SPANS = tuple(Span(len(part), origin, creation) for part, origin, creation in PARTS)  # pyright: ignore[reportArgumentType]
MODELS = {"c1": "Model & One", "c2": "Model Two"}
WRITERS = (to_text, to_markdown, to_html, to_docx, to_epub)


def opened(data: bytes) -> Document:
    return docx.Document(io.BytesIO(data))


def commented(document: Document) -> list[tuple[str, str]]:
    """(what the comment says, the words that it is on) of each comment, by the markers around them."""
    word = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
    on: dict[str, str] = {}
    active: list[str] = []
    for element in document.element.body.iter():
        number = element.get(f"{word}id", "")
        if element.tag == f"{word}commentRangeStart":
            active.append(number)
            on[number] = ""
        elif element.tag == f"{word}commentRangeEnd":
            active.remove(number)
        elif element.tag in (f"{word}t", f"{word}br"):
            for name in active:
                on[name] += element.text or "\n"
    return [(comment.text, on[str(comment.comment_id)]) for comment in document.comments]


class Page(HTMLParser):
    """What a browser would make of a page: the marked words, every tag, every address."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.marked: list[tuple[str, str, str]] = []
        self.values: list[tuple[str, str, str]] = []
        self.words = ""
        self.open: list[tuple[str, str, str] | None] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.tags.append(tag)
        self.values += [(tag, name, value) for name, value in values.items()]
        if tag == "span":
            self.open.append((values.get("class", ""), values.get("title", ""), ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "span":
            found = self.open.pop()
            assert found is not None
            self.marked.append(found)

    def handle_data(self, data: str) -> None:
        self.words += data
        self.open = [found and (found[0], found[1], found[2] + data) for found in self.open]


def test_a_page_shows_who_wrote_what_and_says_how_much() -> None:
    page = Page(to_html(TEXT, "Harbour", None, SPANS, MODELS).decode())
    assert page.marked == [
        ("machine", "Written by Model & One", "The model wrote\nthis bold part."),
        ("edited", "Written by Model Two, edited by hand", "its entry, changed"),
        ("machine", "Written by Model Two", "The end."),
        ("machine", "", "Underlined"),
        ("edited", "", "Dashed"),
    ]
    assert "30 % machine-written, 12 % machine-written and edited by hand" in page.words
    assert {"h1", "ul", "li", "blockquote", "pre", "strong", "footer"} <= set(page.tags)
    assert all(value == "auto" for tag, name, value in page.values if name == "dir" and tag != "pre")


def test_a_page_runs_nothing_and_fetches_nothing() -> None:
    nasty = "<script>alert(1)</script> ![x](http://192.0.2.1/p.png) [y](javascript:z) <img src=x onerror=y> \"' &amp; </style>"
    page = Page(to_html(nasty, nasty, json.dumps({"a": nasty}), (Span(len(nasty), "machine", "c"),), {"c": nasty}).decode())
    assert not {"script", "img", "a", "link", "iframe"} & set(page.tags)
    assert not [value for _, name, value in page.values if name in ("src", "href", "style") or name.startswith("on")]
    assert nasty in page.words
    assert ("meta", "content", "default-src 'none'; style-src 'unsafe-inline'") in page.values
    assert ("meta", "content", json.dumps({"a": nasty})) in page.values


def test_lists_are_nested_as_they_were() -> None:
    page = to_html("- a\n  - b\n  - c\n- d\n1. e\n3. f", "T").decode()
    body = re.sub(r' dir="auto"|\s*\n\s*', "", page[page.index("<body>") + 6 : page.index("<footer")])
    assert body == '<ul><li>a<ul><li>b</li><li>c</li></ul></li><li>d</li></ul><ol><li value="1">e</li><li value="3">f</li></ol>'


def test_a_word_document_has_a_comment_on_each_passage_of_a_machine() -> None:
    document = opened(to_docx(TEXT, "Harbour", '{"a": 1}', SPANS, MODELS))
    assert commented(document) == [
        ("Written by Model & One", "The model wrote\nthis bold part."),
        ("Written by Model Two, edited by hand", "its entry, changed"),
        ("Written by Model Two", "The end."),
    ]
    assert document.core_properties.comments == "30 % machine-written, 12 % machine-written and edited by hand"
    assert [paragraph.text for paragraph in document.paragraphs][-3:] == ["quoted", "x = '<b>'", "The end."]
    assert [paragraph.style.name for paragraph in document.paragraphs if paragraph.style][-3:] == ["Quote", "No Spacing", "Normal"]


def test_a_passage_over_several_paragraphs_has_one_comment() -> None:
    text = "One.\n\nTwo.\n\nThree."
    assert commented(opened(to_docx(text, "T", None, (Span(len(text), "machine", "c"),)))) == [
        ("Written by a language model", "One.Two.Three.")
    ]


def test_a_person_s_text_is_not_labelled_as_a_machine_s() -> None:
    spans = (Span(len(TEXT), "human"),)
    properties = opened(to_docx(TEXT, "T", None, spans)).core_properties
    assert (properties.keywords, properties.comments) == ("", "0 % machine-written")
    assert not list(opened(to_docx(TEXT, "T", None, spans)).comments)
    assert "span" not in Page(to_html(TEXT, "T", None, spans).decode()).tags


def test_so_many_passages_that_word_would_choke_are_counted_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_docx, "MOST_COMMENTS", 20)
    count = 25
    spans = tuple(span for _ in range(count) for span in (Span(1, "machine", "c"), Span(1, "human")))
    found = list(opened(to_docx("ab" * count, "T", None, spans)).comments)
    assert len(found) == 20
    assert "5 later passages" in found[0].text


def test_markdown_says_the_shares_and_the_models() -> None:
    _, front, body = to_markdown(TEXT, "Harbour", None, SPANS, MODELS).decode().split("---\n", 2)
    values = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in front.splitlines())}
    assert values["note"] == "30 % machine-written, 12 % machine-written and edited by hand"
    assert sum(values["shares"].values()) == pytest.approx(1, abs=1e-3)
    assert values["models"] == ["Model & One", "Model Two"]
    assert body == f"\n{TEXT}\n"


def test_a_book_is_an_epub_with_a_chapter_for_each_heading() -> None:
    with zipfile.ZipFile(io.BytesIO(to_epub(TEXT, "Harbour <days>", '{"a": 1}', SPANS, MODELS, "en"))) as book:
        first = book.infolist()[0]
        assert (first.filename, first.compress_type, first.extra, book.read("mimetype")) == ("mimetype", 0, b"", b"application/epub+zip")
        files = {name: book.read(name) for name in book.namelist()}
    assert len(files) == 9
    trees = {name: ElementTree.fromstring(content) for name, content in files.items() if name.endswith(("xml", "html", "opf"))}
    container, package = trees["META-INF/container.xml"], trees["book/package.opf"]
    assert [item.get("full-path") for item in container.iter() if item.tag.endswith("}rootfile")] == ["book/package.opf"]
    items = {item.get("id"): item for item in package.iter() if item.tag.endswith("}item")}
    assert {f"book/{item.get('href')}" for item in items.values()} | {"mimetype", "META-INF/container.xml", "book/package.opf"} == set(
        files
    )
    spine = [items[item.get("idref")].get("href") for item in package.iter() if item.tag.endswith("}itemref")]
    assert spine == ["chapter-1.xhtml", "chapter-2.xhtml", "provenance.xhtml"]
    assert [item.get("href") for item in items.values() if item.get("properties") == "nav"] == ["nav.xhtml"]
    said = {item.tag.rpartition("}")[2]: item.text for item in package.iter() if item.text and item.text.strip()}
    assert (said["title"], said["language"]) == ("Harbour <days>", "en")
    assert said["description"] == "30 % machine-written, 12 % machine-written and edited by hand"
    assert package.get("unique-identifier") == "id" and (said["identifier"] or "").startswith("urn:uuid:")
    links = [(item.text, item.get("href")) for item in trees["book/nav.xhtml"].iter() if item.tag.endswith("}a")]
    assert links == [("Harbour", "chapter-1.xhtml"), ("Second", "chapter-2.xhtml"), ("How this text was written", "provenance.xhtml")]
    assert b'class="machine"' in files["book/chapter-1.xhtml"]
    assert files["book/record.json"] == b'{"a": 1}'


def test_the_same_text_is_the_same_book() -> None:
    def identifier(text: str) -> bytes:
        with zipfile.ZipFile(io.BytesIO(to_epub(text, "T"))) as book:
            return book.read("book/package.opf").split(b"urn:uuid:")[1][:36]

    assert identifier("a") == identifier("a") != identifier("b")


@pytest.mark.parametrize(
    ("share", "words"),
    [(0, "0 %"), (0.001, "less than 1 %"), (0.38, "38 %"), (0.999, "more than 99 %"), (1, "100 %")],
)
def test_a_share_is_never_rounded_to_all_or_nothing(share: float, words: str) -> None:
    assert percent(share) == words


@pytest.mark.parametrize("write", WRITERS[2:])
def test_spans_that_do_not_cover_the_text_are_refused(write: Callable[..., bytes]) -> None:
    with pytest.raises(InvalidInput):
        write("four", "T", None, (Span(3, "machine"),))


def test_marks_stay_on_their_words_when_bad_characters_are_left_out() -> None:
    text = "a\x00b\r\nc\ud800d\re"
    marked = Marked.of(text, (Span(3, "human"), Span(3, "machine", "c"), Span(4, "human")))
    assert marked.text == "ab\ncd\ne"
    assert [span.length for span in marked.spans] == [2, 2, 3]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.text(st.sampled_from("ab *`#>-1. \n\r\x00\ud800<&\u202e🍎"), max_size=12), st.sampled_from(["human", "machine", "edited"])
        )
    )
)
def test_any_text_with_any_spans_becomes_every_file(parts: list[tuple[str, str]]) -> None:
    text = "".join(part for part, _ in parts)
    spans = tuple(Span(len(part), origin, "c") for part, origin in parts)  # pyright: ignore[reportArgumentType]
    marked = Marked.of(text, spans) if text else None
    if marked:
        assert sum(span.length for span in marked.spans) == len(marked.text) == len(clean(text))
    for write in WRITERS:
        assert write(text, text, text, spans if text else (), {"c": text})
    with zipfile.ZipFile(io.BytesIO(to_epub(text, text, None, spans if text else ()))) as book:
        for name in book.namelist():
            if name.endswith(("xml", "html", "opf")):
                ElementTree.fromstring(book.read(name))


def test_marks_of_markdown_are_found_in_linear_time() -> None:
    for part in ("*", "`", "**a", "*a* ", "> ", "# ", "```\n", "- a\n", "\n", " "):
        text = part * (50_000 // len(part))
        found = list(paragraphs(text))
        assert all(0 <= run.start < run.end <= len(text) for paragraph in found[:50] for run in paragraph.runs)


def test_the_label_without_spans_is_the_old_one() -> None:
    assert label(()) == "Written with a machine"
