"""A sheet of what the picture starter makes of pictures that are there: twelve edits, four seeds each, to be looked at.

    python -m training.icons.inpaint_sheet --out FOLDER [--size 512] [--only 0,3]

Ten pictures are drawn by the starter itself, two are made up of noise and shading as photographs are. A row shows the picture, the mask
in grey, and what came of four seeds. It prints the CPU-seconds of every edit.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from studio.inpaint.edit import WAYS
from studio.inpaint.prefill import prefilled
from studio.starter import compose, finish
from studio.starter.asking import asked
from studio.starter.icons import IconLibrary
from studio.starter.inpaint import painted
from studio.starter.words import read
from training.icons.evaluate import ROOT, SEEDS, STEPS

Pixels = NDArray[np.uint8]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Case:
    """One edit: `picture` is a prompt or the name of a made-up photograph; `hole` a box in shares (left, top, right, bottom) or a name."""

    picture: str
    hole: tuple[float, float, float, float] | str
    prompt: str
    mode: str = "fill"
    strength: float = 0.7


CASES = (
    Case("a cat face", (0, 0, 1, 0.46), "a dog"),
    Case("a cat face", (0.05, 0, 0.95, 0.3), "a crown"),
    Case("a castle", (0.5, 0, 1, 0.5), "a castle"),
    Case("a pizza", "disc", "a sunflower"),
    Case("a robot", (0, 0.55, 1, 1), "a frog"),
    Case("a house", (0, 0, 1, 0.5), "a castle"),
    Case("an owl on a blue background with stars", "thing", "a fox"),
    Case("a tree", "right", "a lion", "outpaint"),
    Case("a rocket", "around", "in space", "background"),
    Case("a sunflower", "all", "a pizza", "redraw"),
    Case("meadow", "blob", "a sheep"),
    Case("table", "disc", "a red apple"),
)


def main() -> None:
    """1. draw the pictures, 2. edit them, 3. write the sheet, 4. print."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, default=Path("results/starter"), help="folder for the sheet")
    options.add_argument("--size", type=int, default=512, help="pixels a side")
    options.add_argument("--only", default="", help="numbers of cases, with commas")
    arguments = options.parse_args()
    library = IconLibrary.open(ROOT / "assets/icons")
    arguments.out.mkdir(parents=True, exist_ok=True)
    cases = [CASES[int(n)] for n in arguments.only.split(",")] if arguments.only else list(CASES)
    rows, spent = [], []
    for case in cases:
        picture = pictured(case.picture, library, arguments.size)
        hole = marked(case.hole, picture)
        given = picture if hole.all() else prefilled(picture, hole, "neutral" if case.mode == "background" else "blur")
        given = given if case.mode in WAYS else picture
        shown = np.where(hole[..., None], (picture * 0.35 + 90).astype(np.uint8), picture)
        row = [picture, shown]
        for seed in SEEDS:
            began = time.process_time()
            scene = asked(case.prompt, "", case.mode, library)
            made = painted(given, hole, None, scene, library, mode=case.mode, strength=case.strength, seed=seed, steps=STEPS)
            spent.append(time.process_time() - began)
            row.append(made.pixels)
        rows.append(np.concatenate(row, 1))
        print(f"{case.picture:40} {case.mode:10} {case.prompt:16} {spent[-4:][0]:.2f} to {max(spent[-4:]):.2f} CPU-seconds", flush=True)
    sheet(rows, cases, arguments.size).save(arguments.out / "inpaint.png")
    print(f"mean {np.mean(spent):.2f}, most {max(spent):.2f} CPU-seconds an edit of {arguments.size} px")


