"""What every model's sheet says: class of its licence, what it is meant for, its limits and its data; unknown where it is."""

from __future__ import annotations

import pytest

from studio import models, sheets
from studio.models import Bundled, ModelCard
from tabs._status import card_facts

CARD = ModelCard(
    name="Tiny <b>", engine="dots", serves=("text_to_image", "inpaint"), source=Bundled(path="logo.svg"), licence="CC-BY-NC-4.0",
    commercial=False, limits={"width": (64, 512)}, ignores=("negative_prompt",), modes=("fill", "outpaint"), languages=("en",),
    unverified=("memory_gb",),
)  # fmt: skip


def test_a_sheet_says_what_the_card_knows() -> None:
    assert sheets.sheet(CARD) == {
        "Licence class": "not for commercial use: the model may not be used commercially, unless its maker gives you another licence",
        "Meant for": "pictures from words; changing parts of a picture; in these ways: fill, outpaint",
        "Limits": "Width from 64 to 512; does not use negative prompt; understands en",
        "Learned from": "unknown",
        "Not yet checked at its origin": "memory gb",
    }


def test_a_method_that_learned_nothing_says_so() -> None:
    plain = CARD.model_copy(update={"trained": False})
    assert "plain method" in sheets.sheet(plain)["Learned from"]


@pytest.mark.parametrize("card", models.discover(), ids=lambda card: card.name)
def test_every_card_has_a_whole_sheet(card: ModelCard) -> None:
    told = sheets.sheet(card)
    assert all(told.values())
    assert told["Learned from"] != "unknown" or card.engine not in ("starter_image", "starter_composer", "musicgen")
    assert "_" not in told["Meant for"]


def test_the_page_shows_the_sheet_and_escapes_it() -> None:
    told = card_facts(CARD, here=True)
    assert "<dt>Learned from</dt><dd>unknown</dd>" in told
    assert "More about Tiny &lt;b&gt;" in told
