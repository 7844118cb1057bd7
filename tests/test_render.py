"""Scores become sound: pitch, time, level and silence of every voice, on both banks; stems, tails and loops to the sample."""

from __future__ import annotations

import importlib.util
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from studio.creations import Preview, Progress, Sound
from studio.errors import Cancelled, InvalidInput
from studio.music import soundfont, synth
from studio.music.banks import OWN, Bank, bank_named, banks
from studio.music.drums import KITS, kind, strike
from studio.music.loops import seam
from studio.music.patches import PATCHES, PROGRAMS, kit_name, patch_name
from studio.music.render import fold, render, role, stems
from studio.music.score import Key, Meter, Note, Part, Score

RATE = 48_000
OURS = banks()[0]
BANKS = [pytest.param(bank, id=bank.name) for bank in banks()]
DEEP = ("upright", "bass", "slap", "synthbass", "acid", "sub", "fm bass", "timpani")


def piece(*parts: Part, bars: int = 2, bpm: float = 120.0) -> Score:
    return Score(bpm, Key.read("C"), Meter(4, 4), bars, parts)


def alone(patch: str, *notes: Note, bars: int = 2) -> Score:
    return piece(Part("Melody", 0, notes, patch=patch), bars=bars)


def band(bars: int = 4) -> Score:
    """Six instruments that do what six instruments do."""
    chords = ((57, 60, 64), (53, 57, 60), (48, 52, 55), (55, 59, 62))
    dice = np.random.default_rng(5)
    parts: dict[str, list[Note]] = {name: [] for name in ("Melody", "Chords", "Pad", "Bass", "Arpeggio", "Drums")}
    for bar in range(bars):
        chord, start = chords[bar % 4], bar * 4.0
        parts["Melody"] += [Note(start + step / 2, 0.45, int(dice.choice(chord)) + 12, int(dice.integers(70, 110))) for step in range(8)]
        parts["Chords"] += [Note(start + half, 1.8, pitch, 80) for half in (0, 2) for pitch in chord]
        parts["Pad"] += [Note(start, 4, pitch + 12, 70) for pitch in chord]
        parts["Bass"] += [Note(start + beat, 0.9, chord[0] - 20, 95) for beat in (0, 1.5, 2, 3)]
        parts["Arpeggio"] += [Note(start + step / 4, 0.2, chord[step % 3] + 12, 60) for step in range(16)]
        parts["Drums"] += [Note(start + step / 2, 0.1, 46 if step == 7 else 42, 80) for step in range(8)]
        parts["Drums"] += [Note(start + beat, 0.1, pitch, 105) for beat, pitch in ((0, 36), (1, 38), (2.5, 36), (3, 38))]
    programs = {"Melody": (0, "piano"), "Chords": (4, "epiano"), "Pad": (89, "pad"), "Bass": (38, "synthbass"), "Arpeggio": (84, "pluck")}
    return piece(
        *(
            Part(name, *programs.get(name, (0, ""))[:1], tuple(notes), name == "Drums", programs.get(name, (0, ""))[1], 1.0, pan)
            for (name, notes), pan in zip(parts.items(), (0, -0.3, 0, 0, 0.3, 0), strict=True)
        ),
        bars=bars,
    )


def pitch_of(sound: NDArray[np.float32], near: float) -> float:
    """Where the energy around a frequency has its centre, in cents from it."""
    mono = sound.mean(axis=0)
    power = np.abs(np.fft.rfft(mono * np.hanning(len(mono)), 1 << 19)) ** 2
    hertz = np.fft.rfftfreq(1 << 19, 1 / RATE)
    around = np.abs(1200 * np.log2(np.maximum(hertz, 1) / near)) < 60
    assert power[around].sum() > 0.003 * power.sum(), "nothing sounds there"
    return 1200 * float(np.log2((power[around] * hertz[around]).sum() / power[around].sum() / near))


def loudness(sound: NDArray[np.float32]) -> float:
    from pyloudnorm import Meter as LoudnessMeter

    return LoudnessMeter(RATE).integrated_loudness(sound.T.astype(np.float64))