def pictured(name: str, library: IconLibrary, size: int) -> Pixels:
    """The picture to change."""
    if name == "meadow":
        return meadow(size)
    if name == "table":
        return table(size)
    wide = size // 2 if name == "a tree" else size
    scene = read(name, "", "", library)
    drawings = [compose.draw(compose.gather(part, library, 0, i), 0, STEPS, place=i) for i, part in enumerate(scene.parts)]
    pixels = finish.finished(drawings, scene, library, 0, wide, size).pixels
    return np.pad(pixels, ((0, 0), (0, size - wide), (0, 0)), mode="edge")


def marked(hole: tuple[float, float, float, float] | str, picture: Pixels) -> Bools:
    """What may change."""
    high, wide = picture.shape[:2]
    y, x = np.mgrid[:high, :wide] / high
    if hole == "disc":
        return (x - 0.5) ** 2 + (y - 0.55) ** 2 < 0.05
    if hole == "blob":
        return (((x - 0.45) / 0.3) ** 2 + ((y - 0.66) / 0.24) ** 2 + 0.18 * np.sin(9 * x) * np.cos(7 * y)) < 1
    if hole == "right":
        return x >= 0.5
    if hole == "thing":
        return ((x - 0.5) / 0.42) ** 2 + ((y - 0.5) / 0.5) ** 2 < 1
    if hole == "all":
        return np.ones((high, wide), bool)
    if hole == "around":
        thing = np.abs(picture.astype(int) - picture[0, 0]).max(-1) > 8
        grown = cv2.morphologyEx(thing.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((25, 25), np.uint8))
        return cv2.dilate(grown, np.ones((5, 5), np.uint8)) == 0
    assert not isinstance(hole, str)
    left, top, right, bottom = hole
    return (x >= left) & (x < right) & (y >= top) & (y < bottom)


def meadow(size: int) -> Pixels:
    """Sky over grass, with grain."""
    random = np.random.default_rng(1)
    y = np.mgrid[:size, :size][0] / size
    sky, grass = np.array([150, 190, 235.0]), np.array([90, 135, 60.0])
    share = (1 / (1 + np.exp(-(y - 0.42) * 90)))[..., None]
    blades = cv2.GaussianBlur(random.normal(0, 1, (size, size)).astype(np.float32), (0, 0), 1.2, sigmaY=4)
    clouds = cv2.GaussianBlur(random.normal(0, 1, (size, size)).astype(np.float32), (0, 0), size / 14)
    page = sky * (1 - share) * (1.08 - 0.15 * y[..., None]) + grass * share * (0.75 + 0.5 * y[..., None])
    page = page + 200 * blades[..., None] * share + 900 * clouds[..., None] * (1 - share) + random.normal(0, 5, (size, size, 3))
    return page.clip(0, 255).astype(np.uint8)


def table(size: int) -> Pixels:
    """Wood before a wall, with grain."""
    random = np.random.default_rng(2)
    y, x = np.mgrid[:size, :size] / size
    rings = np.sin(60 * (y + 0.06 * np.sin(4 * x)) + 3 * np.sin(9 * x))
    wood = np.array([150, 98, 58.0]) * (1 + 0.1 * rings[..., None]) * (0.7 + 0.5 * y[..., None])
    wall = np.array([205, 196, 184.0]) * (0.75 + 0.35 * x[..., None])
    page = np.where((y > 0.5)[..., None], wood, wall) + random.normal(0, 6, (size, size, 3))
    return cv2.GaussianBlur(page.clip(0, 255).astype(np.uint8), (0, 0), 0.6)


def sheet(rows: list[Pixels], cases: list[Case], size: int) -> Image.Image:
    """A row a case: its words, the picture, the mask, the results."""
    page = Image.new("RGB", (170 + size * 6, size * len(rows)), "white")
    pen = ImageDraw.Draw(page)
    for number, (row, case) in enumerate(zip(rows, cases, strict=True)):
        page.paste(Image.fromarray(row), (170, number * size))
        pen.multiline_text((6, number * size + size // 2), f"{case.mode}\n{case.prompt}", fill="black")
    return page


if __name__ == "__main__":
    main()
