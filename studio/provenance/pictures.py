"""Pictures as files: pixels and record in, bytes out, and the record back from bytes of any origin.

Our own record is exact. Beside it stand the words that other programs read: A1111's `parameters` and IPTC's DigitalSourceType in XMP.
Knows no library and no disk layout; other programs' own formats beyond A1111's infotext are read in foreign/.
"""

from __future__ import annotations

import base64
import functools
import io
import os
import re
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import JsonValue

from studio.errors import MediaUnreadable
from studio.provenance import containers
from studio.provenance.containers import PNG_START, XMP_KEYWORD, Contents, png_chunk, png_text, png_utf8
from studio.provenance.infotext import infotext, read_parameters
from studio.provenance.record import Record, parse, to_json

__all__ = ["check", "encode_lossy", "encode_png", "infotext", "read_infotext", "read_parameters", "read_record"]

FILE_LIMIT = 100_000_000
KEYWORD = "atelier"
PARAMETERS = "parameters"
_LARGE = 4_000_000
"""Bytes of pixels above which a picture is packed in parts, by several threads."""

Pixels = NDArray[np.uint8]


def encode_png(pixels: Pixels, record: Record, icc: bytes | None = None) -> bytes:
    """A lossless PNG of `pixels`, (H, W) grey, (H, W, 3) or (H, W, 4) uint8, sRGB or as the profile `icc` says, that carries `record`.

    Written for speed (PNG filter "up", zlib level 1): a busy 512 px picture takes about 20 ms on one core.
    """
    shape = pixels.shape if pixels.ndim == 3 and pixels.shape[2] in (3, 4) else (*pixels.shape, 1)
    if pixels.dtype != np.uint8 or len(shape) != 3 or not pixels.size:
        raise ValueError(f"pixels must be (H, W), (H, W, 3) or (H, W, 4) uint8, not {pixels.shape} {pixels.dtype}")
    height, width, channels = shape
    colour = {1: 0, 3: 2, 4: 6}[channels]
    header = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes((8, colour, 0, 0, 0))
    parts = [
        PNG_START,
        png_chunk(b"IHDR", header),
        png_chunk(b"sRGB", b"\x00") if icc is None else png_chunk(b"iCCP", b"profile\x00\x00" + zlib.compress(icc)),
        png_text(PARAMETERS, infotext(record)),
        png_utf8(KEYWORD, to_json(record)),
        png_utf8(XMP_KEYWORD, _xmp(record)),
        png_chunk(b"IDAT", _packed(pixels)),
        png_chunk(b"IEND", b""),
    ]
    return b"".join(parts)


def encode_lossy(png: bytes, kind: Literal["webp", "jpeg"], quality: int = 90, record: Record | None = None) -> bytes:
    """A smaller copy of one of our PNG files for download, with `record` or else its own; `kind` is the format, `quality` 1 to 100.

    The record's `facts.copy` says that the pixels are no longer exact, and that JPEG put transparency on white. Where a record
    is too long for JPEG's 64 KB it goes without the engine's facts, then without `asked`; `facts.copy.left_out` names them.
    """
    picture = Image.open(io.BytesIO(png), formats=["PNG"])
    record = read_record(png) if record is None else record
    copy: dict[str, JsonValue] = {"format": kind, "quality": quality, "lossless": False}
    if kind == "jpeg" and picture.mode == "RGBA":
        ground = Image.new("RGBA", picture.size, "white")
        picture = Image.alpha_composite(ground, picture).convert("RGB")
        copy["transparency"] = "flattened onto white"
    found = io.BytesIO()
    options: dict[str, object] = {"subsampling": 0} if kind == "jpeg" else {"method": 4}
    if record is not None:
        options["xmp"] = _fitting_xmp(record, copy, 65_000 if kind == "jpeg" else containers.TEXT_LIMIT)
        options["exif"] = _exif(infotext(record))
    picture.save(found, kind, quality=quality, **options)
    return found.getvalue()


def check(data: bytes) -> None:
    """Raise unless `data` is a picture that opens and decodes to its last pixel; any record in it must be readable."""
    read_record(data)
    with Image.open(io.BytesIO(data), formats=["PNG", "JPEG", "WEBP"]) as picture:
        picture.load()


def read_record(data: bytes | Path) -> Record | None:
    """Our record in a PNG, JPEG or WebP file, or None where there is none. No pixel is decoded.

    Raises MediaUnreadable for what is no sound picture of these formats or holds a damaged record, InvalidInput for a newer one.
    """
    found = _contents(data)
    if KEYWORD in found.texts:
        return parse(found.texts[KEYWORD])
    inside = re.search(r"<atelier:Record>([A-Za-z0-9+/=\s]+)</atelier:Record>", found.xmp)
    if inside is None:
        return None
    try:
        packed = zlib.decompressobj().decompress(base64.b64decode(inside[1]), containers.TEXT_LIMIT + 1)
    except (ValueError, zlib.error):
        raise MediaUnreadable("The settings in this picture are damaged and were not read: set the fields by hand.") from None
    return parse(packed)


