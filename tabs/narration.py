"""The narration tab: a text is read aloud by a voice, plays while it is spoken, and is taken away as sound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from studio.creations import Creation
from studio.errors import StudioError
from studio.models import ModelCard
from studio.tasks import SOUND_FORMATS, Narrate
from tabs import _fields, _form, _gallery, _models, _player, _status, _takes
from tabs._form import QUIET, Form, Shown

NAME = "Narration"
TASK = Narrate
ACCEPTS: Mapping[str, str] = {"text": "text"}

EXAMPLES = (
    "The night train was almost empty. Somewhere behind the hills, a single window was still lit.",
    "Welcome to the old harbour. Please follow the blue line, and mind your step.",
)
SHOWN = 8
"""Takes in the player at once."""
LONGEST = 10_800.0
"""Seconds: the longest text, read slowly, with room to spare."""


def build(form: Form) -> None:
    """Lay out the tab."""
    with gr.Row(elem_classes="desk"):
        with gr.Column(elem_classes="ask"):
            ask = _ask(form)
        with gr.Column(elem_classes="answer"):
            view = _answer()
        with gr.Column(elem_classes="tune"):
            _tune(form, ask["stage"])
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


def _answer() -> dict[str, Any]:
    return {
        "player": _player.Player(),
        "files": gr.File(label="Finished file", file_count="multiple", interactive=False, visible="hidden"),
        "downloads": gr.File(label="Download", file_count="multiple", interactive=False, visible="hidden", elem_classes="downloads"),
        "details": gr.HTML(elem_classes="details"),
    }


def _tune(form: Form, stage: gr.HTML) -> None:
    _models.picker(form, stage)
    form.add("voice", _fields.choice(TASK, "voice", [("The model's own", ""), *_voices(form, "")]))
    form.add("speed", _fields.slider(TASK, "speed", step=0.05))
    form.add("seed", _fields.number(TASK, "seed", placeholder="fresh each time"))
    form.add("format", _fields.Dropdown([(t, n) for n, t in SOUND_FORMATS.items()], value="flac", label="Format of the download"))


def _wire(form: Form, ask: dict[str, Any], view: dict[str, Any]) -> None:
    form.stop_on(ask["stop"])
    fields, player = form.fields, view["player"]
    refresh = [player, view["details"], view["downloads"]]

    def newest(request: gr.Request) -> tuple[Any, ...]:
        return _newest(form, request)

    def drawn(moment: Shown) -> tuple[Any, ...]:
        assert isinstance(moment.asked, Narrate)
        if moment.over:
            made = [file for creation in moment.creations for file in _files(creation, moment.asked.format)]
            runs = {c.id: f"{moment.run}-{k}" for k, c in enumerate(moment.creations, 1)}
            first = moment.creations[0].id if moment.creations else ""
            return (made, *_newest(form, moment.request, first, runs, moment.asked.format))
        if moment.preview is not None and moment.preview.sound is not None:
            run = f"{moment.run}-{moment.preview.item}"
            return gr.skip(), _player.live_value(moment.preview.sound, run, moment.heard, title=moment.asked.text[:60])
        return ()

    def choose(event: gr.EventData, kind: str | None, request: gr.Request) -> tuple[Any, ...]:
        found = _player.chosen(event._data)  # noqa: SLF001 - where Gradio keeps what an event tells
        return _chosen(form, found.take if found else "", request, kind or "flac")

    done = form.bind([ask["run"].click], ask["stage"], [view["files"], *refresh], drawn)
    form.demo.load(newest, None, refresh, **QUIET)
    player.choose(choose, fields["format"], refresh[1:], **QUIET)
    _form.estimate(form, ask["estimate"], ("text", "model"), {})
    lacking, tuned = ask["lacking"], [fields["voice"], fields["speed"]]
    fields["model"].change(lambda *given: (_lacking(form), *_useful(form, *given)), [fields["model"], fields["voice"]],
                           [lacking, *tuned], **QUIET)  # fmt: skip
    form.demo.load(lambda: _lacking(form), None, lacking, **QUIET)
    done.then(lambda: _lacking(form), None, lacking, **QUIET)
    best = _best(form)
    _form.remember(form, done, first={"model": best.name} if best is not None and not form.studio.here(TASK.kind) else None)


def _newest(
    form: Form, request: gr.Request, chosen: str = "", runs: Mapping[str, str] | None = None, kind: str = "flac"
) -> tuple[Any, ...]:
    creations = form.recent(request, SHOWN)
    first = chosen or (creations[0].id if creations else "")
    return _shelf(creations, first, runs or {}, play=bool(chosen)), *_chosen(form, first, request, kind)


def _chosen(form: Form, id: str, request: gr.Request, kind: str) -> tuple[Any, ...]:
    """What goes with the chosen take: details and downloads."""
    if not id:
        return "", gr.File(visible="hidden")
    creation = form.creation(id, request)
    return _details(creation), gr.File(value=_files(creation, kind), visible=True)


def _shelf(creations: Sequence[Creation], chosen: str, runs: Mapping[str, str], *, play: bool) -> dict[str, Any]:
    """The player's value: a card for each take, titled by its first words."""
    takes: list[dict[str, Any]] = []
    for creation in creations:
        words = str(_gallery.task_of(creation).get("text") or "")
        title = f"{words[:60]}{'…' if len(words) > 60 else ''}"
        file, run = _form.show(creation.path), runs.get(creation.id, "")
        takes.append(_player.take_value(creation.id, title, file, *_heard(creation.path), run=run))
    return _player.opened(takes, chosen, play=play)


