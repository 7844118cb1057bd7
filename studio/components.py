"""What engines share: cards from presets, weights that become one resident component, and failures of libraries put into words.

Knows no task and no pipeline; which parts a model has, and what is done with them, is an engine's matter. Nothing is ever downloaded
here, weights are safetensors alone, and no code of a model is run.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import tomllib
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from studio import converted, weights
from studio.creations import Report
from studio.device import Device, threads
from studio.errors import ModelUnavailable, ModelUnsafe, NotEnoughMemory
from studio.manager import Component
from studio.models import Hub, ModelCard
from studio.shortage import ran_out

Options = TypeVar("Options", bound=BaseModel)
PRESETS = Path(__file__).resolve().parents[1] / "presets" / "models"
STEMS = ("diffusion_pytorch_model", "model")
_FORMATS = {"torch.float16": "F16", "torch.bfloat16": "BF16", "torch.float32": "F32"}


@dataclass(frozen=True)
class Weights:
    """The weight files of one module in `folder`; `variant` as in their names ("fp16"), or None; `packed` names a quantisation, or ''."""

    folder: Path
    files: tuple[Path, ...]
    variant: str | None
    packed: str

    @cached_property
    def tensors(self) -> tuple[tuple[str, weights.Tensor], ...]:
        """What the headers of the files say of each tensor, by name."""
        return tuple(pair for file in self.files for pair in weights.tensors(file).items())

    def bytes(self, dtype: Any) -> int:
        """Bytes of the module once its floating-point numbers are `dtype` (a torch dtype); packed weights keep their own size."""
        return _bytes(self.tensors, None if self.packed else dtype)

    def differs(self, dtype: Any) -> bool:
        """Whether most of them are numbers in another format than `dtype` (a torch dtype), and none are packed."""
        other = _bytes(self.tensors, None, besides=_FORMATS[str(dtype)])
        return not self.packed and other * 2 > _bytes(self.tensors, None)


def cards(name: str) -> tuple[ModelCard, ...]:
    """The cards of presets/models/NAME.toml."""
    tables = tomllib.loads((PRESETS / f"{name}.toml").read_text("utf-8"))["card"]
    return tuple(ModelCard.model_validate(table) for table in tables)


def files_of(card: ModelCard) -> Path:
    """Where the card's files lie. Raises ModelUnavailable where they do not."""
    if card.files is None or not card.files.exists():
        raise ModelUnavailable(f"The files of {card.name} are not on this machine (any more): fetch them under the model's name.")
    return card.files


def options(card: ModelCard, kind: type[Options], used_for: str) -> Options:
    """The card's options as an engine reads them. Raises ModelUnavailable that names the first one it cannot use."""
    try:
        return kind.model_validate(card.options)
    except ValidationError as error:
        place = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise ModelUnavailable(f"The card of {card.name} has an option that cannot be used for {used_for}: {place}.") from None


def number_format(device: Device, wanted: str | None = None) -> Any:
    """The torch dtype for a model: `wanted` ("float32", "bfloat16", "float16") where the device does it well, else the device's own."""
    import torch

    if wanted is None or (device.kind == "cpu" and wanted == "float16"):
        return device.dtype
    return getattr(torch, wanted)


def find_weights(card: ModelCard, folder: Path, variant: str | None = None) -> Weights:
    """The files a module in `folder` is loaded from: those of `variant` where there are some, else the plain ones, else any variant's.

    Raises ModelUnsafe where there are only files that could run code, and ModelUnavailable where there are none or a shard is missing.
    """
    found = {path.name for path in folder.iterdir() if path.is_file()} if folder.is_dir() else set[str]()
    others = (name.split(".")[1] for name in sorted(found) if name.endswith(".safetensors") and name.count(".") == 2)
    for choice in (variant, None, *others):
        mark = f".{choice}" if choice else ""
        for stem in STEMS:
            single, index = f"{stem}{mark}.safetensors", f"{stem}.safetensors.index{mark}.json"
            if single in found:
                return Weights(folder, (folder / single,), choice, _packing(folder))
            if index in found:
                return Weights(folder, _shards(card, folder / index), choice, _packing(folder))
    part = f"the part {folder.name} of {card.name}"
    if any(name.endswith((".bin", ".ckpt", ".pt", ".pth", ".msgpack")) for name in found):
        raise ModelUnsafe(f"The weights in {part} are of a kind that could run code; use a copy of the model with .safetensors files.")
    raise ModelUnavailable(f"There are no weights in {part}; fetch the model again.")


