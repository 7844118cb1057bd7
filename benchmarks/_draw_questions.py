"""Draws passages for a new set of questions: ten of each of six texts, with two to spare for those that state nothing. Prints them.

    python benchmarks/_draw_questions.py

A passage that any question of an earlier set asks about is left out. Knows no search.
"""

from __future__ import annotations

import random

import _draw_passages
import retrieval

SEED = 20261124
TEXTS, EACH, SPARE = 6, 10, 2
SETS = ("questions", "questions_final", "questions_fresh")


def main() -> None:
    """Print the number of each passage and its text."""
    draw = random.Random(SEED)
    sources = retrieval.sources(fresh=True)
    quotes = _draw_passages.seen(SETS)
    for text in sorted(draw.sample(sorted(sources), TEXTS)):
        free = [one for one in sources[text] if not _draw_passages.asked(text, one, quotes)]
        for passage in draw.sample(free, EACH + SPARE):
            print(f"== {text} {passage.number}\n{passage.text}\n")


if __name__ == "__main__":
    main()
