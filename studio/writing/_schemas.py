"""JSON schemas: which are refused, and in which words; which texts they accept. Knows no task and no engine."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, NoReturn, cast

from studio.errors import InvalidInput
from studio.writing._keywords import Unusable
from studio.writing._narrow import Narrow, narrow

DEEP, NODES, MANY, LONG = 24, 3000, 1000, 100_000
"""Most levels, parts, entries of a list that a schema may ask for, and characters of a text."""
REPEATS = 5000
"""Most repetitions that the counts of a pattern may come to."""
_COUNTS = {"minItems": MANY, "minLength": LONG, "minProperties": MANY}
_FIELD = "output_schema"
_TIMEOUT = 0.5
_PIECE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|\{(\d+)(?:,(\d*))?\}|.", re.DOTALL)


def read(text: str) -> dict[str, Any]:
    """The schema. Raises InvalidInput, field `output_schema`."""
    try:
        found: object = json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        _refuse(f"is no JSON: line {error.lineno}, column {error.colno} ({error.msg.lower()})")
    except RecursionError:
        _refuse(f"is nested more than {DEEP} levels deep: make it flatter")
    except ValueError:
        _refuse("holds a number that is none in JSON, or is too long")
    if not isinstance(found, dict):
        _refuse('must be an object, such as {"type": "object", "properties": {"title": {"type": "string"}}}')
    schema = cast("dict[str, Any]", found)
    _bounded(schema)
    _checked(schema)
    return schema


def narrowed(schema: Mapping[str, Any], tokens: int, tight: bool, capped: bool) -> Narrow:
    """The schema with all that it leaves open bounded, so that an answer ends within `tokens`. Raises InvalidInput."""
    try:
        found = narrow(schema, tokens, tight, capped)
    except Unusable as error:
        _refuse(str(error))
    if found.least > 4 * tokens:
        words = f"Longest answer is too short for this JSON schema: allow at least {found.least // 4 + 1:,} tokens."
        raise InvalidInput(words, "max_new_tokens")
    return found


def accepts(schema: Mapping[str, Any], text: str) -> bool:
    """Whether the text is JSON that the schema accepts. Patterns are tried for half a second at most."""
    try:
        return bool(_validator(json.dumps(schema)).is_valid(json.loads(text, parse_constant=_no_constant)))
    except (ValueError, RecursionError, TimeoutError):
        return False


def check_pattern(pattern: str, field: str, title: str) -> None:
    """Refuse a pattern whose counted repetitions come to more than `REPEATS`. Raises InvalidInput with the field."""
    sizes, size, position = [0], 0, 0  # of the groups that are open, and of the part before `position`
    while position < len(pattern) and (found := _PIECE.match(pattern, position)):
        piece, position = found[0], found.end()
        if piece == "(":
            sizes.append(0)
        elif piece == ")" and len(sizes) > 1:
            size = sizes.pop()
            sizes[-1] += size
        elif found[1] is not None:
            count = max(int(found[1][:9]), int((found[2] or "0")[:9]))
            sizes[-1] += size * max(0, count - 1)
            size *= count
        else:
            size = 1
            sizes[-1] += 1
        if max(size, *sizes) > REPEATS:
            raise InvalidInput(f"{title} repeats its parts more than {REPEATS:,} times in all: use smaller counts.", field)


def told(title: str, error: str) -> str:
    """One sentence for what llguidance says."""
    text = " ".join(error.split("<state>", maxsplit=1)[0].split())
    if "look-around" in text or "lookaround" in text:
        return f"{title} looks around (such as ^ or $ in the middle, \\b, or (?=...)), which cannot be followed: leave that out."
    if "backreference" in text:
        return f"{title} refers back to an earlier group (such as \\1), which cannot be followed: write it out."
    if found := re.search(r"Unsatisfiable schema: ([^|<]*?)(?: \d+ \||$)", text):
        return f"{title} cannot be satisfied: {found[1].strip().rstrip('.')[:160]}."
    if found := re.search(r"error: ([^|<]*?)(?: \d+ \||$)", text):
        return f"{title} cannot be read: {found[1].strip().rstrip('.')[:160]}."
    if "too many" in text or "fuel" in text or "limit" in text:
        return f"{title} is too large to follow: make it smaller."
    found = re.search(r"failed to compile JSON schema: ([^|<]*?)(?: \d+ \||$)", text)
    return (
        f"{title} cannot be followed: {found[1].strip().rstrip('.')[:160]}." if found else f"{title} cannot be followed: make it simpler."
    )


def _bounded(schema: Mapping[str, Any]) -> None:
    """No bombs, no references to elsewhere."""
    for count, (node, depth) in enumerate(_parts(schema, 0), 1):
        if depth > DEEP:
            _refuse(f"is nested more than {DEEP} levels deep: make it flatter")
        if count > NODES:
            _refuse(f"has more than {NODES:,} parts: make it smaller")
        if isinstance(node, dict):
            _small(cast("dict[str, Any]", node))


def _small(node: Mapping[str, Any]) -> None:
    for key, most in _COUNTS.items():
        if isinstance(node.get(key), int | float) and node[key] > most:
            _refuse(f"asks for {key} {node[key]:,}, and {most:,} is the most")
    if isinstance(values := node.get("enum"), list) and len(cast("list[object]", values)) > MANY:
        _refuse(f"has an enum of more than {MANY:,} values")
    for key in ("$ref", "$dynamicRef", "$recursiveRef"):
        if isinstance(place := node.get(key), str) and (key != "$ref" or not re.match(r"#(/|$)", place)):
            _refuse(f"refers to {place[:80]!r}: only parts of the schema itself, such as #/$defs/name, can be referred to")
    if isinstance(pattern := node.get("pattern"), str):
        check_pattern(pattern, _FIELD, "A pattern in the JSON schema")
    if isinstance(patterns := node.get("patternProperties"), dict):
        for pattern in cast("dict[str, Any]", patterns):
            check_pattern(pattern, _FIELD, "A pattern in the JSON schema")


def _parts(node: object, depth: int) -> Iterator[tuple[object, int]]:
    waiting = [(node, depth)]
    while waiting:
        node, depth = waiting.pop()
        yield node, depth
        if isinstance(node, dict | list):
            inner = cast("dict[str, Any]", node).values() if isinstance(node, dict) else cast("list[Any]", node)
            waiting += [(part, depth + 1) for part in inner]


def _checked(schema: dict[str, Any]) -> None:
    from jsonschema import SchemaError, validators

    try:
        validators.validator_for(schema, default=validators.Draft202012Validator).check_schema(schema)
    except SchemaError as error:
        place = "/".join(str(part) for part in error.absolute_path)
        _refuse(f"is no JSON schema{f' at {place[:80]}' if place else ''}: {' '.join(error.message.split())[:160].rstrip('.')}")


@lru_cache(maxsize=4)
def _validator(text: str) -> Any:
    import regex
    from jsonschema import ValidationError, validators

    def searched(_: Any, pattern: str, instance: object, __: Any) -> Iterator[ValidationError]:
        if isinstance(instance, str) and not regex.search(pattern, instance, timeout=_TIMEOUT):
            yield ValidationError("does not match")

    schema = json.loads(text)
    kind: Any = validators.validator_for(schema, default=validators.Draft202012Validator)
    return validators.extend(kind, {"pattern": searched})(schema)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse(words: str) -> NoReturn:
    raise InvalidInput(f"JSON schema {words}.", _FIELD)
