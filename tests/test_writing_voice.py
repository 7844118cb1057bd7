"""A voice out of a sample: what is measured, what a writer is told, and the presets of each owner."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import InvalidInput, NotFound
from studio.tasks import Write
from studio.writing.voice import EXAMPLE_LIMIT, MOST, Voice, Voices, heard, system
from studio.writing.voice_measures import measure

STORY = (
    "He walked down to the harbour, as he always did. The boats had gone. She was waiting by the wall, and her coat was wet; he said "
    "nothing; she smiled. They looked at the water for a long time. Then he took her hand, and they walked home along the harbour "
    "without a word. The rain stopped at the harbour gate. Nobody saw them."
)
BLOG = (
    "You'll love this one! I've tried it for weeks, and I'm not going back. It's quick, it's fun, and you don't need a manual. Why wait? "
    "I think you're ready – I really do! Grab your bike. Don't worry about the weather! I've got you covered, and it's free. Isn't it fun?"
)
MANUAL = (
    "The administrator is responsible for the installation of the component. Configuration parameters are documented in the subsequent "
    "section. Authentication is mandatory; unauthorised modification of configuration parameters is prohibited. The configuration has "
    "implications for performance: documentation of each modification is recommended. Evaluation of the installation is performed annually."
)
GERMAN = (
    "Der Hafen lag still da. Er ging hinunter, wie er es immer getan hatte. Die Boote waren fort; sie wartete an der Mauer. Lange schauten "
    "beide auf das Wasser. Dann nahm er ihre Hand. Im Regen gingen sie heim, ohne ein Wort. Niemand sah, wie der Hafen wieder dunkel wurde."
)


def test_the_person_and_the_tense_of_a_text_are_told_apart() -> None:
    assert (measure(STORY).person, measure(STORY).tense) == ("they", "past")
    assert (measure(BLOG).person, measure(BLOG).tense) == ("you", "present") or measure(BLOG).person == "I"
    assert (measure(MANUAL).person, measure(MANUAL).tense) == ("", "present")
    assert measure("We ship our tools to you. We like our work. " * 5).person == "we"


def test_formality_and_reading_ease_follow_the_words() -> None:
    assert measure(BLOG).contractions > 5 > 0.5 > measure(MANUAL).contractions
    assert measure(STORY).reading_ease > 80
    assert measure(MANUAL).reading_ease < 10
    assert "informal, with contractions" in heard(BLOG)[0]
    assert "formal, no contractions; very demanding words" in heard(MANUAL)[0]


def test_sentences_marks_and_favourite_words_are_counted() -> None:
    found = measure(STORY)
    assert found.sentences == 7
    assert found.sentence_words == pytest.approx(found.words / 7)
    assert found.favourites == ("harbour",)
    assert found.marks["semicolons"] == pytest.approx(200 / 7)
    assert "It uses semicolons." in heard(STORY)[0]
    assert "exclamation marks, questions" in heard(BLOG)[0]
    assert "Words it likes: harbour." in heard(STORY)[0]


def test_another_language_gets_only_what_can_be_measured_there() -> None:
    found = measure(GERMAN)
    assert (found.english, found.person, found.tense, found.reading_ease) == (False, "", "", 0.0)
    description = heard(GERMAN)[0]
    assert description.startswith("Sentences of about ")
    assert not any(word in description for word in ("person", "tense", "formal", "ease"))


def test_the_example_is_of_whole_sentences_and_short() -> None:
    example = heard(f"{STORY} " * 3)[1]
    assert EXAMPLE_LIMIT / 2 < len(example) <= EXAMPLE_LIMIT
    assert example.endswith(".")
    assert example in f"{STORY} " * 3
    assert heard("word " * 300)[1] == ""  # one sentence longer than an example


def test_a_sample_that_is_too_short_or_too_long_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="The sample has 3 words"):
        heard("Much too short.")
    with pytest.raises(InvalidInput, match="60,000 is the most"):
        heard("word " * 20_000)
    with pytest.raises(InvalidInput, match="0 words"):
        heard("\u200f\u0301 ... !!! " * 300)


def test_a_voice_is_added_to_what_the_person_says_of_the_writer() -> None:
    voice = Voice("Blog", *heard(BLOG))
    said = system(voice, "You are an editor.")
    assert said.startswith("You are an editor.\n\nWrite in this voice. Sentences of about")
    assert voice.example in said
    assert Write.checked({"prompt": "x", "system": said}).system == said
    assert "example" not in system(Voice("Plain", "Short sentences."))


def test_voices_are_kept_by_owner_and_session(home: Path) -> None:
    voices = Voices(home)
    kept = voices.save(" My  blog ", "Short.", "An example.", "ana", "one")
    voices.save("Other", "Long.", "", "ana", "two")
    assert Voices(home).of("ana", "one") == {"My blog": kept} == {"My blog": Voice("My blog", "Short.", "An example.")}
    assert set(voices.of("ana")) == {"My blog", "Other"}
    assert voices.of("bo") == {}
    voices.save("My blog", "Shorter.", "", "ana", "one")
    assert voices.of("ana", "one")["My blog"].description == "Shorter."
    with pytest.raises(NotFound):
        voices.delete("My blog", "ana", "two")
    voices.delete("My blog", "ana", "one")
    assert set(voices.of("ana")) == {"Other"}
    voices.forget("ana")
    assert voices.of("ana") == {}


@pytest.mark.parametrize(
    ("name", "description", "example"),
    [
        ("", "x", ""),
        ("n" * 61, "x", ""),
        ("n", " ", ""),
        ("n", "x" * 2001, ""),
        ("n", "x", "y" * 401),
        ("n\x00", "x", ""),
        ("n", "\ud800", ""),
    ],
)
def test_a_voice_that_cannot_be_kept_is_refused_in_words(home: Path, name: str, description: str, example: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Voices(home).save(name, description, example)
    assert len(str(refused.value)) > 20
    assert Voices(home).of() == {}


def test_a_damaged_file_has_no_voices_and_too_many_are_refused(home: Path) -> None:
    voices = Voices(home)
    for number in range(MOST):
        voices.save(str(number), "x")
    with pytest.raises(InvalidInput, match="the most"):
        voices.save("one more", "x")
    (file,) = home.rglob("*.json")
    file.write_text('[{"name": 3, "description": null}, {"name": "good", "description": "x", "example": ""}, 7]')
    assert set(voices.of()) == {"good"}
    file.write_bytes(b"\xff{")
    assert voices.of() == {}


def test_a_damaged_file_is_put_aside_before_a_voice_is_kept(home: Path) -> None:
    voices = Voices(home)
    voices.save("Mine", "Short sentences.")
    (file,) = (home / "voices").rglob("*.json")
    file.write_text("not JSON")
    voices.save("Another", "Long sentences.")
    assert list(voices.of()) == ["Another"]
    assert [one.read_text() for one in file.parent.glob("*.damaged")] == ["not JSON"]
