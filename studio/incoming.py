"""A zip that a library was exported to comes back: works, records, companions, and how they lay on the shelf. All of it or nothing.

What is in a zip may come from anyone: names are never used as paths, every work is read to its end, every record is checked. Knows the
index and the store; knows no page.
"""

from __future__ import annotations

import io
import re
import sqlite3
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Literal

from PIL import Image
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from studio import shelf, storyboards
from studio.archive import LIST, LIST_VERSION
from studio.errors import InvalidInput, MediaUnreadable, StudioError
from studio.index import Index, known_id, to_text
from studio.provenance import pictures, record
from studio.provenance.record import Record
from studio.storage import Store, new_id
from studio.tasks import TASKS

MOST = 20_000
"""Files in one zip."""
LARGEST = 512 << 20
"""Bytes of one file."""
PACKED = 20
"""How many times its own size a zip may hold, beside `SPARE` bytes: pictures and sounds hardly get smaller."""
SPARE = 64 << 20
MOST_PIXELS = 64_000_000
MEDIA = {".png": "picture", ".jpg": "picture", ".webp": "picture", ".flac": "sound", ".txt": "text"}
_OURS = re.compile(r"README\.txt|library\.json|contact-sheet(-\d+)?\.jpg")
_NO_EXPORT = "This zip is no export of a library: choose one that Export made, and not a private one."
_DAMAGED = "This zip is damaged or was changed: export it once more, then choose it again."


@dataclass(frozen=True)
class Brought:
    """What came: the new ids, how many were here already, and the names of files that no library exported and that were passed over."""

    ids: tuple[str, ...]
    already: int
    foreign: tuple[str, ...]

    @property
    def words(self) -> str:
        """One line for a person."""
        count = len(self.ids)
        parts = [f"{count:,} creation{'' if count == 1 else 's'} came into the library."]
        parts += [f"{self.already:,} were here already."] if self.already else []
        if self.foreign:
            parts.append(f"{len(self.foreign):,} files that no library exported were passed over, such as {self.foreign[0][:60]}.")
        return " ".join(parts)


