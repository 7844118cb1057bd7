"""The tables of the library's index, as the steps that lead from each version to the next. Nothing but data."""

# ruff: noqa: S608 - nothing here comes from outside

# Of step 2: what a creation shows, came from and is found by is told from its record; by triggers for what is kept later.
_SPACELESS = "GLOB '*[\u0e00-\u1fff\u2070-\U0010ffff]*'"  # scripts that may go without spaces, and emoji: not words to FTS5
_RECORD = "iif(json_valid(record), record, '{}')"
_SHOWN = f"""UPDATE creations SET
            licence = coalesce(json_extract({_RECORD}, '$.model.licence'), ''),
            medium = CASE WHEN text IS NOT NULL THEN 'text'
                WHEN object LIKE '%.png' OR object LIKE '%.jpg' OR object LIKE '%.webp' THEN 'picture' ELSE 'sound' END,
            caption = substr(coalesce(nullif(trim(text), ''), json_extract({_RECORD}, '$.task.prompt'),
                json_extract({_RECORD}, '$.task.text'), ''), 1, 200),
            spaceless = record || coalesce(text, '') {_SPACELESS}"""
_ORIGINS = """INSERT OR IGNORE INTO origins (creation, parent) SELECT c.seq, parent.value
            FROM creations c, json_each(iif(json_valid(c.parents), c.parents, '[]')) AS parent"""
_SEARCHED = f"""INSERT INTO search (rowid, title, prompt, negative_prompt, settings, text, tags, note, model) SELECT c.seq, c.title,
            coalesce(json_extract({_RECORD}, '$.task.prompt'), json_extract({_RECORD}, '$.task.text'), ''),
            coalesce(json_extract({_RECORD}, '$.task.negative_prompt'), ''),
            coalesce((SELECT group_concat(setting.atom, ', ') FROM json_tree({_RECORD}, '$.task') AS setting
                WHERE setting.fullkey NOT IN ('$.task.prompt', '$.task.text', '$.task.negative_prompt')
                AND (setting.type = 'text' AND setting.atom <> '' AND setting.atom NOT LIKE 'sha256:%' OR setting.key = 'seed')), ''),
            coalesce(c.text, ''), '', c.note, c.model FROM creations c"""

