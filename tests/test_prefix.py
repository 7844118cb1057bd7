"""A prompt that begins like an earlier one: what was read is not read again, and nothing else changes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from studio.creations import Passage, Progress
from studio.device import Device
from studio.engines import _prefix, _takes, language
from studio.errors import Cancelled
from studio.models import Folder, ModelCard
from studio.tasks import Write
from tests import tiny

CHUNK = _prefix.CHUNK
TEXT = "".join(f"In chapter {number} the keeper lights the lamp and waits for the ship.\n" for number in range(40))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> ModelCard:
    folder = tiny.chat_model(tmp_path_factory.mktemp("models") / "chat", context=2048)
    return card_of(folder)


@pytest.fixture
def values(card: ModelCard) -> dict[str, Any]:
    """Freshly loaded: nothing was read yet."""
    recipe = language.recipe(card, Write.checked({"prompt": "x"}), Device("cpu"))
    return {role: component.load(lambda _: None) for role, component in recipe.components.items()}


@pytest.fixture(autouse=True)
def _nothing_guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is counted here, and guessed tokens are read along."""
    monkeypatch.setattr(_takes, "_guesses", lambda _: False)


def card_of(folder: Path) -> ModelCard:
    source = Folder(path=str(folder))
    return ModelCard(name="Tiny", engine="language", serves=("write",), source=source, files=folder, options={"dtype": "float32"})


def write(card: ModelCard, values: dict[str, Any], report: Callable[[Any], None] = lambda _: None, **changes: Any) -> list[Passage]:
    task = Write.checked({"prompt": "Go on", "seed": 3, "max_new_tokens": 20} | changes)
    recipe = language.recipe(card, task, Device("cpu"))
    return [media for media in recipe.build(values)(task, report) if isinstance(media, Passage)]


@contextmanager
def counted(model: Any) -> Generator[list[int]]:
    """How many tokens each call of the model reads."""
    reads: list[int] = []
    hook = model.register_forward_pre_hook(lambda _, __, given: reads.append(given["input_ids"].shape[1]), with_kwargs=True)
    try:
        yield reads
    finally:
        hook.remove()


SETTINGS = pytest.mark.parametrize(
    "settings", [{"temperature": 0}, {"temperature": 1.2, "top_p": 1, "top_k": 0}], ids=["greedy", "sampled"]
)


@SETTINGS
def test_a_text_that_goes_on_is_not_read_again_and_says_the_same(card: ModelCard, values: dict[str, Any], settings: dict[str, Any]) -> None:
    document = TEXT[:1000]
    with counted(values["model"]) as first:
        (begun,) = write(card, values, document=document, **settings)
    more = document + begun.text
    with counted(values["model"]) as second:
        (warm,) = write(card, values, document=more, **settings)
    values["prefix"].close()
    with counted(values["model"]) as cold_reads:
        (cold,) = write(card, values, document=more, **settings)
    assert warm == cold
    assert sum(first) > 1000
    assert sum(cold_reads) > 1000
    assert sum(second) < CHUNK + 2 * 20
    assert sum(cold_reads) - sum(second) == sum(first[:-19]) // CHUNK * CHUNK


@SETTINGS
def test_a_text_changed_in_the_middle_is_read_from_there(card: ModelCard, values: dict[str, Any], settings: dict[str, Any]) -> None:
    write(card, values, document=TEXT[:1200], **settings)
    changed = TEXT[:700] + "But then a storm" + TEXT[700:1100]
    with counted(values["model"]) as reads:
        (warm,) = write(card, values, document=changed, **settings)
    assert 0 < 1116 + 60 - sum(reads[:-19]) - 512 < CHUNK + 60
    values["prefix"].close()
    assert write(card, values, document=changed, **settings) == [warm]


def test_the_scores_after_a_kept_beginning_are_the_same_bits(values: dict[str, Any]) -> None:
    import torch

    ids = [(7 * at * at + at) % 250 for at in range(700)]
    for size in (129, 256, 257, 400, 640, 641, 700):
        prefix = _prefix.Prefix(10**9)
        cold = _prefix.read(values["model"], ids[:size], None, lambda _: None)
        _prefix.read(values["model"], ids[: size - 60], prefix, lambda _: None)
        warm = _prefix.read(values["model"], ids[:size], prefix, lambda _: None)
        _prefix.read(values["model"], ids, prefix, lambda _: None)
        cut = _prefix.read(values["model"], ids[:size], prefix, lambda _: None)
        assert cold is not None
        assert warm is not None
        assert cut is not None
        assert torch.equal(cold.scores, warm.scores)
        assert torch.equal(cold.scores, cut.scores)


def test_another_instruction_shares_nothing_and_both_are_kept(card: ModelCard, values: dict[str, Any]) -> None:
    write(card, values, document=TEXT[:600])
    kept = values["prefix"].tokens
    write(card, values, prompt="Now something quite different", document=TEXT[:600])
    assert values["prefix"].tokens == 2 * kept
    with counted(values["model"]) as reads:
        write(card, values, document=TEXT[:600])
    assert sum(reads[:-19]) <= CHUNK


