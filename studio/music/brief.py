"""What the words of a brief say of tempo, key, meter, length and mood. Rules only: knows no genre and no default.

Each function returns None (or nothing) where the words are silent.
"""

from __future__ import annotations

import re

from studio.errors import InvalidInput
from studio.music.moods import MOOD_WORDS, MOODS, Mood
from studio.music.score import Key, Meter

_NOTE = r"([A-Ga-g])(?:\s*(#|♯|b(?![a-z])|♭)|[\s-]?(sharp|flat)\b)?"
_MODE = r"(major|minor|maj|min|dorian|phrygian|lydian|mixolydian)\b"
_KEYED = re.compile(rf"(?<![\w#]){_NOTE}[\s-]*{_MODE}(\s+(?:key|keys|mood|mode|feel|feeling|scale|chord|chords|tonality|third|seventh)\b)?")
_SHORT_KEY = re.compile(r"(?<![\w#])([A-G])(#|b|♯|♭)?m(?![\w'])")
_BARE_KEY = re.compile(
    r"\b(?:in(?: the)?|key(?: of|:)?|in the key of)\s+([A-G])(?:(#|b|♯|♭)|[\s-]?(sharp|flat)\b)?(?![\w#'-])(?!\s+\w*\s*(?:vitamin|section))"
)
_BPM = re.compile(
    r"(?<![\w.])(\d{1,4}(?:\.\d+)?)\s*-?\s*(?:bpm|beats? (?:a|per) minute)\b|\b(?:bpm|tempo)(?: of| is|:|=)?\s*(?:=\s*)?(\d{1,4}(?:\.\d+)?)"
)
_METER = re.compile(r"(?<![\d/])(\d{1,2})\s*/\s*(2|4|8|16)(?![\d/])")
_NUMBERS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "eight": 8, "ten": 10, "twelve": 12, "fifteen": 15, "sixteen": 16,
    "twenty": 20, "thirty-two": 32, "thirty": 30, "forty": 40, "forty-five": 45, "sixty": 60, "ninety": 90,
}  # fmt: skip
_NUMBER = "|".join(sorted(_NUMBERS, key=len, reverse=True))
_SECONDS = re.compile(rf"(?<![\w.-])(\d{{1,4}}(?:\.\d+)?|{_NUMBER})[\s-]*(seconds?|secs?|minutes?|mins?)\b")
_CLOCK = re.compile(r"(?<![\d:])(\d{1,2}):([0-5]\d)(?![\d:])")
_BARS = re.compile(rf"(?<![\w.])(\d{{1,3}}|{_NUMBER})[\s-]*(?:bars?|measures?)\b")
_METER_WORDS = {
    "waltz": "3/4", "minuet": "3/4", "mazurka": "3/4", "three-four": "3/4", "three four": "3/4", "triple meter": "3/4",
    "six-eight": "6/8", "six eight": "6/8", "jig": "6/8", "tarantella": "6/8", "barcarolle": "6/8", "lullaby": "6/8",
    "siciliana": "6/8", "slip jig": "9/8", "polka": "2/4", "march": "2/4", "common time": "4/4", "four on the floor": "4/4",
    "four-on-the-floor": "4/4", "five-four": "5/4", "five four": "5/4", "seven-eight": "7/8", "seven eight": "7/8",
    "odd meter": "7/8", "odd time": "7/8", "twelve-eight": "12/8",
}  # fmt: skip
_TEMPO_WORDS = {
    "larghissimo": 36, "grave": 40, "largo": 50, "lento": 54, "larghetto": 62, "adagio": 68, "adagietto": 72, "andante": 84,
    "andantino": 90, "moderato": 104, "allegretto": 114, "allegro": 132, "vivace": 160, "vivo": 160, "presto": 180,
    "prestissimo": 204,
}  # fmt: skip
_PACE = {
    "very slow": -1.4, "very slowly": -1.4, "super slow": -1.4, "extremely slow": -1.6, "glacial": -1.6, "slow": -0.9, "slowly": -0.9,
    "slow-paced": -0.9, "downtempo": -0.8, "laid-back": -0.5, "laid back": -0.5, "relaxed tempo": -0.4, "unhurried": -0.5,
    "leisurely": -0.5, "mid-tempo": 0.01, "mid tempo": 0.01, "medium tempo": 0.01, "moderate tempo": 0.01, "walking pace": -0.2,
    "upbeat": 0.6, "up-tempo": 0.8, "uptempo": 0.8, "up tempo": 0.8, "brisk": 0.7, "lively": 0.6, "quick": 0.8, "fast": 0.9,
    "fast-paced": 0.9, "rapid": 1.0, "driving": 0.6, "very fast": 1.4, "super fast": 1.4, "breakneck": 1.6, "frantic": 1.3,
    "racing": 1.0,
}  # fmt: skip


def mood(name: str) -> Mood:
    """The mood of that name or of a word for it. Raises InvalidInput with the field `mood`."""
    found = MOOD_WORDS.get(" ".join(name.casefold().split()))
    if found is None:
        raise InvalidInput(f"The mood '{name[:40]}' is not known: choose such as {', '.join(list(MOODS)[:8])}.", "mood")
    return found


def mood_in(text: str) -> Mood | None:
    """The first mood that the text names."""
    return next((MOOD_WORDS[word] for word in _found(text, tuple(MOOD_WORDS))), None)


