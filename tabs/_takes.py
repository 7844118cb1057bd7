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
from studio.tasks import PADDED, SOUND_FORMATS
from tabs import _form, _gallery, _player

MOST_DOWN = 0.25
"""A take is turned down to no less than this for the comparison."""
SUFFIXES = {"wav16": ".wav", "wav24": ".wav"}


def shelf(creations: Sequence[Creation], chosen: str = "", runs: Mapping[str, str] | None = None, *, play: bool = False) -> dict[str, Any]:
    """The player's value: a card for each take. `runs` names the growing sound that a take was, by the take's id."""
    quietest = min((loud for creation in creations if (loud := _loudness(creation)) is not None), default=None)
    return _player.opened([_take(creation, (runs or {}).get(creation.id, ""), quietest) for creation in creations], chosen, play=play)


def files(creation: Creation, kind: str) -> list[str]:
    """The finished file in a format, and its MIDI where it has notes: paths that Gradio serves.

    A format that would pad a loop, so that it no longer closed, gives way to FLAC.
    """
    title = name(creation)
    midi = creation.attachments.get("score.mid")
    notes = [_form.show(midi, f"{title}.mid")] if midi is not None and midi.exists() else []
    if kind == "flac" or kind not in SOUND_FORMATS or (kind in PADDED and looped(creation)):
        return [_form.show(creation.path, f"{title}.flac"), *notes]
    from studio.music.package import copy

    return [*_form.show_bytes({f"{title}{SUFFIXES.get(kind, f'.{kind}')}": copy(creation.path, kind)}), *notes]


def looped(creation: Creation) -> bool:
    """Whether it closes on itself, whoever asked for that: the fields, the words, or a selection that was made a loop."""
    return bool(_gallery.facts_of(creation).get("loop"))


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
    line = facts.get("score")
    score = packed.unpack(line) if isinstance(line, str) else None
    return _player.take_value(
        creation.id, f"{words[:60]}{'…' if len(words) > 60 else ''}", _form.show(creation.path), rate, seconds, peaks,
        loop=looped(creation), bpm=score.bpm if score else None, meter=str(score.meter) if score else "4/4",
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


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
