"""The narration tab: a text is read aloud by a voice, plays while it is spoken, and is taken away as sound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.models import ModelCard
from studio.tasks import SOUND_FORMATS, Narrate
from tabs import _fields, _form, _models, _player, _restored, _status, _takes
from tabs._form import QUIET, Form

NAME = "Narration"
TASK = Narrate
ACCEPTS: Mapping[str, str] = {"text": "text"}

EXAMPLES = (
    "The night train was almost empty. Somewhere behind the hills, a single window was still lit.",
    "Welcome to the old harbour. Please follow the blue line, and mind your step.",
)


def build(form: Form) -> None:
    """Lay out the tab."""
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="ask"):
            ask = _ask(form)
        with gr.Column(elem_classes="answer"):
            view = {"player": _player.Player(), **_takes.parts()}
            form.outbox["sound"] = view["take"]
        with gr.Column(elem_classes="tune"):
            ask["drop"] = _tune(form, ask["stage"])
    form.fields = {name: form.fields[name] for name in TASK.model_fields}
    _wire(form, ask, view)


def _ask(form: Form) -> dict[str, Any]:
    text = form.add(
        "text", _fields.text(TASK, "text", lines=8, max_lines=24, placeholder="What should be read aloud?", elem_classes="prompt")
    )
    _form.examples(text, EXAMPLES)
    lacking = gr.HTML(_lacking(form), elem_classes="quiet", padding=False)
    with gr.Row():
        run = gr.Button("Narrate", variant="primary", elem_classes="run", scale=3)
        stop = gr.Button("Stop", elem_classes="stop", scale=1, min_width=80)
    estimate = gr.HTML(elem_classes="quiet", padding=False)
    stage = gr.HTML(elem_classes="status", padding=False)
    return {"lacking": lacking, "run": run, "stop": stop, "estimate": estimate, "stage": stage}


def _tune(form: Form, stage: gr.HTML) -> gr.File:
    _models.picker(form, stage)
    form.add("voice", _fields.choice(TASK, "voice", [("The model's own", ""), *_voices(form, "")]))
    form.add("speed", _fields.slider(TASK, "speed", step=0.05))
    form.add("seed", _fields.number(TASK, "seed", placeholder="fresh each time"))
    form.add("format", _fields.Dropdown([(t, n) for n, t in SOUND_FORMATS.items()], value="flac", label="Format of the download"))
    with gr.Accordion("Advanced", open=False):
        return _restored.drop()


def _wire(form: Form, ask: dict[str, Any], view: dict[str, Any]) -> None:
    form.stop_on(ask["stop"])
    fields = form.fields
    done = _takes.wire(form, view, ask["run"], ask["stage"])
    _restored.wire(form, ask["drop"], ask["stage"])
    _form.estimate(form, ask["estimate"], ("text", "model"), {})
    lacking, tuned = ask["lacking"], _models.Tuned(form)
    fields["voice"].interactive = len(fields["voice"].choices) > 1

    def useful(model: str | None, voice: str | None) -> tuple[Any, ...]:
        found = tuned.of(model)
        voices = [("The model's own", ""), *_voices(form, model or "")]
        kept = voice if voice in [name for _, name in voices] else ""
        found["voice"] = {**found.get("voice", {}), "choices": voices, "value": kept, "interactive": len(voices) > 1}
        return (_lacking(form), *(gr.update(**found.get(name, {})) for name in shown))

    shown = dict.fromkeys(["voice", *tuned.names])
    fields["model"].change(useful, [fields["model"], fields["voice"]], [lacking, *(fields[name] for name in shown)], **QUIET)
    form.demo.load(lambda: _lacking(form), None, lacking, **QUIET)
    _form.finally_do(done, lambda: _lacking(form), None, lacking, **QUIET)
    best = _best(form)
    _form.remember(form, done, first={"model": best.name} if best is not None and not form.studio.here(TASK.kind) else None)


def _best(form: Form) -> ModelCard | None:
    """The voice the studio would choose: of those here, else of all it knows."""
    try:
        return _models.picked(form.studio, "", TASK.kind)
    except (StudioError, ValueError):
        return None


def _lacking(form: Form) -> str:
    """Where no voice is here: which would bring one, and how; else nothing."""
    best = _best(form)
    if best is None or form.studio.here(TASK.kind):
        return ""
    settings = form.studio.settings
    way = "ask whoever runs this studio to download it" if settings.public else "press Download under its name"
    way = "start the studio without --offline to download it" if settings.offline else way
    size = f", {_status.gigabytes(best.download_gb * 1e9)}" if best.download_gb else ""
    return _status.note(f"No voice is on this machine yet. {best.name} ({best.licence}{size}) would bring one: {way}.")


def _voices(form: Form, model: str) -> list[tuple[str, str]]:
    try:
        card = _models.picked(form.studio, model, TASK.kind)
    except (StudioError, ValueError):
        return []
    return list(form.studio.choices(form.studio.here(TASK.kind).get(card.name, card)).get("voice", ()))
