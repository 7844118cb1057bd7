"""The composing model's network in numpy: one step at a time, with what it has seen kept (KV cache). Knows no music.

training/composer/network.py is the same network in torch. Weights are float16 in the file and float32 in memory.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from studio.music.tokens import COLUMNS

Floats = NDArray[np.float32]

WINDOW = 512
"""Steps it looks back, as in training."""
_FORGOTTEN = 128
"""Steps dropped at once when the window is full."""


@dataclass(frozen=True)
class _Block:
    attend: Floats
    attend_bias: Floats
    out: Floats
    out_bias: Floats
    up: Floats
    up_bias: Floats
    down: Floats
    down_bias: Floats


@dataclass
class Memory:
    """What one piece's network has seen: keys and values (layers, heads, WINDOW, size), and how many steps."""

    keys: Floats
    values: Floats
    held: int = 0
    seen: int = 0


@dataclass(frozen=True)
class Decoder:
    """The weights. `step` reads steps, the logits say what may follow."""

    heads: int
    width: int
    tables: tuple[Floats, ...]
    chords: Floats
    chords_bias: Floats
    blocks: tuple[_Block, ...]
    token: Floats
    token_bias: Floats
    see: Floats
    see_bias: Floats
    chosen: Floats
    duration: Floats
    duration_bias: Floats
    turns: Floats = field(repr=False)

    @classmethod
    def load(cls, folder: Path) -> Decoder:
        """From `model.safetensors` and `config.json`. Raises FileNotFoundError."""
        from safetensors.numpy import load_file

        sizes = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        raw = {name: value.astype(np.float32) for name, value in load_file(folder / "model.safetensors").items()}

        def matrix(name: str, gain: str = "") -> Floats:
            weight = raw[f"{name}.weight"].T
            return np.ascontiguousarray(weight * raw[f"{gain}.weight"][:, None] if gain else weight)

        blocks = tuple(
            _Block(
                matrix(f"blocks.{at}.attend", f"blocks.{at}.norm1"), raw[f"blocks.{at}.attend.bias"],
                matrix(f"blocks.{at}.out"), raw[f"blocks.{at}.out.bias"],
                matrix(f"blocks.{at}.up", f"blocks.{at}.norm2"), raw[f"blocks.{at}.up.bias"],
                matrix(f"blocks.{at}.down"), raw[f"blocks.{at}.down.bias"],
            )
            for at in range(sizes["layers"])
        )  # fmt: skip
        half = sizes["width"] // sizes["heads"] // 2
        return cls(
            heads=sizes["heads"],
            width=sizes["width"],
            tables=tuple(raw[f"embed.{at}.weight"] for at in range(len(COLUMNS))),
            chords=matrix("chords"),
            chords_bias=raw["chords.bias"],
            blocks=blocks,
            token=matrix("token", "norm"),
            token_bias=raw["token.bias"],
            see=matrix("see", "norm"),
            see_bias=raw["see.bias"],
            chosen=raw["chosen.weight"],
            duration=matrix("duration"),
            duration_bias=raw["duration.bias"],
            turns=(10000.0 ** (-np.arange(half) / half)).astype(np.float32),
        )

    def memory(self) -> Memory:
        """That of a piece not begun."""
        shape = (len(self.blocks), self.heads, WINDOW, self.width // self.heads)
        return Memory(np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def step(self, memory: Memory, columns: NDArray[np.int64], chords: Floats) -> Floats:
        """Read n steps, (n, columns) and (n, 48), n at most 128; the normed hidden state of the last one (width,)."""
        count = len(columns)
        if memory.held + count > WINDOW:
            kept = memory.held - _FORGOTTEN
            memory.keys[:, :, :kept] = memory.keys[:, :, _FORGOTTEN : memory.held].copy()
            memory.values[:, :, :kept] = memory.values[:, :, _FORGOTTEN : memory.held].copy()
            memory.held = kept
        hidden = chords @ self.chords + self.chords_bias
        for at, table in enumerate(self.tables):
            hidden += table[columns[:, at]]
        angles = np.arange(memory.seen, memory.seen + count, dtype=np.float32)[:, None] * self.turns
        turn = np.cos(angles), np.sin(angles)
        for at, block in enumerate(self.blocks):
            hidden += self._attended(block, _normed(hidden), memory, at, turn)
            hidden += np.square(np.maximum(_normed(hidden) @ block.up + block.up_bias, 0)) @ block.down + block.down_bias
        memory.held += count
        memory.seen += count
        return _normed(hidden[-1:])[0]

    def tokens(self, hidden: Floats) -> Floats:
        """Logits of the next token."""
        return hidden @ self.token + self.token_bias

    def durations(self, hidden: Floats, token: int) -> Floats:
        """Logits of that token's duration."""
        return np.square(np.maximum(hidden @ self.see + self.see_bias + self.chosen[token], 0)) @ self.duration + self.duration_bias

    def _attended(self, block: _Block, normed: Floats, memory: Memory, layer: int, turn: tuple[Floats, Floats]) -> Floats:
        count, size = len(normed), self.width // self.heads
        parts = (normed @ block.attend + block.attend_bias).reshape(count, 3, self.heads, size).transpose(1, 2, 0, 3)
        stop = memory.held + count
        memory.keys[layer, :, memory.held : stop] = _turned(parts[1], turn)
        memory.values[layer, :, memory.held : stop] = parts[2]
        scores = _turned(parts[0], turn) @ memory.keys[layer, :, :stop].transpose(0, 2, 1) * np.float32(size**-0.5)
        if count > 1:
            scores[:, np.arange(stop) > memory.held + np.arange(count)[:, None]] = -np.inf
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        heard = (scores @ memory.values[layer, :, :stop]).transpose(1, 0, 2).reshape(count, self.width)
        return heard @ block.out + block.out_bias


def _normed(hidden: Floats) -> Floats:
    """RMS-normed; the gains are in the matrices that follow."""
    return hidden / np.sqrt(np.mean(np.square(hidden), -1, keepdims=True) + np.float32(1e-5))


def _turned(part: Floats, turn: tuple[Floats, Floats]) -> Floats:
    half = part.shape[-1] // 2
    first, second = part[..., :half], part[..., half:]
    turned = np.empty_like(part)
    turned[..., :half] = first * turn[0] - second * turn[1]
    turned[..., half:] = first * turn[1] + second * turn[0]
    return turned
