"""Judges the picture starter: the sheet of 60 prompts x 4 seeds, and the figures it has to reach. Run by `make eval-starter`.

    python -m training.icons.evaluate --out DIR
    python -m training.icons.evaluate --styles assets/styles/starter    draws the small picture of each style instead

The bars were written down before the last run:

- concept, at least 95 %: the library icon nearest to a drawing (all icons, planes at 24 x 24) has one of the asked words in its name,
  concept or keywords.
- novelty, at least 60 % of the drawings that had three or more candidates: the drawing is farther from every icon of the library, mirrored
  ones too, than an icon is from itself after a harmless change. Both are stretched to the same square first, so that moving, scaling and
  other proportions alone never count as new. The threshold is measured, not chosen: the 99th percentile, over 300 icons of the styles
  that are mixed, of the distance between an icon and itself moved by one pixel, saved as WebP at quality 80, or scaled by 0.97. Distance
  is the root mean square of the difference of premultiplied planes at 32 x 32 over the area drawn on.
- seams, at most 10 % of the drawings: a drawing has a seam when more than 6 pixels of the border between parts of different icons show a
  jump that is at least 0.1 (of the full range, largest channel) above the jumps that the icons have there themselves, within a pixel.
- time, at most 3 CPU-seconds for a warm picture of 128 px, from words to attachments.

It prints one line for each; the sheets are for eyes, which these figures do not replace.
"""

from __future__ import annotations

import argparse
import io
import time
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from studio.starter import compose, finish, frame
from studio.starter.icons import SIZE, IconLibrary
from studio.starter.scene import Scene
from studio.starter.vocabulary import MIXED
from studio.starter.words import read

ROOT = Path(__file__).parents[2]
CONCEPT, NOVELTY, SEAMS, SECONDS = 0.95, 0.60, 0.10, 3.0
SEEDS = (0, 1, 2, 3)
STEPS = 18
ROWS = 15  # prompts a sheet
JUMP = 0.1
SAMPLES = {"Flat": 1, "Glossy": 2, "Classic": 4, "Soft": 0, "Cartoon": 0, "Outline": 1, "Mixed": 2}  # styles and seeds
SEAM = 6

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Prompt:
    """A line of concepts.toml: `expected` holds, for each thing, the words of which one must name the icon."""

    text: str
    expected: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Made:
    """One finished picture and what it was made of."""

    prompt: Prompt
    scene: Scene
    mixed: tuple[tuple[compose.Ingredients, compose.Drawing], ...]
    page: Pixels
    seconds: float


def main() -> None:
    """1. draw, 2. measure, 3. write the sheets, 4. print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path("results/starter"), help="folder for the sheets")
    options.add_argument("--styles", type=Path, help="folder for the styles' pictures")
    arguments = options.parse_args()
    library = IconLibrary.open(ROOT / "assets/icons")
    if arguments.styles is not None:
        samples(library, arguments.styles)
        return
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    next(drawn(library, prompts()[:1]))  # what is loaded once is loaded now
    made = list(drawn(library, prompts()))
    for number, start in enumerate(range(0, len(made), ROWS * len(SEEDS)), 1):
        sheet(made[start : start + ROWS * len(SEEDS)]).save(out / f"starter-{number}.png")
    nearest = Nearest(library)
    named = [
        nearest.named(drawing.pixels, words) for one in made for (_, drawing), words in zip(one.mixed, one.prompt.expected, strict=True)
    ]
    rich = [d for one in made for (_, d), part in zip(one.mixed, one.scene.parts, strict=True) if len(part.candidates) >= 3]
    limit = nearest.harmless()
    novel = [nearest.distance(drawing.pixels) > limit for drawing in rich]
    seams = [seam(*pair) for one in made for pair in one.mixed]
    report("concept", float(np.mean(named)), CONCEPT, f"of {len(named)} drawings are nearest to an icon of the asked concept")
    report("novelty", float(np.mean(novel)), NOVELTY, f"of {len(novel)} drawings are farther than {limit:.3f} from every icon")
    report("seams", float(np.mean([s > SEAM for s in seams])), SEAMS, f"of {len(seams)} drawings show a seam over {SEAM} px", most=True)
    spent = [one.seconds for one in made]
    print(
        f"time     {np.mean(spent):.2f} CPU-seconds a picture, {max(spent):.2f} at most; bar {SECONDS:.0f}: {said(max(spent) <= SECONDS)}"
    )
    for one in (one for one, ok in zip([m for m in made for _ in m.mixed], named, strict=True) if not ok):
        print(f"         not recognised: {one.prompt.text}")


def prompts() -> list[Prompt]:
    """The prompts of concepts.toml in their order."""
    table = tomllib.loads((Path(__file__).parent / "concepts.toml").read_text("utf-8"))
    return [Prompt(one["text"], tuple(tuple(words) for words in one["expected"])) for one in table["prompt"]]


def drawn(library: IconLibrary, wanted: Sequence[Prompt]) -> Iterator[Made]:
    """Every prompt with every seed, as the engine draws it at 128 px."""
    for prompt in wanted:
        for seed in SEEDS:
            began = time.process_time()
            scene = read(prompt.text, "", "", library)
            mixed: list[tuple[compose.Ingredients, compose.Drawing]] = []
            for place, part in enumerate(scene.parts):
                ingredients = compose.gather(part, library, seed, place)
                mixed.append((ingredients, compose.draw(ingredients, seed, STEPS, place=place)))
            picture = finish.finished([drawing for _, drawing in mixed], scene, library, seed, SIZE, SIZE)
            yield Made(prompt, scene, tuple(mixed), picture.pixels, time.process_time() - began)


def samples(library: IconLibrary, folder: Path) -> None:
    """One picture a style, as WebP of 96 px, named by the style."""
    folder.mkdir(parents=True, exist_ok=True)
    for style, seed in SAMPLES.items():
        scene = read("a castle", "", style, library)
        drawing = compose.draw(compose.gather(scene.parts[0], library, seed), seed, STEPS)
        page = Image.fromarray(finish.sketched([drawing.pixels], scene))
        page.resize((96, 96), Image.Resampling.LANCZOS).save(folder / f"{style.lower()}.webp", quality=92, method=6)


class Nearest:
    """Distances between drawings and all icons of the library."""

    def __init__(self, library: IconLibrary) -> None:
        self.library = library
        icons = [library.pixels(i) for i in range(len(library))]
        self._framed = np.stack([planes(icon, 24) for icon in icons])
        straight = np.stack([stretched(icon) for icon in icons])
        self._stretched = np.concatenate([straight, straight[:, :, ::-1]])

    def named(self, picture: Pixels, words: Sequence[str]) -> bool:
        """Whether the nearest icon's name, concept or keywords hold one of `words`."""
        icon = self.library.icons[int(((self._framed - planes(picture, 24)) ** 2).sum((1, 2, 3)).argmin())]
        text = " ".join((icon.name, icon.concept, *icon.keywords)).casefold()
        return any(word.casefold() in text for word in words)

    def distance(self, picture: Pixels) -> float:
        """How far the picture is from the nearest icon or mirrored icon."""
        return float(apart(self._stretched, stretched(picture)).min())

    def harmless(self) -> float:
        """The distance that a change nobody would call new can make (see the module's docstring)."""
        found: list[float] = []
        usual = [i for i, icon in enumerate(self.library.icons) if icon.style in MIXED]
        for index in np.random.default_rng(0).choice(usual, 300, replace=False):
            icon = self.library.pixels(int(index))
            changes = np.roll(icon, 1, 1), recompressed(icon), shrunk(icon)
            found += [float(apart(stretched(changed)[None], stretched(icon))[0]) for changed in changes]
        return float(np.percentile(found, 99))


