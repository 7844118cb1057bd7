"""Waveforms and spectrograms show what is heard, where it is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from studio.creations import Sound
from studio.music.views import HEIGHT, HIGHEST, LOWEST, WIDTH, peaks, spectrogram_png

RATE = 48_000


def picture(samples: np.ndarray, rate: int = RATE) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(spectrogram_png(Sound(samples.astype(np.float32), rate)))).convert("L"))


def test_peaks_are_the_lowest_and_highest_of_each_column() -> None:
    samples = np.zeros((2, 1000), np.float32)
    samples[0, 150], samples[1, 180], samples[1, 999] = 0.5, -0.25, 1.0
    found = peaks(Sound(samples, RATE), 10)
    assert found[1] == [-0.25, 0.5]
    assert found[9] == [0.0, 1.0]
    assert found[0] == [0.0, 0.0] and len(found) == 10
    assert len(peaks(Sound(samples, RATE), 5000)) == 1000
    assert peaks(Sound(np.zeros((2, 0), np.float32), RATE), 10) == []


@pytest.mark.parametrize("frequency", [60, 440, 3000, 12_000])
@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_a_tone_is_a_line_at_its_frequency(frequency: float, rate: int) -> None:
    seen = picture(np.sin(2 * np.pi * frequency * np.arange(3 * rate) / rate)[None], rate)
    assert seen.shape[0] == HEIGHT
    row = HEIGHT - 1 - seen[:, seen.shape[1] // 2].argmax()
    assert LOWEST * (HIGHEST / LOWEST) ** (row / HEIGHT) == pytest.approx(frequency, rel=0.12)
    assert np.median(seen) < 60


def test_a_click_is_a_column_at_its_time() -> None:
    samples = np.zeros((2, 10 * RATE))
    samples[:, 3 * RATE] = 1
    seen = picture(samples)
    assert seen.shape == (HEIGHT, WIDTH)
    assert seen.astype(float).mean(axis=0).argmax() == pytest.approx(0.3 * WIDTH, abs=8)


@pytest.mark.parametrize("size", [0, 1, 100, 5000])
@pytest.mark.parametrize("rate", [8000, RATE])
def test_moments_and_silence_have_a_picture_too(size: int, rate: int) -> None:
    for level in (0.0, 0.5):
        assert picture(np.full((1, size), level), rate).shape[0] == HEIGHT
