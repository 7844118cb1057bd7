"""What the document editor asks of the library, one function a request. Places are code units of UTF-16 in all that goes in and out.

Each function is given the desk, whose documents are meant, and what a browser sent. Knows the library; knows no layout and no model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import gradio as gr

from studio.errors import InvalidInput, NotFound, StudioError
from studio.writing.manuscripts import Manuscript, Manuscripts
from studio.writing.spans import Splice
from tabs import _asking, _editor
from tabs._form import QUIET, Desk

MOST_CREATIONS = 50
DIFF_LIMIT = 60_000
"""Characters of each of two texts that are compared."""


class Visit(_asking.Visit):
    """A request of the editor."""

    @property
    def manuscripts(self) -> Manuscripts:
        return self.desk.studio.library.manuscripts

    @property
    def document(self) -> str:
        """The id that was sent, '' if it is none."""
        return _editor.id_of(self.data)


def wire(desk: Desk, editor: Any) -> None:
    """Answer what an editor on the page asks."""

    def ask(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        return answer(desk, _asking.told(event), request, asking["id"])

    asking = editor.ask(ask, None, editor, trigger_mode="multiple", **QUIET)


def answer(desk: Desk, data: object, request: gr.Request, event: int) -> dict[str, Any]:
    """The editor's value for one request of the event with that number: the answer, or one sentence in `error`."""
    given = data if isinstance(data, Mapping) else {}
    found = _asking.answer(Visit(desk, request, given), ANSWERS)
    return _editor.answered(given, found, {"event": event, "session": request.session_hash})


def document_value(manuscript: Manuscript) -> dict[str, Any]:
    """A document for the page."""
    return {**_state(manuscript), "title": manuscript.title, "text": manuscript.text}


def _state(manuscript: Manuscript) -> dict[str, Any]:
    """What a change leaves: the page has the text itself."""
    return {
        "id": manuscript.id, "version": manuscript.version, "undo": manuscript.undo, "redo": manuscript.redo,
        "spans": _editor.spans_value(manuscript.text, manuscript.spans), "length": _editor.Units(manuscript.text).length,
    }  # fmt: skip


def _open(visit: Visit) -> dict[str, Any]:
    """The document of that id, the newest for none; a new one if there is none at all. `gone` where it is not there any more."""
    if visit.document:
        try:
            return {"document": document_value(visit.manuscripts.open(visit.document, *visit.seen))}
        except NotFound as error:
            return {"gone": str(error)}
    known = visit.manuscripts.list(*visit.seen)
    found = visit.manuscripts.open(known[0].id, *visit.seen) if known else visit.manuscripts.new(*_mine(visit))
    return {"document": document_value(found)}


def _new(visit: Visit) -> dict[str, Any]:
    return {"document": document_value(visit.manuscripts.new(*_mine(visit), title=visit.words("title"), text=visit.words("text")))}


def _list(visit: Visit) -> dict[str, Any]:
    return {"documents": [asdict(one) for one in visit.manuscripts.list(*visit.seen)]}


def _change(visit: Visit) -> dict[str, Any]:
    """The document after the splices. `branched` where another page changed it meanwhile; `refused` says why it cannot be so."""
    head = visit.manuscripts.open(visit.document, *visit.seen)
    try:
        return _changed(visit, head)
    except InvalidInput as error:
        return {"refused": str(error)}


def _changed(visit: Visit, head: Manuscript) -> dict[str, Any]:
    base, kept = visit.words("base"), visit.manuscripts
    (owner, session), note = visit.seen, visit.words("note")[: _editor.NOTE_LIMIT]
    if head.version == base:
        splices = _believed(visit, _editor.splices_of(visit.data.get("splices"), head.text))
        return _state(kept.change(head.id, owner, session, base, splices, note))
    before = kept.go(head.id, owner, session, base)  # the text that the page changed
    try:
        splices = _believed(visit, _editor.splices_of(visit.data.get("splices"), before.text))
        if _editor.applied(before.text, splices) == head.text:  # saved before: its answer did not arrive
            return _state(kept.go(head.id, owner, session, head.version))
        return {**_state(kept.change(head.id, owner, session, base, splices, note)), "branched": True}
    except Exception:
        kept.go(head.id, owner, session, head.version)
        raise


