"""Sixty briefs for the composer: is what is heard what was asked for? Prints each claim with its figure, and the time a take costs.

    python benchmarks/composing.py [--seeds 5]

Twelve genres, each with five seeds; tempo and key are drawn by a fixed generator within what the genre knows; every second take is a loop.
Tempo and key are measured on the sound by studio/music/measure.py, which is not told what was asked for.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from pathlib import Path

import _measure
import numpy as np

from studio.creations import Take
from studio.device import Device
from studio.engines import starter_composer
from studio.models import resolve
from studio.music import measure, packed
from studio.music.genres import Genre, genres
from studio.music.score import Key, Score
from studio.sources import Places, ready
from studio.tasks import Compose

GENRES = ("lofi", "jazz", "electronic", "ambient", "cinematic", "orchestral", "folk", "chorale", "rock", "chiptune", "waltz", "bossa")
ROOT = Path(__file__).parent.parent


def main() -> None:
    """Run every brief and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    seeds = parser.parse_args().seeds
    known = genres(ROOT / "presets")
    card = ready(starter_composer.CARDS[0], Places(ROOT / "assets", ROOT, ROOT, offline=True, hub_caches=()))
    assert card is not None
    rows: list[dict[str, object]] = []
    for genre, seed, asked in briefs(known, seeds):
        task = resolve(asked, card)
        recipe = starter_composer.recipe(card, task, Device("cpu"))
        pipeline = recipe.build({name: part.load(_unheard) for name, part in recipe.components.items()})
        began = time.process_time()
        (take,) = pipeline(task, _unheard)
        assert isinstance(take, Take)
        row = judged(take, asked, known[genre], time.process_time() - began)
        rows.append(row)
        print(f"{genre:11} {seed} ", "  ".join(f"{name} {value}" for name, value in row.items()), flush=True)
    summary(rows)


def briefs(known: dict[str, Genre] | object, seeds: int) -> Iterator[tuple[str, int, Compose]]:
    """Genre, seed and task of every brief."""
    assert isinstance(known, dict)
    for name in GENRES:
        genre = known[name]
        for seed in range(seeds):
            drawn = random.Random(f"{name} {seed}")
            low, high = genre.bpm
            mode = drawn.choice(genre.modes)
            key = Key.read(f"{drawn.choice(['C', 'D', 'E', 'F', 'G', 'A', 'Bb', 'Eb', 'F#', 'B'])} {mode}")
            asked = {
                "prompt": genre.title,
                "genre": name,
                "bpm": drawn.randint(low, high),
                "key": key.name,
                "duration": 30,
                "seed": 1000 + seed,
            }
            yield name, seed, Compose.checked({**asked, "loop": bool(seed % 2)})


def judged(take: Take, asked: Compose, genre: Genre, seconds: float) -> dict[str, object]:
    """The figures of one take."""
    heard = measure.measure(take.sound)
    score = packed.unpack(str(take.facts["score"]))
    off = None
    if heard.bpm is not None:
        off = min(abs(heard.bpm * fold / score.bpm - 1) for fold in (0.5, 1, 2))
    key = Key.read(asked.key)
    found = Key.read(heard.key) if heard.key else None
    third = 3 if key.minor else 9
    same = found is not None and (found.tonic == key.tonic and found.minor == key.minor)
    relative = found is not None and found.minor != key.minor and found.tonic == (key.tonic + third) % 12
    loop = take.facts.get("loop")
    return {
        "bpm off": None if off is None else round(off, 4),
        "key": "same" if same else "relative" if relative else f"{heard.key} for {asked.key}",
        "seam dB": loop.get("jump_db") if isinstance(loop, dict) else None,
        "clipped": heard.clipped,
        "tail s": round(heard.silence_tail, 2),
        "LUFS off": round(abs((heard.lufs or 0) + 14), 2),
        "outside": None if genre.outside else round(outside(score), 3),
        "CPU s": round(seconds, 2),
        "seconds": round(take.sound.seconds, 1),
    }


def outside(score: Score) -> float:
    """Share of notes outside the scale of the key, of all but the drums."""
    pitches = [note.pitch % 12 for part in score.parts if not part.drums for note in part.notes]
    return sum(pitch not in score.key.scale for pitch in pitches) / max(1, len(pitches))


def summary(rows: list[dict[str, object]]) -> None:
    """Each claim with its figure."""

    def share(test: list[bool]) -> str:
        return f"{sum(test)} of {len(test)} ({sum(test) / max(1, len(test)):.0%})"

    def values(name: str) -> list[float]:
        return [float(str(row[name])) for row in rows if row[name] is not None]

    tempos = [row["bpm off"] is not None and float(str(row["bpm off"])) <= 0.02 for row in rows]
    print(f"\ntempo within 2 %, octave folded (claim: at least 95 %): {share(tempos)}")
    print(f"key right or relative (claim: at least 80 %): {share([row['key'] in ('same', 'relative') for row in rows])}")
    print(f"seam below -40 dB (claim: all): {share([value < -40 for value in values('seam dB')])}")
    print(f"no clipped sample (claim: all): {share([value == 0 for value in values('clipped')])}")
    print(f"no silent tail over 1 s (claim: all): {share([value <= 1 for value in values('tail s')])}")
    print(f"loudness within 0.5 LU (claim: all): {share([value <= 0.5 for value in values('LUFS off')])}")
    print(f"at most 5 % of the notes outside the key, where the genre wants none: {share([value <= 0.05 for value in values('outside')])}")
    print(f"CPU-seconds a take, median {np.median(values('CPU s')):.2f} (claim: at most 3 for 30 s); {_measure.machine()}")


def _unheard(event: object) -> None:
    """Nobody listens to the progress."""


if __name__ == "__main__":
    main()
