"""Days of work for one device: which jobs come when, over which components, of the sizes that such models have. Not a script.

Three users, ten pipelines, twenty components in common; sizes in MiB, times in seconds. The same seed is the same day on every machine.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

GB = 1024
USERS, JOBS = 3, 400

PARTS: Mapping[str, int] = {
    name: round(size * GB)
    for name, size in {
        "clip l": 0.25, "clip g": 1.39, "t5": 9.5, "qwen 4b": 8.0,
        "sd unet": 1.72, "sd inpaint unet": 1.72, "sd vae": 0.17, "upscaler": 0.07,
        "sdxl unet": 5.14, "sdxl inpaint unet": 5.14, "sdxl control": 2.5, "sdxl vae": 0.17,
        "flux transformer": 23.8, "flux vae": 0.17, "z transformer": 12.3,
        "player": 3.7, "t5 base": 0.22, "codec": 0.06,
        "writer": 3.4, "large writer": 15.2,
    }.items()
}  # fmt: skip
HALVED = ("t5", "flux transformer", "qwen 4b", "z transformer")
"""What is held in 8 bits where 16 would not fit at all, under every policy alike."""


@dataclass(frozen=True)
class Craft:
    """A pipeline: its components in the order in which they are used, GB beside the weights while it works and decodes, and seconds."""

    parts: tuple[str, ...]
    working: float
    decoding: float
    seconds: float
    popular: float


PIPELINES: Mapping[str, Craft] = {
    "sd": Craft(("clip l", "sd unet", "sd vae", "upscaler"), 1.0, 1.5, 1.5, 8),
    "sd inpaint": Craft(("clip l", "sd inpaint unet", "sd vae"), 1.0, 1.5, 1.5, 4),
    "sdxl": Craft(("clip l", "clip g", "sdxl unet", "sdxl vae"), 2.0, 4.6, 3.0, 8),
    "sdxl inpaint": Craft(("clip l", "clip g", "sdxl inpaint unet", "sdxl vae"), 2.0, 4.6, 3.0, 4),
    "sdxl control": Craft(("clip l", "clip g", "sdxl control", "sdxl unet", "sdxl vae"), 2.5, 4.6, 4.0, 2),
    "flux": Craft(("clip l", "t5", "flux transformer", "flux vae"), 3.5, 4.6, 5.0, 3),
    "z": Craft(("qwen 4b", "z transformer", "flux vae"), 2.5, 4.6, 2.5, 4),
    "music": Craft(("t5 base", "player", "codec"), 1.0, 0.5, 6.0, 4),
    "write": Craft(("writer",), 1.0, 0.0, 3.0, 6),
    "write long": Craft(("large writer",), 1.5, 0.0, 6.0, 2),
}
SIBLINGS = (("sd", "sd inpaint"), ("sdxl", "sdxl inpaint", "sdxl control"), ("write", "write long"))


@dataclass(frozen=True)
class Job:
    """One job: when it is asked for, by whom, its components and their sizes, working bytes by component, and the seconds that it runs."""

    at: float
    user: int
    pipeline: str
    parts: Mapping[str, int]
    working: Mapping[str, int]
    seconds: float

    @property
    def most(self) -> int:
        """Its working bytes at their peak."""
        return max(self.working.values())


def day(seed: int, budget: int, jobs: int = JOBS) -> list[Job]:
    """Jobs at a device with `budget` MiB, busy 70 % of it: users stay with a pipeline (60 %), go to a sibling (15 %) or elsewhere."""
    dice = random.Random(seed)
    now, chosen = 0.0, dict.fromkeys(range(USERS), "sd")
    made: list[Job] = []
    mean = sum(craft.seconds * craft.popular for craft in PIPELINES.values()) / sum(craft.popular for craft in PIPELINES.values())
    for _ in range(jobs):
        now += dice.expovariate(0.7 / mean)
        user = dice.randrange(USERS)
        chosen[user] = _next(dice, chosen[user])
        made.append(_job(now, user, chosen[user], dice.choice((0.5, 1.0, 1.0)), budget))
    return made


def _next(dice: random.Random, now: str) -> str:
    kind = dice.random()
    family = next((names for names in SIBLINGS if now in names), (now,))
    if kind < 0.6:
        return now
    if kind < 0.75:
        return dice.choice(family)
    return dice.choices(list(PIPELINES), [craft.popular for craft in PIPELINES.values()])[0]


def _job(at: float, user: int, name: str, size: float, budget: int) -> Job:
    craft = PIPELINES[name]
    parts = {part: PARTS[part] for part in craft.parts}
    if sum(parts.values()) + craft.decoding * GB > budget:
        parts |= {part: parts[part] // 2 for part in parts if part in HALVED}
    encoders = craft.parts[: -2 if craft.decoding else 0]
    working = {part: round(size * craft.working * GB) for part in craft.parts if part not in encoders}
    if craft.decoding:
        working[craft.parts[-1]] = round(size * craft.decoding * GB)
    return Job(at, user, name, parts, working, craft.seconds * size)
