"""Guessed tokens: where an answer repeats what was read, as a corrected text does, what followed there is tried several tokens at once.

Prompt lookup (Saxena 2023, "Prompt Lookup Decoding"): no second model guesses; the tokens that followed the last few where they stood
before are read in one go, and each is chosen by the answer's own samplers as if it had come alone. The first that is chosen otherwise
ends the guess. Knows tokens; knows no tokenizer and no task.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.engines._prefix import Read

LONGEST = 10
"""Tokens guessed at once."""
KNOWN = (3, 2)
"""Tokens that must have stood before, the more the better: after fewer than two nearly every guess is wrong."""


class Lookup:
    """What was read and written so far, and what followed every pair and triple of tokens in it where they stood first."""

    def __init__(self, ids: Sequence[int]) -> None:
        self._ids: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        for token in ids:
            self.add(token)

    def add(self, token: int) -> None:
        """One more token."""
        self._ids.append(token)
        for known in KNOWN:
            if len(self._ids) >= known:
                self._after.setdefault(tuple(self._ids[-known:]), len(self._ids))

    def guess(self, most: int) -> list[int]:
        """What may follow now: at most `most` tokens, and none where the last ones stand there for the first time."""
        for known in KNOWN:
            at = self._after.get(tuple(self._ids[-known:]), len(self._ids))
            if found := self._ids[at : at + max(0, min(LONGEST, most))]:
                return found
        return []


def lookup(read: Read | None, ids: Sequence[int]) -> Lookup | None:
    """For an answer after `ids`; None where what the model keeps of them cannot be taken back by a few tokens."""
    from transformers.cache_utils import DynamicLayer

    if read is None or any(type(layer) is not DynamicLayer for layer in read.cache.layers):
        return None
    return Lookup(ids)
