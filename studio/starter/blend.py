"""Blends two prompts: their scenes thing by thing, and two things into one drawing that is partly the one and partly the other.

Mixing whole pictures of a cat and a house gives neither. So a line is laid through the drawing, across or down, where the two
silhouettes are about equally wide; before it stands the one thing, behind it the other, both narrowed or widened towards the line so that
their outlines meet, and both wearing some of the other's colours. The sampler and the cut of the finish do the rest: near the line either
may go on. The slider says how much of the area is the second thing's. It knows icons as pixels and no sentence.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from studio.errors import InvalidInput
from studio.starter import frame, palette
from studio.starter.icons import SIZE
from studio.starter.scene import Part, Scene

Pixels = NDArray[np.uint8]
Floats = NDArray[np.floating]

LEAST = 0.16
"""The smallest share of the area that a blended thing gets: less of it would not be recognised."""
_MOST = 3  # pictures of each thing that take part
_STRETCH = 1.3  # the most that a thing's proportions change towards the other's
_NARROWED = 1.7  # the most that a thing is narrowed or widened where the two meet
_REACH = 34  # pixels over which it takes its own width again
_SEARCHED = 9  # pixels to either side of the line asked for in which a better one is looked for
_OPEN = 5  # pixels to either side of the line in which both things may be drawn
_NEVER = -60.0  # log-prior of a thing on the other's side
_ACROSS = 0.3  # cost of setting two things side by side: above one another they look more like one thing
_CHOICE = 0.35  # cost by which a worse line becomes e times rarer


@dataclass(frozen=True)
class Ingredients:
    """What one blended drawing is mixed from: `pictures` (128, 128, 4), which of the given ones they are, `log_priors` (k, 128, 128)."""

    pictures: tuple[Pixels, ...]
    places: tuple[int, ...]
    log_priors: NDArray[np.float32]


def joined(first: Scene, second: Scene, amount: float) -> Scene:
    """The scene between two: 0 is the first, 1 the second; in between their things are blended one by one, in the first's order.

    Raises InvalidInput where one prompt holds more things than the other.
    """
    if amount <= 0 or amount >= 1:
        return first if amount <= 0 else second
    if len(first.parts) != len(second.parts):
        raise InvalidInput(
            f"A blend needs as many things in both prompts: the first holds {_count(first)}, the second {_count(second)}. Add some.",
            "blend_prompt",
        )
    parts = tuple(
        replace(one, other=other, share=amount) if one.candidates != other.candidates else one
        for one, other in zip(first.parts, second.parts, strict=True)
    )
    nearer = first if amount < 0.5 else second
    background = _between(first.background, second.background, amount)
    return Scene(parts, nearer.relation, background, tuple(dict.fromkeys((*first.notes, *second.notes))))


def mixed(first: tuple[Pixels, ...], second: tuple[Pixels, ...], part: Part, seed: int, place: int) -> Ingredients:
    """What a blend of two things is drawn from; `first` and `second` (128, 128, 4) are the pictures of each, its leading one first.

    `part.share` of the area goes to the second. Which side each thing takes, and where the line is, follow from `seed` and `place`.
    """
    assert part.other is not None
    random = np.random.default_rng((seed, place, 2))
    # 1. One frame for both, in proportions between theirs.
    box = _frame(frame.drawn(first[0]), frame.drawn(second[0]), part.share)
    ones, others = (_framed(pictures[:_MOST], box) for pictures in (first, second))
    # 2. Some of the other's colours for each.
    ones, others = _worn(ones, others, part)
    # 3. The line that suits both, in one of the four ways.
    line = _chosen(list(_lines(ones[0], others[0], part.share)), random)
    # 4. Towards it each takes the width that they share there.
    ones = [line.met(picture, 0) for picture in ones]
    others = [line.met(picture, 1) for picture in others]
    pictures = (*ones, *others)
    mine, theirs = line.log_priors()
    ranks = [*(-0.5 * i for i in range(len(ones))), *(-0.5 * i for i in range(len(others)))]
    sides = [mine] * len(ones) + [theirs] * len(others)
    priors = np.stack([side + rank for side, rank in zip(sides, ranks, strict=True)]).astype(np.float32)
    return Ingredients(pictures, (*range(len(ones)), *range(len(first), len(first) + len(others))), priors)


@dataclass(frozen=True)
class _Line:
    """A line through the drawing. `down`: it runs across and the things stand above one another, else side by side.

    `second_first`: the second thing is the upper or left one. `at`: pixels from the top or left. `spans`: where each thing's silhouette
    begins and ends along the line. `cost`: how badly the two meet there.
    """

    down: bool
    second_first: bool
    flipped: bool
    at: int
    spans: tuple[tuple[float, float], tuple[float, float]]
    cost: float

    def met(self, picture: Pixels, which: int) -> Pixels:
        """Picture of thing `which` (0 or 1) narrowed or widened towards the line to the span that both share there."""
        turned = _turned(picture, self.down, self.flipped and which == 1)
        low, high = self.spans[which]
        want_low, want_high = np.mean(self.spans, 0)
        scale, shift = (want_high - want_low) / (high - low), (want_low + want_high - low - high) / 2
        rows = np.arange(SIZE)
        beyond = (rows - self.at) * (1 if (which == 0) != self.second_first else -1)  # more than 0 where the thing is hidden
        near = np.clip(1 + beyond / _REACH, 0, 1)
        near = near * near * (3 - 2 * near)
        centre = (low + high) / 2
        columns = np.arange(SIZE) + 0.5
        source = centre + (columns - centre - near[:, None] * shift) / (1 + near[:, None] * (scale - 1)) - 0.5
        return _turned(_sampled(turned, source), self.down, False)

    def log_priors(self) -> tuple[Floats, Floats]:
        """(128, 128) for each thing: nothing on its own side, out of the question on the other's."""
        rows = np.arange(SIZE)[:, None] - self.at + np.zeros((1, SIZE))
        upper = np.where(rows > _OPEN, _NEVER, np.where(rows > -_OPEN, -1.5 * (rows + _OPEN) / _OPEN, 0))
        lower = np.where(rows < -_OPEN, _NEVER, np.where(rows < _OPEN, 1.5 * (rows - _OPEN) / _OPEN, 0))
        first, second = (lower, upper) if self.second_first else (upper, lower)
        return (first, second) if self.down else (first.T, second.T)