@lru_cache(maxsize=64)
def _heard(path: Path) -> tuple[int, float, list[list[float]]]:
    """Rate, seconds and waveform of a file, which never changes: it is named by its content."""
    from studio.music import files

    sound = files.read(path, LONGEST)
    return sound.rate, sound.seconds, _player.peaks_of(sound.samples)


def _files(creation: Creation, kind: str) -> list[str]:
    """The take in a format, with its record where the format carries one."""
    title = f"atelier-{_gallery.task_of(creation).get('seed', creation.id)}"
    if kind == "flac" or kind not in SOUND_FORMATS:
        return [_form.show(creation.path, f"{title}.flac")]
    from studio.music import files
    from studio.provenance import sounds

    kept = sounds.read_record(creation.path)
    assert kept is not None, "every creation carries its record"
    data = sounds.encode_copy(files.read(creation.path, LONGEST), kind, kept)
    return _form.show_bytes({f"{title}{_takes.SUFFIXES.get(kind, f'.{kind}')}": data})


def _details(creation: Creation) -> str:
    task, facts = _gallery.task_of(creation), _gallery.facts_of(creation)
    notes = facts.get("notes")
    return _gallery.details(creation, {
        "Text": task.get("text"), "Voice": task.get("voice"), "Speed": task.get("speed"), "Seed": task.get("seed"),
        "Notes": " ".join(map(str, notes)) if isinstance(notes, list) else "",
    })  # fmt: skip


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


def _useful(form: Form, model: str | None, voice: str | None) -> tuple[Any, Any]:
    """Voice and speed for a model: its own voices; what it does not use is disabled, says so, and is put back."""
    try:
        card = _models.picked(form.studio, model or "", TASK.kind)
    except (StudioError, ValueError):
        return gr.skip(), gr.skip()
    unused = {name: f"{card.name} does not use this" if name in card.ignores else "" for name in ("voice", "speed")}
    voices = [("The model's own", ""), *_voices(form, model or "")]
    kept = voice if voice in [name for _, name in voices] else ""
    value: dict[str, Any] = {"value": 1.0} if unused["speed"] else {}
    return (
        gr.update(choices=voices, value=kept, interactive=len(voices) > 1, info=unused["voice"]),
        gr.update(interactive=not unused["speed"], info=unused["speed"], **value),
    )
