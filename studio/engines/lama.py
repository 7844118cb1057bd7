"""LaMa, which takes things out of pictures: it draws what was behind them from what it learned of photographs, without words.

The network is in _lama.py; its weights are a safetensors file, or the published archive, which is never run: the studio takes the numbers
out of it (torchscript.py). One draft a look: the picture as it is, or mirrored, which comes out differently; the seed says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studio import components
from studio.creations import Picture, Preview, Progress, Report
from studio.device import Device
from studio.engines import _lama
from studio.manager import Component, Pipeline, Recipe
from studio.models import Address, ModelCard
from studio.tasks import Inpaint, Task
from studio.weights import weight_bytes

CARDS = (
    ModelCard(
        name="LaMa",
        engine="lama",
        serves=("inpaint",),
        modes=("erase",),
        source=Address(
            url="https://github.com/Sanster/models/releases/download/add_big_lama/big-lama.pt",
            sha256="344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9",
            bytes=205_669_692,
        ),
        licence="Apache-2.0",
        commercial=True,
        gated=False,
        summary="Takes things out of photographs and draws what was behind them, also where the picture shows nothing like it; "
        "ten seconds or so on two processor cores, no words needed.",
        params=0.051,
        download_gb=0.206,
        memory_gb=1.2,
        quality=20,
        limits={"count": (1, 2)},
        url="https://github.com/advimman/lama",
        unverified=("params", "memory_gb"),
    ),
)

SIDE = 768
"""Side of a crop's model: larger ones are drawn at so many pixels. It was trained at 256 and holds up to several times that."""
_PIXEL_BYTES = 1_300
"""Working bytes a pixel of a crop: 1,100 to 1,240 were measured on a CPU at 512 and 768 pixels a side."""
_PERCENT = 100
_LOOKS = 2


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The weights and the pipeline over them. Raises ModelUnavailable where they are not here."""
    file = _file(card)
    part = Component(components.key(card, [file], "lama", "float32"), weight_bytes(file), lambda report: _loaded(card, file, device))
    return Recipe({"lama": part}, lambda values: _pipeline(values["lama"], card, device), working_bytes, key=part.key)


def working_bytes(task: Task) -> int:
    """One crop going through the network."""
    return _PIXEL_BYTES * SIDE * SIDE


def _file(card: ModelCard) -> Path:
    """The one weight file; in a folder, that of its name."""
    files = components.files_of(card)
    return components.find_weights(card, files).files[0] if files.is_dir() else files


def _loaded(card: ModelCard, file: Path, device: Device) -> _lama.Lama:
    """The generator on the device, tried once at the smallest size. Raises ModelUnavailable for other weights."""
    import torch
    from safetensors.torch import load_file

    with components.in_words(card), torch.inference_mode():
        found = _lama.of(load_file(file, device=device.place))
        if found is None:
            raise ValueError("names")
        blank = torch.zeros(1, 3, _lama.LEAST, _lama.LEAST, device=device.place)
        found.drawn(blank, blank[:, :1] + 1)
        return found


def _pipeline(lama: _lama.Lama, card: ModelCard, device: Device) -> Pipeline:
    def pictures(task: Task, report: Report) -> Iterator[Picture]:
        from studio.inpaint.edit import plan

        assert isinstance(task, Inpaint)
        assert task.seed is not None
        edit = plan(task, SIDE, 2**lama.sizes, way="neutral")
        for item in range(task.count):
            mirrored = (task.seed + item) % _LOOKS == 1
            made: list[NDArray[np.uint8]] = []
            for number, region in enumerate(edit.regions):
                tell = _told(report, number, len(edit.regions), item + 1, task.count)
                with components.memory_in_words(f"{card.name} needs more memory than is free: unload another model, or choose another."):
                    made.append(_erased(lama, region.picture, region.hole, mirrored, device, tell))
                report(Preview(made[-1], item=item + 1))
            yield edit.finished(made, task.seed + item, {"dtype": "float32", "mirrored": mirrored})

    return pictures


def _erased(
    lama: _lama.Lama,
    pixels: NDArray[np.uint8],
    hole: NDArray[np.bool_],
    mirrored: bool,
    device: Device,
    tell: Callable[[float], None],
) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 with the hole (h, w) drawn, and the pixels beside it, in which some of it may show; the rest as it was."""
    import cv2
    import torch

    height, width = hole.shape
    step = 2**lama.sizes
    down, across = (max(_lama.LEAST, -(-side // step) * step) for side in (height, width))
    marked = np.asarray(cv2.dilate(hole.astype(np.uint8), np.ones((3, 3), np.uint8)), np.uint8)
    frame = (0, down - height), (0, across - width)
    picture = np.pad(pixels, (*frame, (0, 0)), mode="symmetric").transpose(2, 0, 1)[None].astype(np.float32) / 255
    mask = np.pad(marked, frame, mode="symmetric")[None, None].astype(np.float32)
    given = [torch.from_numpy(np.ascontiguousarray(part[..., ::-1] if mirrored else part)).to(device.place) for part in (picture, mask)]
    with torch.inference_mode():
        drawn: NDArray[np.float32] = lama.drawn(given[0], given[1], tell)[0].float().cpu().numpy()
    drawn = (drawn[..., ::-1] if mirrored else drawn).transpose(1, 2, 0)[:height, :width]
    return np.where(marked[..., None] > 0, np.rint(np.clip(np.nan_to_num(drawn), 0, 1) * 255), pixels).astype(np.uint8)


def _told(report: Report, number: int, numbers: int, item: int, items: int) -> Callable[[float], None]:
    """A listener that turns the fraction done of one region into the run's progress."""

    def tell(done: float) -> None:
        share = (number + done) / numbers
        report(Progress("running", round(_PERCENT * share, 1), _PERCENT, "steps", item, items, "drawing what was behind"))

    return tell
