"""Drawings in the colours of a set: the set's palette, and an icon wearing it. It knows pictures as pixels, no names and no files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.starter.palette import Palette, borders, families_of, shifted, stays_visible

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]

_MOST = 16  # colours of a set
_APART = 0.06  # OKLab distance below which two colours are one
_LIGHT, _HUE = 1.6, 0.6  # what a step of lightness and of hue costs: light stays light, hues may change
_WORN = 0.18  # cost of a colour that another area wears already
_COMMON = 0.08  # what the most used colour saves


def palette_of(pictures: Iterable[Pixels]) -> tuple[Floats, Floats]:
    """The colours (n, 3) of several pictures in OKLab and how much of them each covers (n,), the most used first."""
    looks = [Palette.of(picture) for picture in pictures]
    colours = np.concatenate([look.colours for look in looks])
    shares = np.concatenate([look.shares for look in looks]) / len(looks)
    kept: list[int] = []
    weights: list[float] = []
    for i in np.argsort(-shares, kind="stable"):
        apart = [float(np.linalg.norm(colours[i] - colours[k])) for k in kept]
        if apart and min(apart) < _APART:
            weights[int(np.argmin(apart))] += float(shares[i])
        elif len(kept) < _MOST:
            kept.append(int(i))
            weights.append(float(shares[i]))
    order = np.argsort(-np.array(weights), kind="stable")
    return colours[kept][order], np.array(weights)[order]


def dressed(picture: Pixels, colours: Floats, shares: Floats) -> Pixels:
    """`picture` in these colours: every area and its shades go over to one of like lightness, rather to one that is much used.

    An area keeps its colour where every other would melt into what lies beside it.
    """
    own = Palette.of(picture)
    touching = borders(own)
    family = families_of(own, touching)
    moves = np.zeros_like(own.colours)
    worn: set[int] = set()
    for main in dict.fromkeys(family.tolist()):
        kin = family == main
        apart = colours - own.colours[main]
        cost = _LIGHT * np.abs(apart[:, 0]) + _HUE * np.linalg.norm(apart[:, 1:], axis=1) - _COMMON * shares / shares.max()
        cost = cost + np.array([_WORN if i in worn else 0.0 for i in range(len(colours))])
        for choice in np.argsort(cost, kind="stable")[:6].tolist():
            if stays_visible(own, moves, touching, kin, apart[choice]):
                moves[kin] = apart[choice]
                worn.add(choice)
                break
    return shifted(picture, own, moves)
