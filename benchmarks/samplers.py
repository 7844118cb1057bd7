"""What DRY, XTC and min-p cost a token, in both engines that write here.

Claim: together at most 5 % of a token's CPU time. llama.cpp: the same instructions with and without the three, in turns, through the
studio's pipeline, the reading taken off; without them it draws at the same temperature from all words. transformers: the chain of
samplers alone, with and without, on scores of the starter's vocabulary after a text of 1,000 tokens of which 400 stand twice, against
one step of the starter in float32 with the same text in its cache.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import _measure
from writing import instructions, ours, seconds

from studio.engines import _samplers
from studio.engines.language import SAMPLING
from studio.errors import ModelUnavailable
from studio.studio import Studio
from studio.tasks import Write

TOKENS = 96
ROUNDS = 5
STEPS = 40
LENGTH = 1000
PLAIN: Mapping[str, float] = {"temperature": 0.8, "top_p": 1, "top_k": 0, "repetition_penalty": 1}
THREE: Mapping[str, float] = {"dry_multiplier": 0.8, "xtc_probability": 0.3, "min_p": 0.05}


def llama(studio: Studio) -> tuple[float, float]:
    """CPU-milliseconds of a token, without and with the three."""
    run = ours(studio, studio.card_for(Write.checked({"prompt": "-", "model": "SmolLM2 135M"})))
    prompts = instructions()
    found: dict[bool, list[float]] = {False: [], True: []}
    for number in range(ROUNDS + 1):
        for three, kept in found.items():
            settings = {**PLAIN, "min_p": 0, **(THREE if three else {})}
            reading, _ = seconds(run, next(prompts), 1, settings)
            whole, wrote = seconds(run, next(prompts), TOKENS, settings)
            if number:  # the first is the warm-up
                kept.append(1000 * (whole - reading) / max(1, wrote - 1))
    return statistics.median(found[False]), statistics.median(found[True])


def chain(settings: Mapping[str, float]) -> Callable[[], float]:
    """CPU-milliseconds of the samplers for one token more of a text."""
    import torch

    random = torch.Generator().manual_seed(0)
    scores = [3 * torch.randn(1, 49152, generator=random) for _ in range(8)]
    text = torch.randint(0, 49152, (1, LENGTH), generator=random)
    text[0, 500:900] = text[0, 100:500]
    samplers = _samplers.Chain({**SAMPLING, **settings}, 1, (), range(30))
    step = 0

    def run() -> float:
        nonlocal text, step

        def work() -> None:
            nonlocal text
            token = samplers.drawn(samplers.weighed(text, scores[step % len(scores)]))
            text = torch.cat((text, torch.tensor([[token]])), 1)

        step += 1
        return 1000 * _measure.cpu_seconds(work)

    return run


def model(file: Path) -> float:
    """CPU-milliseconds of one step of the model in float32 after a text."""
    import torch
    from transformers import AutoModelForCausalLM

    made: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    with torch.inference_mode():
        cache = made(torch.arange(LENGTH)[None], use_cache=True).past_key_values
        steps = [_measure.cpu_seconds(lambda: made(torch.tensor([[7]]), past_key_values=cache, use_cache=True)) for _ in range(9)]
    return 1000 * statistics.median(steps)


def main() -> None:
    """Measure and print."""
    import torch

    torch.set_num_threads(1)
    studio = Studio.open(_measure.settings())
    try:
        file = studio.card_for(Write.checked({"prompt": "-", "model": "SmolLM2 135M"})).files
    except ModelUnavailable as missing:
        sys.exit(f"samplers: {missing}")
    assert file is not None
    plain, with_three = llama(studio)
    print(
        f"samplers: llama.cpp {plain:.2f} ms a token, with DRY, XTC and min-p {with_three:.2f}: {with_three / plain - 1:+.1%} (claim <= 5%)"
    )
    found = _measure.rounds({"plain": chain(PLAIN), "three": chain({**PLAIN, **THREE})}, STEPS)
    step = model(file)
    more = found["three"] - found["plain"]
    print(f"  transformers {step:.1f} ms a token and {found['plain']:.2f} to draw it, {more:.2f} more with the three: "
          f"{more / (step + found['plain']):+.1%} (claim <= 5%)")  # fmt: skip
    print(f"  one thread; medians of {ROUNDS} answers of {TOKENS} tokens and of {STEPS} draws; {_measure.machine()}")
    studio.close()


if __name__ == "__main__":
    main()
