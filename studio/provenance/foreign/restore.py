"""Settings of another program as a task of ours can take them. Knows tasks and cards, no format."""

from __future__ import annotations

from collections.abc import Iterable

from studio.errors import InvalidInput
from studio.models import ModelCard
from studio.provenance.foreign.names import card_for
from studio.provenance.foreign.sheet import Foreign, shown
from studio.tasks import Task

_SIDES = ("width", "height")


def restored(
    foreign: Foreign, task: type[Task], cards: Iterable[ModelCard] = (), chosen: ModelCard | None = None
) -> tuple[dict[str, str | int | float], tuple[str, ...]]:
    """Fields of `task` that a form can take as they are, and a sentence for each thing that it cannot, the file's own first.

    The model is the card among `cards` that has the other program's name or hash; without one it stays open, and `chosen`, the card that
    the form shows, decides what can be taken: its schedulers, limits and fields. A size is taken whole or not at all.
    """
    said = dict.fromkeys(foreign.left_out)
    values = dict(foreign.settings)
    named = _card(foreign, values, task, cards, said)
    card = named or chosen
    fields = task.model_fields
    for name, value in list(values.items()):
        title = (fields[name].title if name in fields else None) or name.replace("_", " ").capitalize()
        reason = f"{title} is not asked for here" if name not in fields else _refusal(task, name, value) or _unfit(card, name, value, title)
        if reason:
            del values[name]
            said[f"{title} ({shown(value)}) was left out: {reason.rstrip('.')}."] = None
    if len(values.keys() & set(_SIDES)) == 1:
        side = next(name for name in _SIDES if name in values)
        said[f"{side.capitalize()} ({values.pop(side)}) was left out: a size is taken whole."] = None
    if named is not None:
        values["model"] = named.name
    return values, tuple(said)


def _card(
    foreign: Foreign, values: dict[str, str | int | float], task: type[Task], cards: Iterable[ModelCard], said: dict[str, None]
) -> ModelCard | None:
    """The card of the model that the file names; a sentence where there is none."""
    name = str(values.pop("model", ""))
    if not name and not foreign.model_hash:
        return None
    card = card_for(name, foreign.model_hash, (card for card in cards if task.kind in card.serves))
    if card is None:
        digest = f", hash {shown(foreign.model_hash)}" if foreign.model_hash else ""
        said[f"The model ({shown(name) or 'without a name'}{digest}) is not among those here: choose one yourself."] = None
    return card


def _refusal(task: type[Task], name: str, value: object) -> str:
    """Why the task refuses this value, in its own words; '' if it takes it."""
    needed: dict[str, object] = {key: "x" for key, field in task.model_fields.items() if field.is_required()}
    try:
        task.checked({**needed, name: value})
    except InvalidInput as error:
        return str(error) if error.field == name else ""
    return ""


def _unfit(card: ModelCard | None, name: str, value: object, title: str) -> str:
    """Why the card would refuse this value; '' if it takes it or there is no card."""
    if card is None:
        return ""
    low, high = card.limits.get(name, (float("-inf"), float("inf")))
    if isinstance(value, int | float) and not low <= value <= high:
        return f"{title} must be from {low:g} to {high:g} with {card.name}"
    if name == "scheduler" and value not in card.schedulers:
        return f"{card.name} has no scheduler of that name"
    if name == "style" and card.styles and value not in card.styles:
        return f"{card.name} has no style of that name"
    return f"{card.name} does not use it" if name in card.ignores else ""
