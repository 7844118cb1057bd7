"""Keeping, looping and fading a stretch of a sound: the samples that stay are the samples that were there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.creations import Creation, Sound
from studio.engines import sound_editor
from studio.errors import InvalidInput
from studio.music import files
from studio.provenance import sounds
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Compose

RATE = 32_000
SECONDS = 6


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = Studio.open(Settings(home=tmp_path_factory.mktemp("editor"), offline=True))
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def tone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of a chord that beats twice a second, in stereo."""
    time = np.arange(SECONDS * RATE) / RATE
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 277.2, 329.6)) * np.exp(-4 * (time % 0.5)) / 5
    file = tmp_path_factory.mktemp("sound") / "chord.wav"
    sound = Sound(np.stack([chord, chord * 0.8]).astype(np.float32), RATE)
    file.write_bytes(files.encode(sound, "wav24", files.Tags()))
    return file


def edited(studio: Studio, file: Path, use: str, start: float, end: float, **more: Any) -> Creation:
    values = {"prompt": "x", "reference": str(file), "reference_use": use, "region_start": start, "region_end": end, **more}
    (creation,) = [event for event in studio.run(Compose.checked(values)) if isinstance(event, Creation)]
    return creation


def facts(creation: Creation) -> dict[str, Any]:
    found = creation.record["facts"]
    assert isinstance(found, dict)
    return found


def test_a_region_kept_holds_the_very_samples(studio: Studio, tone: Path) -> None:
    kept = edited(studio, tone, "trim", 1.0, 3.5)
    assert np.array_equal(sounds.samples_of(kept.path), sounds.samples_of(tone)[:, RATE : round(3.5 * RATE)])
    model = kept.record["model"]
    assert isinstance(model, dict) and model["name"] == "Atelier Sound Editor"


def test_a_region_becomes_a_loop_of_whole_bars_at_the_tempo_told(studio: Studio, tone: Path) -> None:
    loop = edited(studio, tone, "loop", 1.3, 5.2, bpm=120)
    assert sounds.samples_of(loop.path).shape[1] == 4 * RATE
    assert facts(loop)["bars"] == 2 and facts(loop)["loop"]["jump_db"] < -40


def test_without_a_tempo_the_region_itself_is_closed(studio: Studio, tone: Path) -> None:
    loop = edited(studio, tone, "loop", 1.1, 2.3)
    assert sounds.samples_of(loop.path).shape[1] == round(1.2 * RATE)
    assert facts(loop)["loop"]["jump_db"] < -40


def test_a_fade_falls_at_the_end_and_rises_at_the_beginning(studio: Studio, tone: Path) -> None:
    whole = sounds.samples_of(tone).astype(np.int64)
    out = sounds.samples_of(edited(studio, tone, "fade", 4.0, 5.0).path).astype(np.int64)
    assert out.shape[1] == 5 * RATE and np.array_equal(out[:, : 4 * RATE], whole[:, : 4 * RATE])
    assert np.abs(out[:, -20:]).max() < np.abs(whole[:, 5 * RATE - 20 : 5 * RATE]).max() / 100
    rising = sounds.samples_of(edited(studio, tone, "fade", 0.5, 1.0).path).astype(np.int64)
    assert rising.shape[1] == round(5.5 * RATE) and np.array_equal(rising[:, RATE:], whole[:, round(1.5 * RATE) :])


def test_what_cannot_be_cut_is_refused_in_a_sentence(studio: Studio, tone: Path) -> None:
    asked = Compose(prompt="x", reference=str(tone), reference_use="trim", region_start=7.0, region_end=9.0)
    with pytest.raises(InvalidInput, match="Choose a stretch"):
        sound_editor.check(sound_editor.CARDS[0], asked)
    with pytest.raises(InvalidInput, match="shorter than a bar"):
        edited(studio, tone, "loop", 5.5, 6.0, bpm=60)
    with pytest.raises(InvalidInput, match="Nothing is selected"):
        Compose.checked({"prompt": "x", "reference": str(tone), "reference_use": "trim"})
