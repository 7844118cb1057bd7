"""A sound to look at: its waveform as numbers, its spectrogram as a picture. Knows no page and no file."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import fft

from studio.creations import Sound

WIDTH, HEIGHT = 1200, 256
"""The most pixels of a spectrogram; a short sound is as wide as it has frames."""
LOWEST, HIGHEST = 30.0, 20_000.0
RANGE_DB = 80.0

_WINDOW = 4096
_COLOURS = ((0.0, (16, 18, 30)), (0.35, (44, 54, 96)), (0.65, (68, 128, 140)), (0.85, (168, 200, 150)), (1.0, (250, 244, 214)))
"""Dark to light by level: lightness alone tells it, for eyes that see no colours."""


def peaks(sound: Sound, columns: int) -> list[list[float]]:
    """`columns` pairs of the lowest and highest value of any channel, in order, rounded to three digits; fewer for a shorter sound."""
    samples = sound.samples
    count = min(columns, samples.shape[1])
    if count < 1:
        return []
    starts = np.arange(count) * samples.shape[1] // count
    lowest = np.minimum.reduceat(samples.min(axis=0), starts)
    highest = np.maximum.reduceat(samples.max(axis=0), starts)
    return [[round(float(low), 3), round(float(high), 3)] for low, high in zip(lowest, highest, strict=True)]


def spectrogram_png(sound: Sound) -> bytes:
    """A PNG of at most `WIDTH` x `HEIGHT`: time to the right, frequency upwards on a logarithmic axis from 30 Hz to 20 kHz, level as
    lightness over 80 dB below the loudest."""
    one = sound.samples.mean(axis=0, dtype=np.float32)
    columns = int(np.clip(one.size // 256, 1, WIDTH))
    padded = np.pad(one, (_WINDOW // 2, _WINDOW))
    starts = (np.arange(columns) + 0.5) * one.size / columns
    edges = np.geomspace(LOWEST, HIGHEST, HEIGHT + 1) * _WINDOW / sound.rate
    levels = np.zeros((HEIGHT, columns), np.float32)
    window = np.hanning(_WINDOW).astype(np.float32)
    for first in range(0, columns, 128):
        frames = np.stack([padded[int(start) : int(start) + _WINDOW] for start in starts[first : first + 128]])
        levels[:, first : first + 128] = _rows(np.abs(np.asarray(fft.rfft(frames * window, axis=1))), edges)
    loudest = float(levels.max(initial=0))
    decibels = 20 * np.log10(np.maximum(levels, 1e-9) / loudest) if loudest > 1e-6 else np.full(levels.shape, -RANGE_DB)
    shares = np.clip(1 + decibels[::-1] / RANGE_DB, 0, 1)
    stops, colours = [stop for stop, _ in _COLOURS], np.array([colour for _, colour in _COLOURS])
    pixels = np.stack([np.interp(shares, stops, colours[:, channel]) for channel in range(3)], axis=-1)
    out = io.BytesIO()
    Image.fromarray(pixels.round().astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def _rows(spectra: NDArray[np.float32], edges: NDArray[np.float64]) -> NDArray[np.float32]:
    """(frames, bins) -> (rows, frames): the highest bin of each row, or what lies between two bins where rows are finer."""
    last = spectra.shape[1] - 1
    middles = np.clip((edges[:-1] + edges[1:]) / 2, 0, last)
    below = np.floor(middles).astype(int)
    share = (middles - below).astype(np.float32)
    rows = spectra[:, below] * (1 - share) + spectra[:, np.minimum(below + 1, last)] * share
    wide = np.flatnonzero((edges[1:] - edges[:-1] > 1) & (edges[1:] < last))
    for row in wide:
        rows[:, row] = spectra[:, int(edges[row]) : int(edges[row + 1]) + 1].max(axis=1)
    rows[:, edges[:-1] > last] = 0
    return rows.T.astype(np.float32)
