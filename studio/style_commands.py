"""`python -m studio styles ...`: a person's own text styles in and out as files."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio.errors import InvalidInput, StudioError
from studio.own_styles import OwnStyles
from studio.presets import text_styles
from studio.settings import Settings
from studio.terminal import sentences


def commands() -> typer.Typer:
    """The group `styles`."""
    styles = typer.Typer(help="Your own text styles, from and for other programs.", no_args_is_help=True)
    styles.command("import")(bring)
    styles.command("export")(take)
    styles.command("list")(names)
    styles.command("delete")(remove)
    return styles


def bring(
    context: typer.Context, files: Annotated[list[Path], typer.Argument(help="styles.csv, or JSON of Fooocus, InvokeAI or Krita")]
) -> None:
    """Keep the styles in files of other programs."""
    settings: Settings = context.obj
    with sentences():
        shipped = text_styles(settings.presets)
        for file in files:
            try:
                data = file.read_bytes()
            except OSError as error:
                raise InvalidInput(f"{file} cannot be read ({error.strerror}): check its path.") from None
            count, said = OwnStyles(settings.home).import_styles(data, file.name, taken=shipped)
            for words in said:
                typer.echo(words, err=True)
            typer.echo(f"{count} {'style' if count == 1 else 'styles'} of {file.name} can be used by --style NAME")


def take(context: typer.Context, out: Annotated[Path, typer.Argument(help="File to write")] = Path("styles.csv")) -> None:
    """Write your own styles as A1111's styles.csv."""
    with sentences():
        data = OwnStyles(context.obj.home).export_styles()
        try:
            with out.open("xb") as file:
                file.write(data)
        except FileExistsError:
            raise InvalidInput(f"{out} is there already: choose another name.", "out") from None
        except OSError as error:
            raise StudioError(f"{out} cannot be written ({error.strerror}): choose another place.") from None
        typer.echo(f"{out} holds your styles")


def names(context: typer.Context) -> None:
    """List your own styles."""
    with sentences():
        for style in OwnStyles(context.obj.home).of().values():
            typer.echo(style.name)


def remove(context: typer.Context, name: str) -> None:
    """Delete one of your own styles."""
    with sentences():
        OwnStyles(context.obj.home).delete(name)
        typer.echo(f"{name} is deleted")
