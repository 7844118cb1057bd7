"""MusicGen: what playing while it is made costs, what bfloat16 and batches bring. Full-size small model with random weights, few frames.

Claims: what is heard while it is made is bit for bit what the model's own `generate` makes; bfloat16 at least 2x as fast a step as
float32 where the CPU has it; four takes in one batch at most 2x the time of one. Playing while it is made is compared with the same steps
that nobody hears. Everything in turns, medians, after a warm-up; one text for all.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _measure
import numpy as np

from studio.creations import Preview, Take
from studio.device import Device, threads
from studio.engines import _composing, musicgen
from studio.models import Folder, ModelCard
from studio.tasks import Compose
from tests import tiny_music

SECONDS = 0.6  # 30 frames, 33 steps
ROUNDS = 5
SMALL = {"hidden_size": 1024, "ffn_dim": 4096, "num_hidden_layers": 24, "num_attention_heads": 16, "vocab_size": 2048}


def pipeline(folder: Path, dtype: str) -> tuple[Callable[..., float], Callable[[], bool]]:
    """The loaded model: the wall seconds of one task, and whether what is heard of one, the take and what `generate` makes are the same."""
    card = ModelCard(
        name=f"small {dtype}",
        engine="musicgen",
        serves=("music",),
        source=Folder(path=str(folder)),
        files=folder,
        options={"dtype": dtype},
    )
    first = task(1)
    recipe = musicgen.recipe(card, first, Device("cpu"))
    parts = {role: part.load(lambda _: None) for role, part in recipe.components.items()}
    run = recipe.build(parts)

    def timed(count: int = 1, *, played: float = 1e9) -> float:
        usual, _composing.PLAYED_SECONDS = _composing.PLAYED_SECONDS, played

        def work() -> None:
            takes = list(run(task(count), lambda _: None))
            assert len(takes) == count
            assert isinstance(takes[0], Take)

        try:
            return _measure.seconds(work)
        finally:
            _composing.PLAYED_SECONDS = usual

    def same() -> bool:
        heard: list[Any] = []
        asked = task(1).model_copy(update={"loudness": "as is"})

        def report(event: object) -> None:
            if isinstance(event, Preview) and event.sound is not None:
                heard.append(event.sound.samples)

        (take,) = run(asked, report)
        assert isinstance(take, Take)
        own = tiny_music.generated(parts, asked)
        return np.array_equal(take.sound.samples, own) and np.array_equal(np.concatenate(heard, axis=1), own) and own.std() > 0

    timed()
    return timed, same


def task(count: int) -> Compose:
    """Few frames of music."""
    return Compose.checked({"prompt": "calm piano", "duration": SECONDS, "seed": 1, "count": count})


def main() -> None:
    """Measure and print."""
    import torch

    torch.set_num_threads(threads())
    with tempfile.TemporaryDirectory() as place:
        folder = tiny_music.musicgen(Path(place) / "small", full=SMALL)
        narrow: Any = pipeline(folder, "bfloat16")[0] if Device("cpu").dtype == torch.bfloat16 else None
        wide, same = pipeline(folder, "float32")
    quick = narrow or wide
    print(f"musicgen: what is heard is bit for bit what generate makes: {'yes' if same() else 'NO'} (claim yes)", flush=True)
    contenders: dict[str, Callable[[], float]] = {
        "float32": wide,
        "quick": quick,
        "batch": lambda: quick(4),
        "played": lambda: quick(played=0.2),
    }
    found = _measure.rounds(contenders, ROUNDS)
    if narrow is not None:
        print(f"  bfloat16 {found['float32'] / found['quick']:.1f}x as fast as float32 (claim >= 2x)")
    print(f"  four takes at once take {found['batch'] / found['quick']:.2f}x the time of one (claim <= 2x)")
    print(f"  played in pieces of 0.2 s it takes {found['played'] / found['quick']:.2f}x the time of the same unheard")
    print(f"  one take of {SECONDS} s: {found['quick']:.2f} s; medians of {ROUNDS}, interleaved; {_measure.machine()}")


if __name__ == "__main__":
    main()
