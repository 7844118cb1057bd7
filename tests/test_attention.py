"""Attention goes through torch's fused kernels in every family of picture models, none of which works out a matrix of scores by itself."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.device import Device
from studio.engines import diffusion
from tests import tiny

torch: Any = importlib.import_module("torch")

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of numpy, asked for by the libraries under test
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_attention_of_every_family_is_left_to_torchs_own_kernels(
    name: str, folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fused = torch.nn.functional.scaled_dot_product_attention
    calls: list[tuple[int, ...]] = []

    def counted(query: Any, *given: Any, **named: Any) -> Any:
        calls.append(tuple(query.shape))
        return fused(query, *given, **named)

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", counted)
    monkeypatch.setattr(importlib.import_module("diffusers.models.attention_processor").Attention, "get_attention_scores", refuse)
    card, task = tiny.card_of(folders(name)), tiny.task_of(steps=2)
    recipe = diffusion.recipe(card, task, Device("cpu"))
    values = {role: part.load(lambda _: None) for role, part in recipe.components.items()}
    readers = len(calls)
    assert len(list(recipe.build(values)(task, lambda _: None))) == 1
    denoiser = values.get("unet") or values["transformer"]
    blocks = sum(hasattr(module, "processor") for module in denoiser.modules())
    assert blocks
    assert len(calls) - readers >= blocks
