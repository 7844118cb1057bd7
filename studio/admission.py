"""Who may begin a run now: nobody while the studio pauses, not who was blocked, nor who has had a day's share of runs or device time.

A day begins at 00:00 UTC. An owner is counted by name and by the network address of the request, so that who drops a cookie gets no more;
an address has the share of `CROWD` owners, since schools and offices have one. Addresses are kept as keyed hashes alone, those of the
shares until the day is over, those that are blocked for `ADDRESS_HOURS`. Everything lies in one file of home and outlives a start. Knows no
page, no task and no model.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.errors import Busy, Refused
from studio.index import Index, moment
from studio.settings import Settings
from studio.storage import storing

CROWD = 20
"""An address may have so many times as much as one owner."""
ADDRESS_HOURS = 24
"""So long an address is blocked with an owner: others may share it, and others get it later."""
PUBLIC_RUNS, PUBLIC_MINUTES = 500, 60.0
"""A day's share of one owner of a public studio where the settings say nothing."""
FEW_RUNS, FEW_SECONDS = 20, 300.0
"""With so much left it is said before each run."""
PAUSED = "This studio takes no new runs at the moment: try again later. What you have made stays where it is."
BLOCKED = "This studio takes no runs from you any more: if that is a mistake, write to whoever runs it."
_STEPS = (
    """
    CREATE TABLE used (
        day TEXT NOT NULL, who TEXT NOT NULL, runs INTEGER NOT NULL DEFAULT 0, seconds REAL NOT NULL DEFAULT 0, PRIMARY KEY (day, who));
    CREATE TABLE came (day TEXT NOT NULL, owner TEXT NOT NULL, address TEXT NOT NULL, PRIMARY KEY (day, owner, address));
    CREATE TABLE blocked (who TEXT PRIMARY KEY, owner TEXT NOT NULL, since TEXT NOT NULL);
    CREATE TABLE said (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    """,
)


@dataclass(frozen=True)
class Share:
    """What an owner has left today: `runs` and `seconds` of the device, None where they are not counted."""

    runs: int | None
    seconds: float | None

    @property
    def scarce(self) -> bool:
        """Whether so little is left that it matters for the next run."""
        return (self.runs is not None and self.runs <= FEW_RUNS) or (self.seconds is not None and self.seconds <= FEW_SECONDS)

    @property
    def words(self) -> str:
        """For example 'Left for you today: 12 runs and 4 minutes; all of it is back at 00:00 UTC.'; '' where nothing is counted."""
        parts = [f"{self.runs:,} run{'' if self.runs == 1 else 's'}"] if self.runs is not None else []
        parts += [_time(self.seconds)] if self.seconds is not None else []
        return f"Left for you today: {' and '.join(parts)}; all of it is back at 00:00 UTC." if parts else ""


