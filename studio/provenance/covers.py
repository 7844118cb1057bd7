"""The picture of a sound file, which players show as its cover: put into every format of a download, and found again in FLAC.

Knows no record and no samples: what it puts in leaves both as they are. Formats: the PICTURE block of FLAC (RFC 9639, 8.8), also as the
comment METADATA_BLOCK_PICTURE of Vorbis and Opus (xiph.org; RFC 7845, 5.2), and the frame APIC of ID3v2.4 (id3.org), in WAV in a chunk.
"""

from __future__ import annotations

import base64
import io
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from studio.errors import InvalidInput, MediaUnreadable

SIDE = 600
"""Pixels of the longer side, at most: what players ask for."""
FORMATS = ("flac", "mp3", "ogg", "opus", "wav16", "wav24")
"""Of a download: those that carry the picture."""
SIZE_LIMIT = 1 << 20
"""Bytes of a picture in a file."""
_FRONT = 3
"""The front cover, in all of these formats."""
_MIME = b"image/jpeg"
_MIRRORED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_CONTINUED = 1


def prepared(file: Path) -> bytes:
    """The picture in a file of any origin as a JPEG of at most `SIDE` pixels, without metadata but its colour profile.

    Raises InvalidInput or MediaUnreadable with the field `artwork`.
    """
    from PIL import Image

    from studio.inpaint.read import read_picture  # brings an image library, which the first page does without

    try:
        source = read_picture(file)
    except (InvalidInput, MediaUnreadable) as error:
        raise type(error)(str(error), "artwork") from None
    image = Image.fromarray(source.pixels)
    if image.mode == "RGBA":
        ground = Image.new("RGBA", image.size, "white")
        ground.alpha_composite(image)
        image = ground
    image = image.convert("L" if image.mode == "L" else "RGB")
    image.thumbnail((SIDE, SIDE))
    made = io.BytesIO()
    image.save(made, "JPEG", quality=88, icc_profile=source.icc)
    return made.getvalue()


def covered(data: bytes, kind: str, jpeg: bytes) -> bytes:
    """A sound file of one of `FORMATS` with a picture; other formats as they are."""
    if kind == "flac":
        return _with_block(data, jpeg)
    if kind in ("wav16", "wav24"):
        return _with_chunk(data, jpeg)
    if kind == "mp3":
        return _with_frame(data, jpeg)
    return _with_comment(data, jpeg) if kind in ("ogg", "opus") else data


def picture_in(file: Path) -> bytes | None:
    """The JPEG in a FLAC file, whether a signature stands before it or not; None where there is none that is sound."""
    try:
        with file.open("rb") as opened:
            if opened.read(3) == b"ID3":
                opened.seek(6)
                opened.seek(10 + _whole(opened.read(4)))
            else:
                opened.seek(0)
            if opened.read(4) != b"fLaC":
                return None
            while True:
                head = opened.read(4)
                length = int.from_bytes(head[1:], "big")
                if len(head) < 4 or (head[0] & 0x7F == 6 and length > SIZE_LIMIT):
                    return None
                if head[0] & 0x7F == 6:
                    return _jpeg_of(opened.read(length))
                opened.seek(length, 1)
                if head[0] & 0x80:
                    return None
    except (OSError, struct.error, IndexError):
        return None


def _block(jpeg: bytes) -> bytes:
    """Kind, media type, description, width, height, depth, colours (0: look into the picture), data."""
    return (
        struct.pack(">II", _FRONT, len(_MIME)) + _MIME + struct.pack(">I", 0)
        + struct.pack(">IIII", 0, 0, 24, 0) + struct.pack(">I", len(jpeg)) + jpeg
    )  # fmt: skip


def _jpeg_of(block: bytes) -> bytes | None:
    (mime,) = struct.unpack_from(">I", block, 4)
    (words,) = struct.unpack_from(">I", block, 8 + mime)
    (size,) = struct.unpack_from(">I", block, 28 + mime + words)
    jpeg = block[32 + mime + words : 32 + mime + words + size]
    return jpeg if block[8 : 8 + mime] == _MIME and len(jpeg) == size and jpeg[:2] == b"\xff\xd8" else None


def _with_block(flac: bytes, jpeg: bytes) -> bytes:
    """After the first block of metadata, which must stay the first."""
    first = 8 + int.from_bytes(flac[5:8], "big")
    block = _block(jpeg)
    last = flac[4] & 0x80
    return flac[:4] + bytes([flac[4] & 0x7F]) + flac[5:first] + bytes([6 | last]) + len(block).to_bytes(3, "big") + block + flac[first:]


def _with_chunk(wav: bytes, jpeg: bytes) -> bytes:
    """In the ID3v2.4 tag of the chunk "id3 ", which comes last where there is none yet."""
    place, kept, tag = 12, wav[:12], b""
    while place + 8 <= len(wav):
        (length,) = struct.unpack_from("<I", wav, place + 4)
        end = place + 8 + length + length % 2
        if wav[place : place + 4] == b"id3 ":
            tag = wav[place + 8 : place + 8 + length]
        else:
            kept += wav[place:end]
        place = end
    tag = _with_frame(tag, jpeg)
    kept += b"\x00" * (len(kept) % 2) + b"id3 " + struct.pack("<I", len(tag)) + tag + b"\x00" * (len(tag) % 2)
    return kept[:4] + struct.pack("<I", len(kept) - 8) + kept[8:]


