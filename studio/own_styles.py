"""A person's own text styles: brought from other programs, kept in home, taken along again as A1111's styles.csv.

Reads styles.csv (A1111's `modules/styles.py`, old header too), Fooocus' and InvokeAI's JSON lists and Krita's style files. In home they
lie as TOML like those that ship, one file a session of an owner. Knows no page and no model.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping
from pathlib import Path

from studio.errors import InvalidInput, MediaUnreadable, NotFound
from studio.owned import Owned
from studio.presets import TextStyle, styles_in, to_toml
from studio.provenance.foreign import loose_json
from studio.tasks import PROMPT_LIMIT, TextToImage

SIZE_LIMIT = 1 << 20
"""Bytes of a file of styles."""
MOST = 1000
"""Styles of one session."""
SENTENCES = 20
HEADER = ("name", "prompt", "negative_prompt")
_WORDS = ("prompt", "positive_prompt", "style_prompt", "text")  # the last is A1111's older header
_Row = tuple[str, str, str]


class OwnStyles:
    """The styles under `home`. With `session` '' all of an owner's are meant."""

    def __init__(self, home: Path) -> None:
        self._kept = Owned(home / "styles", ".toml", styles_in, to_toml)

    def of(self, owner: str = "local", session: str = "") -> Mapping[str, TextStyle]:
        """The styles by name, in the order they came. A file that cannot be read any more has none."""
        return self._kept.of(owner, session)

    def import_styles(
        self, data: bytes, name: str, owner: str = "local", session: str = "", taken: Collection[str] = ()
    ) -> tuple[int, tuple[str, ...]]:
        """Keep the styles in the file `data` called `name`; one of the same name is replaced.

        Returns how many there were, and sentences about what was left out or changed; `taken` are the names of styles that ship. Raises
        MediaUnreadable when the file is none of styles, InvalidInput when there would be too many.
        """
        rows, said = _rows(data, name)
        made: dict[str, TextStyle] = {}
        for row in rows:
            style = _style(row, said)
            if style is not None:
                if style.name in made:
                    said.append(f"{_clean(style.name)} stands twice in the file: the last one was taken.")
                made[style.name] = style
        if not made:
            raise MediaUnreadable(" ".join(["No style was found in this file.", *said[:3]]) if said else "There is no style in this file.")
        with self._kept.changing(owner, session) as (styles, damaged):
            if damaged:
                said.append("The styles you had could not be read any more: they were put aside, in a file that ends with .damaged.")
            replaced = [each for each in made if each in styles]
            styles.update(made)
            if len(styles) > MOST:
                raise InvalidInput(f"You would have {len(styles):,} styles and {MOST:,} are the most: delete some first.")
        said += [f"{_clean(each)} replaces the one you had." for each in replaced]
        said += [f"{_clean(each)} takes the place of the studio's style of that name." for each in made if each in taken]
        return len(made), _few(said)

    def export_styles(self, owner: str = "local", session: str = "") -> bytes:
        """All styles as A1111's styles.csv (UTF-8 with its mark). A cell that a spreadsheet would calculate begins with a space."""
        text = io.StringIO(newline="")
        rows = csv.writer(text, lineterminator="\r\n")
        rows.writerow(HEADER)
        for style in self.of(owner, session).values():
            prompt = style.prompt.removeprefix("{prompt}").removeprefix(", ") if _after(style.prompt) else style.prompt
            rows.writerow(
                [f" {cell}" if cell[:1] in ("=", "+", "-", "@") else cell for cell in (style.name, prompt, style.negative_prompt)]
            )
        return text.getvalue().encode("utf-8-sig")

    def delete(self, name: str, owner: str = "local", session: str = "") -> None:
        """Remove a style; pictures made with it stay. Raises NotFound."""
        if not self._kept.delete(name, owner, session):
            raise NotFound("You have no style of that name (any more): choose one from the list.")

    def forget(self, owner: str, session: str = "") -> None:
        """Remove all styles of an owner, or of one of their browser sessions."""
        self._kept.forget(owner, session)


