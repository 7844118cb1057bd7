"""The engine of erasing: from files and a task to finished pictures, without any weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from studio.creations import Picture, Preview, Progress
from studio.device import Device
from studio.engines import eraser
from studio.errors import Cancelled
from studio.models import resolve
from studio.sources import Places, ready
from studio.tasks import Inpaint

CARD = eraser.CARDS[0]


def stripes(height: int = 120, width: int = 160) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return (((x + y // 2) // 12 % 2)[..., None] * np.array([120, 100, 70]) + 60).astype(np.uint8)


@pytest.fixture
def erase(tmp_path: Path) -> Any:
    """Runs the engine on a picture with a magenta disc, all of which is marked."""

    def run(picture: np.ndarray, report: Any = lambda event: None, **fields: Any) -> tuple[np.ndarray, np.ndarray, list[Picture]]:
        y, x = np.mgrid[: picture.shape[0], : picture.shape[1]]
        mark = np.hypot(x - 80, y - 55) < 16
        spoiled = picture.copy()
        spoiled[np.hypot(x - 80, y - 55) < 13] = (255, 0, 255, 255)[: picture.shape[2]] if picture.ndim == 3 else 255
        Image.fromarray(spoiled).save(tmp_path / "picture.png")
        Image.fromarray(mark.astype(np.uint8) * 255).save(tmp_path / "mask.png")
        given = {"image": str(tmp_path / "picture.png"), "mask": str(tmp_path / "mask.png"), "mode": "erase", "seed": 5}
        task = resolve(Inpaint.checked({**given, **fields}), CARD)
        made = eraser.recipe(CARD, task, Device("cpu")).build({})(task, report)
        return spoiled, mark, [one for one in made if isinstance(one, Picture)]

    return run


def test_the_object_is_gone_and_the_rest_is_untouched(erase: Any) -> None:
    spoiled, mark, (result,) = erase(stripes(), feather=0)
    assert (result.pixels == spoiled)[~mark].all()
    assert np.abs(result.pixels.astype(int) - stripes())[mark].mean() < 3
    assert result.facts["edit"]["changed_outside"] == 0
    assert result.seed == 5


@pytest.mark.parametrize("channels", [1, 4])
def test_a_picture_keeps_its_mode(erase: Any, channels: int) -> None:
    picture = stripes()[..., 0] if channels == 1 else np.dstack([stripes(), np.full((120, 160), 200, np.uint8)])
    _, _, (result,) = erase(picture)
    assert result.pixels.shape == picture.shape
    if channels == 1:
        assert np.abs(result.pixels.astype(int) - picture).mean() < 1


def test_variants_have_seeds_of_their_own_and_repeat(erase: Any) -> None:
    random = np.random.default_rng(0).integers(0, 256, (96, 112, 3), dtype=np.uint8)
    _, _, pictures = erase(random, count=2)
    assert [picture.seed for picture in pictures] == [5, 6]
    _, _, (again,) = erase(random, seed=6)
    assert (again.pixels == pictures[1].pixels).all()


def test_progress_and_previews_are_told(erase: Any) -> None:
    events: list[Progress | Preview] = []
    erase(stripes(), events.append)
    done = [event.done / event.total for event in events if isinstance(event, Progress)]
    assert done == sorted(done)
    assert done[-1] == 1
    shown = [event.pixels for event in events if isinstance(event, Preview)]
    assert len(shown) == 2
    assert all(pixels is not None and max(pixels.shape) <= 768 for pixels in shown)


def test_stopping_ends_the_run(erase: Any) -> None:
    def stop(event: Progress | Preview) -> None:
        if isinstance(event, Progress) and event.done > 0:
            raise Cancelled

    with pytest.raises(Cancelled):
        erase(stripes(), stop)


def test_the_eraser_is_ready_on_any_machine_offline(tmp_path: Path) -> None:
    places = Places(Path(__file__).parents[1] / "assets", tmp_path / "cache", tmp_path / "home", offline=True)
    assert ready(CARD, places) is not None
