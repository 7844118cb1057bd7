"""The text-to-image tab: words on the left, pictures on the right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from studio.creations import Creation
from studio.errors import InvalidInput, StudioError
from studio.models import ModelCard
from studio.provenance import foreign, pictures, record
from studio.tasks import TextToImage
from tabs import _attribution, _enhance, _fields, _form, _gallery, _models, _own_sets, _own_styles, _status
from tabs._form import QUIET, Form
from tabs._run import Shown

NAME = "Text to image"
TASK = TextToImage
ACCEPTS: Mapping[str, str] = {"text": "prompt"}

PROMPTS = ("a red apple", "a cat on a rocket", "a purple castle")
RECORDED = (".png", ".webp", ".jpg", ".jpeg")
"""Files that can carry a record of ours."""
SHAPES = {"Square": (1, 1), "Portrait 3:4": (3, 4), "Landscape 4:3": (4, 3), "Tall 9:16": (9, 16), "Wide 16:9": (16, 9)}


def build(form: Form) -> None:
    """Lay out the tab."""
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="ask"):
            ask = _ask(form)
        with gr.Column(elem_classes="answer"):
            view = _answer()
            form.outbox["picture"] = view["chosen"]
        with gr.Column(elem_classes="tune"):
            ask |= _tune(form, ask["stage"], ask["style"])
    form.fields = {name: form.fields[name] for name in TASK.model_fields}
    _wire(form, ask, view)


def _ask(form: Form) -> dict[str, Any]:
    prompt = form.add("prompt", _fields.text(TASK, "prompt", lines=3, placeholder="What should the picture show?", elem_classes="prompt"))
    _form.examples(prompt, PROMPTS)
    enhance = _enhance.build(form)
    style = form.add("style", _fields.Radio(_styles(form, ""), value="", label="Style", elem_classes="styles"))
    with gr.Accordion("Blend with a second prompt", open=False, visible=_card(form).blends) as blending:
        form.add("blend_prompt", _fields.text(TASK, "blend_prompt", placeholder="a second thing, such as “a house”"))
        form.add("blend", _fields.slider(TASK, "blend", step=0.05, info="0 is the prompt alone, 1 the second prompt alone"))
    with gr.Row():
        run = gr.Button("Create", variant="primary", elem_classes="run", scale=3)
        stop = gr.Button("Stop", elem_classes="stop", scale=1, min_width=80)
    estimate = gr.HTML(elem_classes="quiet", padding=False)
    stage = gr.HTML(elem_classes="status", padding=False)
    return {"run": run, "stop": stop, "stage": stage, "style": style, "estimate": estimate, "blending": blending, "enhance": enhance}


def _tune(form: Form, stage: gr.HTML, style: gr.Radio) -> dict[str, Any]:
    card = _card(form)
    with gr.Row():
        shape = gr.Dropdown(list(SHAPES), value="Square", label="Shape", min_width=120)
        form.add("count", _fields.slider(TASK, "count", label="Pictures", min_width=150))
    with gr.Row(elem_classes="seed"):
        seed = form.add("seed", _fields.number(TASK, "seed", placeholder="fresh", scale=3, min_width=120))
        dice = gr.Button("New seed", size="sm", min_width=80)
        reuse = gr.Button("Last seed", size="sm", min_width=80)
    _models.picker(form, stage)
    with gr.Accordion("Advanced", open=False):
        form.add("negative_prompt", _fields.text(TASK, "negative_prompt", lines=2, placeholder="What to keep out"))
        with gr.Row():
            form.add("steps", _fields.number(TASK, "steps", min_width=110))
            form.add("guidance_scale", _fields.number(TASK, "guidance_scale", min_width=110))
        with gr.Row():
            form.add("width", _fields.number(TASK, "width", min_width=110))
            form.add("height", _fields.number(TASK, "height", min_width=110))
        form.add("scheduler", _fields.choice(TASK, "scheduler", [("Model's own", ""), *card.schedulers]))
        drop = gr.File(
            label="Restore the settings of a picture, of any program",
            file_types=[*RECORDED, ".avif", ".gif", ".json", ".txt"],
            height=150,
            type="filepath",
        )
    own = _own_sets.build(form, card.own_sets)
    texts = _own_styles.build(form, not card.styles, style, lambda request, model: _styles(form, model, request))
    return {"shape": shape, "seed": seed, "dice": dice, "reuse": reuse, "drop": drop, "own": own, "texts": texts}


def _answer() -> dict[str, Any]:
    gallery = gr.Gallery(
        label="Pictures", format="png", type="filepath", interactive=False, columns=3, object_fit="contain", height=520,
        buttons=["fullscreen"], preview=True, elem_classes="gallery",
    )  # fmt: skip
    files = gr.File(label="Finished files", file_count="multiple", interactive=False, visible="hidden")
    downloads = gr.File(label="Download", file_count="multiple", interactive=False, elem_classes="downloads")
    details = gr.HTML(elem_classes="details")
    with gr.Row(elem_classes="actions"):
        again = gr.Button("Use these settings", size="sm")
    with gr.Accordion("Compare with the picture before it", open=False):
        slider = gr.ImageSlider(format="png", type="filepath", show_label=False, buttons=[])
    shown, chosen, last_seed = gr.State([]), gr.State(""), gr.State(None)
    return {
        "gallery": gallery,
        "files": files,
        "downloads": downloads,
        "details": details,
        "again": again,
        "slider": slider,
        "shown": shown,
        "chosen": chosen,
        "last_seed": last_seed,
    }


def _wire(form: Form, ask: dict[str, Any], view: dict[str, Any]) -> None:
    form.stop_on(ask["stop"])
    refresh = [view["gallery"], view["shown"], view["chosen"], view["details"], view["downloads"], view["slider"], view["last_seed"]]

    def newest(request: gr.Request) -> tuple[Any, ...]:
        creations = form.recent(request)
        pictures = [(_form.show(c.path), _gallery.caption(c, _gallery.task_of(c).get("seed"))) for c in creations]
        return (
            gr.Gallery(pictures, selected_index=0 if pictures else None),
            [c.id for c in creations],
            *_chosen(form, creations[0].id if creations else "", [c.id for c in creations], request),
        )

    def select(event: gr.SelectData, shown: list[str], request: gr.Request) -> tuple[Any, ...]:
        index = event.index if isinstance(event.index, int) else 0
        return _chosen(form, shown[index] if index < len(shown) else "", shown, request)

    def again(chosen: str, request: gr.Request) -> list[Any]:
        if not chosen:
            return [gr.skip()] * len(form.fields)
        return _settings(form, request, record.Record.model_validate(form.creation(chosen, request).record))

    def dropped(path: str | None, request: gr.Request) -> list[Any]:
        try:
            return _restored(form, request, Path(path or ""))
        except StudioError as error:
            return [*[gr.skip()] * len(form.fields), _status.message(str(error), "error")]

    def drawn(moment: Shown) -> tuple[Any, ...]:
        files = [_form.show(c.path) for c in moment.creations]
        return (files, *newest(moment.request)) if moment.over else ()

    done = form.bind([ask["run"].click, form.fields["prompt"].submit], ask["stage"], [view["files"], *refresh], drawn)
    form.demo.load(newest, None, refresh, **QUIET)
    view["gallery"].select(select, view["shown"], refresh[2:], **QUIET)
    view["again"].click(again, view["chosen"], list(form.fields.values()), **QUIET)
    ask["drop"].upload(dropped, ask["drop"], [*form.fields.values(), ask["stage"]], **QUIET)
    ask["dice"].click(None, js="() => Math.floor(Math.random() * 4294967295)", outputs=ask["seed"], api_visibility="private")
    ask["reuse"].click(lambda seed: gr.skip() if seed is None else seed, view["last_seed"], ask["seed"], **QUIET)
    ask["shape"].input(lambda shape, model: _size(form, shape, model), [ask["shape"], form.fields["model"]],
                       [form.fields["width"], form.fields["height"]], **QUIET)  # fmt: skip
    _follow_model(form, ask)
    _form.remember(form, done)


def _chosen(form: Form, id: str, shown: list[str], request: gr.Request) -> tuple[Any, ...]:
    """What goes with the chosen picture: its id, details, downloads, the comparison and its seed."""
    if not id:
        return "", "", None, None, None
    creation = form.creation(id, request)
    place = shown.index(id) if id in shown else 0
    before = form.creation(shown[place + 1], request) if place + 1 < len(shown) else None
    pair = (_form.show(before.path), _form.show(creation.path)) if before is not None else None
    return (
        id,
        _details(creation),
        _gallery.downloads(creation, form.studio.marks),
        pair,
        _gallery.task_of(creation).get("seed"),
    )


def _details(creation: Creation) -> str:
    task = _gallery.task_of(creation)
    return _gallery.details(creation, {
        "Prompt": task.get("prompt"), "Blended with": _blended(task), "Negative prompt": task.get("negative_prompt"),
        "Style": task.get("style"), "Seed": task.get("seed"), "Steps": task.get("steps"),
        "Size": f"{task.get('width')} x {task.get('height')}",
    }) + _attribution.html(creation)  # fmt: skip


def _settings(form: Form, request: gr.Request, found: record.Record) -> list[Any]:
    """The form's values that remake a creation. Raises InvalidInput for a record of another tab."""
    task = record.task_of(found)
    if not isinstance(task, TextToImage):
        raise InvalidInput("That was made in another tab: restore it there.")
    values = task.model_dump()
    if task.style not in {value for _, value in _styles(form, task.model, request)}:
        values["style"] = ""
    return [values[name] for name in form.fields]


