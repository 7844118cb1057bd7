"""Writing goes on without reading again, and its samplers cost next to nothing: the language engine beside itself.

Claims: after a document of 2,000 tokens the first token of a text that goes on takes at most 0.25x the time of a cold prompt, with the
same words at temperature 0; and DRY, XTC and min-p together cost at most 5 % of a token. The model is a Llama of middling size with
random weights in float32, since neither figure depends on what the weights say.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import _measure

from studio.creations import Passage, Progress
from studio.device import Device
from studio.engines import language
from studio.models import Folder, ModelCard
from studio.tasks import Write
from tests import tiny

DOCUMENT = 2000
WRITTEN = 32
TOKENS = 48
ROUNDS = 5
SAMPLERS = {"dry_multiplier": 0.8, "xtc_probability": 0.5, "xtc_threshold": 0.1, "min_p": 0.05}


def middling(folder: Path, vocabulary: int = 32_000) -> Path:
    """Write a Llama of about 90 million weights whose tokens are bytes, beside tokens of three letters that fill its vocabulary."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    words = tiny.byte_words(4096)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
    names = (f"{a}{b}{c}" for a in letters for b in letters for c in letters)
    words.add_tokens([next(names) for _ in range(vocabulary - len(words))])
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=768, intermediate_size=2048, num_hidden_layers=8, num_attention_heads=12,
        num_key_value_heads=4, max_position_embeddings=4096, bos_token_id=None, eos_token_id=None, pad_token_id=None,
    )  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(folder)
    words.save_pretrained(folder)
    return folder


class Bench:
    """The model, loaded as the studio loads it."""

    def __init__(self, folder: Path) -> None:
        source = Folder(path=str(folder))
        self._card = ModelCard(
            name="Middling", engine="language", serves=("write",), source=source, files=folder, options={"dtype": "float32"}
        )
        recipe = language.recipe(self._card, Write.checked({"prompt": "x"}), Device("cpu"))
        self.values: dict[str, Any] = {role: component.load(lambda _: None) for role, component in recipe.components.items()}

    def run(self, report: Callable[[Any], None] = lambda _: None, **fields: Any) -> Passage:
        """One answer."""
        task = Write.checked({"prompt": "Go on", "seed": 1, "temperature": 0, "stop": [], **fields})
        recipe = language.recipe(self._card, task, Device("cpu"))
        answers: Iterator[Any] = iter(recipe.build(self.values)(task, report))
        return next(answers)

    def first_token(self, document: str) -> float:
        """Seconds until the first token is there."""
        began, seen = time.perf_counter(), list[float]()

        def report(event: Any) -> None:
            if isinstance(event, Progress) and event.done == 1:
                seen.append(time.perf_counter() - began)

        self.run(report, document=document, max_new_tokens=1)
        return seen[0]

    def token(self, document: str, **fields: Any) -> float:
        """CPU-seconds a token after the first, the median: a busy machine stretches the seconds of a clock by chance."""
        times: list[float] = []

        def report(event: Any) -> None:
            if isinstance(event, Progress) and event.done >= 1:
                times.append(time.process_time())

        self.run(report, document=document, max_new_tokens=TOKENS, temperature=1, top_p=1, **fields)
        gaps = sorted(later - sooner for sooner, later in itertools.pairwise(times))
        return gaps[len(gaps) // 2]


def prefix(bench: Bench, document: str) -> None:
    """A text that goes on, and the same read anew, in turns."""
    said = bench.run(document=document, max_new_tokens=WRITTEN).text
    more = document + said
    kept = bench.run(document=more, max_new_tokens=WRITTEN).text
    bench.values["prefix"].close()
    same = bench.run(document=more, max_new_tokens=WRITTEN).text == kept

    def cold() -> float:
        bench.values["prefix"].close()
        return bench.first_token(more)

    def warm() -> float:
        bench.values["prefix"].close()
        bench.run(document=document, max_new_tokens=1)
        return bench.first_token(more)

    found = _measure.rounds({"cold": cold, "goes on": warm}, ROUNDS)
    goes_on, anew = found["goes on"], found["cold"]
    words = "the same words" if same else "OTHER WORDS"
    print(f"writing goes on: first token {goes_on:.3f} s, cold {anew:.3f} s; {goes_on / anew:.2f}x (claim <= 0.25x)")
    print(f"  after {DOCUMENT:,} tokens and {WRITTEN} written; {words} at temperature 0")
    print(f"  medians of {ROUNDS}, interleaved; {_measure.machine()}")


def samplers(bench: Bench, document: str) -> None:
    """Sampling with and without DRY, XTC and min-p, in turns."""
    text = document[:1000]
    contenders = {"plain": lambda: bench.token(text), "all three": lambda: bench.token(text, **SAMPLERS)}
    for measure in contenders.values():
        measure()
    found = _measure.rounds(contenders, ROUNDS)
    most, least = found["all three"] * 1e3, found["plain"] * 1e3
    print(f"DRY + XTC + min-p: {most:.2f} CPU-ms a token, without {least:.2f}; {most / least - 1:+.1%} (claim <= 5 %)")
    print(f"  medians of {ROUNDS}, interleaved, each of {TOKENS - 1} tokens; {_measure.machine()}")


def main() -> None:
    """Measure and print."""
    import torch

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(prefix="atelier-bench-") as folder:
        bench = Bench(middling(Path(folder)))
        document = "".join(f"{number} lamps, " for number in range(DOCUMENT))[:DOCUMENT]
        samplers(bench, document)
        prefix(bench, document)


if __name__ == "__main__":
    main()
