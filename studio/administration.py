"""What whoever looks after a studio sees and does: runs under way, owners, who is blocked, what is removed. Each act is written down.

Owners are named by short ids (see `audit.short`), logins by their names too; nothing that somebody made or typed is shown. Knows no page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from studio.audit import short
from studio.errors import NotFound
from studio.index import reading
from studio.schema import STEPS
from studio.studio import GUEST, Studio
from studio.visitors import KEPT, PASSING

SHOWN = 200
"""Owners that are listed, those of the newest runs first."""


@dataclass(frozen=True)
class UnderWay:
    """A run that waits or has the device. `created` is UTC in ISO 8601."""

    short: str
    kind: str
    model: str
    state: str
    created: str


@dataclass(frozen=True)
class Owner:
    """Somebody whose things are here. `title` is the login's name, else what kind of visitor it is; `bytes` are those of the creations.

    `runs` and `seconds` are today's, where they are counted; `last` is when the newest run was asked for, UTC in ISO 8601 or ''.
    `addresses` are those that are blocked with them now.
    """

    name: str
    title: str
    creations: int
    bytes: int
    runs: int
    seconds: float
    last: str
    blocked: bool
    addresses: int = 0

    @property
    def short(self) -> str:
        """The id by which it is named."""
        return short(self.name)

    @property
    def passing(self) -> bool:
        """Whether nothing but a cookie or a browser session tells who this is: a block by name alone would hold nobody."""
        return self.name == GUEST or self.name.startswith((KEPT, PASSING))


def under_way(studio: Studio) -> tuple[UnderWay, ...]:
    """The runs of this home that wait or have a device, in the order in which they came."""
    with reading(studio.settings.home / "library.sqlite", len(STEPS)) as index:
        rows = index.execute("SELECT owner, kind, model, state, created FROM jobs WHERE state IN ('queued', 'running') ORDER BY seq")
        return tuple(UnderWay(short(owner), *map(str, rest)) for owner, *rest in rows.fetchall())


def owners(studio: Studio) -> tuple[Owner, ...]:
    """Everybody who has something here or had a run today, the newest first."""
    with reading(studio.settings.home / "library.sqlite", len(STEPS)) as index:
        made = {owner: (int(count), int(size or 0)) for owner, count, size in index.execute(_MADE)}
        last = {owner: str(created) for owner, created in index.execute(_LAST)}
    today, blocked = studio.admission.today(), studio.admission.blocked()
    found = [
        Owner(
            name,
            _title(name),
            *made.get(name, (0, 0)),
            *today.get(name, (0, 0.0)),
            last.get(name, ""),
            name in blocked,
            blocked.get(name, 0),
        )
        for name in made.keys() | last.keys() | today.keys() | blocked.keys()
    ]
    return tuple(sorted(found, key=lambda owner: (owner.last, owner.name), reverse=True)[:SHOWN])


def act(studio: Studio, by: str, what: str, whose: str, purge: Callable[[str], None]) -> str:
    """Do one of ACTS and write it down with the name of the admin; returns what was done, in a sentence.

    `whose` is an owner's short id, or that of a component's key for "unload", where '' means all; `purge` removes everything of an owner.
    Raises NotFound for an act or an owner that is not there.
    """
    if what not in ACTS:
        raise NotFound("There is no such act: go back and choose one of the buttons.")
    if what in ("pause", "resume"):
        studio.admission.pause(what == "pause")
        studio.audit.note(what, by=by)
        return ACTS[what]
    if what == "unload":
        keys = [part.key for part in studio.manager.status().residents if whose in ("", short(part.key))]
        studio.audit.note(what, by=by, parts=sum(studio.manager.unload(key) for key in keys))
        return ACTS[what]
    owner = next((one for one in owners(studio) if one.short == whose), None)
    if owner is None:
        raise NotFound("Nobody of that id is here any more: look at the list again.")
    if what == "stop":
        studio.stop(owner.name)
    elif what == "unblock":
        studio.admission.unblock(owner.name)
    elif what == "purge":
        purge(owner.name)
    else:
        studio.admission.block(owner.name, addresses=what == "block_address" or owner.passing)
        studio.stop(owner.name)
    studio.audit.note(what, owner.name, by=by, **({"creations": owner.creations} if what == "purge" else {}))
    return ACTS[what]


ACTS: Mapping[str, str] = {
    "pause": "No run begins from now on; those under way go on.",
    "resume": "Runs begin again.",
    "unload": "What no run uses is unloaded.",
    "stop": "Their runs end at their next step.",
    "block": "No run of theirs begins any more; a visitor's address is blocked for 24 hours, too.",
    "block_address": "No run of theirs begins any more, nor, for 24 hours, one from where their runs came today.",
    "unblock": "Their runs begin again.",
    "purge": "All that they had here is removed.",
}
"""What can be done, and what is said of it."""

_MADE = "SELECT owner, count(*), sum(bytes) FROM creations GROUP BY owner"
_LAST = "SELECT owner, max(created) FROM jobs WHERE task <> '{}' OR state IN ('queued', 'running') GROUP BY owner"


def _title(name: str) -> str:
    if name.startswith(KEPT):
        return "visitor"
    if name.startswith(PASSING) or name == GUEST:
        return "passing visitor"
    return name
