"""What the diffusion and language engines cost on a GPU, on full-size models with random weights: one JSON line.

    python -m benchmarks.gpu [--device cuda|cpu] [--small] [--folder DIR]

Claims measured, each beside its peer in the same run: warm steps against the bare diffusers pipeline, warm tokens against a bare
`generate`, peak working memory against the estimate, of the recipe and of each of its ways to save some, seconds from Stop to a free
device, seconds to load and to build again; switch-in against a plain copy from pinned memory, eviction, and a change of tabs when all
fits, with the bytes that each moves. Needs torch, diffusers, transformers, pydantic, psutil and a disk of 15 GB; no network.
`--small` takes the tests' tiny models, to try it.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from benchmarks._gpu_residency import residency
from studio.creations import Progress
from studio.device import Device
from studio.engines import diffusion, language
from studio.errors import Cancelled
from studio.manager import Manager, Recipe, Way
from studio.models import Folder, ModelCard
from studio.tasks import Task, TextToImage, Write
from tests import tiny

PROMPT = "a red apple on a wooden table, morning light"
STEPS = (10, 30)
TOKENS = (32, 160)


def _has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    options.add_argument("--small", action="store_true")
    options.add_argument("--folder", type=Path)
    asked = options.parse_args()
    if asked.device == "cuda" and not _has_cuda():
        print("gpu: no CUDA device here, nothing measured")
        return
    folder = asked.folder or Path(tempfile.mkdtemp(prefix="atelier-gpu-"))
    device = Device(asked.device)
    found: dict[str, Any] = {"device": device.name, "dtype": str(device.dtype)}
    for name, build, full in (("sd15", _sd15, 512), ("sdxl", _sdxl, 1024)):
        small = tiny.stable_diffusion if name == "sd15" else tiny.stable_diffusion_xl
        path = _made(folder / name, small if asked.small else build, asked.device)
        side = 64 if asked.small else full
        found[name] = _pictures(path, side, device) | {"residency": residency(_card("diffusion", path), side, device)}
    path = _made(folder / "chat", tiny.chat_model if asked.small else _chat, asked.device)
    found["chat"] = _text(path, device)
    print(json.dumps(found))


def _pictures(path: Path, side: int, device: Device) -> dict[str, Any]:
    import diffusers

    library: Any = diffusers
    tasks = [TextToImage.checked(_task(side) | {"steps": steps}) for steps in STEPS]
    found = _measured(_card("diffusion", path), diffusion, tasks, device)
    pipe = library.DiffusionPipeline.from_pretrained(path, dtype=device.dtype, local_files_only=True).to(device.kind)
    pipe.set_progress_bar_config(disable=True)

    def bare(steps: int) -> None:
        pipe(PROMPT, width=side, height=side, num_inference_steps=steps, guidance_scale=5.0, output_type="np")

    return found | _against(found["warm_seconds"], [_warm(lambda steps=steps: bare(steps), device) for steps in STEPS], STEPS)


def _text(path: Path, device: Device) -> dict[str, Any]:
    import torch
    import transformers

    library: Any = transformers
    tasks = [Write.checked({"prompt": PROMPT, "max_new_tokens": tokens, "temperature": 0.8, "seed": 1}) for tokens in TOKENS]
    found = _measured(_card("language", path), language, tasks, device)
    model = library.AutoModelForCausalLM.from_pretrained(path, dtype=device.dtype, local_files_only=True).to(device.kind)
    ids = torch.ones((1, 64), dtype=torch.long, device=device.kind)

    def bare(tokens: int) -> None:
        model.generate(
            ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=0.8, max_new_tokens=tokens, min_new_tokens=tokens
        )

    return found | _against(found["warm_seconds"], [_warm(lambda tokens=tokens: bare(tokens), device) for tokens in TOKENS], TOKENS)


def _measured(card: ModelCard, engine: Any, tasks: list[Any], device: Device) -> dict[str, Any]:
    """Seconds to load, to lease again, of warm runs and from Stop to the end; bytes at the peak, estimated and real."""
    import torch

    cuda = device.kind == "cuda"
    manager = Manager(device)
    recipe = engine.recipe(card, tasks[0], device)
    began = time.perf_counter()
    with manager.lease(recipe, tasks[0], _ignore):
        _settle(device)
        load = time.perf_counter() - began
    weights = torch.cuda.memory_allocated() if cuda else sum(part.bytes for part in recipe.components.values())

    def run(task: Task, report: Callable[[Any], None] = _ignore) -> None:
        with manager.lease(engine.recipe(card, task, device), task, report) as pipeline:
            _drain(pipeline(task, report))

    run(tasks[0])
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    warm = [_warm(lambda task=task: run(task), device) for task in tasks]
    peak = torch.cuda.max_memory_allocated() - weights if cuda else None
    began = time.perf_counter()
    with manager.lease(engine.recipe(card, tasks[0], device), tasks[0], _ignore):
        again = time.perf_counter() - began
    found = {
        "weights_gb": _gb(weights),
        "weights_estimated_gb": _gb(sum(part.bytes for part in recipe.components.values())),
        "load_seconds": round(load, 3),
        "lease_again_seconds": round(again, 4),
        "warm_seconds": warm,
        "working_estimated_gb": _gb(recipe.working_bytes(tasks[0])),
        "working_peak_gb": _gb(peak),
        "stop_seconds": _stopped(run, tasks[-1], device),
        "ways": {way.name: _way(manager, recipe, way, tasks[0], device) for way in recipe.ways},
    }
    manager.close()
    found["left_after_unload_gb"] = _gb(torch.cuda.memory_allocated()) if cuda else None
    return found


def _way(manager: Manager, recipe: Recipe, way: Way, task: Task, device: Device) -> dict[str, Any]:
    """What a run takes in one of the recipe's ways to save memory: seconds, and bytes at the peak, estimated and real."""
    import torch

    cuda = device.kind == "cuda"
    others = {one.name for one in (recipe.own, *recipe.ways)} - {way.name}
    with manager.lease(dataclasses.replace(recipe, key=""), task, _ignore, skip=others) as pipeline:
        before = torch.cuda.memory_allocated() if cuda else 0
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        seconds = _warm(lambda: _drain(pipeline(task, _ignore)), device)
        peak = torch.cuda.max_memory_allocated() - before if cuda else None
    weights = sum(part.bytes for part in recipe.parts(way).values())
    return {
        "seconds": seconds,
        "weights_gb": _gb(weights),
        "working_estimated_gb": _gb(way.working_bytes(task)),
        "working_peak_gb": _gb(peak),
    }


