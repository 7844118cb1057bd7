"""`python -m studio batch` and `import`: what comes into the library from a list, or from a zip that a library was exported to."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio import batch_lists
from studio.batches import Batch
from studio.errors import InvalidInput, NotFound
from studio.library import Library
from studio.settings import Settings
from studio.studio import Studio
from studio.terminal import opened, sentences

LOOK = 0.5
"""Seconds between two looks at how far a batch is."""


def batch(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Prompts, one a line, or a CSV file whose head names fields")] = None,
    task: Annotated[str, typer.Option("--task", help="text-to-image, music or write")] = "text-to-image",
    name: Annotated[str, typer.Option(help="Of the batch, and of the project that its results are in")] = "",
    model: Annotated[str, typer.Option(help="For rows that name none")] = "",
    go_on: Annotated[str, typer.Option("--go-on", help="Instead of a file: the name of a batch that was stopped or interrupted")] = "",
) -> None:
    """Make everything in a list, one after the other; exit status 1 when something failed. Ctrl+C interrupts it, --go-on goes on."""
    settings: Settings = context.obj
    with sentences():
        if (file is None) == (not go_on):
            raise InvalidInput("Give a file with a list, or --go-on with the name of a batch.", "file")
        with opened(settings) as studio:
            if file is not None:
                batch = _begun(studio, file, task.replace("-", "_"), name or file.stem, model)
            else:
                batch = _resumed(studio, go_on)
            batch = _followed(studio, batch)
        failed = batch.counts.get("failed", 0)
        typer.echo(f"{batch.counts.get('done', 0):,} of {batch.total:,} are made, {failed:,} failed: project “{batch.name}”")
    if failed or batch.left:
        raise typer.Exit(1)


def _begun(studio: Studio, file: Path, kind: str, name: str, model: str) -> Batch:
    task = batch_lists.task_of(kind)
    try:
        data = file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read ({error.strerror}): check its path.", "file") from None
    rows, what = batch_lists.read(file.name, data, task, {"model": model})
    return studio.batches.start(name, kind, rows, what=what)


def _resumed(studio: Studio, name: str) -> Batch:
    known = studio.library.batches.list()
    found = next((batch for batch in known if name in (batch.name, batch.id)), None)
    if found is None:
        names = ", ".join(batch.name for batch in known[:8]) or "none yet"
        raise NotFound(f"There is no batch of that name: there are {names}.")
    studio.batches.act("go on", found.id)
    return found


def _followed(studio: Studio, batch: Batch) -> Batch:
    """Say how each row ended, until the batch stops or is over; a row that failed with its reason."""
    told = {row.number for row in studio.library.batches.rows(batch.id, states=("done", "skipped"))}
    over = False
    while not over:
        over = studio.batches.wait(seconds=LOOK)
        for row in studio.library.batches.rows(batch.id, states=("done", "failed", "skipped")):
            if row.number not in told:
                told.add(row.number)
                words = f" in {row.seconds:.1f} s" if row.state == "done" else f": {row.message}" if row.message else ""
                typer.echo(f"{row.number}  {row.state}{words}", err=row.state == "failed")
    found = studio.library.batches.batch(batch.id)
    if found.message:
        typer.echo(found.message, err=True)
    return found


def bring(context: typer.Context, file: Annotated[Path, typer.Argument(help="A zip that Export of a library made")]) -> None:
    """Take in what another library exported, with its stars, tags and projects; all of it or nothing."""
    settings: Settings = context.obj
    with sentences():
        library = Library(settings.home)
        try:
            typer.echo(library.incoming.bring(file).words)
        finally:
            library.close()
