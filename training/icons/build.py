"""Builds the icon library of the picture starter: fetches the npm packages, draws every kept icon, writes packs, list and notice.

    python -m training.icons.build --work DIR --out assets/icons

Needs npm and resvg-py. The same packages give the same list and the same pixels. Evaluation and text features are separate (features.py).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tomllib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from training.icons.naming import Names, plain
from training.icons.notice import notice
from training.icons.packages import HERE, IconSet, configuration, fetch, icon_sets
from training.icons.render import draw, encode

FORMAT = 1
PACK_BYTES = 9_400_000
# The order of groups decides between things that answer to the same word: a person who asks for a "rose" means the flower.
GROUPS = (
    "animals-nature",
    "food-drink",
    "travel-places",
    "objects",
    "activities",
    "",
    "people-body",
    "smileys-emotion",
    "symbols",
    "flags",
)


@dataclass(frozen=True)
class Chosen:
    """An icon that will be drawn."""

    concept: str
    set: str
    name: str
    svg: str
    outline: bool


def main() -> None:
    """1. fetch, 2. choose, 3. draw, 4. write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--work", type=Path, required=True, help="folder for the fetched packages")
    options.add_argument("--out", type=Path, required=True, help="folder of the library")
    options.add_argument("--processes", type=int, default=2)
    arguments = options.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    arguments.out.mkdir(parents=True, exist_ok=True)

    sets = icon_sets(arguments.work)
    keywords = configuration()["keywords"]
    emojibase = fetch(arguments.work, keywords["package"], keywords["version"])
    names = Names(emojibase)
    chosen = choose(sets, names)
    with ProcessPoolExecutor(arguments.processes) as pool:
        drawn = pool.map(partial(_drawn, arguments.work / "drawn"), chosen, chunksize=16)
        rows, packs = _write_packs(zip(chosen, drawn, strict=True), [about.name for about in sets], arguments.out)
    _write_list(arguments.out / "library.json", sets, names, rows, packs)
    (arguments.out / "NOTICE.md").write_text(notice(sets, (emojibase / "LICENSE").read_text("utf-8")), "utf-8")
    print(f"{len(rows)} icons of {len({row[1] for row in rows})} things in {len(packs)} packs")


def choose(sets: list[IconSet], names: Names) -> list[Chosen]:
    """What goes into the library, in its order: by the groups above, then by emojibase's order, then by set."""

    def place(concept: str) -> tuple[int, int, str]:
        found = names.emoji.get(concept)
        return GROUPS.index(found.group if found else ""), found.order if found else 0, concept

    found = [
        (place(concept), number, Chosen(concept, about.name, name.replace("-", " "), svg, about.style == "Outline"))
        for number, about in enumerate(sets)
        for name, svg in about.icons.items()
        if (concept := names.concept(about, name)) is not None
    ]
    return [chosen for _, _, chosen in sorted(found, key=lambda item: (item[0], item[1], item[2].name))]


def _drawn(kept: Path, chosen: Chosen) -> bytes | None:
    """The encoded picture; drawn ones are kept in the work folder, so that a change of names draws nothing again."""
    kept.mkdir(parents=True, exist_ok=True)
    file = kept / f"{hashlib.sha256(f'{chosen.outline}{chosen.svg}'.encode()).hexdigest()}.webp"
    if not file.exists():
        pixels = draw(chosen.svg, chosen.outline)
        file.write_bytes(b"" if pixels is None else encode(pixels))
    return file.read_bytes() or None


def _write_packs(drawn: Iterator[tuple[Chosen, bytes | None]], sets: list[str], out: Path) -> tuple[list[list[Any]], dict[str, str]]:
    """Lays pictures end to end. Returns rows [name, concept, set, pack, offset, length] and the packs' SHA-256."""
    rows: list[list[Any]] = []
    contents: list[bytearray] = [bytearray()]
    seen: set[tuple[str, str]] = set()
    for chosen, picture in drawn:
        if picture is None or (chosen.concept, hashlib.sha256(picture).hexdigest()) in seen:
            continue
        seen.add((chosen.concept, hashlib.sha256(picture).hexdigest()))
        if len(contents[-1]) + len(picture) > PACK_BYTES:
            contents.append(bytearray())
        rows.append([chosen.name, chosen.concept, sets.index(chosen.set), len(contents) - 1, len(contents[-1]), len(picture)])
        contents[-1] += picture
    for old in out.glob("icons-*.pack"):
        old.unlink()
    packs: dict[str, str] = {}
    for number, content in enumerate(contents):
        (out / f"icons-{number}.pack").write_bytes(content)
        packs[f"icons-{number}.pack"] = hashlib.sha256(content).hexdigest()
    return rows, packs


def _write_list(file: Path, sets: list[IconSet], names: Names, rows: list[list[Any]], packs: dict[str, str]) -> None:
    concepts = list(dict.fromkeys(row[1] for row in rows))
    about = {
        found.name: {
            "title": found.title, "style": found.style, "licence": found.licence, "author": found.author, "version": found.version,
        }
        for found in sets
    }  # fmt: skip
    emoji = {names.emoji[concept].character: concept for concept in concepts if concept in names.emoji}
    parts = {
        "format": json.dumps(FORMAT),
        "sets": _lines(about),
        "inked": json.dumps(configuration()["inked"]),
        "packs": _lines(packs),
        "senses": _lines(_senses(set(concepts))),
        "emoji": json.dumps(emoji, ensure_ascii=False, separators=(",", ":")),
        "concepts": _lines({concept: names.keywords(concept) for concept in concepts}),
        "icons": "[\n" + ",\n".join(json.dumps(row, separators=(",", ":")) for row in rows) + "\n]",
    }
    file.write_text("{" + ",\n".join(f'"{key}": {value}' for key, value in parts.items()) + "}\n", "utf-8")


def _lines(table: dict[str, Any]) -> str:
    """A JSON object with one member a line, so that changes can be read."""
    members = (f"{json.dumps(key, ensure_ascii=False)}:{json.dumps(value, ensure_ascii=False)}" for key, value in table.items())
    return "{\n" + ",\n".join(members) + "\n}"


def _senses(concepts: set[str]) -> dict[str, list[str]]:
    """`senses.toml` as one table, near things marked "~"; raises ValueError when it names what the library does not have."""
    out: dict[str, list[str]] = {}
    for title, table in tomllib.loads((HERE / "senses.toml").read_text("utf-8")).items():
        for word, meant in table.items():
            out[plain(word)] = [f"~{concept}" if title == "near" else concept for concept in meant.split("; ")]
    unknown = sorted({concept.lstrip("~") for meant in out.values() for concept in meant} - concepts)
    if unknown:
        raise ValueError(f"senses.toml names concepts without an icon: {', '.join(unknown)}")
    return out


if __name__ == "__main__":
    main()
