"""Which texts get the invisible mark of `textmark`, and why the others get none. Knows what a record tells, and no tokens.

A text is marked where a model of transformers writes it and it may become long. What llama.cpp and services elsewhere write cannot be: they
let nobody into the draw. An answer of a given form never is: where one of three choices, or a digit, is drawn, a lean would change what is
said, and what a form leaves open is too little to be found again. At temperature 0 nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

from studio.tasks import UNMARKED_TOKENS

ENGINE = "language"
"""The engine that can put it in."""
FACT = "mark"
"""Of a passage's facts, the one that names the scheme where a mark was put in."""
SCHEME = "SynthID-Text"
ELSEWHERE = "The words follow this studio's secret as well as the seed: another studio writes other words from the same settings."
FORMS = ("output_schema", "output_regex", "output_choices")


def why_none(engine: object, name: object, asked: Mapping[str, object], facts: Mapping[str, object], off: str = "") -> str:
    """One sentence that says why a text has no mark. `asked` is the task as it was asked, `off` the studio's own reason."""
    if engine != ENGINE:
        return f"{name or 'This writer'} draws its words by itself, so that no mark can be put into them."
    if off:
        return off
    if asked.get("text_mark") is False:
        return "It was turned off for this text, which therefore cannot be recognised by its words."
    if any(asked.get(form) for form in FORMS):
        return "An answer in a given form carries no mark: its choices and numbers follow the model alone."
    if facts.get("temperature") == 0:
        return "At temperature 0 every word is settled, which leaves no room for a mark."
    return f"The answer was to be {UNMARKED_TOKENS} tokens long at most: a mark in so short a text would hardly be found again."
