"""What a GGUF file says about itself before any weight is read, and whether it is whole.

llama.cpp may end the process on a damaged file, so the file is checked here first. Knows no library, no device and no task.
Format: the GGUF specification, versions 2 and 3 (little-endian), in the documentation of ggml.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TypeAlias

from studio.errors import ModelUnavailable

Value: TypeAlias = "int | float | bool | str | None | list[Value]"

LISTED = 4096
"""Arrays longer than this (vocabularies) are passed over, not read."""
_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9
_BLOCKS = {  # number of a tensor format in ggml: (weights a block, bytes a block)
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 10: (256, 84), 11: (256, 110),
    12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50),
    20: (32, 18), 21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8),
    29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17), 40: (64, 36), 41: (128, 18),
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """The sizes of a language model. `context` in tokens (0: unknown); `cache_per_token` in bytes, for keys and values in 16 bits."""

    architecture: str
    context: int
    cache_per_token: int


def read(file: Path, name: str) -> Header:
    """The sizes of the model `name`; reads the first fields alone. Raises ModelUnavailable for anything but a GGUF language model."""
    with _opened(file, name) as cursor:
        found: dict[str, Value] = {}
        for key, value in cursor.fields():
            if key.startswith("tokenizer.") and "general.architecture" in found:
                break
            found[key] = value
        architecture = found.get("general.architecture")
        if not isinstance(architecture, str):
            raise TypeError("no architecture")
        sizes = {key.removeprefix(f"{architecture}."): value for key, value in found.items()}
        heads, width = _whole(sizes.get("attention.head_count"), 0), _whole(sizes.get("embedding_length"), 0)
        head = width // heads if heads else 0
        keys, values = _whole(sizes.get("attention.key_length"), head), _whole(sizes.get("attention.value_length"), head)
        rows = _whole(sizes.get("block_count"), 0) * _whole(sizes.get("attention.head_count_kv"), heads)
        return Header(architecture, _whole(sizes.get("context_length"), 0), 2 * rows * (keys + values))


def verify(file: Path, name: str) -> None:
    """Refuse a file that is cut short or whose tables do not fit it: ModelUnavailable. Reads the header, no weights."""
    with _opened(file, name) as cursor:
        fields = dict(cursor.fields())
        alignment = fields.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise ValueError("no whole GGUF file")
        ends = [cursor.tensor(alignment) for _ in range(cursor.tensors)]
        start = -(-cursor.position // alignment) * alignment
        if start + max(ends, default=0) > cursor.size:
            raise ValueError("no whole GGUF file")


class _Cursor:
    """Reads values one after the other; every read beyond the file's end is an error."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self.size = len(data)
        self.position = 4
        self.version = self.number("I")
        if data[:4] != b"GGUF" or self.version not in (2, 3):
            raise ValueError("no whole GGUF file")
        self.tensors = self.number("Q")
        self._pairs = self.number("Q")
        if max(self.tensors, self._pairs) > self.size:
            raise ValueError("no whole GGUF file")

    def number(self, kind: str) -> int:
        (value,) = struct.unpack_from(f"<{kind}", self._data, self.position)
        self.position += struct.calcsize(f"<{kind}")
        return value

    def text(self) -> str:
        length = self.number("Q")
        self._skip(length)
        return self._data[self.position - length : self.position].decode()

    def fields(self) -> Iterator[tuple[str, Value]]:
        for _ in range(self._pairs):
            yield self.text(), self._value(self.number("I"))

    def tensor(self, alignment: int) -> int:
        """Where the next tensor of the table ends, counted from the start of the weights."""
        self.text()
        shape = [self.number("Q") for _ in range(self.number("I"))]
        block, size = _BLOCKS.get(self.number("I"), (1, 0))
        offset = self.number("Q")
        if len(shape) > 4 or offset % alignment or (shape and shape[0] % block):
            raise ValueError("no whole GGUF file")
        return offset + prod(shape) // block * size

    def _value(self, kind: int) -> Value:
        if kind == _STRING:
            return self.text()
        if kind != _ARRAY:
            return self.number(_NUMBERS[kind])
        kind, count = self.number("I"), self.number("Q")
        if kind in _NUMBERS and count > LISTED:
            self._skip(count * struct.calcsize(f"<{_NUMBERS[kind]}"))
            return None
        if count > self.size:
            raise ValueError("no whole GGUF file")
        if count <= LISTED:
            return [self._value(kind) for _ in range(count)]
        if kind != _STRING:
            raise ValueError("no whole GGUF file")
        for _ in range(count):
            self._skip(self.number("Q"))
        return None

    def _skip(self, length: int) -> None:
        self.position += length
        if self.position > self.size:
            raise ValueError("no whole GGUF file")


@contextmanager
def _opened(file: Path, name: str) -> Generator[_Cursor]:
    """The file's header; whatever turns out broken inside the block becomes one sentence."""
    try:
        with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
            yield _Cursor(data)
    except (OSError, ValueError, TypeError, KeyError, struct.error, RecursionError):
        raise ModelUnavailable(f"The file of {name} is damaged or incomplete: fetch the model again.") from None


def _whole(value: Value, default: int) -> int:
    """A size that may be one number, or a list with one a layer (then the largest)."""
    if isinstance(value, list):
        return max((_whole(entry, 0) for entry in value), default=default)
    return int(value) if isinstance(value, int) else default
