"""Finished takes of music and speech on the page: their cards in the player, their details, their downloads.

Knows the form of a tab, creations and their records; knows no single tab and no layout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr

from studio import copies
from studio.creations import Creation
from studio.errors import StudioError
from studio.marks import Marks
from studio.music import packed
from studio.provenance import covers
from studio.tasks import PADDED, SOUND_FORMATS, Compose, Narrate
from tabs import _asking, _form, _gallery, _player
from tabs._form import QUIET, Form
from tabs._run import Shown

SHOWN = 8
"""Takes in the player at once."""
LONGEST = 10_800.0
"""Seconds: the longest text, read slowly, with room to spare."""
MOST_DOWN = 0.25
"""A take is turned down to no less than this for the comparison."""
SUFFIXES = {"wav16": ".wav", "wav24": ".wav"}


def parts() -> dict[str, Any]:
    """What goes with the player: finished files for HTTP, downloads, details, and the id of the take that these are about."""
    return {
        "files": gr.File(label="Finished files", file_count="multiple", interactive=False, visible="hidden"),
        "downloads": gr.File(label="Download", file_count="multiple", interactive=False, elem_classes="downloads"),
        "details": gr.HTML(elem_classes="details"),
        "take": gr.State(""),
    }


def wire(form: Form, view: Mapping[str, Any], run: gr.Button, stage: gr.HTML) -> Any:
    """Bind a run that makes takes, and show them: while they are made, when they are finished, and when one is chosen.

    `view` is `parts()` with the "player" beside it. Returns the run's event for `.then`.
    """
    format = form.fields["format"]  # noqa: A001 - the word of the task
    shown = [view[part] for part in ("player", "details", "downloads", "take")]

    def newest(kind: str | None, request: gr.Request) -> tuple[Any, ...]:
        return _newest(form, request, kind or "")

    def choose(event: gr.EventData, kind: str | None, request: gr.Request) -> tuple[Any, ...]:
        found = _player.chosen(_asking.told(event))
        return _chosen(form, found.take if found else "", request, kind or "")

    def converted(take: str, kind: str | None, request: gr.Request) -> Any:
        return _downloads(form, form.creation(take, request), kind or "") if take else gr.skip()

    done = form.bind([run.click], stage, [view["files"], *shown], lambda moment: _drawn(form, moment))
    form.demo.load(newest, format, shown, **QUIET)
    view["player"].choose(choose, format, shown[1:], **QUIET)
    format.change(converted, [view["take"], format], view["downloads"], trigger_mode="always_last", **QUIET)
    return done


def shelf(creations: Sequence[Creation], chosen: str = "", runs: Mapping[str, str] | None = None, *, play: bool = False) -> dict[str, Any]:
    """The player's value: a card for each take. `runs` names the growing sound that a take was, by the take's id."""
    quietest = min((loud for creation in creations if (loud := _loudness(creation)) is not None), default=None)
    return _player.opened([_take(creation, (runs or {}).get(creation.id, ""), quietest) for creation in creations], chosen, play=play)


def files(creation: Creation, kind: str, marks: Marks) -> list[str]:
    """The finished file in a format, and its MIDI where it has notes: paths that Gradio serves.

    A format that would pad a loop, so that it no longer closed, gives way to FLAC.
    """
    title = name(creation)
    midi = creation.attachments.get("score.mid")
    notes = [_form.show(midi, f"{title}.mid")] if midi is not None and midi.exists() else []
    if kind == "flac" or kind not in SOUND_FORMATS or (kind in PADDED and looped(creation)):
        return [_form.show(creation.path, f"{title}.flac"), *notes]
    return [*_form.show_bytes({f"{title}{SUFFIXES.get(kind, f'.{kind}')}": copies.sound(creation.path, kind, marks)}), *notes]


def looped(creation: Creation) -> bool:
    """Whether it closes on itself, whoever asked for that: the fields, the words, or a selection that was made a loop."""
    return bool(_gallery.facts_of(creation).get("loop"))


def name(creation: Creation) -> str:
    """A file name for it, without suffix."""
    made = f"atelier-{_gallery.task_of(creation).get('seed', creation.id)}"
    stem = _gallery.facts_of(creation).get("stem")
    return f"{made}-{stem}" if stem else made


def details(creation: Creation) -> str:
    """What was asked, and what every creation says; what was measured stands in the player."""
    task, facts = _gallery.task_of(creation), _gallery.facts_of(creation)
    return _gallery.details(creation, {
        "Prompt": task.get("prompt"), "Text": task.get("text"), "Voice": task.get("voice"), "Speed": task.get("speed"),
        "Plan": plan_words(_mapping(facts.get("plan"))), "Seed": task.get("seed"), "Notes": " ".join(map(str, _list(facts.get("notes")))),
        "Sounds": _bank(_mapping(facts.get("bank"))), "Off the brief": ", ".join(_missed(facts)),
        "Ended": "stopped before its end; what was made by then is kept" if facts.get("finish") == "stopped" else "",
        "Lossy copies": "lose a little; FLAC and WAV keep every sample",
    })  # fmt: skip


def plan_words(plan: Mapping[str, Any]) -> str:
    """A plan in one line, such as 'Lo-fi, calm · 72 bpm · A minor · 4/4 · 8 bars, 27 s · piano, bass, drums · A B'."""
    if not plan:
        return ""
    first = ", ".join(str(plan[part]) for part in ("title", "mood") if plan.get(part))
    tempo = f"{float(plan['bpm']):g} bpm" if plan.get("bpm") else ""
    length = f"{plan['bars']} bars, {float(plan['seconds']):.0f} s" if plan.get("bars") and plan.get("seconds") else ""
    played = ", ".join(str(player) for player in plan.get("instruments") or [])
    parts = [first, tempo, str(plan.get("key") or ""), str(plan.get("meter") or ""), length, played, str(plan.get("form") or "")]
    return " · ".join(part for part in parts if part)


def _drawn(form: Form, moment: Shown) -> tuple[Any, ...]:
    """A moment of a run: sound that grows, and at the end the takes, of which the first one plays."""
    asked = moment.asked
    assert isinstance(asked, Compose | Narrate)
    if moment.over:
        made = {creation.id: files(creation, asked.format, form.studio.marks) for creation in moment.creations}
        runs = {id: f"{moment.run}-{k}" for k, id in enumerate(made, 1)}
        return ([file for some in made.values() for file in some], *_newest(form, moment.request, asked.format, made, runs))
    if moment.preview is not None and moment.preview.sound is not None:
        run, expected = f"{moment.run}-{moment.preview.item}", (asked.duration or 0.0) if isinstance(asked, Compose) else 0.0
        title = _short(asked.prompt if isinstance(asked, Compose) else asked.text)
        return gr.skip(), _player.live_value(moment.preview.sound, run, moment.heard, expected, title)
    return ()


def _newest(
    form: Form, request: gr.Request, kind: str, made: Mapping[str, list[str]] | None = None, runs: Mapping[str, str] | None = None
) -> tuple[Any, ...]:
    """The newest takes in the player, and what goes with the chosen one: the first of `made`, with its files, if there is any."""
    creations = form.recent(request, SHOWN)
    chosen = next(iter(made or {}), "") or (creations[0].id if creations else "")
    return shelf(creations, chosen, runs, play=bool(made)), *_chosen(form, chosen, request, kind, (made or {}).get(chosen))


def _chosen(form: Form, id: str, request: gr.Request, kind: str, ready: list[str] | None = None) -> tuple[Any, ...]:
    """What goes with the chosen take: details and downloads, and its id. `ready` are its files, where they are made already."""
    if not id:
        return "", None, ""
    creation = form.creation(id, request)
    return details(creation), _downloads(form, creation, kind, ready), id


def _downloads(form: Form, creation: Creation, kind: str, ready: list[str] | None = None) -> gr.File:
    try:
        found = ready or files(creation, kind, form.studio.marks)
    except StudioError as error:
        raise gr.Error(str(error), print_exception=False) from None
    padded = kind in PADDED and looped(creation)
    return gr.File(value=found, label="Download (FLAC: that format would not close a loop)" if padded else "Download")


def _take(creation: Creation, run: str, quietest: float | None) -> dict[str, Any]:
    """One card. Takes of different loudness are turned down to the quietest of the shelf, so that none wins by being louder."""
    loud = _loudness(creation)
    gain = 1.0 if quietest is None or loud is None else 10 ** ((quietest - loud) / 20)
    task, facts = _gallery.task_of(creation), _gallery.facts_of(creation)
    rate, seconds, peaks = _heard(creation.path)
    words, line = str(task.get("prompt") or task.get("text") or ""), facts.get("score")
    score = packed.unpack(line) if isinstance(line, str) else None
    return _player.take_value(
        creation.id, _short(f"{facts['stem']}: {words}" if facts.get("stem") else words), _form.show(creation.path), rate, seconds, peaks,
        loop=looped(creation), bpm=score.bpm if score else None, meter=str(score.meter) if score else "4/4",
        bars=score.bars if score else None, sections=_player.sections_of(score) if score else (),
        notes=_player.notes_of(score) if score else None, facts=_rows(facts), run=run, gain=max(MOST_DOWN, gain),
        cover=_form.show_bytes({"cover.jpg": cover})[0] if (cover := covers.picture_in(creation.path)) else None,
    )  # fmt: skip


@lru_cache(maxsize=64)
def _heard(path: Path) -> tuple[int, float, list[list[float]]]:
    """Rate, seconds and waveform of a file, which never changes: it is named by its content."""
    from studio.music import files

    sound = files.read(path, LONGEST)
    return sound.rate, sound.seconds, _player.peaks_of(sound.samples)


def _loudness(creation: Creation) -> float | None:
    """LUFS as measured; None for silence and for what was not measured."""
    heard = _mapping(_gallery.facts_of(creation).get("measured")).get("lufs")
    return float(heard) if isinstance(heard, int | float) else None


def _missed(facts: Mapping[str, Any]) -> list[str]:
    return [str(row[0]) for row in _rows(facts) if not row[3]]


def _rows(facts: Mapping[str, Any]) -> list[list[Any]]:
    lines = [_mapping(line) for line in facts.get("checks") or []]
    return [[line.get("what", ""), line.get("asked") or "", line.get("measured", ""), bool(line.get("ok", True))] for line in lines]


def _bank(bank: Mapping[str, Any]) -> str:
    return f"{bank['name']} ({bank.get('licence')})" if bank.get("name") else ""


def _short(words: str) -> str:
    return f"{words[:60]}{'…' if len(words) > 60 else ''}"


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
