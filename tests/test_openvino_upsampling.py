"""Enlarging and convolving as one transposed convolution: the same numbers, and only where it is the same."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest

from studio.engines import _openvino_upsampling
from studio.engines._openvino_network import library

torch: Any = importlib.import_module("torch")

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore")]  # tracing warns of every branch it follows


def enlarged(by: float, padding: int = 1, mode: str = "nearest") -> Any:
    """A module that enlarges and then convolves, between two others."""
    torch.manual_seed(0)
    before, conv, after = torch.nn.Conv2d(4, 6, 1), torch.nn.Conv2d(6, 5, 3, padding=padding), torch.nn.Conv2d(5, 2, 1)

    class Enlarged(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = torch.nn.ModuleList([before, conv, after])

        def forward(self, sample: Any) -> Any:
            return after(conv(torch.nn.functional.interpolate(before(sample), scale_factor=by, mode=mode)))

    return Enlarged().eval().requires_grad_(False)


def test_a_summed_kernel_transposed_gives_what_enlarging_and_convolving_gives() -> None:
    functional, picture, kernel = torch.nn.functional, torch.randn(2, 3, 5, 7), torch.randn(4, 3, 3, 3)
    right = functional.conv2d(functional.interpolate(picture, scale_factor=2.0), kernel, padding=1)
    summed = torch.from_numpy(_openvino_upsampling._summed(kernel.numpy()).copy()).transpose(0, 1)
    found = functional.conv_transpose2d(picture, summed, stride=2, padding=1)
    assert found.shape == right.shape and torch.allclose(found, right, atol=1e-5)


@pytest.mark.thorough
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("by", "padding", "mode", "rows", "count"),
    [
        (2.0, 1, "nearest", 5, 1),
        (3.0, 1, "nearest", 5, 0),
        (2.0, 0, "nearest", 5, 0),
        (2.0, 1, "bilinear", 5, 0),
        (2.0, 1, "nearest", -1, 0),
    ],
)
def test_only_what_comes_out_the_same_is_joined(by: float, padding: int, mode: str, rows: int, count: int) -> None:
    pytest.importorskip("openvino")
    module, picture = enlarged(by, padding, mode), torch.randn(1, 4, 5, 7)
    with torch.inference_mode():
        model, right = library().convert_model(module, example_input={"sample": picture}), module(picture).numpy()
    model.reshape({model.inputs[0].any_name: [1, 4, rows, 7]})
    assert _openvino_upsampling.joined(model) == count
    assert ("ConvolutionBackpropData" in {op.get_type_name() for op in model.get_ops()}) == bool(count)
    request = library().Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    (found,) = request.infer([picture.numpy()]).values()
    assert np.allclose(found, right, atol=1e-4)
