"""Tests that are too long for CI, and those that hold the door: run as they are, counted as a row each."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from pathlib import Path

from prove.table import Row

ROOT = Path(__file__).resolve().parent.parent
SUITES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("the attack list (docs/attacks.md), with 5,000 wild requests", ("tests/attacks",)),
    ("two visitors: every endpoint, each other's ids and files", ("tests/test_isolation.py", "tests/test_web.py")),
    ("saving, killed or failed at every point", ("tests/faults",)),
    ("axe on every tab, light and dark", ("tests/browser/test_access.py",)),
)


def measured(names: tuple[str, ...]) -> Row | None:
    """Run the tests in these places, the thorough ones, too; None where they are not here."""
    what = next(title for title, places in SUITES if places == names)
    here = [name for name in names if (ROOT / name).exists()]
    if not here:
        return None
    with tempfile.TemporaryDirectory(prefix="atelier-prove-") as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *here]
        variables = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        subprocess.run(command, cwd=ROOT, env=variables, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return _row(what, report)


def _row(what: str, report: Path) -> Row:
    if not report.exists():
        return Row(what, "the tests could not be started", "all pass", False)
    suite = next(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 (pytest wrote it a moment ago)
    count = {name: int(suite.get(name, "0")) for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    ran = count["tests"] - count["skipped"]
    found = f"{ran - failed:,} of {ran:,} pass" + (f", {count['skipped']} not here" if count["skipped"] else "")
    return Row(what, found, "all pass", failed == 0 and ran > 0)
