"""Models that write sound, through the studio: they play while they are made, a stop keeps what there is, and codes go on from there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.creations import Creation, Preview, Sound
from studio.errors import Cancelled, InvalidInput
from studio.music import files
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Compose
from tests import tiny_music

CARDS = """
[[card]]
name = "Tiny MusicGen"
engine = "musicgen"
serves = ["music"]
modes = ["make", "continue"]
licence = "CC-BY-NC-4.0"
commercial = false
memory_gb = 0.1
ignores = ["lyrics", "steps"]
source = {{ kind = "folder", path = "{folder}" }}
options = {{ dtype = "float32" }}

[[card]]
name = "audiocraft debug"
engine = "audiocraft"
serves = ["music"]
modes = ["make", "continue"]
licence = "MIT"
memory_gb = 0.1
needs = ["audiocraft"]
source = {{ kind = "bundled", path = "audiocraft-debug" }}
options = {{ kind = "MusicGen", debug = true }}
"""


def listed(folder: Path) -> Path:
    """A model list with a tiny MusicGen, saved beside it, and audiocraft's own debug model."""
    tiny_music.musicgen(folder / "tiny")
    file = folder / "models.toml"
    file.write_text(CARDS.format(folder=folder / "tiny"))
    return file


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    import torch

    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("music")
    studio = Studio.open(Settings(home=folder / "home", offline=True, models=listed(folder), device="cpu"))
    yield studio
    studio.close()


def task(**fields: Any) -> Compose:
    return Compose.checked({"prompt": "calm piano", "model": "Tiny MusicGen", "duration": 2, "seed": 3} | fields)


def made(studio: Studio, asked: Compose) -> Creation:
    (creation,) = [event for event in studio.run(asked) if isinstance(event, Creation)]
    return creation


def codes(creation: Creation) -> np.ndarray:
    return np.load(creation.attachments["codes.npz"])["codes"]


def facts(creation: Creation) -> dict[str, Any]:
    found = creation.record["facts"]
    assert isinstance(found, dict)
    return found


def test_it_plays_while_it_is_made_and_every_stretch_arrives(studio: Studio) -> None:
    heard = 0
    take = None
    for event in studio.run(task(loudness="as is")):
        if isinstance(event, Preview) and event.sound is not None:
            assert take is None
            heard += event.sound.samples.shape[1]
        take = event if isinstance(event, Creation) else take
    assert take is not None
    assert heard == files.read(take.path).samples.shape[1]
    assert {"codes.npz"} == set(take.attachments)


def test_stopping_keeps_the_sound_so_far_and_its_codes_go_on_as_if_nothing_had_happened(studio: Studio) -> None:
    whole = made(studio, task(duration=4, loudness="as is"))
    kept: list[Creation] = []
    with pytest.raises(Cancelled):
        for event in studio.run(task(duration=4, loudness="as is")):
            if isinstance(event, Preview) and event.sound is not None:
                studio.stop()
            kept += [event] if isinstance(event, Creation) else []
    (part,) = kept
    so_far = files.read(part.path)
    assert 0 < so_far.seconds < 4
    assert facts(part)["finish"] == "stopped"
    rest = task(duration=4 - so_far.seconds, loudness="as is", reference=str(part.attachments["codes.npz"]), reference_use="continue")
    again = made(studio, rest)
    assert files.read(again.path).seconds == pytest.approx(4, abs=0.03)
    begun = codes(part).shape[1]
    assert np.array_equal(codes(again)[:, :begun], codes(part))
    assert np.array_equal(codes(again)[:, : codes(whole).shape[1]], codes(whole)[:, : codes(again).shape[1]])


def test_a_loop_of_sound_is_whole_bars(studio: Studio) -> None:
    loop = made(studio, task(duration=5, loop=True, bpm=120))
    assert files.read(loop.path).seconds == pytest.approx(4.0, abs=0.001)
    assert facts(loop)["loop"]["bars"] == 2


def test_what_it_does_not_use_is_refused_with_the_field_named(studio: Studio, tmp_path: Path) -> None:
    file = tmp_path / "x.wav"
    file.write_bytes(files.encode(Sound(np.zeros((1, 32_000), np.float32), 32_000), "wav16", files.Tags()))
    with pytest.raises(InvalidInput, match="does not use Lyrics"):
        list(studio.run(task(lyrics="la la")))
    with pytest.raises(InvalidInput, match="cannot do this"):
        list(studio.run(task(reference=str(file), reference_use="cover")))


def test_a_model_without_words_of_its_own_is_not_written_for(studio: Studio) -> None:
    with pytest.raises(InvalidInput, match="Tiny MusicGen goes by your words as they are"):
        list(studio.enhance(task(model="Tiny MusicGen")))


def test_audiocrafts_own_debug_model_makes_sound_the_same_way(studio: Studio) -> None:
    tiny_music.needs_audiocraft()
    take = made(studio, task(model="audiocraft debug", duration=1))
    sound = files.read(take.path)
    assert sound.rate == 32_000 and sound.seconds == pytest.approx(1, abs=0.1)
    assert np.abs(sound.samples).max() > 0.01
