"""The parts of a sound file that are not samples: title, comment and the like.

Writes the tags that libsndfile cannot (ID3v2.4 in UTF-8 for MP3, a LIST INFO chunk of any length for WAV) and reads comments from FLAC,
Ogg (Vorbis, Opus), WAV and MP3 without decoding a sample, so that a hostile file costs next to nothing: lengths are checked before use
and text is read up to a limit. Knows no record and no samples. Formats: FLAC (RFC 9639), Ogg (RFC 3533), Vorbis I section 5,
OpusTags (RFC 7845), RIFF (Multimedia Programming Interface 1.0), ID3v2.3 and ID3v2.4.0 (id3.org).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from studio.errors import MediaUnreadable

TEXT_LIMIT = (1 << 20) + 4096
PARTS_LIMIT = 10_000
COMMENTS = frozenset((b"COMMENT", b"DESCRIPTION"))
SETTINGS = COMMENTS | {b"PROMPT", b"WORKFLOW"}
"""Names of tags that hold settings; the last two are ComfyUI's."""

SOURCE = "DIGITALSOURCETYPE"
"""The name of the tag that holds IPTC's DigitalSourceType, where a format has names of one's own."""

_DAMAGED = "This sound file is damaged or cut off: use another copy of it."
_TOO_MUCH = "This sound file carries more than 1 MB of text and was not read: save it again without its tags."


@dataclass(frozen=True)
class Tags:
    """What players show. An empty field is left out; `date` is a year or YYYY-MM-DD.

    `source` is IPTC's DigitalSourceType, an address that says what made it; players do not show it.
    """

    title: str = ""
    artist: str = "Atelier"
    comment: str = ""
    software: str = ""
    date: str = ""
    source: str = ""

    def clean(self) -> dict[str, str]:
        """The fields that hold something, as text that UTF-8 and a C string can hold."""
        named = {name: getattr(self, name) for name in ("title", "artist", "software", "date", "comment")}
        return {name: text.replace("\x00", "").encode("utf-8", "replace").decode() for name, text in named.items() if text}


def with_id3(mp3: bytes, tags: Tags) -> bytes:
    """An MP3 stream with an ID3v2.4 tag before it."""
    body = _source_frame(tags)
    for name, text in tags.clean().items():
        content = b"\x03eng\x00" + text.encode() if name == "comment" else b"\x03" + text.encode()
        body += _frame(_ID3[name], content)
    return _id3_tag(body) + mp3


def with_info(wav: bytes, tags: Tags) -> bytes:
    """A RIFF WAVE file with a LIST INFO chunk after its samples, in UTF-8."""
    body = b"INFO"
    for name, text in tags.clean().items():
        content = text.encode() + b"\x00"
        body += _INFO[name] + struct.pack("<I", len(content)) + content + b"\x00" * (len(content) % 2)
    whole = wav + b"\x00" * (len(wav) % 2) + b"LIST" + struct.pack("<I", len(body)) + body
    if tags.source:
        tag = _id3_tag(_source_frame(tags))
        whole += b"id3 " + struct.pack("<I", len(tag)) + tag + b"\x00" * (len(tag) % 2)
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


def with_source(flac: bytes, tags: Tags) -> bytes:
    """A FLAC file whose Vorbis comments say the source type too; its samples and its other comments stay as they are."""
    more = [f"{SOURCE}={tags.source}".encode(), b"AI_GENERATED=true"] if tags.source else []
    place = 4
    while more:
        kind, length = flac[place] & 0x7F, int.from_bytes(flac[place + 1 : place + 4], "big")
        block = flac[place + 4 : place + 4 + length]
        if kind == 4:
            (vendor,) = struct.unpack_from("<I", block)
            (count,) = struct.unpack_from("<I", block, 4 + vendor)
            added = b"".join(struct.pack("<I", len(entry)) + entry for entry in more)
            block = block[: 4 + vendor] + struct.pack("<I", count + len(more)) + block[8 + vendor :] + added
            return flac[: place + 1] + len(block).to_bytes(3, "big") + block + flac[place + 4 + length :]
        if flac[place] & 0x80:
            break
        place += 4 + length
    return flac


