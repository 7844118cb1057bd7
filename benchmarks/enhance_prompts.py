"""Does "Enhance prompt" leave the asked thing alone? Twenty prompts through the starter's writer: the share whose reading is unchanged.

    python -m benchmarks.enhance_prompts

It prints every longer prompt, the share that the starter reads as before (concepts and relation; the bar is 100 %), the share that
became longer, and the seconds a prompt.
"""

from __future__ import annotations

import time

from studio.creations import Preview
from studio.settings import Settings, prepare_environment
from studio.starter.icons import IconLibrary
from studio.starter.wording import Wording
from studio.studio import Studio
from studio.tasks import TextToImage

PROMPTS = (
    "a cat", "a red apple", "an owl on a tree", "a castle", "a cat on a rocket", "a robot beside a sunflower", "an elephant", "a house",
    "a yellow heart", "a cup of coffee", "a fish", "two dogs", "a dragon", "an orange", "a rose", "a boat on a blue background",
    "a cute penguin, cartoon", "a bowl of cherries", "a guitar", "an umbrella",
)  # fmt: skip


def main() -> None:
    """Enhance each prompt once and compare what would be drawn."""
    settings = Settings()
    prepare_environment(settings)
    studio = Studio.open(settings)
    wording = Wording(IconLibrary.open(settings.assets / "icons"))
    same, longer, many = 0, 0, len(PROMPTS)
    began = time.monotonic()
    for prompt in PROMPTS:
        texts = [event.text for event in studio.enhance(TextToImage(prompt=prompt)) if isinstance(event, Preview)]
        result = texts[-1] or ""
        kept = wording.concepts(prompt) == wording.concepts(result)
        same, longer = same + kept, longer + (len(result) > len(prompt))
        print(f"{'same ' if kept else 'OTHER'} {prompt!r} -> {result!r}")
    print(f"read as before: {same}/{many}; longer: {longer}/{many}; {(time.monotonic() - began) / many:.2f} s a prompt")
    studio.close()


if __name__ == "__main__":
    main()
