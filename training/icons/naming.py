"""Decides which icons the library keeps and what each is called. It knows no pixels.

An icon's concept is what it shows: for emoji the emoji's own label in lower case, so that all sets agree; for others the noun in
`names.toml`. Left out: country flags, skin tones, mirrored copies, clock faces (one is kept as "clock"), signs, arrows, letters, zodiac
tiles and other symbols no person asks to be drawn.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.icons.packages import HERE, IconSet

_SYMBOL_GROUP, _FLAG_GROUP, _COMPONENT_GROUP = 8, 9, 2
_KEPT_SUBGROUPS = {"warning", "religion", "geometric", "flag", "other-symbol"}  # of the symbols and flags
_LEFT_OUT = re.compile(
    r"no (bicycles|smoking|littering|pedestrians|mobile phones|one under eighteen)|non-potable water|children crossing|place of worship"
    r"|(black|white) (medium|small|medium-small) square|radio button|(black|white) square button|diamond with a dot|name badge"
    r"|middle finger|japanese symbol for beginner|(double )?curly loop|part alternation mark|eight-.*|sparkle|copyright|registered"
    r"|trade mark|check box with check|dotted six-pointed star|medical symbol|hollow red circle|transgender flag|khanda|.*'s room"
    r"|eye in speech bubble|(family|kiss|couple with heart): .*|.* facing right|input .*|keycap.*|wheelchair symbol|.*[- ]thirty"
    r"|(one|two|three|four|five|six|seven|eight|nine|eleven|twelve) o'clock|.* (red|curly|white) hair|.*: (bald|beard)|one-piece swimsuit"
    r"|moon viewing ceremony|e-mail|(in|out)box tray|card index.*"
)


@dataclass(frozen=True)
class Emoji:
    """What emojibase says about one emoji; `label` is the concept."""

    label: str
    keywords: tuple[str, ...]
    character: str
    group: str
    order: int
    kept: bool


class Names:
    """From icons' names to concepts, by emojibase and `names.toml`."""

    def __init__(self, emojibase: Path) -> None:
        self._own: dict[str, dict[str, str]] = tomllib.loads((HERE / "names.toml").read_text("utf-8"))
        self.emoji = _emoji(emojibase)
        self._jammed = _jammed_names(emojibase, self.emoji)

    def concept(self, icons: IconSet, name: str) -> str | None:
        """The concept an icon of this set shows, or None when the library leaves the icon out."""
        listed = {**(self._own["emoji"] if icons.reader == "emoji" else {}), **self._own.get(icons.name, {})}
        if name in listed:
            return plain(listed[name]) or None
        if icons.reader == "listed":
            return None
        found = self.emoji.get(self._jammed.get(_jam(name), ""))
        return found.label if found is not None and found.kept else None

    def keywords(self, concept: str) -> tuple[str, ...]:
        """Emojibase's words for a concept; none for concepts that are no emoji."""
        found = self.emoji.get(concept)
        return found.keywords if found else ()


def plain(label: str) -> str:
    """A label in lower case, with plain quotes and letters: "piñata" -> "pinata", "woman’s hat" -> "woman's hat"."""
    return label.lower().replace("’", "'").replace("“", "").replace("”", "").replace("ñ", "n").replace("é", "e")


def _jam(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", plain(name).replace("&", "and"))


def _emoji(emojibase: Path) -> dict[str, Emoji]:
    """Every emoji by its label."""
    groups = json.loads((emojibase / "meta" / "groups.json").read_text("utf-8"))
    shortcodes = json.loads((emojibase / "en" / "shortcodes" / "emojibase.json").read_text("utf-8"))
    found: dict[str, Emoji] = {}
    for entry in json.loads((emojibase / "en" / "data.json").read_text("utf-8")):
        label = "clock" if entry["label"] == "ten o’clock" else plain(entry["label"])
        codes = shortcodes.get(entry["hexcode"], [])
        codes = [codes] if isinstance(codes, str) else codes
        words = {plain(tag) for tag in entry.get("tags", [])} | {plain(code).replace("_", " ") for code in codes} - {label}
        group, subgroup = entry.get("group", _COMPONENT_GROUP), str(entry.get("subgroup", ""))
        section = groups["subgroups"].get(subgroup, "")
        kept = group != _COMPONENT_GROUP and (group not in (_SYMBOL_GROUP, _FLAG_GROUP) or section in _KEPT_SUBGROUPS)
        character = entry["emoji"].replace("\ufe0f", "")
        found[label] = Emoji(
            label,
            tuple(sorted(word for word in words if len(word) > 1)),
            character,
            groups["groups"].get(str(group), ""),
            entry.get("order", 9999),
            kept and not _LEFT_OUT.fullmatch(label),
        )
    return found


def _jammed_names(emojibase: Path, emoji: dict[str, Emoji]) -> dict[str, str]:
    """Names without spaces ("grinningcat") -> labels, by shortcodes, then Unicode's names, then the labels themselves."""
    by_character = {about.character: about.label for about in emoji.values()}
    by_code: dict[str, str] = {}
    for entry in json.loads((emojibase / "en" / "data.json").read_text("utf-8")):
        by_code[entry["hexcode"]] = by_character[entry["emoji"].replace("\ufe0f", "")]
    out: dict[str, str] = {}
    for source in ("cldr", "emojibase", "github", "iamcal", "joypixels"):
        table: dict[str, Any] = json.loads((emojibase / "en" / "shortcodes" / f"{source}.json").read_text("utf-8"))
        for code, names in table.items():
            for name in [names] if isinstance(names, str) else names:
                if code in by_code:
                    out[_jam(name)] = by_code[code]
    for code, name in json.loads((emojibase / "meta" / "unicode-names.json").read_text("utf-8")).items():
        if code in by_code:
            out[_jam(name)] = by_code[code]
    return out | {_jam(label): label for label in emoji} | {"tenoclock": "clock"}
