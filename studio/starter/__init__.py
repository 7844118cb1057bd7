"""The starter picture model "Atelier Icons": words choose openly licensed icons, a sampler composes new pictures from them.

Reading order, from words to a scene:

    scene.py         what a prompt means: parts, candidates, a relation, a background
    words.py         a prompt becomes a scene
    grammar.py       a prompt taken apart: things, colours, places, style
    ground.py        what a prompt says about its background
    phrases.py       the words of a prompt cut into phrases that name one thing each
    lexicon.py       what words mean in an icon library
    vocabulary.py    the closed lists of English this needs: colours, relations, filler
    wording.py       longer prompts made of words that are understood
    candidates.py    the icons for one thing, in looks that go together
    features.py      what texts mean, for words that nothing else explains
    icons.py         the library: icons with their names, licences and pixels
    ink.py           dark outlines, as in a cartoon
    own.py           sets of a person's own pictures, joined with the library
    cutout.py        a picture of any size as an icon
    clothes.py       icons in the colours of a set

and from a scene to a picture:

    blend.py         between two prompts: scenes joined, two things in one drawing
    compose.py       from a part of a scene to one drawing
    frame.py         icons of one thing brought onto one frame
    palette.py       the few colours a drawing is made of, and other ones for it
    variation.py     a drawing in a slightly other hue and lightness
    diffusion.py     the sampler: analytic local diffusion
    seams.py         cuts between parts of several pictures
    layout.py        where the things of a picture stand
    backdrop.py      plain and patterned backgrounds
    enlarge.py       small drawings made large and kept crisp
    trace.py         drawings as vectors
    finish.py        the finished picture with the credit for every pixel

and from a picture that is there to another:

    asking.py        what a prompt asks of a picture that has its things
    inpaint.py       fills, extends, refines, redraws: which way fits the picture
    surroundings.py  photograph or illustration, its ground and its things
    textures.py      the grain and shades of a ground that goes on
    fitting.py       where a drawing goes in a hole
    continuing.py    the missing part of a thing, drawn around the known one
    placing.py       drawings in a picture at its full size, bent to meet
    toning.py        shades carried over a hole's edge
    crediting.py     whose icons it was drawn from
"""
