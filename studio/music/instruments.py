"""Instruments: their names in words, what General MIDI and the studio's own synthesiser call them, and how low and high they play.

Knows no genre and no note.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from studio.errors import InvalidInput

ROLES = ("melody", "counter", "chords", "arpeggio", "pad", "bass", "drums")
"""What an instrument can do in a piece."""


@dataclass(frozen=True)
class Instrument:
    """`program` counts from 0 as in MIDI files; `low` and `high` bound what it plays (MIDI numbers); `roles` are those it is good for."""

    name: str
    program: int
    patch: str
    low: int
    high: int
    roles: tuple[str, ...]
    words: tuple[str, ...]

    @property
    def many(self) -> bool:
        """Whether one player can sound a whole chord."""
        return "chords" in self.roles


# name | program | patch | lowest-highest | roles (m melody, c chords, a arpeggio, p pad, o counter-melody, b bass, d drums) | other words
_TABLE = """
piano            |  0 | piano     | 28-96 | mcaopb | grand piano, pianos, keys, keyboard, upright piano
electric piano   |  4 | epiano    | 36-91 | mcao   | rhodes, fender rhodes, e-piano, epiano, wurlitzer, electric keys
harpsichord      |  6 | harpsichord| 36-89 | mca    | cembalo
clavinet         |  7 | clav      | 36-84 | mca    | clav
celesta          |  8 | bell      | 60-96 | mao    | celeste, toy piano
glockenspiel     |  9 | bell      | 67-100| mao    | bells, chimes, tubular bells
music box        | 10 | bell      | 60-96 | mao    | musicbox
vibraphone       | 11 | vibes     | 53-89 | mcao   | vibes, vibraphones
marimba          | 12 | marimba   | 45-91 | mcao   | kalimba, xylophone, balafon, steel drum, steel drums, steelpan
organ            | 16 | organ     | 36-91 | mcpo   | hammond, electric organ, b3
church organ     | 19 | organ     | 36-91 | mcpob  | pipe organ
accordion        | 21 | reed      | 53-89 | mcpo   | concertina, bandoneon, melodica
harmonica        | 22 | reed      | 60-91 | mo     | mouth organ, blues harp
guitar           | 24 | nylon     | 40-84 | mcao   | nylon guitar, classical guitar, spanish guitar, ukulele, lute
acoustic guitar  | 25 | steel     | 40-84 | mcao   | steel guitar, folk guitar, western guitar, twelve-string guitar
jazz guitar      | 26 | guitar    | 40-84 | mcao   | archtop guitar
electric guitar  | 27 | guitar    | 40-86 | mcao   | clean guitar, electric guitars, guitars
muted guitar     | 28 | muted     | 40-79 | mca    | palm-muted guitar, funk guitar, muted guitars
distorted guitar | 30 | distorted | 40-86 | mcp    | distortion guitar, overdriven guitar, heavy guitar, heavy guitars, distorted guitars
banjo            |105 | pluck     | 48-84 | mca    | mandolin, bouzouki
double bass      | 32 | upright   | 28-55 | b      | upright bass, acoustic bass, contrabass, standup bass, string bass
bass guitar      | 33 | bass      | 28-55 | b      | electric bass, bass, fingered bass, bassline, bass line
slap bass        | 36 | slap      | 28-55 | b      | slapped bass
synth bass       | 38 | synthbass | 26-55 | b      | moog bass, 808 bass, sub bass, acid bass, analog bass, 808
violin           | 40 | strings   | 55-93 | mop    | fiddle, violins, solo violin
viola            | 41 | strings   | 48-84 | mop    | violas
cello            | 42 | strings   | 36-76 | mopb   | cellos, violoncello
harp             | 46 | harp      | 36-96 | mcaob  | lyre, celtic harp
timpani          | 47 | timpani   | 36-57 | b      | kettledrums
strings          | 48 | strings   | 36-91 | mcpob  | string section, string quartet, orchestral strings, string ensemble, pizzicato
choir            | 52 | choir     | 43-81 | mcpo   | voices, voice, vocals, choral, choirs, vocal
trumpet          | 56 | brass     | 55-84 | mo     | trumpets, cornet, flugelhorn, bugle
trombone         | 57 | brass     | 40-72 | mopb   | trombones
tuba             | 58 | brass     | 29-55 | b      | tubas, sousaphone
muted trumpet    | 59 | brass     | 55-84 | mo     | harmon mute
horn             | 60 | brass     | 41-77 | mop    | french horn, french horns, horns
brass            | 61 | brass     | 40-82 | mcpo   | brass section, horn section, brass band
soprano sax      | 64 | sax       | 56-87 | mo     | soprano saxophone
saxophone        | 65 | sax       | 49-81 | mo     | sax, alto sax, alto saxophone, saxophones
tenor sax        | 66 | sax       | 44-76 | mo     | tenor saxophone, baritone sax
oboe             | 68 | reed      | 58-88 | mo     | cor anglais, english horn
bassoon          | 70 | reed      | 34-72 | mob    | bassoons
clarinet         | 71 | reed      | 50-89 | mo     | clarinets, bass clarinet
flute            | 73 | flute     | 60-96 | mo     | flutes, piccolo, woodwinds, woodwind
recorder         | 74 | flute     | 60-91 | mo     | tin whistle, whistle, ocarina
pan flute        | 75 | flute     | 60-89 | mo     | panpipes, shakuhachi, bamboo flute
square lead      | 80 | square    | 48-96 | mcao   | chip lead, pulse lead, square wave, pulse wave
saw lead         | 81 | saw       | 48-93 | mcao   | saw, sawtooth
synth lead       | 81 | lead      | 48-93 | mcao   | lead synth, synthesizer lead, theremin
synth            | 90 | poly      | 40-91 | mcaop  | synthesizer, synthesiser, synths, synthesizers, polysynth, analog synth
triangle wave    | 87 | triangle  | 33-72 | ba     | triangle bass, chip bass
pad              | 89 | pad       | 40-84 | cp     | synth pad, warm pad, pads, soft pad, drone, drones, texture, textures
string machine   | 50 | pad       | 40-86 | cpo    | synth strings, synth string
glass pad        | 92 | glass     | 45-88 | cp     | bowed glass, halo pad, space pad
pluck            | 84 | pluck     | 45-93 | mcao   | synth pluck, plucks, arpeggiator, arp, arpeggio
synth brass      | 62 | synthbrass| 40-82 | mcpo   | analog brass
synth bell       | 98 | bell      | 55-96 | mao    | synth bells, crystal, fm bells
sitar            |104 | koto      | 48-84 | ma     | koto, shamisen, oud
bagpipes         |109 | reed      | 57-81 | m      | bagpipe, uilleann pipes
drums            |  0 | kit       |  0-127| d      | drum kit, drum set, drumkit, beat, beats, percussion, drumming
brushes          | 40 | brushes     |  0-127| d      | brushed drums, brush kit, jazz drums
drum machine     | 25 | machine   |  0-127| d      | 808 drums, 909, 808s, electronic drums, tr-808, breakbeat
"""
_ROLE = {"m": "melody", "c": "chords", "a": "arpeggio", "p": "pad", "o": "counter", "b": "bass", "d": "drums"}


def instrument(name: str, field: str = "instruments") -> Instrument:
    """The instrument of that name, or of one of its other words. Raises InvalidInput with some that are known."""
    plain = " ".join(name.casefold().split())
    found = BY_WORD.get(plain) or BY_WORD.get(plain.removesuffix("s"))
    if found is None:
        some = "piano, electric piano, guitar, violin, flute, strings, bass guitar, synth pad or drums"
        raise InvalidInput(f"The instrument '{name[:40]}' is not known: choose such as {some}.", field)
    return found


def named_in(text: str) -> tuple[tuple[int, Instrument], ...]:
    """The instruments that a text names, each with its place, in the order of the text; the longest name at a place counts."""
    return tuple((found.start(), BY_WORD[found[0]]) for found in _WORDS.finditer(text.casefold()))


def _read(line: str) -> Instrument:
    name, program, patch, bounds, letters, words = (cell.strip() for cell in line.split("|"))
    low, high = map(int, bounds.split("-"))
    return Instrument(name, int(program), patch, low, high, tuple(_ROLE[letter] for letter in letters), tuple(words.split(", ")))


INSTRUMENTS: dict[str, Instrument] = {one.name: one for one in map(_read, _TABLE.strip().splitlines())}
BY_WORD: dict[str, Instrument] = {word: one for one in INSTRUMENTS.values() for word in (*one.words, one.name)}
_WORDS = re.compile(r"(?<![\w-])(?:" + "|".join(sorted(map(re.escape, BY_WORD), key=len, reverse=True)) + r")(?![\w-])")