def _restored(form: Form, request: gr.Request, file: Path) -> list[Any]:
    """The form's values from a picture that was made here or by another program, and what of it could not be restored."""
    found = pictures.read_record(file) if file.suffix.lower() in RECORDED else None
    if found is not None:
        return [*_settings(form, request, found), _status.message("The settings of the picture are restored.")]
    other = foreign.read(file)
    if other is None:
        raise InvalidInput(
            "This file carries no settings that are known here (or they were removed): choose the file as it was downloaded."
        )
    cards = form.studio.here(TASK.kind).values()
    values, left_out = foreign.restored(other, TASK, cards, _card(form))
    lines = [f"The settings of {other.tool} are restored.", *left_out]
    usual = {name: field.get_default(call_default_factory=True) for name, field in TASK.model_fields.items()} | {"model": gr.skip()}
    return [*(values.get(name, usual[name]) for name in form.fields), _status.lines(lines)]


def _size(form: Form, shape: str, model: str | None) -> tuple[int | None, int | None]:
    """Width and height of the shape with the area of the model's own size, in steps of 8; empty for the model's own."""
    card = _card(form, model)
    across, down = SHAPES.get(shape, (1, 1))
    if across == down:
        return None, None
    side = float(card.defaults.get("width", 512))
    return round(side * (across / down) ** 0.5 / 8) * 8, round(side * (down / across) ** 0.5 / 8) * 8


