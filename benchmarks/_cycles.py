"""Memory over many changes of models: real pipelines by turns under a budget that holds one of them. Not a script."""

from __future__ import annotations

import gc
import importlib
from pathlib import Path
from typing import Any

import psutil

from studio.device import Device
from studio.manager import Manager, Recipe
from studio.models import Folder, ModelCard
from studio.tasks import TextToImage
from tests import tiny


def cycles(folder: Path, count: int) -> list[int]:
    """Bytes of this process alone, after each of `count` loads of one pipeline or the other, each of which evicts the other."""
    torch: Any = importlib.import_module("torch")
    torch.set_num_threads(1)
    task = TextToImage.checked({"prompt": "a red apple", "width": 64, "height": 64, "steps": 1, "guidance_scale": 1, "seed": 1})
    recipes = [made(tiny.stable_diffusion(folder / name), name, task) for name in ("one", "other")]
    needs = [sum(recipe.sizes.values()) + recipe.working_bytes(task) for recipe in recipes]
    manager = Manager(Device("cpu", budget_gb=(max(needs) + 1000) / 1e9))
    found: list[int] = []
    for number in range(count):
        with manager.lease(recipes[number % 2], task, lambda _: None) as pipeline:
            for _ in pipeline(task, lambda _: None):
                pass
        if len(manager.status().residents) != len(recipes[0].sizes):
            raise AssertionError("the other pipeline was not evicted")
        if number == 0:
            gc.collect()
            gc.freeze()  # the libraries: what an eviction collects is what came since
        found.append(psutil.Process().memory_full_info().uss)
    manager.close()
    return found


def leaves(folder: Path, count: int) -> int:
    """Bytes that stay in this process when the library alone reads a model's files `count` times and keeps nothing."""
    library: Any = importlib.import_module("safetensors.torch")
    files = sorted(tiny.stable_diffusion(folder / "read").rglob("*.safetensors"))
    for file in files * 5:
        library.load_file(file)
    before = psutil.Process().memory_full_info().uss
    for file in files * count:
        library.load_file(file)
    return psutil.Process().memory_full_info().uss - before


def made(files: Path, name: str, task: TextToImage) -> Recipe:
    """The recipe of a model folder."""
    diffusion: Any = importlib.import_module("studio.engines.diffusion")
    card = ModelCard(name=name, engine="diffusion", serves=("text_to_image",), source=Folder(path=str(files)), files=files)
    return diffusion.recipe(card, task, Device("cpu"))
