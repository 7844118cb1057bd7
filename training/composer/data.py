"""Splits the pieces and writes them as the model's steps: one .npz for training. Run once: python -m training.composer.data CORPUS OUT.npz

The split is by tune with a fixed seed: 90 % training, 5 % validation, 5 % held-out test. Tunes that share a run of 20 intervals (other
versions of one tune) count as one, so that nobody is judged on what they learnt by heart.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from studio.music.tokens import COLUMNS, DENSITIES, DURATIONS, FAMILIES, HOLD, METERS, MODES, REST, Setting, Track, chord_token, pitch_token
from training.composer.pieces import Piece, read

SEED = 1883
SPLITS = ("train", "validation", "test")
_RUN = 20


def split(pieces: list[Piece]) -> list[int]:
    """For every piece its split: 0, 1 or 2 of SPLITS."""
    parent = list(range(len(pieces)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    seen: dict[tuple[int, ...], int] = {}
    for at, piece in enumerate(pieces):
        steps = piece.intervals
        for start in range(max(len(steps) - _RUN + 1, 1)):
            run = steps[start : start + _RUN]
            if run in seen:
                parent[root(at)] = root(seen[run])
            else:
                seen[run] = at
    groups: dict[int, list[int]] = defaultdict(list)
    for at in range(len(pieces)):
        groups[root(at)].append(at)
    order = sorted(groups)
    draws = np.random.default_rng(SEED).random(len(order))
    chosen = [0] * len(pieces)
    for group, draw in zip(order, draws, strict=True):
        kind = 0 if draw < 0.9 or len(groups[group]) > 20 else 1 if draw < 0.95 else 2
        for at in groups[group]:
            chosen[at] = kind
    return chosen


def steps(piece: Piece) -> Iterator[tuple[list[int], np.ndarray, int, int]]:
    """Every step of a piece: columns, chords (48,), and the token and the index of the duration that stand there."""
    track = Track()
    stops = [*piece.starts[1:], len(piece.bars)]
    for kind, (start, stop) in enumerate(zip(piece.starts, stops, strict=True)):
        track.begin(setting(piece, start, stop), stop - start, kind, stop == len(piece.bars))
        for bar, chords in zip(piece.bars[start:stop], piece.chords[start:stop], strict=True):
            for root, quality in chords:
                row, heard = track.row()
                token = chord_token(root, quality)
                yield row, heard, token, 0
                track.push(token, 0)
            for ticks, pitch, held in bar:
                row, heard = track.row()
                token = REST if pitch is None else HOLD if held else pitch_token(pitch)
                yield row, heard, token, DURATIONS.index(ticks)
                track.push(token, ticks)


def setting(piece: Piece, start: int, stop: int) -> Setting:
    """What the model is told about a section."""
    quarters = (stop - start) * METERS[piece.meter][0] / 24
    notes = sum(pitch is not None and not held for bar in piece.bars[start:stop] for _, pitch, held in bar)
    density = int(np.searchsorted(DENSITIES, notes / quarters)) + 1
    return Setting(piece.meter, MODES.index(piece.mode), FAMILIES.index(piece.family) + 1, density)


def grammar(pieces: list[Piece]) -> dict[str, dict[str, list[int]]]:
    """For every meter and place in the bar the durations that occur there at least 20 times."""
    counts: dict[str, Counter[tuple[int, int]]] = {meter: Counter() for meter in METERS}
    for piece in pieces:
        for bar in piece.bars:
            place = 0
            for ticks, *_ in bar:
                counts[piece.meter][place, ticks] += 1
                place += ticks
    table: dict[str, dict[str, list[int]]] = {}
    for meter, counted in counts.items():
        table[meter] = {}
        for (place, ticks), count in sorted(counted.items()):
            if count >= 20:
                table[meter].setdefault(str(place), []).append(ticks)
    return table


def main() -> None:
    """Write the steps of all pieces."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("corpus", type=Path, help="music21's folder corpus")
    parser.add_argument("out", type=Path)
    parser.add_argument("--grammar", type=Path, default=Path("assets/composer/grammar.json"))
    asked = parser.parse_args()
    pieces = list(read(asked.corpus))
    splits = split(pieces)
    columns: list[list[int]] = []
    chords: list[np.ndarray] = []
    targets: list[tuple[int, int]] = []
    ends: list[int] = []
    for piece in pieces:
        for row, heard, token, duration in steps(piece):
            columns.append(row)
            chords.append(np.packbits(heard.astype(bool)))
            targets.append((token, duration))
        ends.append(len(columns))
    table = np.array(columns, np.int16)
    for at, (name, size) in enumerate(COLUMNS):
        if not 0 <= table[:, at].min() <= table[:, at].max() < size:
            raise ValueError(f"{name} leaves its range")
    np.savez(
        asked.out,
        columns=table,
        chords=np.array(chords),
        targets=np.array(targets, np.int16),
        ends=np.array(ends),
        splits=np.array(splits, np.int8),
    )
    asked.grammar.parent.mkdir(parents=True, exist_ok=True)
    asked.grammar.write_text(
        json.dumps(grammar([piece for piece, kind in zip(pieces, splits, strict=True) if kind == 0])), encoding="utf-8"
    )
    counted = Counter((piece.source.split("/")[0], SPLITS[kind]) for piece, kind in zip(pieces, splits, strict=True))
    print(*(f"{book} {kind}: {count}" for (book, kind), count in sorted(counted.items())), f"steps: {len(table)}", sep="\n")


if __name__ == "__main__":
    main()
