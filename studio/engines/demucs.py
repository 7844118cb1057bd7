"""Sound taken apart into stems (drums, bass, voices, and what is left) by a network of the package demucs, which `make demucs` brings.

Only the network comes from the package: its own loader imports whatever a weight file names, so the file's head is read here. A stem is
as long as the sound, at its rate. Knows no manager, no download and no page.
"""

from __future__ import annotations

import importlib
import json
import math
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from studio import components
from studio.creations import Json, Progress, Report, Sound, Take
from studio.device import Device
from studio.errors import ModelUnavailable, StudioError
from studio.manager import Component, Pipeline, Recipe
from studio.models import ModelCard
from studio.tasks import Compose, Task

CARDS = components.cards("demucs")

KLASS = "demucs.htdemucs.HTDemucs"
"""The one network that is built here, as a weight file's head names it."""
OVERLAP = 0.25
"""Of a window that the next one hears, too, as the package's own separation has it."""
WINDOW_BYTES = 800_000_000
"""Working memory for one window: 0.7 GB were measured on a CPU with a network of the published size."""
SECOND_BYTES = 44_100 * 2 * 4 * 12
"""For a second of sound: the sound itself, four stems while they are added up, and the same at its own rate."""
SONG = 300.0
"""Seconds of sound that memory is asked for: how long a file is, is not known before it is read."""
LONGEST = 600.0
"""Seconds of a sound that is taken apart."""
JOIN_SECONDS = 0.02
"""Over which the end of a loop's stem goes over into what was heard before its beginning."""
_QUIET = 1e-8
_PERCENT = 100


