"""Pictures on a CPU: a small Stable Diffusion with random weights, by the studio's engine and manager and by a plain diffusers script.

The model has a UNet of 220 million weights, a text encoder of 12 layers and a decoder of half the usual width; a picture is 256 px, 4
steps with guidance. The plain script draws with the same files in float32, which is what diffusers does unless told otherwise; "an app
that loads" reads them for every picture too, as a script started anew does (without the cost of starting Python). Ours is the engine's
pipeline in the manager's lease: the device's own number format, channels last, and where the package is installed the same with OpenVINO.
"full" is Stable Diffusion 1.5 in its own size, with random weights and 2 steps. They take turns; figures are CPU-seconds of one thread.

    python benchmarks/cpu.py [--part NAME] [--rounds N] [--cycles N] [--folder DIR]
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import importlib
import os
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import _measure
import numpy as np
import psutil
from PIL import Image

from studio.converted import Converted
from studio.device import Device
from studio.engines import _economies, _openvino, diffusion
from studio.manager import Manager
from studio.models import Folder, ModelCard, resolve
from studio.tasks import Inpaint, Task, TextToImage
from tests import tiny

PICTURE = {"prompt": "a red apple on a wooden table", "width": 256, "height": 256, "steps": 4, "guidance_scale": 5.0}
CPU = Device("cpu")
PARTS = ("pictures", "siblings", "converted", "numbers", "cycles", "full")


def main() -> None:
    """Measure and print, each part as soon as it is known."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--part", action="append", choices=PARTS, help="one part alone; may be given more than once")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--cycles", type=int, default=200)
    options.add_argument("--folder", type=Path, help="where the model is kept for another time")
    asked = options.parse_args()
    _measure.settings()
    for library in ("diffusers", "transformers"):
        importlib.import_module(f"{library}.utils.logging").disable_progress_bar()
    importlib.import_module("torch").set_num_threads(1)  # what a second thread waits for would count as work
    with tempfile.TemporaryDirectory(prefix="atelier-cpu-") as name:
        temporary = Path(name)
        folder = (asked.folder or temporary) / "small"
        card = _card(folder if folder.is_dir() else _small(folder))
        translating = Device("cpu", converted=Converted((asked.folder or temporary) / "openvino", 10**10), openvino=True)
        parts: dict[str, Callable[[], Iterable[Row]]] = {
            "pictures": lambda: _pictures(folder, card, asked.rounds, translating),
            "siblings": lambda: _siblings(card, temporary),
            "converted": lambda: _converted(card, temporary),
            "numbers": lambda: _numbers(folder, card, translating),
            "cycles": lambda: _cycles(tiny.stable_diffusion(temporary / "tiny"), asked.cycles),
            "full": lambda: _full((asked.folder or temporary) / "full", asked.rounds),
        }
        for part in asked.part or PARTS:
            for what, figure, bar in parts[part]():
                print(f"{what:<50}  {figure:<52}  {bar}", flush=True)
    print(f"  medians of rounds in turns, CPU-seconds unless said otherwise; numbers as {CPU.dtype}; {_measure.machine()}")


Row = tuple[str, str, str]


def _pictures(folder: Path, card: ModelCard, rounds: int, translating: Device) -> Iterator[Row]:
    """A picture by the plain script, by ours, by ours with OpenVINO, and by an app that loads for every picture."""
    seeds = iter(range(10_000))
    plain, manager = _opened(folder), Manager(CPU)
    contenders: dict[str, Callable[[], object]] = {
        "plain": lambda: _plainly(plain, next(seeds), 4),
        "ours": lambda: _run(manager, card, _task(next(seeds))),
        "naive": lambda: _plainly(_opened(folder), next(seeds), 4),
    }
    other = Manager(translating)
    if _openvino.installed():
        contenders["openvino"] = lambda: _run(other, card, _task(next(seeds)), translating)
    for name in contenders.keys() - {"naive"}:
        contenders[name]()
    taken = _measure.rounds({name: lambda work=work: _measure.cpu_seconds(work) for name, work in contenders.items()}, rounds)
    yield "plain diffusers script, float32, resident", f"{taken['plain']:.2f}", ""
    yield "ours, resident", f"{taken['ours']:.2f}: {taken['plain'] / taken['ours']:.2f} times as quick", "bar 1.9"
    yield "an app that loads for every picture", f"{taken['naive']:.2f}: ours {taken['naive'] / taken['ours']:.2f} times as quick", ""
    if quick := taken.get("openvino"):
        yield "ours with OpenVINO, resident", f"{quick:.2f}: {taken['plain'] / quick:.2f} times as quick", "bar 1.9"
        yield "  against the app that loads", f"{taken['naive'] / quick:.2f} times as quick", "bar 4"
    else:
        yield "OpenVINO is not installed", "", ""
    manager.close()
    other.close()