def key(card: ModelCard, files: Iterable[Path], part: str, dtype: Any, packed: str = "") -> str:
    """ "source@revision/part:dtype:quantisation". A folder of the user stands under its name, told apart by path, sizes and times."""
    if isinstance(card.source, Hub):
        source = f"{card.source.repo}@{card.source.revision or files_of(card).name}"
    else:
        facts = sorted((str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files)
        source = f"{files_of(card).name}@{hashlib.sha256(repr(facts).encode()).hexdigest()[:12]}"
    return f"{source}/{part}:{str(dtype).removeprefix('torch.')}:{packed or 'none'}"


def module(card: ModelCard, found: Weights, part: str, kind: tuple[str, str], dtype: Any, device: Device) -> Component:
    """One module with its weights on the device. `part` names it in the key; `kind` is (library, class) as in a model index.

    Weights in another number format are converted, and kept so in the device's store where it has one. Loading raises ModelUnavailable
    where the weights are not those the configuration asks for, and NotEnoughMemory.
    """
    name = key(card, found.files, part + (f".{found.variant}" if found.variant else ""), dtype, found.packed)

    def load(report: Report) -> Any:  # noqa: ARG001 (the manager has reported what is loaded, and how many bytes)
        with in_words(card):
            if device.pinned is not None and (value := device.pinned.get(name, device.place)) is not None:
                return value
            _quiet()
            wanted, store = class_of(card, *kind), device.converted if found.differs(dtype) else None
            options = {"variant": found.variant} | ({} if found.packed else {"dtype": dtype})
            if store is None:
                value = _read(card, part, wanted, found.folder, options)
            else:
                entry = converted.name_of(name, (*found.files, *found.folder.glob("*.json")))
                value = store.get(entry, lambda folder: _read(card, part, wanted, folder, {"dtype": dtype}))
                if value is None:
                    value = _read(card, part, wanted, found.folder, options)
                    store.keep(entry, found.bytes(dtype), value.save_pretrained)
            if found.packed:
                return value
            if device.pinned is not None and device.pinned.keep(
                name, placed(value, replace(device, wanted="cpu", index=None)), found.bytes(dtype)
            ):
                return device.pinned.get(name, device.place)
            return placed(value, device)

    return Component(name, found.bytes(dtype), load, nearby=nearby(name, device))


def nearby(name: str, device: Device) -> Callable[[], Callable[[Report], Any] | None]:
    """What gives a load of the module of that key from its copy in pinned memory, where the device has one then."""

    def look() -> Callable[[Report], Any] | None:
        copies = device.pinned.copier(name, device.place) if device.pinned is not None else None
        return None if copies is None else lambda _: copies()

    return look


def single_file_bytes(file: Path, dtype: Any) -> int:
    """Bytes of the weights in one safetensors file once loaded as `dtype`."""
    return _bytes(weights.tensors(file).items(), dtype)


def placed(value: Any, device: Device) -> Any:
    """A module on the device, ready to be used and never trained. Convolutional ones in the memory order their kernels are fastest in.

    Attention is left to torch's scaled_dot_product_attention, which picks the fused kernel that fits device, shape and mask:
    FlashAttention's, cuDNN's or the memory-efficient one. Packages beside it are not used: flash-attn 2 and xformers bring the same
    kernels again, sageattention counts in 8 bits and draws other pictures, and FlashAttention 3, which torch can be given as a prototype on
    Hopper alone, refuses at run time what it cannot do instead of leaving it to another kernel.
    """
    import torch

    if device.kind == "cpu" and torch.get_num_threads() > threads():
        torch.set_num_threads(threads())  # of the quota: more would wait for one another
    value = value.eval().requires_grad_(False).to(device.place)
    if type(value).__name__ in ("UNet2DConditionModel", "AutoencoderKL") and device.kind != "mps":
        value = value.to(memory_format=torch.channels_last)
    return value


def class_of(card: ModelCard, library: str, name: str) -> Any:
    """A class of diffusers or transformers (or of one of diffusers' pipeline packages) by name; never anything else."""
    if library in ("diffusers", "transformers"):
        home: Any = importlib.import_module(library)
    elif library.isidentifier():
        home = getattr(importlib.import_module("diffusers.pipelines"), library, None)
    else:
        home = None
    found = getattr(home, name, None) if home is not None else None
    if home is None or not name.isidentifier():
        raise ModelUnsafe(f"{card.name} asks for code that does not ship with the studio and was refused; choose another model.")
    if not isinstance(found, type) or not hasattr(found, "from_pretrained"):
        raise ModelUnavailable(
            f"{card.name} needs {name}, which this version of {library} does not have; update {library} or choose another model."
        )
    return found


def read_json(card: ModelCard, file: Path) -> dict[str, Any]:
    """A JSON object of a model's folder. Raises ModelUnavailable where it is missing or unreadable."""
    try:
        value = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise ModelUnavailable(f"{file.name} of {card.name} is missing or damaged; fetch the model again.")
    return cast("dict[str, Any]", value)


@contextmanager
def in_words(card: ModelCard) -> Generator[None]:
    """Around loading: what the libraries raise on bad files, missing packages or full memory becomes one sentence; the cause is kept."""
    from safetensors import SafetensorError

    with memory_in_words(f"{card.name} does not fit the memory that is free: unload another model, or choose a smaller one."):
        try:
            yield
        except ImportError as error:
            needs = f" ({', '.join(card.needs)})" if card.needs else f" ({error.name})" if error.name else ""
            raise ModelUnavailable(f"{card.name} needs a package that is not installed{needs}: install it, then try again.") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, SafetensorError) as error:
            if ran_out(error):
                raise
            raise ModelUnavailable(f"{card.name} cannot be loaded: its files do not fit together. Fetch it again.") from error


