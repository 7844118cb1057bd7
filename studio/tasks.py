"""What can be asked of the studio: one frozen model a craft. Limits and defaults stand here once.

Forms, HTTP, the command line, presets, records and tests all read them from here. Knows no model and no page.
A field whose default is None takes the chosen model card's own default (see `models.resolve`).
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, cast

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from studio.errors import InvalidInput
from studio.music import segments as timeline
from studio.music.score import Key, Meter

PROMPT_LIMIT = 4_000
TEXT_LIMIT = 60_000
NOTES_LIMIT = 20_000
TURNS_LIMIT = 400_000
"""Characters of all earlier messages of a conversation."""
SCHEMA_LIMIT = 20_000
LINE_LIMIT = 200
SEED_LIMIT = 2**32 - 1
SIDE_LIMIT = 4_096
SIDE_SHARE_LIMIT = 200
UNMARKED_TOKENS = 200
"""Up to which an answer goes without an invisible mark unless it is asked for: it would hardly be found again."""
_TURNING = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
"""Embeddings, overrides and isolates (Unicode Standard Annex 9)."""
_MARKS = "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]"
_HEAPED = re.compile(f"({_MARKS}{{20}}){_MARKS}+")


def _plain_text(value: object) -> object:
    """Text as typed, line ends as \\n. Control characters and halves of surrogate pairs are refused, never repaired."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise PydanticCustomError("words", "must be text")
    value = value.replace("\r\n", "\n").replace("\r", "\n")
    if any("\ud800" <= c <= "\udfff" for c in value):
        raise PydanticCustomError("words", "holds a broken character (half of an emoji); delete it and type it again")
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in value):
        raise PydanticCustomError("words", "holds an invisible control character; paste it as plain text")
    return value


def _words(value: object) -> object:
    """Words as they are read, of fields that no place is counted in: composed (NFC), without characters that turn the direction of writing
    (they would show other words than are read), at most 20 marks upon one letter."""
    text = _plain_text(value)
    if not isinstance(text, str) or text.isascii():
        return text
    return _HEAPED.sub(r"\1", unicodedata.normalize("NFC", text.translate(_TURNING)))


