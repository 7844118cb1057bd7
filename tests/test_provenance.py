"""The record, and picture files that carry it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.creations import Passage
from studio.errors import InvalidInput, MediaUnreadable
from studio.models import Folder, Hub, ModelCard, Package
from studio.provenance.record import SIZE_LIMIT, TRAINED, compose, parse, task_of, to_json
from studio.tasks import TextToImage, Write
from tests.samples import CARD, picture, record

AWKWARD = 'a "red" apple 🍎👩‍👩‍👧\nשלום <b>&amp;</b> \\n \u202e\u200d, Steps: 3, Seed: 4'


def altered(**changes: Any) -> str:
    return json.dumps(json.loads(to_json(record())) | changes)


def test_a_record_says_what_was_asked_what_made_it_and_what_it_is() -> None:
    made = record(shares={"Noto": 0.75})
    assert made.kind == "text_to_image"
    assert made.machine_made is True
    assert made.digital_source_type == TRAINED
    assert made.made_by.startswith("Atelier ")
    assert made.model["licence"] == "MIT"
    assert made.model["source"] == "bundled:sample.bin"
    assert made.software["numpy"] == np.__version__
    assert made.facts == {"shares": {"Noto": 0.75}}
    assert datetime.fromisoformat(made.created).tzinfo == UTC


def test_the_task_of_a_picture_of_a_batch_remakes_that_picture_alone() -> None:
    asked = TextToImage.checked({"prompt": "an owl", "count": 4})
    task = TextToImage.checked({"prompt": "an owl", "count": 4, "seed": 100, "model": "Sample"})
    made = compose(task, asked, CARD, picture(102), "cpu", 0.5)
    assert (made.asked["count"], made.asked["seed"]) == (4, None)
    assert task_of(made) == TextToImage.checked({"prompt": "an owl", "seed": 102, "model": "Sample"})


def test_a_passage_records_its_length_and_why_it_ended() -> None:
    task = Write.checked({"prompt": "a poem", "seed": 3, "stop": ("END",)})
    made = compose(task, task, CARD, Passage("Roses", 3, tokens=1, finish="length"), "cpu", 1)
    assert made.facts == {"tokens": 1, "finish": "length"}
    assert task_of(made) == task


def test_a_record_survives_text_and_back() -> None:
    made = record(AWKWARD)
    assert parse(to_json(made)) == made
    assert parse(to_json(made).encode()) == made


def test_unknown_keys_survive_a_re_save() -> None:
    read = parse(altered(colour_profile={"name": "P3"}))
    assert json.loads(to_json(read))["colour_profile"] == {"name": "P3"}


def test_unknown_fields_of_a_task_are_ignored_and_the_rest_is_restored() -> None:
    made = record()
    newer = made.model_copy(update={"task": {**made.task, "tile": True}})
    assert task_of(newer) == task_of(made)


def test_a_task_that_breaks_its_limits_is_refused_by_field() -> None:
    made = record()
    with pytest.raises(InvalidInput, match="Steps must be") as refusal:
        task_of(made.model_copy(update={"task": {**made.task, "steps": 10**9}}))
    assert refusal.value.field == "steps"


def test_a_record_of_an_unknown_tool_is_refused_in_words() -> None:
    with pytest.raises(InvalidInput, match="a tool that this Atelier does not have"):
        task_of(record().model_copy(update={"kind": "hologram"}))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"schema_version":1',
        to_json(record()).replace("1.25", "NaN"),
        to_json(record()).replace("1.25", "-Infinity"),
        to_json(record()).replace("1.25", "1e999"),
        to_json(record()).replace("1.25", "9" * 5000),
        to_json(record()).replace("1.25", "1.25,'"),
        altered(seconds="1"),
        altered(task=[]),
        altered(parents=[1]),
        altered(machine_made=False),
        altered(schema_version=True),
        altered(schema_version=0),
        altered(prompt=None)[:-1] + ',"kind":"write"}',
        altered(facts={"deep": json.loads("[" * 40 + "]" * 40)}),
        "[" * 100_000,
        '{"a":' * 100_000,
    ],
    ids=lambda text: text[:12] + "…" + text[-12:],
)
def test_what_is_no_record_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(MediaUnreadable, match=r"^The settings in this file are damaged .*\.$"):
        parse(text)


def test_a_record_of_a_newer_version_asks_for_an_update() -> None:
    with pytest.raises(InvalidInput, match="newer Atelier"):
        parse(altered(schema_version=2, task="now something else"))


def test_a_record_over_a_megabyte_is_refused_unread() -> None:
    with pytest.raises(MediaUnreadable, match="larger than 1 MB"):
        parse(altered(facts={"x": "y" * SIZE_LIMIT}))


def test_facts_that_json_cannot_hold_do_not_lose_the_picture() -> None:
    made = record(score=float("nan"), word="half \ud83c here", pair=[1, float("inf")])
    assert made.facts == {"score": None, "word": "half \ufffd here", "pair": [1, None]}
    assert parse(to_json(made)) == made


def test_facts_too_long_for_a_record_are_left_out_and_said() -> None:
    made = record(map="x" * SIZE_LIMIT)
    assert list(made.facts) == ["left_out"]
    assert parse(to_json(made)) == made


def test_the_longest_task_still_fits_its_record() -> None:
    task = Write.checked({"prompt": "🍎" * 60_000, "document": "🍐" * 60_000, "system": "🍊" * 4_000, "seed": 1})
    made = compose(task, task, CARD, Passage("x", 1, 1), "cpu", 1)
    assert task_of(parse(to_json(made))) == task


def test_weight_files_are_named_by_hash_where_it_is_known(tmp_path: Path) -> None:
    digest, member = "a" * 64, "b" * 64
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / digest).write_bytes(b"weights")
    snapshot = tmp_path / "snapshots" / ("c" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").symlink_to(tmp_path / "blobs" / digest)
    (snapshot / "config.json").write_text("{}")
    (tmp_path / "words.bin").write_bytes(b"12345")
    common: dict[str, Any] = {"name": "M", "engine": "e", "serves": ("write",)}
    helper = Package(name="words", version="1.2", sha256=digest, member="w/words.bin", member_sha256=member, bytes=9)
    hub = ModelCard(
        **common,
        source=Hub(repo="who/what", revision=None),
        files=snapshot,
        companions={"helper": helper},
        companion_files={"helper": tmp_path / "words.bin"},
    )
    folder = ModelCard(**common, source=Folder(path=str(tmp_path / "secret" / "mine")), files=tmp_path / "words.bin")
    task = Write.checked({"prompt": "x", "seed": 1})
    by_hub, by_folder = (compose(task, task, card, Passage("x", 1, 1), "cpu", 1).model for card in (hub, folder))
    assert by_hub["revision"] == "c" * 40
    assert by_hub["files"] == {"config.json": 2, "model.safetensors": f"sha256:{digest}", "helper/words.bin": f"sha256:{member}"}
    assert by_folder["source"] == "folder:mine"
    assert by_folder["files"] == {"words.bin": 5}


def test_a_record_is_frozen() -> None:
    made = record()
    with pytest.raises(ValueError, match="frozen"):
        made.__setattr__("kind", "write")
