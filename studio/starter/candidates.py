"""Chooses the icons for one thing: versions of the same concept in looks that go together, with log-priors that say how well.

It knows meanings and pixels, no sentence. Looks are compared at 16 x 16: how silhouettes overlap and how colours agree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from studio.starter.icons import IconLibrary
from studio.starter.lexicon import NAMED, PARTLY, Meaning, words_of
from studio.starter.palette import to_oklab
from studio.starter.scene import Candidate
from studio.starter.vocabulary import MIXED

MOST = 12
ENOUGH = 4  # versions of one concept with which no other concept is looked at
ALIKE = 0.72  # from which another concept's icon may join
OWN_ALIKE = 0.6  # from which a further icon of the concept may join
TWINS = 0.8  # from which two icons are one drawing
FALLOFF = 8.0  # log-prior lost from a perfect likeness to none
STRANGER = 1.0  # log-prior lost for showing another concept of the same word
_GRID = 16
_COLOURS_APART = 0.35  # mean OKLab distance at which colours do not agree at all
_SAME_COLOUR = 0.11  # OKLab distance below which a thing already has the colour asked for

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Choice:
    """The icons for one thing, the best first, and the concept they show; `other_style` when the style asked for has none."""

    concept: str
    candidates: tuple[Candidate, ...]
    sureness: int
    other_style: bool = False


def choose(
    library: IconLibrary, meanings: Sequence[Meaning], style: str, colour: str | None, allowed: Callable[[str, str], bool]
) -> Choice | None:
    """The best choice for `meanings` (the surest first), or None when nothing is allowed.

    `style` is one of vocabulary.STYLES, "Mixed" for all that go together; `colour` "#rrggbb" or None; `allowed(concept, style)` tells
    what the negative prompt leaves.
    """
    styles = MIXED if style == "Mixed" else (style,)

    def icons(concept: str, wanted: tuple[str, ...]) -> list[int]:
        return [i for i in _of(library, concept) if library.icons[i].style in wanted and allowed(concept, library.icons[i].style)]

    sure = min(meanings[0].sureness, NAMED - 20)  # all listed senses count as sure; a part of a name or a keyword never replaces a name
    for wanted in (styles, MIXED, ("Outline",), ("Cartoon",)):
        floor = min(sure, PARTLY) if library.own_style in wanted else sure  # "a dragon" is the person's own "red dragon"
        in_style = [meaning for meaning in meanings if meaning.sureness >= floor and icons(meaning.concept, wanted)]
        if in_style:
            break
    else:
        return None
    first = in_style[0]
    own = icons(first.concept, wanted)
    kin = [m.concept for m in in_style[1:] if m.sureness >= PARTLY and set(words_of(m.concept)) & set(words_of(first.concept))]
    others = [i for concept in kin for i in icons(concept, wanted)] if len(own) < ENOUGH else []
    elsewhere = all(library.icons[i].style not in styles for i in own)
    return Choice(first.concept, _ranked(library, own, others, colour), first.sureness, elsewhere)


def _ranked(library: IconLibrary, own: list[int], others: list[int], colour: str | None) -> tuple[Candidate, ...]:
    """Own icons by how like the others they are, beyond the first few only like ones; other concepts' icons where they look much alike."""
    looks = [_look(library, i) for i in own]
    likeness = np.array([[_likeness(one, other, colour) for other in looks] for one in looks], np.float32)
    twins = likeness > TWINS
    weights = ~twins / twins.sum(0)  # two renderings of one drawing count once, and not for themselves
    common = (likeness * weights).sum(1) / np.maximum(weights.sum(1), 1e-6)  # how much an icon looks like the other drawings
    order = np.argsort(-common, kind="stable")
    kept = [k for n, k in enumerate(order) if n < ENOUGH or np.delete(likeness[k], k).max() >= OWN_ALIKE]
    priors = {own[k]: FALLOFF * float(common[k] - common.max()) for k in kept}
    for i in others[: 4 * MOST]:
        near = max(_likeness(_look(library, i), look, colour) for look in looks)
        if near >= ALIKE:
            priors[i] = FALLOFF / 2 * (near - 1) - STRANGER
    best = sorted(priors, key=lambda i: (-round(priors[i], 4), i))[:MOST]
    return tuple(Candidate(i, min(0.0, round(priors[i], 3)), _recolour(library, i, colour)) for i in best)


def _by_concept(library: IconLibrary) -> dict[str, list[int]]:
    """The icons of every concept."""
    found: dict[str, list[int]] = {}
    for i, icon in enumerate(library.icons):
        found.setdefault(icon.concept, []).append(i)
    return found


def _of(library: IconLibrary, concept: str) -> list[int]:
    return library.derived("places", _by_concept).get(concept, [])


def _look(library: IconLibrary, index: int) -> Floats:
    """(16, 16, 4): premultiplied OKLab and coverage, the mean over 8 x 8 px; of the last 1024 icons it is kept."""
    looks = library.derived("looks", lambda library: lru_cache(maxsize=1024)(lambda index: _looked(library.pixels(index))))
    return looks(index)


def _looked(pixels: NDArray[np.uint8]) -> Floats:
    alpha = pixels[..., 3:].astype(np.float32) / 255
    look = np.concatenate([to_oklab(pixels[..., :3]) * alpha, alpha], -1)
    step = pixels.shape[0] // _GRID
    return look.reshape(_GRID, step, _GRID, step, 4).mean((1, 3))


def _likeness(one: Floats, other: Floats, colour: str | None) -> float:
    """0 to 1, whichever way round the other is: sides do not matter, the sampler turns what looks the other way."""
    return max(_likeness_as_is(one, other, colour), _likeness_as_is(one, other[:, ::-1], colour))


def _likeness_as_is(one: Floats, other: Floats, colour: str | None) -> float:
    """The overlap of the silhouettes (Jaccard) times the agreement of the colours; colour is left out when both will be recoloured."""
    a, b = one[..., 3], other[..., 3]
    both, either = float(np.minimum(a, b).sum()), float(np.maximum(a, b).sum())
    overlap = both / max(either, 1e-6)
    if colour is not None:
        return overlap
    weight = np.minimum(a, b)
    apart = np.linalg.norm(one[..., :3] / np.maximum(a, 1e-3)[..., None] - other[..., :3] / np.maximum(b, 1e-3)[..., None], axis=-1)
    agreement = 1 - float((apart * weight).sum() / max(float(weight.sum()), 1e-6)) / _COLOURS_APART
    return overlap * (0.5 + 0.5 * max(agreement, 0.0))


def _recolour(library: IconLibrary, index: int, colour: str | None) -> str | None:
    """The colour to turn an icon to, or None when its most used colour is that colour already."""
    if colour is None:
        return None
    rgb = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)]], np.uint8)
    pixels = library.pixels(index)
    drawn = to_oklab(pixels[pixels[..., 3] > 200][:, :3])
    near = np.linalg.norm(drawn - to_oklab(rgb), axis=-1) < _SAME_COLOUR
    return None if len(drawn) and near.mean() > 0.45 else colour