# The patches ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PATCHES)
def test_every_patch_plays_its_pitch_without_a_click_and_without_an_offset(name: str):
    for pitch in (33, 45) if name in DEEP else (55, 76):
        hertz = 440 * 2 ** ((pitch - 69) / 12)
        made = PATCHES[name].voice.note(hertz, 2 * RATE, 0.8)
        assert made.dtype == np.float32 and made.shape[0] in (1, 2) and np.isfinite(made).all()
        assert abs(pitch_of(made, hertz)) < 3
        assert np.abs(made[:, 0]).max() < 1e-3 and np.abs(made[:, -1]).max() < 1e-3
        assert abs(float(made.mean())) < 0.01 * float(np.abs(made).max())


def test_all_patches_are_equally_loud_at_equal_velocity():
    found = {}
    for name in PATCHES:
        pitches = (36, 43, 47, 40) if name in DEEP else (60, 67, 76, 64)
        score = alone(name, *(Note(beat, 0.9, pitch, 100) for beat, pitch in enumerate(pitches)), bars=1)
        found[name] = loudness(synth.play(score, score.parts[0], round(score.seconds * RATE)))
    assert max(found.values()) - min(found.values()) < 3, found


@pytest.mark.parametrize("name", ["chip square", "chip pulse", "saw", "acid", "super saw", "poly", "epiano", "fm bass", "strings"])
def test_high_notes_do_not_alias(name: str):
    hertz = 440 * 2 ** ((98 - 69) / 12)
    made = PATCHES[name].voice.note(hertz, RATE, 1.0).mean(axis=0)[6000:38_768]
    power = np.abs(np.fft.rfft(made * np.blackman(len(made)))) ** 2
    at = np.fft.rfftfreq(len(made), 1 / RATE) / hertz
    beside = np.abs(at - np.round(at)) > 0.06 * np.maximum(np.round(at), 1)
    assert power[beside].sum() < 1e-4 * power.sum()


@pytest.mark.parametrize("name", ["piano", "saw", "nylon", "epiano", "bell"])
def test_velocity_changes_level_and_tone(name: str):
    soft, hard = (synth.play(score, score.parts[0], RATE) for score in (alone(name, Note(0, 1, 60, 40)), alone(name, Note(0, 1, 60, 120))))
    assert 5 < 20 * np.log10(np.abs(hard).max() / np.abs(soft).max()) < 24

    def brightness(sound: NDArray[np.float32]) -> float:
        power = np.abs(np.fft.rfft(sound.mean(axis=0))) ** 2
        return float((power * np.fft.rfftfreq(RATE, 1 / RATE)).sum() / power.sum())

    assert brightness(hard) > 1.02 * brightness(soft)


def test_every_program_and_every_unknown_patch_has_a_voice():
    assert len(PROGRAMS) == 128 and set(PROGRAMS) <= set(PATCHES)
    assert patch_name("", 73) == patch_name("nose flute", 73) == "flute"
    assert patch_name("Chip-Pulse", 0) == "chip pulse"
    assert kit_name("kit", 0) == "acoustic kit" and kit_name("machine", 25) == kit_name("", 25) == "electronic kit"
    assert kit_name("kit", 40) == "brush kit" and kit_name("Lo-fi kit", 0) == "lofi kit"


@pytest.mark.parametrize("kit", KITS)
def test_every_drum_of_every_kit_sounds_ends_and_does_not_clip(kit: str):
    kinds = {kind(pitch): pitch for pitch in range(27, 88)}
    for pitch in {27, 87, *kinds.values()}:
        made = strike(kit, pitch, 0.8)
        assert np.isfinite(made).all() and 0.05 < np.abs(made).max() <= 1.42, pitch
        assert abs(made[0, 0]) < 1e-3 and abs(made[0, -1]) < 1e-3
    assert {kind(pitch) for pitch in (35, 38, 39, 42, 46, 49, 51, 45)} == {
        "kick", "snare", "clap", "closed hat", "open hat", "crash", "ride", "tom",
    }  # fmt: skip


