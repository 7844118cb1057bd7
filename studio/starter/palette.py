"""Colours of drawings: the few colours an icon is made of, one icon in the colours of another, a thing in the colour asked for.

Works in OKLab (Ottosson 2020, "A perceptual color space for image processing"), where equal distances look equally different:
L from 0 (black) to 1 (white), a and b about -0.3 to 0.3. Pictures are (H, W, 4) uint8 RGBA. It knows no words and no library.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating[Any]]

OFF_WHITE = 0.925
"""Lightness of a white that stands out from white paper."""

_OPAQUE = 160  # alpha from which a pixel counts as drawn
_MOST = 10  # colours a palette
_APART = 0.07  # nearer colours are one
_PAPER = 0.955  # lightness from which a colour cannot be told from white paper
_SHADING = 0.14  # difference up to which touching colours are steps of one shading
_SOFT = 0.004  # squared distance over which a pixel belongs to two colours
_TO_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566], [0.0883024619, 0.2817188376, 0.6299787005]]
)
_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099], [0.0259040371, 0.7827717662, -0.8086757660]]
)
_FROM_LMS, _FROM_LAB = np.linalg.inv(_TO_LMS), np.linalg.inv(_TO_LAB)


@dataclass(frozen=True)
class Palette:
    """The colours of one picture: `colours` (n, 3) OKLab, most used first, and their `shares` (n,) of the drawing.

    `where` (H, W) holds each pixel's colour by number, -1 where nothing is drawn.
    """

    colours: Floats
    where: NDArray[np.int8]
    shares: Floats

    @classmethod
    def of(cls, picture: Pixels) -> Palette:
        """At most ten colours, each at least a visible step from the others (k-means over a coarse histogram)."""
        opaque = picture[..., 3] >= _OPAQUE
        where = np.full(opaque.shape, -1, np.int8)
        points = to_oklab(picture[opaque][:, :3])
        if not len(points):
            return cls(np.zeros((1, 3), np.float32), where, np.ones(1, np.float32))
        colours = _clusters(points)
        nearest = _distances(points, colours).argmin(1)
        counts = np.bincount(nearest, minlength=len(colours))
        order = np.argsort(-counts, kind="stable")
        where[opaque] = np.argsort(order)[nearest]
        return cls(colours[order], where, (counts[order] / counts.sum()).astype(np.float32))


def to_oklab(rgb: Pixels) -> Floats:
    """sRGB bytes (..., 3) to OKLab (..., 3)."""
    share = np.arange(256) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return (np.cbrt(linear[rgb] @ _TO_LMS.T) @ _TO_LAB.T).astype(np.float32)


def from_oklab(colours: Floats) -> Pixels:
    """OKLab (..., 3) to sRGB bytes; what no screen can show is clipped."""
    linear = np.clip((colours @ _FROM_LAB.T) ** 3 @ _FROM_LMS.T, 0, 1)
    share = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return (share * 255 + 0.5).astype(np.uint8)


def harmonised(picture: Pixels, own: Palette, other: Palette, keep_hues: bool = False, amount: float = 1.0) -> Pixels:
    """`picture` in the colours of another picture of the same size, where the two show the same part in the same place.

    `own` and `other` are their palettes; with an `amount` below 1 the colours go only part of the way. A colour goes over to the one that
    covers most of its area. Each colour is given once, only main areas change their hue (none where `keep_hues`), and no two touching
    areas may become alike: eyes, windows and mouths stay visible.
    """
    shared = _overlap(own, other)
    covered = shared.sum(1)
    touching = borders(own)
    family = families_of(own, touching)
    moves = np.zeros_like(own.colours)
    offers: list[tuple[float, int, int]] = []
    for i, j in zip(*np.nonzero(shared), strict=True):
        light = abs(float(other.colours[j, 0] - own.colours[i, 0]))
        hue = float(np.linalg.norm(other.colours[j, 1:] - own.colours[i, 1:]))
        main = min(own.shares[i], other.shares[j]) >= 0.12 and not keep_hues
        if family[i] == i and covered[i] >= 25 and light <= 0.3 and (main or hue <= 0.1) and shared[i, j] >= 0.3 * covered[i]:
            offers.append((-float(shared[i, j]) * (1 - light - hue), int(i), int(j)))
    moved: set[int] = set()
    taken: set[int] = set()
    for _, i, j in sorted(offers):
        kin = family == family[i]
        move = other.colours[j] - own.colours[i]
        if int(family[i]) not in moved and j not in taken and stays_visible(own, moves, touching, kin, move):
            moves[kin] = move
            moved.add(int(family[i]))
            taken.add(j)
    return shifted(picture, own, moves * amount) if moved else picture


def turned(picture: Pixels, colour: str) -> Pixels:
    """The picture with its main colour turned to `colour` ("#rrggbb"); areas of another hue keep theirs.

    The main colour and its lighter and darker shades change together, so that shading stays.
    """
    target = to_oklab(np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.uint8))
    own = Palette.of(picture)
    main, kin = _main(own, target)
    moves = np.zeros_like(own.colours)
    wanted = np.empty_like(own.colours)
    wanted[:, 0] = _shaded(own.colours[:, 0] - own.colours[main, 0], float(target[0]))
    fade = np.clip(1 - np.abs(wanted[:, 0] - target[0]), 0.4, 1)
    wanted[:, 1:] = target[1:] * fade[:, None]
    moves[kin] = (wanted - own.colours)[kin]
    now, touching = own.colours + moves, borders(own)
    for i in np.flatnonzero(~kin):  # what would vanish on the new colour becomes lighter or darker than it
        if (np.linalg.norm(now[kin] - now[i], axis=1) < 0.14)[touching[i][kin] > 8].any():
            moves[i, 0] = (0.3 if target[0] < 0.5 else -0.3) + target[0] - own.colours[i, 0]
    return shifted(picture, own, moves)


def off_white(picture: Pixels) -> Pixels:
    """The picture with white areas at its outline a little grey, so that they stand out from white paper."""
    own = Palette.of(picture)
    wide = np.pad(own.where, 1, constant_values=-1)
    outer = (own.where >= 0) & (np.minimum.reduce([wide[:-2, 1:-1], wide[2:, 1:-1], wide[1:-1, :-2], wide[1:-1, 2:]]) < 0)
    along = np.bincount(own.where[outer], minlength=len(own.colours)) / max(int(outer.sum()), 1)
    white = (own.colours[:, 0] > _PAPER) & (along > 0.1)
    if not white.any():
        return picture
    moves = np.zeros_like(own.colours)
    moves[white, 0] = OFF_WHITE - own.colours[white, 0]
    return shifted(picture, own, moves)


def _shaded(shades: Floats, light: float) -> Floats:
    """Lightness of a colour's shades (differences from it) around the lightness `light`; near black and white they all turn inwards."""
    down, up = light - 0.1, 1 - light
    darker = shades * min(1, down / 0.3) if down > 0.25 else -0.8 * shades
    lighter = shades * min(1, up / 0.3) if up > 0.12 else -0.8 * shades
    return np.clip(light + np.where(shades < 0, darker, lighter), 0.05, 1)


