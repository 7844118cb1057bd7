"""From drawings to a finished picture at the size asked for: laid out, made large, with its SVG and with the credit for every pixel.

It knows the library's names and licences, no sentence and no sampler.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.creations import Json, Picture
from studio.starter import backdrop, trace
from studio.starter.compose import Drawing
from studio.starter.enlarge import enlarged
from studio.starter.frame import Box, drawn, placed
from studio.starter.icons import SIZE, IconLibrary
from studio.starter.layout import Placed, arranged
from studio.starter.scene import Scene

Pixels = NDArray[np.uint8]

NOTHING = 255  # in the attribution map: no icon, the background
_CLOSE = 0.9  # share of one icon from which a picture is called close to it
_FACTOR = 8  # how much larger drawings are made before they are fitted


def finished(drawings: Sequence[Drawing], scene: Scene, library: IconLibrary, seed: int, width: int, height: int) -> Picture:
    """The picture (height, width, 3) with its facts and attachments; sizes in pixels.

    Attachments: `drawing.svg`; `native.png`, 128 px with transparent background; `attribution.png`, one byte a pixel of the picture,
    the place in facts["attribution"] of the icon it came from, or 255 where no icon is.
    """
    order = arranged([one.pixels for one in drawings], scene.relation, [part.words for part in scene.parts])
    side = min(width, height)
    native = stacked([one.pixels for one in drawings], order, SIZE)
    origin = _origins(drawings, order, SIZE)
    facts, ranks = _credits(origin, drawings, library)
    if scene.notes:
        facts["notes"] = list(scene.notes)
    square = native if side == SIZE and len(drawings) == 1 else _at(drawings, order, side)
    pixels = backdrop.pixels(scene.background, width, height)
    corner = (width - side) // 2, (height - side) // 2
    page = Image.fromarray(pixels)
    page.alpha_composite(Image.fromarray(square), corner)
    credit = np.full((height, width), NOTHING, np.uint8)
    credit[corner[1] : corner[1] + side, corner[0] : corner[0] + side] = _ranked(_origins(drawings, order, side), ranks)
    vectors = trace.document(
        [(drawings[p.index].pixels, p.box) for p in order], width, height, backdrop.svg(scene.background, width, height)
    )
    attachments = {"drawing.svg": vectors.encode(), "native.png": png(native), "attribution.png": png(credit)}
    return Picture(np.asarray(page.convert("RGB")), seed, facts, attachments)


def sketched(pictures: Sequence[Pixels], scene: Scene) -> Pixels:
    """A quick look (128, 128, 3) at what is drawn so far: the last parts of the scene may still be missing."""
    words = [part.words for part in scene.parts[: len(pictures)]]
    relation = scene.relation if len(pictures) > 1 else ""
    square = stacked(pictures, arranged(pictures, relation, words), SIZE)
    page = Image.fromarray(backdrop.pixels(scene.background, SIZE, SIZE))
    page.alpha_composite(Image.fromarray(square))
    return np.asarray(page.convert("RGB"))


def stacked(pictures: Sequence[Pixels], order: Sequence[Placed], side: int) -> Pixels:
    """The pictures laid over one another in their boxes, (side, side, 4), back to front."""
    square = Image.new("RGBA", (side, side))
    for one in order:
        square.alpha_composite(Image.fromarray(placed(pictures[one.index], one.box.scaled(side / SIZE), size=side)))
    return np.asarray(square)


def png(pixels: Pixels) -> bytes:
    """PNG bytes of (H, W), (H, W, 3) or (H, W, 4) uint8."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def _at(drawings: Sequence[Drawing], order: Sequence[Placed], side: int) -> Pixels:
    if side <= SIZE:
        return stacked([one.pixels for one in drawings], order, side)
    return stacked([enlarged(one.pixels, _FACTOR) for one in drawings], order, side)


def _origins(drawings: Sequence[Drawing], order: Sequence[Placed], side: int) -> NDArray[np.int32]:
    """(side, side): the icon each pixel came from, or -1."""
    result = np.full((side, side), -1, np.int32)
    for one in order:
        drawing = drawings[one.index]
        shown = _stamped(drawing.origin, drawn(drawing.pixels), one.box.scaled(side / SIZE), side)
        result = np.where(shown >= 0, shown, result)
    return result


def _stamped(origin: NDArray[np.int32], own: Box, box: Box, side: int) -> NDArray[np.int32]:
    """`origin` inside `own` stretched over `box` of an empty square, nearest pixels."""
    lines = np.arange(side) + 0.5
    rows = np.floor(own.top + (lines - box.top) * own.height / box.height).astype(int)
    columns = np.floor(own.left + (lines - box.left) * own.width / box.width).astype(int)
    high, wide = origin.shape
    inside = ((rows >= own.top) & (rows < own.bottom))[:, None] & ((columns >= own.left) & (columns < own.right))
    return np.where(inside, origin[rows.clip(0, high - 1)][:, columns.clip(0, wide - 1)], -1).astype(np.int32)


def _credits(origin: NDArray[np.int32], drawings: Sequence[Drawing], library: IconLibrary) -> tuple[dict[str, Json], Mapping[int, int]]:
    """The facts about whose icons these are, and each icon's place in the list."""
    icons, counts = np.unique(origin[origin >= 0], return_counts=True)
    if not len(icons):  # a drawing so faint that no pixel is half opaque
        icons, counts = np.array([drawings[0].lead]), np.array([1])
    order = np.argsort(-counts, kind="stable")
    shares = counts[order] / counts.sum()
    named = [_named(library, int(icon)) for icon in icons[order]]
    facts: dict[str, Json] = {"attribution": [name | {"share": round(float(share), 4)} for name, share in zip(named, shares, strict=True)]}
    if shares[0] > _CLOSE:
        facts["close_to"] = f"{named[0]['set']}, {named[0]['name']}"
        facts["closest"] = named[0] | {"share": round(float(shares[0]), 4)}
    worn = dict.fromkeys(icon for one in drawings for icon in one.colours)
    if worn:
        facts["colours_of"] = [_named(library, icon) for icon in worn]
    return facts, {int(icon): rank for rank, icon in enumerate(icons[order])}


def _named(library: IconLibrary, icon: int) -> dict[str, Json]:
    about = library.icons[icon]
    return {"name": about.name, "set": about.title, "licence": about.licence}


def _ranked(origin: NDArray[np.int32], ranks: Mapping[int, int]) -> Pixels:
    result = np.full(origin.shape, NOTHING, np.uint8)
    for icon, rank in ranks.items():
        result[origin == icon] = rank
    return result
