"""Putting a made picture back into the original: soft weights around the hole, colours matched, the least visible seam chosen.

Where the weights are 0 the original's bytes come back. Only the neighbourhood of the hole is worked on, so a small hole in a large
photograph costs little. It knows no model, no file and no task. Pictures are (H, W, 3) uint8 RGB, holes (H, W) bool.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.inpaint.jumps import Gauge
from studio.inpaint.prefill import membrane, neighbourhood

Pixels = NDArray[np.uint8]
Hole = NDArray[np.bool_]
Floats = NDArray[np.float32]

_RING = 12.0  # pixels outside the hole on which colours are compared
_FARTHEST = 48.0  # levels (of 255) a colour is moved at most; a larger difference is content, not a cast
_UNSEEN = 0.2  # difference of scores, in Delta E, that no eye sees
_MARGIN = 28  # pixels kept around everything that changes: what the picture around is like


@dataclass(frozen=True)
class Blended:
    """The finished picture and how it was put together.

    `pixels` (H, W, 3) uint8; `weights` (H, W) float32: 1 is the made picture, 0 the original byte for byte. `feather` is the one
    chosen, `score` its seam (see `score`), `scores` those of all feathers tried; `matched` says whether colours were moved.
    """

    pixels: Pixels
    weights: Floats
    feather: float
    score: float
    scores: dict[float, float]
    matched: bool = False


def weights(hole: Hole, feather: float) -> Floats:
    """(H, W) float32: 1 in the hole, 0 farther than `feather` pixels outside it, a smoothstep of the distance between; never outside the
    hole's own side of the picture's border, where nothing has to be joined."""
    if not hole.any():
        return np.zeros(hole.shape, np.float32)
    return _ramp(_distance(hole), feather)


def blended(original: Pixels, made: Pixels, hole: Hole, feathers: Sequence[float], colour_match: bool = True) -> Blended:
    """`made` inside the hole, `original` outside, joined over the feather (pixels, at least one given) whose seam scores least.

    Among feathers whose scores nobody can tell apart the narrowest is kept, since it changes the fewest pixels.

    With `colour_match` a smooth field is also tried that carries the made picture's colours to the original's along the ring just
    outside the hole (a membrane, after Pérez et al., "Poisson image editing", SIGGRAPH 2003); it is kept where it lowers the score.
    """
    if not feathers or min(feathers) < 0:
        raise ValueError("feathers are distances in pixels, at least one")
    pixels, whole = original.copy(), np.zeros(hole.shape, np.float32)
    if not hole.any():
        return Blended(pixels, whole, feathers[0], 0.0, dict.fromkeys(feathers, 0.0))
    # 1. the neighbourhood: all that may change, and a little more
    box = neighbourhood(hole, int(np.ceil(max(feathers))) + _MARGIN)
    before, after, inside = original[box], made[box], hole[box]
    distance = _distance(inside)
    gauge = Gauge(before, after, inside)
    # 2. every feather, as made and with its colours matched
    versions = [after]
    if colour_match and not inside.all():
        versions.append(_recoloured(before, after, distance))
    trials: list[tuple[float, float, int]] = []
    for feather in feathers:
        ramp = _ramp(distance, feather)
        for number, version in enumerate(versions):
            seam = gauge.seam(lambda place, v=version, r=ramp: _mixed(before[place], v[place], r[place]), ramp)
            trials.append((seam.total, feather, number))
    least = min(trial[0] for trial in trials)
    narrowest = min(feather for total, feather, _ in trials if total <= least + _UNSEEN)
    seam, feather, number = min((t for t in trials if t[1] == narrowest), key=lambda trial: (trial[0], trial[2]))
    # 3. the least seam goes back into the whole picture
    ramp = _ramp(distance, feather)
    pixels[box], whole[box] = _mixed(before, versions[number], ramp), ramp
    scores = {tried: min(total for total, at, _ in trials if at == tried) for tried in feathers}
    return Blended(pixels, whole, feather, seam, scores, number > 0)


def score(pixels: Pixels, original: Pixels, made: Pixels, mix: Floats, hole: Hole) -> float:
    """How visible the seam of `pixels` is; 0 is none, lower is better, in CIE Lab units (Delta E 1976). The sum of three:

    - LAB jump: the mean change of colour across the worst contour parallel to the hole's edge (6 pixels, Gaussian of 3 pixels);
    - gradient jump: the mean change from pixel to pixel across the worst such contour;
      both count only what exceeds nine of ten contours of the original around the hole and of the made picture inside it, so a
      textured picture is no seam;
    - doubling: how much fine detail of original and made picture that disagree shows through one another, 4 w (1 - w) times their
      difference without its low frequencies, summed across the edge in bands of 16 pixels.

    `mix` (H, W) float32 are the weights with which `pixels` was put together; contours are looked at wherever they lie between 0 and 1.
    """
    if not hole.any():
        return 0.0
    box = neighbourhood(hole | (mix > 0), _MARGIN)
    return Gauge(original[box], made[box], hole[box]).seam(lambda place: pixels[box][place], mix[box]).total


def _distance(hole: Hole) -> Floats:
    """Pixels to the nearest pixel of the hole; 0 inside it."""
    return cv2.distanceTransform((~hole).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE).astype(np.float32)


def _ramp(distance: Floats, feather: float) -> Floats:
    """Smoothstep from 1 at distance 0 to 0 just beyond the feather."""
    height = np.clip(1 - distance / np.float32(feather + 1), 0, 1)
    return (height * height * (3 - 2 * height)).astype(np.float32)


def _mixed(before: Pixels, version: Pixels, ramp: Floats) -> Pixels:
    """The rounded mixture; weight 0 gives the original exactly."""
    mixture = cv2.blendLinear(before, version, 1 - ramp, ramp)
    cv2.copyTo(before, (ramp <= 0).astype(np.uint8), mixture)
    return mixture.astype(np.uint8, copy=False)


def _recoloured(before: Pixels, after: Pixels, distance: Floats) -> Pixels:
    """The made picture with a smooth field added that takes its colours to the original's along the ring."""
    ring = ((distance > 0) & (distance <= _RING)).astype(np.float32)
    difference = np.clip(before.astype(np.float32) - after, -_FARTHEST, _FARTHEST)
    field = membrane(difference, ring, smooth=_RING / 2)
    return np.rint(np.clip(after + field, 0, 255)).astype(np.uint8)
