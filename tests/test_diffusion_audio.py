"""Music through diffusers' audio pipelines on tiny but real models with random weights: from a card to finished takes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from studio.creations import Progress, Sound, Take
from studio.device import Device
from studio.engines import _ace_tracks, _audio_canvas, _audio_codecs, _audio_families, _pipelines, diffusion_audio
from studio.errors import Cancelled, InvalidInput, MediaUnreadable, ModelUnavailable
from studio.models import Folder, ModelCard, resolve
from studio.tasks import Compose
from tests import tiny_diffusion_audio as tiny
from tests.tiny_diffusion_audio import RATE

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
"""diffusers' codec is built with torch's older form of it."""
CPU = Device("cpu")
KINDS = ("ace", "turbo", "open", "three", "distilled", "ldm", "longcat")
WAYS: dict[str, tuple[str, ...]] = {
    "ace": ("make", "repaint", "continue", "lead", "cover", "extract", "lego", "complete"),
    "turbo": ("make",),
    "open": ("make", "cover"),
    "three": ("make", "repaint", "continue", "lead", "cover"),
    "distilled": ("make", "repaint"),
    "ldm": ("make",),
    "longcat": ("make",),
}
MONO = ("ldm", "longcat")
EVERY = [(kind, way) for kind, ways in WAYS.items() for way in ways]
LONGEST = 4.0
Make = Callable[..., list[Take]]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("models")
    return {
        "ace": tiny.ace_step(place / "ace"),
        "turbo": tiny.ace_step(place / "turbo", turbo=True),
        "open": tiny.stable_audio(place / "open"),
        "three": tiny.stable_audio_3(place / "three"),
        "distilled": tiny.stable_audio_3(place / "distilled", distilled=True),
        "ldm": tiny.audioldm2(place / "ldm"),
        "longcat": tiny.longcat(place / "longcat"),
    }


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """The loaded components of each kind."""
    return {kind: loaded(diffusion_audio.recipe(card_of(folders[kind]), task_of(), CPU)) for kind in KINDS}


@pytest.fixture
def make(folders: dict[str, Path], models: dict[str, dict[str, Any]]) -> Make:
    """Runs a task: make(kind, report, **fields of the task)."""

    def run(kind: str = "ace", report: Callable[[Any], None] = lambda _: None, **fields: Any) -> list[Take]:
        task = task_of(**fields)
        pipeline = diffusion_audio.recipe(card_of(folders[kind]), task, CPU).build(models[kind])
        return [take for take in pipeline(task, report) if isinstance(take, Take)]

    return run


@pytest.fixture(scope="module")
def plain() -> dict[str, Any]:
    """What each kind makes where nothing is changed, once it was made."""
    return {}


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    """Three seconds: 220 Hz on the left, 330 Hz on the right."""
    return written(tmp_path / "tune.wav", 3.0)


def written(file: Path, seconds: float, pitch: float = 220.0) -> Path:
    time = np.arange(round(seconds * RATE)) / RATE
    sound = np.stack([0.3 * np.sin(2 * np.pi * pitch * time), 0.3 * np.sin(3 * np.pi * pitch * time)], axis=1)
    soundfile.write(file, sound, RATE, subtype="FLOAT")
    return file


def recorded(file: Path) -> Any:
    return soundfile.read(file, dtype="float32", always_2d=True)[0].T


def loaded(recipe: Any) -> dict[str, Any]:
    return {role: part.load(lambda _: None) for role, part in recipe.components.items()}


def card_of(folder: Path, **changes: Any) -> ModelCard:
    values = {
        "name": "Tiny",
        "engine": "diffusion_audio",
        "serves": ("music",),
        "modes": WAYS["ace"],
        "source": Folder(path=str(folder)),
        "files": folder,
        "options": {"dtype": "float32"},
        "limits": {"duration": (0.1, LONGEST)},
    }
    return ModelCard.model_validate(values | changes)


def task_of(**fields: Any) -> Compose:
    return Compose.checked({"prompt": "calm piano", "duration": 1.0, "seed": 3, "steps": 3, "loudness": "as is"} | fields)


def using(way: str, file: Path) -> dict[str, Any]:
    """The fields of a task that works in that way."""
    if way == "make":
        return {}
    region = {"region_start": 1.0, "region_end": 2.0} if way == "repaint" else {}
    return {"reference": str(file), "reference_use": way, **region, **({"instruments": "drums"} if way in _ace_tracks.WAYS else {})}


def samples(takes: list[Take]) -> Any:
    return takes[0].sound.samples


# Making ------------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "way"), EVERY)
def test_every_way_of_every_family_makes_sound_that_its_seed_repeats(kind: str, way: str, make: Make, tune: Path) -> None:
    (take,) = make(kind, **using(way, tune))
    assert take.sound.rate == RATE
    seconds = {"make": 1.0, "continue": 4.0, "lead": 4.0}.get(way, 3.0)
    assert take.sound.samples.shape == (1 if kind in MONO else 2, round(seconds * RATE))
    assert take.sound.samples.dtype == np.float32
    assert 0.005 < take.sound.samples.std() <= 1
    assert np.abs(take.sound.samples).max() <= 1
    assert take.seed == 3
    assert np.array_equal(samples(make(kind, **using(way, tune))), take.sound.samples)
    if way in ("make", "repaint"):  # the others draw as one of these does
        assert not np.array_equal(samples(make(kind, seed=4, **using(way, tune))), take.sound.samples)


@pytest.mark.parametrize("kind", ["ace", "open", "three", *MONO])
def test_any_length_is_made_to_the_sample(kind: str, make: Make) -> None:
    for seconds in (0.137, 0.56, 1.1):
        assert samples(make(kind, duration=seconds, steps=1)).shape == (1 if kind in MONO else 2, round(seconds * RATE))


@pytest.mark.parametrize("kind", ["ace", "open", "distilled", *MONO])
def test_takes_of_a_batch_are_those_their_seeds_give_alone(kind: str, make: Make) -> None:
    batch = make(kind, count=2)
    assert [take.seed for take in batch] == [3, 4]
    assert np.array_equal(batch[1].sound.samples, samples(make(kind, seed=4)))


@pytest.mark.parametrize("kind", ["ace", "distilled", "open"])
def test_making_leaves_the_shared_random_numbers_alone(kind: str, make: Make, tune: Path) -> None:
    import torch

    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    first = samples(make(kind, **using("cover", tune)))
    assert torch.random.get_rng_state().equal(before)
    torch.manual_seed(99)
    assert np.array_equal(samples(make(kind, **using("cover", tune))), first)


@pytest.mark.parametrize("kind", ["open", "three", *MONO])
def test_the_sound_is_what_the_pipeline_itself_would_make(
    kind: str, make: Make, folders: dict[str, Path], models: dict[str, dict[str, Any]]
) -> None:
    import torch

    task = task_of(guidance_scale=4.0)
    card = card_of(folders[kind])
    family = diffusion_audio._family(card)
    layout = _pipelines.layout(card, folders[kind], family.classes["make"])
    known = {role: part for role, part in layout.parts.items() if role in models[kind] or role in models[kind]["small"]}
    pipe = _pipelines.assembled(replace(layout, parts=known), models[kind])
    if kind == "open":
        pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, algorithm_type="sde-dpmsolver++")
    length = {"open": {"audio_end_in_s": 1.0}, "ldm": {"audio_length_in_s": 1.0}, "longcat": {"audio_duration_s": 1.0}}
    generator = torch.Generator("cpu").manual_seed(3)
    theirs = pipe(
        task.prompt, num_inference_steps=3, guidance_scale=4.0, generator=generator, output_type="np", **length.get(kind, {"duration": 1.0})
    ).audios[0]
    theirs = theirs / max(1.0, np.abs(theirs).max())
    (take,) = make(kind, guidance_scale=4.0)
    gain = 10 ** (take.facts["loudness"]["gain_db"] / 20)  # type: ignore[index,call-overload,operator]
    assert theirs.std() > 0.01
    assert np.abs(take.sound.samples - theirs * gain).max() < 1e-5


def test_a_long_piece_is_decoded_in_parts_that_are_heard_as_one(models: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    vae = models["open"]["vae"]
    latents = torch.randn(1, tiny.WIDTH, 190, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole = vae.decoder(latents)[0].numpy()
    monkeypatch.setattr(vae, "tile_latent_min_length", 90)
    monkeypatch.setattr(vae, "tile_latent_overlap", 30)
    pipe = type("Pipe", (), {"vae": vae})()
    assert np.abs(_audio_codecs.decoded(pipe, latents) - whole).max() < 1e-6


def test_long_sound_of_the_codec_with_attention_is_decoded_in_parts_too(
    models: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    vae = models["three"]["vae"]
    latents = torch.randn(1, tiny.WIDTH, 70, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole = vae.decode(latents).sample[0].numpy()
    monkeypatch.setattr(_audio_codecs, "PART_FRAMES", 16)
    pipe = type("Pipe", (), {"vae": vae})()
    made = _audio_codecs.decoded(pipe, latents)
    assert made.shape == whole.shape
    assert np.abs(made - whole).max() < 1e-5


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        *(("ace", change) for change in ({"bpm": 90}, {"key": "A minor"}, {"time_signature": "3/4"}, {"lyrics": "[verse] la la"})),
        ("ace", {"guidance_scale": 9.0}),
        *((kind, change) for kind in ("ace", "open", "three") for change in ({"genre": "jazz"}, {"mood": "sad"}, {"instruments": "cello"})),
        *((kind, change) for kind in ("open", "three") for change in ({"bpm": 90}, {"guidance_scale": 9.0})),
        *((kind, {"negative_prompt": "noise", "guidance_scale": 4.0}) for kind in ("open", "three", *MONO)),
        *(("ldm", change) for change in ({"genre": "jazz"}, {"bpm": 90}, {"guidance_scale": 9.0})),
        ("longcat", {"guidance_scale": 9.0}),
        *((kind, {"prompt": "wild drums"}) for kind in KINDS),
    ],
)
def test_what_is_asked_for_changes_the_music(kind: str, change: dict[str, Any], make: Make, plain: dict[str, Any]) -> None:
    usual = {"guidance_scale": 4.0} if kind in ("ace", "open", "three", *MONO) else {}
    if kind not in plain:
        plain[kind] = samples(make(kind, **usual))
    assert not np.array_equal(plain[kind], samples(make(kind, **(usual | change))))


def test_the_record_says_what_was_told_in_words_and_what_made_it(make: Make) -> None:
    (take,) = make("open", genre="jazz", instruments="piano, bass", bpm=96)
    assert take.facts["words"] == "calm piano, jazz, piano, bass, 96 BPM"
    assert take.facts["scheduler"] == "EDMDPMSolverMultistepScheduler"
    assert (take.facts["pipeline"], take.facts["steps"], take.facts["dtype"]) == ("StableAudioPipeline", 3, "float32")
    assert "words" not in make("open")[0].facts
    assert isinstance(take.facts["measured"], dict)


def test_what_a_model_does_not_read_of_a_long_prompt_is_named_and_takes_nothing_from_tempo_and_key(make: Make) -> None:
    (take,) = make(prompt="a" * 300, bpm=90)
    unread = take.facts["unread"]
    assert isinstance(unread, str)
    assert 100 < len(unread) < 300
    assert set(unread) == {"a"}
    assert np.array_equal(samples(make(prompt="a" * (300 - len(unread)), bpm=90)), take.sound.samples)
    assert not np.array_equal(samples(make(prompt="a" * 300, bpm=91)), take.sound.samples)
    assert "unread" not in make(prompt="calm")[0].facts


def test_loudness_and_a_loop_are_made_of_what_the_model_made(make: Make) -> None:
    (take,) = make("three", loudness="-16", loop=True, bpm=120, duration=3.0)
    assert take.facts["loop"]["bars"] == 1  # type: ignore[index,call-overload]
    assert abs(take.sound.seconds - 2.0) < 1 / RATE
    assert take.facts["loudness"]["gain_db"] != 0  # type: ignore[index,call-overload]


def test_takes_that_miss_the_brief_are_tried_again_as_often_as_allowed(make: Make) -> None:
    events: list[Any] = []
    first, second = make("three", events.append, retries=1, bpm=77, count=2)
    attempts = sum(isinstance(event, Progress) and event.note == "Decoding" for event in events)
    assert attempts == 4  # noise has no tempo
    assert (first.seed, second.seed) == (3, 4)
    assert np.array_equal(samples(make("three", seed=4, retries=1, bpm=77)), second.sound.samples)


@pytest.mark.parametrize(("way", "region"), [("continue", {"region_end": 0.01}), ("lead", {"region_start": 99.0})])
def test_of_what_is_gone_on_from_something_must_be_left(way: str, region: dict[str, float], tune: Path) -> None:
    task = Compose.checked({"prompt": "x", "reference": str(tune), "reference_use": way, "duration": 1, **region})
    with pytest.raises(InvalidInput, match="would be left"):
        _audio_canvas.laid(task, RATE, 1, LONGEST)


def test_a_stop_keeps_the_attempts_that_were_finished(make: Make) -> None:
    decoded: list[Any] = []

    def report(event: Any) -> None:
        if isinstance(event, Progress) and event.note == "Decoding":
            decoded.append(event)
        if len(decoded) > 1 or (decoded and isinstance(event, Progress) and event.note == "measuring"):
            raise Cancelled

    (take,) = make("three", report, retries=2, bpm=77)
    assert np.array_equal(take.sound.samples, samples(make("three", bpm=77)))
    assert "attempt" not in take.facts


# References --------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ace", "three"])
def test_repainting_changes_the_region_and_not_one_sample_beside_it(kind: str, make: Make, tune: Path) -> None:
    made, was = samples(make(kind, **using("repaint", tune))), recorded(tune)
    assert np.array_equal(made[:, :RATE], was[:, :RATE])
    assert np.array_equal(made[:, 2 * RATE :], was[:, 2 * RATE :])
    inner = slice(RATE + 400, 2 * RATE - 400)
    assert np.abs(made[:, inner] - was[:, inner]).mean() > 0.02
    jumps = np.abs(np.diff(made, axis=1))
    assert jumps[:, RATE - 1 : RATE + 1].max() < 0.1
    assert jumps[:, 2 * RATE - 1 : 2 * RATE + 1].max() < 0.1


@pytest.mark.parametrize("kind", ["ace", "three"])
def test_what_is_repainted_hears_what_is_beside_it(kind: str, make: Make, tmp_path: Path) -> None:
    low, high = written(tmp_path / "low.wav", 3.0, 220), written(tmp_path / "high.wav", 3.0, 700)
    inner = slice(RATE + 400, 2 * RATE - 400)
    assert not np.allclose(samples(make(kind, **using("repaint", low)))[:, inner], samples(make(kind, **using("repaint", high)))[:, inner])


@pytest.mark.parametrize("kind", ["ace", "three"])
def test_going_on_and_leading_in_keep_the_recording(kind: str, make: Make, tune: Path) -> None:
    was, fade = recorded(tune), round(_audio_canvas.JOIN_SECONDS * RATE)
    after = samples(make(kind, **using("continue", tune)))
    assert np.array_equal(after[:, : 3 * RATE - fade], was[:, :-fade])
    assert after[:, 3 * RATE :].std() > 0.005
    before = samples(make(kind, **using("lead", tune)))
    assert np.array_equal(before[:, RATE + fade :], was[:, fade:])
    assert before[:, :RATE].std() > 0.005


def test_a_piece_goes_on_from_the_regions_end(make: Make, tune: Path) -> None:
    made = samples(make("three", **using("continue", tune), region_end=1.5, duration=1.0))
    assert made.shape[1] == 2.5 * RATE
    assert np.array_equal(made[:, :RATE], recorded(tune)[:, :RATE])


def test_of_a_long_recording_the_model_hears_what_is_around_the_region_and_all_of_it_is_kept(make: Make, tmp_path: Path) -> None:
    long = written(tmp_path / "long.wav", 9.0)
    made = samples(make("three", reference=str(long), reference_use="repaint", region_start=5.0, region_end=6.0))
    assert made.shape[1] == 9 * RATE
    assert np.array_equal(made[:, : 5 * RATE], recorded(long)[:, : 5 * RATE])
    canvas = _audio_canvas.laid(task_of(reference=str(long), reference_use="repaint", region_start=5.0, region_end=6.0), RATE, 2, LONGEST)
    assert canvas is not None
    assert canvas.window == (round(3.5 * RATE), round(7.5 * RATE))
    on = samples(make("three", reference=str(long), reference_use="continue", duration=2.0))
    assert on.shape[1] == 11 * RATE


@pytest.mark.parametrize("kind", ["ace", "open", "three"])
def test_a_cover_hears_its_reference_and_the_strength(kind: str, make: Make, tmp_path: Path) -> None:
    low, high = written(tmp_path / "low.wav", 2.0, 220), written(tmp_path / "high.wav", 2.0, 700)
    cover = samples(make(kind, **using("cover", low), reference_strength=0.4))
    assert cover.shape[1] == 2 * RATE
    assert not np.allclose(cover, samples(make(kind, **using("cover", high), reference_strength=0.4)))
    assert not np.allclose(cover, samples(make(kind, **using("cover", low), reference_strength=0.9)))


@pytest.mark.parametrize("way", _ace_tracks.WAYS)
def test_single_instruments_hear_the_recording_and_which_one_is_meant(way: str, make: Make, tmp_path: Path) -> None:
    low, high = written(tmp_path / "low.wav", 2.0, 220), written(tmp_path / "high.wav", 2.0, 700)
    drums = samples(make(**using(way, low)))
    assert drums.shape[1] == 2 * RATE
    assert not np.allclose(drums, samples(make(**using(way, high))))
    assert not np.allclose(drums, samples(make(**{**using(way, low), "instruments": "bass"})))


def test_instruments_are_told_by_the_models_own_names() -> None:
    ask = {"prompt": "x", "reference": "x.wav"}
    complete = Compose.checked({**ask, "reference_use": "complete", "instruments": "Grand piano, drum kit, backing_vocals"})
    assert _ace_tracks.told(complete) == {"task_type": "complete", "complete_track_classes": ["keyboard", "drums", "backing vocals"]}
    extract = Compose.checked({**ask, "reference_use": "extract", "instruments": "electric guitar"})
    assert _ace_tracks.told(extract) == {"task_type": "extract", "track_name": "guitar"}
    assert _ace_tracks.told(Compose.checked({"prompt": "x", "instruments": "piano"})) == {}


@pytest.mark.parametrize(("way", "window"), [("continue", (7.0, 11.0)), ("lead", (0.0, 4.0)), ("repaint", (5.0, 9.5))])
def test_the_context_says_how_much_is_heard_beside_the_region(way: str, window: tuple[float, float], tmp_path: Path) -> None:
    long = written(tmp_path / "long.wav", 9.0 if way != "repaint" else 20.0)
    region = {"region_start": 7.0, "region_end": 7.5} if way == "repaint" else {}
    task = task_of(reference=str(long), reference_use=way, duration=2.0, context=2.0, **region)
    canvas = _audio_canvas.laid(task, RATE, 2, 60.0)
    assert canvas is not None and canvas.window == (round(window[0] * RATE), round(window[1] * RATE))


@pytest.mark.parametrize("kind", ["open", "three"])
def test_the_less_strength_the_nearer_the_reference(
    kind: str, make: Make, models: dict[str, dict[str, Any]], tune: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measured in latents, since a codec of random weights knows no sound."""
    import torch

    vae, made = models[kind]["vae"], list[Any]()
    with torch.inference_mode():
        known = vae.encode(torch.from_numpy(recorded(tune))[None])
    known = known.latent_dist.mode() if kind == "open" else known.latents
    own = _audio_codecs.decoded

    def decoded(pipe: Any, latents: Any) -> Any:
        made.append(latents)
        return own(pipe, latents)

    monkeypatch.setattr(_audio_codecs, "decoded", decoded)
    for strength in (0.02, 0.5, 1.0):
        make(kind, **using("cover", tune), reference_strength=strength)
    near, middle, far = (float((latents[..., : known.shape[-1]] - known).abs().mean()) for latents in made)
    assert near < 0.5 * middle
    assert near < 0.5 * far


