"""The picture starter changes pictures: fills holes, goes on beyond the border, refines, replaces the background, redraws.

Where a drawn thing runs into the hole its missing part is drawn around what is known (continuing.py); where the hole lies over the
ground, or the picture is a photograph, the asked thing is drawn anew and fitted in (fitting.py). It knows no task and no files.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from studio.starter import compose, finish, surroundings
from studio.starter.continuing import continued, faces, lead_for
from studio.starter.diffusion import Watch
from studio.starter.fitting import Spot, against, bounds, inside
from studio.starter.frame import Box, aligned, drawn, unlike
from studio.starter.icons import SIZE, IconLibrary
from studio.starter.layout import arranged
from studio.starter.placing import Stamp, meeting, morphing, shadowed, stamped, torn
from studio.starter.scene import Scene
from studio.starter.surroundings import Surroundings
from studio.starter.textures import grained
from studio.starter.toning import toned
from studio.starter.vocabulary import HEADWEAR

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]

PHOTOGRAPH = "Atelier Icons draws illustrations; choose a larger model for photographs."
NO_LIKENESS = "Nothing like the prompt is in the marked area, so it was kept: choose Fill to draw it anew."
MODES = ("fill", "refine", "background", "outpaint", "redraw")

_TOUCHING = 0.04  # share of the hole's rim from which a thing runs into it
_WITHIN = 0.9  # and from which the hole lies inside a thing
_AROUND = 0.62  # from which it mostly does
_SAME = 0.05  # misfit up to which the asked thing is the one that is there
_FITS = 0.17  # misfit up to which the asked thing continues the one that is there
_TORN = 0.18  # share of the cut along which outlines do not meet, up to which a thing is continued
_REFINES = 0.3  # misfit up to which it is like the one that is there
_THERE = 0.3  # frame.unlike up to which a thing in the picture is the asked one
_VIEW = 0.9  # share of its frame that a view fills
_OVER = 1.08  # how much larger than the page a view is laid, so that its rounded corners are outside
_WIDER = 1.3  # the most that a hat is stretched to the width of the head
_TRIES = 2  # drawings of which the one that stands best is taken


@dataclass(frozen=True)
class Made:
    """What a region became: `pixels` (h, w, 3) uint8; `origin` (h, w) int32, the icon of each newly drawn pixel or -1.

    `colours` are further icons whose colours were taken on; `notes` are sentences for the page.
    """

    pixels: Pixels
    origin: NDArray[np.int32]
    colours: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """One region and what is asked of it. `picture` (h, w, 3) uint8, `hole` (h, w) bool; `scene` None asks for no thing."""

    picture: Pixels
    hole: Bools
    scene: Scene | None
    library: IconLibrary
    strength: float
    seed: int
    steps: int
    watch: Watch | None
    report: Callable[[float], None]
    around: Surroundings


def painted(
    picture: Pixels,
    hole: Bools,
    mask: Floats | None,
    scene: Scene | None,
    library: IconLibrary,
    *,
    mode: str,
    strength: float = 0.6,
    seed: int,
    steps: int = 18,
    watch: Watch | None = None,
    report: Callable[[float], None] | None = None,
) -> Made:
    """`picture` (h, w, 3) uint8 with its `hole` (h, w) bool drawn anew as `scene` says; outside the hole it comes back as it is.

    In the modes "fill", "outpaint" and "background" what the picture holds inside the hole is not looked at, except that it stays where
    a photograph's ground goes on. `mask` (h, w) in 0..1 or None: what is drawn fades where it is below 1 inside the hole. `strength` in
    (0, 1] is for "refine" and "redraw". The same seed gives the same bytes. What `watch`
    raises ends the work within one step; so does `report`, which hears the share done of completing a photograph's ground.
    """
    fresh = mode in ("fill", "outpaint", "background")
    around = surroundings.look(picture, hole if fresh else np.zeros_like(hole))
    job = Job(picture, hole, scene, library, strength, seed, steps, watch, report or _unheard, around)
    made = _WAYS.get(mode, _filled)(job)
    share = hole[..., None] * np.float32(1) if mask is None or hole.all() else (hole * np.clip(mask, 0, 1))[..., None]
    pixels = (picture * (1 - share) + made.pixels * share + 0.5).astype(np.uint8)
    origin = np.where(hole, made.origin, -1).astype(np.int32)
    notes = (PHOTOGRAPH, *made.notes) if around.photograph else made.notes
    return Made(pixels, origin, made.colours, notes)


def _filled(job: Job) -> Made:
    """The hole filled: a thing continued, or the asked things drawn anew inside it over the ground that goes on."""
    scene, touching = job.scene, _touching(job)
    if scene is None or not scene.parts:
        return Made(_ground(job), _nowhere(job.hole))
    if _TOUCHING <= touching < _WITHIN and len(scene.parts) == 1:
        if _headwear(scene):
            return _worn(job)
        within = touching > _AROUND
        made = _continued(job, _ground(job, bare=True), most=_SAME if within else _FITS)
        return made or (_anew(job, _ground(job), job.hole) if within else _upon(job))
    return _anew(job, _ground(job), job.hole)


def _continued(job: Job, page: Pixels, *, strength: float | None = None, most: float = _FITS) -> Made | None:
    """The thing that runs into the hole goes on as the asked one; None where that does not fit."""
    assert job.scene is not None
    thing, hole, part = job.around.thing, job.hole, job.scene.parts[0]
    unseen = hole if strength is None else np.zeros_like(hole)
    part = lead_for(faces(part, job.library), job.library, job.picture, thing, unseen, job.seed)
    found = continued(
        part, job.library, job.picture, thing, unseen, hole, seed=job.seed, steps=job.steps, watch=job.watch, strength=strength, most=most
    )
    if found is None:
        return None
    drawing = found.drawing
    stamp = stamped(drawing.pixels, drawing.origin, found.spot, hole.shape)
    if hole.all():
        bend = morphing(stamp.paint[..., 3], thing, 1 - job.strength)
    else:
        bend = meeting(stamp.paint[..., 3], thing & ~hole, hole)
    stamp = stamped(drawing.pixels, drawing.origin, found.spot, hole.shape, bend)
    if strength is None and torn(stamp.paint[..., 3], thing, hole) > _TORN:
        return None
    mixed = np.where(hole[..., None], stamp.over(page), job.picture)
    return Made(toned(mixed, hole, thing & ~hole), stamp.origin, drawing.colours)


def _upon(job: Job) -> Made:
    """The asked thing drawn anew so that it covers the cut through the thing beside the hole."""
    drawings = [_drawing(job, place, part=0) for place in range(_TRIES)]
    spots = [against(drawing.pixels, job.around.thing, job.hole) for drawing in drawings]
    best = int(np.argmin([spot.misfit for spot in spots]))
    stamp = stamped(drawings[best].pixels, drawings[best].origin, spots[best], job.hole.shape)
    return Made(stamp.over(_ground(job)), stamp.origin, drawings[best].colours)


def _worn(job: Job) -> Made:
    """A hat or crown upon the thing below the hole, in the middle of where it is cut; elsewhere as any other thing."""
    drawing = _drawing(job, 0)
    own, around = drawn(drawing.pixels), bounds(job.hole)
    below = job.around.thing & _rim(job.hole)
    below[: int(around.bottom)] = False
    if below.sum() < 0.5 * (job.around.thing & _rim(job.hole)).sum():
        return _upon(job)
    head = bounds(below)
    high = min(0.97 * around.height, 0.98 * head.width * own.height / own.width)
    half = min(_WIDER * high * own.width / own.height, 0.98 * head.width) / 2
    middle = (head.left + head.right) / 2
    box = Box(middle - half, around.bottom - high, middle + half, around.bottom + 1)
    stamp = stamped(drawing.pixels, drawing.origin, Spot(box), job.hole.shape)
    return Made(stamp.over(_ground(job)), stamp.origin, drawing.colours)


def _anew(job: Job, page: Pixels, hole: Bools) -> Made:
    """The asked things drawn anew as one group, as large as the hole allows."""
    assert job.scene is not None
    drawings = [_drawing(job, place) for place in range(len(job.scene.parts))]
    pictures = [one.pixels for one in drawings]
    order = arranged(pictures, job.scene.relation, [part.words for part in job.scene.parts])
    group = finish.stacked(pictures, order, SIZE)
    whole, spot = drawn(group), inside(group, _largest(hole), _floor(job))
    stamps = [stamped(pictures[p.index], drawings[p.index].origin, _part(spot, whole, p.box), hole.shape) for p in order]
    if job.around.photograph:
        page = shadowed(page, spot.box)
    return _laid(page, stamps, [one.colours for one in drawings])


def _outpainted(job: Job) -> Made:
    """The ground goes on beyond the old border, and what the border cut; the asked thing stands there unless the picture shows it."""
    if job.scene is None or not job.scene.parts:
        return Made(_ground(job), _nowhere(job.hole))
    if job.around.plain and _shown(job):
        made = _continued(job, _ground(job, bare=True)) if _touching(job) >= _TOUCHING else None
        return made or Made(_ground(job), _nowhere(job.hole))
    return _filled(job)


def _behind(job: Job) -> Made:
    """The thing is kept; behind it the asked background, or a row of the asked things."""
    scene, (high, wide) = job.scene, job.hole.shape
    if scene is None or not scene.parts:
        if scene is None or scene.background is None:
            return Made(_ground(job), _nowhere(job.hole))
        return Made(finish.backdrop.pixels(scene.background, wide, high)[..., :3], _nowhere(job.hole))
    kept = bounds(~job.hole) if not job.hole.all() else Box(0.3 * wide, 0.3 * high, 0.7 * wide, 0.9 * high)
    drawings = [_drawing(job, place, part=place % len(scene.parts)) for place in range(5)]
    page = finish.backdrop.pixels(scene.background or surroundings.tint(drawings[0].pixels), wide, high)[..., :3]
    if _is_view(drawings[0].pixels):
        own = drawn(drawings[0].pixels)
        scale = _OVER * max(wide / own.width, high / own.height)
        x, y = (wide - own.width * scale) / 2, (high - own.height * scale) / 2
        view = Spot(Box(x, y, x + own.width * scale, y + own.height * scale))
        return _laid(page, [stamped(drawings[0].pixels, drawings[0].origin, view, job.hole.shape)], [drawings[0].colours])
    ground = min(max(kept.bottom - 0.04 * high, 0.6 * high), 0.97 * high)
    stamps: list[Stamp] = []
    for place, (x, size, depth) in enumerate(_ROW):
        own = drawn(drawings[place].pixels)
        scale = size * min(0.62 * high / own.height, 0.5 * wide / own.width)
        bottom = ground - depth * high
        half = own.width * scale / 2
        spot = Spot(Box(x * wide - half, bottom - own.height * scale, x * wide + half, bottom), flip=place % 2 == 1)
        stamps.append(stamped(drawings[place].pixels, drawings[place].origin, spot, job.hole.shape))
    return _laid(page, stamps, [one.colours for one in drawings])


def _refined(job: Job) -> Made:
    """What is there drawn once more, from its own noised picture."""
    if job.scene is None or not job.scene.parts or not job.around.plain or not job.around.thing[job.hole].any():
        return Made(job.picture, _nowhere(job.hole), notes=(NO_LIKENESS,) if job.scene is not None and job.around.plain else ())
    made = _continued(job, job.around.ground, strength=min(job.strength, 0.7), most=_REFINES)
    return made or Made(job.picture, _nowhere(job.hole), notes=(NO_LIKENESS,))


def _redrawn(job: Job) -> Made:
    """Image to image: the asked thing in the place, and by the strength in the shape and colours, of the one that is there."""
    scene = job.scene
    if scene is None or not scene.parts:
        if scene is None or scene.background is None:
            return _refined(job)
        return _behind(job)
    high, wide = job.hole.shape
    page = job.around.ground
    if scene.background is not None:
        page = finish.backdrop.pixels(scene.background, wide, high)[..., :3]
    if not job.around.plain or not job.around.thing.any() or len(scene.parts) > 1:
        page = surroundings.softened(job.picture) if not job.around.plain and scene.background is None else page
        return _anew(job, page, job.hole)
    made = _continued(job, page, strength=job.strength, most=np.inf)
    assert made is not None
    return made


_WAYS: Mapping[str, Callable[[Job], Made]] = {
    "fill": _filled,
    "outpaint": _outpainted,
    "background": _behind,
    "refine": _refined,
    "redraw": _redrawn,
}
_ROW = ((0.12, 0.8, 0.1), (0.88, 0.85, 0.1), (0.5, 0.7, 0.13), (0.0, 1.0, 0.02), (1.0, 1.0, 0.02))
"""Things behind a kept one, back to front: their middle in shares of the width, their size, how far up their feet are."""


def _drawing(job: Job, place: int, part: int | None = None) -> compose.Drawing:
    assert job.scene is not None
    mixed = compose.gather(job.scene.parts[place if part is None else part], job.library, job.seed, place)
    return compose.draw(mixed, job.seed, job.steps, job.watch, place)


def _is_view(drawing: Pixels) -> bool:
    """Whether a drawing is a view that fills its frame rather than a thing."""
    own = drawn(drawing)
    return float((drawing[..., 3] > 127).sum()) > _VIEW * own.width * own.height


def _ground(job: Job, *, bare: bool = False) -> Pixels:
    """The picture with what is behind going on inside the hole; things that the hole cuts are closed roundly, unless `bare`."""
    if job.around.photograph:
        return grained(job.picture, job.hole, job.seed, job.report)
    if not job.around.plain:
        return job.picture
    if not bare and _touching(job) >= _TOUCHING:
        return surroundings.rounded(job.picture, job.around.thing, job.hole, job.around.ground)
    return np.where(job.hole[..., None], job.around.ground, job.picture)


def _touching(job: Job) -> float:
    """The share of the hole's rim that shows things; what lies beyond the picture's border counts as ground."""
    reach = min(job.hole.shape) // 50 + 4
    rim = _rim(np.pad(job.hole, reach))
    return float(np.pad(job.around.thing, reach)[rim].mean()) if job.around.plain and rim.any() else 0.0


def _headwear(scene: Scene) -> bool:
    return not HEADWEAR.isdisjoint(scene.parts[0].words.lower().split())


def _rim(hole: Bools) -> Bools:
    """Known pixels beside the hole."""
    import cv2

    reach = max(2, min(hole.shape) // 100)
    return (cv2.dilate(hole.astype(np.uint8), np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)) > 0) & ~hole


def _largest(hole: Bools) -> Bools:
    import cv2

    _, numbers, stats, _ = cv2.connectedComponentsWithStats(hole.astype(np.uint8))
    return numbers == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())


def _floor(job: Job) -> float | None:
    """The line on which the things beside the hole stand, if the hole reaches down to it."""
    thing, around = job.around.thing, bounds(_largest(job.hole))
    if not job.around.plain or thing.sum() < 0.01 * thing.size:
        return None
    line = bounds(thing).bottom
    return line if around.top + 0.5 * around.height <= line <= around.bottom + 0.02 * len(thing) else None


def _shown(job: Job) -> bool:
    """Whether the asked thing is in the picture already."""
    assert job.scene is not None
    thing = job.around.thing
    if not thing.any():
        return False
    cut = _cut_out(job.picture, _largest(thing))
    icons = [job.library.pixels(one.index) for one in faces(job.scene.parts[0], job.library).candidates[:6]]
    there = aligned([cut, *icons], 0, drawn(cut))
    return min(unlike(icon, there[0]) for icon in there[1:]) < _THERE


def _cut_out(picture: Pixels, thing: Bools) -> Pixels:
    """The thing alone, (128, 128, 4)."""
    import cv2

    box = bounds(thing)
    place = slice(int(box.top), int(box.bottom)), slice(int(box.left), int(box.right))
    scale = 118 / max(box.width, box.height)
    size = max(2, round(box.width * scale)), max(2, round(box.height * scale))
    small = cv2.resize(np.dstack([picture, thing * np.uint8(255)])[place], size, interpolation=cv2.INTER_AREA)
    page = np.zeros((SIZE, SIZE, 4), np.uint8)
    y, x = (SIZE - size[1]) // 2, (SIZE - size[0]) // 2
    page[y : y + size[1], x : x + size[0]] = small
    return page


def _part(spot: Spot, whole: Box, box: Box) -> Spot:
    """Where `box` lies when `whole` is brought to the spot."""
    x, y = spot.box.width / whole.width, spot.box.height / whole.height
    left, top = spot.box.left + (box.left - whole.left) * x, spot.box.top + (box.top - whole.top) * y
    return Spot(Box(left, top, left + box.width * x, top + box.height * y))


def _laid(page: Pixels, stamps: list[Stamp], colours: list[tuple[int, ...]]) -> Made:
    origin = _nowhere(stamps[0].origin)
    for stamp in stamps:
        page = stamp.over(page)
        origin = np.where(stamp.paint[..., 3] >= 0.5, stamp.origin, origin)
    return Made(page, origin, tuple(dict.fromkeys(icon for one in colours for icon in one)))


def _nowhere(like: NDArray[np.generic]) -> NDArray[np.int32]:
    return np.full(like.shape, -1, np.int32)


def _unheard(_: float) -> None:
    """Nobody asked how far the work is."""
