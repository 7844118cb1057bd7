"""The package audiocraft beside today's libraries: its own debug model through our engine, and what stands in while it is imported.

Without the package these tests are skipped with one line; with CI=true they fail instead.
"""

from __future__ import annotations

import importlib.util
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from studio import audiocraft_stand_ins, audiocraft_weights
from studio.creations import Preview, Progress, Take
from studio.device import Device
from studio.engines import _composing, audiocraft
from studio.errors import Cancelled, InvalidInput, ModelUnavailable, ModelUnsafe
from studio.models import Bundled, Folder, ModelCard, resolve
from studio.tasks import Compose
from tests import tiny_music

ROOT = Path(__file__).parent.parent
CPU = Device("cpu")
SECONDS = 0.4
Run = Callable[..., list[Take]]


@pytest.fixture(scope="module")
def package() -> None:
    """The package, on one thread: its tiny models are thirty times slower on many."""
    import torch

    tiny_music.needs_audiocraft()
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def run(package: None) -> Run:
    """Runs a task on audiocraft's debug model: run(report, kind, **fields of the task)."""
    loaded: dict[str, Any] = {}

    def make(report: Callable[[Any], None] = lambda _: None, kind: str = "MusicGen", **fields: Any) -> list[Take]:
        task = task_of(**fields)
        recipe = audiocraft.recipe(debug_card(kind), task, CPU)
        if kind not in loaded:
            loaded[kind] = recipe.components["model"].load(lambda _: None)
        return [take for take in recipe.build({"model": loaded[kind]})(task, report) if isinstance(take, Take)]

    return make


def debug_card(kind: str = "MusicGen") -> ModelCard:
    return ModelCard(
        name="audiocraft debug",
        engine="audiocraft",
        serves=("music",),
        modes=("make", "continue"),
        source=Bundled(path="audiocraft-debug"),
        files=ROOT / "assets" / "audiocraft-debug",
        needs=("audiocraft",),
        options={"kind": kind, "debug": True},
    )


def folder_card(folder: Path, kind: str, **options: Any) -> ModelCard:
    return ModelCard(
        name="Tiny",
        engine="audiocraft",
        serves=("music",),
        source=Folder(path=str(folder)),
        files=folder,
        options={"kind": kind, **options},
    )


def task_of(**fields: Any) -> Compose:
    return Compose.checked({"prompt": "calm piano", "duration": SECONDS, "seed": 3, "loudness": "as is"} | fields)


def codes_of(take: Take) -> Any:
    return np.load(io.BytesIO(take.attachments[_composing.ATTACHMENT]))["codes"]


def stopping(after: float) -> Callable[[Any], None]:
    def report(event: Any) -> None:
        if isinstance(event, Progress) and event.done >= after:
            raise Cancelled

    return report


AFTERWARDS = """
import importlib.util as util, sys, torch
from pathlib import Path
torch.set_num_threads(1)
names = ("torchaudio", "xformers", "flashy", "librosa", "spacy", "num2words", "av")
before = {name: util.find_spec(name) is None for name in names}
from tests.test_audiocraft import CPU, debug_card, task_of
from studio.engines import audiocraft
task = task_of(duration=0.2)
recipe = audiocraft.recipe(debug_card(), task, CPU)
model = recipe.components["model"].load(lambda _: None)
(take,) = recipe.build({"model": model})(task, lambda _: None)
assert take.sound.samples.std() > 0.001
assert util.find_spec("xformers") is None
assert {name: util.find_spec(name) is None for name in names} == before
assert not [name for name in sys.modules if name.split(".")[0] in names and "Stands in" in (sys.modules[name].__doc__ or "")]
assert "audiocraft.solvers" not in sys.modules
from transformers.utils import is_torchaudio_available
assert is_torchaudio_available() is not before["torchaudio"]
librosa = util.find_spec("librosa")
if librosa is not None and librosa.origin is not None:
    import librosa
    assert librosa.filters.chroma(sr=16000, n_fft=1024).shape == (12, 513)
from diffusers import StableDiffusionPipeline
from tests import tiny
folder = tiny.stable_diffusion(Path(sys.argv[1]))
assert StableDiffusionPipeline.from_pretrained(folder).unet.config.sample_size == 32
"""


