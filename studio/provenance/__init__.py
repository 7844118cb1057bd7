"""What a creation says about itself, and how a file carries it.

Reading order:

    record.py        everything that is needed to make it again, and what it is
    containers.py    a picture file without its pixels: size and texts
    infotext.py      settings in A1111's words, which other programs read and write
    pictures.py      pixels and record in, bytes out, and the record back
    tags.py          a sound file without its samples: title, comment and the like
    covers.py        the picture of a sound file, which players show
    sounds.py        samples and record in, bytes out, and the record back

  Settings of other programs
    foreign/         as fields of ours, with what could not be restored

  Signatures
    identity.py      who this studio is: its secret
    certificates.py  keys and certificates that sign
    signing.py       signs what is made
    manifests.py     files that can hold a signature, and what of it is safe to take apart
    signatures.py    who signed a file, and what that says

  Invisible marks
    watermark.py     what marks in pictures and sound share: number, lines, decision
    picture_mark.py  a mark in a picture, and found again
    picture_tile.py  the pattern that a picture's mark repeats
    picture_geometry.py scale, angle and flip of a picture that carries it
    sound_mark.py    a mark in sound, and found again
    sound_tile.py    the pattern that a sound's mark repeats
"""
