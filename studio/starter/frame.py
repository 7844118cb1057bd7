"""Brings icons of the same thing onto one frame: same place, same size, same way round, so that their parts can be exchanged.

Pictures are (H, W, 4) uint8 RGBA with straight alpha. It knows no words, no colours' meaning and no sampler.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

_SMALL = 32  # pixels a side of the copies that are compared
_STRETCH = 1.35  # the most that a picture's proportions may change
_FLIP_COST = 0.03  # a mirrored copy must fit that much better


@dataclass(frozen=True)
class Box:
    """Where a drawing lies: left, top, right, bottom in pixels; right and bottom are outside."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top

    def scaled(self, factor: float) -> Box:
        return Box(self.left * factor, self.top * factor, self.right * factor, self.bottom * factor)


def drawn(picture: Pixels) -> Box:
    """The smallest box around what is not transparent; the whole picture when nothing is drawn."""
    seen = picture[..., 3] > 12
    rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
    if not len(rows):
        return Box(0, 0, picture.shape[1], picture.shape[0])
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def placed(picture: Pixels, box: Box, flip: bool = False, size: int | None = None) -> Pixels:
    """The drawing of `picture` moved and scaled into `box` of an empty square of `size` pixels a side (default: the picture's own).

    A drawing that keeps its size within 3 % is only moved by whole pixels: it stays as crisp as it was.
    """
    side = size or picture.shape[0]
    own = drawn(picture)
    image = Image.fromarray(picture).crop((int(own.left), int(own.top), int(own.right), int(own.bottom)))
    if flip:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    wide, high = max(1, round(box.width)), max(1, round(box.height))
    if abs(wide / image.width - 1) > 0.03 or abs(high / image.height - 1) > 0.03:
        image = image.resize((wide, high), Image.Resampling.BICUBIC)
    canvas = Image.new("RGBA", (side, side))
    canvas.paste(image, (round((box.left + box.right - image.width) / 2), round(box.bottom - image.height)))
    return np.asarray(canvas)


def aligned(pictures: list[Pixels], anchor: int, box: Box) -> list[Pixels]:
    """Every picture placed where it best agrees with picture `anchor` standing in `box`; mirrored if that agrees better.

    The anchor fills the box; the others keep their proportions within a factor of 1.35.
    """
    side = pictures[anchor].shape[0]
    target = placed(pictures[anchor], box)
    small = _planes(placed(pictures[anchor], box.scaled(_SMALL / side), size=_SMALL))
    found: list[Pixels] = []
    for index, picture in enumerate(pictures):
        if index == anchor:
            found.append(target)
            continue
        shrunk = np.asarray(Image.fromarray(picture).resize((_SMALL * 2, _SMALL * 2), Image.Resampling.BOX))
        best, best_cost = (_inside(drawn(picture), box, 1, 0.5, 1), False), np.inf
        for size, x, y, flip in product((1.0, 0.92, 0.84), (0.0, 0.5, 1.0), (0.5, 1.0), (False, True)):
            if size == 1 and (x != 0.5) and _loose(drawn(picture), box):
                continue
            spot = _inside(drawn(picture), box, size, x, y)
            trial = _planes(placed(shrunk, spot.scaled(_SMALL / side), flip, _SMALL))
            cost = float(difference(trial, small)) + _FLIP_COST * flip
            if cost < best_cost:
                best, best_cost = (spot, flip), cost
        found.append(placed(picture, *best))
    return found


def unlike(one: Pixels, other: Pixels) -> float:
    """How different two placed pictures look, over the area of the second: 0 same, about 0.1 same drawing, above 1 other things."""
    return difference(_planes(_halved(one)), _planes(_halved(other)))


def difference(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Mean squared difference of two pictures' planes (n, n, 4) over the share of the second that is drawn on; outlines count double."""
    squared = (one - other) ** 2
    area = float((other[..., 3] + 1).mean()) / 2
    return float((squared[..., :3].sum(-1) / 2 + squared[..., 3]).mean()) / max(area, 0.02)


def _halved(picture: Pixels) -> Pixels:
    side = picture.shape[0] // 4
    return np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BOX))


def _planes(picture: Pixels) -> NDArray[np.float32]:
    """Premultiplied about grey: colour in [-1, 1] times alpha, then alpha in [-1, 1]; nothing is (0, 0, 0, -1)."""
    scaled = picture.astype(np.float32) / 127.5 - 1
    alpha = (scaled[..., 3:] + 1) / 2
    return np.concatenate([scaled[..., :3] * alpha, scaled[..., 3:]], -1)


def _loose(own: Box, box: Box) -> bool:
    """Whether a drawing fitted into the box leaves no room to move sideways."""
    return _inside(own, box, 1, 0.5, 1).width > box.width - 3


def _inside(own: Box, box: Box, size: float, x: float, y: float) -> Box:
    """A drawing of box `own` fitted into `box` with its proportions nearly kept, times `size`, at share x and y of the room left."""
    stretch = (box.width / box.height) / (own.width / own.height)
    stretch = min(max(stretch, 1 / _STRETCH), _STRETCH) ** 0.5
    wide, high = own.width * stretch, own.height / stretch
    factor = min(box.width / wide, box.height / high) * size
    wide, high = wide * factor, high * factor
    left, top = box.left + (box.width - wide) * x, box.top + (box.height - high) * y
    return Box(left, top, left + wide, top + high)
