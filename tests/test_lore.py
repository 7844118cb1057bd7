"""Cards: what calls them, what keeps them out, the budget, patterns that would hang, and lorebooks of other programs."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import MediaUnreadable
from studio.tasks import Write
from studio.writing import lore, lore_files
from studio.writing.lore import Card, Fired, Skipped, fire, text
from studio.writing.lore_files import export_cards, import_cards, parse, written


def fired(cards: list[Card] | Card, document: str, **more: Any) -> list[str]:
    return [one.card.title for one in both(cards, document, **more)[0]]


def both(cards: list[Card] | Card, document: str, **more: Any) -> tuple[tuple[Fired, ...], tuple[Skipped, ...]]:
    asked: dict[str, Any] = {"beside": (), "count": len, "budget": 10_000, **more}
    return fire([cards] if isinstance(cards, Card) else cards, document, **asked)


def why(card: Card, document: str, **more: Any) -> str:
    ((skipped,),) = both(card, document, **more)[1:]
    return skipped.why


ANA = Card("Ana", "A girl of nine.", ("Ana", "the girl"))


# Keys -----------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", ["Ana ran.", "And ANA ran", "“ana”", "Ana's dog", "then the girl ran", "(Ana)", "—Ana—", "Ana"])
def test_a_key_is_found_as_a_whole_word_in_any_case(document: str) -> None:
    assert fired(ANA, document) == ["Ana"]


@pytest.mark.parametrize("document", ["Banana", "Anabel", "ana_1", "Ana2", "Ana\u0308 ran", "the girls", ""])
def test_a_key_is_not_found_inside_a_word(document: str) -> None:
    assert why(ANA, document) == "None of its keys is in the text."


@pytest.mark.parametrize(
    ("key", "document"),
    [("東京", "彼は東京駅で待った"), ("กรุงเทพ", "ในกรุงเทพมหานคร"), ("서울", "서울은 크다"), ("ﬁsh", "FISH"), ("Straße", "STRASSE"),
     ("café", "The cafe\u0301 closed"), ("C++", "In C++ and C"), ("ירושלים", "אל ירושלים הלכו"), ("Python", "我用Python写作")],
)  # fmt: skip
def test_keys_of_any_script_are_found(key: str, document: str) -> None:
    assert fired(Card("x", "y", (key,)), document) == ["x"]


def test_what_calls_a_card_is_said_with_its_tokens() -> None:
    ((found,), _) = both(ANA, "Then the girl ran.")
    assert found.why == "“the girl” is in the text."
    assert found.tokens == len("Ana: A girl of nine.\n\n")


def test_further_keys_must_all_be_there_and_a_line_divides_alternatives() -> None:
    card = Card("Ana", "x", ("Ana",), all_of=("castle | palace", "night"))
    assert fired(card, "Ana came to the palace by night") == ["Ana"]
    assert why(card, "Ana came to the palace") == "“night” is not in the text, which it needs as well."
    assert "castle | palace" in why(card, "Ana, at night")


def test_a_key_can_keep_a_card_out() -> None:
    card = Card("Ana", "x", ("Ana",), none_of=("Ana Maria",))
    assert fired(card, "Ana ran") == ["Ana"]
    assert why(card, "Ana Maria ran") == "“Ana Maria” is in the text, which keeps it out."


def test_only_the_last_part_of_the_document_and_what_is_beside_it_is_searched() -> None:
    document = "Ana. " + "x" * 100
    assert fired(ANA, document, depth=50) == []
    assert fired(ANA, document, depth=200) == ["Ana"]
    assert fired(ANA, document, depth=0) == []
    assert fired(ANA, "", beside=("Write about Ana.",), depth=0) == ["Ana"]


def test_cards_that_can_never_apply_say_why() -> None:
    assert why(Card("a", "x", ("Ana",), enabled=False), "Ana") == "It is switched off."
    assert why(Card("a", "  ", ("Ana",)), "Ana") == "It has no text."
    assert "no keys" in why(Card("a", "x"), "Ana")
    assert fired(Card("a", "x", always=True), "") == ["a"]


# Patterns -------------------------------------------------------------------------------------------------------------------------------


def test_a_pattern_finds_what_it_says() -> None:
    card = Card("years", "x", (r"\b1[89]\d\d\b",), regex=True)
    ((found,), _) = both(card, "In 1984, they came")
    assert found.why == "“1984” is in the text."
    assert why(card, "In 2024") == "Its pattern finds nothing in the text."


@pytest.mark.parametrize("bomb", ["(a+)+$", "(a|aa)+$", "(?:a?){100}a{100}b", "(a(?1))", "x{1000000000}", "((((x{99}){99}){99}){99}){99}"])
def test_a_pattern_that_would_hang_is_reported_and_the_other_cards_apply(bomb: str) -> None:
    started = time.monotonic()
    found, skipped = both([Card("bomb", "x", (bomb,), regex=True), Card("a", "x", ("end",))], "a" * 4000 + " end")
    assert time.monotonic() - started < 2
    assert [one.card.title for one in found] == ["a"]
    assert "takes too long" in skipped[0].why or "repeats too much" in skipped[0].why


def test_hundreds_of_bombs_take_no_longer_than_all_may() -> None:
    started = time.monotonic()
    _, skipped = both([Card(str(number), "x", ("(a+)+$",), regex=True) for number in range(500)], "a" * 4000 + "!")
    assert time.monotonic() - started < 3
    assert len(skipped) == 500
    assert "took too long" in skipped[-1].why


@pytest.mark.parametrize("pattern", ["(", "[a", "(?P<x", r"\L<names>", "a" * 400, "(?<=a", "*"])
def test_a_pattern_that_is_none_is_reported_in_a_sentence(pattern: str) -> None:
    said = why(Card("x", "y", (pattern,), regex=True), "some text a")
    assert said.startswith("Left out: the pattern")
    assert said.endswith(".")


def test_five_hundred_cards_of_fifty_keys_are_quick() -> None:
    cards = [Card(f"c{n}", "text", tuple(f"key{n} number {k}" for k in range(50))) for n in range(500)]
    started = time.monotonic()
    found, skipped = both(cards, "lorem ipsum " * 2000 + "key499 number 49", depth=16_000)
    assert time.monotonic() - started < 3
    assert [one.card.title for one in found] == ["c499"]
    assert len(skipped) == 499


# Budget, order, cards that call cards ---------------------------------------------------------------------------------------------------


def test_the_budget_serves_cards_always_read_first_then_by_priority_and_keeps_the_order_of_the_list() -> None:
    cards = [Card("low", "x" * 40, ("k",)), Card("high", "y" * 40, ("k",), priority=5), Card("big", "z" * 400, ("k",), priority=9),
             Card("base", "w" * 40, always=True)]  # fmt: skip
    found, skipped = both(cards, "k", budget=110)
    assert [one.card.title for one in found] == ["high", "base"]
    reasons = {one.card.title: one.why for one in skipped}
    assert "no room: it has 407 tokens, and 62 of 110 for cards are left" in reasons["big"]
    assert reasons["low"].startswith("“k” is in the text. But there is no room")
    assert sum(one.tokens for one in found) <= 110


def test_a_smaller_card_may_fit_after_one_that_did_not() -> None:
    cards = [Card("big", "z" * 400, ("k",)), Card("small", "z", ("k",))]
    assert fired(cards, "k", budget=100) == ["small"]


def test_cards_call_no_cards_unless_asked_and_at_most_twice() -> None:
    chain = [Card(name, f"knows {after}", (name,)) for name, after in (("a1", "b1"), ("b1", "c1"), ("c1", "d1"), ("d1", "a1"))]
    assert fired(chain, "a1") == ["a1"]
    assert fired(chain, "a1", levels=1) == ["a1", "b1"]
    assert fired(chain, "a1", levels=99) == ["a1", "b1", "c1"]
    assert both(chain, "a1", levels=1)[0][1].why == "“b1” is in another card."


def test_each_card_is_told_of_once() -> None:
    cards = [ANA, Card("Bo", "A dog of Ana.", ("Bo",)), Card("off", "x", ("Bo",), enabled=False)]
    found, skipped = both(cards, "Bo", levels=2)
    assert sorted([one.card.title for one in found] + [one.card.title for one in skipped]) == ["Ana", "Bo", "off"]


def test_the_text_of_cards_has_an_empty_line_between_two_and_none_inside_and_expands_nothing() -> None:
    found, _ = both([Card("A", "one\n\n\ntwo {{A}} {{date}}", ("k",)), Card("", "plain", ("k",))], "k")
    assert text(found) == "A: one\ntwo {{A}} {{date}}\n\nplain"


def test_cards_are_never_more_than_a_task_takes() -> None:
    found, skipped = both([Card(str(n), "x" * 8000, ("k",)) for n in range(10)], "k", budget=10**9)
    assert Write.checked({"prompt": "x", "cards": text(found)}).cards
    assert "characters" in skipped[-1].why


# As a text ------------------------------------------------------------------------------------------------------------------------------

WRITTEN = """# Ana
keys: Ana, the girl
and: castle | palace
not: Ana Maria
Ana is nine.

