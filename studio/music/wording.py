"""The mood that a writer hears in words that name none: what it is asked, and what becomes of its answer.

Asked for a mood, a small writer says the words that it likes best whatever the scene (4 to 6 of 14 scenes were heard right, 4 by chance).
So it goes on with a sentence, may say moods alone, and each mood is weighed against how likely it is of no scene at all (Holtzman et al.,
"Surface form competition", 2021): then it heard 11 of 11 scenes right that this was made with, and 23 of 25 others. Knows no writer.
"""

from __future__ import annotations

from dataclasses import dataclass

from studio.errors import InvalidInput
from studio.music.brief import mood_in
from studio.music.moods import MOODS

QUESTION = "Describe a film scene."
DOCUMENT = "The film scene shows {scene}. The mood of the scene is"
LONGEST = 300
"""Characters of a prompt that the writer reads."""
USUAL = {
    "calm": (" calm", -5.86), "happy": (" happy", -6.30), "sad": (" sad", -6.51), "melancholic": (" mel", -4.21),
    "nostalgic": (" nostalg", -6.35), "dreamy": (" dream", -6.43), "romantic": (" romantic", -4.55), "hopeful": (" hopeful", -3.59),
    "playful": (" playful", -7.73), "energetic": (" energetic", -8.04), "triumphant": (" triumphant", -10.41), "epic": (" epic", -6.77),
    "dark": (" dark", -3.62), "tense": (" tense", -3.14), "angry": (" angry", -8.81), "mysterious": (" mysterious", -6.34),
}  # fmt: skip
"""How each mood begins, and the logarithm of how likely that is where the scene is something, a scene, a place, people or a day: means
measured with SmolLM2 135M, the writer that ships with the studio."""


@dataclass(frozen=True)
class Asked:
    """What a writer is to choose: it goes on with `document`, by `grammar`; `bias` is added to the logarithms of beginnings of words."""

    question: str
    grammar: str
    document: str
    bias: tuple[tuple[str, float], ...]
    temperature: float = 0.05


class Wording:
    """The composer's words for longer prompts: one mood."""

    def asked(self, prompt: str, style: str = "", seed: int = 0) -> Asked:  # noqa: ARG002  a picture's wording has both
        """Raises InvalidInput where the prompt names a mood already."""
        if (named := mood_in(prompt)) is not None:
            raise InvalidInput(f"Your words name a mood already, {named.name}: change it there, or under “Change the plan”.", "prompt")
        scene = " ".join(prompt.split())[:LONGEST].rstrip(" .,;:!?")
        grammar = "root ::= " + " | ".join(f'" {mood}"' for mood in MOODS)
        return Asked(QUESTION, grammar, DOCUMENT.format(scene=scene), tuple((begins, -level) for begins, level in USUAL.values()))

    def filled(self, prompt: str, answer: str, style: str = "") -> str:  # noqa: ARG002
        """The prompt with the mood that was chosen; as it was after any other answer."""
        mood = answer.strip()
        return f"{' '.join(prompt.split()).rstrip(' .,;')}, {mood}" if mood in MOODS else prompt
