"""The endpoints as programs use them: gradio_client, plain HTTP, and visitors with bad intentions."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from studio.provenance import pictures, sounds
from tests.serving import running

SNAPSHOT = Path(__file__).parent / "api.json"


@pytest.fixture(scope="module")
def studio(starter_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("http")
    with running(starter_cache, folder) as (url, _):
        yield url, folder


@pytest.fixture(scope="module")
def url(studio: tuple[str, Path]) -> str:
    return studio[0]


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[Client]:
    client = Client(url, verbose=False, analytics_enabled=False)
    yield client
    client.close()


def call(url: str, endpoint: str, **values: Any) -> tuple[str, list[Any]]:
    """Call by plain HTTP with named parameters; the last event's name and every event's data."""
    joined = httpx.post(f"{url}/gradio_api/call/v2/{endpoint}", json=values, timeout=30)
    joined.raise_for_status()
    lines = httpx.get(f"{url}/gradio_api/call/{endpoint}/{joined.json()['event_id']}", timeout=120).text.splitlines()
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    return names[-1], data


def size_of(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        picture.load()
        return picture.size


def test_a_picture_needs_a_prompt_alone_and_comes_first_as_a_png_with_its_record(client: Client) -> None:
    files = client.predict("a red apple", api_name="/text_to_image")[0]
    (path,) = files
    found = pictures.read_record(Path(path))
    with Image.open(path) as picture:
        assert picture.format == "PNG"
    assert found is not None and found.task["prompt"] == "a red apple" and found.machine_made is True


def test_parameters_have_the_names_of_the_task(client: Client) -> None:
    files = client.predict(prompt="an owl", seed=3, width=128, height=128, count=2, api_name="/text_to_image")[0]
    assert [size_of(path) for path in files] == [(128, 128)] * 2
    assert [record.task["seed"] for path in files if (record := pictures.read_record(Path(path)))] == [3, 4]


def test_music_needs_a_prompt_alone_and_comes_as_flac_and_midi(client: Client) -> None:
    sound, notes = client.predict("a short folk tune", duration=4, seed=3, key="A minor", bpm=100, api_name="/music")[0]
    found = sounds.read_record(Path(sound))
    assert found is not None and found.task["prompt"] == "a short folk tune" and found.task["seed"] == 3
    assert Path(sound).suffix == ".flac" and Path(notes).read_bytes()[:4] == b"MThd"
    assert found.facts["plan"]["key"] == "A minor"  # type: ignore[index,call-overload]


def test_music_comes_in_the_format_asked_for_and_starts_from_a_file(client: Client, tmp_path: Path) -> None:
    sound, notes = client.predict("a waltz", duration=4, seed=3, format="mp3", api_name="/music")[0]
    assert Path(sound).suffix == ".mp3"
    assert (record := sounds.read_record(Path(sound))) is not None and record.task["prompt"] == "a waltz"
    again = client.predict("a rock song", duration=4, seed=1, reference=handle_file(notes), api_name="/music")[0]
    assert (record := sounds.read_record(Path(again[0]))) is not None and str(record.task["reference"]).startswith("sha256:")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"prompt": ""}, "Prompt is empty: say what you would like."),
        ({"prompt": "x", "bpm": 500}, "Tempo must be a number from 30 to 300."),
        ({"prompt": "x", "key": "H#"}, "Key must be a note and a mode"),
        ({"prompt": "x", "duration": -1}, "Duration must be a number above 0 and up to 600."),
        ({"prompt": "x", "instruments": "kazoo of doom"}, "not known"),
        ({"prompt": "x", "lyrics": "la"}, "does not use Lyrics"),
        ({"prompt": "x", "loop": True, "format": "opus"}, "would not close"),
    ],
)
def test_each_bad_value_for_music_gets_its_sentence(client: Client, values: dict[str, Any], words: str) -> None:
    with pytest.raises(AppError) as refused:
        client.predict(**values, api_name="/music")
    assert words in str(refused.value)


def test_writing_streams_over_http(url: str) -> None:
    last, data = call(url, "write", prompt="Write one sentence about the sea.", max_new_tokens=40, seed=1)
    texts = [row[0] for row in data if isinstance(row, list) and isinstance(row[0], str)]
    assert last == "complete" and len(texts[-1].split()) > 4


def test_writing_streams_to_the_client_piece_by_piece(client: Client) -> None:
    job = client.submit("Write three sentences about a garden.", max_new_tokens=80, seed=1, api_name="/write")
    texts = [moment[0] for moment in job if moment[0]]
    assert len(texts) > 3 and len(texts[-1]) > len(texts[0])


def test_writing_reads_notes_and_cards_and_gives_every_take_with_its_words(client: Client) -> None:
    asked: dict[str, Any] = {
        "notes": "The cat is called Miso.",
        "cards": "Miso: a grey cat.",
        "author_note": "Keep it calm.",
        "note_depth": 20,
    }
    asked |= {"document": "Miso", "count": 2, "seed": 5, "max_new_tokens": 12, "probabilities": True}
    text, shown, _ = client.predict("Write one sentence about the cat.", **asked, api_name="/write")
    takes = shown["run"]["takes"]
    assert [take["item"] for take in takes] == [1, 2] and shown["run"]["over"]
    assert text == "Miso" + takes[0]["text"]
    assert ["".join(word for word, *_ in take["words"]) for take in takes] == [take["text"] for take in takes]


def test_a_conversation_goes_on_over_plain_http(url: str) -> None:
    said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name a colour."}]
    last, data = call(url, "chat", messages=said, max_new_tokens=24, seed=1)
    texts = [row[0] for row in data if isinstance(row, list) and isinstance(row[0], str)]
    made = data[-1][1] if isinstance(data[-1], list) else data[-2][1]
    assert last == "complete" and len({*texts}) > 2 and texts[-1].startswith(texts[-3])
    assert made["model"] == "SmolLM2 135M" and made["seed"] == 1 and len(made["creation"]) == 26
    more = [*said, {"role": "assistant", "content": texts[-1]}, {"role": "user", "content": "And another."}]
    _, data = call(url, "chat", messages=more, document="Red is a colour.", max_new_tokens=8, seed=1)
    read = data[-1][1]["read"] if isinstance(data[-1], list) else data[-2][1]["read"]
    assert read["turns"] > 0 and read["document"] > 0


def test_a_conversation_reads_what_is_given_beside_it(client: Client) -> None:
    """Notes, cards, passages and the author's note are in what the writer reads, as for `/write_context`."""
    beside = {
        "notes": "The keeper's dog is called Brand.", "cards": "Skerry: a rock in the sea.", "passages": "[1] The light burns red.",
        "author_note": "Keep it dark.", "note_depth": 0,
    }  # fmt: skip
    asked = [{"role": "user", "content": "What is the dog called?"}]
    alone = client.predict(asked, max_new_tokens=8, seed=1, api_name="/chat")[1]
    made = client.predict(asked, max_new_tokens=8, seed=1, **beside, api_name="/chat")[1]
    told = client.predict("What is the dog called?", max_new_tokens=8, **beside, api_name="/write_context")
    sources = {part["source"] for part in told["parts"] if part["tokens"]}
    assert {"notes", "cards", "passages"} <= sources
    assert made["read"] != alone["read"]
    read = made["read"]
    assert all(read[name] > 0 for name in ("notes", "cards", "passages")), read


