"""Where the things of a picture stand: one in the middle, or two or three on, in, above, below, beside or behind one another.

It measures drawings' silhouettes and gives boxes in a square of 128 units; it paints nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from studio.starter.frame import Box, drawn
from studio.starter.icons import SIZE

Pixels = NDArray[np.uint8]

_MARGIN = 5
_GAP = 5
_SEATED = 0.07  # share of its height by which a thing sinks into what it stands on
_SUNK = 0.42  # and into what it sits in
_OPEN = frozenset(
    """bag basin basket bath bathtub bed boat bowl box bucket can canoe car cart cauldron chest cup drawer glass hat helmet jar kettle mug
    nest package pan pocket pot purse sack shoe boot sink sled sleigh suitcase teacup truck tub vase volcano wagon""".split()
)


@dataclass(frozen=True)
class Placed:
    """Thing number `index` stands in `box`."""

    index: int
    box: Box


def arranged(pictures: Sequence[Pixels], relation: str, words: Sequence[str]) -> tuple[Placed, ...]:
    """Where each of `pictures` (128, 128, 4) stands, back to front: the order in which to paint them.

    Every thing stands in `relation` (scene.RELATIONS) to the next. `words` name the things: what is open at the top is filled from above.
    """
    boxes = [drawn(picture) for picture in pictures]
    if len(boxes) == 1:
        return (Placed(0, boxes[0]),)
    if relation in ("", "and", "beside"):
        return _centred(_row(boxes) if len(boxes) == 2 or relation == "beside" else _group(boxes))
    last = len(boxes) - 1
    order = [Placed(last, boxes[last])]
    for index in range(last - 1, -1, -1):
        base = next(placed for placed in order if placed.index == index + 1)
        box, front = _set(relation, boxes[index], base.box, pictures[index + 1], words[index + 1])
        order.insert(len(order) if front else order.index(base), Placed(index, box))
    return _centred(order)


def _set(relation: str, own: Box, base: Box, below: Pixels, words: str) -> tuple[Box, bool]:
    """Where a drawing of box `own` stands to the one placed in `base`, which shows `below` and is named `words`; and whether in front."""
    middle = (base.left + base.right) / 2
    match relation:
        case "on":
            box = _sized(own, base, 0.68, 0.78)
            return _moved(box, middle, _surface(below, base, middle, box.width * 0.3) + _SEATED * box.height), True
        case "in" if not _OPEN.isdisjoint(words.lower().split()):
            box = _sized(own, base, 0.6, 0.8)
            return _moved(box, middle, _surface(below, base, middle, box.width * 0.3) + _SUNK * box.height), False
        case "in":
            box = _sized(own, base, 0.42, 0.42)
            return _moved(box, middle, (base.top + base.bottom) / 2 + box.height / 2), True
        case "above":
            return _moved(_sized(own, base, 0.62, 0.62), middle, base.top - _GAP), True
        case "below":
            box = _sized(own, base, 0.9, 0.9)
            return _moved(box, middle, base.bottom + _GAP + box.height), True
        case _:  # behind: it looks out at the upper right
            box = _sized(own, base, 1.05, 1.05)
            return _moved(box, base.right - 0.1 * base.width, base.bottom - 0.42 * base.height), False


def _row(boxes: list[Box]) -> list[Placed]:
    """Side by side on one ground, of like areas."""
    order: list[Placed] = []
    left = 0.0  # the ground is y = 0
    for index, box in enumerate(boxes):
        factor = SIZE / max(box.height, (box.width * box.height) ** 0.5)
        order.append(Placed(index, Box(left, -box.height * factor, left + box.width * factor, 0)))
        left += box.width * factor + 7
    return order


def _group(boxes: list[Box]) -> list[Placed]:
    """Three close together: the first behind, above the gap between the two others."""
    order = _row(boxes[1:])
    left, right = order[0].box, order[1].box
    behind = boxes[0].scaled((left.height + right.height) / 2 / boxes[0].height)
    middle, bottom = (left.right + right.left) / 2, -0.72 * min(left.height, right.height)
    return [Placed(0, _moved(behind, middle, bottom)), Placed(1, left), Placed(2, right)]


def _sized(own: Box, base: Box, wide: float, high: float) -> Box:
    """`own` scaled to fit into these shares of the base's longer side."""
    room = max(base.width, base.height)
    factor = min(wide * room / own.width, high * room / own.height)
    return own.scaled(factor)


def _moved(box: Box, middle: float, bottom: float) -> Box:
    return Box(middle - box.width / 2, bottom - box.height, middle + box.width / 2, bottom)


def _surface(picture: Pixels, placed: Box, middle: float, width: float) -> float:
    """How high the thing reaches around the line x = middle: the median top of its silhouette there, in the units of `placed`."""
    own = drawn(picture)
    scale = placed.width / own.width
    low, high = (round(own.left + (x - placed.left) / scale) for x in (middle - width / 2, middle + width / 2))
    seen = picture[:, max(low, 0) : max(high, low + 1), 3] > 127
    tops = np.where(seen.any(0), seen.argmax(0), own.bottom)
    return placed.top + (float(np.median(tops)) - own.top) * scale


def _centred(order: Sequence[Placed]) -> tuple[Placed, ...]:
    """Everything scaled and moved together into the middle of the square, inside the margin."""
    left, top = min(p.box.left for p in order), min(p.box.top for p in order)
    right, bottom = max(p.box.right for p in order), max(p.box.bottom for p in order)
    factor = (SIZE - 2 * _MARGIN) / max(right - left, bottom - top)
    x, y = (SIZE - (right - left) * factor) / 2 - left * factor, (SIZE - (bottom - top) * factor) / 2 - top * factor

    def fitted(box: Box) -> Box:
        return Box(box.left * factor + x, box.top * factor + y, box.right * factor + x, box.bottom * factor + y)

    return tuple(replace(placed, box=fitted(placed.box)) for placed in order)
