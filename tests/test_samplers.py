"""Each sampler against plain arithmetic written down once more, one number after the other, and their order."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.engines import _samplers, language

SCORES = st.lists(st.integers(-80, 80).map(lambda value: value / 8), min_size=2, max_size=20, unique=True)
SHARE = st.integers(1, 99).map(lambda value: value / 100)
quick = settings(max_examples=60, deadline=None)


def tensor(values: Sequence[float]) -> Any:
    import torch

    return torch.tensor([list(values)], dtype=torch.float32)


def kept(scores: Any) -> set[int]:
    return {place for place, value in enumerate(scores[0].tolist()) if value > float("-inf")}


def shares(values: Sequence[float]) -> list[float]:
    top = max(values)
    heights = [math.exp(value - top) for value in values]
    return [height / sum(heights) for height in heights]


def up_to(order: Sequence[int], chances: Sequence[float], share: float) -> set[int]:
    taken, total = set[int](), 0.0
    for place in order:
        if total >= share - 1e-7:
            break
        taken.add(place)
        total += chances[place]
    return taken


def chain(seed: int = 1, biases: Any = (), breakers: Any = (), **changes: float) -> _samplers.Chain:
    return _samplers.Chain({**language.SAMPLING, "temperature": 1.0, "top_p": 1.0, **changes}, seed, biases, breakers)


@quick
@given(SCORES, SHARE)
def test_top_p_keeps_the_likeliest_up_to_the_share(values: list[float], share: float) -> None:
    chances = shares(values)
    order = sorted(range(len(values)), key=lambda place: -values[place])
    found = kept(_samplers.top_p(tensor(values), share))
    assert found in (up_to(order, chances, share), up_to(order, chances, share + 3e-7))


@quick
@given(SCORES, SHARE)
def test_typical_keeps_what_is_about_as_surprising_as_expected(values: list[float], share: float) -> None:
    chances = shares(values)
    expected = -sum(chance * math.log(chance) for chance in chances if chance)
    distance = [abs(-math.log(chance) - expected) if chance else math.inf for chance in chances]
    found = kept(_samplers.typical(tensor(values), share))
    total = sum(chances[place] for place in found)
    assert found
    assert total >= share - 1e-5
    farthest = max(distance[place] for place in found)
    assert all(distance[place] >= farthest - 1e-3 for place in set(range(len(values))) - found)
    assert total - min(chances[place] for place in found if distance[place] >= farthest - 1e-3) < share + 1e-5


@quick
@given(SCORES, SHARE)
def test_min_p_keeps_what_is_likely_enough_beside_the_likeliest(values: list[float], share: float) -> None:
    chances = shares(values)
    found = kept(_samplers.min_p(tensor(values), share))
    for place, chance in enumerate(chances):
        if abs(chance - share * max(chances)) > 1e-6:
            assert (place in found) == (chance > share * max(chances))


@quick
@given(SCORES, st.integers(1, 25))
def test_top_k_keeps_so_many(values: list[float], count: int) -> None:
    order = sorted(range(len(values)), key=lambda place: -values[place])
    assert kept(_samplers.top_k(tensor(values), count)) == set(order[:count])


@quick
@given(SCORES, st.integers(1, 30).map(lambda value: value / 10), st.integers(0, 3))
def test_top_n_sigma_keeps_what_is_near_the_likeliest(values: list[float], count: float, impossible: int) -> None:
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in values) / len(values))
    found = kept(_samplers.top_n_sigma(tensor([*values, *[float("-inf")] * impossible]), count))
    for place, value in enumerate(values):
        if abs(value - (max(values) - count * deviation)) > 1e-3:
            assert (place in found) == (value > max(values) - count * deviation)


@quick
@given(SCORES, st.integers(0, 50).map(lambda value: value / 100))
def test_xtc_leaves_only_the_least_likely_of_the_obvious(values: list[float], threshold: float) -> None:
    import torch

    chances = shares(values)
    if any(abs(chance - threshold) < 1e-6 for chance in chances):
        return
    obvious = [place for place, chance in enumerate(chances) if chance >= threshold]
    stays = min(obvious, key=lambda place: chances[place], default=-1)
    found = kept(_samplers.xtc(tensor(values), threshold, 1.0, torch.Generator().manual_seed(1)))
    assert found == set(range(len(values))) - (set(obvious) - {stays})


def test_xtc_acts_as_often_as_it_is_told() -> None:
    import torch

    generator = torch.Generator().manual_seed(3)
    acted = sum(len(kept(_samplers.xtc(tensor([3, 2.9, 0]), 0.1, 0.3, generator))) == 2 for _ in range(1000))
    assert 240 < acted < 360


def dry_reference(ids: list[int], size: int, multiplier: float, base: float, allowed: int, breakers: set[int]) -> list[float]:
    """As its author describes it: for each place whose token is the last one, how far the texts before agree."""
    losses = [0.0] * size
    if ids[-1] in breakers:
        return losses
    for place in range(len(ids) - 1):
        following = ids[place + 1]
        if ids[place] != ids[-1] or following in breakers:
            continue
        match = 1
        while match < 50 and place - match >= 0 and ids[place - match] == ids[-1 - match] and ids[-1 - match] not in breakers:
            match += 1
        if match >= allowed:
            losses[following] = max(losses[following], multiplier * base ** (match - allowed))
    return losses


@quick
@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=150),
    st.integers(1, 100),
    st.integers(1, 6),
    st.sets(st.integers(0, 4), max_size=2),
    st.sampled_from([1.0, 1.1, 1.75]),
)
def test_dry_takes_from_what_would_prolong_a_repeated_phrase(
    ids: list[int], begin: int, allowed: int, breakers: set[int], base: float
) -> None:
    sampler = _samplers.Dry(0.8, base, allowed, breakers)
    for end in range(min(begin, len(ids)), len(ids) + 1):
        found = sampler(tensor(ids[:end]).long(), tensor([0.0] * 5))[0].tolist()
        assert found == pytest.approx([-loss for loss in dry_reference(ids[:end], 5, 0.8, base, allowed, breakers)], rel=1e-5)


def test_dry_may_be_asked_twice_about_the_same_text() -> None:
    ids, sampler = tensor([1, 2, 3, 1, 2]).long(), _samplers.Dry(0.8, 1.75, 2, ())
    first, again = (sampler(ids, tensor([0.0] * 5)).tolist() for _ in range(2))
    assert first == again == [pytest.approx([0, 0, 0, -0.8, 0])]


def test_a_repeated_phrase_of_any_length_costs_a_finite_number() -> None:
    found = _samplers.Dry(5.0, 4.0, 1, ())(tensor([0] * 500).long(), tensor([0.0, 0.0]))
    assert math.isfinite(found[0, 0])
    assert found[0, 0] < -1e20


def test_a_repetition_penalty_makes_what_was_there_less_likely_whatever_its_sign() -> None:
    found = _samplers.repetition(tensor([0, 1, 0]).long(), tensor([2.0, -2.0, 2.0, -2.0]), 2.0)
    assert found.tolist() == [[1.0, -4.0, 2.0, -2.0]]


def test_a_bias_helps_a_phrase_on_and_a_negative_one_only_keeps_it_from_ending() -> None:
    forward, away = _samplers.Bias([(2.0, [[1, 2, 3], [4]])]), _samplers.Bias([(-5.0, [[1, 2, 3]])])
    plain = tensor([0.0] * 6)
    assert forward(tensor([0]).long(), plain).tolist() == [[0, 2, 0, 0, 2, 0]]
    assert forward(tensor([0, 1]).long(), plain).tolist() == [[0, 2, 2, 0, 2, 0]]
    assert forward(tensor([0, 1, 2]).long(), plain).tolist() == [[0, 2, 0, 2, 2, 0]]
    assert away(tensor([0, 1]).long(), plain).tolist() == [[0.0] * 6]
    assert away(tensor([1, 2]).long(), plain).tolist() == [[0, 0, 0, -5, 0, 0]]
    assert plain.tolist() == [[0.0] * 6]


@quick
@given(SCORES, st.integers(0, 1000))
def test_settings_that_are_neutral_change_no_chance(values: list[float], seed: int) -> None:
    import torch

    sampler = chain(seed)
    scores = sampler.weighed(tensor([0, 1]).long(), tensor(values))
    assert scores.tolist() == tensor(values).tolist()
    assert sampler.drawn(scores) == _samplers.draw(tensor(values), torch.Generator().manual_seed(seed))


def _shares_of(sampler: _samplers.Chain, values: Sequence[float]) -> dict[int, float]:
    seen = Counter(sampler.drawn(tensor(values)) for _ in range(3000))
    return {token: count / 3000 for token, count in seen.items()}


def test_temperature_is_applied_last_so_that_it_changes_no_choice_of_words() -> None:
    values = [math.log(share) for share in (0.6, 0.25, 0.1, 0.05)]
    for temperature in (0.1, 2.0):
        assert set(_shares_of(chain(temperature=temperature, min_p=0.3), values)) <= {0, 1}
    hot = _shares_of(chain(temperature=2.0, min_p=0.3), values)
    root = math.sqrt(0.6) / (math.sqrt(0.6) + math.sqrt(0.25))
    assert hot[0] == pytest.approx(root, abs=0.03)


def test_xtc_comes_after_min_p_and_looks_at_what_is_left() -> None:
    values = [math.log(share) for share in (0.5, 0.3, 0.12, 0.08)]
    assert _shares_of(chain(min_p=0.5, xtc_probability=1.0, xtc_threshold=0.1), values) == {1: 1.0}
    assert set(_shares_of(chain(xtc_probability=1.0, xtc_threshold=0.1), values)) == {2, 3}


def test_penalties_come_before_everything_else() -> None:
    ids, values = tensor([3, 0, 3]).long(), [2.0, 0.0, 1.9, 0.0]
    sampler = chain(top_k=1, repetition_penalty=2.0)
    assert sampler.drawn(sampler.weighed(ids, tensor(values))) == 2
    sampler = chain(top_k=1, dry_multiplier=1.0, dry_allowed_length=1)
    assert sampler.drawn(sampler.weighed(ids, tensor(values))) == 2
    sampler = chain(temperature=0, top_k=1, biases=[(1.0, [[2]])])
    assert sampler.drawn(sampler.weighed(ids, tensor(values))) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"top_n_sigma": 0.001},
        {"top_k": 1},
        {"typical_p": 0.01},
        {"top_p": 1e-6},
        {"min_p": 1.0},
        {"xtc_probability": 1.0, "xtc_threshold": 0.0},
        {"temperature": 2.0, "top_n_sigma": 0.1, "top_k": 3, "typical_p": 0.1, "top_p": 0.1, "min_p": 0.9, "xtc_probability": 1.0},
    ],
)
def test_the_hardest_setting_leaves_a_word_even_where_most_are_impossible(changes: dict[str, float]) -> None:
    off = float("-inf")
    for values in ([1.0, off, off], [off, 1.0, 1.0, off], [off, 0.0, 80.0, -80.0], [0.0] * 400):
        token = chain(1, **changes).drawn(tensor(values))
        assert values[token] > off


@pytest.mark.parametrize("scale", [500, 5000])
def test_a_top_p_wider_than_the_first_look_counts_the_rest(scale: int) -> None:
    values = [-place / scale for place in range(8000)]
    order = list(range(8000))
    found = kept(_samplers.top_p(tensor(values), 0.9))
    assert len(found) > _samplers.LOOKS[0]
    assert abs(len(found) - len(up_to(order, shares(values), 0.9))) <= 2


def test_a_seed_says_every_draw() -> None:
    def run(seed: int) -> list[int]:
        sampler = chain(seed, xtc_probability=0.5)
        return [sampler.drawn(tensor([0.1 * place for place in range(30)])) for _ in range(20)]

    assert run(5) == run(5)
    assert run(5) != run(6)
