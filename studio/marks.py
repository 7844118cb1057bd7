"""What a finished result is given so that it can be recognised anywhere: an invisible mark, and at last a signature.

The order matters: mark, encode with the record inside, sign (the signature covers every byte). `Record.marks` says what a file carries,
or in one sentence why it does not. Nothing is ever lost for a mark: what cannot hold one is kept without. Knows no model and no page.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue, SecretStr

from studio.creations import Media, Passage, Picture, Take
from studio.errors import StudioError
from studio.provenance.identity import Identity
from studio.provenance.manifests import SIGNED
from studio.settings import Settings
from studio.tasks import KEEPING
from studio.writing import marking

if TYPE_CHECKING:
    from studio.models import ModelCard
    from studio.provenance.record import Record

log = logging.getLogger("atelier.marks")

NO_SIGNATURE = "This format holds no signature; the record beside it says how it was made."
PLAIN_TEXT = "Plain text holds no signature; with a download of its document comes a signed file that says who wrote what."
FAILED = "The mark could not be put in: the log has the details."
UNLIKE = "What was made again has no mark."
SAME_SAMPLES = "What is kept of the recording that was given keeps its samples as they are."


class Marks:
    """The marks of one studio. Thread-safe."""

    def __init__(self, settings: Settings) -> None:
        """Raises StudioError for an identity that is damaged or cannot be kept."""
        self.identity = Identity.open(settings)
        self._key = hashlib.sha256(b"mark " + self.identity.secret).hexdigest()[:8]
        self._off = {"watermark": settings.no_watermark, "signature": settings.no_signature}
        for what, reason in self._off.items():
            if reason:
                log.warning("no %s is put into results: %s", what, reason)

    @property
    def words(self) -> bytes:
        """What words written here are marked with, and found again by."""
        return hashlib.sha256(b"words " + self.identity.secret).digest()

    def equipped(self, card: ModelCard) -> ModelCard:
        """The card with what its engine marks words with, where it can and the operator has not turned it off."""
        if card.engine != marking.ENGINE or self._off["watermark"]:
            return card
        return card.model_copy(update={"mark": SecretStr(self.words.hex())})

    def marked(self, media: Media, record: Record, sources: Sequence[bytes] = (), like: Record | None = None) -> tuple[Media, Record]:
        """The medium with an invisible mark and its record, which says so, or why not.

        The mark carries the number of the task, or the one that the record in the first of `sources`, the files it was made from, tells:
        equal tasks give equal pixels, and what is left of a marked file agrees with what was added to it. What is made again carries
        what the record `like` tells, a number or none. Words were marked as they were drawn, or not; of them only the record is made.
        """
        if isinstance(media, Passage):
            return media, self.told(record.model_copy(update={"marks": {"watermark": self._of_words(media, record)}}), ".txt")
        number = next((n for n in (_number(_record_in(data)) for data in sources) if n is not None), None)
        if like is not None:
            number = _number(like)
        elif number is None:
            from studio.provenance import watermark  # brings numpy

            number = watermark.payload(json.dumps(record.task, sort_keys=True))
        reason = _unmarked(media, record) or self._turned_off("watermark") or (UNLIKE if number is None else "")
        if not reason and number is not None:
            media, reason = self._with_mark(media, number)
        said: dict[str, JsonValue] = {"watermark": {"none": reason} if reason else {"payload": f"{number:05x}", "key": self._key}}
        others = [name for name in media.attachments if Path(name).suffix not in SIGNED]
        if others:
            said["companions"] = dict.fromkeys(others, NO_SIGNATURE)
        suffix = ".flac" if isinstance(media, Take) else ".png"
        return media, self.told(record.model_copy(update={"marks": said}), suffix)

    def told(self, record: Record, suffix: str) -> Record:
        """The record with what becomes of the signature in a file of this format."""
        why = self._turned_off("signature") if suffix in (*SIGNED, ".txt") else NO_SIGNATURE
        why = why or (PLAIN_TEXT if suffix == ".txt" else "")
        return record.model_copy(update={"marks": {**record.marks, "signature": {"none": why} if why else {"standard": "C2PA"}}})

    def sealed(
        self, encode: Callable[[Record], bytes], suffix: str, record: Record, parents: Sequence[tuple[str, bytes, str]] = ()
    ) -> tuple[bytes, Record]:
        """What `encode` makes of the record, with a signature where its format holds one and the operator has not turned it off.

        `parents` are the files it was made from, as (title, bytes, suffix). Where it cannot be signed, the record says why.
        """
        data = encode(record)
        if suffix not in SIGNED or self._turned_off("signature"):
            return data, record
        from studio.provenance import signing  # brings a library that only saving needs

        try:
            return signing.sign(data, suffix, record, self.identity, parents), record
        except StudioError as error:
            log.warning("a %s file goes without a signature: %s", suffix, error)
            record = record.model_copy(update={"marks": {**record.marks, "signature": {"none": str(error)}}})
            return encode(record), record

    def _with_mark(self, media: Picture | Take, number: int) -> tuple[Picture | Take, str]:
        """The marked medium and '', or the medium as it is and the reason."""
        from studio.provenance import picture_mark, sound_mark
        from studio.provenance.watermark import TooSmall

        try:
            if isinstance(media, Picture):
                return replace(media, pixels=picture_mark.embed(media.pixels, number, self.identity.secret, media.drawn)), ""
            loop = bool(media.facts.get("loop"))
            return replace(media, sound=sound_mark.embed(media.sound, number, self.identity.secret, loop=loop)), ""
        except TooSmall as error:
            return media, str(error)
        except Exception:
            log.exception("a result was left without an invisible mark")
            return media, FAILED

    def _of_words(self, media: Passage, record: Record) -> dict[str, JsonValue]:
        """What the record says of the mark in a text, which was put in as the words were drawn."""
        if media.facts.get(marking.FACT):
            return {"scheme": marking.SCHEME, "key": self._key, "words": marking.ELSEWHERE}
        engine, name = record.model.get("engine"), record.model.get("name")
        return {"none": marking.why_none(engine, name, record.asked, media.facts, self._turned_off("watermark"))}

    def _turned_off(self, what: str) -> str:
        return f"Turned off here: {self._off[what]}" if self._off[what] else ""


def _unmarked(media: Picture | Take, record: Record) -> str:
    """Why this medium gets no mark by its kind; '' if it gets one."""
    if isinstance(media, Take) and (record.task.get("reference_use") in KEEPING or _keeps(media, record)):
        return SAME_SAMPLES
    return ""


def _keeps(media: Take, record: Record) -> bool:
    """Whether a take holds samples of the recording that it goes on from; one that is played from notes is new as a whole."""
    return record.task.get("reference_use") in ("continue", "lead", "repaint") and "score" not in media.facts


def source_type(data: bytes) -> str:
    """IPTC's source type in the record of a picture or sound; '' where it carries none."""
    found = _record_in(data)
    return found.digital_source_type if found is not None else ""


def _number(record: Record | None) -> int | None:
    """The number that a record tells; None where it tells none."""
    said = record.marks.get("watermark") if record is not None else None
    text = said.get("payload") if isinstance(said, Mapping) else None
    return int(text, 16) if isinstance(text, str) and re.fullmatch("[0-9a-f]{5}", text) else None


def _record_in(data: bytes) -> Record | None:
    """The record in a picture or sound of any origin, if there is a sound one."""
    from studio.provenance import pictures, sounds

    for read in (pictures.read_record, sounds.read_record):
        with suppress(StudioError):
            if (found := read(data)) is not None:
                return found
    return None
