"""The inpainting tab: the picture and its marks on the left, what should happen on the right, the variants below."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.creations import Creation
from studio.errors import StudioError
from studio.provenance import record
from studio.tasks import MODES, PREFILLS, Inpaint
from tabs import _attribution, _fields, _form, _gallery, _mask_editor, _models, _status, _ways
from tabs._form import QUIET, Form
from tabs._run import Shown

NAME = "Inpainting"
TASK = Inpaint
ACCEPTS: Mapping[str, str] = {"picture": "image"}

PROMPTS = ("a red apple", "a small castle", "a yellow star")
ASPECTS = {"Any": "", "Square": "1:1", "Landscape 4:3": "4:3", "Wide 16:9": "16:9", "Portrait 3:4": "3:4", "Tall 9:16": "9:16"}
EXTEND = """(aspect) => {
  const open = window.atelierMask?.current();
  const [across, down] = (aspect || "0:0").split(":").map(Number);
  if (!open || !across) return ["0", "0", "0", "0"];
  const wide = Math.max(0, Math.round((open.height * across) / down) - open.width);
  const high = Math.max(0, Math.round((open.width * down) / across) - open.height);
  return [Math.floor(wide / 2), Math.ceil(wide / 2), Math.floor(high / 2), Math.ceil(high / 2)].map(String);
}"""
FRAME = "(mode, ...sides) => { window.atelierMask?.margins(...(mode === 'outpaint' ? sides : ['0', '0', '0', '0'])); }"


def build(form: Form) -> None:
    """Lay out the tab."""
    form.add("image", gr.File(label=TASK.model_fields["image"].title, type="filepath", visible="hidden"))
    form.add("mask", gr.File(label=TASK.model_fields["mask"].title, type="filepath", visible="hidden"))
    with gr.Row(elem_classes="desk editing"):
        with gr.Column(elem_classes="left"):
            editor = _mask_editor.mask_editor(form)
        with gr.Column(elem_classes="right"):
            ask = _ask(form)
            view = _answer()
        with gr.Column(elem_classes="tune"):
            ask |= _tune(form, ask["stage"], ask["mode"])
    form.fields = {name: form.fields[name] for name in TASK.model_fields}
    form.inlets["picture"] = (editor, _mask_editor.opened)
    form.outbox["picture"] = view["chosen"]
    _wire(form, editor, ask, view)


def _ask(form: Form) -> dict[str, Any]:
    mode = form.add("mode", _fields.Radio(_ways.offered(form.studio), value="", label="What to do", elem_classes="modes"))
    hint = gr.HTML(f"<p>{_ways.HINTS['fill']}</p>", elem_classes="quiet", padding=False)
    prompt = form.add("prompt", _fields.text(TASK, "prompt", lines=2, placeholder="What should be there?", elem_classes="prompt"))
    chips = _form.examples(prompt, PROMPTS)
    with gr.Column(visible=False, elem_classes="sides") as sides:
        aspect = gr.Radio(list(ASPECTS.items()), value="", label="Grow to", elem_classes="modes")
        with gr.Row():
            for name in ("left", "right", "top", "bottom"):
                form.add(name, _fields.text(TASK, name, placeholder="128 or 25%", min_width=70))
    with gr.Row():
        run = gr.Button("Create", variant="primary", elem_classes="run", scale=3)
        stop = gr.Button("Stop", elem_classes="stop", scale=1, min_width=80)
    estimate = gr.HTML(elem_classes="quiet", padding=False)
    stage = gr.HTML(elem_classes="status", padding=False)
    return {
        "estimate": estimate,
        "mode": mode,
        "hint": hint,
        "chips": chips,
        "sides": sides,
        "aspect": aspect,
        "run": run,
        "stop": stop,
        "stage": stage,
    }


def _tune(form: Form, stage: gr.HTML, mode: Any) -> dict[str, Any]:
    card = _models.picked(form.studio, "", TASK.kind, "fill")
    form.add("count", _fields.slider(TASK, "count", min_width=150))
    with gr.Row(elem_classes="seed"):
        seed = form.add("seed", _fields.number(TASK, "seed", placeholder="fresh", scale=3, min_width=120))
        dice = gr.Button("New seed", size="sm", min_width=80)
        reuse = gr.Button("Last seed", size="sm", min_width=80)
    _, facts = _models.picker(form, stage, "fill", mode)
    with gr.Accordion("Advanced", open=False):
        form.add("negative_prompt", _fields.text(TASK, "negative_prompt", lines=2, placeholder="What to keep out"))
        with gr.Row():
            form.add("strength", _fields.number(TASK, "strength", min_width=110, placeholder="the mode's own"))
            form.add("steps", _fields.number(TASK, "steps", min_width=110))
            form.add("guidance_scale", _fields.number(TASK, "guidance_scale", min_width=110))
        form.add("scheduler", _fields.choice(TASK, "scheduler", [("Model's own", ""), *((s, s) for s in card.schedulers)]))
        with gr.Row():
            form.add("mask_grow", _fields.number(TASK, "mask_grow", min_width=110))
            form.add("feather", _fields.number(TASK, "feather", min_width=110, placeholder="least seam"))
            form.add("context_padding", _fields.number(TASK, "context_padding", min_width=110, placeholder="automatic"))
        with gr.Row():
            fills = [("The mode's own", ""), *((title, name) for name, title in PREFILLS.items())]
            form.add("prefill", _fields.Dropdown(fills, value="", label=TASK.model_fields["prefill"].title, min_width=150))
            areas = [("Around the mask", "masked"), ("Whole picture", "whole")]
            form.add("area", _fields.Dropdown(areas, value="masked", label="Work on", min_width=150))
            form.add("colour_match", gr.Checkbox(value=True, label=TASK.model_fields["colour_match"].title, min_width=110))
    return {"seed": seed, "dice": dice, "reuse": reuse, "facts": facts}


def _answer() -> dict[str, Any]:
    gallery = gr.Gallery(
        label="Variants", format="png", type="filepath", interactive=False, columns=3, object_fit="contain", height=400,
        buttons=["fullscreen"], preview=True, elem_classes="gallery",
    )  # fmt: skip
    slider = gr.ImageSlider(label="Before and after", format="png", type="filepath", buttons=[], visible=False)
    with gr.Row(elem_classes="actions"):
        onward = gr.Button("Use as new picture", size="sm", min_width=140)
        again = gr.Button("Mask again", size="sm", min_width=140)
        settings = gr.Button("Use these settings", size="sm", min_width=140)
    files = gr.File(label="Finished files", file_count="multiple", interactive=False, visible="hidden")
    downloads = gr.File(label="Download", file_count="multiple", interactive=False, elem_classes="downloads")
    details = gr.HTML(elem_classes="details")
    return {
        "gallery": gallery, "slider": slider, "files": files, "downloads": downloads, "details": details,
        "onward": onward, "again": again, "settings": settings,
        "shown": gr.State([]), "chosen": gr.State(""), "last_seed": gr.State(None),
    }  # fmt: skip


def _wire(form: Form, editor: gr.HTML, ask: dict[str, Any], view: dict[str, Any]) -> None:
    form.stop_on(ask["stop"])
    fields = form.fields
    refresh = [view[name] for name in ("gallery", "shown", "chosen", "details", "downloads", "slider", "last_seed")]

    def newest(request: gr.Request) -> tuple[Any, ...]:
        creations = form.recent(request)
        shown = [(_form.show(c.path), _caption(c)) for c in creations]
        ids = [c.id for c in creations]
        return gr.Gallery(shown, selected_index=0 if shown else None), ids, *_chosen(form, ids[0] if ids else "", request)

    def select(event: gr.SelectData, shown: list[str], request: gr.Request) -> tuple[Any, ...]:
        index = event.index if isinstance(event.index, int) else 0
        return _chosen(form, shown[index] if index < len(shown) else "", request)

    def onward(chosen: str, request: gr.Request) -> Any:
        if not chosen:
            return gr.skip()
        creation = form.creation(chosen, request)
        return _mask_editor.opened(_form.show(creation.path, f"result-{_gallery.task_of(creation).get('seed')}.png"))

    def again(chosen: str, request: gr.Request) -> Any:
        return _inputs(form.creation(chosen, request)) if chosen else gr.skip()

    def settings(chosen: str, request: gr.Request) -> list[Any]:
        if not chosen:
            return [gr.skip()] * (len(fields) - 1)
        creation = form.creation(chosen, request)
        values = record.task_of(record.Record.model_validate(creation.record)).model_dump()
        return [*(values[name] for name in fields if name not in TASK.files), _inputs(creation)]

    def drawn(moment: Shown) -> tuple[Any, ...]:
        files = [_form.show(c.path) for c in moment.creations]
        return (files, *newest(moment.request)) if moment.over else ()

    triggers = [ask["run"].click, fields["prompt"].submit]
    done = form.bind(triggers, ask["stage"], [view["files"], *refresh], drawn, js=_mask_editor.COLLECT)
    form.demo.load(newest, None, refresh, **QUIET)
    view["gallery"].select(select, view["shown"], refresh[2:], **QUIET)
    view["onward"].click(onward, view["chosen"], editor, **QUIET)
    view["again"].click(again, view["chosen"], editor, **QUIET)
    view["settings"].click(settings, view["chosen"], [*(f for n, f in fields.items() if n not in TASK.files), editor], **QUIET)
    _wire_fields(form, ask, view)
    _form.remember(form, done, TASK.files, {"mode": "fill"})


def _wire_fields(form: Form, ask: dict[str, Any], view: dict[str, Any]) -> None:
    """What one field does to another."""
    fields = form.fields
    ask["dice"].click(None, js="() => Math.floor(Math.random() * 4294967295)", outputs=ask["seed"], api_visibility="private")
    ask["reuse"].click(lambda seed: gr.skip() if seed is None else seed, view["last_seed"], ask["seed"], **QUIET)
    ask["mode"].change(_ways.asked, ask["mode"], [ask["hint"], fields["prompt"], ask["chips"], ask["sides"]], **QUIET)
    chosen = [ask["mode"], fields["model"]]
    ask["mode"].change(lambda mode, model: _facts(form, mode, model), chosen, ask["facts"], **QUIET)
    tuned = [fields[name] for name in _ways.TUNED]
    gr.on([part.change for part in chosen], lambda *now: _ways.tuned(form.studio, *now), [*chosen, fields["scheduler"]], tuned, **QUIET)
    sides = [fields[name] for name in ("left", "right", "top", "bottom")]
    ask["aspect"].input(None, ask["aspect"], sides, js=EXTEND, api_visibility="private")
    watched = [ask["mode"], *sides]
    gr.on([part.change for part in watched], None, watched, js=FRAME, api_visibility="private")
    _form.estimate(form, ask["estimate"], ("model", "mode", "count", "steps"), {"image": "x", "mask": "x", "prompt": "x", "left": "1"})


def _chosen(form: Form, id: str, request: gr.Request) -> tuple[Any, ...]:
    """What goes with the chosen variant: its id, details, downloads, the comparison and its seed."""
    if not id:
        return "", "", None, gr.ImageSlider(visible=False), None
    creation = form.creation(id, request)
    source = _attached(creation, "image")
    pair = gr.ImageSlider(_gallery.before_and_after(creation, source), visible=True) if source else gr.ImageSlider(visible=False)
    downloads = _gallery.downloads(creation, form.studio.marks)
    return id, _details(creation), downloads, pair, _gallery.task_of(creation).get("seed")


def _details(creation: Creation) -> str:
    task, edit = _gallery.task_of(creation), _gallery.facts_of(creation).get("edit")
    counts = edit if isinstance(edit, dict) else {}
    kept = f"{counts.get('changed_outside', 0):,} pixels changed outside the mask; {counts.get('blended', 0):,} blended at its edge"
    return _gallery.details(creation, {
        "Mode": MODES.get(str(task.get("mode")), ""), "Prompt": task.get("prompt"), "Negative prompt": task.get("negative_prompt"),
        "Seed": task.get("seed"), "Strength": None if task.get("mode") == "erase" else task.get("strength"),
        "Steps": task.get("steps"), "Seam": _seam(counts),
        "Kept": "nothing: the whole picture was redrawn" if counts.get("whole") else kept,
        "Lossy copies": "change every pixel; the PNG alone keeps the promise",
    }) + _attribution.html(creation)  # fmt: skip


def _seam(counts: Mapping[str, Any]) -> str:
    seams = [seam for seam in counts.get("seams", []) if isinstance(seam, dict)]
    if not seams:
        return ""
    tried = [f"{feather} px: {score}" for feather, score in seams[0].get("tried", {}).items()]
    return f"{max(float(seam.get('score', 0)) for seam in seams):.1f} (lower is better; feathers tried: {', '.join(tried)})"


def _caption(creation: Creation) -> str:
    counts = _gallery.facts_of(creation).get("edit")
    seams = [float(s.get("score", 0)) for s in counts.get("seams", [])] if isinstance(counts, dict) else []
    return _gallery.caption(creation, _gallery.task_of(creation).get("seed"), *([f"seam {max(seams):.1f}"] if seams else []))


def _inputs(creation: Creation) -> Any:
    """The editor's value that opens what a creation was made from."""
    image, mask = _attached(creation, "image"), _attached(creation, "mask")
    if image is None:
        return gr.skip()
    return _mask_editor.opened(_form.show(image, f"picture{image.suffix}"), (), _form.show(mask) if mask else None)


def _attached(creation: Creation, name: str) -> Any:
    return next((path for file, path in creation.attachments.items() if file.rpartition(".")[0] == name and path.exists()), None)


def _facts(form: Form, mode: str | None, model: str | None) -> Any:
    """About the model that would do it."""
    try:
        card = _models.picked(form.studio, model or "", TASK.kind, mode or "fill")
    except StudioError:
        return gr.skip()
    return _status.card_facts(card, card.name in form.studio.here(TASK.kind))
