"""The writing tab: an instruction beside a document that the studio and the artist write together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio import documents
from studio.errors import StudioError
from studio.tasks import Write
from studio.writing_presets import WritingPreset, writing_presets
from tabs import _fields, _form, _models, _scripts
from tabs._form import QUIET, Form
from tabs._run import Shown

NAME = "Writing"
TASK = Write
ACCEPTS: Mapping[str, str] = {"text": "prompt"}

PROMPTS = (
    "Write a product description for a blue ceramic mug.",
    "Write a short story that begins in a lighthouse.",
    "Write an outline for an article about growing herbs.",
)
ADVANCED = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty", "max_new_tokens")


def build(form: Form) -> None:
    """Lay out the tab."""
    presets = {preset.name: preset for preset in writing_presets(form.studio.settings.presets)}
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="ask"):
            ask = _ask(form, presets)
        with gr.Column(elem_classes="answer"):
            view = _answer(form)
        with gr.Column(elem_classes="tune"):
            _tune(form, ask["stage"])
    form.fields = {name: form.fields[name] for name in TASK.model_fields if name in form.fields}
    form.outbox["text"] = form.fields["document"]
    _wire(form, presets, ask, view)


def _ask(form: Form, presets: Mapping[str, WritingPreset]) -> dict[str, Any]:
    fitting = _fitting(form, presets, "")
    preset = gr.Dropdown([("Your own words", ""), *fitting], value="", label="Kind of text", elem_classes="draft")
    hint = gr.HTML(elem_classes="quiet", padding=False)
    prompt = form.add(
        "prompt", _fields.text(TASK, "prompt", lines=4, placeholder="What should the studio write?", elem_classes="prompt draft")
    )
    _form.examples(prompt, PROMPTS)
    with gr.Row():
        run = gr.Button("Write", variant="primary", elem_classes="run", scale=3)
        stop = gr.Button("Stop", elem_classes="stop", scale=1, min_width=80)
    stage = gr.HTML(elem_classes="status", padding=False)
    return {"preset": preset, "hint": hint, "run": run, "stop": stop, "stage": stage}


def _tune(form: Form, stage: gr.HTML) -> None:
    _models.picker(form, stage)
    with gr.Accordion("Advanced", open=False):
        form.add("system", _fields.text(TASK, "system", lines=2, placeholder="Who the writer is, for example: You are a careful editor."))
        for pair in (ADVANCED[:2], ADVANCED[2:4], ADVANCED[4:]):
            with gr.Row():
                for name in pair:
                    form.add(name, _fields.number(TASK, name, min_width=110))
        form.add("stop", _fields.text(TASK, "stop", lines=2, placeholder="Texts that end the answer, one a line"))
        form.add("seed", _fields.number(TASK, "seed", placeholder="fresh each time"))


def _answer(form: Form) -> dict[str, Any]:
    document = form.add(
        "document",
        _fields.text(TASK, "document", lines=18, max_lines=40, buttons=["copy"], elem_classes="document draft", autoscroll=True,
                     placeholder="The text appears here. Edit it anywhere: Write goes on from its end."),
    )  # fmt: skip
    count = gr.HTML(elem_classes="quiet count")
    with gr.Row(elem_classes="actions"):
        retry = gr.Button("Retry", size="sm", min_width=80)
        fresh = gr.Button("New document", size="sm", min_width=80)
        keep = gr.Button("Prepare downloads", size="sm", min_width=80)
    files = gr.File(label="Download", file_count="multiple", interactive=False, visible=False)
    save = gr.Button("Save the draft", elem_id="save-draft", visible="hidden")
    return {"document": document, "count": count, "retry": retry, "fresh": fresh, "keep": keep, "files": files, "save": save,
            "before": gr.State(""), "draft": form.draft}  # fmt: skip


def _wire(form: Form, presets: Mapping[str, WritingPreset], ask: dict[str, Any], view: dict[str, Any]) -> None:
    document, prompt, seed = view["document"], form.fields["prompt"], form.fields["seed"]
    outputs = [document, view["before"], view["count"]]
    done = form.bind([ask["run"].click], ask["stage"], outputs, _draw)
    form.stop_on(ask["stop"])

    saved = [prompt, document, ask["preset"]]

    def store(id: str | None, text: str, words: str, preset: str, request: gr.Request) -> str:
        owner, session = form.owner(request)
        fields = {"prompt": text or "", "document": words or "", "preset": preset or ""}
        return form.studio.library.drafts.save(id or "", owner, fields, session)

    def restore(id: str | None, request: gr.Request) -> tuple[Any, ...]:
        try:
            draft = form.studio.library.drafts.get(id, form.owner(request)[0]) if id else {}
        except StudioError:
            draft = {}
        if not draft:
            return gr.skip(), gr.skip(), gr.skip(), gr.skip()
        words = str(draft.get("document", ""))
        preset = str(draft.get("preset", ""))
        return draft.get("prompt", ""), words, preset if preset in presets else "", _count(words)

    view["save"].click(store, [view["draft"], *saved], view["draft"], **QUIET)
    done.then(store, [view["draft"], *saved], view["draft"], **QUIET)
    _form.remember(form, done, leave=("document",))
    form.demo.load(restore, view["draft"], [*saved, view["count"]], **QUIET)

    document.input(_count, document, view["count"], trigger_mode="always_last", **QUIET)
    view["retry"].click(lambda before: (before, None), view["before"], [document, seed], **QUIET).then(
        None, js=_scripts.RUN, api_visibility="private"
    )
    view["fresh"].click(lambda: ("", "", "", _count("")), None, [document, view["before"], view["draft"], view["count"]], **QUIET)
    view["keep"].click(_downloads, [document, prompt], view["files"], **QUIET)
    filled = gr.State("")
    ask["preset"].input(lambda *values: _use(presets, *values), [ask["preset"], prompt, document, filled],
                        [prompt, filled, ask["hint"], form.fields["system"], *(form.fields[n] for n in ADVANCED)], **QUIET)  # fmt: skip
    form.fields["model"].change(lambda model: gr.Dropdown(choices=[("Your own words", ""), *_fitting(form, presets, model or "")]),
                                form.fields["model"], ask["preset"], **QUIET)  # fmt: skip


def _draw(moment: Shown) -> tuple[Any, ...]:
    assert isinstance(moment.asked, Write)
    before = moment.asked.document
    if moment.creations:
        text = before + (moment.creations[-1].text or "")
    elif moment.preview is not None and moment.preview.text is not None:
        text = before + moment.preview.text
    else:
        return ()
    return text, before, _count(text)


def _count(text: str | None) -> str:
    counts = documents.count(text or "")
    return f"<p>{counts.words:,} words · {counts.characters:,} characters</p>"


def _downloads(text: str | None, prompt: str | None) -> Any:
    if not (text or "").strip():
        raise gr.Error("The document is empty: write something first.", print_exception=False)
    title = " ".join((prompt or "Document").split()[:8])
    files = {
        "atelier.md": documents.to_markdown(text or "", title),
        "atelier.txt": documents.to_text(text or "", title),
        "atelier.docx": documents.to_docx(text or "", title),
    }
    return gr.File(value=_form.show_bytes(files), visible=True)


def _fitting(form: Form, presets: Mapping[str, WritingPreset], model: str) -> list[tuple[str, str]]:
    try:
        card = _models.picked(form.studio, model, TASK.kind)
    except StudioError:
        return []
    return [(preset.title, preset.name) for preset in presets.values() if preset.fits(card)]


def _use(presets: Mapping[str, WritingPreset], name: str | None, prompt: str | None, document: str | None, filled: str) -> tuple[Any, ...]:
    """The form for a kind of text: its blank filled with the artist's own words (or the document), else with its example."""
    preset = presets.get(name or "")
    if preset is None:
        return gr.skip(), "", "", "", *([None] * len(ADVANCED))
    own = "" if (prompt or "") in (filled, *PROMPTS) else prompt or ""
    words = preset.filled((document or "")[-4000:] if preset.blank == "text" else own)
    return words, words, f"<p>{preset.description}</p>", preset.system, *(preset.settings.get(n) for n in ADVANCED)
