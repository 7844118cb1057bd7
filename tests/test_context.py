"""A prompt put together from its parts: exact tokens, budgets in words, and the same tokens as before where there is only a document."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.engines._words import Words
from studio.errors import InvalidInput
from studio.tasks import Write
from studio.writing.context import LEADS, SOURCES, STEP, Assembled, Part, assemble
from tests import tiny

SENTENCES = "The lighthouse stood alone. Nobody had climbed its stairs for years; even the gulls kept away. «Why?» asked Ana. \n"


def merged_words() -> Any:
    """A byte-level tokenizer whose tokens are of several characters, as those of real models are."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=alphabet, show_progress=False)
    raw.train_from_iterator([SENTENCES, *LEADS.values(), "word card note passage Author's"], trainer)
    words = PreTrainedTokenizerFast(tokenizer_object=raw, eos_token=tiny.END, additional_special_tokens=list(tiny.ROLES))
    words.chat_template = tiny.CHAT_TEMPLATE
    return words


@pytest.fixture(scope="module", params=[merged_words, lambda: tiny.byte_words(10_000)], ids=["merged", "bytes"])
def words(request: pytest.FixtureRequest) -> Words:
    make: Callable[[], Any] = request.param
    return Words(make(), {})


@pytest.fixture(scope="module")
def merged() -> Words:
    return Words(merged_words(), {})


def put(words: Words, limit: int = 2000, longest: int = 100, document_limit: int | None = None, **fields: Any) -> Assembled:
    return assemble(Write.checked({"prompt": "Go on.", **fields}), words, limit, longest, "Tiny", document_limit)


def part(found: Assembled, source: str) -> Part:
    return next(part for part in found.parts if part.source == source)


def add_up(found: Assembled, limit: int) -> None:
    """Every token has one source, and nothing is counted that is not there."""
    sizes = {part.source: part.tokens for part in found.parts}
    assert tuple(sizes) == SOURCES
    assert min(sizes.values()) >= 0, sizes
    assert sum(sizes.values()) == limit
    assert sizes["answer"] == found.room
    assert sum(sizes.values()) - sizes["answer"] - sizes["free"] == len(found.tokens)
    assert all(part.why.endswith(".") for part in found.parts if part.left_out)
    assert not any(part.why for part in found.parts if not part.left_out)


# What the engines made before there was anything but a document -------------------------------------------------------------------------


def fitted(tokenizer: Any, task: Write, context: int, longest: int) -> list[int]:
    """As the transformers engine put it together: a document that fits, in one go with the opening."""
    chat = [{"role": "user", "content": task.prompt}]
    chat = [{"role": "system", "content": task.system}, *chat] if task.system else chat
    if task.document:
        chat.append({"role": "assistant", "content": "⟦mark⟧"})
        text = tokenizer.apply_chat_template(chat, tokenize=False, continue_final_message=True)
        text = text[: text.rindex("⟦mark⟧")]
    else:
        text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    ids = tokenizer(text + task.document.rstrip(" "), add_special_tokens=False).input_ids
    assert len(ids) + longest <= context
    return ids


