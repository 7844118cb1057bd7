"""The tensors of a TorchScript archive by their names, read without running anything of it.

Such an archive is a zip: programs, and a pickle that describes the module as objects of those programs' classes. Here the pickle is read
by an unpickler that knows tensors and plain containers alone and takes every other class for a bag of attributes; the programs are never
opened. Knows no model; meant for the child process of pickles.py, which bounds its memory.
"""

from __future__ import annotations

import pickle
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import IO, Any

DESCRIPTION_LIMIT = 64_000_000
"""Bytes of the pickle: names and shapes, no weights."""
_NUMBERS = {
    "FloatStorage": "float32", "HalfStorage": "float16", "BFloat16Storage": "bfloat16", "DoubleStorage": "float64", "BoolStorage": "bool",
    "LongStorage": "int64", "IntStorage": "int32", "ShortStorage": "int16", "CharStorage": "int8", "ByteStorage": "uint8",
}  # fmt: skip


def is_archive(file: IO[bytes]) -> bool:
    """Whether an open file is such an archive; its position is as before."""
    at = file.tell()
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return False
    finally:
        file.seek(at)
    return any(name.endswith("/constants.pkl") for name in names) and any("/code/" in name for name in names)


def tensors(file: IO[bytes]) -> dict[str, Any]:
    """Parameters and buffers, named as `state_dict` names them: torch tensors on the CPU.

    Raises pickle.UnpicklingError for what is no plain module, ValueError and zipfile.BadZipFile for a damaged archive.
    """
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        root = next((name.removesuffix("data.pkl") for name in names if name.count("/") == 1 and name.endswith("/data.pkl")), "")
        if not root or archive.getinfo(f"{root}data.pkl").file_size > DESCRIPTION_LIMIT:
            raise ValueError("no description")
        if f"{root}byteorder" in names and archive.read(f"{root}byteorder") != b"little":
            raise ValueError("byte order")
        with archive.open(f"{root}data.pkl") as described:
            module = _Unpickler(described, lambda key: _record(archive, f"{root}data/{key}")).load()
    return dict(_named(module, "", set()))


class _Attributes:
    """An object of a class that is not known here: what it holds, and nothing that it does."""

    def __init__(self, *_: object) -> None:
        return


class _Unpickler(pickle.Unpickler):
    """Builds tensors, plain containers and bags of attributes; `record` gives the bytes of one storage."""

    def __init__(self, file: IO[bytes], record: Callable[[str], bytes]) -> None:
        super().__init__(file)
        self._record = record
        self._storages: dict[str, Any] = {}

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        if module_name == "__torch__" or module_name.startswith("__torch__."):
            return _Attributes
        if (module_name, global_name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module_name, global_name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module_name == "torch" and global_name in _NUMBERS:
            return _NUMBERS[global_name]
        if module_name == "torch.jit._pickle" and global_name.startswith("build_") and global_name.endswith("list"):
            return list
        raise pickle.UnpicklingError(f"{module_name}.{global_name}")

    def persistent_load(self, pid: Any, /) -> Any:
        import torch

        match pid:
            case ("storage", str() as numbers, str() as key, str(), int()) if key.isdigit() and numbers in _NUMBERS.values():
                if key not in self._storages:
                    content = bytearray(self._record(key))
                    dtype = getattr(torch, numbers)
                    self._storages[key] = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
                return self._storages[key]
            case _:
                raise pickle.UnpicklingError("storage")


def _tensor(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: object) -> Any:
    """A tensor over a part of a storage; torch refuses a part that lies outside."""
    import torch

    if not isinstance(storage, torch.Tensor):
        raise pickle.UnpicklingError("tensor")
    return torch.as_strided(storage, size, stride, offset)


def _record(archive: zipfile.ZipFile, name: str) -> bytes:
    """The bytes of one storage. They are never packed: a small file that would fill the memory is refused."""
    entry = archive.getinfo(name)
    if entry.compress_type != zipfile.ZIP_STORED:
        raise ValueError("packed")
    return archive.read(entry)


def _named(held: object, prefix: str, seen: set[int]) -> Iterator[tuple[str, Any]]:
    """The tensors of an object and of those that it holds, each object once."""
    import torch

    if not isinstance(held, _Attributes) or id(held) in seen:
        return
    seen.add(id(held))
    for name, value in vars(held).items():
        if isinstance(value, torch.Tensor):
            yield f"{prefix}{name}", value
        else:
            yield from _named(value, f"{prefix}{name}.", seen)
