"""Between text and tokens: the chat a model reads, phrases in every form they are written in, an answer that grows by whole characters.

Knows transformers' tokenizers, and no model family, no sampler and no cache.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from studio.errors import InvalidInput

MARK = "⟦here the text goes on⟧"
PLACES = {"system": "⟦here the system prompt stands⟧", "user": "⟦here the instruction stands⟧"}
WINDOW = 8
"""Tokens of the prompt that are decoded together with the answer's first, since some tokenizers drop a space at the very beginning."""
BREAKERS = ("\n", "Ċ", "<0x0A>", ":", '"', "*")
"""What ends a repeated phrase for DRY, where a token holds it; the second and third are how vocabularies write a new line."""
UNSEEN = {number: None for number in (*range(32), *range(127, 160)) if chr(number) not in "\n\t"}
"""Control characters: no field of a task takes them, so no answer may hold them."""
SPACED = 0x0E00
"""Scripts below this code point put spaces between words; of those above, most do not."""


@dataclass(frozen=True)
class Vocabulary:
    """A loaded tokenizer and the model's own generation settings."""

    tokenizer: Any
    settings: Mapping[str, Any]
    _tries: dict[tuple[int, tuple[int, ...]], Any] = field(default_factory=dict[tuple[int, tuple[int, ...]], Any], init=False)

    @cached_property
    def breakers(self) -> frozenset[int]:
        """Tokens at which a phrase ends for DRY: those that hold one of BREAKERS, and all marks of the chat form."""
        pieces = self.tokenizer.get_vocab()
        found = (token for piece, token in pieces.items() if any(mark in piece for mark in BREAKERS))
        return frozenset((*found, *self.tokenizer.all_special_ids))

    def trie(self, width: int, ends: tuple[int, ...]) -> Any:
        """The vocabulary as llguidance reads it, for scores of `width` tokens; made once, since that takes a second (measured)."""
        if (width, ends) not in self._tries:
            from llguidance.hf import from_tokenizer

            self._tries[width, ends] = from_tokenizer(self.tokenizer, n_vocab=width, eos_token=list(ends))
        return self._tries[width, ends]


class Words:
    """`writing.context.Words` for a tokenizer of transformers; `template` goes to its chat template."""

    def __init__(self, tokenizer: Any, template: Mapping[str, Any]) -> None:
        self._tokenizer, self._template = tokenizer, dict(template)
        self._marks = [str(mark) for mark in tokenizer.added_tokens_decoder.values() if mark.special]
        first = tokenizer.convert_ids_to_tokens(tokenizer("a", add_special_tokens=False).input_ids)[:1]
        self._begin: list[int] = self._plain("\n") if first and first[0].startswith("▁") else []

    def opening(self, system: str, instruction: str, goes_on: bool) -> list[int]:
        """A conversation in the model's own form up to where the answer begins; marks of that form in what is said stay text."""
        said = {"system": system, "user": instruction}
        if not any(mark in part for mark in self._marks for part in said.values()):
            return self._tokenizer(
                opening(self._tokenizer, system, instruction, goes_on, self._template), add_special_tokens=False
            ).input_ids
        form = opening(self._tokenizer, PLACES["system"] if system else "", PLACES["user"], goes_on, self._template)
        told = {PLACES[role]: self.tokens(part) for role, part in said.items()}
        parts = re.split("(" + "|".join(map(re.escape, told)) + ")", form)
        return [
            token for part in parts for token in (told[part] if part in told else self._tokenizer(part, add_special_tokens=False).input_ids)
        ]

    def dialogue(self, system: str, messages: Sequence[str]) -> list[int]:
        """The same for messages of the person and the model by turns. Raises InvalidInput for a model without a form for them."""
        if not getattr(self._tokenizer, "chat_template", None):
            raise InvalidInput("This model was not made for conversations: choose another one, or write in the document.", "model")
        chat = turns(system, messages)
        told = {f"⟦message {k}⟧": text for k, (_, text) in enumerate(chat) if any(mark in text for mark in self._marks)}
        names = {text: name for name, text in told.items()}
        form = dialogue(self._tokenizer, [(role, names.get(text, text)) for role, text in chat], self._template)
        parts = re.split("(" + "|".join(map(re.escape, told)) + ")", form) if told else [form]
        found: list[int] = []
        for part in parts:
            found += self.tokens(told[part]) if part in told else self._tokenizer(part, add_special_tokens=False).input_ids
        return found

    def tokens(self, text: str) -> list[int]:
        """Plain text that goes on from something; marks of the chat form in it stay text."""
        if self._begin:  # this kind puts a space before whatever comes first
            ids = self._plain(f"\n{text}")
            if ids[: len(self._begin)] == self._begin:
                return ids[len(self._begin) :]
        return self._plain(text)

    def text(self, tokens: Sequence[int]) -> str:
        """What the tokens say."""
        return self._tokenizer.decode(list(tokens), clean_up_tokenization_spaces=False)

    def forms(self, phrase: str) -> list[list[int]]:
        """The tokens of a phrase at the beginning of a text, after a space, and inside a word."""
        made = [self._plain(phrase), self.tokens(phrase), self.tokens(f" {phrase}")]
        return [form for number, form in enumerate(made) if form and form not in made[:number]]

    def _plain(self, text: str) -> list[int]:
        return self._tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False).input_ids


