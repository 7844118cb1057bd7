"""What a prompt asks of a picture that is there already: things to draw, only another background, or nothing at all.

words.py reads prompts for new pictures, which need a thing; here a background alone is enough, since the picture has its things.
"""

from __future__ import annotations

from dataclasses import replace

from studio.errors import InvalidInput
from studio.starter.grammar import Reading, parse
from studio.starter.icons import IconLibrary
from studio.starter.lexicon import lexicon
from studio.starter.scene import Scene
from studio.starter.vocabulary import PATTERN_WORDS
from studio.starter.words import Nearest, read

_KEPT = "cat"  # stands for the thing that is kept, so that the rest of the prompt is read as what is around it


def asked(prompt: str, negative: str, mode: str, library: IconLibrary, encoder: Nearest | None = None) -> Scene | None:
    """The scene that `prompt` asks for in `mode`; None for an empty prompt. A scene of a background alone has no parts.

    Raises InvalidInput when the prompt names nothing that can be drawn.
    """
    if not prompt.strip():
        return None
    if mode in ("fill", "refine"):
        return read(prompt, negative, "", library, encoder)
    around = _around(prompt, library) if mode == "background" else None
    if around is None:
        try:
            return read(prompt, negative, "", library, encoder)
        except InvalidInput:
            around = _around(prompt, library)
            if around is None:
                raise
    others = [thing.words for thing in around.things if not PATTERN_WORDS.keys() & set(thing.noun) and thing.noun != (_KEPT,)]
    if not others:
        return Scene((), "", around.background)
    return replace(read(" and ".join(others), negative, "", library, encoder), background=around.background)


def _around(prompt: str, library: IconLibrary) -> Reading | None:
    """The prompt read as what is around a thing: the first reading that finds a background."""
    for text in (f"{_KEPT}, {prompt}", f"{_KEPT} in {prompt}", f"{_KEPT} on {prompt}", f"{_KEPT}, {prompt} background"):
        try:
            reading = parse(text, lexicon(library), library.emoji)
        except InvalidInput:
            continue
        if reading.background is not None:
            return reading
    return None
