"""The texts in a file, whichever way it carries them: what the readers of this package look at.

Decodes no pixel and no sample; lengths are checked before use. Knows no program's settings. Formats beyond `containers` and `tags`:
GIF89a, section 24 (comments); HEIF/AVIF items (ISO/IEC 14496-12, 8.11; ISO/IEC 23008-12, annex A); TIFF 6.0 directories.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from studio.errors import MediaUnreadable
from studio.provenance import containers, tags
from studio.provenance.containers import TEXT_LIMIT, comment_words
from studio.provenance.pictures import FILE_LIMIT

KEYWORDS = (
    *("parameters", "fooocus_scheme", "prompt", "workflow", "Comment", "Description", "Software", "Source", "Title"),
    *("invokeai_metadata", "invokeai_graph", "invokeai_workflow", "sd-metadata", "Dream", "generation_data"),
)
"""PNG keywords under which the programs of this package write."""
_WANTED = frozenset((0x010E, 0x0131, 0x9286, 0x927C, *range(0x0100, 0x0111)))  # Exif: description, software, comment, note; ComfyUI's own
_DAMAGED = "This picture is damaged or cut off: use another copy of it."
_MUCH = "This picture carries more than 1 MB of text and was not read: save it again without its metadata."


@dataclass(frozen=True)
class Carried:
    """`texts` by PNG keyword; `comment` is Exif's UserComment or a GIF's comment; `note` Exif's MakerNote; `spoken` a sound's comments.

    `sure`: whether the texts come from a place where only settings stand, so that a text without any is a prompt.
    """

    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    comment: str = ""
    note: str = ""
    spoken: tuple[str, ...] = ()
    sure: bool = False

    @property
    def parameters(self) -> str:
        """The text that most programs write: `parameters`, else the comment."""
        return self.texts.get("parameters") or self.comment


def opened(path: Path) -> bytes:
    """The bytes of a file of at most 100 MB. Raises MediaUnreadable."""
    try:
        if not path.is_file() or path.stat().st_size > FILE_LIMIT:
            raise MediaUnreadable("This is no file whose settings can be read, or one of more than 100 MB: use a smaller copy.")
        return path.read_bytes()
    except (OSError, ValueError):
        raise MediaUnreadable("This file cannot be opened: choose it again.") from None


def read(data: bytes) -> Carried:
    """The texts in a file. Raises MediaUnreadable for a damaged file, one of no known kind, or a text over 1 MB."""
    try:
        if data[:6] in (b"GIF87a", b"GIF89a"):
            return Carried(comment="\n".join(_gif(data)))
        if data[4:8] == b"ftyp":
            return _of_exif(_avif(data), {})
        if data.startswith((containers.PNG_START, b"\xff\xd8\xff")) or (data[:4] == b"RIFF" and data[8:12] == b"WEBP"):
            found = containers.read(data, KEYWORDS, most=1 << 62)
            return _of_exif(found.exif, found.texts)
        if data.startswith((b"fLaC", b"OggS", b"RIFF", b"RF64", b"ID3")) or data[:2] in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"):
            return Carried(spoken=tuple(tags.comments(io.BytesIO(data), tags.SETTINGS)))
    except (struct.error, IndexError, ValueError):
        raise MediaUnreadable(_DAMAGED) from None
    if len(data) > TEXT_LIMIT or b"\x00" in data:
        raise MediaUnreadable("This is no file whose settings can be read: use a picture, a sound or a text of at most 1 MB.")
    try:
        return of_text(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise MediaUnreadable("This is no file whose settings can be read: use a picture, a sound, or a text in UTF-8.") from None


def of_text(text: str, *, sure: bool = False) -> Carried:
    """A text that stands alone: an infotext, a graph, a preset, or what NovelAI hides in pixels; of an SVG the data in its metadata."""
    if "<svg" in text[:2000]:
        text = text.partition("<metadata>")[2].partition("<![CDATA[")[2].partition("]]>")[0]
    return Carried({"parameters": text, "text": text}, sure=sure)


def _of_exif(exif: bytes, texts: Mapping[str, str]) -> Carried:
    """With the texts that programs put into Exif: ComfyUI's "prompt:{...}" and "workflow:{...}", comments in both directories."""
    inside = dict(_directory(exif))
    found = dict(texts)
    for tag in sorted(inside, reverse=True):
        name, colon, words = _plain(inside[tag]).partition(":")
        if tag < 0x0111 and colon and name in ("prompt", "workflow"):
            found.setdefault(name, words)
    comment = comment_words(containers.user_comment(exif)) or _plain(inside.get(0x9286, b""))
    if len(comment) > TEXT_LIMIT:
        raise MediaUnreadable(_MUCH)
    if software := _plain(inside.get(0x0131, b"")):
        found.setdefault("Software", software)
    return Carried(found, comment.strip("\x00"), _plain(inside.get(0x927C, b"")), sure="parameters" in found)


