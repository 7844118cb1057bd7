"""Whose icons a changed picture was drawn from: the facts for its record, the numbers of its attribution map. It knows no colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from studio.creations import Json
from studio.starter.icons import IconLibrary

_CLOSE = 0.9  # share of one icon from which what is drawn is called close to it


def credit(origin: NDArray[np.int32], colours: Sequence[int], library: IconLibrary) -> dict[str, Json]:
    """The facts about whose icons were drawn, as for a new picture: "attribution" with shares, "close_to", "closest", "colours_of".

    `origin`, of any shape, holds the icon of each pixel or -1; `colours` the icons whose colours were taken on.
    """
    ranks = ranked(origin)
    total = max(int((origin >= 0).sum()), 1)
    shares = [float((origin == icon).sum()) / total for icon in ranks]
    named = [_named(library, icon) | {"share": round(share, 4)} for icon, share in zip(ranks, shares, strict=True)]
    facts: dict[str, Json] = {"attribution": [*named]}
    if shares and shares[0] > _CLOSE:
        facts["close_to"] = f"{named[0]['set']}, {named[0]['name']}"
        facts["closest"] = named[0]
    if colours:
        facts["colours_of"] = [_named(library, icon) for icon in dict.fromkeys(colours)]
    return facts


def ranked(origin: NDArray[np.int32]) -> dict[int, int]:
    """The icons in `origin` and their places in facts["attribution"], the most used first."""
    icons, counts = np.unique(origin[origin >= 0], return_counts=True)
    return {int(icon): place for place, icon in enumerate(icons[np.argsort(-counts, kind="stable")])}


def _named(library: IconLibrary, icon: int) -> dict[str, Json]:
    about = library.icons[icon]
    return {"name": about.name, "set": about.title, "licence": about.licence}
