"""The diffusion engine, on tiny but real pipelines saved to folders: from a card to finished pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio import components
from studio.creations import Picture, Preview, Progress
from studio.device import Device
from studio.engines import _economies, _latents, _painting, _schedulers, diffusion
from studio.errors import Cancelled, InvalidInput, ModelUnavailable, ModelUnsafe, NotEnoughMemory, StudioError
from studio.manager import Recipe
from studio.models import Folder, Hub, ModelCard, SingleFile, resolve
from studio.tasks import TextToImage
from tests import tiny

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of numpy, asked for by the libraries under test
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]

CPU = Device("cpu")


@pytest.fixture(scope="module")
def folder(folders: Callable[[str], Path]) -> Path:
    return folders("StableDiffusionPipeline")


@pytest.fixture
def own_folder(folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(folder, tmp_path / "model")


def card_of(files: Path, **options: Any) -> ModelCard:
    return ModelCard(
        name="Tiny", engine="diffusion", serves=("text_to_image",), source=Folder(path=str(files)), files=files, options=options
    )


def task_of(**changes: Any) -> TextToImage:
    return TextToImage.checked({"prompt": "a red apple", "width": 64, "height": 64, "steps": 3, "guidance_scale": 3, "seed": 1} | changes)


def loaded(recipe: Recipe) -> dict[str, Any]:
    return {role: component.load(lambda _: None) for role, component in recipe.components.items()}


def drawn(recipe: Recipe, values: dict[str, Any], task: TextToImage, report: Callable[[Any], None] = lambda _: None) -> list[Picture]:
    made = list(recipe.build(values)(task, report))
    assert all(isinstance(picture, Picture) for picture in made)
    return [picture for picture in made if isinstance(picture, Picture)]


def pictures(card: ModelCard, task: TextToImage, report: Callable[[Any], None] = lambda _: None) -> list[Picture]:
    recipe = diffusion.recipe(card, task, CPU)
    return drawn(recipe, loaded(recipe), task, report)


@pytest.mark.parametrize("name", tiny.FAMILIES)
def test_a_pipeline_of_every_family_makes_a_picture_of_the_asked_size(name: str, folders: Callable[[str], Path]) -> None:
    events: list[Any] = []
    guidance = "true_cfg_scale" if name == "QwenImagePipeline" else "guidance_scale"
    (picture,) = pictures(card_of(folders(name), guidance=guidance), task_of(width=96), events.append)
    assert picture.pixels.shape == (64, 96, 3)
    assert picture.pixels.dtype == np.uint8
    assert picture.pixels.std() > 1
    assert picture.facts["pipeline"] == name
    previews = [event.pixels for event in events if isinstance(event, Preview)]
    assert previews
    assert previews[0] is not None
    assert previews[0].shape == (171, 256, 3)
    assert previews[0].std() > 1


def test_progress_counts_the_steps(folder: Path) -> None:
    events: list[Any] = []
    pictures(card_of(folder), task_of(steps=5, count=2), events.append)
    steps = [(e.item, e.done, e.total) for e in events if isinstance(e, Progress)]
    assert steps == [(item, done, 5) for item in (1, 2) for done in range(6)]


def test_schedulers_of_the_second_order_count_their_half_steps(folder: Path) -> None:
    events: list[Any] = []
    pictures(card_of(folder), task_of(steps=4, scheduler="Heun"), events.append)
    last = [e for e in events if isinstance(e, Progress)][-1]
    assert (last.done, last.total) == (7, 7)


def test_previews_come_at_most_four_times_a_second(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def shown(pause: float) -> int:
        now = iter(np.arange(0, 1e6, pause))
        monkeypatch.setattr(_painting.time, "monotonic", lambda: float(next(now)))  # asked once a step, twice where one is shown
        events: list[Any] = []
        pictures(card_of(folder), task_of(steps=10), events.append)
        return sum(isinstance(event, Preview) for event in events)

    assert shown(0.3) == 10
    assert shown(0.01) == 1


def test_stopping_ends_the_run_within_one_step_and_the_pipeline_still_works(folder: Path) -> None:
    task = task_of(steps=8)
    recipe = diffusion.recipe(card_of(folder), task, CPU)
    values = loaded(recipe)
    (before,) = drawn(recipe, values, task)
    steps: list[float] = []

    def stop_at_the_third(event: Any) -> None:
        if isinstance(event, Progress):
            steps.append(event.done)
            if event.done >= 3:
                raise Cancelled

    with pytest.raises(Cancelled):
        drawn(recipe, values, task, stop_at_the_third)
    assert steps == [0, 1, 2, 3]
    (again,) = drawn(recipe, values, task)
    assert np.array_equal(again.pixels, before.pixels)


def test_a_stopped_batch_has_given_its_finished_pictures(folder: Path) -> None:
    task = task_of(count=3)
    recipe = diffusion.recipe(card_of(folder), task, CPU)

    def stop_in_the_second(event: Any) -> None:
        if event.item == 2:
            raise Cancelled

    run = iter(recipe.build(loaded(recipe))(task, stop_in_the_second))
    assert next(run).seed == 1
    with pytest.raises(Cancelled):
        next(run)


@pytest.mark.parametrize("scheduler", ["", "Euler a", "DPM++ SDE"])
def test_picture_k_of_a_batch_is_the_picture_of_its_own_seed(scheduler: str, folder: Path) -> None:
    batch = pictures(card_of(folder), task_of(count=3, seed=7, scheduler=scheduler))
    assert [picture.seed for picture in batch] == [7, 8, 9]
    assert not np.array_equal(batch[0].pixels, batch[2].pixels)
    (single,) = pictures(card_of(folder), task_of(seed=9, scheduler=scheduler))
    difference = np.abs(batch[2].pixels.astype(int) - single.pixels)
    assert difference.max() <= 1
    assert np.mean(difference > 0) <= 0.001


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", "StableDiffusion3Pipeline", "FluxPipeline", "QwenImagePipeline"])
def test_every_scheduler_a_pipeline_offers_runs_and_is_recorded(name: str, folders: Callable[[str], Path]) -> None:
    task = task_of(steps=2)
    recipe = diffusion.recipe(card_of(folders(name)), task, CPU)
    values = loaded(recipe)
    offered = _schedulers.offered(name, values["small"]["scheduler"])
    assert {"Euler", "Euler a", "DPM++ 2M Karras", "DDIM", "UniPC", "LCM"} <= {n.removesuffix(" (flow)") for n in offered} or len(
        offered
    ) >= 2
    for scheduler in offered:
        (picture,) = drawn(recipe, values, task.model_copy(update={"scheduler": scheduler}))
        assert picture.facts["scheduler"] == scheduler


def test_a_scheduler_that_does_not_fit_the_model_is_refused_with_those_that_do(folders: Callable[[str], Path]) -> None:
    with pytest.raises(InvalidInput, match=r"Euler \(flow\), UniPC \(flow\)") as refusal:
        pictures(card_of(folders("FluxPipeline")), task_of(scheduler="DDIM"))
    assert refusal.value.field == "scheduler"


def test_more_steps_than_a_scheduler_can_make_are_refused_in_words(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="at most 50") as refusal:
        pictures(card_of(folder), task_of(steps=51, scheduler="LCM"))
    assert refusal.value.field == "steps"


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_settings_that_give_no_numbers_are_said_instead_of_shown_as_black(folders: Callable[[str], Path]) -> None:
    card = card_of(folders("QwenImagePipeline"), guidance="true_cfg_scale")
    with pytest.raises(StudioError, match="more steps"):
        pictures(card, task_of(steps=1))


def test_guidance_and_negative_prompt_change_the_picture_where_the_pipeline_takes_them(folder: Path) -> None:
    base, stronger, avoiding = (
        pictures(card_of(folder, dtype="float32"), task_of(**changes))[0].pixels
        for changes in ({}, {"guidance_scale": 12}, {"negative_prompt": "blue"})
    )
    assert not np.array_equal(base, stronger)
    assert not np.array_equal(base, avoiding)


def test_two_jobs_share_the_weights_and_leave_them_as_they_were(folder: Path) -> None:
    first, second = (diffusion.recipe(card_of(folder), task, CPU) for task in (task_of(), task_of(scheduler="Euler a", width=128)))
    assert {c.key for c in first.components.values()} == {c.key for c in second.components.values()}
    values = loaded(first)
    before = {name: tensor.clone() for name, tensor in values["unet"].state_dict().items()}
    settings = dict(values["small"]["scheduler"].config)
    for recipe, task in ((first, task_of()), (second, task_of(scheduler="Euler a", width=128))):
        drawn(recipe, values, task)
    after = values["unet"].state_dict()
    assert all(tensor.equal(after[name]) and tensor.dtype == after[name].dtype for name, tensor in before.items())
    assert dict(values["small"]["scheduler"].config) == settings


def test_keys_tell_apart_number_formats_and_changed_files(own_folder: Path) -> None:
    def unet_key(**options: Any) -> str:
        return diffusion.recipe(card_of(own_folder, **options), task_of(), CPU).components["unet"].key

    narrow, wide = unet_key(dtype="bfloat16"), unet_key(dtype="float32")
    assert str(own_folder.parent) not in wide
    assert narrow.endswith("/unet:bfloat16:none")
    assert wide.endswith("/unet:float32:none")
    file = own_folder / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes())
    assert unet_key(dtype="float32") != wide


def test_a_hub_card_is_keyed_by_repository_and_revision(folder: Path) -> None:
    card = card_of(folder).model_copy(update={"source": Hub(repo="some/model", revision="a" * 40)})
    assert diffusion.recipe(card, task_of(), CPU).components["vae"].key.startswith(f"some/model@{'a' * 40}/vae:")


def test_bytes_are_known_before_loading(folder: Path) -> None:
    for dtype, itemsize in (("bfloat16", 2), ("float32", 4)):
        recipe = diffusion.recipe(card_of(folder, dtype=dtype), task_of(), CPU)
        unet = recipe.components["unet"]
        assert unet.bytes == sum(weight.numel() * itemsize for weight in unet.load(lambda _: None).parameters())


def test_half_precision_is_never_used_on_a_cpu(folder: Path) -> None:
    (picture,) = pictures(card_of(folder, dtype="float16"), task_of())
    assert picture.facts["dtype"] in ("bfloat16", "float32")


def test_working_memory_grows_with_the_picture_until_it_is_tiled(folder: Path) -> None:
    recipe = diffusion.recipe(card_of(folder, dtype="bfloat16"), task_of(), CPU)
    small, square, huge = (recipe.working_bytes(task_of(width=side, height=side)) for side in (512, 1024, 2048))
    assert small < square == huge
    assert recipe.working_bytes(task_of(width=512, height=512, count=8)) == small


def test_large_pictures_are_decoded_in_tiles_and_others_are_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_economies, "TILED_ABOVE", 64 * 64)
    recipe = diffusion.recipe(card_of(folder), task_of(), CPU)
    values = loaded(recipe)
    tiled: list[bool] = []
    values["vae"].decoder.register_forward_pre_hook(lambda *_: tiled.append(values["vae"].use_tiling))
    for width in (72, 64):
        drawn(recipe, values, task_of(width=width, steps=1))
    assert tiled[0] and not tiled[-1]
    assert not values["vae"].use_tiling


def test_one_file_gives_the_same_picture_as_its_folder(folder: Path, tmp_path: Path) -> None:
    file = tiny.single_file(folder, tmp_path / "model.safetensors")
    card = card_of(file, dtype="float32").model_copy(update={"source": SingleFile(path=str(file), config=str(folder))})
    recipe = diffusion.recipe(card, task_of(), CPU)
    assert recipe.components["file"].bytes == 251_380
    (one,) = pictures(card, task_of())
    (other,) = pictures(card_of(folder, dtype="float32"), task_of())
    assert np.array_equal(one.pixels, other.pixels)


def test_one_file_without_its_configuration_or_as_a_pickle_is_refused(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    bare = card_of(file).model_copy(update={"source": SingleFile(path=str(file))})
    with pytest.raises(ModelUnavailable, match="config"):
        diffusion.recipe(bare, task_of(), CPU)
    pickle = file.rename(tmp_path / "model.ckpt")
    card = card_of(pickle).model_copy(update={"source": SingleFile(path=str(pickle), config=str(folder))})
    with pytest.raises(ModelUnsafe, match="safetensors"):
        diffusion.recipe(card, task_of(), CPU)


def test_a_file_of_another_model_is_refused_in_words(folder: Path, folders: Callable[[str], Path], tmp_path: Path) -> None:
    other = folders("StableDiffusion3Pipeline") / "transformer" / "diffusion_pytorch_model.safetensors"
    card = card_of(other).model_copy(update={"source": SingleFile(path=str(other), config=str(folder))})
    with pytest.raises(ModelUnavailable, match="another kind"):
        pictures(card, task_of())


def _cut_short(folder: Path) -> None:
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])


def _pickled(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").rename(folder / "unet" / "diffusion_pytorch_model.bin")


def _indexed(change: Callable[[dict[str, Any]], None]) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        index = json.loads((folder / "model_index.json").read_text())
        change(index)
        (folder / "model_index.json").write_text(json.dumps(index))

    return damage


def _sharded_outside(folder: Path) -> None:
    (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"conv_in.weight": "../vae/diffusion_pytorch_model.safetensors"}}))


def _lost_shard(folder: Path) -> None:
    _sharded_outside(folder)
    index = folder / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"conv_in.weight": "diffusion_pytorch_model-00001-of-00002.safetensors"}}))


def _other_weights(folder: Path) -> None:
    shutil.copy(folder / "vae" / "diffusion_pytorch_model.safetensors", folder / "unet" / "diffusion_pytorch_model.safetensors")


def _one_tensor_less(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: tensor.clone() for name, tensor in load_file(file).items() if name != "conv_in.weight"}, file)


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (_cut_short, ModelUnsafe, "damaged"),
        (_pickled, ModelUnsafe, "could run code"),
        (_sharded_outside, ModelUnsafe, "outside its folder"),
        (_lost_shard, ModelUnavailable, "00001-of-00002"),
        (_other_weights, ModelUnavailable, "another model|do not fit together"),
        (_one_tensor_less, ModelUnavailable, "another model"),
        (lambda folder: shutil.rmtree(folder / "vae"), ModelUnavailable, "lacks its vae"),
        (lambda folder: (folder / "model_index.json").unlink(), ModelUnavailable, "model_index.json"),
        (lambda folder: (folder / "model_index.json").write_text("[" * 100_000), ModelUnavailable, "model_index.json"),
        (lambda folder: (folder / "scheduler" / "scheduler_config.json").write_text("{"), ModelUnavailable, "do not fit together"),
        (_indexed(lambda index: index.update(unet=["os", "system"])), ModelUnsafe, "asks for code"),
        (_indexed(lambda index: index.update(unet=["../unet", "Net"])), ModelUnsafe, "asks for code"),
        (_indexed(lambda index: index.update(unet=["diffusers", "UNetOfTomorrow"])), ModelUnavailable, "UNetOfTomorrow"),
        (_indexed(lambda index: index.update(_class_name="AutoencoderKL")), ModelUnavailable, "no pictures from words"),
        (_indexed(lambda index: index.update(_class_name="StableUpscaleTomorrow")), ModelUnavailable, "StableUpscaleTomorrow"),
        (_indexed(lambda index: index.pop("unet")), ModelUnavailable, "lacks its unet"),
        (shutil.rmtree, ModelUnavailable, "not on this machine"),
    ],
)
def test_a_folder_that_is_no_whole_and_safe_model_is_refused_in_one_sentence(
    damage: Callable[[Path], object], error: type[StudioError], words: str, own_folder: Path
) -> None:
    damage(own_folder)
    with pytest.raises(error, match=words) as refusal:
        pictures(card_of(own_folder), task_of())
    assert str(own_folder) not in str(refusal.value)


def test_parts_that_are_not_needed_may_be_missing(own_folder: Path) -> None:
    _indexed(
        lambda index: index.update(
            safety_checker=["stable_diffusion", "StableDiffusionSafetyChecker"], feature_extractor=["transformers", "CLIPImageProcessor"]
        )
    )(own_folder)
    recipe = diffusion.recipe(card_of(own_folder), task_of(), CPU)
    assert set(recipe.components) - {"prompts", "encodings"} == {"unet", "vae", "text_encoder", "small"}
    assert drawn(recipe, loaded(recipe), task_of())


def test_a_folder_of_half_precision_files_alone_is_read(own_folder: Path) -> None:
    for file in own_folder.glob("*/*.safetensors"):
        file.rename(file.with_name(file.name.replace(".safetensors", ".fp16.safetensors")))
    assert pictures(card_of(own_folder), task_of())


def test_weights_and_words_of_older_versions_give_the_same_picture(folder: Path, own_folder: Path) -> None:
    import torch
    from safetensors.torch import load_file, save_file
    from tokenizers import Tokenizer

    vae, text_encoder = own_folder / "vae" / "diffusion_pytorch_model.safetensors", own_folder / "text_encoder" / "model.safetensors"
    older = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    weights = load_file(vae)
    for new, old in older.items():
        weights = {name.replace(new, old) if "attentions" in name else name: tensor.clone() for name, tensor in weights.items()}
    save_file(weights, vae)
    weights = {f"text_model.{name}": tensor.clone() for name, tensor in load_file(text_encoder).items()}
    save_file(weights | {"text_model.embeddings.position_ids": torch.arange(77)[None]}, text_encoder)
    tokenizer = own_folder / "tokenizer" / "tokenizer.json"
    (tokenizer.parent / "vocab.json").write_text(json.dumps(Tokenizer.from_file(str(tokenizer)).get_vocab()))
    (tokenizer.parent / "merges.txt").write_text("#version: 0.2\n")
    tokenizer.unlink()
    (new_one,), (old_one,) = pictures(card_of(folder), task_of()), pictures(card_of(own_folder), task_of())
    assert np.array_equal(new_one.pixels, old_one.pixels)


def test_memory_that_runs_out_is_said_in_words_and_the_pipeline_still_works(folder: Path) -> None:
    import torch

    task = task_of()
    recipe = diffusion.recipe(card_of(folder), task, CPU)
    values = loaded(recipe)

    def run_out(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB")

    hook = values["unet"].register_forward_pre_hook(run_out)
    with pytest.raises(NotEnoughMemory, match="64 × 64"):
        drawn(recipe, values, task)
    hook.remove()
    assert drawn(recipe, values, task)


def test_a_fault_of_the_code_keeps_its_own_error(folder: Path) -> None:
    task = task_of()
    recipe = diffusion.recipe(card_of(folder), task, CPU)
    values = loaded(recipe)
    values["unet"].register_forward_pre_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        drawn(recipe, values, task)


def test_a_vae_that_was_left_wide_is_narrowed_again(folders: Callable[[str], Path]) -> None:
    import torch

    task = task_of()
    recipe = diffusion.recipe(card_of(folders("StableDiffusionXLPipeline"), dtype="bfloat16"), task, CPU)
    values = loaded(recipe)

    def widen(event: Any) -> None:
        if event.item == 1 and getattr(event, "done", 0) == 2:
            values["vae"].to(torch.float32)  # as the pipeline does before it decodes float16
            raise Cancelled

    with pytest.raises(Cancelled):
        drawn(recipe, values, task, widen)
    assert values["vae"].dtype == torch.bfloat16


def test_a_size_the_model_cannot_draw_is_refused_with_the_nearest(folder: Path) -> None:
    with pytest.raises(InvalidInput, match="1008 or 1024") as refusal:
        diffusion.recipe(card_of(folder, size_step=16), task_of(width=1016), CPU)
    assert refusal.value.field == "width"


def test_an_option_nobody_knows_is_refused(folder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="turbo"):
        diffusion.recipe(card_of(folder, turbo=True), task_of(), CPU)


def test_the_end_of_a_prompt_that_is_too_long_to_read_is_named(folder: Path) -> None:
    (short,) = pictures(card_of(folder), task_of())
    assert "unread" not in short.facts
    events: list[Any] = []
    (long,) = pictures(card_of(folder), task_of(prompt="x" * 90), events.append)
    assert long.facts["unread"] == "x" * 15
    assert any(isinstance(event, Progress) and "does not read the end" in event.note for event in events)


def _halves() -> Any:
    """(1, 3, 64, 64) in [-1, 1]: red at the left, blue at the right."""
    import torch

    picture = torch.full((1, 3, 64, 64), -0.6)
    picture[:, 0, :, :32] = 0.6
    picture[:, 2, :, 32:] = 0.6
    return picture


def _linear_vae(**config: Any) -> Any:
    """A VAE whose five latent channels depend on the colours of 8 x 8 pixels linearly."""
    import torch
    from diffusers.configuration_utils import FrozenDict

    class LinearVae(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = FrozenDict(latent_channels=5, **config)
            self.mix = torch.nn.Conv2d(3, 5, 8, 8)
            with torch.no_grad():
                colours = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, -1, 0.5]])
                self.mix.weight.copy_(colours[:, :, None, None].expand(5, 3, 8, 8) / 64)

        def encode(self, picture: Any) -> Any:
            return type("Encoded", (), {"latent": self.mix(picture)})

    return LinearVae().requires_grad_(False)


def _packed(latents: Any) -> Any:
    """(1, C, h, w) -> (1, h * w / 4, 4 C), as Flux and its kin hold latents."""
    channels, rows, columns = latents.shape[1:]
    return latents.view(1, channels, rows // 2, 2, columns // 2, 2).permute(0, 2, 4, 1, 3, 5).reshape(1, -1, 4 * channels)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("scaling", ["factor and shift", "means and spreads", "batch norm"])
def test_a_preview_shows_the_very_colours_where_latents_depend_on_them_linearly(scaling: str, packed: bool) -> None:
    import torch

    mean, spread = torch.linspace(-0.3, 0.5, 5), torch.linspace(1.5, 3.0, 5)
    config: dict[str, Any] = {"scaling_factor": 0.4, "shift_factor": 0.3}
    if scaling == "means and spreads":
        config = {"latents_mean": mean.tolist(), "latents_std": spread.tolist()}
    vae = _linear_vae(**(config if scaling != "batch norm" else {"batch_norm_eps": 0.0}))
    latents = vae.mix(_halves()[..., :32, :])  # 64 x 32 pixels
    if scaling == "factor and shift":
        latents = (latents - 0.3) * 0.4
    elif scaling == "means and spreads":
        latents = (latents - mean.view(1, -1, 1, 1)) / spread.view(1, -1, 1, 1)
    latents = _packed(latents) if packed else latents
    if scaling == "batch norm":
        count = 20 if packed else 5
        vae.bn = torch.nn.BatchNorm1d(count)
        vae.bn.running_mean, vae.bn.running_var = torch.linspace(-0.3, 0.5, count), torch.linspace(2.0, 4.0, count)
        shape = (1, 1, -1) if packed else (1, -1, 1, 1)
        latents = (latents - vae.bn.running_mean.view(shape)) / vae.bn.running_var.sqrt().view(shape)
    pixels = _latents.preview(latents, vae, 64, 32).astype(int)
    assert pixels.shape == (128, 256, 3)
    assert abs(pixels[:, :64] - [204, 51, 51]).max() <= 4
    assert abs(pixels[:, 192:] - [51, 51, 204]).max() <= 4


@pytest.mark.parametrize("name", ["StableDiffusionPipeline", "StableDiffusion3Pipeline"])
def test_a_preview_puts_colours_where_a_real_vae_has_them(name: str, folders: Callable[[str], Path]) -> None:
    import torch

    vae = loaded(diffusion.recipe(card_of(folders(name), dtype="float32"), task_of(), CPU))["vae"]
    with torch.no_grad():
        latents = vae.encode(_halves()).latent_dist.mode()
    latents = (latents - (vae.config.shift_factor or 0)) * vae.config.scaling_factor
    pixels = _latents.preview(latents, vae, 64, 64).astype(int)
    red, blue = pixels[..., 0], pixels[..., 2]
    assert red[:, :100].mean() > red[:, 156:].mean()
    assert blue[:, 156:].mean() > blue[:, :100].mean()


def test_a_preview_of_latents_nobody_knows_is_still_a_picture() -> None:
    import torch
    from diffusers.configuration_utils import FrozenDict

    decoder_alone = type("Decoder", (), {"config": FrozenDict()})()
    generator = torch.Generator().manual_seed(0)
    for channels in (1, 2, 7, 128):
        pixels = _latents.preview(torch.randn(1, channels, 4, 8, generator=generator), decoder_alone, 64, 32)
        assert pixels.shape == (128, 256, 3)
        assert pixels.std() > 1


CARDS = pytest.mark.parametrize("card", diffusion.CARDS, ids=lambda card: card.name)


@CARDS
def test_a_card_says_what_it_must_and_its_defaults_are_a_task(card: ModelCard) -> None:
    assert card.engine == "diffusion"
    assert card.licence
    assert card.summary.endswith(".")
    assert 1 <= card.quality <= 100
    assert card.memory_gb is not None
    assert 1 < card.memory_gb < 100
    assert set(card.unverified) <= set(ModelCard.model_fields)
    task = resolve(TextToImage.checked({"prompt": "a red apple"}), card)
    assert task.steps is not None
    assert task.guidance_scale is not None
    diffusion._check_size(card, task, diffusion._options(card))


@CARDS
def test_a_card_names_its_repository_and_where_its_licence_is_read(card: ModelCard) -> None:
    assert isinstance(card.source, Hub)
    assert card.url == f"https://huggingface.co/{card.source.repo}"
    assert not card.source.allow or "model_index.json" in card.source.allow


@pytest.mark.parametrize("card", [c for c in diffusion.CARDS if "text_to_image" in c.serves], ids=lambda card: card.name)
def test_a_card_offers_schedulers_that_its_pipeline_takes(card: ModelCard, folders: Callable[[str], Path]) -> None:
    files = folders(card.options["pipeline"])
    own = diffusion.recipe(card_of(files), task_of(), CPU).components["small"].load(lambda _: None)["scheduler"]
    assert card.schedulers
    assert set(card.schedulers) <= set(_schedulers.offered(card.options["pipeline"], own))


def test_cards_are_in_order_and_each_is_there_once() -> None:
    names = [card.name for card in diffusion.CARDS]
    assert len(set(names)) == len(names) >= 10
    memory = [card.memory_gb or 0 for card in diffusion.CARDS]
    assert min(memory) < 4
    assert any(4 < gb <= 8.4 or 8 < gb <= 12 for gb in memory)
    assert any(12 < gb <= 24 for gb in memory)
    assert any(gb > 40 for gb in memory)


def test_reading_the_cards_imports_no_framework() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from studio.engines import diffusion, language; assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(components.__file__).parents[1]).returncode == 0
