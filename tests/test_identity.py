"""Who a studio is: one secret for everything, kept, shared by processes, never replaced; certificates that others can check."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from studio.errors import InvalidInput, StudioError
from studio.provenance import identity as module
from studio.provenance.certificates import own
from studio.provenance.identity import Identity
from studio.settings import Settings

WORDS = "correct horse battery staple"
ROOT = Path(__file__).parent.parent


def certificates(pem: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(pem.encode())


def pem_of(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


def issued(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, days: int = 90, purpose: str = "1.3.6.1.5.5.7.3.4", ca: bool = False
) -> str:
    """A key with a certificate from a certificate authority of its own, as PEM in no helpful order."""
    authority = ec.derive_private_key(7, ec.SECP256R1())
    names = [x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, name)]) for name in ("Authority", "Operator")]
    now = datetime.now(UTC)
    usage = x509.KeyUsage(not ca, False, False, False, False, ca, ca, False, False)
    since, until = now + timedelta(days=min(days, 0) - 30), now + timedelta(days=days)
    root = x509.CertificateBuilder(names[0], names[0], authority.public_key(), 1, now - timedelta(days=99), now + timedelta(days=99))
    root = root.add_extension(x509.BasicConstraints(True, None), critical=True).sign(authority, hashes.SHA256())
    leaf = x509.CertificateBuilder(names[0], names[1], key.public_key(), 2, since, until).add_extension(usage, critical=True)
    leaf = leaf.add_extension(x509.BasicConstraints(ca, None), critical=True)
    leaf = leaf.add_extension(x509.ExtendedKeyUsage([x509.ObjectIdentifier(purpose)]), critical=False)
    leaf = leaf.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    chain = [root, leaf.sign(authority, hashes.SHA256())]
    return "".join(entry.public_bytes(serialization.Encoding.PEM).decode() for entry in chain) + pem_of(key)


def test_an_identity_is_made_once_and_found_again(home: Path) -> None:
    first, second = (Identity.open(Settings(home=home)) for _ in range(2))
    assert first == second
    assert len(first.secret) == 32
    assert first.kept
    assert (first.chain, first.key, first.root) == (second.chain, second.key, second.root)
    assert Identity.open(Settings(home=home / "other")).secret != first.secret


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_what_is_secret_is_for_this_user_alone_even_after_a_backup_was_unpacked(home: Path) -> None:
    Identity.open(Settings(home=home))
    files = list((home / "identity").iterdir())
    assert {file.name: file.stat().st_mode & 0o777 for file in files} == {"secret": 0o600, "README.txt": 0o600}
    assert (home / "identity").stat().st_mode & 0o777 == 0o700
    (home / "identity" / "secret").chmod(0o644)
    Identity.open(Settings(home=home))
    assert (home / "identity" / "secret").stat().st_mode & 0o777 == 0o600


def test_two_processes_that_start_at_once_get_the_same_identity_and_import_nothing_heavy(home: Path) -> None:
    home.mkdir()
    program = "import sys; from studio.settings import Settings; from studio.provenance import identity, signing\n"
    program += "print('ready', flush=True); sys.stdin.readline(); found = identity.Identity.open(Settings(home=sys.argv[1]))\n"
    program += "print(signing.SIGNED[0], found.secret.hex(), {'c2pa', 'cryptography'} & {*sys.modules})"
    other = subprocess.Popen([sys.executable, "-c", program, str(home)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdin is not None
    assert other.stdout is not None
    assert other.stdout.readline() == "ready\n"
    other.stdin.write("go\n")
    other.stdin.flush()
    found = Identity.open(Settings(home=home))
    assert other.communicate()[0] == f".png {found.secret.hex()} set()\n"
    assert not list(home.glob("identity-part-*"))


@pytest.mark.parametrize("content", [b"", b"0" * 63, b"not hexadecimal" * 5, b"\xff" * 64, b"a" * 1000])
def test_a_damaged_identity_is_said_and_never_replaced(home: Path, content: bytes) -> None:
    Identity.open(Settings(home=home))
    (home / "identity" / "secret").write_bytes(content)
    with pytest.raises(StudioError, match="backup, or move it elsewhere"):
        Identity.open(Settings(home=home))
    assert (home / "identity" / "secret").read_bytes() == content


def test_an_identity_without_its_secret_is_damaged_too(home: Path) -> None:
    Identity.open(Settings(home=home))
    (home / "identity" / "secret").unlink()
    with pytest.raises(StudioError, match="backup, or move it elsewhere"):
        Identity.open(Settings(home=home))
    assert not (home / "identity" / "secret").exists()


def test_a_start_that_was_cut_short_leaves_nothing_that_counts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "no room")

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fsync", full)
        with pytest.raises(StudioError, match="disk is full"):
            Identity.open(Settings(home=home))
    assert [path.name for path in home.iterdir()] == ["identity.lock"]
    (home / "identity-part-killed").mkdir()
    assert Identity.open(Settings(home=home)).kept
    assert not (home / "identity-part-killed").exists()


def test_the_same_words_make_the_same_studio_on_every_machine(home: Path) -> None:
    here, there = (Identity.open(Settings.model_validate({"home": home / name, "secret": WORDS})) for name in ("here", "there"))
    assert here.secret == there.secret
    assert here.root == there.root
    assert here.kept
    assert not home.exists()
    assert Identity.open(Settings.model_validate({"home": home, "secret": WORDS + "!"})).secret != here.secret


def test_words_that_could_be_guessed_are_refused(home: Path) -> None:
    with pytest.raises(InvalidInput, match="16 characters or more"):
        Identity.open(Settings.model_validate({"home": home, "secret": "short"}))


def test_a_space_without_a_disk_of_its_own_keeps_its_identity_only_by_its_words(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYSTEM", "spaces")
    words = Settings.model_validate({"home": home, "secret": WORDS})
    monkeypatch.setattr(module, "_disk", lambda _: 1)
    assert not Identity.open(Settings(home=home)).kept
    assert Identity.open(words).kept
    monkeypatch.setattr(module, "_disk", lambda place: 2 if place == home else 1)
    assert Identity.open(Settings(home=home)).kept


def test_no_secret_is_shown(home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_SECRET", WORDS)
    monkeypatch.setenv("ATELIER_SIGNING_KEY", issued(ec.derive_private_key(5, ec.SECP256R1())))
    with pytest.raises(SystemExit):
        Settings(_cli_parse_args=["--help"])  # pyright: ignore[reportCallIssue]
    given = Settings(home=home)
    identity = Identity.open(given)
    identity.chain  # noqa: B018 - what is made late must not be shown either
    shown = f"{capsys.readouterr()} {given!r} {given.model_dump_json()} {identity!r}"
    assert "--secret" in shown
    assert not [word for word in (WORDS, "PRIVATE", identity.secret.hex(), repr(identity.secret)) if word in shown]


def test_the_root_vouches_for_the_leaf_and_names_nobody(home: Path) -> None:
    identity = Identity.open(Settings(home=home))
    leaf, root = certificates(identity.chain)
    leaf.verify_directly_issued_by(root)
    assert certificates(identity.root) == [root]
    for certificate in (leaf, root):
        assert {entry.rfc4514_attribute_name for entry in certificate.subject} == {"O", "CN"}
        assert str(certificate.subject).count("Atelier") == 2
    key = serialization.load_pem_private_key(identity.key.encode(), None)
    assert key.public_key() == leaf.public_key()
    assert identity.signer.algorithm == "es256"


def test_each_year_has_a_leaf_of_the_same_root_that_is_good_for_nine_years_more(home: Path) -> None:
    identity = Identity.open(Settings(home=home))
    (leaf, root), (renewed, same) = (certificates(replace(identity, year=year).chain) for year in (2026, 2035))
    assert same == root
    renewed.verify_directly_issued_by(root)
    assert renewed.serial_number != leaf.serial_number
    last_day = datetime(2026, 12, 31, tzinfo=UTC)
    assert str(datetime.now(UTC).year - 1) in str(certificates(identity.chain)[0].not_valid_before_utc)
    assert leaf.not_valid_before_utc < last_day < last_day + timedelta(days=9 * 365) < leaf.not_valid_after_utc < root.not_valid_after_utc


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec.derive_private_key(11, ec.SECP256R1()), "es256"),
        (ec.derive_private_key(11, ec.SECP384R1()), "es384"),
        (ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))), "ed25519"),
    ],
)
def test_an_operators_certificate_signs_in_place_of_the_own(
    key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey, algorithm: str, home: Path, tmp_path: Path
) -> None:
    file = tmp_path / "operator.pem"
    file.write_text(issued(key))
    own_root = Identity.open(Settings(home=home)).root
    for given in (str(file), file.read_text(), file.read_text().replace("\n", "\\n")):
        identity = Identity.open(Settings.model_validate({"home": home, "signing_key": given}))
        assert identity.signer.algorithm == algorithm
        assert [entry.serial_number for entry in certificates(identity.chain)] == [2, 1]
        assert identity.key == pem_of(key)
        assert identity.root == own_root


KEY = ec.derive_private_key(11, ec.SECP256R1())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("/nowhere/key.pem", "cannot be read: check its path"),
        ("x" * 5000, "cannot be read: check its path"),
        ("-----BEGIN nothing", "needs exactly one private key"),
        (issued(KEY) + pem_of(KEY), "needs exactly one private key"),
        (pem_of(KEY), "no certificate for its key"),
        (issued(KEY).replace(pem_of(KEY), pem_of(ec.derive_private_key(12, ec.SECP256R1()))), "no certificate for its key"),
        (issued(KEY).replace("MI", "XX"), "damaged key or certificate"),
        (issued(KEY, days=-5), "renew its certificate"),
        (issued(KEY, ca=True), "add the certificates of who issued it"),
        (
            own(bytes(32), 2026).key + certificates(own(bytes(32), 2026).chain)[0].public_bytes(serialization.Encoding.PEM).decode(),
            "add the cert",
        ),
        (issued(KEY, purpose="1.3.6.1.5.5.7.3.1"), "for other purposes"),
        (issued(ec.derive_private_key(9, ec.SECP256K1())), "kind that cannot sign"),
    ],
)
def test_a_signing_key_that_cannot_sign_is_refused_in_a_sentence(given: str, sentence: str, home: Path) -> None:
    with pytest.raises(InvalidInput, match=sentence) as refusal:
        Identity.open(Settings.model_validate({"home": home, "signing_key": given}))
    assert refusal.value.field == "signing_key"
    assert str(refusal.value).endswith(".")
