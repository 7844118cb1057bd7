"""What is heard in a sound beside what was asked for: tempo, key, loudness, peaks, silence and clipping.

The ear is independent: nothing that was asked for is known while it measures; `brief` compares afterwards. Knows no engine and no file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from studio.creations import Json, Sound
from studio.music import loudness
from studio.music.score import Key
from studio.music.tempo import RATE, tempo
from studio.music.tonality import tonality

SILENT = 10 ** (-60 / 20)
"""What counts as silence at a sound's ends: -60 dBFS."""
FOLDS = {1.0: "", 2.0: "counted double", 0.5: "counted by half", 3.0: "counted in triplets", 1 / 3: "counted in threes"}
"""By what a measured tempo may be multiplied to be that which was asked for, and how that is said."""
TEMPO_WITHIN = 0.02
LOUDNESS_WITHIN = 0.5
HEAD_WITHIN, TAIL_WITHIN = 0.5, 1.0
PEAK_WITHIN = 0.1


@dataclass(frozen=True)
class Measured:
    """What a sound is.

    `bpm` and `beats` (seconds) are None and () where no steady beat is clear; `clarity` from 0 to 1 says how clear it is. `bpm` is as
    heard; `folded` is what `fold` multiplied it by. `key` is None where none is clear; `key_confidence` from 0 to 1. `lufs` is None for
    silence. `true_peak` in dBTP. `silence_head` and `silence_tail` are seconds below -60 dBFS. `clipped` counts samples at or beyond full
    scale, and those at 0.999 of it or above in runs of three and more.
    """

    seconds: float
    bpm: float | None
    beats: tuple[float, ...]
    clarity: float
    key: str | None
    key_confidence: float
    lufs: float | None
    true_peak: float
    silence_head: float
    silence_tail: float
    clipped: int
    folded: float = 1.0

    def facts(self) -> dict[str, Json]:
        """For a record: everything but the single beats, rounded."""
        return {
            "seconds": round(self.seconds, 3),
            "bpm": None if self.bpm is None else round(self.bpm, 2),
            "folded": round(self.folded, 3),
            "clarity": round(self.clarity, 2),
            "key": self.key,
            "key_confidence": round(self.key_confidence, 2),
            "lufs": None if self.lufs is None else round(self.lufs, 2),
            "true_peak": round(self.true_peak, 2) if math.isfinite(self.true_peak) else None,
            "silence_head": round(self.silence_head, 3),
            "silence_tail": round(self.silence_tail, 3),
            "clipped": self.clipped,
        }


@dataclass(frozen=True)
class Check:
    """One line of a brief: `what` it is about, what was `asked`, what was `measured`, and whether that will do. '' asks for nothing."""

    what: str
    asked: str
    measured: str
    ok: bool

    def facts(self) -> dict[str, Json]:
        """For a record."""
        return {"what": self.what, "asked": self.asked, "measured": self.measured, "ok": self.ok}


def measure(sound: Sound) -> Measured:
    """Everything about a sound. About 0.3 s on one core for 30 s of stereo at 48 kHz."""
    one = sound.samples.mean(axis=0, dtype=np.float32)
    if not one.any():  # both channels cancel each other
        one = sound.samples[0]
    ratio = Fraction(RATE, sound.rate)
    one = np.asarray(signal.resample_poly(one, ratio.numerator, ratio.denominator), np.float32) if one.size else one
    beats, heard = tempo(one), tonality(one, RATE)
    loud = np.flatnonzero(np.abs(sound.samples).max(axis=0, initial=0) >= SILENT)
    return Measured(
        seconds=sound.seconds,
        bpm=beats.bpm,
        beats=beats.beats,
        clarity=beats.clarity,
        key=heard.key,
        key_confidence=heard.confidence,
        lufs=loudness.lufs(sound),
        true_peak=loudness.true_peak(sound),
        silence_head=float(loud[0]) / sound.rate if loud.size else sound.seconds,
        silence_tail=float(sound.samples.shape[1] - 1 - loud[-1]) / sound.rate if loud.size else sound.seconds,
        clipped=sum(_clipped(channel) for channel in sound.samples),
    )


