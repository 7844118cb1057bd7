"""The small closed lists of English that reading a prompt needs: colours, relations, filler, irregular plurals. Data only.

What things are called is not here but in the icon library, which is larger and grows with it.
"""

from __future__ import annotations

from studio.starter.scene import PATTERNS

STYLES = ("Flat", "Glossy", "Classic", "Soft", "Cartoon", "Outline", "Mixed")
MIXED = ("Flat", "Glossy", "Classic", "Soft")  # the looks that go together without seams
STYLE_WORDS = {
    "cartoon": "Cartoon", "comic": "Cartoon", "outline": "Outline", "outlined": "Outline", "line art": "Outline", "line drawing": "Outline",
    "coloring page": "Outline", "colouring page": "Outline", "glossy": "Glossy", "3d": "Glossy", "flat": "Flat",
}  # fmt: skip

COLOURS = {
    "red": "#e0282e", "crimson": "#c2183c", "scarlet": "#e3342f", "maroon": "#7d1d2b", "burgundy": "#7a1f3d", "ruby": "#b3123f",
    "orange": "#f58220", "peach": "#ffb48f", "salmon": "#fa8072", "coral": "#ff7256", "rust": "#b2491d", "copper": "#b56a3a",
    "yellow": "#fbd024", "gold": "#e3b22c", "golden": "#e3b22c", "amber": "#ffb100", "mustard": "#d9a520", "cream": "#f7ecd0",
    "beige": "#e3d3b0", "tan": "#c8a47a", "brown": "#8a5a3c", "chocolate": "#5f3a24", "green": "#3aa845", "lime": "#9bd93c",
    "olive": "#7d8430", "mint": "#9fe0c0", "emerald": "#149b5f", "jade": "#2ea878", "teal": "#149090", "turquoise": "#35c5bd",
    "cyan": "#28c5e0", "aqua": "#3cd2d2", "blue": "#2f78dc", "navy": "#1d2f66", "azure": "#3f9bf0", "sapphire": "#1f52ba",
    "indigo": "#473aa8", "violet": "#8548d6", "purple": "#8a3fc4", "lavender": "#b9a4e6", "lilac": "#c6a3dc", "magenta": "#d631b0",
    "fuchsia": "#d631b0", "pink": "#f58bb8", "rose": "#e8618c", "black": "#26262c", "white": "#f6f6f4", "grey": "#8e939b",
    "gray": "#8e939b", "silver": "#b9bfc7", "light blue": "#8cc4f5", "sky blue": "#7cc4f4", "baby blue": "#a9d6f5", "dark blue": "#1d3f8a",
    "royal blue": "#2e56c9", "light green": "#95d98a", "dark green": "#1f6b34", "lime green": "#7fd12f", "light pink": "#fac3d9",
    "hot pink": "#f0448f", "dark red": "#8f1a22", "light grey": "#c9cdd2", "light gray": "#c9cdd2", "dark grey": "#50555d",
    "dark gray": "#50555d", "light brown": "#b98a63", "dark brown": "#523220", "light yellow": "#fdeb9a", "dark purple": "#4f2182",
    "light purple": "#c4a0e6",
}  # fmt: skip
# Colour words that are things of their own unless another thing follows.
THINGS_TOO = frozenset(
    """orange peach salmon coral rose lavender lilac chocolate lime olive mint ruby emerald jade sapphire mustard cream""".split()
)

# How two things may stand to one another; the longest phrase is found first. "before" is "behind" the other way round.
RELATION_WORDS = {
    "and": "and", "with": "and", "plus": "and", "next to": "beside", "beside": "beside", "besides": "beside", "near": "beside",
    "by": "beside", "alongside": "beside", "left of": "beside", "right of": "beside", "to left of": "beside", "to right of": "beside",
    "on": "on", "onto": "on", "upon": "on", "on top of": "on", "atop": "on", "sitting on": "on", "sits on": "on", "standing on": "on",
    "stands on": "on", "lying on": "on", "riding": "on", "rides": "on", "riding on": "on", "sleeping on": "on", "in": "in", "inside": "in",
    "inside of": "in", "within": "in", "into": "in", "sitting in": "in", "above": "above", "over": "above", "flying over": "above",
    "floating over": "above", "floating above": "above", "flying above": "above", "jumping over": "above", "jumps over": "above",
    "below": "below", "under": "below", "underneath": "below", "beneath": "below", "behind": "behind", "hiding behind": "behind",
    "in back of": "behind", "in front of": "before", "before": "before", "wearing": "wearing", "wears": "wearing", "holding": "and",
    "holds": "and", "carrying": "and", "eating": "and", "playing": "and", "playing with": "and", "reading": "and", "drinking": "and",
    "together with": "and", "as well as": "and", "around": "and", "looking at": "beside",
}  # fmt: skip
HEADWEAR = frozenset("""crown hat cap helmet beret halo headphone headphones bonnet tiara ribbon""".split())
CONTAINERS = {
    "bowl": "in", "basket": "in", "bucket": "in", "box": "in", "pot": "in", "jar": "in", "glass": "in", "vase": "in", "plate": "on",
    "bag": "in",
}  # fmt: skip
MEASURES = frozenset("""slice piece bunch pile stack group bit lot herd flock pack set kind sort type bouquet scoop drop""".split())
COUNTS = {
    "two": 2, "three": 3, "2": 2, "3": 3, "both": 2, "couple": 2, "pair": 2, "trio": 3, "four": 4, "five": 4, "six": 4, "seven": 4,
    "eight": 4, "nine": 4, "ten": 4, "dozen": 4, "many": 3, "several": 3,
}  # fmt: skip