def _styles(form: Form, model: str, request: gr.Request | None = None) -> list[tuple[str, str]]:
    """The styles to choose from, those of the visitor's own sets last; the model's usual style is ''."""
    card = _card(form, model)
    usual = str(card.defaults.get("style", "None"))
    sets = form.studio.my_sets(*form.owner(request)) if request is not None and card.own_sets else ()
    texts = form.studio.my_styles(*form.owner(request)) if request is not None else form.studio.styles
    names = [*(card.styles or texts), *(one.style for one in sets)]
    return [(usual, ""), *((name, name) for name in names if name != usual)]


def _follow_model(form: Form, ask: dict[str, Any]) -> None:
    """With another model: its styles, schedulers and time; a second prompt and sets of own pictures only where it draws with them."""

    def changed(model: str | None, request: gr.Request) -> tuple[Any, ...]:
        try:
            card = _card(form, model)
        except StudioError:
            return (gr.skip(),) * 6
        return (
            gr.Radio(choices=_styles(form, model or "", request), value=""),
            gr.Dropdown(choices=[("Model's own", ""), *((name, name) for name in card.schedulers)], value=""),
            gr.Accordion(visible=card.blends),
            gr.skip() if card.blends else "",
            gr.Accordion(visible=card.own_sets),
            gr.Accordion(visible=not card.styles),
        )

    outputs = [ask["style"], form.fields["scheduler"], ask["blending"], form.fields["blend_prompt"], ask["own"].fold, ask["texts"]]
    form.fields["model"].change(changed, form.fields["model"], outputs, **QUIET)
    _form.estimate(form, ask["estimate"], ("model", "count", "steps", "width", "height"), {"prompt": "x"})
    _enhance.follow(form, ask["enhance"], ask["stage"])
    _own_sets.follow(form, ask["own"], ask["style"], lambda request, model: _styles(form, model, request))


def _card(form: Form, model: str | None = "") -> ModelCard:
    return _models.picked(form.studio, model or "", TASK.kind)


def _blended(task: Mapping[str, Any]) -> str:
    words = str(task.get("blend_prompt") or "").strip()
    return f"{words} ({task.get('blend'):g})" if words else ""
