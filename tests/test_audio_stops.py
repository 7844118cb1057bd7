"""A stop in every engine that makes sound: not one more step of its model, and nothing of the run in memory afterwards."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.creations import Progress, Take
from studio.device import Device
from studio.engines import audiocraft, diffusion_audio, musicgen, starter_composer, voice
from studio.errors import Cancelled
from studio.models import Bundled, Folder, ModelCard
from studio.tasks import Compose, Narrate
from tests import tiny_diffusion_audio, tiny_music, tiny_voices

pytestmark = [pytest.mark.usefixtures("one_thread"), pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")]
CPU = Device("cpu")
ASSETS = Path(__file__).parent.parent / "assets"
NUMPY = np.lib.tracemalloc_domain
LEFT = 4096
"""Bytes that may be left: caches of tiny arrays, but no sound and no picture of noise."""
ENGINES = {"musicgen": musicgen, "audiocraft": audiocraft, "vits": voice, "bark": voice, "dia": voice, "csm": voice}
BUILDERS: dict[str, Callable[[Path], Path]] = {
    "ACE-Step": tiny_diffusion_audio.ace_step,
    "Stable Audio Open": tiny_diffusion_audio.stable_audio,
    "Stable Audio 3": tiny_diffusion_audio.stable_audio_3,
    "AudioLDM 2": tiny_diffusion_audio.audioldm2,
    "LongCat": tiny_diffusion_audio.longcat,
    "musicgen": tiny_music.musicgen,
    "vits": tiny_voices.vits,
    "bark": tiny_voices.bark,
    "dia": tiny_voices.dia,
    "csm": tiny_voices.csm,
}
STEPS: dict[str, Callable[[Any], Any]] = {
    "AudioLDM 2": lambda parts: parts["unet"],
    "musicgen": lambda parts: parts["model"].decoder,
    "audiocraft": lambda parts: parts["model"].lm,
    "vits": lambda parts: parts["model"].decoder,
    "bark": lambda parts: parts["model"].semantic,
    "dia": lambda parts: parts["model"].model.decoder,
    "csm": lambda parts: parts["model"].backbone_model,
}
QUICK = ("LongCat", "musicgen", "vits")
EVERY = [name if name in QUICK else pytest.param(name, marks=pytest.mark.thorough) for name in (*BUILDERS, "audiocraft")]


@pytest.mark.parametrize("name", EVERY)
def test_a_stop_is_the_last_step_and_leaves_nothing_in_memory(name: str, tmp_path: Path) -> None:
    engine: Any = ENGINES.get(name, diffusion_audio)
    card, task = card_of(name, tmp_path), task_of(name)
    recipe = engine.recipe(card, task, CPU)
    parts = {role: part.load(lambda _: None) for role, part in recipe.components.items()}
    module = STEPS.get(name, lambda parts: parts["transformer"])(parts)
    steps: list[int] = []
    after = 2 if name == "vits" else 6

    def stop_early() -> int:
        """How many steps were made when the stop was asked for."""
        steps.clear()
        events: list[Progress] = []
        asked: list[int] = []

        def report(event: Any) -> None:
            if isinstance(event, Progress):
                events.append(event)
            if len(events) >= after:
                asked.append(len(steps))
                raise Cancelled

        try:
            takes = [take.finish for take in recipe.build(parts)(task, report)]
        except Cancelled:
            takes = []
        assert asked, "it was stopped"
        assert takes in ([], ["stopped"])
        return asked[0]

    with counted(module, steps):
        stop_early()  # what a library keeps of its first run, it keeps for good
        with kept() as found:
            made = stop_early()
        assert len(steps) == made, "steps after the stop"
    assert made > 0 or name == "vits"
    stopped = list(steps)
    assert found["bytes"] <= LEFT
    steps.clear()
    with counted(module, steps):
        list(recipe.build(parts)(task, lambda _: None))
    assert len(steps) > len(stopped), "unstopped it makes more steps"


@pytest.mark.parametrize(
    ("seconds", "stage", "finish"), [(10, "composing", []), (10, "playing", []), (10, "heard", []), (40, "playing on", ["stopped"])]
)
def test_a_stopped_composer_leaves_nothing_in_memory_but_what_was_heard(seconds: float, stage: str, finish: list[str]) -> None:
    """It is stopped at its third bar, at its second instrument, once all is heard, and where the beginning of a long piece is heard."""
    card = starter_composer.CARDS[0].model_copy(update={"files": ASSETS / "composer"})
    asked = {"prompt": "calm lo-fi piano, 72 bpm, A minor", "seed": 7, "duration": seconds, "temperature": 0.9, "top_p": 0.95}
    task = Compose.checked(asked)
    recipe = starter_composer.recipe(card, task, CPU)
    parts = {role: part.load(lambda _: None) for role, part in recipe.components.items()}

    def stop_early() -> list[str]:
        bars, instruments, heard, stopped = 0, 0, 0, list[bool]()

        def report(event: Any) -> None:
            nonlocal bars, instruments, heard
            bars += isinstance(event, Progress) and not event.note
            instruments += isinstance(event, Progress) and event.note not in ("", "measuring")
            heard += not isinstance(event, Progress)
            now = {
                "composing": bars == 3,
                "playing": instruments == 2,
                "heard": heard == 1,
                "playing on": heard == 1 and isinstance(event, Progress),
            }
            if now[stage]:
                stopped.append(True)
                raise Cancelled

        found = list[str]()
        try:
            found += [take.finish for take in recipe.build(parts)(task, report) if isinstance(take, Take)]
        except Cancelled:
            pass
        assert stopped, "it was stopped"
        return found

    stop_early()  # sounds of drums and rooms are kept for the next run, up to a number
    with kept() as found:
        assert stop_early() == finish
    assert found["bytes"] <= LEFT


def test_what_a_run_leaves_is_seen() -> None:
    """Without this the test above could not fail."""
    import torch

    left: list[Any] = []
    with kept() as found:
        left.append(torch.zeros(5000))
    assert found["bytes"] == 20_000
    with kept() as found:
        left.append(np.zeros(5000))
    assert found["bytes"] == 40_000
    with kept() as found:
        assert not np.zeros(5000).any() and not torch.zeros(5000).any()
    assert found["bytes"] == 0


def card_of(name: str, place: Path) -> ModelCard:
    engine = next((part for part in ("musicgen", "audiocraft") if name == part), "voice" if name in ENGINES else "diffusion_audio")
    values: dict[str, Any] = {"name": "Tiny", "engine": engine, "serves": ("narrate" if engine == "voice" else "music",)}
    if name == "audiocraft":
        tiny_music.needs_audiocraft()
        options = {"kind": "MusicGen", "debug": True}
        source: Any = Bundled(path="audiocraft-debug")
        return ModelCard(**values, source=source, files=ASSETS / source.path, needs=("audiocraft",), options=options)
    folder = BUILDERS[name](place / "model")
    return ModelCard(**values, source=Folder(path=str(folder)), files=folder, options={} if engine == "voice" else {"dtype": "float32"})


def task_of(name: str) -> Any:
    if ENGINES.get(name) is voice:
        return Narrate.checked({"text": "The rain falls.", "seed": 1})
    fields = {"steps": 12} if name not in ENGINES else {}
    return Compose.checked({"prompt": "calm", "duration": 0.5, "seed": 1, "loudness": "as is"} | fields)


@contextmanager
def counted(module: Any, steps: list[int]) -> Generator[None]:
    """Every pass through `module` adds to `steps`."""
    hook = module.register_forward_pre_hook(lambda *_: steps.append(1))
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def kept() -> Generator[dict[str, int]]:
    """The bytes of torch's tensors and numpy's arrays that were made inside and are still there."""
    tensor: Any = import_module("torch").Tensor
    found: dict[str, int] = {}
    gc.collect()
    gc.freeze()  # what is there already is not looked at
    tracemalloc.start()
    try:
        yield found
        gc.collect()
        tensors = [value for value in gc.get_objects() if issubclass(type(value), tensor)]
        arrays = tracemalloc.take_snapshot().filter_traces([tracemalloc.DomainFilter(True, NUMPY)])
        sizes = {value.untyped_storage().data_ptr(): value.untyped_storage().nbytes() for value in tensors}
        found["bytes"] = sum(sizes.values()) + sum(trace.size for trace in arrays.traces)
    finally:
        tracemalloc.stop()
        gc.unfreeze()
