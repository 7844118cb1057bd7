"""What the page says of a model."""

from __future__ import annotations

import pytest

from studio.models import Bundled, ModelCard
from tabs._status import card_facts


@pytest.mark.parametrize("here", [False, True])
def test_a_package_that_is_missing_is_named_until_it_is_installed(here: bool) -> None:
    card = ModelCard(name="A", engine="diffusion", serves=("inpaint",), source=Bundled(path="a"), needs=("numpy", "no-such-package"))
    assert "pip install no-such-package." in card_facts(card, here)
    assert "pip install" not in card_facts(card.model_copy(update={"needs": ("numpy",)}), here)
