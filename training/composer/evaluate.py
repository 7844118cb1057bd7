"""Judges the shipped composing model against tunes it never saw, and prints verdicts: python -m training.composer.evaluate

For every held-out tune the model composes one with the same meter, mode, kind, density and form. What is compared, and the bounds, were
fixed before the final weights were judged: see BOUNDS.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from studio.music.composer import BUSIEST, SPARSEST, Ask, Composer
from studio.music.score import MODES, Lead, Meter, Section
from studio.music.tokens import METERS, TICKS
from training.composer import corpus, data
from training.composer.pieces import Piece, read

BOUNDS = {
    "entropy": "mean pitch-class entropy (bits) within one standard deviation of held-out tunes",
    "scale": "mean share of notes in the scale within one standard deviation of held-out tunes, or above",
    "intervals": "total variation to the held-out histogram at most 2.5 times that between halves of the held-out tunes",
    "durations": "the same for durations",
    "repetition": "mean share of bars that occurred before within one standard deviation of held-out tunes",
    "novelty": "median longest run of (interval, duration) shared with training tunes at most 1.25 times that of held-out tunes",
    "copies": "no more than 2 % of pieces share a run of over 48 with a training tune, or no larger share than held-out tunes",
    "cadence": "every piece ends on the tonic, note and chord",
}
_SEED = 5
_SHORTEST = 6

Tune = tuple[list[list[tuple[int, int | None]]], str]
"""Bars of (ticks, pitch or None), and the mode."""


def main() -> int:
    """Print figures and verdicts; 1 where one is out of bounds."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--corpus", type=Path, default=Path("build/music21"), help="where the scores are, or are fetched to")
    parser.add_argument("--weights", type=Path, default=Path("assets/composer"))
    parser.add_argument("--split", choices=data.SPLITS[1:], default="test")
    asked = parser.parse_args()
    pieces = list(read(corpus.fetch(asked.corpus)))
    kinds = data.split(pieces)
    learnt = [tune_of(piece) for piece, kind in zip(pieces, kinds, strict=True) if kind == 0]
    held = [piece for piece, kind in zip(pieces, kinds, strict=True) if data.SPLITS[kind] == asked.split]
    composer = Composer.load(asked.weights)
    began = time.process_time()
    leads = [composer.lead(ask_like(piece, seed)) for seed, piece in enumerate(held)]
    spent = time.process_time() - began
    beats = sum(lead.bars * lead.meter.bar for lead in leads)
    speed = f"{spent:.1f} CPU-seconds, {beats * 0.6 / spent:.0f} times real time at 100 quarters a minute"
    print(f"{len(held)} held-out tunes ({asked.split}); composing as many took {speed}")
    verdicts = judge([tune_of_lead(lead) for lead in leads], [tune_of(piece) for piece in held], learnt)
    verdicts["cadence"] = closing(leads)
    for name, (good, figures) in verdicts.items():
        print(f"{'pass' if good else 'FAIL'}  {name:<11}{figures}\n      {'':<11}bound: {BOUNDS[name]}")
    return 0 if all(good for good, _ in verdicts.values()) else 1


def ask_like(piece: Piece, seed: int) -> Ask:
    """What would ask for a tune of that meter, mode, kind, density and form."""
    spans = zip("abcdefghijklmnop", piece.starts, [*piece.starts[1:], len(piece.bars)], strict=False)
    sections = tuple(Section(f"part {name}", start, stop - start) for name, start, stop in spans)
    pitches = [pitch for bar in piece.bars for _, pitch, held in bar if pitch is not None and not held]
    rate = len(pitches) / (len(piece.bars) * METERS[piece.meter][0] / TICKS)
    density = float(np.clip((rate - SPARSEST) / (BUSIEST - SPARSEST), 0, 1))
    lowest, highest = max(48, round(np.mean(pitches)) - 14), min(91, round(np.mean(pitches)) + 14)
    meter = Meter.read(piece.meter)
    return Ask(sections, piece.mode, meter, piece.family, density, seed=seed, outside=1.0, lowest=lowest, highest=highest)


def tune_of(piece: Piece) -> Tune:
    """A piece with tied notes as they are written, the parts after the bar line left out."""
    return [[(ticks, pitch) for ticks, pitch, held in bar if not held] for bar in piece.bars], piece.mode


def tune_of_lead(lead: Lead) -> Tune:
    """A lead in the same form; rests at the ends of bars are left out in both."""
    bars: list[list[tuple[int, int | None]]] = [[] for _ in range(lead.bars)]
    for note in lead.notes:
        bars[int(note.start / lead.meter.bar + 1e-6)].append((round(note.length * 24), note.pitch))
    return bars, lead.mode