@pytest.mark.thorough
def test_after_the_engine_has_loaded_nothing_stands_in_any_more(package: None, tmp_path: Path) -> None:
    """In a process of its own, where audiocraft is imported before anything else has looked for what it stands in for."""
    done = subprocess.run(
        [sys.executable, "-c", AFTERWARDS, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_a_package_that_can_be_imported_is_never_stood_in_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "num2words", raising=False)
    monkeypatch.delitem(sys.modules, "spacy", raising=False)
    (tmp_path / "num2words.py").write_text("def num2words(number):\n    return 'one'\n")
    (tmp_path / "spacy.py").write_text("raise OSError('built for another torch')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with audiocraft_stand_ins.stand_ins() as names:
        import num2words  # pyright: ignore[reportMissingImports]
        import spacy  # pyright: ignore[reportMissingImports]

        assert "num2words" not in names
        assert num2words.num2words(1) == "one"
        assert "spacy" in names  # it is there and does not work
        assert spacy.load("en")("Two words!")[0].lemma_ == "two"
    assert "spacy" not in sys.modules
    assert sys.modules["num2words"] is num2words


def test_stand_ins_go_when_the_import_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    before = {name: sys.modules.get(name) for name in audiocraft_stand_ins.NAMES}
    with pytest.raises(ZeroDivisionError), audiocraft_stand_ins.stand_ins():
        raise ZeroDivisionError
    assert {name: sys.modules.get(name) for name in audiocraft_stand_ins.NAMES} == before


@pytest.mark.parametrize(("kind", "rate"), [("MusicGen", 32_000), ("AudioGen", 16_000)])
def test_the_debug_model_makes_sound_that_its_seed_alone_decides(kind: str, rate: int, run: Run) -> None:
    first, second = run(kind=kind, count=2)
    assert first.sound.samples.shape == (1, round(SECONDS * rate))
    assert first.sound.rate == rate
    assert first.sound.samples.std() > 0.001
    assert np.array_equal(codes_of(run(kind=kind, seed=4)[0]), codes_of(second))
    assert np.array_equal(run(kind=kind, count=2)[0].sound.samples, first.sound.samples)
    assert not np.array_equal(codes_of(first), codes_of(second))
    assert not np.array_equal(codes_of(run(kind=kind, prompt="wild drums")[0]), codes_of(first))


def test_its_takes_are_what_audiocrafts_own_generate_makes(run: Run) -> None:
    """By the likeliest codes, since audiocraft draws from numbers that all share."""
    (take,) = run(top_k=1)
    model = audiocraft.recipe(debug_card(), task_of(), CPU).components["model"].load(lambda _: None)
    model.set_generation_params(use_sampling=False, duration=SECONDS)
    sound, codes = model.generate(["calm piano"], return_tokens=True)
    assert np.array_equal(codes_of(take), codes[0].numpy())
    assert np.array_equal(take.sound.samples, np.clip(sound[0].numpy(), -1, 1))


def test_it_plays_while_it_is_made_and_stop_keeps_what_there_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_composing, "PLAYED_SECONDS", 0.2)
    events: list[Any] = []
    (take,) = run(events.append, duration=1.2)
    played = np.concatenate([event.sound.samples for event in events if isinstance(event, Preview) and event.sound is not None], axis=1)
    assert len([event for event in events if isinstance(event, Preview)]) >= 3
    assert np.abs(played - take.sound.samples).max() < 1e-5
    (part,) = run(stopping(0.8), duration=1.2)
    assert part.finish == "stopped"
    assert np.array_equal(codes_of(part), codes_of(take)[:, : codes_of(part).shape[1]])
    assert part.sound.seconds == 0.8


def test_it_goes_on_from_kept_codes_and_from_a_recording(run: Run, tmp_path: Path) -> None:
    (whole,) = run(duration=2 * SECONDS)
    (part,) = run(stopping(SECONDS), duration=2 * SECONDS)
    kept = tmp_path / "codes.npz"
    kept.write_bytes(part.attachments[_composing.ATTACHMENT])
    (rest,) = run(reference=str(kept), reference_use="continue")
    assert np.array_equal(codes_of(rest), codes_of(whole))
    file = tmp_path / "tone.wav"
    soundfile.write(file, 0.4 * np.sin(np.arange(32_000) / 10), 32_000)
    (more,) = run(reference=str(file), reference_use="continue")
    assert more.sound.samples.shape == (1, 32_000 + 12_800)


@pytest.mark.thorough
def test_the_model_keeps_nothing_of_a_run(run: Run) -> None:
    recipe = audiocraft.recipe(debug_card(), task_of(), CPU)
    model = recipe.components["model"].load(lambda _: None)
    for report in (lambda _: None, stopping(0.2)):
        list(recipe.build({"model": model})(task_of(), report))
        assert model.lm.get_streaming_state() == {}
        assert not model.lm._is_streaming


@pytest.mark.thorough
def test_a_run_leaves_the_shared_random_numbers_alone(run: Run) -> None:
    import torch

    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    run()
    audiocraft.recipe(debug_card(), task_of(), CPU).components["model"].load(lambda _: None)
    assert torch.random.get_rng_state().equal(before)


@pytest.fixture(scope="module")
def checkpoints(package: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Tiny checkpoints in audiocraft's own format with random weights, made into the studio's."""
    place = tmp_path_factory.mktemp("audiocraft")
    return {kind: checkpoint(place / kind, kind) for kind in ("MusicGen", "stereo", "AudioGen", "MAGNeT")}


def checkpoint(folder: Path, kind: str) -> Path:
    import torch
    from omegaconf import OmegaConf

    audiocraft_stand_ins.imported()
    builders: Any = importlib.import_module("audiocraft.models.builders")
    (folder / "t5").mkdir(parents=True)
    tiny_music.text_encoder(folder / "t5")
    settings = OmegaConf.create(settings_of(kind))
    audiocraft._read_text_from(folder_card(folder, "MusicGen"), folder / "t5", settings.conditioners)
    if kind == "MAGNeT":
        settings.transformer_lm |= {"compression_model_framerate": 50, "segment_duration": 2, "span_len": 3}
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        state = builders.get_lm_model(settings).state_dict()
        torch.save({"best_state": state, "xp.cfg": OmegaConf.to_yaml(OmegaConf.create(settings_of(kind)))}, folder / "state_dict.bin")
        tiny_music.codec(folder / "encodec")
        torch.save({"pretrained": "facebook/encodec_32khz"}, folder / "compression_state_dict.bin")
    assert audiocraft_weights.convert(folder, folder)
    return folder


def settings_of(kind: str) -> dict[str, Any]:
    """What a checkpoint says of its model, as far as building it asks."""
    stereo, magnet = kind == "stereo", kind == "MAGNeT"
    delays = [0, 0, 1, 1, 2, 2, 3, 3] if stereo else [0, 1, 2, 3]
    lm: dict[str, Any] = {
        "dim": 16,
        "num_heads": 2,
        "num_layers": 2,
        "hidden_scale": 2,
        "n_q": len(delays),
        "card": 64,
        "dropout": 0.0,
        "activation": "gelu",
        "norm_first": True,
        "bias_ff": False,
        "bias_attn": False,
        "bias_proj": False,
        "causal": not magnet,
        "custom": True,
        "memory_efficient": True,
        "attention_as_float32": False,
        "layer_scale": None,
        "positional_embedding": "sin",
        "weight_init": "gaussian",
        "depthwise_init": "current",
        "zero_bias_init": True,
    }
    return {
        "device": "cpu",
        "dtype": "float32",
        "lm_model": "transformer_lm_magnet" if magnet else "transformer_lm",
        "dataset": {"segment_duration": 2 if magnet else 30},
        "codebooks_pattern": {
            "modeling": "parallel" if magnet else "delay",
            "delay": {"delays": delays, "flatten_first": 0, "empty_initial": 0},
        },
        "transformer_lm": lm | ({"subcodes_context": 5} if magnet else {}),
        "classifier_free_guidance": {"training_dropout": 0.3, "inference_coef": 3.0},
        "attribute_dropout": {},
        "fuser": {
            "cross_attention_pos_emb": False,
            "cross_attention_pos_emb_scale": 1,
            "sum": [],
            "prepend": [],
            "cross": ["description"],
            "input_interpolate": [],
        },
        "conditioners": {
            "args": {"merge_text_conditions_p": 0.25, "drop_desc_p": 0.5},
            "description": {"model": "t5", "t5": {"name": "t5-base", "finetune": False, "word_dropout": 0.3, "normalize_text": False}},
        },
        "interleave_stereo_codebooks": {"use": stereo, "per_timestep": False},
        "compression_model_n_q": None,
        "masking": {"span_len": 3},
    }


def takes_of(folder: Path, kind: str, report: Callable[[Any], None] = lambda _: None, **fields: Any) -> list[Take]:
    task = task_of(**fields)
    recipe = audiocraft.recipe(folder_card(folder, kind, **({"decoding_steps": (4, 2, 2, 2)} if kind == "MAGNeT" else {})), task, CPU)
    values = {role: part.load(lambda _: None) for role, part in recipe.components.items()}
    return [take for take in recipe.build(values)(task, report) if isinstance(take, Take)]


@pytest.mark.parametrize(
    ("name", "kind", "channels"), [("MusicGen", "MusicGen", 1), ("stereo", "MusicGen", 2), ("AudioGen", "AudioGen", 1)]
)
def test_a_checkpoint_made_safe_makes_sound(name: str, kind: str, channels: int, checkpoints: dict[str, Path]) -> None:
    first, second = takes_of(checkpoints[name], kind, count=2)
    assert first.sound.samples.shape == (channels, round(SECONDS * 32_000))
    assert first.sound.samples.std() > 0.001
    assert not np.array_equal(codes_of(first), codes_of(second))
    (other,) = takes_of(checkpoints[name], kind, prompt="wild drums")
    assert not np.array_equal(codes_of(first), codes_of(other))


def test_magnet_makes_sound_of_its_fixed_length_and_stops_at_once(checkpoints: dict[str, Path]) -> None:
    import torch

    state = torch.random.get_rng_state()
    events: list[Any] = []
    first, second = takes_of(checkpoints["MAGNeT"], "MAGNeT", events.append, count=2, loudness="-23")
    assert torch.random.get_rng_state().equal(state)
    assert first.sound.samples.shape == (1, 99 * tiny_music.STEP)  # two seconds in whole spans of three frames
    assert not np.array_equal(first.sound.samples, second.sound.samples)
    assert first.facts["measured"]["lufs"] == pytest.approx(-23, abs=0.5)  # type: ignore[index,call-overload]
    assert np.array_equal(takes_of(checkpoints["MAGNeT"], "MAGNeT", seed=4, loudness="-23")[0].sound.samples, second.sound.samples)
    steps = [event for event in events if isinstance(event, Progress) and event.note != "measuring"]
    assert [(event.item, event.done) for event in steps] == [(item, done) for item in (1, 2) for done in range(11)]
    assert [event.item for event in events if event not in steps] == [1, 2]
    with pytest.raises(Cancelled):
        takes_of(checkpoints["MAGNeT"], "MAGNeT", stopping(3))
    assert takes_of(checkpoints["MusicGen"], "MusicGen")[0].sound.samples.std() > 0.001  # the other attention is back


def test_a_folder_made_safe_holds_no_pickle_beside_the_makers(checkpoints: dict[str, Path], tmp_path: Path) -> None:
    from studio.weights import inspect, missing_part

    made = tmp_path / "made"
    audiocraft_weights.convert(checkpoints["MusicGen"], made)
    inspect(made)
    assert missing_part(made) == ""
    assert sorted(path.name for path in made.iterdir()) == ["audiocraft.json", "state_dict.safetensors"]


def test_a_checkpoint_that_could_run_code_is_refused(package: None, tmp_path: Path) -> None:
    import torch

    marker = tmp_path / "ran"

    class Evil:
        def __reduce__(self) -> Any:
            return (Path.touch, (marker,))

    torch.save({"best_state": {}, "xp.cfg": Evil()}, tmp_path / "state_dict.bin")
    with pytest.raises(ModelUnsafe, match="more than weights"):
        audiocraft_weights.convert(tmp_path, tmp_path / "made")
    assert not marker.exists()


def test_without_the_package_the_command_that_brings_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "audiocraft" else find(name, *rest))
    with pytest.raises(ModelUnavailable, match="make audiocraft"):
        audiocraft.recipe(debug_card(), task_of(), CPU)


def test_a_folder_without_weights_is_refused_with_the_command_that_makes_it(package: None, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="studio.audiocraft_weights"):
        audiocraft.recipe(folder_card(tmp_path, "AudioGen"), task_of(), CPU)


def test_cards_name_the_package_and_refuse_what_their_models_do_not_use() -> None:
    for card in audiocraft.CARDS:
        assert card.needs == ("audiocraft",)
        assert card.commercial is False
        with pytest.raises(InvalidInput, match="does not use Lyrics"):
            resolve(task_of(lyrics="la", duration=None), card)
        if card.options["kind"] == "MAGNeT":
            with pytest.raises(InvalidInput, match="does not use Duration"):
                resolve(task_of(), card)
        assert resolve(task_of(duration=None), card).guidance_scale == card.defaults["guidance_scale"]
