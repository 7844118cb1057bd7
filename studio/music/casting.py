"""Who plays what: instruments asked for by name take roles of a genre, the genre's own players take the rest. Knows no prompt."""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from studio.music.genres import Genre, GenrePart, Groove
from studio.music.instruments import INSTRUMENTS, Instrument

PARTS_LIMIT = 7


@dataclass(frozen=True)
class Player:
    """An instrument in a role of a piece."""

    role: str
    instrument: str


def cast(genre: Genre, wanted: Sequence[Instrument], only: bool, without: Collection[str], seed: int) -> tuple[Player, ...]:
    """The players of a piece, the melody first, in the genre's order.

    `wanted` instruments come in, the first that can carries the melody. `only` them, if so said; else the genre's own join, except those
    `without` which it must do (names or roles). The players of a cast, asked for as `only`, make the same cast again.
    """
    taken = _asked(genre, wanted, only)
    if not only:
        used = {player.instrument for player in taken.values()}
        for index, part in enumerate(genre.part):
            if index not in taken and part.role not in without and len(taken) < PARTS_LIMIT:
                name = _liked(part, used, without, random.Random(f"{seed} {genre.name} {index}"))
                if name:
                    taken[index] = Player(part.role, name)
                    used.add(name)
    return tuple(taken[index] for index in sorted(taken))


def parts_for(genre: Genre, players: Sequence[Player]) -> tuple[tuple[Player, GenrePart], ...]:
    """Each player with what the genre says of its role; a role that the genre does not have holds the chords."""
    rest, found = list(genre.part), list[tuple[Player, GenrePart]]()
    for player in players:
        part = next((part for part in rest if part.role == player.role), None)
        if part is not None:
            rest.remove(part)
        found.append((player, part or _plain(player)))
    return tuple(found)


def _asked(genre: Genre, wanted: Sequence[Instrument], only: bool) -> dict[float, Player]:
    """Places in the genre's order, fractions for what has no place of its own."""
    taken: dict[float, Player] = {}
    first = next((one for one in wanted if "melody" in one.roles), None)
    rest = list(wanted)
    if first is not None:
        rest.remove(first)
        taken[0] = Player("melody", first.name)
    for order, one in enumerate(rest[: PARTS_LIMIT - 1]):
        open_parts = [(index, part) for index, part in enumerate(genre.part) if index not in taken and part.role != "melody"]
        free = [index for index, part in open_parts if part.role in one.roles or one.name in part.instruments]
        liked = [index for index in free if one.name in genre.part[index].instruments]
        if free:
            place = (liked or free)[0]
            taken[place] = Player(genre.part[place].role, one.name)
        else:
            roles = [role for role in one.roles if role not in ("melody", "chords")] or ["counter"]
            role = "pad" if "pad" in roles else "counter" if "counter" in roles else roles[0]
            if only or role not in ("bass", "drums"):
                taken[len(genre.part) - 1 - 0.5 + order / 100] = Player(role, one.name)
    return taken


def _liked(part: GenrePart, used: Collection[str], without: Collection[str], rng: random.Random) -> str:
    allowed = [name for name in part.instruments if name not in without]
    fresh = [name for name in allowed if name not in used] or allowed
    if not fresh:
        return ""
    weights = [2.0 if index == 0 else 1.0 for index in range(len(fresh))]
    return rng.choices(fresh, weights)[0]


def _plain(player: Player) -> GenrePart:
    instrument = INSTRUMENTS[player.instrument]
    steps = {"bass": "R-------5-------", "drums": "kick x...|....|x...|....\nhat x.x.|x.x.|x.x.|x.x.", "arpeggio": "1-2-3-4-3-2-1-2-"}
    groove = () if player.role in ("melody", "counter") else (Groove(steps=steps.get(player.role, "x---------------")),)
    low = max(instrument.low, 52)
    return GenrePart(
        role=player.role,
        instruments=(player.instrument,),
        low=low,
        high=min(instrument.high, low + 22),
        volume=0.6,
        velocity=62,
        pan=-0.2,
        voices=3,
        groove=groove,
    )
