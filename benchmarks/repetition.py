"""Repetition: the share of 4-grams that stand twice in one answer, with the preset "balanced" and with plain sampling at temperature 1.

Claim: on 50 open-ended prompts with the starter, at most a third. A 4-gram is four words in a row, capitals and punctuation apart; the
share is that of 4-grams which stood in the same answer before, over all answers together. Both sides get the same prompts, lengths and
seeds, through the studio's own pipeline. Plain means what it says: no cut of the candidates, no penalty. `--count 10` runs a slice,
`--skip 10` begins after the first ten: slices' counts add up; `--development` takes the 24 prompts on which the preset's numbers are
chosen, `--set dry_multiplier=2` tries another number there, and `--seed 8` other answers: one seed's 24 tell too little.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import _measure

from studio.creations import Passage
from studio.errors import ModelUnavailable
from studio.models import resolve
from studio.studio import Studio
from studio.tasks import Write
from studio.writing.prose import sampler_presets

PRESETS = Path(__file__).parent.parent / "presets"
TOKENS = 200
SEED = 7
PLAIN: Mapping[str, float] = {
    "temperature": 1, "top_p": 1, "top_k": 0, "min_p": 0, "typical_p": 1, "top_n_sigma": 0, "repetition_penalty": 1,
    "dry_multiplier": 0, "xtc_probability": 0,
}  # fmt: skip
PROMPTS = (
    "Write a story about a lighthouse keeper and the sea.",
    "Describe a market early in the morning.",
    "Tell me about a journey through the mountains.",
    "Write a letter from a sailor to his sister.",
    "What makes a good friend?",
    "Describe the house you would build.",
    "Write about a child who finds an old map.",
    "Explain why people tell stories.",
    "Describe a storm as seen from a small window.",
    "Write a diary entry of a baker.",
    "Tell the story of a town that forgot its name.",
    "What would you put in a museum of ordinary things?",
    "Describe a garden in four seasons.",
    "Write about two neighbours who do not speak.",
    "How does it feel to return home after many years?",
    "Describe a train ride at night.",
    "Write a tale about a fox and a clockmaker.",
    "What can we learn from trees?",
    "Describe the perfect breakfast.",
    "Write about the last day of summer.",
    "Tell me about an invention that changed a village.",
    "Describe a painting that does not exist.",
    "Write a speech for the opening of a library.",
    "What is the meaning of courage?",
    "Describe a street musician and those who listen.",
    "Write about a ship that never arrived.",
    "Explain what music does to us.",
    "Describe a kitchen where three generations cook.",
    "Write the beginning of a mystery in a hotel.",
    "What would you ask a traveller from the future?",
    "Describe a desert at dawn.",
    "Write about a teacher who changed a life.",
    "Tell a story in which nothing goes as planned.",
    "Describe an island with only one inhabitant.",
    "Write about learning to ride a bicycle.",
    "What makes a city feel alive?",
    "Describe a conversation between the sun and the moon.",
    "Write a story about a key that opens nothing.",
    "How should we treat our mistakes?",
    "Describe the sounds of a forest.",
    "Write about a dog that waits at a station.",
    "Tell me about a festival of lights.",
    "Describe an old photograph and who is in it.",
    "Write about the day the river froze.",
    "What does it mean to be patient?",
    "Describe a workshop full of unfinished things.",
    "Write a story about a letter that came too late.",
    "Explain how a small kindness can travel far.",
    "Describe a long walk with no destination.",
    "Write about a choir of people who cannot sing.",
)
"""Fifty that leave open what is said, committed before they were measured."""
DEVELOPMENT = (
    "Write a story about a gardener and a crow.",
    "Describe a harbour in the fog.",
    "Tell me about a winter spent in a small hut.",
    "Write a letter from a grandmother to a child who is far away.",
    "What makes a house a home?",
    "Describe a bridge and the people who cross it.",
    "Write about a girl who repairs radios.",
    "Explain why we keep old things.",
    "Describe a night at the theatre.",
    "Write a diary entry of a postman.",
    "Tell the story of a well that answered questions.",
    "What would a perfect school be like?",
    "Describe a field after the harvest.",
    "Write about two brothers and a boat.",
    "How does it feel to be lost in a foreign city?",
    "Describe a bakery at five in the morning.",
    "Write a tale about a bear who wanted to sing.",
    "What can we learn from the sea?",
    "Describe a picnic that the rain ends.",
    "Write about the first snow of the year.",
    "Tell me about a bell that rings by itself.",
    "Write a speech for the oldest tree in the park.",
    "What does it mean to be free?",
    "Write the beginning of a story about a stolen violin.",
)
"""Others, on which the numbers of the preset are chosen; none of the fifty is looked at for that."""


@dataclass
class Counted:
    """4-grams of all answers so far, those that stood before in their answer, and answers in which there is one."""

    grams: int = 0
    repeated: int = 0
    answers: int = 0

    def add(self, text: str) -> None:
        """Count one answer."""
        words = re.findall(r"\w+(?:['’]\w+)*", text.lower())
        grams = list(zip(words, words[1:], words[2:], words[3:], strict=False))
        again = len(grams) - len(set(grams))
        self.grams, self.repeated, self.answers = self.grams + len(grams), self.repeated + again, self.answers + bool(again)

    @property
    def share(self) -> float:
        """Of all 4-grams, those that stood before."""
        return self.repeated / max(1, self.grams)


def answers(studio: Studio, prompts: tuple[str, ...], other: Mapping[str, float], seed: int = SEED) -> Iterator[tuple[str, str]]:
    """(side, text) for each prompt, both sides in turn; `other` are numbers in place of the preset's."""
    card = studio.card_for(Write.checked({"prompt": "-", "model": "SmolLM2 135M"}))
    recipe = studio.recipe(card, Write.checked({"prompt": "-"}))
    pipeline = recipe.build({"writer": recipe.components["writer"].load(lambda _: None)})
    balanced = next(preset.settings for preset in sampler_presets(PRESETS) if preset.name == "balanced")
    for prompt in prompts:
        for side, settings in (("balanced", {**balanced, **other}), ("plain", PLAIN)):
            task = Write.checked({"prompt": prompt, "seed": seed, "max_new_tokens": TOKENS, **settings})
            [passage] = pipeline(resolve(task, card), lambda _: None)
            assert isinstance(passage, Passage)
            yield side, passage.text


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=len(PROMPTS))
    parser.add_argument("--skip", type=int, default=0, help="prompts to leave out at the beginning")
    parser.add_argument("--development", action="store_true", help="the 24 prompts on which the numbers are chosen")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER", help="another number, with --development only")
    parser.add_argument("--seed", type=int, default=SEED, help="another seed, with --development only")
    parser.add_argument("--show", action="store_true", help="print what the preset writes")
    asked = parser.parse_args()
    if (asked.set or asked.seed != SEED) and not asked.development:
        sys.exit("repetition: --set and --seed are for --development; the fifty are measured with the preset as it is, by one seed.")
    other = {name: float(number) for name, _, number in (pair.partition("=") for pair in asked.set)}
    prompts = (DEVELOPMENT if asked.development else PROMPTS)[asked.skip : asked.skip + asked.count]
    studio = Studio.open(_measure.settings())
    counted = {"balanced": Counted(), "plain": Counted()}
    try:
        for number, (side, text) in enumerate(answers(studio, prompts, other, asked.seed), 1):
            counted[side].add(text)
            if asked.show and side == "balanced":
                print(f"--- {prompts[(number - 1) // 2]}\n{text}\n", flush=True)
            if number % 20 == 0:
                told = "; ".join(f"{name} {one.repeated} of {one.grams}" for name, one in counted.items())
                print(f"  {number // 2} prompts: {told}", flush=True)
    except ModelUnavailable as missing:
        sys.exit(f"repetition: {missing}")
    ours, plain = counted["balanced"], counted["plain"]
    print(f"repetition: balanced {ours.share:.2%} of 4-grams, plain temperature 1 {plain.share:.2%}; "
          f"{ours.share / max(plain.share, 1e-9):.2f}x (claim <= 0.33x)")  # fmt: skip
    print("  repeated 4-grams: " + "; ".join(f"{name} {one.repeated} of {one.grams}" for name, one in counted.items()))
    print(f"  {len(prompts)} prompts of up to {TOKENS} tokens, seed {asked.seed}; answers with a 4-gram twice: balanced {ours.answers}, "
          f"plain {plain.answers}; {_measure.machine()}")  # fmt: skip
    studio.close()


if __name__ == "__main__":
    main()
