"""Weights that are numbers: files of others are read through once, before a model of theirs first runs. Knows no model and no framework.

A weight that is no number spreads through everything that is computed with it: pictures are black, words are noise. Every tensor of
safetensors files is read, at the disk's pace; GGUF and ONNX files are not, their numbers are packed in ways of their own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studio import fetching
from studio.creations import Progress, Report
from studio.errors import DownloadFailed, ModelUnavailable, ModelUnsafe, StorageFull
from studio.models import Bundled, Endpoint, ModelCard, Package
from studio.weights import Tensor, tensors

STRETCH = 4_000_000
"""Bytes that are looked at together: they stay in the processor's cache."""
TOLD = 0.1
"""Share of a file between two reports, so that a stop is noticed."""

_KINDS: dict[str, tuple[str, int]] = {  # as whole numbers, and the bits of which all are set in what is no finite number
    "F64": ("<u8", 0x7FF0_0000_0000_0000),
    "F32": ("<u4", 0x7F80_0000),
    "F16": ("<u2", 0x7C00),
    "BF16": ("<u2", 0x7F80),
    "F8_E5M2": ("<u1", 0x7C),
    "F8_E4M3": ("<u1", 0x7F),
}
_MARK = "finite"


def check_once(card: ModelCard, cache: Path, report: Report) -> None:
    """`check` for what a card got from others, once for each state its files are in. Raises ModelUnsafe; Cancelled from `report`."""
    for source, path in ((card.source, card.files), *((card.companions.get(name), path) for name, path in card.companion_files.items())):
        if path is None or source is None or isinstance(source, Bundled | Package | Endpoint) or fetching.marked(cache, path, _MARK):
            continue
        check(path, report)
        with contextlib.suppress(DownloadFailed, StorageFull):  # a cache that cannot be written only costs looking again
            fetching.mark(cache, path, _MARK)


def check(path: Path, report: Report) -> None:
    """Read the weights of a file or folder; ModelUnsafe names the first tensor that holds something else than finite numbers.

    Infinity is let pass in tensors that are masks. Reports bytes as loading.
    """
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*.safetensors") if file.is_file())
    files = [file for file in files if file.suffix.lower() == ".safetensors"]
    total, done = sum(file.stat().st_size for file in files), 0
    for file in files:
        try:
            for read in _looked_through(file):
                report(Progress("loading", done + read, total, "bytes", note=f"checking {file.name}"))
        except OSError:
            raise ModelUnavailable(f"{file.name} cannot be read; fetch the model again.") from None
        done += file.stat().st_size


def _looked_through(file: Path) -> Iterator[int]:
    """Yields how many bytes were read, now and then."""
    header = tensors(file)
    if not header:
        return
    content = np.memmap(file, np.uint8, mode="r")
    start = content.size - max(tensor.end for tensor in header.values())
    told = 0
    for name, tensor in header.items():
        for stretch in _stretches(content[start + tensor.begin : start + tensor.end], tensor):
            if not _finite(stretch, tensor.dtype) and not ("mask" in name and not _holds_no_number(stretch, tensor.dtype)):
                raise ModelUnsafe(f"{file.name} holds weights that are no numbers (in {name[:80]}) and was refused; fetch it again.")
            told += stretch.size
            if told > TOLD * content.size or told > 64 * STRETCH:
                yield min(start + tensor.end, content.size)
                told = 0
    yield content.size


def _stretches(data: NDArray[np.uint8], tensor: Tensor) -> Iterator[NDArray[np.uint8]]:
    if tensor.dtype in _KINDS:
        for begin in range(0, data.size, STRETCH):
            yield data[begin : begin + STRETCH]


def _finite(data: NDArray[np.uint8], dtype: str) -> bool:
    kind, bits = _KINDS[dtype]
    numbers = np.ascontiguousarray(data).view(kind)
    return numbers.size == 0 or int((numbers & numbers.dtype.type(bits)).max()) != bits


def _holds_no_number(data: NDArray[np.uint8], dtype: str) -> bool:
    """Whether there is a NaN, which is worse than infinity."""
    kind, bits = _KINDS[dtype]
    if dtype == "F8_E4M3":
        return True  # it has no infinity
    numbers = np.ascontiguousarray(data).view(kind)
    width = 8 * numbers.dtype.itemsize - 1
    return bool(((numbers & numbers.dtype.type(2**width - 1)) > bits).any())
