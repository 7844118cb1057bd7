"""Reads the signature (C2PA 2.2) in a file of any origin: who signed it, whether it is as it was signed, and what it says of itself.

What a file says is untrusted text: `Signature` holds it as short plain sentences, to be shown as text. Nothing is fetched: a manifest that
lies elsewhere is named and left there. What would cost much to take apart is not (manifests.py). Knows no record.
"""

from __future__ import annotations

import io
import json
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from studio.provenance.certificates import Certified
from studio.provenance.identity import Identity
from studio.provenance.manifests import READ, boxes, context, excessive, native, readable

SHOWN = 12
"""Most sentences of one kind."""

State = Literal["none", "valid", "altered", "foreign", "unreadable"]


@dataclass(frozen=True)
class Signature:
    """What a file's signature says. `ours`: made with this studio's own certificate, or its operator's.

    none: there is no signature. valid: signed by this studio, unchanged since. foreign: unchanged since someone else signed it, whoever
    that is. altered: changed after it was signed. unreadable: there is one, but it is damaged or of a kind that is not read here.
    """

    state: State
    signer: str = ""
    ours: bool = False
    claims: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


def read(data: bytes, suffix: str, identity: Identity | None) -> Signature:
    """The signature in `data`; the bytes decide on the format, `suffix` only on the words where they do not. Raises for no file.

    Takes about 5 ms for what this studio makes, at most some seconds for what was made to be slow.
    """
    if not readable(data):
        known = ", ".join(name[1:].upper() for name in READ)
        told = suffix.lstrip(".").upper()[:8]
        return Signature("none", problems=(f"Signatures are read in {known} files, not in {told or 'this kind'}.",))
    if excessive(data):
        return Signature("unreadable", problems=("The file or the history in its signature is too large to be read here.",))
    anchors = [identity.root] if identity else []
    found = _store(data, anchors)
    if isinstance(found, Signature):
        return found
    ours = _codes(found, "success") >= _VOUCHED
    if identity is not None and identity.operator is not None and not ours:
        ours = _by(identity.operator, data)
    return _told(found, ours)


def plain(value: object, most: int = 100) -> str:
    """Untrusted text on one line, without control and direction characters, cut to `most`; '' for what is no text."""
    if not isinstance(value, str):
        return ""
    kept = "".join(
        " " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c
        for c in value[: 4 * most]
        if unicodedata.category(c) not in ("Cf", "Cs", "Co")
    )
    line = " ".join(kept.split())
    return line if len(line) <= most else line[: most - 1] + "…"


Json = Mapping[str, object]

_MADE = {
    "trainedAlgorithmicMedia": "Made by an AI model.",
    "compositeWithTrainedAlgorithmicMedia": "Changed with an AI model: parts of it are made by one.",
    "algorithmicallyEnhanced": "Changed by a program, without an AI model.",
    "algorithmicMedia": "Made by a program that was not trained on examples.",
    "digitalCapture": "Taken with a camera or recorder.",
    "humanEdits": "Edited by a person.",
    "compositeCapture": "Put together from photographs or recordings.",
}
_VOUCHED = frozenset(("signingCredential.trusted", "claimSignature.validated"))
_CREDENTIALS = {
    "signingCredential.expired": "The certificate behind the signature has run out: who signed it can no longer be proven.",
    "signingCredential.invalid": "The certificate behind the signature is not one that may sign: who signed it cannot be proven.",
    "signingCredential.ocsp.revoked": "The certificate behind the signature was called back: do not rely on who signed it.",
}


def _store(data: bytes, anchors: Sequence[str]) -> Json | Signature:
    """The manifests of a file with the result of checking them, or the answer where there are none to check."""
    c2pa = native()
    try:
        with context("".join(anchors)) as settings, c2pa.Reader(readable(data), io.BytesIO(data), context=settings) as reader:
            return cast("Json", json.loads(reader.json()))
    except c2pa.C2paError.ManifestNotFound:
        return Signature("none")
    except (c2pa.C2paError, ValueError, RecursionError) as error:
        if str(error).startswith("Remote"):
            return Signature("none", problems=("The file names a signature that lies elsewhere; it was not fetched.",))
        if not boxes(data):
            return Signature("none")
        return Signature("unreadable", problems=("This file or the signature in it is damaged: nothing can be said about who signed it.",))