def _believed(visit: Visit, splices: Sequence[Splice]) -> tuple[Splice, ...]:
    """A model wrote what one of this visitor's own creations holds; anything else a person did."""
    texts: dict[str, str] = {}
    for id in {splice.creation for splice in splices if splice.creation}:
        texts[id] = (_creation(visit, id) or {}).get("text") or ""
    return tuple(
        splice if not splice.creation or splice.text in texts[splice.creation] else replace(splice, origin="human", creation="")
        for splice in splices
    )


def _creation(visit: Visit, id: str) -> dict[str, Any] | None:
    """Text and facts of a creation that this visitor may see."""
    library, (owner, session) = visit.desk.studio.library, visit.seen
    try:
        library.shelf.item(id, owner, session)
        creation = library.get(id, owner, trashed=True)
    except StudioError:
        return None
    facts = creation.record.get("facts")
    return {"text": creation.text, "facts": facts if isinstance(facts, dict) else {}}


def _undo(visit: Visit) -> dict[str, Any]:
    return {"document": document_value(visit.manuscripts.undo(visit.document, *visit.seen))}


def _redo(visit: Visit) -> dict[str, Any]:
    return {"document": document_value(visit.manuscripts.redo(visit.document, *visit.seen))}


def _go(visit: Visit) -> dict[str, Any]:
    return {"document": document_value(visit.manuscripts.go(visit.document, *visit.seen, visit.words("version")))}


def _tree(visit: Visit) -> dict[str, Any]:
    return {"versions": [asdict(one) for one in visit.manuscripts.tree(visit.document, *visit.seen)]}


def _rename(visit: Visit) -> dict[str, Any]:
    visit.manuscripts.rename(visit.document, *visit.seen, visit.words("title"))
    return {}


def _remove(visit: Visit) -> dict[str, Any]:
    visit.manuscripts.remove(visit.document, *visit.seen)
    return {}


def _restore(visit: Visit) -> dict[str, Any]:
    visit.manuscripts.restore(visit.document, *visit.seen)
    return {}


def _fields(visit: Visit) -> dict[str, Any]:
    fields = visit.data.get("fields")
    if not isinstance(fields, dict):
        raise InvalidInput("What belongs to this document could not be understood: reload the page and try again.")
    visit.manuscripts.set_fields(visit.document, *visit.seen, fields)
    return {}


def _diff(visit: Visit) -> dict[str, Any]:
    """What a rewrite changes, piece by piece; places count in the old text."""
    old, new = visit.words("old"), visit.words("new")
    if max(len(old), len(new)) > DIFF_LIMIT:
        raise InvalidInput(f"Texts of more than {DIFF_LIMIT:,} characters are too long to compare: replace the whole, or take less.")
    from studio.writing import diff

    units = _editor.Units(old)
    return {"pieces": [{**asdict(piece), "start": units.unit(piece.start)} for piece in diff.pieces(old, new)]}


def _words(visit: Visit) -> dict[str, Any]:
    """How likely each word of some creations was, and what else was likely: lists as the engines tell it, null where they did not."""
    given = visit.data.get("creations")
    ids = [id for id in given if isinstance(id, str)][:MOST_CREATIONS] if isinstance(given, list) else []
    return {"words": {id: (_creation(visit, id) or {"facts": {}})["facts"].get("words") for id in ids}}


def _mine(visit: Visit) -> tuple[str, str]:
    """Whose a new document is: the browser session counts in a public studio alone, as for creations."""
    return visit.desk.owner(visit.request)


ANSWERS: Mapping[str, Callable[[Visit], dict[str, Any]]] = {
    "open": _open, "new": _new, "list": _list, "change": _change, "undo": _undo, "redo": _redo, "go": _go, "tree": _tree,
    "rename": _rename, "remove": _remove, "restore": _restore, "fields": _fields, "diff": _diff, "words": _words,
}  # fmt: skip
"""What a browser may ask for, by name."""
