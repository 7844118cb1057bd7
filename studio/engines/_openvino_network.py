"""A network that OpenVINO runs on a CPU: read from its files, compiled for the shapes that it is asked for.

Knows no pipeline and no class of diffusers; what stands in for those is in _openvino_stand_ins.py.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.device import threads
from studio.engines._openvino_upsampling import joined

CONFIG, NETWORK = "config.json", "network.xml"
"""The files of a network: the settings of the class, and the network itself (its weights lie beside it as .bin)."""


def library() -> Any:
    """The package, without the one beside it that reports its use to its makers."""
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType] (None: it cannot be imported)
    return importlib.import_module("openvino")


class Network:
    """A translated network: arrays in, one tensor out.

    The first shapes that are asked for get a compiled form of their own, which is the quickest; as soon as others come, one for all
    shapes takes its place. Weights are read from a mapped file and are in memory once, as the compiled form has them.
    """

    def __init__(self, folder: Path, exact: bool) -> None:
        self.config: Mapping[str, Any] = json.loads((folder / CONFIG).read_text("utf-8"))
        self._core: Any = library().Core()
        self._model: Any = self._core.read_model(folder / NETWORK)
        self.inputs = [port.any_name for port in self._model.inputs]
        self._exact = exact
        self._shapes: Sequence[tuple[int, ...]] | None = None
        self._request: Any = None  # what is compiled, ready to be asked

    def __call__(self, given: Mapping[str, Any]) -> Any:
        """The network's output, float32, for torch tensors by the names in `inputs`."""
        import torch

        arrays = [given[name].detach().to(torch.float32).contiguous().numpy() for name in self.inputs]
        shapes = [array.shape for array in arrays]
        if self._request is None or (self._shapes and shapes != self._shapes):
            first = self._request is None
            self._request = None  # never two of them in memory
            self._request = self._compiled(shapes if first else None)
        (found,) = self._request.infer(arrays, share_inputs=True).values()
        return torch.from_numpy(found.copy())

    def close(self) -> None:
        """Free it; it is not called any more."""
        self._request = self._model = self._core = None

    def _compiled(self, shapes: Sequence[tuple[int, ...]] | None) -> Any:
        """Ready to be asked, for these shapes or for all."""
        import torch

        self._shapes = shapes
        model = self._model
        if shapes is not None:
            model = model.clone()  # the one that is kept stays open to all
            model.reshape(dict(zip(self.inputs, map(list, shapes), strict=True)))
            joined(model)
        precision = "f32" if self._exact or not narrow(self._core) else "bf16"
        options = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": min(threads(), torch.get_num_threads()),
            "PERFORMANCE_HINT": "LATENCY",
            "ENABLE_CPU_PINNING": False,
        }
        return self._core.compile_model(model, "CPU", options).create_infer_request()


def narrow(core: Any) -> bool:
    """Whether this CPU computes in bf16."""
    return "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
