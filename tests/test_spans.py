"""Who wrote which characters: what changes do to spans, and what a version keeps of them."""

from __future__ import annotations

from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import InvalidInput
from studio.writing import spans as module
from studio.writing.delta import Delta, applied, delta, spans_from_text, spans_to_text, whole
from studio.writing.spans import ORIGINS, TEXT_LIMIT, Span, Splice, common, covering, cut, merged, shares, spliced

TEXT = "One two. Three four five. Six."
MACHINE = (Span(len(TEXT), "machine", "C"),)


def shown(text: str, spans: tuple[Span, ...]) -> list[tuple[str, str]]:
    """Each span with its letter: h, m or e."""
    found: list[tuple[str, str]] = []
    for span in spans:
        found.append((span.origin[0], text[: span.length]))
        text = text[span.length :]
    assert text == ""
    return found


# A person in a passage of a model


def test_a_changed_word_makes_the_rest_of_its_sentence_edited() -> None:
    text, spans = spliced(TEXT, MACHINE, Splice(15, 19, "4"))
    assert shown(text, spans) == [("m", "One two. "), ("e", "Three "), ("h", "4"), ("e", " five."), ("m", " Six.")]
    assert [span.creation for span in spans] == ["C", "C", "", "C", "C"]


def test_a_word_taken_away_makes_its_sentence_edited() -> None:
    text, spans = spliced(TEXT, MACHINE, Splice(14, 19, ""))
    assert shown(text, spans) == [("m", "One two. "), ("e", "Three five."), ("m", " Six.")]


def test_typing_on_in_an_edited_sentence_adds_only_what_is_typed() -> None:
    text, spans = spliced(TEXT, MACHINE, Splice(15, 19, "4"))
    text, spans = spliced(text, spans, Splice(16, 16, "4"))
    assert shown(text, spans) == [("m", "One two. "), ("e", "Three "), ("h", "44"), ("e", " five."), ("m", " Six.")]


def test_edited_neighbours_become_one() -> None:
    text, spans = spliced("abcd", (Span(1, "edited", "C"), Span(3, "machine", "C")), Splice(2, 3, "x"))
    assert shown(text, spans) == [("e", "ab"), ("h", "x"), ("e", "d")]


@pytest.mark.parametrize("place", [0, len(TEXT)])
def test_writing_at_the_edge_of_a_passage_leaves_it_as_it_is(place: int) -> None:
    text, spans = spliced(TEXT, MACHINE, Splice(place, place, "x"))
    assert sorted(shown(text, spans)) == [("h", "x"), ("m", TEXT)]


@pytest.mark.parametrize(("place", "words"), [(8, " New."), (9, "New. ")])
def test_a_new_sentence_between_two_leaves_both_as_they_are(place: int, words: str) -> None:
    text, spans = spliced(TEXT, MACHINE, Splice(place, place, words))
    assert text == "One two. New. Three four five. Six."
    assert shares(spans)["edited"] == 0


def test_taking_a_whole_sentence_away_leaves_the_others_as_they_are() -> None:
    assert spliced(TEXT, MACHINE, Splice(9, 26, "")) == ("One two. Six.", (Span(13, "machine", "C"),))


@pytest.mark.parametrize(
    ("text", "place", "edited"), [("雨が。空は青い。", 4, "空は青い。"), ("A\nbc de\nf", 4, "bc de"), ("Go! “Now!” Go", 6, "“Now!”")]
)
def test_sentences_end_as_they_do_in_print(text: str, place: int, edited: str) -> None:
    changed, spans = spliced(text, (Span(len(text), "machine", "C"),), Splice(place, place, "x"))
    assert "".join(words for letter, words in shown(changed, spans) if letter == "e") == edited


def test_what_a_person_leaves_as_it_was_keeps_its_origin() -> None:
    text, spans = spliced(TEXT, MACHINE, Splice(0, len(TEXT), TEXT + "!"))
    assert shown(text, spans) == [("m", TEXT), ("h", "!")]
    assert spliced(TEXT, MACHINE, Splice(0, len(TEXT), TEXT)) == (TEXT, MACHINE)


def test_a_model_that_writes_over_a_person_is_named() -> None:
    text, spans = spliced("I say so.", (Span(9, "human"),), Splice(2, 5, "say", "machine", "D"))
    assert shown(text, spans) == [("h", "I "), ("m", "say"), ("h", " so.")]
    assert spans[1].creation == "D"


def test_shares_count_characters() -> None:
    assert shares((Span(1, "human"), Span(3, "machine", "C"))) == {"human": 0.25, "machine": 0.75, "edited": 0}
    assert set(shares(()).values()) == {0}


# What is refused


