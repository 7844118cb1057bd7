"""The search in passages: by words, by meaning, merged, bounded, and rebuilt when its passages change."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from studio import embedding
from studio.errors import ModelUnavailable
from studio.sources import Places
from studio.writing import retrieval
from studio.writing.passages import LIMIT, Passage
from studio.writing.questions import looked_for
from studio.writing.retrieval import Index, Indexes, search

TEXTS = (
    "The lighthouse was built in 1821 and is forty metres high.",
    "Sailors bring fish to the harbour every morning before the market opens.",
    "The keeper writes down the weather twice a day, at noon and at midnight.",
    "灯台は一八二一年に建てられた。港の人々は毎朝魚を運ぶ。",
    "Le phare éclaire la mer toute la nuit.",
)


def made(texts: Sequence[str] = TEXTS, source: str = "a.txt") -> tuple[Passage, ...]:
    return tuple(Passage(source, number, "", None, 0, len(text), text) for number, text in enumerate(texts, 1))


def test_the_passage_that_answers_comes_first() -> None:
    assert search("How tall is the lighthouse?", made())[0].passage.number == 1
    assert search("What does the keeper write down?", made())[0].passage.number == 3
    assert search("港の魚", made())[0].passage.number == 4
    assert search("phare mer", made())[0].passage.number == 5


def test_a_question_without_known_words_finds_nothing() -> None:
    assert search("zebra quantum", made()) == ()
    assert search("", made()) == ()
    assert search("how many", made()) == (), "words of the answer alone are no question"
    assert search("lighthouse", ()) == ()


def test_no_more_passages_than_asked_best_first() -> None:
    found = search("lighthouse harbour keeper", made(), most=2)
    assert len(found) == 2
    assert found[0].score >= found[1].score


def test_a_heading_speaks_for_its_passage() -> None:
    passages = (*made(), Passage("b.txt", 1, "Foghorn", None, 0, 9, "It sounds every minute."))
    assert search("foghorn", passages)[0].passage.text == "It sounds every minute."


def test_kinds_of_questions_look_for_kinds_of_answers() -> None:
    things = looked_for("How tall is it?")
    assert any("metr" in thing or "metre" in thing for thing in things)
    assert all(weight <= 1 for thing in things for weight in thing.values())
    assert next(iter(looked_for("Wer baute den Leuchtturm?")[0].values())) == 1


def facing(texts: Sequence[str]) -> NDArray[np.float32]:
    """A stand-in for a model: "boat" means what "ship" means, and nothing else."""
    rows = [[1.0, 0.0] if "ship" in text or "boat" in text else [0.0, 1.0] for text in texts]
    return np.array(rows, np.float32)


def test_meaning_finds_what_no_word_finds() -> None:
    passages = made(["A ship lies there.", "The bread is warm.", "Birds sing."])
    assert search("boat", passages) == ()
    assert search("boat", passages, embed=facing)[0].passage.number == 1


def test_both_lists_together_put_first_what_both_find() -> None:
    passages = made(["The boat is red.", "A ship lies there.", "The red house."])
    assert search("red boat", passages, embed=facing)[0].passage.number == 1


def test_the_best_window_of_a_passage_says_what_it_means() -> None:
    """A long passage that speaks of it once comes before one that speaks of nothing."""
    other = "Bread was baked and eaten in the kitchen by all who had work to do there, before the day was over and the night came on. "
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        alone = [text for text in texts if "ship" not in text and "boat" not in text]
        return np.array([[0.0, 1.0] if text in alone else [1.0 / text.count(" "), 0.1] if " " in text else [1.0, 0.0] for text in texts])

    long = other * 4 + "A ship lies there. " + other * 4
    found = search("boat", made([other * 8, long]), embed=embed)
    assert found[0].passage.number == 2
    assert len(asked) > 3 and max(map(len, asked)) < len(long) / 2, "windows, not passages"


def test_what_no_vector_was_made_of_in_time_keeps_its_place_by_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrieval, "PATIENCE", 0.0)
    passages = made([f"The boat number {number} is red." if number < 30 else "The red boat." for number in range(40)])
    found = search("red boat", passages, most=40, embed=facing)
    assert len(found) == 40
    assert found[0].passage.text == "The red boat."


def test_a_passage_is_not_compared_by_what_it_repeats() -> None:
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        asked.extend(texts)
        return facing(texts)

    text = "A ship lies there. The bread is warm. Birds sing."
    search("boat", (Passage("a", 1, "", None, 0, 37, text[:37]), Passage("a", 2, "", None, 19, 49, text[19:])), embed=embed)
    assert asked == ["A ship lies there. The bread is warm.", "Birds sing.", "boat"]


def test_vectors_are_made_once() -> None:
    counted: list[int] = []

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        counted.append(len(texts))
        return facing(texts)

    index = Index(made())
    index.search("boat", embed=embed)
    index.search("ship", embed=embed)
    assert counted == [len(TEXTS), 1, 1]


def test_an_index_is_made_anew_only_when_the_passages_change() -> None:
    indexes = Indexes(most=2)
    first = indexes.of("d1", made())
    assert indexes.of("d1", made()) is first
    assert indexes.of("d1", made(TEXTS[:2])) is not first
    kept = indexes.of("d1", made(TEXTS[:2]))
    indexes.of("d2", made())
    indexes.of("d1", made(TEXTS[:2]))
    indexes.of("d3", made())
    assert indexes.of("d1", made(TEXTS[:2])) is kept, "asked last but one"


def test_the_search_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    search("lighthouse", made())
    out, err = capfd.readouterr()
    assert out == "" and err == ""


def test_too_many_passages_are_refused() -> None:
    with pytest.raises(ValueError, match="most"):
        Index(made(["x"] * (LIMIT + 1)))


@pytest.mark.slow
def test_twenty_thousand_passages_answer_at_once() -> None:
    texts = [
        f"Lamp number {number} stands in room {number % 97} of the house, and keeper {number % 13} lights it." for number in range(LIMIT)
    ]
    index = Index(made(texts))
    began = time.perf_counter()
    found = index.search("Which room has lamp number 1234?")
    assert time.perf_counter() - began < 5
    assert any("number 1234 " in one.passage.text for one in found)


def tiny(folder: Path) -> tuple[Path, Path]:
    """The model's own classes, one layer deep."""
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel

    words: Any = Tokenizer(models.WordLevel({"[PAD]": 0, "[UNK]": 1, "boat": 2, "ship": 3}, unk_token="[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(folder / "tokenizer.json"))
    save_file(BertModel(BertConfig(**embedding._SHAPE), add_pooling_layer=False).state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors", folder / "tokenizer.json"


def test_vectors_have_length_one_and_do_not_depend_on_their_company(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "_SHAPE", {**embedding._SHAPE, "num_hidden_layers": 1, "intermediate_size": 64, "vocab_size": 8})
    files = tiny(tmp_path)
    embed = embedding.Embedder(Places(tmp_path, tmp_path, tmp_path), lambda _: files)
    together = embed(["boat", "ship boat ship boat", ""])
    assert together.shape == (3, embedding.WIDTH)
    assert np.allclose(np.linalg.norm(together, axis=1)[:2], 1, atol=1e-5)
    assert np.allclose(together[0], embed(["boat"])[0], atol=1e-5), "padding counts for nothing"
    embed.unload()
    assert np.allclose(together[1], embed(["ship boat ship boat"])[0], atol=1e-5)


def test_without_the_model_a_search_by_meaning_says_so(tmp_path: Path) -> None:
    places = Places(tmp_path, tmp_path, tmp_path)
    assert not embedding.here(places)
    with pytest.raises(ModelUnavailable, match="search by words"):
        embedding.Embedder(places)(["x"])
