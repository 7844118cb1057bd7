"""The library at 100,000 creations: the first page, a search and a star; and two processes that save 1,000 creations each at once.

PYTHONPATH=. python benchmarks/library.py [--items 100000] [--saves 1000]
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from benchmarks._measure import machine
from studio.index import to_text
from studio.library import Library
from studio.shelf import Filter
from studio.storage import new_id
from tests.samples import record

ROUNDS = 9
LIMITS = {"first page": 150, "search": 200, "star": 20}
"""Milliseconds of a core, at most."""
GROWTH = 30
"""MB, at most; the index keeps 17 of its file in memory."""

WORDS = (
    "apple river lantern harbour meadow violin thunder copper market window castle garden winter silver morning ocean forest bridge"
    " candle feather mountain sparrow station velvet shadow mirror island tower engine ribbon desert glacier orchard marble"
).split()
RARE = "kingfisher"
KINDS = ("text_to_image", "inpaint", "music", "narrate", "write")
MODELS = ("Atelier Icons", "SDXL", "SDXL Turbo", "MusicGen small", "Qwen 3 0.6B", "Kokoro")
LICENCES = ("Apache-2.0", "MIT", "CC-BY-NC-4.0", "openrail++")


def main() -> None:
    """Measure and print; exit status 1 when a figure is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--saves", type=int, default=1000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="atelier-bench-") as folder:
        missed = browse(Path(folder) / "browse", given.items)
        missed += save_at_once(Path(folder) / "save", given.saves)
    print(machine())
    sys.exit(bool(missed))