class _Listed(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    id: str = ""
    file: str
    record: str
    companions: dict[str, str] = Field(default_factory=dict[str, str])
    title: str = ""
    star: bool = False
    project: str = ""
    note: str = ""
    panel: int = Field(default=0, ge=0, le=1_000_000)
    panel_words: str = ""
    panel_sound: str = ""
    panel_picture: str = ""
    panel_draft: str = ""
    tags: list[str] = Field(default_factory=list[str], max_length=1000)


class _List(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore")

    format: Literal["atelier"]
    version: int = Field(ge=1)
    creations: list[_Listed]


@dataclass(frozen=True)
class _Arrival:
    """One creation whose bytes are stored and whose row is not."""

    listed: _Listed
    record: Record
    main: str
    size: int
    text: str | None
    companions: Mapping[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])


class Incoming:
    """Thread-safe, as the index and the store are."""

    def __init__(self, index: Index, store: Store, release: Callable[[Iterable[str]], None]) -> None:
        self._index = index
        self._store = store
        self._release = release

    def bring(self, file: Path, owner: str = "local", session: str = "", most: int = MOST) -> Brought:
        """Take in every creation of an exported zip that is not here yet, at most `most`.

        Raises InvalidInput or MediaUnreadable for what is no such zip, is damaged or would hurt; StorageFull without room.
        """
        objects: dict[str, zipfile.ZipInfo] = {}
        with _opened(file) as archive:
            members = _members(archive, file)
            listed = _listed(archive, members)
            if len(listed) > most:
                raise InvalidInput(f"This zip holds {len(listed):,} creations; {most:,} are the most here. Export fewer at once.")
            here = self._here([each.id for each in listed], owner)
            new = [each for each in listed if each.id not in here]
            self._store.require(sum(members[name].file_size for each in new for name in _names(each)))
            try:
                arrivals = [self._stored(archive, members, each, objects) for each in new]
                ids = self._written(archive, arrivals, objects, owner, session)
            except BaseException:
                with suppress(StudioError):
                    self._release(objects)
                raise
        used = {name for each in listed for name in _names(each)}
        foreign = [name for name in members if name not in used and not _OURS.fullmatch(name) and not name.endswith("/")]
        return Brought(ids, len(listed) - len(new), tuple(foreign))

    def _here(self, ids: Sequence[str], owner: str) -> set[str]:
        """Those that this owner has, in the trash or not."""
        rows = self._index.rows(
            "SELECT id FROM creations WHERE id IN (SELECT value FROM json_each(?)) AND owner = ?", to_text([*ids]), owner
        )
        return {row["id"] for row in rows}

    def _stored(
        self, archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo], listed: _Listed, objects: dict[str, zipfile.ZipInfo]
    ) -> _Arrival:
        """The bytes of one creation on the disk; their names are added to `objects`."""
        entry = record.parse(archive.read(members[listed.record]))
        suffix, data = PurePosixPath(listed.file).suffix.lower(), archive.read(members[listed.file])
        _check(data, suffix, entry)

        def put(member: zipfile.ZipInfo, content: bytes) -> tuple[str, int]:
            name = self._store.name(content, _suffix(member.filename))
            if not self._store.path(name).exists():
                objects[name] = member
                self._store.put(name, content)
            return name, len(content)

        main, size = put(members[listed.file], data)
        companions = {name: put(members[place], archive.read(members[place])) for name, place in listed.companions.items()}
        return _Arrival(listed, entry, main, size, data.decode("utf-8") if suffix == ".txt" else None, companions)

    def _written(
        self, archive: zipfile.ZipFile, arrivals: Sequence[_Arrival], objects: Mapping[str, zipfile.ZipInfo], owner: str, session: str
    ) -> tuple[str, ...]:
        """The rows of all of them, in one transaction."""
        with self._index.transaction(durable=True) as index:
            for name, member in objects.items():
                if not self._store.path(name).exists():  # equal content was just forgotten elsewhere
                    self._store.put(name, archive.read(member))
            return tuple(self._row(index, arrival, owner, session) for arrival in arrivals)

    def _row(self, index: sqlite3.Connection, arrival: _Arrival, owner: str, session: str) -> str:
        listed, entry = arrival.listed, arrival.record
        taken = index.execute("SELECT 1 FROM creations WHERE id = ?", (known_id(listed.id),)).fetchone()
        id = new_id() if taken or known_id(listed.id) == "-" else listed.id
        if not self._store.path(arrival.main).exists():
            raise InvalidInput("What this zip holds was being deleted meanwhile: import it again.")
        values: tuple[object, ...] = (id, owner, session, shelf.IMPORTED, entry.kind, str(entry.model.get("name") or ""), arrival.main)
        values += (arrival.size, arrival.text, record.to_json(entry), to_text(entry.parents), entry.created, entry.schema_version)
        values += (shelf.line(listed.title, "Name", shelf.TITLE_LIMIT), shelf.note(listed.note), listed.star)
        drawn = MEDIA.get(PurePosixPath(arrival.main).suffix) == "picture" or (arrival.text and storyboards.DRAFTED in entry.facts)
        values += (shelf.line(listed.project, "Project", shelf.PROJECT_LIMIT), listed.panel if drawn and listed.project else 0)
        values += (shelf.note(listed.panel_words)[: storyboards.CAPTION_LIMIT], known_id(listed.panel_sound).strip("-"))
        values += (shelf.note(listed.panel_picture)[: storyboards.CAPTION_LIMIT], known_id(listed.panel_draft).strip("-"))
        seq = index.execute(
            "INSERT INTO creations (id, owner, session, job, kind, model, object, bytes, text, record, parents, created, schema_version,"
            " title, note, star, project, panel, panel_words, panel_sound, panel_picture, panel_draft)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        ).lastrowid
        index.executemany(
            "INSERT INTO attachments (creation, name, object, bytes) VALUES (?, ?, ?, ?)",
            [(id, name, kept, size) for name, (kept, size) in arrival.companions.items()],
        )
        tags = [tag for tag in (shelf.line(tag, "Tag", shelf.TAG_LIMIT) for tag in listed.tags) if tag]
        index.executemany("INSERT OR IGNORE INTO tags (creation, tag) VALUES (?, ?)", [(seq, tag) for tag in tags])
        return id


@contextmanager
def _opened(file: Path) -> Generator[zipfile.ZipFile]:
    """The zip; what is wrong with it becomes a sentence."""
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, zlib.error, struct.error, NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError):
        raise InvalidInput(_DAMAGED) from None
    except OSError as error:
        raise InvalidInput(f"{file.name} cannot be read ({error.strerror}): check its path, or choose it again.") from None


