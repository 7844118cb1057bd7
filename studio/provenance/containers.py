"""The parts of a PNG, JPEG or WebP file that are not pixels: its size and the text that programs leave in it.

Reads headers and text only, so that a hostile file costs next to nothing: no pixel is decoded, lengths are checked before use, text
is unpacked up to a limit. Knows no record and no settings. Formats: PNG (W3C, third edition), JPEG (ITU-T T.81, Exif 2.32,
XMP part 3), WebP (RFC 9649).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from studio.errors import MediaUnreadable

MAX_PIXELS = 16_777_216
TEXT_LIMIT = 1 << 20
PARTS_LIMIT = 100_000
XMP_KEYWORD = "XML:com.adobe.xmp"

PNG_START = b"\x89PNG\r\n\x1a\n"
_XMP_START = b"http://ns.adobe.com/xap/1.0/\x00"
_NO_SIZE = frozenset((0xC4, 0xC8, 0xCC))  # JPEG markers among C0..CF that start no frame


@dataclass(frozen=True)
class Contents:
    """Size in pixels and the text found. `texts` are PNG's by keyword; `xmp` and `exif` (TIFF bytes) are any format's."""

    format: Literal["png", "jpeg", "webp"]
    width: int
    height: int
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    xmp: str = ""
    exif: bytes = b""


def read(data: bytes, keywords: tuple[str, ...], most: int = MAX_PIXELS) -> Contents:
    """What the file says beside its pixels; of PNG texts only `keywords`.

    Raises MediaUnreadable for another format, a damaged or cut-off file, more than `most` pixels, or text over 1 MB.
    """
    try:
        if data.startswith(PNG_START):
            found = _png(data, (*keywords, XMP_KEYWORD), most)
        elif data.startswith(b"\xff\xd8\xff"):
            found = _jpeg(data)
        elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            found = _webp(data)
        else:
            raise MediaUnreadable("This is no picture that can be read here: use a PNG, JPEG or WebP file.")
    except (struct.error, IndexError, zlib.error, ValueError):
        raise MediaUnreadable("This picture is damaged or cut off: use another copy of it.") from None
    if not 0 < found.width * found.height <= most:
        raise MediaUnreadable("This picture is larger than 16 megapixels or has no pixels: use a smaller copy of it.")
    return found


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """One chunk of a PNG file: length, kind, content, CRC-32."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(content, zlib.crc32(kind)))


def png_text(keyword: str, text: str) -> bytes:
    """Text as a chunk: tEXt where Latin-1 can hold it, so that the oldest readers find it, else iTXt (UTF-8)."""
    text = text.replace("\x00", "")
    try:
        return png_chunk(b"tEXt", keyword.encode("latin-1") + b"\x00" + text.encode("latin-1"))
    except UnicodeEncodeError:
        return png_utf8(keyword, text)


def png_utf8(keyword: str, text: str) -> bytes:
    """Text as an uncompressed iTXt chunk."""
    return png_chunk(b"iTXt", keyword.encode("latin-1") + b"\x00\x00\x00\x00\x00" + text.encode("utf-8", "replace"))


def user_comment(exif: bytes) -> bytes:
    """Exif's UserComment (tag 0x9286 of the IFD that tag 0x8769 points to), its 8-byte character code first; b'' if there is none."""
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return b""
    try:
        (main,) = struct.unpack_from(f"{order}I", exif, 4)
        _, inner = _tag(exif, order, main, 0x8769)
        length, place = _tag(exif, order, inner, 0x9286)
    except (struct.error, LookupError):
        return b""
    return exif[place : place + length]


def comment_words(comment: bytes) -> str:
    """A UserComment as text, by its character code; '' for a code that is not known."""
    code, words = comment[:8], comment[8:]
    if code == b"UNICODE\x00":
        little = words[1:2] == b"\x00"  # programs disagree on the order; settings begin with a Latin letter more often than not
        return words.decode("utf-16-le" if little else "utf-16-be", "replace")
    return words.decode("utf-8", "replace") if code in (b"ASCII\x00\x00\x00", bytes(8)) else ""


def _tag(exif: bytes, order: str, directory: int, wanted: int) -> tuple[int, int]:
    """Length and value (or its place) of a tag in an image file directory (TIFF 6.0, section 2)."""
    (entries,) = struct.unpack_from(f"{order}H", exif, directory)
    for number in range(entries):
        tag, _, length, value = struct.unpack_from(f"{order}HHII", exif, directory + 2 + 12 * number)
        if tag == wanted:
            return length, value
    raise LookupError