def _stopped(run: Callable[..., None], task: Task, device: Device) -> float:
    """Seconds from Stop, pressed amid the run, until the device is free."""
    pressed, at = threading.Event(), [0.0]

    def report(event: Any) -> None:
        if pressed.is_set():
            raise Cancelled
        if isinstance(event, Progress) and event.done == 5:
            threading.Timer(0.02, press).start()

    def press() -> None:
        at[0] = time.perf_counter()
        pressed.set()

    try:
        run(task, report)
    except Cancelled:
        pass
    _settle(device)
    return round(time.perf_counter() - at[0], 4)


def _warm(run: Callable[[], object], device: Device) -> float:
    """Seconds of the quicker of two runs."""
    seconds: list[float] = []
    for _ in range(2):
        _settle(device)
        began = time.perf_counter()
        run()
        _settle(device)
        seconds.append(time.perf_counter() - began)
    return round(min(seconds), 4)


def _against(ours: list[float], bare: list[float], sizes: tuple[int, int]) -> dict[str, Any]:
    """The slope of the time over steps or tokens, and the whole of the longer run, as shares of the bare library's."""
    span = sizes[1] - sizes[0]
    mine, theirs = ((times[1] - times[0]) / span for times in (ours, bare))
    return {
        "bare_seconds": bare,
        "unit_ms": round(mine * 1000, 3),
        "bare_unit_ms": round(theirs * 1000, 3),
        "ratio": round(ours[1] / bare[1], 4),
        "longer_by_ms": round((ours[1] - bare[1]) * 1000, 1),
    }


