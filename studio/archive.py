"""A selection of creations as one zip: their files under names that speak, their records as JSON, and a contact sheet.

`library.json` says which file is which, and how they lay on the shelf (stars, tags, projects): studio/incoming.py brings all of it back.

A private one has the works alone: written anew without prompt, record and companions. Knows creations and their files; knows no index
and no page.
"""

from __future__ import annotations

import io
import json
import re
import textwrap
import unicodedata
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from studio import thumbs
from studio.creations import Creation
from studio.errors import InvalidInput, MediaUnreadable, NotFound
from studio.provenance.record import TRAINED
from studio.shelf import Item
from studio.storage import RESERVED, storing

NAME_LIMIT = 60
"""Characters of a name in the zip, beside its number and suffix."""
LIST = "library.json"
LIST_VERSION = 1
SHEET = 60
"""Creations on one contact sheet."""
CELL = (200, 230)
COLUMNS = 6

_README = """{count} from Atelier, made by machine.

contact-sheet.jpg shows them at a glance. {beside}
{missing}"""
_BESIDE = """records/ says for each how it was made: model, settings, seed; the folders hold what was made along with it.
A studio takes all of it in again: Import, in its library, or `python -m studio import FILE`."""
_PRIVATE = """This is a private export:
pictures and sounds were written anew without metadata, so they carry no prompt, no settings and no signature; records, companion
files and names made of prompts were left out. That they were made by machine is still said in them."""
_XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
    ' xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"><Iptc4xmpExt:DigitalSourceType>{source}'
    "</Iptc4xmpExt:DigitalSourceType></rdf:Description></rdf:RDF></x:xmpmeta>"
)


@dataclass(frozen=True)
class _Entry:
    """One creation in the zip: `name` without its suffix, unique by its number."""

    creation: Creation
    name: str


