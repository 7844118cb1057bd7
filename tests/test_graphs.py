"""Steps of decoding whose shapes are held still: the same words as the plain way, whatever is recorded, reused, stopped or refused."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.creations import Passage, Progress
from studio.device import Device
from studio.engines import _graphs, _prefix, language
from studio.errors import Cancelled
from studio.models import Folder, ModelCard
from studio.tasks import Write
from tests import tiny

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of numpy, asked for by the libraries under test
]

CPU = Device("cpu")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.chat_model(tmp_path_factory.mktemp("graphs") / "chat", 2048)


@pytest.fixture
def values(folder: Path) -> dict[str, Any]:
    return {role: part.load(lambda _: None) for role, part in recipe_of(folder, task_of()).components.items()}


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As on a graphics card, where a recording is made of a step that ran twice before; how often each was replayed."""
    replayed = list[int]()

    class Recording:
        def __init__(self, step: Callable[[], Any], result: Any) -> None:
            self._step, self._result, self._number = step, result, len(replayed)
            replayed.append(0)

        def replay(self) -> None:
            self._result.copy_(self._step())
            replayed[self._number] += 1

        def reset(self) -> None:
            replayed[self._number] *= -1  # over

    def record(step: Callable[[], Any], back: Callable[[], None], _: Any) -> tuple[Recording, Any]:
        for _ in range(2):
            step()
            back()
        result = step().clone()
        return Recording(step, result), result

    monkeypatch.setattr(_graphs, "KINDS", {"cpu"})
    monkeypatch.setattr(_graphs, "_recorded", record)
    return replayed


def task_of(**changes: Any) -> Write:
    return Write.checked({"prompt": "Say something", "seed": 3, "max_new_tokens": 40, "temperature": 0} | changes)


def recipe_of(files: Path, task: Write) -> Any:
    card = ModelCard(name="Tiny", engine="language", serves=("write",), source=Folder(path=str(files)), files=files)
    return language.recipe(card.model_copy(update={"options": {"dtype": "float32"}}), task, CPU)


def written(folder: Path, values: dict[str, Any], report: Callable[[Any], None] = lambda _: None, **changes: Any) -> list[Passage]:
    task = task_of(**changes)
    return list(recipe_of(folder, task).build(values)(task, report))


ASKED = ({}, {"guidance_scale": 1.5, "negative_prompt": "Be quiet"}, {"document": "word " * 120}, {"max_new_tokens": 300}, {"count": 2})


@pytest.mark.parametrize("changes", ASKED)
def test_a_recorded_step_writes_the_words_of_the_plain_way(
    changes: dict[str, Any], folder: Path, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch, recorded: list[int]
) -> None:
    with monkeypatch.context() as plainly:
        plainly.setattr(_graphs, "KINDS", set[str]())
        plain = written(folder, values, **changes)
    assert not recorded
    ours = written(folder, values, **changes)
    assert [passage.text for passage in ours] == [passage.text for passage in plain]
    assert all(passage.facts["cache"] == "static" for passage in ours) and "cache" not in plain[0].facts
    assert len(recorded) == (2 if "guidance_scale" in changes else 1)  # one recording for all takes
    assert all(count == -sum(passage.tokens - 1 for passage in ours) for count in recorded)  # every token was replayed, and it is freed


@pytest.mark.usefixtures("recorded")
def test_takes_are_what_each_is_alone_and_a_prompt_that_was_read_before_changes_no_word(folder: Path, values: dict[str, Any]) -> None:
    settings: dict[str, Any] = {"temperature": 0.9, "document": "word " * 120}
    takes = written(folder, values, count=3, **settings)
    assert values["prefix"].tokens >= _prefix.CHUNK
    alone = [written(folder, values, seed=3 + number, **settings)[0] for number in range(3)]
    assert [take.text for take in takes] == [one.text for one in alone] and len({take.text for take in takes}) == 3


@pytest.mark.usefixtures("recorded")
def test_stop_is_heard_at_the_next_token(folder: Path, values: dict[str, Any]) -> None:
    def report(event: Any) -> None:
        if isinstance(event, Progress) and event.unit == "tokens" and event.done >= 5:
            raise Cancelled

    (passage,) = written(folder, values, report)
    assert passage.finish == "stopped" and passage.tokens == 5