def _main(own: Palette, target: Floats) -> tuple[int, NDArray[np.bool_]]:
    """The number of the main colour (rather one that is near the target already), and which colours are shades of it."""
    chroma = np.linalg.norm(own.colours[:, 1:], axis=1)
    weight = own.shares * (0.03 + np.minimum(chroma, 0.12))  # a coloured area before a larger grey one
    main = int((weight * (1 + 2 * np.exp(-(_distances(own.colours, target[None])[:, 0]) / 0.02))).argmax())
    if chroma[main] < 0.04:
        return main, (chroma < 0.085) & (np.abs(own.colours[:, 0] - own.colours[main, 0]) < 0.35)
    angle = np.arctan2(own.colours[:, 2], own.colours[:, 1])
    apart = np.abs((angle - angle[main] + np.pi) % (2 * np.pi) - np.pi)
    warm = (angle > np.radians(15)) & (angle < np.radians(100))  # brown and orange are shades of yellow, green is not
    return main, ((apart < np.radians(40)) | (warm & warm[main])) & (chroma > 0.25 * chroma[main])


def _clusters(points: Floats) -> Floats:
    """Colours (n, 3) of the points by weighted k-means, begun at the most used and then the farthest."""
    keys = (points * 24 + 12).astype(np.int64) @ np.array([10_000, 100, 1])
    _, cell, counts = np.unique(keys, return_inverse=True, return_counts=True)
    places = np.stack([np.bincount(cell, weights=points[:, c]) for c in range(3)], 1) / counts[:, None]
    centres = places[[counts.argmax()]]
    weight = np.where(counts >= max(6, len(points) * 0.002), 1.0, 0.0)
    while len(centres) < _MOST:
        gap = _distances(places, centres).min(1) * weight
        if gap.max() < _APART**2:
            break
        centres = np.concatenate([centres, places[[gap.argmax()]]])
    total: Floats = np.zeros(len(centres))
    for _ in range(8):
        nearest = _distances(places, centres).argmin(1)
        total = np.bincount(nearest, counts.astype(np.float64), len(centres)).astype(np.float64)
        sums = np.stack([np.bincount(nearest, counts * places[:, c], len(centres)) for c in range(3)], 1)
        centres = np.where(total[:, None] > 0, sums / np.maximum(total, 1)[:, None], centres).astype(np.float32)
    return _merged(centres, total)


