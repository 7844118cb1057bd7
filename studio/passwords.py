"""Passwords of `--auth-file`: lines `name:scrypt$n$r$p$salt$hash`, made by `python -m studio password`, compared in constant time.

Knows no page: `reader` gives what a login form calls. scrypt: Percival & Josefsson, RFC 7914; its cost as OWASP's password storage
sheet advises (n = 2^16, r = 8, p = 2: 64 MB and about a third of a second on one core).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable
from pathlib import Path

from studio.errors import InvalidInput

N, R, P = 1 << 16, 8, 2
SALT_BYTES, HASH_BYTES = 16, 32
MEMORY_LIMIT = 256 << 20
SHORTEST, LONGEST = 8, 1000  # characters of a password
_NAME = re.compile(r"[^\s:#][^:\n\r\t]{0,99}")
_TAKEN = re.compile(r"hf/.*|guest|local|(visitor|passing)-.*")
"""Names of owners without a login, and of those of the Hub: a login of such a name would be taken for them."""


def line(name: str, password: str) -> str:
    """The line of the file for this name and password; InvalidInput says what a name or password may not be."""
    if not _NAME.fullmatch(name) or name != name.strip():
        raise InvalidInput("A name has 1 to 100 characters, no colon, and does not begin with # or a space.", "name")
    if _TAKEN.fullmatch(name):
        raise InvalidInput(f"{name} is a name that the studio uses itself: choose another.", "name")
    if not SHORTEST <= len(password) <= LONGEST:
        raise InvalidInput(f"A password has {SHORTEST} to {LONGEST} characters: choose another.", "password")
    salt = secrets.token_bytes(SALT_BYTES)
    return f"{name}:scrypt${N}${R}${P}${_text(salt)}${_text(_hash(password, salt, N, R, P))}"


def verify(password: str, stored: str) -> bool:
    """Whether the password made `stored` (`scrypt$n$r$p$salt$hash`). False for what is no such text, or would cost over 256 MB."""
    try:
        kind, n, r, p, salt, wanted = stored.split("$")
        cost = (int(n), int(r), int(p))
        known = (base64.b64decode(salt, validate=True), base64.b64decode(wanted, validate=True))
    except (ValueError, binascii.Error):
        return False
    if kind != "scrypt" or not _affordable(*cost) or len(known[1]) != HASH_BYTES or len(password) > LONGEST:
        return False
    return hmac.compare_digest(_hash(password, known[0], *cost), known[1])


def read(file: Path) -> dict[str, str]:
    """Names to their stored texts. Blank lines and lines beginning with # are left out; InvalidInput names a line that is wrong."""
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        raise InvalidInput(f"The password file {file.name} cannot be read: check the path given as --auth-file.", "auth_file") from None
    found: dict[str, str] = {}
    for number, text in enumerate(lines, 1):
        if not text.strip() or text.startswith("#"):
            continue
        name, colon, stored = text.strip().partition(":")
        if not colon or not re.fullmatch(r"scrypt(\$\d+){3}(\$[A-Za-z0-9+/=]+){2}", stored):
            raise InvalidInput(f"Line {number} of {file.name} is not usable: make it with `python -m studio password`.", "auth_file")
        if _TAKEN.fullmatch(name):
            raise InvalidInput(f"Line {number} of {file.name} has a name that the studio uses itself: choose another.", "auth_file")
        if name in found:
            raise InvalidInput(f"Line {number} of {file.name} names {name} a second time: keep one of the lines.", "auth_file")
        found[name] = stored
    if not found:
        raise InvalidInput(f"{file.name} holds no passwords: add a line made by `python -m studio password`.", "auth_file")
    return found


def reader(file: Path) -> Callable[[str, str], bool]:
    """The check for a login form: (name, password) -> may come in. An unknown name takes as long as a wrong password.

    Raises InvalidInput at once when the file cannot be used.
    """
    stored = read(file)
    nobody = line("nobody", secrets.token_hex(16)).partition(":")[2]

    def may_come_in(name: str, password: str) -> bool:
        right = verify(password, stored.get(name, nobody))
        return right and name in stored

    return may_come_in


def _affordable(n: int, r: int, p: int) -> bool:
    return n > 1 and n & (n - 1) == 0 and r >= 1 and 1 <= p <= 16 and 128 * n * r < MEMORY_LIMIT


def _hash(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    secret = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=MEMORY_LIMIT + (32 << 20), dklen=HASH_BYTES)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
