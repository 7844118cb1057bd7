"""What llama.cpp has written so far, piece by piece: text up to a stop, why it ended, how likely each word was.

Knows no model and no prompt.
"""

from __future__ import annotations

import codecs
import math
import time
from collections.abc import Mapping
from typing import Any, Literal

from studio.creations import Json, Preview, Progress, Report
from studio.tasks import Write

UPDATE = 0.05
"""Seconds between two previews."""
LONG = 512
"""Tokens of a prompt from which on its reading is worth a note."""
OTHERS = 9
"""How many other words are kept beside each."""
UNSEEN = {number: None for number in (*range(32), *range(127, 160)) if chr(number) not in "\n\t"}
"""Control characters: no field of a task takes them, so no answer may hold them."""


class Answer:
    """Text up to the first stop string, tokens, why it ended; tells the artist as it grows. `item` counts takes from 1."""

    def __init__(self, task: Write, longest: int, report: Report, item: int = 1) -> None:
        self.text, self.tokens = "", 0
        self.finish: Literal["end", "length", "stop", "stopped"] = "end"
        self._raw, self._stops, self._longest, self._report = "", task.stop, longest, report
        self._told, self._item, self._items = 0.0, item, task.count
        self._trim = task.document.endswith(" ")
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._words: list[list[Json]] = []

    def hear(self, piece: Mapping[str, Any]) -> bool:
        """Take a piece over; True at a stop string."""
        if "error" in piece:
            raise RuntimeError(f"llama.cpp: {piece['error']}")
        choice = piece["choices"][0]
        self.tokens = piece.get("timings", {}).get("predicted_n", self.tokens)
        self._raw += choice["text"].translate(UNSEEN)
        for likely in (choice.get("logprobs") or {}).get("content") or ():
            self._words.append(self._word(likely))
        stopped = self._cut(last=choice["finish_reason"] is not None)
        if stopped:
            self.finish = "stop"
        elif choice["finish_reason"] == "length":
            self.finish = "length"
        self._tell(piece.get("prompt_progress"))
        return stopped

    @property
    def words(self) -> list[Json]:
        """Each token as [text, probability, [[other text, probability], ...]]; the texts together are `text`."""
        found: list[Json] = []
        skipped = len(self._raw) - len(self._raw.lstrip(" ")) if self._trim else 0
        left = len(self.text)
        for text, chance, others in self._words:
            assert isinstance(text, str)
            kept = text[skipped:][:left]
            skipped, left = max(0, skipped - len(text)), left - len(kept)
            if kept or (left and not text):
                found.append([kept, chance, others])
        if left:  # a character whose last bytes never came
            found.append([self.text[-left:], 1.0, []])
        return found

    def _word(self, likely: Mapping[str, Any]) -> list[Json]:
        others: list[Json] = [
            [str(other["token"]).translate(UNSEEN), math.exp(other["logprob"])]
            for other in likely["top_logprobs"]
            if other["id"] != likely["id"]
        ]
        return [self._decoder.decode(bytes(likely["bytes"])).translate(UNSEEN), math.exp(likely["logprob"]), others[:OTHERS]]

    def _tell(self, reading: Mapping[str, int] | None) -> None:
        """Report, which is where a stop is noticed: after each part of the prompt, then at most once in `UPDATE` seconds."""
        now = time.monotonic()
        if reading is None and now - self._told < UPDATE:
            return
        self._told = now
        long = reading is not None and reading["total"] - reading["cache"] > LONG
        note = f"Reading {reading['processed']:,} of {reading['total']:,} tokens" if reading and long else ""
        self._report(Progress("running", self.tokens, self._longest, "tokens", self._item, self._items, note))
        if self.text:
            self._report(Preview(text=self.text, item=self._item))

    def _cut(self, last: bool) -> bool:
        """Take over what may be shown: nothing from a stop string on, nothing that may become one."""
        text = self._raw.lstrip(" ") if self._trim else self._raw
        found = [position for stop in self._stops if (position := text.find(stop)) >= 0]
        if found:
            self.text = text[: min(found)]
            return True
        begun = max((_overlap(text, stop) for stop in self._stops), default=0)
        self.text = text if last or not begun else text[:-begun]
        return False


def _overlap(text: str, stop: str) -> int:
    """How many last characters of `text` may be the beginning of `stop`."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
