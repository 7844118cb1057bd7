"""What lets the package audiocraft be imported for inference beside a torch and a transformers of today.

audiocraft 1.3.0 imports packages that only its training uses, or that have no build for the torch that is here. `stand_ins` puts small
modules in their places for as long as audiocraft is imported, and takes them away again: nothing else ever sees them. A package that can
be imported is never stood in for. Knows no model and no engine.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import sys
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any

_ONE_AT_A_TIME = threading.RLock()
NAMES = ("torchaudio", "xformers", "flashy", "librosa", "spacy", "num2words", "av")
"""Packages that audiocraft asks for at import."""


@contextmanager
def stand_ins() -> Generator[tuple[str, ...]]:
    """Import audiocraft inside; yields the names that were stood in for. What was half imported when something fails goes, too."""
    with _ONE_AT_A_TIME:
        _let_others_look()
        before = set(sys.modules)
        made = {name: module for name in NAMES if not _importable(name) for name, module in _modules(name).items()}
        if not all(map(_importable, ("dora", "hydra", "flashy", "torchmetrics"))):
            made |= _modules("audiocraft.solvers")
        hidden = {name: sys.modules[name] for name in made if name in sys.modules}
        sys.modules.update(made)
        try:
            yield tuple(sorted(made))
        except BaseException:
            for name in set(sys.modules) - before:
                if name.split(".")[0] == "audiocraft":
                    del sys.modules[name]
            raise
        finally:
            for name, module in made.items():
                if sys.modules.get(name) is module:
                    del sys.modules[name]
            sys.modules.update(hidden)


def imported() -> ModuleType:
    """The package `audiocraft.models`, imported. Raises ImportError where audiocraft itself, or what it really uses, is missing."""
    with _ONE_AT_A_TIME:
        if "audiocraft.models" in sys.modules:
            return sys.modules["audiocraft.models"]
        with stand_ins() as names:
            models = importlib.import_module("audiocraft.models")
        if "xformers" in names:
            _without_late_imports()
        return models


def _let_others_look() -> None:
    """Libraries that remember which packages are there find out now, not while a stand-in is in place."""
    import transformers.utils.import_utils as known

    with suppress(ImportError):
        importlib.import_module("diffusers.utils.import_utils")
    for name in ("torchaudio", "librosa", "av", "spacy", "xformers"):
        look: Callable[[], bool] | None = getattr(known, f"is_{name}_available", None)
        if look is not None:
            look()


def _importable(name: str) -> bool:
    """Whether the package is here and works. One that is broken leaves no halves behind."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:  # a folder that an uninstalled package left behind is found, too, and holds nothing
        return False
    before = set(sys.modules)
    try:
        importlib.import_module(name)
    except Exception:  # noqa: BLE001 (a broken package fails in any way it likes; what matters is that it cannot be used)
        for half in set(sys.modules) - before:
            if half.split(".")[0] == name:
                del sys.modules[half]
        return False
    return True


def _modules(name: str) -> dict[str, ModuleType]:
    made = _MAKERS[name]()
    for full, module in made.items():
        parent, _, child = full.rpartition(".")
        if parent in made:
            setattr(made[parent], child, module)
    return made


def _module(name: str, **values: Any) -> ModuleType:
    module = ModuleType(name, "Stands in while audiocraft is imported.")
    module.__spec__ = importlib.machinery.ModuleSpec(name, None, is_package=True)
    module.__path__ = []
    module.__dict__.update(values)
    return module


def _torchaudio() -> dict[str, ModuleType]:
    """Spectrograms, for chroma."""
    torch: Any = importlib.import_module("torch")
    base: type[Any] = torch.nn.Module

    class Spectrogram(base):
        """Power spectra of Hann windows, normalised by the window's energy where asked."""

        def __init__(self, n_fft: int = 400, win_length: int | None = None, hop_length: int | None = None, **options: Any) -> None:
            base.__init__(self)
            self.sizes = n_fft, hop_length or (win_length or n_fft) // 2, win_length or n_fft
            self.power, self.normalized = options.get("power", 2.0), options.get("normalized", False)
            self.center = options.get("center", True)
            self.register_buffer("window", torch.hann_window(self.sizes[2]))

        def forward(self, waves: Any) -> Any:
            flat = waves.reshape(-1, waves.shape[-1])
            spectrum = torch.stft(flat, *self.sizes, self.window, center=self.center, pad_mode="reflect", return_complex=True)
            if self.normalized:
                spectrum = spectrum / self.window.square().sum().sqrt()
            spectrum = spectrum.reshape(*waves.shape[:-1], *spectrum.shape[-2:])
            return spectrum if self.power is None else spectrum.abs() ** self.power

    transforms = _module("torchaudio.transforms", Spectrogram=Spectrogram)
    return {"torchaudio": _module("torchaudio"), "torchaudio.transforms": transforms}


