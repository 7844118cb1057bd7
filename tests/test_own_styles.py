"""A person's own text styles: from other programs' files, and back."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from studio import style_commands
from studio.errors import InvalidInput, MediaUnreadable, NotFound
from studio.own_styles import MOST, OwnStyles
from studio.presets import TextStyle, styled, styles_in, to_toml
from studio.settings import Settings
from studio.tasks import TextToImage

CSV = (
    "name,prompt,negative_prompt\r\n"
    "# a note,x,y\r\n"
    "None,,\r\n"
    "-------- MINE.CSV --------,,\r\n"
    'Ink,"ink drawing of {prompt}, ""bold"" lines","colour,\nphoto"\r\n'
    "Grain,film grain,\r\n"
    'Plain,,"blurry, {prompt}, low"\r\n'
)


@pytest.fixture
def own(tmp_path: Path) -> OwnStyles:
    return OwnStyles(tmp_path)


def test_a_styles_csv_is_taken_as_that_program_means_it(own: OwnStyles) -> None:
    count, said = own.import_styles(b"\xef\xbb\xbf" + CSV.encode(), "styles.csv")
    assert count == 3
    assert own.of() == {
        "Ink": TextStyle(name="Ink", prompt='ink drawing of {prompt}, "bold" lines', negative_prompt="colour,\nphoto"),
        "Grain": TextStyle(name="Grain", prompt="{prompt}, film grain"),
        "Plain": TextStyle(name="Plain", prompt="{prompt}", negative_prompt="blurry, low"),
    }
    assert said == ("What Plain avoids follows what you avoid: the place it had for that was left out.",)
    task = styled(TextToImage.checked({"prompt": "a fox", "style": "Grain"}), own.of())
    assert (task.prompt, task.style) == ("a fox, film grain", "")


def test_the_older_header_and_further_columns_are_understood(own: OwnStyles) -> None:
    assert own.import_styles(b"name,text\nInk,ink\n", "styles.csv") == (1, ())
    assert own.of()["Ink"].prompt == "{prompt}, ink"
    count, said = own.import_styles(b"Name,Prompt,Negative_Prompt,category\nOil,oil,x,art\n", "a.csv")
    assert (count, said) == (1, ("The columns category were left out: a style has a name and two prompts here.",))


@pytest.mark.parametrize(
    "data",
    [
        [{"name": "Ink", "prompt": "ink of {prompt}", "negative_prompt": "colour"}],
        [{"name": "Ink", "positive_prompt": "ink of {prompt}", "negative_prompt": "colour"}],
        [{"name": "Ink", "type": "user", "preset_data": {"positive_prompt": "ink of {prompt}", "negative_prompt": "colour"}}],
        {"name": "Ink", "style_prompt": "ink of {prompt}", "negative_prompt": "colour", "version": 2},
    ],
    ids=["Fooocus", "InvokeAI", "InvokeAI's templates", "Krita"],
)
def test_the_json_of_other_programs_is_taken(own: OwnStyles, data: object) -> None:
    assert own.import_styles(json.dumps(data).encode(), "sdxl_styles.json")[0] == 1
    assert own.of() == {"Ink": TextStyle(name="Ink", prompt="ink of {prompt}", negative_prompt="colour")}


def test_what_is_exported_is_read_back_and_by_that_program(own: OwnStyles, tmp_path: Path) -> None:
    own.import_styles(CSV.encode(), "styles.csv")
    data = own.export_styles()
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    assert [row["name"] for row in rows] == ["Ink", "Grain", "Plain"]
    assert [row["prompt"] for row in rows] == ['ink drawing of {prompt}, "bold" lines', "film grain", ""]
    again = OwnStyles(tmp_path / "other")
    again.import_styles(data, "styles.csv")
    assert again.of() == own.of()


def test_cells_that_a_spreadsheet_would_calculate_are_words(own: OwnStyles) -> None:
    own.import_styles(b"name,prompt,negative_prompt\n=1+1,=cmd|' /C calc'!A0,@SUM(A1)\n", "styles.csv")
    assert own.of()["=1+1"].prompt == "{prompt}, =cmd|' /C calc'!A0"
    (_, row) = csv.reader(io.StringIO(own.export_styles().decode("utf-8-sig"), newline=""))
    assert all(cell[0] == " " for cell in row)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "first line"),
        (b"x" * 1_100_000, "1 MB"),
        (b"\xff\xfen\x00a\x00", "UTF-8"),
        (b"a,b\n1,2\n", "first line"),
        (b"name,prompt\n", "no style"),
        (b"name,prompt\nInk," + b"x" * 200_000, "too long"),
        (b'name,prompt\nInk,"' + b"x" * 5000 + b'"', "5,003 characters"),
        (b"name,prompt\nInk,a\x00b\n", "control character"),
        (b"name,prompt\n,x\n", "1 to 100"),
        (b"[" * 100_000, "no list of styles"),
        (b'{"a": ' * 50_000, "no list of styles"),
        (b"[1, 2]", "no list of styles"),
        (b'{"default_model": "x", "default_styles": []}', "preset"),
        (b'[{"name": {"a": 1}, "prompt": 3}, {"name": "\\ud800", "prompt": "x"}, {"name": "x", "prompt": "\\ud800"}]', "No style"),
    ],
    ids=lambda value: str(value[:16]),
)
def test_a_file_that_holds_no_styles_is_refused_in_a_sentence(own: OwnStyles, data: bytes, words: str) -> None:
    with pytest.raises(MediaUnreadable, match=words):
        own.import_styles(data, "styles.csv")
    assert own.of() == {}


def test_one_of_the_same_name_is_replaced_and_said(own: OwnStyles) -> None:
    own.import_styles(b"name,prompt\nInk,a\n", "styles.csv")
    count, said = own.import_styles(b"name,prompt\nInk,b\nInk,c\nMacro,d\n", "styles.csv", taken=("Macro",))
    assert count == 2
    assert own.of()["Ink"].prompt == "{prompt}, c"
    assert [words.split(" ")[1] for words in said] == ["stands", "replaces", "takes"]


def test_there_is_an_end_to_the_number_of_styles(own: OwnStyles) -> None:
    own.import_styles(b"name,prompt\nInk,a\n", "styles.csv")
    with pytest.raises(InvalidInput, match="delete some"):
        own.import_styles(("name,prompt\n" + "".join(f"{n},a\n" for n in range(MOST))).encode(), "styles.csv")
    assert list(own.of()) == ["Ink"]


def test_styles_belong_to_their_owner_and_session(own: OwnStyles) -> None:
    own.import_styles(b"name,prompt\nInk,a\n", "styles.csv", "ann", "one")
    assert list(own.of("ann")) == list(own.of("ann", "one")) == ["Ink"]
    assert own.of("ann", "two") == own.of("ben") == {}
    with pytest.raises(NotFound):
        own.delete("Ink", "ann", "two")
    own.forget("ann", "two")
    assert list(own.of("ann")) == ["Ink"]
    own.delete("Ink", "ann", "one")
    assert own.of("ann") == {}


def test_a_damaged_file_is_put_aside_and_not_lost(own: OwnStyles, tmp_path: Path) -> None:
    own.import_styles(b"name,prompt\nInk,a\n", "styles.csv")
    (file,) = (tmp_path / "styles").rglob("*.toml")
    file.write_text("[[style", "utf-8")
    assert own.of() == {}
    count, said = own.import_styles(b"name,prompt\nOil,a\n", "styles.csv")
    assert count == 1 and "put aside" in said[0]
    assert [path.read_text("utf-8") for path in (tmp_path / "styles").rglob("*.damaged")] == ["[[style"]


@settings(max_examples=40, deadline=None)
@given(
    st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=30),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x7f")),
)
def test_any_words_survive_the_file_of_styles(name: str, words: str) -> None:
    style = TextStyle(name=name, prompt=f"{words} {{prompt}}", negative_prompt=words)
    assert styles_in(to_toml([style, TextStyle(name=name + "2", prompt="{prompt}")])) == {
        name: style,
        name + "2": TextStyle(name=name + "2", prompt="{prompt}"),
    }


def test_the_commands_bring_list_write_and_delete(tmp_path: Path) -> None:
    app = typer.Typer()
    app.add_typer(style_commands.commands(), name="styles")

    @app.callback()
    def options(context: typer.Context) -> None:
        context.obj = Settings(home=tmp_path)

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["styles", *words])
        return result.exit_code, result.output

    (tmp_path / "mine.csv").write_bytes(CSV.encode())
    assert "3 styles of mine.csv" in run("import", str(tmp_path / "mine.csv"))[1]
    assert run("list") == (0, "Ink\nGrain\nPlain\n")
    assert run("export", str(tmp_path / "out.csv"))[0] == 0
    assert run("export", str(tmp_path / "out.csv"))[0] == 1
    assert (tmp_path / "out.csv").read_bytes() == OwnStyles(tmp_path).export_styles()
    assert run("delete", "Ink")[0] == 0
    assert run("delete", "Ink")[0] == 1
    assert run("import", str(tmp_path / "none.csv"))[0] == 1
    assert run("list") == (0, "Grain\nPlain\n")
