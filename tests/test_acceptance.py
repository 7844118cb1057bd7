"""Licences that are accepted before the first download: which ones, once each, and by whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from studio import licences, models, sources
from studio.__main__ import app
from studio.creations import Creation
from studio.device import Device
from studio.errors import Refused
from studio.library import Library
from studio.licences import Licences
from studio.manager import Manager
from studio.models import Bundled, Folder, Hub, ModelCard
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import TextToImage
from tabs import _licences, _models
from tests.test_batches import CARD, Dots

FAR = ModelCard(
    name="Far", engine="dots", serves=("text_to_image",), source=Hub(repo="some/where", revision="a" * 40), licence="CC-BY-NC-4.0",
    commercial=False, quality=50, memory_gb=0.001, defaults={"width": 64, "height": 64, "steps": 1},
)  # fmt: skip


@pytest.mark.parametrize(
    ("licence", "commercial", "kind"),
    [
        ("Apache-2.0", True, "open"),
        ("MIT", True, "open"),
        ("CC-BY-4.0", "unknown", "open"),
        ("CC-BY-NC-4.0", False, "non-commercial"),
        ("CC-BY-NC-SA-4.0", "unknown", "non-commercial"),
        ("FLUX.1 [dev] Non-Commercial License", False, "non-commercial"),
        ("unknown", False, "non-commercial"),
        ("sai-nc-community (Stability AI)", "limited", "non-commercial"),
        ("Stability AI Community License", "limited", "community"),
        ("Llama 3.2 Community License", "limited", "community"),
        ("creativeml-openrail-m", True, "use-based"),
        ("MIT; as a descendant of Stable Diffusion under its terms too", True, "use-based"),
        ("unknown", "unknown", "unknown"),
    ],
)
def test_a_licence_has_a_class(licence: str, commercial: Any, kind: str) -> None:
    known = licences.terms(FAR.model_copy(update={"licence": licence, "commercial": commercial}))
    assert known.kind == kind
    assert known.asks == (kind not in ("open", "unknown"))
    assert bool(known.restricts) == known.asks


@pytest.mark.parametrize("card", models.discover(), ids=lambda card: card.name)
def test_every_card_has_a_class_and_no_card_that_says_it_is_limited_goes_unasked(card: ModelCard) -> None:
    known = licences.terms(card)
    assert known.kind in licences.KINDS
    assert known.asks or card.commercial is True or known.kind == "unknown", card.licence


def test_a_licence_is_accepted_once_for_all_its_models(home: Path) -> None:
    kept = Licences(home, public=False)
    other = FAR.model_copy(update={"name": "Further"})
    with pytest.raises(Refused, match=r"licence of Far first.*CC-BY-NC-4\.0: the model may not be used commercially, unless"):
        kept.require(FAR)
    kept.accept("CC-BY-NC-4.0", "ana")
    Licences(home, public=False).require(other)
    kept.accept("CC-BY-NC-4.0", "ben")
    assert kept.accepted()["CC-BY-NC-4.0"].who == "ana"
    assert kept.lacks(FAR.model_copy(update={"licence": "Stability AI Community License", "commercial": "limited"})) is not None


def test_two_names_of_one_licence_are_accepted_once_also_where_either_was_accepted_before(home: Path) -> None:
    kept, names = Licences(home, public=False), ("stabilityai-ai-community", "Stability AI Community License")
    one, other = (FAR.model_copy(update={"name": name, "licence": name, "commercial": "limited"}) for name in names)
    assert licences.listed([one, other]) == {names[1]: (licences.terms(other), names)}
    kept.accept("CC-BY-NC-4.0", "cid")
    kept.accept(names[0], "ana")
    assert (kept.lacks(one), kept.lacks(other)) == (None, None)
    (file,) = (home / "licences").rglob("*.json")
    said = json.loads(file.read_text())
    rows = [row for row in said if row["who"] == "cid"]
    rows += [
        {"licence": names[1], "who": "ben", "when": "2026-03-01T00:00:00Z"},
        {"licence": names[0], "who": "eva", "when": "2026-01-01T00:00:00Z"},
    ]
    for before in (rows, rows[:1] + rows[2:]):  # as an earlier version wrote them
        file.write_text(json.dumps(before))
        again = Licences(home, public=False)
        assert (again.lacks(one), again.lacks(other)) == (None, None)
        assert (again.accepted()[names[1]].who, sorted(again.accepted())) == ("eva", ["CC-BY-NC-4.0", names[1]])
    again.accept(names[1], "dan")
    assert [row["who"] for row in json.loads(file.read_text()) if row["licence"] == names[1]] == ["eva"]


def test_nothing_is_asked_of_starters_of_ones_own_files_and_of_visitors(home: Path) -> None:
    own = FAR.model_copy(update={"source": Folder(path="/mine")})
    for card, public in ((own, False), (FAR.model_copy(update={"starter": True}), False), (FAR, True)):
        assert Licences(home, public=public).lacks(card) is None
    assert licences.listed([own, FAR, CARD]) == {"CC-BY-NC-4.0": (licences.terms(FAR), ("Far",))}


def test_a_damaged_file_asks_again(home: Path) -> None:
    kept = Licences(home, public=False)
    kept.accept("CC-BY-NC-4.0")
    (file,) = (home / "licences").rglob("*.json")
    file.write_text("{")
    assert kept.lacks(FAR) is not None
    kept.accept("CC-BY-NC-4.0")
    assert kept.lacks(FAR) is None


@pytest.fixture
def studio(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """A studio where both cards are here, and whose downloads are noted."""
    dots = Dots()
    monkeypatch.setattr(models, "engines", lambda: {"dots": SimpleNamespace(CARDS=(CARD, FAR), recipe=dots.recipe)})
    monkeypatch.setattr(sources, "ready", lambda card, places: card)
    monkeypatch.setattr(sources, "fetch", lambda *given, **more: None)
    settings = Settings(home=home, cache=home.parent / "cache", offline=True, mode="local")
    device = Device("cpu", 1)
    made = Studio(settings, (CARD, FAR), device, Manager(device), Library(home))
    yield made
    made.close()


def test_before_a_licence_is_accepted_its_weights_are_neither_fetched_nor_used(studio: Studio) -> None:
    for attempt in (lambda: studio.download("Far", "text_to_image"), lambda: studio.run(TextToImage(prompt="x", model="Far"))):
        with pytest.raises(Refused, match="Accept the licence of Far first"):
            list(attempt())
    assert studio.library.journal.jobs() == ()
    (made,) = [event for event in studio.run(TextToImage(prompt="x")) if isinstance(event, Creation)]
    assert made.record["model"]["name"] == "Dots"  # type: ignore[index,call-overload]
    studio.licences.accept("CC-BY-NC-4.0")
    assert list(studio.download("Far", "text_to_image")) is not None
    (made,) = [event for event in studio.run(TextToImage(prompt="x")) if isinstance(event, Creation)]
    assert (made.record["model"]["name"], made.record["model"]["commercial"]) == ("Far", False)  # type: ignore[index,call-overload]
    assert Bundled(path="logo.svg") == CARD.source


def test_the_button_under_a_model_says_what_its_licence_restricts_and_accepts_it(studio: Studio) -> None:
    told, button = _models._described(studio, "text_to_image", "Far", "")
    assert "CC-BY-NC-4.0: the model may not be used commercially" in told
    assert (button.visible, button.value) == (True, "Accept the licence of Far")
    ((said, *_),) = _models._brought(studio, "text_to_image", "Far", "ana")
    assert "The licence of Far is accepted." in said
    assert studio.licences.accepted()["CC-BY-NC-4.0"].who == "ana"
    told, button = _models._described(studio, "text_to_image", "Far", "")
    assert ("CC-BY-NC-4.0: the model" in told, button.visible) == (False, False)


def test_the_fold_of_licences_lists_those_that_ask_and_who_accepted(studio: Studio) -> None:
    assert 'data-licence="CC-BY-NC-4.0"' in _licences.listed(studio)
    studio.licences.accept("CC-BY-NC-4.0", "ana")
    told = _licences.listed(studio)
    assert ("accepted on 20" in told, "data-licence" in told) == (True, False)


def test_the_command_fetches_only_what_was_accepted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "engines", lambda: {"dots": SimpleNamespace(CARDS=(FAR,))})
    fetched: list[object] = []
    monkeypatch.setattr(sources, "locate", lambda source, places: None)
    monkeypatch.setattr(sources, "fetch", lambda source, *given, **more: fetched.append(source))
    refused = CliRunner().invoke(app, ["--home", str(home), "download", "Far"])
    assert (refused.exit_code, fetched) == (1, [])
    assert "Add --accept" in refused.stderr
    assert CliRunner().invoke(app, ["--home", str(home), "download", "Far", "--accept"]).exit_code == 0
    assert CliRunner().invoke(app, ["--home", str(home), "download", "Far"]).exit_code == 0
    assert fetched == [FAR.source, FAR.source]