def test_mono_recordings_of_other_rates_are_heard_too(make: Make, tmp_path: Path) -> None:
    file = tmp_path / "mono.wav"
    soundfile.write(file, 0.3 * np.sin(np.arange(96_000) / 30), 48_000, subtype="FLOAT")
    made = samples(make("ace", reference=str(file), reference_use="repaint", region_start=1.0, region_end=1.5))
    assert made.shape == (2, 2 * RATE)
    assert np.array_equal(made[0, :RATE], made[1, :RATE])


# Stopping and progress ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_stop_ends_within_one_step(kind: str, make: Make, models: dict[str, dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    transformer = models[kind]["unet" if kind == "ldm" else "transformer"]
    own = type(transformer).forward

    def counted(self: Any, *given: Any, **named: Any) -> Any:
        calls.append(1)
        return own(self, *given, **named)

    monkeypatch.setattr(type(transformer), "forward", counted)

    def report(event: Any) -> None:
        if isinstance(event, Progress) and event.done >= 2:
            raise Cancelled

    with pytest.raises(Cancelled):
        make(kind, report, steps=6)
    assert len(calls) == (4 if kind == "longcat" else 2)  # LongCat is guided by a call of its own


@pytest.mark.parametrize("kind", KINDS)
def test_each_step_is_reported_with_the_take_it_belongs_to(kind: str, make: Make) -> None:
    events: list[Any] = []
    make(kind, events.append, count=2)
    steps = [(event.done, event.total, event.item, event.items) for event in events if isinstance(event, Progress) and event.done]
    assert steps == [(done, 3, item, 2) for item in (1, 2) for done in (1, 2, 3)]


