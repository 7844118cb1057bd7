"""One edit of one picture: a task becomes regions for a model, what the model made of them becomes the finished picture.

The promise stands here: where the composite weights are 0 the decoded picture comes back byte for byte, in its own mode, at its offset.
Knows no model and no framework; engines call `plan`, work on each region, and call `finished`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.creations import Json, Picture
from studio.errors import InvalidInput
from studio.inpaint import masks, seams
from studio.inpaint.prefill import Way, prefilled
from studio.inpaint.read import PIXEL_LIMIT, Source, read_mask, read_picture
from studio.inpaint.regions import Box, Crop, crops
from studio.tasks import Inpaint

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]
_Array = TypeVar("_Array", Pixels, Floats)

WAYS: Mapping[str, str] = {"fill": "blur", "outpaint": "edges", "erase": "blur", "background": "neutral"}
"""What stands in the hole before a model draws, where the task does not say; modes that are not named keep what is there."""
FEATHERS = (1.0, 3.0, 8.0)
"""Feathers tried, as shares of 1/128 of the crop's longer side (4, 12 and 32 pixels for a crop of 512)."""
BACKGROUND_FEATHERS = (0.0025, 0.005, 0.01)
"""Feathers around a kept object, as shares of the crop's longer side: at most 1 %."""

GROW, SOFTENED = 4, 0.06
"""What is drawn goes beyond the hole by so many of the model's pixels, and fades over that share of the crop's longer side."""

ENLARGED = 1.5
"""A marked edit by instruction that is enlarged more than this is said to be."""


@dataclass(frozen=True)
class Region:
    """A part of the picture as a model works on it, at the model's own size (w, h).

    `picture` (h, w, 3) uint8 RGB, its hole prefilled where the mode says so; `mask` (h, w) float32, how freely each pixel may change;
    `hole` (h, w) bool, what was asked for; `box` where it lies in the canvas.
    """

    box: Box
    picture: Pixels
    mask: Floats
    hole: masks.Hole

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in the model's pixels."""
        return self.picture.shape[1], self.picture.shape[0]


@dataclass(frozen=True)
class Edit:
    """A planned edit. `canvas` is the decoded picture, extended where it is outpainted; `hole` (H, W) says what may change.

    `offset` (x, y) is where the picture lies in the canvas; `whole` says that everything is redrawn, outside the promise.
    """

    task: Inpaint
    source: Source
    canvas: Pixels
    hole: masks.Hole
    offset: tuple[int, int]
    whole: bool
    regions: tuple[Region, ...]
    notes: tuple[str, ...]

    def crop(self, region: Region) -> Pixels:
        """(h, w, 3) uint8: the region at the picture's own size, unfilled; what is transparent lies over white."""
        return colours(self.canvas[region.box.place])

    def finished(
        self, made: Sequence[Pixels], seed: int, facts: Mapping[str, Json] | None = None, attachments: Mapping[str, bytes] | None = None
    ) -> Picture:
        """The picture with what was made of each region, (h, w, 3) uint8 of the region's own size, put back where it belongs.

        `facts["edit"]` counts pixels: `changed_outside` (measured), `blended` at the edge and `drawn`; and tells the seam.
        """
        work = colours(self.canvas)
        weights = np.zeros(self.hole.shape, np.float32)
        joints: list[dict[str, Json]] = []
        for region, pixels in zip(self.regions, made, strict=True):
            place = region.box.place
            large = _resized(pixels, (region.box.width, region.box.height))
            if self.whole:
                work[place], weights[place] = large, 1
                continue
            hole = self.hole[place]
            blend = seams.blended(work[place], large, hole, self._feathers(region.box, hole), self.task.colour_match)
            work[place], weights[place] = blend.pixels, np.maximum(weights[place], blend.weights)
            joints.append({
                "feather": round(blend.feather, 1), "score": round(blend.score, 2), "matched": blend.matched,
                "tried": {f"{feather:.1f}": round(score, 2) for feather, score in blend.scores.items()},
            })  # fmt: skip
        pixels = self._in_own_mode(work, weights)
        edit: dict[str, Json] = {**self._counts(pixels, weights), "seams": [*joints]}
        told: dict[str, Json] = dict(facts or {})
        told["edit"] = edit
        own: Json = told.get("notes")
        told["notes"] = [*(own if isinstance(own, list) else []), *self.notes, summary(edit)]
        return Picture(pixels, seed, told, dict(attachments or {}), self.source.icc, None if self.whole else weights >= 1)

    def _feathers(self, box: Box, hole: masks.Hole) -> tuple[float, ...]:
        """Those to try, none wider than the room between the hole and a side of the crop that is no side of the picture."""
        longer = max(box.width, box.height)
        if self.task.feather is not None:
            wanted: tuple[float, ...] = (self.task.feather,)
        elif self.task.mode == "background":
            wanted = tuple(max(1.0, share * longer) for share in BACKGROUND_FEATHERS)
        else:
            wanted = tuple(max(1.0, share * longer / 128) for share in FEATHERS)
        height, width = self.hole.shape
        inner = masks.bounds(hole)
        if inner is None:
            return wanted[:1]
        room = [
            inner[0] if box.left > 0 else longer,
            inner[1] if box.top > 0 else longer,
            box.width - inner[2] if box.right < width else longer,
            box.height - inner[3] if box.bottom < height else longer,
        ]
        most = max(0.0, float(min(room)) - 2)
        return tuple(dict.fromkeys(min(feather, most) for feather in wanted))

    def _in_own_mode(self, work: Pixels, weights: Floats) -> Pixels:
        """The RGB canvas in the mode of the picture; where weights are 0 the canvas's own bytes."""
        if self.canvas.ndim == 3 and self.canvas.shape[2] == 3:
            return work  # a copy of the canvas in which nothing but blended places was written
        kept = weights <= 0
        if self.canvas.ndim == 2:
            grey = np.asarray(cv2.cvtColor(work, cv2.COLOR_RGB2GRAY), np.uint8)
            return np.where(kept, self.canvas, grey)
        result = np.where(kept[..., None], self.canvas[..., :3], work)
        alpha = self.canvas[..., 3].astype(np.float32)
        alpha = np.rint(alpha + (255 - alpha) * weights).astype(np.uint8)
        return np.dstack([result, np.where(kept, self.canvas[..., 3], alpha)])

    def _counts(self, pixels: Pixels, weights: Floats) -> dict[str, Json]:
        apart = np.asarray(cv2.absdiff(pixels, self.canvas)).reshape(*pixels.shape[:2], -1)
        differs = np.asarray(functools.reduce(cv2.max, cv2.split(apart))) > 0
        height, width = self.hole.shape
        return {
            "whole": self.whole,
            "changed_outside": int((differs & (weights <= 0)).sum()),
            "blended": int(((weights > 0) & (weights < 1)).sum()),
            "drawn": int((weights >= 1).sum()),
            "canvas": [width, height],
            "offset": list(self.offset),
        }


