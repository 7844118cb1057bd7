-- A library.sqlite of version 8 as it was released: never edit this file; add version_9.sql beside it. OBJECT stands for the text's file.
PRAGMA journal_mode = WAL;
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
    UPDATE creations SET
        licence = coalesce(json_extract(iif(json_valid(record), record, '{}'), '$.model.licence'), ''),
        medium = CASE WHEN text IS NOT NULL THEN 'text'
            WHEN object LIKE '%.png' OR object LIKE '%.jpg' OR object LIKE '%.webp' THEN 'picture' ELSE 'sound' END,
        caption = substr(coalesce(nullif(trim(text), ''), json_extract(iif(json_valid(record), record, '{}'), '$.task.prompt'),
            json_extract(iif(json_valid(record), record, '{}'), '$.task.text'), ''), 1, 200),
        spaceless = record || coalesce(text, '') GLOB '*[฀-῿⁰-􏿿]*' WHERE seq = new.seq;
    INSERT OR IGNORE INTO origins (creation, parent) SELECT c.seq, parent.value
        FROM creations c, json_each(iif(json_valid(c.parents), c.parents, '[]')) AS parent WHERE c.seq = new.seq;
    INSERT INTO search (rowid, title, prompt, negative_prompt, settings, text, tags, note, model) SELECT c.seq, c.title,
        coalesce(json_extract(iif(json_valid(record), record, '{}'), '$.task.prompt'), json_extract(iif(json_valid(record), record, '{}'), '$.task.text'), ''),
        coalesce(json_extract(iif(json_valid(record), record, '{}'), '$.task.negative_prompt'), ''),
        coalesce((SELECT group_concat(setting.atom, ', ') FROM json_tree(iif(json_valid(record), record, '{}'), '$.task') AS setting
            WHERE setting.fullkey NOT IN ('$.task.prompt', '$.task.text', '$.task.negative_prompt')
            AND (setting.type = 'text' AND setting.atom <> '' AND setting.atom NOT LIKE 'sha256:%' OR setting.key = 'seed')), ''),
        coalesce(c.text, ''), '', c.note, c.model FROM creations c WHERE c.seq = new.seq;
END;
CREATE TRIGGER creation_is_gone AFTER DELETE ON creations BEGIN
    DELETE FROM search WHERE rowid = old.seq;
END;
CREATE TRIGGER creation_is_named AFTER UPDATE OF title, note ON creations BEGIN
    UPDATE search SET title = new.title, note = new.note WHERE rowid = new.seq;
    UPDATE creations SET spaceless = 1 WHERE seq = new.seq AND new.title || new.note GLOB '*[฀-῿⁰-􏿿]*';
END;
CREATE TRIGGER tag_is_given AFTER INSERT ON tags BEGIN
    UPDATE search SET tags = (SELECT group_concat(tag, ', ') FROM tags WHERE creation = new.creation) WHERE rowid = new.creation;
    UPDATE creations SET spaceless = 1 WHERE seq = new.creation AND new.tag GLOB '*[฀-῿⁰-􏿿]*';
END;
CREATE TRIGGER tag_is_taken AFTER DELETE ON tags BEGIN
    UPDATE search SET tags = coalesce((SELECT group_concat(tag, ', ') FROM tags WHERE creation = old.creation), '')
    WHERE rowid = old.creation;
END;
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
INSERT INTO jobs (id, owner, session, run, kind, model, task, state, units, seconds, created, finished, schema_version) VALUES
    ('01JD0000000000000000000000', 'local', 's', '01JD000000000000000000000R', 'write', 'M', '{"prompt":"a poem"}', 'done', 10, 5,
    '2026-11-22T00:00:00.000+00:00', '2026-11-22T00:00:05.000+00:00', 1);
