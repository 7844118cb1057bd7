"""For every patch that touches a hole, the most alike patch of the known picture; and the hole painted by the votes of those patches.

Nearest neighbours are searched exhaustively while the picture is small and by PatchMatch (Barnes et al., "PatchMatch", SIGGRAPH 2009)
afterwards; painting is the voting step of Wexler et al., "Space-time completion of video", IEEE TPAMI 2007. All of a step's patches are
moved at once, as arrays. It knows one size of one picture; `erase` goes through the sizes.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Places = NDArray[np.int64]
Hole = NDArray[np.bool_]

REACH = 3  # patches are 7 pixels a side
_EXHAUSTIVE = 2_000_000  # pairs of patches up to which all are compared
_PEELED = 3000  # known patches looked through for a first estimate
_CHUNK = 512  # patches compared at once
_TRUST = 1.3  # a patch counts so much less per pixel it lies deeper in the hole


class Matching:
    """One size of the picture: `picture` (h, w, 3) float32 with an estimate in the hole, and a known patch for every patch to be made.

    Places are indices into the picture padded by REACH on every side, row after row.
    """

    def __init__(self, picture: Floats, hole: Hole, random: np.random.Generator) -> None:
        self.hole = hole
        self._random = random
        self._height, self._width = hole.shape
        self._stride = self._width + 2 * REACH
        self._flat = _padded(picture).reshape(-1, 3)
        box = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
        touched = cv2.dilate(hole.astype(np.uint8), box).astype(np.bool_)
        whole = np.zeros(hole.shape, np.bool_)
        whole[REACH:-REACH, REACH:-REACH] = ~touched[REACH:-REACH, REACH:-REACH]
        self._usable = np.pad(whole, REACH).ravel()
        self.sources: Places = np.flatnonzero(self._usable)
        self.targets: Places = np.flatnonzero(np.pad(touched, REACH).ravel())
        self._number = np.full(self._flat.shape[0], -1, np.int64)
        self._number[self.targets] = np.arange(len(self.targets))
        steps = np.arange(-REACH, REACH + 1)
        self._patch: Places = (steps[:, None] * self._stride + steps).ravel()
        self._unknown: Places = np.flatnonzero(np.pad(hole, REACH).ravel())
        depth = cv2.distanceTransform(np.pad(hole, REACH).astype(np.uint8), cv2.DIST_L2, 3).ravel()
        self._trust = (_TRUST ** -depth[self.targets]).astype(np.float32)
        self.found: Places = np.zeros(len(self.targets), np.int64)
        self._costs = np.full(len(self.targets), np.inf, np.float32)

    @property
    def picture(self) -> Floats:
        """(h, w, 3) float32, the hole as painted last."""
        return self._flat.reshape(self._height + 2 * REACH, self._stride, 3)[REACH:-REACH, REACH:-REACH].copy()

    @property
    def offsets(self) -> tuple[Places, Hole]:
        """(h, w, 2): rows and columns from each pixel to its source, and where that is known (in the hole and next to it)."""
        field = np.zeros((self._flat.shape[0], 2), np.int64)
        field[self.targets] = np.stack(np.divmod(self.found, self._stride), -1) - np.stack(np.divmod(self.targets, self._stride), -1)
        cut = slice(REACH, -REACH)
        known = (self._number >= 0).reshape(-1, self._stride)[cut, cut]
        return field.reshape(-1, self._stride, 2)[cut, cut], known

    @property
    def unlike(self) -> float:
        """How much the patches over the hole differ from those they were found in, on average."""
        return float(self._costs.mean())

    @property
    def copied(self) -> Floats:
        """(h, w, 3): every pixel of the hole and next to it straight from its source, the picture elsewhere."""
        return self._from_sources(0)

    @property
    def slopes(self) -> tuple[Floats, Floats]:
        """(h, w, 3) twice: differences to the right and to the lower neighbour as the sources have them; where two neighbours come from
        different places, the mean of what both say."""
        return self._slope(1), self._slope(self._stride)

    def peel(self) -> None:
        """A first estimate: the hole is filled from its edge inwards, each pixel from the patch most alike in what is known by then."""
        known = np.ones(self._flat.shape[0], np.bool_)
        known[self._unknown] = False
        sources = self.sources
        if len(sources) > _PEELED:
            sources = np.sort(self._random.choice(sources, _PEELED, replace=False))
        patches = self._flat[sources[:, None] + self._patch]
        squares = (patches**2).sum(-1)
        flat = patches.reshape(len(patches), -1)
        while not known[self._unknown].all():
            waiting = self._unknown[~known[self._unknown]]
            rim = waiting[known[waiting[:, None] + np.array([-1, 1, -self._stride, self._stride])].any(1)]
            rim = rim if rim.size else waiting
            fresh = np.empty((len(rim), 3), np.float32)
            for start in range(0, len(rim), _CHUNK):
                around = rim[start : start + _CHUNK, None] + self._patch
                mask = known[around].astype(np.float32)
                seen = (self._flat[around] * mask[..., None]).reshape(len(mask), -1)
                best = (mask @ squares.T - 2 * seen @ flat.T).argmin(1)
                fresh[start : start + _CHUNK] = self._flat[sources[best]]
            self._flat[rim] = fresh
            known[rim] = True
        self._renew_border()

    def start(self, coarse: Matching | None) -> None:
        """Take over the matches found at half the size, or begin with random ones."""
        self.found = self._random.choice(self.sources, len(self.targets))
        if coarse is not None:
            rows, columns = np.divmod(self.targets, self._stride)
            rows, columns = rows - REACH, columns - REACH
            offsets, there = coarse.offsets
            half = np.minimum(rows // 2, there.shape[0] - 1), np.minimum(columns // 2, there.shape[1] - 1)
            to = offsets[half] * 2 + np.stack([rows, columns], -1) + REACH
            place = np.clip(to[:, 0] * self._stride + to[:, 1], 0, len(self._flat) - 1)
            good = there[half] & self._usable[place]
            self.found[good] = place[good]

    def search(self, rounds: int) -> None:
        """Improve all matches: exactly if the picture is small, else by so many rounds of spreading and random tries."""
        if len(self.targets) * len(self.sources) <= _EXHAUSTIVE:
            self._compare_all()
            return
        self._costs = self._distances(self.found)
        for number in range(rounds):
            for step in (4, 1) if number == 0 else (1,):
                for shift in (step, -step, step * self._stride, -step * self._stride):
                    beside = self._number[np.clip(self.targets + shift, 0, len(self._number) - 1)]
                    self._offer(np.where(beside >= 0, self.found[beside] - shift, self.found))
            radius = max(self._height, self._width) / 2
            while radius >= 1:
                rows, columns = np.divmod(self.found, self._stride)
                rows = rows + self._random.integers(-int(radius), int(radius) + 1, rows.shape)
                columns = columns + self._random.integers(-int(radius), int(radius) + 1, columns.shape)
                self._offer(np.clip(rows, 0, self._height) * self._stride + np.clip(columns, 0, self._width))
                radius /= 3

    def paste(self) -> None:
        """Paint the hole: each pixel straight from its source, so that grain comes along sharp."""
        own = self._number[self._unknown]
        self._flat[self._unknown] = self._flat[self.found[own]]
        self._renew_border()

    def vote(self) -> float:
        """Paint the hole: each pixel the weighted mean of what the patches over it say. Returns the mean change in levels (of 255)."""
        typical = max(float(np.percentile(self._costs, 75)), 1.0) if np.isfinite(self._costs).all() else 1.0
        weights = self._trust * (np.exp(-np.minimum(self._costs / (2 * typical), 20)) if np.isfinite(self._costs).all() else np.float32(1))
        total, share = np.zeros((len(self._unknown), 3), np.float32), np.zeros((len(self._unknown), 1), np.float32)
        for shift in self._patch.tolist():
            patch = self._number[self._unknown - shift]
            weight = np.where(patch >= 0, weights[patch], 0)[:, None].astype(np.float32)
            total += weight * self._flat[self.found[patch] + shift]
            share += weight
        fresh = total / np.maximum(share, 1e-20)
        change = float(np.abs(fresh - self._flat[self._unknown]).mean())
        self._flat[self._unknown] = fresh
        self._renew_border()
        return change

    def _slope(self, shift: int) -> Floats:
        """(h, w, 3): one of the two slopes."""
        ahead = self._from_sources(shift) - self._from_sources(0)
        behind = np.pad(self._from_sources(0) - self._from_sources(-shift), ((0, 1), (0, 1), (0, 0)), mode="edge")
        return np.multiply(ahead + (behind[:-1, 1:] if shift == 1 else behind[1:, :-1]), 0.5, dtype=np.float32)

    def _from_sources(self, shift: int) -> Floats:
        """(h, w, 3): the pixel beside each pixel's source; where there is no source, beside the pixel itself."""
        places = np.arange(len(self._flat))
        places[self.targets] = self.found
        places = np.clip(places + shift, 0, len(self._flat) - 1)
        return self._flat[places].reshape(-1, self._stride, 3)[REACH:-REACH, REACH:-REACH]

    def _compare_all(self) -> None:
        patches = self._flat[self.sources[:, None] + self._patch].reshape(len(self.sources), -1)
        squares = (patches**2).sum(1)
        for start in range(0, len(self.targets), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            wanted = self._flat[self.targets[chunk, None] + self._patch].reshape(-1, patches.shape[1])
            costs = squares - 2 * wanted @ patches.T
            best = costs.argmin(1)
            self.found[chunk] = self.sources[best]
        self._costs = self._distances(self.found)

    def _offer(self, places: Places) -> None:
        """Take a place for every target where it is usable and more alike."""
        places = np.clip(places, 0, len(self._flat) - 1)
        asked = np.flatnonzero(self._usable[places] & (places != self.found))
        costs = self._distances(places[asked], asked)
        better = costs < self._costs[asked]
        chosen = asked[better]
        self.found[chosen], self._costs[chosen] = places[chosen], costs[better]

    def _distances(self, places: Places, which: Places | None = None) -> Floats:
        """Mean squared differences between target patches and the patches at `places`."""
        targets = self.targets if which is None else self.targets[which]
        costs = np.empty(len(targets), np.float32)
        for start in range(0, len(targets), 8 * _CHUNK):
            chunk = slice(start, start + 8 * _CHUNK)
            one = self._flat.take((targets[chunk, None] + self._patch), 0)
            one -= self._flat.take((places[chunk, None] + self._patch), 0)
            flat = one.reshape(len(one), -1)
            costs[chunk] = np.einsum("ij,ij->i", flat, flat) / len(self._patch)
        return costs

    def _renew_border(self) -> None:
        self._flat = _padded(self.picture).reshape(-1, 3)


def _padded(picture: Floats) -> Floats:
    return np.pad(picture, ((REACH, REACH), (REACH, REACH), (0, 0)), mode="reflect" if min(picture.shape[:2]) > REACH else "edge")
