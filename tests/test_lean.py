"""A writer in less memory: it fits where the whole one does not, says so, and its scores are nearly the same."""

from __future__ import annotations

import importlib
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio import attempts, foresight
from studio.creations import Passage
from studio.device import Device
from studio.engines import _keeping, _lean, _packing, language
from studio.errors import NotEnoughMemory
from studio.manager import Manager, Recipe, Way
from studio.models import Folder, ModelCard
from studio.recipes import sizes_of
from studio.tasks import Write
from tests import tiny

torch: Any = importlib.import_module("torch")
transformers: Any = importlib.import_module("transformers")

CPU = Device("cpu")
ERRORS = {"int8": 0.06, "int4": 0.6}
"""Of the norm of the scores, with random weights, which carry on every error (measured: 0.03 and 0.42): what 8 and 4 bits may change in one
reading. Two readings that have nothing to do with one another are 1.4 apart."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.chat_model(tmp_path_factory.mktemp("models") / "chat")


def card_of(files: Path) -> ModelCard:
    source = Folder(path=str(files))
    return ModelCard(name="Tiny", engine="language", serves=("write",), source=source, files=files, options={"dtype": "float32"})


def task_of(**changes: Any) -> Write:
    return Write.checked({"prompt": "Say something", "seed": 3, "max_new_tokens": 20, "temperature": 1, "top_k": 20} | changes)


def way_of(recipe: Recipe, name: str) -> Way:
    return next(way for way in recipe.ways if way.name == name)


def loaded(made: Any) -> dict[str, Any]:
    return {role: part.load(lambda _: None) for role, part in made.items()}


def held(module: Any) -> int:
    numbers = {number.data_ptr(): number for number in (*module.parameters(), *module.buffers())}
    return sum(number.numel() * number.element_size() for number in numbers.values())


def scores(model: Any) -> Any:
    ids = torch.randint(0, 200, (1, 24), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return model(input_ids=ids).logits.float()


@pytest.mark.parametrize("kind", _packing.BITS)
def test_scores_are_nearly_the_same_and_the_weights_take_the_bytes_that_were_said(folder: Path, kind: str) -> None:
    recipe = language.recipe(card_of(folder), task_of(), CPU)
    way = way_of(recipe, kind)
    part = recipe.parts(way)["model"]
    right, packed = recipe.components["model"].load(lambda _: None), part.load(lambda _: None)
    assert part.key == f"{recipe.components['model'].key.rpartition(':')[0]}:{kind}"
    assert 0.95 * part.bytes <= held(packed) <= 1.05 * part.bytes < recipe.components["model"].bytes
    off = (scores(packed) - scores(right)).norm() / scores(right).norm()
    assert 0 < off < ERRORS[kind]
    assert recipe.parts(way)["prefix"].key != recipe.components["prefix"].key, "what other weights read is kept apart"


@pytest.mark.parametrize("kind", _packing.BITS)
def test_words_come_and_are_the_same_again_after_what_was_read_before(folder: Path, kind: str) -> None:
    recipe = language.recipe(card_of(folder), task_of(), CPU)
    way = way_of(recipe, kind)
    values = loaded(recipe.parts(way))
    told = []
    for _ in range(2):
        [passage] = way.build(values)(task_of(prompt="Say something of " + 60 * "it "), lambda _: None)
        assert isinstance(passage, Passage)
        told.append(passage.text)
    assert values["prefix"].tokens
    assert told[0] and told[0] == told[1]


def tight(recipe: Recipe, name: str) -> Manager:
    """A manager whose memory is what a way needs."""
    way = way_of(recipe, name)
    return Manager(Device("cpu", budget_gb=(sum(sizes_of(recipe.parts(way)).values()) + way.working_bytes(task_of()) + 10) / 1e9))


@pytest.fixture
def small_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Working memory that does not dwarf a tiny model."""
    monkeypatch.setattr(language, "FIXED_BYTES", 0)
    monkeypatch.setattr(language, "PREFIX_TOKENS", 1)


@pytest.fixture
def wide(tmp_path: Path) -> Path:
    """A model whose layers are large against what one of them takes unpacked; it never ends by itself."""
    torch.manual_seed(0)
    words = tiny.chat_model(tmp_path / "words")
    config = transformers.LlamaConfig.from_pretrained(words, hidden_size=64, intermediate_size=128, num_hidden_layers=12)
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        model.lm_head.weight[config.eos_token_id] = 0  # never among the twenty likeliest
    folder = shutil.copytree(words, tmp_path / "wide")
    model.save_pretrained(folder)
    return folder