class Admission:
    """The door of one home's runs. Thread-safe; several processes may share the home. Opens nothing while it has nothing to keep."""

    def __init__(self, home: Path, runs: int = 0, seconds: float = 0, *, secret: bytes = b"", free: frozenset[str] = frozenset()) -> None:
        """`runs` and `seconds` are an owner's share of a day, 0 without end; `free` are owners who are never held up."""
        self._file = home / "admission.sqlite"
        self._runs, self._seconds, self._free = runs, seconds, free
        self._key = hashlib.sha256(b"admission " + secret).digest()
        self._lock = threading.RLock()
        self._opened: Index | None = None

    @classmethod
    def of(cls, settings: Settings, secret: bytes) -> Admission:
        """The door that the settings ask for."""
        usual = (PUBLIC_RUNS, PUBLIC_MINUTES) if settings.public else (0, 0.0)
        runs = usual[0] if settings.daily_runs is None else settings.daily_runs
        minutes = usual[1] if settings.daily_minutes is None else settings.daily_minutes
        return cls(settings.home, runs, minutes * 60, secret=secret, free=settings.admin_names)

    def check(self, owner: str, address: str = "") -> None:
        """Raises Busy while the studio pauses, Refused for who was blocked, Busy for who has had a day's share."""
        if owner in self._free or not self._kept:
            return
        if self.paused:
            raise Busy(PAUSED)
        if self._index.rows(_IS_BLOCKED, owner, self._address(address), _since()):
            raise Refused(BLOCKED)
        for who, times in self._counted(owner, address).items():
            runs, seconds = self._used(who)
            if self._runs and runs >= self._runs * times:
                raise Busy(f"Today's {self._runs:,} runs are used up: you have them back at 00:00 UTC.")
            if self._seconds and seconds >= self._seconds * times:
                raise Busy(f"Today's {_time(self._seconds)} of the device are used up: you have them back at 00:00 UTC.")

    def begun(self, owner: str, address: str = "") -> None:
        """Check, and count a run that begins."""
        with self._lock:
            self.check(owner, address)
            if not self._counts and not address:
                return
            day = _day()
            with self._index.transaction() as index:
                for table in ("used", "came"):
                    index.execute(f"DELETE FROM {table} WHERE day <> ?", (day,))  # noqa: S608 (one of two names)
                for who in self._counted(owner, address) if self._counts else ():
                    index.execute(_ADD, (day, who, 1, 0.0))
                if address:  # also where nothing is counted: a block may have to know it
                    index.execute("INSERT OR IGNORE INTO came VALUES (?, ?, ?)", (day, owner, self._address(address)))

    def took(self, owner: str, address: str, seconds: float) -> None:
        """A run had the device for so many seconds."""
        if self._counts and seconds > 0:
            with self._index.transaction() as index:
                for who in self._counted(owner, address):
                    index.execute(_ADD, (_day(), who, 0, seconds))

    def left(self, owner: str, address: str = "") -> Share:
        """What an owner has left today."""
        if owner in self._free or not self._counts:
            return Share(None, None)
        used = [(*self._used(who), times) for who, times in self._counted(owner, address).items()]
        runs = min(max(0, self._runs * times - done) for done, _, times in used)
        seconds = min(max(0.0, self._seconds * times - spent) for _, spent, times in used)
        return Share(runs if self._runs else None, seconds if self._seconds else None)

    def pause(self, paused: bool) -> None:
        """Let no run begin from now on, or let them begin again."""
        with self._index.transaction(durable=True) as index:
            index.execute("INSERT OR REPLACE INTO said VALUES ('paused', ?)", ("1" if paused else "",))

    @property
    def paused(self) -> bool:
        """Whether no run may begin."""
        return self._kept and any(row["value"] for row in self._index.rows("SELECT value FROM said WHERE name = 'paused'"))

    def block(self, owner: str, *, addresses: bool = False) -> None:
        """Let no run of this owner begin any more; with `addresses` nor any, for `ADDRESS_HOURS`, from where their runs came today."""
        known = [row["address"] for row in self._index.rows("SELECT address FROM came WHERE owner = ?", owner)] if addresses else []
        with self._index.transaction(durable=True) as index:
            index.execute("DELETE FROM blocked WHERE who LIKE 'address %' AND since <= ?", (_since(),))
            index.executemany("INSERT OR REPLACE INTO blocked VALUES (?, ?, ?)", [(who, owner, moment()) for who in (owner, *known)])

    def unblock(self, owner: str) -> None:
        """Take a block back, with its addresses."""
        with self._index.transaction(durable=True) as index:
            index.execute("DELETE FROM blocked WHERE owner = ?", (owner,))

    def blocked(self) -> Mapping[str, int]:
        """The owners who are blocked, and how many addresses still are with each."""
        rows = self._index.rows(_BLOCKED, _since()) if self._kept else []
        return {row["owner"]: int(row["more"]) for row in rows}

    def today(self) -> Mapping[str, tuple[int, float]]:
        """Who had runs today: how many, and for how many seconds; addresses are left out."""
        rows = self._index.rows("SELECT who, runs, seconds FROM used WHERE day = ?", _day()) if self._kept else []
        return {row["who"]: (int(row["runs"]), float(row["seconds"])) for row in rows if not row["who"].startswith("address ")}

    def close(self) -> None:
        """Give the file up."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
            self._opened = None

    @property
    def _counts(self) -> bool:
        return bool(self._runs or self._seconds)

    @property
    def _kept(self) -> bool:
        """Whether there is anything to look up."""
        return self._counts or self._file.exists()

    @property
    def _index(self) -> Index:
        with self._lock, storing():
            if self._opened is None:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                self._opened = Index(self._file, _STEPS)
            return self._opened

    def _used(self, who: str) -> tuple[int, float]:
        rows = self._index.rows("SELECT runs, seconds FROM used WHERE day = ? AND who = ?", _day(), who)
        return (int(rows[0]["runs"]), float(rows[0]["seconds"])) if rows else (0, 0.0)

    def _counted(self, owner: str, address: str) -> dict[str, int]:
        """Under which names an owner's runs are counted, and how many shares each has."""
        return {owner: 1} | ({self._address(address): CROWD} if address else {})

    def _address(self, address: str) -> str:
        return f"address {hmac.new(self._key, address.encode(), hashlib.sha256).hexdigest()[:24]}" if address else ""


_ADD = (
    "INSERT INTO used VALUES (?1, ?2, ?3, ?4)"
    " ON CONFLICT (day, who) DO UPDATE SET runs = runs + excluded.runs, seconds = seconds + excluded.seconds"
)


_IS_BLOCKED = "SELECT 1 FROM blocked WHERE who = ?1 OR (who = ?2 AND since > ?3)"
_BLOCKED = "SELECT owner, sum(who LIKE 'address %' AND since > ?) AS more FROM blocked GROUP BY owner"


def _since() -> str:
    """Addresses that were blocked before are free again."""
    return moment(-ADDRESS_HOURS / 24)


def _day() -> str:
    return moment()[:10]


def _time(seconds: float) -> str:
    whole = max(0, round(seconds))
    return f"{whole} second{'' if whole == 1 else 's'}" if whole < 120 else f"{whole // 60} minutes"
