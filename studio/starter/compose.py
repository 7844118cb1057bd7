"""From a part of a scene to one drawing: its icons brought onto one frame and into one palette, then mixed by the sampler.

Which icon leads, whose colours are worn and how far the proportions change follow from the seed alone; leads are spread so that
neighbouring seeds (a batch) look different. Where the other icons have no colours to lend, the hue and lightness change a little instead.
It knows no sentence and no file: finish.py makes the picture.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from studio.starter import blend, diffusion, frame, palette, seams, variation
from studio.starter.enlarge import spread
from studio.starter.icons import SIZE, IconLibrary
from studio.starter.scene import Candidate, Part
from studio.starter.vocabulary import MIXED

if TYPE_CHECKING:
    import torch

Pixels = NDArray[np.uint8]

MOST_MIXED = 6  # icons that go into one drawing
_MOST_READ = 8  # icons of a part that are looked at
_MOST_WORN = 6  # icons a drawing's colours may come from
_COLOURFUL = (*MIXED, "Cartoon")
_MARGIN = 5  # pixels left free around a drawing
_HAZE = 40  # alpha below which nothing is meant to be seen, unless at an edge
_SOLID = 230  # alpha from which a pixel's colour is reliable
_UNLIKE = 10.0  # log-prior an icon loses for being wholly unlike the leading one
_STRANGE = -5.0  # log-prior from which an icon does not take part
_NEW = 0.015  # how unlike itself a leading icon must look in other colours to take them
_DONORS = 2  # icons whose colours one drawing wears
_CHANGED = 0.06  # how unlike itself a leading icon should look in its costume; one that does not gets a hue and lightness of its own
_TURN, _LIGHT = (0.22, 0.42), (0.03, 0.08)  # of that: the least and the most it turns (radians) and grows lighter or darker (OKLab)
_SPREAD = 0.4  # how much the log-priors count when the leading icon is chosen
_WHIM = 1.5  # deviation of the log-prior's random change from place to place
_LEAN = 0.06  # cost by which the finish prefers one icon or another, from place to place
_BARRED, _BAR = -20.0, 3.0  # log-prior of what may not be at a place, and what it costs the finish there
_PATCHES = 6  # places a side over which these change


@dataclass(frozen=True)
class Ingredients:
    """What one drawing is mixed from: pictures (128, 128, 4) uint8 on one frame, the leading one first.

    `icons` are their numbers in the library; `log_priors` (k,) or, by place, (k, 128, 128); `colours` the icons whose colours they took on.
    """

    pictures: tuple[Pixels, ...]
    icons: tuple[int, ...]
    log_priors: NDArray[np.float32]
    colours: tuple[int, ...]


@dataclass(frozen=True)
class Drawing:
    """One finished thing: `pixels` (128, 128, 4) uint8 RGBA; `origin` (128, 128) int32, the icon of each pixel or -1.

    `lead` is the icon it is built around, `colours` are those whose colours it took on.
    """

    pixels: Pixels
    origin: NDArray[np.int32]
    lead: int
    colours: tuple[int, ...]


def gather(part: Part, library: IconLibrary, seed: int, place: int = 0) -> Ingredients:
    """The icons that may go into the drawing of `part`, the scene's part number `place`."""
    if part.other is not None:
        return _blended(part, part.other, library, seed, place)
    random = np.random.default_rng((seed, place))
    wanted = part.candidates[:_MOST_READ]
    lead = _spread(wanted, seed, place)
    models = wanted + _wardrobe(part, library, wanted[lead])
    pictures = [coloured(library, candidate) for candidate in models]
    placed = frame.aligned(pictures, lead, _frame(pictures, lead, random))
    unlike = np.array([frame.unlike(picture, placed[lead]) for picture in placed])
    ranks = np.array([candidate.log_prior for candidate in models])
    costume, donors = _costume(placed, lead, np.exp(ranks - unlike), part.hue is not None, random)
    free = part.hue is None and not library.own_style and library.icons[wanted[lead].index].style in _COLOURFUL
    look = palette.Palette.of(costume)
    near = [int(i) for i in np.argsort(unlike[: len(wanted)], kind="stable")[:MOST_MIXED]]
    near.sort(key=lambda i: i != lead)
    worn = [costume if i == lead else _dressed(placed[i], look, part.hue is not None) for i in near]
    worn = _varied(worn, placed[lead], random) if free else worn
    worn = [palette.off_white(picture) for picture in worn]
    priors = np.array([-_UNLIKE * frame.unlike(picture, worn[0]) for picture in worn])
    priors[0] = 0
    kept = [i for i, prior in enumerate(priors) if prior > _STRANGE]
    pictures, icons = tuple(worn[i] for i in kept), tuple(wanted[near[i]].index for i in kept)
    return Ingredients(pictures, icons, priors[kept].astype(np.float32), tuple(models[i].index for i in donors))


