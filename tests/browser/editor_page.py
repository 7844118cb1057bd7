"""A page with nothing but the document editor over a library: `python -m tests.browser.editor_page PORT`.

In place of a model a script writes, moment by moment, what the page's hidden fields say.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr

from studio.library import Library
from studio.provenance.record import Record
from studio.tasks import Write
from tabs import _editor, _editor_answers, _look
from tabs._form import Desk

ASSETS = Path(__file__).resolve().parents[2] / "assets"
ACTIONS: list[dict[str, Any]] = [
    {"name": "continue", "title": "Continue", "description": "Goes on from the cursor.", "on": "cursor", "result": "insert"},
    {"name": "rewrite", "title": "Rewrite", "description": "Says it in other words.", "on": "selection", "result": "replace"},
    {"name": "tone", "title": "Change tone", "description": "Says it in another tone.", "on": "selection", "result": "replace",
     "choices": ["warm", "formal"], "asks": "For whom"},
    {"name": "translate", "title": "Translate", "description": "Into another language.", "on": "selection", "result": "replace",
     "needs": "The starter writes English alone: choose Qwen3 4B for this."},
    {"name": "title", "title": "Suggest titles", "description": "Three titles for the whole text.", "on": "document", "result": "beside"},
]  # fmt: skip
STORY = " The lamp burned on, and the keeper counted the ships that did not come. Nobody had told him that the harbour was closed."
SHORT = (0.62, 0.31, 0.04, 0.008)


def blocks(library: Library) -> gr.Blocks:
    """The editor, and a script that answers its wishes: takes of `STORY`, or what stands in the field "Script"."""
    studio: Any = SimpleNamespace(library=library, settings=SimpleNamespace(public=False), cards=(), marks=None)
    with gr.Blocks() as demo:
        desk = Desk(studio, demo)
        editor = _editor.Editor(value={"actions": ACTIONS})
        with gr.Row():
            script, count, pause = gr.Textbox(STORY, label="Script"), gr.Number(1, label="Count"), gr.Number(0.02, label="Pause")
        told = gr.Textbox(label="Told", elem_id="told")

        def run(words: str, takes: float, seconds: float, event: gr.EventData, request: gr.Request) -> Iterator[tuple[Any, str]]:
            data: dict[str, Any] = event._data
            held = library.manuscripts.open(data["document"], *desk.seen(request))
            wish = _editor.asked(data, held.text)
            said = json.dumps({**data, "meant": held.text[wish.start : wish.end]})
            value: dict[str, Any] = {"id": str(time.time()), "action": wish.action, "place": wish.place, "count": int(takes)}
            pieces = tokens(words)
            for end in range(len(pieces) + 1):
                shown = [{"item": k + 1, "text": "".join(pieces[:end]), "creation": ""} for k in range(int(takes))]
                yield {"run": {**value, "takes": shown, "over": False, "stopped": False}}, said
                time.sleep(seconds)
            done = [{"item": k + 1, "text": words, "creation": keep(library, words, desk.owner(request))} for k in range(int(takes))]
            yield {"run": {**value, "takes": done, "over": True, "stopped": False}}, said

        _editor_answers.wire(desk, editor)
        editor.go(run, [script, count, pause], [editor, told], show_progress="hidden", api_visibility="private")
    return demo


def tokens(text: str) -> list[str]:
    """Words with the space before them."""
    found: list[str] = []
    for word in text.split(" "):
        found.append(f" {word}" if found else word)
    return found


def keep(library: Library, text: str, owner: tuple[str, str]) -> str:
    """A creation with the probabilities of its words."""
    asked = Write(prompt="a story", seed=1).model_dump(mode="json")
    likely: list[Any] = []
    for k, word in enumerate(tokens(text)):
        likely.append([word, SHORT[k % 4], [[word, SHORT[k % 4]], [" sea", 0.2], [" night", 0.1], ["\n", 0.05]]])
    entry = Record(
        schema_version=1, made_by="Atelier", kind="write", task=asked, asked=asked, model={"name": "Script"}, software={}, device="cpu",
        seconds=1.0, created="2026-01-01T00:00:00.000+00:00", facts={"words": likely},
    )  # fmt: skip
    return library.keep(text.encode(), ".txt", entry, text=text, owner=owner[0], session=owner[1]).id


def main() -> None:
    looks = {"theme": _look.theme(), "css": f"{_look.style_sheet(ASSETS)}.gradio-container {{ width: 100% }}", "head": _look.script(ASSETS)}
    quiet = {"quiet": True, "run_history": False, "enable_monitoring": False, "ssr_mode": False}
    blocks(Library(Path(tempfile.mkdtemp()) / "home")).launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), **quiet, **looks)


if __name__ == "__main__":
    main()