class Ban:
    """Phrases that are never completed, however they are cut into tokens and whether in capitals or not.

    A phrase is one of whole words, where its script has spaces: with "art" banned a text may still hold "heart", and "article" where
    that is written without a stop at "art".
    """

    def __init__(self, tokenizer: Any, phrases: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._pattern = re.compile("|".join(map(_whole, phrases)), re.IGNORECASE)
        self._window = 4 * max(map(len, phrases)) + WINDOW  # a character is four tokens at most

    def completes(self, ids: Any, token: int) -> bool:
        """Whether the token would complete a phrase after the tokens `ids` (1, length)."""
        before: list[int] = ids[0, max(0, ids.shape[1] - self._window) :].tolist()
        known = len(self._decode(before).rstrip("\ufffd"))
        return any(found.end() > known for found in self._pattern.finditer(self._decode([*before, token])))

    def _decode(self, ids: list[int]) -> str:
        return self._tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


class Answer:
    """The new text of a run. Only whole characters are in `text`; `shown` holds back what may turn out to begin a stop text."""

    def __init__(self, words: Any, prompt: Sequence[int], ends: Sequence[int], stop: Sequence[str], document: str) -> None:
        self._words = words
        self._ends = frozenset(ends)
        self._ids = list(prompt[-WINDOW:])
        self._begin, self._read = 0, len(self._ids)
        self._stop = tuple(stop)
        self._space = " " if document.endswith(" ") else ""
        self._raw = ""
        self._pieces: list[str | None] = []
        self.tokens = 0
        self.stopped = False
        self.ended = False

    def add(self, token: int) -> None:
        """Take one more token."""
        if token in self._ends:
            self.ended = True
            return
        self.tokens += 1
        more = self.said(token)
        self._ids.append(token)
        self._pieces.append(more)
        if more is None:
            return
        self._begin, self._read = self._read, len(self._ids)
        self._take(more)

    def said(self, token: int) -> str | None:
        """What one more token would say here; None for half a character, whose rest is in the next token."""
        known = self._decode(self._ids[self._begin : self._read])
        whole = self._decode([*self._ids[self._begin :], token])
        return None if whole.endswith("\ufffd") else whole[len(known) :].translate(UNSEEN)

    @property
    def text(self) -> str:
        """The text so far; a space that the document already ends with is not said twice."""
        return self._raw.removeprefix(self._space)

    @property
    def shown(self) -> str:
        """The text that nothing can take back any more."""
        longest = max(map(len, self._stop), default=1) - 1
        for size in range(min(longest, len(self._raw)), 0, -1):
            if any(len(stop) > size and stop.startswith(self._raw[-size:]) for stop in self._stop):
                return self._raw[:-size].removeprefix(self._space)
        return self.text

    @property
    def pieces(self) -> Iterator[str]:
        """What each token added to `text`, '' for half a character; ends with the text."""
        skip, left = len(self._space) if self._raw.startswith(self._space) else 0, len(self.text)
        for piece in (piece or "" for piece in self._pieces):
            kept = piece[skip:][:left]
            skip, left = max(0, skip - len(piece)), left - len(kept)
            yield kept

    def _take(self, more: str) -> None:
        old = len(self._raw)
        self._raw += more
        found = [place for stop in self._stop if (place := self._raw.find(stop, max(0, old - len(stop) + 1))) >= 0]
        if found:
            self._raw = self._raw[: min(found)]
            self.stopped = True

    def _decode(self, ids: list[int]) -> str:
        return self._words.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def opening(words: Any, system: str, prompt: str, goes_on: bool, template: Mapping[str, Any]) -> str:
    """All that stands before the document: the chat up to the first character of the model's own turn.

    The template is rendered around a mark, so that a template that trims the turn cannot change the document.
    """
    if not getattr(words, "chat_template", None):
        return "".join(f"{part}\n\n" for part in (system, prompt) if part)
    from jinja2 import TemplateError

    said = {"role": "user", "content": prompt}
    chat = [{"role": "system", "content": system}, said] if system else [said]
    try:
        return _rendered(words, chat, template, goes_on)
    except TemplateError:  # a model without a system turn
        merged = [{"role": "user", "content": f"{system}\n\n{prompt}"}]
        return _rendered(words, merged, template, goes_on)


def turns(system: str, messages: Sequence[str]) -> list[tuple[str, str]]:
    """Messages by turns, each with the role of who says it; the person begins."""
    said = [("assistant" if number % 2 else "user", text) for number, text in enumerate(messages)]
    return [("system", system), *said] if system else said


def dialogue(words: Any, chat: Sequence[tuple[str, str]], template: Mapping[str, Any]) -> str:
    """A conversation in the model's own form up to where its answer begins."""
    from jinja2 import TemplateError

    said = [{"role": role, "content": text} for role, text in chat]
    try:
        return _rendered(words, said, template, goes_on=False)
    except TemplateError:  # a model without a system turn
        if said[0]["role"] != "system":
            raise
        merged = {"role": "user", "content": f"{said[0]['content']}\n\n{said[1]['content']}"}
        return _rendered(words, [merged, *said[2:]], template, goes_on=False)


def end_tokens(model: Any, words: Any) -> list[int]:
    """The tokens that end an answer: those of the model's generation settings and the tokenizer's own."""
    own = getattr(model.generation_config, "eos_token_id", None)
    listed = own if isinstance(own, list) else [own]
    return sorted({int(token) for token in (*listed, words.eos_token_id) if token is not None})


def _rendered(words: Any, chat: list[dict[str, str]], template: Mapping[str, Any], goes_on: bool) -> str:
    if not goes_on:
        return words.apply_chat_template(chat, tokenize=False, add_generation_prompt=True, **template)
    chat = [*chat, {"role": "assistant", "content": MARK}]
    text: str = words.apply_chat_template(chat, tokenize=False, continue_final_message=True, **template)
    return text[: text.rindex(MARK)]


def _whole(phrase: str) -> str:
    """A pattern for the phrase as whole words, with any space between them."""
    words = [re.escape(word) for word in phrase.split()]
    inside = f"[^\\W_{chr(SPACED)}-{chr(0x10FFFF)}]"
    begin, end = (f"(?{look}{inside})" if re.match(inside, phrase.strip()[at]) else "" for look, at in (("<!", 0), ("!", -1)))
    return begin + r"\s+".join(words) + end