def key_in(text: str) -> tuple[Key | None, str | None]:
    """The key that the text names, and the mode that it names without a key ("in a minor key", "dorian")."""
    for found in _KEYED.finditer(_lowered_but_notes(text)):
        letter, sign, mode = found[1], found[2] or found[3] or "", found[4]
        if (
            letter == "a"
            and not sign
            and (found[5] or not re.match(r"\s*(?:$|[,.;:!?)\]|/]|and\b|at\b|in\b|with\b|loop\b)", text[found.end() :]))
        ):
            continue
        return Key.read(f"{letter}{sign and ' ' * (len(sign) > 1) + sign} {mode}"), None
    if found := _SHORT_KEY.search(text):
        return Key.read(f"{found[1]}{found[2] or ''} minor"), None
    named = re.search(r"\b(major|minor|dorian|phrygian|lydian|mixolydian)\b", text.casefold())
    mode = named[1] if named else None
    if found := _BARE_KEY.search(text):
        sign = found[2] or (f" {found[3]}" if found[3] else "")
        return (Key.read(f"{found[1]}{sign} {mode}"), None) if mode else (Key.read(f"{found[1]}{sign}"), "?")
    return None, mode


def bpm_in(text: str) -> float | None:
    """The number of beats a minute that the text names. Raises InvalidInput with the field `prompt` for one that cannot be played."""
    found = _BPM.search(text.casefold())
    if found is None:
        return None
    value = float(found[1] or found[2])
    if not 30 <= value <= 300:
        raise InvalidInput(f"The prompt asks for {value:g} beats a minute: a tempo goes from 30 to 300.", "prompt")
    return value


def tempo_in(text: str) -> float | None:
    """The tempo that an Italian tempo word means."""
    return next((float(_TEMPO_WORDS[word]) for word in _found(text, tuple(_TEMPO_WORDS))), None)


def pace_in(text: str) -> float | None:
    """From -1 (the slowest that fits) to 1 (the fastest), beyond for "very"."""
    return next((_PACE[word] for word in _found(text, tuple(_PACE))), None)


def meter_in(text: str) -> Meter | None:
    """The time signature that the text names, in numbers or by a dance. Raises InvalidInput with the field `prompt`."""
    if found := _METER.search(text):
        try:
            return Meter.read(f"{found[1]}/{found[2]}")
        except InvalidInput:
            raise InvalidInput(
                f"The prompt asks for {found[1]}/{found[2]}: choose a time signature such as 4/4, 3/4 or 6/8.", "prompt"
            ) from None
    return next((Meter.read(_METER_WORDS[word]) for word in _found(text, tuple(_METER_WORDS))), None)


def seconds_in(text: str) -> float | None:
    """The length in seconds that the text names. Raises InvalidInput with the field `prompt` above ten minutes."""
    plain = text.casefold()
    total = sum(float(_NUMBERS.get(number) or number) * (60 if unit.startswith("m") else 1) for number, unit in _SECONDS.findall(plain))
    if (
        not total
        and (found := _CLOCK.search(plain))
        and re.search(r"(?:long|length|duration|lasts?|for)\W*$|^\W*(?:long|minutes|loop)", plain[: found.start()])
    ):
        total = int(found[1]) * 60 + int(found[2])
    if total > 600:
        raise InvalidInput(f"The prompt asks for {total:g} seconds: a piece has at most 600.", "prompt")
    return total or None


def bars_in(text: str) -> int | None:
    """The number of bars that the text names ("8-bar loop")."""
    found = _BARS.search(text.casefold())
    if found is None or re.match(r"[\s-]*blues", text.casefold()[found.end() :]):
        return None
    return max(2, min(400, _NUMBERS.get(found[1]) or int(found[1])))


def loops(text: str) -> bool:
    """Whether the text asks for a loop."""
    return bool(re.search(r"\bloop(?:s|ed|ing|able)?\b|\bseamless(?:ly)?\b", text.casefold())) and not ends(text)


def ends(text: str) -> bool:
    """Whether the text says that it shall be no loop."""
    return bool(re.search(r"\b(?:no|not an?|without an?|without|non-?)[\s-]*loop", text.casefold()))


def absent_in(text: str) -> str:
    """The part of the text that says what must not be there ("no drums", "without bass")."""
    return " ; ".join(
        re.findall(r"\b(?:no|without(?: any)?|minus|drop the|not any)\s+((?:[\w-]+(?:\s*(?:,|or|and|nor)\s+)?){1,4})", text.casefold())
    )


def energy_in(text: str) -> str | None:
    """The energy curve that the text describes."""
    rules = {
        "rise": r"\b(?:build(?:s|ing)?(?:[\s-]?up)?|rising|rises?|crescendo|growing|grows|escalating|swelling)\b",
        "fall": r"\b(?:fad(?:es|ing)(?: away| out)?|falling|winding down|diminuendo|decrescendo|calming down|dying away)\b",
        "arc": r"\b(?:arc|builds? and falls?|swells? and fades?|climax)\b",
        "even": r"\b(?:steady|constant|even|unchanging|background)\b",
    }
    found = [(match.start(), name) for name in ("arc", "rise", "fall", "even") if (match := re.search(rules[name], text.casefold()))]
    return "arc" if any(name == "arc" for _, name in found) else min(found)[1] if found else None


def _found(text: str, words: tuple[str, ...]) -> list[str]:
    """The given words that occur in the text, in its order; the longest at a place counts, and nothing that "not" or "no" stands before."""
    pattern = r"(?<![\w-])(?:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + r")(?![\w-])"
    plain = text.casefold()
    return [
        m[0]
        for m in re.finditer(pattern, plain)
        if not re.search(r"\b(?:not|no|without|never|isn't|less|too)(?: (?:too|so|very|a|any))?\s+$", plain[: m.start()])
    ]


def _lowered_but_notes(text: str) -> str:
    """Mode words in small letters, note names as they are."""
    return re.sub(r"[A-Za-z]{2,}", lambda word: word[0].casefold(), text)
