"""Writing in a given form: how many answers of the starter are valid by `jsonschema`, over 20 schemas with fixed seeds.

Claim: 500 generations, 100 % valid. A generation that needed a second attempt is counted and named. `--count 20` runs a slice,
`--skip 20` begins after the first twenty.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import _measure
import jsonschema

from studio.creations import Passage
from studio.errors import ModelUnavailable
from studio.models import resolve
from studio.studio import Studio
from studio.tasks import Write

TEXT = {"type": "string", "minLength": 3, "maxLength": 40}


def record(optional: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    """An object with these fields, all required but the optional ones."""
    return {"type": "object", "properties": fields, "required": [name for name in fields if name not in optional]}


SCHEMAS: dict[str, tuple[str, dict[str, Any]]] = {
    "person": ("Invent a person.", record(name=TEXT, age={"type": "integer", "minimum": 18, "maximum": 99})),
    "mood": ("Name a mood for a song.", {"enum": ["calm", "happy", "sad", "epic", "dark"]}),
    "price": (
        "Describe a mug for a shop.",
        record(title=TEXT, price={"type": "number", "minimum": 5, "exclusiveMaximum": 40}, stock={"type": "boolean"}),
    ),
    "nested": (
        "Describe a house.",
        record(address=record(street=TEXT, number={"type": "integer", "minimum": 1, "maximum": 300}), rooms={"enum": [1, 2, 3, 4, 5]}),
    ),
    "list": ("List things to take to the beach.", {"type": "array", "items": {**TEXT, "maxLength": 20}, "minItems": 3, "maxItems": 5}),
    "rows": (
        "Plan a week of meals.",
        {"type": "array", "minItems": 2, "maxItems": 3, "items": record(day={"enum": ["Mon", "Tue", "Wed"]}, meal=TEXT)},
    ),
    "pattern": ("Invent a product code.", record(code={"type": "string", "pattern": "^[A-Z]{2}-[0-9]{3,5}$"}, name=TEXT)),
    "date": ("When was the first moon landing?", record(date={"type": "string", "format": "date"}, event=TEXT)),
    "union": ("Answer with a number or a word.", {"anyOf": [{"type": "integer", "minimum": 0, "maximum": 1000}, TEXT]}),
    "optional": ("Describe a cat.", record(("colour", "weight"), name=TEXT, colour=TEXT, weight={"type": "number", "minimum": 0.5})),
    "step": ("Rate this film.", record(stars={"type": "number", "minimum": 0, "maximum": 5, "multipleOf": 0.5}, why=TEXT)),
    "different": (
        "Choose colours.",
        record(colours={"type": "array", "items": {"enum": ["red", "green", "blue", "gold"]}, "uniqueItems": True, "minItems": 2}),
    ),
    "tree": (
        "Outline an article about tea.",
        {
            "$defs": {
                "part": record(
                    ("parts",), title={**TEXT, "maxLength": 24}, parts={"type": "array", "maxItems": 2, "items": {"$ref": "#/$defs/part"}}
                )
            },
            "$ref": "#/$defs/part",
        },
    ),
    "tuple": (
        "Give a point and its name.",
        {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "integer"}, TEXT], "items": False, "minItems": 3},
    ),
    "null": ("Who wrote this?", record(author={"type": ["string", "null"], "maxLength": 30}, year={"type": ["integer", "null"]})),
    "open": ("Describe the sea.", record(title={"type": "string"}, text={"type": "string"})),
    "map": (
        "Count the fruit in the bowl.",
        {
            "type": "object",
            "additionalProperties": {"type": "integer", "minimum": 0, "maximum": 50},
            "minProperties": 1,
            "maxProperties": 4,
        },
    ),
    "kinds": (
        "Draw a shape.",
        {
            "oneOf": [
                record(shape={"const": "circle"}, radius={"type": "integer", "minimum": 1, "maximum": 9}),
                record(shape={"const": "square"}, side={"type": "integer", "minimum": 1, "maximum": 9}),
            ]
        },
    ),
    "both": (
        "Describe a book.",
        {"allOf": [record(title=TEXT), record(pages={"type": "integer", "exclusiveMinimum": 9, "multipleOf": 10, "maximum": 900})]},
    ),
    "plan": (
        "Plan a short piece of music for a sunrise.",
        record(
            genre={"enum": ["pop", "jazz", "folk", "ambient", "rock"]},
            bpm={"type": "integer", "minimum": 60, "maximum": 180},
            key={"type": "string", "pattern": "^[A-G](#|b)? (major|minor)$"},
            instruments={"type": "array", "items": {"enum": ["piano", "guitar", "flute", "drums"]}, "minItems": 1, "maxItems": 3},
        ),
    ),
}
"""Request and schema by name: nested, enums, lengths, limits of numbers, patterns, references, unions, maps, open texts."""


def tasks(count: int, skip: int = 0) -> Iterator[tuple[str, Write]]:
    """`count` generations after the first `skip`: the schemas in turn, seed after seed."""
    names = list(SCHEMAS)
    for number in range(skip, skip + count):
        prompt, schema = SCHEMAS[names[number % len(names)]]
        values = {"prompt": prompt, "output_schema": json.dumps(schema), "seed": number // len(names) + 1, "max_new_tokens": 120}
        yield names[number % len(names)], Write.checked({**values, "temperature": 0.9, "top_p": 0.95})


def writer(studio: Studio) -> Callable[[Write], Passage]:
    """The starter, loaded."""
    card = studio.card_for(Write.checked({"prompt": "-", "model": "SmolLM2 135M"}))
    recipe = studio.recipe(card, Write.checked({"prompt": "-"}))
    pipeline = recipe.build({"writer": recipe.components["writer"].load(lambda _: None)})

    def write(task: Write) -> Passage:
        [passage] = pipeline(resolve(task, card), lambda _: None)
        assert isinstance(passage, Passage)
        return passage

    return write


def is_valid(name: str, text: str) -> bool:
    """Whether plain `jsonschema` accepts the text."""
    try:
        return jsonschema.Draft202012Validator(SCHEMAS[name][1]).is_valid(json.loads(text))
    except ValueError:
        return False


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--skip", type=int, default=0)
    asked = parser.parse_args()
    count = asked.count
    studio = Studio.open(_measure.settings())
    try:
        write = writer(studio)
    except ModelUnavailable as missing:
        sys.exit(f"structured: {missing}")
    began, passed, again, tokens = time.process_time(), 0, 0, 0
    for number, (name, task) in enumerate(tasks(count, asked.skip), 1):
        passage = write(task)
        tokens += passage.tokens
        again += "attempts" in passage.facts
        good = is_valid(name, passage.text) and passage.facts.get("valid") is True
        passed += good
        if not good:
            print(f"  {name}, seed {task.seed}: {passage.finish}, {passage.text!r}")
        if number % 100 == 0:
            print(f"  {passed} of {number}", flush=True)
    print(f"structured: {passed} of {count} answers valid by jsonschema, {passed / count:.1%} (claim 100%)")
    print(f"  {len(SCHEMAS)} schemas; {again} needed a further attempt; {tokens / count:.0f} tokens each, "
          f"{(time.process_time() - began) / count:.1f} CPU-seconds each; {_measure.machine()}")  # fmt: skip
    studio.close()


if __name__ == "__main__":
    main()