def _by(operator: Certified, data: bytes) -> bool:
    """Whether the operator's very certificate signed: whoever vouches for it vouches for others too."""
    found = _store(data, [operator.anchor])
    if isinstance(found, Signature) or not _codes(found, "success") >= _VOUCHED:
        return False
    return _map(_active(found).get("signature_info")).get("cert_serial_number") == str(operator.serial)


def _told(store: Json, ours: bool) -> Signature:
    passed, failed = _codes(store, "success"), _codes(store, "failure")
    bound = any(code.endswith("Hash.match") for code in passed) and "claimSignature.validated" in passed
    changed = not bound or any(code.endswith((".mismatch", ".missing")) for code in failed)
    manifest = _active(store)
    information = _map(manifest.get("signature_info"))
    who, house = plain(information.get("common_name")), plain(information.get("issuer"))
    problems = ["The file was changed after it was signed."] if changed else []
    problems += [sentence for code, sentence in _CREDENTIALS.items() if code in failed]
    rest = failed - set(_CREDENTIALS) - {"signingCredential.untrusted"}
    if rest and not changed:
        problems.append(f"The signature does not keep all rules of C2PA ({plain(', '.join(sorted(rest)))}).")
    if "assertion.dataHash.additionalExclusionsPresent" in _codes(store, "informational"):
        problems.append("The signature leaves parts of the file open, which may have changed since.")
    problems += list(_broken(manifest))[:SHOWN]
    state: State = "altered" if changed else "valid" if ours else "foreign"
    signer = f"{who} ({house})" if who and house not in ("", who) and not ours else who or house
    return Signature(state, signer, ours, tuple(_claims(manifest))[: 3 * SHOWN], tuple(problems))


def _claims(manifest: Json) -> Iterator[str]:
    """What a manifest says, one sentence each."""
    tools = [_map(entry) for entry in _list(manifest.get("claim_generator_info"))]
    if tools and (tool := f"{plain(tools[0].get('name'))} {plain(tools[0].get('version'))}".strip()):
        yield f"Made with {tool}."
    for label, data in _assertions(manifest):
        if label.startswith("c2pa.actions"):
            kinds = [plain(action.get("digitalSourceType")).rpartition("/")[2] for action in map(_map, _list(data.get("actions")))]
            yield from dict.fromkeys(_MADE[kind] for kind in kinds if kind in _MADE)
        elif label == "atelier.generation":
            model = _map(data.get("model"))
            if name := plain(model.get("name")):
                licence = plain(model.get("licence"))
                yield f"The model was {name}{f', under {licence}' if licence else ''}."
            if isinstance(seed := data.get("seed"), int):
                yield f"The seed was {seed}."
        elif label == "cawg.training-mining" and "notAllowed" in [_map(use).get("use") for use in _map(data.get("entries")).values()]:
            yield "Not to be used for training models or mining data."
    for source in _sources(manifest)[:SHOWN]:
        title = plain(source.get("title")) or "something without a name"
        how = "It is a changed version of" if source.get("relationship") == "parentOf" else "It was made from"
        yield f"{how} “{title}”{', which is signed itself' if 'active_manifest' in source else ''}."


def _broken(manifest: Json) -> Iterator[str]:
    """What is wrong with what it was made from."""
    for source in _sources(manifest):
        title = plain(source.get("title")) or "something without a name"
        failed = _codes(source, "failure") | {plain(_map(entry).get("code")) for entry in _list(source.get("validation_status"))}
        if any(code.endswith((".mismatch", ".missing")) for code in failed):
            yield f"“{title}”, which it was made from, had been changed after it was signed."
        elif description := plain(source.get("description")):
            yield f"About “{title}”, which it was made from: {description}"


def _active(store: Json) -> Json:
    return _map(_map(store.get("manifests")).get(str(store.get("active_manifest"))))


def _assertions(manifest: Json) -> Iterator[tuple[str, Json]]:
    for entry in map(_map, _list(manifest.get("assertions"))):
        yield str(entry.get("label")), _map(entry.get("data"))


def _sources(manifest: Json) -> list[Json]:
    return [_map(entry) for entry in _list(manifest.get("ingredients"))]


def _codes(holder: Json, outcome: str) -> set[str]:
    """The result codes of one outcome (C2PA 2.2, section 15.2) for the manifest that counts."""
    active = _map(_map(holder.get("validation_results")).get("activeManifest"))
    return {str(_map(entry).get("code")) for entry in _list(active.get(outcome))}


def _map(value: object) -> Json:
    return cast("Json", value) if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
