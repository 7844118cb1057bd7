"""The last steps of a take: its loudness, a loop that closes, and the brief beside what is heard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from studio.creations import Preview, Progress, Sound
from studio.errors import Cancelled
from studio.music import finish, loudness
from studio.tasks import Compose

RATE = 32_000


def beats(seconds: float, bpm: float) -> Sound:
    """Struck chords in A minor, one a beat."""
    time = np.arange(round(seconds * RATE)) / RATE
    since = time % (60 / bpm)
    strike = np.exp(-6 * since) * np.minimum(since / 0.004, 1)
    chord = sum(np.sin(2 * np.pi * pitch * time) for pitch in (220.0, 261.63, 329.63, 440.0))
    return Sound((0.1 * strike * chord).astype(np.float32)[None], RATE)


def quiet(event: Progress | Preview) -> None:
    """Nobody listens."""


def asked(**values: object) -> Compose:
    return Compose.checked({"prompt": "x", **values})


def checks(facts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    lines = facts["checks"]
    assert isinstance(lines, list)
    return {line["what"]: line for line in lines}


@pytest.mark.parametrize("target", ["-14", "-16", "-23"])
def test_a_take_has_the_loudness_that_was_asked_for(target: str) -> None:
    sound, facts, missed = finish.finished(beats(8, 100), asked(loudness=target, bpm=100, key="A minor"), report=quiet)
    assert loudness.lufs(sound) == pytest.approx(float(target), abs=0.5)
    assert missed == 0 and checks(facts)["tempo"]["ok"] and checks(facts)["key"]["ok"]


def test_as_it_is_changes_no_sample_below_the_ceiling() -> None:
    before = beats(4, 100)
    sound, facts, _ = finish.finished(before, asked(loudness="as is"), report=quiet)
    assert np.array_equal(sound.samples, before.samples) and "loudness" not in checks(facts)


def test_what_misses_the_brief_is_counted_and_marked() -> None:
    _, facts, missed = finish.finished(beats(8, 100), asked(bpm=127, key="C# major"), report=quiet)
    assert missed == 2
    assert not checks(facts)["tempo"]["ok"] and not checks(facts)["key"]["ok"]


@pytest.mark.parametrize("bpm", [100, None])
def test_a_loop_of_sound_is_whole_bars_and_closes(bpm: float | None) -> None:
    sound, facts, _ = finish.finished(beats(8.3, 100), asked(loop=True, bpm=bpm), report=quiet)
    bar = 4 * 60 / 100
    assert sound.seconds / bar == pytest.approx(round(sound.seconds / bar), abs=0.02)
    loop = facts["loop"]
    assert isinstance(loop, dict) and loop["bars"] == 3 and float(str(loop["jump_db"])) < -40


def test_a_sound_shorter_than_its_bar_is_closed_as_a_whole() -> None:
    sound, facts, _ = finish.finished(beats(2, 100), asked(loop=True, bpm=40), report=quiet)
    assert 1.9 < sound.seconds < 2 and facts["loop"]["bars"] is None  # type: ignore[index,call-overload]


def test_a_stop_is_heard_before_the_measuring() -> None:
    def stopped(event: Progress | Preview) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        finish.finished(beats(1, 100), asked(), report=stopped)