@pytest.mark.usefixtures("small_work")
@pytest.mark.parametrize("kind", _packing.BITS)
def test_a_writer_that_does_not_fit_whole_says_in_which_way_it_wrote_and_does_so_again(wide: Path, kind: str) -> None:
    task, recipe = task_of(), language.recipe(card_of(wide), task_of(), CPU)
    title, manager = way_of(recipe, kind).title, tight(recipe, kind)
    plan = manager.plan(recipe, task)
    assert plan.title == title and title in foresight.in_words(replace(plan, loads=10**9)), "the page says it beforehand"
    [(first, _)] = attempts.made(manager, recipe, task, lambda _: None)
    assert isinstance(first, Passage) and first.tokens == 20
    assert first.facts[attempts.FACT] == title
    assert [key.endswith(f":{kind}") for key in (one.key for one in manager.status().residents) if "/model:" in key] == [True]
    roomy = Manager(CPU)
    [(again, _)] = attempts.made(roomy, recipe, task, lambda _: None, like=title)
    assert isinstance(again, Passage) and again.text == first.text and again.facts[attempts.FACT] == title
    [(whole, _)] = attempts.made(roomy, recipe, task, lambda _: None)
    assert attempts.FACT not in whole.facts
    for one in (manager, roomy):
        one.close()


TINY: dict[str, Any] = {
    "vocab_size": 256, "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "head_dim": 16, "max_position_embeddings": 128, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 1,
    "initializer_range": 0.2,
}  # fmt: skip


@pytest.mark.parametrize("family", _lean.FAMILIES)
@pytest.mark.parametrize("tied", [False, True])
def test_every_family_that_is_packed_takes_what_was_said_and_scores_alike(family: str, tied: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = transformers.AutoConfig.for_model(family, **TINY, tie_word_embeddings=tied)
    transformers.AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path)
    shutil.copytree(tiny.chat_model(tmp_path / "words"), tmp_path / "all", ignore=shutil.ignore_patterns("model*", "config.json"))
    for file in ("config.json", "model.safetensors"):
        shutil.copy(tmp_path / file, tmp_path / "all" / file)
    recipe = language.recipe(card_of(tmp_path / "all"), task_of(), CPU)
    right = scores(recipe.components["model"].load(lambda _: None))
    for kind in _packing.BITS:
        part = recipe.parts(way_of(recipe, kind))["model"]
        packed = part.load(lambda _: None)
        assert 0.95 * part.bytes <= held(packed) <= 1.05 * part.bytes < 0.8 * recipe.components["model"].bytes
        assert 0 < (scores(packed) - right).norm() / right.norm() < ERRORS[kind]


def changed(config: dict[str, Any], tensors: list[str]) -> tuple[dict[str, Any], Any]:
    return config, SimpleNamespace(packed="", tensors=[(name, None) for name in tensors])


@pytest.mark.parametrize(
    ("config", "tensors"),
    [
        ({"model_type": "mamba"}, ["model.a.weight"]),
        ({"model_type": "mixtral"}, ["model.a.weight"]),
        ({}, ["model.a.weight"]),
        ({"model_type": "llama"}, ["model.a.weight", "transformer.h.0.weight"]),
    ],
)
def test_what_is_not_known_to_be_ordinary_is_not_packed(config: dict[str, Any], tensors: list[str]) -> None:
    assert not _lean.packs(*changed(config, tensors))
    assert _lean.packs(*changed({"model_type": "llama"}, ["model.a.weight", "lm_head.weight"]))
    came_packed: Any = SimpleNamespace(packed="gptq", tensors=[])
    assert not _lean.packs({"model_type": "llama"}, came_packed)


def test_a_gpu_gives_way_to_the_processor_last(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = Device("cuda", budget_gb=1)
    vars(device)["dtype"] = torch.float32
    recipe, here = language.recipe(card_of(folder), task_of(), device), language.recipe(card_of(folder), task_of(), CPU)
    assert [way.name for way in here.ways] == ["int8", "int4"]
    assert [way.name for way in recipe.ways] == ["unrecorded", "int8", "int4", "processor"]
    last = recipe.ways[-1]
    assert last.working_bytes(task_of()) == 0
    assert {role: part.bytes for role, part in recipe.parts(last).items() if role != "words"} == {"model": 0, "prefix": 0}
    [passage] = last.build(loaded(recipe.parts(last)))(task_of(), lambda _: None)
    [asked] = here.build(loaded(here.components))(task_of(), lambda _: None)
    assert isinstance(passage, Passage) and isinstance(asked, Passage) and passage.text == asked.text
    monkeypatch.setattr(_keeping, "Device", lambda _: SimpleNamespace(room=lambda _: 1000))
    with pytest.raises(NotEnoughMemory, match="machine's memory"):
        recipe.parts(last)["model"].load(lambda _: None)
