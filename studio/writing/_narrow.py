"""A JSON schema made narrower, so that every answer ends: references written out, open texts, lists and numbers bounded.

Whatever the narrow schema accepts, the schema accepts; where that cannot be kept (`oneOf`, some `uniqueItems`, some `multipleOf`) the
result says `exact=False`. Knows no task, no engine and no grammar.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.writing._keywords import Clash, Unusable, kinds, merged, pointed, required_in
from studio.writing._values import DIGITS, arrangements, finite, longest, shortest

NODES = 4000
"""Most parts after references are written out."""
STEPS = 1000
"""Most values that a number with `multipleOf` is written out to."""
CHARACTERS = (2.5, 0.7)
"""Characters that a token is counted as: usually, and where the first answer came out too long."""
_FORMATS = ("date", "date-time", "time", "duration", "email", "hostname", "ipv4", "ipv6", "uuid", "uri")
_REFUSED = ("not", "if", "then", "else", "contains", "propertyNames", "dependentSchemas", "$dynamicRef", "$recursiveRef")
_TRIES = (
    *((items, length) for items in (8, 4, 2, 1) for length in (2000, 1000, 600, 400, 250, 160, 100, 60)),
    *((4, 40), (2, 40), (1, 40), (2, 24), (1, 24), (1, 16), (1, 8)),
)
"""Entries of an open list and characters of an open text, the widest first."""

Node = Mapping[str, Any]


@dataclass(frozen=True)
class Narrow:
    """`least`: characters of the shortest answer, roughly. `exact`: every answer by it is valid by the whole schema."""

    schema: dict[str, Any]
    least: int
    exact: bool


def narrow(schema: Node, tokens: int, tight: bool = False, capped: bool = True) -> Narrow:
    """The widest bounds in which the longest answer still fits into `tokens`, else the narrowest there are. Raises Unusable."""
    room, best, kept = tokens * CHARACTERS[tight], None, 0
    for depth in (2, 1, 0):  # how often a reference may stand inside itself
        try:
            made = _made(schema, _TRIES[-1], depth, capped)
        except Unusable:
            if best is None:
                raise
            break
        if made is not None:
            best, kept = made, depth
            if longest(made.schema) <= room:
                break
    if best is None:
        raise Unusable("is too large once its references are written out: make it smaller")
    if longest(best.schema) <= room:
        for bounds in _TRIES[:-1]:
            wider = _made(schema, bounds, kept, capped)
            if wider is not None and longest(wider.schema) <= room:
                return wider
    return best


def _made(schema: Node, bounds: tuple[int, int], depth: int, capped: bool) -> Narrow | None:
    """None where it becomes too large."""
    maker = _Maker(schema, *bounds, depth, capped)
    found = maker.made(schema, ())
    if maker.parts > NODES:
        return None
    if found is None:
        end = "goes on without end: a part that is required refers to itself" if maker.cut else "contradicts itself"
        raise Unusable(f"cannot be satisfied: it {end}")
    return Narrow(found, shortest(found), maker.exact)


class _Maker:
    def __init__(self, root: Node, items: int, length: int, depth: int, capped: bool) -> None:
        self.root, self.items, self.length, self.depth, self.capped = root, items, length, depth, capped
        self.exact, self.cut, self.parts = True, False, 0

    def made(self, node: Any, path: tuple[str, ...]) -> dict[str, Any] | None:
        """The narrow form of a part; None where nothing fits. `path` holds the references that led here."""
        self.parts += 1
        if node is False or self.parts > NODES:
            return None
        try:
            node, path = self._written_out({} if node is True else dict(node), path)
        except Clash as clash:
            self.exact = self.exact and not str(clash)
            return None
        if node is None:
            return None
        for key in _REFUSED:
            if key in node:
                raise Unusable(f"uses {key}, which cannot be followed: leave it out")
        if "enum" in node or "const" in node:
            values = node["enum"] if "enum" in node else [node["const"]]
            fitting = [value for value in values if self._valid(node, value)]
            return {"enum": fitting} if fitting else None
        for key in ("anyOf", "oneOf"):
            if key in node:
                self.exact = self.exact and key == "anyOf"
                rest = {name: value for name, value in node.items() if name != key}
                return _either([self.made({**rest, "allOf": [branch]}, path) for branch in node[key]])
        return _either([self._typed(kind, node, path) for kind in kinds(node)])

    def _written_out(self, node: dict[str, Any], path: tuple[str, ...]) -> tuple[dict[str, Any] | None, tuple[str, ...]]:
        while "$ref" in node or "allOf" in node:
            rest = {name: value for name, value in node.items() if name not in ("$ref", "allOf")}
            others = list(node.get("allOf", ()))
            if place := node.get("$ref"):
                if path.count(place) > self.depth or len(path) > 200:
                    self.cut = True
                    return None, path
                path = (*path, place)
                try:
                    others.append(pointed(self.root, place))
                except LookupError:
                    raise Unusable(f"refers to {place[:80]!r}, which it does not have") from None
            for other in others:
                inner, path = (other, path) if isinstance(other, bool) else self._written_out(dict(other), path)
                if inner is None or inner is False:
                    return None, path
                rest, exact = merged(rest, {} if inner is True else inner)
                self.exact = self.exact and exact
            node = rest
        return node, path

    def _typed(self, kind: str, node: Node, path: tuple[str, ...]) -> dict[str, Any] | None:
        if kind == "object":
            return self._object(node, path)
        if kind == "array":
            return self._array(node, path)
        if kind == "string":
            return self._string(node)
        return self._number(kind, node) if kind in ("number", "integer") else {"type": kind}

    def _string(self, node: Node) -> dict[str, Any] | None:
        least, most = int(node.get("minLength", 0)), int(node.get("maxLength", 10**6))
        pattern, form = node.get("pattern"), node.get("format")
        form = form if form in _FORMATS else None
        length = max(least, self.length if pattern is None and form is None else max(self.length, 64))
        bound = most if (pattern is not None and not self.capped) or form in _FORMATS[:4] else min(most, length)
        if least > most:
            return None
        found: dict[str, Any] = {"type": "string"} | ({"minLength": least} if least else {}) | ({"pattern": pattern} if pattern else {})
        return found | ({"maxLength": bound} if bound < 10**6 else {}) | ({"format": form} if form else {})

    def _number(self, kind: str, node: Node) -> dict[str, Any] | None:
        names = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum", "multipleOf")
        found: dict[str, Any] = {"type": kind} | {name: node[name] for name in names if name in node}
        lows = [node[name] for name in names[:2] if name in node and node[name] is not True and node[name] is not False]
        highs = [node[name] for name in names[2:4] if name in node and node[name] is not True and node[name] is not False]
        low, high = max(lows, default=None), min(highs, default=None)
        if low is None:
            found["minimum"] = low = min(-DIGITS, 10 * high) if high is not None else -DIGITS
        if high is None:
            found["maximum"] = high = max(DIGITS, 10 * low)
        if low > high:
            return None
        if "multipleOf" in node and not (isinstance(node["multipleOf"], int) and kind == "integer"):
            return self._multiples(node, found, low, high)
        if kind == "number" and "multipleOf" not in node:
            places = max(2, 2 - math.floor(math.log10(high - low))) if high > low else 0
            if places and places < 12:
                found["multipleOf"] = float(f"1e-{places}")  # bounds the digits
        return found

    def _multiples(self, node: Node, found: dict[str, Any], low: float, high: float) -> dict[str, Any] | None:
        """Written out where they are few: what is a multiple in decimals may be none in binary."""
        step = node["multipleOf"]
        first, last = math.ceil(low / step), math.floor(high / step)
        if last - first > STEPS:
            self.exact = False
            return found
        places = max(0, -math.floor(math.log10(step)) + 6)
        values = [round(number * step, places) for number in range(first, last + 1)]
        values = [int(value) if value == int(value) else value for value in values]
        fitting = [value for value in values if self._valid(node, value)]
        return {"enum": fitting} if fitting else None

    def _array(self, node: Node, path: tuple[str, ...]) -> dict[str, Any] | None:
        items, prefix = node.get("items", True), list(node.get("prefixItems", ()))
        if isinstance(items, list):  # as drafts before 2020 wrote it
            items, prefix = node.get("additionalItems", True), list(items)
        least, most = int(node.get("minItems", 0)), int(node.get("maxItems", 10**6))
        most = min(most, max(least, len(prefix), self.items))
        if len(prefix) >= most:
            items, prefix = False, prefix[:most]
        firsts = [self.made(part, path) for part in prefix]
        if None in firsts:
            most = min(most, firsts.index(None))
            firsts = firsts[:most]
        rest = self.made(items, path) if len(firsts) == len(prefix) else None
        most = most if rest is not None else min(most, len(firsts))
        if least > most:
            return None
        if node.get("uniqueItems") and most > 1:
            values = None if firsts or rest is None else finite(rest)
            if values is not None and (lists := arrangements(values, least, most)):
                return {"enum": lists}
            if values is not None and len(values) < least:
                return None
            self.exact = False
        found: dict[str, Any] = {"type": "array", "minItems": least, "maxItems": most, "items": False if rest is None else rest}
        return found | ({"prefixItems": firsts} if firsts else {})

    def _object(self, node: Node, path: tuple[str, ...]) -> dict[str, Any] | None:
        given: dict[str, Any] = dict(node.get("properties", {}))
        patterns: Node = node.get("patternProperties", {})
        other = node.get("additionalProperties", True)
        required = required_in(node)
        for name in required:
            if name not in given:
                given[name] = next((part for pattern, part in patterns.items() if re.search(pattern, name)), other)
        parts = {name: self.made(part, path) for name, part in given.items()}
        if any(parts[name] is None for name in required):
            return None
        kept = {name: part for name, part in parts.items() if part is not None}
        least, most = int(node.get("minProperties", 0)), int(node.get("maxProperties", 10**6))
        found: dict[str, Any] = {"type": "object", "properties": kept, "required": required, "additionalProperties": False}
        if kept or (other is False and not patterns):
            spare = [name for name in kept if name not in required]
            found["required"] = required = required + spare[: max(0, least - len(required))]
            allowed = [*required, *(name for name in spare if name not in required)][:most]
            found["properties"] = {name: part for name, part in kept.items() if name in allowed}
            return found if len(kept) >= least and len(required) <= most else None
        part = self.made(next(iter(patterns.values()), other), path)
        if part is None:
            return found if least == 0 else None
        keys = next(iter(patterns), "^[A-Za-z][A-Za-z0-9_ -]{0,23}$")
        count = min(most, max(least, self.items))
        return found | {"patternProperties": {keys: part}, "minProperties": least, "maxProperties": count}

    def _valid(self, node: Node, value: Any) -> bool:
        from jsonschema import validators

        kind: Any = validators.validator_for(self.root, default=validators.Draft202012Validator)
        return bool(kind(self.root).evolve(schema=dict(node)).is_valid(value))


def _either(parts: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    found = [part for part in parts if part is not None]
    return None if not found else found[0] if len(found) == 1 else {"anyOf": found}
