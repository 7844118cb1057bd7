"""What the library's page asks of the library, one function a request, and making a creation again to compare the two.

Each function is given the desk, whose creations are meant, and what a browser sent. Knows the library; knows no layout.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import gradio as gr

from studio import embedding, failures, incoming, thumbs
from studio import replay as replaying
from studio.creations import Creation, Event, Progress
from studio.errors import InvalidInput, ModelUnavailable, StudioError
from studio.provenance.record import Record
from studio.shelf import Filter
from tabs import _asking, _form, _leaf, _shelf, _shelf_documents, _status
from tabs._form import Desk

log = logging.getLogger("atelier.page")

MOST_THUMBS = 60
MOST_PACKED = 1000
MOST_BROUGHT = 500
"""Creations of one zip that comes into a public studio."""
NOT_HERE = "What finds by meaning is not on this machine yet: fetch it below, under Search by meaning, or search by words."


class Visit(_asking.Visit):
    """A request of the library's page."""

    @property
    def ids(self) -> tuple[str, ...]:
        return _shelf.ids_of(self.data)


def answer(desk: Desk, data: object, request: gr.Request, event: int) -> dict[str, Any]:
    """The shelf's value for one request of the event with that number: the answer, or one sentence in `error`."""
    given = data if isinstance(data, Mapping) else {}
    answer = _asking.answer(Visit(desk, request, given), ANSWERS)
    return _shelf.answered(given, answer, {"event": event, "session": request.session_hash})


def opened(desk: Desk, data: object, request: gr.Request) -> tuple[dict[str, Any], Creation | None, str]:
    """The leaf's value for one creation, the creation, and its medium; an error in words instead."""
    found: list[tuple[Creation, str]] = []

    def act() -> dict[str, Any]:
        (id,) = _shelf.ids_of(data, 1)
        shelf, seen = desk.studio.library.shelf, desk.seen(request)
        item, creation = shelf.item(id, *seen), desk.creation(id, request)
        came_from, came_of = ([one for one in line if not one.trashed] for line in shelf.lineage(id, *seen))
        found.append((creation, item.medium))
        return _leaf.told(creation, item, came_from, came_of, again=creation.kind in _known(desk))

    value = _asking.guarded(act)
    creation, medium = found[0] if found and "error" not in value else (None, "")
    return value if "token" in value else _shelf.sent(**value), creation, medium


def compared(desk: Desk, data: object, request: gr.Request) -> tuple[dict[str, Any], list[Creation]]:
    """The leaf's value that compares two to four creations, and those that the player plays."""
    sounds: list[Creation] = []

    def act() -> dict[str, Any]:
        ids = _shelf.ids_of(data, 4)
        items = [desk.studio.library.shelf.item(id, *desk.seen(request)) for id in ids]
        if len(ids) < 2 or len({item.medium for item in items}) > 1:
            raise InvalidInput("Two to four of one kind can be compared: select pictures, sounds or texts alone.")
        creations = [desk.creation(id, request) for id in ids]
        sounds.extend(creations if items[0].medium == "sound" else ())
        return {"compared": _leaf.compared(creations, items)}

    return _shelf.sent(**_asking.guarded(act)), sounds


def packed(desk: Desk, data: object, request: gr.Request) -> dict[str, Any]:
    """The leaf's value with a zip of creations."""

    def act() -> dict[str, Any]:
        from studio import archive  # brings a sound library, which the first page does without

        ids = _shelf.ids_of(data, MOST_PACKED)
        private = isinstance(data, Mapping) and data.get("private") is True
        (place,) = _form.show_bytes({"atelier-private.zip" if private else "atelier.zip": b""})
        shelf, seen = desk.studio.library.shelf, desk.seen(request)
        items = [] if private else [shelf.item(id, *seen) for id in ids]
        titles = {item.id: item.title for item in items if item.title}
        archive.pack([desk.creation(id, request) for id in ids], Path(place), private, titles, items)
        words = f"{len(ids):,} creation{'s are' if len(ids) > 1 else ' is'} in {Path(place).name}."
        return {"parcel": _shelf.file_value(place), "words": words}

    return _shelf.sent(**_asking.guarded(act))


def brought(desk: Desk, file: str | None, request: gr.Request) -> str:
    """Take an exported zip in; one line as HTML that says what came, or why not."""
    if not file:
        return ""
    owner, session = desk.owner(request)
    try:
        most = MOST_BROUGHT if desk.studio.settings.public else incoming.MOST
        return _status.message(desk.studio.library.incoming.bring(Path(file), owner, session, most).words)
    except StudioError as error:
        return _status.message(str(error), "error")


def replay(desk: Desk, data: object, request: gr.Request) -> Iterator[str]:
    """Make a creation again: its progress as HTML, at the end one line that says how far the two differ."""
    try:
        (id,) = _shelf.ids_of(data, 1)
        creation = desk.creation(id, request)
        entry = Record.model_validate(dict(creation.record))
        with closing(cast("Generator[Event]", replaying.again(desk.studio, entry, *desk.owner(request)))) as events:
            for event in events:
                if isinstance(event, Creation):
                    difference = replaying.compare(creation.path, event)
                    yield _status.message(_verdict(difference, replaying.differences(entry, dict(event.record))))
                    return
                if isinstance(event, Progress):
                    yield _status.progress(event)
        yield _status.message("Nothing came of it: try again.", "error")
    except gr.Error as error:
        yield _status.message(str(error.message), "error")
    except Exception as error:  # noqa: BLE001  the log has it; the page gets its sentence
        yield _status.message(failures.told(error, "making a creation again", log).words, "error")


