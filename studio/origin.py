"""Was this made here? Every layer of a file of any origin is read, and each says what it found and how sure that is.

The layers, from the surest: the very file in the library, a signature, the invisible mark, the record, the source type, other programs'
settings. Nothing found proves nothing: every layer can be removed. Knows no page.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from studio import origin_texts
from studio.errors import InvalidInput, MediaUnreadable, NotFound, StudioError
from studio.findings import NAME_LIMIT, VALUE_LIMIT, Finding, Origin, lines, shown
from studio.library import Library
from studio.originals import BY_CONTENT
from studio.provenance.identity import Identity
from studio.provenance.record import COMPOSITE, ENHANCED, TRAINED, Record
from studio.provenance.signatures import plain

if TYPE_CHECKING:
    from studio.writing.mark_search import Search

FILE_LIMIT = 40_000_000
SEARCHED_SECONDS = 60.0
"""Of a sound, so much is searched for a mark, from its beginning."""
PICTURES = (".png", ".jpg", ".jpeg", ".webp")
SOUNDS = (".flac", ".wav", ".mp3", ".ogg", ".opus")
TEXTS = (".txt", ".md")
DECODED = (".avif", ".tif", ".tiff", ".gif", ".bmp")
"""Pictures that nothing here makes and a copy may be saved as: searched for the mark."""
SEALED = (".avif", ".heic", ".heif", ".tif", ".tiff", ".gif", ".mp4", ".m4v", ".m4a", ".mov")
"""What nothing here makes and others sign."""
OTHERS = (".json", ".svg", *dict.fromkeys((*DECODED, *SEALED)))
"""Read for the library, for other programs' settings, and for the signed statement that comes with a text."""
BESIDE = (*TEXTS, ".html", ".docx", ".epub")
"""What may stand beside such a statement."""

SOURCES = {
    TRAINED: "made by a trained model",
    COMPOSITE: "something given, with parts made by a trained model",
    ENHANCED: "something given, changed by a method without a model",
}


def examine(
    file: Path,
    library: Library,
    identity: Identity,
    owner: str = "local",
    session: str = "",
    search: Callable[[str], Search] | None = None,
    beside: Path | None = None,
) -> Origin:
    """Read every layer of a file. Raises InvalidInput for a kind of file that nothing here could have made.

    Of the library it tells what this owner sees, in this session if one is given. What the file itself tells is cut to a length. `search`
    looks for the mark in words; `beside` is the text that a signed statement came with.
    """
    suffix = file.suffix.lower()
    if suffix not in PICTURES + SOUNDS + TEXTS + OTHERS or (beside is not None and beside.suffix.lower() not in BESIDE):
        raise InvalidInput(
            "Choose a picture (PNG, JPEG, WebP, AVIF, TIFF), a sound (FLAC, WAV, MP3, OGG, Opus), a film (MP4, MOV), a text, or a document "
            "with its signed file."
        )
    data = _read(file)
    if suffix == ".json":
        stated = origin_texts.stated(data, _read(beside) if beside is not None else None, identity)
        if stated is not None:
            return stated
    if beside is not None:
        raise InvalidInput("Neither of these files is a signed statement about a text: give one file, or a document with its signed file.")
    signature = _signature(data, suffix, identity)
    mark, number = _mark(file, suffix, identity) if suffix not in TEXTS else (origin_texts.in_words(data, search), "")
    creation, kept = _library(data, number, library, owner, session)
    found, told = _record(data, suffix)
    findings = [kept, signature, mark, told, *_source_type(data, suffix)]
    settings, left_out, others = _foreign(data) if found is None else (found.task.items(), (), ())
    findings += others
    return Origin(_verdict(findings, found), tuple(findings), creation, shown(settings), lines(left_out))


def _read(file: Path) -> bytes:
    try:
        if file.stat().st_size > FILE_LIMIT:
            raise InvalidInput(f"This file is larger than {FILE_LIMIT // 1_000_000} MB: choose a smaller one.")
        return file.read_bytes()
    except OSError:
        raise MediaUnreadable("This file cannot be opened: choose it again.") from None


def _library(data: bytes, number: str, library: Library, owner: str, session: str) -> tuple[str, Finding]:
    """The creation that this file is, or the newest with its mark, or ''; and what is said of it."""
    exact = library.originals.creations([BY_CONTENT + hashlib.sha256(data).hexdigest()], owner, session)
    alike = exact or (library.originals.marked(number, owner, session) if number else ())
    try:
        item = library.shelf.item(alike[0], owner, session) if alike else None
    except NotFound:  # it was deleted just now
        item = None
    if item is None:
        return "", Finding("Library", "nothing", "This very file is not in the library.")
    name = plain(item.title or item.words, NAME_LIMIT)
    which = f"{f'“{name}”' if name else item.kind.replace('_', ' ')}, {item.created[:10]}{' (in the trash)' if item.trashed else ''}"
    if exact and library.shelf.came(item.id, owner, session):
        return item.id, Finding("Library", "claim", f"This very file is in the library, where it came in a zip: {which}.")
    if exact:
        return item.id, Finding("Library", "proof", f"This very file is in the library: {which}.")
    return item.id, Finding("Library", "nothing", f"This very file is not in the library. Its mark is that of {which}.")


