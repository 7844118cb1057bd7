"""Atelier Icons at work on a picture that is there: the regions of an edit, one after another, with progress and previews.

What is drawn is decided in studio/starter/inpaint.py, where it goes back in studio/inpaint/edit.py: this file joins the two.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from studio.creations import Json, Picture, Preview, Progress, Report
from studio.starter import compose, crediting, finish, inpaint
from studio.starter.asking import asked
from studio.starter.icons import IconLibrary
from studio.starter.words import Nearest
from studio.tasks import Inpaint

if TYPE_CHECKING:
    import torch

    from studio.inpaint.edit import Edit

SIDE = 512  # pixels a side of a region: about as large as drawings of 128 px stay crisp
STEPS = 18
MODES = inpaint.MODES
_PREVIEW_SECONDS = 0.25


def edits(task: Inpaint, library: IconLibrary, encoder: Nearest | None, report: Report) -> Iterator[Picture]:
    """The variants of a resolved task, each from its own seed alone."""
    from studio.inpaint.edit import plan

    assert task.seed is not None
    scene = asked(task.prompt, task.negative_prompt, task.mode, library, encoder)
    edit = plan(task, SIDE, way="blur" if task.mode == "outpaint" and not task.prefill else None)
    for item in range(task.count):
        seed = task.seed + item
        watch = _Watch(report, edit, item + 1, task.count)
        made: list[inpaint.Made] = []
        for number, region in enumerate(edit.regions):
            watch.begin(number)
            one = inpaint.painted(
                region.picture,
                region.hole,
                region.mask,
                scene,
                library,
                mode=task.mode,
                strength=task.strength or 1.0,
                seed=seed + number * 0x9E37,
                steps=task.steps or STEPS,
                watch=watch.step,
                report=watch.share,
            )
            made.append(one)
            report(Preview(one.pixels, item=item + 1))
        facts = _facts(made, library, scene.notes if scene is not None else ())
        yield edit.finished([one.pixels for one in made], seed, facts, {"attribution.png": finish.png(_credit(edit, made, facts, library))})


def _facts(made: list[inpaint.Made], library: IconLibrary, notes: tuple[str, ...]) -> dict[str, Json]:
    """Whose icons were drawn, over all regions, and what the page should say."""
    origin = np.concatenate([one.origin.ravel() for one in made])
    colours = tuple(icon for one in made for icon in one.colours)
    facts = crediting.credit(origin, colours, library)
    told: list[Json] = [*dict.fromkeys((*notes, *(note for one in made for note in one.notes)))]
    return {**facts, "notes": told} if told else facts


def _credit(edit: Edit, made: list[inpaint.Made], facts: dict[str, Json], library: IconLibrary) -> NDArray[np.uint8]:
    """One byte a pixel of the canvas: the place in facts["attribution"] of the icon it came from, or finish.NOTHING."""
    import cv2

    page = np.full(edit.hole.shape, finish.NOTHING, np.uint8)
    ranks = crediting.ranked(np.concatenate([one.origin.ravel() for one in made]))
    for region, one in zip(edit.regions, made, strict=True):
        codes = np.full(one.origin.shape, finish.NOTHING, np.uint8)
        for icon, rank in ranks.items():
            codes[one.origin == icon] = min(rank, finish.NOTHING - 1)
        size = region.box.width, region.box.height
        place = region.box.place
        large = np.asarray(cv2.resize(codes, size, interpolation=cv2.INTER_NEAREST), np.uint8)
        page[place] = np.where(edit.hole[place], large, page[place])
    return page


@dataclass
class _Watch:
    """Turns the sampler's steps into progress and previews of one variant; how many drawings a region takes is not known beforehand."""

    report: Report
    edit: Edit
    item: int
    items: int

    def __post_init__(self) -> None:
        self._region = 0
        self._done = 0.0
        self._shown = time.monotonic()

    def begin(self, region: int) -> None:
        self._region, self._done = region, 0.0
        self._tell()

    def share(self, done: float) -> None:
        """A share of the completing of a photograph's ground, which is half of the work."""
        self._done = max(self._done, done / 2)
        self._tell()

    def step(self, _: int, guess: torch.Tensor) -> None:
        self._done += (1 - self._done) / 24
        self._tell()
        if time.monotonic() - self._shown >= _PREVIEW_SECONDS:
            self._shown = time.monotonic()
            self.report(Preview(pixels=_on_paper(compose.rgba(guess)), item=self.item))

    def _tell(self) -> None:
        regions = max(1, len(self.edit.regions))
        done = round(100 * (self._region + self._done) / regions)
        self.report(Progress("running", done, 100, "percent", self.item, self.items))


def _on_paper(drawing: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGBA (n, n, 4) on white."""
    alpha = drawing[..., 3:].astype(np.float32) / 255
    return (drawing[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)