def _made(path: Path, build: Callable[[Path], Path], device: str) -> Path:
    """The model in `path`, built there unless it is from an earlier run; full-size ones on the device in 16 bit, which takes seconds."""
    import torch

    if not path.exists():
        with torch.device(device):
            build(path)
    return path


def _sd15(path: Path) -> Path:
    return _saved_pipeline(path, "StableDiffusionPipeline", {"cross_attention_dim": 768}, (768, 12, 12), None)


def _sdxl(path: Path) -> Path:
    unet = {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
        "cross_attention_dim": 2048,
    }
    return _saved_pipeline(path, "StableDiffusionXLPipeline", unet, (768, 12, 12), (1280, 32, 20))


def _saved_pipeline(path: Path, name: str, unet: dict[str, Any], first: tuple[int, int, int], second: tuple[int, int, int] | None) -> Path:
    """A pipeline of the published sizes, in bfloat16; text encoders as (width, layers, heads)."""
    import diffusers
    import torch

    library: Any = diffusers
    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    vae = library.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=1024 if second else 512,
    )
    parts: dict[str, Any] = {
        "unet": library.UNet2DConditionModel(**({"sample_size": 64} | unet)),
        "vae": vae,
        "text_encoder": _text_encoder("CLIPTextModel", *first),
        "tokenizer": tiny.clip_words(),
    }
    if second:
        parts |= {"text_encoder_2": _text_encoder("CLIPTextModelWithProjection", *second), "tokenizer_2": tiny.clip_words()}
    else:
        parts |= {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    torch.set_default_dtype(torch.float32)
    with torch.device("cpu"):
        scheduler = library.EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1)
        getattr(library, name)(**parts, scheduler=scheduler).save_pretrained(path)
    return path


def _text_encoder(kind: str, width: int, layers: int, heads: int) -> Any:
    import transformers

    config = transformers.CLIPTextConfig(
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        projection_dim=width,
        bos_token_id=512,
        eos_token_id=513,
    )
    return getattr(transformers, kind)(config)


def _chat(path: Path) -> Path:
    """A Llama of 1.1 billion parameters with a vocabulary of 32,000, of which the tokenizer knows the bytes."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    torch.set_default_dtype(torch.bfloat16)
    config = LlamaConfig(
        hidden_size=2048,
        intermediate_size=5632,
        num_hidden_layers=22,
        num_attention_heads=32,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        eos_token_id=None,
        bos_token_id=None,
    )
    model = LlamaForCausalLM(config)
    torch.set_default_dtype(torch.float32)
    model.save_pretrained(path)
    tiny.byte_words(2048).save_pretrained(path)
    return path


def _card(engine: str, path: Path) -> ModelCard:
    serves = ("text_to_image", "inpaint") if engine == "diffusion" else ("write",)
    source = Folder(path=str(path))
    return ModelCard.model_validate({"name": path.name, "engine": engine, "serves": serves, "source": source, "files": path})


def _task(side: int) -> dict[str, Any]:
    return {"prompt": PROMPT, "width": side, "height": side, "guidance_scale": 5.0, "seed": 1}


def _settle(device: Device) -> None:
    if device.kind == "cuda":
        import torch

        torch.cuda.synchronize()


def _drain(made: Iterable[object]) -> None:
    for _ in made:
        pass


def _ignore(_: Any) -> None:
    return None


def _gb(size: int | None) -> float | None:
    return None if size is None else round(size / 1e9, 3)


if __name__ == "__main__":
    main()
