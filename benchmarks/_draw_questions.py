"""Draws passages for a new set of questions: ten of each of six texts, with two to spare for those that state nothing. Prints them.

    python benchmarks/_draw_questions.py

A passage that any question of an earlier set asks about is left out. Knows no search.
"""

from __future__ import annotations

import random
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent / "benchmarks"))

import retrieval

SEED = 20261124
TEXTS, EACH, SPARE = 6, 10, 2
SETS = ("questions", "questions_final", "questions_fresh")


def main() -> None:
    """Print the number of each passage and its text."""
    draw = random.Random(SEED)
    sources = retrieval.sources(fresh=True)
    quotes: dict[str, list[str]] = {}
    for name in SETS:
        for one in tomllib.loads((retrieval.DATA / f"{name}.toml").read_text("utf-8"))["question"]:
            quotes.setdefault(one["text"], []).append(retrieval.plain(one["quote"]))
    for text in sorted(draw.sample(sorted(sources), TEXTS)):
        free = [one for one in sources[text] if not any(quote in retrieval.plain(one.text) for quote in quotes.get(text, []))]
        for passage in draw.sample(free, EACH + SPARE):
            print(f"== {text} {passage.number}\n{passage.text}\n")


if __name__ == "__main__":
    main()
