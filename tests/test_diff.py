"""What differs between two texts: readable pieces that add up, in bounded time."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.writing import diff as module
from studio.writing.diff import Piece, applied, pieces

WORDS = st.lists(st.sampled_from(["the", "cat", "sat", "a", "on", " ", " ", " ", ".", ",", "\n", "don't", "雨", "が", "é"]), max_size=30)


@given(WORDS, WORDS)
def test_all_pieces_applied_to_the_old_text_give_the_new(one: list[str], other: list[str]) -> None:
    old, new = "".join(one), "".join(other)
    found = pieces(old, new)
    assert applied(old, found) == new
    assert all(old[piece.start :].startswith(piece.old) and piece.old != piece.new for piece in found)
    places = [place for piece in found for place in (piece.start, piece.start + len(piece.old))]
    assert places == sorted(places)


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_characters_add_up(old: str, new: str) -> None:
    assert applied(old, pieces(old, new)) == new


@given(WORDS, WORDS)
def test_long_texts_add_up_too(one: list[str], other: list[str]) -> None:
    patch = pytest.MonkeyPatch()
    patch.setattr(module, "WORDS_LIMIT", 5)
    for limit in (2, 100):
        patch.setattr(module, "SENTENCES_LIMIT", limit)
        assert applied("".join(one), pieces("".join(one), "".join(other))) == "".join(other)
    patch.undo()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("The quick fox jumps over it.", "The slow fox leaps over it.", [("quick", "slow"), ("jumps", "leaps")]),
        ("He go home.", "He goes home.", [("go", "goes")]),
        ("It was a dark night.", "It was a dark, stormy night.", [("", ", stormy")]),
        ("I do not know him.", "I don't know him.", [("do not", "don't")]),
        ("one. two. three.", "one. three.", [("two. ", "")]),
        ("Same.", "Same.", []),
        ("", "New text.", [("", "New text.")]),
        ("今日は雨です。", "今日は雪です。", [("雨", "雪")]),
        ("walking", "talking", [("walking", "talking")]),
    ],
)
def test_pieces_are_words(old: str, new: str, expected: list[tuple[str, str]]) -> None:
    assert [(piece.old, piece.new) for piece in pieces(old, new)] == expected


def test_a_sentence_said_anew_is_one_piece_and_no_confetti() -> None:
    found = pieces("Give me a hand or we are late.", "Could you help us, so that nobody waits?")
    assert len(found) <= 2
    for piece in pieces("She said that it is a cat I saw in a box.", "They knew of it: a dog, I saw it on a mat."):
        assert len(piece.old) > 2


def test_some_pieces_leave_the_rest_as_it_was() -> None:
    old = "The quick fox jumps over it."
    first, second = pieces(old, "The slow fox leaps over it.")
    assert applied(old, [second]) == "The quick fox leaps over it."
    assert applied(old, [first]) == "The slow fox jumps over it."
    assert first == Piece(4, "quick", "slow")


@pytest.mark.parametrize("kind", ["words", "one sentence", "lines", "same word", "two words", "nothing alike", "one word"])
def test_the_longest_texts_take_seconds_at_most(kind: str) -> None:
    draw = random.Random(1)
    old = {
        "words": lambda: "".join(draw.choice(["the ", "a ", "cat ", "sat. ", "mat. "]) for _ in range(200_000)),
        "one sentence": lambda: "word " * 200_000,
        "lines": lambda: "\n" * 1_000_000,
        "same word": lambda: "the " * 2_999,
        "two words": lambda: "".join(draw.choice(["a ", "b "]) for _ in range(1_400)),
        "one word": lambda: "c" + "a" * 999_999,
        "nothing alike": lambda: "a" * 1_000_000,
    }[kind]()
    new = {"nothing alike": "b" * 1_000_000, "one word": "b" + old[1:]}.get(kind, old[: len(old) // 3] + "X. " + old[len(old) // 2 :] + "b")
    started = time.perf_counter()
    assert applied(old, pieces(old, new)) == new
    assert time.perf_counter() - started < 20