def test_takes_that_are_done_stay_when_the_next_is_stopped(folders: dict[str, Path], models: dict[str, dict[str, Any]]) -> None:
    def report(event: Any) -> None:
        if isinstance(event, Progress) and event.item == 2 and event.done:
            raise Cancelled

    task = task_of(count=3)
    takes: list[Any] = []
    with pytest.raises(Cancelled):
        takes.extend(take for take in diffusion_audio.recipe(card_of(folders["three"]), task, CPU).build(models["three"])(task, report))
    pipeline = diffusion_audio.recipe(card_of(folders["three"]), task, CPU).build(models["three"])(task, report)
    assert isinstance(next(iter(pipeline)), Take)


# What is refused -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fields", "named"),
    [
        ("ace", {"time_signature": "5/4"}, "time_signature"),
        ("ace", {"key": "D dorian"}, "key"),
        ("ace", {"use": "extract"}, "instruments"),
        ("ace", {"use": "lego", "instruments": "drums, bass"}, "instruments"),
        ("ace", {"use": "complete", "instruments": "drums, kazoo"}, "instruments"),
        ("ace", {"use": "extract", "instruments": "drums", "region_end": 1.0}, "region_end"),
        ("ace", {"use": "repaint", "region_end": 1.0, "reference_strength": 0.5}, "reference_strength"),
        ("three", {"use": "cover", "negative_prompt": "noise"}, "negative_prompt"),
        ("three", {"use": "cover", "reference_strength": 0}, "reference_strength"),
        ("open", {"negative_prompt": "noise", "guidance_scale": 1}, "negative_prompt"),
        ("open", {"use": "cover", "region_start": 0.5, "region_end": 1.0}, "region_start"),
        ("three", {"use": "cover", "region_end": 1.0}, "region_end"),
        ("three", {"use": "lead", "region_end": 1.0}, "region_end"),
        ("three", {"use": "continue", "region_start": 1.0}, "region_start"),
        ("three", {"use": "continue", "duration": 3.5}, "duration"),
        ("three", {"reference_strength": 0.5}, "reference_strength"),
        ("three", {"lyrics": "la"}, "lyrics"),
        ("ace", {"negative_prompt": "noise"}, "negative_prompt"),
        ("open", {"energy": "rise"}, "energy"),
        ("ldm", {"lyrics": "la"}, "lyrics"),
        ("ldm", {"reference_strength": 0.5}, "reference_strength"),
        ("longcat", {"genre": "jazz"}, "genre"),
        ("longcat", {"bpm": 90}, "bpm"),
        ("longcat", {"negative_prompt": "noise", "guidance_scale": 1}, "negative_prompt"),
        ("three", {"use": "repaint", "region_start": 5.0, "region_end": 6.0}, "region_end"),
    ],
)
def test_what_cannot_be_told_is_refused_before_anything_is_queued(
    kind: str, fields: dict[str, Any], named: str, folders: dict[str, Path], tune: Path
) -> None:
    fields = dict(fields)
    if use := fields.pop("use", ""):
        fields |= {"reference": str(tune), "reference_use": use}
    with pytest.raises(InvalidInput) as refused:
        diffusion_audio.check(card_of(folders[kind]), task_of(**fields))
    assert refused.value.field == named


