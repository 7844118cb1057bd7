"""Effects for a whole part: reverb, echo, chorus, drive and the sound of an old tape. Knows no note and no instrument.

Every effect takes and gives (2, samples) float32 at `RATE` and is the same each time: its noise has a fixed seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from studio.music.envelopes import RATE, Signal, noise

_BLOCK = 1 << 18
_PIECE = 1 << 14


@dataclass(frozen=True)
class Effects:
    """How much of each effect a patch likes, from 0 to 1. `room` is the reverb's length in seconds; the echo is a dotted eighth."""

    drive: float = 0.0
    chorus: float = 0.0
    tape: float = 0.0
    echo: float = 0.0
    reverb: float = 0.12
    room: float = 1.4

    def over(self, sound: Signal, quarter: float) -> Signal:
        """(2, samples) -> (2, samples); `quarter` is the length of a quarter note in seconds."""
        if self.drive:
            sound = driven(sound, self.drive)
        if self.chorus:
            sound = chorus(sound, self.chorus)
        if self.tape:
            sound = tape(sound, self.tape)
        if self.echo:
            sound = echo(sound, 0.75 * quarter, self.echo)
        return reverb(sound, self.reverb, self.room) if self.reverb else sound


def driven(sound: Signal, amount: float) -> Signal:
    """Saturated: gently below 1; above it as an amplifier and its loudspeaker, which pass nothing high, so that nothing aliases."""
    from scipy.signal import butter, sosfilt

    gain = np.float32(1 + 4 * amount)
    made = np.tanh((_darkened(sound, 4000) if amount > 1 else sound) * gain) / gain
    made = np.asarray(sosfilt(butter(1, 25, "high", fs=RATE, output="sos"), made, axis=1), dtype=np.float32)
    return _darkened(made, 5000) if amount > 1 else made


def chorus(sound: Signal, amount: float) -> Signal:
    """With a copy on either side whose delay swings between 7 and 13 ms, in opposite directions."""
    swing = np.sin(np.arange(sound.shape[1], dtype=np.float32) * np.float32(2 * np.pi * 0.6 / RATE)) * np.float32(0.003 * RATE)
    middle = np.float32(0.010 * RATE)
    copies = np.stack([_delayed(sound[0], middle + swing), _delayed(sound[1], middle - swing)])
    return np.asarray(sound + np.float32(0.7 * amount) * copies, np.float32)


def tape(sound: Signal, amount: float) -> Signal:
    """Slow and quick wavering of the pitch (a few cents) and a dark top, as of a worn cassette."""
    seconds = np.arange(sound.shape[1], dtype=np.float32) / np.float32(RATE)
    sway = np.float32(0.0012 * amount) * (1 - np.cos(np.float32(2 * np.pi * 0.5) * seconds))
    sway += np.float32(0.00005 * amount) * (1 - np.cos(np.float32(2 * np.pi * 6.3) * seconds))
    wavering = np.stack([_delayed(side, sway * np.float32(RATE)) for side in sound])
    return _darkened(wavering, 11_000 - 6500 * amount)


def echo(sound: Signal, seconds: float, amount: float) -> Signal:
    """With four echoes, each softer, that fall from side to side."""
    step = max(1, round(min(seconds, 1.0) * RATE))
    made = sound.copy()
    middle = sound.mean(axis=0)
    for number in range(1, 5):
        if number * step >= sound.shape[1]:
            break
        gain = np.float32(amount * 0.5 ** (number - 1))
        near, far = (0, 1) if number % 2 else (1, 0)
        made[near, number * step :] += gain * middle[: -number * step]
        made[far, number * step :] += np.float32(0.35) * gain * middle[: -number * step]
    return made


def reverb(sound: Signal, amount: float, room: float) -> Signal:
    """With the answer of a plate: dense noise that fades over `room` seconds (to -60 dB), the high end sooner."""
    from scipy.fft import irfft, rfft

    plate = _plate(room)
    hop = _BLOCK - round((1.1 * room + 0.02) * RATE)
    middle, made = sound.mean(axis=0) * np.float32(amount), sound.copy()
    for start in range(0, len(middle), hop):
        block = middle[start : start + hop]
        if not block.any():
            continue
        answer = np.asarray(irfft(np.asarray(rfft(block, _BLOCK))[None] * plate, _BLOCK, axis=1))[:, : len(middle) - start]
        made[:, start : start + answer.shape[1]] += answer
    return made


@lru_cache(maxsize=8)
def _plate(room: float) -> NDArray[np.complex64]:
    """(2, bins) the spectrum of a plate's answer, with energy 1 a side; its first 12 ms are silent."""
    from scipy.fft import rfft

    length = round(room * 1.1 * RATE)
    seconds = np.arange(length, dtype=np.float32) / np.float32(RATE)
    rise = np.minimum(seconds / np.float32(0.02), 1) * np.minimum((seconds[-1] - seconds) / np.float32(0.1), 1)
    sides = np.zeros((2, length + round(0.012 * RATE)), dtype=np.float32)
    for side, seed in zip(sides, (11, 12), strict=True):
        dull = noise(length, seed, 150, 2600) * np.exp(np.float32(-6.9 / room) * seconds)
        bright = noise(length, seed + 10, 2400, 9000) * np.exp(np.float32(-6.9 / (0.45 * room)) * seconds)
        answer = (dull + np.float32(0.45) * bright) * rise
        side[-length:] = answer / np.sqrt((answer**2).sum())
    return np.asarray(rfft(sides, _BLOCK, axis=1))


def _delayed(side: Signal, samples: Signal) -> Signal:
    """(n,) read so many samples (not whole, not negative) earlier."""
    reach = int(samples.max()) + 2
    padded = np.concatenate([np.zeros(reach, dtype=np.float32), side])
    made = np.empty_like(side)
    for start in range(0, len(side), _PIECE):
        late = samples[start : start + _PIECE]
        place = np.arange(reach, reach + len(late), dtype=np.float32) - late
        whole = place.astype(np.int32)
        place -= whole.astype(np.float32)
        near = padded[start : start + reach + len(late)]
        lower = near.take(whole)
        made[start : start + len(late)] = lower + (near.take(np.minimum(whole + 1, len(near) - 1)) - lower) * place
    return made


def _darkened(sound: Signal, cutoff: float) -> Signal:
    """Without most of what lies above `cutoff` hertz."""
    from scipy.signal import butter, sosfilt

    return np.asarray(sosfilt(butter(2, cutoff, fs=RATE, output="sos"), sound, axis=1), dtype=np.float32)