def draw(
    ingredients: Ingredients, seed: int, steps: int, watch: diffusion.Watch | None = None, place: int = 0, device: str = "cpu"
) -> Drawing:
    """Mix the ingredients. The same seed and place give the same bytes. What `watch` raises ends the drawing within one step."""
    import torch

    with alone(), torch.inference_mode():
        return _drawn(ingredients, seed, steps, watch, place, device)


def _drawn(ingredients: Ingredients, seed: int, steps: int, watch: diffusion.Watch | None, place: int, device: str) -> Drawing:
    import torch

    pictures = torch.stack([planes(picture) for picture in ingredients.pictures]).to(device)
    generator = torch.Generator().manual_seed(seed * 8 + place)
    whims = torch.randn(2, len(pictures), _PATCHES, _PATCHES, generator=generator)
    whims = torch.nn.functional.interpolate(whims, size=(SIZE, SIZE), mode="bicubic", align_corners=True).to(device)
    ranks = torch.from_numpy(ingredients.log_priors).to(device)
    ranks = ranks if ranks.ndim == 3 else ranks[:, None, None]
    drawn = diffusion.sample(pictures, ranks + _WHIM * whims[0], seed=seed * 8 + place, steps=steps, watch=watch)
    lean = torch.where(ranks < _BARRED, _BAR, -_LEAN * whims[1])[list(drawn.sources)]
    labels = seams.settled(drawn.guess, drawn.pieces, lean=lean)
    pixels = rgba(seams.joined(drawn.pieces, labels))
    icons = np.array([ingredients.icons[i] for i in drawn.sources], np.int32)
    origin = np.where(pixels[..., 3] >= 128, icons[labels.cpu().numpy()], -1).astype(np.int32)
    return Drawing(pixels, origin, ingredients.icons[0], ingredients.colours)


def coloured(library: IconLibrary, candidate: Candidate) -> Pixels:
    """The icon as it goes into a drawing, (128, 128, 4) uint8: without faint haze around it, with reliable colours up to its edge, and
    with its main colour turned to `candidate.recolour` where that is not None."""
    pixels = library.pixels(candidate.index)
    alpha = pixels[..., 3]
    near = np.asarray(Image.fromarray(np.where(alpha >= 128, 255, 0).astype(np.uint8)).filter(ImageFilter.MaxFilter(3))) > 0
    alpha = np.where(near | (alpha >= _HAZE), alpha, 0)
    colour = spread(pixels[..., :3].astype(np.float32), alpha >= _SOLID, 2)
    pixels = np.concatenate([(colour + 0.5).astype(np.uint8), alpha[..., None]], -1)
    return pixels if candidate.recolour is None else palette.turned(pixels, candidate.recolour)


