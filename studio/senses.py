"""Pictures and sounds as vectors in one space with words, so that a search finds what is seen or heard: CLIP and CLAP, on the CPU.

Radford et al., "Learning transferable visual models from natural language supervision" (2021), as trained by LAION; Wu et al.,
"Large-scale contrastive language-audio pretraining" (2023). Knows where the models lie; knows no index, no page and no queue.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from studio import components, sources
from studio.creations import Report
from studio.errors import MediaUnreadable, ModelUnavailable, StudioError
from studio.models import Hub, ModelCard
from studio.sources import Places
from studio.thumbs import PICTURES, SOUNDS

Medium = Literal["picture", "sound"]
Vectors = NDArray[np.float32]

_FILES = ("*.json", "merges.txt", "model.safetensors")

SIGHT = ModelCard(
    name="CLIP ViT-B/32 (LAION-2B)",
    engine="senses",
    serves=("search",),
    source=Hub(repo="laion/CLIP-ViT-B-32-laion2B-s34B-b79K", allow=_FILES),
    licence="MIT",
    commercial=True,
    gated=False,
    summary="Finds pictures by what is seen in them; English. Its makers call uses that nobody tested out of scope.",
    data="LAION-2B, the English part of LAION-5B: pictures of the web with their captions",
    params=0.151,
    download_gb=0.61,
    memory_gb=0.7,
    languages=("en",),
    unverified=("gated", "params", "memory_gb", "download_gb"),
    url="https://huggingface.co/laion/CLIP-ViT-B-32-laion2B-s34B-b79K",
)
HEARING = ModelCard(
    name="CLAP (audio-text)",
    engine="senses",
    serves=("search",),
    source=Hub(repo="laion/clap-htsat-unfused", allow=_FILES),
    licence="Apache-2.0",
    commercial=True,
    gated=False,
    summary="Finds sounds by what is heard in them; English.",
    memory_gb=0.8,
    languages=("en",),
    unverified=("gated", "memory_gb"),
    url="https://huggingface.co/laion/clap-htsat-unfused",
)

LEAST = 0.2
"""Cosine below which a picture or a sound has nothing to do with words. LAION kept pairs from 0.28 on for whole captions (ViT-B/32);
a few words lie lower. Not measured here."""
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
"""Of the pictures that CLIP was trained on, a channel each."""
HEARD, WINDOWS = 60.0, 3
"""Seconds of a sound that are listened to, from its beginning, and how many windows of ten seconds of them."""
BATCH = 8
"""Works that go through a model at once."""


def here(card: ModelCard, places: Places) -> bool:
    """Whether the model is on this machine, whole."""
    return sources.ready(card, places) is not None


def fetch(card: ModelCard, places: Places, report: Report, *, force: bool = False) -> None:
    """Bring the model here, verified; errors as for `sources.fetch`."""
    sources.fetch(card.source, places, report, force=force)


@dataclass(frozen=True)
class _Loaded:
    """Words (texts) and works (files) to vectors of length 1; a file that cannot be read to zeros."""

    words: Callable[[Sequence[str]], Vectors]
    works: Callable[[Sequence[Path]], Vectors]


class Sense:
    """One model that sees or hears. Loaded at its first call and kept until `unload`; thread-safe.

    Raises ModelUnavailable where the model is not here, or is another than its card says.
    """

    def __init__(self, card: ModelCard, medium: Medium, places: Places) -> None:
        self.card, self.medium = card, medium
        self._places = places
        self._loaded: _Loaded | None = None
        self._lock = threading.Lock()

    @property
    def loaded(self) -> bool:
        """Whether a call answers without loading first."""
        return self._loaded is not None

    @property
    def here(self) -> bool:
        """Whether the model is on this machine, whole."""
        return here(self.card, self._places)

    def words(self, texts: Sequence[str]) -> Vectors:
        """(n texts) -> (n, width)."""
        with self._lock:
            return self._model().words(texts)

    def works(self, files: Sequence[Path]) -> Vectors:
        """(n files) -> (n, width); zeros for what cannot be read."""
        with self._lock:
            model = self._model()
            return np.concatenate([model.works(files[at : at + BATCH]) for at in range(0, len(files), BATCH)])

    def unload(self) -> None:
        """Give its memory back; the next call loads it again."""
        with self._lock:
            self._loaded = None

    def _model(self) -> _Loaded:
        if self._loaded is None:
            card = sources.ready(self.card, self._places)
            if card is None:
                raise ModelUnavailable(f"{self.card.name} is not on this machine yet: fetch it in the Library, under Search by meaning.")
            self._loaded = (_sight if self.medium == "picture" else _hearing)(card, components.files_of(card))
        return self._loaded


def _sight(card: ModelCard, folder: Path) -> _Loaded:
    model, words = _parts(card, folder, "CLIPModel", "clip")
    side = int(model.config.vision_config.image_size)
    longest = int(model.config.text_config.max_position_embeddings)
    width = int(model.config.projection_dim)

    def seen(files: Sequence[Path]) -> Vectors:
        return _each(files, width, lambda file: _looked(file, side), model.get_image_features)

    return _Loaded(lambda texts: _said(model, words, texts, longest), seen)


def _hearing(card: ModelCard, folder: Path) -> _Loaded:
    model, words = _parts(card, folder, "ClapModel", "clap")
    longest = int(model.config.text_config.max_position_embeddings) - 2  # its positions begin behind the one for padding
    width = int(model.config.projection_dim)
    with components.in_words(card):
        ears: Any = components.class_of(card, "transformers", "ClapFeatureExtractor").from_pretrained(folder, local_files_only=True)
    rate, length = int(ears.sampling_rate), int(ears.nb_max_samples)

    def listened(file: Path) -> NDArray[np.float32]:
        parts = _windows(file, rate, length)
        given = ears(list(parts), sampling_rate=rate, truncation="rand_trunc", padding="repeatpad")  # none is longer: nothing is drawn
        return np.asarray(given["input_features"], np.float32)

    def heard(files: Sequence[Path]) -> Vectors:
        return _each(files, width, listened, model.get_audio_features)

    return _Loaded(lambda texts: _said(model, words, texts, longest), heard)


def _parts(card: ModelCard, folder: Path, kind: str, named: str) -> tuple[Any, Any]:
    """The model in float32 and its tokenizer."""
    import torch

    if components.read_json(card, folder / "config.json").get("model_type") != named:
        raise ModelUnavailable(f"{card.name} is no model that this search can use: fetch it again.")
    components.find_weights(card, folder)  # refuses what could run code
    with components.in_words(card):
        model: Any = components.class_of(card, "transformers", kind).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=torch.float32
        )
        tokenizer: Any = components.class_of(card, "transformers", "AutoTokenizer")
        words: Any = tokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    return model.eval(), words


def _said(model: Any, words: Any, texts: Sequence[str], longest: int) -> Vectors:
    import torch

    read = words(list(texts), padding=True, truncation=True, max_length=longest, return_tensors="pt")
    with torch.inference_mode():
        return _even(model.get_text_features(input_ids=read["input_ids"], attention_mask=read["attention_mask"]))


def _each(files: Sequence[Path], width: int, given: Callable[[Path], NDArray[np.float32]], made: Callable[[Any], Any]) -> Vectors:
    """A vector for each file: the mean of those of its parts; zeros for one that cannot be read."""
    import torch

    library: Any = torch  # its types are partly unknown
    found = np.zeros((len(files), width), np.float32)
    for place, file in enumerate(files):
        try:
            parts = given(file)
        except (StudioError, OSError, ValueError, SyntaxError, EOFError):
            continue
        with torch.inference_mode():
            mean = _even(made(library.from_numpy(parts))).mean(0)
        found[place] = mean / max(float(np.linalg.norm(mean)), 1e-12)
    return found


def _even(answer: Any) -> Vectors:
    """What a model answers, each vector at length 1."""
    import torch

    return torch.nn.functional.normalize(getattr(answer, "pooler_output", answer).float(), dim=-1).cpu().numpy()


def _looked(file: Path, side: int) -> NDArray[np.float32]:
    """(1, 3, side, side): the middle square of a picture on white, in the numbers that CLIP was trained on."""
    from PIL import Image

    if file.suffix not in PICTURES:
        raise MediaUnreadable("This is no picture that can be read here.")
    try:
        with Image.open(file, formats=["PNG", "JPEG", "WEBP"]) as opened:
            opened.draft("RGB", (2 * side, 2 * side))
            picture = opened.convert("RGBA")
    except Image.DecompressionBombError:
        raise MediaUnreadable("This picture is too large to be looked at.") from None
    flat = Image.new("RGBA", picture.size, "white")
    flat.alpha_composite(picture)
    scale = side / min(flat.size)
    wide, high = (max(side, int(length * scale + 1e-6)) for length in flat.size)
    small = flat.convert("RGB").resize((wide, high), Image.Resampling.BICUBIC, reducing_gap=3)
    left, top = (wide - side) // 2, (high - side) // 2
    values = np.asarray(small.crop((left, top, left + side, top + side)), np.float32) / 255
    even = (values - np.array(MEAN, np.float32)) / np.array(DEVIATION, np.float32)
    return np.ascontiguousarray(even.transpose(2, 0, 1)[None], np.float32)


def _windows(file: Path, rate: int, length: int) -> list[NDArray[np.float32]]:
    """Windows of at most `length` samples, spread over the beginning of a sound."""
    from studio.music import apart, files  # brings a sound library, which the first page does without

    if file.suffix not in SOUNDS:
        raise MediaUnreadable("This is no sound that can be read here.")
    (samples,) = files.resampled(files.mono(apart.read(file, HEARD, beginning=True)), rate).samples
    if len(samples) <= length:
        return [samples]
    count = min(WINDOWS, -(-len(samples) // length))
    return [samples[at : at + length] for at in np.linspace(0, len(samples) - length, count).astype(int).tolist()]
