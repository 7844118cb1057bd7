"""Draw passages at random for a new set of claims: ranges of the texts that no quote and no pair of an earlier set lies in.

Whoever writes the claims sees these passages and nothing else. Each comes with a second one of the same text, at least `APART`
characters away, which its claim is not about. Lists of words and addresses are passed over.

    python benchmarks/_draw_passages.py SEED COUNT

Knows the texts and the sets in training/writing/; knows no search and no check.
"""

from __future__ import annotations

import random
import re
import sys
import tomllib
from collections.abc import Sequence

import retrieval

from studio.writing.passages import Passage

APART = 4000
"""Characters, so that a passage and the unrelated one have no sentence in common and seldom a scene."""


def seen(sets: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The text and the quote of every question of these sets, by their names without an end; of all that are there where none is named."""
    files = [retrieval.DATA / f"{name}.toml" for name in sets] or sorted(retrieval.DATA.glob("questions*.toml"))
    return [(one["text"], retrieval.plain(one["quote"])) for file in files for one in tomllib.loads(file.read_text("utf-8"))["question"]]


def asked(name: str, passage: Passage, quotes: Sequence[tuple[str, str]]) -> bool:
    """Whether a quote stands in a passage of the text of this name."""
    return any(text == name and quote in retrieval.plain(passage.text) for text, quote in quotes)


def taken() -> list[tuple[str, int, int]]:
    """The text and the range of every pair that is already there."""
    files = sorted(retrieval.DATA.glob("pairs*.toml"))
    pairs = [one for file in files for one in tomllib.loads(file.read_text("utf-8"))["pair"]]
    return [(one["text"], one["start"], one["end"]) for one in pairs]


def prose(text: str) -> bool:
    """Whether a passage is long enough to say something and more than half of its words are in small letters, as in sentences."""
    words = re.findall(r"\S+", text)
    return len(text) > 300 and ". " in " ".join(words) and sum(word[0].islower() for word in words) > 0.6 * len(words)


def draw(seed: int, count: int) -> list[tuple[Passage, Passage]]:
    """`count` passages, as many of each text as can be, each with an unrelated one."""
    pick = random.Random(seed)
    quotes, ranges = seen(), taken()
    found: list[tuple[Passage, Passage]] = []
    texts = retrieval.sources(fresh=True)
    for number, (name, passages) in enumerate(sorted(texts.items())):
        free = [
            one
            for one in passages
            if prose(one.text)
            and not asked(name, one, quotes)
            and not any(text == name and one.start < end and start < one.end for text, start, end in ranges)
        ]
        share = count // len(texts) + (number < count % len(texts))
        drawn = pick.sample(free, share)
        found += [(passage, pick.choice([one for one in passages if abs(one.start - passage.start) > APART])) for passage in drawn]
    return found


if __name__ == "__main__":
    for passage, far in draw(int(sys.argv[1]), int(sys.argv[2])):
        print(f'[[pair]]\ntext = "{passage.source}"\nstart = {passage.start}\nend = {passage.end}\nfar = [{far.start}, {far.end}]')
        print(f"# {' '.join(passage.text.split())}\n")
