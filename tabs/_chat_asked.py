"""What a program may ask of a conversation over HTTP: messages in, the answer out as it is written. Keeps no conversation, only answers.

What else is read beside the messages is given with each request, under the names that /write and /write_context have for it.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr
from gradio.events import api

from studio.creations import Creation
from studio.errors import InvalidInput
from studio.tasks import Write
from tabs._form import Form
from tabs._run import Shown

NONE = "Messages must be a list of {role, content}: system first if at all, then user and assistant by turns, a user's last."


def wire(form: Form) -> None:
    """Serve `/chat`."""

    def chat(
        request: gr.Request, messages: list[dict[str, str]], document: str = "", model: str = "", max_new_tokens: int | None = None,
        temperature: float | None = None, top_p: float | None = None, seed: int | None = None, stop: list[str] | None = None,
        output_schema: str = "", notes: str = "", cards: str = "", passages: str = "", author_note: str = "", note_depth: int = 80,
    ) -> Iterator[tuple[Any, ...]]:  # fmt: skip
        given = {
            "document": document, "model": model, "max_new_tokens": max_new_tokens, "temperature": temperature, "top_p": top_p,
            "seed": seed, "stop": stop, "output_schema": output_schema, "notes": notes, "cards": cards, "passages": passages,
            "author_note": author_note, "note_depth": note_depth,
        }  # fmt: skip
        for text, made, _ in form.watched(lambda: form.started(task_of(messages, given), request), 2, _drawn, request):
            if isinstance(text, str):
                yield text, made

    chat.__signature__ = inspect.signature(chat).replace(return_annotation=tuple[str, dict[str, Any]])
    limits = form.device_limits
    api(chat, api_name="chat", api_description="The next message of a conversation, as it is written, and how it was made.", **limits)


def task_of(messages: object, given: Mapping[str, Any]) -> Write:
    """The task of a list of messages, the last one the person's. Raises InvalidInput."""
    said = [_message(one) for one in messages] if isinstance(messages, list) else []
    system = said.pop(0)[1] if said and said[0][0] == "system" else ""
    roles = [role for role, _ in said]
    if not said or roles != ["assistant" if number % 2 else "user" for number in range(len(said))] or len(said) % 2 == 0:
        raise InvalidInput(NONE, "messages")
    *turns, prompt = [text for _, text in said]
    return Write.checked({**given, "system": system, "turns": turns, "prompt": prompt})


def _message(one: object) -> tuple[str, str]:
    role, content = (one.get("role"), one.get("content")) if isinstance(one, Mapping) else (None, None)
    if not isinstance(role, str) or not isinstance(content, str):
        raise InvalidInput(NONE, "messages")
    return role, content


def _drawn(moment: Shown) -> tuple[Any, ...]:
    if moment.creations:
        return moment.creations[0].text or "", made(moment.creations[0])
    return (moment.preview.text if moment.preview is not None and moment.preview.text is not None else ""), {}


def made(creation: Creation) -> dict[str, Any]:
    """How an answer was made, from its record."""
    model, task, facts = (value if isinstance(value := creation.record.get(name), Mapping) else {} for name in ("model", "task", "facts"))
    return {
        "creation": creation.id, "model": model.get("name"), "seed": task.get("seed"), "tokens": facts.get("tokens"),
        "finish": facts.get("finish"), "read": facts.get("context"),
    }  # fmt: skip