def _png(data: bytes, keywords: tuple[str, ...], most: int) -> Contents:
    width = height = 0
    exif, texts = b"", dict[str, str]()
    for kind, content in _png_chunks(data):
        if kind == b"IHDR":
            width, height = struct.unpack(">II", content[:8])
            if not 0 < width * height <= most:
                break
        elif kind == b"eXIf":
            exif = content
        elif kind in (b"tEXt", b"zTXt", b"iTXt", b"comf"):
            keyword = content[:80].split(b"\x00", 1)[0].decode("latin-1")
            if keyword in keywords and keyword not in texts:
                texts[keyword] = _png_words(kind, content[len(keyword) + 1 :])
    return Contents("png", width, height, texts, texts.pop(XMP_KEYWORD, ""), exif)


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(PNG_START)
    for _ in range(PARTS_LIMIT):
        length, kind = struct.unpack_from(">I4s", data, place)
        content = data[place + 8 : place + 8 + length]
        (check,) = struct.unpack_from(">I", data, place + 8 + length)
        if check != zlib.crc32(content, zlib.crc32(kind)):
            raise ValueError("a chunk is damaged")
        if kind == b"IEND":
            return
        yield kind, content
        place += 12 + length
    raise ValueError("too many chunks")


def _png_words(kind: bytes, content: bytes) -> str:
    if kind in (b"tEXt", b"comf"):  # comf: what ComfyUI writes into animated files, with the same layout
        return _short(content).decode("latin-1")
    if kind == b"zTXt":
        return _unpacked(content[1:]).decode("latin-1")
    packed, content = content[0], content[2:]
    _language, _translated, content = content.split(b"\x00", 2)
    return (_unpacked(content) if packed else _short(content)).decode("utf-8", "replace")


def _jpeg(data: bytes) -> Contents:
    width = height = 0
    xmp, exif, place = "", b"", 2
    while True:
        while data[place] == 0xFF and data[place + 1] == 0xFF:  # fill bytes
            place += 1
        start, marker, length = struct.unpack_from(">BBH", data, place)
        content = data[place + 4 : place + 2 + length]
        if start != 0xFF or length < 2 or len(content) != length - 2:
            raise ValueError("a segment is damaged")
        if 0xC0 <= marker <= 0xCF and marker not in _NO_SIZE:
            height, width = struct.unpack_from(">HH", content, 1)
        elif marker == 0xE1 and content.startswith(b"Exif\x00\x00"):
            exif = exif or content[6:]
        elif marker == 0xE1 and content.startswith(_XMP_START):
            xmp = xmp or content[len(_XMP_START) :].decode("utf-8", "replace")
        elif marker == 0xDA:  # the pixels
            break
        place += 2 + length
    if data.rfind(b"\xff\xd9") < place:
        raise ValueError("the end is missing")
    return Contents("jpeg", width, height, {}, xmp, exif)


def _webp(data: bytes) -> Contents:
    width = height = 0
    xmp, exif, place = "", b"", 12
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise ValueError("the end is missing")
    for _ in range(PARTS_LIMIT):
        if place > size:
            break
        kind, length = struct.unpack_from("<4sI", data, place)
        content = data[place + 8 : place + 8 + length]
        if len(content) != length:
            raise ValueError("a chunk is cut off")
        if kind == b"VP8X":
            width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (4, 7))
        elif kind == b"VP8 " and not width:
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", content, 6))
        elif kind == b"VP8L" and not width:
            (bits,) = struct.unpack_from("<I", content, 1)
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        elif kind == b"EXIF":
            exif = content.removeprefix(b"Exif\x00\x00")
        elif kind == b"XMP ":
            xmp = _short(content).decode("utf-8", "replace")
        place += 8 + length + (length & 1)
    return Contents("webp", width, height, {}, xmp, exif)


def _unpacked(content: bytes) -> bytes:
    return _short(zlib.decompressobj().decompress(content, TEXT_LIMIT + 1))


def _short(content: bytes) -> bytes:
    if len(content) > TEXT_LIMIT:
        raise MediaUnreadable("This picture carries more than 1 MB of text and was not read: save it again without its metadata.")
    return content
