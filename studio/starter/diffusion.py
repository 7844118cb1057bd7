"""Analytic local diffusion: the ideal denoiser of a few pictures, known in closed form, drawn from step by step. No training.

For a finite set of pictures the best guess of the clean picture behind a noisy one is a softmax-weighted mean of the set. Taken over
the whole picture it can only copy; taken *locally*, every place weighing small shifts of the patches around it, it composes new
pictures from parts of many (Kamb & Ganguli, "An analytic theory of creativity in convolutional diffusion models", ICML 2025,
arXiv 2412.20292; Scarvelis et al., "Closed-form diffusion models", 2023). The path is that of flow matching: z = t x + (1 - t) noise.

Pictures are float32 tensors (C, N, N), channels in [-1, 1]. It knows no icons, no words and no colours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from studio.starter.seams import settled

if TYPE_CHECKING:
    import torch

Watch = Callable[[int, "torch.Tensor"], None]
"""Told after every step how many are done and the present guess (C, n, n), n = N or N / 2. What it raises ends the sampling."""

FIRST = 0.02  # the time at which sampling begins; 1 is the finished picture
_FULL_SIZE = 0.5  # until this time the steps run at half the size
_SHRINK = 2.4  # how fast patches shrink: side = N (1 - t) ** _SHRINK
_PATCH = (5, 5)  # the smallest patch at half and at full size, pixels a side
_NOISE = 0.04  # the least noise that weights are computed for
_BORDER = 4  # pixels inside a mask in which the old picture may go on
_NEVER = -1e6  # log-prior of what must not be
_GONE = 1e-3  # a picture whose weight is nowhere more than this is dropped
_PIECES = 5  # the most (picture, shift) pairs that the finish may choose from


@dataclass(frozen=True)
class Sampled:
    """What was drawn. `guess` (C, N, N) is the denoiser's last word; `pieces` are the shifted pictures it is made of.

    `pieces` (m, C, N, N), most used first; `sources` and `shifts` say which candidate each is and how many pixels it moved (down, right).
    """

    guess: torch.Tensor
    pieces: torch.Tensor
    sources: tuple[int, ...]
    shifts: tuple[tuple[int, int], ...]


def sample(
    candidates: torch.Tensor,
    log_priors: torch.Tensor,
    *,
    seed: int,
    steps: int = 18,
    window: int = 1,
    watch: Watch | None = None,
    init: torch.Tensor | None = None,
    strength: float = 1.0,
    known: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
) -> Sampled:
    """Draw one picture from `candidates` (k, C, N, N), N even, with `log_priors` (k,) or, by place, (k, N, N).

    `window`: patches may shift by up to that many pixels. `init` (C, N, N) with `strength` in (0, 1] starts from that picture, noised:
    1 forgets it, 0.5 keeps its layout. `known` (C, N, N) and `mask` (N, N) in [0, 1]: only where the mask is 1 is drawn anew. The noise
    comes from one CPU generator, so a seed gives the same picture alone, in a batch, and on every device up to rounding.
    """
    import torch

    side = candidates.shape[-1]
    noise = torch.randn(candidates.shape[1:], generator=torch.Generator().manual_seed(seed)).to(candidates)
    priors = log_priors if log_priors.ndim == 3 else log_priors[:, None, None].expand(-1, side, side)
    times = torch.linspace(min(max(FIRST, 1 - strength), 0.95), 1, steps + 1).tolist()
    level = _Level.at(candidates, priors, noise, known, mask, half=times[0] < _FULL_SIZE)
    guess = None if init is None else _resized(init, level.noise.shape[-1])
    z = (1 - times[0]) * level.noise + (0 if guess is None else times[0] * guess)
    mass = torch.zeros(())
    for step, (t, after) in enumerate(pairwise(times)):
        if level.half and t >= _FULL_SIZE and guess is not None:
            level = _Level.at(candidates, priors, noise, known, mask, half=False, alive=level.alive)
            z = t * _resized(guess, side) + (1 - t) * level.noise
        guess, mass = level.denoised(z, t, window)
        z = z + (after - t) / max(1 - t, 0.02) * (guess - z)
        if watch is not None:
            watch(step + 1, guess)
    if guess is None:
        raise ValueError("at least one step is needed")
    return _harvest(_resized(guess, side), candidates, level, mass, window)


def paint(
    picture: torch.Tensor,
    mask: torch.Tensor,
    candidates: torch.Tensor,
    log_priors: torch.Tensor,
    *,
    seed: int,
    steps: int = 18,
    watch: Watch | None = None,
) -> torch.Tensor:
    """`picture` (C, N, N) drawn anew where `mask` (N, N) is at least 0.5; everywhere else it comes back unchanged, bit for bit.

    Within a few pixels of the mask's border the picture itself joins the candidates, so that what is drawn goes on from what is there.
    """
    import torch

    inside = mask >= 0.5
    side = picture.shape[-1]
    everyone = torch.cat([candidates, picture[None]])
    outside = torch.nn.functional.max_pool2d((~inside).to(picture)[None], 2 * _BORDER + 1, 1, _BORDER)[0]
    priors = log_priors if log_priors.ndim == 3 else log_priors[:, None, None].expand(-1, side, side)
    own = torch.where(outside > 0, float(log_priors.max()) - 2, _NEVER)
    drawn = sample(everyone, torch.cat([priors, own[None]]), seed=seed, steps=steps, watch=watch, known=picture, mask=inside.to(picture))
    pieces = torch.cat([picture[None], drawn.pieces])
    old = torch.tensor([True, *(source == len(candidates) for source in drawn.sources)], device=picture.device)
    lean = torch.where(old[:, None, None] & (outside == 0), -_NEVER, 0.0)
    labels = settled(drawn.guess, pieces, lean, torch.where(inside, -1, 0))
    made = torch.gather(pieces, 0, labels[None, None].expand(1, *picture.shape))[0]
    return torch.where(inside, made, picture)


@dataclass
class _Level:
    """One size of the problem: the pictures still in play, their priors, the noise, what is known."""

    pictures: torch.Tensor  # (k, C, n, n)
    priors: torch.Tensor  # (k, n, n)
    noise: torch.Tensor  # (C, n, n)
    known: torch.Tensor | None
    mask: torch.Tensor | None
    half: bool
    alive: list[int]

    @classmethod
    def at(
        cls,
        pictures: torch.Tensor,
        priors: torch.Tensor,
        noise: torch.Tensor,
        known: torch.Tensor | None,
        mask: torch.Tensor | None,
        *,
        half: bool,
        alive: Sequence[int] | None = None,
    ) -> _Level:
        left = list(range(len(pictures)) if alive is None else alive)
        if not half:
            return cls(pictures[left], priors[left], noise, known, mask, half, left)
        side = pictures.shape[-1] // 2
        known = None if known is None else _resized(known, side)
        mask = None if mask is None else _resized(mask[None], side)[0]
        return cls(_resized(pictures[left], side), _resized(priors[left], side), _resized(noise, side) * 2, known, mask, half, left)

    def denoised(self, z: torch.Tensor, t: float, window: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The guess (C, n, n) and the weights (s, k, n, n) at time t."""
        side = z.shape[-1]
        patch = max(_PATCH[0 if self.half else 1], side * (1 - t) ** _SHRINK)
        shifts = ((0, 0),) if patch >= 0.5 * side else _shifts(window)
        noise = max(1 - t, _NOISE)
        moved = [_shifted(self.pictures, *by) for by in shifts]
        scores: list[torch.Tensor] = []
        for (down, right), pictures in zip(shifts, moved, strict=True):
            likeness = _boxed((t * (2 * z - t * pictures) * pictures).sum(1), int(patch / 2)) / (2 * noise * noise)
            scores.append(likeness + self.priors - 0.05 * (abs(down) + abs(right)))
        weights, guess = _softmax_mean(scores, moved)
        if self.mask is not None and self.known is not None:
            guess = self.mask * guess + (1 - self.mask) * self.known
        peak = weights.amax((0, 2, 3))
        if t > 0.25 and float(peak.min()) < _GONE:
            stay = (peak >= _GONE).nonzero()[:, 0].tolist()
            self.pictures, self.priors, weights = self.pictures[stay], self.priors[stay], weights[:, stay]
            self.alive = [self.alive[i] for i in stay]
        return guess, weights


