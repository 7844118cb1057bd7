"""The command line, `python -m studio`: make things, list models, fetch the starters, check machine and library, back up, replay.

Words and exit status only; what happens is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from studio import doctor as doctors
from studio import fsck, library_commands, passwords, replay, sources, style_commands
from studio import models as catalogue
from studio.backup import backup
from studio.creations import Creation
from studio.device import Device
from studio.errors import InvalidInput, Refused
from studio.licences import Licences
from studio.make_commands import commands
from studio.models import Address, ModelCard, Package
from studio.settings import Settings, prepare_environment
from studio.starter.own import OwnSets
from studio.studio import places as places_of
from studio.terminal import Line, opened, sentences, shown

app = typer.Typer(help="Atelier on the command line.", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(commands(), name="make")
app.add_typer(style_commands.commands(), name="styles")
app.command("batch")(library_commands.batch)
app.command("import")(library_commands.bring)


@app.callback()
def options(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(help="Folder of your creations")] = None,
    cache: Annotated[Path | None, typer.Option(help="Folder of downloaded models")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cuda, mps or cpu")] = None,
    memory: Annotated[float | None, typer.Option(help="GB that models may take on the device")] = None,
    models: Annotated[Path | None, typer.Option(help="TOML file with further model cards")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Never download anything")] = False,
) -> None:
    """Options for every command; each is also an environment variable ATELIER_*."""
    given = {"home": home, "cache": cache, "device": device, "memory": memory, "models": models, "offline": offline or None}
    try:
        context.obj = Settings.model_validate({name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise typer.BadParameter(first["msg"], param_hint=f"--{first['loc'][0]}" if first["loc"] else None) from None
    prepare_environment(context.obj)


@app.command("models")
def list_models(context: typer.Context) -> None:
    """List the models: name, task, licence, commercial use, size, and whether each is here."""
    with sentences():
        cards = catalogue.discover(context.obj.models)
        places, device = places_of(context.obj), Device(context.obj.device, context.obj.memory)
        rows = [("name", "task", "licence", "commercial", "size", "state")]
        for card in cards:
            use = card.commercial if isinstance(card.commercial, str) else "yes" if card.commercial else "no"
            rows.append((card.name, ", ".join(card.serves), card.licence, use, _size(card, places), _state(card, places, device)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def starters(context: typer.Context) -> None:
    """Fetch the starter models that do not ship with the studio."""
    with sentences():
        _fetch([card for card in catalogue.discover(context.obj.models) if card.starter], context.obj)


@app.command()
def download(
    context: typer.Context, name: str, accept: Annotated[bool, typer.Option("--accept", help="Accept the licence of its weights")] = False
) -> None:
    """Fetch one model by its name, as `models` lists it. Where its licence has to be accepted, it is said what that restricts."""
    with sentences():
        cards = [card for card in catalogue.discover(context.obj.models) if card.name.casefold() == name.casefold()]
        if not cards:
            raise InvalidInput("There is no model of that name: `python -m studio models` lists them.", "name")
        for lacking in filter(None, map(Licences(context.obj.home, context.obj.public).lacks, cards)):
            if not accept:
                raise Refused(f"{lacking.words} Add --accept if you agree.")
            Licences(context.obj.home, context.obj.public).accept(lacking.name)
        _fetch(cards, context.obj)


@app.command()
def doctor(context: typer.Context) -> None:
    """Check this machine; exit status 1 when something needs doing."""
    with sentences():
        lacking = 0
        for check in doctors.examine(context.obj, catalogue.discover(context.obj.models)):
            typer.echo(f"ok    {check.found}" if not check.advice else f"TO DO {check.found}: {check.advice}")
            lacking += bool(check.advice)
    if lacking:
        raise typer.Exit(1)


@app.command("replay")
def replay_file(context: typer.Context, file: Path) -> None:
    """Make a picture, sound or text again from its record and print the largest difference; exit status 1 when they differ."""
    with sentences(), opened(context.obj) as studio:
        record = replay.read(file, studio.library)
        for event in shown(replay.again(studio, record)):
            if isinstance(event, Creation):
                difference = replay.compare(file, event)
                typer.echo(difference.words)
                for words in replay.differences(record, dict(event.record)) if difference.largest else ():
                    typer.echo(f"  {words}")
                if difference.largest:
                    raise typer.Exit(1)


@app.command()
def teach(
    context: typer.Context,
    name: str,
    files: Annotated[list[Path] | None, typer.Argument(help="PNG, WebP, JPEG or SVG, each named after what it shows")] = None,
    licence: Annotated[str, typer.Option(help="Whose pictures these are and how they may be used")] = "",
    delete: Annotated[bool, typer.Option("--delete", help="Remove the set of that name instead")] = False,
) -> None:
    """Make a set of your own pictures that the starter draws with: style "My set: NAME"."""
    with sentences():
        sets = OwnSets(context.obj.home)
        if delete:
            sets.delete(name)
            typer.echo(f"{name} is deleted")
            return
        made, refused = sets.teach(name, licence, list(_read(files or [])))
        for words in refused:
            typer.echo(words, err=True)
        typer.echo(f"{made.name} holds {', '.join(made.pictures)}")
        typer.echo(f'Draw with them by --style "{made.style}"')


@app.command("fsck")
def check_library(
    context: typer.Context,
    repair: Annotated[bool, typer.Option("--repair", help="Mend what can be mended without losing anything")] = False,
) -> None:
    """Hold the library against its disk, every file and the index; exit status 1 when something does not fit."""
    with sentences():
        found = fsck.check(context.obj.home, repair)
        for finding in found:
            typer.echo(f"{finding.what}: {finding.repaired or finding.advice}")
        if not found:
            typer.echo("The library is whole")
    if any(not finding.repaired for finding in found):
        raise typer.Exit(1)


@app.command("backup")
def make_backup(context: typer.Context, file: Annotated[Path, typer.Argument(help="The zip to write, such as atelier.zip")]) -> None:
    """Write the whole library into one zip, also while the studio runs; unzip it into an empty folder to use it again."""
    with sentences():
        made = backup(context.obj.home, file)
        creations, files = (
            f"{count:,} {what}{'' if count == 1 else 's'}" for count, what in ((made.creations, "creation"), (made.files, "file"))
        )
        typer.echo(f"{creations} in {files}, {made.bytes / 1e6:,.1f} MB")
        for name in made.lacking:
            typer.echo(f"{name} is gone or was changed on the disk: `python -m studio fsck` says more", err=True)
    if made.lacking:
        raise typer.Exit(1)


@app.command("password")
def make_password(
    name: Annotated[str, typer.Option(prompt="Name")],
    password: Annotated[str, typer.Option(prompt="Password", hide_input=True, confirmation_prompt=True)],
) -> None:
    """Print a line for --auth-file from a name and a password, which is asked for."""
    with sentences():
        typer.echo(passwords.line(name, password))


def _read(files: list[Path]) -> Iterator[tuple[str, bytes]]:
    for file in files:
        try:
            yield file.name, file.read_bytes()
        except OSError as error:
            raise InvalidInput(f"{file} cannot be read ({error.strerror}): check its path.") from None


def _fetch(cards: Iterable[ModelCard], settings: Settings) -> None:
    line, places = Line(), places_of(settings)
    for card in cards:
        for source in (card.source, *card.companions.values()):
            if sources.locate(source, places) is None:
                try:
                    sources.fetch(source, places, line, force=True)
                finally:
                    line.end()
        typer.echo(f"{card.name} is here")


def _size(card: ModelCard, places: sources.Places) -> str:
    if (path := sources.locate(card.source, places)) is not None:
        size = path.stat().st_size if path.is_file() else sum(f.stat().st_size for f in path.rglob("*") if f.is_file())
    elif isinstance(card.source, Package | Address):
        size = card.source.bytes
    elif card.download_gb is not None:
        size = card.download_gb * 1e9
    else:
        return "unknown"
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"


def _state(card: ModelCard, places: sources.Places, device: Device) -> str:
    if sources.ready(card, places) is not None:
        return "here"
    if not card.starter and card.memory_gb is not None and card.memory_gb * 1e9 > device.memory:
        return f"needs {'a GPU with ' if device.kind == 'cpu' else ''}{card.memory_gb:g} GB"
    return "needs download" if card.source.kind in ("hub", "package", "url") else "not here"


if __name__ == "__main__":
    app(prog_name="python -m studio")
