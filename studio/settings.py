"""The studio's settings: command-line options, each also an environment variable `ATELIER_*`. The only reader of the environment."""

from __future__ import annotations

import ipaddress
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import platformdirs
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, CliImplicitFlag, SettingsConfigDict

ROOT = Path(__file__).resolve().parent.parent

SPACES_DISK_GB = 50.0
"""The disk of a Space."""


class Settings(BaseSettings):
    """Options of app.py and of the command line; frozen."""

    model_config = SettingsConfigDict(
        env_prefix="ATELIER_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        cli_kebab_case=True,
        cli_prog_name="app.py",
        cli_avoid_json=True,
    )

    host: str | None = Field(default=None, description="Address to serve on; default: this machine alone")
    port: int | None = Field(default=None, ge=1, le=65535, description="Port to serve on; default: 7860 or the next free one")
    home: Path = Field(default=Path(platformdirs.user_data_dir("atelier", appauthor=False)), description="Folder of your creations")
    cache: Path = Field(default=Path(platformdirs.user_cache_dir("atelier", appauthor=False)), description="Folder of downloaded models")
    cache_gb: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="GB that downloaded models may take, of which 90 % are used; default: the disk, on a public studio 50"
    )
    device: Literal["auto", "cuda", "mps", "cpu"] = Field(default="auto", description="Where models run")
    memory: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="GB that models may take on the device; default: what is free"
    )
    converted_gb: float = Field(
        default=20, ge=0, description="GB of the cache for weights once converted to the device's number format; none in a public studio"
    )
    openvino: CliImplicitFlag[bool] = Field(
        default=True, description="Where models run on a CPU and OpenVINO is installed, use it for pictures where it is quicker"
    )
    idle_minutes: float = Field(default=0, ge=0, description="Unload models nobody used for so long; 0: never")
    offline: CliImplicitFlag[bool] = Field(default=False, description="Never download anything")
    models: Path | None = Field(default=None, description="TOML file with further model cards")
    preload: str = Field(default="", description="Names of models to fetch at the start, separated by commas")
    warm: str = Field(default="", description="Names of models to load once the page is there, separated by commas")
    soundfont: Path | None = Field(default=None, description="SF2 file that plays notes too")
    auth_file: Path | None = Field(default=None, description="File with lines made by `python -m studio password`")
    admins: str = Field(
        default="", description="Who may look after the studio at /admin, separated by commas: names of the login file, hf/NAME of the Hub"
    )
    endpoint: str = Field(default="", description="Base address of a service that speaks OpenAI's chat protocol, for writing")
    endpoint_models: str = Field(default="", description="Names of the models it has, separated by commas")
    endpoint_key: SecretStr | None = Field(default=None, description="Key that the service asks for")
    allow_host: str = Field(default="", description="Further host names that pages may be served under, separated by commas")
    max_queue: int = Field(default=32, ge=1, le=1000, description="Runs that may wait")
    daily_runs: int | None = Field(default=None, ge=0, description="Runs that each person has a day; 0: no end; default: 0, in public 500")
    daily_minutes: float | None = Field(
        default=None, ge=0, description="Minutes of the device that each person has a day; 0: no end; default: 0, in public 60"
    )
    patience: float | None = Field(
        default=None, ge=0, description="Seconds without progress after which a run is given up; 0: never; default: 600, in public 120"
    )
    secret: SecretStr | None = Field(
        default=None, description="At least 16 characters that keep the studio's marks and signatures the same wherever it starts"
    )
    signing_key: SecretStr | None = Field(
        default=None, description="PEM file, or its text, with a key and its certificates that sign in place of the studio's own"
    )
    no_watermark: str = Field(default="", description="Reason for which results get no invisible mark; it is logged")
    no_signature: str = Field(default="", description="Reason for which results are not signed; it is logged")
    metrics: CliImplicitFlag[bool] = Field(
        default=False, description="Tell numbers at /metrics and /status.json, to this machine and to logins"
    )
    mode: Literal["local", "public"] | None = Field(
        default=None, description="public: visitors are kept apart, and what they make goes a day after their last visit"
    )

    @property
    def public(self) -> bool:
        """Public unless said otherwise as soon as other machines can reach it, and on Spaces."""
        if self.mode is not None:
            return self.mode == "public"
        return on_spaces() or not _loopback(self.served_host)

    @property
    def served_host(self) -> str:
        """The address in effect: ours, else Gradio's own variable, else loopback."""
        return self.host or os.environ.get("GRADIO_SERVER_NAME") or "127.0.0.1"

    @property
    def hosts(self) -> frozenset[str]:
        """Host names that requests may name, in lower case."""
        own = {"localhost", "127.0.0.1", "::1", self.served_host, os.environ.get("SPACE_HOST", "")}
        return frozenset(name.strip().casefold() for name in {*own, *self.allow_host.split(",")} if name.strip())

    @property
    def admin_names(self) -> frozenset[str]:
        """The owners who may look after the studio."""
        return frozenset(name.strip() for name in self.admins.split(",") if name.strip())

    @property
    def hub_login(self) -> bool:
        """Whether visitors may log in with an account of the Hub: a Space that was set up for it, with the packages that Gradio needs."""
        return on_spaces() and bool(os.environ.get("OAUTH_CLIENT_ID")) and all(map(find_spec, ("authlib", "itsdangerous")))

    @property
    def cache_bytes(self) -> int | None:
        """Bytes that the cache may hold; None: as many as the disk."""
        budget = self.cache_gb if self.cache_gb is not None else SPACES_DISK_GB if self.public else None
        return None if budget is None else int(budget * 1e9)

    @property
    def assets(self) -> Path:
        """What ships with the studio."""
        return ROOT / "assets"

    @property
    def presets(self) -> Path:
        """Styles, prompts and model lists."""
        return ROOT / "presets"

    @property
    def hub_caches(self) -> tuple[Path, ...]:
        """The cache that other programs of this user share with the Hub's own tools: read, never written."""
        root = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
        return (Path(os.environ.get("HF_HUB_CACHE") or root / "hub"),)

    @property
    def web_temp(self) -> Path:
        """Gradio's own temp folder: outside home, of this user and process tree alone."""
        return Path(
            os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / f"atelier-web-{os.getuid() if hasattr(os, 'getuid') else 0}"
        )


def on_zero_gpu() -> bool:
    """Whether this runs as a Space that gets a GPU for seconds at a time."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def on_spaces() -> bool:
    """Whether this runs as a Hugging Face Space."""
    return os.environ.get("SYSTEM") == "spaces"


def prepare_environment(settings: Settings) -> None:
    """Set what libraries read from the environment: telemetry off, Gradio's temp folder, no remote code, where compiled code is kept."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["DIFFUSERS_DISABLE_REMOTE_CODE"] = "1"
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(settings.cache.absolute() / "compiled"))  # never in a folder of all users' own
    os.environ["GRADIO_TEMP_DIR"] = str(settings.web_temp)
    if settings.offline:
        os.environ["HF_HUB_OFFLINE"] = "1"
    if on_zero_gpu():
        os.environ.setdefault("ZEROGPU_MMAP_AUTOPRUNE_PATTERN", "-")  # weights stay on the disk: each run reads their headers


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