def _signature(data: bytes, suffix: str, identity: Identity) -> Finding:
    from studio.provenance import signing  # brings a library that only saving and this need

    if suffix not in PICTURES + SOUNDS + SEALED:
        return Finding("Signature", "nothing", "This kind of file holds no signature that is read here.")
    signature = signing.read(data, suffix, identity)
    said = " ".join(plain(claim, VALUE_LIMIT) for claim in signature.claims)
    signer = plain(signature.signer, NAME_LIMIT) or "someone else"
    match signature.state:
        case "none":
            return Finding("Signature", "nothing", "It is not signed.")
        case "valid":
            return Finding("Signature", "proof", f"Signed by this studio, and no byte was changed since. {said}".strip())
        case "foreign":
            return Finding("Signature", "claim", f"Signed by {signer}, unchanged since. {said}".strip())
        case "altered":
            return Finding("Signature", "warning", "It is signed, and was changed after that: ask for the file as it was signed.")
        case "unreadable":
            return Finding("Signature", "warning", "It holds a signature that cannot be read: ask for another copy of the file.")


def _mark(file: Path, suffix: str, identity: Identity) -> tuple[Finding, str]:
    """What the invisible mark says, and its number as five hexadecimal digits, or ''."""
    from studio.provenance.watermark import ODDS

    try:
        if suffix in PICTURES + DECODED:
            from studio.inpaint.read import read_picture
            from studio.provenance import picture_mark

            marked = picture_mark.detect(read_picture(file).pixels, identity.secret)
        elif suffix in SOUNDS:
            from studio.music import apart, files
            from studio.provenance import sound_mark

            marked = sound_mark.detect(files.mono(apart.read(file, SEARCHED_SECONDS, beginning=True)), identity.secret)
        else:
            return Finding("Invisible mark", "nothing", "This kind of file holds no invisible mark."), ""
    except StudioError as error:
        return Finding("Invisible mark", "warning", f"It could not be looked for: {error}"), ""
    if marked is None:
        return Finding("Invisible mark", "nothing", "No mark of this studio was found; one may have been removed."), ""
    number = f"{marked.payload:05x}"
    odds = f"by chance in fewer than one file in {round(1 / ODDS):,}"
    return Finding("Invisible mark", "proof", f"It carries this studio's mark, number {number} ({odds})."), number


def _record(data: bytes, suffix: str) -> tuple[Record | None, Finding]:
    if suffix not in PICTURES + SOUNDS:
        return None, Finding("Record", "nothing", "This kind of file carries no record of ours.")
    try:
        if suffix in PICTURES:
            from studio.provenance import pictures

            found = pictures.read_record(data)
        else:
            from studio.provenance import sounds

            found = sounds.read_record(data)
    except StudioError as error:
        return None, Finding("Record", "warning", str(error))
    if found is None:
        return None, Finding("Record", "nothing", "It carries no record of how it was made.")
    made_by, model = (plain(name, NAME_LIMIT) or "nobody named" for name in (found.made_by, found.model.get("name")))
    return found, Finding("Record", "claim", f"Its record says: made by {made_by} with {model}, {plain(found.created[:10])}.")


def _source_type(data: bytes, suffix: str) -> Iterator[Finding]:
    """IPTC's DigitalSourceType, as pictures carry it in XMP and sounds in a tag."""
    try:
        found = _source_of(data, suffix)
    except StudioError:
        return
    if found:
        named = SOURCES.get(found.replace("https:", "http:", 1)) or plain(found.rpartition("/")[2], NAME_LIMIT)
        yield Finding("Source type", "claim", f"It says: {named}.")
    else:
        yield Finding("Source type", "nothing", "It does not say whether a model made it.")


def _source_of(data: bytes, suffix: str) -> str:
    if suffix in PICTURES:
        from studio.provenance import containers

        found = re.search(r"DigitalSourceType[^>]{0,40}?[>=]\s*[\"']?\s*(http[^\s\"'<]{1,200})", containers.read(data, ()).xmp)
        return found[1] if found else ""
    if suffix in SOUNDS:
        from studio.provenance import sounds

        return sounds.read_source(data)
    return ""


def _foreign(data: bytes) -> tuple[Iterable[tuple[str, object]], Sequence[str], tuple[Finding, ...]]:
    from studio.provenance import foreign

    try:
        found = foreign.read(data)
    except StudioError as error:
        return (), (), (Finding("Other programs", "warning", str(error)),)
    if found is None:
        return (), (), ()
    layer = "Settings" if found.tool == "Atelier" else "Other programs"
    said = f"It carries settings in the words of {plain(found.tool, NAME_LIMIT)}."
    return found.settings.items(), found.left_out, (Finding(layer, "claim", said),)


def _verdict(findings: list[Finding], found: Record | None) -> str:
    proofs = {finding.layer for finding in findings if finding.sure == "proof"}
    claims = {finding.layer for finding in findings if finding.sure == "claim"}
    if proofs & {"Library", "Signature"}:
        return "Yes, this was made here, and it is as it was made."
    if "Invisible mark" in proofs:
        return "Yes, this was made here; it may have been changed since."
    if found is not None:
        return "It says that a studio like this one made it, but nothing proves it: a record can be copied into any file."
    if "Other programs" in claims:
        return "It was most likely made by another program."
    if "Signature" in claims:
        return "Someone else signed it; nothing says that it was made here."
    return "Nothing says that it was made here. That proves nothing: marks can be removed."
