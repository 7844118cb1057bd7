"""The mark in words: found where it is, not where it is not, and it leaves every token its chance."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest

from studio.writing.textmark import CERTAIN, CONTEXT, SHORTEST, TOP, Key, Marker, contexts_of, detect, processor

SECRET, OTHER = b"a" * 32, b"b" * 32
VOCABULARY = 1_000


def written(length: int, secret: bytes | None, seed: int, spread: float = 3.0) -> list[int]:
    """Tokens of a model whose scores depend on the token before; a larger `spread` is a more certain model."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    table = torch.randn(1, VOCABULARY, generator=generator) * spread
    marker = processor(secret) if secret else None
    ids = list(range(CONTEXT))
    for _ in range(length):
        scores = table.roll(31 * ids[-1] + 7 * ids[-2], 1)
        if marker is not None:
            scores = marker(torch.tensor([ids]), scores)
        ids.append(int(torch.multinomial(scores.softmax(-1), 1, generator=generator)))
    return ids[CONTEXT:]


def test_a_marked_text_is_found_by_its_own_secret_alone() -> None:
    text = written(300, SECRET, 1)
    assert detect(text, SECRET).verdict == "certain"
    assert detect(text, SECRET).p_value <= CERTAIN
    assert detect(text, OTHER).verdict == "none"
    assert "carries the mark" in detect(text, SECRET).words


def test_texts_without_the_mark_are_hardly_ever_called_marked() -> None:
    draw = np.random.default_rng(5)
    found = [detect(draw.integers(0, VOCABULARY, 300).tolist(), SECRET) for _ in range(400)]
    assert sum(one.verdict in ("likely", "certain") for one in found) <= 4
    whole = [detect(draw.integers(0, VOCABULARY, 250).tolist(), SECRET).score for _ in range(400)]
    assert abs(float(np.mean(whole))) < 0.2 and 0.85 < float(np.std(whole)) < 1.15


def test_a_mark_survives_cutting_and_a_person_s_words_around_it() -> None:
    draw = np.random.default_rng(6)
    before, after = (draw.integers(0, VOCABULARY, 700).tolist() for _ in range(2))
    text = written(260, SECRET, 2)
    found = detect([*before, *text, *after], SECRET)
    assert found.verdict == "certain"
    assert 700 - 150 <= found.start <= 960 and 700 <= found.end <= 960 + 150
    assert detect(text[60:220], SECRET).verdict == "certain"
    changed = [token if place % 12 else 0 for place, token in enumerate(text)]
    assert detect(changed, SECRET).verdict in ("likely", "certain")


def test_a_model_that_knows_what_comes_next_leaves_no_room_for_a_mark() -> None:
    sure, free = (detect(written(200, SECRET, 3, spread), SECRET).score for spread in (40.0, 3.0))
    assert sure < 4 < free


@pytest.mark.parametrize("tokens", [[], [5], list(range(SHORTEST))])
def test_a_short_text_is_not_judged(tokens: Sequence[int]) -> None:
    found = detect(tokens, SECRET)
    assert (found.verdict, found.p_value) == ("short", 1.0)
    assert "too short to tell" in found.words


def test_a_text_that_repeats_itself_is_not_judged() -> None:
    for text in ([1, 2, 3] * 200, np.random.default_rng(4).integers(0, VOCABULARY, 100).tolist() * 4):
        found = detect(text, SECRET)
        assert found.verdict == "predictable"
        assert "too predictable to tell" in found.words


def test_every_token_keeps_its_chance_over_all_secrets() -> None:
    """The tournament is unbiased: its mean over secrets is the model's own distribution (Dathathri et al. 2024)."""
    chances = np.array([0.5, 0.3, 0.15, 0.05])
    tokens, context = np.arange(4, dtype=np.uint64), contexts_of([9, 8, 7, 6, 0])
    means = np.mean([Key.of(b"%d" % n).leaned(context, tokens, chances) for n in range(4_000)], axis=0)
    assert np.allclose(means, chances, atol=4 * math.sqrt(0.25 / 4_000))


def test_only_likely_tokens_take_part_and_what_is_out_stays_out() -> None:
    import torch

    scores = torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(0))
    scores[0, 10:20] = float("-inf")
    marked = Marker(Key.of(SECRET))(torch.tensor([[1, 2, 3, 4]]), scores)
    rest = scores[0].argsort(descending=True)[TOP:]
    assert torch.equal(marked[0, rest], scores[0, rest])
    assert torch.isinf(marked[0, 10:20]).all()
    assert float(marked.logsumexp(-1)) == pytest.approx(float(scores.logsumexp(-1)), abs=1e-4)


def test_a_context_that_returns_is_left_alone() -> None:
    import torch

    marker, scores = processor(SECRET), torch.randn(1, VOCABULARY, generator=torch.Generator().manual_seed(1))
    ids = torch.tensor([[1, 2, 3, 4]])
    marked = marker(ids, scores)
    assert not torch.equal(marked, scores)
    assert torch.equal(marker(ids, scores), marked)  # at the same place: what was drawn may not stand
    longer = torch.tensor([[9, 1, 2, 3, 4]])
    for _ in range(2):
        assert torch.equal(marker(longer, scores), scores)
    assert torch.equal(marker(ids[:, :2], scores), scores)  # too little stands before


def test_a_text_that_was_looked_at_in_many_ways_must_show_more() -> None:
    text = written(120, SECRET, 8)
    once, often = detect(text, SECRET), detect(text, SECRET, looks=1000)
    assert often.p_value == pytest.approx(1000 * once.p_value) and often.score == once.score


def test_one_token_that_is_certain_stays_certain() -> None:
    import torch

    scores = torch.full((1, VOCABULARY), float("-inf"))
    scores[0, 3] = 1.5
    assert int(processor(SECRET)(torch.tensor([[1, 2, 3, 4]]), scores).argmax()) == 3


def test_the_same_secret_leans_the_same_way_for_ever() -> None:
    bits = Key.of(SECRET).bits(contexts_of([1, 2, 3, 4, 5]), np.array([5], np.uint64))
    assert "".join(map(str, bits[0].tolist())) == "011000110101111000001000110011"
