"""How the writer writes: the folds of the writing tab under its model. The style of the prose, what is banned, the form of the answer.

Knows the fields of the task and the presets; knows no document and no layout around the folds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.tasks import Write
from studio.writing.prose import SAMPLERS, sampler_presets
from tabs import _fields, _models, _status
from tabs._form import QUIET, Form

OWN = "own"
"""The style of numbers that somebody changed by hand."""
FORMS = ("output_schema", "output_regex", "output_choices")
"""Fields that give the answer a form: one of them at most."""


UNMARKED = "Off: nobody can tell later from the words that a model wrote them. Say so where you publish them."
"""What is said where the mark is off."""


class Mark(gr.Checkbox):
    """On: what the task does where nothing is said; off: False. A model that ignores the field thus gets nothing to refuse."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return None if payload is True else payload

    def postprocess(self, value: Any) -> Any:
        return True if value is None else value

    def get_config(self) -> dict[str, Any]:
        """As the parent's, on where nothing is said."""
        config = super().get_config()
        return {**config, "value": True} if config.get("value") is None else config


def build(form: Form, stage: gr.HTML) -> dict[str, Any]:
    """Model, style of the prose, advanced fields and the form of an answer, each in a fold; `wire` joins them once all fields are there."""
    presets = {preset.name: preset for preset in sampler_presets(form.studio.settings.presets)}
    with gr.Accordion("Model", open=False):
        _models.picker(form, stage)
    with gr.Accordion("Style of the prose", open=False):
        style = gr.Radio(
            [("Model's own", ""), *((preset.title, preset.name) for preset in presets.values()), ("My numbers", OWN)],
            value="", label="Style", info="How daring the words are. The numbers below are yours to change.", elem_classes="modes",
        )  # fmt: skip
        said = gr.HTML(elem_classes="quiet", padding=False)
        with gr.Row(elem_classes="numbers"):
            for name in SAMPLERS:
                form.add(name, _fields.number(Write, name, info=Write.model_fields[name].description, min_width=130))
    with gr.Accordion("Advanced", open=False):
        _advanced(form)
    with gr.Accordion("Answer in a form", open=False):
        form.add(
            "output_schema",
            _fields.text(Write, "output_schema", lines=4, placeholder='{"type": "object", ...}', info="Fill in one of the three"),
        )
        form.add("output_regex", _fields.text(Write, "output_regex", placeholder="[A-Z][a-z]+ [0-9]{4}"))
        form.add("output_choices", _fields.text(Write, "output_choices", lines=3, placeholder="One a line"))
        checked = gr.HTML(elem_classes="status", padding=False)
    return {"presets": presets, "style": style, "said": said, "checked": checked}


def _advanced(form: Form) -> None:
    form.add("system", _fields.text(Write, "system", lines=2, placeholder="Who the writer is, for example: You are a careful editor."))
    with gr.Row():
        form.add("max_new_tokens", _fields.number(Write, "max_new_tokens", min_width=130))
        form.add("seed", _fields.number(Write, "seed", placeholder="fresh each time", min_width=130))
    for name in ("stop", "ban", "bias"):
        form.add(name, _fields.text(Write, name, lines=2, info=Write.model_fields[name].description))
    form.add("guidance_scale", _fields.number(Write, "guidance_scale", info=Write.model_fields["guidance_scale"].description))
    form.add("negative_prompt", _fields.text(Write, "negative_prompt", lines=2, info=Write.model_fields["negative_prompt"].description))
    form.add("text_mark", Mark(value=True, label="Invisible mark in long texts", info="This studio then recognises what was written here"))
    unmarked = gr.HTML(elem_classes="quiet", padding=False)
    form.fields["text_mark"].change(lambda on: _status.note(UNMARKED) if on is False else "", form.fields["text_mark"], unmarked, **QUIET)
    form.add("probabilities", gr.Checkbox(value=False, label="Probabilities", info="Show how likely each word was, and what else was"))


def wire(form: Form, parts: Mapping[str, Any]) -> None:
    """A style fills the numbers; a model disables those that it has no use for; the form of an answer is checked as it is typed."""
    fields, presets, style = form.fields, parts["presets"], parts["style"]
    numbers = [fields[name] for name in SAMPLERS]
    tuned = _models.Tuned(form)

    def filled(name: str | None, model: str | None) -> list[Any]:
        preset = presets.get(name or "")
        if preset is None:
            return ["", *([gr.skip()] * len(SAMPLERS) if name == OWN else [None] * len(SAMPLERS))]
        return [_status.note(preset.description), *preset.under(ignored(form, model)).values()]

    style.input(filled, [style, fields["model"]], [parts["said"], *numbers], **QUIET)
    fields["model"].change(tuned.updates, fields["model"], tuned.fields, **QUIET).then(
        filled, [style, fields["model"]], [parts["said"], *numbers], **QUIET
    )
    gr.on([number.input for number in numbers], None, None, style, js=f"() => {OWN!r}", api_visibility="private")
    forms = [fields[name] for name in FORMS]
    gr.on([field.change for field in forms], checked, forms, parts["checked"], trigger_mode="always_last", **QUIET)


def ignored(form: Form, model: str | None) -> tuple[str, ...]:
    """Fields that the chosen model has no use for; none where there is no such model."""
    try:
        return _models.picked(form.studio, model or "", Write.kind).ignores
    except (StudioError, ValueError):
        return ()


def checked(schema: str | None, regex: str | None, choices: str | None) -> str:
    """What is wrong with the form of an answer, as a line of the page; '' where nothing is."""
    given = {"output_schema": schema or "", "output_regex": regex or "", "output_choices": choices or ""}
    if not any(given.values()):
        return ""
    from studio.writing import structured

    try:
        structured.constraint(Write.checked({"prompt": "x", **given}))
    except StudioError as error:
        return _status.message(str(error), "error")
    return _status.message("The answer will have this form.")
