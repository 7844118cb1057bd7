"""Sets of a person's own pictures: taken in, kept apart by owner and session, drawn with, credited, deleted."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from studio import replay
from studio.__main__ import app
from studio.creations import Creation
from studio.engines import starter_image
from studio.errors import InvalidInput, MediaUnreadable, ModelUnavailable, NotFound
from studio.provenance import pictures
from studio.settings import Settings
from studio.starter import clothes, cutout
from studio.starter.icons import IconLibrary
from studio.starter.own import MOST, MOST_BYTES, OwnSet, OwnSets, Taught
from studio.starter.palette import Palette
from studio.starter.words import read
from studio.studio import GUEST, Studio
from studio.tasks import TextToImage
from tabs import _own_sets
from tests.serving import running

FOLDER = Path(__file__).parents[1] / "assets" / "icons"
CARD = starter_image.CARDS[0].model_copy(update={"files": FOLDER})
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><circle cx="5" cy="5" r="4" fill="#3b2a5e"/></svg>'


def blob(colour: str = "#3b2a5e", paper: str | None = "#f3ecd8", form: str = "PNG") -> bytes:
    """A disc with a yellow spot on even paper, or on nothing."""
    image = Image.new("RGBA" if paper is None else "RGB", (300, 240), paper or (0, 0, 0, 0))
    pen = ImageDraw.Draw(image)
    pen.ellipse((60, 40, 240, 220), fill=colour)
    pen.ellipse((120, 90, 160, 130), fill="#ffd166")
    file = io.BytesIO()
    image.save(file, form)
    return file.getvalue()


def plain() -> bytes:
    """Nothing but white."""
    file = io.BytesIO()
    Image.new("RGB", (60, 60), "white").save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def sets(home: Path) -> OwnSets:
    return OwnSets(home)


@pytest.fixture
def studio(home: Path, tmp_path: Path) -> Iterator[Studio]:
    opened = Studio.open(Settings(home=home, cache=tmp_path / "cache", device="cpu", offline=True))
    yield opened
    opened.close()


def drawn(studio: Studio, prompt: str, style: str, owner: str = "local", session: str = "") -> Creation:
    task = TextToImage.checked({"prompt": prompt, "style": style, "seed": 1, "width": 128, "height": 128, "steps": 4})
    (creation,) = [event for event in studio.run(task, owner, session) if isinstance(event, Creation)]
    return creation


# Taking pictures in ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("paper", "form"), [("#f3ecd8", "PNG"), ("#ffffff", "JPEG"), ("#20324a", "WEBP"), (None, "PNG"), (None, "WEBP")])
def test_a_picture_becomes_an_icon_without_its_even_background(paper: str | None, form: str) -> None:
    icon = cutout.icon(blob("#d62839", paper, form), "disc")
    assert icon.shape == (128, 128, 4)
    assert icon[2, 2, 3] == icon[124, 124, 3] == 0
    assert icon[64, 20, 3] > 250
    assert icon[64, 20, 0] > icon[64, 20, 2] + 80
    assert 0.5 < (icon[..., 3] > 127).mean() < 0.75


def test_a_photograph_keeps_its_background() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (80, 100, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "PNG")
    assert (cutout.icon(file.getvalue(), "noise")[..., 3] > 200).mean() > 0.6


def test_a_drawing_in_svg_is_rendered() -> None:
    icon = cutout.icon(SVG, "disc.svg")
    assert icon[64, 64].tolist() == [0x3B, 0x2A, 0x5E, 255]
    assert icon[3, 3, 3] == 0


@pytest.mark.parametrize(
    "data",
    [b"", b"no picture", blob()[:200], b"<svg", b"<svg xmlns='http://www.w3.org/2000/svg'>", b"GIF89a" + bytes(20)],
)
def test_what_is_no_picture_is_refused_in_a_sentence_with_its_name(data: bytes) -> None:
    with pytest.raises(MediaUnreadable, match=r"^thing\.png .*\.$"):
        cutout.icon(data, "thing.png")


@pytest.mark.parametrize("inside", ['<image href="/etc/hostname"/>', '<rect fill="url(file:///etc/x#a)"/>', "<style>@import 'x'</style>"])
def test_a_drawing_that_points_to_files_is_refused(inside: str) -> None:
    with pytest.raises(MediaUnreadable, match="points to other files"):
        cutout.icon(SVG.replace(b"<circle", inside.encode() + b"<circle"), "thing.svg")


def test_a_drawing_of_absurd_proportions_is_rendered_small() -> None:
    tall = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 400"><rect width="1" height="400" fill="#3b2a5e"/></svg>'
    assert cutout._vector(tall, "pole.svg").size == (2, 512)
    with pytest.raises(MediaUnreadable, match=r"line\.svg shows nothing"):
        cutout.icon(tall.replace(b"0 0 1 400", b"0 0 1000000 1"), "line.svg")


def test_uploads_are_weighed_before_they_are_read(tmp_path: Path) -> None:
    large = tmp_path / "large.png"
    with large.open("wb") as file:
        file.truncate(MOST_BYTES // 2 + 1)  # a sparse file: it takes no room
    with pytest.raises(InvalidInput, match="choose fewer, or smaller ones"):
        _own_sets._read([str(large)] * 2, "")
    (tmp_path / "small.svg").write_bytes(SVG)
    assert _own_sets._read([str(tmp_path / "small.svg")], "hut") == [("hut", SVG)]


def test_a_picture_of_nothing_is_refused() -> None:
    with pytest.raises(MediaUnreadable, match="shows nothing"):
        cutout.icon(plain(), "blank")


# Keeping them ----------------------------------------------------------------------------------------------------------------------


def test_a_set_keeps_names_licence_and_the_hash_of_every_file(sets: OwnSets) -> None:
    files = [("Red_dragon-02.png", blob()), ("hut.svg", SVG), ("hut again.svg", SVG)]
    made, refused = sets.teach(" Dusk ", "CC0, by me", files)
    assert refused == ()
    assert (made.name, made.licence, made.pictures) == ("Dusk", "CC0, by me", ("Red dragon", "hut"))
    assert made.hashes == tuple(hashlib.sha256(data).hexdigest() for _, data in files[:2])
    assert sets.of() == (made,)
    assert made.pixels()[0].shape == (128, 128, 4)


def test_bad_files_are_left_out_with_a_sentence_each_and_nothing_else_is_disturbed(sets: OwnSets) -> None:
    made, refused = sets.teach("Mine", "my own", [("a.txt", b"words"), ("dragon", blob()), ("123.png", blob("#ff0000"))])
    assert made.pictures == ("dragon",)
    assert len(refused) == 2
    with pytest.raises(InvalidInput, match="No picture was taken"):
        sets.teach("Mine", "my own", [("a.txt", b"words")])
    assert sets.of() == (made,)


@pytest.mark.parametrize(
    ("name", "licence", "files", "words"),
    [
        ("", "mine", [("a", b"")], "name is empty"),
        ("x" * 41, "mine", [("a", b"")], "at most 40"),
        ("A", " ", [("a", b"")], "licence note is empty"),
        ("A", "mine", [], "Choose at least one"),
        ("A", "mine", [("a", b"")] * (MOST + 1), "at most 200"),
    ],
)
def test_what_a_set_cannot_be_is_one_sentence(sets: OwnSets, name: str, licence: str, files: list[Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        sets.teach(name, licence, files)


def test_a_set_of_the_same_name_takes_the_place_of_the_old(sets: OwnSets, home: Path) -> None:
    old, _ = sets.teach("Mine", "my own", [("dragon", blob())])
    new, _ = sets.teach("Mine", "CC0", [("hut", SVG)])
    assert sets.of() == (new,)
    assert not old.folder.exists()
    assert {path.name for path in (home / "sets").iterdir()} == {new.folder.parent.name}
    with pytest.raises(ModelUnavailable):
        OwnSet.open(old.folder)


def test_owners_and_sessions_see_their_own_sets_alone(sets: OwnSets) -> None:
    for owner, session in (("anna", "1"), ("ben", "2"), (GUEST, "3"), (GUEST, "4")):
        sets.teach(f"{owner}{session}", "mine", [("dragon", blob())], owner, session)
    assert [one.name for one in sets.of("anna")] == ["anna1"]
    assert [one.name for one in sets.of(GUEST, "3")] == [f"{GUEST}3"]
    with pytest.raises(NotFound):
        sets.delete(f"{GUEST}3", GUEST, "4")
    sets.forget(GUEST, "3")
    assert [one.name for one in sets.of(GUEST)] == [f"{GUEST}4"]


# Drawing with them -----------------------------------------------------------------------------------------------------------------


def test_a_prompt_that_names_a_picture_draws_it_and_others_wear_its_colours(sets: OwnSets) -> None:
    library = IconLibrary.open(FOLDER)
    made, _ = sets.teach("Dusk", "CC0", [("red dragon", blob())])
    taught = Taught(library, made, made.pixels())
    own = read("a dragon", "", made.style, taught)
    assert [taught.icons[c.index].title for c in own.parts[0].candidates] == [made.style]
    other = read("a castle", "", made.style, taught)
    assert "in their colours" in other.notes[0]
    index = other.parts[0].candidates[0].index
    assert library.icons[index] == taught.icons[index]
    wanted = Palette.of(made.pixels()[0]).colours
    apart = [np.linalg.norm(wanted - colour, axis=1).min() for colour in Palette.of(taught.pixels(index)).colours[:2]]
    before = [np.linalg.norm(wanted - colour, axis=1).min() for colour in Palette.of(library.pixels(index)).colours[:2]]
    assert max(apart) < 0.12 < max(before)


def test_light_stays_lighter_than_dark_in_other_colours(sets: OwnSets) -> None:
    library = IconLibrary.open(FOLDER)
    colours, shares = clothes.palette_of([cutout.icon(blob(), "blob")])
    picture = library.pixels(read("a zebra", "", "Flat", library).parts[0].candidates[0].index)
    seen = picture[..., 3] > 200
    light = (picture[..., :3].mean(-1) > 190) & seen
    dark = (picture[..., :3].mean(-1) < 90) & seen
    worn = clothes.dressed(picture, colours, shares)[..., :3].mean(-1)
    assert worn[light].mean() > worn[dark].mean() + 40


def test_the_record_and_the_credit_name_the_set(studio: Studio) -> None:
    made, _ = studio.sets.teach("Dusk", "CC0, by me", [("dragon", blob())])
    creation = drawn(studio, "a dragon", made.style)
    facts: Any = creation.record["facts"]
    assert facts["own_set"] == {"name": "Dusk", "licence": "CC0, by me", "pictures": [{"name": "dragon", "sha256": made.hashes[0]}]}
    assert facts["attribution"] == [{"name": "dragon", "set": "My set: Dusk", "licence": "CC0, by me", "share": 1.0}]
    from tabs import _attribution

    assert "My set: Dusk (CC0, by me)" in _attribution.html(creation)
    plain: Any = drawn(studio, "a dragon", "Flat").record["facts"]
    assert "own_set" not in plain


def test_a_picture_of_a_set_is_made_again_and_the_library_stays_as_it_was(studio: Studio) -> None:
    studio.sets.teach("Ink", "mine", [("dragon.png", blob())])
    earlier, picture = drawn(studio, "a dragon", "Flat"), drawn(studio, "a dragon", "My set: Ink")
    kept = [(one.id, one.path.read_bytes()) for one in studio.library.list()]
    record = pictures.read_record(picture.path)
    assert record is not None
    (difference,) = (replay.compare(picture.path, event) for event in replay.again(studio, record) if isinstance(event, Creation))
    assert difference.words == "identical pixels"
    assert [(one.id, one.path.read_bytes()) for one in studio.library.list()] == kept
    assert [one for one, _ in kept] == [picture.id, earlier.id]


def test_somebody_elses_set_and_a_deleted_one_are_no_style(studio: Studio) -> None:
    made, _ = studio.sets.teach("Dusk", "CC0", [("dragon", blob())], "anna")
    assert drawn(studio, "a dragon", made.style, "anna")
    with pytest.raises(InvalidInput, match="no style of that name"):
        drawn(studio, "a dragon", made.style, "ben")
    studio.sets.delete("Dusk", "anna")
    with pytest.raises(InvalidInput, match="no style of that name"):
        drawn(studio, "a dragon", made.style, "anna")


def test_a_public_studio_forgets_a_set_with_its_session(home: Path, tmp_path: Path) -> None:
    settings = Settings(home=home, cache=tmp_path / "cache", device="cpu", offline=True, mode="public")
    studio = Studio.open(settings)
    made, _ = studio.sets.teach("Dusk", "CC0", [("dragon", blob())], GUEST, "one")
    assert studio.my_sets(GUEST, "one") == (made,)
    assert studio.my_sets(GUEST, "two") == ()
    with pytest.raises(InvalidInput, match="no style"):
        drawn(studio, "a dragon", made.style, GUEST, "two")
    studio.forget("one")
    assert studio.my_sets(GUEST, "one") == ()
    studio.sets.teach("Dusk", "CC0", [("dragon", blob())], GUEST, "three")
    studio.close()
    studio = Studio.open(settings)
    assert studio.sets.of(GUEST) == ()
    studio.close()


def test_the_command_line_teaches_and_deletes(home: Path, tmp_path: Path) -> None:
    (tmp_path / "red dragon.png").write_bytes(blob())
    (tmp_path / "notes.txt").write_text("words")
    files = [str(tmp_path / "red dragon.png"), str(tmp_path / "notes.txt")]
    done = CliRunner().invoke(app, ["--home", str(home), "teach", "Dusk", *files, "--licence", "CC0"])
    assert done.exit_code == 0, done.output
    assert "Dusk holds red dragon" in done.output
    assert "notes.txt is no PNG" in done.output
    assert [one.name for one in OwnSets(home).of()] == ["Dusk"]
    assert CliRunner().invoke(app, ["--home", str(home), "teach", "Dusk", "--delete"]).exit_code == 0
    assert OwnSets(home).of() == ()
    assert CliRunner().invoke(app, ["--home", str(home), "teach", "Dusk", "--delete"]).exit_code == 1


@pytest.mark.thorough
def test_a_set_is_a_style_over_http_too(starter_cache: Path, tmp_path: Path) -> None:
    from gradio_client import Client

    made, _ = OwnSets(tmp_path / "home").teach("Dusk", "CC0", [("red dragon", blob())])
    with running(starter_cache, tmp_path) as (url, _):
        client = Client(url, verbose=False, analytics_enabled=False)
        fields: dict[str, Any] = {"style": made.style, "blend_prompt": "a red dragon", "blend": 1, "seed": 1, "width": 128, "height": 128}
        (file, *_) = client.predict(prompt="a castle", **fields, api_name="/text_to_image")[0]
        found = pictures.read_record(Path(file))
        assert found is not None
        assert found.facts["own_set"]["name"] == "Dusk"  # pyright: ignore[reportArgumentType, reportCallIssue, reportIndexIssue, reportOptionalSubscript]
        client.close()


@pytest.mark.thorough
def test_an_unloaded_library_lets_go_of_its_pictures_and_draws_the_same_again(studio: Studio) -> None:
    made, _ = studio.sets.teach("Dusk", "CC0", [("dragon", blob())])
    before = drawn(studio, "a castle", made.style)
    drawn(studio, "a castle", "")
    keys = [resident.key for resident in studio.manager.status().residents]
    assert any(key.startswith("My set: Dusk") for key in keys)
    library = starter_image.recipe(CARD, TextToImage(prompt="a castle"), studio.device).components["icons"].load(lambda event: None)
    assert library.derived("looks", lambda _: None) is not None
    studio.manager.unload()
    assert studio.manager.status().residents == ()
    assert library.derived("looks", lambda _: None) is None
    library.close()
    again = drawn(studio, "a castle", made.style)
    assert np.array_equal(np.asarray(Image.open(before.path)), np.asarray(Image.open(again.path)))
