"""The child process of `_openvino.py`: translates one network of a model from torch, tries it, and says whether it is worth using.

Reads one JSON request from its standard input and ends when that input closes. The trial: one step on the same numbers by torch and by
OpenVINO, each in the number format it would have; what is no quicker, or too far from float32, is not used.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from studio import child
from studio.engines._openvino import FACTS
from studio.engines._openvino_network import CONFIG, NETWORK, Network, library
from studio.engines._openvino_stand_ins import POSITIONS
from studio.engines._openvino_tracing import traced

FAR, FURTHER = 0.03, 1.25
"""The most that a network may be off in one step, as a part of the result's norm; where torch is further off in the number format that it
would have, so many times as far as torch."""
LATENT = 64
"""Latents of the trial are no larger a side."""
ODD, EVEN = (35, 45), (34, 46)
"""Rows and columns of the latents that it is translated with: no multiples of 2, so that the way for such sizes is in it, too. Those of a
transformer must be even: it works on patches of 2."""
TRIES = 3


def main() -> None:
    """Serve one request; what cannot be translated is said in the file of facts, with no network beside it."""
    request = json.loads(sys.stdin.readline())
    child.end_with_parent()
    import torch

    torch.set_num_threads(request["threads"])
    out = Path(request["out"])
    try:
        facts = translated(request, out)
    except Exception as error:  # noqa: BLE001 (handed over to the studio's process as a fact)
        facts = {"use": False, "why": f"{type(error).__name__}: {error}"[:500]}
    if not facts["use"]:
        for file in out.glob("network.*"):
            file.unlink()
    (out / FACTS).write_text(json.dumps(facts), "utf-8")


def translated(request: Mapping[str, Any], out: Path) -> dict[str, Any]:
    """Write the network of a request to `out`, and try it."""
    import torch

    openvino = library()
    # 1. As torch has it, in float32, which is what is translated.
    own, config = _module(request, torch.float32)
    (out / CONFIG).write_text(json.dumps(config), "utf-8")
    wrapped, inputs = traced(own, config, request["kind"])
    shape = EVEN if request["role"] == "transformer" else ODD
    with torch.inference_mode():
        network = openvino.convert_model(wrapped, example_input=inputs(*shape))
        for port, name in zip(network.inputs, inputs(*shape), strict=True):  # a port may have taken a second name on its way
            if name not in port.get_names():
                raise ValueError(f"its input {name} has become {port.get_names()}")
            port.get_tensor().set_names({name})
        openvino.save_model(network, out / NETWORK, compress_to_fp16=True)
        del network
        # 2. Against it: what the studio would have instead, and what was translated.
        side = LATENT // 2 if request["role"] == "vae" else min(int(config.get("sample_size") or LATENT), LATENT)
        example = inputs(side, side)
        right = wrapped(**example)
        narrow = getattr(torch, request["dtype"])
        if narrow != torch.float32:
            own.to(narrow)
        if request["role"] != "transformer":
            own.to(memory_format=torch.channels_last)
        told = {name: value if name in POSITIONS else value.to(narrow) for name, value in example.items()}
        both = partial(wrapped, **told), partial(Network(out, narrow == torch.float32), example)
        (theirs, torch_seconds), (found, seconds) = _tried(*both)
    error, torch_error = (float((one.float() - right).norm() / right.norm()) for one in (found, theirs))
    use = error <= max(FAR, FURTHER * torch_error) and seconds < torch_seconds
    return {"use": use, "error": error, "torch_error": torch_error, "seconds": seconds, "torch_seconds": torch_seconds}


def _module(request: Mapping[str, Any], dtype: Any) -> tuple[Any, dict[str, Any]]:
    """The module in torch, never to be trained, and the settings of its class."""
    kind = getattr(importlib.import_module("diffusers"), request["kind"])
    options = {"variant": request["variant"], "use_safetensors": True, "local_files_only": True}
    own = kind.from_pretrained(request["folder"], dtype=dtype, **options).eval().requires_grad_(False)
    names = inspect.signature(kind.__init__).parameters
    return own, {name: value for name, value in own.config.items() if name in names}


def _tried(*contenders: Callable[[], Any]) -> list[tuple[Any, float]]:
    """What each gives, and the CPU-seconds of its quickest try. They take turns, so that other programs' work counts for neither."""
    taken = [float("inf")] * len(contenders)
    found: list[Any] = [None] * len(contenders)
    for _ in range(TRIES):
        for number, work in enumerate(contenders):
            began = time.process_time()
            found[number] = work()
            taken[number] = min(taken[number], time.process_time() - began)
    return list(zip(found, taken, strict=True))


if __name__ == "__main__":
    main()