def _merged(centres: Floats, total: Floats) -> Floats:
    kept: list[int] = []
    for i in np.argsort(-total, kind="stable"):
        if total[i] > 0 and all(np.linalg.norm(centres[i] - centres[j]) >= _APART * 0.8 for j in kept):
            kept.append(int(i))
    return centres[kept]


def _distances(points: Floats, centres: Floats) -> Floats:
    return ((points[:, None] - centres[None]) ** 2).sum(-1)


def _inner(where: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Pixels whose eight neighbours have the same colour."""
    inner = where >= 0
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            inner = inner & (np.roll(where, (dy, dx), (0, 1)) == where)
    return inner


def _overlap(own: Palette, other: Palette) -> NDArray[np.int64]:
    """(n, m): pixels where both pictures are well inside an area, by the two colours' numbers."""
    both = _inner(own.where) & _inner(other.where)
    pair = own.where[both].astype(np.int64) * len(other.colours) + other.where[both]
    return np.bincount(pair, minlength=len(own.colours) * len(other.colours)).reshape(len(own.colours), len(other.colours))


def borders(own: Palette) -> NDArray[np.int64]:
    """(n, n): how long two colours lie beside each other, up to three pixels apart (edges are smooth)."""
    n = len(own.colours)
    found = np.zeros((n, n), np.int64)
    for gap in (1, 2, 3):
        for one, two in ((own.where[gap:], own.where[:-gap]), (own.where[:, gap:], own.where[:, :-gap])):
            sides = (one >= 0) & (two >= 0) & (one != two)
            found += np.bincount(one[sides].astype(np.int64) * n + two[sides], minlength=n * n).reshape(n, n)
    return found + found.T


def families_of(own: Palette, touching: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,): for each colour the number of its family's largest: all steps of one shading, which touch and are near it."""
    family = np.full(len(own.colours), -1)
    near = _distances(own.colours, own.colours) < _SHADING**2
    for i in range(len(own.colours)):  # the largest first
        if family[i] < 0:
            family[(family < 0) & near[i] & (touching[i] > 8)] = i
            family[i] = i
    return family


def stays_visible(own: Palette, moves: Floats, touching: NDArray[np.int64], kin: NDArray[np.bool_], move: Floats) -> bool:
    """Whether the colours `kin` may all move without one of them melting into an area beside it."""
    now = own.colours + moves
    for i in np.flatnonzero(kin):
        for j in np.flatnonzero((touching[i] > 8) & (own.shares > 0.004) & ~kin):
            before = np.linalg.norm(own.colours[i] - own.colours[j])
            if np.linalg.norm(own.colours[i] + move - now[j]) < min(before * 0.65, 0.12):
                return False
    return True


def shifted(picture: Pixels, own: Palette, moves: Floats) -> Pixels:
    """The picture with every pixel moved by what its colours move, in proportion to how near they are."""
    seen = picture[..., 3] > 0
    points = to_oklab(picture[seen][:, :3])
    squared = _distances(points, own.colours)
    weight = np.exp((squared.min(1, keepdims=True) - squared) / _SOFT)
    weight /= weight.sum(1, keepdims=True)
    centre = weight @ own.colours
    target = centre + weight @ moves
    keep = np.clip(target[:, :1] / np.maximum(centre[:, :1], 0.05), 0.2, 1)  # the darker, the fainter its shades
    result = picture.copy()
    result[seen, :3] = from_oklab(target + (points - centre) * keep)
    return result