def plan(task: Inpaint, side: int, step: int = 8, *, soft: bool = False, way: Way | None = None) -> Edit:
    """Read the files of a resolved task and lay the work out for a model of native size `side` x `side`, in multiples of `step` pixels.

    `soft`: the model can change a pixel a little, so that soft marks count from 5 % on. `way`: another prefill than the mode's own.
    For an instruction the model sees the whole picture, since words may point anywhere in it, unless the task asks for so much context.
    Raises InvalidInput in words for files and marks that cannot be used.
    """
    source, canvas, marked, offset, notes = _read(task)
    whole = _whole(task)
    hole = marked >= (masks.TOUCHED if soft else masks.MARKED)
    if not hole.any():
        raise InvalidInput("The marks are too faint for this model: paint them at full strength.", "mask")
    strengths = (marked / np.float32(255) if soft else hole).astype(np.float32)
    work = colours(canvas)
    prefill = "original" if whole else way or task.prefill or WAYS.get(task.mode, "original")
    everything = whole or task.area == "whole" or (task.mode == "instruct" and task.context_padding is None)
    regions = tuple(
        _region(work, hole, strengths, crop, prefill, task.seed or 0)
        for crop in crops(hole, side, step, task.context_padding, whole=everything)
    )
    if everything and task.mode == "instruct" and not whole:
        notes = (*notes, *_enlarged(regions[0]))
    return Edit(task, source, canvas, hole, offset, whole, regions, notes)


def check(task: Inpaint) -> None:
    """Read the files of a resolved task and judge its marks, before anything waits or loads. Raises InvalidInput in words."""
    _read(task)


def summary(edit: Mapping[str, Json]) -> str:
    """What the page says after a run about what was changed."""
    if edit.get("whole"):
        return "The whole picture was redrawn."
    changed, blended = int(str(edit.get("changed_outside", 0))), int(str(edit.get("blended", 0)))
    return f"{changed:,} pixel{'s' if changed != 1 else ''} changed outside the mask; {blended:,} blended at its edge."


def colours(pixels: Pixels) -> Pixels:
    """A copy as RGB; what is transparent lies over white."""
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, 2)
    if pixels.shape[2] == 3:
        return pixels.copy()
    alpha = pixels[..., 3:].astype(np.float32) / 255
    return np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)


def _read(task: Inpaint) -> tuple[Source, Pixels, masks.Mask, tuple[int, int], tuple[str, ...]]:
    """The picture, the canvas it becomes, what is marked on the canvas, where the picture lies in it, and notes."""
    source = read_picture(Path(task.image))
    marked, told = _marks(task, source)
    canvas, marked, offset = _extended(task, source.pixels, marked)
    marked = masks.grown(marked, task.mask_grow)
    if not _whole(task):
        _judge(task, marked)
    return source, canvas, marked, offset, (*source.notes, *told)


