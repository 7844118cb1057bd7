"""What the studio will not make: words that are refused before a run, pictures that are withheld after one. Knows no page and no queue.

In reading order:

    folding.py    text as it is read: look-alikes, digits for letters, invisible characters and spaced letters undone
    book.py       the rules of presets/rules.toml, and which of them a text breaks
    pictures.py   finished pictures and previews of a public studio, looked at by a classifier
"""