def comments(file: BinaryIO, names: Collection[bytes] = COMMENTS) -> list[str]:
    """Every comment in a FLAC, Ogg, WAV or MP3 file that is open at its beginning. [] where the format or the file has none.

    `names` are those of Vorbis comments, in capitals, and of an MP3's own texts (TXXX).

    Raises MediaUnreadable for a file of another format, one that is cut off before its tags end, or a comment of more than 1 MB.
    """
    try:
        start = file.read(12)
        if start[:4] == b"fLaC":
            file.seek(4)
            return list(_flac(file, names))
        if start[:4] == b"OggS":
            return list(_ogg(file, names))
        if start[:4] in (b"RIFF", b"RF64") and start[8:] == b"WAVE":
            return list(_wav(file, names))
        if start[:3] == b"ID3":
            file.seek(10 + _whole(start[6:10]))
            if file.read(4) == b"fLaC":  # a signature stands before it (C2PA)
                return list(_flac(file, names))
            return list(_id3(file, start, names))
        if len(start) > 1 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0:
            return []
    except (struct.error, IndexError, ValueError):
        raise MediaUnreadable(_DAMAGED) from None
    raise MediaUnreadable("This is no sound that can be read here: use a WAV, FLAC, OGG, MP3 or Opus file.")


def cut_off(file: BinaryIO) -> bool:
    """Whether a RIFF WAVE file promises more samples than it has; False for other files. Programs that write into a pipe promise
    nothing (0 or the most that 31 or 32 bits can say): that is no lie."""
    size = file.seek(0, 2)
    file.seek(0)
    start = file.read(12)
    if start[:4] != b"RIFF" or start[8:] != b"WAVE":
        return False
    for _ in range(PARTS_LIMIT):
        head = file.read(8)
        if len(head) < 8:
            return True
        kind, length = struct.unpack("<4sI", head)
        if kind == b"data":
            return length not in _UNTOLD and file.tell() + length > size
        file.seek(length + (length & 1), 1)
    return True


_UNTOLD = frozenset((0, 0xFFFFFFFF, 0xFFFFFFFE, 0x7FFFFFFF))
_ID3 = {"title": b"TIT2", "artist": b"TPE1", "software": b"TSSE", "date": b"TDRC", "comment": b"COMM"}
_INFO = {"title": b"INAM", "artist": b"IART", "software": b"ISFT", "date": b"ICRD", "comment": b"ICMT"}


def _id3_tag(body: bytes) -> bytes:
    return b"ID3\x04\x00\x00" + _synchsafe(len(body)) + body


def _frame(name: bytes, content: bytes) -> bytes:
    return name + _synchsafe(len(content)) + b"\x00\x00" + content


def _source_frame(tags: Tags) -> bytes:
    """The source type as a text of one's own (ID3v2.4 frames, 4.2.6)."""
    return _frame(b"TXXX", b"\x03" + f"{SOURCE}\x00{tags.source}".encode()) if tags.source else b""