def test_references_that_are_none_and_covers_of_what_is_too_long_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    card = card_of(folders["three"])
    broken = tmp_path / "text.wav"
    broken.write_text("no sound")
    with pytest.raises(MediaUnreadable):
        diffusion_audio.check(card, task_of(reference=str(broken), reference_use="cover"))
    long = written(tmp_path / "long.wav", 5.0)
    with pytest.raises(InvalidInput, match="cut out"):
        diffusion_audio.check(card, task_of(reference=str(long), reference_use="cover"))
    diffusion_audio.check(card, task_of(reference=str(written(tmp_path / "short.wav", 3.0)), reference_use="cover"))


@pytest.mark.parametrize(("kind", "seconds"), [("open", 5.0), ("longcat", 30.5)])
def test_more_seconds_than_the_model_makes_are_refused(kind: str, seconds: float, make: Make) -> None:
    with pytest.raises(InvalidInput) as refused:
        make(kind, duration=seconds)
    assert refused.value.field == "duration"


def test_stable_audio_open_repaints_nothing(folders: dict[str, Path], tune: Path) -> None:
    with pytest.raises(InvalidInput):
        diffusion_audio.recipe(card_of(folders["open"]), task_of(**using("repaint", tune)), CPU)


def _kin(card: ModelCard, family: Any) -> bool:
    names = {"ace_step": "ACE", "stable_audio": "Stable Audio Open", "stable_audio_3": "Stable Audio 3"}
    names |= {"audioldm2": "AudioLDM 2", "longcat": "LongCat"}
    return card.name.startswith(names[family.arguments.__name__.lstrip("_")])


