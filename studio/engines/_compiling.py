"""The blocks that a denoiser repeats, compiled for the graphics card where a model's card asks for it.

Only those blocks (diffusers calls it regional): the same speed as with the whole network, and eight to ten times sooner ready. A picture is
drawn with compiled blocks from its first step to its last or not at all: what cannot be compiled is told in the log once, and the picture
begins anew in the plain way. Like everything about one picture it is switched on around it and off again. Compiled code is kept in a
folder beside the store of converted weights, where settings.py has torch put it, within a share of that store's bytes; where a studio
keeps no such store, as in public, nothing is compiled. Knows no task and no card.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.converted import SPARED, Converted
from studio.creations import Json
from studio.device import Device
from studio.shortage import ran_out

log = logging.getLogger("atelier")

KINDS = frozenset({"cuda"})
"""Devices on which it is worth its time; on a CPU a UNet won 9 % and took minutes to compile (measured)."""
ASKED: Mapping[str, Any] = {"fullgraph": True, "dynamic": True, "options": {"deterministic": True}}
"""For `torch.compile`. `dynamic`: other sizes and longer prompts go through the same code, compiled once, so that a picture does not
depend on which was drawn before it. `deterministic`: nothing is chosen by a race between kernels, whose winners differ in last bits.
"""
FORMS = 64
"""Forms that one block may be compiled in: widths of a UNet's levels, with guidance and without. torch stops at 8 of its own accord."""
SHARE = 10
"""Of the bytes that the store of converted weights may take, compiled code may take one in so many beside them."""
PREPARING = "preparing this model for the graphics card"
_STATE = "_compiled_blocks"


class Failed(Exception):
    """The blocks could not be compiled; the picture is to be drawn without."""


@dataclass
class _Blocks:
    """A denoiser's blocks and what calls each in its compiled form; none where that failed. `tried`: a picture was drawn with them."""

    calls: list[tuple[Any, Callable[..., Any]]] = field(default_factory=list[tuple[Any, Callable[..., Any]]])
    tried: bool = False


def place(device: Device) -> Converted | None:
    """The store whose bounds compiled code keeps to; None where nothing is compiled on this device."""
    return device.converted if device.kind in KINDS else None


@contextmanager
def compiled(pipe: Any, store: Converted, tell: Callable[[], object]) -> Generator[None]:
    """The denoiser of `pipe` with compiled blocks, until the block ends; `tell` is called where they must be compiled first.

    Raises Failed where they cannot be, at the beginning or later.
    """
    import torch._dynamo.config
    from torch._dynamo.exc import FailOnRecompileLimitHit, TorchDynamoException

    denoiser = _denoiser(pipe)
    if _STATE not in vars(denoiser):
        setattr(denoiser, _STATE, _prepared(denoiser, store))
    blocks: _Blocks = getattr(denoiser, _STATE)
    if not blocks.calls:
        raise Failed
    if not blocks.tried:
        tell()
    try:
        with torch._dynamo.config.patch(recompile_limit=FORMS):  # noqa: SLF001 (it has no other door)
            for block, call in blocks.calls:
                block._compiled_call_impl = call  # noqa: SLF001 (what `Module.compile` sets; there is no way to unset it)
            yield
            blocks.tried = True
    except (TorchDynamoException, FailOnRecompileLimitHit) as error:
        cause = getattr(error, "inner_exception", error)  # torch names it there alone
        if ran_out(cause):
            raise cause from None
        log.warning("%s is not compiled and runs as it is: %s", type(denoiser).__name__, _first_line(error))
        blocks.calls.clear()
        raise Failed from error
    finally:
        for block in denoiser.modules():
            block._compiled_call_impl = None  # noqa: SLF001


def told(pipe: Any) -> dict[str, Json]:
    """For the facts of a picture: {'compiled': True} where its denoiser has compiled blocks."""
    blocks = vars(_denoiser(pipe)).get(_STATE)
    return {"compiled": True} if blocks is not None and blocks.calls else {}


def _denoiser(pipe: Any) -> Any:
    return getattr(pipe, "unet", None) or pipe.transformer


def _prepared(denoiser: Any, store: Converted) -> _Blocks:
    """Nothing is compiled yet: torch does that when a block is first called. None of them where it would be of no use."""
    name = type(denoiser).__name__
    if not getattr(denoiser, "_repeated_blocks", None):
        log.warning("%s is not compiled: it names no blocks that it repeats", name)
        return _Blocks()
    if not _has_room(store):
        log.warning("%s is not compiled: the disk has less than %d GB left", name, SPARED // 10**9)
        return _Blocks()
    try:
        denoiser.compile_repeated_blocks(**ASKED)
    except (RuntimeError, ValueError) as error:  # no compiler for this system; a class whose blocks have other names
        log.warning("%s is not compiled: %s", name, _first_line(error))
        return _Blocks()
    return _Blocks([(block, call) for block in denoiser.modules() if (call := block._compiled_call_impl) is not None])  # noqa: SLF001


def _has_room(store: Converted) -> bool:
    """Whether more may be kept. What is kept already goes where it has become too much: it is made again, in seconds."""
    from torch._inductor.runtime.cache_dir_utils import cache_dir

    folder = store.folder.with_name("compiled")
    if Path(cache_dir()).resolve() != folder.resolve():
        return True  # whoever chose another place looks after it
    if sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) > store.limit // SHARE:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    return shutil.disk_usage(folder).free > SPARED


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
