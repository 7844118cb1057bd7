"""MusicGen through transformers: words, and a melody or the end of a piece, become sound that plays while it is made.

What is done with the codes is _composing.py's matter. Knows no manager, no download and no page.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from studio import components, weights
from studio.creations import Report
from studio.device import Device
from studio.engines import _codec, _codes, _hearing
from studio.engines._composing import SECONDS, Composer, sampling
from studio.errors import ModelUnavailable
from studio.manager import Component, Pipeline, Recipe
from studio.models import ModelCard
from studio.tasks import Compose, Task

CARDS = components.cards("musicgen")

CLASSES = {"musicgen": "MusicgenForConditionalGeneration", "musicgen_melody": "MusicgenMelodyForConditionalGeneration"}
FIXED_BYTES = 300_000_000
TEXT_TOKENS = 128


class _Options(BaseModel):
    """`ModelCard.options` of this engine: `window` and `stride` are seconds the model oversees, and moves on by beyond that."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    dtype: Literal["float32", "bfloat16", "float16"] | None = None
    variant: str | None = None
    window: float = Field(default=30, gt=0)
    stride: float = Field(default=18, gt=0)


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The model with its codec, the tokenizer, and the pipeline over them. Raises ModelUnavailable and ModelUnsafe for unusable files."""
    assert isinstance(task, Compose)
    options = components.options(card, _Options, "MusicGen")
    folder = components.files_of(card)
    config = components.read_json(card, folder / "config.json")
    if config.get("model_type") not in CLASSES or not _codec.can_stream(config.get("audio_encoder", {})):
        raise ModelUnavailable(f"{card.name} is no MusicGen model that this engine can play; choose another model.")
    dtype = components.number_format(device, options.dtype)
    parts = {"model": _model(card, options, CLASSES[config["model_type"]], dtype, device), "words": _tokenizer(card)}

    def build(values: Mapping[str, Any]) -> Pipeline:
        return Composer(_Instrument(values["model"], values["words"]), card, options.window, options.stride).takes

    return Recipe(parts, build, lambda task: _working_bytes(task, config, options, dtype.itemsize))


class _Instrument:
    """A loaded model of transformers, with or without an ear for melodies."""

    def __init__(self, model: Any, words: Any) -> None:
        config, codec = model.decoder.config, model.audio_encoder
        self._model, self._words, self._codec = model, words, codec
        self.rate, self.step = int(codec.config.sampling_rate), _codec.parts(codec).step
        self.books, self.choices, self.empty = config.num_codebooks, config.vocab_size, config.pad_token_id
        self.stereo = config.audio_channels == 2  # then the codebooks of left and right alternate
        self.delays = [book // 2 if self.stereo else book for book in range(self.books)]
        self.device, self.dtype = model.device, str(model.dtype).removeprefix("torch.")

    def forward(self, ids: Any, cache: Any, told: dict[str, Any]) -> tuple[Any, Any]:
        """See `_codes.Writer`. The melody model reads what it is told once, as a prefix."""
        again = cache is None or "encoder_outputs" in told
        answer = self._model(decoder_input_ids=ids, past_key_values=cache, use_cache=True, **(told if again else {}))
        return answer.logits[:, -1], answer.past_key_values

    def rest(self) -> None:
        """The cache went with the columns."""

    def condition(self, said: str, melody: NDArray[np.float32] | None, guided: bool, rows: int, window: int) -> _codes.Condition:
        """Text states, and the melody's chroma from where each window begins: what the model's own `generate` prepares."""
        import torch
        from transformers.modeling_outputs import BaseModelOutput

        model = self._model
        read = self._words([said], return_tensors="pt").to(model.device)
        with torch.inference_mode():
            states = model.text_encoder(**read).last_hidden_state
        both, mask = _with_nothing(states, guided, rows), _with_nothing(read.attention_mask, guided, rows)
        if not hasattr(model, "audio_enc_to_dec_proj"):
            return lambda _: {"encoder_outputs": BaseModelOutput(last_hidden_state=both), "attention_mask": mask}

        def told(begin: int) -> dict[str, Any]:
            nothing = torch.zeros(1, 1, model.config.num_chroma)
            nothing[..., 0] = 1
            chroma = nothing
            if melody is not None:
                chroma = _hearing.chroma(melody, begin * self.step, window, self.rate, model.config.num_chroma)
            heard = torch.cat([part.expand(rows, *chroma.shape[1:]) for part in ([chroma, nothing] if guided else [chroma])])
            heard = model.audio_enc_to_dec_proj(heard.to(model.device, states.dtype))
            length = model.config.chroma_length
            heard = heard.repeat(1, -(-length // heard.shape[1]), 1)[:, :length]
            text = model.enc_to_dec_proj(states) if hasattr(model, "enc_to_dec_proj") else states
            return {"encoder_hidden_states": torch.cat([heard, _with_nothing(text, guided, rows) * mask[..., None]], dim=1)}

        return told

    def parts(self) -> _codec.Parts:
        """The codec's decoder, taken apart."""
        return _codec.parts(self._codec)

    def decoded(self, codes: Any) -> Any:
        """Codes (1, codebooks of one side, frames) as samples (1, 1, samples)."""
        return self._codec.decode(codes[None], audio_scales=[None]).audio_values

    def encoded(self, samples: NDArray[np.float32]) -> NDArray[np.int64]:
        """Samples (channels, whole frames) as codes (codebooks, frames)."""
        return _hearing.encoded(lambda given: self._codec.encode(given).audio_codes[0], samples, self.device)


