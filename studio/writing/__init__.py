"""Writing as text, versions and sources: what the writing tab and every writing engine share. Knows no page, no model file and no queue.

Documents
    spans.py             who wrote which characters, and what a change does to them
    delta.py             what changed from one version to the next
    versions.py          versions as rows with a parent, rebuilt quickly
    belongings.py        a document's name, fields and sources
    manuscripts.py       documents: open, change, undo, branch, remove
    chats.py             conversations beside a document
    diff.py              what differs between two texts, in pieces to take or refuse

What a writer is asked
    actions.py           what can be done with a text, and what it needs of a model
    prose.py             samplers by intent
    context.py           the one place where a prompt is put together, in exact tokens
    conversation.py      the same for messages by turns
    vocabularies.py      how writers make tokens of words, kept for counting
    author_note.py       words that are read near the end of the text
    lore.py              cards about a world or a brand, and which apply
    lore_keys.py         whether a key stands in a text
    lore_files.py        cards as text and as files of other programs
    voice.py             how a sample sounds, as a preset
    voice_measures.py    what can be counted in a text

Answers of a given form
    structured.py        a schema, a pattern or choices as a grammar
    _schemas.py          which schemas are refused, and in which words
    _keywords.py         what the keywords of a schema say together
    _narrow.py           a schema made narrower, so that every answer ends
    _values.py           the values that a narrow schema allows
    panels.py            the panels of a storyboard, drafted

Sources
    reading.py           files that a person drops, as text
    reading_child.py     the process that takes one apart
    reading_blocks.py    what every reader hands on
    reading_text.py      plain text and Markdown
    reading_html.py      web pages
    reading_zip.py       packed files, checked before they are unpacked
    reading_docx.py      Word documents
    reading_styles.py    what their styles and lists mean
    reading_epub.py      books
    reading_pdf.py       PDF files
    sentences.py         where sentences begin and end
    terms.py             what a text is about
    passages.py          a source in passages
    questions.py         what a question looks for
    retrieval.py         the passages that answer a question
    quoting.py           passages as a writer gets them
    claims.py            what a sentence states: numbers, names
    denials.py           what a sentence denies, and opposite words
    citations.py         cited sentences held against their passages
    entailment.py        what a large writer says of a sentence and its passage

Taken away
    markup.py            the Markdown that the studio writes and reads
    export.py            what all formats share; plain text and Markdown
    export_html.py       one page that needs nothing else
    export_docx.py       Word, with comments on what a machine wrote
    export_epub.py       a book
    textmark.py          the invisible mark in written words, and its detector
    marking.py           which texts get it, and why the others do not
    mark_search.py       a text looked at as every writer here reads it
    sidecar.py           a signed statement beside a text: its hashes and who wrote what
"""
