"""Prompts with marks that only other programs understand. Knows no format and no model."""

from __future__ import annotations

import re

from studio.provenance.foreign.sheet import Sheet, shown

_TAG = re.compile(r"<(\w{1,30}):([^<>\n]{1,300})>")
_LOOK = 20_000  # characters of a prompt that are looked through; ours hold 4,000
_MARKS = (
    (r"\([^()\n]{1,200}:\s*-?\d{0,3}\.?\d{1,4}\s*\)|\(\([^()\n]{1,200}\)\)|\[\[[^\[\]\n]{1,200}\]\]", "weights such as (word:1.2)"),
    (r"\{[^{}\n|]{1,200}\}|\d\.\d{1,3}::|\|\|", "weights such as {word}"),
    (r"\w(?:\+{1,9}|-{2,9})(?=[\s,.]|$)|\)(?:\d\.\d{1,3}|\+{1,9})|\)\.(?:blend|and|swap)\(", "weights such as word++"),
    (
        r"\[[^\[\]\n]{0,200}:[^\[\]\n]{0,200}\]|\[[^\[\]\n]{1,200}\|[^\[\]\n]{1,200}\]",
        "words that change while drawing, such as [from:to:0.5]",
    ),
    (r"\b(?:BREAK|AND)\b", "BREAK and AND between parts"),
    (r"\bembedding:\S", "learned words such as embedding:name"),
    (r"__[\w/-]{1,60}__", "wildcards such as __name__"),
)


def cleaned(sheet: Sheet) -> None:
    """Take tags such as <lora:name:0.8> out of the prompts on the sheet, and say which marks the models here read as plain words."""
    found: list[str] = []
    for name in ("prompt", "negative_prompt"):
        text = sheet.settings.get(name)
        if not isinstance(text, str):
            continue
        for tag in _TAG.finditer(text):
            sheet.leave(
                tag[1].upper() if tag[1].isupper() else tag[1], tag[2], _TAGS.get(tag[1].casefold(), "such tags are not known here")
            )
        sheet.settings[name] = re.sub(r" {2,}", " ", _TAG.sub("", text)).strip(" ,") if _TAG.search(text) else text
        found += [what for pattern, what in _MARKS if re.search(pattern, text[:_LOOK])]
    for what in dict.fromkeys(found):
        sheet.say(f"The prompt has {shown(what)}, which the models here read as plain words: take them out if they disturb.")


_TAGS: dict[str, str] = dict.fromkeys(("lora", "lyco", "hypernet", "lokr", "loha"), "add-on weights are not used here")
