"""A longer prompt made only of words the picture starter understands: which words may be chosen, and what becomes of a choice.

A writer chooses by a grammar (GBNF, llama.cpp's form), so that nothing else can come out; a word that would change what is drawn is left
out again. It knows prompts and the library's names; it knows no writer and no pixels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from studio.errors import InvalidInput
from studio.starter.grammar import parse
from studio.starter.icons import IconLibrary
from studio.starter.lexicon import lexicon, singular
from studio.starter.phrases import Thing
from studio.starter.scene import PATTERNS
from studio.starter.vocabulary import COLOURS as VOCABULARY
from studio.starter.vocabulary import STYLES as ALL_STYLES
from studio.starter.words import read

COLOURS = ("red", "orange", "yellow", "golden", "green", "turquoise", "blue", "purple", "pink", "brown", "white", "black", "silver")
GROUNDS = (
    "light blue", "light pink", "light green", "light yellow", "lavender", "mint", "peach", "cream", "sky blue", "turquoise", "navy",
    "dark green",
)  # fmt: skip
STYLES = ("glossy", "flat", "cartoon")
_OFFERED = 5  # colours that a writer chooses from


@dataclass(frozen=True)
class Asked:
    """What a writer is to fill in: `question` in words, and the `grammar` of its answer."""

    question: str
    grammar: str
    document: str = ""
    bias: tuple[tuple[str, float], ...] = ()
    temperature: float = 0.9


class Wording:
    """The starter's words for longer prompts. `style` everywhere is the form's style; '' and Mixed leave it to the prompt."""

    def __init__(self, library: IconLibrary) -> None:
        self._library = library

    def asked(self, prompt: str, style: str = "", seed: int = 0) -> Asked:
        """What may be added to `prompt`: some of the words, drawn by `seed`, since a small writer would always take the same.

        Raises InvalidInput when nothing can be drawn or nothing is left to add.
        """
        reading = parse(prompt, lexicon(self._library), self._library.emoji)
        bare = _bare(reading.things)
        random = Random(seed)
        parts: list[str] = []
        if bare is not None:
            parts += ['"a "', "colour", f'" {_plain(bare.noun)}"']
        if reading.background is None:
            parts += ['" on a "' if parts else '"on a "', "ground", '" background"', "pattern"]
        if not reading.style and style.casefold() in ("", "mixed"):
            parts += ['", "', "style", '" style"']
        if not parts:
            raise InvalidInput("Your prompt says it all already, colours, background and style: press Create.", "prompt")
        rules = [f"root ::= {' '.join(parts)}", _choice("colour", random.sample(COLOURS, _OFFERED))]
        rules += [_choice("ground", random.sample(GROUNDS, _OFFERED)), _choice("style", random.sample(STYLES, 2))]
        rules.append("pattern ::= " + " | ".join(['""', *(f'" with {name}"' for name in random.sample(PATTERNS, 2))]))
        words = " ".join(word for thing in reading.things for word in thing.noun)
        return Asked(f"Describe a pretty picture of {words}: its colour, its background and its style.", "\n".join(rules))

    def filled(self, prompt: str, answer: str, style: str = "") -> str:
        """`prompt` with the words that the writer chose, those that leave the things it names as they are."""
        colour = re.match(rf"a ({'|'.join(COLOURS)}) ", answer)
        ground = re.search(rf"on a ({'|'.join(GROUNDS)}) background(?: with (\w+))?", answer)
        look = re.search(rf", ({'|'.join(STYLES)}) style$", answer)
        best = " ".join(prompt.split()).rstrip(" .,;")
        if colour is not None:
            longer = self._coloured(best, colour[1])
            best = longer if self._same(prompt, longer, style) else best
        if ground is not None:
            first, comma, rest = best.partition(",")
            said = f"{', on' if ' on ' in first else ' on'} a {ground[1]} background" + (f" with {ground[2]}" if ground[2] else "")
            longer = f"{first}{said}{comma}{rest}"
            best = longer if self._same(prompt, longer, style) else best
        if look is not None:
            longer = f"{best}, {look[1]} style"
            best = longer if self._same(prompt, longer, style) else best
        return best

    def concepts(self, prompt: str, style: str = "") -> tuple[tuple[str, ...], str]:
        """What would be drawn: the concept of each thing, and how they stand to one another."""
        scene = read(prompt, "", style if style in (*ALL_STYLES, "") else "", self._library)
        return tuple(self._library.icons[part.candidates[0].index].concept for part in scene.parts), scene.relation

    def _same(self, prompt: str, longer: str, style: str) -> bool:
        try:
            return self.concepts(prompt, style) == self.concepts(longer, style)
        except InvalidInput:
            return False

    def _coloured(self, prompt: str, colour: str) -> str:
        """The colour before the first thing that has none, with the article that fits."""
        bare = _bare(parse(prompt, lexicon(self._library), self._library.emoji).things)
        if bare is None:
            return prompt
        found = re.search(rf"\b({'[ -]+'.join(map(re.escape, bare.noun))})\b", prompt, re.IGNORECASE)
        if found is None:
            return prompt
        ending = "n" if colour[0] in "aeiou" else ""
        before = re.sub(r"\b(a)n?(\s+)$", rf"\g<1>{ending}\g<2>", prompt[: found.start()], flags=re.IGNORECASE)
        return f"{before}{colour} {prompt[found.start() :]}"


def _bare(things: Sequence[Thing]) -> Thing | None:
    """The first thing without a colour, neither beside its name nor in it."""
    return next((thing for thing in things if thing.hue is None and not set(thing.noun) & VOCABULARY.keys()), None)


def _choice(name: str, words: Sequence[str]) -> str:
    return f"{name} ::= " + " | ".join(f'"{word}"' for word in words)


def _plain(noun: tuple[str, ...]) -> str:
    return re.sub(r"[^a-z0-9 ]", "", " ".join((*noun[:-1], singular(noun[-1]))))
