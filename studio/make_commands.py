"""`python -m studio make ...`: a command for every task, made from the task itself, with its fields as options."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from studio import copies
from studio.creations import Creation
from studio.errors import InvalidInput
from studio.marks import Marks
from studio.tasks import TASKS, Task
from studio.terminal import opened, sentences, shown

PLAIN = (bool, int, float, str, Path)
SOUNDS = {".wav": "wav24", ".mp3": "mp3", ".ogg": "ogg", ".opus": "opus"}


def commands() -> typer.Typer:
    """The group `make`; the command of the task `text_to_image` is `text-to-image`."""
    make = typer.Typer(help="Make something; each task has its command.", no_args_is_help=True)
    for task in TASKS.values():
        make.command(task.kind.replace("_", "-"))(_command(task))
    return make


def _command(task: type[Task]) -> Callable[..., None]:
    def command(terminal: typer.Context, out: Path | None = None, **fields: Any) -> None:
        with sentences():
            asked = task.checked(fields)
            if out is not None and not out.absolute().parent.is_dir():
                raise InvalidInput(f"There is no folder {out.absolute().parent}: make it, or choose another --out.", "out")
            with opened(terminal.obj) as studio:
                made = 0
                for event in shown(studio.run(asked)):
                    if isinstance(event, Creation):
                        made += 1
                        _hand_over(event, out, made, studio.marks)

    parameters = [inspect.Parameter("terminal", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)]
    for name, field in task.model_fields.items():
        option = typer.Option(f"--{name.replace('_', '-')}", help=field.description or field.title or name, show_default=False)
        kind = _kind(field.annotation)
        required = field.is_required()
        parameters.append(_parameter(name, Annotated[kind if required else kind | None, option], required=required))
    target = typer.Option("--out", help="File to write; without it the path in the library is printed, or the text")
    parameters.append(_parameter("out", Annotated[Path | None, target], required=False))
    command.__signature__ = inspect.Signature(parameters)
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = task.__doc__
    return command


def _parameter(name: str, annotation: Any, *, required: bool) -> inspect.Parameter:
    default = inspect.Parameter.empty if required else None
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _kind(annotation: Any) -> Any:
    """The plain type behind a field's annotation; several values of one field are given by repeating its option."""
    if annotation in PLAIN:
        return annotation
    if typing.get_origin(annotation) is tuple:
        return list[str]
    inner = [_kind(part) for part in typing.get_args(annotation) if part is not types.NoneType]
    return inner[0] if inner else str


def _hand_over(creation: Creation, out: Path | None, number: int, marks: Marks) -> None:
    """Print the text or path, or write the file: as it is, an attachment of it (.svg, .mid), or a copy (.jpg, .webp, .wav, .mp3 ...)."""
    if out is None:
        typer.echo(creation.path if creation.text is None else creation.text)
        return
    target = out if number == 1 else out.with_stem(f"{out.stem}-{number}")
    suffix = target.suffix.lower()
    data = creation.path.read_bytes()
    if suffix != creation.path.suffix:
        inputs = TASKS[creation.kind].files
        others = [path for name, path in creation.attachments.items() if path.suffix == suffix and Path(name).stem not in inputs]
        if others:
            data = others[0].read_bytes()
        elif suffix in copies.PICTURES and creation.path.suffix == ".png":
            data = copies.picture(creation, suffix, marks)
        elif suffix in SOUNDS and creation.path.suffix == ".flac":
            data = copies.sound(creation.path, SOUNDS[suffix], marks)
    try:
        target.write_bytes(data)
    except OSError as error:
        raise InvalidInput(f"{target} cannot be written ({error.strerror}); the result is kept in the library.", "out") from None
    typer.echo(target)