def prompted(words: Words, task: Write, context: int, longest: int, document_limit: int | None) -> tuple[list[int], int]:
    """As the llama.cpp engine put it together. (Where a first word was of more tokens than with its space, it lost its beginning.)"""
    opening = words.opening(task.system, task.prompt, bool(task.document))
    room = context - longest - len(opening)
    document = task.document.rstrip(" ")
    tokens = words.tokens(document) if document else []
    kept = min(room, room if document_limit is None else document_limit)
    if len(tokens) <= kept:
        return opening + tokens, 0
    step = max(1, min(STEP, kept // 4))
    tail = words.text(tokens[math.ceil((len(tokens) - kept) / step) * step :]).lstrip("\ufffd")
    start = re.search(r"\s", tail[:100])
    tail = tail[start.end() :] if start else tail
    return opening + words.tokens(tail)[-kept:], len(document) - len(tail)


@pytest.mark.parametrize("document", ["", "Once upon a time", "Two lines.\n\nHere ", "Ünïcödé 🙂 and so on  ", SENTENCES * 3])
@pytest.mark.parametrize("system", ["", "You are a careful editor."])
def test_with_only_a_document_the_tokens_are_those_of_before(words: Words, document: str, system: str) -> None:
    task = Write.checked({"prompt": "Go on.", "system": system, "document": document})
    found = assemble(task, words, 2000, 100, "Tiny")
    assert found.tokens == fitted(words._tokenizer, task, 2000, 100) == prompted(words, task, 2000, 100, None)[0]
    assert (found.room, found.cut) == (100, 0)
    add_up(found, 2000)


@pytest.mark.parametrize(("limit", "document_limit"), [(300, None), (2000, 130), (2000, 1), (2000, 0)])
def test_a_document_that_is_too_long_keeps_the_end_it_kept_before(words: Words, limit: int, document_limit: int | None) -> None:
    task = Write.checked({"prompt": "Go on.", "document": SENTENCES * 20})
    found = assemble(task, words, limit, 100, "Tiny", document_limit)
    if document_limit != 0:
        assert (found.tokens, found.cut) == prompted(words, task, limit, 100, document_limit)
    assert task.document[found.cut :].rstrip(" ") == words.text(found.tokens[len(words.opening("", "Go on.", True)) :])
    assert part(found, "document").left_out == found.cut
    assert f"{found.cut:,} characters of the document" in part(found, "document").why
    add_up(found, limit)


def test_a_document_that_grows_beyond_what_fits_keeps_its_beginning_for_a_while(words: Words) -> None:
    begun: list[int] = []
    grown = SENTENCES * 20
    for number in range(40):
        begun.append(put(words, document=grown, limit=600).cut)
        grown += f"And so on, {number} times. "
    assert begun == sorted(begun) and 1 < len(set(begun)) < 15


def test_markers_of_the_chat_in_a_document_stay_text(words: Words) -> None:
    found = put(words, document="Hello <|end|> there")
    assert found.tokens[-len(words.tokens("<|end|> there")) :] == words.tokens("<|end|> there")
    assert found.tokens.count(words._tokenizer.convert_tokens_to_ids(tiny.END)) == 1  # the person's turn


# Notes, cards, passages -----------------------------------------------------------------------------------------------------------------


def numbered(count: int, text: str = "a passage of some words that say a thing or two") -> str:
    return "\n\n".join(f"[{number}] {text}" for number in range(1, count + 1))


def test_each_part_stands_whole_under_its_own_line_before_the_instruction(words: Words) -> None:
    found = put(
        words, notes="Ana is nine.", cards="Ana: a girl.\n\nBo: a dog.", passages=numbered(2), document="So it began", system="Be brief."
    )
    text = words.text(found.tokens)
    order = ["Be brief.", LEADS["notes"], "Ana is nine.", LEADS["cards"], "Ana: a girl.\n\nBo: a dog.", LEADS["passages"], numbered(2),
             LEADS["instruction"], "Go on.", "So it began"]  # fmt: skip
    places = [text.index(each) for each in order]
    assert places == sorted(places)
    assert not any(part.left_out for part in found.parts)
    add_up(found, 2000)


def test_what_stands_before_the_document_stays_the_same_while_it_grows(words: Words) -> None:
    fields: dict[str, Any] = {"notes": "Ana is nine.", "cards": "Ana: a girl.\n\nBo: a dog.", "passages": numbered(30)}
    short = put(words, 3000, document=SENTENCES * 3, **fields)
    long = put(words, 3000, document=SENTENCES * 30, **fields)
    same = len(short.tokens) - part(short, "document").tokens
    assert long.tokens[:same] == short.tokens[:same]


def test_whole_passages_are_left_out_from_the_end_and_a_sentence_says_why(merged: Words) -> None:
    found = put(merged, 1000, passages=numbered(40), document="So")
    passages = part(found, "passages")
    assert 0 < passages.left_out < 40
    assert passages.why == f"{passages.left_out} of 40 passages left out: they would take more than 40 % of what the model reads."
    assert 300 < passages.tokens <= 0.4 * 900
    text = merged.text(found.tokens)
    assert f"[{40 - passages.left_out}] a passage" in text
    assert f"[{41 - passages.left_out}] a passage" not in text
    assert text.count("two\n") == 40 - passages.left_out  # each is whole
    add_up(found, 1000)


def test_numbers_inside_a_passage_divide_nothing(merged: Words) -> None:
    listed = "[1] One source.\n[7] a list inside it\n\n[2] Another.\n[1] again\n\n" + "[3] " + "long " * 800
    found = put(merged, 1000, passages=listed)
    assert part(found, "passages").left_out == 1
    assert "of 3 passages" in part(found, "passages").why
    assert "[1] again" in merged.text(found.tokens)


def test_cards_and_notes_have_a_quarter_each(merged: Words) -> None:
    cards = "\n\n".join(f"Card {number}: about one of many things" for number in range(100))
    found = put(merged, 1000, cards=cards, notes="A note, and another. " * 100, document="So")
    for source in ("cards", "notes"):
        assert 150 < part(found, source).tokens <= 225
        assert "25 % of what the model reads" in part(found, source).why
    assert part(found, "cards").left_out + merged.text(found.tokens).count("Card ") == 100
    assert words_end_whole(merged.text(found.tokens), LEADS["cards"])
    add_up(found, 1000)


def words_end_whole(text: str, before: str) -> bool:
    return text[: text.index(before)].rstrip().rsplit(None, 1)[-1].strip(".,") in {"A", "note", "and", "another"}


def test_a_fair_end_of_the_document_is_read_whatever_else_there_is(merged: Words) -> None:
    found = put(merged, 1000, 100, notes="n " * 5000, cards="c " * 4000, passages="[1] " + "p " * 4000 + "\n" + numbered(50)[4:],
                document=SENTENCES * 100, author_note="Rain. " * 500)  # fmt: skip
    opening = len(merged.opening("", "Go on.", True))
    assert part(found, "document").tokens > 0.2 * (900 - opening)
    assert found.room >= 100 - 1
    add_up(found, 1000)


def test_shares_that_are_not_used_are_the_documents(merged: Words) -> None:
    found = put(merged, 1000, document=SENTENCES * 100)
    assert part(found, "free").tokens < STEP
    assert part(found, "document").tokens > 860 - STEP


def test_the_answer_is_shorter_where_the_model_holds_no_more_and_that_is_said(words: Words) -> None:
    found = put(words, 400, 4000, document=SENTENCES * 100)
    assert 100 < found.room < 200
    answer = part(found, "answer")
    assert answer.left_out == 4000 - found.room
    assert f"{found.room:,} of 4,000 tokens" in answer.why
    add_up(found, 400)


def test_an_instruction_that_leaves_no_answer_is_refused_in_words(words: Words) -> None:
    with pytest.raises(InvalidInput, match=r"The instruction is .* tokens long; Tiny reads 84 at most\. Shorten it\.") as refused:
        put(words, 100, 50, prompt="far too long " * 50, notes="not to blame")
    assert refused.value.field == "prompt"


# The author's note ----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("depth", [0, 20, 80, 200])
def test_the_note_stands_its_depth_before_the_end_where_a_sentence_ends(merged: Words, depth: int) -> None:
    found = put(merged, document=SENTENCES.replace("\n", "") * 12 + "And so", author_note="It rains.", note_depth=depth)
    before, _, after = merged.text(found.tokens).partition("[Author's note: It rains.] ")
    assert re.search(r"[.?]»? $", before), before[-40:]
    assert abs(len(merged.tokens(after)) - depth) < 40
    assert part(found, "author_note").tokens > 3
    assert after.endswith("And so")
    add_up(found, 2000)


def test_the_note_has_a_line_of_its_own_where_a_line_ends_near(merged: Words) -> None:
    found = put(merged, document=SENTENCES * 8, author_note=" It\n rains. ", note_depth=60)
    assert "Ana. \n[Author's note: It rains.]\nThe lighthouse" in merged.text(found.tokens)


def test_the_note_stands_before_a_text_shorter_than_its_depth(merged: Words) -> None:
    found = put(merged, document="Once. Twice.", author_note="It rains.", note_depth=500)
    assert merged.text(found.tokens).endswith("[Author's note: It rains.]\nOnce. Twice.")


def test_without_a_document_the_note_stands_after_the_instruction(merged: Words) -> None:
    found = put(merged, author_note="It rains.")
    assert "Go on.\n\n[Author's note: It rains.]<|end|>" in merged.text(found.tokens)
    assert part(found, "author_note").tokens == len(found.tokens) - len(merged.opening("", "Go on.", False))


def test_a_note_that_is_too_long_is_cut_at_a_word_and_that_is_said(merged: Words) -> None:
    found = put(merged, 400, document=SENTENCES * 20, author_note="storm " * 600, note_depth=30)
    note = part(found, "author_note")
    assert 20 < note.tokens <= 80
    assert "the author's note are left out" in note.why
    assert re.search(r"storm\]", merged.text(found.tokens))
    add_up(found, 400)


# Everything at once ---------------------------------------------------------------------------------------------------------------------

SOME = st.text(st.sampled_from("ab cé.\n🙂[1]\u0301\u200f"), max_size=400)


@settings(max_examples=150, deadline=None)
@given(
    limit=st.integers(60, 900), longest=st.integers(1, 400), most=st.none() | st.integers(0, 200), times=st.integers(1, 12),
    fields=st.fixed_dictionaries(dict.fromkeys(("system", "notes", "cards", "passages", "author_note", "document"), SOME)),
    depth=st.integers(0, 300),
)  # fmt: skip
def test_whatever_is_given_the_parts_add_up_to_what_the_model_holds(
    merged: Words, limit: int, longest: int, most: int | None, times: int, fields: dict[str, str], depth: int
) -> None:
    task = Write.checked({"prompt": "Go on.", "note_depth": depth, **{name: text * times for name, text in fields.items()}})
    if len(merged.opening(task.system, task.prompt, bool(task.document))) + min(longest, 16) > limit:
        with pytest.raises(InvalidInput, match="Shorten it"):
            assemble(task, merged, limit, longest, "Tiny", most)
        return
    found = assemble(task, merged, limit, longest, "Tiny", most)
    add_up(found, limit)
    assert found.room >= min(longest, 16)
    assert len(found.tokens) + found.room <= limit
    rest = task.document.rstrip(" ")[found.cut :]
    if not part(found, "author_note").tokens and rest:
        assert merged.text(found.tokens).endswith(rest)
