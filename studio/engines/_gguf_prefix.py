"""What llama.cpp need not read again of a prompt, without a bit of the answer changing.

llama.cpp keeps the state of the last prompt and answer, and can go on from the tokens that a new prompt shares with them. Left to
itself it goes on from the last shared token: the rest is then read in other batches than a whole prompt would be, and answers were
written token by token. Sums in another order differ in their last bits, and with them the words. So only whole batches of prompts are
kept, and the rest begins at the border of a batch, as in a whole reading. Knows no text, no task and no file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Heard = Callable[[Mapping[str, Any]], bool]
Ask = Callable[[Sequence[int], Mapping[str, Any], Heard], None]


class Prefix:
    """Remembers which prompt tokens were read in whole batches of `batch` tokens. For a server with one slot, asked through it alone."""

    def __init__(self, batch: int) -> None:
        self.kept = 0
        """Tokens of the last prompt that were not read again."""
        self._batch = batch
        self._read: list[int] = []
        self._able = True

    def run(self, prompt: list[int], sampling: Mapping[str, Any], heard: Heard, ask: Ask) -> None:
        """Ask with `prompt`; as much of it as was read before, in whole batches, is kept."""
        shared, self.kept = self._shared(prompt), 0
        if shared and self._able:
            self._able = self._cut_back(prompt, shared, ask)
            self.kept = shared if self._able else 0
        self._read = prompt[: self.kept]

        def listen(piece: Mapping[str, Any]) -> bool:
            if reading := piece.get("prompt_progress"):
                self._seen(prompt, reading)
            return heard(piece)

        try:
            ask(prompt, {**sampling, "cache_prompt": self.kept > 0}, listen)
        except _OtherBatches:  # llama.cpp kept another number of tokens than it should: read it all
            self._able, self.kept = False, 0
            self._read = []
            ask(prompt, {**sampling, "cache_prompt": False}, listen)

    def _shared(self, prompt: Sequence[int]) -> int:
        """Tokens in whole batches that stand at the beginning of `prompt` and were read; at least one is left to be read."""
        most = min(len(self._read), len(prompt) - 1)
        count = next((place for place in range(most) if self._read[place] != prompt[place]), most)
        return count // self._batch * self._batch

    def _cut_back(self, prompt: Sequence[int], shared: int, ask: Ask) -> bool:
        """Make llama.cpp forget all but the first `shared` tokens: one token is read there that `prompt` does not have there.

        False where it cannot, as models with a sliding window or a recurrent state do not.
        """
        kept = -1

        def listen(piece: Mapping[str, Any]) -> bool:
            nonlocal kept
            if (reading := piece.get("prompt_progress")) and kept < 0:
                kept = reading["cache"]
            return kept != shared

        ask([*prompt[:shared], 0 if prompt[shared] else 1], {"n_predict": 1, "cache_prompt": True}, listen)
        return kept == shared

    def _seen(self, prompt: list[int], reading: Mapping[str, int]) -> None:
        if reading["cache"] != self.kept:
            raise _OtherBatches
        whole = reading["processed"] // self._batch * self._batch
        if whole > len(self._read):
            self._read = prompt[:whole]


class _OtherBatches(Exception):
    """The rest of the prompt would be read in other batches than a whole prompt."""
