"""What Gradio keeps of each visit: its values, without a copy of the whole page.

For links into a page Gradio writes out the description of every component once more at each visit's first event: for this page about a
megabyte, and a tenth of a second during which nobody else is answered. Such links are closed here, and nothing else reads them. Knows no
visitor and no tab.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from gradio import state_holder
from gradio.state_holder import SessionState


class Visit(SessionState):
    """Gradio's values of one visit. The description of a component is written out when its value changes, and not before."""

    def __init__(self, blocks: Any) -> None:
        super().__init__(cast("Any", SimpleNamespace(default_config=blocks.default_config, blocks={})))


def install() -> None:
    """Let Gradio use it; to be called before a page is served."""
    state_holder.SessionState = Visit