INSERT INTO creations (id, owner, session, job, kind, model, object, bytes, text, record, parents, created, schema_version) VALUES
    ('01JD0000000000000000000001', 'local', 's', '01JD0000000000000000000000', 'write', 'M', 'OBJECT', 9, 'old words',
    '{"schema_version":1,"made_by":"Atelier 0.1.0","kind":"write","task":{"prompt":"a poem","seed":1},"asked":{"prompt":"a poem"},"model":{"name":"M"},"software":{"python":"3.11.7"},"device":"2 CPU cores","seconds":5.0,"created":"2026-11-22T00:00:00.000+00:00","machine_made":true,"digital_source_type":"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia","parents":[],"facts":{"tokens":10,"finish":"end"}}',
    '[]', '2026-11-22T00:00:05.000+00:00', 1);
INSERT INTO drafts (id, owner, session, fields, changed, schema_version) VALUES
    ('01JD0000000000000000000002', 'local', 's', '{"prompt":"a poem"}', '2026-11-22T00:00:00.000+00:00', 1);
UPDATE creations SET star = 1, title = 'Old times', note = 'the first one', project = 'Poems';
INSERT INTO tags (creation, tag) VALUES (1, 'autumn');
INSERT INTO creations (id, owner, session, job, kind, model, object, bytes, text, record, parents, created, trashed, schema_version)
    SELECT '01JD0000000000000000000003', owner, session, job, kind, model, object, bytes, text, record, '["01JD0000000000000000000001"]',
    created, '2026-11-22T00:01:00.000+00:00', 1 FROM creations;
INSERT INTO starts (day) VALUES ('2026-11-22');
INSERT INTO manuscripts (id, owner, session, title, head, fields, created, changed, trashed, schema_version) VALUES
    ('01JD000000000000000000000A', 'local', 's', 'Old words', '01JD000000000000000000000C', '{"notes":"short lines"}', '2026-11-22T00:00:00.000+00:00',
    '2026-11-22T00:02:00.000+00:00', '', 1),
    ('01JD000000000000000000000E', 'local', 's', 'Thrown away', '01JD000000000000000000000F', '{}', '2026-11-22T00:00:00.000+00:00',
    '2026-11-22T00:03:00.000+00:00', '2026-11-22T00:03:00.000+00:00', 1);
INSERT INTO manuscript_versions (id, manuscript, parent, redo, depth, kept_before, kept_after, middle, spans, crc, words, machine, created,
    note, origin, creation, added, removed, excerpt, schema_version) VALUES
    ('01JD000000000000000000000B', '01JD000000000000000000000A', '', '01JD000000000000000000000C', 0, 0, 0, 'old words', '[[9,"human",""]]', 765291390, 2, 0.0,
    '2026-11-22T00:00:00.000+00:00', '', 'human', '', 9, 0, 'old words', 1),
    ('01JD000000000000000000000C', '01JD000000000000000000000A', '01JD000000000000000000000B', '01JD000000000000000000000D', 1, 9, 0, ', and new ones.', '[[15,"machine","01JD0000000000000000000001"]]',
    3813583037, 5, 0.625, '2026-11-22T00:01:00.000+00:00', 'Continue', 'machine', '01JD0000000000000000000001', 15, 0, ', and new ones.', 1),
    ('01JD000000000000000000000D', '01JD000000000000000000000A', '01JD000000000000000000000C', '', 2, 0, 24, 'My ', '[[3,"human",""]]', 3596514472, 6, 0.5556,
    '2026-11-22T00:02:00.000+00:00', '', 'human', '', 3, 0, 'My', 1),
    ('01JD000000000000000000000F', '01JD000000000000000000000E', '', '', 0, 0, 0, '', '[]', 0, 0, 0.0, '2026-11-22T00:00:00.000+00:00', '', 'human', '', 0, 0, '', 1);
INSERT INTO manuscript_sources (id, manuscript, name, kind, content, passages, created, schema_version) VALUES
    ('01JD000000000000000000000G', '01JD000000000000000000000A', 'letters.pdf', 'pdf', '{"passages":["one","two"]}', 2, '2026-11-22T00:01:30.000+00:00', 1);
