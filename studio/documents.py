"""Words, characters and sentences of a text. The files to take away are made by `studio.writing.export` and its kin, named here too."""

from __future__ import annotations

import re
from dataclasses import dataclass

from studio.writing.export import LABEL, RECORD_NAMESPACE, to_markdown, to_text
from studio.writing.export_docx import to_docx
from studio.writing.export_epub import to_epub
from studio.writing.export_html import to_html

__all__ = ["LABEL", "RECORD_NAMESPACE", "SENTENCE_END", "Counts", "count", "to_docx", "to_epub", "to_html", "to_markdown", "to_text"]

SENTENCE_END = r"[.!?…]+[\"'”’»)\]]*(?=\s|$)|[。！？]+[」』”]*"
"""A pattern: the marks that end a sentence, with what closes after them."""
_WORD = re.compile(r"[^\W_]+(?:['’.,-][^\W_]+)*")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_SENTENCE_END = re.compile(rf"{SENTENCE_END}|\n\s*\n")


@dataclass(frozen=True)
class Counts:
    """`characters` with spaces; a character of Chinese or Japanese counts as one word."""

    words: int
    characters: int
    sentences: int


def count(text: str) -> Counts:
    """Words, characters and sentences. A heading or a line of verse before an empty line counts as a sentence."""
    words = len(_UNSPACED.findall(text)) + len(_WORD.findall(_UNSPACED.sub(" ", text)))
    sentences = sum(1 for part in _SENTENCE_END.split(text) if _WORD.search(part) or _UNSPACED.search(part))
    return Counts(words, len(text), sentences)
