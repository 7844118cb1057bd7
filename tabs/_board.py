"""The storyboard's server side: its component, what a browser may ask of a row of panels, and the files that it leaves as.

The row itself is JavaScript in assets/storyboard/. Everything a browser sends here may come from anyone. Knows storyboards, and no layout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from studio import copies, storyboard_page, thumbs
from studio.errors import InvalidInput, StudioError
from studio.storyboard_page import Shown
from studio.storyboards import MOST, Panel
from tabs import _asking, _form, _gallery, _shelf
from tabs._form import Desk

STYLE = "storyboard/board.css"
SCRIPTS = ("storyboard/panel.js", "storyboard/board.js")
"""In assets/, after those of the library, whose small parts they use."""
PAGE_BYTES = 200_000_000
"""Of pictures and sounds in one page; a zip holds more."""

_ATTACH = """
const tell = { ask: (data) => trigger("ask", data), pack: (data) => trigger("pack", data), paint: (data) => trigger("paint", data) };
const attach = (tries) => window.atelierStoryboard?.attach
  ? window.atelierStoryboard.attach(element, { props, watch, tell })
  : tries && setTimeout(() => attach(tries - 1), 50);
attach(200);
"""


VALUES = ("id", "caption", "told", "sound", "heard", "missing", "waits", "picture", "origin")
"""What a browser is told of a panel."""


class BoardView(gr.HTML):
    """A storyboard. Events, each with gr.EventData: `.ask`, answered by its own value (`_shelf.answered`), `.pack`: makes a
    file, and `.paint`: takes the words of a panel's picture to where pictures are made."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            html_template='<div class="board"></div>', js_on_load=_ATTACH, apply_default_css=False, padding=False,
            elem_classes="board-block", **options,
        )  # fmt: skip


class Visit(_asking.Visit):
    """A request of the storyboard's page."""

    @property
    def project(self) -> str:
        return self.words("project")

    @property
    def id(self) -> str:
        (id,) = _shelf.ids_of(self.data, 1)
        return id


def answer(desk: Desk, data: object, request: gr.Request, event: int) -> dict[str, Any]:
    """The component's value for one request of the event with that number: the answer, or one sentence in `error`."""
    given = data if isinstance(data, Mapping) else {}
    return _shelf.answered(given, _asking.answer(Visit(desk, request, given), ANSWERS), {"event": event, "session": request.session_hash})


def shown(project: str) -> dict[str, Any]:
    """The component's value that opens a storyboard."""
    return _shelf.sent(show=project)


def drafted(project: str, ids: Sequence[str], words: str) -> dict[str, Any]:
    """The component's value that opens a storyboard with panels that were just drafted, and says so."""
    return _shelf.sent(show=project, drafted=list(ids), words=words)


def painted(desk: Desk, data: object, request: gr.Request) -> str:
    """The words of the picture that a panel waits for; '' for any other panel."""
    visit = Visit(desk, request, data if isinstance(data, Mapping) else {})
    try:
        waiting = desk.studio.library.storyboards.panels(visit.project, *visit.seen)
        return next((panel.picture for panel in waiting if panel.waits and panel.id == visit.id), "")
    except StudioError:
        return ""


def packed(desk: Desk, data: object, request: gr.Request) -> dict[str, Any]:
    """The component's value with a storyboard as one page, or as a zip with the works themselves and their records."""

    def act() -> dict[str, Any]:
        visit = Visit(desk, request, data if isinstance(data, Mapping) else {})
        panels = [panel for panel in desk.studio.library.storyboards.panels(visit.project, *visit.seen) if not panel.missing]
        if not panels:
            raise InvalidInput("This storyboard is empty: send a picture here first.")
        make = _zip if visit.words("format") == "zip" else _page
        path, left_out = make(visit, panels)
        words = f"{path.name} is ready: {len(panels)} panel{'s' if len(panels) > 1 else ''}.{left_out}"
        return {"parcel": _shelf.file_value(path), "words": words}

    return _shelf.sent(**_asking.guarded(act))


def _page(visit: Visit, panels: list[Panel]) -> tuple[Path, str]:
    """One HTML file with everything in it, and what was left out of it."""
    from studio import archive  # brings a sound library, which the first page does without

    studio, parts, size, silent = visit.desk.studio, list[Shown](), 0, 0
    for panel in panels:
        picture = b"" if panel.waits else copies.picture(visit.desk.creation(panel.id, visit.request), ".jpg", studio.marks)
        sound = b""
        if panel.sound:
            try:
                sound = copies.sound(visit.desk.creation(panel.sound, visit.request).path, "mp3", studio.marks)
            except (StudioError, gr.Error):
                silent += 1
        size += len(picture) + len(sound)
        if size > PAGE_BYTES:
            raise InvalidInput("This storyboard is too large for one page: take the zip, or take sounds out.")
        parts.append(Shown(panel.words, picture, sound, panel.heard, panel.picture, panel.origin))
    name = archive.plain_name(visit.project, "storyboard")
    (path,) = _form.show_bytes({f"{name}.html": storyboard_page.page(visit.project, parts)})
    return Path(path), f" {silent} sounds could not be read and are left out." if silent else ""


