"""The chat beside the document: its component on the page, what it asks of the library, and the fold it stands in.

The chat itself is JavaScript in assets/chat/ inside one gr.HTML. Everything a browser sends here may come from anyone. Knows the form and
conversations; knows no prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr

from studio.creations import Creation
from studio.errors import NotFound, StudioError
from studio.models import Endpoint
from studio.tasks import Write
from studio.writing.chats import Turn
from tabs import _asking, _editor, _models, _status
from tabs._chat_run import Talks, Visit
from tabs._context import ContextPanel
from tabs._form import FOLLOWING, PRIVATE, QUIET, Form
from tabs._sources import SourcesPanel

STYLE = "chat/chat.css"
SCRIPTS = ("chat/message.js", "chat/chat.js")
"""In assets/, after the editor's."""
_ATTACH = """
const tell = Object.fromEntries(["ask", "go", "follow", "look", "halt"].map((name) => [name, (data) => trigger(name, data)]));
const attach = (tries) => window.atelierChat?.attach
  ? window.atelierChat.attach(element, { props, watch, tell })
  : tries && setTimeout(() => attach(tries - 1), 50);
attach(200);
"""
SHOWN = 200
"""Messages of a conversation on the page, the newest."""


class Chat(gr.HTML):
    """Conversations. Events, each with gr.EventData: `.ask` (answered by this component's own value), `.go` sends a message,
    `.follow` asks for the answer that is on its way, `.look` for what would be read, `.halt` stops.

    Its value may hold `document`, the id of the one that is open, and `run`: {chat, turn, takes, over, error}.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(html_template='<div class="chat"></div>', js_on_load=_ATTACH, apply_default_css=False, padding=False, **options)


def build(form: Form) -> dict[str, Any]:
    """The fold; `wire` joins it once the form has its fields."""
    with gr.Accordion("Chat", open=False):
        note = gr.HTML(_note(form, ""), elem_classes="quiet", padding=False)
        chat = Chat()
        stage = gr.HTML(elem_classes="status", padding=False)
        bar = gr.HTML(elem_classes=["quiet", "tokens-said"], padding=False)
    return {"note": note, "chat": chat, "stage": stage, "bar": bar}


def wire(form: Form, parts: Mapping[str, Any], manuscript: gr.Textbox, context: ContextPanel, sources: SourcesPanel) -> None:
    """Join the chat to its runs, to the document whose id `manuscript` holds, and to what is read beside it."""
    chat, fields, talks = parts["chat"], list(form.fields.values()), Talks(form, context, sources)
    shown = [chat, sources.parts.verdicts, parts["stage"]]

    def ask(event: gr.EventData, request: gr.Request) -> dict[str, Any]:
        given = _asking.told(event)
        visit = Visit(form, request, given if isinstance(given, Mapping) else {})
        answers = {name: _with(talks, answer) for name, answer in ANSWERS.items()}
        return _editor.answered(visit.data, _asking.answer(visit, answers), {"event": asking["id"], "session": request.session_hash})

    def stop(request: gr.Request) -> None:
        form.studio.stop(*form.owner(request))

    asking = chat.ask(ask, None, chat, trigger_mode="multiple", **QUIET)
    chat.go(talks.go, fields, shown, trigger_mode="once", **PRIVATE, **form.device_limits)
    chat.follow(talks.follow, None, shown, trigger_mode="once", **PRIVATE, **FOLLOWING)
    chat.look(talks.look, fields, parts["bar"], trigger_mode="always_last", **QUIET)
    chat.halt(stop, None, None, **QUIET)
    manuscript.change(lambda id: {"document": id or ""}, manuscript, chat, **QUIET)
    form.fields["model"].change(lambda model: _note(form, model or ""), form.fields["model"], parts["note"], **QUIET)
    form.follows = lambda asked: not isinstance(asked, Write) or asked.turns is None


def _open(talks: Talks, visit: Visit) -> dict[str, Any]:
    """The conversations of a document, and one of them: the one that is named, else the newest."""
    known = visit.chats.list(_editor.id_of(visit.data), *visit.seen)
    chosen = next((one for one in known if one.id == visit.chat), known[0] if known else None)
    listed = [{"id": one.id, "title": one.title} for one in known]
    if chosen is None:
        return {"chats": listed, "chat": "", "turns": [], "writing": False}
    return {"chats": listed, **_shown(talks, Visit(visit.desk, visit.request, {**visit.data, "chat": chosen.id}))}


def _new(talks: Talks, visit: Visit) -> dict[str, Any]:
    made = visit.chats.new(_editor.id_of(visit.data), *visit.seen)
    return _open(talks, Visit(visit.desk, visit.request, {**visit.data, "chat": made.id}))


def _rename(talks: Talks, visit: Visit) -> dict[str, Any]:
    visit.chats.rename(visit.chat, *visit.seen, visit.words("title"))
    return _open(talks, visit)


def _remove(talks: Talks, visit: Visit) -> dict[str, Any]:
    visit.chats.remove(visit.chat, *visit.seen)
    return _open(talks, visit)


def _show(talks: Talks, visit: Visit) -> dict[str, Any]:
    visit.chats.show(visit.chat, *visit.seen, _editor.id_of(visit.data, "turn"))
    return _shown(talks, visit)


def _shown(talks: Talks, visit: Visit) -> dict[str, Any]:
    """A conversation as it stands, with what came of it while no page was there."""
    writing = talks.recovered(visit, visit.chats.line(visit.chat, *visit.seen))
    line = visit.chats.line(visit.chat, *visit.seen)
    return {"chat": visit.chat, "turns": [_turn(visit, turn) for turn in line[-SHOWN:]], "writing": writing}


def _turn(visit: Visit, turn: Turn) -> dict[str, Any]:
    return {**asdict(turn), "others": list(turn.others), "made": _made(visit, turn.creation)}


def _made(visit: Visit, id: str) -> str:
    """How an answer was made, from its record, in one line."""
    if not id:
        return ""
    try:
        creation = visit.desk.studio.library.get(id, visit.seen[0], trashed=True)
    except NotFound:
        return "Its record is gone from the library."
    return told(creation)


def told(creation: Creation) -> str:
    """How a text was made: model, seed, tokens, and where it was cut off."""
    model, task, facts = (_mapping(creation.record.get(name)) for name in ("model", "task", "facts"))
    ends = {"stopped": ", stopped", "length": ", cut off at its longest"}.get(str(facts.get("finish")), "")
    return f"{model.get('name')}, seed {task.get('seed')}, {facts.get('tokens')} tokens{ends}."


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _note(form: Form, model: str) -> str:
    """What is to be expected of a model in a conversation, where that is little or where its words go elsewhere."""
    try:
        card = _models.picked(form.studio, model, Write.kind)
    except (StudioError, ValueError):
        return ""
    if card.starter:
        return _status.note(
            f"{card.name} is very small: it chats in short English sentences, makes things up and soon loses the thread. For advice choose "
            "a larger model."
        )
    if isinstance(card.source, Endpoint):
        return _status.note("What you say here, and what it sees of the document, is sent to where that model runs.")
    return ""


def _with(talks: Talks, answer: Callable[[Talks, Visit], dict[str, Any]]) -> Callable[[Visit], dict[str, Any]]:
    return lambda visit: answer(talks, visit)


ANSWERS: Mapping[str, Callable[[Talks, Visit], dict[str, Any]]] = {
    "open": _open, "new": _new, "rename": _rename, "remove": _remove, "show": _show,
}  # fmt: skip
"""What a browser may ask for, by name."""
