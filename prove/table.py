"""Rows of what was measured beside what must hold, as a table in Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One claim: what was looked at, what was found, what must be, and whether it is so."""

    what: str
    found: str
    bar: str
    holds: bool


def at_most(what: str, value: float, most: float, unit: str = "") -> Row:
    """A figure that must not be larger than `most`."""
    return Row(what, f"{value:,.2f}{unit}", f"at most {most:,.2f}{unit}", value <= most)


def none_of(what: str, found: Sequence[object], of: int) -> Row:
    """Something that must not happen in any of `of` cases; the first three that did are named."""
    named = "; ".join(str(each)[:120] for each in found[:3])
    return Row(what, f"{len(found)} of {of:,}" + (f" ({named})" if named else ""), "0", not found)


def printed(rows: Sequence[Row]) -> str:
    """The table, and a line about the machine."""
    lines = ["| what | found | must be | |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.found.replace('|', '/')} | {row.bar} | {'holds' if row.holds else '**missed**'} |" for row in rows]
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    return "\n".join([*lines, "", f"{platform.system()}, Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f}"])
