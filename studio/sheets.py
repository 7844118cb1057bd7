"""A model in a few facts that its card holds: class of its licence, what it is meant for, its limits, its data. What is not known is said.

Knows cards and tasks; knows no page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from studio import licences
from studio.models import ModelCard
from studio.tasks import MODES, REFERENCE_USES, TASKS

MEANT: Mapping[str, str] = {
    "text_to_image": "pictures from words",
    "inpaint": "changing parts of a picture",
    "music": "music from words",
    "narrate": "reading texts aloud",
    "write": "writing and revising texts",
    "search": "finding what was made by what it means",
}
"""What a kind of task is, in words; any further kind by its own name."""
WAYS = {**MODES, **REFERENCE_USES, "make": "Make new"}


def sheet(card: ModelCard) -> dict[str, str]:
    """Title to words, in the order of reading."""
    terms = licences.terms(card)
    return {
        "Licence class": f"{licences.KINDS[terms.kind]}{f': {terms.restricts}' if terms.restricts else ''}",
        "Meant for": "; ".join(_meant(card)),
        "Limits": "; ".join(_limits(card)) or "none that its card names",
        "Learned from": card.data if card.trained else "nothing: a plain method, not a model that was trained",
        "Not yet checked at its origin": ", ".join(name.replace("_", " ") for name in card.unverified) or "nothing",
    }


def _meant(card: ModelCard) -> Iterator[str]:
    yield from (MEANT.get(kind, kind.replace("_", " ")) for kind in card.serves)
    if card.modes:
        yield f"in these ways: {', '.join(WAYS.get(way, way).lower() for way in card.modes)}"


def _limits(card: ModelCard) -> Iterator[str]:
    """What the card narrows, in the titles of its tasks' fields."""
    fields = {name: str(field.title) for kind in card.serves if kind in TASKS for name, field in TASKS[kind].model_fields.items()}
    for name, (low, high) in card.limits.items():
        yield f"{fields.get(name, name)} from {low:g} to {high:g}"
    unused = [fields[name].lower() for name in card.ignores if name in fields]
    if unused:
        yield f"does not use {', '.join(unused)}"
    yield f"understands {', '.join(card.languages)}" if card.languages else "languages not told"
