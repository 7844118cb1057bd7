"""Sound files: what goes in comes out, with its tags and its record; what strangers hand in ends in one sentence."""

from __future__ import annotations

import functools
import io
import json
import os
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.creations import Sound
from studio.errors import InvalidInput, MediaUnreadable
from studio.music import files
from studio.music.files import Tags, encode, mono, quantised, read, resampled, stereo
from studio.provenance.record import SIZE_LIMIT, TRAINED, parse, to_json
from studio.provenance.sounds import check, encode_copy, encode_flac, read_record, read_source, samples_of
from studio.provenance.tags import comments
from studio.tasks import SOUND_FORMATS
from tests.samples import record

RATE = 48_000
UNICODE = 'Rainy "night" 🌧\nשלום ünd \\n'
FULL = Tags(title=UNICODE, comment='{"no": "record 🍎"}\n', software="Atelier 1", date="2026-11-22")


@functools.cache
def music(seconds: float = 1.0, channels: int = 2, rate: int = RATE, seed: int = 0) -> Sound:
    """Two tones and a little noise."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).standard_normal((channels, time.size)) * 0.01
    tones = np.stack([0.4 * np.sin(2 * np.pi * 220 * time), 0.3 * np.sin(2 * np.pi * 331 * time)])[:channels]
    return Sound((tones + noise).astype(np.float32), rate)


def saved(folder: Path, data: bytes, name: str = "sound.bin") -> Path:
    (folder / name).write_bytes(data)
    return folder / name


@pytest.mark.parametrize("kind", SOUND_FORMATS)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_format_keeps_the_length_the_channels_and_what_is_heard(kind: str, channels: int, tmp_path: Path) -> None:
    sound = music(1.2345, channels)
    back = read(saved(tmp_path, encode(sound, kind, Tags())))
    assert back.rate == RATE
    assert back.samples.shape == sound.samples.shape
    assert back.samples.dtype == np.float32
    error = np.sqrt(np.mean((back.samples - sound.samples) ** 2))
    assert error < {"flac": 1e-7, "wav24": 1e-7, "wav16": 3e-5, "mp3": 5e-3, "ogg": 8e-3, "opus": 1e-2}[kind]


@pytest.mark.parametrize("kind", SOUND_FORMATS)
def test_every_format_keeps_its_tags_in_any_script(kind: str) -> None:
    with soundfile.SoundFile(io.BytesIO(encode(music(), kind, FULL))) as file:
        found = file.copy_metadata()
    assert (found["title"], found["artist"], found["comment"], found["date"]) == (UNICODE, "Atelier", FULL.comment, "2026-11-22")
    assert found["software"].startswith("Atelier 1")


@pytest.mark.parametrize("kind", SOUND_FORMATS)
def test_the_same_sound_makes_the_same_samples_in_every_format(kind: str) -> None:
    first, second = (samples_of(encode(music(), kind, Tags())) for _ in range(2))
    assert np.array_equal(first, second)


def test_tags_that_no_file_can_hold_are_cleaned() -> None:
    with soundfile.SoundFile(io.BytesIO(encode(music(), "flac", Tags(title="a\x00b\ud800")))) as file:
        assert file.title == "ab?"


def test_flac_and_wide_wav_hold_exactly_the_quantised_samples() -> None:
    sound = Sound(np.concatenate([music().samples, [[1.0, -1.0, 1.5, -2.0], [0.0, 2.0**-23, 2.0**-24, -(2.0**-25)]]], axis=1), RATE)
    whole = quantised(sound)
    assert (whole.min(), whole.max()) == (-(1 << 23), (1 << 23) - 1)
    for kind in ("flac", "wav24"):
        assert np.array_equal(samples_of(encode(sound, kind, Tags())), whole)


def test_narrow_wav_is_dithered_without_a_bias() -> None:
    quiet = Sound(np.full((1, RATE), 0.3 / 32768, np.float32), RATE)
    values = samples_of(encode(quiet, "wav16", Tags()))[0] / 256
    assert abs(values.mean() - 0.3) < 0.02
    assert 0.45 < values.std() < 0.55


@pytest.mark.parametrize("rate", [8_000, 22_050, 32_000, 44_100])
def test_opus_has_48_khz_and_every_format_its_exact_seconds(rate: int, tmp_path: Path) -> None:
    sound = music(1.0, 1, rate)
    for kind in SOUND_FORMATS:
        back = read(saved(tmp_path, encode(sound, kind, Tags())))
        assert back.rate == (48_000 if kind == "opus" else rate)
        assert back.samples.shape[1] == back.rate


def test_an_odd_rate_becomes_an_mp3(tmp_path: Path) -> None:
    assert read(saved(tmp_path, encode(music(0.5, 1, 96_000), "mp3", Tags()))).rate == 48_000


def test_minutes_of_vorbis_can_be_written() -> None:
    assert len(encode(Sound(np.zeros((1, 4_000_000), np.float32), RATE), "ogg", Tags())) > 1000


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(InvalidInput, match="wav16") as error:
        encode(music(), "aiff", Tags())
    assert error.value.field == "format"


def test_resampling_keeps_tones_and_drops_what_the_new_rate_cannot_hold() -> None:
    time = np.arange(RATE) / RATE
    low, high = (Sound(np.sin(2 * np.pi * f * time, dtype=np.float64)[None].astype(np.float32), RATE) for f in (1000, 14_000))
    down = resampled(low, 22_050)
    assert down.samples.shape == (1, 22_050)
    middle = slice(1000, -1000)
    assert np.allclose(down.samples[0, middle], np.sin(2 * np.pi * 1000 * np.arange(22_050) / 22_050)[middle], atol=1e-3)
    assert np.abs(resampled(high, 22_050).samples[0, middle]).max() < 1e-4


def test_channels_are_averaged_and_doubled() -> None:
    pair = Sound(np.array([[1, 0], [0, 0.5]], np.float32), RATE)
    assert mono(pair).samples.tolist() == [[0.5, 0.25]]
    assert stereo(mono(pair)).samples.tolist() == [[0.5, 0.25]] * 2


# What strangers hand in. ------------------------------------------------------------------------------------------------------------


def refused(path: Path, words: str) -> None:
    with pytest.raises(MediaUnreadable, match=words) as error:
        read(path)
    said = str(error.value)
    assert error.value.field == "reference"
    assert said.endswith(".") and ". " not in said
    assert str(path.parent) not in said


def test_files_that_are_no_sound_are_refused_in_one_sentence(tmp_path: Path) -> None:
    refused(tmp_path, "folder")
    refused(tmp_path / "missing.wav", "not there")
    refused(saved(tmp_path, b""), "empty")
    refused(saved(tmp_path, b"Dear diary, today it rained.", "text.wav"), "no sound")
    refused(saved(tmp_path, b"MThd\x00\x00\x00\x06" + bytes(40)), "no sound")
    refused(saved(tmp_path, bytes(100), "zeros.raw"), "no sound")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "not there")


@pytest.mark.parametrize(
    "start", [b"RIFF\xff\xff\xff\xffWAVE", b"fLaC", b"OggS", b"ID3\x04", b"\xff\xfb\x90\x64", b"FORM0000AIFF", b"caff"]
)
def test_a_beginning_alone_is_refused(start: bytes, tmp_path: Path) -> None:
    refused(saved(tmp_path, start), "damaged")
    refused(saved(tmp_path, start + bytes(300)), "damaged|silent|no sound|says|shorter")


def wav(samples: np.ndarray, rate: int = RATE, subtype: str = "FLOAT") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, subtype, format="WAV")
    return file.getvalue()


def test_sounds_of_no_use_are_refused_in_one_sentence(tmp_path: Path) -> None:
    refused(saved(tmp_path, wav(np.zeros(1), subtype="PCM_16")), "shorter")
    refused(saved(tmp_path, wav(np.zeros((9600, 64)), subtype="PCM_16")), "64 channels")
    for value in (np.nan, np.inf, -np.inf):
        samples = np.zeros(RATE)
        samples[70_000 % RATE] = value
        refused(saved(tmp_path, wav(samples)), "no numbers")
    for rate in (0, 1, 4_000_000_000):
        data = bytearray(wav(np.zeros(RATE), subtype="PCM_16"))
        data[24:28] = struct.pack("<I", rate)
        refused(saved(tmp_path, bytes(data)), "samples a second|damaged|shorter|longer")


def test_ten_hours_are_refused_before_they_are_read(tmp_path: Path) -> None:
    head = wav(np.zeros(100), 8_000, "PCM_16")[:44]
    size = 36_000 * 8_000 * 2
    data = head[:4] + struct.pack("<I", size + 36) + head[8:40] + struct.pack("<I", size)
    path = saved(tmp_path, data, "long.wav")
    os.truncate(path, 44 + size)  # a sparse file
    refused(path, "longer than 10 minutes")


def test_a_sound_over_the_limit_or_of_untold_length_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, wav(np.zeros(RATE), subtype="PCM_16"))
    assert read(path, 1).samples.shape == (1, RATE)
    with pytest.raises(MediaUnreadable, match="longer than 0.5 seconds"):
        read(path, 0.5)
    flac = bytearray(encode(music(), "flac", Tags()))
    flac[21:26] = bytes((flac[21] & 0xF0, 0, 0, 0, 0))  # the count of samples may be left open (RFC 9639, 8.2)
    refused(saved(tmp_path, bytes(flac)), "does not say how long")


@pytest.mark.parametrize("claimed", [4_000_000_000, 20_000_000])
@pytest.mark.parametrize("kind", ["flac", "wav16"])
def test_a_header_that_lies_costs_no_memory(kind: str, claimed: int, tmp_path: Path) -> None:
    data = bytearray(encode(music(), kind, Tags()))
    if kind == "flac":
        data[21] = data[21] & 0xF0 | claimed >> 32
        data[22:26] = struct.pack(">I", claimed & 0xFFFFFFFF)
    else:
        place = data.index(b"data") + 4
        data[place : place + 4] = struct.pack("<I", claimed)
    path = saved(tmp_path, bytes(data))
    tracemalloc.start()
    try:
        refused(path, "longer|damaged")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8_000_000


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(list(SOUND_FORMATS)), share=st.floats(0, 0.999))
def test_a_file_that_is_cut_off_is_refused_or_shorter_never_a_crash(kind: str, share: float, tmp_path: Path) -> None:
    data = encode(music(0.6), kind, FULL)
    cut = data[: int(len(data) * share)]
    try:
        back = read(saved(tmp_path, cut))
    except MediaUnreadable:
        pass
    else:
        assert back.samples.shape[1] <= 0.6 * RATE + 1 and np.isfinite(back.samples).all()
        assert kind in ("mp3", "ogg", "opus", "wav16", "wav24")
        assert kind[:3] != "wav" or back.samples.shape[1] == round(0.6 * RATE)  # only tags were lost
    for look in (read_record, check):
        try:
            look(cut)
        except InvalidInput:
            pass


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(list(SOUND_FORMATS)),
    changes=st.lists(st.tuples(st.floats(0, 0.9999), st.integers(0, 255)), min_size=1, max_size=8),
    early=st.booleans(),
)
def test_a_file_with_broken_bytes_is_refused_or_read_never_a_crash(
    kind: str, changes: list[tuple[float, int]], early: bool, tmp_path: Path
) -> None:
    data = bytearray(encode(music(0.3, 1), kind, Tags(title="t")))
    for share, value in changes:
        data[int((min(len(data), 300) if early else len(data)) * share)] = value
    for look in (lambda: read(saved(tmp_path, bytes(data))), lambda: read_record(bytes(data))):
        said = "."
        try:
            look()
        except InvalidInput as error:
            said = str(error)
        assert said.endswith(".")


def test_floats_beyond_full_scale_are_scaled_and_many_channels_averaged(tmp_path: Path) -> None:
    loud = np.linspace(-4, 2, RATE)
    back = read(saved(tmp_path, wav(loud)))
    assert np.allclose(back.samples[0], loud / 4, atol=1e-6)
    six = np.zeros((RATE, 6))
    six[:, 2] = 0.6
    assert np.allclose(read(saved(tmp_path, wav(six))).samples, np.full((1, RATE), 0.1), atol=1e-6)


def test_the_name_of_a_file_says_nothing_about_it(tmp_path: Path) -> None:
    data = encode(music(), "flac", Tags())
    for name in ("sound.raw", "sound.mp3", "sound", "sound.txt"):
        assert read(saved(tmp_path, data, name)).samples.shape == (2, RATE)


# The record. ------------------------------------------------------------------------------------------------------------------------


def test_a_flac_carries_its_record_and_its_exact_samples() -> None:
    made = record(UNICODE, note=UNICODE)
    data = encode_flac(music(), made, UNICODE)
    assert read_record(data) == made
    assert np.array_equal(samples_of(data), quantised(music()))
    check(data)
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        assert (file.title, file.artist, file.date) == (UNICODE, "Atelier", made.created[:10])


@pytest.mark.parametrize("kind", SOUND_FORMATS)
def test_every_format_carries_the_record_and_says_whether_it_is_exact(kind: str, tmp_path: Path) -> None:
    made = record(UNICODE, note=UNICODE)
    path = saved(tmp_path, encode_copy(music(), kind, made, UNICODE))
    back = read_record(path)
    assert back is not None
    assert (back.task, back.asked) == (made.task, made.asked)
    copy = back.facts.get("copy")
    assert copy == (None if kind == "flac" else {"format": kind, "lossless": kind == "wav24"})
    check(path)


@pytest.mark.parametrize("kind", SOUND_FORMATS)
def test_a_record_of_a_megabyte_survives_where_there_is_room(kind: str) -> None:
    made = record("an owl", note="🦉x" * 200_000)
    assert 1_000_000 < len(to_json(made).encode()) < SIZE_LIMIT - 100
    data = encode_copy(music(), kind, made)
    back = read_record(data)
    assert back is not None and back.task == made.task
    if kind == "opus":
        assert back.facts == {"copy": {"format": "opus", "lossless": False, "left_out": ["facts"]}}
    else:
        assert back.facts["note"] == made.facts["note"]
    check(data)


def test_a_file_of_another_program_has_no_record() -> None:
    for kind in SOUND_FORMATS:
        assert read_record(encode(music(), kind, Tags())) is None
        assert read_record(encode(music(), kind, FULL)) is None
        assert comments(io.BytesIO(encode(music(), kind, FULL))) == [FULL.comment]


def test_a_damaged_or_newer_record_is_refused() -> None:
    text = to_json(record())
    damaged = encode(music(), "flac", Tags(comment=text[:-20]))
    newer = encode(music(), "flac", Tags(comment=json.dumps(json.loads(text) | {"schema_version": 99})))
    with pytest.raises(MediaUnreadable, match="damaged"):
        read_record(damaged)
    with pytest.raises(InvalidInput, match="newer"):
        read_record(newer)
    with pytest.raises(MediaUnreadable):
        check(damaged)
    assert parse(text) == record().model_copy(update={"created": parse(text).created, "software": parse(text).software})


def test_a_flac_that_ends_early_or_is_changed_fails_the_check() -> None:
    data = encode_flac(music(), record())
    for wrong in (data[: len(data) // 2], data[:-30], b"", b"RIFF", data[:60]):
        with pytest.raises(MediaUnreadable):
            check(wrong)
    with pytest.raises(MediaUnreadable):
        read_record(Path("/"))


def test_a_comment_that_lies_about_its_length_costs_no_memory() -> None:
    head = b"fLaC\x84" + (0xFFFFFF).to_bytes(3, "big")
    with pytest.raises(MediaUnreadable, match="1 MB"):
        read_record(head + bytes(2_000_000))
    with pytest.raises(MediaUnreadable, match="damaged"):
        read_record(b"fLaC\x84\x00\x00\x10" + struct.pack("<II", 0, 4_000_000_000) + bytes(8))


def test_blocks_of_a_long_file_stay_small() -> None:
    data = encode(Sound(np.zeros((2, 3_000_000), np.float32), RATE), "flac", Tags())
    sizes = [block.shape for block in files.blocks(data)]
    assert sum(size[1] for size in sizes) == 3_000_000
    assert max(size[1] for size in sizes) <= files.BLOCK


# The source type, and the beginning of a long sound. ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["flac", "wav16", "mp3"])
def test_an_address_in_a_comment_is_no_source_type(kind: str) -> None:
    for words in ("https://example.org/my-songs", "http://example.org/digitalsourcetype/", "httpfoo"):
        assert read_source(encode(music(), kind, Tags(comment=words))) == ""
        assert read_source(encode(music(), kind, Tags(comment=words, source=TRAINED))) == TRAINED
    secure = TRAINED.replace("http:", "https:")
    assert read_source(encode(music(), kind, Tags(source=secure))) == secure
