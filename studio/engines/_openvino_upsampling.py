"""A picture made twice as large and then convolved, worked out as one transposed convolution: in four ninths of the multiplications.

Each pixel of the larger picture stands four times, so that of the nine products of a 3 x 3 kernel those with the same pixel can be summed
beforehand. What comes out differs by the rounding of sums alone. For networks whose shapes are known; knows nothing but OpenVINO's.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def joined(model: Any) -> int:
    """Exchange every nearest-neighbour enlargement to twice the size with its 3 x 3 convolution, in place: how many there were."""
    operations: Any = importlib.import_module("openvino.opset13")
    found = [op for op in model.get_ordered_ops() if op.get_type_name() == "Convolution" and _enlarges(op)]
    for op in found:
        filters = operations.constant(_summed(_numbers(op.input_value(1).get_node())).transpose(1, 0, 2, 3).copy())
        small = op.input_value(0).get_node().input_value(0)
        made = operations.convolution_backprop_data(small, filters, [2, 2], pads_begin=[1, 1], pads_end=[1, 1])
        made.set_friendly_name(op.get_friendly_name())
        for target in op.output(0).get_target_inputs():
            target.replace_source_output(made.output(0))
    return len(found)


def _enlarges(op: Any) -> bool:
    """Whether a convolution is such a one: 3 x 3, to the same size, known weights, over what was enlarged to exactly twice the size."""
    own, before = op.get_attributes(), op.input_value(0).get_node()
    kernel = list(op.input_value(1).get_partial_shape().get_min_shape())
    plain = all(list(own[name]) == [1, 1] for name in ("strides", "dilations", "pads_begin", "pads_end"))
    if not plain or kernel[2:] != [3, 3] or _numbers(op.input_value(1).get_node()) is None or before.get_type_name() != "Interpolate":
        return False
    told, shapes = before.get_attributes(), (before.input(0).get_partial_shape(), before.output(0).get_partial_shape())
    if (told["mode"], told["coordinate_transformation_mode"], told["nearest_mode"]) != ("nearest", "asymmetric", "floor"):
        return False
    if any(shape.is_dynamic for shape in shapes):
        return False
    (batch, channels, rows, columns), large = (list(shape.to_shape()) for shape in shapes)
    return large == [batch, channels, 2 * rows, 2 * columns]


def _numbers(node: Any) -> Any:
    """The numbers (O, I, 3, 3) of a constant as float32, also where they are kept in another format; None for anything else."""
    if node.get_type_name() == "Convert":
        node = node.input_value(0).get_node()
    return node.data.astype(np.float32) if node.get_type_name() == "Constant" else None


def _summed(kernel: NDArray[np.float32]) -> NDArray[np.float32]:
    """(O, I, 3, 3) to the (O, I, 4, 4) of the transposed convolution: with ones of 2 x 2 convolved, and turned around."""
    found = np.zeros((*kernel.shape[:2], 4, 4), np.float32)
    for row in range(2):
        for column in range(2):
            found[:, :, row : row + 3, column : column + 3] += kernel
    return found[:, :, ::-1, ::-1]