She fears nothing.

# The war
always
priority: 5
It is over.

# Years
pattern: 1[89]\\d{2,2}
off
Long ago."""


def test_cards_are_read_from_a_text_and_written_to_it() -> None:
    cards = parse(WRITTEN)
    assert cards == (
        Card("Ana", "Ana is nine.\n\nShe fears nothing.", ("Ana", "the girl"), ("castle | palace",), ("Ana Maria",)),
        Card("The war", "It is over.", always=True, priority=5),
        Card("Years", "Long ago.", (r"1[89]\d{2,2}",), regex=True, enabled=False),
    )
    assert written(cards) == WRITTEN


def test_a_text_without_a_title_is_a_card_and_nothing_is_none() -> None:
    assert parse("Just a thought.") == (Card("", "Just a thought."),)
    assert parse("") == parse("\n \n") == ()


LINES = st.text(st.sampled_from("ab #\\:\nékeysnotal,|"), max_size=60).map(str.strip)
KEYS = st.lists(st.text(st.sampled_from("abc é-"), min_size=1, max_size=8).map(str.strip).filter(bool), max_size=3, unique=True).map(tuple)


TITLES = st.text("abc #", max_size=9).map(lambda title: " ".join(title.split()))
PLAIN = st.just(value=False)
MADE = st.builds(Card, TITLES, LINES, KEYS, KEYS, KEYS, PLAIN, st.booleans(), st.integers(-99, 99), st.booleans())


@settings(max_examples=200, deadline=None)
@given(st.lists(MADE, max_size=4))
def test_whatever_cards_say_they_come_back_from_text_and_file(cards: list[Card]) -> None:
    cards = [card for card in cards if card.text or card.title]
    assert parse(written(cards)) == tuple(cards)
    kept = [card for card in cards if card.text]
    if kept:
        assert import_cards(export_cards(kept)) == (tuple(kept), ())


# Files of other programs ----------------------------------------------------------------------------------------------------------------


def test_a_lorebook_of_sillytavern_is_read() -> None:
    book = {"entries": {
        "0": {"uid": 0, "key": ["Ana", "girl"], "keysecondary": ["castle", "palace"], "comment": "Ana", "content": "Nine.",
              "constant": False, "selective": True, "selectiveLogic": 0, "order": 105, "disable": False, "probability": 100},
        "1": {"key": ["/b(o|u)\\/x/gi", "Rex"], "keysecondary": ["cat"], "selectiveLogic": 2, "content": "Dog", "comment": ""},
        "2": {"key": [], "constant": True, "content": "Always.", "comment": "World", "disable": True, "sticky": 3},
        "3": {"key": ["x"], "content": ""}, "4": 7}}  # fmt: skip
    cards, said = import_cards(json.dumps(book).encode())
    assert cards == (
        Card("Ana", "Nine.", ("Ana", "girl"), ("castle | palace",), priority=5),
        Card("", "Dog", ("b(o|u)/x", r"(?<!\w)Rex(?!\w)"), (), ("cat",), regex=True),
        Card("World", "Always.", always=True, enabled=False),
    )
    assert said == ("Chances, groups and timers of cards are left out: a card applies whenever its keys do.",)
    assert fired(list(cards), "the girl and Rex in the palace") == ["Ana", ""]


@pytest.mark.parametrize(
    "book",
    [
        {"worldinfo": [{"key": "Ana, the girl", "keysecondary": "", "content": "Nine.", "comment": "Ana", "selective": False}]},
        {"folders": {}, "entries": [{"key": ["Ana", "the girl"], "content": "Nine.", "comment": "Ana"}]},
        {"lorebookVersion": 5, "entries": [{"displayName": "Ana", "text": "Nine.", "keys": ["Ana", "the girl"], "enabled": True}]},
        {
            "spec": "chara_card_v2",
            "data": {"character_book": {"entries": [{"name": "Ana", "keys": ["Ana", "the girl"], "content": "Nine."}]}},
        },
        {"kind": "memory", "entries": [{"name": "Ana", "entry": "Nine.", "keywords": ["Ana", "the girl"], "enabled": True}]},
        [{"name": "Ana", "keys": ["Ana", "the girl"], "content": "Nine."}],
    ],
)
def test_other_lorebooks_are_read(book: object) -> None:
    assert import_cards(json.dumps(book).encode())[0] == (Card("Ana", "Nine.", ("Ana", "the girl")),)


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe\x00", b"{", b"[" * 100_000, b"null", b'{"entries": 5}', b'{"entries": {"a": {"key": {"b": 1}, "content": ["x"]}}}',
     b'{"entries": [{"content": "no title and no key"}]}', b'{"entries": {}, "data": [], "worldinfo": "x"}', b"x" * 5_000_001],
)  # fmt: skip
def test_a_file_that_is_no_lorebook_is_refused_in_one_sentence(data: bytes) -> None:
    with pytest.raises(MediaUnreadable) as refused:
        import_cards(data)
    assert 20 < len(str(refused.value)) < 150


def test_a_hostile_lorebook_is_bounded() -> None:
    many: list[dict[str, object]] = [{"name": "a", "keys": ["b"], "content": "c"}] * 900
    many = [{"name": "n" * 9000, "keys": ["k" * 9000, "ok\x00\ud800", 7, None] + ["z"] * 300, "content": "c" * 20_000 + "\x1b",
             "insertion_order": True, "probability": 50, "selectiveLogic": "x"}, *many]  # fmt: skip
    cards, said = import_cards(json.dumps(many).encode())
    assert len(cards) == lore.CARDS_LIMIT
    assert (len(cards[0].title), len(cards[0].text), cards[0].keys) == (lore.TITLE_LIMIT, lore.TEXT_LIMIT, ("ok", "z"))
    assert len(said) == 5
    assert lore_files.parse(written(cards))[0].keys == ("ok", "z")