def _members(archive: zipfile.ZipFile, file: Path) -> dict[str, zipfile.ZipInfo]:
    """The files of the zip by name. Raises InvalidInput for names and files that no export has."""
    found = archive.infolist()
    if len(found) > MOST:
        raise InvalidInput(f"This zip holds {len(found):,} files; {MOST:,} are the most. Export fewer at once.")
    for info in found:
        name = info.orig_filename
        parts = PurePosixPath(name).parts
        if name.startswith("/") or "\\" in name or ".." in parts or ":" in name or len(name) > 400 or not name.isprintable():
            raise InvalidInput("This zip holds a file whose name leads elsewhere, so nothing of it was taken: choose an export.")
        if stat.S_ISLNK(info.external_attr >> 16):
            raise InvalidInput("This zip holds a link to another file, so nothing of it was taken: choose an export.")
        if info.flag_bits & 1:
            raise InvalidInput("This zip is locked by a password: unpack it and choose an export without one.")
        if info.file_size > LARGEST:
            raise InvalidInput(f"A file in this zip is larger than {LARGEST >> 20} MB, so nothing of it was taken: choose an export.")
    if sum(info.file_size for info in found) > PACKED * file.stat().st_size + SPARE:
        raise InvalidInput("This zip would become far larger than it is, so nothing of it was taken: choose an export.")
    if len({unicodedata.normalize("NFC", info.filename).casefold() for info in found}) < len(found):
        raise InvalidInput("This zip holds two files of one name, so nothing of it was taken: choose an export.")
    return {info.filename: info for info in found}


def _listed(archive: zipfile.ZipFile, members: Mapping[str, zipfile.ZipInfo]) -> list[_Listed]:
    """What the zip says it holds; an export of before there was a list says so by its names."""
    if LIST in members:
        try:
            found = _List.model_validate_json(archive.read(members[LIST]))
        except ValidationError:
            raise InvalidInput(_DAMAGED) from None
        if found.version > LIST_VERSION:
            raise InvalidInput("This zip was exported by a newer Atelier: update this one to take it in.")
        listed = found.creations
    else:
        listed = _by_names(members)
    if not listed:
        raise InvalidInput(_NO_EXPORT)
    ids = [each.id for each in listed if each.id]
    if any(name not in members for each in listed for name in _names(each)) or len(set(ids)) < len(ids):
        raise InvalidInput(_DAMAGED)
    if any(not re.fullmatch(r"[^/\\\x00-\x1f]{1,100}", name) or name in (".", "..") for each in listed for name in each.companions):
        raise InvalidInput(_DAMAGED)
    return listed


def _by_names(members: Mapping[str, zipfile.ZipInfo]) -> list[_Listed]:
    found: list[_Listed] = []
    works = {name.rpartition(".")[0]: name for name in members if "/" not in name and not _OURS.fullmatch(name)}
    for name in members:
        parts = re.fullmatch(r"records/([^/]+)\.json", name)
        if parts and parts[1] in works:
            beside = {place.rpartition("/")[2]: place for place in members if place.startswith(f"{parts[1]}/") and not place.endswith("/")}
            found.append(_Listed(file=works[parts[1]], record=name, companions=beside))
    return found


def _names(listed: _Listed) -> tuple[str, ...]:
    return listed.file, listed.record, *listed.companions.values()


def _check(data: bytes, suffix: str, entry: Record) -> None:
    """Whether this is a work of the kind that its record says, whole to its end."""
    task = TASKS.get(entry.kind)
    if task is None or MEDIA.get(suffix) != task.medium or not re.match(r"\d{4}-\d\d-\d\dT[\d:.]+([+-]\d\d:\d\d|Z)?$", entry.created):
        raise InvalidInput("A record in this zip does not fit its file, so nothing of it was taken: export it once more.")
    try:
        if suffix in (".png", ".jpg", ".webp"):
            with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as picture:
                width, height = picture.size
            if width * height > MOST_PIXELS:
                raise InvalidInput(
                    f"A picture in this zip has more than {MOST_PIXELS // 1_000_000} megapixels: export it without that one."
                )
            pictures.check(data)
        elif suffix == ".flac":
            from studio.music import apart  # brings a sound library, which the first page does without
            from studio.provenance import sounds

            sounds.read_record(data)
            apart.check(data)
        else:
            data.decode("utf-8")
    except (MediaUnreadable, UnicodeDecodeError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise MediaUnreadable("A work in this zip is damaged, so nothing of it was taken: export it once more.") from None


def _suffix(name: str) -> str:
    suffix = PurePosixPath(name).suffix.lower()
    return suffix if re.fullmatch(r"\.[a-z0-9]{1,8}", suffix) else ".bin"
