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
from studio.engines._openvino import CONFIG, FACTS, KINDS, NETWORK, Network, library, waves

FAR, FURTHER = 0.03, 1.25
"""The most that a network may be off in one step, as a part of the result's norm; where torch is further off in the number format that it
would have, so many times as far as torch."""
LATENT = 64
"""Latents of the trial are no larger a side."""
ODD = (35, 45)
"""Rows and columns of the latents that it is translated with: no multiples of 2, so that the way for such sizes is in it, too."""
TRIES = 2


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
    wrapped, inputs = _wrapped(own, config, request["role"])
    with torch.inference_mode():
        network = openvino.convert_model(wrapped, example_input=inputs(*ODD))
        for port, name in zip(network.inputs, inputs(*ODD), strict=True):  # a port may have taken a second name on its way
            if name not in port.get_names():
                raise ValueError(f"its input {name} has become {port.get_names()}")
            port.get_tensor().set_names({name})
        openvino.save_model(network, out / NETWORK, compress_to_fp16=True)
        del network
        # 2. Against it: what the studio would have instead, and what was translated.
        side = min(int(config.get("sample_size") or LATENT), LATENT) if request["role"] == "unet" else LATENT // 2
        example = inputs(side, side)
        right = wrapped(**example)
        narrow = getattr(torch, request["dtype"])
        if narrow != torch.float32:
            own.to(narrow)
        own.to(memory_format=torch.channels_last)
        theirs, torch_seconds = _tried(partial(wrapped, **{name: value.to(narrow) for name, value in example.items()}))
        del own, wrapped
        found, seconds = _tried(partial(Network(out, narrow == torch.float32), example))
    error, torch_error = (float((one.float() - right).norm() / right.norm()) for one in (found, theirs))
    use = error <= max(FAR, FURTHER * torch_error) and seconds < torch_seconds
    return {"use": use, "error": error, "torch_error": torch_error, "seconds": seconds, "torch_seconds": torch_seconds}


def _module(request: Mapping[str, Any], dtype: Any) -> tuple[Any, dict[str, Any]]:
    """The module in torch, never to be trained, and the settings of its class."""
    kind = getattr(importlib.import_module("diffusers"), KINDS[request["role"]])
    options = {"variant": request["variant"], "use_safetensors": True, "local_files_only": True}
    own = kind.from_pretrained(request["folder"], dtype=dtype, **options).eval().requires_grad_(False)
    names = inspect.signature(kind.__init__).parameters
    return own, {name: value for name, value in own.config.items() if name in names}


def _wrapped(own: Any, config: Mapping[str, Any], role: str) -> tuple[Any, Callable[[int, int], dict[str, Any]]]:
    """A module that takes the network's inputs by name and gives one tensor, and inputs of noise for latents of (rows, columns)."""
    import torch

    generator = torch.Generator().manual_seed(0)

    def noise(*shape: int) -> Any:
        return torch.randn(*shape, generator=generator)

    if role == "vae":
        return own.decoder, lambda rows, columns: {"sample": noise(1, config["latent_channels"], rows, columns)}
    if config.get("class_embed_type") or config.get("encoder_hid_dim_type") or config.get("num_class_embeds"):
        raise ValueError("a UNet that is told of classes or pictures")
    if config.get("time_embedding_type", "positional") != "positional":
        raise ValueError("a UNet that is told times in another way")
    added, condition = config.get("addition_embed_type"), config.get("time_cond_proj_dim")
    if added not in (None, "text_time"):
        raise ValueError(f"a UNet that is told {added}")
    wide = config["cross_attention_dim"]
    wide = wide if isinstance(wide, int) else wide[0]
    sizes = 6 * (config.get("addition_time_embed_dim") or 0)
    pooled = config["projection_class_embeddings_input_dim"] - sizes if added else 0

    def inputs(rows: int, columns: int) -> dict[str, Any]:
        times = waves(config, "block_out_channels")(torch.full((2,), 501.0))
        found = {"sample": noise(2, config["in_channels"], rows, columns), "times": times, "words": noise(2, 77, wide)}
        if condition:
            found["timestep_cond"] = noise(2, condition)
        return found | ({"text_embeds": noise(2, pooled), "sizes": noise(2, sizes).sin()} if added else {})

    return _named(own, bool(condition), bool(added)), inputs


def _named(own: Any, condition: bool, added: bool) -> Any:
    """The UNet with its inputs as named tensors, which is all that tracing follows; times and sizes come as waves already."""
    import torch

    class Told(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            own.get_time_embed = lambda sample, timestep: timestep.to(sample.dtype)
            own.add_time_proj = torch.nn.Identity()
            self.own = own

    class Plain(Told):
        def forward(self, sample: Any, times: Any, words: Any) -> Any:
            return self.own(sample, times, words, return_dict=False)[0]

    class Conditioned(Told):
        def forward(self, sample: Any, times: Any, words: Any, timestep_cond: Any) -> Any:
            return self.own(sample, times, words, timestep_cond=timestep_cond, return_dict=False)[0]

    class Added(Told):
        def forward(self, sample: Any, times: Any, words: Any, text_embeds: Any, sizes: Any) -> Any:
            told = {"text_embeds": text_embeds, "time_ids": sizes}
            return self.own(sample, times, words, added_cond_kwargs=told, return_dict=False)[0]

    if condition and added:
        raise ValueError("a UNet that is told both of guidance and of sizes")
    return (Conditioned if condition else Added if added else Plain)()


def _tried(work: Callable[[], Any]) -> tuple[Any, float]:
    """A result, and the CPU-seconds of the quickest of a few tries: other programs' work does not count."""
    taken, found = float("inf"), None
    for _ in range(TRIES):
        began = time.process_time()
        found = work()
        taken = min(taken, time.process_time() - began)
    return found, taken


if __name__ == "__main__":
    main()
