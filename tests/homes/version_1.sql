-- A library.sqlite of version 1 as it was released: never edit this file; add version_2.sql beside it. OBJECT stands for the text's file.
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
INSERT INTO jobs (id, owner, session, run, kind, model, task, state, units, seconds, created, finished, schema_version) VALUES
    ('01JD0000000000000000000000', 'local', 's', '01JD000000000000000000000R', 'write', 'M', '{"prompt":"a poem"}', 'done', 10, 5,
    '2026-11-22T00:00:00.000+00:00', '2026-11-22T00:00:05.000+00:00', 1);
INSERT INTO creations (id, owner, session, job, kind, model, object, bytes, text, record, parents, created, schema_version) VALUES
    ('01JD0000000000000000000001', 'local', 's', '01JD0000000000000000000000', 'write', 'M', 'OBJECT', 9, 'old words',
    '{"schema_version":1,"made_by":"Atelier 0.1.0","kind":"write","task":{"prompt":"a poem","seed":1},"asked":{"prompt":"a poem"},"model":{"name":"M"},"software":{"python":"3.11.7"},"device":"2 CPU cores","seconds":5.0,"created":"2026-11-22T00:00:00.000+00:00","machine_made":true,"digital_source_type":"http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia","parents":[],"facts":{"tokens":10,"finish":"end"}}',
    '[]', '2026-11-22T00:00:05.000+00:00', 1);
INSERT INTO drafts (id, owner, session, fields, changed, schema_version) VALUES
    ('01JD0000000000000000000002', 'local', 's', '{"prompt":"a poem"}', '2026-11-22T00:00:00.000+00:00', 1);
PRAGMA user_version = 1;