def _enlarged(region: Region) -> tuple[str, ...]:
    """A note where a marked edit was drawn much smaller than the picture."""
    width, height = region.size
    if region.box.width <= ENLARGED * width:
        return ()
    return (f"Drawn at {width:,} × {height:,} pixels and enlarged: set Context to draw the marked part alone, in more detail.",)


def _whole(task: Inpaint) -> bool:
    """Whether the whole picture is redrawn."""
    return task.mode in ("redraw", "instruct") and not task.mask


def _marks(task: Inpaint, source: Source) -> tuple[masks.Mask, list[str]]:
    """The mask as the mode means it, on the picture as given, and notes."""
    width, height = source.size
    if not task.mask:
        return np.full((height, width), 0 if task.mode == "outpaint" else 255, np.uint8), []
    mask, notes = read_mask(Path(task.mask), source.size)
    return (255 - mask if task.mode == "background" else mask), list(notes)


def _extended(task: Inpaint, pixels: Pixels, mask: masks.Mask) -> tuple[Pixels, masks.Mask, tuple[int, int]]:
    """Canvas, mask and offset with the sides that outpainting adds: new pixels repeat the nearest, and are marked."""
    if task.mode != "outpaint":
        return pixels, mask, (0, 0)
    height, width = mask.shape
    left, right = (_pixels(side, width) for side in (task.left, task.right))
    top, bottom = (_pixels(side, height) for side in (task.top, task.bottom))
    across, down = width + left + right, height + top + bottom
    if across * down > PIXEL_LIMIT:
        raise InvalidInput(f"That would be {across:,} × {down:,} pixels; {PIXEL_LIMIT / 1e6:.0f} megapixels is the most: add less.", "left")
    if not left + right + top + bottom:
        raise InvalidInput("The sides to add come to less than one pixel: make them larger.", "left")
    frame = (top, bottom), (left, right)
    canvas = np.pad(pixels, (*frame, (0, 0)) if pixels.ndim == 3 else frame, mode="edge")
    return canvas, np.pad(mask, frame, constant_values=255), (left, top)


def _pixels(side: str, of: int) -> int:
    return round(float(side[:-1]) / 100 * of) if side.endswith("%") else round(float(side))


def _judge(task: Inpaint, mask: masks.Mask) -> None:
    """Marks that leave nothing to do or nothing to keep."""
    marked = mask >= masks.TOUCHED
    if not marked.any():
        if task.mode == "background":
            raise InvalidInput("Everything is marked as the object to keep, so there is no background to replace: mark less.", "mask")
        raise InvalidInput("Nothing is marked: paint over what should change first.", "mask")
    if marked.all():
        if task.mode == "background":
            raise InvalidInput("Nothing is marked: mark the object to keep; everything else is replaced.", "mask")
        raise InvalidInput("Everything is marked, so nothing would be kept: leave a part free, or choose Image to image.", "mask")


def _region(work: Pixels, hole: masks.Hole, strengths: Floats, crop: Crop, way: str, seed: int) -> Region:
    place = crop.box.place
    share = _resized(hole[place].astype(np.float32), crop.size)
    small = share > 0.25
    small |= (share > 0) & (cv2.dilate(small.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)  # finer than the model's pixels
    picture = _resized(work[place], crop.size)
    if way in ("blur", "edges", "neutral", "noise") and small.any():
        picture = prefilled(picture, small, way, seed)
    own = _resized(np.ascontiguousarray(strengths[place]), crop.size)
    if crop.size[0] < crop.box.width:  # means over what is marked: a thin mark is as strong as a broad one
        within = np.where(hole[place], strengths[place], 0).astype(np.float32)
        own = np.divide(_resized(within, crop.size), np.maximum(share, 1e-6), dtype=np.float32)
    own = np.clip(own, 0, 1)
    return Region(crop.box, picture, masks.softened(own, small, GROW, SOFTENED * max(crop.size)), small)


def _resized(pixels: _Array, size: tuple[int, int]) -> _Array:
    """To (width, height): averaged down, by Lanczos up; the same size is returned as it is."""
    height, width = pixels.shape[:2]
    if (width, height) == size:
        return pixels
    smaller = size[0] * size[1] < width * height
    how = cv2.INTER_AREA if smaller else cv2.INTER_LANCZOS4 if pixels.dtype == np.uint8 else cv2.INTER_LINEAR
    found: _Array = np.asarray(cv2.resize(pixels, size, interpolation=how), pixels.dtype)  # pyright: ignore[reportAssignmentType]
    return found
