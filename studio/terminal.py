"""How the command line speaks: refusals as one sentence, progress as one line, a studio opened and closed. Knows no command."""

from __future__ import annotations

import contextlib
import shutil
import sys
from collections.abc import Generator, Iterable, Iterator
from sqlite3 import DatabaseError

import typer

from studio import failures
from studio.creations import Event, Preview, Progress
from studio.errors import Cancelled, DownloadFailed, ModelUnavailable, StudioError
from studio.settings import Settings
from studio.studio import Studio


@contextlib.contextmanager
def sentences() -> Generator[None]:
    """What the studio refuses is one sentence on standard error, and exit status 1; Ctrl+C is 130. A bug keeps its traceback."""
    try:
        yield
    except StudioError as error:
        typer.echo(str(error), err=True)
        if isinstance(error, ModelUnavailable) and not isinstance(error, DownloadFailed):
            typer.echo("`python -m studio starters` and `python -m studio download NAME` fetch models.", err=True)
        raise typer.Exit(1) from None
    except (Cancelled, KeyboardInterrupt):
        typer.echo("Stopped.", err=True)
        raise typer.Exit(130) from None
    except (RuntimeError, MemoryError, OSError, DatabaseError) as error:
        if isinstance(error, typer.Exit) or (known := failures.explained(error)) is None:
            raise
        typer.echo(str(known), err=True)
        raise typer.Exit(1) from None


@contextlib.contextmanager
def opened(settings: Settings) -> Generator[Studio]:
    """The studio that the settings describe, closed at the end."""
    studio = Studio.open(settings)
    try:
        yield studio
    finally:
        studio.close()


def shown(events: Iterable[Event]) -> Iterator[Event]:
    """Pass a run's events on and show its progress."""
    line = Line()
    try:
        for event in events:
            if isinstance(event, Progress):
                line(event)
            yield event
    finally:
        line.end()


class Line:
    """A `Report` to standard error: one line that moves in a terminal, elsewhere one for each phase and tenth of a download."""

    def __init__(self) -> None:
        self._moves, self._last = sys.stderr.isatty(), ""

    def __call__(self, event: Progress | Preview) -> None:
        if not isinstance(event, Progress):
            return
        share = f"{event.done / event.total:.0%}" if event.total else ""
        count = f"{event.done / 1e6:.0f} of {event.total / 1e6:.0f} MB" if event.unit == "bytes" and event.total else ""
        item = f"{event.item} of {event.items}" if event.items > 1 else ""
        words = " ".join(part for part in (event.phase, event.note, item, share, count) if part)
        if self._moves:
            typer.echo(f"\r\x1b[2K{words[: shutil.get_terminal_size().columns - 1]}", nl=False, err=True)
            return
        tenth = int(10 * event.done / event.total) if event.total and event.phase == "downloading" else 0
        if (said := f"{event.phase} {event.item} {tenth}") != self._last:
            self._last = said
            typer.echo(words if event.phase == "downloading" else " ".join(part for part in (event.phase, item) if part), err=True)

    def end(self) -> None:
        """Leave the terminal's line empty."""
        if self._moves:
            typer.echo("\r\x1b[2K", nl=False, err=True)
