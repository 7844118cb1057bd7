"""Where parts of several pictures meet: cuts laid where no eye finds them, and soft joins where shades nearly agree.

The sampler's picture is rebuilt from exact pixels of the pieces it was drawn from. Which piece each pixel comes from is the labelling of
least cost: near the sampled picture, and cut only where the cut makes no edge that the pieces do not have themselves (after Kwatra et
al., "Graphcut textures", SIGGRAPH 2003). It is sought by loopy min-sum message passing from coarse to fine (Felzenszwalb & Huttenlocher,
"Efficient belief propagation for early vision", IJCV 2006), then by giving whole areas over where that is cheaper (regions.py). Pieces
are float32 (m, C, N, N). It knows no icons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from studio.starter.regions import merged

if TYPE_CHECKING:
    import torch

_FAITHFUL = 0.1  # cost of a pixel's distance to the sampled picture
_CUT = 0.03  # cost of any cut, a pixel's side
_EDGE = 6.0  # cost of a new edge, a pixel's side: times its height, and once more as soon as it can be seen at all
_FAINT = 0.05  # height of a new edge that is half seen
_DISAGREE = 0.3  # cost of how much two pieces differ at a cut
_COARSEST = 8  # squares a side where the search begins
_ROUNDS = 24  # at each size
_DAMPED = 0.5


def settled(guess: torch.Tensor, pieces: torch.Tensor, lean: torch.Tensor | None = None, fixed: torch.Tensor | None = None) -> torch.Tensor:
    """(N, N) int64: the piece each pixel is to come from.

    `guess` (C, N, N) is what was sampled; `lean` (m, N, N) is added to the cost of each piece by place; `fixed` (N, N) int64 holds a
    piece's number where it must be taken, -1 elsewhere.
    """
    import torch

    if len(pieces) == 1:
        return torch.zeros(guess.shape[-2:], dtype=torch.int64, device=guess.device)
    cost = _FAITHFUL * (pieces - guess).abs().sum(1).clamp(max=2)
    if lean is not None:
        cost = cost + lean
    if fixed is not None:
        numbers = torch.arange(len(pieces), device=guess.device)[:, None, None]
        cost = torch.where((fixed >= 0) & (fixed != numbers), 1e3, cost)
    levels = [(cost, cut_costs(pieces, 1), cut_costs(pieces, 2))]
    while levels[-1][0].shape[-1] > _COARSEST:
        levels.append(_coarser(*levels[-1]))
    sent = [torch.zeros_like(levels[-1][0]) for _ in range(4)]  # what each pixel hears from above, below, left, right
    for cost, down, right in reversed(levels):
        if cost.shape[-1] != sent[0].shape[-1]:
            sent = [heard.repeat_interleave(2, 1).repeat_interleave(2, 2) / 2 for heard in sent]
        for _ in range(_ROUNDS):
            belief = cost + sent[0] + sent[1] + sent[2] + sent[3]
            routes = ((down, 1, True, 1), (down, 1, False, 0), (right, 2, True, 3), (right, 2, False, 2))
            fresh = [_message(belief - sent[back], cuts, dim, ahead) for cuts, dim, ahead, back in routes]
            sent = [_DAMPED * old + (1 - _DAMPED) * new for old, new in zip(sent, fresh, strict=True)]
    cost, down, right = levels[0]
    labels = (cost + sent[0] + sent[1] + sent[2] + sent[3]).argmin(0)
    tidy = merged(*(values.cpu().numpy() for values in (labels, cost, down, right)))
    return torch.from_numpy(tidy).to(labels)


def cut_costs(pieces: torch.Tensor, dim: int) -> torch.Tensor:
    """(m, m, ...): what it costs that a pixel is of piece i and the next one down (dim 1) or right (dim 2) of piece j."""
    import torch

    span = pieces.shape[dim + 1] - 1
    one, two = pieces.narrow(dim + 1, 0, span), pieces.narrow(dim + 1, 1, span)
    cost = _DISAGREE / 2 * ((one[:, None] - one).abs().sum(2) + (two[:, None] - two).abs().sum(2))
    edges = new_edges(one, two)
    cost += _EDGE * (edges + edges / (edges + _FAINT)) + _CUT
    index = torch.arange(len(pieces), device=pieces.device)
    cost[index, index] = 0
    return cost


def new_edges(one: torch.Tensor, two: torch.Tensor) -> torch.Tensor:
    """(m, m, ...): by how much the jump from a pixel of piece i to its neighbour of piece j exceeds the jumps inside i and inside j."""
    import torch

    own = (one - two).abs().sum(1)
    return ((one[:, None] - two).abs().sum(2) - torch.maximum(own[:, None], own)).clamp(min=0)


def joined(pieces: torch.Tensor, labels: torch.Tensor, reach: float = 4.0, like: float = 0.2) -> torch.Tensor:
    """(C, N, N): every pixel from its piece; near a cut it fades into the other piece where the two nearly agree.

    `reach`: the fade's standard deviation in pixels; `like`: the difference in value up to which pieces fade into one another.
    """
    import torch

    chosen = torch.gather(pieces, 0, labels[None, None].expand(1, *pieces.shape[1:]))[0]
    if len(pieces) == 1:
        return chosen
    used = labels.unique()
    picked = pieces[used]
    near = _blurred((labels == used[:, None, None]).to(pieces), reach)
    weight = near * torch.exp(-((picked - chosen) ** 2).sum(1) / like**2)
    return (weight[:, None] * picked).sum(0) / weight.sum(0)


def _message(belief: torch.Tensor, cuts: torch.Tensor, dim: int, ahead: bool) -> torch.Tensor:
    """What each pixel hears from the one before it (ahead) or after it along dim: the least cost of its pieces, smallest 0."""
    import torch

    span = belief.shape[dim] - 1
    if ahead:
        told = (belief.narrow(dim, 0, span)[:, None] + cuts).amin(0)
    else:
        told = (belief.narrow(dim, 1, span) + cuts).amin(1)
    told = told - told.amin(0)
    edge = torch.zeros_like(belief.narrow(dim, 0, 1))
    return torch.cat([edge, told] if ahead else [told, edge], dim)


def _coarser(cost: torch.Tensor, down: torch.Tensor, right: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same costs for squares of two by two pixels."""
    import torch

    cost = torch.nn.functional.avg_pool2d(cost, 2) * 4
    down, right = down[..., 1::2, :], right[..., 1::2]
    return cost, down[..., ::2] + down[..., 1::2], right[..., ::2, :] + right[..., 1::2, :]


def _blurred(values: torch.Tensor, deviation: float) -> torch.Tensor:
    """(m, N, N) under a Gaussian; the border repeats."""
    import torch

    reach = int(3 * deviation)
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=values.device) / deviation) ** 2)
    taps = taps / taps.sum()
    wide = torch.nn.functional.pad(values[:, None], (reach,) * 4, mode="replicate")[:, 0]
    rows = torch.stack([tap * wide[..., i : i + values.shape[-1]] for i, tap in enumerate(taps.tolist())]).sum(0)
    return torch.stack([tap * rows[..., i : i + values.shape[-2], :] for i, tap in enumerate(taps.tolist())]).sum(0)