def _rows(data: bytes, name: str) -> tuple[list[_Row], list[str]]:
    """The styles of a file of any of the known kinds, and sentences about it."""
    if len(data) > SIZE_LIMIT:
        raise MediaUnreadable("This file of styles is larger than 1 MB: split it and bring the parts one after another.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise MediaUnreadable("This file of styles is no text in UTF-8: save it again as CSV in UTF-8.") from None
    if text.lstrip()[:1] in ("{", "[") or name.casefold().endswith(".json"):
        return _of_json(text, name), []
    return _of_csv(text)


def _of_json(text: str, name: str) -> list[_Row]:
    found = loose_json.anything(text)
    one = loose_json.inner(found)
    if any(key.startswith("default_") for key in one):
        raise MediaUnreadable("This is a preset with settings, not a list of styles: drop it where settings are restored.")
    rows: list[_Row] = []
    for table in (one,) if one else loose_json.tables(found)[: 2 * MOST]:
        inside = {**table, **loose_json.inner(table.get("preset_data"))}  # InvokeAI's templates
        title, avoid = inside.get("name", Path(name).stem if one else ""), inside.get("negative_prompt")
        words = next((value for key in _WORDS if isinstance(value := inside.get(key), str)), "")
        row = (title if isinstance(title, str) else "", words, avoid if isinstance(avoid, str) else "")
        if any(row):
            rows.append(row)
    if not rows:
        raise MediaUnreadable("This is no list of styles: use a styles.csv, or the JSON of Fooocus, InvokeAI or Krita.")
    return rows


def _of_csv(text: str) -> tuple[list[_Row], list[str]]:
    try:
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except csv.Error:
        raise MediaUnreadable("This file of styles is damaged, or one of its cells is too long: save it again as CSV.") from None
    header = [cell.strip().casefold() for cell in rows[0]] if rows else []
    words = next((key for key in _WORDS if key in header), "")
    if "name" not in header or not words:
        raise MediaUnreadable("This is no file of styles: its first line must be name,prompt,negative_prompt.")
    places = [header.index(key) if key in header else -1 for key in ("name", words, "negative_prompt")]
    others = [cell for place, cell in enumerate(header) if place not in places and cell]
    said = [f"The columns {', '.join(others)[:100]} were left out: a style has a name and two prompts here."] if others else []
    found = [(_cell(row, places[0]), _cell(row, places[1]), _cell(row, places[2])) for row in rows[1:]]
    return [row for row in found if not _divides(row)], said


def _cell(row: list[str], place: int) -> str:
    return row[place].strip() if 0 <= place < len(row) else ""


def _divides(row: _Row) -> bool:
    """Whether a row is a note, a line between files, or empty."""
    return row[0].startswith("#") or not any(row) or (not row[1] and not row[2] and (set(row[0][:3]) == {"-"} or row[0] == "None"))


def _style(row: _Row, said: list[str]) -> TextStyle | None:
    """A row as a style of ours, or None with a sentence that says why not. Words without {prompt} follow the artist's, as there."""
    name, words, avoid = (part.replace("\r\n", "\n").replace("\r", "\n").strip() for part in row)
    shown = _clean(name)[:60].strip() or "A style without a name"
    if not name or len(name) > 100 or re.search(r"[\x00-\x1f\x7f\ud800-\udfff]", name):
        said.append(f"{shown} was left out: a name has 1 to 100 characters on one line.")
        return None
    if "{prompt}" in avoid:
        avoid = ", ".join(part for part in (each.strip(" ,") for each in avoid.split("{prompt}")) if part)
        said.append(f"What {shown} avoids follows what you avoid: the place it had for that was left out.")
    words = words if "{prompt}" in words else f"{{prompt}}, {words}" if words else "{prompt}"
    try:
        TextToImage.checked({"prompt": words.replace("{prompt}", "x") or "x", "negative_prompt": avoid})
    except InvalidInput as error:
        said.append(f"{shown} was left out: {error}")
        return None
    if re.search(r"\x7f", words + avoid) or len(words) > PROMPT_LIMIT:
        said.append(f"{shown} was left out: its words are too long or hold an invisible control character.")
        return None
    return TextStyle(name=name, prompt=words, negative_prompt=avoid)


def _clean(text: str) -> str:
    return "".join(mark for mark in text if mark.isprintable())


def _after(prompt: str) -> bool:
    """Whether the artist's words come first and the style's follow, which A1111 writes without {prompt}."""
    rest = prompt.removeprefix("{prompt}")
    return "{prompt}" not in rest and (not rest or rest.startswith(", ")) and rest != prompt


def _few(said: list[str]) -> tuple[str, ...]:
    unique = list(dict.fromkeys(said))
    return (*unique[:SENTENCES], *((f"And {len(unique) - SENTENCES:,} more notes.",) if len(unique) > SENTENCES else ()))
