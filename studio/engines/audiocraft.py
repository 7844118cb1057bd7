"""Models of the package audiocraft: MusicGen, AudioGen (sound effects) and MAGNeT. The package is optional; `make audiocraft` brings it.

A model's folder holds what `python -m studio.audiocraft_weights` makes of its makers' files. What is done with codes is _composing.py's
matter, so that these play while they are made, too. Knows no manager, no download and no page.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from studio import audiocraft_stand_ins, components
from studio.creations import Preview, Progress, Report, Sound, Take
from studio.device import Device, threads
from studio.engines import _codec, _codes, _hearing
from studio.engines._composing import SECONDS, Composer, finished, seed_of
from studio.errors import ModelUnavailable
from studio.manager import Component, Pipeline, Recipe
from studio.models import ModelCard
from studio.tasks import Compose, Task

CARDS = components.cards("audiocraft")

FIXED_BYTES = 500_000_000
SECOND_BYTES = 45_000_000
"""Working memory for a second of sound: a codec's widest layer, and a large model's keys and values for two rows."""


class _Options(BaseModel):
    """`ModelCard.options` of this engine: which class of audiocraft it is; `debug` takes audiocraft's own tiny model without weights."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: Literal["MusicGen", "AudioGen", "MAGNeT"]
    debug: bool = False
    window: float = Field(default=30, gt=0)
    stride: float = Field(default=18, gt=0)
    decoding_steps: tuple[int, ...] = (20, 10, 10, 10)


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The model with its codec, and the pipeline over it. Raises ModelUnavailable where the package or the files are missing."""
    assert isinstance(task, Compose)
    if importlib.util.find_spec("audiocraft") is None:
        raise ModelUnavailable(f"{card.name} needs the package audiocraft, which is not installed: run make audiocraft, then try again.")
    options = components.options(card, _Options, "audiocraft")
    folder = components.files_of(card)
    files = sorted(path for path in folder.rglob("*.safetensors")) if folder.is_dir() else []
    if not files and not options.debug:
        raise ModelUnavailable(f"The folder of {card.name} holds no weights: make it with python -m studio.audiocraft_weights.")

    def load(_: Report) -> Any:
        import torch

        with components.in_words(card), torch.random.fork_rng([]):  # audiocraft draws the weights that it then reads
            return _debug(options, device) if options.debug else _loaded(card, folder, options, device)

    def build(values: Mapping[str, Any]) -> Pipeline:
        model = values["model"]
        if options.kind == "MAGNeT":
            return lambda task, report: _magnet(model, options, task, report)
        return Composer(_Instrument(model), card, options.window, options.stride).takes

    size = sum(path.stat().st_size for path in files) or 1_000_000
    return Recipe({"model": Component(components.key(card, files or [folder], options.kind, "own"), size, load)}, build, _working_bytes)


class _Instrument:
    """A loaded MusicGen or AudioGen of audiocraft."""

    def __init__(self, model: Any) -> None:
        self._model, self._lm, codec = model, model.lm, model.compression_model
        self.stereo = type(codec).__name__ == "InterleaveStereoCompressionModel"
        self._codec = codec.model if self.stereo else codec
        self.rate, self.step = int(codec.sample_rate), round(codec.sample_rate / codec.frame_rate)
        self.books, self.choices, self.empty = self._lm.num_codebooks, self._lm.card, self._lm.special_token_id
        self.delays = [int(delay) for delay in self._lm.pattern_provider.delays]
        self.device, self.dtype = model.device, str(next(self._lm.parameters()).dtype).removeprefix("torch.")
        _attention("torch")

    def forward(self, ids: Any, cache: Any, told: Any) -> tuple[Any, Any]:
        """See `_codes.Writer`. audiocraft's models hold their cache themselves, while they are streaming."""
        if cache is None:
            self._lm.reset_streaming()
            self._lm._set_streaming(True)  # noqa: SLF001 (its context manager would end with each column)
        rows = ids.reshape(-1, self.books, ids.shape[-1])
        with self._model.autocast:
            logits = self._lm(rows, conditions=[], condition_tensors=told)  # (rows, codebooks, columns, choices)
        return logits[:, :, -1].flatten(0, 1), True

    def rest(self) -> None:
        """The cache goes."""
        self._lm._set_streaming(False)  # noqa: SLF001
        self._lm.reset_streaming()

    def condition(self, said: str, melody: NDArray[np.float32] | None, guided: bool, rows: int, window: int) -> _codes.Condition:
        """Text states; no model of this engine hears melodies."""
        import torch

        conditioners: Any = importlib.import_module("audiocraft.modules.conditioners")
        told, _ = self._model._prepare_tokens_and_attributes([said] * rows, None)  # noqa: SLF001
        if guided:
            told = told + conditioners.ClassifierFreeGuidanceDropout(p=1.0)(told)
        provider = self._lm.condition_provider
        with torch.inference_mode(), self._model.autocast:
            tensors = provider(provider.tokenize(told))
        return lambda _: tensors

    def parts(self) -> _codec.Parts:
        """The codec's decoder, taken apart: transformers' model in a wrapper, or audiocraft's own."""
        codec = self._codec
        if type(codec).__name__ == "HFEncodecCompressionModel":
            return _codec.parts(codec.model)
        first, *rest = codec.decoder.model
        lstm = rest.pop(0).lstm if hasattr(rest[0], "lstm") else None
        return _codec.Parts(codec.quantizer.decode, first, lstm, rest, self.step, codec.channels)

    def decoded(self, codes: Any) -> Any:
        """Codes (1, codebooks of one side, frames) as samples (1, 1, samples)."""
        return self._codec.decode(codes, None)

    def encoded(self, samples: NDArray[np.float32]) -> NDArray[np.int64]:
        """Samples (channels, whole frames) as codes (codebooks, frames)."""
        return _hearing.encoded(lambda given: self._codec.encode(given)[0], samples, self.device)


