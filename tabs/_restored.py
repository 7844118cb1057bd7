"""The form of a tab filled from a sound that was made here: from a take of the player, or from its file, wherever that has been.

Knows records and forms; knows no single tab.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from studio.errors import InvalidInput, StudioError
from studio.provenance import record
from tabs import _status
from tabs._form import QUIET, Form

SUFFIXES = (".flac", ".wav", ".mp3", ".ogg", ".opus")
"""Of files that carry a record."""
NONE = "This file carries no settings of this studio (or they were removed): choose the file as it was downloaded."


def values(form: Form, found: Mapping[str, Any] | record.Record) -> list[Any]:
    """What the form's fields become by the record of a take; files are not in it. Raises InvalidInput for a record of another tab."""
    task = record.task_of(record.Record.model_validate(found))
    if not isinstance(task, form.task):
        raise InvalidInput("That was made in another tab: restore it there.")
    given = task.model_dump()
    if given.get("segments"):
        given["duration"] = None  # which the timeline says
    plain = {name: list(value) if isinstance(value, tuple) else value for name, value in given.items()}
    return [None if name in form.task.files else plain[name] for name in form.fields]


def drop() -> gr.File:
    """A place for a file whose settings the form takes over."""
    label = "Settings from a sound's file"
    return gr.File(label=label, type="filepath", height=130, file_types=list(SUFFIXES), elem_classes="restore")


def wire(form: Form, place: gr.File, stage: gr.HTML) -> None:
    """Fill the form as soon as a file is dropped there, or say why not."""

    def dropped(path: str | None) -> list[Any]:
        from studio.provenance import sounds  # brings a sound library, which the first page does without

        try:
            found = sounds.read_record(Path(path or ""))
            if found is None:
                raise InvalidInput(NONE)
            return [*values(form, found), _status.message("The settings of the sound are restored.")]
        except StudioError as error:
            return [*[gr.skip()] * len(form.fields), _status.message(str(error), "error")]

    place.upload(dropped, place, [*form.fields.values(), stage], **QUIET)
