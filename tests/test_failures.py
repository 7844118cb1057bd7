"""failures.py: what libraries raise becomes a sentence, a bug gets an id that the log has, and programs get a code."""

from __future__ import annotations

import errno
import logging
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
import typer

from studio.errors import Busy, DeviceLost, InvalidInput, NotEnoughMemory, StorageFailed, StorageFull, StudioError
from studio.failures import Told, explained, told
from studio.tasks import TextToImage
from studio.terminal import sentences
from tabs._form import Form
from tabs._run import Run

log = logging.getLogger("atelier.tests")

FULL = "The disk is full, so this was not saved: free some space, then run it again."


def database_error(code: int) -> sqlite3.DatabaseError:
    error = sqlite3.OperationalError("refused")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (MemoryError(), NotEnoughMemory, "smaller size"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), NotEnoughMemory, "smaller size"),
        (RuntimeError("CUDA error: device-side assert triggered"), DeviceLost, "start the studio again"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), DeviceLost, "start the studio again"),
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/secret/place"), StorageFull, "free some space"),
        (OSError(errno.EROFS, os.strerror(errno.EROFS)), StorageFailed, "choose another folder"),
        (OSError(errno.EIO, os.strerror(errno.EIO)), StorageFailed, "check the disk"),
        (database_error(sqlite3.SQLITE_FULL), StorageFull, "disk is full"),
        (database_error(sqlite3.SQLITE_BUSY), Busy, "try again"),
        (database_error(sqlite3.SQLITE_CORRUPT), StorageFailed, "no file is lost"),
    ],
)
def test_what_a_library_raises_gets_its_sentence(error: Exception, kind: type[StudioError], words: str) -> None:
    found = explained(error)
    assert type(found) is kind
    assert words in str(found)
    assert "/secret" not in str(found)
    assert told(error, "a run", log) == Told(str(found), kind.code)


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("shapes differ"), FileNotFoundError(2, "no such file"), database_error(1)])
def test_a_bug_stays_a_bug(error: Exception) -> None:
    assert explained(error) is None


def test_a_bug_is_logged_once_under_the_id_that_the_artist_is_told(caplog: pytest.LogCaptureFixture) -> None:
    error = KeyError("inner")
    with caplog.at_level(logging.INFO):
        first, again = told(error, "a run", log), told(error, "the same run on its page", log)
    assert first == again
    assert first.code == "E900"
    name = first.words.rpartition(" ")[2].rstrip(".")
    assert len(name) == 8
    assert "inner" not in first.words
    records = [record for record in caplog.records if name in record.getMessage()]
    assert len(records) == 1
    assert records[0].exc_info is not None
    assert told(KeyError("other"), "a run", log).words != first.words


def test_a_known_failure_leaves_its_code_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        told(InvalidInput("Steps must be a whole number.", "steps"), "a run of text_to_image", log)
    assert "E100" in caplog.text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InvalidInput("Steps must be a whole number."), "Steps must be a whole number.\n"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
            "The disk is full, so this was not saved: free some space, then run it again.\n",
        ),
        (MemoryError(), "There was not enough memory for this: choose a smaller size or a smaller model.\n"),
    ],
)
def test_the_command_line_says_the_same_sentence(error: Exception, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(typer.Exit) as ended, sentences():
        raise error
    assert (ended.value.exit_code, capsys.readouterr().err) == (1, words)


@pytest.mark.parametrize("error", [KeyError("x"), RuntimeError("shapes differ"), FileNotFoundError(2, "gone"), typer.Exit(3)])
def test_the_command_line_keeps_the_traceback_of_a_bug_and_its_own_ends(error: Exception) -> None:
    with pytest.raises(type(error)) as ended, sentences():
        raise error
    assert ended.value is error


@pytest.mark.parametrize(("page", "title"), [(True, "Error"), (False, "E100")])
def test_a_program_gets_the_code_and_a_page_its_sentence_alone(page: bool, title: str) -> None:
    def refused() -> Run:
        return TextToImage.checked({"prompt": ""})  # pyright: ignore[reportReturnType] (it is refused)

    answers = drawn(refused, page)
    assert "Prompt is empty" in str(next(answers)[-1])
    with pytest.raises(gr.Error) as error:
        next(answers)
    assert (error.value.title, error.value.message) == (title, "Prompt is empty: say what you would like.")


def test_a_bug_behind_the_page_becomes_a_sentence_with_an_id(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Run:
        raise KeyError(Path("/home/somebody/secret"))

    answers = drawn(broken, page=False)
    assert "Something unexpected" in str(next(answers)[-1])
    with pytest.raises(gr.Error) as error:
        next(answers)
    assert error.value.title == "E900"
    assert "secret" not in str(error.value.message)
    assert str(error.value.message)[-9:-1] in caplog.text


def drawn(begun: Callable[[], Run], page: bool) -> Iterator[Any]:
    form = Form.__new__(Form)  # what is refused before a run needs neither studio nor page
    form.task = TextToImage
    return form._drawn(begun, 1, lambda shown: (), "local", page=page)
