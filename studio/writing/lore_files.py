"""Cards as a person writes them in one text, and as files: the lorebooks of SillyTavern, KoboldAI, NovelAI and character cards.

A text of cards:

    # Ana
    keys: Ana, the girl
    and: castle | palace
    not: Ana Maria
    Ana is nine years old and fears nothing.

Other lines under a title: "pattern: ..." (a regular expression), "always", "off", "priority: 5". What is saved is a lorebook that
SillyTavern reads, too. Unknown fields of a file are passed over; nothing in it is run or expanded. Knows no page.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from studio.errors import MediaUnreadable
from studio.provenance.foreign import loose_json
from studio.writing.lore import CARDS_LIMIT, KEY_LIMIT, KEYS_LIMIT, TEXT_LIMIT, TITLE_LIMIT, Card

SIZE_LIMIT = 5_000_000
"""Bytes of a file."""
USUAL_ORDER = 100
"""SillyTavern's `order` of an entry that has none of its own."""
_FIELD = re.compile(r"(?i)(keys|and|not|pattern|priority)\s*:\s*(.*)|(always|off)\s*")
_ESCAPED = re.compile(r"\\+#")
_HASH = re.compile(r"(?m)^(?=\\*#)")
_UNSEEN = re.compile("[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
_LEFT = ("probability", "sticky", "cooldown", "delay", "group", "vectorized")


def parse(text: str) -> tuple[Card, ...]:
    """The cards of a text, at most CARDS_LIMIT. Lines before the first title are a card without one; "\\# " begins a line with "# "."""
    cards: list[Card] = []
    title, lines = "", []
    for line in [*text.replace("\r\n", "\n").split("\n"), "# "]:
        if line.startswith("# ") or line == "#":
            if title or any(each.strip() for each in lines):
                cards.append(_card(title, lines))
            title, lines = line[1:].strip(), []
        else:
            lines.append(line)
    return tuple(cards[:CARDS_LIMIT])


def written(cards: Sequence[Card]) -> str:
    """The text that `parse` reads as these cards."""
    return "\n\n".join(_lines_of(card) for card in cards)


def export_cards(cards: Sequence[Card]) -> bytes:
    """A lorebook in JSON that SillyTavern reads; what it has no field for lies under `extensions`."""
    entries = {
        str(place): {
            "uid": place,
            "comment": card.title,
            "content": card.text,
            "key": [f"/{key.replace('/', chr(92) + '/')}/i" for key in card.keys] if card.regex else list(card.keys),
            "keysecondary": list(card.all_of or card.none_of),
            "selective": bool(card.all_of or card.none_of),
            "selectiveLogic": 3 if card.all_of else 2,
            "constant": card.always,
            "order": USUAL_ORDER + card.priority,
            "disable": not card.enabled,
            "extensions": {"atelier": {"keys": card.keys, "all_of": card.all_of, "none_of": card.none_of, "regex": card.regex}},
        }
        for place, card in enumerate(cards)
    }
    return json.dumps({"entries": entries}, ensure_ascii=False, indent=1).encode()


def import_cards(data: bytes) -> tuple[tuple[Card, ...], tuple[str, ...]]:
    """The cards of a lorebook in JSON, and sentences about what was left out. Raises MediaUnreadable for a file that is none."""
    if len(data) > SIZE_LIMIT:
        raise MediaUnreadable(f"This file of cards is larger than {SIZE_LIMIT // 1_000_000} MB: split it and bring the parts.")
    try:
        found = loose_json.anything(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        found = None
    entries = _entries(found)
    cards, said = [], set[str]()
    for entry in entries[: 4 * CARDS_LIMIT]:
        card = _of_entry(entry, said)
        if card is not None:
            cards.append(card)
    if not cards:
        raise MediaUnreadable("There are no cards in this file: bring a lorebook or world info saved as JSON.")
    if len(cards) > CARDS_LIMIT:
        said.add(f"{len(cards) - CARDS_LIMIT:,} cards were left out: {CARDS_LIMIT} are the most.")
    return tuple(cards[:CARDS_LIMIT]), tuple(sorted(said))


def _card(title: str, lines: list[str]) -> Card:
    fields: dict[str, list[str]] = {}
    for place, line in enumerate(lines):
        found = _FIELD.fullmatch(line.strip())
        if found is None:
            lines = lines[place:]
            break
        fields.setdefault((found[1] or found[3]).lower(), []).append(found[2] or "")
    else:
        lines = []
    text = "\n".join(line[1:] if _ESCAPED.match(line) else line for line in lines).strip()
    keys, patterns = _split(*fields.get("keys", ())), tuple(filter(None, fields.get("pattern", ())))
    number = re.fullmatch(r"[+-]?\d{1,6}", (fields.get("priority") or [""])[-1].strip())
    return Card(
        title[:TITLE_LIMIT],
        text[:TEXT_LIMIT],
        (*map(_as_pattern, keys), *patterns) if patterns else keys,
        _split(*fields.get("and", ())),
        _split(*fields.get("not", ())),
        bool(patterns),
        "always" in fields,
        int(number[0]) if number else 0,
        "off" not in fields,
    )


def _lines_of(card: Card) -> str:
    lines = [f"# {' '.join(card.title.split())}"]
    if card.regex or any("," in key for key in card.keys):
        keys = card.keys if card.regex else map(_as_pattern, card.keys)
        lines += [f"pattern: {' '.join(key.split(chr(10)))}" for key in keys]
    elif card.keys:
        lines.append(f"keys: {', '.join(card.keys)}")
    lines += [f"{word}: {', '.join(keys)}" for word, keys in (("and", card.all_of), ("not", card.none_of)) if keys]
    lines += ["always"] * card.always + [f"priority: {card.priority}"] * bool(card.priority) + ["off"] * (not card.enabled)
    text = _HASH.sub(r"\\", card.text.strip())
    if _FIELD.fullmatch(text.split("\n")[0].strip()):
        lines.append("")
    return "\n".join([*lines, text])


def _split(*texts: str) -> tuple[str, ...]:
    keys = (key.strip()[:KEY_LIMIT] for text in texts for key in text.split(","))
    return tuple(dict.fromkeys(filter(None, keys)))[:KEYS_LIMIT]


def _as_pattern(key: str) -> str:
    return rf"(?<!\w){re.escape(key)}(?!\w)"


def _entries(found: object) -> list[dict[str, object]]:
    """The entries of a file of any of the known kinds."""
    whole = loose_json.inner(found)
    inside = loose_json.inner(whole.get("data")) or whole
    for place in (whole, loose_json.inner(inside.get("character_book")), inside):
        for name in ("entries", "worldinfo", "cards"):
            many = place.get(name)
            listed = loose_json.tables(many) or loose_json.tables(list(loose_json.inner(many).values()))
            if listed:
                return listed
    return loose_json.tables(found)


def _of_entry(entry: dict[str, object], said: set[str]) -> Card | None:
    text, title = _line(entry, said, "content", "text", "entry"), _line(entry, said, "comment", "name", "displayName", "title")
    ours = loose_json.inner(loose_json.inner(entry.get("extensions")).get("atelier"))
    keys = _keys(entry, said, "key", "keys", "keywords")
    if not text or not (title or keys or ours):
        return None
    second, never = _keys(entry, said, "keysecondary", "secondary_keys"), _keys(entry, said, "keyanti")
    both, out = _secondary(second, entry, said) if entry.get("selective", True) else ((), ())
    regex = any(_pattern(key) for key in keys)
    keys = tuple(_pattern(key) or _as_pattern(key) for key in keys) if regex else keys
    if ours:
        keys, both, out = (_keys(ours, said, name) for name in ("keys", "all_of", "none_of"))
        regex, never = ours.get("regex") is True, ()
    if any(entry.get(name) for name in _LEFT[1:]) or entry.get(_LEFT[0], 100) != 100:
        said.add("Chances, groups and timers of cards are left out: a card applies whenever its keys do.")
    if len(text) > TEXT_LIMIT:
        said.add(f"Texts of more than {TEXT_LIMIT:,} characters were cut there.")
    orders = (value for name in ("order", "insertion_order") if type(value := entry.get(name)) is int)
    priority = max(-99_999, min(99_999, next(orders, USUAL_ORDER) - USUAL_ORDER))
    always = any(entry.get(name) is True for name in ("constant", "forceActivation", "always"))
    enabled = entry.get("enabled", True) is not False and entry.get("disable") is not True
    return Card(" ".join(title.split())[:TITLE_LIMIT], text[:TEXT_LIMIT], keys, both, (*out, *never), regex, always, priority, enabled)


def _secondary(keys: tuple[str, ...], entry: dict[str, object], said: set[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """SillyTavern's further keys as (all_of, none_of): 0 any of them, 1 not all, 2 none, 3 all."""
    match entry.get("selectiveLogic", 0):
        case 3:
            return keys, ()
        case 2:
            return (), keys
        case 1:
            if len(keys) > 1:
                said.add("Cards that stay out when all of several keys are there stay out here when one of them is.")
            return (), keys
        case _:
            return ((" | ".join(keys),) if keys else ()), ()


def _pattern(key: str) -> str:
    """The expression in "/expression/flags", '' for a plain key."""
    found = re.fullmatch(r"(?s)/(.+)/[a-z]*", key)
    return found[1].replace("\\/", "/") if found else ""


def _keys(entry: dict[str, object], said: set[str], *names: str) -> tuple[str, ...]:
    value = next((entry[name] for name in names if entry.get(name)), ())
    many: list[Any] = value.split(",") if isinstance(value, str) else loose_json.parts(value)
    keys = [_clean(key, said).strip() for key in many[: 4 * KEYS_LIMIT] if isinstance(key, str)]
    if len(keys) > KEYS_LIMIT or any(len(key) > KEY_LIMIT for key in keys):
        said.add(f"Cards have at most {KEYS_LIMIT} keys of at most {KEY_LIMIT} characters: others were left out.")
    return tuple(dict.fromkeys(key for key in keys if key and len(key) <= KEY_LIMIT))[:KEYS_LIMIT]


def _line(entry: dict[str, object], said: set[str], *names: str) -> str:
    return next((_clean(value, said).strip() for name in names if isinstance(value := entry.get(name), str) and value.strip()), "")


def _clean(text: str, said: set[str]) -> str:
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = _UNSEEN.sub("", text)
    if len(kept) < len(text):
        said.add("Invisible control characters were left out.")
    return kept
