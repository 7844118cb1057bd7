"""The missing part of a drawn thing: what was asked for, drawn by local diffusion around the known part, which is held.

Everything happens in the frame of the icons: the known part of the picture is brought there, the icons take on its colours, and the
sampler draws what is missing. It knows no words; placing.py brings the drawing into the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from studio.starter import diffusion, seams
from studio.starter.compose import (
    MOST_MIXED,
    Drawing,
    Ingredients,
    alone,
    coloured,
    planes,
    rgba,
)
from studio.starter.fitting import Spot, along, roughly
from studio.starter.frame import aligned, drawn, unlike
from studio.starter.icons import IconLibrary
from studio.starter.palette import Palette, from_oklab, harmonised, off_white, to_oklab
from studio.starter.placing import seen_from
from studio.starter.scene import Candidate, Part
from studio.starter.vocabulary import MIXED

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]

_LEADS = 7  # icons that are tried as the leading one
_FACES = 3  # of which so many are faces of the thing
_EXACT = 3  # and so many compared exactly
_WHIM = 0.008  # deviation of the random change of their misfits from seed to seed
_UNLIKE = 25.0  # log-prior an icon loses for being wholly unlike the leading one
_STRANGE = -5.0  # log-prior from which an icon does not take part
_OTHERS = 24.0  # log-prior that the others lose against the leading one
_BAND = 5  # pixels of the drawing inside the hole in which its colours must agree with those outside
_AREA = 0.06  # share of a drawing from which a colour is one of its areas
_FAR = 0.55  # OKLab distance up to which an area takes on the colour it meets
_REACH = 22.0  # pixels of the drawing over which strange things go over to their own colours
_ALIKE = 0.08  # misfit up to which a drawing shows the same kind of thing
_NEVER = 1e3


@dataclass(frozen=True)
class Continued:
    """A drawing and the place where it continues the thing; `misfit` as in fitting.Spot."""

    drawing: Drawing
    spot: Spot


def faces(part: Part, library: IconLibrary) -> Part:
    """The part with the faces of its thing as further candidates: what is cut through is often a face."""
    leader = library.icons[part.candidates[0].index]
    found = [i for i, icon in enumerate(library.icons) if icon.concept == f"{leader.concept} face" and icon.style in MIXED]
    own = {one.index for one in part.candidates}
    more = tuple(Candidate(i, -1.0, part.candidates[0].recolour) for i in found[:_FACES] if i not in own)
    return replace(part, candidates=(*part.candidates[: _LEADS - len(more)], *more))


def lead_for(part: Part, library: IconLibrary, picture: Pixels, thing: Bools, unseen: Bools, seed: int) -> Part:
    """The part led by the icon that best continues the thing, or nearly: between like ones the seed decides."""
    tried = part.candidates[:_LEADS]
    rough = [roughly(library.pixels(one.index), picture, thing, unseen) for one in tried]
    places = [int(i) for i in np.argsort([spot.misfit for spot in rough], kind="stable")[:_EXACT]]
    fits = [along(library.pixels(tried[i].index), picture, thing, unseen, rough[i]).misfit for i in places]
    whims = np.random.default_rng((seed, 77)).normal(0, 1, len(places))
    best = places[int(np.argmin(np.array(fits) + _WHIM * whims))]
    concept = library.icons[tried[best].index].concept
    ranked = [replace(one, log_prior=0.0 if i == best else one.log_prior - _OTHERS) for i, one in enumerate(tried)]
    like = [one for one in ranked if library.icons[one.index].concept == concept and one is not ranked[best]]
    return replace(part, candidates=(ranked[best], *like))


def continued(
    part: Part,
    library: IconLibrary,
    picture: Pixels,
    thing: Bools,
    unseen: Bools,
    hole: Bools,
    *,
    seed: int,
    steps: int,
    watch: diffusion.Watch | None,
    strength: float | None = None,
    most: float = np.inf,
) -> Continued | None:
    """The part of the `thing` (h, w) in `picture` (h, w, 3) that lies inside `hole`, drawn as what `part` names.

    `unseen` is the hole, or nowhere when what stands in the hole is to be drawn once more with `strength`: then sampling begins at the
    picture itself. None where the best place for it fits worse than `most`.
    """
    mixed = _gathered(part, library)
    spot = along(mixed.pictures[0], picture, thing, unseen)
    if spot.misfit > most:
        return None
    own = drawn(mixed.pictures[0])
    seen = seen_from(np.dstack([picture * thing[..., None], thing * 255.0, hole * 1.0, np.ones(hole.shape)]).astype(np.float32), spot, own)
    missing = (seen[..., 4] > 0.5) | (seen[..., 5] < 0.5)
    there = _straight(seen[..., :4], np.zeros_like(missing) if strength is not None else missing)
    if strength is None:
        strange = min(max((spot.misfit - _ALIKE) / _ALIKE, 0), 1) if part.hue is None else 1.0
        pictures = dressed(mixed.pictures, there, missing, strange)
    else:
        pictures = _tinted(mixed.pictures, there, 0 if part.hue is not None else 1 - strength)
        if not missing.all():
            pictures = [_agreeing(picture, there, missing) for picture in pictures]
    begun = None if strength is None else (there, strength)
    return Continued(_sampled(replace(mixed, pictures=tuple(pictures)), there, missing, seed, steps, watch, begun), spot)


def _gathered(part: Part, library: IconLibrary) -> Ingredients:
    """The icons of the part on the leading one's frame, in their own proportions and colours, without those that look too different."""
    used = part.candidates[:MOST_MIXED]
    pictures = [coloured(library, one) for one in used]
    placed = [off_white(picture) for picture in aligned(pictures, 0, drawn(pictures[0]))]
    priors = np.array([0.0, *(-_UNLIKE * unlike(picture, placed[0]) for picture in placed[1:])], np.float32)
    kept = [i for i, prior in enumerate(priors) if prior > _STRANGE]
    return Ingredients(tuple(placed[i] for i in kept), tuple(used[i].index for i in kept), priors[kept], ())


