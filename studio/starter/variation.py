"""A drawing in a slightly other hue and lightness, as another hand would have coloured it: a bluer wolf, a paler castle.

Colours are OKLab, pictures (H, W, 4) uint8 RGBA, as in palette.py. It knows no icons and no words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from studio.starter.palette import OFF_WHITE, Palette, Pixels, borders, families_of, shifted, stays_visible

_TINT = 0.035  # how colourful a grey becomes
_KHAKI, _GREEN = np.radians(76), np.radians(100)  # hues between which nothing turns that was not there before
_BLACK = 0.3  # lightness up to which a colour is an outline or an eye and stays
_SMALL = 0.03  # share of the drawing below which an area stays as it is


def varied(picture: Pixels, angle: float, light: float) -> Pixels | None:
    """The picture with the hues of its areas turned by `angle` (radians) and their lightness moved by `light`, shades and all.

    Grey areas take on a faint tint; white, black and small areas keep their colour. None where an area would melt into its neighbour.
    What `settled` says of one picture suits the others that are mixed with it.
    """
    own = Palette.of(picture)
    touching = borders(own)
    family = families_of(own, touching)
    moves = np.zeros_like(own.colours)
    for i in _varying(own, family):
        kin, (lightness, a, b) = family == i, own.colours[i]
        hue, chroma = float(np.arctan2(b, a)) + angle, max(float(np.hypot(a, b)), _TINT)
        there = min(max(lightness + light, 0.25), OFF_WHITE)
        moves[kin] = there - lightness, chroma * np.cos(hue) - a, chroma * np.sin(hue) - b
    heads = np.flatnonzero(family == np.arange(len(family)))
    if not all(stays_visible(own, moves, touching, family == i, moves[i]) for i in heads):
        return None
    return shifted(picture, own, moves) if moves.any() else picture


def settled(picture: Pixels, angle: float, light: float) -> tuple[float, float]:
    """The `angle` and `light` for `varied`, with the signs that become the picture.

    Skin, wood and yellow turn towards red, never to green, and green never to yellow; what is mostly light grows darker, what is mostly
    dark lighter.
    """
    own = Palette.of(picture)
    family = families_of(own, borders(own))
    main = [own.colours[i] for i in _varying(own, family)]
    if not main:
        return angle, light
    sign = np.sign(angle)
    for hue in (float(np.arctan2(b, a)) for _, a, b in reversed(main) if np.hypot(a, b) > _TINT):  # the largest area has the last word
        if 0 < hue < _GREEN and hue + abs(angle) > _KHAKI:
            sign = -1
        elif hue >= _GREEN > hue - abs(angle):
            sign = 1
    lightness = float(main[0][0])
    return float(sign * abs(angle)), -abs(light) if lightness > 0.78 else abs(light) if lightness < 0.48 else light


def _varying(own: Palette, family: NDArray[np.int64]) -> list[int]:
    """The families whose colour may vary, by their largest colour's number: neither small nor nearly black or white."""
    heads = (int(i) for i in np.flatnonzero(family == np.arange(len(family))))
    return [i for i in heads if own.shares[family == i].sum() >= _SMALL and _BLACK < own.colours[i, 0] < OFF_WHITE]