def _magnet(model: Any, options: _Options, task: Task, report: Report) -> Iterator[Take]:
    """Takes one after another: MAGNeT writes all of a take at once, in ever finer strokes, so that nothing of it is whole before its end.

    It draws from torch's own numbers, which are given back as they were.
    """
    import torch

    assert isinstance(task, Compose)
    _attention("xformers")
    model.set_generation_params(
        temperature=task.temperature if task.temperature is not None else 3.0,
        top_k=task.top_k or 0,
        top_p=task.top_p if task.top_p is not None else 0.9,
        max_cfg_coef=task.guidance_scale if task.guidance_scale is not None else 10.0,
        decoding_steps=list(options.decoding_steps),
    )
    for item in range(task.count):
        seed = seed_of(task, item)

        def told(event: Progress | Preview, item: int = item) -> None:
            report(replace(event, item=item + 1, items=task.count) if isinstance(event, Progress) else event)

        told(Progress("running", 0, sum(options.decoding_steps)))
        model.set_custom_progress_callback(lambda done, total, told=told: told(Progress("running", done, total)))
        devices = [model.device] if model.device.type == "cuda" else []
        with torch.random.fork_rng(devices), components.memory_in_words("MAGNeT needs more memory than is free: unload another model."):
            torch.manual_seed(seed)
            samples = model.generate([task.prompt], progress=True)[0]
        sound = Sound(samples.float().clamp(-1, 1).cpu().numpy(), int(model.sample_rate))
        sound, facts = finished(sound, task, "end", told)
        yield Take(sound, seed, "end", {"decoding_steps": list(options.decoding_steps), **facts})


def _debug(options: _Options, device: Device) -> Any:
    """audiocraft's model for its own tests: its real classes at a tiny size, with random weights that are the same each time."""
    import torch

    models: Any = audiocraft_stand_ins.imported()
    torch.manual_seed(0)
    model = getattr(models, options.kind).get_pretrained("debug", device=device.place)
    for layer in model.compression_model.quantizer.vq.layers:
        layer._codebook.embed.normal_()  # noqa: SLF001
    return _ready(model)


def _loaded(card: ModelCard, folder: Path, options: _Options, device: Device) -> Any:
    """The model in a folder of `studio.audiocraft_weights`."""
    models: Any = audiocraft_stand_ins.imported()
    builders: Any = importlib.import_module("audiocraft.models.builders")
    from omegaconf import OmegaConf
    from safetensors.torch import load_file

    known = components.read_json(card, folder / "audiocraft.json")
    # 1. The codec: the checkpoint's own, or transformers' model beside it.
    if "codec" in known:
        settings: Any = OmegaConf.create(known["codec"] | {"device": device.place})
        codec = builders.get_compression_model(settings)
        codec.load_state_dict(load_file(folder / "compression_state_dict.safetensors"))
    else:
        transformers: Any = importlib.import_module("transformers")
        found = transformers.EncodecModel.from_pretrained(folder / "encodec", use_safetensors=True, local_files_only=True)
        codec = importlib.import_module("audiocraft.models.encodec").HFEncodecCompressionModel(found).to(device.place)
    # 2. The language model, whose text encoder lies in the same folder.
    settings = OmegaConf.create(known["lm"] | {"device": device.place, "dtype": "float32" if device.kind == "cpu" else "float16"})
    _read_text_from(card, folder / "t5", settings.conditioners)
    if options.kind == "MAGNeT":
        lm = settings.transformer_lm
        lm.compression_model_framerate, lm.segment_duration = int(codec.frame_rate), settings.dataset.segment_duration
        lm.span_len = settings.masking.span_len
        _attention("xformers")
    language = builders.get_lm_model(settings)
    language.load_state_dict(load_file(folder / "state_dict.safetensors"))
    language.cfg = settings
    return _ready(getattr(models, options.kind)(name=card.name, compression_model=codec.eval(), lm=language.eval()))


def _read_text_from(card: ModelCard, folder: Path, settings: Any) -> None:
    """Text encoders are known to audiocraft by their names on the Hub: this one by its folder."""
    conditioner: Any = importlib.import_module("audiocraft.modules.conditioners").T5Conditioner
    conditioner.MODELS_DIMS[str(folder)] = int(components.read_json(card, folder / "config.json")["d_model"])
    if str(folder) not in conditioner.MODELS:
        conditioner.MODELS.append(str(folder))
    settings.description.t5.name = str(folder)
    for unused in ("merge_text_conditions_p", "drop_desc_p"):  # settings of its training, which its builder refuses
        settings.get("args", {}).pop(unused, None)


def _ready(model: Any) -> Any:
    """Ready to be used and never trained."""
    import torch

    if model.device.type == "cpu" and torch.get_num_threads() > threads():
        torch.set_num_threads(threads())
    for part in (model.lm, model.compression_model):
        part.eval().requires_grad_(False)
    return model


def _attention(backend: Literal["torch", "xformers"]) -> None:
    """audiocraft keeps this for all models at once; MAGNeT needs its masks, which only the one way has."""
    transformer: Any = importlib.import_module("audiocraft.modules.transformer")
    transformer.set_efficient_attention_backend(backend)


def _working_bytes(task: Task) -> int:
    assert isinstance(task, Compose)
    return FIXED_BYTES + int(SECOND_BYTES * min(task.duration or SECONDS, 30) * max(1, task.count / 2))