def _tinted(pictures: Sequence[Pixels], there: Pixels, amount: float) -> list[Pixels]:
    """The pictures with their colours part of the way to those that are there."""
    look = Palette.of(there)
    return [harmonised(picture, Palette.of(picture), look, amount=amount) for picture in pictures]


def dressed(pictures: Sequence[Pixels], known: Pixels, missing: Bools, strange: float) -> list[Pixels]:
    """The pictures in the colours of the known part: where areas meet at the hole's edge they agree.

    The more `strange` (0 to 1) the pictures are to it, the more they go over to their own colours farther inside.
    """
    import cv2

    look = Palette.of(known)
    far = cv2.distanceTransform((missing | (known[..., 3] < 128)).astype(np.uint8), cv2.DIST_L2, 5)
    own = strange * (1 - np.exp(-((far / _REACH) ** 2)))[..., None]
    worn = [_agreeing(harmonised(picture, Palette.of(picture), look), known, missing) for picture in pictures]
    return [_between(one, other, own) for one, other in zip(worn, pictures, strict=True)]


def _between(one: Pixels, other: Pixels, share: NDArray[np.floating]) -> Pixels:
    """The colours of `one` and, by `share`, of `other`, mixed in OKLab."""
    mixed = from_oklab(to_oklab(one[..., :3]) * (1 - share) + to_oklab(other[..., :3]) * share)
    return np.dstack([np.where(share > 0, mixed, one[..., :3]), one[..., 3]]).astype(np.uint8)


def _agreeing(picture: Pixels, known: Pixels, missing: Bools) -> Pixels:
    """The picture with each area that meets the known part at the hole's edge in the colour that it meets there most."""
    import cv2

    own, other = Palette.of(picture), Palette.of(known)
    solid = (~missing & (other.where >= 0)).astype(np.uint8)
    if not solid.any():
        return picture
    far, labelled = cv2.distanceTransformWithLabels(1 - solid, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    nearest = np.asarray(labelled, np.int64)
    numbers = np.zeros(int(nearest.max()) + 1, np.int64)
    numbers[nearest[solid > 0]] = other.where[solid > 0]
    met = numbers[nearest]
    band = missing & (far <= _BAND) & (own.where >= 0)
    votes = np.zeros((len(own.colours), len(other.colours)))
    np.add.at(votes, (own.where[band], met[band]), 1)
    wanted = own.colours.copy()
    for i in range(len(own.colours)):
        j = int(votes[i].argmax())
        apart = float(np.linalg.norm(other.colours[j] - own.colours[i]))
        if own.shares[i] >= _AREA and votes[i, j] >= max(6, 0.4 * votes[i].sum()) and apart <= _FAR:
            wanted[i] = other.colours[j]
    return harmonised(picture, own, Palette(wanted, own.where, own.shares))


def _straight(seen: NDArray[np.float32], missing: Bools) -> Pixels:
    """Premultiplied (128, 128, 4) in 0..255 as RGBA bytes, nothing where it is missing."""
    alpha = np.where(missing, 0, seen[..., 3])
    colour = seen[..., :3] * 255 / np.maximum(seen[..., 3:], 1)
    return np.concatenate([colour, alpha[..., None]], -1).round().clip(0, 255).astype(np.uint8)


def _sampled(
    mixed: Ingredients,
    known: Pixels,
    missing: Bools,
    seed: int,
    steps: int,
    watch: diffusion.Watch | None,
    begun: tuple[Pixels, float] | None,
) -> Drawing:
    """What the sampler draws around the known part: every pixel from one of the icons, cut where they agree with each other and with it."""
    import torch

    with alone(), torch.inference_mode():
        pictures = torch.stack([planes(picture) for picture in mixed.pictures])
        priors = torch.from_numpy(mixed.log_priors)
        held, free = planes(known), torch.from_numpy(missing)
        sampled = diffusion.sample(
            pictures,
            priors,
            seed=seed,
            steps=steps,
            watch=watch,
            init=None if begun is None else planes(begun[0]),
            strength=1.0 if begun is None else begun[1],
            known=held,
            mask=free.to(held),
        )
        inner = seams.settled(sampled.guess, sampled.pieces)
        labels = inner
        if not missing.all():
            pieces = torch.cat([held[None], sampled.pieces])
            lean = torch.zeros(len(pieces), *missing.shape)
            lean[0][free] = _NEVER
            outer = seams.settled(torch.where(free, sampled.guess, held), pieces, lean, torch.where(free, -1, 0))
            labels = torch.where(free, outer - 1, inner).clamp(min=0)
        pixels = rgba(seams.joined(sampled.pieces, labels))
    icons = np.array([mixed.icons[i] for i in sampled.sources], np.int32)
    origin = np.where(pixels[..., 3] >= 128, icons[labels.numpy()], -1).astype(np.int32)
    return Drawing(pixels, origin, mixed.icons[0], mixed.colours)