def test_a_kick_is_low_and_a_hat_is_high():
    def centre(pitch: int) -> float:
        power = np.abs(np.fft.rfft(strike("acoustic kit", pitch, 0.8)[0], RATE)) ** 2
        return float((power * np.arange(len(power))).sum() / power.sum())

    assert centre(36) < 200 < centre(38) < centre(42) and centre(42) > 5000


def test_a_closed_hat_chokes_an_open_one():
    free, choked = (
        synth.play(score, score.parts[0], RATE)[:, RATE // 2 :]
        for score in (
            piece(Part("Drums", 0, (Note(0, 0.1, 46, 100),), drums=True)),
            piece(Part("Drums", 0, (Note(0, 0.1, 46, 100), Note(0.25, 0.1, 42, 1)), drums=True)),
        )
    )
    assert np.abs(choked).max() < 0.3 * np.abs(free).max()


# Time, silence and level ------------------------------------------------------------------------------------------------------------


def test_notes_of_our_own_begin_on_their_sample():
    at = 1.2345
    made = render(alone("chip square", Note(at, 1, 69, 100)), OURS).samples
    start = round(at * 0.5 * RATE)
    assert not made[:, : start + 1].any() and np.abs(made[:, start : start + 12]).max() > 0


@pytest.mark.skipif(len(banks()) < 2, reason="pretty_midi is not installed")
def test_notes_of_a_soundfont_begin_within_a_millisecond():
    late = []
    for at in np.linspace(0.5, 0.52, 5):
        made = render(piece(Part("Drums", 0, (Note(float(at), 0.2, 75, 127),), drums=True)), banks()[1]).samples
        level = np.abs(made).max(axis=0)
        late.append(np.flatnonzero(level > 0.02 * level.max())[0] - at * 0.5 * RATE)
    assert np.abs(late).max() < 48


@pytest.mark.parametrize("bank", BANKS)
def test_nothing_sounds_before_the_first_note_and_nothing_is_silent_at_the_end(bank: Bank):
    made = render(alone("piano", Note(1, 0.5, 60), bars=1), bank).samples
    assert not made[:, : RATE // 2 - 64].any() and np.abs(made).max() > 0.02
    last = made[:, -RATE // 10 :]
    assert made.shape[1] == 2 * RATE or np.abs(last).max() > 10 ** (-75 / 20)
    assert 2 * RATE <= made.shape[1] <= 8 * RATE


@pytest.mark.parametrize("bank", BANKS)
def test_a_piece_lasts_its_bars_and_what_rings_on(bank: Bank):
    score = alone("bell", Note(7, 1, 60, 110))
    ringing = render(score, bank)
    assert 4 < ringing.seconds < 10 and ringing.rate == RATE and ringing.samples.dtype == np.float32
    assert render(score, bank, tail=0).samples.shape[1] == 4 * RATE
    assert render(piece(), bank).samples.shape == (2, 4 * RATE)


@pytest.mark.parametrize("bank", BANKS)
def test_the_stems_add_up_to_the_mix_to_the_last_bit(bank: Bank):
    score = band(2)
    mix = render(score, bank).samples
    parts = stems(score, bank)
    assert list(parts) == ["Melody", "Chords", "Pad", "Bass", "Arpeggio", "Drums"]
    assert np.array_equal(sum(parts.values()), mix) and np.array_equal(sum(reversed(parts.values())), mix)
    assert np.isfinite(mix).all() and 0.1 < np.abs(mix).max() < 1
    for name, sound in parts.items():
        assert sound.shape == mix.shape and np.abs(sound).max() > 0.01, name


@pytest.mark.parametrize("bank", BANKS)
def test_a_crowd_at_full_force_does_not_clip(bank: Bank):
    crowd = tuple(Part(f"Pad {number}", 48, tuple(Note(0, 3, pitch, 127) for pitch in range(48, 72, 3)), volume=1.5) for number in range(3))
    made = render(piece(*crowd, bars=1), bank).samples
    assert 0.4 < np.abs(made).max() < 1
    assert np.array_equal(sum(stems(piece(*crowd, bars=1), bank).values()), made)


@pytest.mark.parametrize("bank", BANKS)
def test_volume_and_pan_are_obeyed(bank: Bank):
    def levels(volume: float, pan: float) -> NDArray[np.float64]:
        score = piece(Part("Melody", 4, (Note(0, 2, 60),), patch="marimba", volume=volume, pan=pan))
        return np.sqrt((render(score, bank).samples.astype(np.float64) ** 2).mean(axis=1))

    middle = levels(1, 0)
    assert 0.8 < middle[0] / middle[1] < 1.25
    assert levels(0.5, 0).sum() == pytest.approx(middle.sum() / 2, rel=0.02)
    left = levels(1, -0.8)
    assert left[0] > 4 * left[1] and np.sqrt((left**2).sum()) == pytest.approx(np.sqrt((middle**2).sum()), rel=0.15)


def test_melody_stands_before_what_accompanies_it():
    parts = {name: loudness(sound) for name, sound in stems(band(4), OURS).items()}
    assert parts["Melody"] > parts["Chords"] and parts["Melody"] > parts["Pad"] and parts["Melody"] > parts["Arpeggio"] + 2
    assert abs(parts["Drums"] - parts["Melody"]) < 6 and abs(parts["Bass"] - parts["Melody"]) < 6


def test_the_role_of_a_part_is_heard_in_its_notes():
    assert role(Part("Harp", 46, tuple(Note(beat, 1, 60 + beat) for beat in range(4)))) == "line"
    assert role(Part("Harp", 46, (Note(0, 1, 60),)), first=True) == role(Part("Saw lead", 81, (Note(0, 1, 60),))) == "melody"
    assert role(Part("Strings", 48, tuple(Note(0, 4, pitch) for pitch in (60, 64, 67)))) == "pad"
    assert role(Part("Guitar", 24, tuple(Note(0, 1, pitch) for pitch in (60, 64, 67)))) == "chords"
    assert role(Part("Tuba", 58, (Note(0, 1, 36),))) == role(Part("Bass pad", 0, (Note(0, 1, 80),))) == "bass"


@pytest.mark.parametrize("bank", BANKS)
def test_the_same_score_is_the_same_sound(bank: Bank):
    first, second = render(band(1), bank), render(band(1), bank)
    assert first.samples.tobytes() == second.samples.tobytes()


def test_parts_of_one_name_are_two_stems():
    parts = tuple(Part("Violin", 40, (Note(0, 1, pitch),)) for pitch in (60, 64))
    assert list(stems(piece(*parts), OURS)) == ["Violin", "Violin 2"]


def test_notes_beyond_every_bound_are_bounded():
    odd = (Note(0, 0, 60), Note(-1, 1, 60), Note(0, 1, 140, 200), Note(0, 1, -3, 0), Note(900, 1, 60), Note(1, 1e6, 60))
    for bank in banks():
        made = render(piece(Part("Melody", 0, odd), bars=1), bank).samples
        assert np.isfinite(made).all() and made.shape[1] <= 8 * RATE


# Loops ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bank", BANKS)
def test_a_folded_loop_has_its_exact_length_and_no_jump_at_the_seam(bank: Bank):
    score = replace(band(2), bpm=97.3)
    loop = fold(render(score, bank), score.seconds)
    assert loop.samples.shape == (2, round(score.seconds * RATE)) and np.abs(loop.samples).max() < 1
    assert seam(loop).jump_db < -40


def test_folding_adds_what_rings_on_to_the_beginning():
    ramp = Sound(np.arange(1, 26, dtype=np.float32)[None] / np.float32(100), 10)
    assert fold(ramp, 1).samples[0] == pytest.approx((np.arange(1, 11) + np.arange(11, 21) + np.r_[21:26, [0] * 5]) / 100)
    assert fold(ramp, 3).samples[0] == pytest.approx(np.r_[1:26, [0] * 5] / 100)
    loud = fold(Sound(np.full((2, 20), 0.9, dtype=np.float32), 10), 1).samples
    assert loud.shape == (2, 10) and np.abs(loud).max() < 1


# Banks, progress and speed ----------------------------------------------------------------------------------------------------------


def test_the_banks_say_their_licence_and_are_found_by_name():
    assert Bank(OWN, "Apache-2.0", None) == OURS and bank_named(" atelier synth ") == OURS
    if importlib.util.find_spec("pretty_midi") is not None:
        carried = bank_named("timgm6mb")
        assert carried.licence == "GPL-2.0 samples" and carried.file is not None and carried.file.is_file()


def test_an_unknown_bank_is_refused_with_the_known_names():
    with pytest.raises(InvalidInput, match=r"no set of sounds called 'Grand Orchestra': choose one of Atelier Synth") as refused:
        bank_named("Grand Orchestra")
    assert refused.value.field == "bank"


def test_without_the_package_its_bank_is_not_listed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert [bank.name for bank in banks()] == [OWN]


def test_soundfonts_that_are_none_are_refused_in_one_sentence(tmp_path: Path):
    for content, words in ((b"", "no soundfont"), (b"RIFF\x04\0\0\0WAVE", "no soundfont"), (b"RIFF\xff\xff\0\0sfbk", "cut short")):
        path = tmp_path / "mine.sf2"
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match=words) as refused:
            banks(path)
        assert refused.value.field == "bank" and str(tmp_path) not in str(refused.value)
    with pytest.raises(InvalidInput, match="cannot be read"):
        banks(tmp_path / "absent.sf2")
    path.write_bytes(b"RIFF\x04\0\0\0sfbk")
    brought = bank_named("mine", path)
    assert brought.licence == "unknown"
    with pytest.raises(InvalidInput, match="cannot be played"):
        render(alone("piano", Note(0, 1, 60)), brought)


@pytest.mark.skipif(len(banks()) < 2, reason="pretty_midi is not installed")
def test_a_soundfont_of_the_users_plays(tmp_path: Path):
    carried = banks()[1].file
    assert carried is not None
    (tmp_path / "TimGM6mb.sf2").write_bytes(carried.read_bytes())
    brought = banks(tmp_path / "TimGM6mb.sf2")[-1]
    assert brought.name == "TimGM6mb (yours)"
    score = alone("piano", Note(0, 1, 60))
    assert np.array_equal(render(score, brought).samples, render(score, banks()[1]).samples)


@pytest.mark.parametrize("bank", BANKS)
def test_a_stopped_render_stops_at_its_next_part(bank: Bank):
    seen: list[str] = []

    def report(event: Progress | Preview) -> None:
        assert isinstance(event, Progress) and event.total == 6 and event.unit == "parts"
        seen.append(event.note)
        if event.note == "Pad":
            raise Cancelled

    with pytest.raises(Cancelled):
        render(band(1), bank, report=report)
    assert list(dict.fromkeys(seen)) == ["Melody", "Chords", "Pad"]


@pytest.mark.skipif(len(banks()) < 2, reason="pretty_midi is not installed")
def test_a_long_part_is_played_in_stretches_that_sound_as_one(monkeypatch: pytest.MonkeyPatch):
    score = alone("piano", *(Note(beat, 0.9, 60 + beat % 12) for beat in range(16)), bars=4)
    whole = render(score, banks()[1]).samples
    monkeypatch.setattr(soundfont, "_STRETCH", 2)
    parted = render(score, banks()[1]).samples
    size = min(whole.shape[1], parted.shape[1])
    assert np.abs(whole[:, :size] - parted[:, :size]).max() < 0.01 * np.abs(whole).max()


@pytest.mark.parametrize("bank", BANKS)
def test_a_quarter_of_a_minute_of_six_instruments_costs_little(bank: Bank):
    score = band(8)  # 16 s
    render(band(1), bank)
    start = time.process_time()
    render(score, bank)
    assert time.process_time() - start < (8 if bank is OURS else 13)
