"""The 20-text test of the actions on a document: which of them the starter does well enough to be offered with it.

    python -m training.writing.actions_eval GGUF_FILE                    all texts of all actions; writes actions_results.toml
    python -m training.writing.actions_eval GGUF_FILE --tuning --kinds continue --answers answers.txt

Every answer goes the studio's own way: action, card, engine. Seeds are 1000 + number of the text. Lists, rules and the threshold are in
actions.toml, prompts.toml, rules.py and panel_rules.py; they were fixed before the last seven texts of any list were run.
"""

from __future__ import annotations

import argparse
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio import models
from studio.creations import Passage
from studio.device import Device
from studio.engines import gguf
from studio.manager import Pipeline
from studio.tasks import Write
from studio.writing import panels
from studio.writing.actions import actions
from training.writing.evaluate import HERE, PRESETS, SEED, Outcome, results, table, told
from training.writing.panel_rules import panel_faults
from training.writing.rules import Form, faults


def main() -> None:
    """Run the test as the command line says."""
    words = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    words.add_argument("file", type=Path, help="the starter's GGUF file")
    words.add_argument("--tuning", action="store_true", help="only the texts that are there to tune on; writes no results")
    words.add_argument("--held-out", action="store_true", help="only the other texts; writes no results")
    words.add_argument("--kinds", nargs="*", default=[], help="names of actions; all without it")
    words.add_argument("--answers", type=Path, help="write every answer with its faults to this file")
    asked = words.parse_args()
    plan = tomllib.loads((HERE / "actions.toml").read_text("utf-8"))
    outcomes: list[Outcome] = []
    started = time.process_time()
    part = slice(plan["tuning"]) if asked.tuning else slice(plan["tuning"] if asked.held_out else 0, None)
    for outcome in run(asked.file, plan, asked.kinds, part):
        outcomes.append(outcome)
        print("." if not outcome.faults else "x", end="", file=sys.stderr, flush=True)
        if asked.answers:
            asked.answers.write_text("\n\n".join(map(told, outcomes)), "utf-8")
    print(f"\n{table(outcomes, plan)}\n{time.process_time() - started:.0f} CPU-seconds")
    if not (asked.tuning or asked.held_out or asked.kinds):
        (HERE / "actions_results.toml").write_text(results(outcomes, plan), "utf-8")


def run(file: Path, plan: dict[str, Any], kinds: list[str], part: slice) -> Iterator[Outcome]:
    """Every text of that part of the lists, of every action in turn."""
    [card] = [card.model_copy(update={"files": file}) for card in gguf.CARDS if card.starter]
    lists = tomllib.loads((HERE / "prompts.toml").read_text("utf-8"))["lists"]
    known = {action.name: action for action in actions(PRESETS)}
    recipe = gguf.recipe(card, Write(prompt="-"), Device("cpu"))
    writer = recipe.components["writer"].load(lambda _: None)
    pipeline = recipe.build({"writer": writer})
    for test in plan["test"]:
        form: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in test.items()}
        action, entries, fills, choice = known[form.pop("action")], lists[form.pop("list")], form.pop("fills"), form.pop("choice", "")
        if kinds and action.name not in kinds:
            continue
        for number, entry in list(enumerate(entries, 1))[part]:
            bare = action.template.split("{", 1)[0]
            if action.on == "board":
                task = panels.asked(action, entry, int(choice), seed=SEED + number, longest=2048)
                passage = _written(pipeline, task, card)
                yield Outcome(action.name, number, entry, passage, panel_faults(passage.text, entry, int(choice), action.template))
                continue
            asked = action.fields(**{fills: entry}, choice=choice, longest=2048)
            passage = _written(pipeline, Write.checked({**asked, "seed": SEED + number}), card)
            yield Outcome(action.name, number, entry, passage, faults(passage.text, Form(**form), entry, bare, passage.finish == "length"))
    writer.close()


def _written(pipeline: Pipeline, task: Write, card: models.ModelCard) -> Passage:
    [passage] = pipeline(models.resolve(task, card), lambda _: None)
    assert isinstance(passage, Passage)
    return passage


if __name__ == "__main__":
    main()
