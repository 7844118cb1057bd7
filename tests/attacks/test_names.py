"""Rows 51 to 57: names, presets and files that are brought in."""

from __future__ import annotations

import io
import json
import os
import re
import stat
import struct
import time
import zipfile
from pathlib import Path

import pytest

from studio import models
from studio.archive import plain_name
from studio.errors import InvalidInput, NotFound, StudioError
from studio.library import Library
from studio.own_styles import OwnStyles
from studio.presets import TextStyle
from studio.provenance import foreign
from studio.provenance.record import parse
from studio.tasks import TextToImage
from studio.writing.reading import plain_name as shown_name
from studio.writing.reading import read
from tests.attacks.promise import is_a_sentence, refused

ROOT = Path(__file__).parents[2]
NAMES = [
    *("../../x", "/etc/x", "..\\x", "C:\\x", "CON", "nul.txt", ".", "..", "", "x" * 300, "x.", "x ", "a/b", "a\0b", "a\nb", "-rf", "~root"),
    *("caf\u00e9", "cafe\u0301", "Case", "case", "evil\u202egnp.exe", "🐈" * 100, "\u200b", "%2e%2e%2f", "$(id)", "`id`"),
]


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:14])
def test_a_name_that_is_shown_or_written_leads_nowhere(name: str, tmp_path: Path) -> None:
    for safe in (plain_name(name, "one"), shown_name(name)):
        assert safe and safe not in (".", "..") and not re.search(r"[/\\\0\n\u202e]", safe), name
    assert len(plain_name(name, "one").encode()) < 256
    (tmp_path / plain_name(name, "one")).write_text("x")
    assert {file.parent for file in tmp_path.rglob("*")} == {tmp_path}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: repr(name)[:14])
def test_whoever_keeps_a_style_under_a_name_writes_one_file_and_nowhere_else(name: str, tmp_path: Path) -> None:
    own = OwnStyles(tmp_path / "home")
    rows = json.dumps([{"name": name, "prompt": "x, {prompt}"}]).encode()
    try:
        own.import_styles(rows, f"{name}.json", name.replace("\0", ""), name.replace("\0", ""))
        kept = own.of(name.replace("\0", ""), name.replace("\0", ""))
        assert all(isinstance(style, TextStyle) and len(style.name) <= 100 for style in kept.values()) and len(kept) == 1
    except StudioError as refusal:
        said = str(refusal)
        assert said.endswith(".") and "\n" not in said, said
    files = [file for file in tmp_path.rglob("*") if file.is_file() and file.name != "lock"]
    assert len(files) <= 1 and all(re.fullmatch(r"[0-9a-f]{16}\.toml", file.name) for file in files)


def test_names_that_only_look_the_same_are_two_and_each_is_found_again(tmp_path: Path) -> None:
    own = OwnStyles(tmp_path)
    for name in ("caf\u00e9", "cafe\u0301", "Case", "case"):
        own.import_styles(json.dumps([{"name": name, "prompt": f"{name}, {{prompt}}"}]).encode(), "s.json")
    assert list(own.of()) == ["caf\u00e9", "cafe\u0301", "Case", "case"]