def _xformers() -> dict[str, ModuleType]:
    """Attention by torch's own."""
    torch: Any = importlib.import_module("torch")

    class LowerTriangularMask:
        """Says that nothing hears what comes after it."""

    def attention(query: Any, key: Any, value: Any, attn_bias: Any = None, p: float = 0.0) -> Any:
        """(batch, time, heads, channels) each."""
        causal = isinstance(attn_bias, LowerTriangularMask)
        turned = (part.transpose(1, 2) for part in (query, key, value))
        mask = None if causal else attn_bias
        return torch.nn.functional.scaled_dot_product_attention(*turned, attn_mask=mask, dropout_p=p, is_causal=causal).transpose(1, 2)

    ops = _module("xformers.ops", unbind=torch.unbind, LowerTriangularMask=LowerTriangularMask, memory_efficient_attention=attention)
    return {"xformers": _module("xformers"), "xformers.ops": ops}


def _flashy() -> dict[str, ModuleType]:
    """One process among one; nothing is written."""

    def alone(*_: Any, **__: Any) -> None:
        return None

    def same(value: object, **_: object) -> object:
        return value

    distrib = _module(
        "flashy.distrib",
        rank=lambda: 0,
        world_size=lambda: 1,
        is_rank_zero=lambda: True,
        is_distributed=lambda: False,
        barrier=alone,
        broadcast_tensors=alone,
        broadcast_object=same,
    )
    return {"flashy": _module("flashy"), "flashy.distrib": distrib, "flashy.utils": _module("flashy.utils", write_and_rename=alone)}


def _librosa() -> dict[str, ModuleType]:
    """The chroma filters, of which transformers has a port."""
    import numpy as np

    def chroma(*, sr: int, n_fft: int, n_chroma: int = 12, tuning: float = 0.0) -> Any:
        from transformers.audio_utils import chroma_filter_bank

        bank = chroma_filter_bank(num_frequency_bins=n_fft, num_chroma=n_chroma, sampling_rate=sr, tuning=tuning)
        return np.ascontiguousarray(bank, dtype=np.float32)

    return {"librosa": _module("librosa"), "librosa.filters": _module("librosa.filters", chroma=chroma)}


def _spacy() -> dict[str, ModuleType]:
    """Words and marks, for the models without weights that audiocraft tests itself with."""
    import re
    from types import SimpleNamespace

    def load(_: str) -> Callable[[str], list[Any]]:
        return lambda text: [SimpleNamespace(text=w, lemma_=w.lower(), is_stop=False) for w in re.findall(r"\w+|[^\w\s]", text)]

    return {"spacy": _module("spacy", load=load)}


def _num2words() -> dict[str, ModuleType]:
    return {"num2words": _module("num2words", num2words=str)}


def _av() -> dict[str, ModuleType]:
    """The studio reads sound by itself."""

    def closed(*_: Any, **__: Any) -> None:
        raise RuntimeError("PyAV is not installed")

    return {"av": _module("av", open=closed)}


def _solvers() -> dict[str, ModuleType]:
    """One method of the training code, which another decoder asks for."""

    class CompressionSolver:
        """Finds a codec by its name."""

        @staticmethod
        def model_from_checkpoint(name: str, device: str = "cpu") -> Any:
            models: Any = importlib.import_module("audiocraft.models.encodec")
            return models.CompressionModel.get_pretrained(name, device=device)

    compression = _module("audiocraft.solvers.compression", CompressionSolver=CompressionSolver)
    return {"audiocraft.solvers": _module("audiocraft.solvers"), "audiocraft.solvers.compression": compression}


_MAKERS: dict[str, Callable[[], dict[str, ModuleType]]] = {
    "torchaudio": _torchaudio,
    "xformers": _xformers,
    "flashy": _flashy,
    "librosa": _librosa,
    "spacy": _spacy,
    "num2words": _num2words,
    "av": _av,
    "audiocraft.solvers": _solvers,
}


def _without_late_imports() -> None:
    """audiocraft's attention imports xformers again while it runs, when no stand-in is there: it is given what it held from the start."""
    transformer: Any = importlib.import_module("audiocraft.modules.transformer")
    attention = transformer.StreamingMultiheadAttention
    usual, causal = attention._get_mask, transformer.ops.LowerTriangularMask  # noqa: SLF001 (there is no public way)

    def get_mask(self: Any, current_steps: int, device: Any, dtype: Any) -> Any:
        if not self.memory_efficient:
            return usual(self, current_steps, device, dtype)
        if current_steps > 1 and "past_keys" in self._streaming_state:
            raise RuntimeError("a prompt comes first or not at all")
        return None if current_steps == 1 else causal()

    attention._get_mask = get_mask  # noqa: SLF001
    transformer._verify_xformers_memory_efficient_compat = lambda: None  # noqa: SLF001
