"""What texts mean, as unit vectors: the writer's hidden states, for words that no name, keyword or spelling explains.

Layer 20 of the small writer reads "A picture of ..."; standardised in every dimension over the library's own captions, because its raw
states are all alike (mean cosine 0.83 between unrelated captions). It knows no scene and no icon; `features.npz` holds the captions.
"""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.creations import Preview, Progress, Report
from studio.device import Device
from studio.errors import ModelUnavailable

LAYERS = 20
PREFIX = "A picture of "
PREFIX_TOKENS = 3
MOST_TOKENS = 24
Floats = NDArray[np.float32]


def silent(_: Progress | Preview) -> None:
    """A report that nobody hears."""


@dataclass(frozen=True)
class Features:
    """The captions' vectors and how a text gets one.

    `vectors` (n, d) float32 of length 1; `mean` and `deviation` (h,) of the hidden states; `projection` (h, d).
    """

    captions: tuple[str, ...]
    vectors: Floats
    mean: Floats
    deviation: Floats
    projection: Floats

    @classmethod
    def open(cls, file: Path) -> Features:
        """Reads what `save` wrote. Raises ModelUnavailable when it is missing or damaged."""
        try:
            with np.load(file, allow_pickle=False) as data:
                captions = bytes(data["captions"]).decode("utf-8").split("\n")
                vectors = unit(data["vectors"].astype(np.float32))
                rest = [data[name].astype(np.float32) for name in ("mean", "deviation", "projection")]
        except (OSError, KeyError, ValueError) as error:
            raise ModelUnavailable("The words of the icon library are missing or damaged: fetch the studio's assets again.") from error
        return cls(tuple(captions), vectors, *rest)

    def save(self, file: Path) -> None:
        """Writes vectors as int8 and the rest as float16: about 0.25 kB a caption."""
        scale = 127 / np.abs(self.vectors).max(-1, keepdims=True)
        np.savez_compressed(
            file,
            captions=np.frombuffer("\n".join(self.captions).encode("utf-8"), np.uint8),
            vectors=np.round(self.vectors * scale).astype(np.int8),
            mean=self.mean.astype(np.float16),
            deviation=self.deviation.astype(np.float16),
            projection=self.projection.astype(np.float16),
        )

    def vector(self, states: Floats) -> Floats:
        """Hidden states (tokens, h) of one text -> its unit vector (d,)."""
        return unit(unit(((states - self.mean) / self.deviation).mean(0)) @ self.projection)


class Encoder:
    """The writer's first 20 layers and the library's features; about 0.2 GB in bfloat16, 0.45 GB in float32."""

    def __init__(self, reader: Reader, features: Features) -> None:
        self._reader = reader
        self._features = features

    @classmethod
    def load(cls, gguf: Path, features: Path, report: Report = silent) -> Encoder:
        """Loads the writer's weights from `gguf` (SmolLM2-135M-Instruct) and the library's `features`; see Reader.load for `report`."""
        return cls(Reader.load(gguf, report=report), Features.open(features))

    def encode(self, text: str) -> Floats:
        """`text` as a unit vector (d,) float32."""
        return self._features.vector(self._reader.states([text])[0])

    def nearest(self, text: str, k: int) -> list[tuple[str, float]]:
        """The `k` captions nearest to `text` with their cosines, the nearest first."""
        cosines = self._features.vectors @ self.encode(text)
        order = np.argsort(-cosines, kind="stable")[:k]
        return [(self._features.captions[i], float(cosines[i])) for i in order]


class Reader:
    """The truncated writer: texts to hidden states."""

    def __init__(self, model: Any, tokenizer: Any) -> None:  # transformers has no useful types here
        self._model = model
        self._tokenizer = tokenizer

    @classmethod
    def load(cls, gguf: Path, exact: bool = False, report: Report = silent) -> Reader:
        """The first 20 layers without the last norm: in bfloat16 where the CPU has it, else, and where `exact`, in float32.

        Unpacking them takes half a minute, so they are kept unpacked beside `gguf`, where that folder can be written. `report` is told
        what goes on; it may raise Cancelled.
        """
        import torch
        from transformers import AutoModel, AutoTokenizer

        dtype = torch.float32 if exact else Device("cpu").dtype
        kept = unpacked(gguf, str(dtype).removeprefix("torch."))
        if not kept.is_dir():
            with tempfile.TemporaryDirectory(prefix="unpacking-") as spare:
                _unpack(gguf, Path(spare), dtype, report)
                model, tokenizer = AutoModel.from_pretrained(spare, dtype=dtype), AutoTokenizer.from_pretrained(spare)
                _keep(Path(spare), kept)
        else:
            report(Progress("loading", note="the writer's sense of words"))
            model, tokenizer = AutoModel.from_pretrained(kept, dtype=dtype), AutoTokenizer.from_pretrained(kept)
        tokenizer.pad_token, tokenizer.padding_side = tokenizer.eos_token, "right"
        model.norm = torch.nn.Identity()
        return cls(model.eval(), tokenizer)

    def states(self, texts: Sequence[str]) -> list[Floats]:
        """Hidden states (tokens, 576) float32 after layer 20 for each text, without those of the prefix."""
        import torch

        limit = MOST_TOKENS + PREFIX_TOKENS
        asked = [PREFIX + text for text in texts]
        batch = self._tokenizer(asked, padding=True, truncation=True, max_length=limit, return_tensors="pt")
        with torch.inference_mode():
            hidden = self._model(**batch, use_cache=False).last_hidden_state.float().numpy()
        lengths = batch["attention_mask"].sum(1).tolist()
        return [hidden[i, PREFIX_TOKENS : max(length, PREFIX_TOKENS + 1)] for i, length in enumerate(lengths)]


def unpacked(gguf: Path, dtype: str) -> Path:
    """The folder that keeps the first layers of exactly this file in `dtype`."""
    about = gguf.stat()
    return gguf.parent / f"{gguf.stem}-{LAYERS}-{dtype}-{about.st_size}-{about.st_mtime_ns}"


def _unpack(gguf: Path, folder: Path, dtype: Any, report: Report) -> None:
    """Tokenizer, configuration and the first layers, as safetensors, into `folder`."""
    from transformers import AutoModel, AutoTokenizer, GgufConfig

    note = "unpacking the writer's sense of words, once on this machine"
    report(Progress("loading", 0, 3, note=note))
    AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name).save_pretrained(folder)
    report(Progress("loading", 1, 3, note=note))
    dense = {"quantization_config": GgufConfig(dequantize=True)}  # packed weights can be neither cut nor saved
    model = AutoModel.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=dtype, **dense)
    model.layers, model.config.num_hidden_layers = model.layers[:LAYERS], LAYERS
    if getattr(model.config, "layer_types", None):
        model.config.layer_types = model.config.layer_types[:LAYERS]
    report(Progress("loading", 2, 3, note=note))
    model.save_pretrained(folder)


def _keep(folder: Path, kept: Path) -> None:
    """Copies the folder to where it is kept, whole or not at all; a cache that cannot be written stays as it is."""
    making = kept.with_name(f"{kept.name}-{secrets.token_hex(4)}")
    try:
        shutil.copytree(folder, making)
        making.rename(kept)
    except OSError:
        shutil.rmtree(making, ignore_errors=True)


def unit(vectors: Floats) -> Floats:
    """Vectors scaled to length 1 along the last axis."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
