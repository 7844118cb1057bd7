"""Models behind an address that speaks the chat protocol of OpenAI: vLLM, llama.cpp, TGI and services alike.

Such a model is used by a person's own choice alone (`models.choose` never picks one), and nothing is sent before. The words of a run go
to that address and nowhere else: no redirect is followed. Knows no page, and nothing of how the words are written there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

from studio.creations import Json, Passage, Preview, Progress, Report
from studio.device import Device
from studio.engines import _service
from studio.engines._words import turns
from studio.errors import Cancelled, InvalidInput, ModelUnavailable
from studio.manager import Pipeline, Recipe
from studio.models import Endpoint, ModelCard
from studio.tasks import Task, Write
from studio.writing import context, conversation, structured

CARDS: tuple[ModelCard, ...] = ()
"""None of its own: `cards` makes them of the settings."""

IGNORES = (
    "typical_p", "top_n_sigma", "dry_multiplier", "dry_base", "dry_allowed_length", "xtc_probability", "xtc_threshold", "guidance_scale",
    "negative_prompt", "ban", "bias", "output_regex", "output_choices", "probabilities", "text_mark",
)  # fmt: skip
"""What the protocol has no common words for."""

UPDATE = 0.05
"""Seconds between two previews."""
LONGEST = 512
"""Tokens of an answer where the task does not say."""
MOST = 4_000_000
"""Characters of an answer, above which the service is not believed any more."""
GOES_ON = (
    "\n\nThe text so far stands between the lines of equal signs. Go on from exactly where it ends, in its language and style, and write "
    "only what follows.\n==========\n{document}\n=========="
)


def cards(url: str, names: str, secret: Any) -> tuple[ModelCard, ...]:
    """A card for each of `names`, separated by commas, at the base address `url`. `secret`: pydantic's SecretStr, or None.

    Raises InvalidInput for an address that is none.
    """
    if not url:
        return ()
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.hostname or place.username or place.password:
        raise InvalidInput(
            "--endpoint takes a base address such as http://127.0.0.1:8000/v1, without a name or password in it.", "endpoint"
        )
    listed = [name.strip() for name in names.split(",") if name.strip()]
    if not listed:
        raise InvalidInput(
            "--endpoint needs --endpoint-models with the names of the models it has, separated by commas.", "endpoint_models"
        )
    return tuple(
        ModelCard(
            name=f"{name} at {place.hostname}"[:100],
            engine="endpoint",
            serves=("write",),
            source=Endpoint(url=url.rstrip("/"), model=name),
            summary=f"Runs at {place.hostname}: what you write is sent there, and only when you choose this model.",
            ignores=IGNORES,
            secret=secret,
        )
        for name in listed
    )


def check(card: ModelCard, task: Task) -> None:
    """Refuse, before anything is sent, an answer's form that is none."""
    if isinstance(task, Write):
        structured.constraint(task)


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """No component: nothing of such a model is on this machine."""

    def pipeline(task: Task, report: Report) -> Iterator[Passage]:
        assert isinstance(task, Write)
        for item in range(1, task.count + 1):
            yield _take(card, task.model_copy(update={"seed": (task.seed or 0) + item - 1}), item, report)

    def build(_: Mapping[str, Any]) -> Pipeline:
        return pipeline

    return Recipe({}, build, lambda _: 0)


@dataclass
class _Answer:
    """What has come so far."""

    text: str = ""
    tokens: int = 0
    finish: Literal["end", "length", "stop", "stopped"] = "end"
    facts: dict[str, Json] = field(default_factory=dict[str, Json])

    def hear(self, piece: Mapping[str, Any]) -> None:
        """Take in one piece of the stream."""
        choices = piece.get("choices")
        if isinstance(choices, list) and choices and isinstance(choices[0], dict):
            delta = choices[0].get("delta")
            said = delta.get("content") if isinstance(delta, dict) else None
            if isinstance(said, str) and said:
                self.text += "".join(
                    c for c in said if c in "\n\t" or (ord(c) >= 32 and not 127 <= ord(c) < 160 and not 0xD800 <= ord(c) < 0xE000)
                )
                self.tokens += 1
            if choices[0].get("finish_reason") is not None:
                self.finish = "length" if choices[0]["finish_reason"] == "length" else "end"
        usage = piece.get("usage")
        if isinstance(usage, dict) and isinstance(usage.get("completion_tokens"), int):
            self.tokens = usage["completion_tokens"]
        if len(self.text) > MOST:
            raise ModelUnavailable("The service does not stop writing, so its answer was given up: ask for a shorter one.")


def _take(card: ModelCard, task: Write, item: int, report: Report) -> Passage:
    answer = _Answer()
    longest = task.max_new_tokens or LONGEST
    told = 0.0

    def tell(note: str = "") -> None:
        report(Progress("running", answer.tokens, longest, "tokens", item, task.count, note))

    tell("Waiting for the first word")
    try:
        for piece in _service.pieces(card, _body(card, task, longest), tell):
            answer.hear(piece)
            if time.monotonic() - told >= UPDATE:
                told = time.monotonic()
                tell()
                report(Preview(text=answer.text, item=item))
    except Cancelled:
        if not answer.text:
            raise
        answer.finish = "stopped"
    except ModelUnavailable:
        if not answer.text:  # what came is kept
            raise
        answer.finish, answer.facts["notes"] = "stopped", ["The connection ended before the answer did."]
    return Passage(answer.text, task.seed or 0, answer.tokens, answer.finish, answer.facts)


def _turn(task: Write) -> str:
    """The person's turn, with what is read along with it."""
    turn = context.instruction(task, task.notes, task.cards, task.passages)
    if task.document:
        turn += GOES_ON.format(document=task.document)
    return f"{turn}\n\n[Author's note: {task.author_note}]" if task.author_note else turn


def _body(card: ModelCard, task: Write, longest: int) -> dict[str, Any]:
    """The request. Only what was asked for is in it: services refuse names that they do not know."""
    source = card.source
    assert isinstance(source, Endpoint)
    said = [_turn(task)] if task.turns is None else conversation.messages(task, task.document.rstrip(), task.turns)
    body: dict[str, Any] = {
        "model": source.model,
        "messages": [{"role": role, "content": text} for role, text in turns(task.system, said)],
        "stream": True,
        "max_tokens": longest,
        "seed": task.seed,
    }
    body |= {
        name: getattr(task, name)
        for name in ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
        if getattr(task, name) is not None
    }
    if task.stop:
        body["stop"] = list(task.stop)
    if task.output_schema:
        form = {"name": "answer", "strict": True, "schema": json.loads(task.output_schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return body
