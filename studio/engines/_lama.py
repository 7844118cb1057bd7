"""The generator of LaMa: a hole drawn from the whole picture at once, by convolutions over the picture and over its Fourier transform.

Suvorov et al., "Resolution-robust large mask inpainting with Fourier convolutions" (WACV 2022); how many sizes and blocks there are is
read from the names of the weights, which are those of the published checkpoint ("big-lama": 3 sizes, 18 blocks, 51 million numbers).
Knows tensors; knows no task, no file and no mask beyond its values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

LEAST = 32
"""Pixels: the smallest side it draws."""
_EPSILON = 1e-5  # of every normalisation, as trained
_NAME = re.compile(r"^(?:.*\bgenerator\.)?(model\.\d+\..+)$")


@dataclass(frozen=True)
class Lama:
    """The generator with its weights: torch tensors on one device, by the names of the published checkpoint from "model." on."""

    weights: Mapping[str, Any]
    sizes: int
    blocks: int

    def drawn(self, picture: Any, mask: Any, tick: Callable[[float], None] = lambda done: None) -> Any:
        """The picture with the hole drawn: (1, 3, h, w) in [0, 1]. Sides are multiples of 2**sizes, at least `LEAST`.

        `picture` (1, 3, h, w) float in [0, 1]; `mask` (1, 1, h, w), 1 where it is drawn. `tick` hears the fraction done, and stops the
        work by raising.
        """
        import torch
        from torch.nn import functional

        known = torch.cat([picture * (1 - mask), mask], dim=1)  # (1, 4, h, w)
        near = self._conv("model.1.ffc.convl2l", functional.pad(known, (3, 3, 3, 3), mode="reflect"))
        near = functional.relu(self._normed("model.1.bn_l", near))
        far: Any = None  # the channels that see the whole picture
        for number in range(2, self.sizes + 2):
            near, far = self._step(f"model.{number}", near, far, stride=2)
        for number in range(self.sizes + 2, self.sizes + 2 + self.blocks):
            tick((number - self.sizes - 2) / self.blocks)
            inner = self._step(f"model.{number}.conv1", near, far)
            inner = self._step(f"model.{number}.conv2", *inner)
            near, far = near + inner[0], far + inner[1]
        found = torch.cat([near, far], dim=1)
        for size in range(self.sizes):
            name = self.sizes + self.blocks + 3 + 3 * size
            weight, bias = self.weights[f"model.{name}.weight"], self.weights[f"model.{name}.bias"]
            found = functional.conv_transpose2d(found, weight, bias, stride=2, padding=1, output_padding=1)
            found = functional.relu(self._normed(f"model.{name + 1}", found))
        last = f"model.{4 * self.sizes + self.blocks + 4}"
        found = functional.conv2d(
            functional.pad(found, (3, 3, 3, 3), mode="reflect"), self.weights[f"{last}.weight"], self.weights[f"{last}.bias"]
        )
        tick(1.0)
        return mask * torch.sigmoid(found) + (1 - mask) * picture

    def _step(self, name: str, near: Any, far: Any, stride: int = 1) -> tuple[Any, Any]:
        """One Fourier convolution: near and far channels, each made of both where the checkpoint joins them, normalised and rectified."""
        from torch.nn import functional

        padded = functional.pad(near, (1, 1, 1, 1), mode="reflect")
        local = self._conv(f"{name}.ffc.convl2l", padded, stride)
        spread: Any = None
        if f"{name}.ffc.convl2g.weight" in self.weights:
            spread = self._conv(f"{name}.ffc.convl2g", padded, stride)
        if far is not None:
            local = local + self._conv(f"{name}.ffc.convg2l", functional.pad(far, (1, 1, 1, 1), mode="reflect"), stride)
            spread = spread + self._spectral(f"{name}.ffc.convg2g", far)
        local = functional.relu(self._normed(f"{name}.bn_l", local))
        return local, None if spread is None else functional.relu(self._normed(f"{name}.bn_g", spread))

    def _spectral(self, name: str, far: Any) -> Any:
        """Channels that see the whole picture: a convolution of one frequency each, (1, c, h, w)."""
        import torch
        from torch.nn import functional

        inner = functional.relu(self._normed(f"{name}.conv1.1", self._conv(f"{name}.conv1.0", far)))
        waves = torch.fft.rfftn(inner, dim=(-2, -1), norm="ortho")  # (1, c, h, w // 2 + 1)
        parts = torch.stack((waves.real, waves.imag), dim=2).flatten(1, 2)  # real and imaginary in turn: (1, 2c, h, w // 2 + 1)
        parts = functional.relu(self._normed(f"{name}.fu.bn", self._conv(f"{name}.fu.conv_layer", parts)))
        parts = parts.unflatten(1, (-1, 2)).movedim(2, -1).contiguous()
        back = torch.fft.irfftn(torch.view_as_complex(parts), s=inner.shape[-2:], dim=(-2, -1), norm="ortho")
        return self._conv(f"{name}.conv2", inner + back)

    def _conv(self, name: str, values: Any, stride: int = 1) -> Any:
        from torch.nn import functional

        return functional.conv2d(values, self.weights[f"{name}.weight"], stride=stride)

    def _normed(self, name: str, values: Any) -> Any:
        from torch.nn import functional

        mean, variance, weight, bias = (self.weights[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias"))
        return functional.batch_norm(values, mean, variance, weight, bias, eps=_EPSILON)


def of(state: Mapping[str, Any]) -> Lama | None:
    """The generator of a checkpoint's tensors, in float32; None where they are none of its. What else a checkpoint holds is left aside."""
    weights = {found[1]: value.float() for name, value in state.items() if (found := _NAME.match(name)) and value.is_floating_point()}
    blocks = sorted(int(name.split(".")[1]) for name in weights if re.fullmatch(r"model\.\d+\.conv1\.ffc\.convl2l\.weight", name))
    if not blocks or blocks != list(range(blocks[0], blocks[-1] + 1)):
        return None
    found = Lama(weights, blocks[0] - 2, len(blocks))
    return found if found.sizes > 0 and set(_names(found.sizes, len(blocks))) <= set(weights) else None


def _names(sizes: int, blocks: int) -> list[str]:
    """What a whole checkpoint holds."""
    norm = ("weight", "bias", "running_mean", "running_var")

    def step(name: str, links: str, norms: str) -> list[str]:
        return [f"{name}.ffc.conv{link}.weight" for link in links.split()] + [f"{name}.bn_{one}.{part}" for one in norms for part in norm]

    found = step("model.1", "l2l", "l")
    for number in range(2, sizes + 1):
        found += step(f"model.{number}", "l2l", "l")
    found += step(f"model.{sizes + 1}", "l2l l2g", "lg")
    for number in range(sizes + 2, sizes + 2 + blocks):
        for half in ("conv1", "conv2"):
            name = f"model.{number}.{half}"
            inner = f"{name}.ffc.convg2g"
            found += step(name, "l2l l2g g2l", "lg")
            found += [f"{inner}.{part}.weight" for part in ("conv1.0", "fu.conv_layer", "conv2")]
            found += [f"{inner}.{part}.{one}" for part in ("conv1.1", "fu.bn") for one in norm]
    for number in range(sizes + blocks + 3, 4 * sizes + blocks + 3, 3):
        found += [f"model.{number}.weight", f"model.{number}.bias", *(f"model.{number + 1}.{part}" for part in norm)]
    return [*found, f"model.{4 * sizes + blocks + 4}.weight", f"model.{4 * sizes + blocks + 4}.bias"]
