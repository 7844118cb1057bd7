"""A list of things to make, one a line or one a row of a CSV file, as tasks that were checked before any of them runs.

Knows tasks and their fields; knows no model, no run and no page.
"""

from __future__ import annotations

import csv
import io
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType
from typing import Any

from studio.errors import InvalidInput, MediaUnreadable, StudioError
from studio.tasks import Compose, Task, TextToImage, Write

KINDS: Mapping[str, type[Task]] = {task.kind: task for task in (TextToImage, Compose, Write)}
"""What can be made from a list."""
MOST_ROWS = 1000
MOST_BYTES = 10_000_000
TOLD = 8
"""Faults that are told one by one."""
ABOUT_FILES = ("reference_use", "reference_strength", "region_start", "region_end")
"""Fields that say something of a file; a list takes no files."""
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


@dataclass(frozen=True)
class Row:
    """One thing to make. `number` is its line, or its row as a spreadsheet counts (the head is row 1)."""

    number: int
    task: Task


def task_of(kind: str) -> type[Task]:
    """The task of that kind. Raises InvalidInput for one that no list can ask for."""
    if kind not in KINDS:
        raise InvalidInput(f"A list can ask for {', '.join(KINDS)}: choose one of them.", "kind")
    return KINDS[kind]


def columns(task: type[Task]) -> tuple[str, ...]:
    """The fields that a CSV file can fill."""
    return tuple(name for name in task.model_fields if name not in (*task.files, *ABOUT_FILES))


def lines(text: str, task: type[Task], settings: Mapping[str, object] | None = None, most: int = MOST_ROWS) -> tuple[Row, ...]:
    """One prompt a line, blank ones left out; `settings` are fields that all of them have.

    Raises InvalidInput for an empty list, for too many lines, and for prompts that cannot be used, with the number of each.
    """
    written = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    given = {name: value for name, value in (settings or {}).items() if value not in (None, "")}
    return _rows(((number, {**given, "prompt": line}) for number, line in written), task, len(written), most, "Line")


def table(data: bytes, task: type[Task], settings: Mapping[str, object] | None = None, most: int = MOST_ROWS) -> tuple[Row, ...]:
    """The rows of a CSV file whose head names fields; empty cells leave a field as `settings` or the task has it.

    Commas, semicolons or tabs stand between cells. Raises InvalidInput as `lines` does, and for columns that are no fields;
    MediaUnreadable for what is no such file.
    """
    words = _decoded(data)
    head = words.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    try:
        found = list(csv.reader(io.StringIO(words, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise MediaUnreadable(f"The list is no CSV file that can be read ({error}): save it as CSV (UTF-8) once more.") from None
    if not found or not any(cell.strip() for cell in found[0]):
        raise InvalidInput("The list has no head: its first row names the fields, such as prompt and seed.")
    names = _named(found[0], task)
    filled = [(number, cells) for number, cells in enumerate(found[1:], 2) if any(cell.strip() for cell in cells)]
    long = next((number for number, cells in filled if len(cells) > len(names)), 0)
    if long:
        raise InvalidInput(f"Row {long} has more cells than there are columns: put words with a comma into quotation marks.")
    given = {name: value for name, value in (settings or {}).items() if value not in (None, "")}
    values = (
        (number, {**given, **{name: _value(task, name, cell) for name, cell in zip(names, cells, strict=False) if cell.strip()}})
        for number, cells in filled
    )
    return _rows(values, task, len(filled), most, "Row")


def read(
    name: str, data: bytes, task: type[Task], settings: Mapping[str, object] | None = None, most: int = MOST_ROWS
) -> tuple[tuple[Row, ...], str]:
    """The rows of a file by its name: a table (.csv, .tsv), else one prompt a line; and what a row of it is called."""
    if name.casefold().endswith((".csv", ".tsv")):
        return table(data, task, settings, most), "Row"
    return lines(_decoded(data), task, settings, most), "Line"


def template(task: type[Task]) -> str:
    """The head of a CSV file for this task."""
    return ",".join(columns(task)) + "\n"


def judged(rows: Sequence[Row], judge: Callable[[Task], None], what: str = "Row") -> None:
    """Ask `judge` about every row before any of them runs. Raises InvalidInput that names those it refuses, with its reasons."""
    faults: list[tuple[int, str]] = []
    for row in rows:
        try:
            judge(row.task)
        except StudioError as error:
            faults.append((row.number, str(error)))
    _refuse(faults, len(rows), what)


def _rows(values: Iterable[tuple[int, Mapping[str, object]]], task: type[Task], count: int, most: int, what: str) -> tuple[Row, ...]:
    if not count:
        raise InvalidInput("The list is empty: write one prompt a line, or give a CSV file.")
    if count > most:
        raise InvalidInput(f"The list has {count:,} rows; {most:,} are the most. Make two lists of it.")
    rows: list[Row] = []
    faults: list[tuple[int, str]] = []
    for number, given in values:
        try:
            rows.append(Row(number, task.checked(given)))
        except InvalidInput as error:
            faults.append((number, str(error)))
    _refuse(faults, count, what)
    return tuple(rows)


def _refuse(faults: Sequence[tuple[int, str]], count: int, what: str) -> None:
    if not faults:
        return
    told = " ".join(f"{what} {number}: {words}" for number, words in faults[:TOLD])
    more = f" So it is with {len(faults) - TOLD:,} more." if len(faults) > TOLD else ""
    raise InvalidInput(f"Nothing was started: {len(faults):,} of {count:,} cannot be made. {told}{more}")


def _decoded(data: bytes) -> str:
    if len(data) > MOST_BYTES:
        raise InvalidInput(f"The list is larger than {MOST_BYTES // 1_000_000} MB: make several lists of it.")
    try:
        return data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeDecodeError:
        raise MediaUnreadable("The list is no text in UTF-8: save it as CSV (UTF-8) once more.") from None


def _named(head: Sequence[str], task: type[Task]) -> tuple[str, ...]:
    """The fields that a head names, by their names or titles."""
    known = {name: name for name in columns(task)} | {str(task.model_fields[name].title).casefold(): name for name in columns(task)}
    cells = [cell.strip() for cell in head]
    names = [known.get(cell.casefold()) or known.get(cell.casefold().replace(" ", "_").replace("-", "_"), "") for cell in cells]
    unknown = [cell or "(empty)" for cell, name in zip(cells, names, strict=True) if not name]
    files = [cell for cell in unknown if cell.casefold().replace(" ", "_") in (*task.files, *ABOUT_FILES)]
    if files:
        raise InvalidInput(f"A list takes no files, so it has no column {', '.join(files)}: make what needs them one by one.")
    if unknown:
        raise InvalidInput(f"There is no field {', '.join(unknown[:TOLD])}: columns can be {', '.join(columns(task))}.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"Two columns are called {', '.join(twice)}: leave one of them out.")
    return tuple(names)


def _value(task: type[Task], name: str, cell: str) -> object:
    """A cell as the field's own type; what is none stays text, which the field refuses in its own words."""
    kinds = set(_plain(task.model_fields[name].annotation))
    text = cell.strip()
    if bool in kinds:
        return text.casefold() in _TRUE if text.casefold() in (*_TRUE, *_FALSE) else text
    for kind in (int, float):
        if kind in kinds:
            try:
                return kind(text)
            except ValueError:
                return text
    return cell


def _plain(annotation: Any) -> Iterator[type]:
    """The plain types in an annotation."""
    if isinstance(annotation, type) and annotation is not NoneType:
        yield annotation
    for part in typing.get_args(annotation):
        yield from _plain(part)