def pack(
    creations: Sequence[Creation], out: Path, private: bool = False, titles: Mapping[str, str] | None = None, shelf: Sequence[Item] = ()
) -> Path:
    """Write the zip `out`, all of it or nothing, and return it. `titles` are names that creations were given, by id.

    `shelf` says how they lie on the shelf; a private zip tells nothing of that.

    What is gone or damaged on the disk is left out and named in README.txt. Raises InvalidInput without any creation, NotFound if no
    file is left, StorageFull without room.
    """
    if not creations:
        raise InvalidInput("Nothing is selected: choose the creations to export.")
    whole = [creation for creation in creations if creation.path.exists()]
    if not whole:
        raise NotFound("The files of these creations are gone from the disk: make them again from their settings, or choose others.")
    entries = [_Entry(each, _name(number, each, private, titles or {})) for number, each in enumerate(whole, 1)]
    lost = [creation.path.name for creation in creations if not creation.path.exists()]
    items, listed = {item.id: item for item in shelf}, list[dict[str, object]]()
    part = out.with_name(out.name + ".part")
    with storing():
        try:
            with zipfile.ZipFile(part, "w") as file:
                for entry in entries:
                    try:
                        names: list[str] = []
                        for name, data in _members(entry, private):
                            _write(file, name, data, entry.creation.created)
                            names.append(name)
                        listed.append(_listed(entry.creation, names, items.get(entry.creation.id)))
                    except MediaUnreadable:
                        lost.append(entry.creation.path.name)
                for number, sheet in enumerate(_sheets(entries), 1):
                    _write(file, "contact-sheet.jpg" if number == 1 else f"contact-sheet-{number}.jpg", sheet)
                if not private:
                    values = {"format": "atelier", "version": LIST_VERSION, "creations": listed}
                    _write(file, LIST, json.dumps(values, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace"))
                _write(file, "README.txt", _readme(len(creations), lost, private).encode())
            part.replace(out)
        finally:
            with suppress(OSError):
                part.unlink(missing_ok=True)
    return out


def plain_name(text: str, otherwise: str) -> str:
    """`text` as a file's name that every system takes, at most `NAME_LIMIT` characters; `otherwise` if nothing is left of it."""
    seen = "".join(" " if unicodedata.category(character)[0] in "CZ" else character for character in text)
    safe = " ".join(re.sub(r'[\\/:*?"<>|]', " ", seen).split())
    while len(safe[:NAME_LIMIT].encode()) > 3 * NAME_LIMIT:  # systems count bytes: 255 with number and suffix
        safe = safe[:-1]
    name = safe[:NAME_LIMIT].strip(" .") or otherwise
    return f"_{name}"[:NAME_LIMIT].strip(" .") if RESERVED.match(name) else name


def _name(number: int, creation: Creation, private: bool, titles: Mapping[str, str]) -> str:
    task = cast("Mapping[str, object]", creation.record.get("task") or {})
    kind = creation.kind.replace("_", " ")
    words = "" if private else str(task.get("prompt") or task.get("text") or "")
    return f"{number:03} {plain_name(titles.get(creation.id) or words, plain_name(kind, 'work'))}"


def _listed(creation: Creation, names: Sequence[str], item: Item | None) -> dict[str, object]:
    """What the list says of one creation: its members of the zip (file, record, companions by name), and how it lies on the shelf."""
    companions = [name for name, path in creation.attachments.items() if path.exists()]
    shelved = ("title", "star", "project", "note", "panel", "panel_words", "panel_sound", "panel_picture", "panel_draft")
    placed = {name: getattr(item, name) for name in shelved} | {"tags": list(item.tags)} if item else {}
    return {
        "id": creation.id, "file": names[0], "record": names[1] if len(names) > 1 else "",
        "companions": dict(zip(companions, names[2:], strict=False)), **placed,
    }  # fmt: skip


def _members(entry: _Entry, private: bool) -> Iterator[tuple[str, bytes]]:
    """Everything that is in the zip of one creation: name and bytes."""
    creation, suffix = entry.creation, entry.creation.path.suffix
    if private:
        data, suffix = _bare(creation)
        yield entry.name + suffix, data
        return
    try:
        yield entry.name + suffix, creation.path.read_bytes()
    except OSError:
        raise MediaUnreadable("The file of this creation cannot be read: choose another.") from None
    yield f"records/{entry.name}.json", json.dumps(creation.record, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace")
    taken: set[str] = set()
    for name, path in creation.attachments.items():
        if path.exists():
            plain = plain_name(Path(name).stem, "file")
            plain = plain if plain.casefold() + path.suffix not in taken else f"{len(taken) + 1} {plain}"
            taken.add(plain.casefold() + path.suffix)
            yield f"{entry.name}/{plain}{path.suffix}", path.read_bytes()


def _bare(creation: Creation) -> tuple[bytes, str]:
    """The work without what is written in its file: the same pixels or samples; a text carries nothing."""
    path = creation.path
    source = str(creation.record.get("digital_source_type") or TRAINED)
    if path.suffix in thumbs.PICTURES:
        return _bare_picture(path, source), ".png"
    if path.suffix in thumbs.SOUNDS:
        from studio.music import files  # brings a sound library, which the first page does without
        from studio.provenance.tags import Tags

        return files.encode(files.read(path, limit_seconds=36_000), "flac", Tags(artist="", source=source)), ".flac"
    return path.read_bytes(), path.suffix


def _bare_picture(path: Path, source: str) -> bytes:
    said, out = PngInfo(), io.BytesIO()
    said.add_itxt("XML:com.adobe.xmp", _XMP.format(source=source))
    try:
        with Image.open(path, formats=["PNG", "JPEG", "WEBP"]) as picture:
            profile = picture.info.get("icc_profile")
            picture.load()
            picture.info.clear()
            picture.save(out, "PNG", pnginfo=said, compress_level=1, icc_profile=profile)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise MediaUnreadable("The file of this creation was damaged on the disk: choose another.") from None
    return out.getvalue()


def _write(file: zipfile.ZipFile, name: str, data: bytes, created: str = "") -> None:
    """Text is packed; pictures and sounds are packed already."""
    member = zipfile.ZipInfo(name)  # of 1980, where nothing is known
    when = [int(part) for part in re.findall(r"\d+", created)[:6]]
    if len(when) == 6 and 1980 <= when[0] <= 2107:
        member.date_time = (when[0], when[1], when[2], when[3], when[4], when[5])
    member.external_attr = 0o644 << 16
    member.compress_type = zipfile.ZIP_DEFLATED if name.endswith((".txt", ".json", ".svg", ".md")) else zipfile.ZIP_STORED
    file.writestr(member, data)


def _readme(count: int, lost: Sequence[str], private: bool) -> str:
    missing = f"\nGone or damaged on the disk, so not in here: {', '.join(lost)}.\n" if lost else ""
    counted = "1 creation" if count == 1 else f"{count:,} creations"
    return _README.format(count=counted, beside=_PRIVATE if private else _BESIDE, missing=missing)


def _sheets(entries: Sequence[_Entry]) -> Iterator[bytes]:
    for first in range(0, len(entries), SHEET):
        shown = entries[first : first + SHEET]
        rows = -(-len(shown) // COLUMNS)
        sheet = Image.new("RGB", (min(len(shown), COLUMNS) * CELL[0], rows * CELL[1]), "white")
        for number, entry in enumerate(shown):
            sheet.paste(_cell(entry), (number % COLUMNS * CELL[0], number // COLUMNS * CELL[1]))
        out = io.BytesIO()
        sheet.save(out, "JPEG", quality=85)
        yield out.getvalue()


def _cell(entry: _Entry) -> Image.Image:
    """A small picture, a waveform or first lines, with the name under it."""
    cell = Image.new("RGB", CELL, "white")
    pen, font = ImageDraw.Draw(cell), ImageFont.load_default(12)
    side = CELL[0] - 16
    if entry.creation.text is not None:
        lines = [part for line in entry.creation.text[:600].splitlines() for part in textwrap.wrap(line, 30)][:12]
        pen.multiline_text((10, 10), "\n".join(lines), fill="#222222", font=font)
    else:
        with suppress(MediaUnreadable, NotFound), Image.open(io.BytesIO(thumbs.draw(entry.creation.path))) as opened:
            small = opened.convert("RGBA")
            small.thumbnail((side, side))
            cell.paste(small, (8 + (side - small.width) // 2, 8 + (side - small.height) // 2), small)
    pen.text((8, CELL[1] - 30), "\n".join(textwrap.wrap(entry.name, 30)[:2]), fill="#222222", font=font)
    return cell