def test_a_conversation_refuses_what_is_no_place_for_a_note(client: Client) -> None:
    with pytest.raises(AppError, match="[Dd]epth"):
        client.predict([{"role": "user", "content": "x"}], note_depth=-1, api_name="/chat")


@pytest.mark.parametrize(
    "messages",
    [
        [],
        "hello",
        [{"role": "assistant", "content": "x"}],
        [{"role": "user", "content": "x"}, {"role": "user", "content": "y"}],
        [{"role": "user", "content": 5}],
        [{"role": "system", "content": "x"}],
        [["user", "x"]],
    ],
)
def test_what_is_no_list_of_messages_gets_its_sentence(client: Client, messages: Any) -> None:
    with pytest.raises(AppError, match="system first if at all, then user and assistant by turns"):
        client.predict(messages, api_name="/chat")


def test_documents_are_begun_changed_and_taken_along(client: Client) -> None:
    begun = client.predict("Harbour", "One. Two.", api_name="/document_new")
    changed = client.predict(
        begun["document"], begun["version"], splices=[{"start": 5, "end": 8, "text": "Zwei"}], api_name="/document_change"
    )
    assert changed["text"] == "One. Zwei." and changed["version"] != begun["version"]
    with pytest.raises(AppError, match="has changed since that version: read it again"):
        client.predict(begun["document"], begun["version"], text="Lost?", api_name="/document_change")
    found = client.predict(begun["document"], api_name="/document")
    assert (found["text"], found["title"], found["version"]) == ("One. Zwei.", "Harbour", changed["version"])
    named = client.predict(begun["document"], found["version"], title="Port", api_name="/document_change")
    assert named["title"] == "Port" and named["text"] == "One. Zwei."
    (path,) = client.predict(begun["document"], "md", api_name="/document_export")
    assert Path(path).name == "port.md" and "One. Zwei." in Path(path).read_text("utf-8")
    listed = client.predict(api_name="/documents")
    assert listed[0]["document"] == begun["document"] and listed[0]["words"] == 2