def _with_frame(mp3: bytes, jpeg: bytes) -> bytes:
    """In the ID3v2.4 tag before the sound, which is made where there is none."""
    content = b"\x00" + _MIME + b"\x00" + bytes([_FRONT]) + b"\x00" + jpeg
    frame = b"APIC" + _seven(len(content)) + b"\x00\x00" + content
    if mp3[:3] != b"ID3":
        return b"ID3\x04\x00\x00" + _seven(len(frame)) + frame + mp3
    length = _whole(mp3[6:10])
    return mp3[:6] + _seven(length + len(frame)) + mp3[10 : 10 + length] + frame + mp3[10 + length :]


def _with_comment(ogg: bytes, jpeg: bytes) -> bytes:
    """One more comment of Vorbis or Opus: its packet grows, so the pages of the headers are laid anew and those of the sound counted on."""
    pages = list(_pages(ogg))
    packets, headers = _packets(pages, 3)
    opus = len(packets) > 1 and packets[1].startswith(b"OpusTags")
    if opus:
        packets, headers = _packets(pages, 2)
    elif len(packets) < 3 or not packets[1].startswith(b"\x03vorbis"):
        return ogg
    comment = packets[1]
    counted = (8 if opus else 7) + 4 + struct.unpack_from("<I", comment, 8 if opus else 7)[0]
    (count,) = struct.unpack_from("<I", comment, counted)
    end = counted + 4
    for _ in range(count):
        end += 4 + struct.unpack_from("<I", comment, end)[0]
    entry = b"METADATA_BLOCK_PICTURE=" + base64.b64encode(_block(jpeg))
    entry = struct.pack("<I", len(entry)) + entry
    packets[1] = comment[:counted] + struct.pack("<I", count + 1) + comment[counted + 4 : end] + entry + comment[end:]
    serial = pages[0][0][14:18]
    laid = [_page(pages[0][0], pages[0][1], pages[0][2], 0)]
    laid += _laid(packets[1:], serial, 1)
    for number, (head, laces, content) in enumerate(pages[headers:], len(laid)):
        laid.append(_page(head, laces, content, number))
    return b"".join(laid)


def _pages(ogg: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Each page as its head of 27 bytes, its laces, its content (RFC 3533)."""
    place = 0
    while ogg[place : place + 4] == b"OggS":
        head = ogg[place : place + 27]
        laces = ogg[place + 27 : place + 27 + head[26]]
        end = place + 27 + head[26] + sum(laces)
        yield head, laces, ogg[place + 27 + head[26] : end]
        place = end


def _packets(pages: list[tuple[bytes, bytes, bytes]], count: int) -> tuple[list[bytes], int]:
    """The first packets, and how many pages they take: in Vorbis the headers end with their page."""
    found, part = list[bytes](), b""
    for number, (_, laces, content) in enumerate(pages, 1):
        place = 0
        for lace in laces:
            part += content[place : place + lace]
            place += lace
            if lace < 255:
                found.append(part)
                part = b""
        if len(found) >= count:
            return found, number
    return found, len(pages)


def _laid(packets: list[bytes], serial: bytes, first: int) -> list[bytes]:
    """Packets on pages of at most 255 laces."""
    laces, content = list[int](), b"".join(packets)
    for packet in packets:
        laces += [255] * (len(packet) // 255) + [len(packet) % 255]
    made, place, continued = list[bytes](), 0, False
    for at in range(0, len(laces), 255):
        some = bytes(laces[at : at + 255])
        ends = any(lace < 255 for lace in some)
        head = b"OggS\x00" + bytes([_CONTINUED if continued else 0]) + struct.pack("<q", 0 if ends else -1) + serial
        made.append(_page(head + bytes(9), some, content[place : place + sum(some)], first + len(made)))
        place, continued = place + sum(some), some[-1] == 255
    return made


def _page(head: bytes, laces: bytes, content: bytes, number: int) -> bytes:
    """A page with its number and checksum."""
    start, rest = head[:18] + struct.pack("<I", number), bytes([len(laces)]) + laces + content
    return start + struct.pack("<I", _checksum(start + bytes(4) + rest)) + rest


def _checksum(page: bytes) -> int:
    """Ogg's CRC-32 (RFC 3533, 6): the usual polynomial, from zero, and the highest bit first, so that zlib is given mirrored bytes."""
    mirrored = zlib.crc32(page.translate(_MIRRORED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")


def _seven(number: int) -> bytes:
    """28 bits in four bytes of seven."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))


def _whole(seven: bytes) -> int:
    return seven[0] << 21 | seven[1] << 14 | seven[2] << 7 | seven[3]
