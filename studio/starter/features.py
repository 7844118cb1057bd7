"""What texts mean, as unit vectors: the writer's hidden states, for words that no name, keyword or spelling explains.

Layer 20 of the small writer reads "A picture of ..."; standardised in every dimension over the library's own captions, because its raw
states are all alike (mean cosine 0.83 between unrelated captions). It knows no scene and no icon; `features.npz` holds the captions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio.device import Device
from studio.errors import ModelUnavailable

LAYERS = 20
PREFIX = "A picture of "
PREFIX_TOKENS = 3
MOST_TOKENS = 24
Floats = NDArray[np.float32]


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
    def load(cls, gguf: Path, features: Path) -> Encoder:
        """Loads the writer's weights from `gguf` (SmolLM2-135M-Instruct) and the library's `features`."""
        return cls(Reader.load(gguf), Features.open(features))

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
    def load(cls, gguf: Path, exact: bool = False) -> Reader:
        """The first 20 layers without the last norm: in bfloat16 where the CPU has it, else, and where `exact`, in float32."""
        import torch
        from transformers import AutoModel, AutoTokenizer

        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
        tokenizer.pad_token, tokenizer.padding_side = tokenizer.eos_token, "right"
        model = AutoModel.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32 if exact else Device("cpu").dtype)
        model.layers = model.layers[:LAYERS]
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


def unit(vectors: Floats) -> Floats:
    """Vectors scaled to length 1 along the last axis."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
