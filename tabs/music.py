"""The music tab: words and a plan on the left, the player beside them, the model and everything finer below."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.tasks import ENERGIES, LOUDNESS, REFERENCE_USES, SOUND_FORMATS, Compose
from tabs import _actions, _enhance, _fields, _form, _gallery, _models, _player, _restored, _status, _takes, _timeline
from tabs._form import QUIET, Form

NAME = "Music"
TASK = Compose
ACCEPTS: Mapping[str, str] = {"text": "prompt", "lyrics": "lyrics", "sound": "reference", "picture": "artwork"}

PROMPTS = (
    "calm rainy-night lo-fi piano, 72 bpm, A minor, loop",
    "bright folk dance with fiddle and guitar, 3/4",
    "slow cinematic strings that rise to a climax, D minor",
)
MOOD = "Hear a mood in it"
"""What the writer is asked for: one word more in the prompt, which the plan follows."""
PLAN = ("genre", "mood", "bpm", "key", "time_signature", "energy", "instruments", "form")
NUMBERS = ("temperature", "top_p", "top_k", "guidance_scale", "steps", "reference_strength")


def build(form: Form) -> None:
    """Lay out the tab."""
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="ask"):
            ask = _ask(form)
        with gr.Column(elem_classes="answer"):
            view = _answer(form)
        with gr.Column(elem_classes="tune"):
            ask |= _tune(form, ask["stage"])
    form.fields = {name: form.fields[name] for name in TASK.model_fields}
    _wire(form, ask, view)


def _ask(form: Form) -> dict[str, Any]:
    prompt = form.add("prompt", _fields.text(TASK, "prompt", lines=3, placeholder="What should it sound like?", elem_classes="prompt"))
    _form.examples(prompt, PROMPTS)
    mood = _enhance.build(form, MOOD)
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
    return {"prompt": prompt, "mood": mood, "plan": plan, "write": write, "run": run, "stop": stop, "estimate": estimate, "stage": stage}


def _plan(form: Form) -> None:
    """The fields of the plan; what is left empty is read from the words."""
    words = {name: _words(form, name) for name in ("genre", "mood", "instruments")}
    with gr.Row():
        form.add("genre", _fields.choice(TASK, "genre", [("Automatic", ""), *words["genre"]], min_width=180))
        form.add("mood", _fields.choice(TASK, "mood", [("Automatic", ""), *words["mood"]], min_width=180))
    with gr.Row():
        form.add("bpm", _fields.number(TASK, "bpm", placeholder="72", min_width=100))
        form.add("key", _fields.text(TASK, "key", placeholder="A minor", min_width=120))
        form.add("time_signature", _fields.text(TASK, "time_signature", placeholder="4/4", min_width=120))
    energies = [("Automatic", ""), *((title, name) for name, title in ENERGIES.items())]
    form.add("instruments", gr.Dropdown(words["instruments"], value=[], multiselect=True, allow_custom_value=True, max_choices=8,
                                        label=TASK.model_fields["instruments"].title, info="The first one plays the melody"))  # fmt: skip
    with gr.Row():
        form.add("form", _fields.text(TASK, "form", placeholder="Intro A B A", min_width=180))
        form.add("energy", _fields.choice(TASK, "energy", energies, min_width=180))


def _tune(form: Form, stage: gr.HTML) -> dict[str, Any]:
    with gr.Row(elem_classes="seed"):
        seed = form.add("seed", _fields.number(TASK, "seed", placeholder="fresh", scale=3, min_width=120))
        dice = gr.Button("New seed", size="sm", min_width=80)
        reuse = gr.Button("Last seed", size="sm", min_width=80)
    form.add("count", _fields.slider(TASK, "count", min_width=150))
    _models.picker(form, stage, "make")
    with gr.Accordion("Start from a sound or a melody", open=False):
        form.add("reference", gr.File(label=TASK.model_fields["reference"].title, type="filepath", height=130,
                                      file_types=["audio", ".mid", ".midi", ".flac", ".npz"], elem_classes="reference-field"))  # fmt: skip
        _player.recorder()
        uses = [("Automatic", ""), *((title, name) for name, title in REFERENCE_USES.items())]
        form.add("reference_use", _fields.choice(TASK, "reference_use", uses))
        with gr.Row():
            form.add("region_start", _fields.number(TASK, "region_start", placeholder="its start", min_width=110))
            form.add("region_end", _fields.number(TASK, "region_end", placeholder="its end", min_width=110))
    with gr.Accordion("Timeline", open=False):
        cost = _timeline.build(form)
    _sleeve(form)
    with gr.Accordion("Advanced", open=False) as advanced:
        form.add("negative_prompt", _fields.text(TASK, "negative_prompt", lines=2, placeholder="What to keep out"))
        lyrics = form.add("lyrics", _fields.text(TASK, "lyrics", lines=3, placeholder="[verse] …"))
        for pair in (NUMBERS[:2], NUMBERS[2:4], NUMBERS[4:]):
            with gr.Row():
                for name in pair:
                    form.add(name, _fields.number(TASK, name, min_width=110))
        form.add("bank", _fields.choice(TASK, "bank", [("The genre's own", ""), *_words(form, "bank")]))
        with gr.Row():
            form.add("loudness", _fields.Dropdown([(t, n) for n, t in LOUDNESS.items()], value="-14", label="Loudness", min_width=220))
            form.add("retries", _fields.number(TASK, "retries", min_width=90))
        form.add("format", _fields.Dropdown([(t, n) for n, t in SOUND_FORMATS.items()], value="flac", label="Format of the download"))
        drop = _restored.drop()
    # What another tab sends can be taken out again, also while a model is chosen that does not sing; its field says so.
    form.inlets["lyrics"] = (lyrics, lambda words: gr.Textbox(value=words, interactive=True))
    lyrics.change(lambda words: gr.Accordion(open=True) if words else gr.skip(), lyrics, advanced, **QUIET)
    return {"seed": seed, "dice": dice, "reuse": reuse, "cost": cost, "drop": drop}


def _sleeve(form: Form) -> None:
    """The cover picture, which opens when one is sent from another tab."""
    with gr.Accordion("Cover picture", open=False) as sleeve:
        picture = form.add("artwork", gr.File(label=TASK.model_fields["artwork"].title, type="filepath", height=130, file_types=["image"]))
    picture.change(lambda file: gr.Accordion(open=True) if file else gr.skip(), picture, sleeve, **QUIET)


def _answer(form: Form) -> dict[str, Any]:
    player = _player.Player(_spectrogram)
    actions: dict[str, gr.Button] = {}
    for row in (("extend", "lead", "cover", "picture", "again"), ("repaint", "trim", "loop", "fade")):
        with gr.Row(elem_classes="actions"):
            for name in row:
                actions[name] = gr.Button(_actions.BUTTONS[name], size="sm", min_width=100)
    with gr.Accordion("What an extension hears", open=False):
        form.add("context", _fields.slider(TASK, "context", info=TASK.model_fields["context"].description, step=0.5))
    with gr.Row(elem_classes="actions"):
        stems = gr.Button("All parts as a zip", size="sm", min_width=100)
        here, lacking = _actions.separating(form)
        actions["separate"] = gr.Button(_actions.BUTTONS["separate"], size="sm", min_width=100, visible=here)
    without = gr.HTML(_status.note(lacking), elem_classes="quiet", padding=False)
    return {
        **_takes.parts(), **actions, "player": player, "picked": gr.JSON(visible="hidden"), "stems": stems, "without": without,
        "before": gr.State(None), "go": gr.Textbox(visible="hidden"),
    }  # fmt: skip


def _wire(form: Form, ask: dict[str, Any], view: dict[str, Any]) -> None:
    form.stop_on(ask["stop"])
    fields = form.fields
    done = _takes.wire(form, view, ask["run"], ask["stage"])

    def last_seed(take: str, request: gr.Request) -> Any:
        return _gallery.task_of(form.creation(take, request)).get("seed") if take else gr.skip()

    _enhance.follow(form, ask["mood"], ask["stage"], MOOD)
    _wire_plan(form, ask)
    _actions.wire(form, view, ask["stage"], done)
    ask["dice"].click(None, js="() => Math.floor(Math.random() * 4294967295)", outputs=ask["seed"], api_visibility="private")
    ask["reuse"].click(last_seed, view["take"], ask["seed"], **QUIET)
    _restored.wire(form, ask["drop"], ask["stage"])
    _form.estimate(form, ask["estimate"], ("model", "count", "duration", "steps"), {"prompt": "x"})
    _timeline.wire(form, ask["cost"])
    form.demo.load(lambda: _separating(form), None, [view["separate"], view["without"]], **QUIET)
    tuned = _models.Tuned(form, "make")
    fields["model"].change(tuned.updates, [fields["model"], view["before"]], tuned.fields, **QUIET)
    _form.remember(form, done, (*TASK.files, "reference_use", "region_start", "region_end"))


def _wire_plan(form: Form, ask: dict[str, Any]) -> None:
    """The plan in one line, as soon as the words or a field of the plan change; what is wrong is said there at once.

    A press writes it into the fields, to be changed there; the line says why where there is none.
    """
    names = ("prompt", "model", "duration", "loop", "seed", "segments", *PLAN)

    def read(values: Sequence[Any], **more: Any) -> tuple[str, Mapping[str, Any]]:
        given = {**more, **{name: value for name, value in zip(names, values, strict=True) if value is not None}}
        if not str(given.get("prompt") or "").strip():
            return "", {}
        try:
            found = form.studio.plan(TASK.checked(given))
            card = _models.picked(form.studio, str(given.get("model") or ""), TASK.kind, "make")
        except StudioError as error:
            return _status.message(str(error), "error"), {}
        words = _takes.plan_words(found)
        return _status.note(f"Plan: {words}" if words else f"{card.name} makes no plan: it goes by your words and the fields."), found

    def told(*values: Any) -> str:
        return read(values)[0]

    def written(*values: Any) -> list[Any]:
        line, found = read(values, seed=0)
        shown = {"time_signature": found.get("meter"), **found} if found else {}
        return [line or _status.note("Say what it should sound like first."), *(shown.get(name, gr.skip()) for name in PLAN)]

    watched = [form.fields[name] for name in names]
    gr.on([field.change for field in watched], told, watched, ask["plan"], trigger_mode="always_last", **QUIET)
    ask["write"].click(written, watched, [ask["plan"], *(form.fields[name] for name in PLAN)], **QUIET)


def _separating(form: Form) -> tuple[gr.Button, str]:
    """The button that takes recordings apart, where something can, else which commands bring that."""
    here, lacking = _actions.separating(form)
    return gr.Button(visible=here), _status.note(lacking)


def _spectrogram(file: Path) -> bytes:
    from studio.music import files

    return files.spectrogram_png(files.read(file))


def _words(form: Form, name: str) -> list[tuple[str, str]]:
    return list(form.studio.choices(_models.picked(form.studio, "", TASK.kind, "make")).get(name, ()))
