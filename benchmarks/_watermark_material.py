"""Starter pictures and tracks, and pictures with the statistics of photographs, for the benchmark of the marks. Not a script.

Every third comes from seeds that were not looked at while the method was made.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from studio.creations import Picture, Sound, Take
from studio.device import Device
from studio.engines import starter_composer, starter_image
from studio.errors import InvalidInput
from studio.models import resolve
from studio.music.genres import genres
from studio.sources import Places, ready
from studio.starter.words import STYLES
from studio.tasks import Compose, Task, TextToImage

NEW = 90_000
"""Seeds from here on were not looked at."""
ROOT = Path(__file__).parent.parent
WORDS = (
    "cat rocket tree house apple guitar mountain bicycle flower robot fish moon castle train bird car heart star boat camera cake lamp "
    "book key dragon cloud clock phone pizza crown"
).split()


Pixels = NDArray[np.uint8]


def starter_pictures(count: int) -> Iterator[tuple[bool, Pixels]]:
    """Whether its seed is new, and the picture, 512 to 1,024 px."""
    made = 0
    for turn in range(4 * count):
        new = made % 3 == 2
        draw = random.Random(f"picture {turn + NEW * new}")
        words = " and ".join(draw.sample(WORDS, draw.choice([1, 1, 2])))
        side = draw.choice([512, 512, 512, 640, 768, 1024])
        asked = {"prompt": words, "seed": turn + NEW * new, "width": side, "height": draw.choice([512, side]), "style": draw.choice(STYLES)}
        try:
            (picture,) = _run(starter_image, TextToImage.checked(asked))
        except InvalidInput:  # a style that has no such icon
            continue
        assert isinstance(picture, Picture)
        yield new, picture.pixels[..., :3]
        made += 1
        if made == count:
            return


def photographs(count: int) -> Iterator[tuple[bool, Pixels]]:
    """Dead leaves: textured shapes that cover each other, as in photographs (Lee, Mumford and Huang, 2001), with blur, light and grain."""
    for place in range(count):
        new = place % 3 == 2
        yield new, _dead_leaves(np.random.default_rng(place + NEW * new), 512 if place % 2 else 640)


def starter_tracks(count: int) -> Iterator[tuple[bool, str, Sound]]:
    """Whether its seed is new, the genre, and a track of about 12 seconds; every second one a loop."""
    names = list(genres(ROOT / "presets"))
    for place in range(count):
        new, genre = place % 3 == 2, names[place % len(names)]
        asked = {"prompt": genre, "genre": genre, "duration": 12, "seed": place + NEW * new, "loop": bool(place % 2)}
        (take,) = _run(starter_composer, Compose.checked(asked))
        assert isinstance(take, Take)
        yield new, genre, take.sound


def _dead_leaves(draw: np.random.Generator, side: int) -> Pixels:
    textures = [_clouds(draw, side, slope) for slope in (0.6, 1.0, 1.4)]
    picture = np.full((side, side, 3), draw.uniform(30, 220, 3))
    for _ in range(draw.integers(20, 200)):
        radius, centre = float(np.clip(8 / draw.random(), 8, 200)), draw.integers(0, side, 2)
        leaf = np.zeros((side, side), np.uint8)
        if draw.random() < 0.5:
            cv2.circle(leaf, (int(centre[0]), int(centre[1])), int(radius), 255, -1)
        else:
            cv2.fillPoly(leaf, [(centre + draw.normal(0, radius, (5, 2))).astype(np.int32)], (255,))
        share: Any = cv2.GaussianBlur(leaf.astype(np.float32) / 255, (0, 0), float(draw.choice([0.6, 1, 3])))
        colour = draw.uniform(0, 255, 3) + (textures[draw.integers(3)] * draw.choice([0, 3, 8, 16, 25]))[..., None]
        picture += share[..., None] * (colour - picture)
    picture *= 1 + 0.12 * _clouds(draw, side, 1.6)[..., None]
    blurred: Any = cv2.GaussianBlur(picture, (0, 0), draw.uniform(0.4, 1))
    return np.clip(blurred + draw.normal(0, draw.choice([0.5, 1.5, 3, 5]), (side, side, 1)), 0, 255).astype(np.uint8)


def _clouds(draw: np.random.Generator, side: int, slope: float) -> NDArray[np.float64]:
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    frequency[0, 0] = 1
    found = np.fft.irfft2(np.fft.rfft2(draw.standard_normal((side, side))) * frequency**-slope, (side, side))
    return found / found.std()


def _run(engine: Any, asked: Task) -> list[Any]:
    card = ready(engine.CARDS[0], Places(ROOT / "assets", ROOT, ROOT, offline=True, hub_caches=()))
    assert card is not None
    task = resolve(asked, card)
    recipe = engine.recipe(card, task, Device("cpu"))
    values = {name: part.load(_unheard) for name, part in recipe.components.items()}
    return list(recipe.build(values)(task, _unheard))


def _unheard(event: object) -> None:
    """Nobody listens to the progress."""