@dataclass(frozen=True)
class Stems:
    """A network that is ready, with the names of the stems it tells apart, and the samples (at `rate`) that it hears at once."""

    network: Any
    names: tuple[str, ...]
    rate: int
    window: int


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The network and the pipeline over it. Raises ModelUnavailable where the package or the weights are missing."""
    if find_spec("demucs") is None:
        raise ModelUnavailable(f"{card.name} needs the package demucs, which is not installed: run make demucs, then try again.")
    file = _file(card)
    part = Component(
        components.key(card, [file], "demucs", "float32"),
        components.single_file_bytes(file, np.dtype(np.float32)),
        lambda _: _loaded(card, file, device),
    )
    return Recipe({"network": part}, lambda values: _pipeline(values["network"], card, device), _working_bytes, key=part.key)


def check(card: ModelCard, task: Task) -> None:
    """Refuse a reference that is no sound, or too long. Raises MediaUnreadable."""
    from studio.music import apart

    assert isinstance(task, Compose)
    apart.read(Path(task.reference), LONGEST)


def separated(stems: Stems, samples: NDArray[np.float32], device: str, tick: Callable[[float], None]) -> NDArray[np.float32]:
    """The stems (stems, 2, samples) of `samples` (2, samples) at the network's rate; as the package's `apply_model` without shifts.

    Windows overlap and go over into one another by triangles. `tick` hears the fraction done before each layer, and stops by raising.
    """
    import torch

    middle = samples.mean(axis=0)
    mean, deviation = float(middle.mean()), float(middle.std(ddof=1)) + _QUIET
    count, length = samples.shape[1], stems.window
    rise = np.arange(1, length // 2 + 1, dtype=np.float32)
    weight = np.concatenate([rise, np.arange(length - length // 2, 0, -1, dtype=np.float32)]) / (length - length // 2)
    found = np.zeros((len(stems.names), 2, count), np.float32)
    shares = np.zeros(count, np.float32)
    for start in range(0, count, int((1 - OVERLAP) * length)):
        new = min(length, count - start)
        first = start - (length - new) // 2  # a short last window is surrounded by what is there
        heard = np.zeros((2, length), np.float32)
        low, high = max(0, first), min(count, first + length)
        heard[:, low - first : high - first] = (samples[:, low:high] - mean) / deviation
        with torch.inference_mode(), _ticking(stems.network, lambda done=start / count: tick(done)):
            made = stems.network(torch.from_numpy(heard)[None].to(device))[0].float().cpu().numpy()
        found[..., start : start + new] += weight[:new] * made[..., start - first : start - first + new]
        shares[start : start + new] += weight[:new]
    return found / shares * deviation + mean


def _pipeline(stems: Stems, card: ModelCard, device: Device) -> Pipeline:
    def takes(task: Task, report: Report) -> Iterator[Take]:
        """One take a stem. A stop ends it: of half a separation nothing is kept."""
        from studio.music import apart, files, finish

        assert isinstance(task, Compose)
        report(Progress("running", 0, _PERCENT, "%", note="listening"))
        # 1. The sound as the network hears it; a loop goes on at both ends.
        given = apart.read(Path(task.reference), LONGEST)
        loop = _loops(Path(task.reference))
        around = min(given.samples.shape[1], math.ceil(stems.window / stems.rate * given.rate)) if loop else 0
        wide = np.concatenate([given.samples[:, given.samples.shape[1] - around :], given.samples, given.samples[:, :around]], axis=1)
        heard = files.resampled(files.stereo(Sound(wide, given.rate)), stems.rate)

        # 2. Its stems, again at its own rate and as long as it is.
        def tick(done: float) -> None:
            report(Progress("running", round(_PERCENT * done), _PERCENT, "%", note="taking it apart"))

        with components.memory_in_words(f"{card.name} needs more memory than is free: unload another model, or cut out a shorter part."):
            made = separated(stems, heard.samples, device.place, tick)
        if not np.isfinite(made).all():
            raise StudioError(f"{card.name} found no sound in this: fetch the model again.")
        parts = [_as_given(Sound(part, stems.rate), given, around) for part in made]
        # 3. All of them turned down alike where one is louder than full scale, and what is honest to say of them.
        louder = max(1.0, *(float(np.abs(part).max(initial=0)) for part in parts))
        facts = _facts(card, stems.names, given.samples, parts, louder)
        for name, part in zip(stems.names, parts, strict=True):
            sound = Sound(np.ascontiguousarray(part / np.float32(louder)), given.rate)
            told = finish.heard(sound, loop=loop, report=finish.unstopped(report))
            yield Take(sound, task.seed or 0, facts={**told, **facts, "stem": name})

    return takes


@contextmanager
def _ticking(network: Any, tick: Callable[[], None]) -> Generator[None]:
    """Before each layer `tick` is called: a window takes ten seconds on a small machine, and a stop should not wait for it."""
    transformer = network.crosstransformer
    layers = [*network.encoder, *network.decoder, *(() if transformer is None else (*transformer.layers, *transformer.layers_t))]
    with ExitStack() as hooks:
        for layer in layers:
            hooks.callback(layer.register_forward_pre_hook(lambda *_: tick()).remove)
        yield


def _as_given(stem: Sound, given: Sound, around: int) -> NDArray[np.float32]:
    """A stem (channels, samples) at the rate of the sound it is of, as long, with as many channels.

    `around` samples were heard before and after a loop: its end goes over into what stands before its beginning, so that it closes.
    """
    from studio.music import files

    stem = files.resampled(stem if given.samples.shape[0] > 1 else files.mono(stem), given.rate)
    size = given.samples.shape[1]
    wide = np.pad(stem.samples, ((0, 0), (0, max(0, size + 2 * around - stem.samples.shape[1]))))
    found = wide[:, around : around + size].copy()
    fade = min(round(JOIN_SECONDS * given.rate), around, size)
    share = np.arange(1, fade + 1, dtype=np.float32) / max(1, fade)
    found[:, size - fade :] += share * (wide[:, around - fade : around] - found[:, size - fade :])
    return found


def _facts(
    card: ModelCard, names: Sequence[str], mix: NDArray[np.float32], parts: Sequence[NDArray[np.float32]], louder: float
) -> dict[str, Json]:
    """How far all stems together are from the mix, in decibels below it, and by how much they were turned down."""
    rest = mix - np.sum(parts, axis=0)
    power = float(np.mean(np.square(mix, dtype=np.float64)))
    away = 10 * math.log10(max(float(np.mean(np.square(rest, dtype=np.float64))), 1e-12) / max(power, 1e-12))
    notes: list[Json] = [f"Taken apart by {card.name}: all stems together differ from the mix by {away:.0f} dB of its level."]
    if louder > 1:
        notes.append(f"All stems were turned down by {20 * math.log10(louder):.1f} dB, so that none is louder than a file can hold.")
    return {"stems": list(names), "rest_db": round(away, 1), "gain_db": round(-20 * math.log10(louder), 3), "notes": notes}


def _loops(file: Path) -> bool:
    """Whether the sound was made here as a loop."""
    from studio.provenance import sounds

    try:
        record = sounds.read_record(file)
    except StudioError:
        return False
    return record is not None and bool(record.facts.get("loop"))


def _file(card: ModelCard) -> Path:
    """The one weight file, in a folder or by itself."""
    files = components.files_of(card)
    found = sorted(files.glob("*.safetensors")) if files.is_dir() else [files]
    if len(found) != 1:
        raise ModelUnavailable(f"{card.name} must be one network in one .safetensors file, and {len(found)} are there: use another copy.")
    return found[0]


def _loaded(card: ModelCard, file: Path, device: Device) -> Stems:
    """The network on the device with the weights of a file, of which not one is missing or left over."""
    import torch
    from safetensors import safe_open
    from safetensors.torch import load_file

    with components.in_words(card):
        kind: Any = importlib.import_module("demucs.htdemucs").HTDemucs
        with safe_open(file, "pt") as opened:
            said = cast("Mapping[str, str]", opened.metadata() or {})
        if said.get("klass") != KLASS or "structure" in said:
            raise ModelUnavailable(f"{card.name} is no HTDemucs network, the only kind that is used here: choose another model.")
        arguments = _arguments(said, kind)
        with torch.device("meta"):  # no memory is taken for sizes that the weights do not have
            network: Any = kind(**arguments)
        weights = {name: value.float() for name, value in load_file(file).items()}
        network.load_state_dict(weights, strict=True, assign=True)
        stems = Stems(
            components.placed(network, device),
            tuple(arguments["sources"]),
            int(network.samplerate),
            int(network.segment * network.samplerate),
        )
        if not stems.names or stems.window <= 0 or network.audio_channels != 2:
            raise ValueError("sizes")
        return stems


def _arguments(said: Mapping[str, str], network: Any) -> dict[str, Any]:
    """What a file's head says the network is built with: plain numbers, words and lists of them, by the names that it knows."""
    from inspect import signature

    known = list(signature(network).parameters)
    given = dict(zip(known, json.loads(said["args"]), strict=False)) | json.loads(said["kwargs"])
    values = {name: _plain(value) for name, value in given.items() if name in known}
    if not all(isinstance(name, str) and name.isidentifier() and len(name) <= 20 for name in values["sources"]):
        raise ValueError("sources")
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return Fraction(int(value["numerator"]), int(value["denominator"]))
    if isinstance(value, list):
        return [_plain(one) for one in cast("list[Any]", value)]
    if value is None or isinstance(value, str | int | float):
        return value
    raise ValueError("value")


def _working_bytes(task: Task) -> int:
    """One window going through the network, and the stems of a song."""
    return WINDOW_BYTES + int(SONG * SECOND_BYTES)
