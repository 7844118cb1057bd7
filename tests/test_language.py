"""The language engine, on a tiny but real Llama chat model whose tokens are bytes: from a card to finished text."""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.creations import Passage, Preview, Progress
from studio.device import Device
from studio.engines import _samplers, _takes, _words, language
from studio.errors import Cancelled, InvalidInput, ModelUnavailable, ModelUnsafe, NotEnoughMemory, StudioError
from studio.models import Folder, Hub, ModelCard, resolve
from studio.tasks import Write
from tests import tiny

CPU = Device("cpu")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.chat_model(tmp_path_factory.mktemp("models") / "chat")


@pytest.fixture(scope="module")
def values(folder: Path) -> dict[str, Any]:
    """The loaded components; float32, so that equal words do not hang on rounding."""
    return {role: component.load(lambda _: None) for role, component in recipe_of(folder).components.items()}


@pytest.fixture
def own_folder(folder: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return shutil.copytree(folder, tmp_path / "model")


def card_of(files: Path, **options: Any) -> ModelCard:
    source = Folder(path=str(files))
    return ModelCard.model_validate(
        {
            "name": "Tiny",
            "engine": "language",
            "serves": ("write",),
            "source": source,
            "files": files,
            "options": {"dtype": "float32"} | options,
        }
    )


def task_of(**changes: Any) -> Write:
    return Write.checked({"prompt": "Say something", "seed": 3, "max_new_tokens": 30} | changes)


def recipe_of(files: Path, task: Write | None = None, **options: Any) -> Any:
    return language.recipe(card_of(files, **options), task or task_of(), CPU)


def write(folder: Path, values: dict[str, Any], report: Callable[[Any], None] = lambda _: None, **changes: Any) -> Passage:
    task = task_of(**changes)
    (passage,) = recipe_of(folder, task).build(values)(task, report)
    assert isinstance(passage, Passage)
    return passage


def test_the_same_seed_gives_the_same_words_and_another_seed_others(folder: Path, values: dict[str, Any]) -> None:
    first, again, other = (write(folder, values, seed=seed) for seed in (3, 3, 4))
    assert len(first.text) == first.tokens == 30
    assert first.finish == "length"
    assert first == again
    assert first.text != other.text


def test_sampling_leaves_the_shared_random_numbers_alone(folder: Path, values: dict[str, Any]) -> None:
    import torch

    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    first = write(folder, values)
    assert torch.random.get_rng_state().equal(before)
    torch.manual_seed(99)
    assert write(folder, values) == first


@pytest.mark.parametrize("setting", [{"temperature": 0}, {"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1}])
def test_settings_that_leave_one_word_to_choose_from_always_take_the_likeliest(
    setting: dict[str, float], folder: Path, values: dict[str, Any]
) -> None:
    likeliest = write(folder, values, temperature=0, seed=1).text
    changes: dict[str, Any] = {"temperature": 1.5, "seed": 2} | setting
    assert write(folder, values, **changes).text == likeliest


def test_a_repetition_penalty_changes_the_words(folder: Path, values: dict[str, Any]) -> None:
    plain, varied = (write(folder, values, temperature=0, repetition_penalty=penalty).text for penalty in (1, 2))
    assert len(set(varied)) > len(set(plain))


def test_words_are_drawn_as_often_as_they_are_likely() -> None:
    import torch

    shares = torch.tensor([[0.5, 0.0, 0.3, 0.2, 0.0]])
    generator = torch.Generator("cpu").manual_seed(5)
    seen = Counter(_samplers.draw(shares.log(), generator) for _ in range(4000))
    assert set(seen) == {0, 2, 3}
    for token, share in ((0, 0.5), (2, 0.3), (3, 0.2)):
        assert abs(seen[token] / 4000 - share) < 0.03


def test_settings_come_from_the_task_then_the_model_then_the_studio(folder: Path, values: dict[str, Any]) -> None:
    facts = write(folder, values, top_k=7).facts
    assert facts["top_k"] == 7
    assert facts["temperature"] == 0.6  # of the model's generation_config.json
    assert facts["top_p"] == language.SAMPLING["top_p"]


def test_the_text_streams_and_never_takes_a_word_back(folder: Path, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_takes, "PREVIEW_SECONDS", 0)
    events: list[Any] = []
    passage = write(folder, values, events.append)
    shown = [event.text or "" for event in events if isinstance(event, Preview)]
    assert len(shown) == 30
    assert all(later.startswith(sooner) for sooner, later in zip(shown, [*shown[1:], passage.text], strict=True))
    counted = [(event.done, event.total, event.unit) for event in events if isinstance(event, Progress)]
    assert counted == [(done, 30, "tokens") for done in range(31)]


def test_previews_come_at_most_twenty_times_a_second(folder: Path, values: dict[str, Any]) -> None:
    events: list[Any] = []
    began = time.monotonic()
    write(folder, values, events.append, max_new_tokens=60)
    seconds = time.monotonic() - began
    assert 1 <= sum(isinstance(event, Preview) for event in events) <= seconds * 20 + 1


def test_a_stop_text_ends_the_answer_and_is_never_seen(folder: Path, values: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_takes, "PREVIEW_SECONDS", 0)
    whole = write(folder, values).text
    stop = whole[10:14]
    expected = whole[: whole.index(stop)]
    events: list[Any] = []
    passage = write(folder, values, events.append, stop=["never said", stop])
    assert passage.text == expected
    assert passage.finish == "stop"
    assert all(expected.startswith(event.text or "") for event in events if isinstance(event, Preview))


def test_stopping_keeps_the_words_so_far_and_the_next_run_is_whole(folder: Path, values: dict[str, Any]) -> None:
    whole = write(folder, values)

    def stop_at_the_seventh(event: Any) -> None:
        if isinstance(event, Progress) and event.done >= 7:
            raise Cancelled

    passage = write(folder, values, stop_at_the_seventh)
    assert passage.finish == "stopped"
    assert passage.tokens == 7
    assert passage.text == whole.text[:7]
    assert write(folder, values) == whole


def test_stopping_before_the_first_word_gives_nothing(folder: Path, values: dict[str, Any]) -> None:
    def stop(_: Any) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        write(folder, values, stop)


def test_an_answer_goes_on_from_the_last_character_of_the_document(folder: Path, values: dict[str, Any]) -> None:
    whole = write(folder, values, temperature=0).text
    for kept in (1, 9, 20):
        rest = write(folder, values, temperature=0, document=whole[:kept], max_new_tokens=30 - kept).text
        assert whole[:kept] + rest == whole


def test_a_document_keeps_its_own_line_ends_before_the_answer(values: dict[str, Any]) -> None:
    words = values["words"].tokenizer
    assert (
        _words.opening(words, "You are a writer.", "Say something", True, {})
        == "<|system|>\nYou are a writer.<|end|>\n<|user|>\nSay something<|end|>\n<|assistant|>\n"
    )


def test_without_a_document_the_turn_of_the_model_is_opened(values: dict[str, Any]) -> None:
    words = values["words"].tokenizer
    assert _words.opening(words, "", "Say something", False, {}) == "<|user|>\nSay something<|end|>\n<|assistant|>\n"


def test_a_template_without_a_system_turn_or_none_at_all_still_reads_the_system_prompt(folder: Path) -> None:
    words = tiny.byte_words(512)
    said = ("Be brief.", "Say something", True, {})
    words.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
        "[{{ m['role'] }}]{{ m['content'] }}{% endfor %}"
    )
    assert _words.opening(words, *said) == "[user]Be brief.\n\nSay something[assistant]"
    words.chat_template = None
    assert _words.opening(words, *said) == "Be brief.\n\nSay something\n\n"


def _answer(words: Any, said: str, stop: tuple[str, ...] = (), document: str = "") -> tuple[_words.Answer, list[str]]:
    answer = _words.Answer(words, words("before it").input_ids, [], stop, document)
    shown: list[str] = []
    for token in words(said, add_special_tokens=False).input_ids:
        answer.add(token)
        shown.append(answer.shown)
        if answer.stopped:
            break
    return answer, shown


@pytest.mark.parametrize("said", ["plain", "naïve café", "日本語の文", "🍎 and 👩‍🎨!", " leading space", "\n\nnew paragraph"])
def test_characters_of_several_tokens_appear_whole(said: str) -> None:
    answer, shown = _answer(tiny.byte_words(512), said)
    assert answer.text == said
    assert all(said.startswith(text) for text in shown)


def test_half_a_character_at_the_end_is_left_out() -> None:
    words = tiny.byte_words(512)
    answer = _words.Answer(words, [], [], (), "")
    for token in words("an apple 🍎").input_ids[:-1]:
        answer.add(token)
    assert answer.text == "an apple "


def test_a_stop_text_is_found_across_tokens_and_what_may_begin_one_is_held_back() -> None:
    answer, shown = _answer(tiny.byte_words(512), "one ## two ### three", ("###", "###!"))
    assert answer.text == "one ## two "
    assert answer.stopped
    assert "one #" not in shown
    assert "one ## t" in shown


def test_a_space_the_document_ends_with_is_not_doubled() -> None:
    words = tiny.byte_words(512)
    assert _answer(words, " there", document="Hello ")[0].text == "there"
    assert _answer(words, " there", document="Hello")[0].text == " there"
    assert _answer(words, "there", document="Hello ")[0].text == "there"


def test_an_end_token_ends_the_answer_and_is_no_word(own_folder: Path) -> None:
    loaded = {role: component.load(lambda _: None) for role, component in recipe_of(own_folder).components.items()}
    whole = write(own_folder, loaded, temperature=0).text
    end = loaded["words"].tokenizer(whole[5]).input_ids[0]
    loaded["model"].generation_config.eos_token_id = [end]
    passage = write(own_folder, loaded, temperature=0)
    assert passage.finish == "end"
    assert passage.text == whole[: whole.index(whole[5])]
    assert passage.tokens == len(passage.text)


def test_a_document_longer_than_the_model_reads_keeps_its_end_and_says_so(folder: Path, values: dict[str, Any]) -> None:
    document = "".join(f"line {number}\n" for number in range(100))
    passage = write(folder, values, document=document, max_new_tokens=100)
    cut = passage.facts["cut"]
    assert isinstance(cut, int)
    opening = len(_words.Words(values["words"].tokenizer, {}).opening("", "Say something", goes_on=True))
    most = 512 - opening - 100
    assert most - most // 4 - len("line 99\n") < len(document) - cut <= most  # from the beginning of a word, in steps of a quarter
    assert passage.tokens == 100
    short = write(folder, values, document="short")
    assert "cut" not in short.facts


def test_an_answer_longer_than_the_model_reads_is_as_long_as_there_is_room(folder: Path, values: dict[str, Any]) -> None:
    passage = write(folder, values, prompt="x" * 450, max_new_tokens=400)
    assert 16 <= passage.tokens < 62
    assert passage.finish == "length"


def test_a_card_may_narrow_what_the_model_reads(folder: Path, values: dict[str, Any]) -> None:
    task = task_of(document="x" * 200, max_new_tokens=20)
    (passage,) = recipe_of(folder, task, max_context=100).build(values)(task, lambda _: None)
    assert passage.facts["cut"] > 120


def test_an_instruction_longer_than_the_model_reads_is_refused_in_words(folder: Path, values: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="Shorten it") as refusal:
        write(folder, values, prompt="x" * 600)
    assert refusal.value.field == "prompt"


def test_memory_that_runs_out_is_said_in_words_and_the_model_still_works(folder: Path, values: dict[str, Any]) -> None:
    import torch

    def run_out(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    hook = values["model"].register_forward_pre_hook(run_out)
    with pytest.raises(NotEnoughMemory, match="shorten the text"):
        write(folder, values)
    hook.remove()
    assert write(folder, values).tokens == 30


def test_working_memory_grows_with_what_is_read_and_written(folder: Path) -> None:
    recipe = recipe_of(folder)
    short, long, longest = (
        recipe.working_bytes(task_of(document="x" * size, max_new_tokens=tokens)) for size, tokens in ((0, 10), (200, 100), (60_000, 4096))
    )
    assert short < long < longest
    assert longest == recipe.working_bytes(task_of(document="x" * 30_000, max_new_tokens=4096))  # never more than the model reads


def test_two_tasks_share_the_model(folder: Path) -> None:
    first, second = recipe_of(folder), recipe_of(folder, task_of(prompt="Another", max_new_tokens=5))
    assert {c.key for c in first.components.values()} == {c.key for c in second.components.values()}
    assert first.components["model"].key.endswith("/model:float32:none")
    assert first.components["model"].bytes == sum(p.numel() * 4 for p in first.components["model"].load(lambda _: None).parameters())


def _another_model(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 5}))


def _code_of_its_own(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "mine.py").write_text("raise SystemExit('code of a model ran')")


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 100), ModelUnsafe, "damaged"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), ModelUnsafe, "could run code"),
        (lambda folder: (folder / "model.safetensors").unlink(), ModelUnavailable, "no weights"),
        (lambda folder: (folder / "config.json").unlink(), ModelUnavailable, "config.json"),
        (lambda folder: (folder / "tokenizer.json").write_text("{}"), ModelUnavailable, "do not fit together"),
        (_another_model, ModelUnavailable, "another model"),
        (_code_of_its_own, ModelUnavailable, "do not fit together"),
        (shutil.rmtree, ModelUnavailable, "not on this machine"),
    ],
)
def test_a_folder_that_is_no_whole_and_safe_model_is_refused_in_one_sentence(
    damage: Callable[[Path], object], error: type[StudioError], words: str, own_folder: Path
) -> None:
    damage(own_folder)
    with pytest.raises(error, match=words) as refusal:
        for component in recipe_of(own_folder).components.values():
            component.load(lambda _: None)
    assert str(own_folder) not in str(refusal.value)


def test_an_option_nobody_knows_is_refused(folder: Path) -> None:
    with pytest.raises(ModelUnavailable, match="creativity"):
        recipe_of(folder, creativity=11)


CARDS = pytest.mark.parametrize("card", language.CARDS, ids=lambda card: card.name)


@CARDS
def test_a_card_says_what_it_must_and_its_defaults_are_a_task(card: ModelCard) -> None:
    assert card.engine == "language"
    assert card.licence
    assert card.summary.endswith(".")
    assert 1 <= card.quality <= 100
    assert card.memory_gb is not None
    assert 0.5 < card.memory_gb < 100
    assert set(card.unverified) <= set(ModelCard.model_fields)
    assert resolve(Write.checked({"prompt": "A haiku"}), card).max_new_tokens == 512
    assert isinstance(card.source, Hub)
    assert card.url == f"https://huggingface.co/{card.source.repo}"


def test_cards_reach_from_a_laptop_to_a_large_card_and_each_is_there_once() -> None:
    names = [card.name for card in language.CARDS]
    assert len(set(names)) == len(names) >= 10
    memory = sorted(card.memory_gb or 0 for card in language.CARDS)
    assert memory[0] < 2
    assert memory[-1] > 15