def _lines(one: Pixels, other: Pixels, share: float) -> Iterator[_Line]:
    """For each of the eight ways to set the two against one another the line at which they meet best."""
    share = min(max(share, LEAST), 1 - LEAST)
    for down in (True, False):
        for flipped in (False,) if down else (False, True):
            first, second = _turned(one, down, False), _turned(other, down, flipped)
            for second_first in (False, True):
                upper, lower = (second, first) if second_first else (first, second)
                wanted = share if second_first else 1 - share
                above = np.cumsum((upper[..., 3] > 127).sum(1))
                below = np.cumsum((lower[..., 3] > 127).sum(1)[::-1])[::-1]
                part = above / np.maximum(above + below, 1)
                middle = int(np.abs(part - wanted).argmin())
                found = [_meeting(first, second, at) for at in range(middle - _SEARCHED, middle + _SEARCHED + 1) if 8 < at < SIZE - 8]
                good = [(cost + 0.02 * abs(at - middle), at, spans) for at, spans, cost in filter(None, found)]
                if good:
                    cost, at, spans = min(good)
                    yield _Line(down, second_first, flipped, at, spans, cost + (0 if down else _ACROSS))


def _meeting(first: Pixels, second: Pixels, at: int) -> tuple[int, tuple[tuple[float, float], tuple[float, float]], float] | None:
    spans: list[tuple[float, float]] = []
    gaps = 0.0
    for picture in (first, second):
        seen = (picture[at - 2 : at + 3, :, 3] > 127).sum(0) >= 3
        columns = np.flatnonzero(seen)
        if len(columns) < 6:
            return None
        spans.append((float(columns[0]), float(columns[-1] + 1)))
        gaps += 1 - len(columns) / (columns[-1] + 1 - columns[0])
    widths = [high - low for low, high in spans]
    narrowed = abs(np.log(widths[0] / widths[1])) / 2
    apart = abs(sum(spans[0]) - sum(spans[1])) / 2
    too_much = 3.0 if narrowed > np.log(_NARROWED) else 0.0
    return at, (spans[0], spans[1]), 1.2 * narrowed + apart / 60 + gaps + too_much


