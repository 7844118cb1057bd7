"""The model field of a form: what can be chosen, what is known about it, and its download. Knows no single tab."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio import models
from studio.creations import Progress
from studio.errors import Cancelled, StudioError
from studio.models import ModelCard
from studio.stocking import CHOSEN
from studio.studio import Studio
from tabs import _fields, _status
from tabs._form import Form


def model_choices(studio: Studio, kind: str) -> list[tuple[str, str]]:
    """The models of a kind for a picker, best first, each with where it is; '' lets the studio choose."""
    here = studio.here(kind)
    cards = sorted((c for c in studio.cards if kind in c.serves), key=lambda c: (c.name not in here, -c.quality, c.name))
    best = max(here.values(), key=lambda c: (c.starter, c.quality), default=None)
    automatic = f"Automatic ({best.name})" if best is not None and len(here) == 1 else "Automatic (the best one here)"
    return [(automatic, ""), *((c.name if c.name in here else f"{c.name} · not here yet", c.name) for c in cards)]


def picked(studio: Studio, name: str, kind: str, way: str = "") -> ModelCard:
    """The card behind a picker's value; for '' the one the studio would choose among those here for that way, else the starter."""
    if name:
        return models.named(studio.cards, name, kind)
    here = studio.here(kind).values() or [c for c in studio.cards if kind in c.serves]
    able = [card for card in here if card.works(kind, way)]
    return max(able or here, key=lambda c: (c.starter, c.quality))


class Tuned:
    """The fields of a form that some model of its task does not use: each is disabled, says so and is emptied while such a model is chosen.

    Made once all fields are there; until another model is chosen they are as the studio's own choice for `way` has them.
    """

    def __init__(self, form: Form, way: str = "") -> None:
        task = form.task
        self.names = [n for n in task.model_fields if any(n in card.ignores for card in form.studio.cards if task.kind in card.serves)]
        self.fields = [form.fields[name] for name in self.names]
        self._form, self._way = form, way
        self._words = {name: (field.info, field.label) for name, field in zip(self.names, self.fields, strict=True)}
        for name, values in self.of("").items():
            for key, value in values.items():
                setattr(form.fields[name], key, value)

    def of(self, model: str | None) -> dict[str, dict[str, Any]]:
        """What each field of `names` becomes under a model; nothing where there is no such model."""
        task = self._form.task
        try:
            card = picked(self._form.studio, model or "", task.kind, self._way)
        except (StudioError, ValueError):
            return {}
        return {name: self._under(card, name) for name in self.names}

    def updates(self, model: str | None, borrowed: Any = None) -> list[Any]:
        """The same for an event whose outputs are `fields`. While a run has borrowed the model field, they stay as they are."""
        found = {} if borrowed else self.of(model)
        return [gr.update(**values) for values in found.values()] or [gr.skip()] * len(self.names)

    def _under(self, card: ModelCard, name: str) -> dict[str, Any]:
        info, label = self._words[name]
        file, default = name in self._form.task.files, self._form.task.model_fields[name].default
        if name not in card.ignores:
            return {"interactive": True, **({"label": label} if file else {"info": info or ""})}
        reason = f"{card.name} does not use this"
        said = {"label": f"{label} ({reason})", "value": None} if file else {"info": reason, "value": [] if default == () else default}
        return {"interactive": False, **said}


def picker(form: Form, stage: gr.HTML, way: str = "", ways: Any = None) -> tuple[Any, gr.HTML]:
    """The model field with its facts and, where the model is not here, a Download button.

    `way` is the task's when the page opens, `ways` the field that it is chosen in, where there is one.
    """
    kind, studio = form.task.kind, form.studio
    model = form.add("model", _fields.choice(form.task, "model", model_choices(studio, kind)))
    card = picked(studio, "", kind, way)
    facts = gr.HTML(_status.card_facts(card, card.name in studio.here(kind)), elem_classes="quiet")
    fetch = gr.Button("Download", size="sm", visible=False)

    def describe(name: str | None, way: str | None = "") -> Any:
        return _described(studio, kind, name or "", way or "")

    def download(name: str | None, request: gr.Request) -> Iterator[Any]:
        yield from _brought(studio, kind, name or "", form.owner(request)[0])

    asked = [model] if ways is None else [model, ways]
    model.change(describe, asked, [facts, fetch], api_visibility="private", show_progress="hidden", queue=False)
    fetch.click(download, model, [stage, model, fetch], api_visibility="private", show_progress="hidden", concurrency_limit=2)
    return model, facts


def _described(studio: Studio, kind: str, name: str, way: str) -> Any:
    """What is known of a model, with what its licence restricts until that is accepted, and the button that does what is lacking."""
    try:
        card = picked(studio, name, kind, way)
    except StudioError:
        return gr.skip(), gr.skip()
    here = card.name in studio.here(kind)
    lacking = studio.licences.lacks(card)
    allowed = not studio.settings.public and (lacking is not None if here else not studio.settings.offline)
    told = _status.card_facts(card, here) + _status.note(lacking.words if lacking else "")
    return told, gr.Button(visible=allowed, value=_press(card.name, here=here, asks=lacking is not None))


def _brought(studio: Studio, kind: str, name: str, owner: str) -> Iterator[Any]:
    """Accept its licence, as the button said, and fetch a model: the line of progress, the picker, and the button."""
    if studio.settings.public:  # the button is not shown there; the event is there all the same
        yield _status.message(CHOSEN, "error"), gr.skip(), gr.skip()
        return
    began = time.monotonic()
    try:
        card = models.named(studio.cards, name, kind)
        if (lacking := studio.licences.lacks(card)) is not None:
            studio.licences.accept(lacking.name, owner)
        if lacking is not None and card.name in studio.here(kind):
            yield _status.message(f"The licence of {card.name} is accepted."), gr.skip(), gr.Button(visible=False)
            return
        for event in studio.download(name, kind, force=True):
            if isinstance(event, Progress):
                rate = event.done / max(time.monotonic() - began, 0.1)
                left = (event.total - event.done) / rate if rate and event.total and time.monotonic() - began > 2 else None
                yield _status.progress(event, left), gr.skip(), gr.skip()
        yield (
            _status.message(f"{name} is on this machine now."),
            gr.Dropdown(choices=model_choices(studio, kind)),
            gr.Button(visible=False),
        )
    except Cancelled:
        yield _status.message("Download stopped; what was fetched is kept for the next try.", "stopped"), gr.skip(), gr.skip()
    except StudioError as error:
        yield _status.message(str(error), "error"), gr.skip(), gr.skip()


def _press(name: str, *, here: bool, asks: bool) -> str:
    """What the button under a model's name says that it does."""
    if not asks:
        return f"Download {name}"
    return f"Accept the licence of {name}" if here else f"Accept the licence and download {name}"
