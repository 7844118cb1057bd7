"""Was this text made here? What the mark in its words says, and the signed statement that came with a download of it.

Serves `origin`; knows no page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from studio.findings import Finding, Origin
from studio.provenance.identity import Identity
from studio.writing import sidecar
from studio.writing.export import label
from studio.writing.sidecar import Statement
from studio.writing.spans import Origin as Wrote
from studio.writing.spans import Span

if TYPE_CHECKING:
    from studio.writing.mark_search import Search

LAYER = "Invisible mark"


def in_words(data: bytes, search: Callable[[str], Search] | None) -> Finding:
    """What the mark in the words of a text says. What shows once in a thousand texts by chance is no proof yet."""
    text = data.decode("utf-8", "replace")
    if search is None or not text.strip():
        return Finding(LAYER, "nothing", "There are no words here in which a mark could be looked for.")
    found = search(text)
    verdict = found.finding.verdict if found.finding is not None else "none"
    return Finding(LAYER, "proof" if verdict == "certain" else "claim" if verdict == "likely" else "nothing", " ".join(found.words))


def stated(data: bytes, beside: bytes | None, identity: Identity) -> Origin | None:
    """What a signed statement proves, of the text in `beside` if there is one; None for what is no statement."""
    found = sidecar.read(data, identity)
    if found is None:
        return None
    name = found.names(beside) if beside is not None else ""
    findings = [_signed(found)]
    if found.state != "altered" and beside is not None:
        findings.append(_same(name))
    return Origin(_verdict(found, beside is not None, name), tuple(findings), settings=_rows(found))


def _signed(found: Statement) -> Finding:
    if found.state == "altered":
        return Finding("Signature", "warning", "The statement was changed after it was signed: ask for the file as it was downloaded.")
    if found.state == "foreign":
        return Finding("Signature", "claim", f"Signed by {found.signer or 'someone else'}, unchanged since.")
    return Finding("Signature", "proof", "Signed by this studio, and nothing in the statement was changed since.")


def _same(name: str) -> Finding:
    if name:
        return Finding("Text", "proof", f"The text is the file “{name}” that the statement is about, to the last byte.")
    return Finding("Text", "warning", "The text is none of the files in the statement, or was changed: ask for it as it was downloaded.")


def _verdict(found: Statement, beside: bool, name: str) -> str:
    if found.state == "altered":
        return "Nothing can be said: the statement was changed after it was signed."
    if found.state == "foreign":
        return "Someone else signed it; nothing says that it was made here."
    if name:
        return "Yes, this text comes from here, and it is as it was downloaded."
    if beside:
        return "This studio signed the statement, but about another text, or about this one before it was changed."
    return "This studio signed the statement. Add the text that it came with, to see whether it is that one."


def _rows(found: Statement) -> tuple[tuple[str, str], ...]:
    """What the statement says, as (name, value)."""
    if found.state == "altered":
        return ()
    known: tuple[Wrote, ...] = ("human", "machine", "edited")
    spans = [Span(found.shares[origin], origin) for origin in known if found.shares.get(origin)]
    rows = (
        ("Who wrote it", label(spans) if spans else ""),
        ("Length", f"{sum(found.shares.values()):,} characters"),
        ("Models", ", ".join(found.models)),
        ("Files", ", ".join(found.files)),
        ("Downloaded", found.created[:16].replace("T", " ")),
    )
    return tuple(row for row in rows if row[1])