def _directory(exif: bytes) -> Iterator[tuple[int, bytes]]:
    """The wanted tags of the main directory that hold text or bytes."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None or len(exif) < 8:
        return
    (place,) = struct.unpack_from(f"{order}I", exif, 4)
    if place + 2 > len(exif):
        return
    (entries,) = struct.unpack_from(f"{order}H", exif, place)
    seen: set[int] = set()
    for number in range(min(entries, (len(exif) - place - 2) // 12)):
        at = place + 2 + 12 * number
        tag, kind, length = struct.unpack_from(f"{order}HHI", exif, at)
        if tag not in _WANTED or tag in seen or kind not in (1, 2, 7):
            continue
        if length > TEXT_LIMIT:
            raise MediaUnreadable(_MUCH)
        seen.add(tag)
        start = at + 8 if length <= 4 else struct.unpack_from(f"{order}I", exif, at + 8)[0]
        yield tag, exif[start : start + length]


def _plain(words: bytes) -> str:
    return (comment_words(words) if words[:8] in _CODES else words.decode("utf-8", "replace")).strip("\x00 ")


_CODES = (b"UNICODE\x00", b"ASCII\x00\x00\x00")


def _gif(data: bytes) -> Iterator[str]:
    """The comments among the blocks of a GIF."""
    place = 13 + (3 << (data[10] & 7) + 1 if data[10] & 0x80 else 0)
    room = TEXT_LIMIT
    for _ in range(containers.PARTS_LIMIT):
        kind = data[place]
        if kind == 0x3B:  # the end
            return
        if kind == 0x2C:  # a picture: its own colours, the size of a code, its data
            flags = data[place + 9]
            place += 11 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
            place, _ = _blocks(data, place, 0)
        elif kind == 0x21:
            comment = data[place + 1] == 0xFE
            place, words = _blocks(data, place + 2, room if comment else 0)
            room -= len(words)
            if words:
                yield words.decode("utf-8", "replace")
        else:
            raise ValueError("no block")


def _blocks(data: bytes, place: int, room: int) -> tuple[int, bytes]:
    """The place after a chain of blocks, and their content where there is room for it."""
    parts: list[bytes] = []
    while length := data[place]:
        if room:
            parts.append(data[place + 1 : place + 1 + length])
            room -= length
            if room <= 0:
                raise MediaUnreadable(_MUCH)
        place += 1 + length
    return place + 1, b"".join(parts)


def _avif(data: bytes) -> bytes:
    """The Exif item of an AVIF (or HEIF) picture, b'' without one."""
    for kind, start, end in _boxes(data, 0, len(data)):
        if kind == b"meta":
            inside = {inner: (at, to) for inner, at, to in _boxes(data, start + 4, end)}
            item = _exif_item(data, *inside[b"iinf"]) if b"iinf" in inside else None
            if item is None or b"iloc" not in inside:
                return b""
            content = _located(data, item, *inside[b"iloc"])
            (skip,) = struct.unpack_from(">I", content) if len(content) >= 4 else (0,)
            return content[4 + skip :].removeprefix(b"Exif\x00\x00")
    return b""


def _boxes(data: bytes, place: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    for _ in range(containers.PARTS_LIMIT):
        if place + 8 > end:
            return
        length, kind = struct.unpack_from(">I4s", data, place)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, place + 8)
            head = 16
        stop = end if length == 0 else place + length
        if stop > end or stop < place + head:
            raise ValueError("a box is damaged")
        yield kind, place + head, stop
        place = stop


def _exif_item(data: bytes, start: int, end: int) -> int | None:
    """The number of the item of type Exif in an `iinf` box."""
    for kind, at, _ in _boxes(data, start + (6 if data[start] == 0 else 8), end):
        version = data[at]
        if kind == b"infe" and version in (2, 3):
            wide = 4 if version == 3 else 2
            if data[at + 4 + wide + 2 : at + 4 + wide + 6] == b"Exif":
                return int.from_bytes(data[at + 4 : at + 4 + wide], "big")
    return None


def _located(data: bytes, item: int, start: int, end: int) -> bytes:
    """The first extent of an item, as an `iloc` box tells it."""
    version = data[start]
    sizes = (data[start + 4] >> 4, data[start + 4] & 15, data[start + 5] >> 4, data[start + 5] & 15 if version else 0)
    offset, length, base, index = sizes
    wide = 4 if version == 2 else 2
    place = start + 6

    def number(size: int) -> int:
        nonlocal place
        place += size
        if place > end:
            raise ValueError("cut off")
        return int.from_bytes(data[place - size : place], "big")

    for _ in range(number(wide)):
        name, method, _, ground = number(wide), number(2) & 15 if version else 0, number(2), number(base)
        for extent in range(number(2)):
            number(index)
            at, size = ground + number(offset), number(length)
            if name == item and extent == 0 and method == 0:
                if size > TEXT_LIMIT:
                    raise MediaUnreadable(_MUCH)
                return data[at : at + size]
    return b""
