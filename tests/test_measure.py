"""The independent ear: tempo, key, loudness and peaks of sounds that were made to order, and the brief beside them."""

from __future__ import annotations

import functools
import json
import time

import numpy as np
import pytest

from studio.creations import Sound
from studio.music import loudness
from studio.music.files import resampled, stereo
from studio.music.loudness import lufs, to_target, true_peak
from studio.music.measure import Measured, brief, fold, measure
from studio.music.score import Key
from studio.music.tempo import tempo
from studio.music.tonality import KEYS, tonality

RATE = 48_000
PLAYED = 22_050
"""Music is played at the rate at which it is listened to, to be quick; loudness and peaks are measured at `RATE`."""
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}


def hertz(pitch: float) -> float:
    return 440 * 2 ** ((pitch - 69) / 12)


@functools.cache
def tone(pitch: float, seconds: float, attack: float = 0.01, decay: float = 0.6) -> np.ndarray:
    """A plucked note with five harmonics."""
    at = np.arange(round(seconds * PLAYED)) / PLAYED
    waves = sum(np.sin(2 * np.pi * hertz(pitch) * number * at) / number**1.5 for number in range(1, 6) if hertz(pitch) * number < 10_000)
    return waves * np.minimum(1, at / attack) * np.exp(-at / decay)


def drum(kind: str, noise: np.random.Generator) -> np.ndarray:
    at = np.arange(3300) / PLAYED
    if kind == "kick":
        return np.sin(2 * np.pi * (50 * at + 4 * (1 - np.exp(-at * 30)))) * np.exp(-at * 12)
    if kind == "snare":
        return (noise.standard_normal(at.size) + np.sin(2 * np.pi * 190 * at)) * np.exp(-at * 20) * 0.4
    return np.diff(noise.standard_normal(at.size), prepend=0) * np.exp(-at * 80) * 0.2


def put(into: np.ndarray, sound: np.ndarray, seconds: float, level: float = 1.0) -> None:
    start = round(seconds * PLAYED)
    size = min(sound.size, into.size - start)
    if size > 0:
        into[start : start + size] += level * sound[:size]


def finished(samples: np.ndarray) -> Sound:
    return Sound((samples / np.abs(samples).max() * 0.7)[None].astype(np.float32), PLAYED)


def clicks(bpm: float, seconds: float = 20.0, first: float = 0.2) -> Sound:
    made, click = np.zeros(round(seconds * PLAYED)), tone(84, 0.02, 0.001, 0.005)
    for at in np.arange(first, seconds, 60 / bpm):
        put(made, click, at)
    return finished(made)


