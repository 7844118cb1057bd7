"""Writing on: time to the first token after a long document, cold and warm, and whether the words are the same.

Claim: where a document of 2,000 tokens grew by what was just written, the first token comes in at most 0.25x the time of a whole
reading, and every token of the answer is the one that a whole reading gives, at temperature 0 and sampled.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import _measure

from studio.errors import ModelUnavailable
from studio.studio import Studio
from studio.tasks import Write

TOKENS = 2000
ROUNDS = 2
PIECE = "The keeper wrote down the weather, the ships that passed, and what the gulls had taken from the sill. "


def main() -> None:
    """Measure and print."""
    studio = Studio.open(_measure.settings())
    try:
        card = studio.card_for(Write.checked({"prompt": "-", "model": "SmolLM2 135M"}))
    except ModelUnavailable as missing:
        sys.exit(f"writing_gguf_cache: {missing}")
    load = studio.recipe(card, Write.checked({"prompt": "-"})).components["writer"].load
    warm: Any = load(lambda _: None)
    cold: Any = load(lambda _: None)
    document = warm.opening("", "Go on with this story.") + warm.tokens(PIECE * 200)[:TOKENS]
    first, same, read = {"cold": 0.0, "warm": 0.0}, True, 0
    for number in range(ROUNDS):
        grown = document + warm.tokens(f"{number} ") + warm.tokens(PIECE)
        for sampling in ({"temperature": 0.0}, {"temperature": 0.9, "top_p": 0.95, "seed": number}):
            warm.answer(document, {"temperature": 0.8, "n_predict": 24}, lambda _: False)
            seconds, text, read = answered(warm, grown, sampling)
            cold._prefix._read.clear()
            whole, expected, all_of_it = answered(cold, grown, sampling)
            same = same and text == expected and all_of_it == len(grown)
            first["warm"] += seconds
            first["cold"] += whole
    ratio = first["warm"] / first["cold"]
    print(f"writing_gguf_cache: first token after {first['warm'] / ROUNDS / 2:.2f} s, whole reading {first['cold'] / ROUNDS / 2:.2f} s; "
          f"{ratio:.3f}x (claim <= 0.25x); words {'the same' if same else 'DIFFERENT'}")  # fmt: skip
    print(f"  {len(document):,} tokens read before, {read} of the grown prompt read again; means of {2 * ROUNDS}; {_measure.machine()}")
    studio.close()


def answered(writer: Any, prompt: list[int], sampling: dict[str, Any]) -> tuple[float, str, int]:
    """Seconds to the first token, the text, and how many tokens of the prompt were read."""
    began, first, text, read = time.perf_counter(), 0.0, "", 0

    def heard(piece: dict[str, Any]) -> bool:
        nonlocal first, text, read
        if piece["choices"][0]["text"] and not first:
            first = time.perf_counter() - began
        text += piece["choices"][0]["text"]
        read = piece["timings"]["prompt_n"]
        return False

    writer.answer(prompt, {**sampling, "n_predict": 32}, heard)
    return first, text, read


if __name__ == "__main__":
    main()
