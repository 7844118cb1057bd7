"""Moods: what each changes in a piece, and the words for it. Data; knows no prompt and no genre."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mood:
    """What a mood changes: `minor` (None: neither way), the tempo within the genre's range (-1 slowest, 1 fastest), energy and density.

    `register` moves the middle of the melody by semitones.
    """

    name: str
    minor: bool | None
    pace: float
    energy: float
    density: float
    register: int
    words: tuple[str, ...]


# name | mode | pace | energy | density | register | other words
_TABLE = """
calm | - | -0.5 | -0.15 | -0.15 | 0 | relaxing, relaxed, peaceful, quiet, gentle, soft, soothing, serene, tranquil, chill, mellow,
    sleepy, cozy, cosy, meditative, laid-back, soothing, tender, still
happy | major | 0.4 | 0.1 | 0.1 | 2 | joyful, cheerful, bright, merry, sunny, cheery, joyous, smiling, uplifting, positive, feel-good,
    glad, delighted, festive, celebratory
sad | minor | -0.6 | -0.1 | -0.15 | -2 | sorrowful, mournful, grieving, heartbroken, tearful, lonely, gloomy, lamenting, lament, somber,
    sombre, tragic, crying
melancholic | minor | -0.4 | -0.08 | -0.1 | -1 | melancholy, wistful, bittersweet, longing, yearning, pensive, rainy, autumnal, moody,
    blue
nostalgic | - | -0.3 | -0.05 | -0.05 | 0 | nostalgia, reminiscent, vintage, memories, sentimental, retro
dreamy | - | -0.4 | -0.1 | -0.1 | 3 | ethereal, floating, hazy, surreal, airy, weightless, heavenly, otherworldly, magical, enchanted,
    enchanting, starry, shimmering
romantic | major | -0.4 | -0.05 | -0.05 | 0 | love, loving, tender love, passionate, intimate, wedding, sensual, candlelit
hopeful | major | 0.0 | 0.05 | 0.0 | 1 | hope, inspiring, inspirational, optimistic, motivational, encouraging, warm, heartwarming
playful | major | 0.4 | 0.05 | 0.15 | 3 | quirky, funny, whimsical, silly, cute, humorous, comical, bouncy, mischievous, childlike,
    cartoonish
energetic | - | 0.7 | 0.25 | 0.2 | 0 | energy, exciting, excited, powerful, pumping, high-energy, intense energy, hype, groovy, dynamic,
    danceable, party
triumphant | major | 0.3 | 0.25 | 0.0 | 1 | victorious, heroic, victory, glorious, majestic, proud, anthemic, noble
epic | minor | 0.2 | 0.3 | 0.0 | 0 | grand, monumental, massive, colossal, soaring, legendary
dark | minor | -0.2 | 0.0 | -0.05 | -4 | ominous, sinister, evil, brooding, haunting, bleak, grim, gothic, menacing, eerie, spooky,
    creepy, scary, horror
tense | minor | 0.3 | 0.1 | 0.1 | -2 | suspenseful, suspense, anxious, nervous, urgent, dramatic, thrilling, chase, restless, uneasy,
    anticipation
angry | minor | 0.6 | 0.3 | 0.15 | -2 | aggressive, furious, rage, fierce, brutal, raging, violent
mysterious | minor | -0.3 | -0.1 | -0.1 | -1 | mystery, enigmatic, secretive, curious, strange, mystical, shadowy, noir
"""


def _read(line: str) -> Mood:
    name, mode, pace, energy, density, register, words = (cell.strip() for cell in line.split("|"))
    minor = {"minor": True, "major": False}.get(mode)
    return Mood(name, minor, float(pace), float(energy), float(density), int(register), (name, *words.split(", ")))


MOODS: dict[str, Mood] = {mood.name: mood for mood in map(_read, _TABLE.strip().replace("\n    ", " ").splitlines())}
MOOD_WORDS: dict[str, Mood] = {word: mood for mood in MOODS.values() for word in mood.words}
