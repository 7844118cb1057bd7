"""Keywords of JSON schemas: what a part is about, what it refers to, what two parts come to together. Knows no bounds and no answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

_NOTES = ("title", "description", "default", "examples", "$comment", "$schema", "$id", "deprecated", "readOnly", "writeOnly")
_HIGHER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_LOWER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_HOMES = ("$defs", "definitions", "$anchor", "unevaluatedProperties", "unevaluatedItems")

_SIGNS = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties", "maxProperties"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
}

Node = Mapping[str, Any]


class Unusable(Exception):
    """What is wrong with a schema, to be read after the words "JSON schema"."""


class Clash(Exception):
    """Nothing fits both; with words where only this code cannot tell."""


def pointed(root: Any, place: str) -> Any:
    """The part of the schema that a local reference such as `#/$defs/name` means. Raises LookupError."""
    found = root
    for written in place.lstrip("#").split("/")[1:]:
        step = unquote(written).replace("~1", "/").replace("~0", "~")
        try:
            found = found[int(step)] if isinstance(found, list) else found[step]
        except (KeyError, IndexError, ValueError, TypeError):
            raise LookupError(place) from None
    if isinstance(found, dict | bool):
        return found
    raise LookupError(place)


def kinds(node: Node) -> Sequence[str]:
    """The types that the part allows; where it names none, those that its other words are about."""
    named = node.get("type")
    if isinstance(named, str):
        return (named,)
    if named is not None:
        return tuple(named)
    meant = [kind for kind, words in _SIGNS.items() if any(word in node for word in words)]
    return tuple(meant) or ("string", "integer", "boolean", "null")


def required_in(node: Node) -> list[str]:
    """With all that depends on what is required, or may be there: to have both is always right."""
    found = list(dict.fromkeys(node.get("required", ())))
    needs = {**node.get("dependentRequired", {}), **node.get("dependencies", {})}
    for name, others in needs.items():
        if not isinstance(others, list):
            raise Unusable("uses dependencies with schemas, which cannot be followed: leave them out")
        if name in node.get("properties", {}) or name in found:
            found += [other for other in (name, *others) if other not in found]
    return found


def merged(one: Node, two: Node) -> tuple[dict[str, Any], bool]:
    """Both in one, and whether that is exact. References and `allOf` of `two` are written out already. Raises Clash."""
    found, exact = {key: value for key, value in one.items() if key not in _HOMES}, True
    named = "properties" in one or "properties" in two
    for key, value in two.items():
        if key in _HOMES or (key in _NOTES and key in found) or (named and key in ("properties", "additionalProperties")):
            continue
        if key not in found or found[key] == value:
            found[key] = value
        elif key in ("anyOf", "oneOf"):
            found["allOf"] = [*found.get("allOf", ()), {"anyOf": _pairs(found.pop(key), value)}]
            exact = exact and key == "anyOf"
        else:
            found[key], same = _both(key, found[key], value)
            exact = exact and same
    if named:
        _properties(found, one, two)
    return found, exact


def _both(key: str, one: Any, two: Any) -> tuple[Any, bool]:
    """What two values of a keyword come to, and whether that is exact. Raises Clash."""
    if key in _HIGHER or key in _LOWER:
        return (max if key in _HIGHER else min)(one, two), True
    if key == "required":
        return list(dict.fromkeys([*one, *two])), True
    if key == "type":
        return _types(one, two), True
    if key == "enum":
        return [entry for entry in one if entry in two], True
    if key in ("items", "additionalProperties"):
        return {"allOf": [one, two]}, True
    if key in ("dependentRequired", "patternProperties"):
        return {**two, **one}, not set(one) & set(two)
    if key == "const":
        raise Clash
    return one, key in _NOTES


def _properties(found: dict[str, Any], one: Node, two: Node) -> None:
    """Each property by both; what only one names is, to the other, an additional one."""
    first, second = one.get("properties", {}), two.get("properties", {})
    rests = (one.get("additionalProperties", True), two.get("additionalProperties", True))
    joined: dict[str, Any] = {}
    for name in dict.fromkeys([*first, *second]):
        parts = [part for part in (first.get(name, rests[0]), second.get(name, rests[1])) if part is not True]
        joined[name] = parts[0] if len(parts) == 1 else {"allOf": parts} if parts else True
        if False in parts:
            joined[name] = False
    found["properties"] = joined
    rest = [part for part in rests if part is not True]
    if rest:
        found["additionalProperties"] = False if False in rest else rest[0] if len(rest) == 1 else {"allOf": rest}


def _types(one: Any, two: Any) -> Any:
    first, second = ([kind] if isinstance(kind, str) else list(kind) for kind in (one, two))
    both = [kind for kind in first if kind in second]
    if "integer" not in both and (("integer" in first and "number" in second) or ("number" in first and "integer" in second)):
        both.append("integer")
    if not both:
        raise Clash
    return both[0] if len(both) == 1 else both


def _pairs(one: list[Any], two: list[Any]) -> list[Any]:
    return [{"allOf": [first, second]} for first in one for second in two]
