"""The mark in words from a card to the record, with a tiny but real Llama: found where it is, and the record says where not, and why."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.creations import Passage
from studio.device import Device
from studio.engines import gguf, language
from studio.errors import InvalidInput
from studio.library import Library
from studio.marks import Marks
from studio.models import Folder, ModelCard, resolve
from studio.origin import examine
from studio.provenance.record import Record, compose, task_of
from studio.replay import differences
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import UNMARKED_TOKENS, Write
from studio.writing import mark_search, marking
from studio.writing.textmark import detect
from tabs import _text_mark
from tests import tiny

Writer = Callable[..., Passage]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def studio_marks(folder: Path, **changes: Any) -> Marks:
    return Marks(Settings(home=folder / "home", cache=folder, mode="local", **changes))


@pytest.fixture(scope="module")
def marks(tmp_path_factory: pytest.TempPathFactory) -> Marks:
    return studio_marks(tmp_path_factory.mktemp("own"))


def babbler(folder: Path) -> Path:
    """A Llama of made-up words, a token each, that never ends by itself."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    words = [f"Ġ{a}{b}{c}{d}" for a in "bdfgklmnpr" for b in "aeiou" for c in "lmnrst" for d in "aeo"]
    raw = Tokenizer(models.WordLevel({piece: number for number, piece in enumerate(["?", *words])}, unk_token="?"))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="?", model_max_length=1024).save_pretrained(folder)
    torch.manual_seed(7)
    shape: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    }
    none: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": None}
    LlamaForCausalLM(
        LlamaConfig(vocab_size=len(words) + 1, max_position_embeddings=1024, initializer_range=0.3, **shape, **none)
    ).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory, marks: Marks) -> ModelCard:
    folder = babbler(tmp_path_factory.mktemp("models") / "babbler")
    source = Folder(path=str(folder))
    plain = ModelCard(name="Tiny", engine="language", serves=("write",), source=source, files=folder, options={"dtype": "float32"})
    return marks.equipped(plain)


@pytest.fixture(scope="module")
def values(card: ModelCard) -> dict[str, Any]:
    recipe = language.recipe(card, Write.checked({"prompt": "x"}), Device("cpu"))
    return {role: component.load(lambda _: None) for role, component in recipe.components.items()}


@pytest.fixture(scope="module")
def write(card: ModelCard, values: dict[str, Any]) -> Writer:
    def written(other: ModelCard = card, **changes: Any) -> Passage:
        usual: dict[str, Any] = {"prompt": "Say something", "seed": 3, "max_new_tokens": 240, "temperature": 1, "top_p": 1, "top_k": 0}
        task = resolve(Write.checked(usual | changes), other)
        (passage,) = language.recipe(other, task, Device("cpu")).build(values)(task, lambda _: None)
        assert isinstance(passage, Passage)
        return passage

    return written


@pytest.fixture(scope="module")
def marked(write: Writer) -> Passage:
    """A text that carries the mark."""
    return write()


def tokens(card: ModelCard, text: str) -> list[int]:
    return language.words(card)[0].tokens(text)


def record_of(task: Write, card: ModelCard, passage: Passage, marks: Marks) -> Record:
    return marks.marked(passage, compose(resolve(task, card), task, card, passage, "cpu", 1.0))[1]


def test_a_long_text_is_marked_and_found_by_the_studio_that_wrote_it_alone(
    card: ModelCard, write: Writer, marked: Passage, marks: Marks, tmp_path: Path
) -> None:
    assert marked.facts[marking.FACT] == marking.SCHEME and marked.tokens == 240
    assert detect(tokens(card, marked.text), marks.words).verdict == "certain"
    other, plain = studio_marks(tmp_path), write(text_mark=False)
    assert other.words != marks.words and detect(tokens(card, marked.text), other.words).verdict == "none"
    assert marking.FACT not in plain.facts and detect(tokens(card, plain.text), marks.words).verdict == "none"
    elsewhere = write(other.equipped(card))
    assert write() == marked and len({marked.text, plain.text, elsewhere.text}) == 3


