"""Visitors of a public studio who have no login: signed names that a browser keeps, and when each was last here.

A name is random and says nothing of a person. What belongs to it goes a day after its last visit. A browser that keeps no cookie is known
by its network address and its session together, never by the session alone. Knows no page, no cookie header and no library.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from contextlib import suppress
from pathlib import Path

KEPT_SECONDS = 24 * 3600
"""How long a visitor's things stay after the last visit."""
TOUCH_SECONDS = 300
"""A visit is written down again after so long."""
KEPT, PASSING = "visitor-", "passing-"
_NAME = re.compile(r"(?:visitor|passing)-[0-9a-f]{32}")


class Visitors:
    """The visitors whose last visits lie as empty files in `home/visitors`. Thread-safe; several processes may share the home."""

    def __init__(self, home: Path, secret: bytes) -> None:
        """`secret` signs: the same one knows its visitors again after a start."""
        self._folder = home / "visitors"
        self._key = hashlib.sha256(b"visitors " + secret).digest()
        self._written: dict[str, float] = {}

    def new(self) -> str:
        """A name nobody has."""
        return KEPT + secrets.token_hex(16)

    def signed(self, name: str) -> str:
        """What a browser is given to keep: the name and its signature (HMAC-SHA256)."""
        return f"{name}.{self._sign(name)}"

    def known(self, given: str) -> str | None:
        """The name in what a browser brought back; None unless this studio signed it."""
        name, _, signature = given.partition(".")
        right = _NAME.fullmatch(name) and name.startswith(KEPT) and hmac.compare_digest(signature.encode(), self._sign(name).encode())
        return name if right else None

    def passing(self, address: str, session: str = "") -> str:
        """The name of a browser or program without a cookie: of its address, and of one of its sessions if given."""
        return PASSING + self._sign(f"{address}\n{session}")[:32]

    def seen(self, name: str) -> None:
        """Write down that this visitor is here. Names of another form, such as a login's, are no visitors."""
        now = time.time()
        if not _NAME.fullmatch(name) or now - self._written.get(name, 0) < TOUCH_SECONDS:
            return
        if len(self._written) > 10_000:
            self._written.clear()
        self._written[name] = now
        with suppress(OSError):  # a home that is read-only keeps nothing of theirs either
            self._folder.mkdir(parents=True, exist_ok=True)
            (self._folder / name).touch()

    def left(self, name: str) -> None:
        """Nothing of this visitor is kept any more."""
        self._written.pop(name, None)
        if _NAME.fullmatch(name):
            with suppress(OSError):
                (self._folder / name).unlink(missing_ok=True)

    def gone(self) -> tuple[str, ...]:
        """The names whose last visit is longer ago than `KEPT_SECONDS`."""
        limit = time.time() - KEPT_SECONDS
        found: list[str] = []
        with suppress(OSError):
            for file in self._folder.iterdir():
                with suppress(OSError):
                    if _NAME.fullmatch(file.name) and file.stat().st_mtime < limit:
                        found.append(file.name)
        return tuple(sorted(found))

    def _sign(self, text: str) -> str:
        return hmac.new(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()
