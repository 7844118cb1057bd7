"""Who this studio is: the secret behind its watermarks, and the certificates that its signatures are checked against.

Everything comes from 32 secret bytes in `home/identity`, made at the first run, or from the words of the setting `secret`: the same secret
gives the same root on every machine. The root signs a leaf for each calendar year, which is good for ten, so that what is signed today
stays valid for nine years at least. No name in a certificate tells of a person or a machine. An operator's own key and certificates sign
in their place. Knows no media and no manifest; nothing heavy is imported before something is signed.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from studio.errors import InvalidInput, StudioError
from studio.provenance.certificates import Certified, operators, own
from studio.settings import Settings, on_spaces
from studio.storage import locked, storing, sync_folder

SHORTEST = 16
"""Characters of the setting `secret`: the root's public half lies in every file, so that short words could be guessed from it."""
PEM_LIMIT = 1 << 20

_DAMAGED = (
    "The identity of this studio is damaged: put the folder identity of Atelier's home back from a backup, or move it elsewhere to begin "
    "with a new one, which does not recognise what the old one marked and signed."
)
_README = """The file `secret` beside this one makes this studio recognise what it made: marks and signatures come from it.
Whoever has it can sign as this studio, so keep it to yourself, and keep a copy of it where you keep backups.
"""


@dataclass(frozen=True)
class Identity:
    """A studio's secret and certificates. `kept`: whether the next start has the same secret.

    `chain` is PEM, leaf first; `key` the leaf's, PEM; `root` the PEM of the studio's own root, whoever signs.
    """

    secret: bytes = field(repr=False)
    kept: bool
    words: bytes = field(default=b"", repr=False)
    """The setting `secret`; b'' where the secret lies in the home folder."""
    operator: Certified | None = None
    year: int = 0
    """The calendar year that the own leaf is for; 0: the present one."""

    @classmethod
    def open(cls, settings: Settings) -> Identity:
        """The studio's identity, made if there is none yet. Any number of processes that start at once get the same one.

        Raises InvalidInput for a setting that cannot be used and StudioError for a damaged identity, which is never replaced.
        """
        given = settings.signing_key.get_secret_value().strip() if settings.signing_key else ""
        operator = operators(_pem_text(given)) if given else None
        words = settings.secret.get_secret_value().strip() if settings.secret else ""
        if not words:
            return cls(_stored(settings.home), _stays(settings.home), operator=operator)
        if len(words) < SHORTEST:
            raise InvalidInput(f"ATELIER_SECRET is too short: use {SHORTEST} characters or more that nobody can guess.", "secret")
        return cls(hashlib.sha256(words.encode()).digest(), True, words.encode(), operator)

    @property
    def chain(self) -> str:
        """The certificates of who signs, PEM: leaf, then those that vouch for it."""
        return self.signer.chain

    @property
    def key(self) -> str:
        """The private key that signs, PEM."""
        return self.signer.key

    @property
    def root(self) -> str:
        """The studio's own root, PEM."""
        return self.own.anchor

    @property
    def signer(self) -> Certified:
        """What signs: the operator's certificate if there is one."""
        return self.operator or self.own

    @property
    def own(self) -> Certified:
        """The studio's own certificates, of the present year whatever the clock said when this was opened."""
        return own(self._seed, self.year or datetime.now(UTC).year)

    @cached_property
    def _seed(self) -> bytes:
        """Words are stretched first (scrypt, RFC 7914; 32 MB, about 0.1 s), since the root's public half could be used to guess them."""
        if not self.words:
            return self.secret
        return hashlib.scrypt(self.words, salt=b"atelier identity", n=1 << 15, r=8, p=1, maxmem=64 << 20)[:32]


def _stays(home: Path) -> bool:
    """Whether the home folder outlives this start: on Spaces only where it lies on a disk of its own."""
    return not on_spaces() or _disk(home) != _disk(Path("/"))


def _disk(place: Path) -> int:
    return place.stat().st_dev


def _pem_text(given: str) -> str:
    """The setting's own text, or that of the file it names."""
    if "-----BEGIN" in given:
        return given
    try:
        path = Path(given).expanduser()
        if path.stat().st_size > PEM_LIMIT:
            raise OSError
        return path.read_text("ascii", "replace")
    except (OSError, ValueError, RuntimeError):
        raise InvalidInput("The file that ATELIER_SIGNING_KEY names cannot be read: check its path.", "signing_key") from None


def _stored(home: Path) -> bytes:
    """The secret of this home, made by the first who asks."""
    folder = home / "identity"
    with storing():
        home.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(folder):
            with locked(home / "identity.lock"):
                if not os.path.lexists(folder):
                    _make(folder)
        return _read(folder / "secret")


def _make(folder: Path) -> None:
    """All of the folder at once: what is cut short leaves nothing that could be taken for an identity."""
    for leftover in folder.parent.glob("identity-part-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    part = Path(tempfile.mkdtemp(prefix="identity-part-", dir=folder.parent))  # for this user's eyes alone
    try:
        _write(part / "secret", secrets.token_hex(32) + "\n")
        _write(part / "README.txt", _README)
        sync_folder(part)
        part.rename(folder)
        sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _read(file: Path) -> bytes:
    try:
        if os.name == "posix" and file.stat().st_mode & 0o077:  # unpacked from a backup
            with suppress(PermissionError):
                file.chmod(0o600)
        with file.open("rb") as opened:
            text = opened.read(200)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise StudioError(_DAMAGED) from None
    if not re.fullmatch(rb"[0-9a-f]{64}\s*", text):
        raise StudioError(_DAMAGED)
    return bytes.fromhex(text.decode())


def _write(file: Path, text: str) -> None:
    descriptor = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(descriptor)
