"""Sound to hear before a piece is finished: its first bars rendered alone, then more of it as soon as that is there.

What is heard early is what the take will be, at a loudness that is estimated from the first bars. Knows no task and no file.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from studio.creations import Report, Sound
from studio.errors import Cancelled
from studio.music import loudness, packed, render
from studio.music.banks import Bank
from studio.music.score import Score

OPENING = 12.0
"""Seconds that are rendered first: they last while the rest is made."""
LONG = 36.0
"""Seconds; a shorter piece is heard once it is rendered as a whole."""
RINGS = 2.0
"""Seconds behind the opening that are rendered with it, so that nothing of it is faded out."""
MOST = 60.0
"""Seconds that are heard early: by then the finished take is there."""
PIECE = 12.0
"""Seconds that are given to `play` at once."""
LOUDEST = 0.97

Play = Callable[[Sound], None]


def rendered(score: Score, bank: Bank, target: float | None, report: Report | None, play: Play) -> tuple[Sound, Score]:
    """What `render.render` gives, and its score, after `play` got the beginning of its bars in order, at about `target` LUFS.

    A `target` of None leaves it as it is. Stopped by `report` once there was something to hear, the bars that were heard are the piece:
    their sound and their score. Raises Cancelled where nothing was heard yet.
    """
    done, gain, head, bars = 0, 1.0, None, 0
    if score.seconds > LONG:
        bar = score.seconds / score.bars
        bars = math.ceil(OPENING / bar)
        sound = render.render(_opening(score, bars), bank, RINGS, report)
        head = Sound(sound.samples[:, : round(bars * bar * sound.rate)], sound.rate)
        done, gain = head.samples.shape[1], _gain(head, target)
        play(_at(head, gain))
    try:
        whole = render.render(score, bank, report=report)
    except Cancelled:
        if head is None:
            raise
        kept = packed.cut(score, 0, bars)
        return render.render(kept, bank), kept
    heard = Sound(whole.samples[:, : round(min(score.seconds, MOST) * whole.rate)], whole.rate)
    if head is None:
        gain = _gain(heard, target)
    else:
        gain *= _level(head.samples) / (_level(whole.samples[:, :done]) or 1)  # by a power of two where one had less headroom
    step = round(PIECE * whole.rate)
    for start in range(done, heard.samples.shape[1], step):
        play(_at(Sound(heard.samples[:, start : start + step], whole.rate), gain))
    return whole, score


def _opening(score: Score, bars: int) -> Score:
    """The first bars, their notes as long as they are."""
    end = bars * score.meter.bar
    first = packed.cut(score, 0, bars)
    parts = tuple(replace(part, notes=tuple(note for note in part.notes if note.start < end - 1e-6)) for part in score.parts)
    return replace(first, parts=parts)


def _gain(sound: Sound, target: float | None) -> float:
    """The factor that brings it there, and below full scale."""
    peak = float(np.abs(sound.samples).max(initial=0)) or 1.0
    loud = None if target is None else loudness.lufs(sound)
    wanted = 1.0 if target is None or loud is None else 10 ** ((target - loud) / 20)
    return min(wanted, LOUDEST / peak)


def _level(samples: render.Signal) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if samples.size else 0.0


def _at(sound: Sound, gain: float) -> Sound:
    return Sound(np.clip(sound.samples * np.float32(gain), -LOUDEST, LOUDEST), sound.rate)
