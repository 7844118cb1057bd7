"""What lies around a hole in a picture: photograph or illustration, the ground behind the things, and the things themselves.

An illustration has large areas of one exact colour or of very even shading; a photograph has grain everywhere. In an illustration the
ground is what the picture's border shows, and everything else is a thing. It knows no words, no icons and no sampler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.starter.palette import Palette, from_oklab, to_oklab
from studio.starter.textures import spread_out

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]

_EVEN = 0.62  # share of neighbouring pixels that differ by at most one step, from which a picture is drawn and not photographed
_SAME = 0.30  # or that are exactly equal
_ON_BORDER = 0.4  # share of the border from which a colour is that of the ground
_STREWN = 0.004  # share of the picture from which small shapes make a pattern
_ALIKE = 0.13  # OKLab distance within which two colours are tones of one ground
_APART = 0.03  # OKLab distance from which a pixel is not of the ground
_POCKET = 0.012  # share of the picture up to which an enclosed patch of the ground's colour belongs to the thing around it
_MEMBRANE = ((40, 300), (144, 120))  # cells on the longer side of the membrane, and how often it is relaxed
_STEEP = 0.16  # of the longer side: distances from the outline beyond this are the same
_SHADES = 0.16  # OKLab distance up to which colours beside a hole are shades of one
_REPEATS = 0.4  # of the usual difference between places: what is left after a whole period


@dataclass(frozen=True)
class Surroundings:
    """What `look` found. `thing` (h, w): known pixels that show things; `ground` (h, w, 3) uint8: the picture without its things.

    In a photograph nothing is told apart: `thing` is empty and `ground` is the picture as it came. `plain` says that one colour, a
    pattern or an even shading lies behind everything.
    """

    photograph: bool
    plain: bool
    thing: Bools
    ground: Pixels


def look(picture: Pixels, hole: Bools) -> Surroundings:
    """What is around `hole` (h, w) in `picture` (h, w, 3) uint8; pixels inside the hole are not looked at."""
    known = ~hole if not hole.all() else np.ones_like(hole)
    nothing = np.zeros_like(hole)
    if photographed(picture, known):
        return Surroundings(True, False, nothing, picture)
    lab = to_oklab(picture)
    tone = _ground_tone(picture, lab, known)
    if tone is None:
        return Surroundings(False, False, nothing, picture)
    thing = known & ~_open_ground(known & (np.linalg.norm(lab - tone, axis=-1) < _APART))
    second = _second_tone(lab, tone, thing)
    if second is not None:
        thing = known & ~_open_ground(known & (_to_segment(lab, tone, second) < _APART))
    return Surroundings(False, True, thing, continued(picture, known & ~thing))


def photographed(picture: Pixels, known: Bools) -> bool:
    """Whether the known pixels are grainy as in a photograph."""
    pairs = known[:, 1:] & known[:, :-1]
    if pairs.sum() < 64:
        return False
    steps = np.abs(picture[:, 1:].astype(np.int16) - picture[:, :-1]).max(-1)[pairs]
    return bool((steps <= 1).mean() < _EVEN and (steps == 0).mean() < _SAME)


def continued(picture: Pixels, sure: Bools) -> Pixels:
    """`picture` where `sure`; elsewhere the ground goes on: in its colour, in its pattern, or in its shading."""
    if sure.all():
        return picture
    if sure.sum() < 16:
        return np.full_like(picture, 255)
    colours, counts = np.unique(picture[sure], axis=0, return_counts=True)
    main = colours[counts.argmax()]
    if counts.max() > 0.985 * counts.sum():
        return np.where(sure[..., None], picture, main)
    return _repeated(picture, sure) if counts.max() > 0.3 * counts.sum() else _shaded(picture, sure)


def rounded(picture: Pixels, thing: Bools, hole: Bools, ground: Pixels) -> Pixels:
    """`ground` with the known `thing` going on inside the `hole` in its shades, as little as closes its outline roundly.

    The outline is where a membrane spanned between the thing (above 0) and the ground (below 0) around the hole crosses 0.
    """
    import cv2

    height = np.zeros((4, 4), np.float32)
    for cells, rounds in _MEMBRANE:
        height = _relaxed(height, thing & ~hole, hole, cells, rounds)
    large = cv2.resize(height, (hole.shape[1], hole.shape[0]), interpolation=cv2.INTER_CUBIC)
    slope = np.maximum(np.hypot(*np.gradient(cv2.GaussianBlur(large, (0, 0), 2))), 1e-4)
    cover = ((large / slope + 0.5).clip(0, 1) * hole)[..., None]
    near = cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=max(4, min(hole.shape) // 64)) > 0
    inner = (cv2.erode(thing.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0) & near
    main = Palette.of(np.dstack([picture, inner * np.uint8(255)])).colours[0]
    alike = inner & (np.linalg.norm(to_oklab(picture) - main, axis=-1) < _SHADES)
    shades = spread_out(picture.astype(np.float32), alike.astype(np.float32)) if alike.any() else ground
    mixed = (ground * (1 - cover) + shades * cover + 0.5).clip(0, 255).astype(np.uint8)
    return np.where(hole[..., None], mixed, picture)


def _relaxed(height: Floats, thing: Bools, hole: Bools, cells: int, rounds: int) -> NDArray[np.float32]:
    """The membrane over the hole on a grid of `cells` along the longer side, begun at a coarser one's `height`.

    Around the hole it has the height of the distance to the thing's outline, positive inside: so that straight outlines go on straight.
    """
    import cv2

    scale = cells / max(hole.shape)
    size = max(4, round(hole.shape[1] * scale)), max(4, round(hole.shape[0] * scale))
    solid, free = (cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA) for mask in (thing, hole))
    open_ = free > 0.5
    inside = ~open_ & (solid > 0.5 * (1 - free))
    within = cv2.distanceTransform((inside | open_).astype(np.uint8), cv2.DIST_L2, 5)
    without = cv2.distanceTransform((~inside).astype(np.uint8), cv2.DIST_L2, 5)
    known = np.where(inside, within - 0.5, 0.5 - without).clip(-_STEEP * cells, _STEEP * cells) / cells
    begun = cv2.resize(height.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    wide = np.pad(np.where(open_, begun, known), 1, constant_values=-_STEEP).astype(np.float32)
    inner = wide[1:-1, 1:-1]
    for _ in range(rounds):
        inner[open_] = ((wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:]) / 4)[open_]
    return np.ascontiguousarray(inner)


def softened(picture: Pixels) -> Pixels:
    """The picture as an even shading of its colours."""
    import cv2

    return np.asarray(cv2.GaussianBlur(picture, (0, 0), min(picture.shape[:2]) / 8), np.uint8)


def tint(drawing: Pixels) -> str:
    """A light tone "#rrggbb" of the main colour of `drawing` (H, W, 4), to stand behind it."""
    main = Palette.of(drawing).colours[0].copy()
    main[0] = 0.94
    main[1:] *= 0.035 / max(float(np.linalg.norm(main[1:])), 0.035)
    return "#" + "".join(f"{value:02x}" for value in from_oklab(main))


def _ground_tone(picture: Pixels, lab: Floats, known: Bools) -> Floats | None:
    """The ground's main colour (3,); None when the border shows no one ground."""
    edge = np.zeros_like(known)
    reach = max(2, min(known.shape) // 64)
    edge[:reach] = edge[-reach:] = edge[:, :reach] = edge[:, -reach:] = True
    edge &= known
    if edge.sum() < 0.3 * 2 * reach * sum(known.shape):  # the hole lies along the border: what is next to it stands in
        edge |= known & _beside(~known, reach)
    strip = np.concatenate([picture[edge], np.full((int(edge.sum()), 1), 255, np.uint8)], 1)[None]
    found = Palette.of(strip)
    main = found.where[0] == 0
    return np.median(lab[edge][main], axis=0) if found.shares[0] >= _ON_BORDER else None


def _second_tone(lab: Floats, tone: Floats, thing: Bools) -> Floats | None:
    """The colour of the small shapes strewn over the ground, where they are of one colour near the ground's own."""
    import cv2

    count, found, stats, _ = cv2.connectedComponentsWithStats(thing.astype(np.uint8), connectivity=4)
    numbers = np.asarray(found, np.int64)
    apart = np.linalg.norm(lab - tone, axis=-1)
    mean = np.bincount(numbers.ravel(), apart.ravel(), count) / np.maximum(stats[:, cv2.CC_STAT_AREA], 1)
    strewn = (stats[:, cv2.CC_STAT_AREA] < _POCKET * thing.size) & (mean < _ALIKE) & (np.arange(count) > 0)
    inside = strewn[numbers]
    if inside.sum() < _STREWN * thing.size:
        return None
    return np.median(lab[inside], axis=0)


def _to_segment(lab: Floats, one: Floats, two: Floats) -> Floats:
    """How far each colour is from the mixtures of two."""
    along = two - one
    share = ((lab - one) @ along / max(float(along @ along), 1e-9)).clip(0, 1)
    return np.linalg.norm(lab - one - share[..., None] * along, axis=-1)


def _open_ground(like: Bools) -> Bools:
    """The ground-coloured pixels without small patches inside things, such as the white of an eye."""
    import cv2

    count, found, stats, _ = cv2.connectedComponentsWithStats(like.astype(np.uint8), connectivity=4)
    numbers = np.asarray(found, np.int64)
    large = stats[:, cv2.CC_STAT_AREA] > _POCKET * like.size
    rim = np.zeros(count, bool)
    rim[np.unique(np.concatenate([numbers[0], numbers[-1], numbers[:, 0], numbers[:, -1]]))] = True
    large |= rim
    large[0] = False
    return large[numbers]


def _beside(mask: Bools, reach: int) -> Bools:
    import cv2

    return cv2.dilate(mask.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0


def _repeated(picture: Pixels, sure: Bools) -> Pixels:
    """The pattern of the sure pixels goes on: every other pixel is copied from whole periods away; shaded where nothing repeats."""
    lab = to_oklab(picture)
    periods = [_period(lab, sure, axis) for axis in (0, 1)]
    result, done = picture.copy(), sure.copy()
    down, right = periods[0] or 2 * len(sure), periods[1] or 2 * sure.shape[1]
    times = [(y, x) for y in range(-9, 10) for x in range(-9, 10) if abs(y) * down < len(sure) and abs(x) * right < sure.shape[1]]
    for y, x in sorted(times, key=lambda t: ((t[0] * down) ** 2 + (t[1] * right) ** 2, t))[1:]:
        to_rows, to_columns = np.nonzero(~done)
        rows, columns = to_rows + round(y * down), to_columns + round(x * right)
        inside = (rows >= 0) & (rows < len(sure)) & (columns >= 0) & (columns < sure.shape[1])
        fresh = np.flatnonzero(inside)[sure[rows[inside], columns[inside]]]
        result[to_rows[fresh], to_columns[fresh]] = picture[rows[fresh], columns[fresh]]
        done[to_rows[fresh], to_columns[fresh]] = True
    return result if done.all() else _shaded(result, done)


def _period(lab: Floats, sure: Bools, axis: int) -> float | None:
    """After how many pixels along `axis` the sure pixels repeat themselves; None when they never do."""
    high = sure.shape[axis]
    costs = np.full(high // 2 + 1, np.inf)
    across = [slice(None, None, max(1, min(sure.shape) // 64))] * 2
    across[axis] = slice(None)
    light, trust = lab[tuple(across)].sum(-1), sure[tuple(across)].astype(np.float32)
    light, trust = (light, trust) if axis == 0 else (light.T, trust.T)
    for shift in range(8, high // 2 + 1):
        both = trust[shift:] * trust[:-shift]
        if both.mean() > 0.03:
            costs[shift] = (np.abs(light[shift:] - light[:-shift]) * both).sum() / both.sum()
    told = np.isfinite(costs)
    if not told.any():
        return None
    good = costs < _REPEATS * np.median(costs[told])
    if not good.any():
        return None
    first = _valley(costs, int(np.flatnonzero(good)[0]), 6)
    times = [n for n in range(2, 9) if n * first < len(costs) - 6 and good[_valley(costs, n * first, 3 * n)]]
    return _valley(costs, times[-1] * first, 3 * times[-1]) / times[-1] if times else float(first)


def _valley(costs: Floats, near: int, reach: int) -> int:
    """The shift of least cost within `reach` of `near`."""
    low = max(0, near - reach)
    return low + int(costs[low : near + reach + 1].argmin())


def _shaded(picture: Pixels, sure: Bools) -> Pixels:
    """Smooth colours between the sure ones."""
    soft = spread_out(picture.astype(np.float32), sure.astype(np.float32))
    return np.where(sure[..., None], picture, (soft + 0.5).clip(0, 255).astype(np.uint8))
