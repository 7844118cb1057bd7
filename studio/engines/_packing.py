"""Weights in 8 or in 4 bits: what a layer multiplies with, unpacked each time it works.

Linear layers and convolutions are packed, which are nearly all of a denoiser; norms, embeddings, what goes in and what comes out stay as
they are. 8 bits have one scale for each row, which is all that makes one number of the result; 4 bits a scale and a lowest value for each
group of neighbours in a row, as llama.cpp's Q4_1. Works on every device and needs no package. Knows modules and headers; no pipeline.
"""

from __future__ import annotations

from functools import partial
from math import prod
from types import MappingProxyType
from typing import Any

from studio.components import Weights

BITS = MappingProxyType({"int8": 8, "int4": 4})
"""By the name that stands in a component's key."""
GROUPS = (64, 32, 16)
"""Neighbours that share a scale in 4 bits: the first that divides a row; a row that none divides is packed in 8 bits."""
SHORTEST = 16
"""Numbers in a row; shorter ones are not worth it."""
BLOCK = 1 << 18
"""Numbers that a CPU unpacks at once: a megabyte, which stays in its cache."""
KEPT = ("embed", "shared", "relative_attention")
"""Parts of names: what goes in stays as it is, and most of what tells the time."""
ENDS = ("conv_in.", "conv_out.", "proj_out.", "lm_head.")
"""Beginnings of names: so do the first and the last layer."""


def sizes(found: Weights, itemsize: int) -> dict[str, int]:
    """Bytes of the module by the names of BITS, where its other numbers take `itemsize` bytes; and the most that is unpacked at once.

    The last stands under "unpacked".
    """
    total = dict.fromkeys((*BITS, "unpacked"), 0)
    for name, tensor in found.tensors:
        floating = tensor.dtype in ("F16", "BF16", "F32", "F64")
        plain = prod(tensor.shape) * itemsize if floating else tensor.end - tensor.begin
        packed = floating and name.endswith(".weight") and len(tensor.shape) in (2, 4) and _packs(name, prod(tensor.shape[1:]))
        for kind, bits in BITS.items():
            total[kind] += _bytes(tensor.shape, bits, itemsize) if packed else plain
        total["unpacked"] = max(total["unpacked"], 2 * plain if packed else 0)
    return total


def pack(module: Any, kind: str, place: str) -> Any:
    """Pack the layers of a module in place as `kind` says, one after the other, and put all of it on the device `place`."""
    import torch

    for name, layer in module.named_modules():
        if type(layer) not in (torch.nn.Linear, torch.nn.Conv2d) or getattr(layer, "padding_mode", "zeros") != "zeros":
            continue
        shape = layer.weight.shape
        if not _packs(f"{name}.weight", prod(shape[1:])):
            continue
        weight = layer.weight.data.to(place).reshape(shape[0], -1)
        group = _group(weight.shape[1]) if BITS[kind] == 4 else 0
        packed, scale, low = _in_fours(weight, group) if group else _in_eights(weight)
        layer.weight = torch.nn.Parameter(packed, requires_grad=False)
        layer.register_buffer("scale", scale)
        layer.register_buffer("low", low)
        vars(layer)["forward"] = partial(_product, layer, group, shape)
        del weight
    return module.to(place)


def unpacked(layer: Any, group: int, dtype: Any) -> Any:
    """The weight (out, in) of a packed layer as numbers of `dtype`; `group` is 0 for 8 bits."""
    import torch

    packed = layer.weight
    if not group:
        return packed.to(dtype) * layer.scale.to(dtype)
    if dtype == torch.bfloat16 and packed.device.type == "cpu":
        return _in_blocks(layer, group)
    bits = packed.view(torch.uint8)
    levels = torch.cat((bits & 15, bits >> 4), dim=1).to(dtype)
    levels = levels.view(len(levels), -1, group)  # (out, in / group, group)
    return torch.addcmul(layer.low.to(dtype), levels, layer.scale.to(dtype)).view(len(levels), -1)


def _in_blocks(layer: Any, group: int) -> Any:
    """The same as `unpacked` gives in bf16, to the last bit: in float32, some rows at a time. Measured: half the time of one go in bf16."""
    import torch

    bits = layer.weight.view(torch.uint8)
    rows, half = bits.shape
    found, step = torch.empty(rows, 2 * half, dtype=torch.bfloat16), max(1, BLOCK // (2 * half))
    for begin in range(0, rows, step):
        part = slice(begin, begin + step)
        levels = torch.empty(len(bits[part]), 2 * half)
        levels[:, :half] = bits[part] & 15
        levels[:, half:] = bits[part] >> 4
        grouped = levels.view(len(levels), -1, group).mul_(layer.scale[part].float()).add_(layer.low[part].float())
        found[part] = grouped.view(len(levels), -1)
    return found


def _product(layer: Any, group: int, shape: Any, given: Any) -> Any:
    import torch

    weight = unpacked(layer, group, given.dtype).view(shape)
    if len(shape) == 2:
        return torch.nn.functional.linear(given, weight, layer.bias)
    return torch.nn.functional.conv2d(given, weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)


def _in_eights(weight: Any) -> tuple[Any, Any, Any]:
    """(out, in) -> int8 (out, in), scales (out, 1), nothing."""
    import torch

    numbers = weight.float()
    scale = numbers.abs().amax(dim=1, keepdim=True).clamp(min=1e-12) / 127
    packed = (numbers / scale).round_().to(torch.int8)
    return packed, scale.to(weight.dtype), None


def _in_fours(weight: Any, group: int) -> tuple[Any, Any, Any]:
    """(out, in) -> two levels a byte (out, in / 2), scales and lowest values (out, in / group, 1).

    The bytes are called int8: libraries that look at a layer's number format leave that one alone.
    """
    import torch

    rows = weight.float().view(len(weight), -1, group)
    low, high = rows.amin(dim=2, keepdim=True), rows.amax(dim=2, keepdim=True)
    low = low.to(weight.dtype).float()  # as it will be read
    scale = ((high - low).clamp(min=1e-12) / 15).to(weight.dtype)
    levels = (rows - low).div_(scale.float()).round_().clamp_(0, 15).to(torch.uint8).view(len(weight), -1)
    first, second = levels.chunk(2, dim=1)
    return (first | (second << 4)).view(torch.int8), scale, low.to(weight.dtype)


def _packs(name: str, row: int) -> bool:
    return row >= SHORTEST and not name.startswith(ENDS) and not any(word in name for word in KEPT)


def _group(row: int) -> int:
    """0 where the row is packed in 8 bits."""
    return next((group for group in GROUPS if row % group == 0), 0)


def _bytes(shape: tuple[int, ...], bits: int, itemsize: int) -> int:
    rows, row = shape[0], prod(shape[1:])
    group = _group(row) if bits == 4 else 0
    return rows * row // 2 + 2 * rows * row // group * itemsize if group else rows * row + rows * itemsize