def test_what_is_kept_stays_within_its_bytes(values: dict[str, Any]) -> None:
    a_token = 2 * 2 * 2 * 8 * 4
    prefix = _prefix.Prefix(5 * CHUNK * a_token)
    for start in range(4):
        _prefix.read(values["model"], [start, *range(200), *range(200)], prefix, lambda _: None)
        assert prefix.bytes == prefix.tokens * a_token <= 5 * CHUNK * a_token
    assert prefix.tokens == 3 * CHUNK  # two do not fit
    _prefix.read(values["model"], [9, *range(250)] * 4, prefix, lambda _: None)
    assert prefix.tokens == 5 * CHUNK  # the beginning of one that is too long
    prefix.close()
    assert prefix.bytes == 0


def test_the_component_says_how_much_it_may_hold(card: ModelCard, values: dict[str, Any]) -> None:
    recipe = language.recipe(card, Write.checked({"prompt": "x"}), Device("cpu"))
    most = recipe.components["prefix"].bytes
    assert most == language.PREFIX_TOKENS * 2 * 2 * 2 * 8 * 4
    assert recipe.components["prefix"].key.endswith("/prefix:float32:none")
    write(card, values, document=TEXT[:1500])
    assert 0 < values["prefix"].bytes <= most


def test_takes_share_one_reading_and_each_is_the_run_of_its_seed(card: ModelCard, values: dict[str, Any]) -> None:
    document = TEXT[:500]
    with counted(values["model"]) as reads:
        takes = write(card, values, document=document, count=4, seed=7)
    prompt = sum(reads) - 4 * 19
    assert 500 < prompt < 560
    assert [take.seed for take in takes] == [7, 8, 9, 10]
    assert len({take.text for take in takes}) == 4
    for take in takes:
        values["prefix"].close()
        assert write(card, values, document=document, seed=take.seed) == [take]


def test_a_stop_while_reading_is_noticed_between_two_pieces(card: ModelCard, values: dict[str, Any]) -> None:
    heard: list[Progress] = []

    def stop_at_the_third(event: Any) -> None:
        heard.append(event)
        if len(heard) == 3:
            raise Cancelled

    with counted(values["model"]) as reads, pytest.raises(Cancelled):
        write(card, values, stop_at_the_third, document=TEXT[:1500])
    assert reads == [CHUNK, CHUNK]
    assert heard[1].note.startswith("Reading 128 of 1,5")
    with counted(values["model"]) as rest:
        write(card, values, document=TEXT[:1500])
    assert sum(rest[:-19]) < 1500  # the two pieces were not lost


def _gemma(**changes: Any) -> Any:
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig

    config: dict[str, Any] = {
        "vocab_size": 300, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
        "num_key_value_heads": 2, "head_dim": 8, "sliding_window": 200, "layer_types": ["sliding_attention", "full_attention"],
        "initializer_range": 0.3,
    }  # fmt: skip
    return Gemma3ForCausalLM(Gemma3TextConfig(**config | changes)).eval()


def test_a_model_with_a_sliding_window_goes_on_and_never_back() -> None:
    import torch

    torch.manual_seed(0)
    model, ids = _gemma(), [(7 * at * at + at) % 250 for at in range(900)]
    prefix = _prefix.Prefix(10**9)
    _prefix.read(model, ids[:600], prefix, lambda _: None)
    with counted(model) as on:
        warm = _prefix.read(model, ids, prefix, lambda _: None)
    with counted(model) as back:
        cut = _prefix.read(model, ids[:500], prefix, lambda _: None)
    assert sum(on) == 900 - 512
    assert sum(back) == 500
    for found, size in ((warm, 900), (cut, 500)):
        cold = _prefix.read(model, ids[:size], None, lambda _: None)
        assert found is not None
        assert cold is not None
        assert torch.equal(found.scores, cold.scores)


def test_pieces_read_what_the_whole_would(values: dict[str, Any]) -> None:
    import torch

    torch.manual_seed(0)
    for model in (values["model"], _gemma()):
        ids = [(5 * at * at + at) % 250 for at in range(333)]
        read = _prefix.read(model, ids, None, lambda _: None)
        with torch.no_grad():
            whole = model(torch.tensor([ids])).logits[:, -1]
        assert read is not None
        assert torch.allclose(read.scores, whole, atol=1e-4)


def test_a_model_that_keeps_a_state_instead_of_keys_reads_by_itself() -> None:
    from transformers import MambaConfig, MambaForCausalLM

    from studio.engines import _decoding

    model = MambaForCausalLM(MambaConfig(vocab_size=300, hidden_size=16, num_hidden_layers=2, state_size=4)).eval()
    assert _prefix.read(model, [1, 2, 3], _prefix.Prefix(10**6), lambda _: None) is None
    written: list[int] = []
    _decoding.write(model, [1, 2, 3], None, [], 5, lambda _, scores: int(scores.argmax()), lambda token: bool(written.append(token)))
    assert len(written) == 5
