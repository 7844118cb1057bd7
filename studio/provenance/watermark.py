"""What marks in pictures and sound share: the number they carry, the lines of a spectrum that carry it, and when a mark counts as found.

A mark is spread spectrum (Cox, Kilian, Leighton and Shamoon, 1997): a faint periodic pattern whose spectral lines have phases that only
the secret knows. It survives everyday edits; whoever wants to remove it can. Knows neither pixels nor samples.

Deciding. Of each line only its direction counts (phase-only correlation; Kuglin and Hines, 1975). In a file that is not marked with this
secret the angles between directions and phases are uniform and independent, whatever the file holds, because the phases are. For uniform
angles E exp(x cos a) = I0(x) <= exp(x^2 / 4), so by Chernoff's bound the sum of w cos a over all lines exceeds z times the root of the
sum of w^2, for any weights w >= 0, with a probability of at most exp(-z^2); the best of m tries exceeds it with at most m exp(-z^2).
`threshold` solves that for z. A try is a size, an angle, a place where the pattern begins, and a number: all 2^20 of them count.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

PAYLOAD_BITS = 20
CRC_BITS = 12
ODDS = 1e-6
"""At most this share of files without a mark of this secret is called marked, all tries of a search together."""

_CRC_POLYNOMIAL = 0x80F  # x^12 + x^11 + x^3 + x^2 + x + 1, as in 3GPP TS 25.212
_SYMBOLS = 4
_WALSH = 128

Complex = NDArray[np.complex64]
Floats = NDArray[np.float32]


class TooSmall(ValueError):
    """What is to be marked cannot hold a mark that would be found again. Its message is a sentence for the record."""


@dataclass(frozen=True)
class Marked:
    """A mark of this secret with its number. `peak` reached or passed `threshold` (both in units of `watermark.threshold`).

    How the file differs from the one that was marked: `scale` is its size or speed (1: as marked), `angle` in degrees
    counter-clockwise, `flipped` left to right.
    """

    payload: int
    peak: float
    threshold: float
    scale: float = 1.0
    angle: float = 0.0
    flipped: bool = False


@dataclass(frozen=True)
class Lines:
    """What each of n spectral lines carries: a secret phase, and which letter of which of four code words gives its sign.

    `phases` (n,) unit; `symbols` (n,) 0 to 3, or -1 for a line whose sign is always plus; `words` (n,) 0 to 127.
    """

    phases: Complex
    symbols: NDArray[np.int8]
    words: NDArray[np.int16]

    @property
    def sync(self) -> NDArray[np.bool_]:
        """The lines whose sign is always plus: they say that there is a mark, and where it begins."""
        return self.symbols < 0


def payload(task_json: str) -> int:
    """The number of a task, 20 bits of the SHA-256 of its JSON: equal tasks have equal numbers."""
    return int.from_bytes(hashlib.sha256(task_json.encode("utf-8", "surrogatepass")).digest()[:4], "big") >> (32 - PAYLOAD_BITS)


def threshold(places: float, odds: float = ODDS) -> float:
    """What a peak must reach so that `places` tried with every number each exceed it by chance, all at once, with at most `odds`."""
    return math.sqrt(math.log(places * 2.0**PAYLOAD_BITS / odds))


def peak(roles: Lines, cosines: Floats, weights: Floats, number: int) -> float:
    """The statistic of a try: all lines' cosines (n,) with the signs of `number`, weighted, over the root of the weights' energy."""
    energy = float((weights**2).sum())
    return float((cosines * weights * signs(roles, number)).sum()) / math.sqrt(max(energy, 1e-9))


def lines(secret: bytes, medium: str, count: int, sync_share: float = 1 / 3) -> Lines:
    """The secret's roles for `count` lines of a `medium` (any name): the same on every machine and with every numpy."""
    stream = hashlib.shake_256(b"atelier mark 1\0" + medium.encode() + b"\0" + secret).digest(8 * count)
    drawn = np.frombuffer(stream, "<u4").reshape(2, count)
    phases = np.exp(2j * np.pi * drawn[0] / 2**32).astype(np.complex64)
    order = np.argsort(drawn[1], kind="stable")
    first = round(count * sync_share)
    place = np.arange(count - first)
    symbols, words = np.full(count, -1, np.int8), np.zeros(count, np.int16)
    symbols[order[first:]] = place % _SYMBOLS
    scattered = np.argsort(np.frombuffer(hashlib.sha512(b"words").digest() * 2, np.uint8), kind="stable")  # any 100 of 128 tell words apart
    words[order[first:]] = scattered[place // _SYMBOLS % _WALSH]
    return Lines(phases, symbols, words)


def signs(roles: Lines, number: int) -> Floats:
    """(n,) +1 or -1: the lines' signs for a number of 20 bits, each byte of it and its check a word of the Reed-Muller code (1, 7)."""
    if not 0 <= number < 1 << PAYLOAD_BITS:
        raise ValueError(f"a payload has {PAYLOAD_BITS} bits, not the value {number}")
    message = number << CRC_BITS | _crc(number)
    found = np.ones(len(roles.symbols), np.float32)
    for symbol in range(_SYMBOLS):
        mine = roles.symbols == symbol
        found[mine] = _codebook()[message >> 8 * symbol & 255][roles.words[mine]]
    return found


def likeliest(roles: Lines, cosines: Floats, weights: Floats) -> tuple[int, float] | None:
    """The number that the lines' cosines (n,) say, and its `peak`: None where no check of 12 bits fits.

    Each byte may be its likeliest word or the next: a picture that was marked twice says two numbers at once. That tries no more
    numbers than `threshold` counts.
    """
    values, choices = cosines * weights, list[tuple[int, int]]()
    for symbol in range(_SYMBOLS):
        mine = roles.symbols == symbol
        sums = np.bincount(roles.words[mine], weights=values[mine], minlength=_WALSH)
        best = np.argsort(_codebook() @ sums)[-2:]
        choices.append((int(best[1]) << 8 * symbol, int(best[0]) << 8 * symbol))
    messages = [sum(words) for words in product(*choices)]
    numbers = [message >> CRC_BITS for message in messages if _crc(message >> CRC_BITS) == message & (1 << CRC_BITS) - 1]
    return max(((number, peak(roles, cosines, weights, number)) for number in numbers), key=lambda found: found[1], default=None)


def _codebook() -> Floats:
    """(256, 128) of +1 and -1: Walsh functions, and below them the same with all signs changed."""
    places = np.arange(_WALSH)
    odd = np.bitwise_count(places[:, None] & places[None, :]) & 1
    walsh = 1.0 - 2.0 * odd
    return np.concatenate([walsh, -walsh]).astype(np.float32)


def _crc(value: int) -> int:
    rest = value << CRC_BITS
    for place in reversed(range(PAYLOAD_BITS)):
        if rest >> (place + CRC_BITS) & 1:
            rest ^= (_CRC_POLYNOMIAL | 1 << CRC_BITS) << place
    return rest
