"""What the panels that a writer drafts must be like to count as usable: mechanical rules that a person can check by eye.

They catch what is no storyboard: too few panels, the same panel again, pictures that only say the caption again, texts cut short, panels
that have nothing to do with the premise. They cannot see whether a story is good. Knows no model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from studio.writing.panels import CAPTION, PICTURE, Drafted, read
from training.writing.rules import Form, faults, repeated, same, telling, words_of

ALIKE = 0.6
"""The largest share of words that two captions, or two pictures, may have in common."""
SAID_AGAIN = 0.8
"""The same for a caption and its picture."""
NEW = 2
"""Words that each caption must bring which none before it had."""
OF_THE_PREMISE, NEAR = 0.4, 0.5
"""Share of the premise's words that must occur; share of the panels in which one of them must."""
CAPTION_WORDS, PICTURE_WORDS = (3, 30), (4, 50)


def panel_faults(answer: str, premise: str, count: int, instruction: str) -> tuple[str, ...]:
    """Why a draft of `count` panels does not pass; nothing when it does. `instruction` is the template without its blanks."""
    draft = read(answer)
    if not draft.whole or len(draft.panels) != count:
        return (f"{len(draft.panels)} whole panels of {count}",)
    captions, pictures = [panel.caption for panel in draft.panels], [panel.picture for panel in draft.panels]
    everything = Form(words=(5 * count, 80 * count), mentions=False, sentence_end=False)
    general = faults("\n".join([*captions, *pictures]), everything, premise, instruction, reached_length=False)
    general = tuple(fault for fault in general if not fault.startswith("repeats itself"))  # a picture may name what its caption names
    return (*general, *_shape(draft.panels), *_apart("captions", captions), *_apart("pictures", pictures), *_story(draft.panels, premise))


def _shape(panels: Sequence[Drafted]) -> Iterator[str]:
    for number, panel in enumerate(panels, 1):
        for name, text, most, (few, many) in (
            ("caption", panel.caption, CAPTION[1], CAPTION_WORDS),
            ("picture", panel.picture, PICTURE[1], PICTURE_WORDS),
        ):
            if not few <= len(words_of(text)) <= many:
                yield f"{name} {number} has {len(words_of(text))} words"
            if len(text) >= most:
                yield f"{name} {number} is cut short"
        if _shared(panel.caption, panel.picture) > SAID_AGAIN:
            yield f"picture {number} says its caption again"


def _apart(name: str, texts: Sequence[str]) -> Iterator[str]:
    if repeated([word for text in texts for word in words_of(text)]) > 0.15:
        yield f"{name} repeat themselves"
    for (one, first), (other, second) in combinations(enumerate(texts, 1), 2):
        if _shared(first, second) > ALIKE:
            yield f"{name} {one} and {other} are alike"


def _story(panels: Sequence[Drafted], premise: str) -> Iterator[str]:
    wanted, known = telling(premise), list[str]()
    for number, panel in enumerate(panels, 1):
        new = [word for word in telling(panel.caption) if not any(same(word, other) for other in known)]
        if len(new) < NEW:
            yield f"caption {number} brings nothing new"
        known += new
    held = [{word for word in wanted if any(same(word, other) for other in words_of(f"{one.caption} {one.picture}"))} for one in panels]
    if wanted and len(set[str]().union(*held)) / len(wanted) < OF_THE_PREMISE:
        yield f"keeps {len(set[str]().union(*held))} of {len(wanted)} words of the premise"
    if wanted and sum(map(bool, held)) / len(panels) < NEAR:
        yield "leaves the premise"


def _shared(one: str, other: str) -> float:
    """The share of telling words that two texts have in common: 0 none, 1 all."""
    first, second = set(telling(one)), set(telling(other))
    return len(first & second) / len(first | second) if first | second else 1.0
