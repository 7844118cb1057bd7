"""One part of a score played by a soundfont, through `midirenderer` (Rust, 48 kHz). Knows no other part and no effect of ours.

The renderer acts on events between blocks of 64 samples. The events are therefore written on a clock of half blocks, each half a block
before the border nearest to it, so that a note begins within 32 samples (0.7 ms) of its time, and never depends on rounding.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from studio.errors import InvalidInput
from studio.music.envelopes import RATE, Signal
from studio.music.score import Note, Part, Score

_BLOCK = 64
_CLOCK = 2 * RATE // _BLOCK  # ticks in a second
_HEADER = 44


def play(score: Score, part: Part, length: int, soundfont: Path, tell: Callable[[], None] = lambda: None) -> Signal:
    """(2, length) the part at velocity's own level, unpanned. `tell` is called every now and then, and may raise.

    It is played in stretches of what begins within `_STRETCH` seconds, with what rings on after it, which overlap and add up: the renderer
    keeps all of Python waiting while it works, and cannot be stopped. Raises InvalidInput with the field `bank` for a broken soundfont.
    """
    made = np.zeros((2, length), dtype=np.float32)
    scale = 60 / score.quarters_a_minute * RATE / _BLOCK
    last = -(-length // _BLOCK)
    placed = [(max(0, round(note.start * scale)), min(last, round((note.start + note.length) * scale)), note) for note in part.notes]
    placed.sort(key=lambda one: one[0])
    while placed and (rest := length - placed[0][0] * _BLOCK) > 0:
        tell()
        first = placed[0][0]
        here = [(start - first, end - first, note) for start, end, note in placed if start < first + _STRETCH * RATE // _BLOCK]
        placed = placed[len(here) :]
        lasting = min(rest, max(end for _, end, _ in here) * _BLOCK + _RINGS * RATE)
        played = _rendered(soundfont, _midi(part, here, lasting))[:, :lasting]
        fade = min(played.shape[1], RATE // 10)
        played[:, played.shape[1] - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)
        made[:, first * _BLOCK : first * _BLOCK + played.shape[1]] += played
    return made * np.float32(_DRUMS_LOUDER if part.drums else _LOUDER)


_LOUDER, _DRUMS_LOUDER = 2.5, 4.0  # soundfont players leave room for 64 voices at once; a part of ours has a few
_STRETCH = 30  # seconds
_RINGS = 4  # seconds that are heard after the last key went up


def _rendered(soundfont: Path, midi: bytes) -> Signal:
    """(2, samples) what the renderer makes of a MIDI file: the samples of a 16-bit WAV file with a plain header."""
    from midirenderer import render_wave_from

    try:
        wave = render_wave_from(_bytes(soundfont, soundfont.stat().st_mtime_ns), midi)
    except (OSError, ValueError, RuntimeError):
        raise InvalidInput(f"The soundfont {soundfont.name} cannot be played: choose another set of sounds.", "bank") from None
    return np.frombuffer(wave, dtype="<i2", offset=_HEADER).reshape(-1, 2).T * np.float32(1 / 32768)


@lru_cache(maxsize=1)
def _bytes(path: Path, _changed: int) -> bytes:
    return path.read_bytes()


def _midi(part: Part, notes: list[tuple[int, int, Note]], length: int) -> bytes:
    """Notes, with the blocks where they begin and end, as a MIDI file of one track that lasts `length` samples."""
    channel = 9 if part.drums else 0
    events = [(0, 0, bytes((0xB0 | channel, control, value))) for control, value in ((0, 0), (7, 127), (10, 64), (91, 40), (93, 0))]
    events.append((0, 1, bytes((0xC0 | channel, part.program % 128))))
    for start, end, note in notes:
        pitch, velocity = min(max(note.pitch, 0), 127), _velocity(note.velocity)
        events.append((max(0, 2 * start - 1), 3, bytes((0x90 | channel, pitch, velocity))))
        events.append((2 * max(end, start + 1) - 1, 2, bytes((0x80 | channel, pitch, 0))))
    last = max(time for time, _, _ in events)
    events.append((max(last, 2 * -(-length // _BLOCK)), 4, b"\xff\x2f\x00"))
    track, before = bytearray(b"\x00\xff\x51\x03" + (1_000_000).to_bytes(3, "big")), 0
    for time, _, event in sorted(events):
        track += _variable(time - before) + event
        before = time
    return (
        b"MThd" + (6).to_bytes(4, "big") + bytes((0, 0, 0, 1)) + _CLOCK.to_bytes(2, "big") + b"MTrk" + len(track).to_bytes(4, "big") + track
    )


def _velocity(played: int) -> int:
    """The velocity at which a soundfont, whose level is velocity squared, is as loud as the studio's own synthesiser."""
    return round(100 * (min(max(played, 1), 127) / 100) ** 0.6)


def _variable(number: int) -> bytes:
    """A number in MIDI's variable length."""
    parts = [number & 127]
    while number := number >> 7:
        parts.append(number & 127 | 128)
    return bytes(reversed(parts))