@pytest.mark.parametrize(
    ("changes", "resolved", "why"),
    [
        ({}, True, ""),
        ({"max_new_tokens": None}, True, ""),
        ({"max_new_tokens": UNMARKED_TOKENS}, False, "200 tokens long at most"),
        ({"max_new_tokens": 40, "text_mark": True}, True, ""),
        ({"text_mark": False}, False, "turned off for this text"),
        ({"temperature": 0}, True, "At temperature 0"),
        ({"output_choices": ["a", "b"], "text_mark": True}, False, "in a given form"),
    ],
)
def test_the_length_and_the_form_of_an_answer_decide(
    changes: dict[str, Any], resolved: bool, why: str, card: ModelCard, write: Writer, marks: Marks
) -> None:
    task = Write.checked({"prompt": "x", "max_new_tokens": 201} | changes)
    assert resolve(task, card).text_mark is resolved
    passage = Passage("a", 1, 1) if "output_choices" in changes else write(**{"max_new_tokens": 201, **changes, "stop": list("aeiou")})
    said = record_of(task, card, passage, marks).marks["watermark"]
    assert isinstance(said, dict)
    if why:
        assert why in str(said["none"]) and marking.FACT not in passage.facts
    else:
        assert said["scheme"] == "SynthID-Text" and "another studio writes other words" in str(said["words"])


def test_the_secret_is_in_no_dump_and_no_word_of_the_card(card: ModelCard, marked: Passage, marks: Marks) -> None:
    assert card.mark is not None
    told = card.model_dump_json() + repr(card) + record_of(Write(prompt="x"), card, marked, marks).model_dump_json()
    for secret in (card.mark.get_secret_value(), marks.words.hex(), marks.identity.secret.hex()):
        assert len(secret) == 64 and secret not in told


def test_a_studio_that_marks_nothing_writes_and_replays_without(
    card: ModelCard, write: Writer, marked: Passage, marks: Marks, tmp_path: Path
) -> None:
    off = studio_marks(tmp_path, no_watermark="a test")
    bare = off.equipped(card.model_copy(update={"mark": None}))
    task = Write.checked({"prompt": "x", "seed": 1, "text_mark": True})
    assert bare.mark is None and resolve(task, bare).text_mark is False
    plain = record_of(task, bare, write(bare, text_mark=True, max_new_tokens=5), off)
    assert plain.marks["watermark"] == {"none": "Turned off here: a test"}
    told = differences(record_of(task, card, marked, marks), plain.model_dump(mode="json"))
    assert any("another identity, or marks were turned on or off" in line for line in told)


def test_a_text_of_before_the_mark_is_made_again_without_one(card: ModelCard, marked: Passage, marks: Marks) -> None:
    record = record_of(Write(prompt="x", seed=1), card, marked, marks)
    again = task_of(record)
    assert isinstance(again, Write) and again.text_mark is True
    older = {name: value for name, value in record.task.items() if name != "text_mark"}
    again = task_of(record.model_copy(update={"task": older}))
    assert isinstance(again, Write) and again.text_mark is False


def test_writers_that_cannot_mark_refuse_to_and_their_record_says_so(marks: Marks) -> None:
    (card,) = (marks.equipped(one) for one in gguf.CARDS)
    assert card.mark is None
    with pytest.raises(InvalidInput, match="does not use Invisible mark"):
        resolve(Write(prompt="x", text_mark=True), card)
    for left in (None, False):
        assert resolve(Write(prompt="x", text_mark=left), card).text_mark is False
    said = record_of(Write(prompt="x", seed=1), card, Passage("Once.", 1, 2), marks).marks
    assert said["watermark"] == {"none": "SmolLM2 135M draws its words by itself, so that no mark can be put into them."}
    assert "signed file" in str(said["signature"])


