"""MusicGen's language over codes: which columns a model writes in, how one is drawn from a take's own seed, and windows beyond its memory.

A frame is one code of every codebook (20 ms). Codebook k is written `delays[k]` columns late (the delay pattern of "Simple and
Controllable Music Generation", 2023). Knows no library that models come from, no file, no sound and no task.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

BLOCK = 1024
"""Columns whose random numbers are drawn at once, so that a longer piece begins with those of a shorter one."""


@dataclass(frozen=True)
class Sampling:
    """How a code is drawn: `guidance` 1 is none, `top_k` 0 and `top_p` 0 or 1 keep all choices."""

    guidance: float
    temperature: float
    top_k: int
    top_p: float

    @property
    def guided(self) -> bool:
        """Whether every step also asks what the model would do without the words."""
        return self.guidance > 1


@dataclass
class Codes:
    """`values` (rows, codebooks, frames) int64; the first `done` frames are whole. A row is one take."""

    values: Any
    done: int


Condition = Callable[[int], Any]
"""What the model is told for the window that begins at a frame. With guidance the rows come twice, the second time told nothing."""


class Writer(Protocol):
    """A language model over codes: how many columns late each codebook is written, and the code that stands for none."""

    delays: list[int]
    empty: int

    def forward(self, ids: Any, cache: Any, told: Any) -> tuple[Any, Any]:
        """Logits (rows * codebooks, choices) behind the last of the columns `ids` (rows * codebooks, columns), and the cache so far."""
        ...

    def rest(self) -> None:
        """Nothing more is written now: what was only for that is let go."""
        ...


def write(
    model: Writer,
    codes: Codes,
    condition: Condition,
    seeds: Sequence[int],
    sampling: Sampling,
    window: tuple[int, int],
    step: Callable[[], None],
    end: int | None = None,
    heard: int | None = None,
) -> int:
    """Fill `codes` to frame `end` (None: to their end), calling `step` after each column; what it raises passes, and what is done by then
    stays in `codes`.

    `window` is (frames the model oversees, frames it moves on by): windows lie at multiples of the second, so that a piece that was
    stopped goes on as if it had not been. With `heard` each window begins so many frames before what is still to come instead. Returns
    how many windows it took.
    """
    import torch

    length, stride = window
    total = codes.values.shape[-1] if end is None else end
    draw = _Draw(seeds, codes.values.shape[1], sampling, codes.values.device)
    windows = 0
    try:
        with torch.inference_mode():
            while codes.done < total:
                if heard is None:
                    begin = max(0, -(-(codes.done + 1 - length) // stride)) * stride  # the first window that reaches beyond what is done
                else:
                    begin = max(0, codes.done - heard)
                _fill(model, codes, begin, min(begin + length, total), condition(begin), draw, step)
                windows += 1
    finally:
        model.rest()
    return windows


def _fill(model: Writer, codes: Codes, begin: int, end: int, told: Any, draw: _Draw, step: Callable[[], None]) -> None:
    """The frames from `codes.done` to `end`, heard from `begin` on. Column c of the window holds frame c - 1 - delay of each codebook."""
    import torch

    late = model.delays
    rows, books, _ = codes.values.shape
    known, frames = codes.done - begin, end - begin
    ids = torch.full((rows, books, frames + max(late) + 1), model.empty, device=codes.values.device)
    for book, delay in enumerate(late):
        ids[:, book, delay + 1 : delay + 1 + known] = codes.values[:, book, begin : codes.done]
    cache, column = None, known + 1
    given = ids[..., :column]
    while column < ids.shape[-1]:
        flat = given.reshape(rows * books, -1)
        logits, cache = model.forward(flat.repeat(2, 1) if draw.sampling.guided else flat, cache, told)
        chosen = draw(logits, begin + column)  # (rows, codebooks)
        for book, delay in enumerate(late):
            frame = column - 1 - delay
            if known <= frame < frames:
                ids[:, book, column] = codes.values[:, book, begin + frame] = chosen[:, book]
        codes.done = max(codes.done, begin + column - max(late))
        given = ids[..., column : column + 1]
        column += 1
        step()


class _Draw:
    """Chooses codes by inverting the cumulative distribution at a number that belongs to the take's seed, the column and the codebook.

    So a take depends on its own seed alone, whatever else is in the batch, and goes on after a stop with the numbers it would have had.
    """

    def __init__(self, seeds: Sequence[int], books: int, sampling: Sampling, device: Any) -> None:
        import torch
        from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

        self.sampling = sampling
        self._books, self._device = books, device
        self._generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
        self._numbers = torch.empty(len(seeds), 0, books, device=device)
        self._narrow: list[Any] = []
        if sampling.temperature != 1:
            self._narrow.append(TemperatureLogitsWarper(float(sampling.temperature)))
        if sampling.top_k > 0:
            self._narrow.append(TopKLogitsWarper(int(sampling.top_k)))
        if 0 < sampling.top_p < 1:
            self._narrow.append(TopPLogitsWarper(float(sampling.top_p)))

    def __call__(self, logits: Any, column: int) -> Any:
        """Codes (rows, codebooks) from logits (rows * codebooks, vocabulary); twice the rows with guidance, the unguided ones second."""
        import torch

        scores = logits.float()
        if self.sampling.guided:
            asked, unasked = scores.chunk(2)
            scores = unasked + (asked - unasked) * self.sampling.guidance
        for narrow in self._narrow:
            scores = narrow(None, scores)
        heights = torch.softmax(scores, dim=-1).cumsum(dim=-1)
        at = 1 - self._row(column).reshape(-1, 1)  # in (0, 1]: never a code of probability 0
        chosen = torch.searchsorted(heights, at * heights[:, -1:]).clamp_(max=scores.shape[-1] - 1)
        return chosen.reshape(-1, self._books)

    def _row(self, column: int) -> Any:
        import torch

        while self._numbers.shape[1] <= column:
            block = torch.stack([torch.rand(BLOCK, self._books, generator=generator) for generator in self._generators])
            self._numbers = torch.cat([self._numbers, block.to(self._device)], dim=1)
        return self._numbers[:, column]