@pytest.mark.parametrize("card", diffusion_audio.CARDS, ids=lambda card: card.name)
def test_fields_and_ways_that_a_card_does_not_know_are_refused(card: ModelCard, tmp_path: Path) -> None:
    filled: dict[str, Any] = {
        "negative_prompt": "noise",
        "key": "A minor",
        "time_signature": "3/4",
        "form": "A B",
        "energy": "rise",
        "lyrics": "la",
        "temperature": 1.0,
        "top_k": 5,
        "top_p": 0.5,
        "guidance_scale": 3.0,
        "bank": "Atelier Synth",
        "genre": "jazz",
        "mood": "sad",
        "instruments": ("piano",),
        "bpm": 90.0,
    }
    for name, value in filled.items():
        asked = Compose.checked({"prompt": "calm", name: value})
        if name in card.ignores:
            with pytest.raises(InvalidInput) as refused:
                resolve(asked, card)
            assert refused.value.field == name
        else:
            assert getattr(resolve(asked, card), name) == value
    with pytest.raises(InvalidInput):
        resolve(Compose.checked({"prompt": "calm", "duration": 600.0 if card.limits["duration"][1] < 600 else 5.0}), card)
    family = next(f for f in (_audio_families.FAMILIES.values()) if _kin(card, f))
    assert set(family.unused) <= set(card.ignores)
    assert set(card.modes) == set(family.classes) - (set(_ace_tracks.WAYS) if "turbo" in card.name else set())
    melody = Compose.checked({"prompt": "calm", "reference": str(tmp_path), "reference_use": "melody"})
    assert not card.knows(melody)


