"""All of a take in one archive: mix, stems, MIDI, tempo map, recipe and licences. Knows no page and no library."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from studio.creations import Creation, Sound
from studio.music import banks, files, midi, packed, render
from studio.music.score import Score

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every entry: equal takes give equal archives."""


def package(creation: Creation, soundfont: Path | None = None, separated: Mapping[str, Creation] | None = None) -> bytes:
    """A zip of one take: what every take has, and stems, MIDI and tempo map where it was made of notes.

    Stems are WAV of 24 bits, as long as the mix and at its loudness; of a recording those that were `separated` from it, by name, if it
    was. Raises InvalidInput where the sounds that played it are not here.
    """
    facts = creation.record.get("facts")
    facts = facts if isinstance(facts, dict) else {}
    mix = files.read(creation.path)
    entries: dict[str, bytes] = {"mix.wav": files.encode(mix, "wav24", files.Tags(title="mix"))}
    lines = [f"Mix: made by {_said(creation, 'name')}, licence of the model: {_said(creation, 'licence')}."]
    line = facts.get("score")
    if isinstance(line, str):
        score = packed.unpack(line)
        told = facts.get("bank")
        bank = banks.bank_named(str(told.get("name") if isinstance(told, dict) else ""), soundfont)
        gained = facts.get("loudness")
        gain = gained if isinstance(gained, dict) else {}
        parts = stems(score, bank, mix, float(str(gain.get("gain_db", 0))))
        if not gain.get("limited"):
            parts = _whole(parts, mix)
        for name, sound in parts.items():
            entries[f"stems/{_plain(name)}.wav"] = files.encode(sound, "wav24", files.Tags(title=name))
        entries["score.mid"] = midi.to_midi(score)
        entries["tempo-map.csv"] = _tempo_map(score)
        lines.append(f"Instruments: {bank.name}, licence of the samples: {bank.licence}.")
        exact = "The mix was limited as well: the sum of the stems is what went into the limiter." if gain.get("limited") else ""
        lines += [exact] if exact else ["The sum of the stems is the mix, but for the rounding to 24 bits."]
    elif separated:
        for name, stem in separated.items():
            entries[f"stems/{_plain(name)}.wav"] = files.encode(files.read(stem.path), "wav24", files.Tags(title=name))
        lines += _estimated(next(iter(separated.values())))
    else:
        lines.append("Stems: none, since it was not made of notes; Separate stems makes them where a model for it is here.")
    entries["recipe.json"] = json.dumps(creation.record, ensure_ascii=False, indent=1).encode()
    entries["LICENCES.txt"] = "\n".join([*lines, "Made by a machine; recipe.json is the record that makes it again."]).encode()
    return _zipped(entries)


def stems(score: Score, bank: banks.Bank, mix: Sound, gain_db: float) -> dict[str, Sound]:
    """Each part alone at the loudness of `mix`, and as long: a loop's stems are folded as the mix was."""
    gain = np.float32(10 ** (gain_db / 20))
    found: dict[str, Sound] = {}
    for name, samples in render.stems(score, bank).items():
        sound = Sound(samples, mix.rate)
        if mix.samples.shape[1] < samples.shape[1]:
            sound = render.fold(sound, mix.seconds)
        found[name] = Sound(sound.samples * gain, mix.rate)
    return found


def _estimated(stem: Creation) -> list[str]:
    """What is true of stems that a model found in a recording."""
    facts = stem.record.get("facts")
    facts = facts if isinstance(facts, dict) else {}
    lines = [f"Stems: separated from the mix by {_said(stem, 'name')}, licence of the model: {_said(stem, 'licence')}."]
    lines.append(f"They are estimates: their sum differs from the mix by {facts.get('rest_db')} dB of its level.")
    if facts.get("gain_db"):
        lines.append(f"They were turned down together, by {facts['gain_db']} dB, so that none is louder than a file can hold.")
    return lines


def _whole(parts: dict[str, Sound], mix: Sound) -> dict[str, Sound]:
    """The parts, the loudest with what the mix has beside them all: its invisible mark."""
    loudest = max(parts, key=lambda name: float(np.abs(parts[name].samples).max(initial=0)))
    beside = mix.samples.copy()
    for part in parts.values():
        beside -= part.samples
    return {**parts, loudest: Sound(parts[loudest].samples + beside, mix.rate)}


def _tempo_map(score: Score) -> bytes:
    bar = score.seconds / score.bars
    names = {section.bar: section.name for section in score.sections}
    rows = [f"{k + 1},{k * bar:.6f},{score.bpm:g},{score.meter},{names.get(k, '')}" for k in range(score.bars)]
    return "\n".join(["bar,seconds,bpm,meter,section", *rows, ""]).encode()


def _zipped(entries: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data, zipfile.ZIP_DEFLATED, 1)
    return out.getvalue()


def _said(creation: Creation, what: str) -> str:
    model = creation.record.get("model")
    return str(model.get(what)) if isinstance(model, dict) else "unknown"


def _plain(name: str) -> str:
    return "".join(c if c.isalnum() or c in " -_" else "-" for c in name).strip() or "part"