def _with_nothing(value: Any, guided: bool, rows: int) -> Any:
    """The same for every row, and with guidance as many rows of zeros below: what the model is told when it is told nothing."""
    import torch

    value = value.expand(rows, *value.shape[1:])
    return torch.cat([value, torch.zeros_like(value)]) if guided else value


def _model(card: ModelCard, options: _Options, kind: str, dtype: Any, device: Device) -> Component:
    """The whole model; its codec keeps float32, in which alone sound is sound."""
    folder = components.files_of(card)
    found = components.find_weights(card, folder, options.variant)
    codec = sum(
        prod(tensor.shape) * max(0, 4 - dtype.itemsize)
        for file in found.files
        for name, tensor in weights.tensors(file).items()
        if name.startswith("audio_encoder.")
    )

    def load(_: Report) -> Any:
        with components.in_words(card):
            from transformers.utils.logging import disable_progress_bar

            disable_progress_bar()
            base = components.class_of(card, "transformers", kind)
            with_codec: Any = type(kind, (base,), {"_keep_in_fp32_modules_strict": ["audio_encoder"]})
            model, info = with_codec.from_pretrained(
                found.folder,
                variant=found.variant,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
                dtype=dtype,
            )
            if info["missing_keys"]:
                raise ModelUnavailable(f"The weights of {card.name} are of another model than its configuration; fetch the model again.")
            return components.placed(model, device)

    return Component(components.key(card, found.files, "music", dtype), found.bytes(dtype) + codec, load)


def _tokenizer(card: ModelCard) -> Component:
    folder = components.files_of(card)
    files = [path for path in sorted(folder.iterdir()) if path.is_file() and ("tokenizer" in path.name or "spiece" in path.name)]

    def load(_: Report) -> Any:
        with components.in_words(card):
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)

    return Component(components.key(card, files, "words", "text"), sum(path.stat().st_size for path in files), load)


def _working_bytes(task: Task, config: Mapping[str, Any], options: _Options, itemsize: int) -> int:
    """Keys and values of every layer for the codes of a window and the words, twice with guidance; and one take's sound being decoded."""
    assert isinstance(task, Compose)
    decoder: Mapping[str, Any] = config.get("decoder", {})
    codec: Mapping[str, Any] = config.get("audio_encoder", {})
    rate = int(codec.get("sampling_rate", 32_000))
    hidden, layers = int(decoder.get("hidden_size", 1024)), int(decoder.get("num_hidden_layers", 24))
    seconds = min(task.duration or SECONDS, options.window)
    frames = seconds * rate / prod(codec.get("upsampling_ratios", [8, 5, 4, 4]))
    rows = task.count * (2 if sampling(task).guided else 1)
    cache = 2 * layers * hidden * (int(frames) + 2 * TEXT_TOKENS + int(config.get("chroma_length") or 0)) * rows * itemsize
    decoding = int(seconds * rate) * int(codec.get("num_filters", 64)) * 4 * 5
    whole = int((task.duration or SECONDS) * rate) * 2 * 4 * 3 * task.count
    return FIXED_BYTES + cache + decoding + whole