def read_infotext(data: bytes | Path) -> str:
    """A1111's `parameters` text in a PNG, JPEG or WebP file (for `read_parameters`), or ''. Raises as `read_record` does."""
    found = _contents(data)
    return found.texts.get(PARAMETERS, "") or containers.comment_words(containers.user_comment(found.exif))


_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:atelier="urn:atelier:1:">
<Iptc4xmpExt:DigitalSourceType>{source}</Iptc4xmpExt:DigitalSourceType><xmp:CreatorTool>{tool}</xmp:CreatorTool>{more}
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""


def _packed(pixels: Pixels) -> bytes:
    """PNG's image data. Run lengths are faster and suit noise and photographs; matches suit flat art. A band of rows decides."""
    height, width = pixels.shape[:2]
    channels = pixels.size // (height * width)
    flat = pixels.reshape(height, width * channels)
    rows = np.empty((height, 1 + width * channels), np.uint8)
    rows[:, 0] = 2  # filter "up" (PNG 9.2): the difference from the row above
    rows[0, 1:] = flat[0]
    np.subtract(flat[1:], flat[:-1], out=rows[1:, 1:])
    band = rows[height // 2 : height // 2 + 16].tobytes()
    runs = len(_deflated(band, zlib.Z_RLE)) <= 1.02 * len(_deflated(band, zlib.Z_DEFAULT_STRATEGY))
    strategy = zlib.Z_RLE if runs else zlib.Z_DEFAULT_STRATEGY
    return _deflated(rows.tobytes(), strategy) if rows.size < _LARGE else _deflated_in_parts(rows, strategy)


def _deflated(data: bytes, strategy: int) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS, 9, strategy)
    return packer.compress(data) + packer.flush()


def _deflated_in_parts(rows: Pixels, strategy: int) -> bytes:
    """The same data as one zlib stream (RFC 1950) whose parts were packed by several threads: each ends at a byte, the last ends all."""
    parts = [part.tobytes() for part in np.array_split(rows, min(-(-rows.size // _LARGE), len(rows)))]

    def packed(number: int) -> bytes:
        packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS, 9, strategy)
        return packer.compress(parts[number]) + packer.flush(zlib.Z_FINISH if number == len(parts) - 1 else zlib.Z_FULL_FLUSH)

    with ThreadPoolExecutor(min(len(parts), os.cpu_count() or 1)) as pool:
        streams = list(pool.map(packed, range(len(parts))))
    sums = functools.reduce(lambda total, part: zlib.adler32(part, total), parts, 1)
    return b"".join((b"\x78\x01", *streams, sums.to_bytes(4, "big")))


def _contents(data: bytes | Path) -> Contents:
    if isinstance(data, Path):
        try:
            if not data.is_file() or data.stat().st_size > FILE_LIMIT:
                raise MediaUnreadable("This is no picture file, or one of more than 100 MB: use a PNG, JPEG or WebP file.")
            data = data.read_bytes()
        except OSError:
            raise MediaUnreadable("This picture file cannot be opened: choose it again.") from None
    return containers.read(data, (KEYWORD, PARAMETERS))


def _xmp(record: Record, more: str = "") -> str:
    escaped = {name: re.sub("[<>&]", " ", value) for name, value in (("source", record.digital_source_type), ("tool", record.made_by))}
    return _XMP.format(**escaped, more=more)


def _fitting_xmp(record: Record, copy: Mapping[str, JsonValue], room: int) -> bytes:
    """XMP with the whole record, or with what of it fits `room` bytes."""
    left_out: list[JsonValue] = []
    facts = dict(record.facts)
    for drop in ("", "facts", "asked"):
        if drop:
            left_out.append(drop)
        if drop == "facts":
            facts = {}
        if drop == "asked":
            record = record.model_copy(update={"asked": {}})
        said = dict(copy) | ({"left_out": left_out} if left_out else {})
        text = to_json(record.model_copy(update={"facts": facts | {"copy": said}}))
        packet = _xmp(record, f"<atelier:Record>{base64.b64encode(zlib.compress(text.encode(), 9)).decode()}</atelier:Record>").encode()
        if len(packet) <= room:
            return packet
    return _xmp(record).encode()


def _exif(comment: str) -> bytes:
    """Exif with `comment` as UserComment (Exif 2.32, tag 0x9286, character code UNICODE), which A1111 and its kin read; b'' if too long."""
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0x9286] = b"UNICODE\x00" + comment.encode("utf-16-be", "replace")
    data = exif.tobytes()
    return data if len(data) < 65_000 else b""