def recompressed(icon: Pixels) -> Pixels:
    """The icon after WebP at quality 80."""
    file = io.BytesIO()
    Image.fromarray(icon).save(file, "WEBP", quality=80)
    return np.asarray(Image.open(file).convert("RGBA"))


def shrunk(icon: Pixels) -> Pixels:
    """The icon resampled to 0.97 of its size."""
    side = round(SIZE * 0.97)
    page = Image.new("RGBA", (SIZE, SIZE))
    page.paste(Image.fromarray(icon).resize((side, side), Image.Resampling.BICUBIC), (2, 2))
    return np.asarray(page)


def planes(picture: Pixels, side: int) -> Floats:
    """(side, side, 4): premultiplied about grey, as the sampler sees it."""
    small = np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BOX), np.float32) / 127.5 - 1
    alpha = (small[..., 3:] + 1) / 2
    return np.concatenate([small[..., :3] * alpha, small[..., 3:]], -1)


def stretched(picture: Pixels) -> Floats:
    """(32, 32, 4): the drawing alone, filling the square."""
    box = frame.drawn(picture)
    return planes(np.asarray(Image.fromarray(picture).crop((int(box.left), int(box.top), int(box.right), int(box.bottom)))), 32)


def apart(many: Floats, one: Floats) -> Floats:
    """Root mean square difference (n,) over the area that `one` is drawn on."""
    area = float((one[..., 3] + 1).mean()) / 2
    return np.sqrt(((many - one) ** 2).mean((1, 2, 3)) / max(area, 0.02))


def seam(ingredients: compose.Ingredients, drawing: compose.Drawing) -> int:
    """Pixels of border between parts of different icons at which an edge shows that no icon has."""
    sources = {icon: planes(picture, SIZE) for icon, picture in zip(ingredients.icons, ingredients.pictures, strict=True)}
    result, found = planes(drawing.pixels, SIZE), 0
    for axis in (0, 1):
        jump = np.abs(np.diff(result, axis=axis)).max(-1) / 2
        own = {icon: widest(np.abs(np.diff(source, axis=axis)).max(-1) / 2) for icon, source in sources.items()}
        one, two = (np.delete(drawing.origin, end, axis) for end in (-1, 0))
        for row, column in np.argwhere((one != two) & (one >= 0) & (two >= 0)):
            there = max(own[int(one[row, column])][row, column], own[int(two[row, column])][row, column])
            found += bool(jump[row, column] > there + JUMP)
    return found


def widest(jumps: Floats) -> Floats:
    """The largest of the 3 x 3 values around each."""
    wide = np.pad(jumps, 1)
    high, across = jumps.shape
    return np.maximum.reduce([wide[y : y + high, x : x + across] for y in range(3) for x in range(3)])


def sheet(made: Sequence[Made]) -> Image.Image:
    """A row a prompt: its words, then its pictures, seed by seed."""
    page = Image.new("RGB", (170 + SIZE * len(SEEDS), SIZE * (len(made) // len(SEEDS))), "white")
    pen = ImageDraw.Draw(page)
    for number, one in enumerate(made):
        row, column = divmod(number, len(SEEDS))
        page.paste(Image.fromarray(one.page), (170 + column * SIZE, row * SIZE))
        pen.text((6, row * SIZE + SIZE // 2), one.prompt.text, fill="black")
    return page


def report(name: str, share: float, bar: float, what: str, *, most: bool = False) -> None:
    """One line: the share, what of, and whether the bar is reached."""
    reached = share <= bar if most else share >= bar
    print(f"{name:8} {share:.1%} {what}; bar {'at most' if most else 'at least'} {bar:.0%}: {said(reached)}")


def said(reached: bool) -> str:
    """For people."""
    return "reached" if reached else "MISSED"


if __name__ == "__main__":
    main()