STEPS = (
    """
    CREATE TABLE jobs (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, session TEXT NOT NULL,
        run TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL, task TEXT NOT NULL, state TEXT NOT NULL,
        message TEXT NOT NULL DEFAULT '', units REAL NOT NULL, seconds REAL NOT NULL DEFAULT 0,
        created TEXT NOT NULL, finished TEXT, schema_version INTEGER NOT NULL);
    CREATE INDEX jobs_by_state ON jobs (state, model, seq);
    CREATE TABLE creations (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, session TEXT NOT NULL,
        job TEXT NOT NULL, kind TEXT NOT NULL, model TEXT NOT NULL, object TEXT NOT NULL, bytes INTEGER NOT NULL, text TEXT,
        record TEXT NOT NULL, parents TEXT NOT NULL, created TEXT NOT NULL, missing INTEGER NOT NULL DEFAULT 0,
        schema_version INTEGER NOT NULL);
    CREATE INDEX creations_by_owner ON creations (owner, seq, kind, session, missing);
    CREATE INDEX creations_by_session ON creations (session, seq);
    CREATE INDEX creations_by_object ON creations (object, missing);
    CREATE TABLE attachments (
        creation TEXT NOT NULL REFERENCES creations (id) ON DELETE CASCADE, name TEXT NOT NULL, object TEXT NOT NULL,
        bytes INTEGER NOT NULL, missing INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (creation, name));
    CREATE INDEX attachments_by_object ON attachments (object, missing);
    CREATE TABLE drafts (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, session TEXT NOT NULL, fields TEXT NOT NULL, changed TEXT NOT NULL,
        schema_version INTEGER NOT NULL);
    """,
    f"""
    ALTER TABLE jobs ADD COLUMN dismissed INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX jobs_by_owner ON jobs (owner, seq);
    ALTER TABLE creations ADD COLUMN medium TEXT NOT NULL DEFAULT '';
    ALTER TABLE creations ADD COLUMN licence TEXT NOT NULL DEFAULT '';
    ALTER TABLE creations ADD COLUMN caption TEXT NOT NULL DEFAULT '';
    ALTER TABLE creations ADD COLUMN title TEXT NOT NULL DEFAULT '';
    ALTER TABLE creations ADD COLUMN note TEXT NOT NULL DEFAULT '';
    ALTER TABLE creations ADD COLUMN project TEXT NOT NULL DEFAULT '';
    ALTER TABLE creations ADD COLUMN star INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE creations ADD COLUMN trashed TEXT NOT NULL DEFAULT '';
    ALTER TABLE creations ADD COLUMN spaceless INTEGER NOT NULL DEFAULT 0;
    DROP INDEX creations_by_owner;
    CREATE INDEX creations_on_shelf ON creations
        (owner, seq, trashed, missing, session, kind, medium, star, model, project, licence, bytes, created);
    CREATE INDEX creations_by_kind ON creations (owner, trashed, kind);
    CREATE INDEX creations_by_model ON creations (owner, trashed, model);
    CREATE INDEX creations_by_project ON creations (owner, trashed, project);
    CREATE INDEX creations_by_licence ON creations (owner, trashed, licence);
    CREATE INDEX creations_spaceless ON creations (owner, seq) WHERE spaceless = 1;
    CREATE TABLE tags (
        creation INTEGER NOT NULL REFERENCES creations (seq) ON DELETE CASCADE, tag TEXT NOT NULL COLLATE NOCASE,
        PRIMARY KEY (creation, tag)) WITHOUT ROWID;
    CREATE INDEX tags_by_tag ON tags (tag, creation);
    CREATE TABLE origins (
        creation INTEGER NOT NULL REFERENCES creations (seq) ON DELETE CASCADE, parent TEXT NOT NULL,
        PRIMARY KEY (creation, parent)) WITHOUT ROWID;
    CREATE INDEX origins_by_parent ON origins (parent, creation);
    CREATE TABLE starts (day TEXT PRIMARY KEY);
    CREATE VIRTUAL TABLE search USING fts5
        (title, prompt, negative_prompt, settings, text, tags, note, model, tokenize = 'unicode61 remove_diacritics 2', prefix = '1 2 3');

    CREATE TRIGGER creation_is_kept AFTER INSERT ON creations BEGIN
        {_SHOWN} WHERE seq = new.seq;
        {_ORIGINS} WHERE c.seq = new.seq;
        {_SEARCHED} WHERE c.seq = new.seq;
    END;
    CREATE TRIGGER creation_is_gone AFTER DELETE ON creations BEGIN
        DELETE FROM search WHERE rowid = old.seq;
    END;
    CREATE TRIGGER creation_is_named AFTER UPDATE OF title, note ON creations BEGIN
        UPDATE search SET title = new.title, note = new.note WHERE rowid = new.seq;
        UPDATE creations SET spaceless = 1 WHERE seq = new.seq AND new.title || new.note {_SPACELESS};
    END;
    CREATE TRIGGER tag_is_given AFTER INSERT ON tags BEGIN
        UPDATE search SET tags = (SELECT group_concat(tag, ', ') FROM tags WHERE creation = new.creation) WHERE rowid = new.creation;
        UPDATE creations SET spaceless = 1 WHERE seq = new.creation AND new.tag {_SPACELESS};
    END;
    CREATE TRIGGER tag_is_taken AFTER DELETE ON tags BEGIN
        UPDATE search SET tags = coalesce((SELECT group_concat(tag, ', ') FROM tags WHERE creation = old.creation), '')
        WHERE rowid = old.creation;
    END;
    {_SHOWN};
    {_ORIGINS} WHERE TRUE;
    {_SEARCHED};
    """,
    """
    CREATE TABLE manuscripts (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, session TEXT NOT NULL, title TEXT NOT NULL, head TEXT NOT NULL,
        fields TEXT NOT NULL DEFAULT '{}', created TEXT NOT NULL, changed TEXT NOT NULL, trashed TEXT NOT NULL DEFAULT '',
        schema_version INTEGER NOT NULL);
    CREATE INDEX manuscripts_by_owner ON manuscripts (owner, trashed, changed);
    CREATE INDEX manuscripts_by_session ON manuscripts (session);
    CREATE TABLE manuscript_versions (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        manuscript TEXT NOT NULL REFERENCES manuscripts (id) ON DELETE CASCADE, parent TEXT NOT NULL, redo TEXT NOT NULL DEFAULT '',
        depth INTEGER NOT NULL, kept_before INTEGER NOT NULL, kept_after INTEGER NOT NULL, middle TEXT NOT NULL, spans TEXT NOT NULL,
        crc INTEGER NOT NULL, words INTEGER NOT NULL, machine REAL NOT NULL, created TEXT NOT NULL, note TEXT NOT NULL,
        origin TEXT NOT NULL, creation TEXT NOT NULL, added INTEGER NOT NULL, removed INTEGER NOT NULL, excerpt TEXT NOT NULL,
        schema_version INTEGER NOT NULL);
    CREATE INDEX manuscript_versions_by_manuscript ON manuscript_versions (manuscript, seq);
    CREATE TABLE manuscript_sources (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        manuscript TEXT NOT NULL REFERENCES manuscripts (id) ON DELETE CASCADE, name TEXT NOT NULL, kind TEXT NOT NULL,
        content TEXT NOT NULL, passages INTEGER NOT NULL, created TEXT NOT NULL, schema_version INTEGER NOT NULL);
    CREATE INDEX manuscript_sources_by_manuscript ON manuscript_sources (manuscript, seq);
    """,
    """
    CREATE TABLE meanings (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, creation INTEGER NOT NULL UNIQUE REFERENCES creations (seq) ON DELETE CASCADE,
        model TEXT NOT NULL, vector BLOB NOT NULL);
    """,
    """
    CREATE TABLE chats (
        id TEXT PRIMARY KEY, manuscript TEXT NOT NULL REFERENCES manuscripts (id) ON DELETE CASCADE, title TEXT NOT NULL,
        head TEXT NOT NULL DEFAULT '', created TEXT NOT NULL, changed TEXT NOT NULL, schema_version INTEGER NOT NULL);
    CREATE INDEX chats_by_manuscript ON chats (manuscript, changed);
    CREATE TABLE chat_turns (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, chat TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
        parent TEXT NOT NULL, message TEXT NOT NULL, sees TEXT NOT NULL, answer TEXT NOT NULL DEFAULT '',
        creation TEXT NOT NULL DEFAULT '', created TEXT NOT NULL, schema_version INTEGER NOT NULL);
    CREATE INDEX chat_turns_by_chat ON chat_turns (chat, parent, seq);
    """,
    """
    CREATE TABLE batches (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, session TEXT NOT NULL, run TEXT NOT NULL,
        name TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL DEFAULT '', created TEXT NOT NULL,
        schema_version INTEGER NOT NULL);
    CREATE INDEX batches_by_owner ON batches (owner, seq);
    CREATE TABLE batch_rows (
        batch INTEGER NOT NULL REFERENCES batches (seq) ON DELETE CASCADE, number INTEGER NOT NULL, place INTEGER NOT NULL,
        task TEXT NOT NULL, state TEXT NOT NULL, message TEXT NOT NULL DEFAULT '', seconds REAL NOT NULL DEFAULT 0,
        run TEXT NOT NULL DEFAULT '', PRIMARY KEY (batch, number)) WITHOUT ROWID;
    CREATE INDEX batch_rows_by_state ON batch_rows (batch, state, place);
    """,
    """
    ALTER TABLE meanings RENAME TO meanings_of_one_model;
    CREATE TABLE meanings (
        seq INTEGER PRIMARY KEY AUTOINCREMENT, creation INTEGER NOT NULL REFERENCES creations (seq) ON DELETE CASCADE,
        model TEXT NOT NULL, vector BLOB NOT NULL, UNIQUE (creation, model));
    INSERT INTO meanings (seq, creation, model, vector) SELECT seq, creation, model, vector FROM meanings_of_one_model;
    DROP TABLE meanings_of_one_model;
    """,
    """
    ALTER TABLE creations ADD COLUMN panel INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE creations ADD COLUMN panel_words TEXT NOT NULL DEFAULT '';
    ALTER TABLE creations ADD COLUMN panel_sound TEXT NOT NULL DEFAULT '';
    CREATE INDEX creations_on_boards ON creations (owner, project, panel) WHERE panel > 0;
    """,
    """
    ALTER TABLE creations ADD COLUMN panel_picture TEXT NOT NULL DEFAULT '';
    ALTER TABLE creations ADD COLUMN panel_draft TEXT NOT NULL DEFAULT '';
    """,
)
"""Step k brings an index of version k to version k + 1. Never edit one that was released: add the next."""

SEARCH_AGAIN = (
    "DELETE FROM search",
    _SEARCHED,
    """UPDATE search SET tags = (SELECT group_concat(tag, ', ') FROM tags WHERE creation = search.rowid)
        WHERE rowid IN (SELECT creation FROM tags)""",
)
"""Fills the search anew from the creations."""