def _verdict(difference: replaying.Difference, changed: list[str]) -> str:
    same = "Made again, the same" if not difference.largest else "Made again, not quite the same"
    why = f" What is not as it was: {'; '.join(changed[:4])}." if changed and difference.largest else ""
    return f"{same}: {difference.words}.{why}"


def _known(desk: Desk) -> set[str]:
    return {kind for card in desk.studio.cards for kind in card.serves}


def _page(visit: Visit) -> dict[str, Any]:
    shelf, asked = visit.desk.studio.library.shelf, _shelf.filter_of(visit.data.get("filter"))
    before = visit.words("before")
    if asked.meaning and asked.words.strip():
        return _by_meaning(visit, asked)
    items = shelf.page(asked, _shelf.FURTHER if before else _shelf.PAGE, before, *visit.seen)
    found: dict[str, Any] = {"items": [_shelf.item_value(item) for item in items]}
    if visit.data.get("count") is True:
        found["total"] = len(items) if len(items) < _shelf.PAGE else shelf.count(asked, *visit.seen)
    if not before:
        found["documents"] = _shelf_documents.found(visit, asked)
    if visit.data.get("choices") is True:
        found["choices"] = _shelf.choices_value(shelf.choices(*visit.seen))
    return found


def _by_meaning(visit: Visit, asked: Filter) -> dict[str, Any]:
    """What means the same as the words, the nearest first, as one page; a note where not everything was compared yet."""
    studio, library = visit.desk.studio, visit.desk.studio.library
    if not studio.noticing.here:
        raise ModelUnavailable(NOT_HERE)
    spaces = studio.noticing.spaces()
    found = library.meanings.nearest(asked, spaces, *visit.seen)
    items = [] if visit.words("before") else [_shelf.item_value(item) for item in library.shelf.these(found.seqs, *visit.seen)]
    left = found.total - found.compared
    notes = [f"{left:,} of {found.total:,} creations are not compared yet: search again for more of them."] if left else []
    notes += [f"The model that finds {medium}s is being loaded: search again in a moment." for medium in studio.noticing.loading]
    embed = studio.embedder if embedding.here(studio.places) else None
    documents = {} if visit.words("before") else {"documents": _shelf_documents.found(visit, asked, embed)}
    return (
        {"items": items, "total": len(found.seqs), "note": " ".join(notes)}
        | documents
        | ({"choices": _shelf.choices_value(library.shelf.choices(*visit.seen))} if visit.data.get("choices") is True else {})
    )


def _thumbs(visit: Visit) -> dict[str, Any]:
    return {"thumbs": {id: _shelf.thumb_value(_thumb(visit, id)) for id in visit.ids[:MOST_THUMBS]}}


def _thumb(visit: Visit, id: str) -> bytes | None:
    """The small picture of one creation that this visitor may see, trashed or not."""
    library, (owner, session) = visit.desk.studio.library, visit.seen
    try:
        return thumbs.thumb(library.get(library.shelf.item(id, owner, session).id, owner, trashed=True), library)
    except StudioError:
        return None


def _star(visit: Visit) -> dict[str, Any]:
    visit.desk.studio.library.shelf.star(visit.ids, visit.data.get("on") is True, *visit.seen)
    return {}


def _tag(visit: Visit) -> dict[str, Any]:
    given = {name: _texts(visit.data.get(name)) for name in ("add", "remove")}
    owner, session = visit.seen
    visit.desk.studio.library.shelf.tag(visit.ids, **given, owner=owner, session=session)
    return {}


def _move(visit: Visit) -> dict[str, Any]:
    visit.desk.studio.library.shelf.move(visit.ids, visit.words("project"), *visit.seen)
    return {}


def _panel(visit: Visit) -> dict[str, Any]:
    return {"project": visit.desk.studio.library.storyboards.add(visit.ids, *visit.seen)}


def _rename(visit: Visit) -> dict[str, Any]:
    visit.desk.studio.library.shelf.rename(visit.ids[0], visit.words("title"), *visit.seen)
    return {}


def _note(visit: Visit) -> dict[str, Any]:
    visit.desk.studio.library.shelf.note(visit.ids[0], visit.words("note"), *visit.seen)
    return {}


def _trash(visit: Visit) -> dict[str, Any]:
    return {"ids": list(visit.desk.studio.library.shelf.trash(visit.ids, *visit.seen))}


def _restore(visit: Visit) -> dict[str, Any]:
    visit.desk.studio.library.shelf.restore(visit.ids, *visit.seen)
    return {}


def _purge(visit: Visit) -> dict[str, Any]:
    visit.desk.studio.library.shelf.purge(visit.ids, *visit.seen)
    return {}


def _empty(visit: Visit) -> dict[str, Any]:
    return {"count": len(visit.desk.studio.library.shelf.empty_trash(*visit.seen))}


def _files(visit: Visit) -> dict[str, Any]:
    creation = visit.desk.creation(visit.ids[0], visit.request)
    medium = visit.desk.studio.library.shelf.item(creation.id, *visit.seen).medium
    return {"files": [_shelf.file_value(file) for file in _leaf.files(creation, medium, visit.words("format"), visit.desk.studio.marks)]}


def _texts(value: object) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str))[:100] if isinstance(value, list) else ()


ANSWERS: Mapping[str, Callable[[Visit], dict[str, Any]]] = {
    "page": _page, "thumbs": _thumbs, "star": _star, "tag": _tag, "move": _move, "panel": _panel, "rename": _rename, "note": _note,
    "trash": _trash, "restore": _restore, "purge": _purge, "empty": _empty, "files": _files,
}  # fmt: skip
"""What a browser may ask for, by name."""
