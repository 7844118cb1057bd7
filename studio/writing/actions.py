"""What a person can ask a writer to do with a text: an instruction to fill in, where its outcome goes, and what it needs of a model.

Read from presets/actions.toml. Whether an action works with the starter is decided by training/writing/actions_eval.py, not by taste.
Knows no page and no document.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from studio.errors import InvalidInput
from studio.models import ModelCard
from studio.tasks import TEXT_LIMIT, Write

LONGEST = 4096
"""Tokens of the longest answer there is."""
READ_LIMIT = 50_000
"""Characters of a selection or document that fit an instruction."""


class Action(BaseModel):
    """One action.

    `template` is the instruction and `system` says who the writer is: {text} is the selection or document, {before} what stands before
    the cursor, {choice} one of `choices`, {words} what the person typed beside the label `asks`. `goes_on`: the answer goes on from what
    stands before the cursor. `length`: tokens of the answer for each character of the text, where it is about as long as the text.
    `codes` are the languages that `choices` name, if they do. What is done on a "board" is done in the storyboard, not in the document.
    `starter`: it works with the starter; `min_params` (billions) and `min_context` (tokens) are the least of other models, which must
    know one of `languages` (empty: any) and `min_languages` in all.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z][a-z_]*$", max_length=40)
    title: str = Field(min_length=1, max_length=40)
    description: str = Field(min_length=1, max_length=160)
    on: Literal["selection", "cursor", "document", "board"]
    result: Literal["replace", "insert", "beside"]
    template: str = Field(min_length=1, max_length=1000)
    system: str = Field(default="", max_length=1000)
    settings: Mapping[str, int | float] = Field(default_factory=dict)
    length: float = Field(default=0, ge=0, le=4)
    goes_on: bool = False
    choices: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    asks: str = Field(default="", max_length=40)
    starter: bool = False
    min_params: float = Field(default=0.5, ge=0)
    min_context: int = Field(default=2048, ge=0)
    languages: tuple[str, ...] = ("en",)
    min_languages: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _whole(self) -> Self:
        blanks = set(re.findall(r"\{([^}]*)\}", self.template + self.system))
        told = {name for name, there in (("choice", self.choices), ("words", self.asks)) if there}
        if blanks - {"text", "before"} != told or (self.goes_on and blanks) or (self.codes and len(self.codes) != len(self.choices)):
            raise ValueError("a template has {choice} where there are choices and {words} where words are asked for, and no other blanks")
        if self.on in ("selection", "document") and "text" not in blanks:
            raise ValueError("an action on a text has {text} in its template")
        Write.checked(self.fields("text", "before", (*self.choices, "")[0], "words"))
        return self

    def needs(self, card: ModelCard, cards: Sequence[ModelCard] = (), choice: str = "") -> str:
        """'' where it works with this model; else one sentence: why not, and which of `cards` would do it and how to get that one.

        What is not known about a model does not count against it.
        """
        lack = self._lack(card, choice)
        if not lack:
            return ""
        fitting = [other for other in cards if "write" in other.serves and not self._lack(other, choice)]
        if not fitting:
            return f"{self.title} {lack}."
        best = min(fitting, key=lambda other: (other.files is None, other.gated is True, other.params or 0, other.memory_gb or 0))
        return f"{self.title} {lack}: {_way(best)}."

    def offered(self, card: ModelCard) -> tuple[str, ...]:
        """The choices that this model can do."""
        return tuple(choice for choice in self.choices if not self._strange(card, choice))

    def fields(self, text: str = "", before: str = "", choice: str = "", words: str = "", longest: int = LONGEST) -> dict[str, Any]:
        """The fields of `Write`. `longest` are the tokens that the model's card allows an answer.

        Raises InvalidInput where the text, the choice or the words are missing, or the text is too long for one answer.
        """
        if self.on in ("selection", "document") and not text.strip():
            missing = {"selection": "Nothing is selected: select the words", "document": "The document is empty: write something"}
            raise InvalidInput(f"{missing[self.on]} first.", "document")
        if self.choices and choice not in self.choices:
            raise InvalidInput(f"Choose one of these first: {', '.join(self.choices)}.", "choice")
        if self.asks and not words.strip():
            raise InvalidInput(f"{self.asks} is empty: say what you would like.", "words")
        settings = dict(self.settings)
        most = min(READ_LIMIT, int(longest / self.length) - 100) if self.length else READ_LIMIT
        if len(text) > most:
            sentence = f"{self.title} takes at most {most:,} characters at a time, and these are {len(text):,}: select a part."
            raise InvalidInput(sentence, "document")
        if self.length:
            settings["max_new_tokens"] = min(longest, max(int(settings.get("max_new_tokens", 64)), int(len(text) * self.length) + 32))
        values = {"text": text.strip(), "before": before[-READ_LIMIT // 10 :], "choice": choice, "words": words.strip()}
        prompt, system = (_BLANK.sub(lambda blank: values[blank[1]], form).strip() for form in (self.template, self.system))
        return {"prompt": prompt, "system": system, "document": before[-TEXT_LIMIT:] if self.goes_on else "", **settings}

    def _lack(self, card: ModelCard, choice: str) -> str:
        """Why the model cannot do it, or ''."""
        if card.starter and not self.starter:
            return f"is more than {card.name} does well"
        if not card.starter and card.params is not None and card.params < self.min_params:
            return f"needs a model of {self.min_params:g} billion parameters or more, and {card.name} has {card.params:g}"
        context = card.options.get("context")
        if isinstance(context, int) and context < self.min_context:
            return f"needs a model that reads {self.min_context:,} tokens, and {card.name} reads {context:,}"
        spoken = set(card.languages)
        if spoken and (len(spoken) < self.min_languages or not spoken & set(self.languages or spoken)):
            return f"needs a model of other languages than {card.name}"
        return f"into {choice} is more than {card.name} knows" if self._strange(card, choice) else ""

    def _strange(self, card: ModelCard, choice: str) -> bool:
        """Whether the choice is a language that the model was not made for."""
        known = dict(zip(self.choices, self.codes, strict=False))
        return bool(card.languages and choice in known and known[choice] not in card.languages)


def actions(folder: Path) -> tuple[Action, ...]:
    """All actions, in the order of the file. `languages` of the file stand in for the choices "languages"."""
    file = tomllib.loads((folder / "actions.toml").read_text("utf-8"))
    return tuple(Action.model_validate(_chosen(table, file["languages"])) for table in file["action"])


def _chosen(table: Mapping[str, Any], languages: Mapping[str, str]) -> Mapping[str, Any]:
    if table.get("choices") != "languages":
        return table
    return {**table, "choices": tuple(languages.values()), "codes": tuple(languages)}


def _way(card: ModelCard) -> str:
    """How to come to use a card."""
    if card.files is not None or card.starter:
        return f"choose {card.name}, which is on this machine"
    size = f", {card.download_gb:g} GB" if card.download_gb else ""
    way = f'press Download under its name, or run `python -m studio download "{card.name}"`'
    return f"{card.name} ({card.licence}{size}) would do it; {way}"


_BLANK = re.compile(r"\{(text|before|choice|words)\}")