def fold(measured: Measured, asked: float) -> Measured:
    """The same with its tempo counted as `asked` counts: `bpm` times that of `FOLDS` which brings it nearest, told by `folded`."""
    if measured.bpm is None:
        return measured
    heard = measured.bpm
    factor = min(FOLDS, key=lambda factor: abs(math.log(heard * factor / asked)))
    return replace(measured, bpm=heard * factor, folded=factor)


def brief(
    measured: Measured,
    *,
    bpm: float | None = None,
    key: str | None = None,
    lufs: float | None = None,
    ceiling: float = loudness.CEILING,
    loop: bool = False,
    steady: bool = True,
) -> list[Check]:
    """What was asked beside what was heard, line by line; what was not asked for is left out.

    Tempo: within 2 % after `fold`; without a clear beat it misses unless `steady` is False (music that is not meant to have one).
    Key: the same, its relative, or another name for the same notes. Loudness: within 0.5 LU. Always: true peak, silence of more than
    half a second before (a tenth for a loop) and of more than one second after, clipping.
    """
    lines = [] if bpm is None else [_tempo(measured, bpm, steady)]
    lines += [] if key is None else [_key(measured, key)]
    if lufs is not None:
        ok = measured.lufs is not None and abs(measured.lufs - lufs) <= LOUDNESS_WITHIN
        lines.append(Check("loudness", f"{lufs:g} LUFS", "silence" if measured.lufs is None else f"{measured.lufs:.1f} LUFS", ok))
    peak = f"{measured.true_peak:.1f} dBTP" if math.isfinite(measured.true_peak) else "silence"
    lines.append(Check("true peak", f"at most {ceiling:g} dBTP", peak, measured.true_peak <= ceiling + PEAK_WITHIN))
    head = 0.1 if loop else HEAD_WITHIN
    ok = measured.silence_head <= head and measured.silence_tail <= TAIL_WITHIN
    said = f"{measured.silence_head:.1f} s before, {measured.silence_tail:.1f} s after"
    lines.append(Check("silence", f"at most {head:g} s before, {TAIL_WITHIN:g} s after", said, ok))
    lines.append(Check("clipping", "none", f"{measured.clipped} samples" if measured.clipped else "none", measured.clipped == 0))
    return lines


def _tempo(measured: Measured, asked: float, steady: bool) -> Check:
    if measured.bpm is None:
        return Check("tempo", f"{asked:g} bpm", "no clear beat", not steady)
    folded = fold(measured, asked)
    assert folded.bpm is not None
    said = f"{folded.bpm:.1f} bpm" + (f" (heard as {measured.bpm:.1f}, {FOLDS[folded.folded]})" if folded.folded != 1 else "")
    return Check("tempo", f"{asked:g} bpm", said, abs(folded.bpm / asked - 1) <= TEMPO_WITHIN)


def _key(measured: Measured, asked: str) -> Check:
    wanted = Key.read(asked)
    if measured.key is None:
        return Check("key", wanted.name, "no clear key", False)
    heard = Key.read(measured.key)
    if heard.tonic == wanted.tonic and heard.minor == wanted.minor:
        return Check("key", wanted.name, heard.name, True)
    if set(heard.scale) == set(wanted.scale):
        return Check("key", wanted.name, f"{heard.name} (relative: the same notes)", True)
    return Check("key", wanted.name, heard.name, False)


def _clipped(channel: NDArray[np.float32]) -> int:
    level = np.abs(channel)
    high = np.concatenate([[False], level >= 0.999, [False]])
    if not high.any():
        return 0
    edges = np.flatnonzero(high[1:] != high[:-1])
    starts, ends = edges[::2], edges[1::2]
    long = ends - starts >= 3
    return sum(int(end - start) if run else int((level[start:end] >= 1).sum()) for start, end, run in zip(starts, ends, long, strict=True))
