"""What a tab shows of finished takes of music: their cards in the player, their details, their downloads.

Knows creations and their records; knows no single tab.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.creations import Creation
from studio.music import packed
from studio.tasks import SOUND_FORMATS
from tabs import _form, _gallery, _player

MOST_DOWN = 0.25
"""A take is turned down to no less than this for the comparison."""
SUFFIXES = {"wav16": ".wav", "wav24": ".wav"}


def shelf(creations: Sequence[Creation], chosen: str = "", runs: Mapping[str, str] | None = None, *, play: bool = False) -> dict[str, Any]:
    """The player's value: a card for each take. `runs` names the growing sound that a take was, by the take's id."""
    quietest = min((loud for creation in creations if (loud := _loudness(creation)) is not None), default=None)
    return _player.opened([_take(creation, (runs or {}).get(creation.id, ""), quietest) for creation in creations], chosen, play=play)


def files(creation: Creation, kind: str) -> list[str]:
    """The finished file in a format, and its MIDI where it has notes: paths that Gradio serves."""
    title = name(creation)
    midi = creation.attachments.get("score.mid")
    notes = [_form.show(midi, f"{title}.mid")] if midi is not None and midi.exists() else []
    if kind == "flac":
        return [_form.show(creation.path, f"{title}.flac"), *notes]
    return [*_form.show_bytes({f"{title}{_suffix(kind)}": encoded(creation, kind)}), *notes]


def encoded(creation: Creation, kind: str) -> bytes:
    """The take in another format, with its record where the format carries one."""
    from studio.music.package import copy

    return copy(creation.path, kind)


def name(creation: Creation) -> str:
    """A file name for it, without suffix."""
    return f"atelier-{_gallery.task_of(creation).get('seed', creation.id)}"


def details(creation: Creation) -> str:
    """What was asked, and what every creation says; what was measured stands in the player."""
    task, facts = _gallery.task_of(creation), _gallery.facts_of(creation)
    return _gallery.details(creation, {
        "Prompt": task.get("prompt"), "Plan": plan_words(_mapping(facts.get("plan"))), "Seed": task.get("seed"),
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


def _take(creation: Creation, run: str, quietest: float | None) -> dict[str, Any]:
    """One card. Takes of different loudness are turned down to the quietest of the shelf, so that none wins by being louder."""
    loud = _loudness(creation)
    gain = 1.0 if quietest is None or loud is None else 10 ** ((quietest - loud) / 20)
    task, facts = _gallery.task_of(creation), _gallery.facts_of(creation)
    words = str(task.get("prompt") or "")
    rate, seconds, peaks = _heard(creation.path)
    plan, line = _mapping(facts.get("plan")), facts.get("score")
    score = packed.unpack(line) if isinstance(line, str) else None
    return _player.take_value(
        creation.id, f"{words[:60]}{'…' if len(words) > 60 else ''}", _form.show(creation.path), rate, seconds, peaks,
        loop=bool(plan.get("loop") or task.get("loop")), bpm=score.bpm if score else None, meter=str(score.meter) if score else "4/4",
        bars=score.bars if score else None, sections=_player.sections_of(score) if score else (),
        notes=_player.notes_of(score) if score else None, facts=_rows(facts), run=run, gain=max(MOST_DOWN, gain),
    )  # fmt: skip


@lru_cache(maxsize=64)
def _heard(path: Path) -> tuple[int, float, list[list[float]]]:
    """Rate, seconds and waveform of a file, which never changes: it is named by its content."""
    from studio.music import files

    sound = files.read(path)
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


def _suffix(kind: str) -> str:
    return SUFFIXES.get(kind, f".{kind}" if kind in SOUND_FORMATS else ".bin")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def attached(creation: Creation, file: str) -> Path | None:
    """One of its companion files, if it is there."""
    path = creation.attachments.get(file)
    return path if path is not None and path.exists() else None
