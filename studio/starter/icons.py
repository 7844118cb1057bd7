"""The library of the picture starter: every icon with its name, concept, keywords, set, licence and pixels.

It reads what `python -m training.icons.build` wrote: `library.json` and a few pack files of WebP pictures laid end to end.
It knows no prompt and no framework; which icons fit which words is decided in words.py.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from studio.errors import ModelUnavailable
from studio.starter.ink import inked

Derived = TypeVar("Derived")

SIZE = 128  # pixels a side
FORMAT = 1
_CACHED = 256  # decoded icons kept: 16 MB


@dataclass(frozen=True)
class Icon:
    """One icon. Icons of several sets that show the same thing share `concept`; `title` is the set's name for artists.

    `name` is the icon's own name in its set, in words; `style` is one of the studio's style words; `licence` an SPDX name. Cartoon icons
    are icons of other styles drawn with outlines: they keep the set and licence they come from.
    """

    name: str
    concept: str
    keywords: tuple[str, ...]
    set: str
    style: str
    licence: str
    title: str


@dataclass(frozen=True)
class Place:
    """Where an icon's WebP lies: the pack file, the first byte, the number of bytes; and whether outlines are drawn on it."""

    pack: str
    offset: int
    length: int
    inked: bool = False


class IconLibrary:
    """Icons in a fixed order; their index is their identity in scenes, attribution maps and records.

    `senses` says which concepts a word means, the best first, with "~" before one that is only near; `emoji` maps an emoji (without
    variation selector) to its concept. `own_style` is the style of a person's own pictures among the icons, '' where there are none.
    """

    own_style = ""

    def __init__(
        self,
        folder: Path,
        icons: tuple[Icon, ...],
        places: tuple[Place, ...],
        senses: Mapping[str, tuple[str, ...]],
        emoji: Mapping[str, str],
    ) -> None:
        self.folder = folder
        self.icons = icons
        self.senses = senses
        self.emoji = emoji
        self.places = places
        self._derived: dict[str, Any] = {}
        self._decoded = lru_cache(maxsize=_CACHED)(self._decode)

    @classmethod
    def open(cls, folder: Path) -> IconLibrary:
        """The library in `folder`; reads the list, no picture yet. Raises ModelUnavailable when it is missing or of another format."""
        try:
            data: dict[str, Any] = json.loads((folder / "library.json").read_text("utf-8"))
            if data["format"] != FORMAT:
                raise ModelUnavailable("The icon library belongs to another version of the studio: fetch a matching copy.")
            sets: dict[str, dict[str, str]] = data["sets"]
            names, packs = list(sets), list(data["packs"])
            concepts: dict[str, list[str]] = data["concepts"]
            icons: list[Icon] = []
            places: list[Place] = []
            for name, concept, which, pack, offset, length in data["icons"]:
                about = sets[names[which]]
                keywords = tuple(concepts[concept])
                icons.append(Icon(name, concept, keywords, names[which], about["style"], about["licence"], about["title"]))
                places.append(Place(packs[pack], offset, length))
            for icon, place in list(zip(icons, places, strict=True)):
                if icon.set in data["inked"]["sets"]:
                    icons.append(replace(icon, style=data["inked"]["style"], title=f"{icon.title}, inked"))
                    places.append(replace(place, inked=True))
            senses = {word: tuple(meant) for word, meant in data["senses"].items()}
            return cls(folder, tuple(icons), tuple(places), senses, data["emoji"])
        except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
            raise ModelUnavailable("The icon library is missing or damaged: fetch a fresh copy of the studio's assets.") from error

    def __len__(self) -> int:
        return len(self.icons)

    def pixels(self, index: int) -> NDArray[np.uint8]:
        """Icon `index` as (128, 128, 4) uint8 RGBA with straight alpha; read-only, decoded when first asked for."""
        return self._decoded(index)

    def derived(self, name: str, make: Callable[[IconLibrary], Derived]) -> Derived:
        """What `make` finds out about this library, under a name; kept until `close`."""
        if name not in self._derived:
            self._derived[name] = make(self)
        return self._derived[name]

    def close(self) -> None:
        """Let go of decoded icons and of what was derived; both come back when they are asked for."""
        self._decoded.cache_clear()
        self._derived.clear()

    def _decode(self, index: int) -> NDArray[np.uint8]:
        place = self.places[index]
        try:
            with (self.folder / place.pack).open("rb") as file:
                file.seek(place.offset)
                with Image.open(io.BytesIO(file.read(place.length)), formats=("WEBP",)) as image:
                    pixels = np.array(image.convert("RGBA"))
        except (OSError, UnidentifiedImageError) as error:
            raise ModelUnavailable(
                "A file of the icon library is missing or damaged: fetch a fresh copy of the studio's assets."
            ) from error
        pixels = inked(pixels) if place.inked else pixels
        pixels.setflags(write=False)
        return pixels
