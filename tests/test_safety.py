"""safety/: what texts may not ask for in whatever spelling, what passes, and pictures that are withheld."""

from __future__ import annotations

import ast
import time
import tomllib
from collections.abc import Iterable, Iterator
from typing import Any, cast

import pytest

from studio.safety.book import Book, Rules
from studio.safety.folding import YOUNG, fold
from studio.settings import ROOT
from studio.starter.icons import IconLibrary
from tests import innocent

MEDIA = ("picture", "sound", "text")
BOOK = Book.read(ROOT / "presets" / "rules.toml")
SPELLINGS = (
    "naked child",
    "NAKED CHILD",
    "nаkеd сhіld",
    "ｎａｋｅｄ ｃｈｉｌｄ",
    "n4k3d ch1ld",
    "n@ked chi|d",
    "na\u200bked ch\u200dild",
    "n\u00adaked child",
    "n\u0336a\u0336k\u0336e\u0336d child",
    "nákèd çhïld",
    "n a k e d child",
    "n.a.k.e.d c-h-i-l-d",
    "na-ked chi_ld",
    "naaaked chiiild",
    "𝓷𝓪𝓴𝓮𝓭 𝕔𝕙𝕚𝕝𝕕",
    "ⓝⓐⓚⓔⓓ child",
    "🅽🅰🅺🅴🅳 child",
    "\u202enaked\u202c child",
    "((naked:1.4)), [child]",
    "child, masterpiece, 8k, naked",
    "chiId, naked",
    "nαkεd chιld",
    "ɴᴀᴋᴇᴅ ᴄʜɪʟᴅ",
)


@pytest.mark.parametrize("rule", BOOK.rules.rule, ids=lambda rule: rule.id)
def test_a_rule_stops_and_passes_what_its_own_examples_say(rule: Any) -> None:
    media = rule.media or MEDIA
    for text in rule.stops:
        assert {getattr(BOOK.broken(text, medium, public=True), "id", "") for medium in media} == {rule.id}, text
    for text in rule.passes:
        assert [BOOK.broken(text, medium, public=True) for medium in MEDIA] == [None, None, None], text


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_refused_pair_is_refused_in_every_spelling(text: str) -> None:
    for medium in MEDIA:
        found = BOOK.broken(text, medium, public=False)
        assert found is not None, medium
        assert found.id == "C1"


def test_what_lies_near_a_rule_passes() -> None:
    assert sum(map(len, (innocent.PICTURES, innocent.SOUNDS, innocent.TEXTS))) >= 60
    for medium, texts in (("picture", innocent.PICTURES), ("sound", innocent.SOUNDS), ("text", innocent.TEXTS)):
        assert {text: found.id for text in texts if (found := BOOK.broken(text, medium, public=True))} == {}


def test_nothing_that_ships_with_the_studio_is_refused() -> None:
    texts = sorted({*_preset_words(), *_prompts_on_the_page()})
    assert len(texts) > 300
    assert "a cat on a rocket" in texts
    for medium in MEDIA:
        assert {text: found.id for text in texts if (found := BOOK.broken(text, medium, public=True))} == {}


def test_no_thing_that_the_picture_starter_knows_is_refused() -> None:
    things = IconLibrary.open(ROOT / "assets" / "icons").icons
    names = {words for thing in things for words in (thing.name, thing.concept, *thing.keywords)}
    assert len({thing.concept for thing in things}) > 1_500
    assert {name: found.id for name in names if (found := BOOK.broken(name, "picture", public=True))} == {}


def test_pairs_in_a_long_text_count_only_where_they_stand_together() -> None:
    between = "and the sea was calm " * 10
    assert BOOK.broken(f"a child {between} a naked oak", "text", public=False) is None
    assert BOOK.broken(f"a child {between} a naked oak", "picture", public=False) is not None
    assert BOOK.broken(f"{between} a naked child {between}", "text", public=False) is not None
    assert BOOK.broken("儿童" + "在花园里玩耍" * 40 + "裸体", "text", public=False) is None


def test_at_home_only_what_holds_everywhere_is_refused() -> None:
    for rule in BOOK.rules.rule:
        medium = (rule.media or MEDIA)[0]
        assert (BOOK.broken(rule.stops[0], medium, public=False) is not None) == rule.everywhere, rule.id


@pytest.mark.parametrize(
    ("text", "young"),
    [
        ("a 12 year old", True),
        ("a 12-year-old", True),
        ("aged 9", True),
        ("16yo", True),
        ("17 years old", True),
        ("twelve year old", True),
        ("eine 11-jährige", True),
        ("14 ans", True),
        ("an 18 year old", False),
        ("21yo", False),
        ("aged 30", False),
        ("12 years of work", False),
    ],
)
def test_an_age_below_eighteen_is_read(text: str, young: bool) -> None:
    assert (YOUNG in {reading for _, reading in fold(text).readings}) == young


def test_folding_a_folded_text_changes_nothing() -> None:
    for text in SPELLINGS:
        words = fold(text).words
        assert fold(" ".join(words)).words == words


def test_a_long_prompt_is_read_in_a_moment() -> None:
    """Measured at 0.6 to 1 ms for 4,000 characters of a prompt, and at most 12 ms for the worst there is; asserted at ten times."""
    prompt = ("a cat on a red roof, masterpiece, (best quality:1.3), 8k " * 80)[:4000]
    assert _seconds(prompt) < 0.01
    for hostile in (
        "a." * 2000,
        ".a" * 2000,
        "(" * 4000,
        "a\u0301\u0302\u0303" * 1000,
        "12 year " * 500,
        "子供の絵を描く" * 570,
        "a b c " * 660,
    ):
        assert _seconds(hostile) < 0.12, hostile[:10]


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": 1, "within": {}, "innocent": {}, "groups": {}, "rule": [{"id": "X1", "terms": ["none"]}]},
        {"version": 1, "within": {}, "innocent": {}, "groups": {"a": {"en": [""]}}, "rule": []},
        {"version": 0, "within": {}, "innocent": {}, "groups": {}, "rule": []},
    ],
)
def test_a_broken_file_of_rules_is_said_to_be_one(wrong: dict[str, Any]) -> None:
    for rule in wrong["rule"]:
        rule |= {"refuses": "x", "instead": "y", "stops": ["z"], "passes": ["w"]}
    with pytest.raises(ValueError, match="no group none|at least 1 character|greater than or equal to 1"):
        Rules.model_validate(wrong)


def _seconds(text: str) -> float:
    times: list[float] = []
    for _ in range(5):
        began = time.perf_counter()
        BOOK.broken(text, "picture", public=True)
        times.append(time.perf_counter() - began)
    return min(times)


def _preset_words() -> Iterator[str]:
    for file in sorted((ROOT / "presets").rglob("*.toml")):
        if file.name != "rules.toml":
            yield from _strings(tomllib.loads(file.read_text("utf-8")))


def _prompts_on_the_page() -> Iterator[str]:
    """The examples under the prompts, read without the page itself."""
    for file in sorted((ROOT / "tabs").glob("*.py")):
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in ("PROMPTS", "EXAMPLES"):
                yield from _strings(list(ast.literal_eval(node.value)))


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in cast("dict[str, object]", value).items():
            if key != "negative_prompt":  # says what to keep away from
                yield from _strings(inner)
    elif isinstance(value, (list, tuple)):
        for inner in cast("Iterable[object]", value):
            yield from _strings(inner)
