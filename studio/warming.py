"""Loading a model before somebody needs it: the smallest task that names what it loads. Knows no manager and no page."""

from __future__ import annotations

from collections.abc import Mapping

from studio import models
from studio.models import ModelCard
from studio.tasks import TASKS, Task

LEAST: Mapping[str, Mapping[str, object]] = {
    "text_to_image": {"prompt": "-"},
    "inpaint": {"image": "-", "mask": "-", "prompt": "-", "left": "10"},
    "music": {"prompt": "-"},
    "narrate": {"text": "-"},
    "write": {"prompt": "-"},
}
"""What a task of each kind must say."""


def least(card: ModelCard, kind: str) -> Task:
    """A resolved task for the card that nobody asked for: good for loading its parts, never to be run."""
    way = {"mode": card.modes[0]} if kind == "inpaint" and card.modes else {}
    return models.resolve(TASKS[kind].checked({**LEAST[kind], **way, "model": card.name, "seed": 0}), card)
