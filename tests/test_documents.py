"""Text as files: what they hold, what they say about themselves, and what must not break them."""

from __future__ import annotations

import io
import json
import zipfile

import docx
import pytest
from docx.document import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.documents import LABEL, RECORD_NAMESPACE, Counts, count, to_docx, to_markdown, to_text

TEXT = "# A **blue** mug\n\nIt holds *hot* tea.\nIt is 2 < 3 & fun.\n\n- one\n- two\n\n1. first\n2) second"
NASTY = "a\x00b\x08c\ud800d\ufffee\uffff\u202e\U0001f34e\r\nz"


def opened(data: bytes) -> Document:
    return docx.Document(io.BytesIO(data))


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("", Counts(0, 0, 0)),
        ("   \n", Counts(0, 4, 0)),
        ("One mug.", Counts(2, 8, 1)),
        ("It's 3.5 kg! A well-made mug...", Counts(6, 31, 2)),
        ("A title\n\nA line", Counts(4, 15, 2)),
        ('She said "No." Then she left.', Counts(6, 29, 2)),
        ("Version 2.0 is out", Counts(4, 18, 1)),
        ("你好，世界。再见。", Counts(6, 9, 2)),
        ("— • …", Counts(0, 5, 0)),
    ],
)
def test_words_characters_and_sentences_are_counted_as_a_person_would(text: str, counts: Counts) -> None:
    assert count(text) == counts


def test_plain_text_is_the_text_and_nothing_else() -> None:
    assert to_text("One.\r\nTwo. \n\n", "T") == b"One.\nTwo.\n"


def test_markdown_says_in_its_front_matter_that_a_machine_helped() -> None:
    record = json.dumps({"prompt": 'a "red"\napple', "seed": 7})
    _, front, body = to_markdown(TEXT, 'A: "title" # 1', record).decode().split("---\n", 2)
    values = {key: json.loads(value) for key, value in (line.split(": ", 1) for line in front.splitlines())}
    assert values == {"title": 'A: "title" # 1', "note": LABEL, "record": record}
    assert body == f"\n{TEXT}\n"


def test_markdown_without_a_record_has_none() -> None:
    assert "record" not in to_markdown("x", "t").decode()


def test_a_word_document_has_headings_lists_and_styled_words() -> None:
    found = [(p.style.name if p.style else "", p.text) for p in opened(to_docx(TEXT, "T")).paragraphs]
    assert found == [
        ("Heading 1", "A blue mug"),
        ("Normal", "It holds hot tea.\nIt is 2 < 3 & fun."),
        ("List Bullet", "one"),
        ("List Bullet", "two"),
        ("List", "1. first"),
        ("List", "2. second"),
    ]
    runs = {run.text: (run.bold, run.italic) for p in opened(to_docx(TEXT, "T")).paragraphs for run in p.runs}
    assert runs["blue"] == (True, None)
    assert runs["hot"] == (None, True)
    assert runs[" mug"] == (None, None)


def test_stars_that_style_nothing_stay() -> None:
    for text in ("2 * 3 * 4", "** **", "a*b", "***", "5 ** 6"):
        assert opened(to_docx(text, "T")).paragraphs[0].text == text


def test_a_word_document_says_in_its_properties_that_a_machine_helped() -> None:
    properties = opened(to_docx("x", "My title")).core_properties
    assert (properties.title, properties.keywords, properties.comments, properties.author) == ("My title", LABEL, LABEL, "")
    assert properties.created is not None and properties.created.year >= 2025


def test_a_long_record_survives_word() -> None:
    record = json.dumps({"prompt": "<&>" * 2000, "system": "🍎"}, ensure_ascii=False)
    first = to_docx("x", "T", record)
    again = io.BytesIO()
    opened(first).save(again)  # as an editor would: read, write
    for data in (first, again.getvalue()):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert len(set(archive.namelist())) == len(archive.namelist())
            parts = [archive.read(name).decode() for name in archive.namelist() if name.startswith("customXml/item")]
        [part] = [part for part in parts if RECORD_NAMESPACE in part]
        assert "🍎" in part
        assert part.count("&lt;&amp;&gt;") == 2000


def test_what_xml_cannot_hold_is_left_out_and_the_rest_stays() -> None:
    document = opened(to_docx(NASTY, NASTY, json.dumps({"x": NASTY})))
    assert document.paragraphs[0].text == "abcde\u202e\U0001f34e\nz"
    assert to_text(NASTY, "") == "abcde\u202e\U0001f34e\nz\n".encode()
    assert to_markdown(NASTY, NASTY).decode().endswith("z\n")


def test_a_title_longer_than_word_allows_is_cut_not_refused() -> None:
    assert opened(to_docx("x", "t" * 300)).core_properties.title == "t" * 255


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(codec=None), max_size=80))
def test_any_text_becomes_all_three_files(text: str) -> None:
    assert to_text(text, text).endswith(b"\n")
    assert to_markdown(text, text, text).startswith(b"---\n")
    assert opened(to_docx(text, text, text)).paragraphs
    assert count(text).characters == len(text)
