"""Writing: the studio's engine against `transformers` generate() in fp32, on the same weights.

Claim: at least 4x the tokens per CPU-second. The peer runs as a plain script would run it, with torch's own number of threads; a line
below tells the ratio with one thread as well, where no thread waits for another. Both answer instructions of one length with as many
tokens as an answer may have that nobody set a length for, by the same sampling settings, in turns, after a warm-up. Reading the prompt is
included, and every instruction is new, so that the studio keeps nothing of the one before but the beginning that its form gives to all.
Also told: answers of SHORT tokens, which are more reading; what writing alone comes to, without the reading; and what an instruction that
is asked again does.
"""

from __future__ import annotations

import itertools
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import _measure

from studio.creations import Passage
from studio.errors import ModelUnavailable
from studio.models import ModelCard, resolve
from studio.studio import Studio
from studio.tasks import Write

SHORT = 128
ROUNDS = 5
WHO = ("lighthouse keeper", "mountain guide", "village doctor", "travelling baker", "retired teacher", "young gardener")
WHAT = ("the sea", "the river", "the winter", "the old bridge", "the letter")

Settings = Mapping[str, float]
SAMPLING: Settings = {"temperature": 0.7, "top_k": 40, "top_p": 0.95}
Run = Callable[[str, int, Settings], int]


def instructions() -> Iterator[str]:
    """Another one each time, as long as the one before, give or take a token."""
    return (f"Write a long story about a {who} and {what}." for what, who in itertools.cycle(itertools.product(WHAT, WHO)))


def ours(studio: Studio, card: ModelCard) -> Run:
    """The studio's pipeline, loaded; a call answers a prompt and returns the tokens it wrote."""
    recipe = studio.recipe(card, Write.checked({"prompt": "-"}))
    pipeline = recipe.build({"writer": recipe.components["writer"].load(lambda _: None)})

    def run(prompt: str, tokens: int, settings: Settings) -> int:
        task = Write.checked({"prompt": prompt, "max_new_tokens": tokens, "seed": 1, "min_p": 0, **settings})
        [passage] = pipeline(resolve(task, card), lambda _: None)
        assert isinstance(passage, Passage)
        return passage.tokens

    return run


def theirs(file: Path, threads: int | None) -> Run:
    """`generate` of transformers with packed weights in float32; a call answers a prompt and returns the tokens it wrote."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    words = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    model: Any = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name, dtype=torch.float32)
    usual = torch.get_num_threads()

    def run(prompt: str, tokens: int, settings: Settings) -> int:
        chat = [{"role": "user", "content": prompt}]
        read = words.apply_chat_template(chat, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        torch.set_num_threads(threads or usual)
        torch.manual_seed(1)
        answer = model.generate(**read, max_new_tokens=tokens, do_sample=True, repetition_penalty=1.1, **settings)
        return answer.shape[1] - read["input_ids"].shape[1]

    return run


def seconds(run: Run, prompt: str, tokens: int, settings: Settings = SAMPLING) -> tuple[float, int]:
    """CPU-seconds of one answer, and its tokens."""
    wrote = 0

    def work() -> None:
        nonlocal wrote
        wrote = run(prompt, tokens, settings)

    return _measure.cpu_seconds(work), wrote


def rates(run: Run, prompts: Iterator[str], tokens: int, again: bool) -> dict[str, float]:
    """Tokens per CPU-second of one round: of a whole answer, of its writing alone and, if wanted, of the same instruction asked again."""
    reading, _ = seconds(run, next(prompts), 1)
    short, few = seconds(run, next(prompts), SHORT)
    prompt = next(prompts)
    whole, wrote = seconds(run, prompt, tokens) if tokens > SHORT else (short, few)
    told = {"whole": wrote / whole, "short": few / short, "alone": (wrote - 1) / (whole - reading)}
    if again:
        whole, wrote = seconds(run, prompt, tokens)
        told["again"] = wrote / whole
    return told


def main() -> None:
    """Measure and print."""
    studio = Studio.open(_measure.settings())
    try:
        card = studio.card_for(Write.checked({"prompt": "-", "model": "SmolLM2 135M"}))
    except ModelUnavailable as missing:
        sys.exit(f"writing: {missing}")
    assert card.files is not None
    contenders = {"studio": ours(studio, card), "transformers": theirs(card.files, None), "one thread": theirs(card.files, 1)}
    tokens = Write.checked({"prompt": "-", **card.defaults}).max_new_tokens or SHORT
    prompts = instructions()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in contenders}
    for number in range(ROUNDS + 1):
        for name, run in contenders.items():
            told = rates(run, prompts, SHORT if name == "one thread" else tokens, again=name == "studio")
            found[name] += [told] if number else []  # the first is the warm-up
    middle = {name: {of: statistics.median(one[of] for one in all_of) for of in all_of[0]} for name, all_of in found.items()}
    studio_s, peer = middle["studio"], middle["transformers"]
    print(f"writing: {studio_s['whole']:.1f} tokens a CPU-second, transformers fp32 {peer['whole']:.1f}; "
          f"{studio_s['whole'] / peer['whole']:.2f}x (claim >= 4x)")  # fmt: skip
    print(f"  writing alone {studio_s['alone']:.1f} against {peer['alone']:.1f}, {studio_s['alone'] / peer['alone']:.2f}x; "
          f"an instruction asked again {studio_s['again']:.1f}, {studio_s['again'] / peer['whole']:.2f}x")  # fmt: skip
    single = middle["one thread"]["short"]
    print(f"  {SHORT} tokens: {studio_s['short']:.1f} against {peer['short']:.1f}, {studio_s['short'] / peer['short']:.2f}x; "
          f"with one thread transformers reaches {single:.1f}, {studio_s['short'] / single:.2f}x")  # fmt: skip
    print(f"  medians of {ROUNDS}, interleaved, up to {tokens} tokens; {_measure.machine()}")
    studio.close()


if __name__ == "__main__":
    main()