def judge(made: Sequence[Tune], held: Sequence[Tune], learnt: Sequence[Tune]) -> dict[str, tuple[bool, str]]:
    """Verdict and figures by name."""
    verdicts: dict[str, tuple[bool, str]] = {}
    for name, measure, one_sided in (("entropy", entropy, False), ("scale", in_scale, True), ("repetition", repetition, False)):
        ours, theirs = [measure(tune) for tune in made], [measure(tune) for tune in held]
        mean, bound = float(np.mean(ours)), float(np.std(theirs))
        good = mean >= np.mean(theirs) - bound and (one_sided or mean <= np.mean(theirs) + bound)
        verdicts[name] = bool(good), f"{mean:.3f}; held-out {np.mean(theirs):.3f} with a deviation of {bound:.3f}"
    for name, values in (("intervals", intervals), ("durations", durations)):
        distance, halves = compared([values(tune) for tune in made], [values(tune) for tune in held])
        verdicts[name] = distance <= 2.5 * halves, f"{distance:.3f} from held-out; halves of held-out {halves:.3f} apart"
    known = Runs([pairs(tune) for tune in learnt])
    ours, theirs = [known.longest(pairs(tune)) for tune in made], [known.longest(pairs(tune)) for tune in held]
    figures = f"median {np.median(ours):.0f}, 95th percentile {np.quantile(ours, 0.95):.0f}, longest {max(ours)}"
    figures += f"; held-out median {np.median(theirs):.0f}, 95th percentile {np.quantile(theirs, 0.95):.0f}, longest {max(theirs)}"
    verdicts["novelty"] = bool(np.median(ours) <= 1.25 * np.median(theirs)), figures
    shares = [float(np.mean(np.array(runs) > 48)) for runs in (ours, theirs)]
    verdicts["copies"] = shares[0] <= max(0.02, shares[1]), f"{shares[0]:.1%}; held-out {shares[1]:.1%}"
    return verdicts


def entropy(tune: Tune) -> float:
    """Of the pitch classes, in bits."""
    counts = np.bincount([pitch % 12 for pitch in _pitches(tune)], minlength=12)
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log2(shares)).sum())


def in_scale(tune: Tune) -> float:
    """Share of notes in the mode's scale."""
    return float(np.mean([pitch % 12 in MODES[tune[1]] for pitch in _pitches(tune)]))


def repetition(tune: Tune) -> float:
    """Share of bars that are equal to an earlier one, note for note."""
    bars = [tuple(bar) for bar in tune[0]]
    return sum(bar in bars[:at] for at, bar in enumerate(bars)) / len(bars)


def intervals(tune: Tune) -> Counter[Hashable]:
    """Steps from note to note, an octave at most."""
    pitches = _pitches(tune)
    return Counter(int(np.clip(b - a, -12, 12)) for a, b in pairwise(pitches))


def durations(tune: Tune) -> Counter[Hashable]:
    """Lengths of the notes, in ticks."""
    return Counter(ticks for bar in tune[0] for ticks, pitch in bar if pitch is not None)


def compared(ours: Sequence[Counter[Hashable]], theirs: Sequence[Counter[Hashable]]) -> tuple[float, float]:
    """Total variation between the two histograms, and the mean one between random halves of the second."""
    random = np.random.default_rng(_SEED)
    halves: list[float] = []
    for _ in range(50):
        order = random.permutation(len(theirs))
        halves.append(_variation((theirs[at] for at in order[::2]), (theirs[at] for at in order[1::2])))
    return _variation(ours, theirs), float(np.mean(halves))


def pairs(tune: Tune) -> list[tuple[int, int]]:
    """(interval to the next note, duration) of every note but the last."""
    notes = [(ticks, pitch) for bar in tune[0] for ticks, pitch in bar if pitch is not None]
    return [(b[1] - a[1], a[0]) for a, b in pairwise(notes)]


class Runs:
    """Finds the longest run that a sequence shares with any of the known ones."""

    def __init__(self, known: Sequence[list[tuple[int, int]]]) -> None:
        self._known = known
        self._places: dict[tuple[tuple[int, int], ...], list[tuple[int, int]]] = defaultdict(list)
        for at, sequence in enumerate(known):
            for start in range(len(sequence) - _SHORTEST + 1):
                self._places[tuple(sequence[start : start + _SHORTEST])].append((at, start))

    def longest(self, sequence: list[tuple[int, int]]) -> int:
        """Its length in notes; shorter ones than six count as five."""
        best = _SHORTEST - 1
        for start in range(len(sequence) - _SHORTEST + 1):
            for at, place in self._places.get(tuple(sequence[start : start + _SHORTEST]), ()):
                other, length = self._known[at], _SHORTEST
                if sequence[start + _SHORTEST : start + best] != other[place + _SHORTEST : place + best]:
                    continue
                while start + length < len(sequence) and place + length < len(other) and sequence[start + length] == other[place + length]:
                    length += 1
                best = max(best, length)
        return best


def closing(leads: Sequence[Lead]) -> tuple[bool, str]:
    """Whether all end on the tonic."""
    good = sum(lead.notes[-1].pitch % 12 == 0 and lead.chords[-1].root == 0 for lead in leads)
    return good == len(leads), f"{good} of {len(leads)}"


def _pitches(tune: Tune) -> list[int]:
    return [pitch for bar in tune[0] for _, pitch in bar if pitch is not None]


def _variation(ours: Iterable[Counter[Hashable]], theirs: Iterable[Counter[Hashable]]) -> float:
    first, second = sum(ours, Counter[Hashable]()), sum(theirs, Counter[Hashable]())
    return 0.5 * sum(abs(first[value] / first.total() - second[value] / second.total()) for value in {*first, *second})


if __name__ == "__main__":
    sys.exit(main())
