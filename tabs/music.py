"""The music tab: words and a plan on the left, the player beside them, the model and everything finer below."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.tasks import ENERGIES, LOUDNESS, REFERENCE_USES, SOUND_FORMATS, Compose
from tabs import _actions, _fields, _form, _gallery, _models, _player, _status, _takes
from tabs._form import QUIET, Form, Shown

NAME = "Music"
TASK = Compose
ACCEPTS: Mapping[str, str] = {"text": "prompt"}

PROMPTS = (
    "calm rainy-night lo-fi piano, 72 bpm, A minor, loop",
    "bright folk dance with fiddle and guitar, 3/4",
    "slow cinematic strings that rise to a climax, D minor",
)
PLAN = ("genre", "mood", "bpm", "key", "time_signature", "energy", "instruments", "form")
NUMBERS = ("temperature", "top_p", "top_k", "guidance_scale", "steps", "reference_strength")
SHOWN = 8
"""Takes in the player at once."""


def build(form: Form) -> None:
    """Lay out the tab."""
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="ask"):
            ask = _ask(form)
        with gr.Column(elem_classes="answer"):
            view = _answer()
        with gr.Column(elem_classes="tune"):
            ask |= _tune(form, ask["stage"])
    form.fields = {name: form.fields[name] for name in TASK.model_fields}
    _wire(form, ask, view)


def _ask(form: Form) -> dict[str, Any]:
    prompt = form.add("prompt", _fields.text(TASK, "prompt", lines=3, placeholder="What should it sound like?", elem_classes="prompt"))
    _form.examples(prompt, PROMPTS)
    plan = gr.HTML(elem_classes="quiet plan", padding=False)
    with gr.Accordion("Change the plan", open=False):
        write = gr.Button("Fill in from the words", size="sm")
        _plan(form)
    with gr.Row():
        form.add("duration", _fields.number(TASK, "duration", placeholder="30", min_width=110))
        form.add("loop", gr.Checkbox(label=TASK.model_fields["loop"].title, info="No end: it closes on itself", min_width=110))
    with gr.Row():
        run = gr.Button("Create", variant="primary", elem_classes="run", scale=3)
        stop = gr.Button("Stop", elem_classes="stop", scale=1, min_width=80)
    estimate = gr.HTML(elem_classes="quiet", padding=False)
    stage = gr.HTML(elem_classes="status", padding=False)
    return {"prompt": prompt, "plan": plan, "write": write, "run": run, "stop": stop, "estimate": estimate, "stage": stage}


def _plan(form: Form) -> None:
    """The fields of the plan; what is left empty is read from the words."""
    words = {name: _words(form, name) for name in ("genre", "mood", "instruments")}
    with gr.Row():
        form.add("genre", _fields.choice(TASK, "genre", [("From the words", ""), *words["genre"]], min_width=140))
        form.add("mood", _fields.choice(TASK, "mood", [("From the words", ""), *words["mood"]], min_width=140))
    with gr.Row():
        form.add("bpm", _fields.number(TASK, "bpm", placeholder="from the words", min_width=90))
        form.add("key", _fields.text(TASK, "key", placeholder="A minor", min_width=90))
        form.add("time_signature", _fields.text(TASK, "time_signature", placeholder="4/4", min_width=90))
    energies = [("From the words", ""), *((title, name) for name, title in ENERGIES.items())]
    form.add("instruments", gr.Dropdown(words["instruments"], value=[], multiselect=True, allow_custom_value=True, max_choices=8,
                                        label=TASK.model_fields["instruments"].title, info="The first one plays the melody"))  # fmt: skip
    with gr.Row():
        form.add("form", _fields.text(TASK, "form", placeholder="Intro A B A Outro", min_width=160))
        form.add("energy", _fields.choice(TASK, "energy", energies, min_width=120))


def _tune(form: Form, stage: gr.HTML) -> dict[str, Any]:
    with gr.Row(elem_classes="seed"):
        seed = form.add("seed", _fields.number(TASK, "seed", placeholder="fresh", scale=3, min_width=120))
        dice = gr.Button("New seed", size="sm", min_width=80)
        reuse = gr.Button("Last seed", size="sm", min_width=80)
    form.add("count", _fields.slider(TASK, "count", min_width=150))
    _models.picker(form, stage, "make")
    with gr.Accordion("Start from a sound or a melody", open=False) as origin:
        form.add("reference", gr.File(label=TASK.model_fields["reference"].title, type="filepath", height=90,
                                      file_types=["audio", ".mid", ".midi", ".flac", ".npz"]))  # fmt: skip
        uses = [("Automatic", ""), *((title, name) for name, title in REFERENCE_USES.items())]
        form.add("reference_use", _fields.choice(TASK, "reference_use", uses))
        with gr.Row():
            form.add("region_start", _fields.number(TASK, "region_start", placeholder="its start", min_width=110))
            form.add("region_end", _fields.number(TASK, "region_end", placeholder="its end", min_width=110))
    with gr.Accordion("Advanced", open=False):
        form.add("negative_prompt", _fields.text(TASK, "negative_prompt", lines=2, placeholder="What to keep out"))
        form.add("lyrics", _fields.text(TASK, "lyrics", lines=3, placeholder="[verse] …"))
        for pair in (NUMBERS[:2], NUMBERS[2:4], NUMBERS[4:]):
            with gr.Row():
                for name in pair:
                    form.add(name, _fields.number(TASK, name, min_width=110))
        form.add("bank", _fields.choice(TASK, "bank", [("The genre's own", ""), *_words(form, "bank")]))
        with gr.Row():
            form.add("loudness", _fields.Dropdown([(t, n) for n, t in LOUDNESS.items()], value="-14", label="Loudness", min_width=140))
            form.add("retries", _fields.number(TASK, "retries", min_width=90))
        form.add("format", _fields.Dropdown([(t, n) for n, t in SOUND_FORMATS.items()], value="flac", label="Format of the download"))
    return {"seed": seed, "dice": dice, "reuse": reuse, "origin": origin}


def _answer() -> dict[str, Any]:
    player = _player.Player(_spectrogram)
    chosen = gr.JSON(visible="hidden")
    actions: dict[str, gr.Button] = {}
    for row in (("extend", "lead", "cover", "again"), ("repaint", "trim", "loop", "fade")):
        with gr.Row(elem_classes="actions"):
            for name in row:
                actions[name] = gr.Button(_actions.BUTTONS[name], size="sm", min_width=100)
    files = gr.File(label="Finished files", file_count="multiple", interactive=False, visible="hidden")
    downloads = gr.File(label="Download", file_count="multiple", interactive=False, visible="hidden", elem_classes="downloads")
    stems = gr.Button("All parts as a zip", size="sm")
    details = gr.HTML(elem_classes="details")
    return {
        "player": player, "picked": chosen, "files": files, "downloads": downloads, "details": details, "stems": stems,
        **actions,
        "last_seed": gr.State(None), "before": gr.State(None), "go": gr.Textbox(visible="hidden"),
    }  # fmt: skip


def _wire(form: Form, ask: dict[str, Any], view: dict[str, Any]) -> None:
    form.stop_on(ask["stop"])
    fields, player = form.fields, view["player"]
    refresh = [player, view["details"], view["downloads"], view["last_seed"]]

    def newest(request: gr.Request) -> tuple[Any, ...]:
        return _newest(form, request)

    def drawn(moment: Shown) -> tuple[Any, ...]:
        assert isinstance(moment.asked, Compose)
        if moment.over:
            made = [file for c in moment.creations for file in _takes.files(c, moment.asked.format)]
            runs = {c.id: f"{moment.run}-{k}" for k, c in enumerate(moment.creations, 1)}
            first = moment.creations[0].id if moment.creations else ""
            return (made, *_newest(form, moment.request, first, runs))
        if moment.preview is not None and moment.preview.sound is not None:
            run = f"{moment.run}-{moment.preview.item}"
            expected = moment.asked.duration or 0.0
            return gr.skip(), _player.live_value(moment.preview.sound, run, moment.heard, expected, moment.asked.prompt[:60])
        return ()

    def choose(event: gr.EventData, request: gr.Request) -> tuple[Any, ...]:
        found = _player.chosen(event._data)  # noqa: SLF001 - where Gradio keeps what an event tells
        return _chosen(form, found.take if found else "", request)

    done = form.bind([ask["run"].click], ask["stage"], [view["files"], *refresh], drawn)
    form.demo.load(newest, None, refresh, **QUIET)
    player.choose(choose, None, refresh[1:], **QUIET)
    _wire_plan(form, ask)
    _actions.wire(form, view, ask["stage"], done)
    ask["dice"].click(None, js="() => Math.floor(Math.random() * 4294967295)", outputs=ask["seed"], api_visibility="private")
    ask["reuse"].click(lambda seed: gr.skip() if seed is None else seed, view["last_seed"], ask["seed"], **QUIET)
    _form.estimate(form, ask["estimate"], ("model", "count", "duration", "steps"), {"prompt": "x"})
    fields["model"].change(lambda model: _useful(form, model), fields["model"], [fields[name] for name in _tuned(form)], **QUIET)
    _form.remember(form, done, (*TASK.files, "reference_use", "region_start", "region_end"))


def _wire_plan(form: Form, ask: dict[str, Any]) -> None:
    """The plan in one line, as soon as the words or a field of the plan change; a wrong value is said there at once.

    A press writes it into the fields, to be changed there.
    """
    names = ("prompt", "model", "duration", "loop", "seed", *PLAN)

    def told(*values: Any) -> str:
        given = dict(zip(names, values, strict=True))
        if not str(given["prompt"] or "").strip():
            return ""
        try:
            found = form.studio.plan(TASK.checked({name: value for name, value in given.items() if value is not None}))
        except StudioError as error:
            return _status.message(str(error), "error")
        words = _takes.plan_words(found)
        return _status.note(f"Plan: {words}") if words else ""

    def written(*values: Any) -> list[Any]:
        given = {name: value for name, value in zip(names, values, strict=True) if value is not None}
        try:
            found = form.studio.plan(TASK.checked({**given, "seed": given.get("seed", 0)}))
        except StudioError:
            return [gr.skip()] * len(PLAN)  # the line above the fields says why
        shown = {"time_signature": found.get("meter"), **found}
        return [shown.get(name, gr.skip()) for name in PLAN]

    watched = [form.fields[name] for name in names]
    gr.on([field.change for field in watched], told, watched, ask["plan"], trigger_mode="always_last", **QUIET)
    ask["write"].click(written, watched, [form.fields[name] for name in PLAN], **QUIET)


def _newest(form: Form, request: gr.Request, chosen: str = "", runs: Mapping[str, str] | None = None) -> tuple[Any, ...]:
    creations = form.recent(request, SHOWN)
    first = chosen or (creations[0].id if creations else "")
    return _takes.shelf(creations, first, runs, play=bool(chosen)), *_chosen(form, first, request)


def _chosen(form: Form, id: str, request: gr.Request) -> tuple[Any, ...]:
    """What goes with the chosen take: details, downloads, its seed."""
    if not id:
        return "", gr.File(visible="hidden"), None
    creation = form.creation(id, request)
    seed = _gallery.task_of(creation).get("seed")
    return _takes.details(creation), gr.File(value=_takes.files(creation, "flac"), visible=True), seed


def _spectrogram(file: Path) -> bytes:
    from studio.music import files

    return files.spectrogram_png(files.read(file))


def _tuned(form: Form) -> list[str]:
    """Fields that some model of this task does not use."""
    return [n for n in TASK.model_fields if any(n in card.ignores for card in form.studio.cards if TASK.kind in card.serves)]


def _useful(form: Form, model: str | None) -> list[Any]:
    """The fields of `_tuned`: what a model does not use is disabled, says so, and is emptied."""
    try:
        card = _models.picked(form.studio, model or "", TASK.kind, "make")
    except StudioError:
        return [gr.skip()] * len(_tuned(form))
    found: list[Any] = []
    for name in _tuned(form):
        unused = name in card.ignores
        default = TASK.model_fields[name].default
        values: dict[str, Any] = {"interactive": not unused, "info": f"{card.name} does not use this" if unused else ""}
        if unused:
            values["value"] = [] if default == () else default
        found.append(gr.update(**values))
    return found


def _words(form: Form, name: str) -> list[tuple[str, str]]:
    return list(form.studio.choices(_models.picked(form.studio, "", TASK.kind, "make")).get(name, ()))
