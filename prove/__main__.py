"""`python -m prove [--quick] [--write]`: measure everything and print the tables; exit status 1 if something does not hold.

--quick takes a fifth of the users, the time and the kills, and leaves the tests out; --only NAME measures one part alone;
--write keeps each part's table in docs/proof.md, where those of other parts stay.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from prove import creeping, killing, leaving, load, suites
from prove.table import Row, printed
from studio.settings import Settings

ROOT = Path(__file__).resolve().parent.parent
PROOF = ROOT / "docs" / "proof.md"
TITLE = "# What was measured\n\nBy `make prove`, which starts a real studio with its starters for each part and prints these tables.\n"
HEADS = {
    "load": "Many users at once",
    "creeping": "Memory after many runs",
    "leaving": "Leaving and coming back",
    "killing": "Killed while it works",
    "suites": "The tests of the door, of saving and of access",
}


def main() -> int:
    """Measure, print, and say whether all of it holds."""
    parser = argparse.ArgumentParser(prog="python -m prove", description="Measure what is claimed of a studio among strangers.")
    parser.add_argument("--quick", action="store_true", help="a fifth of it, without the tests")
    parser.add_argument("--only", choices=tuple(HEADS), help="one part alone")
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/proof.md")
    options = parser.parse_args()
    measured: list[Row] = []
    for name, part in _parts(options.quick).items():
        if options.only not in (None, name):
            continue
        if rows := list(part()):
            table = printed(rows)
            print(f"\n{HEADS[name]}\n\n{table}", flush=True)
            if options.write:
                PROOF.write_text(kept(PROOF.read_text("utf-8") if PROOF.exists() else "", name, table), "utf-8")
            measured += rows
    return 0 if measured and all(row.holds for row in measured) else 1


def kept(before: str, name: str, table: str) -> str:
    """The page of tables with that of the part `name` in its place; the other parts' stay."""
    tables = dict(section.split("\n", 1) for section in before.split("\n## ")[1:])
    tables[HEADS[name]] = f"\n{table}\n"
    return TITLE + "".join(f"\n## {head}\n{tables[head].rstrip()}\n" for head in HEADS.values() if head in tables)


def _parts(quick: bool) -> dict[str, Callable[[], Iterator[Row]]]:
    cache = Settings().cache

    def served(measure: Callable[[Path], list[Row]]) -> Callable[[], Iterator[Row]]:
        def part() -> Iterator[Row]:
            with tempfile.TemporaryDirectory(prefix="atelier-prove-") as folder:
                yield from _told(measure(Path(folder)))

        return part

    def tests() -> Iterator[Row]:
        for _, places in () if quick else suites.SUITES:
            row = suites.measured(places)
            yield from _told([row] if row else [])

    return {
        "load": served(lambda folder: load.measured(cache, folder, *((10, 24) if quick else (50, 120)))),
        "creeping": served(lambda folder: creeping.measured(cache, folder, 60 if quick else 300)),
        "leaving": served(lambda folder: leaving.measured(cache, folder, 40 if quick else 200)),
        "killing": served(lambda folder: killing.measured(cache, folder, 10 if quick else 50)),
        "suites": tests,
    }


def _told(rows: list[Row]) -> list[Row]:
    """Each row is said as soon as it is known: all of it takes most of an hour."""
    for row in rows:
        print(f"{'holds ' if row.holds else 'MISSED'} {row.what}: {row.found} (must be {row.bar})", file=sys.stderr, flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
