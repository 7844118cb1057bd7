"""Which values a narrow schema (see _narrow.py) allows, where they are few, and how long its answers are in characters.

Lengths are rough: for choosing bounds, not for counting.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from itertools import permutations
from typing import Any

DIGITS = 10**12
"""Bound of a whole number that has none."""
ARRANGEMENTS = 400
"""Most lists of different entries that are written out."""


def longest(part: Any) -> int:
    """Characters of the longest answer, roughly."""
    if "enum" in part:
        return max(_written(value) for value in part["enum"])
    if "anyOf" in part:
        return max(longest(branch) for branch in part["anyOf"])
    kind = part["type"]
    if kind == "object":
        named = sum(len(name) + 6 + longest(inner) for name, inner in part["properties"].items())
        return 2 + named + sum((26 + longest(inner)) * part["maxProperties"] for inner in part.get("patternProperties", {}).values())
    if kind == "array":
        firsts: list[Any] = part.get("prefixItems", [])
        more = 0 if part["items"] is False else (part["maxItems"] - len(firsts)) * (2 + longest(part["items"]))
        return 2 + more + sum(2 + longest(inner) for inner in firsts)
    return 2 + part.get("maxLength", 40) if kind == "string" else 14 if kind in ("number", "integer") else 5


def shortest(part: Any) -> int:
    """Characters of the shortest answer, roughly."""
    if "enum" in part:
        return min(_written(value) for value in part["enum"])
    if "anyOf" in part:
        return min(shortest(branch) for branch in part["anyOf"])
    kind = part["type"]
    if kind == "object":
        named = sum(len(name) + 6 + shortest(part["properties"][name]) for name in part["required"])
        return 2 + named + sum((6 + shortest(inner)) * part["minProperties"] for inner in part.get("patternProperties", {}).values())
    if kind == "array":
        firsts: list[Any] = part.get("prefixItems", [])
        more = max(0, part["minItems"] - len(firsts)) * (2 + (0 if part["items"] is False else shortest(part["items"])))
        return 2 + more + sum(2 + shortest(inner) for inner in firsts[: part["minItems"]])
    return 2 + part.get("minLength", 0) if kind == "string" else 1 if kind in ("number", "integer") else 4


def _written(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False))


def finite(part: Mapping[str, Any]) -> list[Any] | None:
    """All values of the part, where they are few."""
    if "enum" in part:
        return list(part["enum"])
    if part.get("type") == "boolean":
        return [False, True]
    if part.get("type") == "integer" and "multipleOf" not in part:
        low = max(math.ceil(part.get("minimum", -DIGITS)), math.floor(part.get("exclusiveMinimum", -DIGITS)) + 1)
        high = min(math.floor(part.get("maximum", DIGITS)), math.ceil(part.get("exclusiveMaximum", DIGITS)) - 1)
        return list(range(low, high + 1)) if high - low < 32 else None
    return None


def arrangements(values: list[Any], least: int, most: int) -> list[Any]:
    """All lists of different values, the lengths bounded so that they are few; none where even the shortest are many."""
    found: list[Any] = []
    for size in range(least, min(most, len(values)) + 1):
        if len(found) + math.perm(len(values), size) > ARRANGEMENTS:
            break
        found += [list(chosen) for chosen in permutations(values, size)]
    return found
