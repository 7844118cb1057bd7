"""The starter picture model "Atelier Icons": words choose openly licensed icons, a sampler composes new pictures from them.

Reading order:

    ink.py           dark outlines, as in a cartoon
    icons.py         the library: icons with their names, licences and pixels
    scene.py         what a prompt means: parts, candidates, a relation, a background
    vocabulary.py    the small closed lists of English the reader of prompts needs: colours, relations, filler
    words.py         a prompt becomes a scene
"""
