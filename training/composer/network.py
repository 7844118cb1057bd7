"""The composing model in torch, for training: a decoder-only transformer over steps. studio/music/decoder.py is the same in numpy."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from studio.music.tokens import CHORD_WIDTH, COLUMNS, DURATIONS, TOKENS


class Network(nn.Module):
    """Sum of the columns' embeddings, blocks of rotary attention and squared ReLU, a head for the token and one for its duration."""

    def __init__(self, width: int = 192, layers: int = 6, heads: int = 6, dropout: float = 0.1, seen: int = 128) -> None:
        super().__init__()
        self.heads, self.dropout = heads, dropout
        self.embed = nn.ModuleList(nn.Embedding(size, width) for _, size in COLUMNS)
        self.chords = nn.Linear(2 * CHORD_WIDTH, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.token = nn.Linear(width, TOKENS)
        self.see, self.chosen, self.duration = nn.Linear(width, seen), nn.Embedding(TOKENS, seen), nn.Linear(seen, len(DURATIONS))
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.05)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.03)
                nn.init.zeros_(module.bias)

    def forward(self, columns: Tensor, chords: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """(B, T, columns) and (B, T, 48) and the true tokens (B, T): logits of the tokens and of the durations given the tokens."""
        hidden = self.chords(chords)
        for at, table in enumerate(self.embed):
            hidden = hidden + table(columns[..., at])
        hidden = functional.dropout(hidden, self.dropout, self.training)
        turn = rotation(columns.shape[1], hidden.shape[-1] // self.heads)
        ahead = torch.full((columns.shape[1], columns.shape[1]), -torch.inf).triu(1)
        for block in self.blocks:
            hidden = block(hidden, turn, ahead)
        hidden = self.norm(hidden)
        return self.token(hidden), self.duration(functional.relu(self.see(hidden) + self.chosen(targets)).square())


class Block(nn.Module):
    """Attention, then two layers."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.RMSNorm(width, eps=1e-5), nn.RMSNorm(width, eps=1e-5)
        self.attend, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, hidden: Tensor, turn: tuple[Tensor, Tensor], ahead: Tensor) -> Tensor:
        """(B, T, width) to the same; `ahead` (T, T) is minus infinity where a step would see a later one."""
        batch, length, width = hidden.shape
        parts = self.attend(self.norm1(hidden)).view(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        query, key, value = turned(parts[0], turn), turned(parts[1], turn), parts[2]
        scores = (query @ key.transpose(-1, -2)).float() * (width // self.heads) ** -0.5 + ahead
        heard = scores.softmax(-1).to(value.dtype) @ value  # written out: torch's fused attention is slower backwards in bfloat16 on a CPU
        heard = heard.transpose(1, 2).reshape(batch, length, width)
        hidden = hidden + self.out(heard)
        return hidden + self.down(functional.relu(self.up(self.norm2(hidden))).square())


def rotation(length: int, size: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines (T, size / 2) of rotary positions (Su et al. 2021)."""
    angles = torch.arange(length)[:, None] * 10000.0 ** (-torch.arange(0, size, 2) / size)
    return angles.cos(), angles.sin()


def turned(part: Tensor, turn: tuple[Tensor, Tensor]) -> Tensor:
    """(..., T, size) with its two halves rotated."""
    first, second = part.float().chunk(2, -1)
    cos, sin = turn
    return torch.cat([first * cos - second * sin, first * sin + second * cos], -1).to(part.dtype)