def _full(folder: Path, rounds: int) -> Iterator[Row]:
    """Stable Diffusion 1.5 in its own size: one picture of two steps, by the plain script and by ours."""
    card, manager = _card(folder if folder.is_dir() else _large(folder)), Manager(CPU)
    plain, task = _opened(folder), TextToImage.checked(PICTURE | {"seed": 1, "steps": 2})
    work: dict[str, Callable[[], object]] = {"plain": lambda: _plainly(plain, 1, 2), "ours": lambda: _run(manager, card, task)}
    for run in work.values():
        run()
    taken = _measure.rounds({name: lambda run=run: _measure.cpu_seconds(run) for name, run in work.items()}, min(rounds, 3))
    yield "full size, 2 steps: plain diffusers script", f"{taken['plain']:.2f}", ""
    yield "  ours, resident", f"{taken['ours']:.2f}: {taken['plain'] / taken['ours']:.2f} times as quick", "bar 2"
    manager.close()


def _opened(folder: Path) -> Any:
    """The pipeline as a plain script has it."""
    diffusers: Any = importlib.import_module("diffusers")
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(folder, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def _plainly(pipe: Any, seed: int, steps: int) -> None:
    size = {name: PICTURE[name] for name in ("prompt", "width", "height", "guidance_scale")}
    pipe(**size, num_inference_steps=steps, generator=importlib.import_module("torch").manual_seed(seed))


def _numbers(folder: Path, card: ModelCard, translating: Device) -> Iterator[Row]:
    """How far one step of the UNet is from float32, and how quick: in the device's number format, by quicker products, by OpenVINO."""
    import torch

    diffusers: Any = importlib.import_module("diffusers")
    wide = diffusers.UNet2DConditionModel.from_pretrained(folder, subfolder="unet", local_files_only=True).requires_grad_(False)
    narrow = diffusers.UNet2DConditionModel.from_pretrained(folder, subfolder="unet", local_files_only=True, dtype=CPU.dtype)
    narrow = narrow.requires_grad_(False).to(memory_format=torch.channels_last)
    sample, words = torch.randn(2, 4, 32, 32), torch.randn(2, 77, 768)

    def step(unet: Any) -> Any:
        with torch.inference_mode():
            return unet(sample.to(unet.dtype), 500, words.to(unet.dtype)).sample.float()

    def quick() -> Any:
        with _economies.quick("cpu"):
            return step(wide)

    work: dict[str, Callable[[], Any]] = {"": lambda: step(wide), f"in {CPU.dtype}": lambda: step(narrow), "by quicker products": quick}
    if _openvino.installed():
        stands = diffusion.recipe(card, _task(1), translating).components["unet"].load(_ignore)
        work["by OpenVINO" if isinstance(stands, _openvino.Denoiser) else "by torch, which was no slower than OpenVINO"] = lambda: step(
            stands
        )
    right = step(wide)
    off = {name: float((run() - right).norm() / right.norm()) for name, run in work.items()}
    taken = _measure.rounds({name: lambda run=run: _measure.cpu_seconds(run) for name, run in work.items()}, 5)
    yield "one step of the UNet, float32", f"{taken['']:.3f}", ""
    for name in list(work)[1:]:
        figure = f"{taken[name]:.3f}: {taken[''] / taken[name]:.2f} times as quick, off by {off[name]:.4f} of its norm"
        yield f"  {name}", figure, "bar 3.5, 0.03" if name == "by OpenVINO" else "bar 0.03"


def _siblings(card: ModelCard, folder: Path) -> Iterator[Row]:
    """Another seed for the same prompt, and for the same picture to mend; then from making a picture to mending one, until it is ready."""
    manager, calls, encoded = Manager(CPU), list[int](), list[int]()
    with _resident(manager, card, _task(1)) as values:
        values["text_encoder"].register_forward_hook(lambda *_: calls.append(1))
        values["vae"].encoder.register_forward_hook(lambda *_: encoded.append(1))
    _run(manager, card, _task(1))
    first = len(calls)
    _run(manager, card, _task(2))
    yield "same prompt, new seed", f"{len(calls) - first} calls of the text encoder, after {first} for the first", "bar 0"
    pixels = np.random.default_rng(0).integers(0, 256, (256, 256, 3)).astype(np.uint8)
    files = {name: str(folder / f"{name}.png") for name in ("image", "mask")}
    Image.fromarray(pixels).save(files["image"])
    Image.fromarray(np.pad(np.full((64, 64), 255, np.uint8), 96)).save(files["mask"])
    mend, again = (resolve(Inpaint.checked({"prompt": "an apple", "seed": seed, "mode": "refine"} | files), card) for seed in (1, 2))
    _run(manager, card, mend)
    first = len(encoded)
    took = _measure.cpu_seconds(lambda: _run(manager, card, again))
    figure = f"{len(encoded) - first} calls of the encoder, after {first} for the first; {took:.2f} s"
    yield "same picture, new seed", figure, "bar 0"
    before = _resident_bytes()
    seconds = [_measure.seconds(lambda task=task: _leased(manager, card, task)) for task in (mend, _task(1)) * 5]
    grown = (_resident_bytes() - before) / 1e6
    first, later = seconds[0], sorted(seconds[1:])[len(seconds) // 2]
    yield "from text-to-image to inpainting and back", f"{first:.3f} s wall at first, then {later:.3f}; {grown:+.1f} MB", "bar 0.1 s, 5 MB"


def _converted(card: ModelCard, folder: Path) -> Iterator[Row]:
    """Loading all parts, from the model's own float32 files and from what was kept of them in the device's number format."""
    store = Converted(folder / "converted", 10**10)

    def load(device: Device) -> None:
        for part in diffusion.recipe(card, _task(1), device).components.values():
            part.load(_ignore)

    keeping = Device("cpu", converted=store)
    first = _measure.cpu_seconds(lambda: load(keeping))
    work: dict[str, Callable[[], object]] = {"own": lambda: load(CPU), "kept": lambda: load(keeping)}
    taken = _measure.rounds({name: lambda run=run: _measure.cpu_seconds(run) for name, run in work.items()}, 3)
    yield "loading from float32 files", f"{taken['own']:.2f}; once with keeping them converted {first:.2f}", ""
    yield "loading what was kept", f"{taken['kept']:.2f}: {taken['own'] / taken['kept']:.1f} times as quick", ""


def _cycles(folder: Path, cycles: int) -> Iterator[Row]:
    """Resident memory after loading and evicting a tiny pipeline again and again; ten cycles to settle."""
    card, manager, task = _card(folder), Manager(CPU), _task(1)
    first = 0
    for number in range(cycles):
        _leased(manager, card, task)
        manager.unload()
        if number == 10:
            first = _resident_bytes()
    grown = _resident_bytes() / first - 1
    yield f"memory after {cycles} cycles of loading and evicting", f"{grown:+.2%} of {first / 1e6:.0f} MB", "bar +2 %"


def _run(manager: Manager, card: ModelCard, task: Task, device: Device = CPU) -> None:
    with manager.lease(diffusion.recipe(card, task, device), task, _ignore) as pipeline:
        for _ in pipeline(task, _ignore):
            pass


def _leased(manager: Manager, card: ModelCard, task: Task) -> None:
    with manager.lease(diffusion.recipe(card, task, CPU), task, _ignore):
        pass


@contextmanager
def _resident(manager: Manager, card: ModelCard, task: Task) -> Generator[dict[str, Any]]:
    """The loaded components of a task by role: those that its pipeline is built of."""
    found: dict[str, Any] = {}
    recipe = diffusion.recipe(card, task, CPU)

    def seen(values: Any) -> Any:
        found.update(values)
        return recipe.build(values)

    with manager.lease(dataclasses.replace(recipe, build=seen), task, _ignore):
        yield found


def _small(path: Path) -> Path:
    """The model in `path`, in float32 as most models are published."""
    diffusers: Any = importlib.import_module("diffusers")
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(224, 448, 896), layers_per_block=2, sample_size=32, cross_attention_dim=768, attention_head_dim=8,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    )  # fmt: skip
    vae = diffusers.AutoencoderKL(
        block_out_channels=(64, 128, 256, 256), layers_per_block=2, latent_channels=4, sample_size=256,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    return tiny.stable_diffusion(path, unet=unet, vae=vae, text_encoder=_words())


def _large(path: Path) -> Path:
    """Stable Diffusion 1.5 with random weights."""
    diffusers: Any = importlib.import_module("diffusers")
    unet = diffusers.UNet2DConditionModel(sample_size=64, cross_attention_dim=768)
    vae = diffusers.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, latent_channels=4, sample_size=512,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
    )  # fmt: skip
    return tiny.stable_diffusion(path, unet=unet, vae=vae, text_encoder=_words())


def _words() -> Any:
    """The text encoder of Stable Diffusion 1.5 with random weights, and the words of the tests' own tokenizer."""
    transformers: Any = importlib.import_module("transformers")
    config = transformers.CLIPTextConfig(
        hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12, bos_token_id=512, eos_token_id=513
    )
    return transformers.CLIPTextModel(config)


def _card(folder: Path) -> ModelCard:
    serves = ("text_to_image", "inpaint")
    return ModelCard(
        name=folder.name, engine="diffusion", serves=serves, source=Folder(path=str(folder)), files=folder,
        defaults={"width": 256, "height": 256, "steps": 4, "guidance_scale": 5.0},
    )  # fmt: skip


def _task(seed: int) -> TextToImage:
    return TextToImage.checked(PICTURE | {"seed": seed})


def _resident_bytes() -> int:
    gc.collect()
    time.sleep(0.05)
    return psutil.Process(os.getpid()).memory_info().rss


def _ignore(_: object) -> None:
    return None


if __name__ == "__main__":
    main()
