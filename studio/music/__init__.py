"""Music as notes and as sound: what every music engine shares. Knows no model file format, no task queue and no page.

score.py             notes, parts, chords, keys and meters as plain data
    packed.py            a score as one line of text for the record; scores cut and joined
    files.py             sound files in and out: hostile input, resampling, FLAC, WAV, MP3, OGG, Opus
"""
