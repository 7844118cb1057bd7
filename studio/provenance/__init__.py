"""What a creation says about itself, and how a file carries it.

Reading order:

    record.py        everything that is needed to make it again, and what it is
    containers.py    a picture file without its pixels: size and texts
    infotext.py      settings in A1111's words, which other programs read and write
    pictures.py      pixels and record in, bytes out, and the record back
    tags.py          a sound file without its samples: title, comment and the like
    sounds.py        samples and record in, bytes out, and the record back
"""
