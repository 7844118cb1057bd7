"""How the page looks: theme, style sheet and script. Knows no single tab."""

from __future__ import annotations

import base64
from pathlib import Path

from gradio import themes

from tabs import _board, _chat, _context, _editor, _player, _shelf, _sources

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
STYLES = (
    "studio.css",
    "batches.css",
    "mask_editor.css",
    _player.STYLE,
    _shelf.STYLE,
    _board.STYLE,
    _editor.STYLE,
    _context.STYLE,
    _sources.STYLE,
    _chat.STYLE,
)
MASK_EDITOR = tuple(f"mask_editor/{part}.js" for part in ("mask", "files", "view", "panel", "tools", "editor"))
SCRIPTS = ("studio.js", "compare.js", *MASK_EDITOR, *_player.SCRIPTS, *_shelf.SCRIPTS, *_board.SCRIPTS, *_editor.SCRIPTS, *_chat.SCRIPTS)
"""In assets/, in the order in which the page loads them."""


def theme() -> themes.Base:
    """Paper and ink in light, charcoal in dark; one terracotta accent. Every text pair has a contrast of at least 4.5."""
    accent = themes.Color(
        "#fdf3ef",
        "#fae3da",
        "#f4c6b5",
        "#eda48a",
        "#e28163",
        "#cc5f3f",
        "#a8452a",
        "#8c3822",
        "#722f1f",
        "#5e291d",
        "#331109",
        name="terracotta",
    )
    ink = themes.Color(
        "#faf8f5", "#f2eee8", "#e4ded5", "#cdc5b9", "#a39a8d", "#6f675c", "#574f46", "#443d36", "#2c2823", "#1e1b18", "#141210", name="ink"
    )
    base = themes.Base(
        primary_hue=accent,
        secondary_hue=accent,
        neutral_hue=ink,
        radius_size="lg",
        spacing_size="md",
        text_size="md",
        font=SANS,
        font_mono=MONO,
    )
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color="*neutral_900",
        body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_300",
        block_background_fill="#ffffff",
        block_background_fill_dark="*neutral_900",
        block_border_width="1px",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_700",
        block_label_text_color="*neutral_600",
        block_label_text_color_dark="*neutral_300",
        block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
        block_shadow="none",
        input_background_fill="#ffffff",
        input_background_fill_dark="*neutral_800",
        input_border_color="*neutral_300",
        input_border_color_dark="*neutral_600",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_text_color="#ffffff",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color_dark="*neutral_950",
        button_secondary_background_fill="*neutral_100",
        button_secondary_background_fill_hover="*neutral_200",
        button_secondary_text_color="*neutral_800",
        button_secondary_background_fill_dark="*neutral_800",
        button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_text_color_dark="*neutral_100",
        link_text_color="*primary_700",
        link_text_color_dark="*primary_300",
        slider_color="*primary_600",
        slider_color_dark="*primary_300",
        checkbox_label_background_fill_selected="*primary_100",
        checkbox_label_background_fill_selected_dark="*primary_800",
        checkbox_label_text_color_selected="*neutral_900",
        checkbox_label_text_color_selected_dark="*neutral_50",
        checkbox_label_border_color_selected="*primary_600",
        checkbox_label_border_color_selected_dark="*primary_300",
    )


def style_sheet(assets: Path) -> str:
    """The page's CSS, with the pictures of the starter's styles inline."""
    pictures = "".join(
        f'.styles label[data-testid="{file.stem.capitalize()}-radio-label"]::before{{content:"";display:inline-block;'
        f"background-image:url(data:image/webp;base64,"
        f"{base64.b64encode(file.read_bytes()).decode()})}}"
        for file in sorted((assets / "styles" / "starter").glob("*.webp"))
    )
    return "\n".join((assets / name).read_text("utf-8") for name in STYLES) + pictures


def script(assets: Path) -> str:
    """The page's scripts as head elements."""
    return "\n".join(f"<script>{(assets / name).read_text('utf-8')}</script>" for name in SCRIPTS)