@pytest.mark.parametrize("family", _audio_families.FAMILIES.values(), ids=lambda family: family.classes["make"])
def test_the_installed_pipelines_take_what_they_are_told(family: Any) -> None:
    """A changed signature would drop an argument in silence."""
    import diffusers

    said = {
        "AceStepPipeline": "lyrics bpm keyscale timesignature task_type repainting_start repainting_end src_audio audio_cover_strength"
        " track_name complete_track_classes",
        "StableAudioPipeline": "negative_prompt guidance_scale audio_end_in_s latents callback",
        "StableAudio3Pipeline": "negative_prompt guidance_scale duration callback_on_step_end",
        "StableAudio3AudioToAudioPipeline": "audio init_noise_level duration callback_on_step_end",
        "AudioLDM2Pipeline": "negative_prompt guidance_scale audio_length_in_s callback",
        "LongCatAudioDiTPipeline": "negative_prompt guidance_scale audio_duration_s callback_on_step_end",
        "StableAudio3InpaintPipeline": "audio mask_start_seconds mask_end_seconds duration callback_on_step_end",
    }
    for name in set(family.classes.values()):
        taken = inspect.signature(getattr(diffusers, name).__call__).parameters
        assert {*said[name].split(), "prompt", "num_inference_steps", "generator", "output_type"} <= set(taken)


