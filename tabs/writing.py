"""The writing tab: a document that the studio and the artist write together, and beside it what the writer is asked and what it reads."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.tasks import Write
from studio.writing.actions import Action, actions
from studio.writing.prose import SAMPLERS
from studio.writing_presets import WritingPreset, writing_presets
from tabs import (
    _asking,
    _chat,
    _chat_asked,
    _context,
    _documents_asked,
    _editor,
    _editor_answers,
    _fields,
    _form,
    _models,
    _sources,
    _status,
    _text_mark,
    _writing_files,
    _writing_run,
    _writing_scripts,
    _writing_settings,
)
from tabs._form import QUIET, Form

NAME = "Writing"
TASK = Write
ACCEPTS: Mapping[str, str] = {"text": "prompt"}

PROMPTS = (
    "Write a product description for a blue ceramic mug.",
    "Write a short story that begins in a lighthouse.",
    "Write an outline for an article about growing herbs.",
)
PLAIN = ("Your own words", "")
"""The kind of text of those who say it themselves."""
TUNED = ("max_new_tokens", *SAMPLERS)
"""Numbers that a kind of text may set."""
SHOWN = ("name", "title", "description", "on", "result", "asks")
"""What the editor shows of an action."""
OF_A_DOCUMENT = ("document", "notes", "cards", "passages", "author_note", "note_depth", "turns")
"""Fields that are kept with a document or made for a run; the browser keeps the others."""


def build(form: Form) -> None:
    """Lay out the tab."""
    kinds = {preset.name: preset for preset in writing_presets(form.studio.settings.presets)}
    known = {action.name: action for action in actions(form.studio.settings.presets) if action.on != "board"}
    with gr.Row(elem_classes="desk editing writing"):
        with gr.Column(elem_classes="left"):
            parts: dict[str, Any] = {"editor": _editor.Editor()}
            parts |= _writing_files.build()
        with gr.Column(elem_classes="right"):
            parts |= _ask(form, kinds)
            chat = _chat.build(form)
            read = gr.Column()
            parts |= _writing_settings.build(form, parts["stage"])
            for name in ("document", "passages", "turns"):  # filled for a run alone, and over HTTP
                form.add(name, _fields.text(TASK, name, visible=False))
            with read:
                context = _context.build(form, parts["manuscript"])
                with gr.Accordion("Sources", open=False):
                    sources = _sources.build(form, parts["manuscript"])
            _text_mark.build(form, parts["manuscript"])
    context.others.append(sources)
    form.fields = {name: form.fields[name] for name in TASK.model_fields}
    form.outbox |= {"text": parts["taken"], "lyrics": parts["taken"]}
    _wire(form, parts, _writing_run.Runs(form, known, context, sources))
    _wire_kinds(form, kinds, parts)
    _chat.wire(form, chat, parts["manuscript"], context, sources)
    _chat_asked.wire(form)
    _documents_asked.wire(form)


def _ask(form: Form, kinds: Mapping[str, WritingPreset]) -> dict[str, Any]:
    kind = gr.Dropdown([PLAIN, *_fitting(form, kinds, "")], value="", label="Kind of text")
    prompt = form.add("prompt", _fields.text(TASK, "prompt", lines=3, placeholder="What should the studio write?", elem_classes="prompt"))
    _form.examples(prompt, PROMPTS)
    form.add("count", _fields.slider(TASK, "count", min_width=150))
    with gr.Row():
        write = gr.Button("Write", variant="primary", elem_classes="run", scale=3)
        stop = gr.Button("Stop", elem_classes="stop", scale=1, min_width=80)
    stage = gr.HTML(elem_classes="status", padding=False)
    hint = gr.HTML(elem_classes="quiet", padding=False)
    unseen = {name: gr.Textbox(visible="hidden") for name in ("prepared", "again", "manuscript", "version")}
    return {
        **unseen, "kind": kind, "hint": hint, "write": write, "stop": stop, "stage": stage,
        "written": gr.Textbox(label="Document", visible="hidden"),
        "run": gr.Button("Write what was prepared", elem_id=_writing_scripts.RUN, visible="hidden"),
    }  # fmt: skip


def _wire(form: Form, parts: Mapping[str, Any], runs: _writing_run.Runs) -> None:
    """From the editor to a run and back."""
    editor, stage, fields = parts["editor"], parts["stage"], list(form.fields)

    def go(event: gr.EventData, request: gr.Request, *shown: Any) -> tuple[Any, ...]:
        try:
            asked, _, notice = runs.prepare(_asking.told(event), dict(zip(fields, shown, strict=True)), request)
        except StudioError as error:
            return "", _status.message(str(error), "error"), gr.skip()
        return json.dumps(_writing_run.sent(asked)), gr.skip(), _status.note(notice)

    def opened(event: gr.EventData, model: str | None, request: gr.Request) -> tuple[str, dict[str, Any]]:
        id = _editor.id_of(_asking.told(event))
        return id, {"actions": _offered(form, runs.actions, model), **runs.opened(id, request)}

    def kept(event: gr.EventData) -> str:
        return _editor.id_of(_asking.told(event), "version")

    def again(document: str | None, request: gr.Request) -> tuple[str, Any]:
        try:
            return runs.again(document or "", request), gr.skip()
        except StudioError as error:
            return "", _status.message(str(error), "error")

    _editor_answers.wire(form, editor)
    editor.opened(opened, form.fields["model"], [parts["manuscript"], editor], **QUIET)
    editor.go(go, list(form.fields.values()), [parts["prepared"], stage, parts["hint"]], **QUIET).then(
        None, parts["prepared"], js=_writing_scripts.START, api_visibility="private"
    )
    parts["write"].click(None, js=_writing_scripts.WRITE, api_visibility="private")
    parts["retry"].click(again, parts["manuscript"], [parts["again"], stage], **QUIET).then(
        None, parts["again"], js=_writing_scripts.AGAIN, api_visibility="private"
    )
    done = form.bind([parts["run"].click], stage, [parts["written"], editor], runs.drawn, js=_writing_scripts.FILLED)
    _form.finally_do(done, runs.closed, None, editor, **QUIET)
    done.then(runs.cited, parts["written"], runs.sources.parts.verdicts, **QUIET)
    form.stop_on(parts["stop"], js=_writing_scripts.HALT)
    editor.kept(kept, None, parts["version"], **QUIET)
    runs.context.listen(parts["version"].change)
    form.fields["model"].input(lambda model: {"actions": _offered(form, runs.actions, model)}, form.fields["model"], editor, **QUIET)
    _writing_settings.wire(form, parts)
    _writing_files.wire(form, parts)
    shown = copy.copy(form)  # the browser keeps the style too, though it is no field of the task
    shown.fields = {**form.fields, "style": parts["style"]}
    _form.remember(shown, done, leave=OF_A_DOCUMENT)


def _wire_kinds(form: Form, kinds: Mapping[str, WritingPreset], parts: Mapping[str, Any]) -> None:
    """A kind of text fills in the instruction and what goes with it; those that the model can write are offered."""
    fields, filled = form.fields, gr.State("")

    def use(
        name: str | None, prompt: str | None, before: str, style: str | None, document: str | None, request: gr.Request
    ) -> tuple[Any, ...]:
        kind, quiet = kinds.get(name or ""), gr.skip() if style else None
        if kind is None:
            return gr.skip(), "", "", "", None, *([quiet] * len(SAMPLERS))
        own = "" if (prompt or "") in (before, *PROMPTS) else prompt or ""
        words = kind.filled(_text(form, document, request)[-4000:] if kind.blank == "text" else own)
        numbers = [kind.settings.get(name, None if name == "max_new_tokens" else quiet) for name in TUNED]
        return words, words, _status.note(kind.description), kind.system, *numbers

    asked = [parts["kind"], fields["prompt"], filled, parts["style"], parts["manuscript"]]
    parts["kind"].input(use, asked, [fields["prompt"], filled, parts["hint"], fields["system"], *(fields[n] for n in TUNED)], **QUIET)
    fields["model"].change(
        lambda model: gr.Dropdown(choices=[PLAIN, *_fitting(form, kinds, model or "")]), fields["model"], parts["kind"], **QUIET
    )


def _text(form: Form, document: str | None, request: gr.Request) -> str:
    try:
        return form.studio.library.manuscripts.open(document or "", *form.seen(request)).text
    except StudioError:
        return ""


def _fitting(form: Form, kinds: Mapping[str, WritingPreset], model: str) -> list[tuple[str, str]]:
    try:
        card = _models.picked(form.studio, model, TASK.kind)
    except StudioError:
        return []
    return [(kind.title, kind.name) for kind in kinds.values() if kind.fits(card)]


def _offered(form: Form, known: Mapping[str, Action], model: str | None) -> list[dict[str, Any]]:
    """The actions for the editor; one that the model cannot do says why."""
    try:
        card = _models.picked(form.studio, model or "", TASK.kind)
    except StudioError:
        return []
    here = form.studio.here(TASK.kind)
    cards = [here.get(other.name, other) for other in form.studio.cards]
    return [
        {**{name: getattr(action, name) for name in SHOWN}, "choices": action.offered(card), "needs": action.needs(card, cards)}
        for action in known.values()
    ]
