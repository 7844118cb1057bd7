"""The takes of one run: each an answer from its own seed, told as it grows, and what the record should know about it.

Knows tokens, samplers and forms by their modules, and no folder, no card and no device.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from studio.creations import Json, Passage, Preview, Progress, Report
from studio.engines import _decoding, _graphs, _lookup, _prefix, _samplers, _words
from studio.errors import Cancelled, InvalidInput
from studio.tasks import SEED_LIMIT, Write
from studio.writing import context, marking, structured

if TYPE_CHECKING:
    from studio.writing.textmark import Key, Marker

PREVIEW_SECONDS = 0.05

Finish = Literal["end", "length", "stop", "stopped"]


@dataclass(frozen=True)
class Run:
    """What all takes of one run share; `seen` is when a preview was last shown, `mark` what the invisible mark is made with, if any.

    `steps` and `steps_away` write on after what was read, where they are not None.
    """

    model: Any
    vocabulary: _words.Vocabulary
    words: _words.Words
    task: Write
    settings: Mapping[str, float]
    asked: context.Assembled
    read: _prefix.Read | None
    away: _prefix.Read | None
    report: Report
    seen: list[float]
    mark: Key | None = None
    steps: _graphs.Steps | None = None
    steps_away: _graphs.Steps | None = None


def take(run: Run, item: int) -> Passage:
    """One answer, from the seed of the task and the number of the take (from 0). Raises Cancelled where nothing was written."""
    task, seed = run.task, ((run.task.seed or 0) + item) % (SEED_LIMIT + 1)
    facts: dict[str, Json] = {"dtype": str(run.model.dtype).removeprefix("torch."), **run.settings}
    facts |= {"cache": "static"} if run.steps is not None else {}
    facts["context"] = {part.source: part.tokens for part in run.asked.parts if part.tokens}
    if run.asked.cut:
        facts["cut"] = run.asked.cut
    answer, chances, finish, more = _kept(run, item, seed)
    facts |= more
    facts |= {marking.FACT: marking.SCHEME} if run.mark is not None else {}
    if task.probabilities:
        facts["words"] = _told(answer, chances)
    return Passage(answer.text, seed, answer.tokens, finish, facts)


def _kept(run: Run, item: int, seed: int) -> tuple[_words.Answer, list[list[Any]], Finish, dict[str, Json]]:
    """The answer, and what is to be said of its form: one that is not of it is written again, from a seed that follows from its own."""
    fitting = run.task.model_copy(update={"max_new_tokens": run.asked.room})
    facts, attempt = dict[str, Json](), 0
    while True:
        form = structured.constraint(fitting, attempt)
        answer, chances, finish = _written(run, item, (seed + attempt * structured.AGAIN) % (SEED_LIMIT + 1), form)
        if form is None:
            return answer, chances, finish, facts
        right, attempt = structured.valid(form, answer.text), attempt + 1
        facts |= {"valid": right, **({"attempts": attempt} if attempt > 1 else {})}
        if right or finish in ("stop", "stopped") or attempt == structured.ATTEMPTS:
            return answer, chances, finish, facts


def _written(run: Run, item: int, seed: int, form: structured.Constraint | None) -> tuple[_words.Answer, list[list[Any]], Finish]:
    """The answer, for each of its tokens how likely it was and what else was, and why it ended."""
    task, tokenizer = run.task, run.vocabulary.tokenizer
    ends = _words.end_tokens(run.model, tokenizer)
    answer = _words.Answer(tokenizer, run.asked.tokens, ends, task.stop, task.document)
    choice, told = _choice(run, seed, form, ends), list[list[Any]]()

    def watch(token: int) -> bool:
        if task.probabilities:
            others = ((answer.said(other), round(share, 6)) for other, share in choice.chances.likeliest if other != token)
            told.append([round(choice.chances.probability, 6), [[text, share] for text, share in others if text][: _decoding.OTHERS]])
        answer.add(token)
        run.report(Progress("running", answer.tokens, run.asked.room, "tokens", item + 1, task.count))
        if time.monotonic() - run.seen[0] >= PREVIEW_SECONDS:
            run.report(Preview(text=answer.shown, item=item + 1))
            run.seen[0] = time.monotonic()
        return answer.stopped

    try:
        step = run.steps.begin(run.read) if run.steps is not None and run.read is not None else None
        read, guesses = run.read and run.read.fork(), _lookup.lookup(run.read, run.asked.tokens) if _guesses(run) else None
        _decoding.write(run.model, run.asked.tokens, read, ends, run.asked.room, choice, watch, step, guesses)
    except Cancelled:
        if not answer.tokens:
            raise
        return answer, told, "stopped"
    return answer, told, "stop" if answer.stopped else "end" if answer.ended else "length"


def _guesses(run: Run) -> bool:
    """Whether guesses are tried: where the likeliest words are asked for, as in corrections, which repeat nearly all that they read."""
    return run.settings["temperature"] == 0 and run.steps is None and run.away is None


def _choice(run: Run, seed: int, form: structured.Constraint | None, ends: list[int]) -> _decoding.Choice:
    task, settings, tokenizer = run.task, run.settings, run.vocabulary.tokenizer
    said = [line.rpartition(":") for line in task.bias]
    biases = [(float(number), run.words.forms(phrase.strip())) for phrase, _, number in said]
    held = None
    if form is not None:
        width = run.read.scores.shape[-1] if run.read else run.model.config.get_text_config().vocab_size
        if not ends:
            raise InvalidInput("This model has no sign for the end of an answer, so it can keep to no form: choose another.", form.field)
        held = structured.Held(form, run.vocabulary.trie(width, tuple(ends)), tuple(ends))
    return _decoding.Choice(
        _samplers.Chain(settings, seed, biases, run.vocabulary.breakers if settings["dry_multiplier"] else (), _marker(run)),
        _guide(run, run.away, settings["guidance_scale"]) if run.away is not None else None,
        held,
        _words.Ban(tokenizer, task.ban) if task.ban else None,
        task.probabilities,
    )


def _guide(run: Run, away: _prefix.Read, scale: float) -> _decoding.Guide:
    return _decoding.Guide(run.model, away, scale, run.steps_away.begin(away) if run.steps_away is not None else None)


def _marker(run: Run) -> Marker | None:
    if run.mark is None:
        return None
    from studio.writing.textmark import Marker

    return Marker(run.mark)


def _told(answer: _words.Answer, told: list[list[Any]]) -> list[Json]:
    """For each token [text, probability, [[other text, probability], ...]], as far as the text goes."""
    made: list[list[Any]] = [[piece, *chances] for piece, chances in zip(answer.pieces, told, strict=False)]
    while made and not made[-1][0]:
        made.pop()
    return [*made]