# Loading -----------------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ace", "open", "three", *MONO])
def test_the_codec_keeps_its_precision_where_the_model_is_narrow(kind: str, folders: dict[str, Path], tune: Path) -> None:
    import torch

    card = card_of(folders[kind], options={"dtype": "bfloat16"})
    values = loaded(diffusion_audio.recipe(card, task_of(), CPU))
    assert values["vae"].dtype == torch.float32
    assert values["unet" if kind == "ldm" else "transformer"].dtype == torch.bfloat16
    assert kind != "ldm" or values["vocoder"].dtype == torch.float32
    for way in ("make", "cover") if kind not in MONO else ("make",):
        task = task_of(**using(way, tune))
        (take,) = diffusion_audio.recipe(card, task, CPU).build(values)(task, lambda _: None)
        assert isinstance(take, Take)
        assert isinstance(take.sound, Sound)
        assert np.isfinite(take.sound.samples).all()
        assert take.facts["dtype"] == "bfloat16"


def test_ways_of_one_model_share_its_parts_and_its_size_is_that_of_its_weights(folders: dict[str, Path], tune: Path) -> None:
    recipes = [diffusion_audio.recipe(card_of(folders["three"]), task_of(**using(way, tune)), CPU) for way in WAYS["three"]]
    keys = [{role: part.key for role, part in recipe.components.items()} for recipe in recipes]
    assert all(other == keys[0] for other in keys)
    weights = sum(file.stat().st_size for file in folders["three"].rglob("*.safetensors"))
    sizes = sum(part.bytes for role, part in recipes[0].components.items() if role != "small")
    assert weights * 0.7 < sizes <= weights
    short, long = (recipes[0].working_bytes(task_of(duration=seconds)) for seconds in (1.0, 4.0))
    assert short < long