@pytest.mark.parametrize("kind", ["folder", "link", "large", "no text"])
def test_a_file_of_presets_that_is_something_else_is_put_aside_or_has_none(kind: str, tmp_path: Path) -> None:
    own = OwnStyles(tmp_path)
    own.import_styles(b'[{"name": "Ink", "prompt": "ink, {prompt}"}]', "s.json")
    (file,) = (tmp_path / "styles").rglob("*.toml")
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret = [")
    file.unlink()
    if kind == "folder":
        file.mkdir()
    elif kind == "link":
        file.symlink_to(secret)
    elif kind == "large":
        with file.open("wb") as sparse:
            sparse.truncate(64 << 20)
    else:
        file.write_bytes(b"\xff\xfe\0\0")
    assert own.of() == {}
    assert secret.read_text() == "a secret = ["


@pytest.mark.parametrize("kind", ["folder", "device", "nothing", "no TOML", "unknown fields", "a program"])
def test_a_list_of_models_that_is_none_is_refused_at_once(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    if kind == "folder":
        file.mkdir()
    elif kind == "no TOML":
        file.write_text("{ [[")
    elif kind == "unknown fields":
        file.write_text('[[card]]\nname = "X"\nengine = "diffusion"\nrun = "rm"\n')
    elif kind == "a program":
        file.write_text('[[card]]\nname = "X"\nengine = "os"\nserves = ["text_to_image"]\nsource = {kind = "folder", path = "/etc"}\n')
    elif kind == "device":
        file.symlink_to("/dev/null")
    began = time.monotonic()
    if kind == "device":
        assert models.read_cards(file) == ()
    else:
        with pytest.raises(InvalidInput) as said:  # it is the operator's own: the sentence names the file
            models.read_cards(file)
        assert said.value.field == "models" and len(str(said.value)) < 600
    assert time.monotonic() - began < 30


def test_no_file_is_read_as_yaml() -> None:
    texts = [path.read_text("utf-8") for folder in ("studio", "tabs") for path in (ROOT / folder).rglob("*.py")]
    assert len(texts) > 100
    assert not [text for text in texts if re.search(r"^\s*(import|from) (yaml|ruamel|marshal|shelve|dill|joblib)\b", text, re.MULTILINE)]
    front = '---\ntitle: !!python/object/apply:os.system ["id"]\na: &a [x, x]\nb: *a\n---\nHello.\n'
    assert "Hello." in read(front.encode(), "x.md").markdown


@pytest.mark.parametrize(
    "text",
    [
        *("[" * 100_000, '{"a":' * 50_000, '{"schema_version": NaN}', '{"schema_version": 1, "schema_version": 2}', "1" * 100_000),
        *('{"schema_version": 99}', "[]", "null", '"<img src=x onerror=alert(1)>"', '{"kind": {"a": []}}', '{"task": 3}', "\ud800", ""),
        '{"schema_version": 1, "task": {"prompt": "' + "x" * 5_000_000 + '"}}',
    ],
    ids=lambda text: text[:14],
)
def test_settings_that_are_none_are_refused_in_one_sentence(text: str) -> None:
    began = time.process_time()
    with refused():
        parse(text)
    found, said = None, "."
    try:
        found = foreign.read_text(text)
    except InvalidInput as refusal:
        said = str(refusal)
    assert is_a_sentence(said) or said == "."
    assert found is None or all(len(words) < 400 for words in found.left_out)
    assert time.process_time() - began < 20


@pytest.mark.parametrize("model", ["https://example.org/m", "../../etc/passwd", "file:///etc", "C:\\x", "Nobody", "a\u202eb"])
def test_settings_that_name_an_unknown_model_or_an_address_fetch_nothing(model: str, tmp_path: Path) -> None:
    from studio.settings import Settings
    from studio.studio import Studio

    studio = Studio.open(Settings(home=tmp_path / "home", cache=tmp_path / "cache", offline=True, device="cpu"))
    try:
        with refused(studio, "no model of that name"):
            list(studio.run(TextToImage(prompt="a cat", model=model)))
    finally:
        studio.close()
    assert list((tmp_path / "cache").rglob("*.safetensors")) == []


@pytest.mark.parametrize("id", ["../../etc/passwd", "", "x" * 5000, "%", "' OR 1=1 --", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "\0", "\u202e"])
def test_an_id_of_nothing_finds_nothing(id: str, tmp_path: Path) -> None:
    library = Library(tmp_path / "home")
    try:
        with pytest.raises(NotFound):
            library.get(id, "local")
        assert library.list(owner=id) == ()
    finally:
        library.close()


def zipped(*members: tuple[str, bytes], link: str = "") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if name == link:
                info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, data)
    return out.getvalue()


CONTAINER = b"<container><rootfiles><rootfile full-path='../../../etc/passwd'/></rootfiles></container>"
ZIPS = {
    "leads out": zipped(("mimetype", b"application/epub+zip"), ("META-INF/container.xml", CONTAINER), ("../../evil", b"x")),
    "absolute": zipped(("/etc/evil", b"x"), ("word/document.xml", b"<w/>")),
    "link": zipped(("word/document.xml", b"/etc/passwd"), link="word/document.xml"),
    "bomb": zipped(("word/document.xml", bytes(60 << 20))),
    "many": zipped(*((f"{number}", b"") for number in range(12_000))),
    "lies": zipped(("word/document.xml", b"<w/>")).replace(struct.pack("<I", 4), struct.pack("<I", 2**32 - 2)),
}


@pytest.mark.parametrize("kind", ZIPS)
@pytest.mark.parametrize("suffix", [".docx", ".epub"])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_that_means_harm_is_refused_and_unpacks_nowhere(kind: str, suffix: str, tmp_path: Path) -> None:
    before = {file.name for file in tmp_path.parent.iterdir()}
    with refused():
        read(ZIPS[kind], f"book{suffix}")
    assert {file.name for file in tmp_path.parent.iterdir()} == before and not os.path.lexists("/etc/evil")