ARTICLES = frozenset("""a an the some any this that these those my your his her its our their one""".split())
FILLER = frozenset(
    """of for to at as is are was be being been it there here with i we you me want need would like please draw make create generate paint
    show give image picture photo photograph pic photography illustration illustrated drawing drawn sketch sketched art artwork icon emoji
    logo clipart clip sticker design symbol render rendering rendered portrait closeup close-up close view shot scene graphic vector
    digital minimal minimalist minimalistic simple plain detailed highly very really super so extremely quite cute adorable beautiful
    pretty lovely nice sweet charming gorgeous stunning amazing awesome wonderful great good best perfect fantastic epic cool funny fun
    silly little small tiny big large huge giant tall short long mini old new young fresh delicious tasty yummy juicy ripe shiny bright
    colorful colourful colored coloured vibrant vivid happy cheerful friendly cuddly fluffy furry soft round fat chubby magical magic
    mystical elegant fancy modern vintage retro classic antique quality hd 4k 8k high resolution trending artstation masterpiece
    background isolated centered centred single lone lonely standing sitting walking running looking facing made from style styled themed
    featuring showing depicting called named out up down just only also too which who that's it's something thing""".split()
)
# Parts of things that a drawing of the thing has or has not: "a cat with blue eyes" is a cat.
DETAILS = frozenset(
    """eyes hair ears tail wings nose mouth legs feet beard smile whiskers fur feathers horns claws windows roof wheels spots stripes shadow
    teeth paws""".split()
)

PATTERN_WORDS = {
    "star": "stars", "stars": "stars", "starry": "stars", "dot": "dots", "dots": "dots", "dotted": "dots", "polka": "dots",
    "stripe": "stripes", "stripes": "stripes", "striped": "stripes", "check": "checks", "checks": "checks", "checked": "checks",
    "checkered": "checks", "chequered": "checks", "gingham": "checks", "heart": "hearts", "hearts": "hearts", "cloud": "clouds",
    "clouds": "clouds", "cloudy": "clouds",
}  # fmt: skip
# Places that are a background rather than a thing.
SCENERY = {
    "in space": "#161b3d stars", "in outer space": "#161b3d stars", "in night sky": "#161b3d stars", "at night": "#161b3d stars",
    "under stars": "#161b3d stars", "in sky": "#bfe1fb clouds", "in air": "#bfe1fb clouds", "in clouds": "#bfe1fb clouds",
    "under water": "#4aa3df", "underwater": "#4aa3df", "in sea": "#4aa3df", "in ocean": "#4aa3df", "in water": "#4aa3df",
    "on water": "#4aa3df", "on sea": "#4aa3df", "on ocean": "#4aa3df", "on lake": "#4aa3df", "in snow": "#eaf3fa dots",
    "on grass": "#a9d98b", "in grass": "#a9d98b", "on meadow": "#a9d98b", "at sunset": "#ffb27a", "on beach": "#f4dfae",
}  # fmt: skip

IRREGULAR = {
    "mice": "mouse", "geese": "goose", "children": "child", "feet": "foot", "men": "man", "women": "woman", "wolves": "wolf",
    "knives": "knife", "loaves": "loaf", "calves": "calf", "elves": "elf", "oxen": "ox", "cacti": "cactus", "fungi": "fungus",
    "octopi": "octopus", "dice": "dice", "buses": "bus", "shoes": "shoe", "tomatoes": "tomato", "potatoes": "potato", "heroes": "hero",
    "volcanoes": "volcano", "mangoes": "mango", "cookies": "cookie", "pies": "pie", "movies": "movie", "selfies": "selfie", "ties": "tie",
    "scarves": "scarf", "leaves": "leaf", "snowmen": "snowman", "firemen": "fireman", "policemen": "policeman", "axes": "axe",
    "zombies": "zombie", "genies": "genie", "brownies": "brownie",
    "glasses": "glasses",
}  # fmt: skip

assert set(PATTERN_WORDS.values()) == set(PATTERNS)