def browse(home: Path, items: int) -> int:
    """Figures of a library of so many items; returns how many are above their limit."""
    filled = fill(home, items)
    began = time.perf_counter()
    library = Library(home)
    size = (home / "library.sqlite").stat().st_size / 1e6
    print(f"{items:,} creations: made in {filled:.0f} s, index {size:.0f} MB, opened in {time.perf_counter() - began:.1f} s")
    shelf, chance = library.shelf, random.Random(1)
    page = shelf.page(Filter())
    ids = [item.id for item in page]
    deep = shelf.page(Filter(), limit=items // 2)[-1].id

    def first_page() -> None:
        shelf.page(Filter())
        shelf.count(Filter())
        shelf.choices()

    def search(words: str, project: str = "") -> Callable[[], object]:
        return lambda: (shelf.page(Filter(words=words, project=project)), shelf.count(Filter(words=words, project=project)))

    figures: dict[str, tuple[str, Callable[[], object]]] = {
        "first page, its count and the choices": ("first page", first_page),
        "a page in the middle": ("first page", lambda: shelf.page(Filter(), before=deep)),
        "starred": ("first page", lambda: (shelf.page(Filter(starred=True)), shelf.count(Filter(starred=True)))),
        "one model of a licence in a project": (
            "first page",
            lambda: shelf.page(Filter(model="SDXL", licence="MIT", project="Winter")),
        ),
        "a tag": ("first page", lambda: shelf.page(Filter(tag="cover"))),
        "nothing found": ("first page", lambda: shelf.page(Filter(kind="none"))),
        "the trash": ("first page", lambda: shelf.page(Filter(trashed=True))),
        "search for a rare word and its count": ("search", search(RARE)),
        "search for a common word and its count": ("search", search("apple")),
        "search for three common words": ("search", search("apple river lantern")),
        "search for one letter": ("search", search("a")),
        "search for two letters": ("search", search("ca")),
        "search for a phrase": ("search", search('"apple river"')),
        "search for a common word in one project": ("search", search("apple", project="Winter")),
        "search for an emoji": ("search", search("🌹")),
        "search for words that are not there": ("search", search("zebra quagga")),
        "star": ("star", lambda: shelf.star([chance.choice(ids)], chance.random() < 0.5)),
        "star 60": ("star", lambda: shelf.star(ids, chance.random() < 0.5)),
        "lineage": ("first page", lambda: shelf.lineage(ids[0])),
    }
    missed = 0
    for name, (limit, work) in figures.items():
        wall, processor = spread(work)
        missed += processor > LIMITS[limit]
        print(f"  {name:42} {wall:7.1f} ms, {processor:7.1f} of a core (at most {LIMITS[limit]})")
    grown = scroll(library)
    missed += grown > GROWTH
    print(f"  memory after scrolling through all of it      {grown:+7.1f} MB (at most {GROWTH})")
    library.close()
    return missed


def scroll(library: Library) -> float:
    """MB by which the process has grown once every page was seen."""
    process, last = psutil.Process(), ""
    before = process.memory_info().rss
    while page := library.shelf.page(Filter(), before=last):
        last = page[-1].id
    return (process.memory_info().rss - before) / 1e6


def spread(work: Callable[[], object]) -> tuple[float, float]:
    """The median milliseconds of `ROUNDS` calls: by the wall, which a busy machine stretches, and of this process on a core."""
    walls: list[float] = []
    processors: list[float] = []
    for _ in range(ROUNDS):
        began, ran = time.perf_counter(), time.process_time()
        work()
        walls.append(1000 * (time.perf_counter() - began))
        processors.append(1000 * (time.process_time() - ran))
    return statistics.median(walls), statistics.median(processors)


def fill(home: Path, items: int) -> float:
    """Make a library of so many creations, written as rows of one transaction; returns the seconds it took."""
    library = Library(home)
    objects = [library._store.name(b"object %d" % number, ".txt") for number in range(min(500, items // 40))]
    for number, name in enumerate(objects):
        library._store.put(name, b"object %d" % number)
    began = time.perf_counter()
    with library._index.transaction() as index:
        index.executemany(
            "INSERT INTO creations (id, owner, session, job, kind, model, object, bytes, text, record, parents, created, star, title,"
            " project, trashed, schema_version) VALUES (?, 'local', 's', '', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
            rows(items, objects),
        )
        index.execute("INSERT INTO tags SELECT seq, 'cover' FROM creations WHERE seq % 50 = 0")
        index.execute("INSERT INTO tags SELECT seq, 'tag ' || seq % 30 FROM creations WHERE seq % 7 = 0")
    taken = time.perf_counter() - began
    library.close()
    return taken


def rows(items: int, objects: list[str]) -> Iterator[tuple[object, ...]]:
    """What `keep` would write, with a prompt of eight words."""
    chance, before = random.Random(1), ""
    template = json.loads(to_text(record().model_dump(mode="json")))
    for number in range(items):
        id, kind, model = new_id(), chance.choice(KINDS), chance.choice(MODELS)
        prompt = " ".join(chance.choices(WORDS, k=8)) + (f" {RARE} 🌹" if number % 2000 == 0 else "")
        template["task"] |= {"prompt": prompt, "model": model, "seed": chance.randrange(2**32)}
        template["model"] |= {"name": model, "licence": chance.choice(LICENCES)}
        text = " ".join(chance.choices(WORDS, k=60)) if kind == "write" else None
        created = f"20{20 + number * 6 // items:02}-{1 + number % 12:02}-{1 + number % 28:02}T12:00:00.000+00:00"
        own = (
            number % 40 == 0,
            "Title" * (number % 30 == 0),
            chance.choice(("", "", "", "Winter", "Covers")),
            created * (number % 100 == 0),
        )
        size, parents = chance.randrange(10**6), to_text([before] if number % 3 else [])
        yield (id, kind, model, objects[number % len(objects)], size, text, to_text(template), parents, created, *own)
        before = id


def save_at_once(home: Path, saves: int) -> int:
    """Two processes save so many each into one home; returns 1 unless every one is there."""
    Library(home).close()
    began = time.perf_counter()
    children = [multiprocessing.get_context("spawn").Process(target=save, args=(home, number, saves)) for number in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    taken = time.perf_counter() - began
    index = sqlite3.connect(home / "library.sqlite")
    (kept,) = index.execute("SELECT count(*) FROM creations").fetchone()
    index.close()
    refused = [child.exitcode for child in children if child.exitcode]
    print(f"two processes, {saves:,} saves each: {kept:,} rows in {taken:.0f} s, {len(refused)} of 2 met an error")
    return kept != 2 * saves or bool(refused)


def save(home: Path, number: int, saves: int) -> None:
    """One of the processes: texts, each in a run of its own as the studio does."""
    from studio.tasks import Write

    library = Library(home)
    task = Write.checked({"prompt": "a tale", "seed": 1})
    for turn in range(saves):
        job = library.journal.begin(task, "M")
        library.journal.running(job)
        words = f"tale {turn} of process {number}"
        library.keep(words.encode(), ".txt", record(words), text=words, job=job)
        library.journal.finish(job, "done", seconds=1)
    library.close()


if __name__ == "__main__":
    main()