@pytest.mark.parametrize(
    ("endpoint", "values", "words"),
    [
        ("/document", {"document": "../../etc/passwd"}, "not kept here"),
        ("/document", {"document": 7}, "must be text"),
        ("/document_new", {"text": "a\x00b"}, "invisible control character"),
        ("/document_export", {"format": "exe"}, "Format must be one of md, txt, html, docx, epub"),
        ("/document_change", {"base": "x", "text": "y"}, "read it again"),
        ("/document_change", {}, "either the whole text or a list"),
        ("/document_change", {"text": "a", "splices": []}, "either the whole text or a list"),
        ("/document_change", {"splices": [{"start": 0, "end": 99, "text": "a"}]}, "outside the document"),
        ("/document_change", {"splices": [{"start": True, "end": 1, "text": "a"}]}, "either the whole text or a list"),
    ],
)
def test_each_bad_wish_about_a_document_gets_its_sentence(client: Client, endpoint: str, values: dict[str, Any], words: str) -> None:
    made = client.predict("", "Text", api_name="/document_new")
    usual = {} if endpoint == "/document_new" else {"document": made["document"]}
    usual |= {"base": made["version"]} if endpoint == "/document_change" else {}
    with pytest.raises(AppError, match=words):
        client.predict(**{**usual, **values}, api_name=endpoint)