def _synchsafe(number: int) -> bytes:
    """28 bits in four bytes of seven (ID3v2.4 structure, 6.2)."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _whole(seven: bytes) -> int:
    return seven[0] << 21 | seven[1] << 14 | seven[2] << 7 | seven[3]


def _exactly(file: BinaryIO, length: int) -> bytes:
    """That many bytes; more than a comment may have are refused before they are read."""
    if length > TEXT_LIMIT:
        raise MediaUnreadable(_TOO_MUCH)
    data = file.read(length)
    if len(data) != length:
        raise ValueError("cut off")
    return data


def _flac(file: BinaryIO, names: Collection[bytes]) -> Iterator[str]:
    """From where the file stands, behind its first four bytes."""
    for _ in range(PARTS_LIMIT):
        head = _exactly(file, 4)
        length = int.from_bytes(head[1:], "big")
        if head[0] & 0x7F == 4:
            yield from _vorbis_comments(_exactly(file, length), names)
        else:
            file.seek(length, 1)
        if head[0] & 0x80:
            return


def _vorbis_comments(data: bytes, names: Collection[bytes]) -> Iterator[str]:
    """From a vendor, a count and that many NAME=text, each with its length before it."""
    (vendor,) = struct.unpack_from("<I", data)
    (count,) = struct.unpack_from("<I", data, 4 + vendor)
    place = 8 + vendor
    for _ in range(min(count, PARTS_LIMIT)):
        (length,) = struct.unpack_from("<I", data, place)
        name, _, text = data[place + 4 : place + 4 + length].partition(b"=")
        place += 4 + length
        if place > len(data):
            raise ValueError("cut off")
        if name.upper() in names:
            yield text.decode("utf-8", "replace")


def _ogg(file: BinaryIO, names: Collection[bytes]) -> Iterator[str]:
    """Its second packet, put together from as many pages as it needs."""
    file.seek(0)
    packets, parts, size = 0, list[bytes](), 0
    for _ in range(PARTS_LIMIT):
        head = _exactly(file, 27)
        if head[:4] != b"OggS":
            raise ValueError("no page")
        for lace in _exactly(file, head[26]):
            part = _exactly(file, lace)
            if packets == 1:
                parts.append(part)
                size += lace
            if size > TEXT_LIMIT:
                raise MediaUnreadable(_TOO_MUCH)
            if lace < 255:
                packets += 1
            if packets == 2:
                packet = b"".join(parts)
                start = next((len(mark) for mark in (b"\x03vorbis", b"OpusTags") if packet.startswith(mark)), 0)
                if start:
                    yield from _vorbis_comments(packet[start:], names)
                return


def _wav(file: BinaryIO, names: Collection[bytes]) -> Iterator[str]:
    for _ in range(PARTS_LIMIT):
        head = file.read(8)
        if len(head) < 8:
            return
        kind, length = struct.unpack("<4sI", head)
        if kind == b"LIST" and length >= 4:
            form = _exactly(file, 4)
            if form == b"INFO":
                yield from _info(_exactly(file, length - 4))
                file.seek(length & 1, 1)
                continue
            length -= 4
        elif kind == b"id3 " and names is not COMMENTS and length > 10:
            tag = _exactly(file, length)
            yield from _id3(io.BytesIO(tag), tag[:12], names)
            length &= 1
        file.seek(length + (length & 1), 1)


def _info(data: bytes) -> Iterator[str]:
    place = 0
    while place + 8 <= len(data):
        kind, length = struct.unpack_from("<4sI", data, place)
        if kind == b"ICMT":
            yield data[place + 8 : place + 8 + length].rstrip(b"\x00").decode("utf-8", "replace")
        place += 8 + length + (length & 1)


def _id3(file: BinaryIO, start: bytes, names: Collection[bytes]) -> Iterator[str]:
    version, flags, length = start[3], start[5], _whole(start[6:10])
    file.seek(10)
    if version not in (3, 4) or flags & 0xC0:  # unsynchronised or extended tags are none that we write
        return
    left = length
    while left > 10:
        head = _exactly(file, 10)
        size = _whole(head[4:8]) if version == 4 else int.from_bytes(head[4:8], "big")
        left -= 10 + size
        if not head[0] or left < 0:
            return
        if head[:4] == b"COMM":
            yield _id3_words(_exactly(file, size), 4)[1]
        elif head[:4] == b"TXXX" and names is not COMMENTS:
            name, words = _id3_words(_exactly(file, size), 1)
            if name.upper().encode() in names:
                yield words
        else:
            file.seek(size, 1)


def _id3_words(content: bytes, start: int) -> tuple[str, str]:
    """The short description and the text of a COMM (after its language) or TXXX frame."""
    coding = ("latin-1", "utf-16", "utf-16-be", "utf-8")[content[0]]
    name, _, words = content[start:].decode(coding, "replace").partition("\x00")
    return name, words.lstrip("\ufeff").rstrip("\x00")