def _number(value: object) -> object:
    """A finite number, or None for an empty field. Booleans and text are no numbers, nor is what no computer word holds."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63):
        return value
    raise PydanticCustomError("number", "no number")


def _lines(value: object) -> object:
    """One entry a line, or a list of texts; blank entries are dropped."""
    if value is None:
        return ()
    if not isinstance(value, str | list | tuple):
        raise PydanticCustomError("words", "must be text, one entry a line")
    entries = cast("Sequence[object]", value.split("\n") if isinstance(value, str) else value)
    if any(isinstance(entry, str) and len(entry) > LINE_LIMIT for entry in entries):
        raise PydanticCustomError("words", "takes entries of at most {most} characters", {"most": LINE_LIMIT})
    return tuple(entry for entry in map(_plain_text, entries) if isinstance(entry, str) and entry.strip())


def _turns(value: object) -> object:
    """Messages by turns as a list of texts, or such a list as JSON; an empty field is none at all."""
    if isinstance(value, str):
        try:
            value = cast("object", json.loads(value)) if value.strip() else None
        except (ValueError, RecursionError):
            value = ""
    if value is None:
        return None
    texts = cast("Sequence[object]", value) if isinstance(value, list | tuple) else ("",)
    if not all(isinstance(text, str) and text.strip() for text in texts) or len(texts) % 2:
        raise PydanticCustomError("words", "must be a list of texts: your message, its answer, and so on, the last one an answer")
    said = tuple(str(_plain_text(text)) for text in texts)
    if sum(map(len, said)) > TURNS_LIMIT:
        raise PydanticCustomError("words", "hold more than {most} characters: begin a new conversation", {"most": f"{TURNS_LIMIT:,}"})
    return said


def _names(value: object) -> object:
    """Names separated by commas or lines, or a list of texts."""
    return _lines(value.replace(",", "\n") if isinstance(value, str) else value)


def _said(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("missing", "empty")
    return text


def _flag(value: object) -> object:
    if isinstance(value, bool):
        return value
    raise PydanticCustomError("words", "must be on or off (true or false)")


def _side(value: object) -> object:
    """A length as "128" (pixels) or "25%" (of the picture's own width or height); numbers are pixels."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63:
        value = f"{value:g}"
    text = value.strip().removesuffix("px").strip() if isinstance(value, str) else ""
    number = re.fullmatch(r"(\d{1,5}(?:\.\d{1,3})?)\s*(%?)", text or "0") if isinstance(value, str) else None
    if number is None or float(number[1]) > (SIDE_SHARE_LIMIT if number[2] else SIDE_LIMIT):
        words = "must be pixels from 0 to {pixels}, such as 128, or a share from 0% to {share}%, such as 25%"
        raise PydanticCustomError("words", words, {"pixels": SIDE_LIMIT, "share": SIDE_SHARE_LIMIT})
    return f"{float(number[1]):g}{number[2]}"


Text = Annotated[str, BeforeValidator(_plain_text)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Side = Annotated[str, BeforeValidator(_side)]
Whole = Annotated[int, BeforeValidator(_number)]
Real = Annotated[float, BeforeValidator(_number)]
Said = Annotated[str, BeforeValidator(_plain_text), AfterValidator(_said)]
Words = Annotated[str, BeforeValidator(_words)]
Asked = Annotated[str, BeforeValidator(_words), AfterValidator(_said)]
Lines = Annotated[tuple[str, ...], BeforeValidator(_lines)]
Turns = Annotated[tuple[str, ...] | None, BeforeValidator(_turns)]
Names = Annotated[tuple[Annotated[str, AfterValidator(str.strip)], ...], BeforeValidator(_names)]


class Task(BaseModel):
    """A request as data. `kind` is also the HTTP endpoint; its fields are the endpoint's parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: ClassVar[str]
    medium: ClassVar[str]
    files: ClassVar[tuple[str, ...]] = ()
    """Fields that name a file: a path, or "sha256:<hex>" of one that the library holds."""
    if TYPE_CHECKING:  # every task has these two; each declares them in its own place, since the order is that of the endpoint
        model: str
        seed: int | None

    @classmethod
    def checked(cls, values: Mapping[str, object]) -> Self:
        """Build the task from loose values (None: the default) or raise InvalidInput with one sentence that names the field."""
        try:
            return cls.model_validate({name: value for name, value in values.items() if value is not None})
        except ValidationError as error:
            raise _sentence(cls, error) from None

    @property
    def way(self) -> str:
        """The way of working that a model must know for this task, such as a mode; '' where there is only one."""
        return ""

    def settled(self) -> Mapping[str, object]:
        """What the task itself says for fields that were left open, before any model does."""
        return {}


class TextToImage(Task):
    """Words become pictures. Sizes in pixels; picture k of a batch is made from seed + k alone."""

    kind: ClassVar[str] = "text_to_image"
    medium: ClassVar[str] = "picture"

    prompt: Asked = Field(min_length=1, max_length=PROMPT_LIMIT, title="Prompt", description="What the picture shows")
    negative_prompt: Words = Field(default="", max_length=PROMPT_LIMIT, title="Negative prompt", description="What to avoid")
    model: Text = Field(default="", max_length=200, title="Model", description="Name of a model card; empty: the best one here")
    style: Text = Field(default="", max_length=100, title="Style", description="Name of a style of the model; empty: none")
    width: Whole | None = Field(default=None, ge=64, le=2048, multiple_of=8, title="Width", description="Pixels")
    height: Whole | None = Field(default=None, ge=64, le=2048, multiple_of=8, title="Height", description="Pixels")
    steps: Whole | None = Field(default=None, ge=1, le=150, title="Steps", description="Denoising steps")
    guidance_scale: Real | None = Field(default=None, ge=0, le=30, title="Guidance scale", description="How closely to follow the prompt")
    scheduler: Text = Field(default="", max_length=60, title="Scheduler", description="Empty: the model's own")
    seed: Whole | None = Field(default=None, ge=0, le=SEED_LIMIT, title="Seed", description="Empty: a fresh one, recorded")
    count: Whole = Field(default=1, ge=1, le=8, title="Count", description="Pictures to make")
    blend_prompt: Words = Field(default="", max_length=PROMPT_LIMIT, title="Blend with", description="A second prompt; empty: none")
    blend: Real = Field(default=0.5, ge=0, le=1, title="Blend", description="0: the prompt alone; 1: the second prompt alone")


class Inpaint(Task):
    """A picture is changed where it is marked, and nowhere else. `image` and `mask` are files; the mask marks what may change.

    In a mask white (255) may change and black stays; of a mask with transparency, what is opaque may change. `mode` is one of
    `MODES`; left empty it follows from what is given. `left`, `right`, `top`, `bottom` extend the canvas when outpainting.
    """

    kind: ClassVar[str] = "inpaint"
    medium: ClassVar[str] = "picture"
    files: ClassVar[tuple[str, ...]] = ("image", "mask")

    image: Said = Field(min_length=1, max_length=PROMPT_LIMIT, title="Picture", description="The picture to change: a file")
    mask: Text = Field(default="", max_length=PROMPT_LIMIT, title="Mask", description="What may change, in white: a file")
    prompt: Words = Field(default="", max_length=PROMPT_LIMIT, title="Prompt", description="What should be there")
    negative_prompt: Words = Field(default="", max_length=PROMPT_LIMIT, title="Negative prompt", description="What to avoid")
    mode: Text = Field(default="", max_length=20, title="Mode", description="Empty: what fits the mask and the prompt")
    model: Text = Field(default="", max_length=200, title="Model", description="Name of a model card; empty: the best one here")
    strength: Real | None = Field(default=None, gt=0, le=1, title="Strength", description="How freely the marked area is redrawn")
    steps: Whole | None = Field(default=None, ge=1, le=150, title="Steps", description="Denoising steps")
    guidance_scale: Real | None = Field(default=None, ge=0, le=30, title="Guidance scale", description="How closely to follow the prompt")
    scheduler: Text = Field(default="", max_length=60, title="Scheduler", description="Empty: the model's own")
    seed: Whole | None = Field(default=None, ge=0, le=SEED_LIMIT, title="Seed", description="Empty: a fresh one, recorded")
    count: Whole = Field(default=1, ge=1, le=8, title="Variants", description="Pictures to make")
    mask_grow: Whole = Field(default=0, ge=-64, le=64, title="Grow mask", description="Pixels; below 0 shrinks it")
    feather: Real | None = Field(default=None, ge=0, le=128, title="Feather", description="Pixels; empty: the least visible seam")
    context_padding: Whole | None = Field(default=None, ge=0, le=1024, title="Context", description="Pixels around the mask; empty: auto")
    area: Text = Field(default="masked", max_length=20, title="Work on", description="masked: the area around the mask; whole: everything")
    prefill: Text = Field(default="", max_length=20, title="Prefill", description="What stands in the hole first; empty: the mode's own")
    colour_match: Flag = Field(default=True, title="Match colours", description="Carry the picture's colours into the new area")
    left: Side = Field(default="0", title="Left", description="Pixels or % to add")
    right: Side = Field(default="0", title="Right", description="Pixels or % to add")
    top: Side = Field(default="0", title="Top", description="Pixels or % to add")
    bottom: Side = Field(default="0", title="Bottom", description="Pixels or % to add")

    @property
    def way(self) -> str:
        """The mode, as asked or as it follows from mask, prompt and sides."""
        if self.mode:
            return self.mode
        if self.mask:
            return "fill" if self.prompt.strip() else "erase"
        return "outpaint" if self.extends else "redraw" if self.prompt.strip() else "fill"

    @property
    def extends(self) -> bool:
        """Whether any side is to be extended."""
        return any(side.rstrip("%") != "0" for side in (self.left, self.right, self.top, self.bottom))

    def settled(self) -> Mapping[str, object]:
        """The mode that follows from what is given, and the strength that fits it; erasing reads no words."""
        strengths = {"refine": 0.4, "redraw": 0.6}
        settled: dict[str, object] = {"mode": self.way}
        if self.strength is None:
            settled["strength"] = strengths.get(self.way, 1.0)
        return settled | (dict(ERASING) if self.way == "erase" else {})

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """What one field alone cannot say."""
        if self.way not in MODES:
            _refuse("mode", "Mode must be one of {known}.", known=", ".join(MODES))
        if self.area not in ("masked", "whole"):
            _refuse("area", "Work on must be masked (the area around the mask) or whole (the whole picture).")
        if self.prefill and self.prefill not in PREFILLS:
            _refuse("prefill", "Prefill must be one of {known}, or empty.", known=", ".join(PREFILLS))
        if self.way in MASKED and not self.mask:
            _refuse("mask", "Nothing is marked: paint over what should change first.")
        if self.way == "outpaint" and not self.extends:
            _refuse("left", "Outpainting needs room: say by how much at least one side should grow.")
        if self.way in WORDED and not self.prompt.strip():
            _refuse("prompt", WORDED[self.way])
        return self


MODES = {
    "fill": "Fill",
    "refine": "Refine",
    "background": "Replace background",
    "outpaint": "Outpaint",
    "erase": "Erase",
    "redraw": "Image to image",
    "instruct": "Edit by instruction",
}
"""Ways of inpainting, with their titles."""
PREFILLS = {
    "original": "What was there",
    "blur": "Colours of the surroundings",
    "edges": "Lines of the surroundings",
    "neutral": "Grey",
    "noise": "Grain of the surroundings",
}
"""What stands in the hole before a model draws, with titles."""
ERASING: Mapping[str, object] = {"prompt": "", "negative_prompt": "", "guidance_scale": None, "scheduler": "", "prefill": ""}
"""What erasing has no use for, as it stands when nobody says anything."""
MASKED = ("fill", "refine", "background", "erase")
WORDED = {
    "fill": "Prompt is empty: say what should be there. To take it away instead, choose Erase.",
    "background": "Prompt is empty: say what the new background shows.",
    "redraw": "Prompt is empty: say what the picture should become.",
    "instruct": "Prompt is empty: say what should be changed.",
}


def _refuse(field: str, sentence: str, **values: object) -> None:
    raise PydanticCustomError("whole", sentence, {"field": field, **values})  # pyright: ignore[reportArgumentType]


class Compose(Task):
    """Words become music. Empty fields are read from the words, or are the model's own.

    `reference` is a file of sound or MIDI; `reference_use` is one of `REFERENCE_USES`. `region_start` and `region_end` are seconds of it.
    `duration` is in seconds; `bpm` counts beats (dotted quarters in 6/8 and 12/8). `segments` is a timeline as studio/music/segments.py
    reads it. What a model does not use is refused, never ignored.
    """

    kind: ClassVar[str] = "music"
    medium: ClassVar[str] = "sound"
    files: ClassVar[tuple[str, ...]] = ("reference", "artwork")

    prompt: Asked = Field(min_length=1, max_length=PROMPT_LIMIT, title="Prompt", description="What the music is like")
    negative_prompt: Words = Field(default="", max_length=PROMPT_LIMIT, title="Negative prompt", description="What to avoid")
    model: Text = Field(default="", max_length=200, title="Model", description="Name of a model card; empty: the best one here")
    duration: Real | None = Field(default=None, gt=0, le=600, title="Duration", description="Seconds; whole bars where a model counts bars")
    bpm: Real | None = Field(default=None, ge=30, le=300, title="Tempo", description="Beats a minute; empty: what fits the words")
    key: Text = Field(default="", max_length=20, title="Key", description="Such as A minor or F# major; empty: what fits the words")
    time_signature: Text = Field(default="", max_length=5, title="Time signature", description="Such as 4/4, 3/4 or 6/8")
    genre: Text = Field(default="", max_length=40, title="Genre", description="Empty: what fits the words")
    mood: Text = Field(default="", max_length=40, title="Mood", description="Empty: what fits the words")
    instruments: Names = Field(default=(), max_length=8, title="Instruments", description="Separated by commas; empty: the genre's own")
    form: Text = Field(default="", max_length=100, title="Form", description="Sections in order, such as Intro A B A Outro")
    energy: Text = Field(default="", max_length=10, title="Energy", description="even, rise, fall or arc; empty: what fits the words")
    lyrics: Words = Field(default="", max_length=PROMPT_LIMIT, title="Lyrics", description="For models that sing")
    loop: Flag = Field(default=False, title="Loop", description="The end goes over into the beginning without a seam")
    seed: Whole | None = Field(default=None, ge=0, le=SEED_LIMIT, title="Seed", description="Empty: a fresh one, recorded")
    count: Whole = Field(default=1, ge=1, le=8, title="Takes", description="Takes to make")
    temperature: Real | None = Field(default=None, gt=0, le=2, title="Temperature", description="How adventurous the choices are")
    top_k: Whole | None = Field(default=None, ge=0, le=2048, title="Top-k", description="Keep this many choices; 0: all")
    top_p: Real | None = Field(default=None, ge=0, le=1, title="Top-p", description="Keep the likeliest choices up to this share; 0: all")
    guidance_scale: Real | None = Field(default=None, ge=0, le=20, title="Guidance scale", description="How closely to follow the prompt")
    steps: Whole | None = Field(default=None, ge=1, le=250, title="Steps", description="Denoising steps")
    reference: Text = Field(default="", max_length=PROMPT_LIMIT, title="Reference", description="Sound or MIDI to start from: a file")
    reference_use: Text = Field(
        default="", max_length=20, title="Use it for", description="melody, continue, lead, cover, trim... empty: what fits the file"
    )
    reference_strength: Real | None = Field(default=None, ge=0, le=1, title="Strength", description="How far from the reference to go")
    region_start: Real | None = Field(default=None, ge=0, le=36_000, title="Region start", description="Seconds")
    region_end: Real | None = Field(default=None, gt=0, le=36_000, title="Region end", description="Seconds")
    bank: Text = Field(default="", max_length=200, title="Sounds", description="What plays the notes; empty: the genre's own")
    loudness: Text = Field(default="-14", max_length=10, title="Loudness", description="LUFS: -14, -16 or -23; or as is")
    retries: Whole = Field(default=0, ge=0, le=3, title="Retries", description="Further attempts when a take misses the brief")
    format: Text = Field(default="flac", max_length=10, title="Format", description="Of the download: wav16, wav24, flac, mp3, ogg or opus")
    context: Real = Field(default=0, ge=0, le=60, title="Context", description="Seconds it hears of what it goes on from; 0: its own")
    segments: Text = Field(
        default="", max_length=PROMPT_LIMIT, title="Timeline", description="Segments, one a line: seconds, a colon, their own words"
    )
    artwork: Text = Field(default="", max_length=PROMPT_LIMIT, title="Cover picture", description="Goes with the sound: a picture file")

    @property
    def way(self) -> str:
        """What the reference is used for; "make" without one."""
        return self.reference_use or ("melody" if self.reference else "make")

    def settled(self) -> Mapping[str, object]:
        """The use of a reference, where it was left open; an edit of sound leaves what it does not read as it was."""
        if self.way in EDITS:
            return {name: field.default for name, field in type(self).model_fields.items() if name not in READ_BY_EDITS}
        return {"reference_use": self.way if self.reference else ""}

    @model_validator(mode="before")
    @classmethod
    def _lasting(cls, values: Any) -> Any:
        """A timeline says how long the piece is, where nothing else does."""
        given = cast("dict[str, Any]", values) if isinstance(values, dict) else {}
        lines = given.get("segments")
        if not isinstance(lines, str) or not lines.strip() or given.get("duration") is not None:
            return cast("Any", values)
        try:
            return {**given, "duration": timeline.seconds(lines.replace("\r", "\n"))}
        except InvalidInput:
            return given  # refused below, in words

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """What one field alone cannot say."""
        lasts = 0.0
        try:
            Key.read(self.key or "C")
            Meter.read(self.time_signature or "4/4")
            lasts = timeline.seconds(self.segments)
        except InvalidInput as error:
            _refuse(error.field or "", "{words}", words=str(error))
        for name, known in (("energy", ENERGIES), ("loudness", LOUDNESS), ("format", SOUND_FORMATS), ("reference_use", REFERENCE_USES)):
            value = getattr(self, name)
            if value and value not in known:
                _refuse(name, "{title} must be one of {known}.", title=type(self).model_fields[name].title, known=", ".join(known))
        if self.loop and self.format in PADDED:
            _refuse("format", PADS)
        if not self.reference and (self.reference_use or self.region_start is not None or self.region_end is not None):
            _refuse("reference", "Reference is missing: choose the sound or MIDI file that this is about.")
        if self.region_start is not None and self.region_end is not None and self.region_start >= self.region_end:
            _refuse("region_end", "Region end must come after its start.")
        if self.way in ("repaint", *CUTS) and self.region_end is None:
            _refuse("region_end", "Nothing is selected: mark the stretch that is meant on the waveform.")
        if self.way == "picture" and not self.artwork:
            _refuse("artwork", "Cover picture is missing: choose, paste or drop a picture.")
        if lasts and self.way not in EDITS:
            if self.way not in ("make", "continue"):
                _refuse("segments", "A timeline is for new music, or for going on from a reference: empty it for this.")
            if self.duration is not None and abs(self.duration - lasts) > 0.01:
                _refuse("duration", "The timeline lasts {lasts} seconds: leave Duration empty.", lasts=f"{lasts:g}")
        return self


CUTS = ("trim", "loop", "fade")
"""Uses of a reference that cut what is there."""
KEEPING = (*CUTS, "picture")
"""Uses of a reference that leave the samples they keep as they are."""
EDITS = (*KEEPING, "separate")
"""Uses of a reference that make nothing new."""
READ_BY_EDITS = (
    "prompt", "model", "seed", "bpm", "time_signature", "reference", "reference_use", "region_start", "region_end", "format", "artwork",
)  # fmt: skip
"""What such an edit has a use for, or keeps as the title of its result."""
PADS = "MP3 and Opus pad what they hold, so a loop would not close: choose WAV, FLAC or OGG."
PADDED = ("mp3", "opus")
"""Formats that pad what they hold, so that a loop would not close."""
ENERGIES = {"even": "Even", "rise": "Rising", "fall": "Falling", "arc": "Arc"}
"""How the energy goes over a piece, with titles."""
LOUDNESS = {"-14": "-14 LUFS (streaming)", "-16": "-16 LUFS (podcasts)", "-23": "-23 LUFS (broadcast)", "as is": "As is"}
"""Loudness targets, with titles. True peaks stay below -1 dBTP."""
SOUND_FORMATS = {"flac": "FLAC", "wav16": "WAV 16 bit", "wav24": "WAV 24 bit", "mp3": "MP3", "ogg": "OGG Vorbis", "opus": "Opus"}
"""Formats of a download, with titles."""
REFERENCE_USES = {
    "melody": "Take its melody",
    "continue": "Go on from its end",
    "lead": "Lead into its beginning",
    "repaint": "Make a region anew",
    "cover": "Play it in another way",
    "extract": "Take one instrument out of it",
    "separate": "Take it apart into stems",
    "lego": "Add one instrument to it",
    "complete": "Add the instruments it lacks",
    "trim": "Keep a region",
    "loop": "Make a region a loop",
    "fade": "Fade over a region",
    "picture": "Give it a cover picture",
}
"""What a reference is used for, with titles."""


class Narrate(Task):
    """Words are read aloud, sentence by sentence. `speed` is a factor of the voice's own pace; `format` that of the download."""

    kind: ClassVar[str] = "narrate"
    medium: ClassVar[str] = "sound"

    text: Asked = Field(min_length=1, max_length=TEXT_LIMIT, title="Text", description="What to read aloud")
    model: Text = Field(default="", max_length=200, title="Model", description="Name of a model card; empty: the best one here")
    voice: Text = Field(default="", max_length=100, title="Voice", description="Name of a voice of the model; empty: its own")
    speed: Real = Field(default=1.0, ge=0.5, le=2, title="Speed", description="1: the voice's own pace")
    seed: Whole | None = Field(default=None, ge=0, le=SEED_LIMIT, title="Seed", description="Empty: a fresh one, recorded")
    format: Text = Field(default="flac", max_length=10, title="Format", description="Of the download: wav16, wav24, flac, mp3, ogg or opus")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """What one field alone cannot say."""
        if self.format not in SOUND_FORMATS:
            _refuse("format", "Format must be one of {known}.", known=", ".join(SOUND_FORMATS))
        return self


class Write(Task):
    """Words become words. `document` is the text so far: the answer goes on from its last character.

    What else the writer reads stands in `notes`, `cards`, `passages` and `author_note`, as sent. The samplers work in one order:
    repetition penalty, DRY, bias, top-n-sigma, top-k, typical, top-p, min-p, XTC, temperature. With `text_mark` the words follow the
    studio's secret as well as the seed: the same task gives the same words on the same studio alone. With `turns` it is the next message
    of a conversation, in which the document is what is talked about: nothing goes on from it.
    """

    kind: ClassVar[str] = "write"
    medium: ClassVar[str] = "text"

    prompt: Asked = Field(min_length=1, max_length=TEXT_LIMIT, title="Instruction", description="What to write")
    system: Words = Field(default="", max_length=PROMPT_LIMIT, title="System prompt", description="Who the writer is")
    document: Text = Field(default="", max_length=TEXT_LIMIT, title="Document", description="Text to continue; empty: start anew")
    notes: Words = Field(default="", max_length=NOTES_LIMIT, title="Notes", description="Always read with the text")
    cards: Text = Field(default="", max_length=TEXT_LIMIT, title="Cards", description="What the cards that apply say")
    passages: Text = Field(default="", max_length=TEXT_LIMIT, title="Passages", description="Numbered passages of sources to cite")
    author_note: Words = Field(default="", max_length=PROMPT_LIMIT, title="Author's note", description="Read near the end of the text")
    note_depth: Whole = Field(default=80, ge=0, le=2000, title="Depth of the note", description="Tokens between the note and the end")
    model: Text = Field(default="", max_length=200, title="Model", description="Name of a model card; empty: the best one here")
    count: Whole = Field(default=1, ge=1, le=8, title="Takes", description="Answers to write")
    max_new_tokens: Whole | None = Field(default=None, ge=1, le=4096, title="Longest answer", description="Tokens")
    temperature: Real | None = Field(default=None, ge=0, le=2, title="Temperature", description="0: always the likeliest word")
    top_p: Real | None = Field(default=None, gt=0, le=1, title="Top-p", description="Keep the likeliest words up to this share")
    top_k: Whole | None = Field(default=None, ge=0, le=1000, title="Top-k", description="Keep this many words; 0: all")
    min_p: Real | None = Field(default=None, ge=0, le=1, title="Min-p", description="Drop words below this share of the likeliest")
    typical_p: Real | None = Field(
        default=None, gt=0, le=1, title="Typical-p", description="Keep words about as surprising as expected; 1: all"
    )
    top_n_sigma: Real | None = Field(
        default=None, ge=0, le=10, title="Top-n-sigma", description="Keep words within so many deviations; 0: all"
    )
    repetition_penalty: Real | None = Field(default=None, ge=0.5, le=2, title="Repetition penalty", description="1: none")
    dry_multiplier: Real | None = Field(default=None, ge=0, le=5, title="DRY", description="Against repeated phrases; 0: off, 0.8: usual")
    dry_base: Real | None = Field(default=None, ge=1, le=4, title="DRY base", description="How fast it grows with the phrase; usual: 1.75")
    dry_allowed_length: Whole | None = Field(default=None, ge=1, le=50, title="DRY length", description="Tokens that may repeat freely")
    xtc_probability: Real | None = Field(default=None, ge=0, le=1, title="XTC", description="How often the most obvious words are left out")
    xtc_threshold: Real | None = Field(
        default=None, ge=0, le=0.5, title="XTC threshold", description="From which probability on a word is obvious"
    )
    guidance_scale: Real | None = Field(
        default=None, ge=1, le=10, title="Guidance scale", description="How far from the negative prompt; 1: off"
    )
    negative_prompt: Words = Field(
        default="", max_length=PROMPT_LIMIT, title="Negative prompt", description="An instruction to keep away from"
    )
    ban: Lines = Field(default=(), max_length=50, title="Banned phrases", description="Never written, one a line")
    bias: Lines = Field(default=(), max_length=50, title="Phrase bias", description="Phrase: number from -100 to 100, one a line")
    output_schema: Text = Field(default="", max_length=SCHEMA_LIMIT, title="JSON schema", description="The answer is JSON of this form")
    output_regex: Text = Field(default="", max_length=1000, title="Pattern", description="The answer matches this regular expression")
    output_choices: Lines = Field(default=(), max_length=100, title="Choices", description="The answer is one of these, one a line")
    probabilities: Flag = Field(default=False, title="Probabilities", description="Keep how likely each word was, and what else was")
    text_mark: Flag | None = Field(default=None, title="Invisible mark", description="Empty: in long texts, where the writer can")
    seed: Whole | None = Field(default=None, ge=0, le=SEED_LIMIT, title="Seed", description="Empty: a fresh one, recorded")
    stop: Lines = Field(default=(), max_length=8, title="Stop", description="Texts that end the answer, one a line")
    turns: Turns = Field(
        default=None, max_length=1000, title="Earlier messages", description="Of a conversation: yours and answers by turns; [] begins one"
    )

    @property
    def formed(self) -> bool:
        """Whether the answer has a given form."""
        return bool(self.output_schema or self.output_regex or self.output_choices)

    def marks(self, longest: int | None) -> bool:
        """Whether an answer of at most so many tokens (None: nothing says) gets the invisible mark from a writer that can."""
        asked = longest is None or longest > UNMARKED_TOKENS if self.text_mark is None else self.text_mark
        return asked and not self.formed

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """What one field alone cannot say."""
        if sum(map(bool, (self.output_schema, self.output_regex, self.output_choices))) > 1:
            _refuse("output_schema", "An answer has one form: give a JSON schema, a pattern or choices, not several.")
        if self.turns is not None and self.negative_prompt:
            _refuse("turns", "A conversation cannot be guided away from a negative prompt: leave it empty.")
        for line in self.bias:
            phrase, _, number = line.rpartition(":")
            if not phrase.strip() or not re.fullmatch(r"\s*[+-]?\d{1,3}(\.\d{1,3})?\s*", number) or abs(float(number)) > 100:
                _refuse("bias", 'Phrase bias takes lines such as "moonlight: 4", with a number from -100 to 100.')
        return self


class Select(Task):
    """A part of a picture is found, so that it can be marked: what `name` says, or the main thing, inside `box` where one is given.

    `image` is a file; `name` may hold several names with commas between them; `box` is (left, top, right, bottom) in pixels.
    """

    kind: ClassVar[str] = "select"
    medium: ClassVar[str] = "mask"
    files: ClassVar[tuple[str, ...]] = ("image",)

    image: Said = Field(min_length=1, max_length=PROMPT_LIMIT, title="Picture", description="The picture to look at: a file")
    name: Words = Field(default="", max_length=200, title="Name", description="What to find; empty: the main thing")
    box: tuple[int, int, int, int] | None = Field(default=None, title="Box", description="Where to look")
    model: Text = Field(default="", max_length=200, title="Model", description="Name of a model card; empty: the best one here")
    seed: Whole | None = Field(default=None, ge=0, le=SEED_LIMIT, title="Seed", description="Changes nothing here")

    @property
    def way(self) -> str:
        """Whether it is found by its name."""
        return "named" if self.name.strip() else "subject"


TASKS: dict[str, type[Task]] = {task.kind: task for task in (TextToImage, Inpaint, Compose, Narrate, Write)}
ASIDE: dict[str, type[Task]] = {task.kind: task for task in (Select,)}
"""What a page asks beside the crafts: models serve it like these, and what comes back is no creation."""


def limits(task: type[Task], name: str) -> dict[str, Any]:
    """The numeric bounds of a field as {"ge": .., "gt": .., "le": .., "multiple_of": .., "max_length": ..}, those that it has."""
    found: dict[str, Any] = {}
    for rule in task.model_fields[name].metadata:
        for key in ("ge", "gt", "le", "multiple_of", "min_length", "max_length"):
            if getattr(rule, key, None) is not None:
                found[key] = getattr(rule, key)
    return found


def range_in_words(task: type[Task], name: str) -> str:
    """For example 'a whole number from 1 to 150' or 'a number above 0 and up to 1'."""
    rules = limits(task, name)
    whole = "int" in str(task.model_fields[name].annotation)
    words = "a whole number" if whole else "a number"
    low = f"from {rules['ge']:g}" if "ge" in rules else f"above {rules['gt']:g} and up" if "gt" in rules else ""
    words = f"{words} {low} to {rules['le']:.0f}" if whole else f"{words} {low} to {rules['le']:g}"
    return words + (f" in steps of {rules['multiple_of']}" if "multiple_of" in rules else "")


def _sentence(task: type[Task], error: ValidationError) -> InvalidInput:
    first = error.errors()[0]
    if first["type"] == "whole":
        return InvalidInput(first["msg"], str(first.get("ctx", {}).get("field", "")))
    name = str(first["loc"][0]) if first["loc"] else ""
    if name not in task.model_fields:
        known = ", ".join(task.model_fields)
        return InvalidInput(f"There is no field of that name; the fields are {known}.", name)
    title, rules, kind = task.model_fields[name].title or name, limits(task, name), first["type"]
    if kind in ("missing", "string_too_short") and name in task.files:
        return InvalidInput(f"{title} is missing: choose, paste or drop a file.", name)
    if kind in ("missing", "string_too_short"):
        return InvalidInput(f"{title} is empty: say what you would like.", name)
    if kind == "string_too_long":
        size = len(first["input"]) if isinstance(first["input"], str) else 0
        return InvalidInput(f"{title} is {size:,} characters long; {rules['max_length']:,} is the most. Shorten it.", name)
    if kind == "too_long":
        return InvalidInput(f"{title} takes at most {rules['max_length']} entries.", name)
    if kind == "words":
        return InvalidInput(f"{title} {first['msg']}.", name)
    if "le" in rules:
        return InvalidInput(f"{title} must be {range_in_words(task, name)}.", name)
    return InvalidInput(f"{title} cannot be used: {first['msg']}.", name)
