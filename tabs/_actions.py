"""What can be made of a finished take with one press: the buttons under the player, and what each fills in for a run.

Knows the player and the form of the music task; knows no layout.
"""

from __future__ import annotations

import secrets
import shlex
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any

import gradio as gr

from studio.creations import Creation
from studio.errors import StudioError
from studio.provenance import record
from studio.tasks import EDITS
from tabs import _form, _gallery, _player, _restored, _scripts, _status, _takes
from tabs._form import QUIET, Form

BUTTONS = {
    "extend": "Extend", "lead": "Lead in", "cover": "Another style", "again": "Use these settings",
    "repaint": "Redo selection", "trim": "Keep selection", "loop": "Loop selection", "fade": "Fade selection",
    "picture": "Put the cover on", "separate": "Separate stems",
}  # fmt: skip
"""Buttons under the player, with their labels."""
ACTIONS: Mapping[str, tuple[str, bool]] = {
    "extend": ("continue", False), "lead": ("lead", False), "repaint": ("repaint", True), "cover": ("cover", False),
    "trim": ("trim", True), "loop": ("loop", True), "fade": ("fade", True), "picture": ("picture", False),
    "separate": ("separate", False),
}  # fmt: skip
"""What they use the chosen take for, and whether a region must be selected."""
BORROWED = ("reference", "reference_use", "region_start", "region_end", "model")
"""Fields that such a button fills for one run."""
WHOLE = ("picture", "separate")
"""Uses of a take that are for all of it, whatever is selected."""


def wire(form: Form, view: dict[str, Any], stage: gr.HTML, done: Any) -> None:
    """What can be made of the chosen take: a button fills the fields of the reference and runs; after the run they are as before."""
    fields, picked = form.fields, view["picked"]
    targets = [fields[name] for name in BORROWED]
    for name, (way, region) in ACTIONS.items():
        use = _using(form, way, region=region)
        outputs = [view["go"], stage, view["before"], fields["prompt"], *targets]
        view[name].click(use, [picked, fields["prompt"], *targets], outputs, js=_player.CHOSEN, **QUIET)
    view["go"].change(None, view["go"], js=f"(go) => {{ if (go) ({_scripts.RUN})(); }}", api_visibility="private")

    def restored(before: list[Any] | None) -> tuple[Any, ...]:
        return None, *(before or [gr.skip()] * len(BORROWED))

    _form.finally_do(done, restored, view["before"], [view["before"], *targets], **QUIET)

    def again(data: Any, request: gr.Request) -> list[Any]:
        creation = _picked(form, data, request)
        return _restored.values(form, creation.record)

    def stems(data: Any, kind: str | None, request: gr.Request) -> Any:
        from studio.music.package import package

        creation = _picked(form, data, request)
        whole, parts = _apart(form, creation, request)
        try:
            archive = package(whole, form.studio.settings.soundfont, parts)
            kept = _takes.files(creation, kind or "", form.studio.marks)
            return gr.File(value=[*kept, *_form.show_bytes({f"{_takes.name(creation)}-stems.zip": archive})])
        except StudioError as error:
            raise gr.Error(str(error), print_exception=False) from None

    view["again"].click(again, picked, list(fields.values()), js=_player.CHOSEN, **QUIET)
    view["stems"].click(stems, [picked, fields["format"]], view["downloads"], js=_player.CHOSEN, **QUIET)


def separating(form: Form) -> tuple[bool, str]:
    """Whether recordings can be taken apart into stems here; where not, which commands bring that, for who may run them."""
    studio, kind = form.studio, form.task.kind
    able = [card for card in studio.cards if card.works(kind, "separate")]
    here = studio.here(kind)
    lacking = {card.name: [name for name in card.needs if find_spec(name) is None] for card in able}
    if any(card.name in here and not lacking[card.name] for card in able):
        return True, ""
    if not able or studio.settings.public:
        return False, ""
    card = able[0]
    commands = [f"make {name}" for name in lacking[card.name]]
    commands += [] if card.name in here else [f"python -m studio download {shlex.quote(card.name)}"]
    what = f"{card.name} (licence {card.licence}) takes recordings apart into stems"
    return False, f"{what}, once this has been run here: {', then '.join(commands)}."


def _apart(form: Form, creation: Creation, request: gr.Request) -> tuple[Creation, dict[str, Creation]]:
    """The take that the chosen one is of, and its stems as they were separated last, by name; for a stem, what it was taken from."""
    seen, library = form.seen(request), form.studio.library
    parents = creation.record.get("parents")
    whole = creation
    if _stem(creation) and isinstance(parents, list) and parents:
        whole = form.creation(str(parents[0]), request)
    found = (library.get(item.id, seen[0]) for item in library.shelf.lineage(whole.id, *seen)[1] if not (item.trashed or item.missing))
    return whole, {name: one for one in found if (name := _stem(one)) and one.record.get("parents") == [whole.id]}


def _stem(creation: Creation) -> str:
    return str(_gallery.facts_of(creation).get("stem") or "")


def _using(form: Form, way: str, *, region: bool) -> Callable[..., tuple[Any, ...]]:
    """What a button of ACTIONS does: gives the fields for a run that uses the chosen take, and a new value of "go", which starts it."""

    def use(data: Any, words: str, file: Any, used: Any, begin: Any, stop: Any, model: Any, request: gr.Request) -> tuple[Any, ...]:
        found = _player.chosen(data)
        start, end = (found.region if found else None) or (None, None)
        if found is None or (region and end is None):
            why = "There is no take yet: make one first." if found is None else "Nothing is selected: drag over the waveform first."
            return "", _status.message(why, "error"), *(gr.skip(),) * (2 + len(BORROWED))
        creation = form.creation(found.take, request)
        prompt = words if (words or "").strip() else str(record.Record.model_validate(creation.record).task.get("prompt"))
        taken = _form.show(creation.path, f"{_takes.name(creation)}{creation.path.suffix}")
        before = [file, used, begin, stop, model]
        end = None if way in WHOLE else end
        return secrets.token_hex(4), "", before, prompt, taken, way, start if region else None, end, "" if way in EDITS else model

    return use


def _picked(form: Form, data: Any, request: gr.Request) -> Creation:
    """The take that is chosen in the player."""
    found = _player.chosen(data)
    if found is None:
        raise gr.Error("There is no take yet: make one first.", print_exception=False)
    return form.creation(found.take, request)
