"""Weights that wait in the machine's memory: the same model comes back, no file is read for it, and it stays within its share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.device import Device
from studio.engines import diffusion
from studio.pinned import SHARE, Pinned
from tests.test_ladder import card_of, pixels, task_of

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of numpy, asked for by the libraries under test
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]


def keeper(room: int = 1 << 40, pin: Callable[[Any], Any] = lambda tensor: tensor.clone()) -> Pinned:
    return Pinned(lambda: room, pin)


def linear(size: int = 8) -> Any:
    import torch

    return torch.nn.Linear(size, size)


def test_the_copy_is_the_same_model_with_numbers_of_its_own() -> None:
    import torch

    kept, module = keeper(), torch.nn.Sequential(linear(), torch.nn.BatchNorm1d(8), linear()).eval()
    module[2].weight = module[0].weight
    given = torch.randn(3, 8)
    right = module(given)
    assert kept.keep("a", module, 100)
    one, other = kept.get("a", "cpu"), kept.get("a", "cpu")
    assert torch.equal(one(given), right) and torch.equal(other(given), right)
    assert one[0].weight is one[2].weight and not one[0].weight.requires_grad
    places = {tensor.data_ptr() for each in (module, one, other) for tensor in (*each.parameters(), *each.buffers())}
    assert len(places) == 3 * len([*module.parameters(), *module.buffers()])
    assert not any(tensor.device.type != "meta" for tensor in kept.get("a", "meta").parameters())


def test_packed_weights_are_kept_as_they_are_on_the_device() -> None:
    import torch

    from studio.engines import _packing

    packed = _packing.pack(torch.nn.Sequential(linear(32), torch.nn.GELU(), linear(32)), "int8", "cpu")
    given = torch.randn(3, 32)
    right, kept = packed(given), keeper()
    assert kept.keep_like("a", packed, 100) and not keeper(10).keep_like("a", packed, 100)
    copied = kept.get("a", "cpu")
    for tensor in (*packed.parameters(), *packed.buffers()):
        tensor.data.zero_()
    assert torch.equal(copied(given), right), "the copy multiplies with numbers of its own"


def test_a_copy_that_was_asked_for_comes_though_others_took_its_place() -> None:
    import torch

    kept, module, given = keeper(int(100 / SHARE)), linear(), torch.ones(1, 8)
    assert kept.copier("a", "cpu") is None
    right = module(given)
    assert kept.keep("a", module, 80)
    copies = kept.copier("a", "cpu")
    assert copies is not None and kept.keep("b", linear(), 80) and kept.copier("a", "cpu") is None
    assert torch.equal(copies()(given), right)


def test_the_least_recently_used_makes_room_within_a_share() -> None:
    kept = keeper(int(100 / SHARE))
    for key in "ab":
        assert kept.keep(key, linear(), 40)
    assert kept.get("a", "cpu") is not None
    assert kept.keep("c", linear(), 40)
    assert kept.get("b", "cpu") is None and kept.get("a", "cpu") is not None and kept.bytes == 80
    assert not kept.keep("too large", linear(), 101) and kept.bytes == 80


def test_what_was_asked_for_more_often_keeps_its_place_until_others_have_asked_enough() -> None:
    kept = keeper(int(100 / SHARE))
    assert kept.keep("a", linear(), 80)
    for _ in range(2):
        kept.get("a", "cpu")
    came = []
    for _ in range(2):
        assert kept.get("b", "cpu") is None
        came.append(kept.keep("b", linear(), 80))
    assert came == [False, True] and kept.get("a", "cpu") is None and kept.bytes == 80


@pytest.mark.parametrize("fault", [RuntimeError("CUDA error: out of memory"), RuntimeError("no driver")])
def test_memory_that_cannot_be_pinned_costs_the_speed_and_not_the_model(fault: RuntimeError) -> None:
    import torch

    def fails(_: Any) -> Any:
        raise fault

    kept, module, given = keeper(pin=fails), linear(), torch.ones(1, 8)
    right = module(given)
    assert not kept.keep("a", module, 10)
    assert kept.get("a", "cpu") is None and torch.equal(module(given), right)
    assert not kept.keep("b", linear(), 10), "it is not tried again and again"


def test_a_model_that_had_to_go_comes_back_without_its_files(folders: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from studio import components

    device, read = Device("cpu"), list[str]()
    vars(device)["pinned"] = keeper()
    plain = components._read
    monkeypatch.setattr(components, "_read", lambda card, part, *rest: (read.append(part), plain(card, part, *rest))[1])
    recipe = diffusion.recipe(card_of(folders("StableDiffusionPipeline")), task_of(), device)
    assert not any(part.ahead() for part in recipe.components.values()), "files are read by whoever has the device"
    first, second = ({role: part.load(lambda _: None) for role, part in recipe.components.items()} for _ in range(2))
    assert sorted(read) == ["text_encoder", "unet", "vae"]
    assert all(part.ahead() for role, part in recipe.components.items() if role in ("text_encoder", "unet", "vae")), "also for who waits"
    assert first["unet"] is not second["unet"]
    assert (pixels(recipe, first, task_of()) == pixels(recipe, second, task_of())).all()


def test_only_a_gpu_keeps_its_weights_elsewhere() -> None:
    assert Device("cpu").pinned is None and Device("mps").pinned is None
    assert isinstance(Device("cuda").pinned, Pinned)


def test_several_threads_share_it() -> None:
    kept, wrong = keeper(int(100 / SHARE)), list[BaseException]()

    def work(number: int) -> None:
        try:
            for count in range(30):
                key = f"{(number + count) % 5}"
                if kept.get(key, "cpu") is None:
                    kept.keep(key, linear(), 30)
                assert kept.bytes <= 100
        except BaseException as error:  # noqa: BLE001 - it is handed to the test
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(60)
    assert wrong == []
