"""Keys and certificates that sign: a studio's own, made from its secret, or an operator's, read from PEM.

Knows X.509 (RFC 5280) and what C2PA asks of a certificate that signs (C2PA 2.2, section 14.5): no authority, `digitalSignature`, a purpose.
Knows no file of the studio, no manifest and no setting but by its name in a sentence.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from studio.errors import InvalidInput

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

YEARS = 10
"""How long a leaf of a studio's own is good for."""
PURPOSES = frozenset(
    {
        "1.3.6.1.5.5.7.3.4",  # e-mail protection
        "1.3.6.1.5.5.7.3.36",  # signing of documents
        "1.3.6.1.4.1.62558.2.1",  # C2PA claims
    }
)
_FIELD = "signing_key"
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the points of curve P-256 (SEC 2, 2.4.2)."""


@dataclass(frozen=True)
class Certified:
    """What signs. `chain` and `key` are PEM, the leaf first; `anchor` is the PEM of the certificate that vouches for the leaf.

    `algorithm` is C2PA's name for the key's kind; `serial` the leaf's serial number; `name` what it calls itself.
    """

    key: str = field(repr=False)
    chain: str
    anchor: str
    algorithm: str
    serial: int
    name: str


@functools.lru_cache(maxsize=4)
def own(seed: bytes, year: int) -> Certified:
    """The certificates that `seed` (secret, 32 bytes) gives a studio for a calendar year; the same bytes each time. Takes about 2 ms."""
    root_key, leaf_key = _derived(seed, "root"), _derived(seed, f"leaf {year}")
    mark = hashlib.sha256(_public(root_key)).hexdigest()[:8].upper()
    name = f"Atelier studio {mark[:4]}-{mark[4:]}"
    issuer, subject = _name(f"{name}, root"), _name(name)
    root = _certificate(issuer, issuer, root_key, root_key, datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
    leaf = _certificate(subject, issuer, leaf_key, root_key, datetime(year - 1, 1, 1, tzinfo=UTC), datetime(year + YEARS, 1, 1, tzinfo=UTC))
    return Certified(_private(leaf_key), _pem(leaf) + _pem(root), _pem(root), "es256", leaf.serial_number, name)


def operators(text: str) -> Certified:
    """An operator's own key and certificates from PEM text. Raises InvalidInput with a sentence for what cannot sign."""
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization

    blocks = re.findall(r"(-----BEGIN ([A-Z0-9 ]+)-----.+?-----END \2-----)", text.replace("\\n", "\n"), re.DOTALL)
    keys = [block for block, kind in blocks if kind.endswith("PRIVATE KEY")]
    if len(keys) != 1 or "ENCRYPTED" in keys[0]:
        raise _refusal("needs exactly one private key without a password")
    try:
        key = serialization.load_pem_private_key(keys[0].encode(), None)
        certificates = [x509.load_pem_x509_certificate(block.encode()) for block, kind in blocks if kind == "CERTIFICATE"]
    except (ValueError, TypeError):
        raise _refusal("holds a damaged key or certificate: copy the PEM text again") from None
    leaf = next((entry for entry in certificates if entry.public_key() == key.public_key()), None)
    if leaf is None:
        raise _refusal("holds no certificate for its key: put the certificate and those that vouch for it behind the key")
    chain = _ordered(leaf, certificates)
    _check(leaf, chain)
    plain = serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
    name = leaf.subject.rfc4514_string()
    return Certified(pem, "".join(map(_pem, chain)), _pem(chain[-1]), _algorithm(key), leaf.serial_number, name)


def _derived(seed: bytes, purpose: str) -> EllipticCurvePrivateKey:
    """A key of P-256: 512 bits of HMAC over the purpose, taken modulo the group's order less one (FIPS 186-5, A.2.1)."""
    from cryptography.hazmat.primitives.asymmetric import ec

    number = int.from_bytes(hmac.digest(seed, f"atelier 1 {purpose}".encode(), "sha512"), "big")
    return ec.derive_private_key(number % (_ORDER - 1) + 1, ec.SECP256R1())


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: EllipticCurvePrivateKey, signer: EllipticCurvePrivateKey, since: datetime, until: datetime
) -> x509.Certificate:
    """A root where `key` is `signer`, else a leaf."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    root = key is signer
    usage = {"digital_signature": not root, "key_cert_sign": root, "crl_sign": root}
    never = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only", "decipher_only"), False
    )
    serial = int.from_bytes(hashlib.sha256(_public(key) + str(until.year).encode()).digest()[:16], "big") >> 1
    builder = (
        x509.CertificateBuilder(issuer, subject, key.public_key(), serial, since, until)
        .add_extension(x509.BasicConstraints(root, 0 if root else None), critical=True)
        .add_extension(x509.KeyUsage(**usage, **never), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if not root:
        vouching = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
        builder = builder.add_extension(vouching, critical=False)
    return builder.sign(signer, hashes.SHA256(), ecdsa_deterministic=True)


def _name(common: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Atelier"), x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _public(key: EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _private(key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _pem(certificate: x509.Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _refusal(why: str) -> InvalidInput:
    return InvalidInput(f"The signing key in ATELIER_SIGNING_KEY {why}, or leave that setting empty to sign as the studio itself.", _FIELD)


def _ordered(leaf: x509.Certificate, others: list[x509.Certificate]) -> list[x509.Certificate]:
    """The leaf, then each certificate that vouches for the one before it."""
    chain = [leaf]
    while (above := next((entry for entry in others if entry not in chain and _vouches(entry, chain[-1])), None)) is not None:
        chain.append(above)
    return chain


def _vouches(issuer: x509.Certificate, subject: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        subject.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _check(leaf: x509.Certificate, chain: list[x509.Certificate]) -> None:
    """Refuse what a verifier would refuse later."""
    from cryptography import x509

    now = datetime.now(UTC)
    if not leaf.not_valid_before_utc <= now < leaf.not_valid_after_utc:
        raise _refusal(
            f"is good from {leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d} only: renew its certificate"
        )
    try:
        authority = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        authority = False
    if authority or len(chain) < 2:
        raise _refusal("has no certificate that another one vouches for: add the certificates of who issued it")
    try:
        signs = leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
        purposes = {entry.dotted_string for entry in leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value}
    except x509.ExtensionNotFound:
        signs, purposes = False, set[str]()
    if not signs or not purposes & PURPOSES:
        raise _refusal("has a certificate for other purposes: use one for e-mail protection, signing of documents or C2PA claims")


def _algorithm(key: PrivateKeyTypes) -> str:
    """C2PA's name for how this key signs (C2PA 2.2, section 13.2)."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    curves = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in curves:
        return curves[key.curve.name]
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return "ps256"
    raise _refusal("is of a kind that cannot sign: use one of the curves P-256, P-384 or P-521, Ed25519, or RSA of 2,048 bits or more")
