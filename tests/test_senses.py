"""Pictures and sounds in one space with words, by models of real classes at tiny size, and found in the library as it grows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio import noticing, senses
from studio.creations import Sound
from studio.embedding import Embedder
from studio.errors import ModelUnavailable, ModelUnsafe
from studio.library import Library
from studio.models import Folder, ModelCard
from studio.noticing import Noticing
from studio.provenance import pictures, sounds
from studio.senses import HEARING, SIGHT, Sense
from studio.shelf import Filter
from studio.sources import Places
from tests import tiny
from tests.samples import record

pytestmark = pytest.mark.usefixtures("one_thread")

SIDE = 32
RATE = 8000


def clip(folder: Path) -> Path:
    """CLIP with random weights."""
    import torch
    from transformers import CLIPConfig, CLIPModel

    small = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    words = {**small, "vocab_size": 514, "bos_token_id": 512, "eos_token_id": 513}
    torch.manual_seed(0)
    config = CLIPConfig(text_config=words, vision_config={**small, "image_size": SIDE, "patch_size": 16}, projection_dim=12)
    CLIPModel(config).save_pretrained(folder)
    tiny.clip_words().save_pretrained(folder)
    return folder


def clap(folder: Path) -> Path:
    """CLAP with random weights, which listens to a second."""
    import torch
    from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, RobertaTokenizer

    words = {
        "vocab_size": 300, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "max_position_embeddings": 40, "projection_dim": 12,
    }  # fmt: skip
    ears = {
        "window_size": 4, "num_mel_bins": 16, "spec_size": 64, "patch_size": 4, "patch_stride": [4, 4], "num_classes": 4,
        "hidden_size": 32, "projection_dim": 12, "depths": [1, 1], "num_attention_heads": [2, 2], "patch_embeds_hidden_size": 16,
        "enable_fusion": False, "num_hidden_layers": 2,
    }  # fmt: skip
    torch.manual_seed(0)
    ClapModel(ClapConfig(text_config=words, audio_config=ears, projection_dim=12)).save_pretrained(folder)
    letters = sorted(_alphabet())
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *letters]
    RobertaTokenizer(vocab={piece: number for number, piece in enumerate(pieces)}, merges=[]).save_pretrained(folder)
    extractor = ClapFeatureExtractor(
        feature_size=16, sampling_rate=RATE, hop_length=80, max_length_s=1, fft_window_size=256, frequency_max=4000, truncation="rand_trunc"
    )
    extractor.save_pretrained(folder)
    return folder


def _alphabet() -> list[str]:
    from tokenizers.pre_tokenizers import ByteLevel

    return ByteLevel.alphabet()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("senses")
    return {"picture": clip(root / "clip"), "sound": clap(root / "clap")}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "assets", tmp_path / "cache", tmp_path / "home", offline=True, hub_caches=())


def at(card: ModelCard, folder: Path) -> ModelCard:
    return card.model_copy(update={"source": Folder(path=str(folder))})


def shade(file: Path, *colours: tuple[int, ...], mode: str = "RGB") -> Path:
    """A picture of as many stripes beside one another as there are colours."""
    stripes = [np.full((48, 16, len(mode)), colour, np.uint8) for colour in colours]
    Image.fromarray(np.concatenate(stripes, axis=1), mode).save(file)
    return file


def tone(file: Path, hertz: float, seconds: float = 1.5) -> Path:
    import soundfile

    soundfile.write(file, 0.5 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * 24000)) / 24000), 24000)
    return file


def test_pictures_and_words_lie_in_one_space_each_at_length_1(folders: dict[str, Path], places: Places, tmp_path: Path) -> None:
    sense = Sense(at(SIGHT, folders["picture"]), "picture", places)
    assert sense.here and not sense.loaded
    files = [shade(tmp_path / "a.png", (250, 0, 0)), shade(tmp_path / "b.png", (0, 0, 250), (0, 200, 0))]
    seen, said = sense.works(files), sense.words(["a red wall", "a red wall", "b" * 500])
    assert seen.shape == (2, 12) and said.shape == (3, 12) and seen.dtype == np.float32
    assert np.allclose(np.linalg.norm(np.concatenate([seen, said]), axis=1), 1, atol=1e-5)
    assert np.allclose(said[0], said[1], atol=1e-6) and not np.allclose(said[0], said[2], atol=1e-3)
    assert not np.allclose(seen[0], seen[1], atol=1e-3)
    sense.unload()
    assert not sense.loaded and np.allclose(sense.works(files), seen, atol=1e-6)


def test_a_picture_is_seen_as_the_models_own_preparation_sees_it(folders: dict[str, Path], places: Places, tmp_path: Path) -> None:
    import torch
    from transformers import CLIPImageProcessor, CLIPModel

    file = shade(tmp_path / "a.png", (250, 0, 0), (20, 20, 20), (0, 0, 250), (0, 200, 0))
    own = CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    with Image.open(file) as picture:
        given = own(picture, return_tensors="pt")["pixel_values"]
    model: Any = CLIPModel.from_pretrained(folders["picture"])
    with torch.inference_mode():
        wanted = torch.nn.functional.normalize(model.eval().get_image_features(given).pooler_output, dim=-1).numpy()
    sense = Sense(at(SIGHT, folders["picture"]), "picture", places)
    assert float((sense.works([file]) @ wanted.T).item()) > 0.999


def test_what_cannot_be_seen_through_is_seen_on_white(folders: dict[str, Path], places: Places, tmp_path: Path) -> None:
    sense = Sense(at(SIGHT, folders["picture"]), "picture", places)
    clear, white = shade(tmp_path / "a.png", (9, 9, 9, 0), mode="RGBA"), shade(tmp_path / "b.png", (255, 255, 255))
    assert np.allclose(*sense.works([clear, white]), atol=1e-5)


def test_sounds_and_words_lie_in_one_space_and_equal_sounds_in_one_place(folders: dict[str, Path], places: Places, tmp_path: Path) -> None:
    sense = Sense(at(HEARING, folders["sound"]), "sound", places)
    files = [tone(tmp_path / "low.wav", 110), tone(tmp_path / "high.flac", 3000), tone(tmp_path / "short.wav", 110, 0.3)]
    heard, said = sense.works(files), sense.words(["a low hum", "a" * 500])
    assert heard.shape == (3, 12) and said.shape == (2, 12)
    assert np.allclose(np.linalg.norm(np.concatenate([heard, said]), axis=1), 1, atol=1e-5)
    assert np.array_equal(sense.works(files), heard), "nothing is drawn by lot"
    assert float(heard[0] @ heard[2]) > float(heard[0] @ heard[1])


@pytest.mark.parametrize("kind", ["picture", "sound"])
def test_a_file_that_cannot_be_read_points_nowhere(kind: Any, folders: dict[str, Path], places: Places, tmp_path: Path) -> None:
    sense = Sense(at(SIGHT if kind == "picture" else HEARING, folders[kind]), kind, places)
    broken = [tmp_path / "gone.png", tmp_path / "cut.png", tmp_path / "cut.flac", tmp_path / "words.txt"]
    for file in broken[1:]:
        file.write_bytes(b"\x89PNG\r\n\x1a\nfLaC")
    assert not sense.works(broken).any()


def test_a_model_that_is_not_here_or_another_is_refused_in_words(folders: dict[str, Path], places: Places, tmp_path: Path) -> None:
    missing = Sense(SIGHT, "picture", places)
    assert not missing.here
    with pytest.raises(ModelUnavailable, match="fetch it in the Library"):
        missing.words(["a wall"])
    with pytest.raises(ModelUnavailable, match="fetch it again"):
        Sense(at(SIGHT, folders["sound"]), "picture", places).words(["a wall"])
    pickled = tmp_path / "pickled"
    pickled.mkdir()
    (pickled / "config.json").write_text('{"model_type": "clip"}')
    (pickled / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises((ModelUnavailable, ModelUnsafe)):
        Sense(at(SIGHT, pickled), "picture", places).words(["a wall"])


# In the library


class Busy:
    """Whether something runs."""

    now = False

    def __call__(self) -> bool:
        return self.now


@pytest.fixture
def library(home: Path) -> Iterator[Library]:
    library = Library(home)
    yield library
    library.close()


@pytest.fixture
def watching(
    library: Library, folders: dict[str, Path], places: Places, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Noticing, Busy]]:
    monkeypatch.setattr(senses, "SIGHT", at(SIGHT, folders["picture"]))
    monkeypatch.setattr(senses, "HEARING", at(HEARING, folders["sound"]))
    monkeypatch.setattr(senses, "LEAST", -1.0)
    monkeypatch.setattr(noticing, "LOOK", 0.02)
    busy = Busy()
    found = Noticing(library.meanings, Embedder(places), places, busy)
    yield found, busy
    found.close()


def draw(library: Library, colour: int) -> str:
    entry = record(f"shade {colour}")
    return library.keep(pictures.encode_png(np.full((40, 40, 3), colour, np.uint8), entry), ".png", entry).id


def play(library: Library, hertz: int) -> str:
    entry = record(f"tone {hertz}")
    wave = (0.5 * np.sin(2 * np.pi * hertz * np.arange(24000) / 24000)).astype(np.float32)
    return library.keep(sounds.encode_flac(Sound(np.stack([wave, wave]), 24000), entry), ".flac", entry).id


def vectors(library: Library) -> dict[str, int]:
    rows = library._index.rows("SELECT model, count(*) AS many FROM meanings GROUP BY model")
    return {row["model"]: row["many"] for row in rows}


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_what_is_made_is_looked_at_and_listened_to_once_nothing_runs(library: Library, watching: tuple[Noticing, Busy]) -> None:
    aside, busy = watching
    dark, light, hum = draw(library, 10), draw(library, 240), play(library, 200)
    busy.now = True
    aside.wake()
    time.sleep(0.3)
    assert vectors(library) == {} and set(aside.loading) == {"picture", "sound"}, "no run is slowed"
    busy.now = False
    until(lambda: vectors(library) == {SIGHT.name: 2, HEARING.name: 1})
    assert aside.loading == ()
    found = library.meanings.nearest(Filter(words="a wall"), aside.spaces())
    assert {item.id for item in library.shelf.these(found.seqs)} == {dark, light, hum}
    assert (found.compared, found.total) == (3, 3)
    sight = aside.senses[0]
    nearer = sight.words(["a wall"])[0] @ sight.works([library.get(id).path for id in (dark, light)]).T
    seen = library.meanings.nearest(Filter(words="a wall", medium="picture"), aside.spaces())
    assert [item.id for item in library.shelf.these(seen.seqs)] == [(dark, light)[place] for place in np.argsort(-nearer)]
    draw(library, 99)
    aside.wake()
    until(lambda: vectors(library)[SIGHT.name] == 3)


def test_without_a_model_nothing_goes_on(library: Library, places: Places) -> None:
    nothing = Noticing(library.meanings, Embedder(places), places, lambda: False)
    draw(library, 10)
    nothing.wake()
    until(lambda: nothing._thread is None)
    assert not nothing.here and nothing.spaces() == () and vectors(library) == {}
    nothing.close()


def test_models_that_nobody_uses_are_let_go_and_come_again(
    library: Library, watching: tuple[Noticing, Busy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(noticing, "IDLE", 0.05)
    aside, _ = watching
    draw(library, 10)
    aside.wake()
    until(lambda: vectors(library) == {SIGHT.name: 1})
    until(lambda: set(aside.loading) == {"picture", "sound"})
    monkeypatch.setattr(noticing, "IDLE", 60)
    aside.spaces()
    until(lambda: len(aside.spaces()) == 2)
