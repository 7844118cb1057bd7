"""Writes the notice that goes with the icon library: whose work it is, under which licence, what was changed. It knows no pixels."""

from __future__ import annotations

from training.icons.packages import IconSet, configuration

# The copyright lines of the licence files of the sets' own repositories; the npm packages name author and licence only.
COPYRIGHT = {
    "fluent-emoji-flat": "Copyright (c) Microsoft Corporation.",
    "fluent-emoji": "Copyright (c) Microsoft Corporation.",
    "fluent-emoji-high-contrast": "Copyright (c) Microsoft Corporation.",
    "fluent-color": "Copyright (c) 2020 Microsoft Corporation",
    "noto": "Copyright 2013 Google, Inc. All Rights Reserved.",
    "noto-v1": "Copyright 2013 Google, Inc. All Rights Reserved.",
    "icon-park": "Copyright ByteDance",
    "flat-color-icons": "Copyright (c) Icons8 (offered under the MIT licence or the Good Boy License; used under MIT)",
    "meteocons": "Copyright (c) 2020-2022 Bas Milius",
}
CHANGES = """Changes made: every drawing was framed alike and rendered at 128 x 128 pixels; drawings of the style Outline were given black
lines and a white inside; for the style Cartoon the studio draws dark outlines on drawings of other styles when it uses them."""
APACHE = """Licensed under the Apache License, Version 2.0 (the "License"); you may not use these files except in compliance with the
License. You may obtain a copy of the License at http://www.apache.org/licenses/LICENSE-2.0; the studio's own LICENSE file is a copy of it.

Unless required by applicable law or agreed to in writing, software distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the License for the specific language governing permissions
and limitations under the License."""


def notice(sets: list[IconSet], mit_of_keywords: str) -> str:
    """The whole text in Markdown. `mit_of_keywords` is the licence file of emojibase-data, whose terms are the MIT licence's."""
    words = configuration()["keywords"]
    terms = mit_of_keywords[mit_of_keywords.index("Permission is hereby granted") :].strip()
    keeper = next(line for line in mit_of_keywords.splitlines() if line.startswith("Copyright"))
    rows = "\n".join(
        f"| {found.title} | {found.author} ({found.url}) | {found.package} {found.version} | {found.licence} | {found.style} |"
        for found in sets
    )
    return f"""# Notice: the icons of Atelier Icons

The packs in this folder hold drawings from the openly licensed icon sets below.

{CHANGES}

| set | author | package and version | licence | style |
|---|---|---|---|---|
{rows}

Names and keywords: {words["package"]} {words["version"]}, {keeper}, MIT.

## MIT

{_lines(sets, "MIT")}
- {words["package"]}: {keeper}

{terms}

## Apache-2.0

{_lines(sets, "Apache-2.0")}

{APACHE}
"""


def _lines(sets: list[IconSet], licence: str) -> str:
    return "\n".join(f"- {found.title}: {COPYRIGHT[found.name]}" for found in sets if found.licence == licence)
