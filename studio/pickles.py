"""The one way a pickle gets in: named by a card with its SHA-256, read without running code, in a child process, into safetensors.

The child limits its own memory before it reads; torch's `weights_only` unpickler builds tensors and plain containers alone, and so does
that of torchscript.py for the archives that torch would run.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from studio import fetching
from studio.creations import Progress, Report
from studio.errors import ModelUnavailable, ModelUnsafe, NotEnoughMemory, StudioError
from studio.weights import inspect

UNSAFE, DIFFERENT, TOO_LARGE, EMPTY = 3, 4, 5, 6  # exit statuses of the child
_INSTEAD = "use the .safetensors version of the model."
_FAILURES: dict[int | None, tuple[type[StudioError], str]] = {
    UNSAFE: (ModelUnsafe, f"{{name}} could run code and was refused; {_INSTEAD}"),
    DIFFERENT: (ModelUnsafe, "{name} is not the file its card names (its SHA-256 differs) and was refused; fetch it again."),
    TOO_LARGE: (NotEnoughMemory, f"There is not enough memory to convert {{name}}; {_INSTEAD}"),
    EMPTY: (ModelUnsafe, f"{{name}} holds no weights that could be read; {_INSTEAD}"),
    None: (ModelUnavailable, f"Converting {{name}} took too long and was stopped; {_INSTEAD}"),
}
_FAILED = (ModelUnavailable, f"{{name}} could not be converted; {_INSTEAD}")


def convert(pickle: Path, sha256: str, target: Path, report: Report) -> None:
    """Write the tensors of `pickle` to `target` (.safetensors), put in place at once.

    Raises ModelUnsafe when the file is another one or holds more than tensors, ModelUnavailable and NotEnoughMemory in words.
    """
    size = pickle.stat().st_size
    fetching.need_room(target.parent, 2 * size, pickle.name)
    partial = target.with_name(f".{target.stem}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    fetching.writable(partial)
    command = fetching.python("studio.pickles", str(pickle.absolute()), sha256, str(partial.absolute() / "weights.safetensors"))

    def tick(_: str) -> None:
        report(Progress("loading", unit="bytes", note=f"converting {pickle.name}"))

    try:
        status, _ = fetching.run_child(command, tick, {"CUDA_VISIBLE_DEVICES": ""}, seconds=120 + size / 10e6, cwd=fetching.ROOT)
        if status != 0:
            kind, sentence = _FAILURES.get(status, _FAILED)
            raise kind(sentence.format(name=pickle.name))
        inspect(partial / "weights.safetensors")
        with fetching.storing(pickle.name):
            (partial / "weights.safetensors").replace(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def main(pickle: str, sha256: str, target: str) -> int:
    """The child: returns its exit status."""
    with Path(pickle).open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            return DIFFERENT
        import pickle as pickles
        from zipfile import BadZipFile

        import torch
        from safetensors.torch import save_file  # pyright: ignore[reportUnknownVariableType] (its path type is left open)

        from studio import torchscript

        torch.set_num_threads(1)
        _limit_memory(os.fstat(file.fileno()).st_size)
        file.seek(0)
        try:
            loaded: object = (
                torchscript.tensors(file) if torchscript.is_archive(file) else torch.load(file, map_location="cpu", weights_only=True)
            )
        except MemoryError:
            return TOO_LARGE
        except (pickles.UnpicklingError, RuntimeError, ValueError, EOFError, LookupError, TypeError, AttributeError, BadZipFile) as error:
            return TOO_LARGE if "allocate memory" in str(error) else UNSAFE
    weights = {name: tensor.detach().clone().contiguous() for name, tensor in _tensors(loaded, torch.Tensor)}
    if not weights:
        return EMPTY
    save_file(weights, target)
    return 0


def _tensors(loaded: object, kind: type[Any]) -> Iterator[tuple[str, Any]]:
    """The named tensors of a state dict, also of one that lies under "state_dict" or "model" in a training checkpoint."""
    if not isinstance(loaded, Mapping):
        return
    entries = cast("Mapping[object, object]", loaded)
    for wrapper in ("state_dict", "model"):
        if isinstance(entries.get(wrapper), Mapping):
            yield from _tensors(entries[wrapper], kind)
            return
    for name, value in entries.items():
        if isinstance(name, str) and isinstance(value, kind):
            yield name, value


def _limit_memory(size: int) -> None:
    """At most four times the file beyond what the libraries took, where the system can keep to it."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        most, longest = taken + 4 * size + 2**30, 2 * size + 2**20
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
