"""Music as notes and as sound: what every music engine shares. Knows no model file format, no task queue and no page.

Notes
    score.py             notes, parts, chords, keys and meters as plain data
    packed.py            a score as one line of text for the record; scores cut and joined
    smf.py               MIDI files from strangers, within bounds
    midi.py              scores as MIDI files, and melodies from them
    reference.py         what a run starts from: the notes of a take or of a MIDI file

From words to a plan
    moods.py             moods and the words for them
    brief.py             what words say of tempo, key, meter, length and mood
    instruments.py       instruments: names, programs, patches, ranges
    genres.py            genres as data, read from presets/music/genres
    casting.py           who plays which role
    form.py              sections, bars and energy
    wording.py           the mood that a writer hears in them
    plan.py              from words to a plan
    segments.py          a timeline as text: seconds and words, line by line
    timeline.py          a plan for each segment of a timeline
    going_on.py          what a task takes over from notes that it starts from

From a plan to a score
    composer.py          melody and chords from the trained model: Ask, Composer
    writer.py            bar after bar from the model
    heard.py             what stands before, in the model's own bars
    grammar.py           what may follow what, and how likely a rule makes it
    tokens.py            notes and chords as numbers
    meters.py            the meters the model knows, and those made of them
    decoder.py           the transformer in numpy
    harmony.py           the likeliest chords under a melody
    chords.py            progressions, colours and voicings
    patterns.py          grooves laid out in any meter
    basslines.py         the bass from grooves
    playing.py           chords, arpeggios, drums and counter-melody from grooves
    singing.py           the melody in its key, for its player
    touch.py             swing, strayings, and notes that do not overlap
    arrange.py           from a melody with chords to a whole score

From a score to sound
    banks.py             what plays notes, and its licence
    render.py            a score becomes sound: mix, stems, loops
    early.py             its first bars before the rest, to be heard at once
    soundfont.py         a part played by a soundfont
    synth.py             a part played by the studio's own synthesiser
    patches.py           its patches, and the General MIDI programs they play
    voices.py            its scanned, spread and modulated waves
    struck.py            its strings, bars and bells
    drums.py             its drums
    effects.py           reverb, echo, chorus, drive and tape for a part
    envelopes.py         envelopes, phases and noise

Sound
    files.py             sound files in and out: hostile input, resampling, FLAC, WAV, MP3, OGG, Opus
    decoding.py          a sound file of any origin as samples: what is let in, and how much of it
    apart.py             the same for what strangers hand in: packed formats in a child process
    apart_child.py       that process
    views.py             waveforms as numbers, spectrograms as pictures
    tempo.py             the beats heard in a sound
    tonality.py          the key heard in a sound
    loudness.py          loudness and true peak: measured, brought to a target, limited
    measure.py           everything heard in a sound, beside what was asked for
    loops.py             bars cut out of a sound that close on themselves; trim and fades; how good a seam is
    finish.py            the last steps of every take
    package.py           all of a take in one archive
"""
