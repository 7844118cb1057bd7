"""Signs what is made (C2PA 2.2): who made it, that a model did, from what. The last thing that happens to a file before it is kept.

The manifest names model, licence and seed and the record's SHA-256, never the prompt. What a file was made from goes in as ingredients,
each with the manifest it carries itself, whoever signed that. No thumbnails; nothing is fetched or sent; no time is attested. Whether
`data` decodes is the caller's to know. Training and mining are reserved as the CAWG assertion 1.1 says it. Reading: signatures.py.
"""

from __future__ import annotations

import hashlib
import io
import logging
import mimetypes
from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

from studio.errors import StudioError
from studio.provenance.certificates import Certified
from studio.provenance.identity import Identity
from studio.provenance.manifests import FORMATS, SIGNED, boxes, container, context, excessive, native, readable
from studio.provenance.record import VERSION, Record, to_json
from studio.provenance.signatures import Signature, plain, read

__all__ = ["SIGNED", "Signature", "read", "sign"]

log = logging.getLogger("atelier.signing")

GENERATION = "atelier.generation"
"""Label of our own assertion."""
MANIFEST_LIMIT = 256_000
"""Bytes that the manifests of one file may take, those of its ancestors among them; each generation adds about 6 KB."""
APART = ("", "make", "melody")
"""Uses of a reference whose result holds nothing of it."""

_UNREADABLE = "It carries a signature that could not be read."
_LONG = "Its own history is not repeated here."
_BYTES = "application/octet-stream"
_AGENT = {"name": "Atelier", "version": VERSION}
_Entry = tuple[dict[str, str], bytes, str]


def sign(data: bytes, suffix: str, record: Record, identity: Identity, parents: Sequence[tuple[str, bytes, str]] = ()) -> bytes:
    """`data`, a file of one of SIGNED, with a signed manifest in it; all else in the file stays as it is.

    `parents` are what it was made from, as (title, bytes, suffix), the one that was changed first. Their titles are written into the
    file. Adds about 4 KB, and 6 KB for each signed ancestor. Where an operator's certificate cannot sign any more, the studio's own does.
    Raises ValueError for another format, StudioError for a file that cannot be signed.
    """
    kind = FORMATS.get(suffix)
    if kind is None or container(data) != kind:
        raise ValueError(f"{suffix!r} is no format that can be signed, or the bytes are of another one")
    failure: Exception | None = None
    for signer, whole in product(dict.fromkeys((identity.signer, identity.own)), (True, False) if parents else (True,)):
        try:
            signed = _signed(data, kind, _manifest(record, len(parents)), signer, identity.root, _entries(record, parents), whole)
        except native().C2paError as error:
            log.warning("%s could not sign: %s", signer.name, error)
            failure = error
        else:
            if len(signed) - len(data) <= MANIFEST_LIMIT or not whole:
                return signed
    raise StudioError("This could not be signed: check the file and this machine's clock, then run it again.") from failure


def _signed(
    data: bytes, kind: str, manifest: Mapping[str, object], signer: Certified, root: str, parents: Sequence[_Entry], whole: bool
) -> bytes:
    """`whole`: with the manifests that the parents carry."""
    c2pa, out = native(), io.BytesIO()
    algorithm, chain, key = (text.encode() for text in (signer.algorithm, signer.chain, signer.key))
    with (
        c2pa.Signer.from_info(c2pa.C2paSignerInfo(algorithm, chain, key, None)) as pen,
        context(root) as settings,
        c2pa.Builder(manifest, settings) as builder,
    ):
        for entry, parent, suffix in parents:
            _add(builder, entry, parent, suffix, whole)
        builder.sign(pen, kind, io.BytesIO(data), out)
    return out.getvalue()


def _entries(record: Record, parents: Sequence[tuple[str, bytes, str]]) -> list[_Entry]:
    """Each parent as an ingredient, with its bytes and suffix."""
    return [
        ({"relationship": _relation(record, number), "label": _label(number), "title": plain(title) or "untitled"}, data, suffix)
        for number, (title, data, suffix) in enumerate(parents)
    ]


def _add(builder: Any, entry: Mapping[str, str], data: bytes, suffix: str, whole: bool) -> None:
    """An ingredient with the manifest it carries; where that is broken or too long, by its name alone."""
    kind = readable(data)
    why = "" if whole and not excessive(data) else _LONG
    if kind and not why:
        try:
            builder.add_ingredient(dict(entry), kind, io.BytesIO(data))
        except native().C2paError:
            why = _UNREADABLE
        else:
            return
    told = {"description": why or _UNREADABLE} if boxes(data) else {}
    named = {"format": mimetypes.guess_type(f"file{suffix}")[0] or _BYTES}
    builder.add_ingredient({**entry, **named, **told}, _BYTES, io.BytesIO(b""))


def _manifest(record: Record, sources: int) -> dict[str, object]:
    assertions = {
        "c2pa.actions.v2": {"actions": _actions(record, sources), "allActionsIncluded": True},
        "cawg.training-mining": {
            "entries": {f"cawg.{use}": {"use": "notAllowed"} for use in ("ai_generative_training", "ai_training", "data_mining")}
        },
        GENERATION: _generation(record),
    }
    return {"claim_generator_info": [_AGENT], "assertions": [{"label": label, "data": data} for label, data in assertions.items()]}


def _actions(record: Record, sources: int) -> list[Mapping[str, object]]:
    """Created from what was put in, or opened and then edited."""
    told = [_label(number) for number in range(sources) if _relation(record, number) == "inputTo"]
    inputs: dict[str, object] = {"parameters": {"ingredientIds": told}} if told else {}
    made: dict[str, object] = {"digitalSourceType": record.digital_source_type, "softwareAgent": _AGENT, "when": record.created}
    if not sources or _relation(record, 0) != "parentOf":
        return [{"action": "c2pa.created"} | made | inputs]
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": [_label(0)]}}
    return [opened, {"action": "c2pa.edited"} | made | inputs]


def _relation(record: Record, number: int) -> str:
    """What the result holds itself is opened; what was only looked at or listened to is input."""
    changed = record.kind == "inpaint" or (record.kind == "music" and record.task.get("reference_use", "") not in APART)
    return "parentOf" if number == 0 and changed else "inputTo"


def _label(number: int) -> str:
    return f"source{number}"


def _generation(record: Record) -> Mapping[str, object]:
    """What made it, without what was asked. `record` is the SHA-256 of the record as one line of JSON."""
    model = {name: record.model.get(name) for name in ("name", "revision", "licence", "commercial")}
    told = {"kind": record.kind, "model": model, "seed": record.task.get("seed")}
    return told | {"record": f"sha256:{hashlib.sha256(to_json(record).encode()).hexdigest()}"}
