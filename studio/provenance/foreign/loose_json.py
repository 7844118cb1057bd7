"""JSON of any origin, as other programs write it: NaN and Infinity in it (Python's way), numbers of any length, keys twice.

Bounded in size and depth; never an exception but MediaUnreadable. Knows no program.
"""

from __future__ import annotations

import json
import math
from typing import cast

from studio.errors import MediaUnreadable
from studio.provenance.containers import TEXT_LIMIT


def table(text: str, tool: str) -> dict[str, object]:
    """The JSON object in `text`. What is no number to us (NaN, 30 digits and more) stays as text. Of a key that stands twice the last
    value counts, as everywhere; the one before is there as "KEY (again)", so that it can be named.

    Raises MediaUnreadable for what is no JSON object, names `tool`.
    """
    found = attempted(text)
    if found is None:
        raise MediaUnreadable(f"The settings that {tool} left in this file are damaged: set the fields by hand.")
    return found


def attempted(text: str, *words: str) -> dict[str, object] | None:
    """The same, None where the text is none or has none of `words`, if any are given. Raises MediaUnreadable for a text over 1 MB."""
    if len(text) > TEXT_LIMIT:
        raise MediaUnreadable("The settings in this file are larger than 1 MB and were not read: set the fields by hand.")
    text = text.strip().strip("\x00\ufeff")
    if not text.startswith("{") or (words and not any(word in text for word in words)):
        return None
    found = anything(text)
    return cast("dict[str, object]", found) if isinstance(found, dict) else None


def anything(text: str) -> object:
    """The value that a JSON text of a checked length holds, None where it is none."""
    try:
        found: object = json.loads(text, object_pairs_hook=_pairs, parse_constant=str, parse_int=_int, parse_float=_float)
    except (ValueError, RecursionError):
        return None
    return found


def parts(value: object) -> list[object]:
    """`value` where it is a list, else an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def tables(value: object) -> list[dict[str, object]]:
    """The objects in a list, or [] for anything else."""
    return [cast("dict[str, object]", one) for one in parts(value) if isinstance(one, dict)]


def inner(value: object) -> dict[str, object]:
    """`value` where it is an object, else an empty one."""
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _pairs(found: list[tuple[str, object]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for key, value in found:
        if key in made:
            made[f"{key} (again)"] = made[key]
        made[key] = value
    return made


def _int(digits: str) -> int | str:
    return int(digits) if len(digits) < 30 else digits


def _float(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits
