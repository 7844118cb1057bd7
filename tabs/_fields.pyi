"""Form fields made from the fields of a task: titles, limits and defaults come from there, never from here.

Numbers and choices pass what they get straight to the task, so that the page and HTTP refuse a bad value in the same sentence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from studio.tasks import Task, limits

from gradio.events import Dependency

class Number(gr.Number):
    """A number field whose limits are the task's to check. It can start empty: Gradio's own shows 0 then, and sends it."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return None if payload == "" else payload

    def get_config(self, cls: type[Block] | None = None) -> dict[str, Any]:
        """As the parent's, with an empty value kept."""
        config = super().get_config(cls)
        return config if config.get("value") is not None else {**config, "value": ""}
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class Slider(gr.Slider):
    """A slider whose limits are the task's to check."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return payload
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class Dropdown(gr.Dropdown):
    """A choice the task or the model card checks."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return payload
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


class Radio(gr.Radio):
    """A choice the task or the model card checks."""

    is_template = True

    def preprocess(self, payload: Any) -> Any:
        return payload
    from typing import Callable, Literal, Sequence, Any, TYPE_CHECKING
    from gradio.blocks import Block
    if TYPE_CHECKING:
        from gradio.components import Timer
        from gradio.components.base import Component


def text(task: type[Task], name: str, lines: int = 1, **options: Any) -> gr.Textbox:
    """A text field; multi-line from two lines on."""
    field = task.model_fields[name]
    given = {"label": field.title, "lines": lines, "max_lines": max(lines, 12), "value": field.default if isinstance(field.default, str) else ""}
    return gr.Textbox(**{**given, **options})


def number(task: type[Task], name: str, **options: Any) -> Number:
    """A number field, empty where the model's own default applies."""
    field, rules = task.model_fields[name], limits(task, name)
    default = field.default if isinstance(field.default, int | float) else None
    whole = "int" in str(field.annotation)
    step = rules.get("multiple_of", 1 if whole else 0.05)
    given = {"label": field.title, "value": default, "precision": 0 if whole else None, "step": step, "placeholder": "model's own"}
    return Number(**{**given, **options})


def slider(task: type[Task], name: str, **options: Any) -> Slider:
    """A slider for a bounded field that always has a value."""
    field, rules = task.model_fields[name], limits(task, name)
    given = {"minimum": rules["ge"], "maximum": rules["le"], "step": rules.get("multiple_of", 1), "label": field.title, "value": field.default}
    return Slider(**{**given, **options})


def choice(task: type[Task], name: str, choices: Sequence[str | tuple[str, str]], **options: Any) -> Dropdown:
    """A list to choose from; '' stands for the model's own."""
    given = {"choices": list(choices), "label": task.model_fields[name].title, "value": ""}
    return Dropdown(**{**given, **options})