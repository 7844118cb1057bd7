"""Sets of a person's own pictures: kept in home, offered as styles, and joined with the icon library for one run.

"My set: NAME" draws the set's own pictures where a prompt names one of them, and library icons in the set's colours elsewhere. A set
belongs to its owner, in a public studio to one browser session. It knows files and icons; it knows no page and no sampler.
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from studio.creations import Json
from studio.errors import InvalidInput, MediaUnreadable, ModelUnavailable, NotFound
from studio.starter import clothes, cutout
from studio.starter.icons import Icon, IconLibrary
from studio.storage import storing

Pixels = NDArray[np.uint8]

PREFIX = "My set: "
"""What the style of a set begins with."""
MOST = 200
"""Pictures in one set."""
SETS = 50
"""Sets of one owner."""
MOST_BYTES = 200_000_000
"""Of all files of one set together."""
NAME_LIMIT, LICENCE_LIMIT, PICTURE_LIMIT = 40, 200, 60
_MODELS = 24  # pictures of a set whose colours make its palette


@dataclass(frozen=True)
class OwnSet:
    """One set. `pictures` are their names and `hashes` the SHA-256 of the files they came from, in the same order."""

    name: str
    licence: str
    pictures: tuple[str, ...]
    hashes: tuple[str, ...]
    folder: Path

    @property
    def style(self) -> str:
        """What a task's style says to draw with it."""
        return PREFIX + self.name

    @classmethod
    def open(cls, folder: Path) -> OwnSet:
        """The set in `folder`. Raises ModelUnavailable when it is gone or damaged."""
        try:
            about: dict[str, Any] = json.loads((folder / "set.json").read_text("utf-8"))
            names, hashes = (tuple(str(one[key]) for one in about["pictures"]) for key in ("name", "sha256"))
            return cls(str(about["name"]), str(about["licence"]), names, hashes, folder)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ModelUnavailable("This set of pictures is gone or damaged: choose another style, or make the set again.") from error

    def facts(self) -> dict[str, Json]:
        """What the record of a picture says of the set."""
        pictures: list[Json] = [{"name": n, "sha256": h} for n, h in zip(self.pictures, self.hashes, strict=True)]
        return {"own_set": {"name": self.name, "licence": self.licence, "pictures": pictures}}

    def pixels(self) -> list[Pixels]:
        """Its icons, (128, 128, 4) each."""
        try:
            return [np.array(Image.open(self.folder / f"{i}.png", formats=("PNG",)).convert("RGBA")) for i in range(len(self.pictures))]
        except OSError as error:
            raise ModelUnavailable("A picture of this set is gone: delete the set and make it again.") from error


