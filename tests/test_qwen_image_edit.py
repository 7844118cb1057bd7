"""Qwen-Image-Edit: the real pipeline at tiny size. Its processor loads with torchvision alone, for films, which an edit never shows it."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.creations import Picture
from studio.device import Device
from studio.engines import _painting, diffusion
from studio.errors import ModelUnavailable
from studio.models import Folder, ModelCard, resolve
from studio.tasks import Inpaint
from tests import tiny

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.filterwarnings("ignore::FutureWarning")]

NAME = "QwenImageEditPlusPipeline"
MARKS = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")


@pytest.fixture(scope="module")
def pipe() -> Any:
    """The pipeline with a VAE of five levels, which makes 64 x 64 places of the megapixel that it always reads."""
    import torch

    torch.set_num_threads(1)
    d, t = import_module("diffusers"), import_module("transformers")
    words = tiny.byte_words(1024)
    words.add_special_tokens({"additional_special_tokens": [*MARKS]})
    image, film, start, _ = words.convert_tokens_to_ids([*MARKS])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformer = d.QwenImageTransformer2DModel(
            patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=2,
            joint_attention_dim=32, axes_dims_rope=(8, 4, 4),
        )  # fmt: skip
        vae = d.AutoencoderKLQwenImage(
            base_dim=4, z_dim=4, dim_mult=[1] * 5, num_res_blocks=1, temperal_downsample=[False] * 4,
            latents_mean=[0.1, 0.0, -0.1, 0.2], latents_std=[1.5, 1.0, 0.5, 2.0],
        )  # fmt: skip
        text = {
            "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2, "num_key_value_heads": 1,
            "vocab_size": 300, "max_position_embeddings": 2048, "bos_token_id": None, "eos_token_id": None,
            "rope_parameters": {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 10000.0},
        }  # fmt: skip
        vision = {"depth": 1, "hidden_size": 32, "intermediate_size": 48, "num_heads": 2, "out_hidden_size": 32}
        config = t.Qwen2_5_VLConfig(
            text_config=text, vision_config=vision, image_token_id=image, video_token_id=film, vision_start_token_id=start
        )
        return d.QwenImageEditPlusPipeline(
            transformer=transformer, vae=vae, text_encoder=t.Qwen2_5_VLForConditionalGeneration(config), tokenizer=words,
            processor=_reader(words), scheduler=d.FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True, shift_terminal=0.02),
        )  # fmt: skip


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A picture of 150 x 90 pixels and a mask in its middle."""
    return tiny.marked(tmp_path, 150, 90, (50, 24, 90, 64))


def _reader(words: Any) -> Any:
    """The real processor of words and pictures, where torchvision is missing without its part for films."""
    t = import_module("transformers")

    class Reader(t.Qwen2VLProcessor):
        def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
            return type(argument)

    return Reader(image_processor=t.Qwen2VLImageProcessor(max_pixels=28 * 28 * 16), tokenizer=words, chat_template="none")


def card_of(folder: Path) -> ModelCard:
    return ModelCard(
        name="Tiny",
        engine="diffusion",
        serves=("inpaint",),
        modes=("instruct",),
        source=Folder(path=str(folder)),
        files=folder,
        needs=("torchvision",),
        schedulers=("UniPC (flow)",),
        options={"pipeline": NAME, "guidance": "true_cfg_scale", "side": 256, "size_step": 16},
        defaults={"steps": 2, "guidance_scale": 3},
    )


def edited(pipe: Any, **values: Any) -> Picture:
    card = card_of(Path())
    task = resolve(Inpaint.checked({"prompt": "make it red", "seed": 1, "mode": "instruct"} | values), card)
    painter = _painting.Painter(pipe, card, diffusion._options(card), NAME)
    (picture,) = painter.edits(task, lambda _: None)
    return picture


def test_an_instruction_redraws_the_whole_picture_at_its_own_size(pipe: Any, files: dict[str, str]) -> None:
    one, other = (edited(pipe, image=files["image"], prompt=words) for words in ("make it red", "remove the sky"))
    assert one.pixels.shape == (90, 150, 3)
    assert one.facts["pipeline"] == NAME
    assert "The whole picture was redrawn." in str(one.facts["notes"])
    assert not np.array_equal(one.pixels, other.pixels)


def test_a_mark_limits_what_the_instruction_changes(pipe: Any, files: dict[str, str]) -> None:
    from studio.inpaint import masks

    picture = edited(pipe, **files, feather=3, scheduler="UniPC (flow)")
    assert picture.facts["scheduler"] == "UniPC (flow)"
    before = np.asarray(Image.open(files["image"]))
    outside = masks.distance(np.asarray(Image.open(files["mask"])) >= 128) > 5
    assert np.array_equal(picture.pixels[outside], before[outside])
    assert (picture.pixels[34:54, 60:80] != before[34:54, 60:80]).any()


@pytest.mark.skipif(find_spec("torchvision") is not None, reason="torchvision is installed")
def test_without_torchvision_the_artist_is_told_what_to_install(tmp_path: Path, files: dict[str, str]) -> None:
    folder = tiny.qwen_image(tmp_path / "model")
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    index |= {"_class_name": NAME, "processor": ["transformers", "Qwen2VLProcessor"]}
    (folder / "model_index.json").write_text(json.dumps(index), "utf-8")
    import_module("transformers").Qwen2VLImageProcessor().save_pretrained(folder / "processor")
    tiny.byte_words(64).save_pretrained(folder / "processor")
    card = card_of(folder)
    task = resolve(Inpaint.checked({"prompt": "make it red", "mode": "instruct", "image": files["image"]}), card)
    parts = diffusion.recipe(card, task, Device("cpu")).components
    with pytest.raises(ModelUnavailable, match=r"needs a package that is not installed \(torchvision\)"):
        parts["small"].load(lambda _: None)
