"""The sampler of the picture starter, its seams and its regions, on small pictures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pytest

from studio.errors import Cancelled
from studio.starter import diffusion, regions, seams

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

SIDE = 32


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def squares(*levels: float, side: int = SIDE) -> torch.Tensor:
    """Pictures (k, 4, side, side): a square of one grey each, on nothing."""
    pictures = torch.zeros(len(levels), 4, side, side)
    pictures[:, 3] = -1
    edge = side // 4
    for picture, level in zip(pictures, levels, strict=True):
        picture[:3, edge:-edge, edge:-edge] = level
        picture[3, edge:-edge, edge:-edge] = 1
    return pictures


def noise(count: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 4, SIDE, SIDE, generator=torch.Generator().manual_seed(seed)) * 2 - 1


PRIORS = torch.tensor([0.0, -0.5, -1.0])


def test_the_same_seed_gives_the_same_bytes() -> None:
    one, two = (diffusion.sample(squares(0.9, 0.1, -0.7), PRIORS, seed=5) for _ in range(2))
    assert torch.equal(one.guess, two.guess)
    assert torch.equal(one.pieces, two.pieces)
    assert (one.sources, one.shifts) == (two.sources, two.shifts)


def test_seeds_choose_different_pictures() -> None:
    middles = {round(float(diffusion.sample(squares(0.9, 0.1, -0.7), PRIORS, seed=s).guess[0, 16, 16]), 1) for s in range(12)}
    assert len(middles) >= 2


def test_one_candidate_comes_back_whatever_the_seed() -> None:
    only = noise(1)
    for seed in (0, 1):
        assert torch.allclose(diffusion.sample(only, torch.zeros(1), seed=seed, window=0).guess, only[0], atol=1e-5)


def test_a_prior_that_forbids_a_picture_keeps_it_out() -> None:
    drawn = diffusion.sample(squares(0.9, -0.7), torch.tensor([0.0, -1e6]), seed=3, window=0)
    assert set(drawn.sources) == {0}
    assert torch.allclose(drawn.guess, squares(0.9)[0], atol=1e-4)


def test_a_prior_by_place_puts_each_picture_in_its_half() -> None:
    left, right = torch.full((4, SIDE, SIDE), -0.8), torch.full((4, SIDE, SIDE), 0.8)
    priors = torch.zeros(2, SIDE, SIDE)
    priors[0, :, SIDE // 2 :] = -1e5
    priors[1, :, : SIDE // 2] = -1e5
    guess = diffusion.sample(torch.stack([left, right]), priors, seed=1).guess
    assert torch.allclose(guess[:, :, : SIDE // 2 - 4], left[:, :, : SIDE // 2 - 4], atol=0.01)
    assert torch.allclose(guess[:, :, SIDE // 2 + 4 :], right[:, :, SIDE // 2 + 4 :], atol=0.01)


def test_a_batch_is_made_of_single_runs() -> None:
    """Nothing of an earlier picture is left behind: the third of three equals the run of its seed alone."""
    batch = [diffusion.sample(squares(0.9, 0.1, -0.7), PRIORS, seed=7 + k).guess for k in range(3)]
    assert torch.equal(batch[2], diffusion.sample(squares(0.9, 0.1, -0.7), PRIORS, seed=9).guess)


@pytest.mark.parametrize("steps", [1, 2, 7, 18])
def test_every_step_is_told_once_with_a_guess(steps: int) -> None:
    told: list[tuple[int, int]] = []
    diffusion.sample(squares(0.9, 0.1), PRIORS[:2], seed=0, steps=steps, watch=lambda done, guess: told.append((done, guess.shape[-1])))
    assert [done for done, _ in told] == list(range(1, steps + 1))
    assert {side for _, side in told} <= {SIDE // 2, SIDE}


def test_what_the_watch_raises_ends_the_sampling_within_that_step() -> None:
    told: list[int] = []

    def stop(done: int, guess: torch.Tensor) -> None:
        told.append(done)
        if done == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        diffusion.sample(squares(0.9, 0.1), PRIORS[:2], seed=0, steps=18, watch=stop)
    assert told == [1, 2, 3]


def test_what_is_known_stays_as_it_is_in_the_guess() -> None:
    known = noise(1, 4)[0]
    mask = torch.zeros(SIDE, SIDE)
    mask[8:24, 8:24] = 1
    guess = diffusion.sample(squares(0.9, 0.1), PRIORS[:2], seed=0, known=known, mask=mask).guess
    assert torch.equal(guess[:, mask == 0], known[:, mask == 0])
    assert not torch.allclose(guess[:, 10:22, 10:22], known[:, 10:22, 10:22], atol=0.05)


def test_painting_changes_nothing_outside_the_mask() -> None:
    picture = noise(1, 2)[0]
    mask = torch.zeros(SIDE, SIDE)
    mask[6:20, 9:25] = 1
    painted = diffusion.paint(picture, mask, squares(0.9, -0.7), PRIORS[:2], seed=1)
    assert torch.equal(painted[:, mask == 0], picture[:, mask == 0])
    assert int((painted != picture).any(0).sum()) > 50


def test_painting_with_an_empty_mask_gives_the_picture_back() -> None:
    picture = noise(1, 2)[0]
    assert torch.equal(diffusion.paint(picture, torch.zeros(SIDE, SIDE), squares(0.9, -0.7), PRIORS[:2], seed=1), picture)


def test_a_weak_strength_keeps_the_picture_it_starts_from_and_full_strength_forgets_it() -> None:
    pictures = squares(0.9, 0.1, -0.7)
    kept = [diffusion.sample(pictures, torch.zeros(3), seed=s, init=pictures[2], strength=0.3).guess[0, 16, 16] for s in range(6)]
    forgot = [diffusion.sample(pictures, torch.zeros(3), seed=s, init=pictures[2], strength=1.0).guess[0, 16, 16] for s in range(12)]
    assert all(abs(float(value) + 0.7) < 0.05 for value in kept)
    assert any(abs(float(value) + 0.7) > 0.3 for value in forgot)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpu_draws_the_same_picture_up_to_rounding() -> None:
    here = diffusion.sample(squares(0.9, 0.1, -0.7), PRIORS, seed=5).guess
    there = diffusion.sample(squares(0.9, 0.1, -0.7).cuda(), PRIORS.cuda(), seed=5).guess.cpu()
    assert torch.allclose(here, there, atol=1e-3)


# Seams -----------------------------------------------------------------------------------------------------------------------------


def test_boxed_sums_equal_sums_over_squares() -> None:
    values = noise(2)[:, 0]
    row, column, reach = 1, 20, 3
    want = values[:, : row + reach + 1, column - reach : column + reach + 1].sum((1, 2))
    assert torch.allclose(diffusion._boxed(values, reach)[:, row, column], want, atol=1e-4)


def test_pieces_that_agree_on_a_line_are_cut_there() -> None:
    """Two pictures differ left and right and agree in the middle; the guess wants one on each side."""
    one, two = torch.full((4, SIDE, SIDE), 0.2), torch.full((4, SIDE, SIDE), 0.2)
    one[:, :, 24:], two[:, :, :8] = 0.9, -0.9
    guess = two.clone()
    guess[:, :, :16] = one[:, :, :16]
    labels = seams.settled(guess, torch.stack([one, two]))
    assert (labels[:, :8] == 0).all()
    assert (labels[:, 24:] == 1).all()
    assert torch.allclose(seams.joined(torch.stack([one, two]), labels), guess, atol=1e-5)


def test_no_cut_is_made_where_it_would_show() -> None:
    """A light and a dark sheet agree nowhere: the guess, half and half, becomes one of them."""
    sheets = torch.stack([torch.full((4, SIDE, SIDE), level) for level in (0.5, -0.5)])
    guess = sheets[0].clone()
    guess[:, :, 20:] = sheets[1][:, :, 20:]
    assert set(seams.settled(guess, sheets).unique().tolist()) == {0}


def test_fixed_places_keep_their_piece() -> None:
    fixed = torch.full((SIDE, SIDE), -1)
    fixed[:, :10] = 1
    labels = seams.settled(squares(0.9)[0], squares(0.9, 0.1), fixed=fixed)
    assert (labels[:, :10] == 1).all()


def test_a_new_edge_counts_and_an_old_one_does_not() -> None:
    stripe = torch.zeros(4, 8, 8)
    stripe[:, :, 4:] = 1
    plain = torch.zeros(4, 8, 8)
    across = seams.new_edges(torch.stack([stripe, plain])[..., :-1], torch.stack([stripe, plain])[..., 1:])
    assert float(across[1, 0, 0, 3]) == 0  # plain to stripe, where the stripe has its own edge
    assert float(across[1, 0, 0, 5]) == 4  # inside the stripe the plain piece would make one


def test_joining_keeps_pixels_exactly_far_from_a_cut_and_where_pieces_differ() -> None:
    pieces = squares(0.9, -0.9)
    labels = torch.zeros(SIDE, SIDE, dtype=torch.int64)
    labels[:, 16:] = 1
    made = seams.joined(pieces, labels)
    assert torch.allclose(made[:, :, :15], pieces[0][:, :, :15], atol=1e-4)
    assert torch.allclose(made[:, :, 17:], pieces[1][:, :, 17:], atol=1e-4)


# Regions ---------------------------------------------------------------------------------------------------------------------------


def test_areas_are_connected_by_sides_not_by_corners() -> None:
    labels = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 0]])
    area = regions.areas(labels)
    assert area[0, 0] not in (area[0, 2], area[0, 1])
    assert area[0, 1] == area[1, 0]
    assert area[0, 2] == area[2, 0]
    assert area.max() == 2


def test_a_dear_island_is_given_to_its_neighbour_and_a_cheap_one_stays() -> None:
    labels = np.zeros((8, 8), np.int64)
    labels[2:4, 2:4] = labels[5:7, 5:7] = 1
    cost = np.zeros((2, 8, 8), np.float32)
    cost[0, 5:7, 5:7] = 10  # label 0 is very wrong there
    cost[1] = 0.5  # and label 1 a little wrong everywhere
    cuts = (1 - np.eye(2, dtype=np.float32))[:, :, None, None]
    tidy = regions.merged(labels, cost, np.broadcast_to(cuts, (2, 2, 7, 8)), np.broadcast_to(cuts, (2, 2, 8, 7)))
    assert (tidy[2:4, 2:4] == 0).all()
    assert (tidy[5:7, 5:7] == 1).all()
