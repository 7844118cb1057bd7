"""Tiny but real MusicGen models with random weights, saved to a folder in the layout of the large ones. Nothing is downloaded."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from studio.engines import _codes
from studio.tasks import Compose
from tests.tiny import t5_words

RATE = 32_000
STEP = 640
"""Samples of a frame, as in the large models."""


def needs_audiocraft() -> None:
    """Skip the test where the package is missing; with CI=true it fails instead."""
    _needs("audiocraft")


def needs_demucs() -> None:
    """The same for demucs."""
    _needs("demucs")


def _needs(package: str) -> None:
    if find_spec(package) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{package} is not installed: run make {package} before the tests")
        pytest.skip(f"{package} is not installed: make {package}")


def demucs(folder: Path, **changed: Any) -> Path:
    """An HTDemucs network that hears half a second at 16 kHz, in the layout of the published ones: one file, and in its head what it is."""
    import torch
    from safetensors.torch import save_file

    network: Any = import_module("demucs.htdemucs").HTDemucs
    sizes: dict[str, Any] = {
        "sources": ["drums", "bass", "other", "vocals"], "channels": 8, "t_layers": 1, "t_heads": 2, "t_hidden_scale": 1.0, "nfft": 1024,
        "samplerate": 16_000, "segment": {"_type": "fraction", "numerator": 1, "denominator": 2},
    }  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = network(**{**sizes, "segment": 0.5})
    head = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": json.dumps(sizes)} | changed
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.half() for name, value in built.state_dict().items()}, folder / "0a1b2c3d.safetensors", head)
    return folder


def musicgen(folder: Path, *, stereo: bool = False, melody: bool = False, full: Mapping[str, int] | None = None) -> Path:
    """MusicgenForConditionalGeneration (or the melody class) with a codec of 64 choices whose codebooks are random.

    `full` are fields of the decoder's configuration at another size, with which the codec has the large models' size, too.
    A codebook begins as zeros: without random ones every code would sound the same, and tests of equal sound would prove nothing.
    """
    import torch

    t: Any = import_module("transformers")
    books = 8 if stereo else 4
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        words = t5_words()
        text = _text(t, words)
        sound = _codec(t, **({"num_filters": 64, "hidden_size": 128, "codebook_dim": 128, "codebook_size": 2048} if full else {}))
        shape = {
            "vocab_size": 64,
            "num_codebooks": books,
            "audio_channels": 2 if stereo else 1,
            "hidden_size": 32,
            "ffn_dim": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "initializer_factor": 0.3,
        } | dict(full or {})
        shape |= {"pad_token_id": shape["vocab_size"], "bos_token_id": shape["vocab_size"]}
        decoder = (t.MusicgenMelodyDecoderConfig if melody else t.MusicgenDecoderConfig)(**shape)
        parts = {"text_encoder": text.to_dict(), "audio_encoder": sound.to_dict(), "decoder": decoder.to_dict()}
        if melody:
            model: Any = t.MusicgenMelodyForConditionalGeneration(t.MusicgenMelodyConfig(**parts, chroma_length=235))
        else:
            model = t.MusicgenForConditionalGeneration(t.MusicgenConfig(**parts))
        _awake(model.audio_encoder)
        model.generation_config = t.GenerationConfig(
            do_sample=True,
            guidance_scale=3.0,
            max_length=1500,
            bos_token_id=shape["vocab_size"],
            pad_token_id=shape["vocab_size"],
            decoder_start_token_id=shape["vocab_size"],
        )
        model.save_pretrained(folder)
        words.save_pretrained(folder)
    return folder


def generated(loaded: Mapping[str, Any], task: Compose, **more: Any) -> Any:
    """The take of a task by a loaded model's own `generate`, with the numbers our takes draw from; (channels, samples)."""
    import torch
    from transformers import LogitsProcessor, LogitsProcessorList, TopKLogitsWarper

    model = loaded["model"]
    books = model.decoder.num_codebooks
    numbers = torch.rand(_codes.BLOCK, books, generator=torch.Generator("cpu").manual_seed(task.seed or 0))

    class Draw(LogitsProcessor):
        def __call__(self, input_ids: Any, scores: Any) -> Any:
            heights = torch.softmax(scores, dim=-1).cumsum(dim=-1)
            at = (1 - numbers[input_ids.shape[-1]])[:, None]
            return torch.full_like(scores, float("-inf")).scatter_(1, torch.searchsorted(heights, at * heights[:, -1:]), 0.0)

    class GuidanceFirst(LogitsProcessorList):
        def append(self, item: Any) -> None:  # `generate` adds its guidance at the end
            self.insert(0, item)

    frames = round((task.duration or 0) * 50)
    chain = GuidanceFirst([TopKLogitsWarper(250), Draw()])
    made = model.generate(
        **loaded["words"]([task.prompt], return_tensors="pt"),
        do_sample=False,
        max_new_tokens=frames + 3,
        logits_processor=chain,
        **({"guidance_scale": task.guidance_scale} if task.guidance_scale is not None else {}),
        **more,
    )
    return made[0].numpy()


def text_encoder(folder: Path) -> Path:
    """T5EncoderModel and its tokenizer."""
    import torch

    t: Any = import_module("transformers")
    words = t5_words()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        t.T5EncoderModel(_text(t, words)).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


def codec(folder: Path) -> Path:
    """EncodecModel, as in `musicgen`."""
    import torch

    t: Any = import_module("transformers")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = t.EncodecModel(_codec(t))
        _awake(model)
        model.save_pretrained(folder)
    return folder


def _text(transformers: Any, words: Any) -> Any:
    return transformers.T5Config(vocab_size=len(words), d_model=16, d_kv=4, d_ff=24, num_layers=1, num_heads=2, pad_token_id=0)


def _codec(transformers: Any, **changes: int) -> Any:
    shape: dict[str, Any] = {
        "sampling_rate": RATE,
        "audio_channels": 1,
        "upsampling_ratios": [8, 5, 4, 4],
        "num_filters": 4,
        "hidden_size": 16,
        "codebook_dim": 16,
        "codebook_size": 64,
        "num_lstm_layers": 2,
        "target_bandwidths": [1.2],  # four codebooks of 6 bits at 50 frames a second
        "use_causal_conv": False,
        "norm_type": "weight_norm",
        "normalize": False,
        "chunk_length_s": None,
        "overlap": None,
    }
    if changes:
        shape |= changes | {"target_bandwidths": [2.2]}  # of 11 bits
    return transformers.EncodecConfig(**shape)


def _awake(codec: Any) -> None:
    """Random codebooks; and an encoder that hears sounds apart, which its biases drown as it is made."""
    import torch

    for layer in codec.quantizer.layers:
        layer.codebook.embed.normal_()
    with torch.no_grad():
        for name, value in codec.encoder.named_parameters():
            value.mul_(0 if "bias" in name else 3 if "original0" in name else 1)