def test_a_step_that_cannot_be_recorded_writes_the_same_and_is_not_tried_again(
    folder: Path, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    plain = written(folder, values)
    monkeypatch.setattr(_graphs, "KINDS", {"cpu"})  # whose steps CUDA does not record
    with caplog.at_level(logging.WARNING, "atelier"):
        first, later = written(folder, values), written(folder, values)
    assert first[0].text == later[0].text == plain[0].text
    assert "cache" not in later[0].facts
    assert sum("without recorded steps" in message for message in caplog.messages) == 1


def test_memory_that_ran_out_while_recording_is_told_as_that(folder: Path, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.errors import NotEnoughMemory

    def full(*_: Any) -> Any:
        raise MemoryError("CUDA out of memory")

    monkeypatch.setattr(_graphs, "KINDS", {"cpu"})
    monkeypatch.setattr(_graphs, "_recorded", full)
    with pytest.raises(NotEnoughMemory):
        written(folder, values)


@pytest.mark.usefixtures("recorded")
def test_a_model_whose_memory_slides_goes_the_plain_way() -> None:
    from transformers import MistralConfig, MistralForCausalLM

    def steps(window: int | None) -> Any:
        config = MistralConfig(
            vocab_size=64, hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
            sliding_window=window,
        )  # fmt: skip
        model: Any = MistralForCausalLM(config).eval()
        return _graphs.steps(model, _prefix.read(model, [1, 2, 3], None, lambda _: None), 5)

    assert steps(None) is not None and steps(8) is None


def test_what_is_held_still_is_in_the_working_memory(folder: Path) -> None:
    def working(device: Device, **changes: Any) -> int:
        task = task_of(**changes)
        card = ModelCard(name="Tiny", engine="language", serves=("write",), source=Folder(path=str(folder)), files=folder)
        return language.recipe(card.model_copy(update={"options": {"dtype": "bfloat16"}}), task, device).working_bytes(task)

    token = 2 * 2 * 2 * 8 * 2  # keys and values of two layers, with two heads of 8 numbers in 2 bytes
    more = working(Device("cuda")) - working(CPU)
    recipe = language.recipe(
        ModelCard(name="Tiny", engine="language", serves=("write",), source=Folder(path=str(folder)), files=folder),
        task_of(),
        Device("cuda"),
    )
    plain = next(way for way in recipe.ways if way.name == language.UNRECORDED)
    assert recipe.ways[0] is plain and recipe.parts(plain)["model"].key == recipe.components["model"].key
    assert plain.working_bytes(task_of()) < recipe.working_bytes(task_of())
    assert more >= _graphs.RECORD_BYTES + _graphs.BUCKET * token
    assert working(Device("cuda"), guidance_scale=2.0) - working(CPU, guidance_scale=2.0) == 2 * more
    assert [_graphs.room(tokens) for tokens in (1, 256, 257)] == [256, 256, 512]


@pytest.mark.parametrize("name", ["Llama", "Qwen2", "Qwen3", "Mistral", "Phi3", "SmolLM3", "Granite"])
def test_no_step_waits_for_the_device_or_brings_numbers_from_elsewhere(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Either would keep CUDA from recording it: on a device without numbers every operation is looked at."""
    import torch
    import transformers
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    seen, waits = list[str](), list[str]()

    class Look(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            made = func(*args, **(kwargs or {}))
            places = {value.device.type for value in tree_leaves((args, kwargs, made)) if isinstance(value, torch.Tensor)}
            seen.append(str(func))
            if places - {"meta"} or any(word in str(func) for word in ("_local_scalar_dense", "nonzero", "masked_select")):
                waits.append(str(func))
            return made

    monkeypatch.setattr(_graphs, "KINDS", {"cpu"})
    config = getattr(transformers, f"{name}Config")(
        vocab_size=64, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        max_position_embeddings=512, bos_token_id=None, eos_token_id=1, pad_token_id=0,
        **({"sliding_window": None} if name == "Mistral" else {}),
    )  # fmt: skip
    model: Any = getattr(transformers, f"{name}ForCausalLM")(config).eval()
    read = _prefix.read(model, [1, 2, 3], None, lambda _: None)
    steps = _graphs.steps(model, read, 5)
    assert steps is not None and read is not None
    steps.begin(read)
    model.to("meta")
    for layer in steps._cache.layers:
        layer.keys, layer.values, layer.cumulative_length = (
            tensor.to("meta") for tensor in (layer.keys, layer.values, layer.cumulative_length)
        )
        layer.device = torch.device("meta")
    steps._ids = steps._ids.to("meta")
    with torch.no_grad(), Look():
        steps._step()
    assert len(seen) > 100 and not waits


def test_a_gpu_without_room_for_recorded_steps_writes_the_same_words_without(
    folder: Path, values: dict[str, Any], recorded: list[int]
) -> None:
    (asked,) = written(folder, values)
    assert len(recorded) == 1
    recipe = recipe_of(folder, task_of())
    (passage,) = recipe.ways[0].build(values)(task_of(), lambda _: None)
    assert recipe.ways[0].name == language.UNRECORDED and len(recorded) == 1
    assert passage.text == asked.text and "cache" not in passage.facts