def test_every_studio_hands_its_secret_to_the_writers_that_can_mark(card: ModelCard, tmp_path: Path) -> None:
    plain = card.model_copy(update={"mark": None})
    settings = Settings(home=tmp_path / "home", cache=tmp_path, mode="local")
    made: Any = SimpleNamespace(batches=None)
    studio = Studio(settings, (plain, *gguf.CARDS), made, made, made)
    tiny_card, starter = studio.cards
    assert tiny_card.mark is not None and tiny_card.mark.get_secret_value() == studio.marks.words.hex() and starter.mark is None


def test_a_banned_phrase_is_drawn_anew_and_the_mark_stays(card: ModelCard, write: Writer, marked: Passage, marks: Marks) -> None:
    often = max(marked.text.split(), key=marked.text.split().count)
    passage = write(ban=[often])
    assert often not in passage.text.split() and passage.text != marked.text
    assert detect(tokens(card, passage.text), marks.words).verdict == "certain"


def found(text: str, card: ModelCard, marks: Marks, *more: ModelCard) -> mark_search.Search:
    return mark_search.search(text, (card, *more), language.words, marks.words)


def test_a_text_is_looked_at_as_each_writer_here_reads_it(
    card: ModelCard, marked: Passage, write: Writer, marks: Marks, tmp_path: Path
) -> None:
    other = card.model_copy(update={"name": "Bytes", "files": tiny.chat_model(tmp_path / "bytes")})
    for cards in ((card, other), (other, card)):
        one = found(marked.text, cards[0], marks, cards[1])
        assert one.writer == "Tiny" and one.finding is not None and one.finding.verdict == "certain"
        assert "carries the mark of this studio" in one.words[0] and "Read as Tiny reads it, 240 tokens; score" in one.words[1]
    assert found(marked.text, other, marks).words[0].startswith("No mark of this studio")
    mixed = found(f"{write(text_mark=False, seed=9, max_new_tokens=300).text}{marked.text}", card, marks)
    assert mixed.finding is not None and mixed.finding.verdict == "certain" and "It shows best from “" in mixed.words[-1]


def test_what_cannot_be_told_is_said(card: ModelCard, marked: Passage, marks: Marks, tmp_path: Path) -> None:
    assert "too short to tell" in found(marked.text[:200], card, marks).words[0]
    assert "too predictable to tell" in found(" badalo" * 300, card, marks).words[0]
    assert "no writer that marks its words is on this machine" in found(marked.text, gguf.CARDS[0], marks).words[0]
    damaged = card.model_copy(update={"files": tmp_path})
    assert found(marked.text, damaged, marks).finding is None
    assert found(marked.text, damaged, marks, card).writer == "Tiny"


def test_a_very_long_text_is_looked_at_in_part_and_soon(card: ModelCard, marked: Passage, marks: Marks) -> None:
    long = marked.text + " badalo" * (2 * mark_search.LONGEST // 7)
    began = time.monotonic()
    one = found(long, card, marks)
    assert one.finding is not None and one.finding.verdict == "certain"
    assert one.words[-1].startswith("Only the first 300,000 of ") and time.monotonic() - began < 60


def test_the_box_of_the_library_finds_the_mark_in_a_text(card: ModelCard, marked: Passage, marks: Marks, tmp_path: Path) -> None:
    library = Library(tmp_path / "library")
    for text, sure, verdict in ((marked.text, "proof", "Yes, this was made here; it may"), ("Roses are red.", "nothing", "Nothing says")):
        (tmp_path / "a.txt").write_text(text)
        origin = examine(tmp_path / "a.txt", library, marks.identity, search=lambda given: found(given, card, marks))
        assert {one.layer: one.sure for one in origin.findings}["Invisible mark"] == sure and origin.verdict.startswith(verdict)
    library.close()


def test_the_page_and_programs_ask_the_writers_of_this_machine(card: ModelCard, marked: Passage, marks: Marks) -> None:
    studio: Any = SimpleNamespace(here=lambda kind: {"Tiny": card} if kind == "write" else {}, words=language.words, marks=marks)
    assert _text_mark.searched(studio, marked.text).writer == "Tiny"
