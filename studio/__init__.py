"""The studio's core: everything between a filled-in form and a finished creation. It knows no web page.

Reading order:

    errors.py        what can go wrong, in sentences
    tasks.py         what can be asked: one frozen model a craft, with its limits and defaults
    creations.py     what comes back: progress, previews, media, creations
    models.py        model cards, their discovery, and which one a task gets
    sources.py       where weights come from: bundled, package, Hub, folder, file
    device.py        the machine: cuda, mps or cpu, dtype, memory, threads
    ledger.py        which bytes are taken on a device
    manager.py       where models live: lease, load, share, evict
    stream.py        a pipeline with callbacks becomes an iterator that can be stopped
    studio.py        the life of one task in numbered steps
"""