def test_an_answer_has_the_form_that_was_asked_for(client: Client) -> None:
    schema = '{"type": "object", "properties": {"name": {"type": "string", "maxLength": 20}}, "required": ["name"]}'
    text = client.predict("Name a cat.", output_schema=schema, seed=1, api_name="/write")[0]
    assert "name" in json.loads(text)
    assert client.predict("Is rain wet?", output_choices="yes\nno", seed=1, api_name="/write")[0] in ("yes", "no")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"prompt": ""}, "Prompt is empty: say what you would like."),
        ({"prompt": "x" * 100_000}, "Prompt is 100,000 characters long; 4,000 is the most. Shorten it."),
        ({"prompt": "a\x00b"}, "Prompt holds an invisible control character; paste it as plain text."),
        ({"prompt": "cat", "steps": 0}, "Steps must be a whole number from 1 to 150."),
        ({"prompt": "cat", "steps": "20"}, "Steps must be a whole number from 1 to 150."),
        ({"prompt": "cat", "steps": True}, "Steps must be a whole number from 1 to 150."),
        ({"prompt": "cat", "width": 513}, "Width must be a whole number from 64 to 2048 in steps of 8."),
        ({"prompt": "cat", "guidance_scale": -5}, "Guidance scale must be a number from 0 to 30."),
        ({"prompt": "cat", "count": 1000}, "Count must be a whole number from 1 to 8."),
        ({"prompt": "cat", "seed": 2**64}, "Seed must be a whole number from 0 to 4294967295."),
        ({"prompt": "cat", "model": "../../etc/passwd"}, "There is no model of that name here"),
        ({"prompt": "cat", "style": {"a": 1}}, "Style must be text."),
        ({"prompt": "cat", "scheduler": "Nope"}, "Atelier Icons has no scheduler to choose: leave it empty."),
    ],
)
def test_each_bad_value_gets_its_sentence(client: Client, values: dict[str, Any], words: str) -> None:
    with pytest.raises(AppError) as refused:
        client.predict(**values, api_name="/text_to_image")
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"prompt": "x", "temperature": 9}, "Temperature must be a number from 0 to 2."),
        ({"prompt": "x", "max_new_tokens": 10**7}, "Longest answer must be a whole number from 1 to 4096."),
        ({"prompt": "x", "top_p": 0}, "Top-p must be a number above 0 and up to 1."),
        ({"prompt": "x", "stop": "\n".join("abcdefghi")}, "Stop takes at most 8 entries."),
        ({"prompt": "x", "bias": "moonlight"}, "Phrase bias takes lines such as"),
        ({"prompt": "x", "output_regex": "[a-"}, "Pattern"),
        ({"prompt": "x", "output_regex": "[a-z]", "output_choices": "yes\nno"}, "An answer has one form"),
        ({"prompt": "x", "count": 9}, "Takes must be a whole number from 1 to 8."),
    ],
)
def test_each_bad_value_of_writing_gets_its_sentence(client: Client, values: dict[str, Any], words: str) -> None:
    with pytest.raises(AppError) as refused:
        client.predict(**values, api_name="/write")
    assert words in str(refused.value)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A photograph with a red ball on it, and a mask over the ball."""
    folder = tmp_path_factory.mktemp("scene")
    random = np.random.default_rng(1)
    rows, columns = np.mgrid[:160, :200]
    pixels = np.dstack([90 + rows // 3, 150 + columns // 8, 80 + rows // 2]) + random.integers(-9, 9, (160, 200, 1))
    ball = (rows - 90) ** 2 + (columns - 110) ** 2 < 22**2
    pixels[ball] = (200, 20, 20)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / "ball.jpg", quality=95)
    mask = (rows - 90) ** 2 + (columns - 110) ** 2 < 27**2
    Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(folder / "mask.png")
    return {"image": str(folder / "ball.jpg"), "mask": str(folder / "mask.png")}


def given(files: dict[str, str]) -> dict[str, Any]:
    return {name: handle_file(path) for name, path in files.items()}


def test_a_thing_is_erased_by_file_paths_and_the_rest_stays_as_it_was(client: Client, scene: dict[str, str]) -> None:
    (path,) = client.predict(**given(scene), seed=1, feather=4, api_name="/inpaint")[0]
    before, after = np.asarray(Image.open(scene["image"])), np.asarray(Image.open(path))
    far = cv2.distanceTransform(255 - np.asarray(Image.open(scene["mask"])), cv2.DIST_L2, 5) > 6
    assert np.array_equal(before[far], after[far])
    assert after[90, 110, 0] < 160 and after[90, 110, 1] > 90  # the ball is red no more
    found = pictures.read_record(Path(path))
    assert found is not None and found.task["mode"] == "erase" and found.model["name"] == "Atelier Eraser"


def test_the_starter_fills_what_is_marked(client: Client, scene: dict[str, str]) -> None:
    files = client.predict(**given(scene), prompt="a yellow star", seed=2, count=2, api_name="/inpaint")[0]
    assert len(files) == 2
    before = np.asarray(Image.open(scene["image"]))
    for path in files:
        after = np.asarray(Image.open(path))
        assert after.shape == before.shape
        assert np.array_equal(before[:20], after[:20])
        assert (before[80:100, 100:120] != after[80:100, 100:120]).mean() > 0.5


def test_a_picture_is_extended(client: Client, scene: dict[str, str]) -> None:
    (path,) = client.predict(image=handle_file(scene["image"]), left="50%", right=20, api_name="/inpaint")[0]
    assert size_of(path) == (320, 160)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Nothing is marked: paint over what should change first."),
        ({"image": None}, "Picture is missing: choose, paste or drop a file."),
        ({"mode": "outpaint"}, "Outpainting needs room"),
        ({"mode": "redraw"}, "Prompt is empty"),
        ({"prompt": "x", "strength": 0}, "Strength must be a number above 0 and up to 1."),
        ({"prompt": "x", "left": "5000"}, "Left must be pixels from 0 to 4096"),
        ({"prompt": "x", "mode": "redraw", "model": "Atelier Eraser"}, "Atelier Eraser cannot do this"),
    ],
)
def test_each_bad_value_of_inpainting_gets_its_sentence(client: Client, scene: dict[str, str], values: dict[str, Any], words: str) -> None:
    with pytest.raises(AppError) as refused:
        client.predict(api_name="/inpaint", **({"image": handle_file(scene["image"])} | values))  # pyright: ignore[reportArgumentType]
    assert words in str(refused.value)


def test_the_api_is_the_one_we_promised(url: str) -> None:
    """Deliberate changes: delete tests/api.json, run this test once, and look at the difference."""
    info = httpx.get(f"{url}/gradio_api/info").json()
    found = {
        name: {
            "parameters": {p["parameter_name"]: p["parameter_has_default"] for p in endpoint["parameters"]},
            "first_output": endpoint["returns"][0]["component"],
        }
        for name, endpoint in info["named_endpoints"].items()
    }
    assert info["unnamed_endpoints"] == {}
    if not SNAPSHOT.exists():
        SNAPSHOT.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(SNAPSHOT.read_text())


def test_no_file_of_the_machine_can_be_asked_for(url: str, studio: tuple[str, Path]) -> None:
    secret = studio[1] / "home" / "secret.txt"
    secret.write_text("secret")
    for path in ("/etc/hostname", str(secret), "../../etc/hostname", "app.py", "presets/styles.toml", "file:///etc/hostname"):
        answered = httpx.get(f"{url}/gradio_api/file={path}")
        assert answered.status_code in (403, 404), path
    config = httpx.get(f"{url}/config").json()
    files = {c["id"] for c in config["components"] if c["type"] in ("file", "gallery", "image", "imageslider", "uploadbutton")}
    tried = 0
    for index, event in enumerate(config["dependencies"]):
        if not any(id in files for id in event["inputs"]):
            continue
        tried += 1
        forged = {"path": "/etc/hostname", "meta": {"_type": "gradio.FileData"}}
        data = [forged if id in files else None for id in event["inputs"]]
        session = {"data": data, "fn_index": event.get("id", index), "session_hash": f"thief{index}"}
        httpx.post(f"{url}/gradio_api/queue/join", json=session)
        with httpx.stream("GET", f"{url}/gradio_api/queue/data?session_hash=thief{index}", timeout=20) as stream:
            answer = "".join(line for line in stream.iter_lines())
        assert Path("/etc/hostname").read_text().strip() not in answer and '"success": true' not in answer.replace('":true', '": true')
    assert tried >= 1


def test_foreign_hosts_and_origins_are_refused(url: str) -> None:
    assert httpx.get(url, headers={"host": "evil.example"}).status_code == 421
    assert httpx.post(f"{url}/gradio_api/queue/join", json={}, headers={"origin": "https://evil.example"}).status_code == 403


def test_monitoring_run_history_and_telemetry_are_off(url: str) -> None:
    assert httpx.get(f"{url}/monitoring/summary").status_code in (403, 404)
    assert httpx.get(f"{url}/gradio_api/runs").status_code == 404
    assert httpx.get(f"{url}/config").json()["analytics_enabled"] is False


def test_a_file_served_is_byte_for_byte_the_one_kept(client: Client, studio: tuple[str, Path]) -> None:
    (path,) = client.predict("a house", seed=11, width=128, height=128, api_name="/text_to_image")[0]
    kept = {file.read_bytes() for file in (studio[1] / "home").rglob("*.png")}
    assert Path(path).read_bytes() in kept


@pytest.mark.thorough
def test_public_mode_keeps_results_for_the_browser_session_alone(starter_cache: Path, tmp_path: Path) -> None:
    with running(starter_cache, tmp_path, "--mode", "public") as (url, _):
        assert "for 24 hours after your last visit" in httpx.get(f"{url}/config").text
        client = Client(url, verbose=False, analytics_enabled=False)
        client.predict("a house", seed=11, width=128, height=128, api_name="/text_to_image")
        with pytest.raises(AppError, match="public studio"):
            client.predict("a house", steps=60, api_name="/text_to_image")
        client.close()


@pytest.mark.thorough
def test_too_little_memory_is_one_sentence_and_the_studio_goes_on(starter_cache: Path, tmp_path: Path) -> None:
    with running(starter_cache, tmp_path, "--memory", "0.001") as (url, _):
        client = Client(url, verbose=False, analytics_enabled=False)
        for _ in range(2):
            with pytest.raises(AppError, match="more memory than the studio may use: choose a smaller size"):
                client.predict("Write one word.", api_name="/write")
        client.close()


@pytest.mark.thorough
def test_without_the_writer_the_page_serves_and_says_what_is_missing(tmp_path: Path) -> None:
    with running(tmp_path / "empty", tmp_path) as (url, _):
        client = Client(url, verbose=False, analytics_enabled=False)
        with pytest.raises(AppError, match="No model for this is on this machine yet"):
            client.predict("Write one word.", api_name="/write")
        client.close()


@pytest.mark.thorough
def test_results_survive_a_kill_and_the_next_start_is_clean(starter_cache: Path, tmp_path: Path) -> None:
    with running(starter_cache, tmp_path) as (url, process):
        client = Client(url, verbose=False, analytics_enabled=False)
        client.predict("a house", seed=1, width=128, height=128, api_name="/text_to_image")
        client.submit("a tree", count=8, api_name="/text_to_image")
        time.sleep(2)
        os.kill(process, signal.SIGKILL)
    with running(starter_cache, tmp_path) as (url, _):
        assert len(list((tmp_path / "home" / "tmp").iterdir())) == 1, "the folder of the run that was killed is swept"
        for file in (tmp_path / "home").rglob("*.png"):
            assert size_of(str(file)) > (0, 0)
        client = Client(url, verbose=False, analytics_enabled=False)
        assert client.predict("a house", seed=1, width=128, height=128, api_name="/text_to_image")[0]
        client.close()
