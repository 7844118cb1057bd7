"""What Gradio keeps of each visit holds its values and no copy of the page."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import gradio as gr
import pytest
from gradio import state_holder

from tabs import _sessions


async def laid_out() -> tuple[Any, int, int]:
    """A page, and the numbers of its box and its state."""
    with gr.Blocks() as demo:
        box, state = gr.Textbox("a"), gr.State([1])
    return demo, box._id, state._id


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> tuple[state_holder.StateHolder, int, int]:
    """What is kept of a page's visits, with the studio's own kind in place."""
    monkeypatch.setattr(state_holder, "SessionState", state_holder.SessionState)
    _sessions.install()
    holder = state_holder.StateHolder()
    with ThreadPoolExecutor(1) as pool:  # Gradio leaves loops of events open where there is none
        demo, box, state = pool.submit(lambda: asyncio.run(laid_out())).result()
    holder.set_blocks(demo)
    return holder, box, state


def test_a_visit_begins_without_a_description_of_the_page(page: tuple[state_holder.StateHolder, int, int]) -> None:
    visit = page[0]["one"]
    assert isinstance(visit, _sessions.Visit)
    assert visit.config_values == {} and len(visit.blocks_config.blocks) >= 2


def test_each_visit_keeps_its_own_values(page: tuple[state_holder.StateHolder, int, int]) -> None:
    holder, box, state = page
    one, other = holder["one"], holder["other"]
    one[state].append(2)
    assert (one[state], other[state]) == ([1, 2], [1])
    one._update_value_in_config(box, "b")
    assert one.config_values[box]["props"]["value"] == "b" and box not in other.config_values
    one[box] = holder["third"][box]
    assert one.config_values[box]["props"]["value"] == other[box].value == "a"
