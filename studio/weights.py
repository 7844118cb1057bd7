"""What a model file really is, read from its first bytes: is it safe, is it whole, how many bytes of weights does it hold.

Knows no model family, no framework and no network. Nothing here loads a weight or runs anything from a file: headers and
JSON are read, and whatever could run code is refused by what it contains, not by how it is called.
"""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from math import prod
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, cast

from studio.errors import ModelUnavailable, ModelUnsafe

HEADER_LIMIT = 100_000_000  # bytes; the format's own limit for its JSON header
CONFIG_LIMIT = 8_000_000
FILES_LIMIT = 20_000
PICKLE_SUFFIXES = {".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"}
CODE_SUFFIXES = {".py", ".pyc", ".pyd", ".so", ".dll", ".dylib"}
UNUSED = ("safety_checker", "feature_extractor", "image_encoder")  # parts of a diffusers folder that no engine loads
WITHOUT_WEIGHTS = ("Tokenizer", "Processor", "Extractor", "Scheduler")
WEIGHT_SUFFIXES = {".safetensors", ".gguf", ".onnx"}
ATTENTION = {"eager", "sdpa", "flex_attention", "flash_attention_2", "flash_attention_3"}
_BITS = {  # of one number, by the format's names
    **dict.fromkeys(("BOOL", "U8", "I8", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"), 8),
    **dict.fromkeys(("I16", "U16", "F16", "BF16"), 16),
    **dict.fromkeys(("I32", "U32", "F32"), 32),
    **dict.fromkeys(("I64", "U64", "F64", "C64"), 64),
    **dict.fromkeys(("F6_E2M3", "F6_E3M2"), 6),
    "F4": 4,
}


class Tensor(NamedTuple):
    """One entry of a safetensors header: dtype name, shape, and its bytes' range behind the header."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def inspect(path: Path, *, remote_code_kept_out: bool = False) -> None:
    """Refuse a model file or folder that could run code or is no valid weight file; ModelUnsafe says which file and why.

    Checked: pickles and programs anywhere, safetensors headers, GGUF magic, custom classes, attention kernels and file names in
    configs. `remote_code_kept_out`: an `auto_map` is let pass, for folders that never get a .py and are loaded without remote code.
    """
    if path.is_file():
        if path.suffix.lower() not in WEIGHT_SUFFIXES | PICKLE_SUFFIXES | {".bin"}:
            raise ModelUnsafe(f"{path.name} is no model file the studio reads; use a .safetensors or .gguf file.")
        _inspect_file(path, path.name, remote_code_kept_out)
        return
    if not path.is_dir():
        raise ModelUnavailable(f"{path.name} is not there (any more); check the path of the model.")
    for number, file in enumerate(_files(path)):
        if number >= FILES_LIMIT:
            raise ModelUnsafe(f"{path.name} holds too many files for a model; name the model's own folder.")
        _inspect_file(file, file.relative_to(path).as_posix(), remote_code_kept_out)


def weight_bytes(path: Path) -> int:
    """Bytes of weights in a file or folder: tensor bytes from safetensors headers, the size of GGUF and ONNX files."""
    files = [path] if path.is_file() else list(_files(path))
    total = 0
    for file in files:
        suffix = file.suffix.lower()
        if suffix == ".safetensors":
            total += max((tensor.end for tensor in tensors(file).values()), default=0)
        elif suffix in WEIGHT_SUFFIXES:
            total += file.stat().st_size
    return total


def tensors(path: Path) -> dict[str, Tensor]:
    """The header of a safetensors file, validated as its format demands: names to tensors. ModelUnsafe when it is broken."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            (length,) = struct.unpack("<Q", file.read(8))
            if not 2 <= length <= min(HEADER_LIMIT, size - 8):
                raise ValueError("length")
            header: dict[str, Any] = json.loads(file.read(length).decode(), object_pairs_hook=_unique)
        if not all(isinstance(value, str) for value in dict(header.pop("__metadata__", None) or {}).values()):
            raise ValueError("metadata")
        found = {name: _tensor(entry) for name, entry in header.items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, struct.error):
        raise _broken(path.name) from None
    position = 0
    for tensor in sorted(found.values(), key=lambda t: (t.begin, t.end)):
        bits = prod(tensor.shape) * _BITS[tensor.dtype]
        if tensor.begin != position or bits != 8 * (tensor.end - tensor.begin):
            raise _broken(path.name)
        position = tensor.end
    if position != size - 8 - length:
        raise _broken(path.name)
    return found


def missing_part(folder: Path, variant: str | None = None) -> str:
    """Name of the first thing a diffusers or transformers folder lacks (a component, a shard, weights), or '' when it is whole."""
    for file in _files(folder):
        if not file.exists():
            return file.relative_to(folder).as_posix()
    index = folder / "model_index.json"
    if not index.is_file():
        return "" if _has_weights(folder, variant) else "weights (.safetensors or .gguf)"
    for name, entry in _json(index, index.name).items():
        library, kind = (
            cast("list[object]", entry)[:2] if isinstance(entry, list) and len(cast("list[object]", entry)) > 1 else (None, None)
        )
        if library is not None and name not in UNUSED:
            part, bare = folder / name, str(kind).removesuffix("Fast").endswith(WITHOUT_WEIGHTS)
            if not part.is_dir() or (not bare and (part / "config.json").is_file() and not _has_weights(part, variant)):
                return name
    return ""


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if not path.name.startswith(".") and not path.is_symlink():
                yield from _files(path)
        else:
            yield path


def _inspect_file(path: Path, name: str, remote_code_kept_out: bool) -> None:
    suffix = path.suffix.lower()
    if suffix in CODE_SUFFIXES:
        raise ModelUnsafe(f"{name} is a program and the folder was refused; use a model that needs no code of its own.")
    try:
        with path.open("rb") as file:
            start = file.read(16)
    except OSError:
        raise ModelUnavailable(f"{name} cannot be read; fetch the model again.") from None
    known = start[:4] == b"GGUF" or suffix in WEIGHT_SUFFIXES
    if _is_pickle(path, start) or (suffix in PICKLE_SUFFIXES and not known):
        raise ModelUnsafe(f"{name} could run code and was refused; use the .safetensors version of the model.")
    if suffix == ".safetensors":
        tensors(path)
    elif suffix == ".gguf" and (start[:4] != b"GGUF" or len(start) < 16):
        raise ModelUnsafe(f"{name} is damaged or no GGUF file; fetch it again.")
    elif suffix == ".json" and ("config" in path.name or path.name.endswith("model_index.json")):
        _inspect_config(_json(path, name), name, remote_code_kept_out)
    elif path.name.endswith(".json") and ".index." in path.name:
        for shard in _shards(path, name):
            _inspect_shard_name(shard, name)


def _is_pickle(path: Path, start: bytes) -> bool:
    """Pickle protocols 2 to 5 begin with their number; torch's zip archives hold a .pkl; text protocols are known by suffix alone."""
    if len(start) > 2 and start[0] == 0x80 and start[1] <= 5:
        return True
    if start[:2] != b"PK":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith((".pkl", ".pickle")) for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError):
        return path.suffix.lower() != ".zip"


def _inspect_config(config: dict[str, Any], name: str, remote_code_kept_out: bool) -> None:
    index = name.endswith("model_index.json")
    if "custom_pipelines" in config or (index and not isinstance(config.get("_class_name", ""), str)):
        raise _custom(name)
    if "auto_map" in config and not remote_code_kept_out:
        raise _custom(name)
    for key, value in config.items():
        if key.lstrip("_").startswith("attn_implementation"):
            choices = cast("dict[str, object]", value).values() if isinstance(value, dict) else [value]
            if any(isinstance(choice, str) and choice not in ATTENTION for choice in choices):
                raise _custom(name)
        elif isinstance(value, dict):
            _inspect_config(cast("dict[str, Any]", value), name, remote_code_kept_out)
        elif index and isinstance(value, list):
            library = next(iter(cast("list[object]", value)), None)
            if library is not None and not _known_library(library):
                raise _custom(name)


def _known_library(library: object) -> bool:
    """diffusers, transformers, or the name of one of diffusers' own pipeline packages (a safety checker names "stable_diffusion")."""
    if library in ("diffusers", "transformers"):
        return True
    spec = find_spec("diffusers")
    if not isinstance(library, str) or not library.isidentifier() or spec is None or spec.origin is None:
        return False
    return (Path(spec.origin).parent / "pipelines" / library / "__init__.py").is_file()


def _inspect_shard_name(shard: object, name: str) -> None:
    if (
        not isinstance(shard, str)
        or "\\" in shard
        or ":" in shard
        or PurePosixPath(shard).is_absolute()
        or ".." in PurePosixPath(shard).parts
    ):
        raise ModelUnsafe(f"{name} points outside its folder and was refused; fetch the model from where it was published.")


def _shards(index: Path, name: str) -> set[Any]:
    weight_map = _json(index, name).get("weight_map", {})
    if not isinstance(weight_map, dict):
        raise _unreadable(name)
    values = list(cast("dict[str, object]", weight_map).values())
    return set(values) if all(isinstance(value, str) for value in values) else {None}


def _has_weights(folder: Path, variant: str | None) -> bool:
    """One whole file, or one index whose shards are all there; of the variant where the folder has files of it."""
    files = [path for path in folder.iterdir() if path.is_file()]
    if variant and any(f".{variant}." in path.name or f".{variant}-" in path.name for path in files):
        files = [path for path in files if f".{variant}." in path.name or f".{variant}-" in path.name]
    indexes = [path for path in files if ".safetensors.index." in path.name]
    if any(all((folder / str(shard)).is_file() for shard in _shards(path, path.name)) for path in indexes):
        return True
    return any(path.suffix.lower() in WEIGHT_SUFFIXES and "-of-0" not in path.name for path in files)


def _json(path: Path, name: str) -> dict[str, Any]:
    try:
        if path.stat().st_size > CONFIG_LIMIT:
            raise ValueError("size")
        value = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        raise _unreadable(name) from None
    if not isinstance(value, dict):
        raise _unreadable(name)
    return cast("dict[str, Any]", value)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def _tensor(entry: dict[str, Any]) -> Tensor:
    begin, end = entry["data_offsets"]
    if not all(isinstance(number, int) and number >= 0 for number in (*entry["shape"], begin, end)):
        raise ValueError("offsets")
    if entry["dtype"] not in _BITS:
        raise ValueError("dtype")
    return Tensor(entry["dtype"], tuple(entry["shape"]), begin, end)


def _broken(name: str) -> ModelUnsafe:
    return ModelUnsafe(f"{name} is damaged or no safetensors file; fetch it again.")


def _unreadable(name: str) -> ModelUnsafe:
    return ModelUnsafe(f"{name} is no readable model configuration; fetch the model again.")


def _custom(name: str) -> ModelUnsafe:
    return ModelUnsafe(f"{name} asks for code that does not ship with the studio and was refused; choose a model without custom code.")
