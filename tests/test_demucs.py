"""Stems of recordings: a tiny real HTDemucs through our engine, beside the package's own separation, and through the studio.

Without the package demucs these tests are skipped with one line; with CI=true they fail instead.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from studio.creations import Creation, Sound
from studio.device import Device
from studio.engines import demucs
from studio.errors import Cancelled, InvalidInput, ModelUnavailable
from studio.models import Folder, ModelCard
from studio.music import files
from studio.music.package import package
from studio.provenance import sounds
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Compose
from tabs import _actions
from tests import tiny_music
from tests.test_audio_stops import LEFT, counted, kept

CPU = Device("cpu")
RATE = 24_000
NAMES = ("drums", "bass", "other", "vocals")
pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tiny_music.needs_demucs()
    return tiny_music.demucs(tmp_path_factory.mktemp("stems") / "tiny")


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One and a half seconds, in stereo, at another rate than the network's."""
    file = tmp_path_factory.mktemp("song") / "song.wav"
    file.write_bytes(files.encode(Sound(noise(), RATE), "wav24", files.Tags()))
    return file


@pytest.fixture(scope="module")
def studio(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("home")
    (home / "models.toml").write_text(
        f'[[card]]\nname = "HTDemucs"\nengine = "demucs"\nserves = ["music"]\nmodes = ["separate"]\nneeds = ["demucs"]\n'
        f'ignores = ["region_start"]\nmemory_gb = 0.1\nlicence = "unknown"\nsource = {{ kind = "folder", path = "{model.as_posix()}" }}\n'
    )
    studio = Studio.open(Settings(home=home, offline=True, models=home / "models.toml"))
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def stems(studio: Studio, song: Path) -> dict[str, Creation]:
    return separated(studio, song)


def noise(seconds: float = 1.5) -> Any:
    found = np.random.default_rng(7).normal(0, 0.1, (2, round(seconds * RATE)))
    return (found * np.linspace(0.2, 1, found.shape[1])).astype(np.float32)


def separated(studio: Studio, file: Path, **more: Any) -> dict[str, Creation]:
    task = Compose.checked({"prompt": "a song", "reference": str(file), "reference_use": "separate", **more})
    made = [event for event in studio.run(task) if isinstance(event, Creation)]
    return {str(facts(one)["stem"]): one for one in made}


def facts(creation: Creation) -> dict[str, Any]:
    found = creation.record["facts"]
    assert isinstance(found, dict)
    return found


def card(folder: Path) -> ModelCard:
    source = Folder(path=str(folder))
    return ModelCard(name="Tiny", engine="demucs", serves=("music",), modes=("separate",), source=source, files=folder, needs=("demucs",))


def loaded(folder: Path) -> demucs.Stems:
    part = demucs.recipe(card(folder), Compose.checked({"prompt": "x"}), CPU).components["network"]
    return part.load(lambda _: None)


@pytest.mark.parametrize("seconds", [0.2, 0.5, 1.3])
def test_stems_are_those_of_the_packages_own_separation(model: Path, seconds: float) -> None:
    import torch

    network = loaded(model)
    sound = noise(4)[:, : round(seconds * network.rate)]
    ours = demucs.separated(network, sound, "cpu", lambda _: None)
    apply: Any = import_module("demucs.apply").apply_model
    middle = sound.mean(0)
    mean, deviation = middle.mean(), middle.std(ddof=1) + 1e-8
    theirs = apply(network.network, torch.from_numpy((sound - mean) / deviation)[None], shifts=0)[0].numpy() * deviation + mean
    assert ours.shape == (4, 2, sound.shape[1])
    assert np.abs(ours - theirs).max() < 1e-5 < np.abs(ours).max()


def test_a_recording_becomes_a_take_for_each_stem(stems: dict[str, Creation], song: Path) -> None:
    assert tuple(stems) == NAMES
    heard = {name: sounds.samples_of(one.path) for name, one in stems.items()}
    assert {samples.shape for samples in heard.values()} == {sounds.samples_of(song).shape}
    assert len({samples.tobytes() for samples in heard.values()}) == len(NAMES)
    assert all("Taken apart by HTDemucs" in str(facts(one)["notes"]) for one in stems.values())
    assert all(str(one.record["digital_source_type"]).endswith("compositeWithTrainedAlgorithmicMedia") for one in stems.values())


def test_what_is_said_of_the_stems_together_is_what_they_are(stems: dict[str, Creation], song: Path) -> None:
    mix = files.read(song).samples.astype(np.float64)
    told = facts(stems["drums"])
    whole = sum(files.read(one.path).samples.astype(np.float64) for one in stems.values()) / 10 ** (told["gain_db"] / 20)
    away = 10 * np.log10(np.mean((mix - whole) ** 2) / np.mean(mix**2))
    assert abs(away - told["rest_db"]) < 0.5


def test_the_zip_holds_the_stems_and_calls_them_estimates(studio: Studio, song: Path) -> None:
    task = {"prompt": "a song", "reference": str(song), "reference_use": "trim", "region_start": 0, "region_end": 1}
    (take,) = [event for event in studio.run(Compose.checked(task)) if isinstance(event, Creation)]
    found = separated(studio, take.path)
    assert {tuple(one.record["parents"]) for one in found.values()} == {(take.id,)}  # pyright: ignore[reportArgumentType]
    archive = zipfile.ZipFile(io.BytesIO(package(take, None, found)))
    assert {name for name in archive.namelist() if name.startswith("stems/")} == {f"stems/{name}.wav" for name in NAMES}
    words = archive.read("LICENCES.txt").decode()
    assert "separated from the mix by HTDemucs, licence of the model: unknown" in words and "estimates" in words
    assert "Stems: none" in zipfile.ZipFile(io.BytesIO(package(take))).read("LICENCES.txt").decode()


def test_the_stems_of_a_loop_are_loops(studio: Studio, song: Path) -> None:
    task = {"prompt": "x", "reference": str(song), "reference_use": "loop", "region_start": 0.2, "region_end": 1.0}
    (loop,) = [event for event in studio.run(Compose.checked(task)) if isinstance(event, Creation)]
    found = separated(studio, loop.path)
    size = sounds.samples_of(loop.path).shape
    assert all(sounds.samples_of(one.path).shape == size and facts(one)["loop"]["jump_db"] < -40 for one in found.values())


def test_a_stop_is_the_last_layer_and_leaves_nothing_in_memory(model: Path, song: Path) -> None:
    task = Compose.checked({"prompt": "x", "reference": str(song), "reference_use": "separate"})
    recipe = demucs.recipe(card(model), task, CPU)
    parts = {"network": recipe.components["network"].load(lambda _: None)}
    steps: list[int] = []
    events: list[Any] = []

    def report(event: Any) -> None:
        events.append(event)
        if len(events) == 14:
            raise Cancelled

    def stopped() -> None:
        events.clear()
        steps.clear()
        with pytest.raises(Cancelled):
            list(recipe.build(parts)(task, report))

    with counted(parts["network"].network.encoder[0], steps):
        stopped()
        with kept() as found:
            stopped()
        assert len(steps) in (1, 2)
        assert found["bytes"] <= LEFT
        steps.clear()
        list(recipe.build(parts)(task, lambda _: None))
        assert len(steps) > 2


@pytest.mark.parametrize(
    "changed", [{"klass": "os.system"}, {"structure": "{}"}, {"kwargs": "{}"}, {"kwargs": "[1"}, {"kwargs": '{"sources": ["../x"]}'}]
)
def test_a_file_that_is_another_network_is_refused(changed: dict[str, str], tmp_path: Path) -> None:
    tiny_music.needs_demucs()
    with pytest.raises(ModelUnavailable):
        loaded(tiny_music.demucs(tmp_path / "other", **changed))


def test_weights_of_other_sizes_are_refused(tmp_path: Path) -> None:
    tiny_music.needs_demucs()
    sizes = {"sources": list(NAMES), "channels": 16, "t_layers": 1, "nfft": 1024}
    with pytest.raises(ModelUnavailable, match="do not fit together"):
        loaded(tiny_music.demucs(tmp_path / "other", kwargs=json.dumps(sizes)))


def test_more_than_one_network_is_refused(model: Path, tmp_path: Path) -> None:
    (tmp_path / "bag").mkdir()
    for name in ("one", "two"):
        (tmp_path / "bag" / f"{name}.safetensors").write_bytes((model / "0a1b2c3d.safetensors").read_bytes())
    with pytest.raises(ModelUnavailable, match="2 are there"):
        loaded(tmp_path / "bag")


def test_without_the_package_the_command_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demucs, "find_spec", lambda name: None)
    with pytest.raises(ModelUnavailable, match="run make demucs"):
        demucs.recipe(card(tmp_path), Compose.checked({"prompt": "x"}), CPU)


def test_the_page_offers_it_where_it_can_be_done_and_else_names_the_commands(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    form: Any = SimpleNamespace(studio=studio, task=Compose)
    assert _actions.separating(form) == (True, "")
    monkeypatch.setattr(_actions, "find_spec", lambda name: None)
    assert _actions.separating(form) == (
        False, "HTDemucs (licence unknown) takes recordings apart into stems, once this has been run here: make demucs."
    )  # fmt: skip


def test_it_takes_apart_and_does_nothing_else(studio: Studio, song: Path) -> None:
    with pytest.raises(InvalidInput, match="HTDemucs cannot do this"):
        list(studio.run(Compose.checked({"prompt": "x", "model": "HTDemucs"})))
    with pytest.raises(InvalidInput, match="Region start"):
        separated(studio, song, region_start=0.5)