def _zip(visit: Visit, panels: list[Panel]) -> tuple[Path, str]:
    """The pictures in their order, named by their captions, each sound behind its picture, with records and a contact sheet."""
    from studio import archive  # brings a sound library, which the first page does without

    ids = list(dict.fromkeys(id for panel in panels for id in (panel.id, panel.draft, panel.sound) if id))
    titles = {panel.id: panel.words for panel in panels}
    shelf = visit.desk.studio.library.shelf
    (path,) = _form.show_bytes({f"{archive.plain_name(visit.project, 'storyboard')}.zip": b""})
    items = [shelf.item(id, *visit.seen) for id in ids]
    archive.pack([visit.desk.creation(id, visit.request) for id in ids], Path(path), False, titles, items)
    return Path(path), ""


def _board(visit: Visit) -> dict[str, Any]:
    """One storyboard, that which is asked for or else the newest, with what there is to choose from."""
    boards = visit.desk.studio.library.storyboards
    names = [(board.project, board.panels) for board in boards.boards(*visit.seen)]
    project = visit.project if any(visit.project == name for name, _ in names) else names[0][0] if names else ""
    panels = boards.panels(project, *visit.seen) if project else ()
    sounds = [(heard.id, heard.words[:80]) for heard in boards.sounds(project, *visit.seen)] if panels else []
    return {"project": project, "boards": names, "panels": [_value(panel) for panel in panels], "sounds": sounds}


def _value(panel: Panel) -> dict[str, Any]:
    return {name: getattr(panel, name) for name in VALUES}


def _thumbs(visit: Visit) -> dict[str, Any]:
    library, (owner, session) = visit.desk.studio.library, visit.seen
    found: dict[str, str] = {}
    for id in _shelf.ids_of(visit.data, MOST)[:60]:
        try:
            found[id] = _shelf.thumb_value(thumbs.thumb(library.get(library.shelf.item(id, owner, session).id, owner), library))
        except StudioError:
            found[id] = ""
    return {"thumbs": found}


def _arrange(visit: Visit) -> dict[str, Any]:
    visit.desk.studio.library.storyboards.arrange(visit.project, _shelf.ids_of(visit.data, MOST), *visit.seen)
    return {}


def _caption(visit: Visit) -> dict[str, Any]:
    visit.desk.studio.library.storyboards.caption(visit.id, visit.words("caption"), *visit.seen)
    return {}


def _picture(visit: Visit) -> dict[str, Any]:
    visit.desk.studio.library.storyboards.picture(visit.id, visit.words("picture"), *visit.seen)
    return {}


def _discard(visit: Visit) -> dict[str, Any]:
    """Drafted panels go as they came; they are in the trash."""
    panels = {panel.id for panel in visit.desk.studio.library.storyboards.panels(visit.project, *visit.seen) if panel.waits}
    ids = [id for id in _shelf.ids_of(visit.data, MOST) if id in panels]
    visit.desk.studio.library.shelf.trash(ids, *visit.seen)
    return {"ids": ids}


def _sound(visit: Visit) -> dict[str, Any]:
    visit.desk.studio.library.storyboards.sound(visit.id, visit.words("sound"), *visit.seen)
    return {}


def _remove(visit: Visit) -> dict[str, Any]:
    visit.desk.studio.library.storyboards.remove(_shelf.ids_of(visit.data, MOST), *visit.seen)
    return {}


def _add(visit: Visit) -> dict[str, Any]:
    boards = visit.desk.studio.library.storyboards
    return {"project": boards.add(_shelf.ids_of(visit.data, MOST), *visit.seen, visit.project)}


def _file(visit: Visit) -> dict[str, Any]:
    """A picture to look at or a sound to hear, as it is kept."""
    creation = visit.desk.creation(visit.id, visit.request)
    seed = _gallery.task_of(creation).get("seed", creation.id)
    return {"files": [_shelf.file_value(_form.show(creation.path, f"atelier-{seed}{creation.path.suffix}"))]}


ANSWERS: Mapping[str, Callable[[Visit], dict[str, Any]]] = {
    "board": _board, "thumbs": _thumbs, "arrange": _arrange, "caption": _caption, "picture": _picture, "discard": _discard,
    "sound": _sound, "remove": _remove, "add": _add,
    "file": _file,
}  # fmt: skip
"""What a browser may ask for, by name."""
