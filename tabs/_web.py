"""The page around the tabs: theme, style sheet, script, and the guard in front of every request. Knows no single tab."""

from __future__ import annotations

import base64
from pathlib import Path
from urllib.parse import urlsplit

import gradio as gr
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 40_000_000
"""Bytes of one request; more is refused while it arrives."""

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
)


class Guard:
    """ASGI middleware: known hosts and origins only, bounded bodies, no fetching of foreign addresses, safe headers."""

    def __init__(self, app: ASGIApp, hosts: frozenset[str]) -> None:
        self.app = app
        self.hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse in words, or pass on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope), str(scope.get("path", "")))
        if refusal is not None:
            await PlainTextResponse(refusal[1], refusal[0])(scope, receive, send)
            return
        await self.app(scope, _bounded(receive), _with_headers(send))

    def _refusal(self, headers: Headers, path: str) -> tuple[int, str] | None:
        if _name(f"//{headers.get('host', '')}") not in self.hosts:
            return 421, "This studio does not answer under that host name; its owner can add it with --allow-host."
        origin = headers.get("origin")
        if origin is not None and _name(origin) not in self.hosts:
            return 403, "This studio takes no requests from pages of other sites."
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            return 413, f"A request may hold at most {BODY_LIMIT // 1_000_000} MB."
        tail = path.partition("/file=")[2].lstrip("/").casefold()
        if tail.startswith(("http:", "https:", "ftp:", "file:")) or "/monitoring" in path or "/proxy=" in path:
            return 403, "This address is closed."
        return None


def theme() -> gr.themes.Base:
    """Paper and ink in light, charcoal in dark; one terracotta accent. Every text pair has a contrast of at least 4.5."""
    accent = gr.themes.Color(
        "#fdf3ef", "#fae3da", "#f4c6b5", "#eda48a", "#e28163", "#cc5f3f", "#a8452a", "#8c3822", "#722f1f", "#5e291d", "#331109", name="terracotta"
    )
    ink = gr.themes.Color(
        "#faf8f5", "#f2eee8", "#e4ded5", "#cdc5b9", "#a39a8d", "#6f675c", "#574f46", "#443d36", "#2c2823", "#1e1b18", "#141210", name="ink"
    )
    base = gr.themes.Base(
        primary_hue=accent, secondary_hue=accent, neutral_hue=ink, radius_size="lg", spacing_size="md", text_size="md", font=SANS, font_mono=MONO
    )
    return base.set(
        body_background_fill="*neutral_50", body_background_fill_dark="*neutral_950", body_text_color="*neutral_900", body_text_color_dark="*neutral_100",
        body_text_color_subdued="*neutral_600", body_text_color_subdued_dark="*neutral_300", block_background_fill="#ffffff",
        block_background_fill_dark="*neutral_900", block_border_width="1px", block_border_color="*neutral_200", block_border_color_dark="*neutral_700",
        block_label_text_color="*neutral_600", block_label_text_color_dark="*neutral_300", block_title_text_color="*neutral_700",
        block_title_text_color_dark="*neutral_200", block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_300",
        block_shadow="none", input_background_fill="#ffffff", input_background_fill_dark="*neutral_800", input_border_color="*neutral_300",
        input_border_color_dark="*neutral_600", input_placeholder_color="*neutral_500", input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_600", button_primary_background_fill_hover="*primary_700", button_primary_text_color="#ffffff",
        button_primary_background_fill_dark="*primary_300", button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color_dark="*neutral_950", button_secondary_background_fill="*neutral_100",
        button_secondary_background_fill_hover="*neutral_200", button_secondary_text_color="*neutral_800",
        button_secondary_background_fill_dark="*neutral_800", button_secondary_background_fill_hover_dark="*neutral_700",
        button_secondary_text_color_dark="*neutral_100", link_text_color="*primary_700", link_text_color_dark="*primary_300",
        slider_color="*primary_600", slider_color_dark="*primary_300", checkbox_label_background_fill_selected="*primary_100",
        checkbox_label_background_fill_selected_dark="*primary_800", checkbox_label_text_color_selected="*neutral_900",
        checkbox_label_text_color_selected_dark="*neutral_50", checkbox_label_border_color_selected="*primary_600",
        checkbox_label_border_color_selected_dark="*primary_300",
    )  # fmt: skip


def style_sheet(assets: Path) -> str:
    """The page's CSS, with the pictures of the starter's styles inline."""
    pictures = "".join(
        f'.styles label[data-testid="{file.stem.capitalize()}-radio-label"]::before{{background-image:url(data:image/webp;base64,'
        f"{base64.b64encode(file.read_bytes()).decode()})}}"
        for file in sorted((assets / "styles" / "starter").glob("*.webp"))
    )
    return (assets / "studio.css").read_text("utf-8") + pictures


def script(assets: Path) -> str:
    """The page's script as a head element."""
    return f"<script>{(assets / 'studio.js').read_text('utf-8')}</script>"


def _name(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").casefold()
    except ValueError:
        return ""


def _bounded(receive: Receive) -> Receive:
    taken = 0

    async def take() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > BODY_LIMIT else message

    return take


def _with_headers(send: Send) -> Send:
    async def give(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", []), *HEADERS]}
        await send(message)

    return give
