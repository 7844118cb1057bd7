"""Loops close on themselves, are exactly as long as their bars, and the seam score knows a good one from a bad one."""

from __future__ import annotations

import functools

import numpy as np
import pytest

from studio.creations import Sound
from studio.errors import InvalidInput
from studio.music.loops import bars_seconds, closed, crossed, cut, cut_by_beats, fade_in, fade_out, seam, trim
from studio.music.measure import measure
from studio.music.score import Meter

RATE = 48_000
FOUR = Meter(4, 4)


@functools.cache
def music(bpm: float = 100.0, seconds: float = 14.0, rate: int = RATE) -> Sound:
    """Drums on the beats over two tones that fit no bar, with noise."""
    noise = np.random.default_rng(1)
    time = np.arange(round(seconds * rate)) / rate
    made = 0.2 * np.sin(2 * np.pi * 196.3 * time) + 0.15 * np.sin(2 * np.pi * 311.7 * time) + 0.005 * noise.standard_normal(time.size)
    thump = np.sin(2 * np.pi * 70 * time[: rate // 5]) * np.exp(-time[: rate // 5] * 20)
    tick = noise.standard_normal(rate // 20) * np.exp(-time[: rate // 20] * 100)
    for beat in np.arange(0, seconds - 0.3, 60 / bpm):
        start = round(beat * rate)
        made[start : start + thump.size] += 0.5 * thump
        made[start : start + tick.size] += 0.2 * tick
    return Sound(np.stack([made, made[::-1] * 0.2 + made * 0.7]).astype(np.float32), rate)


@pytest.mark.parametrize(
    ("bpm", "meter", "bars"), [(100, FOUR, 4), (97.3, FOUR, 3), (72.5, Meter(3, 4), 4), (110, Meter(6, 8), 5), (180, FOUR, 1)]
)
@pytest.mark.parametrize("start", [0.0, 0.013, 1.2345])
def test_a_cut_is_exactly_its_bars_long_and_closes(bpm: float, meter: Meter, bars: int, start: float) -> None:
    made = cut(music(), start, bars, bpm, meter)
    assert made.samples.shape == (2, round(bars * meter.bar / meter.beat * 60 / bpm * RATE))
    assert made.samples.dtype == np.float32
    found = seam(made)
    assert found.jump_db < -40
    assert found.score > 60


def test_bars_of_compound_meters_are_counted_in_dotted_quarters() -> None:
    assert bars_seconds(4, 60, Meter(6, 8)) == pytest.approx(8)
    assert bars_seconds(4, 120, Meter(3, 4)) == pytest.approx(6)


def test_only_the_last_moments_of_a_cut_are_changed_and_lead_into_its_beginning() -> None:
    sound, start, fade = music(), 2.4, 0.04
    made = cut(sound, start, 2, 100, FOUR, fade)
    first, size = round(start * RATE), round(fade * RATE)
    assert np.array_equal(made.samples[:, :-size], sound.samples[:, first : first + made.samples.shape[1] - size])
    assert np.allclose(made.samples[:, -1], sound.samples[:, first - 1], atol=1e-3)


def test_a_cut_from_the_very_beginning_is_led_in_from_what_follows_it() -> None:
    sound = music()
    made = cut(sound, 0.0, 2, 100, FOUR)
    size = made.samples.shape[1]
    assert np.allclose(made.samples[:, 0], sound.samples[:, size], atol=1e-3)
    assert np.array_equal(made.samples[:, 5000:], sound.samples[:, 5000:size])


def test_a_cut_of_the_whole_sound_does_not_click() -> None:
    whole = trim(music(), 0, 2.4)
    made = cut(whole, 0, 1, 100, FOUR)
    assert made.samples.shape == whole.samples.shape
    assert seam(made).jump_db < -40


@pytest.mark.parametrize(("start", "bars", "bpm"), [(0.0, 7, 100.0), (13.0, 1, 100.0), (-1.0, 1, 100.0), (15.0, 1, 100.0)])
def test_bars_that_are_not_there_are_refused(start: float, bars: int, bpm: float) -> None:
    with pytest.raises(InvalidInput, match="too short") as error:
        cut(music(), start, bars, bpm, FOUR)
    assert error.value.field == "duration"


def test_power_stays_where_two_sounds_cross_whether_alike_or_not() -> None:
    noise = np.random.default_rng(0).standard_normal((2, 3, 20_000)).astype(np.float32)
    for into in (noise[1], noise[0], 0.5 * noise[0] + noise[1] * np.float32(np.sqrt(0.75))):
        middle = crossed(noise[0], into)[:, 9000:11_000]
        assert 10 * np.log10(np.mean(middle**2)) == pytest.approx(0, abs=0.4)
    assert np.allclose(crossed(noise[0], noise[0]), noise[0], atol=1e-5)


def test_a_loop_by_measured_beats_begins_on_one_and_is_as_long_as_the_heard_tempo() -> None:
    sound = music(96)
    made = cut_by_beats(sound, measure(sound), 2.0, 2, FOUR)
    assert made.seconds == pytest.approx(bars_seconds(2, 96, FOUR), abs=0.016)
    assert seam(made).jump_db < -40
    beats = 60 / 96 * np.arange(20)
    nearest = beats[np.abs(beats - 2.0).argmin()]
    beginning = trim(sound, nearest, nearest + 1).samples[0]
    lags = np.correlate(made.samples[0, 600:30_000], beginning[1200:29_000], "valid")
    assert abs(int(lags.argmax()) - 600) < 480  # within 10 ms


def test_a_loop_by_beats_needs_beats() -> None:
    silent = Sound(np.zeros((1, 5 * RATE), np.float32), RATE)
    with pytest.raises(InvalidInput, match="tempo"):
        cut_by_beats(silent, measure(silent), 0, 1, FOUR)


def test_a_sound_without_bars_is_closed_as_a_whole() -> None:
    sound = trim(music(), 0, 5)
    made = closed(sound, 0.05)
    assert made.samples.shape[1] == sound.samples.shape[1] - round(0.05 * RATE)
    assert seam(made).jump_db < -40
    assert closed(Sound(np.ones((1, 2), np.float32), RATE)).samples.shape == (1, 2)


# The seam. --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.02, 0.1, 0.5])
def test_a_step_at_the_seam_is_measured(step: float) -> None:
    """A tone of whole periods with a step where it closes."""
    time = np.arange(4 * RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 220 * time)
    perfect = seam(Sound(tone[None].astype(np.float32), RATE))
    assert perfect.jump_db < -80
    assert perfect.score > 99
    bent = tone + step * np.linspace(-0.5, 0.5, tone.size)
    found = seam(Sound(bent[None].astype(np.float32), RATE))
    assert found.jump_db == pytest.approx(20 * np.log10(step / np.abs(bent).max()), abs=1.5)
    assert found.score < perfect.score


def test_a_cut_anywhere_scores_worse_than_one_on_its_bars() -> None:
    sound = music()
    rough = trim(sound, 1.0, 5.9137)
    good = cut(sound, 1.2, 2, 100, FOUR)
    assert seam(rough).jump_db > -40
    assert seam(good).score > seam(rough).score + 20


def test_noise_has_no_seam_and_silence_neither() -> None:
    noise = np.random.default_rng(3).standard_normal((2, 2 * RATE)).astype(np.float32) * 0.2
    assert seam(Sound(noise, RATE)).jump_db < -20
    assert seam(Sound(np.zeros((2, RATE), np.float32), RATE)).score == 100
    for size in (1, 2, 50):
        assert 0 <= seam(Sound(np.full((1, size), 0.5, np.float32), RATE)).score <= 100


# Trim and fades. --------------------------------------------------------------------------------------------------------------------


def test_trims_are_exact_and_bounded() -> None:
    sound = music()
    assert trim(sound, 1.0, 2.5).samples.shape == (2, 72_000)
    assert np.array_equal(trim(sound, 13).samples, sound.samples[:, 13 * RATE :])
    for start, end in ((2, 2), (3, 2), (-1, 2), (0, 15), (float(15), None)):
        with pytest.raises(InvalidInput, match="14.00 seconds"):
            trim(sound, start, end)


def test_fades_begin_and_end_in_silence_and_change_nothing_else() -> None:
    level = Sound(np.ones((2, RATE), np.float32), RATE)
    rising, falling = fade_in(level, 0.25), fade_out(level, 0.25)
    assert rising.samples[0, 0] == 0 and falling.samples[0, -1] == 0
    assert np.all(np.diff(rising.samples[0]) >= 0)
    assert np.array_equal(rising.samples[:, 12_000:], level.samples[:, 12_000:])
    assert np.array_equal(falling.samples, rising.samples[:, ::-1])
    assert np.all(level.samples == 1)
    assert fade_out(level, 5).samples.shape == level.samples.shape
