"""The network of LaMa beside one written in modules, as a published archive and as plain tensors; and the engine that erases with it."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.creations import Picture, Preview, Progress
from studio.device import Device
from studio.engines import _lama, lama
from studio.errors import Cancelled, InvalidInput, ModelUnavailable, ModelUnsafe
from studio.models import ModelCard, SingleFile, choose, resolve
from studio.sources import Places, fetch, ready
from studio.tasks import Inpaint

pytestmark = pytest.mark.usefixtures("one_thread")

WIDTH, SIZES, BLOCKS = 8, 2, 2


def silent(_: Progress | Preview) -> None: ...


@cache
def published(width: int = WIDTH, sizes: int = SIZES, blocks: int = BLOCKS) -> Any:  # noqa: C901 (many small classes)
    """The paper's generator in modules named as its authors named them, inside the wrapper that was traced; random weights."""
    import torch
    from torch import nn

    class Fourier(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv_layer = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
            self.bn = nn.BatchNorm2d(2 * channels)

        def forward(self, x: Any) -> Any:
            n, c, h, w = x.shape
            waves = torch.fft.rfftn(x, dim=(-2, -1), norm="ortho")
            waves = torch.stack((waves.real, waves.imag), dim=-1).permute(0, 1, 4, 2, 3).contiguous().view(n, 2 * c, h, w // 2 + 1)
            waves = torch.relu(self.bn(self.conv_layer(waves))).view(n, c, 2, h, w // 2 + 1).permute(0, 1, 3, 4, 2).contiguous()
            return torch.fft.irfftn(torch.complex(waves[..., 0], waves[..., 1]), s=(h, w), dim=(-2, -1), norm="ortho")

    class Spectral(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            half = channels // 2
            self.conv1 = nn.Sequential(nn.Conv2d(channels, half, 1, bias=False), nn.BatchNorm2d(half), nn.ReLU())
            self.fu = Fourier(half)
            self.conv2 = nn.Conv2d(half, channels, 1, bias=False)

        def forward(self, x: Any) -> Any:
            x = self.conv1(x)
            return self.conv2(x + self.fu(x))

    class Links(nn.Module):
        def __init__(self, near: tuple[int, int], far: tuple[int, int], size: int, stride: int, padding: int) -> None:
            super().__init__()
            shape: dict[str, Any] = {"stride": stride, "padding": padding, "bias": False, "padding_mode": "reflect"}
            self.convl2l = nn.Conv2d(near[0], near[1], size, **shape)
            self.convl2g = nn.Conv2d(near[0], far[1], size, **shape) if far[1] else nn.Identity()
            self.convg2l = nn.Conv2d(far[0], near[1], size, **shape) if far[0] else nn.Identity()
            self.convg2g = Spectral(far[0]) if far[0] and far[1] else nn.Identity()
            self.both, self.spreads = bool(far[0]), bool(far[1])

        def forward(self, near: Any, far: Any) -> Any:
            local = self.convl2l(near) + (self.convg2l(far) if self.both else 0)
            return local, (self.convl2g(near) + (self.convg2g(far) if self.both else 0)) if self.spreads else near

    class Step(nn.Module):
        def __init__(self, near: tuple[int, int], far: tuple[int, int], size: int = 3, stride: int = 1, padding: int = 1) -> None:
            super().__init__()
            self.ffc = Links(near, far, size, stride, padding)
            self.bn_l = nn.BatchNorm2d(near[1])
            self.bn_g = nn.BatchNorm2d(far[1]) if far[1] else nn.Identity()

        def forward(self, x: Any) -> Any:
            near, far = self.ffc(*x) if isinstance(x, tuple) else self.ffc(x, x)
            return torch.relu(self.bn_l(near)), torch.relu(self.bn_g(far))

    class Block(nn.Module):
        def __init__(self, near: int, far: int) -> None:
            super().__init__()
            self.conv1 = Step((near, near), (far, far))
            self.conv2 = Step((near, near), (far, far))

        def forward(self, x: Any) -> Any:
            inner = self.conv2(self.conv1(x))
            return x[0] + inner[0], x[1] + inner[1]

    class Joined(nn.Module):
        def forward(self, x: Any) -> Any:
            return torch.cat(x, dim=1)

    class Generator(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            full = width * 2**sizes
            far = 3 * full // 4
            parts: list[nn.Module] = [nn.ReflectionPad2d(3), Step((4, width), (0, 0), 7, 1, 0)]
            for size in range(sizes):
                ends = (full - far, far) if size == sizes - 1 else (width * 2 ** (size + 1), 0)
                parts.append(Step((width * 2**size, ends[0]), (0, ends[1]), 3, 2, 1))
            parts += [*(Block(full - far, far) for _ in range(blocks)), Joined()]
            for size in reversed(range(sizes)):
                channels = width * 2**size
                parts.append(nn.ConvTranspose2d(2 * channels, channels, 3, stride=2, padding=1, output_padding=1))
                parts += [nn.BatchNorm2d(channels), nn.ReLU()]
            self.model = nn.Sequential(*parts, nn.ReflectionPad2d(3), nn.Conv2d(width, 3, 7), nn.Sigmoid())

        def forward(self, x: Any) -> Any:
            return self.model(x)

    class Training(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.generator = Generator()

        def forward(self, image: Any, mask: Any) -> Any:
            return mask * self.generator(torch.cat([image * (1 - mask), mask], 1)) + (1 - mask) * image

    class Wrapper(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = Training()

        def forward(self, image: Any, mask: Any) -> Any:
            return self.model(image, mask)

    torch.manual_seed(3)
    module = Wrapper().eval()
    with torch.no_grad():
        for name, value in module.state_dict().items():
            if name.endswith("running_mean"):
                value.normal_(0, 0.2)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
            elif value.dim() > 1:
                value.mul_(1.6)
    return module


def given(height: int = 40, width: int = 56) -> tuple[Any, Any]:
    import torch

    torch.manual_seed(1)
    mask = torch.zeros(1, 1, height, width)
    mask[..., 10:30, 12:40] = 1
    return torch.rand(1, 3, height, width), mask


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generator as its published file is: traced, with its programs."""
    import torch

    path = tmp_path_factory.mktemp("lama") / "tiny-lama.pt"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the published file is of that kind
        traced: Any = torch.jit.trace(published(), given())
        traced.save(str(path))
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same numbers as plain tensors."""
    from safetensors.torch import save_file

    path = tmp_path_factory.mktemp("lama") / "tiny-lama.safetensors"
    save_file({name: value.contiguous() for name, value in published().state_dict().items()}, path)
    return path


@pytest.fixture(scope="module")
def taken_out(archive: Path) -> Path:
    """What the studio keeps of the archive."""
    folder = archive.parent
    places = Places(folder / "assets", folder / "cache", folder / "home")
    named = card(archive).model_copy(update={"source": SingleFile(path=str(archive), sha256=sha256(archive)), "files": None})
    assert ready(named, places) is None
    fetch(named.source, places, silent)
    here = ready(named, places)
    assert here is not None and here.files is not None
    return here.files


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def card(path: Path) -> ModelCard:
    return lama.CARDS[0].model_copy(update={"name": "Tiny LaMa", "source": SingleFile(path=str(path)), "files": path})


def loaded(path: Path) -> _lama.Lama:
    found = lama.recipe(card(path), Inpaint.checked({"image": "a", "mask": "b", "mode": "erase"}), Device("cpu")).components["lama"]
    return found.load(silent)


# The network -----------------------------------------------------------------------------------------------------------------------


def test_it_draws_what_the_papers_network_draws(weights: Path) -> None:
    import torch

    picture, mask = given()
    with torch.inference_mode():
        drawn, wanted = loaded(weights).drawn(picture, mask), published()(picture, mask)
    assert torch.allclose(drawn, wanted, atol=1e-5)
    assert (drawn - picture).abs()[mask.expand_as(picture) > 0].mean() > 0.05, "the hole is drawn"
    assert torch.equal(drawn[mask.expand_as(picture) == 0], picture[mask.expand_as(picture) == 0])


def test_the_published_archive_gives_the_same_without_being_run(archive: Path, taken_out: Path, weights: Path) -> None:
    import torch
    from safetensors.torch import load_file

    plain, read = load_file(weights), load_file(taken_out)
    assert sorted(plain) == sorted(read)
    assert all(torch.equal(plain[name], read[name]) for name in plain)
    with torch.inference_mode():
        assert torch.equal(loaded(taken_out).drawn(*given()), loaded(weights).drawn(*given()))
    assert taken_out.suffix == ".safetensors"
    assert archive.exists(), "a person's own file stays where it is"


@pytest.mark.parametrize("prefix", ["", "generator.", "model.generator."])
def test_checkpoints_of_other_wrappers_are_known_too(prefix: str) -> None:
    state = {prefix + name.removeprefix("model.generator."): value for name, value in published().state_dict().items()}
    found = _lama.of(state | {"discriminator.weight": state[f"{prefix}model.1.bn_l.weight"]})
    assert found is not None
    assert (found.sizes, found.blocks) == (SIZES, BLOCKS)


def test_a_checkpoint_that_lacks_something_is_none_of_its() -> None:
    state = dict(published().state_dict())
    for name in ("model.generator.model.4.conv1.ffc.convg2g.fu.bn.running_var", "model.generator.model.1.ffc.convl2l.weight"):
        assert _lama.of({key: value for key, value in state.items() if key != name}) is None
    assert _lama.of({}) is None


def test_the_published_size_has_fifty_one_million_numbers() -> None:
    """As the paper says of Big LaMa, with 18 blocks at a width of 64; and the names lie where the published file has them."""
    import torch

    with torch.device("meta"):
        state = published.__wrapped__(64, 3, 18).state_dict()
    found = _lama.of(state)
    assert found is not None
    assert (found.sizes, found.blocks) == (3, 18)
    assert sum(value.numel() for name, value in found.weights.items() if "running" not in name) == pytest.approx(51e6, rel=0.01)
    assert found.weights["model.1.ffc.convl2l.weight"].shape == (64, 4, 7, 7)
    assert found.weights["model.34.weight"].shape == (3, 64, 7, 7)


def test_other_weights_are_refused_in_a_sentence(tmp_path: Path) -> None:
    import torch
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, tmp_path / "other.safetensors")
    state = {name: value.contiguous() for name, value in published().state_dict().items()}
    state["model.generator.model.4.conv1.ffc.convg2l.weight"] = torch.zeros(2, 2, 3, 3)
    save_file(state, tmp_path / "misshapen.safetensors")
    for name in ("other", "misshapen"):
        with pytest.raises(ModelUnavailable, match="its files do not fit together"):
            loaded(tmp_path / f"{name}.safetensors")


# The card and its file -------------------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_the_one_of_the_card_is_refused(archive: Path, tmp_path: Path) -> None:
    places = Places(tmp_path / "assets", tmp_path / "cache", tmp_path / "home")
    with pytest.raises(ModelUnsafe, match="SHA-256 differs"):
        fetch(SingleFile(path=str(archive), sha256="0" * 64), places, silent)
    assert not list(places.cache.rglob("*.safetensors"))


def test_where_it_is_here_it_erases_and_elsewhere_the_eraser_does(weights: Path) -> None:
    from studio.engines import eraser

    asked = Inpaint.checked({"image": "a", "mask": "b", "mode": "erase"})
    known = (*lama.CARDS, *eraser.CARDS)
    here = {eraser.CARDS[0].name: eraser.CARDS[0]}
    assert choose(asked, known, here, lambda: 10**10).name == "Atelier Eraser"
    there = lama.CARDS[0].model_copy(update={"files": weights})
    assert choose(asked, known, here | {there.name: there}, lambda: 10**10).name == "LaMa"
    assert choose(asked, known, here | {there.name: there}, lambda: 10**8).name == "Atelier Eraser"
    filled = Inpaint.checked({"image": "a", "mask": "b", "prompt": "a cat", "mode": "fill", "model": "LaMa"})
    with pytest.raises(InvalidInput, match="cannot do this"):
        choose(filled, known, here | {there.name: there}, lambda: 10**10)


# The engine ------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def erase(weights: Path, tmp_path: Path) -> Callable[..., tuple[np.ndarray, np.ndarray, list[Picture]]]:
    """Runs the engine on a picture with a disc marked."""

    def run(picture: np.ndarray, report: Any = silent, **fields: Any) -> tuple[np.ndarray, np.ndarray, list[Picture]]:
        y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
        mark = np.hypot(x - picture.shape[1] // 2, y - picture.shape[0] // 2) < max(1, min(picture.shape[:2]) // 5)
        Image.fromarray(picture).save(tmp_path / "picture.png")
        Image.fromarray(mark.astype(np.uint8) * 255).save(tmp_path / "mask.png")
        files = {"image": str(tmp_path / "picture.png"), "mask": str(tmp_path / "mask.png")}
        task = resolve(Inpaint.checked({**files, "mode": "erase", "seed": 4, **fields}), card(weights))
        made = lama.recipe(card(weights), task, Device("cpu"))
        values = {"lama": made.components["lama"].load(silent)}
        return picture, mark, [one for one in made.build(values)(task, report) if isinstance(one, Picture)]

    return run


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lama, "SIDE", 64)


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize("shape", [(90, 140, 3), (90, 140), (64, 70, 4), (33, 700, 3), (17, 19, 3)])
def test_what_is_not_marked_comes_back_byte_for_byte(erase: Any, shape: tuple[int, ...]) -> None:
    picture, mark, (result,) = erase(noise(*shape), feather=0)
    assert result.pixels.shape == picture.shape
    assert (result.pixels == picture)[~mark].all()
    assert result.facts["edit"]["changed_outside"] == 0
    assert (result.pixels != picture)[mark].mean() > 0.5, "the hole is drawn"


def test_the_two_variants_are_the_picture_and_its_mirror_image(erase: Any) -> None:
    picture = noise(80, 80, 3)
    _, _, both = erase(picture, count=2)
    assert [one.seed for one in both] == [4, 5]
    assert [one.facts["mirrored"] for one in both] == [False, True]
    assert (both[0].pixels != both[1].pixels).any()
    _, _, (again,) = erase(picture, seed=5)
    assert (again.pixels == both[1].pixels).all()
    with pytest.raises(InvalidInput, match="Variants must be from 1 to 2 with Tiny LaMa"):
        erase(picture, count=3)


def test_progress_is_told_and_a_stop_ends_the_run(erase: Any) -> None:
    events: list[Progress | Preview] = []
    erase(noise(80, 80, 3), events.append)
    done = [event.done / event.total for event in events if isinstance(event, Progress)]
    assert done == sorted(done) and done[0] == 0 and done[-1] == 1
    assert any(isinstance(event, Preview) for event in events)

    def stop(event: Progress | Preview) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        erase(noise(80, 80, 3), stop)
