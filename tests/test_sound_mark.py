import io
import tracemalloc

import numpy as np
import pytest
import soundfile

from studio.creations import Sound
from studio.music import files, loops, loudness
from studio.provenance import sound_mark
from studio.provenance.watermark import TooSmall

SECRET = bytes(range(32))
NUMBER = 0x5A3C1


def music(seconds: float = 6.0, rate: int = 32_000, channels: int = 2) -> Sound:
    """Plucked chords over noise that swells: loud and quiet, tones and hiss."""
    draw = np.random.default_rng(8)
    times = np.arange(round(seconds * rate)) / rate
    beat = times % 0.5
    pitches = (110, 220, 331, 442, 884, 1326, 2210)
    tones = sum(np.sin(2 * np.pi * pitch * times + draw.uniform(0, 6)) / n for n, pitch in enumerate(pitches, 1))
    hiss = draw.normal(0, 0.15, (channels, len(times)))
    samples = np.exp(-4 * beat) * tones * 0.2 + hiss * (0.2 + 0.1 * np.sin(times))
    return Sound(samples.astype(np.float32), rate)


def found(sound: Sound, secret: bytes = SECRET) -> int | None:
    mark = sound_mark.detect(sound, secret)
    return None if mark is None else mark.payload


def saved(sound: Sound, kind: str) -> Sound:
    if kind == "mp3":
        file = io.BytesIO()
        soundfile.write(file, sound.samples.T, sound.rate, format="MP3", bitrate_mode="CONSTANT", compression_level=0.6)
        data = file.getvalue()
        assert len(data) * 8 / sound.seconds < 170_000
    else:
        data = files.encode(sound, kind, files.Tags(artist=""))
    samples, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
    return Sound(np.ascontiguousarray(samples.T, np.float32), rate)


def test_the_number_is_exact_after_saving_resampling_cutting_and_turning_down():
    sound = music(rate=44_100)
    marked = sound_mark.embed(sound, NUMBER, SECRET)
    change = marked.samples - sound.samples
    assert 10 * np.log10(np.mean(sound.samples**2) / np.mean(change**2)) >= 31
    for kind in ("mp3", "ogg", "opus", "wav16"):
        assert found(saved(marked, kind)) == NUMBER, kind
    for rate in (32_000, 48_000):
        assert found(files.resampled(marked, rate)) == NUMBER, rate
    part = Sound(marked.samples[:, 31_234 : 31_234 + 5 * 44_100] * np.float32(0.2), 44_100)
    assert found(saved(part, "mp3")) == NUMBER
    assert found(Sound(marked.samples[:1], 44_100)) == NUMBER


def test_a_rate_that_was_read_wrongly_is_found():
    mark = sound_mark.detect(Sound(sound_mark.embed(music(), NUMBER, SECRET).samples, 48_000), SECRET)
    assert mark is not None
    assert mark.payload == NUMBER
    assert mark.scale == pytest.approx(1.5, abs=0.001)


@pytest.mark.parametrize(("rate", "channels"), [(8_000, 1), (11_025, 2), (22_050, 1), (96_000, 2)])
def test_channels_length_and_rate_stay_at_any_rate(rate: int, channels: int):
    sound = music(7.0 if rate < 16_000 else 4.0, rate, channels)
    marked = sound_mark.embed(sound, NUMBER, SECRET)
    assert marked.samples.shape == sound.samples.shape
    assert marked.samples.dtype == np.float32
    assert marked.rate == rate
    assert found(marked) == NUMBER


def test_the_same_input_gives_the_same_samples_and_leaves_the_given_ones_alone():
    sound = music(4.0)
    before = sound.samples.copy()
    first = sound_mark.embed(sound, NUMBER, SECRET).samples
    assert np.array_equal(first, sound_mark.embed(sound, NUMBER, SECRET).samples)
    assert np.array_equal(sound.samples, before)


def test_another_secret_and_an_unmarked_sound_have_no_mark():
    sound = music(4.0)
    assert found(sound) is None
    assert found(sound_mark.embed(sound, NUMBER, SECRET), b"another secret") is None


