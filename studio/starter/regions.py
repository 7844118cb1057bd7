"""Connected areas of a label map, and whole areas given over to a neighbour's label where that costs less.

Message passing leaves islands that are locally right and as a whole too dear; this takes them away. Plain arrays; it knows no pictures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Floats = NDArray[np.float32]

_GAIN = 1e-4  # the least saving that counts


def areas(labels: Labels) -> Labels:
    """(H, W): the number of the connected area (four neighbours) that each pixel lies in, from 0."""
    starts = np.ones(labels.shape, bool)
    starts[:, 1:] = labels[:, 1:] != labels[:, :-1]
    runs = np.cumsum(starts).reshape(labels.shape) - 1  # areas within one row
    same = labels[1:] == labels[:-1]
    parent = list(range(int(runs[-1, -1]) + 1))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for upper, lower in np.unique(np.stack([runs[:-1][same], runs[1:][same]], 1), axis=0).tolist():
        one, other = root(upper), root(lower)
        parent[max(one, other)] = min(one, other)
    numbers = np.unique([root(i) for i in range(len(parent))], return_inverse=True)[1]
    return numbers[runs]


def merged(labels: Labels, cost: Floats, down: Floats, right: Floats) -> Labels:
    """`labels` (H, W) with areas relabelled as their neighbours, as long as the whole becomes cheaper.

    `cost` (m, H, W) is each label's own cost by place; `down` (m, m, H - 1, W) and `right` (m, m, H, W - 1) that of two neighbours.
    """
    labels = labels.copy()
    while True:
        area = areas(labels)
        gain, target = _savings(area, labels, cost, down, right)
        busy = np.zeros(len(gain), bool)
        for one in np.argsort(-gain, kind="stable"):
            if gain[one] <= _GAIN:
                break
            if not busy[one]:  # what lies beside a changed area waits for the next round
                inside = area == one
                busy[area[_beside(inside)]] = True
                labels[inside] = target[one]
        if not busy.any():
            return labels


def _savings(area: Labels, labels: Labels, cost: Floats, down: Floats, right: Floats) -> tuple[NDArray[np.float64], Labels]:
    """For every area what it saves by its best change of label, and to which label."""
    count, kinds = int(area.max()) + 1, len(cost)
    total = np.stack([np.bincount(area.ravel(), one.ravel(), count) for one in cost], 1)
    allowed = np.zeros((count, kinds), bool)
    for cuts, first, second in (
        (down, np.s_[:-1], np.s_[1:]),
        (right, np.s_[:, :-1], np.s_[:, 1:]),
    ):
        rows, columns = np.nonzero(area[first] != area[second])
        one, two = area[first][rows, columns], area[second][rows, columns]
        mine, theirs = labels[first][rows, columns], labels[second][rows, columns]
        for kind in range(kinds):
            total[:, kind] += np.bincount(one, cuts[kind, theirs, rows, columns], count)
            total[:, kind] += np.bincount(two, cuts[mine, kind, rows, columns], count)
        allowed[one, theirs] = allowed[two, mine] = True
    now = np.zeros(count, np.int64)
    now[area.ravel()] = labels.ravel()
    saved = np.where(allowed, total[np.arange(count), now][:, None] - total, 0)
    return saved.max(1), saved.argmax(1)


def _beside(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    wide = np.pad(inside, 1)
    return wide[2:, 1:-1] | wide[:-2, 1:-1] | wide[1:-1, 2:] | wide[1:-1, :-2]