def test_the_language_model_of_audioldm_2_goes_on_whichever_class_its_index_names(
    folders: dict[str, Path], models: dict[str, dict[str, Any]]
) -> None:
    assert '"GPT2Model"' in (folders["ldm"] / "model_index.json").read_text()
    assert type(models["ldm"]["language_model"]).__name__ == "GPT2LMHeadModel"


def test_longcats_own_scheduler_is_used_where_the_folder_has_one(folders: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

    folder = shutil.copytree(folders["longcat"], tmp_path / "longcat")
    assert not (folder / "scheduler").exists(), "diffusers does not write it"
    FlowMatchEulerDiscreteScheduler(shift=3.0, invert_sigmas=True).save_pretrained(folder / "scheduler")
    recipe = diffusion_audio.recipe(card_of(folder), task_of(), CPU)
    with_own = list(recipe.build(loaded(recipe))(task_of(), lambda _: None))
    assert isinstance(with_own[0], Take)
    plain = diffusion_audio.recipe(card_of(folders["longcat"]), task_of(), CPU)
    without = list(plain.build(loaded(plain))(task_of(), lambda _: None))
    assert isinstance(without[0], Take)
    assert isinstance(with_own[0].sound, Sound) and isinstance(without[0].sound, Sound)
    assert not np.array_equal(with_own[0].sound.samples, without[0].sound.samples)


def test_other_pipelines_and_missing_files_are_refused_in_words(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    with pytest.raises(ModelUnavailable, match="no audio model"):
        diffusion_audio.recipe(card_of(tmp_path), task_of(), CPU)
    with pytest.raises(ModelUnavailable):
        diffusion_audio.recipe(card_of(tmp_path / "gone"), task_of(), CPU)
    with pytest.raises(ModelUnavailable, match="shfit"):
        diffusion_audio.recipe(card_of(folders["ace"], options={"shfit": 1}), task_of(), CPU)