@contextmanager
def alone() -> Generator[None]:
    """One thread meanwhile: tensors this small are done sooner than a second thread wakes, and waiting threads burn the processor."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def planes(picture: Pixels) -> torch.Tensor:
    """RGBA bytes (H, W, 4) to float32 (4, H, W): colour about grey in [-1, 1] times alpha, then alpha in [-1, 1]."""
    import torch

    scaled = torch.from_numpy(picture.astype(np.float32)) / 127.5 - 1
    alpha = (scaled[..., 3:] + 1) / 2
    return torch.cat([scaled[..., :3] * alpha, scaled[..., 3:]], -1).permute(2, 0, 1).contiguous()


def rgba(planes: torch.Tensor) -> Pixels:
    """The way back; what is nearly transparent becomes wholly so."""
    import torch

    alpha = ((planes[3:] + 1) / 2).clamp(0, 1)
    colour = (planes[:3] / alpha.clamp(min=1e-3)).clamp(-1, 1)
    picture = torch.cat([(colour + 1) / 2, torch.where(alpha < 0.02, 0.0, alpha)])
    return (picture.permute(1, 2, 0) * 255).round().byte().cpu().numpy()


def _blended(part: Part, other: Part, library: IconLibrary, seed: int, place: int) -> Ingredients:
    """Icons of both things of a blend, each where it is to be seen."""
    ends = [gather(replace(one, other=None), library, seed, place) for one in (part, other)]
    made = blend.mixed(ends[0].pictures, ends[1].pictures, part, seed, place)
    icons = [icon for end in ends for icon in end.icons]
    leads = [end.icons[0] for end in (ends if part.share < 0.5 else ends[::-1])]
    colours = dict.fromkeys(icon for end in ends for icon in end.colours)
    return Ingredients(made.pictures, tuple(icons[i] for i in made.places), made.log_priors, tuple({**colours, **dict.fromkeys(leads)}))


def _wardrobe(part: Part, library: IconLibrary, lead: Candidate) -> tuple[Candidate, ...]:
    """Where the part has few icons: others of the leading one's concept, whose colours and proportions it may take, but nothing else."""
    concept, own = library.icons[lead.index].concept, {candidate.index for candidate in part.candidates}
    if library.icons[lead.index].style not in _COLOURFUL or len(own) >= _MOST_WORN:
        return ()
    others = (i for i, icon in enumerate(library.icons) if icon.concept == concept and icon.style in MIXED and i not in own)
    return tuple(Candidate(i, 0.0, lead.recolour) for i in islice(others, _MOST_WORN - len(own)))


def _costume(
    placed: list[Pixels], lead: int, chances: NDArray[np.float64], coloured: bool, random: np.random.Generator
) -> tuple[Pixels, list[int]]:
    """The leading picture in other colours, and whose they are: up to two others', in a random order and to a random degree."""
    worn, donors = placed[lead], list[int]()
    for one in (int(i) for i in random.choice(len(placed), len(placed), replace=False, p=chances / chances.sum()) if i != lead):
        tried = _dressed(worn, palette.Palette.of(placed[one]), coloured, random.uniform(0.7, 1))
        if len(donors) < _DONORS and frame.unlike(tried, worn) >= _NEW:
            worn = tried
            donors.append(one)
    return worn, donors


def _varied(worn: list[Pixels], own: Pixels, random: np.random.Generator) -> list[Pixels]:
    """All in another hue and lightness, which follow from the seed, if the first looks much like the leading icon in its `own` colours.

    All or none: parts of them are to stand beside one another.
    """
    angle, light = (float(random.uniform(*amount) * random.choice((-1, 1))) for amount in (_TURN, _LIGHT))
    if frame.unlike(worn[0], own) >= _CHANGED:
        return worn
    angle, light = variation.settled(worn[0], angle, light)
    found = [variation.varied(picture, angle, light) for picture in worn]
    return worn if any(picture is None for picture in found) else [picture for picture in found if picture is not None]


def _dressed(picture: Pixels, look: palette.Palette, coloured: bool, amount: float = 1.0) -> Pixels:
    return palette.harmonised(picture, palette.Palette.of(picture), look, coloured, amount)


def _spread(wanted: tuple[Candidate, ...], seed: int, place: int) -> int:
    """The leading icon: by its prior, from a sequence of low discrepancy (multiples of the golden ratio), so that seeds in a row differ."""
    shares = np.cumsum(np.exp([_SPREAD * candidate.log_prior for candidate in wanted]))
    spot = (seed * 0.6180339887498949 + 0.5 + place * 0.37) % 1
    return min(int(np.searchsorted(shares / shares[-1], spot, side="right")), len(wanted) - 1)


def _frame(pictures: list[Pixels], lead: int, random: np.random.Generator) -> frame.Box:
    """Where the drawing stands: centred, in proportions up to 70 % of the way from the leading icon's to another's."""
    own, other = frame.drawn(pictures[lead]), frame.drawn(pictures[int(random.integers(len(pictures)))])
    change = np.clip((other.width / other.height) / (own.width / own.height), 0.8, 1.25) ** (0.7 * random.random())
    wide, high = own.width * change**0.5, own.height / change**0.5
    room = SIZE - 2 * _MARGIN
    factor = min(room / wide, room / high, 1.1)
    return frame.Box(SIZE / 2 - wide * factor / 2, SIZE / 2 - high * factor / 2, SIZE / 2 + wide * factor / 2, SIZE / 2 + high * factor / 2)
