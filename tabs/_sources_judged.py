"""The writer is asked, too, whether passages bear out what cites them: one more sign beside the verdicts by rules, and told as one.

Knows the panel of sources; knows no rule and no engine.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio import failures
from studio.creations import Preview, Progress
from studio.errors import Cancelled
from studio.writing import citations, entailment
from tabs import _owners, _sources_view, _status
from tabs._form import PRIVATE, QUIET

if TYPE_CHECKING:
    from tabs._sources import SourcesPanel

log = logging.getLogger(__name__)


def wire(panel: SourcesPanel) -> None:
    """Join the button that asks: it can be pressed where the chosen writer is large enough."""
    parts, model = panel.parts, panel.form.fields["model"]

    def able(chosen: str | None) -> tuple[Any, str]:
        words = entailment.too_small(panel.card(chosen))
        return gr.Button(interactive=not words), _status.note(words) if words else ""

    def judge(id: str, chosen: str | None, request: gr.Request) -> Iterator[tuple[Any, Any]]:
        yield from judged(panel, id, chosen, request)

    model.change(able, model, [parts.judge, parts.doubt], **QUIET)
    panel.form.demo.load(able, model, [parts.judge, parts.doubt], **QUIET)
    parts.judge.click(
        judge, [panel.manuscript, model], [parts.verdicts, parts.doubt], trigger_mode="once", **PRIVATE, **panel.form.device_limits
    )


def judged(panel: SourcesPanel, id: str, chosen: str | None, request: gr.Request) -> Iterator[tuple[Any, Any]]:
    """The verdicts on the document with what the writer says of each cited sentence, and the line of progress."""
    said: dict[int, str] = {}
    drawn: Any = gr.skip()
    try:
        card = panel.card(chosen)
        words = entailment.too_small(card)
        if card is None or words:
            yield gr.skip(), _status.message(words, "error")
            return
        text = panel.text(request, id)
        known = panel.known(text, request)
        sentences = citations.check(text, known)
        asked = entailment.questions(card, sentences, known)
        drawn = _sources_view.checked(sentences, known)
        if not asked:
            yield drawn, _status.message("No sentence here cites a passage that is there: there is nothing to ask.", "stopped")
            return
        places = list(asked)
        for event in panel.form.studio.judge(list(asked.values()), *panel.form.owner(request), _owners.from_where(request)):
            if isinstance(event, Preview) and event.text is not None:
                said[places[event.item - 1]] = told(card.name, entailment.borne_out(event.text))
                drawn = _sources_view.checked(sentences, known, said)
            yield drawn, _status.progress(event) if isinstance(event, Progress) else gr.skip()
        cites = sum(one.verdict != "uncited" for one in sentences)
        left = f" {cites - len(asked)} more were not asked about." if cites > len(asked) else ""
        yield drawn, _status.note(f"{card.name} was asked about {len(asked)} of the sentences; it may be wrong.{left}")
    except Cancelled:
        yield drawn, _status.message("Stopped; what was said so far stays.", "stopped")
    except Exception as error:  # noqa: BLE001  the log has it; the page goes on
        yield drawn, _status.message(failures.told(error, "asking about citations", log).words, "error")


def told(name: str, borne_out: bool | None) -> str:
    """What a writer said of a sentence, as one more sign."""
    if borne_out is None:
        return f"{name} gave no answer."
    return f"One more sign, from {name}: the passage {'bears this out' if borne_out else 'does not bear this out'}."
