"""Checking citations: are sentences that a passage does not bear out flagged, and those that it does left in peace?

Goals: at least 90 % of unrelated and 70 % of contradicted sentences are called weak or unsupported, and at most 10 % of supported ones.
They are met where a sentence keeps near to the passage's words. Where it says the same in words of its own, only the first was met in every
run over fresh claims; what is missed is mostly what denies. Of another number or name, `last` and `again` had 40 of 49 flagged.

- `--written last`, 40 claims in words of their own over passages drawn at random, written and fixed before their one run: 7 of 40
  supported flagged (17.5 %), 27 of 40 contradicted (67.5 %), 39 of 40 unrelated. The rules were then worked on; now 3, 32 and 40.
- `--written again`, 39 more, written and fixed before their one run with those rules: 8 of 39 supported flagged (20.5 %), 24 of 39
  contradicted (61.5 %), 38 of 39 unrelated. Now 7, 25 and 38.
- `--drawn`, 40 claims over passages drawn at random, fixed before their one run, with the rules as they were before `again`: 6 of 40
  supported flagged (15 %: missed), 32 of 40 contradicted, 38 of 40 unrelated. Eight of the 40 are held against the passage before the
  one that they were written from, since the quote stands in what both share; 4 of the 6 are among these.
- For development: `--written development`, 63 such claims (9 supported flagged, seven of which name somebody whom the passage does not,
  50 contradicted, 61 unrelated), and the pairs of the questions, the 120 (a third of them `--held-out`), `--final` and `--fresh`: 4 of
  96 supported flagged, 87 contradicted, all unrelated.

The pairs of the questions are made here from what is known of the texts (training/writing/): sentences with the passage that supports
them; the same with another number, another name or its opposite in words; and the same with a passage of the same text that is about
something else. benchmarks/_draw_passages.py drew the passages of the others.
"""

from __future__ import annotations

import argparse
import random
import re
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import _measure
import retrieval

from studio.writing.citations import check
from studio.writing.passages import Passage

SEED = 20261122
WORDS = {
    "two": "three", "three": "four", "seven": "nine", "nine": "seven", "ten": "twelve", "Forty-two": "Fifty-one",
    "five hundred": "three hundred", "a thousand": "two thousand", "thirty": "forty", "ten thousand": "four thousand",
    "Three": "Seven", "four": "six", "thirty five": "twenty five", "twenty": "thirty", "third": "fifth", "a hundred": "two hundred",
}  # fmt: skip
"""Another number in words for each that the claims hold; figures are drawn."""

Kind = Literal["supported", "contradicted", "unrelated"]


@dataclass(frozen=True)
class Pair:
    """A sentence that cites a passage, and what is true of the two."""

    kind: Kind
    sentence: str
    passage: Passage
    way: str = ""


def pairs(*, held_out: bool, only: str = "") -> Iterator[Pair]:
    """80 pairs, or the 40 that are held out; with `only` ("final", "fresh", "drawn") those of that set."""
    file = retrieval.DATA / (f"questions_{only}.toml" if only else "questions.toml")
    every = [one for one in tomllib.loads(file.read_text("utf-8"))["question"] if "claim" in one]
    draw = random.Random(SEED)
    sources = retrieval.sources(fresh=only in retrieval.SEVEN)
    order = list(range(len(every)))
    draw.shuffle(order)
    kept = set(order[: len(every) // 3] if held_out else order[len(every) // 3 :])
    for number, one in enumerate(every):
        passages = sources[one["text"]]
        right = next(passage for passage in passages if retrieval.plain(one["quote"]) in retrieval.plain(passage.text))
        far = draw.choice([passage for passage in passages if abs(passage.number - right.number) > 3])
        way, wrong = contradicted(one, every, draw)
        if only or number in kept:
            yield Pair("supported", one["claim"], right)
            yield Pair("contradicted", wrong, right, way)
            yield Pair("unrelated", one["claim"], far)


def written(name: str) -> Iterator[Pair]:
    """The pairs of training/writing/pairs_{name}.toml, whose passages are ranges of the texts: three of each entry."""
    texts = {text: retrieval.whole(text) for text in (*retrieval.TEXTS, retrieval.FRESH)}
    for number, one in enumerate(tomllib.loads((retrieval.DATA / f"pairs_{name}.toml").read_text("utf-8"))["pair"], 1):
        right, far = (
            Passage(one["text"], number, "", None, start, end, texts[one["text"]][start:end])
            for start, end in ((one["start"], one["end"]), one["far"])
        )
        yield Pair("supported", one["claim"], right)
        yield Pair("contradicted", one["wrong"], right, one["way"])
        yield Pair("unrelated", one["claim"], far)


def contradicted(one: Mapping[str, Any], every: Sequence[Mapping[str, Any]], draw: random.Random) -> tuple[str, str]:
    """How a claim is made wrong, and the wrong sentence."""
    if "denied" in one:
        return "denied", one["denied"]
    if "number" in one:
        old = one["number"]
        other = WORDS.get(old) or re.sub(r"\d+", lambda match: str(int(match.group()) + draw.randint(1, 9)), old, count=1)
        return "number", one["claim"].replace(old, other, 1)
    names = sorted({known["name"] for known in every if known["text"] == one["text"] and "name" in known} - {one["name"]})
    return "name", one["claim"].replace(one["name"], draw.choice(names or ["Mr. Hurst"]), 1)


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    options.add_argument("--held-out", action="store_true")
    for only in retrieval.SETS:
        options.add_argument(f"--{only}", action="store_const", const=only, dest="only", default="")
    options.add_argument("--written", choices=("development", "last", "again"))
    chosen = options.parse_args()
    told = not (chosen.held_out or chosen.only == "final")
    made = list(written(chosen.written) if chosen.written else pairs(held_out=chosen.held_out, only=chosen.only))
    found: list[str] = []

    def work() -> None:
        for pair in made:
            (checked,) = check(pair.sentence.rstrip(".") + " [1].", [pair.passage])
            found.append(checked.verdict)
            if told and (checked.verdict == "supported") != (pair.kind == "supported"):
                print(f"  {pair.kind} {pair.way}, called {checked.verdict}: {pair.sentence} ({checked.why})")

    seconds = _measure.seconds(work)
    met = True
    for kind, most, least in (("supported", 0.1, 0.0), ("contradicted", 1.0, 0.7), ("unrelated", 1.0, 0.9)):
        flags = [verdict != "supported" for verdict, pair in zip(found, made, strict=True) if pair.kind == kind]
        share = sum(flags) / len(flags)
        met &= least <= share <= most
        print(f"{kind}: {share:.1%} of {len(flags)} flagged (goal {f'at least {least:.0%}' if least else f'at most {most:.0%}'})")
    for way in ("number", "name", "denied"):
        flags = [verdict != "supported" for verdict, pair in zip(found, made, strict=True) if pair.way == way]
        print(
            f"  by another {way}: {sum(flags)} of {len(flags)} flagged"
            if way != "denied"
            else f"  denied: {sum(flags)} of {len(flags)} flagged"
        )
    print(f"{seconds / len(made) * 1000:.1f} ms a sentence; {_measure.machine()}")
    if not met:
        sys.exit("a goal is missed")


if __name__ == "__main__":
    main()
