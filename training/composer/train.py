"""Trains the composing model on the CPU: python -m training.composer.train DATA.npz CHECKPOINT.pt

Resumes where CHECKPOINT.pt stands. Prints the losses on the validation tunes after every epoch and exports the best weights so far.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor
from torch.nn import functional

from studio.music.tokens import COLUMNS
from training.composer.network import Network

SEED = 1850
LONGEST = 512
BATCH = 2048
_NAMES = [name for name, _ in COLUMNS]
_HIDDEN = {"family": 0.15, "density": 0.15}


class Steps:
    """The steps of one split, in batches of about BATCH steps of tunes of like length."""

    def __init__(self, path: Path, kind: int) -> None:
        data = np.load(path)
        ends = data["ends"]
        starts = np.concatenate([[0], ends[:-1]])
        self.spans = [(int(a), int(b)) for a, b, split in zip(starts, ends, data["splits"], strict=True) if split == kind]
        self.columns, self.chords, self.targets = data["columns"], data["chords"], data["targets"]

    def batches(self, random: np.random.Generator | None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Columns (B, T, c), chords (B, T, 48) and targets (B, T, 2), -1 where a tune is over. Shuffled, cropped and masked by `random`."""
        spans = []
        for start, stop in self.spans:
            crop = 0 if random is None or stop - start <= LONGEST else int(random.integers(stop - start - LONGEST + 1))
            spans.append((start + crop, min(stop, start + crop + LONGEST)))
        jitter = random.normal(0, 12, len(spans)) if random is not None else np.zeros(len(spans))
        order = sorted(range(len(spans)), key=lambda at: spans[at][1] - spans[at][0] + jitter[at])
        groups: list[list[int]] = [[]]
        longest = 0
        for at in order:
            longest = max(longest, spans[at][1] - spans[at][0])
            if groups[-1] and longest * (len(groups[-1]) + 1) > BATCH:
                groups.append([])
                longest = spans[at][1] - spans[at][0]
            groups[-1].append(at)
        for group in random.permutation(len(groups)) if random is not None else range(len(groups)):
            yield self._batch([spans[at] for at in groups[group]], random)

    def _batch(self, spans: list[tuple[int, int]], random: np.random.Generator | None) -> tuple[Tensor, Tensor, Tensor]:
        longest = max(stop - start for start, stop in spans)
        columns = np.zeros((len(spans), longest, len(COLUMNS)), np.int64)
        chords = np.zeros((len(spans), longest, 48), np.float32)
        targets = np.full((len(spans), longest, 2), -1, np.int64)
        for at, (start, stop) in enumerate(spans):
            columns[at, : stop - start] = self.columns[start:stop]
            chords[at, : stop - start] = np.unpackbits(self.chords[start:stop], axis=1)
            targets[at, : stop - start] = self.targets[start:stop]
            for name, share in _HIDDEN.items() if random is not None else ():
                if random is not None and random.random() < share:
                    columns[at, :, _NAMES.index(name)] = 0
        return torch.from_numpy(columns), torch.from_numpy(chords), torch.from_numpy(targets)


def losses(model: Network, batch: tuple[Tensor, Tensor, Tensor]) -> tuple[Tensor, Tensor, int]:
    """Summed losses of tokens and durations, and the number of steps."""
    columns, chords, targets = batch
    with torch.autocast("cpu", torch.bfloat16):
        token, duration = model(columns, chords, targets[..., 0].clamp(min=0))
    there = targets[..., 0] >= 0
    notes = targets[..., 1] > 0
    first = functional.cross_entropy(token.float()[there], targets[..., 0][there], reduction="sum")
    second = functional.cross_entropy(duration.float()[notes], targets[..., 1][notes], reduction="sum")
    return first, second, int(there.sum())


def validate(model: Network, steps: Steps) -> tuple[float, float]:
    """Mean losses a step of tokens and of durations."""
    model.eval()
    sums = np.zeros(3)
    with torch.no_grad():
        for batch in steps.batches(None):
            first, second, count = losses(model, batch)
            sums += [first.item(), second.item(), count]
    model.train()
    return sums[0] / sums[2], sums[1] / sums[2]


def export(model: Network, folder: Path) -> None:
    """Half-precision weights and the model's sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: value.detach().numpy().astype(np.float16) for name, value in model.state_dict().items()}, folder / "model.safetensors")
    sizes = {"layers": len(model.blocks), "heads": model.heads, "width": model.norm.weight.shape[0]}
    (folder / "config.json").write_text(json.dumps(sizes), encoding="utf-8")


class Trainer:
    """The model, its optimiser and how far they are."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.asked = asked
        self.model = Network(asked.width)
        decayed = [value for value in self.model.parameters() if value.ndim > 1]
        plain = [value for value in self.model.parameters() if value.ndim <= 1]
        groups = [{"params": decayed, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
        self.optimiser = torch.optim.AdamW(groups, asked.rate, (0.9, 0.98), fused=True)
        self.epoch, self.best = 0, math.inf
        if asked.checkpoint.exists():
            kept = torch.load(asked.checkpoint, weights_only=True)
            self.model.load_state_dict(kept["model"])
            self.optimiser.load_state_dict(kept["optimiser"])
            self.epoch, self.best = kept["epoch"], kept["best"]

    def run(self, train: Steps) -> tuple[float, float]:
        """One epoch; its mean losses."""
        sums = np.zeros(3)
        batches = list(train.batches(np.random.default_rng([SEED, self.epoch])))
        for at, batch in enumerate(batches):
            done = (self.epoch + at / len(batches)) / self.asked.epochs
            warm = min(1.0, (self.epoch * len(batches) + at + 1) / 200)
            for group in self.optimiser.param_groups:
                group["lr"] = self.asked.rate * warm * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-6
            token, duration, count = losses(self.model, batch)
            self.optimiser.zero_grad()
            ((token + duration) / count).backward()
            torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
            self.optimiser.step()
            sums += [token.item(), duration.item(), count]
        self.epoch += 1
        return sums[0] / sums[2], sums[1] / sums[2]

    def keep(self, loss: float) -> None:
        """Export the weights if they are the best so far, and write the checkpoint."""
        if loss < self.best:
            self.best = float(loss)
            export(self.model, self.asked.out)
        state = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(), "epoch": self.epoch, "best": self.best}
        torch.save(state, self.asked.checkpoint)


def main() -> None:
    """Train, from the checkpoint on where there is one."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--epochs", type=int, default=7)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--width", type=int, default=192)
    parser.add_argument("--out", type=Path, default=Path("assets/composer"))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(SEED)
    trainer = Trainer(asked)
    train, validation = Steps(asked.data, 0), Steps(asked.data, 1)
    print(f"{sum(value.numel() for value in trainer.model.parameters()):,} parameters, {len(train.spans)} tunes", flush=True)
    while trainer.epoch < asked.epochs:
        began = time.monotonic()
        learnt, judged = trainer.run(train), validate(trainer.model, validation)
        figures = f"train {learnt[0]:.4f} + {learnt[1]:.4f}, validation {judged[0]:.4f} + {judged[1]:.4f} = {sum(judged):.4f}"
        print(f"epoch {trainer.epoch}: {figures}, {time.monotonic() - began:.0f} s", flush=True)
        trainer.keep(sum(judged))


if __name__ == "__main__":
    main()