@contextmanager
def memory_in_words(sentence: str) -> Generator[None]:
    """Memory that ran out, on any device, becomes NotEnoughMemory with that sentence."""
    try:
        yield
    except MemoryError as error:
        raise NotEnoughMemory(sentence) from error
    except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU's allocator raises the plain kind
        if ran_out(error):
            raise NotEnoughMemory(sentence) from error
        raise


def _read(card: ModelCard, part: str, kind: Any, folder: Path, options: Mapping[str, Any]) -> Any:
    """The module in a folder, every weight of it from there."""
    value, info = kind.from_pretrained(folder, use_safetensors=True, local_files_only=True, output_loading_info=True, **options)
    if info["missing_keys"]:
        raise ModelUnavailable(f"The weights of {card.name} are of another model than its {part}; fetch the model again.")
    return value


def _quiet() -> None:
    """Progress is reported to the artist, not drawn on the server's terminal."""
    from diffusers.utils.logging import disable_progress_bar as diffusers_quiet
    from transformers.utils.logging import disable_progress_bar as transformers_quiet

    diffusers_quiet()
    transformers_quiet()


def _bytes(tensors: Iterable[tuple[str, weights.Tensor]], dtype: Any, besides: str = "") -> int:
    """Bytes of the weights, as `dtype` or as they are (None); those in the format `besides` and whole numbers not counted, if given."""
    total = 0
    for _, tensor in tensors:
        floating = tensor.dtype in ("F16", "BF16", "F32", "F64")
        if besides and (tensor.dtype == besides or not floating):
            continue
        total += prod(tensor.shape) * dtype.itemsize if dtype is not None and floating else tensor.end - tensor.begin
    return total


def _packing(folder: Path) -> str:
    try:
        config: Mapping[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        return str(config.get("quantization_config", {}).get("quant_method", ""))
    except (OSError, ValueError, AttributeError):
        return ""


def _shards(card: ModelCard, index: Path) -> tuple[Path, ...]:
    names = {str(name) for name in read_json(card, index).get("weight_map", {}).values()}
    if any(Path(name).name != name for name in names):
        raise ModelUnsafe(f"{index.name} of {card.name} points outside its folder and was refused; choose another copy of the model.")
    lost = sorted(name for name in names if not (index.parent / name).is_file())
    if lost or not names:
        raise ModelUnavailable(f"{card.name} lacks {', '.join(lost) or 'its weights'}; fetch the model again.")
    return tuple(index.parent / name for name in sorted(names))
