"""supervise.py against real processes that crash, end, or are told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def supervised(program: str, folder: Path, pause: float = 0.01) -> subprocess.Popen[str]:
    """A supervisor over `program`, which may write lines into the file `log` in its folder."""
    (folder / "program.py").write_text(program)
    code = f"import sys; from supervise import supervise; sys.exit(supervise([sys.executable, 'program.py', *sys.argv[1:]], pause={pause}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, "--port", "7861"]
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit status and everything it said."""
    said, _ = process.communicate(timeout=20)
    return process.returncode, said


def wait_for(file: Path, text: str) -> None:
    deadline = time.monotonic() + 20
    while not (file.exists() and text in file.read_text()):
        assert time.monotonic() < deadline, f"{text!r} never appeared"
        time.sleep(0.02)


def test_a_crash_starts_it_again_with_the_same_arguments(tmp_path: Path) -> None:
    process = supervised(
        "import sys, pathlib\n"
        "log = pathlib.Path('log')\n"
        "log.write_text((log.read_text() if log.exists() else '') + ' '.join(sys.argv[1:]) + '\\n')\n"
        "sys.exit(1 if len(log.read_text().splitlines()) < 3 else 0)\n",
        tmp_path,
    )
    assert ended(process)[0] == 0
    assert (tmp_path / "log").read_text().splitlines() == ["--port 7861"] * 3


def test_the_fifth_crash_within_a_minute_is_the_last(tmp_path: Path) -> None:
    process = supervised("open('log', 'a').write('start\\n'); raise SystemExit(3)", tmp_path)
    status, said = ended(process)
    assert status == 1
    assert (tmp_path / "log").read_text().count("start") == 5
    assert "exit status 3" in said
    assert "not started again" in said


def test_refused_options_are_not_tried_again(tmp_path: Path) -> None:
    process = supervised("open('log', 'a').write('start\\n'); raise SystemExit(2)", tmp_path)
    assert ended(process)[0] == 2
    assert (tmp_path / "log").read_text().count("start") == 1


def test_a_signal_reaches_the_app_once_and_ends_both(tmp_path: Path) -> None:
    program = (
        "import signal, sys, time\n"
        "def stop(number, frame):\n"
        "    open('log', 'a').write(f'told {number}\\n')\n"
        "    time.sleep(0.2)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, stop); signal.signal(signal.SIGINT, stop)\n"
        "open('log', 'a').write('ready\\n')\n"
        "time.sleep(60)\n"
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        folder = tmp_path / number.name
        folder.mkdir()
        process = supervised(program, folder)
        wait_for(folder / "log", "ready")
        process.send_signal(number)
        assert ended(process)[0] == 0
        assert (folder / "log").read_text() == f"ready\ntold {number}\n"


def test_an_app_that_dies_of_the_signal_ended_as_asked(tmp_path: Path) -> None:
    process = supervised("import time\nopen('log', 'a').write('ready\\n')\ntime.sleep(60)\n", tmp_path)
    wait_for(tmp_path / "log", "ready")
    process.terminate()
    assert ended(process)[0] == 0
    assert (tmp_path / "log").read_text() == "ready\n"


def test_a_signal_between_two_starts_ends_it(tmp_path: Path) -> None:
    process = supervised("open('log', 'a').write('start\\n'); raise SystemExit(3)", tmp_path, pause=30)
    assert process.stdout is not None
    assert "exit status 3" in process.stdout.readline()
    process.terminate()
    assert ended(process)[0] == 0
    assert (tmp_path / "log").read_text().count("start") == 1