def _softmax_mean(scores: list[torch.Tensor], moved: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    weights = torch.stack(scores)  # (s, k, n, n)
    weights = (weights - weights.amax((0, 1))).exp_()
    weights = weights / weights.sum((0, 1))
    guess = torch.zeros_like(moved[0][0])
    for weight, pictures in zip(weights, moved, strict=True):
        guess = guess + (weight[:, None] * pictures).sum(0)
    return weights, guess


def _harvest(guess: torch.Tensor, candidates: torch.Tensor, level: _Level, mass: torch.Tensor, window: int) -> Sampled:
    """The pieces that carry weight where they differ from one another, most used first."""
    import torch

    shifts = _shifts(window) if len(mass) > 1 else ((0, 0),)
    share = mass.mean((2, 3))  # (s, k)
    best = share.argmax(0).tolist()
    order = share.amax(0).argsort(descending=True, stable=True).tolist()
    pairs = [(level.alive[i], shifts[best[i]]) for i in order]
    pairs += [(level.alive[i], (0, 0)) for i in order if shifts[best[i]] != (0, 0)]
    pairs = pairs[:_PIECES]
    pieces = torch.stack([_shifted(candidates[i], *by) for i, by in pairs])
    return Sampled(guess, pieces, tuple(i for i, _ in pairs), tuple(by for _, by in pairs))


def _shifts(window: int) -> tuple[tuple[int, int], ...]:
    steps = (0, *range(-window, 0), *range(1, window + 1))
    return tuple((dy, dx) for dy in steps for dx in steps)


def _shifted(pictures: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Moved by whole pixels; the border repeats."""
    import torch

    if down == 0 and right == 0:
        return pictures
    reach, side = max(abs(down), abs(right)), pictures.shape[-1]
    flat = pictures.reshape(-1, *pictures.shape[-3:])
    wide = torch.nn.functional.pad(flat, (reach,) * 4, mode="replicate")
    return wide[..., reach - down : reach - down + side, reach - right : reach - right + side].reshape(pictures.shape)


def _boxed(values: torch.Tensor, reach: int) -> torch.Tensor:
    """Sums (k, n, n) over squares of 2 reach + 1 pixels a side, cut off at the border, by running sums."""
    import torch

    if reach < 1:
        return values
    side = values.shape[-1]
    place = torch.arange(side, device=values.device)
    low, high = (place - reach).clamp(min=0), (place + reach + 1).clamp(max=side)
    for dim in (-1, -2):
        total = values.cumsum(dim)
        total = torch.cat([torch.zeros_like(total.narrow(dim, 0, 1)), total], dim)
        values = total.index_select(dim, high) - total.index_select(dim, low)
    return values


def _resized(pictures: torch.Tensor, side: int) -> torch.Tensor:
    """(..., C, n, n) to half or double size."""
    import torch

    if pictures.shape[-1] == side:
        return pictures
    flat = pictures.reshape(-1, 1, *pictures.shape[-2:])
    if side < pictures.shape[-1]:
        flat = torch.nn.functional.avg_pool2d(flat, pictures.shape[-1] // side)
    else:
        flat = torch.nn.functional.interpolate(flat, size=(side, side), mode="bilinear", align_corners=False)
    return flat.reshape(*pictures.shape[:-2], side, side)
