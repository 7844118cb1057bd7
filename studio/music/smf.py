"""Standard MIDI files from strangers, read with bounds: notes, tempos and time signatures, or one sentence why not. Knows no music.

Format: "Standard MIDI Files 1.0" (MIDI Association, RP-001). Every byte is looked at once; a file of more than `SIZE_LIMIT` bytes or
`EVENTS_LIMIT` events is refused before it costs anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from studio.errors import MediaUnreadable

SIZE_LIMIT = 5_000_000
EVENTS_LIMIT = 200_000
FIELD = "reference"
_BROKEN = "This MIDI file is damaged or cut short: export it again from the program that wrote it."


@dataclass(frozen=True)
class Tone:
    """A note of a file: start and length in ticks."""

    track: int
    channel: int
    pitch: int
    velocity: int
    start: int
    length: int


@dataclass
class Contents:
    """What a file holds. `division`: ticks a quarter note; tempos as (tick, microseconds a quarter); meters as (tick, beats, unit)."""

    division: float
    tones: list[Tone] = field(default_factory=list[Tone])
    tempos: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    meters: list[tuple[int, int, int]] = field(default_factory=list[tuple[int, int, int]])
    names: dict[int, str] = field(default_factory=dict[int, str])


def parse(data: bytes) -> Contents:
    """The contents of a MIDI file, also one in a RIFF. Raises MediaUnreadable, field `reference`, with a sentence for all else."""
    if len(data) > SIZE_LIMIT:
        raise MediaUnreadable(f"This MIDI file has more than {SIZE_LIMIT // 1_000_000} MB: choose a smaller one.", FIELD)
    if data[:4] == b"RIFF" and data[8:12] == b"RMID" and data[12:16] == b"data":
        data = data[20 : 20 + int.from_bytes(data[16:20], "little")]
    if data[:4] != b"MThd":
        raise MediaUnreadable("This is no MIDI file: choose one that ends in .mid.", FIELD)
    size = int.from_bytes(data[4:8], "big")
    if len(data) < 14 or size < 6 or 8 + size > len(data):
        raise MediaUnreadable(_BROKEN, FIELD)
    reader = _Reader(Contents(_division(data[12:14])))
    place, track = 8 + size, 0
    while place + 8 <= len(data):
        kind, length = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "big")
        body = data[place + 8 : place + 8 + length]
        if len(body) < length:
            raise MediaUnreadable(_BROKEN, FIELD)
        if kind == b"MTrk":
            reader.track(body, track)
            track += 1
        place += 8 + length
    if not reader.contents.tones:
        raise MediaUnreadable("This MIDI file has no notes: choose one with a melody.", FIELD)
    return reader.contents


def _division(two: bytes) -> float:
    """Ticks a quarter note; times in film frames count as 120 beats a minute."""
    division = int.from_bytes(two, "big")
    if division & 0x8000:
        division = (256 - two[0]) * two[1] / 2
    if division == 0:
        raise MediaUnreadable(_BROKEN, FIELD)
    return float(division)


class _Reader:
    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self.events = 0
        self.data = b""
        self.place = 0

    def track(self, data: bytes, track: int) -> None:
        """One track's events. A note that is never ended ends with its track."""
        self.data, self.place = data, 0
        time, status = 0, 0
        sounding: dict[tuple[int, int], tuple[int, int]] = {}
        while self.place < len(data):
            self.events += 1
            if self.events > EVENTS_LIMIT:
                raise MediaUnreadable(f"This MIDI file has more than {EVENTS_LIMIT:,} events: choose a shorter one.", FIELD)
            time += self._number()
            first = self._byte()
            if first == 0xFF:
                status = 0
                if self._meta(time, track):
                    break
            elif first in (0xF0, 0xF7):
                status = 0
                self._bytes(self._number())
            else:
                status = self._message(first, status, time, track, sounding)
        for (channel, pitch), (start, velocity) in sounding.items():
            if time > start:
                self.contents.tones.append(Tone(track, channel, pitch, velocity, start, time - start))

    def _message(self, first: int, status: int, time: int, track: int, sounding: dict[tuple[int, int], tuple[int, int]]) -> int:
        """A channel's message; returns the status that the next may go on with."""
        if first >= 0x80:
            if first >= 0xF0:
                raise MediaUnreadable(_BROKEN, FIELD)
            status, one = first, self._byte()
        else:
            one = first
        if status < 0x80 or one >= 0x80:
            raise MediaUnreadable(_BROKEN, FIELD)
        two = 0 if status & 0xE0 == 0xC0 else self._byte()
        if two >= 0x80:
            raise MediaUnreadable(_BROKEN, FIELD)
        kind, channel = status & 0xF0, status & 0x0F
        if kind in (0x80, 0x90):
            started = sounding.pop((channel, one), None)
            if started is not None and time > started[0]:
                self.contents.tones.append(Tone(track, channel, one, started[1], started[0], time - started[0]))
            if kind == 0x90 and two:
                sounding[channel, one] = (time, two)
        return status

    def _meta(self, time: int, track: int) -> bool:
        """An event that is no sound; True at the end of the track."""
        kind = self._byte()
        body = self._bytes(self._number())
        if kind == 0x51 and len(body) == 3:
            tempo = int.from_bytes(body, "big")
            if tempo == 0:
                raise MediaUnreadable("This MIDI file has a tempo of 0: export it again with a tempo.", FIELD)
            self.contents.tempos.append((time, tempo))
        elif kind == 0x58 and len(body) >= 2 and body[1] <= 5 and body[0]:
            self.contents.meters.append((time, body[0], 2 ** body[1]))
        elif kind == 0x03:
            self.contents.names[track] = body[:80].decode("latin-1")
        return kind == 0x2F

    def _byte(self) -> int:
        if self.place >= len(self.data):
            raise MediaUnreadable(_BROKEN, FIELD)
        self.place += 1
        return self.data[self.place - 1]

    def _bytes(self, count: int) -> bytes:
        found = self.data[self.place : self.place + count]
        if len(found) < count:
            raise MediaUnreadable(_BROKEN, FIELD)
        self.place += count
        return found

    def _number(self) -> int:
        """A number of variable length: seven bits a byte, four bytes at most."""
        value = 0
        for _ in range(4):
            byte = self._byte()
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value
        raise MediaUnreadable(_BROKEN, FIELD)
