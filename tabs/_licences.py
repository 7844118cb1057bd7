"""The fold of licences: those that are accepted before their models are fetched, what each restricts, and who accepted it when."""

from __future__ import annotations

from html import escape

import gradio as gr

from studio import licences
from studio.studio import Studio
from tabs import _asking
from tabs._form import QUIET, Desk

_PRESSED = """
element.addEventListener("click", (event) => {
  const pressed = event.target.closest("[data-licence]");
  if (pressed) trigger("agree", { ...pressed.dataset });
});
"""
INTRO = "Each of these is accepted once, before the first of its models is fetched or used. The other licences here are open, or not known."


class Panel(gr.HTML):
    """The list. Event: `.agree`, with the licence."""

    def __init__(self) -> None:
        super().__init__(js_on_load=_PRESSED, padding=False, elem_classes="licences")


def build(desk: Desk) -> None:
    """Lay out the fold; nothing in a public studio, whose owner accepted by choosing the models."""
    if desk.studio.settings.public:
        return
    with gr.Accordion("Licences", open=False):
        panel = Panel()

    def agree(event: gr.EventData, request: gr.Request) -> str:
        licence = _asking.words_of(_asking.told(event), "licence")
        if licence in licences.listed(desk.studio.cards):
            desk.studio.licences.accept(licence, desk.owner(request)[0])
        return listed(desk.studio)

    desk.demo.load(lambda: listed(desk.studio), None, panel, **QUIET)
    panel.agree(agree, None, panel, **QUIET)


def listed(studio: Studio) -> str:
    """Every licence that asks, as HTML."""
    accepted = studio.licences.accepted()
    rows: list[str] = []
    for name, (terms, cards) in licences.listed(studio.cards).items():
        safe = escape(name, quote=True)
        done = accepted.get(name)
        end = (
            f"<span>accepted on {escape(done.when[:10])}</span>"
            if done
            else f'<button type="button" data-act="agree" data-licence="{safe}" aria-label="Accept {safe}">Accept</button>'
        )
        restricts = escape(terms.restricts[:1].upper() + terms.restricts[1:])
        told = f"<b>{safe}</b> <span>{licences.KINDS[terms.kind]}</span><p>{restricts}. {escape(', '.join(cards))}</p>"
        rows.append(f"<li><div>{told}</div><div>{end}</div></li>")
    return f'<p>{INTRO}</p><div class="known"><ul>{"".join(rows)}</ul></div>'
