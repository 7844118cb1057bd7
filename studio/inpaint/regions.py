"""Which crops of a picture a model works on, and at what size: around each mark, with context, in the model's own number of pixels.

Context as in Krita's AI plugin (a sixteenth of the picture's longer side, or half the marks' mean side), one crop for each group of
marks that lie far apart as in IOPaint. Knows masks and sizes; no picture, no model.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from studio.inpaint.masks import Hole, bounds

LEAST_CONTEXT = 32
MOST_CROPS = 6
"""More groups of marks than this are joined, the nearest first: every crop costs a whole run."""
_LARGEST = 2.0  # a crop is enlarged at most this much for the model
_SLIMMEST = 2.5  # the longest side of a crop against its shortest, where the picture allows
_LABELLED = 1024  # pixels of the longer side on which groups of marks are found


@dataclass(frozen=True)
class Box:
    """A part of the picture in whole pixels; `right` and `bottom` are outside."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def place(self) -> tuple[slice, slice]:
        """The box as an index of (H, W, ...) arrays."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def joined(self, other: Box) -> Box:
        """The smallest box around both."""
        return Box(min(self.left, other.left), min(self.top, other.top), max(self.right, other.right), max(self.bottom, other.bottom))

    def meets(self, other: Box) -> bool:
        """Whether they share a pixel."""
        return self.left < other.right and other.left < self.right and self.top < other.bottom and other.top < self.bottom


@dataclass(frozen=True)
class Crop:
    """A box of the picture and the size (width, height) in which a model works on it."""

    box: Box
    size: tuple[int, int]


def crops(hole: Hole, side: int, step: int, padding: int | None = None, *, whole: bool = False) -> tuple[Crop, ...]:
    """The crops that together hold every pixel of `hole` (H, W); none overlaps another.

    `side`: the model's native side, so that each crop has about side * side pixels, in multiples of `step`. `padding`: pixels of context
    around the marks; None chooses. `whole`: one crop, the whole picture.
    """
    height, width = hole.shape
    everything = Box(0, 0, width, height)
    if whole:
        return (Crop(everything, model_size(everything, side, step)),)
    boxes = [_with_context(box, width, height, padding) for box in _groups(hole)]
    boxes = _apart([_shaped(box, width, height, side) for box in boxes])
    boxes = [_shaped(box, width, height, side) for box in boxes]
    return tuple(Crop(box, model_size(box, side, step)) for box in _apart(boxes))


def model_size(box: Box, side: int, step: int) -> tuple[int, int]:
    """(width, height) of about side * side pixels in the box's proportions, in multiples of `step`."""
    scale = (side * side / (box.width * box.height)) ** 0.5
    across, down = (max(step * 4, round(length * scale / step) * step) for length in (box.width, box.height))
    return across, down


def _groups(hole: Hole) -> list[Box]:
    """Boxes around the connected marks, found on a smaller copy where the picture is large."""
    marked = hole.astype(np.uint8)
    height, width = marked.shape
    factor = max(1, -(-max(height, width) // _LABELLED))
    if factor > 1:  # any marked pixel marks its block
        rows, columns = -(-height // factor), -(-width // factor)
        padded = np.zeros((rows * factor, columns * factor), np.uint8)
        padded[:height, :width] = marked
        marked = padded.reshape(rows, factor, columns, factor).max((1, 3))
    _, _, stats, _ = cv2.connectedComponentsWithStats(marked, connectivity=8)
    found = [tuple(int(v) * factor for v in row[:4]) for row in np.asarray(stats)[1:]]
    return [_tight(hole, Box(x, y, min(x + w, width), min(y + h, height))) for x, y, w, h in found]


def _tight(hole: Hole, box: Box) -> Box:
    inner = bounds(hole[box.place]) or (0, 0, box.width, box.height)
    return Box(box.left + inner[0], box.top + inner[1], box.left + inner[2], box.top + inner[3])


def _with_context(box: Box, width: int, height: int, padding: int | None) -> Box:
    pad = padding if padding is not None else max(LEAST_CONTEXT, max(width, height) // 16, (box.width + box.height) // 4)
    return Box(max(0, box.left - pad), max(0, box.top - pad), min(width, box.right + pad), min(height, box.bottom + pad))


def _shaped(box: Box, width: int, height: int, side: int) -> Box:
    """Grown, centred and moved back inside, until it is neither too small nor too slim for the model."""
    least = int(side / _LARGEST)
    wide = max(box.width, least, int(box.height / _SLIMMEST))
    high = max(box.height, least, int(box.width / _SLIMMEST))
    wide, high = min(wide, width), min(high, height)
    left = min(max(0, (box.left + box.right - wide) // 2), width - wide)
    top = min(max(0, (box.top + box.bottom - high) // 2), height - high)
    return Box(left, top, left + wide, top + high)


def _apart(boxes: list[Box]) -> list[Box]:
    """Boxes that overlap become one; so do the nearest while there are too many, or while together they cover no less than their union."""
    boxes = list(boxes)
    while len(boxes) > 1:
        pairs = [(i, j) for i in range(len(boxes)) for j in range(i + 1, len(boxes))]
        meeting = next(((i, j) for i, j in pairs if boxes[i].meets(boxes[j])), None)
        if meeting is None and len(boxes) <= MOST_CROPS:
            break
        i, j = meeting or min(pairs, key=lambda pair: _area(boxes[pair[0]].joined(boxes[pair[1]])))
        joined = boxes[i].joined(boxes[j])
        boxes = [box for k, box in enumerate(boxes) if k not in (i, j)] + [joined]
    return boxes


def _area(box: Box) -> int:
    return box.width * box.height
