"""Music as notes and as sound: what every music engine shares. Knows no model file format, no task queue and no page.

score.py             notes, parts, chords, keys and meters as plain data
    packed.py            a score as one line of text for the record; scores cut and joined
    files.py             sound files in and out: hostile input, resampling, FLAC, WAV, MP3, OGG, Opus
    views.py             waveforms as numbers, spectrograms as pictures
    tempo.py             the beats heard in a sound
    tonality.py          the key heard in a sound
    loudness.py          loudness and true peak: measured, brought to a target, limited
    measure.py           everything heard in a sound, beside what was asked for
    loops.py             bars cut out of a sound that close on themselves; trim and fades; how good a seam is
    instruments.py       instruments: names, programs, patches, ranges
    genres.py            genres as data, read from presets/music/genres
    chords.py            progressions, colours and voicings
    form.py              sections, bars and energy
    moods.py             moods and the words for them
    brief.py             what words say of tempo, key, meter, length and mood
    casting.py           who plays which role
    plan.py              from words to a plan
    patterns.py          grooves laid out in any meter
    basslines.py         the bass from grooves
    playing.py           chords, arpeggios, drums and counter-melody from grooves
    touch.py             swing, strayings, and notes that do not overlap
    singing.py           the melody in its key, for its player
    arrange.py           from a melody with chords to a whole score
    smf.py               MIDI files from strangers, within bounds
    midi.py              scores as MIDI files, and melodies from them
composer.py          melody and chords from the trained model: Ask, Composer (with writer.py, grammar.py, decoder.py, tokens.py, meters.py)
harmony.py           the likeliest chords under a melody
    banks.py             what plays notes, and its licence
    render.py            a score becomes sound: mix, stems, loops
    soundfont.py         a part played by a soundfont
    synth.py             a part played by the studio's own synthesiser
    patches.py           its patches, and the General MIDI programs they play
    voices.py            its scanned, spread and modulated waves
    struck.py            its strings, bars and bells
    drums.py             its drums
    effects.py           reverb, echo, chorus, drive and tape for a part
    envelopes.py         envelopes, phases and noise
"""
