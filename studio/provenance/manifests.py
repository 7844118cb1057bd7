"""Files that can hold a signed manifest (C2PA 2.2), by their first bytes, and what of a manifest is safe to take apart.

Knows the library c2pa, which it opens offline; knows no record and no sentence. Where a manifest lies: C2PA 2.2, appendix A. PNG (W3C,
third edition), JPEG (ITU-T T.81), RIFF, ID3v2.4.0 (FLAC has its manifest in such a tag before its first byte), JUMBF (ISO 19566-5); of
others alone TIFF 6.0, GIF89a and the ISO base media file format (ISO 14496-12: AVIF, HEIC, MP4, M4A, MOV).
"""

from __future__ import annotations

import re
from typing import Any

FORMATS = {
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".wav": "audio/wav",
    ".flac": "audio/flac",
    ".mp3": "audio/mpeg",
}
SIGNED = tuple(FORMATS)
"""Suffixes of what is signed here."""
READ = (*SIGNED, ".jpeg", ".avif", ".heic", ".heif", ".tif", ".tiff", ".gif", ".mp4", ".m4v", ".m4a", ".mov")
"""Suffixes of what signatures are read in, whoever signed it."""
_BRANDS = {
    b"avif": "image/avif", b"avis": "image/avif", b"heic": "image/heic", b"heix": "image/heic", b"mif1": "image/heif",
    b"M4A ": "audio/mp4", b"qt  ": "video/quicktime",
}  # fmt: skip
"""Of files in the ISO base media file format, by their major brand; any other is a film."""
_MANIFEST = b"uuid\xd8\xfe\xc3\xd6\x1b\x0e\x48\x3c\x92\x97\x58\x28\x87\x7e\xc4\x81"
"""How the box begins, behind its length, that holds a manifest in such a file (C2PA 2.2, A.5)."""
SIZE_LIMIT = 1 << 30
BOXES = 400
"""Most JUMBF boxes (ISO 19566-5) in a file that is read: a manifest has about seven, and one for each thing it was made from."""
BYTES = 6_000_000
"""Most bytes that its manifests may take; others' hold small pictures of every step."""


def container(data: bytes) -> str:
    """The media type of a file that can be signed, by its first bytes; '' for any other."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"RIFF"):
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12], "")
    after = _tag(data)
    if data[after : after + 4] == b"fLaC":  # a signature stands before it, in an ID3 tag
        return "audio/flac"
    if after or (len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0):
        return "audio/mpeg"
    return ""


def readable(data: bytes) -> str:
    """The media type of a file that may hold a signature that is read here, by its first bytes; '' for any other."""
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "video/mp4")
    if data.startswith((b"II*\x00", b"MM\x00*")):
        return "image/tiff"
    return "image/gif" if data.startswith((b"GIF87a", b"GIF89a")) else container(data)


def boxes(data: bytes) -> int:
    """How many JUMBF boxes the file holds, packed manifests for a hundred each; 0 means that it carries no signature."""
    return data.count(b"jumd") + 100 * data.count(b"jumdc2cm")


def excessive(data: bytes) -> bool:
    """Whether taking the file's manifests apart could cost more than a few seconds or some hundred megabytes."""
    return len(data) > SIZE_LIMIT or boxes(data) > BOXES or _weight(data) > BYTES


def native() -> Any:
    """The library c2pa, whose objects are to be closed; 0.2 s when it is first asked for."""
    import c2pa  # pyright: ignore[reportMissingTypeStubs]

    return c2pa


def context(root: str = "") -> Any:
    """How manifests are read and written: offline, without pictures of pictures. `root`: certificates (PEM) to trust."""
    settings: dict[str, object] = {
        "version": 1,
        "core": {
            "allowed_network_hosts": [],
            "allow_redirects": False,
            "decode_identity_assertions": False,
            "max_decompressed_manifest_size_in_mb": 2,
        },
        "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
        "builder": {"thumbnail": {"enabled": False}},
    }
    return native().Context.from_dict(settings | ({"trust": {"user_anchors": root}} if root else {}))


def _tag(data: bytes) -> int:
    """Bytes of the ID3 tag that the file begins with, 0 where there is none (ID3v2.4 structure, 3.1)."""
    size = sum((byte & 0x7F) << shift for byte, shift in zip(data[6:10], (21, 14, 7, 0), strict=False))
    return 10 + size if data.startswith(b"ID3") else 0


def _weight(data: bytes) -> int:
    """Bytes of what holds manifests, as the file says it: PNG's caBX, JPEG's APP11, RIFF's C2PA, an ID3 tag with all that is in it, TIFF's
    tag 0xCD41, a box of the ISO format; all of a GIF."""
    kind = readable(data)
    if kind == "image/png":
        places = [place.start() - 4 for place in re.finditer(rb"caBX(?=.{4}jumb)", data, re.DOTALL)]
        return sum(int.from_bytes(data[place : place + 4], "big") for place in places)
    if kind == "image/jpeg":
        return sum(int.from_bytes(place[1], "big") for place in re.finditer(rb"\xff\xeb(..)JP", data, re.DOTALL))
    if kind in ("image/webp", "audio/wav"):
        return sum(int.from_bytes(place[1], "little") for place in re.finditer(rb"C2PA(.{4})(?=.{4}jumb)", data, re.DOTALL))
    if kind == "image/tiff":
        order = "little" if data.startswith(b"II") else "big"
        entry = rb"\x41\xcd[\x01\x07]\x00(.{4})" if order == "little" else rb"\xcd\x41\x00[\x01\x07](.{4})"
        return max((int.from_bytes(place[1], order) for place in re.finditer(entry, data, re.DOTALL)), default=0)
    if kind == "image/gif":
        return len(data) if boxes(data) else 0
    if data[4:8] == b"ftyp":
        return sum(
            int.from_bytes(data[max(0, place.start() - 4) : place.start()], "big") for place in re.finditer(re.escape(_MANIFEST), data)
        )
    return _tag(data) if boxes(data) else 0
