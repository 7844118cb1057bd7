"""The whole page: a tab for every module in tabs/, the ways between them, and the foot. Knows no single tab."""

from __future__ import annotations

import functools
from types import ModuleType
from typing import Any

import gradio as gr

import tabs
from studio.studio import Studio
from tabs import _foot, _form
from tabs._form import Desk, Form
from tabs._interrupted import Interrupted

VERBS = {"lyrics": "Sing in"}
"""What a press does with a medium, where it is not just sent."""


class Page(gr.Blocks):
    """The page, which knows its studio and the starters on their way: the routes and the program beside it ask for them."""

    studio: Studio
    starters: _foot.Starters


def page(studio: Studio) -> Page:
    """The page of a studio, not yet served."""
    with Page(title="Atelier", analytics_enabled=False, delete_cache=(3600, 86400)) as demo:
        demo.studio = studio
        gr.HTML('<header class="masthead"><h1>Atelier</h1><p>A studio for pictures, music and words</p></header>')
        found = [module for module in tabs.discover() if not hasattr(module, "here") or module.here(studio)]
        desks = [(module, Form(studio, demo, task=module.TASK) if module.TASK else Desk(studio, demo)) for module in found]
        built: list[tuple[ModuleType, Desk, Any]] = []
        with gr.Tabs() as bar:
            for module, desk in desks:
                with gr.Tab(module.NAME, id=module.TASK.kind if module.TASK else module.NAME.lower()) as tab:
                    line = Interrupted(desk) if isinstance(desk, Form) else None
                    module.build(desk)
                    if line is not None:
                        line.wire()
                built.append((module, desk, tab))
        for source, desk, tab in built:
            for kind, button in desk.leads.items():
                button.click(functools.partial(gr.Tabs, selected=kind), None, bar, **_form.QUIET)
            with tab, gr.Row(elem_classes="sends"):
                for target, form, _ in built:
                    if target is not source and isinstance(form, Form):
                        _sends(desk, target, form, bar)
                    elif target is not source:
                        _hands(desk, target, form, bar)
        demo.starters = _foot.build(demo, studio)
    _without_spinners(demo)
    return demo


def _without_spinners(demo: gr.Blocks) -> None:
    """Every tab says itself how far a run is. Gradio's own marks would look through the whole page for each output of every event:
    more than half of the time in which the page opens (measured)."""
    for event in demo.fns.values():
        event.show_progress_on = []


def _sends(desk: Desk, target: ModuleType, form: Form, bar: gr.Tabs) -> None:
    """A button for each medium that the one tab has and the other takes."""
    for medium in set(desk.outbox) & set(target.ACCEPTS):
        button = gr.Button(
            f"{VERBS.get(medium, 'Send to')} {target.NAME}", size="sm", min_width=120, elem_classes=["send", f"for-{medium}"]
        )
        form.inlets.setdefault(medium, (form.fields[target.ACCEPTS[medium]], str))
        _form.send(desk, form, medium, button, bar)


def _hands(desk: Desk, target: ModuleType, other: Desk, bar: gr.Tabs) -> None:
    """The same for a tab without a form, which takes the creation itself."""
    for medium in sorted(set(desk.outbox) & set(getattr(target, "TAKES", ()))):
        button = gr.Button(f"Send to {target.NAME}", size="sm", min_width=120, elem_classes=["send", f"for-{medium}"])
        _form.hand(desk, other, target.taken, medium, button, bar, target.NAME.lower())
