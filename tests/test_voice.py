"""Narration on tiny but real voices with random weights: from a text to one sound that was heard while it was spoken."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio import models
from studio.creations import Creation, Preview, Progress, Take
from studio.device import Device
from studio.engines import _csm, _dialogue, _speaking, voice
from studio.errors import Cancelled, InvalidInput, ModelUnavailable, ModelUnsafe, Refused
from studio.models import Folder, ModelCard, resolve
from studio.provenance import record, sounds
from studio.rules import rules
from studio.settings import Settings
from studio.studio import Studio
from studio.tasks import Narrate
from tests import tiny_voices

CPU = Device("cpu")
TEXT = "The rain falls. The lamp is lit.\n\nNobody sleeps!"


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def dia(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_voices.dia(tmp_path_factory.mktemp("dia") / "model")


@pytest.fixture(scope="module")
def vits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_voices.vits(tmp_path_factory.mktemp("vits") / "model")


@pytest.fixture(scope="module")
def bark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_voices.bark(tmp_path_factory.mktemp("bark") / "model")


def card_of(folder: Path, **fields: Any) -> ModelCard:
    values = {"name": "Tiny voice", "engine": "voice", "serves": ("narrate",), "source": Folder(path=str(folder)), "files": folder}
    return ModelCard.model_validate(values | {"memory_gb": 0.1} | fields)


def speak(folder: Path, text: str = TEXT, report: Callable[[Any], None] = lambda _: None, **fields: Any) -> list[Take]:
    card = card_of(folder)
    task = resolve(Narrate.checked({"text": text, "seed": 3} | fields), card)
    voice.check(card, task)
    recipe = voice.recipe(card, task, CPU)
    pipeline = recipe.build({role: part.load(lambda _: None) for role, part in recipe.components.items()})
    return [take for take in pipeline(task, report) if isinstance(take, Take)]


def heard(events: list[Any]) -> list[Any]:
    return [event.sound.samples for event in events if isinstance(event, Preview) and event.sound is not None]


def test_a_text_is_spoken_sentence_by_sentence_and_heard_while_it_is_made(vits: Path) -> None:
    events: list[Any] = []
    (take,) = speak(vits, report=events.append)
    assert take.sound.rate == 8000
    assert take.sound.samples.shape[0] == 1
    assert np.abs(take.sound.samples).max() > 0
    assert len(heard(events)) == 3
    np.testing.assert_array_equal(np.concatenate(heard(events), axis=1), take.sound.samples)
    assert [e.total for e in events if isinstance(e, Progress)] == [3] * sum(isinstance(e, Progress) for e in events)
    assert take.facts["sentences"] == 3
    assert take.finish == "end"
    pauses = [round(piece.pause * 8000) for piece in _speaking.pieces(TEXT, 400)][:2]
    for sound, pause in zip(heard(events), pauses, strict=False):
        assert not sound[0, -pause:].any(), "silence follows a sentence"
        assert sound[0, :-pause].any()


def test_a_seed_gives_the_same_voice_again_and_another_one_another(vits: Path) -> None:
    (first,), (again,), (other,) = speak(vits), speak(vits), speak(vits, seed=4)
    np.testing.assert_array_equal(first.sound.samples, again.sound.samples)
    assert first.sound.samples.shape != other.sound.samples.shape or (first.sound.samples != other.sound.samples).any()


def test_what_others_draw_by_chance_does_not_change(vits: Path) -> None:
    import torch

    states: list[Any] = []
    speak(vits, report=lambda event: states.append(torch.random.get_rng_state()) if isinstance(event, Preview) else None)
    assert len(states) == 3
    assert all(torch.equal(states[0], state) for state in states)


def test_a_change_at_the_end_leaves_the_beginning_as_it_was(vits: Path) -> None:
    (long,), (short,) = speak(vits, "The rain falls. The lamp is lit."), speak(vits, "The rain falls.")
    length = short.sound.samples.shape[1]
    assert short.sound.samples.any()
    np.testing.assert_array_equal(long.sound.samples[:, :length], short.sound.samples)


def test_a_higher_speed_is_a_shorter_sound(vits: Path) -> None:
    (slow,), (usual,), (quick,) = speak(vits, speed=0.5), speak(vits), speak(vits, speed=2)
    assert slow.sound.seconds > usual.sound.seconds > quick.sound.seconds


def test_stopping_keeps_what_was_spoken(vits: Path) -> None:
    (whole,) = speak(vits)
    for where, said in ((1.0, 1), (2.0, 2)):

        def report(event: Any, where: float = where) -> None:
            if isinstance(event, Progress) and event.done >= where:
                raise Cancelled

        (take,) = speak(vits, report=report)
        assert take.finish == "stopped"
        assert take.facts["sentences"] == said
        assert take.facts["notes"] == [f"Stopped after {said} of 3 sentences."]
        np.testing.assert_array_equal(take.sound.samples, whole.sound.samples[:, : take.sound.samples.shape[1]])


def test_a_stop_after_the_last_sentence_leaves_nothing_out(vits: Path) -> None:
    def report(event: Any) -> None:
        if isinstance(event, Progress) and event.done == 3:
            raise Cancelled

    (take,) = speak(vits, report=report)
    assert (take.finish, take.facts["sentences"]) == ("end", 3)
    assert "notes" not in take.facts


def test_stopping_before_the_first_sentence_is_done_keeps_nothing(vits: Path) -> None:
    calls: list[Any] = []

    def report(event: Any) -> None:
        calls.append(event)
        if len(calls) == 3:  # within the first pass through the model
            raise Cancelled

    with pytest.raises(Cancelled):
        speak(vits, report=report)
    assert not heard(calls)


def test_what_a_voice_cannot_say_is_told(vits: Path) -> None:
    (take,) = speak(vits, "Flat 7 is lit. 42!")
    assert take.facts["sentences"] == 1
    assert take.facts["notes"] == ["Tiny voice cannot say 2 4 7: these were left out."]
    for text in ("42", "— … !", "雨"):
        with pytest.raises(InvalidInput, match="nothing in this text that Tiny voice can say"):
            speak(vits, text)


def test_a_model_of_several_speakers_has_numbered_voices(tmp_path: Path) -> None:
    folder = tiny_voices.vits(tmp_path / "two", speakers=2)
    assert voice.choices(card_of(folder)) == {"voice": [("1", "1"), ("2", "2")]}
    (first,), (second,) = speak(folder, voice="1"), speak(folder, voice="2")
    assert first.sound.samples.shape != second.sound.samples.shape or (first.sound.samples != second.sound.samples).any()
    with pytest.raises(InvalidInput, match="it has 1, 2"):
        speak(folder, voice="3")


def test_bark_speaks_in_a_voice_that_its_files_bring(bark: Path) -> None:
    assert voice.choices(card_of(bark)) == {"voice": [("calm", "calm")]}, "a voice outside the folder is none"
    events: list[Any] = []
    (calm,) = speak(bark, "The rain falls. The lamp is lit.", events.append, voice="calm")
    (again,), (own,) = speak(bark, "The rain falls.", voice="calm"), speak(bark, "The rain falls.")
    assert calm.sound.rate == 24_000
    assert calm.facts["voice"] == "calm"
    assert len(heard(events)) == 2
    assert np.abs(calm.sound.samples).max() > 0
    np.testing.assert_array_equal(heard(events)[0], again.sound.samples)
    assert own.sound.samples.any()
    with pytest.raises(InvalidInput, match="it has calm"):
        speak(bark, voice="stranger")


def test_bark_stops_within_a_sentence(bark: Path) -> None:
    calls: list[Any] = []

    def report(event: Any) -> None:
        calls.append(event)
        if len(calls) == 5:
            raise Cancelled

    with pytest.raises(Cancelled):
        speak(bark, "The rain falls.", report)
    assert len(calls) == 5


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("Dr. Smith paid 3.50 to J. Doe. He left.", ["Dr. Smith paid 3.50 to J. Doe.", "He left."]),
        ("“Stay!” she said. He went.", ["“Stay!” she said.", "He went."]),
        ("雨が降る。灯りがつく。", ["雨が降る。", "灯りがつく。"]),
        ("# A title\n\n- **bold** and `code`\n* [a link](https://example.org)\n---\n", ["A title", "bold and code", "a link"]),
        ("one two three four five", ["one two", "three four", "five"]),
        ("aaaaaaaaaaaaaaaaaaaaaaaaa", ["aaaaaaaaaa", "aaaaaaaaaa", "aaaaa"]),
        ("...", []),
    ],
)
def test_text_is_cut_into_what_is_said_in_one_breath(text: str, spoken: list[str]) -> None:
    longest = 10 if text[:3] in ("one", "aaa") else 100
    assert [piece.words for piece in _speaking.pieces(text, longest)] == spoken


def test_no_letter_of_a_text_is_lost_and_no_piece_is_too_long() -> None:
    rng = np.random.default_rng(1)
    for _ in range(100):
        text = "".join(rng.choice(list("ab,. !?\n"), 300))
        found = _speaking.pieces(text, 40)
        assert all(0 < len(piece.words) <= 40 for piece in found)
        assert [c for piece in found for c in piece.words if c.isalpha()] == [c for c in text if c.isalpha()]


def test_the_creation_has_a_record_that_makes_it_again(vits: Path, tmp_path: Path) -> None:
    cards = tmp_path / "cards.toml"
    cards.write_text(
        f'[[card]]\nname = "Tiny voice"\nengine = "voice"\nserves = ["narrate"]\nquality = 99\nmemory_gb = 0.1\n'
        f'[card.source]\nkind = "folder"\npath = "{vits}"\n'
    )
    studio = Studio.open(Settings(home=tmp_path / "home", cache=tmp_path / "cache", offline=True, models=cards))
    try:
        asked = Narrate.checked({"text": TEXT, "seed": 5})
        (made,) = [event for event in studio.run(asked) if isinstance(event, Creation)]
        kept = sounds.read_record(made.path)
        assert kept is not None
        assert made.path.suffix == ".flac"
        task = record.task_of(kept)
        assert task == asked.model_copy(update={"model": "Tiny voice"})
        (again,) = [event for event in studio.run(task) if isinstance(event, Creation)]
        np.testing.assert_array_equal(sounds.samples_of(made.path), sounds.samples_of(again.path))
    finally:
        studio.close()


def test_without_a_voice_the_answer_names_the_card_that_would_bring_one(tmp_path: Path) -> None:
    studio = Studio.open(Settings(home=tmp_path / "home", cache=tmp_path / "cache", offline=True))
    try:
        with pytest.raises(ModelUnavailable, match=r"MMS-TTS English \(CC-BY-NC-4.0, 0.145 GB\).*python -m studio download") as found:
            list(studio.run(Narrate.checked({"text": "hello"})))
        assert str(found.value).count(". ") == 0, "one sentence"
    finally:
        studio.close()


def test_every_card_of_a_voice_can_be_chosen_automatically() -> None:
    here = {card.name: card for card in voice.CARDS}
    for card in voice.CARDS:
        assert models.choose(Narrate.checked({"text": "hello"}), voice.CARDS, {card.name: card}, lambda: 12_000_000_000) == card
    assert models.choose(Narrate.checked({"text": "hello"}), voice.CARDS, here, lambda: 12_000_000_000).name == "MMS-TTS English"


@pytest.mark.parametrize(
    ("values", "field"),
    [({"text": " "}, "text"), ({"text": "a" * 60_001}, "text"), ({"speed": 0.4}, "speed"), ({"speed": 2.1}, "speed"),
     ({"speed": float("nan")}, "speed"), ({"format": "aac"}, "format"), ({"seed": -1}, "seed"), ({"text": "a\x00"}, "text")],
)  # fmt: skip
def test_what_cannot_be_narrated_is_refused_in_one_sentence(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidInput) as found:
        Narrate.checked({"text": "hello"} | values)
    assert found.value.field == field


def test_a_public_studio_reads_a_page_and_no_book() -> None:
    def judged(text: str) -> None:
        for rule in rules(public=True):
            rule(Narrate.checked({"text": text}))

    judged("a" * 5_000)
    with pytest.raises(Refused, match="5,000 characters"):
        judged("a" * 5_001)


def test_files_that_are_no_voice_are_refused(vits: Path, tmp_path: Path) -> None:
    task = Narrate.checked({"text": "hello", "seed": 1})
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ModelUnavailable, match="no voice that this engine can speak with"):
        voice.recipe(card_of(tmp_path), task, CPU)
    with pytest.raises(ModelUnavailable, match="option"):
        voice.recipe(card_of(vits, options={"louder": True}), task, CPU)


def test_a_voice_with_a_damaged_file_is_told(bark: Path, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "bark"
    shutil.copytree(bark, folder)
    (folder / "speaker_embeddings/calm_fine_prompt.npy").write_bytes(b"no numbers")
    with pytest.raises(ModelUnavailable, match="The voice calm of Tiny voice is damaged"):
        speak(folder, voice="calm")


# Dia ---------------------------------------------------------------------------------------------------------------------------------


def test_dia_speaks_sentence_by_sentence_and_its_seed_repeats(dia: Path) -> None:
    events: list[Any] = []
    (take,) = speak(dia, "The rain falls. The lamp is lit.", events.append)
    heard = np.concatenate([event.sound.samples for event in events if isinstance(event, Preview) and event.sound], axis=1)
    assert take.sound.rate == 1600 and take.sound.samples.shape[0] == 1
    assert np.array_equal(heard, take.sound.samples) and take.sound.samples.std() > 0
    (again,), (other,) = speak(dia, "The rain falls. The lamp is lit."), speak(dia, "The rain falls. The lamp is lit.", seed=4)
    assert np.array_equal(again.sound.samples, take.sound.samples)
    assert not np.array_equal(other.sound.samples[:, :400], take.sound.samples[:, :400])


def test_what_follows_is_said_in_the_voice_of_the_first_sentence(dia: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    own = _dialogue.opening

    def opening(codes: Any, *rest: Any) -> Any:
        given.append(codes)
        return own(codes, *rest)

    monkeypatch.setattr(_dialogue, "opening", opening)
    speak(dia, "The rain falls. The lamp is lit. Nobody sleeps.")
    assert len(given[0]) == 0 < len(given[1]) and given[1] is given[2]


def test_in_dia_a_mark_holds_until_the_next(dia: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind: Any = import_module("transformers").DiaTokenizer
    asked: list[str] = []
    own = kind.__call__

    def read(self: Any, words: str, **options: Any) -> Any:
        asked.append(words)
        return own(self, words, **options)

    monkeypatch.setattr(kind, "__call__", read)
    speak(dia, "Rain. [S2] Yes. Go. [S1] Stay.")
    assert asked == ["[S1] Rain.", "[S1] Rain. [S2] Yes.", "[S1] Rain. [S2] Go.", "[S1] Rain. [S1] Stay."]


def test_columns_are_laid_and_read_with_their_delays() -> None:
    import torch

    codes = torch.arange(6).reshape(3, 2)
    laid = _dialogue.opening(codes, [0, 2], 34, 33)
    assert laid.tolist() == [[34, 34], [0, 34], [2, 34], [4, 1], [33, 3], [33, 5]]
    made = torch.cat([laid[:4], torch.tensor([[7, 3], [8, 5], [9, 10], [33, 11]])])
    assert _dialogue.spoken(made, [0, 2], 4, 32).tolist() == [[7, 10], [8, 11]]
    assert _dialogue.spoken(made, [0, 2], 1, 5).tolist() == [[0, 1], [2, 3]]


def test_dia_without_its_codec_or_at_another_pace_is_refused(dia: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="speaks at its own pace"):
        speak(dia, speed=1.5)
    for file in dia.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    with pytest.raises(ModelUnavailable, match="codec"):
        speak(tmp_path)


# CSM ---------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def csm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_voices.csm(tmp_path_factory.mktemp("csm") / "model")


def test_csm_speaks_sentence_by_sentence_and_its_seed_repeats(csm: Path) -> None:
    events: list[Any] = []
    (take,) = speak(csm, "Rain. Lamps.", events.append)
    assert take.sound.rate == 200 and take.sound.samples.std() > 0
    assert np.array_equal(np.concatenate(heard(events), axis=1), take.sound.samples)
    (alone,), (other,) = speak(csm, "Rain."), speak(csm, "Rain.", seed=4)
    assert np.array_equal(take.sound.samples[:, : alone.sound.samples.shape[1]], alone.sound.samples)
    assert not np.array_equal(other.sound.samples[:, :80], alone.sound.samples[:, :80])


def test_csm_hears_each_speakers_first_turn_and_a_mark_holds_until_the_next(csm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[dict[str, Any]] = []
    own = _csm.Csm._conversation

    def conversation(self: Any, now: Any) -> dict[str, Any]:
        told.append(own(self, now))
        return told[-1]

    monkeypatch.setattr(_csm.Csm, "_conversation", conversation)
    (take,) = speak(csm, "Rain. [S2] Yes. Go. [S1] Stay.")
    assert take.sound.samples.std() > 0
    words: Any = import_module("transformers").AutoTokenizer.from_pretrained(csm)
    asked = [words.decode(ids["input_ids"][0], skip_special_tokens=True) for ids in told]
    assert asked == ["[0]Rain.", "[0]Rain.[1]Yes.", "[0]Rain.[1]Yes.[1]Go.", "[0]Rain.[1]Yes.[0]Stay."]
    assert "input_values" not in told[0], "nothing was said before"
    cuts = [ids["input_values_cutoffs"][0].tolist() for ids in told[1:]]
    assert [len(cut) for cut in cuts] == [1, 2, 2], "one turn of each speaker"
    assert cuts[1] == cuts[2] and cuts[0] == cuts[1][:1]
    assert [ids["input_values"].shape[-1] for ids in told[1:]] == [cut[-1] for cut in cuts]


def test_turns_are_read_from_their_marks() -> None:
    assert _dialogue.turns("Rain. [S2] Yes. [S1]No.", "1") == [("1", "Rain."), ("2", "Yes."), ("1", "No.")]
    assert _dialogue.turns("[S2] Yes.", "1") == [("2", "Yes.")]
    assert _dialogue.turns("Yes.", "2") == [("2", "Yes.")]
    assert _dialogue.turns("[S3] Yes.", "1") == [("1", "[S3] Yes.")]


def test_csm_stops_within_one_frame_and_a_mark_alone_says_nothing(csm: Path) -> None:
    calls: list[Any] = []

    def report(event: Any) -> None:
        calls.append(event)
        if len(calls) == 6:
            raise Cancelled

    with pytest.raises(Cancelled):
        speak(csm, "The rain falls.", report)
    assert len(calls) == 6
    (with_mark,), (without,) = speak(csm, "[S2]\nRain."), speak(csm, "Rain.")
    assert with_mark.sound.samples.std() > 0
    assert not np.array_equal(with_mark.sound.samples, without.sound.samples), "another speaker says it"


def test_what_csm_writes_ends_where_it_says_so_or_where_the_codec_knows_no_sound() -> None:
    import torch

    frames = torch.tensor([[3, 0, 5], [4, 4, 4], [0, 0, 9], [1, 1, 1]])
    assert len(_csm.spoken(frames, 0, 32)) == 2
    assert len(_csm.spoken(frames[:2], 0, 5)) == 0
    assert len(_csm.spoken(frames[:2], 0, 32)) == 2


def test_weights_under_a_name_of_their_own_are_found_and_nowhere_else(csm: Path, tmp_path: Path) -> None:
    task = Narrate.checked({"text": "hello", "seed": 1})
    size = (csm / "transformers.safetensors").stat().st_size
    assert 0.8 * size < voice.recipe(card_of(csm), task, CPU).components["model"].bytes <= size
    with pytest.raises(InvalidInput, match="speaks at its own pace"):
        speak(csm, speed=1.5)
    told = json.loads((csm / "config.json").read_text())
    for name, error in (("../transformers.safetensors", ModelUnsafe), ("weights.bin", ModelUnsafe), ("gone.safetensors", ModelUnavailable)):
        (tmp_path / "config.json").write_text(json.dumps(told | {"transformers_weights": name}))
        with pytest.raises(error):
            voice.recipe(card_of(tmp_path), task, CPU)
    (tmp_path / "config.json").write_text(json.dumps(told | {"transformers_weights": "all.safetensors.index.json"}))
    (tmp_path / "all.safetensors.index.json").write_text(json.dumps({"weight_map": {"lm_head.weight": "transformers.safetensors"}}))
    (tmp_path / "transformers.safetensors").write_bytes((csm / "transformers.safetensors").read_bytes())
    assert voice.recipe(card_of(tmp_path), task, CPU).components["model"].bytes > 0
