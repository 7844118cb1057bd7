"""The mark in words: how often a person's text is called marked, and how often a marked text of the starter is found.

Claims: at most 1 % of 500 texts by people are called marked (likely or certain); at 300 tokens and temperature 1 at least 95 % of marked
ones are found. Also told at 0.7 and 0.3, and at 100 and 200 tokens. People's texts are stretches of the public-domain texts in
training/writing/texts, as tokens of the starter; each is looked at with one secret. Marked ones are the starter's answers to
instructions, drawn in float32 without a filter, from its packed weights in transformers, found again in the text, not in the tokens.

Writing is slow on a CPU, so it runs in slices that add to a file of results:

    python benchmarks/textmark.py people
    python benchmarks/textmark.py write RESULTS.jsonl 1.0 8 0      temperature, texts at once, number of the slice
    python benchmarks/textmark.py report RESULTS.jsonl
"""

from __future__ import annotations

import hashlib
import json
import lzma
import random
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import _measure

from studio.errors import ModelUnavailable
from studio.studio import Studio
from studio.tasks import Write
from studio.writing.textmark import Key, Marker, detect

TEXTS = Path(__file__).parent.parent / "training" / "writing" / "texts"
LENGTHS = (100, 200, 300)
PEOPLE = 500
MARGIN = 30
"""Tokens written beyond the longest, since text becomes other tokens than it was drawn in."""
SUBJECTS = (
    "a lighthouse keeper and the sea, the first day of school, a lost dog, how bread is made, a trip to the mountains, an old clock, "
    "the history of bicycles, a letter to a friend, rain in the city, a market in the morning, what bees do in winter, a broken bridge, "
    "a grandmother's garden, why the sky is blue, a night train, a small museum, learning to swim, the end of summer, a chess game, "
    "building a boat, a secret recipe, a storm at sea, an honest thief, the town library"
).split(", ")
FORMS = ("a short story", "an essay", "a diary entry")


def secret(number: int) -> bytes:
    """A studio's own, another for each text."""
    return hashlib.sha256(b"benchmark %d" % number).digest()


def starter(load: bool) -> tuple[Any, Any]:
    """(tokenizer, model in float32 or None) from the starter's packed weights. (Any: transformers' classes.)"""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, name = _weights()
    words = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    return words, AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32).eval() if load else None


def people() -> None:
    """How many of the people's texts are called marked."""
    words, _ = starter(load=False)
    draw = random.Random(7)
    rows = [words(lzma.decompress(file.read_bytes()).decode(), verbose=False)["input_ids"] for file in sorted(TEXTS.glob("*.xz"))]
    for length in LENGTHS:
        verdicts: dict[str, int] = defaultdict(int)
        for number in range(PEOPLE):
            row = draw.choices(rows, [len(row) for row in rows])[0]
            start = draw.randrange(len(row) - length)
            verdicts[detect(row[start : start + length], secret(number)).verdict] += 1
        called = verdicts["likely"] + verdicts["certain"]
        print(f"people, {length} tokens: {called} of {PEOPLE} called marked ({called / PEOPLE:.1%}); {dict(verdicts)}")


def write(results: Path, temperature: float, count: int, number: int) -> None:
    """Write one slice of marked texts, and add what the detector says of each."""
    import torch

    words, model = starter(load=True)
    torch.manual_seed(1000 * number + round(100 * temperature))
    asked = [number * count + one for one in range(count)]
    read = _prompts(words, asked)
    ids, mask, cache = read["input_ids"], read["attention_mask"], None
    markers = [Marker(Key.of(secret(one))) for one in asked]
    begin = ids.shape[1]
    ends = sorted({words.eos_token_id, *words.convert_tokens_to_ids(["<|im_end|>", "<|endoftext|>"])} - {None})
    with torch.inference_mode():
        while ids.shape[1] < begin + max(LENGTHS) + MARGIN:
            step = ids if cache is None else ids[:, -1:]
            places = (mask.cumsum(-1) - 1).clamp(min=0)[:, -step.shape[1] :]
            out = model(input_ids=step, attention_mask=mask, position_ids=places, past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache, scores = out.past_key_values, out.logits[:, -1] / temperature
            scores[:, ends] = float("-inf")  # all texts become as long
            marked = torch.cat([marker(ids[row : row + 1], scores[row : row + 1]) for row, marker in enumerate(markers)])
            ids = torch.cat([ids, torch.multinomial(marked.softmax(-1), 1)], 1)
            mask = torch.cat([mask, mask.new_ones(count, 1)], 1)
    with results.open("a", encoding="utf-8") as file:
        for row, one in enumerate(asked):
            again = words(words.decode(ids[row, begin:]), add_special_tokens=False)["input_ids"]
            for length in LENGTHS:
                found = detect(again[:length], secret(one))
                other = detect(again[:length], secret(one + 10**6))
                said = {"temperature": temperature, "length": length, "text": one, "verdict": found.verdict, "score": found.score}
                file.write(json.dumps({**said, "p": found.p_value, "other": other.verdict}) + "\n")


def _prompts(words: Any, asked: list[int]) -> Any:
    """Instructions in the starter's form, (texts, tokens) with padding before them. (Any: transformers' classes.)"""
    prompts = [f"Write {FORMS[one % len(FORMS)]} about {SUBJECTS[one % len(SUBJECTS)]}." for one in asked]
    chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
    words.padding_side = "left"
    words.pad_token = words.pad_token or words.eos_token
    texts = [words.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) for chat in chats]
    return words(texts, return_tensors="pt", padding=True, add_special_tokens=False)


def report(results: Path) -> None:
    """What the slices so far add up to."""
    groups: dict[tuple[float, int], list[dict[str, Any]]] = defaultdict(list)
    for line in results.read_text("utf-8").splitlines():
        said = json.loads(line)
        groups[said["temperature"], said["length"]].append(said)
    for (temperature, length), said in sorted(groups.items(), reverse=True):
        found = [one for one in said if one["verdict"] in ("likely", "certain")]
        wrong = sum(one["other"] in ("likely", "certain") for one in said)
        middle = sorted(one["score"] for one in said)[len(said) // 2]
        rest = sorted({one["verdict"] for one in said} - {"likely", "certain"})
        print(
            f"marked, temperature {temperature}, {length} tokens: {len(found)} of {len(said)} found ({len(found) / len(said):.0%}), "
            f"median score {middle:.1f}, of others' secrets {wrong}; the rest: {', '.join(rest) or 'none'}"
        )


def _weights() -> tuple[Path, str]:
    studio = Studio.open(_measure.settings())
    try:
        file = studio.card_for(Write.checked({"prompt": "-", "model": "SmolLM2 135M"})).files
    except ModelUnavailable as missing:
        sys.exit(f"textmark: {missing}")
    finally:
        studio.close()
    assert file is not None
    return file.parent, file.name


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["people"]:
            people()
        case ["write", results, temperature, count, number]:
            write(Path(results), float(temperature), int(count), int(number))
        case ["report", results]:
            report(Path(results))
        case _:
            print(__doc__)
