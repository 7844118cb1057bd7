"""The models tab as HTML: what is in memory, what came and went, and every model, with names from anywhere shown as text."""

from __future__ import annotations

import re
import time

import pytest

from studio import models
from studio.engines.endpoint import cards as elsewhere
from studio.residency import Moment, Resident, Status
from tabs import _residents

HOSTILE = '/home/x/<img src=x onerror="1">@abc/unet:bfloat16:none'


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("some/model@aaaa/vae:bfloat16:none", ("vae", "model")),
        ("/home/me/models/SmolLM2.gguf@17:gguf:4096", ("SmolLM2.gguf", "")),
        ("bundled:/opt/atelier/assets/icons", ("icons", "")),
        ("C:\\models\\big@aa/unet:float32:none", ("unet", "big")),
        ("some/model@aaaa/text_encoder:bfloat16:none:prompts", ("prompts read before", "model")),
        ("some/model@aaaa/vae:bfloat16:none:encodings", ("pictures encoded before", "model")),
        ("plain", ("plain", "")),
    ],
)
def test_a_component_is_named_by_its_part_and_model_without_folders(key: str, told: tuple[str, str]) -> None:
    assert _residents.named(key) == told


def test_the_bar_says_what_is_used_and_each_line_what_can_be_done() -> None:
    status = Status("2 CPU cores", 4_000_000_000, 1_000_000_000, (
        Resident("a/big@1/unet:bfloat16:none", 2_000_000_000, 0.0, in_use=True),
        Resident(HOSTILE, 500_000_000, 200.0, in_use=False, pinned=True),
    ))  # fmt: skip
    html = _residents.memory(status, own=True)
    assert "3.5 GB of 4.0 GB in use" in html
    assert [float(width) for width in re.findall(r"width:([\d.]+)%", html)] == [50.0, 12.5, 25.0]
    assert html.count('data-act="drop"') == 1 and html.count('data-act="free"') == 1 and html.count('data-act="pin"') == 1
    assert "<img" not in html and "&lt;img" in html
    assert "in use" in html and "3 min ago" in html
    assert "data-act" not in _residents.memory(status, own=False)


def test_what_came_and_went_is_said_in_words() -> None:
    now = time.time()
    told = [
        Moment(now, "loaded", "a/big@1/unet:bfloat16:none", 2_000_000_000, 1.25),
        Moment(now - 120, "made room", "old", 5_000_000),
        Moment(now, "unloaded", HOSTILE, 1_000_000),
        Moment(now, "failed", "broken", 1),
    ]
    html = _residents.moments(told)
    assert "Loaded unet of big (2.0 GB) in 1.2 s" in html
    assert "2 min</span> Moved old (5 MB) out of memory to make room" in html
    assert "<img" not in html and "Broken was not loaded after all" in html
    assert "Nothing was loaded yet" in _residents.moments([])


def test_every_model_is_listed_with_its_licence_and_what_can_be_done_with_it() -> None:
    known = (*models.discover(), *elsewhere("http://127.0.0.1:1/v1", "away", None))
    here = {card.name: card for card in known if card.starter or card.engine == "endpoint"}
    html = _residents.cards(known, here, own=True, fetching=True)
    for card in known:
        assert card.name.replace("&", "&amp;") in html
    warm = re.findall(r'data-act="warm" data-name="([^"]*)" data-kind="([^"]*)"', html)
    assert sorted(warm) == sorted((card.name, kind) for card in known for kind in card.serves if card.starter)
    assert 'data-act="fetch"' in html
    assert 'data-act="fetch"' not in _residents.cards(known, here, own=True, fetching=False)
    assert "data-act" not in _residents.cards(known, here, own=False, fetching=True)