class OwnSets:
    """The sets under `home`. A set lies there whole or not at all; its folder's name says nothing of its owner's or its own name."""

    def __init__(self, home: Path) -> None:
        self._root = home / "sets"

    def teach(
        self, name: str, licence: str, files: Sequence[tuple[str, bytes]], owner: str = "local", session: str = ""
    ) -> tuple[OwnSet, tuple[str, ...]]:
        """Make a set of `files` (the picture's name, the file's bytes), in place of one of the same name.

        Returns it with a sentence for every file that was left out. Raises InvalidInput when nothing is left or a field is wrong.
        """
        name, licence = _line(name, "The set's name", NAME_LIMIT), _line(licence, "The licence note", LICENCE_LIMIT)
        if len(files) > MOST:
            raise InvalidInput(f"A set holds at most {MOST} pictures; these are {len(files)}: choose fewer.")
        if name not in (mine := {one.name for one in self.of(owner, session)}) and len(mine) >= SETS:
            raise InvalidInput(f"You have {SETS} sets already: delete one first.")
        refused: list[str] = []
        taken: dict[str, tuple[str, Pixels]] = {}  # by content: the same file twice is one picture
        for title, data in files:
            try:
                taken.setdefault(hashlib.sha256(data).hexdigest(), (_title(title), cutout.icon(data, title[:80])))
            except InvalidInput as error:
                refused.append(str(error))
        if not taken:
            raise InvalidInput(" ".join(["No picture was taken.", *refused[:5]]) if refused else "Choose at least one picture.")
        with storing():
            made = self._write(name, licence, taken, owner, session)
        return made, tuple(refused)

    def of(self, owner: str = "local", session: str = "") -> tuple[OwnSet, ...]:
        """The sets of an owner, by name; with `session` only those of that browser session."""
        found: list[OwnSet] = []
        for folder in self._folders(owner, session):
            try:
                found.append(OwnSet.open(folder))
            except ModelUnavailable:
                continue
        return tuple(sorted(found, key=lambda one: one.name.casefold()))

    def delete(self, name: str, owner: str = "local", session: str = "") -> None:
        """Remove a set; pictures drawn with it stay. Raises NotFound."""
        matching = [one for one in self.of(owner, session) if one.name == name.removeprefix(PREFIX)]
        if not matching:
            raise NotFound("There is no set of that name (any more): choose one from the list.")
        with storing():
            for one in matching:
                _removed(one.folder)

    def forget(self, owner: str, session: str = "") -> None:
        """Remove all sets of an owner, or of one of their browser sessions."""
        for folder in self._folders(owner, session):
            _removed(folder)

    def _folders(self, owner: str, session: str) -> Iterator[Path]:
        root = self._root / _key(owner)
        for folder in sorted(root.glob("*/")) if root.is_dir() else ():
            if not session or folder.name.startswith(f"{_key(session)}-"):
                yield folder

    def _write(self, name: str, licence: str, taken: dict[str, tuple[str, Pixels]], owner: str, session: str) -> OwnSet:
        before = [one for one in self.of(owner, session) if one.name == name]
        folder = self._root / _key(owner) / f"{_key(session)}-{secrets.token_hex(8)}"
        making = self._root / f"making-{secrets.token_hex(8)}"
        making.mkdir(parents=True)
        try:
            for number, (_, pixels) in enumerate(taken.values()):
                Image.fromarray(pixels).save(making / f"{number}.png")
            pictures = [{"name": title, "sha256": digest} for digest, (title, _) in taken.items()]
            (making / "set.json").write_text(json.dumps({"name": name, "licence": licence, "pictures": pictures}), "utf-8")
            folder.parent.mkdir(exist_ok=True)
            making.rename(folder)
        except BaseException:
            shutil.rmtree(making, ignore_errors=True)
            raise
        for old in before:
            _removed(old.folder)
        return OwnSet.open(folder)


class Taught(IconLibrary):
    """The icon library with a set's pictures after its own icons; its own icons wear the set's colours."""

    def __init__(self, library: IconLibrary, own: OwnSet, pictures: Sequence[Pixels]) -> None:
        drawings = tuple(Icon(name, name.lower(), (), "own", own.style, own.licence, own.style) for name in own.pictures)
        super().__init__(library.folder, library.icons + drawings, library.places, library.senses, library.emoji)
        self.own = own
        self.own_style = own.style
        self._library = library
        self._pictures = pictures
        self._colours, self._shares = clothes.palette_of(pictures[:_MODELS])

    def _decode(self, index: int) -> Pixels:
        count = len(self._library)
        if index >= count:
            pixels = self._pictures[index - count].copy()
        else:
            pixels = clothes.dressed(self._library.pixels(index), self._colours, self._shares)
        pixels.setflags(write=False)
        return pixels


def _removed(folder: Path) -> None:
    """Gone at once for everybody who looks, then its files."""
    gone = folder.parent.parent / f"gone-{secrets.token_hex(8)}"
    try:
        folder.rename(gone)
    except FileNotFoundError:
        return
    shutil.rmtree(gone, ignore_errors=True)


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _line(text: str, what: str, most: int) -> str:
    said = " ".join(text.split())
    if not said:
        raise InvalidInput(f"{what} is empty: fill it in.")
    if len(said) > most or not said.isprintable():
        raise InvalidInput(f"{what} must be one line of at most {most} plain characters: shorten it or type it again.")
    return said


def _title(name: str) -> str:
    """A picture's name in words: "Red_dragon-02.png" is "Red dragon". Raises MediaUnreadable for one without letters."""
    stem = re.sub(r"\.(png|webp|jpe?g|svg)$", "", name.strip(), flags=re.IGNORECASE)
    words = " ".join(re.sub(r"[_\-.\s]+|\b\d+\b|\(\d*\)|\d+$", " ", stem).split())
    if not re.search("[A-Za-z]", words) or len(words) > PICTURE_LIMIT or not words.isprintable():
        raise MediaUnreadable(
            f"{name[:80]} has no name in English words of at most {PICTURE_LIMIT} characters: rename it after what it shows."
        )
    return words
