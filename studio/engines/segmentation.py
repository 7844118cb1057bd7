"""Models that find a part of a picture: CLIPSeg by its name, SAM 2 the thing inside a box. What comes back is a mask, not a creation.

Both are read by their own preparation here, so that nothing but their weights is needed. Their masks are coarse; edges are drawn where
the picture's own are (studio/inpaint/select.py). Lüddecke and Ecker, "Image segmentation using text and image prompts" (CVPR 2022);
Ravi et al., "SAM 2: Segment anything in images and videos" (2024).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio import components
from studio.creations import Picture, Progress, Report
from studio.device import Device
from studio.errors import InvalidInput, ModelUnavailable
from studio.manager import Component, Pipeline, Recipe
from studio.models import ModelCard
from studio.tasks import Select, Task

CARDS = components.cards("segmentation")

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of the pictures that both were trained on, a channel each."""
NAMES = 8
"""Names that are looked for at once."""
LEAST, SHARE = 0.3, 0.5
"""How sure CLIPSeg must be at its surest place, and what share of that counts as found (0 to 1)."""
WORKING = 700_000_000
_SIDES = {"clipseg": 352, "sam2": 1024}
_CLASSES = {"clipseg": "CLIPSegForImageSegmentation", "sam2": "Sam2Model", "sam2_video": "Sam2Model"}
_Find = Callable[[NDArray[np.uint8], Select], NDArray[np.float32]]


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The model, its tokenizer where it reads names, and the pipeline over them. Raises ModelUnavailable for a folder of another kind."""
    import torch

    folder = components.files_of(card)
    kind = str(components.read_json(card, folder / "config.json").get("model_type"))
    if kind not in _CLASSES:
        raise ModelUnavailable(f"{card.name} is no model that this engine can select with; choose another model.")
    found = components.find_weights(card, folder)
    parts = {"model": components.module(card, found, "selection", ("transformers", _CLASSES[kind]), torch.float32, device)}
    if kind == "clipseg":
        parts["words"] = _tokenizer(card, folder)

    def build(values: Mapping[str, Any]) -> Pipeline:
        if kind == "clipseg":
            return _pipeline(card, _by_name(values["model"], values["words"], _side(card, folder, "clipseg"), device))
        return _pipeline(card, _in_box(values["model"], device))

    return Recipe(parts, build, lambda _: WORKING, key=parts["model"].key)


def _pipeline(card: ModelCard, find: _Find) -> Pipeline:
    def masks(task: Task, report: Report) -> Iterator[Picture]:
        from studio.inpaint.edit import colours
        from studio.inpaint.read import read_picture
        from studio.inpaint.select import edged

        assert isinstance(task, Select)
        report(Progress("running", 0, 1))
        pixels = colours(read_picture(Path(task.image)).pixels)
        with components.memory_in_words(f"{card.name} needs more memory than is free: unload another model, or paint the mask."):
            near = find(pixels, task)
        report(Progress("running", 1, 1))
        yield Picture(edged(pixels, (near > 0).astype(np.uint8)), task.seed or 0)

    return masks


def _by_name(model: Any, words: Any, side: int, device: Device) -> _Find:
    """How much surer than needed each place of the picture is of one of the names, (side, side)."""

    def find(pixels: NDArray[np.uint8], task: Select) -> NDArray[np.float32]:
        import torch

        names = [name.strip() for name in task.name.split(",") if name.strip()][:NAMES]
        if not names:
            raise InvalidInput("Say what to select, such as “dog” or “red car”.", "name")
        read = words(names, padding=True, truncation=True, return_tensors="pt")
        given = torch.from_numpy(_prepared(pixels, side)).to(device.place).expand(len(names), -1, -1, -1)
        with torch.inference_mode():
            ids, mask = read["input_ids"].to(device.place), read["attention_mask"].to(device.place)
            logits = model(input_ids=ids, attention_mask=mask, pixel_values=given).logits.reshape(len(names), side, side)
            sure: NDArray[np.float32] = torch.sigmoid(logits.float()).amax(0).cpu().numpy()
        if not sure.max() >= LEAST:
            raise InvalidInput(f"Nothing in this picture looks like “{task.name.strip()}”: try another word, or paint it.", "name")
        return sure - max(LEAST, SHARE * float(sure.max()))

    return find


def _in_box(model: Any, device: Device) -> _Find:
    """The thing inside the task's box, above 0 where it is; without one, inside that of what stands out from the picture's border."""

    def find(pixels: NDArray[np.uint8], task: Select) -> NDArray[np.float32]:
        import torch

        side = int(model.config.prompt_encoder_config.image_size)
        box = _standing_out(pixels) if task.box is None else _inside(task.box, pixels.shape[1], pixels.shape[0])
        scale = np.array([side / pixels.shape[1], side / pixels.shape[0]] * 2, np.float32)
        asked = torch.from_numpy(np.array(box, np.float32) * scale).reshape(1, 1, 4).to(device.place)
        with torch.inference_mode():
            given = torch.from_numpy(_prepared(pixels, side)).to(device.place)
            answer = model(pixel_values=given, input_boxes=asked, multimask_output=False)
        logits: NDArray[np.float32] = answer.pred_masks[0, 0, 0].float().cpu().numpy()
        if not (logits > 0).any():
            raise InvalidInput("Nothing stands out there: draw the rectangle closer around it, or paint it.", "box")
        return logits

    return find


def _inside(box: tuple[int, int, int, int], width: int, height: int) -> tuple[int, int, int, int]:
    """The part of a box that lies in the picture."""
    left, top, right, bottom = max(0, box[0]), max(0, box[1]), min(width, box[2]), min(height, box[3])
    if left >= right or top >= bottom:
        raise InvalidInput("That box holds nothing of the picture: draw it around the subject.", "box")
    return left, top, right, bottom


def _standing_out(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    from studio.inpaint.masks import bounds
    from studio.inpaint.select import subject

    found = bounds(subject(pixels) > 127)
    if found is None:
        raise InvalidInput("No subject stands out in this picture: draw a rectangle around it and try again, or paint it.")
    return found


def _prepared(pixels: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """(1, 3, side, side): the whole picture as a square, in the numbers that the models were trained on."""
    import cv2

    smaller = max(pixels.shape[:2]) > side
    square = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR).astype(np.float32) / 255
    even = (square - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return np.ascontiguousarray(even.transpose(2, 0, 1)[None], np.float32)


def _side(card: ModelCard, folder: Path, kind: str) -> int:
    """Pixels of the square that the model reads, as its folder says."""
    file = folder / "preprocessor_config.json"
    size = components.read_json(card, file).get("size") if file.is_file() else None
    height = size.get("height") if isinstance(size, dict) else size
    return height if isinstance(height, int) and 16 <= height <= 2048 else _SIDES[kind]


def _tokenizer(card: ModelCard, folder: Path) -> Component:
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name.startswith(("tokenizer", "vocab", "merges"))]

    def load(_: Report) -> Any:
        with components.in_words(card):
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

    return Component(components.key(card, files, "names", "text"), sum(path.stat().st_size for path in files), load)
