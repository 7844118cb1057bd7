"""The 20-prompt test: which kinds of text the starter writes well enough to be offered with it.

    python -m training.writing.evaluate GGUF_FILE                      all prompts of all kinds; writes results.toml
    python -m training.writing.evaluate GGUF_FILE --tuning --kinds poem email --answers answers.txt

Every answer goes the studio's own way: preset, card, engine. Seeds are 1000 + number of the prompt. Lists, rules and the threshold are in
prompts.toml and rules.py; they were fixed before the last seven prompts of any list were run.
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio import models
from studio.creations import Passage
from studio.device import Device
from studio.engines import gguf
from studio.manager import Pipeline
from studio.tasks import Write
from studio.writing_presets import WritingPreset, writing_presets
from training.writing.rules import Form, faults

HERE = Path(__file__).parent
PRESETS = HERE.parent.parent / "presets"
SEED = 1000


@dataclass(frozen=True)
class Outcome:
    """One answer: `number` of its prompt from 1, `faults` empty when it passed."""

    preset: str
    number: int
    subject: str
    passage: Passage
    faults: tuple[str, ...]


def main() -> None:
    """Run the test as the command line says."""
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("file", type=Path, help="the starter's GGUF file")
    words.add_argument("--tuning", action="store_true", help="only the prompts that are there to tune on; writes no results")
    words.add_argument("--kinds", nargs="*", default=[], help="names of presets; all without it")
    words.add_argument("--answers", type=Path, help="write every answer with its faults to this file")
    asked = words.parse_args()
    plan = tomllib.loads((HERE / "prompts.toml").read_text("utf-8"))
    outcomes: list[Outcome] = []
    started = time.process_time()
    for outcome in run(asked.file, plan, asked.kinds, asked.tuning):
        outcomes.append(outcome)
        print("." if not outcome.faults else "x", end="", file=sys.stderr, flush=True)
        if asked.answers:
            asked.answers.write_text("\n\n".join(map(told, outcomes)), "utf-8")
    print(f"\n{table(outcomes, plan)}\n{time.process_time() - started:.0f} CPU-seconds")
    if not asked.tuning and not asked.kinds:
        (HERE / "results.toml").write_text(results(outcomes, plan), "utf-8")


def run(file: Path, plan: dict[str, Any], kinds: list[str], tuning: bool) -> Iterator[Outcome]:
    """Every prompt of every kind in turn."""
    [card] = [card.model_copy(update={"files": file}) for card in gguf.CARDS if card.starter]
    presets = {preset.name: preset for preset in writing_presets(PRESETS)}
    recipe = gguf.recipe(card, Write(prompt="-"), Device("cpu"))
    writer = recipe.components["writer"].load(lambda _: None)
    pipeline = recipe.build({"writer": writer})
    for test in plan["test"]:
        fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in test.items()}
        name, subjects = fields.pop("preset"), plan["lists"][fields.pop("list")]
        if kinds and name not in kinds:
            continue
        for number, subject in enumerate(subjects[: plan["tuning"]] if tuning else subjects, 1):
            yield _one(pipeline, card, presets[name], Form(**fields), number, subject)
    writer.close()


def _one(pipeline: Pipeline, card: models.ModelCard, preset: WritingPreset, form: Form, number: int, subject: str) -> Outcome:
    document = "" if preset.blank else subject
    values = {"prompt": preset.filled(subject), "document": document, "system": preset.system, "seed": SEED + number, **preset.settings}
    [passage] = pipeline(models.resolve(Write.checked(values), card), lambda _: None)
    assert isinstance(passage, Passage)
    found = faults(passage.text, form, subject, preset.template.replace(f"{{{preset.blank}}}", ""), passage.finish == "length")
    return Outcome(preset.name, number, subject, passage, found)


def _shares(outcomes: list[Outcome], tuning: int) -> dict[str, tuple[float, float, float]]:
    """Share of answers that passed, by kind: of all, of those to tune on, of those held out."""
    found: dict[str, tuple[float, float, float]] = {}
    for name in dict.fromkeys(outcome.preset for outcome in outcomes):
        passed = [not outcome.faults for outcome in outcomes if outcome.preset == name]
        parts = (passed, passed[:tuning], passed[tuning:])
        found[name] = tuple(sum(part) / len(part) if part else float("nan") for part in parts)  # pyright: ignore[reportArgumentType]
    return found


def table(outcomes: list[Outcome], plan: dict[str, Any]) -> str:
    """The shares as lines to read."""
    lines = [f"{'kind':22}{'all':>6}{'tuning':>8}{'held out':>10}"]
    for name, shares in _shares(outcomes, plan["tuning"]).items():
        mark = "  passes" if shares[0] >= plan["threshold"] else ""
        lines.append(f"{name:22}{shares[0]:6.2f}{shares[1]:8.2f}{shares[2]:10.2f}{mark}")
    return "\n".join(lines)


def results(outcomes: list[Outcome], plan: dict[str, Any]) -> str:
    """The shares as TOML."""
    lines = [
        "# Share of 20 answers of the starter that passed the rules, by kind of text; written by evaluate.py.",
        f"threshold = {plan['threshold']}",
        "",
    ]
    for name, (everything, tuning, held_out) in _shares(outcomes, plan["tuning"]).items():
        lines.append(f"[{name}]\nall = {everything:.2f}\ntuning = {tuning:.2f}\nheld_out = {held_out:.2f}\n")
    return "\n".join(lines)


def told(outcome: Outcome) -> str:
    """One answer with its faults."""
    passage = outcome.passage
    verdict = "; ".join(outcome.faults) or "passes"
    return f"=== {outcome.preset} {outcome.number} [{outcome.subject}] {passage.tokens} tokens, {passage.finish}: {verdict}\n{passage.text}"


if __name__ == "__main__":
    main()