CREATE TABLE meanings (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, creation INTEGER NOT NULL REFERENCES creations (seq) ON DELETE CASCADE,
    model TEXT NOT NULL, vector BLOB NOT NULL, UNIQUE (creation, model));
INSERT INTO meanings (creation, model, vector) SELECT seq, 'a model', x'003C0000' FROM creations WHERE id = '01JD0000000000000000000001';
CREATE TABLE chats (
    id TEXT PRIMARY KEY, manuscript TEXT NOT NULL REFERENCES manuscripts (id) ON DELETE CASCADE, title TEXT NOT NULL,
    head TEXT NOT NULL DEFAULT '', created TEXT NOT NULL, changed TEXT NOT NULL, schema_version INTEGER NOT NULL);
CREATE INDEX chats_by_manuscript ON chats (manuscript, changed);
CREATE TABLE chat_turns (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, chat TEXT NOT NULL REFERENCES chats (id) ON DELETE CASCADE,
    parent TEXT NOT NULL, message TEXT NOT NULL, sees TEXT NOT NULL, answer TEXT NOT NULL DEFAULT '',
    creation TEXT NOT NULL DEFAULT '', created TEXT NOT NULL, schema_version INTEGER NOT NULL);
CREATE INDEX chat_turns_by_chat ON chat_turns (chat, parent, seq);
INSERT INTO chats (id, manuscript, title, head, created, changed, schema_version) VALUES
    ('01JD000000000000000000000K', '01JD000000000000000000000A', 'About old words', '01JD000000000000000000000M', '2026-11-22T00:02:00.000+00:00',
    '2026-11-22T00:03:00.000+00:00', 1);
INSERT INTO chat_turns (id, chat, parent, message, sees, answer, created, schema_version) VALUES
    ('01JD000000000000000000000M', '01JD000000000000000000000K', '', 'What is old here?', 'nothing', 'The words.', '2026-11-22T00:03:00.000+00:00', 1);
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
INSERT INTO batches (id, owner, session, run, name, kind, state, created, schema_version) VALUES
    ('01JD000000000000000000000N', 'local', '', '01JD000000000000000000000P', 'Poems of a night', 'write', 'going', '2026-11-22T00:00:00.000+00:00', 1);
INSERT INTO batch_rows (batch, number, place, task, state, message, seconds, run) VALUES
    (1, 1, 1, '{"prompt":"a poem of rain"}', 'done', '', 2.5, '01JD000000000000000000000P'),
    (1, 2, 3, '{"prompt":"a poem of snow"}', 'waiting', '', 0, ''),
    (1, 3, 2, '{"prompt":"a poem of hail"}', 'running', '', 0, '01JD000000000000000000000P');
ALTER TABLE creations ADD COLUMN panel INTEGER NOT NULL DEFAULT 0;
ALTER TABLE creations ADD COLUMN panel_words TEXT NOT NULL DEFAULT '';
ALTER TABLE creations ADD COLUMN panel_sound TEXT NOT NULL DEFAULT '';
CREATE INDEX creations_on_boards ON creations (owner, project, panel) WHERE panel > 0;
UPDATE creations SET medium = 'picture', panel = 1, panel_words = 'A calm sea', project = 'Tides' WHERE id = '01JD0000000000000000000003';
ALTER TABLE creations ADD COLUMN panel_picture TEXT NOT NULL DEFAULT '';
ALTER TABLE creations ADD COLUMN panel_draft TEXT NOT NULL DEFAULT '';
UPDATE creations SET panel = 1, panel_words = 'The tide turns.', panel_picture = 'Waves go out', project = 'Tides',
    record = json_set(record, '$.facts.caption', 'The tide turns.') WHERE id = '01JD0000000000000000000001';
PRAGMA user_version = 9;
