"""What encoders made of a prompt is kept: a new seed asks them nothing, and the picture is the same."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.creations import Picture
from studio.device import Device
from studio.engines import _prompts, diffusion
from studio.errors import NotEnoughMemory
from studio.models import Folder, ModelCard
from studio.tasks import Inpaint, TextToImage
from tests import tiny

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of numpy, asked for by the libraries under test
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

CPU = Device("cpu")


def card_of(files: Path, name: str) -> ModelCard:
    options = {"guidance": "true_cfg_scale" if name == "QwenImagePipeline" else "guidance_scale"}
    return ModelCard(
        name="Tiny", engine="diffusion", serves=("text_to_image", "inpaint"), source=Folder(path=str(files)), files=files, options=options
    )


def task_of(**changes: Any) -> TextToImage:
    return TextToImage.checked({"prompt": "a red apple", "width": 64, "height": 64, "steps": 2, "guidance_scale": 3, "seed": 1} | changes)


def drawn(card: ModelCard, values: dict[str, Any], task: TextToImage | Inpaint) -> np.ndarray[Any, Any]:
    [picture] = diffusion.recipe(card, task, CPU).build(values)(task, lambda _: None)
    assert isinstance(picture, Picture)
    return picture.pixels


@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_a_new_seed_asks_no_text_encoder_and_changes_no_pixel(name: str, folders: Callable[[str], Path]) -> None:
    card = card_of(folders(name), name)
    values = {role: part.load(lambda _: None) for role, part in diffusion.recipe(card, task_of(), CPU).components.items()}
    asked: list[int] = []
    for role, part in values.items():
        if role.startswith("text_encoder"):
            part.register_forward_hook(lambda *_: asked.append(1))
    drawn(card, values, task_of())
    first = len(asked)
    assert first, "the first picture reads its prompt"
    kept = drawn(card, values, task_of(seed=2))
    assert len(asked) == first
    drawn(card, values, task_of(prompt="a blue pear"))
    assert len(asked) > first
    fresh = drawn(card, values | {"prompts": _prompts.Read()}, task_of(seed=2))
    assert np.array_equal(kept, fresh)


def test_the_oldest_readings_go_when_there_is_no_room_and_others_are_not_kept() -> None:
    import torch

    read, made = _prompts.Read(limit=1000), list[str]()

    def reading(name: str, size: int) -> Callable[[], Any]:
        def make() -> tuple[Any, None]:
            made.append(name)
            return torch.zeros(size, dtype=torch.uint8), None

        return make

    for name in ("a", "b", "a", "c"):
        read.get(name, reading(name, 400))
    assert made == ["a", "b", "c"] and read.bytes == 800
    read.get("a", reading("a", 400))
    read.get("b", reading("b", 400))
    assert made == ["a", "b", "c", "b"], "the one used longest ago went"
    read.get("large", reading("large", 2000))
    assert read.bytes == 800
    read.get("odd", object)
    assert read.bytes == 800


def test_a_list_that_a_pipeline_adds_to_is_kept_as_it_was() -> None:
    import torch

    class Pipe:
        def encode_prompt(self, prompt: str, device: Any = None, images: Any = None) -> list[Any]:
            return [torch.zeros(2)]

    pipe: Any = Pipe()
    _prompts.remembered(pipe, _prompts.Read())
    pipe.encode_prompt("x", device="cpu").append("more")
    assert len(pipe.encode_prompt("x")) == 1
    assert pipe.encode_prompt("x")[0] is pipe.encode_prompt(prompt="x", device="other")[0]
    assert pipe.encode_prompt("x", images=object())[0] is not pipe.encode_prompt("x", images=object())[0]


def test_a_pipeline_without_its_encoders_knows_only_what_was_read() -> None:
    class Encoderless:
        text_encoder = None

        def encode_prompt(self, prompt: str, device: object = None) -> None:
            raise AssertionError("nothing could be asked")

    read, pipe = _prompts.Read(), Encoderless()
    _prompts.remembered(pipe, read)
    with pytest.raises(NotEnoughMemory, match="as a whole"):
        pipe.encode_prompt("x")


def test_what_was_read_under_a_name_is_known_until_some_of_it_has_gone() -> None:
    import torch

    read = _prompts.Read(limit=100)
    assert not read.has("apple")
    for key in ("yes", "no"):
        read.get(key, lambda: torch.zeros(10))
    read.note("apple", ["yes", "no"])
    assert read.has("apple") and not read.has("pear")
    read.get("another", lambda: torch.zeros(10))
    assert not read.has("apple")