def test_the_loudest_sample_does_not_grow_and_the_true_peak_hardly():
    samples = np.clip(music(5.0).samples * 3, -0.9, 0.9)
    marked = sound_mark.embed(Sound(samples, 32_000), NUMBER, SECRET)
    assert np.abs(marked.samples).max() <= np.abs(samples).max()
    assert loudness.true_peak(marked) <= loudness.true_peak(Sound(samples, 32_000)) + 0.1


def test_a_loop_stays_closed_and_its_repetition_is_found():
    loop = loops.closed(music(5.3))
    marked = sound_mark.embed(loop, NUMBER, SECRET, loop=True)
    assert loops.seam(marked).jump_db <= max(-40, loops.seam(loop).jump_db + 3)
    change = marked.samples - loop.samples
    assert np.abs(change[:, [0, -1]]).max() < 1e-4
    assert found(Sound(np.tile(marked.samples, 3), marked.rate)) == NUMBER


def test_silence_stays_silent():
    samples = music(7.0).samples
    samples[:, 40_000:70_000] = 0
    samples[1, :60_000] = 0
    marked = sound_mark.embed(Sound(samples, 32_000), NUMBER, SECRET).samples
    assert not marked[:, 40_032:69_968].any()
    assert not marked[1, :59_968].any()
    assert found(Sound(marked, 32_000)) == NUMBER


def test_a_mark_in_a_part_of_a_long_sound_is_found():
    other = np.random.default_rng(1).normal(0, 0.1, (2, 30 * 32_000)).astype(np.float32)
    other[:, 400_000 : 400_000 + 10 * 32_000] = sound_mark.embed(music(10.0), NUMBER, SECRET).samples
    assert found(Sound(other, 32_000)) == NUMBER


def test_a_long_sound_is_marked_in_stretches_and_needs_little_memory(monkeypatch: pytest.MonkeyPatch):
    sound = music(180.0, 16_000, 1)
    files.resampled(music(4.0), 16_000)  # what is imported is not counted
    monkeypatch.setattr(sound_mark, "STRETCH", 5.0)
    tracemalloc.start()
    marked = sound_mark.embed(sound, NUMBER, SECRET)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * sound.samples.nbytes
    monkeypatch.undo()
    assert found(marked) == NUMBER
    assert found(Sound(marked.samples[:, 100 * 16_000 : 106 * 16_000], 16_000)) == NUMBER


@pytest.mark.parametrize("loop", [False, True])
def test_stretches_join_without_a_trace(loop: bool, monkeypatch: pytest.MonkeyPatch):
    sound = music(7.3, 24_000)
    whole = sound_mark.embed(sound, NUMBER, SECRET, loop).samples
    heard = sound_mark.heard(sound)
    monkeypatch.setattr(sound_mark, "STRETCH", 1.0)
    difference = sound_mark.embed(sound, NUMBER, SECRET, loop).samples - whole
    assert np.abs(difference).max() < 0.01 * np.abs(whole - sound.samples).max()
    assert np.abs(sound_mark.heard(sound) - heard).max() < 0.001


def test_a_sound_that_was_marked_twice_says_one_of_its_numbers():
    twice = sound_mark.embed(sound_mark.embed(music(), NUMBER, SECRET), 0x12345, SECRET)
    assert found(twice) in (NUMBER, 0x12345)


def test_what_cannot_hold_a_mark_is_refused_in_a_sentence():
    with pytest.raises(TooSmall, match=r"3 seconds.*\.$"):
        sound_mark.embed(music(2.9), NUMBER, SECRET)
    for samples in (np.zeros((1, 160_000), np.float32), music().samples * np.float32(1e-5)):
        with pytest.raises(TooSmall, match=r"600 and 7,000 hertz.*\.$"):
            sound_mark.embed(Sound(samples, 32_000), NUMBER, SECRET)
    with pytest.raises(ValueError, match="channels"):
        sound_mark.embed(Sound(np.zeros((3, 160_000), np.float32), 32_000), NUMBER, SECRET)


@pytest.mark.parametrize("length", [0, 1, 7, 300, 20_000])
def test_detection_takes_any_short_sound(length: int):
    assert found(Sound(np.full((2, length), 0.5, np.float32), 44_100)) is None
