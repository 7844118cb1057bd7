"""A packed file (.docx, .epub) whose sizes are checked before anything is unpacked, and the XML in it, without entities.

Knows no format of documents. Nothing is ever written to the disk, so names in it with paths lead nowhere.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Mapping
from xml.parsers import expat

from studio.writing.reading_blocks import Unreadable

MOST_MEMBERS = 10_000
MEMBER_LIMIT = 64 << 20
"""Bytes of one file in it, unpacked."""
TOTAL_LIMIT = 256 << 20
RATIO_LIMIT = 200
"""How much smaller than itself a file of more than a megabyte may be packed; text in XML comes to 50 at most."""
DEPTH_LIMIT = 1_000


class Packed:
    """The files of a packed file. Raises Unreadable for one that is damaged, locked or a bomb."""

    def __init__(self, data: bytes) -> None:
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, UnicodeDecodeError):
            raise Unreadable("damaged") from None
        members = [member for member in self._archive.infolist() if not member.is_dir()]
        if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > TOTAL_LIMIT:
            raise Unreadable("bomb")
        if sum(member.compress_size for member in members) > len(data):  # they lie over one another
            raise Unreadable("bomb")
        for member in members:
            packed = member.file_size > 1 << 20 and member.file_size > RATIO_LIMIT * max(1, member.compress_size)
            if member.file_size > MEMBER_LIMIT or packed:
                raise Unreadable("bomb")
        if any(member.flag_bits & 1 for member in members):
            raise Unreadable("encrypted")
        if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
            raise Unreadable("damaged")
        self.names = frozenset(member.filename for member in members)

    def read(self, name: str) -> bytes:
        """One file, or nothing where there is none of that name."""
        if name not in self.names:
            return b""
        try:
            with self._archive.open(name) as member:
                return member.read(MEMBER_LIMIT + 1)
        except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, OSError, RuntimeError):
            raise Unreadable("damaged") from None


def walk(
    data: bytes,
    start: Callable[[str, Mapping[str, str]], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
) -> None:
    """Call `start` and `end` for each element of XML, by its name without namespace, and `text` for what stands between.

    Attributes are named without namespace too. Raises Unreadable for what is no XML, defines entities or is nested too deeply.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    depth = 0

    def opened(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH_LIMIT:
            raise Unreadable("bomb")
        start(_local(name), {_local(key): value for key, value in attributes.items()})

    def closed(name: str) -> None:
        nonlocal depth
        depth -= 1
        if end is not None:
            end(_local(name))

    def doctype(name: str, system: str | None, public: str | None, internal: bool) -> None:
        del name, system, public
        if internal:
            raise Unreadable("bomb")

    parser.StartElementHandler, parser.EndElementHandler, parser.StartDoctypeDeclHandler = opened, closed, doctype
    if text is not None:
        parser.buffer_text = True
        parser.CharacterDataHandler = text
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise Unreadable("damaged") from None


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
