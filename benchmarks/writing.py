"""Writing: the studio's engine against `transformers` generate() in fp32, on the same weights.

Claim: at least 4x the tokens per CPU-second. The peer runs as a plain script would run it, with torch's own number of threads; a line
below tells the ratio with one thread as well, where no thread waits for another. Both answer the same prompt with the same number of
tokens by the same sampling settings, in turns, after a warm-up; reading the prompt is included.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import _measure

from studio.errors import ModelUnavailable
from studio.models import ModelCard, resolve
from studio.studio import Studio
from studio.tasks import Write

TOKENS = 128
ROUNDS = 5
PROMPT = "Write a long story about a lighthouse keeper and the sea."
TASK = Write.checked({"prompt": PROMPT, "max_new_tokens": TOKENS, "seed": 1, "temperature": 0.7, "top_k": 40, "top_p": 0.95, "min_p": 0})


def ours(studio: Studio, card: ModelCard) -> Callable[[], int]:
    """The studio's pipeline, loaded; a call returns the tokens it wrote."""
    task = resolve(TASK, card)
    recipe = studio.recipe(card, task)
    pipeline = recipe.build({"writer": recipe.components["writer"].load(lambda _: None)})
    return lambda: next(iter(pipeline(task, lambda _: None))).tokens  # pyright: ignore[reportAttributeAccessIssue]


def theirs(file: Path, threads: int | None) -> Callable[[], int]:
    """`generate` of transformers with packed weights in float32; a call returns the tokens it wrote."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    words = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    chat = [{"role": "user", "content": PROMPT}]
    prompt = words.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
    sampling = {"do_sample": True, "temperature": 0.7, "top_k": 40, "top_p": 0.95, "repetition_penalty": 1.1}
    usual = torch.get_num_threads()

    def run() -> int:
        torch.set_num_threads(threads or usual)
        torch.manual_seed(1)
        answer = model.generate(**prompt, max_new_tokens=TOKENS, **sampling)
        return answer.shape[1] - prompt["input_ids"].shape[1]

    return run


def rate(run: Callable[[], int]) -> Callable[[], float]:
    """Tokens per CPU-second of one call."""

    def measure() -> float:
        tokens = 0

        def work() -> None:
            nonlocal tokens
            tokens = run()

        seconds = _measure.cpu_seconds(work)
        return tokens / seconds

    return measure


def main() -> None:
    """Measure and print."""
    studio = Studio.open(_measure.settings())
    try:
        card = studio.card_for(Write.checked({"prompt": "-", "model": "SmolLM2 135M"}))
    except ModelUnavailable as missing:
        sys.exit(f"writing: {missing}")
    assert card.files is not None
    contenders = {"studio": ours(studio, card), "transformers": theirs(card.files, None), "one thread": theirs(card.files, 1)}
    for run in contenders.values():
        run()
    found = _measure.rounds({name: rate(run) for name, run in contenders.items()}, ROUNDS)
    ratio, strict = found["studio"] / found["transformers"], found["studio"] / found["one thread"]
    print(f"writing: {found['studio']:.1f} tokens a CPU-second, transformers fp32 {found['transformers']:.1f}; {ratio:.1f}x (claim >= 4x)")
    print(f"  with one thread transformers reaches {found['one thread']:.1f}: {strict:.1f}x")
    print(f"  medians of {ROUNDS}, interleaved, up to {TOKENS} tokens; {_measure.machine()}")
    studio.close()


if __name__ == "__main__":
    main()