def _chosen(lines: list[_Line], random: np.random.Generator) -> _Line:
    if not lines:  # two drawings so thin that no line crosses both
        return _Line(True, False, False, SIZE // 2, ((0, SIZE), (0, SIZE)), 0)
    chances = np.exp([-line.cost / _CHOICE for line in lines])
    return lines[int(random.choice(len(lines), p=chances / chances.sum()))]


def _frame(one: frame.Box, other: frame.Box, share: float) -> frame.Box:
    """Centred, between the proportions of both."""
    wide = one.width ** (1 - share) * other.width**share
    high = one.height ** (1 - share) * other.height**share
    factor = min((SIZE - 10) / wide, (SIZE - 10) / high)
    wide, high = wide * factor, high * factor
    return frame.Box((SIZE - wide) / 2, (SIZE - high) / 2, (SIZE + wide) / 2, (SIZE + high) / 2)


def _framed(pictures: tuple[Pixels, ...], box: frame.Box) -> list[Pixels]:
    """All pictures moved as the first is when it is fitted into `box` with nearly its own proportions."""
    own = frame.drawn(pictures[0])
    stretch = (box.width / box.height) / (own.width / own.height)
    stretch = min(max(stretch, 1 / _STRETCH), _STRETCH)
    across, down = stretch**0.5, stretch**-0.5
    factor = min(box.width / (own.width * across), box.height / (own.height * down))
    across, down = across * factor, down * factor
    left, top = (box.left + box.right - own.width * across) / 2, (box.top + box.bottom - own.height * down) / 2
    lines = np.arange(SIZE) + 0.5
    columns, rows = own.left + (lines - left) / across - 0.5, own.top + (lines - top) / down - 0.5
    wide = np.broadcast_to(columns, (SIZE, SIZE))
    high = np.broadcast_to(rows, (SIZE, SIZE))
    return [_turned(_sampled(_turned(_sampled(picture, wide), False, False), high), False, False) for picture in pictures]


def _worn(ones: list[Pixels], others: list[Pixels], part: Part) -> tuple[list[Pixels], list[Pixels]]:
    """Each in some of the other's colours, the more the less of it there is."""
    assert part.other is not None
    looks = palette.Palette.of(ones[0]), palette.Palette.of(others[0])
    near = [palette.harmonised(p, palette.Palette.of(p), looks[1], part.hue is not None, part.share) for p in ones]
    far = [palette.harmonised(p, palette.Palette.of(p), looks[0], part.other.hue is not None, 1 - part.share) for p in others]
    return near, far


def _sampled(picture: Pixels, source: Floats) -> Pixels:
    """Every row of `picture` read at the columns `source` (128, 128), between pixels by a straight line; outside is nothing."""
    alpha = picture[..., 3:].astype(np.float32) / 255
    planes = np.concatenate([picture[..., :3] * alpha, alpha], -1)
    planes = np.pad(planes, ((0, 0), (1, 1), (0, 0)))
    place = np.clip(source + 1, 0, SIZE + 0.999)
    whole = place.astype(int)
    part = (place - whole)[..., None]
    rows = np.arange(SIZE)[:, None]
    drawn = planes[rows, whole] * (1 - part) + planes[rows, np.minimum(whole + 1, SIZE + 1)] * part
    colour = drawn[..., :3] / np.maximum(drawn[..., 3:], 1e-3)
    return np.concatenate([colour, drawn[..., 3:] * 255], -1).round().clip(0, 255).astype(np.uint8)


def _turned(picture: Pixels, down: bool, flipped: bool) -> Pixels:
    """With rows and columns exchanged unless `down`; mirrored left to right before that where `flipped`."""
    picture = picture[:, ::-1] if flipped else picture
    return picture if down else picture.transpose(1, 0, 2)


def _between(first: str | None, second: str | None, amount: float) -> str | None:
    """A background between two plain colours; a pattern, or none, goes over at the middle."""
    plain = [one is not None and " " not in one and one.startswith("#") for one in (first, second)]
    if not all(plain):
        return first if amount < 0.5 else second
    ends = [palette.to_oklab(np.array([int(str(one)[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)) for one in (first, second)]
    return "#" + "".join(f"{value:02x}" for value in palette.from_oklab(ends[0] * (1 - amount) + ends[1] * amount))


def _count(scene: Scene) -> str:
    return ("one", "two", "three")[len(scene.parts) - 1]
