"""A signed statement beside a text, since plain text holds none: the hashes of its files, who wrote which characters, and with which model.

The statement is signed as a detached JWS (RFC 7515, appendix F; ES256 with the certificates in `x5c`) over its JSON with sorted keys and
without spaces (RFC 8785, for texts and whole numbers). It proves that this studio handed out these very files and what it knew of them, not
that a text is true, and nothing of a text that was changed since. What is read is untrusted. Knows no page and no library.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, cast

from studio.provenance.identity import Identity
from studio.provenance.record import VERSION, Record, to_json
from studio.provenance.signatures import plain
from studio.writing.spans import Span

FORM = "atelier-text"
LIMIT = 4_000_000
"""Bytes of a statement that is read; one about the most spans has half."""
CHAIN = 5
"""Certificates that are looked at."""
SUFFIX = ".signed.json"

State = Literal["ours", "foreign", "altered"]


@dataclass(frozen=True)
class Part:
    """What one model wrote: `facts` are the model's name and licence, the time, the record's hash, and what it says of a mark."""

    creation: str
    facts: Mapping[str, str]


@dataclass(frozen=True)
class Statement:
    """A statement that was read. altered: its signature does not fit. `files`: names to SHA-256; `shares`: characters by origin."""

    state: State
    signer: str
    created: str
    files: Mapping[str, str]
    shares: Mapping[str, int]
    models: tuple[str, ...]

    def names(self, data: bytes) -> str:
        """The name of the file that these bytes are, '' where they are none of those it was made for."""
        found = hashlib.sha256(data).hexdigest()
        return next((name for name, stated in self.files.items() if stated == found), "")


def make(files: Mapping[str, bytes], text: str, spans: Sequence[Span], parts: Sequence[Part], identity: Identity) -> bytes:
    """The statement about a document's files, signed by the studio's own key, as JSON. `spans` cover `text`."""
    statement = {
        "form": FORM,
        "version": 1,
        "made_by": f"Atelier {VERSION}",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)} for name, data in files.items()},
        "text": {"sha256": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(), "characters": len(text)},
        "spans": [[span.length, span.origin, span.creation] for span in spans],
        "parts": {part.creation: dict(part.facts) for part in parts},
    }
    statement = cast("dict[str, Any]", json.loads(json.dumps(statement).encode("utf-8", "replace")))
    made = {"statement": statement, "signature": _signature(_canonical(statement), identity)}
    return (json.dumps(made, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


def part(creation: str, record: Record) -> Part:
    """What a statement tells of a creation: enough to find its record, nothing of what was asked."""
    known = {"model": record.model.get("name"), "licence": record.model.get("licence"), "created": record.created}
    mark = record.marks.get("watermark")
    known["mark"] = mark.get("scheme") or mark.get("none") if isinstance(mark, dict) else None
    digest = hashlib.sha256(to_json(record).encode()).hexdigest()
    return Part(creation, {name: str(value) for name, value in known.items() if value} | {"record_sha256": digest})


def read(data: bytes, identity: Identity) -> Statement | None:
    """The statement in a file of any origin; None where it holds none. What it says is cut to plain lines."""
    found = _parsed(data)
    if found is None:
        return None
    statement, signature = found
    state, signer = _checked(_canonical(statement), signature, identity)
    files = {plain(name): str(_map(entry).get("sha256")) for name, entry in list(_map(statement.get("files")).items())[:32]}
    counted: dict[str, int] = {}
    for span in cast("list[object]", statement.get("spans")) if isinstance(statement.get("spans"), list) else []:
        match span:
            case [int(length), str(origin), *_] if 0 < length < 10**9:
                counted[plain(origin, 20)] = counted.get(plain(origin, 20), 0) + length
            case _:
                continue
    named = (plain(_map(part).get("model")) for part in list(_map(statement.get("parts")).values())[:200])
    models = tuple(dict.fromkeys(name for name in named if name))[:12]
    return Statement(state, signer, plain(statement.get("created"), 40), files, counted, models)


def _signature(payload: bytes, identity: Identity) -> dict[str, str]:
    """A detached JWS: the protected header and the signature, r and s one after the other."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

    signer = identity.own
    chain = x509.load_pem_x509_certificates(signer.chain.encode())
    der = [base64.b64encode(entry.public_bytes(serialization.Encoding.DER)).decode() for entry in chain]
    protected = _text(json.dumps({"alg": "ES256", "x5c": der}, separators=(",", ":")).encode())
    key = serialization.load_pem_private_key(signer.key.encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(key.sign(f"{protected}.{_text(payload)}".encode(), ec.ECDSA(hashes.SHA256())))
    return {"protected": protected, "signature": _text(r.to_bytes(32, "big") + s.to_bytes(32, "big"))}


def _checked(payload: bytes, signature: Mapping[str, object], identity: Identity) -> tuple[State, str]:
    """Whether the signature fits and whose it is, and what the signer is called."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

    try:
        protected = str(signature.get("protected"))
        header = _map(json.loads(_bytes(protected)))
        chain = cast("list[object]", header.get("x5c"))[:CHAIN]
        leaf = x509.load_der_x509_certificate(base64.b64decode(str(chain[0]), validate=True))
        key, signed = leaf.public_key(), _bytes(str(signature.get("signature")))
        if header.get("alg") != "ES256" or not isinstance(key, ec.EllipticCurvePublicKey) or len(signed) != 64:
            return "altered", ""
        pair = encode_dss_signature(int.from_bytes(signed[:32], "big"), int.from_bytes(signed[32:], "big"))
        key.verify(pair, f"{protected}.{_text(payload)}".encode(), ec.ECDSA(hashes.SHA256()))
        common = leaf.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        name = plain(common[0].value) if common else ""
    except (ValueError, TypeError, IndexError, KeyError, RecursionError, InvalidSignature):
        return "altered", ""
    try:
        leaf.verify_directly_issued_by(x509.load_pem_x509_certificate(identity.root.encode()))
    except (ValueError, TypeError, InvalidSignature):
        return "foreign", name
    return "ours", name


def _parsed(data: bytes) -> tuple[dict[str, Any], Mapping[str, object]] | None:
    if len(data) > LIMIT or FORM.encode() not in data:
        return None
    try:
        found = _map(json.loads(data))
    except (ValueError, RecursionError):
        return None
    statement, signature = found.get("statement"), found.get("signature")
    if not isinstance(statement, dict) or not isinstance(signature, dict):
        return None
    statement = cast("dict[str, Any]", statement)
    return (statement, cast("Mapping[str, object]", signature)) if statement.get("form") == FORM else None


def _canonical(statement: Mapping[str, Any]) -> bytes:
    return json.dumps(statement, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "backslashreplace")


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _map(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}
