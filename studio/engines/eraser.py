"""Atelier Eraser, which takes things out of pictures: what was behind them is completed from the rest of the same picture.

No weights: the method is in studio/inpaint/erase.py, this file only joins it to tasks and reports. It works on photographs and on
illustrations, always on the CPU; on one machine the same seed gives the same bytes. It knows no words: a prompt is not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from studio.creations import Picture, Preview, Progress, Report
from studio.device import Device
from studio.manager import Recipe
from studio.models import Bundled, ModelCard
from studio.tasks import Inpaint, Task

CARDS = (
    ModelCard(
        name="Atelier Eraser",
        engine="eraser",
        serves=("inpaint",),
        modes=("erase",),
        source=Bundled(path="eraser"),  # its model card: there are no weights to fetch
        licence="Apache-2.0",
        commercial=True,
        gated=False,
        summary="Atelier Eraser takes things out of photographs and illustrations and completes what was behind them from the rest of the "
        "picture, on any computer; a larger model invents what the picture does not show.",
        memory_gb=0.3,
        starter=True,
        trained=False,
    ),
)

_CONTEXT = 1024  # side of a crop's model: marks get at least half of it as their surroundings, at the picture's own size
_SHOWN = 768  # pixels of the longer side of a preview
_PERCENT = 100


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """Nothing to load."""
    return Recipe({}, lambda values: _erase, working_bytes)


def working_bytes(task: Task) -> int:
    """The patches compared at once and the picture as numbers; a picture's size is not known before it is read."""
    return 300_000_000


def _erase(task: Task, report: Report) -> Iterator[Picture]:
    """The pipeline: each variant completes the same holes from its own seed alone."""
    from studio.inpaint.edit import plan
    from studio.inpaint.erase import erased
    from studio.inpaint.prefill import prefilled

    assert isinstance(task, Inpaint)
    assert task.seed is not None
    edit = plan(task, _CONTEXT, way="neutral")
    for item in range(task.count):
        report(Progress("running", 0, _PERCENT, "steps", item + 1, task.count, "completing what was behind"))
        made: list[NDArray[np.uint8]] = []
        for number, region in enumerate(edit.regions):
            told = _told(report, number, len(edit.regions), item + 1, task.count)
            picture, hole = edit.crop(region), edit.hole[region.box.place]
            report(Preview(_small(prefilled(picture, hole, "blur")), item=item + 1))
            made.append(erased(picture, hole, told, task.seed + item))
            report(Preview(_small(made[-1]), item=item + 1))
        yield edit.finished(made, task.seed + item)


def _told(report: Report, number: int, numbers: int, item: int, items: int) -> Callable[[float], None]:
    """A listener that turns the fraction done of one region into the run's progress."""

    def tell(done: float) -> None:
        share = (number + done) / numbers
        report(Progress("running", round(_PERCENT * share, 1), _PERCENT, "steps", item, items, "completing what was behind"))

    return tell


def _small(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For a preview."""
    import cv2

    scale = _SHOWN / max(pixels.shape[:2])
    if scale >= 1:
        return pixels
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)