@pytest.mark.parametrize(
    ("splice", "words"),
    [
        (Splice(-1, 0, ""), "outside"),
        (Splice(3, 2, ""), "outside"),
        (Splice(0, 99, ""), "outside"),
        (Splice(0, 0, "a\x00"), "control character"),
        (Splice(0, 0, "\ud83d"), "half of an emoji"),
        (Splice(0, 0, "x" * TEXT_LIMIT), "1,000,000 characters"),
        (Splice(0, 0, "x", "nobody"), "who wrote it"),  # pyright: ignore[reportArgumentType]
        (Splice(0, 0, "x", "machine", "../x"), "who wrote it"),
    ],
)
def test_a_change_that_no_document_can_hold_is_refused_in_words(splice: Splice, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        spliced(TEXT, MACHINE, splice)


def test_more_passages_than_can_be_kept_apart_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SPANS_LIMIT", 3)
    text, spans = spliced(TEXT, MACHINE, Splice(9, 9, "x"))
    with pytest.raises(InvalidInput, match="second document"):
        spliced(text, spans, Splice(3, 3, "x"))


@pytest.mark.parametrize("spans", [(Span(3, "human"),), (Span(-1, "human"), Span(6, "human")), (Span(5, "human", "a b"),)])
def test_spans_that_do_not_fit_a_text_are_refused(spans: tuple[Span, ...]) -> None:
    with pytest.raises(InvalidInput, match="do not fit"):
        covering("12345", spans)


# What holds for every text

Written: TypeAlias = "tuple[str, tuple[Span, ...]]"
LETTERS = st.text(alphabet="ab. \n。", max_size=12)
SPANS = st.builds(Span, st.integers(0, 4), st.sampled_from(ORIGINS), st.sampled_from(["", "C", "D"]))


@st.composite
def written(draw: st.DrawFn) -> Written:
    spans = merged(draw(st.lists(SPANS, max_size=6)))
    size = sum(span.length for span in spans)
    return draw(st.text(alphabet="ab. \n。", min_size=size, max_size=size)), spans


def letters(spans: tuple[Span, ...]) -> list[tuple[str, str]]:
    return [(span.origin, span.creation) for span in spans for _ in range(span.length)]


@given(written(), st.integers(0, 30), st.integers(0, 30), LETTERS, st.sampled_from(ORIGINS))
def test_spans_cover_the_text_after_every_change(before: Written, one: int, other: int, words: str, origin: str) -> None:
    text, spans = before
    start, end = sorted((one % (len(text) + 1), other % (len(text) + 1)))
    after, found = spliced(text, spans, Splice(start, end, words, origin, "E"))  # pyright: ignore[reportArgumentType]
    assert after == text[:start] + words + text[end:]
    assert found == merged(found)
    assert len(letters(found)) == len(after)
    if origin != "human":
        assert letters(found) == [*letters(spans)[:start], *([(origin, "E")] * len(words)), *letters(spans)[end:]]
    else:
        kept = [("machine", name) if kind == "edited" else (kind, name) for kind, name in letters(found)]
        were = [("machine", name) if kind == "edited" else (kind, name) for kind, name in letters(spans)]
        assert kept[:start] == were[:start]
        assert kept[len(after) - (len(text) - end) :] == were[end:]


@given(written(), written())
def test_a_delta_leads_from_one_text_to_the_other(one: Written, other: Written) -> None:
    change = delta(*one, *other)
    assert applied(*one, change) == other
    assert applied(*one, whole(*other)) == other
    assert spans_from_text(spans_to_text(other[1]), other[0]) == other[1]
    assert change.before + change.after <= min(len(one[0]), len(other[0]))


def test_a_small_change_of_a_long_text_is_a_small_delta() -> None:
    text = "word " * 20_000
    spans = (Span(50_000, "human"), Span(50_000, "machine", "C"))
    assert delta(text, spans, *spliced(text, spans, Splice(70, 70, "new"))) == Delta(70, len(text) - 70, "new", (Span(3, "human"),))


@pytest.mark.parametrize("change", [Delta(3, 3, "", ()), Delta(-1, 0, "", ()), Delta(0, 0, "ab", (Span(1, "human"),))])
def test_a_delta_of_another_text_is_told_apart(change: Delta) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        applied("abcde", (Span(5, "human"),), change)


@given(LETTERS, LETTERS)
def test_what_two_texts_have_in_common_is_found(one: str, other: str) -> None:
    front, back = common(one, other), common(one, other, back=True)
    assert one[:front] == other[:front]
    assert front == min(len(one), len(other)) or one[front] != other[front]
    assert one[len(one) - back :] == other[len(other) - back :]
    assert back == common(one[::-1], other[::-1])


@given(written(), st.integers(0, 30), st.integers(0, 30))
def test_a_part_of_the_spans_is_that_of_its_characters(before: Written, one: int, other: int) -> None:
    text, spans = before
    start, end = sorted((one % (len(text) + 1), other % (len(text) + 1)))
    assert letters(cut(spans, start, end)) == letters(spans)[start:end]
