"""Passwords of the login: made, compared, read from a file."""

from __future__ import annotations

import base64
import hashlib
import statistics
import time
from pathlib import Path

import pytest

from studio import passwords
from studio.errors import InvalidInput
from studio.passwords import line, read, reader, verify

WORD = "correct horse"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "real_cost" not in request.fixturenames:
        monkeypatch.setattr(passwords, "N", 16)


@pytest.fixture
def real_cost() -> None: ...


def test_a_password_opens_its_own_line_alone() -> None:
    name, _, stored = line("ada", WORD).partition(":")
    assert name == "ada"
    assert verify(WORD, stored)
    assert not verify(WORD + "!", stored)
    assert not verify("", stored)


def test_two_lines_of_one_password_differ() -> None:
    assert line("ada", WORD) != line("ada", WORD)


@pytest.mark.usefixtures("real_cost")
def test_a_guess_costs_time_and_memory() -> None:
    kind, n, r, _, salt, wanted = line("ada", WORD).partition(":")[2].split("$")
    assert kind == "scrypt"
    assert 128 * int(n) * int(r) >= 64 << 20
    assert len(base64.b64decode(salt)) == 16
    assert len(base64.b64decode(wanted)) == 32


def test_the_format_is_plain_scrypt() -> None:
    salt = base64.b64encode(b"0123456789abcdef").decode()
    made = base64.b64encode(hashlib.scrypt("pässwörd".encode(), salt=b"0123456789abcdef", n=32, r=4, p=1, dklen=32)).decode()
    assert verify("pässwörd", f"scrypt$32$4$1${salt}${made}")


@pytest.mark.parametrize(
    "stored",
    [
        "",
        "scrypt",
        "scrypt$16$8$1$x$y",
        "scrypt$a$8$1$eA==$eA==",
        "bcrypt$16$8$1$eA==$eA==",
        f"scrypt$16$8$1$eA==${'A' * 43}=$",
        "scrypt$15$8$1$eA==$" + "A" * 43 + "=",
        "scrypt$0$8$1$eA==$" + "A" * 43 + "=",
        "scrypt$16$0$1$eA==$" + "A" * 43 + "=",
        "scrypt$16$8$99$eA==$" + "A" * 43 + "=",
        "scrypt$1073741824$8$1$eA==$" + "A" * 43 + "=",
    ],
)
def test_a_stored_text_that_is_wrong_or_too_costly_opens_nothing(stored: str) -> None:
    started = time.monotonic()
    assert not verify(WORD, stored)
    assert time.monotonic() - started < 1


def test_an_endless_password_is_refused_at_once() -> None:
    stored = line("ada", WORD).partition(":")[2]
    assert not verify("x" * 10_000_000, stored)


@pytest.mark.parametrize("name", ["", " ", "a:b", "#ada", " ada", "ada ", "a\nb", "x" * 101])
def test_names_that_would_break_the_file_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="A name has"):
        line(name, WORD)


@pytest.mark.parametrize("password", ["", "short", "x" * 1001])
def test_passwords_too_short_or_too_long_are_refused(password: str) -> None:
    with pytest.raises(InvalidInput, match="A password has"):
        line("ada", password)


def test_a_file_lets_its_people_in_and_nobody_else(tmp_path: Path) -> None:
    file = tmp_path / "people"
    file.write_text(f"# who may come in\n\n{line('ada', WORD)}\n{line('Zoë Q', 'another word')}\n", "utf-8")
    may_come_in = reader(file)
    assert may_come_in("ada", WORD)
    assert may_come_in("Zoë Q", "another word")
    assert not may_come_in("ada", "another word")
    assert not may_come_in("Ada", WORD)
    assert not may_come_in("nobody", "")
    assert list(read(file)) == ["ada", "Zoë Q"]


@pytest.mark.parametrize("text", ["ada", "ada:password", "ada:scrypt$1$2$3$a", "ada:md5$1$1$1$a$b"])
def test_a_wrong_line_is_named_by_its_number(tmp_path: Path, text: str) -> None:
    (tmp_path / "people").write_text(f"# first\n{text}\n")
    with pytest.raises(InvalidInput, match="Line 2 of people"):
        reader(tmp_path / "people")


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "people").write_text(f"{line('ada', WORD)}\n{line('ada', WORD)}\n")
    with pytest.raises(InvalidInput, match="a second time"):
        reader(tmp_path / "people")


@pytest.mark.parametrize("data", [None, b"", b"\xff\xfe", b"# nobody\n"])
def test_a_file_that_cannot_be_used_is_said_at_the_start(tmp_path: Path, data: bytes | None) -> None:
    if data is not None:
        (tmp_path / "people").write_bytes(data)
    with pytest.raises(InvalidInput, match="people"):
        reader(tmp_path / "people")


def test_an_unknown_name_takes_as_long_as_a_wrong_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "N", 1 << 12)
    (tmp_path / "people").write_text(line("ada", WORD))
    may_come_in = reader(tmp_path / "people")

    def cost(name: str) -> float:
        started = time.process_time()
        may_come_in(name, "not the word")
        return time.process_time() - started

    known, unknown = (statistics.median(cost(name) for _ in range(9)) for name in ("ada", "eve"))
    assert 0.5 < known / unknown < 2