@functools.cache
def song(bpm: float, key: str = "C major", seconds: float = 20.0, seed: int = 0, drums: bool = True, swing: float = 0.0) -> Sound:
    """Chords, a bass, a melody with off-beats, and drums, in 4/4."""
    noise, beat = np.random.default_rng(seed), 60 / bpm
    tonic, scale = Key.read(key).tonic, SCALES[key.split()[1]]
    roots = (0, 3, 4, 0)
    made = np.zeros(round(seconds * PLAYED))
    for bar in range(int(seconds / (4 * beat)) + 1):
        chord = [tonic + scale[(roots[bar % 4] + step) % 7] + 12 * ((roots[bar % 4] + step) // 7) for step in (0, 2, 4)]
        start = 4 * beat * bar
        for pitch in chord:
            put(made, tone(60 + pitch, 3 * beat, 0.02, 1.2), start, 0.15)
        for quarter in range(4):
            at = start + quarter * beat
            if drums:
                put(made, drum("snare" if quarter % 2 else "kick", noise), at, 0.6)
                for eighth in (0.0, 0.5 + swing):
                    put(made, drum("hat", noise), at + eighth * beat, 0.5)
            if quarter % 2 == 0:
                put(made, tone(36 + chord[0], beat, 0.005, 0.4), at, 0.4)
            step = noise.choice([0, 2, 4]) + roots[bar % 4]
            put(made, tone(72 + tonic + scale[step % 7], beat, 0.01, 0.3), at + (0.5 * beat if noise.random() < 0.3 else 0), 0.25)
    return finished(made)


def pads(seed: int, seconds: float = 25.0) -> Sound:
    """Slow swells at no regular times."""
    noise, made, at = np.random.default_rng(seed), np.zeros(round(seconds * PLAYED)), 0.0
    while at < seconds:
        for pitch in noise.choice([0, 3, 7, 10, 12, 14], 3):
            swell = np.sin(np.pi * np.arange(8 * PLAYED) / (8 * PLAYED)) ** 2
            put(made, tone(48 + pitch, 8, 0.01, 100) * swell, at)
        at += float(noise.uniform(2, 5))
    return finished(made + 0.003 * noise.standard_normal(made.size))


def folds_to(sound: Sound, bpm: float) -> float:
    """How far off the measured tempo is, in percent, after folding."""
    found = fold(measure(sound), bpm)
    assert found.bpm is not None
    return 100 * abs(found.bpm / bpm - 1)


@pytest.mark.parametrize("bpm", [60, 72, 83.5, 97.3, 120, 137, 155.5, 180])
def test_the_tempo_of_clicks_is_found_within_a_tenth_of_a_percent(bpm: float) -> None:
    assert folds_to(clicks(bpm), bpm) < 0.1


@pytest.mark.parametrize("bpm", [60, 72, 83.5, 97.3, 120, 137, 155.5, 180])
@pytest.mark.parametrize(("drums", "swing"), [(True, 0.0), (True, 0.16), (False, 0.0)])
def test_the_tempo_of_music_is_found_within_half_a_percent(bpm: float, drums: bool, swing: float) -> None:
    assert folds_to(song(bpm, seed=int(bpm), drums=drums, swing=swing), bpm) < 0.5


@pytest.mark.parametrize("bpm", [70, 120])
def test_eight_seconds_are_enough_for_a_tempo(bpm: float) -> None:
    assert folds_to(song(bpm, seconds=8), bpm) < 0.5


def test_beats_lie_on_the_clicks() -> None:
    beats = np.array(measure(clicks(100, first=0.3)).beats)
    truth = 0.3 + 0.6 * np.arange(40)
    assert len(beats) > 25
    assert np.abs(beats[:, None] - truth).min(axis=1).max() < 0.008


@pytest.mark.parametrize("seed", range(4))
def test_music_without_a_beat_has_no_tempo(seed: int) -> None:
    assert measure(pads(seed)).bpm is None


def test_noise_silence_a_tone_and_a_moment_have_neither_tempo_nor_key() -> None:
    noise = np.random.default_rng(0).standard_normal((2, 10 * PLAYED)) * 0.1
    steady = np.sin(2 * np.pi * 440 * np.arange(10 * PLAYED) / PLAYED)[None] * 0.5
    for samples in (noise, steady, np.zeros((2, 10 * PLAYED)), np.ones((1, 1)) * 0.1, np.zeros((1, 0))):
        found = measure(Sound(samples.astype(np.float32), PLAYED))
        assert (found.bpm, found.beats, found.key) == (None, (), None)
        json.dumps(found.facts(), allow_nan=False)
        assert brief(found, bpm=90, key="C", lufs=-14)


def test_a_song_whose_channels_cancel_each_other_is_heard_all_the_same() -> None:
    one = song(100).samples
    assert measure(Sound(np.concatenate([one, -one]), PLAYED)).bpm is not None


def test_the_tracker_is_never_told_what_was_asked() -> None:
    assert set(tempo.__annotations__) == {"channel", "return"}
    assert set(measure.__annotations__) == {"sound", "return"}


def test_tempos_are_folded_only_by_twos_and_threes_and_it_is_said() -> None:
    found = measure(song(72))
    halves = fold(Measured(**{**found.__dict__, "bpm": 144.0}), 72)
    assert (halves.bpm, halves.folded) == (72.0, 0.5)
    assert fold(Measured(**{**found.__dict__, "bpm": 60.2}), 180).bpm == pytest.approx(180.6)
    assert fold(Measured(**{**found.__dict__, "bpm": 100.0}), 72).folded == 1
    line = brief(Measured(**{**found.__dict__, "bpm": 144.0}), bpm=72)[0]
    assert line.ok and line.measured == "72.0 bpm (heard as 144.0, counted by half)"


# Key. ------------------------------------------------------------------------------------------------------------------------------


def scale(key: str, tuning: float = 0.0, chords: bool = True) -> Sound:
    found, made = Key.read(key), np.zeros(12 * PLAYED)
    steps = (*SCALES[found.mode], 12)
    for number, step in enumerate(steps + steps[::-1]):
        put(made, tone(60 + found.tonic + step + tuning, 0.6), number * 0.5, 0.3)
    for number, root in enumerate((0, 5, 7, 0) if chords else ()):
        third = 3 if found.minor and root != 7 else 4
        for pitch in (root, root + third, root + 7):
            put(made, tone(48 + found.tonic + pitch + tuning, 1.0, decay=1.0), 8 + number, 0.2)
    return finished(made)


@pytest.mark.parametrize(("tuning", "chords"), [(0.0, True), (0.0, False), (0.3, True), (-0.4, True)])
def test_keys_of_scales_and_cadences_are_named_whatever_they_are_tuned_to(tuning: float, chords: bool) -> None:
    right = sum(tonality(scale(key, tuning, chords).samples[0], PLAYED).key == key for key in KEYS)
    assert right >= 22


def test_keys_of_songs_with_drums_are_named_or_are_the_relative() -> None:
    lines = [
        next(line for line in brief(measure(song(100, key, 12, seed)), key=key) if line.what == "key") for seed, key in enumerate(KEYS)
    ]
    assert sum(line.ok for line in lines) >= 22
    assert all("relative" in line.measured or line.measured == line.asked for line in lines if line.ok)


def test_a_mode_counts_as_right_by_its_tonic_or_its_notes() -> None:
    found = measure(scale("A minor"))

    def line(key: str) -> tuple[str, bool]:
        check = brief(found, key=key)[0]
        return check.measured, check.ok

    assert line("A minor") == ("A minor", True)
    assert line("C") == ("A minor (relative: the same notes)", True)
    assert line("D dorian") == ("A minor (relative: the same notes)", True)
    assert line("A dorian") == ("A minor", True)
    assert line("A major") == ("A minor", False)
    assert line("E minor") == ("A minor", False)


# Loudness. -------------------------------------------------------------------------------------------------------------------------


def sine(frequency: float, level_db: float, seconds: float = 5.0, channels: int = 2, phase: float = 0.0) -> Sound:
    wave = 10 ** (level_db / 20) * np.sin(2 * np.pi * frequency * np.arange(round(seconds * RATE)) / RATE + phase)
    return Sound(np.tile(wave, (channels, 1)).astype(np.float32), RATE)


def test_a_sine_of_known_loudness_is_measured() -> None:
    assert lufs(sine(997, -23)) == pytest.approx(-23, abs=0.1)  # EBU Tech 3341, case 1
    assert lufs(sine(997, -33)) == pytest.approx(-33, abs=0.1)
    assert lufs(sine(997, 0, channels=1)) == pytest.approx(-3.01, abs=0.1)  # BS.1770-4
    assert lufs(sine(997, -23, 0.1)) == pytest.approx(-23, abs=0.3)
    assert lufs(Sound(np.zeros((2, RATE), np.float32), RATE)) is None


def test_a_peak_between_samples_is_found() -> None:
    """A sine of a quarter of the rate at 45 degrees peaks 3 dB above its samples."""
    wave = sine(RATE / 4, -6, 1.0, 1, np.pi / 4)
    ramp = np.clip(np.minimum(np.arange(RATE), np.arange(RATE)[::-1]) / 4800, 0, 1).astype(np.float32)
    faded = Sound(wave.samples * ramp, RATE)
    assert 20 * np.log10(np.abs(faded.samples).max()) == pytest.approx(-9.01, abs=0.01)
    assert true_peak(faded) == pytest.approx(-6, abs=0.2)
    assert true_peak(wave, circular=True) == pytest.approx(-6, abs=0.1)
    assert true_peak(Sound(np.zeros((1, 0), np.float32), RATE)) == -np.inf


def thumps(level: float = 1.0) -> Sound:
    """Quiet noise with loud beats: more peak than loudness."""
    noise = np.random.default_rng(0)
    made = 0.03 * noise.standard_normal((2, 10 * RATE))
    for beat in range(20):
        made[:, beat * RATE // 2 : beat * RATE // 2 + 3300] += 0.8 * drum("kick", noise)
    return Sound((made * level).astype(np.float32), RATE)


@pytest.mark.parametrize("target", [-14.0, -16.0, -23.0])
@pytest.mark.parametrize("circular", [False, True])
@pytest.mark.parametrize("level", [0.02, 1.4])
def test_targets_are_met_below_the_ceiling(target: float, circular: bool, level: float) -> None:
    made, gain, limited = to_target(thumps(level), target, circular=circular)
    assert lufs(made) == pytest.approx(target, abs=0.5)
    assert true_peak(made, circular) <= -1 + 1e-3
    assert made.samples.shape == (2, 10 * RATE) and made.samples.dtype == np.float32
    if not limited:
        assert np.allclose(made.samples, thumps(level).samples * 10 ** (gain / 20), atol=1e-6)
    assert limited == (target > -20)


def test_one_gain_serves_stems_and_mix() -> None:
    mix = thumps(0.5)
    stems = [Sound(mix.samples * np.float32(share), RATE) for share in (0.25, 0.75)]
    made, gain, limited = to_target(mix, -23)
    assert not limited
    assert np.allclose(sum(stem.samples * 10 ** (gain / 20) for stem in stems), made.samples, atol=1e-6)


def test_as_it_is_means_untouched_or_turned_down() -> None:
    quiet = thumps(0.2)
    assert to_target(quiet, None) == (quiet, 0.0, False)
    loud, gain, limited = to_target(thumps(3), None)
    assert not limited and gain < 0
    assert true_peak(loud) == pytest.approx(-1, abs=0.01)


def test_the_limiter_keeps_a_loop_a_loop() -> None:
    """A loop limited from another beginning is the same loop."""
    sound = thumps()
    turned = Sound(np.roll(sound.samples, 3 * RATE, axis=1), RATE)
    first, second = (to_target(each, -14, circular=True)[0].samples for each in (sound, turned))
    assert np.abs(np.roll(first, 3 * RATE, axis=1) - second).max() < 0.02
    assert np.abs(first - to_target(sound, -14, circular=True)[0].samples).max() == 0


def test_what_is_far_too_peaked_is_limited_only_so_far() -> None:
    made, _, limited = to_target(clicks(60), -6)
    assert limited
    assert true_peak(made) <= -1 + 1e-3
    assert np.isfinite(made.samples).all()


@pytest.mark.parametrize("samples", [0, 1, 7, 100, 5000])
def test_moments_and_silence_are_levelled_without_a_fuss(samples: int) -> None:
    for level in (0.0, 0.5):
        sound = Sound(np.full((1, samples), level, np.float32), RATE)
        made, gain, _ = to_target(sound, -14, circular=True)
        assert made.samples.shape == sound.samples.shape
        assert np.isfinite(gain) and np.isfinite(made.samples).all()


# The brief. -------------------------------------------------------------------------------------------------------------------------


def test_silence_and_clipping_are_counted() -> None:
    made = song(120, seconds=6).samples[0].copy()
    quiet = np.full(2 * PLAYED, 0.0009, np.float32)
    made[1000:1003] = 0.9995  # a run
    made[2000:2002] = 0.9995  # none
    made[3000] = -1.0
    found = measure(Sound(np.concatenate([quiet[:PLAYED], made, quiet])[None], PLAYED))
    assert found.clipped == 4
    assert found.silence_head == pytest.approx(1, abs=0.02)
    assert found.silence_tail == pytest.approx(2, abs=0.02)
    missed = {line.what for line in brief(found) if not line.ok}
    assert missed == {"true peak", "silence", "clipping"}


def test_a_take_on_target_misses_nothing() -> None:
    sound, _, _ = to_target(song(96, "A minor", drums=True), -16)
    found = measure(sound)
    lines = brief(found, bpm=96, key="A minor", lufs=-16, loop=True)
    assert [line.what for line in lines] == ["tempo", "key", "loudness", "true peak", "silence", "clipping"]
    assert all(line.ok for line in lines), lines
    assert not brief(found, bpm=101)[0].ok
    assert not brief(found, lufs=-14)[0].ok


def test_a_missing_beat_is_a_miss_only_where_one_is_meant() -> None:
    found = measure(pads(0))
    assert not brief(found, bpm=70)[0].ok
    assert brief(found, bpm=70, steady=False)[0].ok


def test_half_a_minute_is_measured_in_a_moment() -> None:
    sound = stereo(resampled(song(100, seconds=30), RATE))
    measure(sound)
    start = time.process_time()
    measure(sound)
    assert time.process_time() - start < 1.5  # 0.5 s where nothing else runs
    assert loudness.CEILING == -1
